/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lw_checkpoint_write: the order of things. Replica 0 writes a temporary file with all its ranks, the first rank of the
 * world publishes it; every rank of every replica learns the outcome of each stage before the next one begins.
 */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>
#include "checkpoint.h"

static lw_err content_check(const lw_checkpoint_content *c) {
    LW_CHECK(c->step >= 0, LW_EUSE, "a checkpoint of step %lld; allowed are steps from 0", (long long)c->step);
    if (c->sim && lw_sim_options_get(c->sim)->width != 1)
        return LW_FAIL(
            LW_EUSE, "an engine with %d lanes cannot be saved, allowed is 1", lw_sim_options_get(c->sim)->width);
    LW_ASSERT(!c->trainer || c->net);
    if (c->sim) LW_TRY(checkpoint_names_check(lw_sim_net(c->sim)));
    return c->net ? checkpoint_names_check(c->net) : LW_OK;
}

static lw_err experiment_save(lw_h5_writer *w, const lw_checkpoint_content *c) {
    LW_TRY(lw_h5_writer_group(w, "/experiment"));
    LW_TRY(lw_h5_writer_string(w, "/experiment", "name", c->experiment_name ? c->experiment_name : ""));
    LW_TRY(lw_h5_writer_string(w, "/experiment", "stage", c->stage ? c->stage : ""));
    LW_TRY(lw_h5_writer_i64(w, "/experiment", "stage_index", c->stage_index));
    LW_TRY(lw_h5_writer_i64(w, "/experiment", "stage_done", c->stage_done));
    if (c->experiment) LW_TRY(lw_h5_writer_text(w, "/experiment/text", c->experiment, "experiment file"));
    if (c->results) LW_TRY(lw_h5_writer_text(w, "/experiment/results", c->results, "results of finished stages, JSON"));
    if (c->n_overrides > 0)
        LW_TRY(lw_h5_writer_texts(
            w, "/experiment/overrides", c->override, c->n_overrides, "key=value, applied in this order"));
    return LW_OK;
}

static lw_err content_save(lw_h5_writer *w, const lw_comm *comm, const lw_checkpoint_content *c) {
    LW_TRY(lw_h5_writer_head(w, CHECKPOINT_FORMAT));
    LW_TRY(lw_h5_writer_i64(w, "/", "step", c->step));
    LW_TRY(experiment_save(w, c));
    if (c->sim) lw_sim_weights_settle(c->sim); /* before the network, which holds the weights */
    if (c->net) LW_TRY(checkpoint_net_save(w, comm, c->net));
    if (c->sim) LW_TRY(checkpoint_sim_save(w, comm, c->sim));
    if (c->trainer) LW_TRY(checkpoint_trainer_save(w, comm, c->net, c->trainer));
    return lw_h5_writer_provenance(w, c->command);
}

static lw_err file_write(const lw_comm *comm, const char *path, const lw_checkpoint_content *c) {
    lw_h5_writer *w = NULL;
    LW_TRY(lw_h5_writer_create(comm, path, &w));
    lw_err err = content_save(w, comm, c);
    if (err == LW_OK) return lw_h5_writer_close(&w);
    lw_h5_writer_abandon(&w);
    return err;
}

static lw_err folder_prepare(const char *dir) {
    LW_TRY(lw_directory_make(dir));
    checkpoint_leftovers_remove(dir);
    return LW_OK;
}

lw_err lw_checkpoint_write(
    const lw_grid *grid, const char *dir, const lw_checkpoint_content *content, int keep, double *seconds) {
    char name[64], temporary[PATH_MAX];
    double start = lw_time_now();
    bool first = lw_comm_rank(grid->world) == 0;
    lw_err err = content_check(content);
    (void)snprintf(name, sizeof name, "checkpoint-%lld.h5", (long long)content->step);
    if (err == LW_OK && snprintf(temporary, sizeof temporary, "%s/%s.tmp", dir, name) >= (int)sizeof temporary)
        err = LW_FAIL(LW_EUSE, "%s: the path is too long", dir);
    if (err == LW_OK && first) err = folder_prepare(dir);
    LW_TRY(lw_comm_agree(grid->world, err));
    if (content->trainer) LW_TRY(lw_trainer_vectors_open(content->trainer, LW_VECTORS_FIRST));
    if (grid->replica == 0) err = file_write(grid->part, temporary, content);
    if (content->trainer) lw_trainer_vectors_close(content->trainer, false);
    err = lw_comm_agree(grid->world, err);
    if (err == LW_OK) {
        if (first) err = checkpoint_publish(dir, temporary, name, keep);
        err = lw_comm_agree(grid->world, err);
    }
    if (err != LW_OK && first) (void)unlink(temporary);
    if (seconds) *seconds = lw_time_now() - start;
    return err;
}
