// A monitor's log as NetCDF, read back by the C library.

#include "monitor_fixture.hpp"
#include "netcdf_file.hpp"

#include <lavoisier/monitor_history.hpp>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

std::vector<std::string> stored_strings(const std::string& path, const std::string& name, std::size_t count) {
  int id = -1, variable = -1;
  NetcdfFile::check(nc_open(path.c_str(), NC_NOWRITE, &id));
  NetcdfFile::check(nc_inq_varid(id, name.c_str(), &variable));
  std::vector<char*> texts(count);
  NetcdfFile::check(nc_get_var_string(id, variable, texts.data()));
  std::vector<std::string> result(texts.begin(), texts.end());
  nc_free_string(count, texts.data());
  nc_close(id);
  return result;
}

std::string unlimited_dimension(const std::string& path) {
  int id = -1, dimension = -1;
  char name[NC_MAX_NAME + 1] = "";
  NetcdfFile::check(nc_open(path.c_str(), NC_NOWRITE, &id));
  if (nc_inq_unlimdim(id, &dimension) == NC_NOERR && dimension >= 0) nc_inq_dimname(id, dimension, name);
  nc_close(id);
  return name;
}

/// As written, with a line replaced (from 1).
std::string with_line(const std::string& text, int number, const std::string& line) {
  std::istringstream lines(text);
  std::string made, one;
  for (int i = 1; std::getline(lines, one); ++i) made += (i == number ? line : one) + "\n";
  return made;
}

}  // namespace

TEST(MonitorHistory, HasTheFiguresOfEveryStep) {
  const Scratch scratch;
  const std::string log = scratch.file("m.csv"), made = scratch.file("m.nc");
  for (const ModelFile& file : {column_laws().build(), ModelBuilder::ocean().build()}) {
    fs::remove(log);
    Step step(model_of(file));
    MonitorOptions options;
    options.log = log;
    std::vector<MonitorReport> reports;
    {
      Monitor monitor(step.model, options);
      const std::int64_t steps = 600;  // more than are written at a time
      for (std::int64_t i = 0; i < steps; ++i) {
        step.add(monitor, i % 10, 2);
        if (i == 40) step.fields.outputs[0][3] += 1e-3;
        ASSERT_EQ(monitor.end_step(static_cast<std::uint64_t>(3 * i)), Status::ok);
        reports.push_back(monitor.report());
      }
    }
    const MonitorHistory found = write_monitor_history(log, made, {{"source", "the test"}, {"Conventions", "ours"}});
    EXPECT_EQ(found.steps, 600);
    EXPECT_EQ(found.first_step, 0u);
    EXPECT_EQ(found.last_step, 1797u);
    EXPECT_EQ(found.replaced, 0);
    EXPECT_TRUE(found.has_host);
    const auto& laws = reports[0].laws;
    const auto& outputs = reports[0].variables;
    ASSERT_EQ(found.laws.size(), laws.size());
    ASSERT_EQ(found.outputs.size(), outputs.size());
    EXPECT_EQ(unlimited_dimension(made), "step");
    std::vector<std::string> names, units;
    for (const auto& law : laws) names.push_back(law.name), units.push_back(law.units);
    EXPECT_EQ(stored_strings(made, "law_name", laws.size()), names);
    EXPECT_EQ(stored_strings(made, "law_units", laws.size()), units);
    EXPECT_EQ(stored_text(made, "law_max_relative", "units"), "1");
    EXPECT_EQ(stored_text(made, "law_rms", "coordinates"), "law_name law_units");
    const auto step_values = stored_values(made, "step");
    const auto terms = stored_strings(made, "law_worst_terms", 600 * laws.size());
    const auto law_value = [&](const char* name) { return stored_values(made, name); };
    const auto absolute = law_value("law_max_absolute"), rms = law_value("law_rms"),
               relative = law_value("law_max_relative"), tolerance = law_value("law_tolerance"),
               within = law_value("law_within"), id = law_value("law_worst_id"), columns = law_value("law_columns"),
               host = law_value("host_law_max_relative"), bias = law_value("output_bias"),
               r_squared = law_value("output_r_squared"), rmse = law_value("output_rmse"),
               mean_absolute = law_value("output_mean_absolute_error"), correlation = law_value("output_correlation"),
               counted = law_value("output_columns"), none = law_value("output_non_finite");
    ASSERT_EQ(absolute.size(), 600 * laws.size());
    ASSERT_EQ(bias.size(), 600 * outputs.size());
    std::size_t violated = 0;
    for (std::size_t i = 0; i < 600; ++i) {
      EXPECT_EQ(step_values[i], 3.0 * static_cast<double>(i));
      for (std::size_t l = 0; l < laws.size(); ++l) {
        const auto& law = reports[i].laws[l];
        const std::size_t at = i * laws.size() + l;
        ASSERT_EQ(absolute[at], law.emulated.max_absolute);
        ASSERT_EQ(rms[at], law.emulated.rms);
        ASSERT_EQ(relative[at], law.emulated.max_relative);
        ASSERT_EQ(tolerance[at], law.tolerance);
        ASSERT_EQ(within[at], law.emulated.violated ? 0.0 : 1.0);
        ASSERT_EQ(id[at], static_cast<double>(law.emulated.worst_id));
        ASSERT_EQ(columns[at], static_cast<double>(law.emulated.columns));
        ASSERT_EQ(host[at], law.original.max_relative);
        ASSERT_NE(terms[at].find("; = "), std::string::npos);
        violated += law.emulated.violated;
      }
      for (std::size_t v = 0; v < outputs.size(); ++v) {
        const auto& skill = reports[i].variables[v];
        const std::size_t at = i * outputs.size() + v;
        const auto same = [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); };
        ASSERT_TRUE(same(bias[at], skill.bias) && same(rmse[at], skill.rmse) &&
                    same(correlation[at], skill.correlation) && same(r_squared[at], skill.r_squared) &&
                    same(mean_absolute[at], skill.mean_absolute_error));
        ASSERT_EQ(counted[at], static_cast<double>(skill.columns));
        ASSERT_EQ(none[at], static_cast<double>(skill.non_finite));
      }
    }
    EXPECT_GT(violated, 0u);
  }
}

