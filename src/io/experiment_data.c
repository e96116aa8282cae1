/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_data.c: the section `data`: which keys each format takes, their defaults, and the opening of data sets.
 */
#include "experiment.h"

#include <stdio.h>
#include <string.h>

typedef struct data_format {
    const char *name;
    const char *keys[20];
    lw_err (*read)(reader *r, const yaml_tree_node *map, lw_data_spec *d);
    lw_err (*open)(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out);
} data_format;

typedef struct place {
    char text[4096];
} place;

static const char *beside(const lw_experiment *x, const char *path, place *p) {
    return experiment_beside(x, path, p->text, sizeof p->text);
}

/* ------------------------------------------------------------------ files */

static lw_err npy_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    (void)r;
    LW_TRY(yaml_text(map, "x", true, &d->x));
    LW_TRY(yaml_text(map, "labels", true, &d->labels));
    LW_TRY(yaml_int(map, "classes", true, 0, 100000, &d->classes));
    if (d->classes == 1)
        return yaml_fail(yaml_get(map, "classes"), "0 (the labels are targets) or an integer from 2 to 100000");
    LW_TRY(yaml_text(map, "lengths", false, &d->length_file));
    return yaml_bool(map, "clip_negative", &d->clip_negative);
}

static lw_err npy_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place a, b;
    LW_TRY(lw_dataset_npy(beside(x, d->x, &a), beside(x, d->labels, &b), (int32_t)d->classes, d->clip_negative, out));
    lw_err err = d->length_file ? lw_dataset_npy_lengths(beside(x, d->length_file, &a), out) : LW_OK;
    if (err != LW_OK) lw_batch_source_destroy(out);
    return err;
}

static lw_err mnist_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    static const char *const encodes[] = {"rows", "pixels", "permuted", "rate", "latency", NULL};
    int encode = 0;
    (void)r;
    d->steps = 28;
    LW_TRY(yaml_text(map, "images", true, &d->x));
    LW_TRY(yaml_text(map, "labels", true, &d->labels));
    LW_TRY(yaml_choice(map, "encode", false, encodes, &encode));
    d->encode = encodes[encode];
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    return yaml_int(map, "limit", false, 0, INT64_MAX, &d->limit);
}

static lw_err mnist_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place a, b;
    return lw_dataset_mnist(beside(x, d->x, &a), beside(x, d->labels, &b), d->encode, d->steps, d->seed, d->limit, out);
}

static lw_err names(
    reader *r, const yaml_tree_node *map, const char *key, const char *what, const char *const **out, int32_t *n_out) {
    const yaml_tree_node *list = yaml_get(map, key);
    if (!list) return LW_OK;
    LW_TRY(yaml_expect_list(list));
    const char **name = yaml_tree_keep(r->tree, (size_t)list->n * sizeof *name + 8);
    if (!name) return LW_EMEM;
    for (int i = 0; i < list->n; i++) {
        if (list->child[i]->kind != YAML_SCALAR) return yaml_fail(list->child[i], what);
        name[i] = list->child[i]->text;
    }
    *out = name;
    *n_out = list->n;
    return LW_OK;
}

static lw_err cifar_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    static const char *const encodes[] = {"rows", "pixels", "image", NULL};
    int encode = 0;
    LW_TRY(names(r, map, "files", "a file's name", &d->column, &d->n_columns));
    if (d->n_columns == 0) return yaml_fail(map, "CIFAR-10 with the list \"files\"");
    LW_TRY(yaml_choice(map, "encode", false, encodes, &encode));
    d->encode = encodes[encode];
    return yaml_int(map, "limit", false, 0, INT64_MAX, &d->limit);
}

static lw_err cifar_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place *p = NULL;
    const char **path = NULL;
    lw_err err;
    LW_TRY_TO(lw_alloc((size_t)d->n_columns, sizeof *p, "names of files", &p), done);
    LW_TRY_TO(lw_alloc((size_t)d->n_columns, sizeof *path, "names of files", &path), done);
    for (int32_t f = 0; f < d->n_columns; f++)
        path[f] = beside(x, d->column[f], &p[f]);
    err = lw_dataset_cifar10(path, d->n_columns, d->encode, d->limit, out);
