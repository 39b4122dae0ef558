#include "c_api.hpp"

#include <cstdio>

using namespace lavoisier::detail;
using lavoisier::Error;
using lavoisier::Status;

namespace {

static_assert(sizeof(lav_status) == sizeof(Status), "statuses are written through the host's pointer");
static_assert(offsetof(lav_input_field, element_stride) == offsetof(lav_output_field, element_stride),
              "one layout for both kinds of field");

// A buffer, not a string: reporting a failure must not fail.
constexpr std::size_t message_size = 2048;
thread_local char message[message_size] = "";

}  // namespace

namespace lavoisier::detail {

lav_status fail(Status status, const char* text) noexcept {
  std::snprintf(message, message_size, "%s", text);
  return static_cast<lav_status>(static_cast<int>(status));
}

RunArguments run_arguments(const lav_run_arguments& asked, std::vector<InputField>& inputs,
                           std::vector<OutputField>& outputs) {
  constexpr lav_run_arguments defaults = LAV_RUN_ARGUMENTS_INIT;
  const lav_run_arguments given =
      complete(asked, defaults, {offsetof(lav_run_arguments, block_columns)}, "lav_run_arguments");
  RunArguments a;
  a.columns = given.columns;
  a.block_columns = given.block_columns;
  if (given.block_columns > 0)
    require((given.input_count == 0 || given.input_block_strides != nullptr) &&
                (given.output_count == 0 || given.output_block_strides != nullptr),
            "lav_run: with block_columns, expected a block stride for every field, found null");
  a.active = given.active;
  a.active_count = given.active_count;
  a.mask = given.mask;
  a.column_ids = given.column_ids;
  a.first_column_id = given.first_column_id;
  a.step = given.step;
  a.step_ids = given.step_ids;
  a.member = given.member;
  a.status = reinterpret_cast<Status*>(given.status);
  convert(given.inputs, given.input_count, inputs, given.input_block_strides, "inputs");
  convert(given.outputs, given.output_count, outputs, given.output_block_strides, "outputs");
  a.inputs = inputs.data();
  a.input_count = given.input_count;
  a.outputs = outputs.data();
  a.output_count = given.output_count;
  a.global = given.global != nullptr ? &given.global->laws : nullptr;
  a.global_rows = {given.global_coefficients, given.global_column_stride, given.global_row_stride,
                   given.global_element_stride, given.global_weights};
  return a;
}

}  // namespace lavoisier::detail

namespace {

lav_status variable(const lav_model* model, bool input, std::size_t index, lav_variable_info* info) noexcept {
  return guarded([&] {
    require(model != nullptr && info != nullptr, "a model and a structure to fill, found null");
    require_size(*info, "lav_variable_info");
    const auto& variables = input ? model->model->inputs() : model->model->outputs();
    if (index >= variables.size())
      throw Error(Status::out_of_range,
                  "variable " + std::to_string(index) + ": the model has " + std::to_string(variables.size()));
    const auto& found = variables[index];
    info->name = text(found.name);
    info->units = text(found.units);
    info->long_name = text(found.long_name);
    info->elements = found.elements;
    info->minimum = found.minimum;
    info->maximum = found.maximum;
  });
}

enum class Call { run, run_mean, correct, correct_mean };

lav_status run(lav_workspace* workspace, const lav_run_arguments* asked, lav_run_report* report, Call call) noexcept {
  return guarded([&] {
    require(workspace != nullptr, "lav_run: the workspace is null");
    require(asked != nullptr, "lav_run: the arguments are null");
    if (report != nullptr)
      complete(*report, LAV_RUN_REPORT_INIT, {offsetof(lav_run_report, invalid_argument)}, "lav_run_report");
    const lavoisier::RunArguments a = run_arguments(*asked, workspace->inputs, workspace->outputs);
    auto& own = workspace->workspace;
    const auto& found = call == Call::run        ? own.run(a)
                        : call == Call::run_mean ? own.run_mean(a)
                                                 : own.correct(a, call == Call::correct_mean);
    for (std::size_t l = 0; l < found.laws.size(); ++l) workspace->laws[l] = found.laws[l];
    if (report != nullptr) {
      report->columns = found.columns;
      report->non_finite = found.non_finite;
      report->out_of_range = found.out_of_range;
      report->rank_deficient = found.rank_deficient;
      if (report->size == sizeof *report) report->invalid_argument = found.invalid_argument;
    }
  });
}

lav_status end_phase(lav_global_laws* laws, lav_status mine, lav_reduce reduce, void* context,
                     void (lavoisier::GlobalLaws::*phase)(Status, lavoisier::Reduce, void*)) noexcept {
  return guarded([&] {
    require(laws != nullptr, "the global laws are null");
    HostReduction host{reduce, context};
    (laws->laws.*phase)(static_cast<Status>(mine), reduce != nullptr ? HostReduction::call : nullptr, &host);
  });
}

}  // namespace

