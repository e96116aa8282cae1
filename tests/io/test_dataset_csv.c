/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Time series from csv: windows, horizon and normalisation against a direct computation, dialects, wrong files.
 */
#include "scratch.h"
#include <lapwing/io.h>

TEST(windows_against_a_direct_computation) {
    enum { ROWS = 300, WINDOW = 24, STRIDE = 7, HORIZON = 9, FIRST = 30, LAST = 200, TRAIN = 120 };
    static double wind[ROWS], humid[ROWS];
    static float x[WINDOW * 2], y[WINDOW * 2];
    const char *column[] = {"wind_speed", "7"}; /* 7: humid */
    FILE *f = fopen(scratch_data("wind_lga.csv"), "r");
    char line[512];
    CHECK(f && fgets(line, sizeof line, f));
    for (int r = 0; f && r < ROWS; r++)
        CHECK(fgets(line, sizeof line, f) &&
              sscanf(line, "%*[^,],%*d,%*d,%*d,%*d,%*[^,],%*[^,],%lf,%*[^,],%lf", &humid[r], &wind[r]) == 2);
    if (f) fclose(f);
    double mean[2] = {0}, sd[2] = {0};
    for (int r = 0; r < TRAIN; r++) {
        mean[0] += wind[r] / TRAIN;
        mean[1] += humid[r] / TRAIN;
    }
    for (int r = 0; r < TRAIN; r++) {
        sd[0] += (wind[r] - mean[0]) * (wind[r] - mean[0]) / TRAIN;
        sd[1] += (humid[r] - mean[1]) * (humid[r] - mean[1]) / TRAIN;
    }
    lw_batch_source set;
    lw_series_spec spec = {.path = scratch_data("wind_lga.csv"),
        .column = column,
        .n_columns = 2,
        .window = WINDOW,
        .stride = STRIDE,
        .horizon = HORIZON,
        .first = FIRST,
        .last = LAST,
        .train_rows = TRAIN};
    CHECK_OK(lw_dataset_csv(&spec, &set));
    CHECK_INT(set.n_samples, (LAST - FIRST - WINDOW) / STRIDE + 1);
    CHECK_INT(set.n_steps, WINDOW);
    CHECK_INT(set.n_channels, 2);
    CHECK_INT(set.n_targets, 2);
    int unknown = 0;
    for (int64_t i = 0; i < set.n_samples; i++) {
        CHECK_OK(set.input(set.payload, i, x));
        CHECK_OK(set.target(set.payload, i, y));
        for (int64_t t = 0; t < WINDOW; t++) {
            int64_t row = FIRST + i * STRIDE + t, later = row + HORIZON;
            CHECK_CLOSE(x[2 * t], (wind[row] - mean[0]) / sqrt(sd[0]), 1e-6);
            CHECK_CLOSE(x[2 * t + 1], (humid[row] - mean[1]) / sqrt(sd[1]), 1e-6);
            if (later >= LAST) {
                unknown++;
                CHECK(isnan(y[2 * t]) && isnan(y[2 * t + 1]));
            } else {
                CHECK_CLOSE(y[2 * t], (wind[later] - mean[0]) / sqrt(sd[0]), 1e-6);
                CHECK_CLOSE(y[2 * t + 1], (humid[later] - mean[1]) / sqrt(sd[1]), 1e-6);
            }
        }
    }
    CHECK(unknown > 0);
    lw_batch_source_destroy(&set);
}

static lw_err csv(const char *text, const char *column, lw_batch_source *out) {
    scratch_write(scratch_path("a.csv"), text, strlen(text));
    lw_series_spec spec = {.path = scratch_path("a.csv"), .column = &column, .n_columns = 1, .horizon = 1};
    return lw_dataset_csv(&spec, out);
}

TEST(dialects) {
    static const char *const text[] = {
        "1\n3\n", "a,b\n9,1\n7,3\n", "\"x, y\";\"b\"\r\n9;1\r\n7;\"3\"\r\n", "a\tb\n\n0\t 1 \n0\t3", "b\n1e0\n3.0e0\n"};
    static const char *const column[] = {"0", "b", "b", "1", "b"};
    scratch_make();
    for (int k = 0; k < 5; k++) {
        lw_batch_source set;
        float x[2] = {0}, y[2] = {0};
        CHECK_OK(csv(text[k], column[k], &set));
        CHECK_INT(set.n_samples, 1);
        CHECK_INT(set.n_steps, 2);
        if (set.input) {
            CHECK_OK(set.input(set.payload, 0, x));
            CHECK_OK(set.target(set.payload, 0, y));
        }
        CHECK_CLOSE(x[0], -1, 0);
        CHECK_CLOSE(x[1], 1, 0);
        CHECK_CLOSE(y[0], 1, 0);
        CHECK(isnan(y[1]));
        lw_batch_source_destroy(&set);
    }
    scratch_remove();
}

