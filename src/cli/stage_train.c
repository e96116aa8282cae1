/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stage_train.c: training and evaluation over replicas x partitions, with metrics.csv and checkpoints of optimiser and
 * best weights.
 */
#include "job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static lw_err metrics_save(job *j) {
    char path[4096];
    int64_t n;
    const lw_metrics *m = lw_trainer_metrics(j->trainer, &n);
    snprintf(path, sizeof path, "%s/metrics.csv", j->out);
    return lw_comm_agree(j->world, lw_comm_rank(j->world) == 0 ? lw_metrics_save(path, m, n) : LW_OK);
}

static lw_err epoch_end(void *payload, const lw_metrics *m, bool improved) {
    job *j = payload;
    bool regression = isnan(m->accuracy), validated = !isnan(m->validation_loss);
    char reading[64] = ""; /* where it matters: prefetch and data.cache may help */
    if (m->data_seconds > 0.1 * m->seconds)
        snprintf(reading, sizeof reading, ", %.2f s of them reading data", m->data_seconds);
    if (regression)
        lw_log(LW_LOG_INFO, "epoch %lld: loss %.5g, rmse %.4g, %.3g Hz, %.2f s%s%s", (long long)m->epoch, m->loss,
            m->rmse, m->rate_hz, m->seconds, reading, improved ? " *" : "");
    else if (validated)
        lw_log(LW_LOG_INFO, "epoch %lld: loss %.5g, accuracy %.2f %%, validation %.2f %%, %.3g Hz, %.2f s%s%s",
            (long long)m->epoch, m->loss, 100 * m->accuracy, 100 * m->validation_accuracy, m->rate_hz, m->seconds,
            reading, improved ? " *" : "");
    else
        lw_log(LW_LOG_INFO, "epoch %lld: loss %.5g, accuracy %.2f %%, %.3g Hz, %.2f s%s", (long long)m->epoch, m->loss,
            100 * m->accuracy, m->rate_hz, m->seconds, reading);
    return metrics_save(j);
}

/* What the ranks of a partition sent one another, per step of the network, all ranks together; by neuron listened to it
 * is a constant of the network's activity, whatever the number of ranks. Collective. */
static json_t *traffic(job *j) {
    lw_traffic t = lw_trainer_traffic(j->trainer);
    int64_t sum[3] = {t.bytes, t.messages, t.slots};
    lw_comm_sum_i64(j->spread->part, sum, 3);
    double steps = t.steps > 0 ? (double)t.steps : 1, bytes = (double)sum[0] / steps;
    int64_t updates = lw_trainer_state_get(j->trainer)->updates;
    lw_comm_sum_i64(j->spread->world, &t.replica_bytes, 1);
    return json_pack("{s:f, s:f, s:f, s:I, s:o}", "bytes_to_replicas_per_update",
        (double)t.replica_bytes / (double)(updates > 0 ? updates : 1), "bytes_per_step", bytes, "messages_per_step",
        (double)sum[1] / steps, "halo_neurons", (json_int_t)sum[2], "bytes_per_step_and_halo_neuron",
        job_real(sum[2] > 0 ? bytes / (double)sum[2] : NAN));
}

/* The record of a batch, over all ranks. Collective. */
static json_t *record(job *j) {
    lw_tape_use use = lw_trainer_tape(j->trainer);
    double cells = (double)(use.samples * use.steps * j->spread->replicas) * (double)lw_net_n_global(j->net);
    lw_comm_sum_i64(j->spread->world, &use.bytes, 1);
    return json_pack("{s:I, s:f, s:I, s:I}", "bytes", (json_int_t)use.bytes, "bytes_per_neuron_sample_and_step",
        (double)use.bytes / cells, "steps", (json_int_t)use.steps, "steps_at_a_time", (json_int_t)use.segment);
}

/* Inputs held and read, over all ranks. Collective. */
static json_t *cache(job *j, const lw_batch_source *data) {
    lw_cache_stats s = lw_dataset_cache_stats(data);
    int64_t sum[4] = {s.samples, s.bytes, s.asked, s.read};
    lw_comm_sum_i64(j->world, sum, 4);
    return json_pack("{s:I, s:I, s:I, s:I}", "samples", (json_int_t)sum[0], "bytes", (json_int_t)sum[1], "asked",
        (json_int_t)sum[2], "read", (json_int_t)sum[3]);
}

/* Where products change their kind: what walks spikes gives the same bits everywhere, so it is always measured; what
 * rounds otherwise only if the experiment wants it. The first rank's figures hold for all. Collective. */
static lw_err crossover(const job *j, lw_crossover *out) {
    lw_crossover here = *out;
    lw_err err = lw_comm_rank(j->world) == 0 ? lw_crossover_measure(&here) : LW_OK;
    LW_TRY(lw_comm_agree(j->world, err));
    lw_comm_bcast(j->world, &here, sizeof here, 0);
    out->walk = here.walk;
    if (j->experiment->crossover_measured) *out = here;
    lw_log(LW_LOG_DEBUG, "crossover: values are walked up to %.3g, adjoints sampled up to n / (%.3g n + %.4g)",
        out->walk, out->place[0], out->place[1]);
    return LW_OK;
}

