/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Names and expressions of the generated C. Nodes used once are written in place, nodes used more often become
 * temporaries, so the common subexpressions of the graph stay common in the text.
 */
#include "emit.h"
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ names */

/* C keywords, library functions that generated code calls, and the generator's own locals */
static const char *const reserved[] = {"auto", "break", "case", "char", "const", "continue", "default", "do", "double",
    "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return",
    "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile",
    "while", "NULL", "NAN", "INFINITY", "HUGE_VAL", "floor", "fabs", "floorf", "expf", "signgam", "stdin", "stdout",
    "stderr", "args", "n", "width", "rows", "lanes", "row", "lane", "at", "cx", "px", "dx", "flat", "shared", "stride",
    "held", "s", "slope", "curve", "attached", "out", "margin", "refractory", "spike", "precision", "param", "coef",
    "state", "value", "p", "c", "a", "t", "k", "dt", "ds", "ds_reset", "u_adj", "main", "asm", "typeof", "int32_t",
    "int64_t", "uint8_t", "size_t", "pre", "post", "weight", "delivered", "u"};
/* endings that the generator puts behind names of the model */
static const char *const endings[] = {"_tan", "_adj", "_pre", "_arr", "_sum", "_"};

static bool ends_with(const char *name, const char *ending) {
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

static bool name_taken(const lw_emitter *e, const char *name) {
    const lw_model_source *s = e->plan->source;
    for (int i = 0; i < s->n_param; i++)
        if (strcmp(e->param[i], name) == 0) return true;
    for (int i = 0; i < s->n_state; i++)
        if (strcmp(e->state[i], name) == 0) return true;
    for (int i = 0; i < s->n_input; i++)
        if (strcmp(e->input[i], name) == 0) return true;
    for (int i = 0; i < e->plan->n_coef; i++)
        if (strcmp(e->coef[i], name) == 0) return true;
    return false;
}

/* names never start with an underscore and a letter of a reserved kind: a leading one gets an x */
static void name_make(const lw_emitter *e, const char *wanted, bool may_repeat, char out[LW_NAME_MAX]) {
    char name[LW_NAME_MAX];
    bool change = false;
    snprintf(name, sizeof name, "%s%.80s", wanted[0] == '_' ? "x" : "", wanted);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        change = change || strcmp(name, reserved[i]) == 0;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        change = change || ends_with(name, endings[i]);
    if (change) strcat(name, "_x");
    while (!may_repeat && name_taken(e, name) && strlen(name) + 3 < sizeof name)
        strcat(name, "_x");
    memcpy(out, name, sizeof name);
}

lw_err lw_emitter_create(lw_text *text, const lw_plan *plan, lw_emitter **out) {
    lw_emitter *e = NULL;
    lw_err err = LW_OK;
    const lw_model_source *s = plan->source;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *e, "emitter", &e));
    e->text = text;
    e->plan = plan;
    LW_TRY_TO(lw_alloc((size_t)plan->g->count, sizeof *e->uses, "emitter", &e->uses), done);
    LW_TRY_TO(lw_alloc((size_t)plan->g->count, sizeof *e->temp, "emitter", &e->temp), done);
    for (int i = 0; i < s->n_param; i++)
        name_make(e, s->param[i].name, false, e->param[i]);
    for (int i = 0; i < s->n_state; i++)
        name_make(e, s->state[i].name, false, e->state[i]);
    for (int i = 0; i < s->n_input; i++)
        name_make(e, s->input[i].name, false, e->input[i]);
    for (int c = 0; c < plan->n_coef; c++) {
        const lw_node *n = &plan->g->node[plan->coef[c]];
        if (n->op == LW_NODE_LEAF && n->leaf == LW_LEAF_PARAM)
            memcpy(e->coef[c], e->param[n->index], sizeof e->coef[c]); /* the same quantity */
        else if (n->op == LW_NODE_LEAF)
            snprintf(e->coef[c], sizeof e->coef[c], "dt");
        else
            name_make(e, plan->coef_name[c], false, e->coef[c]);
    }
