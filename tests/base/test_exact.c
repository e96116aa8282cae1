/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Exact sums: the same bits in any order and any grouping, right to the unit of the grid, and NaN for what does not
 * fit.
 */
#include <math.h>
#include <string.h>
#include <lapwing/base.h>
#include "check.h"

enum { TERMS = 5000 };

/* sizes from 1e-9 to 1e9, both signs */
static double term(uint64_t i) {
    double size = pow(10, 18 * lw_rng_uniform(1, LW_PURPOSE_CHECK, i, 0, 0) - 9);
    return lw_rng_uniform(1, LW_PURPOSE_CHECK, i, 1, 0) < 0.5 ? -size : size;
}

TEST(any_order_and_grouping_gives_the_same_bits) {
    double first = 0, plain[2] = {0, 0};
    for (uint64_t order = 0; order < 5; order++) {
        int64_t sum[3] = {0}, group[3] = {0};
        for (uint64_t i = 0; i < TERMS; i++) {
            double x = term(lw_rng_permute(order, LW_PURPOSE_CHECK, 0, TERMS, i));
            lw_exact_add(1, &x, i % (order + 1) == 0 ? sum : group);
            if (order < 2) plain[order] += x;
        }
        for (int w = 0; w < 3; w++)
            sum[w] += group[w];
        double value;
        lw_exact_get(1, sum, &value);
        if (order == 0) first = value;
        CHECK(memcmp(&value, &first, sizeof value) == 0);
    }
    CHECK(plain[0] != plain[1]); /* doubles do depend on it, or this test says nothing */
    CHECK_REL(plain[0], first, 1e-9);
}

TEST(the_sum_is_right) {
    long double want = 0;
    int64_t sum[6] = {0};
    for (uint64_t i = 0; i < TERMS; i++) {
        double x[2] = {ldexp(rint(ldexp(term(i), 40)), -40), 0x1p-75}; /* exact on the grid */
        want += (long double)x[0];
        lw_exact_add(2, x, sum);
    }
    double value[2];
    lw_exact_get(2, sum, value);
    CHECK_CLOSE(value[0], (double)want, 1e-6);
    CHECK(value[1] == TERMS * 0x1p-75);
}

TEST(what_does_not_fit_is_not_a_number) {
    const double bad[] = {NAN, INFINITY, -INFINITY, 0x1p40, -1e300};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t sum[3] = {0};
        double one = 1, value;
        lw_exact_add(1, &one, sum);
        lw_exact_add(1, &bad[i], sum);
        lw_exact_get(1, sum, &value);
        CHECK(isnan(value));
    }
}

CHECK_MAIN(
    CASE(any_order_and_grouping_gives_the_same_bits), CASE(the_sum_is_right), CASE(what_does_not_fit_is_not_a_number))
