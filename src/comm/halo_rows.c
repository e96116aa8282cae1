/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Halo exchange of dense rows: forward from owners to slots, and its transpose, which adds slots up at their owners.
 * One message per neighbour. Rows travel as an MPI type of their size, so MPI counts rows and not bytes.
 */
#include <limits.h>
#include <string.h>
#include "halo_private.h"

/* A fixed size lets the compiler drop the call; 4 and 8 are one float and one double per item. */
static inline void row_copy(char *to, const char *from, size_t bytes) {
    if (bytes == 4)
        memcpy(to, from, 4);
    else if (bytes == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, bytes);
}

/* packed[i] = rows[index[i]] */
static void rows_pack(int64_t n, const uint32_t *index, size_t row_bytes, const char *rows, char *packed) {
    for (int64_t i = 0; i < n; i++)
        row_copy(packed + (size_t)i * row_bytes, rows + index[i] * row_bytes, row_bytes);
}

/* rows[index[i]] = packed[i] */
static void rows_unpack(int64_t n, const uint32_t *index, size_t row_bytes, const char *packed, char *rows) {
    for (int64_t i = 0; i < n; i++)
        row_copy(rows + index[i] * row_bytes, packed + (size_t)i * row_bytes, row_bytes);
}

static void row_type_set(lw_halo *h, size_t row_bytes) {
    if (h->row_type_bytes == row_bytes || h->comm->size == 1) return; /* alone: MPI is not called, so any thread may */
    if (h->row_type_bytes) MPI_Type_free(&h->row_type);
    MPI_Type_contiguous(lw_comm_count(h->comm, (int64_t)row_bytes, "bytes of a row"), MPI_BYTE, &h->row_type);
    MPI_Type_commit(&h->row_type);
    h->row_type_bytes = row_bytes;
}

/* Receives from the ranks of `from` and sends to those of `to`, this rank aside; buffers are packed as the sides'
 * index. */
static void rows_post(lw_halo *h, const halo_side *from, const halo_side *to, int tag) {
    size_t bytes = h->row_bytes;
    for (int k = 0; k < from->n; k++) {
        h->requests[k] = MPI_REQUEST_NULL;
        if (k == from->self) continue;
        int count = lw_comm_count(h->comm, from->at[k + 1] - from->at[k], "rows");
        MPI_Irecv(h->recv.data + (size_t)from->at[k] * bytes, count, h->row_type, from->rank[k], tag, h->comm->mpi,
            &h->requests[k]);
    }
    for (int k = 0; k < to->n; k++) {
        h->requests[from->n + k] = MPI_REQUEST_NULL;
        if (k == to->self) continue;
        int count = lw_comm_count(h->comm, to->at[k + 1] - to->at[k], "rows");
        MPI_Isend(h->send.data + (size_t)to->at[k] * bytes, count, h->row_type, to->rank[k], tag, h->comm->mpi,
            &h->requests[from->n + k]);
        h->bytes_sent += (int64_t)bytes * count;
        h->messages_sent++;
    }
}

void lw_halo_rows_begin(lw_halo *halo, const void *local, size_t row_bytes) {
    const halo_side *out = &halo->out, *in = &halo->in;
    LW_ASSERT(!halo->rows_begun && row_bytes > 0);
    halo->rows_begun = true;
    halo->rows_local = local;
    halo->row_bytes = row_bytes;
    row_type_set(halo, row_bytes);
    lw_halo_reserve(halo, &halo->send, (size_t)out->at[out->n] * row_bytes, 0);
    lw_halo_reserve(halo, &halo->recv, (size_t)in->at[in->n] * row_bytes, 0);
    for (int k = 0; k < out->n; k++) {
        if (k == out->self) continue;
        rows_pack(out->at[k + 1] - out->at[k], out->index + out->at[k], row_bytes, local,
            halo->send.data + (size_t)out->at[k] * row_bytes);
    }
    rows_post(halo, in, out, LW_TAG_ROWS);
}

void lw_halo_rows_end(lw_halo *halo, void *slots) {
    const halo_side *out = &halo->out, *in = &halo->in;
    size_t bytes = halo->row_bytes;
    LW_ASSERT(halo->rows_begun);
    if (in->self >= 0) {
        const uint32_t *lid = out->index + out->at[out->self], *slot = in->index + in->at[in->self];
        int64_t n = in->at[in->self + 1] - in->at[in->self];
        for (int64_t i = 0; i < n; i++)
            row_copy((char *)slots + slot[i] * bytes, halo->rows_local + lid[i] * bytes, bytes);
    }
    if (halo->comm->size > 1) MPI_Waitall(in->n + out->n, halo->requests, MPI_STATUSES_IGNORE);
    for (int k = 0; k < in->n; k++) {
        if (k == in->self) continue;
        rows_unpack(in->at[k + 1] - in->at[k], in->index + in->at[k], bytes,
            halo->recv.data + (size_t)in->at[k] * bytes, slots);
    }
    halo->rows_begun = false;
    halo->rows_local = NULL;
}

/* local[index[i]] += packed[i], rows of `width` */
static void rows_add_f32(int64_t n, const uint32_t *index, int64_t width, const float *packed, float *local) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            local[index[i] * width + j] += packed[i * width + j];
}

static void rows_add_f64(int64_t n, const uint32_t *index, int64_t width, const double *packed, double *local) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < width; j++)
            local[index[i] * width + j] += packed[i * width + j];
}

/* The way of rows_begin and rows_end with the sides exchanged. This rank's own rows are packed like the others', so
 * that they are added at their place in the order of ranks. */
void lw_halo_reverse_add(lw_halo *halo, lw_dtype type, int64_t width, const void *slots, void *local) {
    const halo_side *out = &halo->out, *in = &halo->in;
    LW_ASSERT(!halo->rows_begun && width > 0);
    size_t bytes = (size_t)width * lw_dtype_size(type);
    halo->row_bytes = bytes;
    row_type_set(halo, bytes);
    lw_halo_reserve(halo, &halo->send, (size_t)in->at[in->n] * bytes, 0);
    lw_halo_reserve(halo, &halo->recv, (size_t)out->at[out->n] * bytes, 0);
    rows_pack(in->at[in->n], in->index, bytes, slots, halo->send.data);
    rows_post(halo, out, in, LW_TAG_REVERSE);
    if (halo->comm->size > 1) MPI_Waitall(in->n + out->n, halo->requests, MPI_STATUSES_IGNORE);
    for (int k = 0; k < out->n; k++) {
        const char *packed = k == out->self ? halo->send.data + (size_t)in->at[in->self] * bytes
                                            : halo->recv.data + (size_t)out->at[k] * bytes;
        const uint32_t *index = out->index + out->at[k];
        int64_t n = out->at[k + 1] - out->at[k];
        if (type == LW_F32)
            rows_add_f32(n, index, width, (const float *)(const void *)packed, local);
        else
            rows_add_f64(n, index, width, (const double *)(const void *)packed, local);
    }
}
