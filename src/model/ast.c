/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory of the syntax tree and its printer. The arena is a list of blocks freed together.
 */
#include "ast.h"
#include <math.h>
#include <string.h>

struct lw_arena_block {
    lw_arena_block *next;
    size_t used, size;
    max_align_t bytes[];
};

enum { ARENA_BLOCK = 16384 };

lw_err lw_ast_alloc(lw_model_source *source, size_t bytes, void *out_pointer_to_pointer) {
    void **out = out_pointer_to_pointer;
    size_t size = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    lw_arena_block *block = source->arena;
    *out = NULL;
    if (!block || block->used + size > block->size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        LW_TRY(lw_alloc(1, sizeof *block + room, "syntax tree of a model", &block));
        block->size = room;
        block->next = source->arena;
        source->arena = block;
    }
    *out = (char *)block->bytes + block->used;
    block->used += size;
    return LW_OK;
}

lw_err lw_ast_string(lw_model_source *source, const char *start, size_t length, const char **out) {
    char *copy;
    LW_TRY(lw_ast_alloc(source, length + 1, &copy));
    memcpy(copy, start, length);
    *out = copy;
    return LW_OK;
}

void lw_model_source_destroy(lw_model_source **source) {
    if (!*source) return;
    for (lw_arena_block *block = (*source)->arena; block;) {
        lw_arena_block *next = block->next;
        lw_free(block);
        block = next;
    }
    lw_free(*source);
    *source = NULL;
}

static const struct {
    const char *name;
    int arity;
} func_table[LW_FUNC_COUNT] = {
    [LW_FUNC_EXP] = {"exp", 1},
    [LW_FUNC_LOG] = {"log", 1},
    [LW_FUNC_SQRT] = {"sqrt", 1},
    [LW_FUNC_TANH] = {"tanh", 1},
    [LW_FUNC_SIGMOID] = {"sigmoid", 1},
    [LW_FUNC_SIN] = {"sin", 1},
    [LW_FUNC_COS] = {"cos", 1},
    [LW_FUNC_ABS] = {"abs", 1},
    [LW_FUNC_EXPM1] = {"expm1", 1},
    [LW_FUNC_MIN] = {"min", 2},
    [LW_FUNC_MAX] = {"max", 2},
    [LW_FUNC_POW] = {"pow", 2},
    [LW_FUNC_IF] = {"if", 3},
};

const char *lw_func_name(lw_func func) {
    return func_table[func].name;
}
int lw_func_arity(lw_func func) {
    return func_table[func].arity;
}

const char *lw_method_name(lw_method method) {
    static const char *const names[] = {"exact", "exponential_euler", "rk4"};
    return names[method];
}

/* binding strength; a child with a lower one needs parentheses, and so does an equal one on the side that does not
 * associate */
static int expr_priority(const lw_expr *expr) {
    switch (expr->kind) {
    case LW_EXPR_LT:
    case LW_EXPR_LE:
    case LW_EXPR_GT:
    case LW_EXPR_GE:
        return 1;
    case LW_EXPR_ADD:
    case LW_EXPR_SUB:
        return 2;
    case LW_EXPR_MUL:
    case LW_EXPR_DIV:
        return 3;
    case LW_EXPR_NEG:
        return 4;
    case LW_EXPR_POW:
        return 5;
    case LW_EXPR_NUMBER:
    case LW_EXPR_NAME:
    case LW_EXPR_CALL:
        return 6;
    }
    return 0;
}

static void print_child(lw_text *text, const lw_expr *child, int least) {
    bool wrap = expr_priority(child) < least;
    if (wrap) lw_text_add(text, "(");
    lw_expr_print(text, child);
    if (wrap) lw_text_add(text, ")");
}

static void print_binary(lw_text *text, const lw_expr *expr, const char *op, int left, int right) {
    print_child(text, expr->arg[0], left);
    lw_text_add(text, "%s", op);
    print_child(text, expr->arg[1], right);
}

void lw_expr_print(lw_text *text, const lw_expr *expr) {
    switch (expr->kind) {
    case LW_EXPR_NUMBER:
    case LW_EXPR_NAME:
        lw_text_add(text, "%s", expr->text);
        return;
    case LW_EXPR_NEG:
        lw_text_add(text, "-");
        print_child(text, expr->arg[0], 4);
        return;
    case LW_EXPR_ADD:
        print_binary(text, expr, " + ", 2, 3);
        return;
    case LW_EXPR_SUB:
        print_binary(text, expr, " - ", 2, 3);
        return;
    case LW_EXPR_MUL:
        print_binary(text, expr, "*", 3, 4);
        return;
    case LW_EXPR_DIV:
        print_binary(text, expr, "/", 3, 4);
        return;
    case LW_EXPR_POW:
        print_binary(text, expr, "^", 6, 4);
        return;
    case LW_EXPR_LT:
        print_binary(text, expr, " < ", 2, 2);
        return;
    case LW_EXPR_LE:
        print_binary(text, expr, " <= ", 2, 2);
        return;
    case LW_EXPR_GT:
        print_binary(text, expr, " > ", 2, 2);
        return;
    case LW_EXPR_GE:
        print_binary(text, expr, " >= ", 2, 2);
        return;
    case LW_EXPR_CALL:
        lw_text_add(text, "%s(", lw_func_name(expr->func));
        for (int i = 0; i < expr->n_arg; i++) {
            if (i) lw_text_add(text, ", ");
            lw_expr_print(text, expr->arg[i]);
        }
        lw_text_add(text, ")");
        return;
    }
}

