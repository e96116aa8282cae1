/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time stepping of the `ode` lines: exact for linear triangular systems, exponential Euler, Runge-Kutta 4. Works on
 * graph nodes; inputs and states without an ode line count as constant during the step. The mathematics stands in
 * README.md, section 3.
 */
#include "plan.h"
#include <string.h>

enum { PATH_MAX_POINTS = 6 }; /* a constant drive adds one point, each derivative another */

typedef struct system {
    lw_plan *plan;
    lw_dag *g;
    int n;
    const int *state;
    const lw_statement *const *line;
    const int32_t *rate;
    int32_t a[LW_AST_MAX][LW_AST_MAX];        /* d rate_v / d x_w */
    int32_t by_state[LW_AST_MAX][LW_AST_MAX]; /* d rate_v / d state without ode */
    int32_t by_input[LW_AST_MAX][LW_AST_MAX];
    int32_t rest[LW_AST_MAX]; /* rate_v at zero */
    /* of the variable whose row of the propagator is being built */
    int32_t p[LW_AST_MAX], q_state[LW_AST_MAX], q_input[LW_AST_MAX], drive;
    bool on_path[LW_AST_MAX];
} system;

typedef struct one_leaf {
    lw_leaf leaf;
    int index;
} one_leaf;

static int32_t seed_one(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    const one_leaf *want = payload;
    return want->leaf == leaf && want->index == index ? lw_dag_const(g, 1) : 0;
}

static int32_t map_to_zero(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    return leaf == LW_LEAF_PRE || leaf == LW_LEAF_IN ? lw_dag_const(g, 0) : -1;
}

static lw_err line_fail(const system *s, int v, const char *found, const char *expected) {
    const lw_statement *line = s->line[v];
    return LW_FAIL(
        LW_EMODEL, "%s:%d:%d: found %s, expected %s", s->plan->source->file, line->line, line->column, found, expected);
}

static int variable_of_state(const system *s, int state) {
    for (int v = 0; v < s->n; v++)
        if (s->state[v] == state) return v;
    return -1;
}

static lw_err derivative(system *s, int v, lw_leaf leaf, int index, int32_t *out) {
    one_leaf want = {leaf, index};
    lw_dag_tangent(s->g, 1, &s->rate[v], seed_one, &want, out);
    if (s->g->node[*out].depends && !lw_dag_is_param(s->g, *out))
        return line_fail(s, v, "an equation that is not linear",
            "a linear one, or a line 'method exponential_euler' or 'method rk4'");
    return LW_OK;
}

static lw_err linearise(system *s) {
    const lw_model_source *source = s->plan->source;
    for (int v = 0; v < s->n; v++) {
        for (int i = 0; i < source->n_state; i++) {
            int w = variable_of_state(s, i);
            LW_TRY(derivative(s, v, LW_LEAF_PRE, i, w >= 0 ? &s->a[v][w] : &s->by_state[v][i]));
        }
        for (int i = 0; i < source->n_input; i++)
            LW_TRY(derivative(s, v, LW_LEAF_IN, i, &s->by_input[v][i]));
    }
    lw_dag_substitute(s->g, s->n, s->rate, map_to_zero, NULL, s->rest);
    return LW_OK;
}

static int32_t dt_of(lw_dag *g) {
    return lw_dag_leaf(g, LW_LEAF_DT, 0);
}

/* weight * expdd(points, 0) * dt * x: the effect of a constant drive x on variable u at the end of the path */
static void add_drive(system *s, int32_t *sum, int32_t x, int n, int32_t *point, int32_t weight) {
    if (lw_dag_is_const(s->g, x, 0)) return;
    point[n] = lw_dag_const(s->g, 0);
    int32_t factor = lw_dag_mul(s->g, dt_of(s->g), lw_dag_expdd(s->g, n + 1, point));
    *sum = lw_dag_add(s->g, *sum, lw_dag_mul(s->g, lw_dag_mul(s->g, weight, x), factor));
}

