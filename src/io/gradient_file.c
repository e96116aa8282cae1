/* SPDX-License-Identifier: BSD-3-Clause
 *
 * gradient.h5: the network as in a checkpoint, and beside it one batch with its loss and the gradient of everything
 * that is learned, in the same order of synapses and neurons. The content does not depend on ranks, partition or
 * replicas beyond the rounding of the gradient's sums.
 */
#include <stdio.h>
#include <unistd.h>
#include "checkpoint.h"
#include "slab.h"

#define GRADIENT_FORMAT "lapwing-gradient"

typedef struct saving {
    lw_h5_writer *w;
    const lw_comm *comm; /* replica 0 */
    const lw_net *net;
    const lw_train_spec *spec;
    const lw_gradient *g;
} saving;

/* Rows that every rank holds in full: each writes its slab. */
static lw_err rows_save(
    const saving *s, const char *path, hid_t type, int64_t n, int64_t row, const void *rows, const char *about) {
    lw_h5_array array = {.path = path, .type = type, .n = n, .row = row, .unit = "1", .about = about};
    lw_slab mine = lw_slab_range(n, lw_comm_rank(s->comm), lw_comm_size(s->comm));
    return lw_h5_writer_array(s->w, &array, (const char *)rows + (size_t)(mine.lo * row) * H5Tget_size(type));
}

static lw_err tied_save(const saving *s, const lw_theta_block *block, const char *path) {
    lw_h5_array array = {.path = path,
        .type = H5T_NATIVE_DOUBLE,
        .n = block->count,
        .about =
            "derivative of the loss with respect to the entry of the kernel: [target channel, source channel, row, "
            "column]"};
    lw_slab mine = lw_slab_range(block->count, lw_comm_rank(s->comm), lw_comm_size(s->comm));
    return lw_h5_writer_array(s->w, &array, s->g->gradient + block->offset + mine.lo);
}

static lw_err weights_save(const saving *s, const lw_theta_block *block, const char *path) {
    checkpoint_order order = {0};
    checkpoint_edges edges = {0};
    double *rows = NULL;
    void *slab = NULL;
    lw_err err;
    LW_TRY_TO(checkpoint_order_find(s->net, block->proj, &order), done);
    int64_t size = lw_net_pop(s->net, lw_net_proj(s->net, block->proj).post).size;
    lw_span all = {order.n_global, 0, order.n_global};
    err = checkpoint_edges_find(s->net, block->proj, &order, 0, size, &edges);
    if (err == LW_OK) err = lw_alloc((size_t)edges.n, sizeof *rows, "a gradient to save", &rows);
    LW_TRY_TO(lw_comm_agree(s->comm, err), done);
    for (int64_t i = 0; i < edges.n; i++)
        rows[i] = s->g->gradient[block->offset + edges.number[i]];
    LW_TRY_TO(lw_slab_gather(s->comm, all, edges.n, edges.index, rows, sizeof *rows, &slab), done);
    lw_h5_array array = {.path = path,
        .type = H5T_NATIVE_DOUBLE,
        .n = all.n,
        .about = block->is_delay
                     ? "derivative of the loss with respect to the delay (steps), by synapse in the order of "
                       "/network/projections"
                     : "derivative of the loss with respect to the weight, by synapse in the order of "
                       "/network/projections"};
    err = lw_h5_writer_array(s->w, &array, slab);
done:
    lw_free(slab);
    lw_free(rows);
    checkpoint_edges_free(&edges);
    checkpoint_order_free(&order);
    return err;
}

/* Learned numbers by block: /gradient/projections/<name>, /gradient/delays/<name> and
 * /gradient/parameters/<population>/<name>. */
static lw_err gradients_save(const saving *s) {
    LW_TRY(lw_h5_writer_group(s->w, "/gradient"));
    LW_TRY(lw_h5_writer_group(s->w, "/gradient/projections"));
    LW_TRY(lw_h5_writer_group(s->w, "/gradient/parameters"));
    int32_t last = -1;
    bool delays = false;
    for (int32_t b = 0; b < s->g->theta->n_blocks; b++) {
        const lw_theta_block *block = &s->g->theta->block[b];
        if (block->is_weight) {
            checkpoint_path name = checkpoint_name(lw_net_proj(s->net, block->proj).name);
            checkpoint_path path = checkpoint_at("/gradient/projections/%s", name.text);
            LW_TRY(block->tied ? tied_save(s, block, path.text) : weights_save(s, block, path.text));
            continue;
        }
        if (block->is_delay) {
            checkpoint_path name = checkpoint_name(lw_net_proj(s->net, block->proj).name);
            if (!delays) LW_TRY(lw_h5_writer_group(s->w, "/gradient/delays"));
            delays = true;
            LW_TRY(weights_save(s, block, checkpoint_at("/gradient/delays/%s", name.text).text));
            continue;
        }
        lw_pop_view pop = lw_net_pop(s->net, block->pop);
        checkpoint_path group = checkpoint_at("/gradient/parameters/%s", checkpoint_name(pop.name).text);
        if (block->pop != last) LW_TRY(lw_h5_writer_group(s->w, group.text));
        last = block->pop;
        checkpoint_path path = checkpoint_at("%s/%s", group.text, pop.model->param[block->param].name);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_DOUBLE,
            .n = pop.size,
            .about = "derivative of the loss with respect to the parameter (internal unit), by neuron"};
        LW_TRY(checkpoint_neurons_save(s->w, s->comm, &pop, &array, s->g->gradient + block->offset));
    }
    return LW_OK;
}

