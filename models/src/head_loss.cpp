#include "head_loss.hpp"

#include <lavoisier/status.hpp>

#include <Eigen/Cholesky>

#include <cmath>
#include <numbers>
#include <utility>

namespace lavoisier::detail {
namespace {

using Eigen::Index;
const double log_two_pi = std::log(2.0 * std::numbers::pi);

/// The law by which the network is trained: post_hoc trains as none.
Strategy trained_as(Strategy strategy) { return strategy == Strategy::post_hoc ? Strategy::none : strategy; }

}  // namespace

HeadValues head_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<Index>& active, const MlpOptions& options) {
  const Index rows = h.rows(), n = h.cols() / 2, count = static_cast<Index>(active.size());
  const bool softplus = options.parametrization == "softplus";
  HeadValues values{RowMatrix(rows, count), RowMatrix(rows, count), RowMatrix(rows, count)};
  for (Index row = 0; row < rows; ++row)
    for (Index j = 0; j < count; ++j) {
      const Index i = active[static_cast<std::size_t>(j)];
      const double x = h(row, n + i);
      values.mean(row, j) = h(row, i);
      double f = 0.0, slope = 0.0;
      if (softplus) {
        const double small = std::exp(-std::abs(x));
        f = std::fmax(x, 0.0) + std::log1p(small);
        slope = x >= 0.0 ? 1.0 / (1.0 + small) : small / (1.0 + small);
        if (std::isnan(x)) f = x;  // fmax drops a NaN
      } else {
        f = slope = std::exp(x);
      }
      values.standard_deviation(row, j) = options.floor + f;
      values.slope(row, j) = slope;
    }
  return values;
}

Marginals constrained_marginals(Strategy strategy, const RowMatrix& A, const Eigen::VectorXd& scale,
                                const RowMatrix& mean, const RowMatrix& standard_deviation, const RowMatrix& d,
                                int threads) {
  if (strategy == Strategy::none || A.rows() == 0) return {mean, standard_deviation.array().square().matrix()};
  if (strategy == Strategy::projection)
    return {orthogonal_projection(A, scale, mean, d), projected_variance(A, scale, standard_deviation)};
  ConditionalMoments moments = conditional_moments(A, mean, standard_deviation, d, {threads});
  return {std::move(moments.mean), std::move(moments.variance)};
}

LogDensity null_space_log_density_with_gradient(const RowMatrix& A, const RowMatrix& mean,
                                                const RowMatrix& standard_deviation, const RowMatrix& y) {
  const Index rows = mean.rows(), n = mean.cols(), m = A.rows();
  LogDensity density;
  density.value.resize(rows);
  density.gradient = {RowMatrix(rows, n), RowMatrix(rows, n)};
  density.status.assign(static_cast<std::size_t>(rows), Status::ok);
  const Eigen::LLT<Eigen::MatrixXd> gram(Eigen::MatrixXd(A * A.transpose()));
  const Eigen::MatrixXd lower = gram.matrixL();
  const double log_det_gram = 2.0 * lower.diagonal().array().log().sum();
  Eigen::VectorXd e(n), K(n), w(n), t(m);
  Eigen::MatrixXd C(m, m), half(m, n);
  Eigen::LLT<Eigen::MatrixXd> factor(m);
  for (Index row = 0; row < rows; ++row) {
    K = standard_deviation.row(row).transpose().array().square().inverse();
    e = (y.row(row) - mean.row(row)).transpose();
    if (m > 0) {
      e -= A.transpose() * gram.solve(A * e);
      C.noalias() = A * K.asDiagonal() * A.transpose();
      factor.compute(C);
      t = factor.solve(A * K.cwiseProduct(e));
      w = K.cwiseProduct(e - A.transpose() * t);
      half = factor.matrixL().solve(A * K.asDiagonal());  // columns: L^-1 (K_i a_i)
    } else {
      w = K.cwiseProduct(e);
    }
    const double log_det_C = m > 0 ? 2.0 * factor.matrixLLT().diagonal().array().log().sum() : 0.0;
    density.value[row] = -0.5 * (static_cast<double>(n - m) * log_two_pi - K.array().log().sum() + log_det_C -
                                 log_det_gram + e.dot(w));
    density.gradient.mean.row(row) = w.transpose();
    for (Index i = 0; i < n; ++i) {
      const double outside = m > 0 ? half.col(i).squaredNorm() : 0.0;
      density.gradient.standard_deviation(row, i) =
          -standard_deviation(row, i) * (K[i] - outside - w[i] * w[i]);
    }
  }
  return density;
}

