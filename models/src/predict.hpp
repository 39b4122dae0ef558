#ifndef LAVOISIER_MODELS_PREDICT_HPP
#define LAVOISIER_MODELS_PREDICT_HPP

#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>

#include <Eigen/Dense>

#include <string>

namespace lavoisier::detail {

/// An F64 tensor of a model.
Eigen::VectorXd vector_of(const ModelFile& model, const std::string& name);

/// Error(shape_mismatch) names the inputs that the model expects and those of the samples.
void require_same_inputs(const ModelFile& model, const SampleSet& samples);

/// Error(invalid_format) where the graph draws the law of another family than a head says.
void require_family_of_draw(const ModelFile& model);

}  // namespace lavoisier::detail

#endif
