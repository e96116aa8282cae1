/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The meaning of a syntax tree: every name is found and allowed where it stands, both sides of every assignment have
 * the same dimension, defaults lie in their domains, and the lines fit together. One walk over the expressions does
 * names and dimensions.
 */
#include <lapwing/kernel.h>
#include "ast.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* which kinds of names an expression may use */
enum {
    MAY_PARAM = 1 << LW_SYMBOL_PARAM,
    MAY_STATE = 1 << LW_SYMBOL_STATE,
    MAY_INPUT = 1 << LW_SYMBOL_INPUT,
    MAY_DERIVED = 1 << LW_SYMBOL_DERIVED,
    MAY_LET = 1 << LW_SYMBOL_LET,
    MAY_DT = 1 << LW_SYMBOL_DT,
    MAY_CONSTANT = MAY_PARAM | MAY_DERIVED | MAY_DT,
    MAY_NO_INPUT = MAY_CONSTANT | MAY_STATE | MAY_LET,
    MAY_ALL = MAY_NO_INPUT | MAY_INPUT,
    /* variables of synapse models, by role */
    MAY_ROLE = 1 << 8,
    MAY_PRE = MAY_ROLE << LW_ROLE_PRE,
    MAY_POST = MAY_ROLE << LW_ROLE_POST,
    MAY_ROLES = MAY_PRE | MAY_POST | MAY_ROLE << LW_ROLE_WEIGHT,
    MAY_SYNAPSE = (MAY_CONSTANT & ~MAY_DT) | MAY_LET | MAY_STATE,
    MAY_SYNAPSE_ALL = MAY_SYNAPSE | MAY_ROLES
};

typedef struct checker {
    lw_model_source *source;
    unsigned may;
    int n_derived, n_let; /* how many of them are visible here */
    unsigned let_uses[LW_AST_PARAM_MAX];
    unsigned uses; /* symbol kinds met in the expression being walked */
} checker;

static lw_err check_fail(const lw_model_source *s, int line, int column, const char *found, const char *expected) {
    return LW_FAIL(LW_EMODEL, "%s:%d:%d: found %s, expected %s", s->file, line, column, found, expected);
}

static int decl_find(const lw_decl *list, int count, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0) return i;
    return -1;
}

static lw_symbol_kind symbol_find(const lw_model_source *s, const char *name, int *index) {
    const struct {
        lw_symbol_kind kind;
        const lw_decl *list;
        int count;
    } table[] = {{LW_SYMBOL_PARAM, s->param, s->n_param}, {LW_SYMBOL_STATE, s->state, s->n_state},
        {LW_SYMBOL_INPUT, s->input, s->n_input}, {LW_SYMBOL_DERIVED, s->derived, s->n_derived},
        {LW_SYMBOL_LET, s->let, s->n_let}};
    for (size_t t = 0; t < sizeof table / sizeof table[0]; t++) {
        *index = decl_find(table[t].list, table[t].count, name);
        if (*index >= 0) return table[t].kind;
    }
    return strcmp(name, "dt") == 0 ? LW_SYMBOL_DT : LW_SYMBOL_NONE;
}

static void may_text(unsigned may, char out[160]) {
    static const char *const names[] = {[LW_SYMBOL_PARAM] = "param",
        [LW_SYMBOL_STATE] = "state",
        [LW_SYMBOL_INPUT] = "input",
        [LW_SYMBOL_DERIVED] = "derived",
        [LW_SYMBOL_LET] = "let",
        [LW_SYMBOL_DT] = "dt"};
    size_t at = (size_t)snprintf(out, 160, "a name declared by");
    for (unsigned k = LW_SYMBOL_PARAM; k <= LW_SYMBOL_DT; k++)
        if (may & (1u << k))
            at += (size_t)snprintf(out + at, 160 - at, k == LW_SYMBOL_DT ? " or %s" : " %s,", names[k]);
    char *comma = strrchr(out, ',');
    if (comma && comma[1] == ' ' && comma[2] == 'o') memmove(comma, comma + 1, strlen(comma));
}

/* ------------------------------------------------------------------ expressions */

