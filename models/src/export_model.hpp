#ifndef LAVOISIER_MODELS_EXPORT_MODEL_HPP
#define LAVOISIER_MODELS_EXPORT_MODEL_HPP

#include "generator.hpp"

#include <lavoisier/model_file.hpp>

#include <map>
#include <span>
#include <string>

namespace lavoisier::detail {

/// The model file of a trained generator: layout, laws, scalers, its graph, weights, provenance.
ModelFile export_model(const StateLayout& layout, const LinearConstraints& constraints, const GeneratorContext& context,
                       const Generator& generator, std::span<const float> weights,
                       std::map<std::string, std::string> provenance);

void add_vector(ModelFile& model, const std::string& name, const Eigen::VectorXd& values);
/// A plan's tensors, from its part of the weights; its operations are appended to `nodes`.
void append_plan(ModelFile& model, std::vector<GraphOperation>& nodes, const NetworkPlan& plan,
                 std::span<const float> weights);
/// From the raw values `raw` to the outputs: the Gaussian head, its draw at a site, the strategy's treatment of the
/// laws. `count` (may be empty): the value that says how many outputs are there; mean and deviation of the others are
/// 0.
void append_gaussian_head(ModelFile& model, const GeneratorContext& context, const std::string& raw, std::size_t site,
                          const std::string& count = {});
/// The head of mlp, whatever its family.
void append_head(ModelFile& model, const GeneratorContext& context, const std::string& raw);

}  // namespace lavoisier::detail

#endif
