// The emulator beside the host's own scheme: figures against a plain loop, the same bits for every order.

#include "monitor_fixture.hpp"

#include <atomic>
#include <thread>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

bool usable(const Step& step, std::int64_t c) {
  const Status s = step.status[static_cast<std::size_t>(c)];
  return s == Status::ok || s == Status::out_of_range;
}

/// A law of one source by a plain loop.
void expect_closure(const MonitorClosure& found, const ModelFile& file, const Step& step, std::size_t l, bool original,
                    double rounding) {
  long double squares = 0.0L;
  double worst = -1.0, absolute = 0.0, largest = 0.0;
  std::uint64_t id = 0;
  std::int64_t n = 0, column = -1;
  for (std::int64_t c = 0; c < step.fields.columns; ++c) {
    if (!usable(step, c)) continue;
    const auto laws = oracle_laws(file.description, step.fields.flat(c));
    const auto y = original ? step.originals(c) : step.fields.flat_outputs(c);
    long double residual = -static_cast<long double>(laws.b[l]), size = std::abs(laws.b[l]);
    for (std::size_t i = 0; i < y.size(); ++i) {
      residual += static_cast<long double>(laws.A[l][i]) * y[i];
      size += std::abs(static_cast<long double>(laws.A[l][i]) * y[i]);
    }
    ++n;
    largest = std::max(largest, static_cast<double>(size));
    squares += residual * residual;
    absolute = std::max(absolute, static_cast<double>(std::abs(residual)));
    const double relative = residual == 0.0L ? 0.0 : static_cast<double>(std::abs(residual) / size);
    if (relative > worst) {
      worst = relative;
      column = c;
      id = step.ids[static_cast<std::size_t>(c)];
    }
  }
  EXPECT_EQ(found.columns, n);
  EXPECT_EQ(found.non_finite, 0);
  EXPECT_NEAR(found.max_relative, worst, rounding);
  EXPECT_NEAR(found.max_absolute, absolute, rounding * largest);
  EXPECT_NEAR(found.rms, std::sqrt(static_cast<double>(squares / n)), rounding * largest);
  if (!original) return;  // rounding alone: whose is the largest hangs on the order of the sum
  EXPECT_EQ(found.worst_column, column);
  EXPECT_EQ(found.worst_id, id);
  double sum = -found.right_hand_side, size = std::abs(sum);
  for (const auto& term : found.terms) {
    sum += term.coefficient * term.value;
    size += std::abs(term.coefficient * term.value);
  }
  EXPECT_NEAR(std::abs(sum) / size, worst, rounding);
  const auto laws = oracle_laws(file.description, step.fields.flat(column));
  const auto y = step.originals(column);
  EXPECT_NEAR(found.right_hand_side, laws.b[l], 1e-13 * (1.0 + std::abs(laws.b[l])));
  for (const auto& term : found.terms) {
    const auto i = static_cast<std::size_t>(file.description.layout.offset(term.variable) + term.element);
    EXPECT_EQ(term.value, y[i]) << term.variable;
    EXPECT_NEAR(term.coefficient, laws.A[l][i], 1e-13 * (1.0 + std::abs(laws.A[l][i]))) << term.variable;
  }
}

void expect_skill(const MonitorSkill& found, const Step& step, std::size_t v) {
  const auto elements = static_cast<std::size_t>(step.fields.output_fields[v].elements);
  std::vector<long double> m_mean(elements), o_mean(elements);
  std::vector<std::int64_t> columns;
  for (std::int64_t c = 0; c < step.fields.columns; ++c)
    if (usable(step, c)) columns.push_back(c);
  const auto m = [&](std::int64_t c, std::size_t e) {
    return step.fields.outputs[v][static_cast<std::size_t>(c) * elements + e];
  };
  const auto o = [&](std::int64_t c, std::size_t e) { return step.own[v][static_cast<std::size_t>(c) * elements + e]; };
  const auto count = static_cast<long double>(columns.size());
  for (std::size_t e = 0; e < elements; ++e)
    for (const auto c : columns) {
      m_mean[e] += m(c, e) / count;
      o_mean[e] += o(c, e) / count;
    }
  long double bias = 0, absolute = 0, squared = 0, mm = 0, oo = 0, mo = 0;
  for (std::size_t e = 0; e < elements; ++e)
    for (const auto c : columns) {
      const long double error = static_cast<long double>(m(c, e)) - o(c, e);
      bias += error, absolute += std::abs(error), squared += error * error;
      const long double dm = m(c, e) - m_mean[e], d = o(c, e) - o_mean[e];
      mm += dm * dm, oo += d * d, mo += dm * d;
    }
  const long double n = count * static_cast<long double>(elements);
  EXPECT_EQ(found.columns, static_cast<std::int64_t>(columns.size()));
  EXPECT_NEAR(found.bias, static_cast<double>(bias / n), 1e-12);
  EXPECT_NEAR(found.mean_absolute_error, static_cast<double>(absolute / n), 1e-12);
  EXPECT_NEAR(found.rmse, std::sqrt(static_cast<double>(squared / n)), 1e-12);
  EXPECT_NEAR(found.correlation, static_cast<double>(mo / std::sqrt(mm * oo)), 1e-10);
  EXPECT_NEAR(found.r_squared, static_cast<double>(1.0L - squared / oo), 1e-10);
}

