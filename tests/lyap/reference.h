/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The random numbers and the little arithmetic of the reference spectra (golden/README.md): SplitMix64 absorbed over
 * (seed, stream, i, j); weights rounded to fixed binary places so that every machine has the same bits. For tests only.
 */
#ifndef LAPWING_TEST_LYAP_REFERENCE_H
#define LAPWING_TEST_LYAP_REFERENCE_H

#include <math.h>
#include <stdint.h>

enum ref_stream { REF_WEIGHT = 1, REF_STATE, REF_BASIS, REF_GINIBRE, REF_CONNECT, REF_INPUT, REF_PARAM };
#define REF_G UINT64_C(0x9E3779B97F4A7C15)

static inline uint64_t ref_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}
static inline uint64_t ref_absorb(uint64_t h, uint64_t x) {
    return ref_mix(h + REF_G * (x + 1));
}
static inline uint64_t ref_key(uint64_t seed, uint64_t stream, uint64_t i, uint64_t j) {
    return ref_absorb(ref_absorb(ref_absorb(ref_mix(seed + REF_G), stream), i), j);
}
static inline double ref_unit(uint64_t h) {
    return ((double)(h >> 12) + 0.5) * 0x1p-52;
}
static inline double ref_uniform(uint64_t seed, uint64_t stream, uint64_t i, uint64_t j) {
    return ref_unit(ref_key(seed, stream, i, j));
}
static inline double ref_normal(uint64_t seed, uint64_t stream, uint64_t i, uint64_t j) {
    uint64_t h = ref_key(seed, stream, i, j);
    return sqrt(-2 * log(ref_unit(h))) * cos(2 * 3.14159265358979323846 * ref_unit(ref_mix(h + REF_G)));
}
/** Nearest multiple of 2^-bits, ties to even. */
static inline double ref_quant(double x, int bits) {
    return ldexp(rint(ldexp(x, bits)), -bits);
}

/** psi and psi' by recurrence and Stirling's series (x > 0). */
static inline double ref_digamma(double x) {
    double s = 0;
    for (; x < 12; x++)
        s -= 1 / x;
    return s + log(x) - 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * pow(x, 4)) - 1 / (252 * pow(x, 6));
}
static inline double ref_trigamma(double x) {
    double s = 0;
    for (; x < 12; x++)
        s += 1 / (x * x);
    return s + 1 / x + 1 / (2 * x * x) + 1 / (6 * pow(x, 3)) - 1 / (30 * pow(x, 5)) + 1 / (42 * pow(x, 7));
}

#endif
