/* SPDX-License-Identifier: BSD-3-Clause
 *
 * yaml_tree.c: from libyaml's document to our tree, overrides, paths and the wording of errors. Typed reading is in
 * yaml_field.c.
 */
#include "yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

typedef struct tree_block {
    struct tree_block *next;
    _Alignas(16) char data[];
} tree_block;

struct yaml_tree {
    tree_block *blocks;
    yaml_tree_node *root;
};

void *yaml_tree_keep(yaml_tree *tree, size_t bytes) {
    tree_block *b = NULL;
    if (lw_alloc(1, sizeof *b + bytes, "experiment", &b) != LW_OK) return NULL;
    b->next = tree->blocks;
    tree->blocks = b;
    return b->data;
}

char *yaml_tree_keep_text(yaml_tree *tree, const char *text) {
    size_t n = strlen(text) + 1;
    char *copy = yaml_tree_keep(tree, n);
    if (copy) memcpy(copy, text, n);
    return copy;
}

static lw_err child_add(yaml_tree *tree, yaml_tree_node *parent, yaml_tree_node *child) {
    yaml_tree_node **grown = yaml_tree_keep(tree, (size_t)(parent->n + 1) * sizeof *grown);
    if (!grown) return LW_EMEM;
    if (parent->n) memcpy(grown, parent->child, (size_t)parent->n * sizeof *grown);
    grown[parent->n] = child;
    child->parent = parent;
    child->index = parent->n;
    parent->child = grown;
    parent->n++;
    return LW_OK;
}

static lw_err convert(
    yaml_tree *tree, yaml_document_t *doc, int id, const char *file, int depth, yaml_tree_node **out) {
    yaml_node_t *from = yaml_document_get_node(doc, id);
    yaml_tree_node *node = yaml_tree_keep(tree, sizeof *node);
    if (!node) return LW_EMEM;
    node->file = file;
    node->line = (int)from->start_mark.line + 1;
    LW_CHECK(
        depth < 64, LW_EUSE, "%s:%d: nested more than 64 levels deep (or an alias contains itself)", file, node->line);
    if (from->type == YAML_SCALAR_NODE) {
        node->kind = YAML_SCALAR;
        node->text = yaml_tree_keep_text(tree, (const char *)from->data.scalar.value);
        if (!node->text) return LW_EMEM;
    } else if (from->type == YAML_SEQUENCE_NODE) {
        node->kind = YAML_LIST;
        for (yaml_node_item_t *i = from->data.sequence.items.start; i < from->data.sequence.items.top; i++) {
            yaml_tree_node *child;
            LW_TRY(convert(tree, doc, *i, file, depth + 1, &child));
            LW_TRY(child_add(tree, node, child));
        }
    } else {
        node->kind = YAML_MAP;
        for (yaml_node_pair_t *p = from->data.mapping.pairs.start; p < from->data.mapping.pairs.top; p++) {
            yaml_node_t *key = yaml_document_get_node(doc, p->key);
            yaml_tree_node *child;
            LW_CHECK(key->type == YAML_SCALAR_NODE, LW_EUSE,
                "%s:%d: found a key that is not a word, allowed: plain keys", file, (int)key->start_mark.line + 1);
            const char *name = (const char *)key->data.scalar.value;
            LW_CHECK(!yaml_get(node, name), LW_EUSE, "%s:%d: found the key \"%s\" twice in one map", file,
                (int)key->start_mark.line + 1, name);
            LW_TRY(convert(tree, doc, p->value, file, depth + 1, &child));
            child->key = yaml_tree_keep_text(tree, name);
            if (!child->key) return LW_EMEM;
            LW_TRY(child_add(tree, node, child));
        }
    }
    *out = node;
    return LW_OK;
}

static lw_err parse(yaml_tree *tree, const char *file, const char *text, yaml_tree_node **out) {
    yaml_parser_t parser;
    yaml_document_t doc;
    LW_CHECK(yaml_parser_initialize(&parser), LW_EMEM, "no memory for the YAML parser");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    lw_err err = LW_OK;
    *out = NULL;
    if (!yaml_parser_load(&parser, &doc)) {
        err = LW_FAIL(LW_EUSE, "%s:%d: not YAML: %s", file, (int)parser.problem_mark.line + 1, parser.problem);
        yaml_parser_delete(&parser);
        return err;
    }
    if (yaml_document_get_root_node(&doc))
        err = convert(tree, &doc, 1, file, 0, out);
    else
        err = LW_FAIL(LW_EUSE, "%s:1: found nothing, allowed: a YAML map", file);
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return err;
}

lw_err yaml_tree_create(const char *file, const char *text, yaml_tree **out) {
    yaml_tree *tree = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *tree, "experiment", &tree));
    const char *name = yaml_tree_keep_text(tree, file);
    lw_err err = name ? parse(tree, name, text, &tree->root) : LW_EMEM;
    if (err != LW_OK) yaml_tree_destroy(&tree);
    *out = tree;
    return err;
}

void yaml_tree_destroy(yaml_tree **tree) {
    if (!*tree) return;
    for (tree_block *b = (*tree)->blocks, *next; b; b = next) {
        next = b->next;
        lw_free(b);
    }
    lw_free(*tree);
    *tree = NULL;
}

const yaml_tree_node *yaml_tree_root(const yaml_tree *tree) {
    return tree->root;
}

