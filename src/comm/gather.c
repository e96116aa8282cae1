/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Byte strings of varying length, one per rank, joined in rank order on every rank or on one. For set-up and output.
 */
#include <string.h>
#include "comm_private.h"

/* where each rank's string stands in the joined one */
typedef struct joint {
    int64_t *at; /* [size + 1], bytes */
    int *counts; /* [size], for MPI, where everything is within the limit */
    int *places; /* [size], likewise */
} joint;

static void joint_free(joint *j) {
    lw_free(j->at);
    lw_free(j->counts);
    lw_free(j->places);
}

/* **Collective**. Tables on all ranks, memory for the joined string on those with `here`. */
static lw_err joint_make(const lw_comm *comm, int64_t bytes, bool here, joint *j, void **out) {
    size_t size = (size_t)comm->size;
    lw_err err = LW_OK;
    LW_ASSERT(bytes >= 0);
    *j = (joint){0};
    *out = NULL;
    LW_TRY_TO(lw_alloc(size + 1, sizeof *j->at, "gather places", &j->at), agree);
    LW_TRY_TO(lw_alloc(size, sizeof *j->counts, "gather counts", &j->counts), agree);
    LW_TRY_TO(lw_alloc(size, sizeof *j->places, "gather places", &j->places), agree);
agree:
    LW_TRY_TO(lw_comm_agree(comm, err), failed);
    lw_comm_allgather_i64(comm, bytes, j->at + 1);
    for (size_t r = 0; r < size; r++)
        j->at[r + 1] += j->at[r];
    for (size_t r = 0; j->at[size] <= comm->limit && r < size; r++) {
        j->counts[r] = (int)(j->at[r + 1] - j->at[r]);
        j->places[r] = (int)j->at[r];
    }
    if (here) err = lw_alloc((size_t)j->at[size], 1, "gathered data", out);
    LW_TRY_TO(lw_comm_agree(comm, err), failed);
    return LW_OK;
failed:
    joint_free(j);
    lw_free(*out);
    *out = NULL;
    return err;
}

lw_err lw_comm_allgatherv(const lw_comm *comm, const void *data, int64_t bytes, void **out, int64_t *out_bytes) {
    joint j;
    *out_bytes = 0;
    LW_TRY(joint_make(comm, bytes, true, &j, out));
    *out_bytes = j.at[comm->size];
    if (*out_bytes <= comm->limit) {
        MPI_Allgatherv(data, (int)bytes, MPI_BYTE, *out, j.counts, j.places, MPI_BYTE, comm->mpi);
    } else {
        if (bytes > 0) memcpy((char *)*out + j.at[comm->rank], data, (size_t)bytes);
        for (int r = 0; r < comm->size; r++)
            lw_comm_bcast(comm, (char *)*out + j.at[r], j.at[r + 1] - j.at[r], r);
    }
    joint_free(&j);
    return LW_OK;
}

/* Every string in pieces of the limit, in rank order; for more than one call can carry. */
static void gather_pieces(
    const lw_comm *comm, const char *data, int64_t bytes, int root, const int64_t *at, char *out) {
    if (comm->rank != root) {
        for (int64_t done = 0; done < bytes; done += comm->limit) {
            int now = (int)(bytes - done < comm->limit ? bytes - done : comm->limit);
            MPI_Send(data + done, now, MPI_BYTE, root, LW_TAG_GATHER, comm->mpi);
        }
        return;
    }
    if (bytes > 0) memcpy(out + at[root], data, (size_t)bytes);
    for (int r = 0; r < comm->size; r++) {
        for (int64_t done = at[r]; r != root && done < at[r + 1]; done += comm->limit) {
            int now = (int)(at[r + 1] - done < comm->limit ? at[r + 1] - done : comm->limit);
            MPI_Recv(out + done, now, MPI_BYTE, r, LW_TAG_GATHER, comm->mpi, MPI_STATUS_IGNORE);
        }
    }
}

lw_err lw_comm_gatherv(const lw_comm *comm, const void *data, int64_t bytes, int root, void **out, int64_t *out_bytes) {
    joint j;
    *out_bytes = 0;
    LW_ASSERT(root >= 0 && root < comm->size);
    LW_TRY(joint_make(comm, bytes, comm->rank == root, &j, out));
    if (j.at[comm->size] <= comm->limit)
        MPI_Gatherv(data, (int)bytes, MPI_BYTE, *out, j.counts, j.places, MPI_BYTE, root, comm->mpi);
    else
        gather_pieces(comm, data, bytes, root, j.at, *out);
    if (comm->rank == root) *out_bytes = j.at[comm->size];
    joint_free(&j);
    return LW_OK;
}
