/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pass.h: one batch through the network and back: engine, tape, batch, loss and rates of a training problem. The
 * trainer, evaluation and gradcheck all stand on it.
 */
#ifndef LAPWING_TRAIN_PASS_H
#define LAPWING_TRAIN_PASS_H

#include "loss.h"
#include "regularize.h"

/** Sums of a batch or of many. The first LOSS_TALLY_SIZE doubles are equal on all ranks of a partition. */
typedef struct pass_tally {
    loss_tally loss;
    double samples;
    double spikes, penalty; /* of this rank's neurons, until summed */
} pass_tally;
enum { PASS_TALLY_SIZE = sizeof(pass_tally) / sizeof(double), PASS_TALLY_LOCAL = 2 };

typedef struct pass {
    const lw_grid *grid; /* borrowed */
    lw_net *net;         /* borrowed */
    lw_train_spec spec;
    int64_t n_steps, width; /* width: lanes of the engine = samples of a piece */
    int64_t n_pieces;       /* of this pass in a batch; 1 unless spec.lanes asks for more */
    int share, n_shares;    /* this one of the passes that share the samples of the replica, one per thread */
    lw_sim *sim;
    lw_tape *tape;
    lw_eprop *eprop;       /* of the method eprop */
    const lw_theta *theta; /* borrowed; NULL: no gradients */
    batch **piece;         /* [n_pieces] */
    batch *batch;          /* the piece in work */
    int64_t k;             /* its number */
    int64_t updates;       /* before this batch, for adaptive feedback */
    int64_t epoch;         /* of dropout masks, which are drawn for a forward run with derive */
    loss_work *loss;
    rates *rates;
    int64_t *sample; /* [n_pieces, width] of this pass */
    lw_pool *pool;   /* where the gradient of the sweep in work is gathered */
    const lw_theta *pool_theta;
    int32_t n_ready;         /* blocks of theta on their way over the replicas */
    struct prefetch *ahead;  /* of the first pass of a team: batches read ahead, or NULL */
    struct crew *crew;       /* of the first pass of a team: its threads, from the first pass_together on */
    double counted, samples; /* of the loaded batch, all replicas */
} pass;

/** Check the problem and make room for it. theta NULL: no gradients. smooth: smooth spikes, reset differentiated.
 * Pass team[share] takes its share of the samples of each batch, and reads the copies of weights of team[0].
 * **Collective** over the world. */
lw_err pass_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_theta *theta, int64_t n_steps, bool smooth, pass **team, int share, int n_shares) LW_MUST_CHECK;
void pass_destroy(pass **p);
/** Load the samples of the n passes of this replica (sample, -1: none) and count over replicas what the loss is divided
 * by.
 * **Collective** over the world. */
lw_err pass_load(pass *const *team, int n) LW_MUST_CHECK;
/** Piece k of the loaded batch is what the next pass_forward runs. **Local**. */
void pass_pick(pass *p, int64_t k);
/** Place in the batch of the first sample of the pass. */
static inline int64_t pass_place(const pass *p) {
    return (p->grid->replica * p->n_shares + p->share) * p->n_pieces * p->width;
}
/** From the initial state through all steps of the piece; adds this replica's sums to the tally. derive: prepare the
 * derivative of the mean loss of the whole batch. **Collective** over the partition. */
lw_err pass_forward(pass *p, bool derive, pass_tally *tally) LW_MUST_CHECK;
/** grad += this replica's part of the gradient. After pass_forward with derive. **Collective** over the partition. */
lw_err pass_backward(pass *p, double *grad) LW_MUST_CHECK;
/** The same into the pool's array: each block of theta begins to travel when it is complete. **Collective** over the
 * world. */
lw_err pass_backward_sum(pass *p, const lw_theta *theta, lw_pool *pool) LW_MUST_CHECK;
/** forward.c: is the problem one for tangents; grad += this replica's part of the gradient. **Collective** over the
 * partition. */
lw_err forward_check(const lw_train_spec *spec, const lw_theta *theta) LW_MUST_CHECK;
lw_err forward_gradient(pass *p, const lw_theta *theta, double *grad) LW_MUST_CHECK;
/** The seed of the adjoint sweep (lw_tape_seed's function, payload: the pass). */
bool pass_seed(void *payload, int pop, int64_t t, void *out_adj);
/** The same for states that are watched (lw_tape_seed.state). */
void pass_seed_state(void *payload, int pop, int64_t t, int state, void *state_adj);
/** Sum over replicas, and what is per rank over the partition: equal bits on all ranks afterwards. **Collective** over
 * the world. */
void pass_tally_sum(const lw_grid *grid, pass_tally *tally);
/** The same for tallies of pieces that were added exactly (lw_exact_add, [PASS_TALLY_SIZE] numbers). **Collective**
 * over the world. */
void pass_exact_sum(const lw_grid *grid, int64_t *sum, pass_tally *tally);
/** Mean loss with penalty, accuracy (NaN for regression), rmse (NaN for classification), mean rate in Hz of a summed
 * tally. */
double pass_tally_loss(const pass_tally *tally);
double pass_tally_accuracy(const pass *p, const pass_tally *tally);
double pass_tally_rmse(const pass *p, const pass_tally *tally);
double pass_tally_rate(const pass *p, double spikes, double samples);

/** work(team[i], payload[i]) for all passes of this rank at the same time, the first on the calling thread; with more
 * than one, a replica is one rank. An error of any comes back with its message. **Local**. */
lw_err pass_together(
    pass *const *team, int n, lw_err (*work)(pass *p, void *payload), void *const *payload) LW_MUST_CHECK;

/** The threads of a team end with its first pass. */
void pass_crew_destroy(struct crew **crew);

/** Forward passes over samples list[0..n) (NULL: 0..n-1), shared by the replicas and by the passes of the team. visit
 * (may be NULL) is called after every piece of a pass, in its thread. The tally comes back summed. **Collective** over
 * the world. */
lw_err pass_measure(pass *const *team, int n_team, const int64_t *list, int64_t n, const char *what,
    const lw_watch *watch, void (*visit)(void *payload, const pass *p), void *payload, pass_tally *tally) LW_MUST_CHECK;

#endif
