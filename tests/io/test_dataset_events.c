/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recorded events: files of an event camera in folders and in lists, with copies, and the HDF5 layout of the Heidelberg
 * sets, against the events that were written; and what is refused.
 */
#include <hdf5.h>
#include <lapwing/io.h>
#include "scratch.h"

enum { STEPS = 10, SIDE = 6, CHANNELS = 2 * 3 * 3 };

typedef struct event {
    int x, y, polarity, time; /* us */
} event;

static const event FIRST[] = {
    {0, 0, 0, 0}, {1, 1, 0, 999}, {5, 4, 1, 1000}, {5, 4, 1, 1001}, {2, 3, 1, 9999}, {3, 3, 0, 10000}};
static const event SECOND[] = {{4, 0, 1, 2500}};

static void recording_write(const char *path, const event *e, int n) {
    uint8_t bytes[5 * 16];
    for (int i = 0; i < n; i++) {
        uint8_t *b = bytes + 5 * i;
        b[0] = (uint8_t)e[i].x;
        b[1] = (uint8_t)e[i].y;
        b[2] = (uint8_t)(e[i].polarity << 7 | e[i].time >> 16);
        b[3] = (uint8_t)(e[i].time >> 8);
        b[4] = (uint8_t)e[i].time;
    }
    scratch_write(path, bytes, (size_t)(5 * n));
}

static void camera_write(void) {
    (void)scratch_make();
    CHECK(mkdir(scratch_path("set"), 0700) == 0 && mkdir(scratch_path("set/9"), 0700) == 0 &&
          mkdir(scratch_path("set/10"), 0700) == 0);
    recording_write(scratch_path("set/9/a.bin"), FIRST, 6);
    recording_write(scratch_path("set/10/b.bs2"), SECOND, 1);
    recording_write(scratch_path("set/10/c.bin"), FIRST, 6);
}

static lw_events_spec camera_spec(void) {
    return (lw_events_spec){.path = scratch_path("set"),
        .steps = STEPS,
        .bin = 1,
        .width = SIDE,
        .height = SIDE,
        .pool = 2,
        .classes = 2,
        .lengths = true,
        .copies = 1};
}

static void expect(const float *x, const event *e, int n, bool counts) {
    static float want[STEPS * CHANNELS];
    memset(want, 0, sizeof want);
    for (int i = 0; i < n; i++) {
        if (e[i].time >= 1000 * STEPS) continue;
        float *to = &want[e[i].time / 1000 * CHANNELS + (e[i].polarity * 3 + e[i].y / 2) * 3 + e[i].x / 2];
        *to = counts ? *to + 1 : 1;
    }
    CHECK(memcmp(x, want, sizeof want) == 0);
}

TEST(folders_are_classes_in_the_order_of_numbers) {
    static float x[STEPS * CHANNELS];
    lw_batch_source set;
    int32_t label = -1;
    camera_write();
    lw_events_spec spec = camera_spec();
    CHECK_OK(lw_dataset_events(&spec, &set));
    CHECK_INT(set.n_samples, 3);
    CHECK_INT(set.n_channels, CHANNELS);
    CHECK_OK(set.input(set.payload, 0, x));
    expect(x, FIRST, 6, false);
    CHECK_INT(set.length(set.payload, 0), 10);
    CHECK_OK(set.label(set.payload, 0, &label));
    CHECK_INT(label, 0); /* folder 9 before folder 10 */
    CHECK_OK(set.input(set.payload, 1, x));
    expect(x, SECOND, 1, false);
    CHECK_INT(set.length(set.payload, 1), 3);
    CHECK_OK(set.label(set.payload, 2, &label));
    CHECK_INT(label, 1);
    lw_batch_source_destroy(&set);
    spec.counts = true;
    spec.limit = 1;
    CHECK_OK(lw_dataset_events(&spec, &set));
    CHECK_INT(set.n_samples, 1);
    CHECK_OK(set.input(set.payload, 0, x));
    expect(x, FIRST, 6, true);
    CHECK_CLOSE(x[CHANNELS + (3 + 2) * 3 + 2], 2, 0);
    lw_batch_source_destroy(&set);
    scratch_remove();
}

