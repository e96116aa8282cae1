/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network as others see it: who owns a neuron, which sources a rank needs, parameters and initial state, ranks
 * without neurons, counts.
 */
#include "fixture.h"

static lw_dist a_param[2], b_init[2];
static uint8_t learn_bias[2] = {0, 1}, init_v[2] = {1, 0};
static double bias_list[5] = {1, 2, 3, 4, 5};

/* Population a (37 neurons) with drawn parameters, b (5) with a list and drawn state, c (3) plain; random projections.
 */
static lw_net *build(const lw_comm *comm, lw_partition partition) {
    a_param[TAU] = dist(LW_DIST_GAMMA, 3, 20);
    a_param[BIAS] = lw_dist_number(4);
    b_init[V] = dist(LW_DIST_NORMAL, 0, 1);
    static lw_dist b_param[2];
    b_param[TAU] = lw_dist_number(10);
    b_param[BIAS] = (lw_dist){.kind = LW_DIST_LIST, .lo = -INFINITY, .hi = INFINITY, .list = bias_list, .n_list = 5};
    lw_population_spec pop[] = {{.name = "a", .model = &toy, .size = 37, .param = a_param, .learn = learn_bias},
        {.name = "b", .model = &toy, .size = 5, .param = b_param, .init = b_init, .has_init = init_v},
        {.name = "c", .model = &toy, .size = 3}};
    lw_projection_spec proj[] = {plain(0, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.05),
        plain(0, 1, LW_RULE_FIXED_INDEGREE, 4, 0), plain(1, 0, LW_RULE_FIXED_OUTDEGREE, 2, 0),
        plain(1, 0, LW_RULE_FIXED_INDEGREE, 1, 0), plain(0, 2, LW_RULE_ALL_TO_ALL, 0, 0)};
    proj[1].name = "named";
    proj[1].delay = lw_dist_number(3);
    proj[2].port = 1;
    proj[2].learn = true;
    proj[2].delay = dist(LW_DIST_UNIFORM, 2, 4);
    lw_net_spec spec = {.seed = 11,
        .dt = 0.5,
        .n_pop = 3,
        .n_proj = 5,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = LW_F64};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

TEST(names_and_sizes) {
    lw_net *net = build(world(), LW_PARTITION_BLOCK);
    CHECK_INT(lw_net_n_pop(net), 3);
    CHECK_INT(lw_net_n_proj(net), 5);
    CHECK_INT(lw_net_n_global(net), 45);
    CHECK_CLOSE(lw_net_dt(net), 0.5, 0);
    CHECK_INT(lw_net_seed(net), 11);
    CHECK_INT(lw_net_pop_find(net, "b"), 1);
    CHECK_INT(lw_net_pop_find(net, "nobody"), -1);
    CHECK_STR(lw_net_proj(net, 0).name, "a_a");
    CHECK_INT(lw_net_proj_find(net, "named"), 1);
    CHECK_STR(lw_net_proj(net, 2).name, "b_a");
    CHECK_STR(lw_net_proj(net, 3).name, "b_a_2");
    CHECK_INT(lw_net_proj(net, 2).port, 1);
    CHECK(lw_net_proj(net, 2).learn && !lw_net_proj(net, 3).learn);
    CHECK_INT(lw_net_delay_min(net), 2);
    CHECK_INT(lw_net_n_levels(net), 1);
    CHECK_INT(lw_net_partition(net), LW_PARTITION_BLOCK);
    CHECK_INT(lw_net_weight_type(net), LW_F64);
    lw_net_destroy(&net);
    CHECK(net == NULL);
}

/* Blocks and turns: the neurons a rank owns, told from the formulas. */
TEST(partitions_cut_as_promised) {
    int64_t rank = lw_comm_rank(world()), size = lw_comm_size(world());
    static const int64_t n[3] = {37, 5, 3};
    for (int kind = LW_PARTITION_BLOCK; kind <= LW_PARTITION_ROUND_ROBIN; kind++) {
        lw_net *net = build(world(), (lw_partition)kind);
        for (int p = 0; p < 3; p++) {
            lw_pop_view pop = lw_net_pop(net, p);
            int64_t k = 0;
            for (int64_t i = 0; i < n[p]; i++) {
                bool mine = kind == LW_PARTITION_BLOCK ? i >= n[p] * rank / size && i < n[p] * (rank + 1) / size
                                                       : i % size == rank;
                CHECK((lw_net_owner(net, pop.gid_begin + i) == rank) == mine);
                if (mine) CHECK(k < pop.n_local && pop.gid[k++] == pop.gid_begin + i);
            }
            CHECK_INT(k, pop.n_local);
        }
        lw_net_destroy(&net);
    }
}

/* lids ascend with gids, every neuron has one owner, and slots name the right lid: each rank asks the owner for its
 * gid. */
static void check_slots(const lw_net *net) {
    int64_t n_local = lw_net_n_local(net), sum = n_local;
    lw_slot_view slot = lw_net_slots(net);
    lw_comm_sum_i64(world(), &sum, 1);
    CHECK_INT(sum, lw_net_n_global(net));
    int64_t *gid = calloc((size_t)n_local + 1, sizeof *gid), *asked = calloc((size_t)slot.n + 1, sizeof *asked);
    for (int64_t i = 0; i < n_local; i++) {
        gid[i] = lw_net_gid(net, i);
        CHECK_INT(lw_net_owner(net, gid[i]), lw_comm_rank(world()));
        if (i > 0) CHECK(gid[i] > gid[i - 1]);
    }
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        for (int64_t k = 0; k < pop.n_local; k++)
            CHECK(pop.gid[k] == gid[pop.lid_begin + k] && pop.gid[k] >= pop.gid_begin &&
                  pop.gid[k] < pop.gid_begin + pop.size);
        for (int64_t s = pop.slot_begin; s < pop.slot_begin + pop.n_slots; s++)
            CHECK(slot.pop[s] == p && slot.gid[s] >= pop.gid_begin && slot.gid[s] < pop.gid_begin + pop.size);
    }
    lw_halo *halo = NULL;
    CHECK_OK(lw_halo_create(world(), n_local, slot.n, slot.owner, slot.owner_lid, &halo));
    lw_halo_rows_begin(halo, gid, sizeof *gid);
    lw_halo_rows_end(halo, asked);
    for (int64_t s = 0; s < slot.n; s++) {
        CHECK_INT(asked[s], slot.gid[s]);
        if (s > 0) CHECK(slot.gid[s] > slot.gid[s - 1]);
    }
    lw_halo_destroy(&halo);
    free(gid);
    free(asked);
}

