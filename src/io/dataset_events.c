/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recordings of an event camera, a file each, in folders by class or named in a list (N-MNIST), and turned, scaled and
 * shifted copies of them. Only the names are kept: a recording is read when it is asked for.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dataset_bins.h"
#include "dataset_list.h"
#include "file.h"

enum { EVENT_BYTES = 5 };

typedef struct event_file {
    char *path;
    int32_t label;
} event_file;

typedef struct event_set {
    event_file *file;
    int64_t n, room, loaded; /* loaded: sample that bins.last is about */
    int32_t width, height;
    int64_t pool, rows, columns; /* rows, columns: of channels */
    double turn, scale, shift;   /* radians, fraction, pixels */
    uint64_t seed;
    event_bins bins;
} event_set;

/* pixel -> m (pixel - centre) + centre + shift */
typedef struct view {
    double m[2][2], shift[2];
} view;

static double drawn(const event_set *set, int64_t sample, uint32_t k, double most) {
    return most * (2 * lw_rng_uniform(set->seed, LW_PURPOSE_DATA, (uint64_t)sample, k, 0) - 1);
}

static view view_of(const event_set *set, int64_t sample) {
    double angle = drawn(set, sample, 0, set->turn), scale = 1 + drawn(set, sample, 1, set->scale);
    return (view){{{scale * cos(angle), -scale * sin(angle)}, {scale * sin(angle), scale * cos(angle)}},
        {drawn(set, sample, 2, set->shift), drawn(set, sample, 3, set->shift)}};
}

/* Where a pixel of a copy is seen; false: outside. */
static bool view_pixel(const event_set *set, const view *v, int64_t *x, int64_t *y) {
    double cx = (set->width - 1) / 2.0, cy = (set->height - 1) / 2.0, dx = (double)*x - cx, dy = (double)*y - cy;
    *x = (int64_t)floor(v->m[0][0] * dx + v->m[0][1] * dy + cx + v->shift[0] + 0.5);
    *y = (int64_t)floor(v->m[1][0] * dx + v->m[1][1] * dy + cy + v->shift[1] + 0.5);
    return *x >= 0 && *x < set->width && *y >= 0 && *y < set->height;
}

static lw_err event_input(void *payload, int64_t i, float *x) {
    event_set *set = payload;
    const char *path = set->file[i % set->n].path;
    view v = view_of(set, i);
    char *text = NULL;
    int64_t bytes = 0;
    LW_TRY(lw_file_read(path, &text, &bytes));
    const uint8_t *e = (const uint8_t *)text;
    lw_err err = LW_OK;
    if (bytes % EVENT_BYTES)
        err = LW_FAIL(LW_EFILE, "%s: found %lld bytes, events have 5 each", path, (long long)bytes);
    bins_clear(&set->bins, x);
    for (int64_t k = 0; err == LW_OK && k < bytes; k += EVENT_BYTES, e += EVENT_BYTES) {
        if (e[0] >= set->width || e[1] >= set->height) {
            err = LW_FAIL(LW_EFILE, "%s: event %lld is at (%d, %d), the camera has %d x %d pixels", path,
                (long long)(k / EVENT_BYTES), e[0], e[1], set->width, set->height);
            break;
        }
        int64_t polarity = e[2] >> 7, time = (int64_t)(e[2] & 0x7f) << 16 | e[3] << 8 | e[4];
        int64_t px = e[0], py = e[1];
        if (i >= set->n && !view_pixel(set, &v, &px, &py)) continue;
        int64_t channel = (polarity * set->rows + py / set->pool) * set->columns + px / set->pool;
        bins_add(&set->bins, (double)time, channel, x);
    }
    set->loaded = i;
    lw_free(text);
    return err;
}

static int64_t event_length(void *payload, int64_t i) {
    const event_set *set = payload;
    return i == set->loaded ? set->bins.last + 1 : set->bins.steps;
}

static lw_err event_label(void *payload, int64_t i, int32_t *label) {
    const event_set *set = payload;
    *label = set->file[i % set->n].label;
    return LW_OK;
}

static void event_destroy(void *payload) {
    event_set *set = payload;
    for (int64_t i = 0; i < set->n; i++)
        lw_free(set->file[i].path);
    lw_free(set->file);
    lw_free(set);
}

static int visible(const struct dirent *entry) {
    return entry->d_name[0] != '.';
}

/* numbers by value, other names by their letters */
static int by_name(const struct dirent **a, const struct dirent **b) {
    return strverscmp((*a)->d_name, (*b)->d_name);
}

static void names_free(struct dirent **name, int n) {
    for (int i = 0; i < n; i++)
        free(name[i]);
    free(name);
}

static lw_err folder_list(const char *path, struct dirent ***name, int *n) {
    *n = scandir(path, name, visible, by_name);
    LW_CHECK(*n >= 0, LW_EFILE, "%s: cannot be read as a folder of recordings: %s", path, strerror(errno));
    return LW_OK;
}

