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

/* with the rules that a network without groups has */
static void step(const lw_optimizer_spec *s, const optimizer_rule *rule, double lr, double factor, int64_t update,
    const double *scale, const double *grad, double *const *moment, double *x) {
    const optimizer_rule plain[2] = {{.lr = 1, .weight_decay = s->weight_decay}, {.lr = 1}};
    optimizer_step(s, &theta, rule ? rule : plain, lr, factor, update, 0, N, scale, grad, moment, x);
}

static const double curve[N] = {1, 0.5, 2, 4}, start[N] = {1, -2, 3, 0.5};

TEST(sgd_shrinks_a_quadratic_by_a_fixed_factor) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], g[N];
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 20; n++) {
        for (int i = 0; i < N; i++)
            g[i] = curve[i] * x[i];
        step(&s, NULL, s.lr, 1, n, NULL, g, NULL, x);
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
        step(&s, NULL, s.lr, 1, n, NULL, g, moment, x);
        for (int i = 0; i < N; i++)
            CHECK_CLOSE(x[i], now[i] + 0.9 * (now[i] - old[i]) - 0.1 * g[i], 1e-13);
        memcpy(old, now, sizeof old);
    }
    s.nesterov = true;
    memset(v, 0, sizeof v);
    memcpy(x, start, sizeof x);
    step(&s, NULL, s.lr, 1, 1, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], start[i] - 1.9 * 0.1 * g[i], 1e-14);
}

TEST(adam_steps_by_lr_under_a_constant_gradient) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_ADAM);
    double x[N], g[N] = {3, -1e-3, 20, -7}, m[N] = {0}, v[N] = {0}, *moment[] = {m, v};
    s.epsilon = 1e-30;
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 30; n++) {
        step(&s, NULL, s.lr, 1, n, NULL, g, moment, x);
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
        step(&s, NULL, s.lr, 1, n, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_REL(x[i], i < 2 ? start[i] * pow(1 - 0.1 * 0.05, 10) : start[i], 1e-13);
    s = spec_of(LW_OPTIMIZER_ADAM); /* decay through the gradient: the first step is lr towards zero */
    s.weight_decay = 0.05;
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    memcpy(x, start, sizeof x);
    step(&s, NULL, s.lr, 1, 1, NULL, g, moment, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], i < 2 ? start[i] - 0.1 * (start[i] > 0 ? 1 : -1) : start[i], 1e-6);
}

/* learning z = x / c: gradient descent in z moves x by c^2 lr g; Adam by c lr */
TEST(scales_are_a_change_of_units) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], g[N] = {1, -2, 3, -4}, scale[N] = {1, 1, 20, 20}, m[N] = {0}, v[N] = {0}, *moment[] = {m, v};
    memcpy(x, start, sizeof x);
    step(&s, NULL, s.lr, 0.5, 1, scale, g, NULL, x);
    for (int i = 0; i < N; i++)
        CHECK_CLOSE(x[i], start[i] - 0.1 * scale[i] * scale[i] * 0.5 * g[i], 1e-13);
    s = spec_of(LW_OPTIMIZER_ADAM);
    memcpy(x, start, sizeof x);
    step(&s, NULL, s.lr, 1, 1, scale, g, moment, x);
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

/* losses of nine epochs; two of warm-up do not count, better means lower by a tenth */
TEST(plateaus_lower_the_rate) {
    const double loss[] = {1, 0.1, 5, 4, 3.9, 3.8, 3, 3, NAN};
    const double want[] = {1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25};
    lw_metrics m[9];
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    for (int i = 0; i < 9; i++)
        m[i] = (lw_metrics){.loss = i < 8 ? 100 - i : 7, .validation_loss = loss[i]}; /* the last has no validation */
    s.schedule = LW_SCHEDULE_PLATEAU;
    s.schedule_gamma = 0.5;
    s.schedule_every = 2;
    s.schedule_threshold = 0.1;
    s.warmup = 2;
    CHECK_OK(optimizer_check(&s, 9));
    for (int n = 0; n <= 9; n++)
        CHECK_CLOSE(optimizer_plateau(&s, m, n), want[n], 0);
    s.schedule_floor = 0.4;
    CHECK_CLOSE(optimizer_plateau(&s, m, 9), 0.4, 0);
    CHECK_CLOSE(optimizer_rate(&s, 9, 4, 7, 2), 0.1, 0);
    s.schedule = LW_SCHEDULE_CONSTANT;
    CHECK_CLOSE(optimizer_plateau(&s, m, 9), 1, 0);
    s.schedule = LW_SCHEDULE_PLATEAU;
    s.schedule_gamma = 1;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "schedule gamma is 1, allowed for plateau");
    s.schedule_gamma = 0.5;
    s.schedule_every = 0;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "schedule every is 0");
    s.schedule_every = 1;
    s.schedule_threshold = 1;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "schedule threshold is 1");
}

