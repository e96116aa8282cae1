/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Order of samples and assembly of batches. The validation split is a keyed permutation of all samples cut in two, the
 * order of an epoch another one of the training part: both are pure functions of the seed, so that a resumed run and
 * every rank see the same order and nothing has to be stored. Does not know the network.
 */
#include <math.h>
#include <string.h>
#include "batch.h"

enum {
    GROUP = 16 /* samples read before they are put into their lanes: a line of floats */
};

lw_err order_create(uint64_t seed, int64_t n_samples, double validation, order **out) {
    order *o = NULL;
    lw_err err;
    *out = NULL;
    LW_CHECK(validation >= 0 && validation < 1, LW_EUSE, "validation is %g, allowed are fractions from 0 to below 1",
        validation);
    int64_t n_validation = (int64_t)floor(validation * (double)n_samples + 0.5);
    if (validation > 0 && n_validation == 0) n_validation = 1;
    LW_CHECK(n_samples - n_validation >= 1, LW_EUSE, "%lld samples leave none for training after %lld for validation",
        (long long)n_samples, (long long)n_validation);
    LW_TRY_TO(lw_alloc(1, sizeof *o, "the order of samples", &o), failed);
    o->seed = seed;
    o->n_validation = n_validation;
    o->n_train = n_samples - n_validation;
    LW_TRY_TO(lw_alloc((size_t)o->n_train, sizeof *o->train, "the training samples", &o->train), failed);
    LW_TRY_TO(lw_alloc((size_t)n_validation, sizeof *o->validation, "the validation samples", &o->validation), failed);
    for (int64_t i = 0; i < n_samples; i++) {
        int64_t sample = n_validation == 0
                             ? i
                             : (int64_t)lw_rng_permute(seed, LW_PURPOSE_SPLIT, 0, (uint64_t)n_samples, (uint64_t)i);
        if (i < n_validation) {
            o->validation[i] = sample;
        } else {
            o->train[i - n_validation] = sample;
        }
    }
    *out = o;
    return LW_OK;
failed:
    order_destroy(&o);
    return err;
}

void order_destroy(order **o) {
    if (!*o) return;
    lw_free((*o)->train);
    lw_free((*o)->validation);
    lw_free(*o);
    *o = NULL;
}

int64_t order_sample(const order *o, int64_t epoch, int64_t i) {
    if (i >= o->n_train) return -1;
    return o->train[lw_rng_permute(o->seed, LW_PURPOSE_SHUFFLE, (uint64_t)epoch, (uint64_t)o->n_train, (uint64_t)i)];
}

lw_err batch_create(const lw_batch_source *source, int64_t n_steps, int64_t width, batch **out) {
    batch *b = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *b, "a batch", &b), failed);
    b->source = source;
    b->n_steps = n_steps;
    b->width = width;
    b->n_rows = source->label_per_step ? n_steps : 1;
    size_t steps = (size_t)source->n_steps, lanes = (size_t)width;
    size_t channels = (size_t)source->n_channels, targets = (size_t)source->n_targets;
    LW_TRY_TO(lw_alloc((size_t)n_steps * channels * lanes, sizeof *b->x, "the inputs of a batch", &b->x), failed);
    size_t group = width < GROUP ? lanes : GROUP;
    LW_TRY_TO(lw_alloc(group * steps * channels, sizeof *b->group_x, "the inputs of samples", &b->group_x), failed);
    LW_TRY_TO(lw_alloc(lanes, 1, "the lanes of a batch", &b->present), failed);
    LW_TRY_TO(lw_alloc(lanes, sizeof *b->steps, "the lanes of a batch", &b->steps), failed);
    for (int64_t l = 0; l < width; l++)
        b->steps[l] = n_steps;
    if (source->n_classes > 0) {
        size_t rows = (size_t)b->n_rows;
        LW_TRY_TO(lw_alloc(rows * lanes, sizeof *b->label, "the labels of a batch", &b->label), failed);
        LW_TRY_TO(lw_alloc(steps, sizeof *b->one_label, "the labels of a sample", &b->one_label), failed);
    } else {
        size_t n = (size_t)n_steps * targets * lanes;
        LW_TRY_TO(lw_alloc(n, sizeof *b->target, "the targets of a batch", &b->target), failed);
        LW_TRY_TO(lw_alloc(steps * targets, sizeof *b->one_target, "the targets of a sample", &b->one_target), failed);
    }
    *out = b;
    return LW_OK;
failed:
    batch_destroy(&b);
    return err;
}

