#ifndef LAVOISIER_TESTS_QUAD_GAUSSIAN_HPP
#define LAVOISIER_TESTS_QUAD_GAUSSIAN_HPP

// The oracle where FP64 has too few digits: one sample in the compiler's 113-bit arithmetic. It never forms A S A': the
// laws are solved for m outputs (elimination with full pivoting), y = y0 + N u with u the other outputs, and u has the
// precision matrix N' S^-1 N. Deviations are positive.

#include <lavoisier/linear_constraints.hpp>

#include <Eigen/Core>

#include <cmath>
#include <utility>
#include <vector>

namespace lavoisier::tests {

__extension__ typedef __float128 Quad;
using QuadMatrix = std::vector<std::vector<Quad>>;

inline double log_of(Quad x) {
  const double hi = static_cast<double>(x);
  return std::log(hi) + static_cast<double>(x / static_cast<Quad>(hi) - 1);
}

/// Reduces M (rows x cols, right-hand sides from column `unknowns` on) to [I *] by full pivoting among the unknowns;
/// returns the pivots' columns, and log |det| of the pivots.
inline std::pair<std::vector<std::size_t>, double> eliminate(QuadMatrix& M, std::size_t unknowns) {
  std::vector<std::size_t> columns;
  double log_det = 0.0;
  for (std::size_t k = 0; k < M.size(); ++k) {
    std::size_t row = k, column = 0;
    Quad best = 0;
    for (std::size_t i = k; i < M.size(); ++i)
      for (std::size_t j = 0; j < unknowns; ++j)
        if (const Quad size = M[i][j] < 0 ? -M[i][j] : M[i][j]; size > best) best = size, row = i, column = j;
    std::swap(M[k], M[row]);
    log_det += log_of(best);
    const Quad pivot = M[k][column];
    for (Quad& value : M[k]) value /= pivot;
    for (std::size_t i = 0; i < M.size(); ++i) {
      if (i == k) continue;
      const Quad factor = M[i][column];
      for (std::size_t j = 0; j < M[i].size(); ++j) M[i][j] -= factor * M[k][j];
    }
    columns.push_back(column);
  }
  return {columns, log_det};
}

/// Inverse of a square matrix, and log |det|.
inline std::pair<QuadMatrix, double> inverse_of(QuadMatrix M) {
  const std::size_t size = M.size();
  for (std::size_t i = 0; i < size; ++i) {
    M[i].resize(2 * size, 0);
    M[i][size + i] = 1;
  }
  const auto [columns, log_det] = eliminate(M, size);
  QuadMatrix result(size);
  for (std::size_t k = 0; k < size; ++k) result[columns[k]] = {M[k].begin() + static_cast<long>(size), M[k].end()};
  return {result, log_det};
}

class QuadConditional {
 public:
  QuadConditional(const RowMatrix& A, const Eigen::VectorXd& mu, const Eigen::VectorXd& s, const Eigen::VectorXd& d)
      : n_(static_cast<std::size_t>(A.cols())), mean(n_), covariance(n_, std::vector<Quad>(n_)) {
    const auto m = static_cast<std::size_t>(A.rows());
    QuadMatrix M(m, std::vector<Quad>(n_ + 1));
    for (std::size_t k = 0; k < m; ++k) {
      for (std::size_t j = 0; j < n_; ++j) M[k][j] = A(static_cast<long>(k), static_cast<long>(j));
      M[k][n_] = d[static_cast<long>(k)];
    }
    dependent = eliminate(M, n_).first;
    std::vector<bool> taken(n_);
    for (const std::size_t j : dependent) taken[j] = true;
    for (std::size_t j = 0; j < n_; ++j)
      if (!taken[j]) free_.push_back(j);
    const std::size_t f = free_.size();
    N_.assign(n_, std::vector<Quad>(f, 0));
    start_.assign(n_, 0);
    for (std::size_t q = 0; q < f; ++q) N_[free_[q]][q] = 1;
    for (std::size_t k = 0; k < m; ++k) {
      start_[dependent[k]] = M[k][n_];
      for (std::size_t q = 0; q < f; ++q) N_[dependent[k]][q] = -M[k][free_[q]];
    }
    std::vector<Quad> shift(n_), inverse_S(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      const Quad deviation = s[static_cast<long>(j)];
      inverse_S[j] = 1 / (deviation * deviation);
      shift[j] = static_cast<Quad>(mu[static_cast<long>(j)]) - start_[j];
    }
    precision_ = product(inverse_S);
    const auto [inverse, log_det] = inverse_of(precision_);
    log_det_precision_ = log_det;
    log_det_gram_ = inverse_of(product(std::vector<Quad>(n_, 1))).second;
    u_ = times(inverse, reduce(shift, inverse_S));
    for (std::size_t i = 0; i < n_; ++i) {
      mean[i] = start_[i];
      for (std::size_t q = 0; q < f; ++q) mean[i] += N_[i][q] * u_[q];
      for (std::size_t j = 0; j < n_; ++j)
        for (std::size_t p = 0; p < f; ++p) {
          Quad inner = 0;
          for (std::size_t q = 0; q < f; ++q) inner += inverse[p][q] * N_[j][q];
          covariance[i][j] += N_[i][p] * inner;
        }
    }
  }

