/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sweeps over a tape, for every built-in model: the adjoint is the transpose of the tangent (hard spikes with
 * surrogate), and the tangent is the derivative (smooth spikes, central differences).
 */
#include "sweep_loss.h"

/* ------------------------------------------------------------------ directions, all keyed by gid */

/* State directions are of the size of the change that a weight makes, but move potentials by no more than a mV or so
 * and gates by no more than 0.01. */
static double state_scale(const lw_model *model, int state, double weight) {
    const char *unit = model->state[state].unit;
    double most = strcmp(unit, "mV") == 0 ? 1 : unit[0] == '\0' || strcmp(unit, "1") == 0 ? 0.01 : INFINITY;
    return fmin(0.1 * weight, most);
}

static void state_direction(const bench *b, const bench_drive *d, uint64_t stream, int lane0, arrays *v) {
    int32_t width = lw_sim_options_get(b->sim)->width;
    arrays_make(b, v);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view pop = lw_net_pop(b->net, p);
        for (int i = 0; i < pop.model->n_state; i++)
            for (int64_t j = 0; j < pop.n_local; j++)
                for (int32_t l = 0; l < width; l++)
                    v->x[p][i][j * width + l] =
                        state_scale(pop.model, i, d->weight) * key_normal(stream, pop.gid[j] * 100 + i, 7 + lane0 + l);
    }
}

/* ------------------------------------------------------------------ transpose */

static void check_dot(const lw_comm *world, bench_kind kind, const bench_drive *drive, const lw_sim_options *options,
    lw_partition partition, int64_t steps, bool with_theta, bool with_state) {
    bench b = bench_create(world, kind, drive, options, partition, 0);
    lw_tape *tape = record(&b, steps);
    double *v = theta_direction(&b, drive, 21);
    arrays v0, g0;
    state_direction(&b, drive, 22, 0, &v0);
    linear_loss loss = {.b = &b};
    lw_tape_sink sink = {&loss, loss_add};
    CHECK_OK(
        lw_tape_tangent(tape, with_theta ? v : NULL, with_state ? (const double *const *const *)v0.all : NULL, &sink));
    double *grad = gradient(tape, &b, 0, &g0);
    double pair[3] = {loss.sum, 0, loss.size};
    for (int64_t i = 0; with_theta && i < b.theta->n_local; i++)
        pair[1] += grad[i] * v[i];
    for (int p = 0; with_state && p < N_MAX_POP; p++) {
        lw_pop_view pop = lw_net_pop(b.net, p);
        for (int i = 0; i < pop.model->n_state; i++)
            for (int64_t j = 0; j < pop.n_local * options->width; j++)
                pair[1] += g0.x[p][i][j] * v0.x[p][i][j];
    }
    lw_comm_sum_f64(world, pair, 3);
    if (!(fabs(pair[0] - pair[1]) <= 1e-12 * pair[2]) || getenv("LW_TEST_SHOW"))
        fprintf(stderr, "%s: kind %d width %d detached %d: tangent %.17g adjoint %.17g of %g\n", drive->model->name,
            (int)kind, (int)options->width, (int)options->reset_detached, pair[0], pair[1], pair[2]);
    CHECK(pair[2] > 0 || !with_theta); /* the state of a relay is forgotten at once */
    CHECK_CLOSE(pair[1], pair[0], 1e-12 * pair[2]);
    free(v), free(grad);
    arrays_free(&v0), arrays_free(&g0);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
}

