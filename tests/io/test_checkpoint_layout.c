/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Positions through a checkpoint: networks of every kind of layout, whole and pruned, come back with the same neurons
 * at the same places and the same synapses, on any number of ranks and for any partition.
 */
#include "../net/fixture.h"
#include "scratch.h"
#include <lapwing/io.h>

enum { N = 120 };

/* Sum over ranks of what is where, by origin. Collective. */
static uint64_t place_digest(const lw_net *net) {
    int64_t sum = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        for (int64_t k = 0; k < pop.n_local; k++) {
            uint64_t h = mix((uint64_t)pop.origin[k] + 1000 * (uint64_t)p);
            for (int d = 0; d < pop.layout.n_dim; d++)
                h = mix(h ^ mix_double(pop.position[d][k]));
            sum = (int64_t)((uint64_t)sum + h);
        }
    }
    lw_comm_sum_i64(lw_net_comm(net), &sum, 1);
    return (uint64_t)sum;
}

static lw_net *build(void) {
    static double list[2 * N];
    const lw_model *lif = lw_model_builtin("lif");
    for (int i = 0; i < 2 * N; i++)
        list[i] = 0.4 * sin(i * 1.3);
    lw_layout layer = {.kind = LW_LAYOUT_RANDOM, .n_dim = 2, .extent = {1, 1}, .periodic = true}, listed = layer;
    listed.kind = LW_LAYOUT_LIST, listed.list = list, listed.n_list = N;
    lw_layout cube = {
        .kind = LW_LAYOUT_GRID, .n_dim = 3, .grid = {4, 5, 6}, .extent = {1, 2, 3}, .centre = {0.5, 0, -1}};
    lw_population_spec pop[] = {{.name = "r", .model = lif, .size = N, .layout = layer},
        {.name = "l", .model = lif, .size = N, .layout = listed},
        {.name = "g", .model = lif, .size = N, .layout = cube}, {.name = "none", .model = lif, .size = N}};
    lw_projection_spec proj[] = {plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0),
        plain(2, 2, LW_RULE_FIXED_INDEGREE, 5, 0), plain(3, 0, LW_RULE_FIXED_TOTAL_NUMBER, 999, 0),
        plain(3, 3, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.2)};
    proj[0].p_of = (lw_profile){.kind = LW_PROFILE_GAUSSIAN, .at0 = 0.9, .length = 0.2};
    proj[0].delay_of = (lw_profile){.kind = LW_PROFILE_LINEAR, .at0 = 0.5, .slope = 4};
    proj[1].p_of = (lw_profile){.kind = LW_PROFILE_EXPONENTIAL, .at0 = 1, .length = 0.3};
    proj[1].weight_of = (lw_profile){.kind = LW_PROFILE_GAUSSIAN, .at0 = 3, .length = 1};
    proj[3].symmetric = true;
    lw_net_spec spec = {.seed = 7, .dt = 0.5, .n_pop = 4, .n_proj = 4, .pop = pop, .proj = proj, .weight_type = LW_F64};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

static void check_back(const lw_grid *grid, const lw_net *net, const char *dir) {
    lw_checkpoint_content content = {.step = 1, .net = net};
    uint64_t digest = net_digest(net), places = place_digest(net);
    CHECK_OK(lw_checkpoint_write(grid, scratch_path(dir), &content, 1, NULL));
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        lw_checkpoint *c = NULL;
        lw_net *back = NULL;
        CHECK_OK(lw_checkpoint_open(world(), scratch_path(dir), &c));
        CHECK_OK(lw_checkpoint_net(c, world(), (lw_partition)partition, 1, &back));
        if (back) {
            CHECK(net_digest(back) == digest);
            CHECK(place_digest(back) == places);
            CHECK(lw_net_pop(back, 0).layout.periodic && !lw_net_pop(back, 2).layout.periodic);
            CHECK_INT(lw_net_pop(back, 3).layout.kind, LW_LAYOUT_NONE);
        }
        lw_net_destroy(&back);
        lw_checkpoint_close(&c);
    }
}

TEST(layouts_come_back) {
    lw_grid *grid = NULL;
    lw_net *small = NULL, *net = build();
    scratch_make();
    CHECK_OK(lw_grid_create(world(), 1, &grid));
    check_back(grid, net, "whole");
    uint8_t *keep = calloc((size_t)lw_net_n_local(net) + 1, 1);
    uint64_t wanted = 0;
    int64_t sum = 0;
    for (int p = 0; p < 4; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        for (int64_t k = 0; k < pop.n_local; k++)
            keep[pop.lid_begin + k] = (pop.gid[k] * 7) % 5 < 3;
    }
    CHECK_OK(lw_net_compact(net, keep, NULL, &small));
    for (int p = 0; p < 4; p++) { /* who stays keeps its place */
        lw_pop_view pop = lw_net_pop(net, p);
        for (int64_t k = 0; k < pop.n_local; k++) {
            uint64_t h = mix((uint64_t)pop.origin[k] + 1000 * (uint64_t)p);
            for (int d = 0; d < pop.layout.n_dim; d++)
                h = mix(h ^ mix_double(pop.position[d][k]));
            if (keep[pop.lid_begin + k]) sum = (int64_t)((uint64_t)sum + h);
        }
    }
    lw_comm_sum_i64(world(), &sum, 1);
    wanted = (uint64_t)sum;
    CHECK(place_digest(small) == wanted);
    check_back(grid, small, "pruned");
    free(keep);
    lw_net_destroy(&small);
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
    scratch_remove();
}

CHECK_MAIN(CASE(layouts_come_back))
