/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The syntax tree of a model: what the text says, in the order it says it. Built by the parser, completed by check
 * (symbols, dimensions), then never changed. All nodes and strings live in the source's arena.
 */
#ifndef LW_MODEL_AST_H
#define LW_MODEL_AST_H

#include "text.h"
#include "units.h"

enum { LW_AST_MAX = 32, LW_AST_PARAM_MAX = 64, LW_AST_STATEMENT_MAX = 128, LW_AST_ARG_MAX = 3 };

typedef enum lw_expr_kind {
    LW_EXPR_NUMBER,
    LW_EXPR_NAME,
    LW_EXPR_NEG,
    LW_EXPR_ADD,
    LW_EXPR_SUB,
    LW_EXPR_MUL,
    LW_EXPR_DIV,
    LW_EXPR_POW,
    LW_EXPR_LT,
    LW_EXPR_LE,
    LW_EXPR_GT,
    LW_EXPR_GE,
    LW_EXPR_CALL
} lw_expr_kind;

typedef enum lw_func {
    LW_FUNC_EXP,
    LW_FUNC_LOG,
    LW_FUNC_SQRT,
    LW_FUNC_TANH,
    LW_FUNC_SIGMOID,
    LW_FUNC_SIN,
    LW_FUNC_COS,
    LW_FUNC_ABS,
    LW_FUNC_EXPM1,
    LW_FUNC_MIN,
    LW_FUNC_MAX,
    LW_FUNC_POW,
    LW_FUNC_IF,
    LW_FUNC_COUNT
} lw_func;

typedef enum lw_symbol_kind {
    LW_SYMBOL_NONE,
    LW_SYMBOL_PARAM,
    LW_SYMBOL_STATE,
    LW_SYMBOL_INPUT,
    LW_SYMBOL_DERIVED,
    LW_SYMBOL_LET,
    LW_SYMBOL_DT
} lw_symbol_kind;

typedef struct lw_expr {
    lw_expr_kind kind;
    int line, column;
    double number;    /* internal units */
    const char *text; /* NUMBER: as written, with its unit; NAME: the name */
    lw_func func;
    int n_arg;
    struct lw_expr *arg[LW_AST_ARG_MAX];
    lw_symbol_kind symbol; /* NAME, set by check */
    int index;
    lw_dims dims; /* set by the parser for numbers, by check for all */
} lw_expr;

/** A declared name. Which fields count depends on the list it stands in. */
typedef struct lw_decl {
    const char *name, *unit, *about; /* unit: as written, "" when none */
    int line, column;
    bool has_unit;
    double scale; /* internal units per written unit */
    lw_dims dims;
    lw_expr *expr; /* default of a param, initial state, derived and let expression */
    double value;  /* param: default */
    double lo, hi; /* param: domain, internal units */
    bool lo_open, hi_open;
} lw_decl;

typedef enum lw_statement_kind {
    LW_STATEMENT_ODE,
    LW_STATEMENT_UPDATE,
    LW_STATEMENT_RESET,
    LW_STATEMENT_ON_PRE, /* synapse models: at a spike of the source, of the target */
    LW_STATEMENT_ON_POST
} lw_statement_kind;

/** To whom a variable of a synapse model belongs: the source, the target, the synapse. */
typedef enum lw_role { LW_ROLE_PRE, LW_ROLE_POST, LW_ROLE_WEIGHT } lw_role;

typedef struct lw_statement {
    lw_statement_kind kind;
    const char *target;
    int state; /* set by check */
    int line, column;
    bool joined; /* UPDATE, ON: stands behind a comma, happens at the same time as the one before */
    lw_expr *expr;
} lw_statement;

enum { LW_METHOD_STEPS_MAX = 16 };
typedef enum lw_method { LW_METHOD_EXACT, LW_METHOD_EXPONENTIAL_EULER, LW_METHOD_RK4 } lw_method;

typedef struct lw_word {
    const char *text;
    int line, column;
} lw_word;

typedef struct lw_arena_block lw_arena_block;

struct lw_model_source {
    lw_arena_block *arena;
    const char *file; /* used in messages */
    const char *text;
    bool synapse; /* a synapse model: states have roles, `output` is what is delivered */
    lw_role role[LW_AST_MAX];
    const char *name, *about;
    int name_line, name_column;
    int n_param, n_state, n_input, n_derived, n_let, n_statement, n_hold;
    lw_decl param[LW_AST_PARAM_MAX], state[LW_AST_MAX], input[LW_AST_MAX], derived[LW_AST_PARAM_MAX],
        let[LW_AST_PARAM_MAX];
    lw_statement statement[LW_AST_STATEMENT_MAX];
    lw_method method;
    int method_steps; /* of rk4 within dt; 0: 1 */
    bool method_given;
    lw_word refractory, hold[LW_AST_MAX]; /* refractory.text NULL: none */
    lw_symbol_kind refractory_symbol;
    int refractory_index, hold_state[LW_AST_MAX];
    lw_expr *spike, *output; /* exactly one after check */
};

/** Zeroed memory that lives as long as the source. */
lw_err lw_ast_alloc(lw_model_source *source, size_t bytes, void *out_pointer_to_pointer) LW_MUST_CHECK;
lw_err lw_ast_string(lw_model_source *source, const char *start, size_t length, const char **out) LW_MUST_CHECK;

const char *lw_func_name(lw_func func);
int lw_func_arity(lw_func func);
const char *lw_method_name(lw_method method);

/** Expression as canonical text: fewest parentheses that keep the tree. */
void lw_expr_print(lw_text *text, const lw_expr *expr);

/** Text to tree (names not yet resolved). */
lw_err lw_parser_run(lw_model_source *source) LW_MUST_CHECK;
/** Names, dimensions, domains, rules of assignment. Fills the fields of the tree marked "set by check". */
lw_err lw_check_run(lw_model_source *source) LW_MUST_CHECK;
/** Value of a constant expression (numbers only); false when it holds a name. */
bool lw_expr_constant(const lw_expr *expr, double *value);
/** Canonical text of the whole model. */
void lw_source_print(lw_text *text, const lw_model_source *source);

#endif
