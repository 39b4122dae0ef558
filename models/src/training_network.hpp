#ifndef LAVOISIER_MODELS_TRAINING_NETWORK_HPP
#define LAVOISIER_MODELS_TRAINING_NETWORK_HPP

#include "network.hpp"
#include "small_network.hpp"

#include <variant>

namespace lavoisier::detail {

/// The network that is trained, run by what is faster for it: our own loops for small steps (`loops`), LibTorch for the
/// rest. The choice depends on plan and batch alone: the same on every machine and for any number of threads.
class TrainingNetwork {
 public:
  TrainingNetwork(const NetworkPlan& plan, std::int64_t batch) : TrainingNetwork(plan, runs_in_loops(plan, batch)) {}
  TrainingNetwork(const NetworkPlan& plan, bool loops) : network_(make(plan, loops)) {}

  /// Weights times rows of a batch. On one thread the loops break even at about 8e6 (docs/method.md, "Training");
  /// LibTorch also spreads larger steps over threads.
  static constexpr double most_work = 4e6;
  static bool runs_in_loops(const NetworkPlan& plan, std::int64_t batch) {
    return training_device() == "cpu" && static_cast<double>(plan.size) * static_cast<double>(batch) <= most_work && SmallNetwork<float>::runs(plan);
  }

  /// "loops" or "libtorch": the model file's provenance says it.
  const char* engine() const noexcept { return network_.index() == 0 ? "loops" : "libtorch"; }

  std::span<float> weights() noexcept {
    return std::visit([](auto& network) { return network.weights(); }, network_);
  }
  std::span<float> gradient() noexcept {
    return std::visit([](auto& network) { return network.gradient(); }, network_);
  }
  void evaluate(const float* x, std::int64_t rows, float* h) {
    std::visit([&](auto& network) { network.evaluate(x, rows, h); }, network_);
  }
  using Function = Network<float>::Function;
  double differentiate(const float* x, std::int64_t rows, const Function& loss, const Dropout& dropout) {
    return std::visit([&](auto& network) { return network.differentiate(x, rows, loss, dropout); }, network_);
  }

 private:
  using Either = std::variant<SmallNetwork<float>, Network<float>>;
  static Either make(const NetworkPlan& plan, bool loops) {
    if (loops) return Either(std::in_place_index<0>, plan);
    return Either(std::in_place_index<1>, plan);
  }
  Either network_;
};

}  // namespace lavoisier::detail

#endif
