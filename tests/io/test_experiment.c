/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Experiment files: what is read, and how what is wrong is told: file, line, path, found, allowed.
 */
#include "check.h"
#include <lapwing/io.h>

#define HEAD "name: t\ntime: {dt: 0.1 ms, duration: 1 s}\n"
#define POPS                                                                                                           \
    "populations:\n"                                                                                                   \
    "  E: {model: lif, size: 80, params: {tau_m: 20 ms, V_th: 20 mV}, init: {V_m: \"uniform(0 mV, 20 mV)\"}}\n"        \
    "  I: {like: E, size: 20, params: {tau_m: \"gamma(3, 10 ms)\"}}\n"

static lw_experiment *parsed(const char *text, int n, const char *const *set) {
    lw_experiment *x = NULL;
    CHECK_OK(lw_experiment_parse("t.yaml", text, set, n, &x));
    return x;
}

static void refused(const char *text, const char *where, const char *what) {
    lw_experiment *x = NULL;
    lw_err err = lw_experiment_parse("t.yaml", text, NULL, 0, &x);
    CHECK(err == LW_EUSE);
    if (!strstr(lw_err_message(), where) || !strstr(lw_err_message(), what)) {
        fprintf(stderr, "message: %s\nwanted: %s ... %s\n", lw_err_message(), where, what);
        CHECK(!"message");
    }
    CHECK(x == NULL);
    lw_err_clear();
    lw_experiment_destroy(&x);
}

TEST(network_is_read) {
    lw_experiment *x = parsed(HEAD POPS
        "projections:\n"
        "  - {from: E, to: [E, I], rule: fixed_indegree(8), weight: 0.1 nA, delay: 1.5 ms, autapses: false}\n"
        "  - {from: I, to: [E, I], rule: all_to_all, weight: \"normal(-5 pA, 1 pA) in [-9 pA, 0 pA]\", port: in}\n"
        "stages: [simulate]\n",
        0, NULL);
    if (!x) return;
    CHECK_INT(x->steps, 10000);
    CHECK_INT(x->net.n_pop, 2);
    CHECK_INT(x->net.n_proj, 4);
    CHECK_INT(x->net.proj[1].pre, 0);
    CHECK_INT(x->net.proj[1].post, 1);
    CHECK_CLOSE(x->net.proj[0].weight.p[0], 100, 0);
    CHECK_CLOSE(x->net.proj[0].delay.p[0], 1.5, 0);
    CHECK(!x->net.proj[0].autapses && x->net.proj[2].autapses);
    CHECK(x->net.proj[2].weight.kind == LW_DIST_NORMAL && x->net.proj[2].weight.redraw);
    CHECK_CLOSE(x->net.proj[2].weight.lo, -9, 0);
    int tau = lw_model_param_find(x->net.pop[0].model, "tau_m");
    CHECK(x->net.pop[0].param[tau].kind == LW_DIST_CONSTANT && x->net.pop[1].param[tau].kind == LW_DIST_GAMMA);
    CHECK_CLOSE(x->net.pop[1].param[tau].p[1], 10, 0);
    int th = lw_model_param_find(x->net.pop[0].model, "V_th");
    CHECK_CLOSE(x->net.pop[1].param[th].p[0], 20, 0); /* taken over by `like` */
    CHECK_INT(x->net.pop[1].size, 20);
    lw_experiment_destroy(&x);
}

TEST(overrides_reach_any_depth) {
    const char *set[] = {"threads=3", "populations.E.size=7", "seed=42", "populations.E.params.tau_m=5 ms",
        "stages=[simulate, lyapunov]", "lyapunov.exponents=9"};
    lw_experiment *x = parsed(HEAD POPS "stages: [simulate]\n", 6, set);
    if (!x) return;
    CHECK_INT(x->net.pop[0].size, 7);
    CHECK_INT(x->net.seed, 42);
    CHECK_INT(x->net.threads, 3);
    CHECK_INT(x->n_stages, 2);
    CHECK_INT(x->lyapunov.k, 9);
    CHECK_CLOSE(x->net.pop[0].param[lw_model_param_find(x->net.pop[0].model, "tau_m")].p[0], 5, 0);
    lw_experiment_destroy(&x);
}

TEST(fan_in_scales_weights) {
    lw_experiment *x =
        parsed(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, weight: fan_in(2 pA)}\n", 0, NULL);
    if (!x) return;
    CHECK_CLOSE(x->net.proj[0].weight.p[1], 2 / sqrt(80), 1e-15);
    CHECK_CLOSE(x->net.proj[0].weight.p[0], -2 / sqrt(80), 1e-15);
    lw_experiment_destroy(&x);
}

TEST(weights_may_be_listed) {
    lw_experiment *x = parsed(
        "name: t\ntime: {dt: 1 ms}\npopulations:\n  a: {model: lif, size: 3}\n"
        "projections:\n  - {from: a, to: a, rule: one_to_one, weight: [1 pA, 2 pA, 3 nA], delay: [1 ms, 2 ms, 3 ms]}\n",
        0, NULL);
    if (!x) return;
    CHECK(x->net.proj[0].weight.kind == LW_DIST_LIST && x->net.proj[0].weight.n_list == 3);
    CHECK_CLOSE(x->net.proj[0].weight.list[2], 3000, 0);
    CHECK_CLOSE(x->net.proj[0].delay.list[1], 2, 0);
    lw_experiment_destroy(&x);
}

