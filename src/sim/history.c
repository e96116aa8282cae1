/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What was emitted: the two rings of engine_history, the phase that notes a step's spikes (history, counters,
 * checksum), and access for checkpoints. Between ranks it travels by exchange.c.
 */
#include <string.h>
#include "lag.h"
#include "engine_parts.h"
#include "nonzero.h"

/* numbers seen as bits: zero or not */
typedef uint32_t __attribute__((may_alias)) word32;
typedef uint64_t __attribute__((may_alias)) word64;

#define REAL float
#define WORD word32
#define LW_T(name) name##_f32
#include "history_typed.c"
#define REAL double
#define WORD word64
#define LW_T(name) name##_f64
#include "history_typed.c"

/* ------------------------------------------------------------------ rings */

void *engine_rows(const lw_sim *sim, int p, int64_t t) {
    const engine_history *h = &sim->history;
    int64_t k = engine_ring(t, h->origin, h->depth);
    return (char *)h->value + (size_t)(k * h->n_slots + sim->pop[p].view.slot_begin) * engine_row_bytes(sim);
}

uint32_t *engine_slot_list(const lw_sim *sim, int p, int64_t t, int64_t **n) {
    const engine_history *h = &sim->history;
    int64_t k = engine_ring(t, h->origin, h->depth);
    *n = &h->n_list[k * sim->n_pop + p];
    return h->list + k * h->n_slots + sim->pop[p].view.slot_begin;
}

const uint32_t *engine_list(const lw_sim *sim, int p, int64_t t, int64_t *n) {
    int64_t *count = NULL;
    const uint32_t *list = engine_slot_list(sim, p, t, &count);
    *n = *count;
    return list;
}

/* Where slots are neurons their rows are kept once. Threads may be a step apart, so they need both rings. */
char *engine_own_rows(const lw_sim *sim, int p, int64_t t) {
    const engine_history *h = &sim->history;
    if (sim->pop[p].direct && sim->n_shares <= 1) return engine_rows(sim, p, t);
    int64_t k = engine_ring(t, h->origin, h->own_depth), n_local = lw_net_n_local(sim->net);
    return (char *)h->own_value + (size_t)(k * n_local + sim->pop[p].view.lid_begin) * engine_row_bytes(sim);
}

uint32_t *engine_own_list(const lw_sim *sim, int p, int64_t t, int64_t **n) {
    const engine_history *h = &sim->history;
    int64_t k = engine_ring(t, h->origin, h->own_depth);
    *n = &h->n_own[k * sim->n_pop + p];
    return h->own_list + k * lw_net_n_local(sim->net) + sim->pop[p].view.lid_begin;
}

/* Every list of a population that sends dense rows names all its rows; only its length (0 or all) changes. */
static void lists_fill(lw_sim *sim) {
    for (int64_t t = 0; t < sim->history.depth; t++)
        for (int p = 0; p < sim->n_pop; p++) {
            int64_t *n = NULL;
            if (engine_sends_events(sim, p)) continue;
            uint32_t *list = engine_slot_list(sim, p, t, &n);
            for (int64_t i = 0; i < sim->pop[p].view.n_slots; i++)
                list[i] = (uint32_t)i;
        }
}

static lw_err value_create(lw_sim *sim) {
    engine_history *h = &sim->history;
    size_t cells = (size_t)(h->depth * h->n_slots) * (size_t)sim->width;
    return lw_alloc(cells, sim->real_size, "emitted values by slot", &h->value);
}

static lw_err own_value_create(lw_sim *sim) {
    engine_history *h = &sim->history;
    size_t cells = (size_t)(h->own_depth * lw_net_n_local(sim->net)) * (size_t)sim->width;
    return lw_alloc(cells, sim->real_size, "emitted values by neuron", &h->own_value);
}

