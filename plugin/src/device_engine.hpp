#ifndef LAVOISIER_PLUGIN_DEVICE_ENGINE_HPP
#define LAVOISIER_PLUGIN_DEVICE_ENGINE_HPP

// A program on any Kokkos execution space, one kernel an operation over all columns of a run: for devices. Every number
// is computed by the operations and in the order of the tile kernels (one fused multiply-add a step in dense layers,
// separate roundings elsewhere; nvcc needs --fmad=false), so that where arithmetic is IEEE the bits are the same.
//
// Values lie as value[element * ld + slot]: neighbouring threads read neighbouring columns.

#if defined(__CUDACC__) || defined(__HIPCC__)
#define R123_CUDA_DEVICE __host__ __device__
#endif

#include "device_laws.hpp"
#include "device_layers.hpp"
#include "device_operations.hpp"
#include "program.hpp"
#include "run_work.hpp"

#include <lavoisier/elementary.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace lavoisier::detail {

/// BoundField::shift for kernels.
struct ColumnShift {
  std::int64_t block_columns, column_stride, block_stride;
  KOKKOS_INLINE_FUNCTION std::int64_t operator()(std::int64_t c) const {
    return block_columns == 0 ? c * column_stride : c / block_columns * block_stride + c % block_columns * column_stride;
  }
};

template <class ExecutionSpace>
class DeviceEngine final : public Engine {
  using Memory = typename ExecutionSpace::memory_space;
  template <class T>
  using Array = Kokkos::View<T*, Memory>;
  template <class T>
  using HostArray = Kokkos::View<T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Range = Kokkos::RangePolicy<ExecutionSpace, Kokkos::IndexType<std::int64_t>>;

 public:
  DeviceEngine(const Program& program, std::int64_t max_columns)
      : program_(program), ld_((max_columns + tile_columns - 1) / tile_columns * tile_columns) {
    require_device_operations(program, ExecutionSpace::name());
    const auto rows = [&](std::int64_t count) {
      return Array<double>("lavoisier", static_cast<std::size_t>(count * ld_));
    };
    arena_ = Array<double>("lavoisier", program.arena_bytes / 8 * static_cast<std::size_t>(ld_ / tile_columns));
    const LawSystem& laws = program.laws;
    const std::int64_t n = program.output_elements, m = laws.rows();
    right_hand_side_ = rows(laws.count());
    scalars_ = rows(static_cast<std::int64_t>(laws.scalars.operations.size()));
    row_values_ = rows(static_cast<std::int64_t>(laws.row_operand.size()));
    term_values_ = rows(static_cast<std::int64_t>(laws.term_operand.size()));
    variance_ = rows(n);
    factor_ = rows(m * (m + 1) / 2);
    residual_ = rows(laws.count());
    relative_ = rows(laws.count());
    skipped_ = rows(m);
    stored_ = rows(n);
    minimum_ = copy(program.minimum);
    maximum_ = copy(program.maximum);
    status_ = Array<SlotStatus>("lavoisier", static_cast<std::size_t>(ld_));
    columns_ = Array<std::int64_t>("lavoisier", static_cast<std::size_t>(ld_));
    column_ids_ = Array<std::uint64_t>("lavoisier", static_cast<std::size_t>(ld_));
    step_ids_ = Array<std::uint64_t>("lavoisier", static_cast<std::size_t>(ld_));
    host_ids_ = AlignedBuffer<std::uint64_t>(static_cast<std::size_t>(ld_));
    host_steps_ = AlignedBuffer<std::uint64_t>(static_cast<std::size_t>(ld_));
    host_ = AlignedBuffer<double>(static_cast<std::size_t>(std::max(program.input_elements, n) * ld_));
    host_status_ = AlignedBuffer<SlotStatus>(static_cast<std::size_t>(ld_));
    host_laws_ = AlignedBuffer<double>(static_cast<std::size_t>(laws.count() * ld_));
    row_law_ = copy(laws.row_law);
    row_begin_ = copy(laws.row_begin);
    row_element_ = copy(laws.row_element);
    row_coefficient_ = copy(laws.row_coefficient);
    column_begin_ = copy(laws.column_begin);
    column_row_ = copy(laws.column_row);
    column_coefficient_ = copy(laws.column_coefficient);
    pair_begin_ = copy(laws.pair_begin);
    pair_element_ = copy(laws.pair_element);
    pair_product_ = copy(laws.pair_product);
    term_begin_ = copy(laws.term_begin);
    term_element_ = copy(laws.term_element);
    term_coefficient_ = copy(laws.term_coefficient);
    column_entry_ = copy(laws.column_entry);
    pair_left_ = copy(laws.pair_left);
    pair_right_ = copy(laws.pair_right);
    for (const auto& operation : program.operations) {
      Constants constants;
      constants.weight = copy(operation.weight.data(), operation.weight.size());
      constants.bias = copy(operation.bias.data(), operation.bias.size());
      constants.first = copy(operation.first);
      constants.second = copy(operation.second);
      constants_.push_back(constants);
    }
  }

