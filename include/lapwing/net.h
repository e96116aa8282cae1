/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net: populations, projections, who owns which neuron, and the synapses stored by the rank of their target.
 * A pure function of the specification: the same network for any number of ranks and any partition.
 *
 * Words. gid: number of a neuron in the whole network, populations one after the other. lid: number on its owner,
 * neurons of this rank sorted by gid (so by population). slot: number, on this rank, of a source neuron (local or
 * remote) that some local synapse needs, slots sorted by gid. Rows of a projection are the slots of its source
 * population; a row holds the local targets of that source. A projection is cut into slices, one per distinct delay, so
 * that a step visits only what is due.
 *
 *    five neurons on two ranks, block partition, ring 0->1->2->3->4->0, all delays 1
 *    rank 0: lids 0 1   = gids 0 1     slots 0 4   (gids), slot 1 is halo; rows: 0:{1} 4:{0}   (targets as lids)
 *    rank 1: lids 0 1 2 = gids 2 3 4   slots 1 2 3 (gids), slot 0 is halo; rows: 1:{0} 2:{1} 3:{2}
 */
#ifndef LAPWING_NET_H
#define LAPWING_NET_H

#include <math.h>
#include <lapwing/comm.h>
#include <lapwing/model.h>

typedef enum lw_rule {
    LW_RULE_ALL_TO_ALL,
    LW_RULE_ONE_TO_ONE,
    LW_RULE_FIXED_INDEGREE,     /* n sources for every target, uniform */
    LW_RULE_FIXED_OUTDEGREE,    /* n targets for every source, uniform */
    LW_RULE_FIXED_TOTAL_NUMBER, /* n synapses in all, target and source of each uniform */
    LW_RULE_PAIRWISE_BERNOULLI, /* every pair with probability p */
    LW_RULE_CLUSTERED, /* n clusters of neighbouring indices in pre and post, as equal as can be: pairs within a cluster
                          with probability p, others with p_out; weights within a cluster times weight_in */
    LW_RULE_SMALL_WORLD, /* directed Watts-Strogatz (1998): ring, n/2 neighbours on each side, both directions, each
                            edge's target replaced by a random one with probability p; pre = post */
    LW_RULE_EDGES,       /* given edges */
    LW_RULE_WINDOW       /* neurons on a grid: sources in a window around the place of the target */
} lw_rule;

/** One synapse; indices within the populations. */
typedef struct lw_edge {
    int64_t target, source;
    double weight;
    union {
        int32_t delay; /* steps */
        float lag;     /* steps, of a projection with learn_delay */
    };
    int32_t order; /* number among synapses of this (target, source), so that multapses keep apart; given edges of one
                      pair must differ in it */
} lw_edge;

/** Given edges that are asked for when they are wanted, and held no longer: rank `rank` of `size` gives its share, from
 * lw_alloc, which the network frees. **Local**. */
typedef struct lw_edge_source {
    void *payload;
    lw_err (*read)(void *payload, int rank, int size, lw_edge **edges, int64_t *n);
} lw_edge_source;

/** Where the neurons of a population are, mm. Positions are a pure function of (seed, population, index). */
typedef enum lw_layout_kind {
    LW_LAYOUT_NONE,
    LW_LAYOUT_GRID,   /* grid[0] x grid[1] (x grid[2]) = size points in the middles of equal boxes; x runs fastest */
    LW_LAYOUT_RANDOM, /* uniform in the extent */
    LW_LAYOUT_LIST    /* list[index * n_dim + d] */
} lw_layout_kind;
typedef struct lw_layout {
    lw_layout_kind kind;
    int32_t n_dim; /* 2 or 3 */
    int64_t grid[3];
    double extent[3], centre[3]; /* of a list only when periodic */
    bool periodic;               /* opposite sides are the same place; distances are those of the nearest images */
    const double *list;          /* [n_list * n_dim] borrowed; the same on all ranks */
    int64_t n_list;
} lw_layout;

/** Windows of a convolution or a pooling. Neurons are numbered channel by channel, row by row: index = (channel *
 * height
 * + y) * width + x. Target (c, y, x) has the sources with rows y stride - padding + k dilation, 0 <= k < kernel,
 * columns likewise, that exist, of all channels or of channel c. */
