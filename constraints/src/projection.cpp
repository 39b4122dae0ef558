#include <lavoisier/l1_projection.hpp>
#include <lavoisier/metric_projection.hpp>
#include <lavoisier/tolerances.hpp>

#include "l1_simplex.hpp"
#include "metric_projection.hpp"

#include <algorithm>

namespace lavoisier {

using detail::MetricProjection;
using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

void require_batch(const char* function, const RowMatrix& A, const char* argument, const Batch& values,
                   Eigen::Index samples) {
  detail::require_shape(function, argument, values.rows(), values.cols(), samples, A.cols());
}

void require_rows(const char* function, const Batch& d, Eigen::Index samples) {
  detail::require_shape(function, "d", d.rows(), d.cols(), samples, d.cols());
}

double work(const RowMatrix& A, Eigen::Index rows, double passes) {
  return passes * static_cast<double>(A.cols() * (rows + 1));
}

Status first_fault(const Batch& values, Eigen::Index s, Status otherwise) {
  return otherwise == Status::ok && !values.row(s).allFinite() ? Status::non_finite : otherwise;
}

}  // namespace

double project_onto_laws(const RowMatrix& A, const Batch& d, Eigen::Ref<RowMatrix> y) {
  const char* const name = "project_onto_laws";
  detail::require_shape(name, "y", y.rows(), y.cols(), y.rows(), A.cols());
  require_rows(name, d, y.rows());
  for (Eigen::Index s = 0; s < y.rows(); ++s)
    if (!y.row(s).allFinite() || !d.row(s).allFinite())
      throw Error(Status::non_finite, "project_onto_laws: sample " + std::to_string(s) + " is not finite");
  const ProjectedBatch moved = metric_projection(A, RowMatrix::Ones(1, A.cols()), y, d);
  double largest = 0.0;
  for (Eigen::Index s = 0; s < y.rows(); ++s) {
    if (const Status status = moved.status[static_cast<std::size_t>(s)]; status != Status::ok)
      throw Error(status, "project_onto_laws: the laws of sample " + std::to_string(s) + " are not independent");
    double squares = 0.0;
    for (Eigen::Index j = 0; j < y.cols(); ++j) squares += (moved.y(s, j) - y(s, j)) * (moved.y(s, j) - y(s, j));
    largest = std::max(largest, std::sqrt(squares));
  }
  y = moved.y;
  return largest;
}

ProjectedBatch metric_projection(const RowMatrix& A, const Batch& scale, const Batch& z, const Batch& d,
                                 const BatchOptions& options) {
  const char* const name = "metric_projection";
  require_batch(name, A, "z", z, z.rows());
  require_rows(name, d, z.rows());
  ProjectedBatch result{RowMatrix(z.rows(), z.cols()), std::vector<Status>(static_cast<std::size_t>(z.rows()))};
  detail::for_each_projection(name, A, d.cols(), scale, z.rows(), options, work(A, d.cols(), 8.0),
                              [&](const MetricProjection& projection, Status status, Eigen::Index s, int) {
                                status = first_fault(d, s, first_fault(z, s, status));
                                result.status[static_cast<std::size_t>(s)] = status;
                                if (status == Status::ok)
                                  projection.apply(row(z, s), row(d, s), row(result.y, s));
                                else
                                  detail::set_nan(result.y, s);
                              });
  return result;
}

MetricProjectionGradient metric_projection_adjoint(const RowMatrix& A, const Batch& scale, const Batch& z,
                                                   const Batch& d, const Batch& y_bar, const BatchOptions& options) {
  const char* const name = "metric_projection_adjoint";
  require_batch(name, A, "z", z, z.rows());
  require_batch(name, A, "y_bar", y_bar, z.rows());
  require_rows(name, d, z.rows());
  MetricProjectionGradient result{RowMatrix(z.rows(), z.cols()), RowMatrix(z.rows(), z.cols())};
  detail::for_each_projection(name, A, d.cols(), scale, z.rows(), options, work(A, d.cols(), 8.0),
                              [&](const MetricProjection& projection, Status status, Eigen::Index s, int) {
                                if (first_fault(d, s, first_fault(z, s, status)) != Status::ok) {
                                  detail::set_nan(result.z, s);
                                  detail::set_nan(result.scale, s);
                                  return;
                                }
                                projection.adjoint(row(y_bar, s), row(result.z, s));
                                projection.scale_adjoint(row(z, s), row(d, s), row(result.z, s), row(result.scale, s));
                              });
  return result;
}

