/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_plan.c: lapwing plan: a forecast for given numbers of ranks, a trial of one rank out of many (--dry-run), and the
 * calibration of the machine that both use (--calibrate).
 */
#include "plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RANKS_MOST = 64, PATH_BYTES = 4096, SAVED_SYNAPSES = 1 << 17 /* a portion of io's checkpoints */ };

typedef struct planning {
    const cmd_options *options;
    lw_experiment *experiment;
    lw_plan_machine machine;
    bool calibrated;
    char machine_path[PATH_BYTES], said[PATH_BYTES];
    double *rate; /* [n_pop] Hz */
    int ranks[RANKS_MOST], n_ranks;
    json_t *results, *list;
} planning;

/* "1,2,4" */
static lw_err ranks_parse(const char *option, const char *text, planning *x) {
    for (const char *at = text; *at;) {
        char *end = NULL;
        long long n = strtoll(at, &end, 10);
        LW_CHECK(end != at && (*end == ',' || !*end) && n >= 1 && n <= 1 << 24 && x->n_ranks < RANKS_MOST, LW_EUSE,
            "--%s: found \"%s\", allowed: up to %d numbers of ranks from 1 to %d with commas between", option, text,
            RANKS_MOST, 1 << 24);
        x->ranks[x->n_ranks++] = (int)n;
        at = *end ? end + 1 : end;
    }
    return LW_OK;
}

static lw_err ranks_choose(planning *x) {
    const cmd_options *o = x->options;
    if (o->dry_run < 0) return ranks_parse("ranks", o->ranks ? o->ranks : "1,2,4,8,16,64,256,1024,4096", x);
    LW_CHECK(o->of, LW_EUSE, "--dry-run: found no --of, allowed: --dry-run RANK --of P[,P...]");
    LW_TRY(ranks_parse("of", o->of, x));
    for (int k = 0; k < x->n_ranks; k++)
        LW_CHECK(o->dry_run < x->ranks[k], LW_EUSE, "--dry-run: found rank %d of %d, allowed: 0 to %d", o->dry_run,
            x->ranks[k], x->ranks[k] - 1);
    return LW_OK;
}

static lw_plan_options plan_options(const planning *x, int ranks) {
    return (lw_plan_options){.ranks = ranks,
        .threads = x->options->threads ? x->options->threads : x->experiment->net.threads,
        .precision = x->experiment->precision,
        .stimulus = x->experiment->stimulus,
        .n_stimuli = x->experiment->n_stimuli,
        .rate = x->rate,
        .machine = x->calibrated ? &x->machine : NULL,
        .saved_synapses = x->experiment->checkpoint_at_end ? SAVED_SYNAPSES : 0};
}

/* The calibration, with this experiment's models. */
static lw_err machine_get(planning *x) {
    const lw_net_spec *net = &x->experiment->net;
    LW_TRY(plan_machine_path(x->options->machine, x->machine_path, sizeof x->machine_path));
    LW_TRY(plan_machine_load(x->machine_path, &x->machine, &x->calibrated));
    if (!x->calibrated) {
        lw_log(LW_LOG_WARN, "no calibration in %s: no times; make one by lapwing plan --calibrate %s", x->machine_path,
            x->options->file);
        return LW_OK;
    }
    int known = x->machine.n_kernels;
    for (int p = 0; p < net->n_pop; p++)
        LW_TRY(lw_plan_calibrate_model(net->pop[p].model, x->experiment->precision, &x->machine));
    if (x->machine.n_kernels > known) {
        lw_log(LW_LOG_INFO, "measured %d model(s) that the calibration did not know", x->machine.n_kernels - known);
        LW_TRY(plan_machine_save(x->machine_path, &x->machine));
    }
    return LW_OK;
}

/* The experiment's network, grown with the ranks for --weak. */
static lw_err network(const planning *x, int ranks, lw_net_spec *out) {
    return lw_plan_grow(&x->experiment->net, x->options->weak ? ranks : 1, out);
}

