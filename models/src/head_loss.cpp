#include "head_loss.hpp"

#include "network_plan.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/exact_losses.hpp>
#include <lavoisier/l1_projection.hpp>
#include <lavoisier/projected_losses.hpp>
#include <lavoisier/sampled_losses.hpp>

#include <algorithm>
#include <utility>

namespace lavoisier::detail {
namespace {

using Eigen::Index;

/// The strategy by which the network is trained: post_hoc trains as none; for a diagonal Gaussian the variance projection is
/// the conditional law.
Strategy trained_as(Strategy strategy) {
  if (strategy == Strategy::post_hoc) return Strategy::none;
  return strategy == Strategy::variance_projection ? Strategy::conditional : strategy;
}

}  // namespace

HeadValues head_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<Index>& active,
                       const MlpOptions& options, bool one_deviation) {
  const Index rows = h.rows(), n = h.cols() / 2, count = static_cast<Index>(active.size());
  const Index deviations = one_deviation ? std::min<Index>(rows, 1) : rows;
  const bool softplus = options.parametrization == "softplus", all = count == n;
  HeadValues values{RowMatrix(rows, count), RowMatrix(deviations, count), RowMatrix(deviations, count)};
  const auto take = [&](const double* from, double* to) {
    if (all) std::copy_n(from, n, to);
    for (Index j = 0; j < count && !all; ++j) to[j] = from[active[static_cast<std::size_t>(j)]];
  };
  for (Index row = 0; row < rows; ++row) take(h.data() + row * h.outerStride(), values.mean.data() + row * count);
  for (Index row = 0; row < deviations; ++row) {
    double* deviation = values.standard_deviation.data() + row * count;
    double* slope = values.slope.data() + row * count;
    take(h.data() + row * h.outerStride() + n, deviation);
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
  const BatchOptions options{threads};
  if (!descriptor(strategy).holds_laws || d.cols() == 0) return {mean, standard_deviation.array().square().matrix()};
  switch (strategy) {
    case Strategy::l1_layer: {
      L1Projection at = l1_projection(A, scale, mean, d, options);
      ProjectedMoments piece = projected_moments(A, at.scale, mean, standard_deviation, d, options);
      return {std::move(at.y), std::move(piece.variance)};
    }
    case Strategy::completion:
    case Strategy::projection: {
      ProjectedMoments moments = projected_moments(A, scale.transpose(), mean, standard_deviation, d, options);
      return {std::move(moments.mean), std::move(moments.variance)};
    }
    default: {
      ConditionalMoments moments = conditional_moments(A, mean, standard_deviation, d, options);
      return {std::move(moments.mean), std::move(moments.variance)};
    }
  }
}

HeadLoss::HeadLoss(const TrainingOptions& options, RowMatrix A, Index laws, std::vector<Index> active,
                   const std::vector<Index>& dependent, int threads)
    : strategy_(trained_as(options.strategy)),
      loss_(options.loss),
      penalty_weight_(options.penalty_weight),
      network_(options.network),
      A_(std::move(A)),
      laws_(laws),
      scale_(Eigen::VectorXd::Ones(static_cast<Index>(active.size()))),
      metric_(dependent.empty() ? scale_ : completion_scale(scale_, dependent)),
      active_(std::move(active)),
      batch_{threads} {
  estimator_.estimator = options.estimator;
  estimator_.draws = options.draws;
  estimator_.seed = options.seed;
  estimator_.stream = static_cast<std::uint64_t>(TrainingStream::draws);
  if (laws_ == 0) strategy_ = Strategy::none;  // without laws all strategies are one
  if (strategy_ == Strategy::l1_layer && !dependent.empty()) strategy_ = Strategy::completion;  // one shared law
}

bool HeadLoss::takes_one_deviation() const {
  const bool of_law = strategy_ == Strategy::conditional || strategy_ == Strategy::variance_projection;
  return network_.deviation == "shared" && (of_law || strategy_ == Strategy::none) &&
         (loss_ == Loss::crps || loss_ == Loss::likelihood);
}

BatchLoss HeadLoss::loss(const RowMatrix& A, const RowMatrix& mean, const RowMatrix& sd,
                         const Eigen::Ref<const RowMatrix>& y, const Eigen::Ref<const RowMatrix>& d) const {
  switch (strategy_) {
    case Strategy::conditional:
    case Strategy::variance_projection:
      if (loss_ == Loss::crps) return conditional_crps_loss(A, mean, sd, d, y, scale_, batch_);
      if (loss_ == Loss::likelihood) return conditional_likelihood_loss(A, mean, sd, d, y, batch_);
      if (loss_ == Loss::energy) return conditional_energy_loss(A, mean, sd, d, y, scale_, batch_);
      return conditional_mean_squared_error_loss(A, mean, sd, d, y, scale_, batch_);
    case Strategy::projection:
    case Strategy::completion:
      if (loss_ == Loss::crps) return projected_crps_loss(A, metric_.transpose(), mean, sd, d, y, scale_, batch_);
      if (loss_ == Loss::likelihood) return projected_likelihood_loss(A, metric_.transpose(), mean, sd, d, y, batch_);
      return projected_squared_error_loss(A, metric_.transpose(), mean, d, y, scale_, batch_);
    case Strategy::l1_layer: {
      // Each sample's mean has its own linear piece of the map, held fixed in the gradient.
      require_admitted(strategy_, loss_);
      const L1Projection at = l1_projection(A, scale_, mean, d, batch_);
      RowMatrix metric = at.scale;
      for (Index row = 0; row < metric.rows(); ++row)
        if (at.status[static_cast<std::size_t>(row)] != Status::ok) metric.row(row).setZero();
      return projected_squared_error_loss(A, metric, mean, d, y, scale_, batch_);
    }
    case Strategy::none:
    case Strategy::penalty:
    case Strategy::post_hoc:
      break;
  }
  BatchLoss plain = loss_ == Loss::crps         ? gaussian_crps_loss(mean, sd, y, scale_, batch_)
                    : loss_ == Loss::likelihood ? gaussian_likelihood_loss(mean, sd, y, batch_)
                    : loss_ == Loss::energy ? conditional_energy_loss(RowMatrix(0, mean.cols()), mean, sd,
                                                                      RowMatrix(mean.rows(), 0), y, scale_, batch_)
                                                : gaussian_squared_error_loss(mean, y, scale_, batch_);
  if (strategy_ == Strategy::penalty) add_law_penalty(plain, A, mean, d, penalty_weight_);
  return plain;
}

BatchLoss HeadLoss::sampled(const RowMatrix& A, const RowMatrix& mean, const RowMatrix& sd,
                            const Eigen::Ref<const RowMatrix>& y, const Eigen::Ref<const RowMatrix>& d,
                            const DrawAddress& draws) const {
  EstimatorOptions options = estimator_;
  options.step = draws.step;
  options.sample_ids = draws.samples;
  const SampleScore score = loss_ == Loss::crps ? SampleScore::crps : SampleScore::energy;
  return laws_ == 0 ? estimate_score_gradient(RowMatrix(0, mean.cols()), mean, sd, d, y, scale_, score, options, batch_)
                    : estimate_score_gradient(A, mean, sd, d, y, scale_, score, options, batch_);
}

Eigen::VectorXd HeadLoss::operator()(const Eigen::Ref<const RowMatrix>& h, const Eigen::Ref<const RowMatrix>& y,
                                     const Eigen::Ref<const RowMatrix>& d, RowMatrix* h_bar, const RowMatrix& A,
                                     const DrawAddress& draws) const {
  const Index rows = h.rows(), outputs = h.cols() / 2, n = static_cast<Index>(active_.size());
  const RowMatrix& laws = A_.rows() > 0 ? A_ : A;
  const bool exact = estimator_.estimator == Estimator::exact || h_bar == nullptr;
  const bool one_deviation = exact && A.rows() == 0 && takes_one_deviation();
  const HeadValues head = head_values(h, active_, network_, one_deviation);
  BatchLoss found = exact ? loss(laws, head.mean, head.standard_deviation, y, d)
                          : sampled(laws, head.mean, head.standard_deviation, y, d, draws);
  if (h_bar) {
    const double share = 1.0 / static_cast<double>(rows);
    if (n < outputs)
      h_bar->setZero(rows, 2 * outputs);
    else
      h_bar->resize(rows, 2 * outputs);
    for (Index row = 0; row < rows; ++row) {
      double* to = h_bar->data() + row * 2 * outputs;
      const double* mean_bar = found.gradient.mean.data() + row * n;
      if (n == outputs)
        for (Index j = 0; j < n; ++j) to[j] = share * mean_bar[j];
      else
        for (Index j = 0; j < n; ++j) to[active_[static_cast<std::size_t>(j)]] = share * mean_bar[j];
      to += outputs;
      if (row >= head.slope.rows()) {
        std::fill_n(to, outputs, 0.0);
        continue;
      }
      const double* deviation_bar = found.gradient.standard_deviation.data() + row * n;
      const double* slope = head.slope.data() + row * n;
      if (n == outputs)
        for (Index j = 0; j < n; ++j) to[j] = share * deviation_bar[j] * slope[j];
      else
        for (Index j = 0; j < n; ++j) to[active_[static_cast<std::size_t>(j)]] = share * deviation_bar[j] * slope[j];
    }
  }
  return std::move(found.value);
}

}  // namespace lavoisier::detail
