/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_inputs.c: the section `data`, and the opening of data sets.
 */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static lw_err data_set(reader *r, const yaml_tree_node *map, lw_data_spec *d) {
    static const char *const keys[] = {"format", "x", "labels", "images", "path", "classes", "clip_negative", "encode",
        "steps", "limit", "samples", "columns", "window", "stride", "horizon", "first", "last", "train_rows", "dt",
        "seed", NULL};
    static const char *const formats[] = {"npy", "mnist", "csv", "lorenz63", "rossler", NULL};
    static const char *const encodes[] = {"rows", "pixels", "permuted", "rate", "latency", NULL};
    int format = 0, encode = 0;
    int64_t seed = (int64_t)r->x->net.seed;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_choice(map, "format", true, formats, &format));
    LW_TRY(yaml_choice(map, "encode", false, encodes, &encode));
    d->present = true;
    d->format = formats[format];
    d->encode = encodes[encode];
    bool files = format <= 1;
    LW_TRY(yaml_text(map, format == 2 ? "path" : format == 1 ? "images" : "x", format <= 2, &d->x));
    LW_TRY(yaml_text(map, "labels", files, &d->labels));
    d->steps = format == 1 ? 28 : 1000;
    d->samples = 100;
    d->window = 200;
    d->stride = d->window;
    d->horizon = 1;
    d->dt = format == 3 ? 0.02 : 0.1;
    LW_TRY(yaml_int(map, "classes", format == 0, 0, 100000, &d->classes));
    if (format == 0 && d->classes == 1)
        return yaml_fail(yaml_get(map, "classes"), "0 (the labels are targets) or an integer from 2 to 100000");
    LW_TRY(yaml_bool(map, "clip_negative", &d->clip_negative));
    LW_TRY(yaml_int(map, "steps", false, 1, INT32_MAX, &d->steps));
    LW_TRY(yaml_int(map, "limit", false, 0, INT64_MAX, &d->limit));
    LW_TRY(yaml_int(map, "samples", false, 1, INT32_MAX, &d->samples));
    LW_TRY(yaml_int(map, "window", false, 2, INT32_MAX, &d->window));
    d->stride = d->window;
    LW_TRY(yaml_int(map, "stride", false, 1, INT32_MAX, &d->stride));
    LW_TRY(yaml_int(map, "horizon", false, 1, INT32_MAX, &d->horizon));
    LW_TRY(yaml_int(map, "first", false, 0, INT64_MAX, &d->first));
    LW_TRY(yaml_int(map, "last", false, 0, INT64_MAX, &d->last));
    LW_TRY(yaml_int(map, "train_rows", false, 0, INT64_MAX, &d->train_rows));
    LW_TRY(yaml_real(map, "dt", false, "", 1e-6, 1e3, &d->dt));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    d->seed = (uint64_t)seed;
    const yaml_tree_node *columns = yaml_get(map, "columns");
    if (format == 2 && !columns) return yaml_fail(map, "a csv series with the list \"columns\"");
    if (!columns) return LW_OK;
    LW_TRY(yaml_expect_list(columns));
    const char **names = yaml_tree_keep(r->tree, (size_t)columns->n * sizeof *names + 8);
    if (!names) return LW_EMEM;
    for (int i = 0; i < columns->n; i++) {
        if (columns->child[i]->kind != YAML_SCALAR) return yaml_fail(columns->child[i], "a column's name or number");
        names[i] = columns->child[i]->text;
    }
    d->column = names;
    d->n_columns = columns->n;
    return LW_OK;
}

lw_err experiment_inputs(reader *r) {
    static const char *const keys[] = {"train", "test", NULL};
    const yaml_tree_node *data = yaml_get(r->root, "data");
    if (!data) return LW_OK;
    LW_TRY(yaml_expect_map(data, keys));
    if (yaml_get(data, "train")) LW_TRY(data_set(r, yaml_get(data, "train"), &r->x->train_data));
    if (yaml_get(data, "test")) LW_TRY(data_set(r, yaml_get(data, "test"), &r->x->test_data));
    return LW_OK;
}

const char *experiment_beside(const lw_experiment *x, const char *path, char *buf, size_t size) {
    const char *slash = strrchr(x->file, '/');
    if (*path == '/' || !slash) return path;
    snprintf(buf, size, "%.*s/%s", (int)(slash - x->file), x->file, path);
    return buf;
}

lw_err lw_experiment_data(const lw_experiment *x, const lw_data_spec *d, lw_batch_source *out) {
    char a[4096], b[4096];
    memset(out, 0, sizeof *out);
    LW_CHECK(
        d->present, LW_EUSE, "%s: no such data set: found no section data.train or data.test for this stage", x->file);
    if (!strcmp(d->format, "npy"))
        return lw_dataset_npy(experiment_beside(x, d->x, a, sizeof a), experiment_beside(x, d->labels, b, sizeof b),
            (int32_t)d->classes, d->clip_negative, out);
    if (!strcmp(d->format, "mnist"))
        return lw_dataset_mnist(experiment_beside(x, d->x, a, sizeof a), experiment_beside(x, d->labels, b, sizeof b),
            d->encode, d->steps, d->seed, d->limit, out);
    if (!strcmp(d->format, "csv")) {
        lw_series_spec s = {.path = experiment_beside(x, d->x, a, sizeof a),
            .column = d->column,
            .n_columns = d->n_columns,
            .window = d->window,
            .stride = d->stride,
            .horizon = d->horizon,
            .first = d->first,
            .last = d->last,
            .train_rows = d->train_rows};
        return lw_dataset_csv(&s, out);
    }
    return lw_dataset_chaos(d->format, d->samples, d->steps, d->dt, d->horizon, d->seed, out);
}
