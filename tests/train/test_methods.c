/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Other ways to a gradient than the adjoint sweep. Tangents give the same numbers on networks with delays, adaptation
 * and learned parameters. E-prop gives the same where no spike acts on a neuron that is learned, and on a recurrent
 * network what a double loop over the definition gives; both on any number of ranks; and it trains.
 */
#include <math.h>
#include "train_net.h"
#include "conv_net.h"
#include "world.h"

enum { STEPS = 75, SAMPLES = 5 }; /* more than two chunks of steps */

typedef struct problem {
    lw_grid *grid;
    lw_net *net;
    toy toy;
    lw_batch_source source;
    lw_train_spec spec;
} problem;

static void problem_end(problem *p) {
    lw_net_destroy(&p->net);
    lw_grid_destroy(&p->grid);
}

static lw_gradient gradient_by(problem *p, lw_gradient_method method) {
    lw_gradient g = {0};
    p->spec.gradient = method;
    CHECK_OK(lw_gradient_run(p->grid, p->net, &p->spec, &p->source, SAMPLES, &g));
    return g;
}

static double size_of(const lw_gradient *g, const lw_theta_block *b) {
    double size = 0;
    for (int64_t i = b->offset; i < b->offset + b->count; i++)
        size = fmax(size, fabs(g->gradient[i]));
    return size;
}

/* The gradients of two methods, block by block, relative to the largest entry of a block here or the whole. */
static void methods_agree(problem *p, lw_gradient_method method, double tolerance) {
    lw_gradient a = gradient_by(p, LW_GRADIENT_BPTT), b = gradient_by(p, method);
    if (a.theta && b.theta) {
        double whole = 0;
        for (int32_t k = 0; k < a.theta->n_blocks; k++)
            whole = fmax(whole, size_of(&a, &a.theta->block[k]));
        lw_comm_max_f64(p->grid->world, &whole, 1);
        CHECK(whole > 0);
        CHECK(a.loss == b.loss);
        for (int32_t k = 0; k < a.theta->n_blocks; k++) {
            const lw_theta_block *block = &a.theta->block[k];
            double size = fmax(size_of(&a, block), 1e-6 * whole);
            for (int64_t i = block->offset; i < block->offset + block->count; i++)
                CHECK_CLOSE(b.gradient[i], a.gradient[i], tolerance * size);
        }
    }
    lw_gradient_free(&a), lw_gradient_free(&b);
}

/* ------------------------------------------------------------------ tangents */

static problem recurrent(const lw_comm *world, int replicas, const toy_net_spec *net) {
    problem p = {.toy = {.n_steps = 14, .per_step = true}, .spec = toy_train()};
    CHECK_OK(lw_grid_create(world, replicas, &p.grid));
    CHECK_OK(toy_net(p.grid->part, net, &p.net));
    return p;
}

