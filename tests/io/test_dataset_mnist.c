/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MNIST: every code against the raw bytes; the compressed file gives the same; what is wrong with wrong files.
 */
#include "scratch.h"
#include <lapwing/io.h>

enum { N = 100, SIDE = 28, PIXELS = SIDE * SIDE, STEPS = 20 };

static const uint8_t *raw_image(const char *raw, int64_t i) {
    return (const uint8_t *)raw + 16 + i * PIXELS;
}
static lw_err mnist(const char *code, int64_t steps, int64_t limit, lw_batch_source *out) {
    return lw_dataset_mnist(
        scratch_data("mnist-images-idx3-ubyte"), scratch_data("mnist-labels-idx1-ubyte"), code, steps, 5, limit, out);
}

TEST(rows_pixels_and_permuted) {
    static float x[PIXELS], y[PIXELS];
    static int seen[PIXELS];
    lw_batch_source rows, pixels, permuted, zipped;
    size_t n = 0, m = 0;
    char *raw = scratch_read(scratch_data("mnist-images-idx3-ubyte"), &n);
    char *labels = scratch_read(scratch_data("mnist-labels-idx1-ubyte"), &m);
    CHECK_OK(mnist("rows", 0, 0, &rows));
    CHECK_OK(mnist("pixels", 0, 7, &pixels));
    CHECK_OK(mnist("permuted", 0, 0, &permuted));
    CHECK_OK(lw_dataset_mnist(
        scratch_data("mnist-images-idx3-ubyte.gz"), scratch_data("mnist-labels-idx1-ubyte"), "rows", 0, 5, 0, &zipped));
    CHECK_INT(rows.n_samples, N);
    CHECK_INT(rows.n_steps, SIDE);
    CHECK_INT(rows.n_channels, SIDE);
    CHECK_INT(rows.n_classes, 10);
    CHECK_INT(pixels.n_samples, 7);
    CHECK_INT(pixels.n_steps, PIXELS);
    CHECK_INT(pixels.n_channels, 1);
    for (int i = 0; i < 7; i++) {
        const uint8_t *image = raw_image(raw, i);
        int32_t label = -1;
        CHECK_OK(rows.input(rows.payload, i, x));
        CHECK_OK(pixels.input(pixels.payload, i, y));
        CHECK(memcmp(x, y, sizeof x) == 0);
        for (int p = 0; p < PIXELS; p++)
            CHECK_CLOSE(x[p], image[p] / 255.0, 1e-7);
        CHECK_OK(zipped.input(zipped.payload, i, y));
        CHECK(memcmp(x, y, sizeof x) == 0);
        CHECK_OK(rows.label(rows.payload, i, &label));
        CHECK_INT(label, labels[8 + i]);
    }
    /* the permutation is one, the same for all images, and not the identity */
    const uint8_t *image = raw_image(raw, 3);
    CHECK_OK(permuted.input(permuted.payload, 3, y));
    int before[256] = {0}, after[256] = {0}, moved = 0;
    for (int p = 0; p < PIXELS; p++) {
        before[image[p]]++;
        after[(int)(y[p] * 255 + 0.5f)]++;
        uint64_t q = lw_rng_permute(5, LW_PURPOSE_ENCODE, 0, PIXELS, (uint64_t)p);
        seen[q]++;
        moved += (int)q != p;
        CHECK_CLOSE(y[p], image[q] / 255.0, 1e-7);
    }
    CHECK(memcmp(before, after, sizeof before) == 0 && moved > PIXELS / 2);
    for (int p = 0; p < PIXELS; p++)
        CHECK_INT(seen[p], 1);
    lw_batch_source_destroy(&rows);
    lw_batch_source_destroy(&pixels);
    lw_batch_source_destroy(&permuted);
    lw_batch_source_destroy(&zipped);
    free(raw);
    free(labels);
}

