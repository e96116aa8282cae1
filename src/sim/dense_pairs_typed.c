/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Part of dense_adjoint.c: adjoint products of numbers rounded to bfloat16, two targets at a time. Never compiled
 * alone.
 */

static inline uint32_t rounded_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7F800000u) == 0) return u & 0x80000000u;          /* subnormal ones are 0 to the instruction */
    if ((u & 0x7FFFFFFFu) > 0x7F800000u) return u | 0x00400000u; /* not a number, and stays so */
    return u + 0x7FFFu + (u >> 16 & 1);
}

void dense_rounded(int64_t n, const float *x, float *out) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = rounded_bits(x[i]) & 0xFFFF0000u;
        memcpy(out + i, &u, sizeof u);
    }
}

void dense_pairs_pack(const float *weight, int64_t n_rows, int64_t n_post, uint16_t *packed) {
    int64_t n_pairs = (n_post + 1) / 2;
    for (int64_t r0 = 0; r0 < n_rows; r0 += DENSE_TILE)
        for (int64_t j = 0; j < 2 * n_pairs; j++)
            for (int64_t r = 0; r < DENSE_TILE; r++) {
                float w = r0 + r < n_rows && j < n_post ? weight[(r0 + r) * n_post + j] : 0;
                packed[r0 * 2 * n_pairs + (j / 2 * DENSE_TILE + r) * 2 + j % 2] = (uint16_t)(rounded_bits(w) >> 16);
            }
}

#ifdef __AVX512BF16__
/* loads and stores of vectors may overlap: a line that is written lies before all that are still to be read */
void dense_pairs_lines(int64_t n, int64_t m, int64_t stride, const float *x, uint16_t *lines) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < stride; j += 16) {
            int64_t left = m - j < 0 ? 0 : m - j < 16 ? m - j : 16;
            __m512 here = _mm512_maskz_loadu_ps((__mmask16)((1U << left) - 1), x + i * m + j);
            _mm256_storeu_si256((void *)(lines + i * stride + j), (__m256i)_mm512_cvtneps_pbh(here));
        }
}

typedef float vector_pairs __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t index_pairs __attribute__((vector_size(64)));
#define REAL float
#define VECTOR vector_pairs
#define LANES 16
#define LW_T(name) name##_pairs
#define ELEMENT uint16_t
#define PER_VECTOR 32
#define PADDED
#define MULTIPLY_ADD(sum, w, x)                                                                                        \
    (sum) = (VECTOR)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)_mm512_loadu_si512(w), (__m512bh)_mm512_loadu_si512(x))
#include "dense_sampled_typed.c"
#undef PADDED
#undef LW_T
#undef LANES
#undef VECTOR
#undef REAL

void dense_pairs_of(int64_t n_post, int64_t width, const float *in_adj, uint16_t *pairs) {
    /* the instruction leaves 16 of the one row and 16 of the other; they are to alternate */
    const __m512i alternate = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22,
        6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (int64_t j = 0; j < n_post; j += 2)
        for (int64_t l = 0; l < width; l += 16) {
            __m512 even = _mm512_loadu_ps(in_adj + j * width + l);
            __m512 odd = j + 1 < n_post ? _mm512_loadu_ps(in_adj + (j + 1) * width + l) : _mm512_setzero_ps();
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(odd, even);
            _mm512_storeu_si512(pairs + j * width + 2 * l, _mm512_permutexvar_epi16(alternate, both));
        }
}

/* n_out rows from packed on, n_vec vectors of 16 lanes */
static inline __attribute__((always_inline)) void pairs_tile(int n_out, int n_vec, const uint16_t *restrict packed,
    int64_t n_pairs, int64_t width, const uint16_t *restrict pairs, float *restrict x_adj) {
    __m512 sum[DENSE_TILE];
#pragma GCC unroll 16
    for (int i = 0; i < n_out * n_vec; i++)
        sum[i] = _mm512_loadu_ps(x_adj + i / n_vec * width + i % n_vec * 16);
    for (int64_t k = 0; k < n_pairs; k++) {
        const uint16_t *from = pairs + 2 * k * width, *w = packed + k * 2 * DENSE_TILE;
        __m512i x[4];
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++) {
            x[v] = _mm512_loadu_si512(from + v * 32);
            IN_REGISTER(x[v]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < n_out * n_vec; i++) {
            int32_t pair;
            memcpy(&pair, w + 2 * (i / n_vec), sizeof pair);
            sum[i] = _mm512_dpbf16_ps(sum[i], (__m512bh)x[i % n_vec], (__m512bh)_mm512_set1_epi32(pair));
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_out * n_vec; i++)
        _mm512_storeu_ps(x_adj + i / n_vec * width + i % n_vec * 16, sum[i]);
}

static void pairs_lanes(int n_vec, const uint16_t *packed, int64_t n_rows, int64_t n_pairs, int64_t width,
    const uint16_t *pairs, float *x_adj) {
    const int n_out = DENSE_TILE / n_vec;
    int64_t r = 0;
    for (; r + n_out <= n_rows; r += n_out) {
        if (n_vec == 4)
            pairs_tile(DENSE_TILE / 4, 4, packed + 2 * r, n_pairs, width, pairs, x_adj + r * width);
        else if (n_vec == 2)
            pairs_tile(DENSE_TILE / 2, 2, packed + 2 * r, n_pairs, width, pairs, x_adj + r * width);
        else
            pairs_tile(DENSE_TILE, 1, packed + 2 * r, n_pairs, width, pairs, x_adj + r * width);
    }
    for (; r < n_rows; r++)
        for (int v = 0; v < n_vec; v++)
            pairs_tile(1, 1, packed + 2 * r, n_pairs, width, pairs + 32 * v, x_adj + r * width + 16 * v);
}

void dense_pairs_adjoint(
    const uint16_t *packed, int64_t n_rows, int64_t n_post, int64_t width, const uint16_t *pairs, float *x_adj) {
    int64_t all = (n_post + 1) / 2;
    for (int64_t k = 0, block = block_lines(width * (int64_t)sizeof(float)); k < all; k += block) {
        int64_t n_pairs = all - k < block ? all - k : block;
        for (int64_t r = 0; r < n_rows; r += DENSE_TILE) {
            const uint16_t *tile = packed + (r * all + k * DENSE_TILE) * 2;
            int64_t here = n_rows - r < DENSE_TILE ? n_rows - r : DENSE_TILE;
            for (int64_t lane = 0, n_vec; lane < width; lane += n_vec * 16) {
                n_vec = lane + 64 <= width ? 4 : lane + 32 <= width ? 2 : 1;
                pairs_lanes(
                    (int)n_vec, tile, here, n_pairs, width, pairs + 2 * (k * width + lane), x_adj + r * width + lane);
            }
        }
    }
}
#else
void dense_pairs_lines(int64_t n, int64_t m, int64_t stride, const float *x, uint16_t *lines) {}
void dense_sampled_pairs(const uint16_t *weight, int64_t n_rows, int64_t n_post, int64_t stride, int64_t width,
    const uint64_t *bits, const uint16_t *turned, float *x_adj) {}
void dense_pairs_of(int64_t n_post, int64_t width, const float *in_adj, uint16_t *pairs) {}
void dense_pairs_adjoint(
    const uint16_t *packed, int64_t n_rows, int64_t n_post, int64_t width, const uint16_t *pairs, float *x_adj) {}
#endif
