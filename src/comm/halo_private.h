/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to comm: the halo's struct, shared by halo.c (who wants what), halo_rows.c (dense rows) and halo_events.c
 * (events).
 */
#ifndef LW_COMM_HALO_PRIVATE_H
#define LW_COMM_HALO_PRIVATE_H

#include "comm_private.h"

/** The ranks on one side, ascending, this rank included at its place when it wants something of itself. */
typedef struct halo_side {
    int n;           /* neighbours, this rank included */
    int self;        /* position of this rank in `rank`, -1 when absent */
    int32_t *rank;   /* [n] */
    int64_t *at;     /* [n + 1] places in `index` */
    uint32_t *index; /* [at[n]]; out: lid that is wanted; in: slot to be filled. Both sides list a pair's items in one
                        order. */
} halo_side;

/** A message buffer that grows and is kept. */
typedef struct halo_buffer {
    char *data;
    size_t bytes;
} halo_buffer;

/** One place where a local item is wanted. */
typedef struct halo_want {
    uint32_t neighbour; /* position in out.rank */
    uint32_t slot;      /* there */
} halo_want;

struct lw_halo {
    lw_comm *comm; /* owned duplicate */
    int64_t n_local, n_slots;
    halo_side out, in;

    int64_t *want_at; /* [n_local + 1]: places of an item's wants */
    halo_want *wants; /* [out.at[out.n]], by lid, then neighbour */

    halo_side absent; /* slots of ranks that are not there (lw_comm_play) */

    MPI_Request *requests; /* [out.n + in.n] */
    halo_buffer send, recv;

    bool rows_begun;
    const char *rows_local; /* of the begun exchange */
    size_t row_bytes;
    MPI_Datatype row_type; /* of row_type_bytes, kept */
    size_t row_type_bytes;

    bool events_begun;
    halo_buffer events_send, events_recv;
    int64_t *events_at;           /* [out.n + 1] places in events_send, in events */
    int64_t *events_next;         /* [out.n] */
    int64_t *received_at;         /* [in.n + 1] places in events_recv, in events */
    MPI_Request *events_requests; /* [out.n + in.n] */
    MPI_Message *messages;        /* [in.n] */

    int64_t bytes_sent, messages_sent;
};

/** At least `bytes`; contents are lost. When it must grow, it grows by `spare` bytes more. Ends the job when there is
 * no memory: the callers are void functions of time loops. */
void *lw_halo_reserve(const lw_halo *halo, halo_buffer *buffer, size_t bytes, size_t spare);

#endif
