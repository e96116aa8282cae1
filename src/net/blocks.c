/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Target blocks: the neurons of a rank cut into stretches, so that threads have targets of their own, the inputs of a
 * stretch fit the second-level cache, and a target is a number of two bytes.
 */
#include "net_private.h"

enum { BLOCK_MOST = 65536, GROUP = 64 };
#define EDGES_MOST 3e9 /* of a bundle, by expectation: rows are found by 32 bits */

double net_synapses_expected(const lw_net_spec *spec, int32_t proj) {
    const lw_projection_spec *s = &spec->proj[proj];
    double pre = (double)spec->pop[s->pre].size, post = (double)spec->pop[s->post].size;
    switch (s->rule) {
    case LW_RULE_ALL_TO_ALL:
        return pre * post;
    case LW_RULE_ONE_TO_ONE:
        return post;
    case LW_RULE_FIXED_INDEGREE:
        return post * (double)s->n;
    case LW_RULE_FIXED_OUTDEGREE:
    case LW_RULE_SMALL_WORLD:
        return pre * (double)s->n;
    case LW_RULE_FIXED_TOTAL_NUMBER:
        return (double)s->n;
    case LW_RULE_PAIRWISE_BERNOULLI:
        return pre * post * (s->p_of.kind == LW_PROFILE_NONE ? s->p : net_profile_mean(s, &spec->pop[s->pre].layout));
    case LW_RULE_CLUSTERED:
        return pre * post * (s->p_out + (s->p - s->p_out) / (double)s->n);
    case LW_RULE_WINDOW:
        return lw_window_synapses(&s->window);
    case LW_RULE_EDGES:
        return 0;
    }
    return 0;
}

/* First lid of block b of n: borders at equal shares of the expected work, cost[p] being that of one neuron, and at
 * whole groups of a population's neurons, for which random numbers are drawn together. */
static int64_t border(const lw_net *net, const double *cost, double all, int32_t b, int32_t n) {
    double share = all * b / n;
    if (b == n) return net->n_local; /* whatever rounding says */
    for (int32_t p = 0; p < net->n_pop; p++) {
        double here = cost[p] * (double)net->pop[p].n_local;
        if (share < here) {
            int64_t n_local = net->pop[p].n_local, at = ((int64_t)(share / cost[p]) + GROUP / 2) / GROUP * GROUP;
            return net->pop[p].lid_begin + (at < n_local ? at : n_local);
        }
        share -= here;
    }
    return net->n_local;
}

lw_err net_blocks(lw_net *net, const lw_net_spec *spec) {
    int32_t threads = spec->threads > 1 ? spec->threads : 1, n = threads;
    double *cost = NULL, all = 0, synapses = 0;
    LW_TRY(lw_alloc((size_t)net->n_pop, sizeof *cost, "target blocks", &cost));
    for (int32_t p = 0; p < net->n_pop; p++)
        cost[p] = 10; /* a neuron costs about as much as ten synapses */
    for (int32_t i = 0; i < net->n_proj; i++)
        cost[spec->proj[i].post] += net_synapses_expected(spec, i) / (double)spec->pop[spec->proj[i].post].size;
    for (int32_t p = 0; p < net->n_pop; p++) {
        all += cost[p] * (double)net->pop[p].n_local;
        synapses += (cost[p] - 10) * (double)net->pop[p].n_local;
    }
    while (synapses / n > EDGES_MOST)
        n += threads;
    lw_err err = LW_OK;
    for (bool fits = false; !fits && err == LW_OK; n += fits ? 0 : threads) {
        err = lw_grow(
            &net->block_begin, (size_t)net->n_blocks + 1, (size_t)n + 1, sizeof *net->block_begin, "target blocks");
        if (err != LW_OK) break;
        net->n_blocks = n;
        fits = true;
        for (int32_t b = 0; b <= n; b++) {
            net->block_begin[b] = border(net, cost, all, b, n);
            if (b > 0 && net->block_begin[b] - net->block_begin[b - 1] > BLOCK_MOST) fits = false;
        }
    }
    lw_free(cost);
    return err;
}

int lw_net_n_blocks(const lw_net *net) {
    return net->n_blocks;
}

const int64_t *lw_net_block_begin(const lw_net *net) {
    return net->block_begin;
}
