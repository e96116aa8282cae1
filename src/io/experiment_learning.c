/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_learning.c: the keys of the section train that say how the gradient is made: truncate, burn_in.
 */
#include "experiment.h"

/* A number of steps, or windows that overlap. */
static lw_err truncation(const yaml_tree_node *map, lw_train_spec *t) {
    static const char *const keys[] = {"window", "stride", NULL};
    const yaml_tree_node *node = yaml_get(map, "truncate");
    if (!node || node->kind == YAML_SCALAR) return yaml_int(map, "truncate", false, 0, INT32_MAX, &t->window);
    LW_TRY(yaml_expect_map(node, keys));
    LW_TRY(yaml_int(node, "window", true, 1, INT32_MAX, &t->window));
    return yaml_int(node, "stride", false, 1, t->window, &t->stride);
}

lw_err experiment_learning(const yaml_tree_node *map, lw_train_spec *t) {
    LW_TRY(truncation(map, t));
    return yaml_int(map, "burn_in", false, 0, INT32_MAX, &t->burn_in);
}
