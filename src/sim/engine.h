/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine.h: what the files of this room share: the engine's arrays, its phases, its history of emitted values, and the
 * typed products with a projection's weights. sim.c owns the engine and the loop; tape.c and tangent.c drive the same
 * phases.
 */
#ifndef LAPWING_SIM_ENGINE_H
#define LAPWING_SIM_ENGINE_H

#ifdef __SSE__
#include <xmmintrin.h>
#endif
#include <lapwing/sim.h>

/* length of the vectors of the register-tiled products */
#define VECTOR_BYTES LW_VECTOR_BYTES

/** A population on this rank, inside the engine. All block arrays are real [n_local, width]. */
typedef struct engine_pop {
    lw_pop_view view;
    const lw_model *model;
    const lw_kernel_set *kernel; /* of the engine's precision; the uniform twin when every coefficient is one number */
    bool uniform;                /* all parameters are one number: coefficients are [1] */
    bool rows;           /* history keeps real rows; false (spiking, width 1, hard, no tape): only lists of spikes */
    bool targets;        /* some rank has synapses from this population */
    bool direct;         /* one rank: the slots are the neurons, in their order */
    void **coef;         /* [n_coef], [n_local] or [1] */
    void **state;        /* [n_state] */
    void **input;        /* [n_input], in the engine's arrays of inputs; zeroed before each step's deliveries */
    void *out;           /* emitted value of this step */
    void *margin;        /* u of this step (allocated when tape, tangent or smooth need it) */
    void *slope;         /* S'(u), 0 where held (same) */
    int32_t *refractory; /* NULL without refractory */
    uint8_t *held;
    uint32_t watch; /* states before fire that tapes keep for lw_tape_state */
    /* feed */
    const float *feed;
    int64_t feed_step, feed_steps, feed_channels;
    int feed_port;
} engine_pop;

/** What was emitted, by step. Two rings; the entry of step t is (t - origin) mod depth, always asked for through
 * engine_rows and engine_list.
 *
 *  What the synapses of this rank may need, by slot: `depth` = delay_max + 1 steps, filled by engine_exchange_end.
 * list: rows (slot - slot_begin of the population) that emitted at that step, ascending, one list per population and
 * step; for rows == true populations it names the rows that are not all zero (graded and smooth: all rows; none before
 * the first step). value: real [n_slots, width] per step, for populations with rows == true; zero in rows that are not
 * listed.
 *
 *  What the neurons of this rank emitted, by lid: own_depth = delay_max steps, filled by engine_emit, or by the phases
 * themselves while a tape records; for exchange and checkpoints. own_list: index within the population of the neurons
 * that emitted in some lane (graded and smooth: not kept); own_value as `value`. */
typedef struct engine_history {
    int64_t depth, own_depth, origin;
    int64_t n_slots;
    void *value;        /* [depth][n_slots, width] real, or NULL when no population keeps rows */
    uint32_t *list;     /* [depth][n_slots] concatenated by population at slot_begin */
    int64_t *n_list;    /* [depth][n_pop] */
    void *own_value;    /* [own_depth][n_local of the net, width] real, or NULL when no population keeps rows */
    uint32_t *own_list; /* [own_depth][n_local of the net] concatenated by population at lid_begin */
    int64_t *n_own;     /* [own_depth][n_pop] */
} engine_history;

struct lw_sim {
    lw_net *net;
    lw_sim_options options;
    int32_t n_pop, n_proj, width;
    bool f64;
    size_t real_size;
    engine_pop *pop;    /* [n_pop] */
    lw_proj_view *proj; /* [n_proj] */
    int32_t n_inputs;   /* most ports of a population */
    void **input; /* [n_inputs], each real [n_local of the net, width]: port k of all populations by lid, so that a
                     bundle adds to several of them */
    int32_t n_levels;
    int64_t epoch; /* steps between exchanges: min delay, or 1 with delay-0 projections or a tape/tangent that asks for
                      it */
    engine_history history;
    lw_halo **halo; /* [n_levels]: slots of the populations of that level (n_levels == 1: all slots) */
    int64_t step;
    lw_sim_stats stats;
    int64_t *spike_count;             /* [n_local] */
    struct engine_stimulus *stimulus; /* stimulus.c */
    struct engine_record *record;     /* record.c */
    struct engine_exchange *exchange; /* exchange.c: buffers, begun exchange */
    struct engine_plastic **plastic;  /* [n_proj] plastic.h: projections with a synapse model; NULL where static */
    struct engine_dropout *dropout;   /* dropout.h; NULL: none */
    struct engine_lag *lag;           /* [n_proj] lag.h: projections with learned delays */
    struct engine_share *share;       /* [n_shares] share.h: what threads step */
    int32_t n_shares;
    int32_t n_bundles, n_plain; /* of the net when its views were taken; projections outside of them that deliver */
    int32_t *incoming;          /* [n_proj] projections by target population, each population's in the order of sums */
    int32_t *incoming_begin;    /* [n_pop + 1] */
    struct engine_dense *dense; /* dense.h; NULL: one lane, or no dense projections */
    int64_t bytes;              /* held by the engine on this rank */
    lw_err error; /* of this rank, from within the loop (recording ran out of memory); agreed on at safe points */
};

