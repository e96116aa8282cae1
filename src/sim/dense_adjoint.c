/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Adjoint products with dense weights: the sums run over targets, which are spread over ranks anyway, so multiply and
 * add may become one instruction here (this file is compiled with contraction; src/sim/CMakeLists.txt). Nothing that a
 * state depends on may be put into it.
 */
#include <string.h>
#include "dense.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum {
    /* adjoints of one pass stay in the first cache; sums are read and written in each, so it should not be too short */
    BLOCK_BYTES = 1 << 15,
    BLOCK_LEAST = 64,
    /* of a sampled product: rows whose weights of a pass stay in the second cache, lanes whose adjoints stay in the
       first */
    BLOCK_ROWS = 128,
    BLOCK_LANES = 16,
    SAMPLED_K = 512, /* targets per pass there */
    DOTS = 8,        /* sums at a time, half of BLOCK_LANES */
    SUMS = 64,       /* vectors that wait for their elements to be added up, a multiple of any vector's elements */
};

/* The compiler would rather read a vector again for each of its products; loads, not products, are then what is waited
 * for. */
#if defined(__x86_64__) && defined(__AVX__)
#define IN_REGISTER(x) __asm__("" : "+v"(x))
#else
#define IN_REGISTER(x) (void)(x)
#endif

/* Lines of adjoints per pass. */
static int64_t block_lines(int64_t line_bytes) {
    int64_t n = BLOCK_BYTES / line_bytes;
    return n < BLOCK_LEAST ? BLOCK_LEAST : n;
}

#define REAL float
#define INDEX int32_t
#define LW_T(name) name##_f32
#include "dense_adjoint_typed.c"
#include "dense_pairs_typed.c"
#define REAL double
#define INDEX int64_t
#define LW_T(name) name##_f64
#include "dense_adjoint_typed.c"
