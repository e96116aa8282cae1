/* SPDX-License-Identifier: BSD-3-Clause
 *
 * MNIST and sets in its idx format (big-endian header, then bytes), plain or gzip-compressed, with the codes that turn
 * an image into a sequence: rows, pixels, permuted pixels, rate, latency. Images stay in memory as bytes.
 */
#include <string.h>
#include <lapwing/io.h>
#include "file.h"

enum mnist_code { CODE_ROWS, CODE_PIXELS, CODE_PERMUTED, CODE_RATE, CODE_LATENCY, N_CODES };
static const char *const code_names[N_CODES] = {"rows", "pixels", "permuted", "rate", "latency"};
enum { MAGIC_IMAGES = 2051, MAGIC_LABELS = 2049 };

typedef struct mnist_set {
    char *image_file, *label_file; /* whole files */
    const uint8_t *image;          /* [n, rows, columns] */
    const uint8_t *label;          /* [n] */
    int64_t pixels, steps;
    enum mnist_code code;
    uint64_t seed;
    int64_t *order; /* [pixels] permuted: pixel shown at step t */
} mnist_set;

/* Every pixel fires independently with probability intensity / 255 in every step; one draw gives four pixels. */
static void encode_rate(const mnist_set *set, int64_t i, const uint8_t *image, float *x) {
    uint32_t bits[4] = {0};
    for (int64_t t = 0; t < set->steps; t++) {
        for (int64_t p = 0; p < set->pixels; p++) {
            if (p % 4 == 0)
                lw_rng_bits(set->seed, LW_PURPOSE_ENCODE, (uint64_t)i, (uint64_t)t, (uint32_t)(p / 4), bits);
            x[t * set->pixels + p] = (uint64_t)bits[p % 4] * 255 < (uint64_t)image[p] << 32 ? 1.0f : 0.0f;
        }
    }
}

/* One event per pixel that is not black, at the step nearest to (255 - intensity) / 255 of the time. */
static void encode_latency(const mnist_set *set, const uint8_t *image, float *x) {
    memset(x, 0, (size_t)(set->steps * set->pixels) * sizeof *x);
    for (int64_t p = 0; p < set->pixels; p++) {
        int64_t t = ((255 - image[p]) * (set->steps - 1) * 2 + 255) / 510;
        if (image[p] > 0) x[t * set->pixels + p] = 1.0f;
    }
}

static lw_err mnist_input(void *payload, int64_t i, float *x) {
    const mnist_set *set = payload;
    const uint8_t *image = set->image + i * set->pixels;
    switch (set->code) {
    case CODE_RATE:
        encode_rate(set, i, image, x);
        break;
    case CODE_LATENCY:
        encode_latency(set, image, x);
        break;
    case CODE_PERMUTED:
        for (int64_t p = 0; p < set->pixels; p++)
            x[p] = (float)image[set->order[p]] / 255.0f;
        break;
    case CODE_ROWS:
    case CODE_PIXELS:
    case N_CODES:
        for (int64_t p = 0; p < set->pixels; p++)
            x[p] = (float)image[p] / 255.0f;
        break;
    }
    return LW_OK;
}

static lw_err mnist_label(void *payload, int64_t i, int32_t *label) {
    const mnist_set *set = payload;
    *label = set->label[i];
    return LW_OK;
}

static void mnist_destroy(void *payload) {
    mnist_set *set = payload;
    lw_free(set->image_file);
    lw_free(set->label_file);
    lw_free(set->order);
    lw_free(set);
}

