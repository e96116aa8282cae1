/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From equations to the contents of every kernel: hoists coefficients out of the step, differentiates, and collects for
 * each kernel which node goes to which array. The formulas of fire and its derivatives are those of kernel.h.
 */
#include "plan.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ names */

const char *lw_plan_hint_find(const lw_plan *plan, int32_t node) {
    for (int i = 0; i < plan->n_hint; i++)
        if (plan->hint[i].node == node) return plan->hint[i].name;
    return NULL;
}

void lw_plan_hint(lw_plan *plan, int32_t node, const char *fmt, ...) {
    va_list list;
    const lw_node *n = &plan->g->node[node];
    if (n->op == LW_NODE_CONST || plan->n_hint == LW_HINT_MAX || lw_plan_hint_find(plan, node)) return;
    lw_hint *hint = &plan->hint[plan->n_hint++];
    hint->node = node;
    va_start(list, fmt);
    vsnprintf(hint->name, sizeof hint->name, fmt, list);
    va_end(list);
}

static void name_coef(lw_plan *plan, int c) {
    const lw_node *n = &plan->g->node[plan->coef[c]];
    const char *hint = lw_plan_hint_find(plan, plan->coef[c]);
    const char *second =
        n->op == LW_NODE_SUB && lw_dag_is_const(plan->g, n->arg[0], 1) ? lw_plan_hint_find(plan, n->arg[1]) : NULL;
    if (hint)
        snprintf(plan->coef_name[c], LW_NAME_MAX, "%.90s", hint);
    else if (second)
        snprintf(plan->coef_name[c], LW_NAME_MAX, "one_minus_%.80s", second);
    else
        snprintf(plan->coef_name[c], LW_NAME_MAX, "coef_%d", c);
}

/* ------------------------------------------------------------------ coefficients */

static int32_t coef_leaf(lw_plan *plan, int32_t node) {
    int c = 0;
    while (c < plan->n_coef && plan->coef[c] != node)
        c++;
    if (c == LW_COEF_MAX) {
        if (plan->g->err == LW_OK)
            plan->g->err = LW_FAIL(LW_EMODEL, "%s:%d:%d: found a model with more than %d coefficients, expected fewer",
                plan->source->file, plan->source->name_line, plan->source->name_column, LW_COEF_MAX);
        return 0;
    }
    if (c == plan->n_coef) {
        plan->coef[c] = node;
        plan->n_coef++;
    }
    return lw_dag_leaf(plan->g, LW_LEAF_COEF, c);
}

/* replace the largest subexpressions of parameters and dt by coefficient leaves */
static void hoist(lw_plan *plan, int n, int32_t **root) {
    lw_dag *g = plan->g;
    int32_t count = g->count, *image = NULL;
    bool *mark = NULL;
    if (g->err == LW_OK) g->err = lw_alloc((size_t)count, sizeof *mark, "coefficients", &mark);
    if (g->err == LW_OK) g->err = lw_alloc((size_t)count, sizeof *image, "coefficients", &image);
    for (int i = 0; g->err == LW_OK && i < n; i++)
        lw_dag_mark(g, *root[i], mark);
    for (int32_t i = 0; g->err == LW_OK && i < count; i++) {
        const lw_node node = g->node[i];
        image[i] = i;
        if (!mark[i] || lw_dag_is_param(g, i)) continue;
        int32_t arg[LW_NODE_ARG_MAX];
        for (int a = 0; a < node.n_arg; a++)
            arg[a] = lw_dag_is_param(g, node.arg[a]) ? coef_leaf(plan, node.arg[a]) : image[node.arg[a]];
        image[i] = lw_dag_rebuild(g, i, arg);
    }
    for (int i = 0; g->err == LW_OK && i < n; i++)
        *root[i] = lw_dag_is_param(g, *root[i]) ? coef_leaf(plan, *root[i]) : image[*root[i]];
    lw_free(mark);
    lw_free(image);
}

