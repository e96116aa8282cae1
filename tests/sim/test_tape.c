/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sweeps over a tape, for every built-in model: the adjoint is the transpose of the tangent (hard spikes with
 * surrogate), the tangent is the derivative (smooth spikes, central differences), gradients do not depend on ranks,
 * lanes add, float is close to double.
 */
#include "sweep_direction.h"
#include "sweep_net.h"
#include "world.h"

enum { STEPS = 20, MANY = 140, BEFORE = 3 };

typedef struct arrays { /* per population and state [n_local, width] */
    double *x[N_MAX_POP][N_MAX_STATE];
    double *const *pop[N_MAX_POP];
    double *const *const *all;
} arrays;

static void arrays_make(const bench *b, arrays *a) {
    int32_t width = lw_sim_options_get(b->sim)->width;
    memset(a, 0, sizeof *a);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view v = lw_net_pop(b->net, p);
        for (int i = 0; i < v.model->n_state; i++)
            a->x[p][i] = calloc((size_t)(v.n_local * width) + 1, sizeof(double));
        a->pop[p] = a->x[p];
    }
    a->all = a->pop;
}
static void arrays_free(arrays *a) {
    for (int p = 0; p < N_MAX_POP; p++)
        for (int i = 0; i < N_MAX_STATE; i++)
            free(a->x[p][i]);
}

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

/* ------------------------------------------------------------------ a loss: sum over steps, neurons, lanes of seed *
 * out */

typedef struct linear_loss {
    const bench *b;
    int lane0;
    double sum, size; /* of what a sink or an output adds; and of its absolute values */
    int64_t shift;    /* recorded step 0 is this step of the loss */
} linear_loss;

static double loss_seed(const linear_loss *loss, int pop, int64_t t, int64_t j, int32_t lane) {
    return key_normal(77, lw_net_pop(loss->b->net, pop).gid[j] * 1000 + loss->shift + t, loss->lane0 + lane) + 0.3;
}
static void loss_add(void *payload, int pop, int64_t t, const void *out) {
    linear_loss *loss = payload;
    const lw_sim_options *o = lw_sim_options_get(loss->b->sim);
    int64_t n = lw_net_pop(loss->b->net, pop).n_local;
    for (int64_t j = 0; j < n; j++)
        for (int32_t l = 0; l < o->width; l++) {
            double x = o->precision == LW_F64 ? ((const double *)out)[j * o->width + l]
                                              : (double)((const float *)out)[j * o->width + l];
            double term = loss_seed(loss, pop, t, j, l) * x;
            loss->sum += term;
            loss->size += fabs(term);
        }
}
static bool loss_adjoint(void *payload, int pop, int64_t t, void *out_adj) {
    linear_loss *loss = payload;
    const lw_sim_options *o = lw_sim_options_get(loss->b->sim);
    int64_t n = lw_net_pop(loss->b->net, pop).n_local;
    for (int64_t j = 0; j < n; j++)
        for (int32_t l = 0; l < o->width; l++) {
            if (o->precision == LW_F64)
                ((double *)out_adj)[j * o->width + l] += loss_seed(loss, pop, t, j, l);
            else
                ((float *)out_adj)[j * o->width + l] += (float)loss_seed(loss, pop, t, j, l);
        }
    return true;
}

/* run BEFORE steps, so that values are in flight, then record */
static lw_tape *record(const bench *b, int64_t steps) {
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(b->sim, steps, b->theta, &tape));
    CHECK_OK(lw_sim_advance(b->sim, BEFORE, NULL));
    CHECK_OK(lw_tape_forward(tape, steps));
    CHECK_INT(lw_tape_steps(tape), steps);
    return tape;
}

