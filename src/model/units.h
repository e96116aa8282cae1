/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dimensions of quantities as exponents of (time, voltage, current, length). Internal units are ms, mV, pA, mm and
 * products: pF = pA ms/mV, nS = pA/mV, kHz = 1/ms.
 */
#ifndef LW_MODEL_UNITS_H
#define LW_MODEL_UNITS_H

#include <lapwing/model.h>

typedef struct lw_dims {
    int e[LW_UNIT_DIMS]; /* time, voltage, current, length */
    bool any;            /* the literal 0: fits every dimension */
} lw_dims;

/** True when the first `length` characters of `name` are one unit ("ms", "pF", ...). */
bool lw_unit_known(const char *name, size_t length, double *scale, int dims[LW_UNIT_DIMS]);
/** Readable unit for dimensions: "mV", "pA/ms", "1" when there are none. */
void lw_dims_text(lw_dims dims, char out[64]);
bool lw_dims_equal(lw_dims a, lw_dims b);

#endif
