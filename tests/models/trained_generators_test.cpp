// Generators trained where the right answer is known: a linear Gaussian latent model (exact likelihood), mixtures of
// Gaussians (exact samples), both free and under a law; resuming; what is refused.

#include "mixture.hpp"
#include "reference_run.hpp"
#include "synthetic.hpp"

#include <lavoisier/projected_losses.hpp>
#include <lavoisier/status.hpp>
#include <lavoisier/tolerances.hpp>
#include <lavoisier/training.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

namespace lavoisier::test {
namespace {

using detail::Mixture;
using Eigen::MatrixXd;
using Eigen::VectorXd;

double normal(std::uint64_t row, std::uint64_t element) { return random::normal({21, 0}, {.column = row, .element = element}); }

/// Samples of a layout x -> y, every fifth for validation.
SampleSet samples_of(const StateLayout& layout, const RowMatrix& x, const RowMatrix& y) {
  SampleSet samples;
  samples.layout = layout;
  samples.samples = y.rows();
  samples.source = "synthetic";
  samples.inputs.assign(x.data(), x.data() + x.size());
  samples.outputs.assign(y.data(), y.data() + y.size());
  for (Eigen::Index row = 0; row < y.rows(); ++row) {
    samples.subset.push_back(row % 5 == 4 ? Subset::validation : Subset::training);
    samples.column.push_back(static_cast<std::uint64_t>(row));
    samples.step.push_back(0);
  }
  return samples;
}

StateLayout layout_of(Eigen::Index inputs, Eigen::Index outputs) {
  std::vector<Variable> variables;
  for (Eigen::Index i = 0; i < inputs; ++i) variables.push_back(scalar("x" + std::to_string(i), Role::input));
  for (Eigen::Index i = 0; i < outputs; ++i) variables.push_back(scalar("y" + std::to_string(i), Role::output));
  return StateLayout({}, variables);
}

/// sum(y) = x0.
std::vector<Law> sum_law(Eigen::Index outputs) {
  std::vector<std::pair<std::string, double>> terms;
  for (Eigen::Index i = 0; i < outputs; ++i) terms.push_back({"y" + std::to_string(i), 1.0});
  return {linear_law("sum", terms, Expression::symbol("x0"), 1e-8)};
}

/// y = B x + C z + s e with orthogonal columns of C: the exact posterior has a diagonal covariance, so an evidence bound can
/// be the likelihood itself.
struct LatentProblem {
  explicit LatentProblem(bool with_law, Eigen::Index count = 20000) : n(5) {
    MatrixXd C(n, 2), B(n, 2);
    C << 1.0, 0.5, -0.8, 0.6, 0.9, -0.4, 0.3, 0.9, 0.1, 0.2;
    C = Eigen::HouseholderQR<MatrixXd>(C).householderQ() * MatrixXd::Identity(n, 2) * Eigen::Vector2d(2.0, 1.2).asDiagonal();
    B << 0.5, -0.2, 0.1, 0.4, -0.3, 0.2, 0.6, 0.1, -0.1, 0.3;
    RowMatrix x(count, 2), y(count, n);
    const MatrixXd S = C * C.transpose() + 0.16 * MatrixXd::Identity(n, n);
    const MatrixXd root = S.llt().matrixL();
    VectorXd a = VectorXd::Ones(n);
    const VectorXd G = S * a / a.dot(S * a);
    MatrixXd N = MatrixXd::Identity(n, n);
    MatrixXd V = S;
    if (with_law) {
      N = (Eigen::HouseholderQR<MatrixXd>(a).householderQ() * MatrixXd::Identity(n, n)).rightCols(n - 1);
      V = N.transpose() * (S - G * a.transpose() * S) * N;
    }
    double sum = 0.0;
    Eigen::Index judged = 0;
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(i);
      VectorXd e(n);
      for (Eigen::Index j = 0; j < n; ++j) e[j] = normal(row, static_cast<std::uint64_t>(j));
      x(i, 0) = 2.0 * normal(row, 100);
      x(i, 1) = normal(row, 101);
      VectorXd mean = B * x.row(i).transpose();
      VectorXd draw = mean + root * e;
      if (with_law) {
        mean -= G * (a.dot(mean) - x(i, 0));
        draw -= G * (a.dot(draw) - x(i, 0));
        draw -= G * (a.dot(draw) - x(i, 0));
      }
      y.row(i) = draw.transpose();
      if (i % 5 != 4) continue;
      sum -= detail::log_normal(N.transpose() * draw, N.transpose() * mean, V);
      ++judged;
    }
    likelihood = sum / static_cast<double>(judged);
    samples = samples_of(layout_of(2, n), x, y);
    if (with_law) laws = sum_law(n);
  }
  /// The mean exact -log p(y | x) of the validation samples in the trainer's units.
  double expected(const ModelFile& model) const {
    const auto scale = model.tensor("output.scale").f64();
    double value = likelihood;
    for (const double s : scale) value -= std::log(s);
    if (laws.empty()) return value;
    // The surface of the standardised laws: log p_physical = log p_standardised - sum log s + log |A s| - log |A|.
    double scaled = 0.0;
    for (const double s : scale) scaled += s * s;
    return value + 0.5 * std::log(scaled / static_cast<double>(n));
  }
  Eigen::Index n;
  double likelihood = 0.0;
  SampleSet samples;
  std::vector<Law> laws;
};

TrainingOptions options_for(const std::string& generator) {
  TrainingOptions options;
  options.generator.name = generator;
  const bool latent = generator == "vae" || generator == "ladder_vae";
  options.loss = latent ? Loss::likelihood : Loss::squared_error;
  options.strategy = Strategy::none;
  options.network.hidden = {64, 64};
  options.epochs = 40;
  options.batch = 200;
  options.learning_rate = 4e-3;
  options.threads = 1;
  return options;
}

class LinearGaussian : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(LinearGaussian, EvidenceBoundReachesTheLikelihood) {
  const auto [generator, with_law] = GetParam();
  const LatentProblem problem(with_law);
  TrainingOptions options = options_for(generator);
  options.network.hidden = {16};
  options.network.initial_deviation = 1.0;
  options.generator.kl_warm_up = 10;
  options.generator.latents = std::string(generator) == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 2};
  options.strategy = with_law ? Strategy::conditional : Strategy::none;
  const LinearConstraints constraints(problem.samples.layout, problem.laws, {});
  const TrainingResult result = train(problem.samples, constraints, options);
  const double expected = problem.expected(result.model), found = result.history.back().best_validation_loss;
  EXPECT_NEAR(found, expected, 0.02 * std::abs(expected));
  // A bound: above the likelihood, but for what one draw a sample leaves to chance.
  EXPECT_GT(found, expected - 0.01 * std::abs(expected));
}
INSTANTIATE_TEST_SUITE_P(Generators, LinearGaussian,
                         testing::Values(std::pair{"vae", false}, std::pair{"vae", true}, std::pair{"ladder_vae", false},
                                         std::pair{"ladder_vae", true}),
                         [](const auto& one) { return std::string(one.param.first) + (one.param.second ? "_law" : "_free"); });

