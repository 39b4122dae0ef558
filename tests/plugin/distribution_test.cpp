// The draws' law: 1e5 members at one point against the exact conditional law.

#include "emulator_fixture.hpp"

#include <goodness_of_fit.hpp>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

struct Draws {
  Eigen::MatrixXd y, A;
  Eigen::VectorXd mu, s, d;
};

Draws draw(const ModelBuilder& builder, bool first_law_only = false) {
  constexpr std::int64_t members = 100000;
  const ModelFile file = builder.build();
  const auto model = model_of(file);
  WorkspaceOptions options;
  options.seed = 11;
  options.max_columns = 1000;
  Workspace workspace(model, options);
  Fields<double> fields(*model, 1000);
  for (auto& input : fields.inputs) std::fill(input.begin(), input.end(), input[0]);  // one point in every column
  Draws draws;
  const auto n = static_cast<Eigen::Index>(fields.flat_outputs(0).size());
  draws.y.resize(members, n);
  for (std::int64_t member = 0; member * 1000 < members; ++member) {
    auto arguments = fields.arguments();
    arguments.member = static_cast<std::uint64_t>(member);
    workspace.run(arguments);
    for (std::int64_t c = 0; c < 1000; ++c) {
      const auto y = fields.flat_outputs(c);
      for (Eigen::Index i = 0; i < n; ++i) draws.y(member * 1000 + c, i) = y[static_cast<std::size_t>(i)];
    }
  }
  const auto exact = oracle(file, fields.flat(0), {}, Arithmetic::as_documented);
  const auto laws = oracle_laws(file.description, fields.flat(0));
  const auto m = static_cast<Eigen::Index>(first_law_only ? 1 : laws.A.size());
  draws.mu = Eigen::Map<const Eigen::VectorXd>(exact.mean.data(), n);
  draws.s = Eigen::Map<const Eigen::VectorXd>(exact.deviation.data(), n);
  draws.A.resize(m, n);
  draws.d.resize(m);
  for (Eigen::Index k = 0; k < m; ++k) {
    draws.d(k) = laws.b[static_cast<std::size_t>(k)];
    for (Eigen::Index i = 0; i < n; ++i) draws.A(k, i) = laws.A[static_cast<std::size_t>(k)][static_cast<std::size_t>(i)];
  }
  return draws;
}

}  // namespace

TEST(Distribution, HundredThousandMembersFollowTheExactConditionalLaw) {
  auto builder = ModelBuilder::ocean();
  builder.laws[1].right_hand_side = Expression::symbol("SST");
  const Draws draws = draw(builder);
  const auto fit = goodness_of_fit(draws.y, draws.A, draws.mu, draws.s, draws.d);
  EXPECT_GT(fit.p, 1e-4) << fit.text();
  EXPECT_LE(fit.largest_relative_residual, 1e-14);
}

TEST(Distribution, AWrongCovarianceOrStrategyFailsTheSameTest) {
  const Draws draws = draw(ModelBuilder::ocean());
  Eigen::VectorXd wrong = draws.s;
  wrong(3) *= 1.05;
  EXPECT_LT(goodness_of_fit(draws.y, draws.A, draws.mu, wrong, draws.d).p, 1e-4);
  auto projected = ModelBuilder::ocean();
  projected.strategy = "projection";  // moves draws by another metric: closed, but not the conditional law
  const Draws other = draw(projected);
  const auto fit = goodness_of_fit(other.y, other.A, other.mu, other.s, other.d);
  EXPECT_LT(fit.p, 1e-4);
  EXPECT_LE(fit.largest_relative_residual, 1e-14);
}
