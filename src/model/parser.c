/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tokens to syntax tree: recursive descent over lines, precedence climbing over expressions (one table of operators).
 * The grammar stands in README.md. A line that starts right of the running keyword goes on with that keyword. Names are
 * not looked up here.
 */
#include "ast.h"
#include "lexer.h"
#include <math.h>
#include <string.h>

typedef struct parser {
    lw_model_source *source;
    const lw_token *at;
    int nesting;
} parser;

enum { NESTING_MAX = 200 };

static lw_err parser_fail(const parser *p, const char *expected) {
    char found[80];
    lw_token_text(p->at, found);
    return LW_FAIL(
        LW_EMODEL, "%s:%d:%d: found %s, expected %s", p->source->file, p->at->line, p->at->column, found, expected);
}

static bool is_op(const lw_token *token, int op) {
    return token->kind == LW_TOKEN_OP && token->op == op;
}

static bool is_word(const lw_token *token, const char *word) {
    return token->kind == LW_TOKEN_NAME && (int)strlen(word) == token->length &&
           memcmp(token->start, word, strlen(word)) == 0;
}

static lw_err take_op(parser *p, int op, const char *expected) {
    if (!is_op(p->at, op)) return parser_fail(p, expected);
    p->at++;
    return LW_OK;
}

static lw_err take_name(parser *p, const char *expected, const char **out) {
    if (p->at->kind != LW_TOKEN_NAME) return parser_fail(p, expected);
    LW_TRY(lw_ast_string(p->source, p->at->start, (size_t)p->at->length, out));
    p->at++;
    return LW_OK;
}

/* ------------------------------------------------------------------ units */

static bool is_unit(const lw_token *token) {
    return token->kind == LW_TOKEN_NAME && lw_unit_known(token->start, (size_t)token->length, NULL, NULL);
}

static bool is_one(const lw_token *token) {
    return token->kind == LW_TOKEN_NUMBER && token->length == 1 && token->start[0] == '1';
}

/* atom {(*|/) atom}; the text is what stands in the file between first and last token */
static lw_err parse_unit(parser *p, const char **unit, double *scale, lw_dims *dims) {
    const lw_token *first = p->at;
    for (;;) {
        if (!is_unit(p->at) && !is_one(p->at))
            return parser_fail(p, "a unit such as ms, mV, pA, pF, nS, kHz, mV/ms, 1/ms or 1");
        p->at++;
        if (is_op(p->at, '^')) {
            p->at++;
            if (is_op(p->at, '-')) p->at++;
            if (p->at->kind != LW_TOKEN_NUMBER || p->at->length > 1) return parser_fail(p, "an integer exponent");
            p->at++;
        }
        if (!(is_op(p->at, '*') || is_op(p->at, '/')) || !(is_unit(p->at + 1) || is_one(p->at + 1))) break;
        p->at++;
    }
    const lw_token *last = p->at - 1;
    LW_TRY(lw_ast_string(p->source, first->start, (size_t)(last->start + last->length - first->start), unit));
    *dims = (lw_dims){0};
    return lw_unit_parse(*unit, scale, dims->e);
}

/* ------------------------------------------------------------------ expressions */

static lw_err parse_expr(parser *p, int least, lw_expr **out);

static lw_err expr_new(parser *p, lw_expr_kind kind, const lw_token *token, lw_expr **out) {
    LW_TRY(lw_ast_alloc(p->source, sizeof(lw_expr), out));
    (*out)->kind = kind;
    (*out)->line = token->line;
    (*out)->column = token->column;
    return LW_OK;
}

