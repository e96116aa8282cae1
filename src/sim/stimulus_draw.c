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
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { BLOCK = ENGINE_STIMULUS_BLOCK, NOISE_STEPS = 2 };

/* ------------------------------------------------------------------ random bits */

/* Vectors of 64-bit lanes, of which only the lower halves count: the product of two lower halves is one instruction and
 * gives both halves that a round of Philox wants. */
typedef uint64_t wide __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
enum { LANES = VECTOR_BYTES / 8 };

static inline wide product(wide a, uint32_t factor) {
#if defined(__AVX512F__)
    return (wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(factor));
#elif defined(__AVX2__)
    return (wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(factor));
#elif defined(__SSE2__) && !defined(__AVX__)
    return (wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(factor));
#else
    return (a & 0xFFFFFFFFu) * factor;
#endif
}

/* Philox4x32-10 of BLOCK counters (counter, group) under one key; two vectors at a time hide the latency of products.
 */
static void philox(
    const uint32_t key[2], const uint64_t counter[BLOCK], uint64_t group, uint32_t out[STIMULUS_WORDS][BLOCK]) {
    enum { AT_ONCE = 2 };
    for (int i = 0; i < BLOCK; i += AT_ONCE * LANES) {
        wide c[AT_ONCE][STIMULUS_WORDS], zero = {0};
        uint32_t k0 = key[0], k1 = key[1];
        for (int v = 0; v < AT_ONCE; v++) {
            c[v][0] = *(const wide *)(counter + i + v * LANES);
            c[v][1] = c[v][0] >> 32;
            c[v][2] = zero + group;
            c[v][3] = zero + (group >> 32);
        }
        for (int round = 0; round < 10; round++) {
            for (int v = 0; v < AT_ONCE; v++) {
                wide a = product(c[v][0], 0xD2511F53u), b = product(c[v][2], 0xCD9E8D57u);
                c[v][0] = (b >> 32) ^ c[v][1] ^ (zero + k0);
                c[v][1] = b;
                c[v][2] = (a >> 32) ^ c[v][3] ^ (zero + k1);
                c[v][3] = a;
            }
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        for (int w = 0; w < STIMULUS_WORDS; w++)
            for (int v = 0; v < AT_ONCE; v++)
                for (int lane = 0; lane < LANES; lane++)
                    out[w][i + v * LANES + lane] = (uint32_t)c[v][w][lane];
    }
}

/* The words of the n elements of block b for one group of steps. */
static void bits_draw(const stimulus *s, const lw_pop_view *view, int64_t width, int64_t group, int64_t b, int64_t n,
    uint32_t c[STIMULUS_WORDS][BLOCK]) {
    uint64_t counter[BLOCK] = {0};
    if (width == 1) {
        for (int64_t i = 0; i < n; i++)
            counter[i] = (uint64_t)view->gid[b * BLOCK + i];
    } else {
        for (int64_t i = 0; i < n; i++) {
            int64_t element = b * BLOCK + i;
            counter[i] = (uint64_t)view->gid[element / width] | (uint64_t)(element % width) << 40;
        }
    }
    philox(s->key, counter, (uint64_t)group, c);
}

/* Strictly inside (0, 1). */
static double unit(uint32_t low, uint32_t high) {
    return ((double)(((uint64_t)high << 32 | low) >> 12) + 0.5) * 0x1p-52;
}

/* Noise: even steps take the cosine, odd ones the sine of the pair. Uniform numbers: two words each. */
static void normals_draw(const stimulus *s, const lw_pop_view *view, int64_t width, int64_t group, int64_t b, int64_t n,
    double normal[NOISE_STEPS][BLOCK]) {
    uint32_t c[STIMULUS_WORDS][BLOCK];
    bits_draw(s, view, width, group, b, n, c);
    for (int64_t i = 0; s->spec.kind == LW_STIMULUS_UNIFORM && i < n; i++) {
        normal[0][i] = unit(c[0][i], c[1][i]);
        normal[1][i] = unit(c[2][i], c[3][i]);
    }
    for (int64_t i = 0; s->spec.kind == LW_STIMULUS_NOISE && i < n; i++) {
        double radius = sqrt(-2 * log(unit(c[0][i], c[1][i])));
        double angle = 6.283185307179586 * unit(c[2][i], c[3][i]);
        normal[0][i] = s->spec.sd * radius * cos(angle);
        normal[1][i] = s->spec.sd * radius * sin(angle);
    }
}

void stimulus_draw(stimulus *s, const lw_pop_view *view, int64_t width, int64_t t, int64_t first, int64_t last) {
    bool poisson = s->spec.kind == LW_STIMULUS_POISSON;
    int64_t group = poisson ? t / STIMULUS_WORDS : t / s->spec.every / NOISE_STEPS;
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

const double *stimulus_deviations(const stimulus *s, int64_t t, int64_t b) {
    return s->normal + (b * NOISE_STEPS + t / s->spec.every % NOISE_STEPS) * BLOCK;
}

/* ------------------------------------------------------------------ levels */

/* The same counts as poisson_invert below. */
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

/* Number of changes at or before step t. */
static int64_t changes_until(const stimulus *s, int64_t t) {
    int64_t lo = 0, hi = s->spec.n_changes;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (s->change_step[mid] <= t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void stimulus_level_find(const stimulus *s, double dt, int64_t t, stimulus_level *level) {
    const lw_stimulus_spec *spec = &s->spec;
    int64_t changes = changes_until(s, t);
    level->shared = changes ? s->change_value[changes - 1] : 0;
    level->table = s->table;
    level->n_table = s->n_table;
    if (spec->wave != 0) {
        double cycles = spec->wave_frequency * dt * (double)t;
        level->shared += spec->wave * sin(6.283185307179586 * (cycles - floor(cycles) + spec->wave_phase));
    }
    double mean = fmax(s->constant + level->shared, 0);
    if (spec->kind != LW_STIMULUS_POISSON || s->table || s->amplitude || mean > STIMULUS_TABLE_MEAN) return;
    level->table = level->own_table;
    level->n_table = stimulus_table(mean, level->own_table);
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

typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef int32_t sums __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

/* count[i] += thresholds <= u[i], of BLOCK words: the sums of four vectors stay in registers. */
static void table_count(const uint32_t *table, int n_table, const uint32_t *u, int32_t *count) {
    enum { STEP = VECTOR_BYTES / 4 };
    for (int i = 0; i < BLOCK; i += 4 * STEP) {
        words a = *(const words *)(u + i), b = *(const words *)(u + i + STEP);
        words c = *(const words *)(u + i + 2 * STEP), d = *(const words *)(u + i + 3 * STEP);
        sums *to = (sums *)(count + i);
        sums n0 = to[0], n1 = to[1], n2 = to[2], n3 = to[3];
        for (int k = 0; k < n_table; k++) { /* true is -1 */
            uint32_t threshold = table[k];
            n0 -= (sums)(a >= threshold);
            n1 -= (sums)(b >= threshold);
            n2 -= (sums)(c >= threshold);
            n3 -= (sums)(d >= threshold);
        }
        to[0] = n0;
        to[1] = n1;
        to[2] = n2;
        to[3] = n3;
    }
}

/* Most blocks reach only the first thresholds; the rest are for blocks that have a word beyond. */
static void block_count(const uint32_t *table, int n_table, const uint32_t *u, int32_t *count) {
    const uint32_t RARE =
        0xFFFFFFFFu - (uint32_t)((UINT64_C(1) << 32) / (16 * BLOCK)); /* reached by one of 16 blocks */
    int n = 0;
    uint32_t most = 0;
    while (n < n_table && table[n] < RARE)
        n++;
    for (int i = 0; i < BLOCK; i++) {
        count[i] = 0;
        most = u[i] > most ? u[i] : most;
    }
    table_count(table, n, u, count);
    if (n < n_table && most >= table[n]) table_count(table + n, n_table - n, u, count);
}

void stimulus_counts(const engine_stimulus *all, const stimulus *s, const stimulus_level *level,
    const lw_pop_view *view, int64_t width, int64_t t, int64_t b, int64_t n, int32_t count[BLOCK]) {
    const uint32_t *u = s->bits + (b * STIMULUS_WORDS + t % STIMULUS_WORDS) * BLOCK;
    if (level->table) {
        block_count(level->table, level->n_table, u, count);
        return;
    }
    uint64_t number = (uint64_t)(s - all->item);
    for (int64_t i = 0; i < n; i++) {
        int64_t neuron = (b * BLOCK + i) / width, lane = (b * BLOCK + i) % width;
        double mean = fmax((s->amplitude ? s->amplitude[neuron] : s->constant) + level->shared, 0);
        if (mean > STIMULUS_TABLE_MEAN) {
            lw_stream stream = lw_stream_start(all->seed, LW_PURPOSE_POISSON,
                (uint64_t)view->gid[neuron] | number << 48, (uint64_t)t | (uint64_t)lane << 40);
            count[i] = (int32_t)lw_stream_poisson(&stream, mean);
        } else {
            count[i] = poisson_invert(mean, u[i]);
        }
    }
}