TEST(MonitorHistory, AResumedRunsRowsReplaceThoseBehindIt) {
  const Scratch scratch;
  const std::string log = scratch.file("m.csv"), made = scratch.file("m.nc");
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.log = log;
  const auto run = [&](std::uint64_t first, std::uint64_t last, std::int64_t columns) {
    Monitor monitor(step.model, options);
    for (std::uint64_t i = first; i <= last; ++i) {
      step.add(monitor, 30, columns);
      ASSERT_EQ(monitor.end_step(i), Status::ok);
    }
  };
  run(1, 6, 5);
  run(4, 5, 7);  // from a restart file of step 3
  run(5, 5, 8);  // and again: the same step follows itself
  const MonitorHistory found = write_monitor_history(log, made, {});
  EXPECT_EQ(found.steps, 5);
  EXPECT_EQ(found.replaced, 4);
  EXPECT_EQ(stored_values(made, "step"), (std::vector<double>{1, 2, 3, 4, 5}));
  EXPECT_EQ(stored_values(made, "law_columns"), (std::vector<double>{5, 5, 5, 5, 5, 5, 7, 7, 8, 8}));
}

TEST(MonitorHistory, WhatIsNotThereIsTheFillValue) {
  const Scratch scratch;
  const std::string log = scratch.file("m.csv"), made = scratch.file("m.nc");
  Step step(model_of(ModelBuilder::ocean().build()));
  MonitorOptions options;
  options.log = log;
  {
    Monitor monitor(step.model, options);
    step.add(monitor, 30, 5);
    ASSERT_EQ(monitor.end_step(1), Status::ok);
    ASSERT_EQ(monitor.end_step(2), Status::ok);  // no column: laws alone, and no worst one
  }
  write_monitor_history(log, made, {});
  EXPECT_EQ(stored_values(made, "law_columns"), (std::vector<double>{5, 5, 0, 0}));
  const double no_count = static_cast<double>(NC_FILL_INT64);
  EXPECT_EQ(stored_values(made, "host_law_columns"), (std::vector<double>{5, 5, no_count, no_count}));
  EXPECT_EQ(stored_values(made, "host_law_rms")[2], NC_FILL_DOUBLE);
  EXPECT_EQ(stored_values(made, "law_worst_id")[2], static_cast<double>(NC_FILL_UINT64));
  const auto bias = stored_values(made, "output_bias");
  for (std::size_t v = bias.size() / 2; v < bias.size(); ++v) EXPECT_EQ(bias[v], NC_FILL_DOUBLE);
}

