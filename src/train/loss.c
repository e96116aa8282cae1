/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Losses on read-outs. The read-out population is spread over the ranks of the partition, and softmax needs all classes
 * of a sample: the read-outs of the whole batch (all steps) are brought together once, by one sum over the partition in
 * which every unit is non-zero on its owner only. Every rank then works out all rows and keeps the derivative of its
 * own units. The loss itself is the sum over counted items; who calls divides.
 */
#include <math.h>
#include <string.h>
#include "loss.h"

#define REAL float
#define EXP expf
#define LW_T(name) name##_f32
#include "loss_spikes_typed.c"
#include "loss_typed.c"
#undef REAL
#undef EXP
#undef LW_T
#define REAL double
#define EXP exp
#define LW_T(name) name##_f64
#include "loss_spikes_typed.c"
#include "loss_typed.c"
#undef REAL
#undef EXP
#undef LW_T

lw_err loss_check(const lw_loss *loss, const lw_batch_source *data) {
    bool per_step = loss->readout == LW_READOUT_PER_STEP, vote = loss->readout == LW_READOUT_VOTE;
    bool rossum = loss->kind == LW_LOSS_VAN_ROSSUM, classes = data->n_classes > 0;
    LW_CHECK(classes || loss->kind != LW_LOSS_CROSS_ENTROPY, LW_EUSE,
        "the loss is cross-entropy but the data hold targets; allowed are mse and van_rossum");
    LW_CHECK(!rossum || !classes, LW_EUSE,
        "the loss is van_rossum but the data hold classes; it wants targets, spikes per step and unit");
    LW_CHECK(!rossum || per_step, LW_EUSE, "the loss van_rossum wants the read-out per_step");
    LW_CHECK(!vote || classes, LW_EUSE, "the read-out is vote but the data hold targets; it wants classes");
    LW_CHECK(!(classes && data->label_per_step) || per_step || loss->readout == LW_READOUT_LAST, LW_EUSE,
        "the data hold a label per step but the read-out gives one value per sample; allowed are per_step and last");
    LW_CHECK(loss->every >= 0, LW_EUSE, "every is %lld, allowed are numbers from 1", (long long)loss->every);
    LW_CHECK(loss->every < 2 || vote || (per_step && !rossum), LW_EUSE,
        "every is %lld, which goes with the read-outs per_step and vote and not with van_rossum",
        (long long)loss->every);
    bool times = rossum || loss->readout == LW_READOUT_FIRST_SPIKE;
    LW_CHECK(!times || (loss->tau > 0 && isfinite(loss->tau)), LW_EUSE, "tau is %g ms, allowed are positive times",
        loss->tau);
    LW_CHECK(loss->silent >= 0 && isfinite(loss->silent), LW_EUSE, "silent is %g ms, allowed are times from 0",
        loss->silent);
    LW_CHECK(!loss->has_target || (classes && loss->kind == LW_LOSS_MSE), LW_EUSE,
        "targets of right and wrong units go with the loss mse and data that hold classes");
    return LW_OK;
}

lw_err loss_create(const lw_loss *spec, const lw_comm *part, const lw_net *net, int64_t n_steps, int64_t width,
    lw_dtype precision, loss_work **out) {
    loss_work *w = NULL;
    lw_pop_view pop = lw_net_pop(net, spec->pop);
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *w, "the loss", &w), failed);
    w->spec = *spec;
    w->part = part;
    w->precision = precision;
    w->n_steps = n_steps;
    w->dt = lw_net_dt(net);
    w->n_rows = spec->readout == LW_READOUT_PER_STEP || spec->readout == LW_READOUT_VOTE ? n_steps : 1;
    w->n_units = pop.size;
    w->n_local = pop.n_local;
    w->width = width;
    size_t real = lw_dtype_size(precision), lanes = (size_t)width, rows = (size_t)w->n_rows, own = (size_t)w->n_local;
    LW_TRY_TO(lw_alloc(own, sizeof *w->unit, "read-out units", &w->unit), failed);
    LW_TRY_TO(lw_alloc(rows * (size_t)w->n_units * lanes, real, "read-outs", &w->z), failed);
    LW_TRY_TO(lw_alloc(rows * own * lanes, real, "adjoint read-outs", &w->z_adj), failed);
    LW_TRY_TO(lw_alloc(own * lanes, sizeof *w->step_max, "steps of maxima", &w->step_max), failed);
    if (spec->readout == LW_READOUT_FIRST_SPIKE)
        LW_TRY_TO(lw_alloc((size_t)n_steps * own * lanes, real, "slopes of first spikes", &w->slope), failed);
    if (spec->readout == LW_READOUT_VOTE)
        LW_TRY_TO(lw_alloc((size_t)w->n_units * lanes, sizeof *w->votes, "votes", &w->votes), failed);
    if (spec->kind == LW_LOSS_VAN_ROSSUM)
        LW_TRY_TO(lw_alloc((size_t)w->n_units * lanes, real, "spike traces", &w->trace), failed);
    LW_TRY_TO(lw_alloc(lanes, real, "a row of the loss", &w->share), failed);
    LW_TRY_TO(lw_alloc(lanes, real, "a row of the loss", &w->top), failed);
    LW_TRY_TO(lw_alloc(lanes, real, "a row of the loss", &w->sum), failed);
    LW_TRY_TO(lw_alloc(lanes, sizeof *w->arg, "a row of the loss", &w->arg), failed);
    LW_TRY_TO(lw_alloc(lanes, sizeof *w->want, "a row of the loss", &w->want), failed);
    for (int64_t i = 0; i < w->n_local; i++)
        w->unit[i] = pop.gid[i] - pop.gid_begin;
    *out = w;
    return LW_OK;
