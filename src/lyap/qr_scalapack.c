/* SPDX-License-Identifier: BSD-3-Clause
 *
 * QR by ScaLAPACK: pdgeqrf + pdorgqr on a P x 1 grid. |R_ii| does not change when rows are permuted, so local rows are
 * declared block-cyclic as they lie; only what a rank holds above its block-cyclic share (a few rows, none when the
 * network is dealt evenly) travels to ranks that hold less. No padding: a zero row could become a pivot of a
 * rank-deficient block and take part of Q with it.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <mpi.h>
#include "qr.h"

/* BLACS and ScaLAPACK have no C header; Fortran routines take pointers to 32-bit integers. */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridmap(int *context, int *map, int ldmap, int nprow, int npcol);
void Cblacs_gridexit(int context);
int numroc_(const int *n, const int *nb, const int *iproc, const int *isrcproc, const int *nprocs);
void descinit_(int *desc, const int *m, const int *n, const int *mb, const int *nb, const int *irsrc, const int *icsrc,
    const int *context, const int *lld, int *info);
void pdgeqrf_(const int *m, const int *n, double *a, const int *ia, const int *ja, const int *desc, double *tau,
    double *work, const int *lwork, int *info);
void pdorgqr_(const int *m, const int *n, const int *k, double *a, const int *ia, const int *ja, const int *desc,
    const double *tau, double *work, const int *lwork, int *info);

struct qr_scalapack {
    const lw_comm *comm;    /* borrowed */
    int64_t rows, k, share; /* rows here; columns; rows of the block-cyclic share */
    int n, columns, nb, lld, rank, ranks, handle, context, lwork;
    int desc[9];
    double *a;       /* [lld, k] column-major: the share */
    double *tau;     /* [k] */
    double *work;    /* [lwork] */
    double *diag;    /* [k] */
    bool moves;      /* some rank holds another number of rows than its share */
    lw_halo *there;  /* rows -> share */
    lw_halo *back;   /* share -> rows */
    double *staging; /* [share, k] row-major, NULL when nothing moves */
};

