// The engine for devices, on the host's execution spaces: the same bits as the tile kernels.

#include "column_laws.hpp"
#include "emulator_fixture.hpp"
#include "graph_models.hpp"
#include "head_models.hpp"

#include "../../plugin/src/device_engine.hpp"
#include "../../plugin/src/tile_runner.hpp"

#include <functional>

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

/// A run by the tile kernels and one by the engine, fields partly in the device's memory. `fill` changes the inputs.
template <class ExecutionSpace>
void compare(ModelFile file, std::int64_t count, const std::function<void(Fields<double>&)>& fill = {}) {
  const auto bytes = file.serialize();
  file = ModelFile::parse(bytes, "by hand");
  const auto model = model_of(file);
  const detail::Program program = detail::compile(file);
  WorkspaceOptions options;
  options.backend = Backend::serial;
  options.seed = 9;
  Workspace workspace(model, options);
  Fields<double> expected(*model, count), found(*model, count);
  for (Fields<double>* fields : {&expected, &found})
    if (fill) fill(*fields);
  expected.inputs[0][static_cast<std::size_t>(count / 2)] = std::numeric_limits<double>::quiet_NaN();
  found.inputs[0][static_cast<std::size_t>(count / 2)] = std::numeric_limits<double>::quiet_NaN();
  expected.inputs[0][0] = found.inputs[0][0] = 4.5;
  std::vector<Status> status(static_cast<std::size_t>(count));
  auto arguments = expected.arguments();
  arguments.first_column_id = 77;
  arguments.step = 6;
  arguments.member = 2;
  arguments.status = status.data();
  const auto& report = workspace.run(arguments);

  const auto laws = static_cast<std::size_t>(program.laws.count());
  // Every other field lies in the device's memory.
  using Memory = typename ExecutionSpace::memory_space;
  using Host = Kokkos::View<double*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  const auto on_device = [](std::size_t v) { return v % 2 == 1; };
  std::vector<Kokkos::View<double*, Memory>> copies;
  const auto place = [&](std::vector<double>& values, std::size_t v) -> double* {
    if (!on_device(v)) return values.data();
    copies.emplace_back("copy", values.size());
    Kokkos::deep_copy(copies.back(), Host(values.data(), values.size()));
    return copies.back().data();
  };
  std::vector<detail::BoundField> inputs, outputs;
  for (std::size_t v = 0; v < found.inputs.size(); ++v)
    inputs.push_back({place(found.inputs[v], v), false, on_device(v), program.inputs[v].elements,
                      program.inputs[v].offset, program.inputs[v].elements, 1});
  const std::size_t input_copies = copies.size();
  for (std::size_t v = 0; v < found.outputs.size(); ++v)
    outputs.push_back({place(found.outputs[v], v), false, on_device(v), program.outputs[v].elements,
                       program.outputs[v].offset, program.outputs[v].elements, 1});
  std::vector<std::int64_t> columns;
  for (std::int64_t c = 0; c < count; ++c) columns.push_back(c);
  std::vector<detail::SlotStatus> slots(static_cast<std::size_t>(count));
  std::vector<double> residual(laws * static_cast<std::size_t>(count)), relative(residual);
  detail::RunWork work;
  work.inputs = inputs.data();
  work.input_count = inputs.size();
  work.outputs = outputs.data();
  work.output_count = outputs.size();
  work.columns = columns.data();
  work.count = count;
  work.block_columns = 16;
  for (auto* fields : {&inputs, &outputs})
    for (auto& field : *fields) field.block_stride = 16 * field.column_stride;
  work.first_column_id = 77;
  work.step = 6;
  work.member = 2;
  work.seed = 9;
  work.stream = file.default_stream();
  work.status = slots.data();
  work.residual = residual.data();
  work.relative = relative.data();
  work.capacity = count;
  detail::DeviceEngine<ExecutionSpace> engine(program, count);
  engine.run(work);
  {
    // A second run allocates nothing: Kokkos would tell.
    static int allocations;
    allocations = 0;
    Kokkos::Tools::Experimental::set_allocate_data_callback(
        [](Kokkos::Profiling::SpaceHandle, const char*, const void*, std::uint64_t) { ++allocations; });
    engine.run(work);
    EXPECT_EQ(allocations, 0);
    if (laws > 0) {
      const Kokkos::View<double*, Memory> told("told", 1);
      EXPECT_EQ(allocations, 1);
    }
    Kokkos::Tools::Experimental::set_allocate_data_callback(nullptr);
  }
  for (std::size_t v = 0, copy = input_copies; v < found.outputs.size(); ++v)
    if (on_device(v)) {
      Kokkos::deep_copy(Host(found.outputs[v].data(), found.outputs[v].size()), copies[copy]);
      ++copy;
    }
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
  for (std::size_t c = 0; c < slots.size(); ++c) EXPECT_EQ(static_cast<int>(slots[c]), static_cast<int>(status[c]));
  for (std::size_t l = 0; l < laws; ++l) {
    double worst = 0.0;
    for (std::int64_t c = 0; c < count; ++c)
      if (detail::is_written(slots[static_cast<std::size_t>(c)]))
        worst = std::max(worst, relative[l * static_cast<std::size_t>(count) + static_cast<std::size_t>(c)]);
    EXPECT_EQ(worst, report.laws[l].max_relative);
  }
}

