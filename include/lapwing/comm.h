/* SPDX-License-Identifier: BSD-3-Clause
 *
 * comm: meanings over MPI: agree on an error, sum, route records, exchange halos, process grid. Knows no neurons.
 * MPI failures abort with rank, call and text (MPI_ERRORS_ARE_FATAL); nothing above this floor sees an MPI return code.
 */
#ifndef LAPWING_COMM_H
#define LAPWING_COMM_H

#include <lapwing/base.h>

/** An owned duplicate of an MPI communicator. Of one process alone: agreement, sums and the exchanges of a halo call no
 * MPI and may go on in several threads, each with its own halo. */
typedef struct lw_comm lw_comm;

/** Start MPI (THREAD_FUNNELED) unless it runs, install the abort hook and the log rank, and give the world.
 *  **Collective**. */
lw_err lw_comm_start(int *argc, char ***argv, lw_comm **world) LW_MUST_CHECK;
/** Destroy the world and finalize MPI if lw_comm_start began it. **Collective**. */
void lw_comm_stop(lw_comm **world);
lw_err lw_comm_dup(const lw_comm *comm, lw_comm **out) LW_MUST_CHECK;
/** **Collective**. Ranks with equal `color` come together, ordered by `key`. color < 0: *out is NULL. */
lw_err lw_comm_split(const lw_comm *comm, int color, int key, lw_comm **out) LW_MUST_CHECK;
/** The communicator of this process alone. **Local**. */
lw_err lw_comm_self(lw_comm **out) LW_MUST_CHECK;
/** A communicator of this process alone that plays rank `rank` of `size`, for dry runs: lw_comm_rank and lw_comm_size
 * say so, so that a network is cut accordingly, but collective functions see this process only and a halo gets nothing
 * from the ranks that are absent. Duplicates play the same part. **Local**. */
lw_err lw_comm_play(int rank, int size, lw_comm **out) LW_MUST_CHECK;
bool lw_comm_plays(const lw_comm *comm);
void lw_comm_destroy(lw_comm **comm);

int lw_comm_rank(const lw_comm *comm);
int lw_comm_size(const lw_comm *comm);
/** Pointer to the raw MPI_Comm, for io (HDF5), lyap (BLACS) and net (PT-Scotch) only. */
void *lw_comm_handle(const lw_comm *comm);

/** **Collective**. Every rank gets the error and the message of the lowest failing rank; LW_OK when none failed. */
lw_err lw_comm_agree(const lw_comm *comm, lw_err err) LW_MUST_CHECK;
void lw_comm_barrier(const lw_comm *comm);
/** End the whole job with this exit status, after printing the recorded error message. **Local**. */
_Noreturn void lw_comm_abort(const lw_comm *comm, int status);

/** **Collective** reductions in place; all ranks get the same bits. Sums associate in rank order for a fixed size. */
void lw_comm_sum_f64(const lw_comm *comm, double *x, int64_t n);
void lw_comm_sum_f32(const lw_comm *comm, float *x, int64_t n);
void lw_comm_sum_i64(const lw_comm *comm, int64_t *x, int64_t n);
/** x: [sum of count] on every rank. x[0 .. count[rank]) <- the sums over ranks of this rank's stretch, the stretches
 * lying one after the other; the rest of x is lost. **Collective**. */
void lw_comm_sum_deal_i64(const lw_comm *comm, int64_t *x, const int64_t *count);
void lw_comm_max_i64(const lw_comm *comm, int64_t *x, int64_t n);
void lw_comm_min_i64(const lw_comm *comm, int64_t *x, int64_t n);
void lw_comm_max_f64(const lw_comm *comm, double *x, int64_t n);
/** **Collective**. Bytes from `root` to all. Sizes above INT_MAX are split. */
void lw_comm_bcast(const lw_comm *comm, void *data, int64_t bytes, int root);
/** **Collective**. out[r] = x of rank r, [size]. */
void lw_comm_allgather_i64(const lw_comm *comm, int64_t x, int64_t *out);
/** **Collective**. Sum of x over ranks below this one. */
int64_t lw_comm_exscan_i64(const lw_comm *comm, int64_t x);
/** **Collective**. All ranks' byte strings one after the other in rank order; *out from lw_alloc, caller frees. */
lw_err lw_comm_allgatherv(
    const lw_comm *comm, const void *data, int64_t bytes, void **out, int64_t *out_bytes) LW_MUST_CHECK;
