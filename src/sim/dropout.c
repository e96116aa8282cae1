/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dropout on projections (Srivastava et al. 2014, JMLR 15:1929): what a source emits reaches the targets of a
 * projection in a lane, times 1/(1 - p), or not at all, for a whole sequence, as is usual for spiking networks (a mask
 * drawn anew in each step would be averaged away by the membranes). The mask is a pure function of seed, source,
 * projection, sample and epoch, so it is the same on any grid. It is linear, so all sweeps apply it where they meet the
 * weights: forward and tangents before the product, adjoints behind the transposed one, gradients of weights on the
 * emitted values.
 */
#include <string.h>
#include "dropout.h"

#define REAL float
#define LW_T(name) name##_f32
#include "dropout_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "dropout_typed.c"

lw_err lw_sim_dropout_create(lw_sim *sim, int32_t n, const double *p, uint64_t seed) {
    struct engine_dropout *d = NULL;
    int64_t most = 0;
    LW_CHECK(n >= 0 && n <= sim->n_proj && !sim->dropout, LW_EUSE,
        "dropout of %d projections, allowed are 0 to %d, once", n, sim->n_proj);
    for (int k = 0; k < n; k++) {
        const lw_proj_view *proj = &sim->proj[k];
        LW_CHECK(p[k] >= 0 && p[k] < 1, LW_EUSE, "dropout of projection %s is %g, allowed are 0 to below 1", proj->name,
            p[k]);
        if (p[k] == 0) continue;
        LW_CHECK(!proj->lag_max && !proj->plastic, LW_EUSE, "projection %s has dropout and %s; allowed is one of them",
            proj->name, proj->lag_max ? "learned delays" : "a synapse model");
        LW_CHECK(sim->pop[proj->pre].rows, LW_EUSE, "dropout of projection %s without a tape; create the tape first",
            proj->name);
        if (proj->n_rows >= most) most = proj->n_rows + 1;
    }
    if (most == 0) return LW_OK;
    LW_TRY(lw_alloc(1, sizeof *d, "dropout", &d));
    sim->dropout = d;
    d->seed = seed;
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *d->p, "dropout", &d->p));
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *d->mask, "dropout masks", &d->mask));
    LW_TRY(lw_alloc((size_t)(most * sim->width), sim->real_size, "masked rows", &d->rows));
    LW_TRY(lw_alloc((size_t)(most * sim->width), sim->real_size, "adjoints of masked rows", &d->adjoint));
    for (int k = 0; k < n; k++) {
        d->p[k] = p[k];
        if (p[k] == 0) continue;
        size_t cells = (size_t)((sim->proj[k].n_rows + 1) * sim->width);
        LW_TRY(lw_alloc(cells, sim->real_size, "dropout mask", &d->mask[k]));
    }
    return LW_OK;
}

void engine_dropout_destroy(lw_sim *sim) {
    struct engine_dropout *d = sim->dropout;
    if (!d) return;
    for (int k = 0; d->mask && k < sim->n_proj; k++)
        lw_free(d->mask[k]);
    lw_free(d->p);
    lw_free(d->mask);
    lw_free(d->rows);
    lw_free(d->adjoint);
    lw_free(d);
    sim->dropout = NULL;
}

void lw_sim_dropout_draw(lw_sim *sim, int64_t epoch, const int64_t *sample) {
    struct engine_dropout *d = sim->dropout;
    if (!d) return;
    d->on = sample != NULL;
    lw_slot_view slots = lw_net_slots(sim->net);
    for (int k = 0; sample && k < sim->n_proj; k++) {
        if (!d->mask[k]) continue;
        const int64_t *gid = slots.gid + sim->pop[sim->proj[k].pre].view.slot_begin;
        double keep = 1 / (1 - d->p[k]), below = d->p[k] * 0x1p32;
        for (int64_t i = 0; i < sim->proj[k].n_rows * sim->width; i++) {
            uint32_t bits[4];
            uint64_t source = (uint64_t)gid[i / sim->width] | (uint64_t)k << 40;
            uint64_t lane = (uint64_t)(sample[i % sim->width] + 1) | (uint64_t)epoch << 40;
            lw_rng_bits(d->seed, LW_PURPOSE_DROPOUT, source, lane, 0, bits);
            double m = bits[0] < below ? 0 : keep;
            if (sim->f64)
                ((double *)d->mask[k])[i] = m;
            else
                ((float *)d->mask[k])[i] = (float)m;
        }
    }
}

const void *dropout_rows(lw_sim *sim, const void *mask, const uint32_t *row, int64_t n, const void *x) {
    void *out = sim->dropout->rows;
    if (sim->f64)
        rows_f64(sim->width, row, n, mask, x, out);
    else
        rows_f32(sim->width, row, n, mask, x, out);
    return out;
}

void *dropout_adjoint(lw_sim *sim, const lw_proj_view *proj) {
    memset(sim->dropout->adjoint, 0, (size_t)(proj->n_rows * sim->width) * sim->real_size);
    return sim->dropout->adjoint;
}

void dropout_adjoint_add(lw_sim *sim, const lw_proj_view *proj, const void *mask, void *x_adj) {
    int64_t n = proj->n_rows * sim->width;
    if (sim->f64)
        add_f64(n, mask, sim->dropout->adjoint, x_adj);
    else
        add_f32(n, mask, sim->dropout->adjoint, x_adj);
}
