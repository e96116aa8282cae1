/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Products with the second derivative H of a loss by forward over reverse (Pearlmutter, Neural Computation 6, 1994,
 * section 3): the tangent sweep along a direction with its tangents kept, then the adjoint sweep together with its own
 * tangent. In the order, and with the exchanges, of tape_backward.c; sums go step by step, without panels. Formulas:
 * SWEEPS.md, (6)-(8).
 */
#include <string.h>
#include "dropout.h"
#include "sweep.h"

static size_t block_bytes(const lw_sim *sim, int p) {
    return (size_t)(sim->pop[p].view.n_local * sim->width) * sim->real_size;
}

/* ------------------------------------------------------------------ memory */

static lw_err second_check(const lw_sim *sim, const lw_theta *theta) {
    LW_CHECK(sim->f64, LW_EUSE, "second derivatives were asked for in single precision; allowed is double");
    LW_CHECK(theta, LW_EUSE, "second derivatives were asked for without parameters to derive by");
    for (int k = 0; k < sim->n_proj; k++)
        LW_CHECK(!sim->proj[k].lag_max, LW_EUSE,
            "projection %s learns its delays; second derivatives know fixed delays only", sim->proj[k].name);
    for (int p = 0; p < sim->n_pop; p++)
        LW_CHECK(sim->pop[p].kernel->fire_adj_tan && sim->pop[p].kernel->update_adj_tan, LW_EUSE,
            "model %s of population %s comes without second derivatives", sim->pop[p].model->name,
            sim->pop[p].view.name);
    return LW_OK;
}

static lw_err arrays_plan(sweep_memory *m, uint32_t mask, int n, int64_t count, size_t size, char **array) {
    for (int i = 0; i < n; i++)
        if (mask >> i & 1u) LW_TRY(sweep_take(m, count, size, "tape: kept tangents", &array[i]));
    return LW_OK;
}

static lw_err coef_plan(sweep_memory *m, int n_coef, int64_t n_local, double ***coef) {
    LW_TRY(sweep_take(m, n_coef, sizeof(double *), "second derivatives: coefficients", coef));
    for (int c = 0; c < n_coef; c++)
        LW_TRY(sweep_take(m, n_local, sizeof(double), "second derivatives: coefficients", &(*coef)[c]));
    return LW_OK;
}

static lw_err pop_plan(const lw_sim *sim, int p, int64_t steps, sweep_memory *m, second_pop *out) {
    const lw_model *model = sim->pop[p].model;
    int64_t n_local = sim->pop[p].view.n_local, cells = n_local * sim->width;
    LW_TRY(arrays_plan(m, model->need_tan.old, model->n_state, steps * cells, sim->real_size, out->old));
    LW_TRY(arrays_plan(m, model->need_tan.in, model->n_input, steps * cells, sim->real_size, out->in));
    LW_TRY(arrays_plan(m, model->need_tan.pre, model->n_state, steps * cells, sim->real_size, out->pre));
    for (int i = 0; i < model->n_state; i++)
        LW_TRY(sweep_take(m, cells, sim->real_size, "second derivatives: states", &out->state_adj[i]));
    LW_TRY(coef_plan(m, model->n_coef, n_local, &out->coef_tan));
    return coef_plan(m, model->n_coef, n_local, &out->coef_adj);
}

lw_err second_plan(const lw_sim *sim, int64_t steps, const lw_theta *theta, sweep_memory *m, tape_second **out) {
    tape_second *second;
    sweep_sizes sizes = sweep_sizes_get(sim);
    size_t row_bytes = (size_t)sim->width * sim->real_size;
    int64_t n_slots = lw_net_slots(sim->net).n, depth = lw_net_delay_max(sim->net) + sim->epoch;
    LW_TRY(second_check(sim, theta));
    LW_TRY(sweep_take(m, 1, sizeof *second, "second derivatives", &second));
    LW_TRY(sweep_take(m, sim->n_pop, sizeof *second->pop, "second derivatives", &second->pop));
    for (int p = 0; p < sim->n_pop; p++)
        LW_TRY(pop_plan(sim, p, steps, m, &second->pop[p]));
    LW_TRY(sweep_take(m, steps * n_slots, row_bytes, "tape: kept tangents of slots", &second->slot_tan));
    LW_TRY(sweep_ring_plan(m, depth, n_slots, row_bytes, &second->slot));
    LW_TRY(sweep_ring_plan(m, sim->epoch, lw_net_n_local(sim->net), row_bytes, &second->local));
    for (int i = 0; i < sizes.n_input; i++)
        LW_TRY(sweep_take(m, sizes.n_local, row_bytes, "second derivatives: inputs", &second->input_adj[i]));
    LW_TRY(
        sweep_take(m, sizes.n_param, sizeof *second->param_tan, "second derivatives: parameters", &second->param_tan));
    LW_TRY(sweep_tied_plan(sim, theta, m, &second->grad));
    *out = second;
    return LW_OK;
}