ProjectedMoments projected_moments(const RowMatrix& A, const Batch& scale, const Batch& mean,
                                   const Batch& standard_deviation, const Batch& d, const BatchOptions& options) {
  const char* const name = "projected_moments";
  require_batch(name, A, "mean", mean, mean.rows());
  require_batch(name, A, "standard_deviation", standard_deviation, mean.rows());
  require_rows(name, d, mean.rows());
  ProjectedMoments result{RowMatrix(mean.rows(), mean.cols()), RowMatrix(mean.rows(), mean.cols()),
                          std::vector<Status>(static_cast<std::size_t>(mean.rows()))};
  detail::for_each_projection(
      name, A, d.cols(), scale, mean.rows(), options, work(A, d.cols(), 8.0 + 2.0 * static_cast<double>(d.cols())),
      [&](const MetricProjection& projection, Status status, Eigen::Index s, int) {
        status = first_fault(d, s, first_fault(standard_deviation, s, first_fault(mean, s, status)));
        if (status == Status::ok && standard_deviation.row(s).minCoeff() < 0.0) status = Status::invalid_argument;
        result.status[static_cast<std::size_t>(s)] = status;
        if (status == Status::ok) {
          projection.apply(row(mean, s), row(d, s), row(result.mean, s));
          projection.variance(row(standard_deviation, s), row(result.variance, s));
        } else {
          detail::set_nan(result.mean, s);
          detail::set_nan(result.variance, s);
        }
      });
  return result;
}

RowMatrix orthogonal_projection(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& y, const Batch& d) {
  return metric_projection(A, scale.transpose(), y, d).y;
}

RowMatrix orthogonal_projection_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& y_bar) {
  const char* const name = "orthogonal_projection_adjoint";
  require_batch(name, A, "y_bar", y_bar, y_bar.rows());
  RowMatrix result(y_bar.rows(), y_bar.cols());
  detail::for_each_projection(
      name, A, A.rows(), scale.transpose(), y_bar.rows(), {}, work(A, A.rows(), 4.0),
      [&](const MetricProjection& projection, Status, Eigen::Index s, int) { projection.adjoint(row(y_bar, s), row(result, s)); });
  return result;
}

RowMatrix projected_variance(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& standard_deviation) {
  const char* const name = "projected_variance";
  require_batch(name, A, "standard_deviation", standard_deviation, standard_deviation.rows());
  RowMatrix result(standard_deviation.rows(), standard_deviation.cols());
  detail::for_each_projection(name, A, A.rows(), scale.transpose(), result.rows(), {},
                              work(A, A.rows(), 2.0 * static_cast<double>(A.rows())),
                              [&](const MetricProjection& projection, Status, Eigen::Index s, int) {
                                projection.variance(row(standard_deviation, s), row(result, s));
                              });
  return result;
}

RowMatrix projected_variance_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& standard_deviation,
                                     const Batch& variance_bar) {
  const char* const name = "projected_variance_adjoint";
  require_batch(name, A, "standard_deviation", standard_deviation, standard_deviation.rows());
  require_batch(name, A, "variance_bar", variance_bar, standard_deviation.rows());
  RowMatrix result(standard_deviation.rows(), standard_deviation.cols());
  detail::for_each_projection(name, A, A.rows(), scale.transpose(), result.rows(), {},
                              work(A, A.rows(), 2.0 * static_cast<double>(A.rows())),
                              [&](const MetricProjection& projection, Status, Eigen::Index s, int) {
                                projection.variance_adjoint(row(standard_deviation, s), row(variance_bar, s), row(result, s));
                              });
  return result;
}

