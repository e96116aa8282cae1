/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sums that do not depend on the order of their terms. A number is cut at 2^-20: the upper part is an integer below
 * 2^60, the rest one below 2^54 in units of 2^-75; integers add without rounding in any order. The third word counts
 * what does not fit. Fixed point is enough for gradients and losses, whose size is known to be moderate, and needs no
 * knowledge of the terms to come (Demmel & Nguyen 2013 choose the grid by the largest term instead).
 */
#include <math.h>
#include <lapwing/base.h>

enum { UPPER = 20, LOWER = 75, CARRY = LOWER - UPPER };

void lw_exact_add(int64_t n, const double *x, int64_t *sum) {
    for (int64_t i = 0; i < n; i++) {
        int64_t *s = sum + LW_EXACT_WORDS * i;
        if (!(fabs(x[i]) < 0x1p40)) {
            s[2]++;
            continue;
        }
        double upper = rint(x[i] * 0x1p20);
        s[0] += (int64_t)upper;
        s[1] += (int64_t)rint((x[i] - upper * 0x1p-20) * 0x1p75); /* the difference is exact */
        int64_t carry = s[1] >> CARRY;
        s[0] += carry;
        s[1] -= carry * ((int64_t)1 << CARRY);
    }
}

void lw_exact_get(int64_t n, const int64_t *sum, double *x) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t *s = sum + LW_EXACT_WORDS * i;
        int64_t carry = s[1] >> CARRY, lower = s[1] - carry * ((int64_t)1 << CARRY);
        x[i] = s[2] ? NAN : (double)(s[0] + carry) * 0x1p-20 + (double)lower * 0x1p-75;
    }
}
