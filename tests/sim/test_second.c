/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Products with the second derivative of a loss, for every built-in model: symmetric with hard spikes and any
 * surrogate, the derivative of the gradient with smooth spikes (central differences), the same on any number of ranks
 * and lanes.
 */
#include "sweep_direction.h"
#include "sweep_net.h"
#include "world.h"

enum { STEPS = 14, BEFORE = 3, FEW = 8 };

/* ------------------------------------------------------------------ loss: sum of a out + q out^2 / 2 */

static const double q = 0.7;

typedef struct quadratic {
    const bench *b;
    const lw_tape *tape;
    double *tan[N_MAX_POP]; /* [STEPS][n_local, width] */
    int turns;
} quadratic;

static int64_t cells(const quadratic *loss, int pop) {
    return lw_net_pop(loss->b->net, pop).n_local * lw_sim_options_get(loss->b->sim)->width;
}

static void loss_begin(quadratic *loss, const bench *b, const lw_tape *tape) {
    *loss = (quadratic){.b = b, .tape = tape};
    for (int p = 0; p < N_MAX_POP; p++)
        loss->tan[p] = calloc((size_t)(STEPS * cells(loss, p)) + 1, sizeof(double));
}
static void loss_end(quadratic *loss) {
    for (int p = 0; p < N_MAX_POP; p++)
        free(loss->tan[p]);
}

static void sink(void *payload, int pop, int64_t t, const void *out_tan) {
    quadratic *loss = payload;
    CHECK_INT(loss->turns, 0);
    memcpy(loss->tan[pop] + t * cells(loss, pop), out_tan, (size_t)cells(loss, pop) * sizeof(double));
}

static lw_err turn(void *payload) {
    quadratic *loss = payload;
    loss->turns++;
    return LW_OK;
}

static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    quadratic *loss = payload;
    int32_t width = lw_sim_options_get(loss->b->sim)->width;
    lw_pop_view view = lw_net_pop(loss->b->net, pop);
    const double *out = lw_tape_output(loss->tape, pop, t);
    for (int64_t j = 0; j < view.n_local; j++)
        for (int32_t l = 0; l < width; l++)
            ((double *)out_adj)[j * width + l] +=
                key_normal(77, view.gid[j] * 1000 + t, l) + 0.3 + q * out[j * width + l];
    return true;
}

static bool seed_tan(void *payload, int pop, int64_t t, void *out_adj_tan) {
    quadratic *loss = payload;
    for (int64_t i = 0; i < cells(loss, pop); i++)
        ((double *)out_adj_tan)[i] += q * loss->tan[pop][t * cells(loss, pop) + i];
    return true;
}

static double *product(lw_tape *tape, const bench *b, const double *v) {
    quadratic loss;
    loss_begin(&loss, b, tape);
    double *out = calloc((size_t)b->theta->n_local + 1, sizeof *out);
    lw_tape_twice twice = {.payload = &loss, .sink = sink, .turn = turn, .seed = seed, .seed_tan = seed_tan};
    CHECK_OK(lw_tape_hessian(tape, v, &twice, out));
    CHECK_INT(loss.turns, 1);
    loss_end(&loss);
    return out;
}

static double *gradient(lw_tape *tape, const bench *b) {
    quadratic loss = {.b = b, .tape = tape};
    double *out = calloc((size_t)b->theta->n_local + 1, sizeof *out);
    lw_tape_seed back = {.payload = &loss, .seed = seed};
    CHECK_OK(lw_tape_backward(tape, &back, out, NULL));
    return out;
}

static lw_tape *record(const bench *b, int64_t before, int64_t steps) {
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create_second(b->sim, steps, b->theta, &tape));
    if (before) CHECK_OK(lw_sim_advance(b->sim, before, NULL));
    CHECK_OK(lw_tape_forward(tape, steps));
    return tape;
}

/* pair[0] = <x, y>, pair[1] the sum of its terms' magnitudes, over all ranks */
static void dot(const lw_comm *comm, int64_t n, const double *x, const double *y, double pair[2]) {
    pair[0] = pair[1] = 0;
    for (int64_t i = 0; i < n; i++) {
        pair[0] += x[i] * y[i];
        pair[1] += fabs(x[i] * y[i]);
    }
    lw_comm_sum_f64(comm, pair, 2);
}

