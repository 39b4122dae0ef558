// Tiles of samples give the bits of a sample alone, at every instruction set.

#include "fused_kernels.hpp"
#include "fused_losses.hpp"
#include "law_matrix.hpp"
#include "sample_kernel.hpp"

#include <lavoisier/conditional_gaussian.hpp>
#include <lavoisier/training_losses.hpp>

#include "dense_gaussian.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace lavoisier {
namespace {

using Eigen::Index;
using tests::RandomProblem;

bool same(const double* a, const double* b, Index count) {
  return std::memcmp(a, b, static_cast<std::size_t>(count) * sizeof(double)) == 0;
}

Eigen::VectorXd scales(Index n) { return Eigen::VectorXd::LinSpaced(n, 0.5, 2.0); }

/// One sample is never a tile: the reference.
BatchLoss alone(const RandomProblem& p, Index s) {
  return conditional_crps_loss(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s), p.y.row(s),
                               scales(p.A.cols()));
}

void expect_as_alone(const RandomProblem& p, const BatchLoss& batch) {
  const Index n = p.A.cols();
  for (Index s = 0; s < p.mean.rows(); ++s) {
    const BatchLoss one = alone(p, s);
    EXPECT_EQ(batch.status[static_cast<std::size_t>(s)], one.status[0]) << "sample " << s;
    EXPECT_TRUE(same(&batch.value[s], &one.value[0], 1)) << "sample " << s << ": " << batch.value[s] - one.value[0];
    EXPECT_TRUE(same(batch.gradient.mean.row(s).data(), one.gradient.mean.data(), n)) << "sample " << s;
    EXPECT_TRUE(same(batch.gradient.standard_deviation.row(s).data(), one.gradient.standard_deviation.data(), n))
        << "sample " << s;
  }
}

struct Size {
  Index samples, n, m;
};

/// What a tile reads of the samples from s on; where it writes is the caller's affair.
detail::FusedTile tile_of(const RandomProblem& p, const detail::LawMatrix& laws, Index s, std::int64_t lanes) {
  detail::FusedTile tile{};
  tile.n = p.A.cols();
  tile.count = std::min<Index>(lanes, p.mean.rows() - s);
  tile.columns = laws.columns.data();
  tile.row_scale = laws.row_scale.data();
  tile.least_pivot = detail::small_pivot;
  tile.mean = p.mean.row(s).data();
  tile.deviation = p.standard_deviation.row(s).data();
  tile.y = p.y.row(s).data();
  tile.d = p.d.row(s).data();
  return tile;
}

/// 26 samples of 24 outputs under 3 laws, some of which no tile can do.
RandomProblem special_care(unsigned seed) {
  RandomProblem p(24, 3, 26, seed);
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  p.mean(1, 2) = nan;
  p.standard_deviation(3, 4) = -1.0;
  p.standard_deviation(5, 6) = 0.0;
  p.standard_deviation(6, 7) = 1e4;  // leverage near 1
  p.standard_deviation.row(8).setZero();
  p.d(9, 1) = infinity;
  p.y(10, 0) = nan;
  p.standard_deviation(12, 3) = infinity;
  p.standard_deviation(13, 3) = 1e-200;  // its variance underflows
  p.mean(14, 0) = 1e305;
  p.standard_deviation(25, 1) = nan;
  return p;
}

