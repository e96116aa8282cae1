/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network into a checkpoint: model texts; populations with parameters, initial state and origins by index;
 * projections with synapses sorted by (target, source, order). What is one number for all is saved as an array of
 * length 1.
 */
#include <math.h>
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

/* ---- populations */

/* One value that all ranks with neurons have. **Collective** */
static double common_value(const lw_comm *comm, const lw_pop_view *pop, int32_t param) {
    double x = pop->n_local > 0 ? pop->param[param][0] : -INFINITY;
    lw_comm_max_f64(comm, &x, 1);
    return x;
}

static lw_err param_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop, const char *group, int32_t i) {
    const lw_model_param *about = &pop->model->param[i];
    checkpoint_path path = checkpoint_at("%s/parameters/%s", group, about->name);
    checkpoint_path unit = checkpoint_unit(about->unit, about->scale);
    lw_h5_array array = {
        .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = pop->size, .unit = unit.text, .about = about->about};
    if (pop->uniform[i]) {
        double x = common_value(comm, pop, i);
        array.n = 1;
        LW_TRY(lw_h5_writer_array(w, &array, &x));
    } else {
        LW_TRY(checkpoint_neurons_save(w, comm, pop, &array, pop->param[i]));
    }
    return lw_h5_writer_i64(w, path.text, "learn", pop->learn[i] != 0);
}

static lw_err pop_save(lw_h5_writer *w, const lw_comm *comm, const lw_pop_view *pop) {
    checkpoint_path group = checkpoint_at("/network/populations/%s", checkpoint_name(pop->name).text);
    const lw_model *model = pop->model;
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_string(w, group.text, "model", model->name));
    LW_TRY(lw_h5_writer_i64(w, group.text, "size", pop->size));
    LW_TRY(lw_h5_writer_i64(w, group.text, "gid_begin", pop->gid_begin));
    LW_TRY(lw_h5_writer_group(w, checkpoint_at("%s/parameters", group.text).text));
    for (int32_t i = 0; i < model->n_param; i++)
        LW_TRY(param_save(w, comm, pop, group.text, i));
    LW_TRY(lw_h5_writer_group(w, checkpoint_at("%s/initial", group.text).text));
    for (int32_t i = 0; i < model->n_state; i++) {
        checkpoint_path path = checkpoint_at("%s/initial/%s", group.text, model->state[i].name);
        checkpoint_path unit = checkpoint_unit(model->state[i].unit, model->state[i].scale);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_DOUBLE,
            .n = pop->size,
            .unit = unit.text,
            .about = model->state[i].about};
        LW_TRY(checkpoint_neurons_save(w, comm, pop, &array, pop->init[i]));
    }
    checkpoint_path path = checkpoint_at("%s/origin", group.text);
    lw_h5_array origin = {.path = path.text,
        .type = H5T_NATIVE_INT64,
        .n = pop->size,
        .unit = "1",
        .about = "index of the neuron in the population that was first built"};
    return checkpoint_neurons_save(w, comm, pop, &origin, pop->origin);
}

static lw_err models_save(lw_h5_writer *w, const lw_net *net) {
    LW_TRY(lw_h5_writer_group(w, "/network/models"));
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        const lw_model *model = lw_net_pop(net, p).model;
        bool seen = false;
        for (int q = 0; q < p; q++)
            seen = seen || strcmp(lw_net_pop(net, q).model->name, model->name) == 0;
        if (seen) continue;
        checkpoint_path path = checkpoint_at("/network/models/%s", checkpoint_name(model->name).text);
        LW_TRY(lw_h5_writer_text(w, path.text, model->text, model->about));
    }
    return LW_OK;
}

/* ---- projections */

typedef struct synapse {
    double weight;
    uint32_t target, source;
    int32_t delay, order;
} synapse;

/* Delays and orders of the whole projection. */
typedef struct survey {
    int64_t delay_low, delay_high, order_high;
} survey;

