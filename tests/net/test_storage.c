/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Slices, rows and weights: that they hold what lw_net_edges lists, in the promised order, densely where they may, and
 * the same after a network was written out and read back.
 */
#include "fixture.h"

enum { N_A = 30, N_B = 20 };
static lw_population_spec pops[] = {
    {.name = "a", .model = &toy, .size = N_A}, {.name = "b", .model = &toy, .size = N_B}};

static lw_net *build(const lw_projection_spec *proj, int n_proj, lw_partition partition, lw_dtype type) {
    lw_net_spec spec = {.seed = 2,
        .dt = 0.1,
        .n_pop = 2,
        .n_proj = n_proj,
        .pop = pops,
        .proj = proj,
        .partition = partition,
        .weight_type = type};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

/* All kinds of storage: dense, dense without weights, sparse with one and several delays, without weights, multapses.
 */
enum { N_KINDS = 6 };
static void kinds(lw_projection_spec *proj) {
    proj[0] = plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[0].weight = dist(LW_DIST_UNIFORM, 0, 1);
    proj[1] = plain(0, 0, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[2] = plain(0, 0, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[2].autapses = false;
    proj[2].weight = dist(LW_DIST_UNIFORM, 0, 1);
    proj[3] = plain(1, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.4);
    proj[3].delay = dist(LW_DIST_NORMAL, 0.4, 0.2);
    proj[4] = plain(1, 1, LW_RULE_FIXED_INDEGREE, 60, 0);
    proj[4].weight = dist(LW_DIST_NORMAL, 0, 1);
    proj[4].delay = dist(LW_DIST_UNIFORM, 0.1, 0.5);
    proj[5] = plain(1, 0, LW_RULE_FIXED_OUTDEGREE, 4, 0);
    proj[5].weight = lw_dist_number(0.3);
    proj[5].learn = true;
}

/* Slices ascend, tile the edges, rows tile the slices, targets ascend in a row; each edge equals the listed one. */
static void check_slices(const lw_net *net, int index) {
    lw_proj_view proj = lw_net_proj(net, index);
    lw_pop_view pre = lw_net_pop(net, proj.pre), post = lw_net_pop(net, proj.post);
    lw_slot_view slot = lw_net_slots(net);
    lw_edge *edge = NULL, *listed = calloc((size_t)proj.n_edges + 1, sizeof *listed);
    int64_t *number = NULL, n = 0, at = 0;
    CHECK_INT(proj.n_rows, pre.n_slots);
    CHECK_OK(lw_net_edges(net, index, &edge, &number, &n));
    CHECK_INT(n, proj.n_edges);
    for (int64_t i = 0; i < n; i++) {
        CHECK(number[i] >= 0 && number[i] < n);
        listed[number[i]] = edge[i];
        if (i > 0) CHECK(fixture_order(&edge[i - 1], &edge[i]) < 0);
    }
    for (int s = 0; s < proj.n_slices; s++) {
        const lw_slice *slice = &proj.slice[s];
        CHECK_INT(slice->edge_begin, at);
        if (s > 0) CHECK(slice->delay > proj.slice[s - 1].delay);
        for (int64_t r = 0; r < proj.n_rows; r++) {
            int64_t begin = proj.dense ? r * post.n_local : slice->row_begin[r];
            int64_t end = proj.dense ? begin + post.n_local : slice->row_begin[r + 1];
            CHECK_INT(begin, at);
            for (; at < end && at < n; at++) {
                int64_t target = proj.dense ? at - begin : proj.target[at];
                CHECK(target < post.n_local && (at == begin || proj.dense || proj.target[at] >= proj.target[at - 1]));
                CHECK_INT(listed[at].source, slot.gid[pre.slot_begin + r] - pre.gid_begin);
                CHECK_INT(listed[at].target, post.gid[target] - post.gid_begin);
                CHECK_INT(listed[at].delay, slice->delay);
                CHECK_CLOSE(listed[at].weight, lw_net_weight(&proj, at), 0);
            }
        }
        CHECK_INT(slice->edge_end, at);
    }
    CHECK_INT(at, n);
    lw_free(edge);
    lw_free(number);
    free(listed);
}

TEST(slices_hold_the_listed_edges) {
    lw_projection_spec proj[N_KINDS];
    kinds(proj);
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        for (int type = 0; type < 2; type++) {
            lw_net *net = build(proj, N_KINDS, (lw_partition)partition, (lw_dtype)type);
            CHECK_OK(lw_net_unbundle(net));
            for (int i = 0; i < N_KINDS; i++)
                check_slices(net, i);
            lw_net_destroy(&net);
        }
    }
}

TEST(storage_is_as_small_as_it_may_be) {
    lw_projection_spec proj[N_KINDS];
    kinds(proj);
    lw_net *net = build(proj, N_KINDS, LW_PARTITION_BLOCK, LW_F32);
    static const bool dense[N_KINDS] = {true, true, false, false, false, false},
                      one[N_KINDS] = {false, true, false, true, false, false};
    for (int i = 0; i < N_KINDS; i++) {
        lw_proj_view p = lw_net_proj(net, i);
        CHECK_INT(p.dense, dense[i]);
        CHECK_INT(p.bundled, i == 2 || i == 3 || i == 4);
        CHECK_INT(p.target == NULL, dense[i] || p.bundled);
        CHECK_INT(p.weight_one, one[i]);
        CHECK_INT(p.weight == NULL, one[i] || p.bundled);
        CHECK_INT(p.weight_type, LW_F32);
        if (one[i]) CHECK_CLOSE(p.weight_value, 1, 0);
        if (dense[i]) CHECK(p.n_slices == 1 && p.slice[0].row_begin == NULL && p.slice[0].delay == 10);
    }
    CHECK_INT(lw_net_proj(net, 0).n_edges_global, N_A * N_B);
    CHECK_INT(lw_net_proj(net, 2).n_edges_global, N_A * (N_A - 1));
    lw_net_destroy(&net);
}

/* Listing a network and giving the list back makes the same network with the same storage, whatever the types. */
TEST(reading_back_gives_the_same_storage) {
    lw_projection_spec proj[N_KINDS], again[N_KINDS];
    kinds(proj);
    for (int type = 0; type < 2; type++) {
        lw_net *net = build(proj, N_KINDS, LW_PARTITION_ROUND_ROBIN, (lw_dtype)type);
        for (int i = 0; i < N_KINDS; i++) {
            lw_edge *edge = NULL;
            again[i] = proj[i];
            again[i].rule = LW_RULE_EDGES;
            CHECK_OK(lw_net_edges(net, i, &edge, NULL, &again[i].n_edges));
            again[i].edges = edge;
        }
        lw_net *back = build(again, N_KINDS, LW_PARTITION_ROUND_ROBIN, (lw_dtype)type);
        CHECK(net_digest(back) == net_digest(net));
        for (int i = 0; i < N_KINDS; i++)
            CHECK_INT(lw_net_proj(net, i).bundled, lw_net_proj(back, i).bundled);
        CHECK_INT(lw_net_stats_get(net).bytes_synapses, lw_net_stats_get(back).bytes_synapses);
        CHECK_OK(lw_net_unbundle(net));
        CHECK_OK(lw_net_unbundle(back));
        for (int i = 0; i < N_KINDS; i++) {
            lw_proj_view p = lw_net_proj(net, i), q = lw_net_proj(back, i);
            CHECK(p.dense == q.dense && p.weight_one == q.weight_one && p.n_slices == q.n_slices &&
                  p.n_edges == q.n_edges);
            CHECK(p.n_rows == q.n_rows && p.weight_value == q.weight_value);
            if (p.weight && q.weight)
                CHECK(memcmp(p.weight, q.weight, (size_t)p.n_edges * lw_dtype_size(p.weight_type)) == 0);
            if (p.target && q.target) CHECK(memcmp(p.target, q.target, (size_t)p.n_edges * sizeof *p.target) == 0);
            lw_free((void *)again[i].edges);
        }
        lw_net_destroy(&net);
        lw_net_destroy(&back);
    }
}

/* Lists of weights: by target for one_to_one, by target and source for all_to_all. */
TEST(lists_of_weights) {
    double by_target[N_A], by_pair[N_A * N_B];
    for (int i = 0; i < N_A; i++)
        by_target[i] = i;
    for (int i = 0; i < N_A * N_B; i++)
        by_pair[i] = i;
    lw_projection_spec proj[] = {plain(0, 0, LW_RULE_ONE_TO_ONE, 0, 0), plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0)};
    proj[0].weight = (lw_dist){.kind = LW_DIST_LIST, .lo = -INFINITY, .hi = INFINITY, .list = by_target, .n_list = N_A};
    proj[1].weight =
        (lw_dist){.kind = LW_DIST_LIST, .lo = -INFINITY, .hi = INFINITY, .list = by_pair, .n_list = N_A * N_B};
    lw_net *net = build(proj, 2, LW_PARTITION_BLOCK, LW_F64);
    for (int i = 0; i < 2; i++) {
        int64_t n = 0;
        lw_edge *e = all_edges(net, i, &n);
        for (int64_t k = 0; k < n; k++)
            CHECK_CLOSE(e[k].weight, (double)(i ? e[k].target * N_A + e[k].source : e[k].target), 0);
        lw_free(e);
    }
    lw_net_destroy(&net);
}

/* Delays: rounded to steps, at least one, but 0 stays 0. */
TEST(delays_become_steps) {
    static const double ms[] = {0, 1e-9, 0.04, 0.1, 0.149, 0.151, 25};
    static const int steps[] = {0, 1, 1, 1, 1, 2, 250};
    for (int i = 0; i < 7; i++) {
        lw_projection_spec proj = plain(0, 1, LW_RULE_FIXED_INDEGREE, 3, 0);
        proj.delay = lw_dist_number(ms[i]);
        lw_net *net = build(&proj, 1, LW_PARTITION_BLOCK, LW_F64);
        CHECK_OK(lw_net_unbundle(net));
        lw_proj_view p = lw_net_proj(net, 0);
        if (p.n_slices > 0) CHECK_INT(p.slice[0].delay, steps[i]);
        CHECK_INT(p.n_slices, p.n_edges > 0);
        CHECK_INT(lw_net_delay_min(net), steps[i] > 0 ? steps[i] : 1);
        CHECK_INT(lw_net_delay_max(net), steps[i] > 0 ? steps[i] : 1);
        CHECK_INT(lw_net_n_levels(net), steps[i] > 0 ? 1 : 2);
        lw_net_destroy(&net);
    }
}

TEST(weight_array_on_request) {
    lw_projection_spec proj[N_KINDS];
    kinds(proj);
    proj[1].weight = lw_dist_number(0.5);
    for (int type = 0; type < 2; type++) {
        lw_net *net = build(proj, N_KINDS, LW_PARTITION_BLOCK, (lw_dtype)type);
        CHECK_OK(lw_net_unbundle(net));
        uint64_t before = net_digest(net);
        for (int i = 0; i < N_KINDS; i++) {
            CHECK_OK(lw_net_weight_array(net, i));
            CHECK(!lw_net_proj(net, i).weight_one && lw_net_proj(net, i).weight);
        }
        CHECK(net_digest(net) == before);
        lw_net_destroy(&net);
    }
}

CHECK_MAIN(CASE(slices_hold_the_listed_edges), CASE(storage_is_as_small_as_it_may_be),
    CASE(reading_back_gives_the_same_storage), CASE(lists_of_weights), CASE(delays_become_steps),
    CASE(weight_array_on_request))
