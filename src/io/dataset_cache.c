/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Samples kept as they were decoded, around any data set: the first ones that are asked for, as many as a number of
 * bytes holds; the others are read again each time. Only inputs and lengths are kept: labels and targets are small.
 */
#include <string.h>
#include <lapwing/io.h>

typedef struct cached_set {
    lw_batch_source from;
    float *x;        /* [room, size] */
    int64_t *slot;   /* [n_samples] of x; -1: not kept */
    int64_t *length; /* [n_samples] of those that are kept; NULL where the source has none */
    int64_t size;    /* numbers of a sample */
    int64_t room, n; /* samples that fit, that are kept */
    int64_t asked, read;
} cached_set;

static lw_err cached_input(void *payload, int64_t i, float *x) {
    cached_set *set = payload;
    size_t size = (size_t)set->size;
    set->asked++;
    if (set->slot[i] >= 0) {
        memcpy(x, set->x + (size_t)set->slot[i] * size, size * sizeof *x);
        return LW_OK;
    }
    LW_TRY(set->from.input(set->from.payload, i, x));
    set->read++;
    if (set->n == set->room) return LW_OK;
    memcpy(set->x + (size_t)set->n * size, x, size * sizeof *x);
    if (set->length) set->length[i] = set->from.length(set->from.payload, i);
    set->slot[i] = set->n++;
    return LW_OK;
}

static lw_err cached_label(void *payload, int64_t i, int32_t *label) {
    const cached_set *set = payload;
    return set->from.label(set->from.payload, i, label);
}

static lw_err cached_target(void *payload, int64_t i, float *y) {
    const cached_set *set = payload;
    return set->from.target(set->from.payload, i, y);
}

static int64_t cached_length(void *payload, int64_t i) {
    const cached_set *set = payload;
    return set->slot[i] >= 0 ? set->length[i] : set->from.length(set->from.payload, i);
}

static void cached_destroy(void *payload) {
    cached_set *set = payload;
    lw_batch_source_destroy(&set->from);
    lw_free(set->x);
    lw_free(set->slot);
    lw_free(set->length);
    lw_free(set);
}

lw_err lw_dataset_cache(int64_t bytes, lw_batch_source *source) {
    cached_set *set = NULL;
    LW_CHECK(bytes >= 0, LW_EUSE, "found a cache of %lld bytes, allowed are numbers from 0", (long long)bytes);
    LW_TRY(lw_alloc(1, sizeof *set, "a cache", &set));
    size_t n = (size_t)source->n_samples;
    set->size = source->n_steps * source->n_channels;
    set->room = bytes / (set->size * (int64_t)sizeof *set->x);
    if (set->room > source->n_samples) set->room = source->n_samples;
    lw_err err = lw_alloc((size_t)set->room, (size_t)set->size * sizeof *set->x, "a cache of samples", &set->x);
    if (err == LW_OK) err = lw_alloc(n, sizeof *set->slot, "a cache", &set->slot);
    if (err == LW_OK && source->length) err = lw_alloc(n, sizeof *set->length, "a cache", &set->length);
    if (err != LW_OK) {
        cached_destroy(set); /* which holds no source yet */
        return err;
    }
    for (size_t i = 0; i < n; i++)
        set->slot[i] = -1;
    set->from = *source;
    source->payload = set;
    source->input = cached_input;
    if (source->label) source->label = cached_label;
    if (source->target) source->target = cached_target;
    source->length = source->length ? cached_length : NULL;
    source->destroy = cached_destroy;
    return LW_OK;
}

lw_cache_stats lw_dataset_cache_stats(const lw_batch_source *source) {
    if (source->destroy != cached_destroy) return (lw_cache_stats){0};
    const cached_set *set = source->payload;
    return (lw_cache_stats){.samples = set->n,
        .bytes = set->n * set->size * (int64_t)sizeof *set->x,
        .asked = set->asked,
        .read = set->read};
}
