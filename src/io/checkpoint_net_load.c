/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network out of a checkpoint, on any number of ranks: every rank reads its slab of the synapses and hands them to
 * the network's builder as given edges; parameters, initial state and origins follow to their owners. The builder
 * decides the storage from the synapses alone, so the network is stored as the one that was saved.
 */
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

/* What the specification points to, while it is used. */
typedef struct load {
    const lw_h5_reader *r;
    int rank, size;
    lw_net_spec spec;
    lw_population_spec *pop;
    lw_projection_spec *proj;
    double **places; /* [n_pop] listed positions */
    char **pop_name, **proj_name;
} load;

static void load_free(load *l) {
    for (int32_t p = 0; p < l->spec.n_pop && l->pop; p++) {
        lw_free((void *)l->pop[p].learn);
        lw_free(l->places[p]);
        lw_free(l->pop_name[p]);
    }
    for (int32_t i = 0; i < l->spec.n_proj && l->proj; i++) {
        lw_free((void *)l->proj[i].edges);
        lw_free((void *)l->proj[i].synapse_param);
        lw_free(l->proj_name[i]);
    }
    lw_free(l->pop);
    lw_free(l->places);
    lw_free(l->proj);
    lw_free(l->pop_name);
    lw_free(l->proj_name);
}

/* ---- populations; local */

/* The built-in model when its text is the saved one; else the saved text is compiled, so that a file outlives changes
 * of the built-ins and carries its user's models with it. */
static lw_err model_find(const load *l, const char *group, const lw_model **out) {
    char *name = NULL, *text = NULL;
    lw_model_source *source = NULL;
    LW_TRY(lw_h5_reader_string(l->r, group, "model", &name));
    lw_err err = lw_h5_reader_text(l->r, checkpoint_at("/network/models/%s", checkpoint_name(name).text).text, &text);
    *out = lw_model_builtin(name);
    if (err == LW_OK && (!*out || strcmp(text, (*out)->text) != 0)) {
        err = lw_model_parse(name, text, &source);
        if (err == LW_OK) err = lw_model_load(source, NULL, out);
        if (err != LW_OK) lw_err_context("%s: model %s", lw_h5_reader_path(l->r), name);
    }
    lw_model_source_destroy(&source);
    lw_free(text);
    lw_free(name);
    return err;
}

static lw_err pop_read(load *l, int32_t p) {
    char *link = NULL;
    int64_t learn = 0;
    uint8_t *flags = NULL;
    lw_population_spec *pop = &l->pop[p];
    LW_TRY(lw_h5_reader_member(l->r, "/network/populations", p, &link));
    checkpoint_path group = checkpoint_at("/network/populations/%s", link);
    checkpoint_name_undo(link);
    pop->name = l->pop_name[p] = link;
    LW_TRY(model_find(l, group.text, &pop->model));
    LW_TRY(lw_h5_reader_i64(l->r, group.text, "size", &pop->size));
    LW_TRY(lw_alloc((size_t)pop->model->n_param, 1, "flags", &flags));
    pop->learn = flags;
    for (int32_t i = 0; i < pop->model->n_param; i++) {
        checkpoint_path path = checkpoint_at("%s/parameters/%s", group.text, pop->model->param[i].name);
        LW_TRY(lw_h5_reader_i64(l->r, path.text, "learn", &learn));
        flags[i] = learn != 0;
    }
    return checkpoint_layout_load(l->r, group.text, pop->size, &pop->layout, &l->places[p]);
}

/* ---- projections; local */

static lw_err pop_named(const load *l, const char *group, const char *attribute, int32_t *out) {
    char *name = NULL;
    LW_TRY(lw_h5_reader_string(l->r, group, attribute, &name));
    *out = -1;
    for (int32_t p = 0; p < l->spec.n_pop; p++)
        if (strcmp(l->pop[p].name, name) == 0) *out = p;
    lw_err err = *out >= 0 ? LW_OK
                           : LW_FAIL(LW_EFILE, "%s: %s names population %s, which is not there",
                                 lw_h5_reader_path(l->r), group, name);
    lw_free(name);
    return err;
}

/* `column` of this rank's slab; an array of length 1 counts for all. */
static lw_err column_read(const load *l, const char *group, const char *name, int64_t all, hid_t type, size_t size,
    lw_slab slab, void *column) {
    checkpoint_path path = checkpoint_at("%s/%s", group, name);
    int64_t n = 0, row = 0;
    LW_TRY(lw_h5_reader_shape(l->r, path.text, &n, &row));
    if (n != 1 || all == 1) {
        LW_TRY(checkpoint_shape_check(l->r, path.text, all, 1));
        return lw_h5_reader_array(l->r, path.text, type, slab.lo, slab.hi - slab.lo, column);
    }
    char one[8];
    LW_TRY(lw_h5_reader_array(l->r, path.text, type, 0, 1, one));
    for (int64_t i = 0; i < slab.hi - slab.lo; i++)
        memcpy((char *)column + (size_t)i * size, one, size);
    return LW_OK;
}