/* Block size: small for few columns (the panel is BLAS-2), up to 64 for a full spectrum (README.md, measurements). */
static int block_size(int64_t k) {
    return k <= 64 ? 8 : k <= 384 ? 32 : 64;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* A rank keeps as many of its rows as its share takes; the surplus rows of all ranks, in rank order, fill the free
 * places of all ranks, in rank order. have, want: [ranks]. Place i of this rank's share gets row row[i] of rank
 * owner[i]. */
static void plan_there(const qr_scalapack *qr, const int64_t *have, const int64_t *want, int32_t *owner, int64_t *row) {
    int64_t kept = smaller(have[qr->rank], want[qr->rank]), free_before = 0, at = 0;
    for (int64_t i = 0; i < kept; i++) {
        owner[i] = qr->rank;
        row[i] = i;
    }
    for (int r = 0; r < qr->rank; r++)
        free_before += want[r] - smaller(have[r], want[r]);
    for (int r = 0; r < qr->ranks; r++)
        for (int64_t i = smaller(have[r], want[r]); i < have[r]; i++, at++)
            if (at >= free_before && at < free_before + want[qr->rank] - kept) {
                owner[kept + at - free_before] = r;
                row[kept + at - free_before] = i;
            }
}

static lw_err moves_make(qr_scalapack *qr, const int64_t *have, const int64_t *want) {
    int64_t most = qr->rows > qr->share ? qr->rows : qr->share;
    int32_t *owner = NULL;
    int64_t *row = NULL;
    lw_err err = LW_OK;
    for (int r = 0; r < qr->ranks; r++)
        qr->moves = qr->moves || have[r] != want[r];
    if (!qr->moves) return LW_OK;
    LW_TRY_TO(lw_alloc((size_t)most, sizeof *owner, "a row plan", &owner), local);
    LW_TRY_TO(lw_alloc((size_t)most, sizeof *row, "a row plan", &row), local);
    LW_TRY_TO(lw_alloc((size_t)(qr->share * qr->k), sizeof(double), "rows on their way", &qr->staging), local);
    plan_there(qr, have, want, owner, row);
local:
    err = lw_comm_agree(qr->comm, err);
    if (err == LW_OK) err = lw_halo_create(qr->comm, qr->rows, qr->share, owner, row, &qr->there);
    if (err == LW_OK) {
        plan_there(qr, want, have, owner, row); /* the way back is the same plan with the roles exchanged */
        err = lw_halo_create(qr->comm, qr->share, qr->rows, owner, row, &qr->back);
    }
    lw_free(owner);
    lw_free(row);
    return err;
}

static lw_err arrays_make(qr_scalapack *qr) {
    int one = 1, info = 0, query = -1, zero = 0;
    double geqrf = 0, orgqr = 0;
    LW_TRY(lw_alloc((size_t)(qr->lld * qr->k), sizeof(double), "a ScaLAPACK block", &qr->a));
    LW_TRY(lw_alloc((size_t)qr->k, sizeof(double), "reflector scales", &qr->tau));
    LW_TRY(lw_alloc((size_t)qr->k, sizeof(double), "a diagonal", &qr->diag));
    descinit_(qr->desc, &qr->n, &qr->columns, &qr->nb, &qr->nb, &zero, &zero, &qr->context, &qr->lld, &info);
    LW_ASSERT(info == 0);
    pdgeqrf_(&qr->n, &qr->columns, qr->a, &one, &one, qr->desc, qr->tau, &geqrf, &query, &info);
    LW_ASSERT(info == 0);
    pdorgqr_(&qr->n, &qr->columns, &qr->columns, qr->a, &one, &one, qr->desc, qr->tau, &orgqr, &query, &info);
    LW_ASSERT(info == 0);
    qr->lwork = (int)fmax(geqrf, orgqr);
    return lw_alloc((size_t)qr->lwork, sizeof(double), "ScaLAPACK workspace", &qr->work);
}

lw_err qr_scalapack_create(const lw_comm *comm, int64_t rows, int64_t rows_global, int64_t k, qr_scalapack **out) {
    qr_scalapack *qr = NULL;
    int64_t *have = NULL, *want = NULL;
    int *map = NULL;
    lw_err err = LW_OK;
    int zero = 0, ranks = lw_comm_size(comm);
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *qr, "a ScaLAPACK factorisation", &qr), local);
    qr->comm = comm;
    qr->rows = rows;
    qr->k = k;
    qr->n = (int)rows_global;
    qr->columns = (int)k;
    qr->nb = block_size(k);
    qr->rank = lw_comm_rank(comm);
    qr->ranks = ranks;
    qr->handle = qr->context = -1;
    qr->share = numroc_(&qr->n, &qr->nb, &qr->rank, &zero, &ranks);
    qr->lld = qr->share > 1 ? (int)qr->share : 1;
    LW_TRY_TO(lw_alloc((size_t)ranks, sizeof *have, "row counts", &have), local);
    LW_TRY_TO(lw_alloc((size_t)ranks, sizeof *want, "row counts", &want), local);
    LW_TRY_TO(lw_alloc((size_t)ranks, sizeof *map, "a process map", &map), local);
    if ((int64_t)qr->lld * k > INT_MAX)
        err = LW_FAIL(LW_EUSE, "a block of %lld x %lld numbers on one rank; ScaLAPACK counts to %d: use more ranks",
            (long long)qr->lld, (long long)k, INT_MAX);
local:
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int r = 0; r < ranks; r++) {
        map[r] = r;
        want[r] = numroc_(&qr->n, &qr->nb, &r, &zero, &ranks);
    }
    lw_comm_allgather_i64(comm, rows, have);
    LW_TRY_TO(moves_make(qr, have, want), done);
    qr->handle = qr->context = Csys2blacs_handle(*(MPI_Comm *)lw_comm_handle(comm));
    Cblacs_gridmap(&qr->context, map, ranks, ranks, 1);
    err = lw_comm_agree(comm, arrays_make(qr));
