/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The state of an engine in a checkpoint: every state variable, refractory counters, what was emitted during the last
 * delay_max steps (so that spikes in flight still arrive), spike counts and statistics. Times of the statistics are not
 * saved.
 */
#include <string.h>
#include "checkpoint.h"

/* Values emitted as the file keeps them: spikes are 0 or 1. */
static bool emits_bytes(const lw_sim *sim, const lw_model *model) {
    return model->emits_spikes && !lw_sim_options_get(sim)->smooth;
}

static checkpoint_path pop_group(const char *name) {
    return checkpoint_at("/state/%s", checkpoint_name(name).text);
}

/* ---- save */

/* [n_local, depth] from per-step lists; oldest last */
static lw_err emitted_save(lw_h5_writer *w, const lw_comm *comm, const lw_sim *sim, int p, double *column) {
    lw_pop_view pop = lw_net_pop(lw_sim_net(sim), p);
    int32_t depth = lw_net_delay_max(lw_sim_net(sim));
    bool bytes = emits_bytes(sim, pop.model);
    void *rows = NULL;
    checkpoint_path path = checkpoint_at("%s/emitted", pop_group(pop.name).text);
    lw_h5_array array = {.path = path.text,
        .type = bytes ? H5T_NATIVE_UINT8 : H5T_NATIVE_DOUBLE,
        .n = pop.size,
        .row = depth,
        .unit = "1",
        .about = "value emitted 1, 2, ... steps ago"};
    lw_err err = lw_alloc((size_t)pop.n_local * (size_t)depth, bytes ? 1 : sizeof(double), "emitted values", &rows);
    LW_TRY(lw_comm_agree(comm, err));
    for (int32_t back = 1; back <= depth; back++) {
        lw_sim_history_get(sim, p, back, column);
        for (int64_t k = 0; k < pop.n_local; k++) {
            if (bytes)
                ((uint8_t *)rows)[k * depth + back - 1] = (uint8_t)column[k];
            else
                ((double *)rows)[k * depth + back - 1] = column[k];
        }
    }
    err = checkpoint_neurons_save(w, comm, &pop, &array, rows);
    lw_free(rows);
    return err;
}

/* column: [n_local] scratch, large enough for any type here */
static lw_err pop_save(lw_h5_writer *w, const lw_comm *comm, const lw_sim *sim, int p, double *column) {
    const lw_net *net = lw_sim_net(sim);
    lw_pop_view pop = lw_net_pop(net, p);
    checkpoint_path group = pop_group(pop.name);
    LW_TRY(lw_h5_writer_group(w, group.text));
    LW_TRY(lw_h5_writer_group(w, checkpoint_at("%s/variables", group.text).text));
    for (int32_t i = 0; i < pop.model->n_state; i++) {
        const lw_model_name *state = &pop.model->state[i];
        checkpoint_path path = checkpoint_at("%s/variables/%s", group.text, state->name);
        checkpoint_path unit = checkpoint_unit(state->unit, state->scale);
        lw_h5_array array = {
            .path = path.text, .type = H5T_NATIVE_DOUBLE, .n = pop.size, .unit = unit.text, .about = state->about};
        lw_sim_state_get(sim, p, i, column);
        LW_TRY(checkpoint_neurons_save(w, comm, &pop, &array, column));
    }
    if (pop.model->has_refractory) {
        checkpoint_path path = checkpoint_at("%s/refractory", group.text);
        lw_h5_array array = {
            .path = path.text, .type = H5T_NATIVE_INT32, .n = pop.size, .unit = "1", .about = "refractory steps left"};
        lw_sim_refractory_get(sim, p, (int32_t *)column);
        LW_TRY(checkpoint_neurons_save(w, comm, &pop, &array, column));
    }
    checkpoint_path path = checkpoint_at("%s/spike_count", group.text);
    lw_h5_array array = {
        .path = path.text, .type = H5T_NATIVE_INT64, .n = pop.size, .unit = "1", .about = "spikes since the start"};
    LW_TRY(checkpoint_neurons_save(w, comm, &pop, &array, lw_sim_spike_counts(sim) + pop.lid_begin));
    return emitted_save(w, comm, sim, p, column);
}

static lw_err head_save(lw_h5_writer *w, const lw_comm *comm, const lw_sim *sim) {
    lw_sim_stats s = lw_sim_stats_get(sim);
    /* sums modulo 2^64, as the checksum wants them */
    int64_t sum[3] = {s.spikes, s.synaptic_events, (int64_t)s.spike_checksum};
    lw_comm_sum_i64(comm, sum, 3);
    LW_TRY(lw_h5_writer_group(w, "/state"));
    LW_TRY(lw_h5_writer_i64(w, "/state", "step", lw_sim_step(sim)));
    LW_TRY(lw_h5_writer_i64(w, "/state", "steps", s.steps));
    LW_TRY(lw_h5_writer_i64(w, "/state", "spikes", sum[0]));
    LW_TRY(lw_h5_writer_i64(w, "/state", "synaptic_events", sum[1]));
    return lw_h5_writer_u64(w, "/state", "spike_checksum", (uint64_t)sum[2]);
}

