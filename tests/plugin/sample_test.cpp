// Sampling loops: against a plain loop with the same random numbers, and against Gaussians whose samples are known.

#include "emulator_fixture.hpp"
#include "graph_models.hpp"
#include "graph_oracle.hpp"

#include <algorithm>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr std::uint64_t seed = 77;

Workspace workspace_for(const std::shared_ptr<const Model>& model, std::int64_t columns) {
  WorkspaceOptions options;
  options.max_columns = columns;
  options.seed = seed;
  options.backend = Backend::openmp;
  return Workspace(model, options);
}

std::vector<double> expected(const ModelFile& file, const Fields<double>& fields, std::int64_t column,
                             std::uint64_t member, const std::string& twist = {}) {
  if (file.digest().empty()) file.serialize();  // the digest gives the stream
  OracleDraw draw;
  draw.key = {seed, file.default_stream()};
  draw.address.column = static_cast<std::uint64_t>(column);
  draw.address.member = member;
  return GraphOracle(file, draw, Arithmetic::as_documented, twist).run(fields.flat(column));
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]) / (1.0 + std::abs(b[i]));
    largest = d <= largest ? largest : d;
  }
  return largest;
}

TEST(Sample, FollowsAPlainLoopWithTheSameNumbers) {
  for (const auto& [method, own_laws] : std::vector<std::pair<std::string, bool>>{
           {"ddpm", false}, {"ddim", false}, {"flow", false}, {"ddpm", true}, {"flow", true}})
    for (const char* projection : {"null_space", "ambient", "none"}) {
      const std::string what = method + ", " + projection + (own_laws ? ", laws of each column" : "");
      const auto made = sample_model({method, projection, 7, own_laws});
      const auto model = model_of(made.file);
      Fields<double> fields(*model, 45);
      Workspace workspace = workspace_for(model, 45);
      auto arguments = fields.arguments();
      arguments.member = 2;
      const RunReport& report = workspace.run(arguments);
      EXPECT_EQ(report.columns, 45) << what;
      for (const auto& law : report.laws) EXPECT_LT(law.max_relative, 1e-12) << what;
      double worst = 0.0;
      for (std::int64_t c = 0; c < 45; ++c)
        worst = std::max(worst, difference(fields.flat_outputs(c), expected(made.file, fields, c, 2)));
      // The state is rounded to FP32 for the network: a last bit of FP64 may turn one of FP32.
      EXPECT_LT(worst, 1e-5) << what;
      for (const std::string twist : {"site", "time", "units", "projection", "share"}) {
        const bool silent = (twist == "site" && method != "ddpm") ||
                            (std::string(projection) == "none" && (twist == "units" || twist == "projection")) ||
                            (std::string(projection) != "null_space" && twist == "share");
        if (silent) continue;  // nothing there to get wrong
        EXPECT_GT(difference(fields.flat_outputs(4), expected(made.file, fields, 4, 2, twist)), 1e-3)
            << what << ": " << twist;
      }
      EXPECT_GT(difference(fields.flat_outputs(4), expected(made.file, fields, 4, 1)), 1e-3)
          << what << ": another member";
    }
}

TEST(Sample, WithoutAProjectionTheBitsAreThoseOfThePlainLoop) {
  auto made = sample_model({"ddpm", "none", 5});
  made.file.description.laws.clear();
  made.graph().back() = {"identity", {"z"}, {"outputs"}, {}, {}};
  const auto model = model_of(made.file);
  Fields<double> fields(*model, 45);
  Workspace workspace = workspace_for(model, 45);
  workspace.run(fields.arguments());
  for (std::int64_t c = 0; c < 45; ++c) EXPECT_EQ(fields.flat_outputs(c), expected(made.file, fields, c, 0));
}

/// Standardised outputs of which the first direction (1, 1)/sqrt 2 has variance 1 and the second (1, -1)/sqrt 2 has
/// 0.25: the posterior mean of the clean state is p x + q M x, M the projector onto the first.
struct Gaussian {
  double a(double t) const { return std::cos(0.5 * M_PI * t); }
  double s(double t) const { return std::sin(0.5 * M_PI * t); }
  double gain(double variance, double t) const { return a(t) * variance / (a(t) * a(t) * variance + s(t) * s(t)); }
};

