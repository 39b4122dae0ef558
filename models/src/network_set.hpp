#ifndef LAVOISIER_MODELS_NETWORK_SET_HPP
#define LAVOISIER_MODELS_NETWORK_SET_HPP

#include "network.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

namespace lavoisier::detail {

/// Networks that are trained together: one flat vector of weights, one of gradients.
template <class Real>
class NetworkSet {
 public:
  explicit NetworkSet(std::vector<NetworkPlan> plans) : plans_(std::move(plans)) {
    for (const NetworkPlan& plan : plans_) {
      first_.push_back(joined_.parameters.size());
      for (Parameter parameter : plan.parameters) {
        parameter.offset += joined_.size;
        joined_.parameters.push_back(std::move(parameter));
      }
      joined_.size += plan.size;
    }
    weights_.resize(static_cast<std::size_t>(joined_.size));
    gradient_.resize(weights_.size());
    std::size_t offset = 0;
    for (const NetworkPlan& plan : plans_) {
      const auto size = static_cast<std::size_t>(plan.size);
      networks_.emplace_back(plan, std::span<Real>(weights_).subspan(offset, size),
                             std::span<Real>(gradient_).subspan(offset, size));
      offset += size;
    }
  }
  NetworkSet(const NetworkSet&) = delete;
  NetworkSet& operator=(const NetworkSet&) = delete;

  Network<Real>& operator[](std::size_t i) { return networks_[i]; }
  const NetworkPlan& plan(std::size_t i) const { return plans_[i]; }
  std::size_t size() const { return plans_.size(); }
  /// Its parameters alone: of all networks, counted in the flat vector.
  const NetworkPlan& joined() const noexcept { return joined_; }
  std::span<Real> weights() noexcept { return weights_; }
  std::span<Real> gradient() noexcept { return gradient_; }
  /// Where a network's weights stand in the flat vector.
  std::span<const float> part(std::size_t i, std::span<const float> all) const {
    const auto offset = static_cast<std::size_t>(joined_.parameters[first_[i]].offset);
    return all.subspan(offset, static_cast<std::size_t>(plans_[i].size));
  }
  void initialise(std::size_t i, const MlpOptions& options, std::uint64_t seed, bool head) {
    const std::vector<double> start = initial_weights(plans_[i], options, seed, first_[i], head);
    std::transform(start.begin(), start.end(), networks_[i].weights().begin(),
                   [](double weight) { return static_cast<Real>(weight); });
  }

 private:
  std::vector<NetworkPlan> plans_;
  NetworkPlan joined_;
  std::vector<std::size_t> first_;  ///< parameter of each plan
  std::vector<Real> weights_, gradient_;
  std::vector<Network<Real>> networks_;
};

}  // namespace lavoisier::detail

#endif
