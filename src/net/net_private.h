/* SPDX-License-Identifier: BSD-3-Clause
 *
 * net_private.h: what the files of this room share: the network, the partition, one projection while it is built.
 * Nothing here is seen by other floors.
 */
#ifndef LAPWING_NET_PRIVATE_H
#define LAPWING_NET_PRIVATE_H

#include <lapwing/net.h>

enum { NET_DELAY_MOST = 1 << 20 }; /* steps; the history of emitted values is as deep as the largest delay */
#define NET_SIZE_MOST                                                                                                  \
    INT64_C(4294967295) /* neurons of a population, neurons of a rank: indices are stored as uint32                    \
                         */

/** Who owns which neuron. BLOCK and ROUND_ROBIN are formulas, SCOTCH is a table. */
typedef struct net_partition {
    lw_partition kind;
    int rank, size;
    int32_t n_pop;
    int64_t *gid_begin; /* [n_pop + 1] */
    int32_t *owner;     /* [neurons of the network] only SCOTCH on several ranks, else NULL */
} net_partition;

typedef struct net_proj {
    lw_proj_view view;
    int64_t *row_begin;   /* [n_slices][n_rows + 1], what the slices point to */
    uint32_t *row_source; /* [n_row_source] sources of the rows before slots are known; only while building */
    int64_t n_row_source;
    int32_t delay_low, delay_high; /* steps, whole network, 0 included; -1 without synapses */
    int32_t delay_positive;        /* smallest >= 1, whole network; -1 when there is none */
} net_proj;

typedef struct net_bundle {
    lw_bundle view;
    uint32_t *row_source; /* [n_row_source] as in net_proj */
    int64_t n_row_source;
} net_bundle;

struct lw_net {
    lw_comm *comm;
    uint64_t seed;
    double dt;
    lw_dtype weight_type;
    int32_t n_pop, n_proj;
    net_partition partition;
    lw_pop_view *pop; /* [n_pop] their arrays are owned here */
    net_proj *proj;   /* [n_proj] likewise */
    int64_t n_local;
    int64_t *gid; /* [n_local] ascending; the populations' lists are parts of it */
    lw_slot_view slot;
    int32_t delay_min, delay_max, n_levels;
    int32_t threads, n_blocks, n_bundles;
    int64_t *block_begin; /* [n_blocks + 1] */
    net_bundle *bundle;   /* [n_bundles] */
    int32_t *family;      /* [n_proj] number of its family, -1 without */
    int32_t *sum_order;   /* [n_proj] */
};

/** Where a network comes from when not from draws: lw_net_compact hands over what the first network holds. Called on
 * every rank for each projection (population); local; arrays from lw_alloc, the callee of net_build frees them. */
typedef struct net_given {
    void *payload;
    lw_err (*edges)(void *payload, int proj, lw_edge **edges, int64_t *n);
    /* n records of 2 + n_param + n_state numbers: index, origin (both exact in a double), parameters, initial state */
    lw_err (*neurons)(void *payload, int pop, double **records, int64_t *n);
} net_given;

/* ---- net.c */
/** **Collective**. `owner` as net_partition wants it, taken over (also on failure). */
lw_err net_build(
    const lw_comm *comm, const lw_net_spec *spec, const net_given *given, int32_t *owner, lw_net **out) LW_MUST_CHECK;
/** The same, with the partition that the specification asks for: PT-Scotch wants a first network. **Collective**. */
lw_err net_build_partitioned(
    const lw_comm *comm, const lw_net_spec *spec, const net_given *given, lw_net **out) LW_MUST_CHECK;

/* ---- spec.c */
/** **Local**. Everything that can be known before anything is drawn. */
lw_err net_spec_check(const lw_net_spec *spec) LW_MUST_CHECK;
/** The parts of that in spec_distance.c. */
lw_err net_spec_clustered_check(const lw_projection_spec *proj, int64_t n_pre, int64_t n_post) LW_MUST_CHECK;
lw_err net_spec_distance_check(const lw_net_spec *spec, int32_t i) LW_MUST_CHECK;
/** EUSE when ranks hold different (checked) specifications. **Collective**. */
lw_err net_spec_agree(const lw_comm *comm, const lw_net_spec *spec) LW_MUST_CHECK;
/** Name of projection i: its own, or "pre_post", "pre_post_2" ...; those before it are `named`. From lw_alloc.
 * **Local**. */
