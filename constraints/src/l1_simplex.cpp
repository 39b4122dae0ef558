#include "l1_simplex.hpp"

#include "law_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lavoisier::detail {

namespace {
constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
/// A column enters the basis where its price passes 1 by more than this; and how small a basic value counts as zero.
constexpr double optimal = 1e-10, zero = 1e-13;
}  // namespace

L1Simplex::L1Simplex(std::size_t outputs, std::size_t rows)
    : outputs_(outputs),
      rows_(rows),
      B_(rows * outputs),
      row_scale_(rows),
      tableau_(rows * (outputs + rows)),
      x_(rows),
      b_(rows),
      sign_(rows),
      price_(outputs),
      basis_(rows),
      basic_(outputs) {}

Status L1Simplex::set(const double* A, const double* scale) {
  const std::size_t n = outputs_, m = rows_;
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(scale[j]) || scale[j] < 0.0) return Status::invalid_argument;
  for (std::size_t k = 0; k < m; ++k) {
    double largest = 0.0, sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      B_[k * n + j] = A[k * n + j] * scale[j];
      if (!std::isfinite(B_[k * n + j])) return Status::non_finite;
      largest = std::max(largest, std::abs(B_[k * n + j]));
    }
    if (largest == 0.0) return Status::rank_deficient;
    for (std::size_t j = 0; j < n; ++j) sum += (B_[k * n + j] / largest) * (B_[k * n + j] / largest);
    row_scale_[k] = 1.0 / (largest * std::sqrt(sum));
    for (std::size_t j = 0; j < n; ++j) B_[k * n + j] *= row_scale_[k];
  }
  std::vector<double> left = B_;
  std::vector<std::size_t> chosen;
  for (std::size_t q = 0; q < m; ++q) {
    std::size_t best = none;
    double most = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      double squares = 0.0;
      for (std::size_t k = 0; k < m; ++k) squares += left[k * n + j] * left[k * n + j];
      if (squares > most) {
        most = squares;
        best = j;
      }
    }
    if (best == none || !(std::sqrt(most) > rounding_pivot(m))) return Status::rank_deficient;
    chosen.push_back(best);
    std::vector<double> direction(m);
    for (std::size_t k = 0; k < m; ++k) direction[k] = left[k * n + best] / std::sqrt(most);
    for (std::size_t j = 0; j < n; ++j) {
      double along = 0.0;
      for (std::size_t k = 0; k < m; ++k) along += direction[k] * left[k * n + j];
      for (std::size_t k = 0; k < m; ++k) left[k * n + j] -= along * direction[k];
    }
    for (std::size_t k = 0; k < m; ++k) left[k * n + best] = 0.0;
  }
  if (!start(chosen)) return Status::rank_deficient;
  first_tableau_ = tableau_;
  first_basis_ = basis_;
  return Status::ok;
}

bool L1Simplex::start(const std::vector<std::size_t>& basis) {
  const std::size_t n = outputs_, m = rows_;
  for (std::size_t k = 0; k < m; ++k) {
    for (std::size_t j = 0; j < n; ++j) at(k, j) = B_[k * n + j];
    for (std::size_t l = 0; l < m; ++l) at(k, n + l) = k == l ? 1.0 : 0.0;
  }
  std::vector<char> taken(m, 0);
  std::fill(basic_.begin(), basic_.end(), char{0});
  for (const std::size_t j : basis) {
    std::size_t row = none;
    for (std::size_t k = 0; k < m; ++k)
      if (taken[k] == 0 && (row == none || std::abs(at(k, j)) > std::abs(at(row, j)))) row = k;
    if (row == none || !(std::abs(at(row, j)) > rounding_pivot(m))) return false;
    taken[row] = 1;
    pivot(row, j);
    basis_[row] = j;
    basic_[j] = 1;
  }
  return true;
}

void L1Simplex::pivot(std::size_t row, std::size_t column) noexcept {
  const double divisor = at(row, column);
  for (std::size_t c = 0; c < width(); ++c) at(row, c) /= divisor;
  at(row, column) = 1.0;
  for (std::size_t k = 0; k < rows_; ++k) {
    const double factor = at(k, column);
    if (k == row || factor == 0.0) continue;
    for (std::size_t c = 0; c < width(); ++c) at(k, c) -= factor * at(row, c);
    at(k, column) = 0.0;
  }
}

