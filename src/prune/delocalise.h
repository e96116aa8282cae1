/* SPDX-License-Identifier: BSD-3-Clause
 *
 * delocalise.h: the first-order change of a mode's participation ratio, for the tests of this room.
 */
#ifndef LAPWING_PRUNE_DELOCALISE_H
#define LAPWING_PRUNE_DELOCALISE_H

#include "eigen.h"

/** change[e] = d(sum |v|^4) / d(strength) of adding strength * w at (i, j), v the unit right vector of `mode`; e needs
 * left vectors. */
lw_err delocalise_change(const eigen *e, int64_t mode, int64_t m, const int64_t *i, const int64_t *j, const double *w,
    double *change) LW_MUST_CHECK;

#endif
