// What a host keeps: its heap, its floating-point mode, its threads, its parallel regions. And the C interface.

#include "emulator_fixture.hpp"
#include "graph_models.hpp"

#include <lavoisier/lavoisier.h>
#include <lavoisier/global_laws.hpp>

#include <omp.h>
#include <xmmintrin.h>

#include <atomic>
#include <cstdlib>
#include <thread>

using namespace lavoisier;
using namespace lavoisier::tests;

// A malloc counter: every allocation of the process while `counting`.
#if !defined(__SANITIZE_ADDRESS__)
namespace {
std::atomic<bool> counting{false};
std::atomic<long> allocations{0};
}  // namespace
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t size) {
  if (counting) ++allocations;
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  if (counting) ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* p, std::size_t size) {
  if (counting) ++allocations;
  return __libc_realloc(p, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  if (counting) ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
  if (counting) ++allocations;
  *p = __libc_memalign(alignment, size);
  return *p == nullptr;
}
}

TEST(Host, RunAllocatesNothing) {
  for (const auto* strategy : {"conditional", "projection", "none"}) {
    auto builder = ModelBuilder::ocean();
    builder.strategy = strategy;
    const auto model = model_of(builder.build());
    for (const Backend backend : {Backend::serial, Backend::openmp}) {
      WorkspaceOptions options;
      options.backend = backend;
      Workspace workspace(model, options);
      Fields<double> fields(*model, 1000);
      std::vector<std::int64_t> list;
      for (std::int64_t c = 999; c >= 0; c -= 3) list.push_back(c);
      std::vector<Status> status(1000);
      auto arguments = fields.arguments();
      arguments.status = status.data();
      workspace.run(arguments);  // the first run may start threads
      allocations = 0;
      counting = true;
      workspace.run(arguments);
      workspace.run_mean(arguments);
      arguments.active = list.data();
      arguments.active_count = static_cast<std::int64_t>(list.size());
      workspace.run(arguments);
      counting = false;
      EXPECT_EQ(allocations, 0) << strategy;
    }
  }
  for (const auto& made : {field_model(), edge_model(), sample_model({})}) {
    const auto model = model_of(made.file);
    for (const Backend backend : {Backend::serial, Backend::openmp}) {
      WorkspaceOptions options;
      options.backend = backend;
      options.max_columns = 200;
      Workspace workspace(model, options);
      Fields<double> fields(*model, 200);
      const auto arguments = fields.arguments();
      workspace.run(arguments);
      allocations = 0;
      counting = true;
      workspace.run(arguments);
      counting = false;
      EXPECT_EQ(allocations, 0) << made.graph().size() << " operations";
    }
  }
  {  // Both phases of global laws, and their closing.
    const auto model = model_of(ModelBuilder::ocean().build());
    WorkspaceOptions options;
    options.global_rows = 2;
    Workspace workspace(model, options);
    GlobalLaws laws(model, {2, 1, 0});
    Fields<double> fields(*model, 300);
    std::vector<double> b(12 * 300);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = 1.0 + static_cast<double>(i * i % 17);
    auto arguments = fields.arguments();
    arguments.global = &laws;
    arguments.global_rows = {b.data(), 12, 6, 1, nullptr};
    for (const bool count : {false, true}) {
      allocations = 0;
      counting = count;
      laws.begin(nullptr);
      workspace.run(arguments);
      laws.close();
      workspace.correct(arguments);
      laws.finish();
      counting = false;
      EXPECT_EQ(allocations, 0);
    }
  }
  // The counter counts.
  counting = true;
  allocations = 0;
  auto* volatile p = new int(1);
  counting = false;
  delete p;
  EXPECT_GT(allocations, 0);
}
#endif

TEST(Host, FloatingPointModeIsKeptAndDoesNotReachTheBits) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Workspace workspace(model);
  Fields<double> plain(*model, 100), strange(*model, 100);
  workspace.run(plain.arguments());
  const unsigned before = _mm_getcsr();
  // Round up, flush to zero, every exception trapping: as a host may run.
  const unsigned mode = 0x0000u | (2u << 13) | 0x8040u;
  auto arguments = strange.arguments();
  _mm_setcsr(mode);
  workspace.run(arguments);
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  EXPECT_EQ(after, mode);
  EXPECT_TRUE(same_bits(plain.outputs, strange.outputs));
}

