/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bundles: that they hold the very synapses which the same projections have when each is stored by itself, in the
 * promised order; which projections make a family; target blocks; taking out; and that building holds little besides.
 */
#include "fixture.h"

enum { N_A = 400, N_B = 300, N_C = 40, N_PROJ = 10 };
static lw_population_spec pops[] = {{.name = "a", .model = &toy, .size = N_A},
    {.name = "b", .model = &toy, .size = N_B}, {.name = "c", .model = &toy, .size = N_C}};

/* Drawn and listed rules, one and several delays, one number and arrays for weights, a second port, a dense block, a
 * second projection between the same populations. */
static void kinds(lw_projection_spec *proj) {
    proj[0] = plain(0, 0, LW_RULE_FIXED_INDEGREE, 30, 0);
    proj[0].autapses = false;
    proj[0].weight = dist(LW_DIST_NORMAL, 2, 1);
    proj[0].delay = dist(LW_DIST_NORMAL, 1.5, 0.7);
    proj[0].delay.lo = 0.05;
    proj[0].delay.redraw = true;
    proj[1] = plain(1, 0, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.1);
    proj[1].delay = dist(LW_DIST_UNIFORM, 0.1, 40);
    proj[2] = plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.05);
    proj[2].weight = dist(LW_DIST_UNIFORM, 0, 1);
    proj[3] = plain(0, 2, LW_RULE_FIXED_INDEGREE, 5, 0); /* few pairs: listed */
    proj[4] = plain(0, 1, LW_RULE_FIXED_TOTAL_NUMBER, 2000, 0);
    proj[5] = plain(0, 0, LW_RULE_FIXED_OUTDEGREE, 7, 0);
    proj[5].port = 1;
    proj[6] = plain(1, 2, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[7] = plain(2, 1, LW_RULE_ALL_TO_ALL, 0, 0);
    proj[7].delay = dist(LW_DIST_UNIFORM, 0.1, 3);
    proj[8] = plain(1, 1, LW_RULE_FIXED_INDEGREE, 11, 0);
    proj[8].weight = dist(LW_DIST_NORMAL, 0, 1);
    proj[8].zero_mean = true;
    proj[9] = plain(0, 1, LW_RULE_PAIRWISE_BERNOULLI, 0, 0.02);
    proj[9].port = 1;
}
static const int family_of[N_PROJ] = {0, 1, 0, 0, 2, 3, -1, 4, 1, 3};

static lw_net *build(const lw_projection_spec *proj, lw_partition partition, lw_dtype type, int threads) {
    lw_net_spec spec = {.seed = 4,
        .dt = 0.1,
        .n_pop = 3,
        .n_proj = N_PROJ,
        .pop = pops,
        .proj = proj,
        .partition = partition,
        .weight_type = type,
        .threads = threads};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    return net;
}

/* Synapses equal those of the network whose projections are learned, which are stored one by one from lists. */
TEST(bundles_hold_what_projections_hold) {
    lw_projection_spec proj[N_PROJ], learned[N_PROJ];
    kinds(proj);
    memcpy(learned, proj, sizeof proj);
    for (int i = 0; i < N_PROJ; i++)
        learned[i].learn = true;
    lw_net *by_itself = build(learned, LW_PARTITION_BLOCK, LW_F64, 1);
    uint64_t expected = net_digest(by_itself);
    CHECK_INT(lw_net_n_bundles(by_itself), 0);
    for (int partition = LW_PARTITION_BLOCK; partition <= LW_PARTITION_SCOTCH; partition++) {
        for (int threads = 0; threads < 4; threads += 3) {
            lw_net *net = build(proj, (lw_partition)partition, LW_F64, threads);
            int64_t n = 0;
            CHECK(net_digest(net) == expected);
            for (int b = 0; b < lw_net_n_bundles(net); b++)
                n += lw_net_bundle(net, b)->n_edges;
            for (int i = 0; i < N_PROJ; i++) {
                CHECK_INT(lw_net_proj(net, i).bundled, family_of[i] >= 0);
                CHECK_INT(lw_net_proj(net, i).n_edges_global, lw_net_proj(by_itself, i).n_edges_global);
                if (family_of[i] >= 0) n -= lw_net_proj(net, i).n_edges;
            }
            CHECK_INT(n, 0);
            CHECK_INT(lw_net_delay_max(net), lw_net_delay_max(by_itself));
            CHECK_INT(lw_net_delay_min(net), lw_net_delay_min(by_itself));
            CHECK_OK(lw_net_unbundle(net));
            CHECK_INT(lw_net_n_bundles(net), 0);
            CHECK(net_digest(net) == expected);
            lw_net_destroy(&net);
        }
    }
    lw_net_destroy(&by_itself);
}