static lw_err edges_read(const load *l, const char *group, int64_t all, lw_slab slab, lw_edge *edge, void *column) {
    int64_t n = slab.hi - slab.lo;
    const int64_t *index = column;
    const double *weight = column;
    const int32_t *number = column;
    LW_TRY(column_read(l, group, "target", all, H5T_NATIVE_INT64, 8, slab, column));
    for (int64_t i = 0; i < n; i++)
        edge[i].target = index[i];
    LW_TRY(column_read(l, group, "source", all, H5T_NATIVE_INT64, 8, slab, column));
    for (int64_t i = 0; i < n; i++)
        edge[i].source = index[i];
    LW_TRY(column_read(l, group, "weight", all, H5T_NATIVE_DOUBLE, 8, slab, column));
    for (int64_t i = 0; i < n; i++)
        edge[i].weight = weight[i];
    LW_TRY(column_read(l, group, "delay", all, H5T_NATIVE_INT32, 4, slab, column));
    for (int64_t i = 0; i < n; i++)
        edge[i].delay = number[i];
    if (lw_h5_reader_has(l->r, checkpoint_at("%s/lag", group).text)) {
        const float *lag = column;
        LW_TRY(column_read(l, group, "lag", all, H5T_NATIVE_FLOAT, 4, slab, column));
        for (int64_t i = 0; i < n; i++)
            edge[i].lag = lag[i];
    }
    if (!lw_h5_reader_has(l->r, checkpoint_at("%s/order", group).text)) return LW_OK;
    LW_TRY(column_read(l, group, "order", all, H5T_NATIVE_INT32, 4, slab, column));
    for (int64_t i = 0; i < n; i++)
        edge[i].order = number[i];
    return LW_OK;
}

/* A projection without synapses keeps the number that all its weights had. */
static lw_err empty_read(const load *l, const char *group, lw_projection_spec *proj) {
    checkpoint_path path = checkpoint_at("%s/weight", group);
    double weight = 0;
    if (lw_h5_reader_has(l->r, path.text))
        LW_TRY(lw_h5_reader_array(l->r, path.text, H5T_NATIVE_DOUBLE, 0, 1, &weight));
    proj->weight = lw_dist_number(weight);
    return LW_OK;
}

static lw_err port_find(const load *l, const char *group, lw_projection_spec *proj) {
    char *port = NULL;
    LW_TRY(lw_h5_reader_string(l->r, group, "port", &port));
    const lw_model *model = l->pop[proj->post].model;
    proj->port = lw_model_input_find(model, port);
    lw_err err = proj->port >= 0 ? LW_OK
                                 : LW_FAIL(LW_EFILE, "%s: %s wants port %s, model %s has none of that name",
                                       lw_h5_reader_path(l->r), group, port, model->name);
    lw_free(port);
    return err;
}

/* As model_find. */
static lw_err synapse_find(const load *l, const char *group, lw_projection_spec *proj) {
    char *name = NULL, *text = NULL;
    int64_t in_axon = 0;
    double *param = NULL;
    lw_model_source *source = NULL;
    checkpoint_path path = checkpoint_at("%s/synapse_model", group);
    if (!lw_h5_reader_has(l->r, path.text)) return LW_OK;
    LW_TRY(lw_h5_reader_string(l->r, group, "synapse", &name));
    lw_err err = lw_h5_reader_text(l->r, path.text, &text);
    if (err == LW_OK) err = lw_h5_reader_i64(l->r, group, "delay_in_axon", &in_axon);
    const lw_synapse_model *model = lw_synapse_builtin(name);
    if (err == LW_OK && (!model || strcmp(text, model->text) != 0)) {
        err = lw_model_parse(name, text, &source);
        if (err == LW_OK) err = lw_synapse_load(source, NULL, &model);
        if (err != LW_OK) lw_err_context("%s: synapse model %s", lw_h5_reader_path(l->r), name);
    }
    if (err == LW_OK) err = lw_alloc((size_t)model->n_param, sizeof *param, "parameters of synapses", &param);
    path = checkpoint_at("%s/synapse_parameters", group);
    if (err == LW_OK && model->n_param > 0) err = checkpoint_shape_check(l->r, path.text, model->n_param, 1);
    if (err == LW_OK && model->n_param > 0)
        err = lw_h5_reader_array(l->r, path.text, H5T_NATIVE_DOUBLE, 0, model->n_param, param);
    proj->synapse = model;
    proj->synapse_param = param;
    proj->delay_in_axon = in_axon != 0;
    lw_model_source_destroy(&source);
    lw_free(text);
    lw_free(name);
    return err;
}

