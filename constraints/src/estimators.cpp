#include <lavoisier/estimators.hpp>

#include "batch_loss.hpp"
#include "normal_draws.hpp"

#include <lavoisier/layout.hpp>

#include <array>
#include <exception>
#include <mutex>

namespace lavoisier {

using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

constexpr std::array<std::pair<Estimator, const char*>, 6> words = {
    {{Estimator::exact, "exact"},
     {Estimator::marginal_expectation, "marginal_expectation"},
     {Estimator::pathwise, "pathwise"},
     {Estimator::score_function, "score_function"},
     {Estimator::rao_blackwell, "rao_blackwell"},
     {Estimator::rao_blackwell_shrunk, "rao_blackwell_shrunk"}}};

// Columns of EstimatorState::moments_: number of observations, their |D|^2 and M'D (D the dispersion term, M the rest,
// in log s). Elements of batch_: number of calls, |D|^2 of the mean over a call's samples, its variance, and its
// covariance with M.
enum Moment : Eigen::Index { observations, squares, products };
enum BatchMoment : Eigen::Index { calls, batch_squares, batch_variance, batch_covariance };

double polynomial(const double (&coefficient)[8], double x) {
  double sum = coefficient[7];
  for (int i = 6; i >= 0; --i) sum = sum * x + coefficient[i];
  return sum;
}

/// What a sample leaves for the state.
struct Record {
  Eigen::VectorXd products, squares, dispersion, rest;  // in log s, means over the draws
  double variance = 0.0, covariance = 0.0;              // of the means, by the spread of the draws
};

}  // namespace

struct EstimatorAccess {
  static void forget(EstimatorState& state, Eigen::Index slot) {
    state.products_.row(slot) *= state.memory_;
    state.squares_.row(slot) *= state.memory_;
    state.dispersion_sum_.row(slot) *= state.memory_;
    state.rest_sum_.row(slot) *= state.memory_;
    state.moments_.row(slot) *= state.memory_;
  }
  static void add(EstimatorState& state, Eigen::Index slot, const Record& record) {
    state.products_.row(slot) += record.products.transpose();
    state.squares_.row(slot) += record.squares.transpose();
    state.dispersion_sum_.row(slot) += record.dispersion.transpose();
    state.rest_sum_.row(slot) += record.rest.transpose();
    state.moments_(slot, observations) += 1.0;
    state.moments_(slot, squares) += record.dispersion.squaredNorm();
    state.moments_(slot, products) += record.dispersion.dot(record.rest);
  }
  static void add_batch(EstimatorState& state, double count, const Eigen::VectorXd& dispersion, double variance,
                        double covariance) {
    state.batch_ *= state.memory_;
    state.batch_[calls] += 1.0;
    state.batch_[batch_squares] += dispersion.squaredNorm() / (count * count);
    state.batch_[batch_variance] += variance / (count * count);
    state.batch_[batch_covariance] += covariance / (count * count);
  }
};

const char* to_string(Estimator estimator) noexcept {
  for (const auto& [value, word] : words)
    if (value == estimator) return word;
  return "?";
}

Estimator estimator_from(const std::string& text) {
  std::vector<std::string> legal;
  for (const auto& [value, word] : words) {
    if (text == word) return value;
    legal.emplace_back(word);
  }
  std::string message = "unknown estimator '" + text + "'; legal:";
  for (const std::string& word : legal) message += (&word == &legal.front() ? " " : ", ") + word;
  const std::string nearest = nearest_name(text, legal);
  if (!nearest.empty()) message += "; did you mean '" + nearest + "'?";
  throw Error(Status::invalid_argument, message);
}

