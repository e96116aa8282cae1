/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gradient of every built-in model: adjoint against tangent (hard spikes with surrogate) and against central
 * differences (smooth spikes), dense and sparse, on any number of ranks, with and without replicas. Spiking models
 * stand in the hidden layer, graded ones are the read-out. This is the acceptance test of the chain from model text to
 * gradient.
 */
#include "train_net.h"
#include "world.h"

enum { STEPS = 14, BATCH = 12, DIRECTIONS = 2 };
static const double dot_limit = 1e-12, fd_limit = 1e-5;

static lw_train_spec check_spec(const lw_model *hidden) {
    lw_train_spec s = toy_train();
    s.batch = BATCH;
    s.surrogate.slope = model_slope(hidden);
    s.loss.readout = LW_READOUT_PER_STEP;
    s.loss.label_smoothing = 0.1;
    return s;
}

/* Doubles the weights until the hidden layer fires now and then: models differ in units. On one rank, so all find the
 * same. */
static void drive_find(toy_net_spec *net) {
    lw_comm *self = NULL;
    lw_grid *grid = NULL;
    double rate = 0;
    if (!net->hidden->emits_spikes) return;
    CHECK_OK(lw_comm_self(&self));
    CHECK_OK(lw_grid_create(self, 1, &grid));
    for (int i = 0; i < 30 && rate * model_step(net->hidden) < 50; i++) {
        lw_net *built = NULL;
        toy d = {.n_steps = STEPS};
        lw_batch_source source = toy_source(&d, BATCH, true);
        lw_train_spec spec = check_spec(net->hidden);
        lw_evaluation e = {0};
        if (i > 0) net->input *= 2;
        net->weight = net->input / 2;
        CHECK_OK(toy_net(grid->part, net, &built));
        CHECK_OK(lw_evaluate(grid, built, &spec, &source, NULL, &e));
        rate = e.rate_hz;
        lw_evaluation_free(&e);
        lw_net_destroy(&built);
    }
    CHECK(rate > 0);
    lw_grid_destroy(&grid);
    lw_comm_destroy(&self);
}

static void gradient_check(const lw_comm *world, int replicas, const toy_net_spec *net, const lw_train_spec *spec,
    bool per_step, bool classes, const char *what) {
    lw_grid *grid = NULL;
    lw_net *built = NULL;
    toy d = {.n_steps = STEPS, .per_step = per_step};
    lw_batch_source source = toy_source(&d, BATCH - 1, classes); /* one absent lane */
    lw_gradcheck r = {0};
    CHECK_OK(lw_grid_create(world, replicas, &grid));
    CHECK_OK(toy_net(grid->part, net, &built));
    CHECK_OK(lw_gradcheck_run(grid, built, spec, &source, STEPS, DIRECTIONS, &r));
    if (!(r.dot_error <= dot_limit) || !(r.fd_error <= fd_limit))
        fprintf(stderr, "%s (%s, %d replicas): dot %.3g, differences %.3g\n", what, net->sparse ? "sparse" : "dense",
            replicas, r.dot_error, r.fd_error);
    CHECK(r.learnable > 0 && r.steps == STEPS && r.directions == DIRECTIONS);
    CHECK(r.dot_error <= dot_limit);
    CHECK(r.fd_error <= fd_limit);
    lw_net_destroy(&built);
    lw_grid_destroy(&grid);
}

static toy_net_spec net_of(const lw_model *model) {
    toy_net_spec s = {.hidden = model,
        .readout = lw_model_builtin("li"),
        .input = 0.1,
        .weight = 0.05,
        .learn_params = true,
        .weight_type = LW_F64};
    if (!model->emits_spikes) {
        s.hidden = lw_model_builtin("cuba_lif");
        s.readout = model;
    }
    return s;
}

TEST(every_model_dense_and_sparse) {
    lw_comm *world = world_start();
    int size = lw_comm_size(world);
    CHECK(lw_model_builtin_count() > 0);
    for (int i = 0; i < lw_model_builtin_count(); i++) {
        const lw_model *model = lw_model_builtin_at(i);
        if (model->n_input == 0) continue; /* nothing can be connected to it */
        toy_net_spec net = net_of(model);
        lw_train_spec spec = check_spec(net.hidden);
        drive_find(&net);
        for (int sparse = 0; sparse < 2; sparse++) {
            net.sparse = sparse;
            gradient_check(world, 1, &net, &spec, false, true, model->name);
            if (size % 2 == 0) gradient_check(world, 2, &net, &spec, false, true, model->name);
        }
    }
    lw_comm_stop(&world);
}