/// Series that answer their own lags and one another's: y = sum over lags of B_lag x_lag + s e, with a law given sum(y) = d; its
/// CRPS is known.
TEST(SpectralTemporal, ReachesTheExactScore) {
  constexpr Eigen::Index series = 4, lags = 6, count = 24000, inputs = series * lags + 1;
  for (const bool with_law : {false, true}) {
    RowMatrix x(count, inputs), y(count, series);
    MatrixXd B(series, series * lags);
    for (Eigen::Index i = 0; i < B.size(); ++i) B.data()[i] = 0.35 * std::sin(1.9 * static_cast<double>(i));
    const VectorXd s = VectorXd::LinSpaced(series, 0.3, 0.6), a = VectorXd::Ones(series);
    const VectorXd S = s.cwiseAbs2(), G = S / S.sum();
    const VectorXd V = with_law ? VectorXd(S - G.cwiseProduct(S)) : S;  // marginal variances
    RowMatrix means(count / 5, series), judged(count / 5, series);
    for (Eigen::Index i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(i);
      for (Eigen::Index j = 0; j < inputs; ++j) x(i, j) = normal(row, static_cast<std::uint64_t>(j));
      VectorXd mean = B * x.row(i).head(series * lags).transpose(), draw(series);
      for (Eigen::Index j = 0; j < series; ++j) draw[j] = mean[j] + s[j] * normal(row, static_cast<std::uint64_t>(200 + j));
      if (with_law) {
        mean -= G * (a.dot(mean) - x(i, inputs - 1));
        draw -= G * (a.dot(draw) - x(i, inputs - 1));
        draw -= G * (a.dot(draw) - x(i, inputs - 1));
      }
      y.row(i) = draw.transpose();
      if (i % 5 != 4) continue;
      means.row(i / 5) = mean.transpose();
      judged.row(i / 5) = draw.transpose();
    }
    StateLayout layout = layout_of(inputs, series);
    const SampleSet samples = samples_of(layout, x, y);
    std::vector<Law> laws;
    if (with_law) {
      laws = sum_law(series);
      laws[0].right_hand_side = Expression::symbol("x" + std::to_string(inputs - 1));
    }
    TrainingOptions options = options_for("spectral_temporal");
    options.loss = Loss::crps;
    options.strategy = with_law ? Strategy::conditional : Strategy::none;
    options.generator.series = series;
    options.generator.window = lags;
    options.generator.fields.widths = {8};
    options.generator.fields.blocks = 2;
    options.epochs = 16;
    options.weight_decay = 0.02;
    const TrainingResult result = train(samples, LinearConstraints(layout, laws, {}), options);
    const auto scale = result.model.tensor("output.scale").f64();
    const RowMatrix variances = V.transpose().replicate(count / 5, 1);
    const RowMatrix crps = gaussian_crps(means, variances, judged).value;
    const double exact = (crps * Eigen::Map<const VectorXd>(scale.data(), series).cwiseInverse()).mean() / static_cast<double>(series);
    EXPECT_NEAR(result.history.back().best_validation_loss, exact, 0.02 * std::abs(exact)) << with_law;
    EXPECT_GT(result.history.front().validation_loss, 1.1 * exact);
    // The transform is no weight: it stays what it was.
    const auto map = result.model.tensor("map0.weight").f32();
    EXPECT_EQ(map[1], static_cast<float>(1.0 / std::sqrt(6.0)));
    EXPECT_NEAR(map[lags + 1], std::cos(2.0 * 3.14159265358979323846 / 6.0) / std::sqrt(6.0), 1e-7);
  }
  TrainingOptions options = options_for("spectral_temporal");
  options.loss = Loss::likelihood;
  options.generator.series = 3;
  options.generator.window = 5;
  const Synthetic small = synthetic(100);
  EXPECT_ERROR(train(small.samples, small.constraints(), options), Status::invalid_argument, "needs 15 inputs, found 3");
}