lw_err net_spec_proj_name(const lw_net_spec *spec, int32_t i, const net_proj *named, char **out) LW_MUST_CHECK;

/* ---- levels.c */
/** level[pop] = longest path to it over projections with zero[proj]; EUSE names a cycle. **Local**. */
lw_err net_levels(int32_t n_pop, const char *const *name, int32_t n_proj, const int32_t *pre, const int32_t *post,
    const uint8_t *zero, int32_t *level, int32_t *n_levels) LW_MUST_CHECK;

/* ---- partition.c, all local */
lw_err net_partition_create(
    const lw_comm *comm, const lw_net_spec *spec, int32_t *owner, net_partition *out) LW_MUST_CHECK;
void net_partition_free(net_partition *p);
int32_t net_partition_owner(const net_partition *p, int32_t pop, int64_t index);
/** Neurons of a population on a rank (not SCOTCH with a table). */
int64_t net_partition_count(const net_partition *p, int32_t pop, int rank);
/** Ascending gids of this rank, [*n]; count[n_pop]: of each population. From lw_alloc. */
lw_err net_partition_list(const net_partition *p, int64_t *count, int64_t **gid, int64_t *n) LW_MUST_CHECK;
/** lid, on their owners, of ascending gids. */
lw_err net_partition_lids(
    const net_partition *p, int64_t n, const int64_t *gid, const int32_t *owner, int64_t *lid) LW_MUST_CHECK;
/** Number of an owned neuron among the population's neurons here. */
int64_t net_local_number(const lw_net *net, int32_t pop, int64_t index);

/* ---- scotch.c */
/** Owners from PT-Scotch for the graph of `net`; NULL (block partition) where there is nothing to cut. **Collective**.
 */
lw_err net_scotch(const lw_net *net, int32_t **owner) LW_MUST_CHECK;

/* ---- neurons.c */
/** Parameters and initial state of the local neurons. **Collective**. */
lw_err net_neurons(lw_net *net, const lw_net_spec *spec, const net_given *given) LW_MUST_CHECK;

/* ---- sort.c */
/** Ascending; all keys below 2^bits; scratch: [n]. */
void net_sort(uint64_t *key, uint64_t *scratch, int64_t n, int bits);
/** As above for keys below 2^high that differ in bits `low` and above, or not at all. */
void net_sort_from(uint64_t *key, uint64_t *scratch, int64_t n, int low, int high);
/** Smallest b with n <= 2^b. */
int net_sort_bits(uint64_t n);

/* ---- draw.c */
/** An ascending list of indices drawn for one neuron, and room to draw the next. */
typedef struct net_draw {
    uint64_t *index, *scratch; /* [capacity] */
    int64_t n, capacity;
} net_draw;
lw_err net_draw_reserve(net_draw *d, int64_t capacity) LW_MUST_CHECK;
void net_draw_free(net_draw *d);
/** n of [0, size), uniform; `self` (>= 0) is left out; distinct: each at most once. */
lw_err net_draw_some(net_draw *d, lw_stream *s, int64_t n, int64_t size, int64_t self, bool distinct) LW_MUST_CHECK;
/** Each of [0, size) but `self` with probability p. */
lw_err net_draw_bernoulli(net_draw *d, lw_stream *s, double p, int64_t size, int64_t self) LW_MUST_CHECK;
/** Each of [begin, end) with probability p, each other of [0, size) with p_out; `self` is left out. */
lw_err net_draw_clustered(net_draw *d, lw_stream *s, double p, double p_out, int64_t begin, int64_t end, int64_t size,
    int64_t self) LW_MUST_CHECK;
/** The list's members from `kept` on, unsorted, join the sorted ones before them unless they are there; low, high: of
 * net_sort_from. */
void net_draw_distinct(net_draw *d, int64_t kept, int low, int high);
/** Targets of neuron `me` in the small world. */
lw_err net_draw_ring(net_draw *d, lw_stream *s, int64_t n, double p, int64_t size, int64_t me, bool autapses,
    bool multapses) LW_MUST_CHECK;

