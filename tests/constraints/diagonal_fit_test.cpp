// 1e5 draws of the diagonal family with up to 200 outputs and 50 laws, of several A and several right-hand sides, follow
// the exact conditional law; 5 % in one deviation of 200, or 3 % of a deviation in one mean, is seen.

#include "fit_at_size.hpp"

namespace lavoisier {
namespace {

using tests::expect_fit, tests::expect_no_fit;
using tests::FitCase, tests::FitFixture, tests::GaussianFamily;

class FitAtSize : public testing::TestWithParam<FitCase> {
 protected:
  FitFixture fixture{GetParam()};
};
class WrongTwinsAtSize : public FitAtSize {};

INSTANTIATE_TEST_SUITE_P(Problems, FitAtSize,
                         testing::Values(FitCase{GaussianFamily::diagonal, 200, 50, 1001},
                                         FitCase{GaussianFamily::diagonal, 200, 1, 1011},
                                         FitCase{GaussianFamily::diagonal, 144, 36, 1021},
                                         FitCase{GaussianFamily::diagonal, 61, 50, 1031}),
                         testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Problems, WrongTwinsAtSize,
                         testing::Values(FitCase{GaussianFamily::diagonal, 200, 50, 1001}),
                         testing::PrintToStringParamName());

TEST_P(FitAtSize, DrawsFollowTheConditionalLaw) {
  expect_fit(fixture.test(fixture.draw(fixture.problem, fixture.normals(GetParam().seed + 100))));
}

TEST_P(WrongTwinsAtSize, ADeviationFivePerCentOffFails) {
  expect_no_fit(fixture.test(fixture.draw(fixture.with_deviation(1.05), fixture.normals(GetParam().seed + 200))));
}

TEST_P(WrongTwinsAtSize, AMeanThreePerCentOfADeviationOffFails) {
  tests::CorrelatedProblem other = fixture.problem;
  const Eigen::Index j = fixture.freest();
  other.mean.col(j).array() += 0.03 * std::sqrt(fixture.covariance()(j, j));
  expect_no_fit(fixture.test(fixture.draw(other, fixture.normals(GetParam().seed + 300))));
}

// The deviations of each sample, its own factor of W a draw: a smaller problem.
TEST(FitOfEachSample, DrawsFollowTheConditionalLaw) {
  const FitFixture fixture({GaussianFamily::diagonal, 64, 12, 1041});
  const tests::CorrelatedProblem& problem = fixture.problem;
  const RowMatrix e = fixture.normals(1141);
  const auto draw = [&](const RowMatrix& s) {
    RowMatrix y(tests::members, problem.n);
    for (Eigen::Index g = 0; g < tests::right_hand_sides; ++g)
      y.middleRows(g * tests::each, tests::each) = conditional_draw(
          problem.A, problem.mean.row(g).replicate(tests::each, 1), s.replicate(tests::each, 1),
          problem.d.row(g).replicate(tests::each, 1), e.middleRows(g * tests::each, tests::each));
    return y;
  };
  expect_fit(fixture.test(draw(problem.s.row(0))));
  expect_no_fit(fixture.test(draw(fixture.with_deviation(1.05).s.row(0))));
}

}  // namespace
}  // namespace lavoisier
