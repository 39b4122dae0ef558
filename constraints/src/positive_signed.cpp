#include <lavoisier/positive_signed.hpp>

#include "special_functions.hpp"
#include "sum_groups.hpp"

#include <lavoisier/elementary.hpp>

#include <algorithm>
#include <limits>
#include <optional>

namespace lavoisier {

namespace {

using detail::Failure;
using detail::row;
using detail::set_nan;
using detail::text;
using Batch = Eigen::Ref<const RowMatrix>;
using Kernel = detail::SampleKernel<-1>;

bool has_atom(PositiveFamily family) {
  return family == PositiveFamily::hurdle_log_normal || family == PositiveFamily::hurdle_gamma;
}
bool is_gamma(PositiveFamily family) {
  return family == PositiveFamily::gamma || family == PositiveFamily::hurdle_gamma;
}

/// Parameters of the positive outputs of sample s.
Failure check_positive(const PositiveSigned& law, Eigen::Index s) {
  for (Eigen::Index i = 0; i < law.a.cols(); ++i) {
    const auto failure = [&](Status status, const char* name, double value, const char* expected) {
      return Failure{status, std::string(name) + " of positive output " + std::to_string(i) + " is " + text(value) +
                                 ", expected " + expected};
    };
    const double a = law.a(s, i), b = law.b(s, i);
    if (!std::isfinite(a)) return failure(Status::non_finite, "a", a, "a number");
    if (law.families[static_cast<std::size_t>(i)] == PositiveFamily::given) {
      if (a < 0.0) return failure(Status::invalid_argument, "a", a, "0 or more");
      continue;
    }
    if (!std::isfinite(b)) return failure(Status::non_finite, "b", b, "a number");
    if (!(b > 0.0)) return failure(Status::invalid_argument, "b", b, "a positive number");
    if (is_gamma(law.families[static_cast<std::size_t>(i)]) && !(a > 0.0))
      return failure(Status::invalid_argument, "a", a, "a positive number");
    if (!has_atom(law.families[static_cast<std::size_t>(i)])) continue;
    const double zero = law.zero(s, i);
    if (!std::isfinite(zero)) return failure(Status::non_finite, "zero", zero, "a number");
    if (!(zero > 0.0 && zero < 1.0))
      return failure(Status::invalid_argument, "zero", zero, "a probability between 0 and 1");
  }
  return {};
}

/// One block of A: the signed outputs' laws as kernels read them, and the positive outputs' coefficients, rows scaled
/// alike.
struct Block {
  std::optional<detail::LawMatrix> laws;
  std::vector<double> positive;  ///< n_p x m
  std::optional<Kernel> kernel;

  Failure set(const LawOptions& options, const double* A, std::size_t m, std::size_t n_p, std::size_t n_q) {
    RowMatrix signed_part(static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(n_q));
    for (std::size_t k = 0; k < m; ++k) {
      const double* coefficients = A + k * (n_p + n_q);
      bool any = false, any_signed = false;
      for (std::size_t j = 0; j < n_p + n_q; ++j) {
        if (!std::isfinite(coefficients[j]))
          return {Status::invalid_argument, detail::law_name(options, k) + ": its coefficient of output " +
                                                std::to_string(j) + " is not finite"};
        any |= coefficients[j] != 0.0;
        any_signed |= j >= n_p && coefficients[j] != 0.0;
      }
      if (!any)
        return {Status::invalid_argument,
                detail::law_name(options, k) + " is zero: expected the coefficients of a law"};
      if (!any_signed)
        return {Status::unsupported, detail::law_name(options, k) +
                                         " holds positive outputs alone: draw them by gamma_given_sum, pass them as "
                                         "given, and leave the law out"};
      for (std::size_t j = 0; j < n_q; ++j)
        signed_part(static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(j)) = coefficients[n_p + j];
    }
    kernel.reset();
    laws.emplace(signed_part);
    kernel.emplace(*laws);
    positive.resize(n_p * m);
    for (std::size_t i = 0; i < n_p; ++i)
      for (std::size_t k = 0; k < m; ++k) positive[i * m + k] = A[k * (n_p + n_q) + i] * laws->row_scale[k];
    return {};
  }
};

struct Problem {
  const PositiveSigned& law;
  const LawOptions& options;
  Eigen::Index samples, n_p, n_q, rows;
  bool stacked;

