// Networks answer in FP32; W and its factor must not be. The laws of an atmospheric column (water, energy, shortwave,
// longwave, surface longwave) on 40 outputs in physical units, with deviations as training finds them: decades apart.

#include <lavoisier/conditional_gaussian.hpp>

#include <Eigen/Cholesky>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>

namespace lavoisier {
namespace {

constexpr Eigen::Index levels = 8, samples = 200;
// Humidity has no tendency in the two uppermost layers.
constexpr Eigen::Index humidity = 0, temperature = 6, shortwave = 14, longwave = 22, evaporation = 30, convective = 31,
                       large_scale = 32, sensible = 33, top_shortwave = 34, surface_shortwave = 35,
                       surface_longwave = 36, outgoing = 37, up = 38, down = 39, outputs = 40;

struct Column {
  RowMatrix A = RowMatrix::Zero(5, outputs);
  Eigen::VectorXd climate{outputs};  ///< standard deviation of each output, physical units

  Column() {
    const double cp = 1004.0, latent_heat = 2.501e6, sigma_thickness[levels] = {0.05, 0.09, 0.12, 0.14,
                                                                              0.16, 0.17, 0.155, 0.115};
    for (Eigen::Index l = 0; l < levels; ++l) {
      const double layer_mass = 1.0e5 * sigma_thickness[l] / 9.81;
      if (l >= 2) {
        A(0, humidity + l - 2) = layer_mass;
        climate[humidity + l - 2] = 1e-8 * static_cast<double>(l);
      }
      A(1, temperature + l) = A(2, shortwave + l) = A(3, longwave + l) = cp * layer_mass;
      climate[temperature + l] = 3e-5;
      climate[shortwave + l] = 5e-6;
      climate[longwave + l] = 8e-6;
    }
    A(0, evaporation) = -1.0, A(0, convective) = A(0, large_scale) = 1.0;
    A(1, convective) = A(1, large_scale) = -latent_heat, A(1, sensible) = A(1, top_shortwave) = -1.0;
    A(1, surface_shortwave) = A(1, outgoing) = 1.0, A(1, surface_longwave) = -1.0;
    A(2, top_shortwave) = -1.0, A(2, surface_shortwave) = 1.0;
    A(3, surface_longwave) = -1.0, A(3, outgoing) = 1.0;
    A(4, surface_longwave) = 1.0, A(4, up) = -1.0, A(4, down) = 1.0;
    climate[evaporation] = 3e-5, climate[convective] = 6e-5, climate[large_scale] = 3e-5;
    climate[sensible] = 30.0, climate[top_shortwave] = 120.0, climate[surface_shortwave] = 90.0;
    climate[surface_longwave] = 25.0, climate[outgoing] = 30.0, climate[up] = 60.0, climate[down] = 55.0;
  }
};

/// Largest distance from a law, in standard deviations of its terms.
double distance(const Column& column, const RowMatrix& y) {
  const RowMatrix residual = y * column.A.transpose();
  const Eigen::VectorXd size = (column.A * column.climate.asDiagonal()).rowwise().norm();
  return (residual.array().rowwise() / size.transpose().array()).abs().maxCoeff();
}

TEST(SinglePrecision, OfTheNetworkIsEnoughButNotOfTheSolve) {
  const Column column;
  std::mt19937_64 engine(11);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> exponent(-6.0, 0.0);
  RowMatrix mean(samples, outputs), deviation(samples, outputs);
  for (Eigen::Index s = 0; s < samples; ++s)
    for (Eigen::Index j = 0; j < outputs; ++j) {
      mean(s, j) = static_cast<float>(column.climate[j] * normal(engine));
      deviation(s, j) = static_cast<float>(column.climate[j] * std::pow(10.0, exponent(engine)));
    }
  const RowMatrix d = RowMatrix::Zero(samples, 5);
  const ConditionalMoments ours = conditional_moments(column.A, mean, deviation, d);
  for (const Status status : ours.status) ASSERT_EQ(status, Status::ok);
  const RowMatrix stored = ours.mean.cast<float>().cast<double>();

  // The same in FP32, in standardised units, which is the best that it can be given.
  const RowMatrix standard = column.A * column.climate.asDiagonal();
  const Eigen::MatrixXf A = (standard.rowwise().norm().cwiseInverse().asDiagonal() * standard).cast<float>();
  RowMatrix single(samples, outputs);
  for (Eigen::Index s = 0; s < samples; ++s) {
    const Eigen::VectorXf z = mean.row(s).transpose().cwiseQuotient(column.climate).cast<float>();
    const Eigen::VectorXf S =
        deviation.row(s).transpose().cwiseQuotient(column.climate).cwiseAbs2().cast<float>();
    const Eigen::MatrixXf W = A * S.asDiagonal() * A.transpose();
    const Eigen::VectorXf y = z - S.asDiagonal() * (A.transpose() * W.llt().solve(A * z));
    single.row(s) = y.cast<double>().cwiseProduct(column.climate).transpose();
  }
  const double of_single = distance(column, single), of_ours = distance(column, ours.mean),
               of_stored = distance(column, stored);
  std::printf("distance from the laws in standard deviations: solve in FP32 %.1e, FP64 %.1e, stored as float %.1e\n",
              of_single, of_ours, of_stored);
  EXPECT_GT(of_single, 3e-4);
  EXPECT_LE(of_ours, 1e-14);
  EXPECT_LE(of_stored, 1e-6);
}

}  // namespace
}  // namespace lavoisier
