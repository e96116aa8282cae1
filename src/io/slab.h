/* SPDX-License-Identifier: BSD-3-Clause
 *
 * slab.h: the even distribution of a global index over ranks in which arrays are written and read: rank r holds one
 * contiguous range of whole checksum blocks. Neurons and synapses travel between their owners and this distribution.
 *
 *   n = 5000 items, blocks of 1024, 3 ranks: blocks 0 | 1 2 | 3 4     items [0, 1024) [1024, 3072) [3072, 5000)
 */
#ifndef LAPWING_IO_SLAB_H
#define LAPWING_IO_SLAB_H

#include <lapwing/comm.h>

typedef struct lw_slab {
    int64_t lo, hi; /* items [lo, hi) of the global index */
} lw_slab;

/** A stretch [lo, hi) of an array of n items, written in one go; the whole array is {n, 0, n}. */
typedef struct lw_span {
    int64_t n, lo, hi;
} lw_span;

/** Items per checksum block: a function of n alone, so that any number of ranks finds the same blocks. A power of two,
 *  at least 1024, and large enough that there are at most 65536 blocks. */
int64_t lw_slab_block(int64_t n);
lw_slab lw_slab_range(int64_t n, int rank, int size);
/** This rank's share of a stretch: cut at blocks of the whole array. */
lw_slab lw_slab_of_span(lw_span span, int rank, int size);
/** The rank that holds item i of the stretch. */
int32_t lw_slab_owner(lw_span span, int64_t i, int size);
/** Rows of `row_bytes` from where they lie to their slabs: row k here is item index[k], every item of the span comes
 *  from exactly one rank. *out: [hi - lo] rows, from lw_alloc, caller frees. **Collective**. */
lw_err lw_slab_gather(const lw_comm *comm, lw_span span, int64_t n, const int64_t *index, const void *rows,
    size_t row_bytes, void **out) LW_MUST_CHECK;
/** Back: row k of this rank's slab goes to rank dest[k]; they arrive in ascending item number. EFILE when not exactly
 *  `n` rows arrive (`what` names them). out: [n] rows. **Collective**. */
lw_err lw_slab_scatter(const lw_comm *comm, int64_t n_slab, const int32_t *dest, const void *slab, size_t row_bytes,
    const char *what, int64_t n, void *out) LW_MUST_CHECK;

#endif
