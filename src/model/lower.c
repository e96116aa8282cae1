/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checked tree to expression graph. Runs through the lines in order, keeping for every state variable the node of its
 * present value; so "update i = alpha*i + x" before or after the ode block means what the order says. Held variables
 * keep their old value at every assignment.
 */
#include "plan.h"
#include <string.h>

typedef struct scope {
    lw_plan *plan;
    lw_dag *g;
    int32_t state[LW_AST_MAX];
    int32_t derived[LW_AST_PARAM_MAX];
} scope;

static int32_t lower_expr(const scope *sc, const lw_expr *e);

static int32_t lower_name(const scope *sc, const lw_expr *e) {
    switch (e->symbol) {
    case LW_SYMBOL_PARAM:
        return lw_dag_leaf(sc->g, LW_LEAF_PARAM, e->index);
    case LW_SYMBOL_STATE:
        return sc->state[e->index];
    case LW_SYMBOL_INPUT:
        return lw_dag_leaf(sc->g, LW_LEAF_IN, e->index);
    case LW_SYMBOL_DERIVED:
        return sc->derived[e->index];
    case LW_SYMBOL_LET:
        return lower_expr(sc, sc->plan->source->let[e->index].expr);
    case LW_SYMBOL_DT:
        return lw_dag_leaf(sc->g, LW_LEAF_DT, 0);
    case LW_SYMBOL_NONE:
        break;
    }
    return 0;
}

static int32_t lower_call(lw_dag *g, lw_func func, const int32_t *arg) {
    static const lw_op ops[LW_FUNC_COUNT] = {[LW_FUNC_EXP] = LW_NODE_EXP,
        [LW_FUNC_LOG] = LW_NODE_LOG,
        [LW_FUNC_SQRT] = LW_NODE_SQRT,
        [LW_FUNC_TANH] = LW_NODE_TANH,
        [LW_FUNC_SIGMOID] = LW_NODE_SIGMOID,
        [LW_FUNC_SIN] = LW_NODE_SIN,
        [LW_FUNC_COS] = LW_NODE_COS,
        [LW_FUNC_ABS] = LW_NODE_ABS,
        [LW_FUNC_EXPM1] = LW_NODE_EXPM1,
        [LW_FUNC_MIN] = LW_NODE_MIN,
        [LW_FUNC_MAX] = LW_NODE_MAX};
    if (func == LW_FUNC_POW) return lw_dag_pow(g, arg[0], arg[1]);
    if (func == LW_FUNC_IF) return lw_dag_select(g, arg[0], arg[1], arg[2]);
    if (func == LW_FUNC_MIN || func == LW_FUNC_MAX) return lw_dag_binary(g, ops[func], arg[0], arg[1]);
    return lw_dag_unary(g, ops[func], arg[0]);
}

static int32_t lower_expr(const scope *sc, const lw_expr *e) {
    lw_dag *g = sc->g;
    int32_t arg[LW_AST_ARG_MAX] = {0};
    for (int i = 0; i < e->n_arg; i++)
        arg[i] = lower_expr(sc, e->arg[i]);
    switch (e->kind) {
    case LW_EXPR_NUMBER:
        return lw_dag_const(g, e->number);
    case LW_EXPR_NAME:
        return lower_name(sc, e);
    case LW_EXPR_NEG:
        return lw_dag_neg(g, arg[0]);
    case LW_EXPR_ADD:
        return lw_dag_add(g, arg[0], arg[1]);
    case LW_EXPR_SUB:
        return lw_dag_sub(g, arg[0], arg[1]);
    case LW_EXPR_MUL:
        return lw_dag_mul(g, arg[0], arg[1]);
    case LW_EXPR_DIV:
        return lw_dag_div(g, arg[0], arg[1]);
    case LW_EXPR_POW:
        return lw_dag_pow(g, arg[0], arg[1]);
    case LW_EXPR_LT:
        return lw_dag_binary(g, LW_NODE_LESS, arg[0], arg[1]);
    case LW_EXPR_LE:
        return lw_dag_binary(g, LW_NODE_ATMOST, arg[0], arg[1]);
    case LW_EXPR_GT:
        return lw_dag_binary(g, LW_NODE_LESS, arg[1], arg[0]);
    case LW_EXPR_GE:
        return lw_dag_binary(g, LW_NODE_ATMOST, arg[1], arg[0]);
    case LW_EXPR_CALL:
        return lower_call(g, e->func, arg);
    }
    return 0;
}

static void assign(scope *sc, int state, int32_t value) {
    lw_dag *g = sc->g;
    if (sc->plan->held[state])
        value = lw_dag_select(g, lw_dag_leaf(g, LW_LEAF_HELD, 0), lw_dag_leaf(g, LW_LEAF_OLD, state), value);
    sc->state[state] = value;
}

static int32_t map_pre_to_now(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    const scope *sc = payload;
    return leaf == LW_LEAF_PRE ? sc->state[index] : -1;
}

