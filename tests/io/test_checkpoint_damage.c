/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Damaged checkpoints: every flipped bit of data is found and the older whole file is used; no flip anywhere gives
 * other content silently; truncated, unfinished, foreign and missing files are named; the newest files are kept.
 */
#include <fcntl.h>
#include "checkpoint_net.h"
#include "h5.h"

static void steps_write(test_run *run, const char *dir, const int64_t *step, int n, int keep) {
    for (int i = 0; i < n; i++) {
        lw_checkpoint_content c = {
            .stage = "simulate", .experiment = "text", .step = step[i], .net = run->net, .sim = run->sim};
        CHECK_OK(lw_checkpoint_write(run->grid, scratch_path(dir), &c, keep, NULL));
    }
}

/* Step of the checkpoint found, -1 when none; and the network's digest. */
static int64_t found_step(const lw_comm *world, const char *path, uint64_t *digest) {
    lw_checkpoint *c = NULL;
    int64_t step = -1;
    lw_err err = lw_checkpoint_open(world, path, &c);
    if (err == LW_OK) step = lw_checkpoint_info_get(c).step;
    if (err == LW_OK && digest) {
        lw_net *net = NULL;
        CHECK_OK(lw_checkpoint_net(c, world, LW_PARTITION_BLOCK, 1, &net));
        *digest = test_net_digest(net);
        lw_net_destroy(&net);
    }
    lw_checkpoint_close(&c);
    lw_err_clear();
    return step;
}

static void bit_flip(const char *path, int64_t byte, int bit) {
    FILE *f = fopen(path, "r+b");
    CHECK(f != NULL);
    if (!f) return;
    CHECK(fseek(f, (long)byte, SEEK_SET) == 0);
    int c = fgetc(f);
    CHECK(fseek(f, (long)byte, SEEK_SET) == 0 && fputc(c ^ 1 << bit, f) != EOF);
    CHECK(fclose(f) == 0);
}

static void file_copy(const char *from, const char *to) {
    size_t n = 0;
    char *data = scratch_read(from, &n);
    scratch_write(to, data, n);
    free(data);
}

/* A byte of an array's data, array and byte drawn. */
static int64_t data_byte(const char *path, lw_stream *s) {
    lw_h5_reader *r = NULL;
    lw_h5_integrity t;
    int64_t at = -1;
    CHECK_OK(lw_h5_reader_open(path, &r));
    CHECK_OK(lw_h5_integrity_read(r, &t));
    int64_t i = 0;
    do
        i = (int64_t)lw_stream_below(s, (uint64_t)t.n);
    while (t.items[i] == 0);
    hid_t dataset = H5Dopen2(lw_h5_reader_file(r), t.path[i], H5P_DEFAULT);
    at = (int64_t)H5Dget_offset(dataset) + (int64_t)lw_stream_below(s, (uint64_t)(t.items[i] * t.item_bytes[i]));
    CHECK(H5Dclose(dataset) >= 0);
    lw_h5_integrity_free(&t);
    lw_h5_reader_close(&r);
    return at;
}

/* two checkpoints in "d", steps 10 and 20; a clean copy of the newer one */
static uint64_t pair_make(const lw_comm *world, test_run *run) {
    static const int64_t step[] = {10, 20};
    scratch_make();
    (void)test_run_here(world, lw_comm_size(world), run);
    test_run_start(run, LW_PARTITION_BLOCK, LW_F32);
    CHECK_OK(lw_sim_advance(run->sim, 20, NULL));
    steps_write(run, "d", step, 2, 5);
    if (check_rank() == 0) file_copy(scratch_path("d/checkpoint-20.h5"), scratch_path("clean"));
    return test_net_digest(run->net);
}

static void pair_end(test_run *run) {
    test_run_end(run);
    scratch_remove();
}

TEST(flipped_bits_of_data_are_found) {
    lw_comm *world = test_world();
    test_run run;
    uint64_t digest = pair_make(world, &run), found = 0;
    lw_stream s = lw_stream_start(11, LW_PURPOSE_CHECK, 0, 0);
    lw_checkpoint *c = NULL;
    CHECK_INT(found_step(world, scratch_path("d"), &found), 20);
    CHECK(found == digest);
    for (int i = 0; i < 15; i++) {
        if (check_rank() == 0) {
            int64_t byte = data_byte(scratch_path("clean"), &s);
            file_copy(scratch_path("clean"), scratch_path("d/checkpoint-20.h5"));
            bit_flip(scratch_path("d/checkpoint-20.h5"), byte, (int)lw_stream_below(&s, 8));
        }
        lw_comm_barrier(world);
        CHECK_INT(found_step(world, scratch_path("d"), NULL), 10);
        lw_comm_barrier(world);
    }
    CHECK_INT(found_step(world, scratch_path("d/checkpoint.h5"), &found), 10);
    CHECK(found == digest);
    CHECK_INT(found_step(world, scratch_path("d/checkpoint-20.h5"), NULL), 10);
    lw_comm_barrier(world);
    if (check_rank() == 0) CHECK(unlink(scratch_path("d/checkpoint-10.h5")) == 0);
    lw_comm_barrier(world);
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("d"), &c), LW_EFILE, "damaged: the checksum of array /");
    pair_end(&run);
    lw_comm_stop(&world);
}

