#include "small_network.hpp"

#include <lavoisier/status.hpp>

#include <algorithm>
#include <map>

namespace lavoisier::detail {
namespace {

/// Rows that `evaluate` takes at once: they and the weights stay in the second-level cache.
constexpr std::int64_t piece = 64;

std::int64_t padded(std::int64_t width) { return (width + kernel_panel - 1) / kernel_panel * kernel_panel; }

}  // namespace

template <class Real>
bool SmallNetwork<Real>::runs(const NetworkPlan& plan) {
  return plan.more.empty() &&
         std::all_of(plan.operations.begin(), plan.operations.end(), [](const GraphOperation& operation) {
           return (operation.op == "dense" && operation.attributes.empty()) || operation.op == "silu" ||
                  operation.op == "relu" ||
                  operation.op == "add" || operation.op == "layer_norm";
         });
}

template <class Real>
SmallNetwork<Real>::SmallNetwork(NetworkPlan plan, const KernelTable& table)
    : plan_(std::move(plan)), kernels_(kernels_of<Real>(table)) {
  // Vectors of weights are read beyond the last one.
  weights_.resize(static_cast<std::size_t>(plan_.size + kernel_panel));
  gradient_.resize(static_cast<std::size_t>(plan_.size));
  std::map<std::string, std::size_t> index{{plan_.input, 0}};
  const auto add_value = [&](std::int64_t width) {
    values_.push_back({width, padded(width), {}, {}, true});
    return values_.size() - 1;
  };
  add_value(plan_.inputs);
  values_[0].differentiated = false;
  const auto parameter = [&](const GraphOperation& operation, const char* operand) -> const Parameter& {
    return *std::find_if(plan_.parameters.begin(), plan_.parameters.end(),
                         [&](const Parameter& p) { return p.name == operation.tensors.at(operand); });
  };
  std::int64_t layers = 0;
  for (const GraphOperation& given : plan_.operations) {
    Operation operation{};
    operation.in = index.at(given.inputs[0]);
    std::int64_t width = values_[operation.in].width;
    if (given.op == "dense" || given.op == "layer_norm") {
      operation.kind = given.op == "dense" ? Kind::dense : Kind::layer_norm;
      operation.weight = parameter(given, "weight").offset;
      operation.bias = parameter(given, "bias").offset;
      if (operation.kind == Kind::dense) {
        const std::int64_t inputs = width;
        width = parameter(given, "weight").shape[0];
        operation.packed.resize(static_cast<std::size_t>(padded(width) * inputs));
      } else {
        operation.epsilon = std::stod(given.attributes.at("epsilon"));
      }
    } else if (given.op == "silu" || given.op == "relu") {
      operation.kind = given.op == "silu" ? Kind::silu : Kind::relu;
      operation.layer = layers++;
    } else if (given.op == "add") {
      operation.kind = Kind::add;
      operation.other = index.at(given.inputs[1]);
    } else {
      throw Error(Status::unsupported, "operation '" + given.op + "' is not one of a small network's");
    }
    operation.out = index[given.outputs[0]] = add_value(width);
    operations_.push_back(std::move(operation));
  }
  output_ = index.at(plan_.output);

  std::vector<bool> reached(values_.size(), false);
  reached[output_] = true;
  for (auto operation = operations_.rbegin(); operation != operations_.rend(); ++operation) {
    operation->reached = reached[operation->out];
    if (!operation->reached) continue;
    operation->in_accumulates = reached[operation->in];
    reached[operation->in] = true;
    if (operation->kind != Kind::add) continue;
    operation->other_accumulates = reached[operation->other];
    reached[operation->other] = true;
  }
}

template <class Real>
void SmallNetwork<Real>::reserve(std::int64_t rows) {
  if (rows <= capacity_) return;
  capacity_ = padded(rows);  // batches of nearly equal size differ by one
  const auto size = [&](std::int64_t width) { return static_cast<std::size_t>(capacity_ * width); };
  std::int64_t widest = 0;
  for (Value& value : values_) {
    value.values.assign(size(value.stride), Real(0));
    value.bars.assign(size(value.stride), Real(0));
    widest = std::max(widest, value.width);
  }
  for (Operation& operation : operations_) {
    if (operation.kind == Kind::dense || operation.kind == Kind::add) continue;
    operation.saved.assign(size(values_[operation.in].stride), Real(0));
    if (operation.kind == Kind::layer_norm) operation.root.resize(size(1));
  }
  h_.resize(size(plan_.outputs));
  h_bar_.resize(size(plan_.outputs));
  factors_.resize(size(widest));
}

template <class Real>
void SmallNetwork<Real>::pack_weights() {
  for (Operation& operation : operations_)
    if (operation.kind == Kind::dense)
      kernels_.pack(weights_.data() + operation.weight, operation.packed.data(), values_[operation.out].width,
                    values_[operation.in].width);
}

template <class Real>
void SmallNetwork<Real>::apply_dropout(Operation& operation, std::int64_t rows, const Dropout& dropout) {
  Value& value = values_[operation.out];
  dropout_factors({factors_.data(), static_cast<std::size_t>(rows * value.width)}, dropout.share, dropout.seed,
                  dropout.step, operation.layer, dropout.first * value.width);
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* factors = factors_.data() + row * value.width;
    Real* y = value.values.data() + row * value.stride;
    Real* slope = operation.saved.data() + row * value.stride;
    for (std::int64_t j = 0; j < value.width; ++j) {
      const auto factor = static_cast<Real>(factors[j]);
      y[j] *= factor;
      slope[j] *= factor;
    }
  }
}

