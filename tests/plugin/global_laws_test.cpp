// Laws over all columns: against dense conditioning of all columns at once, in value and in law; the same bits in any
// chunks, order and threads; failures that leave everything as it was.

#include "emulator_fixture.hpp"
#include "graph_models.hpp"
#include "head_models.hpp"

#include <lavoisier/global_laws.hpp>

#include <Eigen/Dense>
#include <goodness_of_fit.hpp>

#include <numeric>
#include <thread>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

constexpr int n = 6;  // outputs of the ocean
constexpr int fdh = 5;

/// Row 0: an area-weighted sum of FDH ("no net heat"); row 1: something of every output.
struct Rows {
  std::vector<double> b, area;
  int k;
  Rows(std::int64_t columns, int rows) : k(rows) {
    std::mt19937 generator(17);
    std::uniform_real_distribution<double> uniform(0.1, 1.0);
    for (std::int64_t c = 0; c < columns; ++c) {
      area.push_back(uniform(generator));
      for (int row = 0; row < k; ++row)
        for (int i = 0; i < n; ++i) b.push_back(row == 0 ? (i == fdh ? 1.0 : 0.0) : uniform(generator) - 0.4);
    }
  }
  double at(std::int64_t c, int row, int i) const {
    return area[static_cast<std::size_t>(c)] * b[static_cast<std::size_t>((c * k + row) * n + i)];
  }
  GlobalRows from(std::int64_t first) const { return {b.data() + first * k * n, k * n, n, 1, area.data() + first}; }
};

ModelFile ocean(const std::string& strategy = "conditional") {
  auto builder = ModelBuilder::ocean();
  builder.strategy = strategy;
  builder.laws[1].right_hand_side = Expression::symbol("SST");
  return builder.build();
}

WorkspaceOptions options_for(std::int64_t max_columns, Backend backend = Backend::serial, int rows = 2) {
  WorkspaceOptions options;
  options.seed = 5;
  options.max_columns = max_columns;
  options.backend = backend;
  options.global_rows = rows;
  return options;
}

/// Columns first .. first+count-1 of the fields as a call of their own.
template <class Real>
struct Chunk {
  std::vector<InputField> inputs;
  std::vector<OutputField> outputs;
  RunArguments arguments;
  Chunk(Fields<Real>& fields, std::int64_t first, std::int64_t count, GlobalLaws& laws, const Rows& rows,
        std::uint64_t member = 0)
      : inputs(fields.input_fields), outputs(fields.output_fields), arguments(fields.arguments()) {
    for (std::size_t v = 0; v < inputs.size(); ++v) inputs[v].data = fields.inputs[v].data() + first * inputs[v].column_stride;
    for (std::size_t v = 0; v < outputs.size(); ++v) outputs[v].data = fields.outputs[v].data() + first;
    arguments.inputs = inputs.data();
    arguments.outputs = outputs.data();
    arguments.columns = count;
    arguments.first_column_id = static_cast<std::uint64_t>(first);
    arguments.member = member;
    arguments.global = &laws;
    arguments.global_rows = rows.from(first);
  }
};

template <class Real>
void draw_all(const std::shared_ptr<const Model>& model, Fields<Real>& fields, GlobalLaws& laws, const Rows& rows,
              const double* D, std::int64_t chunk, Backend backend = Backend::serial) {
  Workspace workspace(model, options_for(chunk, backend));
  laws.begin(D);
  for (int phase = 0; phase < 2; ++phase) {
    // The second phase from the other end.
    const std::int64_t chunks = (fields.columns + chunk - 1) / chunk;
    for (std::int64_t i = 0; i < chunks; ++i) {
      const std::int64_t first = (phase == 0 ? i : chunks - 1 - i) * chunk;
      Chunk<Real> part(fields, first, std::min(chunk, fields.columns - first), laws, rows);
      if (phase == 0)
        workspace.run(part.arguments);
      else
        workspace.correct(part.arguments);
    }
    if (phase == 0)
      laws.close();
    else
      laws.finish();
  }
}

