// The full family: S = L L', one L for the batch.

#include "correlated_common.hpp"
#include "full_covariance_kernel.hpp"

namespace lavoisier {

using detail::Batch;
using detail::DoubleDouble;
using detail::FullKernel;
using detail::FullSample;
using detail::FullSums;
using detail::row;

namespace {

struct Call {
  detail::BatchLaws laws;
  const FullGaussian& gaussian;
  const Batch* d;
  Eigen::Index samples, n;
  RowMatrix L;  ///< contiguous
  std::vector<Eigen::Index> dependent;

  Call(const char* function, const RowMatrix& A, Eigen::Index m, const FullGaussian& parts, const Batch* rhs)
      : laws(function, A, m, parts.mean.rows()), gaussian(parts), d(rhs), samples(parts.mean.rows()), n(A.cols()) {
    detail::require_shape(function, "mean", parts.mean.rows(), parts.mean.cols(), samples, n);
    detail::require_shape(function, "lower", parts.lower.rows(), parts.lower.cols(), n, n);
    if (d != nullptr) detail::require_shape(function, "d", d->rows(), d->cols(), samples, m);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j <= i; ++j)
        if (!std::isfinite(parts.lower(i, j)))
          throw Error(Status::invalid_argument, std::string(function) + ": lower(" + std::to_string(i) + ", " +
                                                    std::to_string(j) + ") is not finite: expected a factor of S");
    L = parts.lower;
  }
  const double* rhs(Eigen::Index sample) const { return d == nullptr ? nullptr : row(*d, sample); }
};

enum class Needs { factor, variances, regular };

/// How a batch is cut where it has sums: the same parts for any number of threads.
constexpr Eigen::Index most_parts = 16;

template <class Real>
struct Worker {
  Worker(std::size_t rows, std::size_t outputs) : kernel(rows, outputs), sample(rows, outputs) {}
  FullKernel<Real> kernel;
  FullSample<Real> sample;
};

/// body(kernel, sample, sums, s) -> Status for every sample, in double or double-double; failed(s) for those that fail.
/// `lower` gets the gradient of L unless null.
template <class Body, class Failed>
std::vector<Status> for_each_kernel(const Call& call, Needs needs, std::initializer_list<detail::Finite> inputs,
                                    int wanted_threads, RowMatrix* lower, const Body& body, const Failed& failed) {
  const std::size_t m = call.laws.rows(), n = static_cast<std::size_t>(call.n);
  std::vector<Status> result = detail::all_ok(call.samples);
  const bool variances = needs == Needs::variances, shared = call.laws.shared();
  const Eigen::Index parts = std::min(most_parts, call.samples);
  BatchOptions options;
  options.threads = wanted_threads;
  const double own_factor = shared ? 0.0 : static_cast<double>(n * n * m);
  const int threads = std::min(
      static_cast<int>(std::max<Eigen::Index>(parts, 1)),
      detail::thread_count(options, call.samples, 4.0 * static_cast<double>(n * (m + 4)) + own_factor));

  const auto set = [&](auto& kernel, const detail::LawMatrix& laws) {
    const Status status = kernel.set(laws, call.L.data(), variances);
    if (status != Status::ok || needs != Needs::regular) return status;
    kernel.set_surface(call.dependent);
    return kernel.regular() && std::isfinite(kernel.surface()) ? Status::ok : Status::rank_deficient;
  };
  // Shared A: one factor, in the precision that it needs.
  FullKernel<double> fast(m, n);
  FullKernel<DoubleDouble> precise(m, n);
  Status of_shared = Status::ok;
  bool in_double = true;
  if (shared) {
    of_shared = set(fast, call.laws.whole());
    in_double = of_shared == Status::ok && fast.precise();
    if (!in_double && of_shared != Status::non_finite) of_shared = set(precise, call.laws.whole());
  }

  std::vector<Worker<double>> workers;
  std::vector<Worker<DoubleDouble>> precise_workers;
  std::vector<detail::LawMatrix> scratch;
  const std::size_t kernel_outputs = shared ? 0 : n;
  for (int thread = 0; thread < threads; ++thread) {
    workers.push_back({m, kernel_outputs});
    precise_workers.push_back({m, kernel_outputs});
    workers.back().sample = FullSample<double>(m, n);
    precise_workers.back().sample = FullSample<DoubleDouble>(m, n);
    scratch.push_back(call.laws.scratch());
  }
  std::vector<FullSums> sums;
  for (Eigen::Index part = 0; part < parts; ++part)
    sums.emplace_back(lower == nullptr ? 0 : m, lower == nullptr ? 0 : n);

  const auto attempt = [&](auto& kernel, auto& sample, Eigen::Index s, FullSums& into) {
    sample.set(kernel, row(call.gaussian.mean, s), call.rhs(s));
    return body(kernel, sample, into, s);
  };
  detail::for_each_sample(parts, threads, [&](Eigen::Index part, int thread) {
    const std::size_t own = static_cast<std::size_t>(thread);
    FullSums& into = sums[static_cast<std::size_t>(part)];
    for (Eigen::Index s = call.samples * part / parts; s < call.samples * (part + 1) / parts; ++s) {
      Status status = of_shared;
      if (!detail::Finite{&call.gaussian.mean, 1}.holds(s) || !detail::all_hold(inputs, s) ||
          (call.d != nullptr && !detail::Finite{call.d, 1}.holds(s)))
        status = Status::non_finite;
      if (status == Status::ok && shared) {
        status = in_double ? attempt(fast, workers[own].sample, s, into)
                           : attempt(precise, precise_workers[own].sample, s, into);
      } else if (status == Status::ok) {
        const detail::LawMatrix& laws = call.laws.of(s, scratch[own]);
        status = laws.status;
        const auto work = [&](auto& worker) {
          status = attempt(worker.kernel, worker.sample, s, into);
          if (status == Status::ok && lower != nullptr) worker.kernel.finish(into);
        };
        if (status == Status::ok) {
          status = set(workers[own].kernel, laws);
          if (status == Status::ok && workers[own].kernel.precise()) {
            work(workers[own]);
          } else if (status != Status::non_finite) {
            status = set(precise_workers[own].kernel, laws);
            if (status == Status::ok) work(precise_workers[own]);
          }
        }
      }
      result[static_cast<std::size_t>(s)] = status;
      if (status != Status::ok) failed(s);
    }
  });
  if (lower == nullptr) return result;
  FullSums total(m, n);
  for (const FullSums& part : sums) total.add(part);
  if (shared && of_shared == Status::ok) {
    if (in_double)
      fast.finish(total);
    else
      precise.finish(total);
  }
  *lower = Eigen::Map<const RowMatrix>(total.lower.data(), call.n, call.n);
  return result;
}

/// sums.lower += left right', lower triangle.
template <class Real>
void add_outer(FullSums& sums, const std::vector<Real>& left, const std::vector<Real>& right) noexcept {
  const std::size_t n = left.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double factor = detail::to_double(left[i]);
    double* to = sums.lower.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) to[j] += factor * detail::to_double(right[j]);
  }
}
template <class Kernel, class Sample>
void add_mean(const Kernel& kernel, const Sample& sample, FullSums& sums, double* mean_bar) noexcept {
  for (std::size_t j = 0; j < kernel.n; ++j) {
    mean_bar[j] = detail::to_double(sample.p[j]);
    for (std::size_t k = 0; k < kernel.m; ++k)
      sums.with_lambda[j * kernel.m + k] += mean_bar[j] * detail::to_double(sample.lambda[k]);
  }
}
void add_variance_bar(FullSums& sums, const double* variance_bar) noexcept {
  for (std::size_t j = 0; j < sums.variance_bar.size(); ++j) sums.variance_bar[j] += variance_bar[j];
  sums.variances = true;
}
/// A draw's gradients from p = P' g, L'p, the normals behind the draw (in `t`), b and L'b:
/// mean += p, L += p (t - L'b)' - b (L'p)'.
template <class Sample>
void add_draw(Sample& sample, FullSums& sums, double* mean_bar) noexcept {
  for (std::size_t j = 0; j < sample.p.size(); ++j) {
    mean_bar[j] += detail::to_double(sample.p[j]);
    sample.t[j] -= sample.law_normals[j];
    sample.q[j] = -sample.b[j];
  }
  add_outer(sums, sample.p, sample.t);
  add_outer(sums, sample.q, sample.Lp);
}

}  // namespace

