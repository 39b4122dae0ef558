// The C interface of a host's constants, of flagged inputs and of the monitor.

#include "c_api.hpp"

#include <lavoisier/monitor.hpp>

using namespace lavoisier::detail;
using lavoisier::Error;
using lavoisier::Status;

struct lav_monitor {
  lav_monitor(std::shared_ptr<const lavoisier::Model> shared, const lavoisier::MonitorOptions& options)
      : model(shared), monitor(std::move(shared), options) {}
  std::shared_ptr<const lavoisier::Model> model;
  lavoisier::Monitor monitor;
};

namespace {

/// An entry of a list, or Error(out_of_range).
template <class List>
const auto& entry(const List& list, std::size_t index, const char* what) {
  if (index < list.size()) return list[index];
  throw Error(Status::out_of_range,
              std::string(what) + " " + std::to_string(index) + ": there are " + std::to_string(list.size()));
}

const lavoisier::MonitorLaw& law_of(const lav_monitor* monitor, std::size_t law) {
  return entry(monitor->monitor.report().laws, law, "law");
}
const lavoisier::MonitorClosure& closure_of(const lav_monitor* monitor, std::size_t law, int original) {
  return original != 0 ? law_of(monitor, law).original : law_of(monitor, law).emulated;
}

lavoisier::MonitorOptions options_of(const lav_monitor_options& given) {
  require_size(given, "lav_monitor_options");
  lavoisier::MonitorOptions asked;
  asked.steps = given.steps;
  asked.stop = given.stop != 0;
  if (given.log != nullptr) asked.log = given.log;
  require(given.physics != nullptr || given.physics_count == 0,
          "lav_monitor_options.physics: expected one a law, found null");
  for (std::size_t l = 0; l < given.physics_count; ++l)
    asked.tolerances.push_back(static_cast<lavoisier::MonitorTolerance>(given.physics[l]));
  return asked;
}

}  // namespace

