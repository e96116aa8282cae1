/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Making of stimuli from their specifications: checks, values of this rank's neurons, its own part of given spikes,
 * room for random numbers. Local.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "stimulus.h"

static const char *const KINDS[] = {"poisson", "current", "noise", "spikes", "uniform"};

static lw_err spec_check(const lw_sim *sim, int number, const lw_stimulus_spec *s) {
    LW_CHECK(s->pop >= 0 && s->pop < sim->n_pop, LW_EUSE, "stimulus %d goes to population %d; there are %d", number,
        s->pop, sim->n_pop);
    const engine_pop *pop = &sim->pop[s->pop];
    LW_CHECK(s->port >= 0 && s->port < pop->model->n_input, LW_EUSE,
        "stimulus %d goes to port %d of population \"%s\"; model %s has %d ports", number, s->port, pop->view.name,
        pop->model->name, pop->model->n_input);
    LW_CHECK(isfinite(s->weight), LW_EUSE, "weight of stimulus %d is %g; it must be finite", number, s->weight);
    LW_CHECK(s->sd >= 0 && isfinite(s->sd), LW_EUSE, "sd of stimulus %d is %g; it must be finite and not negative",
        number, s->sd);
    LW_CHECK(s->every >= 0, LW_EUSE, "noise of stimulus %d is drawn every %" PRId64 " steps; at least 1 is wanted",
        number, s->every);
    LW_CHECK(isfinite(s->wave) && isfinite(s->wave_frequency) && isfinite(s->wave_phase), LW_EUSE,
        "the wave of stimulus %d has amplitude %g, frequency %g, phase %g; they must be finite", number, s->wave,
        s->wave_frequency, s->wave_phase);
    for (int64_t i = 0; i < s->n_changes; i++) {
        LW_CHECK(isfinite(s->change_value[i]), LW_EUSE, "change %" PRId64 " of stimulus %d is to %g; it must be finite",
            i, number, s->change_value[i]);
        LW_CHECK(i == 0 || s->change_step[i] > s->change_step[i - 1], LW_EUSE,
            "change %" PRId64 " of stimulus %d is at step %" PRId64 ", not after the one before", i, number,
            s->change_step[i]);
    }
    LW_CHECK(
        s->amplitude.kind != LW_DIST_LIST || s->kind == LW_STIMULUS_SPIKES || s->amplitude.n_list == pop->view.size,
        LW_EUSE, "stimulus %d lists %" PRId64 " values for population \"%s\" of %" PRId64 " neurons", number,
        s->amplitude.n_list, pop->view.name, pop->view.size);
    return LW_OK;
}

/* Rates, currents or means of this rank's neurons. */
static lw_err amplitude_create(const lw_sim *sim, int number, stimulus *s, uint64_t seed) {
    const lw_pop_view *view = &sim->pop[s->spec.pop].view;
    const lw_dist *dist = &s->spec.amplitude;
    bool poisson = s->spec.kind == LW_STIMULUS_POISSON;
    double scale = poisson ? lw_net_dt(sim->net) : 1;
    if (dist->kind == LW_DIST_CONSTANT) {
        s->constant = lw_dist_value(dist, 0, seed, LW_PURPOSE_NOISE, 0, 0) * scale;
        LW_CHECK(isfinite(s->constant) && (!poisson || (s->constant >= 0 && s->constant < 1e9)), LW_EUSE,
            "%s of stimulus %d is %g; it must be finite%s", poisson ? "rate" : "amplitude", number, s->constant / scale,
            poisson ? " and not negative" : "");
        return LW_OK;
    }
    LW_TRY(lw_alloc((size_t)view->n_local, sizeof *s->amplitude, "amplitudes of a stimulus", &s->amplitude));
    for (int64_t i = 0; i < view->n_local; i++) {
        int64_t index = view->gid[i] - view->gid_begin;
        double x = lw_dist_value(
            dist, index, seed, LW_PURPOSE_NOISE, (uint64_t)view->gid[i] | (uint64_t)number << 48, UINT64_MAX);
        LW_CHECK(isfinite(x) && (!poisson || (x >= 0 && x * scale < 1e9)), LW_EUSE,
            "%s of stimulus %d for neuron %" PRId64 " of \"%s\" is %g; it must be finite%s",
            poisson ? "rate" : "amplitude", number, index, view->name, x, poisson ? " and not negative" : "");
        s->amplitude[i] = x * scale;
    }
    return LW_OK;
}

typedef struct given_spike {
    int64_t step;
    uint32_t local;
} given_spike;
static int given_compare(const void *a, const void *b) {
    const given_spike *x = a, *y = b;
    if (x->step != y->step) return x->step < y->step ? -1 : 1;
    return x->local < y->local ? -1 : x->local > y->local;
}

/* Index among the local neurons, -1 when the neuron is elsewhere. */
static int64_t local_find(const lw_pop_view *view, int64_t gid) {
    int64_t at = lw_pop_local_first(view, gid);
    return at < view->n_local && view->gid[at] == gid ? at : -1;
}

