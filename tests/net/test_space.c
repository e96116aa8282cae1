/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Layers: positions follow their layout, connections their profile (against the expected numbers of all pairs, ring by
 * ring), weights and delays are the formula of the distance, and all of it is the same for any ranks and partition.
 */
#include "fixture.h"

enum { N_E = 900, N_I = 400, N_CUBE = 512 };

static double listed[2 * N_I];
static lw_population_spec pops[4];

static lw_layout random_layer(int32_t n_dim, double width, bool periodic) {
    return (lw_layout){.kind = LW_LAYOUT_RANDOM,
        .n_dim = n_dim,
        .extent = {width, width, width},
        .centre = {0.3, -0.2, 0.1},
        .periodic = periodic};
}

/* 0: random, 1: grid, in one plane; 2: a list in a plane without borders; 3: random in space. */
static void layers(bool periodic) {
    for (int i = 0; i < N_I; i++) {
        listed[2 * i] = 0.3 + 0.9 * sin(i * 1.7);
        listed[2 * i + 1] = 0.4 * cos(i * 0.37);
    }
    lw_layout list = {.kind = LW_LAYOUT_LIST, .n_dim = 2, .list = listed, .n_list = N_I};
    lw_layout grid = random_layer(2, 2, periodic);
    grid.kind = LW_LAYOUT_GRID;
    grid.grid[0] = 25, grid.grid[1] = 16;
    pops[0] = (lw_population_spec){.name = "e", .model = &toy, .size = N_E, .layout = random_layer(2, 2, periodic)};
    pops[1] = (lw_population_spec){.name = "i", .model = &toy, .size = N_I, .layout = grid};
    pops[2] = (lw_population_spec){.name = "l", .model = &toy, .size = N_I, .layout = list};
    pops[3] = (lw_population_spec){.name = "c", .model = &toy, .size = N_CUBE, .layout = random_layer(3, 1, periodic)};
}

static lw_projection_spec by_distance(int pre, int post, lw_profile p, double radius) {
    lw_projection_spec proj = plain(pre, post, LW_RULE_PAIRWISE_BERNOULLI, 0, 0);
    proj.p_of = p;
    proj.radius = radius;
    return proj;
}

static lw_profile gaussian(double p, double sigma) {
    return (lw_profile){.kind = LW_PROFILE_GAUSSIAN, .at0 = p, .length = sigma};
}

enum { N_KINDS = 9 };
static void every_kind(lw_projection_spec *proj, bool periodic) {
    lw_profile exponential = {.kind = LW_PROFILE_EXPONENTIAL, .at0 = 0.8, .length = 0.1};
    lw_profile disc = {.kind = LW_PROFILE_CONSTANT, .at0 = 1},
               cone = {.kind = LW_PROFILE_LINEAR, .at0 = 0.9, .slope = -1};
    proj[0] = by_distance(0, 0, gaussian(0.6, 0.15), 0);
    proj[0].autapses = false;
    proj[1] = by_distance(0, 1, exponential, 0);
    proj[2] = by_distance(1, 0, disc, 0.35);
    proj[3] = by_distance(1, 1, cone, 0);
    proj[4] = by_distance(3, 3, gaussian(0.9, 0.2), 0.5);
    proj[5] = by_distance(0, 1, gaussian(1, 0.2), 0);
    proj[5].rule = LW_RULE_FIXED_INDEGREE, proj[5].n = 30;
    proj[6] = by_distance(0, 0, gaussian(1, 0.2), 0.6);
    proj[6].rule = LW_RULE_FIXED_INDEGREE, proj[6].n = 17, proj[6].multapses = proj[6].autapses = false;
    proj[7] = by_distance(0, 1, gaussian(0.3, 5), 0); /* everywhere nearly alike */
    proj[8] = by_distance(2, 0, (lw_profile){.kind = LW_PROFILE_LINEAR, .at0 = 0, .slope = 0.4}, 1);
    if (periodic) proj[8] = by_distance(3, 3, (lw_profile){.kind = LW_PROFILE_CONSTANT, .at0 = 0.05}, 0);
    for (int i = 0; i < N_KINDS; i++) {
        proj[i].weight_of = gaussian(2, 0.3);
        proj[i].delay_of = (lw_profile){.kind = LW_PROFILE_LINEAR, .at0 = 0.4, .slope = 3};
    }
}

