/* SPDX-License-Identifier: BSD-3-Clause
 *
 * curvature.h: products of a direction with the curvature of the mean loss of some samples: the Gauss-Newton matrix
 * G = C J^T H J C, with J the derivative of the read-out (hard spikes, surrogate), H the second derivative of the loss
 * with respect to the read-out, C the scales under which parameters are learned (optimizer_scale), or the whole second
 * derivative (hessian.c). Double precision.
 */
#ifndef LAPWING_TRAIN_CURVATURE_H
#define LAPWING_TRAIN_CURVATURE_H

#include "pass.h"

typedef struct curvature {
    const lw_grid *grid; /* borrowed */
    lw_theta *theta;
    pass *pass;
    int64_t n_samples, n_batches; /* the first n_samples of the data, in so many batches */
    int64_t loaded;               /* batch on the tape; -1: none */
    double counted;               /* items that count, of all samples and replicas: the loss is the mean over them */
    double loss;
    double *scale;     /* [n_local] C */
    double *direction; /* [n_local] C v */
    double *z_tan;     /* [n_rows][n_units][width] tangent of the read-out */
    double *z_adj;     /* [n_rows][n_local][width] derivative of the loss; NULL for the Gauss-Newton matrix */
    uint64_t seed;
} curvature;

/** The network is borrowed and not changed. **Collective** over grid->world, as the two below. */
lw_err curvature_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_samples, curvature **out) LW_MUST_CHECK;
/** The same for the whole second derivative; smooth: spikes as in lw_sim_options, reset not detached. */
lw_err curvature_create_hessian(const lw_grid *grid, lw_net *net, const lw_train_spec *spec,
    const lw_batch_source *data, int64_t n_samples, bool smooth, curvature **out) LW_MUST_CHECK;
void curvature_destroy(curvature **c);
/** out <- G v. v, out: [theta->n_local], equal in all replicas. */
lw_err curvature_product(curvature *c, const double *v, double *out) LW_MUST_CHECK;
/** out <- C J^T r with r normal in every (sample, row of the read-out, unit), whatever the grid: it has a part along
 * every eigenvector of G whose eigenvalue is not 0. */
lw_err curvature_start(curvature *c, uint64_t seed, double *out) LW_MUST_CHECK;

/** out <- C gradient of the mean loss, without penalties. Of a curvature made for the second derivative; what was
 * changed in the network since it was made counts after lw_sim_refresh and c->loaded = -1. */
lw_err curvature_gradient(curvature *c, double *out) LW_MUST_CHECK;

/* hessian.c */
/** Is there a second derivative of this loss. **Local**. */
lw_err hessian_check(const lw_loss *loss) LW_MUST_CHECK;
/** Room for it and a tape that records for it, in place of the one there is. **Collective** over the partition. */
lw_err hessian_room(curvature *c) LW_MUST_CHECK;
/** The derivative of the loss of the batch that was run last. **Local**. */
void hessian_note(curvature *c);
/** One batch: out += (second derivative) direction; out += gradient. **Collective** over the partition. */
lw_err hessian_product(curvature *c, const double *direction, double *out) LW_MUST_CHECK;
lw_err hessian_gradient(curvature *c, double *out) LW_MUST_CHECK;

/** z_tan += what the tangent of the values emitted at step t does to the read-out; payload: the curvature. **Local**.
 */
void curvature_read(void *payload, int pop, int64_t t, const void *out_tan);
/** z_adj <- scale * H z_tan of the batch that was evaluated last. z_tan: [n_rows][n_units][width],
 * of all units. The engine's precision must be double. **Local**. */
void curvature_of_loss(loss_work *w, const batch *b, double scale, const double *z_tan);

#endif
