/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sweep.h: what the derivative sweeps share: memory that is freed in one call, rows carried to slots and back by level,
 * the reach of what is learned, and the tape's own arrays. Tangents (_tan) and adjoints (_adj) are real [n, lanes],
 * lanes innermost.
 */
#ifndef LAPWING_SIM_SWEEP_H
#define LAPWING_SIM_SWEEP_H

#include "lag.h"
#include "past.h"

enum { SWEEP_MAX = 32 }; /* arrays of one kind a need mask can name */

/** Blocks of one lifetime. dry: nothing is allocated, bytes are only counted. */
typedef struct sweep_memory {
    void **block;
    int64_t n, room, bytes;
    bool dry;
} sweep_memory;
/** A zeroed array that lives until sweep_release; *out is NULL when dry. */
lw_err sweep_take(sweep_memory *m, int64_t count, size_t size, const char *what, void *out) LW_MUST_CHECK;
void sweep_release(sweep_memory *m);

/** Rows of this rank's neurons of the populations of `level`, [n_local of the net] of row_bytes, to slots [n_slots].
 * Other levels' slots stay. **Neighbour**. `compact` has room for all slots (unused with one level). */
void sweep_push(lw_sim *sim, int level, size_t row_bytes, const void *local, void *slots, void *compact);
/** The transpose: local += slots of that level, rows of `lanes` reals. **Neighbour**. */
void sweep_pull(lw_sim *sim, int level, int64_t lanes, void *slots, void *local, void *compact);

/** Between steps apart and steps together: packed[i][s] = entry (first + s) % depth of a ring [depth][n] of rows, s <
 * steps. */
typedef struct sweep_ring {
    char *base;
    int64_t n, depth;
    size_t row_bytes;
} sweep_ring;
char *sweep_ring_at(const sweep_ring *ring, int64_t step);
void sweep_pack(const sweep_ring *ring, int64_t first, int64_t steps, char *packed);
void sweep_unpack(const sweep_ring *ring, int64_t first, int64_t steps, const char *packed);

/** Offset of a projection's weights in theta, -1 when they are not learned; whether a population has learned
 * parameters. */
int64_t sweep_weight_offset(const lw_theta *theta, int proj);
int64_t sweep_delay_offset(const lw_theta *theta, int proj);
bool sweep_has_params(const lw_theta *theta, int pop);
/** Close `active` ([n_pop], preset with seeds) under: something learned at a population or on its way in, or an active
 * source. */
void sweep_reach(const lw_sim *sim, const lw_theta *theta, bool *active);
/** param[p] = x + offset of the learned parameters of a population, NULL for the others. */
void sweep_params(const lw_theta *theta, int pop, double *x, double **param);
/** Largest number over populations of neurons here, ports, states and parameters; rows of any projection here. */
typedef struct sweep_sizes {
    int64_t n_local, n_input, n_state, n_param, n_rows;
} sweep_sizes;
sweep_sizes sweep_sizes_get(const lw_sim *sim);

/** reals <-> doubles */
void sweep_to_f64(bool f64, int64_t n, const void *x, double *out);
void sweep_from_f64(bool f64, int64_t n, const double *x, void *out);

/* ------------------------------------------------------------------ gradients of weights (sweep_grad.c) */

/** Adjoints of one input port with learned weights, of consecutive steps in descending order. */
typedef struct sweep_panel {
    int32_t pop, port;
    int64_t room, steps; /* steps of room, steps held */
    int64_t first;       /* recorded step of the first one held */
    int64_t block;       /* targets that lie together: n_local, or fewer where all projections are dense */
    void *adj;           /* [block of targets][room, width][targets of the block] real: a block fits the second cache */
} sweep_panel;
typedef struct sweep_grad {
    int64_t n_panel;
    sweep_panel *panel;
    past **from;              /* what the sources emitted, by step of the panel, */
    int64_t *at;              /* and which step of that it is */
    const uint64_t **of_step; /* its bits */
    uint64_t *bits;           /* by column of the panel: where a row is not zero */
    uint32_t *column;         /* [most room * width] of one row: where it is not zero */
    void *value;              /* real, what it is there */
    double **tied; /* [n_proj] of projections with tied weights, by synapse: gradients until they are summed by kernel
                      entry, or directions; NULL of others */
    double *entry; /* [most entries] */
    const void
        *mask; /* real [rows, width] of the projection in work: what its values are multiplied by; NULL: nothing */
} sweep_grad;
lw_err sweep_grad_plan(const lw_sim *sim, const lw_theta *theta, sweep_memory *m, sweep_grad *g) LW_MUST_CHECK;
/** The adjoints of population pop's inputs at recorded step t, by port: [n_local, width]. */
void sweep_grad_add(lw_tape *tape, int pop, int64_t t, char *const *in_adj, double *grad);
/** Empty all panels into grad; blocks of weights (but tied ones) are reported to seed->ready as they are done. */
void sweep_grad_end(lw_tape *tape, const lw_tape_seed *seed, double *grad);