/* Cells tile the synapses, targets ascend in a cell, delays ascend in a row; every synapse of a bundle is found again
 * by walking the runs of its projection. */
static void check_bundle(const lw_net *net, const lw_bundle *b, int64_t *seen, int *tables, int *codes) {
    const int64_t *block = lw_net_block_begin(net);
    uint32_t at = 0, begin, end;
    CHECK_INT(b->n_rows, lw_net_pop(net, b->pre).n_slots);
    CHECK_INT(b->begin[0], 0);
    CHECK_INT(b->begin[b->slice_of ? b->n_rows : b->n_rows * b->n_slices], b->n_edges);
    CHECK_INT(b->weight == NULL, b->weight_one);
    for (int s = 0; s < b->n_slices; s++)
        CHECK(b->delay[s] >= 1 && (s == 0 || b->delay[s] > b->delay[s - 1]));
    for (int64_t c = 0; c < b->n_rows * b->n_slices; c++) {
        lw_bundle_cell(b, c / b->n_slices, (int32_t)(c % b->n_slices), &begin, &end);
        CHECK(begin == at && end >= begin);
        for (int64_t e = begin; e < end; e++) {
            CHECK(e == (int64_t)begin || b->target[e] >= b->target[e - 1]);
            CHECK(block[b->block] + b->target[e] < block[b->block + 1]);
        }
        at = end;
    }
    CHECK_INT(at, b->n_edges);
    *tables += b->n_slices > 1 ? !b->slice_of : 0;
    *codes += b->slice_of != NULL;
    *seen += b->n_edges;
}

TEST(bundles_are_in_order) {
    lw_projection_spec proj[N_PROJ];
    kinds(proj);
    for (int threads = 1; threads < 4; threads++) {
        lw_net *net = build(proj, LW_PARTITION_ROUND_ROBIN, LW_F32, threads);
        int64_t seen = 0, walked = 0;
        int tables = 0, codes = 0; /* both kinds of rows are there */
        CHECK_INT(lw_net_n_blocks(net), threads);
        CHECK_INT(lw_net_block_begin(net)[0], 0);
        CHECK_INT(lw_net_block_begin(net)[threads], lw_net_n_local(net));
        for (int b = 0; b < lw_net_n_bundles(net); b++) {
            const lw_bundle *x = lw_net_bundle(net, b), *before = b > 0 ? lw_net_bundle(net, b - 1) : x;
            CHECK(x->family > before->family || (x->family == before->family && x->block >= before->block));
            check_bundle(net, x, &seen, &tables, &codes);
        }
        for (int i = 0; i < N_PROJ; i++) {
            if (family_of[i] < 0) continue;
            lw_run run;
            int64_t row = -1;
            int32_t delay = 0;
            for (lw_run_walk w = lw_net_runs(net, i, 0, lw_net_pop(net, proj[i].post).n_local);
                 lw_run_next(&w, &run);) {
                if (threads == 1) CHECK(run.row > row || (run.row == row && run.delay > delay));
                row = run.row;
                delay = run.delay;
                walked += run.n;
            }
        }
        CHECK_INT(walked, seen);
        CHECK(tables > 0 && codes > 0);
        lw_net_destroy(&net);
    }
}