double inverse_normal_cdf(double u) noexcept {
  constexpr double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e2,  1.9715909503065514427e3,
                           1.3731693765509461125e4,  4.5921953931549871457e4,  6.7265770927008700853e4,
                           3.3430575583588128105e4,  2.5090809287301226727e3};
  constexpr double b[8] = {1.0,                      4.2313330701600911252e1,  6.8718700749205790830e2,
                           5.3941960214247511077e3,  2.1213794301586595867e4,  3.9307895800092710610e4,
                           2.8729085735721942674e4,  5.2264952788528545610e3};
  constexpr double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                           3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                           2.27238449892691845833e-2, 7.74545014278341407640e-4};
  constexpr double d[8] = {1.0,                      2.05319162663775882187e0, 1.67638483018380384940e0,
                           6.89767334985100004550e-1, 1.48103976427480074590e-1, 1.51986665636164571966e-2,
                           5.47593808499534494600e-4, 1.05075007164441684324e-9};
  constexpr double e[8] = {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                           2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                           2.71155556874348757815e-5, 2.01033439929228813265e-7};
  constexpr double f[8] = {1.0,                      5.99832206555887937690e-1, 1.36929880922735805310e-1,
                           1.48753612908506148525e-2, 7.86869131145613259100e-4, 1.84631831751005468180e-5,
                           1.42151175831644588870e-7, 2.04426310338993978564e-15};
  if (!(u >= 0.0 && u <= 1.0)) return detail::not_a_number;
  const double q = u - 0.5;
  if (std::abs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, r) / polynomial(b, r);
  }
  const double tail = q < 0.0 ? u : 1.0 - u;
  if (tail == 0.0) return std::copysign(std::numeric_limits<double>::infinity(), q);
  const double r = std::sqrt(-std::log(tail));
  const double size = r <= 5.0 ? polynomial(c, r - 1.6) / polynomial(d, r - 1.6)
                               : polynomial(e, r - 5.0) / polynomial(f, r - 5.0);
  return std::copysign(size, q);
}

EstimatorState::EstimatorState(Eigen::Index outputs, Eigen::Index slots, double memory) : memory_(memory) {
  if (outputs < 1 || slots < 1)
    throw Error(Status::invalid_argument, "EstimatorState: " + std::to_string(outputs) + " outputs and " +
                                              std::to_string(slots) + " slots, expected at least 1 of each");
  if (!(memory > 0.0 && memory <= 1.0))
    throw Error(Status::invalid_argument,
                "EstimatorState: memory is " + std::to_string(memory) + ", expected a number in (0, 1]");
  products_ = squares_ = dispersion_sum_ = rest_sum_ = RowMatrix::Zero(slots, outputs);
  moments_ = RowMatrix::Zero(slots, 3);
  batch_ = Eigen::VectorXd::Zero(4);
}

Eigen::VectorXd EstimatorState::curvature(Eigen::Index slot) const {
  Eigen::VectorXd b(outputs());
  for (Eigen::Index j = 0; j < outputs(); ++j)
    b[j] = squares_(slot, j) > 0.0 ? products_(slot, j) / squares_(slot, j) : 0.0;
  return b;
}

double EstimatorState::shrinkage(ShrinkageLevel level, Eigen::Index slot) const {
  double signal, variance, covariance;
  if (level == ShrinkageLevel::batch) {
    const double count = batch_[calls];
    if (!(count > 0.0)) return 1.0;
    variance = batch_[batch_variance] / count;
    covariance = batch_[batch_covariance] / count;
    signal = batch_[batch_squares] / count - variance;
  } else {
    const double count = moments_(slot, observations);
    if (!(count > 1.5)) return 1.0;
    const double mean_square = dispersion_sum_.row(slot).squaredNorm() / (count * count);
    const double mean_product = dispersion_sum_.row(slot).dot(rest_sum_.row(slot)) / (count * count);
    variance = std::max(0.0, moments_(slot, Moment::squares) / count - mean_square) * count / (count - 1.0);
    covariance = (moments_(slot, Moment::products) / count - mean_product) * count / (count - 1.0);
    signal = mean_square - variance / count;
  }
  signal = std::max(signal, 0.0);
  if (!(signal + variance > 0.0)) return 1.0;
  return std::clamp((signal - covariance) / (signal + variance), 0.0, 1.0);
}

