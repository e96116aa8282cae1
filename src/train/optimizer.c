/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Optimisers (SGD with momentum: Sutskever et al. 2013; Adam: Kingma & Ba 2015; AdamW: Loshchilov & Hutter 2019;
 * RMSprop: Hinton, lecture 6e, 2012, centred: Graves 2013): their settings, learning-rate schedules, groups, scales.
 * The arithmetic of an update is in update.c.
 */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include "optimizer.h"

lw_err optimizer_check(const lw_optimizer_spec *s, int64_t epochs) {
    LW_CHECK(s->lr > 0 && isfinite(s->lr), LW_EUSE, "learning rate is %g, allowed are positive numbers", s->lr);
    LW_CHECK(s->weight_decay >= 0, LW_EUSE, "weight_decay is %g, allowed are numbers from 0", s->weight_decay);
    LW_CHECK(s->clip_norm >= 0, LW_EUSE, "clip_norm is %g, allowed are numbers from 0 (none)", s->clip_norm);
    LW_CHECK(s->clip_value >= 0, LW_EUSE, "clip_value is %g, allowed are numbers from 0 (none)", s->clip_value);
    LW_CHECK(s->warmup >= 0, LW_EUSE, "warmup is %lld epochs, allowed are numbers from 0", (long long)s->warmup);
    LW_CHECK(s->lr_param_scale > 0, LW_EUSE, "lr_param_scale is %g, allowed are positive numbers", s->lr_param_scale);
    if (s->kind == LW_OPTIMIZER_SGD || s->kind == LW_OPTIMIZER_RMSPROP) {
        LW_CHECK(s->momentum >= 0 && s->momentum < 1, LW_EUSE, "momentum is %g, allowed are 0 to below 1", s->momentum);
        LW_CHECK(
            !s->nesterov || s->momentum > 0, LW_EUSE, "nesterov is set with momentum 0, allowed are 0 < momentum < 1");
    }
    if (s->kind != LW_OPTIMIZER_SGD) {
        LW_CHECK(s->beta1 >= 0 && s->beta1 < 1, LW_EUSE, "beta1 is %g, allowed are 0 to below 1", s->beta1);
        LW_CHECK(s->beta2 >= 0 && s->beta2 < 1, LW_EUSE, "beta2 is %g, allowed are 0 to below 1", s->beta2);
        LW_CHECK(s->epsilon > 0, LW_EUSE, "epsilon is %g, allowed are positive numbers", s->epsilon);
    }
    bool plateau = s->schedule == LW_SCHEDULE_PLATEAU, every = s->schedule == LW_SCHEDULE_STEP || plateau;
    bool gamma = every || s->schedule == LW_SCHEDULE_EXPONENTIAL;
    LW_CHECK(!gamma || s->schedule_gamma > 0, LW_EUSE, "schedule gamma is %g, allowed are positive numbers",
        s->schedule_gamma);
    LW_CHECK(!plateau || s->schedule_gamma < 1, LW_EUSE, "schedule gamma is %g, allowed for plateau are 0 < gamma < 1",
        s->schedule_gamma);
    LW_CHECK(!plateau || (s->schedule_threshold >= 0 && s->schedule_threshold < 1), LW_EUSE,
        "schedule threshold is %g, allowed are 0 to below 1", s->schedule_threshold);
    LW_CHECK(s->weight_l1 >= 0 && isfinite(s->weight_l1), LW_EUSE, "l1 is %g, allowed are numbers from 0 (none)",
        s->weight_l1);
    LW_CHECK(!every || s->schedule_every > 0, LW_EUSE, "schedule every is %lld epochs, allowed are numbers from 1",
        (long long)s->schedule_every);
    LW_CHECK(!(plateau || s->schedule == LW_SCHEDULE_COSINE) || (s->schedule_floor >= 0 && s->schedule_floor <= 1),
        LW_EUSE, "schedule floor is %g, allowed are 0 to 1", s->schedule_floor);
    LW_CHECK(epochs >= 0, LW_EUSE, "epochs is %lld, allowed are numbers from 0", (long long)epochs);
    return LW_OK;
}

int optimizer_moments(const lw_optimizer_spec *spec) {
    int moving = spec->momentum > 0;
    switch (spec->kind) {
    case LW_OPTIMIZER_SGD:
        return moving;
    case LW_OPTIMIZER_ADAM:
    case LW_OPTIMIZER_ADAMW:
        break;
    case LW_OPTIMIZER_RMSPROP:
        return 1 + moving + spec->centred;
    }
    return 2;
}

const char *optimizer_moment_name(const lw_optimizer_spec *spec, int i) {
    if (spec->kind == LW_OPTIMIZER_SGD) return "momentum";
    if (spec->kind == LW_OPTIMIZER_RMSPROP)
        return i == 0 ? "mean_square" : i == 1 && spec->momentum > 0 ? "momentum" : "mean";
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
    case LW_SCHEDULE_PLATEAU: /* what it makes of the rate: optimizer_plateau */
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

double optimizer_plateau(const lw_optimizer_spec *spec, const lw_metrics *metrics, int64_t n) {
    double best = INFINITY, factor = 1;
    int64_t waited = 0;
    if (spec->schedule != LW_SCHEDULE_PLATEAU) return 1;
    for (int64_t i = spec->warmup; i < n; i++) {
        double loss = isnan(metrics[i].validation_loss) ? metrics[i].loss : metrics[i].validation_loss;
        if (isinf(best) || loss < best - spec->schedule_threshold * fabs(best)) {
            best = loss;
            waited = 0;
        } else if (++waited == spec->schedule_every) {
            factor = fmax(factor * spec->schedule_gamma, spec->schedule_floor);
            waited = 0;
        }
    }
    return factor;
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

/* The name by which groups know a block. */
static void block_name(const lw_net *net, const lw_theta_block *block, size_t n, char *name) {
    if (block->is_weight || block->is_delay) {
        snprintf(name, n, "%s%s", lw_net_proj(net, block->proj).name, block->is_delay ? ".delay" : "");
        return;
    }
    lw_pop_view pop = lw_net_pop(net, block->pop);
    snprintf(name, n, "%s.%s", pop.name, pop.model->param[block->param].name);
}

lw_err optimizer_rules(const lw_optimizer_spec *spec, const lw_net *net, const lw_theta *theta, optimizer_rule *rule) {
    for (int32_t b = 0; b < theta->n_blocks; b++)
        rule[b] = (optimizer_rule){.lr = 1, .weight_decay = theta->block[b].is_weight ? spec->weight_decay : 0};
    for (int32_t k = 0; k < spec->n_groups; k++) {
        const lw_optimizer_group *group = &spec->group[k];
        bool found = false;
        for (int32_t b = 0; b < theta->n_blocks; b++) {
            char name[512];
            bool taken = false;
            block_name(net, &theta->block[b], sizeof name, name);
            if (fnmatch(group->match, name, 0) != 0) continue;
            found = true;
            for (int32_t before = 0; before < k; before++)
                taken = taken || fnmatch(spec->group[before].match, name, 0) == 0;
            if (taken) continue;
            rule[b].lr = group->lr;
            rule[b].frozen = group->freeze;
            if (!isnan(group->weight_decay)) rule[b].weight_decay = group->weight_decay;
        }
        LW_CHECK(found, LW_EUSE,
            "the group \"%s\" matches nothing that is learned; allowed are patterns of projections' names, "
            "PROJECTION.delay and POPULATION.PARAMETER",
            group->match);
    }
    return LW_OK;
}
