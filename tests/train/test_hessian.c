/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The whole second derivative of the training loss: the derivative of the gradient for every read-out and loss (smooth
 * spikes); the Gauss-Newton matrix and what the slope of the loss makes of the network's own second derivative. What it
 * shares with the Gauss-Newton matrix is in test_curvature.c.
 */
#include "conv_net.h"
#include "curvature_net.h"
#include "world.h"

/* Initial states depend on resting values, and are constants to the sweeps. */
static void fix_rest(const lw_theta *theta, const lw_net *net, double *v) {
    for (int32_t k = 0; k < theta->n_blocks; k++) {
        const lw_theta_block *block = &theta->block[k];
        if (block->pop < 0) continue;
        if (strcmp(lw_net_pop(net, block->pop).model->param[block->param].name, "v_leak") == 0)
            memset(v + block->offset, 0, (size_t)block->count * sizeof *v);
    }
}

static void gradient_at(bench *b, curvature *c, const double *x, double h, const double *v, double *out) {
    double *moved = vector(c->theta->n_local);
    for (int64_t i = 0; i < c->theta->n_local; i++)
        moved[i] = x[i] + h * c->scale[i] * v[i];
    lw_theta_put(c->theta, b->net, moved);
    lw_sim_refresh(c->pass->sim);
    c->loaded = -1;
    CHECK_OK(curvature_gradient(c, out));
    free(moved);
}

static void check_difference(const lw_comm *world, int replicas, lw_readout_kind readout, int kind) {
    bench b;
    curvature *c = NULL;
    bool per_step = readout == LW_READOUT_PER_STEP || readout == LW_READOUT_LAST;
    bench_begin(&b, world, replicas, per_step && kind < 2, kind < 2);
    if (kind == 3) { /* wants spikes */
        toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
            .readout = lw_model_builtin("cuba_lif"),
            .input = 1.6,
            .weight = 0.8,
            .learn_params = true,
            .weight_type = LW_F64};
        lw_net_destroy(&b.net);
        CHECK_OK(toy_net(b.grid->part, &net, &b.net));
    }
    b.spec.loss.readout = readout;
    b.spec.loss.kind = kind == 0 ? LW_LOSS_CROSS_ENTROPY : kind < 3 ? LW_LOSS_MSE : LW_LOSS_VAN_ROSSUM;
    b.spec.loss.label_smoothing = 0.1;
    b.spec.loss.tau = 5;
    b.spec.surrogate.kind = LW_SURROGATE_SIGMOID;
    b.spec.surrogate.slope = 3;
    b.spec.batch = 4; /* three batches */
    CHECK_OK(curvature_create_hessian(b.grid, b.net, &b.spec, &b.data, SAMPLES, true, &c));
    int64_t n = c->theta->n_local;
    double *x = vector(n), *v = draw(&b, n, 3), *hv = vector(n), *up = vector(n), *down = vector(n), h = 1e-4;
    double sum[2] = {0, 0};
    lw_theta_get(c->theta, b.net, x);
    fix_rest(c->theta, b.net, v);
    CHECK_OK(curvature_product(c, v, hv));
    gradient_at(&b, c, x, h, v, up);
    gradient_at(&b, c, x, -h, v, down);
    for (int64_t i = 0; i < n; i++) {
        sum[0] += pow(hv[i] - (up[i] - down[i]) / (2 * h), 2);
        sum[1] += pow(hv[i], 2);
    }
    lw_comm_sum_f64(b.grid->part, sum, 2);
    double found = sqrt(sum[0] / sum[1]);
    if (!(found <= 1e-6) || getenv("LW_TEST_SHOW"))
        fprintf(stderr, "read-out %d, loss %d: relative error %.2g\n", (int)readout, kind, found);
    CHECK(sum[1] > 0);
    CHECK_CLOSE(found, 0, 1e-6);
    free(x), free(v), free(hv), free(up), free(down);
    curvature_destroy(&c);
    bench_end(&b);
}