namespace {

/// Columns of each block of A diag(scale), rows of unit norm, less what lies along the columns taken.
class PivotedColumns {
 public:
  PivotedColumns(const char* function, const RowMatrix& A, Eigen::Index rows, const Eigen::VectorXd& scale)
      : rows_(rows), left_(A * scale.asDiagonal()) {
    detail::require_shape(function, "scale", scale.size(), 1, A.cols(), 1);
    if (rows < 1 || A.rows() % rows != 0) detail::require_shape(function, "A", A.rows(), A.cols(), rows, A.cols());
    blocks_ = A.rows() / rows;
    for (Eigen::Index k = 0; k < left_.rows(); ++k) {
      const double norm = left_.row(k).stableNorm();
      if (!std::isfinite(norm))
        throw Error(Status::invalid_argument, std::string(function) + ": row " + std::to_string(k) + " of A is not finite");
      if (norm > 0.0) left_.row(k) /= norm;
    }
  }
  Eigen::Index outputs() const { return left_.cols(); }
  /// The least, over the blocks, of what is left of column j; and where.
  double least(Eigen::Index j, Eigen::Index* where = nullptr) const {
    double least = std::numeric_limits<double>::infinity();
    for (Eigen::Index b = 0; b < blocks_; ++b) {
      double squares = 0.0;
      for (Eigen::Index k = 0; k < rows_; ++k) squares += left_(b * rows_ + k, j) * left_(b * rows_ + k, j);
      if (squares < least) {
        least = squares;
        if (where) *where = b;
      }
    }
    return std::sqrt(least);
  }
  void take(Eigen::Index j) {
    for (Eigen::Index b = 0; b < blocks_; ++b) {
      const Eigen::VectorXd direction = left_.block(b * rows_, j, rows_, 1).normalized();
      const Eigen::RowVectorXd along = direction.transpose() * left_.middleRows(b * rows_, rows_);
      left_.middleRows(b * rows_, rows_) -= direction * along;
      left_.block(b * rows_, j, rows_, 1).setZero();
    }
  }
  std::string place(Eigen::Index block) const {
    return blocks_ > 1 ? " (coefficients of sample " + std::to_string(block) + ")" : "";
  }

 private:
  Eigen::Index rows_, blocks_ = 0;
  RowMatrix left_;
};

}  // namespace

std::vector<Eigen::Index> dependent_outputs(const RowMatrix& A, Eigen::Index rows, const Eigen::VectorXd& scale) {
  if (rows == 0) return {};
  PivotedColumns columns("dependent_outputs", A, rows, scale);
  std::vector<Eigen::Index> dependent;
  for (Eigen::Index q = 0; q < rows; ++q) {
    Eigen::Index best = 0, where = 0;
    double most = -1.0;
    for (Eigen::Index j = 0; j < columns.outputs(); ++j) {
      const double least = columns.least(j);
      if (least > most) {
        most = least;
        best = j;
      }
    }
    columns.least(best, &where);
    if (!(most > tolerances::identity::rank))
      throw Error(Status::rank_deficient, "no " + std::to_string(rows) + " outputs are determined by the " +
                                              std::to_string(rows) + " laws" + columns.place(where));
    dependent.push_back(best);
    columns.take(best);
  }
  std::sort(dependent.begin(), dependent.end());
  return dependent;
}

