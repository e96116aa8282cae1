/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recording on each rank by itself: spikes as (step, gid), traces of state variables, spikes per population and bin.
 * What was taken stays readable until the next advance and then makes room. Buffers grow; a rank that runs out of
 * memory notes it in the engine's `error`, on which all ranks agree at the next safe point. The statistics of
 * activity.c hang here too.
 *
 * A trace has a sample after every step t with (t + 1) divisible by `every`: at the times every dt, 2 every dt ... of
 * the whole simulation, however it is cut into advances.
 */
#include <stdlib.h>
#include <string.h>
#include "engine_parts.h"

typedef struct trace {
    int pop, state;
    lw_record_spec spec;
    int64_t every, n; /* n: neurons here */
    uint32_t *local;  /* [n] index within the local part of the population */
    int64_t *gid;     /* [n] */
    double *sample;   /* [n_samples, n] */
    int64_t n_samples, taken, room, first_step;
} trace;

/* Spikes of a population that are kept. */
typedef struct kept {
    bool on;
    int64_t start, stop;
    bool *chosen; /* [n_local]; NULL: all */
} kept;

typedef struct engine_record {
    kept *pop; /* [n_pop] */
    lw_spike *spike;
    int64_t n_spikes, taken, room;
    trace *trace;
    int n_traces;
    engine_bins bins; /* every 0: not asked for */
    engine_activity *activity;
} engine_record;

lw_err engine_record_create(lw_sim *sim) {
    LW_TRY(lw_alloc(1, sizeof *sim->record, "records", &sim->record));
    return lw_alloc((size_t)sim->n_pop, sizeof *sim->record->pop, "records", &sim->record->pop);
}

void engine_record_destroy(lw_sim *sim) {
    engine_record *r = sim->record;
    if (!r) return;
    for (int i = 0; i < r->n_traces; i++) {
        lw_free(r->trace[i].sample);
        lw_free(r->trace[i].local);
        lw_free(r->trace[i].gid);
    }
    for (int p = 0; r->pop && p < sim->n_pop; p++)
        lw_free(r->pop[p].chosen);
    engine_bins_free(&r->bins);
    engine_activity_destroy(&r->activity);
    lw_free(r->trace);
    lw_free(r->spike);
    lw_free(r->pop);
    lw_free(r);
    sim->record = NULL;
}

static lw_err width_check(const lw_sim *sim) {
    LW_CHECK(sim->width == 1, LW_EUSE, "recording wants an engine of width 1; this one has %d lanes", (int)sim->width);
    return LW_OK;
}

static lw_err pop_check(const lw_sim *sim, int pop, const lw_record_spec *spec) {
    LW_TRY(width_check(sim));
    LW_CHECK(pop >= 0 && pop < sim->n_pop, LW_EUSE, "population %d to be recorded does not exist; there are %d", pop,
        sim->n_pop);
    const lw_pop_view *view = &sim->pop[pop].view;
    const lw_choice *who = &spec->who;
    for (int64_t k = 0; who->kind == LW_CHOICE_LIST && k < who->n; k++)
        LW_CHECK(who->index[k] >= (k ? who->index[k - 1] + 1 : 0) && who->index[k] < view->size, LW_EUSE,
            "neuron %lld of population \"%s\" cannot be recorded; allowed: an ascending list of 0 to %lld",
            (long long)who->index[k], view->name, (long long)view->size - 1);
    return LW_OK;
}

static bool within(int64_t start, int64_t stop, int64_t t) {
    return t >= start && (stop < 0 || t < stop);
}

lw_err lw_sim_record_spikes_of(lw_sim *sim, int pop, const lw_record_spec *spec) {
    LW_TRY(pop_check(sim, pop, spec));
    const lw_pop_view *view = &sim->pop[pop].view;
    LW_CHECK(view->model->emits_spikes && !sim->options.smooth, LW_EUSE,
        "population \"%s\" emits no spikes that could be recorded; record a trace instead", view->name);
    kept *k = &sim->record->pop[pop];
    lw_free(k->chosen);
    *k = (kept){.on = true, .start = spec->start, .stop = spec->stop};
    if (spec->who.kind == LW_CHOICE_ALL) return LW_OK;
    LW_TRY(lw_alloc((size_t)view->n_local, sizeof *k->chosen, "records", &k->chosen));
    for (int64_t i = 0; i < view->n_local; i++)
        k->chosen[i] = lw_choice_place(&spec->who, view->size, view->gid[i] - view->gid_begin) >= 0;
    return LW_OK;
}

