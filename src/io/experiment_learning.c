/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_learning.c: the keys of the section train that say how the gradient is made: gradient, truncate, burn_in.
 */
#include "experiment.h"

#include <string.h>

/* A number of steps, or windows that overlap. */
static lw_err truncation(const yaml_tree_node *map, lw_train_spec *t) {
    static const char *const keys[] = {"window", "stride", NULL};
    const yaml_tree_node *node = yaml_get(map, "truncate");
    if (!node || node->kind == YAML_SCALAR) return yaml_int(map, "truncate", false, 0, INT32_MAX, &t->window);
    LW_TRY(yaml_expect_map(node, keys));
    LW_TRY(yaml_int(node, "window", true, 1, INT32_MAX, &t->window));
    return yaml_int(node, "stride", false, 1, t->window, &t->stride);
}

/* bptt, forward, eprop, or {eprop: {feedback, scale, decay}} */
static lw_err gradient(const yaml_tree_node *map, lw_train_spec *t) {
    static const char *const methods[] = {"bptt", "eprop", "forward", NULL}, *const keys[] = {
                                                                                 "feedback", "scale", "decay", NULL};
    static const char *const feedbacks[] = {"symmetric", "random", "adaptive", NULL};
    const yaml_tree_node *node = yaml_get(map, "gradient");
    int method = LW_GRADIENT_BPTT, feedback = LW_FEEDBACK_SYMMETRIC;
    if (!node || node->kind == YAML_SCALAR) {
        LW_TRY(yaml_choice(map, "gradient", false, methods, &method));
    } else {
        if (node->kind != YAML_MAP || node->n != 1 || strcmp(node->child[0]->key, "eprop") != 0)
            return yaml_fail(node, "bptt, eprop, forward, or {eprop: {feedback: random, scale: 0.5}}");
        const yaml_tree_node *eprop = node->child[0];
        method = LW_GRADIENT_EPROP;
        LW_TRY(yaml_expect_map(eprop, keys));
        LW_TRY(yaml_choice(eprop, "feedback", false, feedbacks, &feedback));
        LW_TRY(yaml_real(eprop, "scale", false, "", 1e-12, 1e12, &t->feedback_scale));
        if (yaml_get(eprop, "scale") && feedback == LW_FEEDBACK_SYMMETRIC)
            return yaml_fail(yaml_get(eprop, "scale"), "a scale only with feedback: random or adaptive");
        if (yaml_get(eprop, "decay") && feedback != LW_FEEDBACK_ADAPTIVE)
            return yaml_fail(yaml_get(eprop, "decay"), "a decay only with feedback: adaptive");
        t->feedback_decay = feedback == LW_FEEDBACK_ADAPTIVE ? 1e-3 : 0;
        LW_TRY(yaml_real(eprop, "decay", false, "", 0, 0.999999, &t->feedback_decay));
    }
    t->gradient = (lw_gradient_method)method;
    t->feedback = (lw_feedback)feedback;
    if (method != LW_GRADIENT_BPTT && yaml_get(map, "truncate"))
        return yaml_fail(yaml_get(map, "truncate"), "truncate only with gradient: bptt");
    if (method != LW_GRADIENT_BPTT && yaml_get(map, "memory"))
        return yaml_fail(yaml_get(map, "memory"), "memory only with gradient: bptt");
    if (method == LW_GRADIENT_FORWARD && yaml_get(map, "burn_in"))
        return yaml_fail(yaml_get(map, "burn_in"), "burn_in only with gradient: bptt or eprop");
    return LW_OK;
}

lw_err experiment_learning(const yaml_tree_node *map, lw_train_spec *t) {
    LW_TRY(gradient(map, t));
    LW_TRY(truncation(map, t));
    return yaml_int(map, "burn_in", false, 0, INT32_MAX, &t->burn_in);
}
