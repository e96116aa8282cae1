/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stimuli: Poisson events, currents, noise, given spikes, and values fed from outside. Random numbers are a pure
 * function of (seed, stimulus, gid, lane, step), so they do not depend on ranks and a resumed run continues with the
 * same ones.
 *
 * One block of Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) has 128 bits, more than a step needs: a
 * Poisson stimulus takes one of its four words per step, noise one of its two normal numbers (Box & Muller 1958). The
 * block is keyed by (seed, stimulus), its counter is (gid | lane << 40, number of the group of steps). It is written
 * here for 64 neurons at a time, so that the compiler makes vectors of it: most of a Poisson-driven network's time
 * would go into one-by-one draws.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "engine_parts.h"

#define REAL float
#define LW_T(name) name##_f32
#include "stimulus_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "stimulus_typed.c"

enum {
    GROUP = 64,     /* neurons per vectorised block of random numbers */
    WORDS = 4,      /* 32-bit words of one block */
    TABLE_MAX = 256 /* thresholds of a Poisson table */
};
static const double TABLE_MEAN = 64; /* above: drawn one by one */

typedef struct stimulus {
    lw_stimulus_spec spec; /* lists are not kept */
    double *amplitude;     /* [n_local], NULL: all `constant`; Poisson: mean number of events per step */
    double constant;
    uint32_t key[2];
    uint32_t *bits;  /* [WORDS][n_local * width] random words of the group of steps */
    int64_t group;   /* its number, -1: none */
    int64_t drawn;   /* step of count or value, -1: none */
    int32_t *count;  /* [n_local, width] Poisson events */
    double *value;   /* [n_local, width] noise */
    uint32_t *table; /* [n_table] count = number of thresholds <= word; Poisson with one rate */
    int n_table;
    uint32_t *event_local; /* [n_events] own neurons of given spikes, by (step, neuron) */
    int64_t *event_step;
    int64_t n_events, cursor; /* cursor: first event not before the step last asked for */
} stimulus;

typedef struct engine_stimulus {
    int n;
    uint64_t seed;
    stimulus *item; /* [n] */
} engine_stimulus;

/* ------------------------------------------------------------------ random numbers */

