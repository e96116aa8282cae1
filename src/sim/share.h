/* SPDX-License-Identifier: BSD-3-Clause
 *
 * share.h: what one thread does of a step. A share is whole target blocks of this rank, so a stretch of local neurons
 * with all that arrives in bundles there; no two shares write the same numbers.
 */
#ifndef LAPWING_SIM_SHARE_H
#define LAPWING_SIM_SHARE_H

#include <pthread.h>
#include <stdatomic.h>
#include "deliver_bundle.h"
#include "engine_parts.h"

/** A number that threads wait to see changed. */
typedef struct engine_signal {
    _Alignas(64) atomic_uint value;
    atomic_uint sleepers;
} engine_signal;

/** Threads that step the shares of one engine: a place to wait for each other, and what is known of other ranks. */
typedef struct engine_team {
    engine_signal round, news;                /* of the meeting; of `unknown` */
    _Alignas(64) atomic_int_fast64_t unknown; /* first step whose spikes are still under way to this rank */
    _Alignas(64) atomic_int_fast32_t waiting;
    int n;      /* threads */
    lw_err err; /* of the safe point, by the first thread */
} engine_team;

/** Thread `me` of a team, which steps shares me, me + n, me + 2 n ... */
typedef struct engine_worker {
    lw_sim *sim;
    engine_team *team;
    struct way *way; /* loop.c */
    int me;
    pthread_t thread;
} engine_worker;

typedef struct engine_share {
    int64_t lid_begin, lid_end;
    int32_t block_begin, block_end;
    int64_t *first, *last; /* [n_pop] local neurons of each population */
    int64_t *n_own;        /* [own_depth][n_pop] spikes noted here, in the history's own lists from `first` on */
    void **table;          /* coefficients, states and inputs of population p from table_begin[p] on, at `first` */
    int32_t *table_begin;  /* [n_pop] */
    int32_t n_bundles;
    const lw_bundle **bundle; /* by block, then in the order of sums */
    queue *queue;
    lw_sim_stats stats; /* since the last join */
    engine_worker worker;
    char line[64]; /* keeps the counters of two threads off one cache line */
} engine_share;

/** The team has n threads; those that wait for its start go on. */
void engine_team_start(engine_team *team, int n);
void engine_team_await_start(engine_team *team);
/** Wait until all threads of the team are here. What they wrote before is seen by all afterwards. */
void engine_team_wait(engine_team *team);
/** Everything emitted so far is known; by the first thread, after an exchange. */
void engine_team_tell(engine_team *team);

/** Cut the rank's blocks into shares, as many as the options' threads and the blocks allow. **Local**. */
lw_err engine_shares_create(lw_sim *sim, int32_t threads) LW_MUST_CHECK;
void engine_shares_destroy(lw_sim *sim);
/** The net's bundles and views changed. */
void engine_shares_refresh(lw_sim *sim);

/** Zero the inputs of a share and deliver the bundles due at step t. `first`: the thread that may talk to other ranks,
 * which ends the exchange that the others wait for. */
void engine_share_deliver(lw_sim *sim, engine_share *share, engine_team *team, int64_t t, bool first);
/** Stimuli, update, threshold, reset and note of spikes of the populations of `level`. */
void engine_share_step(lw_sim *sim, engine_share *share, int level, int64_t t);
/** Put the shares' notes of step t of the populations of `level` together: histories, counters, records. By one thread,
 * while the others are elsewhere. */
void engine_shares_join(lw_sim *sim, int level, int64_t t);

#endif