ModelFile column_file() { return column_laws().build(); }

}  // namespace

TEST(Monitor, FiguresAreThoseOfAPlainLoop) {
  for (const ModelFile& file : {column_file(), ModelBuilder::ocean().build()}) {
    Step step(model_of(file));
    MonitorOptions options;
    Monitor monitor(step.model, options);
    monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
    EXPECT_EQ(monitor.end_step(3), Status::ok);
    const MonitorReport& report = monitor.report();
    EXPECT_EQ(report.step, 3u);
    EXPECT_EQ(report.columns, 299);
    EXPECT_EQ(report.left_out, 1);
    EXPECT_EQ(report.out_of_range, 1);
    EXPECT_FALSE(report.violated);
    ASSERT_EQ(report.laws.size(), file.description.laws.size());
    for (std::size_t l = 0; l < report.laws.size(); ++l) {
      SCOPED_TRACE(report.laws[l].name);
      expect_closure(report.laws[l].emulated, file, step, l, false, 2e-15);
      expect_closure(report.laws[l].original, file, step, l, true, 1e-13);
      EXPECT_FALSE(report.laws[l].emulated.violated);
      EXPECT_TRUE(report.laws[l].original.violated);
      EXPECT_LE(report.laws[l].emulated.max_relative, 1e-14);
    }
    ASSERT_EQ(report.variables.size(), step.own.size());
    for (std::size_t v = 0; v < step.own.size(); ++v) {
      SCOPED_TRACE(report.variables[v].name);
      expect_skill(report.variables[v], step, v);
    }
  }
}

TEST(Monitor, TheRunsOwnCountIsTheMonitorsCount) {
  const auto model = model_of(column_file());
  Workspace workspace(model);
  Fields<float> fields(*model, 200);
  const RunReport run = workspace.run(fields.arguments());
  Monitor monitor(model);
  monitor.add(fields.arguments());
  EXPECT_EQ(monitor.end_step(0), Status::ok);
  for (std::size_t l = 0; l < run.laws.size(); ++l) {
    const MonitorLaw& law = monitor.report().laws[l];
    EXPECT_EQ(law.emulated.max_relative, run.laws[l].max_relative);
    EXPECT_EQ(law.emulated.max_absolute, run.laws[l].max_absolute);
    EXPECT_EQ(law.emulated.worst_column, run.laws[l].worst_column);
    EXPECT_EQ(law.tolerance, 5e-7);  // floats
    EXPECT_GT(law.emulated.max_relative, 1e-10);
    EXPECT_FALSE(law.emulated.violated);
    EXPECT_EQ(law.original.columns, 0);
  }
  for (const auto& variable : monitor.report().variables) EXPECT_EQ(variable.columns, 0);
}

TEST(Monitor, TheLogIsTheSameToTheByteForEveryChunkOrderAndThread) {
  const Scratch scratch;
  Step step(model_of(column_file()));
  const auto log_of = [&](const std::string& name, auto&& add) {
    MonitorOptions options;
    options.log = scratch.file(name);
    {
      Monitor monitor(step.model, options);
      for (std::uint64_t n = 0; n < 2; ++n) {  // nothing is left of the step before
        add(monitor);
        EXPECT_EQ(monitor.end_step(n), Status::ok);
      }
    }
    const std::string text = text_of(options.log);
    fs::remove(options.log);
    return text;
  };
  const auto whole = log_of("whole.csv", [&](Monitor& monitor) { step.add(monitor, 0, 300); });
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 1 + 2 * (4 * 2 + 4));
  for (const std::int64_t chunk : {1, 7, 32, 33, 299})
    EXPECT_EQ(whole, log_of("chunks.csv", [&](Monitor& monitor) {
                for (std::int64_t first = 300 - chunk; first > -chunk; first -= chunk)  // backwards
                  step.add(monitor, std::max<std::int64_t>(first, 0), std::min(chunk, first + chunk));
              })) << chunk;
  EXPECT_EQ(whole, log_of("threads.csv", [&](Monitor& monitor) {
              std::atomic<std::int64_t> next{0};
              std::vector<std::thread> threads;
              for (int t = 0; t < 8; ++t)
                threads.emplace_back([&] {
                  for (std::int64_t c; (c = next.fetch_add(5)) < 300;) step.add(monitor, c, 5);
                });
              for (auto& thread : threads) thread.join();
            }));
}

