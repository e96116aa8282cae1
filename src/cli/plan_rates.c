/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan_rates.c: firing rates for a plan, which knows no activity: a number for all, numbers by population, or those of
 * a former run.
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ASSUMED = 5; /* Hz */

static int population(const lw_net_spec *spec, const char *name, size_t n) {
    for (int p = 0; p < spec->n_pop; p++)
        if (strlen(spec->pop[p].name) == n && strncmp(spec->pop[p].name, name, n) == 0) return p;
    return -1;
}

static lw_err from_summary(const char *path, const lw_net_spec *spec, double *rate) {
    json_error_t error;
    json_t *o = json_load_file(path, 0, &error);
    LW_CHECK(o, LW_EFILE, "%s: line %d: %s", path, error.line, error.text);
    const json_t *rates = json_object_get(o, "rate_hz");
    lw_err err = LW_OK;
    for (int p = 0; p < spec->n_pop && err == LW_OK; p++) {
        const json_t *x = json_object_get(rates, spec->pop[p].name);
        if (json_is_number(x))
            rate[p] = json_number_value(x);
        else if (spec->pop[p].model->emits_spikes)
            err = LW_FAIL(LW_EFILE, "%s: found no rate_hz of population \"%s\"", path, spec->pop[p].name);
    }
    json_decref(o);
    return err;
}

static lw_err number(const char *text, size_t n, double *out) {
    char copy[64], *end = copy;
    snprintf(copy, sizeof copy, "%.*s", (int)(n < 63 ? n : 63), text);
    *out = strtod(copy, &end);
    LW_CHECK(n > 0 && !*end && *out >= 0 && *out <= 1e6, LW_EUSE,
        "--rates: found \"%s\", allowed: a rate in Hz from 0 to 1e6", copy);
    return LW_OK;
}

lw_err plan_rates(const char *text, const lw_net_spec *spec, double *rate, char *said, size_t size) {
    for (int p = 0; p < spec->n_pop; p++)
        rate[p] = spec->pop[p].model->emits_spikes ? ASSUMED : 0;
    if (!text) {
        snprintf(said, size, "%g Hz assumed (give --rates)", ASSUMED);
        return LW_OK;
    }
    snprintf(said, size, "%s", text);
    size_t length = strlen(text);
    if (length > 5 && !strcmp(text + length - 5, ".json")) return from_summary(text, spec, rate);
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, ","), name = strcspn(at, "=,");
        double x = 0;
        if (name == n) {
            LW_TRY(number(at, n, &x));
            for (int p = 0; p < spec->n_pop; p++)
                rate[p] = spec->pop[p].model->emits_spikes ? x : 0;
        } else {
            int p = population(spec, at, name);
            LW_CHECK(p >= 0, LW_EUSE, "--rates: found the population \"%.*s\", allowed: one of the experiment's",
                (int)name, at);
            LW_TRY(number(at + name + 1, n - name - 1, &x));
            rate[p] = x;
        }
        at += n + (at[n] == ',');
    }
    return LW_OK;
}
