/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lag.h: projections whose synapses have real delays that are learned. A value x emitted at step s by a synapse of
 * delay k + f (k whole, 0 <= f < 1) arrives as w (1 - f) x at s + k and as w f x at s + k + 1: linear interpolation, as
 * DCLS does (Khalfaoui-Hassani et al.; Hammouamri et al. 2023, arXiv 2306.17670). Forward, adjoint and tangent are
 * here; the sweeps call them where other projections deliver by slices.
 */
#ifndef LAPWING_SIM_LAG_H
#define LAPWING_SIM_LAG_H

#include "engine_parts.h"

struct sweep_memory;
struct sweep_ring;

/** Inputs of the coming steps from what was emitted before: a cache, since the history and the delays say it all. */
typedef struct engine_lag {
    void *ring;    /* real [lag_max + 1][n_local of post, width], step t at t mod (lag_max + 1); NULL: no such delays */
    int64_t next;  /* it holds all that was emitted before next - 1, for the steps from `next` on */
    bool complete; /* false: to be made anew from the history */
} engine_lag;
lw_err engine_lag_create(lw_sim *sim) LW_MUST_CHECK;
void engine_lag_destroy(lw_sim *sim);
/** History, step or delays were changed by hand. */
void engine_lag_forget(lw_sim *sim);
/** Add what arrives at step t. Costs go with the values that were emitted at t - 1. */
void engine_lag_deliver(lw_sim *sim, int proj, int64_t t, int64_t *events);

/** Of a projection in a sweep. An adjoint of step s needs the adjoints of the inputs of steps s + 1 .. s + lag_max + 1,
 * which a ring keeps. */
typedef struct lag_proj {
    int32_t proj;
    int64_t weight, delay;   /* offsets in theta, -1: not learned */
    int64_t depth;           /* lag_max + 1 */
    char *in_adj;            /* real [depth][n_local of post, width], step t at t mod depth */
    const void **x, **x_tan; /* [depth + 1] rows by delay */
} lag_proj;
typedef struct lag_sweep {
    int32_t n;
    lag_proj *proj; /* [n] */
} lag_sweep;
lw_err lag_plan(const lw_sim *sim, const lw_theta *theta, struct sweep_memory *m, lag_sweep *lag) LW_MUST_CHECK;
void lag_clear(const lw_sim *sim, lag_sweep *lag);
/** The adjoints of population pop's inputs at recorded step t, by port: adds to the adjoints of what was emitted at
 * t - 1 (slots; active: [n_pop] sources that want it) and, grad not NULL, to gradients. t descends. */
void lag_back(lw_tape *tape, int pop, int64_t t, int64_t first, const struct sweep_ring *slots, const bool *active,
    void *const *in_adj, double *grad);
/** After step 0: gradients from values that were in flight before the recording. */
void lag_back_end(lw_tape *tape, int64_t first, const bool *active, double *grad);
/** in_tan += what tangents of sources (slots, or NULL) and directions of weights and delays make of step t. */
void lag_push(
    lw_tape *tape, int proj, int64_t t, const struct sweep_ring *slots, const double *direction, void *in_tan);
/** acc[target, :] += w ((1 - f) x[k][row, :] + f x[k + 1][row, :]) for all synapses; x: rows by delay, NULL: zeros. */
void lag_gather(bool f64, const lw_proj_view *proj, int64_t n_post, int64_t width, const void *const *x, void *acc);

#endif
