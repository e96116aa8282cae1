/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Weights chosen for a projection as a whole: orthogonal matrices are orthogonal and uniform, fluctuation-driven
 * weights give the potential they promise in a simulation, and what cannot be is refused.
 */
#include "world.h"
#include <lapwing/io.h>

static lw_experiment *parsed(const char *text, int n, const char *const *set) {
    lw_experiment *x = NULL;
    CHECK_OK(lw_experiment_parse("t.yaml", text, set, n, &x));
    return x;
}

#define ORTHOGONAL                                                                                                     \
    "name: t\ntime: {dt: 1 ms}\npopulations: {A: {model: cuba_lif, size: 30}, B: {model: cuba_lif, size: 12}}\n"       \
    "projections:\n"                                                                                                   \
    "  - {from: A, to: A, rule: all_to_all, weight: orthogonal(1.5)}\n"                                                \
    "  - {from: A, to: B, rule: all_to_all, weight: orthogonal(2)}\n"                                                  \
    "  - {from: B, to: A, rule: all_to_all, weight: orthogonal(1)}\n"

/* largest deviation of the products of rows (of columns) from gain^2 times the identity */
static double deviation(const double *w, int64_t rows, int64_t columns, bool of_columns, double gain) {
    int64_t n = of_columns ? columns : rows, m = of_columns ? rows : columns;
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < m; k++)
                sum += of_columns ? w[k * columns + i] * w[k * columns + j] : w[i * columns + k] * w[j * columns + k];
            worst = fmax(worst, fabs(sum - (i == j ? gain * gain : 0)));
        }
    return worst;
}

TEST(orthogonal_weights_are_orthogonal) {
    lw_experiment *x = parsed(ORTHOGONAL, 0, NULL);
    if (!x) return;
    const lw_projection_spec *p = x->net.proj;
    CHECK(deviation(p[0].weight.list, 30, 30, true, 1.5) < 1e-13);
    CHECK(deviation(p[0].weight.list, 30, 30, false, 1.5) < 1e-13);
    CHECK(deviation(p[1].weight.list, 12, 30, false, 2) < 1e-13);
    CHECK(deviation(p[2].weight.list, 30, 12, true, 1) < 1e-13);
    lw_experiment_destroy(&x);
}

/* Haar: the trace of a uniform orthogonal matrix has mean 0 and variance 1, and its diagonal has no preferred sign */
TEST(orthogonal_weights_are_uniform) {
    enum { SEEDS = 400 };
    double sum = 0, square = 0;
    for (int s = 0; s < SEEDS; s++) {
        char seed[40];
        const char *set[] = {seed, "populations.A.size=10", "projections.0.weight=orthogonal(1)"};
        snprintf(seed, sizeof seed, "seed=%d", s);
        lw_experiment *x = parsed(ORTHOGONAL, 3, set);
        if (!x) return;
        double trace = 0;
        for (int64_t i = 0; i < 10; i++)
            trace += x->net.proj[0].weight.list[i * 11];
        sum += trace;
        square += trace * trace;
        lw_experiment_destroy(&x);
    }
    CHECK(fabs(sum / SEEDS) < 4 / sqrt(SEEDS));
    CHECK(fabs(square / SEEDS - 1) < 4 * sqrt(2.0 / SEEDS));
}

TEST(orthogonal_network_is_the_matrix) {
    lw_experiment *x = parsed(ORTHOGONAL, 0, NULL);
    lw_net *net = NULL;
    lw_edge *edge = NULL;
    int64_t n = 0;
    if (!x) return;
    CHECK_OK(lw_net_create(world_kept(), &x->net, &net));
    CHECK_OK(lw_net_edges(net, 1, &edge, NULL, &n));
    for (int64_t i = 0; i < n; i++)
        CHECK_CLOSE(edge[i].weight, x->net.proj[1].weight.list[edge[i].target * 30 + edge[i].source], 0);
    lw_free(edge);
    lw_net_destroy(&net);
    lw_experiment_destroy(&x);
}

/* Mean over targets of the mean and the standard deviation over time of potentials that cannot spike. The sources are
 * 200 relays of Poisson events; what their weights make different between targets is no fluctuation. */
