/* SPDX-License-Identifier: BSD-3-Clause
 *
 * job.c: making a job from an experiment or a checkpoint, moving its network between process grids, and saving it.
 */
#include "job.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_checkpoint(const char *path) {
    struct stat st;
    size_t n = strlen(path);
    return (n > 3 && !strcmp(path + n - 3, ".h5")) || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* overrides: the checkpoint's own, the command line's, --seed */
static lw_err read_experiment(job *j) {
    const cmd_options *o = j->options;
    lw_checkpoint_info info = {0};
    char seed[40];
    const char **all = NULL;
    int n = 0;
    if (j->checkpoint) info = lw_checkpoint_info_get(j->checkpoint);
    LW_TRY(lw_alloc((size_t)(info.n_overrides + o->n_set + 2), sizeof *all, "overrides", &all));
    for (int i = 0; i < info.n_overrides; i++)
        all[n++] = info.override[i];
    for (int i = 0; i < o->n_set; i++)
        all[n++] = o->set[i];
    if (o->seed >= 0) {
        snprintf(seed, sizeof seed, "seed=%lld", (long long)o->seed);
        all[n++] = seed;
    }
    lw_err err = j->checkpoint ? lw_comm_agree(j->world,
                                     lw_experiment_parse(info.experiment_name, info.experiment, all, n, &j->experiment))
                               : lw_experiment_read(j->world, o->file, all, n, &j->experiment);
    lw_free(all);
    return err;
}

static lw_err choose_out(job *j) {
    if (j->options->out) {
        j->out = j->options->out;
    } else {
        LW_TRY(lw_alloc(strlen(j->experiment->name) + 8, 1, "output folder", &j->out_owned));
        sprintf(j->out_owned, "out/%s", j->experiment->name);
        j->out = j->out_owned;
    }
    return lw_comm_agree(j->world, lw_comm_rank(j->world) == 0 ? lw_directory_make(j->out) : LW_OK);
}

/* --resume: the newest whole checkpoint of the output folder, when there is one */
static lw_err find_resume(job *j) {
    char link[4096];
    int64_t found = 0;
    snprintf(link, sizeof link, "%s/checkpoint.h5", j->out);
    if (lw_comm_rank(j->world) == 0) found = access(link, F_OK) == 0;
    lw_comm_max_i64(j->world, &found, 1);
    if (!found) {
        lw_log(LW_LOG_INFO, "no checkpoint in %s: starting from the beginning", j->out);
        return LW_OK;
    }
    return lw_checkpoint_open(j->world, link, &j->checkpoint);
}

/* the stages of this command, and where a checkpoint stands in them */
static lw_err choose_stages(job *j) {
    static const lw_stage single[] = {
        LW_STAGE_SIMULATE, LW_STAGE_TRAIN, LW_STAGE_EVALUATE, LW_STAGE_LYAPUNOV, LW_STAGE_PRUNE};
    const lw_experiment *x = j->experiment;
    const char *command = j->options->command;
    bool run = !strcmp(command, "run");
    j->stage = x->stage;
    j->n_stages = x->n_stages;
    for (int s = 0; !run && s < 5; s++) {
        if (strcmp(lw_stage_name(single[s]), command)) continue;
        j->stage = &single[s];
        j->n_stages = 1;
    }
    LW_CHECK(j->n_stages > 0, LW_EUSE,
        "%s: found no \"stages\", allowed: a list such as stages: [simulate], or another command than run", x->file);
    for (int s = 0; s < j->n_stages; s++) {
        LW_CHECK(j->stage[s] != LW_STAGE_SIMULATE || x->steps > 0, LW_EUSE,
            "%s: simulate needs time.duration of at least one dt", x->file);
        LW_CHECK(j->stage[s] != LW_STAGE_TRAIN || (x->has_train && x->train_data.present), LW_EUSE,
            "%s: train needs the sections \"train\" and data.train", x->file);
        LW_CHECK(j->stage[s] != LW_STAGE_EVALUATE || x->has_train, LW_EUSE,
            "%s: evaluate needs the section \"train\" (read-out and loss)", x->file);
        LW_CHECK(j->stage[s] != LW_STAGE_PRUNE || x->prune.pop >= 0, LW_EUSE, "%s: prune needs a recurrent projection",
            x->file);
    }
    if (!j->checkpoint) return LW_OK;
    lw_checkpoint_info info = lw_checkpoint_info_get(j->checkpoint);
    j->step = info.step;
    if (run || j->options->resume) {
        j->stage_index = info.stage_index + (info.stage_done ? 1 : 0);
        if (!run) j->stage_index = info.stage_done && !strcmp(info.stage, command) ? 1 : 0;
    }
    j->continues = j->stage_index < j->n_stages && !info.stage_done &&
                   !strcmp(info.stage, lw_stage_name(j->stage[j->stage_index]));
    if (run || j->options->resume) { /* what was found before the checkpoint belongs to the summary */
        json_t *before = info.results ? json_loads(info.results, 0, NULL) : NULL;
        if (json_is_object(before)) {
            json_decref(j->results);
            j->results = before;
            j->stages = json_object_get(before, "stages");
            before = NULL;
        }
        json_decref(before);
    }
    lw_log(LW_LOG_INFO, "from %s: stage %s %s", info.path, info.stage, info.stage_done ? "was done" : "goes on");
    return LW_OK;
}

