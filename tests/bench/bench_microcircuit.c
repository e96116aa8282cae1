/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The cortical microcircuit of Potjans & Diesmann (2014, Cereb. Cortex 24:785, doi:10.1093/cercor/bhs358) with constant
 * drive in place of Poisson input: at full scale 77169 neurons and 299 million synapses with normally distributed
 * weights and delays. Prints build time, bytes per synapse, and after 500 ms the wall time of the given number of ms,
 * as one JSON line. `scale` multiplies the numbers of neurons (and so, for a short look, changes the activity).
 *
 *     bench_microcircuit [milliseconds] [scale] [f32|f64] [threads]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/sim.h>

enum { POPS = 8, WARM_STEPS = 5000 };
static const double DT = 0.1;
static const char *const NAME[POPS] = {"L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"};
static const int SIZE[POPS] = {20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948};
static const double PROBABILITY[POPS][POPS] = {/* [target][source], table 5 */
    {0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0, 0.0076, 0}, {0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0, 0.0042, 0},
    {0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0}, {0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0, 0.1057, 0},
    {0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0},
    {0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0},
    {0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252},
    {0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443}};
static const double EXTERNAL[POPS] = {1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100}; /* inputs at 8 Hz */
static const double V_MEAN[POPS] = {-68.28, -63.16, -63.33, -63.45, -63.11, -61.66, -66.72, -61.43};
static const double V_SD[POPS] = {5.36, 4.57, 4.74, 4.94, 4.94, 4.55, 5.46, 4.48};
static const double WEIGHT = 87.80849409; /* pA, a postsynaptic potential of 0.15 mV */

static void param_set(const lw_model *model, lw_dist *param, const char *name, double value) {
    param[lw_model_param_find(model, name)] = lw_dist_number(value);
}

/* normal, drawn again outside [lo, hi] */
static lw_dist normal(double mean, double sd, double lo, double hi) {
    lw_dist d = {.kind = LW_DIST_NORMAL, .p = {mean, sd}, .lo = lo, .hi = hi, .redraw = true};
    return d;
}

static lw_err net_create(const lw_comm *world, double scale, int threads, lw_net **out) {
    enum { PARAMS = 32 };
    static lw_dist param[POPS][PARAMS], init[POPS][PARAMS];
    static const uint8_t has_init[PARAMS] = {1};
    const lw_model *model = lw_model_builtin("lif");
    lw_population_spec pop[POPS];
    lw_projection_spec proj[POPS * POPS];
    int n_proj = 0;
    for (int p = 0; p < POPS; p++) {
        for (int i = 0; i < model->n_param; i++)
            param[p][i] = lw_dist_number(model->param[i].value);
        param_set(model, param[p], "tau_m", 10);
        param_set(model, param[p], "C_m", 250);
        param_set(model, param[p], "E_L", -65);
        param_set(model, param[p], "V_th", -50);
        param_set(model, param[p], "V_reset", -65);
        param_set(model, param[p], "t_ref", 2);
        param_set(model, param[p], "tau_syn_ex", 0.5);
        param_set(model, param[p], "tau_syn_in", 0.5);
        param_set(model, param[p], "I_e", 0.008 * EXTERNAL[p] * WEIGHT * 0.5);
        init[p][0] = normal(V_MEAN[p], V_SD[p], -INFINITY, INFINITY);
        pop[p] = (lw_population_spec){.name = NAME[p],
            .model = model,
            .size = (int64_t)lround(SIZE[p] * scale),
            .param = param[p],
            .init = init[p],
            .has_init = has_init};
    }
    for (int s = 0; s < POPS; s++) {
        for (int t = 0; t < POPS; t++) {
            double pairs = (double)SIZE[t] * SIZE[s], n = round(log1p(-PROBABILITY[t][s]) / log1p(-1 / pairs));
            if (n == 0) continue;
            bool inhibits = s % 2 == 1;
            double mean = inhibits ? -4 * WEIGHT : t == 0 && s == 2 ? 2 * WEIGHT : WEIGHT;
            proj[n_proj++] = (lw_projection_spec){.pre = s,
                .post = t,
                .port = inhibits,
                .rule = LW_RULE_FIXED_TOTAL_NUMBER,
                .n = (int64_t)(n * scale * scale),
                .autapses = true,
                .multapses = true,
                .weight = normal(mean, 0.1 * fabs(mean), inhibits ? -INFINITY : 0, inhibits ? 0 : INFINITY),
                .delay = normal(inhibits ? 0.75 : 1.5, inhibits ? 0.375 : 0.75, 0.05, INFINITY)};
        }
    }
    lw_net_spec spec = {.seed = 55,
        .dt = DT,
        .n_pop = POPS,
        .n_proj = n_proj,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F32,
        .threads = threads};
    return lw_net_create(world, &spec, out);
}