TEST(wrong_files_are_named) {
    lw_batch_source set;
    const char *gust = "wind_gust";
    lw_series_spec spec = {.path = scratch_data("wind_lga.csv"), .column = &gust, .n_columns = 1};
    scratch_make();
    CHECK_FAILS(
        lw_dataset_csv(&spec, &set), LW_EFILE, "wind_lga.csv:12: column 'wind_gust': found 'NA', expected a number");
    CHECK_FAILS(
        csv("a,b\n1,2\n", "c", &set), LW_EUSE, "found column 'c', allowed are the numbers 0 to 1 and the names a, b");
    CHECK_FAILS(csv("1,2\n", "2", &set), LW_EUSE, "found column '2'");
    CHECK_FAILS(csv("a,b\n1,2\n3\n", "b", &set), LW_EFILE, "a.csv:3");
    CHECK_FAILS(csv("", "0", &set), LW_EFILE, "empty");
    CHECK_FAILS(csv("a\n", "a", &set), LW_EUSE, "rows");
    CHECK_FAILS(csv("5\n5\n", "0", &set), LW_EFILE, "constant");
    const char *wind = "wind_speed";
    spec = (lw_series_spec){.path = scratch_data("wind_lga.csv"), .column = &wind, .n_columns = 1, .window = 301};
    CHECK_FAILS(lw_dataset_csv(&spec, &set), LW_EUSE, "windows of 301 steps, allowed are 1 to 300");
    spec.window = 10;
    spec.last = 301;
    CHECK_FAILS(lw_dataset_csv(&spec, &set), LW_EUSE, "rows 0 to 301");
    spec.last = 0;
    spec.train_rows = 301;
    CHECK_FAILS(lw_dataset_csv(&spec, &set), LW_EUSE, "301 training rows");
    spec.horizon = -1;
    CHECK_FAILS(lw_dataset_csv(&spec, &set), LW_EUSE, "horizon -1");
    CHECK(set.payload == NULL);
    scratch_remove();
}

TEST(targets_are_other_columns) {
    static const char text[] = "a,b,c\n1,10,5\n2,30,6\n3,20,9\n4,50,4\n5,40,8\n";
    const char *column[] = {"c", "a"}, *target[] = {"b"};
    float x[6], y[3];
    lw_batch_source set;
    (void)scratch_make();
    scratch_write(scratch_path("t.csv"), text, sizeof text - 1);
    lw_series_spec spec = {.path = scratch_path("t.csv"),
        .column = column,
        .n_columns = 2,
        .target = target,
        .n_targets = 1,
        .window = 3,
        .stride = 1,
        .horizon = 1};
    CHECK_OK(lw_dataset_csv(&spec, &set));
    CHECK_INT(set.n_channels, 2);
    CHECK_INT(set.n_targets, 1);
    CHECK_OK(set.input(set.payload, 1, x));
    CHECK_OK(set.target(set.payload, 1, y));
    for (int t = 0; t < 3; t++) {
        static const double b[] = {20, 50, 40}, c[] = {6, 9, 4};
        CHECK_CLOSE(x[2 * t], (float)((c[t] - 6.4) / sqrt(3.44)), 1e-6);
        CHECK_CLOSE(x[2 * t + 1], (float)((2 + t - 3) / sqrt(2)), 1e-6);
        CHECK_CLOSE(y[t], (float)((b[t] - 30) / sqrt(200)), 1e-6);
    }
    lw_batch_source_destroy(&set);
    target[0] = "d";
    CHECK_FAILS(lw_dataset_csv(&spec, &set), LW_EUSE, "found column 'd'");
    scratch_remove();
}

CHECK_MAIN(CASE(targets_are_other_columns), CASE(windows_against_a_direct_computation), CASE(dialects),
    CASE(wrong_files_are_named))
