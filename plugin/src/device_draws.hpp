#ifndef LAVOISIER_PLUGIN_DEVICE_DRAWS_HPP
#define LAVOISIER_PLUGIN_DEVICE_DRAWS_HPP

// DeviceEngine's random numbers: column_draws.hpp, a thread a number or a column.

#include "column_draws.hpp"
#include "device_layers.hpp"
#include "device_laws.hpp"

#include <Kokkos_Core.hpp>

namespace lavoisier::detail {

/// Where the numbers of a run's slots come from.
struct SlotDraws {
  const std::uint64_t *ids = nullptr, *steps = nullptr;
  std::uint64_t seed = 0, stream = 0, member = 0;
  bool draw = true;
  KOKKOS_INLINE_FUNCTION ColumnDraw of(std::int64_t s, std::uint64_t site) const {
    ColumnDraw made;
    made.key = {seed, stream};
    made.at.column = ids[s];
    made.at.step = steps[s];
    made.at.member = member;
    made.at.site = site;
    made.draw = draw;
    return made;
  }
};

template <class ExecutionSpace>
struct DeviceDraws {
  using Range = typename DeviceMemory<ExecutionSpace>::Range;
  ExecutionSpace space;
  std::int64_t ld, count;
  SlotDraws slots;
  SlotStatus* status;

  /// n standard normal numbers a column; zeros without a draw.
  void noise(double* e, std::int64_t n, std::uint64_t site) const {
    const std::int64_t stride = ld, columns = count;
    const SlotDraws draws = slots;
    Kokkos::parallel_for(
        "lav::noise", Range(space, 0, n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns;
          random::Address address = draws.of(s, site).at;
          address.element = static_cast<std::uint64_t>(i);
          e[i * stride + s] = draws.draw ? random::normal({draws.seed, draws.stream}, address) : 0.0;
        });
  }

  /// `deviation` null: every output is positive. `variance` (may be null): of the draw, 0 where an output is positive.
  void positive(const Operation& operation, const DeviceConstants<ExecutionSpace>& own, const float* h, double* y,
                double* deviation, double* variance) const {
    const std::int64_t stride = ld, columns = count, n = operation.n;
    const SlotDraws draws = slots;
    const std::int32_t *elements = own.elements.data(), *atom = own.atom.data();
    const PositiveLaw* laws = own.laws.data();
    const double* scale = own.second.data();
    const double floor = operation.number;
    const bool exponential = operation.exponential;
    const std::uint64_t site = operation.site;
    Kokkos::parallel_for(
        "lav::positive", Range(space, 0, static_cast<std::int64_t>(operation.elements.size()) * columns),
        KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / columns, s = job % columns, element = elements[i];
          PositiveDraw made{laws[i], exponential, floor, scale[i], 0.0, 0.0, 0.0};
          made.first = static_cast<double>(h[element * stride + s]);
          made.second = static_cast<double>(h[(n + element) * stride + s]);
          if (atom[i] >= 0) made.zero = static_cast<double>(h[(2 * n + atom[i]) * stride + s]);
          y[element * stride + s] = positive_value(made, draws.of(s, site), static_cast<std::uint64_t>(i));
          if (deviation != nullptr) deviation[element * stride + s] = 0.0;
          if (variance != nullptr) variance[element * stride + s] = 0.0;
        });
  }

  void dirichlet(const Operation& operation, const SumRows& laws, const float* h, const double* d, double* y) const {
    const std::int64_t stride = ld, n = operation.n;
    const SlotDraws draws = slots;
    SlotStatus* flags = status;
    const double floor = operation.number;
    const bool exponential = operation.exponential;
    const std::uint64_t site = operation.site;
    Kokkos::parallel_for(
        "lav::dirichlet", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          const SlotStatus found =
              dirichlet_column(laws, draws.of(s, site), exponential, floor, n, h + s, d + s, y + s, stride);
          if (found != 0 && is_written(flags[s])) flags[s] = found;
        });
  }

  void poisson(const Operation& operation, const double* log_scale, const float* h, double* y) const {
    const std::int64_t stride = ld, columns = count;
    const SlotDraws draws = slots;
    const std::uint64_t site = operation.site;
    Kokkos::parallel_for(
        "lav::poisson", Range(space, 0, operation.n * columns), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t j = job / columns, s = job % columns;
          y[j * stride + s] =
              poisson_value(draws.of(s, site), j, static_cast<double>(h[j * stride + s]), log_scale[j]);
        });
  }

  void multinomial(const Operation& operation, const SumRows& laws, const double* log_scale, const float* h,
                   const double* d, double* y, double* tail) const {
    const std::int64_t stride = ld, n = operation.n;
    const SlotDraws draws = slots;
    SlotStatus* flags = status;
    const std::uint64_t site = operation.site;
    Kokkos::parallel_for(
        "lav::multinomial", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          const SlotStatus found =
              multinomial_column(laws, draws.of(s, site), log_scale, n, h + s, d + s, y + s, tail + s, stride);
          if (found != 0 && is_written(flags[s])) flags[s] = found;
        });
  }
};

}  // namespace lavoisier::detail

#endif
