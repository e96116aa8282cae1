/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stationary covariance of dx = A x dt + noise:  A C + C A^T = -Q. Three ways: symmetric A and Q a multiple of unity
 * (the usual case of noise-prune) by one Cholesky factor; otherwise Bartels & Stewart 1972: real Schur form A = U T U^T
 * (dgees), then T Y + Y T^T = -U^T Q U, solved by halving (Jonsson & Kagstrom 2002) so that nearly all work is matrix
 * products, dtrsyl below BLOCK.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <cblas.h>
#include <lapwing/prune.h>
#include "lapack.h"

enum { BLOCK = 64 };

/* Where to halve a quasi-triangular matrix of order m: not through a 2 x 2 block. */
static int64_t halve(int64_t m, int64_t ld, const double *t) {
    int64_t h = m / 2;
    return t[h + (h - 1) * ld] != 0 ? h + 1 : h;
}

static void product(
    CBLAS_TRANSPOSE tb, int64_t m, int64_t n, int64_t k, const double *a, const double *b, double *c, int64_t ld) {
    cblas_dgemm(CblasColMajor, CblasNoTrans, tb, (int)m, (int)n, (int)k, -1, a, (int)ld, b, (int)ld, 1, c, (int)ld);
}

/* A X + X B^T = C in place of C; A [m,m] and B [n,n] upper quasi-triangular, all inside matrices of leading dimension
 * ld. */
static void sylvester(int64_t m, int64_t n, const double *a, const double *b, double *c, int64_t ld) {
    if (m <= BLOCK && n <= BLOCK) {
        int mi = (int)m, ni = (int)n, l = (int)ld, plus = 1, info = 0;
        double scale = 1;
        dtrsyl_("N", "T", &plus, &mi, &ni, a, &l, b, &l, c, &l, &scale, &info);
        for (int64_t j = 0; scale != 1 && j < n; j++)
            for (int64_t i = 0; i < m; i++)
                c[i + j * ld] /= scale;
    } else if (m >= n) { /* rows: the lower half first */
        int64_t h = halve(m, ld, a);
        sylvester(m - h, n, a + h + h * ld, b, c + h, ld);
        product(CblasNoTrans, h, n, m - h, a + h * ld, c + h, c, ld);
        sylvester(h, n, a, b, c, ld);
    } else { /* columns: the right half first */
        int64_t h = halve(n, ld, b);
        sylvester(m, n - h, a, b + h + h * ld, c + h * ld, ld);
        product(CblasTrans, m, h, n - h, c + h * ld, b + h * ld, c, ld);
        sylvester(m, h, a, b, c, ld);
    }
}

/* T X + X T^T = C, C symmetric, in place. */
static void lyapunov(int64_t n, const double *t, double *c, int64_t ld) {
    if (n <= BLOCK) {
        sylvester(n, n, t, t, c, ld);
        return;
    }
    int64_t h = halve(n, ld, t), r = n - h;
    const double *t12 = t + h * ld;
    double *c12 = c + h * ld, *c21 = c + h, *c22 = c + h + h * ld;
    lyapunov(r, t + h + h * ld, c22, ld);
    product(CblasNoTrans, h, r, r, t12, c22, c12, ld);
    sylvester(h, r, t, t + h + h * ld, c12, ld);
    for (int64_t j = 0; j < h; j++)
        for (int64_t i = 0; i < r; i++)
            c21[i + j * ld] = c12[j + i * ld];
    product(CblasTrans, h, h, r, t12, c12, c, ld); /* C11 - T12 X12^T */
    product(CblasTrans, h, h, r, c12, t12, c, ld); /*     - X12 T12^T */
    lyapunov(h, t, c, ld);
}

/* C = -s A^-1 / 2 where A is symmetric and Q = s; ENUM when -A is not positive definite. */
static lw_err solve_symmetric(int64_t n, const double *a, double s, double *c) {
    int order = (int)n, info = 0;
    for (int64_t i = 0; i < n * n; i++)
        c[i] = -a[i];
    dpotrf_("U", &order, c, &order, &info);
    LW_CHECK(info == 0, LW_ENUM,
        "the linear system is not stable: -A is not positive definite (leading minor %d of %lld)", info, (long long)n);
    dpotri_("U", &order, c, &order, &info);
    LW_CHECK(info == 0, LW_ENUM, "the linear system has an eigenvalue 0");
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i <= j; i++)
            c[i + j * n] = c[j + i * n] = s / 2 * c[i + j * n];
    return LW_OK;
}