/// All columns in one vector: their unconstrained draws and variances, and every law, local and global.
struct Dense {
  Eigen::VectorXd z, S, d, mu;
  Eigen::MatrixXd A;
  Eigen::VectorXd conditioned(const Eigen::VectorXd& metric) const {
    Eigen::VectorXd y = z;
    const Eigen::MatrixXd gain = metric.asDiagonal() * A.transpose();
    const Eigen::FullPivLU<Eigen::MatrixXd> W(A * gain);
    for (int pass = 0; pass < 3; ++pass) y -= gain * W.solve(A * y - d);
    return y;
  }
};
Dense dense(const ModelFile& file, const Model& model, const Fields<double>& fields, const Rows& rows, const double* D,
            bool local) {
  const auto N = static_cast<Eigen::Index>(fields.columns);
  const Eigen::Index m = local ? static_cast<Eigen::Index>(file.description.laws.size()) : 0;
  Dense all;
  all.z.resize(N * n);
  all.S.resize(N * n);
  all.mu.resize(N * n);
  all.A = Eigen::MatrixXd::Zero(N * m + rows.k, N * n);
  all.d.resize(N * m + rows.k);
  std::uint64_t stream = 0;
  for (int i = 0; i < 16; ++i)
    stream = stream * 16 +
             static_cast<std::uint64_t>(std::stoi(model.digest().substr(static_cast<std::size_t>(i), 1), nullptr, 16));
  for (Eigen::Index c = 0; c < N; ++c) {
    OracleDraw draw;
    draw.key = {5, stream};
    draw.address.column = static_cast<std::uint64_t>(c);
    const auto x = fields.flat(c);
    const auto found = oracle(file, x, draw, Arithmetic::as_documented);
    const auto laws = oracle_laws(file.description, x);
    for (Eigen::Index i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      all.z(c * n + i) = found.draw[at];
      all.mu(c * n + i) = found.mean[at];
      all.S(c * n + i) = found.deviation[at] * found.deviation[at];
      for (Eigen::Index k = 0; k < m; ++k) all.A(c * m + k, c * n + i) = laws.A[static_cast<std::size_t>(k)][at];
      for (int k = 0; k < rows.k; ++k) all.A(N * m + k, c * n + i) = rows.at(c, k, static_cast<int>(i));
    }
    for (Eigen::Index k = 0; k < m; ++k) all.d(c * m + k) = laws.b[static_cast<std::size_t>(k)];
  }
  for (int k = 0; k < rows.k; ++k) all.d(N * m + k) = D[k];
  return all;
}

double largest_difference(const Fields<double>& fields, const Eigen::VectorXd& y) {
  double worst = 0.0;
  for (std::int64_t c = 0; c < fields.columns; ++c) {
    const auto found = fields.flat_outputs(c);
    for (int i = 0; i < n; ++i) worst = std::max(worst, std::abs(found[static_cast<std::size_t>(i)] - y(c * n + i)));
  }
  return worst;
}

}  // namespace

TEST(GlobalLaws, EqualDenseConditioningOfAllColumns) {
  const double D[] = {12.5, -40.0};
  for (const auto& [strategy, own_laws] :
       std::vector<std::pair<std::string, bool>>{{"conditional", false}, {"conditional", true}, {"none", false}})
    for (const int k : {1, 2}) {
      SCOPED_TRACE(testing::Message() << strategy << " " << k << (own_laws ? ", laws of each column" : ""));
      ModelFile file = ocean(strategy);
      if (own_laws) file.description.laws[1].terms[0].coefficient = Expression(6.0) + Expression::symbol("SST");
      const auto model = model_of(file);
      Fields<double> fields(*model, 23);
      const Rows rows(23, k);
      GlobalLaws laws(model, {k, 1, 0});
      draw_all(model, fields, laws, rows, D, 7);
      const Dense all = dense(file, *model, fields, rows, D, strategy == "conditional");
      EXPECT_LT(largest_difference(fields, all.conditioned(all.S)), 1e-10);
      // In another metric the laws hold too, but this is not the conditional draw.
      EXPECT_GT(largest_difference(fields, all.conditioned(Eigen::VectorXd::Ones(all.S.size()))), 1e-2);
      for (int row = 0; row < k; ++row) {
        EXPECT_EQ(laws.closure(0, row).right_hand_side, D[row]);
        EXPECT_GT(laws.closure(0, row).relative_before, 1e-3);
        EXPECT_LE(laws.closure(0, row).relative_after, 1e-14);
      }
      EXPECT_EQ(laws.columns(), 23);
      EXPECT_EQ(laws.left_out(), 0);
    }
}

