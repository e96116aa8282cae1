/* SPDX-License-Identifier: BSD-3-Clause
 *
 * regularize.h: firing rates of a batch, and the penalty that keeps them inside a band.
 */
#ifndef LAPWING_TRAIN_REGULARIZE_H
#define LAPWING_TRAIN_REGULARIZE_H

#include "batch.h"

typedef struct rates {
    lw_dtype precision;
    int32_t n_pop;
    int64_t n_steps, width, n_rows; /* rows: local neurons of spiking populations */
    int64_t *row_begin;             /* [n_pop + 1]; graded populations are empty */
    uint8_t *banded;                /* [n_pop] 1: the penalty looks at this population */
    int64_t n_spiking, n_banded;    /* neurons of the whole network */
    double weight, lower, upper;    /* rates in kHz */
    double duration;                /* of a sequence, ms */
    void *count;                    /* real [n_rows, width] spikes in the sequence */
    void *adj;                      /* real [n_rows, width] d penalty / d emitted value, the same at every step */
} rates;

/** **Local**. EUSE when loss->rate_pop names a graded population. */
lw_err rates_create(const lw_loss *loss, const lw_net *net, int64_t n_steps, int64_t width, lw_dtype precision,
    rates **out) LW_MUST_CHECK;
void rates_destroy(rates **r);
/** Count the tape's spikes. *spikes += those of local neurons in lanes that carry a sample; *penalty += this rank's
 * part of the sum over samples; with scale > 0 the derivative of scale * penalty is prepared. **Local**. */
void rates_evaluate(
    rates *r, const lw_tape *tape, const uint8_t *present, double scale, double *spikes, double *penalty);
/** out_adj [n_local, width] += the prepared derivative. False when there is none. **Local**. */
bool rates_seed(const rates *r, int pop, void *out_adj);

#endif
