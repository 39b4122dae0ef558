#ifndef LAVOISIER_MODELS_LATENT_LAYERS_HPP
#define LAVOISIER_MODELS_LATENT_LAYERS_HPP

#include <lavoisier/conditional_gaussian.hpp>

namespace lavoisier::detail {

/// Diagonal Gaussians, a row a sample.
struct DiagonalGaussian {
  RowMatrix mean, deviation;
};

/// mean = raw's first half, deviation = floor + log(1 + exp(second half)); columns from `first`, `width` of each half.
DiagonalGaussian latent_gaussian(const RowMatrix& raw, Eigen::Index first, Eigen::Index width, double floor);
/// From the adjoints of mean and deviation those of raw, added.
void add_latent_adjoint(const RowMatrix& raw, Eigen::Index first, Eigen::Index width, const DiagonalGaussian& bar,
                        RowMatrix& raw_bar);

/// The product of two Gaussians, precisions added (the ladder's posterior, Soenderby et al. 2016, eq. 17-18), and its adjoint.
DiagonalGaussian joined(const DiagonalGaussian& a, const DiagonalGaussian& b);
void joined_adjoint(const DiagonalGaussian& a, const DiagonalGaussian& b, const DiagonalGaussian& joined,
                    const DiagonalGaussian& bar, DiagonalGaussian& a_bar, DiagonalGaussian& b_bar);

/// KL(q || p) of each row, and its adjoints for `weight` times the sum, added.
Eigen::VectorXd divergence(const DiagonalGaussian& q, const DiagonalGaussian& p);
void add_divergence_adjoint(const DiagonalGaussian& q, const DiagonalGaussian& p, double weight, DiagonalGaussian& q_bar,
                            DiagonalGaussian& p_bar);

}  // namespace lavoisier::detail

#endif
