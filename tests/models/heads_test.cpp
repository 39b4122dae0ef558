// Heads that are not Gaussian, from training to the plugin: gradients, the exact likelihood where it is known, the law
// of the plugin's draws, and what is refused.

#include "kokkos_environment.hpp"
#include "dependent_choice.hpp"
#include "generator.hpp"
#include "output_head.hpp"
#include "plugin_draws.hpp"
#include "problems/heads.hpp"
#include "training_data.hpp"

#include <goodness_of_fit.hpp>

#include <lavoisier/emulator.hpp>
#include <lavoisier/tolerances.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

namespace lavoisier::test {
namespace {

using Eigen::Index;

/// A loss on the raw values of a problem's training rows.
struct Prepared {
  TrainingOptions options;
  LinearConstraints constraints;
  detail::TrainingData data;
  detail::GeneratorContext context;
  detail::RowLoss loss;

  template <class Problem>
  Prepared(const Problem& problem, TrainingOptions wanted)
      : options(std::move(wanted)),
        constraints(problem.constraints()),
        data(problem.samples, constraints, true, options.scaling, detail::target_rules(problem.layout, options)),
        context{options, data, problem.samples.input_elements(), problem.samples.output_elements(),
                detail::dependent_of(problem.samples.layout, constraints, options, data),
                detail::output_head(SampleSetSource(problem.samples), constraints, options, data)},
        loss(detail::make_row_loss(context, 1)) {}