ConditionalMoments conditional_moments(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d,
                                       const BatchOptions& options) {
  const Call call("conditional_moments", A, d.cols(), gaussian, &d);
  ConditionalMoments result{RowMatrix(call.samples, call.n), RowMatrix(call.samples, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::variances, {}, options.threads, nullptr,
      [&](const auto& kernel, auto& sample, FullSums&, Eigen::Index s) {
        sample.set_mean(kernel);
        detail::store(sample.mean, row(result.mean, s));
        detail::store(kernel.v, row(result.variance, s));
        return Status::ok;
      },
      [&](Eigen::Index s) {
        detail::set_nan(result.mean, s);
        detail::set_nan(result.variance, s);
      });
  return result;
}

FullGradient conditional_moments_adjoint(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d,
                                         const Batch& mean_bar, const Batch& variance_bar,
                                         const BatchOptions& options) {
  const char* const name = "conditional_moments_adjoint";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "mean_bar", mean_bar.rows(), mean_bar.cols(), call.samples, call.n);
  detail::require_shape(name, "variance_bar", variance_bar.rows(), variance_bar.cols(), call.samples, call.n);
  FullGradient gradient{RowMatrix(call.samples, call.n), {}};
  for_each_kernel(
      call, Needs::variances, {{&mean_bar, 1}, {&variance_bar, 1}}, options.threads, &gradient.lower,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        sample.set_mean(kernel);
        kernel.project_adjoint(row(mean_bar, s), sample.x.data(), sample.p.data());
        add_mean(kernel, sample, sums, row(gradient.mean, s));
        add_variance_bar(sums, row(variance_bar, s));
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan(gradient.mean, s); });
  return gradient;
}

