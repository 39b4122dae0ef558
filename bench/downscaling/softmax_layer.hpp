#ifndef LAVOISIER_BENCH_SOFTMAX_LAYER_HPP
#define LAVOISIER_BENCH_SOFTMAX_LAYER_HPP

// The softmax constraint layer of Harder et al. (2023, Hard-constrained deep learning for climate downscaling, J. Mach.
// Learn. Res. 24, eq. 7) with a Gaussian before it, to compare with: y_i = L + (d - L) exp(l_i) / sum_j a_j exp(l_j) for
// one law a y = d with positive a of sum 1. It is for quantities above a bound L. The logits l_i = z_i / (d - L) are heights in units
// of the block's own, so that for small z it is the additive layer to first order; a network's heights need no other scale.

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/training.hpp>

#include <cstdint>
#include <vector>

namespace lavoisier::bench {

struct SoftmaxDraws {
  std::vector<RowMatrix> members;  ///< physical units, samples x outputs
  double training_seconds = 0.0;
  std::int64_t best_epoch = 0;
};

/// Trains the network that `options` names (mlp, Gaussian head) behind the layer by the fair CRPS of options.draws draws a
/// sample, pathwise gradients, with the library's own optimiser, schedule, shuffling and selection, and draws `members` for `of`.
/// Error(unsupported) for anything but one law.
SoftmaxDraws train_softmax(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                           const SampleSet& of, int members);

}  // namespace lavoisier::bench

#endif
