#ifndef LAVOISIER_TESTS_DIFFERENCES_HPP
#define LAVOISIER_TESTS_DIFFERENCES_HPP

#include "dense_gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

namespace lavoisier::tests {

/// Gradient of a scalar function by central differences with two Richardson steps (error h^6), h relative to each
/// element unless given: adjoints are held to 1e-7 of the gradient's largest element.
inline RowMatrix numerical_gradient(const std::function<double(const RowMatrix&)>& function, const RowMatrix& at,
                                    double step = 0.0) {
  RowMatrix gradient(at.rows(), at.cols());
  RowMatrix x = at;
  for (Eigen::Index i = 0; i < at.size(); ++i) {
    const double centre = at.data()[i];
    const auto slope = [&](double h) {
      x.data()[i] = centre + h;
      const double up = function(x);
      x.data()[i] = centre - h;
      const double down = function(x);
      x.data()[i] = centre;
      return (up - down) / (2.0 * h);
    };
    const double h = step > 0.0 ? step : 0.02 * std::max(0.05, std::abs(centre));
    const double coarse = slope(h), middle = slope(h / 2.0), fine = slope(h / 4.0);
    const double first = (4.0 * middle - coarse) / 3.0, second = (4.0 * fine - middle) / 3.0;
    gradient.data()[i] = (16.0 * second - first) / 15.0;
  }
  return gradient;
}

inline double relative_difference(const RowMatrix& a, const RowMatrix& b) {
  const double scale = b.cwiseAbs().maxCoeff();
  const double difference = (a - b).cwiseAbs().maxCoeff();
  return scale > 0.0 ? difference / scale : difference;
}

}  // namespace lavoisier::tests

#endif
