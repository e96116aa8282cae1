/* SPDX-License-Identifier: BSD-3-Clause
 *
 * yaml_tree.h: a YAML document as a tree whose nodes know their file, line and dotted path, with overrides by path.
 * Built on libyaml. Reading a field checks its type, range and unit and words the error; a map is checked against a
 * table of the keys it may have.
 */
#ifndef LAPWING_IO_YAML_TREE_H
#define LAPWING_IO_YAML_TREE_H

#include <lapwing/base.h>

typedef enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP } yaml_kind;

typedef struct yaml_tree_node yaml_tree_node;
struct yaml_tree_node {
    yaml_kind kind;
    const char *text; /* scalar */
    const char *key;  /* in the parent map; NULL in lists */
    const char *file;
    int line;  /* 1-based */
    int index; /* in the parent */
    yaml_tree_node *parent;
    yaml_tree_node **child;
    int n;
};

typedef struct yaml_tree yaml_tree;
/** Parse text. EUSE with file and line. */
lw_err yaml_tree_create(const char *file, const char *text, yaml_tree **out) LW_MUST_CHECK;
void yaml_tree_destroy(yaml_tree **tree);
const yaml_tree_node *yaml_tree_root(const yaml_tree *tree);
/** Apply "path.to.key=value" (value is YAML); missing maps on the way are made; list elements by number. */
lw_err yaml_tree_set(yaml_tree *tree, const char *assignment) LW_MUST_CHECK;
/** Memory that lives as long as the tree (zeroed); NULL when there is none. */
void *yaml_tree_keep(yaml_tree *tree, size_t bytes);
char *yaml_tree_keep_text(yaml_tree *tree, const char *text);

/** Child of a map; NULL when absent (or node NULL). */
const yaml_tree_node *yaml_get(const yaml_tree_node *map, const char *key);
/** "populations.E.size" into buf. */
const char *yaml_path(const yaml_tree_node *node, char *buf, size_t size);
/** EUSE: "file:line: path: found X, allowed: Y". */
lw_err yaml_fail(const yaml_tree_node *node, const char *allowed_format, ...) __attribute__((format(printf, 2, 3)));
/** The node is a map (list) and all its keys are in the NULL-terminated table; else EUSE listing them, with the nearest
 * as a hint. */
lw_err yaml_expect_map(const yaml_tree_node *node, const char *const *keys) LW_MUST_CHECK;
lw_err yaml_expect_list(const yaml_tree_node *node) LW_MUST_CHECK;

/** Fields of a map. Absent: *out is unchanged (required: EUSE naming the missing key). */
lw_err yaml_text(const yaml_tree_node *map, const char *key, bool required, const char **out) LW_MUST_CHECK;
lw_err yaml_bool(const yaml_tree_node *map, const char *key, bool *out) LW_MUST_CHECK;
lw_err yaml_int(
    const yaml_tree_node *map, const char *key, bool required, int64_t lo, int64_t hi, int64_t *out) LW_MUST_CHECK;
/** A number with the unit given ("ms", "kHz", "" for a pure number), in internal units, within [lo, hi]. A bare number
 * is taken in internal units only when unit is "". */
lw_err yaml_real(const yaml_tree_node *map, const char *key, bool required, const char *unit, double lo, double hi,
    double *out) LW_MUST_CHECK;
/** One of the NULL-terminated names; its index. */
lw_err yaml_choice(
    const yaml_tree_node *map, const char *key, bool required, const char *const *names, int *out) LW_MUST_CHECK;
/** The same for a node itself. */
lw_err yaml_node_int(const yaml_tree_node *node, int64_t lo, int64_t hi, int64_t *out) LW_MUST_CHECK;
lw_err yaml_node_real(const yaml_tree_node *node, const char *unit, double lo, double hi, double *out) LW_MUST_CHECK;

/** A value: number with unit, list, or distribution, of the given unit: "20 ms", [1 ms, 2 ms], "uniform(0 mV, 20 mV)",
 * "normal(m, sd)", "lognormal(mu, sigma)", "gamma(shape, mean)", "exponential(mean)", each with an optional " in [lo,
 * hi]" (draws outside are drawn again). fan_in > 0 also allows "fan_in(g)": uniform within +-g/sqrt(fan_in), and
 * "fan_in_normal(g)". */
lw_err yaml_dist(
    yaml_tree *tree, const yaml_tree_node *node, const char *unit, double fan_in, lw_dist *out) LW_MUST_CHECK;

/** Split "name(a, b)" into the name and its arguments (at most 8); a bare name has none. Memory of the tree. */
typedef struct yaml_call {
    const char *name;
    int n;
    const char *arg[8];
} yaml_call;
lw_err yaml_call_parse(yaml_tree *tree, const yaml_tree_node *node, const char *text, yaml_call *out) LW_MUST_CHECK;
lw_err yaml_quantity(const yaml_tree_node *node, const char *text, const char *unit, double *out) LW_MUST_CHECK;

#endif
