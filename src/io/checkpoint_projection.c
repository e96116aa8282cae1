/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A projection into a checkpoint: synapses sorted by (target, source, order), one array per property, or one number
 * where all have the same. Synapses take some 150 bytes each on their way to the file, ten times what the network
 * holds, so they go in portions: stretches of targets, which are stretches of the arrays.
 */
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

enum { PORTION = 1 << 17 }; /* synapses per rank and portion, if targets have about equal numbers */

typedef struct synapse {
    double weight;
    uint32_t target, source;
    union {
        int32_t delay;
        float lag;
    };
    int32_t order;
} synapse;

typedef enum column {
    COLUMN_TARGET,
    COLUMN_SOURCE,
    COLUMN_WEIGHT,
    COLUMN_DELAY,
    COLUMN_ORDER,
    COLUMN_LAG,
    N_COLUMNS
} column;

typedef struct saving {
    lw_h5_writer *w;
    const lw_comm *comm;
    const lw_net *net;
    int proj;
    lw_proj_view view;
    checkpoint_path group;
    checkpoint_order order;
    bool wanted[N_COLUMNS]; /* as an array of all synapses */
} saving;

/* ---- what is one number for all */

/* Whether some pair has several synapses on this rank. Local. */
static lw_err multapses_find(const saving *s, bool *found) {
    const lw_proj_view *v = &s->view;
    int64_t n_local = lw_net_pop(s->net, v->post).n_local, *row_of = NULL; /* [n_local] row (+ 1) that met it last */
    lw_run run;
    *found = false;
    if (v->dense) return LW_OK;
    LW_TRY(lw_alloc((size_t)n_local, sizeof *row_of, "multapses", &row_of));
    for (lw_run_walk w = lw_net_runs(s->net, s->proj, 0, n_local); lw_run_next(&w, &run) && !*found;)
        for (int64_t i = 0; i < run.n; i++) {
            int64_t t = lw_run_target(&run, i);
            *found = *found || row_of[t] == run.row + 1;
            row_of[t] = run.row + 1;
        }
    lw_free(row_of);
    return LW_OK;
}

/* ---- arrays */

/* Weights carry the unit of the port they act on. */
static checkpoint_path port_unit(const saving *s) {
    const lw_model_name *port = &lw_net_pop(s->net, s->view.post).model->input[s->view.port];
    return checkpoint_unit(port->unit, port->scale);
}

static lw_err number_save(
    saving *s, const char *name, hid_t type, const char *unit, const char *about, const void *value) {
    checkpoint_path path = checkpoint_at("%s/%s", s->group.text, name);
    lw_h5_array array = {.path = path.text, .type = type, .n = 1, .unit = unit, .about = about};
    return lw_h5_writer_array(s->w, &array, value);
}

/* One property of the slab's records. values: scratch of 8 bytes per record. */
static lw_err column_save(saving *s, column which, lw_span span, const synapse *slab, int64_t n, void *values) {
    static const char *const name[N_COLUMNS] = {"target", "source", "weight", "delay", "order", "lag"};
    static const char *const about[N_COLUMNS] = {"index in the target population", "index in the source population",
        "synaptic weight", "delay in steps", "number among the synapses of this pair", "learned delay in steps"};
    bool wide = s->view.weight_type == LW_F64;
    const hid_t type[N_COLUMNS] = {H5T_NATIVE_UINT32, H5T_NATIVE_UINT32, wide ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT,
        H5T_NATIVE_INT32, H5T_NATIVE_INT32, H5T_NATIVE_FLOAT};
    checkpoint_path path = checkpoint_at("%s/%s", s->group.text, name[which]), unit = port_unit(s);
    lw_h5_array array = {.path = path.text,
        .type = type[which],
        .n = span.n,
        .unit = which == COLUMN_WEIGHT ? unit.text : "1",
        .about = about[which]};
    for (int64_t i = 0; i < n; i++) {
        if (which == COLUMN_TARGET || which == COLUMN_SOURCE)
            ((uint32_t *)values)[i] = which == COLUMN_TARGET ? slab[i].target : slab[i].source;
        else if (which == COLUMN_LAG)
            ((float *)values)[i] = slab[i].lag;
        else if (which != COLUMN_WEIGHT)
            ((int32_t *)values)[i] = which == COLUMN_DELAY ? slab[i].delay : slab[i].order;
        else if (wide)
            ((double *)values)[i] = slab[i].weight;
        else
            ((float *)values)[i] = (float)slab[i].weight;
    }
    return lw_h5_writer_stretch(s->w, &array, span.lo, span.hi, values);
}

