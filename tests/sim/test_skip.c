/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Skip edges and feedback over several layers: with delay 0 all layers see one step's values in that step, whatever the
 * order in which populations and projections are written; feedback comes a step later. Integers, so equal in all bits.
 */
#include <lapwing/sim.h>
#include "check.h"

enum { N = 6, T = 9, LANES = 2 };

TEST(skip_edges_of_delay_0_add_in_the_step) {
    static float feed[T * N * LANES];
    int argc = 0;
    char **argv = NULL;
    lw_comm *world = NULL;
    lw_net *net;
    lw_sim *sim;
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    const lw_model *relay = lw_model_builtin("relay");
    /* written against the flow: c, b, a, in */
    lw_population_spec pop[4] = {{.name = "c", .model = relay, .size = N}, {.name = "b", .model = relay, .size = N},
        {.name = "a", .model = relay, .size = N}, {.name = "in", .model = relay, .size = N}};
    static const int edge[7][4] = {/* from, to, weight, delay in steps */
        {3, 0, 5, 0}, {2, 0, 7, 0}, {1, 0, 2, 0}, {3, 1, 3, 0}, {2, 1, 1, 0}, {3, 2, 1, 0}, {0, 2, -1, 1}};
    lw_projection_spec proj[7];
    memset(proj, 0, sizeof proj);
    for (int k = 0; k < 7; k++) {
        proj[k].pre = edge[k][0];
        proj[k].post = edge[k][1];
        proj[k].rule = LW_RULE_ONE_TO_ONE;
        proj[k].autapses = true;
        proj[k].weight = lw_dist_number(edge[k][2]);
        proj[k].delay = lw_dist_number(edge[k][3]);
    }
    lw_net_spec spec = {.seed = 3,
        .dt = 1,
        .n_pop = 4,
        .n_proj = 7,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F64};
    lw_sim_options o = lw_sim_options_default();
    o.width = LANES;
    CHECK_OK(lw_net_create(world, &spec, &net));
    CHECK_OK(lw_sim_create(net, &o, &sim));
    for (int t = 0; t < T; t++)
        for (int i = 0; i < N; i++)
            for (int l = 0; l < LANES; l++)
                feed[(t * N + i) * LANES + l] = (float)((t * 5 + i * 3 + l) % 4);
    CHECK_OK(lw_sim_feed(sim, 3, 0, feed, T, N));
    double last[N][LANES] = {{0}}, out[N * LANES];
    lw_pop_view v = lw_net_pop(net, 0);
    for (int t = 0; t < T; t++) {
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        lw_sim_output_get(sim, 0, out);
        for (int64_t j = 0; j < v.n_local; j++)
            for (int l = 0; l < LANES; l++) {
                int64_t i = v.gid[j] - v.gid_begin;
                double x = (double)feed[(t * N + i) * LANES + l], a = x - last[i][l], b = 3 * x + a;
                last[i][l] = 5 * x + 7 * a + 2 * b;
                CHECK_CLOSE(out[j * LANES + l], last[i][l], 0);
            }
    }
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(skip_edges_of_delay_0_add_in_the_step))
