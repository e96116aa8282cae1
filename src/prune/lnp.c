/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Lyapunov Noise Pruning, reconstructed (README.md says what is the paper's and what fills gaps), and plain
 * noise-prune, which is one pass of the same without exponents. One pass:
 *
 *     exponents of neurons, Lyapunov matrix, linear network, covariance, scores q   (linear.c)
 *     tentative draw of synapses, betweenness on it, neurons leave
 *     exact draw among what is left, less a reserve
 *     the reserve goes to synapses that spread localised modes, its rest to the draw
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "pass.h"

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
    lw_err err = pass_graph(g, p->drawn, false, &graph);
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
    LW_TRY(pass_omega(p));
    LW_TRY(pass_scores(p));
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
