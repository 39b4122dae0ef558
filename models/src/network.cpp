#include "network.hpp"

#include "tensor_operations.hpp"

#include <lavoisier/status.hpp>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/api/include/torch/cuda.h>
#include <torch/csrc/api/include/torch/version.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <unordered_map>

namespace lavoisier {
namespace detail {
namespace {

namespace autograd = torch::autograd;

template <class Real>
constexpr at::ScalarType scalar_type = std::is_same_v<Real, float> ? at::kFloat : at::kDouble;

/// Turns an exception of LibTorch into ours.
template <class Call>
auto guarded(const char* what, Call&& call) {
  try {
    return call();
  } catch (const c10::Error& error) {
    const std::string reason = error.what_without_backtrace();
    const bool memory = reason.find("alloc") != std::string::npos;
    throw Error(memory ? Status::out_of_memory : Status::internal, std::string(what) + ": LibTorch says: " + reason);
  }
}

/// Where networks run, and whether they have weights of their own there.
struct Place {
  at::Device device = at::kCPU;
  bool copies = false;
  std::string name = "cpu";
};
Place& chosen_place() {
  static Place place;
  return place;
}
std::pair<at::Device, bool> training_place() { return {chosen_place().device, chosen_place().copies}; }

/// The loss with its hand-written adjoint: h -> scalar.
template <class Real>
struct LossFunction : autograd::Function<LossFunction<Real>> {
  static at::Tensor forward(autograd::AutogradContext* context, const at::Tensor& h, std::int64_t call_address) {
    const auto& call = *reinterpret_cast<const typename Network<Real>::Function*>(call_address);
    const at::Tensor values = h.to(at::kCPU).contiguous();
    at::Tensor h_bar = at::empty_like(values);
    const double loss = call(values.template data_ptr<Real>(), values.size(0), h_bar.template data_ptr<Real>());
    context->save_for_backward({h_bar.to(h.device())});
    return at::scalar_tensor(loss, h.options().dtype(at::kDouble));
  }
  static autograd::variable_list backward(autograd::AutogradContext* context, autograd::variable_list outer) {
    const at::Tensor h_bar = context->get_saved_variables()[0];
    return {h_bar * outer[0].to(h_bar.scalar_type()), at::Tensor()};
  }
};

}  // namespace

template <class Real>
struct Network<Real>::Implementation {
  NetworkPlan plan;
  at::Tensor weights, gradient;                       // flat, in the host's memory
  at::Device device = at::kCPU;
  at::Tensor own_weights, own_gradient;               // flat, where the network runs: the same, or copies
  std::unordered_map<std::string, at::Tensor> views;  // by tensor name

  Implementation(NetworkPlan given, Real* shared_weights, Real* shared_gradient) : plan(std::move(given)) {
    const auto options = at::TensorOptions().dtype(scalar_type<Real>);
    const auto flat_vector = [&](Real* shared) {
      return shared ? at::from_blob(shared, {plan.size}, options) : at::zeros({plan.size}, options);
    };
    weights = flat_vector(shared_weights);
    gradient = flat_vector(shared_gradient);
    const auto& [chosen, copies] = training_place();
    device = chosen;
    own_weights = copies ? weights.to(device, false, true) : weights;
    own_gradient = copies ? gradient.to(device, false, true) : gradient;
    for (const auto& [name, numbers] : plan.constants)
      views.emplace(name, at::tensor(numbers, at::TensorOptions().dtype(at::kDouble)).to(device));
    for (const Parameter& parameter : plan.parameters) {
      const auto view = [&](const at::Tensor& flat) {
        return flat.narrow(0, parameter.offset, parameter.elements()).view(parameter.shape).detach();
      };
      at::Tensor leaf = view(own_weights);
      leaf.set_requires_grad(true);
      // A gradient that is there is added to in place: so all gradients gather in one vector.
      leaf.mutable_grad() = view(own_gradient);
      views.emplace(parameter.name, leaf);
    }
  }

  at::Tensor wrap(const Real* values, std::int64_t rows, std::int64_t columns) const {
    return at::from_blob(const_cast<Real*>(values), {rows, columns}, at::TensorOptions().dtype(scalar_type<Real>));
  }

  bool copies() const { return own_weights.data_ptr() != weights.data_ptr(); }
  void take_weights() const {
    const at::NoGradGuard no_gradient;
    if (copies()) at::Tensor(own_weights).copy_(weights);
  }

