/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fixed_total_number: the number is exact, the same synapses come out for any ranks and partition, and targets and
 * sources are spread as independent draws (without multapses: as a random subset of the pairs) would be.
 */
#include "fixture.h"

enum { N_A = 61, N_B = 40, N_RULES = 5 };

static lw_population_spec pops[] = {
    {.name = "a", .model = &toy, .size = N_A}, {.name = "b", .model = &toy, .size = N_B}};

static void every_kind(lw_projection_spec *proj) {
    proj[0] = plain(0, 1, LW_RULE_FIXED_TOTAL_NUMBER, 5000, 0);
    proj[1] = plain(0, 0, LW_RULE_FIXED_TOTAL_NUMBER, 900, 0);
    proj[1].autapses = false;
    proj[2] = plain(1, 0, LW_RULE_FIXED_TOTAL_NUMBER, 700, 0);
    proj[2].multapses = false;
    proj[3] = plain(0, 0, LW_RULE_FIXED_TOTAL_NUMBER, N_A * (N_A - 1) - 5, 0);
    proj[3].autapses = proj[3].multapses = false;
    proj[4] = plain(1, 1, LW_RULE_FIXED_TOTAL_NUMBER, 0, 0);
    for (int i = 0; i < N_RULES; i++)
        proj[i].weight = dist(LW_DIST_NORMAL, 0.5, 2);
}

static lw_net *build(
    const lw_comm *comm, lw_partition partition, uint64_t seed, const lw_projection_spec *proj, int n) {
    return fixture_build(comm, partition, seed, 0.5, pops, 2, proj, n);
}

TEST(same_network_on_any_ranks_and_partition) {
    lw_projection_spec proj[N_RULES];
    every_kind(proj);
    fixture_any_ranks(7, 0.5, pops, 2, proj, N_RULES);
}

TEST(numbers_are_exact) {
    lw_projection_spec proj[N_RULES];
    every_kind(proj);
    lw_net *net = build(world(), LW_PARTITION_BLOCK, 7, proj, N_RULES);
    for (int i = 0; i < N_RULES; i++) {
        int64_t n = 0;
        lw_edge *e = all_edges(net, i, &n);
        CHECK_INT(n, proj[i].n);
        for (int64_t k = 0; k < n; k++) {
            if (!proj[i].autapses) CHECK(e[k].target != e[k].source);
            if (!proj[i].multapses) CHECK_INT(e[k].order, 0);
        }
        lw_free(e);
    }
    lw_net_destroy(&net);
}

/* Over many seeds: chi-square of synapses per target and per source, and the variance of one target's number, which is
 * n f (1 - f) with f = 1 / targets, times (pairs - n) / (pairs - 1) without multapses. */
TEST(ends_are_uniform) {
    enum { SEEDS = 400, NUMBER = 600 };
    for (int multapses = 0; multapses < 2; multapses++) {
        double in[N_B] = {0}, out[N_A] = {0}, square = 0, chi_in = 0, chi_out = 0;
        lw_projection_spec proj = plain(0, 1, LW_RULE_FIXED_TOTAL_NUMBER, NUMBER, 0);
        proj.multapses = multapses;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            lw_net *net = build(world(), LW_PARTITION_ROUND_ROBIN, seed, &proj, 1);
            int64_t n = 0, here[N_B] = {0};
            lw_edge *e = all_edges(net, 0, &n);
            for (int64_t k = 0; k < n; k++) {
                here[e[k].target]++;
                out[e[k].source]++;
            }
            for (int t = 0; t < N_B; t++) {
                in[t] += (double)here[t];
                square += pow((double)here[t] - (double)NUMBER / N_B, 2) / (SEEDS * N_B);
            }
            lw_free(e);
            lw_net_destroy(&net);
        }
        double pairs = N_A * N_B, thin = multapses ? 1 : (pairs - NUMBER) / (pairs - 1);
        double mean_in = (double)NUMBER * SEEDS / N_B, mean_out = (double)NUMBER * SEEDS / N_A;
        for (int t = 0; t < N_B; t++)
            chi_in += pow(in[t] - mean_in, 2) / (mean_in * thin);
        for (int s = 0; s < N_A; s++)
            chi_out += pow(out[s] - mean_out, 2) / (mean_out * thin);
        CHECK_CLOSE(chi_in, N_B - 1, 5 * sqrt(2.0 * N_B));
        CHECK_CLOSE(chi_out, N_A - 1, 5 * sqrt(2.0 * N_A));
        double variance = (double)NUMBER / N_B * (1 - 1.0 / N_B) * thin;
        CHECK_CLOSE(square, variance, 5 * variance * sqrt(2.0 / (SEEDS * (N_B - 1))));
    }
}

CHECK_MAIN(CASE(same_network_on_any_ranks_and_partition), CASE(numbers_are_exact), CASE(ends_are_uniform))
