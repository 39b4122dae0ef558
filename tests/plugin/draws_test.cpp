// Draws of positive outputs, of shares of a sum and of counts, against the laws of `constraints`: the same bits, chunk
// by chunk, and what is refused. The networks are the identity: inputs are raw values.

#include "head_models.hpp"

#include <lavoisier/conditional_counts.hpp>
#include <lavoisier/conditional_gamma.hpp>
#include <lavoisier/positive_parameters.hpp>
#include <lavoisier/positive_signed.hpp>
#include <lavoisier/random.hpp>
#include <lavoisier/tolerances.hpp>

#include <cmath>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr std::uint64_t seed = 41;

/// Coefficients of the laws, rows x n.
RowMatrix coefficients(const HandModel& made) {
  RowMatrix found = RowMatrix::Zero(static_cast<Eigen::Index>(made.file.description.laws.size()), made.n);
  for (Eigen::Index k = 0; k < found.rows(); ++k)
    for (const auto& term : made.file.description.laws[static_cast<std::size_t>(k)].terms)
      found(k, std::stoll(term.variable.substr(1))) += term.coefficient.evaluate_constant();
  return found;
}

const std::vector<PositiveFamily> families = {PositiveFamily::hurdle_gamma, PositiveFamily::gamma,
                                              PositiveFamily::hurdle_log_normal};

Workspace workspace_for(const std::shared_ptr<const Model>& model, Backend backend, std::int64_t columns) {
  WorkspaceOptions options;
  options.backend = backend;
  options.max_columns = columns;
  options.seed = seed;
  options.override_stream = true;
  options.stream = 9;
  return Workspace(model, options);
}

RowMatrix outputs_of(const Fields<double>& fields) {
  RowMatrix y(fields.columns, static_cast<Eigen::Index>(fields.outputs.size()));
  for (Eigen::Index c = 0; c < y.rows(); ++c)
    for (Eigen::Index j = 0; j < y.cols(); ++j)
      y(c, j) = fields.outputs[static_cast<std::size_t>(j)][static_cast<std::size_t>(c)];
  return y;
}
RowMatrix right_of(const Fields<double>& fields) {
  RowMatrix d(fields.columns, 2);
  for (Eigen::Index c = 0; c < d.rows(); ++c)
    for (Eigen::Index k = 0; k < 2; ++k)
      d(c, k) = fields.inputs[static_cast<std::size_t>(1 + k)][static_cast<std::size_t>(c)];
  return d;
}
double raw_of(const Fields<double>& fields, const HandModel& made, Eigen::Index c, std::int64_t i) {
  return fields.inputs[0][static_cast<std::size_t>(c * made.raw + i)];
}
DrawOptions draws_at(std::uint64_t site) {
  DrawOptions options;
  options.key = {seed, 9};
  options.site = site;
  return options;
}

/// What the raw values mean, by docs/model-file.md. `wrong`: a wrong deviation or probability of zero.
PositiveSigned law_of(const HandModel& made, const Fields<double>& fields, bool exponential,
                      const std::string& wrong = {}) {
  const Eigen::Index count = fields.columns;
  PositiveSigned law;
  law.families = families;
  law.a = law.b = law.zero = RowMatrix(count, 3);
  law.mean = law.standard_deviation = RowMatrix(count, 3);
  law.d = right_of(fields);
  const RowMatrix A = coefficients(made);
  law.A.resize(A.rows(), 6);
  for (Eigen::Index i = 0; i < 3; ++i) {
    law.A.col(i) = A.col(positive_elements[static_cast<std::size_t>(i)]);
    law.A.col(3 + i) = A.col(signed_elements[static_cast<std::size_t>(i)]);
  }
  const double mean[] = {1.0, -2.0, 0.5}, scale[] = {2.0, 1.0, 3.0};
  const auto above = [&](double x) { return 0.01 + (exponential ? std::exp(x) : std::log1p(std::exp(x))); };
  for (Eigen::Index c = 0; c < count; ++c) {
    std::int64_t atom = 12;
    for (Eigen::Index i = 0; i < 3; ++i) {
      const std::int64_t p = positive_elements[static_cast<std::size_t>(i)],
                         q = signed_elements[static_cast<std::size_t>(i)];
      const bool gamma = i != 2;
      double s = above(raw_of(fields, made, c, 6 + p));
      if (wrong == "deviation") s *= 1.1;
      law.a(c, i) = gamma ? 1.0 / (s * s) : raw_of(fields, made, c, p);
      law.b(c, i) = gamma ? std::exp(-raw_of(fields, made, c, p)) / (s * s) : s;
      law.zero(c, i) = 0.5;
      if (i != 1) {
        const double share = 1.0 / (1.0 + std::exp(-raw_of(fields, made, c, atom++)));
        law.zero(c, i) = 0x1.0p-30 + (1.0 - 2.0 * 0x1.0p-30) * (wrong == "zero" ? 1.0 - share : share);
      }
      law.mean(c, i) = mean[i] + scale[i] * raw_of(fields, made, c, q);
      law.standard_deviation(c, i) = scale[i] * above(raw_of(fields, made, c, 6 + q));
    }
  }
  return law;
}

