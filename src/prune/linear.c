/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From exponents of neurons to scores of synapses: the Lyapunov matrix, the linear noise-driven network whose weights
 * it gives, and the variances along its edges. Dense matrices live on rank 0; scores travel from there, so that ranks
 * never part over the last bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "pass.h"

enum { NOISE_STEPS = 4000, GAIN_STEPS = 40 };
static const double SMALLEST_RATE = 1e-6; /* nats per step; |exponent| below counts as this in harmonic means */

/* ------------------------------------------------------------------ Lyapunov matrix */

static double rate_of(const pass *p, int64_t v) {
    return 1 / fmax(fabs(p->lambda[v]), SMALLEST_RATE);
}

/* Harmonic mean of |exponents| over the union of the neighbours of a and b (sorted rows of an undirected graph). */
static double union_mean(const pass *p, const lw_graph *g, int64_t a, int64_t b) {
    int64_t i = g->row[a], j = g->row[b], n = 0;
    double sum = 0;
    while (i < g->row[a + 1] || j < g->row[b + 1]) {
        int64_t x = i < g->row[a + 1] ? g->col[i] : INT64_MAX, y = j < g->row[b + 1] ? g->col[j] : INT64_MAX;
        int64_t v = x < y ? x : y;
        i += x == v;
        j += y == v;
        sum += rate_of(p, v);
        n++;
    }
    return n > 0 ? (double)n / sum : 0;
}

lw_err pass_graph(const master *g, const uint8_t *keep, bool both, lw_graph *out) {
    int64_t *from = NULL, *to = NULL, m = 0;
    lw_err err = lw_alloc((size_t)(2 * g->m), sizeof *from, "a graph", &from);
    if (err == LW_OK) err = lw_alloc((size_t)(2 * g->m), sizeof *to, "a graph", &to);
    for (int64_t e = 0; err == LW_OK && e < g->m; e++) {
        if (!keep[e]) continue;
        from[m] = g->source[e];
        to[m++] = g->target[e];
        if (!both) continue;
        from[m] = g->target[e];
        to[m++] = g->source[e];
    }
    if (err == LW_OK) err = lw_graph_create(g->n, m, from, to, NULL, out);
    lw_free(from);
    lw_free(to);
    return err;
}

/* omega <- L on kept edges, edges dealt over ranks. **Collective** */
static lw_err lyapunov_matrix(pass *p) {
    master *g = p->g;
    lw_graph near = {0};
    int rank = lw_comm_rank(g->comm), ranks = lw_comm_size(g->comm);
    bool pair = p->job->spec->pair == LW_PRUNE_PAIR;
    lw_err err = lw_comm_agree(g->comm, pass_graph(g, g->keep_edge, true, &near));
    memset(p->omega, 0, (size_t)g->m * sizeof *p->omega);
    for (int64_t e = rank; err == LW_OK && e < g->m; e += ranks) {
        int64_t a = g->target[e], b = g->source[e];
        if (!g->keep_edge[e]) continue;
        p->omega[e] = pair ? 2 / (rate_of(p, a) + rate_of(p, b)) : union_mean(p, &near, a, b);
    }
    lw_graph_free(&near);
    if (err == LW_OK) lw_comm_sum_f64(g->comm, p->omega, g->m); /* one rank's number and zeros: exact */
    return err;
}

lw_err pass_omega(pass *p) {
    master *g = p->g;
    lw_prune_mode mode = p->lambda ? p->job->spec->mode : LW_PRUNE_MC;
    double mean = 0;
    int64_t kept = 0;
    if (mode != LW_PRUNE_MC) LW_TRY(lyapunov_matrix(p));
    for (int64_t e = 0; e < g->m; e++) {
        kept += g->keep_edge[e];
        mean += g->keep_edge[e] ? p->omega[e] : 0;
    }
    mean = kept > 0 ? mean / (double)kept : 1;
    for (int64_t e = 0; e < g->m; e++) {
        double w = g->weight[e];
        if (!g->keep_edge[e])
            p->omega[e] = 0;
        else if (mode == LW_PRUNE_MC)
            p->omega[e] = w;
        else if (mode == LW_PRUNE_LITERAL)
            p->omega[e] = copysign(p->omega[e], w);
        else
            p->omega[e] *= w / mean;
    }
    return LW_OK;
}

/* ------------------------------------------------------------------ scores */

/* The list of edges of the linear network between different kept nodes, in their numbers. */
typedef struct system_ {
    int64_t n, m;
    int64_t *i, *j, *edge;
    double *w, *q, *diagonal;
} system_;

static void system_free(system_ *s) {
    lw_free(s->i);
    lw_free(s->j);
    lw_free(s->edge);
    lw_free(s->w);
    lw_free(s->q);
    lw_free(s->diagonal);
}

