/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which exponent belongs to which neuron (README.md): the localised growth rates of the spectrum, the leaks alone, or
 * sorted exponents against sorted time constants.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "master.h"

enum { MOST_DIRECTIONS = 256 }; /* without an explicit number */

/* A parameter of the kept neurons of the population in every rank's array by node; local ones are filled, then summed.
 */
static void tau_gather(const master *g, int param, double *out) {
    lw_pop_view pop = lw_net_pop(g->net, g->pop);
    memset(out, 0, (size_t)g->n * sizeof *out);
    for (int64_t j = 0; j < pop.n_local; j++)
        out[pop.gid[j] - pop.gid_begin] = pop.param[param][j];
    lw_comm_sum_f64(g->comm, out, g->n);
}

lw_err prune_tau(const master *g, bool all, double *rate_sum, double *tau) {
    const lw_model *model = lw_net_pop(g->net, g->pop).model;
    int best = -1, any = -1;
    double *one = NULL;
    for (int p = 0; p < model->n_param; p++) {
        if (best < 0 && strncmp(model->param[p].name, "tau_m", 5) == 0) best = p;
        if (any < 0 && strncmp(model->param[p].name, "tau", 3) == 0) any = p;
    }
    if (best < 0) best = any;
    LW_CHECK(best >= 0, LW_EUSE,
        "model %s has no parameter whose name begins with tau; leaks and time constants cannot be used", model->name);
    LW_TRY(lw_comm_agree(g->comm, lw_alloc((size_t)g->n, sizeof *one, "time constants", &one)));
    tau_gather(g, best, tau);
    for (int64_t v = 0; v < g->n; v++)
        rate_sum[v] = 0;
    for (int p = 0; p < model->n_param; p++) {
        if (strncmp(model->param[p].name, "tau", 3) != 0 || (!all && p != best)) continue;
        tau_gather(g, p, one);
        for (int64_t v = 0; v < g->n; v++)
            rate_sum[v] += 1 / one[v];
    }
    lw_free(one);
    return LW_OK;
}

typedef struct slow_first {
    double tau;
    int64_t node;
} slow_first;

static int by_tau(const void *a, const void *b) {
    const slow_first *x = a, *y = b;
    if (x->tau != y->tau) return x->tau > y->tau ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* The slowest neuron gets the largest exponents: the k finite ones are dealt in equal shares, each neuron the mean of
 * its own. */
static lw_err by_index(const master *g, const lw_lyapunov *l, double *lambda) {
    slow_first *list = NULL;
    double *rate = NULL, *tau = NULL;
    int64_t n = 0, k = l->k - l->collapsed;
    lw_err err = lw_alloc((size_t)g->n, sizeof *list, "an order of neurons", &list);
    if (err == LW_OK) err = lw_alloc((size_t)g->n, sizeof *rate, "rates", &rate);
    if (err == LW_OK) err = lw_alloc((size_t)g->n, sizeof *tau, "time constants", &tau);
    err = lw_comm_agree(g->comm, err);
    if (err == LW_OK) err = prune_tau(g, false, rate, tau);
    if (err == LW_OK) {
        for (int64_t v = 0; v < g->n; v++)
            if (g->keep_node[v]) list[n++] = (slow_first){tau[v], v};
        qsort(list, (size_t)n, sizeof *list, by_tau);
        for (int64_t i = 0; i < n; i++) {
            int64_t lo = i * k / n, hi = (i + 1) * k / n, last = k > 0 ? k - 1 : 0;
            double sum = 0;
            if (hi <= lo) hi = lo + 1;
            for (int64_t j = lo; j < hi; j++)
                sum += k > 0 ? l->exponent[j < last ? j : last] * l->dt : 0;
            lambda[list[i].node] = sum / (double)(hi - lo);
        }
    }
    lw_free(list);
    lw_free(rate);
    lw_free(tau);
    return err;
}

static lw_err by_leak(const master *g, double *lambda) {
    double *tau = NULL, dt = lw_net_dt(g->net);
    LW_TRY(lw_comm_agree(g->comm, lw_alloc((size_t)g->n, sizeof *tau, "time constants", &tau)));
    lw_err err = prune_tau(g, true, lambda, tau);
    for (int64_t v = 0; v < g->n; v++)
        lambda[v] *= -dt;
    lw_free(tau);
    return err;
}

static void by_profile(
    const master *g, const lw_net *small, const lw_lyapunov *l, const int64_t *node, double *lambda) {
    lw_pop_view pop = lw_net_pop(small, g->pop);
    memset(lambda, 0, (size_t)g->n * sizeof *lambda);
    for (int64_t j = 0; j < pop.n_local; j++)
        lambda[node[pop.gid[j] - pop.gid_begin]] = l->profile[pop.lid_begin + j];
    lw_comm_sum_f64(g->comm, lambda, g->n);
}

static int64_t directions(const lw_net *net, const lw_prune_spec *spec) {
    int64_t k = 0;
    for (int p = 0; p < lw_net_n_pop(net); p++)
        k += lw_net_pop(net, p).size * lw_net_pop(net, p).model->n_state;
    if (spec->exponents > 0) return spec->exponents < k ? spec->exponents : k;
    return k < MOST_DIRECTIONS ? k : MOST_DIRECTIONS;
}

static lw_err spectrum(master *g, const prune_job *job, lw_net *small, double *lambda, double *lambda_max) {
    lw_lyapunov_spec spec = lw_lyapunov_spec_default();
    lw_lyapunov *l = NULL;
    lw_sim *sim = NULL;
    int64_t *node = NULL;
    LW_TRY(master_engine(g, small, job->options, &sim));
    spec.k = directions(small, job->spec);
    spec.steps = job->spec->lyapunov_steps;
    spec.transient = job->spec->lyapunov_transient;
    spec.seed = job->spec->seed;
    spec.profile = job->spec->attribution == LW_PRUNE_LOCAL;
    lw_err err = lw_lyapunov_run(sim, &spec, job->watch, &l);
    if (err == LW_OK) {
        *lambda_max = l->exponent[0];
        err = lw_comm_agree(g->comm, lw_alloc((size_t)g->n, sizeof *node, "node numbers", &node));
    }
    if (err == LW_OK) {
        int64_t n = 0;
        for (int64_t v = 0; v < g->n; v++)
            if (g->keep_node[v]) node[n++] = v;
        if (job->spec->attribution == LW_PRUNE_LOCAL)
            by_profile(g, small, l, node, lambda);
        else if (job->spec->attribution == LW_PRUNE_INDEX)
            err = by_index(g, l, lambda);
        else
            err = by_leak(g, lambda);
    }
    lw_free(node);
    lw_lyapunov_destroy(&l);
    lw_sim_destroy(&sim);
    return err;
}

lw_err prune_exponents(master *g, const prune_job *job, double *lambda, double *lambda_max) {
    lw_net *small = NULL;
    LW_TRY(master_shrink(g, &small));
    lw_err err = spectrum(g, job, small, lambda, lambda_max);
    lw_net_destroy(&small);
    return err;
}
