#include <lavoisier/conditional_counts.hpp>

#include "special_functions.hpp"
#include "sum_groups.hpp"

#include <lavoisier/elementary.hpp>

namespace lavoisier {

namespace {

using detail::Failure;
using detail::row;
using detail::set_nan;
using detail::SumGroups;
using detail::text;
using Batch = Eigen::Ref<const RowMatrix>;

constexpr double largest_count = 0x1.0p53;

/// K of a group. d_k / w may be off a whole number by the rounding of d and w.
Failure total(const SumGroups& groups, std::size_t k, double d, double& count) {
  if (!std::isfinite(d)) return {Status::non_finite, groups.name(k) + ": its right-hand side is no number"};
  const double ratio = d / groups.weight(groups.members(k)[0]);
  count = std::nearbyint(ratio);
  const auto failure = [&](Status status, const char* expected) {
    return Failure{status, groups.name(k) + ": its right-hand side " + text(d) + " is " + text(ratio) +
                               " weights, expected " + expected};
  };
  if (std::abs(ratio - count) > 8.0 * 2.220446049250313e-16 * std::abs(ratio))
    return failure(Status::invalid_argument, "a whole number");
  if (ratio < 0.0) return failure(Status::inconsistent_laws, "0 or more");
  if (ratio > largest_count) return failure(Status::out_of_range, "2^53 or fewer");
  return {};
}

Failure check(const SumGroups& groups, const double* log_rate) {
  for (std::size_t j = 0; j < groups.outputs(); ++j)
    if (!std::isfinite(log_rate[j]))
      return {Status::non_finite, "log_rate of output " + std::to_string(j) + " is no number"};
  return {};
}

/// pi of a group, into the outputs' places; `tail`: sums from each output to the group's last, unless null.
void proportions(const SumGroups& groups, std::size_t k, const double* log_rate, double* pi, double* tail) {
  const auto& group = groups.members(k);
  double largest = log_rate[group[0]];
  for (const std::size_t j : group) largest = std::max(largest, log_rate[j]);
  double sum = 0.0;
  for (std::size_t i = group.size(); i-- > 0;) {
    pi[group[i]] = elementary::exp(log_rate[group[i]] - largest);
    sum += pi[group[i]];
    if (tail != nullptr) tail[group[i]] = sum;
  }
  if (tail != nullptr) return;
  for (const std::size_t j : group) pi[j] /= sum;
}

void require_rates(const char* function, const Batch& log_rate, const Batch& d) {
  detail::require_shape(function, "d", d.rows(), d.cols(), log_rate.rows(), d.cols());
}

template <class Body>
std::vector<Failure> for_each(const char* function, const RowMatrix& A, const Batch& log_rate, const Batch& d,
                              const LawOptions& options, double operations, const Body& body) {
  require_rates(function, log_rate, d);
  return detail::for_each_grouped(function, A, log_rate.rows(), d.cols(), log_rate.cols(), SumGroups::Kind::one_weight,
                                  options, operations, [&](const SumGroups& groups, Eigen::Index s) {
                                    const Failure failure = check(groups, row(log_rate, s));
                                    return failure.failed() ? failure : body(groups, s);
                                  });
}

/// NaN where a sample failed.
void void_rows(const std::vector<Failure>& failures, RowMatrix& matrix) {
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) set_nan(matrix, static_cast<Eigen::Index>(s));
}

}  // namespace