static void ring_clear(const sweep_ring *ring) {
    memset(ring->base, 0, (size_t)(ring->depth * ring->n) * ring->row_bytes);
}

static void second_clear(lw_tape *tape) {
    const lw_sim *sim = tape->sim;
    tape_second *second = tape->second;
    ring_clear(&second->slot);
    ring_clear(&second->local);
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        for (int i = 0; i < pop->model->n_state; i++)
            memset(second->pop[p].state_adj[i], 0, block_bytes(sim, p));
        for (int c = 0; c < pop->model->n_coef; c++)
            memset(second->pop[p].coef_adj[c], 0, (size_t)pop->view.n_local * sizeof(double));
    }
}

/* ------------------------------------------------------------------ what the tangent sweep leaves */

static void keep(char *const *from, int n, size_t bytes, int64_t t, char *const *to) {
    for (int i = 0; i < n; i++)
        if (to[i]) memcpy(to[i] + (size_t)t * bytes, from[i], bytes);
}

void second_keep_before(lw_tape *tape, int p, int64_t t) {
    const tape_room *room = tape->room;
    const second_pop *to = &tape->second->pop[p];
    const lw_model *model = tape->sim->pop[p].model;
    size_t bytes = block_bytes(tape->sim, p);
    keep(&room->state[room->state_begin[p]], model->n_state, bytes, t, to->old);
    keep(room->input, model->n_input, bytes, t, to->in);
}

void second_keep_after(lw_tape *tape, int p, int64_t t) {
    const tape_room *room = tape->room;
    keep(&room->state[room->state_begin[p]], tape->sim->pop[p].model->n_state, block_bytes(tape->sim, p), t,
        tape->second->pop[p].pre);
}

static char *slot_tan(const lw_tape *tape, int64_t t) {
    const sweep_ring *ring = &tape->room->slot;
    return tape->second->slot_tan + (size_t)(t * ring->n) * ring->row_bytes;
}

void second_keep_slots(lw_tape *tape, int64_t begin, int64_t end) {
    const sweep_ring *ring = &tape->room->slot;
    for (int64_t t = begin; t < end; t++)
        memcpy(slot_tan(tape, t), sweep_ring_at(ring, t), (size_t)ring->n * ring->row_bytes);
}

static void keep_coefs(lw_tape *tape) {
    const lw_sim *sim = tape->sim;
    const tape_room *room = tape->room;
    for (int p = 0; p < sim->n_pop; p++) {
        if (!sweep_has_params(tape->theta, p)) continue;
        for (int c = 0; c < sim->pop[p].model->n_coef; c++)
            memcpy(tape->second->pop[p].coef_tan[c], room->coef[room->coef_begin[p] + c],
                (size_t)sim->pop[p].view.n_local * sizeof(double));
    }
}

/* ------------------------------------------------------------------ the adjoint sweep and its tangent */

typedef struct product_sweep {
    lw_tape *tape;
    const double *direction;
    const lw_tape_twice *loss;
    double *product;
} product_sweep;

/* of projection j, by synapse; NULL when its weights are not learned */
static double *product_of(const product_sweep *s, int j) {
    int64_t offset = sweep_weight_offset(s->tape->theta, j);
    if (offset < 0) return NULL;
    return s->tape->sim->proj[j].n_tied ? s->tape->second->grad.tied[j] : s->product + offset;
}

/* Slots' rows of steps [begin, end) to their owners; the ring's entries become free for earlier steps. */
static void ring_collect(lw_tape *tape, const sweep_ring *slot, const sweep_ring *local, int64_t begin, int64_t end) {
    tape_room *room = tape->room;
    lw_sim *sim = tape->sim;
    int64_t steps = end - begin;
    ring_clear(local);
    if (sim->n_levels > 1 || end == tape->n_steps) return; /* per level, or nothing after it */
    if (steps == 1) {
        sweep_pull(sim, 0, sim->width, sweep_ring_at(slot, begin), sweep_ring_at(local, begin), NULL);
    } else {
        sweep_pack(slot, begin, steps, room->packed);
        memset(room->packed_local, 0, (size_t)(local->n * steps) * local->row_bytes);
        sweep_pull(sim, 0, steps * sim->width, room->packed, room->packed_local, NULL);
        sweep_unpack(local, begin, steps, room->packed_local);
    }
    for (int64_t t = begin; t < end; t++)
        memset(sweep_ring_at(slot, t), 0, (size_t)slot->n * slot->row_bytes);
}

