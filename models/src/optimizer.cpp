#include "optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lavoisier::detail {

double learning_rate(const TrainingOptions& options, std::int64_t step, std::int64_t steps) {
  if (options.schedule == "constant") return options.learning_rate;
  const double phase = static_cast<double>(step) / static_cast<double>(steps);
  return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * phase));
}

Adam::Adam(const NetworkPlan& plan, const TrainingOptions& options)
    : first(static_cast<std::size_t>(plan.size)),
      second(static_cast<std::size_t>(plan.size)),
      parameters_(plan.parameters),
      decay_(options.weight_decay),
      ema_(options.ema) {
  if (ema_ > 0.0) average.resize(static_cast<std::size_t>(plan.size));
}

void Adam::update(std::span<float> weights, std::span<const float> gradient, std::int64_t step, double rate) {
  const double t = static_cast<double>(step + 1);
  const auto step_size = static_cast<float>(rate / (1.0 - std::pow(0.9, t)));
  const auto inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(0.999, t)));
  const auto moved = static_cast<float>(1.0 - std::min(ema_, (1.0 + t) / (10.0 + t)));
  if (step == 0 && !average.empty()) std::copy(weights.begin(), weights.end(), average.begin());
  // Neighbours that shrink alike are one run of the vector.
  for (std::size_t i = 0; i < parameters_.size();) {
    const std::int64_t begin = parameters_[i].offset;
    const bool decays = decay_ != 0.0 && parameters_[i].decays;
    std::int64_t end = begin;
    for (; i < parameters_.size() && (decay_ != 0.0 && parameters_[i].decays) == decays; ++i)
      end = parameters_[i].offset + parameters_[i].elements();
    kernels_.adam({weights.data() + begin, first.data() + begin, second.data() + begin, gradient.data() + begin,
                   average.empty() ? nullptr : average.data() + begin, end - begin,
                   static_cast<float>(decays ? 1.0 - rate * decay_ : 1.0), step_size, inverse_root, moved});
  }
}

}  // namespace lavoisier::detail