double difference(const RowMatrix& a, const RowMatrix& b) {
  return ((a - b).array().abs() / (1e-300 + b.array().abs())).maxCoeff();
}

TEST(PositiveDraw, IsTheDrawOfTheLawsAsDocumentedAndTheSignedOutputsKeepTheLaws) {
  for (const std::string parametrization : {"exp", "softplus"}) {
    const HandModel made = mixed_model(parametrization);
    const auto model = model_of(made.file);
    Fields<double> fields = fields_of(*model, made, 200, 5.0, -3.0);
    Workspace workspace = workspace_for(model, Backend::serial, 200);
    const RunReport& report = workspace.run(fields.arguments());
    EXPECT_EQ(report.columns, 200);
    for (const auto& law : report.laws) EXPECT_LE(law.max_relative, tolerances::identity::relative_fp64);
    const RowMatrix y = outputs_of(fields);
    RowMatrix p(200, 3);
    for (Eigen::Index i = 0; i < 3; ++i) p.col(i) = y.col(positive_elements[static_cast<std::size_t>(i)]);
    const auto expected = [&](const std::string& wrong) {
      const PositiveSignedDraw draw =
          positive_signed_draw(law_of(made, fields, parametrization == "exp", wrong), draws_at(3));
      EXPECT_EQ(draw.message, "");
      return draw.p;
    };
    const RowMatrix right = expected("");
    EXPECT_LT(difference(p, right), 1e-13) << parametrization;
    EXPECT_TRUE(((p.array() == 0.0) == (right.array() == 0.0)).all());
    EXPECT_GE(p.minCoeff(), 0.0);
    EXPECT_GT(p.col(1).minCoeff(), 0.0);
    EXPECT_GT((p.col(0).array() == 0.0).count(), 40);
    EXPECT_GT(difference(p, expected("deviation")), 1e-2);
    EXPECT_GT(((p.array() == 0.0) != (expected("zero").array() == 0.0)).count(), 20);
  }
}

TEST(PositiveDraw, WithoutNoiseIsTheMeanOfEverything) {
  const HandModel made = mixed_model();
  const auto model = model_of(made.file);
  Fields<double> fields = fields_of(*model, made, 60, 5.0, -3.0);
  Workspace workspace = workspace_for(model, Backend::serial, 60);
  workspace.run_mean(fields.arguments());
  const RowMatrix y = outputs_of(fields);
  const auto distance = [&](const std::string& wrong) {
    const PositiveSignedMoments moments = positive_signed_moments(law_of(made, fields, true, wrong));
    double largest = 0.0;
    for (Eigen::Index i = 0; i < 3; ++i) {
      const auto at = static_cast<std::size_t>(i);
      largest = std::max(largest, difference(y.col(positive_elements[at]), moments.p_mean.col(i)));
      largest = std::max(largest, (y.col(signed_elements[at]) - moments.q_mean.col(i)).cwiseAbs().maxCoeff() /
                                      moments.q_mean.cwiseAbs().maxCoeff());
    }
    return largest;
  };
  EXPECT_LT(distance(""), 1e-12);
  EXPECT_GT(distance("zero"), 1e-2);
  EXPECT_GT(distance("deviation"), 1e-3);
}

