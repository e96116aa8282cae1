/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pass.h: one pass of LNP or noise-prune: its work space, and the steps from exponents to scores (linear.c).
 */
#ifndef LAPWING_PRUNE_PASS_H
#define LAPWING_PRUNE_PASS_H

#include "master.h"

typedef struct pass {
    master *g;
    const prune_job *job;
    int64_t iteration;
    double *lambda;                    /* [n] nats per step; NULL: noise-prune */
    double *omega;                     /* [m] weights of the linear network; 0 for dropped edges */
    double *q, *p, *u, *order, *score; /* [m] */
    double *between;                   /* [n] */
    double *tie;                       /* [n] */
    int64_t *index;                    /* [n] number among kept nodes */
    uint8_t *allowed, *drawn, *was;    /* [m] */
    lw_prune_step *step;
} pass;

/** The graph of flagged edges (both: each way) among all nodes. **Local**. */
lw_err pass_graph(const master *g, const uint8_t *keep, bool both, lw_graph *out) LW_MUST_CHECK;
/** omega: weights of the linear network by mode; the sign is the synapse's. **Collective**. */
lw_err pass_omega(pass *p) LW_MUST_CHECK;
/** q: the score of every kept edge. Autapses and weights of 0 get a billionth of the largest, so that exact counts
 * reach them last.
 *  **Collective**. */
lw_err pass_scores(pass *p) LW_MUST_CHECK;

#endif