TEST(Monitor, FieldsAreTakenWhereTheyLie) {
  Step step(model_of(column_file()));
  for (double& x : step.own[1]) x = static_cast<double>(static_cast<float>(x));
  Monitor whole(step.model), other(step.model);
  // Half of the columns, by list and by mask; the host's own outputs as elements outermost, one of them as float.
  std::vector<std::int64_t> list;
  std::vector<std::uint8_t> mask(300, 0);
  for (std::int64_t c = 299; c >= 0; c -= 2) list.push_back(c), mask[static_cast<std::size_t>(c)] = 1;
  RunArguments a = step.arguments();
  a.active = list.data();
  a.active_count = static_cast<std::int64_t>(list.size());
  whole.add(a, step.own_fields.data(), step.own_fields.size());
  a = step.arguments();
  a.mask = mask.data();
  std::vector<std::vector<double>> turned;
  auto fields = step.own_fields;
  for (auto& field : fields) {
    auto& data = turned.emplace_back(300 * static_cast<std::size_t>(field.elements));
    for (std::int64_t c = 0; c < 300; ++c)
      for (std::int64_t e = 0; e < field.elements; ++e)
        data[static_cast<std::size_t>(e * 300 + c)] = static_cast<const double*>(field.data)[c * field.elements + e];
    field.data = data.data();
    field.column_stride = 1;
    field.element_stride = 300;
  }
  std::vector<float> narrow(step.own[1].begin(), step.own[1].end());
  fields[1].data = narrow.data();
  fields[1].precision = Precision::f32;
  fields[1].column_stride = 1;
  fields[1].element_stride = 1;
  // In blocks of 7 columns, where they lie as before.
  a.block_columns = 7;
  auto in = step.fields.input_fields;
  auto out = step.fields.output_fields;
  for (auto& field : in) field.block_stride = 7 * field.column_stride;
  for (auto& field : out) field.block_stride = 7 * field.column_stride;
  for (auto& field : fields) field.block_stride = 7 * field.column_stride;
  a.inputs = in.data();
  a.outputs = out.data();
  other.add(a, fields.data(), fields.size());
  EXPECT_EQ(whole.end_step(1), Status::ok);
  EXPECT_EQ(other.end_step(1), Status::ok);
  const auto &expected = whole.report(), &found = other.report();
  EXPECT_EQ(expected.columns, 149);  // column 17 has no result
  EXPECT_EQ(expected.columns + expected.left_out, 150);
  EXPECT_EQ(found.columns, expected.columns);
  for (std::size_t l = 0; l < expected.laws.size(); ++l) {
    EXPECT_EQ(found.laws[l].emulated.rms, expected.laws[l].emulated.rms);
    EXPECT_EQ(found.laws[l].original.rms, expected.laws[l].original.rms);
    EXPECT_EQ(found.laws[l].original.worst_id, expected.laws[l].original.worst_id);
  }
  for (std::size_t v = 0; v < 4; ++v) {
    EXPECT_EQ(found.variables[v].rmse, expected.variables[v].rmse);
    EXPECT_EQ(found.variables[v].correlation, expected.variables[v].correlation);
  }
}

