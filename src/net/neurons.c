/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Parameters and initial state of the local neurons, drawn by gid or, for a network made from another, routed to the
 * new owners.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

static lw_err columns_create(int32_t n_columns, int64_t n, const char *what, double ***out) {
    LW_TRY(lw_alloc((size_t)n_columns, sizeof **out, what, out));
    for (int32_t i = 0; i < n_columns; i++)
        LW_TRY(lw_alloc((size_t)n, sizeof ***out, what, &(*out)[i]));
    return LW_OK;
}

/* An allocation that fails half way stays reachable from the view and is freed with the network. */
static lw_err arrays_create(lw_pop_view *pop) {
    double **param = NULL, **init = NULL;
    int64_t *origin = NULL;
    uint8_t *learn = NULL, *uniform = NULL;
    lw_err err = columns_create(pop->model->n_param, pop->n_local, "neuron parameters", &param);
    if (err == LW_OK) err = columns_create(pop->model->n_state, pop->n_local, "initial state", &init);
    if (err == LW_OK) err = lw_alloc((size_t)pop->n_local, sizeof *origin, "neuron origins", &origin);
    if (err == LW_OK) err = lw_alloc((size_t)pop->model->n_param, 1, "parameter flags", &learn);
    if (err == LW_OK) err = lw_alloc((size_t)pop->model->n_param, 1, "parameter flags", &uniform);
    pop->param = param;
    pop->init = init;
    pop->origin = origin;
    pop->learn = learn;
    pop->uniform = uniform;
    return err;
}

static lw_err param_draw(const lw_net *net, lw_pop_view *pop, const lw_population_spec *spec, int32_t i) {
    const lw_model_param *about = &pop->model->param[i];
    lw_dist d = spec->param ? spec->param[i] : lw_dist_number(about->value);
    for (int64_t k = 0; k < pop->n_local; k++) {
        int64_t gid = pop->gid[k];
        double x = lw_dist_value(&d, gid - pop->gid_begin, net->seed, LW_PURPOSE_PARAM, (uint64_t)gid, (uint64_t)i);
        pop->param[i][k] = x;
        if (d.kind == LW_DIST_CONSTANT && k > 0) continue; /* checked once */
        lw_err err = lw_model_param_check(pop->model, i, x);
        if (err == LW_OK) continue;
        lw_err_context("population \"%s\", neuron %lld", pop->name, (long long)(gid - pop->gid_begin));
        return err;
    }
    return LW_OK;
}

static lw_err init_draw(const lw_net *net, lw_pop_view *pop, const lw_population_spec *spec) {
    if (pop->n_local > 0) pop->model->init(pop->n_local, net->dt, (const double *const *)pop->param, pop->init);
    for (int32_t i = 0; i < pop->model->n_state; i++) {
        bool drawn = spec->has_init && spec->has_init[i];
        for (int64_t k = 0; k < pop->n_local; k++) {
            int64_t gid = pop->gid[k];
            if (drawn)
                pop->init[i][k] = lw_dist_value(
                    &spec->init[i], gid - pop->gid_begin, net->seed, LW_PURPOSE_INIT, (uint64_t)gid, (uint64_t)i);
            LW_CHECK(isfinite(pop->init[i][k]), LW_EUSE,
                "population \"%s\", neuron %lld: initial %s is %g; allowed: finite numbers", pop->name,
                (long long)(gid - pop->gid_begin), pop->model->state[i].name, pop->init[i][k]);
        }
    }
    return LW_OK;
}

static lw_err pop_draw(const lw_net *net, lw_pop_view *pop, const lw_population_spec *spec) {
    int64_t *origin = (int64_t *)pop->origin;
    for (int64_t k = 0; k < pop->n_local; k++)
        origin[k] = pop->gid[k] - pop->gid_begin;
    for (int32_t i = 0; i < pop->model->n_param; i++)
        LW_TRY(param_draw(net, pop, spec, i));
    return init_draw(net, pop, spec);
}

static void record_take(const lw_net *net, int32_t p, const double *record) {
    const lw_pop_view *pop = &net->pop[p];
    int32_t n_param = pop->model->n_param;
    int64_t k = net_local_number(net, p, (int64_t)record[0]);
    ((int64_t *)pop->origin)[k] = (int64_t)record[1];
    for (int32_t i = 0; i < n_param; i++)
        pop->param[i][k] = record[2 + i];
    for (int32_t i = 0; i < pop->model->n_state; i++)
        pop->init[i][k] = record[2 + n_param + i];
}

