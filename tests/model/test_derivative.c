/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The derivative kernels of every model, against central differences of the step with a smooth spike function, and
 * adjoint against tangent by the dot product; with and without parameter directions, per-neuron and uniform
 * coefficients, one linearisation point per lane or one for all, reset attached and detached, neurons held or not.
 * Arrays that the need masks do not name are poisoned.
 */
#include "bench.h"

static const double kappa = 0.7; /* S(u) = 1/(1 + exp(-kappa u)) */

/* one direction: tangents of old state, input and parameters; results: tangents of state after fire, and of s or output
 */
typedef struct sweep {
    bench_arrays state, input, out, coef_f64, param;
} sweep;

static bench base, moved;
static sweep tan_in, tan_out, adj_in, adj_out;
static double fixed_spike[BENCH_ELEMENTS]; /* s that the reset sees, for a detached reset */

static void sweep_reset(sweep *s) {
    bench_arrays *all[] = {&s->state, &s->input, &s->out, &s->coef_f64, &s->param};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        bench_arrays_reset(all[k]);
}

static double smooth(double u) {
    return 1 / (1 + exp(-kappa * u));
}

/* update, S, fire on a bench of the width of the linearisation point; `detached`: fire sees fixed_spike */
static void forward(bench *b, bool detached, bool keep_point) {
    lw_kernel_args a = bench_args(b);
    const int64_t total = b->n * b->width;
    const lw_model *m = b->model;
    for (int s = 0; keep_point && s < m->n_state; s++)
        memcpy(b->old.room[s], b->state.room[s], sizeof b->old.room[s]);
    for (int s = 0; keep_point && s < m->n_input; s++)
        memcpy(b->in.room[s], b->input.room[s], sizeof b->in.room[s]);
    bench_kernels(b)->update(&a);
    for (int64_t i = 0; m->emits_spikes && i < total; i++) {
        double s = smooth(bench_get(b, b->margin.at[0], i));
        if (b->held[i]) s = 0;
        bench_set(b, b->out.at[0], i, s);
        bench_set(b, b->spike.at[0], i, detached ? fixed_spike[i] : s);
    }
    if (keep_point) {
        for (int s = 0; s < m->n_state; s++)
            memcpy(b->pre.room[s], b->state.room[s], sizeof b->pre.room[s]);
        for (int64_t i = 0; i < total; i++) {
            double s = bench_get(b, b->out.at[0], i);
            bench_set(b, b->point_spike.at[0], i, s);
            bench_set(b, b->slope.at[0], i, b->held[i] ? 0 : kappa * s * (1 - s));
            b->point_held[i] = b->held[i];
            fixed_spike[i] = s;
        }
    }
    bench_kernels(b)->fire(&a);
}

static void poison(bench *b, bool with_coef) {
    const lw_model_need *need = with_coef ? &b->model->need_coef : &b->model->need;
    bench_arrays *arrays[] = {&b->old, &b->in, &b->pre};
    const uint32_t masks[] = {need->old, need->in, need->pre};
    const int counts[] = {b->model->n_state, b->model->n_input, b->model->n_state};
    for (int r = 0; r < 3; r++)
        for (int k = 0; k < counts[r]; k++)
            if (!(masks[r] >> k & 1)) {
                if (k % 2) arrays[r]->at[k] = NULL; /* both are allowed: rubbish, and nothing at all */
                memset(arrays[r]->room[k], 0xff, sizeof arrays[r]->room[k]);
            }
}

static void random_direction(const bench *b, sweep *s, bool with_coef) {
    const lw_model *m = b->model;
    sweep_reset(s);
    for (int64_t i = 0; i < b->n * b->width; i++) {
        for (int k = 0; k < m->n_state; k++)
            bench_set(b, s->state.at[k], i, bench_unit_size(m->state[k].unit) * bench_random(b, 20, k, i));
        for (int k = 0; k < m->n_input; k++)
            bench_set(b, s->input.at[k], i, bench_unit_size(m->input[k].unit) * bench_random(b, 21, k, i));
        bench_set(b, s->out.at[0], i, bench_random(b, 23, 0, i));
    }
    for (int p = 0; with_coef && p < m->n_param; p++)
        for (int64_t i = 0; i < b->n; i++)
            ((double *)s->param.at[p])[i] =
                (fabs(m->param[p].value) + 0.1) * bench_random(b, 22, p, b->uniform ? 0 : i);
}

/* tan_in -> tan_out */
static void push(bench *b, bool with_coef, bool detached) {
    lw_kernel_args a = bench_args(b);
    const double *param[BENCH_ARRAYS];
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = b->param[p];
    tan_out = tan_in;
    for (int k = 0; k < BENCH_ARRAYS; k++) {
        tan_out.state.at[k] = tan_out.state.room[k];
        tan_out.out.at[k] = tan_out.out.room[k];
        tan_out.coef_f64.at[k] = tan_out.coef_f64.room[k];
    }
    b->model->derive_tan(
        b->n, b->dt, param, (const double *const *)tan_in.param.at, (double *const *)tan_out.coef_f64.at);
    a.state_tan = tan_out.state.at;
    a.input_tan = (const void *const *)tan_in.input.at;
    a.out_tan = tan_out.out.at[0];
    a.coef_tan = with_coef ? (const double *const *)tan_out.coef_f64.at : NULL;
    a.reset_detached = detached;
    bench_kernels(b)->update_tan(&a);
    bench_kernels(b)->fire_tan(&a);
}

