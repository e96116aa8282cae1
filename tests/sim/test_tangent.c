/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tangent block: its steps are the derivative of the map between cuts (smooth spikes, differences), they agree with
 * the tape's tangents (hard spikes), they do not depend on ranks, and a cut can be entered with the state alone.
 */
#include "sweep_net.h"
#include "world.h"

enum { N_FLIGHT = 8, N_ALL = N_IN + N_HID + N_OUT };

/* Everything that fixes the future of a network, in vectors over the whole network: states and values in flight by gid.
 */
typedef struct point {
    double state[N_MAX_STATE][N_ALL];
    double flight[N_FLIGHT][N_ALL];
} point;

static void point_put(const bench *b, const point *x, int64_t step) {
    double local[N_ALL];
    lw_sim_reset(b->sim);
    lw_sim_step_set(b->sim, step);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view v = lw_net_pop(b->net, p);
        for (int i = 0; i < v.model->n_state; i++) {
            for (int64_t j = 0; j < v.n_local; j++)
                local[j] = x->state[i][v.gid[j]];
            lw_sim_state_set(b->sim, p, i, local);
        }
        for (int32_t back = 1; back <= lw_net_delay_max(b->net); back++) {
            for (int64_t j = 0; j < v.n_local; j++)
                local[j] = x->flight[back][v.gid[j]];
            lw_sim_history_set(b->sim, p, back, local);
        }
    }
    CHECK_OK(lw_sim_history_share(b->sim));
}

/* the point after some steps; every rank knows it all */
static void point_get(const bench *b, point *x) {
    double local[N_ALL];
    memset(x, 0, sizeof *x);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view v = lw_net_pop(b->net, p);
        for (int i = 0; i < v.model->n_state; i++) {
            lw_sim_state_get(b->sim, p, i, local);
            for (int64_t j = 0; j < v.n_local; j++)
                x->state[i][v.gid[j]] = local[j];
        }
        for (int32_t back = 1; back <= lw_net_delay_max(b->net); back++) {
            lw_sim_history_get(b->sim, p, back, local);
            for (int64_t j = 0; j < v.n_local; j++)
                x->flight[back][v.gid[j]] = local[j];
        }
    }
    lw_comm_sum_f64(lw_net_comm(b->net), &x->state[0][0], N_MAX_STATE * N_ALL);
    lw_comm_sum_f64(lw_net_comm(b->net), &x->flight[0][0], N_FLIGHT * N_ALL);
}

static int pop_of(const bench *b, int64_t gid) {
    int p = 0;
    while (gid >= lw_net_pop(b->net, p).gid_begin + lw_net_pop(b->net, p).size)
        p++;
    return p;
}

/* The value that a row of the block is the derivative of, read from the engine at the cut. */
static double row_value(const bench *b, const lw_tangent *t, int64_t row) {
    int64_t gid;
    int32_t state;
    double local[N_ALL];
    lw_tangent_row_info(t, row, &gid, &state);
    lw_pop_view v = lw_net_pop(b->net, pop_of(b, gid));
    bool early = v.level + 1 < lw_net_n_levels(b->net);
    int32_t back = state - v.model->n_state + 1 - early;
    int p = pop_of(b, gid);
    if (state < v.model->n_state)
        lw_sim_state_get(b->sim, p, state, local);
    else if (back == 0)
        lw_sim_output_get(b->sim, p, local);
    else
        lw_sim_history_get(b->sim, p, back, local);
    for (int64_t j = 0; j < v.n_local; j++)
        if (v.gid[j] == gid) return local[j];
    return NAN;
}

/* ------------------------------------------------------------------ the derivative of the map */

/* The cut `steps` after the cut that follows x, as values of the rows. */
static void cut_values(const bench *b, const point *x, int64_t steps, double *value) {
    lw_tangent *t = NULL;
    point_put(b, x, 2);
    CHECK_OK(lw_tangent_create(b->sim, 1, false, &t));
    CHECK_OK(lw_tangent_skip(t, steps));
    CHECK_INT(lw_tangent_step_number(t), 2 + steps);
    for (int64_t r = 0; r < lw_tangent_rows(t); r++)
        value[r] = row_value(b, t, r);
    lw_tangent_destroy(&t);
}