/* Records to the owners of their neurons. **Collective** */
static lw_err records_route(const lw_net *net, int32_t p, const double *records, int64_t n) {
    const lw_pop_view *pop = &net->pop[p];
    size_t width = 2 + (size_t)pop->model->n_param + (size_t)pop->model->n_state;
    double *arrived = NULL;
    int32_t *dest = NULL;
    uint8_t *seen = NULL;
    int64_t n_arrived = 0, n_seen = 0;
    lw_err err = lw_alloc((size_t)n, sizeof *dest, "owners of neurons", &dest);
    if (err == LW_OK) err = lw_alloc((size_t)pop->n_local, 1, "neurons seen", &seen);
    for (int64_t i = 0; i < n && err == LW_OK; i++) {
        double index = records[(size_t)i * width];
        if (index >= 0 && index < (double)pop->size)
            dest[i] = net_partition_owner(&net->partition, p, (int64_t)index);
        else
            err = LW_FAIL(LW_EFILE, "population \"%s\": neuron %g; allowed: 0 to %lld", pop->name, index,
                (long long)pop->size - 1);
    }
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    LW_TRY_TO(
        lw_comm_route(net->comm, n, dest, records, width * sizeof *records, (void **)&arrived, &n_arrived, NULL), done);
    for (int64_t i = 0; i < n_arrived; i++) {
        const double *record = arrived + (size_t)i * width;
        int64_t k = net_local_number(net, p, (int64_t)record[0]);
        n_seen += !seen[k];
        seen[k] = 1;
        record_take(net, p, record);
    }
    if (n_arrived != pop->n_local || n_seen != pop->n_local)
        err = LW_FAIL(LW_EFILE, "population \"%s\": %lld records of %lld neurons, expected one each of %lld", pop->name,
            (long long)n_arrived, (long long)n_seen, (long long)pop->n_local);
    err = lw_comm_agree(net->comm, err);
done:
    lw_free(arrived);
    lw_free(dest);
    lw_free(seen);
    return err;
}

/* **Collective** */
static lw_err pop_route(const lw_net *net, int32_t p, const net_given *given) {
    double *records = NULL;
    int64_t n = 0;
    lw_err err = lw_comm_agree(net->comm, given->neurons(given->payload, p, &records, &n));
    if (err == LW_OK) err = records_route(net, p, records, n);
    lw_free(records);
    return err;
}

/* A parameter is uniform when the network holds one value of it, however it came about: a network read from a list is
 * stored like the one that wrote it. range: [2 n_param] scratch. **Collective** */
static void uniform_find(const lw_net *net, const lw_pop_view *pop, double *range) {
    int32_t n = pop->model->n_param;
    for (int32_t i = 0; i < n; i++) {
        range[i] = range[n + i] = -INFINITY; /* largest value, largest negated value */
        for (int64_t k = 0; k < pop->n_local; k++) {
            range[i] = fmax(range[i], pop->param[i][k]);
            range[n + i] = fmax(range[n + i], -pop->param[i][k]);
        }
    }
    lw_comm_max_f64(net->comm, range, 2 * (int64_t)n);
    for (int32_t i = 0; i < n; i++)
        ((uint8_t *)pop->uniform)[i] = !pop->learn[i] && range[i] == -range[n + i];
}

lw_err net_neurons(lw_net *net, const lw_net_spec *spec, const net_given *given) {
    lw_err err = LW_OK;
    int32_t most = 0;
    double *range = NULL;
    for (int32_t p = 0; p < net->n_pop && err == LW_OK; p++) {
        err = arrays_create(&net->pop[p]);
        if (err == LW_OK && spec->pop[p].learn)
            memcpy((uint8_t *)net->pop[p].learn, spec->pop[p].learn, (size_t)net->pop[p].model->n_param);
        if (err == LW_OK && !given) err = pop_draw(net, &net->pop[p], &spec->pop[p]);
        if (net->pop[p].model->n_param > most) most = net->pop[p].model->n_param;
    }
    if (err == LW_OK) err = lw_alloc(2 * (size_t)most, sizeof *range, "parameter ranges", &range);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    for (int32_t p = 0; p < net->n_pop && given; p++)
        LW_TRY_TO(pop_route(net, p, given), done);
    for (int32_t p = 0; p < net->n_pop; p++) {
        uniform_find(net, &net->pop[p], range);
        net_positions_find(net, p);
    }
done:
    lw_free(range);
    return err;
}

lw_err lw_net_neurons_put(lw_net *net, int pop, const double *records, int64_t n) {
    LW_ASSERT(pop >= 0 && pop < net->n_pop);
    double *range = NULL;
    LW_TRY(records_route(net, pop, records, n));
    net_positions_find(net, pop);
    lw_err err = lw_alloc(2 * (size_t)net->pop[pop].model->n_param, sizeof *range, "parameter ranges", &range);
    err = lw_comm_agree(net->comm, err);
    if (err == LW_OK) uniform_find(net, &net->pop[pop], range);
    lw_free(range);
    return err;
}