/* Of synapses that share weights. */
static lw_err window_read(const load *l, const char *group, lw_window *w) {
    int32_t side[CHECKPOINT_WINDOW];
    checkpoint_path path = checkpoint_at("%s/window", group);
    if (!lw_h5_reader_has(l->r, path.text)) return LW_OK;
    LW_TRY(checkpoint_shape_check(l->r, path.text, CHECKPOINT_WINDOW, 1));
    LW_TRY(lw_h5_reader_array(l->r, path.text, H5T_NATIVE_INT32, 0, CHECKPOINT_WINDOW, side));
    memcpy(w->in, side, sizeof w->in);
    memcpy(w->out, side + 3, sizeof w->out);
    memcpy(w->kernel, side + 6, sizeof w->kernel);
    memcpy(w->stride, side + 8, sizeof w->stride);
    memcpy(w->padding, side + 10, sizeof w->padding);
    w->same_channel = side[12] != 0;
    w->shared = true;
    path = checkpoint_at("%s/window_dilation", group);
    if (!lw_h5_reader_has(l->r, path.text)) return LW_OK;
    LW_TRY(checkpoint_shape_check(l->r, path.text, 2, 1));
    return lw_h5_reader_array(l->r, path.text, H5T_NATIVE_INT32, 0, 2, w->dilation);
}

static lw_err proj_read(load *l, int32_t i) {
    char *link = NULL;
    int64_t all = 0, learn = 0;
    lw_edge *edge = NULL;
    void *column = NULL;
    lw_projection_spec *proj = &l->proj[i];
    LW_TRY(lw_h5_reader_member(l->r, "/network/projections", i, &link));
    checkpoint_path group = checkpoint_at("/network/projections/%s", link);
    checkpoint_name_undo(link);
    proj->name = l->proj_name[i] = link;
    proj->rule = LW_RULE_EDGES;
    proj->autapses = proj->multapses = true;
    proj->weight = proj->delay = lw_dist_number(0);
    LW_TRY(pop_named(l, group.text, "pre", &proj->pre));
    LW_TRY(pop_named(l, group.text, "post", &proj->post));
    LW_TRY(port_find(l, group.text, proj));
    LW_TRY(lw_h5_reader_i64(l->r, group.text, "learn", &learn));
    LW_TRY(lw_h5_reader_i64(l->r, group.text, "synapses", &all));
    proj->learn = learn != 0;
    if (lw_h5_reader_has_attribute(l->r, group.text, "lag_max")) {
        int64_t lag_max = 0;
        LW_TRY(lw_h5_reader_i64(l->r, group.text, "lag_max", &lag_max));
        proj->learn_delay = true;
        proj->delay_max = (double)lag_max * l->spec.dt;
    }
    LW_TRY(window_read(l, group.text, &proj->window));
    LW_TRY(synapse_find(l, group.text, proj));
    if (all == 0) return empty_read(l, group.text, proj);
    lw_slab slab = lw_slab_range(all, l->rank, l->size);
    int64_t n = slab.hi - slab.lo;
    LW_TRY(lw_alloc((size_t)n, sizeof *edge, "synapses", &edge));
    proj->edges = edge;
    proj->n_edges = n;
    LW_TRY(lw_alloc((size_t)n, 8, "synapses", &column));
    lw_err err = edges_read(l, group.text, all, slab, edge, column);
    lw_free(column);
    return err;
}

static lw_err spec_read(load *l) {
    int64_t n_pop = 0, n_proj = 0;
    char *weight_type = NULL;
    LW_TRY(lw_h5_reader_u64(l->r, "/network", "seed", &l->spec.seed));
    LW_TRY(lw_h5_reader_f64(l->r, "/network", "dt_ms", &l->spec.dt));
    LW_TRY(lw_h5_reader_string(l->r, "/network", "weight_type", &weight_type));
    l->spec.weight_type = strcmp(weight_type, "float64") == 0 ? LW_F64 : LW_F32;
    lw_free(weight_type);
    LW_TRY(lw_h5_reader_count(l->r, "/network/populations", &n_pop));
    LW_TRY(lw_h5_reader_count(l->r, "/network/projections", &n_proj));
    LW_TRY(lw_alloc((size_t)n_pop, sizeof *l->pop, "populations", &l->pop));
    LW_TRY(lw_alloc((size_t)n_pop, sizeof *l->pop_name, "populations", &l->pop_name));
    LW_TRY(lw_alloc((size_t)n_pop, sizeof *l->places, "populations", &l->places));
    l->spec.n_pop = (int32_t)n_pop;
    LW_TRY(lw_alloc((size_t)n_proj, sizeof *l->proj, "projections", &l->proj));
    LW_TRY(lw_alloc((size_t)n_proj, sizeof *l->proj_name, "projections", &l->proj_name));
    l->spec.n_proj = (int32_t)n_proj;
    l->spec.pop = l->pop;
    l->spec.proj = l->proj;
    for (int32_t p = 0; p < l->spec.n_pop; p++)
        LW_TRY(pop_read(l, p));
    for (int32_t i = 0; i < l->spec.n_proj; i++)
        LW_TRY(proj_read(l, i));
    return LW_OK;
}

