/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Expressions as one directed acyclic graph. Equal expressions are one node (hash-consing), so common subexpressions
 * are found by construction; constants fold and neutral elements vanish while nodes are made. Every simplification
 * keeps the value of every finite expression bit for bit: sums are never reordered, so the written order of operations
 * is the order of the kernel. A node is an int32_t; arguments always have smaller numbers, so ascending order is
 * evaluation order. Memory errors stick in `err`, and node 0 (the constant 0) is returned; callers look once, at the
 * end.
 */
#ifndef LW_MODEL_GRAPH_H
#define LW_MODEL_GRAPH_H

#include <lapwing/base.h>

enum { LW_NODE_ARG_MAX = 9 };

typedef enum lw_op {
    LW_NODE_CONST,
    LW_NODE_LEAF,
    LW_NODE_NEG,
    LW_NODE_ADD,
    LW_NODE_SUB,
    LW_NODE_MUL,
    LW_NODE_DIV,
    LW_NODE_POW,
    LW_NODE_EXP,
    LW_NODE_LOG,
    LW_NODE_SQRT,
    LW_NODE_TANH,
    LW_NODE_SIGMOID,
    LW_NODE_SIN,
    LW_NODE_COS,
    LW_NODE_ABS,
    LW_NODE_EXPM1,
    LW_NODE_MIN,
    LW_NODE_MAX,
    LW_NODE_EXPDD,  /* divided difference of exp at 2..9 points */
    LW_NODE_ROUND,  /* to the nearest integer; derivative 0 */
    LW_NODE_LESS,   /* condition a < b */
    LW_NODE_ATMOST, /* condition a <= b */
    LW_NODE_SELECT  /* condition ? b : c */
} lw_op;

/** What a leaf stands for; `index` counts within the kind. */
typedef enum lw_leaf {
    LW_LEAF_PARAM,
    LW_LEAF_DT,
    LW_LEAF_COEF,
    LW_LEAF_OLD,      /* state before update */
    LW_LEAF_IN,       /* input */
    LW_LEAF_PRE,      /* state after update, before fire */
    LW_LEAF_HELD,     /* condition: refractory in this step */
    LW_LEAF_SPIKE,    /* s */
    LW_LEAF_SLOPE,    /* S'(u) */
    LW_LEAF_CURVE,    /* S''(u) */
    LW_LEAF_ATTACHED, /* 1 - reset_detached */
    LW_LEAF_STATE_TAN,
    LW_LEAF_IN_TAN,
    LW_LEAF_COEF_TAN,
    LW_LEAF_PARAM_TAN,
    LW_LEAF_STATE_ADJ,
    LW_LEAF_OUT_ADJ,
    LW_LEAF_COEF_ADJ,
    LW_LEAF_STATE_ADJ_TAN,
    LW_LEAF_OUT_ADJ_TAN,
    LW_LEAF_COEF_ADJ_TAN,
    LW_LEAF_COUNT
} lw_leaf;

typedef struct lw_node {
    lw_op op;
    int n_arg;
    int32_t arg[LW_NODE_ARG_MAX];
    double value; /* CONST */
    lw_leaf leaf; /* LEAF */
    int index;
    uint32_t depends; /* bit k: a leaf of kind k is below (or is) this node */
} lw_node;

typedef struct lw_dag {
    lw_node *node;
    int32_t count, size;
    int32_t *table; /* hash table of node numbers + 1, [table_size], a power of two */
    int32_t table_size;
    lw_err err;
} lw_dag;

lw_err lw_dag_create(lw_dag **out) LW_MUST_CHECK;
void lw_dag_destroy(lw_dag **graph);

int32_t lw_dag_const(lw_dag *g, double value);
int32_t lw_dag_leaf(lw_dag *g, lw_leaf leaf, int index);
int32_t lw_dag_unary(lw_dag *g, lw_op op, int32_t a);
int32_t lw_dag_neg(lw_dag *g, int32_t a);
int32_t lw_dag_add(lw_dag *g, int32_t a, int32_t b);
int32_t lw_dag_sub(lw_dag *g, int32_t a, int32_t b);
int32_t lw_dag_mul(lw_dag *g, int32_t a, int32_t b);
int32_t lw_dag_div(lw_dag *g, int32_t a, int32_t b);
int32_t lw_dag_pow(lw_dag *g, int32_t a, int32_t b);
/** LESS, ATMOST, MIN, MAX */
int32_t lw_dag_binary(lw_dag *g, lw_op op, int32_t a, int32_t b);
int32_t lw_dag_select(lw_dag *g, int32_t condition, int32_t a, int32_t b);
/** Divided difference exp[x1, ..., xn]; n = 1 is exp(x1). */
int32_t lw_dag_expdd(lw_dag *g, int n, const int32_t *x);
/** The node of an operation with new arguments, simplified. */
int32_t lw_dag_rebuild(lw_dag *g, int32_t node, const int32_t *arg);

bool lw_dag_is_const(const lw_dag *g, int32_t node, double value);
/** Depends on parameters and dt only (and is no constant). */
bool lw_dag_is_param(const lw_dag *g, int32_t node);
/** mark[i] = true for all nodes that `root` needs; mark is [count]. */
void lw_dag_mark(const lw_dag *g, int32_t root, bool *mark);

/* ------------------------------------------------------------------ passes (diff.c) */

/** Replace leaves: the callback returns the new node, or -1 to keep the leaf. */
typedef int32_t (*lw_dag_map)(lw_dag *g, void *payload, lw_leaf leaf, int index);
void lw_dag_substitute(lw_dag *g, int n, const int32_t *root, lw_dag_map map, void *payload, int32_t *out);
/** Forward derivative: out[i] = sum over leaves of d root[i] / d leaf * seed(leaf); seed -1 or 0: constant. */
void lw_dag_tangent(lw_dag *g, int n, const int32_t *root, lw_dag_map seed, void *payload, int32_t *out);
/** Reverse derivative: out[j] = sum_i seed[i] * d root[i] / d leaf[j], leaf[j] being leaf nodes. */
void lw_dag_adjoint(
    lw_dag *g, int n, const int32_t *root, const int32_t *seed, int n_leaf, const int32_t *leaf, int32_t *out);

#endif
