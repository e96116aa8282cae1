/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transposition. Blocks of as many rows and columns as a vector holds are turned round in registers: number by number,
 * every one of them would be a store of its own to another line.
 */
#include <lapwing/base.h>

enum { TILE = 64 }; /* columns of rows that fill no vector: lines of `out` stay in the first cache meanwhile */

#define VECTOR_BYTES LW_VECTOR_BYTES

#define REAL float
#define INDEX int32_t
#define LW_T(name) name##_f32
#include "turn_typed.c"
#define REAL double
#define INDEX int64_t
#define LW_T(name) name##_f64
#include "turn_typed.c"