TEST(no_flip_is_silent) {
    lw_comm *world = test_world();
    test_run run;
    uint64_t digest = pair_make(world, &run), found = 0;
    lw_stream s = lw_stream_start(12, LW_PURPOSE_CHECK, 0, 0);
    struct stat status;
    CHECK(stat(scratch_path("clean"), &status) == 0 || check_rank() != 0);
    int refused = 0;
    for (int i = 0; i < 24; i++) {
        if (check_rank() == 0) {
            /* half of them in the first 8 KiB, where metadata is dense */
            int64_t byte = (int64_t)lw_stream_below(&s, i % 2 ? (uint64_t)status.st_size : 8192);
            file_copy(scratch_path("clean"), scratch_path("d/checkpoint-20.h5"));
            bit_flip(scratch_path("d/checkpoint-20.h5"), byte, (int)lw_stream_below(&s, 8));
        }
        lw_comm_barrier(world);
        int64_t step = found_step(world, scratch_path("d"), &found);
        CHECK(step == 10 || step == 20);
        CHECK(found == digest);
        refused += step == 10;
        lw_comm_barrier(world);
    }
    CHECK(refused > 5);
    pair_end(&run);
    lw_comm_stop(&world);
}

static void attribute_remove(const char *path, const char *name) {
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    CHECK(file >= 0 && H5Adelete(file, name) >= 0 && H5Fclose(file) >= 0);
}

TEST(truncated_unfinished_and_foreign_files) {
    lw_comm *world = test_world();
    test_run run;
    (void)pair_make(world, &run);
    struct stat status = {0};
    lw_checkpoint *c = NULL;
    const char *newest = scratch_path("d/checkpoint-20.h5");
    lw_stream s = lw_stream_start(13, LW_PURPOSE_CHECK, 0, 0);
    for (int i = 0; i < 12; i++) {
        lw_comm_barrier(world);
        if (check_rank() == 0) {
            file_copy(scratch_path("clean"), newest);
            CHECK(stat(newest, &status) == 0);
            int64_t size = i == 0   ? 0
                           : i == 1 ? status.st_size - 1
                                    : (int64_t)lw_stream_below(&s, (uint64_t)status.st_size);
            CHECK(truncate(newest, size) == 0);
        }
        lw_comm_barrier(world);
        CHECK_INT(found_step(world, scratch_path("d"), NULL), 10);
    }
    lw_comm_barrier(world);
    if (check_rank() == 0) {
        file_copy(scratch_path("clean"), newest);
        attribute_remove(newest, "complete");
        CHECK(unlink(scratch_path("d/checkpoint-10.h5")) == 0);
    }
    lw_comm_barrier(world);
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("d"), &c), LW_EFILE, "not complete");
    lw_comm_barrier(world);
    if (check_rank() == 0) scratch_write(newest, "no HDF5 at all, just text", 25);
    lw_comm_barrier(world);
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("d"), &c), LW_EFILE, "not a whole HDF5 file");
    lw_h5_writer *w = NULL;
    lw_comm_barrier(world);
    CHECK_OK(lw_h5_writer_create(world, scratch_path("d/other.h5"), &w));
    CHECK_OK(lw_h5_writer_head(w, "lapwing-other"));
    CHECK_OK(lw_h5_writer_close(&w));
    CHECK_FAILS(lw_checkpoint_open(world, scratch_path("d/other.h5"), &c), LW_EFILE,
        "is a lapwing-other, expected a lapwing-checkpoint");
    CHECK(c == NULL);
    pair_end(&run);
    lw_comm_stop(&world);
}

static bool there(const char *name) {
    return access(scratch_path(name), F_OK) == 0;
}

TEST(newest_are_kept_and_leftovers_go) {
    lw_comm *world = test_world();
    test_run run;
    static const int64_t first[] = {100, 200, 300, 400}, again[] = {5, 6};
    scratch_make();
    (void)test_run_here(world, lw_comm_size(world), &run);
    test_run_start(&run, LW_PARTITION_BLOCK, LW_F32);
    steps_write(&run, "k", first, 4, 2);
    CHECK(!there("k/checkpoint-100.h5") && !there("k/checkpoint-200.h5"));
    CHECK(there("k/checkpoint-300.h5") && there("k/checkpoint-400.h5"));
    lw_comm_barrier(world);
    if (check_rank() == 0) { /* what killed writers leave, and what is not ours */
        scratch_write(scratch_path("k/checkpoint-500.h5.tmp"), "half", 4);
        CHECK(symlink("checkpoint-500.h5", scratch_path("k/checkpoint.h5.tmp")) == 0);
        scratch_write(scratch_path("k/checkpoint-x.h5"), "mine", 4);
        scratch_write(scratch_path("k/other.tmp"), "mine", 4);
    }
    lw_comm_barrier(world);
    CHECK_INT(found_step(world, scratch_path("k"), NULL), 400);
    /* a run begun anew in the same folder: newest is what was written last, not the largest step */
    steps_write(&run, "k", again, 2, 2);
    CHECK_INT(found_step(world, scratch_path("k"), NULL), 6);
    CHECK(there("k/checkpoint-5.h5") && there("k/checkpoint-6.h5") && !there("k/checkpoint-400.h5"));
    CHECK(!there("k/checkpoint-500.h5.tmp") && there("k/checkpoint-x.h5") && there("k/other.tmp"));
    /* copied folders have times of their own: what the link names is newest all the same */
    lw_comm_barrier(world);
    if (check_rank() == 0) CHECK(utimensat(AT_FDCWD, scratch_path("k/checkpoint-5.h5"), NULL, 0) == 0);
    lw_comm_barrier(world);
    CHECK_INT(found_step(world, scratch_path("k"), NULL), 6);
    char target[64] = "";
    ssize_t n = readlink(scratch_path("k/checkpoint.h5"), target, sizeof target - 1);
    CHECK(n > 0);
    CHECK_STR(target, "checkpoint-6.h5");
    CHECK(!there("k/checkpoint.h5.tmp"));
    test_run_end(&run);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(flipped_bits_of_data_are_found), CASE(no_flip_is_silent), CASE(truncated_unfinished_and_foreign_files),
    CASE(newest_are_kept_and_leftovers_go))