TEST(FusedConditionalCrps, HasTheBitsOfASampleAlone) {
  unsigned seed = 1;
  for (const Size& size : {Size{2, 2, 1}, Size{7, 50, 1}, Size{8, 16, 4}, Size{9, 77, 2}, Size{37, 128, 4}, Size{19, 91, 3},
                           Size{16, 141, 5}, Size{5, 123, 6}, Size{11, 129, 7}, Size{23, 167, 8}, Size{13, 40, 11}}) {
    const RandomProblem p(size.n, size.m, size.samples, seed++, 0.1);
    if (detail::fused_kernels() != nullptr && size.n >= 12 * size.m) {
      const detail::LawMatrix laws(p.A);
      // Most samples must go through tiles, or this would compare the scalar code with itself.
      BatchLoss loss{Eigen::VectorXd(size.samples),
                     {RowMatrix(size.samples, size.n), RowMatrix(size.samples, size.n)},
                     std::vector<Status>(static_cast<std::size_t>(size.samples))};
      EXPECT_LE(detail::fused_conditional_crps(&laws, p.mean, p.standard_deviation, p.d, p.y,
                                               scales(size.n), {1}, loss).size(),
                static_cast<std::size_t>(size.samples / 2)) << size.n;
    }
    expect_as_alone(p, conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scales(size.n), {1}));
    expect_as_alone(p, conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scales(size.n), {3}));
  }
}

TEST(FusedConditionalCrps, SamplesThatNeedSpecialCareAreDoneAlone) {
  const RandomProblem p = special_care(5);
  const BatchLoss batch = conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scales(24), {2});
  expect_as_alone(p, batch);
  using enum Status;
  const std::vector<Status> expected = {ok, non_finite, ok, invalid_argument, ok, ok, ok, ok, rank_deficient, non_finite,
                                        non_finite, ok, non_finite};
  for (std::size_t s = 0; s < expected.size(); ++s) EXPECT_EQ(batch.status[s], expected[s]) << s;
}

TEST(FusedConditionalCrps, EveryInstructionSetGivesTheSameBits) {
  const detail::FusedKernels* tables[3];
  const int count = detail::runnable_fused_kernels(tables);
  if (count == 0) GTEST_SKIP() << "this compiler has no vector extensions";
  for (const Size& size : {Size{11, 87, 4}, Size{8, 40, 1}, Size{10, 170, 8}}) {
    const RandomProblem p(size.n, size.m, size.samples, 17, 0.1);
    const detail::LawMatrix laws(p.A);
    const Eigen::VectorXd weight = scales(size.n);
    std::vector<RowMatrix> results;
    for (int i = 0; i < count; ++i) {
      const detail::FusedKernels& kernels = *tables[i];
      std::vector<double> scratch(
          static_cast<std::size_t>(detail::fused_scratch(size.n, size.m, kernels.lanes)));
      Eigen::VectorXd value(size.samples);
      RowMatrix mean_bar(size.samples, size.n), deviation_bar(size.samples, size.n);
      for (Index s = 0; s < size.samples; s += kernels.lanes) {
        detail::FusedTile tile = tile_of(p, laws, s, kernels.lanes);
        tile.weight = weight.data();
        tile.value = value.data() + s;
        tile.mean_bar = mean_bar.row(s).data();
        tile.deviation_bar = deviation_bar.row(s).data();
        tile.scratch = scratch.data();
        const std::uint32_t left = kernels.crps[size.m - 1](tile);
        for (Index lane = 0; lane < tile.count; ++lane) {
          if ((left >> lane & 1u) == 0) continue;  // what is written for it is not a result
          value[s + lane] = -1.0;
          mean_bar.row(s + lane).setZero();
          deviation_bar.row(s + lane).setZero();
        }
      }
      RowMatrix all(size.samples, 2 * size.n + 1);
      all << value, mean_bar, deviation_bar;
      results.push_back(all);
      EXPECT_GE((value.array() > 0.0).count(), size.samples / 2) << size.n;
    }
    for (int i = 1; i < count; ++i)
      EXPECT_TRUE(same(results[0].data(), results[static_cast<std::size_t>(i)].data(), results[0].size()))
          << tables[0]->name << " and " << tables[i]->name;
  }
}