TEST(Sample, ExactDenoiserOfAGaussianGivesTheGaussian) {
  const Gaussian g;
  const double variance[2] = {1.0, 0.25};
  constexpr std::int64_t steps = 200, columns = 20000;
  for (const char* method : {"ddpm", "ddim"}) {
    const bool ddpm = std::string(method) == "ddpm";
    GraphModel m(1, 2);
    m.file.description.subgraphs["denoiser"] = {
        {"dense",
         {"state"},
         {"prediction"},
         {{"weight", m.f32("M", {2, 2}, {0.5f, 0.5f, 0.5f, 0.5f})}, {"bias", m.f32("b", {2}, {0.0f, 0.0f})}},
         {}}};
    // The variance of each direction after every step, exactly, beside the schedule.
    std::vector<double> schedule;
    double state[2] = {1.0, 1.0};
    for (std::int64_t k = 0; k < steps; ++k) {
      const double t = 0.999 * (1.0 - static_cast<double>(k) / steps);
      const double to = k + 1 < steps ? 0.999 * (1.0 - static_cast<double>(k + 1) / steps) : 0.0;
      const double p = g.gain(variance[1], t), q = g.gain(variance[0], t) - p;
      // DDIM (Song et al. 2021, eq. 12), v the noise that makes it DDPM.
      const double eta = ddpm ? g.s(to) / g.s(t) * std::sqrt(1.0 - std::pow(g.a(t) / g.a(to), 2)) : 0.0;
      const double r = std::sqrt(std::max(0.0, g.s(to) * g.s(to) - eta * eta)) / g.s(t), u = g.a(to) - r * g.a(t);
      const double row[7] = {t, p, q, r, u, eta, g.a(t)};
      schedule.insert(schedule.end(), row, row + 7);
      for (int i = 0; i < 2; ++i) state[i] = std::pow(r + u * g.gain(variance[i], t), 2) * state[i] + eta * eta;
    }
    m.f64("schedule", {steps, 7}, schedule);
    m.f64("mean", {2}, {3.0, -1.0});
    m.f64("scale", {2}, {2.0, 5.0});
    m.node("sample", {}, {"z"}, {{"schedule", "schedule"}, {"output_mean", "mean"}, {"output_scale", "scale"}},
           {{"subgraph", "denoiser"}, {"method", method}, {"site", "0"}, {"projection", "none"}});
    m.node("identity", {"z"}, {"outputs"});
    const auto model = model_of(m.file);
    Fields<double> fields(*model, columns);
    Workspace workspace = workspace_for(model, columns);
    workspace.run(fields.arguments());
    double sum[2] = {}, square[2] = {}, cross = 0.0;
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto y = fields.flat_outputs(c);
      const double x0 = (y[0] - 3.0) / 2.0, x1 = (y[1] + 1.0) / 5.0;
      const double along[2] = {(x0 + x1) * M_SQRT1_2, (x0 - x1) * M_SQRT1_2};
      for (int i = 0; i < 2; ++i) {
        sum[i] += along[i];
        square[i] += along[i] * along[i];
      }
      cross += along[0] * along[1];
    }
    const double n = static_cast<double>(columns);
    for (int i = 0; i < 2; ++i) {
      EXPECT_NEAR(sum[i] / n, 0.0, 4.5 * std::sqrt(state[i] / n)) << method;
      EXPECT_NEAR(square[i] / n, state[i], 4.5 * state[i] * std::sqrt(2.0 / n)) << method;
      // 200 steps leave little of the discretisation; a loop that mixes p and q up is far away.
      EXPECT_NEAR(state[i], variance[i], 0.06 * variance[i]) << method;
    }
    EXPECT_NEAR(cross / n, 0.0, 4.5 * std::sqrt(state[0] * state[1] / n)) << method;
  }
}