TEST(Monitor, EachLawHasItsTolerance) {
  auto builder = ModelBuilder::ocean();
  builder.laws[0].physics_tolerance = 0.3;
  Step step(model_of(builder.build()));
  step.fields.outputs[2][55] += 0.25;
  const auto violated = [&](std::vector<MonitorTolerance> tolerances) {
    MonitorOptions options;
    options.tolerances = std::move(tolerances);
    Monitor monitor(step.model, options);
    monitor.add(step.arguments());
    EXPECT_EQ(monitor.end_step(0), Status::ok);
    std::vector<bool> laws;
    for (const auto& law : monitor.report().laws) laws.push_back(law.emulated.violated);
    return laws;
  };
  using T = MonitorTolerance;
  EXPECT_EQ(violated({}), (std::vector<bool>{true, true}));
  EXPECT_EQ(violated({T::physics, T::identity}), (std::vector<bool>{false, true}));
  EXPECT_EQ(violated({T::physics, T::physics}), (std::vector<bool>{false, true}));  // the second has none of its own
  step.fields.outputs[2][55] += 0.1;
  EXPECT_EQ(violated({T::physics, T::physics}), (std::vector<bool>{true, true}));
}

TEST(Monitor, ALawIsJudgedByThePrecisionOfItsOwnOutputs) {
  Step step(model_of(ModelBuilder::ocean().build()));
  // FUL, of the first law alone, is a float in the second of two chunks.
  const auto& outputs = step.model->outputs();
  const auto ful = static_cast<std::size_t>(
      std::find_if(outputs.begin(), outputs.end(), [](const auto& v) { return v.name == "FUL"; }) - outputs.begin());
  std::vector<float> single(step.fields.outputs[ful].begin(), step.fields.outputs[ful].end());
  auto mixed = step.fields.output_fields, own = step.own_fields;
  mixed[ful].data = single.data();
  mixed[ful].precision = Precision::f32;
  RunArguments second = step.arguments();
  second.outputs = mixed.data();
  std::vector<std::uint8_t> odd(300), even(300);
  for (std::size_t c = 0; c < 300; ++c) odd[c] = c % 2, even[c] = !odd[c];
  RunArguments first = step.arguments();
  first.mask = even.data();
  second.mask = odd.data();
  Monitor monitor(step.model);
  for (int turn = 0; turn < 2; ++turn) {  // in either order
    monitor.add(turn == 0 ? first : second);
    monitor.add(turn == 0 ? second : first);
    EXPECT_EQ(monitor.end_step(0), Status::ok);
    const auto& laws = monitor.report().laws;
    EXPECT_EQ(laws[0].tolerance, 5e-7);
    EXPECT_EQ(laws[1].tolerance, 1e-14);
    EXPECT_GT(laws[0].emulated.max_relative, 1e-10);
    EXPECT_FALSE(laws[0].emulated.violated);
    EXPECT_FALSE(laws[1].emulated.violated);
  }
  // The next step is double again; the host's own floats are the host's.
  std::vector<float> host(step.own[ful].begin(), step.own[ful].end());
  own[ful].data = host.data();
  own[ful].precision = Precision::f32;
  monitor.add(first, own.data(), own.size());
  EXPECT_EQ(monitor.end_step(1), Status::ok);
  EXPECT_EQ(monitor.report().laws[0].tolerance, 1e-14);
  // What misses 1e-14 of a law of doubles alone is a violation, whatever the others are stored as.
  const auto fdh = static_cast<std::size_t>(
      std::find_if(outputs.begin(), outputs.end(), [](const auto& v) { return v.name == "FDH"; }) - outputs.begin());
  step.fields.outputs[fdh][51] *= 1.0 + 1e-9;
  monitor.add(second);
  EXPECT_EQ(monitor.end_step(2), Status::ok);
  EXPECT_FALSE(monitor.report().laws[0].emulated.violated);
  EXPECT_TRUE(monitor.report().laws[1].emulated.violated);
}

