#ifndef LAVOISIER_LAVOISIER_H
#define LAVOISIER_LAVOISIER_H

/* The C interface of the plugin: C99, opaque handles, a status from every call that can fail. No call exits, prints or
   lets an exception out. The message of the last failure in a thread is lav_last_error().

   Structures begin with `size` and are filled from their LAV_..._INIT, so that a library that is newer than the header
   knows what the caller has: members are only ever added at the end, and are taken as in LAV_..._INIT where an older
   caller lacks them. A caller that is newer than the library is refused. Concepts, shapes and rules are those of
   emulator.hpp. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this interface; a library of another one refuses lav_initialize. */
#define LAV_ABI_VERSION 1

/** The numbers of lavoisier::Status; never renumbered, only appended. */
typedef enum lav_status {
  LAV_OK = 0,
  LAV_INVALID_ARGUMENT = 1,
  LAV_NOT_FOUND = 2,
  LAV_INVALID_FORMAT = 3,
  LAV_DIGEST_MISMATCH = 4,
  LAV_UNSUPPORTED_VERSION = 5,
  LAV_UNSUPPORTED = 6,
  LAV_UNIT_MISMATCH = 7,
  LAV_SHAPE_MISMATCH = 8,
  LAV_NOT_INITIALIZED = 9,
  LAV_NON_FINITE = 10,
  LAV_OUT_OF_RANGE = 11,
  LAV_INCONSISTENT_LAWS = 12,
  LAV_RANK_DEFICIENT = 13,
  LAV_LAW_VIOLATED = 14,
  LAV_IO_ERROR = 15,
  LAV_NO_SPACE = 16,
  LAV_OUT_OF_MEMORY = 17,
  LAV_INTERRUPTED = 18,
  LAV_INTERNAL = 19
} lav_status;

typedef enum lav_precision { LAV_F64 = 0, LAV_F32 = 1 } lav_precision;
typedef enum lav_memory_space { LAV_HOST = 0, LAV_DEVICE = 1 } lav_memory_space;
typedef enum lav_backend { LAV_AUTOMATIC = 0, LAV_SERIAL = 1, LAV_OPENMP = 2, LAV_DEVICE_BACKEND = 3 } lav_backend;

typedef struct lav_model lav_model;         /* immutable; shared by any number of workspaces and threads */
typedef struct lav_workspace lav_workspace; /* scratch of one calling thread */

/** Of the library, "0.1.0"; static storage. */
const char* lav_version(void);
/** "unit_mismatch" and so on; static storage. */
const char* lav_status_name(lav_status status);
/** What was expected, found and where, of the calling thread's last failure; valid until its next call. Never null. */
const char* lav_last_error(void);
/** Makes `message` the calling thread's last failure and returns `status`: for code beside the plugin. */
lav_status lav_fail(lav_status status, const char* message);
/** Sums `count` integers over all ranks of a host, in place: the host's, or lav_mpi_reduce of plugin_mpi. Every rank
    calls it the same times with the same counts. Not LAV_OK: a failure, with its message by lav_fail. */
typedef lav_status (*lav_reduce)(void* context, int64_t* words, size_t count);

/** Receives what the library has to say beside statuses (a monitor's warnings), on the thread that met it; `message` is
    valid during the call. Null, as at the beginning: nobody. */
typedef void (*lav_log_handler)(void* context, const char* message);
void lav_set_log_handler(lav_log_handler handler, void* context);

typedef struct lav_initialize_options {
  size_t size;
  int abi_version;
  int threads; /* of Kokkos' OpenMP, at most 512; 0: OMP_NUM_THREADS or all */
  int device;  /* -1: Kokkos' choice */
} lav_initialize_options;
#define LAV_INITIALIZE_OPTIONS_INIT \
  { sizeof(lav_initialize_options), LAV_ABI_VERSION, 0, -1 }

/** Starts Kokkos if nobody has; calling it again is harmless. `options` may be null: the defaults. */
lav_status lav_initialize(const lav_initialize_options* options);
/** Ends Kokkos if lav_initialize started it; once, at the end, after every handle is destroyed. */
lav_status lav_finalize(void);
int lav_is_initialized(void);

/** Reads, verifies and prepares a model file. On failure *model is null. */
lav_status lav_model_load(const char* path, lav_model** model);
/** The same from bytes that the host has read; `origin` names them in messages. The bytes may go afterwards. */
lav_status lav_model_parse(const void* bytes, size_t size, const char* origin, lav_model** model);
/** A second handle of the same model, to be destroyed like the first. On failure *other is null. */
lav_status lav_model_share(const lav_model* model, lav_model** other);
/** Null is legal. Workspaces made from the model stay valid. */
void lav_model_destroy(lav_model* model);

