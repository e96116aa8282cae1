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
    return ((double)(x >> 12) + 0.5) * 0x1p-52;
}

/* Box & Muller 1958, one of the pair. */
static inline double rng_box_muller(double u, double v) {
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

#endif
