/* SPDX-License-Identifier: BSD-3-Clause
 *
 * master.h: the recurrent graph of the pruned population as every rank holds it, and what the methods do with it. Nodes
 * are numbers of neurons within the population of the network that is pruned; edges are all synapses of its projections
 * onto itself, in the order (projection, target, source, order), which does not depend on ranks.
 */
#ifndef LAPWING_PRUNE_MASTER_H
#define LAPWING_PRUNE_MASTER_H

#include <lapwing/prune.h>

enum { DENSE_LIMIT = 2000 }; /* neurons up to which dense matrices are made (on rank 0) */

typedef struct master {
    lw_net *net;
    const lw_comm *comm;
    int pop;
    int64_t n, m;
    int64_t *target, *source;  /* [m] */
    int32_t *proj, *order;     /* [m] */
    double *weight;            /* [m] as rescaled so far */
    double *first_weight;      /* [m] of the network */
    int64_t *number;           /* [m] edge number here, -1: lives on another rank */
    uint8_t *keep_edge;        /* [m] */
    uint8_t *keep_node;        /* [n] */
    uint8_t *has_in, *has_out; /* [n] synapses from, to other populations */
} master;
/** **Collective**. */
lw_err master_make(lw_net *net, int pop, master *out) LW_MUST_CHECK;
void master_free(master *g);
int64_t master_nodes(const master *g);
int64_t master_edges(const master *g);
/** Both ends are kept. */
bool master_alive(const master *g, int64_t e);
/** The network of what is kept, with the weights of now. **Collective**. */
lw_err master_shrink(master *g, lw_net **out) LW_MUST_CHECK;
/** The uniform number of an edge. */
double master_uniform(const master *g, uint64_t seed, int64_t iteration, int64_t e);
/** index[n]: number among kept nodes, -1 for others. Returns how many are kept. */
int64_t master_index(const master *g, int64_t *index);
/** Recurrent weight matrix of kept nodes and edges, row-major [kept, kept], rows are targets; from lw_alloc. **Local**.
 */
lw_err master_matrix(const master *g, double **out, int64_t *n) LW_MUST_CHECK;
/** Ratios and abscissa of that matrix; all NaN above DENSE_LIMIT. Solved on rank 0. **Collective**. */
lw_err master_ipr(const master *g, lw_ipr *out) LW_MUST_CHECK;

/** Remove nodes until `nodes` are left: smallest score first, equal ones by `tie`, smallest first. Never the last one
 * with synapses from (to) other populations; never one whose loss would leave fewer than `least_edges` edges after
 * `further` more removals; with `graph_edges` (flags [m], the graph looked at; NULL: no such rule) no cut vertex of its
 * weak graph. Rules give way, in the opposite order, only where no node obeys them. **Local**, the same on every rank.
 */
lw_err master_remove(master *g, int64_t nodes, int64_t least_edges, int64_t further, const double *score,
    const double *tie, const uint8_t *graph_edges) LW_MUST_CHECK;
/** EUSE naming both numbers when fewer than `edges` edges join kept nodes. */
lw_err master_room(const master *g, int64_t edges) LW_MUST_CHECK;

/** Engine for the network of kept nodes: double precision, width 1, stimuli of the population renumbered.
 * **Collective**. */
lw_err master_engine(const master *g, lw_net *small, const lw_sim_options *options, lw_sim **out) LW_MUST_CHECK;

/* the methods (baselines.c, lnp.c) */
typedef struct prune_job {
    const lw_prune_spec *spec;
    const lw_sim_options *options;
    const lw_watch *watch;
    lw_prune_report *report;
} prune_job;
lw_err prune_baseline(master *g, const prune_job *job) LW_MUST_CHECK;
/** lnp and noise. */
lw_err prune_sampling(master *g, const prune_job *job) LW_MUST_CHECK;
/** Exponent of every kept neuron by node, nats per step (lambda[n]); lambda_max in 1/ms. **Collective**. */
lw_err prune_exponents(master *g, const prune_job *job, double *lambda, double *lambda_max) LW_MUST_CHECK;
/** A parameter of the population by node: time constants. name prefix "tau_m", then any "tau". EUSE when the model has
 * none. **Collective**. */
lw_err prune_tau(const master *g, bool all, double *rate_sum, double *tau) LW_MUST_CHECK;

#endif
