/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_stages.c: run and its one-stage forms. Stages go in order over one job; a stop request leaves a checkpoint of the
 * running stage.
 */
#include "job.h"

#include <stdio.h>
#include <string.h>

static lw_err run_stage(job *j) {
    switch (j->stage[j->stage_index]) {
    case LW_STAGE_SIMULATE:
        return stage_simulate(j);
    case LW_STAGE_TRAIN:
        return stage_train(j);
    case LW_STAGE_EVALUATE:
        return stage_evaluate(j);
    case LW_STAGE_LYAPUNOV:
        return stage_lyapunov(j);
    case LW_STAGE_PRUNE:
        return stage_prune(j);
    }
    return LW_OK;
}

/* A stop between safe points of a stage saves what the stage left in the job; the stop's own message is kept. */
static lw_err save_on_stop(job *j, lw_err stop) {
    char why[600];
    snprintf(why, sizeof why, "%s", lw_err_message());
    lw_err_clear();
    lw_err err = j->net ? job_save(j, false) : LW_OK;
    lw_trainer_destroy(&j->trainer);
    lw_sim_destroy(&j->sim);
    if (err != LW_OK) return err;
    if (j->net) job_finish(j) == LW_OK ? (void)0 : lw_err_clear();
    return LW_FAIL(
        stop, "%s; continue with --resume, or: lapwing %s %s/checkpoint.h5", why, j->options->command, j->out);
}

lw_err cmd_stages(lw_comm *world, const cmd_options *options) {
    job *j = NULL;
    LW_TRY(job_create(world, options, &j));
    lw_err err = LW_OK;
    for (; j->stage_index < j->n_stages && err == LW_OK; j->stage_index++) {
        watch_resume(j->watch);
        err = run_stage(j);
        if (err == LW_ESTOP) {
            err = save_on_stop(j, err);
            break;
        }
        lw_trainer_destroy(&j->trainer);
        lw_sim_destroy(&j->sim);
        j->continues = false;
    }
    if (err == LW_OK && !j->net) err = job_place(j, j->whole);
    if (err == LW_OK) err = job_finish(j);
    job_destroy(&j);
    return err;
}