  std::string instruction_set() const override { return ExecutionSpace::name(); }

  void run(const RunWork& work) override {
    gather(work);
    check_inputs(work.count);
    evaluate_laws(work.count);
    for (std::size_t i = 0; i < program_.operations.size(); ++i)
      operation(program_.operations[i], constants_[i], work);
    store(work);
    close(work);
  }

  // Public because nvcc wants the functions that enclose device lambdas to be.
  struct Constants {
    Array<float> weight, bias;
    Array<double> first, second;
  };

  template <class T>
  T* value(int index) const {
    const std::size_t slot = program_.values[static_cast<std::size_t>(index)].slot;
    // A slot counts the bytes of a tile of tile_columns; ld is a multiple of it.
    return reinterpret_cast<T*>(reinterpret_cast<char*>(arena_.data()) + slot * static_cast<std::size_t>(ld_ / tile_columns));
  }

  void gather(const RunWork& work) {
    const std::int64_t count = work.count, ld = ld_;
    for (std::int64_t s = 0; s < count; ++s) {
      const std::int64_t c = work.columns[s];
      host_ids_[static_cast<std::size_t>(s)] =
          work.column_ids ? work.column_ids[c] : work.first_column_id + static_cast<std::uint64_t>(c);
      host_steps_[static_cast<std::size_t>(s)] = work.step_ids ? work.step_ids[c] : work.step;
    }
    upload(columns_, work.columns, count);
    upload(column_ids_, host_ids_.data(), count);
    upload(step_ids_, host_steps_.data(), count);
    double* x = value<double>(0);
    bool any_host = false;
    for (std::size_t f = 0; f < work.input_count; ++f) {
      const BoundField& field = work.inputs[f];
      if (field.on_device) continue;
      any_host = true;
      for (std::int64_t e = 0; e < field.elements; ++e)
        for (std::int64_t s = 0; s < count; ++s) {
          const std::int64_t at = field.shift(work.columns[s], work.block_columns) + e * field.element_stride;
          host_[static_cast<std::size_t>((field.offset + e) * ld + s)] =
              field.f32 ? static_cast<double>(static_cast<const float*>(field.data)[at])
                        : static_cast<const double*>(field.data)[at];
        }
    }
    if (any_host)
      Kokkos::deep_copy(space_,
                        Kokkos::View<double*, Memory, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                            x, static_cast<std::size_t>(program_.input_elements * ld)),
                        HostArray<double>(host_.data(), static_cast<std::size_t>(program_.input_elements * ld)));
    for (std::size_t f = 0; f < work.input_count; ++f) {
      const BoundField& field = work.inputs[f];
      if (!field.on_device) continue;
      const std::int64_t* columns = columns_.data();
      const ColumnShift shift{work.block_columns, field.column_stride, field.block_stride};
      const std::int64_t element_stride = field.element_stride;
      const float* singles = static_cast<const float*>(field.data);
      const double* doubles = static_cast<const double*>(field.data);
      const bool f32 = field.f32;
      double* to = x + field.offset * ld;
      Kokkos::parallel_for(
          "lav::gather", Range(space_, 0, field.elements * count), KOKKOS_LAMBDA(const std::int64_t j) {
            const std::int64_t e = j / count, s = j % count;
            const std::int64_t at = shift(columns[s]) + e * element_stride;
            to[e * ld + s] = f32 ? static_cast<double>(singles[at]) : doubles[at];
          });
    }
  }

  void check_inputs(std::int64_t count) {
    const std::int64_t ld = ld_, elements = program_.input_elements;
    double* x = value<double>(0);
    const double *minimum = minimum_.data(), *maximum = maximum_.data();
    SlotStatus* status = status_.data();
    Kokkos::parallel_for(
        "lav::inputs", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          SlotStatus found = 0;
          for (std::int64_t e = 0; e < elements; ++e) {
            const double here = x[e * ld + s];
            if (!is_finite(here)) {
              found = static_cast<SlotStatus>(Status::non_finite);
              x[e * ld + s] = minimum[e];
            } else if ((here < minimum[e] || here > maximum[e]) && found == 0) {
              found = static_cast<SlotStatus>(Status::out_of_range);
            }
          }
          status[s] = found;
        });
  }

  struct Operand {
    const double* data = nullptr;
    std::int64_t step = 0;
    double number = 0.0;
    KOKKOS_INLINE_FUNCTION double at(std::int64_t s) const { return step == 0 ? number : data[s]; }
  };
  Operand operand(const ScalarOperand& given) const {
    Operand found;
    found.number = given.number;
    if (given.kind == ScalarOperand::Kind::input) found.data = value<double>(0) + given.index * ld_;
    if (given.kind == ScalarOperand::Kind::result) found.data = scalars_.data() + given.index * ld_;
    found.step = found.data != nullptr;
    return found;
  }

  void evaluate_laws(std::int64_t count) {
    const ScalarProgram& scalar = program_.laws.scalars;
    for (std::size_t i = 0; i < scalar.operations.size(); ++i) {
      const ScalarCode code = scalar.operations[i].code;
      const Operand left = operand(scalar.operations[i].left), right = operand(scalar.operations[i].right);
      double* result = scalars_.data() + static_cast<std::int64_t>(i) * ld_;
      Kokkos::parallel_for(
          "lav::scalar", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
            const double a = left.at(s), b = right.at(s);
            result[s] = code == ScalarCode::add        ? a + b
                        : code == ScalarCode::subtract ? a - b
                        : code == ScalarCode::multiply ? a * b
                        : code == ScalarCode::divide   ? a / b
                                                       : -a;
          });
    }
    tabulate(program_.laws.right_hand_side, right_hand_side_, count);
    tabulate(program_.laws.row_operand, row_values_, count);
    tabulate(program_.laws.term_operand, term_values_, count);
  }

  void tabulate(const std::vector<ScalarOperand>& operands, const Array<double>& table, std::int64_t count) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Operand from = operand(operands[i]);
      double* result = table.data() + static_cast<std::int64_t>(i) * ld_;
      Kokkos::parallel_for(
          "lav::laws", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) { result[s] = from.at(s); });
    }
  }

  void dense(const Operation& operation, const Constants& constants, std::int64_t count) {
    const std::int64_t ld = ld_, k = operation.k, n = operation.n;
    const float* x = value<float>(operation.input[0]);
    float* y = value<float>(operation.output[0]);
    const float *weight = constants.weight.data(), *bias = constants.bias.data();
    const std::int64_t panels = (n + panel_width - 1) / panel_width;
    Kokkos::parallel_for(
        "lav::dense", Range(space_, 0, panels * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t p = job / count, s = job % count;
          float sum[panel_width];
          for (int j = 0; j < panel_width; ++j) sum[j] = bias[p * panel_width + j];
          const float* w = weight + p * k * panel_width;
          for (std::int64_t i = 0; i < k; ++i) {
            const float here = x[i * ld + s];
            for (int j = 0; j < panel_width; ++j) sum[j] = fmaf(w[i * panel_width + j], here, sum[j]);
          }
          for (int j = 0; j < panel_width; ++j)
            if (p * panel_width + j < n) y[(p * panel_width + j) * ld + s] = sum[j];
        });
  }

  void layer_norm(const Operation& operation, const Constants& constants, std::int64_t count) {
    const std::int64_t ld = ld_, n = operation.n;
    const float* x = value<float>(operation.input[0]);
    float* y = value<float>(operation.output[0]);
    const float *weight = constants.weight.data(), *bias = constants.bias.data();
    const double epsilon = operation.number;
    Kokkos::parallel_for(
        "lav::norm", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          double mean = 0.0, variance = 0.0;
          for (std::int64_t i = 0; i < n; ++i) mean += static_cast<double>(x[i * ld + s]);
          mean = mean / static_cast<double>(n);
          for (std::int64_t i = 0; i < n; ++i) {
            const double distance = static_cast<double>(x[i * ld + s]) - mean;
            variance += distance * distance;
          }
          const double root = elementary::sqrt(variance / static_cast<double>(n) + epsilon);
          for (std::int64_t i = 0; i < n; ++i)
            y[i * ld + s] = static_cast<float>((static_cast<double>(x[i * ld + s]) - mean) / root *
                                                   static_cast<double>(weight[i]) +
                                               static_cast<double>(bias[i]));
        });
  }

  void head(const Operation& operation, const Constants& constants, std::int64_t count) {
    const std::int64_t ld = ld_, n = operation.n;
    const float* h = value<float>(operation.input[0]);
    double *mean = value<double>(operation.output[0]), *deviation = value<double>(operation.output[1]);
    const double *offset = constants.first.data(), *scale = constants.second.data();
    const double floor = operation.number;
    const bool exponential = operation.exponential;
    Kokkos::parallel_for(
        "lav::head", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / count, s = job % count;
          mean[i * ld + s] = offset[i] + scale[i] * static_cast<double>(h[i * ld + s]);
          const double raw = static_cast<double>(h[(n + i) * ld + s]);
          const double f = exponential ? elementary::exp(raw) : elementary::log1p_exp(raw);
          deviation[i * ld + s] = scale[i] * (floor + f);
        });
  }

  void noise(const Operation& operation, const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count;
    double* e = value<double>(operation.output[0]);
    const std::uint64_t *ids = column_ids_.data(), *steps = step_ids_.data();
    const random::Key key{work.seed, work.stream};
    const std::uint64_t member = work.member, site = operation.site;
    const bool draw = work.draw;
    Kokkos::parallel_for(
        "lav::noise", Range(space_, 0, operation.n * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / count, s = job % count;
          random::Address address;
          address.column = ids[s];
          address.step = steps[s];
          address.member = member;
          address.site = site;
          address.element = static_cast<std::uint64_t>(i);
          e[i * ld + s] = draw ? random::normal(key, address) : 0.0;
        });
  }

  ColumnLaws column_laws() const {
    ColumnLaws laws;
    laws.n = static_cast<std::int32_t>(program_.output_elements);
    laws.m = program_.laws.rows();
    laws.laws = program_.laws.count();
    laws.row_law = row_law_.data();
    laws.row_begin = row_begin_.data();
    laws.row_element = row_element_.data();
    laws.row_coefficient = row_coefficient_.data();
    laws.column_begin = column_begin_.data();
    laws.column_row = column_row_.data();
    laws.column_coefficient = column_coefficient_.data();
    laws.pair_begin = pair_begin_.data();
    laws.pair_element = pair_element_.data();
    laws.pair_product = pair_product_.data();
    laws.term_begin = term_begin_.data();
    laws.term_element = term_element_.data();
    laws.term_coefficient = term_coefficient_.data();
    if (program_.laws.varies) {
      laws.row_values = row_values_.data();
      laws.term_values = term_values_.data();
      laws.column_entry = column_entry_.data();
      laws.pair_left = pair_left_.data();
      laws.pair_right = pair_right_.data();
    }
    return laws;
  }

  void constrain(const Operation& operation, const Constants& constants, std::int64_t count) {
    const std::int64_t ld = ld_;
    const ColumnLaws laws = column_laws();
    const double* z = value<double>(operation.input[0]);
    const double* deviation = operation.input[1] < 0 ? nullptr : value<double>(operation.input[1]);
    double* y = value<double>(operation.output[0]);
    const double* squared_scale = operation.fixed_metric ? constants.first.data() : nullptr;
    const double* d = right_hand_side_.data();
    double *variance = variance_.data(), *factor = factor_.data(), *skipped = skipped_.data(),
           *residual = residual_.data();
    SlotStatus* status = status_.data();
    const double tolerance = tolerances::identity::relative_fp64;
    Kokkos::parallel_for(
        "lav::constrain", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int32_t i = 0; i < laws.n; ++i) {
            const std::int64_t at = i * ld + s;
            y[at] = z[at];
            variance[at] = squared_scale == nullptr ? deviation[at] * deviation[at]
                                                    : (deviation == nullptr || deviation[at] != 0.0 ? squared_scale[i] : 0.0);
          }
          if (laws.m == 0) return;
          if (laws.of(s).constrain(y + s, d + s, variance + s, factor + s, skipped + s, residual + s, tolerance, ld) &&
              status[s] != static_cast<SlotStatus>(Status::non_finite))
            status[s] = static_cast<SlotStatus>(Status::rank_deficient);
        });
  }

  void operation(const Operation& operation, const Constants& constants, const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count, n = operation.n;
    switch (operation.kind) {
      case OperationKind::standardize: {
        const double *x = value<double>(operation.input[0]), *mean = constants.first.data(),
                     *scale = constants.second.data();
        float* y = value<float>(operation.output[0]);
        Kokkos::parallel_for(
            "lav::scale", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
              const std::int64_t i = job / count, at = i * ld + job % count;
              y[at] = static_cast<float>((x[at] - mean[i]) / scale[i]);
            });
        break;
      }
      case OperationKind::dense: dense(operation, constants, count); break;
      case OperationKind::silu: {
        const float* x = value<float>(operation.input[0]);
        float* y = value<float>(operation.output[0]);
        Kokkos::parallel_for(
            "lav::silu", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
              const std::int64_t at = job / count * ld + job % count;
              y[at] = elementary::silu(x[at]);
            });
        break;
      }
      case OperationKind::add: {
        const float *a = value<float>(operation.input[0]), *b = value<float>(operation.input[1]);
        float* y = value<float>(operation.output[0]);
        Kokkos::parallel_for(
            "lav::add", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
              const std::int64_t at = job / count * ld + job % count;
              y[at] = a[at] + b[at];
            });
        break;
      }
      case OperationKind::layer_norm: layer_norm(operation, constants, count); break;
      case OperationKind::gaussian_head: head(operation, constants, count); break;
      case OperationKind::normal_noise: noise(operation, work); break;
      case OperationKind::gaussian_draw: {
        const double *mean = value<double>(operation.input[0]), *deviation = value<double>(operation.input[1]),
                     *e = value<double>(operation.input[2]);
        double* z = value<double>(operation.output[0]);
        Kokkos::parallel_for(
            "lav::draw", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
              const std::int64_t at = job / count * ld + job % count;
              z[at] = mean[at] + deviation[at] * e[at];
            });
        break;
      }
      case OperationKind::constrain: constrain(operation, constants, count); break;
      case OperationKind::identity: {
        const double* z = value<double>(operation.input[0]);
        double* y = value<double>(operation.output[0]);
        Kokkos::parallel_for(
            "lav::identity", Range(space_, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
              const std::int64_t at = job / count * ld + job % count;
              y[at] = z[at];
            });
        break;
      }
      default: layer(operation, constants, count);
    }
  }

  /// What device_layers.hpp has; require_device_operations() has refused the rest.
  void layer(const Operation& operation, const Constants& constants, std::int64_t count) {
    const DeviceLayers<ExecutionSpace> layers{space_, ld_, count};
    const std::int64_t n = operation.n;
    const float *weight = constants.weight.data(), *bias = constants.bias.data();
    const auto x = [&](std::size_t i) { return value<float>(operation.input[i]); };
    const auto y = [&] { return value<float>(operation.output[0]); };
    switch (operation.kind) {
      case OperationKind::single:
        layers.map(value<double>(operation.input[0]), y(), n, SingleFunction{});
        break;
      case OperationKind::select:
        layers.map(value<double>(operation.input[0]) + operation.begin * ld_, value<double>(operation.output[0]), n,
                   SameFunction<double>{});
        break;
      case OperationKind::slice: layers.map(x(0) + operation.begin * ld_, y(), n, SameFunction<float>{}); break;
      case OperationKind::concat: {
        float* to = y();
        for (const int v : operation.inputs) {
          const std::int64_t part = program_.values[static_cast<std::size_t>(v)].length;
          layers.map(value<float>(v), to, part, SameFunction<float>{});
          to += part * ld_;
        }
        break;
      }
      case OperationKind::conv2d: layers.convolution(operation, weight, bias, x(0), y()); break;
      case OperationKind::transpose: layers.transpose(operation, x(0), y()); break;
      case OperationKind::upsample2d: layers.upsample(operation, x(0), y()); break;
      case OperationKind::relu: layers.map(x(0), y(), n, ReluFunction{}); break;
      case OperationKind::tanh: layers.map(x(0), y(), n, TanhFunction{}); break;
      case OperationKind::sigmoid: layers.map(x(0), y(), n, SigmoidFunction{}); break;
      case OperationKind::multiply: layers.multiply(x(0), x(1), y(), n); break;
      case OperationKind::add_channel: layers.add_channel(operation, x(0), x(1), y()); break;
      case OperationKind::group_norm: layers.norm(operation, weight, bias, x(0), y()); break;
      case OperationKind::time_embedding:
        layers.time_embedding(operation, value<double>(operation.input[0]), constants.first.data(), y());
        break;
      default: break;
    }
  }

  /// Rounds to what the host stores, sees that it is finite, and writes the columns that are.
  void store(const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count, n = program_.output_elements;
    const double* y = value<double>(program_.result);
    double* stored = stored_.data();
    SlotStatus* status = status_.data();
    for (std::size_t f = 0; f < work.output_count; ++f) {
      const std::int64_t first = work.outputs[f].offset;
      const bool f32 = work.outputs[f].f32;
      Kokkos::parallel_for(
          "lav::round", Range(space_, 0, work.outputs[f].elements * count), KOKKOS_LAMBDA(const std::int64_t job) {
            const std::int64_t at = (first + job / count) * ld + job % count;
            stored[at] = f32 ? static_cast<double>(static_cast<float>(y[at])) : y[at];
          });
    }
    Kokkos::parallel_for(
        "lav::finite", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int64_t i = 0; i < n; ++i)
            if (!is_finite(stored[i * ld + s])) status[s] = static_cast<SlotStatus>(Status::non_finite);
        });
    const ColumnLaws laws = column_laws();
    const double* d = right_hand_side_.data();
    double *residual = residual_.data(), *relative = relative_.data();
    if (laws.laws > 0)
      Kokkos::parallel_for(
          "lav::closure", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
            for (std::int32_t l = 0; l < laws.laws; ++l) {
              laws.of(s).closure(l, stored + s, d + s, residual[l * ld + s], relative[l * ld + s], ld);
              // A law that cannot be told: the column is not stored either.
              if (!is_finite(relative[l * ld + s])) status[s] = static_cast<SlotStatus>(Status::non_finite);
            }
          });
    download(status_, host_status_.data(), count);
    bool any_host = false;
    for (std::size_t f = 0; f < work.output_count; ++f) {
      const BoundField& field = work.outputs[f];
      if (!field.on_device) {
        any_host = true;
        continue;
      }
      const std::int64_t* columns = columns_.data();
      const ColumnShift shift{work.block_columns, field.column_stride, field.block_stride};
      const std::int64_t element_stride = field.element_stride;
      float* singles = static_cast<float*>(field.data);
      double* doubles = static_cast<double*>(field.data);
      const bool f32 = field.f32;
      const double* from = stored + field.offset * ld;
      Kokkos::parallel_for(
          "lav::scatter", Range(space_, 0, field.elements * count), KOKKOS_LAMBDA(const std::int64_t job) {
            const std::int64_t e = job / count, s = job % count;
            if (status[s] != 0 && status[s] != static_cast<SlotStatus>(Status::out_of_range)) return;
            const std::int64_t at = shift(columns[s]) + e * element_stride;
            if (f32)
              singles[at] = static_cast<float>(from[e * ld + s]);
            else
              doubles[at] = from[e * ld + s];
          });
    }
    if (any_host) {
      download(stored_, host_.data(), n * ld);
      for (std::size_t f = 0; f < work.output_count; ++f) {
        const BoundField& field = work.outputs[f];
        if (field.on_device) continue;
        for (std::int64_t e = 0; e < field.elements; ++e)
          for (std::int64_t s = 0; s < count; ++s) {
            const SlotStatus found = host_status_[static_cast<std::size_t>(s)];
            if (found != 0 && found != static_cast<SlotStatus>(Status::out_of_range)) continue;
            const std::int64_t at = field.shift(work.columns[s], work.block_columns) + e * field.element_stride;
            const double number = host_[static_cast<std::size_t>((field.offset + e) * ld + s)];
            if (field.f32)
              static_cast<float*>(field.data)[at] = static_cast<float>(number);
            else
              static_cast<double*>(field.data)[at] = number;
          }
      }
    }
    for (std::int64_t s = 0; s < count; ++s) work.status[s] = host_status_[static_cast<std::size_t>(s)];
  }

  void close(const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count;
    const std::int64_t laws = program_.laws.count();
    if (laws == 0) {
      space_.fence();
      return;
    }
    const auto copy_back = [&](const Array<double>& from, double* to) {
      download(from, host_laws_.data(), laws * ld);
      for (std::int64_t l = 0; l < laws; ++l)
        std::memcpy(to + l * work.capacity, host_laws_.data() + l * ld, static_cast<std::size_t>(count) * sizeof(double));
    };
    copy_back(residual_, work.residual);
    copy_back(relative_, work.relative);
  }

 private:
  template <class T>
  static Array<T> copy(const T* data, std::size_t size) {
    Array<T> made("lavoisier", size);
    if (size > 0) Kokkos::deep_copy(made, Kokkos::View<const T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(data, size));
    return made;
  }
  template <class T>
  static Array<T> copy(const std::vector<T>& data) {
    return copy(data.data(), data.size());
  }
  template <class T>
  void upload(const Array<T>& to, const T* from, std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    Kokkos::deep_copy(space_, Kokkos::View<T*, Memory, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(to.data(), size),
                      Kokkos::View<const T*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(from, size));
  }
  /// Waits: afterwards the host may read.
  template <class T>
  void download(const Array<T>& from, T* to, std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    Kokkos::deep_copy(space_, HostArray<T>(to, size),
                      Kokkos::View<const T*, Memory, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(from.data(), size));
    space_.fence();
  }

  const Program& program_;
  std::int64_t ld_;
  ExecutionSpace space_;
  Array<double> arena_, right_hand_side_, scalars_, variance_, factor_, residual_, relative_, skipped_, stored_, minimum_,
      maximum_, row_coefficient_, column_coefficient_, pair_product_, term_coefficient_, row_values_, term_values_;
  Array<std::int32_t> row_law_, row_begin_, row_element_, column_begin_, column_row_, pair_begin_, pair_element_,
      term_begin_, term_element_, column_entry_, pair_left_, pair_right_;
  Array<SlotStatus> status_;
  Array<std::int64_t> columns_;
  Array<std::uint64_t> column_ids_, step_ids_;
  std::vector<Constants> constants_;
  AlignedBuffer<std::uint64_t> host_ids_, host_steps_;
  AlignedBuffer<double> host_, host_laws_;
  AlignedBuffer<SlotStatus> host_status_;
};

}  // namespace lavoisier::detail

#endif
