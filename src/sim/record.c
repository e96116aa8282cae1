/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recording on each rank by itself: spikes as (step, gid), traces of state variables. What was taken stays readable
 * until the next advance and then makes room. Buffers grow; a rank that runs out of memory notes it in the engine's
 * `error`, on which all ranks agree at the next safe point.
 *
 * A trace has a sample after every step t with (t + 1) divisible by `every`: at the times every dt, 2 every dt ... of
 * the whole simulation, however it is cut into advances.
 */
#include <stdlib.h>
#include <string.h>
#include "engine_parts.h"

typedef struct trace {
    int pop, state;
    int64_t every, n; /* n: neurons here, the first of the population */
    double *sample;   /* [n_samples, n] */
    int64_t n_samples, taken, room, first_step;
} trace;

typedef struct engine_record {
    bool *pop; /* [n_pop] spikes are recorded */
    lw_spike *spike;
    int64_t n_spikes, taken, room;
    trace *trace;
    int n_traces;
} engine_record;

lw_err engine_record_create(lw_sim *sim) {
    LW_TRY(lw_alloc(1, sizeof *sim->record, "records", &sim->record));
    return lw_alloc((size_t)sim->n_pop, sizeof *sim->record->pop, "records", &sim->record->pop);
}

void engine_record_destroy(lw_sim *sim) {
    engine_record *r = sim->record;
    if (!r) return;
    for (int i = 0; i < r->n_traces; i++)
        lw_free(r->trace[i].sample);
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

lw_err lw_sim_record_spikes(lw_sim *sim, int pop) {
    LW_TRY(width_check(sim));
    LW_CHECK(pop >= 0 && pop < sim->n_pop, LW_EUSE, "population %d to be recorded does not exist; there are %d", pop,
        sim->n_pop);
    LW_CHECK(sim->pop[pop].model->emits_spikes && !sim->options.smooth, LW_EUSE,
        "population \"%s\" emits no spikes that could be recorded; record a trace instead", sim->pop[pop].view.name);
    sim->record->pop[pop] = true;
    return LW_OK;
}

lw_err lw_sim_record_trace(lw_sim *sim, int pop, int state, int64_t every, int64_t n_neurons) {
    engine_record *r = sim->record;
    LW_TRY(width_check(sim));
    LW_CHECK(pop >= 0 && pop < sim->n_pop, LW_EUSE, "population %d to be recorded does not exist; there are %d", pop,
        sim->n_pop);
    const lw_pop_view *view = &sim->pop[pop].view;
    LW_CHECK(state >= 0 && state < view->model->n_state, LW_EUSE,
        "state %d of population \"%s\" does not exist; there are %d", state, view->name, view->model->n_state);
    LW_CHECK(every >= 1, LW_EUSE, "a trace of population \"%s\" is wanted every %lld steps; allowed: 1 and more",
        view->name, (long long)every);
    LW_TRY(lw_grow(&r->trace, (size_t)r->n_traces, (size_t)r->n_traces + 1, sizeof *r->trace, "traces"));
    int64_t n = 0;
    while (n < view->n_local && (n_neurons < 0 || view->gid[n] - view->gid_begin < n_neurons))
        n++;
    r->trace[r->n_traces++] = (trace){.pop = pop, .state = state, .every = every, .n = n};
    return LW_OK;
}

/* Room for `more` elements after n; doubles. */
static bool reserve(lw_sim *sim, void *pointer_to_pointer, int64_t *room, int64_t n, size_t size) {
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

void engine_record_spikes(lw_sim *sim, int p, int64_t t, const uint32_t *local, int64_t n) {
    engine_record *r = sim->record;
    if (!r->pop[p] || !reserve(sim, &r->spike, &r->room, r->n_spikes + n, sizeof *r->spike)) return;
    const int64_t *gid = sim->pop[p].view.gid;
    for (int64_t i = 0; i < n; i++)
        r->spike[r->n_spikes++] = (lw_spike){.step = t, .gid = gid[local[i]]};
}

void engine_trace(lw_sim *sim, int64_t t) {
    engine_record *r = sim->record;
    for (int i = 0; i < r->n_traces; i++) {
        trace *x = &r->trace[i];
        if ((t + 1) % x->every != 0) continue;
        if (!reserve(sim, &x->sample, &x->room, (x->n_samples + 1) * x->n, sizeof *x->sample)) continue;
        const void *state = sim->pop[x->pop].state[x->state];
        double *to = x->sample + x->n_samples * x->n;
        for (int64_t k = 0; k < x->n; k++)
            to[k] = sim->f64 ? ((const double *)state)[k] : (double)((const float *)state)[k];
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
        .gid = sim->pop[x->pop].view.gid,
        .sample = x->sample + x->taken * x->n,
    };
    x->taken = x->n_samples;
    return view;
}
