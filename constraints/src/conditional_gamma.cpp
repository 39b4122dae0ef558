#include <lavoisier/conditional_gamma.hpp>

#include "special_functions.hpp"
#include "sum_groups.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/tolerances.hpp>

namespace lavoisier {

namespace {

using detail::Failure;
using detail::row;
using detail::set_nan;
using detail::SumGroups;
using detail::text;
using Batch = Eigen::Ref<const RowMatrix>;

/// Outputs of one row that share a total: sum |w_j| y_j = total, total = offset + T in rows of both signs.
struct Side {
  const std::vector<std::size_t>* outputs = nullptr;
  double offset = 0.0;
};

/// One row of one sample, its outputs by sign. A thread owns one.
struct Group {
  std::vector<std::size_t> plus, minus;
  double offset_plus = 0.0, offset_minus = 0.0;  ///< the totals where there is one sign
  bool both_signs = false;
  bool atom = false;  ///< one sign and a right-hand side of 0

  int sides() const noexcept { return both_signs ? 2 : 1; }
  Side side(int which) const noexcept {
    return which == 0 ? Side{&plus, offset_plus} : Side{&minus, offset_minus};
  }

  Failure set(const SumGroups& groups, std::size_t k, double d, const double* slack_location,
              const double* slack_scale) {
    if (!std::isfinite(d)) return {Status::non_finite, groups.name(k) + ": its right-hand side is no number"};
    plus.clear();
    minus.clear();
    for (const std::size_t j : groups.members(k)) (groups.weight(j) > 0.0 ? plus : minus).push_back(j);
    both_signs = !plus.empty() && !minus.empty();
    atom = false;
    if (!both_signs) {
      const double total = plus.empty() ? -d : d;
      if (plus.empty()) std::swap(plus, minus);
      if (total < 0.0)
        return {Status::inconsistent_laws,
                groups.name(k) + ": its right-hand side " + text(d) + " has the sign that no positive outputs give"};
      atom = total == 0.0;
      offset_plus = total;
      return {};
    }
    offset_plus = std::max(d, 0.0);
    offset_minus = std::max(-d, 0.0);
    if (slack_location == nullptr)
      return {Status::invalid_argument, groups.name(k) + " has both signs: expected slack_location and slack_scale"};
    if (!std::isfinite(slack_location[k]) || !std::isfinite(slack_scale[k]))
      return {Status::non_finite, groups.name(k) + ": slack_location or slack_scale is no number"};
    if (!(slack_scale[k] > 0.0))
      return {Status::invalid_argument,
              groups.name(k) + ": slack_scale is " + text(slack_scale[k]) + ", expected a positive number"};
    return {};
  }
};

struct Problem {
  const GammaGivenSum& law;
  Eigen::Index samples, outputs, rows;
  bool slack;

  Problem(const char* function, const GammaGivenSum& given)
      : law(given),
        samples(given.concentration.rows()),
        outputs(given.concentration.cols()),
        rows(given.d.cols()),
        slack(given.slack_location.size() != 0 || given.slack_scale.size() != 0) {
    detail::require_shape(function, "d", law.d.rows(), law.d.cols(), samples, rows);
    if (!slack) return;
    detail::require_shape(function, "slack_location", law.slack_location.rows(), law.slack_location.cols(), samples,
                          rows);
    detail::require_shape(function, "slack_scale", law.slack_scale.rows(), law.slack_scale.cols(), samples, rows);
  }

  GammaGradient zero_gradient() const {
    GammaGradient result{RowMatrix::Zero(samples, outputs), {}, {}};
    if (slack) result.slack_location = result.slack_scale = RowMatrix::Zero(samples, rows);
    return result;
  }

