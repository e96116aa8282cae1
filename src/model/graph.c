/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The expression graph: storage, hash table and the simplifying constructors. Derivatives are in diff.c.
 */
#include "graph.h"
#include <lapwing/kernel.h>
#include <string.h>

/* ------------------------------------------------------------------ storage */

lw_err lw_dag_create(lw_dag **out) {
    lw_dag *g = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *g, "expression graph", &g));
    g->size = 256;
    g->table_size = 1024;
    LW_TRY_TO(lw_alloc((size_t)g->size, sizeof *g->node, "expression graph", &g->node), done);
    LW_TRY_TO(lw_alloc((size_t)g->table_size, sizeof *g->table, "expression graph", &g->table), done);
    lw_dag_const(g, 0); /* node 0 */
done:
    if (err != LW_OK) lw_dag_destroy(&g);
    *out = g;
    return err;
}

void lw_dag_destroy(lw_dag **graph) {
    if (!*graph) return;
    lw_free((*graph)->node);
    lw_free((*graph)->table);
    lw_free(*graph);
    *graph = NULL;
}

static uint64_t node_hash(const lw_node *n) {
    uint64_t h = (uint64_t)n->op * 0x9E3779B97F4A7C15u + (uint64_t)n->index, bits;
    memcpy(&bits, &n->value, sizeof bits);
    h = (h ^ bits ^ ((uint64_t)n->leaf << 40)) * 0xBF58476D1CE4E5B9u;
    for (int i = 0; i < n->n_arg; i++)
        h = (h ^ (h >> 29) ^ (uint64_t)n->arg[i]) * 0x94D049BB133111EBu;
    return h ^ (h >> 31);
}

static bool node_same(const lw_node *a, const lw_node *b) {
    return a->op == b->op && a->n_arg == b->n_arg && a->leaf == b->leaf && a->index == b->index &&
           memcmp(&a->value, &b->value, sizeof a->value) == 0 &&
           memcmp(a->arg, b->arg, (size_t)a->n_arg * sizeof a->arg[0]) == 0;
}

static int32_t *table_slot(lw_dag *g, const lw_node *n) {
    int32_t at = (int32_t)(node_hash(n) & (uint64_t)(g->table_size - 1));
    while (g->table[at] && !node_same(&g->node[g->table[at] - 1], n))
        at = (at + 1) & (g->table_size - 1);
    return &g->table[at];
}

static lw_err graph_grow(lw_dag *g) {
    int32_t *table = NULL;
    LW_TRY(lw_grow(&g->node, (size_t)g->size, (size_t)g->size * 2, sizeof *g->node, "expression graph"));
    g->size *= 2;
    LW_TRY(lw_alloc((size_t)g->size * 4, sizeof *table, "expression graph", &table));
    lw_free(g->table);
    g->table = table;
    g->table_size = g->size * 4;
    for (int32_t i = 0; i < g->count; i++)
        *table_slot(g, &g->node[i]) = i + 1;
    return LW_OK;
}

static int32_t graph_put(lw_dag *g, lw_node n) {
    if (g->err != LW_OK) return 0;
    for (int i = 0; i < n.n_arg; i++)
        n.depends |= g->node[n.arg[i]].depends;
    int32_t *slot = table_slot(g, &n);
    if (*slot) return *slot - 1;
    if (g->count == g->size) {
        g->err = graph_grow(g);
        if (g->err != LW_OK) return 0;
        slot = table_slot(g, &n);
    }
    g->node[g->count] = n;
    *slot = ++g->count;
    return g->count - 1;
}

static int32_t put_op(lw_dag *g, lw_op op, int n_arg, const int32_t *arg) {
    lw_node n = {.op = op, .n_arg = n_arg};
    memcpy(n.arg, arg, (size_t)n_arg * sizeof arg[0]);
    return graph_put(g, n);
}

static int32_t put_binary(lw_dag *g, lw_op op, int32_t a, int32_t b) {
    return put_op(g, op, 2, (const int32_t[]){a, b});
}

/* a op b = b op a bit for bit: one node for both, in the order that was written first */
static int32_t put_commutative(lw_dag *g, lw_op op, int32_t a, int32_t b) {
    if (g->err != LW_OK) return 0;
    lw_node n = {.op = op, .n_arg = 2, .arg = {b, a}};
    int32_t swapped = *table_slot(g, &n);
    return swapped ? swapped - 1 : put_binary(g, op, a, b);
}

int32_t lw_dag_const(lw_dag *g, double value) {
    return graph_put(g, (lw_node){.op = LW_NODE_CONST, .value = value == 0 ? 0 : value});
}

int32_t lw_dag_leaf(lw_dag *g, lw_leaf leaf, int index) {
    return graph_put(g, (lw_node){.op = LW_NODE_LEAF, .leaf = leaf, .index = index, .depends = 1u << leaf});
}

