#include "least_squares.hpp"

#include <Eigen/Cholesky>

namespace lavoisier::detail {

using Eigen::Index;

LinearFit least_squares(const TrainingData& data, Index inputs, Index outputs) {
  const auto active = static_cast<Index>(data.active.size());
  // Of (1, x): a column for the constant.
  Eigen::MatrixXd squares = Eigen::MatrixXd::Zero(inputs + 1, inputs + 1);
  Eigen::MatrixXd products = Eigen::MatrixXd::Zero(inputs + 1, active);
  const auto add = [&](const StandardisedRows& rows, Index first, Index count) {
    RowMatrix x(count, inputs + 1);
    x.col(0).setOnes();
    x.rightCols(inputs) =
        Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
            rows.x.data() + first * inputs, count, inputs)
            .cast<double>();
    squares.noalias() += x.transpose() * x;
    products.noalias() += x.transpose() * rows.y.middleRows(first, count);
  };
  constexpr Index piece = 4096;
  if (data.training_file) {
    read_in_order(*data.training_file, piece,
                  [&](std::int64_t, StandardisedRows& rows) { add(rows, 0, static_cast<Index>(rows.count())); });
  } else {
    const auto count = static_cast<Index>(data.training.count());
    for (Index first = 0; first < count; first += piece) add(data.training, first, std::min(piece, count - first));
  }
  squares.diagonal().tail(inputs).array() += 1e-7 * squares(0, 0);
  const Eigen::MatrixXd solved = squares.ldlt().solve(products);
  LinearFit fit{RowMatrix::Zero(outputs, inputs), RowMatrix::Zero(1, outputs)};
  for (Index i = 0; i < active; ++i) {
    fit.weight.row(data.active[static_cast<std::size_t>(i)]) = solved.col(i).tail(inputs).transpose();
    fit.bias(0, data.active[static_cast<std::size_t>(i)]) = solved(0, i);
  }
  return fit;
}

}  // namespace lavoisier::detail
