/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dropout.h: masks over what projections deliver, one number per source row and lane: 0 or 1/(1 - p).
 */
#ifndef LAPWING_SIM_DROPOUT_H
#define LAPWING_SIM_DROPOUT_H

#include "engine.h"

struct engine_dropout {
    bool on;
    uint64_t seed;
    double *p;            /* [n_proj] */
    void **mask;          /* [n_proj] real [n_rows, width]; NULL where p is 0 */
    void *rows, *adjoint; /* real [most rows, width]: what is masked, and what is to be */
};

/** The mask of a projection in force; NULL: everything arrives as it is. */
static inline const void *dropout_mask(const lw_sim *sim, const lw_proj_view *proj) {
    return sim->dropout && sim->dropout->on ? sim->dropout->mask[proj - sim->proj] : NULL;
}
/** Listed rows of x times the mask; valid until the next call. */
const void *dropout_rows(lw_sim *sim, const void *mask, const uint32_t *row, int64_t n, const void *x);
/** Zeroed rows for adjoints, [n_rows, width]; x_adj += mask times them. */
void *dropout_adjoint(lw_sim *sim, const lw_proj_view *proj);
void dropout_adjoint_add(lw_sim *sim, const lw_proj_view *proj, const void *mask, void *x_adj);
void engine_dropout_destroy(lw_sim *sim);

#endif
