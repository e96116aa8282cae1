/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The state of a trainer in a checkpoint: its vectors (moments, best weights ...) cut into the blocks of theta, weights
 * in the canonical order of synapses and parameters by index; its position; the history of metrics, one column per
 * array.
 */
#include <stddef.h>
#include <math.h>
#include <string.h>
#include "checkpoint.h"
#include "slab.h"

/* ---- scalars and metrics, as tables */

typedef struct field {
    const char *name;
    size_t offset;
    bool integer;
} field;
#define STATE(member, integer)                                                                                         \
    { #member, offsetof(lw_trainer_state, member), integer }
static const field state_field[] = {STATE(epoch, true), STATE(batch_in_epoch, true), STATE(updates, true),
    STATE(best_epoch, true), STATE(since_best, true), STATE(best_score, false), STATE(sum_loss, false),
    STATE(sum_correct, false), STATE(sum_counted, false), STATE(sum_sq, false), STATE(sum_spikes, false),
    STATE(sum_norm, false)};
#undef STATE
#define METRIC(member, integer)                                                                                        \
    { #member, offsetof(lw_metrics, member), integer }
static const field metric_field[] = {METRIC(epoch, true), METRIC(loss, false), METRIC(accuracy, false),
    METRIC(rmse, false), METRIC(validation_loss, false), METRIC(validation_accuracy, false),
    METRIC(validation_rmse, false), METRIC(rate_hz, false), METRIC(lr, false), METRIC(grad_norm, false),
    METRIC(seconds, false), METRIC(data_seconds, false)};
#undef METRIC
enum {
    N_STATE_FIELDS = sizeof state_field / sizeof state_field[0],
    N_METRIC_FIELDS = sizeof metric_field / sizeof metric_field[0]
};
_Static_assert(sizeof(lw_trainer_state) == 8 * N_STATE_FIELDS, "every member of lw_trainer_state is saved");
_Static_assert(sizeof(lw_metrics) == 8 * N_METRIC_FIELDS, "every member of lw_metrics is saved");

static lw_err state_save(lw_h5_writer *w, lw_trainer *trainer) {
    const char *state = (const char *)lw_trainer_state_get(trainer);
    for (int f = 0; f < N_STATE_FIELDS; f++) {
        int64_t integer = 0;
        double real = 0;
        memcpy(&integer, state + state_field[f].offset, sizeof integer);
        memcpy(&real, state + state_field[f].offset, sizeof real);
        LW_TRY(state_field[f].integer ? lw_h5_writer_i64(w, "/training", state_field[f].name, integer)
                                      : lw_h5_writer_f64(w, "/training", state_field[f].name, real));
    }
    return LW_OK;
}

static lw_err state_load(const lw_h5_reader *r, lw_trainer_state *out) {
    char *state = (char *)out;
    for (int f = 0; f < N_STATE_FIELDS; f++) {
        void *at = state + state_field[f].offset;
        LW_TRY(state_field[f].integer ? lw_h5_reader_i64(r, "/training", state_field[f].name, at)
                                      : lw_h5_reader_f64(r, "/training", state_field[f].name, at));
    }
    return LW_OK;
}

static lw_err metrics_save(lw_h5_writer *w, const lw_comm *comm, const lw_trainer *trainer) {
    int64_t n = 0;
    const char *metrics = (const char *)lw_trainer_metrics(trainer, &n);
    lw_slab slab = lw_slab_range(n, lw_comm_rank(comm), lw_comm_size(comm));
    char *column = NULL;
    LW_TRY(lw_h5_writer_group(w, "/training/metrics"));
    LW_TRY(lw_comm_agree(comm, lw_alloc((size_t)n, 8, "metrics to save", &column)));
    lw_err err = LW_OK;
    for (int f = 0; f < N_METRIC_FIELDS && err == LW_OK; f++) {
        checkpoint_path path = checkpoint_at("/training/metrics/%s", metric_field[f].name);
        lw_h5_array array = {.path = path.text,
            .type = metric_field[f].integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE,
            .n = n,
            .about = "one value per finished epoch"};
        for (int64_t i = 0; i < n; i++)
            memcpy(column + 8 * i, metrics + (size_t)i * sizeof(lw_metrics) + metric_field[f].offset, 8);
        err = lw_h5_writer_array(w, &array, column + 8 * slab.lo);
    }
    lw_free(column);
    return err;
}

/* Local. Every rank reads all. */
static lw_err metrics_load(const lw_h5_reader *r, lw_metrics **out, int64_t *n) {
    int64_t row = 0;
    char *column = NULL;
    LW_TRY(lw_h5_reader_shape(r, "/training/metrics/epoch", n, &row));
    LW_TRY(lw_alloc((size_t)*n, sizeof **out, "metrics", out));
    LW_TRY(lw_alloc((size_t)*n, 8, "metrics", &column));
    lw_err err = LW_OK;
    for (int64_t i = 0; i < *n; i++)
        (*out)[i].data_seconds = NAN;
    for (int f = 0; f < N_METRIC_FIELDS && err == LW_OK; f++) {
        checkpoint_path path = checkpoint_at("/training/metrics/%s", metric_field[f].name);
        if (metric_field[f].offset == offsetof(lw_metrics, data_seconds) && !lw_h5_reader_has(r, path.text))
            continue; /* a file of before it */
        err = lw_h5_reader_array(
            r, path.text, metric_field[f].integer ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, 0, *n, column);
        for (int64_t i = 0; i < *n && err == LW_OK; i++)
            memcpy((char *)&(*out)[i] + metric_field[f].offset, column + 8 * i, 8);
    }
    lw_free(column);
    return err;
}

/* ---- vectors */

static checkpoint_path vector_group(const lw_trainer *trainer, int v) {
    return checkpoint_at("/training/vectors/%s", lw_trainer_vector_name(trainer, v));
}

static checkpoint_path block_path(const lw_trainer *trainer, int v, const lw_net *net, const lw_theta_block *block) {
    checkpoint_path group = vector_group(trainer, v);
    if (block->is_weight) {
        checkpoint_path name = checkpoint_name(lw_net_proj(net, block->proj).name);
        return checkpoint_at("%s/weights:%s", group.text, name.text);
    }
    if (block->is_delay)
        return checkpoint_at("%s/delays:%s", group.text, checkpoint_name(lw_net_proj(net, block->proj).name).text);
    lw_pop_view pop = lw_net_pop(net, block->pop);
    return checkpoint_at(
        "%s/parameter:%s:%s", group.text, checkpoint_name(pop.name).text, pop.model->param[block->param].name);
}

/* Weights (or delays) of all vectors, with the synapses listed once. */
static lw_err weights_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    checkpoint_order order = {0};
    checkpoint_edges edges = {0};
    double *rows = NULL;
    LW_TRY(checkpoint_order_find(net, block->proj, &order));
    lw_span all = {order.n_global, 0, order.n_global};
    int64_t size = lw_net_pop(net, lw_net_proj(net, block->proj).post).size;
    lw_err err = checkpoint_edges_find(net, block->proj, &order, 0, size, &edges);
    if (err == LW_OK) err = lw_alloc((size_t)edges.n, sizeof *rows, "weights to save", &rows);
    err = lw_comm_agree(comm, err);
    for (int v = 0; v < lw_trainer_n_vectors(trainer) && err == LW_OK; v++) {
        const double *x = lw_trainer_vector(trainer, v) + block->offset;
        checkpoint_path path = block_path(trainer, v, net, block);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_DOUBLE,
            .n = all.n,
            .about = "one value per synapse, in the order of /network/projections"};
        void *slab = NULL;
        for (int64_t i = 0; i < edges.n; i++)
            rows[i] = x[edges.number[i]];
        err = lw_slab_gather(comm, all, edges.n, edges.index, rows, sizeof *rows, &slab);
        if (err == LW_OK) err = lw_h5_writer_array(w, &array, slab);
        lw_free(slab);
    }
    lw_free(rows);
    checkpoint_edges_free(&edges);
    checkpoint_order_free(&order);
    return err;
}

