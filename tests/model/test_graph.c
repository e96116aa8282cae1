/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The expression graph alone: one node for equal expressions, simplifications that keep the value, and the derivative
 * of every operation, forward and reverse, against differences. A small interpreter gives nodes values.
 */
#include "check.h"
#include "graph.h"
#include <lapwing/kernel.h>

static lw_dag *g;

static double value_of(int32_t node, const double *leaf) {
    const lw_node n = g->node[node];
    double a[LW_NODE_ARG_MAX] = {0};
    for (int i = 0; i < n.n_arg; i++)
        a[i] = value_of(n.arg[i], leaf);
    switch (n.op) {
    case LW_NODE_CONST:
        return n.value;
    case LW_NODE_LEAF:
        return leaf[n.index];
    case LW_NODE_NEG:
        return -a[0];
    case LW_NODE_ADD:
        return a[0] + a[1];
    case LW_NODE_SUB:
        return a[0] - a[1];
    case LW_NODE_MUL:
        return a[0] * a[1];
    case LW_NODE_DIV:
        return a[0] / a[1];
    case LW_NODE_POW:
        return pow(a[0], a[1]);
    case LW_NODE_EXP:
        return exp(a[0]);
    case LW_NODE_LOG:
        return log(a[0]);
    case LW_NODE_SQRT:
        return sqrt(a[0]);
    case LW_NODE_TANH:
        return tanh(a[0]);
    case LW_NODE_SIGMOID:
        return lw_kernel_sigmoid(a[0]);
    case LW_NODE_SIN:
        return sin(a[0]);
    case LW_NODE_COS:
        return cos(a[0]);
    case LW_NODE_ABS:
        return fabs(a[0]);
    case LW_NODE_EXPM1:
        return expm1(a[0]);
    case LW_NODE_MIN:
        return a[1] < a[0] ? a[1] : a[0];
    case LW_NODE_MAX:
        return a[0] < a[1] ? a[1] : a[0];
    case LW_NODE_EXPDD:
        return lw_kernel_expdd(n.n_arg, a);
    case LW_NODE_ROUND:
        return floor(a[0] + 0.5);
    case LW_NODE_LESS:
        return a[0] < a[1];
    case LW_NODE_ATMOST:
        return a[0] <= a[1];
    case LW_NODE_SELECT:
        return a[0] != 0 ? a[1] : a[2];
    }
    return 0;
}

/* leaves 0..2 are x, y, z; their tangents are leaves 3..5, the adjoint of the result is leaf 6 */
static int32_t seed(lw_dag *graph, void *payload, lw_leaf leaf, int index) {
    return lw_dag_leaf(graph, LW_LEAF_PARAM_TAN, index + 3);
}

static void check_derivative(int32_t node, const double *at) {
    double leaf[7] = {at[0], at[1], at[2], 0.3, -0.8, 0.5, 1.7}, adjoint_sum = 0;
    int32_t tan, adj[3], seed_node = lw_dag_leaf(g, LW_LEAF_COEF_ADJ, 6), want[3];
    for (int i = 0; i < 3; i++)
        want[i] = lw_dag_leaf(g, LW_LEAF_PARAM, i);
    lw_dag_tangent(g, 1, &node, seed, NULL, &tan);
    lw_dag_adjoint(g, 1, &node, &seed_node, 3, want, adj);
    double moved[2], eps = 1e-5;
    for (int sign = 0; sign < 2; sign++) {
        double shifted[3];
        for (int i = 0; i < 3; i++)
            shifted[i] = at[i] + (sign ? eps : -eps) * leaf[3 + i];
        moved[sign] = value_of(node, shifted);
    }
    for (int i = 0; i < 3; i++)
        adjoint_sum += value_of(adj[i], leaf) * leaf[3 + i];
    CHECK_CLOSE(value_of(tan, leaf), (moved[1] - moved[0]) / (2 * eps), 1e-8 * (1 + fabs(value_of(tan, leaf))));
    CHECK_CLOSE(adjoint_sum, 1.7 * value_of(tan, leaf), 1e-13 * (1 + fabs(adjoint_sum)));
}

static int32_t param(int i) {
    return lw_dag_leaf(g, LW_LEAF_PARAM, i);
}