static lw_err forecast(planning *x) {
    const char *title = x->options->weak ? "the network grows with the ranks" : "the network stays";
    if (!x->options->json) {
        printf("plan of %s: %s; the fullest rank; rates: %s\n", x->experiment->name, title, x->said);
        plan_table_begin(stdout, x->calibrated ? &x->machine : NULL);
    }
    bool bound = false, rough = false;
    for (int k = 0; k < x->n_ranks; k++) {
        lw_plan_options options = plan_options(x, x->ranks[k]);
        lw_net_spec net;
        lw_plan plan;
        LW_TRY(network(x, x->ranks[k], &net));
        lw_err err = lw_plan_make(&net, &options, &plan);
        lw_plan_grown_free(&net);
        LW_TRY(err);
        if (!x->options->json) plan_table_row(stdout, &plan, x->experiment->net.dt, x->calibrated);
        json_array_append_new(x->list, plan_json(&plan, x->experiment->net.dt, x->calibrated));
        bound = bound || plan.halo_is_bound;
        rough = rough || plan.halo_is_rough;
    }
    if (x->options->json) return LW_OK;
    if (bound) printf("partition scotch: the halo is that of blocks, an upper bound\n");
    if (rough) printf("the halo is estimated from some of the sources\n");
    if (x->calibrated)
        printf("times: calibration of %s (%s), messages %s\n", x->machine.host, x->machine.cpu,
            x->machine.has_network ? "measured between its ranks" : "assumed (2 us, 5 GB/s): calibrate under mpirun");
    return LW_OK;
}

static lw_err trials(planning *x) {
    if (!x->options->json) {
        printf("dry run of %s: one rank is built and run here, the others fire at %s\n", x->experiment->name, x->said);
        trial_table_begin(stdout);
    }
    int64_t steps = x->options->steps ? x->options->steps : x->experiment->steps;
    for (int k = 0; k < x->n_ranks; k++) {
        lw_plan_options options = plan_options(x, x->ranks[k]);
        lw_net_spec net;
        lw_plan plan;
        lw_plan_trial trial;
        LW_TRY(network(x, x->ranks[k], &net));
        lw_err err = lw_plan_trial_run(&net, &options, x->options->dry_run, steps, NULL, &trial);
        if (err == LW_OK) err = lw_plan_make(&net, &options, &plan);
        lw_plan_grown_free(&net);
        LW_TRY(err);
        double messages = 0;
        if (x->calibrated)
            messages = (plan.worst.messages * x->machine.s_message + plan.worst.bytes * x->machine.s_byte) /
                       (double)plan.epoch_steps;
        if (!x->options->json) trial_table_row(stdout, &trial, messages, x->experiment->net.dt);
        json_array_append_new(x->list, trial_json(&trial, messages, x->experiment->net.dt));
        fflush(stdout);
    }
    if (!x->options->json)
        printf("the time of messages is %s; waiting for slower ranks is in no column\n",
            x->calibrated ? "modelled from the calibration" : "left out (no calibration)");
    return LW_OK;
}

static lw_err save(planning *x) {
    char folder[PATH_BYTES], path[PATH_BYTES];
    if (x->options->out)
        snprintf(folder, sizeof folder, "%s", x->options->out);
    else
        snprintf(folder, sizeof folder, "out/%s", x->experiment->name);
    LW_TRY(lw_directory_make(folder));
    snprintf(path, sizeof path, "%s/%s", folder, x->options->dry_run < 0 ? "plan.json" : "dry-run.json");
    char *text = json_dumps(x->results, JSON_INDENT(1) | JSON_REAL_PRECISION(12));
    LW_CHECK(text, LW_EMEM, "no memory for the plan");
    lw_err err = lw_text_save(path, text);
    if (x->options->json) printf("%s\n", text);
    free(text);
    if (err == LW_OK) lw_log(LW_LOG_INFO, "plan in %s", path);
    return err;
}

static json_t *rates_json(const planning *x) {
    json_t *o = json_object();
    for (int p = 0; p < x->experiment->net.n_pop; p++)
        json_object_set_new(o, x->experiment->net.pop[p].name, json_real(x->rate[p]));
    return o;
}

/* On one rank. */
static lw_err plan_here(planning *x) {
    LW_TRY(ranks_choose(x));
    LW_TRY(machine_get(x));
    LW_TRY(lw_alloc((size_t)x->experiment->net.n_pop, sizeof *x->rate, "rates", &x->rate));
    LW_TRY(plan_rates(x->options->rates, &x->experiment->net, x->rate, x->said, sizeof x->said));
    x->list = json_array();
    x->results = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "name", x->experiment->name, "version", LW_VERSION,
        "command", x->options->line, "grows_with_ranks", (int)x->options->weak, "rate_hz", rates_json(x),
        x->options->dry_run < 0 ? "plans" : "trials", x->list);
    LW_TRY(x->options->dry_run < 0 ? forecast(x) : trials(x));
    return save(x);
}