/// One sample is never a tile: the reference.
void expect_density_as_alone(const RandomProblem& p, const LogDensity& batch, bool with_gradient) {
  const Index n = p.A.cols();
  for (Index s = 0; s < p.mean.rows(); ++s) {
    const LogDensity one = conditional_log_density(p.A, p.mean.row(s), p.standard_deviation.row(s), p.d.row(s), p.y.row(s), true);
    EXPECT_EQ(batch.status[static_cast<std::size_t>(s)], one.status[0]) << "sample " << s;
    EXPECT_TRUE(same(&batch.value[s], &one.value[0], 1)) << "sample " << s << ": " << batch.value[s] - one.value[0];
    if (!with_gradient) continue;
    EXPECT_TRUE(same(batch.gradient.mean.row(s).data(), one.gradient.mean.data(), n)) << "sample " << s;
    EXPECT_TRUE(same(batch.gradient.standard_deviation.row(s).data(), one.gradient.standard_deviation.data(), n))
        << "sample " << s;
  }
}

TEST(FusedConditionalLogDensity, HasTheBitsOfASampleAlone) {
  unsigned seed = 71;
  for (const Size& size : {Size{2, 2, 1}, Size{7, 784, 1}, Size{8, 16, 4}, Size{9, 77, 2}, Size{37, 128, 4}, Size{19, 91, 3},
                           Size{16, 141, 5}, Size{5, 123, 6}, Size{11, 129, 7}, Size{23, 167, 8}, Size{13, 40, 11}}) {
    const RandomProblem p(size.n, size.m, size.samples, seed++, 0.1);
    if (detail::fused_kernels() != nullptr && size.n >= 12 * size.m) {
      const detail::LawMatrix laws(p.A);
      LogDensity density{Eigen::VectorXd(size.samples), {}, std::vector<Status>(static_cast<std::size_t>(size.samples))};
      EXPECT_LE(detail::fused_conditional_log_density(&laws, p.mean, p.standard_deviation, p.d, p.y, {1},
                                                      density).size(),
                static_cast<std::size_t>(size.samples / 2)) << size.n;
    }
    for (const int threads : {1, 3})
      for (const bool with_gradient : {true, false})
        expect_density_as_alone(p, conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, with_gradient, {threads}),
                                with_gradient);
  }
}

TEST(FusedConditionalLogDensity, SamplesThatNeedSpecialCareAreDoneAlone) {
  RandomProblem p = special_care(75);
  p.y(11, 0) += 1.0;                  // off the laws
  p.standard_deviation(13, 3) = 1e-310;
  const LogDensity batch = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true, {2});
  expect_density_as_alone(p, batch, true);
  using enum Status;
  EXPECT_EQ(batch.status[0], ok);
  EXPECT_EQ(batch.status[1], non_finite);
  EXPECT_EQ(batch.status[3], invalid_argument);
  EXPECT_EQ(batch.status[11], law_violated);
}