done:
    lw_free(path);
    lw_free(p);
    return err;
}

static lw_err csv_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    d->window = 200;
    d->horizon = 1;
    LW_TRY(yaml_text(map, "path", true, &d->x));
    LW_TRY(yaml_int(map, "window", false, 2, INT32_MAX, &d->window));
    d->stride = d->window;
    LW_TRY(yaml_int(map, "stride", false, 1, INT32_MAX, &d->stride));
    LW_TRY(yaml_int(map, "horizon", false, 1, INT32_MAX, &d->horizon));
    LW_TRY(yaml_int(map, "first", false, 0, INT64_MAX, &d->first));
    LW_TRY(yaml_int(map, "last", false, 0, INT64_MAX, &d->last));
    LW_TRY(yaml_int(map, "train_rows", false, 0, INT64_MAX, &d->train_rows));
    if ((d->first > 0 || d->last > 0) && d->train_rows == 0)
        return yaml_fail(map,
            "a part of the rows (first, last) only with train_rows: the first rows of the file, whose "
            "mean and deviation normalise all parts");
    LW_TRY(names(r, map, "columns", "a column's name or number", &d->column, &d->n_columns));
    if (d->n_columns == 0) return yaml_fail(map, "a csv series with the list \"columns\"");
    return names(r, map, "targets", "a column's name or number", &d->target, &d->n_targets);
}

static lw_err csv_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place a;
    lw_series_spec s = {.path = beside(x, d->x, &a),
        .column = d->column,
        .n_columns = d->n_columns,
        .target = d->target,
        .n_targets = d->n_targets,
        .window = d->window,
        .stride = d->stride,
        .horizon = d->horizon,
        .first = d->first,
        .last = d->last,
        .train_rows = d->train_rows};
    return lw_dataset_csv(&s, out);
}

/* Events in bins: bin is in ms of the recording, whatever a step is in the network. */
static lw_err bins_keys(const yaml_tree_node *map, lw_data_spec *d) {
    LW_TRY(yaml_text(map, "path", true, &d->x));
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    LW_TRY(yaml_real(map, "bin", false, "ms", 1e-6, 1e9, &d->bin));
    LW_TRY(yaml_int(map, "pool", false, 1, 10000, &d->pool));
    LW_TRY(yaml_int(map, "classes", false, 2, 100000, &d->classes));
    LW_TRY(yaml_int(map, "limit", false, 0, INT64_MAX, &d->limit));
    LW_TRY(yaml_bool(map, "lengths", &d->lengths));
    return yaml_bool(map, "counts", &d->counts);
}

static lw_events_spec bins_spec(const lw_data_spec *d, const char *path) {
    return (lw_events_spec){.path = path,
        .steps = d->steps,
        .bin = d->bin,
        .channels = d->channels,
        .width = (int32_t)d->width,
        .height = (int32_t)d->height,
        .pool = d->pool,
        .classes = (int32_t)d->classes,
        .limit = d->limit,
        .counts = d->counts,
        .lengths = d->lengths};
}

static lw_err shd_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    (void)r;
    d->steps = 100;
    d->bin = 14;
    d->channels = 700;
    d->classes = 20;
    d->pool = 1;
    LW_TRY(yaml_int(map, "channels", false, 1, 1000000, &d->channels));
    return bins_keys(map, d);
}

static lw_err shd_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place a;
    lw_events_spec s = bins_spec(d, beside(x, d->x, &a));
    return lw_dataset_shd(&s, out);
}

static lw_err events_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    (void)r;
    d->steps = 60;
    d->bin = 5;
    d->width = d->height = 34;
    d->classes = 10;
    d->pool = 1;
    LW_TRY(yaml_int(map, "width", false, 1, 256, &d->width));
    LW_TRY(yaml_int(map, "height", false, 1, 256, &d->height));
    d->copies = 1;
    LW_TRY(yaml_text(map, "list", false, &d->labels));
    LW_TRY(yaml_int(map, "copies", false, 1, 1000000, &d->copies));
    LW_TRY(yaml_real(map, "turn", false, "", 0, 180, &d->turn));
    LW_TRY(yaml_real(map, "scale", false, "", 0, 0.99, &d->scale));
    LW_TRY(yaml_real(map, "shift", false, "", 0, 256, &d->shift));
    return bins_keys(map, d);
}

