#ifndef LAVOISIER_PLUGIN_COLUMN_DRAWS_HPP
#define LAVOISIER_PLUGIN_COLUMN_DRAWS_HPP

// Draws of one column's outputs that are not Gaussian (docs/model-file.md, "Positive outputs and counts"), for every
// backend: element j of an operand lies at pointer[j * stride].

#include "program.hpp"
#include "run_work.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/positive_parameters.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <cstdint>
#include <cstring>

namespace lavoisier::detail {

LAVOISIER_INLINE bool finite(double x) {
  std::uint64_t bits = 0;
  memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
}
LAVOISIER_INLINE double not_a_number() {
  return elementary::detail::from_bits(std::uint64_t{0x7ff8000000000000u});
}
LAVOISIER_INLINE bool is_written(SlotStatus status) {
  return status == 0 || status == static_cast<SlotStatus>(Status::out_of_range);
}

/// What an operation's draws of one column have in common.
struct ColumnDraw {
  random::Key key;
  random::Address at;  ///< column, step, member, site
  bool draw = true;    ///< false: the mean
  LAVOISIER_INLINE random::Sequence element(std::uint64_t number) const {
    random::Sequence made;
    made.key = key;
    made.at = at;
    made.at.element = number;
    return made;
  }
};

/// Of one positive output: its law, parametrization and raw values.
struct PositiveDraw {
  PositiveLaw law;
  bool exponential;
  double floor, scale;
  double first, second, zero;  ///< raw; `zero` of a law with an atom
};

/// Number i of the operation's, or its expectation; NaN where there is none.
LAVOISIER_INLINE double positive_value(const PositiveDraw& made, const ColumnDraw& draw, std::uint64_t i) {
  const PositiveLaw law = made.law;
  const auto p = positive::parameters(law.gamma, made.exponential, made.floor, made.first, made.second);
  const double zero = law.atom ? positive::atom(made.zero) : 0.0;
  if (!draw.draw) {
    const double mean = law.gamma ? p.a / p.b : elementary::exp(p.a + 0.5 * (p.b * p.b));
    return made.scale * (law.atom ? (1.0 - zero) * mean : mean);
  }
  random::Sequence numbers = draw.element(i);
  if (law.atom && random::uniform(numbers) < zero) return 0.0;
  const double drawn = law.gamma ? elementary::exp(random::log_gamma(numbers, p.a)) / p.b
                                 : elementary::exp(p.a + p.b * random::normal(numbers));
  if (numbers.failed || drawn != drawn) return not_a_number();
  // What underflows is positive still: only an atom is 0.
  const double value = made.scale * drawn;
  return value < 0x1.0p-1022 ? 0x1.0p-1022 : value;
}

/// Laws that are sums over disjoint groups of outputs; arrays as in LawSystem.
struct SumRows {
  std::int32_t rows = 0;
  const std::int32_t *row_law = nullptr, *row_begin = nullptr, *row_element = nullptr;
  const double* row_coefficient = nullptr;
};

LAVOISIER_INLINE SlotStatus refuse_column(Status why, std::int64_t n, double* y, std::int64_t stride) {
  for (std::int64_t j = 0; j < n; ++j) y[j * stride] = 0.0;
  return static_cast<SlotStatus>(why);
}

/// Shares of the laws' right-hand sides d into the n numbers y; h: raw concentrations.
LAVOISIER_INLINE SlotStatus dirichlet_column(const SumRows& laws, const ColumnDraw& draw, bool exponential, double floor,
                                             std::int64_t n, const float* h, const double* d, double* y,
                                             std::int64_t stride) {
  for (std::int64_t j = 0; j < n; ++j) y[j * stride] = 0.0;
  for (std::int32_t k = 0; k < laws.rows; ++k) {
    const std::int32_t begin = laws.row_begin[k], end = laws.row_begin[k + 1];
    const bool negative = laws.row_coefficient[begin] < 0.0;
    const double given = d[laws.row_law[k] * stride];
    const double total = negative ? 0.0 - given : given;
    if (!(total >= 0.0)) return refuse_column(total < 0.0 ? Status::inconsistent_laws : Status::non_finite, n, y, stride);
    if (total == 0.0) continue;
    // Gammas as logarithms, then shares of their sum: small concentrations survive.
    double largest = 0.0, sum = 0.0;
    bool failed = false;
    for (std::int32_t t = begin; t < end; ++t) {
      const std::int64_t j = laws.row_element[t];
      const double concentration = positive::above(exponential, floor, static_cast<double>(h[j * stride]));
      double logarithm = elementary::log(concentration);
      if (draw.draw) {
        random::Sequence numbers = draw.element(static_cast<std::uint64_t>(j));
        logarithm = random::log_gamma(numbers, concentration);
        failed |= numbers.failed;
      }
      failed |= !finite(logarithm);
      y[j * stride] = logarithm;
      if (t == begin || logarithm > largest) largest = logarithm;
    }
    for (std::int32_t t = begin; t < end; ++t) {
      double& share = y[laws.row_element[t] * stride];
      share = elementary::exp(share - largest);
      sum += share;
    }
    for (std::int32_t t = begin; t < end; ++t) {
      double& share = y[laws.row_element[t] * stride];
      const double weight = negative ? 0.0 - laws.row_coefficient[t] : laws.row_coefficient[t];
      share = failed ? not_a_number() : total * (share / sum) / weight;
    }
  }
  return 0;
}

/// A count of the rate e^(raw + log_scale), or the rate.
LAVOISIER_INLINE double poisson_value(const ColumnDraw& draw, std::int64_t j, double raw, double log_scale) {
  const double rate = elementary::exp(raw + log_scale);
  if (!draw.draw) return rate;
  random::Sequence numbers = draw.element(static_cast<std::uint64_t>(j));
  const auto count = static_cast<double>(random::poisson(numbers, rate));
  return numbers.failed ? not_a_number() : count;
}

/// Counts given the laws' sums, into the n numbers y; h: raw logarithms of rates; `tail`: scratch of n numbers.
LAVOISIER_INLINE SlotStatus multinomial_column(const SumRows& laws, const ColumnDraw& draw, const double* log_scale,
                                               std::int64_t n, const float* h, const double* d, double* y, double* tail,
                                               std::int64_t stride) {
  constexpr double largest_count = 0x1.0p53;
  for (std::int64_t j = 0; j < n; ++j) y[j * stride] = 0.0;
  for (std::int32_t k = 0; k < laws.rows; ++k) {
    const std::int32_t begin = laws.row_begin[k], end = laws.row_begin[k + 1];
    const double ratio = d[laws.row_law[k] * stride] / laws.row_coefficient[begin];
    if (!finite(ratio) || ratio > largest_count) return refuse_column(Status::non_finite, n, y, stride);
    if (ratio < 0.0) return refuse_column(Status::inconsistent_laws, n, y, stride);
    const auto whole = static_cast<std::uint64_t>(ratio + (ratio < 0x1.0p52 ? 0.5 : 0.0));
    const double difference = ratio - static_cast<double>(whole);
    if ((difference < 0.0 ? -difference : difference) > 8.0 * 0x1.0p-52 * ratio)
      return refuse_column(Status::invalid_argument, n, y, stride);
    double largest = 0.0, sum = 0.0;
    bool good = true;
    for (std::int32_t t = begin; t < end; ++t) {
      const std::int64_t j = laws.row_element[t];
      const double rate = static_cast<double>(h[j * stride]) + log_scale[j];
      good = good && finite(rate);
      if (t == begin || rate > largest) largest = rate;
    }
    // Proportions, and their sums from the end: what is left to the last is exact.
    for (std::int32_t t = end; t-- > begin;) {
      const std::int64_t j = laws.row_element[t];
      y[j * stride] = elementary::exp(static_cast<double>(h[j * stride]) + log_scale[j] - largest);
      sum += y[j * stride];
      tail[j * stride] = sum;
    }
    std::uint64_t left = whole;
    for (std::int32_t t = begin; t < end; ++t) {
      const std::int64_t j = laws.row_element[t];
      double& to = y[j * stride];
      if (!draw.draw) {
        to = good ? static_cast<double>(whole) * (to / sum) : not_a_number();
        continue;
      }
      std::uint64_t drawn = left;
      if (t + 1 < end && good) {
        random::Sequence numbers = draw.element(static_cast<std::uint64_t>(j));
        drawn = random::binomial(numbers, left, to / tail[j * stride]);
        good = good && !numbers.failed;
      }
      to = good ? static_cast<double>(drawn) : not_a_number();
      left -= drawn;
    }
  }
  return 0;
}

/// The row that an index of an edge names; -1: an absent edge. An index that names no row sets `bad`.
LAVOISIER_INLINE std::int64_t row_of(double index, std::int64_t rows, bool& bad) {
  if (index >= 0.0 && index < static_cast<double>(rows)) {
    const auto row = static_cast<std::int64_t>(index);
    if (static_cast<double>(row) == index) return row;
  } else if (index == -1.0 || index != index) {
    return -1;
  }
  bad = true;
  return -1;
}

}  // namespace lavoisier::detail

#endif