TEST(inputs_change_with_time) {
    lw_experiment *x =
        parsed(HEAD POPS "inputs:\n"
                         "  - {to: E, poisson: {times: [0 ms, 0.5 s], rates: [1 kHz, 20 Hz]}}\n"
                         "  - {to: E, poisson: {rate: 1 kHz, amplitude: 300 Hz, frequency: 8 Hz, phase: 90}}\n"
                         "  - {to: I, current: {times: [1 ms], amplitudes: [1 nA]}, start: 2 ms}\n"
                         "  - {to: I, current: {amplitude: 5 pA, frequency: 50 Hz}}\n"
                         "  - {to: I, noise: {sd: 3 pA, every: 1 ms}}\n",
            0, NULL);
    if (!x) return;
    const lw_stimulus_spec *s = x->stimulus;
    int64_t per_ms = llround(1 / x->net.dt);
    CHECK_INT(x->n_stimuli, 5);
    CHECK_INT(s[0].n_changes, 2);
    CHECK_INT(s[0].change_step[1], 500 * per_ms);
    CHECK_CLOSE(s[0].change_value[0], 1, 0);
    CHECK_CLOSE(s[0].change_value[1], 0.02, 1e-17);
    CHECK_CLOSE(s[1].amplitude.p[0], 1, 0);
    CHECK_CLOSE(s[1].wave, 0.3, 1e-16);
    CHECK_CLOSE(s[1].wave_frequency, 0.008, 1e-17);
    CHECK_CLOSE(s[1].wave_phase, 0.25, 0);
    CHECK(s[2].kind == LW_STIMULUS_CURRENT);
    CHECK_CLOSE(s[2].change_value[0], 1000, 0);
    CHECK_INT(s[2].change_step[0], per_ms);
    CHECK_INT(s[2].start, 2 * per_ms);
    CHECK_CLOSE(s[3].wave, 5, 0);
    CHECK_CLOSE(s[3].wave_phase, 0, 0);
    CHECK_INT(s[4].every, per_ms);
    lw_experiment_destroy(&x);
}