static lw_err events_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    place a, b;
    lw_events_spec s = bins_spec(d, beside(x, d->x, &a));
    s.list = d->labels ? beside(x, d->labels, &b) : NULL;
    s.copies = d->copies;
    s.turn = d->turn;
    s.scale = d->scale;
    s.shift = d->shift;
    s.seed = d->seed;
    return lw_dataset_events(&s, out);
}

static lw_err wav_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    (void)r;
    d->steps = 64;
    d->bands = 40;
    d->difference = 2;
    d->classes = 10;
    d->frame = 25;
    d->hop = 10;
    d->low = 60;
    d->high = 3900;
    LW_TRY(yaml_text(map, "path", true, &d->x));
    LW_TRY(yaml_text(map, "list", false, &d->labels));
    LW_TRY(yaml_int(map, "first", false, 0, INT64_MAX, &d->first));
    LW_TRY(yaml_int(map, "last", false, 0, INT64_MAX, &d->last));
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    LW_TRY(yaml_int(map, "bands", false, 1, 10000, &d->bands));
    LW_TRY(yaml_int(map, "difference", false, 0, 10000, &d->difference));
    LW_TRY(yaml_int(map, "classes", false, 2, 100000, &d->classes));
    LW_TRY(yaml_real(map, "frame", false, "ms", 1e-3, 1e6, &d->frame));
    LW_TRY(yaml_real(map, "hop", false, "ms", 1e-3, 1e6, &d->hop));
    LW_TRY(yaml_bool(map, "lengths", &d->lengths));
    LW_TRY(yaml_real(map, "low", false, "", 0, 1e9, &d->low));
    return yaml_real(map, "high", false, "", 0, 1e9, &d->high);
}

/* The names live as long as the places. */
static lw_wav_spec wav_spec(const lw_experiment *x, const lw_data_spec *d, place *folder, place *list) {
    return (lw_wav_spec){.path = beside(x, d->x, folder),
        .list = d->labels ? beside(x, d->labels, list) : NULL,
        .first = d->first,
        .last = d->last,
        .steps = d->steps,
        .bands = d->bands,
        .difference = d->difference,
        .frame = d->frame,
        .hop = d->hop,
        .low = d->low,
        .high = d->high,
        .classes = (int32_t)d->classes,
        .lengths = d->lengths};
}

/* A test set is normalised as the training set is. */
static lw_err wav_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    const lw_data_spec *t = &x->train_data;
    place at[4];
    bool other = d != t && t->present && !strcmp(t->format, "wav");
    lw_wav_spec s = wav_spec(x, d, &at[0], &at[1]), training = other ? wav_spec(x, t, &at[2], &at[3]) : s;
    return lw_dataset_wav(&s, other ? &training : NULL, out);
}

/* ------------------------------------------------------------------ generated */

static lw_err chaos_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    (void)r;
    d->samples = 100;
    d->steps = 1000;
    d->horizon = 1;
    d->dt = !strcmp(d->format, "lorenz63") ? 0.02 : !strcmp(d->format, "rossler") ? 0.1 : 1;
    LW_TRY(yaml_int(map, "samples", false, 1, INT32_MAX, &d->samples));
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    LW_TRY(yaml_int(map, "horizon", false, 1, INT32_MAX, &d->horizon));
    return yaml_real(map, "dt", false, "", 1e-6, 1e3, &d->dt);
}

static lw_err chaos_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    (void)x;
    return lw_dataset_chaos(d->format, d->samples, d->steps, d->dt, d->horizon, d->seed, out);
}

