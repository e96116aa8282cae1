/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sim: the time loop, and the sweeps through it. One engine steps a network with `width` lanes (1 for a simulation, the
 * batch for training); a tape records what the derivative needs; the tape's sweeps pull adjoints back or push tangents
 * forward; a tangent block pushes k perturbations along the running trajectory (Lyapunov).
 *
 * Step t (lw_sim_step counts steps done): for each level of populations: (1) values emitted at t-d by the sources of a
 * slice with delay d arrive, summed per target in the fixed order (projection, descending delay, ascending source gid),
 * so that sums do not depend on ranks; then stimuli are added; (2) update; (3) spikes where u >= 0 and not refractory;
 * (4) reset. What is emitted at t is felt at t + delay. Between ranks, values travel once per epoch of min-delay steps
 * (per level and step where delay-0 projections exist).
 *
 * Arrays are [n, width], the lane being the fastest index; `real` is float or double as the engine's precision says.
 */
#ifndef LAPWING_SIM_H
#define LAPWING_SIM_H

#include <lapwing/net.h>

/* ------------------------------------------------------------------ surrogate */

typedef enum lw_surrogate_kind {
    LW_SURROGATE_SUPERSPIKE, /* 1/(1+b|u|)^2        Zenke & Ganguli 2018 */
    LW_SURROGATE_SIGMOID,    /* b s(bu)(1-s(bu)) */
    LW_SURROGATE_ARCTAN,     /* 1/(1+(pi b u/2)^2) */
    LW_SURROGATE_TRIANGLE,   /* max(0, 1-b|u|)      compact */
    LW_SURROGATE_BOXCAR,     /* 1/2 where b|u| < 1  compact */
    LW_SURROGATE_GAUSSIAN    /* exp(-(bu)^2/2) b/sqrt(2 pi) */
} lw_surrogate_kind;
typedef struct lw_surrogate {
    lw_surrogate_kind kind;
    double slope; /* b > 0, per unit of the margin */
    double scale; /* the derivative is multiplied by this; 1 */
} lw_surrogate;
/** Name <-> kind ("superspike" ...); EUSE listing the names when unknown. */
lw_err lw_surrogate_parse(const char *name, lw_surrogate_kind *kind) LW_MUST_CHECK;
const char *lw_surrogate_name(lw_surrogate_kind kind);
/** The derivative at margin u, and its antiderivative with S(0) = 1/2 (the smooth spike of gradcheck). */
double lw_surrogate_slope(const lw_surrogate *s, double u);
/** The derivative of the slope, for second derivatives. The slope of superspike has a kink at 0, that of triangle kinks
 * at 0 and at the ends of its support: 0 there. That of boxcar jumps where it begins and ends and is flat elsewhere: 0
 * everywhere. */
double lw_surrogate_curve(const lw_surrogate *s, double u);
double lw_surrogate_smooth(const lw_surrogate *s, double u);

/* ------------------------------------------------------------------ stimulus */

typedef enum lw_stimulus_kind {
    LW_STIMULUS_POISSON, /* every neuron and lane gets Poisson(rate dt) events of `weight` per step; rate in kHz */
    LW_STIMULUS_CURRENT, /* `amplitude` in [start, stop) */
    LW_STIMULUS_NOISE,   /* normal(mean, sd) drawn anew every `every` steps */
    LW_STIMULUS_SPIKES,  /* given (neuron, time) events of `weight` */
    LW_STIMULUS_UNIFORM  /* a number uniform in (0, amplitude), drawn anew every step: chance for stochastic models */
} lw_stimulus_kind;
typedef struct lw_stimulus_spec {
    lw_stimulus_kind kind;
    int32_t pop, port;
    lw_dist amplitude; /* per neuron: rate (kHz), current, or mean */
    double sd, weight;
    int64_t start, stop;         /* steps, half open; stop < 0: for ever */
    const int64_t *spike_neuron; /* [n_spikes] index within the population */
    const int64_t *spike_step;   /* [n_spikes] the step whose update feels it */
    int64_t n_spikes;
    /* rates and currents that change with time: added to `amplitude`, the same for all neurons (and rates below 0 count
     * as 0). First those that hold from a step to the next, nothing before the first; then wave * sin(2 pi (t dt
     * wave_frequency + wave_phase)) at the beginning of step t. */
    const int64_t *change_step; /* [n_changes] ascending */
    const double *change_value; /* [n_changes] kHz or current */
    int64_t n_changes;
    double wave, wave_frequency, wave_phase; /* kHz or current; kHz; cycles */
    int64_t every;                           /* noise: steps [k every, (k + 1) every) have one number; 0: 1 */
} lw_stimulus_spec;