extern "C" {

const char* lav_version(void) { return LAVOISIER_VERSION; }

const char* lav_status_name(lav_status status) { return lavoisier::status_name(static_cast<Status>(status)); }

const char* lav_last_error(void) { return message; }

lav_status lav_fail(lav_status status, const char* text) {
  return fail(static_cast<Status>(status), text != nullptr ? text : "");
}

lav_status lav_initialize(const lav_initialize_options* options) {
  return guarded([&] {
    lavoisier::InitializeOptions asked;
    if (options != nullptr) {
      require_size(*options, "lav_initialize_options");
      if (options->abi_version != LAV_ABI_VERSION)
        throw Error(Status::unsupported_version,
                    "lavoisier.h has interface version " + std::to_string(options->abi_version) + ", this library (" +
                        LAVOISIER_VERSION + ") version " + std::to_string(LAV_ABI_VERSION));
      asked.threads = options->threads;
      asked.device = options->device;
    }
    lavoisier::initialize(asked);
  });
}

lav_status lav_finalize(void) {
  return guarded([] { lavoisier::finalize(); });
}

int lav_is_initialized(void) { return lavoisier::is_initialized() ? 1 : 0; }

lav_status lav_model_load(const char* path, lav_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    require(path != nullptr && model != nullptr,
            "lav_model_load: expected a path and a place for the model, found null");
    *model = new lav_model{lavoisier::Model::load(path)};
  });
}

lav_status lav_model_parse(const void* bytes, size_t size, const char* origin, lav_model** model) {
  if (model != nullptr) *model = nullptr;
  return guarded([&] {
    require(bytes != nullptr && model != nullptr,
            "lav_model_parse: expected bytes and a place for the model, found null");
    *model = new lav_model{lavoisier::Model::parse(bytes, size, origin != nullptr ? origin : "memory")};
  });
}

lav_status lav_model_share(const lav_model* model, lav_model** other) {
  if (other != nullptr) *other = nullptr;
  return guarded([&] {
    require(model != nullptr && other != nullptr,
            "lav_model_share: expected a model and a place for another, found null");
    *other = new lav_model{model->model};
  });
}

void lav_model_destroy(lav_model* model) { delete model; }

size_t lav_model_input_count(const lav_model* model) { return model ? model->model->inputs().size() : 0; }
size_t lav_model_output_count(const lav_model* model) { return model ? model->model->outputs().size() : 0; }
size_t lav_model_law_count(const lav_model* model) { return model ? model->model->laws().size() : 0; }

lav_status lav_model_input(const lav_model* model, size_t index, lav_variable_info* info) {
  return variable(model, true, index, info);
}
lav_status lav_model_output(const lav_model* model, size_t index, lav_variable_info* info) {
  return variable(model, false, index, info);
}
lav_status lav_model_law(const lav_model* model, size_t index, lav_law_info* info) {
  return guarded([&] {
    require(model != nullptr && info != nullptr, "a model and a structure to fill, found null");
    require_size(*info, "lav_law_info");
    const auto& laws = model->model->laws();
    if (index >= laws.size())
      throw Error(Status::out_of_range,
                  "law " + std::to_string(index) + ": the model has " + std::to_string(laws.size()));
    info->name = text(laws[index].name);
    info->equation = text(laws[index].equation);
    info->units = text(laws[index].units);
    info->physics_tolerance = laws[index].physics_tolerance;
  });
}

const char* lav_model_digest(const lav_model* model) { return model ? text(model->model->digest()) : ""; }
const char* lav_model_strategy(const lav_model* model) { return model ? text(model->model->strategy()) : ""; }