// Positive outputs are drawn first: they enter the sums, the signed ones are conditioned on them and on all laws.
TEST(GlobalLaws, LeavePositiveOutputsAndMoveTheOthersExactly) {
  const double D[] = {12.5, -40.0};
  for (const bool local : {true, false}) {
    SCOPED_TRACE(local ? "with local laws" : "without");
    const auto mixed = [] { return mixed_model("exp", "hurdle_gamma,gamma,hurdle_log_normal", 5.0); };
    const HandModel made = mixed();
    HandModel free = mixed();  // z2 itself
    free.file.description.graph.back() = {"identity", {"z2"}, {"outputs"}, {}, {}};
    const auto model = model_of(local ? made.file : free.file), unconstrained = model_of(free.file);
    Fields<double> fields = fields_of(*model, made, 23, 30.0, 7.0), drawn = fields_of(*model, made, 23, 30.0, 7.0);
    const Rows rows(23, 2);
    GlobalLaws laws(model, {2, 1, 0});
    const auto options = [](std::int64_t columns, int global) {
      auto given = options_for(columns, Backend::openmp, global);
      given.override_stream = true;
      given.stream = 3;
      return given;
    };
    Workspace workspace(model, options(7, 2)), plain(unconstrained, options(23, 0));
    plain.run(drawn.arguments());
    laws.begin(D);
    for (const bool correct : {false, true}) {
      for (std::int64_t first = 0; first < 23; first += 7) {
        Chunk<double> part(fields, first, std::min<std::int64_t>(7, 23 - first), laws, rows);
        if (correct)
          workspace.correct(part.arguments);
        else
          workspace.run(part.arguments);
      }
      if (correct)
        laws.finish();
      else
        laws.close();
    }
    const Eigen::Index m = local ? 2 : 0;
    Dense all;
    all.z.resize(23 * n);
    all.S = Eigen::VectorXd::Zero(23 * n);
    all.A = Eigen::MatrixXd::Zero(23 * m + 2, 23 * n);
    all.d.resize(23 * m + 2);
    const double scale[n] = {2.0, 0.0, 0.0, 1.0, 0.0, 3.0};
    for (Eigen::Index c = 0; c < 23; ++c) {
      const auto x = fields.flat(c), z = drawn.flat_outputs(c);
      const OracleLaws own = oracle_laws(made.file.description, x);
      for (int i = 0; i < n; ++i) {
        all.z(c * n + i) = z[static_cast<std::size_t>(i)];
        const double s = scale[i] * (0.01 + std::exp(x[static_cast<std::size_t>(n + i)]));
        all.S(c * n + i) = s * s;
        for (Eigen::Index k = 0; k < m; ++k)
          all.A(c * m + k, c * n + i) = own.A[static_cast<std::size_t>(k)][static_cast<std::size_t>(i)];
        for (int k = 0; k < 2; ++k) all.A(23 * m + k, c * n + i) = rows.at(c, k, i);
      }
      for (Eigen::Index k = 0; k < m; ++k) all.d(c * m + k) = own.b[static_cast<std::size_t>(k)];
      for (const std::int64_t i : positive_elements)
        EXPECT_EQ(fields.flat_outputs(c)[static_cast<std::size_t>(i)], z[static_cast<std::size_t>(i)]);
    }
    for (int k = 0; k < 2; ++k) all.d(23 * m + k) = D[k];
    EXPECT_LT(largest_difference(fields, all.conditioned(all.S)), 1e-9);
    EXPECT_GT(largest_difference(fields, all.z), 1e-2);
    for (int k = 0; k < 2; ++k) EXPECT_LE(laws.closure(0, k).relative_after, 1e-14);
  }
}

// The correction by S instead of V = P S, and W_g of it: what a hand-made fixer does. It is told by the first test's
// bar.
TEST(GlobalLaws, ACorrectionThatForgetsTheLocalLawsFailsTheBar) {
  const double D[] = {12.5};
  const ModelFile file = ocean();
  const auto model = model_of(file);
  Fields<double> fields(*model, 23), plain(*model, 23);
  const Rows rows(23, 1);
  GlobalLaws laws(model);
  draw_all(model, fields, laws, rows, D, 7);
  Workspace(model, options_for(23)).run(plain.arguments());
  const Dense all = dense(file, *model, fields, rows, D, true);
  Eigen::VectorXd y(23 * n);
  double sum = -D[0], w = 0.0;
  for (std::int64_t c = 0; c < 23; ++c) {
    const auto found = plain.flat_outputs(c);
    for (int i = 0; i < n; ++i) {
      const auto at = static_cast<Eigen::Index>(c * n + i);
      y(at) = found[static_cast<std::size_t>(i)];
      sum += rows.at(c, 0, i) * y(at);
      w += rows.at(c, 0, i) * rows.at(c, 0, i) * all.S(at);
    }
  }
  for (std::int64_t c = 0; c < 23; ++c)
    for (int i = 0; i < n; ++i) y(c * n + i) -= all.S(c * n + i) * rows.at(c, 0, i) * sum / w;
  EXPECT_GT((y - all.conditioned(all.S)).cwiseAbs().maxCoeff(), 1e-2);
  EXPECT_LT(largest_difference(fields, all.conditioned(all.S)), 1e-10);
}