Status L1Simplex::solve(const double* residual) {
  const std::size_t n = outputs_, m = rows_;
  double size = 0.0;
  for (std::size_t k = 0; k < m; ++k) {
    b_[k] = residual[k] * row_scale_[k];
    if (!std::isfinite(b_[k])) return Status::non_finite;
    size = std::max(size, std::abs(b_[k]));
  }
  tableau_ = first_tableau_;
  basis_ = first_basis_;
  std::fill(basic_.begin(), basic_.end(), char{0});
  for (const std::size_t j : basis_) basic_[j] = 1;
  std::fill(sign_.begin(), sign_.end(), 1.0);
  if (size == 0.0) return Status::ok;  // on the laws: no output moves

  const auto values = [&] {
    double largest = 0.0;
    for (std::size_t k = 0; k < m; ++k) {
      x_[k] = 0.0;
      for (std::size_t l = 0; l < m; ++l) x_[k] += at(k, n + l) * b_[l];
      largest = std::max(largest, std::abs(x_[k]));
    }
    // A basic value of zero keeps the sign of its variable: degenerate steps change it only by their pivot.
    for (std::size_t k = 0; k < m; ++k) {
      if (std::abs(x_[k]) <= zero * largest) x_[k] = 0.0;
      if (x_[k] != 0.0) sign_[k] = x_[k] > 0.0 ? 1.0 : -1.0;
    }
  };
  values();

  std::size_t idle = 0;
  bool fresh = false;  // the tableau was computed from this basis, not updated
  for (std::size_t step = 0; step < 100 * (n + m) + 1000; ++step) {
    const bool bland = idle > 2 * m;
    std::size_t entering = none;
    double most = 1.0 + optimal;
    for (std::size_t j = 0; j < n; ++j) {
      if (basic_[j] != 0) continue;
      double price = 0.0;
      for (std::size_t k = 0; k < m; ++k) price += sign_[k] * at(k, j);
      price_[j] = price;
      if (!(std::abs(price) > most)) continue;
      entering = j;
      if (bland) break;
      most = std::abs(price);
    }
    if (entering == none) {
      if (fresh || step == 0) return Status::ok;
      // Once more from a tableau without the rounding of the steps.
      const std::vector<std::size_t> reached = basis_;
      std::vector<double> signs(n, 1.0);
      for (std::size_t k = 0; k < m; ++k) signs[basis_[k]] = sign_[k];
      if (!start(reached)) return Status::internal;
      for (std::size_t k = 0; k < m; ++k) sign_[k] = signs[basis_[k]];
      values();
      fresh = true;
      continue;
    }
    fresh = false;
    const double direction = price_[entering] > 0.0 ? 1.0 : -1.0;
    // The objective along the column: its slope rises by 2 |w| where a basic value passes zero. Bland's rule stops at
    // the first of these, the other goes on while the objective falls.
    double slope = 1.0 - std::abs(price_[entering]), length = 0.0;
    std::size_t row = none;
    std::vector<char> passed(m, 0);
    while (true) {
      std::size_t next = none;
      double nearest = std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k < m; ++k) {
        const double w = sign_[k] * direction * at(k, entering);
        if (passed[k] != 0 || !(w > 1e-11)) continue;
        const double ratio = std::abs(x_[k]) / w;
        if (ratio < nearest || (ratio == nearest && basis_[k] < basis_[next])) {
          nearest = ratio;
          next = k;
        }
      }
      if (next == none) break;
      row = next;
      length = nearest;
      passed[next] = 1;
      slope += 2.0 * sign_[next] * direction * at(next, entering);
      if (bland || slope >= 0.0) break;
    }
    if (row == none) return Status::internal;
    idle = length > 0.0 ? 0 : idle + 1;
    for (std::size_t k = 0; k < m; ++k)
      if (passed[k] != 0 && k != row) sign_[k] = -sign_[k];
    basic_[basis_[row]] = 0;
    pivot(row, entering);
    basis_[row] = entering;
    basic_[entering] = 1;
    sign_[row] = direction;
    values();
  }
  return Status::internal;
}

}  // namespace lavoisier::detail