static void potential(const char *target, const char *port, const char *weight, const char *name, double mu,
    double sigma, double tolerance) {
    enum { BURN = 300, SAMPLES = 600, EVERY = 10, TARGETS = 800 };
    char text[1200];
    snprintf(text, sizeof text,
        "name: t\ntime: {dt: 1 ms, duration: 1 s}\npopulations: {S: {model: relay, size: 200}, T: {size: %d, model: "
        "%s}}\nprojections:\n  - {from: S, to: T, rule: all_to_all, weight: \"%s\"%s, delay: 1 ms}\n"
        "inputs: [{to: S, poisson: 20 Hz, weight: 1}]\n",
        (int)TARGETS, target, weight, port);
    lw_experiment *x = parsed(text, 0, NULL);
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    if (!x) return;
    lw_sim_options o = lw_sim_options_default();
    o.stimulus = x->stimulus;
    o.n_stimuli = x->n_stimuli;
    CHECK_OK(lw_net_create(world_kept(), &x->net, &net));
    CHECK_OK(lw_sim_create(net, &o, &sim));
    lw_pop_view pop = lw_net_pop(net, 1);
    int state = lw_model_state_find(pop.model, name), leak = lw_model_param_find(pop.model, "E_L");
    double *v = NULL, sum[2] = {0}, rest = leak < 0 ? 0 : pop.model->param[leak].value;
    CHECK_OK(lw_alloc((size_t)(3 * pop.n_local), sizeof *v, "potentials", &v));
    double *first = v + pop.n_local, *second = first + pop.n_local;
    CHECK_OK(lw_sim_advance(sim, BURN, NULL));
    for (int t = 0; t < SAMPLES; t++) {
        CHECK_OK(lw_sim_advance(sim, EVERY, NULL));
        lw_sim_state_get(sim, 1, state, v);
        for (int64_t i = 0; i < pop.n_local; i++) {
            first[i] += (v[i] - rest) / SAMPLES;
            second[i] += (v[i] - rest) * (v[i] - rest) / SAMPLES;
        }
    }
    for (int64_t i = 0; i < pop.n_local; i++) {
        sum[0] += first[i] / TARGETS;
        sum[1] += (second[i] - first[i] * first[i]) / TARGETS;
    }
    lw_comm_sum_f64(world_kept(), sum, 2);
    CHECK_CLOSE(sum[0], mu, tolerance * sigma);
    CHECK_REL(sqrt(sum[1]), sigma, tolerance);
    lw_free(v);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_experiment_destroy(&x);
}

TEST(fluctuations_are_as_large_as_asked) {
    potential(
        "cuba_lif, params: {v_th: 1000, tau_mem: 15 ms}", "", "fluctuation(20 Hz, 0.2, 0.7)", "v", 0.2, 0.7, 0.06);
    potential("alif, params: {v_th: 1000}", "", "fluctuation(20 Hz, 0, 0.5)", "v", 0, 0.5, 0.06);
    potential("lif_simple, params: {v_th: 1000}", "", "fluctuation(20 Hz, 0.3, 0.4)", "v", 0.3, 0.4, 0.06);
    potential("lif, params: {V_th: 1000 mV, tau_syn_ex: 4 ms}", ", port: ex", "fluctuation(20 Hz, 2 mV, 3 mV)", "V_m",
        2, 3, 0.06);
    potential("lif_delta, params: {V_th: 1000 mV}", "", "fluctuation(20 Hz, 0 mV, 5 mV)", "V_m", 0, 5, 0.06);
    /* threshold 1000 above a rest of 0, mean 0, 1250 standard deviations away: 0.8 */
    potential("cuba_lif, params: {v_th: 1000}", "", "fluctuation_xi(20 Hz, 0, 1250)", "v", 0, 0.8, 0.06);
}

static void refused(const char *set, const char *what) {
    lw_experiment *x = NULL;
    const char *all[] = {set};
    lw_err err = lw_experiment_parse("t.yaml", ORTHOGONAL, all, 1, &x);
    CHECK(err == LW_EUSE && x == NULL);
    if (!strstr(lw_err_message(), what)) {
        fprintf(stderr, "message: %s\nwanted: %s\n", lw_err_message(), what);
        CHECK(!"message");
    }
    lw_err_clear();
    lw_experiment_destroy(&x);
}

TEST(impossible_weights_are_refused) {
    refused("projections.0.weight=orthogonal(1, 2)", "orthogonal(gain)");
    refused("projections.0.weight=orthogonal(1 mV)", "a number with no unit");
    refused("projections.0.rule=fixed_indegree(3)", "orthogonal only with rule all_to_all");
    refused("projections.0.autapses=false", "orthogonal only with rule all_to_all");
    refused("populations.A.size=5000", "at most 16777216 weights");
    refused("projections.0.weight=fluctuation(5 Hz, 1)", "fluctuation(rate of a source, mean, standard deviation)");
    refused("projections.0.weight=fluctuation(5, 0, 1)", "kHz");
    refused("projections.0.weight=fluctuation(5 Hz, 0, 0)", "above 0");
    refused("projections.0.weight=fluctuation(5 Hz, 10, 0.1)", "a standard deviation of at least");
    refused("projections.0.weight=fluctuation(5 Hz, 0, 1 mV)", "a number with no unit");
}

CHECK_MAIN(CASE(orthogonal_weights_are_orthogonal), CASE(orthogonal_weights_are_uniform),
    CASE(orthogonal_network_is_the_matrix), CASE(fluctuations_are_as_large_as_asked),
    CASE(impossible_weights_are_refused))
