/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tied weights: the synapses of a learned convolution that have the same entry of the kernel share one learned number.
 * Here the synapses of each entry are listed and the entries' values found. Kernels are small, so every rank holds all
 * values, also of entries that have no synapse there.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

bool net_is_tied(const lw_projection_spec *proj) {
    return proj->learn && proj->window.shared && (proj->rule == LW_RULE_WINDOW || proj->rule == LW_RULE_EDGES);
}

/* What visits the synapses here, entry by entry, does to one. */
typedef void visit(lw_proj_view *view, int64_t *begin, uint32_t *edge, int64_t entry, int64_t number);

static void count(lw_proj_view *view, int64_t *begin, uint32_t *edge, int64_t entry, int64_t number) {
    begin[entry + 1]++;
}

static void list(lw_proj_view *view, int64_t *begin, uint32_t *edge, int64_t entry, int64_t number) {
    edge[begin[entry]++] = (uint32_t)number;
}

static lw_err walk(const lw_net *net, int32_t i, int64_t *begin, uint32_t *edge, visit *what) {
    lw_proj_view *view = &net->proj[i].view;
    const lw_pop_view *pre = &net->pop[view->pre], *post = &net->pop[view->post];
    lw_run run;
    for (lw_run_walk w = lw_net_runs(net, i, 0, post->n_local); lw_run_next(&w, &run);) {
        int64_t source = net->slot.gid[pre->slot_begin + run.row] - pre->gid_begin;
        for (int64_t k = 0; k < run.n; k++) {
            int64_t target = post->gid[lw_run_target(&run, k)] - post->gid_begin;
            LW_CHECK(net_window_has(&view->window, target, source), LW_EUSE,
                "projection \"%s\": a synapse from %lld to %lld is not in the window whose weights it shares",
                view->name, (long long)source, (long long)target);
            what(view, begin, edge, net_window_entry(&view->window, target, source), run.edge + k);
        }
    }
    return LW_OK;
}

static lw_err entries_list(const lw_net *net, int32_t i) {
    lw_proj_view *view = &net->proj[i].view;
    int64_t *begin = NULL, n = view->n_tied;
    uint32_t *edge = NULL;
    LW_CHECK(view->n_edges <= NET_SIZE_MOST, LW_EUSE, "projection \"%s\": %lld synapses on a rank; allowed: %lld",
        view->name, (long long)view->n_edges, (long long)NET_SIZE_MOST);
    LW_TRY(lw_alloc((size_t)n + 1, sizeof *begin, "synapses of kernel entries", &begin));
    view->tied_begin = begin;
    LW_TRY(lw_alloc((size_t)view->n_edges, sizeof *edge, "synapses of kernel entries", &edge));
    view->tied_edge = edge;
    LW_TRY(walk(net, i, begin, edge, count));
    for (int64_t e = 0; e < n; e++)
        begin[e + 1] += begin[e];
    LW_TRY(walk(net, i, begin, edge, list));
    memmove(begin + 1, begin, (size_t)n * sizeof *begin);
    begin[0] = 0;
    return LW_OK;
}

/* Smallest and largest weight of every entry, here: [2][n_tied], the former negated. */
static lw_err range_find(const lw_net *net, int32_t i, double **range) {
    lw_proj_view *view = &net->proj[i].view;
    int64_t n = view->n_tied;
    LW_TRY(lw_alloc((size_t)n, sizeof *view->tied, "values of kernel entries", &view->tied));
    LW_TRY(lw_alloc((size_t)(2 * n), sizeof **range, "values of kernel entries", range));
    for (int64_t k = 0; k < 2 * n; k++)
        (*range)[k] = -INFINITY;
    for (int64_t e = 0; e < n; e++)
        for (int64_t k = view->tied_begin[e]; k < view->tied_begin[e + 1]; k++) {
            double w = lw_net_weight(view, view->tied_edge[k]);
            (*range)[e] = fmax((*range)[e], -w);
            (*range)[n + e] = fmax((*range)[n + e], w);
        }
    return LW_OK;
}

/* An entry that no synapse has (it lies in the padding everywhere) is 0. */
static lw_err values_take(lw_proj_view *view, const double *range) {
    for (int64_t e = 0; e < view->n_tied; e++) {
        double low = -range[e], high = range[view->n_tied + e];
        LW_CHECK(!(low < high), LW_EUSE,
            "projection \"%s\": synapses of kernel entry %lld have weights from %g to %g; allowed: one number, as "
            "they share it when learned",
            view->name, (long long)e, low, high);
        view->tied[e] = isinf(high) ? 0 : high;
    }
    return LW_OK;
}

lw_err net_ties(lw_net *net, const lw_net_spec *spec) {
    for (int32_t i = 0; i < net->n_proj; i++) {
        lw_proj_view *view = &net->proj[i].view;
        double *range = NULL;
        if (!net_is_tied(&spec->proj[i])) continue;
        view->window = spec->proj[i].window;
        view->n_tied = net_window_entries(&view->window);
        lw_err err = entries_list(net, i);
        if (err == LW_OK) err = range_find(net, i, &range);
        err = lw_comm_agree(net->comm, err);
        if (err == LW_OK) lw_comm_max_f64(net->comm, range, 2 * view->n_tied);
        if (err == LW_OK) err = values_take(view, range); /* the same on all ranks */
        lw_free(range);
        LW_TRY(err);
    }
    return LW_OK;
}