static double *gradient(lw_tape *tape, const bench *b, int lane0, arrays *state0) {
    double *grad = calloc((size_t)b->theta->n_local + 1, sizeof *grad);
    linear_loss loss = {.b = b, .lane0 = lane0};
    lw_tape_seed seed = {&loss, loss_adjoint};
    if (state0) arrays_make(b, state0);
    CHECK_OK(lw_tape_backward(tape, &seed, grad, state0 ? state0->all : NULL));
    return grad;
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

/* ------------------------------------------------------------------ ranks, lanes, precision */

static const lw_model *some_model(void) {
    const lw_model *model = lw_model_builtin("cuba_lif");
    LW_ASSERT(model);
    return model;
}

/* The gradient of one weight or parameter of the same network on one rank. */
static double whole_value(
    const bench *whole, const double *grad, const lw_theta_block *block, int64_t gid, const lw_edge *edge) {
    for (int i = 0; i < whole->theta->n_blocks; i++) {
        const lw_theta_block *other = &whole->theta->block[i];
        if (other->is_weight != block->is_weight || other->is_delay != block->is_delay) continue;
        if (block->pop >= 0) {
            if (other->pop == block->pop && other->param == block->param)
                return grad[other->offset + gid - lw_net_pop(whole->net, block->pop).gid_begin];
            continue;
        }
        if (other->proj != block->proj) continue;
        lw_edge *all;
        int64_t *number, n;
        double value = NAN;
        CHECK_OK(lw_net_edges(whole->net, block->proj, &all, &number, &n));
        for (int64_t j = 0; j < n; j++)
            if (all[j].target == edge->target && all[j].source == edge->source && all[j].order == edge->order)
                value = grad[other->offset + number[j]];
        lw_free(all);
        lw_free(number);
        return value;
    }
    return NAN;
}

static double norm(int64_t n, const double *x) {
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i] * x[i];
    return sqrt(s);
}

TEST(gradient_on_any_ranks) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        lw_sim_options o = bench_options(&drive, 2);
        bench part = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
        bench whole = bench_create(self, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, 0);
        lw_tape *part_tape = record(&part, STEPS), *whole_tape = record(&whole, STEPS);
        double *part_grad = gradient(part_tape, &part, 0, NULL), *whole_grad = gradient(whole_tape, &whole, 0, NULL);
        for (int i = 0; i < part.theta->n_blocks; i++) {
            const lw_theta_block *block = &part.theta->block[i];
            const lw_theta_block *same = &whole.theta->block[i];
            double scale = norm(same->count, whole_grad + same->offset);
            CHECK(scale > 0 || !block->is_weight);
            lw_edge *edge = NULL;
            int64_t *number = NULL, n = block->count;
            if (block->pop < 0) CHECK_OK(lw_net_edges(part.net, block->proj, &edge, &number, &n));
            CHECK_INT(n, block->count);
            for (int64_t j = 0; j < n; j++) {
                int64_t gid = block->pop < 0 ? 0 : lw_net_pop(part.net, block->pop).gid[j];
                double found = part_grad[block->offset + (number ? number[j] : j)];
                CHECK_CLOSE(found, whole_value(&whole, whole_grad, block, gid, edge ? &edge[j] : NULL), 1e-10 * scale);
            }
            lw_free(edge);
            lw_free(number);
        }
        free(part_grad), free(whole_grad);
        lw_tape_destroy(&part_tape), lw_tape_destroy(&whole_tape);
        bench_destroy(&part), bench_destroy(&whole);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* A sweep that ends at a step is the sweep of a recording that begins there; steps within and between epochs. */