void require_dependent(const RowMatrix& A, Eigen::Index rows, const Eigen::VectorXd& scale,
                       const std::vector<Eigen::Index>& dependent) {
  if (static_cast<Eigen::Index>(dependent.size()) != rows)
    throw Error(Status::invalid_argument, "dependent outputs: expected " + std::to_string(rows) +
                                              ", as many as laws, found " + std::to_string(dependent.size()));
  if (rows == 0) return;
  PivotedColumns columns("require_dependent", A, rows, scale);
  std::vector<Eigen::Index> rest = dependent;
  for (const Eigen::Index j : dependent)
    if (j < 0 || j >= columns.outputs() || std::count(dependent.begin(), dependent.end(), j) != 1)
      throw Error(Status::invalid_argument, "dependent outputs: " + std::to_string(j) +
                                                " is out of range or named twice; outputs are 0 to " +
                                                std::to_string(columns.outputs() - 1));
  while (!rest.empty()) {
    // In any order that a pivoting one would take them: the last pivots tell.
    const auto best = std::max_element(rest.begin(), rest.end(), [&](Eigen::Index i, Eigen::Index j) {
      return columns.least(i) < columns.least(j);
    });
    Eigen::Index where = 0;
    if (!(columns.least(*best, &where) > tolerances::identity::rank))
      throw Error(Status::rank_deficient, "the laws do not determine the dependent outputs: output " +
                                              std::to_string(*best) + " has no law left to follow from" +
                                              columns.place(where));
    columns.take(*best);
    rest.erase(best);
  }
}

Eigen::VectorXd completion_scale(const Eigen::VectorXd& scale, const std::vector<Eigen::Index>& dependent) {
  Eigen::VectorXd result = Eigen::VectorXd::Zero(scale.size());
  for (const Eigen::Index j : dependent) result[j] = scale[j];
  return result;
}

L1Projection l1_projection(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& z, const Batch& d,
                           const BatchOptions& options) {
  const char* const name = "l1_projection";
  const Eigen::Index n = A.cols(), m = d.cols(), samples = z.rows();
  require_batch(name, A, "z", z, samples);
  require_rows(name, d, samples);
  detail::require_shape(name, "scale", scale.size(), 1, n, 1);
  const bool shared = detail::is_shared(name, A, m, samples);
  L1Projection result{RowMatrix(samples, n), RowMatrix::Zero(samples, n),
                      std::vector<Status>(static_cast<std::size_t>(samples), Status::ok)};
  const detail::L1Simplex empty(static_cast<std::size_t>(n), static_cast<std::size_t>(m));
  detail::L1Simplex start = empty;
  if (shared) {
    const Status status = start.set(A.data(), scale.data());
    if (status != Status::ok) detail::refuse_projection(name, A, scale.transpose(), status);
  }
  const int threads = detail::thread_count(options, samples, work(A, m, 4.0 * static_cast<double>(m)));
  std::vector<detail::L1Simplex> solvers(static_cast<std::size_t>(threads), start);
  RowMatrix residual(threads, m);
  detail::for_each_sample(samples, threads, [&](Eigen::Index s, int thread) {
    detail::L1Simplex& solver = solvers[static_cast<std::size_t>(thread)];
    const double* block = A.data() + (shared ? 0 : s * m * n);
    Status status = first_fault(d, s, first_fault(z, s, Status::ok));
    if (status == Status::ok && !shared) status = solver.set(block, scale.data());
    if (status == Status::ok) {
      double* r = row(residual, thread);
      for (Eigen::Index k = 0; k < m; ++k) {
        r[k] = d(s, k);
        for (Eigen::Index j = 0; j < n; ++j) r[k] -= block[k * n + j] * z(s, j);
      }
      status = solver.solve(r);
    }
    if (status == Status::ok)
      for (const std::size_t j : solver.basis()) result.scale(s, static_cast<Eigen::Index>(j)) = scale[static_cast<Eigen::Index>(j)];
    else
      detail::set_nan(result.scale, s);
    result.status[static_cast<std::size_t>(s)] = status;
  });
  detail::for_each_projection(name, A, m, result.scale, samples, options, work(A, m, 8.0),
                              [&](const MetricProjection& projection, Status found, Eigen::Index s, int) {
                                Status& status = result.status[static_cast<std::size_t>(s)];
                                if (status == Status::ok) status = found;
                                if (status == Status::ok)
                                  projection.apply(row(z, s), row(d, s), row(result.y, s));
                                else
                                  detail::set_nan(result.y, s);
                              },
                              true);
  return result;
}

}  // namespace lavoisier
