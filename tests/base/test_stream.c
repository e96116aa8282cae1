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

/* Many at once are those one by one, from any place in a block on; then both go on alike. */
TEST(many_uniforms_are_the_single_ones) {
    double u[300], log_u[300];
    for (int n = 0; n < 300; n++) {
        lw_stream s = lw_stream_start(5, LW_PURPOSE_CHECK, 4, (uint64_t)n), t = s;
        if (n % 3 == 0) CHECK(lw_stream_uniform(&s) == lw_stream_uniform(&t));
        lw_stream_uniforms(&s, n, u, log_u);
        for (int i = 0; i < n; i++) {
            CHECK(u[i] == lw_stream_uniform(&t));
            CHECK_REL(log_u[i], log(u[i]), 4e-16);
        }
        CHECK(lw_stream_uniform(&s) == lw_stream_uniform(&t));
        CHECK(lw_stream_below(&s, 1000) == lw_stream_below(&t, 1000));
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

/* Frequencies of all values that are expected ten times or more, against the law; and the moments. */
static void check_law(const double *probability, int64_t first, int n_values, const int64_t *count) {
    double chi2 = 0;
    int bins = 0;
    for (int i = 0; i < n_values; i++) {
        double expected = N * probability[i];
        CHECK(probability[i] > 0 || count[i] == 0);
        if (expected < 10) continue;
        chi2 += pow((double)count[i] - expected, 2) / expected;
        bins++;
    }
    CHECK(bins > 0);
    if (chi2 >= bins + 5 * sqrt(2.0 * bins) + 5) fprintf(stderr, "values from %lld:\n", (long long)first);
    CHECK_CLOSE(chi2, bins, 5 * sqrt(2.0 * bins) + 5);
}

static double log_choose(double n, double k) {
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1);
}

/* Inversion, rejection, their border, both sides of one half, and few trials. */
TEST(binomial_probabilities) {
    static const struct {
        int64_t n;
        double p;
    } cases[] = {{1, 0.3}, {7, 0.5}, {7, 0.9}, {40, 0.24}, {40, 0.26}, {1000, 0.0099}, {1000, 0.0101}, {300, 0.5},
        {300, 0.77}, {100000, 0.001}, {1000000, 3e-6}, {20, 1 - 1e-9}};
    static double law[4000];
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        static int64_t count[4000];
        int64_t n = cases[c].n;
        double p = cases[c].p;
        int width = n < 4000 ? (int)n + 1 : 4000;
        memset(count, 0, sizeof count);
        for (int k = 0; k < width; k++)
            law[k] = exp(log_choose((double)n, k) + k * log(p) + (double)(n - k) * log1p(-p));
        lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 6, c);
        for (int i = 0; i < N; i++) {
            int64_t k = lw_stream_binomial(&s, n, p);
            CHECK(k >= 0 && k <= n && k < width);
            if (k >= 0 && k < width) count[k]++;
        }
        check_law(law, 0, width, count);
    }
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 7, 0);
    CHECK_INT(lw_stream_binomial(&s, 0, 0.5), 0);
    CHECK_INT(lw_stream_binomial(&s, 1000, 0), 0);
    CHECK_INT(lw_stream_binomial(&s, 1000, 1), 1000);
    CHECK_INT((int64_t)s.draw, 0); /* what is certain draws nothing */
}

/* 1e10 and 2^53 trials: moments, and the density near the mode against the normal law with Edgeworth's first term. */
TEST(binomial_of_many_trials) {
    static const struct { double n, p; } cases[] = {{1e10, 0.5}, {1e10, 0.01}, {0x1p53, 0.25}, {1e10, 2e-8}};
    for (int c = 0; c < 4; c++) {
        double n = cases[c].n, p = cases[c].p, q = 1 - p, mean = n * p, variance = n * p * q;
        int64_t count[21] = {0};
        lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 8, (uint64_t)c);
        for (int i = 0; i < N; i++) {
            double k = (double)lw_stream_binomial(&s, (int64_t)n, p);
            x[i] = (k - mean) / sqrt(variance);
            int bin = (int)floor(x[i] * 4 + 10.5);
            if (c < 3) count[bin < 0 ? 0 : bin > 20 ? 20 : bin]++;
        }
        check_moments(x, 0, 1, 3 + (1 - 6 * p * q) / variance);
        if (c == 3) continue;
        double chi2 = 0, skew = (1 - 2 * p) / sqrt(variance), below = 0;
        for (int bin = 0; bin < 21; bin++) {
            double edge = (bin - 10 + 0.5) / 4, density = exp(-edge * edge / 2) / sqrt(2 * M_PI);
            double cdf = bin == 20 ? 1 : 0.5 * erfc(-edge / sqrt(2)) - skew / 6 * (edge * edge - 1) * density;
            double expected = N * (cdf - below);
            chi2 += pow((double)count[bin] - expected, 2) / expected;
            below = cdf;
        }
        CHECK(chi2 < 20 + 5 * sqrt(40));
    }
}

TEST(hypergeometric_probabilities) {
    static const int64_t cases[][3] = {{1, 1, 1}, {3, 5, 2}, {6, 5, 2}, {50, 60, 40}, {100, 100, 300}, {500, 600, 500},
        {500, 2000, 300}, {40, 30, 100000}, {900, 600, 400}, {1000, 5000, 100000}};
    static double law[1001];
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        static int64_t count[1001];
        int64_t n = cases[c][0], marked = cases[c][1], plain = cases[c][2];
        memset(count, 0, sizeof count);
        for (int64_t k = 0; k <= n; k++)
            law[k] = k > marked || n - k > plain
                         ? 0
                         : exp(log_choose((double)marked, (double)k) + log_choose((double)plain, (double)(n - k)) -
                               log_choose((double)(marked + plain), (double)n));
        lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 9, c);
        for (int i = 0; i < N; i++) {
            int64_t k = lw_stream_hypergeometric(&s, n, marked, plain);
            CHECK(k >= 0 && k <= n);
            if (k >= 0 && k <= n) count[k]++;
        }
        check_law(law, 0, (int)n + 1, count);
    }
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 10, 0);
    CHECK_INT(lw_stream_hypergeometric(&s, 5, 0, 10), 0);
    CHECK_INT(lw_stream_hypergeometric(&s, 5, 10, 0), 5);
    CHECK_INT(lw_stream_hypergeometric(&s, 15, 5, 10), 5);
    double all = 0x1p53, n = 1e10, marked = all / 4; /* draws are nearly independent */
    for (int i = 0; i < N; i++)
        x[i] = ((double)lw_stream_hypergeometric(&s, (int64_t)n, (int64_t)marked, (int64_t)(all - marked)) - n / 4) /
               sqrt(n * 3 / 16);
    check_moments(x, 0, 1, 3);
}

CHECK_MAIN(CASE(first_draws_are_draw_zero), CASE(many_uniforms_are_the_single_ones),
    CASE(normal_exponential_uniform_moments), CASE(gamma_moments_on_both_sides_of_shape_one),
    CASE(poisson_probabilities), CASE(below_is_uniform_and_bounded), CASE(binomial_probabilities),
    CASE(binomial_of_many_trials), CASE(hypergeometric_probabilities))
