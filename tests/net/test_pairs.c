/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Undirected pairs, mirrored projections, clusters: the same for any ranks and partition; a synapse and its opposite
 * agree in everything; pairs and weights have the statistics that the rule promises.
 */
#include "fixture.h"

enum { N_A = 300, N_B = 90, N_KINDS = 8 };

static lw_population_spec pops[] = {{.name = "a", .model = &toy, .size = N_A},
    {.name = "b", .model = &toy, .size = N_B}, {.name = "c", .model = &toy, .size = N_B}};

static void every_kind(lw_projection_spec *proj) {
    proj[0] = plain(0, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.2);
    proj[1] = plain(1, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.7);
    proj[1].autapses = false;
    proj[2] = plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.3);
    proj[3] = plain(1, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.3);
    proj[3].mirror = 1 + 2;
    proj[4] = plain(1, 2, LW_RULE_ONE_TO_ONE, 0, 0);
    proj[5] = plain(2, 1, LW_RULE_ONE_TO_ONE, 0, 0);
    proj[5].mirror = 1 + 4;
    proj[6] = plain(1, 1, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[7] = plain(0, 1, LW_RULE_CLUSTERED, 7, 0.6);
    proj[7].p_out = 0.1, proj[7].weight_in = 3;
    proj[0].symmetric = proj[1].symmetric = proj[6].symmetric = true;
    for (int i = 0; i < N_KINDS; i++) {
        proj[i].weight = dist(LW_DIST_NORMAL, 0.5, 2);
        proj[i].delay = dist(LW_DIST_UNIFORM, 0.5, 9);
    }
}

static lw_net *build(
    const lw_comm *comm, lw_partition partition, uint64_t seed, const lw_projection_spec *proj, int n) {
    return fixture_build(comm, partition, seed, 0.5, pops, 3, proj, n);
}

TEST(same_network_on_any_ranks_and_partition) {
    lw_projection_spec proj[N_KINDS];
    every_kind(proj);
    fixture_any_ranks(7, 0.5, pops, 3, proj, N_KINDS);
}

static int by_opposite(const void *a, const void *b) {
    const lw_edge *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->target > y->target) - (x->target < y->target);
}

/* Synapses of `there` are those of `back` turned round: number, ends, weights, delays. */
static void check_opposite(const lw_net *net, int there, int back) {
    int64_t n = 0, m = 0;
    lw_edge *e = all_edges(net, there, &n), *o = all_edges(net, back, &m);
    qsort(o, (size_t)m, sizeof *o, by_opposite);
    CHECK_INT(n, m);
    for (int64_t k = 0; k < n && n == m; k++) {
        CHECK(e[k].target == o[k].source && e[k].source == o[k].target && e[k].order == 0);
        CHECK(e[k].weight == o[k].weight && e[k].delay == o[k].delay);
        if (there == 1) CHECK(e[k].target != e[k].source);
    }
    lw_free(e);
    lw_free(o);
}

TEST(opposites_agree) {
    lw_projection_spec proj[N_KINDS];
    every_kind(proj);
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, 3, proj, N_KINDS);
    check_opposite(net, 0, 0);
    check_opposite(net, 1, 1);
    check_opposite(net, 2, 3);
    check_opposite(net, 4, 5);
    check_opposite(net, 6, 6);
    double pairs = N_A * (N_A - 1) / 2.0, all = 2 * 0.2 * pairs + 0.2 * N_A; /* autapses are single */
    CHECK_CLOSE((double)lw_net_proj(net, 0).n_edges_global, all, 5 * sqrt(4 * 0.16 * pairs + 0.16 * N_A));
    pairs = N_B * (N_B - 1) / 2.0;
    CHECK_CLOSE((double)lw_net_proj(net, 1).n_edges_global, 2 * 0.7 * pairs, 5 * sqrt(4 * 0.21 * pairs));
    CHECK_CLOSE((double)lw_net_proj(net, 3).n_edges_global, 0.3 * N_A * N_B, 5 * sqrt(0.21 * N_A * N_B));
    lw_net_destroy(&net);
}

/* Each distance on the ring of indices is as likely as any other, half the ring included: over seeds. */
TEST(undirected_pairs_are_uniform) {
    enum { SEEDS = 40, HALF = N_B / 2 };
    double count[HALF + 1] = {0}, chi2 = 0;
    lw_projection_spec proj = plain(1, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.4);
    proj.symmetric = true;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        lw_net *net = build(world(), LW_PARTITION_BLOCK, seed, &proj, 1);
        int64_t n = 0;
        lw_edge *e = all_edges(net, 0, &n);
        for (int64_t k = 0; k < n; k++) {
            int64_t far = llabs(e[k].target - e[k].source);
            if (e[k].target >= e[k].source) count[far <= HALF ? far : N_B - far]++;
        }
        lw_free(e);
        lw_net_destroy(&net);
    }
    for (int far = 0; far <= HALF; far++) {
        double tries = SEEDS * (far == HALF ? HALF : N_B);
        chi2 += pow(count[far] - tries * 0.4, 2) / (tries * 0.24);
    }
    CHECK_CLOSE(chi2, HALF + 1, 5 * sqrt(2.0 * (HALF + 1)));
}