lav_status lav_workspace_create(const lav_model* model, const lav_workspace_options* options,
                                lav_workspace** workspace) {
  if (workspace != nullptr) *workspace = nullptr;
  return guarded([&] {
    require(model != nullptr && workspace != nullptr,
            "lav_workspace_create: expected a model and a place for the workspace, found null");
    lavoisier::WorkspaceOptions asked;
    if (options != nullptr) {
      constexpr lav_workspace_options defaults = LAV_WORKSPACE_OPTIONS_INIT;
      const lav_workspace_options given =
          complete(*options, defaults,
                   {offsetof(lav_workspace_options, global_rows), offsetof(lav_workspace_options, device_stream)},
                   "lav_workspace_options");
      asked.max_columns = given.max_columns;
      asked.backend = static_cast<lavoisier::Backend>(given.backend);
      asked.seed = given.seed;
      asked.override_stream = given.override_stream != 0;
      asked.stream = given.stream;
      asked.global_rows = given.global_rows;
      asked.device_stream = given.device_stream;
    }
    *workspace = new lav_workspace(model->model, asked);
  });
}

void lav_workspace_destroy(lav_workspace* workspace) { delete workspace; }

const char* lav_workspace_backend(const lav_workspace* workspace) { return workspace ? text(workspace->backend) : ""; }
const char* lav_workspace_instruction_set(const lav_workspace* workspace) {
  return workspace ? text(workspace->instruction_set) : "";
}

lav_status lav_run(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report) {
  return run(workspace, arguments, report, Call::run);
}
lav_status lav_run_mean(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report) {
  return run(workspace, arguments, report, Call::run_mean);
}
lav_status lav_correct(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report) {
  return run(workspace, arguments, report, Call::correct);
}
lav_status lav_correct_mean(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report) {
  return run(workspace, arguments, report, Call::correct_mean);
}

lav_status lav_workspace_law_closure(const lav_workspace* workspace, size_t index, lav_law_closure* closure) {
  return guarded([&] {
    require(workspace != nullptr && closure != nullptr, "a workspace and a structure to fill, found null");
    require_size(*closure, "lav_law_closure");
    if (index >= workspace->laws.size())
      throw Error(Status::out_of_range,
                  "law " + std::to_string(index) + ": the model has " + std::to_string(workspace->laws.size()));
    const auto& found = workspace->laws[index];
    closure->max_absolute = found.max_absolute;
    closure->rms = found.rms;
    closure->max_relative = found.max_relative;
    closure->worst_column = found.worst_column;
  });
}

lav_status lav_global_laws_create(const lav_model* model, const lav_global_options* options, lav_global_laws** laws) {
  if (laws != nullptr) *laws = nullptr;
  return guarded([&] {
    require(model != nullptr && laws != nullptr,
            "lav_global_laws_create: expected a model and a place for the laws, found null");
    lavoisier::GlobalLawsOptions asked;
    if (options != nullptr) {
      require_size(*options, "lav_global_options");
      asked.rows = options->rows;
      asked.members = options->members;
      asked.first_member = options->first_member;
    }
    *laws = new lav_global_laws(model->model, asked);
  });
}

void lav_global_laws_destroy(lav_global_laws* laws) { delete laws; }

lav_status lav_global_laws_begin(lav_global_laws* laws, const double* right_hand_side) {
  return guarded([&] {
    require(laws != nullptr, "lav_global_laws_begin: the laws are null");
    laws->laws.begin(right_hand_side);
  });
}

lav_status lav_global_laws_close(lav_global_laws* laws, lav_status mine, lav_reduce reduce, void* context) {
  return end_phase(laws, mine, reduce, context, &lavoisier::GlobalLaws::close);
}
lav_status lav_global_laws_finish(lav_global_laws* laws, lav_status mine, lav_reduce reduce, void* context) {
  return end_phase(laws, mine, reduce, context, &lavoisier::GlobalLaws::finish);
}

lav_status lav_global_laws_closure(const lav_global_laws* laws, uint64_t member, int row, lav_global_closure* closure) {
  return guarded([&] {
    require(laws != nullptr && closure != nullptr, "laws and a structure to fill, found null");
    require_size(*closure, "lav_global_closure");
    const auto& found = laws->laws.closure(member, row);
    closure->right_hand_side = found.right_hand_side;
    closure->before = found.before;
    closure->after = found.after;
    closure->relative_before = found.relative_before;
    closure->relative_after = found.relative_after;
    closure->multiplier = found.multiplier;
    closure->columns = laws->laws.columns();
    closure->left_out = laws->laws.left_out();
  });
}

}  // extern "C"
