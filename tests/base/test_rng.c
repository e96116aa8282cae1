/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The generator: published answers of Philox, the packing of key and counter, distinct streams, permutations.
 */
#include "check.h"
#include <Random123/philox.h>

/* Random123's published known answers for philox4x32-10: counter, key, result. They test the header we are built with.
 */
static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
        0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
        0x24126ea1},
};

TEST(philox_gives_the_published_answers) {
    for (int k = 0; k < 3; k++) {
        const uint32_t *w = known[k];
        philox4x32_ctr_t counter = {{w[0], w[1], w[2], w[3]}};
        philox4x32_key_t key = {{w[4], w[5]}};
        philox4x32_ctr_t got = philox4x32_R(10, counter, key);
        for (int i = 0; i < 4; i++)
            CHECK_INT(got.v[i], w[6 + i]);
    }
}

/* SplitMix64's finalizer, a second time: the packing is a promise to everyone who kept a seed. */
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

TEST(bits_are_philox_of_the_documented_key) {
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 0, 0);
    for (int k = 0; k < 100; k++) {
        uint64_t seed = lw_stream_below(&s, UINT64_MAX), a = lw_stream_below(&s, UINT64_MAX);
        uint64_t b = lw_stream_below(&s, UINT64_MAX);
        uint32_t draw = (uint32_t)lw_stream_below(&s, UINT32_MAX), got[4];
        uint64_t key_bits = mix(mix(seed + 0x9e3779b97f4a7c15u) ^ ((uint64_t)LW_PURPOSE_BASIS << 32 | draw));
        philox4x32_ctr_t counter = {{(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint32_t)(b >> 32)}};
        philox4x32_key_t key = {{(uint32_t)key_bits, (uint32_t)(key_bits >> 32)}};
        philox4x32_ctr_t want = philox4x32_R(10, counter, key);
        lw_rng_bits(seed, LW_PURPOSE_BASIS, a, b, draw, got);
        for (int i = 0; i < 4; i++)
            CHECK_INT(got[i], want.v[i]);
    }
}

static int compare(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* Change any one part of the key: all results differ. 64 bits of each, sorted; equal neighbours would be equal streams.
 */
TEST(no_two_draws_coincide) {
    enum { SEEDS = 3, PURPOSES = 14, N = 6, COUNT = SEEDS * PURPOSES * N * N * N };
    static uint64_t all[COUNT];
    int count = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (int purpose = LW_PURPOSE_INIT; purpose <= LW_PURPOSE_CHECK; purpose++)
            for (uint64_t a = 0; a < N; a++)
                for (uint64_t b = 0; b < N; b++)
                    for (uint32_t draw = 0; draw < N; draw++) {
                        uint32_t w[4];
                        /* the high halves count as well */
                        lw_rng_bits(seed, (lw_purpose)purpose, a % 2 ? a << 40 : a, b % 2 ? b << 40 : b, draw, w);
                        if (count < COUNT) all[count] = (uint64_t)w[0] << 32 | w[2];
                        count++;
                    }
    CHECK_INT(count, COUNT);
    qsort(all, COUNT, sizeof *all, compare);
    for (int i = 1; i < COUNT; i++)
        CHECK(all[i] != all[i - 1]);
}

/* Mean and variance, and the correlation of neighbours along each part of the key, within 5 standard errors. */
TEST(uniform_is_uniform_along_every_part) {
    enum { N = 100000 };
    for (int along = 0; along < 4; along++) {
        double sum = 0, squares = 0, products = 0, last = 0.5;
        int bins[16] = {0};
        for (uint64_t i = 0; i < N; i++) {
            uint64_t k[4] = {11, 12, 13, 14};
            k[along] = i;
            double u = lw_rng_uniform(k[0], LW_PURPOSE_CHECK, k[1], k[2], (uint32_t)k[3]);
            CHECK(u > 0 && u < 1);
            bins[(int)(16 * u)]++;
            sum += u - 0.5;
            squares += (u - 0.5) * (u - 0.5);
            products += (u - 0.5) * (last - 0.5);
            last = u;
        }
        CHECK_CLOSE(sum / N, 0, 5 * sqrt(1.0 / 12 / N));
        CHECK_CLOSE(squares / N, 1.0 / 12, 5 * sqrt(1.0 / 180 / N));
        CHECK_CLOSE(products / N, 0, 5 / 12.0 / sqrt(N));
        double chi2 = 0;
        for (int i = 0; i < 16; i++)
            chi2 += pow(bins[i] - N / 16.0, 2) / (N / 16.0);
        CHECK(chi2 < 15 + 5 * sqrt(2 * 15.0) + 10);
    }
}

TEST(permutation_is_a_bijection) {
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 1000, 4096, 5000};
    static unsigned char hit[5000];
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        for (uint64_t a = 0; a < 5; a++) {
            uint64_t n = sizes[k], moved = 0;
            memset(hit, 0, sizeof hit);
            for (uint64_t i = 0; i < n; i++) {
                uint64_t j = lw_rng_permute(1, LW_PURPOSE_SHUFFLE, a, n, i);
                CHECK(j < n);
                if (j < n) hit[j]++;
                moved += i != j;
            }
            for (uint64_t j = 0; j < n; j++)
                CHECK_INT(hit[j], 1);
            if (n >= 31) CHECK(moved > n / 2);
        }
    }
    /* a large range, walked at its ends */
    uint64_t n = ((uint64_t)1 << 63) + 12345;
    CHECK(lw_rng_permute(1, LW_PURPOSE_SHUFFLE, 0, n, n - 1) < n);
    CHECK(lw_rng_permute(1, LW_PURPOSE_SHUFFLE, 0, n, 0) != lw_rng_permute(1, LW_PURPOSE_SHUFFLE, 0, n, n - 1));
    CHECK(lw_rng_permute(1, LW_PURPOSE_SHUFFLE, 0, UINT64_MAX, 5) < UINT64_MAX);
}

