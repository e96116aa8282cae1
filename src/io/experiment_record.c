/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_record.c: the sections `record` and `statistics`: what a simulation keeps, and what it counts without
 * keeping it.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* `neurons`: the first so many, or a list; `fraction`: evenly spread. */
static lw_err choice(reader *r, const yaml_tree_node *map, int64_t size, lw_choice *out) {
    const yaml_tree_node *neurons = yaml_get(map, "neurons"), *fraction = yaml_get(map, "fraction");
    if (neurons && fraction) return yaml_fail(fraction, "one of neurons and fraction");
    if (fraction) {
        double part = 1;
        LW_TRY(yaml_node_real(fraction, "", 0, 1, &part));
        *out = (lw_choice){.kind = LW_CHOICE_SPREAD, .n = llround(part * (double)size)};
        if (out->n == 0) out->n = 1;
        return LW_OK;
    }
    if (!neurons) return LW_OK;
    if (neurons->kind != YAML_LIST) {
        out->kind = LW_CHOICE_FIRST;
        return yaml_node_int(neurons, 1, INT64_MAX, &out->n);
    }
    int64_t *index = yaml_tree_keep(r->tree, (size_t)neurons->n * sizeof *index + 8);
    if (!index) return LW_EMEM;
    for (int i = 0; i < neurons->n; i++) {
        LW_TRY(yaml_node_int(neurons->child[i], 0, size - 1, &index[i]));
        if (i > 0 && index[i] <= index[i - 1]) return yaml_fail(neurons->child[i], "an ascending list");
    }
    *out = (lw_choice){.kind = LW_CHOICE_LIST, .n = neurons->n, .index = index};
    return LW_OK;
}

static lw_err keep(reader *r, const yaml_tree_node *map, int32_t pop, lw_record_spec *out) {
    *out = lw_record_spec_default();
    LW_TRY(choice(r, map, r->pop[pop].size, &out->who));
    LW_TRY(reader_steps(r, map, "start", 0, &out->start));
    return reader_steps(r, map, "stop", 0, &out->stop);
}

/* A population's name, or a map with it and what is kept of it. */
static lw_err spikes_of(reader *r, const yaml_tree_node *node, uint8_t *flags, lw_record_spec *specs) {
    static const char *const keys[] = {"population", "neurons", "fraction", "start", "stop", NULL};
    const yaml_tree_node *name = node;
    int32_t pop = 0;
    if (node->kind == YAML_MAP) {
        LW_TRY(yaml_expect_map(node, keys));
        name = yaml_get(node, "population");
    }
    if (!name || name->kind != YAML_SCALAR)
        return yaml_fail(node, "a population, or {population, neurons, fraction, start, stop}");
    LW_TRY(reader_population(r, name, name->text, &pop));
    if (!r->pop[pop].model->emits_spikes)
        return yaml_fail(name, "populations that spike; %s does not", r->pop[pop].name);
    if (flags[pop]) return yaml_fail(name, "each population once");
    flags[pop] = 1;
    return node->kind == YAML_MAP ? keep(r, node, pop, &specs[pop]) : LW_OK;
}

static lw_err spikes(reader *r, const yaml_tree_node *node) {
    size_t n_pop = (size_t)r->x->net.n_pop;
    uint8_t *flags = yaml_tree_keep(r->tree, n_pop + 8);
    lw_record_spec *specs = yaml_tree_keep(r->tree, n_pop * sizeof *specs + 8);
    if (!flags || !specs) return LW_EMEM;
    r->x->record_spikes = flags;
    r->x->spike_keep = specs;
    for (size_t p = 0; p < n_pop; p++)
        specs[p] = lw_record_spec_default();
    if (!node) return LW_OK;
    if (node->kind != YAML_LIST) return spikes_of(r, node, flags, specs);
    for (int i = 0; i < node->n; i++)
        LW_TRY(spikes_of(r, node->child[i], flags, specs));
    return LW_OK;
}

/* `variable` is a name or a list of names: one trace each. */
static lw_err traces_of(reader *r, const yaml_tree_node *node, lw_trace_spec *t, int *n) {
    static const char *const keys[] = {"population", "variable", "every", "neurons", "fraction", "start", "stop", NULL};
    const char *name = NULL;
    lw_trace_spec common = {.every = 1};
    LW_TRY(yaml_expect_map(node, keys));
    LW_TRY(yaml_text(node, "population", true, &name));
    LW_TRY(reader_population(r, yaml_get(node, "population"), name, &common.pop));
    const lw_population_spec *pop = &r->pop[common.pop];
    const yaml_tree_node *variable = yaml_get(node, "variable");
    if (!variable) LW_TRY(yaml_text(node, "variable", true, &name));
    LW_TRY(reader_steps(r, node, "every", 1, &common.every));
    LW_TRY(keep(r, node, common.pop, &common.keep));
    *n = variable->kind == YAML_LIST ? variable->n : 1;
    for (int i = 0; i < *n && t; i++) {
        const yaml_tree_node *one = variable->kind == YAML_LIST ? variable->child[i] : variable;
        t[i] = common;
        t[i].state = one->kind == YAML_SCALAR ? lw_model_state_find(pop->model, one->text) : -1;
        if (t[i].state < 0) return yaml_fail(one, "a state variable of model %s", pop->model->name);
    }
    return LW_OK;
}