static bool is_const(const lw_dag *g, int32_t a) {
    return g->node[a].op == LW_NODE_CONST;
}
static double value_of(const lw_dag *g, int32_t a) {
    return g->node[a].value;
}
static bool is_neg(const lw_dag *g, int32_t a) {
    return g->node[a].op == LW_NODE_NEG;
}
static int32_t inside(const lw_dag *g, int32_t a) {
    return g->node[a].arg[0];
}

bool lw_dag_is_const(const lw_dag *g, int32_t node, double value) {
    return is_const(g, node) && value_of(g, node) == value;
}

bool lw_dag_is_param(const lw_dag *g, int32_t node) {
    const uint32_t allowed = 1u << LW_LEAF_PARAM | 1u << LW_LEAF_DT;
    return g->node[node].depends && !(g->node[node].depends & ~allowed);
}

void lw_dag_mark(const lw_dag *g, int32_t root, bool *mark) {
    mark[root] = true;
    for (int32_t i = root; i >= 0; i--)
        for (int a = 0; mark[i] && a < g->node[i].n_arg; a++)
            mark[g->node[i].arg[a]] = true;
}

/* ------------------------------------------------------------------ constructors */

int32_t lw_dag_neg(lw_dag *g, int32_t a) {
    if (is_const(g, a)) return lw_dag_const(g, -value_of(g, a));
    if (is_neg(g, a)) return inside(g, a);
    if (g->node[a].op == LW_NODE_SUB) return lw_dag_sub(g, g->node[a].arg[1], g->node[a].arg[0]);
    return put_op(g, LW_NODE_NEG, 1, &a);
}

int32_t lw_dag_add(lw_dag *g, int32_t a, int32_t b) {
    if (is_const(g, a) && is_const(g, b)) return lw_dag_const(g, value_of(g, a) + value_of(g, b));
    if (lw_dag_is_const(g, a, 0)) return b;
    if (lw_dag_is_const(g, b, 0)) return a;
    if (is_neg(g, b)) return lw_dag_sub(g, a, inside(g, b));
    if (is_neg(g, a)) return lw_dag_sub(g, b, inside(g, a));
    return put_commutative(g, LW_NODE_ADD, a, b);
}

int32_t lw_dag_sub(lw_dag *g, int32_t a, int32_t b) {
    if (is_const(g, a) && is_const(g, b)) return lw_dag_const(g, value_of(g, a) - value_of(g, b));
    if (a == b) return lw_dag_const(g, 0);
    if (lw_dag_is_const(g, b, 0)) return a;
    if (lw_dag_is_const(g, a, 0)) return lw_dag_neg(g, b);
    if (is_neg(g, b)) return lw_dag_add(g, a, inside(g, b));
    return put_binary(g, LW_NODE_SUB, a, b);
}

int32_t lw_dag_mul(lw_dag *g, int32_t a, int32_t b) {
    if (is_const(g, a) && is_const(g, b)) return lw_dag_const(g, value_of(g, a) * value_of(g, b));
    if (lw_dag_is_const(g, a, 0) || lw_dag_is_const(g, b, 0)) return lw_dag_const(g, 0);
    if (lw_dag_is_const(g, a, 1)) return b;
    if (lw_dag_is_const(g, b, 1)) return a;
    if (lw_dag_is_const(g, a, -1)) return lw_dag_neg(g, b);
    if (lw_dag_is_const(g, b, -1)) return lw_dag_neg(g, a);
    if (is_neg(g, a)) return lw_dag_neg(g, lw_dag_mul(g, inside(g, a), b));
    if (is_neg(g, b)) return lw_dag_neg(g, lw_dag_mul(g, a, inside(g, b)));
    return put_commutative(g, LW_NODE_MUL, a, b);
}

int32_t lw_dag_div(lw_dag *g, int32_t a, int32_t b) {
    if (is_const(g, a) && is_const(g, b) && value_of(g, b) != 0)
        return lw_dag_const(g, value_of(g, a) / value_of(g, b));
    if (lw_dag_is_const(g, a, 0)) return a;
    if (lw_dag_is_const(g, b, 1)) return a;
    if (is_neg(g, a)) return lw_dag_neg(g, lw_dag_div(g, inside(g, a), b));
    if (is_neg(g, b)) return lw_dag_neg(g, lw_dag_div(g, a, inside(g, b)));
    return put_binary(g, LW_NODE_DIV, a, b);
}

int32_t lw_dag_pow(lw_dag *g, int32_t a, int32_t b) {
    if (is_const(g, b)) {
        double power = value_of(g, b);
        if (power == 0) return lw_dag_const(g, 1);
        if (power == 1) return a;
        if (power == 2) return lw_dag_mul(g, a, a);
        if (power == 3) return lw_dag_mul(g, lw_dag_mul(g, a, a), a);
        if (power == -1) return lw_dag_div(g, lw_dag_const(g, 1), a);
        if (power == 0.5) return lw_dag_unary(g, LW_NODE_SQRT, a);
        if (is_const(g, a)) return lw_dag_const(g, pow(value_of(g, a), power));
    }
    return put_binary(g, LW_NODE_POW, a, b);
}

