// What the Fortran test asks of C++: the model files, and the same runs through the C interface.

#include <lavoisier/lavoisier.h>
#include <model_builder.hpp>

#include <malloc.h>

#include <cstdint>
#include <cstdio>

using namespace lavoisier;

extern "C" {

/// A column model: t over `levels`, p; heating over `levels`, flux; sum of heating * one = flux. Its coordinate `level` is
/// 1, 2, ...
int fixture_write(const char* path, int levels) {
  try {
    tests::ModelBuilder b;
    b.dimensions = {{"level", DimensionKind::level, levels, false}};
    b.input("t", "K", {"level"}).input("p", "Pa");
    b.output("heating", "W m-2", {"level"}).output("flux", "W m-2");
    b.constants = {{"one", "1", 1.0}};
    b.law("energy", {{"heating", 1.0}, {"flux", -1.0}});
    b.laws[0].terms[0].coefficient = Expression::symbol("one");
    ModelFile file = b.build();
    std::vector<double> values;
    for (int level = 1; level <= levels; ++level) values.push_back(level);
    file.add(Tensor::from("coordinates.level", {levels}, std::span<const double>(values)));
    file.write(path);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

/// Levels fastest, one column after the other. Returns the status.
int fixture_reference(const char* path, int levels, std::int64_t columns, double* t, double* p, double* heating,
                      double* flux, std::uint64_t seed, std::uint64_t step, std::uint64_t member, int mean) {
  lav_model* model = nullptr;
  lav_workspace* workspace = nullptr;
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  options.seed = seed;
  const lav_input_field inputs[] = {{"t", "K", t, LAV_F64, LAV_HOST, columns, levels, levels, 1},
                                    {"p", "Pa", p, LAV_F64, LAV_HOST, columns, 1, 1, 1}};
  const lav_output_field outputs[] = {{"heating", "W m-2", heating, LAV_F64, LAV_HOST, columns, levels, levels, 1},
                                      {"flux", "W m-2", flux, LAV_F64, LAV_HOST, columns, 1, 1, 1}};
  lav_run_arguments run = LAV_RUN_ARGUMENTS_INIT;
  run.inputs = inputs;
  run.outputs = outputs;
  run.input_count = run.output_count = 2;
  run.columns = columns;
  run.step = step;
  run.member = member;
  lav_status status = lav_model_load(path, &model);
  if (status == LAV_OK) status = lav_workspace_create(model, &options, &workspace);
  if (status == LAV_OK) status = mean ? lav_run_mean(workspace, &run, nullptr) : lav_run(workspace, &run, nullptr);
  lav_workspace_destroy(workspace);
  lav_model_destroy(model);
  return status;
}

/// Bytes in use on the heap.
std::int64_t fixture_heap() {
  const auto info = mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);
}
}