/* ------------------------------------------------------------------ engine */

/** Where one kind of product with a dense projection in several lanes becomes faster than another. */
typedef struct lw_crossover {
    /* forward: up to this share of values that are not zero they are walked, above it all are multiplied; the bits are
     * the same either way */
    double walk;
    /* adjoint, with a surrogate that is zero far from the threshold: up to the share n / (place[0] n + place[1]) of
     * places with a slope, n targets, sums are made for those places only. They are rounded otherwise */
    double place[2];
} lw_crossover;
/** Of a core with AVX-512: the same on every machine. */
lw_crossover lw_crossover_default(void);
/** Of this processor, in floats, in some milliseconds. EMEM. **Local**. */
lw_err lw_crossover_measure(lw_crossover *out) LW_MUST_CHECK;

typedef struct lw_sim_options {
    lw_dtype precision;
    int32_t width;                    /* lanes, >= 1 */
    int32_t threads;                  /* of this rank, at most as many as the net has target blocks; 0 counts as 1 */
    bool smooth;                      /* spikes are S(u) in (0, 1): differentiable, for gradcheck */
    lw_surrogate surrogate;           /* used by smooth spikes, tapes and tangents */
    bool reset_detached;              /* the reset is not differentiated through s */
    const lw_stimulus_spec *stimulus; /* copied */
    int32_t n_stimuli;
    uint64_t stimulus_seed; /* 0: the net's */
    bool adjoint_bf16; /* with floats: adjoint sweeps round weights of dense projections, and what is multiplied with
                          them, to bfloat16 (8 bits); sums are floats. Twice as fast where the processor has such
                          products (AVX512_BF16). Nothing forward changes, nor do tangents */
    bool no_checksum;  /* spike_checksum stays 0: marking every spike takes a twentieth of a training step */
    lw_crossover crossover;
    const struct lw_sim *copies_of; /* NULL, or an engine with these options on the same net whose copies of weights
                                       this one reads, as threads do: it outlives this one and is refreshed before it */
    const lw_comm *copies_with; /* NULL, or ranks with equal nets and options, which share the copies where they share a
                                   node, as replicas do: creation, refresh and destruction are then collective over it,
                                   and whoever refreshes writes into what the others read */
} lw_sim_options;
static inline lw_sim_options lw_sim_options_default(void) {
    lw_sim_options o = {.precision = LW_F64,
        .width = 1,
        .surrogate = {LW_SURROGATE_SUPERSPIKE, 10, 1},
        .reset_detached = true,
        .crossover = lw_crossover_default()};
    return o;
}

/** Has this processor, as far as the program was built for it, the products that make adjoint_bf16 faster? */
bool lw_sim_has_bf16(void);

typedef struct lw_sim lw_sim;
/** **Collective** over the net's communicator. The net is borrowed and must outlive the engine. State is initialised
 * (lw_sim_reset). */
lw_err lw_sim_create(lw_net *net, const lw_sim_options *options, lw_sim **out) LW_MUST_CHECK;
void lw_sim_destroy(lw_sim **sim);
/** Step 0: initial state in all lanes, no spikes in flight, counters and statistics cleared. **Local**. */
void lw_sim_reset(lw_sim *sim);
/** Weights or parameters of the net changed: derive coefficients anew. **Local**; **collective** with copies_with. */
void lw_sim_refresh(lw_sim *sim);
/** Run n_steps. **Collective**. `watch` (may be NULL) is called after every epoch... at least every 64 steps' worth of
 * epochs. Stops early on its word. No allocation in the loop apart from growing record buffers. */