int32_t lw_dag_unary(lw_dag *g, lw_op op, int32_t a) {
    if (!is_const(g, a)) return put_op(g, op, 1, &a);
    double x = value_of(g, a), y = 0;
    switch (op) {
    case LW_NODE_EXP:
        y = exp(x);
        break;
    case LW_NODE_LOG:
        y = log(x);
        break;
    case LW_NODE_SQRT:
        y = sqrt(x);
        break;
    case LW_NODE_TANH:
        y = tanh(x);
        break;
    case LW_NODE_SIGMOID:
        y = lw_kernel_sigmoid(x);
        break;
    case LW_NODE_SIN:
        y = sin(x);
        break;
    case LW_NODE_COS:
        y = cos(x);
        break;
    case LW_NODE_ABS:
        y = fabs(x);
        break;
    case LW_NODE_EXPM1:
        y = expm1(x);
        break;
    case LW_NODE_ROUND:
        y = floor(x + 0.5);
        break;
    case LW_NODE_CONST:
    case LW_NODE_LEAF:
    case LW_NODE_NEG:
    case LW_NODE_ADD:
    case LW_NODE_SUB:
    case LW_NODE_MUL:
    case LW_NODE_DIV:
    case LW_NODE_POW:
    case LW_NODE_MIN:
    case LW_NODE_MAX:
    case LW_NODE_EXPDD:
    case LW_NODE_LESS:
    case LW_NODE_ATMOST:
    case LW_NODE_SELECT:
        LW_ASSERT(!"a function of one argument");
    }
    return lw_dag_const(g, y);
}

int32_t lw_dag_binary(lw_dag *g, lw_op op, int32_t a, int32_t b) {
    bool fold = is_const(g, a) && is_const(g, b);
    double x = value_of(g, a), y = value_of(g, b);
    if (fold && op == LW_NODE_MIN) return y < x ? b : a;
    if (fold && op == LW_NODE_MAX) return x < y ? b : a;
    if (fold && op == LW_NODE_LESS) return lw_dag_const(g, x < y);
    if (fold && op == LW_NODE_ATMOST) return lw_dag_const(g, x <= y);
    if (a == b && (op == LW_NODE_MIN || op == LW_NODE_MAX)) return a;
    return put_binary(g, op, a, b);
}

int32_t lw_dag_select(lw_dag *g, int32_t condition, int32_t a, int32_t b) {
    if (a == b) return a;
    if (is_const(g, condition)) return value_of(g, condition) != 0 ? a : b;
    return put_op(g, LW_NODE_SELECT, 3, (const int32_t[]){condition, a, b});
}

int32_t lw_dag_expdd(lw_dag *g, int n, const int32_t *x) {
    int32_t sorted[LW_NODE_ARG_MAX];
    double value[LW_NODE_ARG_MAX];
    bool fold = true;
    LW_ASSERT(n >= 1 && n <= LW_NODE_ARG_MAX);
    if (n == 1) return lw_dag_unary(g, LW_NODE_EXP, x[0]);
    for (int i = 0; i < n; i++) { /* symmetric in its points: one order for all */
        int at = i;
        for (; at > 0 && sorted[at - 1] > x[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = x[i];
        fold = fold && is_const(g, x[i]);
    }
    for (int i = 0; i < n; i++)
        value[i] = value_of(g, sorted[i]);
    return fold ? lw_dag_const(g, lw_kernel_expdd(n, value)) : put_op(g, LW_NODE_EXPDD, n, sorted);
}

int32_t lw_dag_rebuild(lw_dag *g, int32_t node, const int32_t *arg) {
    lw_op op = g->node[node].op;
    switch (op) {
    case LW_NODE_CONST:
    case LW_NODE_LEAF:
        return node;
    case LW_NODE_NEG:
        return lw_dag_neg(g, arg[0]);
    case LW_NODE_ADD:
        return lw_dag_add(g, arg[0], arg[1]);
    case LW_NODE_SUB:
        return lw_dag_sub(g, arg[0], arg[1]);
    case LW_NODE_MUL:
        return lw_dag_mul(g, arg[0], arg[1]);
    case LW_NODE_DIV:
        return lw_dag_div(g, arg[0], arg[1]);
    case LW_NODE_POW:
        return lw_dag_pow(g, arg[0], arg[1]);
    case LW_NODE_EXP:
    case LW_NODE_LOG:
    case LW_NODE_SQRT:
    case LW_NODE_TANH:
    case LW_NODE_SIGMOID:
    case LW_NODE_SIN:
    case LW_NODE_COS:
    case LW_NODE_ABS:
    case LW_NODE_EXPM1:
    case LW_NODE_ROUND:
        return lw_dag_unary(g, op, arg[0]);
    case LW_NODE_MIN:
    case LW_NODE_MAX:
    case LW_NODE_LESS:
    case LW_NODE_ATMOST:
        return lw_dag_binary(g, op, arg[0], arg[1]);
    case LW_NODE_EXPDD:
        return lw_dag_expdd(g, g->node[node].n_arg, arg);
    case LW_NODE_SELECT:
        return lw_dag_select(g, arg[0], arg[1], arg[2]);
    }
    return 0;
}
