/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The compact network equals a filter of the lists of neurons and synapses, written here the slow way; counts are
 * exact.
 */
#include "fixture.h"

enum { N_A = 40, N_B = 25, N_PROJ = 5 };

static lw_net *build(lw_partition partition, lw_dtype type) {
    static lw_dist param[2], init[2];
    static uint8_t has_init[2] = {1, 1}, learn[2] = {1, 0};
    param[TAU] = dist(LW_DIST_GAMMA, 3, 20);
    param[BIAS] = lw_dist_number(2);
    init[V] = init[I] = dist(LW_DIST_NORMAL, 0, 1);
    lw_population_spec pop[] = {
        {.name = "a", .model = &toy, .size = N_A, .param = param, .init = init, .has_init = has_init, .learn = learn},
        {.name = "b", .model = &toy, .size = N_B}};
    lw_projection_spec proj[N_PROJ] = {plain(0, 0, LW_RULE_FIXED_INDEGREE, 12, 0),
        plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0), plain(1, 0, LW_RULE_ALL_TO_ALL, 0, 0),
        plain(1, 1, LW_RULE_FIXED_OUTDEGREE, 60, 0), plain(1, 0, LW_RULE_ONE_TO_ONE, 0, 0)};
    proj[0].weight = dist(LW_DIST_NORMAL, 1, 1);
    proj[0].zero_mean = true;
    proj[0].delay = dist(LW_DIST_UNIFORM, 1, 5);
    proj[1].weight = dist(LW_DIST_NORMAL, 1, 1);
    proj[1].learn = true;
    proj[1].name = "learned";
    proj[1].port = 1;
    proj[2].weight = lw_dist_number(0.25);
    proj[3].delay = dist(LW_DIST_UNIFORM, 1, 3);
    proj[3].weight = dist(LW_DIST_NORMAL, 1, 1);
    proj[4] = plain(1, 1, LW_RULE_ONE_TO_ONE, 0, 0);
    lw_net_spec spec = {.seed = 4,
        .dt = 1,
        .n_pop = 2,
        .n_proj = N_PROJ,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = type};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

static bool neuron_stays(int64_t gid, int round) {
    return mix((uint64_t)gid * 31 + (uint64_t)round) % 5 < 3 || gid % 13 == 0;
}
static bool edge_stays(int proj, const lw_edge *e, int round) {
    if (proj == 1 || proj == 2) return true;
    return edge_digest(proj + round, e) % 4 != 0;
}

/* Keep flags of this rank from the functions above; edges false: NULL for the synapses. */
typedef struct flags {
    uint8_t *neuron, *edge[N_PROJ];
} flags;
static flags flags_create(const lw_net *net, int round, bool edges) {
    flags f = {.neuron = calloc((size_t)lw_net_n_local(net) + 1, 1)};
    for (int64_t i = 0; i < lw_net_n_local(net); i++)
        f.neuron[i] = neuron_stays(lw_net_gid(net, i), round);
    for (int p = 0; p < N_PROJ && edges; p++) {
        lw_edge *e = NULL;
        int64_t *number = NULL, n = 0;
        CHECK_OK(lw_net_edges(net, p, &e, &number, &n));
        f.edge[p] = calloc((size_t)n + 1, 1);
        for (int64_t i = 0; i < n; i++)
            f.edge[p][number[i]] = edge_stays(p, &e[i], round);
        lw_free(e);
        lw_free(number);
    }
    return f;
}
static void flags_free(flags *f) {
    free(f->neuron);
    for (int p = 0; p < N_PROJ; p++)
        free(f->edge[p]);
}

/* new_index[gid] within the population, -1 when it leaves. */
static void renumber(const lw_net *net, int round, int64_t *new_index) {
    for (int p = 0; p < 2; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        int64_t next = 0;
        for (int64_t g = pop.gid_begin; g < pop.gid_begin + pop.size; g++)
            new_index[g] = neuron_stays(g, round) ? next++ : -1;
    }
}

/* Every synapse of `small` is the filtered list of `net`, one after the other. */
static void check_edges(const lw_net *net, const lw_net *small, int round, const int64_t *new_index, bool edges) {
    for (int p = 0; p < N_PROJ; p++) {
        int64_t n = 0, n_small = 0, at = 0;
        lw_edge *all = all_edges(net, p, &n), *kept = all_edges(small, p, &n_small);
        int64_t pre = lw_net_pop(net, lw_net_proj(net, p).pre).gid_begin,
                post = lw_net_pop(net, lw_net_proj(net, p).post).gid_begin;
        for (int64_t i = 0; i < n; i++) {
            int64_t target = new_index[post + all[i].target], source = new_index[pre + all[i].source];
            if (target < 0 || source < 0 || (edges && !edge_stays(p, &all[i], round))) continue;
            CHECK(at < n_small && kept[at].target == target && kept[at].source == source &&
                  kept[at].weight == all[i].weight && kept[at].delay == all[i].delay);
            at++;
        }
        CHECK_INT(at, n_small);
        CHECK_INT(lw_net_proj(small, p).n_edges_global, at);
        lw_free(all);
        lw_free(kept);
    }
}

/* Parameters, state and origin of kept neurons, looked up by origin in the first network on one rank. */
static void check_neurons(const lw_net *first, const lw_net *small) {
    for (int p = 0; p < 2; p++) {
        lw_pop_view pop = lw_net_pop(small, p), was = lw_net_pop(first, p);
        for (int64_t k = 0; k < pop.n_local; k++) {
            int64_t o = pop.origin[k];
            for (int i = 0; i < 2; i++)
                CHECK(pop.param[i][k] == was.param[i][o] && pop.init[i][k] == was.init[i][o]);
            CHECK(k == 0 || pop.origin[k] > pop.origin[k - 1]);
        }
        CHECK(memcmp(pop.learn, was.learn, 2) == 0 && memcmp(pop.uniform, was.uniform, 2) == 0);
        CHECK_STR(pop.name, was.name);
    }
}