static lw_err yin_yang_keys(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    static const char *const encodes[] = {"latency", "current", NULL};
    int encode = 0;
    (void)r;
    d->samples = 5000;
    d->steps = 61;
    LW_TRY(yaml_int(map, "samples", false, 1, INT32_MAX, &d->samples));
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    LW_TRY(yaml_choice(map, "encode", false, encodes, &encode));
    d->encode = encodes[encode];
    return LW_OK;
}

static lw_err yin_yang_open(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    (void)x;
    return lw_dataset_yin_yang(d->samples, d->encode, d->steps, d->seed, out);
}

/* ------------------------------------------------------------------ the section */

static const data_format formats[] = {
    {"npy", {"x", "labels", "lengths", "classes", "clip_negative"}, npy_keys, npy_open},
    {"mnist", {"images", "labels", "encode", "steps", "limit", "seed"}, mnist_keys, mnist_open},
    {"cifar10", {"files", "encode", "limit"}, cifar_keys, cifar_open},
    {"csv", {"path", "columns", "targets", "window", "stride", "horizon", "first", "last", "train_rows"}, csv_keys,
        csv_open},
    {"shd", {"path", "steps", "bin", "channels", "pool", "classes", "counts", "lengths", "limit"}, shd_keys, shd_open},
    {"events",
        {"path", "list", "steps", "bin", "width", "height", "pool", "classes", "counts", "lengths", "limit", "copies",
            "turn", "scale", "shift", "seed"},
        events_keys, events_open},
    {"wav",
        {"path", "list", "first", "last", "steps", "bands", "difference", "classes", "frame", "hop", "low", "high",
            "lengths"},
        wav_keys, wav_open},
    {"lorenz63", {"samples", "steps", "dt", "horizon", "seed"}, chaos_keys, chaos_open},
    {"rossler", {"samples", "steps", "dt", "horizon", "seed"}, chaos_keys, chaos_open},
    {"mackey_glass", {"samples", "steps", "dt", "horizon", "seed"}, chaos_keys, chaos_open},
    {"yin_yang", {"samples", "steps", "encode", "seed"}, yin_yang_keys, yin_yang_open},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

/* `code`: one map such as {rate: {steps: 100}}, or a list of them. */
static lw_err code_read(const yaml_tree_node *node, const lw_data_spec *d, lw_code_spec *s) {
    static const char *const kinds[] = {"current", "rate", "latency", "delta", "population"};
    static const char *const keys[][6] = {{"steps"}, {"steps", "lo", "hi", "most", "seed"}, {"steps", "lo", "hi"},
        {"threshold"}, {"fields", "lo", "hi", "width"}};
    int kind = -1;
    if (node->kind == YAML_MAP && node->n == 1)
        for (int k = 0; k < 5; k++)
            if (!strcmp(node->child[0]->key, kinds[k])) kind = k;
    if (kind < 0)
        return yaml_fail(
            node, "one of current, rate, latency, delta, population with its settings, as {rate: {steps: 100}}");
    const yaml_tree_node *map = node->child[0];
    *s = (lw_code_spec){
        .kind = (lw_code_kind)kind, .lo = 0, .hi = 1, .most = 1, .threshold = 0.1, .width = 0.5, .fields = 8};
    s->seed = d->seed;
    if (map->kind == YAML_SCALAR && !*map->text) return LW_OK;
    int64_t fields = s->fields, seed = (int64_t)s->seed;
    LW_TRY(yaml_expect_map(map, keys[kind]));
    LW_TRY(yaml_int(map, "steps", false, 0, INT32_MAX, &s->steps));
    LW_TRY(yaml_real(map, "lo", false, "", -1e30, 1e30, &s->lo));
    LW_TRY(yaml_real(map, "hi", false, "", -1e30, 1e30, &s->hi));
    LW_TRY(yaml_real(map, "most", false, "", 1e-9, 1, &s->most));
    LW_TRY(yaml_real(map, "threshold", false, "", 1e-30, 1e30, &s->threshold));
    LW_TRY(yaml_real(map, "width", false, "", 1e-9, 1e9, &s->width));
    LW_TRY(yaml_int(map, "fields", false, 2, 100000, &fields));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    s->fields = (int32_t)fields;
    s->seed = (uint64_t)seed;
    return LW_OK;
}

static lw_err codes_read(reader *r, const yaml_tree_node *node, lw_data_spec *d) {
    if (!node) return LW_OK;
    int n = node->kind == YAML_LIST ? node->n : 1;
    lw_code_spec *code = yaml_tree_keep(r->tree, (size_t)n * sizeof *code + 8);
    if (!code) return LW_EMEM;
    for (int i = 0; i < n; i++)
        LW_TRY(code_read(node->kind == YAML_LIST ? node->child[i] : node, d, &code[i]));
    d->code = code;
    d->n_codes = n;
    return LW_OK;
}

/* The first draws of a generated set; those of data.test by default other ones than those of data.train. */
static lw_err data_set(reader *r, const yaml_tree_node *map, uint64_t shift, lw_data_spec *d) {
    const char *name[N_FORMATS + 1] = {NULL}, *keys[23] = {"format", "code"};
    int format = 0;
    for (int f = 0; f < N_FORMATS; f++)
        name[f] = formats[f].name;
    LW_TRY(yaml_expect_map(map, NULL));
    LW_TRY(yaml_choice(map, "format", true, name, &format));
    memcpy(keys + 2, formats[format].keys, sizeof formats[format].keys);
    LW_TRY(yaml_expect_map(map, keys));
    d->present = true;
    d->format = formats[format].name;
    LW_TRY(formats[format].read(r, map, d));
    bool generated = formats[format].read == chaos_keys || formats[format].read == yin_yang_keys;
    int64_t seed = (int64_t)(r->x->net.seed + (generated ? shift : 0));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    d->seed = (uint64_t)seed;
    return codes_read(r, yaml_get(map, "code"), d);
}

static bool is_permuted(const lw_data_spec *d) {
    return d->present && d->encode && !strcmp(d->encode, "permuted");
}

lw_err experiment_data(reader *r) {
    static const char *const keys[] = {"train", "test", "cache", NULL};
    const yaml_tree_node *data = yaml_get(r->root, "data"), *train, *test;
    const lw_data_spec *a = &r->x->train_data, *b = &r->x->test_data;
    if (!data) return LW_OK;
    LW_TRY(yaml_expect_map(data, keys));
    train = yaml_get(data, "train");
    test = yaml_get(data, "test");
    if (train) LW_TRY(data_set(r, train, 0, &r->x->train_data));
    if (test) LW_TRY(data_set(r, test, 1, &r->x->test_data));
    LW_TRY(reader_bytes(data, "cache", &r->x->train_data.cache));
    if (is_permuted(a) && is_permuted(b) && a->seed != b->seed)
        return yaml_fail(yaml_get(test, "seed") ? yaml_get(test, "seed") : test,
            "the seed of data.train: it makes the order of the pixels, which must be one for both");
    return LW_OK;
}

const char *experiment_beside(const lw_experiment *x, const char *path, char *buf, size_t size) {
    const char *slash = strrchr(x->file, '/');
    if (*path == '/' || !slash) return path;
    snprintf(buf, size, "%.*s/%s", (int)(slash - x->file), x->file, path);
    return buf;
}

lw_err lw_experiment_data(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    *out = (lw_batch_source){0};
    LW_CHECK(
        d->present, LW_EUSE, "%s: no such data set: found no section data.train or data.test for this stage", x->file);
    int f = 0;
    while (f < N_FORMATS && strcmp(d->format, formats[f].name) != 0)
        f++;
    LW_CHECK(f < N_FORMATS, LW_EUSE, "%s: no such data format: %s", x->file, d->format);
    lw_err err = formats[f].open(x, d, out);
    for (int c = 0; c < d->n_codes && err == LW_OK; c++)
        err = lw_dataset_code(&d->code[c], out);
    if (err == LW_OK && d->cache > 0) err = lw_dataset_cache(d->cache, out);
    if (err != LW_OK) lw_batch_source_destroy(out);
    return err;
}