TEST(clusters_differ_in_number_and_weight) {
    lw_projection_spec proj = plain(0, 1, LW_RULE_CLUSTERED, 7, 0.6);
    proj.p_out = 0.1, proj.weight_in = 3, proj.weight = lw_dist_number(0.5);
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, 5, &proj, 1);
    int64_t n = 0, pairs_in = 0, in = 0;
    lw_edge *e = all_edges(net, 0, &n);
    for (int64_t t = 0; t < N_B; t++)
        for (int64_t s = 0; s < N_A; s++)
            pairs_in += t * 7 / N_B == s * 7 / N_A;
    for (int64_t k = 0; k < n; k++) {
        bool same = e[k].target * 7 / N_B == e[k].source * 7 / N_A;
        in += same;
        CHECK_CLOSE(e[k].weight, same ? 1.5 : 0.5, 0);
    }
    double inside = (double)pairs_in, outside = (double)N_A * N_B - inside;
    CHECK_CLOSE((double)in, 0.6 * inside, 5 * sqrt(0.24 * inside));
    CHECK_CLOSE((double)(n - in), 0.1 * outside, 5 * sqrt(0.09 * outside));
    lw_free(e);
    lw_net_destroy(&net);
}

static void refuse(const lw_projection_spec *proj, int n, const char *text) {
    lw_net_spec spec = {.seed = 1, .dt = 0.5, .n_pop = 3, .n_proj = n, .pop = pops, .proj = proj};
    lw_net *net = NULL;
    CHECK_FAILS(lw_net_create(world(), &spec, &net), LW_EUSE, text);
}

TEST(impossible_is_refused) {
    lw_projection_spec p[2] = {
        plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.2), plain(0, 0, LW_RULE_FIXED_INDEGREE, 3, 0)};
    p[0].symmetric = true;
    refuse(p, 1, "within one population, else a mirror");
    p[1].symmetric = true;
    refuse(p + 1, 1, "pairwise_bernoulli, one_to_one and all_to_all");
    p[1] = p[0], p[1].symmetric = false, p[0].symmetric = false;
    p[1].mirror = 1;
    refuse(p, 2, "differs from it; allowed: the same rule from post to pre");
    p[1].mirror = 2;
    refuse(p, 2, "mirror of projection 1; allowed: an earlier one");
    p[0] = plain(0, 1, LW_RULE_CLUSTERED, 91, 0.1);
    refuse(p, 1, "91 clusters of 300 and 90 neurons; allowed: 1 to 90");
    p[0].n = 3, p[0].p_out = -0.1;
    refuse(p, 1, "0.1 within and -0.1 outside");
    p[0] = plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.2);
    p[0].delay_of = (lw_profile){.kind = LW_PROFILE_LINEAR, .at0 = 1};
    refuse(p, 1, "population \"a\" has no positions");
    pops[0].layout = (lw_layout){.kind = LW_LAYOUT_GRID, .n_dim = 2, .grid = {20, 14}, .extent = {1, 1}};
    refuse(p, 1, "a grid of 280 points for 300 neurons");
    pops[0].layout.grid[1] = 15, pops[0].layout.extent[1] = 0;
    refuse(p, 1, "extent of 0 mm");
    pops[0].layout.extent[1] = 1;
    refuse(p, 1, "population \"b\" has no positions");
    pops[1].layout = (lw_layout){.kind = LW_LAYOUT_RANDOM, .n_dim = 3, .extent = {1, 1, 1}};
    refuse(p, 1, "have 2 dimensions, those of \"b\" 3");
    pops[1].layout.n_dim = 2, pops[1].layout.periodic = true;
    refuse(p, 1, "\"a\" is not periodic and \"b\" is periodic");
    pops[0].layout.periodic = true, pops[0].layout.extent[0] = 2;
    refuse(p, 1, "differ in extent or centre");
    pops[0].layout.extent[0] = 1, p[0].delay_of.slope = -1;
    refuse(p, 1, "a delay that falls");
    p[0].delay_of.kind = LW_PROFILE_NONE;
    p[0].p_of = (lw_profile){.kind = LW_PROFILE_GAUSSIAN, .at0 = 1.5, .length = 1};
    refuse(p, 1, "probability 1.5 at distance 0");
    p[0].p_of.at0 = 1, p[0].p_of.length = 0;
    refuse(p, 1, "gaussian with a length of 0 mm");
    p[0].p_of.length = 1, p[0].rule = LW_RULE_FIXED_OUTDEGREE;
    refuse(p, 1, "allowed for fixed_indegree and for pairwise_bernoulli");
    double list[4] = {0.1, 0.2, 0.7, 0};
    pops[1].layout = (lw_layout){.kind = LW_LAYOUT_LIST, .n_dim = 2, .list = list, .n_list = 2, .extent = {1, 1}};
    refuse(p, 1, "a list of 2 positions for 90 neurons");
    pops[0].layout = pops[1].layout = (lw_layout){0};
}

CHECK_MAIN(CASE(same_network_on_any_ranks_and_partition), CASE(opposites_agree), CASE(undirected_pairs_are_uniform),
    CASE(clusters_differ_in_number_and_weight), CASE(impossible_is_refused))