/* Philox4x32-10 of GROUP counters under one key, in place. */
static void philox(
    const uint32_t key[2], uint32_t *restrict c0, uint32_t *restrict c1, uint32_t *restrict c2, uint32_t *restrict c3) {
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < GROUP; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            uint32_t x = (uint32_t)(b >> 32) ^ c1[i] ^ k0, y = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c0[i] = x;
            c1[i] = (uint32_t)b;
            c2[i] = y;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The words of all neurons and lanes for one group of steps. */
static void bits_draw(stimulus *s, const lw_pop_view *view, int64_t width, int64_t group) {
    int64_t n = view->n_local * width, neuron = 0, lane = 0;
    if (s->group == group) return;
    s->group = group;
    for (int64_t first = 0; first < n; first += GROUP) {
        int64_t here = n - first < GROUP ? n - first : GROUP;
        uint32_t c[WORDS][GROUP] = {{0}};
        for (int64_t i = 0; i < here; i++) {
            uint64_t a = (uint64_t)view->gid[neuron] | (uint64_t)lane << 40;
            c[0][i] = (uint32_t)a;
            c[1][i] = (uint32_t)(a >> 32);
            if (++lane == width) {
                lane = 0;
                neuron++;
            }
        }
        for (int i = 0; i < GROUP; i++) {
            c[2][i] = (uint32_t)group;
            c[3][i] = (uint32_t)((uint64_t)group >> 32);
        }
        philox(s->key, c[0], c[1], c[2], c[3]);
        for (int w = 0; w < WORDS; w++)
            memcpy(s->bits + w * n + first, c[w], (size_t)here * sizeof c[w][0]);
    }
}

/* ------------------------------------------------------------------ Poisson */

/* Inversion by one word u: the number of k with cdf(k) <= u / 2^32. Probabilities below 2^-32 are cut off. */
static int32_t poisson_invert(double mean, uint32_t u) {
    double p = exp(-mean), cdf = p, x = (double)u * 0x1p-32;
    int32_t k = 0, most = (int32_t)(mean + 12 * sqrt(mean) + 24);
    while (cdf <= x && k < most) {
        p *= mean / ++k;
        cdf += p;
    }
    return k;
}

/* Thresholds such that counting those <= u equals poisson_invert. */
static lw_err table_create(stimulus *s) {
    double mean = s->constant, p = exp(-mean), cdf = p;
    int32_t most = (int32_t)(mean + 12 * sqrt(mean) + 24);
    LW_TRY(lw_alloc(TABLE_MAX, sizeof *s->table, "a Poisson table", &s->table));
    LW_ASSERT(most <= TABLE_MAX);
    for (int32_t k = 0; k < most; k++) {
        double threshold = ceil(cdf * 0x1p32);
        if (threshold >= 0x1p32) break;
        s->table[s->n_table++] = (uint32_t)threshold;
        p *= mean / (k + 1);
        cdf += p;
    }
    return LW_OK;
}

static void table_count(const stimulus *s, int64_t n, const uint32_t *restrict u, int32_t *restrict count) {
    enum { BLOCK = 256 };
    for (int64_t first = 0; first < n; first += BLOCK) {
        int64_t here = n - first < BLOCK ? n - first : BLOCK;
        const uint32_t *restrict x = u + first;
        int32_t *restrict to = count + first;
        for (int64_t i = 0; i < here; i++)
            to[i] = 0;
        for (int k = 0; k < s->n_table; k++) {
            uint32_t threshold = s->table[k];
            for (int64_t i = 0; i < here; i++)
                to[i] += x[i] >= threshold;
        }
    }
}

static void poisson_draw(const engine_stimulus *all, int number, const lw_pop_view *view, int64_t width, int64_t t) {
    stimulus *s = &all->item[number];
    int64_t n = view->n_local * width;
    bits_draw(s, view, width, t / WORDS);
    const uint32_t *u = s->bits + t % WORDS * n;
    if (s->table) {
        table_count(s, n, u, s->count);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        double mean = s->amplitude ? s->amplitude[i / width] : s->constant;
        if (mean > TABLE_MEAN) {
            lw_stream stream = lw_stream_start(all->seed, LW_PURPOSE_POISSON,
                (uint64_t)view->gid[i / width] | (uint64_t)number << 48, (uint64_t)t | (uint64_t)(i % width) << 40);
            s->count[i] = (int32_t)lw_stream_poisson(&stream, mean);
        } else {
            s->count[i] = poisson_invert(mean, u[i]);
        }
    }
}

/* ------------------------------------------------------------------ noise */

/* Strictly inside (0, 1). */
static double unit(uint32_t low, uint32_t high) {
    return ((double)(((uint64_t)high << 32 | low) >> 12) + 0.5) * 0x1p-52;
}

/* Even steps take the cosine, odd ones the sine of the pair. */
static void noise_draw(stimulus *s, const lw_pop_view *view, int64_t width, int64_t t) {
    int64_t n = view->n_local * width;
    bits_draw(s, view, width, t / 2);
    const uint32_t *bits = s->bits;
    for (int64_t i = 0; i < n; i++) {
        double radius = sqrt(-2 * log(unit(bits[i], bits[n + i])));
        double angle = 6.283185307179586 * unit(bits[2 * n + i], bits[3 * n + i]);
        double mean = s->amplitude ? s->amplitude[i / width] : s->constant;
        s->value[i] = mean + s->spec.sd * radius * (t % 2 ? sin(angle) : cos(angle));
    }
}

/* ------------------------------------------------------------------ the phase */

static bool is_active(const stimulus *s, int64_t t) {
    return t >= s->spec.start && (s->spec.stop < 0 || t < s->spec.stop);
}

void engine_stimulus_draw(lw_sim *sim, int64_t t) {
    engine_stimulus *all = sim->stimulus;
    if (all->n == 0) return;
    double start = lw_time_now();
    for (int i = 0; i < all->n; i++) {
        stimulus *s = &all->item[i];
        const lw_pop_view *view = &sim->pop[s->spec.pop].view;
        if (!is_active(s, t) || s->drawn == t) continue;
        s->drawn = t;
        if (s->spec.kind == LW_STIMULUS_POISSON) poisson_draw(all, i, view, sim->width, t);
        if (s->spec.kind == LW_STIMULUS_NOISE) noise_draw(s, view, sim->width, t);
    }
    sim->stats.s_stimulus += lw_time_now() - start;
}

/* Events of step t: steps mostly come one after the other, else the place is found anew. */
static int64_t events_at(stimulus *s, int64_t t, const uint32_t **local) {
    if (s->cursor > 0 && s->event_step[s->cursor - 1] >= t) s->cursor = 0;
    while (s->cursor < s->n_events && s->event_step[s->cursor] < t)
        s->cursor++;
    int64_t end = s->cursor;
    while (end < s->n_events && s->event_step[end] == t)
        end++;
    *local = s->event_local + s->cursor;
    return end - s->cursor;
}

static void stimulus_add(lw_sim *sim, stimulus *s, int64_t t) {
    engine_pop *pop = &sim->pop[s->spec.pop];
    void *acc = pop->input[s->spec.port];
    int64_t n_local = pop->view.n_local, n = n_local * sim->width, n_events = 0;
    const uint32_t *local = NULL;
    switch (s->spec.kind) {
    case LW_STIMULUS_POISSON:
        if (sim->f64)
            add_counts_f64(n, s->spec.weight, s->count, acc);
        else
            add_counts_f32(n, s->spec.weight, s->count, acc);
        break;
    case LW_STIMULUS_CURRENT:
        if (sim->f64)
            add_current_f64(n_local, sim->width, s->amplitude, s->constant, acc);
        else
            add_current_f32(n_local, sim->width, s->amplitude, s->constant, acc);
        break;
    case LW_STIMULUS_NOISE:
        if (sim->f64)
            add_values_f64(n, s->value, acc);
        else
            add_values_f32(n, s->value, acc);
        break;
    case LW_STIMULUS_SPIKES:
        n_events = events_at(s, t, &local);
        if (sim->f64)
            add_events_f64(n_events, sim->width, local, s->spec.weight, acc);
        else
            add_events_f32(n_events, sim->width, local, s->spec.weight, acc);
        break;
    }
}

static void feed_add(lw_sim *sim, engine_pop *pop, int64_t t) {
    int64_t step = t - pop->feed_step;
    if (!pop->feed || step < 0 || step >= pop->feed_steps) return;
    const float *value = pop->feed + step * pop->feed_channels * sim->width;
    void *acc = pop->input[pop->feed_port];
    if (sim->f64)
        add_feed_f64(&pop->view, sim->width, value, acc);
    else
        add_feed_f32(&pop->view, sim->width, value, acc);
}

void engine_stimulus_add(lw_sim *sim, int p, int64_t t) {
    engine_stimulus *all = sim->stimulus;
    engine_stimulus_draw(sim, t);
    for (int i = 0; i < all->n; i++)
        if (all->item[i].spec.pop == p && is_active(&all->item[i], t)) stimulus_add(sim, &all->item[i], t);
    feed_add(sim, &sim->pop[p], t);
}

lw_err lw_sim_feed(lw_sim *sim, int pop, int port, const float *values, int64_t n_steps, int64_t n_channels) {
    LW_CHECK(
        pop >= 0 && pop < sim->n_pop, LW_EUSE, "population %d to be fed does not exist; there are %d", pop, sim->n_pop);
    engine_pop *p = &sim->pop[pop];
    LW_CHECK(port >= 0 && port < p->model->n_input, LW_EUSE,
        "port %d of population \"%s\" does not exist; model %s has %d", port, p->view.name, p->model->name,
        p->model->n_input);
    LW_CHECK(!values || n_channels == p->view.size, LW_EUSE,
        "%" PRId64 " channels were given to population \"%s\" of %" PRId64 " neurons; the numbers must be equal",
        n_channels, p->view.name, p->view.size);
    p->feed = values;
    p->feed_step = sim->step;
    p->feed_steps = n_steps;
    p->feed_channels = n_channels;
    p->feed_port = port;
    return LW_OK;
}

/* ------------------------------------------------------------------ creation */

static const char *const KINDS[] = {"poisson", "current", "noise", "spikes"};

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

static lw_err item_create(lw_sim *sim, int number, const lw_stimulus_spec *spec) {
    engine_stimulus *all = sim->stimulus;
    stimulus *s = &all->item[number];
    LW_TRY(spec_check(sim, number, spec));
    s->spec = *spec;
    s->group = s->drawn = -1;
    if (spec->kind == LW_STIMULUS_SPIKES) return spikes_create(sim, number, s);
    LW_TRY(amplitude_create(sim, number, s, all->seed));
    if (spec->kind == LW_STIMULUS_CURRENT) return LW_OK;
    bool poisson = spec->kind == LW_STIMULUS_POISSON;
    size_t n = (size_t)sim->pop[spec->pop].view.n_local * (size_t)sim->width;
    uint32_t words[WORDS];
    lw_rng_bits(all->seed, poisson ? LW_PURPOSE_POISSON : LW_PURPOSE_NOISE, (uint64_t)number, UINT64_MAX, 0, words);
    s->key[0] = words[0];
    s->key[1] = words[1];
    LW_TRY(lw_alloc(n * WORDS, sizeof *s->bits, "random numbers of a stimulus", &s->bits));
    if (!poisson) return lw_alloc(n, sizeof *s->value, "noise of a stimulus", &s->value);
    if (!s->amplitude && s->constant <= TABLE_MEAN) LW_TRY(table_create(s));
    return lw_alloc(n, sizeof *s->count, "events of a stimulus", &s->count);
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
        lw_free(s->bits);
        lw_free(s->count);
        lw_free(s->value);
        lw_free(s->table);
        lw_free(s->event_local);
        lw_free(s->event_step);
    }
    lw_free(all->item);
    lw_free(all);
    sim->stimulus = NULL;
}
