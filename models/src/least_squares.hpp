#ifndef LAVOISIER_MODELS_LEAST_SQUARES_HPP
#define LAVOISIER_MODELS_LEAST_SQUARES_HPP

#include "training_data.hpp"

namespace lavoisier::detail {

/// y ~ weight x + bias, standardised units.
struct LinearFit {
  RowMatrix weight;  ///< outputs x inputs; rows of constant outputs are zero
  RowMatrix bias;    ///< 1 x outputs
};

/// Least squares over the training rows, in their order, FP64. Inputs that depend on each other linearly are shared between
/// by a ridge of 1e-7 of their variance.
LinearFit least_squares(const TrainingData& data, Eigen::Index inputs, Eigen::Index outputs);

}  // namespace lavoisier::detail

#endif
