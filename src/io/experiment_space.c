/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_space.c: where neurons are (`positions` of a population) and what projections make of distances: `p`,
 * `radius`, and weights and delays that begin with distance_.
 */
#include "experiment.h"
#include "file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of 2 or 3 lengths. */
static lw_err lengths(
    const yaml_tree_node *map, const char *key, bool required, int32_t n_dim, double least, double *out) {
    const yaml_tree_node *node = yaml_get(map, key);
    if (!node && !required) return LW_OK;
    if (!node) return yaml_fail(map, "positions with key \"%s\"", key);
    LW_TRY(yaml_expect_list(node));
    if (node->n != n_dim) return yaml_fail(node, "%d lengths, one per dimension", (int)n_dim);
    for (int d = 0; d < node->n; d++) {
        LW_TRY(yaml_node_real(node->child[d], "mm", -INFINITY, INFINITY, &out[d]));
        if (!(out[d] > least)) return yaml_fail(node->child[d], "a length above %g mm", least);
    }
    return LW_OK;
}

/* Rows of 2 or 3 numbers in mm: .npy, or text with commas or blanks between numbers, lines that begin with # apart. */
static lw_err listed_npy(reader *r, const yaml_tree_node *node, const char *path, lw_layout *out) {
    lw_npy a;
    LW_TRY(lw_npy_read(path, &a));
    lw_err err = LW_OK;
    bool shaped = a.n_dim == 2 && (a.dim[1] == 2 || a.dim[1] == 3);
    double *list = shaped ? yaml_tree_keep(r->tree, (size_t)a.count * sizeof *list + 8) : NULL;
    if (!shaped) err = yaml_fail(node, "an array [neurons, 2] or [neurons, 3]");
    if (shaped && !list) err = LW_EMEM;
    for (int64_t i = 0; list && i < a.count; i++)
        list[i] = lw_npy_at(&a, i);
    if (list) {
        out->list = list;
        out->n_dim = (int32_t)a.dim[1];
        out->n_list = a.dim[0];
    }
    lw_free(a.data);
    return err;
}

static lw_err listed_text(reader *r, const yaml_tree_node *node, const char *path, int64_t size, lw_layout *out) {
    char *text = NULL;
    int64_t bytes = 0;
    LW_TRY(lw_file_read(path, &text, &bytes));
    double *list = yaml_tree_keep(r->tree, (size_t)size * 3 * sizeof *list + 8);
    lw_err err = list ? LW_OK : LW_EMEM;
    int64_t row = 0, line = 0;
    for (char *at = text, *end; err == LW_OK && at && *at; at = end ? end + 1 : NULL) {
        end = strchr(at, '\n');
        if (end) *end = 0;
        line++;
        double x[3];
        int n = 0;
        if (at[0] == '#' || at[strspn(at, " \r\t")] == 0) continue;
        for (char *next = at, *stop; n < 4; n++, next = stop + strspn(stop, ", \t\r")) {
            double number = strtod(next, &stop);
            if (stop == next) {
                n = *next ? 4 : n; /* something that is no number */
                break;
            }
            if (n < 3) x[n] = number;
        }
        if (row == 0) out->n_dim = n;
        if (n < 2 || n > 3 || n != out->n_dim || row == size)
            err = yaml_fail(node, "a file of %lld rows of 2 or 3 numbers in mm (%s, line %lld)", (long long)size, path,
                (long long)line);
        else
            memcpy(list + row++ * n, x, (size_t)n * sizeof *x);
    }
    out->list = list;
    out->n_list = row;
    lw_free(text);
    return err;
}

static lw_err listed(reader *r, const yaml_tree_node *map, const char *name, int64_t size, lw_layout *out) {
    char full[4096];
    const yaml_tree_node *node = yaml_get(map, "file");
    const char *path = experiment_beside(r->x, name, full, sizeof full);
    size_t length = strlen(path);
    out->kind = LW_LAYOUT_LIST;
    if (length > 4 && !strcmp(path + length - 4, ".npy"))
        LW_TRY(listed_npy(r, node, path, out));
    else
        LW_TRY(listed_text(r, node, path, size, out));
    if (out->n_list != size)
        return yaml_fail(
            node, "a file of %lld positions, one per neuron; it has %lld", (long long)size, (long long)out->n_list);
    return LW_OK;
}

static lw_err grid(const yaml_tree_node *node, int64_t size, lw_layout *out) {
    int64_t points = 1;
    LW_TRY(yaml_expect_list(node));
    if (node->n != 2 && node->n != 3) return yaml_fail(node, "2 or 3 numbers of points");
    out->kind = LW_LAYOUT_GRID;
    out->n_dim = node->n;
    for (int d = 0; d < node->n; d++) {
        LW_TRY(yaml_node_int(node->child[d], 1, INT64_C(1) << 32, &out->grid[d]));
        if (__builtin_mul_overflow(points, out->grid[d], &points)) points = INT64_MAX;
    }
    if (points != size) return yaml_fail(node, "numbers whose product is the size, %lld", (long long)size);
    return LW_OK;
}