/// y ~ N(mean, scale^2) independently, given that the laws hold: in standardised units N(A+ c, P0). The network says
/// nothing; p is the posterior mean's factor.
TEST(Sample, NullSpaceGivesTheGaussianOnTheLaws) {
  const Gaussian g;
  auto made = sample_model({"ddpm", "null_space", 1});
  auto& d = made.file.description;
  constexpr std::int64_t steps = 200, columns = 20000;
  std::vector<double> schedule;
  for (std::int64_t k = 0; k < steps; ++k) {
    const double t = 0.999 * (1.0 - static_cast<double>(k) / steps);
    const double to = k + 1 < steps ? 0.999 * (1.0 - static_cast<double>(k + 1) / steps) : 0.0;
    const double eta = g.s(to) / g.s(t) * std::sqrt(1.0 - std::pow(g.a(t) / g.a(to), 2));
    const double r = std::sqrt(std::max(0.0, g.s(to) * g.s(to) - eta * eta)) / g.s(t), u = g.a(to) - r * g.a(t);
    // Variance 1 and a^2 + s^2 = 1 leave each marginal N(0, P0) at every time, so one step's error is all there is.
    const double row[7] = {t, g.gain(1.0, t), 0.0, r, u, eta, g.a(t)};
    schedule.insert(schedule.end(), row, row + 7);
  }
  made.f64("long", {steps, 7}, schedule);
  for (auto& node : made.graph())
    if (node.op == "sample") node.tensors["schedule"] = "long";
  double state = 1.0;
  for (std::int64_t k = 0; k < steps; ++k) {
    const double* row = &schedule[static_cast<std::size_t>(7 * k)];
    state = std::pow(row[3] + row[4] * row[1], 2) * state + row[5] * row[5];
  }
  EXPECT_NEAR(state, 1.0, 0.06);
  const auto model = model_of(made.file);
  Fields<double> fields(*model, columns);
  for (auto& x : fields.inputs) std::fill(x.begin(), x.end(), 0.75);  // one right-hand side
  Workspace workspace = workspace_for(model, columns);
  EXPECT_EQ(workspace.run(fields.arguments()).columns, columns);
  const auto laws = oracle_laws(d, fields.flat(0));
  const std::vector<double> mean = {0.5, -1.0, 2.0, 10.0, 0.0, 3.0}, scale = {1.0, 2.0, 0.5, 4.0, 1.5, 3.0};
  std::vector<double> S;
  for (const double s : scale) S.push_back(s * s);
  const auto centre = oracle_constrain(laws, mean, S);
  // Columns of P0 in physical units: what projecting a unit step of each output leaves.
  OracleLaws homogeneous = laws;
  for (double& b : homogeneous.b) b = 0.0;
  std::vector<std::vector<double>> P;
  for (std::size_t i = 0; i < 6; ++i) {
    std::vector<double> unit(6, 0.0);
    unit[i] = 1.0;
    P.push_back(oracle_constrain(homogeneous, unit, S));
  }
  std::vector<double> sum(6, 0.0);
  std::vector<std::vector<double>> square(6, std::vector<double>(6, 0.0));
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto y = fields.flat_outputs(c);
    for (std::size_t i = 0; i < 6; ++i) {
      sum[i] += y[i] - centre[i];
      for (std::size_t j = 0; j < 6; ++j) square[i][j] += (y[i] - centre[i]) * (y[j] - centre[j]);
    }
  }
  const double n = static_cast<double>(columns);
  const auto covariance = [&](std::size_t i, std::size_t j) { return state * P[i][j] * scale[i] * scale[i]; };
  int moved = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_NEAR(sum[i] / n, 0.0, 4.5 * std::sqrt(covariance(i, i) / n)) << i;
    for (std::size_t j = 0; j < 6; ++j) {
      const double both = covariance(i, i) * covariance(j, j), exact = covariance(i, j);
      EXPECT_NEAR(square[i][j] / n, exact, 4.5 * std::sqrt((both + exact * exact) / n)) << i << ", " << j;
      // Without the laws it would be diagonal: the test sees that it is not.
      moved += std::abs(exact - (i == j ? scale[i] * scale[i] : 0.0)) > 9.0 * std::sqrt((both + exact * exact) / n);
    }
  }
  EXPECT_GT(moved, 6);
}