BatchRows conditional_covariance_product(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian,
                                         const Batch& x, const BatchOptions& options) {
  const char* const name = "conditional_covariance_product";
  const Call call(name, A, m, gaussian, nullptr);
  detail::require_shape(name, "x", x.rows(), x.cols(), call.samples, call.n);
  BatchRows result{RowMatrix(call.samples, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::variances, {{&x, 1}}, options.threads, nullptr,
      [&](const auto& kernel, auto& sample, FullSums&, Eigen::Index s) {
        sample.project(kernel, row(x, s));  // V x = S P' x
        kernel.multiply(sample.Lp.data(), sample.q.data());
        detail::store(sample.q, row(result.value, s));
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan(result.value, s); });
  return result;
}

BatchRows conditional_draw(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d, const Batch& normals,
                           const BatchOptions& options) {
  const Call call("conditional_draw", A, d.cols(), gaussian, &d);
  const Eigen::Index draws = detail::draws_a_sample("conditional_draw", "normals", normals, call.samples, call.n);
  BatchRows result{RowMatrix(call.samples * draws, call.n), {}};
  result.status = for_each_kernel(
      call, Needs::factor, {{&normals, draws}}, options.threads, nullptr,
      [&](const auto& kernel, auto& sample, FullSums&, Eigen::Index s) {
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) {
          kernel.multiply(row(normals, k), sample.q.data());
          for (std::size_t j = 0; j < kernel.n; ++j) sample.q[j] += sample.z[j];
          kernel.move_onto_laws(sample.q.data(), sample.d.data(), sample.lambda.data(), sample.p.data(),
                                sample.x.data());
          detail::store(sample.p, row(result.value, k));
        }
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan_rows(result.value, s, draws); });
  return result;
}

FullGradient conditional_draw_adjoint(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d,
                                      const Batch& normals, const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "conditional_draw_adjoint";
  const Call call(name, A, d.cols(), gaussian, &d);
  const Eigen::Index draws = detail::draws_a_sample(name, "normals", normals, call.samples, call.n);
  detail::require_shape(name, "y_bar", y_bar.rows(), y_bar.cols(), call.samples * draws, call.n);
  FullGradient gradient{RowMatrix::Zero(call.samples, call.n), {}};
  for_each_kernel(
      call, Needs::factor, {{&normals, draws}, {&y_bar, draws}}, options.threads, &gradient.lower,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) {
          kernel.multiply(row(normals, k), sample.q.data());
          for (std::size_t j = 0; j < kernel.n; ++j) {
            sample.q[j] += sample.z[j];
            sample.t[j] = row(normals, k)[j];
          }
          kernel.residual(sample.q.data(), sample.d.data(), sample.lambda.data());
          kernel.solve(sample.lambda.data(), sample.lambda.data());
          sample.set_law_vectors(kernel);
          sample.project(kernel, row(y_bar, k));
          add_draw(sample, sums, row(gradient.mean, s));
        }
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan(gradient.mean, s); });
  return gradient;
}

