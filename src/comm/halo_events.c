/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Halo exchange of events. The sender knows the receiver's slots, so a message is ready for use where it arrives: it is
 * received straight into its place of the result. Every neighbour gets one message per exchange, also an empty one, so
 * the receiver needs no count beforehand: it probes each neighbour in turn.
 */
#include <limits.h>
#include <string.h>
#include "halo_private.h"

/* With half as much again: activity varies, and few steps should pay for growth. */
static lw_event *events_reserve(const lw_halo *h, halo_buffer *buffer, int64_t n) {
    size_t bytes = (size_t)n * sizeof(lw_event);
    return lw_halo_reserve(h, buffer, bytes, bytes / 2);
}

/* Places of the neighbours' messages in the send buffer, then the messages. Two passes over the events, no copies. */
static void events_pack(lw_halo *h, const lw_event *events, int64_t n) {
    int64_t *at = h->events_at, *next = h->events_next;
    memset(at, 0, ((size_t)h->out.n + 1) * sizeof *at);
    for (int64_t i = 0; i < n; i++) {
        LW_ASSERT(events[i].index < (uint64_t)h->n_local);
        for (int64_t w = h->want_at[events[i].index]; w < h->want_at[events[i].index + 1]; w++)
            at[h->wants[w].neighbour + 1]++;
    }
    for (int k = 0; k < h->out.n; k++)
        at[k + 1] += at[k];
    lw_event *packed = events_reserve(h, &h->events_send, at[h->out.n]);
    memcpy(next, at, (size_t)h->out.n * sizeof *next);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t w = h->want_at[events[i].index]; w < h->want_at[events[i].index + 1]; w++) {
            lw_event event = {.index = h->wants[w].slot, .tag = events[i].tag};
            packed[next[h->wants[w].neighbour]++] = event;
        }
    }
}

static int event_bytes(const lw_halo *h, int64_t n) {
    return lw_comm_count(h->comm, n * (int64_t)sizeof(lw_event), "bytes of events");
}

void lw_halo_events_begin(lw_halo *halo, const lw_event *events, int64_t n) {
    const halo_side *out = &halo->out;
    LW_ASSERT(!halo->events_begun && n >= 0);
    halo->events_begun = true;
    events_pack(halo, events, n);
    const lw_event *packed = (const lw_event *)(const void *)halo->events_send.data;
    for (int k = 0; k < out->n; k++) {
        halo->events_requests[k] = MPI_REQUEST_NULL;
        if (k == out->self) continue;
        int bytes = event_bytes(halo, halo->events_at[k + 1] - halo->events_at[k]);
        MPI_Isend(packed + halo->events_at[k], bytes, MPI_BYTE, out->rank[k], LW_TAG_EVENTS, halo->comm->mpi,
            &halo->events_requests[k]);
        halo->bytes_sent += bytes;
        halo->messages_sent++;
    }
}

lw_err lw_halo_events_end(lw_halo *halo, const lw_event **received, int64_t *n_received) {
    const halo_side *out = &halo->out, *in = &halo->in;
    int64_t *at = halo->received_at;
    LW_ASSERT(halo->events_begun);
    for (int k = 0; k < in->n; k++) { /* sizes */
        int bytes = 0;
        if (k == in->self) {
            bytes = event_bytes(halo, halo->events_at[out->self + 1] - halo->events_at[out->self]);
        } else {
            MPI_Status status;
            MPI_Mprobe(in->rank[k], LW_TAG_EVENTS, halo->comm->mpi, &halo->messages[k], &status);
            MPI_Get_count(&status, MPI_BYTE, &bytes);
        }
        at[k + 1] = at[k] + bytes / (int64_t)sizeof(lw_event);
    }
    lw_event *events = events_reserve(halo, &halo->events_recv, at[in->n]);
    const lw_event *packed = (const lw_event *)(const void *)halo->events_send.data;
    for (int k = 0; k < in->n; k++) {
        size_t bytes = (size_t)(at[k + 1] - at[k]) * sizeof *events;
        MPI_Request *request = &halo->events_requests[out->n + k];
        *request = MPI_REQUEST_NULL;
        if (k != in->self)
            MPI_Imrecv(events + at[k], (int)bytes, MPI_BYTE, &halo->messages[k], request);
        else if (bytes > 0)
            memcpy(events + at[k], packed + halo->events_at[out->self], bytes);
    }
    if (halo->comm->size > 1) MPI_Waitall(out->n + in->n, halo->events_requests, MPI_STATUSES_IGNORE);
    halo->events_begun = false;
    *received = events;
    *n_received = at[in->n];
    return LW_OK;
}