failed:
    loss_destroy(&w);
    return err;
}

void loss_destroy(loss_work **w) {
    if (!*w) return;
    lw_free((*w)->unit);
    lw_free((*w)->z);
    lw_free((*w)->z_adj);
    lw_free((*w)->step_max);
    lw_free((*w)->slope);
    lw_free((*w)->votes);
    lw_free((*w)->trace);
    lw_free((*w)->share);
    lw_free((*w)->top);
    lw_free((*w)->sum);
    lw_free((*w)->arg);
    lw_free((*w)->want);
    lw_free(*w);
    *w = NULL;
}

double loss_decay(const loss_work *w) {
    return exp(-w->dt / w->spec.tau);
}

/* Trains that have a target at some step. */
static int64_t count_trains(const loss_work *w, const batch *b) {
    int64_t row = w->n_units * w->width, n = 0;
    for (int64_t i = 0; i < row; i++) {
        bool found = false;
        for (int64_t t = w->spec.skip; t < w->n_steps && !found; t++)
            found = !isnan(b->target[t * row + i]);
        n += found;
    }
    return n;
}

double loss_count(const loss_work *w, const batch *b) {
    bool vote = w->spec.readout == LW_READOUT_VOTE;
    int64_t n = 0;
    if (w->spec.kind == LW_LOSS_VAN_ROSSUM) return (double)count_trains(w, b);
    for (int64_t r = 0; r < w->n_rows; r++) {
        if (!loss_row(w, r)) continue;
        for (int64_t l = 0; l < w->width; l++) {
            if (!loss_counts(w, b->steps[l], r)) continue;
            int64_t t = loss_step(w, b->steps[l], r);
            if (b->target) {
                for (int64_t k = 0; k < w->n_units; k++)
                    n += !isnan(b->target[(t * w->n_units + k) * w->width + l]);
            } else {
                int32_t label = b->label[(b->n_rows == 1 ? 0 : t) * w->width + l];
                n += label >= 0 || (label == LABEL_NONE && w->spec.unlabelled >= 0);
            }
        }
        if (vote) break; /* a sample counts once: with the first row that does */
    }
    return (double)n;
}

void loss_read(loss_work *w, const batch *b, const lw_tape *tape) {
    int64_t row = w->n_units * w->width, first = w->n_rows > 1 ? w->spec.skip : 0;
    w->steps = b->steps;
    if (w->precision == LW_F32) {
        read_f32(w, tape);
        lw_comm_sum_f32(w->part, (float *)w->z + first * row, (w->n_rows - first) * row);
    } else {
        read_f64(w, tape);
        lw_comm_sum_f64(w->part, (double *)w->z + first * row, (w->n_rows - first) * row);
    }
}

void loss_evaluate(loss_work *w, const batch *b, double scale, loss_tally *tally) {
    if (w->precision == LW_F32) {
        rows_f32(w, b, scale, tally);
    } else {
        rows_f64(w, b, scale, tally);
    }
}

/* Does what was emitted at step t go into the read-out of any lane. */
static bool loss_at(const loss_work *w, int64_t t) {
    bool per_step = w->spec.readout == LW_READOUT_PER_STEP || w->spec.readout == LW_READOUT_VOTE;
    if (per_step && w->spec.kind != LW_LOSS_VAN_ROSSUM) return loss_row(w, t);
    if (w->spec.readout != LW_READOUT_LAST) return t >= w->spec.skip;
    for (int64_t l = 0; l < w->width; l++)
        if (w->steps[l] == t + 1) return true;
    return false;
}

bool loss_seed(const loss_work *w, int64_t t, void *out_adj) {
    if (w->n_local == 0) return false;
    if (!loss_at(w, t)) return false;
    if (w->precision == LW_F32) {
        seed_f32(w, t, out_adj);
    } else {
        seed_f64(w, t, out_adj);
    }
    return true;
}