TEST(Host, ModelsLoadTheSameInAnyFloatingPointMode) {
  // A right-hand side that is 0/0 at a point of the training range, and a law that follows from another.
  ModelBuilder b;
  b.input("x").input("z");
  b.output("a").output("b");
  b.law("sum", {{"a", 0.1}, {"b", 0.2}}, Expression::symbol("x") / Expression::symbol("z"));
  b.law("thrice", {{"a", 0.3}, {"b", 0.6}}, Expression(3.0) * Expression::symbol("x") / Expression::symbol("z"));
  const auto bytes = b.build().serialize();
  const unsigned before = _mm_getcsr();
  const unsigned mode = 0x0000u | (2u << 13) | 0x8040u;  // as in the test before
  _mm_setcsr(mode);
  const auto strange = Model::parse(bytes.data(), bytes.size(), "memory");
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  EXPECT_EQ(after, mode);
  const auto plain = Model::parse(bytes.data(), bytes.size(), "memory");
  Fields<double> expected(*plain, 50), found(*strange, 50);
  Workspace(plain).run(expected.arguments());
  Workspace(strange).run(found.arguments());
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
}

TEST(Host, FewerThreadsThanKokkosStartedWith) {
  const auto model = model_of(ModelBuilder::ocean().build());
  WorkspaceOptions options;
  options.backend = Backend::openmp;
  Workspace workspace(model, options);
  Fields<double> expected(*model, 900), found(*model, 900);
  workspace.run(expected.arguments());
  const int levels = omp_get_max_active_levels();
  omp_set_max_active_levels(0);  // every team is one thread
  const auto& report = workspace.run(found.arguments());
  omp_set_max_active_levels(levels);
  EXPECT_EQ(report.columns, 900);
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
}

TEST(Host, ThreadCountsStay) {
  const auto model = model_of(ModelBuilder::ocean().build());
  const int threads = omp_get_max_threads(), dynamic = omp_get_dynamic(), levels = omp_get_max_active_levels();
  Workspace workspace(model);
  Fields<double> fields(*model, 500);
  workspace.run(fields.arguments());
  EXPECT_EQ(omp_get_max_threads(), threads);
  EXPECT_EQ(omp_get_dynamic(), dynamic);
  EXPECT_EQ(omp_get_max_active_levels(), levels);
}

