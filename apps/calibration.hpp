#ifndef LAVOISIER_APPS_CALIBRATION_HPP
#define LAVOISIER_APPS_CALIBRATION_HPP

#include <lavoisier/domain.hpp>
#include <lavoisier/model_file.hpp>
#include <lavoisier/sample_set.hpp>
#include <lavoisier/sample_source.hpp>

namespace lavoisier::cli {

/// The model with the standard deviations of its Gaussian outputs times one factor > 0, exact to the weights' rounding: a
/// common factor leaves G = S A' (A S A')^-1 as it is, and with it means, laws and positive outputs. The model must have one
/// `gaussian_head` over a `dense` node (mlp, with head gaussian or mixed; mpnn): else Error(unsupported).
ModelFile with_scaled_deviations(const ModelFile& model, double factor);

struct Calibration {
  double factor = 1.0;
  double before = 0.0, after = 0.0;  ///< share of values in central 90 % intervals, mean over the Gaussian outputs
};

/// Multiplies a model's deviations by the factor with which the central 90 % intervals of its draws cover 90 % of
/// `samples`, by randomised PIT of `members` draws a sample, mean over all Gaussian outputs that vary; the factor is sought from 1/4 to 4. CRPS
/// alone, minimised for a Gaussian, leaves intervals that are too narrow where errors have heavy tails. Kokkos must be
/// initialised. Deterministic. Errors: unsupported as above, invalid_argument without samples.
Calibration calibrate_deviations(ModelFile& model, const SampleSet& samples, int members = 32);
/// The same over all nodes of graphs, which `samples` hold at capacity; in closed form, as the marginals of `mpnn` are Gaussian.
Calibration calibrate_deviations(ModelFile& model, const SampleSet& samples, const Graphs& graphs);
/// The same on validation samples: all of them up to 16384, else so many of the first pieces.
Calibration calibrate_deviations(ModelFile& model, const SampleSource& samples, int members = 32);

}  // namespace lavoisier::cli

#endif
