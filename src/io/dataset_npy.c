/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Data sets in .npy files: one array of inputs and one of labels (classification) or targets (regression), and
 * possibly one of the samples' lengths. The arrays stay in memory in the type of the file and are converted sample by
 * sample.
 */
#include <math.h>
#include <stdio.h>
#include <lapwing/io.h>

typedef struct npy_set {
    lw_npy x;                 /* [n_samples, n_steps, n_channels] */
    lw_npy label;             /* [n_samples], [n_samples, n_steps] or [n_samples, n_steps, n_targets] */
    lw_npy length;            /* [n_samples], or no data */
    int64_t x_row, label_row; /* elements per sample */
    int32_t n_classes;
    bool clip_negative;
} npy_set;

/* -1 where the label counts nowhere. 255 is how 8-bit label files spell it. */
static int32_t label_at(const npy_set *set, int64_t i) {
    double v = lw_npy_at(&set->label, i);
    return v == 255 && set->n_classes <= 255 ? -1 : (int32_t)v;
}

static lw_err npy_input(void *payload, int64_t i, float *x) {
    const npy_set *set = payload;
    for (int64_t k = 0; k < set->x_row; k++) {
        double v = lw_npy_at(&set->x, i * set->x_row + k);
        x[k] = (float)(set->clip_negative && v < 0 ? 0 : v);
    }
    return LW_OK;
}

static lw_err npy_label(void *payload, int64_t i, int32_t *label) {
    const npy_set *set = payload;
    for (int64_t k = 0; k < set->label_row; k++)
        label[k] = label_at(set, i * set->label_row + k);
    return LW_OK;
}

static lw_err npy_target(void *payload, int64_t i, float *y) {
    const npy_set *set = payload;
    for (int64_t k = 0; k < set->label_row; k++)
        y[k] = (float)lw_npy_at(&set->label, i * set->label_row + k);
    return LW_OK;
}

static int64_t npy_length(void *payload, int64_t i) {
    return (int64_t)lw_npy_at(&((const npy_set *)payload)->length, i);
}

static void npy_destroy(void *payload) {
    npy_set *set = payload;
    lw_free(set->length.data);
    lw_free(set->x.data);
    lw_free(set->label.data);
    lw_free(set);
}

/* "(618, 1301, 4)" */
static const char *shape_text(const lw_npy *a, char *out, size_t room) {
    size_t at = (size_t)snprintf(out, room, "(");
    for (int32_t d = 0; d < a->n_dim && at < room; d++)
        at += (size_t)snprintf(out + at, room - at, d ? ", %lld" : "%lld", (long long)a->dim[d]);
    if (at < room) (void)snprintf(out + at, room - at, ")");
    return out;
}

static lw_err labels_check(const npy_set *set, const char *path) {
    for (int64_t i = 0; i < set->label.count; i++) {
        double v = lw_npy_at(&set->label, i);
        bool known = v >= 0 && v < set->n_classes && v == floor(v);
        bool none = v == -1 || (v == 255 && set->n_classes <= 255);
        if (!known && !none)
            return LW_FAIL(LW_EFILE,
                "%s: sample %lld: found label %g, allowed are 0 to %d, and -1 or 255 for unlabelled", path,
                (long long)(i / set->label_row), v, set->n_classes - 1);
    }
    return LW_OK;
}

static lw_err npy_open(npy_set *set, const char *x_path, const char *label_path, lw_batch_source *out) {
    char found[160], other[160];
    LW_TRY(lw_npy_read(x_path, &set->x));
    LW_TRY(lw_npy_read(label_path, &set->label));
    const lw_npy *x = &set->x, *label = &set->label;
    if ((x->n_dim != 3 && x->n_dim != 2) || x->count == 0)
        return LW_FAIL(LW_EFILE, "%s: found shape %s, allowed are (samples, steps, channels) and (samples, steps)",
            x_path, shape_text(x, found, sizeof found));
    out->n_samples = x->dim[0];
    out->n_steps = x->dim[1];
    int64_t channels = x->n_dim == 3 ? x->dim[2] : 1;
    out->n_channels = (int32_t)channels;
    bool per_step = label->n_dim >= 2 && label->dim[1] == out->n_steps;
    bool fits = set->n_classes > 0 ? label->n_dim == 1 || (label->n_dim == 2 && per_step)
                                   : per_step && (label->n_dim == 2 || label->n_dim == 3);
    if (!fits || label->dim[0] != out->n_samples || label->count == 0 || channels > INT32_MAX)
        return LW_FAIL(LW_EFILE, "%s: found shape %s for inputs of shape %s, allowed are %s", label_path,
            shape_text(label, found, sizeof found), shape_text(x, other, sizeof other),
            set->n_classes > 0 ? "(samples) and (samples, steps)" : "(samples, steps) and (samples, steps, targets)");
    set->x_row = x->count / out->n_samples;
    set->label_row = label->count / out->n_samples;
    if (set->n_classes > 0) {
        out->label_per_step = label->n_dim == 2;
        out->n_classes = set->n_classes;
        return labels_check(set, label_path);
    }
    out->n_targets = (int32_t)(set->label_row / out->n_steps);
    return LW_OK;
}

lw_err lw_dataset_npy(
    const char *x_path, const char *label_path, int32_t n_classes, bool clip_negative, lw_batch_source *out) {
    npy_set *set = NULL;
    *out = (lw_batch_source){0};
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    set->n_classes = n_classes;
    set->clip_negative = clip_negative;
    lw_err err = npy_open(set, x_path, label_path, out);
    if (err != LW_OK) {
        npy_destroy(set);
        *out = (lw_batch_source){0};
        return err;
    }
    out->payload = set;
    out->input = npy_input;
    out->label = n_classes > 0 ? npy_label : NULL;
    out->target = n_classes > 0 ? NULL : npy_target;
    out->destroy = npy_destroy;
    return LW_OK;
}

lw_err lw_dataset_npy_lengths(const char *path, lw_batch_source *source) {
    npy_set *set = source->payload;
    char found[160];
    LW_CHECK(
        source->destroy == npy_destroy && !set->length.data, LW_EUSE, "%s: lengths are for one .npy data set", path);
    LW_TRY(lw_npy_read(path, &set->length));
    const lw_npy *length = &set->length;
    LW_CHECK(length->n_dim == 1 && length->dim[0] == source->n_samples, LW_EFILE,
        "%s: found shape %s, allowed is one length for each of %lld samples", path,
        shape_text(length, found, sizeof found), (long long)source->n_samples);
    for (int64_t i = 0; i < source->n_samples; i++) {
        double v = lw_npy_at(length, i);
        LW_CHECK(v >= 1 && v <= (double)source->n_steps && v == floor(v), LW_EFILE,
            "%s: sample %lld: found length %g, allowed are whole numbers from 1 to %lld", path, (long long)i, v,
            (long long)source->n_steps);
    }
    source->length = npy_length;
    return LW_OK;
}

void lw_batch_source_destroy(lw_batch_source *source) {
    if (source && source->destroy) source->destroy(source->payload);
    if (source) *source = (lw_batch_source){0};
}
