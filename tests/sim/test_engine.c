/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The engine's step: delays are felt when they should be, a neuron follows the exact solution, stimuli have their
 * distributions, lanes and fast paths change no bit, graded populations equal a matrix product, records and watch.
 */
#include "absent.h"
#include "brunel.h"
#include "engine.h"
#include "world.h"

/* A chain of lif neurons, neuron i kicking i + 1 over the threshold after `delay` steps; the first is kicked from
 * outside. */
enum { CHAIN = 9 };
static lw_err chain_net(int32_t delay, lw_partition partition, lw_net **out) {
    lw_edge edges[CHAIN];
    lw_dist t_ref[LIF_PARAMS];
    for (int i = 0; i < LIF_PARAMS; i++)
        t_ref[i] = lw_dist_number(i == LIF_REFRACTORY ? 0.3 : lif_params[i].value);
    for (int i = 0; i < CHAIN - 1; i++)
        edges[i] = (lw_edge){.target = i + 1, .source = i, .weight = 25, .delay = delay};
    lw_population_spec pop = {.name = "chain", .model = &model_lif, .size = CHAIN, .param = t_ref};
    lw_projection_spec proj = {.pre = 0,
        .post = 0,
        .port = LIF_KICK,
        .rule = LW_RULE_EDGES,
        .edges = edges,
        .n_edges = lw_comm_rank(world_kept()) == 0 ? CHAIN - 1 : 0};
    lw_net_spec spec = {.seed = 1,
        .dt = 0.1,
        .n_pop = 1,
        .n_proj = 1,
        .pop = &pop,
        .proj = &proj,
        .partition = partition,
        .weight_type = LW_F64};
    return lw_net_create(world_kept(), &spec, out);
}

