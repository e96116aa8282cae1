/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tangent sweep over a tape: perturbations of weights, parameters and the initial state pushed along the recorded
 * trajectory, in the order and with the exchanges of the recording itself; tangents of emitted values travel as dense
 * rows. Formulas: SWEEPS.md, (1)-(2).
 */
#include <string.h>
#include "dropout.h"
#include "sweep.h"

/* Tangents of what was emitted in steps [begin, end) by the populations of `level`, from their owners to the slots. */
static void tangents_push(lw_tape *tape, int level, int64_t begin, int64_t end) {
    tape_room *room = tape->room;
    lw_sim *sim = tape->sim;
    int64_t steps = end - begin;
    size_t row_bytes = room->slot.row_bytes;
    if (steps == 1) {
        sweep_push(
            sim, level, row_bytes, sweep_ring_at(&room->local, begin), sweep_ring_at(&room->slot, begin), room->packed);
        return;
    }
    sweep_pack(&room->local, begin, steps, room->packed_local);
    sweep_push(sim, level, row_bytes * (size_t)steps, room->packed_local, room->packed, NULL);
    sweep_unpack(&room->slot, begin, steps, room->packed);
}

/* input_tan = W out_tan(t - d) + W_tan out(t - d) */
static void inputs_push(lw_tape *tape, int p, int64_t t, const double *direction) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    const engine_pop *pop = &sim->pop[p];
    for (int i = 0; i < pop->model->n_input; i++)
        memset(room->input[i], 0, (size_t)pop->view.n_local * room->slot.row_bytes);
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        int j = sim->incoming[k];
        const lw_proj_view *proj = &sim->proj[j];
        const double *weight = sweep_direction(sim, tape->theta, &room->grad, j, direction);
        if (proj->lag_max) {
            lag_push(tape, j, t, room->active[proj->pre] ? &room->slot : NULL, direction, room->input[proj->port]);
            continue;
        }
        const void *mask = dropout_mask(sim, proj);
        size_t pre_begin = (size_t)sim->pop[proj->pre].view.slot_begin * room->slot.row_bytes;
        for (int s = 0; s < proj->n_slices; s++) {
            const lw_slice *slice = &proj->slice[s];
            int64_t from = t - slice->delay;
            if (from >= 0 && room->active[proj->pre]) {
                const void *x_tan = sweep_ring_at(&room->slot, from) + pre_begin;
                if (mask) x_tan = dropout_rows(sim, mask, room->row, proj->n_rows, x_tan);
                (void)deliver_rows(
                    sim->f64, proj, slice, sim->width, room->row, proj->n_rows, x_tan, room->input[proj->port]);
            }
            if (!weight) continue;
            int64_t at;
            past *emitted = tape_slots(tape, proj->pre, from, &at);
            int64_t n = past_list(emitted, at, sim->width, room->list);
            const void *x = past_rows(emitted, at);
            if (mask) x = dropout_rows(sim, mask, room->list, n, x);
            deliver_rows_weight(sim->f64, proj, slice, sim->width, room->list, n, x, weight, room->input[proj->port]);
        }
    }
}

static void pop_push(lw_tape *tape, int p, int64_t t, const double *direction, const lw_tape_sink *sink) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    engine_pop *pop = &sim->pop[p];
    tape_point at;
    void *state[SWEEP_MAX];
    const void *input[SWEEP_MAX];
    inputs_push(tape, p, t, direction);
    for (int i = 0; i < pop->model->n_state; i++)
        state[i] = room->state[room->state_begin[p] + i];
    for (int i = 0; i < pop->model->n_input; i++)
        input[i] = room->input[i];
    lw_kernel_args a = tape_args(tape, p, t, &at);
    a.state_tan = state;
    a.input_tan = input;
    a.out_tan = sweep_ring_at(&room->local, t) + (size_t)pop->view.lid_begin * room->local.row_bytes;
    a.coef_tan =
        direction && sweep_has_params(tape->theta, p) ? (const double *const *)&room->coef[room->coef_begin[p]] : NULL;
    if (tape->second) second_keep_before(tape, p, t);
    pop->kernel->update_tan(&a);
    if (tape->second) second_keep_after(tape, p, t);
    for (int i = 0; pop->watch && sink && sink->state && i < pop->model->n_state; i++)
        if (pop->watch >> i & 1u) sink->state(sink->payload, p, t, i, state[i]);
    pop->kernel->fire_tan(&a);
}

static void step_push(
    lw_tape *tape, int64_t begin, int64_t t, int64_t end, const double *direction, const lw_tape_sink *sink) {
    lw_sim *sim = tape->sim;
    const sweep_ring *local = &tape->room->local;
    for (int level = 0; level < sim->n_levels; level++) {
        for (int p = 0; p < sim->n_pop; p++) {
            if (sim->pop[p].view.level != level) continue;
            if (tape->room->active[p]) pop_push(tape, p, t, direction, sink);
            if (sink)
                sink->sink(sink->payload, p, t,
                    sweep_ring_at(local, t) + (size_t)sim->pop[p].view.lid_begin * local->row_bytes);
        }
        if (t + 1 == end) tangents_push(tape, level, begin, end);
        if (t + 1 == end && tape->second) second_keep_slots(tape, begin, end);
    }
}

/* directions of parameters -> of coefficients */
static void params_push(lw_tape *tape, const double *direction) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        if (!sweep_has_params(tape->theta, p)) continue;
        const double **param = (const double **)room->param;
        for (int i = 0; i < pop->model->n_param; i++)
            param[i] = NULL;
        for (int b = 0; b < tape->theta->n_blocks; b++) {
            const lw_theta_block *block = &tape->theta->block[b];
            if (!block->is_weight && block->pop == p) param[block->param] = direction + block->offset;
        }
        pop->model->derive_tan(pop->view.n_local, lw_net_dt(sim->net), (const double *const *)pop->view.param, param,
            &room->coef[room->coef_begin[p]]);
    }
}

lw_err lw_tape_tangent(
    lw_tape *tape, const double *direction, const double *const *const *state0_tan, const lw_tape_sink *sink) {
    lw_sim *sim = tape->sim;
    LW_TRY(tape_check(tape));
    LW_CHECK(!tape->segments, LW_EUSE, "a tangent sweep of a tape in segments was asked for; allowed is a whole tape");
    LW_TRY(tape_room_ready(tape));
    tape_room *room = tape->room;
    if (!tape->theta) direction = NULL;
    for (int p = 0; p < sim->n_pop; p++) {
        room->active[p] = state0_tan && state0_tan[p];
        for (int i = 0; room->active[p] && i < sim->pop[p].model->n_state; i++)
            if (state0_tan[p][i])
                sweep_from_f64(sim->f64, sim->pop[p].view.n_local * sim->width, state0_tan[p][i],
                    room->state[room->state_begin[p] + i]);
    }
    sweep_reach(sim, direction ? tape->theta : NULL, room->active);
    if (direction) params_push(tape, direction);
    if (direction) sweep_direction_spread(sim, tape->theta, &room->grad, direction);
    unsigned mode = engine_fp_begin();
    for (int64_t begin = 0; begin < tape->n_steps; begin += sim->epoch) {
        int64_t end = begin + sim->epoch < tape->n_steps ? begin + sim->epoch : tape->n_steps;
        for (int64_t t = begin; t < end; t++)
            step_push(tape, begin, t, end, direction, sink);
    }
    engine_fp_end(mode);
    return LW_OK;
}
