/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to comm: the communicator's struct, the tags of the whole program, checked counts and the raw exchange that
 * the files share. Tests include it to shrink the limit above which messages are split.
 */
#ifndef LW_COMM_PRIVATE_H
#define LW_COMM_PRIVATE_H

#include <mpi.h>
#include <lapwing/comm.h>

/** Every point-to-point message of the program. Collectives need none. */
typedef enum lw_tag { LW_TAG_ROUTE = 1, LW_TAG_GATHER, LW_TAG_ROWS, LW_TAG_REVERSE, LW_TAG_EVENTS } lw_tag;

struct lw_comm {
    MPI_Comm mpi;         /* owned */
    int rank, size;       /* of the processes that are there */
    int as_rank, as_size; /* what others are told: the same, or the part that is played */
    bool plays;
    bool started_mpi;   /* lw_comm_stop finalizes */
    bool apart;         /* a pool of this communicator sends messages, as if no two ranks shared a node */
    int64_t limit;      /* bytes that one MPI call may carry in all; more is split */
    void *scratch;      /* of the ordered reductions; kept */
    size_t scratch_len; /* bytes */
};

/** Lower the limit so that small data takes the path of large data. Equal on all ranks. For tests. */
void lw_comm_limit_set(lw_comm *comm, int64_t bytes);
/** Pools of this communicator, and of those split off it, send messages. Equal on all ranks. For tests. */
void lw_comm_apart_set(lw_comm *comm, bool apart);
/** End the job with a message for what cannot be handed back: a void function of a time loop got no memory. */
_Noreturn void lw_comm_die(const lw_comm *comm, const char *while_doing);
/** A count for MPI; ends the job when it does not fit. */
int lw_comm_count(const lw_comm *comm, int64_t n, const char *what);

/** **Collective**. send[send_at[r], send_at[r+1]) goes to rank r, recv[recv_at[r], recv_at[r+1]) comes from it; bytes,
 * both tables [size + 1]. Any size. */
void lw_comm_exchange(
    const lw_comm *comm, const void *send, const int64_t *send_at, void *recv, const int64_t *recv_at);

#endif
