/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Numbers that follow from spectra alone: Kaplan-Yorke dimension of one, distance of two.
 */
#include <math.h>
#include <lapwing/lyap.h>

enum { QUANTILES = 200 };

/* Sums this little below zero count as zero, so that a neutral direction (a flow, a rotation) does not fall to
 * rounding. */
static const double NEUTRAL = 1e-9;

double lw_kaplan_yorke(const double *exponent, int64_t n) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) {
        if (sum + exponent[j] < -NEUTRAL) return (double)j + (j > 0 ? fmax(sum, 0) / -exponent[j] : 0);
        sum += exponent[j];
    }
    return (double)n;
}

/* Quantile u of n descending numbers, linear between them. */
static double quantile(const double *x, int64_t n, double u) {
    double at = u * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i + 1 < n ? x[i] + (at - (double)i) * (x[i + 1] - x[i]) : x[n - 1];
}

double lw_spectrum_distance(const double *a, int64_t n_a, const double *b, int64_t n_b) {
    double sum = 0;
    while (n_a > 0 && a[n_a - 1] == -INFINITY)
        n_a--;
    while (n_b > 0 && b[n_b - 1] == -INFINITY)
        n_b--;
    if (n_a == 0 || n_b == 0) return n_a == n_b ? 0 : INFINITY;
    for (int i = 0; i < QUANTILES; i++) {
        double u = (i + 0.5) / QUANTILES;
        sum += fabs(quantile(a, n_a, u) - quantile(b, n_b, u));
    }
    return sum / QUANTILES;
}
