/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What is in a Lapwing HDF5 file, and is it whole: gathered into one JSON object, which is printed as it is or told in
 * lines for people. A file that is damaged is described as far as it can be read. Serial.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "checkpoint.h"

/* ---- gathering. What cannot be read is left out. */

static void put_i64(json_t *out, const char *key, const lw_h5_reader *r, const char *path, const char *name) {
    int64_t value = 0;
    if (lw_h5_reader_has_attribute(r, path, name) && lw_h5_reader_i64(r, path, name, &value) == LW_OK)
        json_object_set_new(out, key, json_integer(value));
}

static void put_f64(json_t *out, const char *key, const lw_h5_reader *r, const char *path, const char *name) {
    double value = 0;
    if (!lw_h5_reader_has_attribute(r, path, name) || lw_h5_reader_f64(r, path, name, &value) != LW_OK) return;
    json_t *number = json_real(value); /* NULL for infinities and NaN, which JSON has not */
    json_object_set_new(out, key, number ? number : json_null());
}

static void put_string(json_t *out, const char *key, const lw_h5_reader *r, const char *path, const char *name) {
    char *value = NULL;
    if (lw_h5_reader_has_attribute(r, path, name) && lw_h5_reader_string(r, path, name, &value) == LW_OK)
        json_object_set_new(out, key, json_string(value));
    lw_free(value);
}

/* Members of a group as an array of objects with their name; `describe` adds the rest. */
static json_t *members(
    const lw_h5_reader *r, const char *group, void (*describe)(json_t *out, const lw_h5_reader *r, const char *path)) {
    json_t *list = json_array();
    int64_t n = 0;
    if (lw_h5_reader_has(r, group) && lw_h5_reader_count(r, group, &n) != LW_OK) n = 0;
    for (int64_t i = 0; i < n; i++) {
        char *name = NULL;
        if (lw_h5_reader_member(r, group, i, &name) != LW_OK) continue;
        json_t *member = json_object();
        checkpoint_path path = checkpoint_at("%.400s/%.400s", strcmp(group, "/") == 0 ? "" : group, name);
        checkpoint_name_undo(name);
        json_object_set_new(member, "name", json_string(name));
        describe(member, r, path.text);
        json_array_append_new(list, member);
        lw_free(name);
    }
    return list;
}

static void describe_population(json_t *out, const lw_h5_reader *r, const char *path) {
    put_i64(out, "size", r, path, "size");
    put_string(out, "model", r, path, "model");
}

static void describe_projection(json_t *out, const lw_h5_reader *r, const char *path) {
    put_string(out, "pre", r, path, "pre");
    put_string(out, "post", r, path, "post");
    put_string(out, "port", r, path, "port");
    put_i64(out, "synapses", r, path, "synapses");
    put_i64(out, "learn", r, path, "learn");
}

static void put_items(json_t *out, const char *key, const lw_h5_reader *r, const char *path) {
    int64_t n = 0, row = 0;
    if (lw_h5_reader_has(r, path) && lw_h5_reader_shape(r, path, &n, &row) == LW_OK)
        json_object_set_new(out, key, json_integer(n));
}

static void describe_spikes(json_t *out, const lw_h5_reader *r, const char *path) {
    put_items(out, "spikes", r, checkpoint_at("%s/timestamps", path).text);
}

static void describe_rates(json_t *out, const lw_h5_reader *r, const char *path) {
    put_i64(out, "neurons", r, path, "neurons");
    put_items(out, "bins", r, checkpoint_at("%s/rate", path).text);
    put_f64(out, "every_ms", r, "/rates", "every_ms");
}

static void describe_report(json_t *out, const lw_h5_reader *r, const char *path) {
    checkpoint_path data = checkpoint_at("%s/data", path);
    put_string(out, "variable", r, data.text, "variable_name");
    put_string(out, "units", r, data.text, "units");
    put_items(out, "samples", r, data.text);
    put_items(out, "nodes", r, checkpoint_at("%s/mapping/node_ids", path).text);
}

static void describe_spectrum(json_t *out, const lw_h5_reader *r, const char *path) {
    double largest = 0;
    put_i64(out, "exponents", r, path, "k");
    put_i64(out, "dimension", r, path, "dimension");
    put_i64(out, "steps", r, path, "steps");
    put_f64(out, "kaplan_yorke", r, path, "kaplan_yorke");
    if (lw_h5_reader_array(r, checkpoint_at("%s/exponent", path).text, H5T_NATIVE_DOUBLE, 0, 1, &largest) == LW_OK) {
        json_t *number = json_real(largest);
        json_object_set_new(out, "lambda_max_per_ms", number ? number : json_null());
    }
}