TEST(sweep_ends_early) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    static const int64_t firsts[] = {1, 4, 7, STEPS - 1};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
            lw_sim_options o = bench_options(&drive, 2);
            int64_t first = firsts[f];
            bench b = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            bench late = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            lw_tape *tape = record(&b, STEPS), *late_tape = NULL;
            CHECK_OK(lw_tape_create(late.sim, STEPS - first, late.theta, &late_tape));
            CHECK_OK(lw_sim_advance(late.sim, BEFORE + first, NULL));
            CHECK_OK(lw_tape_forward(late_tape, STEPS - first));
            int64_t n = b.theta->n_local;
            double *grad = calloc((size_t)n + 1, sizeof *grad), *wanted = calloc((size_t)n + 1, sizeof *wanted);
            linear_loss loss = {.b = &b}, late_loss = {.b = &late, .shift = first};
            lw_tape_seed seed = {.payload = &loss, .seed = loss_adjoint, .first = first};
            lw_tape_seed late_seed = {.payload = &late_loss, .seed = loss_adjoint};
            CHECK_OK(lw_tape_backward(tape, &seed, grad, NULL));
            CHECK_OK(lw_tape_backward(late_tape, &late_seed, wanted, NULL));
            double scale = norm(n, wanted);
            CHECK(scale > 0 || n == 0);
            for (int64_t i = 0; i < n; i++)
                CHECK_CLOSE(grad[i], wanted[i], 1e-12 * scale);
            seed.first = STEPS + 1;
            CHECK_FAILS(lw_tape_backward(tape, &seed, grad, NULL), LW_EUSE, "allowed are 0 to 20");
            free(grad), free(wanted);
            lw_tape_destroy(&tape), lw_tape_destroy(&late_tape);
            bench_destroy(&b), bench_destroy(&late);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* A truncated sweep is the sum of the sweeps of recordings that begin with each window; a window as long as the
 * recording changes nothing. Whole tapes and segments. */
TEST(windows_are_recordings_of_their_own) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    static const int64_t windows[] = {1, 4, 7, STEPS};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
            lw_sim_options o = bench_options(&drive, 2);
            bench b = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            lw_tape *tape = NULL;
            int64_t n = b.theta->n_local;
            double *grad = calloc((size_t)n + 1, sizeof *grad), *wanted = calloc((size_t)n + 1, sizeof *wanted);
            CHECK_OK(lw_tape_create_segments(b.sim, STEPS, k % 2 ? STEPS : 6, NULL, b.theta, &tape));
            CHECK_OK(lw_sim_advance(b.sim, BEFORE, NULL));
            CHECK_OK(lw_tape_forward(tape, STEPS));
            linear_loss loss = {.b = &b};
            lw_tape_seed seed = {.payload = &loss, .seed = loss_adjoint, .window = windows[k]};
            CHECK_OK(lw_tape_backward(tape, &seed, grad, NULL));
            for (int64_t at = 0; at < STEPS; at += windows[k]) {
                int64_t steps = at + windows[k] < STEPS ? windows[k] : STEPS - at;
                bench late = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
                lw_tape *late_tape = NULL;
                CHECK_OK(lw_tape_create(late.sim, steps, late.theta, &late_tape));
                CHECK_OK(lw_sim_advance(late.sim, BEFORE + at, NULL));
                CHECK_OK(lw_tape_forward(late_tape, steps));
                linear_loss late_loss = {.b = &late, .shift = at};
                lw_tape_seed late_seed = {.payload = &late_loss, .seed = loss_adjoint};
                CHECK_OK(lw_tape_backward(late_tape, &late_seed, wanted, NULL));
                lw_tape_destroy(&late_tape);
                bench_destroy(&late);
            }
            double scale = norm(n, wanted);
            CHECK(scale > 0 || n == 0);
            for (int64_t i = 0; i < n; i++)
                CHECK_CLOSE(grad[i], wanted[i], 1e-12 * scale);
            free(grad), free(wanted);
            lw_tape_destroy(&tape);
            bench_destroy(&b);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* Seeds of the steps [low, high) only. */
typedef struct some_steps {
    linear_loss loss;
    int64_t low, high;
} some_steps;

static bool some_adjoint(void *payload, int pop, int64_t t, void *out_adj) {
    some_steps *s = payload;
    return t >= s->low && t < s->high && loss_adjoint(&s->loss, pop, t, out_adj);
}

/* Overlapping windows: every block of `stride` steps is a sweep of its own, made here on a recording that begins with
 * its window. With windows that touch nothing changes in any bit; a window as long as the recording gives the whole
 * gradient. Whole tapes and segments, with and without a first step. */
