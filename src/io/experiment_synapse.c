/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_synapse.c: the key `synapse` of a projection: a model of the library or of the user, its parameters, and
 * where the delay is.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static lw_err load_model(const reader *r, const yaml_tree_node *node, const char *path, const lw_synapse_model **out) {
    char full[4096];
    lw_model_source *source = NULL;
    lw_err err = lw_model_parse_file(experiment_beside(r->x, path, full, sizeof full), &source);
    if (err == LW_OK) err = lw_synapse_load(source, NULL, out);
    if (err != LW_OK) lw_err_context("%s:%d", node->file, node->line);
    lw_model_source_destroy(&source);
    return err;
}

static bool ends_with(const char *name, const char *ending) {
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcmp(name + n - m, ending);
}

static lw_err find_model(const reader *r, const yaml_tree_node *node, const char *name, const lw_synapse_model **out) {
    char all[400] = "";
    if (ends_with(name, ".synapse")) return load_model(r, node, name, out);
    *out = lw_synapse_builtin(name);
    if (*out) return LW_OK;
    for (int i = 0; i < lw_synapse_builtin_count(); i++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", lw_synapse_builtin_at(i)->name);
    }
    return yaml_fail(node, "a file NAME.synapse, or one of %s", all);
}

static lw_err params(const yaml_tree_node *map, const lw_synapse_model *model, const char *port_unit, double *value) {
    const char *names[65];
    LW_ASSERT(model->n_param <= 64);
    for (int i = 0; i < model->n_param; i++)
        names[i] = model->param[i].name;
    names[model->n_param] = NULL;
    LW_TRY(yaml_expect_map(map, names));
    for (int i = 0; i < map->n; i++) {
        const yaml_tree_node *node = map->child[i];
        int p = lw_synapse_param_find(model, node->key);
        const char *unit = strcmp(model->param[p].unit, "weight") == 0 ? port_unit : model->param[p].unit;
        LW_TRY(yaml_real(map, node->key, true, unit, -INFINITY, INFINITY, &value[p]));
        if (lw_synapse_param_check(model, p, value[p]) == LW_OK) continue;
        char why[300];
        snprintf(why, sizeof why, "%s", lw_err_message());
        lw_err_clear();
        return yaml_fail(node, "a value in the domain (%s)", why);
    }
    return LW_OK;
}

lw_err experiment_synapse(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) {
    static const char *const keys[] = {"model", "params", "delay_at", NULL}, *const places[] = {
                                                                                 "dendrite", "axon", NULL};
    const yaml_tree_node *node = yaml_get(map, "synapse");
    const char *name = NULL;
    int place = 0;
    if (!node) return LW_OK;
    if (node->kind == YAML_MAP) {
        LW_TRY(yaml_expect_map(node, keys));
        LW_TRY(yaml_text(node, "model", true, &name));
        LW_TRY(yaml_choice(node, "delay_at", false, places, &place));
    } else if (node->kind == YAML_SCALAR) {
        name = node->text;
    } else {
        return yaml_fail(node, "the name of a synapse model, or {model, params, delay_at}");
    }
    if (!strcmp(name, "static")) return LW_OK;
    LW_TRY(find_model(r, node->kind == YAML_MAP ? yaml_get(node, "model") : node, name, &proj->synapse));
    proj->delay_in_axon = place == 1;
    if (!r->pop[proj->pre].model->emits_spikes ||
        (proj->synapse->needs_post && !r->pop[proj->post].model->emits_spikes))
        return yaml_fail(node, "synapse model %s only between populations that spike", name);
    if (proj->learn) return yaml_fail(yaml_get(map, "learn"), "either \"learn\" or \"synapse\"");
    if (proj->delay.kind == LW_DIST_CONSTANT && !(proj->delay.p[0] > 0))
        return yaml_fail(yaml_get(map, "delay"), "a delay of a step and more with synapse model %s", name);
    double *value = yaml_tree_keep(r->tree, (size_t)proj->synapse->n_param * sizeof *value + 8);
    if (!value) return LW_EMEM;
    for (int i = 0; i < proj->synapse->n_param; i++)
        value[i] = proj->synapse->param[i].value;
    proj->synapse_param = value;
    const yaml_tree_node *list = node->kind == YAML_MAP ? yaml_get(node, "params") : NULL;
    return list ? params(list, proj->synapse, r->pop[proj->post].model->input[proj->port].unit, value) : LW_OK;
}