typedef struct lw_window {
    int32_t in[3], out[3];                    /* channels, height, width */
    int32_t kernel[2], stride[2], padding[2]; /* height, width */
    int32_t dilation[2];                      /* rows (columns) from one entry of the kernel to the next; 0: 1 */
    int32_t only;                             /* 1 + the one entry (row * kernel[1] + column) of the kernel that
                                                 makes synapses; 0: all do */
    bool same_channel;                        /* pooling: in[0] = out[0] */
    bool shared; /* weights are drawn (or listed) by kernel entry ((c * in[0] + source channel) * kernel[0] + row) *
                    kernel[1] + column, so that all places have the same; with `learn` they are *tied*: one learned
                    number per entry. A projection of given edges with `learn` may be tied by its window too */
} lw_window;

/** A function of the distance d between source and target, d in mm. */
typedef enum lw_profile_kind {
    LW_PROFILE_NONE,
    LW_PROFILE_CONSTANT,   /* at0 */
    LW_PROFILE_LINEAR,     /* at0 + slope d */
    LW_PROFILE_GAUSSIAN,   /* at0 exp(-d^2 / (2 length^2)) */
    LW_PROFILE_EXPONENTIAL /* at0 exp(-d / length) */
} lw_profile_kind;
typedef struct lw_profile {
    lw_profile_kind kind;
    double at0, slope, length; /* slope per mm, length mm */
} lw_profile;
static inline double lw_profile_value(const lw_profile *f, double d) {
    switch (f->kind) {
    case LW_PROFILE_NONE:
    case LW_PROFILE_CONSTANT:
        break;
    case LW_PROFILE_LINEAR:
        return f->at0 + f->slope * d;
    case LW_PROFILE_GAUSSIAN:
        return f->at0 * exp(-d * d / (2 * f->length * f->length));
    case LW_PROFILE_EXPONENTIAL:
        return f->at0 * exp(-d / f->length);
    }
    return f->at0;
}

typedef struct lw_population_spec {
    const char *name;
    const lw_model *model;
    int64_t size;
    const lw_dist *param;    /* [n_param], NULL: all defaults */
    const lw_dist *init;     /* [n_state], NULL: all from the model */
    const uint8_t *has_init; /* [n_state], which entries of `init` count */
    const uint8_t *learn;    /* [n_param], NULL: none */
    lw_layout layout;
    int32_t shape[3]; /* channels, height, width, for whoever makes windows; 0: none */
} lw_population_spec;

typedef struct lw_projection_spec {
    const char *name; /* unique; NULL: "pre_post" (with a number when taken) */
    int32_t pre, post;
    int32_t port; /* input of the post model */
    lw_rule rule;
    int64_t n;
    double p;
    double p_out, weight_in; /* clustered */
    lw_window window;        /* LW_RULE_WINDOW */
    lw_profile p_of; /* pairwise_bernoulli: the probability by distance (clipped to 0..1), instead of p; fixed_indegree:
                        how likely a source is, relative to others. Wants positions in pre and post */
    double radius;   /* mm: with p_of, no synapse is longer; 0: where p_of falls to 1e-6 of its largest value */
    bool autapses, multapses;
    bool symmetric;   /* pairwise_bernoulli, one_to_one, all_to_all within one population: a synapse from i to j and one
                         from j to i are there or not together, with one weight and one delay */
    int32_t mirror;   /* 1 + number of an earlier projection (pairwise_bernoulli, one_to_one, all_to_all) between two
                         populations that this one repeats in the other direction, weights and delays too; 0: none */
    bool learn;       /* weights are trained */
    double dropout;   /* for whoever trains: the chance that a source is dropped; 0 to below 1 */
    bool learn_delay; /* each synapse has a real delay, from one step to delay_max (ms), that is trained: a value x that
                         was emitted arrives as (1 - f) x after floor(delay) steps and as f x one step later, f being
                         what is behind the point (DCLS, Hammouamri et al. 2023). Drawn delays beyond are set to the
                         nearest end, and not rounded. Given edges have `lag` instead of `delay` */
    double delay_max;
    bool zero_mean; /* subtract the mean weight of each target's incoming synapses of this projection */
    const lw_synapse_model *synapse; /* NULL: static synapses */
    const double *synapse_param;     /* [n_param] of the synapse model, internal units; NULL: its defaults */
    bool delay_in_axon; /* plasticity: the whole delay is before the synapse; else behind it, in the dendrite */
    lw_dist weight; /* units of the port; for LW_RULE_EDGES the edges' own weights are used instead. A list is allowed
                       for one_to_one (by target) and all_to_all ([target * size of pre + source]) */
    lw_dist delay;  /* ms; rounded to steps, at least 1 unless exactly 0; for LW_RULE_EDGES the edges' own */
    lw_profile weight_of, delay_of; /* by distance, instead of weight and delay; with the units of those */
    const lw_edge *edges;           /* LW_RULE_EDGES: this rank's share of the edges, in any distribution over ranks */
    int64_t n_edges;
    const lw_edge_source *edge_source; /* LW_RULE_EDGES: instead of edges; borrowed while the network is built */
} lw_projection_spec;