lw_err engine_history_create(lw_sim *sim) {
    engine_history *h = &sim->history;
    bool rows = false;
    for (int p = 0; p < sim->n_pop; p++)
        rows = rows || sim->pop[p].rows;
    h->n_slots = lw_net_slots(sim->net).n;
    h->own_depth = lw_net_delay_max(sim->net);
    h->depth = h->own_depth + 1;
    LW_TRY(lw_alloc((size_t)(h->depth * h->n_slots), sizeof *h->list, "lists of spikes", &h->list));
    LW_TRY(lw_alloc((size_t)h->depth * (size_t)sim->n_pop, sizeof *h->n_list, "lists of spikes", &h->n_list));
    size_t own = (size_t)(h->own_depth * lw_net_n_local(sim->net));
    LW_TRY(lw_alloc(own, sizeof *h->own_list, "lists of own spikes", &h->own_list));
    LW_TRY(lw_alloc((size_t)h->own_depth * (size_t)sim->n_pop, sizeof *h->n_own, "lists of own spikes", &h->n_own));
    if (rows) LW_TRY(value_create(sim));
    if (rows) LW_TRY(own_value_create(sim));
    lists_fill(sim);
    return LW_OK;
}

void engine_history_destroy(lw_sim *sim) {
    engine_history *h = &sim->history;
    lw_free(h->value);
    lw_free(h->list);
    lw_free(h->n_list);
    lw_free(h->own_value);
    lw_free(h->own_list);
    lw_free(h->n_own);
}

void engine_history_clear(lw_sim *sim) {
    engine_history *h = &sim->history;
    size_t row = engine_row_bytes(sim);
    for (int p = 0; p < sim->n_pop; p++) {
        engine_pop *pop = &sim->pop[p];
        for (int64_t t = 0; t < h->depth; t++) {
            int64_t *n = NULL;
            const uint32_t *list = engine_slot_list(sim, p, t, &n);
            char *rows = pop->rows && *n ? engine_rows(sim, p, t) : NULL;
            for (int64_t i = 0; rows && i < *n; i++)
                memset(rows + list[i] * row, 0, row);
            *n = 0;
        }
        for (int64_t t = 0; t < h->own_depth; t++) {
            int64_t *n = NULL;
            engine_own_list(sim, p, t, &n);
            *n = 0;
            if (pop->rows) memset(engine_own_rows(sim, p, t), 0, (size_t)pop->view.n_local * row);
        }
    }
}

/* Ones in the listed rows of a population that so far kept lists only (width 1). */
static void ones_put(lw_sim *sim, const uint32_t *list, int64_t n, char *rows) {
    for (int64_t i = 0; i < n; i++) {
        if (sim->f64)
            ((double *)(void *)rows)[list[i]] = 1;
        else
            ((float *)(void *)rows)[list[i]] = 1;
    }
}

/* Both rings of population p: values from lists. */
static void rows_from_lists(lw_sim *sim, int p) {
    const engine_history *h = &sim->history;
    int64_t *n = NULL;
    for (int64_t t = 0; t < h->depth; t++) {
        const uint32_t *list = engine_slot_list(sim, p, t, &n);
        ones_put(sim, list, *n, engine_rows(sim, p, t));
    }
    for (int64_t t = 0; t < h->own_depth; t++) {
        const uint32_t *list = engine_own_list(sim, p, t, &n);
        ones_put(sim, list, *n, engine_own_rows(sim, p, t));
    }
}

static lw_err derivative_arrays(lw_sim *sim, engine_pop *pop) {
    size_t n = (size_t)pop->view.n_local * (size_t)sim->width;
    if (!pop->model->emits_spikes) return LW_OK;
    if (!pop->margin) LW_TRY(lw_alloc(n, sim->real_size, "spike margins", &pop->margin));
    if (!pop->slope) LW_TRY(lw_alloc(n, sim->real_size, "surrogate slopes", &pop->slope));
    if (!pop->held && pop->model->has_refractory) LW_TRY(lw_alloc(n, 1, "refractory flags", &pop->held));
    return LW_OK;
}

lw_err engine_need_rows(lw_sim *sim) {
    engine_history *h = &sim->history;
    LW_ASSERT(engine_exchange_pending(sim, 0) == INT64_MAX);
    LW_TRY(engine_plastic_refuse(sim, "a sweep for derivatives"));
    LW_TRY(lw_net_unbundle(sim->net));
    engine_views(sim);
    for (int p = 0; p < sim->n_pop; p++)
        LW_TRY(derivative_arrays(sim, &sim->pop[p]));
    if (!h->own_value) LW_TRY(own_value_create(sim));
    if (!h->value) LW_TRY(value_create(sim));
    for (int p = 0; p < sim->n_pop; p++) {
        if (sim->pop[p].rows) continue;
        sim->pop[p].rows = true;
        rows_from_lists(sim, p);
    }
    return LW_OK;
}

