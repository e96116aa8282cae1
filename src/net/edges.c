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

/* One projection while its edges are listed, or those of its local targets [first, last). Rows are walked outermost and
 * slices within, so that each target meets its synapses in the order (source, delay, place) and nothing is sorted. */
typedef struct listing {
    const lw_proj_view *proj;
    const lw_pop_view *pre, *post;
    int64_t first, last;
    const int64_t *row_gid; /* [n_rows] */
    int64_t *next;          /* [last - first + 1] place of the next synapse of each target */
    int64_t n;
    lw_edge *edge;   /* [n] or NULL */
    int64_t *number; /* [n] or NULL */
} listing;

/* First of the ascending targets [begin, end) that is not below t. */
static int64_t lower_bound(const uint32_t *target, int64_t begin, int64_t end, int64_t t) {
    while (begin < end) {
        int64_t middle = begin + (end - begin) / 2;
        if (target[middle] < t)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* Edges of one row in one slice that go to the targets of this listing. */
static void stretch_find(const listing *l, const lw_slice *slice, int64_t row, int64_t *begin, int64_t *end) {
    int64_t n_local = l->post->n_local;
    if (l->proj->dense) {
        *begin = row * n_local + l->first;
        *end = row * n_local + l->last;
        return;
    }
    *begin = slice->row_begin[row];
    *end = slice->row_begin[row + 1];
    if (l->first > 0) *begin = lower_bound(l->proj->target, *begin, *end, l->first);
    if (l->last < n_local) *end = lower_bound(l->proj->target, *begin, *end, l->last);
}

static int64_t target_of(const listing *l, int64_t row, int64_t number) {
    return l->proj->dense ? number - row * l->post->n_local : l->proj->target[number];
}

/* next[t] = first place of target t. */
static void places_find(listing *l) {
    int64_t begin = 0, end = 0;
    for (int64_t r = 0; r < l->proj->n_rows; r++)
        for (int32_t s = 0; s < l->proj->n_slices; s++) {
            stretch_find(l, &l->proj->slice[s], r, &begin, &end);
            for (int64_t i = begin; i < end; i++)
                l->next[target_of(l, r, i) - l->first + 1]++;
        }
    for (int64_t t = 0; t < l->last - l->first; t++)
        l->next[t + 1] += l->next[t];
    l->n = l->next[l->last - l->first];
}

static void edge_put(listing *l, int64_t row, int64_t number, int32_t delay) {
    int64_t target = target_of(l, row, number), at = l->next[target - l->first]++;
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

static void edges_put(listing *l) {
    int64_t begin = 0, end = 0;
    for (int64_t r = 0; r < l->proj->n_rows; r++)
        for (int32_t s = 0; s < l->proj->n_slices; s++) {
            stretch_find(l, &l->proj->slice[s], r, &begin, &end);
            for (int64_t i = begin; i < end; i++)
                edge_put(l, r, i, l->proj->slice[s].delay);
        }
}

lw_err lw_net_edges_between(
    const lw_net *net, int proj, int64_t begin, int64_t end, lw_edge **edges, int64_t **edge_number, int64_t *n) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj && begin <= end);
    const lw_proj_view *view = &net->proj[proj].view;
    listing l = {.proj = view, .pre = &net->pop[view->pre], .post = &net->pop[view->post]};
    l.row_gid = net->slot.gid + l.pre->slot_begin;
    l.first = lw_pop_local_first(l.post, l.post->gid_begin + begin);
    l.last = lw_pop_local_first(l.post, l.post->gid_begin + end);
    lw_err err = lw_alloc((size_t)(l.last - l.first) + 1, sizeof *l.next, "synapses by target", &l.next);
    if (err == LW_OK) places_find(&l);
    if (err == LW_OK && edges) err = lw_alloc((size_t)l.n, sizeof *l.edge, "list of synapses", &l.edge);
    if (err == LW_OK && edge_number) err = lw_alloc((size_t)l.n, sizeof *l.number, "edge numbers", &l.number);
    if (err == LW_OK) {
        edges_put(&l);
    } else {
        lw_free(l.edge);
        lw_free(l.number);
        l.edge = NULL;
        l.number = NULL;
    }
    lw_free(l.next);
    if (edges) *edges = l.edge;
    if (edge_number) *edge_number = l.number;
    *n = err == LW_OK ? l.n : 0;
    return err;
}

lw_err lw_net_edges(const lw_net *net, int proj, lw_edge **edges, int64_t **edge_number, int64_t *n) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    return lw_net_edges_between(net, proj, 0, net->pop[net->proj[proj].view.post].size, edges, edge_number, n);
}