typedef enum lw_partition { LW_PARTITION_BLOCK, LW_PARTITION_ROUND_ROBIN, LW_PARTITION_SCOTCH } lw_partition;

typedef struct lw_net_spec {
    uint64_t seed;
    double dt; /* ms */
    int32_t n_pop, n_proj;
    const lw_population_spec *pop;
    const lw_projection_spec *proj;
    lw_partition partition;
    lw_dtype weight_type; /* of stored weight arrays */
    int32_t threads;      /* target blocks per rank at least (0 counts as 1): one thread can work on each by itself */
} lw_net_spec;

/** Synapses that windows make. */
double lw_window_synapses(const lw_window *w);

typedef struct lw_net lw_net;

/** Build. **Collective**; the specification must be equal on all ranks (except `edges`). The specification is copied;
 * models are borrowed. EUSE names population or projection, what was found and what is allowed (impossible degree,
 * parameter outside its domain, cycle of delay-0 projections with the populations of the cycle, population of size 0,
 * one_to_one of unequal sizes ...). Draws: parameters and initial state keyed by gid, edges of target-side rules by
 * target gid, of source-side rules by source gid. */
lw_err lw_net_create(const lw_comm *comm, const lw_net_spec *spec, lw_net **out) LW_MUST_CHECK;
void lw_net_destroy(lw_net **net);
/** What lw_net_create would refuse before it draws anything. **Local**. */
lw_err lw_net_check(const lw_net_spec *spec) LW_MUST_CHECK;

/** A smaller network: neurons with keep_neuron[lid] == 0 leave with all their synapses, and synapses with
 * keep_edge[proj][edge] == 0 leave (keep_edge or keep_edge[proj] NULL: all stay). Weights, delays, parameters, initial
 * state are taken over; gids are renumbered without gaps; partition rebuilt by the same rule. **Collective**. EUSE when
 * a population would be empty. */
lw_err lw_net_compact(
    const lw_net *net, const uint8_t *keep_neuron, const uint8_t *const *keep_edge, lw_net **out) LW_MUST_CHECK;

/** Other neurons' values in place of the drawn ones (a checkpoint): n records of 2 + n_param + n_state numbers, index
 * in the population, origin (both exact in a double), parameters, initial state; in any distribution over ranks, each
 * neuron once. Finds anew which parameters are uniform. **Collective**. EFILE when a neuron is missing or there twice.
 */
lw_err lw_net_neurons_put(lw_net *net, int pop, const double *records, int64_t n) LW_MUST_CHECK;

/* ------------------------------------------------------------------ views; all borrowed, local, valid while the net
 * lives */

typedef struct lw_pop_view {
    const char *name;
    const lw_model *model;
    int64_t size;      /* whole network */
    int64_t gid_begin; /* first gid */
    int64_t n_local, lid_begin;
    const int64_t *gid;          /* [n_local] ascending */
    const int64_t *origin;       /* [n_local] index of the neuron in the population that was first built (differs after
                                    lw_net_compact) */
    double *const *param;        /* [n_param], each [n_local]; writable (training) */
    const uint8_t *uniform;      /* [n_param] 1: the same number for all neurons of the network and not learnable */
    double *const *init;         /* [n_state], each [n_local] */
    lw_layout layout;            /* kind LW_LAYOUT_NONE: no positions */
    double *const *position;     /* [layout.n_dim], each [n_local], mm */
    const uint8_t *learn;        /* [n_param] */
    int64_t slot_begin, n_slots; /* this rank's slots of this population (rows of projections that leave it) */
    int32_t level; /* populations are stepped in ascending level within a step (delay-0 chains); 0 without delay-0
                      projections */
} lw_pop_view;

/** Synapses of one delay: row r (slot slot_begin(pre) + r) holds edges row_begin[r] .. row_begin[r+1]-1 of the
 * projection. */