TEST(faults_name_place_and_remedy) {
    refused("name: t\n", "t.yaml:1", "missing key \"time\"");
    refused(HEAD "threads: 0\n", "t.yaml:3: threads: found \"0\"", "1 to 1024");
    refused(HEAD "populations:\n  E: {model: lif, size: 8, parms: {}}\n", "t.yaml:4: populations.E.parms",
        "did you mean \"params\"");
    refused(
        HEAD "populations:\n  E: {model: lif, size: -3}\n", "t.yaml:4: populations.E.size: found \"-3\"", "an integer");
    refused(HEAD "populations:\n  E: {model: lif, size: 3, params: {tau_m: 20 mV}}\n",
        "populations.E.params.tau_m: found \"20 mV\"", "ms");
    refused(HEAD "populations:\n  E: {model: lif, size: 3, params: {tau_m: 0 ms}}\n",
        "populations.E.params.tau_m: found \"0 ms\"", "domain");
    refused(
        HEAD "populations:\n  E: {model: nothing, size: 3}\n", "populations.E.model: found \"nothing\"", "lif_delta");
    refused(HEAD POPS "projections:\n  - {from: E, to: X, rule: all_to_all}\n",
        "t.yaml:7: projections[0].to: found \"X\"", "E, I");
    refused(
        HEAD POPS "projections:\n  - {from: E, to: I, rule: some(3)}\n", "projections[0].rule", "fixed_indegree(n)");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: pairwise_bernoulli(1.5)}\n", "projections[0].rule",
        "0 to 1");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, delay: -1 ms}\n", "projections[0].delay",
        ">= 0");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, kernel: 3}\n", "projections[0].kernel",
        "only with the rules conv2d");
    refused(
        HEAD POPS "projections:\n  - {from: E, to: I, rule: conv2d, kernel: 3}\n", "projections[0].rule", "key shape");
    refused(
        HEAD "populations:\n  A: {model: relay, shape: [1, 4]}\n", "populations.A.shape", "[channels, height, width]");
    refused(HEAD "populations:\n  A: {model: relay, size: 15, shape: [1, 4, 4]}\n", "populations.A.size", "16");
    refused(HEAD "populations:\n  A: {model: relay, shape: [1, 4, 4]}\nprojections:\n"
                 "  - {from: A, to: A, rule: sum_pool}\n",
        "projections[0].rule", "key kernel");
    refused(HEAD "populations:\n  A: {model: relay, shape: [1, 4, 4]}\nprojections:\n"
                 "  - {from: A, to: A, rule: conv2d, kernel: 3, padding: 1, dilation: 0}\n",
        "projections[0].dilation", "a whole number from 1");
    refused(HEAD "populations:\n  A: {model: relay, shape: [1, 4, 4]}\nprojections:\n"
                 "  - {from: A, to: A, rule: conv2d, kernel: [3, 3, 3]}\n",
        "projections[0].kernel", "[height, width]");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: B, rule: max_pool, kernel: 2, weight: 2}\n",
        "projections[0].weight", "without the key weight");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: B, rule: max_pool, kernel: 2, learn: true}\n",
        "projections[0].learn", "without the key learn");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: A, rule: max_pool, kernel: 1}\n",
        "projections[0].to", "model max_pool");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: B, rule: max_pool, kernel: 4, stride: 2, padding: 1}\n",
        "projections[0].kernel", "at most 9");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: B, rule: max_pool, kernel: 2, stride: 2, padding: 1}\n",
        "projections[0].padding", "without padding");
    refused(HEAD
        "populations:\n  A: {model: relay, shape: [1, 4, 4]}\n  B: {model: max_pool, shape: [1, 2, 2]}\nprojections:\n"
        "  - {from: A, to: B, rule: max_pool}\n",
        "projections[0].rule", "key kernel");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, dropout: 1}\n", "projections[0].dropout",
        "from 0 to below 1");
    refused(HEAD POPS
        "projections:\n  - {from: E, to: I, rule: all_to_all, learn_delay: true, delay_max: 3 ms, dropout: 0.1}\n",
        "projections[0].dropout", "without learned delays");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, learn_delay: true}\n",
        "projections[0].learn_delay", "delay_max");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, delay_max: 3 ms}\n",
        "projections[0].delay_max", "learn_delay: true");
    refused(HEAD POPS "projections:\n  - {from: E, to: I, rule: all_to_all, learn_delay: true, delay_max: 3.01 ms}\n",
        "projections[0].delay_max", "whole number of steps");
    refused(HEAD POPS
        "projections:\n  - {from: E, to: I, rule: all_to_all, learn_delay: true, delay_max: 3 ms, delay: 4 ms}\n",
        "projections[0].delay", "to delay_max, 3 ms");
    refused(HEAD POPS
        "projections:\n  - {from: E, to: I, rule: edges, file: x.txt, learn_delay: true, delay_max: 3 ms}\n",
        "projections[0].learn_delay", "rules that draw synapses");
    refused(HEAD POPS "inputs:\n  - {to: E, poisson: 3 mV}\n", "inputs[0].poisson: found \"3 mV\"", "kHz");
    refused(HEAD POPS "inputs:\n  - {to: E, poisson: 3 Hz, current: 1 pA}\n", "inputs[0]", "one of");
    refused(HEAD POPS "inputs:\n  - {to: E, uniform: 3 ms}\n", "inputs[0].uniform: found \"3 ms\"", "pA");
    refused(HEAD POPS "inputs:\n  - {to: E, poisson: {times: [0 ms], rates: [1 Hz, 2 Hz]}}\n",
        "inputs[0].poisson.rates", "1 values, as many as times");
    refused(HEAD POPS "inputs:\n  - {to: E, poisson: {times: [0 ms], rates: [-1 Hz]}}\n",
        "inputs[0].poisson.rates[0]: found \"-1 Hz\"", ">= 0 kHz");
    refused(HEAD POPS "inputs:\n  - {to: E, current: {times: [2 ms, 2 ms], amplitudes: [1 pA, 2 pA]}}\n",
        "inputs[0].current.times[1]: found \"2 ms\"", "after");
    refused(HEAD POPS "inputs:\n  - {to: E, current: {times: [2 ms]}}\n", "inputs[0].current", "\"amplitudes\"");
    refused(HEAD POPS "inputs:\n  - {to: E, current: {offset: 1 pA}}\n", "inputs[0].current", "frequency, phase");
    refused(HEAD POPS "inputs:\n  - {to: E, current: {amplitude: 1 pA}}\n", "inputs[0].current", "frequency");
    refused(HEAD POPS "inputs:\n  - {to: E, noise: {sd: 1 pA, every: 0 ms}}\n", "inputs[0].noise.every", "1");
    refused(HEAD POPS "stages: [fly]\n", "stages[0]: found \"fly\"", "simulate");
    refused(HEAD POPS "stages: [train]\n", "stages[0]", "train");
    refused(HEAD POPS "stages: [prune]\n", "stages[0]", "recurrent");
    refused(HEAD POPS "record: {spikes: [E, Z]}\n", "record.spikes[1]: found \"Z\"", "E, I");
    refused(HEAD POPS "record: {spikes: [E, {population: E}]}\n", "record.spikes[1].population: found \"E\"",
        "each population once");
    refused(HEAD POPS "record: {spikes: {population: E, neurons: [3, 80]}}\n", "neurons[1]: found \"80\"", "0 to 79");
    refused(HEAD POPS "record: {spikes: {population: E, neurons: [3, 2]}}\n", "neurons[1]: found \"2\"", "ascending");
    refused(HEAD POPS "record: {spikes: {population: E, neurons: 3, fraction: 0.5}}\n", "record.spikes.fraction",
        "one of neurons and fraction");
    refused(HEAD POPS "record: {spikes: {population: E, fraction: 2}}\n", "record.spikes.fraction: found \"2\"", "1");
    refused(HEAD POPS "record: {traces: [{population: E}]}\n", "record.traces[0]", "variable");
    refused(HEAD POPS "record: {traces: [{population: E, variable: [V_m, x]}]}\n",
        "record.traces[0].variable[1]: found \"x\"", "state variable of model lif");
    refused(HEAD POPS "record: {rates: {every: 0 ms}}\n", "record.rates.every: found \"0 ms\"", "at least 1");
    refused(HEAD POPS "record: {rates: {populations: Z}}\n", "record.rates.populations: found \"Z\"", "E, I");
    refused(HEAD POPS "statistics: {sample: 3000}\n", "statistics.sample: found \"3000\"", "0 to 2000");
    refused(HEAD POPS "statistics: {from: 3 mV}\n", "statistics.from: found \"3 mV\"", "ms");
    refused(HEAD POPS "checkpoint: {at_end: 3}\n", "checkpoint.at_end: found \"3\"", "true or false");
    refused(HEAD POPS "statistics: {least_spikes: 1}\n", "statistics.least_spikes: found \"1\"", ">= 2");
    refused("name: a b\ntime: {dt: 1 ms}\n", "t.yaml:1: name", "folder");
    refused("name: t\nname: u\n", "t.yaml:2", "twice");
    refused("name: [unclosed\n", "t.yaml:", "not YAML");
    refused("- 1\n- 2\n", "t.yaml:1", "a map");
    refused("", "t.yaml:1", "found nothing");
}

