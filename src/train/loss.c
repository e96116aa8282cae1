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
#include "loss_typed.c"
#undef REAL
#undef EXP
#undef LW_T
#define REAL double
#define EXP exp
#define LW_T(name) name##_f64
#include "loss_typed.c"
#undef REAL
#undef EXP
#undef LW_T

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
    w->n_rows = spec->readout == LW_READOUT_PER_STEP ? n_steps : 1;
    w->n_units = pop.size;
    w->n_local = pop.n_local;
    w->width = width;
    size_t real = lw_dtype_size(precision), lanes = (size_t)width, rows = (size_t)w->n_rows, own = (size_t)w->n_local;
    LW_TRY_TO(lw_alloc(own, sizeof *w->unit, "read-out units", &w->unit), failed);
    LW_TRY_TO(lw_alloc(rows * (size_t)w->n_units * lanes, real, "read-outs", &w->z), failed);
    LW_TRY_TO(lw_alloc(rows * own * lanes, real, "adjoint read-outs", &w->z_adj), failed);
    LW_TRY_TO(lw_alloc(own * lanes, sizeof *w->step_max, "steps of maxima", &w->step_max), failed);
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
    lw_free((*w)->top);
    lw_free((*w)->sum);
    lw_free((*w)->arg);
    lw_free((*w)->want);
    lw_free(*w);
    *w = NULL;
}

/* label or target row of loss row r, as in the typed `rows` */
double loss_count(const loss_work *w, const batch *b) {
    int64_t first = w->spec.readout == LW_READOUT_PER_STEP ? w->spec.skip : 0, n = 0;
    for (int64_t r = first; r < w->n_rows; r++) {
        int64_t t = w->n_rows > 1 ? r : w->n_steps - 1;
        if (b->target) {
            const float *y = b->target + t * w->n_units * w->width;
            for (int64_t i = 0; i < w->n_units * w->width; i++)
                n += !isnan(y[i]);
        } else {
            const int32_t *label = b->label + (b->n_rows == 1 ? 0 : t) * w->width;
            for (int64_t l = 0; l < w->width; l++)
                n += label[l] >= 0 || (label[l] == LABEL_NONE && w->spec.unlabelled >= 0);
        }
    }
    return (double)n;
}

void loss_read(loss_work *w, const lw_tape *tape) {
    int64_t row = w->n_units * w->width, first = w->spec.readout == LW_READOUT_PER_STEP ? w->spec.skip : 0;
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

bool loss_seed(const loss_work *w, int64_t t, void *out_adj) {
    if (w->n_local == 0) return false;
    if (w->spec.readout == LW_READOUT_LAST ? t != w->n_steps - 1 : t < w->spec.skip) return false;
    if (w->precision == LW_F32) {
        seed_f32(w, t, out_adj);
    } else {
        seed_f64(w, t, out_adj);
    }
    return true;
}