TEST(tangents_give_the_gradient) {
    lw_comm *world = world_start();
    static const char *const hidden[] = {"cuba_lif", "alif", "lif_simple"};
    for (int i = 0; i < 12; i++) {
        toy_net_spec net = {.hidden = lw_model_builtin(hidden[i % 3]),
            .readout = lw_model_builtin("li"),
            .input = 1,
            .weight = 0.5,
            .sparse = i / 3 % 2,
            .lags = i / 6,
            .learn_params = true,
            .weight_type = LW_F64};
        problem p = recurrent(world, i % 2 && lw_comm_size(world) % 2 == 0 ? 2 : 1, &net);
        p.source = toy_source(&p.toy, SAMPLES, true);
        p.spec.reset_detached = i % 2;
        lw_penalty band = {.kind = LW_PENALTY_RATE, .power = 2, .weight = 0.1};
        p.spec.loss.penalty = &band;
        p.spec.loss.n_penalties = 1;
        methods_agree(&p, LW_GRADIENT_FORWARD, 1e-11);
        problem_end(&p);
    }
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ no paths between neurons that are learned */

static lw_dist whole_steps(double dt, int64_t lo, int64_t hi) {
    return lo == hi ? lw_dist_number((double)lo * dt) : toy_uniform((double)lo * dt, (double)(hi + 1) * dt);
}

/* in -> a -> out, in -> b -> out with other delays, a sparse; parameters of both are learned */
static lw_err forked(const lw_comm *part, const char *model, double input, lw_dtype weights, lw_net **out) {
    const lw_model *m = lw_model_builtin(model), *li = lw_model_builtin("li"), *relay = lw_model_builtin("relay");
    uint8_t learn[64] = {0}, bias[64] = {0};
    lw_dist param[64];
    double dt = fmin(model_step(m), 1);
    bias[lw_model_param_find(li, "bias")] = 1;
    for (int i = 0; i < m->n_param; i++) {
        bool t_ref = strcmp(m->param[i].name, "t_ref") == 0;
        learn[i] = !t_ref;
        param[i] = lw_dist_number(t_ref && dt < 1 ? 2 * dt : m->param[i].value);
    }
    lw_population_spec pop[] = {{.name = "in", .model = relay, .size = N_IN},
        {.name = "a", .model = m, .size = N_HID, .param = param, .learn = learn},
        {.name = "b", .model = m, .size = 5, .param = param},
        {.name = "out", .model = li, .size = N_OUT, .learn = bias}};
    lw_projection_spec proj[] = {{.name = "in_a",
                                     .pre = 0,
                                     .post = 1,
                                     .rule = LW_RULE_ALL_TO_ALL,
                                     .learn = true,
                                     .weight = toy_normal(input, input / 2),
                                     .delay = lw_dist_number(0)},
        {.name = "in_b",
            .pre = 0,
            .post = 2,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 3,
            .multapses = true,
            .learn = true,
            .weight = toy_normal(input, input / 2),
            .delay = whole_steps(dt, 1, 4)},
        {.name = "a_out",
            .pre = 1,
            .post = 3,
            .rule = LW_RULE_ALL_TO_ALL,
            .learn = true,
            .weight = toy_normal(0.1, 0.4),
            .delay = lw_dist_number(0)},
        {.name = "b_out",
            .pre = 2,
            .post = 3,
            .rule = LW_RULE_PAIRWISE_BERNOULLI,
            .p = 0.7,
            .learn = true,
            .weight = toy_normal(0.1, 0.4),
            .delay = whole_steps(dt, 3, 3)}};
    lw_net_spec spec = {.seed = 5,
        .dt = dt,
        .n_pop = 4,
        .n_proj = 4,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = weights};
    return lw_net_create(part, &spec, out);
}

TEST(eprop_is_the_gradient_without_recurrence) {
    lw_comm *world = world_start();
    static const struct {
        const char *model;
        double input;
        lw_readout_kind readout;
        lw_dtype precision;
        int64_t burn_in;
        double rate;
    } cases[] = {{"cuba_lif", 1, LW_READOUT_PER_STEP, LW_F64, 0, 0}, {"alif", 2, LW_READOUT_PER_STEP, LW_F64, 0, 0.3},
        {"lif_simple", 0.3, LW_READOUT_LAST, LW_F64, 0, 0}, {"lif_simple", 0.3, LW_READOUT_PER_STEP, LW_F64, 37, 0.1},
        {"lif_delta", 3, LW_READOUT_MEAN, LW_F64, 0, 0}, {"cuba_lif", 1, LW_READOUT_PER_STEP, LW_F32, 3, 0.1}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        size_t k = i / 2;
        problem p = {
            .toy = {.n_steps = STEPS, .per_step = cases[k].readout == LW_READOUT_PER_STEP}, .spec = toy_train()};
        p.source = toy_source(&p.toy, SAMPLES, true);
        p.spec.loss.pop = 3;
        p.spec.loss.readout = cases[k].readout;
        lw_penalty band = {.kind = LW_PENALTY_RATE, .power = 2, .weight = cases[k].rate};
        p.spec.loss.penalty = &band;
        p.spec.loss.n_penalties = cases[k].rate > 0;
        p.spec.burn_in = cases[k].burn_in;
        p.spec.precision = cases[k].precision;
        p.spec.reset_detached = i % 2;
        if (!strcmp(cases[k].model, "lif_delta")) p.spec.surrogate.slope = 0.2;
        CHECK_OK(lw_grid_create(world, lw_comm_size(world) == 4 ? 2 : 1, &p.grid));
        CHECK_OK(forked(p.grid->part, cases[k].model, cases[k].input, cases[k].precision, &p.net));
        methods_agree(&p, LW_GRADIENT_EPROP, cases[k].precision == LW_F64 ? 1e-11 : 2e-4);
        problem_end(&p);
    }
    lw_comm_stop(&world);
}

/* Kernel entries that synapses share: tangents through recurrent convolutions, and traces without recurrence. */
TEST(shared_kernels) {
    lw_comm *world = world_start();
    int replicas = lw_comm_size(world) == 4 ? 2 : 1;
    problem p = {.source = conv_source(), .spec = conv_train()};
    CHECK_OK(lw_grid_create(world, replicas, &p.grid));
    CHECK_OK(conv_net(p.grid->part, LW_F64, LW_PARTITION_ROUND_ROBIN, &p.net));
    methods_agree(&p, LW_GRADIENT_FORWARD, 1e-11);
    problem_end(&p);
    p = (problem){.source = conv_source(), .spec = conv_train()};
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = CONV_IN},
        {.name = "one", .model = lw_model_builtin("cuba_lif"), .size = 72},
        {.name = "out", .model = lw_model_builtin("li"), .size = CONV_OUT}};
    lw_projection_spec proj[] = {{.name = "a",
                                     .pre = 0,
                                     .post = 1,
                                     .rule = LW_RULE_WINDOW,
                                     .learn = true,
                                     .weight = toy_normal(0.25, 0.5),
                                     .delay = lw_dist_number(0),
                                     .window = {.in = {2, 6, 5},
                                         .out = {3, 6, 4},
                                         .kernel = {3, 2},
                                         .stride = {1, 1},
                                         .padding = {1, 0},
                                         .shared = true}},
        {.name = "b",
            .pre = 1,
            .post = 2,
            .rule = LW_RULE_ALL_TO_ALL,
            .learn = true,
            .weight = toy_normal(0, 0.5),
            .delay = lw_dist_number(1)}};
    lw_net_spec spec = {.seed = 5,
        .dt = 1,
        .n_pop = 3,
        .n_proj = 2,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F64};
    CHECK_OK(lw_grid_create(world, replicas, &p.grid));
    CHECK_OK(lw_net_create(p.grid->part, &spec, &p.net));
    CHECK(lw_net_proj(p.net, 0).n_tied > 0);
    methods_agree(&p, LW_GRADIENT_EPROP, 1e-11);
    problem_end(&p);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ a recurrent network by hand */

