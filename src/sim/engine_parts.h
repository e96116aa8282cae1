/* SPDX-License-Identifier: BSD-3-Clause
 *
 * engine_parts.h: the parts of the forward engine that only sim.c puts together: history, exchange, stimuli, records.
 * What the derivative sweeps use as well is in engine.h.
 */
#ifndef LAPWING_SIM_ENGINE_PARTS_H
#define LAPWING_SIM_ENGINE_PARTS_H

#include "engine.h"

/** Place of step t in a ring of `depth` steps. */
static inline int64_t engine_ring(int64_t t, int64_t origin, int64_t depth) {
    int64_t k = (t - origin) % depth;
    return k < 0 ? k + depth : k;
}
/** Hard spikes travel as events; smooth spikes and graded values as dense rows. */
static inline bool engine_sends_events(const lw_sim *sim, int p) {
    return sim->pop[p].model->emits_spikes && !sim->options.smooth;
}
/** Entries of the rings: row block of population p, its list and the list's length. */
static inline size_t engine_row_bytes(const lw_sim *sim) {
    return (size_t)sim->width * sim->real_size;
}
char *engine_own_rows(const lw_sim *sim, int p, int64_t t);
uint32_t *engine_own_list(const lw_sim *sim, int p, int64_t t, int64_t **n);
uint32_t *engine_slot_list(const lw_sim *sim, int p, int64_t t, int64_t **n);

/* history.c; Local */
lw_err engine_history_create(lw_sim *sim) LW_MUST_CHECK;
void engine_history_destroy(lw_sim *sim);
/** Nothing in flight. */
void engine_history_clear(lw_sim *sim);

/* exchange.c */
/** **Collective**. */
lw_err engine_exchange_create(lw_sim *sim) LW_MUST_CHECK;
void engine_exchange_destroy(lw_sim *sim);
/** First step of an exchange of this level that was begun and not ended; INT64_MAX when there is none. */
int64_t engine_exchange_pending(const lw_sim *sim, int level);
/** Are the slots of this level its neurons, in their order, or none of them (one rank)? */
bool engine_level_direct(const lw_sim *sim, int level);
/** Bytes and messages since creation. */
void engine_exchange_traffic(const lw_sim *sim, int64_t *bytes, int64_t *messages);

/* step.c */
/** Deliver the projections of population p that are in no bundle; counts into `events`. Bit k of zero: port k holds
 * zeros so far. Ends the exchange of the sources' level where one is under way. */
void engine_deliver(lw_sim *sim, int p, int64_t t, uint64_t zero, int64_t *events);

/* plastic.c, plastic_deliver.c; Local */
lw_err engine_plastic_create(lw_sim *sim) LW_MUST_CHECK;
void engine_plastic_destroy(lw_sim *sim);
void engine_plastic_reset(lw_sim *sim);
/** EUSE when some projection has a synapse model, which `what` ("a tape") does not know. */
lw_err engine_plastic_refuse(const lw_sim *sim, const char *what) LW_MUST_CHECK;
/** As engine_deliver, one projection with a synapse model. */
void engine_plastic_deliver(lw_sim *sim, int32_t proj, int64_t t, int64_t *events);

/* stimulus_create.c; Local */
lw_err engine_stimulus_create(lw_sim *sim, const lw_sim_options *options) LW_MUST_CHECK;
void engine_stimulus_destroy(lw_sim *sim);
/* stimulus.c; Local. Both work on the local neurons [first, last) of population p, give the same numbers for any
 * ranges, and may run on disjoint ranges at the same time; `first` is a multiple of ENGINE_STIMULUS_BLOCK. */
enum { ENGINE_STIMULUS_BLOCK = 64 };
/** Draw the random numbers of step t ahead of engine_stimulus_add, which draws what is missing; needs nothing of the
 * network's activity. */
void engine_stimulus_draw(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last);
/** Add the stimuli of step t to the inputs, then the feed. */
void engine_stimulus_add(lw_sim *sim, int p, int64_t t, int64_t first, int64_t last);

/** Does any stimulus act on population p? */
bool engine_has_stimuli(const lw_sim *sim, int p);
/** What is fed into a port of population p in steps [t, t + n_steps), [step][neuron by gid][lane]; NULL unless all of
 * them are fed. */
const float *engine_feed(const lw_sim *sim, int p, int port, int64_t t, int64_t n_steps);

/* record.c; Local */
lw_err engine_record_create(lw_sim *sim) LW_MUST_CHECK;
void engine_record_destroy(lw_sim *sim);
/** Forget what was taken (all: everything recorded). */
void engine_record_drop(lw_sim *sim, bool all);
/** Is anything recorded that wants all populations at the same step? */
bool engine_has_traces(const lw_sim *sim);
/** Note spikes of population p: local indices within the population, ascending. */
void engine_record_spikes(lw_sim *sim, int p, int64_t t, const uint32_t *local, int64_t n);
/** Room for n elements, of which there is `*room`; doubles, new ones are zero. false: the engine has an error. */
bool engine_reserve(lw_sim *sim, void *pointer_to_pointer, int64_t *room, int64_t n, size_t size);

/** Spikes per population in bins of `every` steps counted from `origin`; the first one held is number `first`. */
typedef struct engine_bins {
    int64_t every, origin, first, n, taken, room;
    int64_t *count; /* [n, n_pop]; zero beyond */
} engine_bins;
void engine_bins_free(engine_bins *bins);
void engine_bins_add(lw_sim *sim, engine_bins *bins, int p, int64_t t, int64_t n);
/** *n: bins at the front that no later step can change; they exist, if only as zeros. */
lw_err engine_bins_complete(lw_sim *sim, engine_bins *bins, int64_t *n) LW_MUST_CHECK;
/** Forget the first n. */
void engine_bins_drop(const lw_sim *sim, engine_bins *bins, int64_t n);

/* activity.c; Local */
typedef struct engine_activity engine_activity;
lw_err engine_activity_create(lw_sim *sim, const lw_activity_spec *spec, engine_activity **out) LW_MUST_CHECK;
void engine_activity_destroy(engine_activity **activity);
/** Begin anew at the engine's present step. */
void engine_activity_clear(lw_sim *sim, engine_activity *activity);
void engine_activity_spikes(lw_sim *sim, engine_activity *activity, int p, int64_t t, const uint32_t *local, int64_t n);
int64_t engine_activity_bytes(const lw_sim *sim, const engine_activity *activity);
/** NULL when it is not asked for. */
engine_activity *engine_record_activity(const lw_sim *sim);

#endif