  Problem(const char* function, const PositiveSigned& given, const LawOptions& given_options)
      : law(given),
        options(given_options),
        samples(given.mean.rows()),
        n_p(static_cast<Eigen::Index>(given.families.size())),
        n_q(given.mean.cols()),
        rows(given.d.cols()),
        stacked(detail::is_stacked(function, given.A, samples, rows, n_p + n_q)) {
    const auto require = [&](const char* name, const RowMatrix& values, Eigen::Index columns) {
      detail::require_shape(function, name, values.rows(), values.cols(), samples, columns);
    };
    require("a", law.a, n_p);
    require("b", law.b, n_p);
    bool atoms = false;
    for (const PositiveFamily family : law.families) atoms |= has_atom(family);
    if (atoms || law.zero.size() != 0) require("zero", law.zero, n_p);
    require("standard_deviation", law.standard_deviation, n_q);
    require("d", law.d, rows);
  }

  PositiveFamily family(Eigen::Index i) const { return law.families[static_cast<std::size_t>(i)]; }

  PositiveSignedGradient zero_gradient() const {
    const RowMatrix p = RowMatrix::Zero(samples, n_p), q = RowMatrix::Zero(samples, n_q);
    return {p, p, p, q, q};
  }

  Failure check(Eigen::Index s) const { return check_positive(law, s); }

  /// The kernel for q given p.
  Failure set_kernel(Block& block, Eigen::Index s, const double* p) const {
    const std::size_t m = static_cast<std::size_t>(rows);
    std::vector<double> d(m);
    for (std::size_t k = 0; k < m; ++k) {
      double sum = 0.0;
      for (std::size_t i = 0; i < static_cast<std::size_t>(n_p); ++i) sum += block.positive[i * m + k] * p[i];
      d[k] = row(law.d, s)[k] - sum / block.laws->row_scale[k];
    }
    const Status status = block.kernel->set(row(law.mean, s), row(law.standard_deviation, s), d.data());
    if (status == Status::ok) return {};
    if (status == Status::rank_deficient) return {status, first_dependent_row(block, s)};
    return {status, status == Status::non_finite ? "mean, standard_deviation or d is no number"
                                                 : "a standard_deviation is negative"};
  }

  /// x = G' g in scaled rows.
  void gain_adjoint(Block& block, const double* g, double* x) const {
    const std::size_t m = static_cast<std::size_t>(rows);
    for (std::size_t k = 0; k < m; ++k) x[k] = 0.0;
    for (std::size_t j = 0; j < static_cast<std::size_t>(n_q); ++j) {
      const double weight = block.kernel->variance(j) * g[j];
      for (std::size_t k = 0; k < m; ++k) x[k] += weight * block.laws->column(j)[k];
    }
    block.kernel->solve(x, x);
  }
  /// (A_p' x)_i.
  double positive_dot(const Block& block, Eigen::Index i, const double* x) const {
    double sum = 0.0;
    for (Eigen::Index k = 0; k < rows; ++k) sum += block.positive[static_cast<std::size_t>(i * rows + k)] * x[k];
    return sum;
  }

  /// Calls body(block, s) -> Failure for every sample.
  template <class Body>
  std::vector<Failure> for_each(const char* function, double operations, const Body& body) const {
    const std::size_t m = static_cast<std::size_t>(rows), p = static_cast<std::size_t>(n_p),
                      q = static_cast<std::size_t>(n_q);
    const double size = static_cast<double>(n_p + n_q), square = static_cast<double>(rows * rows + 1);
    const int threads = detail::thread_count(options, samples, operations * size + 6.0 * size * square);
    std::vector<Block> blocks(static_cast<std::size_t>(threads));
    if (!stacked)
      for (Block& block : blocks) {
        const Failure failure = block.set(options, law.A.data(), m, p, q);
        if (failure.failed()) throw Error(failure.status, std::string(function) + ": " + failure.reason);
      }
    std::vector<Failure> failures(static_cast<std::size_t>(samples));
    detail::for_each_sample(samples, threads, [&](Eigen::Index s, int thread) {
      Block& block = blocks[static_cast<std::size_t>(thread)];
      Failure& failure = failures[static_cast<std::size_t>(s)];
      failure = check(s);
      if (!failure.failed() && stacked)
        failure = block.set(options, law.A.data() + s * rows * (n_p + n_q), m, p, q);
      if (!failure.failed()) failure = body(block, s);
    });
    return failures;
  }

