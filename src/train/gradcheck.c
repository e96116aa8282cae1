/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Is the gradient right? Two questions, both about the very sweeps that training uses, in double precision.
 * Dot product: with w the derivative of the loss with respect to all emitted values, <w, J v> from the tangent sweep
 * must equal <J^T w, v> from the adjoint sweep, for hard spikes with the surrogate (both sweeps use the same linear
 * map, whatever it is). Differences: with smooth spikes the surrogate is the true derivative, and the gradient must
 * equal central differences of the loss.
 *
 * A direction is scale_b (g_i / rms(g_b) + normal) in block b: the part along the gradient keeps the sum away from
 * zero, where a relative error means nothing, and the normal part finds what the gradient misses. For the dot product
 * scale_b = 1 / rms(g_b), so that all blocks weigh the same; for the differences scale_b = rms(value_b), so that a step
 * is small against every number it changes.
 */
#include <math.h>
#include <string.h>
#include "pass.h"

typedef struct check {
    const lw_grid *grid;
    lw_net *net;
    lw_theta *theta;
    pass *pass;
    double *x0, *x, *back; /* [n_local] values: at the start, up, down */
    double *grad;          /* [n_local] summed over replicas */
    double *direction;     /* [n_local] */
    double *seed;          /* [largest population here, width] */
    double dot;            /* <w, J v> of this rank */
} check;

/* grad <- gradient of the loaded batch (smooth or hard, as the pass is); the loss too. Collective over the world. */
static lw_err gradient(check *c, double *loss) {
    pass_tally tally = {0};
    memset(c->grad, 0, (size_t)c->theta->n_local * sizeof *c->grad);
    lw_err err = pass_forward(c->pass, true, &tally);
    if (err == LW_OK) err = pass_backward(c->pass, c->grad);
    LW_TRY(lw_comm_agree(c->grid->world, err));
    lw_comm_sum_f64(c->grid->peers, c->grad, c->theta->n_local);
    pass_tally_sum(c->grid, &tally);
    *loss = pass_tally_loss(&tally);
    return LW_OK;
}

/* Root mean square of a block over the whole network; 1 for a block of zeros. Collective over the partition. */
static double block_rms(const check *c, const lw_theta_block *block, const double *x) {
    double sum[2] = {0, (double)block->count};
    for (int64_t i = block->offset; i < block->offset + block->count; i++)
        sum[0] += x[i] * x[i];
    lw_comm_sum_f64(c->grid->part, sum, 2);
    return sum[0] > 0 ? sqrt(sum[0] / sum[1]) : 1;
}

/* Collective over the partition; equal in all replicas. */
static void direction_draw(check *c, int32_t number, bool relative) {
    for (int32_t b = 0; b < c->theta->n_blocks; b++) {
        const lw_theta_block *block = &c->theta->block[b];
        double rms = block_rms(c, block, c->grad), scale = relative ? block_rms(c, block, c->x0) : 1 / rms;
        for (int64_t i = block->offset; i < block->offset + block->count; i++) {
            uint64_t key = (uint64_t)c->grid->part_index << 48 | (uint64_t)i;
            if (block->tied) /* the same on all ranks */
                key = UINT64_C(1) << 63 | (uint64_t)b << 40 | (uint64_t)(i - block->offset);
            double normal = lw_rng_normal(lw_net_seed(c->net), LW_PURPOSE_CHECK, key, (uint64_t)number, 0);
            c->direction[i] = scale * (c->grad[i] / rms + normal);
        }
    }
}

static double relative_error(double a, double b) {
    double size = fmax(fabs(a), fabs(b));
    if (!isfinite(a) || !isfinite(b)) return INFINITY;
    return size > 0 ? fabs(a - b) / size : 0;
}

static double inner(int64_t n, const double *a, const double *b) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void dot_sink(void *payload, int pop, int64_t t, const void *out_tan) {
    check *c = payload;
    int64_t n = lw_net_pop(c->net, pop).n_local * c->pass->width;
    memset(c->seed, 0, (size_t)n * sizeof *c->seed);
    if (pass_seed(c->pass, pop, t, c->seed)) c->dot += inner(n, c->seed, out_tan);
}

static void dot_sink_state(void *payload, int pop, int64_t t, int state, const void *state_tan) {
    check *c = payload;
    int64_t n = lw_net_pop(c->net, pop).n_local * c->pass->width;
    memset(c->seed, 0, (size_t)n * sizeof *c->seed);
    pass_seed_state(c->pass, pop, t, state, c->seed);
    c->dot += inner(n, c->seed, state_tan);
}

static lw_err dot_check(check *c, int32_t directions, double *worst) {
    double loss;
    LW_TRY(gradient(c, &loss));
    for (int32_t d = 0; d < directions; d++) {
        lw_tape_sink sink = {.payload = c, .sink = dot_sink, .state = dot_sink_state};
        double both[2];
        direction_draw(c, d, false);
        c->dot = 0;
        lw_err err = lw_tape_tangent(c->pass->tape, c->direction, NULL, &sink);
        LW_TRY(lw_comm_agree(c->grid->world, err));
        both[0] = c->dot;
        both[1] = lw_theta_inner(c->theta, c->grad, c->direction) / c->grid->replicas; /* every replica has the sum */
        lw_comm_sum_f64(c->grid->world, both, 2);
        *worst = fmax(*worst, relative_error(both[0], both[1]));
    }
    return LW_OK;
}

/* Loss at x0 + h direction; x receives the values really taken (weights may be stored as floats, parameters stay in
 * their domain). */