/* ------------------------------------------------------------------ symmetry, ranks */

static void check_symmetry(
    const lw_comm *world, bench_kind kind, const bench_drive *drive, const lw_sim_options *o, lw_partition partition) {
    bench b = bench_create(world, kind, drive, o, partition, 0);
    lw_tape *tape = record(&b, BEFORE, STEPS);
    double *u = theta_direction(&b, drive, 21), *v = theta_direction(&b, drive, 22);
    double *hu = product(tape, &b, u), *hv = product(tape, &b, v), *again = product(tape, &b, u), uv[2], vu[2];
    dot(world, b.theta->n_local, u, hv, uv);
    dot(world, b.theta->n_local, v, hu, vu);
    if (!(fabs(uv[0] - vu[0]) <= 1e-12 * (uv[1] + vu[1])) || getenv("LW_TEST_SHOW"))
        fprintf(stderr, "%s: kind %d surrogate %d width %d smooth %d detached %d: u'Hv %.17g v'Hu %.17g of %g\n",
            drive->model->name, (int)kind, (int)o->surrogate.kind, (int)o->width, o->smooth, o->reset_detached, uv[0],
            vu[0], uv[1]);
    CHECK(uv[1] > 0);
    CHECK_CLOSE(uv[0], vu[0], 1e-12 * (uv[1] + vu[1]));
    CHECK(memcmp(hu, again, (size_t)b.theta->n_local * sizeof *hu) == 0);
    free(u), free(v), free(hu), free(hv), free(again);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
}

/* Every model on one rank; on more, a third of them on each number of ranks: with waiting ranks it all takes longer. */
static bool left_out(const lw_comm *world, int m) {
    return lw_comm_size(world) > 1 && m % 3 != lw_comm_size(world) % 3;
}