extern "C" {

void lav_set_log_handler(lav_log_handler handler, void* context) { lavoisier::set_log_handler(handler, context); }

size_t lav_model_constant_count(const lav_model* model) { return model ? model->model->constants().size() : 0; }

lav_status lav_model_constant(const lav_model* model, size_t index, lav_constant_info* info) {
  return guarded([&] {
    require(model != nullptr && info != nullptr, "a model and a structure to fill, found null");
    require_size(*info, "lav_constant_info");
    const auto& found = entry(model->model->constants(), index, "constant");
    info->name = text(found.name);
    info->units = text(found.units);
    info->value = found.value;
    info->file_value = found.file_value;
  });
}

lav_status lav_model_with_constants(const lav_model* model, const lav_host_constants* host, lav_model** own) {
  if (own != nullptr) *own = nullptr;
  return guarded([&] {
    require(model != nullptr && host != nullptr && own != nullptr,
            "lav_model_with_constants: expected a model, constants and a place for another model, found null");
    require_size(*host, "lav_host_constants");
    require(host->constants != nullptr || host->constant_count == 0, "lav_host_constants.constants: null");
    require(host->coordinates != nullptr || host->coordinate_count == 0, "lav_host_constants.coordinates: null");
    std::vector<lavoisier::HostConstant> constants;
    for (std::size_t i = 0; i < host->constant_count; ++i)
      constants.push_back({host->constants[i].name, host->constants[i].value, host->constants[i].units});
    std::vector<lavoisier::HostCoordinate> coordinates;
    for (std::size_t i = 0; i < host->coordinate_count; ++i)
      coordinates.push_back({host->coordinates[i].name, host->coordinates[i].values, host->coordinates[i].count});
    *own = new lav_model{model->model->with_constants(
        {constants.data(), constants.size(), coordinates.data(), coordinates.size()})};
  });
}

lav_status lav_workspace_input_flag(const lav_workspace* workspace, const lav_run_arguments* arguments, int64_t column,
                                    int64_t index, lav_input_flag* flag) {
  return guarded([&] {
    require(workspace != nullptr && arguments != nullptr && flag != nullptr,
            "a workspace, arguments and a structure to fill, found null");
    require_size(*flag, "lav_input_flag");
    require(index >= 0, "lav_workspace_input_flag: an index below 0");
    std::vector<lavoisier::InputField> inputs(workspace->inputs.size());
    std::vector<lavoisier::OutputField> outputs(workspace->outputs.size());
    const auto flags = workspace->workspace.input_flags(run_arguments(*arguments, inputs, outputs), column);
    *flag = LAV_INPUT_FLAG_INIT;
    flag->count = static_cast<std::int64_t>(flags.size());
    if (index >= flag->count) return;
    const auto& found = flags[static_cast<std::size_t>(index)];
    flag->name = text(found.input->name);
    flag->units = text(found.input->units);
    flag->element = found.element;
    flag->value = found.value;
    flag->minimum = found.minimum;
    flag->maximum = found.maximum;
    flag->status = static_cast<lav_status>(found.status);
  });
}

lav_status lav_monitor_create(const lav_model* model, const lav_monitor_options* options, lav_monitor** monitor) {
  if (monitor != nullptr) *monitor = nullptr;
  return guarded([&] {
    require(model != nullptr && monitor != nullptr,
            "lav_monitor_create: expected a model and a place for the monitor, found null");
    *monitor = new lav_monitor(model->model, options != nullptr ? options_of(*options) : lavoisier::MonitorOptions{});
  });
}

void lav_monitor_destroy(lav_monitor* monitor) { delete monitor; }

int lav_monitor_is_active(const lav_monitor* monitor) {
  return monitor != nullptr && monitor->monitor.is_active() ? 1 : 0;
}

lav_status lav_monitor_add(lav_monitor* monitor, const lav_run_arguments* emulated, const lav_output_field* original,
                           size_t original_count, const int64_t* original_block_strides) {
  if (monitor != nullptr && !monitor->monitor.is_active()) return LAV_OK;
  return guarded([&] {
    require(monitor != nullptr && emulated != nullptr, "lav_monitor_add: expected a monitor and arguments, found null");
    const std::size_t outputs = monitor->model->outputs().size();
    std::vector<lavoisier::InputField> in(monitor->model->inputs().size());
    std::vector<lavoisier::OutputField> out(outputs), own(outputs);
    const auto arguments = run_arguments(*emulated, in, out);
    require(original_count == 0 || arguments.block_columns == 0 || original_block_strides != nullptr,
            "lav_monitor_add: with block_columns, expected a block stride for every field, found null");
    convert(original, original_count, own, original_block_strides, "original");
    monitor->monitor.add(arguments, own.data(), original_count);
  });
}

lav_status lav_monitor_end_step(lav_monitor* monitor, uint64_t step, lav_status mine, lav_reduce reduce,
                                void* context) {
  Status status = Status::ok;
  const lav_status failed = guarded([&] {
    require(monitor != nullptr, "lav_monitor_end_step: the monitor is null");
    HostReduction host{reduce, context};
    status = monitor->monitor.end_step(step, static_cast<Status>(mine),
                                       reduce != nullptr ? HostReduction::call : nullptr, &host);
  });
  if (failed != LAV_OK || status == Status::ok) return failed;
  return fail(status, text(monitor->monitor.report().message));
}

lav_status lav_monitor_last_report(const lav_monitor* monitor, lav_monitor_report* report) {
  return guarded([&] {
    require(monitor != nullptr && report != nullptr, "a monitor and a structure to fill, found null");
    require_size(*report, "lav_monitor_report");
    const auto& found = monitor->monitor.report();
    report->step = found.step;
    report->columns = found.columns;
    report->out_of_range = found.out_of_range;
    report->left_out = found.left_out;
    report->violated = found.violated ? 1 : 0;
    report->message = text(found.message);
  });
}

lav_status lav_monitor_law_closure(const lav_monitor* monitor, size_t law, int original, lav_monitor_closure* closure) {
  return guarded([&] {
    require(monitor != nullptr && closure != nullptr, "a monitor and a structure to fill, found null");
    require_size(*closure, "lav_monitor_closure");
    const auto& found = closure_of(monitor, law, original);
    closure->columns = found.columns;
    closure->non_finite = found.non_finite;
    closure->max_absolute = found.max_absolute;
    closure->rms = found.rms;
    closure->max_relative = found.max_relative;
    closure->tolerance = law_of(monitor, law).tolerance;
    closure->relative = law_of(monitor, law).relative ? 1 : 0;
    closure->violated = found.violated ? 1 : 0;
    closure->worst_id = found.worst_id;
    closure->worst_column = found.worst_column;
    closure->right_hand_side = found.right_hand_side;
    closure->term_count = found.terms.size();
  });
}

lav_status lav_monitor_law_term(const lav_monitor* monitor, size_t law, int original, size_t term,
                                lav_monitor_term* found) {
  return guarded([&] {
    require(monitor != nullptr && found != nullptr, "a monitor and a structure to fill, found null");
    require_size(*found, "lav_monitor_term");
    const auto& one = entry(closure_of(monitor, law, original).terms, term, "term");
    found->variable = text(one.variable);
    found->element = one.element;
    found->coefficient = one.coefficient;
    found->value = one.value;
  });
}

lav_status lav_monitor_variable_skill(const lav_monitor* monitor, size_t variable, lav_monitor_skill* skill) {
  return guarded([&] {
    require(monitor != nullptr && skill != nullptr, "a monitor and a structure to fill, found null");
    require_size(*skill, "lav_monitor_skill");
    const auto& found = entry(monitor->monitor.report().variables, variable, "variable");
    skill->columns = found.columns;
    skill->non_finite = found.non_finite;
    skill->bias = found.bias;
    skill->rmse = found.rmse;
    skill->mean_absolute_error = found.mean_absolute_error;
    skill->correlation = found.correlation;
    skill->r_squared = found.r_squared;
  });
}

}  // extern "C"
