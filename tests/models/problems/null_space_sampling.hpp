#ifndef LAVOISIER_TESTS_MODELS_PROBLEMS_NULL_SPACE_SAMPLING_HPP
#define LAVOISIER_TESTS_MODELS_PROBLEMS_NULL_SPACE_SAMPLING_HPP

// The sampling loop with exact predictions: mixtures of Gaussians whose data do not obey the law, asked for their law
// given it.

#include "mixture.hpp"

#include <lavoisier/random.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>

namespace lavoisier::test {

/// A mixture of n outputs and one law a'y = d.
struct SamplingProblem {
  static constexpr Eigen::Index draws = 4000;

  explicit SamplingProblem(Eigen::Index n) : data(detail::mixture(n)), a(n) {
    for (Eigen::Index i = 0; i < n; ++i) a[i] = 1.0 + 0.5 * static_cast<double>(i % 2);
    d = 0.4 * a.dot(data.mean[0]) + 0.6 * a.dot(data.mean[1]);
    // Householder: the columns behind the first are orthonormal and orthogonal to a.
    const Eigen::MatrixXd Q = Eigen::HouseholderQR<Eigen::MatrixXd>(a).householderQ() * Eigen::MatrixXd::Identity(n, n);
    N = Q.rightCols(n - 1);
    law = given(data, a, d, N);
    foot = a * (d / a.squaredNorm());
  }
  RowMatrix laws() const { return a.transpose(); }
  RowMatrix values() const { return RowMatrix::Constant(draws, 1, d); }
  double largest_residual(const RowMatrix& y) const {
    return (y * a - Eigen::VectorXd::Constant(y.rows(), d)).cwiseAbs().maxCoeff();
  }
  /// Largest distance between distribution functions, of the draws y and of the law given a'y = d, over coordinates.
  double distance(const RowMatrix& y) const;

  detail::Mixture data, law;
  Eigen::VectorXd a, foot;
  double d = 0.0;
  Eigen::MatrixXd N;
};

inline double kolmogorov(const RowMatrix& u, const detail::Mixture& law) {
  const auto normal_cdf = [](double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); };
  double worst = 0.0;
  const Eigen::Index count = u.rows();
  for (Eigen::Index j = 0; j < u.cols(); ++j) {
    std::vector<double> sorted(static_cast<std::size_t>(count));
    for (Eigen::Index i = 0; i < count; ++i) sorted[static_cast<std::size_t>(i)] = u(i, j);
    std::sort(sorted.begin(), sorted.end());
    for (Eigen::Index i = 0; i < count; ++i) {
      double cdf = 0.0;
      for (Eigen::Index k = 0; k < law.size(); ++k) {
        const auto at = static_cast<std::size_t>(k);
        const double z = (sorted[static_cast<std::size_t>(i)] - law.mean[at][j]) / std::sqrt(law.covariance[at](j, j));
        cdf += law.weight[k] * normal_cdf(z);
      }
      worst = std::max({worst, std::abs(cdf - static_cast<double>(i) / static_cast<double>(count)),
                        std::abs(cdf - static_cast<double>(i + 1) / static_cast<double>(count))});
    }
  }
  return worst;
}

inline double SamplingProblem::distance(const RowMatrix& y) const {
  return kolmogorov((y.rowwise() - foot.transpose()) * N, law);
}

inline detail::Noise sampling_noise(Eigen::Index n) {
  return [n](std::int64_t k) {
    RowMatrix e(SamplingProblem::draws, n);
    for (Eigen::Index i = 0; i < e.rows(); ++i)
      for (Eigen::Index j = 0; j < n; ++j)
        e(i, j) = random::normal({11, 3}, {.column = static_cast<std::uint64_t>(i),
                                           .site = static_cast<std::uint64_t>(k),
                                           .element = static_cast<std::uint64_t>(j)});
    return e;
  };
}

inline RowMatrix by_row(const RowMatrix& x, const std::function<Eigen::VectorXd(const Eigen::VectorXd&)>& map) {
  RowMatrix y(x.rows(), x.cols());
  for (Eigen::Index i = 0; i < x.rows(); ++i) y.row(i) = map(x.row(i).transpose()).transpose();
  return y;
}

/// What a network that knows the conditional law says inside the null space.
inline detail::Prediction exact_prediction(const SamplingProblem& problem, const std::string& method,
                                           const std::string& prediction) {
  return [&problem, method, prediction](const RowMatrix& x, double t) {
    const detail::ProcessPoint at = method == "flow" ? detail::straight_process(t) : detail::cosine_process(t);
    const detail::Denoised law(problem.law, at);
    return by_row(x, [&](const Eigen::VectorXd& row) -> Eigen::VectorXd {
      const Eigen::VectorXd x0 = problem.N * law(problem.N.transpose() * row);
      if (method == "flow") return (x0 - row) / at.noise;
      const Eigen::VectorXd e = (row - at.data * x0) / at.noise;
      if (prediction == "noise") return e;
      if (prediction == "data") return x0;
      return at.data * e - at.noise * x0;
    });
  };
}

/// The process in the null space: ddpm, ddim or flow.
inline RowMatrix draw_in_null_space(const SamplingProblem& problem, const std::string& method,
                                    const std::string& prediction, std::int64_t steps) {
  return run_sampling(detail::sampling_table(method, prediction, "null_space", steps), problem.laws(), problem.values(),
                      sampling_noise(problem.a.size()), exact_prediction(problem, method, prediction));
}

/// What an unconditional model that is exact says.
inline detail::Prediction unconditional_prediction(const SamplingProblem& problem) {
  return [&problem](const RowMatrix& x, double t) {
    return by_row(x, detail::Denoised(problem.data, detail::cosine_process(t)));
  };
}

/// An unconditional process, its draws moved orthogonally onto the law: what post_hoc does.
inline RowMatrix draw_projected_at_the_end(const SamplingProblem& problem, std::int64_t steps) {
  const Eigen::Index n = problem.a.size();
  RowMatrix y = run_sampling(detail::sampling_table("ddpm", "data", "none", steps), RowMatrix(0, n),
                             RowMatrix(SamplingProblem::draws, 0), sampling_noise(n),
                             unconditional_prediction(problem));
  const Eigen::VectorXd rest = (y * problem.a).array() - problem.d;
  y -= rest / problem.a.squaredNorm() * problem.a.transpose();
  return y;
}

/// An unconditional process whose every step's estimate is moved onto the law.
inline RowMatrix draw_projected_each_step(const SamplingProblem& problem, std::int64_t steps) {
  return run_sampling(detail::sampling_table("ddpm", "data", "ambient", steps), problem.laws(), problem.values(),
                      sampling_noise(problem.a.size()), unconditional_prediction(problem));
}

}  // namespace lavoisier::test

#endif
