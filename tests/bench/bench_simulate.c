/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Simulation speed on two Brunel networks of 10000 neurons and 10 million synapses (8000 excitatory, 2000 inhibitory,
 * 800 and 200 inputs of each neuron, one delay of 1.5 ms, dt 0.1 ms): `delta` with voltage jumps and Poisson drive of
 * 20 kHz per neuron, `exp` with exponential currents and a constant drive. After 100 ms it times five stretches of the
 * given number of ms one after the other and prints one JSON line with medians. Expected rates: delta 43, exp 33 Hz
 * (NEST 3.9 gives 43.3 and 32.9).
 *
 * Beside the engine stand two loops written by hand and timed in the same run on all ranks: the roof of delivery (rows
 * of 16-bit targets in random order, one addition each, as many targets and synapses as a rank has) and the update of
 * the same neuron.
 *
 *     bench_simulate [delta|exp] [one|each] [f32|f64] [milliseconds] [threads]
 *
 * one: each projection has one weight; each: a float weight per synapse (normal, sd of one thousandth).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/sim.h>

enum { NEURONS = 10000, INDEGREE = 1000, WARM_STEPS = 1000, REPEATS = 5 };
static const double DT = 0.1;

typedef struct choice {
    bool delta, each;
    lw_dtype precision;
    double ms;
    int threads;
} choice;

static void param_set(const lw_model *model, lw_dist *param, const char *name, double value) {
    param[lw_model_param_find(model, name)] = lw_dist_number(value);
}

static lw_err net_create(const lw_comm *world, const choice *c, lw_net **out) {
    enum { PARAMS = 32 };
    const lw_model *model = lw_model_builtin(c->delta ? "lif_delta" : "lif");
    lw_dist param[PARAMS], init[PARAMS];
    uint8_t has_init[PARAMS] = {1};
    LW_CHECK(model && model->n_param <= PARAMS, LW_EUSE, "the built-in model is missing");
    for (int i = 0; i < model->n_param; i++)
        param[i] = lw_dist_number(model->param[i].value);
    param_set(model, param, "tau_m", 20);
    param_set(model, param, "C_m", 250);
    param_set(model, param, "E_L", 0);
    param_set(model, param, "V_th", 20);
    param_set(model, param, "V_reset", c->delta ? 10 : 0);
    param_set(model, param, "t_ref", 2);
    if (!c->delta) {
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
        double weight = (c->delta ? 0.1 : 54.960220400134794) * (k < 2 ? 1 : -5);
        proj[k] = (lw_projection_spec){.pre = k / 2,
            .post = k % 2,
            .port = c->delta ? 0 : k / 2,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = pop[k / 2].size * INDEGREE / NEURONS,
            .multapses = true,
            .weight = lw_dist_number(weight),
            .delay = lw_dist_number(1.5)};
        if (!c->each) continue;
        proj[k].weight.kind = LW_DIST_NORMAL;
        proj[k].weight.p[1] = fabs(weight) / 1000;
    }
    lw_net_spec spec = {.seed = 42,
        .dt = DT,
        .n_pop = 2,
        .n_proj = 4,
        .pop = pop,
        .proj = proj,
        .weight_type = LW_F32,
        .threads = c->threads};
    return lw_net_create(world, &spec, out);
}

static lw_err engine_create(lw_net *net, const choice *c, lw_sim **out) {
    lw_sim_options options = lw_sim_options_default();
    lw_stimulus_spec stimulus[2];
    for (int p = 0; p < 2; p++)
        stimulus[p] = (lw_stimulus_spec){
            .kind = LW_STIMULUS_POISSON, .pop = p, .amplitude = lw_dist_number(20), .weight = 0.1, .stop = -1};
    options.precision = c->precision;
    options.stimulus = stimulus;
    options.n_stimuli = c->delta ? 2 : 0;
    options.threads = c->threads;
    return lw_sim_create(net, &options, out);
}

/* ------------------------------------------------------------------ peers */

