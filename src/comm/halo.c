/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Halo: who wants which of whose items. Built by one routed exchange: every rank sends (lid, slot) of each slot to the
 * slot's owner. What travels afterwards is in halo_rows.c and halo_events.c.
 */
#include <string.h>
#include "halo_private.h"

typedef struct request {
    int64_t lid; /* wanted, the owner's */
    int64_t slot;
} request;

void *lw_halo_reserve(const lw_halo *halo, halo_buffer *buffer, size_t bytes, size_t spare) {
    if (buffer->bytes < bytes || !buffer->data) {
        lw_free(buffer->data);
        buffer->bytes = 0;
        if (lw_alloc(bytes + spare, 1, "a halo buffer", &buffer->data) != LW_OK)
            lw_comm_die(halo->comm, "exchanging a halo");
        buffer->bytes = bytes + spare;
    }
    return buffer->data;
}

static void side_free(halo_side *side) {
    lw_free(side->rank);
    lw_free(side->at);
    lw_free(side->index);
}

void lw_halo_destroy(lw_halo **halo) {
    lw_halo *h = *halo;
    if (!h) return;
    LW_ASSERT(!h->rows_begun && !h->events_begun);
    for (int k = 0; h->messages && k < h->out.n + h->in.n; k++) /* every request was completed */
        LW_ASSERT(h->requests[k] == MPI_REQUEST_NULL && h->events_requests[k] == MPI_REQUEST_NULL);
    side_free(&h->out);
    side_free(&h->in);
    side_free(&h->absent);
    lw_free(h->want_at);
    lw_free(h->wants);
    lw_free(h->requests);
    lw_free(h->send.data);
    lw_free(h->recv.data);
    lw_free(h->events_send.data);
    lw_free(h->events_recv.data);
    lw_free(h->events_at);
    lw_free(h->events_next);
    lw_free(h->received_at);
    lw_free(h->events_requests);
    lw_free(h->messages);
    if (h->row_type_bytes) MPI_Type_free(&h->row_type);
    lw_comm_destroy(&h->comm);
    lw_free(h);
    *halo = NULL;
}

/* Neighbours are the ranks with a count above 0; index stays to be filled. counts: [size]; self: this rank. */
static lw_err side_make(int size, int self, const int64_t *counts, halo_side *side) {
    side->self = -1;
    for (int r = 0; r < size; r++)
        side->n += counts[r] > 0;
    LW_TRY(lw_alloc((size_t)side->n, sizeof *side->rank, "halo neighbours", &side->rank));
    LW_TRY(lw_alloc((size_t)side->n + 1, sizeof *side->at, "halo neighbours", &side->at));
    int n = 0;
    for (int r = 0; r < size; r++) {
        if (counts[r] == 0) continue;
        if (r == self) side->self = n;
        side->rank[n] = r;
        side->at[n + 1] = side->at[n] + counts[r];
        n++;
    }
    return lw_alloc((size_t)side->at[n], sizeof *side->index, "halo items", &side->index);
}

static bool is_absent(const lw_comm *comm, int32_t owner) {
    return comm->plays && owner != comm->as_rank;
}

/* The slots of present (or absent) owners, by owner. next: [ranks] scratch, zero. */
static lw_err slots_side(const lw_halo *h, const int32_t *owner, bool absent, int64_t *next, halo_side *side) {
    for (int64_t i = 0; i < h->n_slots; i++)
        next[owner[i]] += is_absent(h->comm, owner[i]) == absent;
    LW_TRY(side_make(h->comm->as_size, h->comm->as_rank, next, side));
    for (int k = 0; k < side->n; k++)
        next[side->rank[k]] = side->at[k];
    for (int64_t i = 0; i < h->n_slots; i++)
        if (is_absent(h->comm, owner[i]) == absent) side->index[next[owner[i]]++] = (uint32_t)i;
    return LW_OK;
}

/* Local: ranges, the slots by owner, and one request per slot whose owner is there; dest: rank to ask. */
static lw_err slots_sort(lw_halo *h, const int32_t *owner, const int64_t *owner_lid, request *requests, int32_t *dest) {
    int size = h->comm->as_size;
    int64_t *next = NULL, n = 0;
    LW_CHECK(h->n_local >= 0 && h->n_local <= UINT32_MAX && h->n_slots >= 0 && h->n_slots <= UINT32_MAX, LW_EUSE,
        "a halo of %lld items and %lld slots on one rank; each may be 0 to %lld, use more ranks", (long long)h->n_local,
        (long long)h->n_slots, (long long)UINT32_MAX);
    for (int64_t i = 0; i < h->n_slots; i++) {
        LW_CHECK(owner[i] >= 0 && owner[i] < size, LW_EUSE,
            "halo slot %lld wants an item of rank %d, ranks are 0 to %d", (long long)i, (int)owner[i], size - 1);
        if (is_absent(h->comm, owner[i])) continue;
        dest[n] = h->comm->plays ? h->comm->rank : owner[i];
        requests[n++] = (request){.lid = owner_lid[i], .slot = i};
    }
    LW_TRY(lw_alloc(2 * (size_t)size, sizeof *next, "halo counts", &next));
    lw_err err = slots_side(h, owner, false, next, &h->in);
    if (err == LW_OK && h->comm->plays) err = slots_side(h, owner, true, next + size, &h->absent);
    lw_free(next);
    return err;
}

