/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Calibration: the parts of a step are timed by the engine itself, on small networks where one part does all the work.
 * Delivery is measured as one rank of many that plays alone (lw_comm_play), so that rows can be short without a neuron
 * for each; messages between the real ranks, through a halo.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "plan_private.h"

enum { PARTS = 64, TARGETS = 5000, NEURONS = 4000, STRETCH = 20, STRETCHES_MOST = 100 };
static const double DT = 0.1, SECONDS = 0.05;

/* ------------------------------------------------------------------ engine */

typedef struct trial {
    lw_net_spec net;
    lw_population_spec pop[2];
    lw_projection_spec proj;
    lw_sim_options options;
    lw_stimulus_spec stimulus;
    double absent[2]; /* kHz */
} trial;

/* Seconds of a step, of its parts and of a synaptic event: each the best of some stretches, so that what else the
 * machine does counts little. */
typedef struct outcome {
    double wall, deliver, stimulus, update, exchange, event;
    double slots;
} outcome;

static trial trial_make(const lw_model *model, int64_t size) {
    trial t = {.options = lw_sim_options_default()};
    t.pop[0] = (lw_population_spec){.name = "a", .model = model, .size = size};
    t.net = (lw_net_spec){.seed = 1, .dt = DT, .n_pop = 1, .weight_type = LW_F32};
    return t;
}

static double less(double best, double s, double n) {
    return n > 0 && s / n < best ? s / n : best;
}

static lw_err advance(lw_sim *sim, outcome *out) {
    double begin = lw_time_now();
    *out = (outcome){INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, 0};
    LW_TRY(lw_sim_advance(sim, STRETCH, NULL));
    for (int k = 0; k < 3 || (k < STRETCHES_MOST && lw_time_now() - begin < SECONDS); k++) {
        lw_sim_stats a = lw_sim_stats_get(sim);
        double before = lw_time_now();
        LW_TRY(lw_sim_advance(sim, STRETCH, NULL));
        lw_sim_stats b = lw_sim_stats_get(sim);
        out->wall = less(out->wall, lw_time_now() - before, STRETCH);
        out->deliver = less(out->deliver, b.s_deliver - a.s_deliver, STRETCH);
        out->stimulus = less(out->stimulus, b.s_stimulus - a.s_stimulus, STRETCH);
        out->update = less(out->update, b.s_update - a.s_update, STRETCH);
        out->exchange = less(out->exchange, b.s_exchange - a.s_exchange, STRETCH);
        out->event = less(out->event, b.s_deliver - a.s_deliver, (double)(b.synaptic_events - a.synaptic_events));
    }
    return LW_OK;
}

/* The trial on `comm`, this process alone. **Local**. */
static lw_err trial_run(trial *t, const lw_comm *comm, outcome *out) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    t->net.pop = t->pop;
    t->net.proj = &t->proj;
    if (t->options.n_stimuli > 0) t->options.stimulus = &t->stimulus;
    lw_err err = lw_net_create(comm, &t->net, &net);
    if (err == LW_OK) err = lw_sim_create(net, &t->options, &sim);
    if (err == LW_OK && t->net.n_pop > 1) err = lw_sim_absent(sim, t->absent);
    if (err == LW_OK) err = advance(sim, out);
    if (err == LW_OK) out->slots = (double)lw_net_slots(net).n;
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return err;
}

/* ------------------------------------------------------------------ parts of a step */

static lw_err model_seconds(const lw_comm *alone, const lw_model *model, lw_dtype precision, double *s) {
    trial t = trial_make(model, NEURONS);
    outcome o;
    t.options.precision = precision;
    LW_TRY(trial_run(&t, alone, &o));
    *s = o.update / NEURONS;
    return LW_OK;
}

static lw_err stimulus_seconds(
    const lw_comm *alone, const lw_model *model, lw_stimulus_kind kind, double amplitude, double *s) {
    trial t = trial_make(model, NEURONS);
    outcome o;
    t.stimulus = (lw_stimulus_spec){
        .kind = kind, .amplitude = lw_dist_number(amplitude), .sd = 1e-6, .weight = 1e-6, .stop = -1};
    t.options.n_stimuli = 1;
    LW_TRY(trial_run(&t, alone, &o));
    *s = o.stimulus / NEURONS;
    return LW_OK;
}

