/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Windows: every synapse of a convolution against loops over places and kernel, shared and own weights, pools, on any
 * number of ranks; and what is refused.
 */
#include <lapwing/net.h>
#include <math.h>
#include "world.h"

enum { CI = 2, CO = 3, KH = 3, KW = 2 };

static lw_projection_spec proj;
static lw_population_spec pop[2];
static lw_net_spec spec;

/* 2 x 6 x 5 -> 3 x 3 x 3: kernel 3 x 2, stride 2 and 2, padding 1 and 1 */
static void good(void) {
    const lw_model *relay = lw_model_builtin("relay");
    pop[0] = (lw_population_spec){.name = "a", .model = relay, .size = CI * 6 * 5};
    pop[1] = (lw_population_spec){.name = "b", .model = relay, .size = CO * 3 * 3};
    proj = (lw_projection_spec){.pre = 0,
        .post = 1,
        .rule = LW_RULE_WINDOW,
        .autapses = true,
        .multapses = true,
        .window = {.in = {CI, 6, 5}, .out = {CO, 3, 3}, .kernel = {KH, KW}, .stride = {2, 2}, .padding = {1, 1}},
        .weight = {.kind = LW_DIST_NORMAL, .p = {0, 1}, .lo = -INFINITY, .hi = INFINITY},
        .delay = lw_dist_number(1)};
    spec = (lw_net_spec){.seed = 4, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj};
    spec.weight_type = LW_F64;
    spec.partition = LW_PARTITION_ROUND_ROBIN;
}

/* Finds every synapse that the loops ask for, and no other. */
static void against_loops(const lw_comm *world, bool shared, bool pool) {
    lw_net *net = NULL;
    lw_edge *edge = NULL;
    int64_t n = 0, wanted = 0, global = 0;
    double entry[CO * CI * KH * KW];
    bool known[CO * CI * KH * KW] = {false};
    CHECK_OK(lw_net_create(world, &spec, &net));
    CHECK_OK(lw_net_edges(net, 0, &edge, NULL, &n));
    const lw_window *w = &proj.window;
    for (int c = 0; c < w->out[0]; c++)
        for (int y = 0; y < w->out[1]; y++)
            for (int x = 0; x < w->out[2]; x++)
                for (int from = 0; from < w->in[0]; from++)
                    for (int r = 0; r < w->kernel[0]; r++)
                        for (int k = 0; k < w->kernel[1]; k++) {
                            int by[2] = {w->dilation[0] ? w->dilation[0] : 1, w->dilation[1] ? w->dilation[1] : 1};
                            int row = y * w->stride[0] - w->padding[0] + r * by[0];
                            int col = x * w->stride[1] - w->padding[1] + k * by[1];
                            if (row < 0 || row >= w->in[1] || col < 0 || col >= w->in[2] || (pool && from != c))
                                continue;
                            int64_t target = (c * w->out[1] + y) * w->out[2] + x;
                            int64_t source = (from * w->in[1] + row) * w->in[2] + col;
                            int at = ((c * w->in[0] + from) * w->kernel[0] + r) * w->kernel[1] + k;
                            global++;
                            if (lw_net_owner(net, lw_net_pop(net, 1).gid_begin + target) != lw_comm_rank(world))
                                continue;
                            wanted++;
                            bool found = false;
                            for (int64_t i = 0; i < n; i++) {
                                if (edge[i].target != target || edge[i].source != source) continue;
                                CHECK(!found);
                                found = true;
                                if (!shared) continue;
                                CHECK(!known[at] || entry[at] == edge[i].weight);
                                entry[at] = edge[i].weight;
                                known[at] = true;
                            }
                            CHECK(found);
                        }
    CHECK_INT(n, wanted);
    CHECK_INT(lw_net_proj(net, 0).n_edges_global, global);
    CHECK_CLOSE(lw_window_synapses(w), (double)global, 0);
    if (lw_comm_size(world) == 1 && !pool) /* all entries differ, or all synapses */
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++)
                CHECK(edge[i].weight != edge[j].weight || shared);
    for (int i = 0; shared && i < CO * CI * KH * KW; i++)
        for (int j = 0; j < i; j++)
            CHECK(!known[i] || !known[j] || entry[i] != entry[j]);
    lw_free(edge);
    lw_net_destroy(&net);
}

