/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The arithmetic of one update on a range of theta: norm, freezing, and the step of each kind of optimiser. Everything
 * is element-wise, so the bits of a number do not depend on the ranges into which theta is cut; sums of squares are
 * made over pieces that are fixed. Loops are kept free of branches so that they run in vectors.
 */
#include <math.h>
#include <string.h>
#include "optimizer.h"

/* What is the same for a whole block. */
typedef struct stride {
    double factor, unit, decay, rate, clip;
    double beta1, beta2, epsilon, momentum, unbias1, unbias2;
    bool coupled, nesterov;
} stride;

/* Gradient in the units of z, clipped, with decay where that goes through the gradient. */
static inline double driven(const stride *s, double grad, double x) {
    double g = s->factor * grad * s->unit;
    g = g < s->clip ? g : s->clip;
    g = g > -s->clip ? g : -s->clip;
    return s->coupled ? g + s->decay * x : g;
}

static inline double moved(const stride *s, double x, double update) {
    double shrink = s->coupled ? 0 : s->rate * s->decay * x;
    return x - (shrink + s->unit * (s->rate * update));
}

static void step_plain(const stride *s, int64_t n, const double *grad, double *x) {
    for (int64_t i = 0; i < n; i++)
        x[i] = moved(s, x[i], driven(s, grad[i], x[i]));
}

static void step_momentum(
    const stride *s, int64_t n, const double *restrict grad, double *restrict velocity, double *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        double g = driven(s, grad[i], x[i]), v = s->momentum * velocity[i] + g;
        velocity[i] = v;
        x[i] = moved(s, x[i], s->nesterov ? g + s->momentum * v : v);
    }
}

static void step_adam(const stride *s, int64_t n, const double *restrict grad, double *restrict first,
    double *restrict second, double *restrict x) {
    for (int64_t i = 0; i < n; i++) {
        double g = driven(s, grad[i], x[i]);
        double m = s->beta1 * first[i] + (1 - s->beta1) * g, v = s->beta2 * second[i] + (1 - s->beta2) * g * g;
        first[i] = m;
        second[i] = v;
        x[i] = moved(s, x[i], m * s->unbias1 / (sqrt(v * s->unbias2) + s->epsilon));
    }
}

/* mean square, then velocity (with momentum), then mean (centred) */
static void step_rmsprop(
    const stride *s, int64_t n, const double *grad, double *square, double *velocity, double *mean, double *x) {
    for (int64_t i = 0; i < n; i++) {
        double g = driven(s, grad[i], x[i]);
        double power = square[i] = s->beta2 * square[i] + (1 - s->beta2) * g * g;
        if (mean) {
            mean[i] = s->beta2 * mean[i] + (1 - s->beta2) * g;
            power = fmax(power - mean[i] * mean[i], 0);
        }
        double d = g / (sqrt(power) + s->epsilon);
        if (velocity) d = velocity[i] = s->momentum * velocity[i] + d;
        x[i] = moved(s, x[i], d);
    }
}

/* Numbers [*a, *b) of the range [lo, hi) that belong to the block, counted from lo. */
static bool block_range(const lw_theta_block *block, int64_t lo, int64_t hi, int64_t *a, int64_t *b) {
    *a = block->offset > lo ? block->offset - lo : 0;
    *b = (block->offset + block->count < hi ? block->offset + block->count : hi) - lo;
    return *b > *a;
}

void optimizer_freeze(const lw_theta *theta, const optimizer_rule *rule, int64_t lo, int64_t hi, double *grad) {
    int64_t begin, end;
    for (int32_t b = 0; b < theta->n_blocks; b++)
        if (rule[b].frozen && block_range(&theta->block[b], lo, hi, &begin, &end))
            for (int64_t i = begin; i < end; i++)
                grad[i] = 0;
}