/* A rank with TARGETS neurons whose synapses take set_bytes, in rows of about row_length. */
static lw_err delivery_seconds(
    const lw_model *model, int one, double set_bytes, double row_length, lw_plan_machine *m, double *s) {
    double edges = set_bytes / (one ? 2 : 6), sources = fmax(edges / row_length, 1), p = fmin(4e4 / edges, 0.02);
    trial t = trial_make(model, (int64_t)sources);
    lw_comm *part = NULL;
    outcome o;
    t.net.n_pop = 2;
    t.net.n_proj = 1;
    t.pop[1] = (lw_population_spec){.name = "b", .model = model, .size = (int64_t)TARGETS * PARTS};
    t.proj = (lw_projection_spec){.pre = 0,
        .post = 1,
        .rule = LW_RULE_FIXED_INDEGREE,
        .n = (int64_t)(edges / TARGETS),
        .autapses = true,
        .multapses = true,
        .weight = lw_dist_number(1e-6),
        .delay = lw_dist_number(2 * DT)};
    if (!one) {
        t.proj.weight.kind = LW_DIST_UNIFORM;
        t.proj.weight.p[1] = 2e-6;
    }
    t.absent[0] = p / DT;
    LW_TRY(lw_comm_play(0, PARTS, &part));
    lw_err err = trial_run(&t, part, &o);
    lw_comm_destroy(&part);
    LW_TRY(err);
    *s = isfinite(o.event) ? o.event : 0;
    double spikes = o.slots * p, spike = o.exchange / spikes; /* in a step */
    if (spikes > 100 && (m->s_spike == 0 || spike < m->s_spike)) m->s_spike = spike;
    return LW_OK;
}

/* A step of next to nothing. */
static lw_err step_seconds(const lw_comm *alone, const lw_model *model, double *s) {
    trial t = trial_make(model, 1);
    outcome o;
    LW_TRY(trial_run(&t, alone, &o));
    *s = o.wall;
    return LW_OK;
}

static lw_err engine_calibrate(const lw_comm *alone, lw_plan_machine *m) {
    const lw_model *model = lw_model_builtin("lif_delta");
    LW_CHECK(model, LW_EUSE, "the built-in model lif_delta is missing");
    for (int one = 0; one < 2; one++)
        for (int k = 0; k < LW_PLAN_SETS; k++)
            for (int r = 0; r < LW_PLAN_ROWS; r++)
                LW_TRY(
                    delivery_seconds(model, one, m->set_bytes[k], m->row_length[r], m, &m->s_event[one ? 0 : 1][k][r]));
    for (int k = 0; k < LW_PLAN_MEANS; k++)
        LW_TRY(stimulus_seconds(alone, model, LW_STIMULUS_POISSON, m->poisson_mean[k] / DT, &m->s_poisson[k]));
    LW_TRY(stimulus_seconds(alone, model, LW_STIMULUS_CURRENT, 1e-6, &m->s_current));
    LW_TRY(stimulus_seconds(alone, model, LW_STIMULUS_NOISE, 0, &m->s_noise));
    return step_seconds(alone, model, &m->s_step);
}

/* ------------------------------------------------------------------ messages */

/* Seconds of an exchange in which every rank sends n events to each other one; the best of some rounds. **Collective**.
 */
static lw_err exchange_seconds(lw_halo *halo, const lw_comm *comm, const lw_event *events, int64_t n, double *s) {
    enum { ROUNDS = 20, EACH = 50 };
    const lw_event *got = NULL;
    int64_t n_got = 0;
    *s = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        lw_comm_barrier(comm);
        double begin = lw_time_now();
        for (int k = 0; k < EACH; k++) {
            lw_halo_events_begin(halo, events, n);
            LW_TRY(lw_halo_events_end(halo, &got, &n_got));
        }
        double here = (lw_time_now() - begin) / EACH;
        lw_comm_max_f64(comm, &here, 1);
        *s = fmin(*s, here);
    }
    return LW_OK;
}