/* c/2 (x - a)^2 + l |x| is least at a -+ l / c, or at 0 exactly; parameters know nothing of it */
TEST(l1_ends_at_the_soft_threshold) {
    const double a[N] = {2, -0.3, 2, -0.3};
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    double x[N], g[N];
    s.weight_l1 = 0.4;
    CHECK_OK(optimizer_check(&s, 1));
    memcpy(x, start, sizeof x);
    for (int64_t n = 1; n <= 600; n++) {
        for (int i = 0; i < N; i++)
            g[i] = curve[i] * (x[i] - a[i]);
        step(&s, NULL, s.lr, 1, n, NULL, g, NULL, x);
    }
    CHECK_CLOSE(x[0], 2 - 0.4, 1e-12);
    CHECK_CLOSE(x[1], 0, 0);
    CHECK_CLOSE(x[2], 2, 1e-12);
    CHECK_CLOSE(x[3], -0.3, 1e-12);
    s.weight_l1 = -1;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "l1 is -1");
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
    double square;
    optimizer_squares(NULL, 0, N, NULL, g, &square);
    lw_comm_sum_f64(world, &square, 1);
    CHECK_REL(square, sum, 1e-14);
    optimizer_scale(&s, &theta, world, x, scale);
    CHECK(scale[0] == 1 && scale[1] == 1);
    CHECK_REL(scale[2], 0.5 * fabs(mean), 1e-14);
    CHECK(scale[3] == scale[2]);
    x[2] = x[3] = 0;
    optimizer_scale(&s, &theta, world, x, scale);
    CHECK_CLOSE(scale[2], 0.5, 0);
    lw_comm_stop(&world);
}

/* a constant gradient: after n steps the mean square is g^2 (1 - rho^n), the mean g (1 - rho^n) */
TEST(rmsprop_divides_by_what_it_saw) {
    for (int centred = 0; centred < 2; centred++)
        for (int moving = 0; moving < 2; moving++) {
            lw_optimizer_spec s = spec_of(LW_OPTIMIZER_RMSPROP);
            double x[N], m[3][N] = {{0}}, *moment[] = {m[0], m[1], m[2]}, velocity[N] = {0}, want[N];
            s.beta2 = 0.9;
            s.epsilon = 1e-3;
            s.centred = centred;
            s.momentum = moving ? 0.8 : 0;
            CHECK_OK(optimizer_check(&s, 1));
            CHECK_INT(optimizer_moments(&s), 1 + moving + centred);
            CHECK_STR(optimizer_moment_name(&s, 0), "mean_square");
            CHECK_STR(optimizer_moment_name(&s, moving + centred), centred  ? "mean"
                                                                   : moving ? "momentum"
                                                                            : "mean_square");
            memcpy(x, start, sizeof x);
            memcpy(want, start, sizeof want);
            for (int64_t n = 1; n <= 5; n++) {
                step(&s, NULL, s.lr, 1, n, NULL, curve, moment, x);
                for (int i = 0; i < N; i++) {
                    double seen = 1 - pow(0.9, (double)n), g = curve[i];
                    double power = centred ? g * g * (seen - seen * seen) : g * g * seen;
                    velocity[i] = s.momentum * velocity[i] + g / (sqrt(power) + 1e-3);
                    want[i] -= 0.1 * velocity[i];
                    CHECK_REL(x[i], want[i], 1e-12);
                }
            }
        }
}