lw_err lw_sim_advance(lw_sim *sim, int64_t n_steps, const lw_watch *watch) LW_MUST_CHECK;
int64_t lw_sim_step(const lw_sim *sim);
void lw_sim_step_set(lw_sim *sim, int64_t step); /* resume */
lw_net *lw_sim_net(const lw_sim *sim);
/** As given at creation, less the stimuli (NULL, 0), of which the engine keeps only its own form. */
const lw_sim_options *lw_sim_options_get(const lw_sim *sim);
/** Bytes held by the engine on this rank, without tapes, tangents and recorded data. */
int64_t lw_sim_bytes(const lw_sim *sim);
/** On a communicator that plays one rank (lw_comm_play): neurons of absent ranks fire at random, rate: [n_pop] kHz,
 * instead of never. Drawing them is in no phase's seconds. **Local**. */
lw_err lw_sim_absent(lw_sim *sim, const double *rate) LW_MUST_CHECK;

/** External values added to an input port during the coming steps: values[(t - t0)][channel][lane], t0 = the step at
 * the call; channel c goes to neuron c of the population (n_channels must equal its size). Borrowed until replaced or
 * values == NULL, and as long as a tape that recorded them is looked at
 * (sweeps, lw_tape_output). Steps outside get nothing. **Local**. */
lw_err lw_sim_feed(
    lw_sim *sim, int pop, int port, const float *values, int64_t n_steps, int64_t n_channels) LW_MUST_CHECK;

/* state, for checkpoints and tests; all **Local**; lanes last */
void lw_sim_state_get(const lw_sim *sim, int pop, int state, double *out /* [n_local,width] */);
void lw_sim_state_set(lw_sim *sim, int pop, int state, const double *in);
void lw_sim_refractory_get(const lw_sim *sim, int pop, int32_t *out /* [n_local,width] */);
void lw_sim_refractory_set(lw_sim *sim, int pop, const int32_t *in);
/** Values emitted `back` steps ago (1 = last step), back <= lw_net_delay_max. Set all, then lw_sim_history_share
 * (**Collective**). */
void lw_sim_history_get(const lw_sim *sim, int pop, int32_t back, double *out /* [n_local,width] */);
void lw_sim_history_set(lw_sim *sim, int pop, int32_t back, const double *in);
lw_err lw_sim_history_share(lw_sim *sim) LW_MUST_CHECK;
/** Values emitted in the last step. */
void lw_sim_output_get(const lw_sim *sim, int pop, double *out /* [n_local,width] */);

/* ------------------------------------------------------------------ plastic synapses */

/** Weights change while the network runs where a projection has a synapse model, in the net's own arrays. A weight is
 * brought up to date when its source's spike is delivered; this does it for all of them, so that weights can be read:
 * what stands there then are all spikes of sources delivered so far, and all spikes of targets that would have met the
 * synapse before the next delivery. It changes no later result. Call it between advances. lw_sim_reset leaves weights
 * as they are. **Local**. */
void lw_sim_weights_settle(lw_sim *sim);
bool lw_sim_is_plastic(const lw_sim *sim, int proj);
/** For checkpoints, with settled weights: state of each local source neuron before its spikes of the last steps that
 * the history holds, [n_local of pre][1 + n_pre]: step of the last spike (-1: none), pre variables after it. Set
 * (**Collective**) after lw_sim_step_set and the weights, lw_sim_targets_set behind it. */
void lw_sim_sources_get(lw_sim *sim, int proj, double *out);
lw_err lw_sim_sources_set(lw_sim *sim, int proj, const double *in) LW_MUST_CHECK;
/** Recent spikes of each local target, [n_local of post][depth][1 + n_post]: step (-1: the start, -2: no entry), post
 * variables after it, oldest first; depth: the most that a target has here. */
int64_t lw_sim_targets_depth(lw_sim *sim, int proj);
void lw_sim_targets_get(lw_sim *sim, int proj, int64_t depth, double *out);
lw_err lw_sim_targets_set(lw_sim *sim, int proj, int64_t depth, const double *in) LW_MUST_CHECK;