static void rates_print(const lw_sim *sim, const lw_net *net, const lw_comm *world, double seconds) {
    const int64_t *count = lw_sim_spike_counts(sim);
    for (int p = 0; p < POPS; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        int64_t sum = 0;
        for (int64_t i = 0; i < pop.n_local; i++)
            sum += count[pop.lid_begin + i];
        lw_comm_sum_i64(world, &sum, 1);
        if (lw_comm_rank(world) == 0) printf("%s%.3f", p ? ", " : "", (double)sum / (double)pop.size / seconds);
    }
}

static lw_err bench(const lw_comm *world, double ms, double scale, lw_dtype real, int threads) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    double start = lw_time_now();
    LW_TRY(net_create(world, scale, threads, &net));
    double built = lw_time_now() - start;
    lw_sim_options options = lw_sim_options_default();
    options.precision = real;
    options.threads = threads;
    LW_TRY(lw_sim_create(net, &options, &sim));
    LW_TRY(lw_sim_advance(sim, WARM_STEPS, NULL));
    lw_sim_stats before = lw_sim_stats_get(sim);
    start = lw_time_now();
    LW_TRY(lw_sim_advance(sim, (int64_t)lround(ms / DT), NULL));
    double seconds = lw_time_now() - start;
    lw_sim_stats after = lw_sim_stats_get(sim);
    lw_net_stats stats = lw_net_stats_get(net);
    int64_t sums[6] = {after.synaptic_events - before.synaptic_events, stats.bytes_synapses,
        stats.bytes_neurons + lw_sim_bytes(sim), lw_mem_peak_rss(), lw_mem_peak(), (int64_t)after.spike_checksum};
    lw_comm_sum_i64(world, sums, 6);
    double phase[4] = {after.s_deliver - before.s_deliver, after.s_stimulus - before.s_stimulus,
        after.s_update - before.s_update, after.s_exchange - before.s_exchange};
    lw_comm_max_f64(world, phase, 4);
    double synapses = (double)stats.synapses;
    bool first = lw_comm_rank(world) == 0;
    if (first) {
        printf("{\"bench\": \"microcircuit\", \"scale\": %g, \"real\": \"%s\", \"ranks\": %d, \"threads\": %d, "
               "\"neurons\": %lld, \"synapses\": %lld, \"build_s\": %.2f, \"build_us_per_synapse_core\": %.3f, ",
            scale, real == LW_F64 ? "f64" : "f32", lw_comm_size(world), threads, (long long)stats.neurons,
            (long long)stats.synapses, built, 1e6 * built * lw_comm_size(world) / synapses);
        printf("\"bytes_per_synapse\": %.2f, \"other_bytes\": %lld, \"peak_rss\": %lld, \"peak_allocated\": %lld, ",
            (double)sums[1] / synapses, (long long)sums[2], (long long)sums[3], (long long)sums[4]);
        printf("\"realtime_factor\": %.3f, \"events_per_s\": %.4g, \"phase_s\": [%.3f, %.3f, %.3f, %.3f], ",
            seconds / (ms / 1000), (double)sums[0] / seconds, phase[0], phase[1], phase[2], phase[3]);
        printf("\"checksum\": \"%016llx\", \"rates_hz\": [", (unsigned long long)sums[5]);
    }
    rates_print(sim, net, world, ms / 1000 + WARM_STEPS * DT / 1000);
    if (first) printf("]}\n");
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return LW_OK;
}

int main(int argc, char **argv) {
    lw_comm *world = NULL;
    double ms = argc > 1 ? atof(argv[1]) : 1000, scale = argc > 2 ? atof(argv[2]) : 1;
    lw_dtype real = argc > 3 && strcmp(argv[3], "f64") == 0 ? LW_F64 : LW_F32;
    int threads = argc > 4 ? atoi(argv[4]) : 1;
    lw_err err = lw_comm_start(&argc, &argv, &world);
    if (err == LW_OK) err = bench(world, ms, scale, real, threads);
    if (err != LW_OK) fprintf(stderr, "bench_microcircuit: %s\n", lw_err_message());
    lw_comm_stop(&world);
    return err != LW_OK;
}
