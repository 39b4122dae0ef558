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
  constexpr float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;
  const auto step_size = static_cast<float>(rate / (1.0 - std::pow(0.9, t)));
  const auto inverse_root = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(0.999, t)));
  const auto moved = static_cast<float>(1.0 - std::min(ema_, (1.0 + t) / (10.0 + t)));
  if (step == 0 && !average.empty()) std::copy(weights.begin(), weights.end(), average.begin());
  for (const Parameter& parameter : parameters_) {
    const auto shrink = static_cast<float>(parameter.decays ? 1.0 - rate * decay_ : 1.0);
    const std::int64_t begin = parameter.offset, count = parameter.elements();
    float* const w = weights.data() + begin;
    float* const m = first.data() + begin;
    float* const v = second.data() + begin;
    const float* const g = gradient.data() + begin;
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] = beta1 * m[i] + (1.0F - beta1) * g[i];
      v[i] = beta2 * v[i] + (1.0F - beta2) * g[i] * g[i];
      w[i] = shrink * w[i] - step_size * m[i] / (std::sqrt(v[i]) * inverse_root + epsilon);
    }
    if (!average.empty()) {
      float* const a = average.data() + begin;
      for (std::int64_t i = 0; i < count; ++i) a[i] += moved * (w[i] - a[i]);
    }
  }
}

}  // namespace lavoisier::detail