TEST(GlobalLaws, TheConditionalMeanIsCorrectedLikewise) {
  const double D[] = {12.5, -40.0};
  const ModelFile file = ocean();
  const auto model = model_of(file);
  Fields<double> fields(*model, 9);
  const Rows rows(9, 2);
  GlobalLaws laws(model, {2, 1, 0});
  Workspace workspace(model, options_for(9));
  laws.begin(D);
  Chunk<double> all_columns(fields, 0, 9, laws, rows);
  workspace.run_mean(all_columns.arguments);
  laws.close();
  workspace.correct(all_columns.arguments, true);
  laws.finish();
  Dense all = dense(file, *model, fields, rows, D, true);
  all.z = all.mu;
  EXPECT_LT(largest_difference(fields, all.conditioned(all.S)), 1e-10);
}

TEST(GlobalLaws, CloseGlobalAndLocalLawsToRounding) {
  const double D[] = {0.0, 3.0e4};
  const auto model = model_of(ocean());
  const Rows rows(3000, 2);
  GlobalLaws laws(model, {2, 1, 0});
  Fields<double> doubles(*model, 3000);
  draw_all(model, doubles, laws, rows, D, 500);
  for (int row = 0; row < 2; ++row) EXPECT_LE(laws.closure(0, row).relative_after, 1e-14);
  for (std::int64_t c = 0; c < 3000; ++c) {
    const auto y = doubles.flat_outputs(c);
    EXPECT_LE(std::abs(y[2] - y[0] + y[1]), 1e-14 * (std::abs(y[2]) + std::abs(y[0]) + std::abs(y[1])));
  }
  Fields<float> singles(*model, 3000);
  draw_all(model, singles, laws, rows, D, 500);
  for (int row = 0; row < 2; ++row) EXPECT_LE(laws.closure(0, row).relative_after, 5e-7);
}

TEST(GlobalLaws, SameBitsForChunksBackendsAndThreads) {
  const double D[] = {0.0, 100.0};
  const auto model = model_of(ocean());
  constexpr std::int64_t columns = 301;
  const Rows rows(columns, 2);
  GlobalLaws laws(model, {2, 1, 0});
  Fields<double> expected(*model, columns);
  draw_all(model, expected, laws, rows, D, columns);
  const double lambda[] = {laws.closure(0, 0).multiplier, laws.closure(0, 1).multiplier};
  for (const Backend backend : {Backend::serial, Backend::openmp})
    for (const std::int64_t chunk : {1, 2, 7, 16, 31, 33, 100, 301}) {
      SCOPED_TRACE(chunk);
      Fields<double> found(*model, columns);
      draw_all(model, found, laws, rows, D, chunk, backend);
      EXPECT_EQ(laws.closure(0, 0).multiplier, lambda[0]);
      EXPECT_EQ(laws.closure(0, 1).multiplier, lambda[1]);
      EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
    }
  Fields<double> found(*model, columns);
  laws.begin(D);
  for (int phase = 0; phase < 2; ++phase) {
    std::vector<std::thread> threads;
    std::atomic<std::int64_t> next{0};
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        Workspace workspace(model, options_for(10));
        for (std::int64_t first; (first = 10 * next++) < columns;) {
          Chunk<double> part(found, first, std::min<std::int64_t>(10, columns - first), laws, rows);
          phase == 0 ? workspace.run(part.arguments) : workspace.correct(part.arguments);
        }
      });
    for (auto& thread : threads) thread.join();
    phase == 0 ? laws.close() : laws.finish();
  }
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
}

