/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_weight.c: weights of a projection as a whole: orthogonal(g), and fluctuation(nu, mu, sigma), which choose
 * weights by what they do to their targets. Everything else about weights is a value like others (yaml_field.c).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "experiment.h"
#include "orthogonal.h"

enum { ORTHOGONAL_MOST = 1 << 24 }; /* entries; every rank holds the matrix, 128 MiB */

bool experiment_is_whole_weight(const yaml_tree_node *node) {
    static const char *const names[] = {"orthogonal(", "fluctuation(", "fluctuation_xi("};
    for (size_t i = 0; node && node->kind == YAML_SCALAR && i < sizeof names / sizeof *names; i++)
        if (!strncmp(node->text, names[i], strlen(names[i]))) return true;
    return false;
}

/* ---- orthogonal(g) */

static lw_err orthogonal(reader *r, const yaml_tree_node *node, const yaml_call *call, const char *unit,
    uint64_t number, lw_projection_spec *proj) {
    int64_t n_pre = r->pop[proj->pre].size, n_post = r->pop[proj->post].size;
    double gain;
    if (call->n != 1) return yaml_fail(node, "orthogonal(gain), for example orthogonal(1)");
    LW_TRY(yaml_quantity(node, call->arg[0], unit, &gain));
    if (proj->rule != LW_RULE_ALL_TO_ALL || !proj->autapses || proj->zero_mean || proj->symmetric)
        return yaml_fail(node, "orthogonal only with rule all_to_all and autapses, without zero_mean and symmetric");
    if (n_pre * n_post > ORTHOGONAL_MOST)
        return yaml_fail(node, "orthogonal with at most %d weights, which every rank holds", ORTHOGONAL_MOST);
    double *list = yaml_tree_keep(r->tree, (size_t)(n_pre * n_post) * sizeof *list);
    if (!list) return LW_EMEM;
    LW_TRY(orthogonal_draw(r->x->net.seed, number, n_post, n_pre, gain, list));
    proj->weight.kind = LW_DIST_LIST;
    proj->weight.list = list;
    proj->weight.n_list = n_pre * n_post;
    return LW_OK;
}

/* ---- fluctuation(nu, mu, sigma)
 * Rossbroich, Gygax & Zenke 2022 (Neuromorphic Computing and Engineering 2, 044016): n Poisson inputs of rate nu and
 * weights of mean m and standard deviation s give a potential without spikes the mean mu = n nu m e1 above rest and the
 * variance sigma^2 = n nu (s^2 + m^2) e2, where e1 and e2 are the integrals of a postsynaptic potential and of its
 * square. Here they are sums over steps, exact for what the engine does:
 * i <- alpha i + x, v <- beta v + kappa i. */

typedef struct membrane {
    double alpha, beta, kappa; /* alpha 0: no synaptic current */
    double threshold;          /* above rest */
} membrane;

/* Mean of a value over neurons (without its range). */
static double dist_mean(const lw_dist *d) {
    double sum = 0;
    switch (d->kind) {
    case LW_DIST_LIST:
        for (int64_t i = 0; i < d->n_list; i++)
            sum += d->list[i];
        return sum / (double)d->n_list;
    case LW_DIST_UNIFORM:
        return (d->p[0] + d->p[1]) / 2;
    case LW_DIST_GAMMA:
        return d->p[1];
    case LW_DIST_LOGNORMAL:
        return exp(d->p[0] + d->p[1] * d->p[1] / 2);
    case LW_DIST_CONSTANT:
    case LW_DIST_NORMAL:
    case LW_DIST_EXPONENTIAL:
        break;
    }
    return d->p[0];
}

static double param_mean(const lw_population_spec *pop, const char *name) {
    int i = lw_model_param_find(pop->model, name);
    return i < 0 ? 0 : dist_mean(&pop->param[i]);
}

