/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Learned convolutions: gradient of kernel entries against tangents and differences; the same forward bits and, to
 * rounding, the same gradient, training and curvature on any number of ranks as on one; every synapse keeps the value
 * of its entry; and what is refused.
 */
#include <math.h>
#include <string.h>
#include "conv_net.h"
#include "world.h"

static const double limit = 1e-12;

TEST(gradient_is_the_derivative) {
    lw_comm *world = world_start();
    for (int replicas = 1; replicas <= 2; replicas++) {
        if (lw_comm_size(world) % replicas) continue;
        lw_batch_source data = conv_source();
        lw_train_spec spec = conv_train();
        lw_grid *grid = NULL;
        lw_net *net = NULL;
        lw_gradcheck r = {0};
        spec.loss.readout = LW_READOUT_PER_STEP;
        CHECK_OK(lw_grid_create(world, replicas, &grid));
        CHECK_OK(conv_net(grid->part, LW_F64, LW_PARTITION_ROUND_ROBIN, &net));
        CHECK_OK(lw_gradcheck_run(grid, net, &spec, &data, 0, 3, &r));
        CHECK_INT(r.learnable, 3 * 2 * 6 + 3 * 3 * 9 + 2 * 3 * 4 + 3 * 12 + 72);
        CHECK(r.dot_error <= limit);
        CHECK(r.fd_error <= 1e-6);
        lw_net_destroy(&net);
        lw_grid_destroy(&grid);
    }
    lw_comm_stop(&world);
}

/* One rank by itself, and all together. */
typedef struct pair {
    lw_comm *self;
    lw_grid *one, *all;
    lw_net *a, *b;
} pair;

static pair pair_begin(const lw_comm *world, int replicas, lw_dtype type) {
    pair p = {0};
    CHECK_OK(lw_comm_self(&p.self));
    CHECK_OK(lw_grid_create(p.self, 1, &p.one));
    CHECK_OK(lw_grid_create(world, replicas, &p.all));
    CHECK_OK(conv_net(p.one->part, type, LW_PARTITION_BLOCK, &p.a));
    CHECK_OK(conv_net(p.all->part, type, LW_PARTITION_ROUND_ROBIN, &p.b));
    return p;
}

static void pair_end(pair *p) {
    lw_net_destroy(&p->a);
    lw_net_destroy(&p->b);
    lw_grid_destroy(&p->one);
    lw_grid_destroy(&p->all);
    lw_comm_destroy(&p->self);
}

static double apart(double a, double b, double size) {
    return fabs(a - b) / fmax(size, 1e-300);
}

TEST(any_number_of_ranks_has_the_same_gradient) {
    lw_comm *world = world_start();
    pair p = pair_begin(world, 1, LW_F64);
    lw_batch_source data = conv_source();
    lw_train_spec spec = conv_train();
    lw_gradient a = {0}, b = {0};
    CHECK_OK(lw_gradient_run(p.one, p.a, &spec, &data, CONV_SAMPLES, &a));
    CHECK_OK(lw_gradient_run(p.all, p.b, &spec, &data, CONV_SAMPLES, &b));
    CHECK_INT(a.theta->n_global, b.theta->n_global);
    CHECK(memcmp(a.out, b.out, (size_t)(a.n_steps * a.n_units * a.n_samples) * sizeof *a.out) == 0);
    CHECK_CLOSE(a.loss, b.loss, 1e-14);
    for (int32_t k = 0; k < CONV_TIED; k++) {
        const lw_theta_block *x = &a.theta->block[k], *y = &b.theta->block[k];
        double most = 0;
        CHECK(x->tied && y->tied && x->count == y->count);
        for (int64_t i = 0; i < x->count; i++)
            most = fmax(most, fabs(a.gradient[x->offset + i]));
        CHECK(most > 1e-6);
        for (int64_t i = 0; i < x->count; i++) {
            CHECK(a.value[x->offset + i] == b.value[y->offset + i]);
            CHECK(apart(a.gradient[x->offset + i], b.gradient[y->offset + i], most) <= limit);
        }
    }
    double inner[2] = {
        lw_theta_inner(a.theta, a.gradient, a.gradient), lw_theta_inner(b.theta, b.gradient, b.gradient)};
    lw_comm_sum_f64(p.all->part, &inner[1], 1);
    CHECK_CLOSE(inner[0], inner[1], 1e-12 * inner[0]);
    lw_gradient_free(&a);
    lw_gradient_free(&b);
    pair_end(&p);
    lw_comm_stop(&world);
}

