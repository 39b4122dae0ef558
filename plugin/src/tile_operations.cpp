#include "tile.hpp"

#include <lavoisier/tolerances.hpp>

#include <cstring>

namespace lavoisier::detail {

void Tile::noise(double* e, std::int64_t n, std::uint64_t site) noexcept {
  const std::int64_t size = n * stride;
  if (!work.draw) {
    for (std::int64_t j = 0; j < size; ++j) e[j] = 0.0;
    return;
  }
  double* second = at<double>(layout.uniform);
  const random::Key key{work.seed, work.stream};
  for (std::int64_t c = 0; c < stride; ++c) {
    random::Address address;
    address.member = work.member;
    address.site = site;
    if (c < count) {
      const std::int64_t column = work.columns[first + c];
      address.column =
          work.column_ids ? work.column_ids[column] : work.first_column_id + static_cast<std::uint64_t>(column);
      address.step = work.step_ids ? work.step_ids[column] : work.step;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (c >= count) {
        e[i * stride + c] = 1.0;
        second[i * stride + c] = 0.0;
        continue;
      }
      address.element = static_cast<std::uint64_t>(i);
      const auto words = random::words(key, address);
      e[i * stride + c] = random::uniform_open_left(words[0]);
      second[i * stride + c] = random::uniform_open_right(words[1]);
    }
  }
  kernels.box_muller(e, second, size);
}

void Tile::constrain(const Operation& operation) noexcept {
  ConstrainArguments a = constrain_arguments(program.laws, at<double>(layout.row_values));
  a.z = value<double>(operation.input[0]);
  a.deviation = operation.input[1] < 0 ? nullptr : value<double>(operation.input[1]);
  a.squared_scale = operation.fixed_metric ? operation.first.data() : nullptr;
  a.y = value<double>(operation.output[0]);
  a.right_hand_side = at<double>(layout.right_hand_side);
  a.n = static_cast<std::int32_t>(operation.n);
  a.variance = at<double>(layout.variance);
  a.factor = at<double>(layout.factor);
  a.residual = at<double>(layout.residual);
  a.skipped = at<double>(layout.skipped);
  std::uint8_t deficient[tile_columns] = {};
  a.deficient = deficient;
  a.tolerance = tolerances::identity::relative_fp64;
  a.stride = stride;
  kernels.constrain(a);
  for (std::int64_t c = 0; c < count; ++c)
    if (deficient[c]) flag(c, static_cast<SlotStatus>(Status::rank_deficient));
}

void Tile::convolution(const Operation& operation) noexcept {
  const Field2d& field = operation.field;
  ConvolutionArguments a{};
  a.weight = operation.weight.data();
  a.bias = operation.bias.data();
  a.x = value<float>(operation.input[0]);
  a.y = value<float>(operation.output[0]);
  a.channels = field.channels;
  a.height = field.height;
  a.width = field.width;
  a.n = operation.groups;
  a.out_height = field.out[0];
  a.out_width = field.out[1];
  a.kernel_y = field.kernel[0];
  a.kernel_x = field.kernel[1];
  a.stride_y = field.stride[0];
  a.stride_x = field.stride[1];
  a.padding_y = field.padding[0];
  a.padding_x = field.padding[1];
  a.stride = stride;
  kernels.convolution(a);
}

void Tile::upsample(const Operation& operation) noexcept {
  const Field2d& field = operation.field;
  const float* x = value<float>(operation.input[0]);
  float* y = value<float>(operation.output[0]);
  for (std::int64_t c = 0; c < field.channels; ++c)
    for (std::int64_t oy = 0; oy < field.out[0]; ++oy)
      for (std::int64_t ox = 0; ox < field.out[1]; ++ox) {
        const std::int64_t from = (c * field.height + oy / field.stride[0]) * field.width + ox / field.stride[1];
        std::memcpy(y, x + from * stride, static_cast<std::size_t>(stride) * sizeof(float));
        y += stride;
      }
}

void Tile::transpose(const Operation& operation) noexcept {
  const float* x = value<float>(operation.input[0]);
  float* y = value<float>(operation.output[0]);
  for (std::int64_t c = 0; c < operation.size; ++c)
    for (std::int64_t r = 0; r < operation.groups; ++r) {
      std::memcpy(y, x + (r * operation.size + c) * stride, static_cast<std::size_t>(stride) * sizeof(float));
      y += stride;
    }
}

void Tile::norm(const Operation& operation) noexcept {
  NormArguments a{};
  a.weight = operation.weight.data();
  a.bias = operation.bias.data();
  a.x = value<float>(operation.input[0]);
  a.y = value<float>(operation.output[0]);
  a.epsilon = operation.number;
  a.n = operation.n;
  a.groups = operation.groups;
  a.channel_size = operation.size;
  a.stride = stride;
  kernels.norm(a);
}

void Tile::dense(const Operation& operation) noexcept {
  const float* x = value<float>(operation.input[0]);
  float* y = value<float>(operation.output[0]);
  const std::int64_t n = operation.n / operation.size;
  for (std::int64_t row = 0; row < operation.size; ++row)
    kernels.dense({operation.weight.data(), operation.bias.data(), x + row * operation.k * stride, y + row * n * stride,
                   operation.k, n, stride});
}

void Tile::gru(const Operation& operation) noexcept {
  float *from_input = value<float>(operation.output[1]), *from_hidden = value<float>(operation.output[2]);
  const float *x = value<float>(operation.input[0]), *h = value<float>(operation.input[1]);
  float* y = value<float>(operation.output[0]);
  const std::int64_t n = operation.n / operation.size;
  for (std::int64_t row = 0; row < operation.size; ++row) {
    kernels.dense({operation.weight.data(), operation.bias.data(), x, from_input, operation.k, 3 * n, stride});
    kernels.dense({operation.weight_hidden.data(), operation.bias_hidden.data(), h, from_hidden, n, 3 * n, stride});
    kernels.gru_gates(from_input, from_hidden, h, y, n * stride);
    x += operation.k * stride;
    h += n * stride;
    y += n * stride;
  }
}

std::int64_t Tile::row_at(double index, std::int64_t rows, std::int64_t c) noexcept {
  bool bad = false;
  const std::int64_t row = row_of(index, rows, bad);
  if (bad && c < count) flag(c, static_cast<SlotStatus>(Status::invalid_argument));
  return row;
}

void Tile::gather_rows(const Operation& operation) noexcept {
  const float* x = value<float>(operation.input[0]);
  const double* index = value<double>(operation.input[1]);
  float* y = value<float>(operation.output[0]);
  const std::int64_t features = operation.groups;
  for (std::int64_t e = 0; e < operation.size; ++e)
    for (std::int64_t c = 0; c < stride; ++c) {
      const std::int64_t row = row_at(index[e * stride + c], operation.k, c);
      for (std::int64_t f = 0; f < features; ++f)
        y[(e * features + f) * stride + c] = row < 0 ? 0.0f : x[(row * features + f) * stride + c];
    }
}

void Tile::scatter_rows(const Operation& operation) noexcept {
  const float* x = value<float>(operation.input[0]);
  const double* index = value<double>(operation.input[1]);
  float* y = value<float>(operation.output[0]);
  const std::int64_t features = operation.groups;
  for (std::int64_t j = 0; j < operation.n * stride; ++j) y[j] = 0.0f;
  for (std::int64_t e = 0; e < operation.size; ++e)
    for (std::int64_t c = 0; c < stride; ++c) {
      const std::int64_t row = row_at(index[e * stride + c], operation.k, c);
      if (row < 0) continue;
      for (std::int64_t f = 0; f < features; ++f)
        y[(row * features + f) * stride + c] += x[(e * features + f) * stride + c];
    }
}

void Tile::embed(const Operation& operation) noexcept {
  const double* index = value<double>(operation.input[0]);
  const float* table = operation.weight.data();
  float* y = value<float>(operation.output[0]);
  const std::int64_t features = operation.groups;
  for (std::int64_t i = 0; i < operation.size; ++i)
    for (std::int64_t c = 0; c < stride; ++c) {
      const std::int64_t row = row_at(index[i * stride + c], operation.k, c);
      for (std::int64_t f = 0; f < features; ++f)
        y[(i * features + f) * stride + c] = row < 0 ? 0.0f : table[row * features + f];
    }
}

void Tile::mask(const Operation& operation) noexcept {
  const double *x = value<double>(operation.input[0]), *count_of = value<double>(operation.input[1]);
  double* y = value<double>(operation.output[0]);
  std::int64_t present[tile_columns];
  for (std::int64_t c = 0; c < stride; ++c) {
    // As an index of size + 1 rows; -1 (absent) is no count.
    present[c] = row_at(count_of[c], operation.size + 1, c);
    if (present[c] >= 0) continue;
    present[c] = 0;
    if (c < count) flag(c, static_cast<SlotStatus>(Status::invalid_argument));
  }
  for (std::int64_t i = 0; i < operation.n; ++i)
    for (std::int64_t c = 0; c < stride; ++c)
      y[i * stride + c] = i < present[c] * operation.groups ? x[i * stride + c] : 0.0;
}

void Tile::run(const std::vector<Operation>& operations) noexcept {
  for (const Operation& operation : operations) {
    const std::int64_t size = operation.n * stride;
    // Operands by number and type; only those that the operation has are asked for.
    const auto x32 = [&](std::size_t i) noexcept { return value<float>(operation.input[i]); };
    const auto x64 = [&](std::size_t i) noexcept { return value<double>(operation.input[i]); };
    const auto y32 = [&]() noexcept { return value<float>(operation.output[0]); };
    const auto y64 = [&]() noexcept { return value<double>(operation.output[0]); };
    switch (operation.kind) {
      case OperationKind::standardize:
        kernels.standardize(x64(0), operation.first.data(), operation.second.data(), y32(), operation.n, stride);
        break;
      case OperationKind::single:
        kernels.single(x64(0), y32(), size);
        break;
      case OperationKind::select:
        std::memcpy(y64(), x64(0) + operation.begin * stride, static_cast<std::size_t>(size) * sizeof(double));
        break;
      case OperationKind::slice:
        std::memcpy(y32(), x32(0) + operation.begin * stride, static_cast<std::size_t>(size) * sizeof(float));
        break;
      case OperationKind::concat: {
        float* to = y32();
        for (const int v : operation.inputs) {
          const std::int64_t part = program.values[static_cast<std::size_t>(v)].length * stride;
          std::memcpy(to, value<float>(v), static_cast<std::size_t>(part) * sizeof(float));
          to += part;
        }
        break;
      }
      case OperationKind::dense:
        dense(operation);
        break;
      case OperationKind::conv2d:
        convolution(operation);
        break;
      case OperationKind::transpose:
        transpose(operation);
        break;
      case OperationKind::upsample2d:
        upsample(operation);
        break;
      case OperationKind::silu:
        kernels.silu(x32(0), y32(), size);
        break;
      case OperationKind::relu:
        kernels.relu(x32(0), y32(), size);
        break;
      case OperationKind::tanh:
        kernels.tanh(x32(0), y32(), size);
        break;
      case OperationKind::sigmoid:
        kernels.sigmoid(x32(0), y32(), size);
        break;
      case OperationKind::add:
        kernels.add(x32(0), x32(1), y32(), size);
        break;
      case OperationKind::multiply:
        kernels.multiply(x32(0), x32(1), y32(), size);
        break;
      case OperationKind::add_channel:
        kernels.add_channel(x32(0), x32(1), y32(), operation.groups, operation.size, stride);
        break;
      case OperationKind::layer_norm:
      case OperationKind::group_norm:
        norm(operation);
        break;
      case OperationKind::time_embedding:
        kernels.time_embedding(x64(0), operation.first.data(), y32(), operation.k, stride);
        break;
      case OperationKind::gru:
        gru(operation);
        break;
      case OperationKind::gather:
        gather_rows(operation);
        break;
      case OperationKind::scatter_add:
        scatter_rows(operation);
        break;
      case OperationKind::embedding:
        embed(operation);
        break;
      case OperationKind::mask:
        mask(operation);
        break;
      case OperationKind::gaussian_head:
        kernels.gaussian_head({x32(0), operation.first.data(), operation.second.data(), operation.number,
                               operation.exponential, y64(), value<double>(operation.output[1]), operation.n, stride});
        break;
      case OperationKind::normal_noise:
        noise(y64(), operation.n, operation.site);
        break;
      case OperationKind::gaussian_draw:
        kernels.gaussian_draw(x64(0), x64(1), x64(2), y64(), size);
        if (work.global != nullptr) {  // which a constrain step finds again, and a model without one does not
          double* variance = at<double>(layout.variance);
          for (std::int64_t j = 0; j < size; ++j) variance[j] = x64(1)[j] * x64(1)[j];
        }
        break;
      case OperationKind::positive_draw:
        positive_draw(operation);
        break;
      case OperationKind::dirichlet_draw:
        dirichlet_draw(operation);
        break;
      case OperationKind::poisson_draw:
        poisson_draw(operation);
        break;
      case OperationKind::multinomial_draw:
        multinomial_draw(operation);
        break;
      case OperationKind::sample:
        sample(operation);
        break;
      case OperationKind::constrain:
        constrain(operation);
        break;
      case OperationKind::identity:
        std::memcpy(y64(), x64(0), static_cast<std::size_t>(size) * sizeof(double));
        break;
    }
  }
}

}  // namespace lavoisier::detail