/// Mixtures shifted by an input: y ~ mixture + b x1; with a law given sum(y) = x0.
struct MixtureProblem {
  explicit MixtureProblem(bool with_law, Eigen::Index count = 10000) : n(3), data(detail::mixture(n)) {
    const VectorXd a = VectorXd::Ones(n);
    N = (Eigen::HouseholderQR<MatrixXd>(a).householderQ() * MatrixXd::Identity(n, n)).rightCols(n - 1);
    if (with_law) laws = sum_law(n);
    RowMatrix x(count, 2), y(count, n);
    for (Eigen::Index i = 0; i < count; ++i) {
      x(i, 0) = 1.5 * normal(static_cast<std::uint64_t>(i), 100);
      x(i, 1) = normal(static_cast<std::uint64_t>(i), 101);
      y.row(i) = draw(x.row(i), static_cast<std::uint64_t>(i), 0).transpose();
    }
    samples = samples_of(layout_of(2, n), x, y);
    inputs = x;
  }
  /// An exact draw for an input.
  VectorXd draw(const Eigen::RowVectorXd& x, std::uint64_t row, std::uint64_t member) const {
    const auto at = [&](std::uint64_t element) { return random::Address{.column = row, .member = member, .site = 5, .element = element}; };
    const VectorXd a = VectorXd::Ones(n);
    Mixture law = data;
    VectorXd shift = VectorXd::LinSpaced(n, -0.5, 0.7) * x[1];
    MatrixXd to = MatrixXd::Identity(n, n);
    if (!laws.empty()) {
      const double d = x[0] - a.dot(shift);
      law = detail::given(data, a, d, N);
      shift += a * (d / a.squaredNorm());
      to = N;
    }
    double u = random::uniform_open_right(random::words({21, 1}, at(50))[0]);
    Eigen::Index k = 0;
    while (k + 1 < law.size() && u >= law.weight[k]) u -= law.weight[k++];
    VectorXd e(law.dimension());
    for (Eigen::Index j = 0; j < e.size(); ++j) e[j] = random::normal({21, 2}, at(static_cast<std::uint64_t>(j)));
    const MatrixXd root = law.covariance[static_cast<std::size_t>(k)].llt().matrixL();
    return shift + to * (law.mean[static_cast<std::size_t>(k)] + root * e);
  }
  Eigen::Index n;
  Mixture data;
  MatrixXd N;
  std::vector<Law> laws;
  SampleSet samples;
  RowMatrix inputs;
};

