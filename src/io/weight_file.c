/* SPDX-License-Identifier: BSD-3-Clause
 *
 * weights.h5: weights of plastic projections over time, /weights/<projection> with `target` and `source` [n] (indices
 * in the populations, sorted as in checkpoints), `time` [samples] (ms) and `weight` [samples, n]. A sample is taken and
 * written at once, so nothing is kept but the numbers of the watched synapses.
 */
#include "checkpoint.h"
#include "slab.h"

/* The watched synapses of one projection on this rank. */
typedef struct watched {
    lw_weight_spec spec;
    checkpoint_path group;
    int64_t n_global, n;
    int64_t *number, *index; /* [n] edge number here, place in the file */
    double *value;           /* [n] */
} watched;

struct lw_weight_file {
    const lw_comm *comm;
    lw_sim *sim;
    lw_h5_writer *writer;
    int32_t n;
    watched *list; /* [n] */
};

typedef struct ends {
    int64_t target, source;
} ends;

static void file_free(lw_weight_file *f) {
    for (int32_t i = 0; f && f->list && i < f->n; i++) {
        lw_free(f->list[i].number);
        lw_free(f->list[i].index);
        lw_free(f->list[i].value);
    }
    if (f) lw_free(f->list);
    lw_free(f);
}

/* Local synapses onto chosen targets: how many by chosen target (first: [chosen], 0 elsewhere), or, with their places
 * known, which. */
static lw_err synapses_find(const lw_net *net, watched *w, int64_t *first, ends *out) {
    lw_proj_view view = lw_net_proj(net, w->spec.proj);
    lw_pop_view post = lw_net_pop(net, view.post);
    int64_t at = 0;
    for (int64_t k = 0; k < post.n_local; k++) {
        int64_t t = post.gid[k] - post.gid_begin, place = lw_choice_place(&w->spec.who, post.size, t), n = 0, *number;
        lw_edge *edge;
        if (place < 0) continue;
        LW_TRY(lw_net_edges_between(net, w->spec.proj, t, t + 1, &edge, &number, &n));
        for (int64_t i = 0; out && i < n; i++, at++) {
            out[at] = (ends){edge[i].target, edge[i].source};
            w->number[at] = number[i];
            w->index[at] = first[place] + i;
        }
        if (!out) first[place] = n;
        w->n += out ? 0 : n;
        lw_free(edge);
        lw_free(number);
    }
    return LW_OK;
}

static lw_err index_save(lw_weight_file *f, watched *w, const ends *mine) {
    static const char *const names[] = {"target", "source"};
    lw_span all = {w->n_global, 0, w->n_global};
    lw_slab slab = lw_slab_range(w->n_global, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    ends *rows = NULL;
    int64_t *column = NULL;
    LW_TRY(lw_slab_gather(f->comm, all, w->n, w->index, mine, sizeof *mine, (void **)&rows));
    lw_err err =
        lw_comm_agree(f->comm, lw_alloc((size_t)(slab.hi - slab.lo), sizeof *column, "synapses to record", &column));
    for (int c = 0; c < 2 && err == LW_OK; c++) {
        checkpoint_path path = checkpoint_at("%s/%s", w->group.text, names[c]);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_INT64,
            .n = w->n_global,
            .unit = "1",
            .about = "index in its population"};
        for (int64_t i = 0; i < slab.hi - slab.lo; i++)
            column[i] = c ? rows[i].source : rows[i].target;
        err = lw_h5_writer_array(f->writer, &array, column);
    }
    lw_free(column);
    lw_free(rows);
    return err;
}

static lw_err series_create(lw_weight_file *f, const watched *w) {
    const lw_net *net = lw_sim_net(f->sim);
    lw_proj_view view = lw_net_proj(net, w->spec.proj);
    const lw_model_name *port = &lw_net_pop(net, view.post).model->input[view.port];
    checkpoint_path time = checkpoint_at("%s/time", w->group.text), weight = checkpoint_at("%s/weight", w->group.text);
    checkpoint_path unit = checkpoint_unit(port->unit, port->scale);
    lw_h5_array array = {.path = time.text, .type = H5T_NATIVE_DOUBLE, .unit = "ms", .about = "time of the sample"};
    LW_TRY(lw_h5_writer_series(f->writer, &array));
    array = (lw_h5_array){.path = weight.text,
        .type = H5T_NATIVE_DOUBLE,
        .row = w->n_global,
        .unit = unit.text,
        .about = "synaptic weight by sample and synapse"};
    return lw_h5_writer_series(f->writer, &array);
}

