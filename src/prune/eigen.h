/* SPDX-License-Identifier: BSD-3-Clause
 *
 * eigen.h: eigenvalues and eigenvectors of a dense real matrix, as ipr.c makes and delocalise.c reads them.
 */
#ifndef LAPWING_PRUNE_EIGEN_H
#define LAPWING_PRUNE_EIGEN_H

#include <lapwing/prune.h>

/** Vectors as LAPACK leaves them: column k of `right` [n,n] column-major; where im[k] > 0, columns k and k + 1 are real
 * and imaginary part of mode k, and mode k + 1 is its conjugate. */
typedef struct eigen {
    int64_t n;
    double *re, *im;      /* [n] */
    double *right, *left; /* left: NULL unless asked for; u^H A = mu u^H, not scaled */
    double *ipr;          /* [n] n sum |v|^4 of unit right vectors */
    int64_t *slow;        /* [n] modes in order of falling real part (ties: as LAPACK gave them) */
} eigen;
/** a: row-major [n,n]. ENUM when LAPACK does not converge. */
lw_err eigen_make(int64_t n, const double *a, bool left, eigen *out) LW_MUST_CHECK;
void eigen_free(eigen *e);
/** Means and abscissa as lw_ipr_measure. */
lw_ipr eigen_ipr(const eigen *e, int64_t slow);
/** Real part of every vector in re_out, imaginary in im_out, [n]. */
void eigen_vector(const eigen *e, const double *vectors, int64_t mode, double *re_out, double *im_out);

#endif
