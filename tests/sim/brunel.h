/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small Brunel network (Brunel 2000: sparse, inhibition-dominated, irregular spikes) of the hand-written lif neuron,
 * and what two runs are compared by: numbers that are sums over neurons of mixed bits, so they depend on no order and
 * on no rank.
 */
#ifndef LAPWING_TEST_SIM_BRUNEL_H
#define LAPWING_TEST_SIM_BRUNEL_H

#include "check.h"
#include "models.h"
#include <lapwing/sim.h>

/** delay_lo < delay_hi: uniform delays (ms) and normal weights, else all alike. */
typedef struct brunel {
    int64_t n;
    double delay_lo, delay_hi;
    lw_partition partition;
    lw_dtype precision, weight_type;
    int32_t width;
    bool drive; /* a current per neuron in place of Poisson events */
    int32_t threads;
} brunel;
static const brunel BRUNEL = {2000, 1.5, 1.5, LW_PARTITION_BLOCK, LW_F64, LW_F64, 1, false, 1};

static inline lw_dist brunel_uniform(double lo, double hi) {
    lw_dist d = lw_dist_number(0);
    d.kind = LW_DIST_UNIFORM;
    d.p[0] = lo;
    d.p[1] = hi;
    return d;
}

/** **Collective** over comm. */
static inline lw_err brunel_net(const lw_comm *comm, const brunel *b, lw_net **out) {
    lw_dist param[LIF_PARAMS], init = brunel_uniform(0, 20);
    uint8_t has_init = 1;
    for (int i = 0; i < LIF_PARAMS; i++)
        param[i] = lw_dist_number(lif_params[i].value);
    lw_population_spec pop[2] = {
        {.name = "E", .model = &model_lif, .size = b->n * 4 / 5, .param = param, .init = &init, .has_init = &has_init},
        {.name = "I", .model = &model_lif, .size = b->n / 5, .param = param, .init = &init, .has_init = &has_init}};
    lw_projection_spec proj[4];
    for (int k = 0; k < 4; k++) {
        double weight = k < 2 ? 0.5 : -2.5;
        proj[k] = (lw_projection_spec){.pre = k / 2,
            .post = k % 2,
            .port = LIF_KICK,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = pop[k / 2].size / 10,
            .multapses = true,
            .weight = lw_dist_number(weight),
            .delay = lw_dist_number(b->delay_lo)};
        if (b->delay_lo < b->delay_hi) {
            proj[k].delay = brunel_uniform(b->delay_lo, b->delay_hi);
            proj[k].weight.kind = LW_DIST_NORMAL;
            proj[k].weight.p[1] = fabs(weight) / 10;
        }
    }
    lw_net_spec spec = {.seed = 5,
        .dt = 0.1,
        .n_pop = 2,
        .n_proj = 4,
        .pop = pop,
        .proj = proj,
        .partition = b->partition,
        .weight_type = b->weight_type,
        .threads = b->threads};
    return lw_net_create(comm, &spec, out);
}

static inline lw_err brunel_sim(lw_net *net, const brunel *b, lw_sim **out) {
    lw_sim_options options = lw_sim_options_default();
    lw_stimulus_spec stimulus[2];
    for (int p = 0; p < 2; p++) {
        stimulus[p] = (lw_stimulus_spec){.kind = LW_STIMULUS_POISSON,
            .pop = p,
            .port = LIF_KICK,
            .amplitude = lw_dist_number(3),
            .weight = 0.5,
            .stop = -1};
        if (!b->drive) continue;
        stimulus[p].kind = LW_STIMULUS_CURRENT;
        stimulus[p].port = LIF_DRIVE;
        stimulus[p].amplitude = brunel_uniform(25, 35);
    }
    options.precision = b->precision;
    options.width = b->width;
    options.threads = b->threads;
    options.stimulus = stimulus;
    options.n_stimuli = 2;
    return lw_sim_create(net, &options, out);
}

static inline uint64_t brunel_mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
static inline uint64_t brunel_bits(double x) {
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

/** What a run left: spike checksum, hash of the spike counts, hash of all state bits (one lane), spikes. */
typedef struct brunel_mark {
    int64_t checksum, counts, state, spikes, events;
} brunel_mark;
/** **Collective** over the net's communicator. */
static inline brunel_mark brunel_mark_of(lw_sim *sim, int lane) {
    const lw_net *net = lw_sim_net(sim);
    int32_t width = lw_sim_options_get(sim)->width;
    lw_sim_stats stats = lw_sim_stats_get(sim);
    uint64_t counts = 0, state = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view view = lw_net_pop(net, p);
        double *v = calloc((size_t)(view.n_local * width) + 1, sizeof *v);
        int32_t *left = calloc((size_t)(view.n_local * width) + 1, sizeof *left);
        lw_sim_state_get(sim, p, 0, v);
        lw_sim_refractory_get(sim, p, left);
        for (int64_t i = 0; i < view.n_local; i++) {
            uint64_t key = brunel_mix((uint64_t)view.gid[i] + 1);
            state +=
                brunel_mix(key ^ brunel_bits(v[i * width + lane])) + brunel_mix(key + (uint64_t)left[i * width + lane]);
            counts += brunel_mix(key ^ (uint64_t)lw_sim_spike_counts(sim)[view.lid_begin + i]);
        }
        free(v);
        free(left);
    }
    brunel_mark m = {
        (int64_t)stats.spike_checksum, (int64_t)counts, (int64_t)state, stats.spikes, stats.synaptic_events};
    lw_comm_sum_i64(lw_net_comm(net), &m.checksum, 5);
    return m;
}

#define CHECK_MARK(found, expected)                                                                                    \
    do {                                                                                                               \
        CHECK_INT((found).spikes, (expected).spikes);                                                                  \
        CHECK((found).checksum == (expected).checksum);                                                                \
        CHECK((found).counts == (expected).counts);                                                                    \
        CHECK((found).state == (expected).state);                                                                      \
        CHECK_INT((found).events, (expected).events);                                                                  \
    } while (0)

/** Build, run, mark. **Collective** over comm. */
static inline brunel_mark brunel_run(const lw_comm *comm, const brunel *b, int64_t steps, lw_sim_stats *stats) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    brunel_mark mark = {0};
    lw_err err = brunel_net(comm, b, &net);
    if (err == LW_OK) err = brunel_sim(net, b, &sim);
    if (err == LW_OK) err = lw_sim_advance(sim, steps, NULL);
    CHECK_OK(err);
    if (err == LW_OK) mark = brunel_mark_of(sim, 0);
    if (err == LW_OK && stats) *stats = lw_sim_stats_get(sim);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return mark;
}

#endif