FullGradient rao_blackwell_gradient(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d, const Batch& y,
                                    const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "rao_blackwell_gradient";
  const Call call(name, A, d.cols(), gaussian, &d);
  const Eigen::Index draws = detail::draws_a_sample(name, "y", y, call.samples, call.n);
  detail::require_shape(name, "y_bar", y_bar.rows(), y_bar.cols(), call.samples * draws, call.n);
  FullGradient gradient{RowMatrix::Zero(call.samples, call.n), {}};
  for_each_kernel(
      call, Needs::regular, {{&y, draws}, {&y_bar, draws}}, options.threads, &gradient.lower,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        sample.set_mean(kernel);
        sample.set_law_vectors(kernel);
        for (Eigen::Index k = s * draws; k < (s + 1) * draws; ++k) {
          for (std::size_t j = 0; j < kernel.n; ++j) sample.q[j] = row(y, k)[j] - sample.mean[j];
          kernel.solve_lower(sample.q.data(), sample.t.data());
          sample.project(kernel, row(y_bar, k));
          add_draw(sample, sums, row(gradient.mean, s));
        }
        return Status::ok;
      },
      [&](Eigen::Index s) { detail::set_nan(gradient.mean, s); });
  return gradient;
}

CorrelatedScore<FullGradient> conditional_log_density(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d,
                                                      const Batch& y, const DensityOptions& options) {
  const char* const name = "conditional_log_density";
  Call call(name, A, d.cols(), gaussian, &d);
  call.dependent = options.dependent;
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  detail::require_dependent(name, options.dependent, d.cols(), call.n);
  CorrelatedScore<FullGradient> result;
  result.value.resize(call.samples);
  const bool with_gradient = options.with_gradient;
  if (with_gradient) result.gradient.mean.resize(call.samples, call.n);
  result.status = for_each_kernel(
      call, Needs::regular, {{&y, 1}}, options.threads, with_gradient ? &result.gradient.lower : nullptr,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        if (kernel.largest_relative_residual(row(y, s), sample.d.data()) > tolerances::identity::relative_fp32)
          return Status::law_violated;
        const std::size_t n = kernel.n, m = kernel.m;
        const double* mu = row(gaussian.mean, s);
        bool known_components_agree = true;
        sample.set_mean(kernel);
        for (std::size_t j = 0; j < n; ++j) {
          auto from_mean = row(y, s)[j] - sample.z[j];
          for (std::size_t k = 0; k < m; ++k) from_mean += kernel.K[j * m + k] * sample.lambda[k];
          sample.p[j] = from_mean;
          if (kernel.known(j))
            known_components_agree &= std::abs(row(y, s)[j] - mu[j]) <=
                                      tolerances::identity::relative_fp64 * (std::abs(row(y, s)[j]) + std::abs(mu[j]));
        }
        kernel.solve_lower(sample.p.data(), sample.t.data());
        double square = 0.0;
        for (std::size_t j = 0; j < n; ++j) square += detail::to_double(sample.t[j]) * detail::to_double(sample.t[j]);
        const double free = static_cast<double>(kernel.free_outputs()) - static_cast<double>(m);
        result.value[s] =
            -0.5 * (free * detail::log_two_pi + square + kernel.log_det() - kernel.log_det_W()) - kernel.surface();
        if (!known_components_agree) result.value[s] = -std::numeric_limits<double>::infinity();
        if (!with_gradient) return Status::ok;
        sample.set_law_vectors(kernel);
        kernel.solve_upper(sample.t.data(), sample.q.data());
        for (std::size_t j = 0; j < n; ++j) {
          result.gradient.mean(s, static_cast<Eigen::Index>(j)) =
              detail::to_double(kernel.known(j) ? sample.b[j] : sample.q[j]);
          sample.law_normals[j] = sample.t[j] - sample.law_normals[j];
          sample.b[j] = -sample.b[j];
        }
        // q (L^-1 (y - m) - L'b)' - b (L^-1 (y - m))'; the determinants in finish().
        add_outer(sums, sample.q, sample.law_normals);
        add_outer(sums, sample.b, sample.t);
        sums.densities += 1.0;
        return Status::ok;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        if (with_gradient) detail::set_nan(result.gradient.mean, s);
      });
  return result;
}

BatchRows conditional_entropy(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian,
                              const BatchOptions& options) {
  const Call call("conditional_entropy", A, m, gaussian, nullptr);
  BatchRows result{RowMatrix(call.samples, 1), {}};
  result.status = for_each_kernel(
      call, Needs::regular, {}, options.threads, nullptr,
      [&](const auto& kernel, auto&, FullSums&, Eigen::Index s) {
        result.value(s, 0) = kernel.entropy();
        return Status::ok;
      },
      [&](Eigen::Index s) { result.value(s, 0) = detail::not_a_number; });
  return result;
}