/* A slot is there because some local synapse needs it, and every synapse finds its slot. */
static void check_needed(const lw_net *net) {
    lw_slot_view slot = lw_net_slots(net);
    uint8_t *needed = calloc((size_t)lw_net_n_global(net), 1);
    int64_t n_needed = 0;
    for (int p = 0; p < lw_net_n_proj(net); p++) {
        lw_edge *e = NULL;
        int64_t n = 0, begin = lw_net_pop(net, lw_net_proj(net, p).pre).gid_begin;
        CHECK_OK(lw_net_edges(net, p, &e, NULL, &n));
        for (int64_t i = 0; i < n; i++)
            needed[begin + e[i].source] = 1;
        lw_free(e);
    }
    for (int64_t g = 0; g < lw_net_n_global(net); g++)
        n_needed += needed[g];
    CHECK_INT(slot.n, n_needed);
    for (int64_t s = 0; s < slot.n; s++)
        CHECK(needed[slot.gid[s]]);
    free(needed);
}

TEST(slots_are_the_needed_sources) {
    for (int kind = LW_PARTITION_BLOCK; kind <= LW_PARTITION_SCOTCH; kind++) {
        lw_net *net = build(world(), (lw_partition)kind);
        check_slots(net);
        check_needed(net);
        lw_net_destroy(&net);
    }
}

TEST(parameters_and_state_follow_their_keys) {
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN);
    lw_pop_view a = lw_net_pop(net, 0), b = lw_net_pop(net, 1), c = lw_net_pop(net, 2);
    for (int64_t k = 0; k < a.n_local; k++) {
        CHECK_CLOSE(a.param[TAU][k], lw_dist_value(&a_param[TAU], 0, 11, LW_PURPOSE_PARAM, (uint64_t)a.gid[k], TAU), 0);
        CHECK_CLOSE(a.param[BIAS][k], 4, 0);
        CHECK_CLOSE(a.init[V][k], 4, 0); /* from the model, which starts v at the bias */
        CHECK_INT(a.origin[k], a.gid[k]);
    }
    CHECK(!a.uniform[TAU] && !a.uniform[BIAS] && a.learn[BIAS] &&
          !a.learn[TAU]); /* learnable parameters are not one number */
    for (int64_t k = 0; k < b.n_local; k++) {
        CHECK_CLOSE(b.param[BIAS][k], (double)(b.gid[k] - b.gid_begin + 1), 0);
        CHECK_CLOSE(b.init[V][k], lw_dist_value(&b_init[V], 0, 11, LW_PURPOSE_INIT, (uint64_t)b.gid[k], V), 0);
        CHECK_INT(b.origin[k], b.gid[k] - b.gid_begin);
    }
    CHECK(b.uniform[TAU] && !b.uniform[BIAS]);
    for (int64_t k = 0; k < c.n_local; k++)
        CHECK(c.param[TAU][k] == 20 && c.init[V][k] == -1);
    CHECK(c.uniform[TAU] && c.uniform[BIAS]);
    lw_net_destroy(&net);
}

