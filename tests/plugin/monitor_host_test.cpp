// The monitor as a host meets it: warnings and stops, its steps, mistakes, the log and a full disk.

#include "monitor_fixture.hpp"

#include <sys/resource.h>

#include <csignal>

using namespace lavoisier;
using namespace lavoisier::tests;

TEST(Monitor, WarnsOrStopsAtTheHostsChoice) {
  for (const bool stop : {false, true}) {
    const Warnings warnings;
    Step step(model_of(ModelBuilder::ocean().build()));
    MonitorOptions options;
    options.stop = stop;
    Monitor monitor(step.model, options);
    monitor.add(step.arguments());
    EXPECT_EQ(monitor.end_step(1), Status::ok);
    EXPECT_TRUE(monitor.report().message.empty());
    EXPECT_TRUE(warnings.texts.empty());
    step.fields.outputs[2][55] += 0.25;  // FDR, in both laws
    monitor.add(step.arguments());
    EXPECT_EQ(monitor.end_step(2), stop ? Status::law_violated : Status::ok);
    EXPECT_TRUE(monitor.report().violated);
    ASSERT_EQ(warnings.texts.size(), 1u);
    EXPECT_EQ(warnings.texts[0], monitor.report().message);
    const std::string where =
        "expected at most 1e-14; worst in column 55 (id " + std::to_string(step.ids[55]) + "): FDR 1*";
    for (const std::string& part : {std::string("step 2: the emulator violates law 'radiation': relative residual "),
                                    std::string("law 'net_heat'"), where})
      EXPECT_NE(warnings.texts[0].find(part), std::string::npos) << part << " in " << warnings.texts[0];
    EXPECT_NEAR(monitor.report().laws[0].emulated.max_absolute, 0.25, 1e-12);
  }
}

TEST(Monitor, EndsAfterItsSteps) {
  const Scratch scratch;
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.steps = 2;
  options.log = scratch.file("log.csv");
  Monitor monitor(step.model, options);
  for (std::uint64_t n = 0; n < 4; ++n) {
    EXPECT_EQ(monitor.is_active(), n < 2);
    monitor.add(step.arguments());
    EXPECT_EQ(monitor.end_step(n), Status::ok);
  }
  EXPECT_EQ(monitor.report().step, 1u);
  const std::string text = text_of(options.log);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 2 * 2);
  options.steps = 0;
  options.log = scratch.file("none.csv");
  Monitor off(step.model, options);
  EXPECT_FALSE(off.is_active());
  RunArguments nonsense;
  nonsense.columns = -5;
  EXPECT_NO_THROW(off.add(nonsense));  // nothing is looked at
  EXPECT_FALSE(fs::exists(options.log));
}

TEST(Monitor, EachMistakeHasItsStatus) {
  Step step(model_of(ModelBuilder::ocean().build()));
  Monitor monitor(step.model);
  const auto refuse = [&](Status status, const std::string& part, auto change) {
    RunArguments a = step.arguments();
    auto own = step.own_fields;
    auto in = step.fields.input_fields;
    a.inputs = in.data();
    change(a, own, in);
    expect_error(status, part, [&] { monitor.add(a, own.data(), own.size()); });
  };
  using A = RunArguments&;
  using O = std::vector<OutputField>&;
  using I = std::vector<InputField>&;
  refuse(Status::unit_mismatch,
         "of the host's own scheme: output 'FUL': expected units 'W m-2', 'W/m2', found 'kW m-2'",
         [](A, O o, I) { o[1].units = "kW m-2"; });
  refuse(Status::not_found, "of the host's own scheme: no field is given for the model's output 'FDH'",
         [](A, O o, I) { o.pop_back(); });
  refuse(Status::shape_mismatch, "of the host's own scheme: output 'FSR': the run has 300 columns, the field 299",
         [](A, O o, I) { o[0].columns = 299; });
  refuse(Status::shape_mismatch, "device memory", [](A, O o, I) { o[0].space = MemorySpace::device; });
  refuse(Status::invalid_argument, "its data is null", [](A, O o, I) { o[0].data = nullptr; });
  refuse(Status::not_found, "did you mean 'SST'", [](A, O, I i) { i[1].name = "SSTT"; });
  refuse(Status::invalid_argument, "columns: expected 0 or more", [](A a, O, I) { a.columns = -1; });
  static const std::int64_t outside[] = {3, 300}, twice[] = {5, 3, 5};
  refuse(Status::out_of_range, "active[1] is 300", [](A a, O, I) { a.active = outside; a.active_count = 2; });
  refuse(Status::invalid_argument, "column 5 is twice", [](A a, O, I) { a.active = twice; a.active_count = 3; });
  EXPECT_EQ(monitor.end_step(0), Status::ok);
  EXPECT_EQ(monitor.report().columns, 0);  // nothing of them was counted

  MonitorOptions options;
  options.steps = -2;
  expect_error(Status::invalid_argument, "steps: expected -1", [&] { Monitor(step.model, options); });
  options = {};
  options.tolerances.resize(3);
  expect_error(Status::shape_mismatch, "expected one a law (2) or none, found 3",
               [&] { Monitor(step.model, options); });
  expect_error(Status::invalid_argument, "a monitor needs a model", [] { Monitor(nullptr); });
}

