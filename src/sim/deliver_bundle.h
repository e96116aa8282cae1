/* SPDX-License-Identifier: BSD-3-Clause
 *
 * deliver_bundle.h: the queue through which spikes pass on their way into the inputs of a block. What is due at a step
 * is first listed, cell by cell, and then added with the memory of the following cells under way.
 */
#ifndef LAPWING_SIM_DELIVER_BUNDLE_H
#define LAPWING_SIM_DELIVER_BUNDLE_H

#include <lapwing/net.h>

enum {
    QUEUE_CELLS = 2048, /* room; what is due beyond that is done in portions */
    QUEUE_RUNS = 64
};

/** Successive cells of one bundle: those before `end` and not before the end of the former run. */
typedef struct queue_run {
    const lw_bundle *bundle;
    void *acc; /* real, inputs of the block's neurons at the bundle's port */
    int64_t end;
    int32_t slice; /* of a bundle without table; others may have several in a run */
} queue_run;

/** Cells in the order in which they are added. */
typedef struct queue {
    int64_t n;
    int32_t n_runs;
    queue_run run[QUEUE_RUNS];
    const uint32_t *cell[QUEUE_CELLS]; /* its place in lw_bundle.begin */
} queue;

/** Append slice `slice` of the listed rows (ascending) of a bundle, adding what there is no room for. Returns the
 * number of synapses that were added so. */
int64_t queue_put(
    bool f64, queue *q, const lw_bundle *bundle, void *acc, int32_t slice, const uint32_t *row, int64_t n);
/** Add everything: acc[target] += weight, cell after cell, and leave the queue empty. Returns the number of synapses.
 */
int64_t queue_empty(bool f64, queue *q);

#endif
