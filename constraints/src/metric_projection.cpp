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

MetricProjection::MetricProjection(const char* function, const RowMatrix& A, const Eigen::VectorXd& scale)
    : laws_(A), gain_(laws_.outputs * laws_.rows), leverage_(laws_.outputs) {
  require_shape(function, "scale", scale.size(), 1, A.cols(), 1);
  const std::size_t n = laws_.outputs, m = laws_.rows;
  for (std::size_t j = 0; j < n; ++j)
    if (!std::isfinite(scale[static_cast<Eigen::Index>(j)]) || !(scale[static_cast<Eigen::Index>(j)] > 0.0))
      throw Error(Status::invalid_argument, std::string(function) + ": scale of output " + std::to_string(j) + " is " +
                                                std::to_string(scale[static_cast<Eigen::Index>(j)]) +
                                                ", expected a positive number");
  std::vector<double> W(m * m, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = laws_.column(j);
    const double weight = scale[static_cast<Eigen::Index>(j)] * scale[static_cast<Eigen::Index>(j)];
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l <= k; ++l) W[k * m + l] += weight * a[k] * a[l];
  }
  ScaledCholesky<-1> factor(m);
  if (!factor.factorize(W.data()))
    throw Error(Status::rank_deficient, std::string(function) + ": the rows of A are not independent");
  for (std::size_t j = 0; j < n; ++j) {
    double* g = gain_.data() + j * m;
    const double* a = laws_.column(j);
    factor.solve(a, g);
    const double weight = scale[static_cast<Eigen::Index>(j)] * scale[static_cast<Eigen::Index>(j)];
    for (std::size_t k = 0; k < m; ++k) g[k] *= weight;
    for (std::size_t k = 0; k < m; ++k) leverage_[j] += g[k] * a[k];
  }
}

double MetricProjection::G_dot_column(std::size_t i, std::size_t j) const noexcept {
  const std::size_t m = laws_.rows;
  double sum = 0.0;
  for (std::size_t k = 0; k < m; ++k) sum += gain_[i * m + k] * laws_.column(j)[k];
  return sum;
}

void MetricProjection::apply(const double* y, const double* d, double* result) const {
  const std::size_t n = laws_.outputs, m = laws_.rows;
  bool finite = true;
  for (std::size_t j = 0; j < n; ++j) finite &= std::isfinite(y[j]);
  for (std::size_t k = 0; k < m; ++k) finite &= std::isfinite(d[k]);
  for (std::size_t j = 0; j < n; ++j) result[j] = finite ? y[j] : std::numeric_limits<double>::quiet_NaN();
  if (!finite) return;
  for (int pass = 0; pass < 2; ++pass) {
    Scratch residual(m);
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < m; ++k) residual[k] += laws_.column(j)[k] * result[j];
    for (std::size_t k = 0; k < m; ++k) residual[k] -= d[k] * laws_.row_scale[k];
    for (std::size_t j = 0; j < n; ++j) {
      double step = 0.0;
      for (std::size_t k = 0; k < m; ++k) step += gain_[j * m + k] * residual[k];
      result[j] -= step;
    }
  }
}

void MetricProjection::adjoint(const double* y_bar, double* result) const {
  const std::size_t n = laws_.outputs, m = laws_.rows;
  Scratch weight(m);
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t k = 0; k < m; ++k) weight[k] += gain_[j * m + k] * y_bar[j];
  for (std::size_t j = 0; j < n; ++j) {
    double step = 0.0;
    for (std::size_t k = 0; k < m; ++k) step += laws_.column(j)[k] * weight[k];
    result[j] = y_bar[j] - step;
  }
}

void MetricProjection::variance(const double* deviation, double* result) const {
  const std::size_t n = laws_.outputs, m = laws_.rows;
  Scratch W(m * m);
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = laws_.column(j);
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
  const std::size_t n = laws_.outputs, m = laws_.rows;
  Scratch K(m * m);
  for (std::size_t i = 0; i < n; ++i) {
    const double* g = gain_.data() + i * m;
    for (std::size_t k = 0; k < m; ++k)
      for (std::size_t l = 0; l < m; ++l) K[k * m + l] += variance_bar[i] * g[k] * g[l];
  }
  for (std::size_t j = 0; j < n; ++j) {
    const double* a = laws_.column(j);
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

}  // namespace lavoisier::detail