/* The piece [lo, hi) with 0 where another rank counts: a copy, or grad itself where there is nothing of the kind. */
static const double *counted(const lw_theta *theta, int64_t lo, int64_t hi, const double *grad, double *copy) {
    const double *found = grad;
    int64_t begin, end;
    for (int32_t b = 0; theta && b < theta->n_blocks; b++) {
        if (theta->block[b].counted || !block_range(&theta->block[b], lo, hi, &begin, &end)) continue;
        if (found == grad) memcpy(copy, grad, (size_t)(hi - lo) * sizeof *copy);
        memset(copy + begin, 0, (size_t)(end - begin) * sizeof *copy);
        found = copy;
    }
    return found;
}

void optimizer_squares(
    const lw_theta *theta, int64_t lo, int64_t hi, const double *scale, const double *all, double *square) {
    enum { LANES = 8 };
    double copy[OPTIMIZER_PIECE];
    LW_ASSERT(lo % OPTIMIZER_PIECE == 0);
    for (int64_t at = 0; at < hi - lo; at += OPTIMIZER_PIECE) {
        int64_t n = hi - lo - at < OPTIMIZER_PIECE ? hi - lo - at : OPTIMIZER_PIECE, i = 0;
        double lane[LANES] = {0}, sum = 0;
        const double *grad = counted(theta, lo + at, lo + at + n, all + at, copy);
        for (; i + LANES <= n; i += LANES)
            for (int k = 0; k < LANES; k++) {
                double g = grad[i + k] * (scale ? scale[at + i + k] : 1);
                lane[k] += g * g;
            }
        for (; i < n; i++) {
            double g = grad[i] * (scale ? scale[at + i] : 1);
            lane[i % LANES] += g * g;
        }
        for (int k = 0; k < LANES; k++)
            sum += lane[k];
        square[at / OPTIMIZER_PIECE] = sum;
    }
}

static void block_step(const lw_optimizer_spec *spec, const stride *s, int64_t begin, int64_t n, const double *grad,
    double *const *moment, double *x) {
    int count = optimizer_moments(spec);
    bool moving = spec->momentum > 0;
    switch (spec->kind) {
    case LW_OPTIMIZER_SGD:
        if (moving)
            step_momentum(s, n, grad, moment[0] + begin, x);
        else
            step_plain(s, n, grad, x);
        return;
    case LW_OPTIMIZER_ADAM:
    case LW_OPTIMIZER_ADAMW:
        step_adam(s, n, grad, moment[0] + begin, moment[1] + begin, x);
        return;
    case LW_OPTIMIZER_RMSPROP:
        step_rmsprop(s, n, grad, moment[0] + begin, moving ? moment[1] + begin : NULL,
            spec->centred ? moment[count - 1] + begin : NULL, x);
        return;
    }
}

/* What is left of a weight after a step towards zero. */
static void soften(double by, int64_t n, double *x) {
    for (int64_t i = 0; i < n; i++)
        x[i] = copysign(fmax(fabs(x[i]) - by, 0), x[i]);
}

void optimizer_step(const lw_optimizer_spec *spec, const lw_theta *theta, const optimizer_rule *rule, double lr,
    double factor, int64_t update, int64_t lo, int64_t hi, const double *scale, const double *grad,
    double *const *moment, double *x) {
    stride s = {.factor = factor,
        .clip = spec->clip_value > 0 ? spec->clip_value : INFINITY,
        .beta1 = spec->beta1,
        .beta2 = spec->beta2,
        .epsilon = spec->epsilon,
        .momentum = spec->momentum,
        .unbias1 = 1 / (1 - pow(spec->beta1, (double)update)),
        .unbias2 = 1 / (1 - pow(spec->beta2, (double)update)),
        .coupled = spec->kind != LW_OPTIMIZER_ADAMW,
        .nesterov = spec->nesterov};
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        int64_t begin, end;
        if (rule[b].frozen || !block_range(&theta->block[b], lo, hi, &begin, &end)) continue;
        s.unit = scale ? scale[begin] : 1;
        s.decay = rule[b].weight_decay;
        s.rate = lr * rule[b].lr;
        block_step(spec, &s, begin, end - begin, grad + begin, moment, x + begin);
        if (spec->weight_l1 > 0 && theta->block[b].is_weight) soften(s.rate * spec->weight_l1, end - begin, x + begin);
    }
}
