#ifndef LAVOISIER_MODELS_HEAD_LOSS_HPP
#define LAVOISIER_MODELS_HEAD_LOSS_HPP

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/training.hpp>

#include <vector>

namespace lavoisier::detail {

/// Mean and standard deviation in standardised units from the head's raw values: mean_i = h_i,
/// standard_deviation_i = floor + f(h_{n+i}); `slope` is f'. Columns are those of `active` alone.
struct HeadValues {
  RowMatrix mean, standard_deviation, slope;
};
HeadValues head_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<Eigen::Index>& active,
                       const MlpOptions& options);

/// Gaussian marginals after the strategy's treatment of N(mean, diag(standard_deviation^2)). `scale` is the metric of
/// projection (standardised units: ones). Any units, as long as A, d and scale agree with them.
struct Marginals {
  RowMatrix mean, variance;
};
Marginals constrained_marginals(Strategy strategy, const RowMatrix& A, const Eigen::VectorXd& scale,
                                const RowMatrix& mean, const RowMatrix& standard_deviation, const RowMatrix& d,
                                int threads);

/// The training loss as a function of the head's raw values, everything in standardised units and FP64.
///
/// crps: the mean over outputs of the closed-form CRPS of the strategy's marginals.
/// likelihood: minus the log density: of the plain diagonal Gaussian for none and post_hoc (n numbers), of the
/// conditional law for conditional, of the null-space coordinates for projection (n - m numbers: its density is
/// degenerate across the laws). Losses of different strategies are therefore not to be compared by value.
class HeadLoss {
 public:
  /// A: laws on the active outputs, standardised units (rows x active); `active`: which of the head's outputs vary.
  HeadLoss(const TrainingOptions& options, RowMatrix A, std::vector<Eigen::Index> active, int threads);

  /// Loss of each row; with `h_bar` (same shape as h) also the gradient of the rows' mean. y, d: rows x active,
  /// rows x laws.
  Eigen::VectorXd operator()(const Eigen::Ref<const RowMatrix>& h, const Eigen::Ref<const RowMatrix>& y,
                             const Eigen::Ref<const RowMatrix>& d, RowMatrix* h_bar) const;

 private:
  Strategy strategy_;
  Loss loss_;
  MlpOptions network_;
  RowMatrix A_;
  Eigen::VectorXd scale_;
  std::vector<Eigen::Index> active_;
  BatchOptions batch_;
};

}  // namespace lavoisier::detail

#endif