/// Every table's log density: value (without its logarithms), gradients and factors.
TEST(FusedConditionalLogDensity, EveryInstructionSetGivesTheSameBits) {
  const detail::FusedKernels* tables[3];
  const int count = detail::runnable_fused_kernels(tables);
  if (count == 0) GTEST_SKIP() << "this compiler has no vector extensions";
  for (const Size& size : {Size{11, 87, 4}, Size{8, 40, 1}, Size{10, 170, 8}}) {
    const RandomProblem p(size.n, size.m, size.samples, 77, 0.1);
    const detail::LawMatrix laws(p.A);
    detail::SampleKernel<-1> kernel(laws);
    ASSERT_TRUE(kernel.set_gram(std::vector<double>(static_cast<std::size_t>(size.n), 1.0).data()));
    const detail::GramFactor gram{kernel.gram_factor().factor(), kernel.gram_factor().inverse_pivot(), kernel.gram_factor().scale()};
    std::vector<RowMatrix> results;
    for (int i = 0; i < count; ++i) {
      const detail::FusedKernels& kernels = *tables[i];
      std::vector<double> scratch(static_cast<std::size_t>(detail::fused_scratch(size.n, size.m, kernels.lanes)));
      RowMatrix all(size.samples, 2 * size.n + 3 + 2 * size.m);
      all.setZero();
      for (Index s = 0; s < size.samples; s += kernels.lanes) {
        const Index lanes = std::min<Index>(kernels.lanes, size.samples - s);
        Eigen::VectorXd value(kernels.lanes), mantissa(kernels.lanes);
        RowMatrix mean_bar(kernels.lanes, size.n), deviation_bar(kernels.lanes, size.n), pivot(kernels.lanes, size.m),
            scale(kernels.lanes, size.m);
        std::vector<std::int64_t> exponent(static_cast<std::size_t>(kernels.lanes));
        detail::FusedTile tile = tile_of(p, laws, s, kernels.lanes);
        tile.value = value.data();
        tile.mean_bar = mean_bar.data();
        tile.deviation_bar = deviation_bar.data();
        tile.scratch = scratch.data();
        const std::uint32_t left = kernels.log_density[size.m - 1](
            tile, gram, {mantissa.data(), exponent.data(), pivot.data(), scale.data(), 1e-7, 1e-11});
        for (Index lane = 0; lane < lanes; ++lane)
          if ((left >> lane & 1u) == 0)
            all.row(s + lane) << 1.0, value[lane], mantissa[lane] + static_cast<double>(exponent[static_cast<std::size_t>(lane)]),
                mean_bar.row(lane), deviation_bar.row(lane), pivot.row(lane), scale.row(lane);
      }
      EXPECT_GE(all.col(0).sum(), static_cast<double>(size.samples / 2)) << size.n;
      results.push_back(all);
    }
    for (int i = 1; i < count; ++i)
      EXPECT_TRUE(same(results[0].data(), results[static_cast<std::size_t>(i)].data(), results[0].size()))
          << tables[0]->name << " and " << tables[i]->name;
  }
}

TEST(FusedConditionalCrps, WithoutLawsIsThatOfTheGaussian) {
  const RowMatrix A(0, 6), d(21, 0);
  const RandomProblem p(6, 0, 21, 61);
  const Eigen::VectorXd scale = Eigen::VectorXd::LinSpaced(6, 0.5, 2.0);
  for (const RowMatrix& s : {p.standard_deviation, RowMatrix(p.standard_deviation.row(0))}) {
    const BatchLoss loss = conditional_crps_loss(A, p.mean, s, d, p.y, scale);
    const BatchLoss expected = gaussian_crps_loss(p.mean, s, p.y, scale);
    EXPECT_EQ(loss.status, expected.status);
    EXPECT_LE((loss.value - expected.value).cwiseAbs().maxCoeff(), 1e-15 * expected.value.cwiseAbs().maxCoeff());
    EXPECT_LE((loss.gradient.mean - expected.gradient.mean).cwiseAbs().maxCoeff(), 1e-14);
    EXPECT_LE((loss.gradient.standard_deviation - expected.gradient.standard_deviation).cwiseAbs().maxCoeff(), 1e-13);
  }
}

TEST(SharedDeviations, ValuesAndGradientsAreThoseOfRepeatedRows) {
  unsigned seed = 31;
  for (const Size& size : {Size{2, 2, 1}, Size{37, 128, 4}, Size{130, 17, 2}, Size{65, 9, 5}, Size{9, 24, 8},
                           Size{13, 40, 11}, Size{6, 4, 4}}) {
    RandomProblem p(size.n, size.m, size.samples, seed++);
    RowMatrix s = p.standard_deviation.topRows(1);
    s(0, 0) *= 100.0;                  // large leverage
    if (size.n > 12) s(0, 3) = 0.0;    // known
    p.standard_deviation = s.replicate(size.samples, 1);
    const BatchLoss repeated = conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scales(size.n), {1});
    const BatchLoss shared = conditional_crps_loss(p.A, p.mean, s, p.d, p.y, scales(size.n), {1});
    const BatchLoss threads = conditional_crps_loss(p.A, p.mean, s, p.d, p.y, scales(size.n), {3});
    EXPECT_TRUE(same(shared.value.data(), repeated.value.data(), size.samples)) << size.n;
    EXPECT_TRUE(same(shared.gradient.mean.data(), repeated.gradient.mean.data(), size.samples * size.n)) << size.n;
    ASSERT_EQ(shared.gradient.standard_deviation.rows(), 1);
    const RowMatrix sum = repeated.gradient.standard_deviation.colwise().sum();
    const RowMatrix magnitude = repeated.gradient.standard_deviation.cwiseAbs().colwise().sum();
    for (Index j = 0; j < size.n; ++j)
      EXPECT_NEAR(shared.gradient.standard_deviation(0, j), sum(0, j), 1e-11 * magnitude(0, j)) << j;
    EXPECT_TRUE(same(shared.gradient.standard_deviation.data(), threads.gradient.standard_deviation.data(), size.n));
  }
}

