/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan_machine.c: the calibration of a machine as a small JSON file; every key names its unit.
 */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT = 1 };

lw_err plan_machine_path(const char *given, char *path, size_t size) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char host[LW_PLAN_NAME] = "unknown";
    if (given) {
        snprintf(path, size, "%s", given);
        return LW_OK;
    }
    LW_CHECK((cache && *cache) || (home && *home), LW_EUSE,
        "found neither XDG_CACHE_HOME nor HOME to keep the calibration in, allowed: --machine FILE");
    if (gethostname(host, sizeof host - 1) != 0) snprintf(host, sizeof host, "unknown");
    if (cache && *cache)
        snprintf(path, size, "%s/lapwing/machine-%s.json", cache, host);
    else
        snprintf(path, size, "%s/.cache/lapwing/machine-%s.json", home, host);
    return LW_OK;
}

static json_t *numbers(const double *x, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, json_real(x[i]));
    return list;
}

/* One number, with its name and place in the struct. */
typedef struct field {
    const char *key;
    size_t at;
} field;
#define FIELD(key, name)                                                                                               \
    { key, offsetof(lw_plan_machine, name) }
static const field single[] = {FIELD("base_bytes", base_bytes), FIELD("current_s", s_current),
    FIELD("noise_s", s_noise), FIELD("step_s", s_step), FIELD("spike_s", s_spike), FIELD("message_s", s_message),
    FIELD("byte_s", s_byte)};
static const struct {
    const char *key;
    size_t at;
    int n;
} list[] = {{"row_length", offsetof(lw_plan_machine, row_length), LW_PLAN_ROWS},
    {"set_bytes", offsetof(lw_plan_machine, set_bytes), LW_PLAN_SETS},
    {"event_one_weight_s", offsetof(lw_plan_machine, s_event[0]), LW_PLAN_SETS *LW_PLAN_ROWS},
    {"event_weights_s", offsetof(lw_plan_machine, s_event[1]), LW_PLAN_SETS *LW_PLAN_ROWS},
    {"poisson_mean", offsetof(lw_plan_machine, poisson_mean), LW_PLAN_MEANS},
    {"poisson_s", offsetof(lw_plan_machine, s_poisson), LW_PLAN_MEANS}};

static double *place(const lw_plan_machine *m, size_t at) {
    return (double *)(void *)((char *)m + at);
}

static json_t *machine_json(const lw_plan_machine *m) {
    json_t *o = json_pack("{s:i, s:s, s:s, s:i, s:b}", "format", FORMAT, "host", m->host, "cpu", m->cpu, "ranks",
        m->ranks, "messages_measured", (int)m->has_network);
    json_t *kernels = json_array();
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        json_object_set_new(o, single[i].key, json_real(*place(m, single[i].at)));
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        json_object_set_new(o, list[i].key, numbers(place(m, list[i].at), list[i].n));
    for (int i = 0; i < m->n_kernels; i++)
        json_array_append_new(
            kernels, json_pack("{s:s, s:s, s:s, s:f}", "name", m->kernel[i].name, "key", m->kernel[i].key, "precision",
                         m->kernel[i].precision == LW_F64 ? "double" : "float", "neuron_step_s", m->kernel[i].s_step));
    json_object_set_new(o, "models", kernels);
    return o;
}

lw_err plan_machine_save(const char *path, const lw_plan_machine *m) {
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = 0;
        LW_TRY(lw_directory_make(dir));
    }
    json_t *o = machine_json(m);
    char *text = json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
    json_decref(o);
    LW_CHECK(text, LW_EMEM, "no memory for the calibration");
    lw_err err = lw_text_save(path, text);
    free(text);
    return err;
}

static lw_err kernels_read(const char *path, const json_t *o, lw_plan_machine *m) {
    const json_t *kernels = json_object_get(o, "models");
    size_t n = json_array_size(kernels);
    LW_TRY(lw_alloc(n, sizeof *m->kernel, "a calibration", &m->kernel));
    for (size_t i = 0; i < n; i++) {
        const json_t *k = json_array_get(kernels, i);
        const char *name = json_string_value(json_object_get(k, "name"));
        const char *key = json_string_value(json_object_get(k, "key"));
        const char *precision = json_string_value(json_object_get(k, "precision"));
        LW_CHECK(name && key && precision && json_is_number(json_object_get(k, "neuron_step_s")), LW_EFILE,
            "%s: entry %zu of \"models\" is incomplete, allowed: name, key, precision, neuron_step_s", path, i);
        lw_plan_kernel *to = &m->kernel[m->n_kernels++];
        snprintf(to->name, sizeof to->name, "%s", name);
        snprintf(to->key, sizeof to->key, "%s", key);
        to->precision = strcmp(precision, "double") == 0 ? LW_F64 : LW_F32;
        to->s_step = json_number_value(json_object_get(k, "neuron_step_s"));
    }
    return LW_OK;
}

static lw_err machine_read(const char *path, const json_t *o, lw_plan_machine *m) {
    const char *host = json_string_value(json_object_get(o, "host")),
               *cpu = json_string_value(json_object_get(o, "cpu"));
    int format = (int)json_integer_value(json_object_get(o, "format"));
    LW_CHECK(format == FORMAT, LW_EFILE, "%s: found format %d, allowed: %d, written by lapwing plan --calibrate", path,
        format, FORMAT);
    snprintf(m->host, sizeof m->host, "%s", host ? host : "unknown");
    snprintf(m->cpu, sizeof m->cpu, "%s", cpu ? cpu : "unknown");
    m->ranks = (int)json_integer_value(json_object_get(o, "ranks"));
    m->has_network = json_is_true(json_object_get(o, "messages_measured"));
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        const json_t *x = json_object_get(o, single[i].key);
        LW_CHECK(json_is_number(x), LW_EFILE, "%s: found no number \"%s\"", path, single[i].key);
        *place(m, single[i].at) = json_number_value(x);
    }
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        const json_t *x = json_object_get(o, list[i].key);
        LW_CHECK(json_array_size(x) == (size_t)list[i].n, LW_EFILE, "%s: found %zu numbers in \"%s\", allowed: %d",
            path, json_array_size(x), list[i].key, list[i].n);
        for (int k = 0; k < list[i].n; k++)
            place(m, list[i].at)[k] = json_number_value(json_array_get(x, (size_t)k));
    }
    return kernels_read(path, o, m);
}

lw_err plan_machine_load(const char *path, lw_plan_machine *out, bool *found) {
    json_error_t error;
    *out = (lw_plan_machine){0};
    *found = access(path, F_OK) == 0;
    if (!*found) return LW_OK;
    json_t *o = json_load_file(path, 0, &error);
    LW_CHECK(o, LW_EFILE, "%s: line %d: %s", path, error.line, error.text);
    lw_err err = machine_read(path, o, out);
    json_decref(o);
    return err;
}
