/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Compiled models: look-up by name, and domains of parameters. The list of built-in models is written at build time by
 * lapwing-modelc.
 */
#include <lapwing/model.h>
#include "catalogue.h"
#include <math.h>
#include <string.h>

int lw_model_builtin_count(void) {
    int n = 0;
    while (lw_builtin_models[n])
        n++;
    return n;
}

const lw_model *lw_model_builtin_at(int i) {
    return i >= 0 && i < lw_model_builtin_count() ? lw_builtin_models[i] : NULL;
}

const lw_model *lw_model_builtin(const char *name) {
    for (int i = 0; lw_builtin_models[i]; i++)
        if (strcmp(lw_builtin_models[i]->name, name) == 0) return lw_builtin_models[i];
    return NULL;
}

static int name_find(const lw_model_name *list, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return i;
    return -1;
}

int lw_model_param_find(const lw_model *model, const char *name) {
    for (int i = 0; i < model->n_param; i++)
        if (strcmp(model->param[i].name, name) == 0) return i;
    return -1;
}

int lw_model_state_find(const lw_model *model, const char *name) {
    return name_find(model->state, model->n_state, name);
}
int lw_model_input_find(const lw_model *model, const char *name) {
    return name_find(model->input, model->n_input, name);
}

static lw_err domain_check(const char *kind, const char *model, const lw_model_param *p, double value) {
    bool low = p->lo_open ? !(value > p->lo) : !(value >= p->lo);
    bool high = p->hi_open ? !(value < p->hi) : !(value <= p->hi);
    LW_CHECK(!low && !high && isfinite(value), LW_EUSE, "parameter %s of %s %s is %g %s, allowed is %c%g, %g%c %s",
        p->name, kind, model, value / p->scale, p->unit, p->lo_open || isinf(p->lo) ? '(' : '[', p->lo / p->scale,
        p->hi / p->scale, p->hi_open || isinf(p->hi) ? ')' : ']', p->unit);
    return LW_OK;
}

lw_err lw_model_param_check(const lw_model *model, int param, double value) {
    LW_CHECK(param >= 0 && param < model->n_param, LW_EUSE, "model %s has %d parameters, number %d was asked for",
        model->name, model->n_param, param);
    return domain_check("model", model->name, &model->param[param], value);
}

int lw_synapse_builtin_count(void) {
    int n = 0;
    while (lw_builtin_synapses[n])
        n++;
    return n;
}

const lw_synapse_model *lw_synapse_builtin_at(int i) {
    return i >= 0 && i < lw_synapse_builtin_count() ? lw_builtin_synapses[i] : NULL;
}

const lw_synapse_model *lw_synapse_builtin(const char *name) {
    for (int i = 0; lw_builtin_synapses[i]; i++)
        if (strcmp(lw_builtin_synapses[i]->name, name) == 0) return lw_builtin_synapses[i];
    return NULL;
}

int lw_synapse_param_find(const lw_synapse_model *model, const char *name) {
    for (int i = 0; i < model->n_param; i++)
        if (strcmp(model->param[i].name, name) == 0) return i;
    return -1;
}

lw_err lw_synapse_param_check(const lw_synapse_model *model, int param, double value) {
    LW_CHECK(param >= 0 && param < model->n_param, LW_EUSE, "synapse %s has %d parameters, number %d was asked for",
        model->name, model->n_param, param);
    return domain_check("synapse", model->name, &model->param[param], value);
}

/* just inside an open bound: far enough to stay inside when rounded to float */
static double inside(double bound, double towards) {
    double step = fmax(fabs(bound) * 1e-6, isfinite(towards) ? fmin(1e-6, fabs(towards - bound) * 0.25) : 1e-6);
    return towards > bound ? bound + step : bound - step;
}

double lw_model_param_clamp(const lw_model *model, int param, double value) {
    const lw_model_param *p = &model->param[param];
    double lo = p->lo_open && isfinite(p->lo) ? inside(p->lo, p->hi) : p->lo;
    double hi = p->hi_open && isfinite(p->hi) ? inside(p->hi, p->lo) : p->hi;
    if (!(value >= lo)) value = lo; /* not a number goes to the lower bound too */
    if (value > hi) value = hi;
    return isfinite(value) ? value : p->value;
}
