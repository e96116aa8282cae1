/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules: each draws the same synapses whatever the ranks and the partition (compared with the network of one process),
 * and they are those of a slow twin, or have the degrees and the statistics that the rule promises.
 */
#include "fixture.h"

enum { N_A = 61, N_B = 40, N_RULES = 12 };

static lw_population_spec pops[] = {{.name = "a", .model = &toy, .size = N_A},
    {.name = "b", .model = &toy, .size = N_B}, {.name = "c", .model = &toy, .size = N_B}};

/* One projection of every kind, with drawn weights and delays. */
static void every_rule(lw_projection_spec *proj) {
    lw_projection_spec p[N_RULES] = {
        plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0),
        plain(0, 0, LW_RULE_ALL_TO_ALL, 0, 0),
        plain(1, 2, LW_RULE_ONE_TO_ONE, 0, 0),
        plain(0, 0, LW_RULE_FIXED_INDEGREE, 13, 0),
        plain(0, 0, LW_RULE_FIXED_INDEGREE, 50, 0),
        plain(1, 0, LW_RULE_FIXED_INDEGREE, 90, 0),
        plain(0, 0, LW_RULE_FIXED_OUTDEGREE, 9, 0),
        plain(0, 1, LW_RULE_FIXED_OUTDEGREE, 70, 0),
        plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.2),
        plain(0, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.5),
        plain(0, 0, LW_RULE_SMALL_WORLD, 6, 0.3),
        plain(0, 0, LW_RULE_SMALL_WORLD, 10, 0.3),
    };
    p[1].autapses = false;
    p[3].autapses = p[3].multapses = false;
    p[4].multapses = false;
    p[6].autapses = p[6].multapses = false;
    p[9].autapses = false;
    p[10].autapses = p[10].multapses = false;
    for (int i = 0; i < N_RULES; i++) {
        p[i].weight = dist(LW_DIST_NORMAL, 0.5, 2);
        p[i].zero_mean = i % 3 == 1;
        p[i].learn = i % 4 == 0;
        if (i > 0) p[i].delay = dist(LW_DIST_UNIFORM, 0.5, 3);
        proj[i] = p[i];
    }
}

static lw_net *build(
    const lw_comm *comm, lw_partition partition, lw_dtype type, const lw_projection_spec *proj, int n_proj) {
    lw_net_spec spec = {.seed = 7,
        .dt = 0.5,
        .n_pop = 3,
        .n_proj = n_proj,
        .pop = pops,
        .proj = proj,
        .partition = partition,
        .weight_type = type};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

TEST(same_network_on_any_ranks_and_partition) {
    lw_projection_spec proj[N_RULES];
    lw_comm *self = NULL;
    every_rule(proj);
    CHECK_OK(lw_comm_self(&self));
    for (int type = 0; type < 2; type++) {
        lw_net *alone = build(self, LW_PARTITION_BLOCK, (lw_dtype)type, proj, N_RULES);
        uint64_t expected = net_digest(alone);
        for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
            lw_net *net = build(world(), (lw_partition)partition, (lw_dtype)type, proj, N_RULES);
            CHECK(net_digest(net) == expected);
            CHECK_INT(lw_net_n_edges_global(net), lw_net_n_edges_global(alone));
            CHECK_INT(lw_net_delay_min(net), 1);
            CHECK_INT(lw_net_delay_max(net), lw_net_delay_max(alone));
            lw_net_destroy(&net);
        }
        lw_net_destroy(&alone);
    }
    lw_comm_destroy(&self);
}

/* Degrees and forbidden synapses; n_in, n_out < 0: not fixed. */
static void check_degrees(const lw_edge *e, int64_t n, int64_t n_pre, int64_t n_post, int64_t in, int64_t out,
    bool autapses, bool multapses) {
    int64_t *degree = calloc((size_t)(n_pre + n_post), sizeof *degree);
    for (int64_t i = 0; i < n; i++) {
        degree[e[i].target]++;
        degree[n_post + e[i].source]++;
        if (!autapses) CHECK(e[i].target != e[i].source);
        if (!multapses) CHECK_INT(e[i].order, 0);
        if (i > 0) CHECK(fixture_order(&e[i - 1], &e[i]) < 0);
    }
    for (int64_t t = 0; t < n_post && in >= 0; t++)
        CHECK_INT(degree[t], in);
    for (int64_t s = 0; s < n_pre && out >= 0; s++)
        CHECK_INT(degree[n_post + s], out);
    free(degree);
}