/* statistics of this rank since reset */
typedef struct lw_sim_stats {
    int64_t steps, spikes;   /* spikes of local neurons, all lanes */
    int64_t synaptic_events; /* deliveries to local targets */
    uint64_t spike_checksum; /* sum over all (step, gid) of a 64-bit mix: add over ranks modulo 2^64, independent of
                                order and ranks */
    int64_t bytes_sent, messages_sent;
    int64_t exchanges; /* with other ranks: one per epoch, with delays of 0 one per level and step */
    double s_deliver, s_stimulus, s_update, s_exchange; /* seconds */
} lw_sim_stats;
lw_sim_stats lw_sim_stats_get(const lw_sim *sim);
/** Resume the checksum and counters of a checkpoint (give the whole-network values on one rank, zeros elsewhere). */
void lw_sim_stats_set(lw_sim *sim, const lw_sim_stats *stats);
/** Spikes of each local neuron since reset, [n_local of the net], by lid (all lanes). Borrowed. */
const int64_t *lw_sim_spike_counts(const lw_sim *sim);
/** Resume them, [n_local of the net]. */
void lw_sim_spike_counts_set(lw_sim *sim, const int64_t *counts);

/* ------------------------------------------------------------------ recording (width 1) */

typedef struct lw_spike {
    int64_t step, gid;
} lw_spike;

/** Which neurons of a population are meant, by their index in it; {0}: all. The same on all ranks. */
typedef enum lw_choice_kind {
    LW_CHOICE_ALL,
    LW_CHOICE_FIRST,  /* the first n */
    LW_CHOICE_SPREAD, /* n, evenly spread over the population */
    LW_CHOICE_LIST    /* index[n], ascending */
} lw_choice_kind;
typedef struct lw_choice {
    lw_choice_kind kind;
    int64_t n;
    const int64_t *index; /* [n]; must stay until the engine is destroyed */
} lw_choice;
/** How many, of a population of `size`. */
int64_t lw_choice_size(const lw_choice *choice, int64_t size);
/** Place of neuron i among the chosen, ascending; -1: it is not one of them. */
int64_t lw_choice_place(const lw_choice *choice, int64_t size, int64_t i);
/** The chosen neuron at place k. */
int64_t lw_choice_neuron(const lw_choice *choice, int64_t size, int64_t k);

/** What is kept of a population; a half-open interval of steps, stop < 0: for ever. */
typedef struct lw_record_spec {
    lw_choice who;
    int64_t start, stop;
} lw_record_spec;
static inline lw_record_spec lw_record_spec_default(void) {
    return (lw_record_spec){.stop = -1};
}
/** Record the spikes of a population from now on. Again for the same population: replaces. */
lw_err lw_sim_record_spikes(lw_sim *sim, int pop) LW_MUST_CHECK;
lw_err lw_sim_record_spikes_of(lw_sim *sim, int pop, const lw_record_spec *spec) LW_MUST_CHECK;
/** Record a state variable (after the step) every `every` steps for the first n_neurons neurons of a population (-1:
 * all). */
lw_err lw_sim_record_trace(lw_sim *sim, int pop, int state, int64_t every, int64_t n_neurons) LW_MUST_CHECK;
lw_err lw_sim_record_trace_of(lw_sim *sim, int pop, int state, int64_t every, const lw_record_spec *spec) LW_MUST_CHECK;
/** Count the spikes of every population in bins of `every` steps, from the next multiple of `every` on. */
lw_err lw_sim_record_counts(lw_sim *sim, int64_t every) LW_MUST_CHECK;
/** Bytes recorded on this rank and not taken yet, with those of the activity; and what traces add in one step, at most.
 * **Local**. */
int64_t lw_sim_record_bytes(const lw_sim *sim);
int64_t lw_sim_record_bytes_per_step(const lw_sim *sim);
/** Take what was recorded on this rank since the last call, in order of (step, gid); borrowed until the next advance.
 * **Local**. */
void lw_sim_spikes_take(lw_sim *sim, const lw_spike **spikes, int64_t *n);
/** Trace number i (in order of the record_trace calls): samples[sample][neuron], this rank's neurons (gids ascending).
 */
typedef struct lw_trace_view {
    int pop, state;
    int64_t every, n_neurons, n_samples, first_step;
    const int64_t *gid;   /* [n_neurons] */
    const double *sample; /* [n_samples, n_neurons] */
    const lw_choice *who; /* of the whole population */
} lw_trace_view;
int lw_sim_n_traces(const lw_sim *sim);
lw_trace_view lw_sim_trace_take(lw_sim *sim, int i);
/** Counts of the whole network in bins [first_bin, first_bin + n_bins) that were completed since the last call: bin b
 * holds the steps from b every on. Borrowed until the next advance or call. **Collective**. */