namespace {

struct Request {
  const DrawLoss& loss;
  const EstimatorOptions& options;
  const EstimatorState* state;
  bool blackwell, stratified, controlled;
};

/// The gradient of one sample; what it leaves for the state goes to `record` unless null.
template <class Kernel>
Status estimate_sample(Kernel& kernel, const Request& request, Eigen::Index s, std::uint64_t id, Eigen::Index slot,
                       const double* mean, const double* deviation, double& value, double* mean_bar,
                       double* deviation_bar, Record* record) {
  const Estimator estimator = request.options.estimator;
  const std::size_t n = kernel.outputs(), draws = static_cast<std::size_t>(request.options.draws);
  const double share = 1.0 / static_cast<double>(draws);
  std::vector<double> e(draws * n), y(draws * n), g(draws * n), f(draws), m(n), a_lambda(n), b(n, 0.0), zero(n, 0.0);
  std::vector<double> z(n), p(n), added_back(n, 0.0), unused(n);
  std::vector<std::size_t> stratum;
  kernel.move_onto_laws(mean, m.data());
  for (std::size_t j = 0; j < n; ++j) a_lambda[j] = kernel.A_lambda(j);
  detail::draw_normals({request.options.seed, request.options.stream}, request.options.step, id, draws, n,
                       request.stratified, e.data(), stratum);
  if (request.controlled || estimator == Estimator::score_function) kernel.set_leverages();
  if (estimator == Estimator::score_function) kernel.variances(kernel.marginal_variance.data());
  if (request.controlled) {
    const Eigen::VectorXd curvature = request.state->curvature(slot);
    for (std::size_t j = 0; j < n; ++j) b[j] = curvature[static_cast<Eigen::Index>(j)];
    kernel.moments_adjoint(deviation, zero.data(), b.data(), unused.data(), added_back.data());
    for (std::size_t j = 0; j < n; ++j) added_back[j] *= 0.5;  // s_j sum_i P_ij^2 b_i
  }
  const double c = estimator == Estimator::rao_blackwell_shrunk
                       ? request.state->shrinkage(request.options.level, slot)
                       : 1.0;
  double sum_f = 0.0;
  for (std::size_t j = 0; j < n; ++j) mean_bar[j] = deviation_bar[j] = 0.0;
  RowMatrix dispersion, rest;
  if (record != nullptr) {
    record->products = record->squares = record->dispersion = record->rest =
        Eigen::VectorXd::Zero(static_cast<Eigen::Index>(n));
    dispersion.resize(static_cast<Eigen::Index>(draws), static_cast<Eigen::Index>(n));
    rest.resize(static_cast<Eigen::Index>(draws), static_cast<Eigen::Index>(n));
  }
  for (std::size_t k = 0; k < draws; ++k) {
    const double* e_k = e.data() + k * n;
    double* y_k = y.data() + k * n;
    double* g_k = g.data() + k * n;
    for (std::size_t j = 0; j < n; ++j) z[j] = mean[j] + deviation[j] * e_k[j];
    kernel.move_onto_laws(z.data(), y_k);
    f[k] = request.loss(s, y_k, g_k);
    if (!std::isfinite(f[k])) return Status::non_finite;
    for (std::size_t j = 0; j < n; ++j)
      if (!std::isfinite(g_k[j])) return Status::non_finite;
    sum_f += f[k];
    if (estimator == Estimator::score_function) continue;
    if (estimator == Estimator::pathwise) kernel.set_lambda(z.data());
    if (request.controlled) {
      for (std::size_t j = 0; j < n; ++j) z[j] = g_k[j] - b[j] * (y_k[j] - m[j]);
      kernel.project_adjoint(z.data(), p.data());
    } else {
      kernel.project_adjoint(g_k, p.data());
    }
    for (std::size_t j = 0; j < n; ++j) {
      mean_bar[j] += share * p[j];
      if (estimator == Estimator::pathwise) {
        deviation_bar[j] += share * p[j] * (e_k[j] - 2.0 * deviation[j] * kernel.A_lambda(j));
        continue;
      }
      const double of_mean = -2.0 * deviation[j] * a_lambda[j] * p[j];
      const double spread =
          request.blackwell && deviation[j] > 0.0 ? (y_k[j] - m[j]) / deviation[j] * p[j] + added_back[j] : 0.0;
      deviation_bar[j] += share * (of_mean + c * spread);
      if (record == nullptr) continue;
      const auto column = static_cast<Eigen::Index>(j);
      const double from_mean = y_k[j] - m[j];
      record->products[column] += g_k[j] * from_mean;
      record->squares[column] += from_mean * from_mean;
      dispersion(static_cast<Eigen::Index>(k), column) = deviation[j] * spread;
      rest(static_cast<Eigen::Index>(k), column) = deviation[j] * of_mean;
      record->dispersion[column] += share * deviation[j] * spread;
      record->rest[column] += share * deviation[j] * of_mean;
    }
  }
  value = share * sum_f;
  if (estimator == Estimator::score_function) {
    for (std::size_t k = 0; k < draws; ++k) {
      const double others = draws > 1 ? (sum_f - f[k]) / static_cast<double>(draws - 1) : 0.0;
      const double weight = share * (f[k] - others);
      for (std::size_t j = 0; j < n; ++j) {
        const double variance = deviation[j] * deviation[j], q = (y[k * n + j] - m[j]) / variance;
        mean_bar[j] += weight * q;
        deviation_bar[j] += weight * (deviation[j] * q * (q - 2.0 * a_lambda[j]) -
                                      kernel.marginal_variance[j] / (variance * deviation[j]));
      }
    }
  }
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(mean_bar[j]) || !std::isfinite(deviation_bar[j])) return Status::non_finite;
  if (record != nullptr && draws > 1) {
    for (Eigen::Index k = 0; k < dispersion.rows(); ++k)
      for (Eigen::Index j = 0; j < dispersion.cols(); ++j) {
        const double of_dispersion = dispersion(k, j) - record->dispersion[j];
        record->variance += of_dispersion * of_dispersion;
        record->covariance += of_dispersion * (rest(k, j) - record->rest[j]);
      }
    record->variance *= share / static_cast<double>(draws - 1);
    record->covariance *= share / static_cast<double>(draws - 1);
  }
  return Status::ok;
}

}  // namespace

