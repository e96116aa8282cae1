/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Firing rates and the rate band: weight / N * sum over the N neurons of banded populations of
 * (rate - upper)+^2 + (lower - rate)+^2, rates in kHz over the whole sequence, mean over samples. The penalty depends
 * on spike counts only, so its derivative with respect to an emitted spike is the same at all steps.
 */
#include <math.h>
#include <string.h>
#include "regularize.h"

#define REAL float
#define LW_T(name) name##_f32
#include "regularize_typed.c"
#undef REAL
#undef LW_T
#define REAL double
#define LW_T(name) name##_f64
#include "regularize_typed.c"
#undef REAL
#undef LW_T

static lw_err band_pick(const lw_loss *loss, const lw_net *net, rates *r) {
    for (int32_t p = 0; p < r->n_pop; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        bool spiking = pop.model->emits_spikes, named = loss->rate_pop ? loss->rate_pop[p] : spiking;
        LW_CHECK(!named || spiking, LW_EUSE,
            "the rate regulariser names population %s, whose model %s does not spike; allowed are spiking populations",
            pop.name, pop.model->name);
        r->row_begin[p + 1] = r->row_begin[p] + (spiking ? pop.n_local : 0);
        r->banded[p] = named;
        if (spiking) r->n_spiking += pop.size;
        if (named) r->n_banded += pop.size;
    }
    r->n_rows = r->row_begin[r->n_pop];
    return LW_OK;
}

lw_err rates_create(
    const lw_loss *loss, const lw_net *net, int64_t n_steps, int64_t width, lw_dtype precision, rates **out) {
    rates *r = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *r, "firing rates", &r), failed);
    r->precision = precision;
    r->n_pop = lw_net_n_pop(net);
    r->n_steps = n_steps;
    r->width = width;
    r->weight = loss->rate_weight;
    r->lower = loss->rate_lower;
    r->upper = loss->rate_upper;
    r->duration = (double)n_steps * lw_net_dt(net);
    LW_TRY_TO(lw_alloc((size_t)r->n_pop + 1, sizeof *r->row_begin, "firing rates", &r->row_begin), failed);
    LW_TRY_TO(lw_alloc((size_t)r->n_pop, 1, "firing rates", &r->banded), failed);
    LW_TRY_TO(band_pick(loss, net, r), failed);
    size_t cells = (size_t)(r->n_rows * width), real = lw_dtype_size(precision);
    LW_TRY_TO(lw_alloc(cells, real, "spike counts", &r->count), failed);
    LW_TRY_TO(lw_alloc(r->weight > 0 ? cells : 0, real, "adjoint spike counts", &r->adj), failed);
    *out = r;
    return LW_OK;
failed:
    rates_destroy(&r);
    return err;
}

void rates_destroy(rates **r) {
    if (!*r) return;
    lw_free((*r)->row_begin);
    lw_free((*r)->banded);
    lw_free((*r)->count);
    lw_free((*r)->adj);
    lw_free(*r);
    *r = NULL;
}

void rates_evaluate(
    rates *r, const lw_tape *tape, const uint8_t *present, double scale, double *spikes, double *penalty) {
    bool f32 = r->precision == LW_F32;
    if (f32) {
        count_f32(r, tape);
    } else {
        count_f64(r, tape);
    }
    *spikes += f32 ? total_f32(r, present) : total_f64(r, present);
    if (!(r->weight > 0) || r->n_banded == 0) return;
    double each = r->weight / (double)r->n_banded;
    for (int32_t p = 0; p < r->n_pop; p++)
        if (r->banded[p])
            *penalty += each * (f32 ? band_f32(r, p, present, scale * each) : band_f64(r, p, present, scale * each));
}

bool rates_seed(const rates *r, int pop, void *out_adj) {
    if (!(r->weight > 0) || !r->banded[pop] || r->row_begin[pop + 1] == r->row_begin[pop]) return false;
    if (r->precision == LW_F32) {
        add_f32(r, pop, out_adj);
    } else {
        add_f64(r, pop, out_adj);
    }
    return true;
}
