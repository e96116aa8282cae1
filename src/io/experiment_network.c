/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_network.c: the sections `populations` and `projections`.
 */
#include "edge_file.h"
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A user's model: the text is checked, derived, compiled by the system's compiler and kept in a cache folder by its
 * content. */
static lw_err load_model(const reader *r, const yaml_tree_node *node, const char *path, const lw_model **out) {
    char full[4096];
    lw_model_source *source = NULL;
    lw_err err = lw_model_parse_file(experiment_beside(r->x, path, full, sizeof full), &source);
    if (err == LW_OK) err = lw_model_load(source, NULL, out);
    if (err != LW_OK) lw_err_context("%s:%d", node->file, node->line);
    lw_model_source_destroy(&source);
    return err;
}

static lw_err find_model(const reader *r, const yaml_tree_node *map, lw_population_spec *pop) {
    const char *name = NULL;
    char all[400] = "";
    LW_TRY(yaml_text(map, "model", true, &name));
    size_t length = strlen(name);
    if (length > 6 && !strcmp(name + length - 6, ".model"))
        return load_model(r, yaml_get(map, "model"), name, &pop->model);
    pop->model = lw_model_builtin(name);
    if (pop->model) return LW_OK;
    for (int i = 0; i < lw_model_builtin_count(); i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", lw_model_builtin_at(i)->name);
    }
    return yaml_fail(yaml_get(map, "model"), "a file NAME.model, or one of %s", all);
}

static lw_err population_params(reader *r, const yaml_tree_node *map, lw_population_spec *pop) {
    const yaml_tree_node *params = yaml_get(map, "params");
    if (!params) return LW_OK;
    const lw_model *m = pop->model;
    const char *names[65];
    LW_ASSERT(m->n_param <= 64);
    for (int i = 0; i < m->n_param; i++)
        names[i] = m->param[i].name;
    names[m->n_param] = NULL;
    LW_TRY(yaml_expect_map(params, names));
    for (int i = 0; i < params->n; i++) {
        const yaml_tree_node *node = params->child[i];
        int p = lw_model_param_find(m, node->key);
        lw_dist *d = (lw_dist *)(uintptr_t)&pop->param[p];
        LW_TRY(yaml_dist(r->tree, node, m->param[p].unit, 0, d));
        if (d->kind == LW_DIST_LIST && d->n_list != pop->size)
            return yaml_fail(node, "a list of %lld values, one per neuron", (long long)pop->size);
        for (int64_t k = 0; k < (d->kind == LW_DIST_LIST ? d->n_list : d->kind == LW_DIST_CONSTANT ? 1 : 0); k++) {
            if (lw_model_param_check(m, p, d->kind == LW_DIST_LIST ? d->list[k] : d->p[0]) == LW_OK) continue;
            char why[300];
            snprintf(why, sizeof why, "%s", lw_err_message());
            lw_err_clear();
            return yaml_fail(node, "a value in the domain (%s)", why);
        }
        if (d->kind != LW_DIST_CONSTANT && d->kind != LW_DIST_LIST && isinf(d->lo) && isinf(d->hi)) {
            /* draws must lie in the domain of the parameter */
            d->lo = lw_model_param_clamp(m, p, -INFINITY);
            d->hi = lw_model_param_clamp(m, p, INFINITY);
        }
    }
    return LW_OK;
}

static lw_err population_init(
    reader *r, const yaml_tree_node *map, lw_population_spec *pop, lw_dist *init, uint8_t *has) {
    const yaml_tree_node *node = yaml_get(map, "init");
    if (!node) return LW_OK;
    const lw_model *m = pop->model;
    LW_TRY(yaml_expect_map(node, NULL));
    for (int i = 0; i < node->n; i++) {
        int s = lw_model_state_find(m, node->child[i]->key);
        if (s < 0) return yaml_fail(node->child[i], "a state variable of model %s", m->name);
        LW_TRY(yaml_dist(r->tree, node->child[i], m->state[s].unit, 0, &init[s]));
        if (init[s].kind == LW_DIST_LIST && init[s].n_list != pop->size)
            return yaml_fail(node->child[i], "a list of %lld values, one per neuron", (long long)pop->size);
        has[s] = 1;
    }
    return LW_OK;
}

