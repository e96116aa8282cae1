/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From slices back to a list of synapses in the canonical order (target, source, order): the order of checkpoints and
 * of digests, the same for any number of ranks and any storage. Multapses are numbered by delay, then as they are
 * stored.
 */
#include <string.h>
#include "net_private.h"

double lw_net_weight(const lw_proj_view *proj, int64_t edge) {
    if (proj->weight_one) return proj->weight_value;
    return proj->weight_type == LW_F32 ? (double)((const float *)proj->weight)[edge]
                                       : ((const double *)proj->weight)[edge];
}

/* One projection while its edges are listed. Rows are walked outermost and slices within, so that each target meets its
 * synapses in the order (source, delay, place) and nothing is sorted. */
typedef struct listing {
    const lw_proj_view *proj;
    const lw_pop_view *pre, *post;
    const int64_t *row_gid; /* [n_rows] */
    int64_t *next;          /* [n_local of post + 1] place of the next synapse of each target */
    lw_edge *edge;          /* [n_edges] or NULL */
    int64_t *number;        /* [n_edges] or NULL */
} listing;

/* next[t] = first place of target t. */
static void places_find(listing *l) {
    int64_t n = l->post->n_local;
    for (int64_t i = 0; i < l->proj->n_edges && !l->proj->dense; i++)
        l->next[l->proj->target[i] + 1]++;
    for (int64_t t = 0; t < n; t++)
        l->next[t + 1] = l->proj->dense ? (t + 1) * l->proj->n_rows : l->next[t + 1] + l->next[t];
}

static void edge_put(listing *l, int64_t row, int64_t target, int64_t number, int32_t delay) {
    int64_t at = l->next[target]++;
    if (l->number) l->number[at] = number;
    if (!l->edge) return;
    int64_t gid = l->post->gid[target];
    lw_edge *e = &l->edge[at];
    *e = (lw_edge){.target = gid - l->post->gid_begin,
        .source = l->row_gid[row] - l->pre->gid_begin,
        .weight = lw_net_weight(l->proj, number),
        .delay = delay};
    if (at > 0 && e[-1].target == e->target && e[-1].source == e->source) e->order = e[-1].order + 1;
}

static void row_put(listing *l, int64_t row) {
    const lw_proj_view *proj = l->proj;
    for (int32_t s = 0; s < proj->n_slices; s++) {
        const lw_slice *slice = &proj->slice[s];
        if (proj->dense) {
            for (int64_t t = 0; t < l->post->n_local; t++)
                edge_put(l, row, t, row * l->post->n_local + t, slice->delay);
            continue;
        }
        for (int64_t i = slice->row_begin[row]; i < slice->row_begin[row + 1]; i++)
            edge_put(l, row, proj->target[i], i, slice->delay);
    }
}

lw_err lw_net_edges(const lw_net *net, int proj, lw_edge **edges, int64_t **edge_number, int64_t *n) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    const lw_proj_view *view = &net->proj[proj].view;
    listing l = {.proj = view, .pre = &net->pop[view->pre], .post = &net->pop[view->post]};
    l.row_gid = net->slot.gid + l.pre->slot_begin;
    lw_err err = lw_alloc((size_t)l.post->n_local + 1, sizeof *l.next, "synapses by target", &l.next);
    if (err == LW_OK && edges) err = lw_alloc((size_t)view->n_edges, sizeof *l.edge, "list of synapses", &l.edge);
    if (err == LW_OK && edge_number) err = lw_alloc((size_t)view->n_edges, sizeof *l.number, "edge numbers", &l.number);
    if (err == LW_OK) {
        places_find(&l);
        for (int64_t r = 0; r < view->n_rows; r++)
            row_put(&l, r);
    } else {
        lw_free(l.edge);
        lw_free(l.number);
        l.edge = NULL;
        l.number = NULL;
    }
    lw_free(l.next);
    if (edges) *edges = l.edge;
    if (edge_number) *edge_number = l.number;
    *n = err == LW_OK ? view->n_edges : 0;
    return err;
}