/* adj_in (state, out) -> adj_out (state, input, param) */
static void pull(bench *b, bool with_coef, bool detached) {
    lw_kernel_args a = bench_args(b);
    const double *param[BENCH_ARRAYS];
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = b->param[p];
    sweep_reset(&adj_out);
    memcpy(adj_out.state.room, adj_in.state.room, sizeof adj_out.state.room);
    memset(adj_out.input.room, 0xff, sizeof adj_out.input.room); /* written, not accumulated */
    a.state_adj = adj_out.state.at;
    a.input_adj = adj_out.input.at;
    a.out_adj = adj_in.out.at[0];
    a.coef_adj = with_coef ? (double *const *)adj_out.coef_f64.at : NULL;
    a.reset_detached = detached;
    bench_kernels(b)->fire_adj(&a);
    bench_kernels(b)->update_adj(&a);
    if (with_coef)
        b->model->derive_adj(
            b->n, b->dt, param, (const double *const *)adj_out.coef_f64.at, (double *const *)adj_out.param.at);
}

/* the linearisation point on `base`: forward with point_width lanes, then the width of the sweep */
static void make_point(
    const lw_model *m, int precision, int uniform, int64_t width, int64_t point_width, uint64_t seed) {
    bench_start(&base, m, precision, uniform, point_width, point_width, seed);
    forward(&base, false, true);
    base.width = width;
}

static void shift(bench *b, double eps, int64_t lane) {
    const lw_model *m = base.model;
    bench_start(b, m, 1, base.uniform, base.point_width, base.point_width, base.seed);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t l = 0; l < b->width; l++) {
            const int64_t from = i * base.width + (base.point_width == 1 ? lane : l), to = i * b->width + l;
            for (int k = 0; k < m->n_state; k++)
                ((double *)b->state.at[k])[to] += eps * ((double *)tan_in.state.at[k])[from];
            for (int k = 0; k < m->n_input; k++)
                ((double *)b->input.at[k])[to] += eps * ((double *)tan_in.input.at[k])[from];
        }
    for (int p = 0; p < m->n_param; p++)
        for (int64_t i = 0; i < b->n; i++)
            b->param[p][i] += eps * ((double *)tan_in.param.at[p])[i];
    bench_derive(b);
}

/* (F(x + eps d) - F(x - eps d)) / 2 eps against the tangent, for the lanes that have their own or share one point */
static void check_differences(bool detached) {
    static double state[BENCH_ARRAYS][BENCH_ELEMENTS], out[BENCH_ELEMENTS];
    const double eps = 2e-6;
    const lw_model *m = base.model;
    for (int64_t lane = 0; lane < (base.point_width == 1 ? base.width : 1); lane++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            shift(&moved, sign * eps, lane);
            forward(&moved, detached, false);
            for (int64_t i = 0; i < moved.n * moved.width; i++) {
                for (int k = 0; k < m->n_state; k++)
                    state[k][i] = bench_get(&moved, moved.state.at[k], i) - (sign > 0 ? state[k][i] : 0);
                out[i] = bench_get(&moved, moved.out.at[0], i) - (sign > 0 ? out[i] : 0);
            }
        }
        for (int64_t i = 0; i < moved.n * moved.width; i++) {
            const int64_t at = base.point_width == 1 ? i * base.width + lane : i;
            for (int k = 0; k < m->n_state; k++) {
                double size = bench_unit_size(m->state[k].unit), found = bench_get(&base, tan_out.state.at[k], at);
                CHECK_CLOSE(found, state[k][i] / (2 * eps), 3e-7 * (size + fabs(found)) * (size > 1 ? 2 : 1));
            }
            double found = bench_get(&base, tan_out.out.at[0], at);
            CHECK_CLOSE(found, out[i] / (2 * eps), 1e-6 * (1 + fabs(found)));
        }
    }
}

static void add_dot(
    const bench *b, const bench_arrays *x, const bench_arrays *y, int arrays, long double dot[2], int sign) {
    for (int k = 0; k < arrays; k++)
        for (int64_t i = 0; i < b->n * b->width; i++) {
            long double term = (long double)bench_get(b, x->at[k], i) * bench_get(b, y->at[k], i);
            dot[0] += sign * term;
            dot[1] += fabsl(term);
        }
}

/* <w, J d> = <J' w, d>, relative to the sum of the magnitudes of all terms */
static void check_dot(double tolerance) {
    const lw_model *m = base.model;
    long double dot[2] = {0, 0};
    add_dot(&base, &adj_in.state, &tan_out.state, m->n_state, dot, 1);
    add_dot(&base, &adj_in.out, &tan_out.out, 1, dot, 1);
    add_dot(&base, &adj_out.state, &tan_in.state, m->n_state, dot, -1);
    add_dot(&base, &adj_out.input, &tan_in.input, m->n_input, dot, -1);
    for (int p = 0; p < m->n_param; p++)
        for (int64_t i = 0; i < base.n; i++)
            dot[0] -= (long double)((double *)adj_out.param.at[p])[i] * ((double *)tan_in.param.at[p])[i];
    CHECK_CLOSE((double)(dot[0] / dot[1]), 0, tolerance);
}

