#include "metric_projection.hpp"

#include <limits>

namespace lavoisier::detail {

namespace {
/// Scratch of one sample: on the stack for the usual number of laws.
class Scratch {
 public:
  explicit Scratch(std::size_t count) {
    if (count > std::size(few_)) many_.resize(count);
    data_ = many_.empty() ? few_ : many_.data();
    for (std::size_t k = 0; k < count; ++k) data_[k] = 0.0;
  }
  double& operator[](std::size_t k) noexcept { return data_[k]; }

 private:
  double few_[64];
  std::vector<double> many_;
  double* data_;
};
}  // namespace

/// log det(B B') of the columns of `moving` outputs, each times its weight; NaN if singular.
template <class Weight>
double log_det_gram(std::size_t outputs, std::size_t rows, const double* columns, const Weight& weight,
                    ScaledCholesky<-1>& factor, std::vector<double>& W) {
  W.assign(rows * rows, 0.0);
  for (std::size_t j = 0; j < outputs; ++j) {
    const double w = weight(j);
    const double* a = columns + j * rows;
    for (std::size_t k = 0; k < rows; ++k)
      for (std::size_t l = 0; l <= k; ++l) W[k * rows + l] += w * a[k] * a[l];
  }
  return factor.factorize(W.data()) ? factor.log_det() : std::numeric_limits<double>::quiet_NaN();
}

MetricProjection::MetricProjection(std::size_t outputs, std::size_t rows)
    : outputs_(outputs),
      rows_(rows),
      columns_(outputs * rows),
      row_scale_(rows),
      scale_(outputs),
      gain_(outputs * rows),
      leverage_(outputs),
      factor_(rows),
      square_(2 * rows * rows) {}

Status MetricProjection::set(const double* A, const double* scale) {
  const std::size_t n = outputs_, m = rows_;
  for (std::size_t k = 0; k < m; ++k) {
    // Two steps, so that neither tiny nor huge coefficients leave the range of FP64.
    double largest = 0.0, sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      if (!std::isfinite(A[k * n + j])) return Status::non_finite;
      largest = std::max(largest, std::abs(A[k * n + j]));
    }
    if (largest == 0.0) return Status::rank_deficient;
    for (std::size_t j = 0; j < n; ++j) sum += (A[k * n + j] / largest) * (A[k * n + j] / largest);
    row_scale_[k] = 1.0 / (largest * std::sqrt(sum));
    for (std::size_t j = 0; j < n; ++j) columns_[j * m + k] = A[k * n + j] * row_scale_[k];
  }
  moving_ = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (!std::isfinite(scale[j]) || scale[j] < 0.0) return Status::invalid_argument;
    scale_[j] = scale[j];
    moving_ += scale[j] > 0.0 ? 1 : 0;
    leverage_[j] = 0.0;
  }
  for (double& g : gain_) g = 0.0;
  if (moving_ < m) return Status::rank_deficient;
  if (moving_ == m) return invert_moving() ? Status::ok : Status::rank_deficient;
  log_det_metric_ = log_det_gram(n, m, columns_.data(), [&](std::size_t j) { return scale_[j] * scale_[j]; }, factor_, square_);
  if (std::isnan(log_det_metric_)) return Status::rank_deficient;
  for (std::size_t j = 0; j < n; ++j) {
    if (!moves(j)) continue;
    double* g = gain_.data() + j * m;
    factor_.solve(column(j), g);
    const double weight = scale_[j] * scale_[j];
    for (std::size_t k = 0; k < m; ++k) g[k] *= weight;
    for (std::size_t k = 0; k < m; ++k) leverage_[j] += g[k] * column(j)[k];
  }
  return Status::ok;
}

