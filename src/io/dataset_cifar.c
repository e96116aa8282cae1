/* SPDX-License-Identifier: BSD-3-Clause
 *
 * CIFAR-10 in its binary form. Only the labels stay in memory: an image is read when it is asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <lapwing/io.h>

enum { SIDE = 32, PLANE = SIDE * SIDE, IMAGE = 3 * PLANE, RECORD = 1 + IMAGE, CLASSES = 10 };

typedef struct cifar_set {
    int *fd;        /* [n_files], -1: not open */
    int64_t *begin; /* [n_files + 1] first sample of each */
    int32_t n_files;
    int64_t steps;
    uint8_t *label;
} cifar_set;

static lw_err record_read(const cifar_set *set, int64_t i, size_t bytes, uint8_t *out) {
    int32_t f = 0;
    while (i >= set->begin[f + 1])
        f++;
    ssize_t got = pread(set->fd[f], out, bytes, (off_t)((i - set->begin[f]) * RECORD));
    LW_CHECK(got == (ssize_t)bytes, LW_EIO, "image %lld cannot be read: %s", (long long)i,
        got < 0 ? strerror(errno) : "the file has become shorter");
    return LW_OK;
}

static lw_err cifar_input(void *payload, int64_t i, float *x) {
    const cifar_set *set = payload;
    uint8_t record[RECORD];
    LW_TRY(record_read(set, i, sizeof record, record));
    for (int64_t p = 0; p < PLANE; p++)
        for (int64_t colour = 0; colour < 3; colour++) {
            float v = (float)record[1 + colour * PLANE + p] / 255.0f;
            if (set->steps == SIDE)
                x[p / SIDE * 3 * SIDE + colour * SIDE + p % SIDE] = v;
            else if (set->steps == PLANE)
                x[p * 3 + colour] = v;
            else
                x[colour * PLANE + p] = v;
        }
    return LW_OK;
}

static lw_err cifar_label(void *payload, int64_t i, int32_t *label) {
    *label = ((const cifar_set *)payload)->label[i];
    return LW_OK;
}

static void cifar_destroy(void *payload) {
    cifar_set *set = payload;
    for (int32_t f = 0; set->fd && f < set->n_files; f++)
        if (set->fd[f] >= 0) (void)close(set->fd[f]);
    lw_free(set->fd);
    lw_free(set->begin);
    lw_free(set->label);
    lw_free(set);
}

static lw_err cifar_open(cifar_set *set, const char *const *path, int32_t n_paths, int64_t limit) {
    struct stat status;
    LW_TRY(lw_alloc((size_t)n_paths, sizeof *set->fd, "files", &set->fd));
    LW_TRY(lw_alloc((size_t)n_paths + 1, sizeof *set->begin, "files", &set->begin));
    for (int32_t f = 0; f < n_paths; f++) {
        set->fd[f] = open(path[f], O_RDONLY | O_CLOEXEC);
        LW_CHECK(set->fd[f] >= 0, LW_EFILE, "%s: cannot be opened: %s", path[f], strerror(errno));
        set->n_files = f + 1;
        bool known = fstat(set->fd[f], &status) == 0;
        LW_CHECK(known && status.st_size > 0 && status.st_size % RECORD == 0, LW_EFILE,
            "%s: found %lld bytes, allowed are multiples of %d (a label and an image)", path[f],
            known ? (long long)status.st_size : -1, RECORD);
        set->begin[f + 1] = set->begin[f] + status.st_size / RECORD;
    }
    int64_t n = set->begin[n_paths];
    if (limit > 0 && limit < n) n = limit;
    LW_TRY(lw_alloc((size_t)n, 1, "labels", &set->label));
    for (int64_t i = 0; i < n; i++) {
        LW_TRY(record_read(set, i, 1, &set->label[i]));
        LW_CHECK(set->label[i] < CLASSES, LW_EFILE, "%s: image %lld: found label %d, allowed are 0 to 9", path[0],
            (long long)i, set->label[i]);
    }
    return LW_OK;
}

lw_err lw_dataset_cifar10(
    const char *const *path, int32_t n_paths, const char *encode, int64_t limit, lw_batch_source *out) {
    cifar_set *set = NULL;
    *out = (lw_batch_source){0};
    int64_t steps = !strcmp(encode, "rows") ? SIDE : !strcmp(encode, "pixels") ? PLANE : !strcmp(encode, "image");
    LW_CHECK(steps > 0, LW_EUSE, "found encode '%s', allowed are rows, pixels, image", encode);
    LW_CHECK(n_paths >= 1 && limit >= 0, LW_EUSE, "found %d files and limit %lld, allowed are 1 and more, 0 and more",
        n_paths, (long long)limit);
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    set->steps = steps;
    lw_err err = cifar_open(set, path, n_paths, limit);
    if (err != LW_OK) {
        cifar_destroy(set);
        return err;
    }
    *out = (lw_batch_source){.payload = set,
        .n_samples = limit > 0 && limit < set->begin[n_paths] ? limit : set->begin[n_paths],
        .n_steps = steps,
        .n_channels = (int32_t)(IMAGE / steps),
        .n_classes = CLASSES,
        .input = cifar_input,
        .label = cifar_label,
        .destroy = cifar_destroy};
    return LW_OK;
}
