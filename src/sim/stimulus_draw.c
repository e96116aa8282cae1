/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random numbers of stimuli: a pure function of (seed, stimulus, gid, lane, step), so they do not depend on ranks,
 * threads or the order of work, and a resumed run continues with the same ones.
 *
 * One block of Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) has 128 bits, more than a step needs: a
 * Poisson stimulus takes one of its four words per step, noise one of its two normal numbers (Box & Muller 1958). The
 * block is keyed by (seed, stimulus), its counter is (gid | lane << 40, number of the group of steps). It is written
 * here for 64 neurons at a time, so that the compiler makes vectors of it: most of a Poisson-driven network's time
 * would go into one-by-one draws.
 */
#include <math.h>
#include "stimulus.h"

enum { BLOCK = ENGINE_STIMULUS_BLOCK, NOISE_STEPS = 2 };

/* ------------------------------------------------------------------ random bits */

/* Philox4x32-10 of BLOCK counters under one key, in place. */
static void philox(
    const uint32_t key[2], uint32_t *restrict c0, uint32_t *restrict c1, uint32_t *restrict c2, uint32_t *restrict c3) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < BLOCK; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            uint32_t x = (uint32_t)(b >> 32) ^ c1[i] ^ k0, y = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c0[i] = x;
            c1[i] = (uint32_t)b;
            c2[i] = y;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The words of the n elements of block b for one group of steps. */
static void bits_draw(const stimulus *s, const lw_pop_view *view, int64_t width, int64_t group, int64_t b, int64_t n,
    uint32_t c[STIMULUS_WORDS][BLOCK]) {
    int64_t neuron = b * BLOCK / width, lane = b * BLOCK % width;
    for (int64_t i = 0; i < n; i++) {
        uint64_t a = (uint64_t)view->gid[neuron] | (uint64_t)lane << 40;
        c[0][i] = (uint32_t)a;
        c[1][i] = (uint32_t)(a >> 32);
        if (++lane == width) {
            lane = 0;
            neuron++;
        }
    }
    for (int64_t i = n; i < BLOCK; i++)
        c[0][i] = c[1][i] = 0;
    for (int i = 0; i < BLOCK; i++) {
        c[2][i] = (uint32_t)group;
        c[3][i] = (uint32_t)((uint64_t)group >> 32);
    }
    philox(s->key, c[0], c[1], c[2], c[3]);
}

/* Strictly inside (0, 1). */
static double unit(uint32_t low, uint32_t high) {
    return ((double)(((uint64_t)high << 32 | low) >> 12) + 0.5) * 0x1p-52;
}

/* Even steps take the cosine, odd ones the sine of the pair. */
static void normals_draw(const stimulus *s, const lw_pop_view *view, int64_t width, int64_t group, int64_t b, int64_t n,
    double normal[NOISE_STEPS][BLOCK]) {
    uint32_t c[STIMULUS_WORDS][BLOCK];
    bits_draw(s, view, width, group, b, n, c);
    for (int64_t i = 0; i < n; i++) {
        double radius = sqrt(-2 * log(unit(c[0][i], c[1][i])));
        double angle = 6.283185307179586 * unit(c[2][i], c[3][i]);
        normal[0][i] = s->spec.sd * radius * cos(angle);
        normal[1][i] = s->spec.sd * radius * sin(angle);
    }
}

void stimulus_draw(stimulus *s, const lw_pop_view *view, int64_t width, int64_t t, int64_t first, int64_t last) {
    bool poisson = s->spec.kind == LW_STIMULUS_POISSON;
    int64_t group = t / (poisson ? STIMULUS_WORDS : NOISE_STEPS);
    for (int64_t b = first / BLOCK; b * BLOCK < last; b++) {
        int64_t n = last - b * BLOCK < BLOCK ? last - b * BLOCK : BLOCK;
        if (s->group[b] == group) continue;
        s->group[b] = group;
        if (poisson)
            bits_draw(s, view, width, group, b, n, (uint32_t(*)[BLOCK])s->bits + b * STIMULUS_WORDS);
        else
            normals_draw(s, view, width, group, b, n, (double(*)[BLOCK])s->normal + b * NOISE_STEPS);
    }
}

/* ------------------------------------------------------------------ Poisson */

/* Inversion by one word u: the number of k with cdf(k) <= u / 2^32. Probabilities below 2^-32 are cut off. */
static int32_t poisson_invert(double mean, uint32_t u) {
    double p = exp(-mean), cdf = p, x = (double)u * 0x1p-32;
    int32_t k = 0, most = (int32_t)(mean + 12 * sqrt(mean) + 24);
    while (cdf <= x && k < most) {
        p *= mean / ++k;
        cdf += p;
    }
    return k;
}

/* The same counts as poisson_invert. */
int stimulus_table(double mean, uint32_t table[STIMULUS_TABLE_MAX]) {
    double p = exp(-mean), cdf = p;
    int32_t most = (int32_t)(mean + 12 * sqrt(mean) + 24);
    int n = 0;
    LW_ASSERT(most <= STIMULUS_TABLE_MAX);
    for (int32_t k = 0; k < most; k++) {
        double threshold = ceil(cdf * 0x1p32);
        if (threshold >= 0x1p32) break;
        table[n++] = (uint32_t)threshold;
        p *= mean / (k + 1);
        cdf += p;
    }
    return n;
}

/* Thresholds <= u, of BLOCK words: the sums of four vectors stay in registers. */
static void table_count(const uint32_t *table, int n_table, const uint32_t *u, int32_t *count) {
    typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
    enum { LANES = VECTOR_BYTES / 4 };
    for (int i = 0; i < BLOCK; i += 4 * LANES) {
        words a = *(const words *)(u + i), b = *(const words *)(u + i + LANES);
        words c = *(const words *)(u + i + 2 * LANES), d = *(const words *)(u + i + 3 * LANES);
        sums n0 = {0}, n1 = {0}, n2 = {0}, n3 = {0};
        for (int k = 0; k < n_table; k++) { /* true is -1 */
            uint32_t threshold = table[k];
            n0 -= (sums)(a >= threshold);
            n1 -= (sums)(b >= threshold);
            n2 -= (sums)(c >= threshold);
            n3 -= (sums)(d >= threshold);
        }
        *(sums *)(count + i) = n0;
        *(sums *)(count + i + LANES) = n1;
        *(sums *)(count + i + 2 * LANES) = n2;
        *(sums *)(count + i + 3 * LANES) = n3;
    }
}

void stimulus_counts(const engine_stimulus *all, const stimulus *s, const lw_pop_view *view, int64_t width, int64_t t,
    int64_t b, int64_t n, int32_t count[BLOCK]) {
    const uint32_t *u = s->bits + (b * STIMULUS_WORDS + t % STIMULUS_WORDS) * BLOCK;
    if (s->table) {
        table_count(s->table, s->n_table, u, count);
        return;
    }
    uint64_t number = (uint64_t)(s - all->item);
    for (int64_t i = 0; i < n; i++) {
        int64_t neuron = (b * BLOCK + i) / width, lane = (b * BLOCK + i) % width;
        double mean = s->amplitude ? s->amplitude[neuron] : s->constant;
        if (mean > STIMULUS_TABLE_MEAN) {
            lw_stream stream = lw_stream_start(all->seed, LW_PURPOSE_POISSON,
                (uint64_t)view->gid[neuron] | number << 48, (uint64_t)t | (uint64_t)lane << 40);
            count[i] = (int32_t)lw_stream_poisson(&stream, mean);
        } else {
            count[i] = poisson_invert(mean, u[i]);
        }
    }
}
