// Draws of outputs that are not Gaussian. Scalar code, a column at a time: the same bits whatever the tile holds.

#include "column_draws.hpp"
#include "tile.hpp"

#include <cstring>

namespace lavoisier::detail {
namespace {

SumRows sum_rows(const LawSystem& laws) noexcept {
  return {laws.rows(), laws.row_law.data(), laws.row_begin.data(), laws.row_element.data(), laws.row_coefficient.data()};
}

}  // namespace

ColumnDraw Tile::column_draw(std::int64_t c, std::uint64_t site) const noexcept {
  const std::int64_t column = work.columns[first + c];
  ColumnDraw made;
  made.key = {work.seed, work.stream};
  made.at.column =
      work.column_ids ? work.column_ids[column] : work.first_column_id + static_cast<std::uint64_t>(column);
  made.at.step = work.step_ids ? work.step_ids[column] : work.step;
  made.at.member = work.member;
  made.at.site = site;
  made.draw = work.draw;
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
    PositiveDraw made{operation.laws[i], operation.exponential, operation.number, operation.second[i], 0.0, 0.0, 0.0};
    double* to = y + element * stride;
    const float *first_raw = h + element * stride, *second_raw = h + (n + element) * stride;
    const float* zero_raw = made.law.atom ? h + (2 * n + atom++) * stride : nullptr;
    for (std::int64_t c = 0; c < stride; ++c) {
      if (c >= count) {
        to[c] = made.scale;
        continue;
      }
      made.first = static_cast<double>(first_raw[c]);
      made.second = static_cast<double>(second_raw[c]);
      if (made.law.atom) made.zero = static_cast<double>(zero_raw[c]);
      to[c] = positive_value(made, column_draw(c, operation.site), i);
    }
    if (operation.output[1] < 0) continue;
    std::fill_n(value<double>(operation.output[1]) + element * stride, stride, 0.0);
    if (work.global != nullptr) std::fill_n(at<double>(layout.variance) + element * stride, stride, 0.0);
  }
}

void Tile::flag(std::int64_t c, SlotStatus found) noexcept {
  if (found != 0 && written(c)) status[c] = found;
}

void Tile::dirichlet_draw(const Operation& operation) noexcept {
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  const double* d = at<double>(layout.right_hand_side);
  std::fill_n(y, operation.n * stride, 0.0);
  for (std::int64_t c = 0; c < count; ++c)
    flag(c, dirichlet_column(sum_rows(program.laws), column_draw(c, operation.site), operation.exponential,
                             operation.number, operation.n, h + c, d + c, y + c, stride));
}

void Tile::poisson_draw(const Operation& operation) noexcept {
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  std::fill_n(y, operation.n * stride, 0.0);
  for (std::int64_t j = 0; j < operation.n; ++j)
    for (std::int64_t c = 0; c < count; ++c)
      y[j * stride + c] = poisson_value(column_draw(c, operation.site), j, static_cast<double>(h[j * stride + c]),
                                        operation.first[static_cast<std::size_t>(j)]);
}

void Tile::multinomial_draw(const Operation& operation) noexcept {
  const float* h = value<float>(operation.input[0]);
  double* y = value<double>(operation.output[0]);
  double* tail = at<double>(layout.variance);  // one an output, as the constrain step has it
  const double* d = at<double>(layout.right_hand_side);
  std::fill_n(y, operation.n * stride, 0.0);
  for (std::int64_t c = 0; c < count; ++c)
    flag(c, multinomial_column(sum_rows(program.laws), column_draw(c, operation.site), operation.first.data(),
                               operation.n, h + c, d + c, y + c, tail + c, stride));
}

}  // namespace lavoisier::detail