/* ------------------------------------------------------------------ emission */

/* The finalizer of SplitMix64 (Steele, Lea & Flood 2014, doi:10.1145/2660193.2660195). */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* What one spike adds to the checksum. Lane l takes l into the upper bits of the gid, so one lane alone gives the
 * number of a plain simulation. */
static inline uint64_t spike_mark(const engine_pop *pop, uint64_t step_mix, int64_t local, int64_t lane) {
    return mix(step_mix ^ ((uint64_t)pop->view.gid[local] | (uint64_t)lane << 40));
}

static inline void spike_count(
    lw_sim *sim, lw_sim_stats *stats, const engine_pop *pop, uint64_t step_mix, uint32_t local, int64_t lane) {
    stats->spikes++;
    sim->spike_count[pop->view.lid_begin + local]++;
    if (!sim->options.no_checksum) stats->spike_checksum += spike_mark(pop, step_mix, local, lane);
}

static bool is_spike(const lw_sim *sim, const void *out, int64_t i) {
    return sim->f64 ? ((const double *)out)[i] >= 0.5 : ((const float *)out)[i] >= 0.5F;
}

static uint64_t row_bits(const lw_sim *sim, const void *out, int64_t at, int64_t n) {
    return sim->f64 ? nonzero_bits_f64((const double *)out + at, n) : nonzero_bits_f32((const float *)out + at, n);
}

/* What the spikes of the listed neurons, in all lanes, add to the checksum. */
static uint64_t lanes_mark(
    const lw_sim *sim, const engine_pop *pop, uint64_t step_mix, const uint32_t *restrict list, int64_t n) {
    int64_t width = sim->width;
    uint64_t sum = 0;
    for (int64_t k = 0; k < n; k++)
        for (int64_t l0 = 0; l0 < width; l0 += 64) {
            uint64_t bits = row_bits(sim, pop->out, list[k] * width + l0, width - l0 < 64 ? width - l0 : 64);
            for (; bits; bits &= bits - 1)
                sum += spike_mark(pop, step_mix, list[k], l0 + __builtin_ctzll(bits));
        }
    return sum;
}

/* List and counters of hard spikes in several lanes. Returns the number of listed neurons. */
static int64_t emit_lanes(lw_sim *sim, lw_sim_stats *stats, const engine_pop *pop, uint64_t step_mix, int64_t first,
    int64_t last, uint32_t *restrict list) {
    int64_t n, *count = sim->spike_count + pop->view.lid_begin;
    if (sim->f64)
        n = lanes_count_f64(first, last, sim->width, pop->out, count, list, &stats->spikes);
    else
        n = lanes_count_f32(first, last, sim->width, pop->out, count, list, &stats->spikes);
    if (!sim->options.no_checksum) stats->spike_checksum += lanes_mark(sim, pop, step_mix, list, n);
    return n;
}

int64_t engine_emit_range(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last, lw_sim_stats *stats) {
    engine_pop *pop = &sim->pop[p];
    int64_t width = sim->width, *n_own = NULL;
    size_t row = engine_row_bytes(sim), shift = (size_t)first * row;
    const char *out = (const char *)pop->out + shift;
    if (pop->rows && engine_own_rows(sim, p, t) != (const char *)pop->out)
        memcpy(engine_own_rows(sim, p, t) + shift, out, (size_t)(last - first) * row);
    if (!pop->model->emits_spikes) return 0;
    uint64_t step_mix = mix((uint64_t)t + 0x9e3779b97f4a7c15u);
    uint32_t *list = engine_own_list(sim, p, t, &n_own) + first;
    if (width > 1 && !sim->options.smooth) return emit_lanes(sim, stats, pop, step_mix, first, last, list);
    int64_t n = sim->f64 ? nonzero_f64(first, last - first, width, (const void *)out, list)
                         : nonzero_f32(first, last - first, width, (const void *)out, list);
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = 0; lane < width; lane++) /* smooth ones count where the margin is not negative */
            if (is_spike(sim, pop->out, list[i] * width + lane)) spike_count(sim, stats, pop, step_mix, list[i], lane);
    return n;
}