static uint32_t big_endian(const char *file, int word) {
    const uint8_t *p = (const uint8_t *)file + 4 * word;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* dim[0]: count; images: dim[1], dim[2]: rows, columns */
static lw_err idx_read(const char *path, uint32_t magic, int n_dim, int64_t *dim, char **file) {
    int64_t bytes = 0, want = 4 + 4 * n_dim, count = 1;
    LW_TRY(lw_file_read(path, file, &bytes));
    if (bytes < want || big_endian(*file, 0) != magic)
        return LW_FAIL(LW_EFILE, "%s: found magic number %u, expected %u (idx %s)", path,
            bytes < 4 ? 0 : big_endian(*file, 0), magic, magic == MAGIC_IMAGES ? "images" : "labels");
    for (int d = 0; d < n_dim; d++) {
        dim[d] = big_endian(*file, 1 + d);
        if (__builtin_mul_overflow(count, dim[d], &count)) count = INT64_MAX - want;
    }
    want += count;
    if (bytes != want)
        return LW_FAIL(
            LW_EFILE, "%s: found %lld bytes, its header wants %lld", path, (long long)bytes, (long long)want);
    return LW_OK;
}

static lw_err code_parse(const char *name, enum mnist_code *out) {
    for (int c = 0; c < N_CODES; c++) {
        if (strcmp(name, code_names[c]) != 0) continue;
        *out = (enum mnist_code)c;
        return LW_OK;
    }
    return LW_FAIL(LW_EUSE, "found encode '%s', allowed are rows, pixels, permuted, rate, latency", name);
}

static lw_err mnist_open(
    mnist_set *set, const char *image_path, const char *label_path, int64_t limit, lw_batch_source *out) {
    int64_t image[3] = {0}, label[1] = {0};
    LW_TRY(idx_read(image_path, MAGIC_IMAGES, 3, image, &set->image_file));
    LW_TRY(idx_read(label_path, MAGIC_LABELS, 1, label, &set->label_file));
    if (image[0] != label[0] || image[0] == 0 || image[1] * image[2] == 0)
        return LW_FAIL(LW_EFILE, "%s: found %lld images of %lld x %lld, %s has %lld labels", image_path,
            (long long)image[0], (long long)image[1], (long long)image[2], label_path, (long long)label[0]);
    set->image = (const uint8_t *)set->image_file + 16;
    set->label = (const uint8_t *)set->label_file + 8;
    set->pixels = image[1] * image[2];
    bool timed = set->code == CODE_RATE || set->code == CODE_LATENCY;
    if (timed && set->steps < 1)
        return LW_FAIL(LW_EUSE, "found %lld steps for encode '%s', allowed are 1 and more", (long long)set->steps,
            code_names[set->code]);
    if (set->code == CODE_ROWS) set->steps = image[1];
    if (set->code == CODE_PIXELS || set->code == CODE_PERMUTED) set->steps = set->pixels;
    if (set->code == CODE_PERMUTED) {
        LW_TRY(lw_alloc((size_t)set->pixels, sizeof *set->order, "a pixel order", &set->order));
        for (int64_t p = 0; p < set->pixels; p++)
            set->order[p] =
                (int64_t)lw_rng_permute(set->seed, LW_PURPOSE_ENCODE, 0, (uint64_t)set->pixels, (uint64_t)p);
    }
    out->n_samples = limit > 0 && limit < image[0] ? limit : image[0];
    out->n_steps = set->steps;
    out->n_channels = (int32_t)(timed ? set->pixels : set->pixels / set->steps);
    for (int64_t i = 0; i < out->n_samples; i++)
        if (set->label[i] > 9)
            return LW_FAIL(LW_EFILE, "%s: sample %lld: found label %d, allowed are 0 to 9", label_path, (long long)i,
                set->label[i]);
    out->n_classes = 10;
    return LW_OK;
}

lw_err lw_dataset_mnist(const char *image_path, const char *label_path, const char *encode, int64_t steps,
    uint64_t seed, int64_t limit, lw_batch_source *out) {
    mnist_set *set = NULL;
    enum mnist_code code = CODE_ROWS;
    *out = (lw_batch_source){0};
    LW_TRY(code_parse(encode, &code));
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    set->code = code;
    set->seed = seed;
    set->steps = steps;
    lw_err err = mnist_open(set, image_path, label_path, limit, out);
    if (err != LW_OK) {
        mnist_destroy(set);
        *out = (lw_batch_source){0};
        return err;
    }
    out->payload = set;
    out->input = mnist_input;
    out->label = mnist_label;
    out->destroy = mnist_destroy;
    return LW_OK;
}
