/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Learned delays forward: against a loop over all synapses, in lists and rows of lanes; equal bits on any number of
 * ranks, and after the history was carried over to another engine. Their derivatives are tested with all others
 * (test_tape.c, test_tangent.c).
 */
#include "sweep_net.h"
#include "world.h"

enum { N_A = 7, N_B = 6, STEPS = 30, LAG_MAX = 5 };

static lw_err pair_net(const lw_comm *comm, bool dense, lw_dtype weight_type, lw_partition partition, lw_net **out) {
    lw_population_spec pop[] = {
        {.name = "a", .model = bench_relay(), .size = N_A}, {.name = "b", .model = bench_relay(), .size = N_B}};
    lw_projection_spec proj = {.pre = 0,
        .post = 1,
        .rule = dense ? LW_RULE_ALL_TO_ALL : LW_RULE_FIXED_INDEGREE,
        .n = 9, /* multapses for sure */
        .autapses = true,
        .multapses = true,
        .learn_delay = true,
        .delay_max = LAG_MAX,
        .weight = dist_normal(0, 1),
        .delay = dist_uniform(0.5, 5.5)};
    lw_net_spec spec = {.seed = 9, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj, .partition = partition};
    spec.weight_type = weight_type;
    return lw_net_create(comm, &spec, out);
}

static double fed(int64_t t, int64_t i, int32_t lane) {
    double x = key_normal(3, t * N_A + i, lane);
    return x > 0.3 ? x : 0; /* rows that are not listed */
}

static void against_loop(const lw_comm *world, bool dense, lw_dtype type, int32_t width) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    lw_edge *edge = NULL;
    int64_t n = 0;
    CHECK_OK(pair_net(world, dense, type, LW_PARTITION_ROUND_ROBIN, &net));
    CHECK_INT(lw_net_delay_max(net), LAG_MAX + 1);
    CHECK_INT(lw_net_proj(net, 0).dense, dense);
    lw_sim_options o = lw_sim_options_default();
    o.width = width;
    CHECK_OK(lw_sim_create(net, &o, &sim));
    float *feed = calloc((size_t)(STEPS * N_A * width), sizeof *feed);
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t i = 0; i < N_A; i++)
            for (int32_t l = 0; l < width; l++)
                feed[(t * N_A + i) * width + l] = (float)fed(t, i, l);
    CHECK_OK(lw_sim_feed(sim, 0, 0, feed, STEPS, N_A));
    CHECK_OK(lw_net_edges(net, 0, &edge, NULL, &n));
    lw_pop_view b = lw_net_pop(net, 1);
    double *found = calloc((size_t)(b.n_local * width) + 1, sizeof *found);
    bool whole = true;
    for (int64_t k = 0; k < n; k++) {
        CHECK(edge[k].lag >= 1 && edge[k].lag <= LAG_MAX);
        whole = whole && edge[k].lag == floorf(edge[k].lag);
    }
    CHECK(n == 0 || !whole);
    for (int64_t t = 0; t < STEPS; t++) {
        CHECK_OK(lw_sim_advance(sim, 1, NULL));
        lw_sim_output_get(sim, 1, found);
        for (int64_t j = 0; j < b.n_local; j++)
            for (int32_t l = 0; l < width; l++) {
                double sum = 0, size = 1;
                for (int64_t k = 0; k < n; k++) {
                    int64_t whole_lag = (int64_t)edge[k].lag, s = t - whole_lag;
                    double f = (double)edge[k].lag - (double)whole_lag;
                    if (edge[k].target != b.gid[j] - b.gid_begin) continue;
                    if (s >= 0) sum += edge[k].weight * (1 - f) * (double)feed[(s * N_A + edge[k].source) * width + l];
                    if (s >= 1) sum += edge[k].weight * f * (double)feed[((s - 1) * N_A + edge[k].source) * width + l];
                    size += fabs(edge[k].weight);
                }
                CHECK_CLOSE(found[j * width + l], sum, 1e-14 * size);
            }
    }
    free(feed), free(found);
    lw_free(edge);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

TEST(values_arrive_between_steps) {
    lw_comm *world = world_start();
    for (int dense = 0; dense < 2; dense++)
        for (int32_t width = 1; width < 4; width += 2) {
            against_loop(world, dense, LW_F64, width);
            against_loop(world, dense, LW_F32, width);
        }
    lw_comm_stop(&world);
}