/* What every run does besides: a small network is built, run and saved, so that the libraries are in memory when the
 * process's own size is taken. folder: for its checkpoint, removed again. **Collective**. */
static lw_err warm_up(const lw_comm *world, const char *folder) {
    lw_population_spec pop = {.name = "a", .model = lw_model_builtin("lif_delta"), .size = 16};
    lw_net_spec spec = {.seed = 1, .dt = 0.1, .n_pop = 1, .pop = &pop};
    lw_sim_options options = lw_sim_options_default();
    lw_checkpoint_content content = {
        .experiment = "", .experiment_name = "", .stage = "simulate", .results = "{}", .command = "", .step = 1};
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_err err = LW_OK;
    char path[PATH_BYTES];
    LW_TRY_TO(lw_grid_create(world, 1, &grid), done);
    LW_TRY_TO(lw_net_create(world, &spec, &net), done);
    LW_TRY_TO(lw_sim_create(net, &options, &sim), done);
    LW_TRY_TO(lw_sim_advance(sim, 100, NULL), done);
    content.net = net;
    content.sim = sim;
    err = lw_checkpoint_write(grid, folder, &content, 1, NULL);
    if (lw_comm_rank(world) == 0) {
        snprintf(path, sizeof path, "%s/checkpoint-1.h5", folder);
        (void)remove(path);
        snprintf(path, sizeof path, "%s/checkpoint.h5", folder);
        (void)remove(path);
        (void)remove(folder);
    }
done:
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
    return err;
}

/* **Collective**. */
static lw_err calibrate(lw_comm *world, planning *x) {
    const lw_net_spec *net = &x->experiment->net;
    const lw_model **model = NULL;
    char folder[PATH_BYTES];
    lw_err begun = plan_machine_path(x->options->machine, x->machine_path, sizeof x->machine_path);
    snprintf(folder, sizeof folder, "%s.d", x->machine_path);
    if (begun == LW_OK && lw_comm_rank(world) == 0) begun = lw_directory_make(folder);
    LW_TRY(lw_comm_agree(world, begun));
    LW_TRY(warm_up(world, folder));
    lw_err err = lw_alloc((size_t)net->n_pop, sizeof *model, "models", &model);
    for (int p = 0; p < net->n_pop && err == LW_OK; p++)
        model[p] = net->pop[p].model;
    err = lw_comm_agree(world, err);
    if (err == LW_OK) err = lw_plan_calibrate(world, net->n_pop, model, &x->machine);
    lw_free(model);
    LW_TRY(err);
    if (lw_comm_rank(world) == 0) {
        err = plan_machine_save(x->machine_path, &x->machine);
        if (err == LW_OK) lw_log(LW_LOG_INFO, "calibration of %s in %s", x->machine.host, x->machine_path);
    }
    return lw_comm_agree(world, err);
}

/* **Collective**. */
static lw_err experiment_read(lw_comm *world, const cmd_options *o, lw_experiment **out) {
    char seed[40];
    const char **all = NULL;
    int n = 0;
    LW_TRY(lw_alloc((size_t)o->n_set + 1, sizeof *all, "overrides", &all));
    for (; n < o->n_set; n++)
        all[n] = o->set[n];
    if (o->seed >= 0) {
        snprintf(seed, sizeof seed, "seed=%lld", (long long)o->seed);
        all[n++] = seed;
    }
    lw_err err = lw_experiment_read(world, o->file, all, n, out);
    lw_free(all);
    return err;
}

lw_err cmd_plan(lw_comm *world, const cmd_options *options) {
    planning x = {.options = options};
    lw_err err = experiment_read(world, options, &x.experiment);
    if (err == LW_OK) {
        if (options->calibrate)
            err = calibrate(world, &x);
        else
            err = lw_comm_agree(world, lw_comm_rank(world) == 0 ? plan_here(&x) : LW_OK);
    }
    json_decref(x.results);
    lw_free(x.rate);
    lw_free(x.machine.kernel);
    lw_experiment_destroy(&x.experiment);
    return err;
}