TEST(GlobalLaws, DrawsFollowTheExactConditionalLaw) {
  const double D[] = {4.0, -2.0};
  const ModelFile file = ocean();
  const auto model = model_of(file);
  constexpr std::int64_t columns = 3;
  constexpr int members = 20000;
  const Rows rows(columns, 2);
  Fields<double> fields(*model, columns);
  Workspace workspace(model, options_for(columns));
  GlobalLaws laws(model, {2, members, 0});
  Eigen::MatrixXd y(members, columns * n), projected(members, columns * n);
  const Dense all = dense(file, *model, fields, rows, D, true);
  const Eigen::MatrixXd onto = all.A.transpose() * (all.A * all.A.transpose()).inverse();
  laws.begin(D);
  for (int phase = 0; phase < 2; ++phase) {
    for (int member = 0; member < members; ++member) {
      Chunk<double> part(fields, 0, columns, laws, rows, static_cast<std::uint64_t>(member));
      phase == 0 ? workspace.run(part.arguments) : workspace.correct(part.arguments);
      auto& to = phase == 0 ? projected : y;
      for (std::int64_t c = 0; c < columns; ++c) {
        const auto found = fields.flat_outputs(c);
        for (int i = 0; i < n; ++i) to(member, c * n + i) = found[static_cast<std::size_t>(i)];
      }
    }
    if (phase == 0) laws.close();
  }
  laws.finish();
  const Eigen::VectorXd s = all.S.cwiseSqrt();
  const auto fit = goodness_of_fit(y, all.A, all.mu, s, all.d);
  EXPECT_GT(fit.p, 1e-4) << fit.text();
  // Moved onto the laws by the shortest way: closed, but another law.
  for (int member = 0; member < members; ++member) {
    const Eigen::VectorXd draw = projected.row(member).transpose();
    projected.row(member) = (draw - onto * (all.A * draw - all.d)).transpose();
  }
  EXPECT_LT(goodness_of_fit(projected, all.A, all.mu, s, all.d).p, 1e-4);
}

TEST(GlobalLaws, AColumnWithoutAResultIsLeftOut) {
  const double D[] = {1.0};
  const auto model = model_of(ocean());
  const Rows rows(40, 1);
  GlobalLaws laws(model);
  Fields<double> fields(*model, 40), without(*model, 40);
  fields.inputs[2][13] = without.inputs[2][13] = NAN;
  draw_all(model, fields, laws, rows, D, 8);
  EXPECT_EQ(laws.columns(), 39);
  EXPECT_EQ(laws.left_out(), 1);
  EXPECT_LE(laws.closure(0, 0).relative_after, 1e-14);
  for (const auto& output : fields.outputs) EXPECT_EQ(output[13], Fields<double>::untouched);
  // Masked out it is the same for the others.
  std::vector<std::uint8_t> mask(40, 1);
  mask[13] = 0;
  Workspace workspace(model, options_for(40));
  laws.begin(D);
  Chunk<double> part(without, 0, 40, laws, rows);
  part.arguments.mask = mask.data();
  workspace.run(part.arguments);
  laws.close();
  workspace.correct(part.arguments);
  laws.finish();
  EXPECT_EQ(laws.left_out(), 0);
  EXPECT_TRUE(same_bits(fields.outputs, without.outputs));
}

