/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of eprop.c and eprop_trace.c for one type of reals (REAL); LW_T(name) makes the names. Included, never
 * compiled alone.
 */

#ifdef EPROP_TRACE
/* in[j, lane][c] = what arrives through column c of neuron first + j */
static void LW_T(gather)(
    const eprop_source *source, const eprop_group *g, int64_t first, int64_t n, int64_t width, REAL *in) {
    int64_t K = g->width;
    for (int64_t j = 0; j < n; j++) {
        const eprop_column *column = g->column + (first + j) * K;
        REAL *to = in + j * width * K;
        for (int64_t c = 0; c < g->n[first + j]; c++) {
            const REAL *rows = source[column[c].source].rows;
            for (int64_t l = 0; l < width; l++)
                to[l * K + c] = rows[column[c].row * width + l];
        }
    }
}

/* sum[j][c] += sum over lanes of direct e + signal f */
static void LW_T(accumulate)(const eprop_group *g, int64_t first, int64_t n, int64_t width, const REAL *direct,
    const REAL *signal, int64_t stride, const REAL *restrict e, const REAL *restrict f) {
    int64_t K = g->width;
    for (int64_t j = 0; j < n; j++) {
        double *restrict sum = g->sum + (first + j) * K;
        for (int64_t l = 0; l < width; l++) {
            double d = direct ? (double)direct[(first + j) * width + l] : 0;
            double s = signal ? (double)signal[(first + j) * stride + l] : 0;
            const REAL *a = e + (j * width + l) * K, *b = f + (j * width + l) * K;
            for (int64_t c = 0; d != 0 && c < K; c++)
                sum[c] += d * (double)a[c];
            for (int64_t c = 0; s != 0 && c < K; c++)
                sum[c] += s * (double)b[c];
        }
    }
}
#else
/* signal[j][s][lane] = sum over units of feedback delta[unit][s + delay][lane] */
static void LW_T(feed_back)(const lw_eprop *e, const eprop_pop *q, int64_t n, REAL *signal) {
    int64_t W = e->sim->width, row = e->chunk * W, from = (e->chunk + e->reach) * W;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k < e->units; k++) {
            const REAL *delta = (const REAL *)e->delta + k * from + q->delay * W;
            REAL b = (REAL)(e->part * q->feedback[j * e->units + k]);
            for (int64_t i = 0; i < row; i++)
                signal[j * row + i] += b * delta[i];
        }
}
#endif

#undef REAL
#undef LW_T