TEST(sums_are_in_order_of_families) {
    lw_projection_spec proj[N_PROJ];
    kinds(proj);
    lw_net *net = build(proj, LW_PARTITION_BLOCK, LW_F32, 1);
    const int32_t *order = lw_net_sum_order(net);
    static const int32_t expected[N_PROJ] = {0, 2, 3, 1, 8, 4, 5, 9, 7, 6};
    for (int i = 0; i < N_PROJ; i++)
        CHECK_INT(order[i], expected[i]);
    lw_net_destroy(&net);
}

/* Half the targets, then the other half, of a walk that is cut. */
TEST(runs_can_be_cut) {
    lw_projection_spec proj[N_PROJ];
    kinds(proj);
    lw_net *net = build(proj, LW_PARTITION_BLOCK, LW_F32, 2);
    for (int i = 0; i < N_PROJ; i++) {
        int64_t n_local = lw_net_pop(net, proj[i].post).n_local, half = n_local / 3, n = 0;
        for (int part = 0; part < 2; part++) {
            int64_t first = part ? half : 0, last = part ? n_local : half;
            lw_run run;
            for (lw_run_walk w = lw_net_runs(net, i, first, last); lw_run_next(&w, &run); n += run.n)
                for (int64_t k = 0; k < run.n; k++)
                    CHECK(lw_run_target(&run, k) >= first && lw_run_target(&run, k) < last);
        }
        CHECK_INT(n, lw_net_proj(net, i).n_edges);
    }
    lw_net_destroy(&net);
}

/* 65536 targets at most in a block, also without threads. */
TEST(blocks_are_short) {
    enum { MANY = 150000 };
    lw_population_spec pop = {.name = "many", .model = &toy, .size = MANY};
    lw_projection_spec proj = plain(0, 0, LW_RULE_FIXED_INDEGREE, 3, 0);
    lw_net_spec spec = {.seed = 4, .dt = 0.1, .n_pop = 1, .n_proj = 1, .pop = &pop, .proj = &proj};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(world(), &spec, &net));
    for (int b = 0; b < lw_net_n_blocks(net); b++)
        CHECK(lw_net_block_begin(net)[b + 1] - lw_net_block_begin(net)[b] <= 65536);
    if (lw_comm_size(world()) == 1) CHECK_INT(lw_net_n_blocks(net), 3);
    lw_net_destroy(&net);
}

/* Two bytes per synapse with one weight and delay, seven at most with weights and delays of their own; while building
 * at most 1.3 times what remains. */
TEST(building_holds_little_besides) {
    for (int kind = 0; kind < 2; kind++) {
        lw_population_spec pop = {.name = "p", .model = &toy, .size = 4000};
        lw_projection_spec proj = plain(0, 0, LW_RULE_FIXED_INDEGREE, 1000, 0);
        if (kind) {
            proj.weight = dist(LW_DIST_NORMAL, 1, 0.1);
            proj.delay = dist(LW_DIST_UNIFORM, 0.1, 3);
        }
        lw_net_spec spec = {
            .seed = 4, .dt = 0.1, .n_pop = 1, .n_proj = 1, .pop = &pop, .proj = &proj, .weight_type = LW_F32};
        lw_net *net = NULL;
        int64_t before = lw_mem_now();
        lw_mem_peak_reset();
        CHECK_OK(lw_net_create(world(), &spec, &net));
        double held = (double)(lw_mem_now() - before), peak = (double)(lw_mem_peak() - before);
        double synapses = (double)lw_net_proj(net, 0).n_edges;
        CHECK(held / synapses < (kind ? 7 : 3));
        CHECK(peak / held < 1.3);
        lw_net_destroy(&net);
    }
}

CHECK_MAIN(CASE(bundles_hold_what_projections_hold), CASE(bundles_are_in_order), CASE(sums_are_in_order_of_families),
    CASE(runs_can_be_cut), CASE(blocks_are_short), CASE(building_holds_little_besides))