lw_err lw_sim_record_spikes(lw_sim *sim, int pop) {
    lw_record_spec all = lw_record_spec_default();
    return lw_sim_record_spikes_of(sim, pop, &all);
}

/* The chosen neurons that live here. */
static lw_err trace_neurons(trace *x, const lw_pop_view *view) {
    LW_TRY(lw_alloc((size_t)view->n_local, sizeof *x->local, "a trace", &x->local));
    LW_TRY(lw_alloc((size_t)view->n_local, sizeof *x->gid, "a trace", &x->gid));
    for (int64_t i = 0; i < view->n_local; i++) {
        if (lw_choice_place(&x->spec.who, view->size, view->gid[i] - view->gid_begin) < 0) continue;
        x->local[x->n] = (uint32_t)i;
        x->gid[x->n++] = view->gid[i];
    }
    return LW_OK;
}

lw_err lw_sim_record_trace_of(lw_sim *sim, int pop, int state, int64_t every, const lw_record_spec *spec) {
    engine_record *r = sim->record;
    LW_TRY(pop_check(sim, pop, spec));
    const lw_pop_view *view = &sim->pop[pop].view;
    LW_CHECK(state >= 0 && state < view->model->n_state, LW_EUSE,
        "state %d of population \"%s\" does not exist; there are %d", state, view->name, view->model->n_state);
    LW_CHECK(every >= 1, LW_EUSE, "a trace of population \"%s\" is wanted every %lld steps; allowed: 1 and more",
        view->name, (long long)every);
    LW_TRY(lw_grow(&r->trace, (size_t)r->n_traces, (size_t)r->n_traces + 1, sizeof *r->trace, "traces"));
    trace *x = &r->trace[r->n_traces++];
    *x = (trace){.pop = pop, .state = state, .spec = *spec, .every = every};
    return trace_neurons(x, view);
}

lw_err lw_sim_record_trace(lw_sim *sim, int pop, int state, int64_t every, int64_t n_neurons) {
    lw_record_spec spec = lw_record_spec_default();
    if (n_neurons >= 0) spec.who = (lw_choice){.kind = LW_CHOICE_FIRST, .n = n_neurons};
    return lw_sim_record_trace_of(sim, pop, state, every, &spec);
}

lw_err lw_sim_record_counts(lw_sim *sim, int64_t every) {
    LW_TRY(width_check(sim));
    LW_CHECK(every >= 1, LW_EUSE, "spikes are to be counted every %lld steps; allowed: 1 and more", (long long)every);
    engine_bins_free(&sim->record->bins);
    sim->record->bins = (engine_bins){.every = every, .first = (sim->step + every - 1) / every};
    return LW_OK;
}

/* ------------------------------------------------------------------ in the time loop */

bool engine_reserve(lw_sim *sim, void *pointer_to_pointer, int64_t *room, int64_t n, size_t size) {
    if (n <= *room) return true;
    int64_t next = 2 * *room > n ? 2 * *room : n + 1024;
    lw_err err = lw_grow(pointer_to_pointer, (size_t)*room, (size_t)next, size, "recorded data");
    if (err == LW_OK) {
        *room = next;
        return true;
    }
    if (sim->error == LW_OK) sim->error = err;
    return false;
}

void engine_bins_free(engine_bins *b) {
    lw_free(b->count);
    *b = (engine_bins){0};
}

/* Row of counts of bin b, [n_pop]; NULL without memory. */
static int64_t *bin_row(lw_sim *sim, engine_bins *b, int64_t bin) {
    int64_t row = bin - b->first;
    if (!engine_reserve(sim, &b->count, &b->room, (row + 1) * sim->n_pop, sizeof *b->count)) return NULL;
    if (row >= b->n) b->n = row + 1;
    return b->count + row * sim->n_pop;
}