static lw_err parse_number(parser *p, lw_expr **out) {
    const lw_token *first = p->at++, *last = first;
    double scale = 1;
    LW_TRY(expr_new(p, LW_EXPR_NUMBER, first, out));
    if (is_unit(p->at)) {
        last = p->at++;
        lw_unit_known(last->start, (size_t)last->length, &scale, (*out)->dims.e);
    } else {
        (*out)->dims.any = first->number == 0;
    }
    (*out)->number = first->number * scale;
    lw_text text = {0};
    lw_text_add(&text, "%.*s", first->length, first->start);
    if (last != first) lw_text_add(&text, " %.*s", last->length, last->start);
    lw_err err = lw_ast_string(p->source, lw_text_get(&text), text.length, &(*out)->text);
    lw_text_clear(&text);
    return err;
}

static lw_err parse_call(parser *p, const lw_token *name, lw_expr **out) {
    int func = 0;
    while (func < LW_FUNC_COUNT && !is_word(name, lw_func_name((lw_func)func)))
        func++;
    if (func == LW_FUNC_COUNT) {
        p->at = name;
        return parser_fail(p, "one of the functions exp log sqrt tanh sigmoid sin cos abs expm1 min max pow if");
    }
    LW_TRY(expr_new(p, LW_EXPR_CALL, name, out));
    (*out)->func = (lw_func)func;
    (*out)->n_arg = lw_func_arity((lw_func)func);
    LW_TRY(take_op(p, '(', "'('"));
    for (int i = 0; i < (*out)->n_arg; i++) {
        if (i) LW_TRY(take_op(p, ',', "',' and another argument"));
        LW_TRY(parse_expr(p, 1, &(*out)->arg[i]));
    }
    return take_op(p, ')', "')'");
}

static lw_err parse_primary(parser *p, lw_expr **out) {
    const lw_token *token = p->at;
    if (token->kind == LW_TOKEN_NUMBER) return parse_number(p, out);
    if (token->kind == LW_TOKEN_NAME) {
        p->at++;
        if (is_op(p->at, '(')) return parse_call(p, token, out);
        LW_TRY(expr_new(p, LW_EXPR_NAME, token, out));
        return lw_ast_string(p->source, token->start, (size_t)token->length, &(*out)->text);
    }
    if (is_op(token, '(')) {
        p->at++;
        LW_TRY(parse_expr(p, 1, out));
        return take_op(p, ')', "')' or an operator");
    }
    if (is_op(token, '-')) {
        p->at++;
        LW_TRY(expr_new(p, LW_EXPR_NEG, token, out));
        (*out)->n_arg = 1;
        return parse_expr(p, 4, &(*out)->arg[0]);
    }
    return parser_fail(p, "a number, a name, '-' or '('");
}

/* priority as in ast.c: 1 comparison, 2 sum, 3 product, 4 sign, 5 power (associates to the right) */
static const struct {
    int op, priority, right;
    lw_expr_kind kind;
} operator_table[] = {
    {'<', 1, 2, LW_EXPR_LT},
    {LW_OP_LE, 1, 2, LW_EXPR_LE},
    {'>', 1, 2, LW_EXPR_GT},
    {LW_OP_GE, 1, 2, LW_EXPR_GE},
    {'+', 2, 3, LW_EXPR_ADD},
    {'-', 2, 3, LW_EXPR_SUB},
    {'*', 3, 4, LW_EXPR_MUL},
    {'/', 3, 4, LW_EXPR_DIV},
    {'^', 5, 4, LW_EXPR_POW},
};
enum { OPERATOR_COUNT = sizeof operator_table / sizeof operator_table[0] };

static lw_err parse_expr(parser *p, int least, lw_expr **out) {
    if (++p->nesting > NESTING_MAX) return parser_fail(p, "less than 200 nested expressions");
    LW_TRY(parse_primary(p, out));
    for (;;) {
        int i = 0;
        while (i < OPERATOR_COUNT && !is_op(p->at, operator_table[i].op))
            i++;
        if (i == OPERATOR_COUNT || operator_table[i].priority < least) break;
        lw_expr *left = *out;
        LW_TRY(expr_new(p, operator_table[i].kind, p->at, out));
        p->at++;
        (*out)->n_arg = 2;
        (*out)->arg[0] = left;
        LW_TRY(parse_expr(p, operator_table[i].right, &(*out)->arg[1]));
        if (operator_table[i].priority == 1) break; /* a < b < c means nothing */
    }
    p->nesting--;
    return LW_OK;
}