static lw_err population(reader *r, const yaml_tree_node *map, int index) {
    static const char *const keys[] = {"model", "size", "params", "init", "learn", "like", "positions", "shape", NULL};
    lw_population_spec *pop = &r->pop[index];
    pop->name = map->key;
    LW_TRY(yaml_expect_map(map, keys));
    const char *like = NULL;
    LW_TRY(yaml_text(map, "like", false, &like));
    const lw_population_spec *base = NULL;
    for (int p = 0; like && p < index; p++)
        if (!strcmp(r->pop[p].name, like)) base = &r->pop[p];
    if (like && !base) return yaml_fail(yaml_get(map, "like"), "a population that stands above this one");
    if (base && !yaml_get(map, "model"))
        pop->model = base->model;
    else
        LW_TRY(find_model(r, map, pop));
    if (base && base->model != pop->model)
        return yaml_fail(yaml_get(map, "like"), "a population of the same model %s", pop->model->name);
    if (base) pop->size = base->size;
    if (base) memcpy(pop->shape, base->shape, sizeof pop->shape);
    LW_TRY(experiment_shape(map, pop));
    LW_TRY(yaml_int(map, "size", !base && !pop->shape[0], 1, (int64_t)1 << 40, &pop->size));
    LW_TRY(experiment_shape_check(map, pop));

    const lw_model *m = pop->model;
    lw_dist *param = yaml_tree_keep(r->tree, (size_t)m->n_param * sizeof *param + 8);
    lw_dist *init = yaml_tree_keep(r->tree, (size_t)m->n_state * sizeof *init + 8);
    uint8_t *has = yaml_tree_keep(r->tree, (size_t)m->n_state + 8),
            *learn = yaml_tree_keep(r->tree, (size_t)m->n_param + 8);
    if (!param || !init || !has || !learn) return LW_EMEM;
    for (int i = 0; i < m->n_param; i++) {
        param[i] = base ? base->param[i] : lw_dist_number(m->param[i].value);
        learn[i] = base ? base->learn[i] : 0;
    }
    for (int i = 0; i < m->n_state; i++) {
        init[i] = base ? base->init[i] : lw_dist_number(0);
        has[i] = base ? base->has_init[i] : 0;
    }
    if (base) pop->layout = base->layout;
    LW_TRY(experiment_positions(r, map, pop->size, &pop->layout));
    pop->param = param;
    pop->init = init;
    pop->has_init = has;
    pop->learn = learn;
    LW_TRY(population_params(r, map, pop));
    LW_TRY(population_init(r, map, pop, init, has));
    const yaml_tree_node *list = yaml_get(map, "learn");
    if (list) LW_TRY(yaml_expect_list(list));
    for (int i = 0; list && i < list->n; i++) {
        int p = list->child[i]->kind == YAML_SCALAR ? lw_model_param_find(m, list->child[i]->text) : -1;
        if (p < 0) return yaml_fail(list->child[i], "a parameter of model %s", m->name);
        learn[p] = 1;
    }
    return LW_OK;
}

