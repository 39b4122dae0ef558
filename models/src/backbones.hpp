#ifndef LAVOISIER_MODELS_BACKBONES_HPP
#define LAVOISIER_MODELS_BACKBONES_HPP

#include "network_plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// What a network reads and makes.
struct BackboneShape {
  std::vector<Port> fields;    ///< values with as many numbers as channels x height x width of some channels; or any, for an mlp
  std::vector<Port> vectors;   ///< values without places: conditions, latents
  std::string time;            ///< name of a port of one number; empty: none
  std::int64_t outputs = 0;
  std::string output;          ///< name of what it makes
  std::string prefix;          ///< of the names of its values and tensors: "decoder."
  bool makes_field = true;     ///< false: a vector (an encoder's latents), made by a dense layer behind the coarsest fields
};

/// Dense layers over everything that is read, joined in the order fields, vectors, embedded time.
NetworkPlan plan_mlp(const MlpOptions& options, const FieldOptions& fields, const BackboneShape& shape);

/// U-Net of residual blocks (Ronneberger et al. 2015; blocks with group norm, silu and added embedding as in Ho et al. 2020):
/// `fields.blocks` blocks at each of the resolutions, halved by convolutions of stride 2, doubled by nearest neighbours,
/// with the finer fields joined in. Vectors and time are embedded by two dense layers and added to the channels of each
/// block; without fields to read the first one is made from the vectors by a dense layer.
NetworkPlan plan_unet(const FieldOptions& fields, const BackboneShape& shape);

/// Residual 1-D convolutions over levels: plan_unet at one resolution and height 1.
NetworkPlan plan_column_network(const FieldOptions& fields, const BackboneShape& shape);

/// A window of several series, lags x series, oldest lag first, at the front of the port `input` (`inputs` wide; what is behind
/// joins at the end), to `outputs` numbers called "head". After StemGNN (Cao et al. 2020): `fields.blocks` blocks, each a mixing of the
/// series by a learned matrix (its graph of correlations), the discrete Fourier transform over the lags, gated linear units
/// among the frequencies, the inverse transform, a forecast of `fields.widths[0]` features a series and a backcast that the next block no
/// longer sees. Unlike there the graph is one of all samples, and no eigenvectors are taken.
/// Error(invalid_argument): fewer inputs than the window has numbers.
NetworkPlan plan_spectral_temporal(const GeneratorOptions& generator, std::int64_t inputs, std::int64_t outputs);

/// The one that `fields.backbone` names.
NetworkPlan plan_backbone(const MlpOptions& options, const FieldOptions& fields, const BackboneShape& shape);

/// Frequencies of the time embedding, turns per unit of time: 1/4 to 64, geometric.
std::vector<double> time_frequencies(std::int64_t count);

}  // namespace lavoisier::detail

#endif