enum { D_IN = 1, D_REC = 1, D_OUT = 2 };

static lw_net *looped(const lw_comm *part) {
    lw_net *net = NULL;
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = N_IN},
        {.name = "hid", .model = lw_model_builtin("lif_simple"), .size = N_HID},
        {.name = "out", .model = lw_model_builtin("li"), .size = N_OUT}};
    lw_projection_spec proj[] = {{.name = "in_hid",
                                     .pre = 0,
                                     .post = 1,
                                     .rule = LW_RULE_ALL_TO_ALL,
                                     .learn = true,
                                     .weight = toy_normal(0.2, 0.2),
                                     .delay = lw_dist_number(D_IN)},
        {.name = "hid_hid",
            .pre = 1,
            .post = 1,
            .rule = LW_RULE_ALL_TO_ALL,
            .autapses = true,
            .learn = true,
            .weight = toy_normal(0, 0.4),
            .delay = lw_dist_number(D_REC)},
        {.name = "hid_out",
            .pre = 1,
            .post = 2,
            .rule = LW_RULE_ALL_TO_ALL,
            .learn = true,
            .weight = toy_normal(0, 0.5),
            .delay = lw_dist_number(D_OUT)}};
    lw_net_spec spec = {.seed = 9,
        .dt = 1,
        .n_pop = 3,
        .n_proj = 3,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F64};
    CHECK_OK(lw_net_create(part, &spec, &net));
    return net;
}

