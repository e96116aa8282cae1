/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The controls: activity, magnitude, random. One pass: neurons by a score, then synapses between those left by another,
 * ties by a keyed uniform number, so that equal weights are not taken in the order of their numbers.
 */
#include <math.h>
#include <string.h>
#include "master.h"

enum { TIE_NODE = 1000, TIE_EDGE = 1001 }; /* iterations of the uniform numbers that no other method uses */

/* Mean firing rate (spikes per step) of every neuron of the population. **Collective** */
static lw_err rates_measure(const master *g, const prune_job *job, double *rate) {
    lw_pop_view pop = lw_net_pop(g->net, g->pop);
    lw_sim *sim = NULL;
    LW_CHECK(pop.model->emits_spikes, LW_EUSE,
        "population %s of model %s hands on a graded value; activity pruning counts spikes", pop.name, pop.model->name);
    LW_CHECK(job->spec->activity_steps >= 1, LW_EUSE, "activity over %lld steps; at least 1 is needed",
        (long long)job->spec->activity_steps);
    LW_TRY(master_engine(g, g->net, job->options, &sim));
    lw_err err = lw_sim_advance(sim, job->spec->activity_steps, job->watch);
    if (err == LW_OK) {
        const int64_t *count = lw_sim_spike_counts(sim);
        memset(rate, 0, (size_t)g->n * sizeof *rate);
        for (int64_t j = 0; j < pop.n_local; j++)
            rate[pop.gid[j] - pop.gid_begin] = (double)count[pop.lid_begin + j] / (double)job->spec->activity_steps;
        lw_comm_sum_f64(g->comm, rate, g->n);
    }
    lw_sim_destroy(&sim);
    return err;
}

static lw_err scores_make(const master *g, const prune_job *job, double *node, double *edge) {
    if (job->spec->method == LW_PRUNE_ACTIVITY) LW_TRY(rates_measure(g, job, node));
    for (int64_t e = 0; e < g->m; e++) { /* keep_smallest wants small for kept */
        double w = fabs(g->weight[e]);
        edge[e] = job->spec->method == LW_PRUNE_ACTIVITY    ? -w * node[g->source[e]]
                  : job->spec->method == LW_PRUNE_MAGNITUDE ? -w
                                                            : 0;
    }
    if (job->spec->method == LW_PRUNE_ACTIVITY) return LW_OK;
    memset(node, 0, (size_t)g->n * sizeof *node);
    for (int64_t e = 0; job->spec->method == LW_PRUNE_MAGNITUDE && e < g->m; e++) {
        node[g->target[e]] += fabs(g->weight[e]);
        if (g->source[e] != g->target[e]) node[g->source[e]] += fabs(g->weight[e]);
    }
    return LW_OK;
}

/* Edges by (score, uniform): ranks of the scores would do, but a second pass over ties alone is simpler: keep all
 * strictly better than the threshold, then fill up among the equal ones by the uniform numbers. */
static lw_err edges_keep(master *g, const double *score, uint64_t seed, int64_t count) {
    double *uniform = NULL, worst = -INFINITY;
    uint8_t *allowed = NULL, *tied = NULL;
    int64_t better = 0;
    lw_err err = LW_OK;
    LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *uniform, "an order of synapses", &uniform), done);
    LW_TRY_TO(lw_alloc((size_t)g->m, 1, "synapses", &allowed), done);
    LW_TRY_TO(lw_alloc((size_t)g->m, 1, "synapses", &tied), done);
    for (int64_t e = 0; e < g->m; e++) {
        allowed[e] = master_alive(g, e);
        uniform[e] = master_uniform(g, seed, TIE_EDGE, e);
    }
    LW_TRY_TO(lw_keep_smallest(g->m, score, allowed, count, g->keep_edge), done);
    for (int64_t e = 0; e < g->m; e++)
        if (g->keep_edge[e]) worst = fmax(worst, score[e]);
    for (int64_t e = 0; e < g->m; e++) {
        g->keep_edge[e] = allowed[e] && score[e] < worst;
        better += g->keep_edge[e];
        allowed[e] = allowed[e] && score[e] == worst;
    }
    LW_TRY_TO(lw_keep_smallest(g->m, uniform, allowed, count - better, tied), done);
    for (int64_t e = 0; e < g->m; e++)
        g->keep_edge[e] |= tied[e];
done:
    lw_free(uniform);
    lw_free(allowed);
    lw_free(tied);
    return err;
}

lw_err prune_baseline(master *g, const prune_job *job) {
    const lw_prune_spec *spec = job->spec;
    double *node = NULL, *edge = NULL, *tie = NULL;
    lw_err err = LW_OK;
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *node, "neuron scores", &node), local);
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *tie, "neuron scores", &tie), local);
    LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *edge, "synapse scores", &edge), local);
    for (int64_t v = 0; v < g->n; v++)
        tie[v] = lw_noise_uniform(spec->seed, TIE_NODE, v, 0, 0);
local:
    LW_TRY_TO(lw_comm_agree(g->comm, err), done);
    LW_TRY_TO(scores_make(g, job, node, edge), done);
    LW_TRY_TO(master_remove(g, spec->neurons, spec->synapses, 0, node, tie, NULL), agree);
    LW_TRY_TO(master_room(g, spec->synapses), agree);
    err = edges_keep(g, edge, spec->seed, spec->synapses);
agree:
    err = lw_comm_agree(g->comm, err);
done:
    lw_free(node);
    lw_free(edge);
    lw_free(tie);
    return err;
}
