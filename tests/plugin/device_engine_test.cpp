// The engine for devices, on the host's execution spaces: the same bits as the tile kernels.

#include "column_laws.hpp"
#include "emulator_fixture.hpp"
#include "graph_models.hpp"

#include "../../plugin/src/device_engine.hpp"

using namespace lavoisier;
using namespace lavoisier::tests;

namespace {

template <class ExecutionSpace>
void compare(ModelFile file, std::int64_t count) {
  const auto bytes = file.serialize();
  file = ModelFile::parse(bytes, "by hand");
  const auto model = model_of(file);
  const detail::Program program = detail::compile(file);
  WorkspaceOptions options;
  options.backend = Backend::serial;
  options.seed = 9;
  Workspace workspace(model, options);
  Fields<double> expected(*model, count), found(*model, count);
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
      if (slots[static_cast<std::size_t>(c)] != static_cast<detail::SlotStatus>(Status::non_finite))
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
}

}  // namespace

TEST(DeviceEngine, RefusesByNameWhatItDoesNotRun) {
  const auto refuse = [](GraphModel made, const std::string& part) {
    made.file.serialize();
    const detail::Program program = detail::compile(made.file);
    expect_error(Status::unsupported, part, [&] { detail::DeviceEngine<Kokkos::Serial>(program, 10); });
  };
  refuse(edge_model(), "operation 4 (gather): this release does not run it on Serial");
  GraphModel loop = sample_model({});
  loop.graph()[0] = {"standardize", {"inputs"}, {"condition0"}, {{"mean", "shift"}, {"scale", "width"}}, {}};
  loop.f64("shift", {5}, std::vector<double>(5, 0.0));
  loop.f64("width", {5}, std::vector<double>(5, 1.0));
  refuse(std::move(loop), "operation 2 (sample): this release");
}

TEST(DeviceEngine, SameBitsOnSerial) { compare_all<Kokkos::Serial>(); }
#if defined(KOKKOS_ENABLE_OPENMP)
TEST(DeviceEngine, SameBitsOnOpenMP) { compare_all<Kokkos::OpenMP>(); }
#endif
#if defined(KOKKOS_ENABLE_CUDA)
TEST(DeviceEngine, SameBitsOnCuda) { compare_all<Kokkos::Cuda>(); }
#elif defined(KOKKOS_ENABLE_HIP)
TEST(DeviceEngine, SameBitsOnHip) { compare_all<Kokkos::HIP>(); }
#endif