TEST(Sample, MistakesAreRefusedByName) {
  const auto change = [](const std::string& part, Status status, auto edit) {
    auto made = sample_model({});
    const auto at =
        std::find_if(made.graph().begin(), made.graph().end(), [](const auto& n) { return n.op == "sample"; });
    edit(made, *at);  // may add nodes
    expect_error(status, part, [&] { model_of(made.file); });
  };
  const auto invalid = Status::invalid_format, unsupported = Status::unsupported;
  const auto set = [](const char* name, const char* text) {
    return [=](GraphModel&, GraphOperation& node) { node.attributes[name] = text; };
  };
  change("the method 'euler'", unsupported, set("method", "euler"));
  change("the projection 'tangent'", unsupported, set("projection", "tangent"));
  change("'site'", invalid, set("site", "4294967290"));
  change("expected shape [steps, 7], found [6]", invalid,
         [](GraphModel&, GraphOperation& node) { node.tensors["schedule"] = "output.mean"; });
  change("'output.mean': expected shape [5], found [6]", invalid, [](GraphModel& m, GraphOperation& node) {
    node.tensors["output_scale"] = "output.mean";
    m.f64("five", {5}, std::vector<double>(5, 1.0));
    node.tensors["output_mean"] = "five";
  });
  change("needs the layout's outputs, 6", invalid, [](GraphModel& m, GraphOperation& node) {
    m.f64("five", {5}, std::vector<double>(5, 1.0));
    node.tensors["output_mean"] = node.tensors["output_scale"] = "five";
  });
  change("subgraph 'denoiser', operation 2 (dense): tensor 'hidden.weight'", invalid,
         [](GraphModel& m, GraphOperation&) { m.file.description.subgraphs["denoiser"][1].inputs.pop_back(); });
  change("'prediction' has length 24, expected 6", invalid, [](GraphModel& m, GraphOperation&) {
    auto& inner = m.file.description.subgraphs["denoiser"];
    inner.pop_back();
    inner.back().outputs = {"prediction"};
  });
  change("operation 0 (normal_noise): in a subgraph", unsupported, [](GraphModel& m, GraphOperation&) {
    auto& inner = m.file.description.subgraphs["denoiser"];
    inner.insert(inner.begin(), {"normal_noise", {}, {"e"}, {}, {{"site", "99"}}});
  });
  change("site 5 is used twice", invalid, [](GraphModel& m, GraphOperation& node) {
    GraphOperation noise{"normal_noise", {}, {"e"}, {}, {{"site", "5"}, {"length", "2"}}};
    node.attributes["site"] = "3";
    m.graph().insert(m.graph().begin(), noise);
  });
  const auto made = sample_model({});
  const auto model = model_of(made.file);
  Fields<double> fields(*model, 3);
  Workspace workspace = workspace_for(model, 3);
  expect_error(Status::unsupported, "run_mean", [&] { workspace.run_mean(fields.arguments()); });
}

/// A loop that leaves the range of numbers flags its column; the others are as they would be.
TEST(Sample, AColumnThatDivergesIsFlaggedAlone) {
  auto made = sample_model({"ddim", "null_space", 3});
  made.file.description.subgraphs["denoiser"][1].inputs[2] = "steep";
  made.f64("centre", {5}, std::vector<double>(5, 3.99));
  made.f64("width", {5}, std::vector<double>(5, 1e-40));
  auto& graph = made.graph();
  GraphOperation node = made.dense_node("far", "steep", 5, 4);
  graph.insert(graph.begin(), {"standardize", {"inputs"}, {"far"}, {{"mean", "centre"}, {"scale", "width"}}, {}});
  graph.insert(graph.begin() + 1, node);
  for (auto& other : graph)
    if (other.op == "sample") other.inputs = {"steep"};
  const auto model = model_of(made.file);
  Fields<double> fields(*model, 20);
  for (auto& x : fields.inputs) std::fill(x.begin(), x.end(), 3.99);
  Workspace workspace = workspace_for(model, 20);
  EXPECT_EQ(workspace.run(fields.arguments()).columns, 20);
  const auto good = fields.outputs;
  for (auto& x : fields.inputs) x[6] = -1.0;  // infinite in FP32
  fields.reset();
  std::vector<Status> status(20);
  auto arguments = fields.arguments();
  arguments.status = status.data();
  const RunReport& report = workspace.run(arguments);
  EXPECT_EQ(report.non_finite, 1);
  for (std::size_t c = 0; c < 20; ++c) {
    EXPECT_EQ(static_cast<int>(status[c]), static_cast<int>(c == 6 ? Status::non_finite : Status::ok));
    EXPECT_EQ(fields.outputs[0][c], c == 6 ? Fields<double>::untouched : good[0][c]);
  }
}

}  // namespace
