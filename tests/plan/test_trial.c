/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A trial of one rank against that rank among real ones: neurons, synapses, slots, neighbours and bytes are the same
 * numbers; spikes that are drawn for absent ranks arrive at their rate, the same in every trial.
 */
#include <lapwing/plan.h>
#include "check.h"

enum { E, I, POPS };

typedef struct setup {
    lw_population_spec pop[POPS];
    lw_projection_spec proj[3];
    lw_net_spec net;
    lw_stimulus_spec drive;
    double rate[POPS];
    lw_plan_options options;
} setup;

static void setup_make(setup *s, lw_partition partition, int ranks) {
    const lw_model *model = lw_model_builtin("lif_delta");
    *s = (setup){.rate = {40, 5}};
    s->pop[E] = (lw_population_spec){.name = "E", .model = model, .size = 803};
    s->pop[I] = (lw_population_spec){.name = "I", .model = model, .size = 200};
    s->proj[0] = (lw_projection_spec){.pre = E,
        .post = E,
        .rule = LW_RULE_FIXED_INDEGREE,
        .n = 4,
        .weight = lw_dist_number(1e-3),
        .delay = lw_dist_number(1.5)};
    s->proj[1] = (lw_projection_spec){.pre = I,
        .post = E,
        .rule = LW_RULE_PAIRWISE_BERNOULLI,
        .p = 0.02,
        .weight = lw_dist_number(1e-3),
        .delay = lw_dist_number(0.8)};
    s->proj[1].weight.kind = LW_DIST_NORMAL;
    s->proj[2] = (lw_projection_spec){.pre = E,
        .post = I,
        .rule = LW_RULE_ALL_TO_ALL,
        .autapses = true,
        .multapses = true,
        .weight = lw_dist_number(1e-3),
        .delay = lw_dist_number(1)};
    s->net = (lw_net_spec){.seed = 3,
        .dt = 0.1,
        .n_pop = POPS,
        .n_proj = 3,
        .pop = s->pop,
        .proj = s->proj,
        .partition = partition,
        .weight_type = LW_F32};
    s->drive = (lw_stimulus_spec){.pop = I, .amplitude = lw_dist_number(5), .weight = 1, .stop = -1};
    s->options =
        (lw_plan_options){.ranks = ranks, .precision = LW_F64, .rate = s->rate, .stimulus = &s->drive, .n_stimuli = 1};
}

TEST(a_trial_is_the_real_rank) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), ranks = lw_comm_size(world);
    for (int robin = 0; robin < 2; robin++) {
        setup s;
        lw_plan_trial trial;
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        lw_sim_options options = lw_sim_options_default();
        setup_make(&s, robin ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK, ranks);
        CHECK_OK(lw_plan_trial_run(&s.net, &s.options, rank, 20, NULL, &trial));
        CHECK_OK(lw_net_create(world, &s.net, &net));
        options.stimulus = &s.drive;
        options.n_stimuli = 1;
        CHECK_OK(lw_sim_create(net, &options, &sim));
        int64_t edges = 0, remote = 0, seen = 0;
        lw_slot_view slots = lw_net_slots(net);
        for (int i = 0; i < lw_net_n_proj(net); i++)
            edges += lw_net_proj(net, i).n_edges;
        for (int64_t i = 0; i < slots.n; i++) {
            remote += slots.owner[i] != rank;
            if (slots.owner[i] != rank) seen |= (int64_t)1 << slots.owner[i];
        }
        lw_net_stats stats = lw_net_stats_get(net);
        CHECK_INT(trial.neurons, lw_net_n_local(net));
        CHECK_INT(trial.synapses, edges);
        CHECK_INT(trial.slots, slots.n);
        CHECK_INT(trial.slots_remote, remote);
        CHECK_INT(trial.neighbours, __builtin_popcountll((uint64_t)seen));
        CHECK_INT(trial.bytes_neurons, stats.bytes_neurons);
        CHECK_INT(trial.bytes_synapses, stats.bytes_synapses);
        CHECK_REL((double)trial.bytes_engine, (double)lw_sim_bytes(sim), 0.1); /* the halo's other side is absent */
        CHECK_INT(trial.steps, 20);
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
    lw_comm_stop(&world);
}

/* Weak synapses and no drive to E: all that is delivered there comes from absent ranks. */
TEST(absent_ranks_fire_at_their_rates) {
    enum { RANKS = 50, STEPS = 4000 };
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    setup s;
    lw_plan plan;
    lw_plan_trial trial, again, silent;
    setup_make(&s, LW_PARTITION_BLOCK, RANKS);
    s.net.n_proj = 1;
    s.options.n_stimuli = 0;
    s.options.rate = s.rate;
    CHECK_OK(lw_plan_trial_run(&s.net, &s.options, 7, STEPS, NULL, &trial));
    CHECK_OK(lw_plan_trial_run(&s.net, &s.options, 7, STEPS, NULL, &again));
    CHECK_OK(lw_plan_make(&s.net, &s.options, &plan));
    CHECK_INT(trial.synaptic_events, again.synaptic_events);
    CHECK_INT(trial.spikes, 0);
    double remote = (double)trial.synapses * (double)trial.slots_remote / (double)trial.slots;
    double expected = remote * 40e-3 * 0.1 * (STEPS - 15); /* what is under way at the end was not delivered */
    CHECK_CLOSE((double)trial.synaptic_events, expected, 6 * sqrt(expected) + 0.03 * expected);
    s.rate[E] = 0;
    CHECK_OK(lw_plan_trial_run(&s.net, &s.options, 7, 100, NULL, &silent));
    CHECK_INT(silent.synaptic_events, 0);
    s.rate[E] = 1e5;
    CHECK_FAILS(lw_plan_trial_run(&s.net, &s.options, 7, 100, NULL, &silent), LW_EUSE, "a rate of 100000 Hz; allowed");
    s.rate[E] = 5;
    s.net.partition = LW_PARTITION_SCOTCH;
    CHECK_FAILS(lw_plan_trial_run(&s.net, &s.options, 7, 100, NULL, &silent), LW_EUSE, "allowed for one rank of many");
    s.net.partition = LW_PARTITION_BLOCK;
    s.proj[0].rule = LW_RULE_FIXED_OUTDEGREE;
    CHECK_FAILS(lw_plan_trial_run(&s.net, &s.options, 7, 100, NULL, &silent), LW_EUSE, "not drawn by their targets");
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

CHECK_MAIN(CASE(a_trial_is_the_real_rank), CASE(absent_ranks_fire_at_their_rates))
