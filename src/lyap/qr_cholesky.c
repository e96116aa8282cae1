/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CholeskyQR2 (Fukaya, Nakatsukasa, Yanagisawa & Yamamoto 2014): twice  G = X^T X,  G = R^T R,  X <- X R^-1;  R = R2
 * R1. One sum of k(k+1)/2 numbers over the ranks per pass, whatever the number of rows. The inverse of R is formed
 * explicitly because OpenBLAS multiplies by a triangle twice as fast as it solves with one (README.md, measurements).
 * Safe while cond(X) stays below about 1e8; the outcome says when it was not.
 */
#include <math.h>
#include <string.h>
#include <cblas.h>
#include "qr.h"

/* First pass: largest ratio of R's diagonal that is tried at all (a lower bound of the condition). Second pass: largest
 * distance of X1^T X1 from unity; the theory's bound for success of the second pass is 5/64 (Yamamoto et al. 2015). */
static const double DIAGONAL_RATIO = 1e8, FIRST_ERROR = 5.0 / 64;
/* Largest growth of the backward error by the explicit inverse. */
static const double GROWTH = 1e5;

struct qr_cholesky {
    const lw_comm *comm; /* borrowed */
    int k, rows;
    double *gram;   /* [k,k] column-major: Gram matrix, then R, then R^-1 */
    double *first;  /* [k,k] column-major: R1 (upper) */
    double *packed; /* [k(k+1)/2] what travels; also work space, [k] */
    double *work;   /* [k] */
};

lw_err qr_cholesky_create(const lw_comm *comm, int64_t rows, int64_t k, qr_cholesky **out) {
    qr_cholesky *qr = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *qr, "CholeskyQR2", &qr));
    qr->comm = comm;
    qr->k = (int)k;
    qr->rows = (int)rows;
    LW_TRY_TO(lw_alloc((size_t)(k * k), sizeof(double), "a Gram matrix", &qr->gram), fail);
    LW_TRY_TO(lw_alloc((size_t)(k * k), sizeof(double), "a triangle of CholeskyQR2", &qr->first), fail);
    LW_TRY_TO(lw_alloc((size_t)(k * (k + 1) / 2), sizeof(double), "a packed triangle", &qr->packed), fail);
    LW_TRY_TO(lw_alloc((size_t)k, sizeof(double), "a column", &qr->work), fail);
    *out = qr;
    return LW_OK;
fail:
    qr_cholesky_destroy(&qr);
    return err;
}

void qr_cholesky_destroy(qr_cholesky **qr) {
    if (!*qr) return;
    lw_free((*qr)->gram);
    lw_free((*qr)->first);
    lw_free((*qr)->packed);
    lw_free((*qr)->work);
    lw_free(*qr);
    *qr = NULL;
}

/* gram <- upper triangle of X^T X over all ranks; the lower one is zeroed. A dead column is zero: a 1 on the diagonal
 * takes it out of everything.
 */
static void gram_make(qr_cholesky *qr, const double *block, const uint8_t *dead) {
    int k = qr->k;
    int64_t at = 0;
    memset(qr->gram, 0, (size_t)k * (size_t)k * sizeof(double));
    if (qr->rows > 0)
        cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, k, qr->rows, 1.0, block, k, 0.0, qr->gram, k);
    for (int j = 0; j < k; j++, at += j)
        memcpy(qr->packed + at, qr->gram + (int64_t)j * k, (size_t)(j + 1) * sizeof(double));
    lw_comm_sum_f64(qr->comm, qr->packed, at);
    at = 0;
    for (int j = 0; j < k; j++, at += j)
        memcpy(qr->gram + (int64_t)j * k, qr->packed + at, (size_t)(j + 1) * sizeof(double));
    for (int64_t j = 0; dead && j < k; j++)
        if (dead[j]) qr->gram[j + j * k] = 1;
}

/* Every rank works on the same bits; the vote keeps unlike processors from parting ways. */
static bool all_agree(const qr_cholesky *qr, bool good) {
    int64_t bad = !good;
    lw_comm_max_i64(qr->comm, &bad, 1);
    return bad == 0;
}

static bool gram_factor(qr_cholesky *qr, double ratio) {
    int info = 0;
    double lo = INFINITY, hi = 0;
    dpotrf_("U", &qr->k, qr->gram, &qr->k, &info);
    LW_ASSERT(info >= 0);
    for (int64_t i = 0; i < qr->k; i++) {
        double d = qr->gram[i + i * qr->k];
        if (!isfinite(d)) return false;
        lo = fmin(lo, d);
        hi = fmax(hi, d);
    }
    return info == 0 && lo > 0 && hi <= ratio * lo;
}