static lw_err rule(
    reader *r, const yaml_tree_node *map, lw_projection_spec *proj, int64_t n_pre, int64_t n_post, double *fan_in) {
    const char *text = "all_to_all";
    yaml_call call;
    LW_TRY(yaml_text(map, "rule", true, &text));
    const yaml_tree_node *node = yaml_get(map, "rule");
    LW_TRY(yaml_call_parse(r->tree, node, text, &call));
    static const struct {
        const char *name, *args; /* i integer, p and q probabilities (within, outside) */
        lw_rule rule;
    } rules[] = {{"all_to_all", "", LW_RULE_ALL_TO_ALL}, {"one_to_one", "", LW_RULE_ONE_TO_ONE},
        {"fixed_indegree", "i", LW_RULE_FIXED_INDEGREE}, {"fixed_outdegree", "i", LW_RULE_FIXED_OUTDEGREE},
        {"fixed_total_number", "i", LW_RULE_FIXED_TOTAL_NUMBER},
        {"pairwise_bernoulli", "p", LW_RULE_PAIRWISE_BERNOULLI}, {"small_world", "ip", LW_RULE_SMALL_WORLD},
        {"clustered", "ipq", LW_RULE_CLUSTERED}, {"edges", "", LW_RULE_EDGES}, {"conv2d", "", LW_RULE_WINDOW},
        {"local2d", "", LW_RULE_WINDOW}, {"sum_pool", "", LW_RULE_WINDOW}, {"average_pool", "", LW_RULE_WINDOW},
        {"max_pool", "", LW_RULE_WINDOW}};
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        if (strcmp(call.name, rules[k].name)) continue;
        proj->rule = rules[k].rule;
        LW_TRY(experiment_chance(r, map, proj));
        bool by_distance = proj->rule == LW_RULE_PAIRWISE_BERNOULLI && proj->p_of.kind != LW_PROFILE_NONE;
        if (by_distance && call.n == 0) {
            *fan_in = 0; /* differs from neuron to neuron */
            return LW_OK;
        }
        if (call.n != (int)strlen(rules[k].args))
            return yaml_fail(node, "%s with %d arguments", call.name, (int)strlen(rules[k].args));
        for (int a = 0; a < call.n; a++) {
            double v;
            LW_TRY(yaml_quantity(node, call.arg[a], "", &v));
            if (rules[k].args[a] != 'i') {
                if (!(v >= 0 && v <= 1)) return yaml_fail(node, "a probability from 0 to 1");
                *(rules[k].args[a] == 'p' ? &proj->p : &proj->p_out) = v;
            } else {
                if (!(v >= 0 && v == floor(v) && v < 1e15)) return yaml_fail(node, "a whole number >= 0");
                proj->n = (int64_t)v;
            }
        }
        if (proj->rule == LW_RULE_WINDOW) LW_TRY(experiment_window(r, map, call.name, proj));
        double in[] = {[LW_RULE_ALL_TO_ALL] = (double)n_pre,
            [LW_RULE_ONE_TO_ONE] = 1,
            [LW_RULE_FIXED_INDEGREE] = (double)proj->n,
            [LW_RULE_FIXED_OUTDEGREE] = (double)proj->n * (double)n_pre / (double)n_post,
            [LW_RULE_FIXED_TOTAL_NUMBER] = (double)proj->n / (double)n_post,
            [LW_RULE_PAIRWISE_BERNOULLI] = proj->p * (double)n_pre,
            [LW_RULE_SMALL_WORLD] = (double)proj->n,
            [LW_RULE_EDGES] = 0,
            [LW_RULE_WINDOW] = (double)proj->window.kernel[0] * proj->window.kernel[1] *
                               (proj->window.same_channel ? 1 : proj->window.in[0]),
            [LW_RULE_CLUSTERED] = (proj->p_out + (proj->p - proj->p_out) / fmax(1, (double)proj->n)) * (double)n_pre};
        *fan_in = in[proj->rule] > 0 ? in[proj->rule] : 1;
        return LW_OK;
    }
    return yaml_fail(node,
        "all_to_all, one_to_one, fixed_indegree(n), fixed_outdegree(n), fixed_total_number(n), pairwise_bernoulli(p), "
        "small_world(k, p), clustered(n, p_in, p_out), conv2d, local2d, sum_pool, average_pool, max_pool, edges");
}

/* Synapses from a file: what it does not tell, the keys weight and delay do, as single numbers. */
static lw_err edges_from_file(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) {
    const char *name = NULL, *population = NULL;
    char full[4096];
    LW_TRY(yaml_text(map, "file", proj->rule == LW_RULE_EDGES, &name));
    LW_TRY(yaml_text(map, "edge_population", false, &population));
    if (proj->rule != LW_RULE_EDGES) {
        const yaml_tree_node *node = yaml_get(map, name ? "file" : "edge_population");
        return node ? yaml_fail(node, "a file only with \"rule: edges\"") : LW_OK;
    }
    if (proj->weight.kind != LW_DIST_CONSTANT || proj->weight_of.kind != LW_PROFILE_NONE)
        return yaml_fail(yaml_get(map, "weight"), "a single number, for a file without weights");
    if (proj->delay.kind != LW_DIST_CONSTANT || proj->delay_of.kind != LW_PROFILE_NONE)
        return yaml_fail(yaml_get(map, "delay"), "a single number, for a file without delays");
    edge_file *file = yaml_tree_keep(r->tree, sizeof *file);
    lw_edge_source *source = yaml_tree_keep(r->tree, sizeof *source);
    if (!file || !source) return LW_EMEM;
    *file = (edge_file){.path = yaml_tree_keep_text(r->tree, experiment_beside(r->x, name, full, sizeof full)),
        .population = population,
        .dt = r->x->net.dt,
        .weight = proj->weight.p[0],
        .delay = proj->delay.p[0]};
    *source = (lw_edge_source){.payload = file, .read = edge_file_read};
    proj->edge_source = source;
    return file->path ? LW_OK : LW_EMEM;
}