TEST(PositiveDraw, WhatUnderflowsIsPositiveStill) {
  HandModel alone(6, 3, "gamma");
  alone.tensor("floor", {0.01});
  alone.tensor("positive.scale", {1.0, 1.0, 1e-300});
  alone.indices("positive.elements", {0, 1, 2});
  alone.node("positive_draw", {"h"}, {"outputs"},
             {{"elements", "positive.elements"}, {"scale", "positive.scale"}, {"floor", "floor"}},
             {{"laws", "log_normal,gamma,gamma"}, {"parametrization", "exp"}, {"site", "0"}});
  const auto model = model_of(alone.file);
  Fields<double> fields = fields_of(*model, alone, 40, 0.0, 0.0);
  for (std::size_t c = 0; c < 40; ++c) {
    fields.inputs[0][c * 6] = -1e5;     // e^-100000
    fields.inputs[0][c * 6 + 4] = 3.0;  // relative deviation 20: shape .0025
  }
  Workspace workspace = workspace_for(model, Backend::serial, 40);
  EXPECT_EQ(workspace.run(fields.arguments()).columns, 40);
  EXPECT_GT(outputs_of(fields).minCoeff(), 0.0);
  EXPECT_EQ(outputs_of(fields).col(0).maxCoeff(), 0x1.0p-1022);
}

TEST(SharesDraw, AreTheDrawsOfGammasGivenTheirSums) {
  const HandModel made = shares_model();
  const auto model = model_of(made.file);
  Fields<double> fields = fields_of(*model, made, 150, 0.0, 7.0);  // the first column's first sum is 0
  Workspace workspace = workspace_for(model, Backend::serial, 150);
  const RunReport& report = workspace.run(fields.arguments());
  EXPECT_EQ(report.columns, 150);
  for (const auto& law : report.laws) EXPECT_LE(law.max_relative, tolerances::identity::relative_fp64);
  GammaGivenSum law;
  law.A = coefficients(made);
  law.d = right_of(fields);
  law.concentration.resize(150, 5);
  for (Eigen::Index c = 0; c < 150; ++c)
    for (Eigen::Index j = 0; j < 5; ++j)
      law.concentration(c, j) = 0.01 + std::log1p(std::exp(raw_of(fields, made, c, j)));
  EXPECT_LT(difference(outputs_of(fields), gamma_given_sum_draw(law, draws_at(2)).y), 1e-12);
  GammaGivenSum wrong = law;
  wrong.concentration *= 1.05;
  EXPECT_GT(difference(outputs_of(fields), gamma_given_sum_draw(wrong, draws_at(2)).y), 1e-2);
  EXPECT_EQ(outputs_of(fields)(0, 0), 0.0);
  workspace.run_mean(fields.arguments());
  EXPECT_LT((outputs_of(fields) - gamma_given_sum_moments(law).mean).cwiseAbs().maxCoeff(), 1e-11);
}

TEST(CountDraws, AreMultinomialGivenSumsAndPoissonWithout) {
  for (const std::string op : {"multinomial_draw", "poisson_draw"}) {
    const HandModel made = counts_model(op);
    const auto model = model_of(made.file);
    Fields<double> fields = fields_of(*model, made, 150, 30.0, 400.0);
    Workspace workspace = workspace_for(model, Backend::serial, 150);
    const RunReport& report = workspace.run(fields.arguments());
    EXPECT_EQ(report.columns, 150);
    const RowMatrix y = outputs_of(fields);
    RowMatrix log_rate(150, 5), independent(150, 5);
    const double scale[] = {1.0, 3.0, 0.5, 20.0, 7.0};
    for (Eigen::Index c = 0; c < 150; ++c)
      for (Eigen::Index j = 0; j < 5; ++j) {
        log_rate(c, j) = raw_of(fields, made, c, j) + elementary::log(scale[j]);
        random::Sequence numbers;
        numbers.key = {seed, 9};
        numbers.at.column = static_cast<std::uint64_t>(c);
        numbers.at.site = 1;
        numbers.at.element = static_cast<std::uint64_t>(j);
        independent(c, j) = static_cast<double>(random::poisson(numbers, elementary::exp(log_rate(c, j))));
      }
    if (op == "poisson_draw") {
      EXPECT_EQ(y, independent);
      EXPECT_GT(report.laws[0].max_relative, 1e-3);
      continue;
    }
    EXPECT_EQ(report.laws[0].max_relative, 0.0);
    EXPECT_EQ(report.laws[1].max_relative, 0.0);
    EXPECT_EQ(y, poisson_given_sum_draw(coefficients(made), log_rate, right_of(fields), draws_at(1)).y);
    EXPECT_NE(y, poisson_given_sum_draw(coefficients(made), 1.05 * log_rate, right_of(fields), draws_at(1)).y);
    workspace.run_mean(fields.arguments());
    EXPECT_LT((outputs_of(fields) - poisson_given_sum_moments(coefficients(made), log_rate, right_of(fields)).mean)
                  .cwiseAbs()
                  .maxCoeff(),
              1e-10);
  }
}