/* Kernel entries, which every rank holds in full: each writes its slab. */
static lw_err tied_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    for (int v = 0; v < lw_trainer_n_vectors(trainer); v++) {
        checkpoint_path path = block_path(trainer, v, net, block);
        lw_h5_array array = {.path = path.text,
            .type = H5T_NATIVE_DOUBLE,
            .n = block->count,
            .about = "one value per entry of the kernel: [target channel, source channel, row, column]"};
        lw_slab slab = lw_slab_range(block->count, lw_comm_rank(comm), lw_comm_size(comm));
        LW_TRY(lw_h5_writer_array(w, &array, lw_trainer_vector(trainer, v) + block->offset + slab.lo));
    }
    return LW_OK;
}

static lw_err tied_load(const lw_h5_reader *r, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    lw_err err = LW_OK;
    for (int v = 0; v < lw_trainer_n_vectors(trainer) && err == LW_OK; v++) {
        checkpoint_path path = block_path(trainer, v, net, block);
        double *x = lw_trainer_vector(trainer, v) + block->offset;
        err = checkpoint_shape_check(r, path.text, block->count, 1);
        if (err == LW_OK) err = lw_h5_reader_array(r, path.text, H5T_NATIVE_DOUBLE, 0, block->count, x);
        err = lw_comm_agree(lw_net_comm(net), err);
    }
    return err;
}

