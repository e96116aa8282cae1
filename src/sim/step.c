/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The phases of one step of one population: input (deliveries in their fixed order, then stimuli), update, fire, or
 * both in one kernel. Which phases run, in what order and with what kept, is the business of the loop (sim.c) and of
 * the tapes.
 */
#include <string.h>
#include "lag.h"
#include "dense.h"
#include "dropout.h"
#include "engine_parts.h"

lw_kernel_args engine_args(lw_sim *sim, int p) {
    engine_pop *pop = &sim->pop[p];
    return (lw_kernel_args){
        .n = pop->view.n_local,
        .width = sim->width,
        .coef = (const void *const *)pop->coef,
        .state = (void *const *)pop->state,
        .input = (const void *const *)pop->input,
        .out = pop->out,
        .margin = pop->margin,
        .refractory = pop->refractory,
        .held = pop->held,
        .spike = pop->out,
        .point_width = sim->width,
        .reset_detached = sim->options.reset_detached,
    };
}

/* Slices in descending delay: what is due soonest after its emission comes last, so a begun exchange is waited for only
 * before the first slice that needs it, and deliveries of longer delays run meanwhile. */
static void deliver_projection(
    lw_sim *sim, const lw_proj_view *proj, engine_pop *pop, int64_t t, uint64_t *zero, int64_t *events) {
    int level = sim->pop[proj->pre].view.level;
    for (int32_t s = proj->n_slices - 1; s >= 0; s--) {
        const lw_slice *slice = &proj->slice[s];
        int64_t emitted = t - slice->delay, n = 0;
        if (emitted >= engine_exchange_pending(sim, level)) (void)!engine_exchange_end(sim, level);
        const uint32_t *list = engine_list(sim, proj->pre, emitted, &n);
        if (n == 0) continue;
        const void *x = sim->pop[proj->pre].rows ? engine_rows(sim, proj->pre, emitted) : NULL;
        const void *mask = dropout_mask(sim, proj);
        if (mask) x = dropout_rows(sim, mask, list, n, x);
        void *acc = pop->input[proj->port];
        bool clear = *zero >> proj->port & 1;
        *zero &= ~(UINT64_C(1) << proj->port);
        if (engine_dense_knows(sim, proj) && dense_walk(sim, proj, list, n, x, clear, acc, events)) continue;
        dense_close(sim);
        if (sim->pop[proj->pre].rows)
            *events += deliver_rows(sim->f64, proj, slice, sim->width, list, n, x, acc);
        else
            *events += deliver_list(sim->f64, proj, slice, list, n, acc);
    }
}

void engine_deliver(lw_sim *sim, int p, int64_t t, uint64_t zero, int64_t *events) {
    for (int32_t k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        if (proj->plastic || proj->lag_max) {
            dense_close(sim);
            zero &= ~(UINT64_C(1) << proj->port);
        }
        if (proj->plastic)
            engine_plastic_deliver(sim, sim->incoming[k], t, events);
        else if (proj->lag_max)
            engine_lag_deliver(sim, sim->incoming[k], t, events);
        else if (!proj->bundled)
            deliver_projection(sim, proj, &sim->pop[p], t, &zero, events);
    }
    dense_close(sim);
}

void engine_input(lw_sim *sim, int p, int64_t t) {
    engine_pop *pop = &sim->pop[p];
    double start = lw_time_now(), exchange = sim->stats.s_exchange;
    size_t bytes = (size_t)pop->view.n_local * engine_row_bytes(sim);
    for (int32_t i = 0; i < pop->model->n_input; i++)
        memset(pop->input[i], 0, bytes);
    LW_ASSERT(sim->n_bundles == 0);
    engine_deliver(sim, p, t, UINT64_MAX, &sim->stats.synaptic_events);
    double delivered = lw_time_now();
    engine_stimulus_add(sim, p, t, 0, pop->view.n_local);
    sim->stats.s_deliver += delivered - start - (sim->stats.s_exchange - exchange);
    sim->stats.s_stimulus += lw_time_now() - delivered;
}

void engine_update(lw_sim *sim, int p) {
    lw_kernel_args args = engine_args(sim, p);
    sim->pop[p].kernel->update(&args);
}

void engine_fire(lw_sim *sim, int p) {
    lw_kernel_args args = engine_args(sim, p);
    sim->pop[p].kernel->fire(&args);
}