typedef struct by_hand {
    double w[3][N_HID][N_HID]; /* in, rec, out weights: [source][target] */
    double s[STEPS][N_HID], slope[STEPS][N_HID], x[STEPS][N_IN], y[STEPS][N_OUT], delta[STEPS][N_OUT];
    double grad[3][N_HID][N_HID];
    double b[N_HID][N_OUT];
} by_hand;

static double parameter(const char *model, const char *name) {
    const lw_model *m = lw_model_builtin(model);
    return m->param[lw_model_param_find(m, name)].value;
}

static double at(int64_t t, int64_t d, int64_t n, const double *row, int64_t i) {
    return t >= d ? row[(t - d) * n + i] : 0;
}

/* One sample: the network, the losses' derivatives, and the sums of Bellec et al. 2020 as they are written. */
static void sample_run(by_hand *h, const lw_surrogate *surrogate, const int32_t *label, double counted) {
    double beta = exp(-1 / parameter("lif_simple", "tau_mem")), kappa = exp(-1 / parameter("li", "tau_mem"));
    double th = parameter("lif_simple", "v_th"), v[N_HID] = {0}, y[N_OUT] = {0};
    for (int64_t t = 0; t < STEPS; t++) {
        for (int j = 0; j < N_HID; j++) {
            double u = 0;
            for (int i = 0; i < N_IN; i++)
                u += h->w[0][i][j] * at(t, D_IN, N_IN, &h->x[0][0], i);
            for (int i = 0; i < N_HID; i++)
                u += h->w[1][i][j] * at(t, D_REC, N_HID, &h->s[0][0], i);
            v[j] = beta * v[j] + u;
            h->slope[t][j] = lw_surrogate_slope(surrogate, v[j] - th);
            h->s[t][j] = v[j] >= th;
            v[j] -= th * h->s[t][j];
        }
        double sum = 0;
        for (int k = 0; k < N_OUT; k++) {
            double u = 0;
            for (int j = 0; j < N_HID; j++)
                u += h->w[2][j][k] * at(t, D_OUT, N_HID, &h->s[0][0], j);
            y[k] = kappa * y[k] + (1 - kappa) * u;
            h->y[t][k] = y[k];
            sum += exp(y[k]);
        }
        for (int k = 0; k < N_OUT; k++)
            h->delta[t][k] = label[t] < 0 ? 0 : (exp(y[k]) / sum - (k == label[t])) / counted;
    }
    for (int proj = 0; proj < 2; proj++)
        for (int i = 0; i < (proj ? N_HID : N_IN); i++)
            for (int j = 0; j < N_HID; j++)
                for (int64_t t = 0; t < STEPS; t++) { /* the loss of step t */
                    double signal = 0, filtered = 0;
                    for (int k = 0; k < N_OUT; k++)
                        signal += h->b[j][k] * h->delta[t][k];
                    for (int64_t r = 0; r + D_OUT <= t; r++) { /* a spike of step r */
                        double trace = 0;
                        for (int64_t q = 0; q <= r; q++) /* what arrived at step q */
                            trace += pow(beta, (double)(r - q)) *
                                     (proj ? at(q, D_REC, N_HID, &h->s[0][0], i) : at(q, D_IN, N_IN, &h->x[0][0], i));
                        filtered += (1 - kappa) * pow(kappa, (double)(t - D_OUT - r)) * h->slope[r][j] * trace;
                    }
                    h->grad[proj][i][j] += signal * filtered;
                }
    for (int j = 0; j < N_HID; j++)
        for (int k = 0; k < N_OUT; k++)
            for (int64_t t = 0; t < STEPS; t++)
                for (int64_t q = 0; q <= t; q++)
                    h->grad[2][j][k] += h->delta[t][k] * (1 - kappa) * pow(kappa, (double)(t - q)) *
                                        at(q, D_OUT, N_HID, &h->s[0][0], j);
}

