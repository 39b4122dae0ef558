#include "portfolio_target.hpp"

#include <lavoisier/status.hpp>

#include <Eigen/Cholesky>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace lavoisier::detail {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// A smooth convex function of w > 0: its value (infinite where it has none), gradient and second derivatives.
struct Objective {
  std::function<double(const Vector&)> value;
  std::function<void(const Vector&, Vector&, Matrix&)> derivatives;
};

/// The step of Newton's method for the least of f under A w = b: H dw + A^T v = -g, A dw = r.
Vector newton_step(const Matrix& H, const Vector& g, const Matrix& A, const Vector& r) {
  const Eigen::LLT<Matrix> factor(H);
  const Matrix HA = factor.solve(A.transpose());
  const Vector Hg = factor.solve(g);
  const Vector v = (A * HA).llt().solve(-(r + A * Hg));
  return -Hg - HA * v;
}

/// Least f - mu sum log w from a w > 0 on, which need not meet A w = b at first; false where there is none.
bool minimise(const Objective& f, double mu, const Matrix& A, const Vector& b, Vector& w) {
  const auto barrier = [&](const Vector& x) { return f.value(x) - mu * x.array().log().sum(); };
  Vector g;
  Matrix H;
  const double scale = 1.0 + b.cwiseAbs().maxCoeff();
  for (int step = 0; step < 200; ++step) {
    f.derivatives(w, g, H);
    g.array() -= mu / w.array();
    H.diagonal().array() += mu / w.array().square();
    const Vector r = b - A * w;
    const bool feasible = r.cwiseAbs().maxCoeff() <= 1e-12 * scale;
    const Vector dw = newton_step(H, g, A, r);
    if (!dw.allFinite()) return false;
    const double decrement = dw.dot(H * dw);
    if (feasible && decrement <= 1e-6 * mu) return true;
    double length = 1.0;
    while ((w + length * dw).minCoeff() <= 0.0 && length > 1e-14) length *= 0.5;
    if (length < 1.0) length *= 0.99;
    if (feasible) {
      const double here = barrier(w), slope = g.dot(dw);
      double there = barrier(w + length * dw);
      while (!(there <= here + 1e-4 * length * slope) && length > 1e-9) there = barrier(w + (length *= 0.5) * dw);
      if (length <= 1e-9) return true;  // what rounding allows
    } else if (length <= 1e-14) {
      return false;
    }
    w += length * dw;
  }
  return false;
}

Objective quadratic(const Matrix& H, const Vector& m) {
  return {[&H, &m](const Vector& w) { return 0.5 * w.dot(H * w) - m.dot(w); },
          [&H, &m](const Vector& w, Vector& g, Matrix& second) {
            g = H * w - m;
            second = H;
          }};
}

Objective growth(const Matrix& R) {
  const double count = static_cast<double>(R.rows());
  return {[&R, count](const Vector& w) {
            const Vector wealth = (R * w).array() + 1.0;
            return wealth.minCoeff() > 0.0 ? -wealth.array().log().sum() / count : std::numeric_limits<double>::infinity();
          },
          [&R, count](const Vector& w, Vector& g, Matrix& second) {
            const Vector inverse = ((R * w).array() + 1.0).inverse();
            const Matrix scaled = inverse.asDiagonal() * R;
            g = -scaled.colwise().sum().transpose() / count;
            second = scaled.transpose() * scaled / count;
          }};
}

}  // namespace