TEST(Host, ItsOwnParallelRegionGetsTheSameBits) {
  const auto model = model_of(ModelBuilder::ocean().build());
  constexpr std::int64_t count = 800, block = 16;
  Fields<double> expected(*model, count), found(*model, count);
  WorkspaceOptions options;
  Workspace whole(model, options);
  whole.run(expected.arguments());
  options.backend = Backend::openmp;
  options.max_columns = block;
  std::atomic<int> failures{0}, regions{0};
#pragma omp parallel num_threads(2)
  {
    Workspace mine(model, options);
    regions += omp_get_num_threads() > 1;
#pragma omp for schedule(dynamic)
    for (std::int64_t b = 0; b < count / block; ++b) {
      auto inputs = found.input_fields;
      auto outputs = found.output_fields;
      for (auto& field : inputs) field.data = static_cast<const double*>(field.data) + b * block;
      for (auto& field : outputs) field.data = static_cast<double*>(field.data) + b * block;
      auto arguments = found.arguments();
      arguments.inputs = inputs.data();
      arguments.outputs = outputs.data();
      arguments.columns = block;
      arguments.first_column_id = static_cast<std::uint64_t>(b * block);
      try {
        if (mine.run(arguments).columns != block) ++failures;
      } catch (const std::exception&) {
        ++failures;
      }
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_GT(regions, 0);
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
}

TEST(Host, ThreadsOfItsOwnShareOneModel) {
  const auto model = model_of(ModelBuilder::ocean().build());
  Fields<double> expected(*model, 200);
  Workspace(model).run(expected.arguments());
  std::atomic<int> different{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      WorkspaceOptions options;
      options.backend = Backend::openmp;
      Workspace workspace(model, options);
      for (int i = 0; i < 20; ++i) {
        Fields<double> fields(*model, 200);
        workspace.run(fields.arguments());
        if (!same_bits(expected.outputs, fields.outputs)) ++different;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(different, 0);
}

TEST(CInterface, StatusesAreTheSameNumbers) {
  const lav_status all[] = {LAV_OK,
                            LAV_INVALID_ARGUMENT,
                            LAV_NOT_FOUND,
                            LAV_INVALID_FORMAT,
                            LAV_DIGEST_MISMATCH,
                            LAV_UNSUPPORTED_VERSION,
                            LAV_UNSUPPORTED,
                            LAV_UNIT_MISMATCH,
                            LAV_SHAPE_MISMATCH,
                            LAV_NOT_INITIALIZED,
                            LAV_NON_FINITE,
                            LAV_OUT_OF_RANGE,
                            LAV_INCONSISTENT_LAWS,
                            LAV_RANK_DEFICIENT,
                            LAV_LAW_VIOLATED,
                            LAV_IO_ERROR,
                            LAV_NO_SPACE,
                            LAV_OUT_OF_MEMORY,
                            LAV_INTERRUPTED,
                            LAV_INTERNAL};
  const char* names[] = {"ok",
                         "invalid_argument",
                         "not_found",
                         "invalid_format",
                         "digest_mismatch",
                         "unsupported_version",
                         "unsupported",
                         "unit_mismatch",
                         "shape_mismatch",
                         "not_initialized",
                         "non_finite",
                         "out_of_range",
                         "inconsistent_laws",
                         "rank_deficient",
                         "law_violated",
                         "io_error",
                         "no_space",
                         "out_of_memory",
                         "interrupted",
                         "internal"};
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(static_cast<int>(all[i]), i);
    EXPECT_STREQ(lav_status_name(all[i]), names[i]);
    EXPECT_STREQ(status_name(static_cast<Status>(i)), names[i]);
  }
  EXPECT_STREQ(lav_status_name(static_cast<lav_status>(20)), "unknown");
  EXPECT_EQ(static_cast<int>(LAV_F32), static_cast<int>(Precision::f32));
  EXPECT_EQ(static_cast<int>(LAV_DEVICE), static_cast<int>(MemorySpace::device));
  EXPECT_EQ(static_cast<int>(LAV_SERIAL), static_cast<int>(Backend::serial));
  EXPECT_EQ(static_cast<int>(LAV_OPENMP), static_cast<int>(Backend::openmp));
  EXPECT_EQ(static_cast<int>(LAV_DEVICE_BACKEND), static_cast<int>(Backend::device));
}

TEST(CInterface, GeneratesWhatTheCxxInterfaceGenerates) {
  const auto bytes = ModelBuilder::ocean().build().serialize();
  const auto model = Model::parse(bytes.data(), bytes.size(), "memory");
  WorkspaceOptions cxx_options;
  cxx_options.seed = 42;
  Workspace cxx(model, cxx_options);
  Fields<double> expected(*model, 60), found(*model, 60);
  auto arguments = expected.arguments();
  arguments.step = 3;
  const auto cxx_report = cxx.run(arguments);

  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  ASSERT_EQ(lav_initialize(&start), LAV_OK) << lav_last_error();
  EXPECT_EQ(lav_is_initialized(), 1);
  lav_model* c_model = nullptr;
  ASSERT_EQ(lav_model_parse(bytes.data(), bytes.size(), "memory", &c_model), LAV_OK) << lav_last_error();
  EXPECT_EQ(lav_model_input_count(c_model), 11u);
  EXPECT_EQ(lav_model_output_count(c_model), 6u);
  EXPECT_EQ(lav_model_law_count(c_model), 2u);
  EXPECT_EQ(lav_model_digest(c_model), model->digest());
  EXPECT_STREQ(lav_model_strategy(c_model), "conditional");
  lav_variable_info info = LAV_VARIABLE_INFO_INIT;
  ASSERT_EQ(lav_model_output(c_model, 2, &info), LAV_OK);
  EXPECT_STREQ(info.name, "FDR");
  EXPECT_STREQ(info.units, "W m-2");
  EXPECT_EQ(lav_model_output(c_model, 6, &info), LAV_OUT_OF_RANGE);
  lav_law_info law = LAV_LAW_INFO_INIT;
  ASSERT_EQ(lav_model_law(c_model, 1, &law), LAV_OK);
  EXPECT_STREQ(law.name, "net_heat");
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  options.seed = 42;
  lav_workspace* workspace = nullptr;
  ASSERT_EQ(lav_workspace_create(c_model, &options, &workspace), LAV_OK) << lav_last_error();
  lav_model_destroy(c_model);  // the workspace keeps what it needs
  EXPECT_EQ(lav_workspace_backend(workspace), cxx.backend());
  EXPECT_EQ(lav_workspace_instruction_set(workspace), cxx.instruction_set());

  std::vector<lav_input_field> inputs;
  std::vector<lav_output_field> outputs;
  for (const auto& f : found.input_fields)
    inputs.push_back(
        {f.name, f.units, f.data, LAV_F64, LAV_HOST, f.columns, f.elements, f.column_stride, f.element_stride});
  for (const auto& f : found.output_fields)
    outputs.push_back(
        {f.name, f.units, f.data, LAV_F64, LAV_HOST, f.columns, f.elements, f.column_stride, f.element_stride});
  std::vector<lav_status> statuses(60, LAV_INTERNAL);
  lav_run_arguments run = LAV_RUN_ARGUMENTS_INIT;
  run.inputs = inputs.data();
  run.input_count = inputs.size();
  run.outputs = outputs.data();
  run.output_count = outputs.size();
  run.columns = 60;
  run.step = 3;
  run.status = statuses.data();
  lav_run_report report = LAV_RUN_REPORT_INIT;
  ASSERT_EQ(lav_run(workspace, &run, &report), LAV_OK) << lav_last_error();
  EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
  EXPECT_EQ(report.columns, 60);
  for (const auto status : statuses) EXPECT_EQ(status, LAV_OK);
  lav_law_closure closure = LAV_LAW_CLOSURE_INIT;
  ASSERT_EQ(lav_workspace_law_closure(workspace, 1, &closure), LAV_OK);
  EXPECT_EQ(closure.max_relative, cxx_report.laws[1].max_relative);
  EXPECT_EQ(closure.worst_column, cxx_report.laws[1].worst_column);

  // Callers built with earlier, shorter structures: the same draws.
  for (const std::size_t size : {offsetof(lav_workspace_options, global_rows), offsetof(lav_workspace_options, device_stream)}) {
    lav_workspace_options shorter = LAV_WORKSPACE_OPTIONS_INIT;
    shorter.size = size;
    shorter.seed = 42;
    // Whatever lies behind their end.
    if (size == offsetof(lav_workspace_options, global_rows)) shorter.global_rows = 1000;
    shorter.device_stream = &shorter;
    lav_workspace* old_workspace = nullptr;
    lav_model* old_model = nullptr;
    ASSERT_EQ(lav_model_parse(bytes.data(), bytes.size(), "memory", &old_model), LAV_OK);
    ASSERT_EQ(lav_workspace_create(old_model, &shorter, &old_workspace), LAV_OK) << lav_last_error();
    lav_run_arguments old_run = run;
    old_run.size = offsetof(lav_run_arguments, block_columns);
    old_run.block_columns = -7;
    found.reset();
    EXPECT_EQ(lav_run(old_workspace, &old_run, nullptr), LAV_OK) << lav_last_error();
    EXPECT_TRUE(same_bits(expected.outputs, found.outputs));
    old_run.size = sizeof old_run;
    EXPECT_EQ(lav_run(old_workspace, &old_run, nullptr), LAV_INVALID_ARGUMENT);
    ++old_run.size;
    EXPECT_EQ(lav_run(old_workspace, &old_run, nullptr), LAV_UNSUPPORTED_VERSION);
    lav_workspace_destroy(old_workspace);
    lav_model_destroy(old_model);
  }

  // Failures: a status, a message, nothing touched.
  const auto before = found.outputs;
  inputs[3].units = "furlong";
  EXPECT_EQ(lav_run(workspace, &run, &report), LAV_UNIT_MISMATCH);
  EXPECT_NE(std::string(lav_last_error()).find("furlong"), std::string::npos);
  run.size = 8;
  EXPECT_EQ(lav_run(workspace, &run, nullptr), LAV_UNSUPPORTED_VERSION);
  EXPECT_EQ(lav_run(nullptr, &run, nullptr), LAV_INVALID_ARGUMENT);
  EXPECT_EQ(lav_run(workspace, nullptr, nullptr), LAV_INVALID_ARGUMENT);
  EXPECT_TRUE(same_bits(before, found.outputs));
  EXPECT_EQ(lav_workspace_law_closure(workspace, 2, &closure), LAV_OUT_OF_RANGE);
  start.abi_version = 99;
  EXPECT_EQ(lav_initialize(&start), LAV_UNSUPPORTED_VERSION);
  lav_model* none = reinterpret_cast<lav_model*>(&options);
  EXPECT_EQ(lav_model_load("/nonexistent", &none), LAV_NOT_FOUND);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(lav_model_load(nullptr, &none), LAV_INVALID_ARGUMENT);
  std::thread([] { EXPECT_STREQ(lav_last_error(), ""); }).join();  // messages are a thread's own
  lav_workspace_destroy(workspace);
  lav_workspace_destroy(nullptr);
  lav_model_destroy(nullptr);
}
