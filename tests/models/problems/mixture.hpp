#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_MIXTURE_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_MIXTURE_HPP

// Mixtures of Gaussians, and what they become given a law: the right answer is known.

#include "sampling_table.hpp"

#include <Eigen/Dense>

#include <cmath>
#include <numbers>
#include <vector>

namespace lavoisier::detail {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

/// sum_k weight_k N(mean_k, covariance_k).
struct Mixture {
  VectorXd weight;
  std::vector<VectorXd> mean;
  std::vector<MatrixXd> covariance;
  Index size() const { return weight.size(); }
  Index dimension() const { return mean[0].size(); }
};

inline double log_normal(const VectorXd& y, const VectorXd& mean, const MatrixXd& covariance) {
  const Eigen::LLT<MatrixXd> factor(covariance);
  const VectorXd white = factor.matrixL().solve(y - mean);
  return -0.5 * white.squaredNorm() - factor.matrixL().toDenseMatrix().diagonal().array().log().sum() -
         0.5 * static_cast<double>(y.size()) * std::log(2.0 * std::numbers::pi);
}

inline Mixture mixture(Index n) {
  Mixture made;
  made.weight = VectorXd(3);
  made.weight << 0.5, 0.3, 0.2;
  for (Index k = 0; k < 3; ++k) {
    VectorXd mean(n);
    MatrixXd root(n, n);
    for (Index i = 0; i < n; ++i) {
      mean[i] = 1.3 * std::sin(2.1 * static_cast<double>(i) + 2.4 * static_cast<double>(k));
      for (Index j = 0; j < n; ++j)
        root(i, j) = (i == j ? 0.35 : 0.0) + 0.15 * std::cos(1.3 * static_cast<double>(i * n + j) + static_cast<double>(k));
    }
    made.mean.push_back(mean);
    made.covariance.push_back(root * root.transpose() + 0.02 * MatrixXd::Identity(n, n));
  }
  return made;
}

/// The mixture given a'y = d, in orthonormal coordinates u of the null space of a: y = a d / |a|^2 + N u.
inline Mixture given(const Mixture& of, const VectorXd& a, double d, const MatrixXd& N) {
  Mixture law;
  law.weight = of.weight;
  for (Index k = 0; k < of.size(); ++k) {
    const auto at = static_cast<std::size_t>(k);
    const MatrixXd& S = of.covariance[at];
    const VectorXd G = S * a / a.dot(S * a);
    law.weight[k] *= std::exp(log_normal(VectorXd::Constant(1, d), VectorXd::Constant(1, a.dot(of.mean[at])),
                                         MatrixXd::Constant(1, 1, a.dot(S * a))));
    law.mean.push_back(N.transpose() * (of.mean[at] - G * (a.dot(of.mean[at]) - d)));
    law.covariance.push_back(N.transpose() * (S - G * a.transpose() * S) * N);
  }
  law.weight /= law.weight.sum();
  return law;
}

/// E[x0 | x_t = x], x_t = data x0 + noise e; one point of the process, many x.
class Denoised {
 public:
  Denoised(const Mixture& of, ProcessPoint at) : of_(of), data_(at.data) {
    const Index n = of.dimension();
    for (Index k = 0; k < of.size(); ++k) {
      const MatrixXd& S = of.covariance[static_cast<std::size_t>(k)];
      const MatrixXd C = at.data * at.data * S + at.noise * at.noise * MatrixXd::Identity(n, n);
      const MatrixXd inverse = C.inverse();
      inverse_.push_back(inverse);
      gain_.push_back(at.data * S * inverse);
      log_weight_.push_back(std::log(of.weight[k]) - 0.5 * std::log(C.determinant()));
    }
  }
  VectorXd operator()(const VectorXd& x) const {
    VectorXd logs(of_.size()), sum = VectorXd::Zero(x.size());
    for (Index k = 0; k < of_.size(); ++k) {
      const auto at = static_cast<std::size_t>(k);
      const VectorXd rest = x - data_ * of_.mean[at];
      logs[k] = log_weight_[at] - 0.5 * rest.dot(inverse_[at] * rest);
    }
    const VectorXd share = (logs.array() - logs.maxCoeff()).exp();
    for (Index k = 0; k < of_.size(); ++k) {
      const auto at = static_cast<std::size_t>(k);
      sum += share[k] / share.sum() * (of_.mean[at] + gain_[at] * (x - data_ * of_.mean[at]));
    }
    return sum;
  }

 private:
  const Mixture& of_;
  double data_;
  std::vector<MatrixXd> inverse_, gain_;
  std::vector<double> log_weight_;
};

}  // namespace lavoisier::detail

#endif