static lw_net *build(
    const lw_comm *comm, lw_partition partition, uint64_t seed, const lw_projection_spec *proj, int n_proj) {
    return fixture_build(comm, partition, seed, 0.1, pops, 4, proj, n_proj);
}

TEST(same_network_on_any_ranks_and_partition) {
    lw_projection_spec proj[N_KINDS];
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int periodic = 0; periodic < 2; periodic++) {
        layers(periodic);
        every_kind(proj, periodic);
        lw_net *alone = build(self, LW_PARTITION_BLOCK, 7, proj, N_KINDS);
        uint64_t expected = net_digest(alone);
        for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
            lw_net *net = build(world(), (lw_partition)partition, 7, proj, N_KINDS);
            CHECK(net_digest(net) == expected);
            for (int p = 0; p < 4; p++) { /* positions are those of the one process */
                lw_pop_view pop = lw_net_pop(net, p), all = lw_net_pop(alone, p);
                for (int64_t k = 0; k < pop.n_local; k++)
                    for (int d = 0; d < pop.layout.n_dim; d++)
                        CHECK_CLOSE(pop.position[d][k], all.position[d][pop.gid[k] - pop.gid_begin], 0);
            }
            lw_net_destroy(&net);
        }
        lw_net_destroy(&alone);
    }
    lw_comm_destroy(&self);
}

TEST(positions_follow_their_layout) {
    if (lw_comm_rank(world()) != 0) return; /* one process is enough */
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    layers(false);
    lw_net *net = build(self, LW_PARTITION_BLOCK, 3, NULL, 0);
    lw_pop_view e = lw_net_pop(net, 0), grid = lw_net_pop(net, 1), list = lw_net_pop(net, 2), cube = lw_net_pop(net, 3);
    for (int d = 0; d < 3; d++) {
        double mean = 0, square = 0, centre = d == 0 ? 0.3 : d == 1 ? -0.2 : 0.1;
        for (int64_t k = 0; k < N_CUBE; k++) {
            double x = cube.position[d][k] - centre;
            CHECK(fabs(x) < 0.5);
            mean += x / N_CUBE;
            square += x * x / N_CUBE;
        }
        CHECK_CLOSE(mean, 0, 5 * sqrt(1.0 / 12 / N_CUBE));
        CHECK_CLOSE(square, 1.0 / 12, 5 * sqrt(1.0 / 180 / N_CUBE));
    }
    double cross = 0;
    for (int64_t k = 0; k < N_E; k++)
        cross += (e.position[0][k] - 0.3) * (e.position[1][k] + 0.2);
    CHECK_CLOSE(cross / N_E, 0, 5 * (1.0 / 3) / sqrt(N_E));
    CHECK_CLOSE(grid.position[0][0], 0.3 - 1 + 0.04, 1e-15);
    CHECK_CLOSE(grid.position[1][0], -0.2 - 1 + 0.0625, 1e-15);
    CHECK_CLOSE(grid.position[0][26], 0.3 - 1 + 0.12, 1e-15);
    CHECK_CLOSE(grid.position[1][26], -0.2 - 1 + 0.1875, 1e-15);
    for (int64_t k = 0; k < N_I; k++)
        CHECK(list.position[0][k] == listed[2 * k] && list.position[1][k] == listed[2 * k + 1]);
    lw_net_destroy(&net);
    lw_comm_destroy(&self);
}

/* The slow twin of the program's distance. */
static double distance(const lw_pop_view *a, int64_t i, const lw_pop_view *b, int64_t j) {
    double sum = 0;
    for (int d = 0; d < a->layout.n_dim; d++) {
        double x = a->position[d][i] - b->position[d][j];
        if (a->layout.periodic) x -= a->layout.extent[d] * rint(x / a->layout.extent[d]);
        sum += x * x;
    }
    return sqrt(sum);
}

