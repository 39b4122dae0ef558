#ifndef LAVOISIER_PREDICTED_LAW_HPP
#define LAVOISIER_PREDICTED_LAW_HPP

// The law of a trained model whose outputs are not all Gaussian, from its file, through LibTorch: the counterpart of
// predict() for the heads positive_signed, gamma and poisson.

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/positive_signed.hpp>
#include <lavoisier/sample_set.hpp>

#include <string>
#include <vector>

namespace lavoisier {

/// Parameters for N samples in physical units. `draw` is the operation that makes the head's draw (docs/model-file.md):
/// positive_draw fills `positive`, `signed_outputs` and `law` (columns in their order; A, d of all laws),
/// dirichlet_draw `concentration`, poisson_draw and multinomial_draw `log_rate` (N x n).
struct PredictedLaw {
  std::string draw;
  std::vector<Eigen::Index> positive, signed_outputs;  ///< outputs of the layout
  PositiveSigned law;
  RowMatrix concentration, log_rate;
};
/// Errors: unsupported (a head of another family), shape_mismatch (other inputs), invalid_format.
PredictedLaw predict_law(const ModelFile& model, const LinearConstraints& constraints, const SampleSet& samples);

/// Whether a model's head is one of these.
bool has_predicted_law(const ModelFile& model);

/// Minus the log density of each sample's outputs, physical units: with respect to counting measure at atoms and of
/// counts, Lebesgue measure of positive outputs, and the surface of the signed outputs' laws given these (DESIGN,
/// `nll`); strategies without laws: of the signed outputs' null space. Signed outputs are moved onto the laws first,
/// shares scaled; `distance` (may be null): by how much at most. Empty where no density is told (gammas or counts that
/// do not hold their laws).
Eigen::VectorXd negative_log_density(const ModelFile& model, const LinearConstraints& constraints,
                                     const SampleSet& samples, double* distance = nullptr);

}  // namespace lavoisier

#endif
