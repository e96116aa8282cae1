/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Segments of a tape: the engine's state at the beginning of each, taken and put back, and what populations emitted in
 * all steps, spikes as bits. A snapshot holds states, refractory counters and the rows and lists of slots of the last
 * delay_max + 1 steps; everything else that a step needs is a function of the step's number (stimuli, feeds) or is made
 * from the history (learned delays).
 */
#include <string.h>
#include "lag.h"
#include "nonzero.h"
#include "sweep.h"

static int64_t pop_cells(const lw_sim *sim, int p) {
    return sim->pop[p].view.n_local * sim->width;
}

/* bytes of one step of the ring of slots: rows, list, lengths */
static int64_t slot_bytes(const lw_sim *sim) {
    int64_t n = sim->history.n_slots;
    return n * (int64_t)engine_row_bytes(sim) + n * (int64_t)sizeof(uint32_t) + sim->n_pop * (int64_t)sizeof(int64_t);
}

static int64_t snapshot_size(const lw_sim *sim) {
    int64_t bytes = (lw_net_delay_max(sim->net) + 1) * slot_bytes(sim);
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        bytes += pop->model->n_state * pop_cells(sim, p) * (int64_t)sim->real_size;
        if (pop->refractory) bytes += pop_cells(sim, p) * (int64_t)sizeof *pop->refractory;
    }
    return (bytes + 63) / 64 * 64;
}

lw_err segments_plan(const lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep, bool rolling,
    sweep_memory *m, tape_segments *out) {
    tape_segments s = {.length = (segment + sim->epoch - 1) / sim->epoch * sim->epoch};
    s.most = (max_steps + s.length - 1) / s.length;
    s.snapshot_bytes = snapshot_size(sim);
    if (!rolling) LW_TRY(sweep_take(m, s.most, (size_t)s.snapshot_bytes, "states between segments", &s.snapshot));
    LW_TRY(sweep_take(m, sim->n_pop, sizeof *s.out, "outputs of all steps", &s.out));
    LW_TRY(sweep_take(m, lw_net_n_local(sim->net), sizeof *s.spike_count, "spike counts", &s.spike_count));
    for (int p = 0; p < sim->n_pop; p++) {
        past all = {0};
        if (keep && !keep[p]) continue;
        LW_TRY(past_plan(m, engine_sends_events(sim, p) ? PAST_SPIKES : PAST_VALUES, sim->f64, pop_cells(sim, p),
            max_steps, "outputs of all steps", &all));
        if (!m->dry) s.out[p] = all;
    }
    *out = s;
    return LW_OK;
}

/* Between a snapshot and the engine; `out`: from the engine. */
static void block_move(bool out, void *engine, size_t bytes, char **at) {
    memcpy(out ? *at : engine, out ? engine : *at, bytes);
    *at += bytes;
}

static void snapshot_move(lw_sim *sim, bool out, char *at) {
    engine_history *h = &sim->history;
    size_t row = engine_row_bytes(sim);
    for (int p = 0; p < sim->n_pop; p++) {
        engine_pop *pop = &sim->pop[p];
        for (int i = 0; i < pop->model->n_state; i++)
            block_move(out, pop->state[i], (size_t)pop_cells(sim, p) * sim->real_size, &at);
        if (pop->refractory) block_move(out, pop->refractory, (size_t)pop_cells(sim, p) * sizeof *pop->refractory, &at);
    }
    for (int64_t back = 1; back <= lw_net_delay_max(sim->net) + 1; back++) {
        int64_t k = engine_ring(sim->step - back, h->origin, h->depth);
        block_move(out, (char *)h->value + (size_t)(k * h->n_slots) * row, (size_t)h->n_slots * row, &at);
        block_move(out, h->list + k * h->n_slots, (size_t)h->n_slots * sizeof *h->list, &at);
        block_move(out, h->n_list + k * sim->n_pop, (size_t)sim->n_pop * sizeof *h->n_list, &at);
    }
}

static char *snapshot_of(const lw_tape *tape, int64_t t) {
    return tape->segments->snapshot + t / tape->segments->length * tape->segments->snapshot_bytes;
}

void segment_note(lw_tape *tape, int64_t t) {
    if (tape->segments->snapshot) snapshot_move(tape->sim, true, snapshot_of(tape, t));
    if (t == 0) tape->segments->again = false;
}

void segment_emit(lw_tape *tape, int p, int64_t t) {
    const tape_segments *s = tape->segments;
    if (!s->again && past_exists(&s->out[p])) past_put(&s->out[p], t, tape->sim->pop[p].out);
}

lw_err segment_load(lw_tape *tape, int64_t end) {
    lw_sim *sim = tape->sim;
    tape_segments *s = tape->segments;
    int64_t begin = (end - 1) / s->length * s->length;
    if (!s->again) memcpy(s->spike_count, sim->spike_count, (size_t)lw_net_n_local(sim->net) * sizeof *s->spike_count);
    s->again = true;
    sim->step = tape->t0 + begin;
    snapshot_move(sim, false, snapshot_of(tape, begin));
    engine_lag_forget(sim);
    return tape_record(tape, begin, begin + s->length < tape->n_steps ? begin + s->length : tape->n_steps);
}

void segments_end(lw_tape *tape) {
    lw_sim *sim = tape->sim;
    tape_segments *s = tape->segments;
    if (s->again) memcpy(sim->spike_count, s->spike_count, (size_t)lw_net_n_local(sim->net) * sizeof *s->spike_count);
}
