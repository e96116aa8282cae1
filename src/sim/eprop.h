/* SPDX-License-Identifier: BSD-3-Clause
 *
 * eprop.h: what eprop.c (who has traces, learning signals) and eprop_trace.c (the traces) share. A cell is (neuron,
 * lane), in this order; a column of a group is one synapse onto the neuron, or one parameter.
 */
#ifndef LAPWING_SIM_EPROP_H
#define LAPWING_SIM_EPROP_H

#include "sweep.h"

/** Where a synapse's presynaptic value comes from: a slice of a projection, a row of it; and its number in the
 * projection. */
typedef struct eprop_column {
    int32_t source, row;
    int64_t edge;
} eprop_column;
typedef struct eprop_source {
    int32_t proj, slice;
    int64_t offset;   /* of the projection's block of theta */
    const void *rows; /* real [n_rows, width] that arrive in the step in work; NULL: zeros */
} eprop_source;

/** Tangents of one port's weights or of one parameter. Neurons with fewer synapses than others have idle columns. */
typedef struct eprop_group {
    int32_t port, param;  /* param -1: weights */
    int64_t width;        /* columns */
    int64_t offset;       /* param: of its block of theta */
    int64_t *n;           /* [n_local] columns in use */
    eprop_column *column; /* [n_local][width] */
    char **state;         /* [n_state] real [cells][width] */
    char **filter;        /* [n_state of the read-out] the same; NULL for the read-out itself */
    double *sum;          /* [n_local][width] gradient */
    double **coef_tan;    /* param: [n_coef], [cells] */
} eprop_group;

typedef struct eprop_pop {
    int32_t pop;
    bool is_readout;
    int32_t port;     /* of the read-out */
    int32_t delay;    /* steps to the read-out */
    void **coef;      /* [n_coef] real [cells]; NULL: one number each, the engine's */
    double *feedback; /* random and adaptive: [n_local][units] */
    int32_t n_groups;
    eprop_group *group;
} eprop_pop;

struct lw_eprop {
    lw_tape *tape;
    lw_sim *sim;
    const lw_theta *theta;
    lw_eprop_spec spec;
    double part; /* of the random feedback; 1 unless it is adaptive */
    sweep_memory memory;
    sweep_grad tied;                  /* of tied weights only: gradients by synapse */
    int64_t chunk, units, reach;      /* steps recorded at a time; read-out units; largest delay to the read-out */
    int32_t n_pop, n_sources, n_coef; /* n_coef: most of any */
    eprop_pop *pop;
    eprop_source *source;
    void **readout_coef;           /* [n_coef of the read-out] real [1] */
    void *delta;                   /* real [units][chunk + reach][width] d loss / d read-out */
    void *shifted;                 /* real [read-out units here][chunk][width] */
    void *slots, *local, *compact; /* real [slots or neurons here][chunk][width] learning signals */
    /* room for some neurons of a group, real [cells][columns] */
    int64_t room;
    void *in, *zero, *out, *filtered;
    void *direct;           /* real [largest population here, width] */
    const void **at;        /* [n_coef] */
    const double **coef_at; /* [n_coef] */
    double **derived;       /* [n_coef], [largest population here] */
    double **one; /* [largest n_param] directions of parameters, [largest population here] of ones where learned */
    double *ones;
};

/** Groups and traces of what is learned at e->pop[i]. **Local**. */
lw_err eprop_groups(lw_eprop *e, eprop_pop *q) LW_MUST_CHECK;
/** Coefficients as they are now, all traces 0. **Local**. */
void eprop_begin(lw_eprop *e);
/** One step: traces forward, times what the neurons are told. direct, signal: real [n_local, width] with `stride` reals
 * from neuron to neuron, or NULL. **Local**. */
void eprop_step(lw_eprop *e, eprop_pop *q, int64_t t, const void *direct, const void *signal, int64_t stride);
/** grad += what was summed. **Collective** (tied weights). */
void eprop_end(lw_eprop *e, double *grad);

#endif