BatchRows null_space_log_density(const RowMatrix& A, Eigen::Index m, const FullGaussian& gaussian, const Batch& y,
                                 const BatchOptions& options) {
  const char* const name = "null_space_log_density";
  const Call call(name, A, m, gaussian, nullptr);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  BatchRows result{RowMatrix(call.samples, 1), detail::all_ok(call.samples)};
  const Eigen::MatrixXd lower = call.L.triangularView<Eigen::Lower>();
  const Eigen::MatrixXd S = lower * lower.transpose();
  const int threads = detail::thread_count(options, call.samples, static_cast<double>(call.n * call.n * call.n));
  std::vector<detail::LawMatrix> scratch(static_cast<std::size_t>(threads), call.laws.scratch());
  detail::for_each_sample(call.samples, threads, [&](Eigen::Index s, int thread) {
    double& value = result.value(s, 0);
    value = detail::not_a_number;
    Status status = detail::all_hold({{&gaussian.mean, 1}, {&y, 1}}, s)
                        ? call.laws.of(s, scratch[static_cast<std::size_t>(thread)]).status
                        : Status::non_finite;
    if (status == Status::ok) {
      const Eigen::MatrixXd rows = A.middleRows(call.laws.shared() ? 0 : s * m, m);
      value = detail::dense_null_space_log_density(rows, S, (y.row(s) - gaussian.mean.row(s)).transpose());
      if (!std::isfinite(value)) status = Status::rank_deficient;
    }
    result.status[static_cast<std::size_t>(s)] = status;
  });
  return result;
}

CorrelatedScore<FullGradient> conditional_crps_loss(const RowMatrix& A, const FullGaussian& gaussian, const Batch& d,
                                                    const Batch& y, const Eigen::VectorXd& score_scale,
                                                    const BatchOptions& options) {
  const char* const name = "conditional_crps_loss";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  const Eigen::VectorXd weight = detail::score_weights_of(name, score_scale, call.n);
  CorrelatedScore<FullGradient> result;
  result.value.resize(call.samples);
  result.gradient.mean.resize(call.samples, call.n);
  RowMatrix variance_bar(call.samples, call.n);
  result.status = for_each_kernel(
      call, Needs::variances, {{&y, 1}}, options.threads, &result.gradient.lower,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        sample.set_mean(kernel);
        double* mean = row(result.gradient.mean, s);
        double* variance = row(variance_bar, s);
        detail::store(sample.mean, mean);
        detail::store(kernel.v, variance);
        result.value[s] =
            detail::weighted_marginal_crps(call.n, mean, variance, row(y, s), weight, mean, variance);
        kernel.project_adjoint(mean, sample.x.data(), sample.p.data());
        add_mean(kernel, sample, sums, mean);
        add_variance_bar(sums, variance);
        return Status::ok;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        detail::set_nan(result.gradient.mean, s);
      });
  return result;
}

CorrelatedScore<FullGradient> conditional_squared_error_loss(const RowMatrix& A, const FullGaussian& gaussian,
                                                             const Batch& d, const Batch& y,
                                                             const Eigen::VectorXd& score_scale,
                                                             const BatchOptions& options) {
  const char* const name = "conditional_squared_error_loss";
  const Call call(name, A, d.cols(), gaussian, &d);
  detail::require_shape(name, "y", y.rows(), y.cols(), call.samples, call.n);
  detail::score_weights_of(name, score_scale, call.n);
  CorrelatedScore<FullGradient> result;
  result.value.resize(call.samples);
  result.gradient.mean.resize(call.samples, call.n);
  result.status = for_each_kernel(
      call, Needs::factor, {{&y, 1}}, options.threads, &result.gradient.lower,
      [&](const auto& kernel, auto& sample, FullSums& sums, Eigen::Index s) {
        sample.set_mean(kernel);
        double* mean = row(result.gradient.mean, s);
        detail::store(sample.mean, mean);
        result.value[s] = detail::weighted_squared_error(call.n, mean, row(y, s), score_scale, mean);
        kernel.project_adjoint(mean, sample.x.data(), sample.p.data());
        add_mean(kernel, sample, sums, mean);
        return Status::ok;
      },
      [&](Eigen::Index s) {
        result.value[s] = detail::not_a_number;
        detail::set_nan(result.gradient.mean, s);
      });
  return result;
}

CorrelatedScore<FullGradient> conditional_likelihood_loss(const RowMatrix& A, const FullGaussian& gaussian,
                                                          const Batch& d, const Batch& y,
                                                          const BatchOptions& options) {
  DensityOptions density;
  density.with_gradient = true;
  density.threads = options.threads;
  CorrelatedScore<FullGradient> result = conditional_log_density(A, gaussian, d, y, density);
  result.value = -result.value;
  result.gradient.mean = -result.gradient.mean;
  result.gradient.lower = -result.gradient.lower;
  return result;
}

}  // namespace lavoisier
