/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lapack.h: the LAPACK routines of this room (Fortran; column-major, pointers to 32-bit integers), and transposition.
 */
#ifndef LAPWING_PRUNE_LAPACK_H
#define LAPWING_PRUNE_LAPACK_H

#include <stdint.h>

void dgees_(const char *jobvs, const char *sort, int (*select)(const double *, const double *), const int *n, double *a,
    const int *lda, int *sdim, double *wr, double *wi, double *vs, const int *ldvs, double *work, const int *lwork,
    int *bwork, int *info);
void dtrsyl_(const char *trana, const char *tranb, const int *isgn, const int *m, const int *n, const double *a,
    const int *lda, const double *b, const int *ldb, double *c, const int *ldc, double *scale, int *info);
void dgeev_(const char *jobvl, const char *jobvr, const int *n, double *a, const int *lda, double *wr, double *wi,
    double *vl, const int *ldvl, double *vr, const int *ldvr, double *work, const int *lwork, int *info);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
    const int *lwork, int *iwork, const int *liwork, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);

/** to = from^T, both [n,n]; may not be the same. */
static inline void matrix_transpose(int64_t n, const double *from, double *to) {
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < n; i0 += TILE)
        for (int64_t j0 = 0; j0 < n; j0 += TILE)
            for (int64_t i = i0; i < n && i < i0 + TILE; i++)
                for (int64_t j = j0; j < n && j < j0 + TILE; j++)
                    to[j * n + i] = from[i * n + j];
}
static inline int matrix_symmetric(int64_t n, const double *a) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            if (a[i * n + j] != a[j * n + i]) return 0;
    return 1;
}

#endif