  /// Calls body(groups, group, s, k) -> Failure for every row of every sample.
  template <class Body>
  std::vector<Failure> for_each_row(const char* function, const LawOptions& options, double operations,
                                    const Body& body) const {
    return detail::for_each_grouped(
        function, law.A, samples, rows, outputs, SumGroups::Kind::any_sign, options, operations,
        [&](const SumGroups& groups, Eigen::Index s) {
          for (std::size_t j = 0; j < groups.outputs(); ++j) {
            const double a = row(law.concentration, s)[j];
            if (!std::isfinite(a))
              return Failure{Status::non_finite, "concentration of output " + std::to_string(j) + " is no number"};
            if (!(a > 0.0))
              return Failure{Status::invalid_argument, "concentration of output " + std::to_string(j) + " is " +
                                                           text(a) + ", expected a positive number"};
          }
          thread_local Group group;
          for (std::size_t k = 0; k < groups.rows(); ++k) {
            Failure failure =
                group.set(groups, k, row(law.d, s)[k], slack ? row(law.slack_location, s) : nullptr,
                          slack ? row(law.slack_scale, s) : nullptr);
            if (!failure.failed()) failure = body(groups, static_cast<const Group&>(group), s, k);
            if (failure.failed()) return failure;
          }
          return Failure{};
        });
  }
};

void void_rows(const std::vector<Failure>& failures, RowMatrix& matrix) {
  if (matrix.size() == 0) return;
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) set_nan(matrix, static_cast<Eigen::Index>(s));
}
void void_rows(const std::vector<Failure>& failures, GammaGradient& gradient) {
  void_rows(failures, gradient.concentration);
  void_rows(failures, gradient.slack_location);
  void_rows(failures, gradient.slack_scale);
}

/// T of a row and the normal it comes from.
struct Slack {
  double value = 0.0, normal = 0.0;
};
Slack draw_slack(const Problem& problem, const DrawOptions& options, const Group& group, Eigen::Index s,
                 std::size_t k) {
  if (!group.both_signs) return {};
  random::Sequence sequence = detail::sequence(options, s, static_cast<std::uint64_t>(problem.outputs) + k);
  const double e = random::normal(sequence);
  return {elementary::exp(row(problem.law.slack_location, s)[k] + row(problem.law.slack_scale, s)[k] * e), e};
}

/// log gammas of a side into `log_gamma`, its shares into `share`.
Failure draw_shares(const Problem& problem, const DrawOptions& options, const Side& side, Eigen::Index s,
                    double* log_gamma, double* share) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0.0;
  for (const std::size_t j : *side.outputs) {
    random::Sequence sequence = detail::sequence(options, s, j);
    log_gamma[j] = random::log_gamma(sequence, row(problem.law.concentration, s)[j]);
    if (sequence.failed || !std::isfinite(log_gamma[j]))
      return {Status::out_of_range, "concentration of output " + std::to_string(j) + " is " +
                                        text(row(problem.law.concentration, s)[j]) + ": no draw"};
    largest = std::max(largest, log_gamma[j]);
  }
  for (const std::size_t j : *side.outputs) sum += share[j] = elementary::exp(log_gamma[j] - largest);
  for (const std::size_t j : *side.outputs) share[j] /= sum;
  return {};
}

double sum_of_concentrations(const Problem& problem, const Side& side, Eigen::Index s) {
  double sum = 0.0;
  for (const std::size_t j : *side.outputs) sum += row(problem.law.concentration, s)[j];
  return sum;
}

/// E total and E total^2 of a side, and of T alone.
struct TotalMoments {
  double first, second, slack_first, slack_second;
};
TotalMoments total_moments(const Problem& problem, const Group& group, const Side& side, Eigen::Index s,
                           std::size_t k) {
  if (!group.both_signs) return {side.offset, side.offset * side.offset, 0.0, 0.0};
  const double location = row(problem.law.slack_location, s)[k], scale = row(problem.law.slack_scale, s)[k];
  const double first = std::exp(location + 0.5 * scale * scale);
  const double second = std::exp(2.0 * location + 2.0 * scale * scale);
  return {side.offset + first, side.offset * side.offset + 2.0 * side.offset * first + second, first, second};
}

}  // namespace

