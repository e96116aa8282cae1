/* SPDX-License-Identifier: BSD-3-Clause
 *
 * loss.h: from what the read-out population emitted over a sequence to the loss of a batch and its derivative.
 */
#ifndef LAPWING_TRAIN_LOSS_H
#define LAPWING_TRAIN_LOSS_H

#include "batch.h"

/** Sums over counted items: (sample, step) pairs for classification, single numbers for regression. All doubles, so
 * that a tally can be summed over ranks as an array. */
typedef struct loss_tally {
    double loss, counted, correct;     /* under the loss' protocol */
    double labelled, labelled_correct; /* only items with a label of their own */
    double sq;                         /* regression: squared errors */
} loss_tally;
enum { LOSS_TALLY_SIZE = sizeof(loss_tally) / sizeof(double) };

typedef struct loss_work {
    lw_loss spec;
    const lw_comm *part;     /* the ranks that share the read-out population */
    lw_dtype precision;      /* of z, z_adj, top, sum: the engine's */
    int64_t n_steps, n_rows; /* rows: n_steps for a loss per step (with a vote, too), else 1 */
    double dt;
    int64_t n_units, n_local, width;
    int64_t *unit;        /* [n_local] class or target of each local read-out neuron */
    void *z;              /* [n_rows][n_units][width] read-out of all units */
    void *z_adj;          /* [n_rows][n_local][width] d loss / d z of the local ones */
    int32_t *step_max;    /* [n_local][width] step of the maximum */
    void *slope;          /* [n_steps][n_local][width] d z / d emitted value, of first spikes */
    const int64_t *steps; /* [width] of the batch that was read last */
    void *share;          /* [width] part of a sample's weight that each of its rows has; 1 but with a vote */
    int32_t *votes;       /* [n_units][width] steps won, with a vote */
    void *top, *sum;      /* [width] of one row: largest value; sum of exp(z - top) */
    void *trace;          /* [n_units][width] of van Rossum's kernel */
    int32_t *arg, *want;  /* [width] of one row: class found, class wanted (-1: not counted) */
    double *confusion;    /* [n_units, n_units] row = label, filled when not NULL; borrowed */
} loss_work;

/** Can this loss be taken of these data. **Local**. */
lw_err loss_check(const lw_loss *loss, const lw_batch_source *data) LW_MUST_CHECK;
/** **Local**. part is borrowed. */
lw_err loss_create(const lw_loss *spec, const lw_comm *part, const lw_net *net, int64_t n_steps, int64_t width,
    lw_dtype precision, loss_work **out) LW_MUST_CHECK;
void loss_destroy(loss_work **w);
/** Number of counted items of a batch on this replica: what the loss is divided by (after a sum over replicas).
 * **Local**. */
double loss_count(const loss_work *w, const batch *b);
/** z <- the read-out of all units, from what the tape recorded of this batch. **Collective** over `part` (one sum;
 * nothing when it is one rank). */
void loss_read(loss_work *w, const batch *b, const lw_tape *tape);
/** Loss of z: adds to the tally and, with scale > 0, prepares scale * d (sum of losses) / d z. Uses z up. **Local**. */
void loss_evaluate(loss_work *w, const batch *b, double scale, loss_tally *tally);
/** out_adj [n_local, width] += derivative with respect to what the read-out emitted at step t. False when there is
 * none. **Local**. */
bool loss_seed(const loss_work *w, int64_t t, void *out_adj);

/** What van Rossum's kernel keeps over one step. */
double loss_decay(const loss_work *w);
/** Does row r count at all: its lanes decide by loss_counts. */
static inline bool loss_row(const loss_work *w, int64_t r) {
    int64_t every = w->spec.every > 1 ? w->spec.every : 1, past = r - w->spec.skip + 1;
    bool per_step = w->spec.readout == LW_READOUT_PER_STEP || w->spec.readout == LW_READOUT_VOTE;
    return !per_step || (past > 0 && past % every == 0);
}
/** Does a sample of so many steps have row r, which counts. */
static inline bool loss_counts(const loss_work *w, int64_t steps, int64_t r) {
    bool per_step = w->spec.readout == LW_READOUT_PER_STEP || w->spec.readout == LW_READOUT_VOTE;
    return per_step ? r < steps : w->spec.readout == LW_READOUT_LAST || steps > w->spec.skip;
}
/** Step whose label or target is that of row r. */
static inline int64_t loss_step(const loss_work *w, int64_t steps, int64_t r) {
    bool per_step = w->spec.readout == LW_READOUT_PER_STEP || w->spec.readout == LW_READOUT_VOTE;
    return per_step ? r : steps - 1;
}

#endif
