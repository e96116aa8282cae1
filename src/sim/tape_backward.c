/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The adjoint sweep over a tape. Steps run backward in the epochs of the recording: what was emitted at step t is felt
 * at t + d with d >= the length of an epoch, so all contributions to the steps of an epoch are there once the later
 * epochs are done, and slots' adjoints go home in one exchange per epoch (per step and level with delay-0 projections).
 * Formulas: SWEEPS.md, (3)-(5).
 */
#include <string.h>
#include "dense.h"
#include "dropout.h"
#include "engine_parts.h"
#include "sweep.h"

/* Adjoints of what population p emitted at step t: where slots are neurons, they arrive there. */
static char *out_adj_at(const lw_tape *tape, int p, int64_t t) {
    const tape_room *room = tape->room;
    const engine_pop *pop = &tape->sim->pop[p];
    if (pop->direct) return sweep_ring_at(&room->slot, t) + (size_t)pop->view.slot_begin * room->slot.row_bytes;
    return sweep_ring_at(&room->local, t) + (size_t)pop->view.lid_begin * room->local.row_bytes;
}

/* Adjoints of own neurons in steps [begin, end) begin with 0; slots' adjoints go to their owners. */
static void epoch_collect(lw_tape *tape, int64_t begin, int64_t end) {
    tape_room *room = tape->room;
    lw_sim *sim = tape->sim;
    int64_t steps = end - begin;
    for (int p = 0; p < sim->n_pop; p++)
        for (int64_t t = begin; t < end && room->active[p] && !sim->pop[p].direct; t++)
            memset(out_adj_at(tape, p, t), 0, (size_t)sim->pop[p].view.n_local * room->local.row_bytes);
    if (sim->n_levels > 1 || end == tape->n_steps) return; /* per level, or nothing after it */
    if (engine_level_direct(sim, 0)) return;
    if (steps == 1) {
        sweep_pull(sim, 0, sim->width, sweep_ring_at(&room->slot, begin), sweep_ring_at(&room->local, begin), NULL);
    } else {
        sweep_pack(&room->slot, begin, steps, room->packed);
        memset(room->packed_local, 0, (size_t)(room->local.n * steps) * room->local.row_bytes);
        sweep_pull(sim, 0, steps * sim->width, room->packed, room->packed_local, NULL);
        sweep_unpack(&room->local, begin, steps, room->packed_local);
    }
}

/* The ring's entry of step t, which has been used, is free for an earlier one; no other population's was written. */
static void slots_clear(lw_tape *tape, int64_t t) {
    const lw_sim *sim = tape->sim;
    const sweep_ring *ring = &tape->room->slot;
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        if (!tape->room->active[p] || v->n_slots == 0) continue;
        memset(
            sweep_ring_at(ring, t) + (size_t)v->slot_begin * ring->row_bytes, 0, (size_t)v->n_slots * ring->row_bytes);
    }
}

/* Through one slice to what was emitted at step `from`. Where a spike's slope is 0 its adjoint goes no further, so with
 * a compact surrogate most of a dense product need not be made. */
static void slice_back(
    lw_tape *tape, const lw_proj_view *proj, const lw_slice *slice, int64_t from, const void *in_adj, void *x_adj) {
    lw_sim *sim = tape->sim;
    if (!engine_dense_knows(sim, proj)) {
        deliver_transpose(sim->f64, proj, slice, sim->width, in_adj, x_adj);
        return;
    }
    lw_surrogate_kind kind = sim->options.surrogate.kind;
    bool compact = kind == LW_SURROGATE_TRIANGLE || kind == LW_SURROGATE_BOXCAR;
    const char *slope = tape->pop[proj->pre].slope;
    if (compact && slope && from >= tape->begin) {
        const engine_pop *pre = &sim->pop[proj->pre];
        slope += (size_t)((from - tape->begin) * pre->view.n_local * sim->width) * sim->real_size;
        const void *packed = tape->room->packed_weight[proj - sim->proj];
        if (dense_back_sampled(sim, proj, packed, tape->room->neuron + pre->view.slot_begin, slope, in_adj, x_adj))
            return;
    }
    dense_back(sim, proj, tape->room->packed_weight[proj - sim->proj], in_adj, x_adj);
}

/* From the inputs of population p at step t to the slots that sent them. */
static void inputs_back(lw_tape *tape, int p, int64_t t, int64_t first) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        size_t pre_begin = (size_t)sim->pop[proj->pre].view.slot_begin * room->slot.row_bytes;
        if (!room->active[proj->pre] || proj->lag_max) continue;
        for (int s = 0; s < proj->n_slices; s++) {
            const lw_slice *slice = &proj->slice[s];
            if (slice->delay > t - first) continue; /* sent before the sweep's first step: a constant */
            const void *mask = dropout_mask(sim, proj);
            char *x_adj = sweep_ring_at(&room->slot, t - slice->delay) + pre_begin;
            slice_back(tape, proj, slice, t - slice->delay, room->input[proj->port],
                mask ? dropout_adjoint(sim, proj) : x_adj);
            if (mask) dropout_adjoint_add(sim, proj, mask, x_adj);
        }
    }
}