static lw_err check_expr(checker *c, lw_expr *e);

static lw_err check_name(checker *c, lw_expr *e) {
    const lw_model_source *s = c->source;
    char found[96], expected[160];
    e->symbol = symbol_find(s, e->text, &e->index);
    may_text(c->may, expected);
    if (e->symbol == LW_SYMBOL_NONE) {
        snprintf(found, sizeof found, "unknown name '%.60s'", e->text);
        return check_fail(s, e->line, e->column, found, expected);
    }
    bool hidden = (e->symbol == LW_SYMBOL_DERIVED && e->index >= c->n_derived) ||
                  (e->symbol == LW_SYMBOL_LET && e->index >= c->n_let);
    unsigned uses = e->symbol == LW_SYMBOL_LET && !hidden ? c->let_uses[e->index] : 0;
    uses |= 1u << e->symbol;
    if (s->synapse && e->symbol == LW_SYMBOL_STATE) uses |= (unsigned)MAY_ROLE << s->role[e->index];
    if (uses & ~c->may & MAY_ROLES) {
        snprintf(found, sizeof found, "'%.60s' here", e->text);
        return check_fail(s, e->line, e->column, found,
            c->may & MAY_PRE    ? "parameters and pre variables only, as no pre variable can know of targets"
            : c->may & MAY_POST ? "parameters and post variables only, as no post variable can know of sources"
                                : "parameters only");
    }
    if ((uses & ~c->may) || hidden) {
        static const char *const kinds[] = {"", "param", "state", "input", "derived", "let", "dt"};
        snprintf(found, sizeof found, "%s '%.60s'%s", kinds[e->symbol], e->text,
            hidden                     ? " before its line"
            : uses & MAY_INPUT         ? " (an input) here"
            : e->symbol < LW_SYMBOL_DT ? " here"
                                       : "");
        return check_fail(s, e->line, e->column, found, expected);
    }
    c->uses |= uses;
    switch (e->symbol) {
    case LW_SYMBOL_PARAM:
        e->dims = s->param[e->index].dims;
        break;
    case LW_SYMBOL_STATE:
        e->dims = s->state[e->index].dims;
        break;
    case LW_SYMBOL_INPUT:
        e->dims = s->input[e->index].dims;
        break;
    case LW_SYMBOL_DERIVED:
        e->dims = s->derived[e->index].dims;
        break;
    case LW_SYMBOL_LET:
        e->dims = s->let[e->index].dims;
        break;
    case LW_SYMBOL_DT:
        e->dims = (lw_dims){.e = {1, 0, 0}};
        break;
    case LW_SYMBOL_NONE:
        break;
    }
    return LW_OK;
}

static lw_err same_dims(checker *c, const lw_expr *a, const lw_expr *b) {
    if (lw_dims_equal(a->dims, b->dims)) return LW_OK;
    char found[64], expected[64];
    lw_dims_text(b->dims, found);
    lw_dims_text(a->dims, expected);
    return check_fail(c->source, b->line, b->column, found, expected);
}

static lw_err no_dims(checker *c, const lw_expr *e) {
    if (lw_dims_equal(e->dims, (lw_dims){0})) return LW_OK;
    char found[64];
    lw_dims_text(e->dims, found);
    return check_fail(c->source, e->line, e->column, found, "a number without unit");
}

static bool is_condition(const lw_expr *e) {
    return e->kind == LW_EXPR_LT || e->kind == LW_EXPR_LE || e->kind == LW_EXPR_GT || e->kind == LW_EXPR_GE;
}

static lw_err check_power(checker *c, lw_expr *e) {
    double power;
    const lw_expr *base = e->arg[0], *exponent = e->arg[1];
    LW_TRY(no_dims(c, exponent));
    if (lw_dims_equal(base->dims, (lw_dims){0})) {
        e->dims = (lw_dims){0};
        return LW_OK;
    }
    if (!lw_expr_constant(exponent, &power) || power != rint(power) || fabs(power) > 9)
        return check_fail(c->source, exponent->line, exponent->column, "this exponent of a quantity with a unit",
            "a constant integer of at most 9");
    for (int d = 0; d < LW_UNIT_DIMS; d++)
        e->dims.e[d] = base->dims.e[d] * (int)power;
    return LW_OK;
}

