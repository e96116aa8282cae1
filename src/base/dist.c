/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values that an experiment gives as a number, a list or a distribution. Units were converted before; whether a value
 * lies in a parameter's domain is checked by the floor that knows the parameter.
 */
#include <math.h>
#include "rng.h"

static double dist_draw(const lw_dist *d, int64_t index, lw_stream *s) {
    const double *p = d->p;
    switch (d->kind) {
    case LW_DIST_CONSTANT:
        return p[0];
    case LW_DIST_LIST:
        LW_ASSERT(index >= 0 && index < d->n_list);
        return d->list[index];
    case LW_DIST_UNIFORM: {
        double x = p[0] + (p[1] - p[0]) * lw_stream_uniform(s);
        return x < p[1] || p[1] <= p[0] ? x : nextafter(p[1], p[0]); /* rounding may reach the open end */
    }
    case LW_DIST_NORMAL:
        return p[0] + p[1] * lw_stream_normal(s);
    case LW_DIST_LOGNORMAL:
        return exp(p[0] + p[1] * lw_stream_normal(s));
    case LW_DIST_GAMMA:
        return lw_stream_gamma(s, p[0], p[1] / p[0]);
    case LW_DIST_EXPONENTIAL:
        return lw_stream_exponential(s, p[0]);
    }
    LW_ASSERT(!"a known distribution");
    return 0;
}

double lw_dist_value(const lw_dist *d, int64_t index, uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b) {
    enum { REDRAWS = 1000 }; /* then the range holds next to none of the distribution, and the draw is clipped */
    lw_stream s = lw_stream_start(seed, purpose, a, b);
    double x = dist_draw(d, index, &s);
    bool random = d->kind != LW_DIST_CONSTANT && d->kind != LW_DIST_LIST;
    for (int i = 0; d->redraw && random && i < REDRAWS && (x < d->lo || x > d->hi); i++)
        x = dist_draw(d, index, &s);
    return x < d->lo ? d->lo : x > d->hi ? d->hi : x;
}

/* Uniform and normal draws with the keys (a, b) of many elements: blocks of Philox and the functions of them in loops
 * that become vectors. Values outside the range are drawn again one by one. */
static void draws(const lw_dist *d, int64_t n, uint64_t seed, lw_purpose purpose, const uint64_t *restrict a,
    const uint64_t *restrict b, double *restrict out) {
    enum { PORTION = 256 };
    uint32_t word[4][PORTION];
    double x[PORTION];
    const double p0 = d->p[0], p1 = d->p[1];
    for (int64_t from = 0; from < n; from += PORTION) {
        int64_t here = n - from < PORTION ? n - from : PORTION;
        for (int64_t i = 0; i < here; i++) {
            uint32_t block[4];
            rng_block(seed, purpose, a[from + i], b[from + i], 0, block);
            for (int k = 0; k < 4; k++)
                word[k][i] = block[k];
        }
        if (d->kind == LW_DIST_NORMAL)
            for (int64_t i = 0; i < here; i++)
                x[i] = p0 + p1 * rng_box_muller(rng_unit(word[0][i], word[1][i]), rng_unit(word[2][i], word[3][i]));
        else
            for (int64_t i = 0; i < here; i++)
                x[i] = p0 + (p1 - p0) * rng_unit(word[0][i], word[1][i]);
        for (int64_t i = 0; i < here; i++) {
            bool again = x[i] < d->lo || x[i] > d->hi || (d->kind == LW_DIST_UNIFORM && x[i] >= p1);
            out[from + i] = again ? lw_dist_value(d, 0, seed, purpose, a[from + i], b[from + i]) : x[i];
        }
    }
}

void lw_dist_values(const lw_dist *d, int64_t n, const int64_t *index, uint64_t seed, lw_purpose purpose,
    const uint64_t *a, const uint64_t *b, double *out) {
    if (d->kind == LW_DIST_NORMAL || d->kind == LW_DIST_UNIFORM) {
        draws(d, n, seed, purpose, a, b, out);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = lw_dist_value(d, index ? index[i] : 0, seed, purpose, a[i], b[i]);
}