static lw_err slab_save(saving *s, lw_span span, const synapse *slab) {
    lw_slab mine = lw_slab_of_span(span, lw_comm_rank(s->comm), lw_comm_size(s->comm));
    void *values = NULL;
    lw_err err = lw_comm_agree(s->comm, lw_alloc((size_t)(mine.hi - mine.lo), 8, "synapses to save", &values));
    for (column c = 0; c < N_COLUMNS && err == LW_OK; c++)
        if (s->wanted[c]) err = column_save(s, c, span, slab, mine.hi - mine.lo, values);
    lw_free(values);
    return err;
}

/* ---- portions */

/* Synapses of targets [begin, end), which stand from *place on; *place moves on. **Collective** */
static lw_err portion_save(saving *s, int64_t begin, int64_t end, int64_t *place) {
    checkpoint_edges e = {0};
    synapse *mine = NULL;
    void *slab = NULL;
    lw_err err = checkpoint_edges_find(s->net, s->proj, &s->order, begin, end, &e);
    if (err == LW_OK) err = lw_alloc((size_t)e.n, sizeof *mine, "synapses to save", &mine);
    LW_TRY_TO(lw_comm_agree(s->comm, err), done);
    for (int64_t i = 0; i < e.n; i++)
        mine[i] = (synapse){.weight = e.edge[i].weight,
            .target = (uint32_t)e.edge[i].target,
            .source = (uint32_t)e.edge[i].source,
            .delay = e.edge[i].delay, /* or lag */
            .order = e.edge[i].order};
    int64_t n = e.n;
    lw_comm_sum_i64(s->comm, &n, 1);
    lw_span span = {s->order.n_global, *place, *place + n};
    *place += n;
    if (n == 0) goto done;
    err = lw_slab_gather(s->comm, span, e.n, e.index, mine, sizeof *mine, &slab);
    checkpoint_edges_free(&e);
    lw_free(mine);
    mine = NULL;
    if (err == LW_OK) err = slab_save(s, span, slab);
done:
    lw_free(slab);
    lw_free(mine);
    checkpoint_edges_free(&e);
    return err;
}

static lw_err synapses_save(saving *s) {
    int64_t size = lw_net_pop(s->net, s->view.post).size, place = 0;
    int64_t portions = s->order.n_global / ((int64_t)PORTION * lw_comm_size(s->comm)) + 1;
    if (portions > size) portions = size;
    for (int64_t k = 0; k < portions; k++)
        LW_TRY(portion_save(s, size / portions * k + size % portions * k / portions,
            size / portions * (k + 1) + size % portions * (k + 1) / portions, &place));
    return LW_OK;
}

/* ---- the projection */

/* parameters of the synapse model, in its order and in internal units */
static lw_err synapse_param_save(saving *s) {
    checkpoint_path path = checkpoint_at("%s/synapse_parameters", s->group.text);
    lw_h5_array array = {.path = path.text,
        .type = H5T_NATIVE_DOUBLE,
        .n = s->view.synapse->n_param,
        .unit = "internal",
        .about = "parameters of the synapse model in the order of its text"};
    return array.n ? lw_h5_writer_array(s->w, &array, s->view.synapse_param) : LW_OK;
}

