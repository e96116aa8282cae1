/* SPDX-License-Identifier: BSD-3-Clause
 *
 * batch.h: which samples make a batch, and their data laid out for the engine: the lane is the fastest index.
 */
#ifndef LAPWING_TRAIN_BATCH_H
#define LAPWING_TRAIN_BATCH_H

#include <lapwing/train.h>

/* Labels of a batch: a class (>= 0), unlabelled, or no sample in this lane at all. */
enum { LABEL_NONE = -1, LABEL_ABSENT = -2 };

/** This replica's part of a batch: one sample per lane. */
typedef struct batch {
    const lw_batch_source *source;
    /* ranks that load the same samples: each is read by one of them and sent to the others. NULL: this one alone */
    const lw_comm *part;
    int64_t n_steps, width;
    int64_t n_rows;    /* of labels: n_steps (label_per_step) or 1 */
    float *x;          /* [n_steps][n_channels][width] */
    int32_t *label;    /* [n_rows][width]; NULL for regression */
    float *target;     /* [n_steps][n_targets][width], NaN counts nowhere; NULL for classification */
    uint8_t *present;  /* [width] 1: the lane carries a sample */
    int64_t *steps;    /* [width] of the lane's sample, at most n_steps; of an absent one: n_steps */
    int64_t n_present; /* lanes with a sample, this replica */
    float *group_x;    /* samples as the source gives them, some lanes at a time */
    int32_t *one_label;
    float *one_target;
} batch;

/** **Local**. n_steps at most the source's. */
lw_err batch_create(const lw_batch_source *source, int64_t n_steps, int64_t width, batch **out) LW_MUST_CHECK;
void batch_destroy(batch **b);
/** Fill the lanes. sample: [width], -1 leaves a lane absent (zeros, no label). Errors of the source, EUSE of a label.
 * **Local**, or **Collective** over b->part. */
lw_err batch_load(batch *b, const int64_t *sample) LW_MUST_CHECK;

/** Training and validation samples of a set: a pure function of the seed. */
typedef struct order {
    uint64_t seed;
    int64_t n_train, n_validation;
    int64_t *train, *validation; /* sample numbers */
} order;
lw_err order_create(uint64_t seed, int64_t n_samples, double validation, order **out) LW_MUST_CHECK;
void order_destroy(order **o);
/** The i-th training sample of an epoch; -1 past the end. A pure function of (seed, epoch). */
int64_t order_sample(const order *o, int64_t epoch, int64_t i);

#endif
