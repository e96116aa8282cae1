/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The key `synapse` of projections: what is read, and how what is wrong is told: file, line, path, found, allowed.
 */
#include "check.h"
#include <lapwing/io.h>

#define HEAD                                                                                                           \
    "name: t\ntime: {dt: 0.1 ms, duration: 1 s}\n"                                                                     \
    "populations:\n"                                                                                                   \
    "  E: {model: lif_delta, size: 80}\n"                                                                              \
    "  G: {model: li, size: 20}\n"                                                                                     \
    "projections:\n"

static void refused(const char *projection, const char *where, const char *what) {
    char text[1000];
    lw_experiment *x = NULL;
    snprintf(text, sizeof text, HEAD "  - {%s}\n", projection);
    lw_err err = lw_experiment_parse("t.yaml", text, NULL, 0, &x);
    CHECK(err == LW_EUSE || err == LW_EFILE);
    if (!strstr(lw_err_message(), where) || !strstr(lw_err_message(), what)) {
        fprintf(stderr, "message: %s\nwanted: %s ... %s\n", lw_err_message(), where, what);
        CHECK(!"message");
    }
    CHECK(x == NULL);
    lw_err_clear();
    lw_experiment_destroy(&x);
}

TEST(synapse_models_are_read) {
    lw_experiment *x = NULL;
    CHECK_OK(lw_experiment_parse("t.yaml",
        HEAD
        "  - {from: E, to: E, rule: all_to_all}\n"
        "  - {from: E, to: E, name: a, rule: all_to_all, synapse: static}\n"
        "  - {from: E, to: E, name: b, rule: all_to_all, synapse: tsodyks_markram}\n"
        "  - {from: E, to: E, name: c, rule: all_to_all, synapse: {model: stdp, delay_at: axon, params: {tau_plus: "
        "0.015 s, w_max: 2000 uV}}}\n",
        NULL, 0, &x));
    if (!x) return;
    const lw_projection_spec *p = x->net.proj;
    CHECK(!p[0].synapse && !p[1].synapse && p[2].synapse == lw_synapse_builtin("tsodyks_markram"));
    CHECK(p[3].synapse == lw_synapse_builtin("stdp") && p[3].delay_in_axon && !p[2].delay_in_axon);
    CHECK_CLOSE(p[2].synapse_param[0], 0.5, 0);
    CHECK_CLOSE(p[3].synapse_param[lw_synapse_param_find(p[3].synapse, "tau_plus")], 15, 1e-12);
    CHECK_CLOSE(p[3].synapse_param[lw_synapse_param_find(p[3].synapse, "w_max")], 2, 1e-12);
    CHECK_CLOSE(p[3].synapse_param[lw_synapse_param_find(p[3].synapse, "tau_minus")], 20, 0);
    lw_experiment_destroy(&x);
}

TEST(what_is_wrong_is_told) {
#define PROJECTION "from: E, to: E, rule: all_to_all, "
    refused(PROJECTION "synapse: stpd", "t.yaml:7: projections[0].synapse: found \"stpd\"",
        "a file NAME.synapse, or one of stdp, stdp_nearest, stdp_power, stdp_triplet, tsodyks_markram");
    refused(PROJECTION "synapse: [stdp]", "t.yaml:7: projections[0].synapse", "the name of a synapse model");
    refused(PROJECTION "synapse: {params: {}}", "t.yaml:7", "model");
    refused(PROJECTION "synapse: {model: stdp, parms: {}}", "t.yaml:7: projections[0].synapse.parms", "params");
    refused(PROJECTION "synapse: {model: stdp, delay_at: soma}", "delay_at: found \"soma\"", "dendrite, axon");
    refused(PROJECTION "synapse: {model: stdp, params: {tau: 1 ms}}", "projections[0].synapse.params.tau", "tau_plus");
    refused(PROJECTION "synapse: {model: stdp, params: {tau_plus: 1 mV}}", "params.tau_plus: found \"1 mV\"", "ms");
    refused(PROJECTION "synapse: {model: stdp, params: {w_max: 1 pA}}", "params.w_max: found \"1 pA\"", "mV");
    refused(PROJECTION "synapse: {model: stdp, params: {alpha: -1}}", "params.alpha: found \"-1\"",
        "parameter alpha of synapse stdp is -1 1, allowed is [0, inf)");
    refused(PROJECTION "synapse: stdp, learn: true", "projections[0].learn", "either \"learn\" or \"synapse\"");
    refused(PROJECTION "synapse: stdp, delay: 0 ms", "projections[0].delay", "a delay of a step and more");
    refused("from: E, to: G, rule: all_to_all, synapse: stdp", "projections[0].synapse",
        "synapse model stdp only between populations that spike");
    refused(PROJECTION "synapse: nowhere.synapse", "nowhere.synapse", "could not be opened");
}

TEST(recorded_weights_are_read) {
#define RECORDED                                                                                                       \
    HEAD "  - {from: E, to: E, rule: all_to_all, synapse: stdp}\n  - {from: E, to: E, name: s, rule: all_to_all}\n"
    static const struct {
        const char *record, *where, *what;
    } wrong[] = {
        {"{projection: s, every: 1 ms}", "t.yaml:9: record.weights[0].projection: found \"s\"", "synapse model (E_E)"},
        {"{projection: E_E}", "t.yaml:9: record.weights[0]", "every"},
        {"{projection: E_E, every: 1 ms, neuron: 3}", "record.weights[0].neuron", "neurons"},
        {"{projection: E_E, every: 1 ms, neurons: [80]}", "record.weights[0].neurons[0]", "79"},
        {"{projection: E_E, every: 1 ms}, {projection: E_E, every: 1 ms}", "record.weights[1]", "each projection once"},
    };
    char text[1000];
    lw_experiment *x = NULL;
    CHECK_OK(lw_experiment_parse(
        "t.yaml", RECORDED "record: {weights: [{projection: E_E, every: 2.5 ms, neurons: [1, 7]}]}\n", NULL, 0, &x));
    if (!x) return;
    CHECK_INT(x->n_weights, 1);
    CHECK_INT(x->weights[0].proj, 0);
    CHECK_INT(x->weights[0].every, 25);
    CHECK_INT(x->weights[0].who.index[1], 7);
    lw_experiment_destroy(&x);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, RECORDED "record: {weights: [%s]}\n", wrong[i].record);
        CHECK(lw_experiment_parse("t.yaml", text, NULL, 0, &x) == LW_EUSE);
        if (!strstr(lw_err_message(), wrong[i].where) || !strstr(lw_err_message(), wrong[i].what)) {
            fprintf(stderr, "message: %s\nwanted: %s ... %s\n", lw_err_message(), wrong[i].where, wrong[i].what);
            CHECK(!"message");
        }
        lw_err_clear();
        lw_experiment_destroy(&x);
    }
}

CHECK_MAIN(CASE(recorded_weights_are_read), CASE(synapse_models_are_read), CASE(what_is_wrong_is_told))
