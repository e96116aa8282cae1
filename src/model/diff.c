/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Passes over the expression graph: substitution, the forward derivative (tangent) and the reverse derivative
 * (adjoint). Both derivatives share one table of local rules, `pass_through`: the contribution of argument k to a
 * linear quantity t.
 */
#include "graph.h"

/* per-node scratch of a pass, covering the nodes that existed when it began; NULL after a memory error */
static void *pass_scratch(lw_dag *g, size_t size) {
    void *scratch = NULL;
    if (g->err == LW_OK) g->err = lw_alloc((size_t)g->count, size, "derivative of an expression", &scratch);
    return g->err == LW_OK ? scratch : NULL;
}

static bool *mark_roots(lw_dag *g, int n, const int32_t *root, int32_t *last) {
    bool *mark = pass_scratch(g, sizeof(bool));
    *last = -1;
    for (int i = 0; mark && i < n; i++) {
        lw_dag_mark(g, root[i], mark);
        *last = root[i] > *last ? root[i] : *last;
    }
    return mark;
}

void lw_dag_substitute(lw_dag *g, int n, const int32_t *root, lw_dag_map map, void *payload, int32_t *out) {
    int32_t last;
    bool *mark = mark_roots(g, n, root, &last);
    int32_t *image = pass_scratch(g, sizeof *image);
    for (int32_t i = 0; mark && image && i <= last; i++) {
        if (!mark[i]) continue;
        const lw_node node = g->node[i];
        image[i] = i;
        if (node.op == LW_NODE_LEAF) {
            int32_t to = map(g, payload, node.leaf, node.index);
            if (to >= 0) image[i] = to;
            continue;
        }
        int32_t arg[LW_NODE_ARG_MAX];
        bool changed = false;
        for (int a = 0; a < node.n_arg; a++) {
            arg[a] = image[node.arg[a]];
            changed = changed || arg[a] != node.arg[a];
        }
        if (changed) image[i] = lw_dag_rebuild(g, i, arg);
    }
    for (int i = 0; i < n; i++)
        out[i] = image ? image[root[i]] : 0;
    lw_free(mark);
    lw_free(image);
}

static int32_t repeated_expdd(lw_dag *g, int32_t i, int k) {
    const lw_node node = g->node[i];
    int32_t x[LW_NODE_ARG_MAX];
    LW_ASSERT(node.n_arg < LW_NODE_ARG_MAX);
    for (int a = 0; a < node.n_arg; a++)
        x[a] = node.arg[a];
    x[node.n_arg] = node.arg[k];
    return lw_dag_expdd(g, node.n_arg + 1, x);
}

static int32_t pow_through(lw_dag *g, int32_t i, int k, int32_t t) {
    const lw_node node = g->node[i];
    int32_t a = node.arg[0], b = node.arg[1];
    if (k == 1) return lw_dag_mul(g, lw_dag_mul(g, i, lw_dag_unary(g, LW_NODE_LOG, a)), t);
    int32_t lower = lw_dag_pow(g, a, lw_dag_sub(g, b, lw_dag_const(g, 1)));
    return lw_dag_mul(g, lw_dag_mul(g, b, lower), t);
}