TEST(adjoint_is_transpose) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        lw_sim_options o = bench_options(&drive, 1);
        check_dot(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_ROUND_ROBIN, STEPS, true, true);
        o.reset_detached = false;
        o.width = 3;
        o.surrogate.kind = LW_SURROGATE_TRIANGLE;
        o.surrogate.slope /= 4;
        check_dot(world, BENCH_CHAIN, &drive, &o, LW_PARTITION_BLOCK, STEPS, true, true);
        o.surrogate.kind = LW_SURROGATE_GAUSSIAN;
        check_dot(world, BENCH_SLOW, &drive, &o, LW_PARTITION_ROUND_ROBIN, STEPS, true, true);
        o.smooth = true;
        check_dot(world, BENCH_CHAIN, &drive, &o, LW_PARTITION_ROUND_ROBIN, STEPS, true, false);
        check_dot(world, BENCH_SLOW, &drive, &o, LW_PARTITION_BLOCK, STEPS, false, true);
        check_dot(world, BENCH_LAG, &drive, &o, LW_PARTITION_ROUND_ROBIN, STEPS, true, true);
        o.smooth = false;
        check_dot(world, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, STEPS, true, true);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* longer than what the gradients of weights are gathered over */
TEST(adjoint_of_many_steps) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, lw_model_builtin("cuba_lif"));
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        lw_sim_options o = bench_options(&drive, 2);
        check_dot(world, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, MANY, true, true);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ central differences */

/* state and values in flight after BEFORE steps, restored before each evaluation: they must not move with theta */
typedef struct start {
    arrays state;
    double *flight[N_MAX_POP][8];
    int32_t *refractory[N_MAX_POP];
} start;

static void start_take(const bench *b, start *s) {
    arrays_make(b, &s->state);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view pop = lw_net_pop(b->net, p);
        for (int i = 0; i < pop.model->n_state; i++)
            lw_sim_state_get(b->sim, p, i, s->state.x[p][i]);
        for (int32_t back = 1; back <= lw_net_delay_max(b->net); back++) {
            s->flight[p][back] = calloc((size_t)pop.n_local + 1, sizeof(double));
            lw_sim_history_get(b->sim, p, back, s->flight[p][back]);
        }
        s->refractory[p] = calloc((size_t)pop.n_local + 1, sizeof(int32_t));
        if (pop.model->has_refractory) lw_sim_refractory_get(b->sim, p, s->refractory[p]);
    }
}
static void start_free(start *s) {
    arrays_free(&s->state);
    for (int p = 0; p < N_MAX_POP; p++) {
        for (int back = 0; back < 8; back++)
            free(s->flight[p][back]);
        free(s->refractory[p]);
    }
}

static double loss_at(
    const bench *b, lw_tape *tape, const start *s, const double *theta, const double *v, const arrays *v0, double eps) {
    double *x = calloc((size_t)b->theta->n_local + 1, sizeof *x), total;
    for (int64_t i = 0; i < b->theta->n_local; i++)
        x[i] = theta[i] + eps * v[i];
    lw_theta_put(b->theta, b->net, x);
    lw_sim_refresh(b->sim);
    lw_sim_reset(b->sim);
    lw_sim_step_set(b->sim, BEFORE);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view pop = lw_net_pop(b->net, p);
        for (int i = 0; i < pop.model->n_state; i++) {
            double *y = calloc((size_t)pop.n_local + 1, sizeof *y);
            for (int64_t j = 0; j < pop.n_local; j++)
                y[j] = s->state.x[p][i][j] + eps * v0->x[p][i][j];
            lw_sim_state_set(b->sim, p, i, y);
            free(y);
        }
        for (int32_t back = 1; back <= lw_net_delay_max(b->net); back++)
            lw_sim_history_set(b->sim, p, back, s->flight[p][back]);
        if (pop.model->has_refractory) lw_sim_refractory_set(b->sim, p, s->refractory[p]);
    }
    CHECK_OK(lw_sim_history_share(b->sim));
    CHECK_OK(lw_tape_forward(tape, STEPS));
    linear_loss loss = {.b = b};
    for (int64_t t = 0; t < STEPS; t++)
        for (int p = 0; p < N_MAX_POP; p++)
            loss_add(&loss, p, t, lw_tape_output(tape, p, t));
    total = loss.sum;
    lw_comm_sum_f64(lw_net_comm(b->net), &total, 1);
    free(x);
    return total;
}

