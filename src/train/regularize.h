/* SPDX-License-Identifier: BSD-3-Clause
 *
 * regularize.h: firing rates of a batch, and the penalties on rates, spike counts and states.
 */
#ifndef LAPWING_TRAIN_REGULARIZE_H
#define LAPWING_TRAIN_REGULARIZE_H

#include "batch.h"

/** A penalty and whom it looks at. */
typedef struct penalty {
    lw_penalty spec; /* without what it borrows */
    uint8_t *pop;    /* [n_pop] 1: looks at this population */
    int32_t *state;  /* [n_pop] number of the state variable in the population's model */
    double *found;   /* [n_pop] of a state, what was heard of this rank's neurons in the recording under way */
    double n;        /* neurons, or populations, of the whole network that a mean is taken over */
} penalty;

typedef struct rates {
    lw_dtype precision;
    int32_t n_pop;
    const lw_comm *part;
    int64_t n_steps, width, n_rows; /* rows: local neurons of spiking populations */
    int64_t *row_begin;             /* [n_pop + 1]; graded populations are empty */
    int64_t *n_local;               /* [n_pop] */
    double *size;                   /* [n_pop] neurons of the whole network */
    int64_t n_spiking;              /* neurons of the whole network */
    double dt, duration;            /* ms; of a sequence of n_steps */
    penalty *penalty;               /* [n_penalties] */
    int32_t n_penalties;
    void *count;        /* real [n_rows, width] spikes within the sample */
    void *adj;          /* real [n_rows, width] d penalties / d emitted value, the same at every step of the sample */
    double *mean;       /* [n_pop, width] rate of populations, kHz */
    double scale;       /* of the last evaluation */
    int64_t least;      /* steps that all its lanes have */
    const batch *batch; /* recorded last */
} rates;

/** **Local**. EUSE when a penalty names a population that it cannot look at. */
lw_err rates_create(const lw_loss *loss, const lw_net *net, int64_t n_steps, int64_t width, lw_dtype precision,
    rates **out) LW_MUST_CHECK;
void rates_destroy(rates **r);
/** Have tapes of this engine keep the states that penalties look at; true: there are some. **Local**. */
bool rates_watch(const rates *r, lw_sim *sim);
/** A recording of this batch begins. **Local**. */
void rates_begin(rates *r, const batch *b);
/** For lw_tape_listen, with the rates as payload: penalties on a state are summed while it is there, as a tape in
 * segments does not keep it. **Local**. */
void rates_hear(void *rates, int pop, int64_t t, int state, const void *x);
/** Count the tape's spikes. *spikes += those of local neurons in lanes that carry a sample; *sum += this rank's part of
 * the penalties' sum over samples; with scale > 0 the derivative of scale * penalties is prepared. **Collective** over
 * the partition. */
void rates_evaluate(rates *r, const lw_tape *tape, double scale, double *spikes, double *sum);
/** out_adj [n_local, width] += the prepared derivative with respect to what was emitted at step t. False when there is
 * none. **Local**. */
bool rates_seed(const rates *r, int pop, int64_t t, void *out_adj);
/** The same for a state that is watched. **Local**. */
void rates_seed_state(const rates *r, const lw_tape *tape, int pop, int64_t t, int state, void *state_adj);

#endif