static lw_err dropout(const yaml_tree_node *map, lw_projection_spec *proj) {
    const yaml_tree_node *node = yaml_get(map, "dropout");
    LW_TRY(yaml_real(map, "dropout", false, "", 0, INFINITY, &proj->dropout));
    if (proj->dropout >= 1) return yaml_fail(node, "a number from 0 to below 1");
    if (proj->dropout > 0 && (proj->learn_delay || proj->synapse))
        return yaml_fail(node, "dropout only without learned delays and without a synapse model");
    return LW_OK;
}

/* The largest delay is a whole number of steps; the history of emitted values goes back as far. */
static lw_err learned_delay(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) {
    const yaml_tree_node *most = yaml_get(map, "delay_max"), *node = yaml_get(map, "learn_delay");
    double dt = r->x->net.dt;
    LW_TRY(yaml_bool(map, "learn_delay", &proj->learn_delay));
    if (!proj->learn_delay) return most ? yaml_fail(most, "a largest delay only with \"learn_delay: true\"") : LW_OK;
    if (proj->rule == LW_RULE_EDGES) return yaml_fail(node, "learned delays only with rules that draw synapses");
    if (!most) return yaml_fail(node, "learned delays with a largest one (key delay_max)");
    LW_TRY(yaml_real(map, "delay_max", true, "ms", dt, INFINITY, &proj->delay_max));
    double steps = proj->delay_max / dt;
    if (fabs(steps - round(steps)) > 1e-6 * steps) return yaml_fail(most, "a whole number of steps of %g ms", dt);
    if (steps > 1e6) return yaml_fail(most, "at most 1e6 steps");
    if (proj->delay.kind == LW_DIST_CONSTANT && proj->delay_of.kind == LW_PROFILE_NONE &&
        (proj->delay.p[0] < dt * (1 - 1e-9) || proj->delay.p[0] > proj->delay_max * (1 + 1e-9)))
        return yaml_fail(yaml_get(map, "delay") ? yaml_get(map, "delay") : most,
            "delays from one step of %g ms to delay_max, %g ms", dt, proj->delay_max);
    return LW_OK;
}

static lw_err projection(reader *r, const yaml_tree_node *map, int32_t pre, int32_t post, bool single, int number,
    int entry, lw_projection_spec *proj) {
    double fan_in = 1;
    memset(proj, 0, sizeof *proj);
    proj->pre = pre;
    proj->post = post;
    proj->autapses = proj->multapses = true;
    if (single) LW_TRY(yaml_text(map, "name", false, &proj->name));
    proj->window.only = entry;
    LW_TRY(reader_port(r, map, post, &proj->port));
    LW_TRY(experiment_window_keys(map));
    LW_TRY(rule(r, map, proj, r->pop[pre].size, r->pop[post].size, &fan_in));
    LW_TRY(yaml_bool(map, "autapses", &proj->autapses));
    LW_TRY(yaml_bool(map, "multapses", &proj->multapses));
    LW_TRY(yaml_bool(map, "learn", &proj->learn));
    LW_TRY(yaml_bool(map, "zero_mean", &proj->zero_mean));
    LW_TRY(yaml_bool(map, "symmetric", &proj->symmetric));
    proj->weight_in = 1;
    LW_TRY(yaml_real(map, "weight_in", false, "", -INFINITY, INFINITY, &proj->weight_in));
    if (yaml_get(map, "weight_in") && proj->rule != LW_RULE_CLUSTERED)
        return yaml_fail(
            yaml_get(map, "weight_in"), "a factor of weights within clusters only with the rule clustered");
    const yaml_tree_node *weight = yaml_get(map, "weight"), *delay = yaml_get(map, "delay");
    const char *unit = r->pop[post].model->input[proj->port].unit;
    proj->weight = lw_dist_number(1);
    double average = 1; /* average_pool without a weight */
    const char *named = NULL;
    LW_TRY(yaml_text(map, "rule", true, &named));
    if (!strcmp(named, "average_pool")) average = 1.0 / (proj->window.kernel[0] * proj->window.kernel[1]);
    proj->weight.p[0] = average;
    proj->delay = lw_dist_number(r->x->net.dt);
    bool weight_of = experiment_is_by_distance(weight), delay_of = experiment_is_by_distance(delay);
    if (weight_of) LW_TRY(experiment_by_distance(r, weight, unit, &proj->weight_of));
    if (delay_of) LW_TRY(experiment_by_distance(r, delay, "ms", &proj->delay_of));
    if (experiment_is_whole_weight(weight))
        LW_TRY(experiment_whole_weight(r, weight, unit, fan_in, (uint64_t)number, proj));
    else if (weight && !weight_of)
        LW_TRY(yaml_dist(r->tree, weight, unit, fan_in, &proj->weight));
    if (delay && !delay_of) LW_TRY(yaml_dist(r->tree, delay, "ms", 0, &proj->delay));
    if (delay && proj->delay.kind == LW_DIST_CONSTANT && proj->delay.p[0] < 0)
        return yaml_fail(delay, "a time >= 0 ms, a list or a distribution");
    LW_TRY(edges_from_file(r, map, proj));
    LW_TRY(learned_delay(r, map, proj));
    if (entry) LW_TRY(experiment_max_pool(r, map, proj));
    LW_TRY(experiment_synapse(r, map, proj));
    return dropout(map, proj);
}

