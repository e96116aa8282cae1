/* SPDX-License-Identifier: BSD-3-Clause
 *
 * QR of a tall block spread over ranks by rows: the interface, and the choice of the back end. After a breakdown of
 * CholeskyQR2 the automatic choice stays with ScaLAPACK for a while, since a badly conditioned block seldom comes
 * alone.
 */
#include <limits.h>
#include <math.h>
#include "qr.h"

enum { CALM = 16 }; /* factorisations after a breakdown before CholeskyQR2 is tried again */

struct lw_qr {
    lw_comm *comm; /* owned duplicate */
    lw_qr_kind kind, last;
    int64_t rows, rows_global, k;
    bool suits;              /* the shape suits CholeskyQR2 (automatic choice) */
    int wait;                /* factorisations left for ScaLAPACK alone */
    qr_cholesky *cholesky;   /* NULL when never used */
    qr_scalapack *scalapack; /* made when first needed */
    double *second;          /* [k,k] R2 after a half factorisation; made with the above */
};

/* 4 n k^2 / P flops are shared, k^3 are done by every rank: worth it while k is below both n/8 and 4 n/P. */
static bool shape_suits(int64_t n, int64_t k, int64_t ranks) {
    return k * 8 <= n && k * ranks <= 4 * n;
}

lw_err lw_qr_create(const lw_comm *comm, lw_qr_kind kind, int64_t rows, int64_t k, lw_qr **out) {
    lw_qr *qr = NULL;
    lw_err err = LW_OK;
    int64_t total = rows;
    *out = NULL;
    lw_comm_sum_i64(comm, &total, 1);
    LW_CHECK(k >= 1 && k <= total, LW_EUSE, "%lld columns of %lld rows; 1 to %lld are possible", (long long)k,
        (long long)total, (long long)total);
    LW_CHECK(
        total <= INT_MAX, LW_EUSE, "a block of %lld rows; ScaLAPACK and BLAS count to %d", (long long)total, INT_MAX);
    LW_TRY_TO(lw_alloc(1, sizeof *qr, "a QR factorisation", &qr), local);
    qr->kind = qr->last = kind;
    qr->rows = rows;
    qr->rows_global = total;
    qr->k = k;
    qr->suits = shape_suits(total, k, lw_comm_size(comm));
local:
    LW_TRY_TO(lw_comm_agree(comm, err), fail);
    LW_TRY_TO(lw_comm_dup(comm, &qr->comm), fail);
    if (kind == LW_QR_CHOLESKY2 || (kind == LW_QR_AUTO && qr->suits))
        LW_TRY_TO(lw_comm_agree(comm, qr_cholesky_create(qr->comm, rows, k, &qr->cholesky)), fail);
    else
        LW_TRY_TO(qr_scalapack_create(qr->comm, rows, total, k, &qr->scalapack), fail);
    *out = qr;
    return LW_OK;
fail:
    lw_qr_destroy(&qr);
    return err;
}

void lw_qr_destroy(lw_qr **qr) {
    if (!*qr) return;
    qr_cholesky_destroy(&(*qr)->cholesky);
    qr_scalapack_destroy(&(*qr)->scalapack);
    lw_comm_destroy(&(*qr)->comm);
    lw_free((*qr)->second);
    lw_free(*qr);
    *qr = NULL;
}

lw_qr_kind lw_qr_last(const lw_qr *qr) {
    return qr->last;
}

/* ScaLAPACK's work space is as large as the block: only those who need it pay. */
static lw_err scalapack_need(lw_qr *qr) {
    if (!qr->scalapack) LW_TRY(qr_scalapack_create(qr->comm, qr->rows, qr->rows_global, qr->k, &qr->scalapack));
    if (qr->cholesky && !qr->second)
        return lw_comm_agree(qr->comm, lw_alloc((size_t)(qr->k * qr->k), sizeof(double), "a triangle", &qr->second));
    return LW_OK;
}

/* What the back ends made of dead columns: ScaLAPACK any direction, CholeskyQR2 a 1 on the diagonal. */
static void dead_clear(const lw_qr *qr, double *block, const uint8_t *dead, double *r_diag, double *r) {
    for (int64_t j = 0; j < qr->k; j++) {
        if (!dead[j]) continue;
        r_diag[j] = 0;
        for (int64_t i = 0; i < qr->rows; i++)
            block[i * qr->k + j] = 0;
        for (int64_t i = 0; r && i < qr->k; i++)
            r[i * qr->k + j] = r[j * qr->k + i] = 0;
    }
}

lw_err qr_factor_alive(lw_qr *qr, double *block, const uint8_t *dead, double *r_diag, double *r) {
    qr_outcome outcome = QR_UNTOUCHED;
    bool try_cholesky = qr->cholesky && qr->wait == 0;
    if (qr->wait > 0) qr->wait--;
    if (try_cholesky) outcome = qr_cholesky_factor(qr->cholesky, block, dead, r_diag, r);
    qr->last = outcome == QR_DONE ? LW_QR_CHOLESKY2 : LW_QR_SCALAPACK;
    if (outcome != QR_DONE) {
        if (try_cholesky) qr->wait = CALM;
        LW_TRY(scalapack_need(qr));
        qr_scalapack_factor(qr->scalapack, block, r_diag, outcome == QR_HALF ? qr->second : r);
        if (outcome == QR_HALF) qr_cholesky_finish(qr->cholesky, qr->second, r_diag, r);
    }
    if (dead) dead_clear(qr, block, dead, r_diag, r);
    for (int64_t i = 0; i < qr->k; i++) /* the same bits on every rank, so all leave together */
        LW_CHECK(isfinite(r_diag[i]), LW_ENUM, "column %lld of the tangent block is not finite", (long long)i);
    return LW_OK;
}

lw_err lw_qr_factor(lw_qr *qr, double *block, double *r_diag, double *r) {
    return qr_factor_alive(qr, block, NULL, r_diag, r);
}