TEST(layers_are_read) {
    lw_experiment *x = parsed(HEAD
        "populations:\n"
        "  E: {model: lif, size: 80, positions: {random: 2, extent: [1 mm, 500 um], periodic: true}}\n"
        "  I: {like: E, size: 20}\n"
        "  G: {model: lif, size: 24, positions: {grid: [2, 3, 4], extent: [1 mm, 1 mm, 2 mm], centre: [0 mm, 1 mm, 0 "
        "mm]}}\n"
        "projections:\n"
        "  - {from: E, to: [E, I], rule: pairwise_bernoulli, p: \"gaussian(0.3, 100 um)\", radius: 0.4 mm, weight: "
        "\"distance_exponential(2 pA, 1 mm)\", delay: \"distance_linear(0.5 ms, 3 us/um)\"}\n"
        "  - {from: I, to: E, rule: fixed_indegree(3), p: \"linear(1, -2 1/mm)\"}\n"
        "  - {from: I, to: I, rule: \"clustered(5, 0.5, 0.1)\", weight_in: 1.9}\n"
        "  - {from: I, to: I, rule: pairwise_bernoulli(0.1), symmetric: true}\n"
        "  - {from: I, to: E, rule: pairwise_bernoulli(0.1), symmetric: true}\n"
        "stages: [simulate]\n",
        0, NULL);
    if (!x) return;
    const lw_layout *e = &x->net.pop[0].layout, *i = &x->net.pop[1].layout, *g = &x->net.pop[2].layout;
    CHECK(e->kind == LW_LAYOUT_RANDOM && e->n_dim == 2 && e->periodic && i->kind == LW_LAYOUT_RANDOM && i->periodic);
    CHECK_CLOSE(e->extent[1], 0.5, 1e-15);
    CHECK(g->kind == LW_LAYOUT_GRID && g->n_dim == 3 && g->grid[2] == 4 && g->extent[2] == 2 && g->centre[1] == 1);
    CHECK_INT(x->net.n_proj, 7);
    const lw_projection_spec *p = x->net.proj;
    CHECK(p[1].p_of.kind == LW_PROFILE_GAUSSIAN && p[1].weight_of.kind == LW_PROFILE_EXPONENTIAL);
    CHECK_CLOSE(p[1].p_of.length, 0.1, 1e-15);
    CHECK_CLOSE(p[1].radius, 0.4, 0);
    CHECK_CLOSE(p[1].weight_of.at0, 2, 0);
    CHECK(p[1].delay_of.kind == LW_PROFILE_LINEAR);
    CHECK_CLOSE(p[1].delay_of.slope, 3, 1e-12);
    CHECK(p[2].rule == LW_RULE_FIXED_INDEGREE && p[2].n == 3 && p[2].p_of.slope == -2);
    CHECK(p[3].rule == LW_RULE_CLUSTERED && p[3].n == 5 && p[3].p == 0.5 && p[3].p_out == 0.1 && p[3].weight_in == 1.9);
    CHECK(p[4].symmetric && p[4].mirror == 0);
    CHECK(!p[5].symmetric && p[5].mirror == 0 && !p[6].symmetric && p[6].mirror == 6 && p[6].pre == p[5].post);
    lw_experiment_destroy(&x);
}