done:
    if (err != LW_OK) lw_emitter_destroy(&e);
    *out = e;
    return err;
}

void lw_emitter_destroy(lw_emitter **emitter) {
    if (!*emitter) return;
    lw_free((*emitter)->uses);
    lw_free((*emitter)->temp);
    lw_free(*emitter);
    *emitter = NULL;
}

const char *lw_emitter_real(const lw_emitter *e) {
    return e->single ? "float" : "double";
}

void lw_emit_leaf_name(const lw_emitter *e, lw_leaf leaf, int index, char out[2 * LW_NAME_MAX]) {
    const char *name = "", *ending = "";
    switch (leaf) {
    case LW_LEAF_PARAM:
        name = e->param[index];
        break;
    case LW_LEAF_PARAM_TAN:
        name = e->param[index];
        ending = "_tan";
        break;
    case LW_LEAF_DT:
        name = "dt";
        break;
    case LW_LEAF_COEF:
        name = e->coef[index];
        break;
    case LW_LEAF_COEF_TAN:
        name = e->coef[index];
        ending = "_tan";
        break;
    case LW_LEAF_COEF_ADJ:
        name = e->coef[index];
        ending = "_adj";
        break;
    case LW_LEAF_COEF_ADJ_TAN:
        name = e->coef[index];
        ending = "_adj_tan";
        break;
    case LW_LEAF_STATE_ADJ_TAN:
        name = e->state[index];
        ending = "_adj_tan";
        break;
    case LW_LEAF_OUT_ADJ_TAN:
        name = "out_adj_tan";
        break;
    case LW_LEAF_CURVE:
        name = "curve";
        break;
    case LW_LEAF_OLD:
        name = e->state[index];
        break;
    case LW_LEAF_PRE:
        name = e->state[index];
        ending = "_pre";
        break;
    case LW_LEAF_STATE_TAN:
        name = e->state[index];
        ending = "_tan";
        break;
    case LW_LEAF_STATE_ADJ:
        name = e->state[index];
        ending = "_adj";
        break;
    case LW_LEAF_IN:
        name = e->input[index];
        break;
    case LW_LEAF_IN_TAN:
        name = e->input[index];
        ending = "_tan";
        break;
    case LW_LEAF_HELD:
        name = "held";
        break;
    case LW_LEAF_SPIKE:
        name = "s";
        break;
    case LW_LEAF_SLOPE:
        name = "slope";
        break;
    case LW_LEAF_ATTACHED:
        name = "attached";
        break;
    case LW_LEAF_OUT_ADJ:
        name = "out_adj";
        break;
    case LW_LEAF_COUNT:
        break;
    }
    snprintf(out, 2 * LW_NAME_MAX, "%s%s", name, ending);
}

/* ------------------------------------------------------------------ pieces */

static void count_uses(lw_emitter *e, int32_t node) {
    if (e->uses[node]++) return;
    const lw_node *n = &e->plan->g->node[node];
    bool twice = n->op == LW_NODE_MIN || n->op == LW_NODE_MAX; /* written as a ? : */
    for (int i = 0; i < n->n_arg; i++) {
        count_uses(e, n->arg[i]);
        if (twice) e->uses[n->arg[i]]++;
    }
}

void lw_emit_begin(lw_emitter *e, int n, const int32_t *root) {
    memset(e->uses, 0, (size_t)e->plan->g->count * sizeof *e->uses);
    for (int32_t i = 0; i < e->plan->g->count; i++)
        e->temp[i][0] = 0;
    e->n_temp = 0;
    for (int i = 0; i < n; i++)
        count_uses(e, root[i]);
}

bool lw_emit_needs(const lw_emitter *e, lw_leaf leaf, int index) {
    int32_t node = 0;
    while (node < e->plan->g->count) {
        const lw_node *n = &e->plan->g->node[node];
        if (n->op == LW_NODE_LEAF && n->leaf == leaf && n->index == index) return e->uses[node] > 0;
        node++;
    }
    return false;
}

