#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_RECOVERY_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_RECOVERY_HPP

#include "samples.hpp"

#include <lavoisier/conditional_gaussian.hpp>

namespace lavoisier::test {

/// An `mlp` on synthetic(12000). With as many samples, what is left is the trainer's own error, no longer that of the
/// estimate.
inline TrainingOptions recovery_options(Loss loss) {
  TrainingOptions options;
  options.strategy = Strategy::conditional;
  options.loss = loss;
  options.network.hidden = {32};
  // From a deviation far below the law's the likelihood's first gradients are so large that Adam takes hundreds of
  // epochs to forget them.
  options.network.initial_deviation = 1.0;
  options.epochs = 40;
  options.batch = 100;
  options.learning_rate = 1e-2;
  options.threads = 1;
  return options;
}

/// CRPS of the predicted marginals over all samples, each output in its deviation, against that of the exact ones.
inline Figure marginal_crps(const Synthetic& problem, const PredictedMarginals& found) {
  const RowMatrix y = outputs_of(problem.samples), exact = problem.variance.transpose().replicate(y.rows(), 1);
  const Eigen::RowVectorXd weight = problem.variance.transpose().cwiseSqrt().cwiseInverse();
  const auto mean = [&](const RowMatrix& m, const RowMatrix& v) {
    return (gaussian_crps(m, v, y).value.array().rowwise() * weight.array()).mean();
  };
  return {mean(found.mean, found.variance), mean(problem.mean, exact)};
}

}  // namespace lavoisier::test

#endif