/* depth first over the couplings from the row's variable to u: `n` eigenvalues times dt so far, product of couplings
 * and dt */
static lw_err visit(system *s, int u, int n, int32_t *point, int32_t weight) {
    const lw_model_source *source = s->plan->source;
    lw_dag *g = s->g;
    if (s->on_path[u])
        return line_fail(s, u, "variables that depend on each other in a circle",
            "a triangular system, or a line 'method exponential_euler' or 'method rk4'");
    if (n == PATH_MAX_POINTS) return line_fail(s, u, "a chain of more than 6 variables", "at most 6");
    s->on_path[u] = true;
    point[n] = lw_dag_mul(g, s->a[u][u], dt_of(g));
    n++;
    s->p[u] = lw_dag_add(g, s->p[u], lw_dag_mul(g, weight, lw_dag_expdd(g, n, point)));
    for (int i = 0; i < source->n_state; i++)
        add_drive(s, &s->q_state[i], s->by_state[u][i], n, point, weight);
    for (int i = 0; i < source->n_input; i++)
        add_drive(s, &s->q_input[i], s->by_input[u][i], n, point, weight);
    add_drive(s, &s->drive, s->rest[u], n, point, weight);
    for (int w = 0; w < s->n; w++)
        if (w != u && !lw_dag_is_const(g, s->a[u][w], 0))
            LW_TRY(visit(s, w, n, point, lw_dag_mul(g, lw_dag_mul(g, weight, s->a[u][w]), dt_of(g))));
    s->on_path[u] = false;
    return LW_OK;
}

static int32_t add_term(system *s, int32_t sum, int32_t factor, int32_t x) {
    return lw_dag_add(s->g, sum, lw_dag_mul(s->g, factor, x));
}

static lw_err integrate_exact(system *s, int32_t *out) {
    const lw_model_source *source = s->plan->source;
    lw_dag *g = s->g;
    LW_TRY(linearise(s));
    for (int v = 0; v < s->n; v++) {
        const char *name = source->state[s->state[v]].name;
        int32_t point[LW_NODE_ARG_MAX];
        memset(s->p, 0, sizeof s->p); /* node 0 is the constant 0 */
        memset(s->q_state, 0, sizeof s->q_state);
        memset(s->q_input, 0, sizeof s->q_input);
        s->drive = 0;
        LW_TRY(visit(s, v, 0, point, lw_dag_const(g, 1)));
        int32_t sum = add_term(s, 0, s->p[v], lw_dag_leaf(g, LW_LEAF_PRE, s->state[v]));
        lw_plan_hint(s->plan, s->p[v], "P_%s", name);
        for (int w = 0; w < s->n; w++) {
            if (w == v) continue;
            lw_plan_hint(s->plan, s->p[w], "P_%s_%s", name, source->state[s->state[w]].name);
            sum = add_term(s, sum, s->p[w], lw_dag_leaf(g, LW_LEAF_PRE, s->state[w]));
        }
        for (int i = 0; i < source->n_state; i++) {
            lw_plan_hint(s->plan, s->q_state[i], "P_%s_%s", name, source->state[i].name);
            sum = add_term(s, sum, s->q_state[i], lw_dag_leaf(g, LW_LEAF_PRE, i));
        }
        for (int i = 0; i < source->n_input; i++) {
            lw_plan_hint(s->plan, s->q_input[i], "P_%s_%s", name, source->input[i].name);
            sum = add_term(s, sum, s->q_input[i], lw_dag_leaf(g, LW_LEAF_IN, i));
        }
        lw_plan_hint(s->plan, s->drive, "drive_%s", name);
        out[v] = lw_dag_add(g, sum, s->drive);
    }
    return LW_OK;
}