HeadLoss::HeadLoss(const TrainingOptions& options, RowMatrix A, std::vector<Index> active, int threads)
    : strategy_(trained_as(options.strategy)),
      loss_(options.loss),
      network_(options.network),
      A_(std::move(A)),
      scale_(Eigen::VectorXd::Ones(static_cast<Index>(active.size()))),
      active_(std::move(active)),
      batch_{threads} {
  if (A_.rows() == 0) strategy_ = Strategy::none;  // without laws all strategies are one
}

Eigen::VectorXd HeadLoss::operator()(const Eigen::Ref<const RowMatrix>& h, const Eigen::Ref<const RowMatrix>& y,
                                     const Eigen::Ref<const RowMatrix>& d, RowMatrix* h_bar) const {
  const Index rows = h.rows(), outputs = h.cols() / 2, n = static_cast<Index>(active_.size());
  const HeadValues head = head_values(h, active_, network_);
  const RowMatrix &mean = head.mean, &sd = head.standard_deviation;
  Eigen::VectorXd value;
  RowMatrix mean_bar, sd_bar;  // of each row's own loss

  if (loss_ == Loss::crps) {
    const Marginals law = constrained_marginals(strategy_, A_, scale_, mean, sd, d, batch_.threads);
    const GaussianCrps crps = gaussian_crps(law.mean, law.variance, y, batch_);
    value = crps.value.rowwise().mean();
    if (h_bar) {
      const double share = 1.0 / static_cast<double>(n);
      const RowMatrix m_bar = share * crps.mean_bar, v_bar = share * crps.variance_bar;
      if (strategy_ == Strategy::conditional) {
        GaussianGradient gradient = conditional_moments_adjoint(A_, mean, sd, d, m_bar, v_bar, batch_);
        mean_bar = std::move(gradient.mean);
        sd_bar = std::move(gradient.standard_deviation);
      } else if (strategy_ == Strategy::projection) {
        mean_bar = orthogonal_projection_adjoint(A_, scale_, m_bar);
        sd_bar = projected_variance_adjoint(A_, scale_, sd, v_bar);
      } else {
        mean_bar = m_bar;
        sd_bar = 2.0 * sd.cwiseProduct(v_bar);
      }
    }
  } else {
    LogDensity density;
    if (strategy_ == Strategy::conditional) {
      density = conditional_log_density(A_, mean, sd, d, y, h_bar != nullptr, batch_);
    } else if (strategy_ == Strategy::projection) {
      density = null_space_log_density_with_gradient(A_, mean, sd, y);
    } else {
      const RowMatrix z = (y - mean).cwiseQuotient(sd);
      density.value = -0.5 * (z.array().square() + 2.0 * sd.array().log() + log_two_pi).rowwise().sum();
      density.gradient.mean = z.cwiseQuotient(sd);
      density.gradient.standard_deviation = ((z.array().square() - 1.0) / sd.array()).matrix();
    }
    value = -density.value;
    if (h_bar) {
      mean_bar = -density.gradient.mean;
      sd_bar = -density.gradient.standard_deviation;
    }
  }

  if (h_bar) {
    const double share = 1.0 / static_cast<double>(rows);
    h_bar->setZero(rows, 2 * outputs);
    for (Index j = 0; j < n; ++j) {
      const Index i = active_[static_cast<std::size_t>(j)];
      h_bar->col(i) = share * mean_bar.col(j);
      h_bar->col(outputs + i) = share * sd_bar.col(j).cwiseProduct(head.slope.col(j));
    }
  }
  return value;
}

}  // namespace lavoisier::detail
