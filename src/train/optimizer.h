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
/** 0 where a block is frozen. Here and below the numbers [lo, hi) of theta are meant, and arrays begin at lo.
 * **Local**. */
void optimizer_freeze(const lw_theta *theta, const optimizer_rule *rule, int64_t lo, int64_t hi, double *grad);

/** **Local**. EUSE naming the setting, the value found and the values allowed. */
lw_err optimizer_check(const lw_optimizer_spec *spec, int64_t epochs) LW_MUST_CHECK;
/** Vectors of state that the kind needs, and their names. */
int optimizer_moments(const lw_optimizer_spec *spec);
const char *optimizer_moment_name(const lw_optimizer_spec *spec, int i);
/** Learning rate of batch `batch` (of n_batches) of epoch `epoch` (of epochs), all counted from 0. Pure. */
double optimizer_rate(const lw_optimizer_spec *spec, int64_t epochs, int64_t n_batches, int64_t epoch, int64_t batch);
/** What the plateau schedule has made of the learning rate after the first n epochs (1 for other schedules). A pure
 * function of the history, which checkpoints hold: a resumed run finds the same. */
double optimizer_plateau(const lw_optimizer_spec *spec, const lw_metrics *metrics, int64_t n);
/** The scale of every number of theta: 1 for weights; lr_param_scale * |mean value over the whole population| (1 in
 * place of a mean of 0) for a parameter block. **Collective** over the ranks of the partition. scale: [n_local] */
void optimizer_scale(
    const lw_optimizer_spec *spec, const lw_theta *theta, const lw_comm *part, const double *x, double *scale);
/** Sums of squares of grad * scale over pieces of OPTIMIZER_PIECE numbers of theta, square[0 .. (hi - lo) / piece], so
 * that a norm does not depend on who adds which of them. lo is a multiple of OPTIMIZER_PIECE, and so is hi unless it is
 * the end of theta. scale NULL: all 1. What another rank counts is left out (theta NULL: nothing is). **Local**. */
enum { OPTIMIZER_PIECE = 1024 };
void optimizer_squares(
    const lw_theta *theta, int64_t lo, int64_t hi, const double *scale, const double *grad, double *square);
static inline int64_t optimizer_pieces(int64_t n) {
    return (n + OPTIMIZER_PIECE - 1) / OPTIMIZER_PIECE;
}
/** x <- x - scale * update(factor * scale * grad). `update` counts from 1 (bias correction). moment:
 * [optimizer_moments][hi - lo]. scale NULL: all 1; one number per block. rule: [n_blocks]. **Local**. */
void optimizer_step(const lw_optimizer_spec *spec, const lw_theta *theta, const optimizer_rule *rule, double lr,
    double factor, int64_t update, int64_t lo, int64_t hi, const double *scale, const double *grad,
    double *const *moment, double *x);

#endif
