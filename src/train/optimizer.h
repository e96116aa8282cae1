/* SPDX-License-Identifier: BSD-3-Clause
 *
 * optimizer.h: one update of theta from its gradient. All numbers are doubles, in the units of z = value / scale.
 */
#ifndef LAPWING_TRAIN_OPTIMIZER_H
#define LAPWING_TRAIN_OPTIMIZER_H

#include <lapwing/train.h>

enum { OPTIMIZER_MOMENTS_MAX = 3 };

/** How a block of theta is learned. */
typedef struct optimizer_rule {
    double lr, weight_decay;
    bool frozen;
} optimizer_rule;
/** rule: [n_blocks]. EUSE for a group that matches nothing. **Local**. */
lw_err optimizer_rules(
    const lw_optimizer_spec *spec, const lw_net *net, const lw_theta *theta, optimizer_rule *rule) LW_MUST_CHECK;
/** 0 where a block is frozen. **Local**. */
void optimizer_freeze(const lw_theta *theta, const optimizer_rule *rule, double *grad);

/** **Local**. EUSE naming the setting, the value found and the values allowed. */
lw_err optimizer_check(const lw_optimizer_spec *spec, int64_t epochs) LW_MUST_CHECK;
/** Vectors of state that the kind needs, and their names. */
int optimizer_moments(const lw_optimizer_spec *spec);
const char *optimizer_moment_name(const lw_optimizer_spec *spec, int i);
/** Learning rate of batch `batch` (of n_batches) of epoch `epoch` (of epochs), all counted from 0. Pure. */
double optimizer_rate(const lw_optimizer_spec *spec, int64_t epochs, int64_t n_batches, int64_t epoch, int64_t batch);
/** The scale of every number of theta: 1 for weights; lr_param_scale * |mean value over the whole population| (1 in
 * place of a mean of 0) for a parameter block. **Collective** over the ranks of the partition. scale: [n_local] */
void optimizer_scale(
    const lw_optimizer_spec *spec, const lw_theta *theta, const lw_comm *part, const double *x, double *scale);
/** Euclidean norm of grad * scale over the whole network. **Collective** over the partition. scale NULL: all 1. */
double optimizer_norm(const lw_theta *theta, const lw_comm *part, const double *scale, const double *grad);
/** x <- x - scale * update(factor * scale * grad). `update` counts from 1 (bias correction). moment:
 * [optimizer_moments][n_local]. scale NULL: all 1. rule: [n_blocks]. **Local**. */
void optimizer_step(const lw_optimizer_spec *spec, const lw_theta *theta, const optimizer_rule *rule, double lr,
    double factor, int64_t update, const double *scale, const double *grad, double *const *moment, double *x);

#endif
