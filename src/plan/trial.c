/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A trial: one rank out of P is built and run for real by this process, while the others are played by random spikes at
 * given rates. What it cannot show is the time of messages and of waiting for slower ranks.
 */
#include "plan_private.h"

static void net_look(const lw_net *net, lw_plan_trial *out) {
    lw_net_stats stats = lw_net_stats_get(net);
    out->neurons = lw_net_n_local(net);
    for (int32_t i = 0; i < lw_net_n_proj(net); i++)
        out->synapses += lw_net_proj(net, i).n_edges;
    out->slots = lw_net_slots(net).n;
    out->slots_remote = stats.slots_remote;
    out->bytes_neurons = stats.bytes_neurons;
    out->bytes_synapses = stats.bytes_synapses;
}

/* Ranks that own slots here; slots ascend within a population, so that owners come in stretches. */
static lw_err neighbours_count(const lw_net *net, int ranks, int rank, int *out) {
    lw_slot_view slots = lw_net_slots(net);
    uint8_t *seen = NULL;
    LW_TRY(lw_alloc((size_t)ranks, 1, "neighbours", &seen));
    *out = 0;
    for (int64_t i = 0; i < slots.n; i++) {
        if (slots.owner[i] == rank || seen[slots.owner[i]]) continue;
        seen[slots.owner[i]] = 1;
        ++*out;
    }
    lw_free(seen);
    return LW_OK;
}

static lw_err advance(lw_sim *sim, int64_t steps, const lw_watch *watch, lw_plan_trial *out) {
    double begin = lw_time_now();
    LW_TRY(lw_sim_advance(sim, steps, watch));
    lw_sim_stats s = lw_sim_stats_get(sim);
    out->s_wall = lw_time_now() - begin;
    out->steps = steps;
    out->spikes = s.spikes;
    out->synaptic_events = s.synaptic_events;
    out->s_deliver = s.s_deliver / (double)steps;
    out->s_stimulus = s.s_stimulus / (double)steps;
    out->s_update = s.s_update / (double)steps;
    out->s_exchange = s.s_exchange / (double)steps;
    return LW_OK;
}

lw_err lw_plan_trial_run(const lw_net_spec *spec, const lw_plan_options *options, int rank, int64_t steps,
    const lw_watch *watch, lw_plan_trial *out) {
    lw_comm *part = NULL;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    double *rate = NULL;
    int64_t before = lw_mem_now();
    lw_net_spec own = *spec;
    lw_sim_options how = lw_sim_options_default();
    *out = (lw_plan_trial){.rank = rank, .ranks = options->ranks};
    own.threads = options->threads;
    how.precision = options->precision;
    how.threads = options->threads;
    how.stimulus = options->stimulus;
    how.n_stimuli = options->n_stimuli;
    LW_CHECK(steps >= 1, LW_EUSE, "a trial of %lld steps; allowed: 1 or more", (long long)steps);
    lw_err err = lw_alloc((size_t)spec->n_pop, sizeof *rate, "rates", &rate);
    for (int32_t p = 0; p < spec->n_pop && err == LW_OK; p++)
        rate[p] = options->rate[p] / 1000;
    LW_TRY_TO(err, done);
    LW_TRY_TO(lw_comm_play(rank, options->ranks, &part), done);
    double begin = lw_time_now();
    LW_TRY_TO(lw_net_create(part, &own, &net), done);
    out->s_build = lw_time_now() - begin;
    net_look(net, out);
    LW_TRY_TO(neighbours_count(net, options->ranks, rank, &out->neighbours), done);
    LW_TRY_TO(lw_sim_create(net, &how, &sim), done);
    LW_TRY_TO(lw_sim_absent(sim, rate), done);
    out->bytes_engine = lw_sim_bytes(sim);
    err = advance(sim, steps, watch, out);
    out->bytes_held = lw_mem_now() - before;
done:
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_comm_destroy(&part);
    lw_free(rate);
    return err;
}
