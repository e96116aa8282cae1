/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Adjoint products with dense weights: the sums run over targets, which are spread over ranks anyway, so multiply and
 * add may become one instruction here (this file is compiled with contraction; src/sim/CMakeLists.txt). Nothing that a
 * state depends on may be put into it.
 */
#include "dense.h"

enum { BLOCK_K = 256 }; /* targets per pass: their lines and those of a tile fill half of the first cache */

#define REAL float
#define LW_T(name) name##_f32
#include "dense_adjoint_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "dense_adjoint_typed.c"
