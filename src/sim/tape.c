/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tape: memory of a recorded run and the recording itself. It keeps, per population and step, the arrays that the
 * model's need masks name (states before update, inputs, states before fire), what neurons and slots emitted (spikes as
 * bits), the slope S'(u) and the refractory flags. The sweeps are in tape_backward.c and tape_tangent.c.
 */
#include <string.h>
#include "engine_parts.h"
#include "dense.h"
#include "sweep.h"

static int64_t pop_cells(const lw_sim *sim, int p) {
    return sim->pop[p].view.n_local * sim->width;
}

/* ------------------------------------------------------------------ plans: what to allocate, or to count */

static lw_err arrays_plan(
    sweep_memory *m, uint32_t mask, int n, int64_t count, size_t size, const char *what, char **array) {
    for (int i = 0; i < n; i++)
        if (mask >> i & 1u) LW_TRY(sweep_take(m, count, size, what, &array[i]));
    return LW_OK;
}

/* A relay that nothing but a feed reaches emits the feed: it need not be computed, nor kept a second time. One rank, in
 * floats as feeds are, and nobody looks at its states. */
static bool is_mirror(const lw_sim *sim, int p, const lw_model_need *keep) {
    const engine_pop *pop = &sim->pop[p];
    const lw_pop_view *v = &pop->view;
    bool mirror = pop->model == lw_model_builtin("relay") && !sim->f64 && engine_level_direct(sim, v->level) &&
                  sim->incoming_begin[p] == sim->incoming_begin[p + 1] && !engine_has_stimuli(sim, p) &&
                  !(keep->old | keep->in | keep->pre) && v->n_local == v->size;
    for (int64_t i = 0; i < v->n_local && mirror; i++)
        mirror = v->gid[i] == v->gid_begin + i;
    return mirror;
}

/* What population p emitted, of its neurons and of its slots; slots are for the gradients of their synapses, (5) of
 * SWEEPS.md. Traces look at several steps at a time, and so do learned delays: numbers are kept for them. */
static lw_err outputs_plan(
    const lw_sim *sim, int p, int64_t max_steps, const lw_theta *theta, bool rolling, sweep_memory *m, tape_pop *out) {
    const lw_pop_view *v = &sim->pop[p].view;
    bool learned = false;
    past_kind own = engine_sends_events(sim, p) ? PAST_SPIKES : PAST_VALUES;
    past_kind slots = rolling ? PAST_VALUES : own == PAST_VALUES ? PAST_MARKED : own;
    for (int k = 0; k < sim->n_proj; k++) {
        const lw_proj_view *proj = &sim->proj[k];
        if (proj->pre != p || (sweep_weight_offset(theta, k) < 0 && sweep_delay_offset(theta, k) < 0)) continue;
        learned = true;
        if (proj->lag_max && slots == PAST_SPIKES) slots = PAST_MARKED;
        if (proj->lag_max >= out->before) out->before = proj->lag_max + 1;
        for (int s = 0; s < proj->n_slices; s++)
            if (proj->slice[s].delay > out->before) out->before = proj->slice[s].delay;
    }
    out->direct = learned && sim->pop[p].direct && (slots == PAST_SPIKES) == (own == PAST_SPIKES);
    if (out->direct) own = slots;
    if (out->mirror) own = PAST_LENT;
    LW_TRY(past_plan(m, own, sim->f64, pop_cells(sim, p), max_steps, "tape: emitted values", &out->out));
    if (!learned) return LW_OK;
    return past_plan(m, slots, sim->f64, v->n_slots * sim->width, out->before + (out->direct ? 0 : max_steps),
        "tape: values of slots", &out->slots);
}

static lw_err pop_plan(const lw_sim *sim, int p, int64_t max_steps, const lw_theta *theta, bool second, bool rolling,
    sweep_memory *m, tape_pop *out) {
    const lw_model *model = sim->pop[p].model;
    int64_t count = pop_cells(sim, p) * max_steps;
    size_t size = sim->real_size;
    lw_model_need keep = model->need;
    if (sweep_has_params(theta, p)) {
        keep.old |= model->need_coef.old;
        keep.in |= model->need_coef.in;
        keep.pre |= model->need_coef.pre;
    }
    if (second) keep = model->need_second;
    keep.pre |= sim->pop[p].watch;
    out->keep = keep;
    out->mirror = is_mirror(sim, p, &keep);
    LW_TRY(arrays_plan(m, keep.old, model->n_state, count, size, "tape: states before update", out->old));
    LW_TRY(arrays_plan(m, keep.in, model->n_input, count, size, "tape: inputs", out->in));
    LW_TRY(arrays_plan(m, keep.pre, model->n_state, count, size, "tape: states before fire", out->pre));
    LW_TRY(outputs_plan(sim, p, max_steps, theta, rolling, m, out));
    if (model->emits_spikes) LW_TRY(sweep_take(m, count, size, "tape: slopes", &out->slope));
    if (second && model->emits_spikes) LW_TRY(sweep_take(m, count, size, "tape: curvatures", &out->curve));
    if (model->has_refractory) LW_TRY(sweep_take(m, count, 1, "tape: refractory flags", &out->held));
    return LW_OK;
}