static bool is_condition(const lw_emitter *e, int32_t node) {
    lw_op op = e->plan->g->node[node].op;
    return op == LW_NODE_LESS || op == LW_NODE_ATMOST;
}

void lw_emit_temporaries(lw_emitter *e, const char *indent) {
    const lw_dag *g = e->plan->g;
    for (int32_t i = 0; i < g->count; i++) {
        const lw_op op = g->node[i].op;
        if (e->uses[i] < 2 || op == LW_NODE_LEAF || op == LW_NODE_CONST) continue;
        char name[LW_NAME_MAX];
        const char *hint = lw_plan_hint_find(e->plan, i);
        bool own = hint && (strcmp(hint, "ds") == 0 || strcmp(hint, "ds_reset") == 0 || strcmp(hint, "u_adj") == 0);
        snprintf(name, sizeof name, "t%d", ++e->n_temp);
        if (own)
            snprintf(name, sizeof name, "%s", hint);
        else if (hint && !name_taken(e, hint))
            name_make(e, hint, false, name);
        else
            while (name_taken(e, name))
                snprintf(name, sizeof name, "t%d", ++e->n_temp);
        lw_text_add(e->text, "%sconst %s %s = ", indent, is_condition(e, i) ? "int" : lw_emitter_real(e), name);
        lw_emit_value(e, i);
        lw_text_add(e->text, ";\n");
        memcpy(e->temp[i], name, sizeof name);
    }
}

/* ------------------------------------------------------------------ expressions */

/* binding strength of the written form: 0 ?:, 1 comparison, 2 sum, 3 product, 4 sign, 5 atom or call */
static int priority(const lw_emitter *e, int32_t node) {
    const lw_node *n = &e->plan->g->node[node];
    if (e->temp[node][0]) return 5;
    switch (n->op) {
    case LW_NODE_SELECT:
    case LW_NODE_MIN:
    case LW_NODE_MAX:
        return 0;
    case LW_NODE_LESS:
    case LW_NODE_ATMOST:
        return 1;
    case LW_NODE_ADD:
    case LW_NODE_SUB:
        return 2;
    case LW_NODE_MUL:
    case LW_NODE_DIV:
        return 3;
    case LW_NODE_NEG:
        return 4;
    case LW_NODE_CONST:
        return n->value < 0 ? 4 : 5;
    case LW_NODE_LEAF:
    case LW_NODE_POW:
    case LW_NODE_EXP:
    case LW_NODE_LOG:
    case LW_NODE_SQRT:
    case LW_NODE_TANH:
    case LW_NODE_SIGMOID:
    case LW_NODE_SIN:
    case LW_NODE_COS:
    case LW_NODE_ABS:
    case LW_NODE_EXPM1:
    case LW_NODE_EXPDD:
    case LW_NODE_ROUND:
        break;
    }
    return 5;
}

static void emit_child(lw_emitter *e, int32_t node, int least) {
    bool wrap = priority(e, node) < least;
    if (wrap) lw_text_add(e->text, "(");
    lw_emit_value(e, node);
    if (wrap) lw_text_add(e->text, ")");
}

static void emit_binary(lw_emitter *e, const lw_node *n, const char *op, int left, int right) {
    emit_child(e, n->arg[0], left);
    lw_text_add(e->text, "%s", op);
    emit_child(e, n->arg[1], right);
}

static void emit_choice(lw_emitter *e, const lw_node *n, int first, int second) {
    emit_child(e, n->arg[first], 2);
    lw_text_add(e->text, " < ");
    emit_child(e, n->arg[second], 2);
    lw_text_add(e->text, " ? ");
    emit_child(e, n->arg[1], 1);
    lw_text_add(e->text, " : ");
    emit_child(e, n->arg[0], 1);
}

