#include "law_matrix.hpp"

namespace lavoisier::detail {

LawMatrix::LawMatrix(const RowMatrix& A)
    : outputs(static_cast<std::size_t>(A.cols())),
      rows(static_cast<std::size_t>(A.rows())),
      columns(outputs * rows),
      row_scale(rows) {
  for (Eigen::Index k = 0; k < A.rows(); ++k) {
    // Two steps, so that neither tiny nor huge coefficients leave the range of FP64.
    double largest = 0.0;
    for (Eigen::Index j = 0; j < A.cols(); ++j) {
      if (!std::isfinite(A(k, j)))
        throw Error(Status::invalid_argument, "A(" + std::to_string(k) + ", " + std::to_string(j) +
                                                  ") is not finite: expected the coefficients of a law");
      largest = std::max(largest, std::abs(A(k, j)));
    }
    if (largest == 0.0)
      throw Error(Status::invalid_argument, "row " + std::to_string(k) +
                                                " of A is zero: expected the coefficients of a law");
    double sum = 0.0;
    for (Eigen::Index j = 0; j < A.cols(); ++j) sum += (A(k, j) / largest) * (A(k, j) / largest);
    const double scale = 1.0 / (largest * std::sqrt(sum));
    row_scale[static_cast<std::size_t>(k)] = scale;
    log_det_row_scale += std::log(scale);
    for (Eigen::Index j = 0; j < A.cols(); ++j)
      columns[static_cast<std::size_t>(j) * rows + static_cast<std::size_t>(k)] = A(k, j) * scale;
  }
}

void require_shape(const char* function, const char* argument, Eigen::Index rows, Eigen::Index cols,
                   Eigen::Index expected_rows, Eigen::Index expected_cols) {
  if (rows == expected_rows && cols == expected_cols) return;
  throw Error(Status::shape_mismatch, std::string(function) + ": " + argument + " is " + std::to_string(rows) + " x " +
                                          std::to_string(cols) + ", expected " + std::to_string(expected_rows) + " x " +
                                          std::to_string(expected_cols));
}

}  // namespace lavoisier::detail