PortfolioProblem::PortfolioProblem(Matrix A, Vector b, const PortfolioTarget& target)
    : A_(std::move(A)), b_(std::move(b)), target_(target) {
  if (target_.short_sales) {
    centre_ = A_.transpose() * (A_ * A_.transpose()).llt().solve(b_);
    return;
  }
  const Matrix H = Matrix::Zero(A_.cols(), A_.cols());
  const Vector m = Vector::Zero(A_.cols());
  centre_ = Vector::Constant(A_.cols(), 1.0 / static_cast<double>(A_.cols()));
  // Where all sums are 0, weights that meet them may be multiplied by anything: only 0 itself has a bound.
  const bool none = b_.size() == 0 || b_.cwiseAbs().maxCoeff() == 0.0;
  if (none || !minimise(quadratic(H, m), 1.0, A_, b_, centre_))
    throw Error(Status::inconsistent_laws, "without short sales weights are above 0: none such meet all the laws, or these leave one without a bound");
  centre_ = onto_laws(centre_);
  if (!(centre_.minCoeff() > 0.0))
    throw Error(Status::inconsistent_laws, "without short sales weights are above 0: none such meet all the laws");
}

/// The nearest that meets A w = b, of one that does so nearly.
Vector PortfolioProblem::onto_laws(Vector w) const {
  w += A_.transpose() * (A_ * A_.transpose()).llt().solve(b_ - A_ * w);
  return w;
}

Vector PortfolioProblem::closed_form(const Matrix& H, const Vector& m) const {
  const Eigen::LLT<Matrix> factor(H);
  if (factor.info() != Eigen::Success || factor.rcond() < 1e-13)
    throw Error(Status::rank_deficient, "the variance of the returns is singular: with short sales the target needs a ridge above 0");
  return centre_ + newton_step(H, H * centre_ - m, A_, Vector::Zero(b_.size()));
}

Vector PortfolioProblem::solve(const Matrix& returns) const {
  const double count = static_cast<double>(returns.rows());
  Matrix H;
  Vector m = Vector::Zero(returns.cols());
  if (target_.objective != PortfolioTarget::Objective::growth) {
    const Vector mean = returns.colwise().mean();
    const Matrix centred = returns.rowwise() - mean.transpose();
    H = centred.transpose() * centred / count;
    const double variance = H.trace() / static_cast<double>(H.rows());
    if (!H.allFinite() || !std::isfinite(variance))
      throw Error(Status::out_of_range, "the returns behind this date are too large for a variance");
    H.diagonal().array() += target_.ridge * (variance > 0.0 ? variance : 1.0);
    // In units of the mean variance.
    const double scale = variance > 0.0 ? variance : 1.0;
    H /= scale;
    if (target_.objective == PortfolioTarget::Objective::mean_variance) m = mean / (target_.risk_aversion * scale);
  }
  Vector w;
  if (target_.short_sales) {
    w = closed_form(H, m);
  } else {
    const Objective f = target_.objective == PortfolioTarget::Objective::growth ? growth(returns) : quadratic(H, m);
    w = centre_;
    const double last = duality_gap / static_cast<double>(w.size());
    for (double mu = 0.1; mu > last; mu = std::max(last, 0.1 * mu)) minimise(f, mu, A_, b_, w);
    minimise(f, last, A_, b_, w);
  }
  if (!w.allFinite()) throw Error(Status::out_of_range, "the returns behind this date are too large for the target to be solved");
  return onto_laws((1.0 - target_.equal_share) * w + target_.equal_share * centre_);
}

PortfolioProblem portfolio_problem(const StateLayout& layout, const std::vector<Law>& laws, const std::vector<Constant>& constants,
                                   const PortfolioTarget& target) {
  for (const Law& law : laws) {
    std::vector<std::string> symbols = law.right_hand_side.symbols();
    for (const LawTerm& term : law.terms) {
      const std::vector<std::string> more = term.coefficient.symbols();
      symbols.insert(symbols.end(), more.begin(), more.end());
    }
    for (const std::string& symbol : symbols)
      if (layout.has_variable(symbol))
        throw Error(Status::unsupported,
                    fmt::format("law {}: the target's weights obey laws of outputs and constants alone, found the input \"{}\"", law.name, symbol));
  }
  const LinearConstraints constraints(layout, laws, constants);
  const RowMatrix none = RowMatrix::Zero(1, layout.elements(Role::input));
  return PortfolioProblem(constraints.A(), constraints.right_hand_side(none).row(0).transpose(), target);
}

}  // namespace lavoisier::detail
