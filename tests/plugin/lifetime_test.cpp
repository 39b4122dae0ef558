// Before initialize() and after finalize(): refused, not crashed. A process of its own: Kokkos starts once.

#include <lavoisier/emulator.hpp>
#include <lavoisier/lavoisier.h>
#include <model_builder.hpp>

#include <cstdio>

#define CHECK(condition)                                        \
  do {                                                          \
    if (!(condition)) {                                         \
      std::printf("line %d: %s\n", __LINE__, #condition);       \
      return 1;                                                 \
    }                                                           \
  } while (false)

int main() {
  const auto bytes = lavoisier::tests::ModelBuilder::ocean().build().serialize();
  lav_model* model = nullptr;
  CHECK(lav_is_initialized() == 0);
  CHECK(lav_model_parse(bytes.data(), bytes.size(), "memory", &model) == LAV_NOT_INITIALIZED);
  CHECK(model == nullptr);
  CHECK(lav_finalize() == LAV_OK);  // nothing to do
  lav_initialize_options options = LAV_INITIALIZE_OPTIONS_INIT;
  options.threads = 100000;  // more than Kokkos' table holds
  CHECK(lav_initialize(&options) == LAV_UNSUPPORTED);
  options.threads = -1;
  CHECK(lav_initialize(&options) == LAV_INVALID_ARGUMENT);
  options.threads = 0;
  if (lavoisier::available_backends().size() < 3) {
    options.device = 0;
    CHECK(lav_initialize(&options) == LAV_UNSUPPORTED);
  }
  CHECK(lav_is_initialized() == 0);
  CHECK(lav_initialize(nullptr) == LAV_OK);
  CHECK(lav_initialize(nullptr) == LAV_OK);
  CHECK(lav_model_parse(bytes.data(), bytes.size(), "memory", &model) == LAV_OK);
  lav_workspace* workspace = nullptr;
  CHECK(lav_workspace_create(model, nullptr, &workspace) == LAV_OK);
  lav_run_arguments nothing = LAV_RUN_ARGUMENTS_INIT;
  CHECK(lav_run(workspace, &nothing, nullptr) == LAV_OK);
  CHECK(lav_finalize() == LAV_OK);
  CHECK(lav_finalize() == LAV_OK);
  CHECK(lav_run(workspace, &nothing, nullptr) == LAV_NOT_INITIALIZED);
  lav_workspace_destroy(workspace);
  CHECK(lav_workspace_create(model, nullptr, &workspace) == LAV_NOT_INITIALIZED);
  CHECK(lav_initialize(nullptr) == LAV_NOT_INITIALIZED);
  lav_model_destroy(model);
  std::printf("ok\n");
  return 0;
}