/* d node / d arg[k] * t */
static int32_t pass_through(lw_dag *g, int32_t i, int k, int32_t t) {
    const lw_node node = g->node[i];
    const int32_t a = node.arg[0], zero = lw_dag_const(g, 0), one = lw_dag_const(g, 1);
    switch (node.op) {
    case LW_NODE_CONST:
    case LW_NODE_LEAF:
    case LW_NODE_ROUND:
    case LW_NODE_LESS:
    case LW_NODE_ATMOST:
        return zero;
    case LW_NODE_NEG:
        return lw_dag_neg(g, t);
    case LW_NODE_ADD:
        return t;
    case LW_NODE_SUB:
        return k ? lw_dag_neg(g, t) : t;
    case LW_NODE_MUL:
        return lw_dag_mul(g, node.arg[1 - k], t);
    case LW_NODE_DIV:
        return k ? lw_dag_neg(g, lw_dag_div(g, lw_dag_mul(g, i, t), node.arg[1])) : lw_dag_div(g, t, node.arg[1]);
    case LW_NODE_POW:
        return pow_through(g, i, k, t);
    case LW_NODE_EXP:
        return lw_dag_mul(g, i, t);
    case LW_NODE_LOG:
        return lw_dag_div(g, t, a);
    case LW_NODE_SQRT:
        return lw_dag_div(g, t, lw_dag_mul(g, lw_dag_const(g, 2), i));
    case LW_NODE_TANH:
        return lw_dag_mul(g, lw_dag_sub(g, one, lw_dag_mul(g, i, i)), t);
    case LW_NODE_SIGMOID:
        return lw_dag_mul(g, lw_dag_mul(g, i, lw_dag_sub(g, one, i)), t);
    case LW_NODE_SIN:
        return lw_dag_mul(g, lw_dag_unary(g, LW_NODE_COS, a), t);
    case LW_NODE_COS:
        return lw_dag_neg(g, lw_dag_mul(g, lw_dag_unary(g, LW_NODE_SIN, a), t));
    case LW_NODE_ABS:
        return lw_dag_select(g, lw_dag_binary(g, LW_NODE_LESS, a, zero), lw_dag_neg(g, t), t);
    case LW_NODE_EXPM1:
        return lw_dag_mul(g, lw_dag_add(g, i, one), t);
    case LW_NODE_MIN:
    case LW_NODE_MAX: {
        int32_t second = node.op == LW_NODE_MIN ? lw_dag_binary(g, LW_NODE_LESS, node.arg[1], a)
                                                : lw_dag_binary(g, LW_NODE_LESS, a, node.arg[1]);
        return k ? lw_dag_select(g, second, t, zero) : lw_dag_select(g, second, zero, t);
    }
    case LW_NODE_EXPDD:
        return lw_dag_mul(g, repeated_expdd(g, i, k), t);
    case LW_NODE_SELECT:
        return k == 0 ? zero : k == 1 ? lw_dag_select(g, a, t, zero) : lw_dag_select(g, a, zero, t);
    }
    return zero;
}

/* sum over the arguments; a select of tangents is one node, not the sum of two */
static int32_t node_tangent(lw_dag *g, int32_t i, const int32_t *tan) {
    const lw_node node = g->node[i];
    if (node.op == LW_NODE_SELECT) return lw_dag_select(g, node.arg[0], tan[node.arg[1]], tan[node.arg[2]]);
    int32_t sum = lw_dag_const(g, 0);
    for (int k = 0; k < node.n_arg; k++)
        if (!lw_dag_is_const(g, tan[node.arg[k]], 0)) sum = lw_dag_add(g, sum, pass_through(g, i, k, tan[node.arg[k]]));
    return sum;
}

void lw_dag_tangent(lw_dag *g, int n, const int32_t *root, lw_dag_map seed, void *payload, int32_t *out) {
    int32_t last;
    bool *mark = mark_roots(g, n, root, &last);
    int32_t *tan = pass_scratch(g, sizeof *tan); /* zeroed: node 0 is the constant 0 */
    for (int32_t i = 0; mark && tan && i <= last; i++) {
        if (!mark[i]) continue;
        if (g->node[i].op == LW_NODE_LEAF) {
            int32_t s = seed(g, payload, g->node[i].leaf, g->node[i].index);
            tan[i] = s > 0 ? s : 0;
        } else {
            tan[i] = node_tangent(g, i, tan);
        }
    }
    for (int i = 0; i < n; i++)
        out[i] = tan ? tan[root[i]] : 0;
    lw_free(mark);
    lw_free(tan);
}

void lw_dag_adjoint(
    lw_dag *g, int n, const int32_t *root, const int32_t *seed, int n_leaf, const int32_t *leaf, int32_t *out) {
    int32_t last;
    bool *mark = mark_roots(g, n, root, &last);
    int32_t *adj = pass_scratch(g, sizeof *adj), count = g->count;
    uint32_t wanted = 0;
    for (int j = 0; j < n_leaf; j++)
        wanted |= g->node[leaf[j]].depends;
    for (int i = 0; mark && adj && i < n; i++)
        adj[root[i]] = lw_dag_add(g, adj[root[i]], seed[i]);
    for (int32_t i = last; mark && adj && i >= 0; i--) {
        if (!mark[i] || lw_dag_is_const(g, adj[i], 0)) continue;
        const lw_node node = g->node[i];
        for (int k = 0; k < node.n_arg; k++) /* leave out what leads to no wanted leaf */
            if (g->node[node.arg[k]].depends & wanted)
                adj[node.arg[k]] = lw_dag_add(g, adj[node.arg[k]], pass_through(g, i, k, adj[i]));
    }
    for (int j = 0; j < n_leaf; j++)
        out[j] = adj && leaf[j] < count ? adj[leaf[j]] : 0;
    lw_free(mark);
    lw_free(adj);
}
