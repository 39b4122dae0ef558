#ifndef LAVOISIER_MODELS_OPTIMIZER_HPP
#define LAVOISIER_MODELS_OPTIMIZER_HPP

#include "network_kernels.hpp"
#include "network_plan.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace lavoisier::detail {

/// Learning rate of a step: constant (plateau too), or base * (1 + cos(pi step / steps)) / 2; over the first `warm_up` steps
/// times (step + 1) / warm_up.
double learning_rate(const TrainingOptions& options, std::int64_t step, std::int64_t steps);
/// Of the schedule "plateau": 1/2 for each run of `patience` epochs without a better validation score; else 1.
double plateau_factor(const TrainingOptions& options, std::span<const TrainingProgress> history);
/// Shortens a gradient whose norm exceeds `largest`; the norm is summed in FP64 in index order. Returns the norm found.
double clip(std::span<float> gradient, double largest);

/// Adam (Kingma and Ba 2015; beta 0.9 and 0.999, epsilon 1e-8) with decoupled weight decay on matrices (Loshchilov and
/// Hutter 2019), and the running average of the weights, in one pass over flat vectors.
class Adam {
 public:
  Adam(const NetworkPlan& plan, const TrainingOptions& options);
  /// `step` counts from 0. The average starts short: its decay is at most (1 + t) / (10 + t), t = step + 1.
  void update(std::span<float> weights, std::span<const float> gradient, std::int64_t step, double rate);

  std::vector<float> first, second;  ///< moments
  std::vector<float> average;        ///< of the weights; empty without ema

 private:
  const KernelTable& kernels_ = network_kernels();
  std::vector<Parameter> parameters_;
  double decay_, ema_;
};

}  // namespace lavoisier::detail

#endif
