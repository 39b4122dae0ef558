#include "scores.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace lavoisier::cli {

EnsembleCrps ensemble_crps(std::span<const double> sorted, double y) {
  const auto m = static_cast<double>(sorted.size());
  double error = 0.0, pairs = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    error += std::abs(sorted[i] - y);
    // sum over i < j of x_j - x_i = sum of (2 i - M + 1) x_i; differences from y keep it free of cancellation.
    pairs += (2.0 * static_cast<double>(i) - m + 1.0) * (sorted[i] - y);
  }
  EnsembleCrps result;
  result.plain = error / m - pairs / (m * m);
  result.fair = sorted.size() > 1 ? error / m - pairs / (m * (m - 1.0)) : error / m;
  return result;
}

double energy_score(std::span<const double> members, std::span<const double> y, std::span<const double> scale) {
  const std::size_t n = y.size();
  const std::size_t m = members.size() / n;
  const auto distance = [&](const double* a, const double* b) {
    double sum = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
      const double difference = (a[k] - b[k]) / scale[k];
      sum += difference * difference;
    }
    return std::sqrt(sum);
  };
  double error = 0.0;
  for (std::size_t i = 0; i < m; ++i) error += distance(&members[i * n], y.data());
  error /= static_cast<double>(m);
  if (m < 2) return error;
  double spread = 0.0, count = 0.0;
  if (m <= 128) {
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = i + 1; j < m; ++j) spread += distance(&members[i * n], &members[j * n]);
    }
    count = 0.5 * static_cast<double>(m) * static_cast<double>(m - 1);
  } else {
    for (std::size_t lag = 1; lag <= 64; ++lag) {
      for (std::size_t i = 0; i < m; ++i) spread += distance(&members[i * n], &members[(i + lag) % m * n]);
    }
    count = 64.0 * static_cast<double>(m);
  }
  return error - 0.5 * spread / count;
}

Rank rank_of(std::span<const double> sorted, double y) {
  const auto low = std::lower_bound(sorted.begin(), sorted.end(), y);
  const auto high = std::upper_bound(low, sorted.end(), y);
  return {low - sorted.begin(), high - low};
}

double randomised_pit(const Rank& rank, std::int64_t members, double v) {
  return (static_cast<double>(rank.below) + v * static_cast<double>(rank.equal + 1)) / static_cast<double>(members + 1);
}

MemberScore score_of_members(std::span<double> members, double y) {
  const auto size = static_cast<double>(members.size()), count = size + 1.0;
  double mean = 0.0;
  for (const double member : members) mean += member / size;
  std::sort(members.begin(), members.end());
  const Rank rank = rank_of(members, y);
  const double low = static_cast<double>(rank.below), high = low + static_cast<double>(rank.equal) + 1.0;
  return {mean - y, ensemble_crps(members, y).fair,
          std::max(0.0, std::min(high, 0.95 * count) - std::max(low, 0.05 * count)) / (high - low)};
}

double quantile(std::span<const double> sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

Wasserstein::Wasserstein(double low, double high, std::size_t bins)
    : low_(low), high_(high), width_((high - low) / static_cast<double>(bins)), first_(bins, 0), second_(bins, 0) {}

void Wasserstein::add(std::vector<std::int64_t>& counts, std::int64_t& total, Outside& outside, double x) {
  ++total;
  if (x < low_) {
    outside.below += low_ - x;
    ++counts.front();
  } else if (x >= high_) {
    outside.above += x - high_;
    ++counts.back();
  } else {
    ++counts[std::min(static_cast<std::size_t>((x - low_) / width_), counts.size() - 1)];
  }
}

double Wasserstein::distance() const {
  if (first_total_ == 0 || second_total_ == 0) return std::numeric_limits<double>::quiet_NaN();
  const auto na = static_cast<double>(first_total_), nb = static_cast<double>(second_total_);
  double sum = 0.0, f = 0.0, g = 0.0;
  for (std::size_t i = 0; i < first_.size(); ++i) {
    const double df = static_cast<double>(first_[i]) / na, dg = static_cast<double>(second_[i]) / nb;
    sum += std::abs(f + 0.5 * df - g - 0.5 * dg) * width_;
    f += df;
    g += dg;
  }
  return sum + std::abs(first_outside_.below / na - second_outside_.below / nb) +
         std::abs(first_outside_.above / na - second_outside_.above / nb);
}

double student_t_975(int degrees) {
  static constexpr std::array<double, 30> table = {
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
      2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  if (degrees < 1) return std::numeric_limits<double>::quiet_NaN();
  if (degrees <= 30) return table[static_cast<std::size_t>(degrees - 1)];
  // Cornish and Fisher's expansion of the normal quantile; below 1e-3 off from 30 on.
  const double z = 1.959964, d = degrees;
  return z + (z * z * z + z) / (4 * d) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * d * d);
}

Summary summarize(std::span<const double> values) {
  Summary result;
  const auto n = static_cast<double>(values.size());
  for (double value : values) result.mean += value / n;
  if (values.size() < 2) {
    result.deviation = result.half_width = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  double sum = 0.0;
  for (double value : values) sum += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(sum / (n - 1.0));
  result.half_width = student_t_975(static_cast<int>(values.size()) - 1) * result.deviation / std::sqrt(n);
  return result;
}

}  // namespace lavoisier::cli