/* Over the keys, element 0 of 5 falls on every place equally often; all 24 orders of 4 are equally frequent. */
TEST(permutations_are_equally_frequent) {
    enum { N = 24000 };
    int place[5] = {0}, order[256] = {0};
    for (uint64_t a = 0; a < N; a++) {
        place[lw_rng_permute(2, LW_PURPOSE_SHUFFLE, a, 5, 0)]++;
        int code = 0;
        for (uint64_t i = 0; i < 4; i++)
            code = 4 * code + (int)lw_rng_permute(2, LW_PURPOSE_SHUFFLE, a, 4, i);
        order[code]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 5; i++)
        CHECK_CLOSE(place[i], N / 5.0, 5 * sqrt(N / 5.0));
    for (int i = 0; i < 256; i++)
        if (order[i]) chi2 += pow(order[i] - N / 24.0, 2) / (N / 24.0);
    int orders = 0;
    for (int i = 0; i < 256; i++)
        orders += order[i] > 0;
    CHECK_INT(orders, 24);
    CHECK(chi2 < 23 + 5 * sqrt(2 * 23.0));
}

/* Box & Muller with the library's log and cos, which ours differ from by rounding only. */
TEST(normal_is_box_muller) {
    double worst = 0;
    for (uint64_t i = 0; i < 200000; i++) {
        uint32_t w[4];
        lw_rng_bits(3, LW_PURPOSE_CHECK, i, 7, 0, w);
        double u = ((double)(((uint64_t)w[1] << 32 | w[0]) >> 12) + 0.5) * 0x1p-52;
        double v = ((double)(((uint64_t)w[3] << 32 | w[2]) >> 12) + 0.5) * 0x1p-52;
        double expected = sqrt(-2 * log(u)) * cos(6.283185307179586476925 * v);
        worst = fmax(worst, fabs(lw_rng_normal(3, LW_PURPOSE_CHECK, i, 7, 0) - expected));
    }
    CHECK_CLOSE(worst, 0, 5e-15);
}

CHECK_MAIN(CASE(normal_is_box_muller), CASE(philox_gives_the_published_answers),
    CASE(bits_are_philox_of_the_documented_key), CASE(no_two_draws_coincide), CASE(uniform_is_uniform_along_every_part),
    CASE(permutation_is_a_bijection), CASE(permutations_are_equally_frequent))
