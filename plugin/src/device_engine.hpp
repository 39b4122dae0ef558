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

#include "device_draws.hpp"
#include "device_fields.hpp"
#include "device_global.hpp"
#include "device_law_tables.hpp"
#include "device_layers.hpp"
#include "device_memory.hpp"
#include "device_sample.hpp"
#include "program.hpp"
#include "run_work.hpp"

#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace lavoisier::detail {

template <class ExecutionSpace>
class DeviceEngine final : public Engine {
  using Device = DeviceMemory<ExecutionSpace>;
  using Range = typename Device::Range;
  using Constants = std::vector<DeviceConstants<ExecutionSpace>>;
  template <class T>
  using Array = typename Device::template Array<T>;

 public:
  /// `global_rows`: of global laws.
  DeviceEngine(const Program& program, std::int64_t max_columns, std::int32_t global_rows = 0,
               const ExecutionSpace& space = ExecutionSpace())
      : program_(program),
        space_(space),
        ld_((max_columns + tile_columns - 1) / tile_columns * tile_columns),
        fields_(program, ld_),
        laws_(program.laws, program.output_elements, ld_),
        global_(global_rows, program.output_elements, program.laws.count(), ld_,
                program.operations.back().kind == OperationKind::constrain) {
    const std::int64_t n = program.output_elements;
    arena_ = Array<double>("lavoisier", program.arena_bytes / 8 * static_cast<std::size_t>(ld_ / tile_columns));
    stored_ = Device::template make<double>(n * ld_);
    minimum_ = Device::copy(program.minimum);
    maximum_ = Device::copy(program.maximum);
    status_ = Device::template make<SlotStatus>(ld_);
    host_laws_ = AlignedBuffer<double>(static_cast<std::size_t>(program.laws.count() * ld_));
    for (const auto& operation : program.operations) {
      constants_.emplace_back(operation);
      if (operation.loop >= 0)
        samplers_.emplace_back(program.loops[static_cast<std::size_t>(operation.loop)], operation, program.laws, ld_);
    }
  }

  std::string instruction_set() const override { return ExecutionSpace::name(); }

  void run(const RunWork& work) override {
    fields_.gather(space_, work, value<double>(0));
    check_inputs(work.count);
    laws_.evaluate(space_, value<double>(0), work.count);
    run(program_.operations, constants_, work);
    const GlobalWork* global = work.global;
    if (global != nullptr) global_.directions(space_, work, laws_);
    round(work);
    if (global != nullptr) run_global(work);
    close(work);
    fields_.store(space_, work, stored_.data(), status_.data());
    report(work);
  }

