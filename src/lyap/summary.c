/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the diagonals of R to exponents: block means and their standard error, collapsed directions, sorting,
 * convergence record, Kaplan-Yorke dimension with its error, entropy rate. A direction collapses when R_ii <= 2^-36
 * R_max once (from the first tangent step on): its image lies in the span of those before it, now and ever after, so it
 * counts as minus infinity for good. What it later seems to grow by would be rounding error fed back by the QR.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "summary.h"

enum { TRACES = 100 };
static const double COLLAPSE = 0x1p-36, LEAST = 1e-300;

lw_err summary_make(int64_t k, int64_t steps, int32_t blocks, summary *out) {
    summary s = {.k = k, .steps = steps, .blocks = blocks > 0 ? blocks : 20, .trace_room = TRACES + 1};
    lw_err err = LW_OK;
    memset(out, 0, sizeof *out);
    if (s.blocks > steps) s.blocks = steps;
    LW_TRY_TO(lw_alloc((size_t)(s.blocks * k), sizeof(double), "block means", &s.block_sum), fail);
    LW_TRY_TO(lw_alloc((size_t)s.blocks, sizeof(int64_t), "block lengths", &s.block_time), fail);
    LW_TRY_TO(lw_alloc((size_t)k, sizeof(double), "exponent sums", &s.sum), fail);
    LW_TRY_TO(lw_alloc((size_t)k, sizeof(double), "local exponents", &s.log_r), fail);
    LW_TRY_TO(lw_alloc((size_t)k, 1, "collapse flags", &s.collapsed), fail);
    LW_TRY_TO(lw_alloc((size_t)(s.trace_room * k), sizeof(double), "a convergence record", &s.trace), fail);
    LW_TRY_TO(lw_alloc((size_t)s.trace_room, sizeof(int64_t), "a convergence record", &s.trace_step), fail);
    *out = s;
    return LW_OK;
fail:
    summary_free(&s);
    return err;
}

void summary_free(summary *s) {
    lw_free(s->block_sum);
    lw_free(s->block_time);
    lw_free(s->sum);
    lw_free(s->log_r);
    lw_free(s->collapsed);
    lw_free(s->trace);
    lw_free(s->trace_step);
    memset(s, 0, sizeof *s);
}

void summary_see(summary *s, const double *r_diag) {
    double hi = 0, lo = INFINITY;
    s->collapsed_new = 0;
    for (int64_t i = 0; i < s->k; i++)
        hi = fmax(hi, r_diag[i]);
    for (int64_t i = 0; i < s->k; i++) {
        if (!s->collapsed[i] && r_diag[i] <= COLLAPSE * hi) {
            s->collapsed[i] = 1;
            s->collapsed_new++;
        }
        if (!s->collapsed[i]) lo = fmin(lo, r_diag[i]);
        s->log_r[i] = log(fmax(r_diag[i], LEAST));
    }
    s->spread = lo < INFINITY ? hi / lo : 1;
    s->spread_max = fmax(s->spread_max, s->spread);
}

void summary_count(summary *s, int64_t span) {
    int64_t block = s->time * s->blocks / s->steps;
    s->time += span;
    s->block_time[block] += span;
    for (int64_t i = 0; i < s->k; i++) {
        s->sum[i] += s->log_r[i];
        s->block_sum[block * s->k + i] += s->log_r[i];
    }
    if (s->time * TRACES / s->steps > (s->time - span) * TRACES / s->steps) {
        s->trace_step[s->n_trace] = s->time;
        memcpy(s->trace + s->n_trace++ * s->k, s->sum, (size_t)s->k * sizeof(double));
    }
}

typedef struct sorted {
    double value;
    int64_t column;
} sorted;

