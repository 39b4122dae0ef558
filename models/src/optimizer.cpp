#include "optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace lavoisier::detail {

double learning_rate(const TrainingOptions& options, std::int64_t step, std::int64_t steps) {
  double rate = options.learning_rate;
  if (options.schedule == "cosine") {
    const double phase = static_cast<double>(step) / static_cast<double>(steps);
    rate = options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * phase));
  }
  if (step < options.warm_up) rate *= static_cast<double>(step + 1) / static_cast<double>(options.warm_up);
  return rate;
}

double plateau_factor(const TrainingOptions& options, std::span<const TrainingProgress> history) {
  if (options.schedule != "plateau") return 1.0;
  double factor = 1.0, best = std::numeric_limits<double>::infinity();
  std::int64_t waited = 0;
  for (const TrainingProgress& epoch : history) {
    if (epoch.validation_loss < best) {
      best = epoch.validation_loss;
      waited = 0;
    } else if (++waited == options.patience) {
      factor *= 0.5;
      waited = 0;
    }
  }
  return factor;
}

double clip(std::span<float> gradient, double largest) {
  double square = 0.0;
  for (const float value : gradient) square += static_cast<double>(value) * static_cast<double>(value);
  const double norm = std::sqrt(square);
  if (norm > largest)
    for (float& value : gradient) value = static_cast<float>(static_cast<double>(value) * (largest / norm));
  return norm;
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