TEST(degrees_are_exact) {
    lw_projection_spec proj[N_RULES];
    every_rule(proj);
    static const struct {
        int64_t n_pre, n_post, in, out;
    } want[N_RULES] = {{N_A, N_B, N_A, N_B}, {N_A, N_A, N_A - 1, N_A - 1}, {N_B, N_B, 1, 1}, {N_A, N_A, 13, -1},
        {N_A, N_A, 50, -1}, {N_B, N_A, 90, -1}, {N_A, N_A, -1, 9}, {N_A, N_B, -1, 70}, {N_A, N_B, -1, -1},
        {N_A, N_A, -1, -1}, {N_A, N_A, -1, 6}, {N_A, N_A, -1, 10}};
    lw_net *net = build(world(), LW_PARTITION_BLOCK, LW_F64, proj, N_RULES);
    for (int i = 0; i < N_RULES; i++) {
        int64_t n = 0;
        lw_edge *e = all_edges(net, i, &n);
        bool multapses =
            proj[i].multapses && proj[i].rule != LW_RULE_PAIRWISE_BERNOULLI && proj[i].rule > LW_RULE_ONE_TO_ONE;
        check_degrees(e, n, want[i].n_pre, want[i].n_post, want[i].in, want[i].out, proj[i].autapses, multapses);
        lw_free(e);
    }
    lw_net_destroy(&net);
}

/* The sources of fixed_indegree with multapses are plain draws of the target's stream. */
TEST(indegree_equals_plain_draws) {
    lw_projection_spec proj = plain(1, 0, LW_RULE_FIXED_INDEGREE, 90, 0);
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, LW_F64, &proj, 1);
    int64_t n = 0;
    lw_edge *e = all_edges(net, 0, &n);
    CHECK_INT(n, 90 * N_A);
    for (int64_t t = 0; t < N_A && n == 90 * N_A; t++) {
        int seen[N_B] = {0};
        lw_stream s = lw_stream_start(7, LW_PURPOSE_CONNECT, (uint64_t)t, 0);
        for (int k = 0; k < 90; k++)
            seen[lw_stream_below(&s, N_B)]++;
        for (int k = 0; k < 90; k++)
            seen[e[t * 90 + k].source]--;
        for (int k = 0; k < N_B; k++)
            CHECK_INT(seen[k], 0);
    }
    lw_free(e);
    lw_net_destroy(&net);
}

/* Weights and delays of all_to_all, by their keys and nothing else. */
TEST(weights_and_delays_follow_their_keys) {
    lw_projection_spec proj[2] = {plain(1, 0, LW_RULE_ONE_TO_ONE, 0, 0), plain(1, 2, LW_RULE_ALL_TO_ALL, 0, 0)};
    proj[0].pre = 2, proj[0].post = 1;
    proj[1].weight = dist(LW_DIST_NORMAL, 0.5, 2);
    proj[1].delay = dist(LW_DIST_UNIFORM, 0.1, 3);
    lw_net *net = build(world(), LW_PARTITION_BLOCK, LW_F64, proj, 2);
    int64_t n = 0;
    lw_edge *e = all_edges(net, 1, &n);
    CHECK_INT(n, N_B * N_B);
    for (int64_t i = 0; i < n; i++) {
        uint64_t a = (uint64_t)(e[i].target + N_A + N_B) << 32 ^ (uint64_t)(e[i].source + N_A);
        CHECK_CLOSE(e[i].weight, lw_dist_value(&proj[1].weight, 0, 7, LW_PURPOSE_WEIGHT, a, 1), 0);
        long steps = lround(lw_dist_value(&proj[1].delay, 0, 7, LW_PURPOSE_DELAY, a, 1) / 0.5);
        CHECK_INT(e[i].delay, steps < 1 ? 1 : steps);
    }
    lw_free(e);
    lw_net_destroy(&net);
}

TEST(zero_mean_leaves_no_mean) {
    lw_projection_spec proj = plain(0, 1, LW_RULE_FIXED_INDEGREE, 30, 0);
    proj.weight = dist(LW_DIST_NORMAL, 5, 1);
    proj.zero_mean = true;
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, LW_F64, &proj, 1);
    int64_t n = 0;
    lw_edge *e = all_edges(net, 0, &n);
    for (int64_t t = 0; t < N_B; t++) {
        double sum = 0, square = 0;
        for (int k = 0; k < 30; k++) {
            sum += e[t * 30 + k].weight;
            square += e[t * 30 + k].weight * e[t * 30 + k].weight;
        }
        CHECK_CLOSE(sum, 0, 1e-12);
        CHECK(square > 5);
    }
    lw_free(e);
    lw_net_destroy(&net);
}