TEST(symmetric) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        if (left_out(world, m)) continue;
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        lw_sim_options o = bench_options(&drive, 1);
        check_symmetry(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_ROUND_ROBIN);
        o.reset_detached = false;
        o.width = 3;
        for (int kind = LW_SURROGATE_SUPERSPIKE; kind <= LW_SURROGATE_GAUSSIAN; kind++) {
            o.surrogate.kind = (lw_surrogate_kind)kind;
            o.surrogate.slope = drive.slope / (kind == LW_SURROGATE_TRIANGLE || kind == LW_SURROGATE_BOXCAR ? 4 : 1);
            check_symmetry(world, kind % 2 ? BENCH_CHAIN : BENCH_SLOW, &drive, &o,
                kind % 2 ? LW_PARTITION_BLOCK : LW_PARTITION_ROUND_ROBIN);
        }
        o.smooth = true;
        check_symmetry(world, BENCH_CHAIN, &drive, &o, LW_PARTITION_ROUND_ROBIN);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(the_same_on_any_ranks) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    const char *const names[] = {"cuba_lif", "lif", "alif", "izhikevich"};
    for (int m = 0; m < 4; m++)
        for (int kind = BENCH_RECURRENT; kind <= BENCH_SLOW; kind++) {
            bench_drive drive = bench_drive_of(self, lw_model_builtin(names[m]));
            lw_sim_options o = bench_options(&drive, 2);
            bench part = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            bench whole = bench_create(self, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, 0);
            lw_tape *part_tape = record(&part, BEFORE, STEPS), *whole_tape = record(&whole, BEFORE, STEPS);
            double *v = theta_direction(&part, &drive, 21), *w = theta_direction(&whole, &drive, 21);
            double *hv = product(part_tape, &part, v), *hw = product(whole_tape, &whole, w);
            for (uint64_t stream = 30; stream < 36; stream++) {
                double *x = theta_direction(&part, &drive, stream), *y = theta_direction(&whole, &drive, stream);
                double found[2], wanted[2];
                dot(world, part.theta->n_local, x, hv, found);
                dot(self, whole.theta->n_local, y, hw, wanted);
                CHECK(wanted[1] > 0);
                CHECK_CLOSE(found[0], wanted[0], 1e-12 * wanted[1]);
                free(x), free(y);
            }
            free(v), free(w), free(hv), free(hw);
            lw_tape_destroy(&part_tape);
            lw_tape_destroy(&whole_tape);
            bench_destroy(&part);
            bench_destroy(&whole);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ the derivative of the gradient */

typedef struct states {
    double *x[N_MAX_POP][N_MAX_STATE];
} states;

/* The gradient at theta + h v from the same initial state. */
static double *gradient_at(
    const bench *b, lw_tape *tape, const states *s, const double *theta, const double *v, double h) {
    double *x = calloc((size_t)b->theta->n_local + 1, sizeof *x);
    for (int64_t i = 0; i < b->theta->n_local; i++)
        x[i] = theta[i] + h * v[i];
    lw_theta_put(b->theta, b->net, x);
    free(x);
    lw_sim_refresh(b->sim);
    lw_sim_reset(b->sim);
    for (int p = 0; p < N_MAX_POP; p++)
        for (int i = 0; i < lw_net_pop(b->net, p).model->n_state; i++)
            lw_sim_state_set(b->sim, p, i, s->x[p][i]);
    CHECK_OK(lw_tape_forward(tape, FEW));
    return gradient(tape, b);
}

/* *out = (g(h) - g(-h)) / 2h */
static void difference(
    const bench *b, lw_tape *tape, const states *s, const double *theta, const double *v, double h, double *out) {
    double *up = gradient_at(b, tape, s, theta, v, h), *down = gradient_at(b, tape, s, theta, v, -h);
    for (int64_t i = 0; i < b->theta->n_local; i++)
        out[i] = (up[i] - down[i]) / (2 * h);
    free(up), free(down);
}

/* |x - y| / |x|, numbers measured by what they are moved */
static double distance(
    const lw_comm *world, const bench *b, const bench_drive *drive, const double *x, const double *y) {
    double sum[2] = {0, 0};
    for (int k = 0; k < b->theta->n_blocks; k++) {
        const lw_theta_block *block = &b->theta->block[k];
        double scale = theta_scale(b, drive, block);
        for (int64_t i = block->offset; i < block->offset + block->count; i++) {
            sum[0] += pow(scale * (x[i] - y[i]), 2);
            sum[1] += pow(scale * x[i], 2);
        }
    }
    lw_comm_sum_f64(world, sum, 2);
    return sum[1] > 0 ? sqrt(sum[0] / sum[1]) : INFINITY;
}

/* A parameter at the end of its domain cannot be moved to both sides. */
static void stay_inside(const bench *b, const double *theta, double *v, double eps) {
    for (int k = 0; k < b->theta->n_blocks; k++) {
        const lw_theta_block *block = &b->theta->block[k];
        if (block->pop < 0) continue;
        const lw_model *model = lw_net_pop(b->net, block->pop).model;
        for (int64_t i = block->offset; i < block->offset + block->count; i++)
            for (int side = -1; side <= 1; side += 2) {
                double x = theta[i] + side * eps * v[i];
                if (lw_model_param_clamp(model, block->param, x) != x) v[i] = 0;
            }
    }
}

static void check_difference(const lw_comm *world, bench_kind kind, const bench_drive *drive) {
    lw_sim_options o = bench_options(drive, 2);
    o.smooth = true;
    o.reset_detached = false;
    o.surrogate.kind = LW_SURROGATE_SIGMOID;
    o.surrogate.slope /= 4;
    bench b = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    size_t n = (size_t)b.theta->n_local + 1;
    double *theta = calloc(n, sizeof *theta), *v = theta_direction(&b, drive, 31), *d[3], best = INFINITY, eps = 0.03;
    states s;
    lw_tape *tape = record(&b, 0, FEW);
    lw_theta_get(b.theta, b.net, theta);
    lw_sim_reset(b.sim);
    for (int p = 0; p < N_MAX_POP; p++)
        for (int i = 0; i < lw_net_pop(b.net, p).model->n_state; i++) {
            s.x[p][i] = calloc((size_t)lw_net_pop(b.net, p).n_local * 2 + 1, sizeof(double));
            lw_sim_state_get(b.sim, p, i, s.x[p][i]);
            for (int64_t j = 0; j < lw_net_pop(b.net, p).n_local * 2; j++) /* away from kinks at 0 */
                s.x[p][i][j] += 0.02 * key_normal(51, lw_net_pop(b.net, p).gid[j / 2] * 2 + j % 2, i);
        }
    stay_inside(&b, theta, v, eps);
    free(gradient_at(&b, tape, &s, theta, v, 0));
    double *hv = product(tape, &b, v);
    for (int i = 0; i < 3; i++)
        d[i] = calloc(n, sizeof *d[i]);
    /* central differences at h, h/2, h/4 with their errors of orders 2 and 4 removed; the step that suits is searched
     */
    for (int k = 0; k < 4; k++, eps /= 10) {
        for (int i = 0; i < 3; i++)
            difference(&b, tape, &s, theta, v, eps / (1 << i), d[i]);
        for (size_t i = 0; i + 1 < n; i++) {
            double first = (4 * d[1][i] - d[0][i]) / 3, second = (4 * d[2][i] - d[1][i]) / 3;
            d[0][i] = (16 * second - first) / 15;
        }
        best = fmin(best, distance(world, &b, drive, hv, d[0]));
    }
    if (!(best <= 1e-6) || getenv("LW_TEST_SHOW"))
        fprintf(stderr, "%s: kind %d: relative error %.2g\n", drive->model->name, (int)kind, best);
    CHECK_CLOSE(best, 0, 1e-6);
    for (int p = 0; p < N_MAX_POP; p++)
        for (int i = 0; i < lw_net_pop(b.net, p).model->n_state; i++)
            free(s.x[p][i]);
    for (int i = 0; i < 3; i++)
        free(d[i]);
    free(theta), free(v), free(hv);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
}

TEST(derivative_of_the_gradient) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        if (left_out(world, m)) continue;
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        check_difference(world, BENCH_RECURRENT, &drive);
        check_difference(world, BENCH_CHAIN, &drive);
        check_difference(world, BENCH_SLOW, &drive);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ surrogates, errors */

TEST(curves_are_derivatives_of_slopes) {
    for (int kind = LW_SURROGATE_SUPERSPIKE; kind <= LW_SURROGATE_GAUSSIAN; kind++) {
        lw_surrogate s = {.kind = (lw_surrogate_kind)kind, .slope = 1.7, .scale = 0.6};
        for (double u = -2.03; u < 2; u += 0.1) {
            double h = 1e-5, d = (lw_surrogate_slope(&s, u + h) - lw_surrogate_slope(&s, u - h)) / (2 * h);
            CHECK_CLOSE(lw_surrogate_curve(&s, u), d, 1e-8);
        }
    }
    lw_surrogate boxcar = {.kind = LW_SURROGATE_BOXCAR, .slope = 2, .scale = 1};
    CHECK(lw_surrogate_curve(&boxcar, 0.5) == 0 && lw_surrogate_curve(&boxcar, 0.1) == 0);
    lw_surrogate kink = {.kind = LW_SURROGATE_TRIANGLE, .slope = 2, .scale = 1};
    CHECK(lw_surrogate_curve(&kink, 0) == 0 && lw_surrogate_curve(&kink, 0.1) == -2);
}

TEST(what_has_no_second_derivative) {
    lw_comm *world = world_start();
    bench_drive drive = {.model = lw_model_builtin("cuba_lif"), .input = 1, .weight = 1, .slope = 10};
    lw_sim_options o = bench_options(&drive, 1);
    lw_tape *tape = NULL;
    bench b = bench_create(world, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_FAILS(lw_tape_create_second(b.sim, STEPS, b.theta, &tape), LW_EUSE, "learns its delays");
    bench_destroy(&b);
    b = bench_create(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_OK(lw_tape_create(b.sim, STEPS, b.theta, &tape));
    CHECK_OK(lw_tape_forward(tape, STEPS));
    double *v = theta_direction(&b, &drive, 1);
    lw_tape_twice twice = {0};
    CHECK_FAILS(lw_tape_hessian(tape, v, &twice, v), LW_EUSE, "was not made for them");
    free(v);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
    o.precision = LW_F32;
    b = bench_create(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_FAILS(lw_tape_create_second(b.sim, STEPS, b.theta, &tape), LW_EUSE, "allowed is double");
    bench_destroy(&b);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(symmetric), CASE(the_same_on_any_ranks), CASE(derivative_of_the_gradient),
    CASE(curves_are_derivatives_of_slopes), CASE(what_has_no_second_derivative))