TEST(latency_is_early_when_bright_and_rate_counts_intensity) {
    static float x[STEPS * PIXELS], y[STEPS * PIXELS];
    lw_batch_source latency, rate;
    size_t n = 0;
    char *raw = scratch_read(scratch_data("mnist-images-idx3-ubyte"), &n);
    CHECK_OK(mnist("latency", STEPS, 0, &latency));
    CHECK_OK(mnist("rate", STEPS, 0, &rate));
    CHECK_INT(latency.n_channels, PIXELS);
    double sum = 0, want = 0, variance = 0;
    for (int i = 0; i < 20; i++) {
        const uint8_t *image = raw_image(raw, i);
        CHECK_OK(latency.input(latency.payload, i, x));
        CHECK_OK(rate.input(rate.payload, i, y));
        for (int p = 0; p < PIXELS; p++) {
            int events = 0, first = -1, spikes = 0;
            for (int t = 0; t < STEPS; t++) {
                events += x[t * PIXELS + p] == 1;
                if (first < 0 && x[t * PIXELS + p] == 1) first = t;
                CHECK(y[t * PIXELS + p] == 0 || y[t * PIXELS + p] == 1);
                spikes += y[t * PIXELS + p] == 1;
            }
            CHECK_INT(events, image[p] > 0);
            if (image[p] > 0) CHECK_CLOSE(first, (255 - image[p]) / 255.0 * (STEPS - 1), 0.5 + 1e-9);
            if (image[p] == 0) CHECK_INT(spikes, 0);
            if (image[p] == 255) CHECK_INT(spikes, STEPS);
            double q = image[p] / 255.0;
            sum += spikes;
            want += STEPS * q;
            variance += STEPS * q * (1 - q);
        }
    }
    CHECK_CLOSE(sum, want, 5 * sqrt(variance));
    CHECK_OK(rate.input(rate.payload, 4, x));
    CHECK_OK(rate.input(rate.payload, 3, y));
    CHECK(memcmp(x, y, sizeof x) != 0);
    CHECK_OK(rate.input(rate.payload, 4, y));
    CHECK(memcmp(x, y, sizeof x) == 0); /* a pure function of seed and sample */
    lw_batch_source_destroy(&latency);
    lw_batch_source_destroy(&rate);
    free(raw);
}

TEST(wrong_files_are_named) {
    lw_batch_source set;
    size_t n = 0;
    char *raw = scratch_read(scratch_data("mnist-labels-idx1-ubyte"), &n);
    const char *images = scratch_data("mnist-images-idx3-ubyte");
    scratch_make();
    CHECK_FAILS(mnist("colums", 0, 0, &set), LW_EUSE, "found encode 'colums', allowed are rows, pixels");
    CHECK_FAILS(mnist("rate", 0, 0, &set), LW_EUSE, "0 steps");
    CHECK_FAILS(lw_dataset_mnist(scratch_data("mnist-labels-idx1-ubyte"), images, "rows", 0, 0, 0, &set), LW_EFILE,
        "found magic number 2049, expected 2051");
    scratch_write(scratch_path("short"), raw, n - 1);
    CHECK_FAILS(lw_dataset_mnist(images, scratch_path("short"), "rows", 0, 0, 0, &set), LW_EFILE,
        "found 107 bytes, its header wants 108");
    raw[7] = 99;
    scratch_write(scratch_path("fewer"), raw, n - 1);
    CHECK_FAILS(lw_dataset_mnist(images, scratch_path("fewer"), "rows", 0, 0, 0, &set), LW_EFILE, "found 100 images");
    raw[7] = 100;
    raw[8 + 41] = 10;
    scratch_write(scratch_path("ten"), raw, n);
    CHECK_FAILS(
        lw_dataset_mnist(images, scratch_path("ten"), "rows", 0, 0, 0, &set), LW_EFILE, "sample 41: found label 10");
    free(raw);
    scratch_remove();
}

CHECK_MAIN(CASE(rows_pixels_and_permuted), CASE(latency_is_early_when_bright_and_rate_counts_intensity),
    CASE(wrong_files_are_named))
