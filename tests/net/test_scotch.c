/* SPDX-License-Identifier: BSD-3-Clause
 *
 * PT-Scotch cuts structured networks where they are thin, balances synapses, and does so the same way each time.
 */
#include "fixture.h"

enum { SIDE = 24, N = SIDE * SIDE };

/* A torus: every neuron hears its four neighbours. Numbered at random, so that blocks of numbers mean nothing. */
static lw_net *torus(lw_partition partition) {
    static lw_edge edge[4 * N];
    int64_t rank = lw_comm_rank(world()), size = lw_comm_size(world()), n = 0;
    for (int64_t i = N * rank / size; i < N * (rank + 1) / size; i++) {
        int64_t x = i % SIDE, y = i / SIDE;
        int64_t next[4] = {(x + 1) % SIDE + y * SIDE, (x + SIDE - 1) % SIDE + y * SIDE, x + (y + 1) % SIDE * SIDE,
            x + (y + SIDE - 1) % SIDE * SIDE};
        for (int k = 0; k < 4; k++)
            edge[n++] = (lw_edge){.target = (int64_t)lw_rng_permute(1, LW_PURPOSE_CHECK, 0, N, (uint64_t)i),
                .source = (int64_t)lw_rng_permute(1, LW_PURPOSE_CHECK, 0, N, (uint64_t)next[k]),
                .weight = 1,
                .delay = 1};
    }
    lw_population_spec pop = {.name = "torus", .model = &toy, .size = N};
    lw_projection_spec proj = plain(0, 0, LW_RULE_EDGES, 0, 0);
    proj.edges = edge;
    proj.n_edges = n;
    lw_net_spec spec = {
        .seed = 1, .dt = 1, .n_pop = 1, .n_proj = 1, .pop = &pop, .proj = &proj, .partition = partition};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

TEST(halo_is_halved_and_work_is_even) {
    lw_net *robin = torus(LW_PARTITION_ROUND_ROBIN), *scotch = torus(LW_PARTITION_SCOTCH);
    lw_net_stats before = lw_net_stats_get(robin), after = lw_net_stats_get(scotch);
    if (lw_comm_size(world()) > 1) CHECK(after.slots_remote > 0 && after.slots_remote < before.slots_remote / 2);
    CHECK(after.balance < 1.25);
    CHECK_INT(after.synapses, 4 * N);
    CHECK(net_digest(robin) == net_digest(scotch));
    lw_net_destroy(&robin);
    lw_net_destroy(&scotch);
}

/* Two clusters of unequal activity: a ring of few synapses, and neurons with many. Synapses are balanced, not neurons.
 */
TEST(synapses_are_balanced) {
    lw_population_spec pop[] = {
        {.name = "busy", .model = &toy, .size = 60}, {.name = "idle", .model = &toy, .size = 240}};
    lw_projection_spec proj[] = {plain(0, 0, LW_RULE_SMALL_WORLD, 20, 0), plain(1, 1, LW_RULE_SMALL_WORLD, 2, 0)};
    lw_net_spec spec = {
        .seed = 1, .dt = 1, .n_pop = 2, .n_proj = 2, .pop = pop, .proj = proj, .partition = LW_PARTITION_SCOTCH};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    lw_net_stats s = lw_net_stats_get(net);
    CHECK(s.balance < 1.4);
    lw_net_destroy(&net);
}

TEST(the_same_each_time) {
    int64_t sum[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        lw_net *net = torus(LW_PARTITION_SCOTCH);
        for (int64_t g = 0; g < N; g++)
            sum[k] += lw_net_owner(net, g) * (1 + g * g % 1009);
        lw_net_destroy(&net);
    }
    CHECK_INT(sum[0], sum[1]);
}

CHECK_MAIN(CASE(halo_is_halved_and_work_is_even), CASE(synapses_are_balanced), CASE(the_same_each_time))