lw_err experiment_network(reader *r) {
    static const char *const keys[] = {"name", "from", "to", "rule", "weight", "delay", "port", "learn", "kernel",
        "stride", "padding", "dilation", "learn_delay", "delay_max", "autapses", "multapses", "zero_mean", "p",
        "radius", "file", "edge_population", "symmetric", "weight_in", "synapse", "dropout", NULL};
    lw_experiment *x = r->x;
    const yaml_tree_node *pops = yaml_get(r->root, "populations"), *projs = yaml_get(r->root, "projections");
    if (!pops) return LW_FAIL(LW_EUSE, "%s:%d: missing key \"populations\"", r->root->file, r->root->line);
    if (pops->kind != YAML_MAP || pops->n == 0) return yaml_fail(pops, "a map of populations");
    r->pop = yaml_tree_keep(r->tree, (size_t)pops->n * sizeof *r->pop);
    if (!r->pop) return LW_EMEM;
    for (int i = 0; i < pops->n; i++) {
        LW_TRY(population(r, pops->child[i], i));
        x->net.n_pop++;
    }
    x->net.pop = r->pop;
    if (!projs) return LW_OK;
    LW_TRY(yaml_expect_list(projs));
    int total = 0;
    lw_projection_spec *proj = NULL;
    for (int pass = 0; pass < 2; pass++) { /* count, then fill: lists of populations make several projections */
        if (pass) {
            proj = yaml_tree_keep(r->tree, (size_t)total * sizeof *proj + 8);
            if (!proj) return LW_EMEM;
        }
        for (int i = 0, at = 0; i < projs->n; i++) {
            const yaml_tree_node *map = projs->child[i];
            const int32_t *from, *to;
            int n_from, n_to;
            LW_TRY(yaml_expect_map(map, keys));
            if (!yaml_get(map, "from") || !yaml_get(map, "to"))
                return yaml_fail(map, "a projection with keys \"from\" and \"to\"");
            LW_TRY(reader_populations(r, yaml_get(map, "from"), &from, &n_from));
            LW_TRY(reader_populations(r, yaml_get(map, "to"), &to, &n_to));
            bool symmetric = false;
            LW_TRY(yaml_bool(map, "symmetric", &symmetric));
            int entries = 0, each = 1; /* max_pool: a projection per entry of the kernel, each onto a port of its own */
            LW_TRY(experiment_max_entries(map, &entries));
            if (entries) each = entries;
            bool mirrored = symmetric && (n_from > 1 || n_to > 1 || from[0] != to[0]);
            if (mirrored && n_from * n_to > 1)
                return yaml_fail(yaml_get(map, "symmetric"), "symmetric only from one population to one population");
            if (!pass) total += n_from * n_to * each + mirrored;
            for (int k = 0; pass && k < n_from * n_to * each; k++, at++)
                LW_TRY(projection(r, map, from[k / each / n_to], to[k / each % n_to], n_from * n_to * each == 1, at,
                    entries ? 1 + k % each : 0, &proj[at]));
            if (pass && mirrored) {
                LW_TRY(projection(r, map, to[0], from[0], false, at, 0, &proj[at]));
                proj[at].mirror = at; /* 1 + number of the one before */
                proj[at].symmetric = proj[at - 1].symmetric = false;
                at++;
            }
        }
    }
    x->net.n_proj = total;
    x->net.proj = proj;
    return LW_OK;
}