void engine_bins_add(lw_sim *sim, engine_bins *b, int p, int64_t t, int64_t n) {
    int64_t bin = (t - b->origin) / b->every;
    int64_t *row = n > 0 && t >= b->origin && bin >= b->first ? bin_row(sim, b, bin) : NULL;
    if (row) row[p] += n;
}

lw_err engine_bins_complete(lw_sim *sim, engine_bins *b, int64_t *n) {
    int64_t end = sim->step < b->origin ? 0 : (sim->step - b->origin) / b->every;
    *n = end > b->first ? end - b->first : 0;
    if (*n > 0 && !bin_row(sim, b, end - 1)) return LW_FAIL(LW_EMEM, "no memory for %lld bins", (long long)*n);
    return LW_OK;
}

void engine_bins_drop(const lw_sim *sim, engine_bins *b, int64_t n) {
    size_t row = (size_t)sim->n_pop * sizeof *b->count;
    if (n <= 0) return;
    memmove(b->count, b->count + n * sim->n_pop, (size_t)(b->n - n) * row);
    memset(b->count + (b->n - n) * sim->n_pop, 0, (size_t)n * row);
    b->n -= n;
    b->first += n;
}

static void spikes_keep(lw_sim *sim, int p, int64_t t, const uint32_t *local, int64_t n) {
    engine_record *r = sim->record;
    const kept *k = &r->pop[p];
    const int64_t *gid = sim->pop[p].view.gid;
    if (!engine_reserve(sim, &r->spike, &r->room, r->n_spikes + n, sizeof *r->spike)) return;
    for (int64_t i = 0; i < n; i++)
        if (!k->chosen || k->chosen[local[i]]) r->spike[r->n_spikes++] = (lw_spike){.step = t, .gid = gid[local[i]]};
}

void engine_record_spikes(lw_sim *sim, int p, int64_t t, const uint32_t *local, int64_t n) {
    engine_record *r = sim->record;
    if (n == 0) return;
    if (r->pop[p].on && within(r->pop[p].start, r->pop[p].stop, t)) spikes_keep(sim, p, t, local, n);
    if (r->bins.every) engine_bins_add(sim, &r->bins, p, t, n);
    if (r->activity) engine_activity_spikes(sim, r->activity, p, t, local, n);
}

bool engine_has_traces(const lw_sim *sim) {
    return sim->record->n_traces > 0;
}

void engine_trace(lw_sim *sim, int64_t t) {
    engine_record *r = sim->record;
    for (int i = 0; i < r->n_traces; i++) {
        trace *x = &r->trace[i];
        if ((t + 1) % x->every != 0 || !within(x->spec.start, x->spec.stop, t)) continue;
        if (!engine_reserve(sim, &x->sample, &x->room, (x->n_samples + 1) * x->n, sizeof *x->sample)) continue;
        const void *state = sim->pop[x->pop].state[x->state];
        double *to = x->sample + x->n_samples * x->n;
        for (int64_t k = 0; k < x->n; k++)
            to[k] = sim->f64 ? ((const double *)state)[x->local[k]] : (double)((const float *)state)[x->local[k]];
        if (x->n_samples++ == 0) x->first_step = t;
    }
}

void engine_record_drop(lw_sim *sim, bool all) {
    engine_record *r = sim->record;
    if (all) r->taken = r->n_spikes;
    if (r->taken > 0) {
        memmove(r->spike, r->spike + r->taken, (size_t)(r->n_spikes - r->taken) * sizeof *r->spike);
        r->n_spikes -= r->taken;
        r->taken = 0;
    }
    for (int i = 0; i < r->n_traces; i++) {
        trace *x = &r->trace[i];
        if (all) x->taken = x->n_samples;
        if (x->taken == 0) continue;
        if (x->n > 0) /* a rank without traced neurons has no samples */
            memmove(
                x->sample, x->sample + x->taken * x->n, (size_t)((x->n_samples - x->taken) * x->n) * sizeof *x->sample);
        x->n_samples -= x->taken;
        x->first_step += x->taken * x->every;
        x->taken = 0;
    }
    if (!all) return;
    lw_free(r->bins.count);
    r->bins = (engine_bins){.every = r->bins.every};
    if (r->activity) engine_activity_clear(sim, r->activity);
}

