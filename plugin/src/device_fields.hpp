#ifndef LAVOISIER_PLUGIN_DEVICE_FIELDS_HPP
#define LAVOISIER_PLUGIN_DEVICE_FIELDS_HPP

// A run's fields, in host or device memory, to and from DeviceEngine's values [element * ld + slot].

#include "aligned_buffer.hpp"
#include "device_memory.hpp"
#include "program.hpp"
#include "run_work.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

namespace lavoisier::detail {

/// BoundField::shift for kernels.
struct ColumnShift {
  std::int64_t block_columns, column_stride, block_stride;
  KOKKOS_INLINE_FUNCTION std::int64_t operator()(std::int64_t c) const {
    return block_columns == 0 ? c * column_stride
                              : c / block_columns * block_stride + c % block_columns * column_stride;
  }
};

template <class ExecutionSpace>
class DeviceFields {
  using Device = DeviceMemory<ExecutionSpace>;
  using Range = typename Device::Range;
  template <class T>
  using Array = typename Device::template Array<T>;

 public:
  DeviceFields(const Program& program, std::int64_t ld)
      : input_elements_(program.input_elements),
        output_elements_(program.output_elements),
        ld_(ld),
        columns_(Device::template make<std::int64_t>(ld)),
        column_ids_(Device::template make<std::uint64_t>(ld)),
        step_ids_(Device::template make<std::uint64_t>(ld)),
        host_ids_(static_cast<std::size_t>(ld)),
        host_steps_(static_cast<std::size_t>(ld)),
        host_(static_cast<std::size_t>(std::max(program.input_elements, program.output_elements) * ld)),
        host_status_(static_cast<std::size_t>(ld)) {}

  const std::uint64_t* column_ids() const { return column_ids_.data(); }
  const std::uint64_t* step_ids() const { return step_ids_.data(); }

  /// Ids of the columns, and the inputs to `x`.
  void gather(const ExecutionSpace& space, const RunWork& work, double* x) {
    const std::int64_t count = work.count, ld = ld_;
    for (std::int64_t s = 0; s < count; ++s) {
      const std::int64_t c = work.columns[s];
      host_ids_[static_cast<std::size_t>(s)] =
          work.column_ids ? work.column_ids[c] : work.first_column_id + static_cast<std::uint64_t>(c);
      host_steps_[static_cast<std::size_t>(s)] = work.step_ids ? work.step_ids[c] : work.step;
    }
    Device::upload(space, columns_.data(), work.columns, count);
    Device::upload(space, column_ids_.data(), host_ids_.data(), count);
    Device::upload(space, step_ids_.data(), host_steps_.data(), count);
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
    if (any_host) Device::upload(space, x, host_.data(), input_elements_ * ld);
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
          "lav::gather", Range(space, 0, field.elements * count), KOKKOS_LAMBDA(const std::int64_t j) {
            const std::int64_t e = j / count, s = j % count;
            const std::int64_t at = shift(columns[s]) + e * element_stride;
            to[e * ld + s] = f32 ? static_cast<double>(singles[at]) : doubles[at];
          });
    }
  }

  /// Writes the columns that have a result, and tells every column's status.
  void store(const ExecutionSpace& space, const RunWork& work, const double* stored, const SlotStatus* status) {
    const std::int64_t ld = ld_, count = work.count, n = output_elements_;
    Device::download(space, status, host_status_.data(), count);
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
          "lav::scatter", Range(space, 0, field.elements * count), KOKKOS_LAMBDA(const std::int64_t job) {
            const std::int64_t e = job / count, s = job % count;
            if (!is_written(status[s])) return;
            const std::int64_t at = shift(columns[s]) + e * element_stride;
            if (f32)
              singles[at] = static_cast<float>(from[e * ld + s]);
            else
              doubles[at] = from[e * ld + s];
          });
    }
    if (any_host) {
      Device::download(space, stored, host_.data(), n * ld);
      for (std::size_t f = 0; f < work.output_count; ++f) {
        const BoundField& field = work.outputs[f];
        if (field.on_device) continue;
        for (std::int64_t e = 0; e < field.elements; ++e)
          for (std::int64_t s = 0; s < count; ++s) {
            if (!is_written(host_status_[static_cast<std::size_t>(s)])) continue;
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

 private:
  std::int64_t input_elements_, output_elements_, ld_;
  Array<std::int64_t> columns_;
  Array<std::uint64_t> column_ids_, step_ids_;
  AlignedBuffer<std::uint64_t> host_ids_, host_steps_;
  AlignedBuffer<double> host_;
  AlignedBuffer<SlotStatus> host_status_;
};

}  // namespace lavoisier::detail

#endif