TEST(Monitor, WhatIsNoNumberIsCountedAndViolates) {
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.stop = true;
  const Warnings warnings;
  step.own[0][3] = std::nan("");  // FSR, in the first law alone
  Monitor monitor(step.model, options);
  monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
  EXPECT_EQ(monitor.end_step(0), Status::ok);  // the host's own does not stop the host
  EXPECT_EQ(monitor.report().laws[0].original.non_finite, 1);
  EXPECT_EQ(monitor.report().laws[0].original.columns, 298);
  EXPECT_EQ(monitor.report().laws[1].original.non_finite, 0);
  EXPECT_EQ(monitor.report().variables[0].non_finite, 1);
  EXPECT_EQ(monitor.report().variables[0].columns, 298);
  EXPECT_EQ(monitor.report().variables[1].columns, 299);
  EXPECT_TRUE(std::isfinite(monitor.report().variables[0].rmse));
  step.fields.outputs[0][3] = std::nan("");
  monitor.add(step.arguments());
  EXPECT_EQ(monitor.end_step(1), Status::law_violated);
  EXPECT_NE(monitor.report().message.find("no number in 1 columns"), std::string::npos) << monitor.report().message;
  // Without a status a column whose inputs are no numbers has no result all the same.
  RunArguments silent = step.arguments();
  silent.status = nullptr;
  step.fields.outputs[0][3] = step.fields.outputs[0][4];
  step.fields.outputs[0][17] = std::nan("");
  Monitor unaware(step.model);
  unaware.add(silent);
  EXPECT_EQ(unaware.end_step(0), Status::ok);
  EXPECT_EQ(unaware.report().left_out, 1);
  EXPECT_EQ(unaware.report().laws[0].emulated.non_finite, 0);
  step.fields.outputs[0][3] = std::nan("");
  // The emulator's own status says that there is no result: neither counted nor a violation.
  step.status[3] = Status::non_finite;
  monitor.add(step.arguments());
  EXPECT_EQ(monitor.end_step(2), Status::ok);
  EXPECT_EQ(monitor.report().left_out, 2);
}

TEST(Monitor, NumbersThatDoNotVaryHaveNoCorrelation) {
  Step step(model_of(ModelBuilder::ocean().build()));
  std::fill(step.own[0].begin(), step.own[0].end(), 287.3);
  Monitor monitor(step.model);
  monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
  EXPECT_EQ(monitor.end_step(0), Status::ok);
  EXPECT_TRUE(std::isnan(monitor.report().variables[0].correlation));
  EXPECT_TRUE(std::isnan(monitor.report().variables[0].r_squared));
  EXPECT_TRUE(std::isfinite(monitor.report().variables[0].bias));
}

TEST(Monitor, ZeroColumnsTouchNothing) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Monitor monitor(model);
  monitor.add(RunArguments{});
  EXPECT_EQ(monitor.end_step(0), Status::ok);
  EXPECT_EQ(monitor.report().columns, 0);
  EXPECT_FALSE(monitor.report().violated);
  EXPECT_EQ(monitor.report().laws[0].emulated.worst_column, -1);
}

TEST(Monitor, UsesTheHostsConstants) {
  ModelBuilder b;
  b.input("x");
  b.output("a").output("b");
  b.constants = {{"cp", "1", 3.0}};
  b.law("law", {{"a", 1.0}, {"b", 1.0}}, Expression::symbol("x"));
  b.laws[0].terms[0].coefficient = Expression::symbol("cp");
  const auto model = model_of(b.build());
  const HostConstant cp{"cp", 3.0 + 1e-7, "1"};
  HostConstants host;
  host.constants = &cp;
  host.constant_count = 1;
  const auto own = model->with_constants(host);
  Fields<double> fields(*own, 100);
  Workspace(own).run(fields.arguments());
  for (const bool registered : {false, true}) {
    Monitor monitor(registered ? own : model);
    monitor.add(fields.arguments());
    EXPECT_EQ(monitor.end_step(0), Status::ok);
    EXPECT_EQ(monitor.report().violated, !registered);
    EXPECT_EQ(monitor.report().laws[0].emulated.terms[0].coefficient, registered ? 3.0 + 1e-7 : 3.0);
  }
}

TEST(Monitor, OfEqualResidualsTheSmallestIdIsNamed) {
  ModelBuilder b;  // two constants that meet their law exactly in every column
  b.input("x");
  b.output("a").output("b").output("c");
  b.output_mean = {3.0, 1.0, 0.0};
  b.output_scale = {0.0, 0.0, 2.0};
  b.law("constants", {{"a", 1.0}, {"b", -3.0}});
  Step step(model_of(b.build()));
  const auto smallest = std::min_element(step.ids.begin(), step.ids.end()) - step.ids.begin();
  for (const bool backwards : {false, true}) {
    Monitor monitor(step.model);
    for (std::int64_t i = 0; i < 10; ++i) step.add(monitor, 30 * (backwards ? 9 - i : i), 30);
    EXPECT_EQ(monitor.end_step(0), Status::ok);
    const MonitorClosure& found = monitor.report().laws[0].emulated;
    EXPECT_EQ(found.max_relative, 0.0);
    EXPECT_EQ(found.worst_id, step.ids[static_cast<std::size_t>(smallest)]);
    EXPECT_EQ(found.worst_column, smallest % 30);
    EXPECT_EQ(found.terms.size(), 2u);
  }
}
