/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dense.h: products with dense projections in several lanes. Forward they walk the values that are not zero; backward
 * they may compute adjoints only where a slope lets them through.
 */
#ifndef LAPWING_SIM_DENSE_H
#define LAPWING_SIM_DENSE_H

#include <pthread.h>
#include "engine.h"

/** Room of one engine, for its largest dense projection. */
typedef struct engine_dense {
    void *turned; /* [width][most targets] real */
    void *open;   /* input that stands in `turned` at present, and how many targets it has; NULL: none */
    int64_t n_open;
    uint32_t *list; /* [width][most rows] rows that are not zero in a lane, ascending */
    void *value;    /* [width][most rows] real, what they are there; or the places of a sampled product, as bits */
    int64_t *count; /* [width] */
    int64_t most;   /* rows */
    /* Copies of weights, of this engine, or of the one it shares them with (lw_sim_options.copies_of): */
    struct engine_dense *copies;
    float **weight; /* [n_proj] weights as floats where the net holds doubles and the engine floats, else NULL */
    float **panel;  /* [n_proj] the engine's floats in panels of DENSE_PANEL targets, [panel][row][target], the last one
                       as narrow as it is; NULL: there would be but one, or the engine computes in doubles */
    void **packed;  /* [n_proj] for dense_back, of the weights at the last refresh unless stale; NULL: nobody asked */
    bool *stale;    /* [n_proj] */
    pthread_mutex_t lock; /* of packed and stale */
    lw_window *window;    /* holds all of them for lw_sim_options.copies_with, or NULL */
} engine_dense;

enum { DENSE_PANEL = 4 * VECTOR_BYTES / (int)sizeof(float) };

/** Made once per engine with several lanes; nothing without dense projections. **Local**. */
lw_err engine_dense_create(lw_sim *sim) LW_MUST_CHECK;
/** Room for copies of weights where the engine has its own. **Collective** over options.copies_with; EMEM is local. */
lw_err engine_dense_copies(lw_sim *sim) LW_MUST_CHECK;
void engine_dense_destroy(lw_sim *sim);
/** Take the weights anew (a sharer does nothing); and put the copies into the engine's views. */
void engine_dense_refresh(lw_sim *sim);
void engine_dense_attach(lw_sim *sim);

/** Does a walk or a sampled product know this projection? */
bool engine_dense_knows(const lw_sim *sim, const lw_proj_view *proj);
/** acc[target, :] += w x[row, :] for the listed rows, with the bits of deliver_rows; synaptic events are added to
 * *events. zero: acc holds zeros so far. False when so many values are not zero that deliver_rows is faster (nothing is
 * done then). Sums stay turned round for the next projection onto acc: before anything else looks at it, dense_close.
 */
bool dense_walk(lw_sim *sim, const lw_proj_view *proj, const uint32_t *row, int64_t n, const void *x, bool zero,
    void *acc, int64_t *events);
void dense_close(lw_sim *sim);
/** Weights in the order in which dense_back reads them: tiles of DENSE_TILE rows, [tile][target][row]. Of bfloat16
 * lines of targets follow, for sampled products; both together take no more than floats with lines filled up to 32. */
enum { DENSE_TILE = VECTOR_BYTES == 64 ? 16 : 8 };
static inline int64_t dense_line(int64_t n_post) {
    return (n_post + 31) / 32 * 32;
}
static inline int64_t dense_packed_count(const lw_proj_view *proj) {
    return (proj->n_rows + DENSE_TILE - 1) / DENSE_TILE * DENSE_TILE * dense_line(proj->n_edges / proj->n_rows);
}
void dense_pack(const lw_sim *sim, const lw_proj_view *proj, void *packed);
/** The same of the rows [first, last), both whole tiles or the end. */
void dense_pack_rows(const lw_sim *sim, const lw_proj_view *proj, int64_t first, int64_t last, void *packed);
/** Does this engine round adjoint products to bfloat16, in pairs of targets [tile][pair][row][2]? Otherwise with
 * rounded floats, which gives the same products. */
static inline bool dense_in_pairs(const lw_sim *sim) {
    return lw_sim_has_bf16() && sim->options.adjoint_bf16 && !sim->f64 && sim->width % 16 == 0;
}
/** Room for what dense_pack makes of projection k's weights, in the engine that has the copies. EMEM. **Local**. */
lw_err engine_dense_room(const lw_sim *sim, int32_t k) LW_MUST_CHECK;
/** The packed weights of projection k, made anew after a refresh; threads whose engines share them may ask at once. */
void *engine_dense_packed(lw_sim *sim, int32_t k);
/** x_adj[row, :] += sum over targets w in_adj[target, :]. */
void dense_back(const lw_sim *sim, const lw_proj_view *proj, const void *packed, const void *in_adj, void *x_adj);
/** The same only where slope[row's neuron, lane] is not 0; neuron: [n_rows] place of each row in slope. False when few
 * are 0, or a row's neuron is on another rank (neuron < 0): nothing is done then. */
bool dense_back_sampled(lw_sim *sim, const lw_proj_view *proj, const void *packed, const int32_t *neuron,
    const void *slope, const void *in_adj, void *x_adj);

/* Products whose sums may be contracted (dense_adjoint.c): nothing forward depends on them. */
void dense_adjoint_f32(
    const float *packed, int64_t n_rows, int64_t n_post, int64_t width, const float *in_adj, float *x_adj);
void dense_adjoint_f64(
    const double *packed, int64_t n_rows, int64_t n_post, int64_t width, const double *in_adj, double *x_adj);
/** x[i] rounded to 8 bits, to even; in place of out too. */
void dense_rounded(int64_t n, const float *x, float *out);
/** The same with pairs of bfloat16: packed [tile][pair][row][2], in_adj [pair][lane][2]; width is a multiple of 16. */
void dense_pairs_pack(const float *weight, int64_t n_rows, int64_t n_post, uint16_t *packed);
void dense_pairs_of(int64_t n_post, int64_t width, const float *in_adj, uint16_t *pairs);
void dense_pairs_adjoint(
    const uint16_t *packed, int64_t n_rows, int64_t n_post, int64_t width, const uint16_t *pairs, float *x_adj);
/** x_adj[row, lane] += the sum where bits [n_rows][words of 64 lanes] say so; turned: [width][stride], weight:
 * [n_rows][stride]. */
void dense_sampled_f32(const float *weight, int64_t n_rows, int64_t n_post, int64_t stride, int64_t width,
    const uint64_t *bits, const float *turned, float *x_adj);
void dense_sampled_f64(const double *weight, int64_t n_rows, int64_t n_post, int64_t stride, int64_t width,
    const uint64_t *bits, const double *turned, double *x_adj);
/** The same of bfloat16; n_post is a whole number of 32, as lines are padded. */
void dense_sampled_pairs(const uint16_t *weight, int64_t n_rows, int64_t n_post, int64_t stride, int64_t width,
    const uint64_t *bits, const uint16_t *turned, float *x_adj);
/** Lines [n][m] rounded to bfloat16, each filled up with zeros to `stride`. In place where stride <= 2 m. */
void dense_pairs_lines(int64_t n, int64_t m, int64_t stride, const float *x, uint16_t *lines);

#endif