/* How the target's potential follows its input; false when the model is not one of those known here. */
static bool membrane_of(const lw_population_spec *pop, int32_t port, double dt, membrane *out) {
    const char *model = pop->model->name, *input = pop->model->input[port].name;
    bool currents = !strcmp(model, "lif") || !strcmp(model, "lif_exp") || !strcmp(model, "lif_adapt");
    if (currents || !strcmp(model, "lif_delta")) {
        double tau = param_mean(pop, "tau_m");
        bool inhibits = !strcmp(input, "in");
        if (currents && !inhibits && strcmp(input, "ex") != 0) return false;
        *out = (membrane){.beta = exp(-dt / tau), .kappa = 1};
        out->threshold = param_mean(pop, "V_th") - param_mean(pop, "E_L");
        if (!currents) return true;
        double syn = param_mean(pop, inhibits ? "tau_syn_in" : "tau_syn_ex"), gap = (tau - syn) / (tau * syn);
        out->alpha = exp(-dt / syn);
        /* what a current of 1 adds in a step: (beta - alpha) / (1/tau_syn - 1/tau_m) / C, dt beta / C when they agree
         */
        double rise = fabs(gap * dt) < 1e-6 ? dt * out->beta : (out->beta - out->alpha) / gap;
        out->kappa = rise / param_mean(pop, "C_m");
        return true;
    }
    bool scaled = !strcmp(model, "cuba_lif") || !strcmp(model, "alif");
    if (!scaled && strcmp(model, "lif_simple") != 0) return false;
    out->beta = exp(-dt / param_mean(pop, "tau_mem"));
    out->kappa = scaled ? 1 - out->beta : 1;
    out->alpha = !strcmp(model, "cuba_lif") ? exp(-dt / param_mean(pop, "tau_syn")) : 0;
    out->threshold = param_mean(pop, "v_th") - param_mean(pop, "v_leak");
    return true;
}

/* Sums over steps of the response to one event of weight 1, and of its square:
 * h_k = kappa (beta^(k+1) - alpha^(k+1)) / (beta - alpha), in closed form. */
static void response_sums(const membrane *m, double *once, double *squared) {
    double a = m->alpha, b = m->beta, k = m->kappa;
    *once = k / ((1 - a) * (1 - b));
    *squared = k * k * (1 + a * b) / ((1 - a * a) * (1 - b * b) * (1 - a * b));
}

static lw_err fluctuation(
    reader *r, const yaml_tree_node *node, const yaml_call *call, double fan_in, bool by_xi, lw_projection_spec *proj) {
    const lw_population_spec *post = &r->pop[proj->post];
    double nu, mu, sigma, once, squared, dt = r->x->net.dt;
    int potential = lw_model_state_find(post->model, "V_m");
    const char *unit = potential >= 0 ? post->model->state[potential].unit : "";
    membrane m = {0};
    if (call->n != 3)
        return yaml_fail(node, "fluctuation(rate of a source, mean, standard deviation) of the potential, or "
                               "fluctuation_xi(rate, mean, distance to threshold in standard deviations)");
    LW_TRY(yaml_quantity(node, call->arg[0], "kHz", &nu));
    LW_TRY(yaml_quantity(node, call->arg[1], unit, &mu));
    LW_TRY(yaml_quantity(node, call->arg[2], by_xi ? "" : unit, &sigma));
    if (!membrane_of(post, proj->port, dt, &m))
        return yaml_fail(node,
            "%s only onto cuba_lif, alif, lif_simple, lif_delta, or the ports ex and in of lif, "
            "lif_exp and lif_adapt",
            call->name);
    if (!(fan_in > 0)) return yaml_fail(node, "%s only where the rule says how many sources a target has", call->name);
    if (by_xi && sigma > 0) sigma = (m.threshold - mu) / sigma;
    if (!(nu > 0 && sigma > 0))
        return yaml_fail(node, "a rate, a standard deviation and a distance to threshold above 0");
    response_sums(&m, &once, &squared);
    double events = fan_in * nu * dt, mean = mu / (events * once);
    double variance = sigma * sigma / (events * squared) - mean * mean;
    if (!(variance >= 0))
        return yaml_fail(node, "a standard deviation of at least %.4g for this mean and %g sources",
            fabs(mean) * sqrt(events * squared), fan_in);
    proj->weight.kind = LW_DIST_NORMAL;
    proj->weight.p[0] = mean;
    proj->weight.p[1] = sqrt(variance);
    return LW_OK;
}

lw_err experiment_whole_weight(
    reader *r, const yaml_tree_node *node, const char *unit, double fan_in, uint64_t number, lw_projection_spec *proj) {
    yaml_call call;
    LW_TRY(yaml_call_parse(r->tree, node, node->text, &call));
    if (!strcmp(call.name, "orthogonal")) return orthogonal(r, node, &call, unit, number, proj);
    return fluctuation(r, node, &call, fan_in, !strcmp(call.name, "fluctuation_xi"), proj);
}