  // Public because nvcc wants the functions that enclose device lambdas to be.
  template <class T>
  T* value(int index) const {
    const std::size_t slot = program_.values[static_cast<std::size_t>(index)].slot;
    // A slot counts the bytes of a tile of tile_columns; ld is a multiple of it.
    return reinterpret_cast<T*>(reinterpret_cast<char*>(arena_.data()) + slot * static_cast<std::size_t>(ld_ / tile_columns));
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
            if (!finite(here)) {
              found = static_cast<SlotStatus>(Status::non_finite);
              x[e * ld + s] = minimum[e];
            } else if ((here < minimum[e] || here > maximum[e]) && found == 0) {
              found = static_cast<SlotStatus>(Status::out_of_range);
            }
          }
          status[s] = found;
        });
  }

  /// What the operations of the graph, or of a loop, do.
  void run(const std::vector<Operation>& operations, const Constants& constants, const RunWork& work) {
    for (std::size_t i = 0; i < operations.size(); ++i) operation(operations[i], constants[i], work);
  }

  SlotDraws slot_draws(const RunWork& work) const {
    return {fields_.column_ids(), fields_.step_ids(), work.seed, work.stream, work.member, work.draw};
  }

  void constrain(const Operation& operation, const DeviceConstants<ExecutionSpace>& own, std::int64_t count) {
    const std::int64_t ld = ld_;
    const ColumnLaws laws = laws_.column_laws();
    const double* z = value<double>(operation.input[0]);
    const double* deviation = operation.input[1] < 0 ? nullptr : value<double>(operation.input[1]);
    double* y = value<double>(operation.output[0]);
    const double* squared_scale = operation.fixed_metric ? own.first.data() : nullptr;
    const double* d = laws_.right_hand_side();
    double *variance = laws_.variance(), *factor = laws_.factor(), *skipped = laws_.skipped(),
           *residual = laws_.residual();
    std::uint8_t* suspect = laws_.suspect();
    SlotStatus* status = status_.data();
    const double tolerance = tolerances::identity::relative_fp64;
    Kokkos::parallel_for(
        "lav::constrain", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int32_t i = 0; i < laws.n; ++i) {
            const std::int64_t at = i * ld + s;
            y[at] = z[at];
            variance[at] = squared_scale == nullptr ? deviation[at] * deviation[at]
                           : deviation == nullptr || deviation[at] != 0.0 ? squared_scale[i]
                                                                          : 0.0;
          }
          if (laws.m == 0) return;
          bool ill = false;
          const bool deficient = laws.of(s).constrain(y + s, d + s, variance + s, factor + s, skipped + s, residual + s,
                                                      tolerance, ill, ld);
          suspect[s] = ill ? 1 : 0;
          if (deficient && is_written(status[s]))
            status[s] = static_cast<SlotStatus>(Status::rank_deficient);
        });
  }

  /// The sampling loop of diffusion and flow models.
  void sample(const Operation& operation, const RunWork& work) {
    const SampleLoop& loop = program_.loops[static_cast<std::size_t>(operation.loop)];
    DeviceSampler<ExecutionSpace>& sampler = samplers_[static_cast<std::size_t>(operation.loop)];
    const std::int64_t count = work.count;
    const DeviceDraws<ExecutionSpace> draws{space_, ld_, count, slot_draws(work), status_.data()};
    const auto draw = [&](double* to, std::uint64_t site) {
      draws.noise(to, operation.n, site);
      if (loop.projection == SampleProjection::null_space) sampler.project(space_, to, false, count);
    };
    sampler.begin(space_, laws_, count);
    draw(sampler.state(), operation.site);
    for (std::int64_t k = 0; k < loop.steps; ++k) {
      const double* row = loop.schedule.data() + SampleLoop::columns * k;
      const SampleStep step{row[0], row[1], row[2], row[3], row[4], row[5], row[6]};
      sampler.show(space_, step, value<float>(loop.state), value<double>(loop.time), count);
      run(loop.operations, sampler.constants, work);
      sampler.advance(space_, step, value<float>(loop.prediction), count);
      if (loop.method == SampleMethod::flow || step.v == 0.0) continue;
      draw(sampler.noise(), operation.site + 1 + static_cast<std::uint64_t>(k));
      sampler.add_noise(space_, step.v, count);
    }
    sampler.finish(space_, value<double>(operation.output[0]), count);
  }

  void gaussian_draw(const Operation& operation, const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count;
    const double *mean = value<double>(operation.input[0]), *deviation = value<double>(operation.input[1]),
                 *e = value<double>(operation.input[2]);
    double* z = value<double>(operation.output[0]);
    // Which a constrain step finds again, and a model without one does not.
    double* variance = work.global != nullptr ? laws_.variance() : nullptr;
    Kokkos::parallel_for(
        "lav::draw", Range(space_, 0, operation.n * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / count * ld + job % count;
          z[at] = mean[at] + deviation[at] * e[at];
          if (variance != nullptr) variance[at] = deviation[at] * deviation[at];
        });
  }

  void operation(const Operation& operation, const DeviceConstants<ExecutionSpace>& own, const RunWork& work) {
    const std::int64_t n = operation.n;
    const DeviceLayers<ExecutionSpace> layers{space_, ld_, work.count};
    const DeviceDraws<ExecutionSpace> draws{space_, ld_, work.count, slot_draws(work), status_.data()};
    const float *weight = own.weight.data(), *bias = own.bias.data();
    SlotStatus* status = status_.data();
    const auto x32 = [&](std::size_t i) { return value<float>(operation.input[i]); };
    const auto x64 = [&](std::size_t i) { return value<double>(operation.input[i]); };
    const auto y32 = [&](std::size_t i = 0) { return value<float>(operation.output[i]); };
    const auto y64 = [&](std::size_t i = 0) { return value<double>(operation.output[i]); };
    switch (operation.kind) {
      case OperationKind::standardize:
        layers.standardize(x64(0), own.first.data(), own.second.data(), y32(), n);
        break;
      case OperationKind::single: layers.map(x64(0), y32(), n, SingleFunction{}); break;
      case OperationKind::select:
        layers.map(x64(0) + operation.begin * ld_, y64(), n, SameFunction<double>{});
        break;
      case OperationKind::slice: layers.map(x32(0) + operation.begin * ld_, y32(), n, SameFunction<float>{}); break;
      case OperationKind::concat: {
        float* to = y32();
        for (const int v : operation.inputs) {
          const std::int64_t part = program_.values[static_cast<std::size_t>(v)].length;
          layers.map(value<float>(v), to, part, SameFunction<float>{});
          to += part * ld_;
        }
        break;
      }
      case OperationKind::dense:
        layers.dense(weight, bias, x32(0), y32(), operation.k, n / operation.size, operation.size);
        break;
      case OperationKind::conv2d: layers.convolution(operation, weight, bias, x32(0), y32()); break;
      case OperationKind::transpose: layers.transpose(operation, x32(0), y32()); break;
      case OperationKind::upsample2d: layers.upsample(operation, x32(0), y32()); break;
      case OperationKind::silu: layers.map(x32(0), y32(), n, SiluFunction{}); break;
      case OperationKind::relu: layers.map(x32(0), y32(), n, ReluFunction{}); break;
      case OperationKind::tanh: layers.map(x32(0), y32(), n, TanhFunction{}); break;
      case OperationKind::sigmoid: layers.map(x32(0), y32(), n, SigmoidFunction{}); break;
      case OperationKind::add: layers.map2(x32(0), x32(1), y32(), n, AddFunction{}); break;
      case OperationKind::multiply: layers.map2(x32(0), x32(1), y32(), n, MultiplyFunction{}); break;
      case OperationKind::add_channel: layers.add_channel(operation, x32(0), x32(1), y32()); break;
      case OperationKind::layer_norm:
      case OperationKind::group_norm: layers.norm(operation, weight, bias, x32(0), y32()); break;
      case OperationKind::time_embedding: layers.time_embedding(operation, x64(0), own.first.data(), y32()); break;
      case OperationKind::gru: layers.gru(operation, own, x32(0), x32(1), y32(), y32(1), y32(2)); break;
      case OperationKind::gather: layers.gather(operation, x32(0), x64(1), y32(), status); break;
      case OperationKind::scatter_add: layers.scatter_add(operation, x32(0), x64(1), y32(), status); break;
      case OperationKind::embedding: layers.embedding(operation, weight, x64(0), y32(), status); break;
      case OperationKind::mask: layers.mask(operation, x64(0), x64(1), y64(), status); break;
      case OperationKind::gaussian_head: layers.gaussian_head(operation, own, x32(0), y64(0), y64(1)); break;
      case OperationKind::normal_noise: draws.noise(y64(), n, operation.site); break;
      case OperationKind::gaussian_draw: gaussian_draw(operation, work); break;
      case OperationKind::positive_draw: {
        const bool beside = operation.input[1] >= 0;
        if (beside) {
          layers.map(x64(1), y64(0), n, SameFunction<double>{});
          layers.map(x64(2), y64(1), n, SameFunction<double>{});
        }
        draws.positive(operation, own, x32(0), y64(0), beside ? y64(1) : nullptr,
                       work.global != nullptr ? laws_.variance() : nullptr);
        break;
      }
      case OperationKind::dirichlet_draw:
        draws.dirichlet(operation, sum_rows(), x32(0), laws_.right_hand_side(), y64());
        break;
      case OperationKind::poisson_draw: draws.poisson(operation, own.first.data(), x32(0), y64()); break;
      case OperationKind::multinomial_draw:
        draws.multinomial(operation, sum_rows(), own.first.data(), x32(0), laws_.right_hand_side(), y64(),
                          laws_.variance());
        break;
      case OperationKind::sample: sample(operation, work); break;
      case OperationKind::constrain: constrain(operation, own, work.count); break;
      case OperationKind::identity: layers.map(x64(0), y64(), n, SameFunction<double>{}); break;
    }
  }

  SumRows sum_rows() const {
    const ColumnLaws laws = laws_.column_laws();
    return {laws.m, laws.row_law, laws.row_begin, laws.row_element, laws.row_coefficient};
  }

  /// Either phase of global laws, behind the draw and its rounding.
  void run_global(const RunWork& work) {
    const std::int32_t rows = work.global->rows;
    global_.sums(space_, work, stored_.data(), 0, work.global->multipliers == nullptr ? rows : -1);
    if (work.global->multipliers == nullptr) {
      global_.covariances(space_, work, laws_.variance());
      global_.download(space_, work, 3 * rows + rows * (rows + 1) / 2);
      return;
    }
    global_.correct(space_, work, laws_, value<double>(program_.result));
    round(work);
    global_.sums(space_, work, stored_.data(), rows, 2 * rows);
    global_.download(space_, work, 3 * rows);
  }

  /// Rounds to what the host stores, and sees that it is finite.
  void round(const RunWork& work) {
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
            if (!finite(stored[i * ld + s])) status[s] = static_cast<SlotStatus>(Status::non_finite);
        });
  }

  /// Residuals of the stored values. A law that cannot be told: the column is not stored either.
  void close(const RunWork& work) {
    const std::int64_t ld = ld_, count = work.count;
    const ColumnLaws laws = laws_.column_laws();
    const double *stored = stored_.data(), *d = laws_.right_hand_side();
    double *residual = laws_.residual(), *relative = laws_.relative();
    SlotStatus* status = status_.data();
    if (laws.laws == 0) return;
    Kokkos::parallel_for(
        "lav::closure", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int32_t l = 0; l < laws.laws; ++l) {
            laws.of(s).closure(l, stored + s, d + s, residual[l * ld + s], relative[l * ld + s], ld);
            if (!finite(relative[l * ld + s])) status[s] = static_cast<SlotStatus>(Status::non_finite);
          }
        });
    // A law that follows from the others where that was decided, and does not here.
    const double tolerance = contradiction_tolerance(program_, work);
    if (tolerance == 0.0) return;
    for (const std::int32_t l : program_.laws.dependent)
      Kokkos::parallel_for(
          "lav::dependent", Range(space_, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
            if (!(relative[l * ld + s] <= tolerance) && is_written(status[s]))
              status[s] = static_cast<SlotStatus>(Status::inconsistent_laws);
          });
  }

  void report(const RunWork& work) {
    const std::int64_t ld = ld_, laws = program_.laws.count();
    if (laws == 0) {
      space_.fence();
      return;
    }
    const auto copy_back = [&](const double* from, double* to) {
      Device::download(space_, from, host_laws_.data(), laws * ld);
      for (std::int64_t l = 0; l < laws; ++l)
        std::memcpy(to + l * work.capacity, host_laws_.data() + l * ld,
                    static_cast<std::size_t>(work.count) * sizeof(double));
    };
    copy_back(laws_.residual(), work.residual);
    copy_back(laws_.relative(), work.relative);
  }

 private:
  const Program& program_;
  ExecutionSpace space_;
  std::int64_t ld_;
  DeviceFields<ExecutionSpace> fields_;
  DeviceLawTables<ExecutionSpace> laws_;
  DeviceGlobal<ExecutionSpace> global_;
  std::vector<DeviceSampler<ExecutionSpace>> samplers_;  ///< one a loop
  Constants constants_;
  Array<double> arena_, stored_, minimum_, maximum_;
  Array<SlotStatus> status_;
  AlignedBuffer<double> host_laws_;
};

}  // namespace lavoisier::detail

#endif
