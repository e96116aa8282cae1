/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan: what a network will cost on P ranks, told from its specification alone, and a trial of one rank out of P.
 * Nothing is built for a forecast: neurons and partitions are arithmetic, synapses and halos are expectations over the
 * rules' draws with their standard errors, bytes are what net and sim will allocate for such numbers, and times come
 * from a calibration of the machine.
 */
#ifndef LAPWING_PLAN_H
#define LAPWING_PLAN_H

#include <lapwing/sim.h>

/* ------------------------------------------------------------------ calibration */

enum { LW_PLAN_ROWS = 2, LW_PLAN_SETS = 3, LW_PLAN_MEANS = 3, LW_PLAN_NAME = 64 };

/** Seconds of a neuron's step in one model and precision. */
typedef struct lw_plan_kernel {
    char name[LW_PLAN_NAME];
    char key[LW_PLAN_NAME]; /* of the model's text */
    lw_dtype precision;
    double s_step;
} lw_plan_kernel;

/** What a machine needs for the parts of a step, measured with the engine itself on small networks. */
typedef struct lw_plan_machine {
    char host[LW_PLAN_NAME], cpu[LW_PLAN_NAME];
    int ranks;         /* processes that measured at the same time */
    double base_bytes; /* resident set of a rank before it holds a network */
    /* seconds of a synaptic event of one weight, and of one weight each: by the synapses of a row that are due
       together, and by the bytes of a rank's synapses */
    double row_length[LW_PLAN_ROWS], set_bytes[LW_PLAN_SETS];
    double s_event[2][LW_PLAN_SETS][LW_PLAN_ROWS];
    double poisson_mean[LW_PLAN_MEANS], s_poisson[LW_PLAN_MEANS]; /* per neuron and step, by mean events of a step */
    double s_current, s_noise;                                    /* per neuron and step */
    double s_step;                                                /* fixed cost of a step */
    double s_spike;           /* per spike that a rank receives, own ones too: sent, put in order, noted */
    bool has_network;         /* the next two were measured between ranks; otherwise they are assumed */
    double s_message, s_byte; /* per message of an exchange (begun, waited for), per byte */
    int n_kernels;
    lw_plan_kernel *kernel; /* lw_alloc */
} lw_plan_machine;

/** Measure this machine, with these models (NULL entries are left out), some seconds. On several ranks messages are
 * measured too. **Collective**. Free kernel by lw_free. */
lw_err lw_plan_calibrate(
    const lw_comm *comm, int n_models, const lw_model *const *model, lw_plan_machine *out) LW_MUST_CHECK;
/** Measure a model that the calibration does not know. **Local**. */
lw_err lw_plan_calibrate_model(const lw_model *model, lw_dtype precision, lw_plan_machine *machine) LW_MUST_CHECK;
/** The entry of a model; NULL when it was not measured. */
const lw_plan_kernel *lw_plan_kernel_find(const lw_plan_machine *machine, const lw_model *model, lw_dtype precision);

/* ------------------------------------------------------------------ forecast */

/** An expectation and its standard error (an upper bound of it); error 0: exact. */
typedef struct lw_plan_number {
    double mean, error;
} lw_plan_number;

typedef struct lw_plan_options {
    int ranks, threads;
    lw_dtype precision;
    const lw_stimulus_spec *stimulus;
    int32_t n_stimuli;
    const double *rate;             /* [n_pop] Hz of spiking populations */
    const lw_plan_machine *machine; /* NULL: no times, and base_bytes 0 */
    double saved_synapses;          /* of a projection and rank in a portion of a checkpoint; 0: none is written */
} lw_plan_options;

/** One rank. */
typedef struct lw_plan_rank {
    int rank;
    int64_t neurons;
    lw_plan_number synapses;              /* local */
    lw_plan_number slots;                 /* sources that local synapses need */
    lw_plan_number slots_remote;          /* of other ranks: the halo */
    lw_plan_number neighbours;            /* ranks that they come from */
    double bytes_neurons, bytes_synapses; /* as lw_net_stats says */
    double bytes_engine;                  /* as lw_sim_bytes says */
    double bytes_peak;                    /* resident set while building or running, the process itself included */
    /* per exchange, received from others; over all ranks as much is sent */
    double messages, bytes, events;
    double s_deliver, s_stimulus, s_update, s_exchange; /* seconds per step; 0 without calibration */
} lw_plan_rank;

typedef struct lw_plan {
    int ranks, threads;
    int64_t neurons, epoch_steps;
    lw_plan_number synapses;     /* whole network */
    lw_plan_number slots_remote; /* summed over ranks */
    lw_plan_rank worst, mean;    /* the rank with most synapses; the average (rank -1) */
    bool halo_is_bound;          /* partition scotch: the halo of blocks, which it makes smaller */
    bool halo_is_rough;          /* some projection's halo is estimated from samples of its sources */
    bool known_models;           /* the calibration knows every model */
} lw_plan;

/** **Local**. EUSE as lw_net_create; EUSE when a projection has given edges that are not all here. */
lw_err lw_plan_make(const lw_net_spec *spec, const lw_plan_options *options, lw_plan *out) LW_MUST_CHECK;
static inline double lw_plan_step_seconds(const lw_plan_rank *r) {
    return r->s_deliver + r->s_stimulus + r->s_update + r->s_exchange;
}

/* ------------------------------------------------------------------ trial */

/** One rank out of P, built and run; seconds per step but of the whole build and run. */
typedef struct lw_plan_trial {
    int rank, ranks;
    int64_t neurons, synapses, slots, slots_remote;
    int neighbours;
    int64_t bytes_neurons, bytes_synapses, bytes_engine, bytes_held;
    int64_t steps, spikes, synaptic_events;
    double s_build, s_wall; /* s_wall holds the drawing of absent spikes, which no rank would do */
    double s_deliver, s_stimulus, s_update, s_exchange; /* the last without messages */
} lw_plan_trial;
/** Build and run rank `rank` of options->ranks on this process alone, the others firing at options->rate. **Local**.
 * EUSE for partition scotch and for rules that targets do not draw by themselves. */
lw_err lw_plan_trial_run(const lw_net_spec *spec, const lw_plan_options *options, int rank, int64_t steps,
    const lw_watch *watch, lw_plan_trial *out) LW_MUST_CHECK;

/** A specification `factor` times as large for weak scaling: populations grow, synapses per target stay. Strings,
 * models, lists and edges are shared with `spec`. EUSE where values are listed by neuron. Free by lw_plan_grown_free.
 * **Local**. */
lw_err lw_plan_grow(const lw_net_spec *spec, int64_t factor, lw_net_spec *out) LW_MUST_CHECK;
void lw_plan_grown_free(lw_net_spec *grown);

#endif
