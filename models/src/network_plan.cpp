#include "network_plan.hpp"

#include "plan_builder.hpp"

#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lavoisier::detail {
namespace {

random::Key key_of(std::uint64_t seed, TrainingStream stream) { return {seed, static_cast<std::uint64_t>(stream)}; }

}  // namespace

std::int64_t Parameter::elements() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t NetworkPlan::columns() const {
  return std::accumulate(more.begin(), more.end(), inputs, [](std::int64_t sum, const Port& port) { return sum + port.width; });
}

void NetworkPlan::share_deviations() {
  Parameter& weight = parameters[parameters.size() - 2];
  weight.fixed_from = weight.shape[0] / 2;
}

void NetworkPlan::hold_fixed(std::span<float> gradient) const {
  for (const Parameter& parameter : parameters)
    if (!parameter.fixed.empty()) {
      std::fill_n(gradient.begin() + parameter.offset, parameter.elements(), 0.0F);
    } else if (parameter.fixed_from >= 0) {
      const std::int64_t kept = parameter.fixed_from * (parameter.elements() / parameter.shape[0]);
      std::fill_n(gradient.begin() + parameter.offset + kept, parameter.elements() - kept, 0.0F);
    }
}

NetworkPlan plan_mlp(const MlpOptions& options, std::int64_t inputs, std::int64_t outputs) {
  const NetworkPlan names;
  PlanBuilder builder("", {{names.input, inputs}});
  const std::string skip = options.linear_skip ? builder.dense(names.input, outputs) : std::string();
  const std::string last = builder.mlp(options, names.input, outputs);
  if (options.linear_skip) builder.add(skip, last);
  NetworkPlan plan = std::move(builder).finish(names.output);
  if (options.linear_skip)
    for (std::size_t i = 0; i < 2; ++i) {
      plan.parameters[i].fixed_from = 0;
      plan.parameters[i].decays = false;
    }
  return plan;
}

std::vector<double> initial_weights(const NetworkPlan& plan, const MlpOptions& options, std::uint64_t seed,
                                    std::uint64_t first, bool head) {
  std::vector<double> weights(static_cast<std::size_t>(plan.size), 0.0);
  const random::Key key = key_of(seed, TrainingStream::weights);
  const bool torch = options.initialization == "torch";
  for (std::size_t index = 0; index < plan.parameters.size(); ++index) {
    const Parameter& parameter = plan.parameters[index];
    double* values = weights.data() + parameter.offset;
    if (!parameter.fixed.empty()) {
      std::copy(parameter.fixed.begin(), parameter.fixed.end(), values);
      continue;
    }
    const bool weight = parameter.name.ends_with(".weight") || parameter.shape.size() > 1;
    if (parameter.fan_in == 0) {
      std::fill_n(values, parameter.elements(), weight ? 1.0 : 0.0);  // layer_norm
      continue;
    }
    if (!weight && !torch) continue;
    const bool last = index + 2 >= plan.parameters.size();
    const double gain = torch ? 1.0 / 3.0 : options.initialization == "he" && !last ? 2.0 : 1.0;
    const double bound = std::sqrt(3.0 * gain / static_cast<double>(parameter.fan_in));
    for (std::int64_t element = 0; element < parameter.elements(); ++element) {
      const auto words = random::words(key, {.column = first + index, .element = static_cast<std::uint64_t>(element)});
      values[element] = bound * (2.0 * random::uniform_open_right(words[0]) - 1.0);
    }
  }
  if (!torch && head) {
    const double above = options.initial_deviation - options.floor;
    const double raw = options.parametrization == "exp" ? std::log(above) : std::log(std::expm1(above));
    const Parameter& bias = plan.parameters.back();
    const std::int64_t half = bias.elements() / 2;
    std::fill_n(weights.begin() + bias.offset + half, half, raw);
  }
  return weights;
}

std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed, std::int64_t epoch) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const random::Key key = key_of(seed, TrainingStream::shuffle);
  for (std::int64_t at = count - 1; at > 0; --at) {
    const auto words = random::words(
        key, {.column = static_cast<std::uint64_t>(epoch), .element = static_cast<std::uint64_t>(at)});
    // The high word of a product: uniform on 0..at up to 2^-64 * count.
    __extension__ using Wide = unsigned __int128;
    const auto other = static_cast<std::size_t>((static_cast<Wide>(words[0]) * static_cast<Wide>(at + 1)) >> 64);
    std::swap(order[static_cast<std::size_t>(at)], order[other]);
  }
  return order;
}

void dropout_factors(std::span<float> factors, double share, std::uint64_t seed, std::int64_t step, std::int64_t layer,
                     std::int64_t first) {
  // 16 bits decide about one element, so that one Philox call serves sixteen.
  const auto threshold = static_cast<std::uint64_t>(std::lround(share * 65536.0));
  const float kept = static_cast<float>(65536.0 / (65536.0 - static_cast<double>(threshold)));
  const random::Key key = key_of(seed, TrainingStream::dropout);
  for (std::size_t done = 0; done < factors.size();) {
    const std::size_t place = static_cast<std::size_t>(first) + done, begin = place % 16;
    const auto words = random::words(key, {.column = static_cast<std::uint64_t>(step),
                                           .step = static_cast<std::uint64_t>(layer),
                                           .element = place / 16});
    const std::size_t end = std::min<std::size_t>(16, begin + factors.size() - done);
    for (std::size_t i = begin; i < end; ++i)
      factors[done++] = ((words[i / 4] >> (16 * (i % 4))) & 0xffffU) < threshold ? 0.0F : kept;
  }
}

void add_input_noise(std::span<float> inputs, double deviation, std::uint64_t seed, std::int64_t step,
                     std::int64_t first) {
  const random::Key key = key_of(seed, TrainingStream::input_noise);
  for (std::size_t i = 0; i < inputs.size(); ++i)
    inputs[i] += static_cast<float>(
        deviation * random::normal(key, {.column = static_cast<std::uint64_t>(step),
                                         .element = static_cast<std::uint64_t>(first) + i}));
}

}  // namespace lavoisier::detail
