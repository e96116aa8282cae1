/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A network that has everything a checkpoint must bring back: refractory spiking neurons and graded ones, parameters
 * that are one number, drawn and learnable, multapses, one and many delays, one and many weights, a dense projection,
 * an empty one; and sums over ranks that tell whether two networks or engines are equal in all bits.
 */
#ifndef LAPWING_TEST_IO_CHECKPOINT_NET_H
#define LAPWING_TEST_IO_CHECKPOINT_NET_H

#include <lapwing/io.h>
#include "scratch.h"

#ifndef N_DEGREE
#define N_DEGREE 300 /* synapses of a neuron of I */
#endif
enum { N_E = 2600, N_I = 300, N_R = 7 };

static inline lw_dist test_dist(lw_dist_kind kind, double a, double b) {
    lw_dist d = lw_dist_number(a);
    d.kind = kind;
    d.p[1] = b;
    return d;
}

/* weight_type: of the learning projection too */
static inline lw_err test_net(const lw_comm *comm, lw_partition partition, lw_dtype weight_type, lw_net **out) {
    const lw_model *lif = lw_model_builtin("lif_delta"), *li = lw_model_builtin("li");
    lw_dist param_e[16], init_e[4];
    uint8_t has_init[4] = {1, 0, 0, 0}, learn_r[16] = {0};
    LW_ASSERT(lif && li && lif->n_param <= 16 && li->n_param <= 16);
    for (int i = 0; i < lif->n_param; i++)
        param_e[i] = lw_dist_number(lif->param[i].value);
    param_e[lw_model_param_find(lif, "tau_m")] = test_dist(LW_DIST_GAMMA, 4, 20);
    init_e[0] = test_dist(LW_DIST_UNIFORM, -70, -55);
    learn_r[lw_model_param_find(li, "tau_mem")] = 1;
    lw_population_spec pop[] = {
        {.name = "E", .model = lif, .size = N_E, .param = param_e, .init = init_e, .has_init = has_init},
        {.name = "I/2", .model = lif, .size = N_I}, /* a name that is no path */
        {.name = "R", .model = li, .size = N_R, .learn = learn_r},
    };
    lw_dist normal = test_dist(LW_DIST_NORMAL, 0.4, 0.2), few = test_dist(LW_DIST_UNIFORM, 0.1, 1.5);
    lw_projection_spec proj[] = {
        {.pre = 0,
            .post = 0,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 4,
            .autapses = true,
            .multapses = true,
            .weight = normal,
            .delay = few},
        {.pre = 1,
            .post = 0,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 2,
            .multapses = true,
            .weight = lw_dist_number(-1),
            .delay = lw_dist_number(0.7)},
        {.pre = 0,
            .post = 1,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = N_DEGREE,
            .multapses = true,
            .weight = lw_dist_number(0.5),
            .delay = few},
        {.pre = 0,
            .post = 2,
            .rule = LW_RULE_ALL_TO_ALL,
            .autapses = true,
            .learn = true,
            .weight = normal,
            .delay = lw_dist_number(0.1)},
        {.name = "none",
            .pre = 2,
            .post = 1,
            .rule = LW_RULE_PAIRWISE_BERNOULLI,
            .p = 0,
            .weight = lw_dist_number(0.25),
            .delay = lw_dist_number(0.1)},
    };
    lw_net_spec spec = {.seed = 77,
        .dt = 0.1,
        .n_pop = 3,
        .n_proj = 5,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = weight_type};
    return lw_net_create(comm, &spec, out);
}

static inline lw_err test_sim(lw_net *net, lw_sim **out) {
    lw_sim_options options = lw_sim_options_default();
    lw_stimulus_spec stimulus = {
        .kind = LW_STIMULUS_POISSON, .pop = 0, .amplitude = lw_dist_number(30), .weight = 0.4, .stop = -1};
    options.stimulus = &stimulus;
    options.n_stimuli = 1;
    return lw_sim_create(net, &options, out);
}

/* ---- digests: sums of mixed words, so neither order nor ranks matter */

