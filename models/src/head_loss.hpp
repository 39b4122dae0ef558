#ifndef LAVOISIER_MODELS_HEAD_LOSS_HPP
#define LAVOISIER_MODELS_HEAD_LOSS_HPP

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/training.hpp>
#include <lavoisier/training_losses.hpp>

#include <vector>

namespace lavoisier::detail {

/// Mean and standard deviation in standardised units from the head's raw values: mean_i = h_i,
/// standard_deviation_i = floor + f(h_{n+i}); `slope` is f'. Columns are those of `active` alone. `one_deviation`: all
/// rows of h have the same raw deviations, and those of the first are taken, 1 x active.
struct HeadValues {
  RowMatrix mean, standard_deviation, slope;
};
HeadValues head_values(const Eigen::Ref<const RowMatrix>& h, const std::vector<Eigen::Index>& active,
                       const MlpOptions& options, bool one_deviation = false);

/// Marginals after the strategy's treatment of N(mean, diag(standard_deviation^2)). `scale` is the metric of projection,
/// completion (zero where an output is not dependent) and l1_layer; an output of scale zero stays. A: laws x n, or a block
/// a sample. Any units, as long as A, d and scale agree with them. A sample that fails has a NaN row.
struct Marginals {
  RowMatrix mean, variance;
};
Marginals constrained_marginals(Strategy strategy, const RowMatrix& A, const Eigen::VectorXd& scale,
                                const RowMatrix& mean, const RowMatrix& standard_deviation, const RowMatrix& d,
                                int threads);

/// What the random numbers of a step's rows depend on.
struct DrawAddress {
  std::uint64_t step = 0;
  std::vector<std::uint64_t> samples;  ///< an id a row; empty: 0, 1, ...
  std::int64_t first = 0;              ///< place of the first row in its batch
  std::int64_t batch = 0;              ///< rows of the batch; 0: these rows are all
  std::uint64_t lead = 0;              ///< id of the batch's first sample, where the rows are not all
};

/// The training loss as a function of the head's raw values, everything in standardised units and FP64.
///
/// crps: the mean over outputs of the closed-form CRPS of the strategy's marginals.
/// likelihood: minus the log density: of the plain diagonal Gaussian for none, penalty and post_hoc (n numbers), on the laws'
/// surface for the others (n - m numbers). Losses of different strategies are therefore not to be compared by value.
/// squared_error: of the constrained mean, mean over outputs.
/// energy: the energy score over all outputs, of the strategy's law.
/// A sampled estimator (conditional under crps and energy) gives gradients and their values; values alone are exact.
/// penalty adds penalty_weight times the squared residuals of the mean (rows of unit norm).
class HeadLoss {
 public:
  /// A: laws on the active outputs, standardised units (rows x active), empty where each call brings a stack; `active`:
  /// which of the head's outputs vary; `dependent`: of completion, places among them.
  HeadLoss(const TrainingOptions& options, RowMatrix A, Eigen::Index laws, std::vector<Eigen::Index> active,
           const std::vector<Eigen::Index>& dependent, int threads);

  /// Loss of each row; with `h_bar` (same shape as h) also the gradient of the rows' mean. y, d: rows x active,
  /// rows x laws. `A`: (rows * laws) x active where samples have their own coefficients. With network.deviation
  /// "shared" all rows of h have the same raw deviations; what they get of the gradient may then all stand in the first
  /// row's, for only its sum over the rows is of a weight.
  Eigen::VectorXd operator()(const Eigen::Ref<const RowMatrix>& h, const Eigen::Ref<const RowMatrix>& y,
                             const Eigen::Ref<const RowMatrix>& d, RowMatrix* h_bar, const RowMatrix& A = {},
                             const DrawAddress& draws = {}) const;

 private:
  /// Whether the loss takes one row of deviations for the batch: W, its factor and the gain are then computed once.
  bool takes_one_deviation() const;
  BatchLoss loss(const RowMatrix& A, const RowMatrix& mean, const RowMatrix& standard_deviation,
                 const Eigen::Ref<const RowMatrix>& y, const Eigen::Ref<const RowMatrix>& d) const;
  BatchLoss sampled(const RowMatrix& A, const RowMatrix& mean, const RowMatrix& standard_deviation,
                    const Eigen::Ref<const RowMatrix>& y, const Eigen::Ref<const RowMatrix>& d,
                    const DrawAddress& draws) const;

  Strategy strategy_;
  Loss loss_;
  EstimatorOptions estimator_;
  double penalty_weight_;
  MlpOptions network_;
  RowMatrix A_;
  Eigen::Index laws_;
  Eigen::VectorXd scale_, metric_;
  std::vector<Eigen::Index> active_;
  BatchOptions batch_;
};

}  // namespace lavoisier::detail

#endif