typedef struct lw_counts_view {
    int64_t every, first_bin, n_bins;
    const int64_t *count; /* [n_bins, n_pop] */
} lw_counts_view;
lw_err lw_sim_counts_take(lw_sim *sim, lw_counts_view *out) LW_MUST_CHECK;

/* ------------------------------------------------------------------ activity: statistics without keeping spikes
 * (width 1). All sums are integers, so results do not depend on ranks. src/sim/README.md has the definitions. */

typedef struct lw_activity_spec {
    int64_t from;     /* step at which counting begins; before it nothing counts */
    int64_t bin;      /* steps; bins of the synchrony */
    int64_t pair_bin; /* steps; bins of the correlations */
    int64_t sample;   /* neurons per population, evenly spread, whose correlations are taken; 0: none */
    int64_t least;    /* spikes of a neuron for its intervals to count */
} lw_activity_spec;
enum { LW_ACTIVITY_QUANTILES = 5, LW_ACTIVITY_SAMPLE_MAX = 2000 };
/** 0.05, 0.25, 0.5, 0.75, 0.95: the fraction of the neurons below cv_at. */
extern const double lw_activity_quantile[LW_ACTIVITY_QUANTILES];
/** Of one population; the same on all ranks. NaN where there is nothing to take a mean of. */
typedef struct lw_activity {
    int64_t neurons, steps, spikes;
    double rate, rate_sd; /* kHz: spikes per neuron and ms; deviation over neurons */
    int64_t silent;       /* neurons without a spike */
    int64_t cv_neurons;   /* neurons with enough spikes */
    double cv, cv_sd, cv_at[LW_ACTIVITY_QUANTILES];
    int64_t bins;
    double synchrony; /* variance / mean of the population's spikes per bin */
    int64_t pairs;
    double correlation, correlation_sd; /* of spike counts, over pairs */
} lw_activity;
/** Count from now on (not before step spec->from). An engine counts once; reset begins anew. */
lw_err lw_sim_activity_begin(lw_sim *sim, const lw_activity_spec *spec) LW_MUST_CHECK;
/** Bring together what ranks hold, so that memory stays bounded. **Collective**. */
lw_err lw_sim_activity_flush(lw_sim *sim) LW_MUST_CHECK;
/** out: [n_pop]; zeros for populations that do not spike. **Collective**. */
lw_err lw_sim_activity_get(lw_sim *sim, lw_activity *out) LW_MUST_CHECK;

/* ------------------------------------------------------------------ dropout */

/** Projection k drops what a source emits with probability p[k] (k < n; 0: never), for engines that already have a
 * tape; not with learned delays or synapse models. Nothing is dropped until masks are drawn. Once per engine.
 * **Local**.
 */
lw_err lw_sim_dropout_create(lw_sim *sim, int32_t n, const double *p, uint64_t seed) LW_MUST_CHECK;
/** From now on each source neuron's values reach the targets of such a projection in a lane times 1/(1 - p), or not at
 * all: a pure function of seed, projection, source gid, epoch and the lane's sample number. sample: [width]; NULL:
 * nothing is dropped (evaluation). Between recordings only; sweeps must find the masks of their recording. **Local**.
 */
void lw_sim_dropout_draw(lw_sim *sim, int64_t epoch, const int64_t *sample);

/* ------------------------------------------------------------------ tape: forward with record, adjoint and tangent
 * sweeps */

typedef struct lw_tape lw_tape;
/** Room for `max_steps` steps of this engine. theta (borrowed, may be NULL) says which weights and parameters get
 * gradients. Keeps, per neuron and step, only what the model's need masks name. **Collective**. */