/* **Collective**. */
static lw_err messages_calibrate(const lw_comm *comm, lw_plan_machine *m) {
    enum { ITEMS = 4096 };
    int ranks = lw_comm_size(comm), rank = lw_comm_rank(comm);
    int64_t n = (int64_t)ITEMS * (ranks - 1), *lid = NULL;
    int32_t *owner = NULL;
    lw_event *events = NULL;
    lw_halo *halo = NULL;
    double none = 0, many = 0;
    lw_err err = lw_alloc((size_t)n, sizeof *owner, "a calibration", &owner);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *lid, "a calibration", &lid);
    if (err == LW_OK) err = lw_alloc(ITEMS, sizeof *events, "a calibration", &events);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t i = 0; i < n; i++) {
        owner[i] = (int32_t)(i / ITEMS) + (i / ITEMS >= rank);
        lid[i] = i % ITEMS;
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        events[i].index = i;
    LW_TRY_TO(lw_halo_create(comm, ITEMS, n, owner, lid, &halo), done);
    LW_TRY_TO(exchange_seconds(halo, comm, events, 0, &none), done);
    LW_TRY_TO(exchange_seconds(halo, comm, events, ITEMS, &many), done);
    m->has_network = true;
    m->s_message = none / (ranks - 1);
    m->s_byte = fmax(many - none, 0) / (ranks - 1) / (ITEMS * sizeof *events);
done:
    lw_halo_destroy(&halo);
    lw_free(events);
    lw_free(lid);
    lw_free(owner);
    return err;
}

/* ------------------------------------------------------------------ all */

const lw_plan_kernel *lw_plan_kernel_find(const lw_plan_machine *m, const lw_model *model, lw_dtype precision) {
    for (int i = 0; i < m->n_kernels; i++)
        if (m->kernel[i].precision == precision && strncmp(m->kernel[i].key, model->key, LW_PLAN_NAME - 1) == 0)
            return &m->kernel[i];
    return NULL;
}

lw_err lw_plan_calibrate_model(const lw_model *model, lw_dtype precision, lw_plan_machine *m) {
    if (lw_plan_kernel_find(m, model, precision)) return LW_OK;
    lw_comm *alone = NULL;
    double s = 0;
    LW_TRY(lw_comm_self(&alone));
    lw_err err = model_seconds(alone, model, precision, &s);
    lw_comm_destroy(&alone);
    LW_TRY(err);
    LW_TRY(lw_grow(&m->kernel, (size_t)m->n_kernels, (size_t)m->n_kernels + 1, sizeof *m->kernel, "a calibration"));
    lw_plan_kernel *k = &m->kernel[m->n_kernels++];
    *k = (lw_plan_kernel){.precision = precision, .s_step = s};
    snprintf(k->name, sizeof k->name, "%s", model->name);
    snprintf(k->key, sizeof k->key, "%s", model->key);
    return LW_OK;
}

static void cpu_name(char *out, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    if (file) fclose(file);
}

static lw_err local_calibrate(int n_models, const lw_model *const *model, lw_plan_machine *m) {
    lw_comm *alone = NULL;
    LW_TRY(lw_comm_self(&alone));
    lw_err err = engine_calibrate(alone, m);
    lw_comm_destroy(&alone);
    for (int i = 0; i < n_models && err == LW_OK; i++)
        for (int precision = LW_F32; precision <= LW_F64 && err == LW_OK; precision++)
            if (model[i]) err = lw_plan_calibrate_model(model[i], (lw_dtype)precision, m);
    return err;
}

lw_err lw_plan_calibrate(const lw_comm *comm, int n_models, const lw_model *const *model, lw_plan_machine *out) {
    *out = (lw_plan_machine){.ranks = lw_comm_size(comm),
        .base_bytes = (double)(lw_mem_peak_rss() - lw_mem_peak()),
        .row_length = {2, 1024},
        .set_bytes = {0.25e6, 2e6, 8e6},
        .poisson_mean = {0.02, 0.5, 8},
        .s_message = 2e-6, /* where nothing is measured: a common cluster network, 2 us and 5 GB/s */
        .s_byte = 0.2e-9};
    if (gethostname(out->host, sizeof out->host - 1) != 0) snprintf(out->host, sizeof out->host, "unknown");
    cpu_name(out->cpu, sizeof out->cpu);
    lw_comm_max_f64(comm, &out->base_bytes, 1);
    lw_err err = lw_comm_agree(comm, local_calibrate(n_models, model, out));
    if (err == LW_OK && lw_comm_size(comm) > 1) err = messages_calibrate(comm, out);
    if (err != LW_OK) {
        lw_free(out->kernel);
        out->kernel = NULL;
    }
    return err;
}