/* What is done of a truncated sweep in one turn. Block m, steps [m stride, (m + 1) stride), is seeded by itself and its
 * adjoints reach back for a window's length from its end. Windows that do not overlap go down together: the blocks
 * number, number + turns, number + 2 turns ... in turn `number`. */
typedef struct turn {
    int64_t first, window, stride; /* window 0: one block without an end */
    int64_t number, turns;
} turn;

/* Where adjoints stand when the steps [.., t] are still to be done. */
typedef struct reach {
    int64_t least; /* nothing passes below this step */
    int64_t seeds; /* steps from here on, up to t, are seeded */
    bool empty;    /* between two windows: no adjoint lives from t down to `least` */
} reach;

static turn turn_begin(const lw_tape *tape, const lw_tape_seed *seed) {
    turn u = {.first = seed ? seed->first : 0, .turns = 1};
    if (!seed || seed->window <= 0 || seed->window >= tape->n_steps) return u;
    u.window = seed->window;
    u.stride = seed->stride > 0 ? seed->stride : seed->window;
    u.turns = (u.window + u.stride - 1) / u.stride;
    return u;
}

static reach reach_of(const turn *u, int64_t t) {
    reach r = {.least = u->first, .seeds = u->first};
    if (u->window == 0) return r;
    int64_t period = u->turns * u->stride, top = (u->number + 1) * u->stride;
    if (t >= top) top += (t - top) / period * period + period; /* end of the lowest block of this turn above t */
    r.empty = t < top - u->window;
    r.seeds = top - u->stride;
    r.least = r.empty ? top - period : top - u->window;
    if (r.least < u->first) r.least = u->first;
    return r;
}

static void pop_back(lw_tape *tape, int p, int64_t t, const reach *r, const lw_tape_seed *seed, double *grad) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    engine_pop *pop = &sim->pop[p];
    tape_point at;
    void *state[SWEEP_MAX], *input[SWEEP_MAX];
    char *out_adj = out_adj_at(tape, p, t);
    if (seed && t >= r->seeds) (void)seed->seed(seed->payload, p, t, out_adj);
    for (int i = 0; i < pop->model->n_state; i++)
        state[i] = room->state[room->state_begin[p] + i];
    for (int i = 0; i < pop->model->n_input; i++)
        input[i] = room->input[i];
    lw_kernel_args a = tape_args(tape, p, t, &at);
    a.state_adj = state;
    a.input_adj = input;
    a.out_adj = out_adj;
    a.coef_adj = grad && sweep_has_params(tape->theta, p) ? &room->coef[room->coef_begin[p]] : NULL;
    pop->kernel->fire_adj(&a);
    for (int i = 0; pop->watch && seed && seed->state && t >= r->seeds && i < pop->model->n_state; i++)
        if (pop->watch >> i & 1u) seed->state(seed->payload, p, t, i, state[i]);
    pop->kernel->update_adj(&a);
    if (grad) sweep_grad_add(tape, p, t, room->input, grad);
    inputs_back(tape, p, t, r->least);
    lag_back(tape, p, t, r->least, &room->slot, room->active, (void *const *)input, grad);
}

/* Adjoints of what nobody asks for are not sent. */
static bool level_wanted(const lw_tape *tape, int level) {
    bool wanted = false;
    for (int p = 0; p < tape->sim->n_pop; p++)
        wanted = wanted || (tape->sim->pop[p].view.level == level && tape->room->active[p]);
    return wanted;
}

static void epoch_back(
    lw_tape *tape, int64_t begin, int64_t end, const reach *r, const lw_tape_seed *seed, double *grad) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    epoch_collect(tape, begin, end);
    for (int64_t t = end - 1; t >= begin; t--) {
        char *slots = sweep_ring_at(&room->slot, t);
        for (int level = sim->n_levels - 1; level >= 0; level--) {
            if (sim->n_levels > 1 && !engine_level_direct(sim, level) && level_wanted(tape, level))
                sweep_pull(sim, level, sim->width, slots, sweep_ring_at(&room->local, t), room->packed);
            for (int p = 0; p < sim->n_pop; p++)
                if (sim->pop[p].view.level == level && room->active[p]) pop_back(tape, p, t, r, seed, grad);
        }
    }
    for (int64_t t = begin; t < end; t++)
        slots_clear(tape, t);
}