/* ---- connect.c: rules -> incoming synapses of each local target */
typedef struct net_given_edge {
    double weight;
    uint32_t target, source; /* target: number among the local neurons of post */
    int32_t delay, order;    /* delay: of lw_edge, whichever its member */
} net_given_edge;
/** Synapses by local target, sources ascending, multapses in their order. */
typedef struct net_incoming {
    int64_t n_targets, n;
    bool complete;         /* every source of pre once; no arrays */
    int64_t *begin;        /* [n_targets + 1] */
    uint32_t *source;      /* [n] index in pre */
    net_given_edge *given; /* [n] weight, delay, order of LW_RULE_EDGES; NULL: to be drawn */
} net_incoming;
/** One projection while its rule is carried out. */
typedef struct net_rule {
    const lw_net *net;
    const lw_projection_spec *spec;
    const lw_pop_view *pre, *post;
    int32_t proj;
    int64_t source_begin, source_end, per_round, room; /* source-side rules: share of this rank, sources a
                                                                         round, records a round */
    const lw_edge *edges;                              /* given edges of this rank */
    int64_t n_edges;
    int64_t *count;          /* [n_local of post] synapses of each local target, LW_RULE_FIXED_TOTAL_NUMBER */
    struct net_space *space; /* rules by distance */
    net_draw draw;
} net_rule;
/** Whether the rule draws the sources of a target, so that net_rule_draw serves it. */
bool net_rule_of_target(const lw_projection_spec *spec);
/** A rule ready to draw: tables that all targets share are made here and given back by close. **Local**. */
lw_err net_rule_open(const lw_net *net, const lw_projection_spec *spec, int32_t proj, net_rule *r) LW_MUST_CHECK;
void net_rule_close(net_rule *r);
/** Sources of one local target into r->draw, ascending; a pure function of the rule and the gid: storage asks twice. */
lw_err net_rule_draw(net_rule *r, int64_t gid) LW_MUST_CHECK;
/** All incoming synapses as lists. **Collective**. */
lw_err net_connect(const lw_net *net, const lw_projection_spec *spec, int32_t proj, const net_given *given,
    net_incoming *out) LW_MUST_CHECK;
void net_incoming_free(net_incoming *in);

/* ---- window.c, all local */
lw_err net_window_check(const lw_projection_spec *proj, int64_t n_pre, int64_t n_post) LW_MUST_CHECK;
/** Sources of target `index`, ascending. */
lw_err net_window_draw(net_draw *d, const lw_window *w, int64_t index) LW_MUST_CHECK;
int64_t net_window_entries(const lw_window *w);
/** Kernel entry of a synapse. */
int64_t net_window_entry(const lw_window *w, int64_t target, int64_t source);
/** Whether the synapse is in the window of its target. */
bool net_window_has(const lw_window *w, int64_t target, int64_t source);

/* ---- tie.c */
bool net_is_tied(const lw_projection_spec *proj);
/** Which synapses share a learned weight, of all tied projections; slots must be known. **Collective**. */
lw_err net_ties(lw_net *net, const lw_net_spec *spec) LW_MUST_CHECK;

/* ---- layout.c, all local */
lw_err net_layout_check(const lw_layout *layout, int64_t size) LW_MUST_CHECK;
/** The layout, with room for positions; freed by net_layout_free, also after a failure. */
lw_err net_layout_take(lw_pop_view *pop, const lw_layout *layout) LW_MUST_CHECK;
void net_layout_free(lw_pop_view *pop);
/** Positions of the local neurons of a population, from their origins. */
void net_positions_find(lw_net *net, int32_t pop);
/** Where neuron `index` of a population is that has a layout; any rank's neuron. */
void net_position(const lw_net *net, int32_t pop, int64_t index, double x[3]);
/** Between two places of a layer. */
double net_distance(const lw_layout *layout, const double *a, const double *b);

/* ---- space.c, space_draw.c, all local */
typedef struct net_space net_space;
/** Sources that targets of this rank can reach. *out is to be destroyed also after a failure. */
lw_err net_space_create(const net_rule *r, net_space **out) LW_MUST_CHECK;
void net_space_destroy(net_space **space);
/** Sources of target `index` (in post, local). */
lw_err net_space_draw(net_space *space, net_draw *d, lw_stream *stream, int64_t index, int64_t self) LW_MUST_CHECK;
/** Of the sources drawn last, in their order, mm; the same numbers as net_distances gives. */
void net_space_distances(const net_space *space, double *out);
/** No synapse of spec.p_of is longer, mm; infinite where only the layer ends it. */
double net_profile_reach(const lw_projection_spec *spec);
/** About how likely a pair is connected, over all pairs of a layer; borders are not looked at. */
double net_profile_mean(const lw_projection_spec *spec, const lw_layout *layout);