/* Numbers of synapses in rings of distance against the sums of all pairs' probabilities; formulas of values. */
static void check_kernel(const lw_net *net, int i, const lw_projection_spec *proj) {
    enum { RINGS = 20 };
    double expected[RINGS] = {0}, found[RINGS] = {0}, chi2 = 0, width = 1.8 / RINGS;
    lw_pop_view pre = lw_net_pop(net, proj->pre), post = lw_net_pop(net, proj->post);
    int64_t n = 0;
    int rings = 0;
    lw_edge *e = all_edges(net, i, &n);
    double reach = proj->radius > 0 ? proj->radius : INFINITY;
    for (int64_t t = 0; t < post.size; t++)
        for (int64_t s = 0; s < pre.size; s++) {
            double d = distance(&pre, s, &post, t), p = fmin(1, fmax(0, lw_profile_value(&proj->p_of, d)));
            if (d <= reach && (proj->autapses || proj->pre != proj->post || s != t))
                expected[(int)fmin(d / width, RINGS - 1)] += p;
        }
    for (int64_t k = 0; k < n; k++) {
        double d = distance(&pre, e[k].source, &post, e[k].target);
        CHECK(d <= reach * (1 + 1e-12));
        CHECK(proj->autapses || proj->pre != proj->post || e[k].source != e[k].target);
        CHECK_INT(e[k].order, 0);
        CHECK_REL(e[k].weight, lw_profile_value(&proj->weight_of, d), 1e-13);
        CHECK(fabs(e[k].delay - (0.4 + 3 * d) / 0.1) <= 0.5 + 1e-9);
        found[(int)fmin(d / width, RINGS - 1)]++;
    }
    for (int ring = 0; ring < RINGS; ring++) {
        if (expected[ring] < 8) {
            CHECK(found[ring] <= 40);
            continue;
        }
        chi2 += pow(found[ring] - expected[ring], 2) / expected[ring]; /* binomials vary less than this */
        rings++;
    }
    CHECK(rings > 2 && chi2 < rings + 5 * sqrt(2.0 * rings));
    if (!(rings > 2 && chi2 < rings + 5 * sqrt(2.0 * rings)))
        fprintf(stderr, "projection %d: chi2 %g over %d rings\n", i, chi2, rings);
    lw_free(e);
}

TEST(connections_follow_their_profile) {
    if (lw_comm_rank(world()) != 0) return; /* one process is enough */
    lw_comm *self = NULL;
    lw_projection_spec proj[N_KINDS];
    CHECK_OK(lw_comm_self(&self));
    for (int periodic = 0; periodic < 2; periodic++) {
        layers(periodic);
        every_kind(proj, periodic);
        lw_net *net = build(self, LW_PARTITION_BLOCK, 5, proj, N_KINDS);
        for (int i = 0; i < N_KINDS; i++)
            if (proj[i].rule == LW_RULE_PAIRWISE_BERNOULLI) check_kernel(net, i, &proj[i]);
        /* a disc of probability 1 holds every pair within it */
        lw_pop_view pre = lw_net_pop(net, 1), post = lw_net_pop(net, 0);
        int64_t pairs = 0;
        for (int64_t t = 0; t < post.size; t++)
            for (int64_t s = 0; s < pre.size; s++)
                pairs += distance(&pre, s, &post, t) <= proj[2].radius;
        CHECK_INT(lw_net_proj(net, 2).n_edges_global, pairs);
        lw_net_destroy(&net);
    }
    lw_comm_destroy(&self);
}

/* Exact in-degrees; over many seeds each source of one target comes as often as its weight among the others says. */
TEST(indegree_follows_its_profile) {
    if (lw_comm_rank(world()) != 0) return; /* one process is enough */
    enum { SEEDS = 60, N_IN = 30 };
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    layers(true);
    lw_projection_spec proj[N_KINDS];
    every_kind(proj, true);
    double chi2 = 0, count[N_I] = {0}, weight[N_I], all = 0;
    pops[0] = pops[1];
    pops[0].name = "e"; /* a grid: the same places for every seed */
    proj[5].pre = proj[5].post = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        lw_net *net = build(self, LW_PARTITION_BLOCK, seed, &proj[5], 1);
        lw_pop_view pop = lw_net_pop(net, 0);
        lw_edge *e = NULL;
        int64_t n = 0;
        CHECK_OK(lw_net_edges_between(net, 0, 7, 8, &e, NULL, &n));
        CHECK_INT(n, N_IN);
        CHECK_INT(lw_net_proj(net, 0).n_edges_global, N_IN * N_I);
        for (int64_t k = 0; k < n; k++)
            count[e[k].source]++;
        for (int64_t s = 0; s < N_I && seed == 1; s++) {
            weight[s] = lw_profile_value(&proj[5].p_of, distance(&pop, s, &pop, 7));
            if (weight[s] < 1e-6) weight[s] = 0;
            all += weight[s];
        }
        lw_free(e);
        lw_net_destroy(&net);
    }
    int cells = 0;
    for (int64_t s = 0; s < N_I; s++) {
        double expected = SEEDS * N_IN * weight[s] / all;
        if (expected < 8) continue;
        chi2 += pow(count[s] - expected, 2) / expected;
        cells++;
    }
    CHECK(cells > 50);
    CHECK_CLOSE(chi2, cells, 5 * sqrt(2.0 * cells));
    lw_comm_destroy(&self);
}

