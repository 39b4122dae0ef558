#ifndef LAVOISIER_BENCH_TORCH_NETWORK_HPP
#define LAVOISIER_BENCH_TORCH_NETWORK_HPP

// LibTorch's side of bench_plugin: no Torch here, no Kokkos there.

#include <cstdint>
#include <memory>
#include <vector>

namespace lavoisier::bench {

/// Dense layers with silu between them, FP32, no gradients: what a host would run through LibTorch.
class TorchNetwork {
 public:
  TorchNetwork(const std::vector<std::int64_t>& widths, int threads);
  ~TorchNetwork();
  /// x: columns x widths.front(), y: columns x widths.back(), both the caller's.
  void run(const float* x, float* y, std::int64_t columns);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lavoisier::bench

#endif
