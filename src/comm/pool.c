/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A pool: arrays of all ranks whose sums are dealt out by stretches. On one node the arrays are an MPI shared window
 * and every rank reads the others' numbers where they lie; ranks meet before they read and before they write. Elsewhere
 * the pieces of the other ranks' stretches are sent off as they are ready, and results are gathered. Both add in rank
 * order.
 */
#include <string.h>
#include "comm_private.h"

struct lw_pool {
    const lw_comm *comm;
    int64_t n, *cut;   /* [size + 1] */
    double *mine;      /* [n] */
    lw_window *window; /* [size][apart(n)], everybody's arrays, or NULL */
    double *rows;      /* [size][own stretch] with messages */
    int *counts;       /* [4][size] of the messages in preparation, kept until they are sent: one set per piece */
    MPI_Request *request;
    int n_requests, room;
    int64_t bytes;
};

static int64_t stretch(const lw_pool *p, int rank) {
    return p->cut[rank + 1] - p->cut[rank];
}

/* Numbers from one array of the window to the next: whole pages, each near its rank. */
static int64_t apart(int64_t n) {
    enum { PAGE = 512 };
    return (n / PAGE + 1) * PAGE;
}

static double *array_of(const lw_pool *p, int rank) {
    return (double *)lw_window_at(p->window) + rank * apart(p->n);
}

lw_err lw_pool_create(const lw_comm *comm, int64_t n, const int64_t *cut, lw_pool **out) {
    lw_pool *p = NULL;
    size_t size = (size_t)comm->size;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *p, "a pool", &p);
    if (err == LW_OK) {
        p->comm = comm;
        p->n = n;
        err = lw_alloc(size + 1, sizeof *p->cut, "a pool", &p->cut);
    }
    if (err == LW_OK) err = lw_alloc(4 * size, sizeof *p->counts, "a pool", &p->counts);
    LW_TRY_TO(lw_comm_agree(comm, err), failed);
    memcpy(p->cut, cut, (size + 1) * sizeof *cut);
    LW_ASSERT(cut[0] == 0 && cut[size] == n);
    if (size > 1) LW_TRY_TO(lw_window_create(comm, (int64_t)(size * sizeof *p->mine) * apart(n), &p->window), failed);
    if (p->window) {
        p->mine = array_of(p, comm->rank);
        memset(p->mine, 0, (size_t)n * sizeof *p->mine);
    } else {
        err = lw_alloc((size_t)n, sizeof *p->mine, "numbers to be summed", &p->mine);
        if (err == LW_OK && size > 1)
            err = lw_alloc(size * (size_t)stretch(p, comm->rank), sizeof *p->rows, "numbers to be summed", &p->rows);
        LW_TRY_TO(lw_comm_agree(comm, err), failed);
        (void)lw_comm_count(comm, n, "numbers to be summed");
        (void)lw_comm_count(comm, (int64_t)size * stretch(p, comm->rank), "numbers to be summed");
    }
    *out = p;
    return LW_OK;
failed:
    lw_pool_destroy(&p);
    return err;
}

void lw_pool_destroy(lw_pool **pool) {
    lw_pool *p = *pool;
    if (!p) return;
    LW_ASSERT(p->n_requests == 0);
    if (p->window)
        lw_window_destroy(&p->window);
    else
        lw_free(p->mine);
    lw_free(p->cut);
    lw_free(p->rows);
    lw_free(p->counts);
    lw_free(p->request);
    lw_free(p);
    *pool = NULL;
}