/** Strings live as long as the model. `minimum`, `maximum`: training range over elements (inputs). */
typedef struct lav_variable_info {
  size_t size;
  const char* name;
  const char* units;
  const char* long_name;
  int64_t elements;
  double minimum, maximum;
} lav_variable_info;
#define LAV_VARIABLE_INFO_INIT \
  { sizeof(lav_variable_info), NULL, NULL, NULL, 0, 0.0, 0.0 }
typedef struct lav_law_info {
  size_t size;
  const char* name;
  const char* equation;
  const char* units;
  double physics_tolerance;
} lav_law_info;
#define LAV_LAW_INFO_INIT \
  { sizeof(lav_law_info), NULL, NULL, NULL, 0.0 }

/** Counts of a null model are 0. */
size_t lav_model_input_count(const lav_model* model);
size_t lav_model_output_count(const lav_model* model);
size_t lav_model_law_count(const lav_model* model);
lav_status lav_model_input(const lav_model* model, size_t index, lav_variable_info* info);
lav_status lav_model_output(const lav_model* model, size_t index, lav_variable_info* info);
lav_status lav_model_law(const lav_model* model, size_t index, lav_law_info* info);

/** A physical constant of the laws. `value`: as the laws have it, the host's once it is registered. */
typedef struct lav_constant_info {
  size_t size;
  const char* name;
  const char* units;
  double value, file_value;
} lav_constant_info;
#define LAV_CONSTANT_INFO_INIT \
  { sizeof(lav_constant_info), NULL, NULL, 0.0, 0.0 }
size_t lav_model_constant_count(const lav_model* model);
lav_status lav_model_constant(const lav_model* model, size_t index, lav_constant_info* info);

/** A constant as the host has it. Units: the model's or an accepted spelling; null: not checked. */
typedef struct lav_host_constant {
  const char* name;
  double value;
  const char* units;
} lav_host_constant;
/** A coordinate as the host has it: `count` values of a dimension, or of a coordinate variable. */
typedef struct lav_host_coordinate {
  const char* name;
  const double* values;
  int64_t count;
} lav_host_coordinate;
typedef struct lav_host_constants {
  size_t size;
  const lav_host_constant* constants;
  size_t constant_count;
  const lav_host_coordinate* coordinates;
  size_t coordinate_count;
} lav_host_constants;
#define LAV_HOST_CONSTANTS_INIT \
  { sizeof(lav_host_constants), NULL, 0, NULL, 0 }

/** The same model with the host's constants and coordinates in every number of its laws; the weights are shared. Each
    is compared with the model file's first: one that differs by more than 1e-6, relative, is LAV_OUT_OF_RANGE, with
    both values. A handle of its own, to be destroyed like the first. On failure *own is null. */
lav_status lav_model_with_constants(const lav_model* model, const lav_host_constants* host, lav_model** own);

const char* lav_model_digest(const lav_model* model);   /* 64 hex digits; empty for null */
const char* lav_model_strategy(const lav_model* model); /* empty for null */

typedef struct lav_workspace_options {
  size_t size;
  int64_t max_columns;  /* capacity of one run */
  int backend;          /* lav_backend */
  int override_stream;  /* 0: the stream is the model digest's */
  uint64_t seed, stream;
  int global_rows;          /* later addition: of the global laws that its runs may belong to */
  void* device_stream;      /* later addition: the host's cudaStream_t or hipStream_t; null: Kokkos' default */
} lav_workspace_options;
#define LAV_WORKSPACE_OPTIONS_INIT \
  { sizeof(lav_workspace_options), 1024, LAV_AUTOMATIC, 0, 0, 0, 0, NULL }

/** Validates and allocates. `options` may be null: the defaults. On failure *workspace is null. */
lav_status lav_workspace_create(const lav_model* model, const lav_workspace_options* options, lav_workspace** workspace);
void lav_workspace_destroy(lav_workspace* workspace);
/** "serial", "openmp", "cuda"; lives as long as the workspace. */
const char* lav_workspace_backend(const lav_workspace* workspace);
const char* lav_workspace_instruction_set(const lav_workspace* workspace);

/** A field where it lies: element (c, e) at data[c * column_stride + e * element_stride], strides in elements, any sign.
    Units: the model's or an accepted spelling; null: not checked. */
typedef struct lav_input_field {
  const char* name;
  const char* units;
  const void* data;
  int precision; /* lav_precision */
  int space;     /* lav_memory_space */
  int64_t columns, elements, column_stride, element_stride;
} lav_input_field;
typedef struct lav_output_field {
  const char* name;
  const char* units;
  void* data;
  int precision;
  int space;
  int64_t columns, elements, column_stride, element_stride;
} lav_output_field;