static survey survey_take(const lw_comm *comm, const checkpoint_edges *e) {
    int64_t most[3] = {INT64_MIN, INT64_MIN, 0};
    for (int64_t i = 0; i < e->n; i++) {
        if (-(int64_t)e->edge[i].delay > most[0]) most[0] = -(int64_t)e->edge[i].delay;
        if (e->edge[i].delay > most[1]) most[1] = e->edge[i].delay;
        if (e->edge[i].order > most[2]) most[2] = e->edge[i].order;
    }
    lw_comm_max_i64(comm, most, 3);
    return (survey){.delay_low = -most[0], .delay_high = most[1], .order_high = most[2]};
}

/* This rank's slab of the synapses. **Collective** */
static lw_err synapses_gather(const lw_comm *comm, const checkpoint_edges *e, synapse **slab) {
    synapse *mine = NULL;
    lw_err err = lw_comm_agree(comm, lw_alloc((size_t)e->n, sizeof *mine, "synapses to save", &mine));
    for (int64_t i = 0; i < e->n && err == LW_OK; i++)
        mine[i] = (synapse){.weight = e->edge[i].weight,
            .target = (uint32_t)e->edge[i].target,
            .source = (uint32_t)e->edge[i].source,
            .delay = e->edge[i].delay,
            .order = e->edge[i].order};
    if (err == LW_OK) err = lw_slab_gather(comm, e->n_global, e->n, e->index, mine, sizeof *mine, (void **)slab);
    lw_free(mine);
    return err;
}

enum column { COLUMN_TARGET, COLUMN_SOURCE, COLUMN_WEIGHT_F32, COLUMN_WEIGHT_F64, COLUMN_DELAY, COLUMN_ORDER };

/* One member of the slab's records as an array of the file. column: scratch of 8 bytes per record. */
static lw_err column_save(
    lw_h5_writer *w, enum column which, const lw_h5_array *array, const synapse *slab, int64_t n, void *column) {
    for (int64_t i = 0; i < n; i++) {
        switch (which) {
        case COLUMN_TARGET:
            ((uint32_t *)column)[i] = slab[i].target;
            break;
        case COLUMN_SOURCE:
            ((uint32_t *)column)[i] = slab[i].source;
            break;
        case COLUMN_WEIGHT_F32:
            ((float *)column)[i] = (float)slab[i].weight;
            break;
        case COLUMN_WEIGHT_F64:
            ((double *)column)[i] = slab[i].weight;
            break;
        case COLUMN_DELAY:
            ((int32_t *)column)[i] = slab[i].delay;
            break;
        case COLUMN_ORDER:
            ((int32_t *)column)[i] = slab[i].order;
            break;
        }
    }
    return lw_h5_writer_array(w, array, column);
}

/* Weights carry the unit of the port they act on. */
static checkpoint_path port_unit(const lw_net *net, const lw_proj_view *view) {
    const lw_model_name *port = &lw_net_pop(net, view->post).model->input[view->port];
    return checkpoint_unit(port->unit, port->scale);
}

