#ifndef LAVOISIER_MODELS_VAE_HPP
#define LAVOISIER_MODELS_VAE_HPP

#include "generator.hpp"
#include "latent_layers.hpp"
#include "network_set.hpp"

#include <functional>
#include <vector>

namespace lavoisier::detail {

/// Loss of each row from the decoder's raw values (rows x 2n), with its mean's gradient where one is asked for.
using RawLoss = std::function<Eigen::VectorXd(const RowMatrix& raw, RowMatrix* raw_bar)>;

/// Variational autoencoder, conditional on x, with one or more layers of latents (Kingma and Welling 2014; Sohn et al.
/// 2015; more layers: the ladder of Soenderby et al. 2016).
/// prior: z_K ~ N(0, I), z_k ~ N(prior_k(x, z_k+1)); decoder: p(y | x, z_1), whose law and likelihood are the head's.
/// posterior: the encoder reads (y, x) and makes a Gaussian for each z_k; below the top it is joined with the prior's.
/// Loss: minus the evidence lower bound with one draw z (standardised units): minus log p(y | x, z_1) + weight sum KL_k.
template <class Real>
class LatentModel {
 public:
  struct Shape {
    std::int64_t inputs = 0, outputs = 0;   ///< widths of x and y
    std::vector<std::int64_t> latents;      ///< from the outputs up
  };
  /// Plans in the order encoder, decoder, prior of layer K - 1, ..., 1.
  LatentModel(const Shape& shape, const TrainingOptions& options);

  NetworkSet<Real>& networks() noexcept { return networks_; }
  const NetworkSet<Real>& networks() const noexcept { return networks_; }
  void initialise(std::uint64_t seed);

  /// The loss of each row and, if `with_gradient`, the gradient of their mean. y: rows x outputs. Noise: of row i, layer
  /// k and element j the normal at {column at.samples[i], step, site k, element j} of the stream.
  Eigen::VectorXd loss(const std::vector<Real>& x, const RowMatrix& y, const RawLoss& decoder_loss, double weight,
                       const DrawAddress& at, TrainingStream stream, bool with_gradient);

  static constexpr double floor = 1e-3;  ///< least standard deviation of a latent

 private:
  struct Pass;
  void descend(Pass& pass, std::size_t layer, const RowMatrix& z, RowMatrix& z_bar);
  void draw(Pass& pass, std::size_t layer, const DiagonalGaussian& prior, DiagonalGaussian& prior_bar);

  Shape shape_;
  std::uint64_t seed_;
  MlpOptions options_;
  NetworkSet<Real> networks_;
};

extern template class LatentModel<float>;
extern template class LatentModel<double>;

}  // namespace lavoisier::detail

#endif