static void gather_checkpoint(json_t *out, const lw_h5_reader *r) {
    put_i64(out, "step", r, "/", "step");
    json_t *experiment = json_object();
    put_string(experiment, "name", r, "/experiment", "name");
    put_string(experiment, "stage", r, "/experiment", "stage");
    put_i64(experiment, "stage_index", r, "/experiment", "stage_index");
    put_i64(experiment, "stage_done", r, "/experiment", "stage_done");
    json_object_set_new(out, "experiment", experiment);
    if (lw_h5_reader_has(r, "/network")) {
        json_t *network = json_object();
        put_i64(network, "neurons", r, "/network", "neurons");
        put_i64(network, "synapses", r, "/network", "synapses");
        put_f64(network, "dt_ms", r, "/network", "dt_ms");
        put_string(network, "weight_type", r, "/network", "weight_type");
        json_object_set_new(network, "populations", members(r, "/network/populations", describe_population));
        json_object_set_new(network, "projections", members(r, "/network/projections", describe_projection));
        json_object_set_new(out, "network", network);
    }
    if (lw_h5_reader_has(r, "/state")) {
        json_t *state = json_object();
        put_i64(state, "step", r, "/state", "step");
        put_i64(state, "spikes", r, "/state", "spikes");
        json_object_set_new(out, "state", state);
    }
    if (lw_h5_reader_has(r, "/training")) {
        json_t *training = json_object();
        put_i64(training, "epoch", r, "/training", "epoch");
        put_i64(training, "batch_in_epoch", r, "/training", "batch_in_epoch");
        put_i64(training, "updates", r, "/training", "updates");
        put_i64(training, "best_epoch", r, "/training", "best_epoch");
        put_f64(training, "best_score", r, "/training", "best_score");
        json_object_set_new(out, "training", training);
    }
}

static void gather_provenance(json_t *out, const lw_h5_reader *r) {
    if (!lw_h5_reader_has(r, "/provenance")) return;
    json_t *provenance = json_object();
    put_string(provenance, "time", r, "/provenance", "time");
    put_string(provenance, "command", r, "/provenance", "command");
    put_i64(provenance, "ranks", r, "/provenance", "ranks");
    put_string(provenance, "host", r, "/provenance", "host");
    put_string(provenance, "mpi", r, "/provenance", "mpi");
    put_string(provenance, "hdf5", r, "/provenance", "hdf5");
    json_object_set_new(out, "provenance", provenance);
}

/* Checkpoints have checksums; reports are whole when they were closed. */
static lw_err whole_check(const lw_h5_reader *r, bool checkpoint) {
    lw_h5_integrity table = {0};
    if (!checkpoint && lw_h5_reader_has_attribute(r, "/", "complete")) return LW_OK;
    LW_TRY(lw_h5_integrity_read(r, &table));
    lw_err err = lw_h5_integrity_check(r, &table, 0, 1);
    lw_h5_integrity_free(&table);
    return err;
}

static void gather(json_t *out, const lw_h5_reader *r, const char *format) {
    if (strcmp(format, CHECKPOINT_FORMAT) == 0) gather_checkpoint(out, r);
    if (strcmp(format, "lapwing-spikes") == 0)
        json_object_set_new(out, "populations", members(r, "/spikes", describe_spikes));
    if (strcmp(format, "lapwing-traces") == 0)
        json_object_set_new(out, "reports", members(r, "/report", describe_report));
    if (strcmp(format, "lapwing-rates") == 0) json_object_set_new(out, "rates", members(r, "/rates", describe_rates));
    if (strcmp(format, "lapwing-lyapunov") == 0)
        json_object_set_new(out, "spectra", members(r, "/", describe_spectrum));
    gather_provenance(out, r);
    lw_err_clear(); /* what could not be read was left out */
}

/* ---- telling */

typedef struct lines {
    char *text;
    size_t length, room;
    lw_err err;
} lines;

