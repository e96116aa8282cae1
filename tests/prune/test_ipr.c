/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Participation ratios against closed forms, and the delocalisation step: never a worse matrix, never above its budget.
 */
#include <lapwing/prune.h>
#include "check.h"
#include "delocalise.h"

enum { N = 60 };

static double draw(int64_t i, int64_t j, uint32_t which) {
    return lw_rng_normal(11, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)j, which);
}

TEST(check_16_cycle_and_star) {
    static double a[N * N];
    lw_ipr r;
    memset(a, 0, sizeof a);
    for (int64_t i = 0; i < N; i++)
        a[i * N + (i + 1) % N] = 1; /* directed: the modes are Fourier's, no two alike */
    CHECK_OK(lw_ipr_measure(N, a, 7, &r));
    CHECK_CLOSE(r.mean, 1, 1e-10);
    CHECK_CLOSE(r.mean_slow, 1, 1e-10);
    CHECK_CLOSE(r.abscissa, 1, 1e-10);
    memset(a, 0, sizeof a);
    for (int64_t i = 1; i < N; i++)
        a[i] = a[i * N] = 1;
    CHECK_OK(lw_ipr_measure(N, a, 1, &r));
    CHECK_CLOSE(r.mean_slow, N * (0.25 + 0.25 / (N - 1)), 1e-10);
    CHECK_CLOSE(r.abscissa, sqrt(N - 1), 1e-10);
    for (int64_t i = 0; i < N * N; i++)
        a[i] = i / N == i % N ? (double)(i / N) : 0;
    CHECK_OK(lw_ipr_measure(N, a, 5, &r));
    CHECK_CLOSE(r.mean, N, 1e-10);
    CHECK_CLOSE(r.abscissa, N - 1, 1e-10);
    a[3] = NAN;
    CHECK_FAILS(lw_ipr_measure(N, a, 5, &r), LW_ENUM, "not finite");
}

TEST(check_16_gaussian_vectors) {
    double real = 0, complex_ = 0, v[N], u[N];
    int trials = 4000;
    for (int t = 0; t < trials; t++) {
        for (int i = 0; i < N; i++) {
            v[i] = draw(t, i, 0);
            u[i] = draw(t, i, 1);
        }
        real += lw_ipr_vector(N, v, NULL) / trials;
        complex_ += lw_ipr_vector(N, v, u) / trials;
    }
    CHECK_CLOSE(real, 3.0 * N / (N + 2), 0.04);     /* standard error about 0.008 */
    CHECK_CLOSE(complex_, 2.0 * N / (N + 1), 0.02); /* about 0.003 */
}

/* A sparse random matrix, and a denser one whose other edges are the candidates. */
typedef struct net {
    double a[N * N], w[N * N];
    int64_t i[N * N], j[N * N], m;
} net;
static net *make(uint32_t seed, double kept) {
    static net s;
    memset(&s, 0, sizeof s);
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < N; j++) {
            double u = lw_rng_uniform(seed, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)j, 0),
                   w = 0.3 * draw(i, j, 5 + seed);
            if (i == j || u > 0.2) continue;
            if (u < 0.2 * kept) {
                s.a[i * N + j] = w;
            } else {
                s.i[s.m] = i;
                s.j[s.m] = j;
                s.w[s.m++] = w;
            }
        }
    return &s;
}

TEST(check_17_delocalisation_never_harms) {
    int64_t total = 0;
    double gain = 0;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        net *s = make(seed, seed % 2 ? 0.2 : 0.4);
        static double before[N * N];
        uint8_t taken[N * N];
        int64_t restored = 0, count = 0, budget = 12;
        lw_ipr old, new;
        memcpy(before, s->a, sizeof before);
        CHECK_OK(lw_ipr_measure(N, before, 10, &old));
        CHECK_OK(lw_delocalise(N, s->a, s->m, s->i, s->j, s->w, budget, 10, taken, &restored));
        CHECK_OK(lw_ipr_measure(N, s->a, 10, &new));
        for (int64_t e = 0; e < s->m; e++) {
            count += taken[e];
            if (taken[e]) before[s->i[e] * N + s->j[e]] += s->w[e];
        }
        CHECK_INT(count, restored);
        CHECK(restored <= budget);
        CHECK(memcmp(before, s->a, sizeof before) == 0); /* only candidates were added, with their own weights */
        CHECK(new.mean <= old.mean *(1 + 1e-9));
        CHECK(new.abscissa <= old.abscissa + 1e-9);
        total += restored;
        gain += old.mean - new.mean;
    }
    CHECK(total > 10); /* and it does something */
    CHECK(gain > 0.5);
}

/* Participation sum |v|^4 of the mode nearest to (re, im). */
static double participation(const double *a, double re, double im) {
    eigen e = {0};
    int64_t best = 0;
    CHECK_OK(eigen_make(N, a, false, &e));
    for (int64_t k = 1; k < N; k++)
        if (hypot(e.re[k] - re, e.im[k] - im) < hypot(e.re[best] - re, e.im[best] - im)) best = k;
    double sum = e.ipr[best] / N;
    eigen_free(&e);
    return sum;
}

/* The ranking of candidates is the derivative: against central differences, for real and complex modes. */
TEST(first_order_change_of_a_mode) {
    net *s = make(2, 0.5);
    eigen e = {0};
    int complex_ = 0, real = 0;
    CHECK_OK(eigen_make(N, s->a, true, &e));
    for (int64_t mode = 0; mode < N; mode += 3) {
        double change[8], h = 1e-5;
        if (e.im[mode] != 0)
            complex_++;
        else
            real++;
        CHECK_OK(delocalise_change(&e, mode, 8, s->i, s->j, s->w, change));
        for (int c = 0; c < 8; c++) {
            double *entry = &s->a[s->i[c] * N + s->j[c]], old = *entry;
            *entry = old + h * s->w[c];
            double up = participation(s->a, e.re[mode], e.im[mode]);
            *entry = old - h * s->w[c];
            double down = participation(s->a, e.re[mode], e.im[mode]);
            *entry = old;
            CHECK_CLOSE(change[c], (up - down) / (2 * h), 1e-5 * (1 + fabs(change[c])));
        }
    }
    CHECK(complex_ > 3 && real > 1);
    eigen_free(&e);
}

TEST(check_17_no_budget_no_change) {
    net *s = make(1, 0.2);
    static double before[N * N];
    uint8_t taken[N * N];
    int64_t restored = 1;
    memcpy(before, s->a, sizeof before);
    CHECK_OK(lw_delocalise(N, s->a, s->m, s->i, s->j, s->w, 0, 10, taken, &restored));
    CHECK_INT(restored, 0);
    CHECK(memcmp(before, s->a, sizeof before) == 0);
}

CHECK_MAIN(CASE(check_16_cycle_and_star), CASE(check_16_gaussian_vectors), CASE(check_17_delocalisation_never_harms),
    CASE(first_order_change_of_a_mode), CASE(check_17_no_budget_no_change))
