/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Drawing edges. Every edge has one uniform u keyed by (seed, iteration, target, source), so nothing depends on ranks
 * or order. Poisson sampling keeps u < p. For an exact number, edges are taken in the order of Pareto sampling (Rosen
 * 1997), by [u/(1-u)] / [p/(1-p)]: below 1 exactly where u < p, so the draw is the Poisson one with the nearest
 * undecided edges added or taken away; inclusion probabilities stay p up to terms of order 1/sum p(1-p).
 */
#include <math.h>
#include <stdlib.h>
#include <lapwing/prune.h>

double lw_noise_uniform(uint64_t seed, int64_t iteration, int64_t target, int64_t source, int32_t order) {
    return lw_rng_uniform(
        seed, LW_PURPOSE_PRUNE, ((uint64_t)target << 32) ^ (uint64_t)source, (uint64_t)iteration, 2 + (uint32_t)order);
}

int64_t lw_noise_poisson(int64_t m, const double *p, const double *u, uint8_t *keep) {
    int64_t count = 0;
    for (int64_t e = 0; e < m; e++)
        count += keep[e] = u[e] < p[e];
    return count;
}

double lw_noise_order(double p, double u) {
    if (p >= 1) return u - 1; /* before all others, which are positive */
    if (p <= 0) return INFINITY;
    return u / (1 - u) * (1 - p) / p;
}

typedef struct ranked {
    double order;
    int64_t edge;
} ranked;

static int compare(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return (x->edge > y->edge) - (x->edge < y->edge);
}

lw_err lw_keep_smallest(int64_t m, const double *order, const uint8_t *allowed, int64_t count, uint8_t *keep) {
    ranked *list = NULL;
    int64_t n = 0;
    LW_TRY(lw_alloc((size_t)m, sizeof *list, "an order of edges", &list));
    for (int64_t e = 0; e < m; e++) {
        keep[e] = 0;
        if (!allowed || allowed[e]) list[n++] = (ranked){order[e], e};
    }
    if (n < count) {
        lw_free(list);
        return LW_FAIL(LW_EUSE, "%lld edges are to be kept, there are %lld", (long long)count, (long long)n);
    }
    qsort(list, (size_t)n, sizeof *list, compare);
    for (int64_t i = 0; i < count; i++)
        keep[list[i].edge] = 1;
    lw_free(list);
    return LW_OK;
}

double lw_noise_rescale(double w, double p, double cap) {
    return w * fmin(1 / p, cap);
}

void lw_noise_diagonal(
    int64_t n, int64_t m, const int64_t *i, const int64_t *j, const double *w, const double *w_new, double *diagonal) {
    (void)n;
    for (int64_t e = 0; e < m; e++)
        if (i[e] != j[e]) diagonal[i[e]] -= fabs(w_new[e]) - fabs(w[e]);
}
