/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stage_prune.c: the spectrum and the pruning of the driven network.
 */
#include "job.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *reals(const double *x, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(list, job_real(x[i]));
    return list;
}

lw_err stage_lyapunov(job *j) {
    const lw_experiment *x = j->experiment;
    lw_lyapunov *l = NULL;
    lw_watch door = watch_door(j->watch);
    char path[4096], name[40];
    LW_TRY(job_place(j, j->whole));
    lw_sim_options options = job_sim_options(j);
    LW_TRY(lw_sim_create(j->net, &options, &j->sim));
    double begun = lw_time_now();
    lw_err err = lw_lyapunov_run(j->sim, &x->lyapunov, &door, &l);
    lw_sim_destroy(&j->sim); /* an unfinished spectrum is begun anew on resume */
    LW_TRY(err);
    double seconds = lw_time_now() - begun, lambda_max = l->k ? l->exponent[0] : NAN;
    static const char *const qrs[] = {"auto", "scalapack", "cholesky2"};
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:I, s:s, s:f, s:s, s:s, s:o}",
        "k", (json_int_t)l->k, "dimension", (json_int_t)l->dimension, "steps", (json_int_t)l->steps, "transient",
        (json_int_t)l->transient, "lambda_max", job_real(lambda_max), "spectrum", reals(l->exponent, l->k), "stderr",
        reals(l->stderr_, l->k), "kaplan_yorke", job_real(l->kaplan_yorke), "entropy_rate", job_real(l->entropy_rate),
        "sum", job_real(l->sum), "collapsed", (json_int_t)l->collapsed, "unit", "1/ms", "orthonormalize_every",
        (json_int_t)l->every_last, "surrogate", lw_surrogate_name(options.surrogate.kind), "slope",
        options.surrogate.slope, "reset", options.reset_detached ? "detached" : "full", "qr", qrs[l->qr], "rate_hz",
        job_real(l->rate_hz));
    if (j->dense_spectrum)
        json_object_set_new(o, "distance_to_first",
            job_real(lw_spectrum_distance(j->dense_spectrum->exponent, j->dense_spectrum->k, l->exponent, l->k)));
    json_t *result = json_pack("{s:o, s:I, s:I}", "lyapunov", o, "neurons", (json_int_t)lw_net_n_global(j->net),
        "synapses", (json_int_t)lw_net_n_edges_global(j->net));
    snprintf(path, sizeof path, "%s/lyapunov.h5", j->out);
    snprintf(name, sizeof name, "%d", j->stage_index);
    bool append = false;
    for (int s = 0; s < j->stage_index; s++)
        append |= j->stage[s] == LW_STAGE_LYAPUNOV;
    job_result(j, "lyapunov", result, seconds);
    lw_log(LW_LOG_INFO, "largest exponent %.5g +- %.2g per ms, Kaplan-Yorke dimension %.4g of %lld, %.2f s", lambda_max,
        l->k ? l->stderr_[0] : 0, l->kaplan_yorke, (long long)l->dimension, seconds);
    char group[64];
    snprintf(group, sizeof group, "stage_%s", name);
    err = lw_lyapunov_save(j->world, path, group, append, l, j->net);
    if (!j->dense_spectrum) {
        j->dense_spectrum = l;
        l = NULL;
    }
    lw_lyapunov_destroy(&l);
    return err;
}

static int64_t amount(double written, int64_t all) {
    return written <= 1 ? llround(written * (double)all) : llround(written);
}

static json_t *report_json(const lw_prune_report *r) {
    json_t *steps = json_array();
    for (int32_t i = 0; i < r->n_steps; i++) {
        const lw_prune_step *s = &r->step[i];
        json_array_append_new(steps,
            json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "neurons", (json_int_t)s->neurons, "synapses",
                (json_int_t)s->synapses, "removed_synapses", (json_int_t)s->removed_synapses, "restored_synapses",
                (json_int_t)s->restored_synapses, "lambda_max", job_real(s->lambda_max), "ipr_before",
                job_real(s->ipr_before), "ipr_after", job_real(s->ipr_after), "abscissa", job_real(s->abscissa)));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "method",
        lw_prune_method_name(r->method), "neurons_before", (json_int_t)r->neurons_before, "neurons_after",
        (json_int_t)r->neurons_after, "synapses_before", (json_int_t)r->synapses_before, "synapses_after",
        (json_int_t)r->synapses_after, "network_synapses_before", (json_int_t)r->network_synapses_before,
        "network_synapses_after", (json_int_t)r->network_synapses_after, "ipr_before", job_real(r->ipr_before),
        "ipr_after", job_real(r->ipr_after), "abscissa_before", job_real(r->abscissa_before), "abscissa_after",
        job_real(r->abscissa_after), "steps", steps);
}

lw_err stage_prune(job *j) {
    const lw_experiment *x = j->experiment;
    lw_prune_spec spec = x->prune;
    lw_prune_report *report = NULL;
    lw_net *pruned = NULL;
    lw_watch door = watch_door(j->watch);
    char path[4096];
    if (j->options->method) LW_TRY(lw_prune_method_parse(j->options->method, &spec.method));
    LW_TRY(job_place(j, j->whole));
    int64_t recurrent = 0;
    for (int p = 0; p < lw_net_n_proj(j->net); p++) {
        lw_proj_view v = lw_net_proj(j->net, p);
        if (v.pre == spec.pop && v.post == spec.pop) recurrent += v.n_edges_global;
    }
    spec.neurons = amount(x->prune_neurons, lw_net_pop(j->net, spec.pop).size);
    spec.synapses = amount(x->prune_synapses, recurrent);
    lw_sim_options options = job_sim_options(j);
    double begun = lw_time_now();
    LW_TRY(lw_prune_run(j->net, &options, &spec, &door, &pruned, &report));
    job_net_replace(j, pruned);
    double seconds = lw_time_now() - begun;
    json_t *o = report_json(report);
    snprintf(path, sizeof path, "%s/prune.json", j->out);
    char *text = json_dumps(o, JSON_INDENT(1));
    lw_err err = lw_comm_rank(j->world) == 0 && text ? lw_text_save(path, text) : LW_OK;
    free(text);
    json_t *result = json_pack("{s:o, s:I, s:I}", "prune", o, "neurons", (json_int_t)lw_net_n_global(j->net),
        "synapses", (json_int_t)lw_net_n_edges_global(j->net));
    job_result(j, "prune", result, seconds);
    lw_log(LW_LOG_INFO, "%s: %lld of %lld neurons, %lld of %lld recurrent synapses kept, %.2f s",
        lw_prune_method_name(report->method), (long long)report->neurons_after, (long long)report->neurons_before,
        (long long)report->synapses_after, (long long)report->synapses_before, seconds);
    lw_prune_report_destroy(&report);
    LW_TRY(lw_comm_agree(j->world, err));
    return job_save(j, true);
}