/** **Collective**. As above, but only `root` receives; *out is NULL elsewhere. */
lw_err lw_comm_gatherv(
    const lw_comm *comm, const void *data, int64_t bytes, int root, void **out, int64_t *out_bytes) LW_MUST_CHECK;
/** **Collective**. Send record i (record_size bytes) to rank dest[i]. *out holds what arrived, ordered by sender, then
 * by the sender's order; from lw_alloc, caller frees. counts_from (may be NULL): [size] records received from each
 * rank. */
lw_err lw_comm_route(const lw_comm *comm, int64_t n, const int32_t *dest, const void *records, size_t record_size,
    void **out, int64_t *n_out, int64_t *counts_from) LW_MUST_CHECK;

/* ------------------------------------------------------------------ window */

/** Memory that all ranks of a communicator see, where they share a node. */
typedef struct lw_window lw_window;
/** **Collective**, bytes equal on all ranks. What it holds is not defined; pages lie near the rank that writes them
 * first. *out is NULL, and that is no error, where the ranks are on several nodes or /dev/shm has less than twice the
 * room. */
lw_err lw_window_create(const lw_comm *comm, int64_t bytes, lw_window **out) LW_MUST_CHECK;
/** **Collective**. NULL is accepted. */
void lw_window_destroy(lw_window **window);
void *lw_window_at(const lw_window *window);
/** All ranks have written, and read, what they wanted; all see it. **Collective**. */
void lw_window_meet(const lw_window *window);

/* ------------------------------------------------------------------ pool
 * An array of n doubles on every rank, whose sums over the ranks are dealt out: rank r gets those of the stretch
 * [cut[r], cut[r + 1]), makes something of them and hands the result round. Where all ranks share a node the arrays lie
 * in memory that all see: then nothing is sent, and a sum reads each array once.
 *
 *   write mine -> ready ... -> meet -> add -> (work on the own stretch of mine) -> hand -> read all stretches -> leave
 */
typedef struct lw_pool lw_pool;
/** **Collective**. cut: [size + 1], from 0 to n, equal on all ranks. The array begins with zeros. */
lw_err lw_pool_create(const lw_comm *comm, int64_t n, const int64_t *cut, lw_pool **out) LW_MUST_CHECK;
/** **Collective** where the communicator has several ranks. */
void lw_pool_destroy(lw_pool **pool);
/** This rank's array, [n]. */
double *lw_pool_mine(const lw_pool *pool);
/** Numbers [at, at + n) of mine are written and stay as they are until the meeting: they may begin to travel. Every
 * number once, in the same pieces and order on all ranks. **Collective**, but nobody waits. */
void lw_pool_ready(lw_pool *pool, int64_t at, int64_t n);
/** All ranks have written. **Collective**. */
void lw_pool_meet(lw_pool *pool);
/** mine[lo, hi) <- sums, left to right in rank order; within the own stretch. **Local**: threads may share a stretch.
 */
void lw_pool_add(lw_pool *pool, int64_t lo, int64_t hi);
/** All ranks have finished their stretches. **Collective**. */
void lw_pool_hand(lw_pool *pool);
/** Stretch of a rank, after handing. */
const double *lw_pool_stretch(const lw_pool *pool, int rank);
/** All ranks have read; mine may be written again. **Collective**. */
void lw_pool_leave(lw_pool *pool);
/** Bytes that this rank has sent to others (0 where they see its memory). */
int64_t lw_pool_bytes(const lw_pool *pool);

/* ------------------------------------------------------------------ process grid */

