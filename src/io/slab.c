/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Slabs: ranges of whole blocks, and the two routed exchanges between owners and slabs.
 */
#include <string.h>
#include "slab.h"

enum { BLOCK_LEAST = 1024, BLOCKS_MOST = 65536 };

int64_t lw_slab_block(int64_t n) {
    int64_t block = BLOCK_LEAST;
    while ((n + block - 1) / block > BLOCKS_MOST)
        block *= 2;
    return block;
}

lw_slab lw_slab_of_span(lw_span span, int rank, int size) {
    int64_t block = lw_slab_block(span.n), first = span.lo / block, blocks = (span.hi + block - 1) / block - first;
    if (span.lo == span.hi) return (lw_slab){.lo = span.lo, .hi = span.lo};
    lw_slab s = {.lo = (first + blocks * rank / size) * block, .hi = (first + blocks * (rank + 1) / size) * block};
    if (s.lo < span.lo) s.lo = span.lo;
    if (s.hi < span.lo) s.hi = span.lo;
    if (s.lo > span.hi) s.lo = span.hi;
    if (s.hi > span.hi) s.hi = span.hi;
    return s;
}

lw_slab lw_slab_range(int64_t n, int rank, int size) {
    return lw_slab_of_span((lw_span){n, 0, n}, rank, size);
}

int32_t lw_slab_owner(lw_span span, int64_t i, int size) {
    int64_t block = lw_slab_block(span.n), first = span.lo / block, blocks = (span.hi + block - 1) / block - first;
    return (int32_t)(((i / block - first + 1) * size - 1) /
                     blocks); /* smallest r with blocks (r + 1) / size > block of i */
}

lw_err lw_slab_gather(const lw_comm *comm, lw_span span, int64_t n, const int64_t *index, const void *rows,
    size_t row_bytes, void **out) {
    int size = lw_comm_size(comm);
    lw_slab slab = lw_slab_of_span(span, lw_comm_rank(comm), size);
    size_t record = sizeof *index + row_bytes;
    char *send = NULL, *got = NULL;
    int32_t *dest = NULL;
    int64_t n_got = 0;
    *out = NULL;
    lw_err err = lw_alloc((size_t)n, record, "rows on their way", &send);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *dest, "rows on their way", &dest);
    if (err == LW_OK) err = lw_alloc((size_t)(slab.hi - slab.lo), row_bytes, "a slab", out);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t k = 0; k < n; k++) {
        dest[k] = lw_slab_owner(span, index[k], size);
        memcpy(send + (size_t)k * record, &index[k], sizeof *index);
        memcpy(send + (size_t)k * record + sizeof *index, (const char *)rows + (size_t)k * row_bytes, row_bytes);
    }
    LW_TRY_TO(lw_comm_route(comm, n, dest, send, record, (void **)&got, &n_got, NULL), done);
    LW_ASSERT(n_got == slab.hi - slab.lo);
    for (int64_t k = 0; k < n_got; k++) {
        int64_t i = 0;
        memcpy(&i, got + (size_t)k * record, sizeof i);
        memcpy((char *)*out + (size_t)(i - slab.lo) * row_bytes, got + (size_t)k * record + sizeof i, row_bytes);
    }
done:
    lw_free(got);
    lw_free(dest);
    lw_free(send);
    if (err != LW_OK) {
        lw_free(*out);
        *out = NULL;
    }
    return err;
}

lw_err lw_slab_scatter(const lw_comm *comm, int64_t n_slab, const int32_t *dest, const void *slab, size_t row_bytes,
    const char *what, int64_t n, void *out) {
    void *got = NULL;
    int64_t n_got = 0;
    LW_TRY(lw_comm_route(comm, n_slab, dest, slab, row_bytes, &got, &n_got, NULL));
    lw_err err = LW_OK;
    if (n_got == n) {
        if (n) memcpy(out, got, (size_t)n * row_bytes);
    } else {
        err = LW_FAIL(LW_EFILE, "%s: found %lld for this part of the network, expected %lld", what, (long long)n_got,
            (long long)n);
    }
    lw_free(got);
    return lw_comm_agree(comm, err);
}
