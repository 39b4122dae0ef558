#ifndef LAVOISIER_MODELS_DIFFUSION_HPP
#define LAVOISIER_MODELS_DIFFUSION_HPP

#include "generator.hpp"
#include "network_set.hpp"
#include "sampling_table.hpp"

#include <string>
#include <vector>

namespace lavoisier::detail {

/// A denoiser net(x_t, x, t), conditional on the inputs x, which the laws' right-hand sides are expressions of.
/// Diffusion (Ho et al. 2020) or straight flow (Lipman et al. 2023), of which the state is
/// null_space: x_t = a y + s P0 e (y = P0 y + A^+ d, so A x_t = a d); ambient, none: x_t = a y + s e.
/// Loss of a row: |P0 (net - target)|^2 / n (no P0 for none), target the velocity a e - s y, the noise e or the data y; of a flow
/// y - e. t runs over equal steps from a random start in a batch, so that each batch sees all times; `at` says which
/// part of the batch the rows are.
template <class Real>
class DenoisingModel {
 public:
  struct Shape {
    std::int64_t inputs = 0, outputs = 0;
    std::string method;      ///< "ddpm" or "flow"
    std::string prediction;  ///< of ddpm
    std::string projection;  ///< "null_space", "ambient", "none"
  };
  DenoisingModel(const Shape& shape, const TrainingOptions& options);

  NetworkSet<Real>& networks() noexcept { return networks_; }
  const NetworkSet<Real>& networks() const noexcept { return networks_; }

  /// The loss of each row and, if `with_gradient`, the gradient of their mean. y: rows x outputs on the laws A y = d, whose number
  /// is `laws`. Noise of row i: the normals at {column at.samples[i], step, element j} of the stream.
  Eigen::VectorXd loss(const std::vector<Real>& x, const RowMatrix& y, const RowMatrix& A, Eigen::Index laws,
                       const DrawAddress& at, TrainingStream stream, bool with_gradient);

 private:
  Shape shape_;
  std::uint64_t seed_;
  NetworkSet<Real> networks_;
};

extern template class DenoisingModel<float>;
extern template class DenoisingModel<double>;

/// The process in which a generator's strategy holds the laws: the option's, or "none".
std::string projection_of(const TrainingOptions& options, bool has_laws);

}  // namespace lavoisier::detail

#endif