/** replicas x partitions: world rank = replica * partitions + part. */
typedef struct lw_grid {
    lw_comm *world; /* owned duplicate */
    lw_comm *part;  /* the ranks that hold one copy of the network together */
    lw_comm *peers; /* the ranks with this part number in all replicas (gradient sums) */
    int replicas, parts, replica, part_index;
} lw_grid;
/** **Collective**. EUSE when `replicas` does not divide the number of ranks. */
lw_err lw_grid_create(const lw_comm *world, int replicas, lw_grid **out) LW_MUST_CHECK;
void lw_grid_destroy(lw_grid **grid);

/* ------------------------------------------------------------------ halo
 * A halo connects each rank's `slots` (what it wants to know) with their owners' local indices (cf. PETSc's PetscSF:
 * roots are local indices, leaves are slots). Only what is wanted travels, only to those who want it. Slots whose owner
 * is this rank are allowed and are filled locally.
 *
 *   rank 0 owns lids 0 1 2        rank 1 owns lids 0 1
 *   rank 0 slots: (0,1) (1,0)     rank 1 slots: (0,0) (0,2) (1,1)        (owner rank, owner's lid)
 */
typedef struct lw_halo lw_halo;

/** **Collective**. n_local: owned items here; slot i wants item owner_lid[i] of rank owner[i]. Handshake by one routed
 * exchange. */
lw_err lw_halo_create(const lw_comm *comm, int64_t n_local, int64_t n_slots, const int32_t *owner,
    const int64_t *owner_lid, lw_halo **out) LW_MUST_CHECK;
void lw_halo_destroy(lw_halo **halo);
/** Remote slots here; local items sent to others (with multiplicity); neighbour ranks in and out. */
typedef struct lw_halo_stats {
    int64_t slots_remote, items_sent;
    int neighbours_in, neighbours_out;
    int64_t bytes_sent, messages_sent; /* since creation */
} lw_halo_stats;
lw_halo_stats lw_halo_stats_get(const lw_halo *halo);

/** Owner -> slots, dense. **Neighbour**. local: [n_local, row] items, slots: [n_slots, row], `row_bytes` bytes each.
 *  begin posts, end completes and fills slots; other work may stand between, but `local` must not change. One begun
 * exchange at a time. */
void lw_halo_rows_begin(lw_halo *halo, const void *local, size_t row_bytes);
void lw_halo_rows_end(lw_halo *halo, void *slots);
/** Slots -> owner, summed: local[i] += sum over the slots (of all ranks, this one included) that want item i, in
 *  ascending rank order. **Neighbour**. Rows of `width` numbers of the given type. */
void lw_halo_reverse_add(lw_halo *halo, lw_dtype type, int64_t width, const void *slots, void *local);

/** Sparse events of several steps, owner -> slots. **Neighbour**.
 *  events: n pairs (lid, tag); tag is any 32-bit word (step in the epoch, lane). Each rank that wants `lid` gets
 *  (slot, tag). The result holds, for every sender in ascending rank order (this rank included), its events in the
 * order given; one message per neighbour, no size exchange (receivers probe). *received is borrowed until the next
 * begin. Buffers grow and are kept; a rank that gets no memory for them ends the job, because its neighbours already
 * wait. */
typedef struct lw_event {
    uint32_t index; /* lid when sent, slot when received */
    uint32_t tag;
} lw_event;
void lw_halo_events_begin(lw_halo *halo, const lw_event *events, int64_t n);
lw_err lw_halo_events_end(lw_halo *halo, const lw_event **received, int64_t *n_received) LW_MUST_CHECK;

/** Slots whose owners are absent (lw_comm_play), by ascending owner, then slot; none on an ordinary communicator.
 * Exchanges leave them as they are. Borrowed. **Local**. */
typedef struct lw_halo_absent {
    int n_ranks;          /* owners that are absent */
    const int64_t *at;    /* [n_ranks + 1] places in `slot` */
    const uint32_t *slot; /* [at[n_ranks]] */
} lw_halo_absent;
lw_halo_absent lw_halo_absent_get(const lw_halo *halo);

#endif
