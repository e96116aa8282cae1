/* SPDX-License-Identifier: BSD-3-Clause
 *
 * qr.h: what the QR files of this room share: the two back ends behind lw_qr, and the BLAS and LAPACK routines they
 * call. A block is [rows, k] row-major, which BLAS sees as the column-major k x rows matrix of its transpose.
 */
#ifndef LAPWING_LYAP_QR_H
#define LAPWING_LYAP_QR_H

#include <lapwing/lyap.h>

/* ScaLAPACK on a P x 1 grid (qr_scalapack.c) */
typedef struct qr_scalapack qr_scalapack;
/** rows_global: sum of `rows`. **Collective**. */
lw_err qr_scalapack_create(
    const lw_comm *comm, int64_t rows, int64_t rows_global, int64_t k, qr_scalapack **out) LW_MUST_CHECK;
void qr_scalapack_destroy(qr_scalapack **qr);
/** As lw_qr_factor. Breaks down for no finite block, rank-deficient ones included. **Collective**. */
void qr_scalapack_factor(qr_scalapack *qr, double *block, double *r_diag, double *r);

/** As lw_qr_factor where columns with dead[i] != 0 (NULL: none) are zero and stay zero, r_diag[i] = 0: the others are
 *  orthonormalised among themselves. **Collective**. */
lw_err qr_factor_alive(lw_qr *qr, double *block, const uint8_t *dead, double *r_diag, double *r) LW_MUST_CHECK;

/* CholeskyQR2 (qr_cholesky.c) */
typedef struct qr_cholesky qr_cholesky;
/** **Local**. */
lw_err qr_cholesky_create(const lw_comm *comm, int64_t rows, int64_t k, qr_cholesky **out) LW_MUST_CHECK;
void qr_cholesky_destroy(qr_cholesky **qr);
/** How a factorisation ended. */
typedef enum qr_outcome {
    QR_DONE,      /* as lw_qr_factor */
    QR_UNTOUCHED, /* the Gram matrix is not safely positive: the block is as before */
    QR_HALF       /* the first pass was too inaccurate: block = X R1^-1, R1 kept; qr_cholesky_finish puts R1 back */
} qr_outcome;
/** The same outcome on every rank. **Collective**. */
qr_outcome qr_cholesky_factor(qr_cholesky *qr, double *block, const uint8_t *dead, double *r_diag, double *r);
/** After QR_HALF and another factorisation X R1^-1 = Q R2 (r2: [k,k] row-major): R = R2 R1 into r_diag and r (may be
 *  NULL; may not be r2). **Local**. */
void qr_cholesky_finish(qr_cholesky *qr, const double *r2, double *r_diag, double *r);

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info);

#endif