/* column: which number of the point is moved */
static double *column_of(point *x, const bench *b, int64_t column) {
    int64_t n_state = 0;
    for (int p = 0; p < N_MAX_POP; p++)
        if (lw_net_pop(b->net, p).model->n_state > n_state) n_state = lw_net_pop(b->net, p).model->n_state;
    if (column < n_state * N_ALL) return &x->state[column / N_ALL][column % N_ALL];
    return &x->flight[1 + column / N_ALL - n_state][column % N_ALL];
}
static int64_t n_columns(const bench *b) {
    int64_t n_state = 0;
    for (int p = 0; p < N_MAX_POP; p++)
        if (lw_net_pop(b->net, p).model->n_state > n_state) n_state = lw_net_pop(b->net, p).model->n_state;
    return (n_state + lw_net_delay_max(b->net)) * N_ALL;
}

/* jac [rows, k]: differences of order h^4 */
static void differences(const bench *b, const point *x, int64_t steps, double h, int64_t rows, double *jac) {
    int64_t k = n_columns(b);
    double *value[4];
    for (int i = 0; i < 4; i++)
        value[i] = calloc((size_t)rows + 1, sizeof(double));
    for (int64_t c = 0; c < k; c++) {
        static const double at[4] = {-2, -1, 1, 2};
        for (int i = 0; i < 4; i++) {
            point moved = *x;
            *column_of(&moved, b, c) += at[i] * h;
            cut_values(b, &moved, steps, value[i]);
        }
        for (int64_t r = 0; r < rows; r++)
            jac[r * k + c] = (8 * (value[2][r] - value[1][r]) - (value[3][r] - value[0][r])) / (12 * h);
    }
    for (int i = 0; i < 4; i++)
        free(value[i]);
}

static void check_jacobian(const lw_comm *world, bench_kind kind, const bench_drive *drive, int64_t steps) {
    lw_sim_options o = bench_options(drive, 1);
    o.smooth = true;
    o.reset_detached = false;
    o.surrogate.kind = LW_SURROGATE_SIGMOID;
    bench b = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    point x;
    CHECK_OK(lw_sim_advance(b.sim, 2, NULL));
    point_get(&b, &x);
    lw_tangent *t = NULL;
    int64_t k = n_columns(&b);
    double h = 1e-3;
    point_put(&b, &x, 2);
    CHECK_OK(lw_tangent_create(b.sim, k, false, &t));
    int64_t rows = lw_tangent_rows(t), dimension = rows;
    lw_comm_sum_i64(world, &dimension, 1);
    CHECK_INT(lw_tangent_rows_global(t), dimension);
    CHECK_INT(lw_tangent_k(t), k);
    lw_tangent_destroy(&t);
    double *first = calloc((size_t)(rows * k) + 1, sizeof *first), *last = calloc((size_t)(rows * k) + 1, sizeof *last);
    differences(&b, &x, 0, h, rows, first);
    differences(&b, &x, steps, h, rows, last);
    point_put(&b, &x, 2);
    CHECK_OK(lw_tangent_create(b.sim, k, false, &t));
    memcpy(lw_tangent_block(t), first, sizeof *first * (size_t)(rows * k));
    CHECK_OK(lw_tangent_refresh(t));
    double scale = 1, worst = 0, size = 0;
    for (int64_t s = 0; s < steps; s++) {
        /* the block may be changed between steps */
        if (s == steps / 2) {
            for (int64_t i = 0; i < rows * k; i++)
                lw_tangent_block(t)[i] *= -0.5;
            CHECK_OK(lw_tangent_refresh(t));
            scale = -0.5;
        }
        CHECK_OK(lw_tangent_step(t));
    }
    /* rows of delay lines have other ages now than `last`, whose block never stepped */
    lw_tangent *fresh = NULL;
    bench twin = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    CHECK_OK(lw_tangent_create(twin.sim, 1, false, &fresh));
    for (int64_t r = 0; r < rows; r++) {
        int64_t gid, other_gid, other = 0;
        int32_t state, other_state;
        lw_tangent_row_info(t, r, &gid, &state);
        do
            lw_tangent_row_info(fresh, other++, &other_gid, &other_state);
        while (other_gid != gid || other_state != state);
        for (int64_t c = 0; c < k; c++) {
            double found = lw_tangent_block(t)[r * k + c] / scale, expected = last[(other - 1) * k + c];
            worst = fmax(worst, fabs(found - expected));
            size = fmax(size, fabs(expected));
        }
    }
    double both[2] = {worst, size};
    lw_comm_max_f64(world, both, 2);
    if (getenv("LW_TEST_SHOW"))
        fprintf(stderr, "%s kind %d: %g of %g\n", drive->model->name, (int)kind, both[0], both[1]);
    CHECK(both[1] > 0);
    CHECK_CLOSE(both[0], 0, 1e-7 * both[1]);
    lw_tangent_destroy(&fresh);
    lw_tangent_destroy(&t);
    bench_destroy(&twin);
    free(first), free(last);
    bench_destroy(&b);
}