/* Events per second and core when rows of 16-bit targets are added in random order. Collective. */
static lw_err roof(const lw_comm *world, const choice *c, int64_t n_targets, int64_t row, double *out) {
    enum { ROWS = NEURONS, VISITS = 20000 };
    uint16_t *target = NULL;
    float *weight = NULL, *acc = NULL;
    uint64_t x = 88172645463325252u;
    lw_err err = lw_alloc((size_t)(ROWS * row), sizeof *target, "targets", &target);
    if (err == LW_OK) err = lw_alloc((size_t)(ROWS * row), sizeof *weight, "weights", &weight);
    if (err == LW_OK) err = lw_alloc((size_t)n_targets, sizeof *acc, "sums", &acc);
    LW_TRY_TO(lw_comm_agree(world, err), done);
    for (int64_t i = 0; i < ROWS * row; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        target[i] = (uint16_t)(x % (uint64_t)n_targets);
        weight[i] = 1;
    }
    double best = INFINITY;
    for (int repeat = 0; repeat < 3; repeat++) {
        lw_comm_barrier(world);
        double begin = lw_time_now();
        for (int64_t v = 0; v < VISITS; v++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            const uint16_t *t = target + (int64_t)(x % ROWS) * row;
            const float *w = weight + (t - target);
            if (c->each)
                for (int64_t i = 0; i < row; i++)
                    acc[t[i]] += w[i];
            else
                for (int64_t i = 0; i < row; i++)
                    acc[t[i]] += 0.5F;
        }
        best = fmin(best, lw_time_now() - begin);
    }
    *out = (double)(VISITS * row) / best;
done:
    lw_free(target);
    lw_free(weight);
    lw_free(acc);
    return err;
}

/* The update of one step with its list of spikes, as one would write it for these two networks alone. */
#define PEER(REAL, NAME)                                                                                               \
    static int64_t NAME(int64_t n, bool delta, REAL *restrict v, REAL *restrict ie, REAL *restrict ii,                 \
        const REAL *restrict in0, const REAL *restrict in1, int32_t *restrict left, REAL *restrict out,                \
        uint32_t *restrict list) {                                                                                     \
        const REAL p22 = (REAL)exp(-0.1 / 20), p11 = (REAL)exp(-0.1 / 0.5), p20 = (REAL)(20. / 250) * (1 - p22);       \
        const REAL p21 = (REAL)(0.5 * 20 / (250 * 19.5)) * (p22 - p11);                                                \
        for (int64_t i = 0; delta && i < n; i++) {                                                                     \
            REAL next = v[i] * p22 + in0[i], x = left[i] > 0 ? v[i] : next;                                            \
            int32_t r = left[i] > 0 ? left[i] - 1 : 0;                                                                 \
            bool spike = x >= 20;                                                                                      \
            v[i] = spike ? 10 : x;                                                                                     \
            left[i] = spike ? 20 : r;                                                                                  \
            out[i] = spike ? 1 : 0;                                                                                    \
        }                                                                                                              \
        for (int64_t i = 0; !delta && i < n; i++) {                                                                    \
            REAL next = v[i] * p22 + ie[i] * p21 + ii[i] * p21 + 500 * p20, x = left[i] > 0 ? v[i] : next;             \
            int32_t r = left[i] > 0 ? left[i] - 1 : 0;                                                                 \
            bool spike = x >= 20;                                                                                      \
            ie[i] = ie[i] * p11 + in0[i];                                                                              \
            ii[i] = ii[i] * p11 + in1[i];                                                                              \
            v[i] = spike ? 0 : x;                                                                                      \
            left[i] = spike ? 20 : r;                                                                                  \
            out[i] = spike ? 1 : 0;                                                                                    \
        }                                                                                                              \
        int64_t spikes = 0;                                                                                            \
        for (int64_t i = 0; i < n; i++)                                                                                \
            if (out[i] != 0) list[spikes++] = (uint32_t)i;                                                             \
        return spikes;                                                                                                 \
    }