const yaml_tree_node *yaml_get(const yaml_tree_node *map, const char *key) {
    if (!map || map->kind != YAML_MAP) return NULL;
    for (int i = 0; i < map->n; i++)
        if (map->child[i]->key && strcmp(map->child[i]->key, key) == 0) return map->child[i];
    return NULL;
}

/* the child that one word of an override's path names, made when missing */
static lw_err descend(
    yaml_tree *tree, yaml_tree_node *at, const char *word, const char *assignment, yaml_tree_node **out) {
    *out = NULL;
    if (at->kind == YAML_LIST) {
        char *end;
        long i = strtol(word, &end, 10);
        LW_CHECK(*word && !*end && i >= 0 && i < at->n, LW_EUSE,
            "--set %s: found \"%s\", allowed: an element 0 to %d of that list", assignment, word, at->n - 1);
        *out = at->child[i];
        return LW_OK;
    }
    if (at->kind == YAML_SCALAR) { /* a plain value becomes a map: the override goes deeper */
        at->kind = YAML_MAP;
        at->n = 0;
    }
    *out = (yaml_tree_node *)(uintptr_t)yaml_get(at, word);
    if (*out) return LW_OK;
    yaml_tree_node *made = yaml_tree_keep(tree, sizeof *made);
    if (!made) return LW_EMEM;
    made->kind = YAML_MAP;
    made->key = yaml_tree_keep_text(tree, word);
    made->file = "--set";
    made->line = 1;
    if (!made->key) return LW_EMEM;
    LW_TRY(child_add(tree, at, made));
    *out = made;
    return LW_OK;
}

lw_err yaml_tree_set(yaml_tree *tree, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    LW_CHECK(
        equals && equals > assignment, LW_EUSE, "--set %s: found no \"=\", allowed: path.to.key=value", assignment);
    char *path = yaml_tree_keep_text(tree, assignment);
    if (!path) return LW_EMEM;
    path[equals - assignment] = 0;
    yaml_tree_node *at = tree->root, *value;
    for (char *word = path, *next; word; word = next) {
        next = strchr(word, '.');
        if (next) *next++ = 0;
        LW_CHECK(*word, LW_EUSE, "--set %s: found an empty word in the path", assignment);
        LW_TRY(descend(tree, at, word, assignment, &at));
    }
    if (equals[1] == 0) {
        at->kind = YAML_SCALAR;
        at->text = "";
    } else {
        const char *file = yaml_tree_keep(tree, strlen(assignment) + 8);
        if (!file) return LW_EMEM;
        sprintf((char *)(uintptr_t)file, "--set %s", assignment);
        LW_TRY(parse(tree, file, equals + 1, &value));
        at->kind = value->kind;
        at->text = value->text;
        at->child = value->child;
        at->n = value->n;
        at->file = value->file;
        at->line = value->line;
        for (int i = 0; i < at->n; i++)
            at->child[i]->parent = at;
    }
    return LW_OK;
}

const char *yaml_path(const yaml_tree_node *node, char *buf, size_t size) {
    if (!node->parent) {
        snprintf(buf, size, "%s", "");
        return buf;
    }
    char up[400];
    yaml_path(node->parent, up, sizeof up);
    if (node->key)
        snprintf(buf, size, "%s%s%s", up, *up ? "." : "", node->key);
    else
        snprintf(buf, size, "%s[%d]", up, node->index);
    return buf;
}

lw_err yaml_fail(const yaml_tree_node *node, const char *format, ...) {
    char path[512], allowed[1024], found[128];
    va_list args;
    va_start(args, format);
    vsnprintf(allowed, sizeof allowed, format, args);
    va_end(args);
    if (node->kind == YAML_SCALAR)
        snprintf(found, sizeof found, "\"%.100s\"", node->text);
    else
        snprintf(found, sizeof found, "a %s", node->kind == YAML_LIST ? "list" : "map");
    yaml_path(node, path, sizeof path);
    return LW_FAIL(
        LW_EUSE, "%s:%d: %s: found %s, allowed: %s", node->file, node->line, *path ? path : "document", found, allowed);
}

/* edit distance, short words only */
static int distance(const char *a, const char *b) {
    int row[64], n = (int)strlen(b);
    if (n > 62 || strlen(a) > 62) return 99;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int cost = diagonal + (a[i - 1] != b[j - 1]), del = row[j] + 1, ins = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = cost < del ? (cost < ins ? cost : ins) : (del < ins ? del : ins);
        }
    }
    return row[n];
}

lw_err yaml_expect_map(const yaml_tree_node *node, const char *const *keys) {
    if (node->kind != YAML_MAP) return yaml_fail(node, "a map of keys");
    for (int i = 0; keys && i < node->n; i++) {
        const char *near = NULL;
        char all[700] = "", path[512];
        bool known = false;
        int best = 4;
        for (int k = 0; keys[k]; k++) {
            int d = distance(node->child[i]->key, keys[k]);
            known |= d == 0;
            if (d < best) {
                best = d;
                near = keys[k];
            }
            size_t used = strlen(all);
            snprintf(all + used, sizeof all - used, "%s%s", k ? ", " : "", keys[k]);
        }
        if (known) continue;
        const yaml_tree_node *c = node->child[i];
        return LW_FAIL(LW_EUSE, "%s:%d: %s: unknown key%s%s%s, allowed: %s", c->file, c->line,
            yaml_path(c, path, sizeof path), near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "",
            all);
    }
    return LW_OK;
}

lw_err yaml_expect_list(const yaml_tree_node *node) {
    return node->kind == YAML_LIST ? LW_OK : yaml_fail(node, "a list");
}