void expect_summed(const RowMatrix& shared, const RowMatrix& rows) {
  ASSERT_EQ(shared.rows(), 1);
  for (Index j = 0; j < rows.cols(); ++j)
    EXPECT_NEAR(shared(0, j), rows.col(j).sum(), 1e-11 * rows.col(j).cwiseAbs().sum()) << j;
}

TEST(SharedDeviations, EveryFunctionTakesThem) {
  unsigned seed = 51;
  for (const Size& size : {Size{2, 2, 1}, Size{37, 31, 4}, Size{6, 4, 4}, Size{13, 40, 11}, Size{21, 784, 16},
                           Size{5, 90, 70}}) {
    RandomProblem p(size.n, size.m, size.samples, seed++);
    RowMatrix s = p.standard_deviation.topRows(1);
    s(0, 0) *= 100.0;
    p.standard_deviation = s.replicate(size.samples, 1);
    const RowMatrix bar = p.e.rowwise().reverse(), v_bar = p.e.topRows(1);
    const ConditionalMoments a = conditional_moments(p.A, p.mean, s, p.d, {2});
    const ConditionalMoments b = conditional_moments(p.A, p.mean, p.standard_deviation, p.d, {2});
    EXPECT_TRUE(same(a.mean.data(), b.mean.data(), a.mean.size()));
    EXPECT_TRUE(same(a.variance.data(), b.variance.data(), size.n));
    const GaussianGradient c = conditional_moments_adjoint(p.A, p.mean, s, p.d, bar, v_bar, {2});
    RowMatrix first = RowMatrix::Zero(size.samples, size.n);
    first.row(0) = v_bar;
    const GaussianGradient e = conditional_moments_adjoint(p.A, p.mean, p.standard_deviation, p.d, bar, first, {2});
    EXPECT_TRUE(same(c.mean.data(), e.mean.data(), c.mean.size()));
    expect_summed(c.standard_deviation, e.standard_deviation);
    const RowMatrix draw = conditional_draw(p.A, p.mean, s, p.d, p.e, {2});
    EXPECT_TRUE(same(draw.data(), conditional_draw(p.A, p.mean, p.standard_deviation, p.d, p.e).data(), draw.size()));
    const GaussianGradient f = conditional_draw_adjoint(p.A, p.mean, s, p.d, p.e, bar, {2});
    const GaussianGradient g = conditional_draw_adjoint(p.A, p.mean, p.standard_deviation, p.d, p.e, bar, {2});
    EXPECT_TRUE(same(f.mean.data(), g.mean.data(), f.mean.size()));
    expect_summed(f.standard_deviation, g.standard_deviation);
    const LogDensity h = conditional_log_density(p.A, p.mean, s, p.d, p.y, true, {2});
    const LogDensity i = conditional_log_density(p.A, p.mean, p.standard_deviation, p.d, p.y, true, {2});
    EXPECT_TRUE(same(h.value.data(), i.value.data(), size.samples));
    EXPECT_TRUE(same(h.gradient.mean.data(), i.gradient.mean.data(), h.gradient.mean.size()));
    expect_summed(h.gradient.standard_deviation, i.gradient.standard_deviation);
    const LogDensity value = conditional_log_density(p.A, p.mean, s, p.d, p.y, false, {1});
    EXPECT_TRUE(same(value.value.data(), h.value.data(), size.samples));
    const BatchLoss j = conditional_likelihood_loss(p.A, p.mean, s, p.d, p.y, {2});
    EXPECT_EQ(j.gradient.standard_deviation, -h.gradient.standard_deviation);
    const BatchLoss k = gaussian_likelihood_loss(p.mean, s, p.y, {2});
    const BatchLoss l = gaussian_likelihood_loss(p.mean, p.standard_deviation, p.y, {2});
    EXPECT_TRUE(same(k.value.data(), l.value.data(), size.samples));
    EXPECT_TRUE(same(k.gradient.mean.data(), l.gradient.mean.data(), k.gradient.mean.size()));
    expect_summed(k.gradient.standard_deviation, l.gradient.standard_deviation);
  }
}

