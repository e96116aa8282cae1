/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checkpoints where the disk says no. Run by disk.sh on a small file system of its own, named by LW_TEST_DISK, in three
 * parts (LW_TEST_PART): "full" fills the disk and expects the older file to stay whole; "read_only" expects an error
 * and the older file; "forever" writes until it is killed; "look" expects a whole file.
 */
#include <fcntl.h>
#include "checkpoint_net.h"

static const char *disk(const char *name) {
    (void)snprintf(scratch_root, sizeof scratch_root, "%s", getenv("LW_TEST_DISK"));
    return scratch_path(name);
}

static bool part(const char *name) {
    const char *wanted = getenv("LW_TEST_PART");
    return getenv("LW_TEST_DISK") && wanted && strcmp(wanted, name) == 0;
}

static lw_err write_step(test_run *run, int64_t step) {
    lw_checkpoint_content c = {.stage = "simulate", .step = step, .net = run->net, .sim = run->sim};
    return lw_checkpoint_write(run->grid, disk("c"), &c, 2, NULL);
}

static int64_t whole_step(const lw_comm *world) {
    lw_checkpoint *c = NULL;
    CHECK_OK(lw_checkpoint_open(world, disk("c"), &c));
    int64_t step = c ? lw_checkpoint_info_get(c).step : -1;
    lw_checkpoint_close(&c);
    return step;
}

static void run_start(const lw_comm *world, test_run *run) {
    (void)test_run_here(world, lw_comm_size(world), run);
    test_run_start(run, LW_PARTITION_BLOCK, LW_F64);
}

/* As much as the disk takes, but for `leave` bytes. */
static void fill(int64_t leave) {
    int file = open(disk("filler"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    static char block[4096];
    int64_t n = 0;
    while (file >= 0 && write(file, block, sizeof block) == (ssize_t)sizeof block)
        n += (int64_t)sizeof block;
    CHECK(file >= 0 && ftruncate(file, n > leave ? n - leave : 0) == 0 && close(file) == 0);
}

TEST(full_disk_keeps_the_older_file) {
    static const int64_t leave[] = {0, 4096, 40000, 300000, 600000};
    if (!part("full")) return;
    lw_comm *world = test_world();
    test_run run;
    run_start(world, &run);
    CHECK_OK(write_step(&run, 1));
    for (size_t i = 0; i < sizeof leave / sizeof leave[0]; i++) {
        if (check_rank() == 0) fill(leave[i]);
        lw_comm_barrier(world);
        lw_err err = write_step(&run, 2);
        if (err != LW_EIO) fprintf(stderr, "leaving %lld bytes: %s\n", (long long)leave[i], lw_err_name(err));
        CHECK(err == LW_EIO);
        if (check_rank() == 0) fprintf(stderr, "as it should be: %s\n", lw_err_message());
        lw_err_clear();
        CHECK(access(disk("c/checkpoint-2.h5"), F_OK) != 0);
        CHECK(check_rank() != 0 || access(disk("c/checkpoint-2.h5.tmp"), F_OK) != 0); /* rank 0 removes it */
        CHECK_INT(whole_step(world), 1);
        lw_comm_barrier(world);
        if (check_rank() == 0) CHECK(unlink(disk("filler")) == 0);
        lw_comm_barrier(world);
    }
    CHECK_OK(write_step(&run, 3)); /* there is room again */
    CHECK_INT(whole_step(world), 3);
    test_run_end(&run);
    lw_comm_stop(&world);
}

TEST(read_only_disk_keeps_the_older_file) {
    if (!part("read_only")) return;
    lw_comm *world = test_world();
    test_run run;
    run_start(world, &run);
    CHECK(write_step(&run, 4) == LW_EIO);
    lw_err_clear();
    CHECK_INT(whole_step(world), 3);
    test_run_end(&run);
    lw_comm_stop(&world);
}

TEST(writes_forever) {
    if (!part("forever")) return;
    lw_comm *world = test_world();
    test_run run;
    run_start(world, &run);
    lw_err err = LW_OK;
    for (int64_t step = 10; err == LW_OK; step++) {
        err = write_step(&run, step);
        if (check_rank() == 0 && step == 10) scratch_write(disk("begun"), "", 0);
    }
    CHECK_OK(err);
    test_run_end(&run);
    lw_comm_stop(&world);
}

TEST(something_whole_is_there) {
    if (!part("look")) return;
    lw_comm *world = test_world();
    lw_checkpoint *c = NULL;
    lw_net *net = NULL;
    CHECK(whole_step(world) >= 10);
    CHECK_OK(lw_checkpoint_open(world, disk("c/checkpoint.h5"), &c)); /* the link is never missing */
    if (c) CHECK_OK(lw_checkpoint_net(c, world, LW_PARTITION_BLOCK, 1, &net));
    lw_net_destroy(&net);
    lw_checkpoint_close(&c);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(full_disk_keeps_the_older_file), CASE(read_only_disk_keeps_the_older_file), CASE(writes_forever),
    CASE(something_whole_is_there))
