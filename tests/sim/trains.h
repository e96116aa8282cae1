/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Neurons that spike exactly when told: unconnected lif neurons kicked over the threshold. The trains are a function
 * of (neuron, step) that every rank can evaluate, so what is recorded or counted can be compared with all of them.
 */
#ifndef LAPWING_TEST_SIM_TRAINS_H
#define LAPWING_TEST_SIM_TRAINS_H

#include "check.h"
#include "models.h"
#include <lapwing/sim.h>

enum { N_A = 36, N_B = 24, N_R = 3, N_ALL = N_A + N_B, STEPS = 6000, PERIOD = 50 };

static bool drawn(int64_t a, int64_t t, double p) {
    return lw_rng_uniform(77, LW_PURPOSE_CHECK, (uint64_t)a, (uint64_t)t, 0) < p;
}

/* A: 6 regular ones, a silent one, one with a single spike, the others irregular (Bernoulli, 0.02 per step). B: events
 * that half of them take part in, and own ones. */
static bool train(int64_t i, int64_t t) {
    if (i < 6) return t % PERIOD == i;
    if (i == 6) return false;
    if (i == 7) return t == 3000;
    if (i < N_A) return drawn(i, t, 0.02);
    return drawn(1000, t, 0.01) ? drawn(2000 + i, t, 0.5) : drawn(i, t, 0.01);
}

typedef struct trains {
    lw_net *net;
    lw_sim *sim;
} trains;

static void trains_make(const lw_comm *world, lw_partition partition, trains *x) {
    lw_dist param[LIF_PARAMS];
    for (int i = 0; i < LIF_PARAMS; i++)
        param[i] = lw_dist_number(i == LIF_REFRACTORY ? 0 : lif_params[i].value);
    lw_population_spec pop[3] = {{.name = "A", .model = &model_lif, .size = N_A, .param = param},
        {.name = "R", .model = &model_relay, .size = N_R},
        {.name = "B", .model = &model_lif, .size = N_B, .param = param}};
    lw_net_spec spec = {.seed = 1, .dt = 0.1, .n_pop = 3, .pop = pop, .partition = partition, .weight_type = LW_F64};
    lw_sim_options options = lw_sim_options_default();
    lw_stimulus_spec kick[2];
    int64_t *neuron[2], *step[2];
    for (int p = 0; p < 2; p++) {
        int64_t first = p ? N_A : 0, last = p ? N_ALL : N_A, n = 0;
        neuron[p] = calloc((size_t)(last - first) * STEPS, sizeof *neuron[p]);
        step[p] = calloc((size_t)(last - first) * STEPS, sizeof *step[p]);
        for (int64_t t = 0; t < STEPS; t++)
            for (int64_t i = first; i < last; i++)
                if (train(i, t)) {
                    neuron[p][n] = i - first;
                    step[p][n++] = t;
                }
        kick[p] = (lw_stimulus_spec){.kind = LW_STIMULUS_SPIKES,
            .pop = 2 * p,
            .port = LIF_KICK,
            .weight = 30,
            .stop = -1,
            .spike_neuron = neuron[p],
            .spike_step = step[p],
            .n_spikes = n};
    }
    options.stimulus = kick;
    options.n_stimuli = 2;
    CHECK_OK(lw_net_create(world, &spec, &x->net));
    CHECK_OK(lw_sim_create(x->net, &options, &x->sim));
    for (int p = 0; p < 2; p++) {
        free(neuron[p]);
        free(step[p]);
    }
}

static void trains_free(trains *x) {
    lw_sim_destroy(&x->sim);
    lw_net_destroy(&x->net);
}

#endif
