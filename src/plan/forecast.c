/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The forecast of all ranks: every rank's share of neurons and synapses by formula, the halo, bytes and time of the
 * fullest rank and of some evenly spaced ones, which stand for all.
 */
#include <math.h>
#include <string.h>
#include "plan_private.h"

enum { ASKED_MOST = 32, MANY_RANKS = 1 << 16 }; /* ranks that are looked at; all, when there are no more */

typedef struct work {
    const lw_net_spec *spec;
    const lw_plan_options *options;
    plan_cut cut;
    plan_delays *delays;      /* [n_proj] */
    double *mean;             /* [n_proj] of the profile, for rules by distance */
    lw_plan_number *synapses; /* [n_proj] */
    double *edges_all;        /* [n_proj] the same without errors */
    double *edges;            /* [n_proj] */
    int64_t *neurons;         /* [n_pop] */
    lw_plan_number *slots;    /* [2 n_pop] slots, remote ones */
    plan_piece *piece;        /* [n_proj] */
    double *scratch;          /* [ranks] */
    int32_t delay_min, delay_max, n_levels;
    bool rough;
} work;

static void work_free(work *w) {
    for (int32_t i = 0; w->delays && i < w->spec->n_proj; i++)
        plan_delays_free(&w->delays[i]);
    lw_free(w->delays);
    lw_free(w->mean);
    lw_free(w->synapses);
    lw_free(w->edges_all);
    lw_free(w->edges);
    lw_free(w->neurons);
    lw_free(w->slots);
    lw_free(w->piece);
    lw_free(w->scratch);
}

/* Extreme delays of the network, and whether some synapses are felt in the same step. */
static void delays_find(work *w) {
    w->delay_max = 1;
    w->n_levels = 1;
    for (int32_t i = 0; i < w->spec->n_proj; i++) {
        int32_t low, positive, high;
        plan_delays_range(&w->delays[i], w->edges_all[i], &low, &positive, &high);
        if (w->spec->proj[i].learn_delay) high = (int32_t)lround(w->spec->proj[i].delay_max / w->spec->dt) + 1;
        if (positive > 0 && (w->delay_min == 0 || positive < w->delay_min)) w->delay_min = positive;
        if (high > w->delay_max) w->delay_max = high;
        if (low == 0) w->n_levels = 2;
    }
    if (w->delay_min == 0) w->delay_min = 1;
}

static lw_err work_begin(work *w) {
    const lw_net_spec *spec = w->spec;
    size_t n_proj = (size_t)spec->n_proj, n_pop = (size_t)spec->n_pop;
    LW_TRY(lw_alloc(n_proj, sizeof *w->delays, "a plan", &w->delays));
    LW_TRY(lw_alloc(n_proj, sizeof *w->edges_all, "a plan", &w->edges_all));
    LW_TRY(lw_alloc(n_proj, sizeof *w->edges, "a plan", &w->edges));
    LW_TRY(lw_alloc(n_proj, sizeof *w->mean, "a plan", &w->mean));
    LW_TRY(lw_alloc(n_proj, sizeof *w->synapses, "a plan", &w->synapses));
    LW_TRY(lw_alloc(n_pop, sizeof *w->neurons, "a plan", &w->neurons));
    LW_TRY(lw_alloc(2 * n_pop, sizeof *w->slots, "a plan", &w->slots));
    LW_TRY(lw_alloc(n_proj, sizeof *w->piece, "a plan", &w->piece));
    LW_TRY(lw_alloc((size_t)w->cut.ranks, sizeof *w->scratch, "a plan", &w->scratch));
    for (int32_t i = 0; i < spec->n_proj; i++) {
        if (plan_by_distance(&spec->proj[i])) w->mean[i] = plan_distance_mean(spec, &spec->proj[i]);
        w->synapses[i] = plan_proj_synapses(spec, i, w->mean[i]);
        w->edges_all[i] = w->synapses[i].mean;
        LW_TRY(plan_delays_create(spec, &spec->proj[i], &w->delays[i]));
    }
    delays_find(w);
    return LW_OK;
}