static lw_err synapses_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net, const lw_proj_view *view,
    const char *group, const checkpoint_edges *e) {
    survey s = survey_take(comm, e);
    lw_slab range = lw_slab_range(e->n_global, lw_comm_rank(comm), lw_comm_size(comm));
    int64_t n = range.hi - range.lo, all = e->n_global;
    bool wide = view->weight_type == LW_F64;
    checkpoint_path unit = port_unit(net, view);
    synapse *slab = NULL;
    void *column = NULL;
    checkpoint_path target = checkpoint_at("%s/target", group), source = checkpoint_at("%s/source", group);
    checkpoint_path weight = checkpoint_at("%s/weight", group), delay = checkpoint_at("%s/delay", group);
    checkpoint_path order = checkpoint_at("%s/order", group);
    LW_TRY(synapses_gather(comm, e, &slab));
    lw_err err = lw_comm_agree(comm, lw_alloc((size_t)n, 8, "synapses to save", &column));
    lw_h5_array a = {.path = target.text,
        .type = H5T_NATIVE_UINT32,
        .n = all,
        .unit = "1",
        .about = "index in the target population"};
    if (err == LW_OK) err = column_save(w, COLUMN_TARGET, &a, slab, n, column);
    a.path = source.text;
    a.about = "index in the source population";
    if (err == LW_OK) err = column_save(w, COLUMN_SOURCE, &a, slab, n, column);
    a = (lw_h5_array){.path = weight.text,
        .type = wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT,
        .n = all,
        .unit = unit.text,
        .about = "synaptic weight"};
    if (err == LW_OK && !view->weight_one)
        err = column_save(w, wide ? COLUMN_WEIGHT_F64 : COLUMN_WEIGHT_F32, &a, slab, n, column);
    a = (lw_h5_array){.path = delay.text, .type = H5T_NATIVE_INT32, .n = all, .unit = "1", .about = "delay in steps"};
    int32_t one = (int32_t)s.delay_low;
    if (err == LW_OK && s.delay_low != s.delay_high) err = column_save(w, COLUMN_DELAY, &a, slab, n, column);
    a.n = 1;
    if (err == LW_OK && s.delay_low == s.delay_high) err = lw_h5_writer_array(w, &a, &one);
    a = (lw_h5_array){.path = order.text,
        .type = H5T_NATIVE_INT32,
        .n = all,
        .unit = "1",
        .about = "number among the synapses of this pair"};
    if (err == LW_OK && s.order_high > 0) err = column_save(w, COLUMN_ORDER, &a, slab, n, column);
    lw_free(column);
    lw_free(slab);
    return err;
}

static lw_err proj_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net, int proj) {
    lw_proj_view view = lw_net_proj(net, proj);
    checkpoint_path group = checkpoint_at("/network/projections/%s", checkpoint_name(view.name).text);
    checkpoint_edges edges = {0};
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_string(w, group.text, "pre", lw_net_pop(net, view.pre).name));
    LW_TRY(lw_h5_writer_string(w, group.text, "post", lw_net_pop(net, view.post).name));
    LW_TRY(lw_h5_writer_string(w, group.text, "port", lw_net_pop(net, view.post).model->input[view.port].name));
    LW_TRY(lw_h5_writer_i64(w, group.text, "synapses", view.n_edges_global));
    LW_TRY(lw_h5_writer_i64(w, group.text, "learn", view.learn));
    if (view.weight_one) {
        checkpoint_path path = checkpoint_at("%s/weight", group.text), unit = port_unit(net, &view);
        lw_h5_array weight = {
            .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = 1, .unit = unit.text, .about = "synaptic weight"};
        LW_TRY(lw_h5_writer_array(w, &weight, &view.weight_value));
    }
    if (view.n_edges_global == 0) return LW_OK;
    LW_TRY(checkpoint_edges_find(net, proj, &edges));
    lw_err err = synapses_save(w, comm, net, &view, group.text, &edges);
    checkpoint_edges_free(&edges);
    return err;
}

lw_err checkpoint_net_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net) {
    LW_TRY(lw_h5_writer_group(w, "/network"));
    LW_TRY(lw_h5_writer_u64(w, "/network", "seed", lw_net_seed(net)));
    LW_TRY(lw_h5_writer_f64(w, "/network", "dt_ms", lw_net_dt(net)));
    LW_TRY(
        lw_h5_writer_string(w, "/network", "weight_type", lw_net_weight_type(net) == LW_F64 ? "float64" : "float32"));
    LW_TRY(lw_h5_writer_i64(w, "/network", "neurons", lw_net_n_global(net)));
    LW_TRY(lw_h5_writer_i64(w, "/network", "synapses", lw_net_n_edges_global(net)));
    LW_TRY(models_save(w, net));
    LW_TRY(lw_h5_writer_group(w, "/network/populations"));
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        LW_TRY(pop_save(w, comm, &pop));
    }
    LW_TRY(lw_h5_writer_group(w, "/network/projections"));
    for (int i = 0; i < lw_net_n_proj(net); i++)
        LW_TRY(proj_save(w, comm, net, i));
    return LW_OK;
}
