/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Communicators: start and end of MPI, owned duplicates, agreement on an error, the end of the job. What moves data is
 * in reduce.c, route.c and halo.c. The error handler of every communicator is MPI_ERRORS_ARE_FATAL, so MPI itself
 * prints rank, call and text and ends the job; return codes of MPI are therefore not looked at.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "comm_private.h"

static bool mpi_runs(void) {
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    return started && !ended;
}

static void abort_job(int status) {
    if (mpi_runs()) MPI_Abort(MPI_COMM_WORLD, status);
}

/* Takes `mpi` over, also when it fails. */
static lw_err comm_wrap(MPI_Comm mpi, lw_comm **out) {
    lw_comm *comm = NULL;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *comm, "a communicator", &comm);
    if (err != LW_OK) {
        MPI_Comm_free(&mpi);
        return err;
    }
    comm->mpi = mpi;
    comm->limit = INT_MAX;
    MPI_Comm_set_errhandler(mpi, MPI_ERRORS_ARE_FATAL);
    MPI_Comm_rank(mpi, &comm->rank);
    MPI_Comm_size(mpi, &comm->size);
    comm->as_rank = comm->rank;
    comm->as_size = comm->size;
    *out = comm;
    return LW_OK;
}

lw_err lw_comm_start(int *argc, char ***argv, lw_comm **world) {
    MPI_Comm mpi = MPI_COMM_NULL;
    bool started = false;
    *world = NULL;
    if (!mpi_runs()) {
        int provided = 0;
        MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
        started = true;
        if (provided < MPI_THREAD_FUNNELED) {
            MPI_Finalize();
            return LW_FAIL(
                LW_EUSE, "this MPI allows no threads (level %d), level %d is needed", provided, MPI_THREAD_FUNNELED);
        }
    }
    MPI_Comm_dup(MPI_COMM_WORLD, &mpi);
    lw_err err = comm_wrap(mpi, world);
    if (err != LW_OK) { /* without a communicator the ranks cannot agree */
        fprintf(stderr, "lapwing: error: %s\n", lw_err_message());
        abort_job(lw_err_status(err));
    }
    (*world)->started_mpi = started;
    lw_log_rank_set((*world)->rank);
    lw_abort_hook_set(abort_job);
    return LW_OK;
}

void lw_comm_stop(lw_comm **world) {
    if (!*world) return;
    bool finalize = (*world)->started_mpi;
    lw_comm_destroy(world);
    if (finalize) MPI_Finalize();
}

lw_err lw_comm_dup(const lw_comm *comm, lw_comm **out) {
    return lw_comm_split(comm, 0, comm->rank, out);
}

static void part_set(lw_comm *comm, int rank, int size) {
    comm->plays = true;
    comm->as_rank = rank;
    comm->as_size = size;
}

lw_err lw_comm_split(const lw_comm *comm, int color, int key, lw_comm **out) {
    MPI_Comm mpi = MPI_COMM_NULL;
    lw_err err = LW_OK;
    *out = NULL;
    MPI_Comm_split(comm->mpi, color < 0 ? MPI_UNDEFINED : color, key, &mpi);
    if (mpi != MPI_COMM_NULL) err = comm_wrap(mpi, out);
    err = lw_comm_agree(comm, err);
    if (err != LW_OK) lw_comm_destroy(out);
    if (*out) {
        (*out)->limit = comm->limit;
        (*out)->apart = comm->apart;
        if (comm->plays) part_set(*out, comm->as_rank, comm->as_size);
    }
    return err;
}

lw_err lw_comm_self(lw_comm **out) {
    MPI_Comm mpi = MPI_COMM_NULL;
    LW_ASSERT(mpi_runs());
    MPI_Comm_dup(MPI_COMM_SELF, &mpi);
    return comm_wrap(mpi, out);
}

lw_err lw_comm_play(int rank, int size, lw_comm **out) {
    *out = NULL;
    LW_CHECK(size >= 1 && rank >= 0 && rank < size, LW_EUSE, "rank %d of %d; allowed: 0 to %d", rank, size, size - 1);
    LW_TRY(lw_comm_self(out));
    part_set(*out, rank, size);
    return LW_OK;
}

bool lw_comm_plays(const lw_comm *comm) {
    return comm->plays;
}

void lw_comm_destroy(lw_comm **comm) {
    if (!*comm) return;
    if (mpi_runs()) {
        int left = 0; /* a message that was sent and never received */
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, (*comm)->mpi, &left, MPI_STATUS_IGNORE);
        LW_ASSERT(!left);
        MPI_Comm_free(&(*comm)->mpi);
    }
    lw_free((*comm)->scratch);
    lw_free(*comm);
    *comm = NULL;
}

int lw_comm_rank(const lw_comm *comm) {
    return comm->as_rank;
}

int lw_comm_size(const lw_comm *comm) {
    return comm->as_size;
}

void *lw_comm_handle(const lw_comm *comm) {
    return (void *)&comm->mpi;
}

void lw_comm_limit_set(lw_comm *comm, int64_t bytes) {
    LW_ASSERT(bytes >= 1 && bytes <= INT_MAX);
    comm->limit = bytes;
}

void lw_comm_apart_set(lw_comm *comm, bool apart) {
    comm->apart = apart;
}

/* One small reduction while all is well; the message travels only after a failure. */
lw_err lw_comm_agree(const lw_comm *comm, lw_err err) {
    int first = err == LW_OK ? comm->size : comm->rank;
    if (comm->size == 1) /* no call of MPI: any thread may agree with itself */
        return err == LW_OK || *lw_err_message() ? err : lw_err_set(err, __FILE__, __LINE__, "%s", lw_err_text(err));
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm->mpi);
    if (first == comm->size) return LW_OK;
    struct {
        int32_t code;
        char message[4096];
    } report;
    memset(&report, 0, sizeof report);
    if (first == comm->rank) {
        report.code = (int32_t)err;
        snprintf(report.message, sizeof report.message, "%s", *lw_err_message() ? lw_err_message() : lw_err_text(err));
    }
    MPI_Bcast(&report, (int)sizeof report, MPI_BYTE, first, comm->mpi);
    lw_err_clear();
    return lw_err_set((lw_err)report.code, __FILE__, __LINE__, "%s", report.message);
}

void lw_comm_barrier(const lw_comm *comm) {
    MPI_Barrier(comm->mpi);
}

_Noreturn void lw_comm_abort(const lw_comm *comm, int status) {
    const char *message = lw_err_message();
    if (*message) fprintf(stderr, "lapwing: error: [rank %d] %s\n", comm->rank, message);
    fflush(NULL);
    MPI_Abort(MPI_COMM_WORLD, status);
    __builtin_trap();
}

_Noreturn void lw_comm_die(const lw_comm *comm, const char *while_doing) {
    lw_err_context("%s", while_doing);
    lw_comm_abort(comm, 1);
}

int lw_comm_count(const lw_comm *comm, int64_t n, const char *what) {
    if (n < 0 || n > INT_MAX) {
        (void)LW_FAIL(
            LW_EMEM, "%lld %s in one message, MPI counts end at %d; use more ranks", (long long)n, what, INT_MAX);
        lw_comm_abort(comm, 1);
    }
    return (int)n;
}