/* ------------------------------------------------------------------ items */

static lw_err decl_new(parser *p, lw_decl *list, int *count, int max, const char *what, lw_decl **out) {
    if (*count == max) return parser_fail(p, "fewer declarations: the table is full");
    *out = &list[*count];
    **out = (lw_decl){.line = p->at->line, .column = p->at->column, .unit = "", .about = "", .scale = 1};
    (*out)->lo = -INFINITY;
    (*out)->hi = INFINITY;
    LW_TRY(take_name(p, what, &(*out)->name));
    ++*count;
    return LW_OK;
}

static lw_err parse_about(parser *p, const char **about) {
    if (p->at->kind != LW_TOKEN_STRING) return LW_OK;
    LW_TRY(lw_ast_string(p->source, p->at->start, (size_t)p->at->length, about));
    p->at++;
    return LW_OK;
}

static lw_err parse_in_unit(parser *p, lw_decl *decl) {
    if (!is_word(p->at, "in")) return LW_OK;
    p->at++;
    decl->has_unit = true;
    if (p->source->synapse && is_word(p->at, "weight")) { /* a number in the unit of the projection's port */
        decl->unit = "weight";
        p->at++;
        return LW_OK;
    }
    return parse_unit(p, &decl->unit, &decl->scale, &decl->dims);
}

/* [-] number [unit]; a bare number counts in the unit of the parameter */
static lw_err parse_bound(parser *p, const lw_decl *decl, double *out) {
    double sign = 1, scale = decl->scale;
    if (is_op(p->at, '-')) {
        sign = -1;
        p->at++;
    }
    if (p->at->kind != LW_TOKEN_NUMBER) return parser_fail(p, "a number");
    double number = p->at->number;
    p->at++;
    if (is_unit(p->at)) {
        const lw_token *unit = p->at;
        const char *text;
        lw_dims dims;
        LW_TRY(parse_unit(p, &text, &scale, &dims));
        if (!lw_dims_equal(dims, decl->dims)) {
            p->at = unit;
            return parser_fail(p, "a bound in the dimension of the parameter");
        }
    }
    *out = sign * number * scale;
    return LW_OK;
}

static bool starts_domain(const lw_token *token) {
    if (is_op(token, '<') || is_op(token, '>') || is_op(token, LW_OP_LE) || is_op(token, LW_OP_GE)) return true;
    return is_op(token, '[') || (is_word(token, "in") && (is_op(token + 1, '(') || is_op(token + 1, '[')));
}

static lw_err parse_domain(parser *p, lw_decl *decl) {
    if (p->at->kind == LW_TOKEN_OP && p->at->op != '[') {
        int op = p->at->op;
        p->at++;
        if (op == '>' || op == LW_OP_GE) {
            decl->lo_open = op == '>';
            return parse_bound(p, decl, &decl->lo);
        }
        decl->hi_open = op == '<';
        return parse_bound(p, decl, &decl->hi);
    }
    if (is_word(p->at, "in")) p->at++;
    decl->lo_open = is_op(p->at, '(');
    p->at++;
    LW_TRY(parse_bound(p, decl, &decl->lo));
    LW_TRY(take_op(p, ',', "','"));
    LW_TRY(parse_bound(p, decl, &decl->hi));
    decl->hi_open = is_op(p->at, ')');
    if (!decl->hi_open && !is_op(p->at, ']')) return parser_fail(p, "')' or ']'");
    p->at++;
    return LW_OK;
}

