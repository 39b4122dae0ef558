#include "latent_layers.hpp"

#include <lavoisier/elementary.hpp>

namespace lavoisier::detail {

using Eigen::Index;

DiagonalGaussian latent_gaussian(const RowMatrix& raw, Index first, Index width, double floor) {
  return {raw.middleCols(first, width),
          raw.middleCols(first + width, width).unaryExpr([&](double h) { return floor + elementary::log1p_exp(h); })};
}

void add_latent_adjoint(const RowMatrix& raw, Index first, Index width, const DiagonalGaussian& bar, RowMatrix& raw_bar) {
  raw_bar.middleCols(first, width) += bar.mean;
  raw_bar.middleCols(first + width, width).array() +=
      bar.deviation.array() *
      raw.middleCols(first + width, width).unaryExpr([](double h) { return elementary::sigmoid(h); }).array();
}

DiagonalGaussian joined(const DiagonalGaussian& a, const DiagonalGaussian& b) {
  const Eigen::ArrayXXd pa = a.deviation.array().square().inverse(), pb = b.deviation.array().square().inverse();
  const Eigen::ArrayXXd v = (pa + pb).inverse();
  return {(v * (a.mean.array() * pa + b.mean.array() * pb)).matrix(), v.sqrt().matrix()};
}

void joined_adjoint(const DiagonalGaussian& a, const DiagonalGaussian& b, const DiagonalGaussian& joined,
                    const DiagonalGaussian& bar, DiagonalGaussian& a_bar, DiagonalGaussian& b_bar) {
  const Eigen::ArrayXXd pa = a.deviation.array().square().inverse(), pb = b.deviation.array().square().inverse();
  const Eigen::ArrayXXd v = joined.deviation.array().square();
  // mean = v (a pa + b pb), deviation = sqrt(v), v = 1 / (pa + pb).
  const Eigen::ArrayXXd v_bar = bar.mean.array() * joined.mean.array() / v + bar.deviation.array() / (2.0 * joined.deviation.array());
  const auto precision = [&](const DiagonalGaussian& of, const Eigen::ArrayXXd& p, DiagonalGaussian& to) {
    const Eigen::ArrayXXd p_bar = bar.mean.array() * v * of.mean.array() - v_bar * v.square();
    to.mean.array() += bar.mean.array() * v * p;
    to.deviation.array() += -2.0 * p_bar * p / of.deviation.array();
  };
  precision(a, pa, a_bar);
  precision(b, pb, b_bar);
}

Eigen::VectorXd divergence(const DiagonalGaussian& q, const DiagonalGaussian& p) {
  const Eigen::ArrayXXd ratio = q.deviation.array() / p.deviation.array();
  const Eigen::ArrayXXd delta = (q.mean - p.mean).array() / p.deviation.array();
  return (0.5 * (ratio.square() + delta.square() - 1.0) - ratio.log()).rowwise().sum();
}

void add_divergence_adjoint(const DiagonalGaussian& q, const DiagonalGaussian& p, double weight, DiagonalGaussian& q_bar,
                            DiagonalGaussian& p_bar) {
  const Eigen::ArrayXXd delta = (q.mean - p.mean).array(), sp = p.deviation.array(), sq = q.deviation.array();
  q_bar.mean.array() += weight * delta / sp.square();
  q_bar.deviation.array() += weight * (sq / sp.square() - sq.inverse());
  p_bar.mean.array() -= weight * delta / sp.square();
  p_bar.deviation.array() += weight * (sp.inverse() - (sq.square() + delta.square()) / sp.cube());
}

}  // namespace lavoisier::detail
