/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Populations that hand a feed on are not computed step by step while a tape records. A stimulus of nothing makes the
 * engine compute them: outputs, states, what is under way, the network behind them and gradients have the same bits,
 * whether the feed lasts or ends on the way, recording after recording, in one piece or in segments.
 */
#include <string.h>
#include <lapwing/sim.h>
#include "world.h"

enum { T = 12, INPUTS = 21, SIZE = 33, WIDTH = 16, DELAY = 3, RECORDINGS = 2, CELLS = INPUTS * WIDTH };

static lw_net *net_make(const lw_comm *comm) {
    lw_dist weight = lw_dist_number(0);
    weight.kind = LW_DIST_NORMAL;
    weight.p[1] = 3;
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = INPUTS},
        {.name = "rec", .model = lw_model_builtin("cuba_lif"), .size = SIZE}};
    lw_projection_spec proj = {
        .rule = LW_RULE_ALL_TO_ALL, .post = 1, .learn = true, .weight = weight, .delay = lw_dist_number(DELAY)};
    lw_net_spec spec = {.seed = 4, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj, .weight_type = LW_F32};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    const int64_t *n = payload;
    float *to = out_adj;
    for (int64_t i = 0; pop == 1 && i < *n * WIDTH; i++)
        to[i] += (float)((i + t) % 5) - 2;
    return pop == 1;
}

typedef struct found {
    float out[RECORDINGS * T][CELLS]; /* of the inputs on this rank */
    double state[RECORDINGS][CELLS], last[RECORDINGS][CELLS], under_way[RECORDINGS][DELAY][CELLS];
    double behind[RECORDINGS][SIZE * WIDTH], grad[RECORDINGS][INPUTS * SIZE];
    int64_t tape_bytes;
} found;

/* fed: steps of the feed; computed: a stimulus of nothing acts on the inputs. */
static void run(
    lw_net *net, const lw_theta *theta, bool spikes, int64_t fed, int64_t segment, bool computed, found *f) {
    static float x[RECORDINGS * T][CELLS];
    lw_stimulus_spec nothing = {.kind = LW_STIMULUS_CURRENT, .stop = -1};
    lw_sim_options options = lw_sim_options_default();
    lw_sim *sim = NULL;
    lw_tape *tape = NULL;
    int64_t n = lw_net_pop(net, 1).n_local, n_in = lw_net_pop(net, 0).n_local;
    lw_tape_seed s = {.payload = &n, .seed = seed};
    for (int64_t t = 0; t < RECORDINGS * T; t++)
        for (int64_t i = 0; i < CELLS; i++) {
            double u = lw_rng_uniform(5, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)i, 0);
            x[t][i] = u > 0.3 ? 0 : spikes ? 1 : (float)u;
        }
    memset(f, 0, sizeof *f);
    options.precision = LW_F32;
    options.width = WIDTH;
    options.stimulus = &nothing;
    options.n_stimuli = computed;
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_tape_create_segments(sim, T, segment, NULL, theta, &tape));
    CHECK_OK(lw_sim_feed(sim, 0, 0, x[0], fed, INPUTS));
    for (int r = 0; r < RECORDINGS; r++) {
        CHECK_OK(lw_tape_forward(tape, T));
        for (int64_t t = 0; t < T; t++)
            memcpy(f->out[r * T + t], lw_tape_output(tape, 0, t), (size_t)(n_in * WIDTH) * sizeof(float));
        lw_sim_state_get(sim, 0, 0, f->state[r]);
        lw_sim_output_get(sim, 0, f->last[r]);
        for (int back = 1; back <= DELAY; back++)
            lw_sim_history_get(sim, 0, back, f->under_way[r][back - 1]);
        lw_sim_state_get(sim, 1, 0, f->behind[r]);
        for (int64_t t = 0; lw_comm_size(lw_net_comm(net)) == 1 && t < T; t++) /* all inputs, in their order */
            for (int64_t i = 0; i < CELLS; i++)
                CHECK(f->out[r * T + t][i] == (r * T + t < fed ? x[r * T + t][i] : 0));
        if (segment >= T || r == RECORDINGS - 1) /* afterwards the engine stands where the first segment ends */
            CHECK_OK(lw_tape_backward(tape, &s, f->grad[r], NULL));
    }
    f->tape_bytes = lw_tape_held(tape);
    lw_tape_destroy(&tape);
    lw_sim_destroy(&sim);
}

TEST(inputs_that_are_handed_on_need_not_be_computed) {
    static found plain, mirror;
    lw_comm *world = world_start();
    lw_theta *theta = NULL;
    lw_net *net = net_make(world);
    CHECK_OK(lw_theta_create(net, &theta));
    for (int spikes = 0; spikes < 2; spikes++)
        for (int64_t fed = 0; fed <= RECORDINGS * T; fed += T / 2)
            for (int64_t segment = 5; segment <= T; segment += 7) {
                run(net, theta, spikes, fed, segment, true, &plain);
                run(net, theta, spikes, fed, segment, false, &mirror);
                CHECK(memcmp(&plain, &mirror, offsetof(found, tape_bytes)) == 0);
                if (fed == RECORDINGS * T && lw_comm_size(world) == 1) /* the feed is not kept a second time */
                    CHECK(mirror.tape_bytes <= plain.tape_bytes - segment * CELLS * (int64_t)sizeof(float));
            }
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(inputs_that_are_handed_on_need_not_be_computed))
