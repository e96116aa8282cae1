/* SPDX-License-Identifier: BSD-3-Clause
 *
 * nonzero.h: which of up to 64 numbers are not zero, as bits: most loops over lanes look for few spikes among many
 * zeros.
 */
#ifndef LAPWING_SIM_NONZERO_H
#define LAPWING_SIM_NONZERO_H

#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

/** Bit l: x[l] is not 0, l < n <= 64. */
static inline uint64_t nonzero_bits_f32(const float *x, int64_t n) {
    uint64_t bits = 0;
    int64_t l = 0;
#ifdef __AVX512F__
    for (; l + 16 <= n; l += 16)
        bits |= (uint64_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(x + l), _mm512_setzero_ps(), _CMP_NEQ_UQ) << l;
#endif
    for (; l < n; l++)
        bits |= (uint64_t)(x[l] != 0) << l;
    return bits;
}

static inline uint64_t nonzero_bits_f64(const double *x, int64_t n) {
    uint64_t bits = 0;
    int64_t l = 0;
#ifdef __AVX512F__
    for (; l + 8 <= n; l += 8)
        bits |= (uint64_t)_mm512_cmp_pd_mask(_mm512_loadu_pd(x + l), _mm512_setzero_pd(), _CMP_NEQ_UQ) << l;
#endif
    for (; l < n; l++)
        bits |= (uint64_t)(x[l] != 0) << l;
    return bits;
}

#endif
