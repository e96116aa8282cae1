/* SPDX-License-Identifier: BSD-3-Clause
 *
 * job.h: the work of one command on one experiment: where the network stands, what was found so far, how it is saved,
 * and the watch that every long loop calls. Stages take a job and add to its results.
 */
#ifndef LAPWING_CLI_JOB_H
#define LAPWING_CLI_JOB_H

#include "cmd.h"

/* ------------------------------------------------------------------ watch (watch.c) */

typedef struct watch watch;
/** Install signal handlers (TERM, INT, USR1, USR2: stop at the next safe point), progress on rank 0, and the stall
 * alarm. **Collective**. */
lw_err watch_create(const lw_comm *world, const cmd_options *options, watch **out) LW_MUST_CHECK;
void watch_destroy(watch **w);
/** The door for loops. */
lw_watch watch_door(watch *w);
/** `save` is called (**Collective**) from inside ticks when `every` seconds have passed since the last save; NULL:
 * never. */
void watch_save_every(watch *w, double every, lw_err (*save)(void *payload), void *payload);
/** Nothing counts as a stall between these two (building, writing files). */
void watch_pause(watch *w);
void watch_resume(watch *w);

/* ------------------------------------------------------------------ job (job.c, summary.c) */

typedef struct job {
    const cmd_options *options;
    lw_comm *world;
    lw_grid *whole;  /* one replica over all ranks: simulate, lyapunov, prune */
    lw_grid *spread; /* the replicas of training and evaluation; may equal whole */
    lw_experiment *experiment;
    lw_checkpoint *checkpoint; /* what the job resumed or started from; NULL */
    lw_net *net;
    const lw_grid *net_grid; /* where net stands now */
    bool net_changed;        /* not what the experiment alone would build */
    watch *watch;
    const char *out; /* output folder */
    char *out_owned;
    json_t *results; /* summary.json */
    json_t *stages;  /* results.stages */
    double start, save_seconds;
    const lw_stage *stage; /* the stages of this command */
    int n_stages, stage_index;
    bool continues;              /* the checkpoint was made inside stage[stage_index]: its state is to be taken up */
    lw_lyapunov *dense_spectrum; /* of the first lyapunov stage, for the spectrum distance */
    /* what a save writes besides the network */
    lw_sim *sim;
    lw_trainer *trainer;
    int64_t step; /* number in the file name: grows over the job */
} job;

/** From the options' file: an experiment (YAML) or a checkpoint (HDF5). **Collective**. */
lw_err job_create(lw_comm *world, const cmd_options *options, job **out) LW_MUST_CHECK;
/** For a command about the training problem: as job_create, of the stage `train`, with the network in its place and
 * data.train open; the caller destroys both. **Collective**. */
lw_err job_training(lw_comm *world, const cmd_options *options, job **out, lw_batch_source *data) LW_MUST_CHECK;
void job_destroy(job **j);
/** Make the network stand on this grid. **Collective**. */
lw_err job_place(job *j, const lw_grid *grid) LW_MUST_CHECK;
/** The net was replaced (pruning): takes ownership. */
void job_net_replace(job *j, lw_net *net);
/** Write a checkpoint of the present state. stage_done: the running stage is finished. **Collective**. */
lw_err job_save(job *j, bool stage_done) LW_MUST_CHECK;
/** The same for a stage that goes on; payload is the job (a callback of the watch). */
lw_err job_save_running(void *payload) LW_MUST_CHECK;
/** Add seconds to results.wall_s.<key>. */
void job_wall_add(job *j, const char *key, double seconds);
/** Add a finished stage's object (stolen) to results: its keys also become the newest ones at top level. */
void job_result(job *j, const char *stage, json_t *object, double seconds);
/** summary.json, and standard output for --json. **Collective**. */
lw_err job_finish(job *j) LW_MUST_CHECK;
/** Engine options for the stages that follow one trajectory (simulate, lyapunov, prune). */
lw_sim_options job_sim_options(const job *j);

/* ------------------------------------------------------------------ outputs of a simulation (outputs.c) */

typedef struct outputs outputs;
/** Ask the engine to record what the experiment wants, and create the files; those of a resumed run stand beside the
 * older ones and carry its first step in their names. *out is set on failure too (close and destroy it).
 * **Collective**, as all that follow but the small ones. */
lw_err outputs_open(job *j, outputs **out) LW_MUST_CHECK;
/** Steps to advance between two calls of outputs_step. **Local**. */
int64_t outputs_slice(const outputs *o);
/** Write when it is time. */
lw_err outputs_step(outputs *o) LW_MUST_CHECK;
/** Write all that was recorded. */
lw_err outputs_write(outputs *o) LW_MUST_CHECK;
/** *o may be NULL. */
lw_err outputs_close(outputs *o) LW_MUST_CHECK;
/** Seconds spent on this rank in writing. **Local**. */
double outputs_seconds(const outputs *o);
job *outputs_job(const outputs *o);
void outputs_destroy(outputs **o);

/* statistics.c */
/** The activity per population, as JSON and as a table in the log. **Collective**. */
lw_err statistics_report(job *j, json_t **out) LW_MUST_CHECK;

lw_err stage_simulate(job *j) LW_MUST_CHECK;
lw_err stage_train(job *j) LW_MUST_CHECK;
/** train.initialize, on a network that is as the experiment built it. The network stands on the training's grid. */
lw_err stage_initialize(job *j, const lw_batch_source *data) LW_MUST_CHECK;
lw_err stage_evaluate(job *j) LW_MUST_CHECK;
lw_err stage_lyapunov(job *j) LW_MUST_CHECK;
lw_err stage_prune(job *j) LW_MUST_CHECK;

/** A number for JSON: null when not finite. */
json_t *job_real(double x);

#endif