void engine_note_spikes(lw_sim *sim, int p, int64_t t) {
    int64_t *n = NULL;
    if (!sim->pop[p].model->emits_spikes || !sim->record || sim->options.smooth) return;
    const uint32_t *list = engine_own_list(sim, p, t, &n);
    engine_record_spikes(sim, p, t, list, *n);
}

void engine_emit(lw_sim *sim, int p, int64_t t) {
    int64_t *n = NULL;
    engine_own_list(sim, p, t, &n);
    *n = engine_emit_range(sim, p, t, 0, sim->pop[p].view.n_local, &sim->stats);
    engine_note_spikes(sim, p, t);
}

/* ------------------------------------------------------------------ access */

static void values_get(const lw_sim *sim, int64_t n, const void *x, double *out) {
    if (sim->f64)
        to_double_f64(n, x, out);
    else
        to_double_f32(n, x, out);
}

static void values_set(const lw_sim *sim, int64_t n, const double *x, void *out) {
    if (sim->f64)
        from_double_f64(n, x, out);
    else
        from_double_f32(n, x, out);
}

void lw_sim_state_get(const lw_sim *sim, int pop, int state, double *out) {
    const engine_pop *p = &sim->pop[pop];
    values_get(sim, p->view.n_local * sim->width, p->state[state], out);
}

void lw_sim_state_set(lw_sim *sim, int pop, int state, const double *in) {
    const engine_pop *p = &sim->pop[pop];
    values_set(sim, p->view.n_local * sim->width, in, p->state[state]);
}

void lw_sim_refractory_get(const lw_sim *sim, int pop, int32_t *out) {
    const engine_pop *p = &sim->pop[pop];
    size_t bytes = (size_t)(p->view.n_local * sim->width) * sizeof *out;
    if (p->refractory)
        memcpy(out, p->refractory, bytes);
    else
        memset(out, 0, bytes);
}

void lw_sim_refractory_set(lw_sim *sim, int pop, const int32_t *in) {
    engine_pop *p = &sim->pop[pop];
    if (p->refractory) memcpy(p->refractory, in, (size_t)(p->view.n_local * sim->width) * sizeof *in);
}

void lw_sim_output_get(const lw_sim *sim, int pop, double *out) {
    const engine_pop *p = &sim->pop[pop];
    values_get(sim, p->view.n_local * sim->width, p->out, out);
}

void lw_sim_history_get(const lw_sim *sim, int pop, int32_t back, double *out) {
    const engine_pop *p = &sim->pop[pop];
    int64_t t = sim->step - back, count = p->view.n_local * sim->width, *n = NULL;
    LW_ASSERT(back >= 1 && back <= sim->history.own_depth);
    if (p->rows) {
        values_get(sim, count, engine_own_rows(sim, pop, t), out);
        return;
    }
    const uint32_t *list = engine_own_list(sim, pop, t, &n);
    memset(out, 0, (size_t)count * sizeof *out);
    for (int64_t i = 0; i < *n; i++)
        out[list[i]] = 1;
}

void lw_sim_history_set(lw_sim *sim, int pop, int32_t back, const double *in) {
    engine_pop *p = &sim->pop[pop];
    int64_t t = sim->step - back, count = p->view.n_local * sim->width, *n = NULL;
    LW_ASSERT(back >= 1 && back <= sim->history.own_depth);
    engine_lag_forget(sim);
    if (p->rows) values_set(sim, count, in, engine_own_rows(sim, pop, t));
    if (back == 1) values_set(sim, count, in, p->out);
    if (!p->model->emits_spikes) return;
    uint32_t *list = engine_own_list(sim, pop, t, &n);
    *n = nonzero_f64(0, p->view.n_local, sim->width, (const void *)in, list);
}

lw_err lw_sim_history_share(lw_sim *sim) {
    int64_t first = sim->step - sim->history.own_depth;
    for (int64_t t0 = first; t0 < sim->step; t0 += sim->epoch) {
        int64_t t1 = t0 + sim->epoch < sim->step ? t0 + sim->epoch : sim->step;
        for (int level = 0; level < sim->n_levels; level++) {
            engine_exchange_begin(sim, level, t0, t1);
            LW_TRY(engine_exchange_end(sim, level));
        }
    }
    return LW_OK;
}
