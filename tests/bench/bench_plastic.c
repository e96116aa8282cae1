/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Cost of plastic synapses: a Brunel network of 10000 neurons and 10 million synapses (8000 excitatory, 2000
 * inhibitory, 800 and 200 inputs of each neuron, voltage jumps, g = 5, Poisson drive) whose excitatory synapses onto
 * excitatory neurons, 6.4 million, have a synapse model, as in NEST's hpc_benchmark; beside it the same network with
 * static ones. The step of the rule is so small that rates stay comparable. After 100 ms it times five stretches and
 * prints one JSON line with medians. ns per plastic event: time of all deliveries less the static network's time for
 * the other events.
 *
 *     bench_plastic [model|static] [f32|f64] [milliseconds] [drive in kHz] [threads]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/sim.h>

enum { NEURONS = 10000, EXCITATORY = 8000, WARM_STEPS = 1000, REPEATS = 5, INDEGREE = 800 };
static const double DT = 0.1, J = 0.1, G = 5;

typedef struct choice {
    const char *model;
    lw_dtype type;
    double ms, drive;
    int threads;
} choice;

typedef struct timing {
    double wall, deliver, rate, weight; /* medians in s per stretch; Hz; mean weight at the end, mV */
    double events, plastic_events;      /* per stretch, all ranks */
    int64_t bytes;                      /* engine, this rank */
} timing;

static lw_err net_create(const lw_comm *world, const choice *c, bool plastic, lw_net **out) {
    enum { PARAMS = 16 };
    const lw_model *model = lw_model_builtin("lif_delta");
    const lw_synapse_model *synapse = plastic ? lw_synapse_builtin(c->model) : NULL;
    lw_dist param[PARAMS], init = {.kind = LW_DIST_UNIFORM, .p = {0, 20}, .lo = -INFINITY, .hi = INFINITY};
    double value[PARAMS];
    uint8_t has_init = 1;
    LW_CHECK(!plastic || synapse, LW_EUSE, "synapse model %s is unknown", c->model);
    static const struct {
        const char *name;
        double value;
    } own[] = {{"tau_m", 20}, {"E_L", 0}, {"V_th", 20}, {"V_reset", 10}, {"t_ref", 2}};
    for (int i = 0; i < model->n_param; i++)
        param[i] = lw_dist_number(model->param[i].value);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        param[lw_model_param_find(model, own[i].name)] = lw_dist_number(own[i].value);
    for (int i = 0; synapse && i < synapse->n_param; i++) {
        bool weight = !strcmp(synapse->param[i].unit, "weight"), step = !strcmp(synapse->param[i].name, "lambda");
        value[i] = weight ? 2 * J : step ? 1e-4 : synapse->param[i].value;
    }
    lw_population_spec pop[2] = {
        {.name = "E", .model = model, .size = EXCITATORY, .param = param, .init = &init, .has_init = &has_init},
        {.name = "I",
            .model = model,
            .size = NEURONS - EXCITATORY,
            .param = param,
            .init = &init,
            .has_init = &has_init}};
    lw_projection_spec proj[4];
    for (int k = 0; k < 4; k++)
        proj[k] = (lw_projection_spec){.pre = k / 2,
            .post = k % 2,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = k < 2 ? INDEGREE : 200,
            .multapses = true,
            .weight = lw_dist_number(k < 2 ? J : -G * J),
            .delay = lw_dist_number(1.5)};
    proj[0].synapse = synapse;
    proj[0].synapse_param = value;
    lw_net_spec spec = {.seed = 1,
        .dt = DT,
        .n_pop = 2,
        .n_proj = 4,
        .pop = pop,
        .proj = proj,
        .weight_type = c->type,
        .threads = c->threads};
    return lw_net_create(world, &spec, out);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x) {
    qsort(x, REPEATS, sizeof *x, compare);
    return x[REPEATS / 2];
}

static double mean_weight(const lw_comm *world, const lw_net *net) {
    lw_proj_view v = lw_net_proj(net, 0);
    double sum = 0, n = (double)v.n_edges_global;
    for (int64_t e = 0; !v.bundled && e < v.n_edges; e++)
        sum += lw_net_weight(&v, e);
    lw_comm_sum_f64(world, &sum, 1);
    return v.bundled ? v.weight_value : sum / n;
}

/* Spikes of E since the start on this rank. */
static int64_t spikes_of_first(const lw_sim *sim) {
    lw_pop_view pop = lw_net_pop(lw_sim_net(sim), 0);
    int64_t n = 0;
    for (int64_t i = 0; i < pop.n_local; i++)
        n += lw_sim_spike_counts(sim)[pop.lid_begin + i];
    return n;
}