/* ------------------------------------------------------------------ tied weights (sweep_tied.c) */

lw_err sweep_tied_plan(const lw_sim *sim, const lw_theta *theta, sweep_memory *m, sweep_grad *g) LW_MUST_CHECK;
/** Before a sweep back. **Local**. */
void sweep_tied_begin(lw_sim *sim, sweep_grad *g);
/** Sums of tied weights over the synapses of all ranks, into grad, when all panels are empty; then reported as above.
 * **Collective**. */
void sweep_tied_end(lw_sim *sim, const lw_theta *theta, sweep_grad *g, const lw_tape_seed *seed, double *grad);
/** To be called when a sweep with a new direction begins. **Local**. */
void sweep_direction_spread(lw_sim *sim, const lw_theta *theta, sweep_grad *g, const double *direction);
/** The direction of a projection's weights by synapse; NULL where they are not learned. Valid until the next sweep
 * back.
 */
const double *sweep_direction(
    const lw_sim *sim, const lw_theta *theta, const sweep_grad *g, int proj, const double *direction);

/* ------------------------------------------------------------------ tape */

/** Record of a population: real [max_steps][n_local, width] each, NULL where the need masks have no bit. */
typedef struct tape_pop {
    char *old[SWEEP_MAX], *in[SWEEP_MAX], *pre[SWEEP_MAX];
    char *slope, *curve; /* curve: S''(u), of a tape for second derivatives */
    past out;            /* what its neurons emitted */
    past slots; /* what its slots here emitted, where weights or delays of their synapses are learned: from `before`
                   steps before the recording on; direct: only those, the others are in `out` */
    int64_t before;
    bool direct;
    bool mirror; /* hands a feed on as it is */
    uint8_t *held;
    lw_model_need keep;
    void *own_out, *own_slope; /* the engine's, while the tape records */
} tape_pop;

/** Room of one sweep, made when it first runs. Both sweeps need the same: states' adjoints or tangents, a ring over
 * steps of slots' adjoints or tangents (a contribution of step t + d to step t waits there until its epoch comes; a
 * tangent of step t until t + d), and the same for own neurons over one epoch. */
typedef struct tape_room {
    sweep_memory memory;
    sweep_ring slot;        /* [delay_max + epoch][n_slots, width] real */
    sweep_ring local;       /* [epoch][n_local of the net, width] real: values emitted */
    char *packed;           /* [n_slots, epoch, width] real */
    char *packed_local;     /* [n_local of the net, epoch, width] real */
    int64_t *state_begin;   /* [n_pop + 1] */
    char **state;           /* population p, state i at state_begin[p] + i: [n_local, width] real */
    char *input[SWEEP_MAX]; /* [n_local, width] real, of the population in work */
    double **coef;          /* the same numbering by coef_begin: [n_local]; NULL without learned parameters */
    int64_t *coef_begin;    /* [n_pop + 1] */
    double **param;         /* one per parameter, of the population in work */
    bool *active;           /* [n_pop] its adjoint or tangent can differ from 0 and is wanted */
    uint32_t *row;          /* 0, 1, 2 ...: all rows of a projection */
    uint32_t *list;         /* [most rows of a projection] those that emitted */
    void **packed_weight;   /* [n_proj] dense weights as dense_adjoint reads them; NULL where it does not */
    int32_t *neuron;        /* [n_slots] place of the slot's neuron in its population here, -1 on another rank */
    sweep_grad grad;
    lag_sweep lag;
} tape_room;

/** Of a tape in segments: where each begins, and what was emitted in all steps (segment.c). */
typedef struct tape_segments {
    int64_t length, most; /* steps of a segment, segments of max_steps */
    char *snapshot;       /* [most][bytes]; NULL: a rolling tape, which goes back nowhere */
    int64_t snapshot_bytes;
    past *out;            /* [n_pop] of kept populations */
    int64_t *spike_count; /* [n_local of the net] while steps are run again */
    bool again;
} tape_segments;

