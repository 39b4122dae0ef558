// Draws of outputs that are not Gaussian. Scalar code, a column at a time: the same bits whatever the tile holds.

#include "tile.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/positive_parameters.hpp>
#include <lavoisier/random.hpp>

namespace lavoisier::detail {
namespace {

constexpr double smallest_positive = 0x1.0p-1022;
constexpr double largest_count = 0x1.0p53;

double not_a_number() noexcept { return elementary::detail::from_bits(std::uint64_t{0x7ff8000000000000u}); }

/// Expectation of an output's law, in units of its scale.
double expectation(const PositiveLaw& law, double a, double b, double zero) noexcept {
  const double mean = law.gamma ? a / b : elementary::exp(a + 0.5 * (b * b));
  return law.atom ? (1.0 - zero) * mean : mean;
}

/// One draw, in units of the scale; NaN where there is none.
double draw(const PositiveLaw& law, double a, double b, double zero, random::Sequence& sequence,
            double scale) noexcept {
  if (law.atom && random::uniform(sequence) < zero) return 0.0;
  const double drawn = law.gamma ? elementary::exp(random::log_gamma(sequence, a)) / b
                                 : elementary::exp(a + b * random::normal(sequence));
  if (sequence.failed || drawn != drawn) return not_a_number();
  // What underflows is positive still: only an atom is 0.
  const double value = scale * drawn;
  return value < smallest_positive ? smallest_positive : value;
}

}  // namespace

random::Sequence Tile::sequence(std::int64_t c, std::uint64_t site, std::uint64_t element) const noexcept {
  const std::int64_t column = work.columns[first + c];
  random::Sequence made;
  made.key = {work.seed, work.stream};
  made.at.column =
      work.column_ids ? work.column_ids[column] : work.first_column_id + static_cast<std::uint64_t>(column);
  made.at.step = work.step_ids ? work.step_ids[column] : work.step;
  made.at.member = work.member;
  made.at.site = site;
  made.at.element = element;
  return made;
}

void Tile::positive_draw(const Operation& operation) noexcept {
  const std::int64_t n = operation.n;
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  if (operation.input[1] >= 0) {
    const auto bytes = static_cast<std::size_t>(n * stride) * sizeof(double);
    std::memcpy(y, value<double>(operation.input[1]), bytes);
    std::memcpy(value<double>(operation.output[1]), value<double>(operation.input[2]), bytes);
  }
  std::int64_t atom = 0;
  for (std::size_t i = 0; i < operation.elements.size(); ++i) {
    const std::int64_t element = operation.elements[i];
    const PositiveLaw law = operation.laws[i];
    const double scale = operation.second[i];
    double* to = y + element * stride;
    const float *first_raw = h + element * stride, *second_raw = h + (n + element) * stride;
    const float* zero_raw = law.atom ? h + (2 * n + atom++) * stride : nullptr;
    for (std::int64_t c = 0; c < stride; ++c) {
      if (c >= count) {
        to[c] = scale;
        continue;
      }
      const auto p = positive::parameters(law.gamma, operation.exponential, operation.number,
                                          static_cast<double>(first_raw[c]), static_cast<double>(second_raw[c]));
      const double zero = law.atom ? positive::atom(static_cast<double>(zero_raw[c])) : 0.0;
      if (!work.draw) {
        to[c] = scale * expectation(law, p.a, p.b, zero);
        continue;
      }
      random::Sequence numbers = sequence(c, operation.site, i);
      to[c] = draw(law, p.a, p.b, zero, numbers, scale);
    }
    if (operation.output[1] < 0) continue;
    double* deviation = value<double>(operation.output[1]) + element * stride;
    for (std::int64_t c = 0; c < stride; ++c) deviation[c] = 0.0;
  }
}

void Tile::refuse(std::int64_t c, Status why, std::int64_t n, double* y) noexcept {
  if (written(c)) status[c] = static_cast<SlotStatus>(why);
  for (std::int64_t j = 0; j < n; ++j) y[j * stride + c] = 0.0;
}

void Tile::dirichlet_draw(const Operation& operation) noexcept {
  const LawSystem& laws = program.laws;
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  const double* right_hand_side = at<double>(layout.right_hand_side);
  for (std::int64_t j = 0; j < operation.n * stride; ++j) y[j] = 0.0;
  for (std::int32_t k = 0; k < laws.rows(); ++k) {
    const auto row = static_cast<std::size_t>(k);
    const auto begin = static_cast<std::size_t>(laws.row_begin[row]),
               end = static_cast<std::size_t>(laws.row_begin[row + 1]);
    const bool negative = laws.row_coefficient[begin] < 0.0;
    const double* d = right_hand_side + laws.row_law[row] * stride;
    for (std::int64_t c = 0; c < count; ++c) {
      const double total = negative ? 0.0 - d[c] : d[c];
      if (!(total >= 0.0)) {
        refuse(c, total < 0.0 ? Status::inconsistent_laws : Status::non_finite, operation.n, y);
        continue;
      }
      if (total == 0.0) continue;
      // Gammas as logarithms, then shares of their sum: small concentrations survive.
      double largest = 0.0, sum = 0.0;
      bool failed = false;
      for (std::size_t t = begin; t < end; ++t) {
        const std::int64_t j = laws.row_element[t];
        const double concentration =
            positive::above(operation.exponential, operation.number, static_cast<double>(h[j * stride + c]));
        double logarithm = elementary::log(concentration);
        if (work.draw) {
          random::Sequence numbers = sequence(c, operation.site, static_cast<std::uint64_t>(j));
          logarithm = random::log_gamma(numbers, concentration);
          failed |= numbers.failed;
        }
        failed |= !finite(logarithm);
        y[j * stride + c] = logarithm;
        if (t == begin || logarithm > largest) largest = logarithm;
      }
      for (std::size_t t = begin; t < end; ++t) {
        double& share = y[laws.row_element[t] * stride + c];
        share = elementary::exp(share - largest);
        sum += share;
      }
      for (std::size_t t = begin; t < end; ++t) {
        double& share = y[laws.row_element[t] * stride + c];
        const double weight = negative ? 0.0 - laws.row_coefficient[t] : laws.row_coefficient[t];
        share = failed ? not_a_number() : total * (share / sum) / weight;
      }
    }
  }
}

void Tile::poisson_draw(const Operation& operation) noexcept {
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  for (std::int64_t j = 0; j < operation.n; ++j)
    for (std::int64_t c = 0; c < stride; ++c) {
      double& to = y[j * stride + c];
      to = 0.0;
      if (c >= count) continue;
      const double rate =
          elementary::exp(static_cast<double>(h[j * stride + c]) + operation.first[static_cast<std::size_t>(j)]);
      to = rate;
      if (!work.draw) continue;
      random::Sequence numbers = sequence(c, operation.site, static_cast<std::uint64_t>(j));
      to = static_cast<double>(random::poisson(numbers, rate));
      if (numbers.failed) to = not_a_number();
    }
}

void Tile::multinomial_draw(const Operation& operation) noexcept {
  const LawSystem& laws = program.laws;
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  double* tail = at<double>(layout.variance);  // one an output, as the constrain step has it
  const double* right_hand_side = at<double>(layout.right_hand_side);
  for (std::int64_t j = 0; j < operation.n * stride; ++j) y[j] = 0.0;
  for (std::int32_t k = 0; k < laws.rows(); ++k) {
    const auto row = static_cast<std::size_t>(k);
    const auto begin = static_cast<std::size_t>(laws.row_begin[row]),
               end = static_cast<std::size_t>(laws.row_begin[row + 1]);
    const double* d = right_hand_side + laws.row_law[row] * stride;
    for (std::int64_t c = 0; c < count; ++c) {
      const double ratio = d[c] / laws.row_coefficient[begin];
      if (!finite(ratio) || ratio < 0.0 || ratio > largest_count) {
        refuse(c, !finite(ratio) || ratio > largest_count ? Status::non_finite : Status::inconsistent_laws, operation.n,
               y);
        continue;
      }
      const auto whole = static_cast<std::uint64_t>(ratio + (ratio < 0x1.0p52 ? 0.5 : 0.0));
      const double difference = ratio - static_cast<double>(whole);
      if ((difference < 0.0 ? -difference : difference) > 8.0 * 0x1.0p-52 * ratio) {
        refuse(c, Status::invalid_argument, operation.n, y);
        continue;
      }
      double largest = 0.0, sum = 0.0;
      bool good = true;
      const auto log_rate = [&](std::int64_t j) noexcept {
        return static_cast<double>(h[j * stride + c]) + operation.first[static_cast<std::size_t>(j)];
      };
      for (std::size_t t = begin; t < end; ++t) {
        const double rate = log_rate(laws.row_element[t]);
        good = good && finite(rate);
        if (t == begin || rate > largest) largest = rate;
      }
      // Proportions, and their sums from the end: what is left to the last is exact.
      for (std::size_t t = end; t-- > begin;) {
        const std::int64_t j = laws.row_element[t];
        y[j * stride + c] = elementary::exp(log_rate(j) - largest);
        sum += y[j * stride + c];
        tail[j * stride + c] = sum;
      }
      std::uint64_t left = whole;
      for (std::size_t t = begin; t < end; ++t) {
        const std::int64_t j = laws.row_element[t];
        double& to = y[j * stride + c];
        if (!work.draw) {
          to = good ? static_cast<double>(whole) * (to / sum) : not_a_number();
          continue;
        }
        std::uint64_t drawn = left;
        if (t + 1 < end && good) {
          random::Sequence numbers = sequence(c, operation.site, static_cast<std::uint64_t>(j));
          drawn = random::binomial(numbers, left, to / tail[j * stride + c]);
          good = good && !numbers.failed;
        }
        to = good ? static_cast<double>(drawn) : not_a_number();
        left -= drawn;
      }
    }
  }
}

}  // namespace lavoisier::detail