/* (7): W_adj_tan += u_adj_tan s(t - d)^T + u_adj s_tan(t - d)^T of one slice */
static void slice_gradient(const product_sweep *s, const lw_proj_view *proj, const lw_slice *slice, int64_t from,
    const void *in_adj, const void *in_adj_tan, double *grad) {
    lw_tape *tape = s->tape;
    lw_sim *sim = tape->sim;
    int64_t at;
    past *emitted = tape_slots(tape, proj->pre, from, &at);
    int64_t n = past_list(emitted, at, sim->width, tape->room->list);
    deliver_weight_grad(true, proj, slice, sim->width, tape->room->list, n, past_rows(emitted, at), in_adj_tan, grad);
    if (from < 0 || !tape->room->active[proj->pre]) return; /* a constant */
    const char *x_tan = slot_tan(tape, from) + (size_t)sim->pop[proj->pre].view.slot_begin * tape->room->slot.row_bytes;
    deliver_weight_grad(true, proj, slice, sim->width, tape->room->row, proj->n_rows, x_tan, in_adj, grad);
}

/* From the inputs of population p at step t to gradients of weights and to the slots that sent them, (7) and (6). */
static void inputs_back(const product_sweep *s, int p, int64_t t) {
    lw_tape *tape = s->tape;
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    tape_second *second = tape->second;
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        const void *in_adj = room->input[proj->port], *in_adj_tan = second->input_adj[proj->port];
        const double *direction = sweep_direction(sim, tape->theta, &room->grad, sim->incoming[k], s->direction);
        double *product = product_of(s, sim->incoming[k]);
        size_t pre_begin = (size_t)sim->pop[proj->pre].view.slot_begin * room->slot.row_bytes;
        for (int i = 0; i < proj->n_slices; i++) {
            const lw_slice *slice = &proj->slice[i];
            int64_t from = t - slice->delay;
            if (product) slice_gradient(s, proj, slice, from, in_adj, in_adj_tan, product);
            if (from < 0 || !room->active[proj->pre]) continue;
            char *x_adj = sweep_ring_at(&room->slot, from) + pre_begin;
            char *x_adj_tan = sweep_ring_at(&second->slot, from) + pre_begin;
            deliver_transpose(true, proj, slice, sim->width, in_adj, x_adj);
            deliver_transpose(true, proj, slice, sim->width, in_adj_tan, x_adj_tan);
            if (direction) deliver_transpose_weight(true, proj, slice, sim->width, direction, in_adj, x_adj_tan);
        }
    }
}

/* Tangents of states at step t as the kernels take them. */
static void tangents_at(const lw_sim *sim, int p, int64_t t, char *const *kept, int n, void **out) {
    for (int i = 0; i < n; i++)
        out[i] = kept[i] ? kept[i] + (size_t)t * block_bytes(sim, p) : NULL;
}

static void pop_back(const product_sweep *s, int p, int64_t t) {
    lw_tape *tape = s->tape;
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    tape_second *second = tape->second;
    engine_pop *pop = &sim->pop[p];
    second_pop *twice = &second->pop[p];
    const lw_model *model = pop->model;
    tape_point at;
    void *state[SWEEP_MAX], *state_tan[SWEEP_MAX], *input[SWEEP_MAX], *input_tan[SWEEP_MAX];
    void *old_tan[SWEEP_MAX], *in_tan[SWEEP_MAX], *pre_tan[SWEEP_MAX];
    size_t begin = (size_t)pop->view.lid_begin * room->local.row_bytes;
    char *out_adj = sweep_ring_at(&room->local, t) + begin, *out_adj_tan = sweep_ring_at(&second->local, t) + begin;
    (void)s->loss->seed(s->loss->payload, p, t, out_adj);
    (void)s->loss->seed_tan(s->loss->payload, p, t, out_adj_tan);
    for (int i = 0; i < model->n_state; i++) {
        state[i] = room->state[room->state_begin[p] + i];
        state_tan[i] = twice->state_adj[i];
    }
    for (int i = 0; i < model->n_input; i++) {
        input[i] = room->input[i];
        input_tan[i] = second->input_adj[i];
    }
    tangents_at(sim, p, t, twice->old, model->n_state, old_tan);
    tangents_at(sim, p, t, twice->in, model->n_input, in_tan);
    tangents_at(sim, p, t, twice->pre, model->n_state, pre_tan);
    lw_kernel_args a = tape_args(tape, p, t, &at);
    a.point_curve = tape->pop[p].curve ? tape->pop[p].curve + (size_t)t * block_bytes(sim, p) : NULL;
    a.state_adj = state;
    a.input_adj = input;
    a.out_adj = out_adj;
    a.coef_adj = sweep_has_params(tape->theta, p) ? &room->coef[room->coef_begin[p]] : NULL;
    a.state_adj_tan = state_tan;
    a.input_adj_tan = input_tan;
    a.out_adj_tan = out_adj_tan;
    a.coef_tan = (const double *const *)twice->coef_tan;
    a.coef_adj_tan = twice->coef_adj;
    a.input_tan = (const void *const *)in_tan;
    a.state_tan = pre_tan;
    pop->kernel->fire_adj_tan(&a);
    pop->kernel->fire_adj(&a);
    a.state_tan = old_tan;
    pop->kernel->update_adj_tan(&a);
    pop->kernel->update_adj(&a);
    inputs_back(s, p, t);
}