/* Subnormal numbers cost some 20 ordinary operations each on x86, and membrane voltages decay into them: every sweep
 * (advance, tape, tangent) brackets its steps with these two, so that all of them flush subnormals to zero and agree in
 * every bit. Local. */
static inline unsigned engine_fp_begin(void) {
#ifdef __SSE__
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* FTZ, DAZ */
    return before;
#else
    return 0;
#endif
}
static inline void engine_fp_end(unsigned before) {
#ifdef __SSE__
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

/* ---- phases of one step, per population or per level; all local unless said ---- */

/** Ask populations to keep rows (tape, tangent); margin and slope arrays are made, bundles of the net dissolved. Keeps
 * contents. */
lw_err engine_need_rows(lw_sim *sim) LW_MUST_CHECK;
/** Take the net's views and bundles anew. */
void engine_views(lw_sim *sim);
/** Zero the input of population p, deliver what is due at step t, add stimuli and feed. For nets without bundles. */
void engine_input(lw_sim *sim, int p, int64_t t);
/** update kernel of population p (state in place, margin, held). */
void engine_update(lw_sim *sim, int p);
/** s from margin: hard or smooth; 0 where held; and slope where the array exists. Writes pop->out. */
void engine_spike(lw_sim *sim, int p);
/** S''(u), 0 where held, into curve [n_local, width]; after engine_spike, in double precision. */
void engine_curve(const lw_sim *sim, int p, void *curve);
/** fire kernel (reset, counters; graded output). */
void engine_fire(lw_sim *sim, int p);
/** Note what population p emitted at step t: own history, statistics, recording of spikes. */
void engine_emit(lw_sim *sim, int p, int64_t t);
/** The same for its local neurons [first, last): their spikes in the own list from `first` on, counters into `stats`.
 * Returns the number of listed neurons. May run on disjoint ranges at the same time. */
int64_t engine_emit_range(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last, lw_sim_stats *stats);
/** Record what stands in the own list of population p at step t. */
void engine_note_spikes(lw_sim *sim, int p, int64_t t);
/** Make everything emitted by the populations of `level` in steps [t0, t1) known in the histories of all ranks that
 * want it. **Neighbour**. */
void engine_exchange_begin(lw_sim *sim, int level, int64_t t0, int64_t t1);
lw_err engine_exchange_end(lw_sim *sim, int level) LW_MUST_CHECK;
/** Record traces after step t. */
void engine_trace(lw_sim *sim, int64_t t);

/** Row block of population p at step t: real [n_slots(p), width] (rows populations only), and its list of non-zero
 * rows. */
void *engine_rows(const lw_sim *sim, int p, int64_t t);
const uint32_t *engine_list(const lw_sim *sim, int p, int64_t t, int64_t *n);

/** Kernel arguments with everything of population p filled in that belongs to the forward step. */
lw_kernel_args engine_args(lw_sim *sim, int p);

/* ---- products (deliver.c, from deliver_typed.c; reals and weights may be float or double) ---- */

/** acc[target] += w for every listed row (width 1, value 1). acc: real [n_local of post]. */
int64_t deliver_list(
    bool f64, const lw_proj_view *proj, const lw_slice *slice, const uint32_t *row, int64_t n, void *acc);
/** acc[target, :] += w x[row, :] for every listed row. x: real [n_rows, width]; acc: real [n_local of post, width]. */
int64_t deliver_rows(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, void *acc);
/** The same with weights w_tan (double [n_edges]) in place of w: weight directions. */
void deliver_rows_weight(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, const double *w_tan, void *acc);
/** Transpose: x_adj[row, :] += sum over targets w in_adj[target, :], all rows. */
void deliver_transpose(
    bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const void *in_adj, void *x_adj);
/** The same with weights w_tan (double [n_edges]) in place of w. */
void deliver_transpose_weight(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width,
    const double *w_tan, const void *in_adj, void *x_adj);
/** grad[edge] += sum over lanes in_adj[target, lane] x[row, lane], listed rows. grad: double [n_edges]. */
void deliver_weight_grad(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, const void *in_adj, double *grad);

#endif