done:
    lw_free(have);
    lw_free(want);
    lw_free(map);
    if (err != LW_OK) qr_scalapack_destroy(&qr);
    *out = qr;
    return err;
}

void qr_scalapack_destroy(qr_scalapack **qr) {
    if (!*qr) return;
    if ((*qr)->context >= 0) Cblacs_gridexit((*qr)->context);
    if ((*qr)->handle >= 0) Cfree_blacs_system_handle((*qr)->handle);
    lw_halo_destroy(&(*qr)->there);
    lw_halo_destroy(&(*qr)->back);
    lw_free((*qr)->a);
    lw_free((*qr)->tau);
    lw_free((*qr)->work);
    lw_free((*qr)->diag);
    lw_free((*qr)->staging);
    lw_free(*qr);
    *qr = NULL;
}

/* to[j * ld_to + i] = from[i * ld_from + j], in tiles that fit the first cache */
static void transpose(int64_t rows, int64_t columns, const double *from, int64_t ld_from, double *to, int64_t ld_to) {
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < rows; i0 += TILE)
        for (int64_t j0 = 0; j0 < columns; j0 += TILE)
            for (int64_t j = j0; j < smaller(j0 + TILE, columns); j++)
                for (int64_t i = i0; i < smaller(i0 + TILE, rows); i++)
                    to[j * ld_to + i] = from[i * ld_from + j];
}

/* The global row index of local row i of the share. */
static int64_t global_row(const qr_scalapack *qr, int64_t i) {
    return (i / qr->nb * qr->ranks + qr->rank) * qr->nb + i % qr->nb;
}

static void triangle_get(qr_scalapack *qr, double *r_diag, double *r) {
    int64_t k = qr->k;
    memset(r_diag, 0, (size_t)k * sizeof(double));
    if (r) memset(r, 0, (size_t)(k * k) * sizeof(double));
    for (int64_t i = 0; i < qr->share; i++) {
        int64_t g = global_row(qr, i);
        if (g >= k) break;
        r_diag[g] = qr->a[i + g * qr->lld];
        for (int64_t j = g; r && j < k; j++)
            r[g * k + j] = qr->a[i + j * qr->lld];
    }
    lw_comm_sum_f64(qr->comm, r_diag, k);
    if (r) lw_comm_sum_f64(qr->comm, r, k * k);
}

/* Signs so that R_ii >= 0. */
static void signs_fix(qr_scalapack *qr, double *r_diag, double *r) {
    for (int64_t j = 0; j < qr->k; j++) {
        if (!signbit(r_diag[j])) continue;
        r_diag[j] = -r_diag[j];
        for (int64_t i = 0; i < qr->share; i++)
            qr->a[i + j * qr->lld] = -qr->a[i + j * qr->lld];
        for (int64_t i = j; r && i < qr->k; i++)
            r[j * qr->k + i] = -r[j * qr->k + i];
    }
}

void qr_scalapack_factor(qr_scalapack *qr, double *block, double *r_diag, double *r) {
    double *rows = qr->moves ? qr->staging : block;
    size_t row_bytes = (size_t)qr->k * sizeof(double);
    int one = 1, info = 0;
    if (qr->moves) {
        lw_halo_rows_begin(qr->there, block, row_bytes);
        lw_halo_rows_end(qr->there, rows);
    }
    transpose(qr->share, qr->k, rows, qr->k, qr->a, qr->lld);
    pdgeqrf_(&qr->n, &qr->columns, qr->a, &one, &one, qr->desc, qr->tau, qr->work, &qr->lwork, &info);
    LW_ASSERT(info == 0);
    triangle_get(qr, r_diag, r);
    pdorgqr_(&qr->n, &qr->columns, &qr->columns, qr->a, &one, &one, qr->desc, qr->tau, qr->work, &qr->lwork, &info);
    LW_ASSERT(info == 0);
    signs_fix(qr, r_diag, r);
    transpose(qr->k, qr->share, qr->a, qr->lld, rows, qr->k);
    if (qr->moves) {
        lw_halo_rows_begin(qr->back, rows, row_bytes);
        lw_halo_rows_end(qr->back, block);
    }
}