lw_err lw_tape_create(lw_sim *sim, int64_t max_steps, const lw_theta *theta, lw_tape **out) LW_MUST_CHECK;
void lw_tape_destroy(lw_tape **tape);
/** A tape that records `segment` steps at a time (rounded up to epochs): a forward run leaves the engine's state at the
 * beginning of each segment and what populations emitted (spikes as bits), and the adjoint sweep records segment by
 * segment anew, from the last to the first (Chen et al. 2016, arXiv 1604.06174). The result is the same; afterwards the
 * engine stands within the first segment and the recording is gone. keep: [n_pop] populations whose lw_tape_output is
 * wanted for all steps; others answer for the segment in work only. No tangent sweep. **Collective**. */
lw_err lw_tape_create_segments(lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep,
    const lw_theta *theta, lw_tape **out) LW_MUST_CHECK;
/** Predicted bytes of such a tape on this rank. */
int64_t lw_tape_bytes_segments(
    const lw_sim *sim, int64_t max_steps, int64_t segment, const uint8_t *keep, const lw_theta *theta);
/** Predicted bytes of such a tape on this rank. */
int64_t lw_tape_bytes(const lw_sim *sim, int64_t max_steps, const lw_theta *theta);
/** What it holds, its sweeps' room included (made when the first one runs); steps recorded at a time. **Local**. */
int64_t lw_tape_held(const lw_tape *tape);
int64_t lw_tape_segment(const lw_tape *tape);
/** Run n_steps from the engine's present state, recording. **Collective**. The former content is dropped. */
lw_err lw_tape_forward(lw_tape *tape, int64_t n_steps) LW_MUST_CHECK;
int64_t lw_tape_steps(const lw_tape *tape);
/** Values emitted by a population at recorded step t (0-based): real [n_local, width]. With segments: until the next
 * call for this population. */
const void *lw_tape_output(const lw_tape *tape, int pop, int64_t t);
/** Tapes that are made from now on keep this state variable of a population at every step, as it is after the update
 * and before a spike resets it: for losses on membrane potentials. **Local**, the same on all ranks. */
void lw_sim_watch(lw_sim *sim, int pop, int state);
/** A state that is watched at recorded step t: real [n_local, width]. With segments: of the segment in work only. */
const void *lw_tape_state(const lw_tape *tape, int pop, int state, int64_t t);
/** Have `state` told every state that is watched, x real [n_local, width], while the tape records; once per recording,
 * also where segments are run twice; of one population and state t ascending. NULL: nobody. **Local**. */
void lw_tape_listen(
    lw_tape *tape, void *payload, void (*state)(void *payload, int pop, int64_t t, int state, const void *x));

/** A tape that keeps the record of `chunk` steps at a time and no state between them: for lw_eprop_run. keep as above.
 * No adjoint sweep, and no tangent sweep unless chunk >= max_steps. **Collective**. */
lw_err lw_tape_create_rolling(lw_sim *sim, int64_t max_steps, int64_t chunk, const uint8_t *keep, const lw_theta *theta,
    lw_tape **out) LW_MUST_CHECK;

/** Adds the derivative of the loss with respect to the values emitted by population `pop` at step t into out_adj, real
 * [n_local, width]. Called once per population and step, t descending (where windows overlap, within each block);
 * populations that nothing learned (nor state0_adj) lies upstream of are left out. Returns true when it added
 * something.
 */
typedef struct lw_tape_seed {
    void *payload;
    bool (*seed)(void *payload, int pop, int64_t t, void *out_adj);
    /** NULL, or told once per block of theta that its gradient is complete, in an order that is the same for all ranks
     * with the same part of the network: so that sums over replicas can begin while other blocks are still gathered. */
    void (*ready)(void *payload, int block);
    /** The sweep ends before this recorded step: the state there and what was emitted earlier count as constants, as if
     * the recording began there; no seed is asked for earlier steps. state0_adj is of the state before it. 0: all. */
    int64_t first;
    /* > 0: truncated: no adjoint passes from a window of so many steps to the one before it, as if the recording began
     * anew at each multiple of `window` (with the state that was reached). A window as long as the recording truncates
     * nothing */
    int64_t window;
    /* 0: `window`. Else 1 to window: the seeds of the steps [m stride, (m + 1) stride) pass down to step
     * (m + 1) stride - window, so that each reaches back between window - stride + 1 and window steps, its own
     * included. The sweep is made window / stride times (rounded up) */
    int64_t stride;
    /** NULL, or like `seed` for states that are watched: adds the derivative with respect to the state before fire into
     * state_adj, real [n_local, width]. */
    void (*state)(void *payload, int pop, int64_t t, int state, void *state_adj);
} lw_tape_seed;
/** Adjoint sweep. **Collective**. grad: [theta->n_local] doubles, accumulated (not zeroed). state0_adj: NULL, or per
 * population (the same ones on all ranks) and state variable arrays [n_local, width] (double) that receive the
 * derivative with respect to the state before the first step, indexed state0_adj[pop][state]. Spikes in flight before
 * the first step count as constants. */