TEST(lists_name_recordings) {
    static const char text[] = "#sample #class\r\nb 1\n\n  a.bin\t0 # twice\na 1";
    static float x[STEPS * CHANNELS];
    lw_batch_source set;
    int32_t label = -1;
    camera_write();
    CHECK(rename(scratch_path("set/10/b.bs2"), scratch_path("set/9/b.bs2")) == 0);
    scratch_write(scratch_path("list"), text, sizeof text - 1);
    lw_events_spec spec = camera_spec();
    spec.path = scratch_path("set/9");
    spec.list = scratch_path("list");
    CHECK_OK(lw_dataset_events(&spec, &set));
    CHECK_INT(set.n_samples, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(set.input(set.payload, i, x));
        expect(x, i == 0 ? SECOND : FIRST, i == 0 ? 1 : 6, false);
        CHECK_OK(set.label(set.payload, i, &label));
        CHECK_INT(label, i != 1);
    }
    lw_batch_source_destroy(&set);
    scratch_write(scratch_path("list"), "a 0\nd 1\n", 8);
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EFILE, "found no recording d");
    scratch_write(scratch_path("list"), "a 2\n", 4);
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EFILE, ":1: found \"a 2\"");
    scratch_write(scratch_path("list"), "# none\n", 7);
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EFILE, "found no recordings");
    scratch_remove();
}

TEST(copies_are_seen_from_elsewhere) {
    enum { COPIES = 40 };
    static float x[STEPS * CHANNELS], again[STEPS * CHANNELS];
    lw_batch_source set, other;
    int moved = 0, gone = 0;
    camera_write();
    lw_events_spec spec = camera_spec();
    spec.copies = COPIES;
    spec.shift = 2;
    spec.seed = 5;
    CHECK_OK(lw_dataset_events(&spec, &set));
    CHECK_OK(lw_dataset_events(&spec, &other));
    CHECK_INT(set.n_samples, 3 * COPIES);
    for (int copy = 0; copy < COPIES; copy++) { /* one event: it is where it was, elsewhere in its step, or outside */
        int where = -1, n = 0;
        int32_t label = -1;
        CHECK_OK(set.input(set.payload, 3 * copy + 1, x));
        CHECK_OK(other.input(other.payload, 3 * copy + 1, again));
        CHECK(memcmp(x, again, sizeof x) == 0);
        CHECK_OK(set.label(set.payload, 3 * copy + 1, &label));
        CHECK_INT(label, 1);
        for (int i = 0; i < STEPS * CHANNELS; i++)
            if (x[i] != 0) n++, where = i;
        CHECK(n == 1 || (copy > 0 && n == 0));
        CHECK(n == 0 || (where / CHANNELS == 2 && where % CHANNELS >= 9));
        if (copy == 0) expect(x, SECOND, 1, false);
        moved += n == 1 && where != 2 * CHANNELS + 9 + 2;
        gone += n == 0;
    }
    CHECK(moved > 5 && gone > 5);
    lw_batch_source_destroy(&set);
    lw_batch_source_destroy(&other);
    spec.shift = 0;
    spec.turn = 180; /* any angle, about the middle between the four middle pixels, which stay middle pixels */
    CHECK_OK(lw_dataset_events(&spec, &set));
    for (int copy = 0; copy < COPIES; copy++) {
        CHECK_OK(set.input(set.payload, 3 * copy, x));
        float middle = 0;
        for (int c = 0; c < 9; c++)
            middle += x[9 * CHANNELS + 9 + c] * (c != 0 && c != 2 && c != 6 && c != 8 ? 1 : 0);
        CHECK_CLOSE(middle, 1, 0);
    }
    lw_batch_source_destroy(&set);
    scratch_remove();
}

TEST(wrong_recordings_are_refused) {
    static float x[STEPS * CHANNELS];
    lw_batch_source set;
    event outside = {6, 0, 0, 0};
    camera_write();
    lw_events_spec spec = camera_spec();
    spec.classes = 3;
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EFILE, "found 2 folders, wanted is one for each of 3");
    spec = camera_spec();
    spec.path = scratch_path("nothing");
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EFILE, "cannot be read as a folder");
    spec = camera_spec();
    spec.pool = 0;
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EUSE, "pool 0");
    spec = camera_spec();
    spec.copies = 0;
    CHECK_FAILS(lw_dataset_events(&spec, &set), LW_EUSE, "copies 0");
    CHECK(set.payload == NULL);
    spec = camera_spec();
    recording_write(scratch_path("set/9/a.bin"), &outside, 1);
    scratch_write(scratch_path("set/10/c.bin"), "123456", 6);
    CHECK_OK(lw_dataset_events(&spec, &set));
    CHECK_FAILS(set.input(set.payload, 0, x), LW_EFILE, "at (6, 0), the camera has 6 x 6");
    CHECK_FAILS(set.input(set.payload, 2, x), LW_EFILE, "6 bytes, events have 5");
    lw_batch_source_destroy(&set);
    scratch_remove();
}

/* ------------------------------------------------------------------ HDF5 */

