/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Text files: saved whole, replaced at once, nothing left behind on failure; folders; metrics as csv.
 */
#include "scratch.h"
#include <lapwing/io.h>

TEST(text_is_replaced_and_leaves_no_temporary) {
    size_t n = 0;
    scratch_make();
    const char *path = scratch_path("a.txt");
    CHECK_OK(lw_text_save(path, "one\n"));
    CHECK_OK(lw_text_save(path, "two\n"));
    char *text = scratch_read(path, &n);
    CHECK_STR(text, "two\n");
    free(text);
    CHECK(access(scratch_path("a.txt.tmp"), F_OK) != 0);
    CHECK_FAILS(lw_text_save(scratch_path("none/a.txt"), "x"), LW_EIO, "none/a.txt");
    CHECK_OK(lw_directory_make(scratch_path("folder")));
    CHECK_FAILS(lw_text_save(scratch_path("folder"), "x"), LW_EIO, "renamed"); /* a folder cannot be replaced */
    CHECK(access(scratch_path("folder.tmp"), F_OK) != 0);
    scratch_remove();
}

TEST(folders_are_made_with_their_parents) {
    struct stat status;
    scratch_make();
    CHECK_OK(lw_directory_make(scratch_path("a/b/c")));
    CHECK_OK(lw_directory_make(scratch_path("a/b/c/")));
    CHECK(stat(scratch_path("a/b/c"), &status) == 0 && S_ISDIR(status.st_mode));
    scratch_write(scratch_path("a/file"), "x", 1);
    CHECK_FAILS(lw_directory_make(scratch_path("a/file/b")), LW_EIO, "a file of that name");
    scratch_remove();
}

TEST(metrics_are_a_table_with_gaps) {
    size_t n = 0;
    scratch_make();
    lw_metrics m[2] = {{.epoch = 1,
                           .loss = 0.1,
                           .accuracy = 0.5,
                           .rmse = NAN,
                           .validation_loss = NAN,
                           .validation_accuracy = NAN,
                           .validation_rmse = NAN,
                           .rate_hz = 12,
                           .lr = 1e-3,
                           .grad_norm = 2,
                           .seconds = 3,
                           .data_seconds = NAN},
        {.epoch = 2,
            .loss = 1e300,
            .accuracy = 1,
            .rmse = -1e-300,
            .validation_loss = 1,
            .validation_accuracy = 2,
            .validation_rmse = 3,
            .rate_hz = 4,
            .lr = 5,
            .grad_norm = 6,
            .seconds = 7,
            .data_seconds = 8}};
    CHECK_OK(lw_metrics_save(scratch_path("metrics.csv"), m, 2));
    char *text = scratch_read(scratch_path("metrics.csv"), &n);
    CHECK_STR(text,
        "epoch,loss,accuracy,rmse,validation_loss,validation_accuracy,validation_rmse,rate_hz,lr,grad_norm,seconds,"
        "data_seconds\n"
        "1,0.10000000000000001,0.5,,,,,12,0.001,2,3,\n"
        "2,1.0000000000000001e+300,1,-1e-300,1,2,3,4,5,6,7,8\n");
    free(text);
    scratch_remove();
}

CHECK_MAIN(CASE(text_is_replaced_and_leaves_no_temporary), CASE(folders_are_made_with_their_parents),
    CASE(metrics_are_a_table_with_gaps))