/* the written unit of "20 ms" or "-0.5 mV/ms" becomes the unit of the parameter */
static lw_err parse_default(parser *p, lw_decl *decl) {
    const lw_token *first = p->at, *number = is_op(first, '-') ? first + 1 : first;
    bool unit = is_unit(number + 1) || (is_one(number + 1) && is_op(number + 2, '/'));
    if (number->kind == LW_TOKEN_NUMBER && unit) {
        lw_expr *value;
        p->at = number;
        LW_TRY(expr_new(p, LW_EXPR_NUMBER, number, &value));
        p->at++;
        LW_TRY(parse_unit(p, &decl->unit, &decl->scale, &decl->dims));
        value->number = number->number * decl->scale;
        value->dims = decl->dims;
        const char *end = p->at[-1].start + p->at[-1].length;
        LW_TRY(lw_ast_string(p->source, number->start, (size_t)(end - number->start), &value->text));
        decl->expr = value;
        if (number != first) {
            LW_TRY(expr_new(p, LW_EXPR_NEG, first, &decl->expr));
            decl->expr->n_arg = 1;
            decl->expr->arg[0] = value;
        }
        return LW_OK;
    }
    return parse_expr(p, 2, &decl->expr);
}

static lw_err parse_params(parser *p) {
    lw_model_source *s = p->source;
    for (;;) {
        lw_decl *decl = NULL;
        LW_TRY(decl_new(p, s->param, &s->n_param, LW_AST_PARAM_MAX, "the name of a parameter", &decl));
        LW_TRY(take_op(p, '=', "'=' and a default value"));
        const lw_token *value = p->at;
        LW_TRY(parse_default(p, decl));
        if (!is_op(p->at + 1, '(') && !is_op(p->at + 1, '[')) LW_TRY(parse_in_unit(p, decl));
        if (!lw_expr_constant(decl->expr, &decl->value)) {
            p->at = value;
            return parser_fail(p, "a constant default value such as 20 ms");
        }
        if (decl->has_unit) decl->value *= decl->scale;
        while (is_op(p->at, ',') && starts_domain(p->at + 1)) {
            p->at++;
            LW_TRY(parse_domain(p, decl));
        }
        LW_TRY(parse_about(p, &decl->about));
        if (!is_op(p->at, ',')) return LW_OK;
        p->at++;
    }
}

static lw_err parse_inputs(parser *p) {
    lw_model_source *s = p->source;
    for (;;) {
        lw_decl *decl = NULL;
        LW_TRY(decl_new(p, s->input, &s->n_input, LW_AST_MAX, "the name of an input", &decl));
        LW_TRY(parse_in_unit(p, decl));
        LW_TRY(parse_about(p, &decl->about));
        if (!is_op(p->at, ',')) return LW_OK;
        p->at++;
    }
}

static lw_err parse_decls(parser *p, lw_decl *list, int *count, int max, const char *what, bool unit) {
    for (;;) {
        lw_decl *decl = NULL;
        LW_TRY(decl_new(p, list, count, max, what, &decl));
        LW_TRY(take_op(p, '=', "'='"));
        LW_TRY(parse_expr(p, 1, &decl->expr));
        if (unit) LW_TRY(parse_in_unit(p, decl));
        LW_TRY(parse_about(p, &decl->about));
        if (!is_op(p->at, ',')) return LW_OK;
        p->at++;
    }
}

static lw_err parse_statements(parser *p, lw_statement_kind kind) {
    lw_model_source *s = p->source;
    for (bool joined = false;; joined = true) {
        if (s->n_statement == LW_AST_STATEMENT_MAX) return parser_fail(p, "at most 128 statements");
        lw_statement *statement = &s->statement[s->n_statement];
        *statement = (lw_statement){.kind = kind, .line = p->at->line, .column = p->at->column, .joined = joined};
        LW_TRY(take_name(p, "the name of a state variable", &statement->target));
        if (kind == LW_STATEMENT_ODE) LW_TRY(take_op(p, '\'', "' (the time derivative, as in v' = ...)"));
        LW_TRY(take_op(p, '=', "'='"));
        LW_TRY(parse_expr(p, 1, &statement->expr));
        s->n_statement++;
        if (!is_op(p->at, ',')) return LW_OK;
        p->at++;
    }
}

