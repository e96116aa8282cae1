/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lyapunov Noise Pruning, reconstructed (README.md says what is the paper's and what fills gaps), and plain
 * noise-prune, which is one pass of the same without exponents. One pass:
 *
 *     exponents of neurons -> Lyapunov matrix on the synapses -> weights of a linear noise-driven network -> covariance
 * -> scores q tentative draw of synapses -> betweenness on it -> neurons leave exact draw among what is left, less a
 * reserve -> the reserve goes to synapses that spread localised modes -> rest by the draw
 *
 * Dense matrices live on rank 0; scores travel from there, so that ranks never part over the last bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "master.h"

enum { NOISE_STEPS = 4000, GAIN_STEPS = 40 };
static const double SMALLEST_RATE = 1e-6; /* nats per step; |exponent| below counts as this in harmonic means */

typedef struct pass {
    master *g;
    const prune_job *job;
    int64_t iteration;
    double *lambda;                    /* [n] nats per step; NULL: noise-prune */
    double *omega;                     /* [m] weights of the linear network; 0 for dropped edges */
    double *q, *p, *u, *order, *score; /* [m] */
    double *between;                   /* [n] */
    double *tie;                       /* [n] */
    int64_t *index;                    /* [n] number among kept nodes */
    uint8_t *allowed, *drawn, *was;    /* [m] */
    lw_prune_step *step;
} pass;

static lw_err pass_make(master *g, const prune_job *job, pass *p) {
    size_t m = (size_t)g->m, n = (size_t)g->n;
    *p = (pass){.g = g, .job = job};
    double **edges[] = {&p->omega, &p->q, &p->p, &p->u, &p->order, &p->score};
    uint8_t **flags[] = {&p->allowed, &p->drawn, &p->was};
    for (int i = 0; i < 6; i++)
        LW_TRY(lw_alloc(m, sizeof(double), "synapse scores", edges[i]));
    for (int i = 0; i < 3; i++)
        LW_TRY(lw_alloc(m, 1, "synapse flags", flags[i]));
    LW_TRY(lw_alloc(n, sizeof(double), "betweenness", &p->between));
    LW_TRY(lw_alloc(n, sizeof(double), "neuron ties", &p->tie));
    LW_TRY(lw_alloc(n, sizeof(int64_t), "node numbers", &p->index));
    if (job->spec->method == LW_PRUNE_LNP) LW_TRY(lw_alloc(n, sizeof(double), "exponents", &p->lambda));
    return LW_OK;
}

static void pass_free(pass *p) {
    lw_free(p->lambda);
    lw_free(p->omega);
    lw_free(p->q);
    lw_free(p->p);
    lw_free(p->u);
    lw_free(p->order);
    lw_free(p->score);
    lw_free(p->between);
    lw_free(p->tie);
    lw_free(p->index);
    lw_free(p->allowed);
    lw_free(p->drawn);
    lw_free(p->was);
}

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

/* All kept edges, both ways. */
static lw_err undirected(const master *g, const uint8_t *keep, bool both, lw_graph *out) {
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
    lw_err err = lw_comm_agree(g->comm, undirected(g, g->keep_edge, true, &near));
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

/* Weights of the linear network by mode; the sign is the synapse's. */
static lw_err omega_make(pass *p) {
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

/* q of every kept edge. Autapses and weights of 0 get a billionth of the largest score, so that exact counts can reach
 * them last. */
static lw_err scores_make(pass *p) {
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

/* ------------------------------------------------------------------ drawing */

/* Probabilities for `count` of the allowed edges into p, their order into order; drawn = the exact draw. */
static lw_err draw(pass *p, int64_t count) {
    master *g = p->g;
    for (int64_t e = 0; e < g->m; e++)
        p->score[e] = p->allowed[e] ? p->q[e] : 0;
    LW_TRY(lw_noise_probability(g->m, p->score, (double)count, p->p));
    for (int64_t e = 0; e < g->m; e++)
        p->order[e] = lw_noise_order(p->p[e], p->u[e]);
    return lw_keep_smallest(g->m, p->order, p->allowed, count, p->drawn);
}

static int64_t allow_kept(pass *p) {
    int64_t n = 0;
    for (int64_t e = 0; e < p->g->m; e++)
        n += p->allowed[e] = p->g->keep_edge[e] && master_alive(p->g, e);
    return n;
}

/* Betweenness of the tentative graph, sources dealt over ranks; cut to ten digits, since sums over ranks round
 * differently. */
static lw_err betweenness(pass *p) {
    master *g = p->g;
    lw_graph graph = {0};
    double most = 0;
    memset(p->between, 0, (size_t)g->n * sizeof *p->between);
    lw_err err = undirected(g, p->drawn, false, &graph);
    if (err == LW_OK)
        err = lw_graph_betweenness(&graph, false, lw_comm_rank(g->comm), lw_comm_size(g->comm), p->between);
    lw_graph_free(&graph);
    LW_TRY(lw_comm_agree(g->comm, err));
    lw_comm_sum_f64(g->comm, p->between, g->n);
    for (int64_t v = 0; v < g->n; v++)
        most = fmax(most, p->between[v]);
    for (int64_t v = 0; v < g->n; v++)
        p->between[v] = most > 0 ? rint(1e10 * p->between[v] / most) : 0;
    return LW_OK;
}

/* Ties: the fastest decaying neuron first, else by a keyed number. */
static void ties_make(pass *p) {
    for (int64_t v = 0; v < p->g->n; v++)
        p->tie[v] = p->lambda ? -rint(1e8 * fabs(p->lambda[v]))
                              : lw_noise_uniform(p->job->spec->seed, 2000 + p->iteration, v, 0, 0);
}

static int by_descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Quantile of 1/p over the allowed edges (score is free to be used); median and largest into the report. */
static double inverse_quantile(pass *p, double quantile) {
    int64_t n = 0;
    for (int64_t e = 0; e < p->g->m; e++)
        if (p->allowed[e]) p->score[n++] = p->p[e];
    if (n == 0) return 1;
    qsort(p->score, (size_t)n, sizeof *p->score, by_descending);
    p->job->report->p_median = p->score[n / 2];
    p->job->report->p_max_inverse = 1 / p->score[n - 1];
    int64_t at = (int64_t)(quantile * (double)(n - 1) + 0.5);
    return 1 / p->score[at];
}

static void rescale(pass *p) {
    const lw_prune_spec *spec = p->job->spec;
    double cap = inverse_quantile(p, spec->rescale_quantile);
    if (spec->rescale == LW_PRUNE_RESCALE_NONE) return;
    if (spec->rescale == LW_PRUNE_RESCALE_FULL) cap = INFINITY;
    for (int64_t e = 0; e < p->g->m; e++)
        if (p->drawn[e] && p->allowed[e]) p->g->weight[e] = lw_noise_rescale(p->g->weight[e], p->p[e], cap);
}

/* Edges to be restored for the localised modes: at most `budget`; chosen on rank 0. **Collective** */
static lw_err delocalise(pass *p, int64_t budget, int64_t *restored) {
    master *g = p->g;
    int64_t *i = NULL, *j = NULL, *edge = NULL, m = 0, n = 0;
    double *w = NULL, *a = NULL;
    uint8_t *taken = NULL;
    lw_err err = LW_OK;
    *restored = 0;
    memset(p->was, 0, (size_t)g->m);
    if (budget <= 0 || master_nodes(g) > DENSE_LIMIT) return LW_OK;
    if (lw_comm_rank(g->comm) == 0) {
        LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *i, "candidates", &i), done);
        LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *j, "candidates", &j), done);
        LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *edge, "candidates", &edge), done);
        LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *w, "candidates", &w), done);
        LW_TRY_TO(lw_alloc((size_t)g->m, 1, "candidates", &taken), done);
        (void)master_index(g, p->index);
        for (int64_t e = 0; e < g->m; e++) {
            if (g->keep_edge[e] || !master_alive(g, e)) continue;
            i[m] = p->index[g->target[e]];
            j[m] = p->index[g->source[e]];
            w[m] = g->first_weight[e];
            edge[m++] = e;
        }
        LW_TRY_TO(master_matrix(g, &a, &n), done);
        LW_TRY_TO(lw_delocalise(n, a, m, i, j, w, budget, n / 10 > 20 ? n / 10 : 20, taken, restored), done);
        for (int64_t c = 0; c < m; c++)
            if (taken[c]) p->was[edge[c]] = 1;
    }