static void hoist_all(lw_plan *plan) {
    int32_t *root[2 * LW_AST_MAX + 2];
    int n = 0;
    for (int i = 0; i < plan->source->n_state; i++)
        root[n++] = &plan->pre[i];
    if (plan->margin >= 0) root[n++] = &plan->margin;
    if (plan->output >= 0) root[n++] = &plan->output;
    for (int i = 0; i < plan->source->n_state; i++)
        if (plan->reset[i] >= 0) root[n++] = &plan->reset[i];
    hoist(plan, n, root);
    for (int c = 0; c < plan->n_coef; c++)
        name_coef(plan, c);
}

/* ------------------------------------------------------------------ kernels */

static void store(lw_body *body, lw_store_kind kind, int index, int32_t node) {
    body->store[body->n_store++] = (lw_store){kind, index, node};
}

static int32_t leaf(lw_plan *plan, lw_leaf kind, int index) {
    return lw_dag_leaf(plan->g, kind, index);
}

static int32_t map_pre_to_update(lw_dag *g, void *payload, lw_leaf kind, int index) {
    const lw_plan *plan = payload;
    return kind == LW_LEAF_PRE ? plan->pre[index] : -1;
}

static int32_t after_update(lw_plan *plan, int32_t node) {
    lw_dag_substitute(plan->g, 1, &node, map_pre_to_update, plan, &node);
    return node;
}

static void plan_forward(lw_plan *plan) {
    lw_dag *g = plan->g;
    const int n = plan->source->n_state;
    const int32_t zero = lw_dag_const(g, 0), one = lw_dag_const(g, 1), s = leaf(plan, LW_LEAF_SPIKE, 0);
    const bool refractory = plan->refractory_coef >= 0;
    lw_body *update = &plan->update, *fire = &plan->fire, *step = &plan->step;
    update->name = "update";
    fire->name = "fire";
    step->name = "step";
    fire->after_update = true;
    update->counts_down = step->counts_down = fire->sets_counter = step->sets_counter = refractory;
    for (int i = 0; i < n; i++)
        if (plan->pre[i] != leaf(plan, LW_LEAF_OLD, i)) {
            lw_plan_hint(plan, plan->pre[i], "%s_new", plan->source->state[i].name);
            store(update, LW_STORE_STATE, i, plan->pre[i]);
        }
    if (plan->output >= 0) {
        *step = *update;
        step->name = "step";
        store(step, LW_STORE_OUT, 0, after_update(plan, plan->output));
        store(fire, LW_STORE_OUT, 0, plan->output);
        return;
    }
    int32_t margin = after_update(plan, plan->margin), held = leaf(plan, LW_LEAF_HELD, 0);
    int32_t above = lw_dag_binary(g, LW_NODE_ATMOST, zero, margin);
    int32_t spike = lw_dag_select(g, above, one, zero);
    if (refractory) spike = lw_dag_select(g, held, zero, spike);
    store(update, LW_STORE_MARGIN, 0, margin);
    for (int i = 0; i < n; i++) {
        int32_t x = leaf(plan, LW_LEAF_PRE, i), r = plan->reset[i], post = plan->pre[i];
        if (r >= 0) {
            int32_t blend = lw_dag_add(g, lw_dag_mul(g, lw_dag_sub(g, one, s), x), lw_dag_mul(g, s, r));
            int32_t full = lw_dag_select(g, lw_dag_binary(g, LW_NODE_ATMOST, one, s), r, blend);
            store(fire, LW_STORE_STATE, i, lw_dag_select(g, lw_dag_binary(g, LW_NODE_ATMOST, s, zero), x, full));
            post = lw_dag_select(g, above, after_update(plan, r), plan->pre[i]);
            if (refractory) post = lw_dag_select(g, held, plan->pre[i], post);
        }
        if (post != leaf(plan, LW_LEAF_OLD, i)) store(step, LW_STORE_STATE, i, post);
    }
    store(step, LW_STORE_OUT, 0, spike);
}