EstimatedGradient estimate_gradient(const RowMatrix& A, const Batch& mean, const Batch& standard_deviation,
                                    const Batch& d, const DrawLoss& loss, const EstimatorOptions& estimator,
                                    EstimatorState* state, const BatchOptions& options) {
  const std::string name = "estimate_gradient";
  const detail::LawBatch laws = detail::laws_of_batch(name.c_str(), A, mean, standard_deviation, d);
  const Eigen::Index samples = mean.rows(), outputs = A.cols();
  if (estimator.estimator == Estimator::exact)
    throw Error(Status::unsupported, name + ": 'exact' is for losses with a closed form (exact_losses.hpp, "
                                            "training_losses.hpp), not for a loss known by its draws");
  if (estimator.draws < 1)
    throw Error(Status::invalid_argument, name + ": draws is " + std::to_string(estimator.draws) + ", expected 1 or more");
  if (!loss) throw Error(Status::invalid_argument, name + ": expected a loss, found an empty function");
  if (!estimator.sample_ids.empty())
    detail::require_shape(name.c_str(), "sample_ids", static_cast<Eigen::Index>(estimator.sample_ids.size()), 1, samples,
                          1);
  const bool shrunk = estimator.estimator == Estimator::rao_blackwell_shrunk;
  const bool blackwell = shrunk || estimator.estimator == Estimator::rao_blackwell;
  if (shrunk && state == nullptr)
    throw Error(Status::invalid_argument, name + ": rao_blackwell_shrunk needs a state that carries what past draws say");
  if (shrunk && estimator.level == ShrinkageLevel::sample && state->slots() == 1 && samples > 1)
    throw Error(Status::invalid_argument, name + ": shrinkage of each sample needs a slot a sample; the state has 1");
  const auto id_of = [&](Eigen::Index s) {
    return estimator.sample_ids.empty() ? static_cast<std::uint64_t>(s)
                                        : estimator.sample_ids[static_cast<std::size_t>(s)];
  };
  if (state != nullptr) {
    detail::require_shape(name.c_str(), "state", 1, state->outputs(), 1, outputs);
    for (Eigen::Index s = 0; s < samples && state->slots() > 1; ++s)
      if (id_of(s) >= static_cast<std::uint64_t>(state->slots()))
        throw Error(Status::invalid_argument, name + ": sample " + std::to_string(s) + " has the id " +
                                                  std::to_string(id_of(s)) + ", the state has " +
                                                  std::to_string(state->slots()) + " slots");
  }
  const auto slot_of = [&](Eigen::Index s) {
    return state == nullptr || state->slots() == 1 ? Eigen::Index{0} : static_cast<Eigen::Index>(id_of(s));
  };
  const bool recorded = state != nullptr && blackwell;
  const Request request{loss, estimator, state, blackwell, blackwell && estimator.draws > 1,
                        recorded && estimator.draws > 1};
  EstimatedGradient result{Eigen::VectorXd(samples),
                           {RowMatrix(samples, outputs), RowMatrix(samples, outputs)},
                           std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
  std::vector<Record> records(recorded ? static_cast<std::size_t>(samples) : 0);
  std::mutex mutex;
  std::exception_ptr thrown;
  Eigen::Index thrown_by = samples;
  detail::for_each_kernel(laws, samples, options, [&](auto& kernel, Eigen::Index s) {
    Status status = kernel.set(row(mean, s), row(standard_deviation, s), row(d, s));
    if (status == Status::ok && estimator.estimator == Estimator::score_function)
      for (Eigen::Index j = 0; j < outputs; ++j)
        if (!(standard_deviation(s, j) > 0.0)) status = Status::invalid_argument;
    if (status == Status::ok) {
      try {
        status = estimate_sample(kernel, request, s, id_of(s), slot_of(s), row(mean, s), row(standard_deviation, s),
                                 result.value[s], row(result.gradient.mean, s),
                                 row(result.gradient.standard_deviation, s),
                                 recorded ? &records[static_cast<std::size_t>(s)] : nullptr);
      } catch (...) {  // must not leave a parallel region
        const std::lock_guard<std::mutex> lock(mutex);
        if (s < thrown_by) {
          thrown = std::current_exception();
          thrown_by = s;
        }
        status = Status::internal;
      }
    }
    result.status[static_cast<std::size_t>(s)] = status;
    if (status == Status::ok) return;
    result.value[s] = detail::not_a_number;
    detail::set_nan(result.gradient.mean, s);
    detail::set_nan(result.gradient.standard_deviation, s);
  });
  if (thrown) std::rethrow_exception(thrown);
  if (!recorded) return result;
  std::vector<char> touched(static_cast<std::size_t>(state->slots()), 0);
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(outputs);
  double count = 0.0, variance = 0.0, covariance = 0.0;
  for (Eigen::Index s = 0; s < samples; ++s) {  // in the samples' order: the sums depend on it
    if (result.status[static_cast<std::size_t>(s)] != Status::ok) continue;
    const Record& record = records[static_cast<std::size_t>(s)];
    const Eigen::Index slot = slot_of(s);
    if (!touched[static_cast<std::size_t>(slot)]) EstimatorAccess::forget(*state, slot);
    touched[static_cast<std::size_t>(slot)] = 1;
    EstimatorAccess::add(*state, slot, record);
    sum += record.dispersion;
    count += 1.0;
    variance += record.variance;
    covariance += record.covariance;
  }
  if (estimator.draws > 1 && count > 0.0) EstimatorAccess::add_batch(*state, count, sum, variance, covariance);
  return result;
}

}  // namespace lavoisier