TEST(Monitor, ALogThatCannotBeOpenedIsAStatus) {
  const Scratch scratch;
  const auto model = model_of(ModelBuilder::ocean().build());
  const auto refuse = [&](Status status, const std::string& part, const std::string& path) {
    MonitorOptions options;
    options.log = path;
    expect_error(status, part, [&] { Monitor(model, options); });
  };
  refuse(Status::not_found, "No such file or directory", scratch.file("no/such/folder.csv"));
  refuse(Status::io_error, "Is a directory", scratch.folder.string());
  refuse(Status::no_space, "No space left on device", "/dev/full");
  std::ofstream(scratch.file("notes.txt")) << "step by step\n";
  refuse(Status::invalid_format, "found another one", scratch.file("notes.txt"));
  EXPECT_EQ(text_of(scratch.file("notes.txt")), "step by step\n");
}

TEST(Monitor, TheLogIsContinuedWithWholeLines) {
  const Scratch scratch;
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.log = scratch.file("log.csv");
  const auto write = [&](std::uint64_t n) {
    Monitor monitor(step.model, options);
    monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
    EXPECT_EQ(monitor.end_step(n), Status::ok);
  };
  write(0);
  const std::string first = text_of(options.log);
  std::ofstream(options.log, std::ios::app) << "1,law,emul";  // the host was killed here
  write(1);
  const std::string both = text_of(options.log);
  EXPECT_EQ(both.substr(0, first.size()), first);
  EXPECT_EQ(both.substr(first.size(), 26), "1,law,emulator,\"radiation\"");
  EXPECT_EQ(std::count(both.begin(), both.end(), '\n'), 1 + 2 * (2 * 2 + 6));
  // Every row has the header's columns (quoted texts have commas of their own in no test here).
  std::istringstream lines(both);
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(std::count(line.begin(), line.end(), ','), 18) << line;
}

TEST(Monitor, AHeaderThatWasCutOffIsWrittenAnew) {
  const Scratch scratch;
  const auto model = model_of(ModelBuilder::ocean().build());
  MonitorOptions options;
  options.log = scratch.file("log.csv");
  { Monitor monitor(model, options); }
  const std::string header = text_of(options.log);
  for (const std::size_t left : {std::size_t{1}, std::size_t{40}, header.size() - 1}) {
    fs::resize_file(options.log, left);
    Monitor monitor(model, options);
    EXPECT_EQ(text_of(options.log), header) << left;
  }
  // What begins as the header does and is something else stays.
  const std::string other = header.substr(0, 40) + "\n";
  std::ofstream(options.log, std::ios::trunc) << other;
  expect_error(Status::invalid_format, "found another one", [&] { Monitor(model, options); });
  EXPECT_EQ(text_of(options.log), other);
}

TEST(Monitor, AFullDiskIsAStatusAndLeavesWholeLines) {
  const Scratch scratch;
  const Warnings warnings;
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.log = scratch.file("log.csv");
  Monitor monitor(step.model, options);
  const auto header = fs::file_size(options.log);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = header + 300;  // a row and a half
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
  const Status status = monitor.end_step(0);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status, Status::no_space);
  EXPECT_EQ(monitor.report().columns, 299);
  EXPECT_NE(monitor.report().message.find("cannot write it"), std::string::npos);
  ASSERT_EQ(warnings.texts.size(), 1u);
  const std::string text = text_of(options.log);
  EXPECT_GT(text.size(), header);
  EXPECT_EQ(text.back(), '\n');
  monitor.add(step.arguments(), step.own_fields.data(), step.own_fields.size());
  EXPECT_EQ(monitor.end_step(1), Status::ok);  // there is space again
}