static void epoch_back(const product_sweep *s, int64_t begin, int64_t end) {
    lw_tape *tape = s->tape;
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    const sweep_ring *slot[2] = {&room->slot, &tape->second->slot};
    const sweep_ring *local[2] = {&room->local, &tape->second->local};
    for (int i = 0; i < 2; i++)
        ring_collect(tape, slot[i], local[i], begin, end);
    for (int64_t t = end - 1; t >= begin; t--) {
        for (int level = sim->n_levels - 1; level >= 0; level--) {
            for (int i = 0; i < 2 && sim->n_levels > 1; i++)
                sweep_pull(sim, level, sim->width, sweep_ring_at(slot[i], t), sweep_ring_at(local[i], t), room->packed);
            for (int p = 0; p < sim->n_pop; p++)
                if (sim->pop[p].view.level == level && room->active[p]) pop_back(s, p, t);
        }
        for (int i = 0; i < 2 && sim->n_levels > 1; i++)
            memset(sweep_ring_at(slot[i], t), 0, (size_t)slot[i]->n * slot[i]->row_bytes);
    }
}

/* (8): tangents of coefficients' adjoints -> of parameters' */
static void params_back(const product_sweep *s) {
    lw_tape *tape = s->tape;
    const lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        const second_pop *twice = &tape->second->pop[p];
        const double **tan = tape->second->param_tan;
        if (!sweep_has_params(tape->theta, p)) continue;
        for (int i = 0; i < pop->model->n_param; i++)
            room->param[i] = NULL;
        sweep_params(tape->theta, p, s->product, room->param);
        for (int i = 0; i < pop->model->n_param; i++)
            tan[i] = room->param[i] ? s->direction + (room->param[i] - s->product) : NULL;
        pop->model->derive_adj_tan(pop->view.n_local, lw_net_dt(sim->net), (const double *const *)pop->view.param, tan,
            (const double *const *)&room->coef[room->coef_begin[p]], (const double *const *)twice->coef_adj,
            room->param);
    }
}

lw_err lw_tape_hessian(lw_tape *tape, const double *direction, const lw_tape_twice *loss, double *product) {
    lw_sim *sim = tape->sim;
    product_sweep s = {.tape = tape, .direction = direction, .loss = loss, .product = product};
    lw_tape_sink sink = {.payload = loss->payload, .sink = loss->sink};
    LW_CHECK(!sim->dropout || !sim->dropout->on, LW_EUSE, "second derivatives were asked of a run with dropout");
    LW_CHECK(tape->second, LW_EUSE, "second derivatives were asked of a tape that was not made for them");
    LW_TRY(lw_tape_tangent(tape, direction, NULL, loss->sink ? &sink : NULL));
    keep_coefs(tape);
    if (loss->turn) LW_TRY(loss->turn(loss->payload));
    LW_TRY(tape_room_ready(tape));
    second_clear(tape);
    sweep_tied_begin(sim, &tape->second->grad);
    memset(tape->room->active, 0, (size_t)sim->n_pop * sizeof *tape->room->active);
    sweep_reach(sim, tape->theta, tape->room->active);
    unsigned mode = engine_fp_begin();
    for (int64_t end = tape->n_steps; end > 0;) {
        int64_t begin = (end - 1) / sim->epoch * sim->epoch;
        epoch_back(&s, begin, end);
        end = begin;
    }
    engine_fp_end(mode);
    sweep_tied_end(sim, tape->theta, &tape->second->grad, NULL, product);
    params_back(&s);
    return LW_OK;
}
