/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to base: how (seed, purpose, a, b, draw) becomes key and counter of Philox4x32-10, inline because stimuli
 * draw per neuron and step.
 *
 * Counter (128 bits) = (a, b). Key (64 bits) = mix(mix(seed + golden) ^ (purpose << 32 | draw)), where mix is the
 * bijective finalizer of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195). For one seed, (purpose,
 * draw) -> key is one to one and so is (a, b) -> counter: no two of a seed's draws share a block of Philox. The outer
 * mix keeps the keys of neighbouring draws far apart, the inner one those of neighbouring seeds.
 */
#ifndef LW_BASE_RNG_H
#define LW_BASE_RNG_H

#include <math.h>
#include <string.h>
#include <Random123/philox.h>
#include <lapwing/base.h>

static inline uint64_t rng_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline void rng_block(
    uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw, uint32_t out[4]) {
    uint64_t k = rng_mix(rng_mix(seed + 0x9e3779b97f4a7c15u) ^ ((uint64_t)purpose << 32 | draw));
    philox4x32_ctr_t counter = {{(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)}};
    philox4x32_key_t key = {{(uint32_t)k, (uint32_t)(k >> 32)}};
    philox4x32_ctr_t bits = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        out[i] = bits.v[i];
}

/* Odd multiple of 2^-53: strictly inside (0, 1), symmetric about 1/2, no rounding. */
static inline double rng_unit(uint32_t low, uint32_t high) {
    uint64_t x = (uint64_t)high << 32 | low;
    return ((double)(int64_t)(x >> 12) + 0.5) * 0x1p-52;
}

/* log and cos of our own, without branches, so that loops over many draws become vectors and one draw has the same bits
 * as many. The method and the coefficients of the approximations are those of fdlibm (Sun Microsystems 1993: e_log.c,
 * k_sin.c, k_cos.c); errors are below one unit in the last place. */

/* ln x for normal x > 0: x = 2^k m with m in [sqrt(1/2), sqrt 2), s = (m - 1) / (m + 1). */
static inline double rng_log(double x) {
    uint64_t bits;
    double m;
    memcpy(&bits, &x, sizeof bits);
    bits += UINT64_C(0x00095f6400000000); /* carries into the exponent where the mantissa is above sqrt 2 */
    double k = (double)((int64_t)(bits >> 52) - 1023);
    bits = (bits & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09c00000000);
    memcpy(&m, &bits, sizeof m);
    double f = m - 1, s = f / (2 + f), z = s * s, w = z * z, half = 0.5 * f * f;
    double even = w * (0x1.999999997fa04p-2 + w * (0x1.c71c51d8e78afp-3 + w * 0x1.39a09d078c69fp-3));
    double odd =
        z * (0x1.5555555555593p-1 + w * (0x1.2492494229359p-2 + w * (0x1.7466496cb03dep-3 + w * 0x1.2f112df3e5244p-3)));
    return k * 0x1.62e42feep-1 - ((half - (s * (half + even + odd) + k * 0x1.a39ef35793c76p-33)) - f);
}

/* cos(2 pi v), 0 <= v <= 1: the nearest quarter turn and the rest r, at most an eighth of a turn. */
static inline double rng_cos_turn(double v) {
    double q = floor(4 * v + 0.5), r = (v - 0.25 * q) * 6.283185307179586, z = r * r;
    double cosine =
        1 - (0.5 * z - z * z *
                           (0x1.555555555554cp-5 +
                               z * (-0x1.6c16c16c15177p-10 +
                                       z * (0x1.a01a019cb159p-16 +
                                               z * (-0x1.27e4f809c52adp-22 +
                                                       z * (0x1.1ee9ebdb4b1c4p-29 + z * -0x1.8fae9be8838d4p-37))))));
    double sine = r + r * z *
                          (-0x1.5555555555549p-3 +
                              z * (0x1.111111110f8a6p-7 +
                                      z * (-0x1.a01a019c161d5p-13 +
                                              z * (0x1.71de357b1fe7dp-19 +
                                                      z * (-0x1.ae5e68a2b9cebp-26 + z * 0x1.5d93a5acfd57cp-33)))));
    double x = q == 1 || q == 3 ? sine : cosine;
    return q == 1 || q == 2 ? -x : x;
}

/* Box & Muller 1958, one of the pair. */
static inline double rng_box_muller(double u, double v) {
    return sqrt(-2 * rng_log(u)) * rng_cos_turn(v);
}

#endif
