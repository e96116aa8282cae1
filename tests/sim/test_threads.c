/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads change nothing: spikes, counts and state bits of networks stepped by 1, 2, 3 and more threads on any number
 * of ranks are those of one thread on one rank, where threads run through epochs by themselves and where they keep step
 * (traces, synapses outside of bundles, delays of 0), and whatever was recorded is the same.
 */
#include "brunel.h"
#include "world.h"

static void threads_agree(brunel b, int64_t steps) {
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    brunel_mark expected = brunel_run(self, &b, steps, NULL);
    CHECK(expected.spikes > b.n / 4);
    for (b.threads = 1; b.threads <= 3; b.threads++) {
        brunel_mark found = brunel_run(world_kept(), &b, steps, NULL);
        CHECK_MARK(found, expected);
    }
    lw_comm_destroy(&self);
}

TEST(equal_delays) {
    brunel b = BRUNEL;
    threads_agree(b, 700);
    b.precision = b.weight_type = LW_F32;
    threads_agree(b, 300);
}

TEST(mixed_delays) {
    brunel b = BRUNEL;
    b.delay_lo = 0.1;
    b.delay_hi = 2;
    threads_agree(b, 300);
    b.delay_lo = 0.5;
    b.delay_hi = 3;
    b.drive = true;
    threads_agree(b, 400);
}

/* More threads than groups of neurons: fewer shares, the same bits. */
TEST(small_networks) {
    brunel b = BRUNEL;
    b.n = 150; /* three groups of 64 */
    threads_agree(b, 1000);
}

/* Three populations: a source of delay 0 (two levels), a dense projection, a learned one, and bundles. */
static lw_err mixed_net(const lw_comm *comm, int32_t threads, bool levels, lw_net **out) {
    lw_dist param[LIF_PARAMS], init = brunel_uniform(0, 20);
    uint8_t has_init = 1;
    for (int i = 0; i < LIF_PARAMS; i++)
        param[i] = lw_dist_number(lif_params[i].value);
    static const char *const names[] = {"A", "B", "C"};
    static const int64_t sizes[] = {900, 400, 300};
    lw_population_spec pop[3];
    for (int p = 0; p < 3; p++)
        pop[p] = (lw_population_spec){.name = names[p],
            .model = &model_lif,
            .size = sizes[p],
            .param = param,
            .init = &init,
            .has_init = &has_init};
    lw_projection_spec sparse = {.port = LIF_KICK,
        .rule = LW_RULE_FIXED_INDEGREE,
        .n = 30,
        .multapses = true,
        .weight = brunel_uniform(0.2, 0.6),
        .delay = brunel_uniform(0.3, 2)};
    lw_projection_spec proj[6];
    for (int k = 0; k < 6; k++)
        proj[k] = sparse;
    proj[1].post = 1;
    proj[1].delay = lw_dist_number(levels ? 0 : 0.4);
    proj[2].pre = 1;
    proj[2].rule = LW_RULE_ALL_TO_ALL;
    proj[2].weight = brunel_uniform(-0.04, 0);
    proj[2].delay = lw_dist_number(0.5);
    proj[3].post = 2;
    proj[3].learn = true;
    proj[4].pre = 2;
    proj[4].weight = lw_dist_number(-1);
    proj[5].pre = 2;
    proj[5].post = 1;
    lw_net_spec spec = {.seed = 8,
        .dt = 0.1,
        .n_pop = 3,
        .n_proj = 6,
        .pop = pop,
        .proj = proj,
        .weight_type = LW_F32,
        .threads = threads};
    return lw_net_create(comm, &spec, out);
}

static brunel_mark mixed_run(const lw_comm *comm, int32_t threads, bool levels) {
    brunel b = BRUNEL;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    b.threads = threads;
    CHECK_OK(mixed_net(comm, threads, levels, &net));
    CHECK_OK(brunel_sim(net, &b, &sim));
    CHECK_OK(lw_sim_advance(sim, 400, NULL));
    brunel_mark mark = brunel_mark_of(sim, 0);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return mark;
}

TEST(levels_dense_and_learned_projections) {
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int levels = 0; levels < 2; levels++) {
        brunel_mark expected = mixed_run(self, 1, levels);
        CHECK(expected.spikes > 500);
        for (int32_t threads = 1; threads <= 3; threads++) {
            brunel_mark found = mixed_run(world_kept(), threads, levels);
            CHECK_MARK(found, expected);
        }
    }
    lw_comm_destroy(&self);
}

/* Spikes as they come, and a trace: the same numbers from any threads, spikes by (step, gid). */
TEST(records) {
    double sum[3] = {0};
    uint64_t hash[3] = {0};
    for (int32_t threads = 1; threads <= 3; threads++) {
        brunel b = BRUNEL;
        lw_net *net = NULL;
        lw_sim *sim = NULL;
        b.threads = threads;
        CHECK_OK(brunel_net(world_kept(), &b, &net));
        CHECK_OK(brunel_sim(net, &b, &sim));
        for (int p = 0; p < 2; p++)
            CHECK_OK(lw_sim_record_spikes(sim, p));
        for (int part = 0; part < 2; part++) {
            CHECK_OK(lw_sim_advance(sim, 130, NULL));
            const lw_spike *spike = NULL;
            int64_t n = 0;
            lw_sim_spikes_take(sim, &spike, &n);
            for (int64_t i = 0; i < n; i++) {
                hash[threads - 1] = hash[threads - 1] * 31 + (uint64_t)spike[i].step * 65537 + (uint64_t)spike[i].gid;
                if (i > 0)
                    CHECK(spike[i - 1].step < spike[i].step ||
                          (spike[i - 1].step == spike[i].step && spike[i - 1].gid < spike[i].gid));
            }
            if (part == 0) CHECK_OK(lw_sim_record_trace(sim, 0, 0, 3, 70)); /* from now on threads keep step */
        }
        lw_trace_view trace = lw_sim_trace_take(sim, 0);
        CHECK(trace.n_samples == 43 || trace.n_samples == 44);
        for (int64_t i = 0; i < trace.n_samples * trace.n_neurons; i++)
            sum[threads - 1] = sum[threads - 1] * 1.0000001 + trace.sample[i];
        lw_sim_destroy(&sim);
        lw_net_destroy(&net);
    }
    CHECK(hash[1] == hash[0] && hash[2] == hash[0]);
    CHECK(sum[1] == sum[0] && sum[2] == sum[0]);
}

CHECK_MAIN(CASE(equal_delays), CASE(mixed_delays), CASE(small_networks), CASE(levels_dense_and_learned_projections),
    CASE(records))
