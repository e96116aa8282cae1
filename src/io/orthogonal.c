/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random orthogonal matrices: Q of the QR decomposition of a normal matrix, with the signs of R's diagonal moved into
 * Q, without which Q is not uniform (Mezzadri 2007, "How to generate random matrices from the classical compact
 * groups", Notices of the AMS 54).
 */
#include "orthogonal.h"
#include <cblas.h>

void dgeqrf_(
    const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);
void dorgqr_(const int *m, const int *n, const int *k, double *a, const int *lda, const double *tau, double *work,
    const int *lwork, int *info);

/* a [long_side, short_side] column-major <- Q; r: [short_side] scratch for signs. */
static lw_err factor(int long_side, int short_side, double *a, double *tau, double *r, double *work, int lwork) {
    int info = 0;
    dgeqrf_(&long_side, &short_side, a, &long_side, tau, work, &lwork, &info);
    for (int k = 0; k < short_side; k++)
        r[k] = a[(size_t)k * (size_t)long_side + (size_t)k] < 0 ? -1 : 1;
    if (info == 0) dorgqr_(&long_side, &short_side, &short_side, a, &long_side, tau, work, &lwork, &info);
    LW_CHECK(info == 0, LW_ENUM, "the QR decomposition of a normal matrix failed (LAPACK says %d)", info);
    return LW_OK;
}

lw_err orthogonal_draw(uint64_t seed, uint64_t number, int64_t n_rows, int64_t n_columns, double gain, double *out) {
    bool wide = n_columns > n_rows;
    int64_t m = wide ? n_columns : n_rows, n = wide ? n_rows : n_columns, lwork = 64 * n;
    double *a = NULL, *scratch = NULL;
    int threads = openblas_get_num_threads();
    lw_err err;
    LW_TRY_TO(lw_alloc((size_t)(m * n), sizeof *a, "an orthogonal matrix", &a), done);
    LW_TRY_TO(lw_alloc((size_t)(2 * n + lwork), sizeof *scratch, "an orthogonal matrix", &scratch), done);
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < m; i++) {
            uint64_t row = (uint64_t)(wide ? k : i), column = (uint64_t)(wide ? i : k);
            a[k * m + i] = lw_rng_normal(seed, LW_PURPOSE_WEIGHT, row << 32 ^ column, number, 0);
        }
    openblas_set_num_threads(1); /* how sums are cut, and so their rounding, must not depend on the machine's load */
    err = factor((int)m, (int)n, a, scratch, scratch + n, scratch + 2 * n, (int)lwork);
    openblas_set_num_threads(threads);
    for (int64_t k = 0; k < n && err == LW_OK; k++)
        for (int64_t i = 0; i < m; i++)
            out[wide ? k * n_columns + i : i * n_columns + k] = gain * scratch[n + k] * a[k * m + i];
done:
    lw_free(a);
    lw_free(scratch);
    return err;
}
