/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Walking the synapses of a projection wherever they are stored: in slices of its own, as a dense block, or in bundles
 * with others; and taking a projection out of its bundles.
 */
#include "net_private.h"

lw_run_walk lw_net_runs(const lw_net *net, int proj, int64_t first, int64_t last) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    return (lw_run_walk){.net = net, .proj = proj, .first = first, .last = last, .bundle = -1, .slice = -1};
}

/* First of the ascending targets [begin, end) that is not below t. */
static int64_t lower_bound(const lw_run *run, int64_t begin, int64_t end, int64_t t) {
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (lw_run_target(run, middle) < t)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* The run is what lies of [begin, end) in the wanted targets; false: nothing. `run` has its targets and weights counted
 * from synapse 0. */
static bool cut(const lw_run_walk *w, int64_t n_post, int64_t begin, int64_t end, lw_run *run) {
    bool shared = run->target16 != NULL; /* a bundle holds other populations' targets as well */
    if (begin == end) return false;
    if (shared || w->first > 0) begin = lower_bound(run, begin, end, w->first);
    if (shared || w->last < n_post) end = lower_bound(run, begin, end, w->last);
    if (begin >= end) return false;
    size_t width = lw_dtype_size(run->weight_type);
    run->n = end - begin;
    run->edge = shared ? -1 : begin;
    if (shared) run->target16 += begin;
    if (run->target32) run->target32 += begin;
    if (run->weight) run->weight = (const char *)run->weight + (size_t)begin * width;
    return true;
}

static bool next_dense(lw_run_walk *w, const lw_proj_view *v, lw_run *run) {
    int64_t n_local = w->net->pop[v->post].n_local;
    if (w->row >= v->n_rows || w->first >= w->last) return false;
    int64_t begin = w->row * n_local + w->first;
    run->row = w->row++;
    run->delay = v->slice[0].delay;
    run->n = w->last - w->first;
    run->edge = begin;
    run->target_add = w->first;
    if (v->weight) run->weight = (const char *)v->weight + (size_t)begin * lw_dtype_size(v->weight_type);
    return true;
}

static bool next_plain(lw_run_walk *w, const lw_proj_view *v, lw_run *run) {
    int64_t n_local = w->net->pop[v->post].n_local;
    for (;;) {
        if (++w->slice >= v->n_slices) {
            w->slice = 0;
            w->row++;
        }
        if (w->row >= v->n_rows || v->n_slices == 0) return false;
        run->row = w->row;
        run->delay = v->slice[w->slice].delay;
        run->target32 = v->target;
        run->weight = v->weight;
        const int64_t *row = v->slice[w->slice].row_begin;
        if (cut(w, n_local, row[w->row], row[w->row + 1], run)) return true;
    }
}

/* The walk stands in a bundle of the projection's family and weights, or moves on to the next one. */
static bool bundle_find(lw_run_walk *w, const lw_proj_view *v) {
    const lw_net *net = w->net;
    for (; w->bundle < net->n_bundles; w->bundle++, w->row = 0, w->slice = -1) {
        if (w->bundle < 0) continue;
        const lw_bundle *b = &net->bundle[w->bundle].view;
        if (b->family != net->family[w->proj] || b->weight_one != v->weight_one || w->row >= b->n_rows) continue;
        if (!b->weight_one || b->weight_value == v->weight_value) return true;
    }
    return false;
}

static bool next_bundled(lw_run_walk *w, const lw_proj_view *v, lw_run *run) {
    const lw_pop_view *post = &w->net->pop[v->post];
    while (bundle_find(w, v)) {
        const lw_bundle *b = &w->net->bundle[w->bundle].view;
        if (++w->slice >= b->n_slices) {
            w->slice = -1;
            w->row++;
            continue;
        }
        uint32_t begin, end;
        lw_bundle_cell(b, w->row, w->slice, &begin, &end);
        run->row = w->row;
        run->delay = b->delay[w->slice];
        run->target16 = b->target;
        run->target_add = w->net->block_begin[b->block] - post->lid_begin;
        run->weight = b->weight;
        if (cut(w, post->n_local, begin, end, run)) return true;
    }
    return false;
}

bool lw_run_next(lw_run_walk *w, lw_run *run) {
    const lw_proj_view *v = &w->net->proj[w->proj].view;
    *run = (lw_run){.weight_type = v->weight_type, .weight_value = v->weight_value};
    if (v->bundled) return next_bundled(w, v, run);
    return v->dense ? next_dense(w, v, run) : next_plain(w, v, run);
}

void lw_net_proj_delays(const lw_net *net, int proj, int32_t *low, int32_t *high) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    *low = net->proj[proj].delay_low;
    *high = net->proj[proj].delay_high;
}

