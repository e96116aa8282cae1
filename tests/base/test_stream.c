/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Samplers: moments and probabilities within five standard errors of the sample.
 */
#include "check.h"

enum { N = 200000 };

/* Mean and variance of draws against theory; the variance's own error needs the fourth central moment. */
static void check_moments(const double *x, double mean, double variance, double fourth) {
    double m = 0, v = 0;
    for (int i = 0; i < N; i++)
        m += x[i] / N;
    for (int i = 0; i < N; i++)
        v += (x[i] - m) * (x[i] - m) / N;
    CHECK_CLOSE(m, mean, 5 * sqrt(variance / N));
    CHECK_CLOSE(v, variance, 5 * sqrt((fourth - variance * variance) / N));
}

static double x[N];

TEST(first_draws_are_draw_zero) {
    for (uint64_t a = 0; a < 100; a++) {
        lw_stream s = lw_stream_start(3, LW_PURPOSE_NOISE, a, 7), t = s;
        CHECK_CLOSE(lw_stream_uniform(&s), lw_rng_uniform(3, LW_PURPOSE_NOISE, a, 7, 0), 0);
        CHECK_CLOSE(lw_stream_normal(&t), lw_rng_normal(3, LW_PURPOSE_NOISE, a, 7, 0), 0);
        CHECK_CLOSE(lw_stream_normal(&t), lw_rng_normal(3, LW_PURPOSE_NOISE, a, 7, 1), 0);
        lw_stream_uniform(&s);
        CHECK_CLOSE(lw_stream_uniform(&s), lw_rng_uniform(3, LW_PURPOSE_NOISE, a, 7, 1), 0);
    }
}

TEST(normal_exponential_uniform_moments) {
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 1, 0);
    for (int i = 0; i < N; i++)
        x[i] = lw_stream_uniform(&s);
    check_moments(x, 0.5, 1.0 / 12, 1.0 / 80);
    for (int i = 0; i < N; i++)
        x[i] = lw_stream_normal(&s);
    check_moments(x, 0, 1, 3);
    int beyond = 0;
    for (int i = 0; i < N; i++)
        beyond += fabs(x[i]) > 1.959963985;
    CHECK_CLOSE(beyond / (double)N, 0.05, 5 * sqrt(0.05 * 0.95 / N));
    for (int i = 0; i < N; i++)
        x[i] = lw_stream_exponential(&s, 3);
    check_moments(x, 3, 9, 9 * 81);
}

TEST(gamma_moments_on_both_sides_of_shape_one) {
    static const double shapes[] = {0.3, 1, 3, 50};
    for (int k = 0; k < 4; k++) {
        lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 2, (uint64_t)k);
        double shape = shapes[k], scale = 2;
        for (int i = 0; i < N; i++) {
            x[i] = lw_stream_gamma(&s, shape, scale);
            CHECK(x[i] >= 0);
        }
        check_moments(x, shape * scale, shape * scale * scale, (3 * shape * shape + 6 * shape) * pow(scale, 4));
    }
}

/* Each value's frequency against its probability, in both algorithms and at their border. */
TEST(poisson_probabilities) {
    static const double lambdas[] = {1e-3, 0.2, 2, 10, 29.999, 30, 47.5, 300, 1e5};
    for (int k = 0; k < 9; k++) {
        double lambda = lambdas[k], chi2 = 0;
        static int count[2000];
        lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 3, (uint64_t)k);
        memset(count, 0, sizeof count);
        for (int i = 0; i < N; i++) {
            int64_t n = lw_stream_poisson(&s, lambda);
            CHECK(n >= 0);
            if (n >= 0 && n < 2000) count[n]++;
            x[i] = (double)n;
        }
        check_moments(x, lambda, lambda, lambda + 3 * lambda * lambda);
        int bins = 0;
        for (int n = 0; n < 2000; n++) {
            double expected = N * exp(n * log(lambda) - lambda - lgamma(n + 1.0));
            if (expected < 10) continue;
            chi2 += pow(count[n] - expected, 2) / expected;
            bins++;
        }
        CHECK(bins > 0 || lambda > 1e4);
        CHECK(chi2 < bins + 5 * sqrt(2.0 * bins) + 5);
    }
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 4, 0);
    CHECK_INT(lw_stream_poisson(&s, 0), 0);
    double large = (double)lw_stream_poisson(&s, 1e15);
    CHECK_CLOSE(large, 1e15, 8 * sqrt(1e15));
}

TEST(below_is_uniform_and_bounded) {
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 5, 0);
    int count[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint64_t n = lw_stream_below(&s, 7);
        CHECK(n < 7);
        if (n < 7) count[n]++;
    }
    for (int i = 0; i < 7; i++)
        CHECK_CLOSE(count[i], 10000, 5 * sqrt(10000.0 * 6 / 7));
    /* 3/4 of the range: without rejection, multiples of 3 would come twice as often as the others */
    uint64_t n = (uint64_t)3 << 62;
    int thirds = 0;
    for (int i = 0; i < 40000; i++) {
        uint64_t r = lw_stream_below(&s, n);
        CHECK(r < n);
        thirds += r % 3 == 0;
    }
    CHECK_CLOSE(thirds, 40000 / 3.0, 5 * sqrt(40000 * 2.0 / 9));
    for (int i = 0; i < 10; i++)
        CHECK_INT(lw_stream_below(&s, 1), 0);
}

CHECK_MAIN(CASE(first_draws_are_draw_zero), CASE(normal_exponential_uniform_moments),
    CASE(gamma_moments_on_both_sides_of_shape_one), CASE(poisson_probabilities), CASE(below_is_uniform_and_bounded))
