/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Stimuli one by one: what is drawn equals a scalar reading of the definition, on any number of ranks; rates and
 * currents that change with time; noise held over intervals; ranges of neurons change no bit.
 */
#include "world.h"
#include "engine_parts.h"

enum { SIZE = 300, WIDTH = 2, SEED = 11 };
static const double DT = 0.1, TURN = 6.283185307179586;

/* Relays show what reaches them. */
static lw_net *relays(void) {
    lw_net *net = NULL;
    lw_population_spec pop = {.name = "x", .model = lw_model_builtin("relay"), .size = SIZE};
    lw_net_spec spec = {.seed = SEED, .dt = DT, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    CHECK_OK(lw_net_create(world_kept(), &spec, &net));
    return net;
}

/* values[t][local neuron, lane] of all steps. The stimulus has number 1: the first is silent. */
static double *shown(lw_net *net, const lw_stimulus_spec *stimulus, int64_t steps) {
    lw_stimulus_spec both[2] = {{.kind = LW_STIMULUS_CURRENT, .amplitude = lw_dist_number(0), .stop = -1}, *stimulus};
    lw_sim_options options = lw_sim_options_default();
    lw_sim *sim = NULL;
    int64_t n = lw_net_n_local(net) * WIDTH;
    double *values = calloc((size_t)(n * steps) + 1, sizeof *values);
    options.width = WIDTH;
    options.stimulus = both;
    options.n_stimuli = 2;
    CHECK_OK(lw_sim_create(net, &options, &sim));
    for (int64_t t = 0; t < steps; t++) {
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        lw_sim_output_get(sim, 0, values + t * n);
    }
    lw_sim_destroy(&sim);
    return values;
}

/* Philox4x32-10 written down as in the paper (Salmon et al. 2011, section 3.3), one counter at a time. */
static void philox(const uint32_t key[2], uint64_t low, uint64_t high, uint32_t out[4]) {
    uint32_t c[4] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c[3] ^ k1, (uint32_t)a};
        memcpy(c, next, sizeof c);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(out, c, sizeof c);
}
static void words_of(lw_purpose purpose, uint64_t neuron, uint64_t lane, uint64_t group, uint32_t out[4]) {
    uint32_t key[4];
    lw_rng_bits(SEED, purpose, 1, UINT64_MAX, 0, key);
    philox(key, neuron | lane << 40, group, out);
}

/* Poisson: the smallest k whose distribution function is above the step's uniform number. */
static double count_of(double mean, uint64_t neuron, uint64_t lane, int64_t t) {
    uint32_t words[4];
    words_of(LW_PURPOSE_POISSON, neuron, lane, (uint64_t)t / 4, words);
    double x = words[t % 4] * 0x1p-32, p = exp(-mean), sum = p;
    int k = 0;
    for (; sum <= x && k < 200; sum += p)
        p *= mean / ++k;
    return k;
}
static double unit(uint32_t low, uint32_t high) {
    return ((double)(((uint64_t)high << 32 | low) >> 12) + 0.5) * 0x1p-52;
}
static double normal_of(uint64_t neuron, uint64_t lane, int64_t k) {
    uint32_t w[4];
    words_of(LW_PURPOSE_NOISE, neuron, lane, (uint64_t)k / 2, w);
    double angle = TURN * unit(w[2], w[3]);
    return sqrt(-2 * log(unit(w[0], w[1]))) * (k % 2 ? sin(angle) : cos(angle));
}

/* The rate of step t: constant, then piecewise, a wave that falls below zero, and rates of neurons under a wave. */
enum { RATES = 5 };
static const int64_t RATE_STEP[] = {5, 17, 40};
static const double RATE_VALUE[] = {30, 0, 200};
static double rate_of(int kind, int64_t neuron, int64_t t) {
    double wave = 25 * sin(TURN * (0.3 * DT * (double)t + 0.125));
    if (kind == 0) return 20;
    if (kind == 1) return t < 5 ? 0 : t < 17 ? 30 : t < 40 ? 0 : 200;
    if (kind == 2) return fmax(0, 10 + wave);
    if (kind == 3) return fmax(0, 0.1 * (double)neuron + wave);
    return 0.001;
}
static lw_stimulus_spec rate_spec(int kind, double *list) {
    lw_stimulus_spec s = {.kind = LW_STIMULUS_POISSON, .weight = 3, .stop = -1};
    double constant[RATES] = {20, 0, 10, 0, 0.001};
    s.amplitude = lw_dist_number(constant[kind]);
    if (kind == 1) {
        s.change_step = RATE_STEP;
        s.change_value = RATE_VALUE;
        s.n_changes = 3;
    }
    if (kind == 2 || kind == 3) {
        s.wave = 25;
        s.wave_frequency = 0.3;
        s.wave_phase = 0.125;
    }
    for (int i = 0; kind == 3 && i < SIZE; i++)
        list[i] = 0.1 * i;
    if (kind == 3)
        s.amplitude = (lw_dist){.kind = LW_DIST_LIST, .list = list, .n_list = SIZE, .lo = -INFINITY, .hi = INFINITY};
    return s;
}