static lw_err parse_method_steps(parser *p) {
    p->at++;
    double n = p->at->number;
    if (p->at->kind != LW_TOKEN_NUMBER || n != rint(n) || n < 1 || n > LW_METHOD_STEPS_MAX)
        return parser_fail(p, "a whole number of steps from 1 to 16");
    p->source->method_steps = (int)n;
    p->at++;
    return LW_OK;
}

static lw_err parse_method(parser *p) {
    for (int m = LW_METHOD_EXACT; m <= LW_METHOD_RK4; m++)
        if (is_word(p->at, lw_method_name((lw_method)m))) {
            p->source->method = (lw_method)m;
            p->source->method_given = true;
            p->at++;
            return m == LW_METHOD_RK4 && is_word(p->at, "steps") ? parse_method_steps(p) : LW_OK;
        }
    return parser_fail(p, "one of exact, exponential_euler, rk4");
}

static lw_err parse_refractory(parser *p) {
    lw_model_source *s = p->source;
    if (s->refractory.text) return parser_fail(p, "only one refractory line");
    s->refractory = (lw_word){.line = p->at->line, .column = p->at->column};
    LW_TRY(take_name(p, "the parameter that holds the refractory time", &s->refractory.text));
    if (!is_word(p->at, "holds")) return LW_OK;
    do {
        p->at++;
        if (s->n_hold == LW_AST_MAX) return parser_fail(p, "at most 32 held variables");
        lw_word *word = &s->hold[s->n_hold];
        *word = (lw_word){.line = p->at->line, .column = p->at->column};
        LW_TRY(take_name(p, "the name of a state variable", &word->text));
        s->n_hold++;
    } while (is_op(p->at, ','));
    return LW_OK;
}

static lw_err parse_result(parser *p, lw_expr **out) {
    if (p->source->spike || p->source->output)
        return parser_fail(p, p->source->synapse ? "only one 'deliver' line" : "only one 'spike' or 'output' line");
    return parse_expr(p, 1, out);
}

static lw_err parse_variables(parser *p, lw_role role) {
    lw_model_source *s = p->source;
    int first = s->n_state;
    LW_TRY(parse_decls(p, s->state, &s->n_state, LW_AST_MAX, "the name of a variable", true));
    for (int i = first; i < s->n_state; i++)
        s->role[i] = role;
    return LW_OK;
}

static lw_err parse_weight(parser *p) {
    lw_model_source *s = p->source;
    lw_decl *decl = NULL;
    for (int i = 0; i < s->n_state; i++)
        if (s->role[i] == LW_ROLE_WEIGHT) return parser_fail(p, "only one weight");
    s->role[s->n_state < LW_AST_MAX ? s->n_state : 0] = LW_ROLE_WEIGHT;
    LW_TRY(decl_new(p, s->state, &s->n_state, LW_AST_MAX, "the name of the weight", &decl));
    decl->has_unit = true;
    decl->unit = "weight";
    return parse_about(p, &decl->about);
}

/* "on" ("pre" | "post") statements; the line after it that goes on has statements only */
static lw_err parse_event(parser *p, const lw_token *keyword) {
    const lw_token *which = keyword + 1;
    if (p->at == which) {
        if (!is_word(which, "pre") && !is_word(which, "post")) return parser_fail(p, "'pre' or 'post'");
        p->at++;
    }
    return parse_statements(p, is_word(which, "pre") ? LW_STATEMENT_ON_PRE : LW_STATEMENT_ON_POST);
}

