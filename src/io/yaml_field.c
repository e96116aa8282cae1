/* SPDX-License-Identifier: BSD-3-Clause
 *
 * yaml_field.c: typed reading of the tree's scalars: words, numbers, quantities with units, choices, values and
 * distributions.
 */
#include "yaml_tree.h"
#include <lapwing/model.h>

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lw_err missing(const yaml_tree_node *map, const char *key) {
    char path[512];
    yaml_path(map, path, sizeof path);
    return LW_FAIL(LW_EUSE, "%s:%d: %s%smissing key \"%s\"", map->file, map->line, path, *path ? ": " : "", key);
}

static lw_err scalar(const yaml_tree_node *map, const char *key, bool required, const yaml_tree_node **out) {
    *out = yaml_get(map, key);
    if (!*out) return required ? missing(map, key) : LW_OK;
    if ((*out)->kind != YAML_SCALAR) return yaml_fail(*out, "a single value");
    return LW_OK;
}

lw_err yaml_text(const yaml_tree_node *map, const char *key, bool required, const char **out) {
    const yaml_tree_node *node;
    LW_TRY(scalar(map, key, required, &node));
    if (node) *out = node->text;
    return LW_OK;
}

lw_err yaml_bool(const yaml_tree_node *map, const char *key, bool *out) {
    const yaml_tree_node *node;
    LW_TRY(scalar(map, key, false, &node));
    if (!node) return LW_OK;
    if (!strcmp(node->text, "true") || !strcmp(node->text, "yes"))
        *out = true;
    else if (!strcmp(node->text, "false") || !strcmp(node->text, "no"))
        *out = false;
    else
        return yaml_fail(node, "true or false");
    return LW_OK;
}

lw_err yaml_node_int(const yaml_tree_node *node, int64_t lo, int64_t hi, int64_t *out) {
    char *end = NULL;
    errno = 0;
    long long x = node->kind == YAML_SCALAR ? strtoll(node->text, &end, 10) : 0;
    if (!end || end == node->text || *end || errno || x < lo || x > hi) {
        if (hi == INT64_MAX) return yaml_fail(node, "an integer >= %lld", (long long)lo);
        return yaml_fail(node, "an integer from %lld to %lld", (long long)lo, (long long)hi);
    }
    *out = x;
    return LW_OK;
}

lw_err yaml_int(const yaml_tree_node *map, const char *key, bool required, int64_t lo, int64_t hi, int64_t *out) {
    const yaml_tree_node *node;
    LW_TRY(scalar(map, key, required, &node));
    return node ? yaml_node_int(node, lo, hi, out) : LW_OK;
}

static const char *unit_word(const char *unit) {
    return *unit && strcmp(unit, "1") ? unit : "no unit";
}

lw_err yaml_quantity(const yaml_tree_node *node, const char *text, const char *unit, double *out) {
    double scale;
    int want[LW_UNIT_DIMS], have[LW_UNIT_DIMS];
    LW_TRY(lw_unit_parse(unit, &scale, want));
    if (lw_quantity_parse(text, out, have) != LW_OK) {
        lw_err_clear();
        return yaml_fail(node, "a number with %s%s", *unit && strcmp(unit, "1") ? "a unit like " : "", unit_word(unit));
    }
    bool zero = *out == 0 && !have[0] && !have[1] && !have[2] && !have[3];
    if (!zero && memcmp(want, have, sizeof want) != 0)
        return yaml_fail(node, "a number with %s%s", *unit && strcmp(unit, "1") ? "a unit like " : "", unit_word(unit));
    return LW_OK;
}

lw_err yaml_node_real(const yaml_tree_node *node, const char *unit, double lo, double hi, double *out) {
    if (node->kind != YAML_SCALAR) return yaml_fail(node, "a single number");
    double x = 0;
    LW_TRY(yaml_quantity(node, node->text, unit, &x));
    if (!(x >= lo && x <= hi)) {
        if (isinf(hi)) return yaml_fail(node, "a number >= %g%s%s", lo, *unit ? " " : "", unit);
        return yaml_fail(node, "a number from %g to %g%s%s", lo, hi, *unit ? " " : "", unit);
    }
    *out = x;
    return LW_OK;
}