static void trained(const lw_comm *world, int replicas, lw_dtype type, lw_optimizer_kind kind) {
    pair p = pair_begin(world, replicas, type);
    lw_batch_source data = conv_source();
    lw_train_spec spec = conv_train();
    lw_trainer *a = NULL, *b = NULL;
    double before = lw_net_proj(p.a, 0).tied[0];
    spec.optimizer.kind = kind;
    CHECK_OK(lw_trainer_create(p.one, p.a, &spec, &data, &a));
    CHECK_OK(lw_trainer_create(p.all, p.b, &spec, &data, &b));
    CHECK_OK(lw_trainer_run(a, NULL, NULL));
    CHECK_OK(lw_trainer_run(b, NULL, NULL));
    int64_t n = 0;
    const lw_metrics *x = lw_trainer_metrics(a, &n), *y = lw_trainer_metrics(b, &n);
    CHECK(n == 2 && x[0].grad_norm > 0);
    for (int64_t i = 0; i < n; i++) { /* entries count once */
        CHECK_CLOSE(x[i].grad_norm, y[i].grad_norm, (type == LW_F64 ? 1e-9 : 1e-4) * x[i].grad_norm);
        CHECK_CLOSE(x[i].loss, y[i].loss, type == LW_F64 ? 1e-9 : 1e-4);
    }
    for (int k = 0; k < CONV_TIED; k++)
        for (int64_t e = 0; e < lw_net_proj(p.a, k).n_tied; e++)
            CHECK_CLOSE(lw_net_proj(p.a, k).tied[e], lw_net_proj(p.b, k).tied[e], type == LW_F64 ? 1e-9 : 1e-4);
    CHECK(fabs(lw_net_proj(p.a, 0).tied[0] - before) > 1e-6);
    conv_synapses_check(p.a);
    conv_synapses_check(p.b);
    /* all ranks hold the same bits */
    for (int k = 0; k < CONV_TIED; k++)
        for (int64_t e = 0; e < lw_net_proj(p.b, k).n_tied; e++) {
            double range[2] = {lw_net_proj(p.b, k).tied[e], -lw_net_proj(p.b, k).tied[e]};
            lw_comm_max_f64(world, range, 2);
            CHECK(range[0] == -range[1]);
        }
    lw_trainer_destroy(&a);
    lw_trainer_destroy(&b);
    pair_end(&p);
}

TEST(training_is_the_same_on_any_grid) {
    lw_comm *world = world_start();
    for (int replicas = 1; replicas <= 2; replicas++) {
        if (lw_comm_size(world) % replicas) continue;
        trained(world, replicas, LW_F64, LW_OPTIMIZER_SGD);
        trained(world, replicas, LW_F64, LW_OPTIMIZER_ADAMW);
        trained(world, replicas, LW_F32, LW_OPTIMIZER_SGD);
    }
    lw_comm_stop(&world);
}

TEST(frozen_kernels_stay) {
    lw_comm *world = world_start();
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    lw_batch_source data = conv_source();
    lw_train_spec spec = conv_train();
    lw_optimizer_group group = {.match = "a", .lr = 1, .weight_decay = NAN, .freeze = true};
    lw_trainer *t = NULL;
    spec.optimizer.group = &group;
    spec.optimizer.n_groups = 1;
    CHECK_OK(lw_grid_create(world, 1, &grid));
    CHECK_OK(conv_net(grid->part, LW_F64, LW_PARTITION_BLOCK, &net));
    double before = lw_net_proj(net, 0).tied[3], other = lw_net_proj(net, 1).tied[3];
    CHECK_OK(lw_trainer_create(grid, net, &spec, &data, &t));
    CHECK_OK(lw_trainer_run(t, NULL, NULL));
    CHECK(lw_net_proj(net, 0).tied[3] == before && lw_net_proj(net, 1).tied[3] != other);
    lw_trainer_destroy(&t);
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
    lw_comm_stop(&world);
}

TEST(curvature_is_that_of_entries) {
    lw_comm *world = world_start();
    pair p = pair_begin(world, 1, LW_F64);
    lw_batch_source data = conv_source();
    lw_train_spec spec = conv_train();
    lw_sharpness_spec wanted = lw_sharpness_spec_default();
    lw_sharpness a = {0}, b = {0};
    wanted.eigenvalues = 2;
    wanted.tolerance = 1e-10;
    for (int matrix = 0; matrix < 2; matrix++) {
        wanted.matrix = matrix ? LW_SHARPNESS_HESSIAN : LW_SHARPNESS_GAUSS_NEWTON;
        CHECK_OK(lw_sharpness_run(p.one, p.a, &spec, &data, &wanted, &a));
        CHECK_OK(lw_sharpness_run(p.all, p.b, &spec, &data, &wanted, &b));
        CHECK(a.n == 2 && b.n == 2 && a.converged && b.converged);
        for (int i = 0; i < 2; i++)
            CHECK_CLOSE(a.value[i], b.value[i], 1e-8 * a.value[0]);
        lw_sharpness_free(&a);
        lw_sharpness_free(&b);
    }
    pair_end(&p);
    lw_comm_stop(&world);
}

TEST(gains_reach_entries) {
    lw_comm *world = world_start();
    pair p = pair_begin(world, 1, LW_F32);
    uint8_t wanted[CONV_PROJ] = {1, 1, 1, 1};
    lw_weight_gain *gain = NULL;
    double before = lw_net_proj(p.b, 2).tied[5];
    CHECK_OK(lw_weight_gain_create(p.b, wanted, &gain));
    lw_weight_gain_set(gain, 2);
    CHECK_CLOSE(lw_net_proj(p.b, 2).tied[5], 4 * before, 0);
    lw_weight_gain_set(gain, 0.3);
    conv_synapses_check(p.b);
    lw_weight_gain_destroy(&gain);
    pair_end(&p);
    lw_comm_stop(&world);
}

TEST(a_smaller_network_is_refused) {
    lw_comm *world = world_start();
    lw_net *net = NULL, *small = NULL;
    CHECK_OK(conv_net(world, LW_F64, LW_PARTITION_BLOCK, &net));
    CHECK_FAILS(lw_net_compact(net, NULL, NULL, &small), LW_EUSE, "conv2d");
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(gradient_is_the_derivative), CASE(any_number_of_ranks_has_the_same_gradient),
    CASE(training_is_the_same_on_any_grid), CASE(frozen_kernels_stay), CASE(curvature_is_that_of_entries),
    CASE(gains_reach_entries), CASE(a_smaller_network_is_refused))
