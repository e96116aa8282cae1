/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Choices of neurons; spikes of chosen neurons and intervals; traces of chosen neurons; spikes counted in bins. Every
 * rank compares with trains that it knows.
 */
#include "trains.h"

TEST(choices_are_their_own_inverse) {
    static const int64_t list[] = {0, 3, 4, 99};
    const lw_choice choices[] = {{0}, {.kind = LW_CHOICE_FIRST, .n = 7}, {.kind = LW_CHOICE_FIRST, .n = 1000},
        {.kind = LW_CHOICE_SPREAD, .n = 1}, {.kind = LW_CHOICE_SPREAD, .n = 33}, {.kind = LW_CHOICE_SPREAD, .n = 100},
        {.kind = LW_CHOICE_SPREAD, .n = 200}, {.kind = LW_CHOICE_LIST, .n = 4, .index = list}};
    const int64_t sizes[] = {100, 7, 100, 1, 33, 100, 100, 4};
    for (int c = 0; c < 8; c++) {
        int64_t found = 0;
        CHECK_INT(lw_choice_size(&choices[c], 100), sizes[c]);
        for (int64_t i = 0; i < 100; i++) {
            int64_t k = lw_choice_place(&choices[c], 100, i);
            if (k < 0) continue;
            CHECK_INT(k, found++);
            CHECK_INT(lw_choice_neuron(&choices[c], 100, k), i);
        }
        CHECK_INT(found, sizes[c]);
    }
}

/* Spikes of A (a list, from step 100 to 4000) and B (a third, all the time) must be those of the trains. */
static void spikes_check(lw_sim *sim, const lw_comm *world, const lw_record_spec *a, const lw_record_spec *b) {
    const lw_spike *spike = NULL;
    int64_t n = 0, expected = 0;
    lw_sim_spikes_take(sim, &spike, &n);
    for (int64_t k = 0; k < n; k++) {
        int64_t i = spike[k].gid < N_A ? spike[k].gid : spike[k].gid - N_R;
        CHECK(train(i, spike[k].step));
        CHECK(i < N_A ? lw_choice_place(&a->who, N_A, i) >= 0 && spike[k].step >= 100 && spike[k].step < 4000
                      : lw_choice_place(&b->who, N_B, i - N_A) >= 0);
        CHECK(k == 0 || spike[k].step > spike[k - 1].step ||
              (spike[k].step == spike[k - 1].step && spike[k].gid > spike[k - 1].gid));
    }
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t i = 0; i < N_ALL; i++)
            expected += train(i, t) && (i < N_A ? lw_choice_place(&a->who, N_A, i) >= 0 && t >= 100 && t < 4000
                                                : lw_choice_place(&b->who, N_B, i - N_A) >= 0);
    lw_comm_sum_i64(world, &n, 1);
    CHECK_INT(n, expected);
}

TEST(chosen_spikes_and_counts) {
    static const int64_t list[] = {2, 8, 9, 35}, wrong[] = {3, 3};
    lw_record_spec a = {.who = {.kind = LW_CHOICE_LIST, .n = 4, .index = list}, .start = 100, .stop = 4000};
    lw_record_spec b = lw_record_spec_default(), bad = lw_record_spec_default();
    lw_comm *world = NULL;
    lw_counts_view counts;
    trains x = {0};
    b.who = (lw_choice){.kind = LW_CHOICE_SPREAD, .n = 8};
    bad.who = (lw_choice){.kind = LW_CHOICE_LIST, .n = 2, .index = wrong};
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    trains_make(world, LW_PARTITION_ROUND_ROBIN, &x);
    CHECK_FAILS(lw_sim_record_spikes_of(x.sim, 0, &bad), LW_EUSE, "ascending list of 0 to 35");
    CHECK_OK(lw_sim_record_spikes(x.sim, 0));
    CHECK_OK(lw_sim_record_spikes_of(x.sim, 0, &a)); /* replaces */
    CHECK_OK(lw_sim_record_spikes_of(x.sim, 2, &b));
    CHECK_OK(lw_sim_advance(x.sim, 17, NULL));
    CHECK_OK(lw_sim_record_counts(x.sim, 40));
    int64_t done = 0;
    for (int64_t t = 17; t < STEPS; t = lw_sim_step(x.sim)) {
        CHECK_OK(lw_sim_advance(x.sim, t + 333 < STEPS ? 333 : STEPS - t, NULL));
        CHECK_OK(lw_sim_counts_take(x.sim, &counts));
        CHECK_INT(counts.first_bin, 1 + done); /* the first whole bin */
        for (int64_t bin = 0; bin < counts.n_bins; bin++) {
            int64_t n[3] = {0};
            for (int64_t s = 40 * (counts.first_bin + bin); s < 40 * (counts.first_bin + bin + 1); s++)
                for (int64_t i = 0; i < N_ALL; i++)
                    n[i < N_A ? 0 : 2] += train(i, s);
            for (int p = 0; p < 3; p++)
                CHECK_INT(counts.count[3 * bin + p], n[p]);
        }
        done += counts.n_bins;
    }
    CHECK_INT(done, STEPS / 40 - 1);
    spikes_check(x.sim, world, &a, &b);
    CHECK_INT(lw_sim_record_bytes(x.sim), 0);
    trains_free(&x);
    lw_comm_stop(&world);
}

/* A trace of chosen neurons is a part of the trace of all. */
TEST(chosen_traces) {
    static const int64_t list[] = {1, 7, 8, 30};
    lw_record_spec some = {.who = {.kind = LW_CHOICE_LIST, .n = 4, .index = list}, .start = 50, .stop = 170};
    lw_comm *world = NULL;
    trains x = {0};
    int64_t seen = 0;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    trains_make(world, LW_PARTITION_BLOCK, &x);
    CHECK_OK(lw_sim_record_trace(x.sim, 0, 0, 1, -1));
    CHECK_OK(lw_sim_record_trace_of(x.sim, 0, 0, 20, &some));
    CHECK_OK(lw_sim_advance(x.sim, 200, NULL));
    lw_trace_view all = lw_sim_trace_take(x.sim, 0), part = lw_sim_trace_take(x.sim, 1);
    CHECK_INT(part.n_samples, 6); /* at 60, 80 .. 160 */
    CHECK_INT(part.first_step, 59);
    for (int64_t k = 0; k < part.n_neurons; k++)
        for (int64_t i = 0; i < all.n_neurons; i++) {
            if (all.gid[i] != part.gid[k]) continue;
            seen++;
            for (int64_t s = 0; s < part.n_samples; s++)
                CHECK_CLOSE(part.sample[s * part.n_neurons + k], all.sample[(59 + 20 * s) * all.n_neurons + i], 0);
        }
    lw_comm_sum_i64(world, &seen, 1);
    CHECK_INT(seen, 4);
    trains_free(&x);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(choices_are_their_own_inverse), CASE(chosen_spikes_and_counts), CASE(chosen_traces))