static lw_err spikes_save(const saving *s) {
    int64_t L = s->g->n_samples;
    LW_TRY(lw_h5_writer_group(s->w, "/batch/spikes"));
    for (int p = 0; p < lw_net_n_pop(s->net); p++) {
        lw_pop_view pop = lw_net_pop(s->net, p);
        if (!pop.model->emits_spikes) continue;
        checkpoint_path path = checkpoint_at("/batch/spikes/%s", checkpoint_name(pop.name).text);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_INT64,
            .n = pop.size,
            .row = L,
            .unit = "1",
            .about = "spikes by neuron and sample"};
        LW_TRY(checkpoint_neurons_save(s->w, s->comm, &pop, &array, s->g->spikes + pop.lid_begin * L));
    }
    return LW_OK;
}

static lw_err batch_save(const saving *s) {
    const lw_gradient *g = s->g;
    int64_t L = g->n_samples;
    LW_TRY(lw_h5_writer_group(s->w, "/batch"));
    LW_TRY(lw_h5_writer_i64(s->w, "/batch", "steps", g->n_steps));
    LW_TRY(lw_h5_writer_i64(s->w, "/batch", "channels", g->n_channels));
    LW_TRY(lw_h5_writer_i64(s->w, "/batch", "units", g->n_units));
    LW_TRY(lw_h5_writer_i64(s->w, "/batch", "samples", L));
    LW_TRY(lw_h5_writer_f64(s->w, "/batch", "loss", g->loss));
    LW_TRY(lw_h5_writer_f64(s->w, "/batch", "accuracy", g->accuracy));
    LW_TRY(lw_h5_writer_f64(s->w, "/batch", "rmse", g->rmse));
    LW_TRY(lw_h5_writer_f64(s->w, "/batch", "counted", g->counted));
    LW_TRY(lw_h5_writer_string(s->w, "/batch", "precision", s->spec->precision == LW_F32 ? "float" : "double"));
    LW_TRY(rows_save(s, "/batch/input", H5T_NATIVE_FLOAT, g->n_steps, g->n_channels * L, g->x,
        "data by step, then channel and sample (the last runs fastest)"));
    LW_TRY(rows_save(s, "/batch/output", H5T_NATIVE_DOUBLE, g->n_steps, g->n_units * L, g->out,
        "emitted by the read-out population, by step, then unit and sample"));
    if (g->label)
        LW_TRY(rows_save(s, "/batch/label", H5T_NATIVE_INT32, g->n_label_rows, L, g->label,
            "class by step (or one row) and sample, -1: none"));
    if (g->target)
        LW_TRY(rows_save(s, "/batch/target", H5T_NATIVE_FLOAT, g->n_steps, g->n_units * L, g->target,
            "target by step, then unit and sample, NaN: none"));
    return spikes_save(s);
}

static lw_err content_save(const saving *s, const char *command) {
    LW_TRY(lw_h5_writer_head(s->w, GRADIENT_FORMAT));
    LW_TRY(checkpoint_net_save(s->w, s->comm, s->net));
    LW_TRY(batch_save(s));
    LW_TRY(gradients_save(s));
    return lw_h5_writer_provenance(s->w, command);
}

/* **Collective** over the ranks of one replica. */
static lw_err file_write(saving *s, const char *path, const char *command) {
    LW_TRY(lw_h5_writer_create(s->comm, path, &s->w));
    lw_err err = content_save(s, command);
    if (err == LW_OK) return lw_h5_writer_close(&s->w);
    lw_h5_writer_abandon(&s->w);
    return err;
}

lw_err lw_gradient_save(const lw_grid *grid, const char *path, const lw_net *net, const lw_train_spec *spec,
    const lw_gradient *gradient, const char *command) {
    saving s = {.comm = grid->part, .net = net, .spec = spec, .g = gradient};
    checkpoint_path temporary = checkpoint_at("%s.tmp", path);
    LW_TRY(lw_comm_agree(grid->world, checkpoint_names_check(net)));
    lw_err err = LW_OK;
    if (grid->replica == 0) err = file_write(&s, temporary.text, command);
    LW_TRY(lw_comm_agree(grid->world, err));
    if (lw_comm_rank(grid->world) == 0 && rename(temporary.text, path) != 0)
        err = LW_FAIL(LW_EIO, "%s: the finished file could not be given its name", path);
    return lw_comm_agree(grid->world, err);
}
