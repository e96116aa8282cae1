/* SPDX-License-Identifier: BSD-3-Clause
 *
 * nonzero.h: which of up to 64 numbers are not zero, as bits, and back: most loops over lanes look for few spikes among
 * many zeros.
 */
#ifndef LAPWING_SIM_NONZERO_H
#define LAPWING_SIM_NONZERO_H

#include <stdbool.h>
#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
/** The first n, at most 16 (8), numbers of a vector. */
static inline __mmask16 first_f32(int64_t n) {
    return (__mmask16)(n < 16 ? (1U << n) - 1 : 0xFFFF);
}
static inline __mmask8 first_f64(int64_t n) {
    return (__mmask8)(n < 8 ? (1U << n) - 1 : 0xFF);
}

/** Bit l: x[l] is not 0, l < n <= 64. */
static inline uint64_t nonzero_bits_f32(const float *x, int64_t n) {
    uint64_t bits = 0;
    for (int64_t l = 0; l < n; l += 16) {
        __m512 v = _mm512_maskz_loadu_ps(first_f32(n - l), x + l);
        bits |= (uint64_t)_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ) << l;
    }
    return bits;
}

static inline uint64_t nonzero_bits_f64(const double *x, int64_t n) {
    uint64_t bits = 0;
    for (int64_t l = 0; l < n; l += 8) {
        __m512d v = _mm512_maskz_loadu_pd(first_f64(n - l), x + l);
        bits |= (uint64_t)_mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NEQ_UQ) << l;
    }
    return bits;
}

/** Is every x[l] 0 or 1, l < n? */
static inline bool are_binary_f32(const float *x, int64_t n) {
    bool yes = true;
    for (int64_t l = 0; l < n; l += 16) {
        __m512 v = _mm512_maskz_loadu_ps(first_f32(n - l), x + l);
        yes = yes && (_mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_EQ_OQ) |
                         _mm512_cmp_ps_mask(v, _mm512_set1_ps(1), _CMP_EQ_OQ)) == 0xFFFF;
    }
    return yes;
}

/** x[i] = bit i, i < n. */
static inline void bits_unpack_f32(const uint64_t *bits, int64_t n, float *x) {
    for (int64_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_maskz_mov_ps((__mmask16)(bits[i / 64] >> i % 64), _mm512_set1_ps(1));
        _mm512_mask_storeu_ps(x + i, first_f32(n - i), v);
    }
}
#else
static inline uint64_t nonzero_bits_f32(const float *x, int64_t n) {
    uint64_t bits = 0;
    for (int64_t l = 0; l < n; l++)
        bits |= (uint64_t)(x[l] != 0) << l;
    return bits;
}

static inline uint64_t nonzero_bits_f64(const double *x, int64_t n) {
    uint64_t bits = 0;
    for (int64_t l = 0; l < n; l++)
        bits |= (uint64_t)(x[l] != 0) << l;
    return bits;
}

static inline bool are_binary_f32(const float *x, int64_t n) {
    bool yes = true;
    for (int64_t l = 0; l < n; l++)
        yes = yes && (x[l] == 0 || x[l] == 1);
    return yes;
}

static inline void bits_unpack_f32(const uint64_t *bits, int64_t n, float *x) {
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(bits[i / 64] >> i % 64 & 1);
}
#endif

static inline bool are_binary_f64(const double *x, int64_t n) {
    bool yes = true;
    for (int64_t l = 0; l < n; l++)
        yes = yes && (x[l] == 0 || x[l] == 1);
    return yes;
}

static inline void bits_unpack_f64(const uint64_t *bits, int64_t n, double *x) {
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(bits[i / 64] >> i % 64 & 1);
}

/** Numbers of the bits that are set, ascending, of n_words words. Stores run up to 16 places over. Returns how many. */
static inline int64_t bits_list(int64_t n_words, const uint64_t *bits, uint32_t *list) {
    int64_t n = 0;
    for (int64_t w = 0; w < n_words; w++) {
        uint64_t b = bits[w];
        uint32_t first = (uint32_t)(64 * w);
        if (!b) continue;
#ifdef __AVX512F__
        const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (int k = 0; k < 4;
             k++, b >>= 16, first += 16) { /* without looking: a branch would often be guessed wrong */
            __m512i all = _mm512_add_epi32(_mm512_set1_epi32((int)first), places);
            _mm512_storeu_si512(list + n, _mm512_maskz_compress_epi32((__mmask16)b, all));
            n += __builtin_popcountll(b & 0xFFFF);
        }
#else
        for (; b; b &= b - 1)
            list[n++] = first + (uint32_t)__builtin_ctzll(b);
#endif
    }
    return n;
}

#endif
