/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lanczos with full reorthogonalisation: every new vector is made orthogonal to all former ones twice, which is enough
 * for working precision (Giraud, Langou, Rozloznik & van den Eshof, Numer. Math. 101, 2005), so no copy of an
 * eigenvalue appears. Inner products with all former vectors are one matrix-vector product and one sum over ranks. The
 * residual of a Ritz pair is beta_j |last entry of its vector in the basis| (Parlett, The Symmetric Eigenvalue Problem,
 * section 13.2). All ranks get the same bits from sums and so go the same way.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <cblas.h>
#include "lanczos.h"

/* LAPACK: eigenvalues (ascending) and vectors of a symmetric tridiagonal matrix. */
void dsteqr_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work, int *info);

typedef struct lanczos {
    const lanczos_problem *problem;
    double *basis;        /* [steps + 1][n_local] */
    double *alpha, *beta; /* [steps] */
    double *dot;          /* [steps + 1] */
    double *d, *e, *z, *work;
} lanczos;

static double norm(const lanczos_problem *p, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < p->n_local; i++)
        sum += x[i] * x[i];
    lw_comm_sum_f64(p->comm, &sum, 1);
    return sqrt(sum);
}

/* x <- x - V V^T x with the first n vectors; dot <- V^T x */
static void orthogonalise(lanczos *s, int32_t n, double *x) {
    int rows = (int)s->problem->n_local;
    memset(s->dot, 0, (size_t)n * sizeof *s->dot);
    if (rows > 0) cblas_dgemv(CblasRowMajor, CblasNoTrans, n, rows, 1, s->basis, rows, x, 1, 0, s->dot, 1);
    lw_comm_sum_f64(s->problem->comm, s->dot, n);
    if (rows > 0) cblas_dgemv(CblasRowMajor, CblasTrans, n, rows, -1, s->basis, rows, s->dot, 1, 1, x, 1);
}

/* Ritz values and residuals after n steps; the largest |Ritz value| in *size. */
static lw_err ritz(lanczos *s, int32_t n, double *value, double *residual, int32_t *found, double *size) {
    int order = n, info = 0;
    memcpy(s->d, s->alpha, (size_t)n * sizeof *s->d);
    memcpy(s->e, s->beta, (size_t)n * sizeof *s->e);
    dsteqr_("I", &order, s->d, s->e, s->z, &order, s->work, &info);
    LW_CHECK(info == 0, LW_ENUM, "eigenvalues of %d Lanczos steps: LAPACK dsteqr stopped with %d", n, info);
    *size = fmax(fabs(s->d[0]), fabs(s->d[n - 1]));
    *found = n < s->problem->n_values ? n : s->problem->n_values;
    for (int32_t i = 0; i < *found; i++) {
        int32_t k = n - 1 - i;
        value[i] = s->d[k];
        residual[i] = fabs(s->beta[n - 1] * s->z[(size_t)k * (size_t)n + (size_t)n - 1]);
    }
    return LW_OK;
}

static lw_err iterate(lanczos *s, double *value, double *residual, lanczos_found *out) {
    const lanczos_problem *p = s->problem;
    double size = 0;
    for (int32_t j = 0; j < p->steps; j++) {
        double *v = s->basis + j * p->n_local, *next = v + p->n_local;
        LW_TRY(p->product(p->payload, v, next));
        double before = norm(p, next);
        orthogonalise(s, j + 1, next);
        s->alpha[j] = s->dot[j];
        orthogonalise(s, j + 1, next);
        s->alpha[j] += s->dot[j];
        s->beta[j] = norm(p, next);
        out->steps = j + 1;
        LW_CHECK(isfinite(s->beta[j]), LW_ENUM, "Lanczos step %d: the product with the matrix is not finite", j + 1);
        /* nothing new but rounding: the vectors span an invariant subspace */
        size = fmax(size, fabs(s->alpha[j]));
        bool full = s->beta[j] <= 100 * DBL_EPSILON * fmax(before, size);
        if (full) s->beta[j] = 0;
        /* eigenvalues of the small matrix cost n^3: not after every step */
        if (full || j + 1 == p->steps || (j + 1 >= p->n_values && (j + 1) % (1 + j / 10) == 0)) {
            double largest = 0;
            LW_TRY(ritz(s, j + 1, value, residual, &out->n, &largest));
            out->converged = full || out->n == p->n_values;
            for (int32_t i = 0; i < out->n; i++)
                out->converged = out->converged && residual[i] <= p->tolerance * largest;
            if (full || out->converged) return LW_OK;
        }
        for (int64_t i = 0; i < p->n_local; i++)
            next[i] /= s->beta[j];
    }
    return LW_OK;
}

lw_err lanczos_run(const lanczos_problem *problem, double *start, double *value, double *residual, lanczos_found *out) {
    lanczos s = {.problem = problem};
    size_t n = (size_t)problem->n_local, m = (size_t)problem->steps;
    lw_err err = LW_OK;
    *out = (lanczos_found){0};
    if (problem->n_local > INT_MAX)
        err =
            LW_FAIL(LW_EUSE, "%lld numbers on one rank, Lanczos takes up to %d", (long long)problem->n_local, INT_MAX);
    if (err == LW_OK) err = lw_alloc((m + 1) * n, sizeof *s.basis, "Lanczos vectors", &s.basis);
    if (err == LW_OK) err = lw_alloc(m, sizeof *s.alpha, "Lanczos", &s.alpha);
    if (err == LW_OK) err = lw_alloc(m, sizeof *s.beta, "Lanczos", &s.beta);
    if (err == LW_OK) err = lw_alloc(m + 1, sizeof *s.dot, "Lanczos", &s.dot);
    if (err == LW_OK) err = lw_alloc(m, sizeof *s.d, "Lanczos", &s.d);
    if (err == LW_OK) err = lw_alloc(m, sizeof *s.e, "Lanczos", &s.e);
    if (err == LW_OK) err = lw_alloc(m * m, sizeof *s.z, "Lanczos", &s.z);
    if (err == LW_OK) err = lw_alloc(2 * m, sizeof *s.work, "Lanczos", &s.work);
    LW_TRY_TO(lw_comm_agree(problem->comm, err), done);
    double length = norm(problem, start);
    if (!isfinite(length)) err = LW_FAIL(LW_ENUM, "the first Lanczos vector is not finite");
    out->converged = length == 0; /* nothing in reach: the matrix is 0 */
    if (err == LW_OK && length > 0) {
        for (int64_t i = 0; i < problem->n_local; i++)
            s.basis[i] = start[i] / length;
        err = iterate(&s, value, residual, out);
    }
done:;
    double *vector[] = {s.basis, s.alpha, s.beta, s.dot, s.d, s.e, s.z, s.work};
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++)
        lw_free(vector[i]);
    return err;
}