/* One neuron that excites itself: most ranks own nothing. */
TEST(more_ranks_than_neurons) {
    lw_population_spec pop[] = {{.name = "one", .model = &toy, .size = 1}, {.name = "two", .model = &toy, .size = 2}};
    lw_projection_spec proj[] = {plain(0, 0, LW_RULE_ONE_TO_ONE, 0, 0), plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0),
        plain(1, 1, LW_RULE_FIXED_INDEGREE, 1, 0), plain(1, 1, LW_RULE_FIXED_OUTDEGREE, 1, 0),
        plain(0, 1, LW_RULE_EDGES, 0, 0)};
    proj[0].learn = true;
    for (int kind = LW_PARTITION_BLOCK; kind <= LW_PARTITION_SCOTCH; kind++) {
        lw_net_spec spec = {
            .seed = 1, .dt = 1, .n_pop = 2, .n_proj = 5, .pop = pop, .proj = proj, .partition = (lw_partition)kind};
        lw_net *net = NULL;
        CHECK_OK(lw_net_create(world(), &spec, &net));
        check_slots(net);
        check_needed(net);
        CHECK_INT(lw_net_n_edges_global(net), 1 + 2 + 2 + 2);
        lw_net_destroy(&net);
    }
}

/* The picture in the header: five neurons in a ring, on two ranks. */
TEST(five_neurons_on_two_ranks) {
    if (lw_comm_size(world()) != 2) return;
    static const int64_t lids[2] = {2, 3}, slots[2][3] = {{0, 4}, {1, 2, 3}}, lid_there[2][3] = {{0, 2}, {1, 0, 1}};
    static const int owner[2][3] = {{0, 1}, {0, 1, 1}};
    static const uint32_t target[2][3] = {{1, 0}, {0, 1, 2}};
    lw_edge edge[5];
    for (int i = 0; i < 5; i++)
        edge[i] = (lw_edge){.target = (i + 1) % 5, .source = i, .weight = 1, .delay = 1};
    int rank = lw_comm_rank(world());
    lw_population_spec pop = {.name = "ring", .model = &toy, .size = 5};
    lw_projection_spec proj = plain(0, 0, LW_RULE_EDGES, 0, 0);
    proj.edges = edge;
    proj.n_edges = rank == 0 ? 5 : 0;
    lw_net_spec spec = {.dt = 1, .n_pop = 1, .n_proj = 1, .pop = &pop, .proj = &proj};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    CHECK_OK(lw_net_unbundle(net));
    lw_slot_view slot = lw_net_slots(net);
    lw_proj_view view = lw_net_proj(net, 0);
    CHECK_INT(lw_net_n_local(net), lids[rank]);
    CHECK_INT(slot.n, lids[rank]);
    CHECK_INT(view.n_slices, 1);
    for (int i = 0; i < lids[rank]; i++) {
        CHECK_INT(slot.gid[i], slots[rank][i]);
        CHECK_INT(slot.owner[i], owner[rank][i]);
        CHECK_INT(slot.owner_lid[i], lid_there[rank][i]);
        CHECK_INT(view.slice[0].row_begin[i], i);
        CHECK_INT(view.target[i], target[rank][i]);
    }
    lw_net_destroy(&net);
}

TEST(stats_count_everything) {
    lw_net *net = build(world(), LW_PARTITION_BLOCK);
    lw_net_stats s = lw_net_stats_get(net);
    lw_slot_view slot = lw_net_slots(net);
    int64_t remote = 0, here = 0, most, sum;
    for (int64_t i = 0; i < slot.n; i++)
        remote += slot.owner[i] != lw_comm_rank(world());
    for (int p = 0; p < lw_net_n_proj(net); p++)
        here += lw_net_proj(net, p).n_edges;
    most = sum = here;
    lw_comm_sum_i64(world(), &remote, 1);
    lw_comm_sum_i64(world(), &sum, 1);
    lw_comm_max_i64(world(), &most, 1);
    CHECK_INT(s.neurons, 45);
    CHECK_INT(s.synapses, sum);
    CHECK_INT(s.slots_remote, remote);
    CHECK_REL(s.balance, (double)most * lw_comm_size(world()) / (double)sum, 1e-12);
    if (lw_comm_size(world()) == 1) CHECK_INT(s.slots_remote, 0);
    CHECK(s.bytes_neurons > 0 && s.bytes_synapses >= 4 * here / 2);
    lw_net_destroy(&net);
}

CHECK_MAIN(CASE(names_and_sizes), CASE(partitions_cut_as_promised), CASE(slots_are_the_needed_sources),
    CASE(parameters_and_state_follow_their_keys), CASE(more_ranks_than_neurons), CASE(five_neurons_on_two_ranks),
    CASE(stats_count_everything))
