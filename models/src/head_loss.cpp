#include "head_loss.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/training_losses.hpp>

#include <algorithm>
#include <utility>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

/// The law by which the network is trained: post_hoc trains as none.
Strategy trained_as(Strategy strategy) { return strategy == Strategy::post_hoc ? Strategy::none : strategy; }

}  // namespace

HeadValues head_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<Index>& active, const MlpOptions& options) {
  const Index rows = h.rows(), n = h.cols() / 2, count = static_cast<Index>(active.size());
  const bool softplus = options.parametrization == "softplus", all = count == n;
  HeadValues values{RowMatrix(rows, count), RowMatrix(rows, count), RowMatrix(rows, count)};
  for (Index row = 0; row < rows; ++row) {
    const double* from = h.data() + row * h.outerStride();
    double* mean = values.mean.data() + row * count;
    double* deviation = values.standard_deviation.data() + row * count;
    double* slope = values.slope.data() + row * count;
    if (all) {
      std::copy_n(from, n, mean);
      std::copy_n(from + n, n, deviation);
    } else {
      for (Index j = 0; j < count; ++j) {
        mean[j] = from[active[static_cast<std::size_t>(j)]];
        deviation[j] = from[n + active[static_cast<std::size_t>(j)]];
      }
    }
    // Functions of our own: loops over them are vectorised.
    if (softplus) {
      for (Index j = 0; j < count; ++j) slope[j] = elementary::sigmoid(deviation[j]);
      for (Index j = 0; j < count; ++j) deviation[j] = options.floor + elementary::log1p_exp(deviation[j]);
    } else {
      for (Index j = 0; j < count; ++j) slope[j] = elementary::exp(deviation[j]);
      for (Index j = 0; j < count; ++j) deviation[j] = options.floor + slope[j];
    }
  }
  return values;
}

Marginals constrained_marginals(Strategy strategy, const RowMatrix& A, const Eigen::VectorXd& scale,
                                const RowMatrix& mean, const RowMatrix& standard_deviation, const RowMatrix& d,
                                int threads) {
  if (strategy == Strategy::none || A.rows() == 0) return {mean, standard_deviation.array().square().matrix()};
  if (strategy == Strategy::projection) {
    // A scale of zero marks a constant output: it stays, and its terms go to the right-hand side.
    std::vector<Index> moving;
    Eigen::VectorXd still = Eigen::VectorXd::Zero(scale.size());
    for (Index i = 0; i < scale.size(); ++i)
      if (scale[i] > 0.0)
        moving.push_back(i);
      else
        still[i] = 1.0;
    Marginals law{mean, standard_deviation.array().square().matrix()};
    const RowMatrix rest = d - mean * still.asDiagonal() * A.transpose();
    const RowMatrix A_moving = A(Eigen::all, moving);
    const Eigen::VectorXd metric = scale(moving);
    law.mean(Eigen::all, moving) = orthogonal_projection(A_moving, metric, mean(Eigen::all, moving), rest);
    law.variance(Eigen::all, moving) = projected_variance(A_moving, metric, standard_deviation(Eigen::all, moving));
    return law;
  }
  ConditionalMoments moments = conditional_moments(A, mean, standard_deviation, d, {threads});
  return {std::move(moments.mean), std::move(moments.variance)};
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
  const bool crps = loss_ == Loss::crps;
  BatchLoss loss;
  switch (strategy_) {
    case Strategy::conditional:
      loss = crps ? conditional_crps_loss(A_, mean, sd, d, y, scale_, batch_)
                  : conditional_likelihood_loss(A_, mean, sd, d, y, batch_);
      break;
    case Strategy::projection:
      loss = crps ? projected_crps_loss(A_, scale_, mean, sd, d, y, scale_, batch_)
                  : projected_likelihood_loss(A_, scale_, mean, sd, y, batch_);
      break;
    case Strategy::none:
    case Strategy::post_hoc:
      loss = crps ? gaussian_crps_loss(mean, sd, y, scale_, batch_) : gaussian_likelihood_loss(mean, sd, y, batch_);
      break;
  }

  if (h_bar) {
    const double share = 1.0 / static_cast<double>(rows);
    if (n < outputs)
      h_bar->setZero(rows, 2 * outputs);
    else
      h_bar->resize(rows, 2 * outputs);
    for (Index row = 0; row < rows; ++row) {
      double* to = h_bar->data() + row * 2 * outputs;
      const double* mean_bar = loss.gradient.mean.data() + row * n;
      const double* deviation_bar = loss.gradient.standard_deviation.data() + row * n;
      const double* slope = head.slope.data() + row * n;
      if (n == outputs) {
        for (Index j = 0; j < n; ++j) to[j] = share * mean_bar[j];
        for (Index j = 0; j < n; ++j) to[n + j] = share * deviation_bar[j] * slope[j];
      } else {
        for (Index j = 0; j < n; ++j) {
          const Index i = active_[static_cast<std::size_t>(j)];
          to[i] = share * mean_bar[j];
          to[outputs + i] = share * deviation_bar[j] * slope[j];
        }
      }
    }
  }
  return std::move(loss.value);
}

}  // namespace lavoisier::detail
