/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Small networks for the tests of sweeps, around any built-in model: fed inputs, recurrent synapses of several delays,
 * a read-out, or a chain with delay 0. Everything random is keyed by gid, so the same network arises on any number of
 * ranks.
 */
#ifndef LAPWING_TEST_SWEEP_NET_H
#define LAPWING_TEST_SWEEP_NET_H

#include <lapwing/sim.h>
#include "check.h"
#include "model_drive.h"

enum { N_IN = 5, N_HID = 9, N_OUT = 4, N_MAX_POP = 3, N_MAX_PROJ = 5, N_FEED = 150, N_MAX_STATE = 12 };

extern const lw_model lw_model_zoo, lw_model_chain, lw_model_tanh_unit;

typedef enum bench_kind {
    BENCH_RECURRENT, /* in -(1)-> hid <-(1..3)-> hid -(2)-> out; two kinds of recurrent synapses */
    BENCH_CHAIN,     /* in -(0)-> hid -(0)-> out, hid -(1)-> hid, out -(2)-> hid */
    BENCH_SLOW,      /* all delays 3 to 5: an epoch of three steps */
    BENCH_LAG        /* as the first, three of the projections with delays that are learned */
} bench_kind;

/* How strongly a model must be driven to fire now and then. Found by trial: first powers of 2, on one rank. */
typedef struct bench_drive {
    const lw_model *model;
    double input, weight; /* of fed values; of synapses */
    double slope;         /* of the surrogate */
} bench_drive;

typedef struct bench {
    lw_net *net;
    lw_sim *sim;
    lw_theta *theta;
    float *feed;   /* [N_FEED][N_IN][width] */
    float *chance; /* [N_FEED][N_HID][width], for a model that wants it; read again, N_OUT a step, by `out` */
} bench;

static double key_normal(uint64_t stream, int64_t a, int64_t b) {
    return lw_rng_normal(stream, LW_PURPOSE_CHECK, (uint64_t)a, (uint64_t)b, 0);
}

/* a relay: one input, one state, graded */
static const lw_model *bench_relay(void) {
    const lw_model *relay = lw_model_builtin("relay");
    LW_ASSERT(relay);
    return relay;
}

static lw_dist dist_normal(double mean, double sd) {
    lw_dist d = lw_dist_number(mean);
    d.kind = LW_DIST_NORMAL;
    d.p[0] = mean;
    d.p[1] = sd;
    return d;
}
static lw_dist dist_uniform(double lo, double hi) {
    lw_dist d = lw_dist_number(lo);
    d.kind = LW_DIST_UNIFORM;
    d.p[0] = lo;
    d.p[1] = hi;
    return d;
}

static lw_err bench_net(
    const lw_comm *comm, bench_kind kind, const bench_drive *drive, lw_partition partition, lw_net **out) {
    const lw_model *model = drive->model, *relay = bench_relay();
    uint8_t learn[64] = {0}, none[64] = {0};
    lw_dist param[64];
    int last = model_port_last(model), second = last < 1 ? last : 1;
    double w = drive->weight, dt = model_step(model);
    LW_ASSERT(model->n_param <= 64 && model->n_state <= N_MAX_STATE);
    for (int p = 0; p < model->n_param; p++) {
        learn[p] = p != (model->has_refractory ? lw_model_param_find(model, "t_ref") : -1);
        param[p] = lw_dist_number(model->param[p].value);
        /* so that a neuron can fire again within a sweep of short steps */
        if (!learn[p] && dt < 1) param[p] = lw_dist_number(2 * dt);
    }
    lw_population_spec pop[N_MAX_POP] = {
        {.name = "in", .model = relay, .size = N_IN},
        {.name = "hid", .model = model, .size = N_HID, .param = param, .learn = learn},
        {.name = "out", .model = model, .size = N_OUT, .param = param, .learn = none},
    };
    int zero = kind == BENCH_CHAIN, slow = kind == BENCH_SLOW ? 2 : 0;
    lw_projection_spec proj[N_MAX_PROJ] = {
        {.name = "a",
            .pre = 0,
            .post = 1,
            .rule = LW_RULE_ALL_TO_ALL,
            .autapses = true,
            .learn = true,
            .weight = model_port_weight(model, 0, dist_normal(drive->input, drive->input / 2)),
            .delay = lw_dist_number(zero ? 0 : (1 + slow) * dt)},
        {.name = "b",
            .pre = 1,
            .post = 1,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 4,
            .autapses = true,
            .multapses = true,
            .learn = true,
            .weight = model_port_weight(model, 0, dist_normal(0, w)),
            .delay = dist_uniform((1 + slow) * dt, (4 + slow) * dt)},
        {.name = "c",
            .pre = 1,
            .post = 2,
            .rule = LW_RULE_ALL_TO_ALL,
            .autapses = true,
            .learn = true,
            .weight = model_port_weight(model, 0, dist_normal(w, w)),
            .delay = lw_dist_number(zero ? 0 : (2 + slow) * dt)},
        {.name = "d",
            .pre = 2,
            .post = 1,
            .port = second,
            .rule = LW_RULE_PAIRWISE_BERNOULLI,
            .p = 0.4,
            .autapses = true,
            .learn = false,
            .weight = model_port_weight(model, second, lw_dist_number(w / 2)),
            .delay = lw_dist_number((2 + slow) * dt)},
        {.name = "e",
            .pre = 0,
            .post = 2,
            .port = last,
            .rule = LW_RULE_FIXED_OUTDEGREE,
            .n = 2,
            .autapses = true,
            .learn = true,
            .weight = model_port_weight(model, last, dist_normal(drive->input, drive->input / 2)),
            .delay = lw_dist_number(zero ? 0 : (2 + slow) * dt)},
    };
    for (int j = 0; kind == BENCH_LAG && j < 3; j++) {
        proj[j].learn_delay = true;
        proj[j].learn = j < 2;
        proj[j].delay_max = 6 * dt;
        proj[j].delay = j ? dist_uniform(0.8 * dt, 6.2 * dt) : lw_dist_number(2.3 * dt);
    }
    lw_net_spec spec = {.seed = 5,
        .dt = dt,
        .n_pop = 3,
        .n_proj = 5,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = LW_F64};
    return lw_net_create(comm, &spec, out);
}