static lw_err parse_synapse_block(parser *p, const lw_token *keyword) {
    lw_model_source *s = p->source;
    if (is_word(keyword, "param")) return parse_params(p);
    if (is_word(keyword, "derived"))
        return parse_decls(p, s->derived, &s->n_derived, LW_AST_PARAM_MAX, "the name of a derived value", false);
    if (is_word(keyword, "let"))
        return parse_decls(p, s->let, &s->n_let, LW_AST_PARAM_MAX, "the name of an abbreviation", false);
    if (is_word(keyword, "weight")) return parse_weight(p);
    if (is_word(keyword, "pre")) return parse_variables(p, LW_ROLE_PRE);
    if (is_word(keyword, "post")) return parse_variables(p, LW_ROLE_POST);
    if (is_word(keyword, "ode")) return parse_statements(p, LW_STATEMENT_ODE);
    if (is_word(keyword, "on")) return parse_event(p, keyword);
    if (is_word(keyword, "deliver")) return parse_result(p, &s->output);
    p->at = keyword;
    return parser_fail(p, "one of param, derived, let, weight, pre, post, ode, on, deliver");
}

static lw_err parse_block(parser *p, const lw_token *keyword) {
    lw_model_source *s = p->source;
    if (s->synapse) return parse_synapse_block(p, keyword);
    if (is_word(keyword, "param")) return parse_params(p);
    if (is_word(keyword, "input")) return parse_inputs(p);
    if (is_word(keyword, "state"))
        return parse_decls(p, s->state, &s->n_state, LW_AST_MAX, "the name of a state variable", true);
    if (is_word(keyword, "derived"))
        return parse_decls(p, s->derived, &s->n_derived, LW_AST_PARAM_MAX, "the name of a derived value", false);
    if (is_word(keyword, "let"))
        return parse_decls(p, s->let, &s->n_let, LW_AST_PARAM_MAX, "the name of an abbreviation", false);
    if (is_word(keyword, "ode")) return parse_statements(p, LW_STATEMENT_ODE);
    if (is_word(keyword, "update")) return parse_statements(p, LW_STATEMENT_UPDATE);
    if (is_word(keyword, "reset")) return parse_statements(p, LW_STATEMENT_RESET);
    if (is_word(keyword, "method")) return parse_method(p);
    if (is_word(keyword, "refractory")) return parse_refractory(p);
    if (is_word(keyword, "spike")) return parse_result(p, &s->spike);
    if (is_word(keyword, "output")) return parse_result(p, &s->output);
    p->at = keyword;
    return parser_fail(
        p, "one of param, input, state, derived, let, method, ode, update, refractory, spike, output, reset");
}

static lw_err parse_model(parser *p) {
    lw_model_source *s = p->source;
    s->synapse = is_word(p->at, "synapse");
    if (!s->synapse && !is_word(p->at, "model")) return parser_fail(p, "'model' or 'synapse', and a name");
    p->at++;
    s->name_line = p->at->line;
    s->name_column = p->at->column;
    LW_TRY(take_name(p, "the name of the model", &s->name));
    s->about = "";
    LW_TRY(parse_about(p, &s->about));
    const lw_token *keyword = NULL;
    for (;;) {
        if (p->at->kind != LW_TOKEN_NEWLINE) return parser_fail(p, "an operator, ',' or the end of the line");
        p->at++;
        if (p->at->kind == LW_TOKEN_END) return LW_OK;
        if (!keyword || p->at->column <= keyword->column) keyword = p->at++;
        LW_TRY(parse_block(p, keyword));
    }
}

lw_err lw_parser_run(lw_model_source *source) {
    lw_token *tokens;
    int count;
    LW_TRY(lw_lexer_run(source->file, source->text, &tokens, &count));
    parser p = {.source = source, .at = tokens};
    lw_err err = count > 1 ? parse_model(&p) : parser_fail(&p, "'model' or 'synapse', and a name");
    lw_free(tokens);
    return err;
}