#define LAYER "populations:\n  E: {model: lif, size: 80, positions: {random: 2, extent: [1 mm, 1 mm]}}\n"
#define LAYER_WITH(text) HEAD "populations:\n  E: {model: lif, size: 80, positions: {" text "}}\n"
TEST(faults_of_layers) {
    refused(LAYER_WITH("extent: [1 mm, 1 mm]"), "populations.E.positions", "one of grid");
    refused(LAYER_WITH("random: 4, extent: [1 mm, 1 mm]"), "positions.random: found \"4\"", "2 to 3");
    refused(LAYER_WITH("random: 2"), "populations.E.positions", "extent");
    refused(LAYER_WITH("random: 2, extent: [1 mm]"), "positions.extent", "2 lengths");
    refused(LAYER_WITH("random: 2, extent: [1 mm, 1 ms]"), "positions.extent[1]: found \"1 ms\"", "mm");
    refused(LAYER_WITH("random: 2, extent: [1 mm, 0 mm]"), "positions.extent[1]", "above 0 mm");
    refused(LAYER_WITH("grid: [8, 9], extent: [1 mm, 1 mm]"), "positions.grid", "product is the size, 80");
    lw_experiment *x = NULL;
    CHECK_FAILS(lw_experiment_parse("t.yaml", LAYER_WITH("file: no/such.txt"), NULL, 0, &x), LW_EFILE, "no/such.txt");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: pairwise_bernoulli, p: \"gauss(1, 1 mm)\"}\n",
        "projections[0].p: found \"gauss(1, 1 mm)\"", "gaussian(at 0, sigma)");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: pairwise_bernoulli, p: \"gaussian(1, 1 ms)\"}\n",
        "projections[0].p", "mm");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: pairwise_bernoulli, p: \"gaussian(2, 1 mm)\"}\n",
        "projections[0].p", "0 to 1");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: all_to_all, p: constant(1)}\n", "projections[0].p",
        "pairwise_bernoulli and fixed_indegree");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: pairwise_bernoulli(0.1), radius: 1 mm}\n",
        "projections[0].radius", "together with \"p\"");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: pairwise_bernoulli, p: \"linear(0, 1 1/mm)\"}\n",
        "projections[0].p", "radius");
    refused(HEAD LAYER
        "projections:\n  - {from: E, to: E, rule: all_to_all, delay: \"distance_linear(1 mV, 1 ms/mm)\"}\n",
        "projections[0].delay", "ms");
    refused(HEAD LAYER "projections:\n  - {from: E, to: E, rule: all_to_all, weight_in: 2}\n",
        "projections[0].weight_in", "clustered");
    refused(HEAD POPS "projections:\n  - {from: E, to: [E, I], rule: all_to_all, symmetric: true}\n",
        "projections[0].symmetric", "one population to one");
    refused(HEAD POPS "data: {train: {format: npi}}\n", "data.train.format: found \"npi\"", "mackey_glass");
    refused(HEAD POPS "data: {train: {format: lorenz63, window: 5}}\n", "data.train.window", "horizon");
    refused(HEAD POPS "data: {train: {format: csv, path: a, columns: [b], first: 5}}\n", "data.train", "train_rows");
    refused(HEAD POPS "data: {train: {format: events, path: a, turn: 200}}\n", "data.train.turn: found \"200\"", "180");
    refused(HEAD POPS "data: {train: {format: cifar10}}\n", "data.train", "files");
    refused(HEAD POPS "data: {train: {format: lorenz63, code: rate}}\n", "data.train.code", "latency");
    refused(HEAD POPS "data: {train: {format: lorenz63, code: {delta: {steps: 5}}}}\n", "data.train.code.delta.steps",
        "threshold");
    refused(HEAD POPS "data: {train: {format: lorenz63, code: [{population: }, {rate: {most: 2}}]}}\n",
        "rate.most: found \"2\"", "");
    refused(HEAD POPS "data: {train: {format: lorenz63}, cache: 4}\n", "data.cache: found \"4\"", "GB");
    refused(HEAD POPS "data: {train: {format: wav}}\n", "data.train", "path");
    refused(HEAD POPS "data: {train: {format: wav, path: a, band: 3}}\n", "data.train.band", "bands");
    refused(HEAD POPS "data: {train: {format: wav, path: a, list: [b]}}\n", "data.train.list", "");
    refused(HEAD POPS "data: {train: {format: wav, path: a, bands: 0}}\n", "data.train.bands: found \"0\"", "1 to");
    refused(HEAD POPS "data: {train: {format: wav, path: a, classes: 1}}\n", "data.train.classes: found \"1\"", "2 to");
    refused(HEAD POPS "data: {train: {format: wav, path: a, difference: -1}}\n", "data.train.difference", "0 to");
    refused(HEAD POPS "data: {train: {format: wav, path: a, hop: 0 ms}}\n", "data.train.hop: found \"0 ms\"", "");
    refused(HEAD POPS "data: {train: {format: wav, path: a, frame: 25 mV}}\n", "data.train.frame", "ms");
    refused(HEAD POPS "data: {train: {format: wav, path: a, lengths: 3}}\n", "data.train.lengths", "true");
    refused(HEAD POPS "data: {train: {format: shd, path: a, bin: 0 ms}}\n", "data.train.bin: found \"0 ms\"", "");
    refused(
        HEAD POPS "data: {train: {format: yin_yang, encode: rows}}\n", "data.train.encode: found \"rows\"", "latency");
    refused(HEAD POPS "data: {train: {format: mnist, images: a, labels: b, encode: permuted},\n"
                      "  test: {format: mnist, images: a, labels: b, encode: permuted, seed: 7}}\n",
        "data.test.seed: found \"7\"", "one for both");
    refused(HEAD POPS "data: {train: {format: npy, x: x.npy, labels: y.npy, classes: 2, lengths: [1]}}\n",
        "data.train.lengths", "found a list");
    refused(HEAD POPS "data: {train: {format: npy, x: x.npy, labels: y.npy, classes: 1}}\n", "data.train.classes",
        "0 (the labels are targets)");
}

