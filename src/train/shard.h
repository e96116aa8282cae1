/* SPDX-License-Identifier: BSD-3-Clause
 *
 * shard.h: the summing of gradients and the update, divided among the replicas and their threads. Each replica keeps
 * the optimiser's state of its stretch of theta only (cf. Rajbhandari et al. 2020, stage 1).
 */
#ifndef LAPWING_TRAIN_SHARD_H
#define LAPWING_TRAIN_SHARD_H

#include "optimizer.h"
#include "pass.h"

enum { SHARD_VECTORS_MAX = OPTIMIZER_MOMENTS_MAX + 2 };

typedef struct shard {
    const lw_grid *grid; /* borrowed, as are the next four */
    lw_net *net;
    const lw_theta *theta;
    const lw_optimizer_spec *spec;
    pass *const *team; /* [n_team] the update uses their threads */
    int n_team;
    optimizer_rule *rule; /* [theta->n_blocks] */
    int64_t *cut;         /* [replicas + 1] multiples of OPTIMIZER_PIECE, but for the last */
    int64_t *words;       /* [replicas] length of each stretch in words of exact sums */
    int64_t lo, hi;       /* this replica's */
    lw_pool *pool;        /* gradients; then new values */
    double *square;       /* [pieces of theta] */
    int n_moments, n_vectors;
    bool has_scale;                    /* some parameter is learned: the scales are a vector of the state */
    double *vector[SHARD_VECTORS_MAX]; /* moments, scale (with has_scale), best values; [hi - lo] each */
    double *whole[SHARD_VECTORS_MAX];  /* [theta->n_local] each, between opening and closing */
} shard;

/** spec->group is looked at here only. **Collective** over the world. */
lw_err shard_create(const lw_grid *grid, lw_net *net, const lw_theta *theta, const lw_optimizer_spec *spec,
    pass *const *team, int n_team, shard **out) LW_MUST_CHECK;
/** **Collective** over the peers. */
void shard_destroy(shard **s);
/** Where the first thread gathers its gradient, [theta->n_local]. */
double *shard_grad(const shard *s);
/** Gradients of the other threads, grad[1 .. n_team), are added to the first in their order. With exact [n_team]
 * (each [theta->n_local, LW_EXACT_WORDS]) those words are added instead. **Local**. */
void shard_gather(shard *s, double *const *grad, int64_t *const *exact);
/** Sum over replicas, from the exact words where there are any, and the norm of the result. **Collective** over the
 * world. */
double shard_sum(shard *s, int64_t *exact);
/** One update of the network on all replicas. **Collective** over the peers. */
void shard_step(shard *s, double rate, double factor, int64_t update);

/** The present values are the best ones. **Local**. */
void shard_best_note(shard *s);
/** Put the best values back. **Collective** over the peers. */
void shard_best_restore(shard *s);
/** See lw_trainer_vectors_open. */
lw_err shard_open(shard *s, lw_vectors which) LW_MUST_CHECK;
void shard_close(shard *s, bool take);

#endif
