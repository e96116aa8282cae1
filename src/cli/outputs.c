/* SPDX-License-Identifier: BSD-3-Clause
 *
 * outputs.c: the files that a simulation writes while it runs. What is recorded stays in memory until it exceeds a
 * budget on some rank, or some steps have passed, and is then written by all ranks together: memory is bounded, however
 * long the run and however high the rates, and collective writes are few.
 */
#include "job.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BUDGET_BYTES = 4 << 20, /* recorded and not yet written, per rank */
    SLICE_STEPS = 100,      /* between two looks at what was recorded */
    WRITE_STEPS = 1000      /* between two writes at most */
};

struct outputs {
    job *j;
    lw_spike_file *spikes;
    lw_trace_file *traces;
    lw_rate_file *rates;
    lw_weight_file *weights;
    int64_t slice, written; /* steps; step of the last write */
    double seconds;
};

static lw_err files_create(outputs *o, const char *part, bool spikes) {
    const lw_experiment *x = o->j->experiment;
    char path[4096];
    snprintf(path, sizeof path, "%s/spikes%s.h5", o->j->out, part);
    if (spikes) LW_TRY(lw_spike_file_create(o->j->world, path, o->j->net, &o->spikes));
    snprintf(path, sizeof path, "%s/traces%s.h5", o->j->out, part);
    if (x->n_traces) LW_TRY(lw_trace_file_create(o->j->world, path, o->j->sim, &o->traces));
    snprintf(path, sizeof path, "%s/rates%s.h5", o->j->out, part);
    if (x->rates_every) LW_TRY(lw_rate_file_create(o->j->world, path, o->j->sim, x->record_rates, &o->rates));
    snprintf(path, sizeof path, "%s/weights%s.h5", o->j->out, part);
    if (x->n_weights)
        LW_TRY(lw_weight_file_create(o->j->world, path, o->j->sim, x->n_weights, x->weights, &o->weights));
    /* a run that goes on has the weights of its first step in the file before */
    return o->weights && lw_sim_step(o->j->sim) == 0 ? lw_weight_file_sample(o->weights) : LW_OK;
}

/* Few enough steps that traces stay within the budget; whole epochs where that is possible. */
static int64_t slice_steps(const job *j) {
    int64_t per_step = lw_sim_record_bytes_per_step(j->sim), epoch = lw_net_delay_min(j->net), slice = SLICE_STEPS;
    if (per_step > 0 && BUDGET_BYTES / per_step < slice) slice = BUDGET_BYTES / per_step;
    if (slice > epoch && epoch > 0) slice -= slice % epoch;
    if (slice < 1) slice = 1;
    lw_comm_min_i64(j->world, &slice, 1);
    return slice;
}

static lw_err recording_ask(job *j, bool *spikes) {
    const lw_experiment *x = j->experiment;
    for (int p = 0; p < x->net.n_pop; p++) {
        if (!x->record_spikes[p]) continue;
        *spikes = true;
        LW_TRY(lw_sim_record_spikes_of(j->sim, p, &x->spike_keep[p]));
    }
    for (int t = 0; t < x->n_traces; t++)
        LW_TRY(
            lw_sim_record_trace_of(j->sim, x->trace[t].pop, x->trace[t].state, x->trace[t].every, &x->trace[t].keep));
    if (x->rates_every) LW_TRY(lw_sim_record_counts(j->sim, x->rates_every));
    return x->has_statistics ? lw_sim_activity_begin(j->sim, &x->statistics) : LW_OK;
}

lw_err outputs_open(job *j, outputs **out) {
    outputs *o = NULL;
    char part[40] = "";
    bool spikes = false;
    int64_t from = lw_sim_step(j->sim);
    *out = NULL;
    LW_TRY(lw_comm_agree(j->world, lw_alloc(1, sizeof *o, "outputs", &o)));
    o->j = j;
    o->written = from;
    if (from > 0) snprintf(part, sizeof part, "-%" PRId64, from);
    lw_err err = lw_comm_agree(j->world, recording_ask(j, &spikes));
    if (err == LW_OK) err = files_create(o, part, spikes);
    o->slice = slice_steps(j);
    *out = o; /* also when it failed: what was opened is to be closed */
    return err;
}

lw_err outputs_write(outputs *o) {
    lw_sim *sim = o->j->sim;
    double start = lw_time_now();
    const lw_spike *spikes;
    int64_t n;
    if (o->written == lw_sim_step(sim)) return LW_OK;
    o->written = lw_sim_step(sim);
    lw_sim_spikes_take(sim, &spikes, &n);
    if (o->spikes) LW_TRY(lw_spike_file_append(o->spikes, spikes, n));
    if (o->traces) LW_TRY(lw_trace_file_append(o->traces, sim));
    if (o->rates) LW_TRY(lw_rate_file_append(o->rates, sim));
    LW_TRY(lw_sim_activity_flush(sim));
    o->seconds += lw_time_now() - start;
    return LW_OK;
}

int64_t outputs_slice(const outputs *o) {
    int64_t next = lw_weight_file_next(o->weights, lw_sim_step(o->j->sim));
    return next < o->slice ? next : o->slice;
}

lw_err outputs_step(outputs *o) {
    if (o->weights) LW_TRY(lw_weight_file_sample(o->weights));
    int64_t bytes = lw_sim_record_bytes(o->j->sim) + o->slice * lw_sim_record_bytes_per_step(o->j->sim);
    bool due = lw_sim_step(o->j->sim) - o->written >= WRITE_STEPS;
    if (!due) {
        lw_comm_max_i64(o->j->world, &bytes, 1);
        due = bytes >= BUDGET_BYTES;
    }
    return due ? outputs_write(o) : LW_OK;
}

double outputs_seconds(const outputs *o) {
    return o->seconds;
}

job *outputs_job(const outputs *o) {
    return o->j;
}

lw_err outputs_close(outputs *o) {
    if (!o) return LW_OK;
    double start = lw_time_now();
    lw_err err = lw_spike_file_close(&o->spikes), other = lw_trace_file_close(&o->traces);
    if (err == LW_OK) err = other;
    other = lw_rate_file_close(&o->rates);
    if (err == LW_OK) err = other;
    other = lw_weight_file_close(&o->weights);
    if (err == LW_OK) err = other;
    o->seconds += lw_time_now() - start;
    return err;
}

void outputs_destroy(outputs **out) {
    lw_free(*out);
    *out = NULL;
}