/* Numbers of synapses, and how often each pair, source and distance occurs, within five standard deviations. */
TEST(bernoulli_statistics) {
    static lw_population_spec wide[] = {{.name = "w", .model = &toy, .size = 700}};
    lw_projection_spec proj = plain(0, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.1);
    lw_net_spec spec = {.seed = 3, .dt = 1, .n_pop = 1, .n_proj = 1, .pop = wide, .proj = &proj};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    int64_t n = 0, low = 0, early = 0, self = 0;
    lw_edge *e = all_edges(net, 0, &n);
    for (int64_t i = 0; i < n; i++) {
        low += e[i].source < 70; /* first sources are as likely as others */
        early += e[i].source >= 630;
        self += e[i].source == e[i].target;
    }
    double pairs = 700.0 * 700.0, part = 700.0 * 70.0;
    CHECK_CLOSE((double)n, pairs * 0.1, 5 * sqrt(pairs * 0.09));
    CHECK_CLOSE((double)low, part * 0.1, 5 * sqrt(part * 0.09));
    CHECK_CLOSE((double)early, part * 0.1, 5 * sqrt(part * 0.09));
    CHECK_CLOSE((double)self, 70, 5 * sqrt(63));
    lw_free(e);
    lw_net_destroy(&net);
    for (int p = 0; p < 2; p++) { /* nothing and everything */
        proj.p = p;
        CHECK_OK(lw_net_create(world(), &spec, &net));
        CHECK_INT(lw_net_n_edges_global(net), p * 700 * 700);
        lw_net_destroy(&net);
    }
}

/* Without replacement every source is equally likely, below and above one half of them. */
TEST(distinct_draws_are_uniform) {
    static lw_population_spec wide[] = {
        {.name = "w", .model = &toy, .size = 4000}, {.name = "v", .model = &toy, .size = 12}};
    for (int64_t n_in = 3; n_in <= 9; n_in += 6) {
        lw_projection_spec proj = plain(1, 0, LW_RULE_FIXED_INDEGREE, n_in, 0);
        proj.multapses = false;
        lw_net_spec spec = {.seed = 5, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = wide, .proj = &proj};
        lw_net *net = NULL;
        CHECK_OK(lw_net_create(world(), &spec, &net));
        int64_t n = 0, count[12] = {0};
        lw_edge *e = all_edges(net, 0, &n);
        for (int64_t i = 0; i < n; i++)
            count[e[i].source]++;
        double p = (double)n_in / 12;
        for (int s = 0; s < 12; s++)
            CHECK_CLOSE((double)count[s], 4000 * p, 5 * sqrt(4000 * p * (1 - p)));
        lw_free(e);
        lw_net_destroy(&net);
    }
}

TEST(small_world_between_ring_and_random) {
    for (int random = 0; random < 2; random++) {
        lw_projection_spec proj = plain(0, 0, LW_RULE_SMALL_WORLD, 4, random);
        proj.autapses = proj.multapses = false;
        lw_net *net = build(world(), LW_PARTITION_BLOCK, LW_F64, &proj, 1);
        int64_t n = 0, near = 0;
        lw_edge *e = all_edges(net, 0, &n);
        CHECK_INT(n, 4 * N_A);
        for (int64_t i = 0; i < n; i++) {
            int64_t far = (e[i].target - e[i].source + N_A) % N_A;
            near += far <= 2 || far >= N_A - 2;
        }
        if (random)
            CHECK_CLOSE((double)near, 4.0 * N_A * 4 / (N_A - 1), 25);
        else
            CHECK_INT(near, n);
        lw_free(e);
        lw_net_destroy(&net);
    }
}

/* Every rank gives an arbitrary part of the edges, unsorted. */
TEST(given_edges_arrive_whole) {
    int rank = lw_comm_rank(world()), size = lw_comm_size(world());
    lw_edge mine[3 * N_A];
    int64_t n_mine = 0, n = 0;
    for (int64_t i = 3 * N_A - 1; i >= 0; i--)
        if (i * 7 % size == rank)
            mine[n_mine++] = (lw_edge){.target = i % N_B,
                .source = i % N_A,
                .weight = (double)i,
                .delay = 1 + (int32_t)(i % 5),
                .order = (int32_t)i};
    lw_projection_spec proj = plain(0, 1, LW_RULE_EDGES, 0, 0);
    proj.edges = mine;
    proj.n_edges = n_mine;
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        lw_net *net = build(world(), (lw_partition)partition, LW_F64, &proj, 1);
        lw_edge *e = all_edges(net, 0, &n);
        CHECK_INT(n, 3 * N_A);
        uint8_t seen[3 * N_A] = {0};
        for (int64_t i = 0; i < n; i++) {
            int64_t was = (int64_t)e[i].weight;
            CHECK(e[i].target == was % N_B && e[i].source == was % N_A && e[i].delay == 1 + was % 5);
            seen[was]++;
        }
        for (int64_t i = 0; i < 3 * N_A; i++)
            CHECK_INT(seen[i], 1);
        lw_free(e);
        lw_net_destroy(&net);
    }
}

CHECK_MAIN(CASE(same_network_on_any_ranks_and_partition), CASE(degrees_are_exact), CASE(indegree_equals_plain_draws),
    CASE(weights_and_delays_follow_their_keys), CASE(zero_mean_leaves_no_mean), CASE(bernoulli_statistics),
    CASE(distinct_draws_are_uniform), CASE(small_world_between_ring_and_random), CASE(given_edges_arrive_whole))