/* ---- plastic synapses: sources and targets, one group per projection */

static lw_h5_array plastic_array(const char *path, const lw_pop_view *pop, int64_t row, const char *about) {
    return (lw_h5_array){
        .path = path, .type = H5T_NATIVE_DOUBLE, .n = pop->size, .row = row, .unit = "internal", .about = about};
}

static lw_err plastic_save(lw_h5_writer *w, const lw_comm *comm, lw_sim *sim, int k) {
    const lw_net *net = lw_sim_net(sim);
    lw_proj_view v = lw_net_proj(net, k);
    lw_pop_view pre = lw_net_pop(net, v.pre), post = lw_net_pop(net, v.post);
    int64_t n_pre = 1 + v.synapse->n_pre, n_post = 1 + v.synapse->n_post, depth = lw_sim_targets_depth(sim, k);
    double *rows = NULL;
    checkpoint_path group = checkpoint_at("/plasticity/%s", checkpoint_name(v.name).text);
    LW_TRY(lw_h5_writer_group(w, group.text));
    lw_comm_max_i64(comm, &depth, 1);
    int64_t room =
        pre.n_local * n_pre > post.n_local * depth * n_post ? pre.n_local * n_pre : post.n_local * depth * n_post;
    LW_TRY(lw_comm_agree(comm, lw_alloc((size_t)room, sizeof *rows, "states of synapses", &rows)));
    checkpoint_path path = checkpoint_at("%s/sources", group.text);
    lw_h5_array array = plastic_array(path.text, &pre, n_pre,
        "step of the last spike before the last steps of `emitted` (-1: none), pre variables after it");
    lw_sim_sources_get(sim, k, rows);
    lw_err err = checkpoint_neurons_save(w, comm, &pre, &array, rows);
    if (err == LW_OK && depth > 0) {
        path = checkpoint_at("%s/targets", group.text);
        array = plastic_array(path.text, &post, depth * n_post,
            "recent spikes, oldest first: step (-1: start, -2: no entry), post variables after it");
        lw_sim_targets_get(sim, k, depth, rows);
        err = checkpoint_neurons_save(w, comm, &post, &array, rows);
    }
    lw_free(rows);
    return err;
}

static lw_err synapses_save(lw_h5_writer *w, const lw_comm *comm, lw_sim *sim) {
    bool any = false;
    for (int k = 0; k < lw_net_n_proj(lw_sim_net(sim)); k++) {
        if (!lw_sim_is_plastic(sim, k)) continue;
        if (!any) LW_TRY(lw_h5_writer_group(w, "/plasticity"));
        any = true;
        LW_TRY(plastic_save(w, comm, sim, k));
    }
    return LW_OK;
}

lw_err checkpoint_sim_save(lw_h5_writer *w, const lw_comm *comm, lw_sim *sim) {
    const lw_net *net = lw_sim_net(sim);
    double *column = NULL;
    LW_TRY(head_save(w, comm, sim));
    LW_TRY(lw_comm_agree(comm, lw_alloc((size_t)lw_net_n_local(net), sizeof *column, "state to save", &column)));
    lw_err err = LW_OK;
    for (int p = 0; p < lw_net_n_pop(net) && err == LW_OK; p++)
        err = pop_save(w, comm, sim, p, column);
    lw_free(column);
    return err == LW_OK ? synapses_save(w, comm, sim) : err;
}

/* ---- load */

static lw_err emitted_load(const lw_h5_reader *r, lw_sim *sim, int p, double *column) {
    lw_net *net = lw_sim_net(sim);
    lw_pop_view pop = lw_net_pop(net, p);
    int32_t depth = lw_net_delay_max(net);
    double *rows = NULL;
    checkpoint_path path = checkpoint_at("%s/emitted", pop_group(pop.name).text);
    lw_err err = lw_alloc((size_t)pop.n_local * (size_t)depth, sizeof *rows, "emitted values", &rows);
    err = lw_comm_agree(lw_net_comm(net), err);
    if (err == LW_OK) err = checkpoint_neurons_load(r, net, p, path.text, H5T_NATIVE_DOUBLE, depth, rows);
    for (int32_t back = 1; back <= depth && err == LW_OK; back++) {
        for (int64_t k = 0; k < pop.n_local; k++)
            column[k] = rows[k * depth + back - 1];
        lw_sim_history_set(sim, p, back, column);
    }
    lw_free(rows);
    return err;
}

