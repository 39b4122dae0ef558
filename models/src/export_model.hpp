#ifndef LAVOISIER_MODELS_EXPORT_MODEL_HPP
#define LAVOISIER_MODELS_EXPORT_MODEL_HPP

#include "network_plan.hpp"
#include "training_data.hpp"

#include <map>
#include <span>
#include <string>

namespace lavoisier::detail {

/// The model file of a network with these weights: graph, tensors, training ranges, laws, head as docs/model-file.md says.
/// `dependent`: of completion, places among the active outputs.
ModelFile export_model(const SampleSet& samples, const LinearConstraints& constraints, const TrainingOptions& options,
                       const TrainingData& data, const std::vector<Eigen::Index>& dependent, const NetworkPlan& plan,
                       std::span<const float> weights,
                       std::map<std::string, std::string> provenance);

}  // namespace lavoisier::detail

#endif
