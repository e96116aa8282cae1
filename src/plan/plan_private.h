/* SPDX-License-Identifier: BSD-3-Clause
 *
 * plan_private.h: what the files of this room share: the partition as arithmetic, delays as a distribution of steps,
 * and what is expected on one rank while it is put together.
 */
#ifndef LAPWING_PLAN_PRIVATE_H
#define LAPWING_PLAN_PRIVATE_H

#include <lapwing/plan.h>

/** Who owns which neuron of a population, by formula; scotch counts as block. */
typedef struct plan_cut {
    lw_partition kind;
    int ranks;
} plan_cut;
int64_t plan_cut_count(const plan_cut *cut, int64_t size, int rank);
int64_t plan_cut_begin(const plan_cut *cut, int64_t size, int rank); /* first index of a rank */
int plan_cut_owner(const plan_cut *cut, int64_t size, int64_t index);

/* ---- delays.c */
/** Distribution of a projection's delays over steps. */
typedef struct plan_delays {
    int32_t n;     /* steps 0 .. n - 1 */
    double *share; /* [n] */
} plan_delays;
lw_err plan_delays_create(const lw_net_spec *spec, const lw_projection_spec *proj, plan_delays *out) LW_MUST_CHECK;
void plan_delays_free(plan_delays *d);
/** Different steps among n synapses, by expectation, and the extreme ones that more than half of all such networks
 * have; low_positive: of those above 0. */
double plan_delays_distinct(const plan_delays *d, double n);
void plan_delays_range(const plan_delays *d, double n, int32_t *low, int32_t *low_positive, int32_t *high);

/* ---- distance.c: rules by distance, from samples */
bool plan_by_distance(const lw_projection_spec *s);
/** Whether the numbers of a rank's neurons say where they are. */
bool plan_has_region(const lw_net_spec *spec, const lw_projection_spec *s);
/** Mean of the profile over all pairs. */
double plan_distance_mean(const lw_net_spec *spec, const lw_projection_spec *s);
/** No synapse is longer, mm. */
double plan_distance_range(const lw_net_spec *spec, const lw_projection_spec *s);
/** Some targets of a rank, which stand for `each` of them. */
typedef struct plan_region {
    const lw_net_spec *spec;
    const lw_projection_spec *proj;
    double reach, each, scale;
    int64_t n;
    double (*place)[3]; /* [n] */
} plan_region;
lw_err plan_region_create(const lw_net_spec *spec, const lw_projection_spec *s, const plan_cut *cut, int rank,
    double mean, plan_region *out) LW_MUST_CHECK;
void plan_region_free(plan_region *r);
/** ln P(no synapse from a source to the targets). */
double plan_region_ln(const plan_region *r, int64_t source);

/* ---- sources.c: who is needed where */
/** Synapses of a projection, of the whole network. mean: of the profile, for rules by distance. */
lw_plan_number plan_proj_synapses(const lw_net_spec *spec, int32_t proj, double mean);
/** Those of `all` that end on a rank. */
lw_plan_number plan_local_synapses(
    const lw_net_spec *spec, int32_t proj, lw_plan_number all, const plan_cut *cut, int rank);
/** Slots of every population on a rank, [n_pop] each, and its neighbours. scratch: [ranks]. *rough is set when sources
 * were sampled. */
lw_err plan_sources(const lw_net_spec *spec, const double *mean, const plan_cut *cut, int rank, double *scratch,
    lw_plan_number *slots, lw_plan_number *remote, lw_plan_number *neighbours, bool *rough) LW_MUST_CHECK;
/** Whether the sources of a projection differ in more than being local. */
bool plan_is_structured(const lw_net_spec *spec, const lw_projection_spec *proj);

/* ---- storage_bytes.c, engine_bytes.c, times.c: one rank */
/** What is known of one rank: input of the models of bytes and time. */
typedef struct plan_part {
    const lw_net_spec *spec;
    const lw_plan_options *options;
    const plan_cut *cut;
    const plan_delays *delays; /* [n_proj] */
    const double *edges_all;   /* [n_proj] synapses of the network */
    int rank;
    int64_t n_local;
    int64_t *neurons;      /* [n_pop] of this rank */
    double *edges;         /* [n_proj] local synapses */
    lw_plan_number *slots; /* [n_pop] */
    lw_plan_number *remote;
    double slots_all, remote_all, neighbours;
    int32_t delay_min, delay_max, n_levels;
} plan_part;
/** Synapses that are stored together, in all their blocks: what a spike of `pre` meets. */
typedef struct plan_piece {
    int32_t pre;
    bool weight_one, dense;
    double edges; /* local */
    double cells; /* rows of them that a source has, over delays and blocks */
} plan_piece;
/** Bytes of the network as lw_net_stats counts them, and in resident blocks of memory. */
typedef struct plan_bytes {
    double neurons, synapses; /* as lw_net_stats */
    double held, building;    /* what stays, and the most while building */
    double saving;            /* besides, while a checkpoint is written */
    int32_t n_pieces;
    plan_piece *piece; /* [n_proj] room, the caller's */
} plan_bytes;
lw_err plan_storage(const plan_part *part, plan_bytes *bytes) LW_MUST_CHECK;
/** Bytes of the engine, and the most that is held besides while it is made. */
void plan_engine(const plan_part *part, double *held, double *making);
/** Seconds of the parts of a step, and what an exchange receives. */
void plan_times(const plan_part *part, const plan_bytes *bytes, lw_plan_rank *rank);
/** Resident bytes of one block from lw_alloc: its head, and whole huge pages where it asks for them. */
double plan_block(double bytes);

#endif