static lw_err check_call(checker *c, lw_expr *e) {
    lw_expr *const *arg = e->arg;
    switch (e->func) {
    case LW_FUNC_EXP:
    case LW_FUNC_LOG:
    case LW_FUNC_TANH:
    case LW_FUNC_SIGMOID:
    case LW_FUNC_SIN:
    case LW_FUNC_COS:
    case LW_FUNC_EXPM1:
        e->dims = (lw_dims){0};
        return no_dims(c, arg[0]);
    case LW_FUNC_SQRT:
        for (int d = 0; d < LW_UNIT_DIMS; d++) {
            if (arg[0]->dims.e[d] % 2) {
                char found[64];
                lw_dims_text(arg[0]->dims, found);
                return check_fail(c->source, arg[0]->line, arg[0]->column, found, "the square of a unit");
            }
            e->dims.e[d] = arg[0]->dims.e[d] / 2;
        }
        return LW_OK;
    case LW_FUNC_ABS:
        e->dims = arg[0]->dims;
        return LW_OK;
    case LW_FUNC_MIN:
    case LW_FUNC_MAX:
        e->dims = arg[0]->dims.any ? arg[1]->dims : arg[0]->dims;
        return same_dims(c, arg[0], arg[1]);
    case LW_FUNC_POW:
        return check_power(c, e);
    case LW_FUNC_IF:
        e->dims = arg[1]->dims.any ? arg[2]->dims : arg[1]->dims;
        return same_dims(c, arg[1], arg[2]);
    case LW_FUNC_COUNT:
        break;
    }
    return LW_OK;
}

static lw_err check_expr(checker *c, lw_expr *e) {
    for (int i = 0; i < e->n_arg; i++) {
        bool want = e->kind == LW_EXPR_CALL && e->func == LW_FUNC_IF && i == 0;
        LW_TRY(check_expr(c, e->arg[i]));
        if (is_condition(e->arg[i]) != want)
            return check_fail(c->source, e->arg[i]->line, e->arg[i]->column,
                want ? "a number" : "a comparison outside the first place of if()",
                want ? "a comparison as the first argument of if()" : "a number");
    }
    switch (e->kind) {
    case LW_EXPR_NUMBER:
        return LW_OK;
    case LW_EXPR_NAME:
        return check_name(c, e);
    case LW_EXPR_NEG:
        e->dims = e->arg[0]->dims;
        return LW_OK;
    case LW_EXPR_ADD:
    case LW_EXPR_SUB:
        e->dims = e->arg[0]->dims.any ? e->arg[1]->dims : e->arg[0]->dims;
        return same_dims(c, e->arg[0], e->arg[1]);
    case LW_EXPR_MUL:
    case LW_EXPR_DIV:
        for (int d = 0; d < LW_UNIT_DIMS; d++)
            e->dims.e[d] = e->arg[0]->dims.e[d] + (e->kind == LW_EXPR_MUL ? 1 : -1) * e->arg[1]->dims.e[d];
        e->dims.any = e->arg[0]->dims.any || (e->kind == LW_EXPR_MUL && e->arg[1]->dims.any);
        return LW_OK;
    case LW_EXPR_POW:
        return check_power(c, e);
    case LW_EXPR_LT:
    case LW_EXPR_LE:
    case LW_EXPR_GT:
    case LW_EXPR_GE:
        return same_dims(c, e->arg[0], e->arg[1]);
    case LW_EXPR_CALL:
        return check_call(c, e);
    }
    return LW_OK;
}

/* an expression that is a value (no bare comparison), of dimension *dims unless dims is NULL */
static lw_err check_value(checker *c, unsigned may, lw_expr *e, const lw_dims *dims) {
    c->may = may;
    c->uses = 0;
    LW_TRY(check_expr(c, e));
    if (is_condition(e)) return check_fail(c->source, e->line, e->column, "a comparison", "a number");
    if (!dims || lw_dims_equal(*dims, e->dims)) return LW_OK;
    char found[64], expected[64];
    lw_dims_text(e->dims, found);
    lw_dims_text(*dims, expected);
    return check_fail(c->source, e->line, e->column, found, expected);
}