static lw_err params_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    lw_pop_view pop = lw_net_pop(net, block->pop);
    for (int v = 0; v < lw_trainer_n_vectors(trainer); v++) {
        checkpoint_path path = block_path(trainer, v, net, block);
        lw_h5_array array = {
            .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = pop.size, .about = "one value per neuron"};
        LW_TRY(checkpoint_neurons_save(w, comm, &pop, &array, lw_trainer_vector(trainer, v) + block->offset));
    }
    return LW_OK;
}

static lw_err block_save(
    lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    if (block->tied) return tied_save(w, comm, net, trainer, block);
    if (block->is_weight || block->is_delay) return weights_save(w, comm, net, trainer, block);
    return params_save(w, comm, net, trainer, block);
}

lw_err checkpoint_trainer_save(lw_h5_writer *w, const lw_comm *comm, const lw_net *net, lw_trainer *trainer) {
    const lw_theta *theta = lw_trainer_theta(trainer);
    LW_TRY(lw_h5_writer_group(w, "/training"));
    LW_TRY(state_save(w, trainer));
    LW_TRY(metrics_save(w, comm, trainer));
    LW_TRY(lw_h5_writer_group(w, "/training/vectors"));
    for (int v = 0; v < lw_trainer_n_vectors(trainer); v++)
        LW_TRY(lw_h5_writer_group(w, vector_group(trainer, v).text));
    for (int32_t b = 0; b < theta->n_blocks; b++)
        LW_TRY(block_save(w, comm, net, trainer, &theta->block[b]));
    return LW_OK;
}

/* Ranks that hold the synapses of this rank's slab: the owners of their targets. Local. */
static lw_err owners_find(const lw_h5_reader *r, const lw_net *net, int proj, lw_slab slab, int32_t **dest) {
    lw_proj_view view = lw_net_proj(net, proj);
    lw_pop_view post = lw_net_pop(net, view.post);
    int64_t n = slab.hi - slab.lo, *target = NULL;
    checkpoint_path path = checkpoint_at("/network/projections/%s/target", checkpoint_name(view.name).text);
    LW_TRY(checkpoint_shape_check(r, path.text, view.n_edges_global, 1));
    LW_TRY(lw_alloc((size_t)n, sizeof **dest, "owners of synapses", dest));
    LW_TRY(lw_alloc((size_t)n, sizeof *target, "owners of synapses", &target));
    lw_err err = lw_h5_reader_array(r, path.text, H5T_NATIVE_INT64, slab.lo, n, target);
    for (int64_t i = 0; i < n && err == LW_OK; i++) {
        if (target[i] < 0 || target[i] >= post.size)
            err = LW_FAIL(
                LW_EFILE, "%s: array %s has target %lld", lw_h5_reader_path(r), path.text, (long long)target[i]);
        else
            (*dest)[i] = lw_net_owner(net, post.gid_begin + target[i]);
    }
    lw_free(target);
    return err;
}

