/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sequences in .npy files: the ECG set against its raw bytes, labels, regression targets, and wrong shapes.
 */
#include "scratch.h"
#include <lapwing/io.h>

TEST(ecg_matches_its_bytes) {
    lw_batch_source set;
    enum { STEPS = 1301, CHANNELS = 4, SAMPLES = 8 };
    static float x[STEPS * CHANNELS];
    static int32_t label[STEPS];
    size_t n = 0, m = 0;
    CHECK_OK(lw_dataset_npy(scratch_data("qtdb_x.npy"), scratch_data("qtdb_label.npy"), 6, true, &set));
    CHECK_INT(set.n_samples, SAMPLES);
    CHECK_INT(set.n_steps, STEPS);
    CHECK_INT(set.n_channels, CHANNELS);
    CHECK_INT(set.n_classes, 6);
    CHECK(set.label_per_step && set.target == NULL);
    char *raw = scratch_read(scratch_data("qtdb_x.npy"), &n),
         *raw_label = scratch_read(scratch_data("qtdb_label.npy"), &m);
    const int8_t *value = (const int8_t *)raw + (n - SAMPLES * STEPS * CHANNELS);
    const uint8_t *class = (const uint8_t *)raw_label + (m - SAMPLES * STEPS);
    int clipped = 0, unlabelled = 0;
    for (int i = SAMPLES - 1; i >= 0; i--) {
        CHECK_OK(set.input(set.payload, i, x));
        CHECK_OK(set.label(set.payload, i, label));
        for (int k = 0; k < STEPS * CHANNELS; k++) {
            int8_t v = value[i * STEPS * CHANNELS + k];
            clipped += v < 0;
            CHECK_CLOSE(x[k], v < 0 ? 0 : v, 0);
        }
        for (int t = 0; t < STEPS; t++) {
            uint8_t c = class[i * STEPS + t];
            unlabelled += c == 255;
            CHECK_INT(label[t], c == 255 ? -1 : c);
        }
    }
    CHECK_INT(clipped, SAMPLES); /* the last step of channel 0 of every sample */
    CHECK(unlabelled > 0);
    lw_batch_source_destroy(&set);
    CHECK_OK(lw_dataset_npy(scratch_data("qtdb_x.npy"), scratch_data("qtdb_label.npy"), 6, false, &set));
    CHECK_OK(set.input(set.payload, 0, x));
    CHECK_CLOSE(x[(STEPS - 1) * CHANNELS], -1, 0);
    lw_batch_source_destroy(&set);
    free(raw);
    free(raw_label);
}