static lw_sim_options bench_options(const bench_drive *drive, int32_t width) {
    lw_sim_options o = lw_sim_options_default();
    o.width = width;
    o.surrogate.slope = drive->slope;
    return o;
}

/* lane0: number of the first lane's data, so that an engine of width 1 can take any lane of a wider one */
static void bench_feed(bench *b, int lane0) {
    int32_t width = lw_sim_options_get(b->sim)->width;
    b->feed = calloc((size_t)(N_FEED * N_IN * width), sizeof *b->feed);
    for (int64_t i = 0; i < N_FEED * N_IN; i++)
        for (int32_t l = 0; l < width; l++)
            b->feed[i * width + l] = (float)fabs(key_normal(11, i, lane0 + l));
    CHECK_OK(lw_sim_feed(b->sim, 0, 0, b->feed, N_FEED, N_IN));
    int chance = model_port_chance(lw_net_pop(b->net, 1).model);
    if (chance < 0) return;
    b->chance = calloc((size_t)(N_FEED * N_HID * width), sizeof *b->chance);
    for (int64_t i = 0; i < N_FEED * N_HID; i++)
        for (int32_t l = 0; l < width; l++)
            b->chance[i * width + l] =
                (float)lw_rng_uniform(12, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)(lane0 + l), 0);
    CHECK_OK(lw_sim_feed(b->sim, 1, chance, b->chance, N_FEED, N_HID));
    CHECK_OK(lw_sim_feed(b->sim, 2, chance, b->chance, N_FEED, N_OUT));
}

static bench bench_create(const lw_comm *comm, bench_kind kind, const bench_drive *drive, const lw_sim_options *options,
    lw_partition partition, int lane0) {
    bench b = {0};
    CHECK_OK(bench_net(comm, kind, drive, partition, &b.net));
    CHECK_OK(lw_sim_create(b.net, options, &b.sim));
    CHECK_OK(lw_theta_create(b.net, &b.theta));
    bench_feed(&b, lane0);
    return b;
}
static void bench_destroy(bench *b) {
    lw_theta_destroy(&b->theta);
    lw_sim_destroy(&b->sim);
    lw_net_destroy(&b->net);
    free(b->feed);
    free(b->chance);
}

/* mean spikes per neuron and step over 20 steps on one rank */
static double bench_rate(const lw_comm *self, bench_drive drive) {
    lw_sim_options o = bench_options(&drive, 1);
    bench b = bench_create(self, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_OK(lw_sim_advance(b.sim, 20, NULL));
    double rate = (double)lw_sim_stats_get(b.sim).spikes / (20.0 * (N_HID + N_OUT));
    bench_destroy(&b);
    return rate;
}

/* largest state after 150 steps on one rank */
static double bench_size(const lw_comm *self, bench_drive drive) {
    lw_sim_options o = bench_options(&drive, 1);
    bench b = bench_create(self, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_OK(lw_sim_advance(b.sim, N_FEED, NULL));
    double x[N_HID], size = 0;
    for (int i = 0; i < drive.model->n_state; i++) {
        lw_sim_state_get(b.sim, 1, i, x);
        for (int j = 0; j < N_HID; j++)
            size = isfinite(x[j]) ? fmax(size, fabs(x[j])) : INFINITY;
    }
    bench_destroy(&b);
    return size;
}

/* Every built-in model that can stand in a network (with inputs), and test models that use all of the language; NULL
 * behind the last. */
static inline const lw_model *bench_model_at(int i) {
    static const lw_model *const extra[] = {&lw_model_zoo, &lw_model_chain, &lw_model_tanh_unit};
    for (int m = 0; m < lw_model_builtin_count(); m++)
        if (lw_model_builtin_at(m)->n_input > 0 && i-- == 0) return lw_model_builtin_at(m);
    return i < 3 ? extra[i] : NULL;
}

static bench_drive bench_drive_of(const lw_comm *self, const lw_model *model) {
    bench_drive d = {.model = model, .input = 0.1, .weight = 0.1, .slope = model_slope(model)};
    /* maps and flows leave their attractor when kicked too hard */
    for (int i = 0; !model->emits_spikes && i < 8 && bench_size(self, d) > 1e6; i++)
        d.input = d.weight = d.input / 8;
    if (!model->emits_spikes) return d;
    for (int i = 0; i < 24 && bench_rate(self, d) < 0.08; i++)
        d.input = d.weight = 2 * d.input;
    return d;
}

#endif