static lw_err create_grids(job *j) {
    const lw_experiment *x = j->experiment;
    int replicas = j->options->replicas >= 0 ? j->options->replicas : x->has_train ? x->replicas : 1;
    if (replicas == 0) replicas = lw_comm_size(j->world);
    LW_TRY(lw_grid_create(j->world, 1, &j->whole));
    return lw_grid_create(j->world, replicas, &j->spread);
}

lw_err job_create(lw_comm *world, const cmd_options *options, job **out) {
    job *j = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *j, "job", &j));
    j->options = options;
    j->world = world;
    j->start = lw_time_now();
    j->results = json_object();
    LW_TRY_TO(watch_create(world, options, &j->watch), done);
    if (is_checkpoint(options->file)) LW_TRY_TO(lw_checkpoint_open(world, options->file, &j->checkpoint), done);
    LW_TRY_TO(read_experiment(j), done);
    LW_TRY_TO(choose_out(j), done);
    if (options->resume && !j->checkpoint) LW_TRY_TO(find_resume(j), done);
    LW_TRY_TO(lw_comm_agree(world, choose_stages(j)), done);
    if (!j->stages) json_object_set_new(j->results, "stages", j->stages = json_array());
    LW_TRY_TO(create_grids(j), done);
    j->net_changed = j->checkpoint && lw_checkpoint_info_get(j->checkpoint).has_net;
done:
    if (err != LW_OK) job_destroy(&j);
    *out = j;
    return err;
}

void job_destroy(job **job_pointer) {
    job *j = *job_pointer;
    if (!j) return;
    lw_trainer_destroy(&j->trainer);
    lw_sim_destroy(&j->sim);
    lw_lyapunov_destroy(&j->dense_spectrum);
    lw_net_destroy(&j->net);
    lw_checkpoint_close(&j->checkpoint);
    lw_experiment_destroy(&j->experiment);
    lw_grid_destroy(&j->whole);
    lw_grid_destroy(&j->spread);
    watch_destroy(&j->watch);
    json_decref(j->results);
    lw_free(j->out_owned);
    lw_free(j);
    *job_pointer = NULL;
}

/* A network that the experiment alone describes is built where it is wanted; one that was pruned or trained moves
 * through a checkpoint, which any number of ranks can read. */
lw_err job_place(job *j, const lw_grid *grid) {
    if (j->net && j->net_grid->parts == grid->parts) {
        j->net_grid = grid;
        return LW_OK;
    }
    watch_pause(j->watch);
    double begun = lw_time_now();
    lw_err err = LW_OK;
    if (j->net && j->net_changed) {
        LW_TRY(job_save(j, false));
        lw_checkpoint_close(&j->checkpoint);
        LW_TRY(lw_checkpoint_open(j->world, j->out, &j->checkpoint));
    }
    lw_net_destroy(&j->net);
    if (j->net_changed)
        err = lw_checkpoint_net(
            j->checkpoint, grid->part, j->experiment->net.partition, j->experiment->net.threads, &j->net);
    else
        err = lw_net_create(grid->part, &j->experiment->net, &j->net);
    LW_TRY(lw_comm_agree(j->world, err));
    j->net_grid = grid;
    job_wall_add(j, "build", lw_time_now() - begun);
    watch_resume(j->watch);
    return LW_OK;
}