TEST(every_operation) {
    CHECK_OK(lw_dag_create(&g));
    const lw_op unary[] = {LW_NODE_EXP, LW_NODE_LOG, LW_NODE_SQRT, LW_NODE_TANH, LW_NODE_SIGMOID, LW_NODE_SIN,
        LW_NODE_COS, LW_NODE_ABS, LW_NODE_EXPM1};
    const double points[][3] = {{0.4, 1.3, 2.1}, {1.7, 0.6, 0.9}, {2.2, 2.9, 0.1}};
    const int32_t x = param(0), y = param(1), z = param(2);
    for (int p = 0; p < 3; p++) {
        const double *at = points[p];
        for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) { /* of x*y, so that the chain rule is there */
            check_derivative(lw_dag_unary(g, unary[i], lw_dag_mul(g, x, y)), at);
            check_derivative(lw_dag_mul(g, z, lw_dag_unary(g, unary[i], x)), at);
        }
        check_derivative(lw_dag_unary(g, LW_NODE_ABS, lw_dag_sub(g, x, y)), at);
        check_derivative(lw_dag_add(g, lw_dag_neg(g, x), lw_dag_sub(g, lw_dag_mul(g, y, y), z)), at);
        check_derivative(lw_dag_div(g, lw_dag_add(g, x, y), lw_dag_mul(g, y, z)), at);
        check_derivative(lw_dag_pow(g, x, y), at);
        check_derivative(lw_dag_pow(g, lw_dag_add(g, x, z), lw_dag_const(g, 2.7)), at);
        check_derivative(lw_dag_pow(g, x, lw_dag_const(g, 3)), at);
        check_derivative(lw_dag_pow(g, x, lw_dag_const(g, -1)), at);
        check_derivative(lw_dag_binary(g, LW_NODE_MIN, lw_dag_mul(g, x, y), z), at);
        check_derivative(lw_dag_binary(g, LW_NODE_MAX, lw_dag_mul(g, x, y), z), at);
        check_derivative(lw_dag_select(g, lw_dag_binary(g, LW_NODE_LESS, x, y), lw_dag_mul(g, x, x), z), at);
        check_derivative(lw_dag_select(g, lw_dag_binary(g, LW_NODE_ATMOST, x, y), z, lw_dag_mul(g, y, x)), at);
        check_derivative(lw_dag_unary(g, LW_NODE_ROUND, x), at);
        const int32_t points_dd[] = {lw_dag_neg(g, x), y, lw_dag_mul(g, x, z), y, lw_dag_const(g, 0)};
        for (int n = 1; n <= 5; n++)
            check_derivative(lw_dag_expdd(g, n, points_dd), at);
    }
    CHECK_INT(g->err, LW_OK);
    lw_dag_destroy(&g);
    CHECK(g == NULL);
}

TEST(equal_expressions_are_one_node) {
    CHECK_OK(lw_dag_create(&g));
    const int32_t x = param(0), y = param(1), zero = lw_dag_const(g, 0), one = lw_dag_const(g, 1);
    CHECK_INT(zero, 0);
    CHECK_INT(param(0), x);
    CHECK_INT(lw_dag_add(g, x, y), lw_dag_add(g, y, x));
    CHECK_INT(lw_dag_mul(g, x, y), lw_dag_mul(g, y, x));
    CHECK(lw_dag_sub(g, x, y) != lw_dag_sub(g, y, x));
    CHECK_INT(lw_dag_neg(g, lw_dag_sub(g, x, y)), lw_dag_sub(g, y, x));
    CHECK_INT(lw_dag_neg(g, lw_dag_neg(g, x)), x);
    CHECK_INT(lw_dag_add(g, x, zero), x);
    CHECK_INT(lw_dag_add(g, x, lw_dag_neg(g, y)), lw_dag_sub(g, x, y));
    CHECK_INT(lw_dag_sub(g, x, x), zero);
    CHECK_INT(lw_dag_mul(g, x, zero), zero);
    CHECK_INT(lw_dag_mul(g, one, x), x);
    CHECK_INT(lw_dag_div(g, x, one), x);
    CHECK_INT(lw_dag_pow(g, x, lw_dag_const(g, 2)), lw_dag_mul(g, x, x));
    CHECK_INT(lw_dag_select(g, lw_dag_binary(g, LW_NODE_LESS, zero, one), x, y), x);
    CHECK(lw_dag_is_const(g, lw_dag_unary(g, LW_NODE_EXP, zero), 1));
    CHECK(lw_dag_is_param(g, lw_dag_add(g, x, lw_dag_leaf(g, LW_LEAF_DT, 0))));
    CHECK(!lw_dag_is_param(g, lw_dag_add(g, x, lw_dag_leaf(g, LW_LEAF_OLD, 0))) && !lw_dag_is_param(g, one));
    /* (x + y) + z is not x + (y + z): sums keep their order */
    const int32_t z = param(2);
    CHECK(lw_dag_add(g, lw_dag_add(g, x, y), z) != lw_dag_add(g, x, lw_dag_add(g, y, z)));
    for (int i = 0; i < 5000; i++) /* the tables grow */
        lw_dag_mul(g, lw_dag_const(g, i + 2), x);
    CHECK(g->count > 5000 && lw_dag_add(g, x, y) < 20);
    lw_dag_destroy(&g);
}

static int32_t x_to_y(lw_dag *graph, void *payload, lw_leaf leaf, int index) {
    return index == 0 ? lw_dag_leaf(graph, LW_LEAF_PARAM, 1) : -1;
}

TEST(substitution_simplifies) {
    CHECK_OK(lw_dag_create(&g));
    const int32_t roots[] = {
        lw_dag_sub(g, param(0), param(1)), lw_dag_unary(g, LW_NODE_EXP, lw_dag_add(g, param(0), param(2)))};
    int32_t out[2];
    lw_dag_substitute(g, 2, roots, x_to_y, NULL, out);
    CHECK_INT(out[0], 0);
    CHECK_INT(out[1], lw_dag_unary(g, LW_NODE_EXP, lw_dag_add(g, param(1), param(2))));
    lw_dag_destroy(&g);
}

CHECK_MAIN(CASE(every_operation), CASE(equal_expressions_are_one_node), CASE(substitution_simplifies))