TEST(training_section) {
    lw_experiment *x = parsed(HEAD
        "populations:\n"
        "  in:  {model: relay, size: 4}\n"
        "  out: {model: li, size: 6}\n"
        "projections:\n  - {from: in, to: out, rule: all_to_all, weight: fan_in(1), delay: 0 ms, learn: true}\n"
        "data: {train: {format: npy, x: x.npy, labels: y.npy, classes: 6}, cache: 1.5 MB}\n"
        "train: {input: in, readout: {population: out, from: per_step}, loss: cross_entropy, skip: 10, unlabelled: 0,\n"
        "        optimizer: {adamw: {lr: 2.0e-3, weight_decay: 0.01, clip: 1}}, batch: 16, epochs: 3,\n"
        "        surrogate: {triangle: 2}, reset: full, regularize: {rate: {upper: 20 Hz, weight: 1.0e-3}}}\n"
        "stages: [train]\n",
        0, NULL);
    if (!x) return;
    CHECK_INT(x->train_data.cache, 1500000);
    CHECK_INT(x->test_data.cache, 0); /* looked at once */
    CHECK(x->has_train);
    CHECK_INT(x->train.input_pop, 0);
    CHECK_INT(x->train.loss.pop, 1);
    CHECK_INT(x->train.loss.skip, 10);
    CHECK_INT(x->train.loss.unlabelled, 0);
    CHECK_INT(x->train.optimizer.kind, LW_OPTIMIZER_ADAMW);
    CHECK_CLOSE(x->train.optimizer.lr, 2e-3, 0);
    CHECK_INT(x->train.surrogate.kind, LW_SURROGATE_TRIANGLE);
    CHECK(!x->train.reset_detached);
    CHECK_INT(x->train.loss.n_penalties, 1);
    CHECK_CLOSE(x->train.loss.penalty[0].upper, 0.02, 1e-18);
    CHECK(x->net.proj[0].learn);
    CHECK_CLOSE(x->net.proj[0].delay.p[0], 0, 0);
    lw_experiment_destroy(&x);
#define TRAIN                                                                                                          \
    HEAD "populations:\n  in: {model: relay, size: 4}\n  out: {model: li, size: 6}\n"                                  \
         "train: {input: in, readout: out, loss: mse, batch: 12, "
    x = parsed(TRAIN "reproducible: true, prefetch: true, precision: mixed, burn_in: 30, truncate: 50, memory: 1.5 GB, "
                     "optimizer: {rmsprop: {centred: "
                     "true, clip_value: 2}},\n"
                     "  groups: [{match: \"i*\", lr: 0.1}, {match: o, weight_decay: 0.5, freeze: true}]}\n",
        0, NULL);
    if (!x) return;
    CHECK_INT(x->train.burn_in, 30);
    CHECK(x->train.prefetch);
    CHECK(x->train.mixed && x->train.precision == LW_F32);
    CHECK_INT(x->train.window, 50);
    CHECK_INT(x->train.memory, 1500000000);
    CHECK_INT(x->train.lanes, 6); /* the largest divisor of 12 up to 8 */
    CHECK_INT(x->train.optimizer.kind, LW_OPTIMIZER_RMSPROP);
    CHECK(x->train.optimizer.centred && x->train.optimizer.clip_value == 2 && x->train.optimizer.beta2 == 0.99);
    CHECK_INT(x->train.optimizer.n_groups, 2);
    CHECK_STR(x->train.optimizer.group[0].match, "i*");
    CHECK(x->train.optimizer.group[0].lr == 0.1 && isnan(x->train.optimizer.group[0].weight_decay));
    CHECK(x->train.optimizer.group[1].freeze && x->train.optimizer.group[1].weight_decay == 0.5);
    lw_experiment_destroy(&x);
    refused(TRAIN "reproducible: 5}\n", "train.reproducible: found \"5\"", "a divisor of the batch");
    refused(TRAIN "memory: 4}\n", "train.memory: found \"4\"", "GB");
    refused(TRAIN "memory: -4 GB}\n", "train.memory: found \"-4 GB\"", "positive");
    refused(TRAIN "truncate: -1}\n", "train.truncate: found \"-1\"", "0 to");
    refused(TRAIN "gradient: rtrl}\n", "train.gradient: found \"rtrl\"", "bptt, eprop, forward");
    refused(TRAIN "gradient: {forward: 1}}\n", "train.gradient", "bptt, eprop, forward, or");
    refused(TRAIN "gradient: {eprop: {feedback: learned}}}\n", "train.gradient.eprop.feedback: found \"learned\"",
        "symmetric, random, adaptive");
    refused(TRAIN "gradient: {eprop: {feedback: random, decay: 0.1}}}\n", "train.gradient.eprop.decay",
        "feedback: adaptive");
    refused(
        TRAIN "gradient: {eprop: {feedback: adaptive, decay: 1}}}\n", "train.gradient.eprop.decay: found \"1\"", "");
    refused(TRAIN "gradient: {eprop: {scale: 2}}}\n", "train.gradient.eprop.scale", "feedback: random");
    refused(
        TRAIN "gradient: {eprop: {feedback: random, scale: -1}}}\n", "train.gradient.eprop.scale: found \"-1\"", "");
    refused(TRAIN "gradient: {eprop: {feedbak: random}}}\n", "train.gradient.eprop.feedbak", "feedback");
    refused(TRAIN "gradient: eprop, truncate: 5}\n", "train.truncate", "gradient: bptt");
    refused(TRAIN "gradient: eprop, memory: 1 GB}\n", "train.memory", "gradient: bptt");
    refused(TRAIN "gradient: forward, burn_in: 5}\n", "train.burn_in", "gradient: bptt");
    x = parsed(TRAIN "gradient: {eprop: {feedback: random, scale: 0.5}}}\n", 0, NULL);
    if (!x) return;
    CHECK(x->train.gradient == LW_GRADIENT_EPROP && x->train.feedback == LW_FEEDBACK_RANDOM);
    CHECK(x->train.feedback_scale == 0.5);
    lw_experiment_destroy(&x);
    x = parsed(TRAIN "gradient: eprop}\n", 0, NULL);
    if (!x) return;
    CHECK(x->train.gradient == LW_GRADIENT_EPROP && x->train.feedback == LW_FEEDBACK_SYMMETRIC);
    lw_experiment_destroy(&x);
    refused(TRAIN "truncate: {stride: 2}}\n", "train.truncate", "window");
    refused(TRAIN "truncate: {window: 10, stride: 11}}\n", "train.truncate.stride: found \"11\"", "1 to 10");
    refused(TRAIN "truncate: {window: 10, stride: 0}}\n", "train.truncate.stride: found \"0\"", "1 to 10");
    refused(TRAIN "truncate: {window: 0}}\n", "train.truncate.window: found \"0\"", "1 to");
    refused(TRAIN "truncate: {windows: 9}}\n", "train.truncate.windows", "window");
    x = parsed(TRAIN "truncate: {window: 100, stride: 50}, crossover: measured}\n", 0, NULL);
    if (!x) return;
    CHECK(x->crossover_measured && x->train.crossover.place[1] > 0);
    CHECK(x->train.window == 100 && x->train.stride == 50);
    lw_experiment_destroy(&x);
    refused(TRAIN "burn_in: -1}\n", "train.burn_in: found \"-1\"", "0 to");
    refused(TRAIN "precision: half}\n", "train.precision: found \"half\"", "float, double, mixed");
    refused(TRAIN "crossover: guessed}\n", "train.crossover: found \"guessed\"", "fixed, measured");
    refused(TRAIN "crossover: measured, reproducible: true}\n", "train.crossover", "fixed, with reproducible");
    refused(TRAIN "prefetch: often}\n", "train.prefetch: found \"often\"", "true");
    refused(TRAIN "groups: {match: a}}\n", "train.groups", "a list such as");
    refused(TRAIN "groups: [{lr: 1}]}\n", "train.groups[0]", "match");
    refused(TRAIN "groups: [{match: a, freez: true}]}\n", "train.groups[0].freez", "freeze");
    x = parsed(
        TRAIN "optimizer: {sgd: {schedule: plateau, threshold: 0.01, every: 3, floor: 0.125, l1: 0.25}}}\n", 0, NULL);
    if (!x) return;
    CHECK_INT(x->train.optimizer.schedule, LW_SCHEDULE_PLATEAU);
    CHECK_INT(x->train.optimizer.schedule_every, 3);
    CHECK(x->train.optimizer.schedule_threshold == 0.01 && x->train.optimizer.weight_l1 == 0.25);
    CHECK(x->train.optimizer.schedule_gamma == 0.5 && x->train.optimizer.schedule_floor == 0.125);
    lw_experiment_destroy(&x);
    refused(TRAIN "optimizer: {sgd: {schedule: plato}}}\n", "train.optimizer.sgd.schedule: found \"plato\"", "plateau");
    refused(TRAIN "optimizer: {sgd: {threshold: 1}}}\n", "train.optimizer.sgd.threshold: found \"1\"", "0 to");
    refused(TRAIN "optimizer: {sgd: {l1: -1}}}\n", "train.optimizer.sgd.l1: found \"-1\"", "0 to");
#define SPIKES                                                                                                         \
    HEAD "populations:\n  in: {model: relay, size: 4}\n  out: {model: lif_simple, size: 6}\n"                          \
         "train: {input: in, readout: {population: out, from: first_spike}, loss: mse"
    x = parsed(SPIKES ", tau: 0.004 s, silent: 3 ms, targets: {right: 5 ms, wrong: 20 ms}}\n", 0, NULL);
    if (!x) return;
    CHECK_INT(x->train.loss.readout, LW_READOUT_FIRST_SPIKE);
    CHECK_CLOSE(x->train.loss.tau, 4, 1e-15);
    CHECK(x->train.loss.silent == 3 && x->train.loss.has_target);
    CHECK(x->train.loss.target_right == 5 && x->train.loss.target_wrong == 20);
    lw_experiment_destroy(&x);
    x = parsed(TRAIN "every: 4, targets: {right: 0.5, wrong: 0.125}}\n", 0, NULL);
    if (!x) return;
    CHECK(x->train.loss.every == 4 && x->train.loss.target_right == 0.5 && x->train.loss.target_wrong == 0.125);
    lw_experiment_destroy(&x);
    refused(SPIKES "}\n", "train", "missing key \"tau\"");
    refused(SPIKES ", tau: 0 ms}\n", "train.tau: found \"0 ms\"", "from");
    refused(SPIKES ", tau: 3 mV}\n", "train.tau: found \"3 mV\"", "ms");
    refused(SPIKES ", tau: 3 ms, silent: -1 ms}\n", "train.silent: found \"-1 ms\"", "0");
    refused(SPIKES ", tau: 3 ms, targets: {right: 5 ms}}\n", "train.targets", "missing key \"wrong\"");
    refused(TRAIN "tau: 3 ms}\n", "train.tau: found \"3 ms\"", "first_spike");
    refused(TRAIN "silent: 3 ms}\n", "train.silent: found \"3 ms\"", "first_spike");
    refused(TRAIN "every: 0}\n", "train.every: found \"0\"", "1 to");
    refused(HEAD "populations:\n  in: {model: relay, size: 4}\n  out: {model: li, size: 6}\n"
                 "train: {input: in, readout: out, loss: cross_entropy, targets: {right: 1, wrong: 0}}\n",
        "train.targets", "belong to loss mse");
    refused(HEAD "populations:\n  in: {model: relay, size: 4}\n  out: {model: li, size: 6}\n"
                 "train: {input: in, readout: out, loss: van_rosum, tau: 1 ms}\n",
        "train.loss: found \"van_rosum\"", "van_rossum");
    refused(HEAD "populations:\n  in: {model: relay, size: 4}\n  out: {model: li, size: 6}\n"
                 "train: {input: in, readout: {population: out, from: votes}, loss: mse}\n",
        "train.readout.from: found \"votes\"", "vote");
    x = parsed(SPIKES
        ", tau: 4 ms,\n  regularize: [{rate: {upper: 20 Hz, weight: 2}, spikes_l1: {weight: 3, above: 4}},"
        "{spikes_l2: {weight: 5, populations: [out]}}, {population_rate: {lower: 5 Hz, weight: 6}},"
        "{voltage: {state: v, lower: -0.5, weight: 7, populations: [out]}}]}\n",
        0, NULL);
    if (!x) return;
    const lw_penalty *q = x->train.loss.penalty;
    CHECK_INT(x->train.loss.n_penalties, 5);
    CHECK(q[0].kind == LW_PENALTY_RATE && q[0].power == 2 && q[0].weight == 2 && q[0].lower == 0 && !q[0].pop);
    CHECK(q[1].kind == LW_PENALTY_COUNT && q[1].power == 1 && q[1].upper == 4);
    CHECK(q[2].kind == LW_PENALTY_COUNT && q[2].power == 2 && q[2].upper == 0 && q[2].pop[1] && !q[2].pop[0]);
    CHECK(q[3].kind == LW_PENALTY_POPULATION_RATE && isinf(q[3].upper));
    CHECK_CLOSE(q[3].lower, 0.005, 1e-18);
    CHECK(q[4].kind == LW_PENALTY_STATE && q[4].lower == -0.5 && isinf(q[4].upper));
    CHECK_STR(q[4].state, "v");
    lw_experiment_destroy(&x);
    refused(TRAIN "regularize: 3}\n", "train.regularize", "regularisers, as {rate");
    refused(TRAIN "regularize: {rat: {weight: 1}}}\n", "train.regularize.rat", "population_rate, spikes_l1");
    refused(TRAIN "regularize: {rate: {upper: 3 mV, weight: 1}}}\n", "train.regularize.rate.upper", "kHz");
    refused(TRAIN "regularize: {rate: {upper: 3 Hz}}}\n", "train.regularize.rate", "missing key \"weight\"");
    refused(TRAIN "regularize: {rate: {lower: 4 Hz, upper: 3 Hz, weight: 1}}}\n", "train.regularize.rate.lower",
        "below the upper one");
    refused(TRAIN "regularize: {spikes_l1: {weight: 1, upper: 2}}}\n", "train.regularize.spikes_l1.upper", "above");
    refused(TRAIN "regularize: {voltage: {weight: 1, populations: [out]}}}\n", "train.regularize.voltage",
        "missing key \"state\"");
    refused(TRAIN "regularize: {voltage: {weight: 1, state: v}}}\n", "train.regularize.voltage", "populations");
    refused(TRAIN "regularize: {voltage: {weight: 1, state: V_m, populations: [out]}}}\n",
        "train.regularize.voltage.state: found \"V_m\"", "a state variable of every population");
    refused(TRAIN "optimizer: {rms: {}}}\n", "train.optimizer.rms", "rmsprop");
}

