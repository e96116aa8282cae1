/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Crossovers between products: none of them changes a bit of what runs forward, and gradients only by their rounding;
 * what is measured lies where products can be, and is used.
 */
#include <math.h>
#include <string.h>
#include <lapwing/sim.h>
#include "check.h"

enum { STEPS = 20, INPUTS = 40, SIZE = 150, OUTPUTS = 5, WIDTH = 16 };

static lw_net *net_make(const lw_comm *comm) {
    const lw_model *lif = lw_model_builtin("cuba_lif");
    lw_dist weight = lw_dist_number(0);
    weight.kind = LW_DIST_NORMAL;
    weight.p[1] = 2;
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = INPUTS},
        {.name = "rec", .model = lif, .size = SIZE}, {.name = "out", .model = lw_model_builtin("li"), .size = OUTPUTS}};
    lw_projection_spec all = {
        .rule = LW_RULE_ALL_TO_ALL, .autapses = true, .learn = true, .weight = weight, .delay = lw_dist_number(1)};
    lw_projection_spec proj[3] = {all, all, all};
    proj[0].post = proj[1].pre = proj[1].post = proj[2].pre = 1;
    proj[2].post = 2;
    lw_net_spec spec = {.seed = 4, .dt = 1, .n_pop = 3, .n_proj = 3, .pop = pop, .proj = proj, .weight_type = LW_F32};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

/* All of the read-out's units at all steps, whatever the rank they are on. */
static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    const lw_pop_view *out = payload;
    float *to = out_adj;
    if (pop != 2) return false;
    for (int64_t i = 0; i < out->n_local * WIDTH; i++)
        to[i] += (float)lw_rng_normal(
            6, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)out->gid[i / WIDTH], (uint64_t)(i % WIDTH));
    return true;
}

/* Membrane voltages of the recurrent population after STEPS, and the gradient. */
static void run(lw_net *net, const lw_theta *theta, lw_crossover crossover, double *state, double *grad) {
    static float x[STEPS * INPUTS * WIDTH];
    lw_sim_options options = lw_sim_options_default();
    lw_sim *sim = NULL;
    lw_tape *tape = NULL;
    lw_pop_view out = lw_net_pop(net, 2);
    lw_tape_seed s = {.payload = &out, .seed = seed};
    for (int64_t i = 0; i < STEPS * INPUTS * WIDTH; i++)
        x[i] = lw_rng_uniform(5, LW_PURPOSE_CHECK, (uint64_t)i, 0, 0) < 0.3;
    options.precision = LW_F32;
    options.width = WIDTH;
    options.surrogate = (lw_surrogate){LW_SURROGATE_TRIANGLE, 1, 1};
    options.crossover = crossover;
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_tape_create(sim, STEPS, theta, &tape));
    CHECK_OK(lw_sim_feed(sim, 0, 0, x, STEPS, INPUTS));
    CHECK_OK(lw_tape_forward(tape, STEPS));
    memset(grad, 0, (size_t)theta->n_local * sizeof *grad);
    CHECK_OK(lw_tape_backward(tape, &s, grad, NULL));
    lw_sim_state_get(sim, 1, 0, state);
    lw_tape_destroy(&tape);
    lw_sim_destroy(&sim);
}

/* |a - b| / |b| over all ranks */
static double distance(const lw_comm *comm, int64_t n, const double *a, const double *b) {
    double sum[2] = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        sum[0] += (a[i] - b[i]) * (a[i] - b[i]);
        sum[1] += b[i] * b[i];
    }
    lw_comm_sum_f64(comm, sum, 2);
    CHECK(sum[1] > 0);
    return sqrt(sum[0] / sum[1]);
}

TEST(no_crossover_changes_more_than_the_rounding_of_a_gradient) {
    lw_comm *world = NULL;
    lw_theta *theta = NULL;
    lw_crossover crossover[4] = {lw_crossover_default(), {.walk = 0, .place = {1e9, 0}}, {.walk = 1}};
    double *state[4], *grad[4];
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    CHECK_OK(lw_crossover_measure(&crossover[3]));
    lw_net *net = net_make(world);
    CHECK_OK(lw_theta_create(net, &theta));
    int64_t cells = lw_net_pop(net, 1).n_local * WIDTH;
    for (int i = 0; i < 4; i++) {
        state[i] = calloc((size_t)cells + 1, sizeof **state);
        grad[i] = calloc((size_t)theta->n_local + 1, sizeof **grad);
        run(net, theta, crossover[i], state[i], grad[i]);
        CHECK(memcmp(state[i], state[0], (size_t)cells * sizeof **state) == 0);
        CHECK(distance(world, theta->n_local, grad[i], grad[0]) < 1e-5);
    }
    if (lw_comm_size(world) == 1) /* slopes of other ranks' neurons are not known here */
        CHECK(distance(world, theta->n_local, grad[1], grad[2]) > 0);
    for (int i = 0; i < 4; i++) {
        free(state[i]);
        free(grad[i]);
    }
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

TEST(what_is_measured_lies_where_it_can) {
    lw_crossover c = {0};
    CHECK_OK(lw_crossover_measure(&c));
    CHECK(c.walk >= 0.05 && c.walk <= 0.95);
    CHECK(c.place[0] >= 1 && c.place[0] <= 100 && c.place[1] >= 0 && isfinite(c.place[1]));
    printf("walk %.3g, places n / (%.3g n + %.4g)\n", c.walk, c.place[0], c.place[1]);
}

CHECK_MAIN(CASE(no_crossover_changes_more_than_the_rounding_of_a_gradient), CASE(what_is_measured_lies_where_it_can))
