/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_stimuli.c: the section `inputs`: Poisson events, currents, noise and given spikes, steady or changing with
 * time.
 */
#include "experiment.h"

#include <math.h>
#include <string.h>

static lw_err spikes(reader *r, const yaml_tree_node *node, int64_t size, lw_stimulus_spec *s) {
    static const char *const keys[] = {"neurons", "times", NULL};
    LW_TRY(yaml_expect_map(node, keys));
    const yaml_tree_node *neurons = yaml_get(node, "neurons"), *times = yaml_get(node, "times");
    if (!neurons || !times) return yaml_fail(node, "a map with the lists \"neurons\" and \"times\"");
    LW_TRY(yaml_expect_list(neurons));
    LW_TRY(yaml_expect_list(times));
    if (neurons->n != times->n) return yaml_fail(times, "%d times, as many as neurons", neurons->n);
    int64_t *who = yaml_tree_keep(r->tree, (size_t)neurons->n * sizeof *who + 8),
            *when = yaml_tree_keep(r->tree, (size_t)times->n * sizeof *when + 8);
    if (!who || !when) return LW_EMEM;
    for (int i = 0; i < neurons->n; i++) {
        double ms;
        LW_TRY(yaml_node_int(neurons->child[i], 0, size - 1, &who[i]));
        LW_TRY(yaml_node_real(times->child[i], "ms", 0, 1e15, &ms));
        when[i] = llround(ms / r->x->net.dt);
    }
    s->spike_neuron = who;
    s->spike_step = when;
    s->n_spikes = neurons->n;
    return LW_OK;
}

/* The lists `times` and `values_key`: what holds from each time to the next. */
static lw_err changes(
    reader *r, const yaml_tree_node *map, const char *values_key, const char *unit, double lo, lw_stimulus_spec *s) {
    const char *const keys[] = {"times", values_key, NULL};
    LW_TRY(yaml_expect_map(map, keys));
    const yaml_tree_node *times = yaml_get(map, "times"), *values = yaml_get(map, values_key);
    if (!times || !values) return yaml_fail(map, "a map with the lists \"times\" and \"%s\"", values_key);
    LW_TRY(yaml_expect_list(times));
    LW_TRY(yaml_expect_list(values));
    if (values->n != times->n) return yaml_fail(values, "%d values, as many as times", times->n);
    int64_t *when = yaml_tree_keep(r->tree, (size_t)times->n * sizeof *when + 8);
    double *what = yaml_tree_keep(r->tree, (size_t)times->n * sizeof *what + 8);
    if (!when || !what) return LW_EMEM;
    for (int i = 0; i < times->n; i++) {
        double ms;
        LW_TRY(yaml_node_real(times->child[i], "ms", 0, 1e15, &ms));
        LW_TRY(yaml_node_real(values->child[i], unit, lo, INFINITY, &what[i]));
        when[i] = llround(ms / r->x->net.dt);
        if (i > 0 && when[i] <= when[i - 1]) return yaml_fail(times->child[i], "a step after that of the time before");
    }
    s->change_step = when;
    s->change_value = what;
    s->n_changes = times->n;
    return LW_OK;
}

/* mean_key + amplitude sin(2 pi frequency t + phase) */
static lw_err wave(reader *r, const yaml_tree_node *map, const char *mean_key, const char *unit, lw_stimulus_spec *s) {
    const char *const keys[] = {mean_key, "amplitude", "frequency", "phase", NULL};
    double degrees = 0;
    LW_TRY(yaml_expect_map(map, keys));
    if (yaml_get(map, mean_key)) LW_TRY(yaml_dist(r->tree, yaml_get(map, mean_key), unit, 0, &s->amplitude));
    LW_TRY(yaml_real(map, "amplitude", true, unit, -INFINITY, INFINITY, &s->wave));
    LW_TRY(yaml_real(map, "frequency", true, "kHz", 0, INFINITY, &s->wave_frequency));
    LW_TRY(yaml_real(map, "phase", false, "", -1e6, 1e6, &degrees));
    s->wave_phase = degrees / 360;
    return LW_OK;
}

