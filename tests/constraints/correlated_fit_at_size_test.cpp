// 1e5 draws of the low-rank and the full family with up to 200 outputs and 50 laws, of several A and several right-hand
// sides, follow the exact conditional law; 5 % in one deviation of 200 is seen.

#include "fit_at_size.hpp"

namespace lavoisier {
namespace {

using tests::expect_fit, tests::expect_no_fit;
using tests::FitCase, tests::FitFixture, tests::GaussianFamily;

class CorrelatedFitAtSize : public testing::TestWithParam<FitCase> {
 protected:
  FitFixture fixture{GetParam()};
};
class CorrelatedTwinsAtSize : public CorrelatedFitAtSize {};

INSTANTIATE_TEST_SUITE_P(Problems, CorrelatedFitAtSize,
                         testing::Values(FitCase{GaussianFamily::low_rank, 200, 50, 1101},
                                         FitCase{GaussianFamily::low_rank, 97, 13, 1111},
                                         FitCase{GaussianFamily::full, 200, 50, 1201},
                                         FitCase{GaussianFamily::full, 97, 13, 1211}),
                         testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Problems, CorrelatedTwinsAtSize,
                         testing::Values(FitCase{GaussianFamily::low_rank, 200, 50, 1101},
                                         FitCase{GaussianFamily::full, 200, 50, 1201}),
                         testing::PrintToStringParamName());

TEST_P(CorrelatedFitAtSize, DrawsFollowTheConditionalLaw) {
  expect_fit(fixture.test(fixture.draw(fixture.problem, fixture.normals(GetParam().seed + 100))));
}

TEST_P(CorrelatedTwinsAtSize, ADeviationFivePerCentOffFails) {
  expect_no_fit(fixture.test(fixture.draw(fixture.with_deviation(1.05), fixture.normals(GetParam().seed + 200))));
}

}  // namespace
}  // namespace lavoisier