/* Multiplying by an explicit inverse has the backward error eps |X| |R^-1| |R|, which may reach eps cond(X): the
 * largest column sum of |R^-1| |R| with columns scaled to unit length. Graded columns, the usual case here, give
 * numbers of order k. */
static double inverse_growth(qr_cholesky *qr) {
    int64_t k = qr->k;
    double *length = qr->packed, *u = qr->work, worst = 0;
    for (int64_t j = 0; j < k; j++)
        length[j] = cblas_dnrm2((int)(j + 1), qr->first + j * k, 1);
    for (int64_t l = 0; l < k; l++) {
        u[l] = 0;
        for (int64_t i = 0; i <= l; i++)
            u[l] += length[i] * fabs(qr->gram[i + l * k]);
    }
    for (int64_t j = 0; j < k; j++) {
        double sum = 0;
        for (int64_t l = 0; l <= j; l++)
            sum += u[l] * fabs(qr->first[l + j * k]);
        worst = fmax(worst, sum / length[j]);
    }
    return worst;
}

/* gram: R -> R^-1 */
static bool gram_invert(qr_cholesky *qr) {
    int info = 0;
    dtrtri_("U", "N", &qr->k, qr->gram, &qr->k, &info);
    return info == 0;
}

/* block <- block R^-1: on the transpose, k x rows, R^-T from the left */
static void block_divide(const qr_cholesky *qr, double *block) {
    if (qr->rows > 0)
        cblas_dtrmm(CblasColMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, qr->k, qr->rows, 1.0, qr->gram,
            qr->k, block, qr->k);
}

/* |X1^T X1 - 1| in the Frobenius norm */
static double gram_error(const qr_cholesky *qr) {
    double sum = 0;
    for (int64_t j = 0; j < qr->k; j++)
        for (int64_t i = 0; i <= j; i++) {
            double d = qr->gram[i + j * qr->k] - (i == j);
            sum += (i == j ? 1 : 2) * d * d;
        }
    return sqrt(sum);
}

void qr_cholesky_finish(qr_cholesky *qr, const double *r2, double *r_diag, double *r) {
    int64_t k = qr->k;
    for (int64_t i = 0; i < k; i++)
        r_diag[i] = r2[i * k + i] * qr->first[i + i * k];
    if (!r) return;
    for (int64_t i = 0; i < k; i++) /* row-major: R[i, j] = sum over l in i..j of R2[i, l] R1[l, j] */
        for (int64_t j = 0; j < k; j++) {
            double sum = 0;
            for (int64_t l = i; l <= j; l++)
                sum += r2[i * k + l] * qr->first[l + j * k];
            r[i * k + j] = sum;
        }
}

qr_outcome qr_cholesky_factor(qr_cholesky *qr, double *block, const uint8_t *dead, double *r_diag, double *r) {
    int64_t k = qr->k;
    size_t bytes = (size_t)(k * k) * sizeof(double);
    gram_make(qr, block, dead);
    if (!all_agree(qr, gram_factor(qr, DIAGONAL_RATIO))) return QR_UNTOUCHED;
    memcpy(qr->first, qr->gram, bytes);
    if (!all_agree(qr, gram_invert(qr) && inverse_growth(qr) <= GROWTH)) return QR_UNTOUCHED;
    block_divide(qr, block);
    gram_make(qr, block, dead);
    if (!all_agree(qr, gram_error(qr) <= FIRST_ERROR && gram_factor(qr, DIAGONAL_RATIO))) return QR_HALF;
    for (int64_t i = 0; i < k; i++)
        r_diag[i] = qr->gram[i + i * k] * qr->first[i + i * k];
    if (r) { /* R2 R1, column-major upper, then transposed into row-major */
        cblas_dtrmm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, qr->k, qr->k, 1.0, qr->gram,
            qr->k, qr->first, qr->k);
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < k; j++)
                r[i * k + j] = i <= j ? qr->first[i + j * k] : 0;
    }
    bool inverted = gram_invert(qr); /* cannot fail: the diagonal was checked */
    LW_ASSERT(inverted);
    block_divide(qr, block);
    return QR_DONE;
}