/* Hard spikes in lists and in rows, states in all bits. */
TEST(equal_bits_on_any_ranks) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, lw_model_builtin("cuba_lif"));
    for (int32_t width = 1; width < 4; width += 2) {
        lw_sim_options o = bench_options(&drive, width);
        bench part = bench_create(world, BENCH_LAG, &drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
        bench whole = bench_create(self, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, 0);
        CHECK_OK(lw_sim_advance(part.sim, 80, NULL));
        CHECK_OK(lw_sim_advance(whole.sim, 80, NULL));
        CHECK(lw_sim_stats_get(whole.sim).spikes > 20);
        for (int p = 0; p < N_MAX_POP; p++) {
            lw_pop_view here = lw_net_pop(part.net, p), all = lw_net_pop(whole.net, p);
            for (int s = 0; s < here.model->n_state; s++) {
                double x[N_HID * 4], y[N_HID * 4];
                lw_sim_state_get(part.sim, p, s, x);
                lw_sim_state_get(whole.sim, p, s, y);
                for (int64_t j = 0; j < here.n_local; j++)
                    CHECK(memcmp(&x[j * width], &y[(here.gid[j] - all.gid_begin) * width], (size_t)width * sizeof *x) ==
                          0);
            }
        }
        bench_destroy(&part), bench_destroy(&whole);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* What a checkpoint does: state and history into a fresh engine, which then goes on as the first would. */
TEST(history_is_enough) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    bench_drive drive = bench_drive_of(self, lw_model_builtin("cuba_lif"));
    lw_sim_options o = bench_options(&drive, 1);
    bench first = bench_create(world, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, 0);
    bench then = bench_create(world, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, 0);
    CHECK_OK(lw_sim_advance(first.sim, 40, NULL));
    lw_sim_step_set(then.sim, 40);
    double x[N_HID + 1], y[N_HID + 1];
    for (int p = 0; p < N_MAX_POP; p++) {
        int32_t refractory[N_HID + 1];
        for (int s = 0; s < lw_net_pop(first.net, p).model->n_state; s++) {
            lw_sim_state_get(first.sim, p, s, x);
            lw_sim_state_set(then.sim, p, s, x);
        }
        lw_sim_refractory_get(first.sim, p, refractory);
        lw_sim_refractory_set(then.sim, p, refractory);
        for (int32_t back = 1; back <= lw_net_delay_max(first.net); back++) {
            lw_sim_history_get(first.sim, p, back, x);
            lw_sim_history_set(then.sim, p, back, x);
        }
    }
    CHECK_OK(lw_sim_history_share(then.sim));
    CHECK_OK(lw_sim_feed(first.sim, 0, 0, first.feed, N_FEED, N_IN)); /* from the present step on */
    CHECK_OK(lw_sim_feed(then.sim, 0, 0, then.feed, N_FEED, N_IN));
    CHECK_OK(lw_sim_advance(first.sim, 30, NULL));
    CHECK_OK(lw_sim_advance(then.sim, 30, NULL));
    for (int p = 0; p < N_MAX_POP; p++)
        for (int s = 0; s < lw_net_pop(first.net, p).model->n_state; s++) {
            lw_sim_state_get(first.sim, p, s, x);
            lw_sim_state_get(then.sim, p, s, y);
            CHECK(memcmp(x, y, (size_t)lw_net_pop(first.net, p).n_local * sizeof *x) == 0);
        }
    bench_destroy(&first), bench_destroy(&then);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

TEST(delays_stay_in_their_range) {
    lw_comm *world = world_start();
    lw_net *net = NULL;
    lw_theta *theta = NULL;
    CHECK_OK(pair_net(world, false, LW_F32, LW_PARTITION_BLOCK, &net));
    CHECK_OK(lw_theta_create(net, &theta));
    CHECK_INT(theta->n_blocks, 1);
    CHECK(theta->block[0].is_delay && !theta->block[0].is_weight);
    CHECK_INT(theta->n_global, N_B * 9);
    double *x = calloc((size_t)theta->n_local + 1, sizeof *x);
    for (int64_t i = 0; i < theta->n_local; i++)
        x[i] = i % 3 == 0 ? 0.25 : i % 3 == 1 ? 7.5 : 2.25;
    lw_theta_put(theta, net, x);
    for (int64_t i = 0; i < theta->n_local; i++) {
        CHECK(x[i] == (i % 3 == 0 ? 1 : i % 3 == 1 ? LAG_MAX : 2.25));
        CHECK(lw_net_proj(net, 0).lag[i] == (float)x[i]);
    }
    /* and go along when neurons leave */
    lw_net *less = NULL;
    uint8_t *keep = calloc((size_t)lw_net_n_local(net) + 1, 1);
    for (int64_t i = 0; i < lw_net_n_local(net); i++)
        keep[i] = lw_net_gid(net, i) % 2 == 0;
    CHECK_OK(lw_net_compact(net, keep, NULL, &less));
    CHECK_INT(lw_net_proj(less, 0).lag_max, LAG_MAX);
    lw_edge *old = NULL, *now = NULL;
    int64_t n_old = 0, n_now = 0, k = 0;
    CHECK_OK(lw_net_edges(net, 0, &old, NULL, &n_old));
    CHECK_OK(lw_net_edges(less, 0, &now, NULL, &n_now));
    if (lw_comm_size(world) == 1) {
        for (int64_t i = 0; i < n_old; i++)
            if (old[i].source % 2 == 0 && (N_A + old[i].target) % 2 == 0) {
                CHECK(now[k].lag == old[i].lag);
                k++;
            }
        CHECK_INT(k, n_now);
        CHECK(k > 0);
    }
    lw_free(old), lw_free(now);
    free(keep), free(x);
    lw_net_destroy(&less);
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

TEST(every_model_runs_with_learned_delays) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; bench_model_at(m); m++) {
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        lw_sim_options o = bench_options(&drive, 2);
        bench b = bench_create(world, BENCH_LAG, &drive, &o, LW_PARTITION_BLOCK, 0);
        CHECK_OK(lw_sim_advance(b.sim, 10, NULL));
        CHECK(lw_sim_stats_get(b.sim).synaptic_events > 0 || lw_comm_size(world) > 1);
        bench_destroy(&b);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(values_arrive_between_steps), CASE(equal_bits_on_any_ranks), CASE(history_is_enough),
    CASE(delays_stay_in_their_range), CASE(every_model_runs_with_learned_delays))