template <class Real>
void SmallNetwork<Real>::run(const Real* x, std::int64_t rows, bool with_slopes, const Dropout& dropout, Real* h) {
  for (std::int64_t row = 0; row < rows; ++row)
    std::copy_n(x + row * plan_.inputs, plan_.inputs, values_[0].values.data() + row * values_[0].stride);
  for (Operation& operation : operations_) {
    const Value& in = values_[operation.in];
    Value& out = values_[operation.out];
    const std::int64_t count = rows * in.stride;
    switch (operation.kind) {
      case Kind::dense: {
        ProductArguments<Real> product;
        product.a = in.values.data();
        product.a_row = in.stride;
        product.a_step = 1;
        product.b = operation.packed.data();
        product.b_step = kernel_panel;
        product.b_panel = in.width * kernel_panel;
        product.first = weights_.data() + operation.bias;
        product.c = out.values.data();
        product.c_row = out.stride;
        product.rows = rows;
        product.steps = in.width;
        product.columns = out.width;
        kernels_.product(product);
        break;
      }
      case Kind::silu:
        if (with_slopes) {
          kernels_.silu_with_slope(in.values.data(), out.values.data(), operation.saved.data(), count);
          if (dropout.share > 0.0) apply_dropout(operation, rows, dropout);
        } else {
          kernels_.silu(in.values.data(), out.values.data(), count);
        }
        break;
      case Kind::relu:
        for (std::int64_t i = 0; i < count; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const bool below = in.values[at] <= Real(0);  // what is no number stays so
          out.values[at] = below ? Real(0) : in.values[at];
          if (with_slopes) operation.saved[at] = below ? Real(0) : Real(1);
        }
        if (with_slopes && dropout.share > 0.0) apply_dropout(operation, rows, dropout);
        break;
      case Kind::add:
        kernels_.add(in.values.data(), values_[operation.other].values.data(), out.values.data(), count);
        break;
      case Kind::layer_norm:
        kernels_.layer_norm({in.values.data(), weights_.data() + operation.weight, weights_.data() + operation.bias,
                             out.values.data(), operation.saved.data(), operation.root.data(), operation.epsilon, rows,
                             in.width, in.stride});
        break;
    }
  }
  const Value& out = values_[output_];
  for (std::int64_t row = 0; row < rows; ++row)
    std::copy_n(out.values.data() + row * out.stride, out.width, h + row * out.width);
}

template <class Real>
void SmallNetwork<Real>::run_backwards(std::int64_t rows) {
  for (auto operation = operations_.rbegin(); operation != operations_.rend(); ++operation) {
    if (!operation->reached) continue;
    Value& in = values_[operation->in];
    const Value& out = values_[operation->out];
    const std::int64_t count = rows * in.stride;
    switch (operation->kind) {
      case Kind::dense: {
        ProductArguments<Real> product;  // weight_bar (j, k) = sum over rows of y_bar (row, j) x (row, k)
        product.a = out.bars.data();
        product.a_row = 1;
        product.a_step = out.stride;
        product.b = in.values.data();
        product.b_step = in.stride;
        product.c = gradient_.data() + operation->weight;
        product.c_row = in.width;
        product.rows = out.width;
        product.steps = rows;
        product.columns = in.width;
        kernels_.product(product);
        kernels_.sum_rows(out.bars.data(), gradient_.data() + operation->bias, rows, out.width, out.stride);
        if (!in.differentiated) break;
        product.a_row = out.stride;  // x_bar (row, k) = sum over j of y_bar (row, j) weight (j, k)
        product.a_step = 1;
        product.b = weights_.data() + operation->weight;
        product.b_step = in.width;
        product.c = in.bars.data();
        product.c_row = in.stride;
        product.rows = rows;
        product.steps = out.width;
        product.accumulate = operation->in_accumulates;
        kernels_.product(product);
        break;
      }
      case Kind::silu:
      case Kind::relu:
        kernels_.multiply(out.bars.data(), operation->saved.data(), in.bars.data(), count, operation->in_accumulates);
        break;
      case Kind::add: {
        const auto pass = [&](Value& to, bool accumulates) {
          if (accumulates)
            kernels_.add(to.bars.data(), out.bars.data(), to.bars.data(), count);
          else
            std::copy_n(out.bars.data(), count, to.bars.data());
        };
        pass(in, operation->in_accumulates);
        pass(values_[operation->other], operation->other_accumulates);
        break;
      }
      case Kind::layer_norm:
        kernels_.layer_norm_adjoint({out.bars.data(), operation->saved.data(), weights_.data() + operation->weight,
                                     operation->root.data(), in.bars.data(), gradient_.data() + operation->weight,
                                     gradient_.data() + operation->bias, rows, in.width, in.stride,
                                     operation->in_accumulates});
        break;
    }
  }
}

template <class Real>
void SmallNetwork<Real>::evaluate(const Real* x, std::int64_t rows, Real* h) {
  reserve(std::min(piece, rows));
  pack_weights();
  for (std::int64_t first = 0; first < rows; first += piece)
    run(x + first * plan_.inputs, std::min(piece, rows - first), false, {}, h + first * plan_.outputs);
}

template <class Real>
double SmallNetwork<Real>::differentiate(const Real* x, std::int64_t rows, const Function& loss,
                                         const Dropout& dropout) {
  reserve(rows);
  pack_weights();
  run(x, rows, true, dropout, h_.data());
  const double value = loss(h_.data(), rows, h_bar_.data());
  Value& out = values_[output_];
  for (std::int64_t row = 0; row < rows; ++row)
    std::copy_n(h_bar_.data() + row * out.width, out.width, out.bars.data() + row * out.stride);
  run_backwards(rows);
  return value;
}

template class SmallNetwork<float>;
template class SmallNetwork<double>;

}  // namespace lavoisier::detail