lw_err tape_room_plan(const lw_sim *sim, const lw_theta *theta, tape_room *room) {
    sweep_memory *m = &room->memory;
    sweep_sizes sizes = sweep_sizes_get(sim);
    size_t row_bytes = (size_t)sim->width * sim->real_size;
    int64_t n_net = lw_net_n_local(sim->net), n_slots = lw_net_slots(sim->net).n;
    int64_t n_state = 0, n_coef = 0;
    LW_TRY(sweep_ring_plan(m, lw_net_delay_max(sim->net) + sim->epoch, n_slots, row_bytes, &room->slot));
    LW_TRY(sweep_ring_plan(m, sim->epoch, n_net, row_bytes, &room->local));
    LW_TRY(sweep_take(m, n_slots * sim->epoch, row_bytes, "packed rows of slots", &room->packed));
    LW_TRY(sweep_take(m, n_net * sim->epoch, row_bytes, "packed rows of neurons", &room->packed_local));
    for (int i = 0; i < sizes.n_input; i++)
        LW_TRY(sweep_take(m, sizes.n_local, row_bytes, "input of a sweep", &room->input[i]));
    LW_TRY(sweep_take(m, sim->n_pop + 1, sizeof(int64_t), "sweep offsets", &room->state_begin));
    LW_TRY(sweep_take(m, sim->n_pop + 1, sizeof(int64_t), "sweep offsets", &room->coef_begin));
    LW_TRY(sweep_take(m, sim->n_pop, sizeof(bool), "sweep flags", &room->active));
    LW_TRY(sweep_take(m, sizes.n_param, sizeof(double *), "sweep parameters", &room->param));
    LW_TRY(sweep_take(m, sizes.n_rows, sizeof(uint32_t), "sweep rows", &room->row));
    LW_TRY(sweep_take(m, sizes.n_rows, sizeof(uint32_t), "sweep rows", &room->list));
    LW_TRY(sweep_take(m, n_slots, sizeof(int32_t), "neurons of slots", &room->neuron));
    LW_TRY(sweep_take(m, sim->n_proj, sizeof(void *), "packed weights", &room->packed_weight));
    for (int k = 0; k < sim->n_proj; k++) {
        if (!engine_dense_knows(sim, &sim->proj[k])) continue;
        if (!sim->options.copies_of) m->bytes += dense_packed_count(&sim->proj[k]) * (int64_t)sim->real_size;
        if (!m->dry) LW_TRY(engine_dense_room(sim, k));
    }
    for (int p = 0; p < sim->n_pop; p++) {
        n_state += sim->pop[p].model->n_state;
        n_coef += sim->pop[p].model->n_coef;
        if (m->dry) continue;
        room->state_begin[p + 1] = n_state;
        room->coef_begin[p + 1] = n_coef;
    }
    LW_TRY(sweep_take(m, n_state, sizeof(char *), "sweep states", &room->state));
    LW_TRY(sweep_take(m, n_coef, sizeof(double *), "sweep coefficients", &room->coef));
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        char *state;
        double *coef;
        for (int i = 0; i < pop->model->n_state; i++) {
            LW_TRY(sweep_take(m, pop->view.n_local, row_bytes, "state of a sweep", &state));
            if (!m->dry) room->state[room->state_begin[p] + i] = state;
        }
        if (!sweep_has_params(theta, p)) continue;
        for (int c = 0; c < pop->model->n_coef; c++) {
            LW_TRY(sweep_take(m, pop->view.n_local, sizeof *coef, "coefficients of a sweep", &coef));
            if (!m->dry) room->coef[room->coef_begin[p] + c] = coef;
        }
    }
    for (int64_t r = 0; !m->dry && r < sizes.n_rows; r++)
        room->row[r] = (uint32_t)r;
    LW_TRY(lag_plan(sim, theta, m, &room->lag));
    lw_slot_view slots = lw_net_slots(sim->net);
    for (int64_t s = 0; !m->dry && s < n_slots; s++)
        room->neuron[s] = slots.owner[s] == lw_comm_rank(lw_net_comm(sim->net))
                              ? (int32_t)(slots.owner_lid[s] - sim->pop[slots.pop[s]].view.lid_begin)
                              : -1;
    return sweep_grad_plan(sim, theta, m, &room->grad);
}