lw_err lw_tape_backward(
    lw_tape *tape, const lw_tape_seed *seed, double *grad, double *const *const *state0_adj) LW_MUST_CHECK;
/** Tangent sweep along the recorded trajectory. **Collective**. direction: [theta->n_local] (NULL: none); state0_tan as
 * above (NULL: 0). `sink` receives for every step and population the tangent of the emitted values, real [n_local,
 * width], t ascending. */
typedef struct lw_tape_sink {
    void *payload;
    void (*sink)(void *payload, int pop, int64_t t, const void *out_tan);
    /** NULL, or told the tangent of every state that is watched, before fire; just before `sink`. */
    void (*state)(void *payload, int pop, int64_t t, int state, const void *state_tan);
} lw_tape_sink;
lw_err lw_tape_tangent(lw_tape *tape, const double *direction, const double *const *const *state0_tan,
    const lw_tape_sink *sink) LW_MUST_CHECK;

/* ------------------------------------------------------------------ second derivatives */

/** A tape that also keeps what lw_tape_hessian needs: S''(u), and the arrays of the models' need_second. The engine
 * must be in double precision; projections whose delays are learned have no second derivative here (EUSE). The tangent
 * sweep of such a tape keeps its tangents. **Collective**. */
lw_err lw_tape_create_second(lw_sim *sim, int64_t max_steps, const lw_theta *theta, lw_tape **out) LW_MUST_CHECK;
/** The loss of a product with its second derivative H. First `sink` as in lw_tape_tangent; then `turn`, once
 * (collective; NULL: nothing to do), which may work out the second derivative of the loss; then, t descending, `seed`
 * as in lw_tape_seed and `seed_tan`, which adds the tangent of what `seed` adds. */
typedef struct lw_tape_twice {
    void *payload;
    void (*sink)(void *payload, int pop, int64_t t, const void *out_tan);
    lw_err (*turn)(void *payload);
    bool (*seed)(void *payload, int pop, int64_t t, void *out_adj);
    bool (*seed_tan)(void *payload, int pop, int64_t t, void *out_adj_tan);
} lw_tape_twice;
/** product += H direction, the derivative of the adjoint sweep's gradient along `direction`, both [theta->n_local]
 * (Pearlmutter, Neural Computation 6, 1994). **Collective**. Of spikes the jet (s, S'(u), S''(u)) counts, so H is
 * symmetric with hard spikes too; what a detached reset sees is a constant in both sweeps. Where s = S(u) (smooth
 * spikes, reset not detached) H is the second derivative itself. */
lw_err lw_tape_hessian(
    lw_tape *tape, const double *direction, const lw_tape_twice *loss, double *product) LW_MUST_CHECK;

/* ------------------------------------------------------------------ eligibility traces */

/** E-prop (Bellec et al. 2020, Nature Communications 11:3625): every synapse onto a neuron, and every learned parameter
 * of it, carries the tangent of the neuron's own state (and, behind it, of a read-out unit's state that the neuron
 * would drive); nothing passes from one neuron to another. Gradients are products of these traces with a learning
 * signal per neuron: the derivative of the loss by the read-out's output, sent to the neuron through feedback weights.
 */