static lw_err traces(reader *r, const yaml_tree_node *list) {
    lw_trace_spec *t = NULL;
    int total = 0;
    if (!list) return LW_OK;
    LW_TRY(yaml_expect_list(list));
    for (int pass = 0; pass < 2; pass++) {
        if (pass) t = yaml_tree_keep(r->tree, (size_t)total * sizeof *t + 8);
        if (pass && !t) return LW_EMEM;
        for (int i = 0, at = 0, n = 0; i < list->n; i++, at += n) {
            LW_TRY(traces_of(r, list->child[i], t ? t + at : NULL, &n));
            if (!pass) total += n;
        }
    }
    r->x->trace = t;
    r->x->n_traces = total;
    return LW_OK;
}

static lw_err rates(reader *r, const yaml_tree_node *map) {
    static const char *const keys[] = {"populations", "every", NULL};
    const yaml_tree_node *names = map ? yaml_get(map, "populations") : NULL;
    uint8_t *flags = yaml_tree_keep(r->tree, (size_t)r->x->net.n_pop + 8);
    const int32_t *pops = NULL;
    int n = 0;
    if (!flags) return LW_EMEM;
    r->x->record_rates = flags;
    if (!map) return LW_OK;
    LW_TRY(yaml_expect_map(map, keys));
    r->x->rates_every = llround(1 / r->x->net.dt);
    if (r->x->rates_every < 1) r->x->rates_every = 1;
    LW_TRY(reader_steps(r, map, "every", 1, &r->x->rates_every));
    if (names) LW_TRY(reader_populations(r, names, &pops, &n));
    for (int p = 0; p < r->x->net.n_pop && !names; p++)
        flags[p] = r->pop[p].model->emits_spikes;
    for (int i = 0; i < n; i++) {
        if (!r->pop[pops[i]].model->emits_spikes)
            return yaml_fail(names, "populations that spike; %s does not", r->pop[pops[i]].name);
        flags[pops[i]] = 1;
    }
    return LW_OK;
}

static lw_err statistics(reader *r, const yaml_tree_node *map) {
    static const char *const keys[] = {"from", "bin", "pair_bin", "sample", "least_spikes", NULL};
    double dt = r->x->net.dt;
    lw_activity_spec *s = &r->x->statistics;
    if (!map) return LW_OK;
    LW_TRY(yaml_expect_map(map, keys));
    r->x->has_statistics = true;
    *s = (lw_activity_spec){.from = 0,
        .bin = dt < 3 ? llround(3 / dt) : 1,
        .pair_bin = dt < 2 ? llround(2 / dt) : 1,
        .sample = 200,
        .least = 10};
    LW_TRY(reader_steps(r, map, "from", 0, &s->from));
    LW_TRY(reader_steps(r, map, "bin", 1, &s->bin));
    LW_TRY(reader_steps(r, map, "pair_bin", 1, &s->pair_bin));
    LW_TRY(yaml_int(map, "sample", false, 0, LW_ACTIVITY_SAMPLE_MAX, &s->sample));
    return yaml_int(map, "least_spikes", false, 2, INT64_MAX, &s->least);
}

static lw_err weights_of(reader *r, const yaml_tree_node *node, lw_weight_spec *w) {
    static const char *const keys[] = {"projection", "every", "neurons", "fraction", NULL};
    const lw_net_spec *net = &r->x->net;
    const char *name = NULL;
    char all[400] = "";
    LW_TRY(yaml_expect_map(node, keys));
    LW_TRY(yaml_text(node, "projection", true, &name));
    w->proj = -1;
    for (int32_t k = 0; k < net->n_proj; k++) {
        const lw_projection_spec *proj = &net->proj[k];
        char own[300];
        size_t used = strlen(all);
        snprintf(own, sizeof own, "%s_%s", r->pop[proj->pre].name, r->pop[proj->post].name);
        if (!proj->synapse) continue;
        if (!strcmp(name, proj->name ? proj->name : own) && w->proj < 0) w->proj = k;
        snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", proj->name ? proj->name : own);
    }
    if (w->proj < 0)
        return yaml_fail(yaml_get(node, "projection"), "a projection with a synapse model (%s)", all[0] ? all : "none");
    w->every = 0;
    LW_TRY(reader_steps(r, node, "every", 1, &w->every));
    if (w->every == 0) return yaml_fail(node, "a key \"every\" with the time between samples");
    return choice(r, node, r->pop[net->proj[w->proj].post].size, &w->who);
}

static lw_err weights(reader *r, const yaml_tree_node *list) {
    if (!list) return LW_OK;
    LW_TRY(yaml_expect_list(list));
    lw_weight_spec *w = yaml_tree_keep(r->tree, (size_t)list->n * sizeof *w + 8);
    if (!w) return LW_EMEM;
    memset(w, 0, (size_t)list->n * sizeof *w);
    for (int i = 0; i < list->n; i++) {
        LW_TRY(weights_of(r, list->child[i], &w[i]));
        for (int k = 0; k < i; k++)
            if (w[k].proj == w[i].proj) return yaml_fail(list->child[i], "each projection once");
    }
    r->x->weights = w;
    r->x->n_weights = list->n;
    return LW_OK;
}

lw_err experiment_record(reader *r) {
    static const char *const keys[] = {"spikes", "traces", "rates", "weights", NULL};
    const yaml_tree_node *map = yaml_get(r->root, "record");
    if (map) LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(spikes(r, yaml_get(map, "spikes")));
    LW_TRY(traces(r, yaml_get(map, "traces")));
    LW_TRY(rates(r, yaml_get(map, "rates")));
    LW_TRY(weights(r, map ? yaml_get(map, "weights") : NULL));
    return statistics(r, yaml_get(r->root, "statistics"));
}
