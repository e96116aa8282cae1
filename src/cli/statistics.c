/* SPDX-License-Identifier: BSD-3-Clause
 *
 * statistics.c: the activity of each population as it goes into summary.json and, as a table, into the log.
 */
#include "job.h"

#include <math.h>
#include <stdio.h>

static json_t *population_json(const lw_activity *a) {
    json_t *at = json_object();
    for (int q = 0; q < LW_ACTIVITY_QUANTILES; q++) {
        char name[16];
        snprintf(name, sizeof name, "%g", lw_activity_quantile[q]);
        json_object_set_new(at, name, job_real(a->cv_at[q]));
    }
    return json_pack("{s:I, s:I, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "neurons",
        (json_int_t)a->neurons, "spikes", (json_int_t)a->spikes, "rate_hz", job_real(1000 * a->rate), "rate_sd_hz",
        job_real(1000 * a->rate_sd), "silent", (json_int_t)a->silent, "cv_neurons", (json_int_t)a->cv_neurons, "cv_isi",
        job_real(a->cv), "cv_isi_sd", job_real(a->cv_sd), "cv_isi_quantiles", at, "synchrony", job_real(a->synchrony),
        "pairs", (json_int_t)a->pairs, "correlation", job_real(a->correlation), "correlation_sd",
        job_real(a->correlation_sd));
}

/* A column that may be without a number. */
static const char *cell(double x, const char *format, char buf[16]) {
    if (isfinite(x))
        snprintf(buf, 16, format, x);
    else
        snprintf(buf, 16, "-");
    return buf;
}

static void population_log(const char *name, const lw_activity *a) {
    char text[7][16];
    lw_log(LW_LOG_INFO, "%-12s %8s %8s %7s %7s %7s %9s %9s", name, cell(1000 * a->rate, "%.3f", text[0]),
        cell(1000 * a->rate_sd, "%.3f", text[1]), cell(a->cv, "%.3f", text[2]), cell(a->cv_sd, "%.3f", text[3]),
        cell(a->synchrony, "%.3f", text[4]), cell(a->correlation, "%.5f", text[5]),
        cell(a->correlation_sd, "%.5f", text[6]));
}

lw_err statistics_report(job *j, json_t **out) {
    const lw_activity_spec *spec = &j->experiment->statistics;
    int n_pop = lw_net_n_pop(j->net);
    double dt = lw_net_dt(j->net);
    lw_activity *a = NULL;
    int64_t counted = 0;
    lw_err err = lw_comm_agree(j->world, lw_alloc((size_t)n_pop, sizeof *a, "activity", &a));
    if (err == LW_OK) err = lw_sim_activity_get(j->sim, a);
    LW_TRY_TO(err, done);
    json_t *pops = json_object();
    lw_log(LW_LOG_INFO, "%-12s %8s %8s %7s %7s %7s %9s %9s", "population", "rate Hz", "sd", "CV ISI", "sd", "synchr.",
        "correl.", "sd");
    for (int p = 0; p < n_pop; p++) {
        lw_pop_view pop = lw_net_pop(j->net, p);
        if (a[p].steps > counted) counted = a[p].steps;
        if (!pop.model->emits_spikes) continue;
        json_object_set_new(pops, pop.name, population_json(&a[p]));
        population_log(pop.name, &a[p]);
    }
    int64_t end = lw_sim_step(j->sim);
    *out = json_pack("{s:f, s:f, s:f, s:f, s:I, s:o}", "from_ms", (double)(end - counted) * dt, "to_ms",
        (double)end * dt, "bin_ms", (double)spec->bin * dt, "pair_bin_ms", (double)spec->pair_bin * dt, "least_spikes",
        (json_int_t)spec->least, "populations", pops);
done:
    lw_free(a);
    return err;
}
