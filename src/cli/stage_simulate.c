/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stage_simulate.c: simulate for the experiment's duration, writing what is recorded as it comes.
 */
#include "job.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static json_t *rates(job *j, double seconds_simulated) {
    json_t *out = json_object();
    const int64_t *count = lw_sim_spike_counts(j->sim);
    for (int p = 0; p < lw_net_n_pop(j->net); p++) {
        lw_pop_view pop = lw_net_pop(j->net, p);
        int64_t sum = 0;
        for (int64_t i = 0; i < pop.n_local; i++)
            sum += count[pop.lid_begin + i];
        lw_comm_sum_i64(j->world, &sum, 1);
        if (pop.model->emits_spikes)
            json_object_set_new(out, pop.name, job_real((double)sum / (double)pop.size / seconds_simulated));
    }
    return out;
}

/* A checkpoint in the middle of a run: what was recorded before it is written first, because a run that resumes from it
 * records what follows. */
static lw_err save_running(void *payload) {
    outputs *o = payload;
    LW_TRY(outputs_write(o));
    return job_save_running(outputs_job(o));
}

static lw_err advance(job *j, outputs *o, int64_t end) {
    lw_watch door = watch_door(j->watch);
    int64_t begin = lw_sim_step(j->sim);
    lw_err err = LW_OK;
    while (err == LW_OK && lw_sim_step(j->sim) < end) {
        int64_t left = end - lw_sim_step(j->sim), slice = outputs_slice(o);
        err = lw_comm_agree(j->world, lw_sim_advance(j->sim, left < slice ? left : slice, NULL));
        if (err == LW_OK) err = outputs_step(o);
        if (err == LW_OK) err = door.tick(door.payload, "steps", lw_sim_step(j->sim) - begin, end - begin);
    }
    if (err == LW_OK || err == LW_ESTOP) {
        lw_err written = outputs_write(o);
        if (written != LW_OK) err = written;
    }
    return err;
}

lw_err stage_simulate(job *j) {
    const lw_experiment *x = j->experiment;
    LW_TRY(job_place(j, j->whole));
    lw_sim_options options = job_sim_options(j);
    options.precision = x->precision;
    LW_TRY(lw_sim_create(j->net, &options, &j->sim));
    /* a checkpoint made inside this stage is continued to the duration; one that carries a finished simulation for as
     * long again */
    bool state = j->checkpoint && lw_checkpoint_info_get(j->checkpoint).has_sim;
    if (state) LW_TRY(lw_checkpoint_sim(j->checkpoint, j->sim));
    int64_t begin = lw_sim_step(j->sim), end = state && !j->continues ? begin + x->steps : x->steps;
    outputs *o = NULL;
    json_t *statistics = NULL;
    lw_err err = outputs_open(j, &o);
    watch_save_every(j->watch, x->checkpoint_every, save_running, o);
    double begun = lw_time_now();
    if (err == LW_OK) err = advance(j, o, end);
    double seconds = lw_time_now() - begun;
    watch_save_every(j->watch, 0, NULL, NULL);
    lw_err closed = outputs_close(o);
    double io = o ? outputs_seconds(o) : 0;
    outputs_destroy(&o);
    if (err == LW_OK) err = closed;
    if (err == LW_OK && x->has_statistics) err = statistics_report(j, &statistics);
    LW_TRY(err);

    lw_sim_stats s = lw_sim_stats_get(j->sim);
    int64_t sums[5] = {s.spikes, s.synaptic_events, (int64_t)s.spike_checksum, s.bytes_sent, s.messages_sent};
    lw_comm_sum_i64(j->world, sums, 5); /* wraps modulo 2^64 for the checksum, as it should */
    char checksum[20];
    snprintf(checksum, sizeof checksum, "%016" PRIx64, (uint64_t)sums[2]);
    double simulated = (double)lw_sim_step(j->sim) * x->net.dt / 1000, here = (double)(end - begin) * x->net.dt / 1000;
    double phases[5] = {s.s_deliver, s.s_stimulus, s.s_update, s.s_exchange, io};
    lw_comm_max_f64(j->world, phases, 5);
    json_t *result = json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:{s:f, s:f, s:f, s:f, s:f}}", "steps",
        (json_int_t)lw_sim_step(j->sim), "spikes", (json_int_t)sums[0], "spike_checksum", checksum, "rate_hz",
        rates(j, simulated), "realtime_factor", job_real(seconds / here), "synaptic_events_per_s",
        job_real((double)sums[1] * (here / simulated) / seconds), "synaptic_events", (json_int_t)sums[1], "bytes_sent",
        (json_int_t)sums[3], "messages_sent", (json_int_t)sums[4], "phase_s", "deliver", phases[0], "stimulus",
        phases[1], "update", phases[2], "exchange", phases[3], "io", phases[4]);
    if (statistics) json_object_set_new(result, "statistics", statistics);
    if (s.exchanges > 0)
        json_object_set_new(result, "exchange",
            json_pack("{s:I, s:f, s:f}", "number", (json_int_t)s.exchanges, "bytes",
                (double)sums[3] / (double)s.exchanges, "messages", (double)sums[4] / (double)s.exchanges));
    job_result(j, "simulate", result, seconds);
    lw_log(
        LW_LOG_INFO, "simulated %g s in %.3g s: %lld spikes, checksum %s", here, seconds, (long long)sums[0], checksum);
    return x->checkpoint_at_end ? job_save(j, true) : LW_OK;
}
