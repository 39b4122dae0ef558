#ifndef LAVOISIER_MODELS_REFERENCE_RUN_HPP
#define LAVOISIER_MODELS_REFERENCE_RUN_HPP

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/random_address.hpp>
#include <lavoisier/sample_set.hpp>

namespace lavoisier::detail {

/// One draw for each sample by the graph of a model file, node by node: networks by LibTorch in FP32, the rest in FP64. The
/// oracle of what runs the file elsewhere: same addresses of random numbers (column and step of the samples). Physical
/// units, N x n. Error(unsupported) for a node it doesn't know, invalid_format for one that doesn't fit.
RowMatrix reference_draw(const ModelFile& model, const SampleSet& samples, const random::Key& key, std::uint64_t member = 0);

/// Mean and standard deviation of the head before the laws, physical units, N x n: the graph up to its last
/// `gaussian_draw`. Error(unsupported) where noise goes into them (no moments in closed form).
struct HeadMoments {
  RowMatrix mean, standard_deviation;
};
HeadMoments reference_head(const ModelFile& model, const SampleSet& samples);

}  // namespace lavoisier::detail

#endif