/* Slabs ascend in the canonical order, and so do a rank's own synapses: the i-th to arrive is the i-th of its list. */
static lw_err weights_load(const lw_h5_reader *r, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    const lw_comm *comm = lw_net_comm(net);
    int64_t all = lw_net_proj(net, block->proj).n_edges_global, n_mine = 0, *number = NULL;
    lw_slab slab = lw_slab_range(all, lw_comm_rank(comm), lw_comm_size(comm));
    int64_t n = slab.hi - slab.lo;
    int32_t *dest = NULL;
    double *data = NULL, *mine = NULL;
    if (all == 0) return LW_OK;
    lw_err err = owners_find(r, net, block->proj, slab, &dest);
    if (err == LW_OK) err = lw_net_edges(net, block->proj, NULL, &number, &n_mine);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *data, "weights to load", &data);
    if (err == LW_OK) err = lw_alloc((size_t)n_mine, sizeof *mine, "weights to load", &mine);
    err = lw_comm_agree(comm, err);
    for (int v = 0; v < lw_trainer_n_vectors(trainer) && err == LW_OK; v++) {
        double *x = lw_trainer_vector(trainer, v) + block->offset;
        checkpoint_path path = block_path(trainer, v, net, block);
        err = checkpoint_shape_check(r, path.text, all, 1);
        if (err == LW_OK) err = lw_h5_reader_array(r, path.text, H5T_NATIVE_DOUBLE, slab.lo, n, data);
        err = lw_comm_agree(comm, err);
        if (err == LW_OK) err = lw_slab_scatter(comm, n, dest, data, sizeof *data, path.text, n_mine, mine);
        for (int64_t i = 0; i < n_mine && err == LW_OK; i++)
            x[number[i]] = mine[i];
    }
    lw_free(mine);
    lw_free(data);
    lw_free(number);
    lw_free(dest);
    return err;
}

static lw_err params_load(const lw_h5_reader *r, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    for (int v = 0; v < lw_trainer_n_vectors(trainer); v++) {
        checkpoint_path path = block_path(trainer, v, net, block);
        double *x = lw_trainer_vector(trainer, v) + block->offset;
        LW_TRY(checkpoint_neurons_load(r, net, block->pop, path.text, H5T_NATIVE_DOUBLE, 1, x));
    }
    return LW_OK;
}

static lw_err block_load(const lw_h5_reader *r, const lw_net *net, lw_trainer *trainer, const lw_theta_block *block) {
    if (block->tied) return tied_load(r, net, trainer, block);
    if (block->is_weight || block->is_delay) return weights_load(r, net, trainer, block);
    return params_load(r, net, trainer, block);
}

lw_err lw_checkpoint_trainer(lw_checkpoint *checkpoint, lw_trainer *trainer) {
    const lw_h5_reader *r = checkpoint->reader;
    const lw_net *net = lw_trainer_net(trainer);
    const lw_comm *comm = lw_net_comm(net);
    const lw_theta *theta = lw_trainer_theta(trainer);
    lw_trainer_state state = {0};
    lw_metrics *metrics = NULL;
    int64_t n = 0;
    lw_err err = LW_OK;
    if (!checkpoint->info.has_trainer)
        err = LW_FAIL(LW_EFILE, "%s: holds no state of a training", lw_h5_reader_path(r));
    if (err == LW_OK) err = state_load(r, &state);
    if (err == LW_OK) err = metrics_load(r, &metrics, &n);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) err = lw_trainer_vectors_open(trainer, LW_VECTORS_EMPTY);
    for (int32_t b = 0; b < theta->n_blocks && err == LW_OK; b++)
        err = block_load(r, net, trainer, &theta->block[b]);
    lw_trainer_vectors_close(trainer, err == LW_OK);
    if (err == LW_OK) err = lw_comm_agree(comm, lw_trainer_metrics_set(trainer, metrics, n));
    if (err == LW_OK) *lw_trainer_state_get(trainer) = state;
    lw_free(metrics);
    return err;
}