static int32_t seed_tan(lw_dag *g, void *payload, lw_leaf kind, int index) {
    const int *with_coef = payload;
    if (kind == LW_LEAF_OLD || kind == LW_LEAF_PRE) return lw_dag_leaf(g, LW_LEAF_STATE_TAN, index);
    if (kind == LW_LEAF_IN) return lw_dag_leaf(g, LW_LEAF_IN_TAN, index);
    if (kind == LW_LEAF_COEF && *with_coef) return lw_dag_leaf(g, LW_LEAF_COEF_TAN, index);
    return 0;
}

static void plan_update_tan(lw_plan *plan, int with_coef) {
    lw_body *body = &plan->update_tan[with_coef];
    const int n = plan->source->n_state;
    int32_t tan[LW_AST_MAX] = {0};
    body->name = with_coef ? "update_tan_coef" : "update_tan";
    body->at_point = true;
    lw_dag_tangent(plan->g, n, plan->pre, seed_tan, &with_coef, tan);
    for (int i = 0; i < n; i++)
        if (tan[i] != leaf(plan, LW_LEAF_STATE_TAN, i)) store(body, LW_STORE_STATE_TAN, i, tan[i]);
}

/* *jump = reset(x) - x. True for resets of the form x + b and x - b: then it is b, read without x, and the blend is x +
 * s b. */
static bool reset_jump(const lw_plan *plan, int i, int32_t *jump) {
    lw_dag *g = plan->g;
    const lw_node r = g->node[plan->reset[i]];
    int32_t x = lw_dag_leaf(g, LW_LEAF_PRE, i);
    if (r.op == LW_NODE_ADD && (r.arg[0] == x || r.arg[1] == x)) {
        *jump = r.arg[0] == x ? r.arg[1] : r.arg[0];
        return true;
    }
    if (r.op == LW_NODE_SUB && r.arg[0] == x) {
        *jump = lw_dag_neg(g, r.arg[1]);
        return true;
    }
    *jump = lw_dag_sub(g, plan->reset[i], x);
    return false;
}

static void plan_fire_tan(lw_plan *plan, int with_coef) {
    lw_dag *g = plan->g;
    lw_body *body = &plan->fire_tan[with_coef];
    int32_t du, result = plan->margin >= 0 ? plan->margin : plan->output;
    int32_t s = leaf(plan, LW_LEAF_SPIKE, 0), stay = lw_dag_sub(g, lw_dag_const(g, 1), s);
    body->name = with_coef ? "fire_tan_coef" : "fire_tan";
    body->at_point = true;
    lw_dag_tangent(g, 1, &result, seed_tan, &with_coef, &du);
    if (plan->output >= 0) {
        store(body, LW_STORE_OUT_TAN, 0, du);
        return;
    }
    int32_t ds = lw_dag_mul(g, leaf(plan, LW_LEAF_SLOPE, 0), du);
    int32_t ds_reset = lw_dag_mul(g, leaf(plan, LW_LEAF_ATTACHED, 0), ds);
    lw_plan_hint(plan, ds, "ds");
    lw_plan_hint(plan, ds_reset, "ds_reset");
    store(body, LW_STORE_OUT_TAN, 0, ds);
    for (int i = 0; i < plan->source->n_state; i++) {
        if (plan->reset[i] < 0) continue;
        int32_t jump, tan, x_tan = leaf(plan, LW_LEAF_STATE_TAN, i), sum;
        bool short_form = reset_jump(plan, i, &jump);
        int32_t inner = short_form ? jump : plan->reset[i];
        lw_dag_tangent(g, 1, &inner, seed_tan, &with_coef, &tan);
        sum = lw_dag_add(g, short_form ? x_tan : lw_dag_mul(g, stay, x_tan), lw_dag_mul(g, s, tan));
        store(body, LW_STORE_STATE_TAN, i, lw_dag_add(g, sum, lw_dag_mul(g, jump, ds_reset)));
    }
}

