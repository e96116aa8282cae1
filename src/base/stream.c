/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Streams: a cursor over the draws of one key, and the samplers that need a varying number of them. The first number of
 * a stream equals the lw_rng_ function of draw 0. Two words make a uniform, so one block of Philox serves two.
 */
#include "rng.h"

__extension__ typedef unsigned __int128 u128;

lw_stream lw_stream_start(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b) {
    lw_stream s = {.seed = seed, .a = a, .b = b, .purpose = purpose};
    return s;
}

/* Words are taken in pairs, so `have` is 4, 2 or 0. */
static inline const uint32_t *stream_pair(lw_stream *s) {
    if (s->have == 0) {
        LW_ASSERT(s->draw != UINT32_MAX);
        rng_block(s->seed, s->purpose, s->a, s->b, s->draw++, s->bits);
        s->have = 4;
    }
    s->have -= 2;
    return s->bits + (2 - s->have);
}

static inline double stream_unit(lw_stream *s) {
    const uint32_t *w = stream_pair(s);
    return rng_unit(w[0], w[1]);
}

double lw_stream_uniform(lw_stream *s) {
    return stream_unit(s);
}

/* Blocks of Philox, numbers and logarithms in loops that become vectors. */
void lw_stream_uniforms(lw_stream *s, int64_t n, double *out, double *log_out) {
    enum { PORTION = 64 };
    uint32_t word[4][PORTION];
    int64_t at = 0;
    if (s->have == 2 && n > 0) out[at++] = stream_unit(s);
    while (n - at >= 2) {
        const lw_stream key = *s;
        int64_t blocks = (n - at) / 2 < PORTION ? (n - at) / 2 : PORTION;
        LW_ASSERT(blocks < UINT32_MAX - s->draw);
        for (int64_t i = 0; i < blocks; i++) {
            uint32_t block[4];
            rng_block(key.seed, key.purpose, key.a, key.b, key.draw + (uint32_t)i, block);
            for (int k = 0; k < 4; k++)
                word[k][i] = block[k];
        }
        for (int64_t i = 0; i < blocks; i++) {
            out[at + 2 * i] = rng_unit(word[0][i], word[1][i]);
            out[at + 2 * i + 1] = rng_unit(word[2][i], word[3][i]);
        }
        s->draw += (uint32_t)blocks;
        at += 2 * blocks;
    }
    if (at < n) out[at] = stream_unit(s);
    for (int64_t i = 0; i < n; i++)
        log_out[i] = rng_log(out[i]);
}

double lw_stream_normal(lw_stream *s) {
    double u = stream_unit(s);
    return rng_box_muller(u, stream_unit(s));
}

double lw_stream_exponential(lw_stream *s, double mean) {
    return -mean * log(stream_unit(s));
}

double lw_stream_gamma(lw_stream *s, double shape, double scale) {
    LW_ASSERT(shape > 0 && scale >= 0);
    /* shape < 1: a draw of shape + 1, times U^(1/shape) (Marsaglia & Tsang 2000, section 6) */
    double boost = shape < 1 ? pow(stream_unit(s), 1 / shape) : 1;
    double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = lw_stream_normal(s), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        double u = stream_unit(s);
        if (u < 1 - 0.0331 * (x * x) * (x * x) || log(u) < 0.5 * x * x + d * (1 - v + log(v)))
            return d * v * boost * scale;
    }
}

/* The smallest k with cdf(k) >= u, by adding up. Beyond k = 200 the probabilities are below the spacing of u. */
static int64_t poisson_inversion(double u, double lambda) {
    double p = exp(-lambda);
    int64_t k = 0;
    while (u > p && k < 200) {
        u -= p;
        k++;
        p *= lambda / (double)k;
    }
    return k;
}

/* Transformed rejection with squeeze (Hoermann 1993, doi:10.1016/0167-6687(93)90997-4, algorithm PTRS); symbols as
 * there. */
static int64_t poisson_ptrs(lw_stream *s, double mu) {
    double b = 0.931 + 2.53 * sqrt(mu), a = -0.059 + 0.02483 * b;
    double inv_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2), log_mu = log(mu);
    for (;;) {
        double u = stream_unit(s) - 0.5, v = stream_unit(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + mu + 0.43);
        if (us >= 0.07 && v <= v_r) return (int64_t)k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        int sign;
        if (log(v * inv_alpha / (a / (us * us) + b)) <= k * log_mu - mu - lgamma_r(k + 1, &sign)) return (int64_t)k;
    }
}

int64_t lw_stream_poisson(lw_stream *s, double lambda) {
    if (lambda < 30 && lambda >= 0) return lambda == 0 ? 0 : poisson_inversion(stream_unit(s), lambda);
    LW_ASSERT(lambda >= 0 && lambda <= 0x1p53);
    return poisson_ptrs(s, lambda);
}

/* Multiply and reject (Lemire 2019, doi:10.1145/3230636). */
uint64_t lw_stream_below(lw_stream *s, uint64_t n) {
    LW_ASSERT(n > 0);
    uint64_t reject_below = -n % n;
    for (;;) {
        const uint32_t *w = stream_pair(s);
        u128 product = (u128)((uint64_t)w[1] << 32 | w[0]) * n;
        if ((uint64_t)product >= reject_below) return (uint64_t)(product >> 64);
    }
}
