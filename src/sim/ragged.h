/* SPDX-License-Identifier: BSD-3-Clause
 *
 * ragged.h: vectors of reals, and those of which only the first n numbers exist: the ends of lines that fill no vector.
 * Reads and writes nothing behind them.
 */
#ifndef LAPWING_SIM_RAGGED_H
#define LAPWING_SIM_RAGGED_H

#include "engine.h"
#ifdef __AVX__
#include <immintrin.h>
#endif

typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(float)), may_alias));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

/** x[0 .. n), then zeros; n <= numbers of a vector. */
static inline vector_f32 ragged_get_f32(int64_t n, const float *x) {
#ifdef __AVX512F__
    return (vector_f32)_mm512_maskz_loadu_ps((__mmask16)((1U << n) - 1), x);
#elif defined(__AVX__)
    static const int32_t mask[16] = {-1, -1, -1, -1, -1, -1, -1, -1}; /* from 8 - n on: n of them */
    return (vector_f32)_mm256_maskload_ps(x, _mm256_loadu_si256((const void *)(mask + 8 - n)));
#else
    vector_f32 v = {0};
    for (int64_t i = 0; i < n; i++)
        v[i] = x[i];
    return v;
#endif
}

static inline vector_f64 ragged_get_f64(int64_t n, const double *x) {
#ifdef __AVX512F__
    return (vector_f64)_mm512_maskz_loadu_pd((__mmask8)((1U << n) - 1), x);
#elif defined(__AVX__)
    static const int64_t mask[8] = {-1, -1, -1, -1}; /* from 4 - n on: n of them */
    return (vector_f64)_mm256_maskload_pd(x, _mm256_loadu_si256((const void *)(mask + 4 - n)));
#else
    vector_f64 v = {0};
    for (int64_t i = 0; i < n; i++)
        v[i] = x[i];
    return v;
#endif
}

#endif