static void room_destroy(tape_room **room) {
    if (!*room) return;
    sweep_release(&(*room)->memory);
    lw_free(*room);
    *room = NULL;
}

lw_err tape_room_ready(lw_tape *tape) {
    const lw_sim *sim = tape->sim;
    if (!tape->room) {
        lw_err err;
        LW_TRY_TO(lw_alloc(1, sizeof *tape->room, "room of the sweeps", &tape->room), done);
        LW_TRY_TO(tape_room_plan(sim, tape->theta, tape->room), done);
    done:
        err = lw_comm_agree(lw_net_comm(sim->net), err);
        if (err != LW_OK) room_destroy(&tape->room);
        return err;
    }
    tape_room_cut(tape);
    tape_room *room = tape->room;
    for (int p = 0; p < sim->n_pop; p++)
        for (int64_t c = room->coef_begin[p]; c < room->coef_begin[p + 1]; c++)
            if (room->coef[c]) memset(room->coef[c], 0, (size_t)sim->pop[p].view.n_local * sizeof(double));
    return LW_OK;
}

void tape_room_cut(lw_tape *tape) {
    const lw_sim *sim = tape->sim;
    tape_room *room = tape->room;
    memset(room->slot.base, 0, (size_t)(room->slot.depth * room->slot.n) * room->slot.row_bytes);
    memset(room->local.base, 0, (size_t)(room->local.depth * room->local.n) * room->local.row_bytes);
    lag_clear(sim, &room->lag);
    for (int p = 0; p < sim->n_pop; p++)
        for (int64_t i = room->state_begin[p]; i < room->state_begin[p + 1]; i++)
            memset(room->state[i], 0, (size_t)pop_cells(sim, p) * sim->real_size);
}

static int64_t bytes_of(const lw_sim *sim, int64_t max_steps, const lw_theta *theta) {
    sweep_memory record = {.dry = true};
    tape_room room = {.memory.dry = true};
    lw_err err = LW_OK;
    for (int p = 0; p < sim->n_pop && err == LW_OK; p++) {
        tape_pop pop = {0};
        err = pop_plan(sim, p, max_steps, theta, false, false, &record, &pop);
    }
    if (err == LW_OK) err = tape_room_plan(sim, theta, &room);
    LW_ASSERT(err == LW_OK); /* counting does not fail */
    return record.bytes + room.memory.bytes;
}

int64_t lw_tape_bytes(const lw_sim *sim, int64_t max_steps, const lw_theta *theta) {
    return bytes_of(sim, max_steps, theta);
}

int64_t lw_tape_bytes_segments(
    const lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep, const lw_theta *theta) {
    sweep_memory m = {.dry = true};
    tape_segments s;
    if (segment >= max_steps) return bytes_of(sim, max_steps, theta);
    lw_err err = segments_plan(sim, max_steps, segment, keep, false, &m, &s);
    LW_ASSERT(err == LW_OK); /* counting does not fail */
    return m.bytes + bytes_of(sim, s.length, theta);
}

/* ------------------------------------------------------------------ life */

typedef enum tape_kind { TAPE_PLAIN, TAPE_SECOND, TAPE_ROLLING } tape_kind;

static lw_err tape_build(lw_tape *tape, lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep_pop,
    const lw_theta *theta, tape_kind kind) {
    bool second = kind == TAPE_SECOND;
    LW_CHECK(max_steps >= 1, LW_EUSE, "a tape of %lld steps was asked for, at least 1 is needed", (long long)max_steps);
    tape->sim = sim;
    tape->theta = theta;
    tape->max_steps = max_steps;
    tape->rolling = kind == TAPE_ROLLING;
    int64_t steps = max_steps;
    if (segment < max_steps) {
        LW_CHECK(
            segment >= 1, LW_EUSE, "segments of %lld steps were asked for, at least 1 is needed", (long long)segment);
        LW_TRY(sweep_take(&tape->memory, 1, sizeof *tape->segments, "segments of a tape", &tape->segments));
        LW_TRY(segments_plan(sim, max_steps, segment, keep_pop, kind == TAPE_ROLLING, &tape->memory, tape->segments));
        steps = tape->segments->length;
    }
    LW_TRY(sweep_take(&tape->memory, sim->n_pop, sizeof *tape->pop, "tape populations", &tape->pop));
    for (int p = 0; p < sim->n_pop; p++)
        LW_TRY(pop_plan(sim, p, steps, theta, second, kind == TAPE_ROLLING, &tape->memory, &tape->pop[p]));
    if (second) LW_TRY(second_plan(sim, steps, theta, &tape->memory, &tape->second));
    return engine_need_rows(sim);
}