double *lw_pool_mine(const lw_pool *pool) {
    return pool->mine;
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* MPI reads the tables of a collective until it is complete, so each piece has its own. */
static int *piece_room(lw_pool *p) {
    size_t size = (size_t)p->comm->size;
    if (p->n_requests == p->room) {
        size_t old = (size_t)p->room, room = 2 * old + 8;
        lw_err err = lw_grow(&p->request, old, room, sizeof *p->request, "messages of a sum");
        if (err != LW_OK) lw_comm_die(p->comm, "summing over ranks");
        int *counts = NULL;
        if (lw_alloc(4 * size * room, sizeof *counts, "messages of a sum", &counts) != LW_OK)
            lw_comm_die(p->comm, "summing over ranks");
        if (p->n_requests > 0) { /* those under way look at the old tables */
            MPI_Waitall(p->n_requests, p->request, MPI_STATUSES_IGNORE);
            p->n_requests = 0;
        }
        lw_free(p->counts);
        p->counts = counts;
        p->room = (int)room;
    }
    return p->counts + 4 * size * (size_t)p->n_requests;
}

void lw_pool_ready(lw_pool *p, int64_t at, int64_t n) {
    const lw_comm *comm = p->comm;
    if (comm->size == 1 || p->window || n == 0) return;
    int size = comm->size, *send = piece_room(p), *from = send + size, *receive = from + size, *to = receive + size;
    int64_t own = p->cut[comm->rank], lo = larger(at, own), hi = smaller(at + n, p->cut[comm->rank + 1]);
    for (int r = 0; r < size; r++) {
        int64_t a = larger(at, p->cut[r]), b = smaller(at + n, p->cut[r + 1]);
        send[r] = b > a ? (int)(b - a) : 0;
        from[r] = b > a ? (int)a : 0;
        receive[r] = hi > lo ? (int)(hi - lo) : 0;
        to[r] = hi > lo ? (int)(r * stretch(p, comm->rank) + lo - own) : 0;
        if (r != comm->rank) p->bytes += 8 * (int64_t)send[r];
    }
    MPI_Ialltoallv(
        p->mine, send, from, MPI_DOUBLE, p->rows, receive, to, MPI_DOUBLE, comm->mpi, &p->request[p->n_requests++]);
}

void lw_pool_meet(lw_pool *p) {
    if (p->window) lw_window_meet(p->window);
    if (p->n_requests > 0) MPI_Waitall(p->n_requests, p->request, MPI_STATUSES_IGNORE);
    p->n_requests = 0;
}

/* Through a buffer that stays in the first cache, because the own array is the target and not always the first term. */
void lw_pool_add(lw_pool *p, int64_t lo, int64_t hi) {
    enum { BUFFER = 512 };
    const lw_comm *comm = p->comm;
    double sum[BUFFER];
    int64_t own = p->cut[comm->rank];
    if (comm->size == 1) return;
    for (int64_t at = lo; at < hi; at += BUFFER) {
        int64_t n = smaller(hi - at, BUFFER);
        for (int r = 0; r < comm->size; r++) {
            const double *x = p->window ? array_of(p, r) + at : p->rows + r * stretch(p, comm->rank) + at - own;
            if (r == 0)
                memcpy(sum, x, (size_t)n * sizeof *sum);
            else
                for (int64_t i = 0; i < n; i++)
                    sum[i] += x[i];
        }
        memcpy(p->mine + at, sum, (size_t)n * sizeof *sum);
    }
}

void lw_pool_hand(lw_pool *p) {
    const lw_comm *comm = p->comm;
    if (comm->size == 1) return;
    if (p->window) {
        lw_window_meet(p->window);
        return;
    }
    int *count = p->counts, *at = count + comm->size;
    for (int r = 0; r < comm->size; r++) {
        count[r] = (int)stretch(p, r);
        at[r] = (int)p->cut[r];
    }
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, p->mine, count, at, MPI_DOUBLE, comm->mpi);
    p->bytes += 8 * stretch(p, comm->rank) * (comm->size - 1);
}

const double *lw_pool_stretch(const lw_pool *p, int rank) {
    return (p->window ? array_of(p, rank) : p->mine) + p->cut[rank];
}

void lw_pool_leave(lw_pool *p) {
    if (p->window) lw_window_meet(p->window);
}

int64_t lw_pool_bytes(const lw_pool *p) {
    return p->bytes;
}