TEST(MonitorHistory, OfALogThatIsDamagedSaysTheLine) {
  const Scratch scratch;
  const std::string log = scratch.file("m.csv"), made = scratch.file("m.nc");
  Step step(model_of(ModelBuilder::ocean().build()));
  {
    MonitorOptions options;
    options.log = log;
    Monitor monitor(step.model, options);
    step.add(monitor, 30, 5);
    for (std::uint64_t i = 0; i < 2; ++i) ASSERT_EQ(monitor.end_step(i), Status::ok);
  }
  const std::string whole = text_of(log);
  const auto refused = [&](const std::string& text, const std::string& expected,
                           Status status = Status::invalid_format) {
    std::ofstream(log, std::ios::trunc) << text;
    try {
      write_monitor_history(log, made, {});
      ADD_FAILURE() << "accepted, expected: " << expected;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(made));
    EXPECT_EQ(std::distance(fs::directory_iterator(scratch.folder), {}), 1);  // no temporary file either
  };
  const auto lines = std::count(whole.begin(), whole.end(), '\n');
  refused(whole.substr(0, whole.size() - 3), log + ":" + std::to_string(lines) + ": the line is cut off");
  refused(whole + "7,la", log + ":" + std::to_string(lines + 1) + ": the line is cut off");
  refused(whole.substr(0, 20), log + ":1: expected the header of a monitor's log");
  refused(whole.substr(0, whole.find('\n') + 1), log + ":2: expected a row, found the end");
  refused(with_line(whole, 2, "0,law,emulator,\"net_heat\""), log + ":2: expected 19 fields, found 4");
  refused(with_line(whole, 3, "0,law,nobody,a,1,1,0,1,1,1,1,yes,1,t,,,,,"),
          ":3: expected host or emulator as source, found 'nobody'");
  refused(with_line(whole, 2, "0,law,host,a,1,1,0,1,1,x,1,yes,1,t,,,,,"),
          ":2: expected a number as max_relative, found 'x'");
  refused(with_line(whole, 2, "0,law,host,\"a,1,1,0,1,1,x,1,yes,1,t,,,,,"), ":2: in field 4 a quote is not closed");
  refused(with_line(whole, 2, "9223372036854775808,law,host,a,1,1,0,1,1,1,1,yes,1,t,,,,,"),
          ":2: step 9223372036854775808 is beyond");
  std::string other = whole;
  other.replace(other.rfind("\"W m-2\""), 7, "\"K\"");
  refused(other, "is in 'K', in the rows before in 'W m-2'");
  std::ofstream(log, std::ios::trunc) << whole;
  EXPECT_THROW(write_monitor_history(log, log, {}), Error);
  EXPECT_EQ(text_of(log), whole);
  EXPECT_THROW(write_monitor_history(scratch.file("none.csv"), made, {}), Error);
  EXPECT_THROW(write_monitor_history(log, scratch.file("no_folder") + "/m.nc", {}), Error);
}