static lw_err create(lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep_pop, const lw_theta *theta,
    tape_kind kind, lw_tape **out) {
    lw_tape *tape = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *tape, "tape", &tape), done);
    LW_TRY_TO(tape_build(tape, sim, max_steps, segment, keep_pop, theta, kind), done);
done:
    err = lw_comm_agree(lw_net_comm(sim->net), err);
    if (err != LW_OK) lw_tape_destroy(&tape);
    *out = tape;
    return err;
}

lw_err lw_tape_create(lw_sim *sim, int64_t max_steps, const lw_theta *theta, lw_tape **out) {
    return create(sim, max_steps, max_steps, NULL, theta, TAPE_PLAIN, out);
}

lw_err lw_tape_create_second(lw_sim *sim, int64_t max_steps, const lw_theta *theta, lw_tape **out) {
    return create(sim, max_steps, max_steps, NULL, theta, TAPE_SECOND, out);
}

lw_err lw_tape_create_segments(
    lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep_pop, const lw_theta *theta, lw_tape **out) {
    return create(sim, max_steps, segment, keep_pop, theta, TAPE_PLAIN, out);
}

lw_err lw_tape_create_rolling(
    lw_sim *sim, int64_t max_steps, int64_t chunk, const uint8_t *keep_pop, const lw_theta *theta, lw_tape **out) {
    return create(sim, max_steps, chunk, keep_pop, theta, TAPE_ROLLING, out);
}

void lw_tape_destroy(lw_tape **tape) {
    if (!tape || !*tape) return;
    room_destroy(&(*tape)->room);
    sweep_release(&(*tape)->memory);
    lw_free(*tape);
    *tape = NULL;
}

int64_t lw_tape_held(const lw_tape *tape) {
    return tape->memory.bytes + (tape->room ? tape->room->memory.bytes : 0);
}

int64_t lw_tape_segment(const lw_tape *tape) {
    return tape->segments ? tape->segments->length : tape->max_steps;
}

int64_t lw_tape_steps(const lw_tape *tape) {
    return tape->n_steps;
}

const void *lw_tape_output(const lw_tape *tape, int pop, int64_t t) {
    if (tape->segments && past_exists(&tape->segments->out[pop])) {
        LW_ASSERT(t >= 0 && t < tape->n_steps);
        return past_rows(&tape->segments->out[pop], t);
    }
    LW_ASSERT(t >= tape->begin && t < tape->end);
    return past_rows(&tape->pop[pop].out, t - tape->begin);
}

void lw_sim_watch(lw_sim *sim, int pop, int state) {
    LW_ASSERT(state >= 0 && state < sim->pop[pop].model->n_state && state < SWEEP_MAX);
    sim->pop[pop].watch |= 1u << state;
}

void lw_tape_listen(lw_tape *tape, void *payload, void (*state)(void *, int, int64_t, int, const void *)) {
    tape->hearer = payload;
    tape->hear = state;
}

const void *lw_tape_state(const lw_tape *tape, int pop, int state, int64_t t) {
    LW_ASSERT(t >= tape->begin && t < tape->end && (tape->pop[pop].keep.pre >> state & 1u));
    return tape->pop[pop].pre[state] + (size_t)((t - tape->begin) * pop_cells(tape->sim, pop)) * tape->sim->real_size;
}

/* ------------------------------------------------------------------ recording */

static void keep(uint32_t mask, int n, size_t bytes, int64_t t, void *const *from, char *const *to) {
    for (int i = 0; i < n; i++)
        if (mask >> i & 1u) memcpy(to[i] + (size_t)t * bytes, from[i], bytes);
}

static void pop_emit(lw_tape *tape, int p, int64_t t) {
    past_put(&tape->pop[p].out, t - tape->begin, tape->sim->pop[p].out);
    engine_emit(tape->sim, p, tape->t0 + t);
    if (tape->segments) segment_emit(tape, p, t);
}

