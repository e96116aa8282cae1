/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A spiking network gives the same spikes, counts and state bits on any number of ranks and for any partition, for
 * equal and for mixed delays; a run cut in the middle and continued on other ranks gives the bits of the uninterrupted
 * one.
 */
#include "brunel.h"
#include "world.h"

static const lw_partition PARTITIONS[] = {LW_PARTITION_BLOCK, LW_PARTITION_ROUND_ROBIN, LW_PARTITION_SCOTCH};

static void ranks_agree(brunel b, int64_t steps, int n_partitions) {
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    brunel_mark expected = brunel_run(self, &b, steps, NULL);
    /* an active, irregular network, not a silent or a saturated one */
    double rate = (double)expected.spikes / (double)(b.n * b.width) / ((double)steps * 1e-4);
    CHECK(rate > 5 && rate < 150);
    for (int k = 0; k < n_partitions; k++) {
        lw_sim_stats stats = {0};
        b.partition = PARTITIONS[k];
        brunel_mark found = brunel_run(world_kept(), &b, steps, &stats);
        CHECK_MARK(found, expected);
        CHECK(lw_comm_size(world_kept()) > 1 ? stats.messages_sent > 0 && stats.bytes_sent > 0 : stats.bytes_sent == 0);
        CHECK_INT(stats.steps, steps);
    }
    lw_comm_destroy(&self);
}

TEST(equal_delays_give_equal_bits_on_all_ranks) {
    ranks_agree(BRUNEL, 1000, 3);
}

TEST(mixed_delays_give_equal_bits_on_all_ranks) {
    brunel b = BRUNEL;
    b.delay_lo = 0.1;
    b.delay_hi = 2;
    ranks_agree(b, 500, 3);
}

/* epochs of 5 steps with longer delays beside them: deliveries before and after the wait */
TEST(long_delays_overlap_the_exchange) {
    brunel b = BRUNEL;
    b.n = 500;
    b.delay_lo = 0.5;
    b.delay_hi = 3;
    b.weight_type = LW_F32;
    ranks_agree(b, 700, 2);
}

TEST(float_engine_agrees_with_itself) {
    brunel b = BRUNEL;
    b.n = 600;
    b.precision = LW_F32;
    b.weight_type = LW_F32;
    b.delay_lo = 0.2;
    b.delay_hi = 1;
    ranks_agree(b, 500, 2);
}

TEST(lanes_agree_on_all_ranks) {
    brunel b = BRUNEL;
    b.n = 400;
    b.width = 3;
    b.delay_lo = 0.2;
    b.delay_hi = 1;
    ranks_agree(b, 400, 2);
}

/* the sum of many advances is one advance, whatever the epochs */
TEST(advances_add_up) {
    brunel b = BRUNEL;
    b.n = 500;
    lw_net *net = NULL;
    lw_sim *one = NULL, *many = NULL;
    CHECK_OK(brunel_net(world_kept(), &b, &net));
    CHECK_OK(brunel_sim(net, &b, &one));
    CHECK_OK(brunel_sim(net, &b, &many));
    CHECK_OK(lw_sim_advance(one, 300, NULL));
    for (int64_t n = 1; lw_sim_step(many) < 300; n = n * 2 % 37)
        CHECK_OK(lw_sim_advance(many, n < 300 - lw_sim_step(many) ? n : 300 - lw_sim_step(many), NULL));
    brunel_mark expected = brunel_mark_of(one, 0), found = brunel_mark_of(many, 0);
    CHECK_MARK(found, expected);
    /* after a reset all begins anew */
    lw_sim_reset(many);
    CHECK_OK(lw_sim_advance(many, 300, NULL));
    found = brunel_mark_of(many, 0);
    CHECK_MARK(found, expected);
    lw_sim_destroy(&one);
    lw_sim_destroy(&many);
    lw_net_destroy(&net);
}

/* Renumbering the steps moves nothing that is under way. */
TEST(another_step_number_changes_nothing) {
    brunel b = BRUNEL;
    b.n = 300;
    b.drive = true;
    b.delay_lo = 0.4;
    b.delay_hi = 1.7;
    brunel_mark expected = brunel_run(world_kept(), &b, 300, NULL);
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(brunel_net(world_kept(), &b, &net));
    CHECK_OK(brunel_sim(net, &b, &sim));
    CHECK_OK(lw_sim_advance(sim, 147, NULL));
    lw_sim_step_set(sim, 100000);
    CHECK_OK(lw_sim_advance(sim, 153, NULL));
    brunel_mark found = brunel_mark_of(sim, 0);
    CHECK_INT(lw_sim_step(sim), 100153);
    CHECK(found.state == expected.state);
    CHECK(found.counts == expected.counts);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
}

/* Whole-network copies of everything a checkpoint holds, by gid. */
typedef struct saved {
    int64_t step, n;
    int32_t backs;
    double *v, *left, *emitted; /* [n], [n], [backs][n] */
} saved;

