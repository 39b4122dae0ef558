// A host that steps its state with the emulator, named as climate models name such tests: REP (the same run twice), ERS
// (exact restart), PEM (other numbers of ranks), PET (other numbers of threads). Not one bit may differ. Each is shown
// to fail for a host that counts columns or steps by itself.

#include "emulator_fixture.hpp"

#include <omp.h>

#include <atomic>
#include <thread>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

std::vector<std::byte> model_bytes() {
  static const auto bytes = [] {
    auto builder = ModelBuilder::ocean();
    builder.laws[1].right_hand_side = Expression::symbol("SST");
    const auto made = builder.build().serialize();
    const auto* first = reinterpret_cast<const std::byte*>(made.data());
    return std::vector<std::byte>(first, first + made.size());
  }();
  return bytes;
}
std::shared_ptr<const Model> load() {
  const auto bytes = model_bytes();
  return Model::parse(bytes.data(), bytes.size(), "memory");
}

/// Columns first .. first+count-1 as a call of their own, for one step.
void run(Workspace& workspace, Fields<double>& fields, std::int64_t first, std::int64_t count, std::uint64_t step,
         bool global_ids = true) {
  auto inputs = fields.input_fields;
  auto outputs = fields.output_fields;
  for (std::size_t v = 0; v < inputs.size(); ++v) inputs[v].data = fields.inputs[v].data() + first;
  for (std::size_t v = 0; v < outputs.size(); ++v) outputs[v].data = fields.outputs[v].data() + first;
  auto arguments = fields.arguments();
  arguments.inputs = inputs.data();
  arguments.outputs = outputs.data();
  arguments.columns = count;
  arguments.first_column_id = global_ids ? static_cast<std::uint64_t>(first) : 0;
  arguments.step = step;
  if (workspace.run(arguments).columns != count) throw std::runtime_error("columns without a result");
}

/// What a host does with the outputs: part of its next inputs.
void advance(Fields<double>& fields) {
  for (std::size_t v = 0; v < 6; ++v)
    for (std::size_t c = 0; c < fields.inputs[v].size(); ++c)
      fields.inputs[v][c] = 0.9 * fields.inputs[v][c] + 0.002 * fields.outputs[v][c];
}

struct Host {
  std::int64_t chunk = 100;
  Backend backend = Backend::serial;
  bool global_ids = true;
  void steps(const std::shared_ptr<const Model>& model, Fields<double>& fields, std::uint64_t begin,
             std::uint64_t end) const {
    WorkspaceOptions options;
    options.seed = 77;
    options.backend = backend;
    options.max_columns = chunk;
    Workspace workspace(model, options);
    for (std::uint64_t step = begin; step < end; ++step) {
      for (std::int64_t first = 0; first < fields.columns; first += chunk)
        run(workspace, fields, first, std::min(chunk, fields.columns - first), step, global_ids);
      advance(fields);
    }
  }
};

bool same_state(const Fields<double>& a, const Fields<double>& b) {
  return same_bits(a.inputs, b.inputs) && same_bits(a.outputs, b.outputs);
}

constexpr std::int64_t columns = 200;
constexpr std::uint64_t steps = 8;

}  // namespace

TEST(Bitwise, REP_TheSameRunTwice) {
  const auto model = load();
  Fields<double> one(*model, columns), two(*model, columns);
  Host().steps(model, one, 0, steps);
  Host().steps(model, two, 0, steps);
  EXPECT_TRUE(same_state(one, two));
  Host().steps(model, two, 0, 1);
  EXPECT_FALSE(same_state(one, two));
}