TEST(synapses_of_windows) {
    lw_comm *world = world_start();
    good();
    proj.window.shared = true;
    against_loops(world, true, false);
    proj.window.shared = false;
    proj.learn = true;
    against_loops(world, false, false);
    good(); /* pools: windows that touch, and windows that overlap */
    proj.window = (lw_window){.in = {CO, 6, 6}, .out = {CO, 3, 3}, .kernel = {2, 2}, .stride = {2, 2}};
    proj.window.same_channel = true;
    proj.weight = lw_dist_number(0.25);
    pop[0].size = CO * 36;
    against_loops(world, false, true);
    proj.window.kernel[0] = 4;
    proj.window.padding[0] = 1;
    against_loops(world, false, true);
    proj.window =
        (lw_window){.in = {CO, 6, 9}, .out = {CO, 3, 3}, .kernel = {2, 2}, .stride = {2, 4}, .padding = {1, 2}};
    proj.window.dilation[0] = 3, proj.window.dilation[1] = 4;
    proj.window.same_channel = true;
    pop[0].size = CO * 54;
    against_loops(world, false, true);
    good(); /* a kernel with gaps that is longer than the grid is wide */
    proj.window.shared = true;
    proj.window.out[2] = 2;
    proj.window.dilation[0] = 2, proj.window.dilation[1] = 5;
    proj.window.padding[0] = 3, proj.window.padding[1] = 1;
    proj.window.out[1] = 4;
    proj.window.stride[1] = 1;
    pop[1].size = CO * 4 * 2;
    against_loops(world, true, false);
    proj.learn = true; /* the entries are found again from the synapses */
    against_loops(world, true, false);
    lw_comm_stop(&world);
}

/* One entry of the kernel alone: all of them together are the pool, in the order of the entries. */
TEST(single_entries) {
    lw_comm *world = world_start();
    double synapses = 0;
    good();
    pop[0].size = CO * 36;
    proj.window = (lw_window){.in = {CO, 6, 6}, .out = {CO, 3, 3}, .kernel = {2, 2}, .stride = {2, 2}};
    proj.window.same_channel = true;
    proj.weight = lw_dist_number(1);
    for (proj.window.only = 1; proj.window.only <= 4; proj.window.only++) {
        lw_net *net = NULL;
        lw_edge *edge = NULL;
        int64_t n = 0;
        CHECK_OK(lw_net_create(world, &spec, &net));
        CHECK_OK(lw_net_edges(net, 0, &edge, NULL, &n));
        CHECK_INT(n, lw_net_pop(net, 1).n_local);
        for (int64_t i = 0; i < n; i++) {
            int64_t t = edge[i].target, row = 2 * (t / 3 % 3) + (proj.window.only - 1) / 2;
            CHECK_INT(edge[i].source, t / 9 * 36 + row * 6 + 2 * (t % 3) + (proj.window.only - 1) % 2);
        }
        synapses += lw_window_synapses(&proj.window);
        lw_free(edge);
        lw_net_destroy(&net);
    }
    CHECK_CLOSE(synapses, CO * 36, 0);
    lw_net *net = NULL;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "entry 4");
    lw_comm_stop(&world);
}

TEST(listed_kernel) {
    lw_comm *world = world_start();
    lw_net *net = NULL;
    lw_edge *edge = NULL;
    int64_t n = 0;
    double list[CO * CI * KH * KW];
    good();
    for (int i = 0; i < CO * CI * KH * KW; i++)
        list[i] = i;
    proj.window.shared = true;
    proj.weight =
        (lw_dist){.kind = LW_DIST_LIST, .list = list, .n_list = CO * CI * KH * KW, .lo = -INFINITY, .hi = INFINITY};
    CHECK_OK(lw_net_create(world, &spec, &net));
    CHECK_OK(lw_net_edges(net, 0, &edge, NULL, &n));
    for (int64_t i = 0; i < n; i++) /* target (1, 1, 1): rows 1 .. 3, columns 1 .. 2 */
        if (edge[i].target == 9 + 3 + 1)
            CHECK(edge[i].weight == (double)(((CI + edge[i].source / 30) * KH + (edge[i].source / 5 % 6 - 1)) * KW +
                                             (edge[i].source % 5 - 1)));
    lw_free(edge);
    lw_net_destroy(&net);
    proj.weight.n_list--;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "35");
    lw_comm_stop(&world);
}

TEST(refused) {
    lw_comm *world = world_start();
    lw_net *net = NULL;
    good();
    proj.window.out[1] = 4, proj.window.out[0] = 3, pop[1].size = 36;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "3 x 3 places");
    good();
    pop[0].size++;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "equal numbers");
    good();
    proj.window.padding[1] = 2;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "padding below the kernel");
    good();
    proj.window.dilation[0] = 3;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "1 x 3 places");
    good();
    proj.window.shared = proj.learn = proj.learn_delay = true;
    proj.delay_max = 4;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "local2d");
    good();
    proj.window.shared = proj.learn = proj.zero_mean = true;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "zero_mean");
    good();
    proj.window.same_channel = true;
    CHECK_FAILS(lw_net_create(world, &spec, &net), LW_EUSE, "2 channels to 3");
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(synapses_of_windows), CASE(single_entries), CASE(listed_kernel), CASE(refused))
