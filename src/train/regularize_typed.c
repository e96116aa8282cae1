/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loops of regularize.c for one precision.
 */

static void LW_T(count)(rates *r, const lw_tape *tape) {
    memset(r->count, 0, (size_t)(r->n_rows * r->width) * sizeof(REAL));
    for (int32_t p = 0; p < r->n_pop; p++) {
        int64_t n = (r->row_begin[p + 1] - r->row_begin[p]) * r->width;
        REAL *sum = (REAL *)r->count + r->row_begin[p] * r->width;
        if (n == 0) continue;
        for (int64_t t = 0; t < r->n_steps; t++) {
            const REAL *out = lw_tape_output(tape, p, t);
            for (int64_t i = 0; i < n; i++)
                sum[i] += out[i];
        }
    }
}

/* Sum over local neurons of a population and present lanes of ((rate - upper)+^2 + (lower - rate)+^2), rate = count /
 * duration */
static double LW_T(band)(const rates *r, int32_t p, const uint8_t *present, double scale) {
    double sum = 0;
    for (int64_t row = r->row_begin[p]; row < r->row_begin[p + 1]; row++) {
        const REAL *count = (const REAL *)r->count + row * r->width;
        REAL *adj = (REAL *)r->adj + row * r->width;
        for (int64_t l = 0; l < r->width; l++) {
            double rate = (double)count[l] / r->duration;
            double over = fmax(rate - r->upper, 0), under = fmax(r->lower - rate, 0);
            if (present[l]) sum += over * over + under * under;
            adj[l] = present[l] ? (REAL)(scale * 2 * (over - under) / r->duration) : 0;
        }
    }
    return sum;
}

static double LW_T(total)(const rates *r, const uint8_t *present) {
    double sum = 0;
    for (int64_t row = 0; row < r->n_rows; row++)
        for (int64_t l = 0; l < r->width; l++)
            if (present[l]) sum += (double)((const REAL *)r->count)[row * r->width + l];
    return sum;
}

static void LW_T(add)(const rates *r, int pop, REAL *out_adj) {
    int64_t n = (r->row_begin[pop + 1] - r->row_begin[pop]) * r->width;
    const REAL *adj = (const REAL *)r->adj + r->row_begin[pop] * r->width;
    for (int64_t i = 0; i < n; i++)
        out_adj[i] += adj[i];
}