enum { UNITS = 7, SAMPLES = 3 };
static float shd_time[SAMPLES][4] = {{0, 0.0019F, 0.0021F, 0.5F}, {0.004F}, {0}};
static uint16_t shd_unit[SAMPLES][4] = {{0, 6, 2, 1}, {3}, {0}};
static const size_t shd_n[SAMPLES] = {4, 1, 0};

static void shd_write(const char *path, size_t lost, int label) {
    hvl_t times[SAMPLES], units[SAMPLES];
    uint8_t labels[SAMPLES] = {1, 0, (uint8_t)label};
    hsize_t n = SAMPLES;
    for (int i = 0; i < SAMPLES; i++) {
        times[i] = (hvl_t){shd_n[i], shd_time[i]};
        units[i] = (hvl_t){shd_n[i] - (i == 0 ? lost : 0), shd_unit[i]};
    }
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
          space = H5Screate_simple(1, &n, NULL);
    hid_t floats = H5Tvlen_create(H5T_IEEE_F32LE), words = H5Tvlen_create(H5T_STD_U16LE);
    hid_t a = H5Dcreate2(group, "times", floats, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t b = H5Dcreate2(group, "units", words, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hid_t c = H5Dcreate2(file, "labels", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Dwrite(a, floats, H5S_ALL, H5S_ALL, H5P_DEFAULT, times) >= 0);
    CHECK(H5Dwrite(b, words, H5S_ALL, H5S_ALL, H5P_DEFAULT, units) >= 0);
    CHECK(H5Dwrite(c, H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0);
    CHECK(H5Dclose(a) >= 0 && H5Dclose(b) >= 0 && H5Dclose(c) >= 0 && H5Tclose(floats) >= 0 && H5Tclose(words) >= 0);
    CHECK(H5Sclose(space) >= 0 && H5Gclose(group) >= 0 && H5Fclose(file) >= 0);
}

TEST(lists_of_times_and_units) {
    enum { POOLED = 4, BINS = 6 };
    static float x[BINS * POOLED], want[BINS * POOLED];
    lw_batch_source set;
    int32_t label = -1;
    (void)scratch_make();
    shd_write(scratch_path("a.h5"), 0, 1);
    lw_events_spec spec = {.path = scratch_path("a.h5"),
        .steps = BINS,
        .bin = 1,
        .channels = UNITS,
        .pool = 2,
        .classes = 2,
        .lengths = true};
    CHECK_OK(lw_dataset_shd(&spec, &set));
    CHECK_INT(set.n_samples, SAMPLES);
    CHECK_INT(set.n_channels, POOLED);
    CHECK_OK(set.input(set.payload, 0, x));
    want[0] = want[1 * POOLED + 3] = want[2 * POOLED + 1] = 1; /* 0.5 s is behind the last bin */
    CHECK(memcmp(x, want, sizeof x) == 0);
    CHECK_INT(set.length(set.payload, 0), 3);
    CHECK_OK(set.label(set.payload, 0, &label));
    CHECK_INT(label, 1);
    CHECK_OK(set.input(set.payload, 2, x));
    memset(want, 0, sizeof want);
    CHECK(memcmp(x, want, sizeof x) == 0);
    CHECK_INT(set.length(set.payload, 2), 0); /* a batch takes it for one step */
    lw_batch_source_destroy(&set);

    spec.channels = 6;
    CHECK_OK(lw_dataset_shd(&spec, &set));
    CHECK_FAILS(set.input(set.payload, 0, x), LW_EFILE, "unit 6, allowed are 0 to 5");
    lw_batch_source_destroy(&set);
    spec.channels = UNITS;
    shd_write(scratch_path("a.h5"), 1, 1);
    CHECK_OK(lw_dataset_shd(&spec, &set));
    CHECK_FAILS(set.input(set.payload, 0, x), LW_EFILE, "4 times and 3 units");
    lw_batch_source_destroy(&set);
    shd_write(scratch_path("a.h5"), 0, 2);
    CHECK_FAILS(lw_dataset_shd(&spec, &set), LW_EFILE, "sample 2: found label 2, allowed are 0 to 1");
    scratch_write(scratch_path("a.h5"), "text", 4);
    CHECK_FAILS(lw_dataset_shd(&spec, &set), LW_EFILE, "cannot be opened as HDF5");
    CHECK(set.payload == NULL);
    scratch_remove();
}

CHECK_MAIN(CASE(folders_are_classes_in_the_order_of_numbers), CASE(lists_name_recordings),
    CASE(copies_are_seen_from_elsewhere), CASE(wrong_recordings_are_refused), CASE(lists_of_times_and_units))
