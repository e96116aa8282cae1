/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stage_initialize.c: weights before the first epoch of a training, by firing rates or by the largest Lyapunov
 * exponent. It stands here because training and spectra are neighbours that do not know each other.
 */
#include "job.h"

#include <math.h>
#include <string.h>

/* ---- rates */

static lw_err by_rate(job *j, const lw_batch_source *data, const lw_rate_target *target, json_t *report) {
    const lw_train_spec *spec = &j->experiment->train;
    lw_rate_found *found = NULL;
    int n = 0;
    LW_TRY(lw_initialize_rate(j->spread, j->net, spec, data, target, &found, &n));
    for (int k = 0; k < n; k++) {
        const lw_rate_found *f = &found[k];
        const char *name = lw_net_pop(j->net, f->pop).name;
        json_array_append_new(
            report, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:b}", "target", "rate", "population", name,
                        "rate_hz", job_real(1000 * f->rate), "wanted_hz", job_real(1000 * target->rate), "before_hz",
                        job_real(1000 * f->before), "gain", job_real(exp2(f->log2_gain)), "trials",
                        (json_int_t)f->trials, "reached", f->reached));
        lw_log(f->reached ? LW_LOG_INFO : LW_LOG_WARN, "initialize: %s fires at %.4g Hz (before %.4g, wanted %.4g)%s",
            name, 1000 * f->rate, 1000 * f->before, 1000 * target->rate, f->reached ? "" : ": not reached");
    }
    lw_free(found);
    return LW_OK;
}

/* ---- the largest exponent */

typedef struct driven {
    job *job;
    const lw_exponent_target *target;
    lw_weight_gain *gain;
    lw_sim *sim;
    float *x; /* [n_steps][n_channels]: training samples one after the other; NULL: the inputs of the experiment */
    int64_t n_steps;
    int32_t n_channels;
    double error, rate_hz; /* of the last spectrum */
} driven;

/* Warm-up of the tangents as in lw_lyapunov_spec, a tenth of the steps. */
static int64_t steps_of(const lw_exponent_target *t) {
    return t->transient + t->steps + t->steps / 10 + 2;
}

static lw_err data_string(driven *d, const lw_batch_source *data) {
    int64_t row = data->n_steps * data->n_channels, n = (steps_of(d->target) + data->n_steps - 1) / data->n_steps;
    d->n_steps = n * data->n_steps;
    d->n_channels = data->n_channels;
    LW_TRY(lw_alloc((size_t)(n * row), sizeof *d->x, "samples for the spectrum", &d->x));
    for (int64_t i = 0; i < n; i++)
        LW_TRY(data->input(data->payload, i % data->n_samples, d->x + i * row));
    return LW_OK;
}

static lw_err exponent_at(void *payload, double log2_gain, double *out) {
    driven *d = payload;
    const lw_train_spec *train = &d->job->experiment->train;
    lw_lyapunov_spec spec = lw_lyapunov_spec_default();
    lw_lyapunov *l = NULL;
    lw_watch door = watch_door(d->job->watch);
    spec.k = 1;
    spec.steps = d->target->steps;
    spec.transient = d->target->transient;
    spec.warmup = d->target->steps / 10;
    spec.seed = d->job->experiment->net.seed;
    lw_weight_gain_set(d->gain, log2_gain);
    lw_sim_refresh(d->sim);
    lw_sim_reset(d->sim);
    lw_err err = LW_OK;
    if (d->x) err = lw_sim_feed(d->sim, train->input_pop, train->input_port, d->x, d->n_steps, d->n_channels);
    LW_TRY(lw_comm_agree(d->job->world, err));
    LW_TRY(lw_lyapunov_run(d->sim, &spec, &door, &l));
    /* a collapsed direction is as far below every target as can be */
    *out = isfinite(l->exponent[0]) ? l->exponent[0] : -1e9;
    d->error = l->stderr_[0];
    d->rate_hz = l->rate_hz;
    lw_lyapunov_destroy(&l);
    return LW_OK;
}

static lw_err driven_make(driven *d, const lw_batch_source *data) {
    const lw_net *net = d->job->net;
    uint8_t *wanted = NULL;
    lw_err err = lw_alloc((size_t)lw_net_n_proj(net), 1, "projections to scale", &wanted);
    for (int i = 0; err == LW_OK && i < lw_net_n_proj(net); i++) {
        lw_proj_view v = lw_net_proj(net, i);
        wanted[i] = v.pre == d->target->pop && v.post == d->target->pop;
    }
    if (err == LW_OK) err = lw_weight_gain_create(d->job->net, wanted, &d->gain);
    if (err == LW_OK && d->job->experiment->n_stimuli == 0) err = data_string(d, data);
    lw_free(wanted);
    return err;
}

static lw_err by_exponent(job *j, const lw_batch_source *data, const lw_exponent_target *target, json_t *report) {
    const lw_train_spec *train = &j->experiment->train;
    driven d = {.job = j, .target = target};
    lw_gain_found found = {0};
    lw_sim_options options = job_sim_options(j);
    options.surrogate = train->surrogate; /* the Jacobian that gradients see */
    options.reset_detached = train->reset_detached;
    const char *name = lw_net_pop(j->net, target->pop).name;
    lw_err err = lw_comm_agree(j->world, driven_make(&d, data));
    if (err == LW_OK) err = lw_sim_create(j->net, &options, &d.sim);
    if (err == LW_OK) {
        lw_gain_target search = {target->exponent, target->tolerance, target->iterations, exponent_at, &d};
        err = lw_gain_search(&search, 0, &found);
    }
    /* the best weights stay, and their spectrum is the one reported */
    double value = 0;
    if (err == LW_OK) err = exponent_at(&d, found.log2_gain, &value);
    if (err == LW_OK) {
        json_array_append_new(
            report, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:b}", "target", "lyapunov", "population",
                        name, "exponent_per_ms", job_real(value), "stderr", job_real(d.error), "wanted_per_ms",
                        job_real(target->exponent), "before_per_ms", job_real(found.first), "gain",
                        job_real(exp2(found.log2_gain)), "rate_hz", job_real(d.rate_hz), "trials",
                        (json_int_t)found.trials, "reached", found.reached));
        lw_log(found.reached ? LW_LOG_INFO : LW_LOG_WARN,
            "initialize: largest exponent of %s %.4g +- %.2g per ms (before %.4g, wanted %.4g)%s", name, value, d.error,
            found.first, target->exponent, found.reached ? "" : ": not reached");
    }
    lw_sim_destroy(&d.sim);
    lw_weight_gain_destroy(&d.gain);
    lw_free(d.x);
    return err;
}

lw_err stage_initialize(job *j, const lw_batch_source *data) {
    const lw_experiment *x = j->experiment;
    if (x->n_initialize == 0 || j->continues) return LW_OK;
    if (j->net_changed) {
        lw_log(LW_LOG_INFO, "initialize: the weights are those of an earlier stage and stay as they are");
        return LW_OK;
    }
    json_t *report = json_array();
    double begun = lw_time_now();
    lw_err err = LW_OK;
    j->net_changed = true;
    for (int i = 0; i < x->n_initialize && err == LW_OK; i++)
        err = x->initialize[i].by_exponent ? by_exponent(j, data, &x->initialize[i].exponent, report)
                                           : by_rate(j, data, &x->initialize[i].rate, report);
    if (err == LW_OK) job_result(j, "initialize", json_pack("{s:O}", "initialize", report), lw_time_now() - begun);
    json_decref(report);
    return err;
}