static lw_err pop_load(const lw_h5_reader *r, lw_sim *sim, int p, double *column, int64_t *count) {
    const lw_net *net = lw_sim_net(sim);
    lw_pop_view pop = lw_net_pop(net, p);
    checkpoint_path group = pop_group(pop.name);
    for (int32_t i = 0; i < pop.model->n_state; i++) {
        checkpoint_path path = checkpoint_at("%s/variables/%s", group.text, pop.model->state[i].name);
        LW_TRY(checkpoint_neurons_load(r, net, p, path.text, H5T_NATIVE_DOUBLE, 1, column));
        lw_sim_state_set(sim, p, i, column);
    }
    if (pop.model->has_refractory) {
        checkpoint_path path = checkpoint_at("%s/refractory", group.text);
        LW_TRY(checkpoint_neurons_load(r, net, p, path.text, H5T_NATIVE_INT32, 1, column));
        lw_sim_refractory_set(sim, p, (const int32_t *)column);
    }
    checkpoint_path path = checkpoint_at("%s/spike_count", group.text);
    LW_TRY(checkpoint_neurons_load(r, net, p, path.text, H5T_NATIVE_INT64, 1, count + pop.lid_begin));
    return emitted_load(r, sim, p, column);
}

static lw_err head_load(const lw_h5_reader *r, int rank, int64_t *step, lw_sim_stats *stats) {
    LW_TRY(lw_h5_reader_i64(r, "/state", "step", step));
    LW_TRY(lw_h5_reader_i64(r, "/state", "steps", &stats->steps));
    if (rank != 0) return LW_OK; /* whole-network values stand on one rank */
    LW_TRY(lw_h5_reader_i64(r, "/state", "spikes", &stats->spikes));
    LW_TRY(lw_h5_reader_i64(r, "/state", "synaptic_events", &stats->synaptic_events));
    return lw_h5_reader_u64(r, "/state", "spike_checksum", &stats->spike_checksum);
}

static lw_err plastic_load(const lw_h5_reader *r, lw_sim *sim, int k) {
    const lw_net *net = lw_sim_net(sim);
    lw_proj_view v = lw_net_proj(net, k);
    int64_t n_pre = 1 + v.synapse->n_pre, n_post = 1 + v.synapse->n_post, all = 0, row = 0;
    int64_t n_source = lw_net_pop(net, v.pre).n_local, n_target = lw_net_pop(net, v.post).n_local;
    double *rows = NULL;
    checkpoint_path group = checkpoint_at("/plasticity/%s", checkpoint_name(v.name).text);
    checkpoint_path path = checkpoint_at("%s/targets", group.text);
    lw_err err = LW_OK;
    if (lw_h5_reader_has(r, path.text)) err = lw_h5_reader_shape(r, path.text, &all, &row);
    int64_t depth = row / n_post, room = n_source * n_pre > n_target * row ? n_source * n_pre : n_target * row;
    if (err == LW_OK) err = lw_alloc((size_t)room, sizeof *rows, "states of synapses", &rows);
    LW_TRY_TO(lw_comm_agree(lw_net_comm(net), err), done);
    path = checkpoint_at("%s/sources", group.text);
    LW_TRY_TO(checkpoint_neurons_load(r, net, v.pre, path.text, H5T_NATIVE_DOUBLE, n_pre, rows), done);
    LW_TRY_TO(lw_sim_sources_set(sim, k, rows), done);
    path = checkpoint_at("%s/targets", group.text);
    if (row > 0) LW_TRY_TO(checkpoint_neurons_load(r, net, v.post, path.text, H5T_NATIVE_DOUBLE, row, rows), done);
    err = lw_comm_agree(lw_net_comm(net), lw_sim_targets_set(sim, k, depth, rows));
done:
    lw_free(rows);
    return err;
}

lw_err lw_checkpoint_sim(lw_checkpoint *checkpoint, lw_sim *sim) {
    const lw_h5_reader *r = checkpoint->reader;
    const lw_net *net = lw_sim_net(sim);
    const lw_comm *comm = lw_net_comm(net);
    lw_sim_stats stats = {0};
    int64_t step = 0, *count = NULL;
    double *column = NULL;
    lw_err err = LW_OK;
    if (!checkpoint->info.has_sim) err = LW_FAIL(LW_EFILE, "%s: holds no state of a simulation", lw_h5_reader_path(r));
    if (err == LW_OK && lw_sim_options_get(sim)->width != 1)
        err = LW_FAIL(LW_EUSE, "a saved state has one lane, the engine has %d", lw_sim_options_get(sim)->width);
    if (err == LW_OK) err = head_load(r, lw_comm_rank(comm), &step, &stats);
    if (err == LW_OK) err = lw_alloc((size_t)lw_net_n_local(net), sizeof *column, "state to load", &column);
    if (err == LW_OK) err = lw_alloc((size_t)lw_net_n_local(net), sizeof *count, "state to load", &count);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    lw_sim_step_set(sim, step); /* before the history, which is told relative to it */
    for (int p = 0; p < lw_net_n_pop(net) && err == LW_OK; p++)
        err = pop_load(r, sim, p, column, count);
    if (err == LW_OK) err = lw_sim_history_share(sim);
    for (int k = 0; k < lw_net_n_proj(net) && err == LW_OK; k++)
        if (lw_sim_is_plastic(sim, k)) err = plastic_load(r, sim, k);
    if (err == LW_OK) {
        lw_sim_stats_set(sim, &stats);
        lw_sim_spike_counts_set(sim, count);
    }
done:
    lw_free(count);
    lw_free(column);
    return err;
}