done:
    lw_free(i);
    lw_free(j);
    lw_free(edge);
    lw_free(w);
    lw_free(a);
    lw_free(taken);
    LW_TRY(lw_comm_agree(g->comm, err));
    lw_comm_bcast(g->comm, p->was, g->m, 0);
    lw_comm_bcast(g->comm, restored, sizeof *restored, 0);
    for (int64_t e = 0; e < g->m; e++)
        if (p->was[e]) {
            g->keep_edge[e] = 1;
            g->weight[e] = g->first_weight[e];
        }
    return LW_OK;
}

/* Fill up to `count` edges: first those that were candidates of the draw, in its order, then others between kept
 * neurons by their weight. */
static lw_err fill(pass *p, int64_t count) {
    master *g = p->g;
    int64_t missing = count - master_edges(g);
    if (missing <= 0) return LW_OK;
    for (int64_t e = 0; e < g->m; e++) {
        bool open = !g->keep_edge[e] && master_alive(g, e);
        p->order[e] = p->allowed[e] ? p->order[e] : 1e300 / (1 + fabs(g->first_weight[e]));
        if (p->order[e] == INFINITY) p->order[e] = 1e299;
        p->was[e] = open;
    }
    LW_TRY(lw_keep_smallest(g->m, p->order, p->was, missing, p->drawn));
    for (int64_t e = 0; e < g->m; e++)
        if (p->drawn[e]) {
            g->keep_edge[e] = 1;
            if (!p->allowed[e]) g->weight[e] = g->first_weight[e];
        }
    return LW_OK;
}

