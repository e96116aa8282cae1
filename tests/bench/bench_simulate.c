/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Simulation speed on two Brunel networks of 10000 neurons and 10 million synapses (8000 excitatory, 2000 inhibitory,
 * 800 and 200 inputs of each neuron, one delay of 1.5 ms, dt 0.1 ms): `delta` with voltage jumps and Poisson drive of
 * 20 kHz per neuron, `exp` with exponential currents and a constant drive. After 100 ms it times the given number of ms
 * and prints one JSON line. Expected rates: delta 43, exp 33 Hz (NEST 3.9 gives 43.3 and 32.9).
 *
 *     bench_simulate [delta|exp] [milliseconds] [f32|f64]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/sim.h>

enum { NEURONS = 10000, WARM_STEPS = 1000 };
static const double DT = 0.1;

static void param_set(const lw_model *model, lw_dist *param, const char *name, double value) {
    param[lw_model_param_find(model, name)] = lw_dist_number(value);
}

static lw_err net_create(const lw_comm *world, bool delta, lw_net **out) {
    enum { PARAMS = 32 };
    const lw_model *model = lw_model_builtin(delta ? "lif_delta" : "lif");
    lw_dist param[PARAMS], init[PARAMS];
    uint8_t has_init[PARAMS] = {1};
    LW_CHECK(model && model->n_param <= PARAMS, LW_EUSE, "the built-in model is missing");
    for (int i = 0; i < model->n_param; i++)
        param[i] = lw_dist_number(model->param[i].value);
    param_set(model, param, "tau_m", 20);
    param_set(model, param, "C_m", 250);
    param_set(model, param, "E_L", 0);
    param_set(model, param, "V_th", 20);
    param_set(model, param, "V_reset", delta ? 10 : 0);
    param_set(model, param, "t_ref", 2);
    if (!delta) {
        param_set(model, param, "I_e", 500);
        param_set(model, param, "tau_syn_ex", 0.5);
        param_set(model, param, "tau_syn_in", 0.5);
    }
    init[0] = lw_dist_number(0);
    init[0].kind = LW_DIST_UNIFORM;
    init[0].p[1] = 20;
    lw_population_spec pop[2] = {
        {.name = "E", .model = model, .size = NEURONS * 4 / 5, .param = param, .init = init, .has_init = has_init},
        {.name = "I", .model = model, .size = NEURONS / 5, .param = param, .init = init, .has_init = has_init}};
    lw_projection_spec proj[4];
    for (int k = 0; k < 4; k++) {
        double weight = delta ? 0.1 : 54.960220400134794;
        proj[k] = (lw_projection_spec){.pre = k / 2,
            .post = k % 2,
            .port = delta ? 0 : k / 2,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = pop[k / 2].size / 10,
            .multapses = true,
            .weight = lw_dist_number(k < 2 ? weight : -5 * weight),
            .delay = lw_dist_number(1.5)};
    }
    lw_net_spec spec = {.seed = 42, .dt = DT, .n_pop = 2, .n_proj = 4, .pop = pop, .proj = proj, .weight_type = LW_F32};
    return lw_net_create(world, &spec, out);
}

static lw_err engine_create(lw_net *net, bool delta, lw_dtype precision, lw_sim **out) {
    lw_sim_options options = lw_sim_options_default();
    lw_stimulus_spec stimulus[2];
    for (int p = 0; p < 2; p++)
        stimulus[p] = (lw_stimulus_spec){
            .kind = LW_STIMULUS_POISSON, .pop = p, .amplitude = lw_dist_number(20), .weight = 0.1, .stop = -1};
    options.precision = precision;
    options.stimulus = stimulus;
    options.n_stimuli = delta ? 2 : 0;
    return lw_sim_create(net, &options, out);
}

static lw_err bench(const lw_comm *world, bool delta, double ms, lw_dtype precision) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    int64_t steps = (int64_t)(ms / DT);
    double begin = lw_time_now();
    lw_err err = net_create(world, delta, &net);
    double built = lw_time_now() - begin;
    LW_TRY_TO(err, done);
    LW_TRY_TO(engine_create(net, delta, precision, &sim), done);
    LW_TRY_TO(lw_sim_advance(sim, WARM_STEPS, NULL), done);
    lw_sim_stats a = lw_sim_stats_get(sim);
    lw_comm_barrier(world);
    begin = lw_time_now();
    LW_TRY_TO(lw_sim_advance(sim, steps, NULL), done);
    lw_comm_barrier(world);
    double wall = lw_time_now() - begin;
    lw_sim_stats b = lw_sim_stats_get(sim);
    int64_t n[2] = {b.spikes - a.spikes, b.synaptic_events - a.synaptic_events};
    double s[4] = {
        b.s_deliver - a.s_deliver, b.s_stimulus - a.s_stimulus, b.s_update - a.s_update, b.s_exchange - a.s_exchange};
    lw_comm_sum_i64(world, n, 2);
    lw_comm_sum_f64(world, s, 4);
    double neuron_steps = (double)NEURONS * (double)steps;
    if (lw_comm_rank(world) == 0)
        printf("{\"bench\": \"simulate\", \"net\": \"%s\", \"real\": \"%s\", \"ranks\": %d, \"synapses\": %lld, "
               "\"rate_hz\": %.2f, "
               "\"build_s\": %.2f, \"realtime_factor\": %.3f, \"events_per_s\": %.4g, \"ns_per_event\": %.3f, "
               "\"ns_per_neuron_step\": {\"stimulus\": %.3f, \"update\": %.3f}, \"exchange_s\": %.3f, "
               "\"engine_bytes\": %lld}\n",
            delta ? "delta" : "exp", precision == LW_F64 ? "f64" : "f32", lw_comm_size(world),
            (long long)lw_net_n_edges_global(net), (double)n[0] / NEURONS / (ms / 1000), built, wall / (ms / 1000),
            (double)n[1] / wall, s[0] / (double)n[1] * 1e9, s[1] / neuron_steps * 1e9, s[2] / neuron_steps * 1e9,
            s[3] / lw_comm_size(world), (long long)lw_sim_bytes(sim));
done:
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return err;
}

int main(int argc, char **argv) {
    lw_comm *world = NULL;
    lw_err err = lw_comm_start(&argc, &argv, &world);
    if (err == LW_OK)
        err = bench(world, argc < 2 || strcmp(argv[1], "exp") != 0, argc < 3 ? 1000 : atof(argv[2]),
            argc > 3 && strcmp(argv[3], "f32") == 0 ? LW_F32 : LW_F64);
    if (err != LW_OK) fprintf(stderr, "%s\n", lw_err_message());
    lw_comm_stop(&world);
    return lw_err_status(err);
}