TEST(poisson_counts_are_those_of_the_definition) {
    enum { STEPS = 61 };
    lw_net *net = relays();
    lw_pop_view view = lw_net_pop(net, 0);
    for (int kind = 0; kind < RATES; kind++) {
        double list[SIZE], sum = 0, expected = 0;
        lw_stimulus_spec spec = rate_spec(kind, list);
        double *x = shown(net, &spec, STEPS);
        for (int64_t t = 0; t < STEPS; t++)
            for (int64_t i = 0; i < view.n_local * WIDTH; i++) {
                uint64_t gid = (uint64_t)view.gid[i / WIDTH], lane = (uint64_t)(i % WIDTH);
                double mean = rate_of(kind, (int64_t)gid, t) * DT, count = x[t * view.n_local * WIDTH + i] / 3;
                CHECK_CLOSE(count, count_of(mean, gid, lane, t), 0);
                sum += count;
                expected += mean;
            }
        double both[2] = {sum, expected};
        lw_comm_sum_f64(world_kept(), both, 2);
        CHECK_CLOSE(both[0], both[1], 5 * sqrt(both[1]));
        free(x);
    }
    lw_net_destroy(&net);
}

/* Beyond the tables a stream draws; the mean follows the wave. */
TEST(high_rates_follow_their_wave) {
    enum { STEPS = 40 };
    lw_net *net = relays();
    lw_stimulus_spec spec = {.kind = LW_STIMULUS_POISSON,
        .amplitude = lw_dist_number(900),
        .weight = 1,
        .stop = -1,
        .wave = 400,
        .wave_frequency = 0.25};
    double *x = shown(net, &spec, STEPS);
    int64_t n = lw_net_n_local(net) * WIDTH;
    for (int64_t t = 0; t < STEPS; t++) {
        double mean = 90 + 40 * sin(TURN * 0.025 * (double)t), sum = 0, square = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += x[t * n + i];
            square += (x[t * n + i] - mean) * (x[t * n + i] - mean) / mean;
        }
        double sums[2] = {sum / mean, square};
        lw_comm_sum_f64(world_kept(), sums, 2);
        CHECK_CLOSE(sums[0] / (SIZE * WIDTH), 1, 5 / sqrt(mean * SIZE * WIDTH));
        CHECK_CLOSE(sums[1] / (SIZE * WIDTH), 1, 5 * sqrt(2.0 / (SIZE * WIDTH)));
    }
    free(x);
    lw_net_destroy(&net);
}

TEST(noise_holds_for_its_interval) {
    enum { STEPS = 37 };
    lw_net *net = relays();
    lw_pop_view view = lw_net_pop(net, 0);
    for (int every = 0; every <= 7; every++) {
        lw_stimulus_spec spec = {.kind = LW_STIMULUS_NOISE,
            .amplitude = lw_dist_number(2),
            .sd = 1.5,
            .every = every,
            .start = 3,
            .stop = 30};
        double *x = shown(net, &spec, STEPS);
        for (int64_t t = 0; t < STEPS; t++)
            for (int64_t i = 0; i < view.n_local * WIDTH; i++) {
                double z = normal_of((uint64_t)view.gid[i / WIDTH], (uint64_t)(i % WIDTH), every > 1 ? t / every : t);
                double expected = t >= 3 && t < 30 ? 2 + 1.5 * z : 0;
                CHECK_CLOSE(x[t * view.n_local * WIDTH + i], expected, 1e-14);
            }
        free(x);
    }
    lw_net_destroy(&net);
}

TEST(uniform_numbers_are_those_of_the_definition) {
    enum { STEPS = 20 };
    lw_net *net = relays();
    lw_pop_view view = lw_net_pop(net, 0);
    lw_stimulus_spec spec = {.kind = LW_STIMULUS_UNIFORM, .amplitude = lw_dist_number(3), .stop = -1};
    double *x = shown(net, &spec, STEPS);
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t i = 0; i < view.n_local * WIDTH; i++) {
            uint32_t w[4];
            words_of(LW_PURPOSE_NOISE, (uint64_t)view.gid[i / WIDTH], (uint64_t)(i % WIDTH), (uint64_t)t / 2, w);
            CHECK_CLOSE(x[t * view.n_local * WIDTH + i], 3 * (t % 2 ? unit(w[2], w[3]) : unit(w[0], w[1])), 0);
        }
    free(x);
    lw_net_destroy(&net);
}

