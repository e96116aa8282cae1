/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Scores and probabilities of noise-prune (Moore & Chaudhuri 2020):  q_ij = |w_ij| Var(x_i - sgn(w_ij) x_j),  p_ij =
 * min(1, K q_ij). The variance comes from a covariance matrix or, for networks too large for one, from a simulation of
 * the noise-driven linear system.
 */
#include <math.h>
#include <lapwing/prune.h>

void lw_noise_score(
    int64_t m, const int64_t *i, const int64_t *j, const double *w, int64_t n, const double *c, double *q) {
    for (int64_t e = 0; e < m; e++) {
        int64_t a = i[e], b = j[e];
        double sign = w[e] < 0 ? -1 : 1;
        q[e] = a == b ? 0 : fabs(w[e]) * (c[a * n + a] + c[b * n + b] - 2 * sign * c[a * n + b]);
    }
}

lw_err lw_noise_score_sampled(int64_t m, const int64_t *i, const int64_t *j, const double *w, int64_t n,
    const double *diagonal, int64_t steps, uint64_t seed, double *q) {
    double *x = NULL, *dx = NULL, fastest = 0;
    lw_err err = LW_OK;
    for (int64_t v = 0; v < n; v++) {
        LW_CHECK(diagonal[v] < 0, LW_ENUM, "the linear system is not stable: diagonal entry %lld is %g", (long long)v,
            diagonal[v]);
        fastest = fmax(fastest, -diagonal[v]);
    }
    double dt = 0.05 / fastest, kick = sqrt(dt);
    int64_t settle = steps / 10;
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *x, "a noise-driven state", &x), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *dx, "a noise-driven state", &dx), done);
    for (int64_t e = 0; e < m; e++)
        q[e] = 0;
    for (int64_t t = -settle; t < steps; t++) {
        for (int64_t v = 0; v < n; v++)
            dx[v] = diagonal[v] * x[v];
        for (int64_t e = 0; e < m; e++)
            if (i[e] != j[e]) dx[i[e]] += w[e] * x[j[e]];
        for (int64_t v = 0; v < n; v++)
            x[v] += dt * dx[v] + kick * lw_rng_normal(seed, LW_PURPOSE_PRUNE, (uint64_t)v, (uint64_t)(t + settle), 1);
        for (int64_t e = 0; t >= 0 && e < m; e++) {
            double d = w[e] < 0 ? x[i[e]] + x[j[e]] : x[i[e]] - x[j[e]];
            q[e] += d * d;
        }
    }
    for (int64_t e = 0; e < m; e++)
        q[e] = i[e] == j[e] ? 0 : fabs(w[e]) * q[e] / (double)steps;
    for (int64_t v = 0; v < n && err == LW_OK; v++)
        if (!isfinite(x[v])) err = LW_FAIL(LW_ENUM, "the noise-driven linear system ran away");
done:
    lw_free(x);
    lw_free(dx);
    return err;
}

static double kept(int64_t m, const double *q, double k) {
    double sum = 0;
    for (int64_t e = 0; e < m; e++)
        sum += fmin(1, k * q[e]);
    return sum;
}

lw_err lw_noise_probability(int64_t m, const double *q, double target, double *p) {
    double smallest = INFINITY, lo = 0, hi, sure = 0, rest = 0;
    int64_t positive = 0;
    for (int64_t e = 0; e < m; e++) {
        LW_CHECK(q[e] >= 0 && isfinite(q[e]), LW_ENUM, "the score of edge %lld is %g", (long long)e, q[e]);
        if (q[e] > 0) {
            positive++;
            smallest = fmin(smallest, q[e]);
        }
    }
    LW_CHECK(target <= (double)positive, LW_ENUM, "%g edges are to be kept, only %lld have a positive score", target,
        (long long)positive);
    if (target == (double)positive) {
        for (int64_t e = 0; e < m; e++)
            p[e] = q[e] > 0;
        return LW_OK;
    }
    hi = 1 / smallest; /* there every positive score is kept for sure */
    for (int step = 0; step < 200 && hi - lo > 1e-15 * hi; step++) {
        double mid = lo > 0 && hi / lo > 4 ? sqrt(lo) * sqrt(hi) : 0.5 * (lo + hi);
        if (kept(m, q, mid) < target)
            lo = mid;
        else
            hi = mid;
    }
    for (int64_t e = 0; e < m; e++) { /* with the sure ones known, K follows without rounding */
        if (hi * q[e] >= 1)
            sure++;
        else
            rest += q[e];
    }
    double k = rest > 0 && target > sure ? (target - sure) / rest : hi;
    for (int64_t e = 0; e < m; e++)
        p[e] = hi * q[e] >= 1 ? 1 : fmin(1, k * q[e]);
    return LW_OK;
}