typedef struct lw_slice {
    int32_t delay; /* steps */
    int64_t edge_begin, edge_end;
    const int64_t
        *row_begin; /* [n_rows + 1] absolute edge numbers; NULL for dense storage (row r begins at r * n_local) */
} lw_slice;

typedef struct lw_proj_view {
    const char *name;
    int32_t pre, post, port;
    bool learn;
    bool dense; /* every pair of the network exists once, with one delay: one slice, every row holds all local targets
                   in order; target == NULL */
    int64_t n_rows;  /* slots of pre */
    int64_t n_edges; /* local */
    int64_t n_edges_global;
    int32_t n_slices;
    const lw_slice *slice; /* ascending delay */
    const uint32_t
        *target;     /* [n_edges] index within the local neurons of post (lid - lid_begin); ascending within a row */
    bool weight_one; /* all weights equal weight_value, no array */
    double weight_value;
    lw_dtype weight_type;
    void *weight; /* [n_edges] of weight_type; writable (training); NULL when weight_one */
    bool plastic; /* has a synapse model, which may change the weights while the network runs */
    const lw_synapse_model *synapse;
    const double *synapse_param; /* [n_param] */
    bool delay_in_axon;
    int32_t lag_max; /* learn_delay: the largest delay in steps; else 0. Such a projection has one slice, of delay 1 */
    float *lag;      /* [n_edges] steps, 1 <= lag <= lag_max; writable (training); NULL without learn_delay */
    int64_t n_tied;  /* learned kernel entries that synapses share (`learn` with shared windows); else 0 */
    double *tied; /* [n_tied] their values, the same on all ranks, whether the entry has synapses here or not; whoever
                     writes weights writes these too */
    const int64_t
        *tied_begin; /* [n_tied + 1] synapses of entry e: tied_edge[tied_begin[e]] .. [tied_begin[e + 1] - 1] */
    const uint32_t *tied_edge; /* [n_edges] */
    lw_window window;          /* with n_tied: which entry a synapse has */
    bool bundled; /* its synapses are in bundles (below): no slices, no targets, no weights here until lw_net_unbundle;
                     n_edges counts them all the same, weight_one and weight_value hold */
} lw_proj_view;

/** Synapses of static projections, stored for delivery. Projections that are sparse and not learned, with one source
 * population that spikes, one port and delays of at least a step, each to another target population, make a *family*;
 * what of it goes to one target block of this rank with the same storage of weights (one and the same number, or
 * arrays) is a bundle. A row of a bundle holds all synapses of one source (slot slot_begin(pre) + row) in ascending
 * delay, then ascending target. A cell is what a row holds in one slice (delay): with a table, cell c = row * n_slices
 * + slice holds synapses begin[c] .. begin[c+1]-1; where cells are so short that the table would be larger than that,
 * there is a byte per synapse instead (lw_bundle_cell). */
typedef struct lw_bundle {
    int32_t family, block;
    int32_t pre, port;
    int32_t n_slices;
    const int32_t *delay; /* [n_slices] steps, ascending, each >= 1 */
    int64_t n_rows;       /* slots of pre */
    int64_t n_edges;
    const uint32_t *begin;   /* [n_rows * n_slices + 1]; with slice_of: [n_rows + 1], rows */
    const uint8_t *slice_of; /* [n_edges] slice of each synapse, ascending in a row; NULL: there is the table */
    const uint16_t *target;  /* [n_edges] lid - first lid of the block */
    bool weight_one;         /* all weights are weight_value, no array */
    double weight_value;
    lw_dtype weight_type;
    const void *weight; /* [n_edges] of weight_type, or NULL */
} lw_bundle;
/** Synapses *begin .. *end - 1 of a cell. */
static inline void lw_bundle_cell(const lw_bundle *bundle, int64_t row, int32_t slice, uint32_t *begin, uint32_t *end) {
    if (!bundle->slice_of) {
        const uint32_t *cell = bundle->begin + row * bundle->n_slices + slice;
        *begin = cell[0];
        *end = cell[1];
        return;
    }
    uint32_t last = bundle->begin[row + 1];
    *begin = bundle->begin[row];
    while (*begin < last && bundle->slice_of[*begin] < slice) /* rows are short */
        ++*begin;
    *end = *begin;
    while (*end < last && bundle->slice_of[*end] == slice)
        ++*end;
}