bool lw_expr_constant(const lw_expr *e, double *value) {
    double a = 0, b = 0;
    if (e->kind == LW_EXPR_NUMBER) {
        *value = e->number;
        return true;
    }
    if (e->kind == LW_EXPR_NAME || e->kind == LW_EXPR_CALL) return false;
    if (!lw_expr_constant(e->arg[0], &a) || (e->n_arg > 1 && !lw_expr_constant(e->arg[1], &b))) return false;
    switch (e->kind) {
    case LW_EXPR_NEG:
        *value = -a;
        return true;
    case LW_EXPR_ADD:
        *value = a + b;
        return true;
    case LW_EXPR_SUB:
        *value = a - b;
        return true;
    case LW_EXPR_MUL:
        *value = a * b;
        return true;
    case LW_EXPR_DIV:
        *value = a / b;
        return true;
    case LW_EXPR_POW:
        *value = pow(a, b);
        return true;
    case LW_EXPR_NUMBER:
    case LW_EXPR_NAME:
    case LW_EXPR_LT:
    case LW_EXPR_LE:
    case LW_EXPR_GT:
    case LW_EXPR_GE:
    case LW_EXPR_CALL:
        break;
    }
    return false;
}

/* ------------------------------------------------------------------ declarations */

static lw_err check_new_name(const lw_model_source *s, const lw_decl *decl) {
    char found[96];
    int index, func = 0;
    while (func < LW_FUNC_COUNT && strcmp(decl->name, lw_func_name((lw_func)func)) != 0)
        func++;
    snprintf(found, sizeof found, "'%.60s'", decl->name);
    if (func < LW_FUNC_COUNT || strcmp(decl->name, "dt") == 0)
        return check_fail(s, decl->line, decl->column, found, "a name that is neither a function nor dt");
    const lw_decl *lists[] = {s->param, s->state, s->input, s->derived, s->let};
    const int counts[] = {s->n_param, s->n_state, s->n_input, s->n_derived, s->n_let};
    lw_symbol_kind kind = symbol_find(s, decl->name, &index);
    const lw_decl *first = &lists[kind - LW_SYMBOL_PARAM][index];
    for (int l = 0; l < 5 && first == decl; l++)
        for (int i = 0; i < counts[l]; i++)
            if (&lists[l][i] != decl && strcmp(lists[l][i].name, decl->name) == 0)
                return LW_OK; /* told at the second one */
    if (first == decl) return LW_OK;
    char expected[64];
    snprintf(expected, sizeof expected, "a new name (the first one is in line %d)", first->line);
    return check_fail(s, decl->line, decl->column, found, expected);
}

static lw_err check_param(checker *c, lw_decl *p) {
    lw_model_source *s = c->source;
    LW_TRY(check_new_name(s, p));
    LW_TRY(check_value(c, 0, p->expr, NULL));
    if (p->has_unit) {
        if (!lw_dims_equal(p->expr->dims, (lw_dims){0})) {
            char found[64];
            lw_dims_text(p->expr->dims, found);
            return check_fail(s, p->expr->line, p->expr->column, found, "a number without unit before 'in'");
        }
    } else {
        if (!p->expr->dims.any) p->dims = p->expr->dims;
        if (!p->unit[0]) {
            char unit[64];
            lw_dims_text(p->dims, unit);
            LW_TRY(lw_ast_string(s, unit, strlen(unit), &p->unit));
        }
    }
    bool low = p->lo_open ? p->value <= p->lo : p->value < p->lo;
    bool high = p->hi_open ? p->value >= p->hi : p->value > p->hi;
    if (low || high || !isfinite(p->value)) {
        char found[64], expected[96];
        snprintf(found, sizeof found, "default %g %s", p->value / p->scale, p->unit);
        snprintf(expected, sizeof expected, "a value in its domain %c%g, %g%c", p->lo_open || isinf(p->lo) ? '(' : '[',
            p->lo / p->scale, p->hi / p->scale, p->hi_open || isinf(p->hi) ? ')' : ']');
        return check_fail(s, p->expr->line, p->expr->column, found, expected);
    }
    return LW_OK;
}