/* t: A in column-major, becomes its Schur form; u: vectors. */
static lw_err schur(int64_t n, double *t, double *u) {
    int order = (int)n, sdim = 0, info = 0, lwork = -1;
    double *wr = NULL, *wi = NULL, *work = NULL, size = 0, abscissa = -INFINITY;
    lw_err err = LW_OK;
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(double), "eigenvalues", &wr), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof(double), "eigenvalues", &wi), done);
    dgees_("V", "N", NULL, &order, t, &order, &sdim, wr, wi, u, &order, &size, &lwork, NULL, &info);
    lwork = (int)size;
    LW_TRY_TO(lw_alloc((size_t)lwork, sizeof(double), "Schur workspace", &work), done);
    dgees_("V", "N", NULL, &order, t, &order, &sdim, wr, wi, u, &order, work, &lwork, NULL, &info);
    LW_ASSERT(info >= 0);
    if (info > 0) err = LW_FAIL(LW_ENUM, "the Schur form of a matrix of order %lld did not converge", (long long)n);
    for (int64_t i = 0; i < n; i++)
        abscissa = fmax(abscissa, wr[i]);
    if (err == LW_OK && !(abscissa < 0))
        err = LW_FAIL(LW_ENUM, "the linear system is not stable: largest real part of an eigenvalue %g", abscissa);
done:
    lw_free(wr);
    lw_free(wi);
    lw_free(work);
    return err;
}

static void multiply(int64_t n, CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, const double *a, const double *b, double *c) {
    cblas_dgemm(CblasColMajor, ta, tb, (int)n, (int)n, (int)n, 1, a, (int)n, b, (int)n, 0, c, (int)n);
}

static lw_err solve_general(int64_t n, const double *a, const double *q, double *c) {
    double *t = NULL, *u = NULL, *x = NULL;
    size_t cells = (size_t)(n * n);
    lw_err err = LW_OK;
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "a Schur form", &t), done);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "Schur vectors", &u), done);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "a covariance", &x), done);
    matrix_transpose(n, a, t);
    LW_TRY_TO(schur(n, t, u), done);
    multiply(n, CblasTrans, CblasNoTrans, u, q, x); /* q is symmetric: row- and column-major are one */
    multiply(n, CblasNoTrans, CblasNoTrans, x, u, c);
    for (size_t i = 0; i < cells; i++)
        c[i] = -c[i];
    lyapunov(n, t, c, n);
    multiply(n, CblasNoTrans, CblasNoTrans, u, c, x);
    multiply(n, CblasNoTrans, CblasTrans, x, u, c);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            c[i * n + j] = c[j * n + i] = 0.5 * (c[i * n + j] + c[j * n + i]);
done:
    lw_free(t);
    lw_free(u);
    lw_free(x);
    return err;
}

/* |A C + C A^T + Q|_F against |A|_F |C|_F + |Q|_F */
static lw_err residual_check(int64_t n, const double *a, const double *q, const double *c) {
    double *x = NULL, residual = 0;
    int64_t cells = n * n;
    LW_TRY(lw_alloc((size_t)cells, sizeof(double), "a residual", &x));
    cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)n, (int)n, 1, a, (int)n, c, (int)n, 0, x, (int)n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double d = x[i * n + j] + x[j * n + i] + q[i * n + j];
            residual += d * d;
        }
    lw_free(x);
    double scale = cblas_dnrm2((int)cells, a, 1) * cblas_dnrm2((int)cells, c, 1) + cblas_dnrm2((int)cells, q, 1);
    LW_CHECK(sqrt(residual) <= 1e-9 * scale, LW_ENUM, "the covariance equation was solved with residual %g of %g",
        sqrt(residual), scale);
    return LW_OK;
}

static bool multiple_of_unity(int64_t n, const double *q) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            if (q[i * n + j] != (i == j ? q[0] : 0)) return false;
    return true;
}

lw_err lw_lyapunov_equation(int64_t n, const double *a, const double *q, double *c) {
    LW_CHECK(n >= 1 && n * n <= INT_MAX, LW_EUSE, "a covariance of order %lld; 1 to 46340 are possible", (long long)n);
    for (int64_t i = 0; i < n * n; i++)
        LW_CHECK(isfinite(a[i]) && isfinite(q[i]), LW_ENUM, "the covariance equation has a number that is not finite");
    if (matrix_symmetric(n, a) && multiple_of_unity(n, q))
        LW_TRY(solve_symmetric(n, a, q[0], c));
    else
        LW_TRY(solve_general(n, a, q, c));
    return residual_check(n, a, q, c);
}