  at::Tensor run(const at::Tensor& x, const Dropout& dropout) const {
    std::unordered_map<std::string, at::Tensor> values;
    std::int64_t column = plan.inputs;
    values[plan.input] = plan.more.empty() ? x : x.narrow(1, 0, plan.inputs);
    for (const Port& port : plan.more) {
      values[port.name] = x.narrow(1, column, port.width);
      column += port.width;
    }
    const auto tensor_of = [&](const std::string& name) { return views.at(name); };
    std::int64_t layer = 0;
    std::vector<at::Tensor> operands;
    for (const GraphOperation& operation : plan.operations) {
      operands.clear();
      for (const std::string& name : operation.inputs) operands.push_back(values.at(name));
      at::Tensor result = run_operation(operation, operands, tensor_of);
      if (operation.op == "silu" || operation.op == "relu") {
        if (dropout.share > 0.0) {
          at::Tensor factors = at::empty(result.sizes(), at::TensorOptions().dtype(at::kFloat));
          const std::int64_t width = factors.size(0) > 0 ? factors.numel() / factors.size(0) : 0;
          dropout_factors({factors.data_ptr<float>(), static_cast<std::size_t>(factors.numel())}, dropout.share,
                          dropout.seed, dropout.step, layer, dropout.first * width);
          result = result * factors.to(result.options());
        }
        ++layer;
      }
      values[operation.outputs[0]] = std::move(result);
    }
    return values.at(plan.output);
  }
};

template <class Real>
Network<Real>::Network(NetworkPlan plan)
    : implementation_(guarded("making the network", [&] {
        return std::make_unique<Implementation>(std::move(plan), nullptr, nullptr);
      })) {}
template <class Real>
Network<Real>::Network(NetworkPlan plan, std::span<Real> weights, std::span<Real> gradient) {
  const auto size = static_cast<std::size_t>(plan.size);
  if (weights.size() != size || gradient.size() != size)
    throw Error(Status::internal, "making the network: its weights have another length than its plan");
  implementation_ = guarded("making the network", [&] {
    return std::make_unique<Implementation>(std::move(plan), weights.data(), gradient.data());
  });
}
template <class Real>
Network<Real>::~Network() = default;
template <class Real>
Network<Real>::Network(Network&&) noexcept = default;

template <class Real>
const NetworkPlan& Network<Real>::plan() const noexcept {
  return implementation_->plan;
}
template <class Real>
std::span<Real> Network<Real>::weights() noexcept {
  return {implementation_->weights.template data_ptr<Real>(), static_cast<std::size_t>(implementation_->plan.size)};
}
template <class Real>
std::span<Real> Network<Real>::gradient() noexcept {
  return {implementation_->gradient.template data_ptr<Real>(), static_cast<std::size_t>(implementation_->plan.size)};
}

template <class Real>
void Network<Real>::evaluate(const Real* x, std::int64_t rows, Real* h) const {
  guarded("evaluating the network", [&] {
    const at::NoGradGuard no_gradient;
    const NetworkPlan& plan = implementation_->plan;
    constexpr std::int64_t piece = 1024;
    implementation_->take_weights();
    for (std::int64_t first = 0; first < rows; first += piece) {
      const std::int64_t count = std::min(piece, rows - first);
      const at::Tensor result =
          implementation_->run(implementation_->wrap(x + first * plan.columns(), count, plan.columns()).to(implementation_->device), {})
              .to(at::kCPU)
              .contiguous();
      std::copy_n(result.template data_ptr<Real>(), count * plan.outputs, h + first * plan.outputs);
    }
  });
}

template <class Real>
double Network<Real>::differentiate(const Real* x, std::int64_t rows, const Function& loss, const Dropout& dropout,
                                    Real* x_bar) {
  return guarded("differentiating the network", [&] {
    const at::AutoGradMode with_gradient(true);
    implementation_->take_weights();
    implementation_->own_gradient.zero_();
    const std::int64_t columns = implementation_->plan.columns();
    at::Tensor in = implementation_->wrap(x, rows, columns).to(implementation_->device).detach();
    if (x_bar) {
      in.set_requires_grad(true);
      std::fill_n(x_bar, rows * columns, Real{0});
      in.mutable_grad() = at::from_blob(x_bar, {rows, columns}, at::TensorOptions().dtype(scalar_type<Real>)).to(implementation_->device);
    }
    const at::Tensor h = implementation_->run(in, dropout);
    const at::Tensor value = LossFunction<Real>::apply(h, reinterpret_cast<std::int64_t>(&loss));
    autograd::backward({value}, {});
    if (implementation_->copies()) implementation_->gradient.copy_(implementation_->own_gradient);
    if (x_bar && implementation_->device != at::kCPU) {
      const at::Tensor host = in.grad().to(at::kCPU).contiguous();
      std::copy_n(host.template data_ptr<Real>(), rows * columns, x_bar);
    }
    return value.template item<double>();
  });
}

template class Network<float>;
template class Network<double>;

namespace {
int all_threads() {
  static const int all = at::get_num_threads();  // before anybody sets it
  return all;
}
std::atomic<int> chosen_threads = 0;
}  // namespace

int training_threads() {
  const int chosen = chosen_threads;
  return chosen > 0 ? chosen : all_threads();
}
const char* torch_version() noexcept { return TORCH_VERSION; }

const std::string& training_device() { return chosen_place().name; }

void set_training_device(const std::string& name, bool copies) {
  guarded("choosing the device", [&] {
    const bool cuda = name == "cuda" || (name.starts_with("cuda:") && name.size() > 5 && name.size() < 9 &&
                                         name.find_first_not_of("0123456789", 5) == std::string::npos);
    if (name != "cpu" && !cuda)
      throw Error(Status::invalid_argument, "device: expected cpu, cuda or cuda:N, found '" + name + "'");
    if (!cuda) {
      chosen_place() = {at::kCPU, copies, name};
      return;
    }
    const auto devices = static_cast<int>(torch::cuda::device_count());
    const int index = name == "cuda" ? 0 : std::stoi(name.substr(5));
    if (index >= devices)
      throw Error(Status::unsupported, "device: '" + name + "' needs LibTorch with CUDA and that many devices, found " +
                                           std::to_string(devices));
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    chosen_place() = {at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)), true, name};
  });
}

}  // namespace detail

void set_training_threads(int threads) {
  if (threads < 0)
    throw Error(Status::invalid_argument, "threads: expected 0 (all) or more, found " + std::to_string(threads));
  const int all = detail::all_threads();
  const int chosen = threads == 0 ? all : threads;
  detail::chosen_threads = chosen;
  at::set_num_threads(chosen);
}

}  // namespace lavoisier