 private:
  /// Which row of A_q S^1/2 follows from those before it, by orthogonalisation.
  std::string first_dependent_row(const Block& block, Eigen::Index s) const {
    RowMatrix basis(rows, n_q);
    for (Eigen::Index k = 0; k < rows; ++k) {
      for (Eigen::Index j = 0; j < n_q; ++j)
        basis(k, j) = block.laws->column(static_cast<std::size_t>(j))[k] * law.standard_deviation(s, j);
      const double length = basis.row(k).norm();
      for (Eigen::Index i = 0; i < 2 * k; ++i)  // twice: once leaves what rounding left
        basis.row(k) -= basis.row(k).dot(basis.row(i % k)) * basis.row(i % k);
      const double left = basis.row(k).norm();
      if (!(left > 1e-6 * length))
        return detail::law_name(options, static_cast<std::size_t>(k)) +
               " follows from those before it in the signed outputs that vary: expected full rank";
      basis.row(k) /= left;
    }
    return "the laws are nearly dependent in the signed outputs: expected full rank";
  }
};

void void_rows(const std::vector<Failure>& failures, RowMatrix& matrix) {
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) set_nan(matrix, static_cast<Eigen::Index>(s));
}
void void_rows(const std::vector<Failure>& failures, PositiveSignedGradient& gradient) {
  for (RowMatrix* part : {&gradient.a, &gradient.b, &gradient.zero, &gradient.mean, &gradient.standard_deviation})
    void_rows(failures, *part);
}

/// A positive output's draw and how it moves with its parameters.
struct PositiveDraw {
  double value = 0.0, a_slope = 0.0, b_slope = 0.0;
};
Failure draw_positive(const Problem& problem, const DrawOptions& options, Eigen::Index s, Eigen::Index i,
                      std::uint64_t element, bool with_slopes, PositiveDraw& draw) {
  const PositiveSigned& law = problem.law;
  const PositiveFamily family = problem.family(i);
  draw = {};
  if (family == PositiveFamily::given) {
    draw = {law.a(s, i), 1.0, 0.0};
    return {};
  }
  random::Sequence sequence = detail::sequence(options, s, element);
  if (has_atom(family) && random::uniform(sequence) < law.zero(s, i)) return {};
  const double a = law.a(s, i), b = law.b(s, i);
  if (is_gamma(family)) {
    const double log_gamma = random::log_gamma(sequence, a);
    // What underflows is positive still: only an atom is 0.
    draw.value = std::max(elementary::exp(log_gamma) / b, std::numeric_limits<double>::min());
    if (with_slopes) {
      draw.a_slope = draw.value * detail::log_gamma_shape_derivative(a, log_gamma);
      draw.b_slope = -draw.value / b;
    }
  } else {
    const double e = random::normal(sequence);
    draw.value = std::max(elementary::exp(a + b * e), std::numeric_limits<double>::min());
    draw.a_slope = draw.value;
    draw.b_slope = draw.value * e;
  }
  if (sequence.failed || !std::isfinite(draw.value))
    return {Status::out_of_range, "the draw of positive output " + std::to_string(i) + " is no number"};
  return {};
}

/// log p(p) of sample s added to `value`, its gradient into `gradient`.
Failure add_positive_density(const PositiveSigned& law, Eigen::Index s, const Batch& p, double& value,
                             PositiveSignedGradient& gradient) {
  for (Eigen::Index i = 0; i < p.cols(); ++i) {
    const PositiveFamily family = law.families[static_cast<std::size_t>(i)];
    const double p_i = p(s, i), a = law.a(s, i), b = law.b(s, i);
    if (!std::isfinite(p_i))
      return Failure{Status::non_finite, "positive output " + std::to_string(i) + " is no number"};
    const bool reachable = family == PositiveFamily::given || has_atom(family) ? p_i >= 0.0 : p_i > 0.0;
    if (!reachable)
      return Failure{Status::out_of_range, "positive output " + std::to_string(i) + " is " + text(p_i)};
    if (family == PositiveFamily::given) continue;
    if (has_atom(family)) {
      const double zero = law.zero(s, i);
      value += p_i == 0.0 ? std::log(zero) : std::log1p(-zero);
      gradient.zero(s, i) = p_i == 0.0 ? 1.0 / zero : -1.0 / (1.0 - zero);
      if (p_i == 0.0) continue;
    }
    const double log_p = std::log(p_i);
    if (is_gamma(family)) {
      value += a * std::log(b) - detail::log_gamma_function(a) + (a - 1.0) * log_p - b * p_i;
      gradient.a(s, i) = std::log(b) - detail::digamma(a) + log_p;
      gradient.b(s, i) = a / b - p_i;
    } else {
      const double z = (log_p - a) / b;
      value += -0.5 * detail::log_two_pi - std::log(b) - log_p - 0.5 * z * z;
      gradient.a(s, i) = z / b;
      gradient.b(s, i) = (z * z - 1.0) / b;
    }
  }
  return {};
}

/// |X - Y| of normals: E|N(mean, variance)| and its derivatives.
struct FoldedNormal {
  double value, mean_bar, variance_bar;
};
FoldedNormal folded_normal(double mean, double variance) {
  if (!(variance > 0.0)) return {std::abs(mean), mean > 0.0 ? 1.0 : (mean < 0.0 ? -1.0 : 0.0), 0.0};
  const double sigma = std::sqrt(variance), z = mean / sigma;
  const double density = 0.39894228040143267794 * std::exp(-0.5 * z * z), sides = std::erf(z * 0.70710678118654752440);
  return {2.0 * sigma * density + mean * sides, sides, density / sigma};
}

}  // namespace