TEST(Bitwise, ERS_ExactRestart) {
  const auto names = load();  // of the fields; every run below makes a model of its own
  Fields<double> through(*names, columns), restarted(*names, columns), recounted(*names, columns);
  Host().steps(load(), through, 0, steps);
  Host().steps(load(), restarted, 0, 3);
  recounted.inputs = restarted.inputs;
  // The restart file holds the host's state; everything else is made anew, in other chunks.
  Fields<double> state(*names, columns);
  state.inputs = restarted.inputs;
  for (std::size_t v = 0; v < state.inputs.size(); ++v) state.input_fields[v].data = state.inputs[v].data();
  for (std::size_t v = 0; v < state.inputs.size(); ++v) recounted.input_fields[v].data = recounted.inputs[v].data();
  Host other;
  other.chunk = 17;
  other.steps(load(), state, 3, steps);
  EXPECT_TRUE(same_state(through, state));
  Host().steps(load(), recounted, 0, steps - 3);  // steps counted from 0 again
  EXPECT_FALSE(same_state(through, recounted));
}

TEST(Bitwise, PEM_OtherSharesAndChunks) {
  const auto model = load();
  Fields<double> expected(*model, columns);
  Host().steps(model, expected, 0, steps);
  // Every chunk from 1 to 200, one step.
  Fields<double> first_step(*model, columns);
  Host().steps(model, first_step, 0, 1);
  for (std::int64_t chunk = 1; chunk <= columns; ++chunk) {
    Fields<double> found(*model, columns);
    Host host;
    host.chunk = chunk;
    host.backend = chunk % 2 == 0 ? Backend::openmp : Backend::serial;
    host.steps(model, found, 0, 1);
    ASSERT_TRUE(same_state(first_step, found)) << chunk;
  }
  // Ranks, each with a model and a workspace of its own and its own share of the columns.
  for (const int ranks : {1, 2, 3, 4, 7}) {
    Fields<double> found(*model, columns);
    std::vector<std::shared_ptr<const Model>> models;
    std::vector<Workspace> workspaces;
    for (int r = 0; r < ranks; ++r) {
      models.push_back(load());
      WorkspaceOptions options;
      options.seed = 77;
      workspaces.emplace_back(models.back(), options);
    }
    for (std::uint64_t step = 0; step < steps; ++step) {
      for (int r = ranks; r-- > 0;) {
        const std::int64_t first = columns * r / ranks, last = columns * (r + 1) / ranks;
        run(workspaces[static_cast<std::size_t>(r)], found, first, last - first, step);
      }
      advance(found);
    }
    EXPECT_TRUE(same_state(expected, found)) << ranks;
  }
  Fields<double> found(*model, columns);
  Host local;
  local.global_ids = false;
  local.steps(model, found, 0, steps);
  EXPECT_FALSE(same_state(expected, found));
}

TEST(Bitwise, PET_OtherThreads) {
  const auto model = load();
  Fields<double> expected(*model, columns);
  Host().steps(model, expected, 0, steps);
  for (const int levels : {0, 1}) {  // Kokkos' OpenMP with one thread and with all that it has
    const int before = omp_get_max_active_levels();
    omp_set_max_active_levels(levels);
    Fields<double> found(*model, columns);
    Host host;
    host.backend = Backend::openmp;
    host.steps(model, found, 0, steps);
    omp_set_max_active_levels(before);
    EXPECT_TRUE(same_state(expected, found)) << levels;
  }
  // Threads of the host share one model over 1000 chunks.
  constexpr std::int64_t many = 7000, chunk = 7;
  WorkspaceOptions options;
  options.seed = 77;
  options.backend = Backend::serial;
  options.max_columns = many;
  Fields<double> alone(*model, many);
  Workspace whole(model, options);
  run(whole, alone, 0, many, 5);
  for (const int threads : {1, 2, 8}) {
    Fields<double> found(*model, many);
    std::atomic<std::int64_t> next{0};
    std::atomic<int> failures{0};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t)
      running.emplace_back([&] {
        try {
          auto own = options;
          own.max_columns = chunk;
          Workspace workspace(model, own);
          for (std::int64_t i; (i = next++) < many / chunk;) run(workspace, found, i * chunk, chunk, 5);
        } catch (const std::exception&) {
          ++failures;
        }
      });
    for (auto& thread : running) thread.join();
    EXPECT_EQ(failures, 0);
    EXPECT_TRUE(same_state(alone, found)) << threads;
  }
}
