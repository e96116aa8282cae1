/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Saved on P ranks, loaded on Q, for all P and Q up to the ranks of this run: the same network in all bits, the same
 * state, and a continuation that ends where the uninterrupted run does; and the same file whatever P.
 */
#define N_DEGREE 1200 /* several portions on one rank, one on three */
#include "checkpoint_net.h"
#include "h5.h"

enum { BEFORE = 300, AFTER = 100 };

static lw_checkpoint_content content_of(const test_run *run, int64_t step) {
    static const char *const override[] = {"time.duration=1 s", "seed=77"};
    lw_checkpoint_content c = {.experiment = "name: test\n# \xc3\xa4\n",
        .experiment_name = "test.yaml",
        .override = override,
        .n_overrides = 2,
        .stage = "simulate",
        .stage_index = 3,
        .stage_done = true,
        .step = step,
        .results = "{\"a\": 1}",
        .command = "lapwing simulate test.yaml",
        .net = run->net,
        .sim = run->sim};
    return c;
}

static void info_check(const lw_checkpoint *c, int64_t step) {
    lw_checkpoint_info i = lw_checkpoint_info_get(c);
    CHECK_STR(i.experiment, "name: test\n# \xc3\xa4\n");
    CHECK_STR(i.experiment_name, "test.yaml");
    CHECK_STR(i.stage, "simulate");
    CHECK_STR(i.results, "{\"a\": 1}");
    CHECK_INT(i.n_overrides, 2);
    CHECK_STR(i.override[0], "time.duration=1 s");
    CHECK_STR(i.override[1], "seed=77");
    CHECK_INT(i.stage_index, 3);
    CHECK(i.stage_done && i.has_net && i.has_sim && !i.has_trainer);
    CHECK_INT(i.step, step);
}

/* What the ranks that took part found is compared on rank 0 of the world, which always takes part. */
static void save_on(const lw_comm *world, int ranks, lw_partition partition, lw_dtype weight_type, uint64_t digest[2]) {
    test_run run;
    char dir[32];
    (void)snprintf(dir, sizeof dir, "p%d", ranks);
    if (test_run_here(world, ranks, &run)) {
        test_run_start(&run, partition, weight_type);
        CHECK_OK(lw_sim_advance(run.sim, BEFORE, NULL));
        lw_checkpoint_content c = content_of(&run, BEFORE);
        double seconds = -1;
        CHECK_OK(lw_checkpoint_write(run.grid, scratch_path(dir), &c, 3, &seconds));
        CHECK(seconds > 0);
        digest[0] = test_net_digest(run.net);
        CHECK_OK(lw_sim_advance(run.sim, AFTER, NULL));
        CHECK(lw_sim_stats_get(run.sim).spikes > 0);
        digest[1] = test_sim_digest(run.sim);
        test_run_end(&run);
    }
    lw_comm_barrier(world);
}

static void load_on(const lw_comm *world, int saved, int ranks, lw_partition partition, const uint64_t digest[2]) {
    test_run run;
    char dir[32];
    lw_checkpoint *c = NULL;
    (void)snprintf(dir, sizeof dir, "p%d", saved);
    if (test_run_here(world, ranks, &run)) {
        CHECK_OK(lw_checkpoint_open(run.comm, scratch_path(dir), &c));
        if (c) {
            info_check(c, BEFORE);
            CHECK_OK(lw_checkpoint_net(c, run.comm, partition, 1, &run.net));
            CHECK_INT(lw_net_partition(run.net), partition);
            CHECK_STR(lw_net_pop(run.net, 1).name, "I/2");
            CHECK(test_net_digest(run.net) == digest[0]);
            CHECK_OK(test_sim(run.net, &run.sim));
            CHECK_OK(lw_checkpoint_sim(c, run.sim));
            CHECK_INT(lw_sim_step(run.sim), BEFORE);
            CHECK_INT(lw_sim_stats_get(run.sim).steps, BEFORE);
            CHECK_OK(lw_sim_advance(run.sim, AFTER, NULL));
            CHECK(test_sim_digest(run.sim) == digest[1]);
        }
        lw_checkpoint_close(&c);
        test_run_end(&run);
    }
    lw_comm_barrier(world);
}

