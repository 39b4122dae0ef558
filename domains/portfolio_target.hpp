#ifndef LAVOISIER_DOMAINS_PORTFOLIO_TARGET_HPP
#define LAVOISIER_DOMAINS_PORTFOLIO_TARGET_HPP

// Weights that would have been best in hindsight, under a domain's laws.

#include <lavoisier/linear_constraints.hpp>
#include <lavoisier/price_table.hpp>

#include <Eigen/Core>

namespace lavoisier::detail {

/// Convex problems over the weights w of n assets: A w = b, with w > 0 where there are no short sales. These are solved by
/// Newton's method with a logarithmic barrier (Boyd and Vandenberghe 2004, 10.3 and 11.3) to a duality gap of 1e-10 (growth: in
/// log return a period; else in units of the mean variance); with short sales in closed form. Every answer meets A w = b
/// to rounding. No random numbers, no clock: same input, same bits.
class PortfolioProblem {
 public:
  static constexpr double duality_gap = 1e-10;

  /// A: independent rows, rows x assets; b. Error(inconsistent_laws) where no positive weights meet them and no short sales are
  /// allowed.
  PortfolioProblem(Eigen::MatrixXd A, Eigen::VectorXd b, const PortfolioTarget& target);

  /// As equal as A w = b allows: largest sum of log w; with short sales least sum of w^2.
  const Eigen::VectorXd& centre() const noexcept { return centre_; }
  /// `returns`: simple returns, periods x assets. Error(rank_deficient) with short sales where the variance is singular.
  Eigen::VectorXd solve(const Eigen::MatrixXd& returns) const;

 private:
  Eigen::VectorXd closed_form(const Eigen::MatrixXd& H, const Eigen::VectorXd& m) const;
  Eigen::VectorXd onto_laws(Eigen::VectorXd w) const;

  Eigen::MatrixXd A_;
  Eigen::VectorXd b_;
  PortfolioTarget target_;
  Eigen::VectorXd centre_;
};

/// Of a domain whose outputs are weights. Error(unsupported) where a law's coefficients or right-hand side are no constants.
PortfolioProblem portfolio_problem(const StateLayout& layout, const std::vector<Law>& laws, const std::vector<Constant>& constants,
                                   const PortfolioTarget& target);

}  // namespace lavoisier::detail

#endif
