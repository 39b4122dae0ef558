/* The C header alone, C99 -pedantic, warnings as errors: every initialiser fits its structure. */
#include <lavoisier/lavoisier.h>

int main(void) {
  lav_initialize_options start = LAV_INITIALIZE_OPTIONS_INIT;
  lav_variable_info variable = LAV_VARIABLE_INFO_INIT;
  lav_law_info law = LAV_LAW_INFO_INIT;
  lav_workspace_options options = LAV_WORKSPACE_OPTIONS_INIT;
  lav_run_arguments arguments = LAV_RUN_ARGUMENTS_INIT;
  lav_run_report report = LAV_RUN_REPORT_INIT;
  lav_law_closure closure = LAV_LAW_CLOSURE_INIT;
  lav_constant_info constant = LAV_CONSTANT_INFO_INIT;
  lav_host_constants host = LAV_HOST_CONSTANTS_INIT;
  lav_input_flag flag = LAV_INPUT_FLAG_INIT;
  lav_monitor_options monitor = LAV_MONITOR_OPTIONS_INIT;
  lav_monitor_report summary = LAV_MONITOR_REPORT_INIT;
  lav_monitor_closure watched = LAV_MONITOR_CLOSURE_INIT;
  lav_monitor_term term = LAV_MONITOR_TERM_INIT;
  lav_monitor_skill skill = LAV_MONITOR_SKILL_INIT;
  if (start.abi_version != LAV_ABI_VERSION || start.device != -1 || variable.name != NULL || law.equation != NULL ||
      options.max_columns != 1024 || arguments.active_count != -1 || arguments.status != NULL || report.columns != 0 ||
      closure.worst_column != -1 || constant.name != NULL || host.coordinate_count != 0 || flag.status != LAV_OK ||
      monitor.steps != -1 || summary.message[0] != '\0' || watched.worst_column != -1 || term.variable != NULL ||
      skill.r_squared != 0.0)
    return 1;
  return lav_version()[0] == '\0';
}