bool MetricProjection::invert_moving() {
  // Gauss and Jordan with row pivots on [A_M D_M | I], rows scaled to a largest element of 1.
  const std::size_t m = rows_;
  square_.assign(2 * m * m, 0.0);
  const auto at = [&](std::size_t k, std::size_t q) -> double& { return square_[k * 2 * m + q]; };
  std::vector<std::size_t> moving;
  for (std::size_t j = 0; j < outputs_; ++j)
    if (moves(j)) moving.push_back(j);
  log_det_metric_ = 0.0;
  for (std::size_t k = 0; k < m; ++k) {
    double largest = 0.0;
    for (std::size_t q = 0; q < m; ++q) {
      at(k, q) = columns_[moving[q] * m + k] * scale_[moving[q]];
      largest = std::max(largest, std::abs(at(k, q)));
    }
    if (!(largest > 0.0)) return false;
    for (std::size_t q = 0; q < m; ++q) at(k, q) /= largest;
    at(k, m + k) = 1.0 / largest;
    log_det_metric_ += 2.0 * std::log(largest);
  }
  for (std::size_t q = 0; q < m; ++q) {
    std::size_t best = q;
    for (std::size_t k = q + 1; k < m; ++k)
      if (std::abs(at(k, q)) > std::abs(at(best, q))) best = k;
    if (!(std::abs(at(best, q)) > rounding_pivot(m))) return false;
    if (best != q)
      for (std::size_t c = 0; c < 2 * m; ++c) std::swap(at(best, c), at(q, c));
    const double pivot = at(q, q);
    log_det_metric_ += 2.0 * std::log(std::abs(pivot));
    for (std::size_t c = 0; c < 2 * m; ++c) at(q, c) /= pivot;
    for (std::size_t k = 0; k < m; ++k) {
      if (k == q || at(k, q) == 0.0) continue;
      const double factor = at(k, q);
      for (std::size_t c = 0; c < 2 * m; ++c) at(k, c) -= factor * at(q, c);
    }
  }
  for (std::size_t q = 0; q < m; ++q) {
    for (std::size_t k = 0; k < m; ++k) gain_[moving[q] * m + k] = scale_[moving[q]] * at(q, m + k);
    leverage_[moving[q]] = 1.0;
  }
  return true;
}

double MetricProjection::G_dot_column(std::size_t i, std::size_t j) const noexcept {
  double sum = 0.0;
  for (std::size_t k = 0; k < rows_; ++k) sum += gain_[i * rows_ + k] * column(j)[k];
  return sum;
}

void MetricProjection::residual(const double* y, const double* d, double* r) const noexcept {
  for (std::size_t k = 0; k < rows_; ++k) r[k] = 0.0;
  for (std::size_t j = 0; j < outputs_; ++j)
    for (std::size_t k = 0; k < rows_; ++k) r[k] += column(j)[k] * y[j];
  for (std::size_t k = 0; k < rows_; ++k) r[k] -= d[k] * row_scale_[k];
}

void MetricProjection::apply(const double* y, const double* d, double* result) const {
  const std::size_t n = outputs_, m = rows_;
  bool finite = true;
  for (std::size_t j = 0; j < n; ++j) finite &= std::isfinite(y[j]);
  for (std::size_t k = 0; k < m; ++k) finite &= std::isfinite(d[k]);
  for (std::size_t j = 0; j < n; ++j) result[j] = finite ? y[j] : std::numeric_limits<double>::quiet_NaN();
  if (!finite) return;
  for (int pass = 0; pass < 2; ++pass) {
    Scratch r(m);
    residual(result, d, &r[0]);
    for (std::size_t j = 0; j < n; ++j) {
      if (!moves(j)) continue;
      double step = 0.0;
      for (std::size_t k = 0; k < m; ++k) step += gain_[j * m + k] * r[k];
      result[j] -= step;
    }
  }
}