static void store_adjoint(
    lw_plan *plan, lw_body *body, const int32_t *state_adj, const int32_t *coef_adj, int with_coef) {
    for (int i = 0; i < plan->source->n_state; i++)
        if (state_adj[i] != leaf(plan, LW_LEAF_STATE_ADJ, i)) store(body, LW_STORE_STATE_ADJ, i, state_adj[i]);
    for (int c = 0; with_coef && c < plan->n_coef; c++)
        if (!lw_dag_is_const(plan->g, coef_adj[c], 0)) store(body, LW_STORE_COEF_ADJ, c, coef_adj[c]);
}

static void plan_fire_adj(lw_plan *plan, int with_coef) {
    lw_dag *g = plan->g;
    lw_body *body = &plan->fire_adj[with_coef];
    const int n = plan->source->n_state, n_coef = with_coef ? plan->n_coef : 0;
    int32_t root[LW_AST_MAX + 1], seed[LW_AST_MAX + 1], direct[LW_AST_MAX], want[LW_AST_MAX + LW_COEF_MAX];
    int32_t adj[LW_AST_MAX + LW_COEF_MAX] = {0}, s = leaf(plan, LW_LEAF_SPIKE, 0), s_adj = 0;
    int n_root = 0;
    body->name = with_coef ? "fire_adj_coef" : "fire_adj";
    body->at_point = true;
    for (int i = 0; i < n; i++) {
        int32_t a = leaf(plan, LW_LEAF_STATE_ADJ, i), jump;
        want[i] = leaf(plan, LW_LEAF_PRE, i);
        direct[i] = a;
        if (plan->reset[i] < 0) continue;
        bool short_form = reset_jump(plan, i, &jump);
        if (!short_form) direct[i] = lw_dag_mul(g, lw_dag_sub(g, lw_dag_const(g, 1), s), a);
        s_adj = lw_dag_add(g, s_adj, lw_dag_mul(g, jump, a));
        root[n_root] = short_form ? jump : plan->reset[i];
        seed[n_root++] = lw_dag_mul(g, s, a);
    }
    int32_t out_adj = leaf(plan, LW_LEAF_OUT_ADJ, 0);
    if (plan->margin >= 0) {
        int32_t total = lw_dag_add(g, out_adj, lw_dag_mul(g, leaf(plan, LW_LEAF_ATTACHED, 0), s_adj));
        root[n_root] = plan->margin;
        seed[n_root++] = lw_dag_mul(g, leaf(plan, LW_LEAF_SLOPE, 0), total);
        lw_plan_hint(plan, seed[n_root - 1], "u_adj");
    } else {
        root[n_root] = plan->output;
        seed[n_root++] = out_adj;
    }
    for (int c = 0; c < n_coef; c++)
        want[n + c] = leaf(plan, LW_LEAF_COEF, c);
    lw_dag_adjoint(g, n_root, root, seed, n + n_coef, want, adj);
    for (int i = 0; i < n; i++)
        adj[i] = lw_dag_add(g, direct[i], adj[i]);
    store_adjoint(plan, body, adj, adj + n, with_coef);
}

static void plan_update_adj(lw_plan *plan, int with_coef) {
    lw_body *body = &plan->update_adj[with_coef];
    const int n = plan->source->n_state, n_in = plan->source->n_input, n_coef = with_coef ? plan->n_coef : 0;
    int32_t seed[LW_AST_MAX] = {0}, want[2 * LW_AST_MAX + LW_COEF_MAX] = {0}, adj[2 * LW_AST_MAX + LW_COEF_MAX] = {0};
    body->name = with_coef ? "update_adj_coef" : "update_adj";
    body->at_point = true;
    for (int i = 0; i < n; i++) {
        seed[i] = leaf(plan, LW_LEAF_STATE_ADJ, i);
        want[i] = leaf(plan, LW_LEAF_OLD, i);
    }
    for (int i = 0; i < n_in; i++)
        want[n + i] = leaf(plan, LW_LEAF_IN, i);
    for (int c = 0; c < n_coef; c++)
        want[n + n_in + c] = leaf(plan, LW_LEAF_COEF, c);
    lw_dag_adjoint(plan->g, n, plan->pre, seed, n + n_in + n_coef, want, adj);
    for (int i = 0; i < n_in; i++)
        store(body, LW_STORE_INPUT_ADJ, i, adj[n + i]);
    store_adjoint(plan, body, adj, adj + n + n_in, with_coef);
}