TEST(components_are_clipped_after_the_norm) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    const double g[N] = {3, -3, 0.5, -40};
    double x[N] = {0};
    s.clip_value = 0.75;
    step(&s, NULL, 1, 0.5, 1, NULL, g, NULL, x);
    CHECK_CLOSE(x[0], -0.75, 0);
    CHECK_CLOSE(x[1], 0.75, 0);
    CHECK_CLOSE(x[2], -0.25, 0);
    CHECK_CLOSE(x[3], 0.75, 0);
    s.clip_value = -1;
    CHECK_FAILS(optimizer_check(&s, 1), LW_EUSE, "clip_value is -1");
}

TEST(groups_have_their_own_rate_and_decay) {
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    const optimizer_rule rule[2] = {{.lr = 0.5, .weight_decay = 0.2}, {.lr = 3, .frozen = true}};
    double x[N], g[N] = {1, 1, 1, 1};
    memcpy(x, start, sizeof x);
    optimizer_freeze(&theta, rule, 0, N, g);
    CHECK(g[0] == 1 && g[1] == 1 && g[2] == 0 && g[3] == 0);
    step(&s, rule, 0.1, 1, 1, NULL, curve, NULL, x);
    for (int i = 0; i < 2; i++)
        CHECK_CLOSE(x[i], start[i] - 0.05 * (curve[i] + 0.2 * start[i]), 1e-15);
    CHECK(x[2] == start[2] && x[3] == start[3]);
}

/* the first pattern that fits a name counts; a pattern for nothing is an error */
TEST(patterns_choose_blocks) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    uint8_t learn[16] = {0};
    const lw_model *li = lw_model_builtin("li");
    learn[0] = 1;
    lw_population_spec pop[] = {
        {.name = "a", .model = li, .size = 3, .learn = learn}, {.name = "b", .model = li, .size = 2, .learn = learn}};
    lw_projection_spec proj[] = {{.name = "a_b", .post = 1, .rule = LW_RULE_ALL_TO_ALL, .learn = true},
        {.name = "a_a", .rule = LW_RULE_ALL_TO_ALL, .autapses = true, .learn = true}};
    for (int j = 0; j < 2; j++)
        proj[j].weight = proj[j].delay = lw_dist_number(1);
    lw_net_spec spec = {.seed = 1, .dt = 1, .n_pop = 2, .n_proj = 2, .pop = pop, .proj = proj, .weight_type = LW_F64};
    lw_net *net = NULL;
    lw_theta *all = NULL;
    CHECK_OK(lw_net_create(world, &spec, &net));
    CHECK_OK(lw_theta_create(net, &all));
    lw_optimizer_group group[] = {{.match = "a_b", .lr = 2, .weight_decay = NAN},
        {.match = "a*", .lr = 0.1, .weight_decay = 0, .freeze = true},
        {.match = "b.tau_mem", .lr = 7, .weight_decay = NAN}};
    lw_optimizer_spec s = spec_of(LW_OPTIMIZER_SGD);
    optimizer_rule rule[4];
    s.weight_decay = 0.3;
    s.group = group;
    s.n_groups = 3;
    CHECK_INT(all->n_blocks, 4); /* a_b, a_a, a.tau_mem, b.tau_mem */
    CHECK_OK(optimizer_rules(&s, net, all, rule));
    CHECK(rule[0].lr == 2 && rule[0].weight_decay == 0.3 && !rule[0].frozen);
    CHECK(rule[1].lr == 0.1 && rule[1].weight_decay == 0 && rule[1].frozen);
    CHECK(rule[2].frozen && !rule[3].frozen && rule[3].lr == 7 && rule[3].weight_decay == 0);
    group[2].match = "c*";
    CHECK_FAILS(optimizer_rules(&s, net, all, rule), LW_EUSE, "\"c*\" matches nothing");
    lw_theta_destroy(&all);
    lw_net_destroy(&net);
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
    CASE(scales_are_a_change_of_units), CASE(schedules_at_their_corners), CASE(plateaus_lower_the_rate),
    CASE(l1_ends_at_the_soft_threshold), CASE(norm_and_scale_look_at_the_whole_network),
    CASE(rmsprop_divides_by_what_it_saw), CASE(components_are_clipped_after_the_norm),
    CASE(groups_have_their_own_rate_and_decay), CASE(patterns_choose_blocks), CASE(impossible_settings_are_refused))