/* ---- value.c: weights and delays of drawn synapses, all local */
/** One number for all synapses. */
bool net_weight_constant(const lw_projection_spec *spec);
bool net_delay_constant(const lw_projection_spec *spec);
/** Of the n synapses of local target t of post from `source` (indices in pre, ascending, multapses side by side, which
 * are numbered by their place); delays in ms. distance: [n], where the value is one of distance. */
void net_weight_values(const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t,
    const uint32_t *source, const double *distance, int64_t n, double *out);
void net_delay_values(const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t,
    const uint32_t *source, const double *distance, int64_t n, double *out);
/** How far they are, mm, from the ends' positions. */
void net_distances(
    const lw_net *net, const lw_projection_spec *spec, int64_t t, const uint32_t *source, int64_t n, double *out);
/** Cluster of an index; first index of a cluster. */
int64_t net_cluster_of(int64_t index, int64_t n_clusters, int64_t size);
int64_t net_cluster_begin(int64_t cluster, int64_t n_clusters, int64_t size);

/* ---- total.c */
/** r->count of LW_RULE_FIXED_TOTAL_NUMBER. **Local**. */
lw_err net_total_counts(net_rule *r) LW_MUST_CHECK;

/* ---- arrive.c: rules whose synapses travel; both **Collective** up to the last step, which is local */
lw_err net_connect_sources(net_rule *r, net_incoming *out) LW_MUST_CHECK;
lw_err net_connect_edges(net_rule *r, const net_given *given, net_incoming *out) LW_MUST_CHECK;

/* ---- synapse.c */
/** The synapses of one projection before they are stored, asked target by target: drawn each time, or from a list. */
typedef struct net_synapses {
    const lw_net *net;
    const lw_projection_spec *spec;
    const lw_pop_view *pre, *post;
    int32_t proj;
    int32_t one_delay; /* steps, when all have the same constant one; else -1 */
    bool drawn;
    net_rule rule;   /* drawn */
    net_incoming in; /* listed */
    /* of the target asked for last, [n]: */
    int64_t n, begin; /* begin: number of the first in the list */
    const uint32_t *source;
    double *weight;   /* after net_synapses_weights */
    int32_t *delay;   /* after net_synapses_delays */
    double *ms;       /* scratch: delays as drawn */
    double *distance; /* mm, where weights or delays ask for it */
    bool distances_known;
    int64_t room;
    uint32_t *scratch;
} net_synapses;
/** **Local**; the rule must be one of the target's side. */
lw_err net_synapses_drawn(
    const lw_net *net, const lw_projection_spec *spec, int32_t proj, net_synapses *y) LW_MUST_CHECK;
/** **Collective**. */
lw_err net_synapses_listed(const lw_net *net, const lw_projection_spec *spec, int32_t proj, const net_given *given,
    net_synapses *y) LW_MUST_CHECK;
void net_synapses_free(net_synapses *y);
/** Sources of local target t of post, ascending, multapses side by side in their order. **Local**. */
lw_err net_synapses_target(net_synapses *y, int64_t t) LW_MUST_CHECK;
void net_synapses_weights(net_synapses *y, int64_t t);
lw_err net_synapses_delays(net_synapses *y, int64_t t) LW_MUST_CHECK;
/** Real delays of a projection with learn_delay, steps, into y->ms. */
void net_synapses_lags(net_synapses *y, int64_t t);

