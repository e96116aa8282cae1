/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tangents of the adjoint kernels of every model, against central differences of the adjoints with a smooth spike
 * function: along directions in the state, the input, the parameters and the adjoints that come in; per-neuron and
 * uniform coefficients, reset attached and detached, neurons held or not. Arrays that the masks do not name are
 * poisoned.
 */
#include "bench.h"

static const double kappa = 0.7; /* S(u) = 1/(1 + exp(-kappa u)) */

/* what the adjoint of one step takes (state, input and parameters of the step; adjoints), or what comes of it */
typedef struct bundle {
    bench_arrays state, input, param, state_adj, out_adj;
} bundle;
typedef struct adjoints {
    bench_arrays state, input, coef, param;
} adjoints;

static bench base, moved;
static bundle start, direction, shifted;
static adjoints value, tangent, difference[2];
static bench_arrays curve, old_tan, pre_tan, coef_tan;
static double fixed_spike[BENCH_ELEMENTS]; /* s that a detached reset sees */

static void bundle_reset(bundle *x) {
    bench_arrays *all[] = {&x->state, &x->input, &x->param, &x->state_adj, &x->out_adj};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        bench_arrays_reset(all[k]);
}

static void adjoints_reset(adjoints *x) {
    bench_arrays *all[] = {&x->state, &x->input, &x->coef, &x->param};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        bench_arrays_reset(all[k]);
    memset(x->input.room, 0xff, sizeof x->input.room); /* written, not accumulated */
}

/* The point of one step of `b`, in all arrays. The spike that the reset sees is `fixed` when given. */
static void make_point(bench *b, const double *fixed) {
    lw_kernel_args a = bench_args(b);
    const lw_model *m = b->model;
    for (int s = 0; s < m->n_state; s++)
        memcpy(b->old.room[s], b->state.room[s], sizeof b->old.room[s]);
    for (int s = 0; s < m->n_input; s++)
        memcpy(b->in.room[s], b->input.room[s], sizeof b->in.room[s]);
    bench_kernels(b)->update(&a);
    for (int s = 0; s < m->n_state; s++)
        memcpy(b->pre.room[s], b->state.room[s], sizeof b->pre.room[s]);
    for (int64_t i = 0; m->emits_spikes && i < b->n * b->width; i++) {
        double s = b->held[i] ? 0 : 1 / (1 + exp(-kappa * b->margin.room[0][i]));
        b->point_spike.room[0][i] = fixed ? fixed[i] : s;
        b->slope.room[0][i] = kappa * s * (1 - s);
        curve.room[0][i] = kappa * kappa * s * (1 - s) * (1 - 2 * s);
        b->point_held[i] = b->held[i];
    }
}

static void random_bundle(const bench *b, bundle *x, int role, double param_size) {
    const lw_model *m = b->model;
    bundle_reset(x);
    for (int64_t i = 0; i < b->n * b->width; i++) {
        for (int k = 0; k < m->n_state; k++) {
            x->state.room[k][i] = bench_unit_size(m->state[k].unit) * bench_random(b, role, k, i);
            x->state_adj.room[k][i] = bench_random(b, role + 1, k, i) / bench_unit_size(m->state[k].unit);
        }
        for (int k = 0; k < m->n_input; k++)
            x->input.room[k][i] = bench_unit_size(m->input[k].unit) * bench_random(b, role + 2, k, i);
        x->out_adj.room[0][i] = bench_random(b, role + 3, 0, i);
    }
    for (int p = 0; p < m->n_param; p++)
        for (int64_t i = 0; i < b->n; i++)
            x->param.room[p][i] =
                param_size * (fabs(m->param[p].value) + 0.1) * bench_random(b, role + 4, p, b->uniform ? 0 : i);
}

/* to = from + eps d */
static void add(bench_arrays *to, const bench_arrays *from, double eps, const bench_arrays *d) {
    for (int k = 0; k < BENCH_ARRAYS; k++)
        for (int i = 0; i < BENCH_ELEMENTS; i++)
            to->room[k][i] = from->room[k][i] + eps * d->room[k][i];
}

static void parameters(const bench *b, const double *param[BENCH_ARRAYS]) {
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = b->param[p];
}