const lw_comm *lw_net_comm(const lw_net *net); /* the partition's communicator (owned by the net) */
double lw_net_dt(const lw_net *net);
uint64_t lw_net_seed(const lw_net *net);
int lw_net_n_pop(const lw_net *net);
int lw_net_n_proj(const lw_net *net);
lw_pop_view lw_net_pop(const lw_net *net, int pop);
/** Index of the first local neuron whose gid is not below `gid` (n_local when there is none). **Local**. */
int64_t lw_pop_local_first(const lw_pop_view *pop, int64_t gid);
lw_proj_view lw_net_proj(const lw_net *net, int proj);
/** Bundles of this rank in the order in which a target adds them: by family, then by block. Families, and so the order
 * of sums, are a property of the network; blocks are not, and no target is in two. */
int lw_net_n_bundles(const lw_net *net);
const lw_bundle *lw_net_bundle(const lw_net *net, int i);
/** Target blocks: block b holds lids begin[b] .. begin[b+1]-1, begin has n_blocks + 1 entries. As many as
 * lw_net_spec.threads or a multiple of it, of about equal numbers of synapses, and of at most 65536 neurons (a block's
 * inputs stay in the second-level cache, and a target takes 2 bytes). */
int lw_net_n_blocks(const lw_net *net);
const int64_t *lw_net_block_begin(const lw_net *net);
/** Every projection once, in the order in which a target adds their sums: members of families by family, then the
 * others by number. [n_proj], borrowed. */
const int32_t *lw_net_sum_order(const lw_net *net);
/** Store bundled projections by themselves, as slices with targets and weights (sweeps and pruning want that; delivery
 * gets slower, the sums stay the same). Views taken before are stale. **Local**. */
lw_err lw_net_unbundle(lw_net *net) LW_MUST_CHECK;
/** Index by name, -1 when unknown. */
int lw_net_pop_find(const lw_net *net, const char *name);
int lw_net_proj_find(const lw_net *net, const char *name);

int64_t lw_net_n_local(const lw_net *net); /* neurons of this rank */
int64_t lw_net_n_global(const lw_net *net);
int64_t lw_net_n_edges_global(const lw_net *net);
int32_t lw_net_delay_min(
    const lw_net *net); /* steps; smallest delay >= 1 of any synapse of the whole network (1 when none) */
int32_t lw_net_delay_max(const lw_net *net); /* largest; at least 1 */
int lw_net_n_levels(const lw_net *net);      /* 1 without delay-0 projections */
lw_partition lw_net_partition(const lw_net *net);
lw_dtype lw_net_weight_type(const lw_net *net);

/** Slots of this rank, ascending gid. */
typedef struct lw_slot_view {
    int64_t n;
    const int64_t *gid;
    const int32_t *owner;     /* rank */
    const int64_t *owner_lid; /* lid there */
    const int32_t *pop;
} lw_slot_view;
lw_slot_view lw_net_slots(const lw_net *net);

/** Rank that owns a gid, and its lid there. **Local**. */
int32_t lw_net_owner(const lw_net *net, int64_t gid);
/** gid of a local neuron. */
int64_t lw_net_gid(const lw_net *net, int64_t lid);

/** A run: the synapses of one source with one delay to some local targets, ascending, wherever they are stored. */
typedef struct lw_run {
    int64_t row;   /* slot of the source - slot_begin(pre) */
    int32_t delay; /* steps */
    int64_t n;
    int64_t edge;             /* edge number of the first; -1 in a bundle */
    const uint32_t *target32; /* [n], [n] or (dense) neither: targets are target_add + what stands there, or + i */
    const uint16_t *target16;
    int64_t target_add;
    const void *weight; /* [n] of weight_type; NULL: all weight_value */
    lw_dtype weight_type;
    double weight_value;
} lw_run;
/** Number among the local neurons of post. */
static inline int64_t lw_run_target(const lw_run *run, int64_t i) {
    return run->target_add + (run->target16 ? run->target16[i] : run->target32 ? (int64_t)run->target32[i] : i);
}
static inline double lw_run_weight(const lw_run *run, int64_t i) {
    if (!run->weight) return run->weight_value;
    return run->weight_type == LW_F32 ? (double)((const float *)run->weight)[i] : ((const double *)run->weight)[i];
}
/** Walks all local synapses of a projection that end on the local targets [first, last) of post: by piece of storage,
 * then row, then ascending delay; so each target meets its synapses in the order (source, delay, place). Runs are not
 * empty. **Local**. */