/* all losses, read-outs, the rate band, skipped and unlabelled steps, and float weights */
TEST(every_loss) {
    lw_comm *world = world_start();
    int replicas = lw_comm_size(world) % 2 == 0 ? 2 : 1;
    static const lw_penalty band = {.kind = LW_PENALTY_RATE, .power = 2, .weight = 5, .lower = 0.2, .upper = 0.3};
    static const char *const name[] = {"per step", "last", "mean", "sum", "max"};
    toy_net_spec net = net_of(lw_model_builtin("cuba_lif"));
    drive_find(&net);
    for (int readout = LW_READOUT_PER_STEP; readout <= LW_READOUT_MAX; readout++)
        for (int kind = 0; kind < 3; kind++) {
            lw_train_spec spec = check_spec(net.hidden);
            spec.loss.readout = (lw_readout_kind)readout;
            spec.loss.kind = kind == 0 ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE;
            spec.loss.skip = 3;
            spec.loss.penalty = &band;
            spec.loss.n_penalties = 1;
            spec.loss.unlabelled = readout == LW_READOUT_LAST ? 1 : -1;
            net.sparse = kind == 1;
            net.weight_type = kind == 2 ? LW_F32 : LW_F64;
            gradient_check(
                world, replicas, &net, &spec, readout <= LW_READOUT_LAST && kind < 2, kind < 2, name[readout]);
        }
    lw_comm_stop(&world);
}

/* every surrogate is the derivative of its smooth spike, through the whole network; and the detached reset in the hard
 * one */
TEST(every_surrogate) {
    lw_comm *world = world_start();
    toy_net_spec net = net_of(lw_model_builtin("cuba_lif"));
    drive_find(&net);
    for (int kind = LW_SURROGATE_SUPERSPIKE; kind <= LW_SURROGATE_GAUSSIAN; kind++) {
        lw_train_spec spec = check_spec(net.hidden);
        spec.surrogate.kind = (lw_surrogate_kind)kind;
        spec.surrogate.slope = kind == LW_SURROGATE_BOXCAR || kind == LW_SURROGATE_TRIANGLE ? 0.5 : 2;
        spec.surrogate.scale = 0.7;
        spec.reset_detached = kind % 2 == 0;
        gradient_check(world, 1, &net, &spec, false, true, lw_surrogate_name((lw_surrogate_kind)kind));
    }
    lw_comm_stop(&world);
}

/* learned delays, dense and sparse */
TEST(delays) {
    lw_comm *world = world_start();
    int size = lw_comm_size(world);
    toy_net_spec net = net_of(lw_model_builtin("cuba_lif"));
    lw_train_spec spec = check_spec(net.hidden);
    drive_find(&net);
    net.lags = true;
    for (int sparse = 0; sparse < 2; sparse++) {
        net.sparse = sparse;
        for (int type = 0; type < 2; type++) {
            net.weight_type = type ? LW_F64 : LW_F32;
            gradient_check(world, 1, &net, &spec, false, true, "delays");
            if (size % 2 == 0) gradient_check(world, 2, &net, &spec, true, true, "delays");
        }
    }
    lw_comm_stop(&world);
}

/* the check leaves the weights as it found them */
TEST(weights_are_untouched) {
    lw_comm *world = world_start();
    lw_grid *grid = NULL;
    lw_net *built = NULL;
    lw_theta *theta = NULL;
    toy d = {.n_steps = 5};
    lw_batch_source source = toy_source(&d, BATCH, true);
    toy_net_spec net = net_of(lw_model_builtin("cuba_lif"));
    lw_train_spec spec = check_spec(net.hidden);
    lw_gradcheck r;
    CHECK_OK(lw_grid_create(world, 1, &grid));
    CHECK_OK(toy_net(grid->part, &net, &built));
    CHECK_OK(lw_theta_create(built, &theta));
    double *before = calloc((size_t)theta->n_local + 1, sizeof *before),
           *after = calloc((size_t)theta->n_local + 1, sizeof *after);
    lw_theta_get(theta, built, before);
    CHECK_OK(lw_gradcheck_run(grid, built, &spec, &source, 0, 1, &r));
    CHECK_INT(r.steps, 5);
    lw_theta_get(theta, built, after);
    CHECK(memcmp(before, after, (size_t)theta->n_local * sizeof *before) == 0);
    free(before);
    free(after);
    lw_theta_destroy(&theta);
    lw_net_destroy(&built);
    lw_grid_destroy(&grid);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(every_model_dense_and_sparse), CASE(every_loss), CASE(every_surrogate), CASE(delays),
    CASE(weights_are_untouched))
