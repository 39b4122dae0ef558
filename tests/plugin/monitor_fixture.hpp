#ifndef LAVOISIER_TESTS_PLUGIN_MONITOR_FIXTURE_HPP
#define LAVOISIER_TESTS_PLUGIN_MONITOR_FIXTURE_HPP

#include "column_laws.hpp"
#include "emulator_fixture.hpp"

#include <lavoisier/monitor.hpp>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lavoisier::tests {

namespace fs = std::filesystem;

struct Scratch {
  fs::path folder = fs::path(::testing::TempDir()) / ("monitor_" + std::to_string(::getpid()));
  Scratch() {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Scratch() { fs::remove_all(folder); }
  std::string file(const std::string& name) const { return (folder / name).string(); }
};

inline std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A run of the emulator, and the host's own outputs: the same but for what one rounds and perturbs.
struct Step {
  std::shared_ptr<const Model> model;
  Fields<double> fields;
  std::vector<Status> status;
  std::vector<std::uint64_t> ids;
  std::vector<std::vector<double>> own;
  std::vector<OutputField> own_fields;

  explicit Step(std::shared_ptr<const Model> of, std::int64_t count = 300)
      : model(std::move(of)), fields(*model, count) {
    status.assign(static_cast<std::size_t>(count), Status::internal);
    std::mt19937 generator(11);
    std::normal_distribution<double> normal;
    for (std::int64_t c = 0; c < count; ++c) ids.push_back(1000u + static_cast<std::uint64_t>(c * 7919 % count));
    fields.inputs[0][17] = std::nan("");
    fields.inputs[0][29] = 1e6;
    WorkspaceOptions options;
    options.max_columns = count;
    Workspace(model, options).run(arguments());
    for (std::size_t v = 0; v < fields.outputs.size(); ++v) {
      own.push_back(fields.outputs[v]);
      for (double& x : own.back()) x += 0.5 + 2.0 * normal(generator);
      OutputField field = fields.output_fields[v];
      field.data = own.back().data();
      own_fields.push_back(field);
    }
  }
  RunArguments arguments() {
    RunArguments a = fields.arguments();
    a.status = status.data();
    a.column_ids = ids.data();
    return a;
  }
  /// Columns first .. first + count - 1 as fields of their own.
  void add(Monitor& monitor, std::int64_t first, std::int64_t count) {
    std::vector<InputField> in = fields.input_fields;
    std::vector<OutputField> out = fields.output_fields, originals = own_fields;
    const auto move = [&](auto& list) {
      for (auto& field : list) {
        const auto* data = static_cast<const double*>(field.data) + first * field.column_stride;
        field.data = const_cast<double*>(data);
        field.columns = count;
      }
    };
    move(in), move(out), move(originals);
    RunArguments a = arguments();
    a.inputs = in.data();
    a.outputs = out.data();
    a.columns = count;
    a.column_ids = ids.data() + first;
    a.status = status.data() + first;
    monitor.add(a, originals.data(), originals.size());
  }
  std::vector<double> originals(std::int64_t c) const {
    std::vector<double> y;
    for (std::size_t v = 0; v < own.size(); ++v)
      for (std::int64_t e = 0; e < fields.output_fields[v].elements; ++e)
        y.push_back(own[v][static_cast<std::size_t>(c * fields.output_fields[v].elements + e)]);
    return y;
  }
};

/// What the library warned of, in this test.
struct Warnings {
  std::vector<std::string> texts;
  Warnings() {
    set_log_handler([](void* self, const char* text) { static_cast<Warnings*>(self)->texts.emplace_back(text); }, this);
  }
  ~Warnings() { set_log_handler(nullptr); }
};

}  // namespace lavoisier::tests

#endif