  /// Of the free outputs; of the surface, whose element is sqrt(det N'N) du.
  double reduced_log_density(const Eigen::VectorXd& y) const {
    std::vector<Quad> shift(n_);
    for (std::size_t j = 0; j < n_; ++j) shift[j] = static_cast<Quad>(y[static_cast<long>(j)]) - start_[j];
    const std::vector<Quad> ones(n_, 1);
    // The orthogonal projection of y: what rounding leaves off the laws is no coordinate.
    std::vector<Quad> e = times(inverse_of(product(ones)).first, reduce(shift, ones));
    for (std::size_t q = 0; q < e.size(); ++q) e[q] -= u_[q];
    Quad quadratic = 0;
    for (std::size_t p = 0; p < e.size(); ++p)
      for (std::size_t q = 0; q < e.size(); ++q) quadratic += e[p] * precision_[p][q] * e[q];
    return -0.5 * static_cast<double>(e.size()) * std::log(2.0 * M_PI) + 0.5 * log_det_precision_ -
           0.5 * static_cast<double>(quadratic);
  }
  double log_density(const Eigen::VectorXd& y) const { return reduced_log_density(y) - 0.5 * log_det_gram_; }
  /// log N(N'y; N'mu, N'SN) for an orthonormal N.
  double null_space_log_density(const Eigen::VectorXd& y, const Eigen::VectorXd& mu, const Eigen::VectorXd& s) const {
    std::vector<Quad> delta(n_), S(n_);
    for (std::size_t j = 0; j < n_; ++j) {
      const auto i = static_cast<long>(j);
      delta[j] = static_cast<Quad>(y[i]) - static_cast<Quad>(mu[i]);
      S[j] = static_cast<Quad>(s[i]) * static_cast<Quad>(s[i]);
    }
    const std::vector<Quad> z = reduce(delta, std::vector<Quad>(n_, 1));
    const auto [inverse, log_det] = inverse_of(product(S));
    const std::vector<Quad> solved = times(inverse, z);
    Quad quadratic = 0;
    for (std::size_t q = 0; q < z.size(); ++q) quadratic += z[q] * solved[q];
    return -0.5 * static_cast<double>(z.size()) * std::log(2.0 * M_PI) - 0.5 * log_det + 0.5 * log_det_gram_ -
           0.5 * static_cast<double>(quadratic);
  }
  double entropy() const {
    return 0.5 * static_cast<double>(free_.size()) * (std::log(2.0 * M_PI) + 1.0) - 0.5 * log_det_precision_ +
           0.5 * log_det_gram_;
  }
  double mean_of(Eigen::Index j) const { return static_cast<double>(mean[static_cast<std::size_t>(j)]); }
  double variance_of(Eigen::Index j) const {
    return static_cast<double>(covariance[static_cast<std::size_t>(j)][static_cast<std::size_t>(j)]);
  }

 private:
  QuadMatrix product(const std::vector<Quad>& weight) const {
    QuadMatrix result(free_.size(), std::vector<Quad>(free_.size(), 0));
    for (std::size_t p = 0; p < free_.size(); ++p)
      for (std::size_t q = 0; q < free_.size(); ++q)
        for (std::size_t j = 0; j < n_; ++j) result[p][q] += N_[j][p] * weight[j] * N_[j][q];
    return result;
  }
  std::vector<Quad> reduce(const std::vector<Quad>& x, const std::vector<Quad>& weight) const {
    std::vector<Quad> result(free_.size(), 0);
    for (std::size_t q = 0; q < free_.size(); ++q)
      for (std::size_t j = 0; j < n_; ++j) result[q] += N_[j][q] * weight[j] * x[j];
    return result;
  }
  static std::vector<Quad> times(const QuadMatrix& M, const std::vector<Quad>& x) {
    std::vector<Quad> result(M.size(), 0);
    for (std::size_t p = 0; p < M.size(); ++p)
      for (std::size_t q = 0; q < x.size(); ++q) result[p] += M[p][q] * x[q];
    return result;
  }

  std::size_t n_;
  std::vector<std::size_t> free_;
  QuadMatrix N_, precision_;
  std::vector<Quad> start_, u_;
  double log_det_precision_ = 0.0, log_det_gram_ = 0.0;

 public:
  std::vector<Quad> mean;
  QuadMatrix covariance;
  std::vector<std::size_t> dependent;  ///< the outputs that the laws were solved for
};

}  // namespace lavoisier::tests

#endif
