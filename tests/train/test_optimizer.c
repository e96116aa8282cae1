/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Optimisers against closed forms, schedules at their corners, norm and scale over a partition.
 */
#include "../../src/train/optimizer.h"
#include "check.h"

enum { N = 4 }; /* two weights, two parameters */

static lw_theta_block blocks[2] = {
    {.is_weight = true, .offset = 0, .count = 2}, {.is_weight = false, .offset = 2, .count = 2}};
static const lw_theta theta = {.n_local = N, .n_global = N, .n_blocks = 2, .block = blocks};

static lw_optimizer_spec spec_of(lw_optimizer_kind kind) {
    lw_optimizer_spec s = lw_train_spec_default().optimizer;
    s.kind = kind;
    s.lr = 0.1;
    return s;
}

static const double curve[N] = {1, 0.5, 2, 4}, start[N] = {1, -2, 3, 0.5};

TEST(sgd_shrinks_a_quadratic_by_a_fixed_factor) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], g[N];
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 20; n++) {
        for (int i = 0; i < N; i++)
            g[i] = curve[i] * x[i];
        optimizer_step(&s, &theta, s.lr, 1, n, NULL, g, NULL, x);
        for (int i = 0; i < N; i++)
            CHECK_REL(x[i], start[i] * pow(1 - s.lr * curve[i], (double)n), 1e-12);
    }
}

/* heavy ball: x(n+1) - x(n) = mu (x(n) - x(n-1)) - lr g; Nesterov's first step is (1 + mu) lr g */
TEST(momentum_is_the_heavy_ball) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], old[N], now[N], g[N], v[N] = {0}, *moment[] = {v};
    s.momentum = 0.9;
    memcpy(x, start, sizeof x);
    memcpy(old, start, sizeof old);
    for (int64_t n = 1; n <= 20; n++) {
        memcpy(now, x, sizeof now);
        for (int i = 0; i < N; i++)
            g[i] = curve[i] * x[i];
        optimizer_step(&s, &theta, s.lr, 1, n, NULL, g, moment, x);
        for (int i = 0; i < N; i++)
            CHECK_CLOSE(x[i], now[i] + 0.9 * (now[i] - old[i]) - 0.1 * g[i], 1e-13);
        memcpy(old, now, sizeof old);
    }
    s.nesterov = true;
    memset(v, 0, sizeof v);
    memcpy(x, start, sizeof x);
    optimizer_step(&s, &theta, s.lr, 1, 1, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], start[i] - 1.9 * 0.1 * g[i], 1e-14);
}

TEST(adam_steps_by_lr_under_a_constant_gradient) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_ADAM);
    double x[N], g[N] = {3, -1e-3, 20, -7}, m[N] = {0}, v[N] = {0}, *moment[] = {m, v};
    s.epsilon = 1e-30;
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 30; n++) {
        optimizer_step(&s, &theta, s.lr, 1, n, NULL, g, moment, x);
        for (int i = 0; i < N; i++)
            CHECK_CLOSE(x[i], start[i] - (double)n * 0.1 * (g[i] > 0 ? 1 : -1), 1e-11);
    }
}

TEST(decay_acts_on_weights_only) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_ADAMW);
    double x[N], g[N] = {0}, m[N] = {0}, v[N] = {0}, *moment[] = {m, v};
    s.weight_decay = 0.05;
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 10; n++)
        optimizer_step(&s, &theta, s.lr, 1, n, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_REL(x[i], i < 2 ? start[i] * pow(1 - 0.1 * 0.05, 10) : start[i], 1e-13);
    s = spec_of(LW_OPTIMIZER_ADAM); /* decay through the gradient: the first step is lr towards zero */
    s.weight_decay = 0.05;
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    memcpy(x, start, sizeof x);
    optimizer_step(&s, &theta, s.lr, 1, 1, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], i < 2 ? start[i] - 0.1 * (start[i] > 0 ? 1 : -1) : start[i], 1e-6);
}

