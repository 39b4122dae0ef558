#ifndef LAVOISIER_PLUGIN_DEVICE_SAMPLE_HPP
#define LAVOISIER_PLUGIN_DEVICE_SAMPLE_HPP

// What DeviceEngine's sampling loops need beside their networks: docs/model-file.md, "Sampling". The arithmetic and the
// order of tile_sample.cpp.

#include "device_law_tables.hpp"
#include "device_layers.hpp"

#include <Kokkos_Core.hpp>

namespace lavoisier::detail {

/// The projection of one column onto laws in standardised units; pointers are the column's own.
struct StandardProjection {
  ColumnLaws laws;  ///< indices; where A varies also the coefficients, A_s
  const double *row = nullptr, *column = nullptr, *mean = nullptr, *factor = nullptr;  ///< for all columns
  const std::uint8_t* skipped = nullptr;
  // Where A varies, tables [..][slot]:
  const double *own_targets = nullptr, *own_variance = nullptr, *own_factor = nullptr, *own_skipped = nullptr;

  /// w -= A_s' (A_s A_s')^-1 (A_s w - c); d null: c = 0; else the right-hand sides in physical units.
  KOKKOS_INLINE_FUNCTION void project(double* w, const double* d, const double* zeros, double* residual, std::int64_t s,
                                      std::int64_t ld) const {
    if (laws.row_values != nullptr) {
      laws.of(s).pass(w, d == nullptr ? zeros : own_targets + s, own_variance + s, own_factor + s, own_skipped + s,
                      residual, ld);
      return;
    }
    for (std::int32_t k = 0; k < laws.m; ++k) {
      double r = 0.0;
      for (std::int32_t t = laws.row_begin[k]; t < laws.row_begin[k + 1]; ++t) r += row[t] * w[laws.row_element[t] * ld];
      if (d != nullptr) r -= d[laws.row_law[k] * ld] - mean[k];
      const double* own = factor + ColumnLaws::packed(k, 0);
      for (std::int32_t l = 0; l < k; ++l) r -= own[l] * residual[l * ld];
      residual[k * ld] = skipped[k] ? 0.0 : r / own[k];
    }
    for (std::int32_t k = laws.m; k-- > 0;) {
      double r = residual[k * ld];
      for (std::int32_t l = k + 1; l < laws.m; ++l) r -= factor[ColumnLaws::packed(l, k)] * residual[l * ld];
      residual[k * ld] = skipped[k] ? 0.0 : r / factor[ColumnLaws::packed(k, k)];
    }
    for (std::int32_t i = 0; i < laws.n; ++i)
      for (std::int32_t t = laws.column_begin[i]; t < laws.column_begin[i + 1]; ++t)
        w[i * ld] -= column[t] * residual[laws.column_row[t] * ld];
  }
};

/// The numbers of one step of a schedule: docs/model-file.md.
struct SampleStep {
  double t, p, q, r, u, v, a;
};

template <class ExecutionSpace>
class DeviceSampler {
  using Device = DeviceMemory<ExecutionSpace>;
  using Range = typename Device::Range;
  template <class T>
  using Array = typename Device::template Array<T>;

 public:
  DeviceSampler(const SampleLoop& loop, const Operation& operation, const LawSystem& laws, std::int64_t ld)
      : loop_(loop), laws_(laws), n_(operation.n), ld_(ld) {
    for (const auto& inner : loop.operations) constants.emplace_back(inner);
    const auto rows = [&](std::int64_t count) { return Device::template make<double>(count * ld); };
    state_ = rows(n_);
    estimate_ = rows(n_);
    noise_ = rows(n_);
    shift_ = rows(n_);
    mean_ = Device::copy(operation.first);
    scale_ = Device::copy(operation.second);
    const std::int64_t m = laws.rows();
    if (loop.projection == SampleProjection::none) return;
    if (!laws.varies) {
      row_ = Device::copy(loop.laws.row_coefficient);
      column_ = Device::copy(loop.laws.column_coefficient);
      law_mean_ = Device::copy(loop.laws.mean);
      factor_ = Device::copy(loop.laws.factor);
      skipped_ = Device::copy(loop.laws.skipped);
      return;
    }
    own_rows_ = rows(static_cast<std::int64_t>(laws.row_operand.size()));
    own_targets_ = rows(laws.count());
    own_variance_ = rows(n_);
    own_factor_ = rows(m * (m + 1) / 2);
    own_skipped_ = rows(m);
    zeros_ = rows(laws.count());
  }

  std::vector<DeviceConstants<ExecutionSpace>> constants;  ///< of the loop's operations
  double* state() const { return state_.data(); }
  double* noise() const { return noise_.data(); }