typedef enum lw_feedback {
    LW_FEEDBACK_SYMMETRIC, /* the weights of the projections onto the read-out */
    LW_FEEDBACK_RANDOM,    /* normal numbers, a function of (seed, neuron, unit) */
    LW_FEEDBACK_ADAPTIVE   /* symmetric ones plus lw_eprop_part times the random ones */
} lw_feedback;
typedef struct lw_eprop_spec {
    int32_t readout; /* population: graded, linear; what shapes its answer is alike in all units, not learned */
    lw_feedback feedback;
    double scale; /* random and adaptive: standard deviation of the feedback weights; 0: 1 / sqrt(units) */
    uint64_t seed;
} lw_eprop_spec;
typedef struct lw_eprop lw_eprop;
/** Traces for all that is learned on a tape that has recorded nothing yet (any kind; borrowed). Learned populations
 * want a projection onto the read-out, of one port and delay; with random or adaptive feedback they may do without
 * (delay 1, port of any other). Learned delays are refused. Memory does not depend on the number of steps: per lane and
 * synapse onto a population the states of its model and of the read-out's. **Collective**. */
lw_err lw_eprop_create(lw_tape *tape, const lw_theta *theta, const lw_eprop_spec *spec, lw_eprop **out) LW_MUST_CHECK;
void lw_eprop_destroy(lw_eprop **eprop);
/** How much of the random numbers adaptive feedback has from now on; 1 at first. **Local**, the same on all ranks. */
void lw_eprop_part(lw_eprop *eprop, double part);
/** Run n_steps from the engine's present state with traces, grad [theta->n_local] +=. seed->seed is asked for the
 * read-out (steps ascending, some twice) and for learned populations, whose derivative (a rate penalty) counts at the
 * neuron itself; seed->first: traces begin there. Windows and `ready` are not looked at. **Collective**. */
lw_err lw_eprop_run(lw_eprop *eprop, int64_t n_steps, const lw_tape_seed *seed, double *grad) LW_MUST_CHECK;
/** Bytes of the traces on this rank. */
int64_t lw_eprop_bytes(const lw_eprop *eprop);

/* ------------------------------------------------------------------ tangent block: k perturbations along the
 * trajectory */

/** The map F whose Jacobian is pushed goes from after `update` of one step to after `update` of the next (so that a
 * spike is a function of the state): fire, reset, deliver, stimulus, update. Its state: every state variable of every
 * neuron, and for a source with delays up to D the values emitted in the last D - 1 steps. With delay-0 projections the
 * populations below the last level have fired at the cut: their rows are the state after fire and the values of the
 * last D steps. The engine must have width 1 and double precision. Rows live with their neuron. */
typedef struct lw_tangent lw_tangent;
/** **Collective**. Brings the engine to the cut: `at_cut` false: runs deliver, stimulus and update of the next step
 * first; true: the present state is already a state before firing, whose margins are recovered from it (refractory
 * flags are the engine's). The block starts as zero. Afterwards the engine stands at a cut: advance it by
 * lw_tangent_step and lw_tangent_skip only, or reset it. */
lw_err lw_tangent_create(lw_sim *sim, int64_t k, bool at_cut, lw_tangent **out) LW_MUST_CHECK;
void lw_tangent_destroy(lw_tangent **tangent);
int64_t lw_tangent_rows(const lw_tangent *tangent);        /* of this rank */
int64_t lw_tangent_rows_global(const lw_tangent *tangent); /* dimension of the state */
int64_t lw_tangent_k(const lw_tangent *tangent);
/** [rows, k] row-major. Writable; after writing call lw_tangent_refresh before the next step. */
double *lw_tangent_block(lw_tangent *tangent);
/** gid and state index of a row; state >= n_state: delay line, state == n_state is the value that the neuron emitted
 * last, n_state + 1 the one before ... A row of a delay line changes its age with every lw_tangent_step, its gid stays.
 */
void lw_tangent_row_info(const lw_tangent *tangent, int64_t row, int64_t *gid, int32_t *state);
/** The block changed (orthonormalisation): bring the halo's delay lines up to date. **Neighbour** (**Collective**
 * without delays > 1: nothing). */
lw_err lw_tangent_refresh(lw_tangent *tangent) LW_MUST_CHECK;
/** block <- J block, state <- F(state). **Collective**. */
lw_err lw_tangent_step(lw_tangent *tangent) LW_MUST_CHECK;
/** F alone, the block stays (transients). **Collective**. */
lw_err lw_tangent_skip(lw_tangent *tangent, int64_t n_steps) LW_MUST_CHECK;
/** ln|det J| cannot be had in general; per-step spikes and the step number for reports. */
int64_t lw_tangent_step_number(const lw_tangent *tangent);

#endif
