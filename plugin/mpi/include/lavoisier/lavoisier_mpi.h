#ifndef LAVOISIER_LAVOISIER_MPI_H
#define LAVOISIER_LAVOISIER_MPI_H

/* What the plugin does over MPI: C99, beside lavoisier.h, whose rules hold. Communicators are the host's. Each call that
   needs one works on a duplicate of it, so that its messages never meet the host's, and sees errors of MPI as statuses
   there; the host's communicator, its error handler and its attributes stay as they are. (Making the duplicate is the
   one call on the host's communicator itself: should that fail, the host's own error handler is asked.)

   Collective calls are called by every rank of the communicator. A failure of any rank, a file that only one rank could
   not read, say, is the same status with the same message on every rank: none waits for another. */

#include <lavoisier/lavoisier.h>

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Collective. Rank `root` reads the model file and broadcasts its bytes; every rank verifies the digest and prepares its
    model, as lav_model_parse does. `path` is needed on `root` alone. On failure *model is null on every rank. */
lav_status lav_mpi_model_load(MPI_Comm communicator, int root, const char* path, lav_model** model);
/** The same with a communicator of Fortran. */
lav_status lav_mpi_model_load_f(MPI_Fint communicator, int root, const char* path, lav_model** model);

/** Collective. LAV_OK if every rank says so; else the failure of the lowest rank that has one, and its message
    (lav_last_error), on every rank: for hosts that want to fail together. */
lav_status lav_mpi_agree(MPI_Comm communicator, lav_status mine);
lav_status lav_mpi_agree_f(MPI_Fint communicator, lav_status mine);

/** The reduction of global laws over a communicator: made once, used every step. */
typedef struct lav_mpi_reducer lav_mpi_reducer;
/** Collective. On failure *reducer is null. */
lav_status lav_mpi_reducer_create(MPI_Comm communicator, lav_mpi_reducer** reducer);
lav_status lav_mpi_reducer_create_f(MPI_Fint communicator, lav_mpi_reducer** reducer);
/** Collective, before MPI_Finalize. Null is legal. */
void lav_mpi_reducer_destroy(lav_mpi_reducer* reducer);
/** A lav_reduce: its context is a lav_mpi_reducer. One MPI_Allreduce of integers. */
lav_status lav_mpi_reduce(void* reducer, int64_t* words, size_t count);

#ifdef __cplusplus
}
#endif

#endif