/// Energy score of members against y, mean over rows.
double energy_score(const std::vector<RowMatrix>& members, const RowMatrix& y) {
  const auto count = static_cast<double>(members.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    sum += (members[i] - y).rowwise().norm().mean() / count;
    for (std::size_t j = 0; j < i; ++j) sum -= (members[i] - members[j]).rowwise().norm().mean() / (count * (count - 1.0));
  }
  return sum;
}

SampleSet validation_of(const SampleSet& samples) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < samples.samples; ++row)
    if (samples.subset[static_cast<std::size_t>(row)] == Subset::validation) rows.push_back(row);
  return select(samples, rows);
}

class Mixtures : public testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(Mixtures, SamplesScoreLikeExactOnes) {
  const auto [generator, with_law] = GetParam();
  const MixtureProblem problem(with_law);
  TrainingOptions options = options_for(generator);
  options.strategy = with_law ? Strategy::conditional : Strategy::none;
  options.ema = 0.99;
  options.epochs = 80;
  const LinearConstraints constraints(problem.samples.layout, problem.laws, {});
  const TrainingResult result = train(problem.samples, constraints, options);
  const SampleSet validation = validation_of(problem.samples);
  const RowMatrix y = Eigen::Map<const RowMatrix>(validation.outputs.data(), validation.samples, problem.n);
  const RowMatrix x = Eigen::Map<const RowMatrix>(validation.inputs.data(), validation.samples, 2);
  std::vector<RowMatrix> found, exact;
  for (std::uint64_t member = 0; member < 8; ++member) {
    found.push_back(detail::reference_draw(result.model, validation, {5, 0}, member));
    RowMatrix& one = exact.emplace_back(y.rows(), y.cols());
    for (Eigen::Index i = 0; i < y.rows(); ++i) one.row(i) = problem.draw(x.row(i), 7000 + static_cast<std::uint64_t>(i), member).transpose();
    if (!with_law) continue;
    const VectorXd residual = found.back().rowwise().sum() - x.col(0);
    const VectorXd terms = found.back().cwiseAbs().rowwise().sum() + x.col(0).cwiseAbs();
    EXPECT_LT(residual.cwiseAbs().cwiseQuotient(terms).maxCoeff(), tolerances::identity::relative_fp64);
  }
  const double ratio = energy_score(found, y) / energy_score(exact, y);
  EXPECT_NEAR(ratio, 1.0, 0.02);
  // It can fail: members drawn for other inputs.
  for (RowMatrix& member : found) member = RowMatrix(member.colwise().reverse());
  EXPECT_GT(energy_score(found, y) / energy_score(exact, y), 1.05);
}
INSTANTIATE_TEST_SUITE_P(Generators, Mixtures,
                         testing::Values(std::pair{"ddpm", false}, std::pair{"ddpm", true}, std::pair{"flow_matching", false},
                                         std::pair{"flow_matching", true}),
                         [](const auto& one) { return std::string(one.param.first) + (one.param.second ? "_law" : "_free"); });

class EveryGenerator : public testing::TestWithParam<const char*> {
 protected:
  static TrainingOptions quick(const std::string& generator) {
    TrainingOptions options = options_for(generator);
    options.strategy = Strategy::conditional;
    options.network.hidden = {12};
    options.generator.latents = generator == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 3};
    options.generator.steps = 5;
    options.epochs = 4;
    options.ema = 0.9;
    options.gradient_clip = 5.0;
    options.warm_up = 10;
    return options;
  }
};

TEST_P(EveryGenerator, ResumesToTheSameBits) {
  const MixtureProblem problem(true, 1500);
  const LinearConstraints constraints(problem.samples.layout, problem.laws, {});
  TrainingOptions options = quick(GetParam());
  const auto expected = train(problem.samples, constraints, options).model.serialize();
  const Folder folder("resume-generator");
  options.checkpoint = folder.path();
  std::atomic<bool> stop{false};
  EXPECT_ERROR(train(problem.samples, constraints, options, [&](const TrainingProgress& p) { stop = p.epoch >= 2; }, &stop),
               Status::interrupted, "resume");
  options.resume = true;
  EXPECT_EQ(train(problem.samples, constraints, options).model.serialize(), expected);
  options.resume = false;
  options.checkpoint = "";
  options.seed = 1;
  EXPECT_NE(train(problem.samples, constraints, options).model.serialize(), expected);
}