/* The exact draw among the synapses left, the reserve of step III, the rest. */
static lw_err synapses_choose(pass *p, int64_t edges, bool last) {
    master *g = p->g;
    int64_t open = allow_kept(p), removed = 0;
    int64_t budget = p->lambda && open > edges ? (int64_t)(p->job->spec->delocalise_budget * (double)edges) : 0;
    lw_ipr before = {NAN, NAN, NAN}, after = {NAN, NAN, NAN};
    memcpy(p->drawn, p->allowed, (size_t)g->m);
    for (int64_t e = 0; e < g->m; e++)
        p->p[e] = p->allowed[e], p->order[e] = -1;
    lw_err err = open > edges ? draw(p, edges - budget) : LW_OK;
    if (err == LW_OK) rescale(p);
    LW_TRY(lw_comm_agree(g->comm, err));
    memcpy(g->keep_edge, p->drawn, (size_t)g->m);
    removed = open - master_edges(g);
    if (budget > 0) LW_TRY(master_ipr(g, &before));
    LW_TRY(delocalise(p, budget, &p->step->restored_synapses));
    if (budget > 0) LW_TRY(master_ipr(g, &after));
    if (last) LW_TRY(lw_comm_agree(g->comm, master_room(g, edges)));
    if (last || open > edges) LW_TRY(lw_comm_agree(g->comm, fill(p, edges)));
    p->step->removed_synapses = removed;
    p->step->ipr_before = before.mean;
    p->step->ipr_after = after.mean;
    p->step->abscissa = after.abscissa;
    return LW_OK;
}

/* Geometric way from `from` to `to`: the number after `step` of `steps`. */
static int64_t schedule(int64_t from, int64_t to, int64_t step, int64_t steps) {
    if (step >= steps) return to;
    if (from <= 0 || to <= 0) return from + (to - from) * step / steps;
    return (int64_t)rint((double)from * pow((double)to / (double)from, (double)step / (double)steps));
}

static lw_err pass_run(pass *p, int64_t nodes, int64_t edges, bool last) {
    master *g = p->g;
    const lw_prune_spec *spec = p->job->spec;
    int64_t had = master_nodes(g), open = allow_kept(p);
    int64_t tentative = (int64_t)ceil((double)edges * (double)had / (double)nodes);
    p->step->lambda_max = NAN;
    if (p->lambda) LW_TRY(prune_exponents(g, p->job, p->lambda, &p->step->lambda_max));
    LW_TRY(omega_make(p));
    LW_TRY(scores_make(p));
    for (int64_t e = 0; e < g->m; e++)
        p->u[e] = master_uniform(g, spec->seed, p->iteration, e);
    ties_make(p);
    LW_TRY(lw_comm_agree(g->comm, draw(p, tentative < open ? tentative : open)));
    LW_TRY(betweenness(p));
    LW_TRY(lw_comm_agree(
        g->comm, master_remove(g, nodes, spec->synapses, nodes - spec->neurons, p->between, p->tie, p->drawn)));
    LW_TRY(synapses_choose(p, edges, last));
    p->step->neurons = master_nodes(g);
    p->step->synapses = master_edges(g);
    return LW_OK;
}

lw_err prune_sampling(master *g, const prune_job *job) {
    const lw_prune_spec *spec = job->spec;
    int64_t passes = spec->method == LW_PRUNE_LNP ? spec->iterations : 1;
    pass p = {0};
    lw_err err = pass_make(g, job, &p);
    if (err == LW_OK) err = lw_alloc((size_t)passes, sizeof *job->report->step, "a report", &job->report->step);
    err = lw_comm_agree(g->comm, err);
    int64_t nodes = g->n, edges = g->m;
    for (int64_t i = 1; err == LW_OK && i <= passes; i++) {
        p.iteration = i;
        p.step = &job->report->step[job->report->n_steps++];
        err = pass_run(
            &p, schedule(nodes, spec->neurons, i, passes), schedule(edges, spec->synapses, i, passes), i == passes);
    }
    pass_free(&p);
    return err;
}