/* This rank's own part of the given spikes, by (step, neuron). */
static lw_err spikes_create(const lw_sim *sim, int number, stimulus *s) {
    const lw_stimulus_spec *spec = &s->spec;
    const lw_pop_view *view = &sim->pop[spec->pop].view;
    given_spike *given = NULL;
    lw_err err = lw_alloc((size_t)spec->n_spikes, sizeof *given, "given spikes", &given);
    for (int64_t i = 0; err == LW_OK && i < spec->n_spikes; i++) {
        int64_t neuron = spec->spike_neuron[i];
        if (neuron < 0 || neuron >= view->size) {
            err = LW_FAIL(LW_EUSE,
                "spike %" PRId64 " of stimulus %d is for neuron %" PRId64 "; population \"%s\" has %" PRId64, i, number,
                neuron, view->name, view->size);
            break;
        }
        int64_t local = local_find(view, view->gid_begin + neuron);
        if (local >= 0) given[s->n_events++] = (given_spike){.step = spec->spike_step[i], .local = (uint32_t)local};
    }
    if (err == LW_OK) qsort(given, (size_t)s->n_events, sizeof *given, given_compare);
    if (err == LW_OK) err = lw_alloc((size_t)s->n_events, sizeof *s->event_local, "given spikes", &s->event_local);
    if (err == LW_OK) err = lw_alloc((size_t)s->n_events, sizeof *s->event_step, "given spikes", &s->event_step);
    for (int64_t i = 0; err == LW_OK && i < s->n_events; i++) {
        s->event_local[i] = given[i].local;
        s->event_step[i] = given[i].step;
    }
    lw_free(given);
    return err;
}

/* What changes with time, in the unit of `constant`. */
static lw_err changes_create(const lw_sim *sim, int number, stimulus *s) {
    const lw_stimulus_spec *spec = &s->spec;
    bool poisson = spec->kind == LW_STIMULUS_POISSON;
    double scale = poisson ? lw_net_dt(sim->net) : 1, most = fabs(spec->wave) * scale;
    LW_TRY(lw_alloc((size_t)spec->n_changes, sizeof *s->change_step, "changes of a stimulus", &s->change_step));
    LW_TRY(lw_alloc((size_t)spec->n_changes, sizeof *s->change_value, "changes of a stimulus", &s->change_value));
    for (int64_t i = 0; i < spec->n_changes; i++) {
        s->change_step[i] = spec->change_step[i];
        s->change_value[i] = spec->change_value[i] * scale;
        most = fmax(most, fabs(s->change_value[i]));
    }
    s->spec.wave *= scale;
    LW_CHECK(!poisson || most < 1e9, LW_EUSE, "a rate of stimulus %d is %g kHz; it is too high", number, most / scale);
    return LW_OK;
}

static lw_err item_create(lw_sim *sim, int number, const lw_stimulus_spec *spec) {
    engine_stimulus *all = sim->stimulus;
    stimulus *s = &all->item[number];
    LW_TRY(spec_check(sim, number, spec));
    s->spec = *spec;
    if (spec->every == 0) s->spec.every = 1;
    if (spec->kind == LW_STIMULUS_SPIKES) return spikes_create(sim, number, s);
    LW_TRY(amplitude_create(sim, number, s, all->seed));
    LW_TRY(changes_create(sim, number, s));
    if (spec->kind == LW_STIMULUS_CURRENT) return LW_OK;
    bool poisson = spec->kind == LW_STIMULUS_POISSON;
    size_t n = (size_t)sim->pop[spec->pop].view.n_local * (size_t)sim->width;
    size_t n_blocks = (n + ENGINE_STIMULUS_BLOCK - 1) / ENGINE_STIMULUS_BLOCK;
    uint32_t words[STIMULUS_WORDS];
    lw_rng_bits(all->seed, poisson ? LW_PURPOSE_POISSON : LW_PURPOSE_NOISE, (uint64_t)number, UINT64_MAX, 0, words);
    s->key[0] = words[0];
    s->key[1] = words[1];
    LW_TRY(lw_alloc(n_blocks, sizeof *s->group, "random numbers of a stimulus", &s->group));
    for (size_t b = 0; b < n_blocks; b++)
        s->group[b] = -1;
    if (!poisson)
        return lw_alloc(n_blocks * 2 * ENGINE_STIMULUS_BLOCK, sizeof *s->normal, "noise of a stimulus", &s->normal);
    bool steady = spec->n_changes == 0 && spec->wave == 0;
    if (steady && !s->amplitude && s->constant <= STIMULUS_TABLE_MEAN) {
        LW_TRY(lw_alloc(STIMULUS_TABLE_MAX, sizeof *s->table, "a Poisson table", &s->table));
        s->n_table = stimulus_table(s->constant, s->table);
    }
    return lw_alloc(
        n_blocks * STIMULUS_WORDS * ENGINE_STIMULUS_BLOCK, sizeof *s->bits, "random numbers of a stimulus", &s->bits);
}

lw_err engine_stimulus_create(lw_sim *sim, const lw_sim_options *options) {
    LW_TRY(lw_alloc(1, sizeof *sim->stimulus, "stimuli", &sim->stimulus));
    engine_stimulus *all = sim->stimulus;
    all->seed = options->stimulus_seed ? options->stimulus_seed : lw_net_seed(sim->net);
    LW_TRY(lw_alloc((size_t)options->n_stimuli, sizeof *all->item, "stimuli", &all->item));
    for (int i = 0; i < options->n_stimuli; i++) {
        all->n = i + 1;
        lw_err err = item_create(sim, i, &options->stimulus[i]);
        if (err != LW_OK) {
            lw_err_context("%s stimulus", KINDS[options->stimulus[i].kind]);
            return err;
        }
    }
    return LW_OK;
}

void engine_stimulus_destroy(lw_sim *sim) {
    engine_stimulus *all = sim->stimulus;
    if (!all) return;
    for (int i = 0; i < all->n; i++) {
        stimulus *s = &all->item[i];
        lw_free(s->amplitude);
        lw_free(s->group);
        lw_free(s->bits);
        lw_free(s->normal);
        lw_free(s->table);
        lw_free(s->change_step);
        lw_free(s->change_value);
        lw_free(s->event_local);
        lw_free(s->event_step);
    }
    lw_free(all->item);
    lw_free(all);
    sim->stimulus = NULL;
}