void batch_destroy(batch **b) {
    if (!*b) return;
    lw_free((*b)->x);
    lw_free((*b)->label);
    lw_free((*b)->target);
    lw_free((*b)->present);
    lw_free((*b)->steps);
    lw_free((*b)->group_x);
    lw_free((*b)->one_label);
    lw_free((*b)->one_target);
    lw_free(*b);
    *b = NULL;
}

/* column[i * width] = one[i] */
static void scatter(int64_t n, int64_t width, const float *one, float *column) {
    for (int64_t i = 0; i < n; i++)
        column[i * width] = one[i];
}

static void lane_clear(batch *b, int64_t lane, float *x) {
    const lw_batch_source *source = b->source;
    b->steps[lane] = b->n_steps;
    memset(x, 0, (size_t)(b->n_steps * source->n_channels) * sizeof *x);
    if (b->label)
        for (int64_t i = 0; i < b->n_rows; i++)
            b->label[i * b->width + lane] = LABEL_ABSENT;
    if (b->target)
        for (int64_t i = 0; i < b->n_steps * source->n_targets; i++)
            b->target[i * b->width + lane] = NAN;
}

/* Of the ranks that load together each reads the samples of its own number, always the same ones: what it keeps of them
 * (a cache) serves the others too. */
static bool is_reader(const batch *b, int64_t sample) {
    return !b->part || sample % lw_comm_size(b->part) == lw_comm_rank(b->part);
}

static lw_err lane_read(batch *b, int64_t lane, int64_t sample, float *x) {
    const lw_batch_source *source = b->source;
    LW_TRY(source->input(source->payload, sample, x));
    int64_t length = source->length ? source->length(source->payload, sample) : b->n_steps;
    b->steps[lane] = length < 1 ? 1 : length < b->n_steps ? length : b->n_steps;
    return LW_OK;
}

/* What each of the ranks read of `here` lanes from `first` on, to the others. */
static void group_share(batch *b, const int64_t *sample, int64_t first, int64_t here) {
    int64_t stride = b->source->n_steps * b->source->n_channels, n = b->n_steps * b->source->n_channels;
    for (int64_t l = first; l < first + here; l++)
        if (sample[l] >= 0 && !is_reader(b, sample[l])) b->steps[l] = 0;
    lw_comm_max_i64(b->part, b->steps + first, here);
    for (int64_t l = 0; l < here; l++)
        if (sample[first + l] >= 0)
            lw_comm_bcast(b->part, b->group_x + l * stride, n * (int64_t)sizeof *b->group_x,
                (int)(sample[first + l] % lw_comm_size(b->part)));
}

static lw_err lane_label(batch *b, int64_t lane, int64_t sample) {
    const lw_batch_source *source = b->source;
    if (b->target) {
        LW_TRY(source->target(source->payload, sample, b->one_target));
        for (int64_t i = b->steps[lane] * source->n_targets; i < b->n_steps * source->n_targets; i++)
            b->one_target[i] = NAN; /* nothing is known behind the end, where van Rossum's traces only decay */
        scatter(b->n_steps * source->n_targets, b->width, b->one_target, b->target + lane);
        return LW_OK;
    }
    LW_TRY(source->label(source->payload, sample, b->one_label));
    for (int64_t i = 0; i < b->n_rows; i++) {
        int32_t label = b->one_label[i];
        LW_CHECK(label >= LABEL_NONE && label < source->n_classes, LW_EUSE,
            "sample %lld has label %d at step %lld, allowed are -1 to %d", (long long)sample, label, (long long)i,
            source->n_classes - 1);
        b->label[i * b->width + lane] = label;
    }
    return LW_OK;
}

lw_err batch_load(batch *b, const int64_t *sample) {
    int64_t stride = b->source->n_steps * b->source->n_channels, n = b->n_steps * b->source->n_channels;
    lw_err err = LW_OK;
    b->n_present = 0;
    for (int64_t first = 0; first < b->width; first += GROUP) {
        int64_t end = b->width - first < GROUP ? b->width : first + GROUP;
        for (int64_t l = first; l < end; l++) {
            float *x = b->group_x + (l - first) * stride;
            b->present[l] = sample[l] >= 0;
            b->n_present += b->present[l];
            if (!b->present[l])
                lane_clear(b, l, x);
            else if (err == LW_OK && is_reader(b, sample[l]))
                err = lane_read(b, l, sample[l], x);
        }
        LW_TRY(b->part ? lw_comm_agree(b->part, err) : err);
        if (b->part) group_share(b, sample, first, end - first);
        for (int64_t l = first; l < end && err == LW_OK; l++)
            if (b->present[l]) err = lane_label(b, l, sample[l]);
        lw_turn_f32(end - first, n, b->group_x, stride, b->x + first, b->width);
    }
    return b->part ? lw_comm_agree(b->part, err) : err;
}
