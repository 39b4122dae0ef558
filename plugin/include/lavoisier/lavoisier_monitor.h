#ifndef LAVOISIER_LAVOISIER_MONITOR_H
#define LAVOISIER_LAVOISIER_MONITOR_H

/* A part of lavoisier.h, which includes it. */

#include <lavoisier/lavoisier.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The emulator beside the host's own scheme (monitor.hpp): lav_monitor_add behind lav_run of each chunk, by any number
    of threads at once; lav_monitor_end_step; then what the report says, if the host wants to know. */
typedef struct lav_monitor lav_monitor;
typedef struct lav_monitor_options {
  size_t size;
  int64_t steps;          /* that are watched, from the first; -1: all; 0: none */
  int stop;               /* not 0: a law that the emulator violates is lav_monitor_end_step's status */
  const int* physics;     /* one a law: 0 the identity tolerance, 1 its physics tolerance; null: identity */
  size_t physics_count;
  const char* log;        /* CSV file to append to; null: none */
} lav_monitor_options;
#define LAV_MONITOR_OPTIONS_INIT \
  { sizeof(lav_monitor_options), -1, 0, NULL, 0, NULL }

/** `options` may be null: the defaults. A log that can't be opened is a status: without one a monitor can still be
    made. On failure *monitor is null. */
lav_status lav_monitor_create(const lav_model* model, const lav_monitor_options* options, lav_monitor** monitor);
void lav_monitor_destroy(lav_monitor* monitor);
int lav_monitor_is_active(const lav_monitor* monitor); /* steps are left; 0 for null */
/** The arguments of a run, whose outputs are now read, and the host's own outputs of the same columns (none: laws
    alone). Give the arguments `status`, so that columns without a result are known. Host memory. */
lav_status lav_monitor_add(lav_monitor* monitor, const lav_run_arguments* emulated, const lav_output_field* original,
                           size_t original_count, const int64_t* original_block_strides);
/** LAV_LAW_VIOLATED (with `stop`), the status of a log that could not be written, LAV_OK; the report is whole in each
    case. `mine`, `reduce`: of all ranks, as in lav_global_laws_close. */
lav_status lav_monitor_end_step(lav_monitor* monitor, uint64_t step, lav_status mine, lav_reduce reduce, void* context);

/** Of the last step that ended; strings live until the next one ends. */
typedef struct lav_monitor_report {
  size_t size;
  uint64_t step;
  int64_t columns, out_of_range, left_out;
  int violated;
  const char* message; /* of a violation or of the log; empty: neither */
} lav_monitor_report;
#define LAV_MONITOR_REPORT_INIT \
  { sizeof(lav_monitor_report), 0, 0, 0, 0, 0, "" }
typedef struct lav_monitor_closure {
  size_t size;
  int64_t columns, non_finite;
  double max_absolute, rms, max_relative;
  double tolerance;
  int relative; /* not 0: the tolerance bounds max_relative; else max_absolute */
  int violated;
  uint64_t worst_id;
  int64_t worst_column; /* in the fields it was given in; -1: none */
  double right_hand_side;
  size_t term_count; /* 0 where there is no worst column */
} lav_monitor_closure;
#define LAV_MONITOR_CLOSURE_INIT \
  { sizeof(lav_monitor_closure), 0, 0, 0.0, 0.0, 0.0, 0.0, 1, 0, 0, -1, 0.0, 0 }
typedef struct lav_monitor_term {
  size_t size;
  const char* variable;
  int64_t element;
  double coefficient, value;
} lav_monitor_term;
#define LAV_MONITOR_TERM_INIT \
  { sizeof(lav_monitor_term), NULL, 0, 0.0, 0.0 }
typedef struct lav_monitor_skill {
  size_t size;
  int64_t columns, non_finite;
  double bias, rmse, mean_absolute_error, correlation, r_squared;
} lav_monitor_skill;
#define LAV_MONITOR_SKILL_INIT \
  { sizeof(lav_monitor_skill), 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0 }
lav_status lav_monitor_last_report(const lav_monitor* monitor, lav_monitor_report* report);
/** Law `law`; `original` not 0: of the host's own outputs, else the emulator's. */
lav_status lav_monitor_law_closure(const lav_monitor* monitor, size_t law, int original, lav_monitor_closure* closure);
/** Term `term` of that law in its worst column. */
lav_status lav_monitor_law_term(const lav_monitor* monitor, size_t law, int original, size_t term,
                                lav_monitor_term* found);
/** Output `variable` of the emulator against the host's own. */
lav_status lav_monitor_variable_skill(const lav_monitor* monitor, size_t variable, lav_monitor_skill* skill);

#ifdef __cplusplus
}
#endif

#endif