/* the adjoint of one step at the point of b */
static void pull(bench *b, const bundle *from, bool detached, adjoints *to) {
    lw_kernel_args a = bench_args(b);
    const double *param[BENCH_ARRAYS];
    parameters(b, param);
    adjoints_reset(to);
    memcpy(to->state.room, from->state_adj.room, sizeof to->state.room);
    a.state_adj = to->state.at;
    a.input_adj = to->input.at;
    a.out_adj = from->out_adj.room[0];
    a.coef_adj = (double *const *)to->coef.at;
    a.reset_detached = detached;
    bench_kernels(b)->fire_adj(&a);
    bench_kernels(b)->update_adj(&a);
    b->model->derive_adj(b->n, b->dt, param, (const double *const *)to->coef.at, (double *const *)to->param.at);
}

/* arrays that the masks do not name: rubbish, or nothing at all */
static void poison(uint32_t mask, int n, bench_arrays *x) {
    for (int k = 0; k < n; k++) {
        if (mask >> k & 1) continue;
        if (k % 2) x->at[k] = NULL;
        memset(x->room[k], 0xff, sizeof x->room[k]);
    }
}

/* the tangent of pull along `direction`, by the kernels; `value` takes the adjoint itself */
static void push_pull(bench *b, bool detached) {
    const lw_model *m = b->model;
    const double *param[BENCH_ARRAYS];
    lw_kernel_args a = bench_args(b);
    bench_arrays in_tan = direction.input;
    parameters(b, param);
    bench_arrays *scratch[] = {&old_tan, &pre_tan, &coef_tan};
    for (int k = 0; k < 3; k++)
        bench_arrays_reset(scratch[k]);
    for (int k = 0; k < BENCH_ARRAYS; k++)
        in_tan.at[k] = in_tan.room[k];
    m->derive_tan(b->n, b->dt, param, (const double *const *)direction.param.at, (double *const *)coef_tan.at);
    memcpy(old_tan.room, direction.state.room, sizeof old_tan.room);
    memcpy(pre_tan.room, direction.state.room, sizeof pre_tan.room);
    a.state_tan = pre_tan.at;
    a.input_tan = (const void *const *)in_tan.at;
    a.coef_tan = (const double *const *)coef_tan.at;
    a.reset_detached = detached;
    bench_kernels(b)->update_tan(&a);

    const lw_model_need *need = &m->need_second, *need_tan = &m->need_tan;
    poison(need->old, m->n_state, &b->old);
    poison(need->in, m->n_input, &b->in);
    poison(need->pre, m->n_state, &b->pre);
    poison(need_tan->old, m->n_state, &old_tan);
    poison(need_tan->in, m->n_input, &in_tan);
    poison(need_tan->pre, m->n_state, &pre_tan);
    adjoints_reset(&value);
    adjoints_reset(&tangent);
    memcpy(value.state.room, start.state_adj.room, sizeof value.state.room);
    memcpy(tangent.state.room, direction.state_adj.room, sizeof tangent.state.room);
    a.state_adj = value.state.at;
    a.input_adj = value.input.at;
    a.out_adj = start.out_adj.room[0];
    a.coef_adj = (double *const *)value.coef.at;
    a.point_curve = curve.room[0];
    a.state_adj_tan = tangent.state.at;
    a.input_adj_tan = tangent.input.at;
    a.out_adj_tan = direction.out_adj.room[0];
    a.coef_adj_tan = (double *const *)tangent.coef.at;
    bench_kernels(b)->fire_adj_tan(&a);
    bench_kernels(b)->fire_adj(&a);
    a.state_tan = old_tan.at;
    bench_kernels(b)->update_adj_tan(&a);
    bench_kernels(b)->update_adj(&a);
    m->derive_adj_tan(b->n, b->dt, param, (const double *const *)direction.param.at,
        (const double *const *)value.coef.at, (const double *const *)tangent.coef.at,
        (double *const *)tangent.param.at);
}

static void compare(const bench_arrays *found, const bench_arrays d[2], const bench_arrays *size_of, int arrays,
    int64_t n, double eps) {
    for (int k = 0; k < arrays; k++) {
        double size = 1e-9; /* of the whole array: single entries may cancel */
        for (int64_t i = 0; i < n; i++)
            size = fmax(size, fabs(found->room[k][i]) + fabs(size_of->room[k][i]));
        for (int64_t i = 0; i < n; i++)
            CHECK_CLOSE(found->room[k][i], (d[1].room[k][i] - d[0].room[k][i]) / (2 * eps), 1e-6 * size);
    }
}