int64_t lw_sim_record_bytes(const lw_sim *sim) {
    const engine_record *r = sim->record;
    int64_t bytes = (r->n_spikes - r->taken) * (int64_t)sizeof *r->spike;
    for (int i = 0; i < r->n_traces; i++)
        bytes += (r->trace[i].n_samples - r->trace[i].taken) * r->trace[i].n * (int64_t)sizeof *r->trace[i].sample;
    bytes += (r->bins.n - r->bins.taken) * sim->n_pop * (int64_t)sizeof *r->bins.count;
    return bytes + (r->activity ? engine_activity_bytes(sim, r->activity) : 0);
}

int64_t lw_sim_record_bytes_per_step(const lw_sim *sim) {
    const engine_record *r = sim->record;
    int64_t bytes = 0;
    for (int i = 0; i < r->n_traces; i++)
        bytes += (r->trace[i].n * (int64_t)sizeof *r->trace[i].sample + r->trace[i].every - 1) / r->trace[i].every;
    return bytes;
}

static int spike_compare(const void *a, const void *b) {
    const lw_spike *x = a, *y = b;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    return x->gid < y->gid ? -1 : x->gid > y->gid;
}

void lw_sim_spikes_take(lw_sim *sim, const lw_spike **spikes, int64_t *n) {
    engine_record *r = sim->record;
    lw_spike *from = r->spike + r->taken;
    *n = r->n_spikes - r->taken;
    *spikes = from;
    r->taken = r->n_spikes;
    /* in order already, unless levels step populations in another order than their gids */
    bool ordered = true;
    for (int64_t i = 1; i < *n; i++)
        ordered = ordered && spike_compare(&from[i - 1], &from[i]) < 0;
    if (!ordered) qsort(from, (size_t)*n, sizeof *from, spike_compare);
}

int lw_sim_n_traces(const lw_sim *sim) {
    return sim->record->n_traces;
}

lw_trace_view lw_sim_trace_take(lw_sim *sim, int i) {
    trace *x = &sim->record->trace[i];
    lw_trace_view view = {
        .pop = x->pop,
        .state = x->state,
        .every = x->every,
        .n_neurons = x->n,
        .n_samples = x->n_samples - x->taken,
        .first_step = x->first_step + x->taken * x->every,
        .gid = x->gid,
        .who = &x->spec.who,
        .sample = x->sample + x->taken * x->n,
    };
    x->taken = x->n_samples;
    return view;
}

lw_err lw_sim_counts_take(lw_sim *sim, lw_counts_view *out) {
    engine_record *r = sim->record;
    const lw_comm *comm = lw_net_comm(sim->net);
    int64_t n = 0;
    LW_ASSERT(r->bins.every > 0);
    engine_bins_drop(sim, &r->bins, r->bins.taken);
    r->bins.taken = 0;
    LW_TRY(lw_comm_agree(comm, engine_bins_complete(sim, &r->bins, &n)));
    lw_comm_sum_i64(comm, r->bins.count, n * sim->n_pop);
    r->bins.taken = n;
    *out = (lw_counts_view){.every = r->bins.every, .first_bin = r->bins.first, .n_bins = n, .count = r->bins.count};
    return LW_OK;
}

lw_err lw_sim_activity_begin(lw_sim *sim, const lw_activity_spec *spec) {
    LW_TRY(width_check(sim));
    LW_CHECK(!sim->record->activity, LW_EUSE, "the activity of this engine is counted already");
    LW_CHECK(spec->bin >= 1 && spec->pair_bin >= 1 && spec->least >= 2 && spec->sample >= 0 &&
                 spec->sample <= LW_ACTIVITY_SAMPLE_MAX,
        LW_EUSE,
        "activity in bins of %lld and %lld steps, of %lld neurons, from %lld spikes on; allowed: bins from 1, up to %d "
        "neurons, from 2 spikes",
        (long long)spec->bin, (long long)spec->pair_bin, (long long)spec->sample, (long long)spec->least,
        LW_ACTIVITY_SAMPLE_MAX);
    return engine_activity_create(sim, spec, &sim->record->activity);
}

engine_activity *engine_record_activity(const lw_sim *sim) {
    return sim->record->activity;
}