/* The phases of one step of a population, each followed by what it leaves for the sweeps; what is emitted and its slope
 * are written where the tape or the history wants them. t counts from the recording's begin. */
static void pop_record(lw_tape *tape, int p, int64_t t) {
    lw_sim *sim = tape->sim;
    engine_pop *pop = &sim->pop[p];
    tape_pop *rec = &tape->pop[p];
    int64_t k = t - tape->begin;
    size_t bytes = (size_t)pop_cells(sim, p) * sim->real_size, at = (size_t)k * bytes;
    int n_state = pop->model->n_state;
    pop->out = rec->out.spikes || rec->out.lent ? engine_own_rows(sim, p, tape->t0 + t) : past_at(&rec->out, k);
    if (rec->out.lent) {
        memcpy(pop->out, past_rows(&rec->out, k), bytes);
        pop_emit(tape, p, t);
        return;
    }
    engine_input(sim, p, tape->t0 + t);
    keep(rec->keep.old, n_state, bytes, k, pop->state, rec->old);
    keep(rec->keep.in, pop->model->n_input, bytes, k, pop->input, rec->in);
    engine_update(sim, p);
    keep(rec->keep.pre, n_state, bytes, k, pop->state, rec->pre);
    for (int i = 0; pop->watch && tape->hear && i < n_state; i++)
        if (pop->watch >> i & 1u && !(tape->segments && tape->segments->again))
            tape->hear(tape->hearer, p, t, i, pop->state[i]);
    if (rec->slope) pop->slope = rec->slope + at;
    engine_spike(sim, p);
    if (rec->curve) engine_curve(sim, p, rec->curve + at);
    engine_fire(sim, p);
    if (rec->held) memcpy(rec->held + k * pop_cells(sim, p), pop->held, (size_t)pop_cells(sim, p));
    pop_emit(tape, p, t);
}

/* What the slots of population p emitted at recorded steps [begin, end), from the engine's history. */
static void slots_keep(lw_tape *tape, int p, int64_t begin, int64_t end) {
    tape_pop *rec = &tape->pop[p];
    for (int64_t t = begin; t < end && past_exists(&rec->slots); t++)
        past_put(&rec->slots, t - tape->begin + rec->before, engine_rows(tape->sim, p, tape->t0 + t));
}

past *tape_slots(lw_tape *tape, int p, int64_t t, int64_t *k) {
    tape_pop *rec = &tape->pop[p];
    *k = t - tape->begin + (rec->direct && t >= tape->begin ? 0 : rec->before);
    LW_ASSERT(past_exists(&rec->slots) && *k >= 0 && t < tape->end);
    return rec->direct && t >= tape->begin ? &rec->out : &rec->slots;
}

/* Steps [t, end) up to the next exchange; with delay-0 projections that is one step, and every level is exchanged in
 * it. */
static lw_err epoch_record(lw_tape *tape, int64_t t, int64_t end) {
    lw_sim *sim = tape->sim;
    for (int64_t begin = t; t < end; t++) {
        for (int level = 0; level < sim->n_levels; level++) {
            for (int p = 0; p < sim->n_pop; p++)
                if (sim->pop[p].view.level == level) pop_record(tape, p, t);
            if (t + 1 < end) continue;
            engine_exchange_begin(sim, level, tape->t0 + begin, tape->t0 + end);
            LW_TRY(engine_exchange_end(sim, level));
            for (int p = 0; p < sim->n_pop; p++)
                if (sim->pop[p].view.level == level && !tape->pop[p].direct) slots_keep(tape, p, begin, end);
        }
        engine_trace(sim, tape->t0 + t);
        sim->step++;
        sim->stats.steps++;
        tape->end++;
    }
    return LW_OK;
}

/* While a tape records, its memory (or the history) stands for the engine's outputs and slopes; what the last step left
 * goes home. */
static void outputs_lend(lw_tape *tape) {
    for (int p = 0; p < tape->sim->n_pop; p++) {
        const engine_pop *pop = &tape->sim->pop[p];
        tape->pop[p].own_out = pop->out;
        tape->pop[p].own_slope = pop->slope;
    }
}

static void outputs_return(lw_tape *tape) {
    for (int p = 0; p < tape->sim->n_pop; p++) {
        engine_pop *pop = &tape->sim->pop[p];
        const tape_pop *rec = &tape->pop[p];
        size_t bytes = (size_t)pop_cells(tape->sim, p) * tape->sim->real_size;
        if (pop->out != rec->own_out) memcpy(rec->own_out, pop->out, bytes);
        if (pop->slope != rec->own_slope) memcpy(rec->own_slope, pop->slope, bytes);
        pop->out = rec->own_out;
        pop->slope = rec->own_slope;
    }
}

