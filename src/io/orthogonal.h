/* SPDX-License-Identifier: BSD-3-Clause
 *
 * orthogonal.h: a random matrix with orthonormal columns or rows.
 */
#ifndef LAPWING_IO_ORTHOGONAL_H
#define LAPWING_IO_ORTHOGONAL_H

#include <lapwing/base.h>

/** out [n_rows, n_columns] row-major: gain times a matrix whose columns (n_rows >= n_columns) or rows are orthonormal,
 * uniform over all such matrices (Haar). A pure function of seed and number, up to rounding. Room of twice the matrix
 * is taken for the time of the call. **Local**. */
lw_err orthogonal_draw(
    uint64_t seed, uint64_t number, int64_t n_rows, int64_t n_columns, double gain, double *out) LW_MUST_CHECK;

#endif