/* ---- out of the bundles */

static lw_run_walk all_runs(const lw_net *net, int32_t i) {
    return lw_net_runs(net, i, 0, net->pop[net->proj[i].view.post].n_local);
}

/* Slices of a bundled projection with row tables that hold the counts of their rows, one place late. */
static lw_err slices_count(const lw_net *net, int32_t i, lw_proj_view *v, int64_t **row_begin) {
    lw_slice *slice = NULL;
    int32_t *slice_of = NULL;
    int64_t high = net->proj[i].delay_high;
    lw_run run;
    LW_TRY(lw_alloc((size_t)(high > 0 ? high : 0) + 1, sizeof *slice_of, "synapses by delay", &slice_of));
    for (lw_run_walk w = all_runs(net, i); lw_run_next(&w, &run);)
        slice_of[run.delay] = 1;
    for (int64_t d = 0; d <= high; d++)
        v->n_slices += slice_of[d];
    lw_err err = lw_alloc((size_t)v->n_slices, sizeof *slice, "slices", &slice);
    v->slice = slice;
    if (err == LW_OK)
        err = lw_alloc((size_t)v->n_slices * (size_t)(v->n_rows + 1), sizeof **row_begin, "row table", row_begin);
    int32_t n = 0;
    for (int64_t d = 0; d <= high && err == LW_OK; d++) {
        if (!slice_of[d]) continue;
        slice[n] = (lw_slice){.delay = (int32_t)d, .row_begin = *row_begin + n * (v->n_rows + 1)};
        slice_of[d] = n++;
    }
    if (err == LW_OK)
        for (lw_run_walk w = all_runs(net, i); lw_run_next(&w, &run);)
            (*row_begin)[slice_of[run.delay] * (v->n_rows + 1) + run.row + 1] += run.n;
    int64_t at = 0;
    for (int32_t s = 0; s < v->n_slices && err == LW_OK; s++) {
        int64_t *row = *row_begin + s * (v->n_rows + 1);
        row[0] = slice[s].edge_begin = at;
        for (int64_t r = 0; r < v->n_rows; r++)
            row[r + 1] += row[r];
        slice[s].edge_end = at = row[v->n_rows];
    }
    lw_free(slice_of);
    return err;
}

/* Blocks ascend, so the runs of a row and delay come in ascending targets; `next` is the place of each row's next. */
static void edges_copy(const lw_net *net, int32_t i, const lw_proj_view *v, uint32_t *target, int64_t *next) {
    lw_run run;
    for (lw_run_walk w = all_runs(net, i); lw_run_next(&w, &run);) {
        int32_t s = 0;
        while (v->slice[s].delay != run.delay)
            s++;
        int64_t *at = &next[s * (v->n_rows + 1) + run.row];
        for (int64_t k = 0; k < run.n; k++) {
            target[*at] = (uint32_t)lw_run_target(&run, k);
            if (v->weight) net_weight_put(v->weight_type, v->weight, *at, lw_run_weight(&run, k));
            (*at)++;
        }
    }
}

static lw_err unbundle(lw_net *net, int32_t i) {
    net_proj *proj = &net->proj[i];
    lw_proj_view v = proj->view;
    int64_t *row_begin = NULL, *next = NULL;
    uint32_t *target = NULL;
    v.n_rows = net->pop[v.pre].n_slots;
    v.bundled = false;
    lw_err err = slices_count(net, i, &v, &row_begin);
    size_t cells = (size_t)v.n_slices * (size_t)(v.n_rows + 1);
    if (err == LW_OK) err = lw_alloc((size_t)v.n_edges, sizeof *target, "targets of synapses", &target);
    if (err == LW_OK && !v.weight_one)
        err = lw_alloc((size_t)v.n_edges, lw_dtype_size(v.weight_type), "weights", &v.weight);
    if (err == LW_OK) err = lw_alloc(cells, sizeof *next, "row table", &next);
    for (size_t c = 0; c < cells && err == LW_OK; c++)
        next[c] = row_begin[c];
    if (err != LW_OK) {
        lw_free((void *)v.slice);
        lw_free(v.weight);
        lw_free(row_begin);
        lw_free(target);
        return err;
    }
    edges_copy(net, i, &v, target, next);
    lw_free(next);
    v.target = target;
    proj->row_begin = row_begin;
    proj->view = v;
    return LW_OK;
}

lw_err lw_net_unbundle(lw_net *net) {
    for (int32_t i = 0; i < net->n_proj; i++)
        if (net->proj[i].view.bundled) LW_TRY(unbundle(net, i));
    for (int32_t b = 0; b < net->n_bundles; b++)
        net_bundle_free(&net->bundle[b]);
    net->n_bundles = 0;
    return LW_OK;
}