TEST(currents_step_and_swing) {
    enum { STEPS = 50 };
    const int64_t at[] = {4, 10, 11, 30};
    const double to[] = {1, -2, 7, 0.5};
    lw_net *net = relays();
    lw_pop_view view = lw_net_pop(net, 0);
    lw_stimulus_spec spec = {.kind = LW_STIMULUS_CURRENT,
        .amplitude = lw_dist_number(0),
        .start = 6,
        .stop = 40,
        .change_step = at,
        .change_value = to,
        .n_changes = 4};
    double *x = shown(net, &spec, STEPS);
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t i = 0; i < view.n_local * WIDTH; i++)
            CHECK_CLOSE(x[t * view.n_local * WIDTH + i],
                t < 6 || t >= 40 ? 0
                : t < 10         ? 1
                : t < 11         ? -2
                : t < 30         ? 7
                                 : 0.5,
                0);
    free(x);
    spec = (lw_stimulus_spec){.kind = LW_STIMULUS_CURRENT,
        .amplitude = lw_dist_number(5),
        .stop = -1,
        .wave = 3,
        .wave_frequency = 0.05,
        .wave_phase = 0.25};
    x = shown(net, &spec, STEPS);
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t i = 0; i < view.n_local * WIDTH; i++)
            CHECK_CLOSE(x[t * view.n_local * WIDTH + i], 5 + 3 * cos(TURN * 0.005 * (double)t), 1e-13);
    free(x);
    lw_net_destroy(&net);
}

/* All kinds at once, added range by range in some order, with and without drawing ahead: the bits of one range. */
TEST(ranges_change_no_bit) {
    enum { KINDS = 6, STEPS = 30 };
    double list[SIZE], *whole;
    int64_t neuron[SIZE], when[SIZE];
    lw_net *net = relays();
    lw_sim *sim = NULL;
    lw_stimulus_spec spec[KINDS] = {rate_spec(0, list), rate_spec(2, list), rate_spec(3, list),
        {.kind = LW_STIMULUS_NOISE, .amplitude = lw_dist_number(1), .sd = 2, .every = 3, .stop = -1},
        {.kind = LW_STIMULUS_CURRENT, .amplitude = lw_dist_number(0.1), .stop = -1},
        {.kind = LW_STIMULUS_SPIKES,
            .weight = 0.3,
            .stop = -1,
            .spike_neuron = neuron,
            .spike_step = when,
            .n_spikes = SIZE}};
    for (int64_t i = 0; i < SIZE; i++) {
        neuron[i] = i * 7 % SIZE;
        when[i] = i * i % STEPS;
    }
    lw_sim_options options = lw_sim_options_default();
    options.width = WIDTH;
    options.stimulus = spec;
    options.n_stimuli = KINDS;
    int64_t n = lw_net_n_local(net), blocks = (n + ENGINE_STIMULUS_BLOCK - 1) / ENGINE_STIMULUS_BLOCK;
    for (int f64 = 0; f64 < 2; f64++) {
        options.precision = f64 ? LW_F64 : LW_F32;
        CHECK_OK(lw_sim_create(net, &options, &sim));
        size_t bytes = (size_t)n * WIDTH * sim->real_size;
        whole = calloc(bytes + 1, 1);
        for (int64_t t = 0; t < STEPS; t++) {
            memset(sim->pop[0].input[0], 0, bytes);
            engine_stimulus_add(sim, 0, t, 0, n);
            memcpy(whole, sim->pop[0].input[0], bytes);
            /* another step in between, so that nothing is drawn yet */
            engine_stimulus_add(sim, 0, t + 1000, 0, n);
            memset(sim->pop[0].input[0], 0, bytes);
            for (int64_t b = blocks - 1; b >= 0; b--) {
                int64_t first = (b * (1 + t % 2)) % blocks * ENGINE_STIMULUS_BLOCK;
                if (t % 2 && blocks % 2 == 0) first = b * ENGINE_STIMULUS_BLOCK;
                int64_t last = first + ENGINE_STIMULUS_BLOCK < n ? first + ENGINE_STIMULUS_BLOCK : n;
                if (t % 3) engine_stimulus_draw(sim, 0, t, first, last);
                engine_stimulus_add(sim, 0, t, first, last);
            }
            CHECK(!memcmp(whole, sim->pop[0].input[0], bytes));
        }
        free(whole);
        lw_sim_destroy(&sim);
    }
    lw_net_destroy(&net);
}

TEST(bad_changes_are_refused) {
    lw_net *net = relays();
    lw_sim *sim = NULL;
    lw_sim_options options = lw_sim_options_default();
    const int64_t at[] = {4, 4};
    const double to[] = {1, NAN};
    lw_stimulus_spec spec = {.kind = LW_STIMULUS_CURRENT, .change_step = at, .change_value = to, .n_changes = 2};
    spec.amplitude = lw_dist_number(0);
    options.stimulus = &spec;
    options.n_stimuli = 1;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "change 1 of stimulus 0 is to nan");
    spec.change_value = (const double[]){1, 2};
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "change 1 of stimulus 0 is at step 4, not after");
    spec.n_changes = 0;
    spec.every = -2;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "every -2 steps");
    spec.every = 0;
    spec.wave = INFINITY;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "the wave of stimulus 0 has amplitude inf");
    spec.kind = LW_STIMULUS_POISSON;
    spec.wave = 1e12;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "too high");
    lw_net_destroy(&net);
}

CHECK_MAIN(CASE(poisson_counts_are_those_of_the_definition), CASE(high_rates_follow_their_wave),
    CASE(noise_holds_for_its_interval), CASE(uniform_numbers_are_those_of_the_definition),
    CASE(currents_step_and_swing), CASE(ranges_change_no_bit), CASE(bad_changes_are_refused))
