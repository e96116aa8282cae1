/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Records that each go to a rank of their own, and the all-to-all exchange of any size below them. For building
 * networks; time loops use halo.c.
 */
#include <string.h>
#include "comm_private.h"

/* Rank by rank in P rounds, in pieces: the way for more than one MPI call can carry. */
static void exchange_pieces(
    const lw_comm *comm, const char *send, const int64_t *send_at, char *recv, const int64_t *recv_at) {
    for (int shift = 0; shift < comm->size; shift++) {
        int to = (comm->rank + shift) % comm->size, from = (comm->rank - shift + comm->size) % comm->size;
        int64_t out = send_at[to + 1] - send_at[to], in = recv_at[from + 1] - recv_at[from];
        if (shift == 0) {
            if (in > 0) memcpy(recv + recv_at[from], send + send_at[to], (size_t)in);
            continue;
        }
        for (int64_t at = 0; at < out || at < in; at += comm->limit) {
            int64_t n_out = out - at < comm->limit ? out - at : comm->limit;
            int64_t n_in = in - at < comm->limit ? in - at : comm->limit;
            MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
            if (n_in > 0)
                MPI_Irecv(recv + recv_at[from] + at, (int)n_in, MPI_BYTE, from, LW_TAG_ROUTE, comm->mpi, &requests[0]);
            if (n_out > 0)
                MPI_Isend(send + send_at[to] + at, (int)n_out, MPI_BYTE, to, LW_TAG_ROUTE, comm->mpi, &requests[1]);
            MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
        }
    }
}

void lw_comm_exchange(
    const lw_comm *comm, const void *send, const int64_t *send_at, void *recv, const int64_t *recv_at) {
    int size = comm->size;
    int64_t most = send_at[size] > recv_at[size] ? send_at[size] : recv_at[size];
    int *table = NULL; /* counts and places out, counts and places in; [4, size] */
    if (lw_alloc(4 * (size_t)size, sizeof *table, "message counts", &table) != LW_OK) {
        lw_err_clear(); /* the other way needs no table */
        most = INT64_MAX;
    }
    lw_comm_max_i64(comm, &most, 1);
    if (most > comm->limit) {
        exchange_pieces(comm, send, send_at, recv, recv_at);
    } else {
        for (int r = 0; r < size; r++) {
            table[r] = (int)(send_at[r + 1] - send_at[r]);
            table[size + r] = (int)send_at[r];
            table[2 * size + r] = (int)(recv_at[r + 1] - recv_at[r]);
            table[3 * size + r] = (int)recv_at[r];
        }
        MPI_Alltoallv(
            send, table, table + size, MPI_BYTE, recv, table + 2 * size, table + 3 * size, MPI_BYTE, comm->mpi);
    }
    lw_free(table);
}

/* Bytes per destination as places: at[r + 1] - at[r] for rank r. */
static lw_err count_records(const lw_comm *comm, int64_t n, const int32_t *dest, size_t record_size, int64_t *at) {
    LW_CHECK(n >= 0, LW_EUSE, "%lld records were to be routed, no less than 0 are allowed", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        LW_CHECK(dest[i] >= 0 && dest[i] < comm->size, LW_EUSE, "record %lld was routed to rank %d, ranks are 0 to %d",
            (long long)i, (int)dest[i], comm->size - 1);
        at[dest[i] + 1] += (int64_t)record_size;
    }
    for (int r = 0; r < comm->size; r++)
        at[r + 1] += at[r];
    return LW_OK;
}

/* Stable: the order within one destination is the caller's. `next` is scratch, [size]. */
static void pack_records(const lw_comm *comm, int64_t n, const int32_t *dest, const char *records, size_t record_size,
    const int64_t *at, int64_t *next, char *packed) {
    memcpy(next, at, (size_t)comm->size * sizeof *next);
    for (int64_t i = 0; i < n; i++) {
        memcpy(packed + next[dest[i]], records + (size_t)i * record_size, record_size);
        next[dest[i]] += (int64_t)record_size;
    }
}

lw_err lw_comm_route(const lw_comm *comm, int64_t n, const int32_t *dest, const void *records, size_t record_size,
    void **out, int64_t *n_out, int64_t *counts_from) {
    size_t size = (size_t)comm->size;
    int64_t *tables = NULL;
    char *packed = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    *n_out = 0;
    LW_ASSERT(record_size > 0);
    LW_TRY_TO(lw_alloc(4 * size + 2, sizeof *tables, "route tables", &tables), agree);
    LW_TRY_TO(count_records(comm, n, dest, record_size, tables), agree);
    LW_TRY_TO(lw_alloc((size_t)n, record_size, "records to route", &packed), agree);
agree:
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    int64_t *send_at = tables, *recv_at = tables + size + 1, *send = recv_at + size + 1, *recv = send + size;
    pack_records(comm, n, dest, records, record_size, send_at, send, packed);
    for (size_t r = 0; r < size; r++)
        send[r] = send_at[r + 1] - send_at[r];
    MPI_Alltoall(send, 1, MPI_INT64_T, recv, 1, MPI_INT64_T, comm->mpi);
    for (size_t r = 0; r < size; r++)
        recv_at[r + 1] = recv_at[r] + recv[r];
    err = lw_alloc((size_t)recv_at[size], 1, "routed records", out);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    lw_comm_exchange(comm, packed, send_at, *out, recv_at);
    *n_out = recv_at[size] / (int64_t)record_size;
    for (size_t r = 0; counts_from && r < size; r++)
        counts_from[r] = recv[r] / (int64_t)record_size;
done:
    if (err != LW_OK) {
        lw_free(*out);
        *out = NULL;
    }
    lw_free(packed);
    lw_free(tables);
    return err;
}