GammaDraw gamma_given_sum_draw(const GammaGivenSum& law, const DrawOptions& options) {
  const char* function = "gamma_given_sum_draw";
  const Problem problem(function, law);
  detail::require_draw_options(function, options, problem.samples);
  GammaDraw result;
  result.y.resize(problem.samples, problem.outputs);
  RowMatrix logs(problem.samples, problem.outputs);
  const auto failures = problem.for_each_row(
      function, options, 300.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        double* y = row(result.y, s);
        const Slack slack = draw_slack(problem, options, group, s, k);
        for (int which = 0; which < group.sides(); ++which) {
          const Side side = group.side(which);
          const double total = side.offset + slack.value;
          if (!std::isfinite(total)) return Failure{Status::out_of_range, groups.name(k) + ": its total is infinite"};
          if (group.atom) {
            for (const std::size_t j : *side.outputs) y[j] = 0.0;
            continue;
          }
          const Failure failure = draw_shares(problem, options, side, s, row(logs, s), y);
          if (failure.failed()) return failure;
          for (const std::size_t j : *side.outputs) y[j] = total * y[j] / std::abs(groups.weight(j));
        }
        return Failure{};
      });
  void_rows(failures, result.y);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

GammaGradient gamma_given_sum_draw_adjoint(const GammaGivenSum& law, const Batch& y_bar, const DrawOptions& options) {
  const char* function = "gamma_given_sum_draw_adjoint";
  const Problem problem(function, law);
  detail::require_draw_options(function, options, problem.samples);
  detail::require_shape(function, "y_bar", y_bar.rows(), y_bar.cols(), problem.samples, problem.outputs);
  GammaGradient result = problem.zero_gradient();
  RowMatrix logs(problem.samples, problem.outputs), shares(problem.samples, problem.outputs);
  const auto failures = problem.for_each_row(
      function, options, 3000.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        if (group.atom) return Failure{};
        const Slack slack = draw_slack(problem, options, group, s, k);
        double slack_bar = 0.0;
        for (int which = 0; which < group.sides(); ++which) {
          const Side side = group.side(which);
          const double total = side.offset + slack.value;
          double* share = row(shares, s);
          const Failure failure = draw_shares(problem, options, side, s, row(logs, s), share);
          if (failure.failed()) return failure;
          const auto share_bar = [&](std::size_t j) { return row(y_bar, s)[j] / std::abs(groups.weight(j)); };
          double average = 0.0;
          for (const std::size_t j : *side.outputs) average += share[j] * share_bar(j);
          slack_bar += average;
          for (const std::size_t j : *side.outputs)
            row(result.concentration, s)[j] =
                total * share[j] * (share_bar(j) - average) *
                detail::log_gamma_shape_derivative(row(law.concentration, s)[j], row(logs, s)[j]);
        }
        if (group.both_signs) {
          row(result.slack_location, s)[k] = slack_bar * slack.value;
          row(result.slack_scale, s)[k] = slack_bar * slack.value * slack.normal;
        }
        return Failure{};
      });
  void_rows(failures, result);
  return result;
}

GammaMoments gamma_given_sum_moments(const GammaGivenSum& law, const LawOptions& options) {
  const char* function = "gamma_given_sum_moments";
  const Problem problem(function, law);
  GammaMoments result;
  result.mean.resize(problem.samples, problem.outputs);
  result.variance.resize(problem.samples, problem.outputs);
  const auto failures = problem.for_each_row(
      function, options, 30.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        for (int which = 0; which < group.sides(); ++which) {
          const Side side = group.side(which);
          const double sum = sum_of_concentrations(problem, side, s);
          const TotalMoments total = total_moments(problem, group, side, s, k);
          // E T^2 Var u + Var T (E u)^2: a sum of two terms that are not negative.
          const double spread = total.slack_second - total.slack_first * total.slack_first;
          for (const std::size_t j : *side.outputs) {
            double others = 0.0;
            for (const std::size_t i : *side.outputs)
              if (i != j) others += row(law.concentration, s)[i];
            const double mean = row(law.concentration, s)[j] / sum, w = std::abs(groups.weight(j));
            row(result.mean, s)[j] = total.first * mean / w;
            row(result.variance, s)[j] =
                (total.second * mean * (others / sum) / (sum + 1.0) + spread * mean * mean) / (w * w);
          }
        }
        return Failure{};
      });
  void_rows(failures, result.mean);
  void_rows(failures, result.variance);
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