static void check_model(
    const lw_model *m, int precision, int uniform, int64_t width, int64_t point_width, bool with_coef, bool detached) {
    const int before = check_failures;
    make_point(m, precision, uniform, width, point_width, 31);
    random_direction(&base, &tan_in, with_coef);
    base.seed += 1000;
    random_direction(&base, &adj_in, false);
    base.seed -= 1000;
    poison(&base, with_coef);
    push(&base, with_coef, detached);
    pull(&base, with_coef, detached);
    check_dot(precision ? 1e-14 : 2e-6);
    if (precision) check_differences(detached);
    if (check_failures > before)
        fprintf(stderr, "in %s: precision %d, uniform %d, width %d, point_width %d, coefficients %d, detached %d\n",
            m->name, precision, uniform, (int)width, (int)point_width, with_coef, detached);
}

TEST(every_model_every_form) {
    for (int m = 0; m < bench_model_count(); m++)
        for (int form = 0; form < 16; form++)
            for (int shape = 0; shape < 3; shape++)
                check_model(bench_model_at(m), form & 1, form >> 1 & 1, shape ? BENCH_WIDTH : 1,
                    shape == 1 ? BENCH_WIDTH : 1, form >> 2 & 1, form >> 3 & 1);
}

/* the masks name no more than needed for these models, so that the engine can leave the arrays out */
TEST(need_masks_are_tight) {
    const lw_model *cuba = lw_model_builtin("cuba_lif"), *lif = lw_model_builtin("lif"), *li = lw_model_builtin("li");
    CHECK_INT(cuba->need.old | cuba->need.in | cuba->need.pre, 0);
    CHECK_INT(li->need.old | li->need.in | li->need.pre, 0);
    CHECK_INT(lif->need.old | lif->need.in, 0);
    CHECK_INT(lif->need.pre, 1u << lw_model_state_find(lif, "V_m"));
    CHECK_INT(cuba->need_coef.in, 1);
    CHECK_INT(cuba->need_coef.old, 3);
}

/* the state adjoints are the same with and without parameter gradients */
TEST(coefficients_are_optional) {
    bench_arrays kept;
    make_point(lw_model_builtin("lif"), 1, 0, BENCH_WIDTH, BENCH_WIDTH, 5);
    random_direction(&base, &tan_in, false);
    random_direction(&base, &adj_in, false);
    pull(&base, true, false);
    kept = adj_out.state;
    lw_kernel_args a = bench_args(&base);
    memcpy(adj_out.state.room, adj_in.state.room, sizeof adj_out.state.room);
    a.state_adj = adj_out.state.at;
    a.input_adj = adj_out.input.at;
    a.out_adj = adj_in.out.at[0];
    bench_kernels(&base)->fire_adj(&a);
    bench_kernels(&base)->update_adj(&a);
    CHECK(memcmp(kept.room, adj_out.state.room, sizeof kept.room) == 0);
}

/* fire_adj and update_adj add to coef_adj, and derive_adj to param_adj */
TEST(parameter_adjoints_accumulate) {
    bench_arrays once;
    make_point(lw_model_builtin("cuba_lif"), 1, 0, BENCH_WIDTH, 1, 6);
    random_direction(&base, &adj_in, false);
    pull(&base, true, false);
    once = adj_out.coef_f64;
    lw_kernel_args a = bench_args(&base);
    memcpy(adj_out.state.room, adj_in.state.room, sizeof adj_out.state.room);
    a.state_adj = adj_out.state.at;
    a.input_adj = adj_out.input.at;
    a.out_adj = adj_in.out.at[0];
    a.coef_adj = (double *const *)adj_out.coef_f64.at;
    bench_kernels(&base)->fire_adj(&a);
    bench_kernels(&base)->update_adj(&a);
    for (int c = 0; c < base.model->n_coef; c++)
        for (int64_t i = 0; i < base.n; i++)
            CHECK_REL(adj_out.coef_f64.room[c][i], 2 * once.room[c][i], 1e-15);
    /* the coefficients' adjoints of two sweeps on top of one sweep's parameters */
    const double *param[BENCH_ARRAYS];
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = base.param[p];
    const bench_arrays before = adj_out.param;
    base.model->derive_adj(
        base.n, base.dt, param, (const double *const *)adj_out.coef_f64.at, (double *const *)adj_out.param.at);
    for (int p = 0; p < base.model->n_param; p++)
        for (int64_t i = 0; i < base.n; i++)
            CHECK_REL(adj_out.param.room[p][i], 3 * before.room[p][i], 1e-14);
}

CHECK_MAIN(CASE(every_model_every_form), CASE(need_masks_are_tight), CASE(coefficients_are_optional),
    CASE(parameter_adjoints_accumulate))
