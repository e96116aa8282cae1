/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values from numbers, lists and distributions; clipping and redrawing.
 */
#include "check.h"

enum { N = 50000 };

static lw_dist make(lw_dist_kind kind, double p0, double p1) {
    lw_dist d = lw_dist_number(p0);
    d.kind = kind;
    d.p[1] = p1;
    return d;
}

static double value(const lw_dist *d, int64_t i) {
    return lw_dist_value(d, i, 9, LW_PURPOSE_PARAM, (uint64_t)i, 4);
}

static void check_moments(const lw_dist *d, double mean, double variance, double kurtosis) {
    double m = 0, v = 0;
    for (int i = 0; i < N; i++)
        m += value(d, i) / N;
    for (int i = 0; i < N; i++)
        v += pow(value(d, i) - m, 2) / N;
    CHECK_CLOSE(m, mean, 5 * sqrt(variance / N));
    CHECK_CLOSE(v, variance, 5 * variance * sqrt((kurtosis - 1) / N));
}

TEST(numbers_and_lists) {
    static const double list[] = {3, 1, 4, 1, 5};
    lw_dist number = lw_dist_number(2.5), d = make(LW_DIST_LIST, 0, 0);
    CHECK_CLOSE(value(&number, 17), 2.5, 0);
    d.list = list;
    d.n_list = 5;
    for (int i = 0; i < 5; i++)
        CHECK_CLOSE(value(&d, i), list[i], 0);
    d.lo = 2;
    d.hi = 4.5;
    CHECK_CLOSE(value(&d, 1), 2, 0);
    CHECK_CLOSE(value(&d, 4), 4.5, 0);
}

TEST(moments_of_the_distributions) {
    lw_dist uniform = make(LW_DIST_UNIFORM, -1, 3), normal = make(LW_DIST_NORMAL, 2, 0.5);
    lw_dist gamma = make(LW_DIST_GAMMA, 3, 10), exponential = make(LW_DIST_EXPONENTIAL, 4, 0);
    lw_dist lognormal = make(LW_DIST_LOGNORMAL, 0.3, 0.25);
    double s2 = 0.25 * 0.25, w = exp(s2);
    check_moments(&uniform, 1, 16.0 / 12, 1.8);
    check_moments(&normal, 2, 0.25, 3);
    check_moments(&gamma, 10, 100.0 / 3, 3 + 6.0 / 3); /* shape 3 and MEAN 10 */
    check_moments(&exponential, 4, 16, 9);
    check_moments(&lognormal, exp(0.3 + s2 / 2), (w - 1) * exp(0.6 + s2), pow(w, 4) + 2 * pow(w, 3) + 3 * w * w - 3);
}

/* The key alone decides: the index picks list elements only. */
TEST(draws_depend_on_the_key_only) {
    lw_dist d = make(LW_DIST_NORMAL, 0, 1);
    double first = lw_dist_value(&d, 0, 1, LW_PURPOSE_INIT, 5, 6);
    CHECK_CLOSE(lw_dist_value(&d, 99, 1, LW_PURPOSE_INIT, 5, 6), first, 0);
    CHECK(lw_dist_value(&d, 0, 2, LW_PURPOSE_INIT, 5, 6) != first);
    CHECK(lw_dist_value(&d, 0, 1, LW_PURPOSE_PARAM, 5, 6) != first);
    CHECK(lw_dist_value(&d, 0, 1, LW_PURPOSE_INIT, 6, 6) != first);
    CHECK(lw_dist_value(&d, 0, 1, LW_PURPOSE_INIT, 5, 7) != first);
}

TEST(clipping_piles_up_and_redrawing_does_not) {
    lw_dist d = make(LW_DIST_NORMAL, 0, 1);
    d.lo = 0;
    d.hi = 2;
    for (int redraw = 0; redraw < 2; redraw++) {
        int at_lo = 0;
        d.redraw = redraw;
        for (int i = 0; i < N; i++) {
            double y = value(&d, i);
            CHECK(y >= 0 && y <= 2);
            at_lo += y == 0;
        }
        CHECK_CLOSE(at_lo, redraw ? 0 : N / 2.0, redraw ? 0 : 5 * sqrt(N / 4.0));
    }
    d.lo = 50; /* unreachable: redrawing ends */
    d.hi = 60;
    CHECK_CLOSE(value(&d, 0), 50, 0);
    lw_dist empty = make(LW_DIST_UNIFORM, 3, 3);
    CHECK_CLOSE(value(&empty, 0), 3, 0);
}

/* Drawn at once or one by one: the same bits, drawn again where they are outside the range. */
TEST(many_at_once_are_the_same) {
    enum { MANY = 1000 };
    static uint64_t a[MANY], b[MANY];
    static int64_t index[MANY];
    static double out[MANY], list[MANY];
    lw_dist d[] = {make(LW_DIST_NORMAL, 1, 2), make(LW_DIST_NORMAL, 1, 2), make(LW_DIST_UNIFORM, -1, 1),
        make(LW_DIST_UNIFORM, 3, 3), make(LW_DIST_GAMMA, 2, 3), make(LW_DIST_LOGNORMAL, 0, 1),
        make(LW_DIST_EXPONENTIAL, 2, 0), make(LW_DIST_LIST, 0, 0), lw_dist_number(4)};
    d[0].lo = d[1].lo = 0.5;
    d[1].redraw = true;
    d[2].hi = 0.5;
    d[7].list = list;
    d[7].n_list = MANY;
    for (int i = 0; i < MANY; i++) {
        a[i] = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
        b[i] = (uint64_t)i / 3;
        index[i] = MANY - 1 - i;
        list[i] = i;
    }
    for (size_t k = 0; k < sizeof d / sizeof *d; k++) {
        lw_dist_values(&d[k], MANY, index, 9, LW_PURPOSE_WEIGHT, a, b, out);
        int wrong = 0;
        for (int i = 0; i < MANY; i++)
            wrong += out[i] != lw_dist_value(&d[k], index[i], 9, LW_PURPOSE_WEIGHT, a[i], b[i]);
        CHECK_INT(wrong, 0);
    }
}

CHECK_MAIN(CASE(many_at_once_are_the_same), CASE(numbers_and_lists), CASE(moments_of_the_distributions),
    CASE(draws_depend_on_the_key_only), CASE(clipping_piles_up_and_redrawing_does_not))