static lw_err check_decls(checker *c) {
    lw_model_source *s = c->source;
    for (int i = 0; i < s->n_param; i++)
        LW_TRY(check_param(c, &s->param[i]));
    for (int i = 0; i < s->n_input; i++) {
        LW_TRY(check_new_name(s, &s->input[i]));
        if (!s->input[i].has_unit) s->input[i].unit = "1";
    }
    for (int i = 0; i < s->n_derived; i++) {
        LW_TRY(check_new_name(s, &s->derived[i]));
        LW_TRY(check_value(c, s->synapse ? MAY_CONSTANT & ~MAY_DT : MAY_CONSTANT, s->derived[i].expr, NULL));
        s->derived[i].dims = s->derived[i].expr->dims;
        c->n_derived = i + 1;
    }
    for (int i = 0; i < s->n_state; i++) {
        lw_decl *d = &s->state[i];
        LW_TRY(check_new_name(s, d));
        if (!d->expr) continue; /* the weight */
        LW_TRY(
            check_value(c, s->synapse ? MAY_CONSTANT & ~MAY_DT : MAY_CONSTANT, d->expr, d->has_unit ? &d->dims : NULL));
        if (!d->has_unit) {
            char unit[64];
            d->dims = d->expr->dims;
            d->dims.any = false;
            lw_dims_text(d->dims, unit);
            LW_TRY(lw_ast_string(s, unit, strlen(unit), &d->unit));
        }
    }
    for (int i = 0; i < s->n_let; i++) {
        LW_TRY(check_new_name(s, &s->let[i]));
        LW_TRY(check_value(c, s->synapse ? MAY_SYNAPSE_ALL : MAY_ALL, s->let[i].expr, NULL));
        s->let[i].dims = s->let[i].expr->dims;
        c->let_uses[i] = c->uses;
        c->n_let = i + 1;
    }
    return LW_OK;
}

/* ------------------------------------------------------------------ lines */

static lw_err check_synapse_statement(checker *c, lw_statement *t, const lw_dims *dims) {
    lw_model_source *s = c->source;
    char found[96];
    lw_role role = s->role[t->state];
    snprintf(found, sizeof found, "'%.60s'", t->target);
    if (t->kind == LW_STATEMENT_ODE && role == LW_ROLE_WEIGHT)
        return check_fail(s, t->line, t->column, found, "a pre or post variable; the weight changes at spikes only");
    if (t->kind == LW_STATEMENT_ON_PRE && role == LW_ROLE_POST)
        return check_fail(s, t->line, t->column, found, "a pre variable or the weight");
    if (t->kind == LW_STATEMENT_ON_POST && role == LW_ROLE_PRE)
        return check_fail(s, t->line, t->column, found, "a post variable or the weight");
    unsigned may = role == LW_ROLE_WEIGHT ? MAY_SYNAPSE_ALL : MAY_SYNAPSE | (unsigned)MAY_ROLE << role;
    return check_value(c, may, t->expr, dims);
}

