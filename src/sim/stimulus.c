/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stimuli: Poisson events, currents, noise, given spikes, and values fed from outside are added to the inputs of a
 * range of neurons. Nothing here depends on the ranges. Random numbers come from stimulus_draw.c, stimuli are made in
 * stimulus_create.c.
 */
#include <inttypes.h>
#include "stimulus.h"

enum { BLOCK = ENGINE_STIMULUS_BLOCK };

#define REAL float
#define LW_T(name) name##_f32
#include "stimulus_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "stimulus_typed.c"

static bool is_active(const stimulus *s, int64_t t) {
    return t >= s->spec.start && (s->spec.stop < 0 || t < s->spec.stop);
}
static bool is_drawn(const stimulus *s) {
    return s->spec.kind == LW_STIMULUS_POISSON || s->spec.kind == LW_STIMULUS_NOISE ||
           s->spec.kind == LW_STIMULUS_UNIFORM;
}

/* First event that is not before (step, local neuron). */
static int64_t event_first(const stimulus *s, int64_t step, int64_t local) {
    int64_t lo = 0, hi = s->n_events;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (s->event_step[mid] < step || (s->event_step[mid] == step && s->event_local[mid] < local))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool engine_has_stimuli(const lw_sim *sim, int p) {
    for (int i = 0; i < sim->stimulus->n; i++)
        if (sim->stimulus->item[i].spec.pop == p) return true;
    return false;
}

const float *engine_feed(const lw_sim *sim, int p, int port, int64_t t, int64_t n_steps) {
    const engine_pop *pop = &sim->pop[p];
    int64_t first = t - pop->feed_step;
    if (!pop->feed || pop->feed_port != port || first < 0 || first + n_steps > pop->feed_steps) return NULL;
    return pop->feed + first * pop->feed_channels * sim->width;
}

static void stimulus_add(lw_sim *sim, stimulus *s, int64_t t, int64_t first, int64_t last) {
    engine_pop *pop = &sim->pop[s->spec.pop];
    void *acc = pop->input[s->spec.port];
    if (s->spec.kind == LW_STIMULUS_SPIKES) {
        int64_t begin = event_first(s, t, first), end = event_first(s, t, last);
        if (sim->f64)
            add_events_f64(end - begin, sim->width, s->event_local + begin, s->spec.weight, acc);
        else
            add_events_f32(end - begin, sim->width, s->event_local + begin, s->spec.weight, acc);
        return;
    }
    if (is_drawn(s)) stimulus_draw(s, &pop->view, sim->width, t, first * sim->width, last * sim->width);
    if (sim->f64)
        add_f64(sim, s, t, first, last, acc);
    else
        add_f32(sim, s, t, first, last, acc);
}

static void feed_add(lw_sim *sim, engine_pop *pop, int64_t t, int64_t first, int64_t last) {
    int64_t step = t - pop->feed_step;
    if (!pop->feed || step < 0 || step >= pop->feed_steps) return;
    const float *value = pop->feed + step * pop->feed_channels * sim->width;
    void *acc = pop->input[pop->feed_port];
    if (sim->f64)
        add_feed_f64(&pop->view, sim->width, value, first, last, acc);
    else
        add_feed_f32(&pop->view, sim->width, value, first, last, acc);
}

void engine_stimulus_draw(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last) {
    engine_stimulus *all = sim->stimulus;
    LW_ASSERT(first % BLOCK == 0);
    for (int i = 0; i < all->n; i++) {
        stimulus *s = &all->item[i];
        if (s->spec.pop == p && is_active(s, t) && is_drawn(s))
            stimulus_draw(s, &sim->pop[p].view, sim->width, t, first * sim->width, last * sim->width);
    }
}

void engine_stimulus_add(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last) {
    engine_stimulus *all = sim->stimulus;
    LW_ASSERT(first % BLOCK == 0);
    for (int i = 0; i < all->n; i++)
        if (all->item[i].spec.pop == p && is_active(&all->item[i], t)) stimulus_add(sim, &all->item[i], t, first, last);
    feed_add(sim, &sim->pop[p], t, first, last);
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
