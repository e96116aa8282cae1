/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small random network with one plastic projection and spikes from outside: neurons 0 .. SILENT - 1 never fire, the
 * others at rates up to 80 Hz, so that some targets outrun the ring of recent spikes.
 */
#ifndef LAPWING_TEST_SIM_PLASTIC_NET_H
#define LAPWING_TEST_SIM_PLASTIC_NET_H

#include "check.h"
#include <lapwing/sim.h>
#include <math.h>
#include <string.h>

enum { NEURONS = 50, SILENT = 4, INDEGREE = 10 };

typedef struct plastic_case {
    const char *model;
    const double *param; /* NULL: defaults */
    bool in_axon, multapses;
    double delay_lo, delay_hi; /* ms */
    double rate;               /* of the fastest neuron, kHz; 0: 0.08 */
    lw_dtype weight_type, precision;
    lw_partition partition;
    int32_t threads;
} plastic_case;

static inline lw_dist plastic_uniform(double lo, double hi) {
    lw_dist d = lw_dist_number(0);
    d.kind = LW_DIST_UNIFORM;
    d.p[0] = lo;
    d.p[1] = hi;
    return d;
}

static inline lw_err plastic_net(const lw_comm *comm, const plastic_case *c, lw_net **out) {
    lw_population_spec pop = {.name = "E", .model = lw_model_builtin("lif_delta"), .size = NEURONS};
    lw_projection_spec proj[2] = {{.name = "EE",
                                      .rule = LW_RULE_FIXED_INDEGREE,
                                      .n = INDEGREE,
                                      .multapses = c->multapses,
                                      .synapse = lw_synapse_builtin(c->model),
                                      .synapse_param = c->param,
                                      .delay_in_axon = c->in_axon,
                                      .weight = plastic_uniform(0, 3),
                                      .delay = plastic_uniform(c->delay_lo, c->delay_hi)},
        {.name = "static",
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 5,
            .multapses = true,
            .weight = lw_dist_number(0.5),
            .delay = lw_dist_number(1.5)}};
    lw_net_spec spec = {.seed = 7,
        .dt = 0.1,
        .n_pop = 1,
        .n_proj = 2,
        .pop = &pop,
        .proj = proj,
        .partition = c->partition,
        .weight_type = c->weight_type,
        .threads = c->threads};
    return lw_net_create(comm, &spec, out);
}

static inline lw_err plastic_sim(lw_net *net, const plastic_case *c, lw_sim **out) {
    static double rate[NEURONS];
    for (int i = 0; i < NEURONS; i++)
        rate[i] = i < SILENT ? 0 : (c->rate > 0 ? c->rate : 0.08) * i / NEURONS;
    lw_stimulus_spec drive = {.kind = LW_STIMULUS_POISSON,
        .amplitude = {.kind = LW_DIST_LIST, .list = rate, .n_list = NEURONS, .lo = -INFINITY, .hi = INFINITY},
        .weight = 25,
        .stop = -1};
    lw_sim_options options = lw_sim_options_default();
    options.precision = c->precision;
    options.stimulus = &drive;
    options.n_stimuli = 1;
    options.threads = c->threads;
    return lw_sim_create(net, &options, out);
}

/* Sum over synapses of mixed bits of (target, source, order, weight): equal for equal weights, on any ranks. */
static inline uint64_t plastic_checksum(const lw_net *net) {
    lw_edge *edge = NULL;
    int64_t n = 0, sum = 0;
    CHECK_OK(lw_net_edges(net, 0, &edge, NULL, &n));
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits, h = (uint64_t)edge[i].target << 40 ^ (uint64_t)edge[i].source << 16 ^ (uint64_t)edge[i].order;
        memcpy(&bits, &edge[i].weight, sizeof bits);
        h = (h + 1) * 0x9e3779b97f4a7c15u ^ bits;
        h = (h ^ h >> 31) * 0xbf58476d1ce4e5b9u;
        sum = (int64_t)((uint64_t)sum + (h ^ h >> 29));
    }
    lw_free(edge);
    lw_comm_sum_i64(lw_net_comm(net), &sum, 1);
    return (uint64_t)sum;
}

static inline uint64_t plastic_spikes(const lw_sim *sim) {
    int64_t sum = (int64_t)lw_sim_stats_get(sim).spike_checksum;
    lw_comm_sum_i64(lw_net_comm(lw_sim_net(sim)), &sum, 1);
    return (uint64_t)sum;
}

#endif
