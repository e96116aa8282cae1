/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Eigenvectors and how localised they are: N sum |v|^4 is 1 for a vector spread evenly, N for one node, 3N/(N+2) for a
 * real Gaussian vector, 2N/(N+1) for a complex one.
 */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "eigen.h"
#include "lapack.h"

double lw_ipr_vector(int64_t n, const double *re, const double *im) {
    double two = 0, four = 0;
    for (int64_t i = 0; i < n; i++) {
        double s = re[i] * re[i] + (im ? im[i] * im[i] : 0);
        two += s;
        four += s * s;
    }
    return (double)n * four / (two * two);
}

void eigen_free(eigen *e) {
    lw_free(e->re);
    lw_free(e->im);
    lw_free(e->right);
    lw_free(e->left);
    lw_free(e->ipr);
    lw_free(e->slow);
    memset(e, 0, sizeof *e);
}

void eigen_vector(const eigen *e, const double *vectors, int64_t mode, double *re_out, double *im_out) {
    int64_t n = e->n, first = e->im[mode] < 0 ? mode - 1 : mode;
    const double *re = vectors + first * n, *im = re + n;
    for (int64_t i = 0; i < n; i++) {
        re_out[i] = re[i];
        im_out[i] = e->im[mode] == 0 ? 0 : e->im[mode] < 0 ? -im[i] : im[i];
    }
}

/* Symmetric matrices keep to real orthogonal vectors; degenerate ones would be skewed by the general routine. */
static lw_err symmetric(int64_t n, eigen *e) {
    int order = (int)n, lwork = -1, liwork = -1, integers = 0, info = 0;
    double size = 0, *work = NULL;
    int *iwork = NULL;
    dsyevd_("V", "U", &order, e->right, &order, e->re, &size, &lwork, &integers, &liwork, &info);
    lwork = (int)size;
    liwork = integers;
    lw_err err = lw_alloc((size_t)lwork, sizeof *work, "eigenvalue workspace", &work);
    if (err == LW_OK) err = lw_alloc((size_t)liwork, sizeof *iwork, "eigenvalue workspace", &iwork);
    if (err == LW_OK) dsyevd_("V", "U", &order, e->right, &order, e->re, work, &lwork, iwork, &liwork, &info);
    if (info != 0) err = LW_FAIL(LW_ENUM, "the eigenvalues of a matrix of order %lld did not converge", (long long)n);
    if (err == LW_OK && e->left) memcpy(e->left, e->right, (size_t)(n * n) * sizeof(double));
    lw_free(work);
    lw_free(iwork);
    return err;
}

static lw_err general(int64_t n, const double *a, eigen *e) {
    int order = (int)n, lwork = -1, info = 0;
    double size = 0, *work = NULL, *t = NULL, dummy = 0;
    const char *want_left = e->left ? "V" : "N";
    double *left = e->left ? e->left : &dummy;
    lw_err err = lw_alloc((size_t)(n * n), sizeof *t, "a matrix", &t);
    if (err != LW_OK) return err;
    matrix_transpose(n, a, t);
    dgeev_(want_left, "V", &order, t, &order, e->re, e->im, left, &order, e->right, &order, &size, &lwork, &info);
    lwork = (int)size;
    err = lw_alloc((size_t)lwork, sizeof *work, "eigenvalue workspace", &work);
    if (err == LW_OK) {
        dgeev_(want_left, "V", &order, t, &order, e->re, e->im, left, &order, e->right, &order, work, &lwork, &info);
        if (info != 0)
            err = LW_FAIL(LW_ENUM, "the eigenvalues of a matrix of order %lld did not converge", (long long)n);
    }
    lw_free(work);
    lw_free(t);
    return err;
}

typedef struct mode_key {
    double re;
    int64_t mode;
} mode_key;

static int by_real_part(const void *a, const void *b) {
    const mode_key *x = a, *y = b;
    if (x->re != y->re) return x->re > y->re ? -1 : 1;
    return (x->mode > y->mode) - (x->mode < y->mode);
}

static lw_err modes_order(eigen *e) {
    mode_key *keys = NULL;
    LW_TRY(lw_alloc((size_t)e->n, sizeof *keys, "an order of modes", &keys));
    for (int64_t k = 0; k < e->n; k++)
        keys[k] = (mode_key){e->re[k], k};
    qsort(keys, (size_t)e->n, sizeof *keys, by_real_part);
    for (int64_t k = 0; k < e->n; k++)
        e->slow[k] = keys[k].mode;
    lw_free(keys);
    return LW_OK;
}

lw_err eigen_make(int64_t n, const double *a, bool left, eigen *out) {
    size_t cells = (size_t)(n * n);
    eigen e = {.n = n};
    lw_err err = LW_OK;
    memset(out, 0, sizeof *out);
    LW_CHECK(n >= 1 && n * n <= INT_MAX, LW_EUSE, "eigenvalues of order %lld; 1 to 46340 are possible", (long long)n);
    for (size_t i = 0; i < cells; i++)
        LW_CHECK(isfinite(a[i]), LW_ENUM, "a matrix has an entry that is not finite");
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(double), "eigenvalues", &e.re), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(double), "eigenvalues", &e.im), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(double), "participation ratios", &e.ipr), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(int64_t), "an order of modes", &e.slow), done);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "eigenvectors", &e.right), done);
    if (left) LW_TRY_TO(lw_alloc(cells, sizeof(double), "eigenvectors", &e.left), done);
    if (matrix_symmetric(n, a)) {
        memcpy(e.right, a, cells * sizeof(double));
        LW_TRY_TO(symmetric(n, &e), done);
    } else {
        LW_TRY_TO(general(n, a, &e), done);
    }
    for (int64_t k = 0; k < n; k++)
        e.ipr[k] =
            e.im[k] < 0 ? e.ipr[k - 1] : lw_ipr_vector(n, e.right + k * n, e.im[k] > 0 ? e.right + (k + 1) * n : NULL);
    err = modes_order(&e);
done:
    if (err != LW_OK)
        eigen_free(&e);
    else
        *out = e;
    return err;
}

lw_ipr eigen_ipr(const eigen *e, int64_t slow) {
    lw_ipr out = {.abscissa = e->re[e->slow[0]]};
    if (slow > e->n) slow = e->n;
    for (int64_t k = 0; k < e->n; k++) {
        out.mean += e->ipr[k] / (double)e->n;
        if (k < slow) out.mean_slow += e->ipr[e->slow[k]] / (double)slow;
    }
    return out;
}

lw_err lw_ipr_measure(int64_t n, const double *a, int64_t slow, lw_ipr *out) {
    eigen e = {0};
    memset(out, 0, sizeof *out);
    LW_TRY(eigen_make(n, a, false, &e));
    *out = eigen_ipr(&e, slow);
    eigen_free(&e);
    return LW_OK;
}