lw_err experiment_positions(reader *r, const yaml_tree_node *map, int64_t size, lw_layout *out) {
    static const char *const keys[] = {"grid", "random", "file", "extent", "centre", "periodic", NULL};
    const yaml_tree_node *node = yaml_get(map, "positions");
    const char *file = NULL;
    int64_t n_dim = 0;
    if (!node) return LW_OK;
    LW_TRY(yaml_expect_map(node, keys));
    *out = (lw_layout){0};
    LW_TRY(yaml_int(node, "random", false, 2, 3, &n_dim));
    LW_TRY(yaml_text(node, "file", false, &file));
    const yaml_tree_node *points = yaml_get(node, "grid");
    if ((points != NULL) + (n_dim > 0) + (file != NULL) != 1)
        return yaml_fail(node, "one of grid: [points, ...], random: 2 or 3, file: name");
    if (points) LW_TRY(grid(points, size, out));
    if (file) LW_TRY(listed(r, node, file, size, out));
    if (n_dim > 0) {
        out->kind = LW_LAYOUT_RANDOM;
        out->n_dim = (int32_t)n_dim;
    }
    LW_TRY(yaml_bool(node, "periodic", &out->periodic));
    LW_TRY(lengths(node, "extent", out->kind != LW_LAYOUT_LIST || out->periodic, out->n_dim, 0, out->extent));
    return lengths(node, "centre", false, out->n_dim, -INFINITY, out->centre);
}

static const struct {
    const char *name;
    int n;
    bool sloped;
    lw_profile_kind kind;
} profiles[] = {{"constant", 1, false, LW_PROFILE_CONSTANT}, {"linear", 2, true, LW_PROFILE_LINEAR},
    {"gaussian", 2, false, LW_PROFILE_GAUSSIAN}, {"exponential", 2, false, LW_PROFILE_EXPONENTIAL}};

static lw_err profile(reader *r, const yaml_tree_node *node, const char *prefix, const char *unit, lw_profile *out) {
    yaml_call call;
    char slope[64];
    if (node->kind != YAML_SCALAR) return yaml_fail(node, "%sgaussian(value, length) or the like", prefix);
    LW_TRY(yaml_call_parse(r->tree, node, node->text, &call));
    const char *name = call.name + (strncmp(call.name, prefix, strlen(prefix)) ? 0 : strlen(prefix));
    snprintf(slope, sizeof slope, "%s/mm", *unit ? unit : "1");
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (strcmp(name, profiles[i].name) || call.n != profiles[i].n) continue;
        out->kind = profiles[i].kind;
        LW_TRY(yaml_quantity(node, call.arg[0], unit, &out->at0));
        if (call.n == 2)
            LW_TRY(yaml_quantity(
                node, call.arg[1], profiles[i].sloped ? slope : "mm", profiles[i].sloped ? &out->slope : &out->length));
        if (call.n == 2 && !profiles[i].sloped && !(out->length > 0)) return yaml_fail(node, "a length above 0 mm");
        return LW_OK;
    }
    return yaml_fail(node,
        "%sconstant(value), %slinear(at 0, slope per mm), %sgaussian(at 0, sigma), "
        "%sexponential(at 0, lambda)",
        prefix, prefix, prefix, prefix);
}

lw_err experiment_chance(reader *r, const yaml_tree_node *map, lw_projection_spec *proj) {
    const yaml_tree_node *p = yaml_get(map, "p"), *radius = yaml_get(map, "radius");
    if (!p && radius) return yaml_fail(radius, "a radius only together with \"p\"");
    if (!p) return LW_OK;
    if (proj->rule != LW_RULE_PAIRWISE_BERNOULLI && proj->rule != LW_RULE_FIXED_INDEGREE)
        return yaml_fail(p, "a probability by distance only with the rules pairwise_bernoulli and fixed_indegree(n)");
    LW_TRY(profile(r, p, "", "", &proj->p_of));
    if (!(proj->p_of.at0 >= 0 && proj->p_of.at0 <= 1)) return yaml_fail(p, "a probability from 0 to 1 at distance 0");
    LW_TRY(yaml_real(map, "radius", false, "mm", 0, INFINITY, &proj->radius));
    if (radius && !(proj->radius > 0)) return yaml_fail(radius, "a length above 0 mm");
    if (proj->p_of.kind == LW_PROFILE_LINEAR && proj->p_of.slope > 0 && !radius)
        return yaml_fail(p, "a probability that rises with distance only together with \"radius\"");
    return LW_OK;
}

bool experiment_is_by_distance(const yaml_tree_node *node) {
    return node && node->kind == YAML_SCALAR && !strncmp(node->text, "distance_", 9);
}

lw_err experiment_by_distance(reader *r, const yaml_tree_node *node, const char *unit, lw_profile *out) {
    return profile(r, node, "distance_", unit, out);
}