GammaGradient gamma_given_sum_moments_adjoint(const GammaGivenSum& law, const Batch& mean_bar,
                                              const Batch& variance_bar, const LawOptions& options) {
  const char* function = "gamma_given_sum_moments_adjoint";
  const Problem problem(function, law);
  detail::require_shape(function, "mean_bar", mean_bar.rows(), mean_bar.cols(), problem.samples, problem.outputs);
  detail::require_shape(function, "variance_bar", variance_bar.rows(), variance_bar.cols(), problem.samples,
                        problem.outputs);
  GammaGradient result = problem.zero_gradient();
  const auto failures = problem.for_each_row(
      function, options, 30.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        double first_bar = 0.0, second_bar = 0.0, spread_bar = 0.0;  // of E T, E T^2, Var T of the slack
        for (int which = 0; which < group.sides(); ++which) {
          const Side side = group.side(which);
          const double sum = sum_of_concentrations(problem, side, s);
          const TotalMoments total = total_moments(problem, group, side, s, k);
          const double spread = total.slack_second - total.slack_first * total.slack_first;
          double average = 0.0, sum_bar = 0.0;
          for (const int pass : {0, 1})
            for (const std::size_t j : *side.outputs) {
              const double w = std::abs(groups.weight(j)), mean = row(law.concentration, s)[j] / sum;
              const double m = row(mean_bar, s)[j] / w, v = row(variance_bar, s)[j] / (w * w);
              const double mean_of_share_bar =
                  total.first * m + v * (total.second * (1.0 - 2.0 * mean) / (sum + 1.0) + 2.0 * spread * mean);
              if (pass == 0) {
                average += mean * mean_of_share_bar;
                sum_bar -= v * total.second * mean * (1.0 - mean) / ((sum + 1.0) * (sum + 1.0));
                first_bar += m * mean + v * mean * (1.0 - mean) / (sum + 1.0) * 2.0 * side.offset;
                second_bar += v * mean * (1.0 - mean) / (sum + 1.0);
                spread_bar += v * mean * mean;
              } else {
                row(result.concentration, s)[j] = (mean_of_share_bar - average) / sum + sum_bar;
              }
            }
        }
        if (group.both_signs) {
          const TotalMoments total = total_moments(problem, group, group.side(0), s, k);
          const double f = first_bar - 2.0 * total.slack_first * spread_bar, g = second_bar + spread_bar;
          const double scale = row(law.slack_scale, s)[k];
          row(result.slack_location, s)[k] = f * total.slack_first + 2.0 * g * total.slack_second;
          row(result.slack_scale, s)[k] = scale * (f * total.slack_first + 4.0 * g * total.slack_second);
        }
        return Failure{};
      });
  void_rows(failures, result);
  return result;
}

