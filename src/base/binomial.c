/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Counts: binomial and hypergeometric draws from a stream, for numbers of trials far beyond what can be tried one by
 * one. Small means by adding up probabilities from the mode or from zero, large ones by rejection under a hat that is
 * the same for all parameters. Probabilities are taken relative to the mode in saddle-point form (Loader 2000, "Fast
 * and accurate computation of binomial probabilities"), whose terms are of order 1 near the mode: rounding stays below
 * 1e-9 for 2^53 trials, where differences of log gamma would lose all digits.
 */
#include "rng.h"

/* log(n!) minus Stirling's formula sqrt(2 pi n) (n / e)^n. */
static double stirling_error(double n) {
    int sign;
    if (n == 0) return 0; /* its formula's n^n sqrt(n) is left out by the callers */
    if (n < 16) return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n - 0.9189385332046727;
    double nn = n * n;
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / nn) / nn) / nn) / n;
}

/* x log(x / mean) + mean - x, of order ((x - mean)^2 / mean). */
static double deviance(double x, double mean) {
    if (x == 0) return mean;
    double e = (mean - x) / x;
    return x * (e - log1p(e));
}

/* log of the probability of k in n trials, 0 <= k <= n, 0 < p < 1. */
static double log_binomial(double k, double n, double p) {
    if (k == 0) return n * log1p(-p);
    if (k == n) return n * log(p);
    double other = n - k;
    return stirling_error(n) - stirling_error(k) - stirling_error(other) - deviance(k, n * p) -
           deviance(other, n * (1 - p)) + 0.5 * log(n / (6.283185307179586 * k * other));
}

/* The smallest k with cdf(k) >= u; mean below 10, so 200 is beyond what u can resolve. */
static int64_t binomial_inversion(double u, int64_t n, double p) {
    double odds = p / (1 - p), f = exp((double)n * log1p(-p));
    int64_t k = 0, most = n < 200 ? n : 200;
    while (u > f && k < most) {
        u -= f;
        k++;
        f *= odds * (double)(n - k + 1) / (double)k;
    }
    return k;
}

/* Transformed rejection with squeeze (Hoermann 1993, doi:10.1080/00949659308811496, algorithm BTRS); symbols as there.
 * p <= 1/2, n p >= 10. */
static int64_t binomial_btrs(lw_stream *s, int64_t count, double p) {
    double n = (double)count, spq = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spq, a = -0.0873 + 0.0248 * b + 0.01 * p;
    double c = n * p + 0.5, v_r = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spq;
    double log_mode = NAN;
    for (;;) {
        double u = lw_stream_uniform(s) - 0.5, v = lw_stream_uniform(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + c);
        if (us >= 0.07 && v <= v_r) return (int64_t)k;
        if (k < 0 || k > n) continue;
        if (isnan(log_mode)) log_mode = log_binomial(floor((n + 1) * p), n, p);
        if (log(v * alpha / (a / (us * us) + b)) <= log_binomial(k, n, p) - log_mode) return (int64_t)k;
    }
}

int64_t lw_stream_binomial(lw_stream *s, int64_t n, double p) {
    LW_ASSERT(n >= 0 && n <= INT64_C(1) << 53 && p >= 0 && p <= 1);
    if (n == 0 || p == 0) return 0;
    if (p == 1) return n;
    if (p > 0.5) return n - lw_stream_binomial(s, n, 1 - p);
    if ((double)n * p < 10) return binomial_inversion(lw_stream_uniform(s), n, p);
    return binomial_btrs(s, n, p);
}

/* log of the probability of k marked ones among n drawn of `marked` and `plain`: three binomials with one p, which
 * cancels (Loader 2000, section 5). */
static double log_hypergeometric(double k, double n, double marked, double plain) {
    double p = n / (marked + plain);
    return log_binomial(k, marked, p) + log_binomial(n - k, plain, p) - log_binomial(n, marked + plain, p);
}

/* Values in the order mode, mode + 1, mode - 1, ...; each takes its probability off u. */
static int64_t hypergeometric_inversion(double u, double n, double marked, double plain, double mode) {
    double low = fmax(0, n - plain), high = fmin(n, marked), up = mode, down = mode;
    double f_up = exp(log_hypergeometric(mode, n, marked, plain)), f_down = f_up;
    u -= f_up;
    while (u > 0 && (up < high || down > low)) {
        if (up < high) {
            f_up *= (marked - up) * (n - up) / ((up + 1) * (plain - n + up + 1));
            up++;
            u -= f_up;
            if (u <= 0) return (int64_t)up;
        }
        if (down > low) {
            f_down *= down * (plain - n + down) / ((marked - down + 1) * (n - down + 1));
            down--;
            u -= f_down;
            if (u <= 0) return (int64_t)down;
        }
        if (f_up + f_down < 1e-30) break; /* what is left of u is rounding */
    }
    return (int64_t)mode;
}

/* Ratio of uniforms with the table-mountain hat that covers every discrete log-concave law of this variance (Stadlober
 * 1990, doi:10.1016/0377-0427(90)90349-5, algorithm HRUA). */
static int64_t hypergeometric_ratio(
    lw_stream *s, double n, double marked, double plain, double mode, double mean, double variance) {
    double low = fmax(0, n - plain), high = fmin(n, marked), log_mode = log_hypergeometric(mode, n, marked, plain);
    double a = mean + 0.5, h = 1.7155277699214135 * sqrt(variance + 0.5) + 0.8989161620588988;
    for (;;) {
        double u = lw_stream_uniform(s), v = lw_stream_uniform(s), k = floor(a + h * (v - 0.5) / u);
        if (k < low || k > high) continue;
        if (2 * log(u) <= log_hypergeometric(k, n, marked, plain) - log_mode) return (int64_t)k;
    }
}

int64_t lw_stream_hypergeometric(lw_stream *s, int64_t n, int64_t marked, int64_t plain) {
    LW_ASSERT(n >= 0 && marked >= 0 && plain >= 0 && n <= marked + plain && marked + plain <= INT64_C(1) << 53);
    if (n == 0 || marked == 0) return 0;
    if (plain == 0) return n;
    if (n == marked + plain) return marked;
    double all = (double)(marked + plain), mean = (double)n * (double)marked / all;
    double variance = mean * ((double)plain / all) * ((all - (double)n) / (all > 1 ? all - 1 : 1));
    double mode = floor(((double)n + 1) * ((double)marked + 1) / (all + 2));
    if (variance < 30)
        return hypergeometric_inversion(lw_stream_uniform(s), (double)n, (double)marked, (double)plain, mode);
    return hypergeometric_ratio(s, (double)n, (double)marked, (double)plain, mode, mean, variance);
}