/// Every table's log density with one row of deviations: quadratic forms and gradients; tiles leave few samples.
TEST(SharedDeviations, EveryInstructionSetGivesTheSameBits) {
  const detail::FusedKernels* tables[3];
  const int count = detail::runnable_fused_kernels(tables);
  if (count == 0) GTEST_SKIP() << "this compiler has no vector extensions";
  for (const Size& size : {Size{11, 87, 4}, Size{8, 40, 1}, Size{10, 170, 8}, Size{13, 90, 16}}) {
    const RandomProblem p(size.n, size.m, size.samples, 78, 0.1);
    const detail::LawMatrix laws(p.A);
    detail::SampleKernel<-1> kernel(laws);
    const double* const s = p.standard_deviation.data();
    ASSERT_EQ(kernel.set(p.mean.data(), s, p.d.data()), Status::ok);
    kernel.set_leverages();
    kernel.variances(kernel.marginal_variance.data());
    ASSERT_TRUE(kernel.set_gram(s));
    LogDensity density{Eigen::VectorXd(size.samples), {}, {}};
    EXPECT_LE(detail::fused_shared_log_density(kernel, laws, p.mean, p.standard_deviation.topRows(1), p.d, p.y, {1},
                                               density).size(),
              static_cast<std::size_t>(size.samples / 2)) << size.n;
    Eigen::RowVectorXd inverse = p.standard_deviation.row(0).cwiseInverse(), narrowing(size.n);
    for (Index j = 0; j < size.n; ++j)
      narrowing[j] = kernel.marginal_variance[static_cast<std::size_t>(j)] * std::pow(inverse[j], 3);
    const detail::GramFactor W{kernel.factor().factor(), kernel.factor().inverse_pivot(), kernel.factor().scale()},
        gram{kernel.gram_factor().factor(), kernel.gram_factor().inverse_pivot(), kernel.gram_factor().scale()};
    const detail::SharedDensity law{size.m, s, inverse.data(), narrowing.data(), W, gram, 1e-16, 1e-7, 1e-11};
    std::vector<RowMatrix> results;
    for (int i = 0; i < count; ++i) {
      const detail::FusedKernels& kernels = *tables[i];
      std::vector<double> scratch(static_cast<std::size_t>(detail::fused_scratch(size.n, size.m, kernels.lanes)));
      RowMatrix value(size.samples, 1), mean_bar(size.samples, size.n), deviation_bar(size.samples, size.n);
      for (Index first = 0; first < size.samples; first += kernels.lanes) {
        detail::FusedTile tile = tile_of(p, laws, first, kernels.lanes);
        tile.value = value.row(first).data();
        tile.mean_bar = mean_bar.row(first).data();
        tile.deviation_bar = deviation_bar.row(first).data();
        tile.scratch = scratch.data();
        EXPECT_EQ(kernels.shared_log_density[std::min(size.m - 1, detail::fused_rows)](tile, law), 0u);
      }
      results.emplace_back(size.samples, 2 * size.n + 1) << value, mean_bar, deviation_bar;
    }
    for (int i = 1; i < count; ++i)
      EXPECT_TRUE(same(results[0].data(), results[static_cast<std::size_t>(i)].data(), results[0].size()))
          << tables[0]->name << " and " << tables[i]->name;
  }
}