typedef struct lav_global_laws lav_global_laws; /* lavoisier_global_laws.h */

typedef struct lav_run_arguments {
  size_t size;
  int64_t active_count;      /* -1: no list; 0: no column */
  const int64_t* active;     /* indices of the columns to compute; or */
  const uint8_t* mask;       /* one byte a column, 0: skip */
  const lav_input_field* inputs;
  size_t input_count;
  const lav_output_field* outputs;
  size_t output_count;
  int64_t columns;           /* columns 0 .. columns-1 of the fields */
  const uint64_t* column_ids; /* one a column; null: first_column_id + index */
  uint64_t first_column_id;
  uint64_t step;
  const uint64_t* step_ids;  /* one a column; null: `step` for all */
  uint64_t member;           /* < 2^32 */
  lav_status* status;        /* one a column, may be null; written for the computed columns */
  /* Later addition. Columns in blocks of block_columns (0: none), as in (nproma, nlev, nblock): element (c, e) lies at
     (c / block_columns) * block_stride + (c % block_columns) * column_stride + e * element_stride. The last block may
     be partly filled: `columns` counts the valid ones. One block stride a field, in the fields' order. */
  int64_t block_columns;
  const int64_t* input_block_strides;
  const int64_t* output_block_strides;
  /* Global laws to which the run belongs, and their B: of row k, column c and output element e (through the model's
     outputs, one after the other) at global_coefficients[c * global_column_stride + k * global_row_stride +
     e * global_element_stride], times global_weights[c] unless null. Host memory. */
  lav_global_laws* global;
  const double* global_coefficients;
  int64_t global_column_stride, global_row_stride, global_element_stride;
  const double* global_weights;
} lav_run_arguments;
#define LAV_RUN_ARGUMENTS_INIT \
  { sizeof(lav_run_arguments), -1, NULL, NULL, NULL, 0, NULL, 0, 0, NULL, 0, 0, NULL, 0, NULL, 0, NULL, NULL, \
    NULL, NULL, 0, 0, 1, NULL }

typedef struct lav_run_report {
  size_t size;
  int64_t columns;        /* computed and written */
  int64_t non_finite;     /* untouched */
  int64_t out_of_range;   /* computed and flagged */
  int64_t rank_deficient; /* untouched */
  int64_t invalid_argument; /* later addition: indices or counts that name no node, row or entry; untouched */
} lav_run_report;
#define LAV_RUN_REPORT_INIT \
  { sizeof(lav_run_report), 0, 0, 0, 0, 0 }

typedef struct lav_law_closure {
  size_t size;
  double max_absolute, rms, max_relative;
  int64_t worst_column; /* of the largest relative residual; -1 without columns */
} lav_law_closure;
#define LAV_LAW_CLOSURE_INIT \
  { sizeof(lav_law_closure), 0.0, 0.0, 0.0, -1 }

/** One draw a column; `report` may be null. Every field is checked before any is touched. */
lav_status lav_run(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report);
/** The conditional mean instead of a draw. LAV_UNSUPPORTED for a model whose noise goes through a network or a sampling
    loop, which has none in closed form. */
lav_status lav_run_mean(lav_workspace* workspace, const lav_run_arguments* arguments, lav_run_report* report);
/** Closure of law `index` over the last successful run, of the values as stored. */
lav_status lav_workspace_law_closure(const lav_workspace* workspace, size_t index, lav_law_closure* closure);

/** An input element of a column that is no number (LAV_NON_FINITE) or outside its training range (LAV_OUT_OF_RANGE). */
typedef struct lav_input_flag {
  size_t size;
  int64_t count; /* such elements of the column */
  const char* name; /* null: there is no flag of this index */
  const char* units;
  int64_t element;
  double value, minimum, maximum;
  lav_status status;
} lav_input_flag;
#define LAV_INPUT_FLAG_INIT \
  { sizeof(lav_input_flag), 0, NULL, NULL, 0, 0.0, 0.0, 0.0, LAV_OK }
/** Flag `index`, from 0, of a column of the fields: why its status is LAV_OUT_OF_RANGE or LAV_NON_FINITE, found on
    demand in the inputs where they lie (host memory). Strings live as long as the workspace. */
lav_status lav_workspace_input_flag(const lav_workspace* workspace, const lav_run_arguments* arguments, int64_t column,
                                    int64_t index, lav_input_flag* flag);

#ifdef __cplusplus
}
#endif

#include <lavoisier/lavoisier_global_laws.h>
#include <lavoisier/lavoisier_monitor.h>

#endif