static void check_model(const lw_model *m, int uniform, int64_t width, bool detached) {
    const int before = check_failures;
    const double eps = 2e-6;
    bench_start(&base, m, 1, uniform, width, width, 41);
    bench_arrays_reset(&curve);
    random_bundle(&base, &direction, 50, 1);
    random_bundle(&base, &start, 60, 1);
    start.state = base.state;
    start.input = base.input;
    for (int p = 0; p < m->n_param; p++)
        memcpy(start.param.room[p], base.param[p], sizeof base.param[p]);
    for (int side = 0; side < 2; side++) {
        bench_start(&moved, m, 1, uniform, width, width, 41);
        if (side == 0) {
            make_point(&moved, NULL);
            memcpy(fixed_spike, moved.point_spike.room[0], sizeof fixed_spike);
            bench_start(&moved, m, 1, uniform, width, width, 41);
        }
        bundle_reset(&shifted);
        add(&moved.state, &start.state, side ? eps : -eps, &direction.state);
        add(&moved.input, &start.input, side ? eps : -eps, &direction.input);
        add(&shifted.param, &start.param, side ? eps : -eps, &direction.param);
        add(&shifted.state_adj, &start.state_adj, side ? eps : -eps, &direction.state_adj);
        add(&shifted.out_adj, &start.out_adj, side ? eps : -eps, &direction.out_adj);
        for (int p = 0; p < m->n_param; p++)
            memcpy(moved.param[p], shifted.param.room[p], sizeof moved.param[p]);
        bench_derive(&moved);
        make_point(&moved, detached ? fixed_spike : NULL);
        pull(&moved, &shifted, detached, &difference[side]);
    }
    make_point(&base, NULL);
    push_pull(&base, detached);
    bench_arrays state[2] = {difference[0].state, difference[1].state};
    bench_arrays input[2] = {difference[0].input, difference[1].input};
    bench_arrays param[2] = {difference[0].param, difference[1].param};
    compare(&tangent.state, state, &value.state, m->n_state, base.n * width, eps);
    compare(&tangent.input, input, &value.input, m->n_input, base.n * width, eps);
    compare(&tangent.param, param, &value.param, m->n_param, base.n, eps);
    if (check_failures > before)
        fprintf(stderr, "in %s: uniform %d, width %d, detached %d\n", m->name, uniform, (int)width, detached);
}

TEST(every_model_every_form) {
    for (int m = 0; m < bench_model_count(); m++)
        for (int form = 0; form < 8; form++)
            check_model(bench_model_at(m), form & 1, form >> 1 & 1 ? BENCH_WIDTH : 1, form >> 2 & 1);
}

/* all lanes at one point: the same as that point copied to every lane */
TEST(lanes_share_a_point) {
    const lw_model *m = lw_model_builtin("lif_adapt");
    for (int shared = 0; shared < 2; shared++) {
        bench_start(&base, m, 1, 0, 1, 1, 43);
        bench_arrays_reset(&curve);
        make_point(&base, NULL);
        base.width = BENCH_WIDTH;
        random_bundle(&base, &direction, 50, 1);
        random_bundle(&base, &start, 60, 1);
        bench_arrays *point[] = {&base.old, &base.in, &base.pre, &base.point_spike, &base.slope, &curve};
        for (int k = 0; !shared && k < 6; k++)
            for (int j = 0; j < BENCH_ARRAYS; j++)
                for (int64_t i = base.n * base.width - 1; i >= 0; i--)
                    point[k]->room[j][i] = point[k]->room[j][i / base.width];
        for (int64_t i = base.n * base.width - 1; !shared && i >= 0; i--)
            base.point_held[i] = base.point_held[i / base.width];
        base.point_width = shared ? 1 : base.width;
        push_pull(&base, false);
        difference[shared] = tangent;
    }
    for (int k = 0; k < m->n_state; k++)
        for (int i = 0; i < BENCH_ELEMENTS; i++)
            CHECK(difference[0].state.room[k][i] == difference[1].state.room[k][i]);
    for (int p = 0; p < m->n_param; p++)
        for (int i = 0; i < BENCH_N; i++)
            CHECK(difference[0].param.room[p][i] == difference[1].param.room[p][i]);
}

/* the adjoint of cuba_lif reads no state: only slopes and parameters make it curved */
TEST(masks_are_tight) {
    const lw_model *cuba = lw_model_builtin("cuba_lif"), *li = lw_model_builtin("li"), *lif = lw_model_builtin("lif");
    CHECK_INT(cuba->need_tan.pre, 1u << lw_model_state_find(cuba, "v"));
    CHECK_INT(li->need_tan.pre, 0);
    CHECK_INT(li->need_second.in, li->need_coef.in);
    CHECK_INT(lif->need_second.pre, lif->need_coef.pre);
}

CHECK_MAIN(CASE(every_model_every_form), CASE(lanes_share_a_point), CASE(masks_are_tight))
