#include "torch_network.hpp"

#include <torch/torch.h>

#include <cstring>

namespace lavoisier::bench {

struct TorchNetwork::Implementation {
  torch::nn::Sequential layers;
  std::int64_t inputs = 0;
};

TorchNetwork::TorchNetwork(const std::vector<std::int64_t>& widths, int threads)
    : implementation_(std::make_unique<Implementation>()) {
  at::set_num_threads(threads);
  torch::manual_seed(1);
  implementation_->inputs = widths.front();
  for (std::size_t i = 1; i < widths.size(); ++i) {
    implementation_->layers->push_back(torch::nn::Linear(widths[i - 1], widths[i]));
    if (i + 1 < widths.size()) implementation_->layers->push_back(torch::nn::SiLU());
  }
  implementation_->layers->eval();
}

TorchNetwork::~TorchNetwork() = default;

void TorchNetwork::run(const float* x, float* y, std::int64_t columns) {
  const c10::InferenceMode guard;
  const auto in = torch::from_blob(const_cast<float*>(x), {columns, implementation_->inputs}, torch::kFloat32);
  const auto out = implementation_->layers->forward(in);
  std::memcpy(y, out.data_ptr<float>(), static_cast<std::size_t>(out.numel()) * sizeof(float));
}

}  // namespace lavoisier::bench