PEER(float, peer_f32)
PEER(double, peer_f64)

/* Seconds per neuron and step of the loop by hand. Collective. */
static lw_err peer(const lw_comm *world, const choice *c, int64_t n, double *out) {
    enum { ARRAYS = 8, STEPS = 3000 };
    double *x = NULL, best = INFINITY;
    LW_TRY(lw_comm_agree(world, lw_alloc((size_t)(n * ARRAYS), sizeof *x, "neurons", &x)));
    float *f = (void *)x;
    for (int64_t i = 0; i < n; i++) { /* spread potentials, a drive that makes them spike */
        double v = 20. * (double)i / (double)n, drive = c->delta ? 0.3 : 0;
        if (c->precision == LW_F64) {
            x[i] = v;
            x[3 * n + i] = drive;
        } else {
            f[i] = (float)v;
            f[3 * n + i] = (float)drive;
        }
    }
    int64_t spikes = 0;
    for (int repeat = 0; repeat < 3; repeat++) {
        lw_comm_barrier(world);
        double begin = lw_time_now();
        for (int t = 0; t < STEPS; t++)
            spikes += c->precision == LW_F64 ? peer_f64(n, c->delta, x, x + n, x + 2 * n, x + 3 * n, x + 4 * n,
                                                   (void *)(x + 5 * n), x + 6 * n, (void *)(x + 7 * n))
                                             : peer_f32(n, c->delta, f, f + n, f + 2 * n, f + 3 * n, f + 4 * n,
                                                   (void *)(x + 5 * n), f + 6 * n, (void *)(x + 7 * n));
        best = fmin(best, lw_time_now() - begin);
    }
    LW_ASSERT(spikes > 0);
    *out = best / STEPS / (double)n;
    lw_free(x);
    return LW_OK;
}

/* ------------------------------------------------------------------ runs */

/* What five stretches took. */
typedef struct result {
    double wall[REPEATS], phase[4]; /* seconds; phases summed over ranks and stretches */
    int64_t spikes, events, bytes, messages, exchanges;
} result;

static int double_compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static lw_err stretches(const lw_comm *world, lw_sim *sim, int64_t steps, result *r) {
    LW_TRY(lw_sim_advance(sim, WARM_STEPS, NULL));
    lw_sim_stats a = lw_sim_stats_get(sim);
    for (int i = 0; i < REPEATS; i++) {
        lw_comm_barrier(world);
        double begin = lw_time_now();
        LW_TRY(lw_sim_advance(sim, steps, NULL));
        lw_comm_barrier(world);
        r->wall[i] = lw_time_now() - begin;
    }
    lw_sim_stats b = lw_sim_stats_get(sim);
    int64_t n[4] = {b.spikes - a.spikes, b.synaptic_events - a.synaptic_events, b.bytes_sent - a.bytes_sent,
        b.messages_sent - a.messages_sent};
    double s[4] = {
        b.s_deliver - a.s_deliver, b.s_stimulus - a.s_stimulus, b.s_update - a.s_update, b.s_exchange - a.s_exchange};
    lw_comm_sum_i64(world, n, 4);
    lw_comm_sum_f64(world, s, 4);
    memcpy(r->phase, s, sizeof s);
    r->spikes = n[0];
    r->events = n[1];
    r->bytes = n[2];
    r->messages = n[3];
    r->exchanges = b.exchanges - a.exchanges;
    qsort(r->wall, REPEATS, sizeof *r->wall, double_compare);
    return LW_OK;
}

