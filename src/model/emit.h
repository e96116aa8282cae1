/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The emitter's room: C text of expressions (emit_expr.c), of kernels (emit_kernel.c), of the whole file (emit_c.c).
 */
#ifndef LW_MODEL_EMIT_H
#define LW_MODEL_EMIT_H

#include "plan.h"
#include "text.h"

typedef struct lw_emitter {
    lw_text *text;
    const lw_plan *plan;
    bool single;               /* float, otherwise double */
    bool power;                /* pow with short cuts for the exponents 0 and 1 */
    bool looped;               /* code of a loop over neurons: functions that the compiler can make vectors of */
    int32_t *uses;             /* [graph count] of the running piece; a node used twice gets a temporary */
    char (*temp)[LW_NAME_MAX]; /* [graph count] its name, "" for none */
    int n_temp;
    char param[LW_AST_PARAM_MAX][LW_NAME_MAX], state[LW_AST_MAX][LW_NAME_MAX], input[LW_AST_MAX][LW_NAME_MAX];
    char coef[LW_COEF_MAX][LW_NAME_MAX];
} lw_emitter;

lw_err lw_emitter_create(lw_text *text, const lw_plan *plan, lw_emitter **out) LW_MUST_CHECK;
void lw_emitter_destroy(lw_emitter **emitter);

const char *lw_emitter_real(const lw_emitter *e); /* "float" or "double" */
/** Local variable that holds a leaf's value. */
void lw_emit_leaf_name(const lw_emitter *e, lw_leaf leaf, int index, char out[2 * LW_NAME_MAX]);
/** Start a piece of code that computes these nodes: counts uses. */
void lw_emit_begin(lw_emitter *e, int n, const int32_t *root);
/** Needed by the running piece. */
bool lw_emit_needs(const lw_emitter *e, lw_leaf leaf, int index);
/** Write the temporaries of the running piece, in order. */
void lw_emit_temporaries(lw_emitter *e, const char *indent);
/** Write the value of a node as a C expression (by the name of its temporary where it has one). */
void lw_emit_value(lw_emitter *e, int32_t node);

/** One kernel body with its loops, as inline function <model>_<body>_<f32|f64>. */
void lw_emit_kernel(lw_emitter *e, const lw_body *body);
/** derive, derive_tan, derive_adj, init. */
void lw_emit_derive(lw_emitter *e);
/** Opening comment and includes of a generated file; its table of parameters. */
void lw_emit_head(lw_text *text, const lw_model_source *source);
void lw_emit_params(lw_text *text, const lw_model_source *source);
/** The whole file. */
lw_err lw_emit_file(lw_text *text, const lw_plan *plan) LW_MUST_CHECK;
/** synapse.c: a synapse model's file; its functions for people; finds what only integration can find. */
lw_err lw_synapse_emit_file(const lw_model_source *source, lw_text *text) LW_MUST_CHECK;
lw_err lw_synapse_emit_show(const lw_model_source *source, lw_text *text) LW_MUST_CHECK;
lw_err lw_synapse_check_run(const lw_model_source *source) LW_MUST_CHECK;
/** The plan for people. */
lw_err lw_emit_show(lw_text *text, const lw_plan *plan) LW_MUST_CHECK;

#endif