static lw_err system_make(pass *p, const double *rate, system_ *s) {
    master *g = p->g;
    double mean = 0;
    LW_TRY(lw_alloc((size_t)g->m, sizeof(int64_t), "a linear network", &s->i));
    LW_TRY(lw_alloc((size_t)g->m, sizeof(int64_t), "a linear network", &s->j));
    LW_TRY(lw_alloc((size_t)g->m, sizeof(int64_t), "a linear network", &s->edge));
    LW_TRY(lw_alloc((size_t)g->m, sizeof(double), "a linear network", &s->w));
    LW_TRY(lw_alloc((size_t)g->m, sizeof(double), "a linear network", &s->q));
    LW_TRY(lw_alloc((size_t)g->n, sizeof(double), "a linear network", &s->diagonal));
    s->n = master_index(g, p->index);
    for (int64_t e = 0; e < g->m; e++) {
        if (!g->keep_edge[e] || g->target[e] == g->source[e]) continue;
        s->i[s->m] = p->index[g->target[e]];
        s->j[s->m] = p->index[g->source[e]];
        s->w[s->m] = p->omega[e];
        s->edge[s->m++] = e;
    }
    if (rate) { /* leaks */
        for (int64_t v = 0; v < g->n; v++)
            if (p->index[v] >= 0) s->diagonal[p->index[v]] = -rate[v];
        return LW_OK;
    }
    for (int64_t e = 0; e < s->m; e++) { /* dominant: sum of the row, and a little */
        s->diagonal[s->i[e]] -= fabs(s->w[e]);
        mean += fabs(s->w[e]) / (double)s->n;
    }
    for (int64_t v = 0; v < s->n; v++)
        s->diagonal[v] -= mean > 0 ? 1e-3 * mean : 1;
    return LW_OK;
}

static void system_matrix(const system_ *s, double gain, double *a) {
    memset(a, 0, (size_t)(s->n * s->n) * sizeof *a);
    for (int64_t v = 0; v < s->n; v++)
        a[v * s->n + v] = s->diagonal[v];
    for (int64_t e = 0; e < s->m; e++)
        a[s->i[e] * s->n + s->j[e]] += gain * s->w[e];
}

/* Leaks fix the diagonal: the weights are scaled so that the slowest mode decays at a tenth of the mean leak. */
static lw_err gain_find(system_ *s, double *a) {
    double target = 0, lo = 0, hi = 1;
    lw_ipr r = {0};
    for (int64_t v = 0; v < s->n; v++)
        target += 0.1 * s->diagonal[v] / (double)s->n;
    for (int step = 0; step < GAIN_STEPS; step++) {
        double gain = lo == 0 && hi >= 1 && step == 0 ? hi : 0.5 * (lo + hi);
        system_matrix(s, gain, a);
        LW_TRY(lw_ipr_measure(s->n, a, 1, &r));
        if (r.abscissa > target)
            hi = gain;
        else if (lo == 0 && gain == hi && hi < 1e6)
            hi *= 2, step--;
        else
            lo = gain;
        if (lo > 0 && hi - lo < 1e-3 * hi) break;
    }
    for (int64_t e = 0; e < s->m; e++)
        s->w[e] *= lo;
    return LW_OK;
}

static lw_err system_score(pass *p, system_ *s, bool leak) {
    double *a = NULL, *c = NULL, *one = NULL;
    size_t cells = (size_t)(s->n * s->n);
    lw_err err = LW_OK;
    if (s->n > DENSE_LIMIT)
        return lw_noise_score_sampled(
            s->m, s->i, s->j, s->w, s->n, s->diagonal, NOISE_STEPS, p->job->spec->seed + (uint64_t)p->iteration, s->q);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "a linear network", &a), done);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "a covariance", &c), done);
    LW_TRY_TO(lw_alloc(cells, sizeof(double), "noise", &one), done);
    if (leak) LW_TRY_TO(gain_find(s, a), done);
    system_matrix(s, 1, a);
    for (int64_t v = 0; v < s->n; v++)
        one[v * s->n + v] = 1;
    LW_TRY_TO(lw_lyapunov_equation(s->n, a, one, c), done);
    lw_noise_score(s->m, s->i, s->j, s->w, s->n, c, s->q);
done:
    lw_free(a);
    lw_free(c);
    lw_free(one);
    return err;
}

lw_err pass_scores(pass *p) {
    master *g = p->g;
    system_ s = {0};
    bool leak = p->job->spec->diagonal == LW_PRUNE_LEAK;
    double *rate = NULL, *tau = NULL, most = 0;
    lw_err err = LW_OK;
    LW_CHECK(!leak || master_nodes(g) <= DENSE_LIMIT, LW_EUSE,
        "the leak diagonal needs eigenvalues; %lld neurons are above the limit of %d", (long long)master_nodes(g),
        DENSE_LIMIT);
    if (leak) {
        LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *rate, "leaks", &rate), local);
        LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *tau, "leaks", &tau), local);
    }
local:
    err = lw_comm_agree(g->comm, err);
    if (err == LW_OK && leak) err = prune_tau(g, false, rate, tau);
    if (err == LW_OK) {
        if (lw_comm_rank(g->comm) == 0) {
            err = system_make(p, rate, &s);
            if (err == LW_OK) err = system_score(p, &s, leak);
            memset(p->q, 0, (size_t)g->m * sizeof *p->q);
            for (int64_t e = 0; err == LW_OK && e < s.m; e++)
                p->q[s.edge[e]] = fmax(s.q[e], 0);
        }
        err = lw_comm_agree(g->comm, err);
    }
    if (err == LW_OK) {
        lw_comm_bcast(g->comm, p->q, g->m * (int64_t)sizeof *p->q, 0);
        for (int64_t e = 0; e < g->m; e++)
            most = fmax(most, p->q[e]);
        for (int64_t e = 0; e < g->m; e++)
            if (g->keep_edge[e]) p->q[e] = most > 0 ? fmax(p->q[e], 1e-9 * most) : 1;
    }
    system_free(&s);
    lw_free(rate);
    lw_free(tau);
    return err;
}