lw_err yaml_real(
    const yaml_tree_node *map, const char *key, bool required, const char *unit, double lo, double hi, double *out) {
    const yaml_tree_node *node;
    LW_TRY(scalar(map, key, required, &node));
    return node ? yaml_node_real(node, unit, lo, hi, out) : LW_OK;
}

lw_err yaml_choice(const yaml_tree_node *map, const char *key, bool required, const char *const *names, int *out) {
    const yaml_tree_node *node;
    char all[500] = "";
    LW_TRY(scalar(map, key, required, &node));
    if (!node) return LW_OK;
    for (int i = 0; names[i]; i++) {
        if (!strcmp(node->text, names[i])) {
            *out = i;
            return LW_OK;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
    }
    return yaml_fail(node, "%s", all);
}

/* text without blanks at both ends, in the tree's memory */
static char *trimmed(yaml_tree *tree, const char *from, size_t n) {
    while (n && isspace((unsigned char)*from))
        from++, n--;
    while (n && isspace((unsigned char)from[n - 1]))
        n--;
    char *copy = yaml_tree_keep(tree, n + 1);
    if (copy) memcpy(copy, from, n);
    return copy;
}

lw_err yaml_call_parse(yaml_tree *tree, const yaml_tree_node *node, const char *text, yaml_call *out) {
    memset(out, 0, sizeof *out);
    const char *open = strchr(text, '(');
    if (!open) {
        out->name = trimmed(tree, text, strlen(text));
        return out->name ? LW_OK : LW_EMEM;
    }
    const char *close = strrchr(text, ')');
    if (!close || close < open || close[1 + strspn(close + 1, " ")])
        return yaml_fail(node, "name or name(argument, ...)");
    out->name = trimmed(tree, text, (size_t)(open - text));
    if (!out->name) return LW_EMEM;
    for (const char *at = open + 1; at <= close;) {
        const char *end = at + strcspn(at, ",)");
        if (out->n == 8) return yaml_fail(node, "at most 8 arguments");
        out->arg[out->n] = trimmed(tree, at, (size_t)(end - at));
        if (!out->arg[out->n]) return LW_EMEM;
        if (!*out->arg[out->n] && !(out->n == 0 && end == close))
            return yaml_fail(node, "name(argument, ...) without empty arguments");
        if (*out->arg[out->n]) out->n++;
        at = end + 1;
    }
    return LW_OK;
}

/* names of distributions and the unit of each argument: 'u' the value's unit, '1' none */
static const struct {
    const char *name, *args;
    lw_dist_kind kind;
} dists[] = {{"uniform", "uu", LW_DIST_UNIFORM}, {"normal", "uu", LW_DIST_NORMAL},
    {"lognormal", "11", LW_DIST_LOGNORMAL}, {"gamma", "1u", LW_DIST_GAMMA}, {"exponential", "u", LW_DIST_EXPONENTIAL}};
enum { N_DISTS = sizeof dists / sizeof dists[0] };

static lw_err dist_range(const yaml_tree_node *node, const char *text, const char *unit, lw_dist *out) {
    char lo[64], hi[64], rest;
    if (sscanf(text, " [ %63[^,] , %63[^]] ] %c", lo, hi, &rest) != 2) return yaml_fail(node, "... in [low, high]");
    LW_TRY(yaml_quantity(node, lo, unit, &out->lo));
    LW_TRY(yaml_quantity(node, hi, unit, &out->hi));
    if (!(out->lo < out->hi)) return yaml_fail(node, "... in [low, high] with low < high");
    out->redraw = true;
    return LW_OK;
}

static lw_err dist_call(
    yaml_tree *tree, const yaml_tree_node *node, const char *text, const char *unit, double fan_in, lw_dist *out) {
    yaml_call call;
    LW_TRY(yaml_call_parse(tree, node, text, &call));
    bool fan_uniform = !strcmp(call.name, "fan_in"), fan_normal = !strcmp(call.name, "fan_in_normal");
    if (fan_uniform || fan_normal) {
        double gain = 1, scale;
        int dims[LW_UNIT_DIMS];
        if (!(fan_in > 0) || call.n > 1) return yaml_fail(node, "fan_in(gain) only as the weight of a projection");
        LW_TRY(lw_unit_parse(unit, &scale, dims));
        if (call.n) LW_TRY(yaml_quantity(node, call.arg[0], unit, &gain));
        gain *= call.n ? 1 : scale;
        double s = gain / sqrt(fan_in);
        out->kind = fan_uniform ? LW_DIST_UNIFORM : LW_DIST_NORMAL;
        out->p[0] = fan_uniform ? -s : 0;
        out->p[1] = s;
        return LW_OK;
    }
    for (int d = 0; d < N_DISTS; d++) {
        if (strcmp(call.name, dists[d].name)) continue;
        if (call.n != (int)strlen(dists[d].args))
            return yaml_fail(node, "%s with %d arguments", call.name, (int)strlen(dists[d].args));
        out->kind = dists[d].kind;
        for (int a = 0; a < call.n; a++)
            LW_TRY(yaml_quantity(node, call.arg[a], dists[d].args[a] == 'u' ? unit : "", &out->p[a]));
        if (out->kind == LW_DIST_UNIFORM && !(out->p[0] <= out->p[1]))
            return yaml_fail(node, "uniform(low, high) with low <= high");
        if ((out->kind == LW_DIST_NORMAL || out->kind == LW_DIST_LOGNORMAL) && out->p[1] < 0)
            return yaml_fail(node, "%s(mean, sd) with sd >= 0", call.name);
        if (out->kind == LW_DIST_GAMMA && !(out->p[0] > 0 && out->p[1] > 0))
            return yaml_fail(node, "gamma(shape, mean), both > 0");
        if (out->kind == LW_DIST_EXPONENTIAL && !(out->p[0] > 0))
            return yaml_fail(node, "exponential(mean) with mean > 0");
        return LW_OK;
    }
    return yaml_fail(node,
        "uniform(low, high), normal(mean, sd), lognormal(mu, sigma), gamma(shape, mean), exponential(mean)%s",
        fan_in > 0 ? ", fan_in(gain), fan_in_normal(gain)" : "");
}

lw_err yaml_dist(yaml_tree *tree, const yaml_tree_node *node, const char *unit, double fan_in, lw_dist *out) {
    *out = lw_dist_number(0);
    if (node->kind == YAML_LIST) {
        double *list = yaml_tree_keep(tree, (size_t)node->n * sizeof *list + 8);
        if (!list) return LW_EMEM;
        for (int i = 0; i < node->n; i++)
            LW_TRY(yaml_node_real(node->child[i], unit, -INFINITY, INFINITY, &list[i]));
        out->kind = LW_DIST_LIST;
        out->list = list;
        out->n_list = node->n;
        return LW_OK;
    }
    if (node->kind != YAML_SCALAR) return yaml_fail(node, "a number, a list or a distribution");
    if (!strchr(node->text, '(')) return yaml_quantity(node, node->text, unit, &out->p[0]);
    const char *close = strrchr(node->text, ')'), *in = close ? strstr(close, " in ") : NULL;
    const char *text = node->text;
    if (in) {
        text = trimmed(tree, node->text, (size_t)(in - node->text));
        if (!text) return LW_EMEM;
        LW_TRY(dist_range(node, in + 4, unit, out));
    }
    return dist_call(tree, node, text, unit, fan_in, out);
}