static void check_difference(const lw_comm *world, bench_kind kind, const bench_drive *drive, bool chain_state) {
    lw_sim_options o = bench_options(drive, 1);
    o.smooth = true;
    o.reset_detached = false;
    o.surrogate.kind = LW_SURROGATE_SIGMOID;
    o.surrogate.slope /= 4;
    bench b = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    lw_tape *tape = record(&b, STEPS);
    start s = {0};
    double *theta = calloc((size_t)b.theta->n_local + 1, sizeof *theta);
    lw_theta_get(b.theta, b.net, theta);
    lw_sim_reset(b.sim);
    CHECK_OK(lw_sim_advance(b.sim, BEFORE, NULL));
    start_take(&b, &s);
    for (uint64_t direction = 0; direction < 2; direction++) {
        double *v = theta_direction(&b, drive, 31 + direction);
        arrays v0, g0;
        /* delays are stored as floats: their differences are taken where the numbers really stored count
         * (test_gradcheck.c) */
        for (int i = 0; i < b.theta->n_blocks; i++)
            if (b.theta->block[i].is_delay)
                memset(v + b.theta->block[i].offset, 0, (size_t)b.theta->block[i].count * sizeof *v);
        state_direction(&b, drive, 41 + direction, 0, &v0);
        for (int p = 0; !chain_state && p < N_MAX_POP; p++)
            for (int i = 0; i < lw_net_pop(b.net, p).model->n_state; i++)
                memset(v0.x[p][i], 0, sizeof(double) * (size_t)lw_net_pop(b.net, p).n_local);
        double eps = 1e-3, d[3], best = INFINITY, found = 0;
        (void)loss_at(&b, tape, &s, theta, v, &v0, 0);
        double *grad = gradient(tape, &b, 0, &g0), slope = 0;
        for (int64_t i = 0; i < b.theta->n_local; i++)
            slope += grad[i] * v[i];
        for (int p = 0; p < N_MAX_POP; p++)
            for (int i = 0; i < lw_net_pop(b.net, p).model->n_state; i++)
                for (int64_t j = 0; j < lw_net_pop(b.net, p).n_local; j++)
                    slope += g0.x[p][i][j] * v0.x[p][i][j];
        lw_comm_sum_f64(world, &slope, 1);
        /* Richardson: d(h), d(h/2), d(h/4) of central differences, errors of order h^6 left; the step that suits the
         * model is searched */
        for (int k = 0; k < 3; k++, eps /= 10) {
            for (int i = 0; i < 3; i++) {
                double h = eps / (1 << i);
                d[i] = (loss_at(&b, tape, &s, theta, v, &v0, h) - loss_at(&b, tape, &s, theta, v, &v0, -h)) / (2 * h);
            }
            double a0 = (4 * d[1] - d[0]) / 3, a1 = (4 * d[2] - d[1]) / 3, r = (16 * a1 - a0) / 15;
            if (fabs(r - slope) < best) best = fabs(r - slope), found = r;
        }
        if (!(best <= 1e-6 * fabs(slope)) || getenv("LW_TEST_SHOW"))
            fprintf(
                stderr, "%s: kind %d: gradient %.12g difference %.12g\n", drive->model->name, (int)kind, slope, found);
        CHECK_REL(found, slope, 1e-6);
        lw_theta_put(b.theta, b.net, theta);
        free(v), free(grad);
        arrays_free(&v0), arrays_free(&g0);
    }
    free(theta);
    start_free(&s);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
}

TEST(tangent_is_derivative) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        check_difference(world, BENCH_RECURRENT, &drive, true);
        check_difference(world, BENCH_CHAIN, &drive, true);
        check_difference(world, BENCH_LAG, &drive, true);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(adjoint_is_transpose), CASE(adjoint_of_many_steps), CASE(tangent_is_derivative))