static bench_drive drive_of(const char *name, const lw_comm *self) {
    const lw_model *model = lw_model_builtin(name);
    LW_ASSERT(model);
    return bench_drive_of(self, model);
}

TEST(block_is_derivative) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = drive_of("cuba_lif", self);
    check_jacobian(world, BENCH_RECURRENT, &drive, 5);
    check_jacobian(world, BENCH_SLOW, &drive, 6);
    check_jacobian(world, BENCH_LAG, &drive, 6);
    check_jacobian(world, BENCH_CHAIN, &drive, 4);
    drive = drive_of("lif", self);
    check_jacobian(world, BENCH_RECURRENT, &drive, 3);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ block and tape */

enum { STEPS = 14 };

typedef struct emitted {
    const bench *b;
    double tan[STEPS][N_ALL];
} emitted;
static void emitted_note(void *payload, int pop, int64_t t, const void *out_tan) {
    emitted *e = payload;
    lw_pop_view v = lw_net_pop(e->b->net, pop);
    for (int64_t j = 0; j < v.n_local; j++)
        e->tan[t][v.gid[j]] = ((const double *)out_tan)[j];
}

/* A direction v of the initial state, pushed by the tape from before the first update, and by the block from after it:
 * for a model that is linear until it fires, the difference of two updates is the tangent of one. */