TEST(overlapping_windows) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    static const struct {
        int64_t window, stride, first;
    } cases[] = {{4, 2, 0}, {7, 3, 0}, {6, 5, 4}, {9, 1, 0}, {STEPS - 1, 8, 3}, {5, 4, 0}};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            int64_t window = cases[k].window, stride = cases[k].stride;
            lw_sim_options o = bench_options(&drive, 2);
            bench b = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            lw_tape *tape = NULL;
            int64_t n = b.theta->n_local;
            double *grad = calloc((size_t)n + 1, sizeof *grad), *wanted = calloc((size_t)n + 1, sizeof *wanted);
            CHECK_OK(lw_tape_create_segments(b.sim, STEPS, k % 2 ? STEPS : 6, NULL, b.theta, &tape));
            CHECK_OK(lw_sim_advance(b.sim, BEFORE, NULL));
            CHECK_OK(lw_tape_forward(tape, STEPS));
            linear_loss loss = {.b = &b};
            lw_tape_seed seed = {
                .payload = &loss, .seed = loss_adjoint, .window = window, .stride = stride, .first = cases[k].first};
            CHECK_OK(lw_tape_backward(tape, &seed, grad, NULL));
            for (int64_t at = 0; at < STEPS; at += stride) {
                int64_t end = at + stride, begin = end - window > cases[k].first ? end - window : cases[k].first;
                if (end > STEPS) end = STEPS;
                if (end <= cases[k].first) continue;
                bench late = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
                lw_tape *late_tape = NULL;
                CHECK_OK(lw_tape_create(late.sim, end - begin, late.theta, &late_tape));
                CHECK_OK(lw_sim_advance(late.sim, BEFORE + begin, NULL));
                CHECK_OK(lw_tape_forward(late_tape, end - begin));
                some_steps part = {.loss = {.b = &late, .shift = begin}, .low = at - begin, .high = end - begin};
                lw_tape_seed late_seed = {.payload = &part, .seed = some_adjoint};
                CHECK_OK(lw_tape_backward(late_tape, &late_seed, wanted, NULL));
                lw_tape_destroy(&late_tape);
                bench_destroy(&late);
            }
            double scale = norm(n, wanted);
            CHECK(scale > 0 || n == 0);
            for (int64_t i = 0; i < n; i++)
                CHECK_CLOSE(grad[i], wanted[i], 1e-12 * scale);
            free(grad), free(wanted);
            lw_tape_destroy(&tape);
            bench_destroy(&b);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