void MetricProjection::adjoint(const double* y_bar, double* result) const {
  const std::size_t n = outputs_, m = rows_;
  Scratch weight(m);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < m; ++k) weight[k] += gain_[j * m + k] * y_bar[j];
  for (std::size_t j = 0; j < n; ++j) {
    double step = 0.0;
    for (std::size_t k = 0; k < m; ++k) step += column(j)[k] * weight[k];
    // Where m outputs move, they are what the others leave them: nothing of their own remains.
    result[j] = moving_ == m && moves(j) ? 0.0 : y_bar[j] - step;
  }
}

void MetricProjection::scale_adjoint(const double* y, const double* d, const double* projected_bar,
                                     double* scale_bar) const {
  Scratch r(rows_);
  residual(y, d, &r[0]);
  for (std::size_t j = 0; j < outputs_; ++j) {
    double step = 0.0;
    for (std::size_t k = 0; k < rows_; ++k) step += gain_[j * rows_ + k] * r[k];
    scale_bar[j] = moves(j) ? -2.0 * projected_bar[j] * step / scale_[j] : 0.0;
  }
}

void MetricProjection::variance(const double* deviation, double* result) const {
  const std::size_t n = outputs_, m = rows_;
  Scratch W(m * m);
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = column(j);
    const double S = deviation[j] * deviation[j];
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l < m; ++l) W[k * m + l] += S * a[k] * a[l];
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double S = deviation[i] * deviation[i];
    double sum = 0.0;
    if (leverage_[i] > 0.5) {
      // Term by term: the quadratic form would contain output i's own large share and cancel.
      for (std::size_t j = 0; j < n; ++j) {
        if (j == i) continue;
        const double P = G_dot_column(i, j);
        sum += deviation[j] * deviation[j] * P * P;
      }
      const double P = 1.0 - leverage_[i];
      result[i] = sum + S * P * P;
      continue;
    }
    const double* g = gain_.data() + i * m;
    for (std::size_t k = 0; k < m; ++k) {
      double inner = 0.0;
      for (std::size_t l = 0; l < m; ++l) inner += W[k * m + l] * g[l];
      sum += g[k] * inner;
    }
    result[i] = S * (1.0 - 2.0 * leverage_[i]) + sum;
  }
}

void MetricProjection::variance_adjoint(const double* deviation, const double* variance_bar, double* result) const {
  const std::size_t n = outputs_, m = rows_;
  Scratch K(m * m);
  for (std::size_t i = 0; i < n; ++i) {
    const double* g = gain_.data() + i * m;
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l < m; ++l) K[k * m + l] += variance_bar[i] * g[k] * g[l];
  }
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = column(j);
    double sum = 0.0;
    if (leverage_[j] > 0.5) {
      for (std::size_t i = 0; i < n; ++i) {
        if (i == j) continue;
        const double P = G_dot_column(i, j);
        sum += variance_bar[i] * P * P;
      }
      const double P = 1.0 - leverage_[j];
      sum += variance_bar[j] * P * P;
    } else {
      for (std::size_t k = 0; k < m; ++k) {
        double inner = 0.0;
        for (std::size_t l = 0; l < m; ++l) inner += K[k * m + l] * a[l];
        sum += a[k] * inner;
      }
      sum += variance_bar[j] * (1.0 - 2.0 * leverage_[j]);
    }
    result[j] = 2.0 * deviation[j] * sum;
  }
}