static lw_err watched_begin(lw_weight_file *f, watched *w) {
    const lw_net *net = lw_sim_net(f->sim);
    lw_proj_view view = lw_net_proj(net, w->spec.proj);
    int64_t chosen = lw_choice_size(&w->spec.who, lw_net_pop(net, view.post).size), *first = NULL;
    ends *mine = NULL;
    w->group = checkpoint_at("/weights/%s", checkpoint_name(view.name).text);
    lw_err err = lw_alloc((size_t)chosen, sizeof *first, "synapses to record", &first);
    if (err == LW_OK) err = synapses_find(net, w, first, NULL);
    LW_TRY_TO(lw_comm_agree(f->comm, err), done);
    lw_comm_sum_i64(f->comm, first, chosen);
    for (int64_t k = 0; k < chosen; k++) {
        int64_t n = first[k];
        first[k] = w->n_global;
        w->n_global += n;
    }
    err = lw_alloc((size_t)w->n, sizeof *mine, "synapses to record", &mine);
    if (err == LW_OK) err = lw_alloc((size_t)w->n, sizeof *w->number, "synapses to record", &w->number);
    if (err == LW_OK) err = lw_alloc((size_t)w->n, sizeof *w->index, "synapses to record", &w->index);
    if (err == LW_OK) err = lw_alloc((size_t)w->n, sizeof *w->value, "synapses to record", &w->value);
    if (err == LW_OK) err = synapses_find(net, w, first, mine);
    if (err == LW_OK && w->n_global == 0)
        err = LW_FAIL(
            LW_EUSE, "projection \"%s\" has no synapses onto the neurons whose weights are recorded", view.name);
    LW_TRY_TO(lw_comm_agree(f->comm, err), done);
    LW_TRY_TO(lw_h5_writer_group(f->writer, w->group.text), done);
    LW_TRY_TO(index_save(f, w, mine), done);
    err = series_create(f, w);
done:
    lw_free(mine);
    lw_free(first);
    return err;
}

lw_err lw_weight_file_create(
    const lw_comm *comm, const char *path, lw_sim *sim, int32_t n, const lw_weight_spec *spec, lw_weight_file **out) {
    lw_weight_file *f = NULL;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *f, "a weight file", &f);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *f->list, "a weight file", &f->list);
    if (err == LW_OK) err = checkpoint_names_check(lw_sim_net(sim));
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        f->comm = comm;
        f->sim = sim;
        f->n = n;
        err = lw_h5_writer_create(comm, path, &f->writer);
    }
    if (err == LW_OK) err = lw_h5_writer_head(f->writer, "lapwing-weights");
    if (err == LW_OK) err = lw_h5_writer_group(f->writer, "/weights");
    for (int32_t i = 0; i < n && err == LW_OK; i++) {
        f->list[i].spec = spec[i];
        err = watched_begin(f, &f->list[i]);
    }
    if (err != LW_OK) {
        if (f) lw_h5_writer_abandon(&f->writer);
        file_free(f);
        return err;
    }
    *out = f;
    return LW_OK;
}

int64_t lw_weight_file_next(const lw_weight_file *f, int64_t step) {
    int64_t next = INT64_MAX;
    for (int32_t i = 0; f && i < f->n; i++) {
        int64_t left = f->list[i].spec.every - step % f->list[i].spec.every;
        next = left < next ? left : next;
    }
    return next;
}

static lw_err sample(lw_weight_file *f, watched *w) {
    lw_proj_view view = lw_net_proj(lw_sim_net(f->sim), w->spec.proj);
    lw_span all = {w->n_global, 0, w->n_global};
    lw_slab slab = lw_slab_range(w->n_global, lw_comm_rank(f->comm), lw_comm_size(f->comm));
    double *row = NULL, time = (double)lw_sim_step(f->sim) * lw_net_dt(lw_sim_net(f->sim));
    for (int64_t i = 0; i < w->n; i++)
        w->value[i] = lw_net_weight(&view, w->number[i]);
    LW_TRY(lw_slab_gather(f->comm, all, w->n, w->index, w->value, sizeof *w->value, (void **)&row));
    bool any = slab.hi > slab.lo, root = lw_comm_rank(f->comm) == 0;
    lw_h5_part part = {.n_new = 1, .n = any, .column = any ? slab.lo : 0, .n_columns = slab.hi - slab.lo};
    lw_err err =
        lw_h5_writer_extend(f->writer, checkpoint_at("%s/weight", w->group.text).text, H5T_NATIVE_DOUBLE, &part, row);
    lw_free(row);
    LW_TRY(err);
    part = (lw_h5_part){.n_new = 1, .n = root, .n_columns = 1};
    return lw_h5_writer_extend(
        f->writer, checkpoint_at("%s/time", w->group.text).text, H5T_NATIVE_DOUBLE, &part, &time);
}

lw_err lw_weight_file_sample(lw_weight_file *f) {
    bool settled = false;
    for (int32_t i = 0; i < f->n; i++) {
        if (lw_sim_step(f->sim) % f->list[i].spec.every != 0) continue;
        if (!settled) lw_sim_weights_settle(f->sim);
        settled = true;
        LW_TRY(sample(f, &f->list[i]));
    }
    return LW_OK;
}

lw_err lw_weight_file_close(lw_weight_file **file) {
    lw_weight_file *f = *file;
    if (!f) return LW_OK;
    lw_err err = lw_h5_writer_close(&f->writer);
    file_free(f);
    *file = NULL;
    return err;
}