/* A value per neuron, a list of changes, or a wave. */
static lw_err level(reader *r, const yaml_tree_node *what, const char *unit, bool rate, lw_stimulus_spec *s) {
    if (what->kind != YAML_MAP) return yaml_dist(r->tree, what, unit, 0, &s->amplitude);
    if (yaml_get(what, "times")) return changes(r, what, rate ? "rates" : "amplitudes", unit, rate ? 0 : -INFINITY, s);
    if (yaml_get(what, "amplitude")) return wave(r, what, rate ? "rate" : "offset", unit, s);
    return yaml_fail(what, rate ? "a rate, {times, rates} or {rate, amplitude, frequency, phase}"
                                : "a current, {times, amplitudes} or {offset, amplitude, frequency, phase}");
}

static lw_err noise(reader *r, const yaml_tree_node *what, const char *unit, lw_stimulus_spec *s) {
    static const char *const keys[] = {"mean", "sd", "every", NULL};
    s->every = 1;
    LW_TRY(yaml_expect_map(what, keys));
    if (yaml_get(what, "mean")) LW_TRY(yaml_dist(r->tree, yaml_get(what, "mean"), unit, 0, &s->amplitude));
    LW_TRY(reader_steps(r, what, "every", 1, &s->every));
    return yaml_real(what, "sd", true, unit, 0, INFINITY, &s->sd);
}

static lw_err input(reader *r, const yaml_tree_node *map, int32_t pop, lw_stimulus_spec *s) {
    static const char *const keys[] = {
        "to", "port", "poisson", "current", "noise", "spikes", "uniform", "weight", "start", "stop", NULL};
    static const char *const kinds[] = {"poisson", "current", "noise", "spikes", "uniform"};
    memset(s, 0, sizeof *s);
    s->pop = pop;
    s->stop = -1;
    s->weight = 1;
    s->amplitude = lw_dist_number(0);
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(reader_port(r, map, pop, &s->port));
    const char *unit = r->pop[pop].model->input[s->port].unit;
    const yaml_tree_node *what = NULL;
    for (int k = 0; k < 5; k++) {
        const yaml_tree_node *node = yaml_get(map, kinds[k]);
        if (!node) continue;
        if (what) return yaml_fail(map, "one of poisson, current, noise, spikes, uniform");
        what = node;
        s->kind = (lw_stimulus_kind)k;
    }
    if (!what) return yaml_fail(map, "one of poisson, current, noise, spikes, uniform");
    if (yaml_get(map, "weight")) LW_TRY(yaml_real(map, "weight", false, unit, -INFINITY, INFINITY, &s->weight));
    LW_TRY(reader_steps(r, map, "start", 0, &s->start));
    LW_TRY(reader_steps(r, map, "stop", 0, &s->stop));
    switch (s->kind) {
    case LW_STIMULUS_POISSON:
        LW_TRY(level(r, what, "kHz", true, s));
        if (s->amplitude.kind == LW_DIST_CONSTANT && s->amplitude.p[0] < 0) return yaml_fail(what, "a rate >= 0");
        break;
    case LW_STIMULUS_CURRENT:
        LW_TRY(level(r, what, unit, false, s));
        break;
    case LW_STIMULUS_NOISE:
        LW_TRY(noise(r, what, unit, s));
        break;
    case LW_STIMULUS_UNIFORM:
        LW_TRY(yaml_dist(r->tree, what, unit, 0, &s->amplitude));
        break;
    case LW_STIMULUS_SPIKES:
        LW_TRY(spikes(r, what, r->pop[pop].size, s));
        break;
    }
    if (s->amplitude.kind == LW_DIST_LIST && s->amplitude.n_list != r->pop[pop].size)
        return yaml_fail(what, "a list of %lld values, one per neuron", (long long)r->pop[pop].size);
    return LW_OK;
}

lw_err experiment_stimuli(reader *r) {
    const yaml_tree_node *list = yaml_get(r->root, "inputs");
    lw_stimulus_spec *s = NULL;
    if (!list) return LW_OK;
    LW_TRY(yaml_expect_list(list));
    int total = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass) {
            s = yaml_tree_keep(r->tree, (size_t)total * sizeof *s + 8);
            if (!s) return LW_EMEM;
        }
        for (int i = 0, at = 0; i < list->n; i++) {
            const int32_t *to;
            int n;
            const yaml_tree_node *map = list->child[i];
            if (!yaml_get(map, "to")) return yaml_fail(map, "an input with a key \"to\"");
            LW_TRY(reader_populations(r, yaml_get(map, "to"), &to, &n));
            if (!pass) total += n;
            for (int k = 0; pass && k < n; k++)
                LW_TRY(input(r, map, to[k], &s[at++]));
        }
    }
    r->x->stimulus = s;
    r->x->n_stimuli = total;
    return LW_OK;
}