TEST(record_is_read) {
    lw_experiment *x = parsed(HEAD POPS "record:\n"
                                        "  spikes: [I, {population: E, fraction: 0.25, start: 10 ms, stop: 20 ms}]\n"
                                        "  traces: [{population: E, variable: [V_m, i_ex], neurons: [1, 5], every: 1 "
                                        "ms}, {population: I, variable: V_m, neurons: 3}]\n"
                                        "  rates: {populations: I, every: 2 ms}\n"
                                        "statistics: {from: 100 ms, sample: 50}\n",
        0, NULL);
    if (!x) return;
    CHECK(x->record_spikes[0] && x->record_spikes[1]);
    CHECK_INT(x->spike_keep[0].who.kind, LW_CHOICE_SPREAD);
    CHECK_INT(x->spike_keep[0].who.n, 20);
    CHECK_INT(x->spike_keep[0].start, 100);
    CHECK_INT(x->spike_keep[0].stop, 200);
    CHECK_INT(x->spike_keep[1].who.kind, LW_CHOICE_ALL);
    CHECK_INT(x->spike_keep[1].stop, -1);
    CHECK_INT(x->n_traces, 3);
    CHECK_INT(x->trace[1].state, 1);
    CHECK_INT(x->trace[1].every, 10);
    CHECK_INT(x->trace[1].keep.who.index[1], 5);
    CHECK_INT(x->trace[2].pop, 1);
    CHECK_INT(x->trace[2].keep.who.kind, LW_CHOICE_FIRST);
    CHECK_INT(x->trace[2].keep.who.n, 3);
    CHECK_INT(x->rates_every, 20);
    CHECK(!x->record_rates[0] && x->record_rates[1]);
    CHECK(x->has_statistics);
    CHECK_INT(x->statistics.from, 1000);
    CHECK_INT(x->statistics.bin, 30);
    CHECK_INT(x->statistics.pair_bin, 20);
    CHECK_INT(x->statistics.sample, 50);
    CHECK_INT(x->statistics.least, 10);
    lw_experiment_destroy(&x);
}

TEST(missing_file_is_one_error_everywhere) {
    lw_comm *world = NULL;
    lw_experiment *x = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    CHECK_FAILS(lw_experiment_read(world, "no/such/file.yaml", NULL, 0, &x), LW_EUSE, "no/such/file.yaml");
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(record_is_read), CASE(network_is_read), CASE(overrides_reach_any_depth), CASE(fan_in_scales_weights),
    CASE(weights_may_be_listed), CASE(inputs_change_with_time), CASE(faults_name_place_and_remedy),
    CASE(layers_are_read), CASE(faults_of_layers), CASE(training_section), CASE(missing_file_is_one_error_everywhere))
