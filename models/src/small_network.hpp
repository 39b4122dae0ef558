#ifndef LAVOISIER_MODELS_SMALL_NETWORK_HPP
#define LAVOISIER_MODELS_SMALL_NETWORK_HPP

#include "network.hpp"
#include "network_kernels.hpp"
#include "network_plan.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lavoisier::detail {

/// A network plan run by our own loops: for networks so small that a framework's cost a call outweighs the arithmetic.
/// One thread. Interface and meaning are those of Network; memory is allocated once (and when a batch is larger than
/// all before it). Every sum has one order, the same for every instruction set: a row of `evaluate` has the same bits
/// wherever it stands and however the rows are cut, the gradient sums rows in their order. Real: float, or double in
/// tests.
template <class Real>
class SmallNetwork {
 public:
  /// Error(unsupported) if the plan holds an operation that `runs` doesn't know.
  explicit SmallNetwork(NetworkPlan plan, const KernelTable& table = network_kernels());

  /// Whether all of a plan's operations are known: dense, silu, relu, add, layer_norm.
  static bool runs(const NetworkPlan& plan);

  const NetworkPlan& plan() const noexcept { return plan_; }
  std::span<Real> weights() noexcept { return {weights_.data(), static_cast<std::size_t>(plan_.size)}; }
  std::span<Real> gradient() noexcept { return {gradient_.data(), static_cast<std::size_t>(plan_.size)}; }

  /// h (rows x outputs) from standardised inputs x (rows x inputs).
  void evaluate(const Real* x, std::int64_t rows, Real* h);

  using Function = typename Network<Real>::Function;
  /// The loss at x, and its gradient with respect to the weights in gradient().
  double differentiate(const Real* x, std::int64_t rows, const Function& loss, const Dropout& dropout = {});

 private:
  enum class Kind { dense, silu, relu, add, layer_norm };
  struct Operation {
    Kind kind;
    std::size_t in = 0, other = 0, out = 0;          ///< values
    std::int64_t weight = 0, bias = 0;               ///< offsets of parameters
    std::int64_t layer = 0;                          ///< of silu and relu: dropout's stream
    double epsilon = 0.0;
    std::vector<Real> packed;                        ///< of dense: the transposed weights
    std::vector<Real> saved;                         ///< of silu and relu: slopes; of layer_norm: normalised values
    std::vector<double> root;                        ///< of layer_norm, one a row
    bool reached = false;                            ///< the output depends on it
    bool in_accumulates = false, other_accumulates = false;  ///< its adjoint is not the first to reach that operand
  };
  struct Value {
    std::int64_t width = 0, stride = 0;
    std::vector<Real> values, bars;
    bool differentiated = true;                      ///< false: the network's input
  };

  void reserve(std::int64_t rows);
  void pack_weights();
  void run(const Real* x, std::int64_t rows, bool with_slopes, const Dropout& dropout, Real* h);
  void apply_dropout(Operation& operation, std::int64_t rows, const Dropout& dropout);
  void run_backwards(std::int64_t rows);

  NetworkPlan plan_;
  const NetworkKernels<Real>& kernels_;
  std::vector<Real> weights_, gradient_;
  std::vector<Operation> operations_;
  std::vector<Value> values_;                        ///< the first is the input
  std::size_t output_ = 0;
  std::vector<Real> h_, h_bar_;                      ///< rows x outputs
  std::vector<float> factors_;                       ///< of dropout
  std::int64_t capacity_ = 0;                        ///< rows that fit
};

extern template class SmallNetwork<float>;
extern template class SmallNetwork<double>;

}  // namespace lavoisier::detail

#endif
