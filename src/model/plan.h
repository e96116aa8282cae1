/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The plan of a model: everything its kernels compute, as expressions of one graph. Built from the checked tree; the
 * emitter only writes it down. Coefficients are the largest subexpressions of the step that depend on parameters and dt
 * alone.
 */
#ifndef LW_MODEL_PLAN_H
#define LW_MODEL_PLAN_H

#include "ast.h"
#include "graph.h"

enum { LW_COEF_MAX = 128, LW_STORE_MAX = LW_COEF_MAX + 2 * LW_AST_MAX + 2, LW_HINT_MAX = 256, LW_NAME_MAX = 96 };

typedef enum lw_store_kind {
    LW_STORE_STATE,
    LW_STORE_OUT,
    LW_STORE_MARGIN,
    LW_STORE_STATE_TAN,
    LW_STORE_OUT_TAN,
    LW_STORE_STATE_ADJ,
    LW_STORE_INPUT_ADJ,
    LW_STORE_COEF_ADJ,
    LW_STORE_STATE_ADJ_TAN,
    LW_STORE_INPUT_ADJ_TAN,
    LW_STORE_COEF_ADJ_TAN
} lw_store_kind;

/** One result of a kernel. */
typedef struct lw_store {
    lw_store_kind kind;
    int index;
    int32_t node;
} lw_store;

/** What one kernel does to one (neuron, lane). */
typedef struct lw_body {
    const char *name;  /* "update", "fire_tan", ... */
    bool after_update; /* reads and writes the state as PRE: a part of fire */
    bool at_point;     /* OLD, IN, PRE are read from the linearisation point, not from state and input */
    bool counts_down;  /* refractory counters: one step less */
    bool sets_counter; /* refractory counters: restarted where the spike is >= 1/2 */
    int n_store;
    lw_store store[LW_STORE_MAX];
} lw_body;

typedef struct lw_hint {
    int32_t node;
    char name[LW_NAME_MAX];
} lw_hint;

typedef struct lw_plan {
    const lw_model_source *source;
    lw_dag *g;
    int n_coef, refractory_coef;
    int32_t coef[LW_COEF_MAX]; /* in PARAM and DT leaves */
    char coef_name[LW_COEF_MAX][LW_NAME_MAX];
    int n_hint;
    lw_hint hint[LW_HINT_MAX];               /* names for nodes, for readable code */
    int32_t coef_tan[LW_COEF_MAX];           /* in PARAM, DT, PARAM_TAN leaves */
    int32_t param_adj[LW_AST_PARAM_MAX];     /* in PARAM, DT, COEF_ADJ leaves */
    int32_t param_adj_tan[LW_AST_PARAM_MAX]; /* and PARAM_TAN, COEF_ADJ_TAN leaves */
    bool held[LW_AST_MAX];
    int32_t init[LW_AST_MAX];  /* in PARAM and DT leaves */
    int32_t pre[LW_AST_MAX];   /* state after update, in OLD, IN, COEF, HELD leaves */
    int32_t reset[LW_AST_MAX]; /* in PRE and COEF leaves; -1: not reset */
    int32_t margin, output;    /* in PRE and COEF leaves; -1: none */
    lw_body step, update, fire;
    lw_body update_tan[2], fire_tan[2], fire_adj[2], update_adj[2]; /* [1]: with coefficient directions */
    lw_body fire_adj_tan, update_adj_tan;                           /* with coefficient directions */
    uint32_t need[2][3];                                            /* [without, with coefficients][old, in, pre] */
    uint32_t need_second[3]; /* all derivatives with coefficients, second ones among them */
    uint32_t need_tan[3];    /* tangents of old, in, pre that the second derivatives read */
} lw_plan;

lw_err lw_plan_create(const lw_model_source *source, lw_plan **out) LW_MUST_CHECK;
void lw_plan_destroy(lw_plan **plan);

void lw_plan_hint(lw_plan *plan, int32_t node, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const char *lw_plan_hint_find(const lw_plan *plan, int32_t node); /* NULL: none */

/** lower.c: the equations in PARAM, DT, OLD, IN, HELD (pre, init) and PARAM, DT, PRE, IN (reset, margin, output)
 * leaves. */
lw_err lw_lower_run(lw_plan *plan) LW_MUST_CHECK;
/** lower.c: one expression, given what the state variables [LW_AST_MAX] and derived values [LW_AST_PARAM_MAX] stand
 * for.
 */
int32_t lw_lower_expr(lw_plan *plan, const int32_t *state, const int32_t *derived, const lw_expr *expr);
/** integrate.c: `now` and `rate` in leaves PRE (any state) and IN; state[i] numbers the i-th integrated variable;
 * out[i] is its value after dt. */
lw_err lw_integrate_run(lw_plan *plan, int n, const int *state, const lw_statement *const *line, const int32_t *rate,
    int32_t *out) LW_MUST_CHECK;

#endif
