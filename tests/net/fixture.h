/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What the tests of this floor share: a model written by hand (data only, its kernels are never called here), the
 * world's communicator, and digests that do not depend on ranks or storage.
 */
#ifndef LAPWING_TEST_NET_FIXTURE_H
#define LAPWING_TEST_NET_FIXTURE_H

#include <lapwing/net.h>
#include "check.h"

enum { TAU, BIAS }; /* parameters of the model */
enum { V, I };      /* states */

static inline void toy_init(int64_t n, double dt, const double *const *param, double *const *state) {
    for (int64_t k = 0; k < n; k++) {
        state[V][k] = param[BIAS][k];
        state[I][k] = 0;
    }
}

static const lw_model_param toy_param[] = {
    {.name = "tau", .unit = "ms", .value = 20, .scale = 1, .lo = 0, .hi = INFINITY, .lo_open = 1},
    {.name = "bias", .unit = "mV", .value = -1, .scale = 1, .lo = -INFINITY, .hi = INFINITY}};
static const lw_model_name toy_state[] = {{.name = "v"}, {.name = "i"}}, toy_input[] = {{.name = "x"}, {.name = "y"}};
static const lw_model toy = {.abi = LW_KERNEL_ABI,
    .name = "toy",
    .n_param = 2,
    .n_state = 2,
    .n_input = 2,
    .param = toy_param,
    .state = toy_state,
    .input = toy_input,
    .emits_spikes = 1,
    .refractory_coef = -1,
    .init = toy_init};

static inline lw_comm *world(void) {
    static lw_comm *comm;
    if (!comm && lw_comm_start(NULL, NULL, &comm) != LW_OK) abort();
    return comm;
}

static inline uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}
static inline uint64_t mix_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return mix(bits + 1);
}
static inline uint64_t edge_digest(int proj, const lw_edge *e) {
    uint64_t h = mix((uint64_t)proj + 17);
    h = mix(h ^ (uint64_t)e->target);
    h = mix(h ^ (uint64_t)e->source << 1);
    h = mix(h ^ (uint64_t)e->order);
    return mix(h ^ mix_double(e->weight) ^ mix((uint64_t)e->delay + 99));
}

/* Sum over ranks, of everything the specification determines. Collective. */
static inline uint64_t net_digest(const lw_net *net) {
    int64_t sum = 0;
    for (int p = 0; p < lw_net_n_proj(net); p++) {
        lw_edge *edge = NULL;
        int64_t n = 0;
        CHECK_OK(lw_net_edges(net, p, &edge, NULL, &n));
        for (int64_t k = 0; k < n; k++)
            sum = (int64_t)((uint64_t)sum + edge_digest(p, &edge[k]));
        lw_free(edge);
    }
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        for (int64_t k = 0; k < pop.n_local; k++) {
            uint64_t h = mix((uint64_t)pop.gid[k] + 5) ^ mix((uint64_t)pop.origin[k] << 20);
            for (int i = 0; i < pop.model->n_param; i++)
                h = mix(h ^ mix_double(pop.param[i][k]) ^ pop.uniform[i] ^ (uint64_t)pop.learn[i] << 1);
            for (int i = 0; i < pop.model->n_state; i++)
                h = mix(h ^ mix_double(pop.init[i][k]));
            sum = (int64_t)((uint64_t)sum + h);
        }
    }
    lw_comm_sum_i64(lw_net_comm(net), &sum, 1);
    return (uint64_t)sum;
}

/* All synapses of a projection on every rank, in canonical order of (target, source, order). Collective; lw_free. */
static inline int fixture_order(const void *a, const void *b) {
    const lw_edge *x = a, *y = b;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return x->order - y->order;
}
static inline lw_edge *all_edges(const lw_net *net, int proj, int64_t *n) {
    lw_edge *mine = NULL, *all = NULL;
    int64_t n_mine = 0, bytes = 0;
    CHECK_OK(lw_net_edges(net, proj, &mine, NULL, &n_mine));
    CHECK_OK(lw_comm_allgatherv(lw_net_comm(net), mine, n_mine * (int64_t)sizeof *mine, (void **)&all, &bytes));
    *n = bytes / (int64_t)sizeof *all;
    qsort(all, (size_t)*n, sizeof *all, fixture_order);
    lw_free(mine);
    return all;
}

static inline lw_dist dist(lw_dist_kind kind, double a, double b) {
    lw_dist d = {.kind = kind, .p = {a, b}, .lo = -INFINITY, .hi = INFINITY};
    return d;
}

/* A projection a user would call plain: weight 1, delay 1 ms, everything allowed. */
static inline lw_projection_spec plain(int pre, int post, lw_rule rule, int64_t n, double p) {
    lw_projection_spec s = {.pre = pre,
        .post = post,
        .rule = rule,
        .n = n,
        .p = p,
        .autapses = true,
        .multapses = true,
        .weight = lw_dist_number(1),
        .delay = lw_dist_number(1)};
    return s;
}

/* Collective. */
static inline lw_net *fixture_build(const lw_comm *comm, lw_partition partition, uint64_t seed, double dt,
    lw_population_spec *pop, int n_pop, const lw_projection_spec *proj, int n_proj) {
    lw_net_spec spec = {.seed = seed,
        .dt = dt,
        .n_pop = n_pop,
        .n_proj = n_proj,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = LW_F64};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

/* The same network on one rank and on all, for every partition. Collective. */
static inline void fixture_any_ranks(
    uint64_t seed, double dt, lw_population_spec *pop, int n_pop, const lw_projection_spec *proj, int n_proj) {
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    lw_net *alone = fixture_build(self, LW_PARTITION_BLOCK, seed, dt, pop, n_pop, proj, n_proj);
    uint64_t expected = net_digest(alone);
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        lw_net *net = fixture_build(world(), (lw_partition)partition, seed, dt, pop, n_pop, proj, n_proj);
        CHECK(net_digest(net) == expected);
        lw_net_destroy(&net);
    }
    lw_net_destroy(&alone);
    lw_comm_destroy(&self);
}

#endif