static lw_err bench(const lw_comm *world, const choice *c) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    result r = {0};
    double roof_events = 0, peer_s = 0;
    int ranks = lw_comm_size(world);
    int64_t steps = (int64_t)(c->ms / DT), before = lw_mem_peak_rss();
    double begin = lw_time_now();
    lw_err err = net_create(world, c, &net);
    double built = lw_time_now() - begin;
    LW_TRY_TO(err, done);
    LW_TRY_TO(engine_create(net, c, &sim), done);
    LW_TRY_TO(stretches(world, sim, steps, &r), done);
    int64_t memory[4] = {before, lw_mem_peak_rss(), lw_net_stats_get(net).bytes_synapses, lw_sim_bytes(sim)};
    lw_comm_sum_i64(world, memory, 4);
    int64_t n_local = lw_net_n_local(net) / c->threads;
    LW_TRY_TO(roof(world, c, n_local, n_local * INDEGREE / NEURONS, &roof_events), done);
    LW_TRY_TO(peer(world, c, n_local, &peer_s), done);
    lw_comm_sum_f64(world, &roof_events, 1);
    lw_comm_max_f64(world, &peer_s, 1);
    double synapses = (double)lw_net_n_edges_global(net), median = r.wall[REPEATS / 2];
    /* phases are those of each rank's first thread, which does one of `threads` parts */
    double seconds = c->ms / 1000, own_steps = (double)NEURONS * (double)steps * REPEATS / c->threads;
    if (lw_comm_rank(world) == 0)
        printf("{\"bench\": \"simulate\", \"net\": \"%s\", \"weights\": \"%s\", \"real\": \"%s\", \"ranks\": %d, "
               "\"threads\": %d, \"synapses\": %.0f, \"rate_hz\": %.2f, \"build_s\": %.2f, \"realtime_factor\": %.3f, "
               "\"realtime_factor_range\": [%.3f, %.3f], \"events_per_s\": %.4g, \"ns_per_event\": %.3f, "
               "\"roof_ns_per_event\": %.3f, \"ns_per_neuron_step\": {\"stimulus\": %.3f, \"update\": %.3f, "
               "\"update_by_hand\": %.3f}, \"exchange_s_per_s\": %.3f, \"bytes_per_exchange\": %.1f, "
               "\"messages_per_exchange\": %.1f, \"bytes_per_synapse\": {\"stored\": %.2f, \"engine\": %.2f, "
               "\"peak_rss\": %.2f, \"peak_rss_less_start\": %.2f}}\n",
            c->delta ? "delta" : "exp", c->each ? "each" : "one", c->precision == LW_F64 ? "f64" : "f32", ranks,
            c->threads, synapses, (double)r.spikes / NEURONS / seconds / REPEATS, built, median / seconds,
            r.wall[0] / seconds, r.wall[REPEATS - 1] / seconds, (double)r.events / REPEATS / median,
            r.phase[0] / (double)r.events * c->threads * 1e9, ranks / roof_events * 1e9, r.phase[1] / own_steps * 1e9,
            r.phase[2] / own_steps * 1e9, peer_s * 1e9, r.phase[3] / ranks / REPEATS / seconds,
            (double)r.bytes / (double)r.exchanges, (double)r.messages / (double)r.exchanges,
            (double)memory[2] / synapses, (double)memory[3] / synapses, (double)memory[1] / synapses,
            (double)(memory[1] - memory[0]) / synapses);
done:
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return err;
}

int main(int argc, char **argv) {
    lw_comm *world = NULL;
    lw_err err = lw_comm_start(&argc, &argv, &world);
    choice c = {.delta = argc < 2 || strcmp(argv[1], "exp") != 0,
        .each = argc > 2 && strcmp(argv[2], "each") == 0,
        .precision = argc > 3 && strcmp(argv[3], "f64") == 0 ? LW_F64 : LW_F32,
        .ms = argc > 4 ? atof(argv[4]) : 1000,
        .threads = argc > 5 ? atoi(argv[5]) : 1};
    if (c.threads < 1 || c.ms < 1) err = LW_FAIL(LW_EUSE, "at least one thread and one ms are needed");
    if (err == LW_OK) err = bench(world, &c);
    if (err != LW_OK) fprintf(stderr, "%s\n", lw_err_message());
    lw_comm_stop(&world);
    return lw_err_status(err);
}