static const char *npy_file(const char *name, const char *type, const char *shape, const void *data, size_t bytes) {
    char file[1024] = "\x93NUMPY\1";
    int n =
        snprintf(file + 10, sizeof file - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", type, shape);
    file[8] = (char)n;
    memcpy(file + 10 + n, data, bytes);
    scratch_write(scratch_path(name), file, 10 + (size_t)n + bytes);
    return scratch_path(name);
}

TEST(other_layouts_and_regression) {
    lw_batch_source set;
    float x[6] = {0, 1, 2, 3, 4, 5}, y[12], got[12];
    int64_t label[2] = {-1, 300};
    int32_t found[3];
    scratch_make();
    for (int k = 0; k < 12; k++)
        y[k] = k == 5 ? NAN : (float)k / 3;
    const char *x_path = npy_file("x.npy", "<f4", "(2, 3)", x, sizeof x);
    CHECK_OK(lw_dataset_npy(x_path, npy_file("y.npy", "<f4", "(2, 3, 2)", y, sizeof y), 0, false, &set));
    CHECK_INT(set.n_channels, 1);
    CHECK_INT(set.n_targets, 2);
    CHECK(set.label == NULL);
    CHECK_OK(set.target(set.payload, 1, got));
    CHECK(memcmp(got, y + 6, 6 * sizeof *got) == 0);
    CHECK_OK(set.target(set.payload, 0, got));
    CHECK(isnan(got[5]));
    CHECK_OK(set.input(set.payload, 1, got));
    CHECK_CLOSE(got[2], 5, 0);
    lw_batch_source_destroy(&set);
    CHECK_OK(lw_dataset_npy(x_path, npy_file("y.npy", "<i8", "(2,)", label, sizeof label), 301, false, &set));
    CHECK(!set.label_per_step);
    CHECK_OK(set.label(set.payload, 1, found));
    CHECK_INT(found[0], 300);
    CHECK_OK(set.label(set.payload, 0, found));
    CHECK_INT(found[0], -1);
    lw_batch_source_destroy(&set);
    CHECK(set.payload == NULL);
    scratch_remove();
}

TEST(wrong_sets_are_named) {
    lw_batch_source set;
    float x[6] = {0};
    uint8_t label[6] = {0, 5, 255, 1, 7, 0};
    scratch_make();
    const char *x_path = npy_file("x.npy", "<f4", "(2, 3)", x, sizeof x);
    CHECK_FAILS(lw_dataset_npy(x_path, npy_file("l.npy", "|u1", "(2, 3)", label, 6), 6, false, &set), LW_EFILE,
        "sample 1: found label 7, allowed are 0 to 5");
    CHECK_FAILS(lw_dataset_npy(x_path, npy_file("l.npy", "|u1", "(3, 2)", label, 6), 8, false, &set), LW_EFILE,
        "found shape (3, 2) for inputs of shape (2, 3)");
    CHECK_FAILS(
        lw_dataset_npy(x_path, npy_file("l.npy", "|u1", "(6,)", label, 6), 8, false, &set), LW_EFILE, "shape (6)");
    CHECK_FAILS(
        lw_dataset_npy(x_path, npy_file("l.npy", "|u1", "(2,)", label, 2), 0, false, &set), LW_EFILE, "targets");
    CHECK_FAILS(lw_dataset_npy(npy_file("x.npy", "<f4", "(6,)", x, sizeof x),
                    npy_file("l.npy", "|u1", "(6,)", label, 6), 8, false, &set),
        LW_EFILE, "(samples, steps, channels)");
    CHECK(set.payload == NULL && set.n_samples == 0);
    scratch_remove();
}

TEST(lengths_are_read_and_checked) {
    lw_batch_source set;
    float x[6] = {0};
    uint8_t label[2] = {0, 1}, length[3] = {3, 1, 2};
    double broken[2] = {3, 1.5};
    scratch_make();
    const char *x_path = npy_file("x.npy", "<f4", "(2, 3)", x, sizeof x);
    CHECK_OK(lw_dataset_npy(x_path, npy_file("l.npy", "|u1", "(2,)", label, 2), 2, false, &set));
    CHECK(set.length == NULL);
    CHECK_OK(lw_dataset_npy_lengths(npy_file("n.npy", "|u1", "(2,)", length, 2), &set));
    CHECK_INT(set.length(set.payload, 0), 3);
    CHECK_INT(set.length(set.payload, 1), 1);
    CHECK_FAILS(lw_dataset_npy_lengths(scratch_path("n.npy"), &set), LW_EUSE, "one .npy data set");
    lw_batch_source_destroy(&set);
    const char *wrong[] = {npy_file("a.npy", "|u1", "(3,)", length, 3),
        npy_file("b.npy", "<f8", "(2,)", broken, sizeof broken)},
               *said[] = {"found shape (3), allowed is one length for each of 2 samples",
                   "sample 1: found length 1.5, allowed are whole numbers from 1 to 3"};
    for (int k = 0; k < 2; k++) {
        CHECK_OK(lw_dataset_npy(scratch_path("x.npy"), scratch_path("l.npy"), 2, false, &set));
        CHECK_FAILS(lw_dataset_npy_lengths(wrong[k], &set), LW_EFILE, said[k]);
        CHECK(set.length == NULL);
        lw_batch_source_destroy(&set);
    }
    length[1] = 0;
    CHECK_OK(lw_dataset_npy(scratch_path("x.npy"), scratch_path("l.npy"), 2, false, &set));
    CHECK_FAILS(lw_dataset_npy_lengths(npy_file("n.npy", "|u1", "(2,)", length, 2), &set), LW_EFILE, "found length 0");
    lw_batch_source_destroy(&set);
    scratch_remove();
}

CHECK_MAIN(CASE(lengths_are_read_and_checked), CASE(ecg_matches_its_bytes), CASE(other_layouts_and_regression),
    CASE(wrong_sets_are_named))