TEST(derivative_of_the_gradient) {
    lw_comm *world = world_start();
    int replicas = lw_comm_size(world) % 2 == 0 ? 2 : 1;
    static const lw_readout_kind readouts[] = {
        LW_READOUT_PER_STEP, LW_READOUT_LAST, LW_READOUT_MEAN, LW_READOUT_SUM, LW_READOUT_MAX};
    for (int r = 0; r < 5; r++)
        for (int kind = 0; kind < 3; kind++)
            check_difference(world, replicas, readouts[r], kind);
    check_difference(world, replicas, LW_READOUT_VOTE, 0);
    check_difference(world, replicas, LW_READOUT_PER_STEP, 3);
    lw_comm_stop(&world);
}

/* Kernel entries stand in the vectors of all ranks, the same on each; a vector holds them divided by the root of the
 * number of ranks. */
TEST(derivative_with_shared_kernels) {
    lw_comm *world = world_start();
    bench b = {.data = conv_source(), .spec = conv_train()};
    curvature *c = NULL;
    b.spec.loss.readout = LW_READOUT_PER_STEP;
    b.spec.surrogate.kind = LW_SURROGATE_SIGMOID;
    b.spec.batch = 4;
    CHECK_OK(lw_grid_create(world, 1, &b.grid));
    CHECK_OK(conv_net(b.grid->part, LW_F64, LW_PARTITION_ROUND_ROBIN, &b.net));
    CHECK_OK(curvature_create_hessian(b.grid, b.net, &b.spec, &b.data, 3, true, &c));
    int64_t n = c->theta->n_local;
    double *x = vector(n), *v = draw(&b, n, 3), *held = vector(n), *hv = vector(n), *up = vector(n), *down = vector(n);
    double h = 1e-4, sum[2] = {0, 0};
    memcpy(held, v, (size_t)n * sizeof *held);
    for (int32_t k = 0; k < c->theta->n_blocks; k++) {
        const lw_theta_block *block = &c->theta->block[k];
        for (int64_t i = block->offset; block->tied && i < block->offset + block->count; i++) {
            v[i] = lw_rng_normal(9, LW_PURPOSE_CHECK, (uint64_t)k, (uint64_t)(i - block->offset), 0);
            held[i] = v[i] / sqrt(lw_comm_size(world));
        }
    }
    lw_theta_get(c->theta, b.net, x);
    CHECK_OK(curvature_product(c, held, hv));
    gradient_at(&b, c, x, h, v, up);
    gradient_at(&b, c, x, -h, v, down);
    for (int64_t i = 0; i < n; i++) {
        sum[0] += pow(hv[i] - (up[i] - down[i]) / (2 * h), 2);
        sum[1] += pow(hv[i], 2);
    }
    lw_comm_sum_f64(b.grid->part, sum, 2);
    CHECK(sum[1] > 0);
    CHECK_CLOSE(sqrt(sum[0] / sum[1]), 0, 1e-6);
    if (getenv("LW_TEST_SHOW")) fprintf(stderr, "shared kernels: relative error %.2g\n", sqrt(sum[0] / sum[1]));
    free(x), free(v), free(held), free(hv), free(up), free(down);
    curvature_destroy(&c);
    bench_end(&b);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ Gauss-Newton and the rest */

static bool nothing(void *payload, int pop, int64_t t, void *out_adj_tan) {
    (void)payload, (void)pop, (void)t, (void)out_adj_tan;
    return false;
}

static bool slope_of_loss(void *payload, int pop, int64_t t, void *out_adj) {
    curvature *c = payload;
    loss_work *w = c->pass->loss;
    void *own = w->z_adj;
    if (pop != w->spec.pop) return false;
    w->z_adj = c->z_adj;
    bool added = loss_seed(w, t, out_adj);
    w->z_adj = own;
    return added;
}

/* sum over read-outs of dL/dz d2z: the loss as if it were linear */
static void rest(curvature *c, const double *v, double *out) {
    lw_tape_twice linear = {.payload = c, .seed = slope_of_loss, .seed_tan = nothing};
    double *direction = vector(c->theta->n_local);
    for (int64_t i = 0; i < c->theta->n_local; i++)
        direction[i] = c->scale[i] * v[i];
    CHECK_OK(lw_tape_hessian(c->pass->tape, direction, &linear, out));
    for (int64_t i = 0; i < c->theta->n_local; i++)
        out[i] *= c->scale[i];
    free(direction);
}

/* hidden: graded and linear, so that read-outs are products of weights, or spiking */
static void check_parts(const lw_comm *world, const char *hidden) {
    bench b;
    curvature *g = NULL, *h = NULL;
    toy_net_spec net = {.hidden = lw_model_builtin(hidden),
        .readout = lw_model_builtin("li"),
        .input = 1.6,
        .weight = 0.3,
        .weight_type = LW_F64};
    bench_begin(&b, world, 1, false, false);
    lw_net_destroy(&b.net);
    CHECK_OK(toy_net(b.grid->part, &net, &b.net));
    b.spec.loss.kind = LW_LOSS_MSE;
    CHECK_OK(curvature_create(b.grid, b.net, &b.spec, &b.data, SAMPLES, &g));
    CHECK_OK(curvature_create_hessian(b.grid, b.net, &b.spec, &b.data, SAMPLES, false, &h));
    CHECK_REL(h->loss, g->loss, 1e-15);
    int64_t n = g->theta->n_local;
    double *v = draw(&b, n, 3), *gv = vector(n), *hv = vector(n), *rv = vector(n), worst = 0, apart = 0;
    for (int only_readout = 0; only_readout < 2; only_readout++) {
        for (int32_t k = 0; only_readout && k < g->theta->n_blocks; k++)
            for (int64_t i = g->theta->block[k].offset; i < g->theta->block[k].offset + g->theta->block[k].count; i++)
                if (g->theta->block[k].proj != 2) v[i] = 0;
        memset(rv, 0, (size_t)n * sizeof *rv);
        CHECK_OK(curvature_product(g, v, gv));
        CHECK_OK(curvature_product(h, v, hv));
        rest(h, v, rv);
        double size = sqrt(dot(&b, n, hv, hv));
        for (int64_t i = 0; i < n; i++) {
            worst = fmax(worst, fabs(hv[i] - gv[i] - rv[i]) / size);
            apart = fmax(apart, fabs(hv[i] - gv[i]) / size);
            /* the read-out is linear in its own weights */
            if (only_readout && v[i] != 0) CHECK_CLOSE(hv[i], gv[i], 1e-14 * size);
        }
    }
    lw_comm_max_f64(world, &worst, 1);
    lw_comm_max_f64(world, &apart, 1);
    CHECK_CLOSE(worst, 0, 1e-14);
    CHECK(apart > 0.01);
    free(v), free(gv), free(hv), free(rv);
    curvature_destroy(&g);
    curvature_destroy(&h);
    bench_end(&b);
}

TEST(gauss_newton_and_the_rest) {
    lw_comm *world = world_start();
    check_parts(world, "li");
    check_parts(world, "cuba_lif");
    lw_comm_stop(&world);
}

TEST(bad_input) {
    lw_comm *world = world_start();
    bench b;
    lw_sharpness s;
    lw_sharpness_spec spec = lw_sharpness_spec_default();
    spec.matrix = LW_SHARPNESS_HESSIAN;
    bench_begin(&b, world, 1, false, true);
    b.spec.loss.readout = LW_READOUT_FIRST_SPIKE;
    CHECK_FAILS(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s), LW_EUSE,
        "no second derivative of the read-out first_spike");
    lw_net_destroy(&b.net);
    toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin("li"),
        .input = 1,
        .weight = 1,
        .lags = true,
        .weight_type = LW_F64};
    CHECK_OK(toy_net(b.grid->part, &net, &b.net));
    b.spec.loss.readout = LW_READOUT_MEAN;
    CHECK_FAILS(
        lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s), LW_EUSE, "projection in_hid learns its delays");
    bench_end(&b);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(derivative_of_the_gradient), CASE(derivative_with_shared_kernels), CASE(gauss_newton_and_the_rest),
    CASE(bad_input))
