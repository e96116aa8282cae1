/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plastic.h: projections with a synapse model, as the plastic*.c share them: what is kept of sources, of targets, and
 * of spikes on their way. README.md, "Plastic synapses", tells why.
 */
#ifndef LAPWING_SIM_PLASTIC_H
#define LAPWING_SIM_PLASTIC_H

#include "engine_parts.h"

/** A ring of records, each `stride` doubles, with the place where each of the last `depth` steps begins. */
typedef struct plastic_ring {
    int64_t stride, room; /* records */
    double *record;       /* [room][stride] */
    int64_t first, end;   /* numbers of the oldest record kept, and of the next; record i stands at i mod room */
    int64_t depth;        /* steps */
    int64_t *begin;       /* [depth] number of the first record of step s at s mod depth */
    int64_t next;         /* first step without records */
} plastic_ring;

/** State of a neuron as a source: [0] step of its last spike (-1: none yet), [1 ..] pre variables right after it. */
typedef struct engine_plastic {
    const lw_synapse_model *model;
    int32_t proj, delay_low, delay_high; /* steps, whole network */
    bool in_axon;
    double dt, coef[LW_SYNAPSE_COEF_MAX], pre[LW_SYNAPSE_STATE_MAX], post[LW_SYNAPSE_STATE_MAX]; /* at the start */
    int64_t n_rows, n_own, n_post;
    double *source; /* [n_rows][1 + n_pre] by slot, with all spikes of steps before flying.next */
    plastic_ring
        flying;  /* per spike that is not everywhere yet, in the order of the lists: the source's state before */
    double *own; /* [n_own][1 + n_pre] by local neuron of pre, with spikes of steps before own_flying's oldest */
    plastic_ring own_flying; /* [0] local neurons of pre that spiked in the last delay_high steps */
    double *cut;             /* [n_rows][1 + n_pre] room for settling */
    int64_t *count;          /* [n_post] */
    double *entry;           /* [n_post][mask + 1][1 + n_post variables], see lw_synapse_trail */
    int64_t mask;
    int64_t posted;    /* first step whose post spikes are not entered */
    double *settled;   /* [n_slices] post spikes up to this step have changed the slice's weights */
    double *delivered; /* [CHUNK] */
    uint32_t *index;   /* [n_post] 0, 1, 2 ... for dense projections */
} engine_plastic;

enum { PLASTIC_CHUNK = 256 };

/* plastic.c */
lw_err plastic_ring_create(plastic_ring *r, int64_t stride, int64_t depth) LW_MUST_CHECK;
/** Empty, step `next` to come. */
void plastic_ring_clear(plastic_ring *r, int64_t next);
static inline double *plastic_ring_at(const plastic_ring *r, int64_t number) {
    return r->record + number % r->room * r->stride;
}
/** Begin step r->next, forgetting what is older than the ring; false: no memory for n records. */
bool plastic_ring_step(plastic_ring *r, int64_t n);

/* plastic_deliver.c */
/** Enter what the targets and own sources of the projection did in steps before t. */
void plastic_catch_up(lw_sim *sim, engine_plastic *x, int64_t t);
/** Take sources' spikes of steps up to and including `step`, which must be known here. */
void plastic_note(lw_sim *sim, engine_plastic *x, int64_t step);
/** Rings of targets of twice the length. */
lw_err plastic_trail_grow(engine_plastic *x) LW_MUST_CHECK;
/** Let post spikes change all weights that they may change now, before the deliveries of step t. */
void plastic_settle(lw_sim *sim, engine_plastic *x, int64_t t, int64_t known);

#endif