/* ---- second derivatives: the tangents of what the adjoint kernels store */

typedef struct second_seed {
    int32_t d_spike, d_slope;
} second_seed;

static int32_t seed_second(lw_dag *g, void *payload, lw_leaf kind, int index) {
    static const int with_coef = 1;
    const second_seed *seed = payload;
    if (kind == LW_LEAF_SPIKE) return seed->d_spike;
    if (kind == LW_LEAF_SLOPE) return seed->d_slope;
    if (kind == LW_LEAF_STATE_ADJ) return lw_dag_leaf(g, LW_LEAF_STATE_ADJ_TAN, index);
    if (kind == LW_LEAF_OUT_ADJ) return lw_dag_leaf(g, LW_LEAF_OUT_ADJ_TAN, index);
    return seed_tan(g, (void *)&with_coef, kind, index);
}

/* In the adjoint of fire s stands for the spike that the reset sees, which a detached reset takes as a constant. */
static second_seed second_of_spike(lw_plan *plan) {
    lw_dag *g = plan->g;
    int with_coef = 1;
    int32_t du = 0;
    if (plan->margin < 0) return (second_seed){0};
    lw_dag_tangent(g, 1, &plan->margin, seed_tan, &with_coef, &du);
    int32_t ds = lw_dag_mul(g, leaf(plan, LW_LEAF_SLOPE, 0), du);
    second_seed seed = {.d_spike = lw_dag_mul(g, leaf(plan, LW_LEAF_ATTACHED, 0), ds),
        .d_slope = lw_dag_mul(g, leaf(plan, LW_LEAF_CURVE, 0), du)};
    return seed;
}

static void plan_second(lw_plan *plan, const lw_body *adjoint, const char *name, lw_body *body) {
    static const lw_store_kind kind[] = {[LW_STORE_STATE_ADJ] = LW_STORE_STATE_ADJ_TAN,
        [LW_STORE_INPUT_ADJ] = LW_STORE_INPUT_ADJ_TAN,
        [LW_STORE_COEF_ADJ] = LW_STORE_COEF_ADJ_TAN};
    int32_t root[LW_STORE_MAX], tan[LW_STORE_MAX] = {0};
    second_seed seed = second_of_spike(plan);
    body->name = name;
    body->at_point = true;
    for (int i = 0; i < adjoint->n_store; i++)
        root[i] = adjoint->store[i].node;
    lw_dag_tangent(plan->g, adjoint->n_store, root, seed_second, &seed, tan);
    for (int i = 0; i < adjoint->n_store; i++) {
        const lw_store *st = &adjoint->store[i];
        if (st->kind != LW_STORE_COEF_ADJ || !lw_dag_is_const(plan->g, tan[i], 0))
            store(body, kind[st->kind], st->index, tan[i]);
    }
}

static int32_t seed_param_tan(lw_dag *g, void *payload, lw_leaf kind, int index) {
    return kind == LW_LEAF_PARAM ? lw_dag_leaf(g, LW_LEAF_PARAM_TAN, index) : 0;
}

static int32_t seed_param_second(lw_dag *g, void *payload, lw_leaf kind, int index) {
    if (kind == LW_LEAF_COEF_ADJ) return lw_dag_leaf(g, LW_LEAF_COEF_ADJ_TAN, index);
    return seed_param_tan(g, payload, kind, index);
}

