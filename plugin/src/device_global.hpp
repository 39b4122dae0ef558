#ifndef LAVOISIER_PLUGIN_DEVICE_GLOBAL_HPP
#define LAVOISIER_PLUGIN_DEVICE_GLOBAL_HPP

// DeviceEngine's part in global laws: the arithmetic and the order of tile_global.cpp. The exact sums are the host's.

#include "aligned_buffer.hpp"
#include "device_law_tables.hpp"
#include "run_work.hpp"

#include <lavoisier/tolerances.hpp>

#include <Kokkos_Core.hpp>

#include <cstring>

namespace lavoisier::detail {

template <class ExecutionSpace>
class DeviceGlobal {
  using Device = DeviceMemory<ExecutionSpace>;
  using Range = typename Device::Range;
  template <class T>
  using Array = typename Device::template Array<T>;

 public:
  /// `enforced`: the model's last operation meets the local laws.
  DeviceGlobal(std::int32_t rows, std::int64_t outputs, std::int64_t laws, std::int64_t ld, bool enforced)
      : n_(outputs), ld_(ld), enforced_(enforced) {
    if (rows == 0) return;
    const std::int64_t quantities = 3 * rows + rows * (rows + 1) / 2;
    B_ = Device::template make<double>(rows * n_ * ld);
    U_ = Device::template make<double>(rows * n_ * ld);
    zeros_ = Device::template make<double>(laws * ld);
    quantities_ = Device::template make<double>(quantities * ld);
    host_ = AlignedBuffer<double>(static_cast<std::size_t>(std::max(rows * n_, quantities) * ld));
  }

