/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A pool: arrays of all ranks whose sums are dealt out by stretches. On one node the arrays are an MPI shared window
 * and every rank reads the others' numbers where they lie; ranks meet before they read and before they write. Elsewhere
 * the pieces of the other ranks' stretches are sent off as they are ready, and results are gathered. Both add in rank
 * order.
 */
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "comm_private.h"

struct lw_pool {
    const lw_comm *comm;
    int64_t n, *cut; /* [size + 1] */
    double *mine;    /* [n] */
    double **array;  /* [size] with a window: everybody's */
    MPI_Win window;  /* MPI_WIN_NULL without */
    double *rows;    /* [size][own stretch] with messages */
    int *counts;     /* [4][size] of the messages in preparation, kept until they are sent: one set per piece */
    MPI_Request *request;
    int n_requests, room;
    int64_t bytes;
};

static int64_t stretch(const lw_pool *p, int rank) {
    return p->cut[rank + 1] - p->cut[rank];
}

/* Windows are files of this folder. Open MPI hangs where it cannot make one, so there has to be twice the room. */
static bool has_room(double bytes) {
    static const char folder[] = "/dev/shm";
    struct statvfs s;
    return access(folder, W_OK) == 0 && statvfs(folder, &s) == 0 &&
           (double)s.f_bavail * (double)s.f_frsize > 2 * bytes + 1e6;
}

/* Whether all ranks see one another's memory and it has room for n numbers of each; the same answer on all. */
static bool together(const lw_comm *comm, int64_t n) {
    MPI_Comm node = MPI_COMM_NULL;
    int size = 0, least = 0;
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node);
    MPI_Comm_size(node, &size);
    MPI_Comm_free(&node);
    if (!has_room(8.0 * (double)n * comm->size)) size = 0;
    MPI_Allreduce(&size, &least, 1, MPI_INT, MPI_MIN, comm->mpi);
    return least == comm->size && !comm->apart;
}

/* No window is no failure: then messages are sent. */
static void window_open(lw_pool *p) {
    void *base = NULL;
    int ok, all = 0;
    MPI_Aint bytes = (MPI_Aint)((p->n + 8) * (int64_t)sizeof(double));
    MPI_Comm_set_errhandler(p->comm->mpi, MPI_ERRORS_RETURN);
    ok = MPI_Win_allocate_shared(bytes, sizeof(double), MPI_INFO_NULL, p->comm->mpi, &base, &p->window) == MPI_SUCCESS;
    MPI_Comm_set_errhandler(p->comm->mpi, MPI_ERRORS_ARE_FATAL);
    MPI_Allreduce(&ok, &all, 1, MPI_INT, MPI_MIN, p->comm->mpi);
    if (!all) {
        if (ok) MPI_Win_free(&p->window);
        p->window = MPI_WIN_NULL;
        return;
    }
    for (int r = 0; r < p->comm->size; r++) {
        int unit = 0;
        MPI_Win_shared_query(p->window, r, &bytes, &unit, &p->array[r]);
    }
    p->mine = p->array[p->comm->rank];
    MPI_Win_lock_all(MPI_MODE_NOCHECK, p->window);
    memset(p->mine, 0, (size_t)p->n * sizeof *p->mine);
    lw_mem_count(p->n * (int64_t)sizeof *p->mine);
}

lw_err lw_pool_create(const lw_comm *comm, int64_t n, const int64_t *cut, lw_pool **out) {
    lw_pool *p = NULL;
    size_t size = (size_t)comm->size;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *p, "a pool", &p);
    if (err == LW_OK) {
        p->comm = comm;
        p->n = n;
        p->window = MPI_WIN_NULL;
        err = lw_alloc(size + 1, sizeof *p->cut, "a pool", &p->cut);
    }
    if (err == LW_OK) err = lw_alloc(size, sizeof *p->array, "a pool", &p->array);
    if (err == LW_OK) err = lw_alloc(4 * size, sizeof *p->counts, "a pool", &p->counts);
    LW_TRY_TO(lw_comm_agree(comm, err), failed);
    memcpy(p->cut, cut, (size + 1) * sizeof *cut);
    LW_ASSERT(cut[0] == 0 && cut[size] == n);
    if (size > 1 && together(comm, n)) window_open(p);
    if (p->window == MPI_WIN_NULL) {
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
    if (p->window != MPI_WIN_NULL) {
        MPI_Win_unlock_all(p->window);
        MPI_Win_free(&p->window);
        lw_mem_count(-p->n * (int64_t)sizeof *p->mine);
    } else {
        lw_free(p->mine);
    }
    lw_free(p->cut);
    lw_free(p->array);
    lw_free(p->rows);
    lw_free(p->counts);
    lw_free(p->request);
    lw_free(p);
    *pool = NULL;
}

double *lw_pool_mine(const lw_pool *pool) {
    return pool->mine;
}

/* Everybody's writes are seen by everybody afterwards. */
static void window_meet(lw_pool *p) {
    MPI_Win_sync(p->window);
    MPI_Barrier(p->comm->mpi);
    MPI_Win_sync(p->window);
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
    if (comm->size == 1 || p->window != MPI_WIN_NULL || n == 0) return;
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
    if (p->window != MPI_WIN_NULL) window_meet(p);
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
            const double *x =
                p->window != MPI_WIN_NULL ? p->array[r] + at : p->rows + r * stretch(p, comm->rank) + at - own;
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
    if (p->window != MPI_WIN_NULL) {
        window_meet(p);
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
    return (p->window != MPI_WIN_NULL ? p->array[rank] : p->mine) + p->cut[rank];
}

void lw_pool_leave(lw_pool *p) {
    if (p->window != MPI_WIN_NULL) window_meet(p);
}

int64_t lw_pool_bytes(const lw_pool *p) {
    return p->bytes;
}