TEST(HeadDraws, SameBitsForEveryChunkPositionAndBackend) {
  for (const HandModel& made :
       {mixed_model(), shares_model(), counts_model("multinomial_draw"), counts_model("poisson_draw")}) {
    const auto model = model_of(made.file);
    const Fields<double> given = fields_of(*model, made, 120, 30.0, 400.0);
    std::vector<std::vector<double>> wanted;
    for (const Backend backend : {Backend::serial, Backend::openmp}) {
      Workspace workspace = workspace_for(model, backend, 120);
      for (const std::int64_t chunk : {120, 1, 2, 3, 7, 8, 9, 16, 17, 33, 100}) {
        Fields<double> fields(*model, 120);
        fields.inputs = given.inputs;
        run_in_chunks(workspace, *model, fields, chunk);
        if (wanted.empty()) wanted = fields.outputs;
        EXPECT_TRUE(same_bits(fields.outputs, wanted)) << workspace.backend() << ", chunk " << chunk;
      }
    }
  }
}

TEST(HeadDraws, ASumThatCannotBeFlagsItsColumnAlone) {
  const auto run = [](const HandModel& made, double d0) {
    const auto model = model_of(made.file);
    Fields<double> fields = fields_of(*model, made, 40, 30.0, 400.0);
    Workspace workspace = workspace_for(model, Backend::serial, 40);
    workspace.run(fields.arguments());
    const auto good = fields.outputs;
    fields.inputs[1][11] = d0;
    fields.reset();
    std::vector<Status> status(40);
    auto arguments = fields.arguments();
    arguments.status = status.data();
    EXPECT_EQ(workspace.run(arguments).columns, 39);
    for (std::size_t c = 0; c < 40; ++c)
      for (std::size_t j = 0; j < fields.outputs.size(); ++j)
        EXPECT_EQ(fields.outputs[j][c], c == 11 ? Fields<double>::untouched : good[j][c]);
    return status[11];
  };
  EXPECT_EQ(run(counts_model("multinomial_draw"), 30.5), Status::invalid_argument);
  EXPECT_EQ(run(counts_model("multinomial_draw"), -3.0), Status::inconsistent_laws);
  EXPECT_EQ(run(shares_model(), -1.0), Status::inconsistent_laws);
}

TEST(HeadDraws, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const HandModel& made, Status status, const std::string& part) {
    expect_error(status, part, [&] { model_of(made.file); });
  };
  refused(mixed_model("exp", "hurdle_gamma,weibull,gamma"), Status::unsupported, "'weibull' (log_normal, gamma");
  refused(mixed_model("exp", "hurdle_gamma,gamma"), Status::invalid_format, "expected 3 words");
  refused(mixed_model("exp", "gamma,gamma,gamma"), Status::invalid_format, "has length 14, expected 12");
  refused(mixed_model("square"), Status::unsupported, "the parametrization 'square'");
  HandModel unknown = mixed_model();
  unknown.file.description.heads[0].family = "beta";
  refused(unknown, Status::unsupported, "positive_signed, gamma, poisson");
  refused(shares_model({{1, 1.0}, {2, 1.0}, {3, 1.0}, {4, 1.0}}), Status::unsupported, "output element 1 is in 2 laws");
  refused(shares_model({{2, 1.0}, {3, 1.0}}), Status::unsupported, "output element 4 is in 0 laws");
  refused(shares_model({{2, 1.0}, {3, -1.0}, {4, 1.0}}), Status::unsupported, "'second' has weights of both signs");
  refused(counts_model("multinomial_draw", 3.0), Status::unsupported, "'second' has several weights");
  auto own = shares_model({{2, 1.0}, {3, 1.0}, {4, 1.0}});
  own.file.description.laws[0].terms[0].coefficient = Expression::symbol("d0");
  refused(own, Status::unsupported, "weights that vary by column");
  HandModel twice = mixed_model();
  for (auto& node : twice.file.description.graph)
    if (node.op == "positive_draw") node.attributes["site"] = "0";
  refused(twice, Status::invalid_format, "site 0 is used twice");
}

}  // namespace