/* coefficients' adjoints of the whole sweep -> parameters' */
static void params_back(lw_tape *tape, double *grad) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        if (!sweep_has_params(tape->theta, p)) continue;
        double **param = room->param;
        for (int i = 0; i < pop->model->n_param; i++)
            param[i] = NULL;
        sweep_params(tape->theta, p, grad, param);
        pop->model->derive_adj(pop->view.n_local, lw_net_dt(sim->net), (const double *const *)pop->view.param,
            (const double *const *)&room->coef[room->coef_begin[p]], param);
    }
}

/* All steps of one turn. Collective. */
static lw_err turn_back(lw_tape *tape, const turn *u, const lw_tape_seed *seed, double *grad) {
    lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    for (int64_t end = tape->n_steps; end > u->first;) {
        reach r = reach_of(u, end - 1);
        int64_t begin = (end - 1) / sim->epoch * sim->epoch;
        if (r.empty) { /* panels hold steps without a gap */
            if (grad) sweep_grad_end(tape, NULL, grad);
            end = r.least;
            continue;
        }
        if (end <= tape->begin || end > tape->end) { /* panels look at the record, which goes back now */
            if (grad) sweep_grad_end(tape, NULL, grad);
            LW_TRY(segment_load(tape, end));
        }
        if (begin < r.least) begin = r.least;
        epoch_back(tape, begin, end, &r, seed, grad);
        end = begin;
        if (end == r.least && end > u->first) { /* a window is done: what is earlier knows nothing of it */
            lag_back_end(tape, r.least, room->active, grad);
            tape_room_cut(tape);
        }
    }
    return LW_OK;
}

static lw_err seed_check(const lw_tape *tape, const lw_tape_seed *seed) {
    int64_t first = seed ? seed->first : 0;
    LW_CHECK(first >= 0 && first <= tape->n_steps, LW_EUSE, "the sweep ends at step %lld, allowed are 0 to %lld",
        (long long)first, (long long)tape->n_steps);
    LW_CHECK(!seed || seed->stride == 0 || (seed->stride > 0 && seed->stride <= seed->window), LW_EUSE,
        "windows of %lld steps begin every %lld, allowed are 1 to %lld", (long long)seed->window,
        (long long)seed->stride, (long long)seed->window);
    return LW_OK;
}

lw_err lw_tape_backward(lw_tape *tape, const lw_tape_seed *seed, double *grad, double *const *const *state0_adj) {
    lw_sim *sim = tape->sim;
    LW_TRY(tape_check(tape));
    LW_TRY(seed_check(tape, seed));
    LW_CHECK(!tape->rolling, LW_EUSE,
        "an adjoint sweep of a rolling tape was asked for; allowed are whole tapes and tapes in segments");
    LW_TRY(tape_room_ready(tape));
    tape_room *room = tape->room;
    turn u = turn_begin(tape, seed);
    LW_CHECK(
        !state0_adj || u.turns == 1, LW_EUSE, "adjoints of the first state and overlapping windows exclude each other");
    for (int p = 0; p < sim->n_pop; p++)
        room->active[p] = state0_adj && state0_adj[p];
    sweep_reach(sim, grad ? tape->theta : NULL, room->active);
    for (int k = 0; k < sim->n_proj; k++)
        if (engine_dense_knows(sim, &sim->proj[k]) && room->active[sim->proj[k].pre])
            room->packed_weight[k] = engine_dense_packed(sim, k);
    if (grad) sweep_tied_begin(sim, &room->grad);
    lw_sim_stats stats = sim->stats;
    unsigned mode = engine_fp_begin();
    for (; u.number < u.turns; u.number++) {
        if (u.number > 0) {
            if (grad) sweep_grad_end(tape, NULL, grad);
            tape_room_cut(tape);
        }
        LW_TRY(turn_back(tape, &u, seed, grad));
        lag_back_end(tape, u.first, room->active, grad);
    }
    if (tape->segments) { /* what was run again does not count again */
        sim->stats = stats;
        segments_end(tape);
    }
    if (grad) sweep_grad_end(tape, seed, grad);
    engine_fp_end(mode);
    if (grad) sweep_tied_end(sim, tape->theta, &room->grad, seed, grad);
    if (grad && tape->theta) params_back(tape, grad);
    for (int b = 0; grad && seed && seed->ready && tape->theta && b < tape->theta->n_blocks; b++)
        if (!tape->theta->block[b].is_weight || sim->proj[tape->theta->block[b].proj].lag_max)
            seed->ready(seed->payload, b);
    for (int p = 0; state0_adj && p < sim->n_pop; p++)
        for (int i = 0; state0_adj[p] && i < sim->pop[p].model->n_state; i++)
            if (state0_adj[p][i])
                sweep_to_f64(sim->f64, sim->pop[p].view.n_local * sim->width, room->state[room->state_begin[p] + i],
                    state0_adj[p][i]);
    return LW_OK;
}