/* all ode lines together, at the place of the first */
static lw_err lower_ode(scope *sc) {
    const lw_model_source *source = sc->plan->source;
    scope at_pre = *sc;
    int n = 0, state[LW_AST_MAX];
    const lw_statement *line[LW_AST_MAX];
    int32_t rate[LW_AST_MAX], next[LW_AST_MAX];
    for (int i = 0; i < source->n_state; i++)
        at_pre.state[i] = lw_dag_leaf(sc->g, LW_LEAF_PRE, i);
    for (int i = 0; i < source->n_statement; i++)
        if (source->statement[i].kind == LW_STATEMENT_ODE) {
            line[n] = &source->statement[i];
            state[n] = line[n]->state;
            rate[n] = lower_expr(&at_pre, line[n]->expr);
            if (sc->plan->held[state[n]] && source->method != LW_METHOD_EXACT) /* so that others see it at rest */
                rate[n] = lw_dag_select(sc->g, lw_dag_leaf(sc->g, LW_LEAF_HELD, 0), lw_dag_const(sc->g, 0), rate[n]);
            n++;
        }
    LW_TRY(lw_integrate_run(sc->plan, n, state, line, rate, next));
    lw_dag_substitute(sc->g, n, next, map_pre_to_now, sc, next);
    for (int v = 0; v < n; v++)
        assign(sc, state[v], next[v]);
    return LW_OK;
}

/* one list of assignments separated by commas: all right-hand sides are taken before the first assignment */
static void lower_update(scope *sc, int first) {
    const lw_model_source *source = sc->plan->source;
    int32_t value[LW_AST_STATEMENT_MAX];
    int end = first;
    do {
        value[end - first] = lower_expr(sc, source->statement[end].expr);
        end++;
    } while (end < source->n_statement && source->statement[end].joined);
    for (int i = first; i < end; i++)
        assign(sc, source->statement[i].state, value[i - first]);
}

static void lower_after(scope *sc) {
    lw_plan *plan = sc->plan;
    const lw_model_source *source = plan->source;
    for (int i = 0; i < source->n_state; i++) {
        plan->pre[i] = sc->state[i];
        plan->reset[i] = -1;
        sc->state[i] = lw_dag_leaf(sc->g, LW_LEAF_PRE, i);
    }
    for (int i = 0; i < source->n_statement; i++)
        if (source->statement[i].kind == LW_STATEMENT_RESET)
            plan->reset[source->statement[i].state] = lower_expr(sc, source->statement[i].expr);
    plan->margin = source->spike ? lower_expr(sc, source->spike) : -1;
    plan->output = source->output ? lower_expr(sc, source->output) : -1;
}

lw_err lw_lower_run(lw_plan *plan) {
    const lw_model_source *source = plan->source;
    scope sc = {.plan = plan, .g = plan->g};
    bool integrated = false;
    for (int i = 0; i < source->n_param; i++)
        lw_plan_hint(plan, lw_dag_leaf(sc.g, LW_LEAF_PARAM, i), "%s", source->param[i].name);
    lw_plan_hint(plan, lw_dag_leaf(sc.g, LW_LEAF_DT, 0), "dt");
    for (int i = 0; i < source->n_derived; i++) {
        sc.derived[i] = lower_expr(&sc, source->derived[i].expr);
        lw_plan_hint(plan, sc.derived[i], "%s", source->derived[i].name);
    }
    for (int i = 0; i < source->n_hold; i++)
        plan->held[source->hold_state[i]] = true;
    for (int i = 0; i < source->n_state; i++) {
        plan->init[i] = lower_expr(&sc, source->state[i].expr);
        sc.state[i] = lw_dag_leaf(sc.g, LW_LEAF_OLD, i);
    }
    for (int i = 0; i < source->n_statement; i++) {
        const lw_statement *line = &source->statement[i];
        if (line->kind == LW_STATEMENT_UPDATE && !line->joined) lower_update(&sc, i);
        if (line->kind == LW_STATEMENT_ODE && !integrated) {
            LW_TRY(lower_ode(&sc));
            integrated = true;
        }
    }
    lower_after(&sc);
    if (source->refractory.text) {
        bool is_param = source->refractory_symbol == LW_SYMBOL_PARAM;
        int32_t time = is_param ? lw_dag_leaf(sc.g, LW_LEAF_PARAM, source->refractory_index)
                                : sc.derived[source->refractory_index];
        int32_t steps = lw_dag_unary(sc.g, LW_NODE_ROUND, lw_dag_div(sc.g, time, lw_dag_leaf(sc.g, LW_LEAF_DT, 0)));
        plan->refractory_coef = 0;
        plan->coef[plan->n_coef] = steps;
        lw_plan_hint(plan, steps, "refractory_steps");
        plan->n_coef++;
    }
    return sc.g->err;
}

int32_t lw_lower_expr(lw_plan *plan, const int32_t *state, const int32_t *derived, const lw_expr *expr) {
    scope sc = {.plan = plan, .g = plan->g};
    memcpy(sc.state, state, sizeof sc.state);
    memcpy(sc.derived, derived, sizeof sc.derived);
    return lower_expr(&sc, expr);
}