static lw_err rank_make(work *w, int rank, lw_plan_rank *out) {
    const lw_net_spec *spec = w->spec;
    plan_part part = {.spec = spec,
        .options = w->options,
        .cut = &w->cut,
        .delays = w->delays,
        .edges_all = w->edges_all,
        .rank = rank,
        .neurons = w->neurons,
        .edges = w->edges,
        .slots = w->slots,
        .remote = w->slots + spec->n_pop,
        .delay_min = w->delay_min,
        .delay_max = w->delay_max,
        .n_levels = w->n_levels};
    *out = (lw_plan_rank){.rank = rank};
    double var[3] = {0};
    for (int32_t p = 0; p < spec->n_pop; p++)
        out->neurons += w->neurons[p] = plan_cut_count(&w->cut, spec->pop[p].size, rank);
    part.n_local = out->neurons;
    for (int32_t i = 0; i < spec->n_proj; i++) {
        lw_plan_number n = plan_local_synapses(spec, i, w->synapses[i], &w->cut, rank);
        w->edges[i] = n.mean;
        out->synapses.mean += n.mean;
        var[0] += n.error * n.error;
    }
    LW_TRY(
        plan_sources(spec, w->mean, &w->cut, rank, w->scratch, part.slots, part.remote, &out->neighbours, &w->rough));
    for (int32_t p = 0; p < spec->n_pop; p++) {
        out->slots.mean += part.slots[p].mean;
        out->slots_remote.mean += part.remote[p].mean;
        var[1] += part.slots[p].error * part.slots[p].error;
        var[2] += part.remote[p].error * part.remote[p].error;
    }
    out->synapses.error = sqrt(var[0]);
    out->slots.error = sqrt(var[1]);
    out->slots_remote.error = sqrt(var[2]);
    part.slots_all = out->slots.mean;
    part.remote_all = out->slots_remote.mean;
    part.neighbours = out->neighbours.mean;
    plan_bytes bytes = {.piece = w->piece};
    LW_TRY(plan_storage(&part, &bytes));
    double engine = 0, making = 0, base = w->options->machine ? w->options->machine->base_bytes : 0;
    plan_engine(&part, &engine, &making);
    out->bytes_neurons = bytes.neurons;
    out->bytes_synapses = bytes.synapses;
    out->bytes_engine = engine;
    out->bytes_peak = base + fmax(bytes.building, bytes.held + engine + fmax(making, bytes.saving));
    plan_times(&part, &bytes, out);
    return LW_OK;
}

/* The rank with most synapses, of those by formula; given edges are not counted for each rank. */
static int fullest(const work *w) {
    double most = -1;
    int rank = 0;
    for (int r = 0; r < w->cut.ranks; r++) {
        double load = 0;
        for (int32_t p = 0; p < w->spec->n_pop; p++)
            load += 10 * (double)plan_cut_count(&w->cut, w->spec->pop[p].size, r);
        for (int32_t i = 0; i < w->spec->n_proj; i++) {
            int64_t size = w->spec->pop[w->spec->proj[i].post].size;
            load += w->edges_all[i] / (double)size * (double)plan_cut_count(&w->cut, size, r);
        }
        if (load <= most) continue;
        most = load;
        rank = r;
    }
    return rank;
}

static void number_add(lw_plan_number *sum, lw_plan_number x, double scale) {
    sum->mean += x.mean * scale;
    sum->error += x.error * x.error * scale; /* squares, until the end */
}