static void check_tape(const lw_comm *world, bench_kind kind, const bench_drive *drive, bool detached) {
    lw_sim_options o = bench_options(drive, 1);
    o.reset_detached = detached;
    bench b = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    emitted e = {.b = &b};
    lw_tape_sink sink = {&e, emitted_note};
    double v[N_MAX_POP][N_MAX_STATE][N_ALL], *at[N_MAX_POP][N_MAX_STATE];
    const double *const *pop[N_MAX_POP];
    point x, y;
    point_get(&b, &x);
    y = x;
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view view = lw_net_pop(b.net, p);
        for (int i = 0; i < view.model->n_state; i++) {
            for (int64_t j = 0; j < view.size; j++)
                y.state[i][view.gid_begin + j] += key_normal(61, view.gid_begin + j, i);
            for (int64_t j = 0; j < view.n_local; j++)
                v[p][i][j] = key_normal(61, view.gid[j], i);
            at[p][i] = v[p][i];
        }
        pop[p] = (const double *const *)at[p];
    }
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(b.sim, STEPS, NULL, &tape));
    CHECK_OK(lw_tape_forward(tape, STEPS));
    CHECK_OK(lw_tape_tangent(tape, NULL, pop, &sink));
    lw_tape_destroy(&tape);

    lw_tangent *t = NULL;
    point_put(&b, &x, 0);
    CHECK_OK(lw_tangent_create(b.sim, 2, false, &t));
    int64_t rows = lw_tangent_rows(t), compared = 0;
    double *from = calloc((size_t)rows + 1, sizeof *from), *to = calloc((size_t)rows + 1, sizeof *to);
    for (int64_t r = 0; r < rows; r++)
        from[r] = row_value(&b, t, r);
    lw_tangent_destroy(&t);
    point_put(&b, &y, 0);
    CHECK_OK(lw_tangent_create(b.sim, 2, false, &t));
    for (int64_t r = 0; r < rows; r++)
        to[r] = row_value(&b, t, r);
    lw_tangent_destroy(&t);
    point_put(&b, &x, 0);
    CHECK_OK(lw_tangent_create(b.sim, 2, false, &t));
    for (int64_t r = 0; r < rows; r++)
        lw_tangent_block(t)[2 * r] = to[r] - from[r];
    CHECK_OK(lw_tangent_refresh(t));
    double worst = 0, size = 0;
    for (int64_t s = 1; s < STEPS; s++) {
        CHECK_OK(lw_tangent_step(t));
        for (int64_t r = 0; r < rows; r++) {
            int64_t gid;
            int32_t state;
            lw_tangent_row_info(t, r, &gid, &state);
            lw_pop_view view = lw_net_pop(b.net, pop_of(&b, gid));
            if (state < view.model->n_state) continue;
            int64_t back = state - view.model->n_state + 1 - (view.level + 1 < lw_net_n_levels(b.net));
            if (s < back) continue;
            worst = fmax(worst, fabs(lw_tangent_block(t)[2 * r] - e.tan[s - back][gid]));
            size = fmax(size, fabs(e.tan[s - back][gid]));
            CHECK_CLOSE(lw_tangent_block(t)[2 * r + 1], 0, 0);
            compared++;
        }
    }
    double all[3] = {worst, size, (double)compared};
    lw_comm_max_f64(world, all, 3);
    if (getenv("LW_TEST_SHOW")) fprintf(stderr, "tape and block, kind %d: %g of %g\n", (int)kind, all[0], all[1]);
    CHECK(all[1] > 0 && all[2] > 0);
    CHECK_CLOSE(all[0], 0, 1e-12 * all[1]);
    lw_tangent_destroy(&t);
    free(from), free(to);
    bench_destroy(&b);
}