TEST(GlobalLaws, FailuresCorrectNothing) {
  const double D[] = {1.0, 2.0};
  const auto model = model_of(ocean()), other = model_of(ocean("none"));
  Rows rows(20, 2);
  GlobalLaws laws(model, {2, 3, 10});
  Workspace workspace(model, options_for(20));
  Fields<double> fields(*model, 20);
  Chunk<double> part(fields, 0, 20, laws, rows, 10);
  const auto run = [&] { workspace.run(part.arguments); };
  const auto correct = [&] { workspace.correct(part.arguments); };
  expect_error(Status::invalid_argument, "begun", run);
  laws.begin(D);
  expect_error(Status::invalid_argument, "closed", correct);
  part.arguments.member = 13;
  expect_error(Status::out_of_range, "member 13", run);
  part.arguments.member = 10;
  part.arguments.global_rows.coefficients = nullptr;
  expect_error(Status::invalid_argument, "null", run);
  part.arguments.global_rows = rows.from(0);
  for (const auto& output : fields.outputs)
    for (const double y : output) EXPECT_EQ(y, Fields<double>::untouched);
  Workspace narrow(model, options_for(20, Backend::serial, 1)), stranger(other, options_for(20));
  expect_error(Status::invalid_argument, "global_rows", [&] { narrow.run(part.arguments); });
  expect_error(Status::invalid_argument, "another model", [&] { stranger.run(part.arguments); });
  // Only one of three members was drawn: the others' laws can't be met.
  run();
  const auto drawn = fields.outputs;
  expect_error(Status::rank_deficient, "member 11", [&] { laws.close(); });
  expect_error(Status::invalid_argument, "closed", correct);
  EXPECT_TRUE(same_bits(drawn, fields.outputs));

  // A rank that failed; a reduction that failed.
  laws.begin(D);
  expect_error(Status::no_space, "no_space", [&] { laws.close(Status::no_space); });
  laws.begin(D);
  expect_error(Status::io_error, "reduction", [&] {
    laws.close(
        Status::ok, [](void*, std::int64_t*, std::size_t) { return Status::io_error; }, nullptr);
  });
  expect_error(Status::invalid_argument, "invalid_argument", [&] { laws.close(); });  // not begun
  const double infinite[] = {1.0, INFINITY};
  expect_error(Status::non_finite, "global law 1", [&] { laws.begin(infinite); });

  GlobalLaws two(model, {2, 1, 0});
  const auto close_with = [&](const std::function<void(Rows&)>& change) {
    Rows changed(20, 2);
    change(changed);
    two.begin(D);
    Chunk<double> chunk(fields, 0, 20, two, changed);
    workspace.run(chunk.arguments);
    two.close();
  };
  const auto set = [](Rows& to, int row, auto&& value) {
    for (std::size_t c = 0; c < 20; ++c)
      for (std::size_t i = 0; i < n; ++i) to.b[(c * 2 + static_cast<std::size_t>(row)) * n + i] = value(c, i);
  };
  expect_error(Status::rank_deficient, "global law 1", [&] {
    close_with([&](Rows& to) { set(to, 1, [&](std::size_t c, std::size_t i) { return 3.0 * to.b[c * 2 * n + i]; }); });
  });
  expect_error(Status::rank_deficient, "global law 0",
               [&] { close_with([&](Rows& to) { set(to, 0, [](std::size_t, std::size_t) { return 0.0; }); }); });
  // What the local laws fix already: FDR - FSR + FUL.
  expect_error(Status::rank_deficient, "global law 1", [&] {
    close_with([&](Rows& to) {
      set(to, 1, [](std::size_t, std::size_t i) { return i == 0 ? -1.0 : i == 1 || i == 2 ? 1.0 : 0.0; });
    });
  });
  expect_error(Status::non_finite, "global law 1", [&] { close_with([&](Rows& to) { to.b[n + 2] = NAN; }); });

  // Inputs that changed between run and correct are found by finish; the next step is good again.
  two.begin(D);
  Chunk<double> chunk(fields, 0, 20, two, rows);
  workspace.run(chunk.arguments);
  two.close();
  fields.inputs[1][3] += 0.25;
  workspace.correct(chunk.arguments);
  expect_error(Status::invalid_argument, "same arguments", [&] { two.finish(); });
  two.begin(D);
  workspace.run(chunk.arguments);
  two.close();
  expect_error(Status::invalid_argument, "same arguments", [&] { two.finish(); });  // never corrected
  two.begin(D);
  workspace.run(chunk.arguments);
  two.close();
  workspace.correct(chunk.arguments);
  two.finish();
  EXPECT_LE(two.closure(0, 1).relative_after, 1e-14);
  expect_error(Status::out_of_range, "global law 2", [&] { two.closure(0, 2); });
}

TEST(GlobalLaws, ModelsThatAreNoGaussianDrawAreRefused) {
  expect_error(Status::unsupported, "another metric", [] { GlobalLaws(model_of(ocean("projection"))); });
  expect_error(Status::unsupported, "no gaussian_draw", [] { GlobalLaws(model_of(sample_model({}).file)); });
  expect_error(Status::unsupported, "another metric", [] { Workspace(model_of(ocean("projection")), options_for(1)); });
  expect_error(Status::invalid_argument, "rows", [] { GlobalLaws(model_of(ocean()), {0, 1, 0}); });
  expect_error(Status::invalid_argument, "members", [] { GlobalLaws(model_of(ocean()), {1, 0, 0}); });
  auto options = options_for(1);
  options.global_rows = 65;
  expect_error(Status::invalid_argument, "global_rows", [&] { Workspace(model_of(ocean()), options); });
}

TEST(GlobalLaws, NoColumnsTouchNothing) {
  const auto model = model_of(ocean());
  GlobalLaws laws(model);
  Workspace workspace(model, options_for(4));
  laws.begin(nullptr);
  RunArguments nothing;
  nothing.global = &laws;
  EXPECT_EQ(workspace.run(nothing).columns, 0);
  expect_error(Status::rank_deficient, "no output", [&] { laws.close(); });  // nobody has columns
}