static lw_err check_statement(checker *c, int at) {
    lw_model_source *s = c->source;
    lw_statement *t = &s->statement[at];
    char found[96];
    t->state = decl_find(s->state, s->n_state, t->target);
    snprintf(found, sizeof found, "'%.60s'", t->target);
    if (t->state < 0) return check_fail(s, t->line, t->column, found, "the name of a state variable");
    for (int i = 0; i < at; i++) {
        const lw_statement *u = &s->statement[i];
        if (u->kind != t->kind) continue;
        if (t->kind != LW_STATEMENT_ODE && t->kind != LW_STATEMENT_RESET) {
            bool together = true; /* one comma list from u to t */
            for (int j = i + 1; j <= at; j++)
                together = together && s->statement[j].joined;
            if (together && u->state == t->state)
                return check_fail(s, t->line, t->column, found, "another state variable in one list of assignments");
            continue;
        }
        if (u->state == t->state)
            return check_fail(s, t->line, t->column, found, "only one such line for each state variable");
        if (t->kind == LW_STATEMENT_ODE)
            for (int j = i + 1; j < at; j++)
                if (s->statement[j].kind == LW_STATEMENT_UPDATE)
                    return check_fail(
                        s, t->line, t->column, "an ode line after an update line", "all ode lines together");
    }
    lw_dims dims = s->state[t->state].dims;
    if (t->kind == LW_STATEMENT_ODE) dims.e[0] -= 1;
    if (s->synapse) return check_synapse_statement(c, t, &dims);
    return check_value(c, t->kind == LW_STATEMENT_RESET ? MAY_NO_INPUT : MAY_ALL, t->expr, &dims);
}

static lw_err check_refractory(lw_model_source *s) {
    char found[96];
    const lw_word *r = &s->refractory;
    s->refractory_symbol = symbol_find(s, r->text, &s->refractory_index);
    bool is_param = s->refractory_symbol == LW_SYMBOL_PARAM, is_derived = s->refractory_symbol == LW_SYMBOL_DERIVED;
    lw_dims time = {.e = {1, 0, 0}};
    snprintf(found, sizeof found, "'%.60s'", r->text);
    if ((!is_param && !is_derived) ||
        !lw_dims_equal(time, is_param ? s->param[s->refractory_index].dims : s->derived[s->refractory_index].dims))
        return check_fail(s, r->line, r->column, found, "a param or derived value in ms");
    if (!s->spike) return check_fail(s, r->line, r->column, "refractory without 'spike'", "a 'spike' line");
    for (int i = 0; i < s->n_hold; i++) {
        snprintf(found, sizeof found, "'%.60s'", s->hold[i].text);
        s->hold_state[i] = decl_find(s->state, s->n_state, s->hold[i].text);
        if (s->hold_state[i] < 0)
            return check_fail(s, s->hold[i].line, s->hold[i].column, found, "the name of a state variable");
    }
    return LW_OK;
}

static lw_err check_synapse(checker *c) {
    lw_model_source *s = c->source;
    int n[3] = {0};
    for (int i = 0; i < s->n_state; i++)
        n[s->role[i]]++;
    if (n[LW_ROLE_WEIGHT] != 1)
        return check_fail(s, s->name_line, s->name_column, "a synapse without weight", "a 'weight' line");
    if (n[LW_ROLE_PRE] > LW_SYNAPSE_STATE_MAX || n[LW_ROLE_POST] > LW_SYNAPSE_STATE_MAX)
        return check_fail(
            s, s->name_line, s->name_column, "more than 8 variables of one neuron", "at most 8 pre and 8 post ones");
    if (!s->output)
        return check_fail(s, s->name_line, s->name_column, "a synapse that delivers nothing", "a 'deliver' line");
    lw_dims none = {0};
    return check_value(c, MAY_SYNAPSE_ALL, s->output, &none);
}

lw_err lw_check_run(lw_model_source *s) {
    checker c = {.source = s};
    LW_TRY(check_decls(&c));
    for (int i = 0; i < s->n_statement; i++)
        LW_TRY(check_statement(&c, i));
    if (s->synapse) return check_synapse(&c);
    if (!s->spike && !s->output)
        return check_fail(s, s->name_line, s->name_column, "a model without result", "a 'spike' or an 'output' line");
    if (s->spike) LW_TRY(check_value(&c, MAY_NO_INPUT, s->spike, NULL));
    if (s->output) LW_TRY(check_value(&c, MAY_NO_INPUT, s->output, NULL));
    if (s->refractory.text) LW_TRY(check_refractory(s));
    for (int i = 0; i < s->n_statement; i++)
        if (s->statement[i].kind == LW_STATEMENT_RESET && !s->spike)
            return check_fail(
                s, s->statement[i].line, s->statement[i].column, "reset without 'spike'", "a 'spike' line");
    return LW_OK;
}
