/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_window.c: shapes of populations, and the keys of projections with windows: kernel, stride, padding,
 * dilation.
 */
#include "experiment.h"

#include <string.h>

enum { MAX_POOL_PORTS = 9 }; /* of the model max_pool */

static lw_err whole(const yaml_tree_node *node, int64_t low, int32_t *out) {
    double v = 0;
    if (node->kind != YAML_SCALAR) return yaml_fail(node, "a whole number from %lld on", (long long)low);
    LW_TRY(yaml_quantity(node, node->text, "", &v));
    if (!(v >= (double)low && v < 1 << 20 && v == (double)(int32_t)v))
        return yaml_fail(node, "a whole number from %lld to %d", (long long)low, (1 << 20) - 1);
    *out = (int32_t)v;
    return LW_OK;
}

lw_err experiment_shape(const yaml_tree_node *map, lw_population_spec *pop) {
    const yaml_tree_node *node = yaml_get(map, "shape");
    if (!node) return LW_OK;
    if (node->kind != YAML_LIST || node->n != 3) return yaml_fail(node, "[channels, height, width]");
    for (int i = 0; i < 3; i++)
        LW_TRY(whole(node->child[i], 1, &pop->shape[i]));
    pop->size = (int64_t)pop->shape[0] * pop->shape[1] * pop->shape[2];
    return LW_OK;
}

lw_err experiment_shape_check(const yaml_tree_node *map, const lw_population_spec *pop) {
    const yaml_tree_node *node = yaml_get(map, "size");
    int64_t n = (int64_t)pop->shape[0] * pop->shape[1] * pop->shape[2];
    if (node && n && n != pop->size) return yaml_fail(node, "%lld, the neurons of the shape", (long long)n);
    return LW_OK;
}

/* One number for both sides, or [height, width]. */
static lw_err sides(const yaml_tree_node *map, const char *key, int64_t low, int32_t out[2]) {
    const yaml_tree_node *node = yaml_get(map, key);
    if (!node) return LW_OK;
    if (node->kind == YAML_LIST && node->n != 2) return yaml_fail(node, "a number or [height, width]");
    for (int i = 0; i < 2; i++)
        LW_TRY(whole(node->kind == YAML_LIST ? node->child[i] : node, low, &out[i]));
    return LW_OK;
}

lw_err experiment_window_keys(const yaml_tree_node *map) {
    static const char *const keys[] = {"kernel", "stride", "padding", "dilation"};
    const char *rule = "";
    LW_TRY(yaml_text(map, "rule", true, &rule));
    if (!strcmp(rule, "conv2d") || !strcmp(rule, "local2d") || strstr(rule, "_pool")) return LW_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (yaml_get(map, keys[i]))
            return yaml_fail(yaml_get(map, keys[i]),
                "windows only with the rules conv2d, local2d, sum_pool, average_pool, max_pool");
    return LW_OK;
}

lw_err experiment_window(reader *r, const yaml_tree_node *map, const char *name, lw_projection_spec *proj) {
    lw_window *w = &proj->window;
    const lw_population_spec *pre = &r->pop[proj->pre], *post = &r->pop[proj->post];
    if (!pre->shape[0] || !post->shape[0])
        return yaml_fail(yaml_get(map, "rule"), "populations with the key shape at both ends (%s has none)",
            pre->shape[0] ? post->name : pre->name);
    memcpy(w->in, pre->shape, sizeof w->in);
    memcpy(w->out, post->shape, sizeof w->out);
    w->shared = !strcmp(name, "conv2d");
    w->same_channel = strstr(name, "_pool") != NULL;
    if (!yaml_get(map, "kernel")) return yaml_fail(yaml_get(map, "rule"), "a window with the key kernel");
    LW_TRY(sides(map, "kernel", 1, w->kernel));
    for (int i = 0; i < 2; i++)
        w->stride[i] = w->same_channel ? w->kernel[i] : 1;
    LW_TRY(sides(map, "stride", 1, w->stride));
    LW_TRY(sides(map, "dilation", 1, w->dilation));
    return sides(map, "padding", 0, w->padding);
}

lw_err experiment_max_entries(const yaml_tree_node *map, int *entries) {
    const char *rule = "";
    int32_t kernel[2] = {0, 0};
    *entries = 0;
    LW_TRY(yaml_text(map, "rule", false, &rule));
    if (!rule || strcmp(rule, "max_pool") != 0) return LW_OK;
    if (!yaml_get(map, "kernel")) return yaml_fail(yaml_get(map, "rule"), "a window with the key kernel");
    LW_TRY(sides(map, "kernel", 1, kernel));
    if ((int64_t)kernel[0] * kernel[1] > MAX_POOL_PORTS)
        return yaml_fail(yaml_get(map, "kernel"), "a kernel of at most %d entries for max_pool", MAX_POOL_PORTS);
    *entries = kernel[0] * kernel[1];
    return LW_OK;
}

/* In a window of max_pool a place without a neuron would count as 0 and could be what the derivative goes to. */
lw_err experiment_max_pool(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) {
    static const char *const none[] = {
        "name", "weight", "learn", "learn_delay", "port", "synapse", "zero_mean", "symmetric"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (yaml_get(map, none[i])) return yaml_fail(yaml_get(map, none[i]), "max_pool without the key %s", none[i]);
    if (proj->window.padding[0] || proj->window.padding[1])
        return yaml_fail(yaml_get(map, "padding"), "max_pool without padding");
    if (strcmp(r->pop[proj->post].model->name, "max_pool") != 0)
        return yaml_fail(yaml_get(map, "to"), "a population of the model max_pool for the rule max_pool");
    proj->port = proj->window.only - 1;
    return LW_OK;
}
