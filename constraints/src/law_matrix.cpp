#include "law_matrix.hpp"

#include "parallel.hpp"

#include <algorithm>

namespace lavoisier::detail {

LawMatrix::LawMatrix(std::size_t number_of_rows, std::size_t number_of_outputs)
    : outputs(number_of_outputs), rows(number_of_rows), columns(outputs * rows), row_scale(rows) {}

LawMatrix::LawMatrix(const RowMatrix& A)
    : LawMatrix(static_cast<std::size_t>(A.rows()), static_cast<std::size_t>(A.cols())) {
  assign(A.data(), outputs);
  const auto k = static_cast<Eigen::Index>(bad_row);
  if (status == Status::rank_deficient)
    throw Error(Status::invalid_argument, "row " + std::to_string(k) +
                                              " of A is zero: expected the coefficients of a law");
  if (status != Status::ok) {
    Eigen::Index j = 0;
    while (std::isfinite(A(k, j))) ++j;
    throw Error(Status::invalid_argument, "A(" + std::to_string(k) + ", " + std::to_string(j) +
                                              ") is not finite: expected the coefficients of a law");
  }
}

void LawMatrix::assign(const double* A, std::size_t stride) noexcept {
  status = Status::ok;
  log_det_row_scale = 0.0;
  for (std::size_t k = 0; k < rows; ++k) {
    const double* row = A + k * stride;
    // Two steps, so that neither tiny nor huge coefficients leave the range of FP64.
    double largest = 0.0;
    bool finite = true;
    for (std::size_t j = 0; j < outputs; ++j) {
      finite &= std::isfinite(row[j]);
      largest = std::max(largest, std::abs(row[j]));
    }
    row_scale[k] = 1.0;
    if (!finite || largest == 0.0) {
      // What is no number outweighs a row of zeros.
      if (status == Status::ok || (status == Status::rank_deficient && !finite)) {
        status = finite ? Status::rank_deficient : Status::non_finite;
        bad_row = k;
      }
    } else {
      double sum = 0.0;
      const int exponent = std::min(-std::ilogb(largest), 1000);
      const double unit = std::ldexp(1.0, exponent);
      for (std::size_t j = 0; j < outputs; ++j) sum += (row[j] * unit) * (row[j] * unit);
      row_scale[k] = std::ldexp(1.0, std::min(exponent - std::ilogb(std::sqrt(sum)), 1023));
      log_det_row_scale += std::log(row_scale[k]);
    }
    for (std::size_t j = 0; j < outputs; ++j) columns[j * rows + k] = row[j] * row_scale[k];
  }
}

LawBatch::LawBatch(const char* function, const RowMatrix& A, Eigen::Index samples, Eigen::Index rows,
                   SharedFaults faults)
    : A_(&A), rows_(static_cast<std::size_t>(rows)) {
  // One sample's own A is everybody's A.
  if (A.rows() == rows) {
    if (faults == SharedFaults::to_throw) {
      shared_.emplace(A);
    } else {
      shared_.emplace(rows_, outputs());
      shared_->assign(A.data(), outputs());
    }
  } else if (A.rows() != samples * rows) {
    const std::string columns = " x " + std::to_string(A.cols());
    throw Error(Status::shape_mismatch,
                std::string(function) + ": A is " + std::to_string(A.rows()) + columns + ", expected " +
                    std::to_string(rows) + columns + " (shared by the batch) or " + std::to_string(samples * rows) +
                    columns + " (" + std::to_string(rows) + " rows of each of " + std::to_string(samples) +
                    " samples)");
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
