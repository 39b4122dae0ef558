#ifndef LAVOISIER_SRC_METRIC_PROJECTION_HPP
#define LAVOISIER_SRC_METRIC_PROJECTION_HPP

#include "parallel.hpp"

#include <vector>

namespace lavoisier::detail {

/// Orthogonal projection in the metric diag(scale^2), P = I - G A with G = D D A' (A D D A')^-1. An output with scale
/// zero does not move; where only m outputs move, A of those is inverted itself (completion). set() factorises; the
/// other members are const and may be called from several threads.
class MetricProjection {
 public:
  MetricProjection(std::size_t outputs, std::size_t rows);

  /// A: rows x outputs, row-major. non_finite; invalid_argument (a negative scale); rank_deficient (also a zero row,
  /// or fewer outputs that move than laws).
  Status set(const double* A, const double* scale);

  /// result = y - G (A y - d), two passes. Non-finite input gives a NaN row.
  void apply(const double* y, const double* d, double* result) const;
  /// result = P' y_bar.
  void adjoint(const double* y_bar, double* result) const;
  /// Adjoint of apply in scale, given P' y_bar: -2 (P' y_bar)_j (G (A y - d))_j / scale_j.
  void scale_adjoint(const double* y, const double* d, const double* projected_bar, double* scale_bar) const;
  /// result = diag(P S P').
  void variance(const double* deviation, double* result) const;
  /// deviation_bar of variance().
  void variance_adjoint(const double* deviation, const double* variance_bar, double* result) const;

  /// log density of y (on the laws) under N(P mu + ..., P S P'), with respect to the laws' surface, and its gradients.
  /// Deviations: positive where the output moves; one that stays may have zero: it is known, and leaves the density.
  struct Density {
    Status status;
    double value;
  };
  Density log_density(const double* mean, const double* deviation, const double* y, double* mean_bar,
                      double* deviation_bar) const;

 private:
  const double* column(std::size_t j) const noexcept { return columns_.data() + j * rows_; }
  bool moves(std::size_t j) const noexcept { return scale_[j] > 0.0; }
  double G_dot_column(std::size_t i, std::size_t j) const noexcept;
  void residual(const double* y, const double* d, double* r) const noexcept;
  bool invert_moving();

  std::size_t outputs_, rows_, moving_ = 0;
  std::vector<double> columns_;    ///< A with rows of unit norm, by output
  std::vector<double> row_scale_;  ///< 1 / |A_k|
  std::vector<double> scale_;
  std::vector<double> gain_;      ///< G of scaled rows, outputs x rows
  std::vector<double> leverage_;  ///< (G A)_jj
  ScaledCholesky<-1> factor_;     ///< of A D D A'
  std::vector<double> square_;
  double log_det_metric_ = 0.0;   ///< log det(A D D A') of scaled rows
};

/// Throws what is wrong with A and scale, by place.
void refuse_projection(const char* function, const RowMatrix& A, const Eigen::Ref<const RowMatrix>& scale, Status status);

inline bool is_shared(const char* function, const RowMatrix& A, Eigen::Index rows, Eigen::Index samples) {
  if (A.rows() == rows) return true;
  if (A.rows() == rows * samples) return false;
  require_shape(function, "A", A.rows(), A.cols(), rows, A.cols());
  return false;
}

/// A shared or a sample's own, and the same for the scale: calls body(projection, status, s, thread). What all samples
/// share is refused by an Error; what is a sample's own has a status. `own`: a sample's own even
/// where there is one sample.
template <class Body>
void for_each_projection(const char* function, const RowMatrix& A, Eigen::Index rows,
                         const Eigen::Ref<const RowMatrix>& scale, Eigen::Index samples, const BatchOptions& options,
                         double operations, const Body& body, bool own = false) {
  const Eigen::Index n = A.cols();
  const bool shared_A = is_shared(function, A, rows, samples);
  const bool shared_scale = scale.rows() == 1;
  require_shape(function, "scale", scale.rows(), scale.cols(), shared_scale ? 1 : samples, n);
  const auto size = static_cast<double>(n), m = static_cast<double>(rows);
  if (shared_A && shared_scale && !own) {
    MetricProjection projection(static_cast<std::size_t>(n), static_cast<std::size_t>(rows));
    const Status status = projection.set(A.data(), scale.data());
    if (status != Status::ok) refuse_projection(function, A, scale, status);
    for_each_sample(samples, thread_count(options, samples, operations),
                    [&](Eigen::Index s, int thread) { body(projection, Status::ok, s, thread); });
    return;
  }
  const int threads = thread_count(options, samples, operations + 4.0 * size * m * m + m * m * m);
  std::vector<MetricProjection> projections(static_cast<std::size_t>(threads),
                                            {static_cast<std::size_t>(n), static_cast<std::size_t>(rows)});
  for_each_sample(samples, threads, [&](Eigen::Index s, int thread) {
    MetricProjection& projection = projections[static_cast<std::size_t>(thread)];
    const Status status = projection.set(A.data() + (shared_A ? 0 : s * rows * n), row(scale, shared_scale ? 0 : s));
    body(projection, status, s, thread);
  });
}

}  // namespace lavoisier::detail

#endif