static lw_err loss_at(check *c, double h, double *x, double *loss) {
    pass_tally tally = {0};
    for (int64_t i = 0; i < c->theta->n_local; i++)
        x[i] = c->x0[i] + h * c->direction[i];
    lw_theta_put(c->theta, c->net, x);
    lw_theta_get(c->theta, c->net, x);
    lw_sim_refresh(c->pass->sim);
    lw_err err = pass_forward(c->pass, false, &tally);
    LW_TRY(lw_comm_agree(c->grid->world, err));
    pass_tally_sum(c->grid, &tally);
    *loss = pass_tally_loss(&tally);
    return LW_OK;
}

static lw_err difference_check(check *c, int32_t directions, double *worst) {
    /* The best counts. The upswing of an AdEx neuron multiplies what it is given many times over, so that only the last
     * is small for it; floats may not move at all by that one, which then says nothing. */
    static const double step[] = {1e-4, 1e-5, 1e-6, 1e-7, 1e-8};
    double loss, up, down;
    LW_TRY(gradient(c, &loss));
    for (int32_t d = 0; d < directions; d++) {
        double best = INFINITY;
        direction_draw(c, d, true);
        for (size_t s = 0; s < sizeof step / sizeof *step; s++) {
            LW_TRY(loss_at(c, step[s], c->x, &up));
            LW_TRY(loss_at(c, -step[s], c->back, &down));
            double sum[2] = {0, 0}; /* <g, difference of x>, |difference of x|^2 */
            for (int64_t i = 0; i < c->theta->n_local; i++)
                c->x[i] -= c->back[i];
            sum[0] = lw_theta_inner(c->theta, c->grad, c->x);
            sum[1] = lw_theta_inner(c->theta, c->x, c->x);
            lw_comm_sum_f64(c->grid->part, sum, 2);
            if (sum[1] > 0) best = fmin(best, relative_error(up - down, sum[0]));
        }
        *worst = fmax(*worst, best);
    }
    return LW_OK;
}

static lw_err check_room(check *c, const lw_train_spec *spec) {
    size_t n = (size_t)c->theta->n_local, largest = 0;
    double **vector[] = {&c->x0, &c->x, &c->back, &c->grad, &c->direction};
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++)
        LW_TRY(lw_alloc(n, sizeof(double), "gradcheck", vector[i]));
    for (int p = 0; p < lw_net_n_pop(c->net); p++) {
        size_t here = (size_t)lw_net_pop(c->net, p).n_local;
        if (here > largest) largest = here;
    }
    return lw_alloc(largest * (size_t)(spec->batch / c->grid->replicas), sizeof(double), "gradcheck", &c->seed);
}

/* A flat surrogate's antiderivative may leave (0, 1), where a value is no spike any more and the reset is cut off:
 * smaller scale then. */
static void surrogate_limit(lw_surrogate *s) {
    lw_surrogate unit = {s->kind, s->slope, 1};
    double far = 1e9 / s->slope, range = lw_surrogate_smooth(&unit, far) - lw_surrogate_smooth(&unit, -far);
    s->scale = fmin(s->scale, 1 / range);
}

/* One of the two checks on an engine of its own. Collective over the world. */
static lw_err check_run(check *c, const lw_train_spec *spec, const lw_batch_source *data, int64_t n_steps, bool smooth,
    int32_t directions, double *worst) {
    lw_err err;
    LW_TRY_TO(pass_create(c->grid, c->net, spec, data, c->theta, n_steps, smooth, &c->pass, 0, 1), done);
    for (int64_t lane = 0; lane < c->pass->width; lane++) {
        int64_t i = c->grid->replica * c->pass->width + lane;
        c->pass->sample[lane] = i < data->n_samples ? i : -1;
    }
    LW_TRY_TO(pass_load(&c->pass, 1), done);
    err = smooth ? difference_check(c, directions, worst) : dot_check(c, directions, worst);
done:
    pass_destroy(&c->pass);
    return err;
}

lw_err lw_gradcheck_run(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_steps, int32_t directions, lw_gradcheck *out) {
    check c = {.grid = grid, .net = net};
    lw_train_spec exact = *spec;
    lw_err err = LW_OK;
    if (n_steps <= 0) n_steps = data->n_steps;
    exact.precision = LW_F64;
    exact.lanes = 0; /* the batch in one piece */
    exact.memory = 0;
    exact.window = exact.stride = 0;
    exact.gradient = LW_GRADIENT_BPTT;
    exact.burn_in = 0; /* tangents and differences know no end of the sweep */
    *out = (lw_gradcheck){.directions = directions, .steps = n_steps};
    LW_TRY_TO(lw_comm_agree(grid->world, lw_theta_create(net, &c.theta)), done);
    out->learnable = c.theta->n_global;
    if (c.theta->n_global == 0)
        err = LW_FAIL(LW_EUSE, "nothing is to be learned: no projection and no parameter has `learn`");
    if (err == LW_OK) err = check_room(&c, spec);
    LW_TRY_TO(lw_comm_agree(grid->world, err), done);
    lw_theta_get(c.theta, net, c.x0);
    LW_TRY_TO(check_run(&c, &exact, data, n_steps, false, directions, &out->dot_error), restore);
    surrogate_limit(&exact.surrogate);
    LW_TRY_TO(check_run(&c, &exact, data, n_steps, true, directions, &out->fd_error), restore);
restore:
    lw_theta_put(c.theta, net, c.x0);
done:
    lw_theta_destroy(&c.theta);
    double *vector[] = {c.x0, c.x, c.back, c.grad, c.direction, c.seed};
    for (size_t i = 0; i < sizeof vector / sizeof *vector; i++)
        lw_free(vector[i]);
    return err;
}