template <class ExecutionSpace>
void compare_all() {
  for (const char* strategy : {"none", "projection", "conditional"}) {
    auto b = ModelBuilder::ocean();
    b.strategy = strategy;
    b.hidden = {37, 37};
    b.layer_norm = b.residual = true;
    compare<ExecutionSpace>(b.build(), 100);
    if (b.strategy != "projection") continue;
    ModelFile alone = b.build();  // the constrain step without a standard deviation
    alone.description.graph.back().inputs.pop_back();
    compare<ExecutionSpace>(alone, 100);
  }
  compare<ExecutionSpace>(field_model().file, 37);
  ModelBuilder levels;
  levels.dimensions = {{"level", DimensionKind::level, 5, false}};
  levels.input("T", "K", {"level"}).output("heating", "W m-2", {"level"}).output("flux");
  levels.parametrization = "exp";
  levels.law("column", {{"heating", 1.0}, {"flux", -2.0}},
             Expression::sum("level", Expression::symbol("T")) / Expression(9.81));
  compare<ExecutionSpace>(levels.build(), 33);
  compare<ExecutionSpace>(column_laws().build(), 33);
  for (const auto& made : {edge_model(), shared_layers_model()})
    compare<ExecutionSpace>(made.file, 70, [&](Fields<double>& fields) {
      list_edges(made, fields);
      fields.inputs[0][static_cast<std::size_t>(5 * made.inputs - 1)] = 2.5;  // no node
    });
  for (const char* method : {"ddpm", "flow"})
    for (const char* projection : {"null_space", "ambient", "none"})
      for (const bool own_laws : {false, true}) {
        SCOPED_TRACE(testing::Message() << method << " " << projection << (own_laws ? " laws of each column" : ""));
        compare<ExecutionSpace>(sample_model({method, projection, 4, own_laws}).file, 35);
      }
  for (const auto& made : {mixed_model(), mixed_model("softplus"), shares_model(), counts_model("poisson_draw"),
                           counts_model("multinomial_draw")}) {
    SCOPED_TRACE(made.file.description.graph.back().op);
    compare<ExecutionSpace>(made.file, 41, [&](Fields<double>& fields) {
      const auto given = fields_of(*model_of(made.file), made, 41, 30.0, 8.0);
      fields.inputs = given.inputs;
      fields.inputs[1][7] = fields.inputs[2][9] = -4.0;  // sums that no positive numbers have
    });
  }
}

