/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment.c: reading an experiment file: text on rank 0, tree, overrides, then the sections in their own files; and
 * the small readers that several sections use.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

lw_err reader_population(const reader *r, const yaml_tree_node *node, const char *name, int32_t *out) {
    char all[600] = "";
    for (int p = 0; p < r->x->net.n_pop; p++) {
        if (!strcmp(r->pop[p].name, name)) {
            *out = p;
            return LW_OK;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", p ? ", " : "", r->pop[p].name);
    }
    return yaml_fail(node, "a population: %s", all);
}

lw_err reader_populations(reader *r, const yaml_tree_node *node, const int32_t **out, int *n) {
    int count = node->kind == YAML_LIST ? node->n : 1;
    int32_t *pops = yaml_tree_keep(r->tree, (size_t)count * sizeof *pops + 8);
    if (!pops) return LW_EMEM;
    for (int i = 0; i < count; i++) {
        const yaml_tree_node *item = node->kind == YAML_LIST ? node->child[i] : node;
        if (item->kind != YAML_SCALAR) return yaml_fail(item, "the name of a population");
        LW_TRY(reader_population(r, item, item->text, &pops[i]));
    }
    *out = pops;
    *n = count;
    return LW_OK;
}

lw_err reader_port(const reader *r, const yaml_tree_node *map, int32_t pop, int32_t *out) {
    const lw_model *model = r->pop[pop].model;
    const yaml_tree_node *node = yaml_get(map, "port");
    char all[300] = "";
    if (model->n_input == 0)
        return yaml_fail(
            map, "a target with an input; model %s of population %s has none", model->name, r->pop[pop].name);
    *out = 0;
    if (!node) return LW_OK;
    for (int i = 0; i < model->n_input; i++) {
        if (node->kind == YAML_SCALAR && !strcmp(model->input[i].name, node->text)) {
            *out = i;
            return LW_OK;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", model->input[i].name);
    }
    return yaml_fail(node, "an input of model %s: %s", model->name, all);
}

lw_err reader_surrogate(const yaml_tree_node *map, const char *key, lw_surrogate *out) {
    const yaml_tree_node *node = yaml_get(map, key);
    const char *allowed = "a surrogate such as superspike, {superspike: 10} or {superspike: 10, scale: 0.5}";
    if (!node) return LW_OK;
    const char *name = node->text;
    if (node->kind == YAML_MAP && (node->n == 1 || (node->n == 2 && !strcmp(node->child[1]->key, "scale")))) {
        name = node->child[0]->key;
        LW_TRY(yaml_node_real(node->child[0], "", 1e-6, 1e6, &out->slope));
        LW_TRY(yaml_real(node, "scale", false, "", 1e-6, 1e6, &out->scale));
    } else if (node->kind != YAML_SCALAR) {
        return yaml_fail(node, "%s", allowed);
    }
    if (lw_surrogate_parse(name, &out->kind) != LW_OK) {
        lw_err_clear();
        return yaml_fail(node, "superspike, sigmoid, arctan, triangle, boxcar, gaussian");
    }
    return LW_OK;
}

lw_err reader_reset(const yaml_tree_node *map, bool *detached) {
    static const char *const names[] = {"detached", "full", NULL};
    int i = *detached ? 0 : 1;
    LW_TRY(yaml_choice(map, "reset", false, names, &i));
    *detached = i == 0;
    return LW_OK;
}

lw_err reader_steps(const reader *r, const yaml_tree_node *map, const char *key, int64_t least, int64_t *out) {
    double ms = NAN;
    LW_TRY(yaml_real(map, key, false, "ms", 0, 1e15, &ms));
    if (isnan(ms)) return LW_OK;
    int64_t steps = llround(ms / r->x->net.dt);
    if (steps < least)
        return yaml_fail(yaml_get(map, key), "at least %lld steps of dt = %g ms", (long long)least, r->x->net.dt);
    *out = steps;
    return LW_OK;
}

static lw_err read_head(reader *r) {
    static const char *const keys[] = {"name", "about", "time", "seed", "precision", "partition", "threads",
        "populations", "projections", "inputs", "record", "statistics", "data", "train", "sharpness", "lyapunov",
        "prune", "checkpoint", "stages", NULL};
    static const char *const time_keys[] = {"dt", "duration", NULL};
    static const char *const precisions[] = {"float", "double", NULL};
    static const char *const partitions[] = {"block", "round_robin", "scotch", NULL};
    lw_experiment *x = r->x;
    LW_TRY(yaml_expect_map(r->root, keys));
    LW_TRY(yaml_text(r->root, "name", true, &x->name));
    if (!*x->name || strpbrk(x->name, "/ \t"))
        return yaml_fail(yaml_get(r->root, "name"), "a word that can name a folder");
    const yaml_tree_node *time = yaml_get(r->root, "time");
    if (!time) return LW_FAIL(LW_EUSE, "%s:%d: missing key \"time\"", r->root->file, r->root->line);
    LW_TRY(yaml_expect_map(time, time_keys));
    LW_TRY(yaml_real(time, "dt", true, "ms", 1e-9, 1e9, &x->net.dt));
    LW_TRY(yaml_real(time, "duration", false, "ms", 0, 1e15, &x->duration));
    x->steps = llround(x->duration / x->net.dt);
    int64_t seed = 1, threads = 1;
    int precision = 1, partition = 0;
    LW_TRY(yaml_int(r->root, "seed", false, 0, INT64_MAX, &seed));
    LW_TRY(yaml_choice(r->root, "precision", false, precisions, &precision));
    LW_TRY(yaml_choice(r->root, "partition", false, partitions, &partition));
    LW_TRY(yaml_int(r->root, "threads", false, 1, 1024, &threads));
    x->net.seed = (uint64_t)seed;
    x->precision = precision ? LW_F64 : LW_F32;
    x->net.partition = (lw_partition)partition;
    x->net.threads = (int32_t)threads;
    return LW_OK;
}

/* A float engine reads weights as floats whatever their storage; stages that differentiate want them in full. */
static lw_dtype weight_type(const lw_experiment *x) {
    for (int32_t i = 0; i < x->n_stages; i++)
        if (x->stage[i] != LW_STAGE_SIMULATE) return LW_F64;
    return x->precision;
}

static lw_err read_all(reader *r) {
    LW_TRY(read_head(r));
    LW_TRY(experiment_network(r));
    LW_TRY(experiment_stimuli(r));
    LW_TRY(experiment_record(r));
    LW_TRY(experiment_data(r));
    LW_TRY(experiment_stages(r));
    LW_TRY(experiment_sharpness(r));
    r->x->net.weight_type = weight_type(r->x);
    return LW_OK;
}

lw_err lw_experiment_parse(
    const char *file, const char *text, const char *const *override, int32_t n_overrides, lw_experiment **out) {
    reader r = {0};
    *out = NULL;
    LW_TRY(yaml_tree_create(file, text, &r.tree));
    lw_err err = LW_OK;
    r.x = yaml_tree_keep(r.tree, sizeof *r.x);
    if (!r.x) {
        err = LW_EMEM;
        goto done;
    }
    r.x->memory = r.tree;
    r.x->file = yaml_tree_keep_text(r.tree, file);
    r.x->text = yaml_tree_keep_text(r.tree, text);
    const char **kept = yaml_tree_keep(r.tree, (size_t)n_overrides * sizeof *kept + 8);
    if (!r.x->file || !r.x->text || !kept) {
        err = LW_EMEM;
        goto done;
    }
    for (int i = 0; i < n_overrides; i++) {
        kept[i] = yaml_tree_keep_text(r.tree, override[i]);
        LW_TRY_TO(yaml_tree_set(r.tree, override[i]), done);
    }
    r.x->override = kept;
    r.x->n_overrides = n_overrides;
    r.root = yaml_tree_root(r.tree);
    LW_TRY_TO(read_all(&r), done);
done:
    if (err != LW_OK)
        yaml_tree_destroy(&r.tree);
    else
        *out = r.x;
    return err;
}

void lw_experiment_destroy(lw_experiment **experiment) {
    if (!*experiment) return;
    yaml_tree *tree = (*experiment)->memory;
    yaml_tree_destroy(&tree);
    *experiment = NULL;
}

static lw_err read_text(const char *path, char **out, int64_t *bytes) {
    *out = NULL;
    FILE *f = fopen(path, "rb");
    LW_CHECK(f, LW_EUSE, "%s: cannot be opened: %m", path);
    lw_err err = LW_OK;
    int64_t size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    if (size < 0 || size > 64 << 20 || fseek(f, 0, SEEK_SET)) {
        err = LW_FAIL(LW_EUSE, "%s: found %lld bytes, allowed: a text file up to 64 MiB", path, (long long)size);
        goto done;
    }
    LW_TRY_TO(lw_alloc((size_t)size + 1, 1, "experiment file", out), done);
    if (fread(*out, 1, (size_t)size, f) != (size_t)size)
        err = LW_FAIL(LW_EFILE, "%s: cannot be read", path);
    else if (strlen(*out) != (size_t)size)
        err = LW_FAIL(LW_EUSE, "%s: found a zero byte, allowed: YAML text", path);
    *bytes = size + 1;
done:
    fclose(f);
    return err;
}

lw_err lw_experiment_read(
    const lw_comm *comm, const char *path, const char *const *override, int32_t n_overrides, lw_experiment **out) {
    char *text = NULL;
    int64_t bytes = 0;
    lw_err err = LW_OK;
    *out = NULL;
    if (lw_comm_rank(comm) == 0) err = read_text(path, &text, &bytes);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    lw_comm_bcast(comm, &bytes, sizeof bytes, 0);
    if (!text) err = lw_alloc((size_t)bytes, 1, "experiment file", &text);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    lw_comm_bcast(comm, text, bytes, 0);
    /* rank 0 first: a user's model is then compiled once, and found in the cache by the others */
    if (lw_comm_rank(comm) == 0) err = lw_experiment_parse(path, text, override, n_overrides, out);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    if (lw_comm_rank(comm) != 0) err = lw_experiment_parse(path, text, override, n_overrides, out);
    err = lw_comm_agree(comm, err);
done:
    lw_free(text);
    if (err != LW_OK) lw_experiment_destroy(out);
    return err;
}