TEST(a_delay_is_felt_exactly_then) {
    const int32_t delays[] = {1, 5, 7};
    for (int k = 0; k < 6; k++) {
        int32_t delay = delays[k / 2];
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        int64_t neuron = 0, at = 4;
        lw_stimulus_spec kick = {.kind = LW_STIMULUS_SPIKES,
            .port = LIF_KICK,
            .weight = 25,
            .stop = -1,
            .spike_neuron = &neuron,
            .spike_step = &at,
            .n_spikes = 1};
        lw_sim_options options = lw_sim_options_default();
        options.stimulus = &kick;
        options.n_stimuli = 1;
        CHECK_OK(chain_net(delay, k % 2 ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK, &net));
        CHECK_OK(lw_sim_create(net, &options, &sim));
        CHECK_OK(lw_sim_record_spikes(sim, 0));
        /* cut in the middle of an epoch */
        CHECK_OK(lw_sim_advance(sim, 13, NULL));
        CHECK_OK(lw_sim_advance(sim, 57, NULL));
        const lw_spike *spikes = NULL;
        int64_t n = 0, total = 0;
        lw_sim_spikes_take(sim, &spikes, &n);
        for (int64_t i = 0; i < n; i++)
            CHECK_INT(spikes[i].step, at + spikes[i].gid * delay);
        total = n;
        lw_comm_sum_i64(world_kept(), &total, 1);
        CHECK_INT(total, CHAIN);
        lw_sim_spikes_take(sim, &spikes, &n);
        CHECK_INT(n, 0);
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
}

/* Delay 0 between populations: the whole chain of populations passes a value on within one step, back to the first with
 * a delay of 2. Relays hand on what they get; numbers tell the way. Spiking populations take part beside them. */
TEST(delay_zero_is_felt_in_the_same_step) {
    enum { SIZE = 6 };
    lw_dist one = lw_dist_number(1), zero = lw_dist_number(0), two = lw_dist_number(0.2);
    lw_dist lif[LIF_PARAMS];
    for (int i = 0; i < LIF_PARAMS; i++)
        lif[i] = lw_dist_number(i == LIF_REFRACTORY ? 0 : lif_params[i].value);
    /* listed against the order of levels */
    lw_population_spec pop[4] = {{.name = "c", .model = &model_relay, .size = SIZE},
        {.name = "b", .model = &model_relay, .size = SIZE}, {.name = "a", .model = &model_relay, .size = SIZE},
        {.name = "s", .model = &model_lif, .size = SIZE, .param = lif}};
    lw_dist weight3 = lw_dist_number(3), weight5 = lw_dist_number(5), weight30 = lw_dist_number(30);
    lw_projection_spec proj[5] = {{.pre = 2, .post = 1, .rule = LW_RULE_ONE_TO_ONE, .weight = weight3, .delay = zero},
        {.pre = 1, .post = 0, .rule = LW_RULE_ALL_TO_ALL, .autapses = true, .weight = weight5, .delay = zero},
        {.pre = 0, .post = 2, .rule = LW_RULE_ONE_TO_ONE, .weight = one, .delay = two},
        {.pre = 2, .post = 3, .rule = LW_RULE_ONE_TO_ONE, .weight = weight30, .delay = zero},
        {.pre = 3, .post = 0, .rule = LW_RULE_ONE_TO_ONE, .weight = one, .delay = zero}};
    lw_net_spec spec = {.seed = 1,
        .dt = 0.1,
        .n_pop = 4,
        .n_proj = 5,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F64};
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_stimulus_spec pulse = {.kind = LW_STIMULUS_CURRENT, .pop = 2, .amplitude = one, .start = 3, .stop = 4};
    lw_sim_options options = lw_sim_options_default();
    options.stimulus = &pulse;
    options.n_stimuli = 1;
    CHECK_OK(lw_net_create(world_kept(), &spec, &net));
    CHECK_INT(lw_net_n_levels(net) > 1, 1);
    CHECK_OK(lw_sim_create(net, &options, &sim));
    double c = 0, a = 0;
    double was[2] = {0, 0}; /* c one and two steps ago */
    for (int t = 0; t < 10; t++) {
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        a = was[1] + (t == 3);
        c = SIZE * 5.0 * 3 * a + (30 * a >= 20 ? 1 : 0);
        for (int p = 0; p < 3; p++) {
            double x[SIZE], expected = p == 2 ? a : p == 1 ? 3 * a : c;
            lw_sim_output_get(sim, p, x);
            for (int64_t i = 0; i < lw_net_pop(net, p).n_local; i++)
                CHECK_CLOSE(x[i], expected, 0);
        }
        was[1] = was[0];
        was[0] = c;
    }
    CHECK(c > 1e4); /* the pulse went round */
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

/* v = drive (1 - exp(-t / tau)); spikes, reset and refractory steps as the solution says */
TEST(a_neuron_follows_the_exact_solution) {
    const double tau = 20, drive = 31, dt = 0.1, reset = 10, threshold = 20;
    lw_population_spec pop = {.name = "one", .model = &model_lif, .size = 5};
    lw_net_spec spec = {.seed = 1, .dt = dt, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    lw_stimulus_spec current = {
        .kind = LW_STIMULUS_CURRENT, .port = LIF_DRIVE, .amplitude = lw_dist_number(drive), .stop = -1};
    lw_sim_options options = lw_sim_options_default();
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    options.stimulus = &current;
    options.n_stimuli = 1;
    CHECK_OK(lw_net_create(world_kept(), &spec, &net));
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_sim_record_spikes(sim, 0));
    CHECK_OK(lw_sim_record_trace(sim, 0, 0, 1, 1));
    CHECK_OK(lw_sim_record_trace(sim, 0, 0, 10, -1));
    CHECK_OK(lw_sim_advance(sim, 1000, NULL));
    lw_trace_view trace = lw_sim_trace_take(sim, 0), coarse = lw_sim_trace_take(sim, 1);
    const lw_spike *spikes = NULL;
    int64_t n = 0, n_local = lw_net_pop(net, 0).n_local;
    lw_sim_spikes_take(sim, &spikes, &n);
    CHECK_INT(trace.n_samples, 1000);
    CHECK_INT(coarse.n_samples, 100);
    CHECK_INT(coarse.first_step, 9);
    CHECK_INT(coarse.n_neurons, n_local);
    /* time from `from` to the threshold, in whole steps */
    int64_t rise0 = (int64_t)ceil(tau * log(drive / (drive - threshold)) / dt);
    int64_t rise = (int64_t)ceil(tau * log((drive - reset) / (drive - threshold)) / dt), period = rise + 20;
    int64_t expected_n = 1 + (1000 - rise0) / period;
    CHECK_INT(n, expected_n * n_local);
    for (int64_t i = 0; i < n; i++)
        CHECK_INT(spikes[i].step, rise0 - 1 + i / n_local * period);
    for (int64_t t = 0; t < trace.n_samples && trace.n_neurons > 0; t++) {
        int64_t since = t + 1 - rise0;
        double v = drive * (1 - exp(-(double)(t + 1) * dt / tau));
        if (since >= 0) {
            int64_t phase = since % period - 20; /* steps integrated since the reset */
            v = drive + (reset - drive) * exp(-(double)(phase > 0 ? phase : 0) * dt / tau);
        }
        CHECK_CLOSE(trace.sample[t], v, 1e-12 * drive);
        if ((t + 1) % 10 == 0) CHECK_CLOSE(coarse.sample[t / 10 * n_local], trace.sample[t], 0);
    }
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

/* Mean and variance of what arrives at relays, for one rate, for listed rates, and beyond the tables. */
TEST(random_stimuli_have_their_moments) {
    enum { SIZE = 40, STEPS = 2500, KINDS = 5 };
    double rates[SIZE], list[SIZE];
    for (int i = 0; i < SIZE; i++) {
        rates[i] = 1 + i / 2.0;
        list[i] = i - 20.0;
    }
    lw_population_spec pop = {.name = "x", .model = &model_relay, .size = SIZE};
    lw_net_spec spec = {.seed = 3, .dt = 0.1, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    lw_dist of_rates = {.kind = LW_DIST_LIST, .list = rates, .n_list = SIZE, .lo = -INFINITY, .hi = INFINITY},
            of_list = of_rates;
    of_list.list = list;
    lw_stimulus_spec kinds[KINDS] = {
        {.kind = LW_STIMULUS_POISSON, .amplitude = lw_dist_number(20), .weight = 0.5, .stop = -1},
        {.kind = LW_STIMULUS_POISSON, .amplitude = of_rates, .weight = 2, .stop = -1},
        {.kind = LW_STIMULUS_POISSON, .amplitude = lw_dist_number(900), .weight = 1, .stop = -1},
        {.kind = LW_STIMULUS_NOISE, .amplitude = lw_dist_number(-1), .sd = 3, .stop = -1},
        {.kind = LW_STIMULUS_NOISE, .amplitude = of_list, .sd = 0.5, .stop = -1}};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world_kept(), &spec, &net));
    lw_pop_view view = lw_net_pop(net, 0);
    for (int k = 0; k < KINDS; k++) {
        lw_sim *sim = NULL;
        lw_sim_options options = lw_sim_options_default();
        options.width = 2;
        options.stimulus = &kinds[k];
        options.n_stimuli = 1;
        CHECK_OK(lw_sim_create(net, &options, &sim));
        double x[2 * SIZE], last[2 * SIZE] = {0}, mean[2 * SIZE] = {0}, square[2 * SIZE] = {0};
        double along = 0, lanes = 0, n = 0; /* covariances between steps and between lanes, in units of the variance */
        for (int t = 0; t < STEPS; t++) {
            CHECK_OK(lw_sim_advance(sim, 1, NULL));
            lw_sim_output_get(sim, 0, x);
            for (int64_t i = 0; i < 2 * view.n_local; i++) {
                int64_t neuron = view.gid[i / 2];
                bool poisson = kinds[k].kind == LW_STIMULUS_POISSON;
                double amplitude = lw_dist_value(&kinds[k].amplitude, neuron, 0, LW_PURPOSE_CHECK, 0, 0);
                double expected = poisson ? amplitude * 0.1 * kinds[k].weight : amplitude;
                double sd = poisson ? sqrt(amplitude * 0.1) * kinds[k].weight : kinds[k].sd;
                double z = (x[i] - expected) / sd;
                mean[i] += z / STEPS;
                square[i] += z * z / STEPS;
                if (t > 0) along += z * last[i];
                if (i % 2) lanes += z * last[i - 1];
                last[i] = z;
                n++;
            }
        }
        double sums[5] = {along, lanes * 2, n, 0, 0};
        for (int64_t i = 0; i < 2 * view.n_local; i++) {
            CHECK_CLOSE(mean[i], 0, 5 / sqrt(STEPS));
            CHECK_CLOSE(square[i], 1, 20 / sqrt(STEPS));
            sums[3] += mean[i];
            sums[4] += square[i] - 1;
        }
        lw_comm_sum_f64(world_kept(), sums, 5);
        CHECK_INT(sums[2], 2 * SIZE * STEPS);
        CHECK_CLOSE(sums[0] / sums[2], 0, 5 / sqrt(sums[2]));
        CHECK_CLOSE(sums[1] / sums[2], 0, 8 / sqrt(sums[2]));
        CHECK_CLOSE(sums[3] / (2 * SIZE), 0, 5 / sqrt(sums[2]));
        CHECK_CLOSE(sums[4] / (2 * SIZE), 0, 12 / sqrt(sums[2]));
        lw_sim_destroy(&sim);
    }
    lw_net_destroy(&net);
}

/* start, stop, several stimuli on one port, feeds: sums in the order given */
TEST(stimuli_and_feeds_come_when_they_should) {
    enum { SIZE = 7, WIDTH = 2 };
    lw_population_spec pop = {.name = "x", .model = &model_relay, .size = SIZE};
    lw_net_spec spec = {.seed = 3, .dt = 0.1, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    int64_t neuron[] = {5, 0, 5, 5}, step[] = {8, 3, 3, 8};
    lw_stimulus_spec stimuli[2] = {
        {.kind = LW_STIMULUS_CURRENT, .amplitude = lw_dist_number(0.5), .start = 2, .stop = 5},
        {.kind = LW_STIMULUS_SPIKES,
            .weight = 4,
            .stop = -1,
            .spike_neuron = neuron,
            .spike_step = step,
            .n_spikes = 4}};
    lw_sim_options options = lw_sim_options_default();
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    float feed[3][SIZE][WIDTH];
    options.width = WIDTH;
    options.stimulus = stimuli;
    options.n_stimuli = 2;
    for (int t = 0; t < 3; t++)
        for (int i = 0; i < SIZE; i++)
            for (int l = 0; l < WIDTH; l++)
                feed[t][i][l] = (float)(100 * (t + 1) + 10 * i + l);
    CHECK_OK(lw_net_create(world_kept(), &spec, &net));
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_FAILS(lw_sim_feed(sim, 0, 0, feed[0][0], 3, SIZE - 1), LW_EUSE, "7 neurons");
    CHECK_FAILS(lw_sim_feed(sim, 0, 1, feed[0][0], 3, SIZE), LW_EUSE, "port 1");
    CHECK_FAILS(lw_sim_record_spikes(sim, 0), LW_EUSE, "width 1");
    lw_pop_view view = lw_net_pop(net, 0);
    for (int t = 0; t < 10; t++) {
        double x[SIZE * WIDTH];
        if (t == 4) CHECK_OK(lw_sim_feed(sim, 0, 0, feed[0][0], 3, SIZE));
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        lw_sim_output_get(sim, 0, x);
        for (int64_t i = 0; i < view.n_local; i++)
            for (int l = 0; l < WIDTH; l++) {
                double expected = t >= 2 && t < 5 ? 0.5 : 0;
                for (int k = 0; k < 4; k++)
                    if (neuron[k] == view.gid[i] && step[k] == t) expected += 4;
                if (t >= 4 && t < 7) expected += (double)feed[t - 4][view.gid[i]][l];
                CHECK_CLOSE(x[i * WIDTH + l], expected, 0);
            }
    }
    lw_sim_destroy(&sim);
    stimuli[1].n_spikes = 1;
    neuron[0] = SIZE;
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "neuron 7");
    CHECK(sim == NULL);
    stimuli[1] = (lw_stimulus_spec){.kind = LW_STIMULUS_POISSON, .amplitude = lw_dist_number(-1), .stop = -1};
    CHECK_FAILS(lw_sim_create(net, &options, &sim), LW_EUSE, "rate of stimulus 1 is -1");
    lw_net_destroy(&net);
}

/* three lanes under the same drive are three plain runs */
TEST(lanes_equal_plain_runs) {
    for (int k = 0; k < 2; k++) {
        brunel b = BRUNEL;
        b.n = 300;
        b.drive = true;
        b.delay_lo = k ? 0.2 : 1.5;
        b.delay_hi = 1.5;
        brunel_mark one = brunel_run(world_kept(), &b, 400, NULL);
        CHECK(one.spikes > 100);
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        b.width = 3;
        CHECK_OK(brunel_net(world_kept(), &b, &net));
        CHECK_OK(brunel_sim(net, &b, &sim));
        CHECK_OK(lw_sim_advance(sim, 400, NULL));
        for (int lane = 0; lane < 3; lane++) {
            brunel_mark lanes = brunel_mark_of(sim, lane);
            CHECK(lanes.state == one.state);
            CHECK_INT(lanes.spikes, 3 * one.spikes);
            CHECK_INT(lanes.events, 3 * one.events);
        }
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
}

/* lists and the fused kernel against rows of values, margins, spikes and fire one after the other, from the middle of a
 * run */
TEST(fused_steps_equal_phases) {
    brunel b = BRUNEL;
    b.n = 400;
    b.delay_lo = 0.3;
    b.delay_hi = 1.1;
    lw_net *net = NULL;
    lw_sim *fused = NULL, *phases = NULL;
    CHECK_OK(brunel_net(world_kept(), &b, &net));
    CHECK_OK(brunel_sim(net, &b, &fused));
    CHECK_OK(brunel_sim(net, &b, &phases));
    CHECK_OK(lw_sim_advance(fused, 350, NULL));
    CHECK_OK(lw_sim_advance(phases, 50, NULL));
    CHECK(!phases->pop[0].rows);
    CHECK_OK(engine_need_rows(phases));
    CHECK(phases->pop[0].rows && phases->history.value);
    CHECK_OK(lw_sim_advance(phases, 37, NULL));
    unsigned mode = engine_fp_begin();
    while (phases->step < 350) {
        for (int p = 0; p < phases->n_pop; p++) {
            engine_input(phases, p, phases->step);
            engine_update(phases, p);
            engine_spike(phases, p);
            engine_fire(phases, p);
            engine_emit(phases, p, phases->step);
        }
        engine_exchange_begin(phases, 0, phases->step, phases->step + 1);
        CHECK_OK(engine_exchange_end(phases, 0));
        phases->step++;
    }
    engine_fp_end(mode);
    brunel_mark expected = brunel_mark_of(fused, 0), found = brunel_mark_of(phases, 0);
    CHECK_MARK(found, expected);
    lw_sim_destroy(&fused);
    lw_sim_destroy(&phases);
    lw_net_destroy(&net);
}

/* A tanh network h = leak h + W1 tanh(h(t-1)) + W3 tanh(h(t-3)), two lanes by their feeds, against the plain matrix
 * form; dense and sparse storage, epochs of one and (without W1) three steps. */
TEST(graded_populations_equal_matrices) {
    enum { SIZE = 24, STEPS = 30, WIDTH = 2, BACK = 4 };
    for (int variant = 0; variant < 4; variant++) {
        bool with_one = variant % 2 == 0;
        lw_dist weight = {.kind = LW_DIST_NORMAL, .p = {0, 0.4}, .lo = -INFINITY, .hi = INFINITY};
        lw_population_spec pop = {.name = "r", .model = &model_rate, .size = SIZE};
        lw_projection_spec proj[2] = {{.name = "three",
                                          .rule = LW_RULE_PAIRWISE_BERNOULLI,
                                          .p = 0.3,
                                          .autapses = true,
                                          .weight = weight,
                                          .delay = lw_dist_number(0.3)},
            {.name = "one",
                .rule = LW_RULE_ALL_TO_ALL,
                .autapses = true,
                .weight = weight,
                .delay = lw_dist_number(0.1)}};
        lw_net_spec spec = {.seed = 9,
            .dt = 0.1,
            .n_pop = 1,
            .n_proj = with_one ? 2 : 1,
            .pop = &pop,
            .proj = proj,
            .partition = variant / 2 ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK,
            .weight_type = LW_F64};
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        lw_sim_options options = lw_sim_options_default();
        options.width = WIDTH;
        CHECK_OK(lw_net_create(world_kept(), &spec, &net));
        CHECK_OK(lw_sim_create(net, &options, &sim));
        CHECK_INT(sim->epoch, with_one ? 1 : 3);
        double w[2][SIZE][SIZE] = {{{0}}};
        for (int k = 0; k < spec.n_proj; k++) {
            lw_edge *edges = NULL;
            int64_t n = 0;
            CHECK_OK(lw_net_edges(net, k, &edges, NULL, &n));
            for (int64_t e = 0; e < n; e++)
                w[k][edges[e].target][edges[e].source] += edges[e].weight;
            lw_free(edges);
        }
        lw_comm_sum_f64(world_kept(), w[0][0], 2 * SIZE * SIZE);
        float feed[SIZE][WIDTH];
        for (int i = 0; i < SIZE; i++)
            for (int l = 0; l < WIDTH; l++)
                feed[i][l] = (float)lw_rng_normal(4, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)l, 0);
        CHECK_OK(lw_sim_feed(sim, 0, 0, feed[0], 1, SIZE));
        double h[SIZE][WIDTH] = {{0}}, out[BACK][SIZE][WIDTH] = {{{0}}}; /* out[b]: b steps ago */
        for (int t = 0; t < STEPS; t++) {
            for (int i = 0; i < SIZE; i++)
                for (int l = 0; l < WIDTH; l++) {
                    double x = 0;
                    for (int j = 0; j < SIZE; j++)
                        x += w[0][i][j] * out[2][j][l] + w[1][i][j] * out[0][j][l];
                    h[i][l] = 0.9 * h[i][l] + x + (t == 0 ? (double)feed[i][l] : 0);
                }
            memmove(out[1], out[0], sizeof out - sizeof out[0]);
            for (int i = 0; i < SIZE; i++)
                for (int l = 0; l < WIDTH; l++)
                    out[0][i][l] = tanh(h[i][l]);
        }
        /* in pieces, so that epochs are cut */
        CHECK_OK(lw_sim_advance(sim, 11, NULL));
        CHECK_OK(lw_sim_advance(sim, STEPS - 11, NULL));
        double found[SIZE * WIDTH], emitted[SIZE * WIDTH];
        lw_pop_view view = lw_net_pop(net, 0);
        lw_sim_state_get(sim, 0, 0, found);
        for (int32_t back = 1; back <= lw_net_delay_max(net); back++) {
            lw_sim_history_get(sim, 0, back, emitted);
            for (int64_t i = 0; i < view.n_local * WIDTH; i++)
                CHECK_CLOSE(emitted[i], out[back - 1][view.gid[i / WIDTH]][i % WIDTH], 1e-11);
        }
        for (int64_t i = 0; i < view.n_local * WIDTH; i++)
            CHECK_CLOSE(found[i], h[view.gid[i / WIDTH]][i % WIDTH], 1e-11);
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
}

/* Fewer steps than it takes rounding to move a spike: states of float and double stay together. */
TEST(float_is_close_to_double) {
    brunel b = BRUNEL;
    b.n = 300;
    b.drive = true;
    lw_net *net = NULL;
    lw_sim *sim[2] = {NULL, NULL};
    CHECK_OK(brunel_net(world_kept(), &b, &net));
    for (int k = 0; k < 2; k++) {
        b.precision = k ? LW_F64 : LW_F32;
        CHECK_OK(brunel_sim(net, &b, &sim[k]));
        CHECK_OK(lw_sim_advance(sim[k], 20, NULL));
    }
    double x[2][300];
    for (int p = 0; p < 2; p++) {
        for (int k = 0; k < 2; k++)
            lw_sim_state_get(sim[k], p, 0, x[k]);
        for (int64_t i = 0; i < lw_net_pop(net, p).n_local; i++)
            CHECK_CLOSE(x[0][i], x[1][i], 2e-4);
    }
    lw_sim_destroy(&sim[0]);
    lw_sim_destroy(&sim[1]);
    lw_net_destroy(&net);
}

/* Smooth spikes near S(u) of a margin that can be computed by hand; surrogates and their primitives agree. */
TEST(surrogates_have_their_primitives) {
    for (int kind = LW_SURROGATE_SUPERSPIKE; kind <= LW_SURROGATE_GAUSSIAN; kind++) {
        lw_surrogate s = {.kind = (lw_surrogate_kind)kind, .slope = 3, .scale = 1.5};
        lw_surrogate_kind parsed;
        CHECK_OK(lw_surrogate_parse(lw_surrogate_name(s.kind), &parsed));
        CHECK_INT(parsed, kind);
        CHECK_CLOSE(lw_surrogate_smooth(&s, 0), 0.5, 0);
        for (double u = -1.23; u < 1.3; u += 0.1) {
            const double h = 1e-5;
            double difference = (lw_surrogate_smooth(&s, u + h) - lw_surrogate_smooth(&s, u - h)) / (2 * h);
            CHECK_CLOSE(difference, lw_surrogate_slope(&s, u), 1e-6);
            CHECK_CLOSE(lw_surrogate_slope(&s, u), lw_surrogate_slope(&s, -u), 1e-15);
        }
    }
    lw_surrogate_kind kind;
    CHECK_FAILS(lw_surrogate_parse("step", &kind), LW_EUSE, "superspike, sigmoid");
}

TEST(smooth_engine_emits_the_primitive) {
    lw_population_spec pop = {.name = "one", .model = &model_lif, .size = 5};
    lw_net_spec spec = {.seed = 1, .dt = 0.1, .n_pop = 1, .pop = &pop, .weight_type = LW_F64};
    lw_stimulus_spec kick = {
        .kind = LW_STIMULUS_CURRENT, .port = LIF_KICK, .amplitude = lw_dist_number(19.7), .stop = -1};
    for (int precision = LW_F32; precision <= LW_F64; precision++) {
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        lw_sim_options options = lw_sim_options_default();
        options.precision = (lw_dtype)precision;
        options.smooth = true;
        options.surrogate.kind = LW_SURROGATE_SIGMOID;
        options.stimulus = &kick;
        options.n_stimuli = 1;
        CHECK_OK(lw_net_create(world_kept(), &spec, &net));
        CHECK_OK(lw_sim_create(net, &options, &sim));
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        double out[5], v[5], s = lw_surrogate_smooth(&options.surrogate, 19.7 - 20);
        lw_sim_output_get(sim, 0, out);
        lw_sim_state_get(sim, 0, 0, v);
        for (int64_t i = 0; i < lw_net_pop(net, 0).n_local; i++) {
            CHECK_CLOSE(out[i], s, precision == LW_F64 ? 1e-12 : 1e-6);
            CHECK_CLOSE(v[i], (1 - s) * 19.7 + s * 10, precision == LW_F64 ? 1e-12 : 1e-4);
        }
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
}

typedef struct ticks {
    int n;
    int64_t last, total;
    int stop_at;
} ticks;
static lw_err tick(void *payload, const char *what, int64_t done, int64_t total) {
    ticks *t = payload;
    CHECK_STR(what, "simulate");
    CHECK(done > t->last);
    t->last = done;
    t->total = total;
    return ++t->n == t->stop_at ? LW_FAIL(LW_ESTOP, "stopped by the test") : LW_OK;
}

TEST(the_watch_sees_progress_and_can_stop) {
    brunel b = BRUNEL;
    b.n = 50;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(brunel_net(world_kept(), &b, &net));
    CHECK_OK(brunel_sim(net, &b, &sim));
    ticks t = {0};
    lw_watch watch = {.payload = &t, .tick = tick};
    CHECK_OK(lw_sim_advance(sim, 1000, &watch));
    CHECK(t.n >= 8 && t.n <= 11);
    CHECK_INT(t.last, 1000);
    CHECK_INT(t.total, 1000);
    t = (ticks){.stop_at = 2};
    CHECK_FAILS(lw_sim_advance(sim, 1000, &watch), LW_ESTOP, "stopped by the test");
    CHECK_INT(lw_sim_step(sim), 1000 + t.last);
    CHECK_INT(t.n, 2);
    CHECK(lw_sim_bytes(sim) > 0);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

/* The wider the engine and the longer its epoch, the fewer lanes a tag can hold; what it says is the same. */
TEST(tags_name_steps_and_lanes) {
    static const int64_t cases[][3] = {{1, 1000000, 1}, {2, 1, 16}, {64, 10, 16}, {70, 1, 16}, {300, 5000, 8},
        {4096, 100000, 4}, {16777215, 128, 2}, {3, 600000000, 1}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int64_t width = cases[k][0], epoch = cases[k][1];
        engine_tag tag = engine_tag_plan(width, epoch);
        CHECK_INT(tag.lanes, cases[k][2]);
        for (int64_t step = 0; step<epoch; step += epoch> 1 ? epoch - 1 : 1)
            for (int64_t lane = 0; lane < width; lane += tag.lanes * (1 + width / 50)) {
                uint32_t which = width == 1 ? 1 : 1 + (uint32_t)(lane * 7) % (((uint32_t)1 << tag.lanes) - 1);
                uint32_t made = engine_tag_make(&tag, (uint32_t)step, (uint32_t)lane, which);
                CHECK_INT(engine_tag_step(&tag, made), step);
                CHECK_INT(engine_tag_lane(&tag, made), lane);
                CHECK_INT(engine_tag_which(&tag, made), which);
            }
    }
}

CHECK_MAIN(CASE(tags_name_steps_and_lanes), CASE(a_delay_is_felt_exactly_then),
    CASE(delay_zero_is_felt_in_the_same_step), CASE(a_neuron_follows_the_exact_solution),
    CASE(random_stimuli_have_their_moments), CASE(stimuli_and_feeds_come_when_they_should),
    CASE(lanes_equal_plain_runs), CASE(fused_steps_equal_phases), CASE(graded_populations_equal_matrices),
    CASE(float_is_close_to_double), CASE(surrogates_have_their_primitives), CASE(smooth_engine_emits_the_primitive),
    CASE(the_watch_sees_progress_and_can_stop))