/// Two laws that all but agree: FP64 does not hold W.
RandomProblem near_dependent(Index samples, unsigned seed) {
  RandomProblem p(60, 3, samples, seed, 0.1);
  p.A.row(1) = p.A.row(0) + 1e-3 * p.A.row(1);
  p.d = p.y * p.A.transpose();
  return p;
}

TEST(FusedConditionalCrps, SamplesThatFp64DoesNotHoldAreDoneInTwiceTheDigits) {
  const RandomProblem p = near_dependent(11, 71);
  BatchLoss loss{Eigen::VectorXd(11), {RowMatrix(11, 60), RowMatrix(11, 60)}, std::vector<Status>(11)};
  const detail::LawMatrix laws(p.A);
  EXPECT_EQ(detail::fused_conditional_crps(&laws, p.mean, p.standard_deviation, p.d, p.y, scales(60),
                                           {1}, loss).size(), 11u);
  expect_as_alone(p, conditional_crps_loss(p.A, p.mean, p.standard_deviation, p.d, p.y, scales(60), {2}));
}

void expect_as_repeated(const RandomProblem& p, const RowMatrix& A, const BatchOptions& options, bool moments) {
  const RowMatrix s = p.standard_deviation.topRows(1);
  const RowMatrix rows = s.replicate(p.mean.rows(), 1), bar = p.e.rowwise().reverse();
  const Index n = s.cols(), all = p.mean.size();
  const BatchLoss a = conditional_crps_loss(A, p.mean, s, p.d, p.y, scales(n), options);
  const BatchLoss b = conditional_crps_loss(A, p.mean, rows, p.d, p.y, scales(n), options);
  ASSERT_TRUE(b.value.allFinite());
  EXPECT_TRUE(same(a.value.data(), b.value.data(), p.mean.rows()));
  EXPECT_TRUE(same(a.gradient.mean.data(), b.gradient.mean.data(), all));
  expect_summed(a.gradient.standard_deviation, b.gradient.standard_deviation);
  const RowMatrix draw = conditional_draw(A, p.mean, s, p.d, p.e, options);
  EXPECT_TRUE(same(draw.data(), conditional_draw(A, p.mean, rows, p.d, p.e, options).data(), all));
  const GaussianGradient c = conditional_draw_adjoint(A, p.mean, s, p.d, p.e, bar, options);
  const GaussianGradient e = conditional_draw_adjoint(A, p.mean, rows, p.d, p.e, bar, options);
  EXPECT_TRUE(same(c.mean.data(), e.mean.data(), all));
  expect_summed(c.standard_deviation, e.standard_deviation);
  std::vector<Index> dependent;
  for (int twice = 0; twice < 2; ++twice) {
    const LogDensity f = conditional_log_density(A, p.mean, s, p.d, p.y, true, options, dependent);
    const LogDensity g = conditional_log_density(A, p.mean, rows, p.d, p.y, true, options, dependent);
    EXPECT_EQ(f.status, g.status);
    EXPECT_TRUE(same(f.value.data(), g.value.data(), p.mean.rows()));
    EXPECT_TRUE(same(f.gradient.mean.data(), g.gradient.mean.data(), all));
    if (f.gradient.mean.allFinite()) expect_summed(f.gradient.standard_deviation, g.gradient.standard_deviation);
    for (Index k = 0; k < p.d.cols(); ++k) dependent.push_back(k);
  }
  const RowMatrix v_bar = p.e.topRows(1);
  if (!moments) {
    EXPECT_THROW(conditional_moments(A, p.mean, s, p.d, options), Error);
    EXPECT_THROW(conditional_moments_adjoint(A, p.mean, s, p.d, bar, v_bar, options), Error);
    return;
  }
  const ConditionalMoments h = conditional_moments(A, p.mean, s, p.d, options);
  const ConditionalMoments i = conditional_moments(A, p.mean, rows, p.d, options);
  EXPECT_TRUE(same(h.mean.data(), i.mean.data(), all));
  EXPECT_TRUE(same(h.variance.data(), i.variance.data(), n));
  RowMatrix first = RowMatrix::Zero(p.mean.rows(), n);
  first.row(0) = v_bar;
  const GaussianGradient j = conditional_moments_adjoint(A, p.mean, s, p.d, bar, v_bar, options);
  const GaussianGradient k = conditional_moments_adjoint(A, p.mean, rows, p.d, bar, first, options);
  EXPECT_TRUE(same(j.mean.data(), k.mean.data(), all));
  expect_summed(j.standard_deviation, k.standard_deviation);
}