/* learning z = x / c: gradient descent in z moves x by c^2 lr g; Adam by c lr */
TEST(scales_are_a_change_of_units) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], g[N] = {1, -2, 3, -4}, scale[N] = {1, 1, 20, 20}, m[N] = {0}, v[N] = {0}, *moment[] = {m, v};
    memcpy(x, start, sizeof x);
    optimizer_step(&s, &theta, s.lr, 0.5, 1, scale, g, NULL, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], start[i] - 0.1 * scale[i] * scale[i] * 0.5 * g[i], 1e-13);
    s = spec_of(LW_OPTIMIZER_ADAM);
    memcpy(x, start, sizeof x);
    optimizer_step(&s, &theta, s.lr, 1, 1, scale, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], start[i] - 0.1 * scale[i] * (g[i] > 0 ? 1 : -1), 1e-7);
}

TEST(schedules_at_their_corners) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    CHECK_CLOSE(optimizer_rate(&s, 10, 4, 7, 2), 0.1, 0);
    s.schedule = LW_SCHEDULE_STEP;
    s.schedule_gamma = 0.5;
    s.schedule_every = 3;
    CHECK_CLOSE(optimizer_rate(&s, 10, 4, 2, 3), 0.1, 1e-16);
    CHECK_CLOSE(optimizer_rate(&s, 10, 4, 3, 0), 0.05, 1e-16);
    CHECK_CLOSE(optimizer_rate(&s, 10, 4, 6, 0), 0.025, 1e-16);
    s.schedule = LW_SCHEDULE_EXPONENTIAL;
    CHECK_REL(optimizer_rate(&s, 10, 4, 5, 1), 0.1 / 32, 1e-14);
    s.schedule = LW_SCHEDULE_COSINE;
    s.schedule_floor = 0.1;
    CHECK_REL(optimizer_rate(&s, 11, 4, 0, 0), 0.1, 1e-14);
    CHECK_REL(optimizer_rate(&s, 11, 4, 5, 0), 0.1 * 0.55, 1e-14);
    CHECK_REL(optimizer_rate(&s, 11, 4, 10, 3), 0.01, 1e-14);
    s.warmup = 2;
    CHECK_REL(optimizer_rate(&s, 13, 4, 0, 0), 0.1 / 8, 1e-14);
    CHECK_REL(optimizer_rate(&s, 13, 4, 1, 3), 0.1, 1e-14);
    CHECK_REL(optimizer_rate(&s, 13, 4, 2, 0), 0.1, 1e-14);
    CHECK_REL(optimizer_rate(&s, 13, 4, 12, 0), 0.01, 1e-14);
}

TEST(norm_and_scale_look_at_the_whole_network) {
    lw_comm *world = NULL;
    int argc = 0;
    char **argv = NULL;
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double g[N], x[N], scale[N], sum = 0, mean = 0;
    s.lr_param_scale = 0.5;
    for (int r = 0; r < size; r++)
        for (int i = 0; i < N; i++) {
            double gi = r + 0.1 * i, xi = -10 - r - i;
            sum += gi * gi;
            if (i >= 2) mean += xi / (2 * size);
            if (r == rank) {
                g[i] = gi;
                x[i] = xi;
            }
        }
    CHECK_REL(optimizer_norm(&theta, world, NULL, g), sqrt(sum), 1e-14);
    optimizer_scale(&s, &theta, world, x, scale);
    CHECK(scale[0] == 1 && scale[1] == 1);
    CHECK_REL(scale[2], 0.5 * fabs(mean), 1e-14);
    CHECK(scale[3] == scale[2]);
    x[2] = x[3] = 0;
    optimizer_scale(&s, &theta, world, x, scale);
    CHECK_CLOSE(scale[2], 0.5, 0);
    lw_comm_stop(&world);
}

TEST(impossible_settings_are_refused) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    CHECK_OK(optimizer_check(&s, 1));
    s.lr = 0;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "learning rate is 0");
    s = spec_of(LW_OPTIMIZER_SGD);
    s.nesterov = true;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "nesterov");
    s = spec_of(LW_OPTIMIZER_ADAM);
    s.beta2 = 1;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "beta2 is 1");
}

CHECK_MAIN(CASE(sgd_shrinks_a_quadratic_by_a_fixed_factor), CASE(momentum_is_the_heavy_ball),
    CASE(adam_steps_by_lr_under_a_constant_gradient), CASE(decay_acts_on_weights_only),
    CASE(scales_are_a_change_of_units), CASE(schedules_at_their_corners),
    CASE(norm_and_scale_look_at_the_whole_network), CASE(impossible_settings_are_refused))