/* What mirrors emit in steps [begin, end) stands in their feeds, unless they are not fed all the time. */
static lw_err mirrors_lend(lw_tape *tape, int64_t begin, int64_t end) {
    int64_t room = tape->segments ? tape->segments->length : tape->max_steps;
    for (int p = 0; p < tape->sim->n_pop; p++) {
        const float *feed = engine_feed(tape->sim, p, 0, tape->t0 + begin, end - begin);
        if (engine_has_traces(tape->sim)) feed = NULL;
        if (tape->pop[p].mirror) LW_TRY(past_lend(&tape->memory, &tape->pop[p].out, room, feed));
    }
    return LW_OK;
}

/* Mirrors were not computed: their last step is, so that the engine stands where it would stand after all of them. */
static void mirrors_settle(lw_tape *tape, int64_t t) {
    for (int p = 0; p < tape->sim->n_pop; p++) {
        if (!tape->pop[p].out.lent) continue;
        engine_input(tape->sim, p, t);
        engine_update(tape->sim, p);
        engine_fire(tape->sim, p);
    }
}

lw_err tape_record(lw_tape *tape, int64_t begin, int64_t end) {
    lw_sim *sim = tape->sim;
    lw_err err = LW_OK;
    tape->begin = tape->end = begin;
    LW_TRY(mirrors_lend(tape, begin, end)); /* one rank where there is one */
    for (int p = 0; p < sim->n_pop; p++)
        slots_keep(tape, p, begin - tape->pop[p].before, begin);
    unsigned mode = engine_fp_begin();
    outputs_lend(tape);
    for (int64_t t = begin; t < end && err == LW_OK; t += sim->epoch)
        err = epoch_record(tape, t, t + sim->epoch < end ? t + sim->epoch : end);
    outputs_return(tape);
    if (err == LW_OK && end > begin) mirrors_settle(tape, tape->t0 + end - 1);
    engine_fp_end(mode);
    return lw_comm_agree(lw_net_comm(sim->net), err == LW_OK ? sim->error : err);
}

lw_err lw_tape_forward(lw_tape *tape, int64_t n_steps) {
    LW_CHECK(n_steps >= 0 && n_steps <= tape->max_steps, LW_EUSE, "%lld steps to record, the tape has room for %lld",
        (long long)n_steps, (long long)tape->max_steps);
    int64_t length = tape->segments ? tape->segments->length : n_steps;
    tape->t0 = tape->sim->step;
    tape->n_steps = tape->begin = tape->end = 0;
    for (int64_t t = 0; t < n_steps; t += length) {
        if (tape->segments) segment_note(tape, t);
        LW_TRY(tape_record(tape, t, t + length < n_steps ? t + length : n_steps));
    }
    tape->n_steps = n_steps;
    return LW_OK;
}

lw_err tape_check(const lw_tape *tape) {
    LW_CHECK(tape->sim->step == tape->t0 + tape->n_steps, LW_EUSE,
        "the engine stands at step %lld, its tape ends at step %lld: a sweep must follow its recording",
        (long long)tape->sim->step, (long long)(tape->t0 + tape->n_steps));
    return LW_OK;
}

lw_kernel_args tape_args(lw_tape *tape, int p, int64_t t, tape_point *at) {
    tape_pop *rec = &tape->pop[p];
    int64_t cells = pop_cells(tape->sim, p), k = t - tape->begin;
    size_t shift = (size_t)(k * cells) * tape->sim->real_size;
    for (int i = 0; i < SWEEP_MAX; i++) {
        at->old[i] = rec->old[i] ? rec->old[i] + shift : NULL;
        at->in[i] = rec->in[i] ? rec->in[i] + shift : NULL;
        at->pre[i] = rec->pre[i] ? rec->pre[i] + shift : NULL;
    }
    lw_kernel_args a = engine_args(tape->sim, p);
    a.point_old = at->old;
    a.point_in = at->in;
    a.point_pre = at->pre;
    a.point_spike = past_rows(&rec->out, k);
    a.point_slope = rec->slope ? rec->slope + shift : NULL;
    a.point_held = rec->held ? rec->held + k * cells : NULL;
    a.point_width = tape->sim->width;
    return a;
}