TEST(SharedDeviations, LawsOfEachSampleDroppedRowsAndTwiceTheDigits) {
  RandomProblem p = near_dependent(9, 81);
  expect_as_repeated(p, p.A, {2}, true);
  p.A.row(1) = 3.0 * p.A.row(0);
  p.d = p.y * p.A.transpose();
  expect_as_repeated(p, p.A, {.threads = 2, .drop_dependent_rows = true}, true);

  RandomProblem own(20, 2, 9, 82, 0.1);
  RowMatrix stacked(18, 20);
  for (Index s = 0; s < 9; ++s) {
    stacked.middleRows(2 * s, 2) = own.A * (1.0 + static_cast<double>(s));
    stacked(2 * s, 3) += 0.5 * static_cast<double>(s);
    own.d.row(s) = own.y.row(s) * stacked.middleRows(2 * s, 2).transpose();
  }
  expect_as_repeated(own, stacked, {2}, false);
}

TEST(SharedDeviations, ADensityThatNeedsTwiceTheDigitsLeavesTheOthers) {
  RandomProblem p(24, 3, 7, 91);
  RowMatrix s = p.standard_deviation.topRows(1);
  s(0, 5) = 1e-9;
  p.standard_deviation = s.replicate(7, 1);
  p.mean.col(5) = p.y.col(5) + 1e-9 * p.e.col(5);
  p.mean.row(3) *= 1e3;
  p.mean(3, 5) = p.y(3, 5);
  p.y(6, 0) += 1.0;
  expect_as_repeated(p, p.A, {1}, true);
  EXPECT_EQ(conditional_log_density(p.A, p.mean, s, p.d, p.y, false).status[6], Status::law_violated);
}

TEST(SharedDeviations, ABadSampleLeavesTheOthersAndABadRowFailsAll) {
  RandomProblem p(12, 2, 21, 8);
  const RowMatrix s = p.standard_deviation.topRows(1);
  const BatchLoss clean = conditional_crps_loss(p.A, p.mean, s, p.d, p.y, scales(12));
  p.y(10, 0) = std::numeric_limits<double>::infinity();
  const BatchLoss loss = conditional_crps_loss(p.A, p.mean, s, p.d, p.y, scales(12));
  for (Index i = 0; i < 21; ++i) {
    EXPECT_EQ(loss.status[static_cast<std::size_t>(i)], i == 10 ? Status::non_finite : Status::ok);
    EXPECT_EQ(same(&loss.value[i], &clean.value[i], 1), i != 10);
    EXPECT_EQ(same(loss.gradient.mean.row(i).data(), clean.gradient.mean.row(i).data(), 12), i != 10);
  }
  EXPECT_TRUE(loss.gradient.standard_deviation.array().isNaN().all());
  RowMatrix negative = s;
  negative(0, 3) = -1.0;
  for (const Status status : conditional_crps_loss(p.A, p.mean, negative, p.d, p.y, scales(12)).status)
    EXPECT_EQ(status, Status::invalid_argument);
}

}  // namespace
}  // namespace lavoisier
