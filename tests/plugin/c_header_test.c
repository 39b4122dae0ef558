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
  if (start.abi_version != LAV_ABI_VERSION || start.device != -1 || variable.name != NULL || law.equation != NULL ||
      options.max_columns != 1024 || arguments.active_count != -1 || arguments.status != NULL || report.columns != 0 ||
      closure.worst_column != -1)
    return 1;
  return lav_version()[0] == '\0';
}