/* x + dt phi1(a dt) f(x), a = df/dx of the variable itself, phi1(z) = (exp(z) - 1)/z = exp[z, 0] */
static void integrate_exponential_euler(system *s, int32_t *out) {
    lw_dag *g = s->g;
    for (int v = 0; v < s->n; v++) {
        one_leaf want = {LW_LEAF_PRE, s->state[v]};
        int32_t a, point[2];
        lw_dag_tangent(g, 1, &s->rate[v], seed_one, &want, &a);
        point[0] = lw_dag_mul(g, a, dt_of(g));
        point[1] = lw_dag_const(g, 0);
        int32_t factor = lw_dag_mul(g, dt_of(g), lw_dag_expdd(g, 2, point));
        out[v] = lw_dag_add(g, lw_dag_leaf(g, LW_LEAF_PRE, s->state[v]), lw_dag_mul(g, factor, s->rate[v]));
    }
}

typedef struct stage {
    const system *s;
    const int32_t *slope; /* [n] */
    int32_t factor;
} stage;

static int32_t map_to_stage(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    const stage *at = payload;
    int v = leaf == LW_LEAF_PRE ? variable_of_state(at->s, index) : -1;
    if (v < 0) return -1;
    return lw_dag_add(g, lw_dag_leaf(g, leaf, index), lw_dag_mul(g, at->factor, at->slope[v]));
}

static int32_t map_to_now(lw_dag *g, void *payload, lw_leaf leaf, int index) {
    const stage *at = payload;
    int v = leaf == LW_LEAF_PRE ? variable_of_state(at->s, index) : -1;
    return v < 0 ? -1 : at->slope[v];
}

/* the classical method of order 4 (Kutta 1901), `method_steps` times */
static void integrate_rk4(system *s, int32_t *out) {
    lw_dag *g = s->g;
    const int steps = s->plan->source->method_steps ? s->plan->source->method_steps : 1;
    int32_t k[4][LW_AST_MAX], two = lw_dag_const(g, 2), now[LW_AST_MAX];
    int32_t dt = steps == 1 ? dt_of(g) : lw_dag_div(g, dt_of(g), lw_dag_const(g, steps));
    int32_t half = lw_dag_div(g, dt, two), sixth = lw_dag_div(g, dt, lw_dag_const(g, 6));
    memcpy(k[0], s->rate, (size_t)s->n * sizeof k[0][0]);
    for (int i = 1; i < 4; i++) {
        stage at = {s, k[i - 1], i < 3 ? half : dt};
        lw_dag_substitute(g, s->n, s->rate, map_to_stage, &at, k[i]);
    }
    for (int v = 0; v < s->n; v++) {
        int32_t sum = lw_dag_add(g, k[0][v], lw_dag_mul(g, two, k[1][v]));
        sum = lw_dag_add(g, sum, lw_dag_mul(g, two, k[2][v]));
        sum = lw_dag_add(g, sum, k[3][v]);
        out[v] = lw_dag_add(g, lw_dag_leaf(g, LW_LEAF_PRE, s->state[v]), lw_dag_mul(g, sixth, sum));
    }
    int32_t one[LW_AST_MAX];
    memcpy(one, out, (size_t)s->n * sizeof *one);
    for (int i = 1; i < steps; i++) {
        stage at = {s, now, 0};
        memcpy(now, out, (size_t)s->n * sizeof *now);
        lw_dag_substitute(g, s->n, one, map_to_now, &at, out);
    }
}

lw_err lw_integrate_run(
    lw_plan *plan, int n, const int *state, const lw_statement *const *line, const int32_t *rate, int32_t *out) {
    lw_err err = LW_OK;
    system *s = NULL;
    LW_TRY(lw_alloc(1, sizeof *s, "system of equations", &s));
    *s = (system){.plan = plan, .g = plan->g, .n = n, .state = state, .line = line, .rate = rate};
    switch (plan->source->method) {
    case LW_METHOD_EXACT:
        err = integrate_exact(s, out);
        break;
    case LW_METHOD_EXPONENTIAL_EULER:
        integrate_exponential_euler(s, out);
        break;
    case LW_METHOD_RK4:
        integrate_rk4(s, out);
        break;
    }
    lw_free(s);
    return err;
}
