/* SPDX-License-Identifier: BSD-3-Clause
 *
 * absent.h: tags of events; spikes of ranks that are not there, for an engine on a communicator that plays one rank
 * (lw_comm_play).
 */
#ifndef LAPWING_SIM_ABSENT_H
#define LAPWING_SIM_ABSENT_H

#include "engine_parts.h"

/** How the tag of an event says step in the epoch and lanes: (step * groups + group) and below it one bit for each lane
 * of the group, as many as fit in 32 bits, 16 at most. One lane: the step alone. */
typedef struct engine_tag {
    uint32_t lanes, groups, bits; /* lanes of a group, groups, bits below */
} engine_tag;
static inline engine_tag engine_tag_plan(int64_t width, int64_t epoch) {
    engine_tag t = {.lanes = 16};
    if (width == 1) return (engine_tag){.lanes = 1, .groups = 1};
    while (t.lanes > 1 && epoch * ((width + t.lanes - 1) / t.lanes) > (int64_t)1 << (32 - t.lanes))
        t.lanes /= 2;
    t.groups = (uint32_t)((width + t.lanes - 1) / t.lanes);
    t.bits = t.lanes;
    return t;
}
/** which: bit k for lane `lane` + k; lane begins a group. */
static inline uint32_t engine_tag_make(const engine_tag *t, uint32_t step, uint32_t lane, uint32_t which) {
    return t->bits == 0 ? step : (step * t->groups + lane / t->lanes) << t->bits | which;
}
static inline int64_t engine_tag_step(const engine_tag *t, uint32_t tag) {
    return (tag >> t->bits) / t->groups;
}
static inline int64_t engine_tag_lane(const engine_tag *t, uint32_t tag) {
    return (int64_t)((tag >> t->bits) % t->groups) * t->lanes;
}
static inline uint32_t engine_tag_which(const engine_tag *t, uint32_t tag) {
    return t->bits == 0 ? 1 : tag & (((uint32_t)1 << t->bits) - 1);
}

typedef struct engine_absent engine_absent;
/** rate: [n_pop] kHz. **Local**. */
lw_err engine_absent_create(const lw_sim *sim, const double *rate, engine_absent **out) LW_MUST_CHECK;
void engine_absent_destroy(engine_absent **absent);
/** Replace the events of an exchange of steps [t0, t1) by them and what the absent owners of the halo's slots would
 * have sent: every neuron fires in a step with its population's probability, drawn by slot and step of one stream per
 * exchange. slot: slot of this rank for each slot of the halo. *events is borrowed until the next call. */
void engine_absent_add(engine_absent *absent, const lw_halo *halo, const engine_tag *tag, const int64_t *slot,
    int64_t t0, int64_t t1, const lw_event **events, int64_t *n);

#endif
