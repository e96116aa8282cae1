/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reductions, broadcast and the small gathers. Floating-point reductions do not use MPI_Allreduce: its association is
 * the library's choice. Here the ranks' numbers are added left to right in rank order, on one rank per number, and the
 * result is handed round, so all ranks hold the same bits, and the same bits again in the next run.
 *
 * Short arrays are gathered whole and added by everyone (one call). Longer ones are cut into one chunk per rank:
 * alltoall, add, allgather; each rank then moves 2 n (P-1)/P numbers, as the best allreduce does.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "comm_private.h"

enum { WHOLE_BYTES = 32 << 10, SCRATCH_BYTES = 8 << 20 };

typedef enum fold_kind { FOLD_SUM_F64, FOLD_SUM_F32, FOLD_MAX_F64 } fold_kind;

static size_t fold_size(fold_kind kind) {
    return kind == FOLD_SUM_F32 ? 4 : 8;
}

static MPI_Datatype fold_type(fold_kind kind) {
    return kind == FOLD_SUM_F32 ? MPI_FLOAT : MPI_DOUBLE;
}

/* x[i] = x[i] op y[i]. A maximum with a NaN is NaN, on every rank. */
static void fold_add(fold_kind kind, int64_t n, void *x, const void *y) {
    switch (kind) {
    case FOLD_SUM_F64: {
        double *a = x;
        const double *b = y;
        for (int64_t i = 0; i < n; i++)
            a[i] += b[i];
        return;
    }
    case FOLD_SUM_F32: {
        float *a = x;
        const float *b = y;
        for (int64_t i = 0; i < n; i++)
            a[i] += b[i];
        return;
    }
    case FOLD_MAX_F64: {
        double *a = x;
        const double *b = y;
        for (int64_t i = 0; i < n; i++)
            a[i] = isnan(a[i]) || a[i] >= b[i] ? a[i] : b[i];
        return;
    }
    }
}

static char *scratch_get(const lw_comm *comm, size_t bytes) {
    lw_comm *owner = (lw_comm *)comm; /* scratch is no part of what const promises */
    if (owner->scratch_len < bytes) {
        lw_free(owner->scratch);
        owner->scratch_len = 0;
        if (lw_alloc(bytes, 1, "a reduction", &owner->scratch) != LW_OK) lw_comm_die(comm, "summing over ranks");
        owner->scratch_len = bytes;
    }
    return owner->scratch;
}

/* rows: [count, n] one after the other; the first becomes their sum */
static void fold_rows(fold_kind kind, int count, int64_t n, char *rows) {
    for (int r = 1; r < count; r++)
        fold_add(kind, n, rows, rows + (size_t)r * (size_t)n * fold_size(kind));
}

static void fold_whole(const lw_comm *comm, fold_kind kind, char *x, int64_t n) {
    size_t bytes = (size_t)n * fold_size(kind);
    char *rows = scratch_get(comm, bytes * (size_t)comm->size);
    MPI_Allgather(x, (int)n, fold_type(kind), rows, (int)n, fold_type(kind), comm->mpi);
    fold_rows(kind, comm->size, n, rows);
    memcpy(x, rows, bytes);
}

/* n is a multiple of the number of ranks */
static void fold_chunks(const lw_comm *comm, fold_kind kind, char *x, int64_t n) {
    int64_t chunk = n / comm->size;
    char *rows = scratch_get(comm, (size_t)n * fold_size(kind));
    MPI_Alltoall(x, (int)chunk, fold_type(kind), rows, (int)chunk, fold_type(kind), comm->mpi);
    fold_rows(kind, comm->size, chunk, rows);
    MPI_Allgather(rows, (int)chunk, fold_type(kind), x, (int)chunk, fold_type(kind), comm->mpi);
}

static void fold(const lw_comm *comm, fold_kind kind, void *x, int64_t n) {
    int64_t size = (int64_t)fold_size(kind), whole = WHOLE_BYTES / size / comm->size;
    int64_t most = (comm->limit < SCRATCH_BYTES ? comm->limit : SCRATCH_BYTES) / size / comm->size * comm->size;
    if (comm->size == 1 || n == 0) return;
    LW_ASSERT(n > 0 && x != NULL);
    if (whole < 1) whole = 1;
    if (most < comm->size) most = comm->size;
    for (char *p = x; n > 0;) {
        int64_t now = n > most ? most : n / comm->size * comm->size;
        if (n <= whole || now == 0) {
            now = n > whole ? whole : n;
            fold_whole(comm, kind, p, now);
        } else {
            fold_chunks(comm, kind, p, now);
        }
        p += now * size;
        n -= now;
    }
}

void lw_comm_sum_f64(const lw_comm *comm, double *x, int64_t n) {
    fold(comm, FOLD_SUM_F64, x, n);
}

void lw_comm_sum_f32(const lw_comm *comm, float *x, int64_t n) {
    fold(comm, FOLD_SUM_F32, x, n);
}

void lw_comm_max_f64(const lw_comm *comm, double *x, int64_t n) {
    fold(comm, FOLD_MAX_F64, x, n);
}

/* Integers: the order does not matter, MPI's own algorithm is the fastest. */
static void reduce_i64(const lw_comm *comm, int64_t *x, int64_t n, MPI_Op op) {
    int64_t most = comm->limit / 8 > 0 ? comm->limit / 8 : 1;
    if (comm->size == 1) return;
    for (int64_t at = 0; at < n; at += most) {
        int now = (int)(n - at < most ? n - at : most);
        MPI_Allreduce(MPI_IN_PLACE, x + at, now, MPI_INT64_T, op, comm->mpi);
    }
}

void lw_comm_sum_i64(const lw_comm *comm, int64_t *x, int64_t n) {
    reduce_i64(comm, x, n, MPI_SUM);
}

void lw_comm_sum_deal_i64(const lw_comm *comm, int64_t *x, const int64_t *count) {
    int *each = NULL;
    if (comm->size == 1) return;
    if (lw_alloc((size_t)comm->size, sizeof *each, "stretches of a sum", &each) != LW_OK)
        lw_comm_die(comm, "summing over ranks");
    for (int r = 0; r < comm->size; r++)
        each[r] = lw_comm_count(comm, count[r], "numbers of a sum");
    MPI_Reduce_scatter(MPI_IN_PLACE, x, each, MPI_INT64_T, MPI_SUM, comm->mpi);
    lw_free(each);
}

void lw_comm_max_i64(const lw_comm *comm, int64_t *x, int64_t n) {
    reduce_i64(comm, x, n, MPI_MAX);
}

void lw_comm_min_i64(const lw_comm *comm, int64_t *x, int64_t n) {
    reduce_i64(comm, x, n, MPI_MIN);
}

void lw_comm_bcast(const lw_comm *comm, void *data, int64_t bytes, int root) {
    if (comm->size == 1) return;
    for (int64_t at = 0; at < bytes; at += comm->limit) {
        int now = (int)(bytes - at < comm->limit ? bytes - at : comm->limit);
        MPI_Bcast((char *)data + at, now, MPI_BYTE, root, comm->mpi);
    }
}

void lw_comm_allgather_i64(const lw_comm *comm, int64_t x, int64_t *out) {
    MPI_Allgather(&x, 1, MPI_INT64_T, out, 1, MPI_INT64_T, comm->mpi);
}

int64_t lw_comm_exscan_i64(const lw_comm *comm, int64_t x) {
    int64_t below = 0;
    MPI_Exscan(&x, &below, 1, MPI_INT64_T, MPI_SUM, comm->mpi);
    return comm->rank == 0 ? 0 : below; /* MPI leaves rank 0's result undefined */
}