static double *windowed(const lw_comm *world, const bench_drive *drive, int64_t window, int64_t stride, int64_t *n) {
    lw_sim_options o = bench_options(drive, 2);
    bench b = bench_create(world, BENCH_RECURRENT, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    lw_tape *tape = record(&b, STEPS);
    double *grad = calloc((size_t)b.theta->n_local + 1, sizeof *grad);
    linear_loss loss = {.b = &b};
    lw_tape_seed seed = {.payload = &loss, .seed = loss_adjoint, .window = window, .stride = stride};
    CHECK_OK(lw_tape_backward(tape, &seed, grad, NULL));
    *n = b.theta->n_local;
    lw_tape_destroy(&tape);
    bench_destroy(&b);
    return grad;
}

TEST(windows_that_touch_or_cover_change_no_bit) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    static const int64_t pair[][2][2] = {{{6, 0}, {6, 6}}, {{0, 0}, {STEPS, 7}}, {{0, 0}, {STEPS + 9, 1}}};
    for (size_t k = 0; k < sizeof pair / sizeof *pair; k++) {
        int64_t n = 0;
        double *a = windowed(world, &drive, pair[k][0][0], pair[k][0][1], &n);
        double *b = windowed(world, &drive, pair[k][1][0], pair[k][1][1], &n);
        for (int64_t i = 0; i < n; i++)
            CHECK(a[i] == b[i]);
        free(a), free(b);
    }
    lw_sim_options o = bench_options(&drive, 2);
    bench b = bench_create(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    lw_tape *tape = record(&b, STEPS);
    lw_tape_seed seed = {.seed = loss_adjoint, .window = 5, .stride = 6};
    CHECK_FAILS(lw_tape_backward(tape, &seed, NULL, NULL), LW_EUSE, "allowed are 1 to 5");
    lw_tape_destroy(&tape);
    bench_destroy(&b);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* A tape in segments has the outputs, the statistics and the gradient of a whole one, also when the sweep ends early.
 */
TEST(segments_give_the_same) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    static const int64_t lengths[] = {1, 3, 7, STEPS - 1};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            lw_sim_options o = bench_options(&drive, 3);
            bench b = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            bench c = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            lw_tape *whole = record(&b, STEPS), *cut = NULL;
            CHECK_OK(lw_tape_create_segments(c.sim, STEPS, lengths[k], NULL, c.theta, &cut));
            CHECK_OK(lw_sim_advance(c.sim, BEFORE, NULL));
            CHECK_OK(lw_tape_forward(cut, STEPS));
            CHECK_INT(lw_tape_steps(cut), STEPS);
            for (int p = 0; p < lw_net_n_pop(b.net); p++)
                for (int64_t t = 0; t < STEPS; t++)
                    CHECK(memcmp(lw_tape_output(cut, p, t), lw_tape_output(whole, p, t),
                              (size_t)(lw_net_pop(b.net, p).n_local * 3) * sizeof(double)) == 0);
            int64_t n = b.theta->n_local, first = k == 1 ? 5 : 0;
            double *grad = calloc((size_t)n + 1, sizeof *grad), *wanted = calloc((size_t)n + 1, sizeof *wanted);
            linear_loss loss = {.b = &c}, whole_loss = {.b = &b};
            lw_tape_seed seed = {.payload = &loss, .seed = loss_adjoint, .first = first};
            lw_tape_seed whole_seed = {.payload = &whole_loss, .seed = loss_adjoint, .first = first};
            CHECK_OK(lw_tape_backward(cut, &seed, grad, NULL));
            CHECK_OK(lw_tape_backward(whole, &whole_seed, wanted, NULL));
            double scale = norm(n, wanted);
            CHECK(scale > 0 || n == 0);
            for (int64_t i = 0; i < n; i++)
                CHECK_CLOSE(grad[i], wanted[i], 1e-12 * scale);
            CHECK_INT(lw_sim_stats_get(c.sim).spikes, lw_sim_stats_get(b.sim).spikes);
            CHECK_INT((int64_t)lw_sim_stats_get(c.sim).spike_checksum, (int64_t)lw_sim_stats_get(b.sim).spike_checksum);
            CHECK(memcmp(lw_sim_spike_counts(c.sim), lw_sim_spike_counts(b.sim),
                      (size_t)lw_net_n_local(b.net) * sizeof(int64_t)) == 0);
            if (lengths[k] < STEPS / 2) { /* else it may be one segment */
                CHECK_FAILS(lw_tape_backward(cut, &seed, grad, NULL), LW_EUSE, "a sweep must follow its recording");
                lw_err_clear();
            }
            free(grad), free(wanted);
            lw_tape_destroy(&whole), lw_tape_destroy(&cut);
            bench_destroy(&b), bench_destroy(&c);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(lanes_add) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        lw_sim_options o = bench_options(&drive, 4);
        bench wide = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, 0);
        lw_tape *tape = record(&wide, STEPS);
        double *grad = gradient(tape, &wide, 0, NULL);
        int64_t n = wide.theta->n_local;
        double *sum = calloc((size_t)n + 1, sizeof *sum), size = norm(n, grad);
        o.width = 1;
        for (int lane = 0; lane < 4; lane++) {
            bench one = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, lane);
            lw_tape *one_tape = record(&one, STEPS);
            double *one_grad = gradient(one_tape, &one, lane, NULL);
            for (int64_t i = 0; i < n; i++)
                sum[i] += one_grad[i];
            free(one_grad);
            lw_tape_destroy(&one_tape);
            bench_destroy(&one);
        }
        for (int64_t i = 0; i < n; i++)
            CHECK_CLOSE(sum[i], grad[i], 1e-12 * size);
        free(sum), free(grad);
        lw_tape_destroy(&tape);
        bench_destroy(&wide);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(float_is_close_to_double) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
        double *grad[2], size[2], worst = 0;
        int64_t n = 0;
        for (int f = 0; f < 2; f++) {
            lw_sim_options o = bench_options(&drive, 2);
            o.precision = f ? LW_F32 : LW_F64;
            bench b = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, 0);
            lw_tape *tape = record(&b, STEPS);
            grad[f] = gradient(tape, &b, 0, NULL);
            n = b.theta->n_local;
            size[f] = norm(n, grad[f]);
            lw_tape_destroy(&tape);
            bench_destroy(&b);
        }
        for (int64_t i = 0; i < n; i++)
            worst = fmax(worst, fabs(grad[0][i] - grad[1][i]));
        CHECK(worst <= 1e-4 * size[0]);
        CHECK(n == 0 || worst > 0);
        free(grad[0]), free(grad[1]);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(memory_is_predicted) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, some_model());
    lw_sim_options o = bench_options(&drive, 8);
    bench b = bench_create(world, BENCH_SLOW, &drive, &o, LW_PARTITION_BLOCK, 0);
    int64_t predicted = lw_tape_bytes(b.sim, 4000, b.theta), before = lw_mem_now();
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(b.sim, 4000, b.theta, &tape));
    CHECK_OK(lw_tape_forward(tape, 30));
    double *grad = gradient(tape, &b, 0, NULL);
    CHECK_REL((double)predicted, (double)(lw_mem_now() - before), 0.05);
    CHECK_OK(lw_tape_tangent(tape, NULL, NULL, NULL));
    int64_t now = 0;
    for (int again = 0; again < 2; again++) { /* nothing is allocated once buffers of messages have their size */
        if (again) now = lw_mem_now();
        CHECK_OK(lw_tape_forward(tape, 2000));
        CHECK_OK(lw_tape_backward(tape, NULL, grad, NULL));
        CHECK_OK(lw_tape_tangent(tape, NULL, NULL, NULL));
    }
    CHECK_INT(lw_mem_now(), now);
    CHECK_FAILS(lw_tape_forward(tape, 4001), LW_EUSE, "room for 4000");
    /* in segments: a new engine, whose history is as short as they are */
    bench c = bench_create(world, BENCH_SLOW, &drive, &o, LW_PARTITION_BLOCK, 0);
    lw_tape *cut = NULL;
    double *cut_grad = NULL;
    predicted = lw_tape_bytes_segments(c.sim, 4000, 250, NULL, c.theta);
    before = lw_mem_now();
    CHECK_OK(lw_tape_create_segments(c.sim, 4000, 250, NULL, c.theta, &cut));
    CHECK_OK(lw_tape_forward(cut, 4000));
    cut_grad = gradient(cut, &c, 0, NULL);
    CHECK_REL((double)predicted, (double)(lw_mem_now() - before), 0.1);
    CHECK(3 * predicted < lw_tape_bytes(c.sim, 4000, c.theta));
    CHECK_FAILS(lw_tape_tangent(cut, NULL, NULL, NULL), LW_EUSE, "");
    lw_err_clear();
    free(cut_grad);
    lw_tape_destroy(&cut);
    bench_destroy(&c);
    CHECK_OK(lw_sim_advance(b.sim, 1, NULL));
    CHECK_FAILS(lw_tape_backward(tape, NULL, grad, NULL), LW_EUSE, "must follow its recording");
    free(grad);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(adjoint_is_transpose), CASE(adjoint_of_many_steps), CASE(tangent_is_derivative),
    CASE(gradient_on_any_ranks), CASE(sweep_ends_early), CASE(segments_give_the_same),
    CASE(windows_are_recordings_of_their_own), CASE(overlapping_windows),
    CASE(windows_that_touch_or_cover_change_no_bit), CASE(lanes_add), CASE(float_is_close_to_double),
    CASE(memory_is_predicted))
