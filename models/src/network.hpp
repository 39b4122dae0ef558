#ifndef LAVOISIER_MODELS_NETWORK_HPP
#define LAVOISIER_MODELS_NETWORK_HPP

#include "network_plan.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace lavoisier::detail {

/// Dropout of one training step.
struct Dropout {
  double share = 0.0;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  std::int64_t first = 0;  ///< place of the first row in its batch
};

/// A network plan run by LibTorch. Real is float where it counts, double in tests of gradients. Weights and gradients
/// are one flat vector each, in the plan's order; the layers' tensors are views of them, so that an optimiser works on
/// two plain vectors.
template <class Real>
class Network {
 public:
  explicit Network(NetworkPlan plan);
  /// One of several networks that are trained together: its weights and gradient are parts of vectors that live elsewhere
  /// (and outlive it), plan.size long.
  Network(NetworkPlan plan, std::span<Real> weights, std::span<Real> gradient);
  ~Network();
  Network(Network&&) noexcept;

  const NetworkPlan& plan() const noexcept;
  std::span<Real> weights() noexcept;
  std::span<Real> gradient() noexcept;

  /// h (rows x outputs) from x (rows x plan().columns()), in pieces of at most 1024 rows.
  void evaluate(const Real* x, std::int64_t rows, Real* h) const;

  /// A loss as a function of h: returns its value and writes its gradient.
  using Function = std::function<double(const Real* h, std::int64_t rows, Real* h_bar)>;
  /// The loss at x, and its gradient with respect to the weights in gradient(); with `x_bar` (as large as x) that with
  /// respect to x too. The loss enters the tape as one function with its own adjoint; it may itself differentiate other
  /// networks that read h.
  double differentiate(const Real* x, std::int64_t rows, const Function& loss, const Dropout& dropout = {},
                       Real* x_bar = nullptr);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

extern template class Network<float>;
extern template class Network<double>;

/// Where networks that are made from now on run: "cpu" or a CUDA device ("cuda", "cuda:1"). Weights, gradients, inputs and losses stay
/// in the host's memory; a network elsewhere has copies of its own and exchanges them in each call. `copies`: so on the cpu
/// too, for tests. Error(unsupported): this LibTorch has no such device; invalid_argument: no device's name.
void set_training_device(const std::string& name, bool copies = false);
/// What it last said.
const std::string& training_device();
/// What set_training_threads last said, or all.
int training_threads();
/// LibTorch's version.
const char* torch_version() noexcept;

}  // namespace lavoisier::detail

#endif
