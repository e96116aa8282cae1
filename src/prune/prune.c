/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pruning a network: checks, the method, the smaller network, the report. Counts are exact for every method or there is
 * an error.
 */
#include <math.h>
#include <string.h>
#include "master.h"

static const char *const METHOD[] = {[LW_PRUNE_LNP] = "lnp",
    [LW_PRUNE_NOISE] = "noise",
    [LW_PRUNE_ACTIVITY] = "activity",
    [LW_PRUNE_MAGNITUDE] = "magnitude",
    [LW_PRUNE_RANDOM] = "random"};
enum { METHODS = sizeof METHOD / sizeof METHOD[0] };

lw_prune_spec lw_prune_spec_default(void) {
    lw_prune_spec s = {.method = LW_PRUNE_LNP,
        .iterations = 3,
        .lyapunov_steps = 500,
        .lyapunov_transient = 200,
        .mode = LW_PRUNE_WEIGHTED,
        .pair = LW_PRUNE_UNION,
        .diagonal = LW_PRUNE_DOMINANT,
        .attribution = LW_PRUNE_LOCAL,
        .rescale = LW_PRUNE_RESCALE_CAP,
        .rescale_quantile = 0.5,
        .delocalise_budget = 0.01,
        .activity_steps = 1000,
        .seed = 1};
    return s;
}

lw_err lw_prune_method_parse(const char *name, lw_prune_method *out) {
    for (int m = 0; m < METHODS; m++)
        if (strcmp(METHOD[m], name) == 0) {
            *out = (lw_prune_method)m;
            return LW_OK;
        }
    return LW_FAIL(LW_EUSE, "pruning method \"%s\"; known are lnp, noise, activity, magnitude, random", name);
}

const char *lw_prune_method_name(lw_prune_method m) {
    LW_ASSERT((int)m >= 0 && (int)m < METHODS);
    return METHOD[m];
}

static lw_err spec_check(const lw_net *net, const lw_prune_spec *s, const master *g) {
    LW_CHECK(s->neurons >= 1 && s->neurons <= g->n, LW_EUSE,
        "%lld neurons of population %s are to be kept; 1 to %lld are possible", (long long)s->neurons,
        lw_net_pop(net, s->pop).name, (long long)g->n);
    LW_CHECK(s->synapses >= 0 && s->synapses <= g->m, LW_EUSE,
        "%lld recurrent synapses of population %s are to be kept; 0 to %lld are possible", (long long)s->synapses,
        lw_net_pop(net, s->pop).name, (long long)g->m);
    LW_CHECK(s->iterations >= 1, LW_EUSE, "%d passes of pruning; at least 1 is needed", (int)s->iterations);
    LW_CHECK(s->rescale_quantile >= 0 && s->rescale_quantile <= 1, LW_EUSE,
        "the rescale quantile is %g; 0 to 1 is possible", s->rescale_quantile);
    LW_CHECK(s->delocalise_budget >= 0 && s->delocalise_budget <= 0.5, LW_EUSE,
        "the delocalisation budget is %g of the kept synapses; 0 to 0.5 is possible", s->delocalise_budget);
    return LW_OK;
}

static void measure(lw_prune_report *report, const master *g, bool after) {
    int64_t neurons = master_nodes(g), synapses = master_edges(g);
    if (after) {
        report->neurons_after = neurons;
        report->synapses_after = synapses;
    } else {
        report->neurons_before = neurons;
        report->synapses_before = synapses;
    }
}

static lw_err run(lw_net *net, const prune_job *job, master *g, lw_net **out) {
    lw_prune_report *report = job->report;
    lw_ipr ipr = {0};
    LW_TRY(master_make(net, job->spec->pop, g));
    LW_TRY(lw_comm_agree(g->comm, spec_check(net, job->spec, g)));
    measure(report, g, false);
    report->network_synapses_before = lw_net_n_edges_global(net);
    LW_TRY(master_ipr(g, &ipr));
    report->ipr_before = ipr.mean;
    report->abscissa_before = ipr.abscissa;
    if (job->spec->method == LW_PRUNE_LNP || job->spec->method == LW_PRUNE_NOISE)
        LW_TRY(prune_sampling(g, job));
    else
        LW_TRY(prune_baseline(g, job));
    measure(report, g, true);
    LW_ASSERT(report->neurons_after == job->spec->neurons && report->synapses_after == job->spec->synapses);
    LW_TRY(master_ipr(g, &ipr));
    report->ipr_after = ipr.mean;
    report->abscissa_after = ipr.abscissa;
    LW_TRY(master_shrink(g, out));
    report->network_synapses_after = lw_net_n_edges_global(*out);
    return LW_OK;
}

lw_err lw_prune_run(lw_net *net, const lw_sim_options *sim_options, const lw_prune_spec *spec, const lw_watch *watch,
    lw_net **out, lw_prune_report **report) {
    const lw_comm *comm = lw_net_comm(net);
    master g = {0};
    prune_job job = {.spec = spec, .options = sim_options, .watch = watch};
    double start = lw_time_now();
    *out = NULL;
    *report = NULL;
    LW_CHECK(spec->pop >= 0 && spec->pop < lw_net_n_pop(net), LW_EUSE, "population number %d of %d", (int)spec->pop,
        lw_net_n_pop(net));
    for (int i = 0; i < lw_net_n_proj(net); i++)
        LW_CHECK(lw_net_proj(net, i).n_tied == 0, LW_EUSE,
            "pruning a network with the learned conv2d \"%s\", whose synapses share weights; allowed: local2d, or "
            "conv2d "
            "without learn",
            lw_net_proj(net, i).name);
    LW_TRY(lw_comm_agree(comm, lw_net_unbundle(net))); /* synapses to be removed are named by their numbers */
    LW_TRY(lw_comm_agree(comm, lw_alloc(1, sizeof *job.report, "a pruning report", &job.report)));
    job.report->method = spec->method;
    job.report->p_median = job.report->p_max_inverse = NAN;
    lw_err err = run(net, &job, &g, out);
    master_free(&g);
    job.report->seconds = lw_time_now() - start;
    if (err != LW_OK) {
        lw_net_destroy(out);
        lw_prune_report_destroy(&job.report);
    }
    *report = job.report;
    return err;
}

void lw_prune_report_destroy(lw_prune_report **report) {
    if (!report || !*report) return;
    lw_free((*report)->step);
    lw_free(*report);
    *report = NULL;
}
