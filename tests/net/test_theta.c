/* SPDX-License-Identifier: BSD-3-Clause
 *
 * theta: which numbers are in it, that what is put comes back, that parameters are brought into their domain.
 */
#include "fixture.h"

static lw_net *build(lw_dtype type) {
    static uint8_t both[2] = {1, 1}, tau[2] = {1, 0};
    lw_population_spec pop[] = {{.name = "a", .model = &toy, .size = 9, .learn = both},
        {.name = "b", .model = &toy, .size = 5, .learn = tau}, {.name = "c", .model = &toy, .size = 4}};
    lw_projection_spec proj[] = {plain(0, 1, LW_RULE_ALL_TO_ALL, 0, 0), plain(1, 1, LW_RULE_FIXED_INDEGREE, 2, 0),
        plain(1, 2, LW_RULE_FIXED_INDEGREE, 3, 0)};
    proj[0].learn = proj[2].learn = true;
    proj[2].weight = dist(LW_DIST_NORMAL, 0, 1);
    lw_net_spec spec = {.seed = 4, .dt = 1, .n_pop = 3, .n_proj = 3, .pop = pop, .proj = proj, .weight_type = type};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

TEST(blocks) {
    lw_net *net = build(LW_F64);
    lw_theta *theta = NULL;
    CHECK_OK(lw_theta_create(net, &theta));
    CHECK_INT(theta->n_blocks, 5);
    CHECK_INT(theta->n_global, 45 + 12 + 9 + 9 + 5);
    static const int weight[] = {1, 1, 0, 0, 0}, proj[] = {0, 2, -1, -1, -1}, pop[] = {-1, -1, 0, 0, 1},
                     param[] = {-1, -1, TAU, BIAS, TAU};
    int64_t at = 0;
    for (int b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        CHECK_INT(block->is_weight, weight[b]);
        CHECK_INT(block->proj, proj[b]);
        CHECK_INT(block->pop, pop[b]);
        CHECK_INT(block->param, param[b]);
        CHECK_INT(block->offset, at);
        CHECK_INT(
            block->count, weight[b] ? lw_net_proj(net, block->proj).n_edges : lw_net_pop(net, block->pop).n_local);
        at += block->count;
    }
    CHECK_INT(theta->n_local, at);
    lw_theta_destroy(&theta);
    CHECK(theta == NULL);
    lw_net_destroy(&net);
}

TEST(put_then_get) {
    for (int type = 0; type < 2; type++) {
        lw_net *net = build((lw_dtype)type);
        lw_theta *theta = NULL;
        CHECK_OK(lw_theta_create(net, &theta));
        double *x = calloc((size_t)theta->n_local + 1, sizeof *x), *y = calloc((size_t)theta->n_local + 1, sizeof *y);
        lw_theta_get(theta, net, x);
        for (int b = 0; b < theta->n_blocks; b++)
            for (int64_t i = 0; i < theta->block[b].count; i++) {
                double *at = &x[theta->block[b].offset + i];
                if (theta->block[b].is_weight) {
                    lw_proj_view proj = lw_net_proj(net, theta->block[b].proj);
                    CHECK_CLOSE(*at, lw_net_weight(&proj, i), 0);
                } else
                    CHECK_CLOSE(*at, theta->block[b].param == TAU ? 20 : -1, 0);
                *at = (double)(float)(0.1 + (double)i + 100 * b); /* exact in both types */
            }
        lw_theta_put(theta, net, x);
        lw_theta_get(theta, net, y);
        CHECK(memcmp(x, y, (size_t)theta->n_local * sizeof *x) == 0);
        lw_proj_view fixed = lw_net_proj(net, 1);
        CHECK(fixed.weight_one && fixed.weight_value == 1);
        free(x);
        free(y);
        lw_theta_destroy(&theta);
        lw_net_destroy(&net);
    }
}

/* tau must stay above 0; the vector hears of it. */
TEST(parameters_stay_in_their_domain) {
    lw_net *net = build(LW_F64);
    lw_theta *theta = NULL;
    CHECK_OK(lw_theta_create(net, &theta));
    double *x = calloc((size_t)theta->n_local + 1, sizeof *x);
    for (int64_t i = 0; i < theta->n_local; i++)
        x[i] = -5;
    lw_theta_put(theta, net, x);
    for (int b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        bool tau = !block->is_weight && block->param == TAU;
        for (int64_t i = 0; i < block->count; i++) {
            double now = block->is_weight ? -5 : lw_net_pop(net, block->pop).param[block->param][i];
            CHECK(tau ? now > 0 && now < 1e-3 : now == -5);
            CHECK(x[block->offset + i] == now);
        }
    }
    free(x);
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
}

CHECK_MAIN(CASE(blocks), CASE(put_then_get), CASE(parameters_stay_in_their_domain))