PositiveSignedDraw positive_signed_draw(const PositiveSigned& law, const DrawOptions& options) {
  const char* function = "positive_signed_draw";
  const Problem problem(function, law, options);
  detail::require_draw_options(function, options, problem.samples);
  PositiveSignedDraw result;
  result.p.resize(problem.samples, problem.n_p);
  result.q.resize(problem.samples, problem.n_q);
  const auto failures = problem.for_each(function, 200.0, [&](Block& block, Eigen::Index s) {
    for (Eigen::Index i = 0; i < problem.n_p; ++i) {
      PositiveDraw draw;
      const Failure failure =
          draw_positive(problem, options, s, i, static_cast<std::uint64_t>(i), false, draw);
      if (failure.failed()) return failure;
      result.p(s, i) = draw.value;
    }
    const Failure failure = problem.set_kernel(block, s, row(result.p, s));
    if (failure.failed()) return failure;
    double* z = block.kernel->marginal_mean.data();
    for (Eigen::Index j = 0; j < problem.n_q; ++j) {
      random::Sequence sequence = detail::sequence(options, s, static_cast<std::uint64_t>(problem.n_p + j));
      z[j] = law.mean(s, j) + law.standard_deviation(s, j) * random::normal(sequence);
    }
    block.kernel->move_onto_laws(z, row(result.q, s));
    return Failure{};
  });
  void_rows(failures, result.p);
  void_rows(failures, result.q);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

PositiveSignedGradient positive_signed_draw_adjoint(const PositiveSigned& law, const Batch& p_bar, const Batch& q_bar,
                                                    SignedEstimator estimator, const DrawOptions& options) {
  const char* function = "positive_signed_draw_adjoint";
  const Problem problem(function, law, options);
  detail::require_draw_options(function, options, problem.samples);
  detail::require_shape(function, "p_bar", p_bar.rows(), p_bar.cols(), problem.samples, problem.n_p);
  detail::require_shape(function, "q_bar", q_bar.rows(), q_bar.cols(), problem.samples, problem.n_q);
  PositiveSignedGradient result = problem.zero_gradient();
  const auto failures = problem.for_each(function, 1000.0, [&](Block& block, Eigen::Index s) {
    std::vector<PositiveDraw> draws(static_cast<std::size_t>(problem.n_p));
    std::vector<double> p(draws.size()), x(static_cast<std::size_t>(problem.rows)),
        e(static_cast<std::size_t>(problem.n_q));
    for (std::size_t i = 0; i < draws.size(); ++i) {
      const Failure failure = draw_positive(problem, options, s, static_cast<Eigen::Index>(i), i, true, draws[i]);
      if (failure.failed()) return failure;
      p[i] = draws[i].value;
    }
    const Failure failure = problem.set_kernel(block, s, p.data());
    if (failure.failed()) return failure;
    Kernel& kernel = *block.kernel;
    const double* deviation = row(law.standard_deviation, s);
    double* z = kernel.marginal_mean.data();
    double* q = kernel.marginal_variance.data();
    for (std::size_t j = 0; j < e.size(); ++j) {
      random::Sequence sequence = detail::sequence(options, s, static_cast<std::uint64_t>(problem.n_p) + j);
      e[j] = random::normal(sequence);
      z[j] = row(law.mean, s)[j] + deviation[j] * e[j];
    }
    problem.gain_adjoint(block, row(q_bar, s), x.data());
    for (std::size_t i = 0; i < draws.size(); ++i) {
      const double total = row(p_bar, s)[i] - problem.positive_dot(block, static_cast<Eigen::Index>(i), x.data());
      row(result.a, s)[i] = total * draws[i].a_slope;
      row(result.b, s)[i] = total * draws[i].b_slope;
    }
    if (estimator == SignedEstimator::rao_blackwell) {
      kernel.move_onto_laws(z, q);
      kernel.set_lambda(row(law.mean, s));
    } else {
      kernel.set_lambda(z);
    }
    for (std::size_t j = 0; j < e.size(); ++j) {
      const double projected = row(q_bar, s)[j] - kernel.dot(j, x.data());
      const double pull = kernel.dot(j, kernel.lambda());
      double normal = e[j];
      if (estimator == SignedEstimator::rao_blackwell)
        normal = deviation[j] > 0.0 ? (q[j] - row(law.mean, s)[j]) / deviation[j] + deviation[j] * pull : 0.0;
      row(result.mean, s)[j] = projected;
      row(result.standard_deviation, s)[j] = projected * (normal - 2.0 * deviation[j] * pull);
    }
    return Failure{};
  });
  void_rows(failures, result);
  return result;
}

RowMatrix hurdle_score_function(const PositiveSigned& law, const Batch& p, const Batch& loss) {
  const char* function = "hurdle_score_function";
  const LawOptions options;
  const Problem problem(function, law, options);
  detail::require_shape(function, "loss", loss.rows(), loss.cols(), problem.samples, loss.cols());
  detail::require_shape(function, "p", p.rows(), p.cols(), loss.rows() * loss.cols(), problem.n_p);
  if (loss.cols() < 2)
    throw Error(Status::invalid_argument, std::string(function) + ": " + std::to_string(loss.cols()) +
                                              " draws a sample, expected 2 or more (each is the others' baseline)");
  RowMatrix result = RowMatrix::Zero(problem.samples, problem.n_p);
  const Eigen::Index K = loss.cols();
  for (Eigen::Index s = 0; s < problem.samples; ++s) {
    if (problem.check(s).failed()) {
      set_nan(result, s);
      continue;
    }
    double average = 0.0;
    for (Eigen::Index k = 0; k < K; ++k) average += loss(s, k) / static_cast<double>(K);
    for (Eigen::Index i = 0; i < problem.n_p; ++i) {
      if (!has_atom(problem.family(i))) continue;
      const double zero = law.zero(s, i);
      for (Eigen::Index k = 0; k < K; ++k)
        result(s, i) += (loss(s, k) - average) / static_cast<double>(K - 1) *
                        (p(s * K + k, i) == 0.0 ? 1.0 / zero : -1.0 / (1.0 - zero));
    }
  }
  return result;
}

SignedMoments signed_moments_given(const PositiveSigned& law, const Batch& p, const LawOptions& options) {
  const char* function = "signed_moments_given";
  const Problem problem(function, law, options);
  detail::require_shape(function, "p", p.rows(), p.cols(), problem.samples, problem.n_p);
  SignedMoments result;
  result.mean.resize(problem.samples, problem.n_q);
  result.variance.resize(problem.samples, problem.n_q);
  const auto failures = problem.for_each(function, 20.0, [&](Block& block, Eigen::Index s) {
    const Failure failure = problem.set_kernel(block, s, row(p, s));
    if (failure.failed()) return failure;
    block.kernel->move_onto_laws(row(law.mean, s), row(result.mean, s));
    block.kernel->set_leverages();
    block.kernel->variances(row(result.variance, s));
    return Failure{};
  });
  void_rows(failures, result.mean);
  void_rows(failures, result.variance);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

PositiveSignedMoments positive_signed_moments(const PositiveSigned& law, const LawOptions& options) {
  const char* function = "positive_signed_moments";
  const Problem problem(function, law, options);
  PositiveSignedMoments result;
  result.p_mean = result.p_variance = RowMatrix(problem.samples, problem.n_p);
  result.q_mean = result.q_variance = RowMatrix(problem.samples, problem.n_q);
  const auto failures = problem.for_each(function, 20.0, [&](Block& block, Eigen::Index s) {
    for (Eigen::Index i = 0; i < problem.n_p; ++i) {
      const PositiveFamily family = problem.family(i);
      const double a = law.a(s, i), b = law.b(s, i);
      double mean = a, variance = 0.0;
      if (is_gamma(family)) {
        mean = a / b;
        variance = mean / b;
      } else if (family != PositiveFamily::given) {
        mean = std::exp(a + 0.5 * b * b);
        variance = mean * mean * std::expm1(b * b);
      }
      if (has_atom(family)) {
        const double zero = law.zero(s, i);
        variance = (1.0 - zero) * (variance + zero * mean * mean);
        mean *= 1.0 - zero;
      }
      if (!std::isfinite(mean) || !std::isfinite(variance))
        return Failure{Status::out_of_range, "the moments of positive output " + std::to_string(i) + " overflow"};
      result.p_mean(s, i) = mean;
      result.p_variance(s, i) = variance;
    }
    const Failure failure = problem.set_kernel(block, s, row(result.p_mean, s));
    if (failure.failed()) return failure;
    Kernel& kernel = *block.kernel;
    double* variance = row(result.q_variance, s);
    kernel.move_onto_laws(row(law.mean, s), row(result.q_mean, s));
    kernel.set_leverages();
    kernel.variances(variance);
    std::vector<double> x(static_cast<std::size_t>(problem.rows));
    for (Eigen::Index i = 0; i < problem.n_p; ++i) {
      kernel.solve(block.positive.data() + i * problem.rows, x.data());
      for (Eigen::Index j = 0; j < problem.n_q; ++j) {
        const std::size_t at = static_cast<std::size_t>(j);
        const double gain = kernel.variance(at) * kernel.dot(at, x.data());
        variance[j] += result.p_variance(s, i) * gain * gain;
      }
    }
    return Failure{};
  });
  for (RowMatrix* part : {&result.p_mean, &result.p_variance, &result.q_mean, &result.q_variance})
    void_rows(failures, *part);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

PositiveSignedLogDensity positive_signed_log_density(const PositiveSigned& law, const Batch& p, const Batch& q,
                                                     PositiveSignedMeasure measure, bool with_gradient,
                                                     const LawOptions& options) {
  const char* function = "positive_signed_log_density";
  const Problem problem(function, law, options);
  detail::require_shape(function, "p", p.rows(), p.cols(), problem.samples, problem.n_p);
  detail::require_shape(function, "q", q.rows(), q.cols(), problem.samples, problem.n_q);
  PositiveSignedLogDensity result;
  result.value = Eigen::VectorXd::Constant(problem.samples, detail::not_a_number);
  PositiveSignedGradient gradient = problem.zero_gradient();
  const auto failures = problem.for_each(function, 200.0, [&](Block& block, Eigen::Index s) {
    double value = 0.0;
    const Failure of_positive = add_positive_density(law, s, p, value, gradient);
    if (of_positive.failed()) return of_positive;
    const Failure failure = problem.set_kernel(block, s, row(p, s));
    if (failure.failed()) return failure;
    Kernel& kernel = *block.kernel;
    double of_signed = 0.0;
    const Status status =
        kernel.log_density(row(law.mean, s), row(law.standard_deviation, s), row(q, s), of_signed,
                           with_gradient ? row(gradient.mean, s) : nullptr,
                           with_gradient ? row(gradient.standard_deviation, s) : nullptr);
    if (status != Status::ok)
      return Failure{status, status == Status::law_violated ? "the signed outputs are off the laws given the positive"
                                                            : "a signed output is no number, or the laws lose rank"};
    value += of_signed;
    if (measure == PositiveSignedMeasure::surface) {
      // A_q A_q' plus the outer products of the positive outputs that are free.
      const std::size_t m = static_cast<std::size_t>(problem.rows);
      std::vector<double> gram(m * m, 0.0);
      const auto add = [&](const double* column) {
        for (std::size_t k = 0; k < m; ++k)
          for (std::size_t l = 0; l <= k; ++l) gram[k * m + l] += column[k] * column[l];
      };
      for (std::size_t j = 0; j < static_cast<std::size_t>(problem.n_q); ++j)
        if (law.standard_deviation(s, static_cast<Eigen::Index>(j)) > 0.0) add(block.laws->column(j));
      for (Eigen::Index i = 0; i < problem.n_p; ++i)
        if (problem.family(i) != PositiveFamily::given && p(s, i) > 0.0)
          add(block.positive.data() + i * problem.rows);
      detail::ScaledCholesky<-1> factor(m);
      if (!factor.factorize(gram.data())) return Failure{Status::rank_deficient, "the laws lose rank"};
      value += 0.5 * kernel.log_det_gram(row(law.standard_deviation, s)) - 0.5 * factor.log_det();
    }
    result.value[s] = value;
    return Failure{};
  });
  if (with_gradient) {
    void_rows(failures, gradient);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

PositiveSignedLogDensity positive_log_density(const PositiveSigned& law, const Batch& p, bool with_gradient,
                                              const LawOptions& options) {
  const char* function = "positive_log_density";
  const Eigen::Index samples = p.rows(), n_p = static_cast<Eigen::Index>(law.families.size());
  detail::require_shape(function, "p", p.rows(), p.cols(), samples, n_p);
  detail::require_shape(function, "a", law.a.rows(), law.a.cols(), samples, n_p);
  detail::require_shape(function, "b", law.b.rows(), law.b.cols(), samples, n_p);
  if (std::any_of(law.families.begin(), law.families.end(), has_atom) || law.zero.size() != 0)
    detail::require_shape(function, "zero", law.zero.rows(), law.zero.cols(), samples, n_p);
  PositiveSignedLogDensity result;
  result.value = Eigen::VectorXd::Zero(samples);
  const RowMatrix none = RowMatrix::Zero(samples, n_p);
  PositiveSignedGradient gradient{none, none, none, {}, {}};
  std::vector<Failure> failures(static_cast<std::size_t>(samples));
  const int threads = detail::thread_count(options, samples, 100.0 * static_cast<double>(n_p));
  detail::for_each_sample(samples, threads, [&](Eigen::Index s, int) {
    Failure& failure = failures[static_cast<std::size_t>(s)];
    failure = check_positive(law, s);
    if (!failure.failed()) failure = add_positive_density(law, s, p, result.value[s], gradient);
    if (failure.failed()) result.value[s] = detail::not_a_number;
  });
  if (with_gradient) {
    for (RowMatrix* part : {&gradient.a, &gradient.b, &gradient.zero}) void_rows(failures, *part);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

PositiveSignedCrps positive_signed_crps(const PositiveSigned& law, const Batch& p, const Batch& q, int draws,
                                        bool with_gradient, const DrawOptions& options) {
  const char* function = "positive_signed_crps";
  const Problem problem(function, law, options);
  detail::require_draw_options(function, options, problem.samples);
  detail::require_shape(function, "p", p.rows(), p.cols(), problem.samples, problem.n_p);
  detail::require_shape(function, "q", q.rows(), q.cols(), problem.samples, problem.n_q);
  bool atoms = false;
  for (const PositiveFamily family : law.families) atoms |= has_atom(family);
  const int least = with_gradient && atoms ? 3 : 2;
  if (draws < least)
    throw Error(Status::invalid_argument, std::string(function) + ": draws is " + std::to_string(draws) +
                                              ", expected " + std::to_string(least) + " or more");
  PositiveSignedCrps result;
  result.p = RowMatrix::Zero(problem.samples, problem.n_p);
  result.q = RowMatrix::Zero(problem.samples, problem.n_q);
  PositiveSignedGradient gradient = problem.zero_gradient();
  const double K = draws, pairs = K * (K - 1.0);
  const auto failures = problem.for_each(function, 1000.0 * K * K, [&](Block& block, Eigen::Index s) {
    const Eigen::Index n_p = problem.n_p, n_q = problem.n_q;
    RowMatrix drawn(draws, n_p), a_slope(draws, n_p), b_slope(draws, n_p), mean(draws, n_q), variance(1, n_q);
    for (Eigen::Index k = 0; k < draws; ++k) {
      for (Eigen::Index i = 0; i < n_p; ++i) {
        PositiveDraw draw;
        const Failure failure = draw_positive(problem, options, s, i, static_cast<std::uint64_t>(k * n_p + i),
                                              with_gradient, draw);
        if (failure.failed()) return failure;
        drawn(k, i) = draw.value;
        a_slope(k, i) = draw.a_slope;
        b_slope(k, i) = draw.b_slope;
      }
      const Failure failure = problem.set_kernel(block, s, row(drawn, k));
      if (failure.failed()) return failure;
      block.kernel->move_onto_laws(row(law.mean, s), row(mean, k));
    }
    block.kernel->set_leverages();
    block.kernel->variances(variance.data());
    for (Eigen::Index j = 0; j < n_q; ++j)
      if (!std::isfinite(q(s, j))) return Failure{Status::non_finite, "signed output " + std::to_string(j) + " is no number"};
    for (Eigen::Index i = 0; i < n_p; ++i)
      if (!std::isfinite(p(s, i))) return Failure{Status::non_finite, "positive output " + std::to_string(i) + " is no number"};
    RowMatrix p_bar = RowMatrix::Zero(draws, n_p), mean_bar = RowMatrix::Zero(draws, n_q),
              variance_bar = RowMatrix::Zero(1, n_q);
    std::vector<double> nearness(static_cast<std::size_t>(draws), 0.0), spread(static_cast<std::size_t>(draws), 0.0);
    const auto add = [&](Eigen::Index k, Eigen::Index l, const FoldedNormal& term, double times, RowMatrix& value,
                         Eigen::Index j, RowMatrix& bar) {
      // A term of draw k (l < 0), or of the pair k, l.
      const double weight = l < 0 ? 1.0 / K : -1.0 / pairs;
      value(s, j) += weight * term.value;
      bar(k, j) += weight * term.mean_bar;
      if (l >= 0) bar(l, j) -= weight * term.mean_bar;
      (l < 0 ? nearness : spread)[static_cast<std::size_t>(k)] += term.value;
      if (l >= 0) spread[static_cast<std::size_t>(l)] += term.value;
      if (times > 0.0) variance_bar(0, j) += weight * times * term.variance_bar;
    };
    for (Eigen::Index k = 0; k < draws; ++k) {
      for (Eigen::Index i = 0; i < n_p; ++i) add(k, -1, folded_normal(drawn(k, i) - p(s, i), 0.0), 0.0, result.p, i, p_bar);
      for (Eigen::Index j = 0; j < n_q; ++j)
        add(k, -1, folded_normal(mean(k, j) - q(s, j), variance(0, j)), 1.0, result.q, j, mean_bar);
      for (Eigen::Index l = 0; l < k; ++l) {
        for (Eigen::Index i = 0; i < n_p; ++i) add(k, l, folded_normal(drawn(k, i) - drawn(l, i), 0.0), 0.0, result.p, i, p_bar);
        for (Eigen::Index j = 0; j < n_q; ++j)
          add(k, l, folded_normal(mean(k, j) - mean(l, j), 2.0 * variance(0, j)), 2.0, result.q, j, mean_bar);
      }
    }
    if (!with_gradient) return Failure{};
    std::vector<double> x(static_cast<std::size_t>(problem.rows)), zeros(static_cast<std::size_t>(n_q), 0.0),
        mu_bar(zeros.size()), deviation_bar(zeros.size());
    double near_sum = 0.0, spread_sum = 0.0;
    for (const double value : nearness) near_sum += value;
    for (const double value : spread) spread_sum += value;  // every pair twice
    const double estimate = near_sum / K - 0.5 * spread_sum / pairs;
    for (Eigen::Index k = 0; k < draws; ++k) {
      Kernel& kernel = *block.kernel;
      problem.set_kernel(block, s, row(drawn, k));
      kernel.set_lambda(row(law.mean, s));
      kernel.set_leverages();
      kernel.moments_adjoint(row(law.standard_deviation, s), row(mean_bar, k), k == 0 ? variance_bar.data() : zeros.data(),
                             mu_bar.data(), deviation_bar.data());
      for (Eigen::Index j = 0; j < n_q; ++j) {
        gradient.mean(s, j) += mu_bar[static_cast<std::size_t>(j)];
        gradient.standard_deviation(s, j) += deviation_bar[static_cast<std::size_t>(j)];
      }
      problem.gain_adjoint(block, row(mean_bar, k), x.data());
      // The estimate without draw k knows nothing of it: a baseline.
      const std::size_t at = static_cast<std::size_t>(k);
      const double without = (near_sum - nearness[at]) / (K - 1.0) -
                             0.5 * (spread_sum - 2.0 * spread[at]) / ((K - 1.0) * (K - 2.0));
      for (Eigen::Index i = 0; i < n_p; ++i) {
        const double total = p_bar(k, i) - problem.positive_dot(block, i, x.data());
        gradient.a(s, i) += total * a_slope(k, i);
        gradient.b(s, i) += total * b_slope(k, i);
        if (!has_atom(problem.family(i))) continue;
        const double zero = law.zero(s, i);
        gradient.zero(s, i) += (estimate - without) * (drawn(k, i) == 0.0 ? 1.0 / zero : -1.0 / (1.0 - zero));
      }
    }
    return Failure{};
  });
  void_rows(failures, result.p);
  void_rows(failures, result.q);
  if (with_gradient) {
    void_rows(failures, gradient);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

}  // namespace lavoisier
