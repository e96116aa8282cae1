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

/* One projection while the edges of its local targets [first, last) are listed: each target meets its synapses in the
 * order (source, delay, place), so nothing is sorted. */
typedef struct listing {
    const lw_net *net;
    int proj;
    int64_t first, last;
    int64_t *next; /* [last - first + 1] place of the next synapse of each target */
    int64_t n;
    net_edges_out *out;
} listing;

/* next[t] = first place of target t. */
static void places_find(listing *l) {
    lw_run run;
    for (lw_run_walk w = lw_net_runs(l->net, l->proj, l->first, l->last); lw_run_next(&w, &run);)
        for (int64_t i = 0; i < run.n; i++)
            l->next[lw_run_target(&run, i) - l->first + 1]++;
    for (int64_t t = 0; t < l->last - l->first; t++)
        l->next[t + 1] += l->next[t];
    l->n = l->next[l->last - l->first];
}

static void run_put(listing *l, const lw_run *run) {
    const lw_proj_view *v = &l->net->proj[l->proj].view;
    const lw_pop_view *pre = &l->net->pop[v->pre], *post = &l->net->pop[v->post];
    int64_t source = l->net->slot.gid[pre->slot_begin + run->row] - pre->gid_begin;
    for (int64_t i = 0; i < run->n; i++) {
        int64_t target = lw_run_target(run, i), at = l->next[target - l->first]++;
        if (l->out->number) l->out->number[at] = run->edge < 0 ? -1 : run->edge + i;
        if (l->out->row) l->out->row[at] = (uint32_t)run->row;
        if (!l->out->edge) continue;
        lw_edge *e = &l->out->edge[at];
        *e = (lw_edge){.target = post->gid[target] - post->gid_begin,
            .source = source,
            .weight = lw_run_weight(run, i),
            .delay = run->delay};
        if (v->lag) e->lag = v->lag[run->edge + i];
        if (at > 0 && e[-1].target == e->target && e[-1].source == e->source) e->order = e[-1].order + 1;
    }
}

lw_err net_edges_list(
    const lw_net *net, int proj, int64_t first, int64_t last, unsigned wanted, net_edges_out *out, int64_t *n) {
    listing l = {.net = net, .proj = proj, .first = first, .last = last, .out = out};
    lw_run run;
    *out = (net_edges_out){0};
    lw_err err = lw_alloc((size_t)(last - first) + 1, sizeof *l.next, "synapses by target", &l.next);
    if (err == LW_OK) places_find(&l);
    if (err == LW_OK && wanted & NET_EDGES_EDGE)
        err = lw_alloc((size_t)l.n, sizeof *out->edge, "list of synapses", &out->edge);
    if (err == LW_OK && wanted & NET_EDGES_NUMBER)
        err = lw_alloc((size_t)l.n, sizeof *out->number, "edge numbers", &out->number);
    if (err == LW_OK && wanted & NET_EDGES_ROW) err = lw_alloc((size_t)l.n, sizeof *out->row, "sources", &out->row);
    if (err == LW_OK) {
        for (lw_run_walk w = lw_net_runs(net, proj, first, last); lw_run_next(&w, &run);)
            run_put(&l, &run);
    } else {
        lw_free(out->edge);
        lw_free(out->number);
        lw_free(out->row);
        *out = (net_edges_out){0};
    }
    lw_free(l.next);
    *n = err == LW_OK ? l.n : 0;
    return err;
}

lw_err lw_net_edges_between(
    const lw_net *net, int proj, int64_t begin, int64_t end, lw_edge **edges, int64_t **edge_number, int64_t *n) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj && begin <= end);
    const lw_pop_view *post = &net->pop[net->proj[proj].view.post];
    net_edges_out out;
    unsigned wanted = (edges ? NET_EDGES_EDGE : 0) | (edge_number ? NET_EDGES_NUMBER : 0);
    int64_t first = lw_pop_local_first(post, post->gid_begin + begin);
    lw_err err = net_edges_list(net, proj, first, lw_pop_local_first(post, post->gid_begin + end), wanted, &out, n);
    if (edges) *edges = out.edge;
    if (edge_number) *edge_number = out.number;
    return err;
}

lw_err lw_net_edges(const lw_net *net, int proj, lw_edge **edges, int64_t **edge_number, int64_t *n) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    return lw_net_edges_between(net, proj, 0, net->pop[net->proj[proj].view.post].size, edges, edge_number, n);
}
