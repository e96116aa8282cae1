/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A sum over ranks in two halves, so that it travels while something else is computed. Every rank adds one stretch of
 * the numbers, left to right in rank order as the sums of reduce.c do; the stretches are sent off at the beginning and
 * handed round at the end.
 */
#include <string.h>
#include "comm_private.h"

struct lw_comm_sum {
    const lw_comm *comm;
    double *x;       /* [n] */
    double *rows;    /* [size][n of this rank's stretch] */
    int *count, *at; /* [size] stretches of x */
    int *rows_count, *rows_at;
    MPI_Request request;
};

static void sum_free(lw_comm_sum **sum) {
    if (!*sum) return;
    lw_free((*sum)->rows);
    lw_free((*sum)->count);
    lw_free(*sum);
    *sum = NULL;
}

lw_err lw_comm_sum_begin(const lw_comm *comm, double *x, int64_t n, lw_comm_sum **out) {
    lw_comm_sum *s = NULL;
    lw_err err;
    *out = NULL;
    if (comm->size == 1 || n == 0) return LW_OK;
    int size = comm->size;
    LW_TRY_TO(lw_alloc(1, sizeof *s, "a sum over ranks", &s), failed);
    LW_TRY_TO(lw_alloc(4 * (size_t)size, sizeof *s->count, "a sum over ranks", &s->count), failed);
    s->comm = comm;
    s->x = x;
    s->at = s->count + size;
    s->rows_count = s->count + 2 * (size_t)size;
    s->rows_at = s->count + 3 * (size_t)size;
    (void)lw_comm_count(comm, n, "a sum over ranks");
    for (int r = 0; r < size; r++) {
        s->at[r] = (int)(n * r / size);
        s->count[r] = (int)(n * (r + 1) / size) - s->at[r];
    }
    int mine = s->count[comm->rank];
    (void)lw_comm_count(comm, (int64_t)mine * size, "a sum over ranks");
    LW_TRY_TO(lw_alloc((size_t)mine * (size_t)size, sizeof *s->rows, "a sum over ranks", &s->rows), failed);
    for (int r = 0; r < size; r++) {
        s->rows_count[r] = mine;
        s->rows_at[r] = r * mine;
    }
    MPI_Ialltoallv(
        x, s->count, s->at, MPI_DOUBLE, s->rows, s->rows_count, s->rows_at, MPI_DOUBLE, comm->mpi, &s->request);
    *out = s;
    return LW_OK;
failed:
    sum_free(&s);
    return err;
}

void lw_comm_sum_end(lw_comm_sum **sum) {
    lw_comm_sum *s = *sum;
    if (!s) return;
    MPI_Wait(&s->request, MPI_STATUS_IGNORE);
    const lw_comm *comm = s->comm;
    int mine = s->count[comm->rank];
    for (int r = 1; r < comm->size; r++)
        for (int i = 0; i < mine; i++)
            s->rows[i] += s->rows[r * mine + i];
    MPI_Allgatherv(s->rows, mine, MPI_DOUBLE, s->x, s->count, s->at, MPI_DOUBLE, comm->mpi);
    sum_free(sum);
}