static void plan_derive(lw_plan *plan) {
    int32_t seed[LW_COEF_MAX] = {0}, want[LW_AST_PARAM_MAX] = {0};
    for (int c = 0; c < plan->n_coef; c++)
        seed[c] = leaf(plan, LW_LEAF_COEF_ADJ, c);
    for (int i = 0; i < plan->source->n_param; i++)
        want[i] = leaf(plan, LW_LEAF_PARAM, i);
    lw_dag_tangent(plan->g, plan->n_coef, plan->coef, seed_param_tan, NULL, plan->coef_tan);
    lw_dag_adjoint(plan->g, plan->n_coef, plan->coef, seed, plan->source->n_param, want, plan->param_adj);
    lw_dag_tangent(plan->g, plan->source->n_param, plan->param_adj, seed_param_second, NULL, plan->param_adj_tan);
}

/* tan: where not NULL, the tangents of these that are read; update sees those of the state before it, fire those of the
 * state after it */
static void add_need(lw_plan *plan, const lw_body *body, uint32_t need[3], uint32_t *tan) {
    lw_dag *g = plan->g;
    bool *mark = NULL;
    if (g->err == LW_OK) g->err = lw_alloc((size_t)g->count, sizeof *mark, "need masks", &mark);
    if (g->err != LW_OK) return;
    for (int i = 0; i < body->n_store; i++)
        lw_dag_mark(g, body->store[i].node, mark);
    for (int32_t i = 0; i < g->count; i++) {
        const lw_node *n = &g->node[i];
        if (!mark[i] || n->op != LW_NODE_LEAF) continue;
        if (n->leaf == LW_LEAF_OLD) need[0] |= 1u << n->index;
        if (n->leaf == LW_LEAF_IN) need[1] |= 1u << n->index;
        if (n->leaf == LW_LEAF_PRE) need[2] |= 1u << n->index;
        if (tan && n->leaf == LW_LEAF_STATE_TAN) tan[body == &plan->fire_adj_tan ? 2 : 0] |= 1u << n->index;
        if (tan && n->leaf == LW_LEAF_IN_TAN) tan[1] |= 1u << n->index;
    }
    lw_free(mark);
}

lw_err lw_plan_create(const lw_model_source *source, lw_plan **out) {
    lw_plan *plan = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *plan, "plan of a model", &plan));
    plan->source = source;
    plan->refractory_coef = -1;
    LW_TRY_TO(lw_dag_create(&plan->g), done);
    LW_TRY_TO(lw_lower_run(plan), done);
    hoist_all(plan);
    plan_forward(plan);
    plan_derive(plan);
    for (int c = 0; c < 2; c++) {
        plan_update_tan(plan, c);
        plan_fire_tan(plan, c);
        plan_fire_adj(plan, c);
        plan_update_adj(plan, c);
    }
    for (int c = 0; c < 2; c++) {
        const lw_body *bodies[] = {&plan->update_tan[c], &plan->fire_tan[c], &plan->fire_adj[c], &plan->update_adj[c]};
        for (int b = 0; b < 4; b++)
            add_need(plan, bodies[b], plan->need[c], NULL);
    }
    plan_second(plan, &plan->fire_adj[1], "fire_adj_tan", &plan->fire_adj_tan);
    plan_second(plan, &plan->update_adj[1], "update_adj_tan", &plan->update_adj_tan);
    for (int k = 0; k < 3; k++)
        plan->need_second[k] = plan->need[0][k] | plan->need[1][k];
    add_need(plan, &plan->fire_adj_tan, plan->need_second, plan->need_tan);
    add_need(plan, &plan->update_adj_tan, plan->need_second, plan->need_tan);
    err = plan->g->err;
done:
    if (err != LW_OK) lw_plan_destroy(&plan);
    *out = plan;
    return err;
}

void lw_plan_destroy(lw_plan **plan) {
    if (!*plan) return;
    lw_dag_destroy(&(*plan)->g);
    lw_free(*plan);
    *plan = NULL;
}