TEST(indegree_without_multapses) {
    layers(false);
    lw_projection_spec proj[N_KINDS];
    every_kind(proj, false);
    lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, 5, &proj[6], 1);
    int64_t n = 0;
    lw_edge *e = all_edges(net, 0, &n);
    CHECK_INT(n, 17 * N_E);
    for (int64_t k = 0; k < n; k++)
        CHECK(e[k].target == k / 17 && e[k].order == 0 && e[k].source != e[k].target);
    lw_free(e);
    lw_net_destroy(&net);
    proj[6].radius = 0.01; /* nobody there */
    lw_net_spec spec = {.seed = 5, .dt = 0.1, .n_pop = 4, .n_proj = 1, .pop = pops, .proj = &proj[6]};
    CHECK_FAILS(
        lw_net_create(world(), &spec, &net), LW_EUSE, "within reach; fixed_indegree wants 17 without multapses");
}

/* Across the border of a periodic layer. */
TEST(borders_are_closed) {
    layers(true);
    lw_projection_spec proj = by_distance(1, 1, (lw_profile){.kind = LW_PROFILE_CONSTANT, .at0 = 1}, 0.09);
    lw_net *net = build(world(), LW_PARTITION_BLOCK, 5, &proj, 1);
    int64_t n = 0;
    lw_edge *e = all_edges(net, 0, &n);
    CHECK_INT(n, 3 * N_I); /* columns are 0.08 mm apart, rows 0.125 */
    for (int64_t k = 0; k < n && n == 3 * N_I; k++) {
        int64_t row = e[k].target / 25 * 25, x = e[k].target % 25;
        CHECK(e[k].source == row + x || e[k].source == row + (x + 1) % 25 || e[k].source == row + (x + 24) % 25);
    }
    lw_free(e);
    lw_net_destroy(&net);
}

/* Cells of sources that nobody here reaches are not kept: a rank's peak shrinks with its part of the layer. */
TEST(memory_follows_the_local_part) {
    static lw_population_spec wide[1];
    int64_t grid = 400;
    wide[0] = (lw_population_spec){.name = "w",
        .model = &toy,
        .size = grid * grid,
        .layout = {.kind = LW_LAYOUT_GRID, .n_dim = 2, .grid = {grid, grid}, .extent = {4, 4}}};
    lw_projection_spec proj = by_distance(0, 0, gaussian(0.5, 0.02), 0.06);
    lw_net_spec spec = {
        .seed = 1, .dt = 0.1, .n_pop = 1, .n_proj = 1, .pop = wide, .proj = &proj, .weight_type = LW_F32};
    lw_net *net = NULL;
    int64_t before = lw_mem_now(), size = lw_comm_size(world()), most = 0;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    most = lw_mem_peak() - before;
    lw_comm_max_i64(world(), &most, 1);
    int64_t synapses = lw_net_n_edges_global(net);
    CHECK(synapses > 1000000 && synapses < 4000000);
    /* 2 bytes a synapse and 5 more while building; about 100 a neuron; sources here and near: 20 */
    double share = (double)(synapses * 9 + grid * grid * 200) / (double)size + 4e6;
    CHECK((double)most < share);
    if (!((double)most < share)) fprintf(stderr, "peak %lld bytes, %g allowed\n", (long long)most, share);
    lw_net_destroy(&net);
}

CHECK_MAIN(CASE(memory_follows_the_local_part), CASE(same_network_on_any_ranks_and_partition),
    CASE(positions_follow_their_layout), CASE(connections_follow_their_profile), CASE(indegree_follows_its_profile),
    CASE(indegree_without_multapses), CASE(borders_are_closed))