static void rank_add(lw_plan_rank *sum, const lw_plan_rank *r, double share) {
    number_add(&sum->synapses, r->synapses, share);
    number_add(&sum->slots, r->slots, share);
    number_add(&sum->slots_remote, r->slots_remote, share);
    number_add(&sum->neighbours, r->neighbours, share);
    sum->bytes_neurons += r->bytes_neurons * share;
    sum->bytes_synapses += r->bytes_synapses * share;
    sum->bytes_engine += r->bytes_engine * share;
    sum->bytes_peak += r->bytes_peak * share;
    sum->messages += r->messages * share;
    sum->bytes += r->bytes * share;
    sum->events += r->events * share;
    sum->s_deliver += r->s_deliver * share;
    sum->s_stimulus += r->s_stimulus * share;
    sum->s_update += r->s_update * share;
    sum->s_exchange += r->s_exchange * share;
}

static lw_err ranks_make(work *w, lw_plan *out) {
    int most = w->cut.ranks > MANY_RANKS ? ASKED_MOST / 4 : ASKED_MOST;
    int asked = w->cut.ranks < most ? w->cut.ranks : most;
    double structured = 0;
    for (int32_t i = 0; i < w->spec->n_proj; i++)
        if (plan_has_region(w->spec, &w->spec->proj[i]))
            structured += 1e6;
        else if (plan_is_structured(w->spec, &w->spec->proj[i]))
            structured += (double)(w->spec->pop[w->spec->proj[i].pre].size + w->spec->proj[i].n_edges);
    while (asked > 4 && asked * structured > 5e6)
        asked /= 2;
    for (int k = 0; k < asked; k++) {
        lw_plan_rank r;
        LW_TRY(rank_make(w, (int)((int64_t)w->cut.ranks * k / asked), &r));
        rank_add(&out->mean, &r, 1.0 / asked);
    }
    double ranks = w->cut.ranks;
    lw_plan_rank *mean = &out->mean;
    mean->rank = -1;
    mean->neurons = (int64_t)((double)out->neurons / ranks + 0.5);
    out->slots_remote = (lw_plan_number){mean->slots_remote.mean * ranks, sqrt(mean->slots_remote.error * ranks)};
    mean->synapses.error = sqrt(mean->synapses.error);
    mean->slots.error = sqrt(mean->slots.error);
    mean->slots_remote.error = sqrt(mean->slots_remote.error);
    mean->neighbours.error = sqrt(mean->neighbours.error);
    return rank_make(w, fullest(w), &out->worst);
}

lw_err lw_plan_make(const lw_net_spec *spec, const lw_plan_options *options, lw_plan *out) {
    work w = {.spec = spec, .options = options, .cut = {.kind = spec->partition, .ranks = options->ranks}};
    *out = (lw_plan){.ranks = options->ranks, .threads = options->threads > 1 ? options->threads : 1};
    LW_CHECK(options->ranks >= 1 && options->ranks <= 1 << 24, LW_EUSE, "a plan for %d ranks; allowed: 1 to %d",
        options->ranks, 1 << 24);
    LW_TRY(lw_net_check(spec));
    lw_err err = work_begin(&w);
    double var = 0;
    for (int32_t p = 0; p < spec->n_pop; p++)
        out->neurons += spec->pop[p].size;
    for (int32_t i = 0; i < spec->n_proj && err == LW_OK; i++) {
        out->synapses.mean += w.synapses[i].mean;
        var += w.synapses[i].error * w.synapses[i].error;
    }
    out->synapses.error = sqrt(var);
    if (err == LW_OK) err = ranks_make(&w, out);
    out->epoch_steps = w.n_levels == 1 ? w.delay_min : 1;
    out->halo_is_bound = spec->partition == LW_PARTITION_SCOTCH && options->ranks > 1;
    out->halo_is_rough = w.rough;
    out->known_models = options->machine != NULL;
    for (int32_t p = 0; p < spec->n_pop && options->machine; p++)
        if (!lw_plan_kernel_find(options->machine, spec->pop[p].model, options->precision)) out->known_models = false;
    work_free(&w);
    return err;
}