/* ---- neurons */

/* Records of lw_net_neurons_put for this rank's slab; column: [slab] scratch. Local. */
static lw_err records_read(
    const load *l, const lw_pop_view *pop, const char *group, lw_slab slab, double *column, double *record) {
    int32_t n_param = pop->model->n_param, n_state = pop->model->n_state;
    int64_t n = slab.hi - slab.lo, width = 2 + n_param + n_state;
    LW_TRY(checkpoint_shape_check(l->r, checkpoint_at("%s/origin", group).text, pop->size, 1));
    for (int32_t c = 1; c < width; c++) {
        checkpoint_path name = c == 1            ? checkpoint_at("origin")
                               : c < 2 + n_param ? checkpoint_at("parameters/%s", pop->model->param[c - 2].name)
                                                 : checkpoint_at("initial/%s", pop->model->state[c - 2 - n_param].name);
        LW_TRY(column_read(l, group, name.text, pop->size, H5T_NATIVE_DOUBLE, 8, slab, column));
        for (int64_t k = 0; k < n; k++)
            record[k * width + c] = column[k];
    }
    for (int64_t k = 0; k < n; k++)
        record[k * width] = (double)(slab.lo + k);
    return LW_OK;
}

/* **Collective** */
static lw_err neurons_read(const load *l, lw_net *net, int p) {
    const lw_comm *comm = lw_net_comm(net);
    lw_pop_view pop = lw_net_pop(net, p);
    checkpoint_path group = checkpoint_at("/network/populations/%s", checkpoint_name(pop.name).text);
    lw_slab slab = lw_slab_range(pop.size, l->rank, l->size);
    int64_t n = slab.hi - slab.lo;
    double *column = NULL, *record = NULL;
    lw_err err = lw_alloc((size_t)n, sizeof *column, "neurons", &column);
    if (err == LW_OK)
        err = lw_alloc(
            (size_t)n, (size_t)(2 + pop.model->n_param + pop.model->n_state) * sizeof *record, "neurons", &record);
    if (err == LW_OK) err = records_read(l, &pop, group.text, slab, column, record);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) err = lw_net_neurons_put(net, p, record, n);
    lw_free(record);
    lw_free(column);
    return err;
}

/* Weights that were an array stay one, though they may all be equal: sums are then made in the same way. **Collective**
 */
static lw_err weights_spread(const load *l, lw_net *net, int proj) {
    int64_t one = 0;
    lw_proj_view view = lw_net_proj(net, proj);
    checkpoint_path group = checkpoint_at("/network/projections/%s", checkpoint_name(view.name).text);
    lw_err err = lw_h5_reader_i64(l->r, group.text, "one_weight", &one);
    if (err == LW_OK && !one && view.weight_one) err = lw_net_weight_array(net, proj);
    return lw_comm_agree(lw_net_comm(net), err);
}

lw_err lw_checkpoint_net(
    lw_checkpoint *checkpoint, const lw_comm *comm, lw_partition partition, int32_t threads, lw_net **out) {
    load l = {.r = checkpoint->reader,
        .rank = lw_comm_rank(comm),
        .size = lw_comm_size(comm),
        .spec = {.partition = partition, .threads = threads}};
    *out = NULL;
    lw_err err = checkpoint->info.has_net
                     ? spec_read(&l)
                     : LW_FAIL(LW_EFILE, "%s: holds no network", lw_h5_reader_path(checkpoint->reader));
    err = lw_comm_agree(comm, err);
    bool read = err == LW_OK; /* messages of the reader name the file themselves */
    if (err == LW_OK) err = lw_net_create(comm, &l.spec, out);
    for (int p = 0; p < l.spec.n_pop && err == LW_OK; p++)
        err = neurons_read(&l, *out, p);
    for (int i = 0; i < l.spec.n_proj && err == LW_OK; i++)
        err = weights_spread(&l, *out, i);
    if (err != LW_OK) {
        if (read) lw_err_context("%s", lw_h5_reader_path(checkpoint->reader));
        lw_net_destroy(out);
    }
    load_free(&l);
    return err;
}
