#include <lavoisier/conditional_gaussian.hpp>

#include "metric_projection.hpp"
#include "parallel.hpp"

#include <algorithm>

namespace lavoisier {

using detail::MetricProjection;
using detail::row;
using Batch = Eigen::Ref<const RowMatrix>;

namespace {

int threads_for(const RowMatrix& A, Eigen::Index samples, double operations) {
  return detail::thread_count({}, samples, operations * static_cast<double>(A.size() + A.cols()));
}

void require_batch(const char* function, const RowMatrix& A, const char* argument, const Batch& values) {
  detail::require_shape(function, argument, values.rows(), values.cols(), values.rows(), A.cols());
}

}  // namespace

double project_onto_laws(const RowMatrix& A, const Batch& d, Eigen::Ref<RowMatrix> y) {
  detail::require_shape("project_onto_laws", "y", y.rows(), y.cols(), y.rows(), A.cols());
  detail::require_shape("project_onto_laws", "d", d.rows(), d.cols(), y.rows(), A.rows());
  for (Eigen::Index s = 0; s < y.rows(); ++s)
    if (!y.row(s).allFinite() || !d.row(s).allFinite())
      throw Error(Status::non_finite, "project_onto_laws: sample " + std::to_string(s) + " is not finite");
  const RowMatrix moved = orthogonal_projection(A, Eigen::VectorXd::Ones(A.cols()), y, d);
  double largest = 0.0;
  for (Eigen::Index s = 0; s < y.rows(); ++s) {
    double squares = 0.0;
    for (Eigen::Index j = 0; j < y.cols(); ++j) squares += (moved(s, j) - y(s, j)) * (moved(s, j) - y(s, j));
    largest = std::max(largest, std::sqrt(squares));
  }
  y = moved;
  return largest;
}

RowMatrix orthogonal_projection(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& y, const Batch& d) {
  require_batch("orthogonal_projection", A, "y", y);
  detail::require_shape("orthogonal_projection", "d", d.rows(), d.cols(), y.rows(), A.rows());
  const MetricProjection projection("orthogonal_projection", A, scale);
  RowMatrix result(y.rows(), y.cols());
  detail::for_each_sample(y.rows(), threads_for(A, y.rows(), 8.0), [&](Eigen::Index s, int) {
    projection.apply(row(y, s), row(d, s), row(result, s));
  });
  return result;
}

RowMatrix orthogonal_projection_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& y_bar) {
  require_batch("orthogonal_projection_adjoint", A, "y_bar", y_bar);
  const MetricProjection projection("orthogonal_projection_adjoint", A, scale);
  RowMatrix result(y_bar.rows(), y_bar.cols());
  detail::for_each_sample(y_bar.rows(), threads_for(A, y_bar.rows(), 4.0), [&](Eigen::Index s, int) {
    projection.adjoint(row(y_bar, s), row(result, s));
  });
  return result;
}

RowMatrix projected_variance(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& standard_deviation) {
  require_batch("projected_variance", A, "standard_deviation", standard_deviation);
  const MetricProjection projection("projected_variance", A, scale);
  RowMatrix result(standard_deviation.rows(), standard_deviation.cols());
  const double rows = static_cast<double>(A.rows());
  detail::for_each_sample(result.rows(), threads_for(A, result.rows(), 2.0 * rows), [&](Eigen::Index s, int) {
    projection.variance(row(standard_deviation, s), row(result, s));
  });
  return result;
}

RowMatrix projected_variance_adjoint(const RowMatrix& A, const Eigen::VectorXd& scale, const Batch& standard_deviation,
                                     const Batch& variance_bar) {
  const char* const name = "projected_variance_adjoint";
  require_batch(name, A, "standard_deviation", standard_deviation);
  detail::require_shape(name, "variance_bar", variance_bar.rows(), variance_bar.cols(), standard_deviation.rows(),
                        A.cols());
  const MetricProjection projection(name, A, scale);
  RowMatrix result(standard_deviation.rows(), standard_deviation.cols());
  const double rows = static_cast<double>(A.rows());
  detail::for_each_sample(result.rows(), threads_for(A, result.rows(), 2.0 * rows), [&](Eigen::Index s, int) {
    projection.variance_adjoint(row(standard_deviation, s), row(variance_bar, s), row(result, s));
  });
  return result;
}

}  // namespace lavoisier