typedef struct lw_run_walk {
    const lw_net *net;
    int32_t proj;
    int64_t first, last;
    int32_t bundle, slice; /* where the walk is */
    int64_t row;
} lw_run_walk;
lw_run_walk lw_net_runs(const lw_net *net, int proj, int64_t first, int64_t last);
bool lw_run_next(lw_run_walk *walk, lw_run *run);
/** Smallest and largest delay of a projection in the whole network; -1 without synapses. **Local**. */
void lw_net_proj_delays(const lw_net *net, int proj, int32_t *low, int32_t *high);

/** Local synapses of a projection sorted by (target gid, source gid, order), and for each its edge number here (both
 * from lw_alloc, caller frees; either may be NULL; numbers are -1 for a bundled projection). target and source are
 * indices within the populations; `order` counts the synapses of a pair from 0, by delay, then as they are stored.
 * **Local**. The canonical order of checkpoints. */
lw_err lw_net_edges(const lw_net *net, int proj, lw_edge **edges, int64_t **edge_number, int64_t *n) LW_MUST_CHECK;
/** The same for targets [begin, end) only (indices in the population), for work in portions. **Local**. */
lw_err lw_net_edges_between(const lw_net *net, int proj, int64_t begin, int64_t end, lw_edge **edges,
    int64_t **edge_number, int64_t *n) LW_MUST_CHECK;
/** Give a projection that holds one number for all weights (weight_one) an array of its own, so that weights can be
 * written. Views taken before are stale. Nothing where there is an array. **Local**. */
lw_err lw_net_weight_array(lw_net *net, int proj) LW_MUST_CHECK;
/** Weight of an edge as double, whatever the storage. */
double lw_net_weight(const lw_proj_view *proj, int64_t edge);

typedef struct lw_net_stats {
    int64_t neurons, synapses;             /* whole network */
    int64_t slots_remote;                  /* summed over ranks: halo size */
    int64_t bytes_neurons, bytes_synapses; /* held by this rank */
    double balance;                        /* largest number of local synapses over the mean */
} lw_net_stats;
/** **Collective**. */
lw_net_stats lw_net_stats_get(const lw_net *net);

/* ------------------------------------------------------------------ theta: what is learned, as one vector */

typedef struct lw_theta_block {
    bool is_weight;
    bool is_delay;         /* real delays in steps, of a projection with learn_delay */
    bool tied;             /* weights by kernel entry: all ranks hold all entries, with equal values and gradients */
    bool counted;          /* this rank counts them in sums over ranks (tied: the first one does) */
    int32_t proj;          /* is_weight or is_delay */
    int32_t pop, param;    /* otherwise */
    int64_t offset, count; /* in the local vector */
} lw_theta_block;

/** The learnable numbers of this rank: by projection, weights where it has `learn`, then delays where it has
 * `learn_delay` (both in edge order, tied weights by kernel entry); then parameters with `learn`
 * (lid order). */
typedef struct lw_theta {
    int64_t n_local, n_global; /* n_global: tied weights once */
    int32_t n_blocks;
    lw_theta_block *block;
} lw_theta;
/** **Collective**. */
lw_err lw_theta_create(const lw_net *net, lw_theta **out) LW_MUST_CHECK;
void lw_theta_destroy(lw_theta **theta);
/** Inner product of two vectors, of what this rank counts: summed over ranks it has each learned number once.
 * **Local**. */
double lw_theta_inner(const lw_theta *theta, const double *a, const double *b);
/** Copy net -> vector, vector -> net ([n_local] doubles). put clamps parameters to their domains
 * (lw_model_param_clamp), delays to [1, lag_max], and writes the clamped values back into x. **Local**. After put,
 * engines must be told (lw_sim_refresh). */
void lw_theta_get(const lw_theta *theta, const lw_net *net, double *x);
void lw_theta_put(const lw_theta *theta, lw_net *net, double *x);
/** The same for the numbers [lo, hi) of the vector; x: [hi - lo]. Threads may do different ranges. */
void lw_theta_range_get(const lw_theta *theta, const lw_net *net, int64_t lo, int64_t hi, double *x);
void lw_theta_range_put(const lw_theta *theta, lw_net *net, int64_t lo, int64_t hi, double *x);

#endif