  /// The laws' projection for all columns, and where they have their own, what it needs of each.
  void begin(const ExecutionSpace& space, const DeviceLawTables<ExecutionSpace>& tables, std::int64_t count) {
    made_ = {};
    made_.laws = tables.column_laws();
    right_hand_side_ = tables.right_hand_side();
    residual_ = tables.residual();
    made_.row = row_.data();
    made_.column = column_.data();
    made_.mean = law_mean_.data();
    made_.factor = factor_.data();
    made_.skipped = skipped_.data();
    const std::int64_t ld = ld_, n = n_;
    double* shift = shift_.data();
    Kokkos::parallel_for(
        "lav::shift", Range(space, 0, n * count),
        KOKKOS_LAMBDA(const std::int64_t job) { shift[job / count * ld + job % count] = 0.0; });
    if (loop_.projection == SampleProjection::none) return;
    if (laws_.varies) {
      const double *given = tables.row_values(), *d = right_hand_side_, *mean = mean_.data(), *scale = scale_.data();
      double *own = own_rows_.data(), *targets = own_targets_.data(), *variance = own_variance_.data(),
             *factor = own_factor_.data(), *skipped = own_skipped_.data();
      made_.laws.row_values = own;
      made_.own_targets = targets;
      made_.own_variance = variance;
      made_.own_factor = factor;
      made_.own_skipped = skipped;
      const ColumnLaws laws = made_.laws;
      Kokkos::parallel_for(
          "lav::own_laws", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
            for (std::int32_t k = 0; k < laws.m; ++k) {
              double sum = 0.0;
              for (std::int32_t t = laws.row_begin[k]; t < laws.row_begin[k + 1]; ++t) {
                const std::int32_t i = laws.row_element[t];
                own[t * ld + s] = given[t * ld + s] * scale[i];
                sum += given[t * ld + s] * mean[i];
              }
              const std::int64_t law = laws.row_law[k];
              targets[law * ld + s] = d[law * ld + s] - sum;
            }
            for (std::int64_t i = 0; i < n; ++i) variance[i * ld + s] = 1.0;
            bool suspect = false;  // the constrain step says so again, and is heard
            laws.of(s).factorise(variance + s, factor + s, skipped + s, suspect, ld);
          });
    }
    if (loop_.projection == SampleProjection::null_space) project(space, shift, true, count);
  }

  void project(const ExecutionSpace& space, double* w, bool shifted, std::int64_t count) const {
    const StandardProjection made = made_;
    const double *d = shifted ? right_hand_side_ : nullptr, *zeros = zeros_.data();
    double* residual = residual_;
    const std::int64_t ld = ld_;
    Kokkos::parallel_for(
        "lav::project", Range(space, 0, count), KOKKOS_LAMBDA(const std::int64_t s) {
          made.project(w + s, d == nullptr ? nullptr : d + s, zeros == nullptr ? nullptr : zeros + s, residual + s, s, ld);
        });
  }

  /// What the network sees: the state, in the null space with its share of the shift; and the time.
  void show(const ExecutionSpace& space, const SampleStep& step, float* seen, double* time, std::int64_t count) const {
    const std::int64_t ld = ld_;
    const bool shifted = loop_.projection == SampleProjection::null_space;
    const double *x = state_.data(), *shift = shift_.data();
    Kokkos::parallel_for(
        "lav::state", Range(space, 0, n_ * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / count, s = job % count, at = i * ld + s;
          seen[at] = static_cast<float>(shifted ? x[at] + step.a * shift[at] : x[at]);
          if (i == 0) time[s] = step.t;
        });
  }

  /// The state after a step, but for its noise.
  void advance(const ExecutionSpace& space, const SampleStep& step, const float* net, std::int64_t count) const {
    const std::int64_t ld = ld_;
    const bool flow = loop_.method == SampleMethod::flow;
    double *x = state_.data(), *estimate = estimate_.data();
    const Range all(space, 0, n_ * count);
    Kokkos::parallel_for(
        "lav::estimate", all, KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / count * ld + job % count;
          const double given = static_cast<double>(net[at]);
          estimate[at] = flow ? given : step.p * x[at] + step.q * given;
        });
    if (loop_.projection != SampleProjection::none)
      project(space, estimate, !flow && loop_.projection == SampleProjection::ambient, count);
    Kokkos::parallel_for(
        "lav::step", all, KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / count * ld + job % count;
          if (flow)
            x[at] += step.r * estimate[at];
          else
            x[at] = step.r * x[at] + step.u * estimate[at];
        });
  }

  void add_noise(const ExecutionSpace& space, double size, std::int64_t count) const {
    const std::int64_t ld = ld_;
    double* x = state_.data();
    const double* e = noise_.data();
    Kokkos::parallel_for(
        "lav::step_noise", Range(space, 0, n_ * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t at = job / count * ld + job % count;
          x[at] += size * e[at];
        });
  }

  /// Physical units.
  void finish(const ExecutionSpace& space, double* z, std::int64_t count) const {
    const std::int64_t ld = ld_;
    const bool shifted = loop_.projection == SampleProjection::null_space;
    const double *x = state_.data(), *shift = shift_.data(), *mean = mean_.data(), *scale = scale_.data();
    Kokkos::parallel_for(
        "lav::physical", Range(space, 0, n_ * count), KOKKOS_LAMBDA(const std::int64_t job) {
          const std::int64_t i = job / count, at = i * ld + job % count;
          const double state = shifted ? x[at] + shift[at] : x[at];
          z[at] = mean[i] + scale[i] * state;
        });
  }

 private:
  const SampleLoop& loop_;
  const LawSystem& laws_;
  std::int64_t n_, ld_;
  StandardProjection made_;
  double *right_hand_side_ = nullptr, *residual_ = nullptr;
  Array<double> state_, estimate_, noise_, shift_, mean_, scale_, row_, column_, law_mean_, factor_, own_rows_,
      own_targets_, own_variance_, own_factor_, own_skipped_, zeros_;
  Array<std::uint8_t> skipped_;
};

}  // namespace lavoisier::detail

#endif