GammaLogDensity gamma_given_sum_log_density(const GammaGivenSum& law, const Batch& y, DensityMeasure measure,
                                            bool with_gradient, const LawOptions& options) {
  const char* function = "gamma_given_sum_log_density";
  const Problem problem(function, law);
  detail::require_shape(function, "y", y.rows(), y.cols(), problem.samples, problem.outputs);
  GammaLogDensity result;
  result.value = Eigen::VectorXd::Zero(problem.samples);
  GammaGradient gradient = problem.zero_gradient();
  const auto failures = problem.for_each_row(
      function, options, 200.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        const double* at = row(y, s);
        double total[2] = {0.0, 0.0};
        for (int which = 0; which < group.sides(); ++which)
          for (const std::size_t j : *group.side(which).outputs) {
            if (!std::isfinite(at[j]))
              return Failure{Status::non_finite, "output " + std::to_string(j) + " is no number"};
            if (at[j] < 0.0)
              return Failure{Status::law_violated,
                             "output " + std::to_string(j) + " is " + text(at[j]) + ", expected a positive number"};
            if (at[j] == 0.0 && !group.atom)
              return Failure{Status::out_of_range, "output " + std::to_string(j) + " is 0: expected a positive number"};
            total[which] += std::abs(groups.weight(j)) * at[j];
          }
        const double d = group.offset_plus - (group.both_signs ? group.offset_minus : 0.0);
        const double residual = total[0] - total[1] - d;
        if (relative_residual(residual, total[0] + total[1] + std::abs(d)) > tolerances::identity::relative_fp32)
          return Failure{Status::law_violated, groups.name(k) + ": its residual is " + text(residual)};
        if (group.atom) return Failure{};
        double value = 0.0, squares = 0.0;
        if (group.both_signs) {
          // T is the smaller total: nothing cancels.
          const double slack = d >= 0.0 ? total[1] : total[0];
          const double scale = row(law.slack_scale, s)[k];
          const double z = (std::log(slack) - row(law.slack_location, s)[k]) / scale;
          value += -0.5 * detail::log_two_pi - std::log(scale) - std::log(slack) - 0.5 * z * z;
          row(gradient.slack_location, s)[k] = z / scale;
          row(gradient.slack_scale, s)[k] = (z * z - 1.0) / scale;
        }
        for (int which = 0; which < group.sides(); ++which) {
          const Side side = group.side(which);
          const double sum = sum_of_concentrations(problem, side, s);
          const double psi = detail::digamma(sum), log_total = std::log(total[which]);
          value += detail::log_gamma_function(sum) - (static_cast<double>(side.outputs->size()) - 1.0) * log_total;
          for (const std::size_t j : *side.outputs) {
            const double a = row(law.concentration, s)[j], w = std::abs(groups.weight(j));
            const double log_share = std::log(w) + std::log(at[j]) - log_total;
            value += (a - 1.0) * log_share - detail::log_gamma_function(a) + std::log(w);
            row(gradient.concentration, s)[j] = log_share - detail::digamma(a) + psi;
            squares += w * w;
          }
        }
        value -= measure == DensityMeasure::surface ? 0.5 * std::log(squares)
                                                    : std::log(std::abs(groups.weight(groups.members(k).back())));
        result.value[s] += value;
        return Failure{};
      });
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) result.value[static_cast<Eigen::Index>(s)] = detail::not_a_number;
  if (with_gradient) {
    void_rows(failures, gradient);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

GammaLogDensity gamma_given_sum_entropy(const GammaGivenSum& law, bool with_gradient, const LawOptions& options) {
  const char* function = "gamma_given_sum_entropy";
  const Problem problem(function, law);
  GammaLogDensity result;
  result.value = Eigen::VectorXd::Zero(problem.samples);
  GammaGradient gradient = problem.zero_gradient();
  const auto failures = problem.for_each_row(
      function, options, 100.0, [&](const SumGroups& groups, const Group& group, Eigen::Index s, std::size_t k) {
        if (group.both_signs)
          return Failure{Status::unsupported, groups.name(k) + " has both signs: its entropy has no closed form"};
        if (group.atom) return Failure{};
        const Side side = group.side(0);
        const double sum = sum_of_concentrations(problem, side, s), free = static_cast<double>(side.outputs->size());
        double value = -detail::log_gamma_function(sum) + (sum - free) * detail::digamma(sum) +
                       (free - 1.0) * std::log(side.offset);
        double squares = 0.0;
        for (const std::size_t j : *side.outputs) {
          const double a = row(law.concentration, s)[j], w = std::abs(groups.weight(j));
          value += detail::log_gamma_function(a) - (a - 1.0) * detail::digamma(a) - std::log(w);
          squares += w * w;
          row(gradient.concentration, s)[j] =
              (sum - free) * detail::trigamma(sum) - (a - 1.0) * detail::trigamma(a);
        }
        result.value[s] += value + 0.5 * std::log(squares);
        return Failure{};
      });
  for (std::size_t s = 0; s < failures.size(); ++s)
    if (failures[s].failed()) result.value[static_cast<Eigen::Index>(s)] = detail::not_a_number;
  if (with_gradient) {
    void_rows(failures, gradient);
    result.gradient = std::move(gradient);
  }
  result.status = detail::statuses(failures);
  result.message = detail::first_failure(failures);
  return result;
}

}  // namespace lavoisier