  /// B of the run's columns, and V B' = P S B', both [row][element][slot].
  void directions(const ExecutionSpace& space, const RunWork& work, const DeviceLawTables<ExecutionSpace>& tables) {
    const GlobalWork& global = *work.global;
    const std::int64_t n = n_, ld = ld_, count = work.count, rows = global.rows;
    for (std::int64_t k = 0; k < rows; ++k)
      for (std::int64_t s = 0; s < count; ++s) {
        const std::int64_t column = work.columns[s];
        const double weight = global.weights != nullptr ? global.weights[column] : 1.0;
        const double* from = global.coefficients + column * global.column_stride + k * global.row_stride;
        for (std::int64_t i = 0; i < n; ++i)
          host_[static_cast<std::size_t>((k * n + i) * ld + s)] = weight * from[i * global.element_stride];
      }
    Device::upload(space, B_.data(), host_.data(), rows * n * ld);
    space.fence();  // the host's buffer is used again
    const bool enforced = enforced_;
    const ColumnLaws laws = tables.column_laws();
    const double *B = B_.data(), *variance = tables.variance(), *factor = tables.factor(), *skipped = tables.skipped(),
                 *zeros = zeros_.data();
    const std::uint8_t* suspect = tables.suspect();
    const double tolerance = tolerances::identity::relative_fp64;
    double *U = U_.data(), *residual = tables.residual();
    Kokkos::parallel_for(
        "lav::directions", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int64_t k = 0; k < rows; ++k) {
            double* u = U + k * n * ld + s;
            for (std::int64_t i = 0; i < n; ++i) u[i * ld] = variance[i * ld + s] * B[(k * n + i) * ld + s];
            // Twice, as a draw.
            for (int pass = 0; enforced && laws.m > 0 && pass < 2; ++pass)
              laws.of(s).pass_once(u, zeros + s, variance + s, factor + s, skipped + s, residual + s, suspect[s] != 0,
                                   tolerance, ld);
          }
        });
  }

  /// Sums of B y and of |B y| of the stored values, rows `value_row` and `size_row` (none: negative) of the quantities.
  void sums(const ExecutionSpace& space, const RunWork& work, const double* stored, std::int32_t value_row,
            std::int32_t size_row) {
    const std::int64_t n = n_, ld = ld_, rows = work.global->rows;
    const double* B = B_.data();
    double* quantities = quantities_.data();
    Kokkos::parallel_for(
        "lav::global_sums", Range(space, 0, work.count), KOKKOS_LAMBDA(const std::int64_t s) {
          for (std::int64_t k = 0; k < rows; ++k) {
            double sum = 0.0, size = 0.0;
            for (std::int64_t i = 0; i < n; ++i) {
              const double term = B[(k * n + i) * ld + s] * stored[i * ld + s];
              sum += term;
              size += term < 0.0 ? -term : term;
            }
            quantities[(value_row + k) * ld + s] = sum;
            if (size_row >= 0) quantities[(size_row + k) * ld + s] = size;
          }
        });
  }

  /// The columns' parts of sum B S B', row by row, and of W_g = sum B V B'.
  void covariances(const ExecutionSpace& space, const RunWork& work, const double* variance) {
    const std::int64_t n = n_, ld = ld_, rows = work.global->rows;
    const double *B = B_.data(), *U = U_.data();
    double* quantities = quantities_.data();
    Kokkos::parallel_for(
        "lav::covariances", Range(space, 0, work.count), KOKKOS_LAMBDA(const std::int64_t s) {
          std::int64_t pair = 3 * rows;
          for (std::int64_t k = 0; k < rows; ++k) {
            double sum = 0.0;
            for (std::int64_t i = 0; i < n; ++i) {
              const double b = B[(k * n + i) * ld + s];
              sum += b * variance[i * ld + s] * b;
            }
            quantities[(2 * rows + k) * ld + s] = sum;
            for (std::int64_t l = 0; l <= k; ++l, ++pair) {
              double product = 0.0;
              for (std::int64_t i = 0; i < n; ++i) product += U[(k * n + i) * ld + s] * B[(l * n + i) * ld + s];
              quantities[pair * ld + s] = product;
            }
          }
        });
  }

  /// y -= V B' lambda, then the local laws once more.
  void correct(const ExecutionSpace& space, const RunWork& work, const DeviceLawTables<ExecutionSpace>& tables,
               double* y) {
    const std::int64_t n = n_, ld = ld_, count = work.count;
    const double* U = U_.data();
    for (std::int32_t k = 0; k < work.global->rows; ++k) {
      const double lambda = work.global->multipliers[k];
      const double* u = U + k * n * ld;
      Kokkos::parallel_for(
          "lav::correct", Range(space, 0, n * count), KOKKOS_LAMBDA(const std::int64_t job) {
            const std::int64_t at = job / count * ld + job % count;
            y[at] -= lambda * u[at];
          });
    }
    const ColumnLaws laws = tables.column_laws();
    if (laws.m == 0 || !enforced_) return;
    const double *d = tables.right_hand_side(), *variance = tables.variance(), *factor = tables.factor(),
                 *skipped = tables.skipped();
    const std::uint8_t* suspect = tables.suspect();
    const double tolerance = tolerances::identity::relative_fp64;
    double* residual = tables.residual();
    Kokkos::parallel_for(
        "lav::local_laws", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          laws.of(s).pass_once(y + s, d + s, variance + s, factor + s, skipped + s, residual + s, suspect[s] != 0,
                               tolerance, ld);
        });
  }

  /// The first `quantities` of the run's results. Waits.
  void download(const ExecutionSpace& space, const RunWork& work, std::int32_t quantities) {
    Device::download(space, quantities_.data(), host_.data(), quantities * ld_);
    for (std::int64_t q = 0; q < quantities; ++q)
      std::memcpy(work.global->quantities + q * work.capacity, host_.data() + q * ld_,
                  static_cast<std::size_t>(work.count) * sizeof(double));
  }

 private:
  std::int64_t n_, ld_;
  bool enforced_;
  Array<double> B_, U_, zeros_, quantities_;
  AlignedBuffer<double> host_;
};

}  // namespace lavoisier::detail

#endif