static int descending(const void *a, const void *b) {
    const sorted *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

static lw_err results_make(const summary *s, lw_lyapunov *out) {
    size_t k = (size_t)s->k;
    LW_TRY(lw_alloc(k, sizeof(double), "exponents", &out->exponent));
    LW_TRY(lw_alloc(k, sizeof(double), "standard errors", &out->stderr_));
    LW_TRY(lw_alloc(k, sizeof(double), "exponents", &out->exponent_step));
    LW_TRY(lw_alloc(k, sizeof(double), "exponent sums", &out->ln_r_sum));
    LW_TRY(lw_alloc((size_t)s->n_trace * k, sizeof(double), "a convergence record", &out->trace));
    return lw_alloc((size_t)s->n_trace, sizeof(int64_t), "a convergence record", &out->trace_step);
}

/* Standard deviation of n numbers over sqrt(n); 0 for fewer than two. */
static double error_of_mean(int64_t n, const double *x) {
    double mean = 0, square = 0;
    if (n < 2) return 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    return sqrt(square / (double)(n - 1) / (double)n);
}

static void errors_make(
    const summary *s, double dt, const sorted *order, double *means, sorted *block, double *value, lw_lyapunov *out) {
    int64_t k = s->k, n = 0;
    for (int64_t b = 0; b < s->blocks; b++) {
        if (s->block_time[b] == 0) continue; /* intervals longer than a block */
        for (int64_t i = 0; i < k; i++) {
            double mean = s->block_sum[b * k + i] / ((double)s->block_time[b] * dt);
            means[i * s->blocks + n] = mean;
            block[i] = (sorted){s->collapsed[i] ? -INFINITY : mean, i};
        }
        qsort(block, (size_t)k, sizeof *block, descending);
        for (int64_t i = 0; i < k; i++)
            value[s->blocks + i] = block[i].value;
        value[n++] = lw_kaplan_yorke(value + s->blocks, k);
    }
    out->kaplan_yorke_stderr = error_of_mean(n, value);
    for (int64_t i = 0; i < k; i++)
        if (!s->collapsed[order[i].column]) out->stderr_[i] = error_of_mean(n, means + order[i].column * s->blocks);
}

lw_err summary_finish(const summary *s, double dt, lw_lyapunov *out) {
    sorted *order = NULL, *block = NULL;
    double *means = NULL, *value = NULL;
    int64_t k = s->k;
    double time = (double)s->time;
    lw_err err = LW_OK;
    LW_TRY_TO(results_make(s, out), done);
    LW_TRY_TO(lw_alloc((size_t)k, sizeof *order, "an order of exponents", &order), done);
    LW_TRY_TO(lw_alloc((size_t)k, sizeof *block, "an order of exponents", &block), done);
    LW_TRY_TO(lw_alloc((size_t)(k * s->blocks), sizeof *means, "block means", &means), done);
    LW_TRY_TO(lw_alloc((size_t)(k + s->blocks), sizeof *value, "block means", &value), done);
    for (int64_t i = 0; i < k; i++) {
        out->ln_r_sum[i] = s->sum[i];
        out->exponent_step[i] = s->collapsed[i] ? -INFINITY : s->sum[i] / time;
        out->collapsed += s->collapsed[i];
        order[i] = (sorted){out->exponent_step[i], i};
    }
    qsort(order, (size_t)k, sizeof *order, descending);
    for (int64_t i = 0; i < k; i++) {
        double lambda = order[i].value / dt;
        out->exponent[i] = lambda;
        if (lambda > 0) out->entropy_rate += lambda;
        if (lambda > -INFINITY) out->sum += lambda;
    }
    out->kaplan_yorke = lw_kaplan_yorke(out->exponent, k);
    errors_make(s, dt, order, means, block, value, out);
    out->n_trace = s->n_trace;
    for (int64_t t = 0; t < s->n_trace; t++) {
        out->trace_step[t] = s->trace_step[t];
        for (int64_t i = 0; i < k; i++)
            out->trace[t * k + i] = s->collapsed[order[i].column]
                                        ? -INFINITY
                                        : s->trace[t * k + order[i].column] / ((double)s->trace_step[t] * dt);
    }
    out->spread_max = s->spread_max;
done:
    lw_free(order);
    lw_free(block);
    lw_free(means);
    lw_free(value);
    return err;
}
