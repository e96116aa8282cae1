/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_initialize.c: train.initialize: what is done to the weights before the first epoch, one map or a list.
 */
#include <math.h>
#include <string.h>
#include "experiment.h"

static lw_err rate(reader *r, const yaml_tree_node *map, lw_rate_target *t) {
    static const char *const keys[] = {"target", "rate", "populations", "tolerance", "iterations", NULL};
    int64_t iterations = 20;
    int n = 0;
    t->tolerance = 0.05;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_real(map, "rate", true, "kHz", 1e-9, 1e6, &t->rate));
    LW_TRY(yaml_real(map, "tolerance", false, "", 1e-9, 1, &t->tolerance));
    LW_TRY(yaml_int(map, "iterations", false, 1, 1000, &iterations));
    if (yaml_get(map, "populations")) LW_TRY(reader_populations(r, yaml_get(map, "populations"), &t->pop, &n));
    t->n_pop = n;
    t->iterations = (int32_t)iterations;
    return LW_OK;
}

static lw_err exponent(reader *r, const yaml_tree_node *map, lw_exponent_target *t) {
    static const char *const keys[] = {
        "target", "exponent", "population", "steps", "transient", "tolerance", "iterations", NULL};
    const char *name = NULL;
    int64_t iterations = 20;
    t->pop = -1;
    t->tolerance = 1e-3;
    t->steps = 2000;
    t->transient = 200;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_real(map, "exponent", true, "kHz", -1e6, 1e6, &t->exponent));
    LW_TRY(yaml_real(map, "tolerance", false, "kHz", 1e-12, 1e6, &t->tolerance));
    LW_TRY(yaml_int(map, "steps", false, 20, INT32_MAX, &t->steps));
    LW_TRY(yaml_int(map, "transient", false, 0, INT32_MAX, &t->transient));
    LW_TRY(yaml_int(map, "iterations", false, 1, 1000, &iterations));
    t->iterations = (int32_t)iterations;
    LW_TRY(yaml_text(map, "population", false, &name));
    if (name) LW_TRY(reader_population(r, yaml_get(map, "population"), name, &t->pop));
    for (int p = 0; p < r->x->net.n_proj; p++) { /* default: the first population with a recurrent projection */
        const lw_projection_spec *proj = &r->x->net.proj[p];
        if (proj->pre == proj->post && (t->pop < 0 || t->pop == proj->pre)) {
            t->pop = proj->pre;
            return LW_OK;
        }
    }
    return yaml_fail(map, "target: lyapunov only with a projection from a population to itself");
}

lw_err experiment_initialize(reader *r, const yaml_tree_node *train) {
    static const char *const targets[] = {"rate", "lyapunov", NULL};
    const yaml_tree_node *node = yaml_get(train, "initialize");
    if (!node) return LW_OK;
    int n = node->kind == YAML_LIST ? node->n : 1;
    lw_initialize *list = yaml_tree_keep(r->tree, (size_t)n * sizeof *list + 8);
    if (!list) return LW_EMEM;
    for (int i = 0; i < n; i++) {
        const yaml_tree_node *map = node->kind == YAML_LIST ? node->child[i] : node;
        int target = 0;
        LW_TRY(yaml_expect_map(map, NULL));
        LW_TRY(yaml_choice(map, "target", true, targets, &target));
        list[i].by_exponent = target == 1;
        LW_TRY(target == 1 ? exponent(r, map, &list[i].exponent) : rate(r, map, &list[i].rate));
    }
    r->x->initialize = list;
    r->x->n_initialize = n;
    return LW_OK;
}