/* The window by which synapses share weights. */
static lw_err window_save(saving *s) {
    int32_t side[CHECKPOINT_WINDOW];
    checkpoint_path path = checkpoint_at("%s/window", s->group.text);
    lw_h5_array array = {.path = path.text,
        .type = H5T_NATIVE_INT32,
        .n = CHECKPOINT_WINDOW,
        .unit = "1",
        .about =
            "window of the shared kernel: channels, height, width of the source and of the target; then height and "
            "width of kernel, stride, padding; 1 where it stays within a channel"};
    const lw_window *w = &s->view.window;
    memcpy(side, w->in, sizeof w->in);
    memcpy(side + 3, w->out, sizeof w->out);
    memcpy(side + 6, w->kernel, sizeof w->kernel);
    memcpy(side + 8, w->stride, sizeof w->stride);
    memcpy(side + 10, w->padding, sizeof w->padding);
    side[12] = w->same_channel;
    lw_slab mine = lw_slab_range(CHECKPOINT_WINDOW, lw_comm_rank(s->comm), lw_comm_size(s->comm));
    LW_TRY(lw_h5_writer_array(s->w, &array, side + mine.lo));
    if (w->dilation[0] <= 1 && w->dilation[1] <= 1) return LW_OK;
    path = checkpoint_at("%s/window_dilation", s->group.text);
    array.n = 2;
    array.about = "rows and columns from one entry of the shared kernel to the next; 1 where there is no such list";
    for (int d = 0; d < 2; d++)
        side[d] = w->dilation[d] > 0 ? w->dilation[d] : 1;
    mine = lw_slab_range(array.n, lw_comm_rank(s->comm), lw_comm_size(s->comm));
    return lw_h5_writer_array(s->w, &array, side + mine.lo);
}

static lw_err head_save(saving *s) {
    const char *group = s->group.text;
    const lw_proj_view *v = &s->view;
    LW_TRY(lw_h5_writer_group(s->w, group));
    LW_TRY(lw_h5_writer_string(s->w, group, "pre", lw_net_pop(s->net, v->pre).name));
    LW_TRY(lw_h5_writer_string(s->w, group, "post", lw_net_pop(s->net, v->post).name));
    LW_TRY(lw_h5_writer_string(s->w, group, "port", lw_net_pop(s->net, v->post).model->input[v->port].name));
    LW_TRY(lw_h5_writer_i64(s->w, group, "synapses", v->n_edges_global));
    LW_TRY(lw_h5_writer_i64(s->w, group, "learn", v->learn));
    if (v->lag_max) LW_TRY(lw_h5_writer_i64(s->w, group, "lag_max", v->lag_max));
    if (v->n_tied) LW_TRY(window_save(s));
    if (v->synapse) {
        LW_TRY(lw_h5_writer_string(s->w, group, "synapse", v->synapse->name));
        LW_TRY(lw_h5_writer_i64(s->w, group, "delay_in_axon", v->delay_in_axon));
        LW_TRY(lw_h5_writer_text(
            s->w, checkpoint_at("%s/synapse_model", group).text, v->synapse->text, v->synapse->about));
        LW_TRY(synapse_param_save(s));
    }
    return lw_h5_writer_i64(s->w, group, "one_weight", v->weight_one);
}

lw_err checkpoint_projection_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net, int proj) {
    saving s = {.w = w, .comm = comm, .net = net, .proj = proj, .view = lw_net_proj(net, proj)};
    s.group = checkpoint_at("/network/projections/%s", checkpoint_name(s.view.name).text);
    LW_TRY(head_save(&s));
    if (s.view.weight_one)
        LW_TRY(
            number_save(&s, "weight", H5T_NATIVE_DOUBLE, port_unit(&s).text, "synaptic weight", &s.view.weight_value));
    if (s.view.n_edges_global == 0) return LW_OK;
    int32_t delay[2];
    bool multapses = false;
    lw_net_proj_delays(net, proj, &delay[0], &delay[1]);
    LW_TRY(lw_comm_agree(comm, multapses_find(&s, &multapses)));
    int64_t any = multapses;
    lw_comm_max_i64(comm, &any, 1);
    if (delay[0] == delay[1]) LW_TRY(number_save(&s, "delay", H5T_NATIVE_INT32, "1", "delay in steps", &delay[0]));
    s.wanted[COLUMN_TARGET] = s.wanted[COLUMN_SOURCE] = true;
    s.wanted[COLUMN_WEIGHT] = !s.view.weight_one;
    s.wanted[COLUMN_DELAY] = delay[0] != delay[1];
    s.wanted[COLUMN_ORDER] = any != 0;
    s.wanted[COLUMN_LAG] = s.view.lag_max > 0;
    LW_TRY(checkpoint_order_find(net, proj, &s.order));
    lw_err err = synapses_save(&s);
    checkpoint_order_free(&s.order);
    return err;
}