void job_net_replace(job *j, lw_net *net) {
    lw_net_destroy(&j->net);
    j->net = net;
    j->net_changed = true;
}

/* rank 0's results as text on every rank: what goes into a file must be equal everywhere, and times are not. Caller
 * frees. */
static lw_err results_text(job *j, char **out) {
    char *text = lw_comm_rank(j->world) == 0 ? json_dumps(j->results, JSON_COMPACT) : NULL;
    int64_t bytes = text ? (int64_t)strlen(text) + 1 : 0;
    *out = NULL;
    lw_comm_bcast(j->world, &bytes, sizeof bytes, 0);
    lw_err err = bytes ? lw_alloc((size_t)bytes, 1, "results", out) : LW_FAIL(LW_EMEM, "no memory for the results");
    if (err == LW_OK && text) memcpy(*out, text, (size_t)bytes);
    free(text);
    err = lw_comm_agree(j->world, err);
    if (err == LW_OK)
        lw_comm_bcast(j->world, *out, bytes, 0);
    else
        lw_free(*out);
    return err;
}

/* The experiment's place in full, so that its data are found wherever the checkpoint is used; rank 0's word. */
static void full_path(job *j, char path[PATH_MAX]) {
    if (lw_comm_rank(j->world) == 0 && !realpath(j->experiment->file, path))
        snprintf(path, PATH_MAX, "%s", j->experiment->file);
    lw_comm_bcast(j->world, path, PATH_MAX, 0);
}

lw_err job_save(job *j, bool stage_done) {
    char *results = NULL, path[PATH_MAX];
    double seconds = 0;
    LW_TRY(results_text(j, &results));
    full_path(j, path);
    lw_checkpoint_content content = {.experiment = j->experiment->text,
        .experiment_name = path,
        .override = j->experiment->override,
        .n_overrides = j->experiment->n_overrides,
        .stage = lw_stage_name(j->stage[j->stage_index]),
        .stage_index = j->stage_index,
        .stage_done = stage_done,
        .step = ++j->step,
        .results = results,
        .command = j->options->line,
        .net = j->net,
        .sim = j->sim,
        .trainer = j->trainer};
    if (j->sim && lw_sim_step(j->sim) > j->step) content.step = j->step = lw_sim_step(j->sim);
    watch_pause(j->watch);
    lw_err err = lw_checkpoint_write(j->net_grid, j->out, &content, j->experiment->checkpoint_keep, &seconds);
    watch_resume(j->watch);
    j->save_seconds += seconds;
    lw_free(results);
    return err;
}

lw_err job_save_running(void *payload) {
    return job_save(payload, false);
}

lw_err job_training(lw_comm *world, const cmd_options *options, job **out, lw_batch_source *data) {
    cmd_options as_train = *options;
    as_train.command = lw_stage_name(LW_STAGE_TRAIN);
    LW_TRY(job_create(world, &as_train, out));
    const lw_experiment *x = (*out)->experiment;
    (*out)->options = options;
    lw_err err = job_place(*out, (*out)->spread);
    if (err == LW_OK) err = lw_comm_agree(world, lw_experiment_data(x, &x->train_data, data));
    if (err != LW_OK) job_destroy(out);
    return err;
}

lw_sim_options job_sim_options(const job *j) {
    lw_sim_options o = lw_sim_options_default();
    o.surrogate = j->experiment->lyapunov_surrogate;
    o.reset_detached = j->experiment->lyapunov_reset_detached;
    o.stimulus = j->experiment->stimulus;
    o.n_stimuli = j->experiment->n_stimuli;
    o.threads = j->experiment->net.threads;
    return o;
}