TEST(save_on_p_load_on_q) {
    static const lw_partition partition[] = {LW_PARTITION_BLOCK, LW_PARTITION_ROUND_ROBIN};
    lw_comm *world = test_world();
    int size = lw_comm_size(world);
    scratch_make();
    uint64_t digest[5][2] = {{0}};
    for (int p = 1; p <= size; p++)
        save_on(world, p, partition[p % 2], LW_F64, digest[p]);
    for (int p = 1; p <= size; p++) {
        lw_comm_bcast(world, digest[p], sizeof digest[p], 0);
        CHECK(digest[p][0] == digest[1][0] && digest[p][1] == digest[1][1]);
    }
    for (int p = 1; p <= size; p++)
        for (int q = 1; q <= size; q++)
            load_on(world, p, q, partition[(p + q) % 2], digest[p]);
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(single_precision_and_scotch) {
    lw_comm *world = test_world();
    uint64_t digest[2] = {0};
    scratch_make();
    save_on(world, lw_comm_size(world), LW_PARTITION_SCOTCH, LW_F32, digest);
    load_on(world, lw_comm_size(world), lw_comm_size(world), LW_PARTITION_SCOTCH, digest);
    lw_comm_bcast(world, digest, sizeof digest, 0);
    load_on(world, lw_comm_size(world), 1, LW_PARTITION_BLOCK, digest);
    scratch_remove();
    lw_comm_stop(&world);
}

/* Marks are CRCs over all checksums: equal marks, equal arrays. h5diff, where it is, also compares all attributes. */
TEST(the_file_does_not_depend_on_ranks) {
    lw_comm *world = test_world();
    int size = lw_comm_size(world);
    uint64_t digest[2] = {0}, mark[5] = {0};
    char name[64], command[3 * PATH_MAX];
    scratch_make();
    for (int p = 1; p <= size; p++) {
        lw_h5_reader *r = NULL;
        save_on(world, p, p % 2 ? LW_PARTITION_BLOCK : LW_PARTITION_ROUND_ROBIN, LW_F64, digest);
        (void)snprintf(name, sizeof name, "p%d/checkpoint.h5", p);
        CHECK_OK(lw_h5_reader_open(scratch_path(name), &r));
        if (r) CHECK_OK(lw_h5_reader_u64(r, "/", "complete", &mark[p]));
        lw_h5_reader_close(&r);
        CHECK(mark[p] == mark[1]);
        if (p == 1 || check_rank() != 0 || system("command -v h5diff >/dev/null") != 0) continue;
        (void)snprintf(command, sizeof command, "h5diff --exclude-path /provenance %s %s",
            scratch_path("p1/checkpoint.h5"), scratch_path(name));
        CHECK_INT(system(command), 0);
    }
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(what_is_not_there_is_said) {
    lw_comm *world = test_world();
    test_run run;
    lw_checkpoint *c = NULL;
    lw_net *net = NULL;
    scratch_make();
    if (test_run_here(world, lw_comm_size(world), &run)) {
        test_run_start(&run, LW_PARTITION_BLOCK, LW_F64);
        lw_checkpoint_content content = {.step = 5};
        CHECK_OK(lw_checkpoint_write(run.grid, scratch_path("empty"), &content, 1, NULL));
        CHECK_OK(lw_checkpoint_open(world, scratch_path("empty"), &c));
        lw_checkpoint_info info = lw_checkpoint_info_get(c);
        CHECK(!info.has_net && !info.has_sim && !info.has_trainer && info.experiment == NULL && info.n_overrides == 0);
        CHECK_FAILS(lw_checkpoint_net(c, world, LW_PARTITION_BLOCK, 1, &net), LW_EFILE, "holds no network");
        CHECK_FAILS(lw_checkpoint_sim(c, run.sim), LW_EFILE, "holds no state of a simulation");
        CHECK(net == NULL);
        lw_checkpoint_close(&c);
        content.step = -1;
        CHECK_FAILS(lw_checkpoint_write(run.grid, scratch_path("empty"), &content, 1, NULL), LW_EUSE, "step -1");
    }
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("none"), &c), LW_EFILE, "none");
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("."), &c), LW_EFILE, "no checkpoint in this folder");
    CHECK(c == NULL);
    test_run_end(&run);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(save_on_p_load_on_q), CASE(single_precision_and_scotch), CASE(the_file_does_not_depend_on_ranks),
    CASE(what_is_not_there_is_said))