/** Of a tape for second derivatives (second.c): tangents kept by the tangent sweep, all real [max_steps][...], and what
 * the adjoint sweep carries besides the adjoints, their tangents. */
typedef struct second_pop {
    char *old[SWEEP_MAX], *in[SWEEP_MAX], *pre[SWEEP_MAX]; /* tangents [max_steps][n_local, width], by need_tan */
    char *state_adj[SWEEP_MAX];                            /* [n_local, width] */
    double **coef_tan, **coef_adj;                         /* [n_coef], each [n_local] */
} second_pop;
typedef struct tape_second {
    second_pop *pop;            /* [n_pop] */
    char *slot_tan;             /* [max_steps][n_slots, width] */
    sweep_ring slot, local;     /* as those of the room */
    char *input_adj[SWEEP_MAX]; /* [n_local, width], of the population in work */
    const double **param_tan;   /* one per parameter, of the population in work */
    sweep_grad grad;            /* tied weights' part of the product, by synapse */
} tape_second;

struct lw_tape {
    lw_sim *sim;
    const lw_theta *theta;
    int64_t max_steps, n_steps;
    int64_t t0;         /* engine step of recorded step 0 */
    int64_t begin, end; /* recorded steps that `pop` holds: all of them without segments */
    bool rolling;       /* for traces only */
    tape_segments *segments;
    tape_second *second; /* NULL: first derivatives only */
    tape_pop *pop;       /* [n_pop] */
    sweep_memory memory;
    tape_room *room; /* of the sweeps, which are never both in work */
    void *hearer;    /* of lw_tape_listen, with what it is told; NULL: nobody */
    void (*hear)(void *hearer, int pop, int64_t t, int state, const void *x);
};

/** Linearisation point of step t of a population; `at` holds the pointer tables. */
typedef struct tape_point {
    const void *old[SWEEP_MAX], *in[SWEEP_MAX], *pre[SWEEP_MAX];
} tape_point;
lw_kernel_args tape_args(lw_tape *tape, int p, int64_t t, tape_point *at);
/** What the slots of population p emitted at recorded step t, which may lie before the recording: step *k of the
 * result.
 */
past *tape_slots(lw_tape *tape, int p, int64_t t, int64_t *k);
/** The recording is complete and the engine still stands at its end. */
lw_err tape_check(const lw_tape *tape) LW_MUST_CHECK;
/** Record the steps [begin, end) of a run, from where the engine stands. **Collective**. */
lw_err tape_record(lw_tape *tape, int64_t begin, int64_t end) LW_MUST_CHECK;
/* segment.c; all **Local** but segment_load */
lw_err segments_plan(const lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep, bool rolling,
    sweep_memory *m, tape_segments *out) LW_MUST_CHECK;
/** Note the state before recorded step t, the beginning of a segment; what population p emitted at recorded step t. */
void segment_note(lw_tape *tape, int64_t t);
void segment_emit(lw_tape *tape, int p, int64_t t);
/** Record the segment that holds recorded step end - 1 again. **Collective**. */
lw_err segment_load(lw_tape *tape, int64_t end) LW_MUST_CHECK;
/** Spike counts as they were before anything was run again. */
void segments_end(lw_tape *tape);
/* second.c */
/** What second derivatives need of a tape of `steps` steps. EUSE for what has none. **Local**. */
lw_err second_plan(
    const lw_sim *sim, int64_t steps, const lw_theta *theta, sweep_memory *m, tape_second **out) LW_MUST_CHECK;
/** Keep the tangents of a population's states and inputs before update and before fire; of the slots in steps
 * [begin, end). **Local**. */
void second_keep_before(lw_tape *tape, int p, int64_t t);
void second_keep_after(lw_tape *tape, int p, int64_t t);
void second_keep_slots(lw_tape *tape, int64_t begin, int64_t end);
/** A ring of a sweep over steps. **Local**. */
lw_err sweep_ring_plan(sweep_memory *m, int64_t depth, int64_t n, size_t row_bytes, sweep_ring *ring) LW_MUST_CHECK;
/** Take (or, when memory.dry, count) the room of the sweeps. **Local**. */
lw_err tape_room_plan(const lw_sim *sim, const lw_theta *theta, tape_room *room) LW_MUST_CHECK;
/** Make the room on first use and clear it. **Collective**. */
lw_err tape_room_ready(lw_tape *tape) LW_MUST_CHECK;
/** Forget the adjoints of states and of what was emitted; gradients stay. **Local**. */
void tape_room_cut(lw_tape *tape);

#endif