static void line(lines *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line(lines *l, const char *fmt, ...) {
    char one[2048];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(one, sizeof one, fmt, args);
    va_end(args);
    size_t n = strlen(one);
    if (l->err == LW_OK && l->length + n + 2 > l->room) {
        size_t room = 2 * l->room + n + 2;
        l->err = lw_grow(&l->text, l->room, room, 1, "a description");
        if (l->err == LW_OK) l->room = room;
    }
    if (l->err != LW_OK) return;
    memcpy(l->text + l->length, one, n);
    memcpy(l->text + l->length + n, "\n", 2);
    l->length += n + 1;
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "?";
}

static int64_t integer_of(const json_t *object, const char *key) {
    return json_integer_value(json_object_get(object, key));
}

static double real_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void tell_network(lines *l, const json_t *network) {
    size_t i = 0;
    const json_t *member = NULL;
    line(l, "network: %" PRId64 " neurons, %" PRId64 " synapses, dt %g ms, weights %s", integer_of(network, "neurons"),
        integer_of(network, "synapses"), real_of(network, "dt_ms"), text_of(network, "weight_type"));
    json_array_foreach(json_object_get(network, "populations"), i, member)
        line(l, "  population %s: %" PRId64 " neurons of %s", text_of(member, "name"), integer_of(member, "size"),
            text_of(member, "model"));
    json_array_foreach(json_object_get(network, "projections"), i, member)
        line(l, "  projection %s: %" PRId64 " synapses from %s to %s.%s%s", text_of(member, "name"),
            integer_of(member, "synapses"), text_of(member, "pre"), text_of(member, "post"), text_of(member, "port"),
            integer_of(member, "learn") ? ", learning" : "");
}

static void tell_lists(lines *l, const json_t *found) {
    size_t i = 0;
    const json_t *member = NULL;
    json_array_foreach(json_object_get(found, "populations"), i, member)
        line(l, "population %s: %" PRId64 " spikes", text_of(member, "name"), integer_of(member, "spikes"));
    json_array_foreach(json_object_get(found, "reports"), i, member)
        line(l, "report %s: %s (%s), %" PRId64 " samples of %" PRId64 " neurons", text_of(member, "name"),
            text_of(member, "variable"), text_of(member, "units"), integer_of(member, "samples"),
            integer_of(member, "nodes"));
    json_array_foreach(json_object_get(found, "rates"), i, member)
        line(l, "rates %s: %" PRId64 " bins of %g ms, %" PRId64 " neurons", text_of(member, "name"),
            integer_of(member, "bins"), real_of(member, "every_ms"), integer_of(member, "neurons"));
    json_array_foreach(json_object_get(found, "spectra"), i, member)
        line(l, "spectrum %s: %" PRId64 " exponents of %" PRId64 ", largest %g per ms, Kaplan-Yorke dimension %g",
            text_of(member, "name"), integer_of(member, "exponents"), integer_of(member, "dimension"),
            real_of(member, "lambda_max_per_ms"), real_of(member, "kaplan_yorke"));
}

static lw_err tell(const json_t *found, char **out) {
    lines l = {0};
    const json_t *experiment = json_object_get(found, "experiment"), *state = json_object_get(found, "state");
    const json_t *training = json_object_get(found, "training"), *provenance = json_object_get(found, "provenance");
    line(&l, "%s: %s, %" PRId64 " bytes", text_of(found, "path"), text_of(found, "format"), integer_of(found, "bytes"));
    if (json_is_true(json_object_get(found, "whole")))
        line(&l, "whole");
    else
        line(&l, "NOT whole: %s", text_of(found, "problem"));
    if (experiment)
        line(&l, "step %" PRId64 " of %s, stage %s (%s)", integer_of(found, "step"), text_of(experiment, "name"),
            text_of(experiment, "stage"), integer_of(experiment, "stage_done") ? "done" : "not finished");
    if (json_object_get(found, "network")) tell_network(&l, json_object_get(found, "network"));
    if (state)
        line(&l, "state of a simulation at step %" PRId64 ", %" PRId64 " spikes so far", integer_of(state, "step"),
            integer_of(state, "spikes"));
    if (training)
        line(&l,
            "state of a training: %" PRId64 " epochs and %" PRId64 " batches done, best score %g in epoch %" PRId64,
            integer_of(training, "epoch"), integer_of(training, "batch_in_epoch"), real_of(training, "best_score"),
            integer_of(training, "best_epoch"));
    tell_lists(&l, found);
    if (provenance)
        line(&l, "written %s on %s by %" PRId64 " ranks: %s", text_of(provenance, "time"), text_of(provenance, "host"),
            integer_of(provenance, "ranks"), text_of(provenance, "command"));
    if (l.length) l.text[l.length - 1] = '\0'; /* no end of line at the end */
    *out = l.text;
    return l.err;
}

static lw_err tell_json(const json_t *found, char **out) {
    char *text = json_dumps(found, JSON_INDENT(2));
    if (text) *out = lw_strdup(text);
    free(text);
    return *out ? LW_OK : LW_FAIL(LW_EMEM, "no memory for a description");
}

lw_err lw_inspect(const char *path, bool json, char **out) {
    lw_h5_reader *r = NULL;
    char *format = NULL;
    int32_t version[2] = {0};
    struct stat status;
    *out = NULL;
    LW_TRY(lw_h5_reader_open(path, &r));
    lw_err err = LW_OK;
    if (!lw_h5_reader_has_attribute(r, "/", "format_version"))
        err = LW_FAIL(LW_EFILE, "%s: an HDF5 file, but not one of Lapwing's (no attribute format_version)", path);
    if (err == LW_OK) err = lw_h5_reader_format(r, &format, version);
    if (err == LW_OK) {
        json_t *found = json_object();
        lw_err whole = whole_check(r, strcmp(format, CHECKPOINT_FORMAT) == 0);
        json_object_set_new(found, "path", json_string(path));
        json_object_set_new(found, "format", json_string(format));
        json_object_set_new(found, "format_version", json_pack("[ii]", version[0], version[1]));
        json_object_set_new(found, "bytes", json_integer(stat(path, &status) == 0 ? (json_int_t)status.st_size : -1));
        json_object_set_new(found, "whole", json_boolean(whole == LW_OK));
        json_object_set_new(found, "problem", whole == LW_OK ? json_null() : json_string(lw_err_message()));
        lw_err_clear();
        gather(found, r, format);
        err = json ? tell_json(found, out) : tell(found, out);
        if (err == LW_OK && whole != LW_OK) err = LW_FAIL(LW_EFILE, "%s", text_of(found, "problem"));
        json_decref(found);
    }
    lw_free(format);
    lw_h5_reader_close(&r);
    return err;
}