/* ---- storage.c: a projection by itself */
/** What is to be known of a projection's synapses before they are stored; first of this rank, then of all. */
typedef struct net_survey {
    int32_t *delay; /* [n] of listed synapses, in steps; NULL: all have one_delay */
    int64_t multapses, delay_low, delay_high, delay_positive;
    double weight_low, weight_high; /* of given edges */
} net_survey;
net_survey net_survey_start(void);
/** Of all ranks, into the survey and the projection. view.n_edges must be known. **Collective**. */
void net_survey_join(lw_net *net, int32_t proj, net_survey *s);
/** Of listed synapses; decides how the projection is stored. **Collective**. The caller frees s->delay. */
lw_err net_survey_listed(lw_net *net, net_synapses *y, net_survey *s) LW_MUST_CHECK;
/** Everything of one projection, except that rows are its own sources only. **Collective**. */
lw_err net_storage(lw_net *net, net_synapses *y, const net_survey *survey) LW_MUST_CHECK;
/** Steps of a delay in ms, or of an edge's lag, in the range of a projection whose delays are learned. */
float net_lag_clamp(double steps, int32_t lag_max);
void net_weight_put(lw_dtype type, void *weight, int64_t edge, double w);

/* ---- blocks.c */
/** Target blocks of this rank. **Local**. */
lw_err net_blocks(lw_net *net, const lw_net_spec *spec) LW_MUST_CHECK;
/** Synapses that a projection will have, as far as its rule tells; 0 for given edges. **Local**. */
double net_synapses_expected(const lw_net_spec *spec, int32_t proj);

/* ---- family.c */
/** Synapses of all projections: by themselves or in bundles. **Collective**. */
lw_err net_connections(lw_net *net, const lw_net_spec *spec, const net_given *given) LW_MUST_CHECK;

/* ---- edges.c */
typedef struct net_edges_out {
    lw_edge *edge;
    int64_t *number;
    uint32_t *row; /* slot of the source - slot_begin(pre) */
} net_edges_out;
enum { NET_EDGES_EDGE = 1, NET_EDGES_NUMBER = 2, NET_EDGES_ROW = 4 };
/** Synapses of the local targets [first, last) in the canonical order, with what is wanted of each; from lw_alloc.
 * **Local**. */
lw_err net_edges_list(const lw_net *net, int proj, int64_t first, int64_t last, unsigned wanted, net_edges_out *out,
    int64_t *n) LW_MUST_CHECK;

/* ---- bundle.c */
/** A projection that is to be bundled, while its family is built. */
typedef struct net_member {
    net_synapses synapses;
    net_survey survey;
} net_member;
/** One bundle: members (ascending by target population) of one family and one storage of weights, targets in the block.
 * **Local**. */
lw_err net_bundle_build(
    lw_net *net, net_member *const *member, int32_t n, int32_t block, net_bundle *out) LW_MUST_CHECK;
void net_bundle_free(net_bundle *b);

/* ---- slots.c */
/** A set of indices in [0, size): a bitmap in pages of 4 KiB that exist only where something is, so that memory follows
 * what is in it; after net_set_finish it also tells the place of a member. */
typedef struct net_set_page {
    uint64_t bits[512];
    uint16_t before[512]; /* members of this page below the word */
    int64_t first;        /* members of the pages before */
} net_set_page;
typedef struct net_set {
    int64_t n, n_pages;
    net_set_page **page; /* [n_pages] NULL: empty */
} net_set;
lw_err net_set_create(net_set *set, int64_t size) LW_MUST_CHECK;
void net_set_free(net_set *set);
lw_err net_set_page_add(net_set *set, int64_t page) LW_MUST_CHECK;
static inline lw_err net_set_add(net_set *set, int64_t i) {
    net_set_page *page = set->page[i >> 15];
    if (!page) {
        LW_TRY(net_set_page_add(set, i >> 15));
        page = set->page[i >> 15];
    }
    page->bits[i >> 6 & 511] |= UINT64_C(1) << (i & 63);
    return LW_OK;
}
void net_set_finish(net_set *set);
/** Place of a member in ascending order. */
static inline int64_t net_set_place(const net_set *set, int64_t i) {
    const net_set_page *page = set->page[i >> 15];
    int64_t word = i >> 6 & 511;
    return page->first + page->before[word] + __builtin_popcountll(page->bits[word] & ((UINT64_C(1) << (i & 63)) - 1));
}
/** Members, ascending, as uint32; from lw_alloc. */
lw_err net_set_list(const net_set *set, uint32_t **out) LW_MUST_CHECK;
/** Slots of the network from the rows of its projections, whose row tables then become those of the slots. **Local**.
 */
lw_err net_slots(lw_net *net) LW_MUST_CHECK;

#endif
