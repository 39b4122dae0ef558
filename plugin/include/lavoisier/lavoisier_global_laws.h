#ifndef LAVOISIER_LAVOISIER_GLOBAL_LAWS_H
#define LAVOISIER_LAVOISIER_GLOBAL_LAWS_H

/* A part of lavoisier.h, which includes it. */

#include <lavoisier/lavoisier.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Global laws sum_c B_c y_c = D over all columns of all ranks, in two phases (global_laws.hpp):
    lav_global_laws_begin; lav_run of each chunk; lav_global_laws_close, one reduction; lav_correct of each chunk with
    the arguments of its run; lav_global_laws_finish, if the closure is wanted. */
typedef struct lav_global_options {
  size_t size;
  int rows;    /* laws, 1 to 64 */
  int members; /* of an ensemble, reduced together */
  uint64_t first_member;
} lav_global_options;
#define LAV_GLOBAL_OPTIONS_INIT \
  { sizeof(lav_global_options), 1, 1, 0 }
typedef struct lav_global_closure {
  size_t size;
  double right_hand_side, before, after;
  double relative_before, relative_after; /* after: NaN before lav_global_laws_finish */
  double multiplier;
  int64_t columns, left_out; /* over all ranks and members: with a result, without one */
} lav_global_closure;
#define LAV_GLOBAL_CLOSURE_INIT \
  { sizeof(lav_global_closure), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0 }

/** `options` may be null: one row, one member. On failure *laws is null. */
lav_status lav_global_laws_create(const lav_model* model, const lav_global_options* options, lav_global_laws** laws);
void lav_global_laws_destroy(lav_global_laws* laws);
/** `right_hand_side`: D, one a row, the same on every rank; null: 0. */
lav_status lav_global_laws_begin(lav_global_laws* laws, const double* right_hand_side);
/** `mine`: LAV_OK, or how this rank failed before: then every rank fails and none waits. `reduce` null: one process. */
lav_status lav_global_laws_close(lav_global_laws* laws, lav_status mine, lav_reduce reduce, void* context);
lav_status lav_global_laws_finish(lav_global_laws* laws, lav_status mine, lav_reduce reduce, void* context);
lav_status lav_global_laws_closure(const lav_global_laws* laws, uint64_t member, int row, lav_global_closure* closure);
/** Draws again what lav_run (lav_run_mean) drew with these arguments, corrects and stores it. */
lav_status lav_correct(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report);
lav_status lav_correct_mean(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report);

#ifdef __cplusplus
}
#endif

#endif
