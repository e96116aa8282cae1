/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Random numbers that are pure functions of their key, and a keyed permutation. Cursors over many draws are in
 * stream.c, the packing of key and counter in rng.h.
 */
#include "rng.h"

void lw_rng_bits(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw, uint32_t out[4]) {
    rng_block(seed, purpose, a, b, draw, out);
}

double lw_rng_uniform(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw) {
    uint32_t bits[4];
    rng_block(seed, purpose, a, b, draw, bits);
    return rng_unit(bits[0], bits[1]);
}

double lw_rng_normal(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b, uint32_t draw) {
    uint32_t bits[4];
    rng_block(seed, purpose, a, b, draw, bits);
    return rng_box_muller(rng_unit(bits[0], bits[1]), rng_unit(bits[2], bits[3]));
}

/* An alternating Feistel network on the smallest 2^bits >= n: the high part is changed by a function of the low part,
 * then the other way round; each half round undoes itself, so the whole is a bijection whatever the round function.
 * Numbers that fall outside [0, n) walk on along their cycle (Black & Rogaway 2002), fewer than two rounds on average.
 */
uint64_t lw_rng_permute(uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t n, uint64_t i) {
    enum { HALF_ROUNDS = 8 };
    LW_ASSERT(i < n);
    if (n == 1) return 0;
    int bits = 64 - __builtin_clzll(n - 1), low_bits = (bits + 1) / 2;
    uint64_t low_mask = ((uint64_t)1 << low_bits) - 1, high_mask = ((uint64_t)1 << (bits - low_bits)) - 1;
    uint32_t words[4];
    rng_block(seed, purpose, a, n, 0, words);
    uint64_t key = (uint64_t)words[1] << 32 | words[0], stride = ((uint64_t)words[3] << 32 | words[2]) | 1;
    do {
        uint64_t low = i & low_mask, high = i >> low_bits;
        for (uint64_t r = 0; r < HALF_ROUNDS; r += 2) {
            high ^= rng_mix(key + r * stride + low) >> 32 & high_mask;
            low ^= rng_mix(key + (r + 1) * stride + high) >> 32 & low_mask;
        }
        i = high << low_bits | low;
    } while (i >= n);
    return i;
}