/* Local: the requests that arrived become the out side and, by lid, the wants. */
static lw_err wants_sort(lw_halo *h, const int64_t *counts, const request *requests) {
    LW_TRY(side_make(h->comm->size, h->comm->rank, counts, &h->out));
    int64_t n = h->out.at[h->out.n];
    LW_TRY(lw_alloc((size_t)h->n_local + 2, sizeof *h->want_at, "halo wants", &h->want_at));
    LW_TRY(lw_alloc((size_t)n, sizeof *h->wants, "halo wants", &h->wants));
    for (int k = 0; k < h->out.n; k++) {
        for (int64_t i = h->out.at[k]; i < h->out.at[k + 1]; i++) {
            LW_CHECK(requests[i].lid >= 0 && requests[i].lid < h->n_local, LW_EUSE,
                "rank %d wants item %lld of rank %d, which has %lld", (int)h->out.rank[k], (long long)requests[i].lid,
                h->comm->rank, (long long)h->n_local);
            h->out.index[i] = (uint32_t)requests[i].lid;
            h->want_at[requests[i].lid + 2]++;
        }
    }
    /* want_at is shifted by one while filling, so that it ends as the table of places */
    for (int64_t i = 0; i <= h->n_local; i++)
        h->want_at[i + 1] += h->want_at[i];
    for (int k = 0; k < h->out.n; k++) {
        for (int64_t i = h->out.at[k]; i < h->out.at[k + 1]; i++) {
            halo_want want = {.neighbour = (uint32_t)k, .slot = (uint32_t)requests[i].slot};
            h->wants[h->want_at[requests[i].lid + 1]++] = want;
        }
    }
    return LW_OK;
}

static lw_err transient_make(lw_halo *h) {
    size_t out = (size_t)h->out.n, in = (size_t)h->in.n;
    LW_TRY(lw_alloc(out + in, sizeof *h->requests, "halo requests", &h->requests));
    LW_TRY(lw_alloc(out + in, sizeof *h->events_requests, "halo requests", &h->events_requests));
    LW_TRY(lw_alloc(out + 1, sizeof *h->events_at, "halo places", &h->events_at));
    LW_TRY(lw_alloc(out, sizeof *h->events_next, "halo places", &h->events_next));
    LW_TRY(lw_alloc(in + 1, sizeof *h->received_at, "halo places", &h->received_at));
    for (size_t k = 0; k < out + in; k++)
        h->requests[k] = h->events_requests[k] = MPI_REQUEST_NULL;
    return lw_alloc(in, sizeof *h->messages, "halo messages", &h->messages);
}

lw_err lw_halo_create(const lw_comm *comm, int64_t n_local, int64_t n_slots, const int32_t *owner,
    const int64_t *owner_lid, lw_halo **out) {
    lw_halo *h = NULL;
    request *requests = NULL;
    void *arrived = NULL;
    int64_t *counts = NULL, n_arrived = 0;
    int32_t *dest = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *h, "a halo", &h), agree);
    LW_TRY_TO(lw_alloc((size_t)comm->size, sizeof *counts, "halo counts", &counts), agree);
    LW_TRY_TO(lw_alloc((size_t)(n_slots > 0 ? n_slots : 0), sizeof *requests, "halo requests", &requests), agree);
    LW_TRY_TO(lw_alloc((size_t)(n_slots > 0 ? n_slots : 0), sizeof *dest, "halo requests", &dest), agree);
agree:
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(lw_comm_dup(comm, &h->comm), done);
    h->n_local = n_local;
    h->n_slots = n_slots;
    err = slots_sort(h, owner, owner_lid, requests, dest);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(
        lw_comm_route(comm, h->in.at[h->in.n], dest, requests, sizeof *requests, &arrived, &n_arrived, counts), done);
    err = wants_sort(h, counts, arrived);
    if (err == LW_OK) err = transient_make(h);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    *out = h;
    h = NULL;
done:
    lw_free(arrived);
    lw_free(counts);
    lw_free(dest);
    lw_free(requests);
    lw_halo_destroy(&h);
    return err;
}

lw_halo_stats lw_halo_stats_get(const lw_halo *halo) {
    const halo_side *out = &halo->out, *in = &halo->in;
    lw_halo_stats stats = {.slots_remote = in->at[in->n],
        .items_sent = out->at[out->n],
        .neighbours_in = in->n - (in->self >= 0),
        .neighbours_out = out->n - (out->self >= 0),
        .bytes_sent = halo->bytes_sent,
        .messages_sent = halo->messages_sent};
    if (in->self >= 0) stats.slots_remote -= in->at[in->self + 1] - in->at[in->self];
    if (out->self >= 0) stats.items_sent -= out->at[out->self + 1] - out->at[out->self];
    if (halo->comm->plays) {
        stats.slots_remote += halo->absent.at[halo->absent.n];
        stats.neighbours_in += halo->absent.n;
    }
    return stats;
}

lw_halo_absent lw_halo_absent_get(const lw_halo *halo) {
    const halo_side *absent = &halo->absent;
    return (lw_halo_absent){.n_ranks = absent->n, .at = absent->at, .slot = absent->index};
}