lw_err stage_train(job *j) {
    const lw_experiment *x = j->experiment;
    lw_batch_source data = {0};
    lw_trainer_hook hook = {j, epoch_end};
    lw_watch door = watch_door(j->watch);
    LW_TRY(job_place(j, j->spread));
    if (x->train.mixed && !lw_sim_has_bf16())
        lw_log(LW_LOG_INFO,
            "mixed precision: rounded floats stand in for products of bfloat16, which this processor lacks");
    lw_train_spec spec = x->train;
    lw_err err = lw_comm_agree(j->world, lw_experiment_data(x, &x->train_data, &data));
    if (err == LW_OK) err = crossover(j, &spec.crossover);
    if (err == LW_OK) err = stage_initialize(j, &data);
    double begun = lw_time_now();
    if (err == LW_OK) err = lw_trainer_create(j->spread, j->net, &spec, &data, &j->trainer);
    j->net_changed = true;
    if (err == LW_OK && j->continues && lw_checkpoint_info_get(j->checkpoint).has_trainer)
        err = lw_checkpoint_trainer(j->checkpoint, j->trainer);
    watch_save_every(j->watch, x->checkpoint_every, job_save_running, j);
    if (err == LW_OK) err = lw_trainer_run(j->trainer, &hook, &door);
    watch_save_every(j->watch, 0, NULL, NULL);
    double seconds = lw_time_now() - begun;
    if (err == LW_OK) {
        int64_t n;
        lw_trainer_best_restore(j->trainer);
        const lw_metrics *m = lw_trainer_metrics(j->trainer, &n);
        const lw_trainer_state *s = lw_trainer_state_get(j->trainer);
        json_t *train = json_pack("{s:I, s:I, s:I}", "epochs", (json_int_t)n, "best_epoch", (json_int_t)s->best_epoch,
            "updates", (json_int_t)s->updates);
        if (n > 0) {
            const lw_metrics *b = &m[s->best_epoch >= 1 && s->best_epoch <= n ? s->best_epoch - 1 : n - 1];
            json_object_set_new(train, "loss", job_real(b->loss));
            json_object_set_new(train, "accuracy", job_real(b->accuracy));
            json_object_set_new(train, "rmse", job_real(b->rmse));
            json_object_set_new(train, "validation_loss", job_real(b->validation_loss));
            json_object_set_new(train, "validation_accuracy", job_real(b->validation_accuracy));
            json_object_set_new(train, "rate_hz", job_real(b->rate_hz));
        }
        json_object_set_new(train, "learnable", json_integer(lw_trainer_theta(j->trainer)->n_global));
        json_t *result = json_pack("{s:O}", "train", train);
        if (n > 0) json_object_set(result, "loss", json_object_get(train, "loss"));
        json_decref(train);
        json_object_set_new(result, "exchange", traffic(j));
        json_object_set_new(result, "record", record(j));
        json_object_set_new(result, "crossover",
            json_pack("{s:f, s:[f, f], s:b}", "walk", spec.crossover.walk, "place", spec.crossover.place[0],
                spec.crossover.place[1], "place_measured", x->crossover_measured));
        if (x->train_data.cache > 0) json_object_set_new(result, "cache", cache(j, &data));
        job_result(j, "train", result, seconds);
        err = job_save(j, true);
    }
    if (err != LW_ESTOP) lw_trainer_destroy(&j->trainer); /* a stop saves the trainer before it goes */
    lw_batch_source_destroy(&data);
    return err;
}

static json_t *confusion(const lw_evaluation *e, int32_t n) {
    json_t *rows = json_array();
    for (int32_t r = 0; r < n; r++) {
        json_t *row = json_array();
        for (int32_t c = 0; c < n; c++)
            json_array_append_new(row, json_integer((json_int_t)e->confusion[r * n + c]));
        json_array_append_new(rows, row);
    }
    return rows;
}

lw_err stage_evaluate(job *j) {
    const lw_experiment *x = j->experiment;
    lw_batch_source data = {0};
    lw_data_spec spec = x->test_data;
    lw_evaluation e = {0};
    lw_watch door = watch_door(j->watch);
    if (j->options->data) { /* other files than the experiment's; relative to the working folder */
        LW_CHECK(j->options->labels, LW_EUSE, "--data: found no --labels, allowed: both files");
        spec.present = true;
        spec.format = "npy";
    }
    LW_TRY(job_place(j, j->spread));
    lw_err err = j->options->data ? lw_dataset_npy(j->options->data, j->options->labels, (int32_t)spec.classes,
                                        spec.clip_negative, &data)
                                  : lw_experiment_data(x, &spec, &data);
    err = lw_comm_agree(j->world, err);
    double begun = lw_time_now();
    if (err == LW_OK) err = lw_evaluate(j->spread, j->net, &x->train, &data, &door, &e);
    if (err == LW_OK) {
        double sops = e.sops_recurrent + e.sops_input + e.sops_readout;
        json_t *result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:{s:o, s:o, s:o}}", "loss",
            job_real(e.loss), "accuracy", job_real(e.accuracy), "accuracy_labelled", job_real(e.accuracy_labelled),
            "rmse", job_real(e.rmse), "evaluate_rate_hz", job_real(e.rate_hz), "samples", (json_int_t)e.samples,
            "counted", (json_int_t)e.counted, "sops_per_sample", job_real(sops), "sops", "recurrent",
            job_real(e.sops_recurrent), "input", job_real(e.sops_input), "readout", job_real(e.sops_readout));
        if (e.confusion) json_object_set_new(result, "confusion", confusion(&e, data.n_classes));
        job_result(j, "evaluate", result, lw_time_now() - begun);
        if (data.n_classes)
            lw_log(LW_LOG_INFO,
                "accuracy %.2f %% (labelled steps only %.2f %%), loss %.5g, %.4g synaptic operations per sample",
                100 * e.accuracy, 100 * e.accuracy_labelled, e.loss, sops);
        else
            lw_log(LW_LOG_INFO, "rmse %.5g, %.4g synaptic operations per sample", e.rmse, sops);
    }
    lw_evaluation_free(&e);
    lw_batch_source_destroy(&data);
    return err;
}