  RowMatrix raw() const {
    RowMatrix h(data.training.y.rows(), detail::raw_values(context.head, context.outputs));
    for (Index row = 0; row < h.rows(); ++row)
      for (Index j = 0; j < h.cols(); ++j) h(row, j) = 0.4 * normal_of_head(row, static_cast<std::uint64_t>(100 + j));
    return h;
  }
  double mean(const RowMatrix& h) const { return loss(h, data.training.y, data.training.d, nullptr, {}, at()).mean(); }
  /// Mean loss as training computes it, with the random numbers of a step.
  double mean(const RowMatrix& h, RowMatrix& h_bar) const {
    return loss(h, data.training.y, data.training.d, &h_bar, {}, at()).mean();
  }
  detail::DrawAddress at() const {
    detail::DrawAddress address;
    for (Index row = 0; row < data.training.y.rows(); ++row) address.samples.push_back(static_cast<std::uint64_t>(row));
    return address;
  }
  /// Largest difference between the gradient and central differences, relative to the gradient's largest.
  double error(double wrong = 1.0) const {
    const RowMatrix h = raw();
    RowMatrix h_bar, ignored;
    mean(h, h_bar);
    h_bar.rightCols(h.cols() / 2) *= wrong;
    double largest = 0.0;
    for (Index row = 0; row < std::min<Index>(h.rows(), 6); ++row)
      for (Index j = 0; j < h.cols(); ++j) {
        constexpr double step = 1e-5;
        RowMatrix up = h, down = h;
        up(row, j) += step;
        down(row, j) -= step;
        largest = std::max(largest, std::abs((mean(up, ignored) - mean(down, ignored)) / (2.0 * step) - h_bar(row, j)));
      }
    return largest / h_bar.cwiseAbs().maxCoeff();
  }
};

TEST(HeadGradients, AreThoseOfTheLosses) {
  const MixedProblem problem(24);
  for (const Strategy strategy :
       {Strategy::conditional, Strategy::variance_projection, Strategy::projection, Strategy::completion,
        Strategy::l1_layer, Strategy::none, Strategy::penalty, Strategy::post_hoc}) {
    TrainingOptions options = mixed_options();
    options.strategy = strategy;
    EXPECT_LT(Prepared(problem, options).error(), 1e-6) << to_string(strategy);
    options.network.parametrization = "softplus";
    EXPECT_LT(Prepared(problem, options).error(), 1e-6) << to_string(strategy);
    EXPECT_GT(Prepared(problem, options).error(1.02), 1e-3) << "2 % off passes";
  }
  const MixedProblem continuous(24, true);
  for (const Strategy strategy : {Strategy::conditional, Strategy::none}) {
    TrainingOptions options = mixed_options("log_normal");
    options.strategy = strategy;
    options.loss = Loss::crps;
    EXPECT_LT(Prepared(continuous, options).error(), 1e-6) << "crps, " << to_string(strategy);
    EXPECT_GT(Prepared(continuous, options).error(1.02), 1e-3) << "2 % off passes";
  }
  for (const Strategy strategy : {Strategy::conditional, Strategy::none}) {
    EXPECT_LT(Prepared(SharesProblem(24), family_options("gamma", strategy)).error(), 1e-6) << to_string(strategy);
    EXPECT_GT(Prepared(SharesProblem(24), family_options("gamma", strategy)).error(1.02), 1e-3);
    EXPECT_LT(Prepared(CountsProblem(24), family_options("poisson", strategy)).error(), 1e-6) << to_string(strategy);
    EXPECT_GT(Prepared(CountsProblem(24), family_options("poisson", strategy)).error(1.02), 1e-3);
  }
}

TEST(HeadLosses, OfTheMixedHeadIsTheDensityOfPositiveAndSignedOutputs) {
  const MixedProblem problem(40);
  const Prepared made(problem, mixed_options());
  const RowMatrix h = made.raw();
  const auto& rows = made.data.training;
  PositiveSigned law;
  law.families = problem.law.families;
  const std::vector<Index> positive = {1, 3}, others = {0, 2, 4};
  const detail::PositiveValues values =
      detail::positive_values(h, made.context.head.positive, 5, true, made.options.network.floor);
  law.a = values.a;
  law.b = values.b;
  law.zero = values.zero;
  const detail::HeadValues head = detail::head_values(h.leftCols(10), others, made.options.network);
  law.mean = head.mean;
  law.standard_deviation = head.standard_deviation;
  law.A.resize(1, 5);
  law.A << RowMatrix(made.data.A(Eigen::all, positive)), RowMatrix(made.data.A(Eigen::all, others));
  law.d = rows.d;
  const auto density = [&](PositiveSignedMeasure measure) {
    const auto found =
        positive_signed_log_density(law, rows.y(Eigen::all, positive), rows.y(Eigen::all, others), measure, false);
    EXPECT_EQ(found.message, "");
    return Eigen::VectorXd(-found.value);
  };
  const Eigen::VectorXd loss = made.loss(h, rows.y, rows.d, nullptr, {}, made.at());
  EXPECT_LT((loss - density(PositiveSignedMeasure::product)).cwiseAbs().maxCoeff(), 1e-10);
  EXPECT_GT((loss - density(PositiveSignedMeasure::surface)).cwiseAbs().maxCoeff(), 1e-3);
}

TEST(TrainedHeads, OfPositiveAndSignedOutputsReachTheExactLikelihood) {
  const MixedProblem problem(6000);
  const TrainingResult result = train(problem.samples, problem.constraints(), thorough(mixed_options()));
  EXPECT_EQ(result.model.description.heads[0].family, "positive_signed");
  const auto [trained, exact] = head_likelihood(problem, result.model);
  std::printf("mixed: trained %.5f, exact %.5f\n", trained, exact);
  EXPECT_LT(std::abs(trained - exact), 0.02 * std::abs(exact));
  PositiveSigned wrong = problem.validation_law();
  wrong.standard_deviation *= 1.3;
  EXPECT_GT(std::abs(trained - problem.loss(wrong)), 0.02 * std::abs(exact)) << "a wrong deviation passes";
  wrong = problem.validation_law();
  wrong.zero.setConstant(0.15);
  EXPECT_GT(std::abs(trained - problem.loss(wrong)), 0.02 * std::abs(exact)) << "a wrong probability of zero passes";
  // What training says, in standardised units: the scales of p (where it is not an atom) and of q, and how the surface
  // of A_q q = d shrinks: |A_q S| / |A_q|.
  const auto scale = result.model.tensor("output.scale").f64();
  double logs = 0.0, gram = 0.0;
  for (const std::size_t i : {1U, 3U, 0U, 2U, 4U}) logs += std::log(scale[i]);
  for (const std::size_t i : {0U, 2U, 4U}) gram += scale[i] * scale[i];
  const double told = result.history.back().best_validation_loss;
  const RowMatrix y = validation_rows(problem.samples, outputs_of(problem.samples));
  const double share = (y.col(1).array() == 0.0).cast<double>().mean();
  const double jacobian = logs - share * std::log(scale[1]) - 0.5 * std::log(gram / 3.0);
  EXPECT_NEAR(trained, told + jacobian, 1e-4 * std::abs(trained));
}

/// Draws of one sample's inputs at many columns.
SampleSet repeated(const SampleSet& samples, std::int64_t row, std::int64_t count) {
  SampleSet many;
  many.layout = samples.layout;
  many.samples = count;
  many.source = "repeated";
  for (std::int64_t c = 0; c < count; ++c) {
    for (int j = 0; j < 2; ++j) many.inputs.push_back(samples.inputs[static_cast<std::size_t>(2 * row + j)]);
    many.column.push_back(static_cast<std::uint64_t>(c));
    many.step.push_back(7);
  }
  return many;
}

/// The least p-value of the mixed head's draws under a law (of one sample): atoms, positive outputs, signed given
/// these.
double fit(const RowMatrix& y, const PositiveSigned& law) {
  using namespace lavoisier::tests;
  const Index count = y.rows();
  const double n = static_cast<double>(count);
  std::vector<double> rain, cloud;
  double zeros = 0.0;
  for (Index c = 0; c < count; ++c) {
    if (y(c, 1) == 0.0)
      ++zeros;
    else
      rain.push_back(1.0 - upper_gamma(law.a(0, 0), law.b(0, 0) * y(c, 1)));
    cloud.push_back(normal_cdf((std::log(y(c, 3)) - law.a(0, 1)) / law.b(0, 1)));
  }
  const double zero = law.zero(0, 0);
  const double z = (zeros - n * zero) / std::sqrt(n * zero * (1.0 - zero));
  double p = std::min({chi_square_p_value(z * z, 1.0), kolmogorov_p_value(rain), kolmogorov_p_value(cloud)});
  // Signed outputs in null coordinates, whitened by the law given each draw's positive ones.
  const Eigen::MatrixXd A = law.A.rightCols(3);
  std::vector<double> first, second;
  for (Index c = 0; c < count; ++c) {
    Eigen::VectorXd d(1);
    d << law.d(0, 0) - law.A(0, 0) * y(c, 1) - law.A(0, 1) * y(c, 3);
    const NullSpaceLaw given(A, law.mean.row(0).transpose(), law.standard_deviation.row(0).transpose(), d);
    Eigen::MatrixXd q(1, 3);
    q << y(c, 0), y(c, 2), y(c, 4);
    const Eigen::MatrixXd u = given.whiten(q);
    first.push_back(normal_cdf(u(0, 0)));
    second.push_back(normal_cdf(u(0, 1)));
  }
  p = std::min({p, kolmogorov_p_value(first), kolmogorov_p_value(second)});
  return std::min(1.0, 5.0 * p);
}

TEST(TrainedHeads, PluginDrawsTheLawOfPositiveAndSignedOutputs) {
  const MixedProblem problem(1200);
  TrainingOptions options = mixed_options();
  options.epochs = 6;
  const LinearConstraints constraints = problem.constraints();
  const ModelFile model = train(problem.samples, constraints, options).model;
  for (const std::int64_t row : {0, 17}) {
    const SampleSet many = repeated(problem.samples, row, 6000);
    double largest = 0.0;
    const RowMatrix y = plugin_draws(model, many, 3, 0, &largest);
    EXPECT_LT(largest, tolerances::identity::relative_fp64);
    EXPECT_GE(y.col(1).minCoeff(), 0.0);
    EXPECT_GT(y.col(3).minCoeff(), 0.0);
    PositiveSigned law = predict_law(model, constraints, many).law;
    EXPECT_GT(fit(y, law), 1e-4);
    PositiveSigned wrong = law;
    wrong.standard_deviation *= 1.15;
    EXPECT_LT(fit(y, wrong), 1e-4) << "a wrong deviation passes";
    wrong = law;
    wrong.zero.array() += 0.04;
    EXPECT_LT(fit(y, wrong), 1e-4) << "a wrong probability of zero passes";
    wrong = law;
    wrong.b *= 1.1;
    EXPECT_LT(fit(y, wrong), 1e-4) << "a wrong rate passes";
    wrong = law;
    wrong.A.leftCols(2).setZero();
    EXPECT_LT(fit(y, wrong), 1e-4) << "signed outputs that don't see the positive ones pass";
  }
}

TEST(TrainedHeads, EveryStrategyMovesTheSignedOutputsAlone) {
  const MixedProblem problem(400);
  const LinearConstraints constraints = problem.constraints();
  for (const StrategyDescriptor& entry : strategies())
    for (const Loss loss : {Loss::likelihood, Loss::crps}) {
      TrainingOptions options = mixed_options();
      options.strategy = entry.strategy;
      options.loss = loss;
      options.draws = 4;
      options.epochs = 2;
      if (loss == Loss::crps && entry.strategy != Strategy::none && entry.strategy != Strategy::post_hoc &&
          entry.strategy != Strategy::conditional && entry.strategy != Strategy::variance_projection) {
        EXPECT_ERROR(train(problem.samples, constraints, options), Status::invalid_argument,
                     "none, variance_projection, post_hoc, conditional");
        continue;
      }
      const TrainingResult result = train(problem.samples, constraints, options);
      EXPECT_LT(result.history.back().validation_loss, result.history.front().validation_loss + 1.0);
      double largest = 0.0;
      const RowMatrix y = plugin_draws(result.model, problem.samples, 3, 0, &largest);
      EXPECT_GE(y.col(1).minCoeff(), 0.0) << entry.name;
      EXPECT_GT((y.col(1).array() == 0.0).count(), 10);
      EXPECT_GT(y.col(3).minCoeff(), 0.0) << entry.name;
      if (entry.holds_laws)
        EXPECT_LT(largest, tolerances::identity::relative_fp64) << entry.name;
      else
        EXPECT_GT(largest, 1e-3) << entry.name;
      const Eigen::VectorXd nll = negative_log_density(result.model, constraints, problem.samples);
      EXPECT_TRUE(nll.size() == 400 && nll.allFinite()) << entry.name;
    }
}

TEST(TrainedHeads, OfSharesReachTheExactLikelihoodAndThePluginDrawsThem) {
  const SharesProblem problem(6000);
  const LinearConstraints constraints = problem.constraints();
  const TrainingResult result = train(problem.samples, constraints, thorough(family_options("gamma")));
  EXPECT_LT(result.target_distance, 1e-13);
  const auto [trained, exact] = head_likelihood(problem, result.model);
  std::printf("gamma: trained %.5f, exact %.5f\n", trained, exact);
  EXPECT_LT(std::abs(trained - exact), 0.02 * std::abs(exact));
  GammaGivenSum wrong = problem.validation_law();
  wrong.concentration *= 1.5;
  EXPECT_GT(std::abs(trained - problem.loss(wrong)), 0.02 * std::abs(exact));

  const SampleSet many = repeated(problem.samples, 11, 20000);
  double largest = 0.0;
  const RowMatrix y = plugin_draws(result.model, many, 3, 0, &largest);
  EXPECT_LT(largest, tolerances::identity::relative_fp64);
  EXPECT_GT(y.minCoeff(), 0.0);
  GammaGivenSum found;
  found.A = problem.law.A;
  found.concentration = predict_law(result.model, constraints, many).concentration.topRows(1);
  found.d = problem.law.d.row(11);
  const auto z_score = [&](const GammaGivenSum& one) {
    const GammaMoments moments = gamma_given_sum_moments(one);
    double worst = 0.0;
    const double n = static_cast<double>(y.rows());
    for (Index j = 0; j < 5; ++j) {
      const Eigen::ArrayXd square = (y.col(j).array() - moments.mean(0, j)).square();
      const double variance = moments.variance(0, j);
      worst = std::max(worst, std::abs(y.col(j).mean() - moments.mean(0, j)) / std::sqrt(variance / n));
      worst =
          std::max(worst, std::abs(square.mean() - variance) / std::sqrt((square - square.mean()).square().mean() / n));
    }
    return worst;
  };
  EXPECT_LT(z_score(found), 4.5);
  wrong = found;
  wrong.concentration *= 1.15;
  EXPECT_GT(z_score(wrong), 4.5);
}

TEST(TrainedHeads, OfCountsReachTheExactLikelihoodAndThePluginDrawsThem) {
  const CountsProblem problem(6000);
  const LinearConstraints constraints = problem.constraints();
  const TrainingResult result = train(problem.samples, constraints, thorough(family_options("poisson")));
  const auto [trained, exact] = head_likelihood(problem, result.model);
  std::printf("poisson: trained %.5f, exact %.5f\n", trained, exact);
  EXPECT_LT(std::abs(trained - exact), 0.02 * std::abs(exact));
  EXPECT_GT(std::abs(trained - problem.loss(1.3 * problem.validation_law())), 0.02 * std::abs(exact));

  const SampleSet many = repeated(problem.samples, 11, 20000);
  double largest = 0.0;
  const RowMatrix y = plugin_draws(result.model, many, 3, 0, &largest);
  EXPECT_EQ(largest, 0.0);
  EXPECT_EQ((y.array() - y.array().round()).cwiseAbs().maxCoeff(), 0.0);
  const RowMatrix rate = predict_law(result.model, constraints, many).log_rate.topRows(1);
  // Marginals are binomial: chi-square over the cells that are expected five times or more.
  const auto worst = [&](const RowMatrix& one) {
    double least = 1.0;
    const CountMoments moments = poisson_given_sum_moments(problem.A, one, problem.d.row(11));
    for (Index j = 0; j < 5; ++j) {
      const double total = j < 2 ? problem.d(11, 0) : 0.5 * problem.d(11, 1), share = moments.mean(0, j) / total;
      double statistic = 0.0, cells = -1.0, tail_seen = 0.0, tail = 0.0;
      for (double k = 0.0; k <= total; k += 1.0) {
        const double expected =
            static_cast<double>(y.rows()) *
            std::exp(std::lgamma(total + 1.0) - std::lgamma(k + 1.0) - std::lgamma(total - k + 1.0) +
                     k * std::log(share) + (total - k) * std::log1p(-share));
        const double seen = static_cast<double>((y.col(j).array() == k).count());
        if (expected < 5.0) {
          tail += expected;
          tail_seen += seen;
          continue;
        }
        statistic += (seen - expected) * (seen - expected) / expected;
        ++cells;
      }
      if (tail > 0.0) statistic += (tail_seen - tail) * (tail_seen - tail) / std::max(tail, 1.0);
      least = std::min(least, lavoisier::tests::chi_square_p_value(statistic, cells + 1.0));
    }
    return 5.0 * least;
  };
  EXPECT_GT(worst(rate), 1e-4);
  RowMatrix wrong = rate;
  wrong(0, 2) += 0.05;
  EXPECT_LT(worst(wrong), 1e-4) << "a rate 5 % off passes";
}

TEST(TrainedHeads, WithoutLawsGammasAndCountsAreIndependent) {
  const SharesProblem shares(600);
  const CountsProblem counts(600);
  TrainingOptions options = family_options("gamma", Strategy::none);
  options.epochs = 3;
  double largest = 0.0;
  const ModelFile gammas = train(shares.samples, shares.constraints(), options).model;
  EXPECT_GT(plugin_draws(gammas, shares.samples, 3, 0, &largest).minCoeff(), 0.0);
  EXPECT_GT(largest, 1e-3);
  options.head.family = "poisson";
  largest = 0.0;
  const ModelFile poisson = train(counts.samples, counts.constraints(), options).model;
  const RowMatrix y = plugin_draws(poisson, counts.samples, 3, 0, &largest);
  EXPECT_EQ((y.array() - y.array().round()).cwiseAbs().maxCoeff(), 0.0);
  EXPECT_GT(largest, 1e-3);
  EXPECT_EQ(negative_log_density(gammas, shares.constraints(), shares.samples).size(), 0);
}

TEST(Heads, RefuseWhatMakesNoSense) {
  const MixedProblem problem(200);
  const LinearConstraints constraints = problem.constraints();
  const auto refused = [&](const std::vector<std::string>& parts, const std::function<void(TrainingOptions&)>& change) {
    TrainingOptions options = mixed_options();
    options.epochs = 1;
    change(options);
    try {
      train(problem.samples, constraints, options);
      ADD_FAILURE() << "accepted; expected '" << parts.front() << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), Status::invalid_argument) << error.what();
      for (const std::string& part : parts)
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  using O = TrainingOptions;
  refused({"unknown head 'mixd'", "gaussian, mixed, gamma, poisson", "did you mean 'mixed'"},
          [](O& o) { o.head.family = "mixd"; });
  refused({"expected positive outputs"}, [](O& o) { o.head.positive.clear(); });
  refused({"expected NAME=LAW"}, [](O& o) { o.head.positive = {"rain"}; });
  refused({"'beta'", "log_normal, gamma, hurdle_log_normal, hurdle_gamma"},
          [](O& o) { o.head.positive = {"rain=beta"}; });
  refused({"no output 'rian'", "did you mean 'rain'"}, [](O& o) { o.head.positive = {"rian=gamma"}; });
  refused({"'rain' is named twice"}, [](O& o) { o.head.positive = {"rain=gamma", "rain=log_normal"}; });
  refused({"output 'rain' is 0 for sample", "hurdle_gamma"}, [](O& o) { o.head.positive = {"rain=gamma"}; });
  refused({"output 'q1' is -", "positive numbers"}, [](O& o) { o.head.positive = {"q1=gamma"}; });
  refused({"no loss 'energy'", "likelihood, crps"}, [](O& o) { o.loss = Loss::energy; });
  refused({"3 draws or more, found 2"}, [](O& o) {
    o.loss = Loss::crps;
    o.draws = 2;
  });
  refused({"only head 'mixed'"}, [](O& o) { o.head.family = "gamma"; });
  refused({"only generator 'mlp'"}, [](O& o) { o.generator.name = "vae"; });
  refused({"'rain' is positive: expected a signed one"}, [](O& o) {
    o.strategy = Strategy::completion;
    o.dependent = {"rain"};
  });
  refused({"head 'gamma' has no strategy 'projection'", "none, conditional"}, [](O& o) {
    o.head = {"gamma", {}};
    o.strategy = Strategy::projection;
  });
  refused({"head 'poisson' has no loss 'crps'", "legal: likelihood"}, [](O& o) {
    o.head = {"poisson", {}};
    o.loss = Loss::crps;
  });

  // A law among positive outputs, counts that are none, and sums of both signs.
  MixedProblem among = problem;
  among.laws.push_back(linear_law("among", {{"rain", 1.0}, {"cloud", -1.0}}, Expression(0.0), 1e9));
  EXPECT_ERROR(train(among.samples, among.constraints(), mixed_options()), Status::rank_deficient, "among", "positive");
  CountsProblem counts(200);
  counts.samples.outputs[5] += 0.5;
  counts.samples.outputs[6] -= 0.5;
  EXPECT_ERROR(train(counts.samples, counts.constraints(), family_options("poisson")), Status::invalid_argument,
               "sample 1", "expected a count");
  SharesProblem shares(200);
  shares.laws[0] = linear_law("signs", {{"u", 1.0}, {"v", -1.0}}, Expression(0.0), 1e9);
  EXPECT_ERROR(train(shares.samples, shares.constraints(), family_options("gamma")), Status::unsupported, "'signs'",
               "both signs");
  shares.laws[0] = linear_law("overlap", {{"u", 1.0}, {"v", 1.0}, {"r", 1.0}}, Expression(1.0), 1e9);
  EXPECT_ERROR(train(shares.samples, shares.constraints(), family_options("gamma")), Status::unsupported, "'overlap'",
               "disjoint");
  const ModelFile model = [&] {
    TrainingOptions options = mixed_options();
    options.epochs = 1;
    return train(problem.samples, constraints, options).model;
  }();
  EXPECT_ERROR(predict(model, problem.samples), Status::unsupported, "'positive_signed'");
  // A family that the graph does not draw.
  ModelFile other = model;
  for (const char* family : {"poisson", "gaussian_diagonal"}) {
    other.description.heads[0].family = family;
    EXPECT_ERROR(predict_law(other, constraints, problem.samples), Status::invalid_format, "head 'outputs'",
                 std::string("family '") + family + "'; expected 'positive_signed' or 'gamma'", "'positive_draw'");
    EXPECT_ERROR(predict(other, problem.samples), Status::invalid_format, "'positive_draw'");
  }
}

TEST(Heads, TrainToTheSameBitsAgain) {
  const MixedProblem problem(300);
  TrainingOptions options = mixed_options();
  options.epochs = 3;
  const auto weights_of = [&] {
    ModelFile model = train(problem.samples, problem.constraints(), options).model;
    const auto weights = model.tensor(model.description.graph[1].tensors.at("weight")).f32();
    return std::vector<float>(weights.begin(), weights.end());
  };
  const std::vector<float> one = weights_of();
  EXPECT_EQ(one, weights_of());
  options.head.positive[0] = "rain=hurdle_log_normal";
  EXPECT_NE(one, weights_of());
}

}  // namespace
}  // namespace lavoisier::test