CountDraw poisson_given_sum_draw(const RowMatrix& A, const Batch& log_rate, const Batch& d,
                                 const DrawOptions& options) {
  const char* function = "poisson_given_sum_draw";
  detail::require_draw_options(function, options, log_rate.rows());
  CountDraw result;
  result.y.resize(log_rate.rows(), log_rate.cols());
  RowMatrix tails(log_rate.rows(), log_rate.cols());
  const auto failures = for_each(function, A, log_rate, d, options, 300.0, [&](const SumGroups& groups, Eigen::Index s) {
    double* y = row(result.y, s);
    double* tail = row(tails, s);
    for (std::size_t k = 0; k < groups.rows(); ++k) {
      double count = 0.0;
      const Failure failure = total(groups, k, d(s, static_cast<Eigen::Index>(k)), count);
      if (failure.failed()) return failure;
      proportions(groups, k, row(log_rate, s), y, tail);
      std::uint64_t left = static_cast<std::uint64_t>(count);
      const auto& group = groups.members(k);
      for (std::size_t i = 0; i < group.size(); ++i) {
        const std::size_t j = group[i];
        std::uint64_t drawn = left;
        if (i + 1 < group.size()) {
          random::Sequence sequence = detail::sequence(options, s, j);
          drawn = random::binomial(sequence, left, y[j] / tail[j]);
          if (sequence.failed)
            return Failure{Status::out_of_range, "output " + std::to_string(j) + " needs more than 65536 blocks"};
        }
        y[j] = static_cast<double>(drawn);
        left -= drawn;
      }
    }
    return Failure{};
  });
  void_rows(failures, result.y);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

CountMoments poisson_given_sum_moments(const RowMatrix& A, const Batch& log_rate, const Batch& d,
                                       const LawOptions& options) {
  CountMoments result;
  result.mean.resize(log_rate.rows(), log_rate.cols());
  result.variance.resize(log_rate.rows(), log_rate.cols());
  const auto failures = for_each("poisson_given_sum_moments", A, log_rate, d, options, 30.0,
                                 [&](const SumGroups& groups, Eigen::Index s) {
    double* mean = row(result.mean, s);
    double* variance = row(result.variance, s);
    for (std::size_t k = 0; k < groups.rows(); ++k) {
      double count = 0.0;
      const Failure failure = total(groups, k, d(s, static_cast<Eigen::Index>(k)), count);
      if (failure.failed()) return failure;
      proportions(groups, k, row(log_rate, s), mean, nullptr);
      for (const std::size_t j : groups.members(k)) {
        // 1 - pi as the sum of the others: nothing cancels where one output takes nearly all.
        double others = 0.0;
        for (const std::size_t i : groups.members(k))
          if (i != j) others += mean[i];
        variance[j] = count * mean[j] * others;
      }
      for (const std::size_t j : groups.members(k)) mean[j] *= count;
    }
    return Failure{};
  });
  void_rows(failures, result.mean);
  void_rows(failures, result.variance);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

RowMatrix poisson_given_sum_moments_adjoint(const RowMatrix& A, const Batch& log_rate, const Batch& d,
                                            const Batch& mean_bar, const Batch& variance_bar,
                                            const LawOptions& options) {
  const char* function = "poisson_given_sum_moments_adjoint";
  detail::require_shape(function, "mean_bar", mean_bar.rows(), mean_bar.cols(), log_rate.rows(), log_rate.cols());
  detail::require_shape(function, "variance_bar", variance_bar.rows(), variance_bar.cols(), log_rate.rows(),
                        log_rate.cols());
  RowMatrix result(log_rate.rows(), log_rate.cols()), proportion(log_rate.rows(), log_rate.cols());
  const auto failures = for_each(function, A, log_rate, d, options, 30.0, [&](const SumGroups& groups, Eigen::Index s) {
    double* pi = row(proportion, s);
    for (std::size_t k = 0; k < groups.rows(); ++k) {
      double count = 0.0;
      const Failure failure = total(groups, k, d(s, static_cast<Eigen::Index>(k)), count);
      if (failure.failed()) return failure;
      proportions(groups, k, row(log_rate, s), pi, nullptr);
      const auto pi_bar = [&](std::size_t j) {
        return count * (row(mean_bar, s)[j] + row(variance_bar, s)[j] * (1.0 - 2.0 * pi[j]));
      };
      double average = 0.0;
      for (const std::size_t j : groups.members(k)) average += pi[j] * pi_bar(j);
      for (const std::size_t j : groups.members(k)) row(result, s)[j] = pi[j] * (pi_bar(j) - average);
    }
    return Failure{};
  });
  void_rows(failures, result);
  return result;
}

CountLogDensity poisson_given_sum_log_density(const RowMatrix& A, const Batch& log_rate, const Batch& d, const Batch& y,
                                              bool with_gradient, const LawOptions& options) {
  const char* function = "poisson_given_sum_log_density";
  detail::require_shape(function, "y", y.rows(), y.cols(), log_rate.rows(), log_rate.cols());
  CountLogDensity result;
  result.value.resize(log_rate.rows());
  RowMatrix proportion(log_rate.rows(), log_rate.cols());
  const auto failures = for_each(function, A, log_rate, d, options, 100.0, [&](const SumGroups& groups, Eigen::Index s) {
    double* pi = row(proportion, s);
    const double* rate = row(log_rate, s);
    double value = 0.0;
    for (std::size_t k = 0; k < groups.rows(); ++k) {
      double count = 0.0;
      const Failure failure = total(groups, k, d(s, static_cast<Eigen::Index>(k)), count);
      if (failure.failed()) return failure;
      double seen = 0.0, largest = rate[groups.members(k)[0]], sum = 0.0;
      for (const std::size_t j : groups.members(k)) {
        const double y_j = row(y, s)[j];
        if (!(y_j >= 0.0 && y_j <= largest_count) || y_j != std::nearbyint(y_j))
          return Failure{std::isfinite(y_j) ? Status::invalid_argument : Status::non_finite,
                         "output " + std::to_string(j) + " is " + text(y_j) + ", expected a count"};
        seen += y_j;
        largest = std::max(largest, rate[j]);
      }
      if (seen != count)
        return Failure{Status::law_violated,
                       groups.name(k) + ": its counts add to " + text(seen) + ", expected " + text(count)};
      for (const std::size_t j : groups.members(k)) sum += std::exp(rate[j] - largest);
      const double log_sum = largest + std::log(sum);
      value += detail::log_gamma_function(count + 1.0);
      for (const std::size_t j : groups.members(k)) {
        const double y_j = row(y, s)[j];
        value += y_j * (rate[j] - log_sum) - detail::log_gamma_function(y_j + 1.0);
        pi[j] = y_j - count * std::exp(rate[j] - log_sum);
      }
    }
    result.value[s] = value;
    return Failure{};
  });
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) result.value[static_cast<Eigen::Index>(s)] = detail::not_a_number;
  if (with_gradient) {
    void_rows(failures, proportion);
    result.gradient = std::move(proportion);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

CountLogDensity poisson_log_density(const Batch& log_rate, const Batch& y, bool with_gradient,
                                    const LawOptions& options) {
  detail::require_shape("poisson_log_density", "y", y.rows(), y.cols(), log_rate.rows(), log_rate.cols());
  CountLogDensity result;
  result.value = Eigen::VectorXd::Zero(y.rows());
  RowMatrix gradient(y.rows(), y.cols());
  std::vector<Failure> failures(static_cast<std::size_t>(y.rows()));
  const int threads = detail::thread_count(options, y.rows(), 60.0 * static_cast<double>(y.cols()));
  detail::for_each_sample(y.rows(), threads, [&](Eigen::Index s, int) {
    Failure& failure = failures[static_cast<std::size_t>(s)];
    for (Eigen::Index j = 0; j < y.cols() && !failure.failed(); ++j) {
      const double count = y(s, j), rate = std::exp(log_rate(s, j));
      if (!std::isfinite(rate))
        failure = {Status::non_finite, "log_rate of output " + std::to_string(j) + " has no finite rate"};
      else if (!(count >= 0.0 && count <= largest_count) || count != std::nearbyint(count))
        failure = {std::isfinite(count) ? Status::invalid_argument : Status::non_finite,
                   "output " + std::to_string(j) + " is " + text(count) + ", expected a count"};
      else
        result.value[s] += count * log_rate(s, j) - rate - detail::log_gamma_function(count + 1.0);
      gradient(s, j) = count - rate;
    }
    if (failure.failed()) result.value[s] = detail::not_a_number;
  });
  if (with_gradient) {
    void_rows(failures, gradient);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

RowMatrix poisson_given_sum_score_function(const RowMatrix& A, const Batch& log_rate, const Batch& d,
                                           const Batch& draws, const Batch& loss, const LawOptions& options) {
  const char* function = "poisson_given_sum_score_function";
  detail::require_shape(function, "loss", loss.rows(), loss.cols(), log_rate.rows(), loss.cols());
  detail::require_shape(function, "draws", draws.rows(), draws.cols(), loss.rows() * loss.cols(), log_rate.cols());
  if (loss.cols() < 2)
    throw Error(Status::invalid_argument, std::string(function) + ": " + std::to_string(loss.cols()) +
                                              " draws a sample, expected 2 or more (each is the others' baseline)");
  // Sum over draws of (f_k - mean of the others) (y_k - K pi): the baselines take K pi out.
  RowMatrix result = RowMatrix::Zero(log_rate.rows(), log_rate.cols());
  const double count = static_cast<double>(loss.cols());
  const auto failures = for_each(function, A, log_rate, d, options, 4.0 * count, [&](const SumGroups&, Eigen::Index s) {
    double average = 0.0;
    for (Eigen::Index q = 0; q < loss.cols(); ++q) average += loss(s, q) / count;
    for (Eigen::Index q = 0; q < loss.cols(); ++q) {
      const double weight = (loss(s, q) - average) / (count - 1.0);
      for (Eigen::Index j = 0; j < draws.cols(); ++j) result(s, j) += weight * draws(s * loss.cols() + q, j);
    }
    return Failure{};
  });
  void_rows(failures, result);
  return result;
}

void poisson_given_sum_pathwise() {
  throw Error(Status::unsupported,
              "pathwise: poisson_given_sum has no pathwise gradient (counts are constant in the rates almost "
              "everywhere): use exact (likelihood, squared error) or score_function");
}

}  // namespace lavoisier
