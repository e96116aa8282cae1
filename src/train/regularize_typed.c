/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loops of regularize.c for one precision.
 */

/* count <- spikes of local neurons within each lane's sample; returns all of present lanes, those behind it too */
static double LW_T(count)(rates *r, const lw_tape *tape) {
    const batch *b = r->batch;
    int64_t L = r->width;
    double sum = 0;
    memset(r->count, 0, (size_t)(r->n_rows * L) * sizeof(REAL));
    for (int32_t p = 0; p < r->n_pop; p++) {
        int64_t rows = r->row_begin[p + 1] - r->row_begin[p], n = rows * L;
        REAL *count = (REAL *)r->count + r->row_begin[p] * L;
        if (n == 0) continue;
        for (int64_t t = 0; t < r->n_steps; t++) {
            const REAL *out = lw_tape_output(tape, p, t);
            if (t < r->least) {
                for (int64_t i = 0; i < n; i++)
                    count[i] += out[i];
                continue;
            }
            for (int64_t i = 0; i < rows; i++)
                for (int64_t l = 0; l < L; l++) {
                    REAL x = out[i * L + l];
                    bool within = t < b->steps[l];
                    count[i * L + l] += within ? x : 0;
                    sum += within || !b->present[l] ? 0 : (double)x;
                }
        }
    }
    for (int64_t row = 0; row < r->n_rows; row++)
        for (int64_t l = 0; l < L; l++)
            if (b->present[l]) sum += (double)((const REAL *)r->count)[row * L + l];
    return sum;
}

/* Rates or counts of local neurons of a population: the sum over present lanes; adj += the derivative. */
static double LW_T(neurons)(const rates *r, const penalty *q, int32_t p, double scale) {
    const batch *b = r->batch;
    double sum = 0;
    for (int64_t row = r->row_begin[p]; row < r->row_begin[p + 1]; row++) {
        const REAL *count = (const REAL *)r->count + row * r->width;
        REAL *adj = (REAL *)r->adj + row * r->width;
        for (int64_t l = 0; l < r->width; l++) {
            double unit = q->spec.kind == LW_PENALTY_COUNT ? 1 : (double)b->steps[l] * r->dt, slope;
            double found = excess(&q->spec, (double)count[l] / unit, &slope);
            if (!b->present[l]) continue;
            sum += found;
            adj[l] += (REAL)(scale * slope / unit);
        }
    }
    return sum;
}

/* The mean rate of a population; the first rank of the partition has the penalty. */
static double LW_T(whole)(const rates *r, const penalty *q, int32_t p, double scale) {
    const batch *b = r->batch;
    double sum = 0;
    for (int64_t l = 0; l < r->width; l++) {
        double slope, found = excess(&q->spec, r->mean[p * r->width + l], &slope);
        if (!b->present[l]) continue;
        if (lw_comm_rank(r->part) == 0) sum += found;
        REAL add = (REAL)(scale * slope / (r->size[p] * (double)b->steps[l] * r->dt));
        for (int64_t row = r->row_begin[p]; row < r->row_begin[p + 1]; row++)
            ((REAL *)r->adj)[row * r->width + l] += add;
    }
    return sum;
}

/* sum + what a state has at step t; the mean is over the sample's steps. */
static double LW_T(state_add)(const rates *r, const penalty *q, int pop, int64_t t, const REAL *x, double sum) {
    const batch *b = r->batch;
    double slope;
    for (int64_t i = 0; i < r->n_local[pop]; i++)
        for (int64_t l = 0; l < r->width; l++)
            if (b->present[l] && t < b->steps[l])
                sum += excess(&q->spec, (double)x[i * r->width + l], &slope) / (double)b->steps[l];
    return sum;
}

static void LW_T(add_state)(
    const rates *r, const penalty *q, const lw_tape *tape, int pop, int64_t t, REAL *state_adj) {
    const batch *b = r->batch;
    const REAL *x = lw_tape_state(tape, pop, q->state[pop], t);
    double scale = r->scale * q->spec.weight / q->n, slope;
    for (int64_t i = 0; i < r->n_local[pop]; i++)
        for (int64_t l = 0; l < r->width; l++) {
            if (!b->present[l] || t >= b->steps[l]) continue;
            (void)excess(&q->spec, (double)x[i * r->width + l], &slope);
            state_adj[i * r->width + l] += (REAL)(scale * slope / (double)b->steps[l]);
        }
}

static void LW_T(add)(const rates *r, int pop, int64_t t, REAL *out_adj) {
    const REAL *adj = (const REAL *)r->adj + r->row_begin[pop] * r->width;
    int64_t rows = r->row_begin[pop + 1] - r->row_begin[pop];
    for (int64_t i = 0; t < r->least && i < rows * r->width; i++)
        out_adj[i] += adj[i];
    for (int64_t i = 0; t >= r->least && i < rows; i++)
        for (int64_t l = 0; l < r->width; l++)
            out_adj[i * r->width + l] += t < r->batch->steps[l] ? adj[i * r->width + l] : 0;
}