static void emit_call(lw_emitter *e, const lw_node *n, const char *name) {
    lw_text_add(e->text, "%s%s(", name, e->single ? "f" : "");
    lw_emit_value(e, n->arg[0]);
    if (n->n_arg == 2) {
        lw_text_add(e->text, ", ");
        lw_emit_value(e, n->arg[1]);
    }
    lw_text_add(e->text, ")");
}

static void emit_const(lw_emitter *e, double value) {
    char number[32];
    lw_text_number(number, value);
    lw_text_add(e->text, "%s%s%s", number, strpbrk(number, ".en") ? "" : ".0", e->single ? "f" : "");
}

static void emit_expdd(lw_emitter *e, const lw_node *n) {
    lw_text_add(e->text, "%slw_kernel_expdd(%d, (const double[]){", e->single ? "(float)" : "", n->n_arg);
    for (int i = 0; i < n->n_arg; i++) {
        if (i) lw_text_add(e->text, ", ");
        lw_emit_value(e, n->arg[i]);
    }
    lw_text_add(e->text, "})");
}

void lw_emit_value(lw_emitter *e, int32_t node) {
    const lw_node *n = &e->plan->g->node[node];
    char name[2 * LW_NAME_MAX];
    if (e->temp[node][0]) {
        lw_text_add(e->text, "%s", e->temp[node]);
        return;
    }
    switch (n->op) {
    case LW_NODE_CONST:
        emit_const(e, n->value);
        return;
    case LW_NODE_LEAF:
        lw_emit_leaf_name(e, n->leaf, n->index, name);
        lw_text_add(e->text, "%s", name);
        return;
    case LW_NODE_NEG:
        lw_text_add(e->text, "-");
        emit_child(e, n->arg[0], 5);
        return;
    case LW_NODE_ADD:
        emit_binary(e, n, " + ", 2, 3);
        return;
    case LW_NODE_SUB:
        emit_binary(e, n, " - ", 2, 3);
        return;
    case LW_NODE_MUL:
        emit_binary(e, n, " * ", 3, 4);
        return;
    case LW_NODE_DIV:
        emit_binary(e, n, " / ", 3, 4);
        return;
    case LW_NODE_LESS:
        emit_binary(e, n, " < ", 2, 2);
        return;
    case LW_NODE_ATMOST:
        emit_binary(e, n, " <= ", 2, 2);
        return;
    case LW_NODE_MIN:
        emit_choice(e, n, 1, 0);
        return;
    case LW_NODE_MAX:
        emit_choice(e, n, 0, 1);
        return;
    case LW_NODE_SELECT:
        emit_child(e, n->arg[0], 1);
        lw_text_add(e->text, " ? ");
        emit_child(e, n->arg[1], 1);
        lw_text_add(e->text, " : ");
        emit_child(e, n->arg[2], 1);
        return;
    case LW_NODE_POW:
        emit_call(e, n, e->power ? "lw_kernel_power" : "pow");
        return;
    case LW_NODE_EXP:
        emit_call(e, n, e->looped ? "lw_kernel_exp" : "exp");
        return;
    case LW_NODE_LOG:
        emit_call(e, n, "log");
        return;
    case LW_NODE_SQRT:
        emit_call(e, n, "sqrt");
        return;
    case LW_NODE_TANH:
        emit_call(e, n, "tanh");
        return;
    case LW_NODE_SIGMOID:
        emit_call(e, n, "lw_kernel_sigmoid");
        return;
    case LW_NODE_SIN:
        emit_call(e, n, "sin");
        return;
    case LW_NODE_COS:
        emit_call(e, n, "cos");
        return;
    case LW_NODE_ABS:
        emit_call(e, n, "fabs");
        return;
    case LW_NODE_EXPM1:
        emit_call(e, n, "expm1");
        return;
    case LW_NODE_ROUND:
        lw_text_add(e->text, "floor%s(", e->single ? "f" : "");
        lw_emit_value(e, n->arg[0]);
        lw_text_add(e->text, " + 0.5%s)", e->single ? "f" : "");
        return;
    case LW_NODE_EXPDD:
        emit_expdd(e, n);
        return;
    }
}