/// Both phases of global laws: quantities and fields.
template <class ExecutionSpace>
void compare_global(ModelFile file, std::int64_t count, const std::function<void(Fields<double>&)>& fill = {}) {
  const auto bytes = file.serialize();
  file = ModelFile::parse(bytes, "by hand");
  const auto model = model_of(file);
  const detail::Program program = detail::compile(file);
  constexpr int rows = 2;
  const auto n = static_cast<std::size_t>(program.output_elements), columns = static_cast<std::size_t>(count);
  std::vector<double> coefficients(columns * rows * n), weights(columns), lambda = {0.3, -0.125};
  std::mt19937 generator(4);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  for (double& b : coefficients) b = uniform(generator);
  for (double& w : weights) w = 1.0 + uniform(generator);
  std::vector<std::int64_t> order(columns);
  for (std::size_t c = 0; c < columns; ++c) order[c] = count - 1 - static_cast<std::int64_t>(c);
  const auto laws = static_cast<std::size_t>(program.laws.count());
  detail::DeviceEngine<ExecutionSpace> engine(program, count, rows);
  const detail::TileLayout layout(program, rows);
  detail::AlignedBuffer<std::byte> arena(layout.bytes);
  for (const bool correct : {false, true}) {
    std::vector<std::vector<double>> quantities;
    std::vector<Fields<double>> made;
    for (const bool device : {false, true}) {
      Fields<double>& fields = made.emplace_back(*model, count);
      if (fill) fill(fields);
      fields.inputs[0][0] = std::numeric_limits<double>::quiet_NaN();
      std::vector<detail::BoundField> inputs, outputs;
      for (std::size_t v = 0; v < fields.inputs.size(); ++v)
        inputs.push_back({fields.inputs[v].data(), false, false, program.inputs[v].elements, program.inputs[v].offset,
                          program.inputs[v].elements, 1});
      for (std::size_t v = 0; v < fields.outputs.size(); ++v)
        outputs.push_back({fields.outputs[v].data(), false, false, program.outputs[v].elements,
                           program.outputs[v].offset, program.outputs[v].elements, 1});
      std::vector<double>& found = quantities.emplace_back(columns * 9, -7.0);
      detail::GlobalWork global;
      global.rows = rows;
      global.coefficients = coefficients.data();
      global.column_stride = static_cast<std::int64_t>(rows * n);
      global.row_stride = static_cast<std::int64_t>(n);
      global.weights = weights.data();
      global.multipliers = correct ? lambda.data() : nullptr;
      global.quantities = found.data();
      std::vector<detail::SlotStatus> status(columns);
      std::vector<double> residual(laws * columns), relative(residual);
      detail::RunWork work;
      work.inputs = inputs.data();
      work.input_count = inputs.size();
      work.outputs = outputs.data();
      work.output_count = outputs.size();
      work.columns = order.data();
      work.count = count;
      work.seed = 3;
      work.global = &global;
      work.status = status.data();
      work.residual = residual.data();
      work.relative = relative.data();
      work.capacity = count;
      if (device)
        engine.run(work);
      else
        for (std::int64_t first = 0; first < count; first += detail::tile_columns)
          detail::run_tile(program, layout, detail::tile_kernels(), work, first,
                           std::min(detail::tile_columns, count - first), arena.data());
    }
    EXPECT_TRUE(same_bits(made[0].outputs, made[1].outputs));
    const std::size_t filled = columns * (correct ? 3 * rows : 3 * rows + 3);
    EXPECT_EQ(std::memcmp(quantities[0].data(), quantities[1].data(), filled * sizeof(double)), 0);
    EXPECT_NE(quantities[1][filled - 2], -7.0);
  }
}

template <class ExecutionSpace>
void compare_all_global() {
  auto none = ModelBuilder::ocean();
  none.strategy = "none";
  compare_global<ExecutionSpace>(ModelBuilder::ocean().build(), 45);
  compare_global<ExecutionSpace>(none.build(), 45);
  compare_global<ExecutionSpace>(column_laws().build(), 45);
  auto mixed = mixed_model();
  const auto fill = [&](Fields<double>& fields) {
    fields.inputs = fields_of(*model_of(mixed.file), mixed, 45, 30.0, 8.0).inputs;
  };
  compare_global<ExecutionSpace>(mixed.file, 45, fill);
  mixed.file.description.graph.back() = {"identity", {"z2"}, {"outputs"}, {}, {}};
  compare_global<ExecutionSpace>(mixed.file, 45, fill);
}

}  // namespace

TEST(DeviceEngine, SameBitsOnSerial) { compare_all<Kokkos::Serial>(); }
TEST(DeviceEngine, SameGlobalLawsOnSerial) { compare_all_global<Kokkos::Serial>(); }
#if defined(KOKKOS_ENABLE_OPENMP)
TEST(DeviceEngine, SameBitsOnOpenMP) { compare_all<Kokkos::OpenMP>(); }
TEST(DeviceEngine, SameGlobalLawsOnOpenMP) { compare_all_global<Kokkos::OpenMP>(); }
#endif
#if defined(KOKKOS_ENABLE_CUDA)
TEST(DeviceEngine, SameBitsOnCuda) { compare_all<Kokkos::Cuda>(); }
#elif defined(KOKKOS_ENABLE_HIP)
TEST(DeviceEngine, SameBitsOnHip) { compare_all<Kokkos::HIP>(); }
#endif