TEST(block_agrees_with_tape) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = drive_of("cuba_lif", self);
    for (int detached = 0; detached < 2; detached++) {
        check_tape(world, BENCH_RECURRENT, &drive, detached);
        check_tape(world, BENCH_SLOW, &drive, detached);
        check_tape(world, BENCH_LAG, &drive, detached);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ ranks */

static void block_fill(lw_tangent *t) {
    int64_t gid, k = lw_tangent_k(t);
    int32_t state;
    for (int64_t r = 0; r < lw_tangent_rows(t); r++) {
        lw_tangent_row_info(t, r, &gid, &state);
        for (int64_t c = 0; c < k; c++)
            lw_tangent_block(t)[r * k + c] = key_normal(91, gid * 100 + state, c);
    }
    CHECK_OK(lw_tangent_refresh(t));
}

TEST(block_on_any_ranks) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    static const char *names[] = {"cuba_lif", "lif"};
    for (int m = 0; m < 2; m++) {
        bench_drive drive = drive_of(names[m], self);
        for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++) {
            enum { K = 7 };
            lw_sim_options o = bench_options(&drive, 1);
            o.surrogate.kind = m ? LW_SURROGATE_BOXCAR : LW_SURROGATE_SUPERSPIKE;
            o.surrogate.slope /= 4;
            bench part = bench_create(world, (bench_kind)kind, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
            bench whole = bench_create(self, (bench_kind)kind, &drive, &o, LW_PARTITION_BLOCK, 0);
            lw_tangent *a = NULL, *b = NULL;
            CHECK_OK(lw_tangent_create(part.sim, K, false, &a));
            CHECK_OK(lw_tangent_create(whole.sim, K, false, &b));
            CHECK_INT(lw_tangent_rows_global(a), lw_tangent_rows(b));
            CHECK_OK(lw_tangent_skip(a, 3));
            CHECK_OK(lw_tangent_skip(b, 3));
            block_fill(a);
            block_fill(b);
            for (int s = 0; s < 9; s++) {
                CHECK_OK(lw_tangent_step(a));
                CHECK_OK(lw_tangent_step(b));
            }
            double size = 0;
            for (int64_t i = 0; i < lw_tangent_rows(b) * K; i++)
                size = fmax(size, fabs(lw_tangent_block(b)[i]));
            for (int64_t r = 0; r < lw_tangent_rows(a); r++) {
                int64_t gid, other_gid, other = 0;
                int32_t state, other_state;
                lw_tangent_row_info(a, r, &gid, &state);
                do
                    lw_tangent_row_info(b, other++, &other_gid, &other_state);
                while (other_gid != gid || other_state != state);
                for (int c = 0; c < K; c++)
                    CHECK_CLOSE(lw_tangent_block(a)[r * K + c], lw_tangent_block(b)[(other - 1) * K + c], 1e-12 * size);
            }
            lw_tangent_destroy(&a);
            lw_tangent_destroy(&b);
            bench_destroy(&part);
            bench_destroy(&whole);
        }
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ entering at a cut */

TEST(cut_from_state_alone) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        if (drive.model->has_refractory) continue; /* their flags are not part of the state */
        lw_sim_options o = bench_options(&drive, 1);
        bench b = bench_create(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
        bench c = bench_create(world, BENCH_RECURRENT, &drive, &o, LW_PARTITION_BLOCK, 0);
        lw_tangent *t = NULL, *u = NULL;
        point x;
        CHECK_OK(lw_tangent_create(b.sim, 3, false, &t));
        CHECK_OK(lw_tangent_skip(t, 6));
        point_get(&b, &x);
        point_put(&c, &x, 6);
        CHECK_OK(lw_tangent_create(c.sim, 3, true, &u));
        block_fill(t);
        block_fill(u);
        for (int s = 0; s < 4; s++) {
            CHECK_OK(lw_tangent_step(t));
            CHECK_OK(lw_tangent_step(u));
        }
        CHECK_INT(lw_tangent_step_number(u), lw_tangent_step_number(t));
        for (int64_t r = 0; r < lw_tangent_rows(t); r++) {
            double expected = row_value(&b, t, r);
            CHECK_CLOSE(row_value(&c, u, r), expected, 1e-9 * (1 + fabs(expected)));
            for (int i = 0; i < 3; i++) {
                expected = lw_tangent_block(t)[3 * r + i];
                CHECK_CLOSE(lw_tangent_block(u)[3 * r + i], expected, 1e-9 * (1 + fabs(expected)));
            }
        }
        lw_tangent_destroy(&t);
        lw_tangent_destroy(&u);
        bench_destroy(&b);
        bench_destroy(&c);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(wrong_engines_are_refused) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = drive_of("cuba_lif", self);
    lw_sim_options o = bench_options(&drive, 2);
    bench b = bench_create(world, BENCH_CHAIN, &drive, &o, LW_PARTITION_BLOCK, 0);
    lw_tangent *t = NULL;
    CHECK_FAILS(lw_tangent_create(b.sim, 3, false, &t), LW_EUSE, "needs width 1 and double precision");
    CHECK(t == NULL);
    bench_destroy(&b);
    o = bench_options(&drive, 1);
    b = bench_create(world, BENCH_CHAIN, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_FAILS(lw_tangent_create(b.sim, 0, false, &t), LW_EUSE, "at least 1");
    bench_destroy(&b);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(block_is_derivative), CASE(block_agrees_with_tape), CASE(block_on_any_ranks),
    CASE(cut_from_state_alone), CASE(wrong_engines_are_refused))