static void print_unit_about(lw_text *text, const lw_decl *decl) {
    if (decl->has_unit) lw_text_add(text, " in %s", decl->unit);
    if (decl->about[0]) lw_text_add(text, " \"%s\"", decl->about);
    lw_text_add(text, "\n");
}

static void print_param(lw_text *text, const lw_decl *decl) {
    char number[32];
    lw_text_add(text, "  param %s = ", decl->name);
    lw_expr_print(text, decl->expr);
    if (decl->has_unit) lw_text_add(text, " in %s", decl->unit);
    if (isfinite(decl->lo)) {
        lw_text_number(number, decl->lo / decl->scale);
        lw_text_add(text, ", %s %s", decl->lo_open ? ">" : ">=", number);
    }
    if (isfinite(decl->hi)) {
        lw_text_number(number, decl->hi / decl->scale);
        lw_text_add(text, ", %s %s", decl->hi_open ? "<" : "<=", number);
    }
    if (decl->about[0]) lw_text_add(text, " \"%s\"", decl->about);
    lw_text_add(text, "\n");
}

static void print_expr_line(lw_text *text, const char *key, const char *name, const char *glue, const lw_expr *expr) {
    lw_text_add(text, "  %s%s%s%s", key, name[0] ? " " : "", name, glue);
    lw_expr_print(text, expr);
    lw_text_add(text, "\n");
}

static void print_update(lw_text *text, const char *key, const lw_statement *s, bool more) {
    lw_text_add(text, "%s%s%s = ", s->joined ? "" : "  ", s->joined ? "" : key, s->target);
    lw_expr_print(text, s->expr);
    lw_text_add(text, more ? ", " : "\n");
}

static void print_state(lw_text *text, const lw_model_source *source, int i) {
    static const char *const roles[] = {"pre", "post"};
    const lw_decl *decl = &source->state[i];
    if (source->synapse && source->role[i] == LW_ROLE_WEIGHT) {
        lw_text_add(text, "  weight %s", decl->name);
        if (decl->about[0]) lw_text_add(text, " \"%s\"", decl->about);
        lw_text_add(text, "\n");
        return;
    }
    lw_text_add(text, "  %s %s = ", source->synapse ? roles[source->role[i]] : "state", decl->name);
    lw_expr_print(text, decl->expr);
    print_unit_about(text, decl);
}

void lw_source_print(lw_text *text, const lw_model_source *source) {
    static const char *const keys[] = {
        [LW_STATEMENT_UPDATE] = "update ", [LW_STATEMENT_ON_PRE] = "on pre ", [LW_STATEMENT_ON_POST] = "on post "};
    lw_text_add(text, "%s %s", source->synapse ? "synapse" : "model", source->name);
    if (source->about[0]) lw_text_add(text, " \"%s\"", source->about);
    lw_text_add(text, "\n");
    for (int i = 0; i < source->n_param; i++)
        print_param(text, &source->param[i]);
    for (int i = 0; i < source->n_input; i++) {
        lw_text_add(text, "  input %s", source->input[i].name);
        print_unit_about(text, &source->input[i]);
    }
    for (int i = 0; i < source->n_state; i++)
        print_state(text, source, i);
    for (int i = 0; i < source->n_derived; i++)
        print_expr_line(text, "derived", source->derived[i].name, " = ", source->derived[i].expr);
    for (int i = 0; i < source->n_let; i++)
        print_expr_line(text, "let", source->let[i].name, " = ", source->let[i].expr);
    if (source->method_given) lw_text_add(text, "  method %s", lw_method_name(source->method));
    if (source->method_steps) lw_text_add(text, " steps %d", source->method_steps);
    if (source->method_given) lw_text_add(text, "\n");
    for (int i = 0; i < source->n_statement; i++) {
        const lw_statement *s = &source->statement[i];
        if (s->kind == LW_STATEMENT_ODE) print_expr_line(text, "ode", s->target, "' = ", s->expr);
        if (s->kind != LW_STATEMENT_ODE && s->kind != LW_STATEMENT_RESET)
            print_update(text, keys[s->kind], s, i + 1 < source->n_statement && s[1].kind == s->kind && s[1].joined);
    }
    if (source->refractory.text) {
        lw_text_add(text, "  refractory %s", source->refractory.text);
        for (int i = 0; i < source->n_hold; i++)
            lw_text_add(text, "%s%s", i ? ", " : " holds ", source->hold[i].text);
        lw_text_add(text, "\n");
    }
    if (source->spike) print_expr_line(text, "spike", "", " ", source->spike);
    if (source->output) print_expr_line(text, source->synapse ? "deliver" : "output", "", " ", source->output);
    for (int i = 0; i < source->n_statement; i++)
        if (source->statement[i].kind == LW_STATEMENT_RESET)
            print_expr_line(text, "reset", source->statement[i].target, " = ", source->statement[i].expr);
}