TEST_P(EveryGenerator, LeavesOutWhatIsConstant) {
  MixtureProblem problem(true, 1500);
  // Another output, which is always 4: in the law, and never moved.
  StateLayout layout = layout_of(2, 4);
  RowMatrix y(1500, 4);
  y << Eigen::Map<const RowMatrix>(problem.samples.outputs.data(), 1500, 3), VectorXd::Constant(1500, 4.0);
  RowMatrix x = problem.inputs;
  x.col(0).array() += 4.0;
  const SampleSet samples = samples_of(layout, x, y);
  const LinearConstraints constraints(layout, sum_law(4), {});
  const TrainingResult result = train(samples, constraints, quick(GetParam()));
  const RowMatrix draws = detail::reference_draw(result.model, samples, {5, 0});
  EXPECT_EQ((draws.col(3).array() - 4.0).abs().maxCoeff(), 0.0);
  EXPECT_LT((draws.rowwise().sum() - x.col(0)).cwiseAbs().maxCoeff(), 1e-12);
}

TEST_P(EveryGenerator, StopsEarlyAndSaysWhatIsLegal) {
  const MixtureProblem problem(true, 500);
  const LinearConstraints constraints(problem.samples.layout, problem.laws, {});
  TrainingOptions options = quick(GetParam());
  options.epochs = 200;
  options.learning_rate = 0.3;  // far too large: the best epoch comes soon
  options.stop_after = 3;
  const std::vector<TrainingProgress> history = train(problem.samples, constraints, options).history;
  EXPECT_LT(history.size(), 200U);
  EXPECT_EQ(history.back().epoch - history.back().best_epoch, 3);
  const auto refused = [&](const std::function<void(TrainingOptions&)>& change, const std::string& part) {
    TrainingOptions other = quick(GetParam());
    change(other);
    EXPECT_ERROR(train(problem.samples, constraints, other), Status::invalid_argument, part);
  };
  refused([](TrainingOptions& o) { o.loss = Loss::crps; }, std::string("generator '") + GetParam() + "' does not admit the loss 'crps'; legal: ");
  refused([](TrainingOptions& o) { o.strategy = Strategy::penalty; }, "does not admit the strategy 'penalty'; legal: none");
  refused([](TrainingOptions& o) { o.network.dropout = 0.1; }, "network.dropout");
  refused([](TrainingOptions& o) { o.generator.fields.backbone = "unte"; }, "did you mean 'unet'");
  refused([](TrainingOptions& o) { o.generator.name += "s"; }, std::string("did you mean '") + GetParam() + "'");
}
INSTANTIATE_TEST_SUITE_P(Generators, EveryGenerator, testing::Values("vae", "ladder_vae", "ddpm", "flow_matching"));

TEST(Refusals, OfWhatOnlySomeGeneratorsHave) {
  const MixtureProblem problem(true, 100);
  const LinearConstraints constraints(problem.samples.layout, problem.laws, {});
  const auto refused = [&](const std::string& generator, const std::function<void(TrainingOptions&)>& change, const std::string& part) {
    TrainingOptions options = options_for(generator);
    options.strategy = Strategy::conditional;
    options.generator.latents = generator == "vae" ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 3};
    change(options);
    EXPECT_ERROR(train(problem.samples, constraints, options), Status::invalid_argument, part);
  };
  refused("vae", [](TrainingOptions& o) { o.generator.latents = {2, 3}; }, "ladder_vae has more");
  refused("ladder_vae", [](TrainingOptions& o) { o.generator.latents = {2}; }, "two or more widths");
  refused("flow_matching", [](TrainingOptions& o) { o.generator.projection = "ambient"; }, "legal: null_space");
  refused("ddpm", [](TrainingOptions& o) { o.network.deviation = "shared"; }, "network.deviation 'shared': generator 'ddpm' has none");
  refused("vae", [](TrainingOptions& o) { o.network.deviation = "common"; }, "per_sample");
  refused("ddpm", [](TrainingOptions& o) { o.generator.steps = 0; }, "steps");
  refused("ddpm", [](TrainingOptions& o) { o.generator.sampler = "dpm"; }, "legal: ddpm, ddim");
  refused("ddpm", [](TrainingOptions& o) { o.generator.fields.backbone = "column"; }, "fields.width");
  refused("vae", [](TrainingOptions& o) { o.selection = "last", o.schedule = "plateau"; }, "legal with them: best");
  refused("spectral_temporal", [](TrainingOptions& o) { o.loss = Loss::likelihood, o.generator.fields.backbone = "unet"; }, "does not admit the backbone 'unet'");
  refused("spectral_temporal", [](TrainingOptions& o) { o.loss = Loss::likelihood, o.generator.series = 2; }, "window: expected at least 2 lags");
}

}  // namespace
}  // namespace lavoisier::test