MetricProjection::Density MetricProjection::log_density(const double* mean, const double* deviation, const double* y,
                                                        double* mean_bar, double* deviation_bar) const {
  const std::size_t n = outputs_, m = rows_;
  std::size_t known = 0;
  for (std::size_t j = 0; j < n; ++j) {
    if (!std::isfinite(mean[j]) || !std::isfinite(deviation[j]) || !std::isfinite(y[j])) return {Status::non_finite, 0.0};
    if (deviation[j] < 0.0 || (deviation[j] == 0.0 && moves(j))) return {Status::invalid_argument, 0.0};
    known += deviation[j] == 0.0 ? 1 : 0;
  }
  ScaledCholesky<-1> factor(m);
  std::vector<double> W(m * m), lambda(m, 0.0);
  // Surface measure: A A' over the outputs that are not known.
  const double surface =
      log_det_gram(n, m, columns_.data(), [&](std::size_t j) { return deviation[j] > 0.0 ? 1.0 : 0.0; }, factor, W);
  double value = -0.5 * static_cast<double>(n - known - m) * log_two_pi + log_det_metric_ - 0.5 * surface;
  const bool all_follow = moving_ == m;
  if (all_follow) {
    value -= 0.5 * log_det_metric_;
    for (std::size_t j = 0; j < n; ++j)
      if (moves(j)) value -= std::log(scale_[j]);
  } else {
    // T = A D S^-1 D A' in units of the metric; rest = what is left of y - mu outside the laws' rows.
    const double log_det_T = log_det_gram(
        n, m, columns_.data(),
        [&](std::size_t j) {
          if (!moves(j)) return 0.0;
          const double c = scale_[j] * scale_[j] / deviation[j];
          return c * c;
        },
        factor, W);
    value -= 0.5 * log_det_T;
    for (std::size_t j = 0; j < n; ++j) {
      if (!moves(j)) continue;
      const double weight = scale_[j] * scale_[j] / (deviation[j] * deviation[j]) * (y[j] - mean[j]);
      for (std::size_t k = 0; k < m; ++k) lambda[k] += column(j)[k] * weight;
    }
    if (!std::isfinite(log_det_T)) return {Status::rank_deficient, 0.0};
    factor.solve(lambda.data(), lambda.data());
  }
  if (!std::isfinite(value)) return {Status::rank_deficient, 0.0};
  std::vector<double> half(m);
  for (std::size_t j = 0; j < n; ++j) {
    mean_bar[j] = deviation_bar[j] = 0.0;
    if (deviation[j] == 0.0) {
      if (std::abs(y[j] - mean[j]) > tolerances::identity::relative_fp64 * (std::abs(y[j]) + std::abs(mean[j])))
        value = -std::numeric_limits<double>::infinity();
      continue;
    }
    if (!moves(j)) {
      const double z = (y[j] - mean[j]) / deviation[j];
      value -= 0.5 * z * z + std::log(deviation[j]);
      mean_bar[j] = z / deviation[j];
      deviation_bar[j] = (z * z - 1.0) / deviation[j];
      continue;
    }
    if (all_follow) continue;
    double shift = 0.0, leverage = 0.0;
    for (std::size_t k = 0; k < m; ++k) shift += column(j)[k] * lambda[k];
    const double c = scale_[j] * scale_[j];
    const double rest = (y[j] - mean[j] - c * shift) / deviation[j];
    factor.half_solve(column(j), half.data());
    for (std::size_t k = 0; k < m; ++k) leverage += half[k] * half[k];
    leverage *= c / deviation[j] * (c / deviation[j]);
    value -= 0.5 * rest * rest + std::log(deviation[j]);
    mean_bar[j] = rest / deviation[j];
    deviation_bar[j] = (rest * rest - (1.0 - leverage)) / deviation[j];
  }
  return {Status::ok, value};
}

void refuse_projection(const char* function, const RowMatrix& A, const Eigen::Ref<const RowMatrix>& scale,
                       Status status) {
  const LawMatrix checked(A);  // refuses zero rows and numbers that are not finite
  for (Eigen::Index j = 0; j < scale.cols(); ++j)
    if (!std::isfinite(scale(0, j)) || scale(0, j) < 0.0)
      throw Error(Status::invalid_argument, std::string(function) + ": scale of output " + std::to_string(j) + " is " +
                                                std::to_string(scale(0, j)) +
                                                ", expected a positive number, or zero for an output that stays");
  throw Error(status, std::string(function) + ": the rows of A are not independent on the outputs that may move");
}

}  // namespace lavoisier::detail
