/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of lag.c for one type of reals (REAL); LW_T(name) makes the names. Included twice, never compiled alone.
 */

/* What the listed rows emitted at step s, into the ring's entries of steps >= from. x: [n_rows, width], or NULL: ones.
 */
static void LW_T(scatter)(const lw_proj_view *v, int64_t n_post, int64_t width, const uint32_t *row, int64_t n,
    const REAL *x, int64_t s, int64_t from, REAL *ring) {
    int64_t depth = v->lag_max + 1, size = n_post * width;
    for (int64_t i = 0; i < n; i++) {
        edges e = edges_of(v, n_post, row[i]);
        const REAL *xr = x ? x + row[i] * width : NULL;
        for (int64_t k = e.begin; k < e.end; k++) {
            int64_t lag = (int64_t)v->lag[k], target = target_of(v, &e, k);
            REAL f = (REAL)(v->lag[k] - (float)lag), w = (REAL)weight_of(v, k), early = w * (1 - f), late = w * f;
            REAL *a = ring + (s + lag) % depth * size + target * width;
            REAL *b = ring + (s + lag + 1) % depth * size + target * width;
            if (s + lag >= from)
                for (int64_t l = 0; l < width; l++)
                    a[l] += xr ? early * xr[l] : early;
            if (s + lag + 1 >= from && lag < v->lag_max)
                for (int64_t l = 0; l < width; l++)
                    b[l] += xr ? late * xr[l] : late;
        }
    }
}

static void LW_T(gather)(const lw_proj_view *v, int64_t n_post, int64_t width, const void *const *x, REAL *acc) {
    for (int64_t r = 0; r < v->n_rows; r++) {
        edges e = edges_of(v, n_post, r);
        for (int64_t k = e.begin; k < e.end; k++) {
            int64_t lag = (int64_t)v->lag[k];
            REAL f = (REAL)(v->lag[k] - (float)lag), w = (REAL)weight_of(v, k), early = w * (1 - f), late = w * f;
            const REAL *a = x[lag] ? (const REAL *)x[lag] + r * width : NULL;
            const REAL *b = x[lag + 1] ? (const REAL *)x[lag + 1] + r * width : NULL;
            REAL *to = acc + target_of(v, &e, k) * width;
            for (int64_t l = 0; l < width; l++)
                to[l] += (a ? early * a[l] : 0) + (b ? late * b[l] : 0);
        }
    }
}

/* The same with x constant and weights and delays moving: w_tan, d_tan by edge, NULL: none. */
static void LW_T(gather_moving)(const lw_proj_view *v, int64_t n_post, int64_t width, const void *const *x,
    const double *w_tan, const double *d_tan, REAL *acc) {
    for (int64_t r = 0; r < v->n_rows; r++) {
        edges e = edges_of(v, n_post, r);
        for (int64_t k = e.begin; k < e.end; k++) {
            int64_t lag = (int64_t)v->lag[k];
            double f = (double)(v->lag[k] - (float)lag), dw = w_tan ? w_tan[k] : 0;
            double dd = d_tan ? d_tan[k] * weight_of(v, k) : 0;
            REAL early = (REAL)(dw * (1 - f) - dd), late = (REAL)(dw * f + dd);
            const REAL *a = x[lag] ? (const REAL *)x[lag] + r * width : NULL;
            const REAL *b = x[lag + 1] ? (const REAL *)x[lag + 1] + r * width : NULL;
            REAL *to = acc + target_of(v, &e, k) * width;
            for (int64_t l = 0; l < width; l++)
                to[l] += (a ? early * a[l] : 0) + (b ? late * b[l] : 0);
        }
    }
}

/* Everything about what was emitted at step s. x_adj: [n_rows, width] or NULL; x: the rows emitted, NULL: none. */
static void LW_T(back)(const lw_proj_view *v, int64_t n_post, int64_t width, const REAL *in_adj, int64_t s,
    const REAL *x, REAL *x_adj, double *w_grad, double *d_grad) {
    int64_t depth = v->lag_max + 1, size = n_post * width;
    for (int64_t r = 0; r < v->n_rows; r++) {
        edges e = edges_of(v, n_post, r);
        const REAL *xr = x ? x + r * width : NULL;
        bool emits = false;
        for (int64_t l = 0; l < width && xr && (w_grad || d_grad); l++)
            emits = emits || xr[l] != 0;
        if (!emits && !x_adj) continue;
        for (int64_t k = e.begin; k < e.end; k++) {
            int64_t lag = (int64_t)v->lag[k], target = target_of(v, &e, k);
            REAL f = (REAL)(v->lag[k] - (float)lag), w = (REAL)weight_of(v, k);
            const REAL *a = in_adj + ring_place(s + lag, depth) * size + target * width;
            const REAL *b = in_adj + ring_place(s + lag + 1, depth) * size + target * width;
            if (x_adj) {
                REAL *to = x_adj + r * width;
                for (int64_t l = 0; l < width; l++)
                    to[l] += w * ((1 - f) * a[l] + f * b[l]);
            }
            if (!emits) continue;
            double at_a = 0, at_b = 0;
            for (int64_t l = 0; l < width; l++) {
                at_a += (double)(xr[l] * a[l]);
                at_b += (double)(xr[l] * b[l]);
            }
            if (w_grad) w_grad[k] += (1 - (double)f) * at_a + (double)f * at_b;
            if (d_grad) d_grad[k] += (double)w * (at_b - at_a);
        }
    }
}

#undef REAL
#undef LW_T