TEST(compact_is_a_filter) {
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        for (int edges = 0; edges < 2; edges++) {
            lw_net *net = build((lw_partition)partition, edges ? LW_F32 : LW_F64), *small = NULL;
            int64_t new_index[N_A + N_B];
            if (edges) CHECK_OK(lw_net_unbundle(net));
            flags f = flags_create(net, 0, edges);
            renumber(net, 0, new_index);
            CHECK_OK(lw_net_compact(net, f.neuron, edges ? (const uint8_t *const *)f.edge : NULL, &small));
            check_edges(net, small, 0, new_index, edges);
            if (lw_comm_size(world()) == 1) check_neurons(net, small);
            CHECK_INT(lw_net_partition(small), partition);
            CHECK(lw_net_proj(small, 1).learn && lw_net_proj(small, 1).port == 1);
            CHECK_STR(lw_net_proj(small, 1).name, "learned");
            CHECK(lw_net_proj(small, 1).dense && lw_net_proj(small, 2).dense); /* all pairs are still there */
            CHECK(lw_net_proj(small, 2).weight_one && lw_net_proj(small, 4).weight_one);
            CHECK(!lw_net_proj(small, 0).dense && !lw_net_proj(small, 3).dense);
            flags_free(&f);
            lw_net_destroy(&net);
            lw_net_destroy(&small);
        }
    }
}

TEST(compact_of_compact_composes) {
    lw_net *net = build(LW_PARTITION_ROUND_ROBIN, LW_F64), *small = NULL, *smaller = NULL;
    CHECK_OK(lw_net_unbundle(net));
    flags f = flags_create(net, 0, true);
    CHECK_OK(lw_net_compact(net, f.neuron, (const uint8_t *const *)f.edge, &small));
    flags_free(&f);
    CHECK_OK(lw_net_unbundle(small));
    f = flags_create(small, 1, true);
    int64_t new_index[N_A + N_B];
    renumber(small, 1, new_index);
    CHECK_OK(lw_net_compact(small, f.neuron, (const uint8_t *const *)f.edge, &smaller));
    check_edges(small, smaller, 1, new_index, true);
    if (lw_comm_size(world()) == 1) check_neurons(net, smaller);
    flags_free(&f);
    lw_net_destroy(&net);
    lw_net_destroy(&small);
    lw_net_destroy(&smaller);
}

/* The compact network is the same on any ranks and with any partition. */
TEST(compact_does_not_depend_on_ranks) {
    uint64_t digest[3];
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        lw_net *net = build((lw_partition)partition, LW_F64), *small = NULL;
        CHECK_OK(lw_net_unbundle(net));
        flags f = flags_create(net, 2, true);
        CHECK_OK(lw_net_compact(net, f.neuron, (const uint8_t *const *)f.edge, &small));
        digest[partition] = net_digest(small);
        flags_free(&f);
        lw_net_destroy(&net);
        lw_net_destroy(&small);
    }
    CHECK(digest[0] == digest[1] && digest[1] == digest[2]);
}

TEST(keeping_all_keeps_all) {
    lw_net *net = build(LW_PARTITION_BLOCK, LW_F32), *same = NULL;
    CHECK_OK(lw_net_compact(net, NULL, NULL, &same));
    CHECK(net_digest(same) == net_digest(net));
    for (int p = 0; p < N_PROJ; p++) {
        lw_proj_view x = lw_net_proj(net, p), y = lw_net_proj(same, p);
        CHECK(x.dense == y.dense && x.weight_one == y.weight_one && x.n_slices == y.n_slices && x.n_rows == y.n_rows);
    }
    lw_net_destroy(&net);
    lw_net_destroy(&same);
}

/* Flags of one projection alone; a projection that loses everything keeps its number. */
TEST(one_projection_emptied) {
    lw_net *net = build(LW_PARTITION_BLOCK, LW_F64), *small = NULL;
    uint8_t *none = calloc((size_t)lw_net_proj(net, 2).n_edges + 1, 1);
    const uint8_t *keep[N_PROJ] = {NULL, NULL, none, NULL, NULL};
    CHECK_OK(lw_net_compact(net, NULL, keep, &small));
    CHECK_INT(lw_net_proj(small, 2).n_edges_global, 0);
    CHECK(lw_net_proj(small, 2).weight_one && lw_net_proj(small, 2).weight_value == 0.25);
    CHECK_INT(lw_net_n_edges_global(small), lw_net_n_edges_global(net) - N_A * N_B);
    free(none);
    lw_net_destroy(&net);
    lw_net_destroy(&small);
}

TEST(empty_population_is_refused) {
    lw_net *net = build(LW_PARTITION_BLOCK, LW_F64), *small = NULL;
    uint8_t *keep = calloc((size_t)lw_net_n_local(net) + 1, 1);
    for (int64_t i = 0; i < lw_net_pop(net, 0).n_local; i++)
        keep[i] = 1;
    CHECK_FAILS(lw_net_compact(net, keep, NULL, &small), LW_EUSE, "population \"b\"");
    CHECK(small == NULL);
    free(keep);
    lw_net_destroy(&net);
}

CHECK_MAIN(CASE(compact_is_a_filter), CASE(compact_of_compact_composes), CASE(compact_does_not_depend_on_ranks),
    CASE(keeping_all_keeps_all), CASE(one_projection_emptied), CASE(empty_population_is_refused))
