/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Optimisers (SGD with momentum: Sutskever et al. 2013; Adam: Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019),
 * learning-rate schedules, gradient norm. Every update is element-wise on this rank's part of theta; only the norm
 * looks at the whole network.
 */
#include <math.h>
#include "optimizer.h"

lw_err optimizer_check(const lw_optimizer_spec *s, int64_t epochs) {
    LW_CHECK(s->lr > 0 && isfinite(s->lr), LW_EUSE, "learning rate is %g, allowed are positive numbers", s->lr);
    LW_CHECK(s->weight_decay >= 0, LW_EUSE, "weight_decay is %g, allowed are numbers from 0", s->weight_decay);
    LW_CHECK(s->clip_norm >= 0, LW_EUSE, "clip_norm is %g, allowed are numbers from 0 (none)", s->clip_norm);
    LW_CHECK(s->warmup >= 0, LW_EUSE, "warmup is %lld epochs, allowed are numbers from 0", (long long)s->warmup);
    LW_CHECK(s->lr_param_scale > 0, LW_EUSE, "lr_param_scale is %g, allowed are positive numbers", s->lr_param_scale);
    if (s->kind == LW_OPTIMIZER_SGD) {
        LW_CHECK(s->momentum >= 0 && s->momentum < 1, LW_EUSE, "momentum is %g, allowed are 0 to below 1", s->momentum);
        LW_CHECK(
            !s->nesterov || s->momentum > 0, LW_EUSE, "nesterov is set with momentum 0, allowed are 0 < momentum < 1");
    } else {
        LW_CHECK(s->beta1 >= 0 && s->beta1 < 1, LW_EUSE, "beta1 is %g, allowed are 0 to below 1", s->beta1);
        LW_CHECK(s->beta2 >= 0 && s->beta2 < 1, LW_EUSE, "beta2 is %g, allowed are 0 to below 1", s->beta2);
        LW_CHECK(s->epsilon > 0, LW_EUSE, "epsilon is %g, allowed are positive numbers", s->epsilon);
    }
    bool gamma = s->schedule == LW_SCHEDULE_STEP || s->schedule == LW_SCHEDULE_EXPONENTIAL;
    LW_CHECK(!gamma || s->schedule_gamma > 0, LW_EUSE, "schedule gamma is %g, allowed are positive numbers",
        s->schedule_gamma);
    LW_CHECK(s->schedule != LW_SCHEDULE_STEP || s->schedule_every > 0, LW_EUSE,
        "schedule every is %lld epochs, allowed are numbers from 1", (long long)s->schedule_every);
    LW_CHECK(s->schedule != LW_SCHEDULE_COSINE || (s->schedule_floor >= 0 && s->schedule_floor <= 1), LW_EUSE,
        "schedule floor is %g, allowed are 0 to 1", s->schedule_floor);
    LW_CHECK(epochs >= 0, LW_EUSE, "epochs is %lld, allowed are numbers from 0", (long long)epochs);
    return LW_OK;
}

int optimizer_moments(const lw_optimizer_spec *spec) {
    if (spec->kind != LW_OPTIMIZER_SGD) return 2;
    return spec->momentum > 0 ? 1 : 0;
}

const char *optimizer_moment_name(const lw_optimizer_spec *spec, int i) {
    if (spec->kind == LW_OPTIMIZER_SGD) return "momentum";
    return i == 0 ? "first_moment" : "second_moment";
}

double optimizer_rate(const lw_optimizer_spec *spec, int64_t epochs, int64_t n_batches, int64_t epoch, int64_t batch) {
    if (epoch < spec->warmup) {
        double done = (double)epoch + (double)(batch + 1) / (double)n_batches;
        return spec->lr * done / (double)spec->warmup;
    }
    int64_t e = epoch - spec->warmup, last = epochs - spec->warmup - 1;
    switch (spec->schedule) {
    case LW_SCHEDULE_CONSTANT:
        break;
    case LW_SCHEDULE_STEP:
        return spec->lr * pow(spec->schedule_gamma, (double)(e / spec->schedule_every));
    case LW_SCHEDULE_EXPONENTIAL:
        return spec->lr * pow(spec->schedule_gamma, (double)e);
    case LW_SCHEDULE_COSINE: {
        const double pi = 3.14159265358979323846;
        double at = last > 0 ? fmin((double)e / (double)last, 1) : 0;
        return spec->lr * (spec->schedule_floor + (1 - spec->schedule_floor) * 0.5 * (1 + cos(pi * at)));
    }
    }
    return spec->lr;
}

void optimizer_scale(
    const lw_optimizer_spec *spec, const lw_theta *theta, const lw_comm *part, const double *x, double *scale) {
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        double value = 1;
        if (!block->is_weight) {
            double sum[2] = {0, (double)block->count};
            for (int64_t i = 0; i < block->count; i++)
                sum[0] += x[block->offset + i];
            lw_comm_sum_f64(part, sum, 2);
            value = sum[0] != 0 ? fabs(sum[0] / sum[1]) : 1;
            value *= spec->lr_param_scale;
        }
        for (int64_t i = 0; i < block->count; i++)
            scale[block->offset + i] = value;
    }
}

double optimizer_norm(const lw_theta *theta, const lw_comm *part, const double *scale, const double *grad) {
    double sum = 0;
    for (int64_t i = 0; i < theta->n_local; i++) {
        double g = scale ? grad[i] * scale[i] : grad[i];
        sum += g * g;
    }
    lw_comm_sum_f64(part, &sum, 1);
    return sqrt(sum);
}

static double update_sgd(const lw_optimizer_spec *s, double g, double *velocity) {
    if (!velocity) return g;
    *velocity = s->momentum * *velocity + g;
    return s->nesterov ? g + s->momentum * *velocity : *velocity;
}

static double update_adam(const lw_optimizer_spec *s, double unbias1, double unbias2, double g, double *m, double *v) {
    *m = s->beta1 * *m + (1 - s->beta1) * g;
    *v = s->beta2 * *v + (1 - s->beta2) * g * g;
    return *m * unbias1 / (sqrt(*v * unbias2) + s->epsilon);
}

void optimizer_step(const lw_optimizer_spec *spec, const lw_theta *theta, double lr, double factor, int64_t update,
    const double *scale, const double *grad, double *const *moment, double *x) {
    bool sgd = spec->kind == LW_OPTIMIZER_SGD, coupled = spec->kind != LW_OPTIMIZER_ADAMW;
    double unbias1 = sgd ? 1 : 1 / (1 - pow(spec->beta1, (double)update));
    double unbias2 = sgd ? 1 : 1 / (1 - pow(spec->beta2, (double)update));
    bool moving = optimizer_moments(spec) > 0;
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        double decay = block->is_weight ? spec->weight_decay : 0;
        for (int64_t i = block->offset; i < block->offset + block->count; i++) {
            double unit = scale ? scale[i] : 1, g = factor * grad[i] * unit, shrink = 0;
            if (coupled) {
                g += decay * x[i];
            } else {
                shrink = lr * decay * x[i];
            }
            double d = sgd ? update_sgd(spec, g, moving ? &moment[0][i] : NULL)
                           : update_adam(spec, unbias1, unbias2, g, &moment[0][i], &moment[1][i]);
            x[i] -= shrink + unit * (lr * d);
        }
    }
}