static inline uint64_t test_mix(uint64_t h, uint64_t x) {
    h ^= x;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 32;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 29;
}
static inline uint64_t test_bits(double x) {
    uint64_t u = 0;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline uint64_t test_total(const lw_comm *comm, uint64_t sum) {
    int64_t s = (int64_t)sum;
    lw_comm_sum_i64(comm, &s, 1);
    return (uint64_t)s;
}

/* weights false: which synapses there are, but not what they weigh */
static inline uint64_t test_net_digest(const lw_net *net) {
    uint64_t sum = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view v = lw_net_pop(net, p);
        for (int64_t k = 0; k < v.n_local; k++) {
            uint64_t h = test_mix(test_mix((uint64_t)v.gid[k], (uint64_t)v.origin[k]), 1);
            for (int i = 0; i < v.model->n_param; i++)
                h = test_mix(test_mix(h, test_bits(v.param[i][k])), (uint64_t)(v.uniform[i] + 2 * v.learn[i]));
            for (int i = 0; i < v.model->n_state; i++)
                h = test_mix(h, test_bits(v.init[i][k]));
            sum += h;
        }
    }
    for (int i = 0; i < lw_net_n_proj(net); i++) {
        lw_proj_view v = lw_net_proj(net, i);
        lw_edge *edge = NULL;
        int64_t n = 0;
        CHECK_OK(lw_net_edges(net, i, &edge, NULL, &n));
        uint64_t kind =
            (uint64_t)(v.learn + 2 * v.dense + 4 * v.weight_one + 8 * (v.weight_type == LW_F64) + 16 * v.port);
        for (int64_t e = 0; e < n; e++) {
            uint64_t h = test_mix(test_mix((uint64_t)edge[e].target, (uint64_t)edge[e].source), (uint64_t)i);
            h = test_mix(test_mix(h, test_bits(edge[e].weight)), (uint64_t)edge[e].delay);
            sum += test_mix(test_mix(h, (uint64_t)edge[e].order), kind);
        }
        lw_free(edge);
        if (lw_comm_rank(lw_net_comm(net)) == 0)
            sum += test_mix(test_mix(kind, (uint64_t)v.n_edges_global), test_bits(v.weight_value));
    }
    return test_total(lw_net_comm(net), sum);
}

static inline uint64_t test_sim_digest(const lw_sim *sim) {
    const lw_net *net = lw_sim_net(sim);
    uint64_t sum = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view v = lw_net_pop(net, p);
        double *x = calloc((size_t)v.n_local + 1, sizeof *x);
        int32_t *held = calloc((size_t)v.n_local + 1, sizeof *held);
        for (int i = 0; i < v.model->n_state; i++) {
            lw_sim_state_get(sim, p, i, x);
            for (int64_t k = 0; k < v.n_local; k++)
                sum += test_mix(test_mix((uint64_t)v.gid[k], (uint64_t)i), test_bits(x[k]));
        }
        for (int32_t back = 1; back <= lw_net_delay_max(net); back++) {
            lw_sim_history_get(sim, p, back, x);
            for (int64_t k = 0; k < v.n_local; k++)
                sum += test_mix(test_mix((uint64_t)v.gid[k], (uint64_t)(1000 + back)), test_bits(x[k]));
        }
        if (v.model->has_refractory) lw_sim_refractory_get(sim, p, held);
        for (int64_t k = 0; k < v.n_local; k++)
            sum += test_mix(
                test_mix((uint64_t)v.gid[k], (uint64_t)held[k]), (uint64_t)lw_sim_spike_counts(sim)[v.lid_begin + k]);
        free(x);
        free(held);
    }
    return test_total(lw_net_comm(net), sum + lw_sim_stats_get(sim).spike_checksum);
}

/* A network and its engine on the first `ranks` ranks of the world; nothing elsewhere. */
typedef struct test_run {
    lw_comm *comm;
    lw_grid *grid;
    lw_net *net;
    lw_sim *sim;
} test_run;

static inline bool test_run_here(const lw_comm *world, int ranks, test_run *run) {
    *run = (test_run){0};
    CHECK_OK(lw_comm_split(world, lw_comm_rank(world) < ranks ? 0 : -1, lw_comm_rank(world), &run->comm));
    return run->comm != NULL;
}
static inline void test_run_start(test_run *run, lw_partition partition, lw_dtype weight_type) {
    CHECK_OK(lw_grid_create(run->comm, 1, &run->grid));
    CHECK_OK(test_net(run->grid->part, partition, weight_type, &run->net));
    CHECK_OK(test_sim(run->net, &run->sim));
}
static inline void test_run_end(test_run *run) {
    lw_sim_destroy(&run->sim);
    lw_net_destroy(&run->net);
    lw_grid_destroy(&run->grid);
    lw_comm_destroy(&run->comm);
}

static inline lw_comm *test_world(void) {
    lw_comm *world = NULL;
    int argc = 0;
    char **argv = NULL;
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    lw_log_setup(LW_LOG_ERROR, lw_comm_rank(world)); /* warnings are expected here */
    return world;
}

#endif