/* **Collective**; the same arrays on all ranks. */
static saved save(lw_sim *sim) {
    lw_net *net = lw_sim_net(sim);
    saved s = {.step = lw_sim_step(sim), .n = lw_net_n_global(net), .backs = lw_net_delay_max(net)};
    s.v = calloc((size_t)(s.n * (2 + s.backs)), sizeof *s.v);
    s.left = s.v + s.n;
    s.emitted = s.left + s.n;
    double *x = calloc((size_t)s.n, sizeof *x);
    int32_t *left = calloc((size_t)s.n, sizeof *left);
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view view = lw_net_pop(net, p);
        lw_sim_state_get(sim, p, 0, x);
        lw_sim_refractory_get(sim, p, left);
        for (int64_t i = 0; i < view.n_local; i++) {
            s.v[view.gid[i]] = x[i];
            s.left[view.gid[i]] = left[i];
        }
        for (int32_t back = 1; back <= s.backs; back++) {
            lw_sim_history_get(sim, p, back, x);
            for (int64_t i = 0; i < view.n_local; i++)
                s.emitted[(back - 1) * s.n + view.gid[i]] = x[i];
        }
    }
    lw_comm_sum_f64(lw_net_comm(net), s.v, s.n * (2 + s.backs));
    free(x);
    free(left);
    return s;
}

static lw_err load(lw_sim *sim, const saved *s) {
    lw_net *net = lw_sim_net(sim);
    double *x = calloc((size_t)s->n, sizeof *x);
    int32_t *left = calloc((size_t)s->n, sizeof *left);
    lw_sim_step_set(sim, s->step);
    for (int p = 0; p < lw_net_n_pop(net); p++) {
        lw_pop_view view = lw_net_pop(net, p);
        for (int64_t i = 0; i < view.n_local; i++) {
            x[i] = s->v[view.gid[i]];
            left[i] = (int32_t)s->left[view.gid[i]];
        }
        lw_sim_state_set(sim, p, 0, x);
        lw_sim_refractory_set(sim, p, left);
        for (int32_t back = 1; back <= s->backs; back++) {
            for (int64_t i = 0; i < view.n_local; i++)
                x[i] = s->emitted[(back - 1) * s->n + view.gid[i]];
            lw_sim_history_set(sim, p, back, x);
        }
    }
    free(x);
    free(left);
    return lw_sim_history_share(sim);
}

/* Run to an odd step, save; continue there, and on the ranks of two halves of the world in another partition. */
static void continues(double delay_lo, double delay_hi) {
    lw_comm *world = world_kept(), *half = NULL;
    brunel b = BRUNEL;
    b.n = 500;
    b.delay_lo = delay_lo;
    b.delay_hi = delay_hi;
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(brunel_net(world, &b, &net));
    CHECK_OK(brunel_sim(net, &b, &sim));
    CHECK_OK(lw_sim_advance(sim, 307, NULL));
    brunel_mark before = brunel_mark_of(sim, 0);
    saved s = save(sim);
    CHECK_OK(lw_sim_advance(sim, 200, NULL));
    brunel_mark expected = brunel_mark_of(sim, 0);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);

    b.partition = LW_PARTITION_ROUND_ROBIN;
    CHECK_OK(lw_comm_split(world, lw_comm_rank(world) % 2, lw_comm_rank(world), &half));
    CHECK_OK(brunel_net(half, &b, &net));
    CHECK_OK(brunel_sim(net, &b, &sim));
    CHECK_OK(lw_sim_advance(sim, 11, NULL)); /* something else in its history, to be replaced */
    CHECK_OK(load(sim, &s));
    double out[500], emitted[500];
    for (int p = 0; p < 2; p++) {
        lw_sim_output_get(sim, p, out);
        lw_sim_history_get(sim, p, 1, emitted);
        for (int64_t i = 0; i < lw_net_pop(net, p).n_local; i++)
            CHECK_CLOSE(out[i], emitted[i], 0);
    }
    lw_sim_stats none = {0};
    lw_sim_stats_set(sim, &none);
    CHECK_OK(lw_sim_advance(sim, 200, NULL));
    brunel_mark found = brunel_mark_of(sim, 0);
    CHECK_INT(found.spikes, expected.spikes - before.spikes);
    CHECK_INT(found.events, expected.events - before.events);
    CHECK((uint64_t)found.checksum == (uint64_t)expected.checksum - (uint64_t)before.checksum);
    CHECK(found.state == expected.state);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_comm_destroy(&half);
    free(s.v);
}

TEST(saved_history_continues_with_the_same_bits) {
    continues(1.5, 1.5);
}
TEST(saved_history_continues_with_mixed_delays) {
    continues(0.3, 2);
}

CHECK_MAIN(CASE(equal_delays_give_equal_bits_on_all_ranks), CASE(mixed_delays_give_equal_bits_on_all_ranks),
    CASE(long_delays_overlap_the_exchange), CASE(float_engine_agrees_with_itself), CASE(lanes_agree_on_all_ranks),
    CASE(advances_add_up), CASE(another_step_number_changes_nothing), CASE(saved_history_continues_with_the_same_bits),
    CASE(saved_history_continues_with_mixed_delays))