TEST(eprop_is_its_definition) {
    lw_comm *world = world_start();
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    static by_hand h;
    for (int feedback = LW_FEEDBACK_SYMMETRIC; feedback <= LW_FEEDBACK_ADAPTIVE; feedback++) {
        problem p = {.toy = {.n_steps = STEPS, .per_step = true}, .spec = toy_train()};
        p.source = toy_source(&p.toy, SAMPLES, true);
        p.spec.feedback = (lw_feedback)feedback;
        p.spec.feedback_scale = 0.7;
        CHECK_OK(lw_grid_create(world, lw_comm_size(world) == 4 ? 2 : 1, &p.grid));
        p.net = looped(p.grid->part);
        lw_gradient g = gradient_by(&p, LW_GRADIENT_EPROP);
        memset(&h, 0, sizeof h);
        lw_net *whole = looped(self); /* weights of all */
        for (int q = 0; q < 3; q++) {
            lw_proj_view proj = lw_net_proj(whole, q);
            int64_t n = lw_net_pop(whole, proj.post).size;
            for (int64_t e = 0; e < proj.n_edges; e++)
                h.w[q][e / n][e % n] = lw_net_weight(&proj, e);
        }
        int64_t first = lw_net_pop(whole, 1).gid_begin;
        for (int j = 0; j < N_HID; j++)
            for (int k = 0; k < N_OUT; k++)
                h.b[j][k] = (feedback != LW_FEEDBACK_RANDOM ? h.w[2][j][k] : 0) +
                            (feedback == LW_FEEDBACK_SYMMETRIC ? 0
                                                               : 0.7 * lw_rng_normal(p.spec.seed, LW_PURPOSE_FEEDBACK,
                                                                           (uint64_t)(first + j), (uint64_t)k, 0));
        double largest = 0, spikes = 0;
        for (int64_t l = 0; l < SAMPLES && g.theta; l++) {
            float x[STEPS * N_IN];
            int32_t label[STEPS];
            CHECK_OK(toy_input(&p.toy, l, x));
            CHECK_OK(toy_label(&p.toy, l, label));
            for (int64_t i = 0; i < STEPS * N_IN; i++)
                (&h.x[0][0])[i] = (double)x[i];
            sample_run(&h, &p.spec.surrogate, label, g.counted);
            for (int64_t t = 0; t < STEPS; t++) {
                for (int64_t k = 0; k < N_OUT; k++)
                    CHECK_CLOSE(g.out[(t * N_OUT + k) * SAMPLES + l], h.y[t][k], 1e-12);
                for (int j = 0; j < N_HID; j++)
                    spikes += h.s[t][j];
            }
        }
        CHECK(spikes > 50 && spikes < 0.6 * STEPS * SAMPLES * N_HID);
        for (int q = 0; q < 3; q++)
            for (int i = 0; i < N_HID * N_HID; i++)
                largest = fmax(largest, fabs((&h.grad[q][0][0])[i]));
        for (int q = 0; q < 3 && g.theta; q++) {
            lw_pop_view post = lw_net_pop(p.net, q < 2 ? 1 : 2);
            const lw_theta_block *block = &g.theta->block[q];
            CHECK(block->proj == q && block->is_weight);
            for (int64_t e = 0; e < block->count; e++)
                CHECK_CLOSE(g.gradient[block->offset + e],
                    h.grad[q][e / post.n_local][post.gid[e % post.n_local] - post.gid_begin], 1e-11 * largest);
        }
        lw_gradient_free(&g);
        lw_net_destroy(&whole);
        problem_end(&p);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ training */

static lw_metrics trained(const lw_comm *world, int replicas, int32_t threads, lw_feedback feedback, int32_t lanes,
    int64_t epochs, double *first_loss, double *weights) {
    problem p = {.toy = {.n_steps = 30}, .spec = toy_train()};
    lw_trainer *trainer = NULL;
    int64_t n;
    p.source = toy_source(&p.toy, 24, true);
    p.spec.gradient = LW_GRADIENT_EPROP;
    p.spec.feedback = feedback;
    p.spec.loss.skip = 5;
    p.spec.batch = 12;
    p.spec.threads = threads;
    p.spec.lanes = lanes;
    p.spec.epochs = epochs;
    p.spec.optimizer.lr = 0.02;
    CHECK_OK(lw_grid_create(world, replicas, &p.grid));
    p.net = looped(p.grid->part);
    CHECK_OK(lw_trainer_create(p.grid, p.net, &p.spec, &p.source, &trainer));
    CHECK_OK(lw_trainer_run(trainer, NULL, NULL));
    const lw_metrics *m = lw_trainer_metrics(trainer, &n);
    lw_metrics last = m[n - 1];
    *first_loss = m[0].loss;
    if (weights) lw_theta_get(lw_trainer_theta(trainer), p.net, weights);
    lw_trainer_destroy(&trainer);
    problem_end(&p);
    return last;
}

TEST(eprop_trains) {
    lw_comm *world = world_start(), *self = NULL;
    int size = lw_comm_size(world);
    CHECK_OK(lw_comm_self(&self));
    for (int feedback = LW_FEEDBACK_SYMMETRIC; feedback <= LW_FEEDBACK_ADAPTIVE; feedback++) {
        double first;
        lw_metrics m = trained(world, size == 4 ? 2 : 1, 1, (lw_feedback)feedback, 0, 60, &first, NULL);
        CHECK(first > 0.8);
        CHECK(m.loss < 0.25);
        CHECK(m.accuracy > 0.9);
    }
    enum { LEARNED = N_IN * N_HID + N_HID * N_HID + N_HID * N_OUT };
    double one[LEARNED], many[LEARNED], first;
    (void)trained(self, 1, 1, LW_FEEDBACK_RANDOM, 2, 3, &first, one);
    (void)trained(world, size, 1, LW_FEEDBACK_RANDOM, size > 3 ? 1 : 2, 3, &first, many);
    for (int i = 0; size <= 3 && i < LEARNED; i++)
        CHECK(one[i] == many[i]); /* pieces of equal size: replicas change no bit */
    (void)trained(self, 1, 2, LW_FEEDBACK_RANDOM, 2, 3, &first, many);
    for (int i = 0; i < LEARNED; i++)
        CHECK(one[i] == many[i]); /* nor do threads */
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* The trainer's step is the gradient of the method that the problem asks for, with its windows. */
TEST(the_trainer_steps_along_it) {
    lw_comm *world = world_start();
    for (int i = 0; i < 4; i++) {
        problem p = {.toy = {.n_steps = 40, .per_step = true}, .spec = toy_train()};
        lw_trainer *trainer = NULL;
        p.source = toy_source(&p.toy, 12, true);
        p.spec.batch = 12;
        p.spec.epochs = 1;
        p.spec.optimizer = (lw_optimizer_spec){.kind = LW_OPTIMIZER_SGD, .lr = 0.5, .lr_param_scale = 1};
        p.spec.window = i == 3 ? 0 : 9;
        p.spec.stride = i == 1 ? 4 : i == 2 ? 9 : 0;
        p.spec.gradient = i == 3 ? LW_GRADIENT_EPROP : LW_GRADIENT_BPTT;
        CHECK_OK(lw_grid_create(world, lw_comm_size(world) == 4 ? 2 : 1, &p.grid));
        p.net = looped(p.grid->part);
        lw_gradient g = {0}, plain = {0};
        CHECK_OK(lw_gradient_run(p.grid, p.net, &p.spec, &p.source, 12, &g));
        lw_train_spec other = p.spec;
        other.window = i == 3 ? 0 : 9;
        other.stride = 0;
        other.gradient = LW_GRADIENT_BPTT;
        CHECK_OK(lw_gradient_run(p.grid, p.net, &other, &p.source, 12, &plain));
        CHECK_OK(lw_trainer_create(p.grid, p.net, &p.spec, &p.source, &trainer));
        CHECK_OK(lw_trainer_run(trainer, NULL, NULL));
        double *x = calloc((size_t)g.theta->n_local + 1, sizeof *x), differs = 0;
        lw_theta_get(g.theta, p.net, x);
        for (int64_t k = 0; k < g.theta->n_local; k++) {
            CHECK_CLOSE(g.value[k] - x[k], 0.5 * g.gradient[k], 1e-12);
            differs = fmax(differs, fabs(g.gradient[k] - plain.gradient[k]));
        }
        lw_comm_max_f64(p.grid->world, &differs, 1);
        CHECK(i % 2 ? differs > 1e-6 : differs == 0);
        free(x);
        lw_gradient_free(&g), lw_gradient_free(&plain);
        lw_trainer_destroy(&trainer);
        problem_end(&p);
    }
    lw_comm_stop(&world);
}

/* Adaptive feedback depends on the number of updates alone, which checkpoints hold: gradients are linear in it. */
TEST(feedback_adapts) {
    lw_comm *world = world_start();
    static const int64_t updates[] = {0, 1, 7};
    for (int i = 0; i < 3; i++) {
        problem p = {.toy = {.n_steps = 40, .per_step = true}, .spec = toy_train()};
        lw_trainer *trainer = NULL;
        lw_gradient g[2] = {{0}};
        p.source = toy_source(&p.toy, 12, true);
        p.spec.batch = 12;
        p.spec.epochs = 1;
        p.spec.optimizer = (lw_optimizer_spec){.kind = LW_OPTIMIZER_SGD, .lr = 0.5, .lr_param_scale = 1};
        p.spec.gradient = LW_GRADIENT_EPROP;
        p.spec.feedback_decay = 0.3;
        CHECK_OK(lw_grid_create(world, lw_comm_size(world) == 4 ? 2 : 1, &p.grid));
        p.net = looped(p.grid->part);
        for (int k = 0; k < 2; k++) {
            p.spec.feedback = k ? LW_FEEDBACK_RANDOM : LW_FEEDBACK_SYMMETRIC;
            CHECK_OK(lw_gradient_run(p.grid, p.net, &p.spec, &p.source, 12, &g[k]));
        }
        p.spec.feedback = LW_FEEDBACK_ADAPTIVE;
        CHECK_OK(lw_trainer_create(p.grid, p.net, &p.spec, &p.source, &trainer));
        lw_trainer_state_get(trainer)->updates = updates[i];
        CHECK_OK(lw_trainer_run(trainer, NULL, NULL));
        CHECK_INT(lw_trainer_state_get(trainer)->updates, updates[i] + 1);
        double *x = calloc((size_t)g[0].theta->n_local + 1, sizeof *x), part = pow(0.7, (double)updates[i]);
        lw_theta_get(g[0].theta, p.net, x);
        for (int32_t b = 0; b < g[0].theta->n_blocks; b++) {
            const lw_theta_block *block = &g[0].theta->block[b];
            for (int64_t k = block->offset; k < block->offset + block->count; k++)
                CHECK_CLOSE(
                    g[0].value[k] - x[k], 0.5 * (g[0].gradient[k] + (b < 2 ? part * g[1].gradient[k] : 0)), 1e-12);
        }
        free(x);
        lw_gradient_free(&g[0]), lw_gradient_free(&g[1]);
        lw_trainer_destroy(&trainer);
        problem_end(&p);
    }
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ refused */

static void refuse(problem *p, const char *why) {
    lw_gradient g = {0};
    CHECK_FAILS(lw_gradient_run(p->grid, p->net, &p->spec, &p->source, SAMPLES, &g), LW_EUSE, why);
    lw_gradient_free(&g);
}

static lw_err wide_input(void *payload, int64_t i, float *x) {
    (void)payload;
    for (int c = 0; c < 1400; c++)
        x[c] = (float)(i + c);
    return LW_OK;
}

TEST(refused) {
    lw_comm *world = world_start();
    toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin("li"),
        .input = 1,
        .weight = 0.5,
        .learn_params = true,
        .weight_type = LW_F64};
    problem p = recurrent(world, 1, &net);
    p.source = toy_source(&p.toy, SAMPLES, true);
    p.spec.gradient = LW_GRADIENT_EPROP;
    refuse(&p, "tau_mem of the read-out population out is learned");
    lw_penalty voltage = {.kind = LW_PENALTY_STATE, .power = 2, .weight = 1, .state = "v"};
    p.spec.loss.penalty = &voltage;
    p.spec.loss.n_penalties = 1;
    refuse(&p, "a penalty on states was asked for");
    p.spec.loss.n_penalties = 0;
    p.spec.window = 5;
    refuse(&p, "allowed is bptt");
    p.spec.gradient = LW_GRADIENT_FORWARD;
    refuse(&p, "allowed is a whole sequence");
    problem_end(&p);
    net.learn_params = false;
    net.lags = true;
    p = recurrent(world, 1, &net);
    p.source = toy_source(&p.toy, SAMPLES, true);
    p.spec.gradient = LW_GRADIENT_EPROP;
    refuse(&p, "has learned delays");
    problem_end(&p);
    net.lags = false;
    net.sparse = true;
    net.readout = net.hidden;
    p = recurrent(world, 1, &net);
    p.source = toy_source(&p.toy, SAMPLES, true);
    p.spec.gradient = LW_GRADIENT_EPROP;
    refuse(&p, "is not linear without spikes");
    problem_end(&p);
    /* in -> first -> second -> out: the first has no way to the read-out; and too many numbers for tangents */
    for (int i = 0; i < 2; i++) {
        problem q = {.toy = {.n_steps = i ? 1 : 14, .per_step = true}, .spec = toy_train()};
        const lw_model *relay = lw_model_builtin("relay"), *lif = lw_model_builtin("lif_simple");
        lw_population_spec pop[] = {{.name = "in", .model = relay, .size = i ? 1400 : N_IN},
            {.name = "first", .model = lif, .size = N_HID}, {.name = "second", .model = lif, .size = N_HID},
            {.name = "out", .model = lw_model_builtin("li"), .size = N_OUT}};
        lw_projection_spec proj[3] = {0};
        for (int k = 0; k < 3; k++)
            proj[k] = (lw_projection_spec){.name = k == 0   ? "one"
                                                   : k == 1 ? "two"
                                                            : "three",
                .pre = k,
                .post = k + 1,
                .rule = LW_RULE_ALL_TO_ALL,
                .learn = true,
                .weight = lw_dist_number(0.3),
                .delay = lw_dist_number(1)};
        lw_net_spec spec = {
            .seed = 5, .dt = 1, .n_pop = 4, .n_proj = 3, .pop = pop, .proj = proj, .weight_type = LW_F64};
        CHECK_OK(lw_grid_create(world, 1, &q.grid));
        CHECK_OK(lw_net_create(q.grid->part, &spec, &q.net));
        q.source = toy_source(&q.toy, SAMPLES, true);
        q.spec.loss.pop = 3;
        if (i) {
            q.source.n_channels = 1400;
            q.source.input = wide_input;
            q.spec.gradient = LW_GRADIENT_FORWARD;
            refuse(&q, "11288 learned numbers, allowed are at most 4096");
        } else {
            q.spec.gradient = LW_GRADIENT_EPROP;
            refuse(&q, "population first, which has no projection onto the read-out out");
            q.spec.feedback = LW_FEEDBACK_RANDOM;
            lw_gradient g = gradient_by(&q, LW_GRADIENT_EPROP);
            CHECK(g.theta != NULL);
            lw_gradient_free(&g);
        }
        problem_end(&q);
    }
    lw_gradient_method method;
    CHECK_FAILS(lw_gradient_method_parse("rtrl", &method), LW_EUSE, "allowed: bptt, eprop, forward");
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(tangents_give_the_gradient), CASE(eprop_is_the_gradient_without_recurrence), CASE(shared_kernels),
    CASE(eprop_is_its_definition), CASE(eprop_trains), CASE(the_trainer_steps_along_it), CASE(feedback_adapts),
    CASE(refused))