static lw_err run(const lw_comm *world, const choice *c, bool plastic, timing *out) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_err err = LW_OK;
    double wall[REPEATS], deliver[REPEATS];
    int64_t steps = (int64_t)lround(c->ms / DT);
    lw_stimulus_spec drive[2];
    for (int p = 0; p < 2; p++)
        drive[p] = (lw_stimulus_spec){
            .kind = LW_STIMULUS_POISSON, .pop = p, .amplitude = lw_dist_number(c->drive), .weight = J, .stop = -1};
    lw_sim_options options = lw_sim_options_default();
    options.precision = c->type;
    options.stimulus = drive;
    options.n_stimuli = 2;
    options.threads = c->threads;
    LW_TRY(net_create(world, c, plastic, &net));
    LW_TRY_TO(lw_sim_create(net, &options, &sim), done);
    LW_TRY_TO(lw_sim_advance(sim, WARM_STEPS, NULL), done);
    lw_sim_stats begin = lw_sim_stats_get(sim);
    int64_t first = spikes_of_first(sim);
    for (int i = 0; i < REPEATS; i++) {
        lw_sim_stats before = lw_sim_stats_get(sim);
        lw_comm_barrier(world);
        double start = lw_time_now();
        LW_TRY_TO(lw_sim_advance(sim, steps, NULL), done);
        wall[i] = lw_time_now() - start;
        deliver[i] = lw_sim_stats_get(sim).s_deliver - before.s_deliver;
    }
    lw_comm_max_f64(world, wall, REPEATS);
    lw_comm_max_f64(world, deliver, REPEATS);
    lw_sim_stats end = lw_sim_stats_get(sim);
    int64_t sum[3] = {
        end.spikes - begin.spikes, end.synaptic_events - begin.synaptic_events, spikes_of_first(sim) - first};
    lw_comm_sum_i64(world, sum, 3);
    lw_sim_weights_settle(sim);
    *out = (timing){.wall = median(wall),
        .deliver = median(deliver),
        .rate = (double)sum[0] / NEURONS / (REPEATS * c->ms / 1000),
        .weight = mean_weight(world, net),
        .events = (double)sum[1] / REPEATS,
        .plastic_events = (double)sum[2] * INDEGREE / REPEATS,
        .bytes = lw_sim_bytes(sim)};
done:
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return err;
}

static lw_err compare_both(const lw_comm *world, const choice *c) {
    timing fixed, t = {0};
    LW_TRY(run(world, c, false, &fixed));
    bool plastic = strcmp(c->model, "static") != 0;
    if (plastic) LW_TRY(run(world, c, true, &t));
    if (lw_comm_rank(world) != 0) return LW_OK;
    double ranks = lw_comm_size(world), per_event = fixed.deliver / fixed.events;
    double rest = plastic ? t.deliver - per_event * (t.events - t.plastic_events) : 0;
    printf("{\"bench\": \"plastic\", \"model\": \"%s\", \"weights\": \"%s\", \"ranks\": %g, \"threads\": %d, "
           "\"static\": {\"rate_hz\": %.2f, \"s_per_s\": %.3f, \"ns_per_event\": %.2f}",
        c->model, c->type == LW_F64 ? "f64" : "f32", ranks, c->threads, fixed.rate, fixed.wall / (c->ms / 1000),
        per_event * ranks * 1e9);
    if (plastic)
        printf(
            ", \"plastic\": {\"rate_hz\": %.2f, \"s_per_s\": %.3f, \"ns_per_event\": %.2f, \"mean_weight_mV\": %.5f, "
            "\"engine_mb\": %.1f}",
            t.rate, t.wall / (c->ms / 1000), rest / t.plastic_events * ranks * 1e9, t.weight, (double)t.bytes / 1e6);
    printf("}\n");
    return LW_OK;
}

int main(int argc, char **argv) {
    lw_comm *world = NULL;
    lw_err err = lw_comm_start(&argc, &argv, &world);
    if (err == LW_OK) {
        choice c = {.model = argc > 1 ? argv[1] : "stdp_power",
            .type = argc > 2 && !strcmp(argv[2], "f32") ? LW_F32 : LW_F64,
            .ms = argc > 3 ? atof(argv[3]) : 200,
            .drive = argc > 4 ? atof(argv[4]) : 11,
            .threads = argc > 5 ? atoi(argv[5]) : 1};
        err = compare_both(world, &c);
    }
    if (err != LW_OK) fprintf(stderr, "%s\n", lw_err_message());
    lw_comm_stop(&world);
    return lw_err_status(err);
}