static lw_err file_add(event_set *set, const char *path, int32_t label) {
    if (set->n == set->room) {
        int64_t want = 2 * set->room + 64;
        LW_TRY(lw_grow(&set->file, (size_t)set->room, (size_t)want, sizeof *set->file, "recordings"));
        set->room = want;
    }
    event_file file = {.path = lw_strdup(path), .label = label};
    LW_CHECK(file.path, LW_EMEM, "no memory for a recording's name");
    set->file[set->n++] = file;
    return LW_OK;
}

static lw_err class_add(event_set *set, const char *folder, int32_t label) {
    struct dirent **name = NULL;
    int n = 0;
    lw_err err = folder_list(folder, &name, &n);
    for (int i = 0; err == LW_OK && i < n; i++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", folder, name[i]->d_name) >= (int)sizeof path)
            err = LW_FAIL(LW_EUSE, "%s: the path is too long", folder);
        else
            err = file_add(set, path, label);
    }
    if (n > 0) names_free(name, n);
    return err;
}

/* A list being read. */
typedef struct listed {
    event_set *set;
    const lw_events_spec *spec;
} listed;

static lw_err listed_add(void *payload, const char *name, int32_t label) {
    static const char *const endings[] = {"", ".bs2", ".bin"};
    const listed *l = payload;
    char *path = NULL;
    LW_TRY(dataset_list_find(l->spec->list, l->spec->path, name, endings, 3, &path));
    lw_err err = file_add(l->set, path, label);
    lw_free(path);
    return err;
}

static lw_err list_open(event_set *set, const lw_events_spec *spec) {
    listed l = {set, spec};
    return dataset_list_read(spec->list, spec->classes, listed_add, &l);
}

static lw_err folders_open(event_set *set, const lw_events_spec *spec) {
    struct dirent **name = NULL;
    int n = 0;
    char folder[4096];
    LW_TRY(folder_list(spec->path, &name, &n));
    lw_err err = LW_OK;
    if (n != spec->classes)
        err = LW_FAIL(
            LW_EFILE, "%s: found %d folders, wanted is one for each of %d classes", spec->path, n, spec->classes);
    for (int k = 0; err == LW_OK && k < n; k++) {
        if (snprintf(folder, sizeof folder, "%s/%s", spec->path, name[k]->d_name) >= (int)sizeof folder)
            err = LW_FAIL(LW_EUSE, "%s: the path is too long", spec->path);
        else
            err = class_add(set, folder, k);
    }
    names_free(name, n);
    return err;
}

static lw_err event_open(event_set *set, const lw_events_spec *spec) {
    LW_TRY(spec->list ? list_open(set, spec) : folders_open(set, spec));
    LW_CHECK(set->n > 0, LW_EFILE, "%s: found no recordings", spec->list ? spec->list : spec->path);
    return LW_OK;
}

lw_err lw_dataset_events(const lw_events_spec *spec, lw_batch_source *out) {
    event_set *set = NULL;
    *out = (lw_batch_source){0};
    LW_TRY(bins_check(spec));
    LW_CHECK(spec->width >= 1 && spec->width <= 256 && spec->height >= 1 && spec->height <= 256, LW_EUSE,
        "%s: found a camera of %d x %d pixels, allowed are 1 to 256", spec->path, spec->width, spec->height);
    LW_CHECK(spec->copies >= 1 && spec->turn >= 0 && spec->scale >= 0 && spec->scale < 1 && spec->shift >= 0, LW_EUSE,
        "%s: found copies %lld, turn %g, scale %g, shift %g, allowed are 1 and more, 0 and more, 0 to below 1, 0 and "
        "more",
        spec->path, (long long)spec->copies, spec->turn, spec->scale, spec->shift);
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    *set = (event_set){.loaded = -1,
        .width = spec->width,
        .height = spec->height,
        .pool = spec->pool,
        .turn = spec->turn * acos(-1) / 180,
        .scale = spec->scale,
        .shift = spec->shift,
        .seed = spec->seed};
    set->rows = (spec->height + spec->pool - 1) / spec->pool;
    set->columns = (spec->width + spec->pool - 1) / spec->pool;
    set->bins = (event_bins){.steps = spec->steps,
        .n_channels = 2 * set->rows * set->columns,
        .bin = spec->bin * 1000, /* us */
        .counts = spec->counts};
    lw_err err = event_open(set, spec);
    if (err != LW_OK) {
        event_destroy(set);
        return err;
    }
    if (spec->limit > 0 && spec->limit < set->n) {
        for (int64_t i = spec->limit; i < set->n; i++)
            lw_free(set->file[i].path);
        set->n = spec->limit;
    }
    *out = (lw_batch_source){.payload = set,
        .n_samples = set->n * spec->copies,
        .n_steps = spec->steps,
        .n_channels = (int32_t)set->bins.n_channels,
        .n_classes = spec->classes,
        .input = event_input,
        .label = event_label,
        .length = spec->lengths ? event_length : NULL,
        .destroy = event_destroy};
    return LW_OK;
}
