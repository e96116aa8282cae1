/* SPDX-License-Identifier: BSD-3-Clause
 *
 * absent.h: spikes of ranks that are not there, for an engine on a communicator that plays one rank (lw_comm_play).
 */
#ifndef LAPWING_SIM_ABSENT_H
#define LAPWING_SIM_ABSENT_H

#include "engine_parts.h"

typedef struct engine_absent engine_absent;
/** rate: [n_pop] kHz. **Local**. */
lw_err engine_absent_create(const lw_sim *sim, const double *rate, engine_absent **out) LW_MUST_CHECK;
void engine_absent_destroy(engine_absent **absent);
/** Replace the events of an exchange of steps [t0, t1) by them and what the absent owners of the halo's slots would
 * have sent: every neuron fires in a step with its population's probability, drawn by slot and step of one stream per
 * exchange. slot: slot of this rank for each slot of the halo. *events is borrowed until the next call. */
void engine_absent_add(engine_absent *absent, const lw_halo *halo, const int64_t *slot, int64_t t0, int64_t t1,
    const lw_event **events, int64_t *n);

#endif
