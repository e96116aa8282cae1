/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Taking neurons away one by one under rules: the way in and the way out stay open, enough synapses stay for the number
 * asked for, the weak graph does not fall apart. Every rank does the same work on the same numbers.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "master.h"

enum {
    CUT_WORK = 2000000000
}; /* edge visits spent on cut vertices; beyond, they are looked up once for several removals */

typedef struct removal {
    master *g;
    const uint8_t *graph_edges;
    int64_t *order;     /* [n] nodes by score */
    int64_t *degree;    /* [n] edges between kept nodes, dropped ones included */
    int64_t *begin;     /* [n + 1] */
    int64_t *incident;  /* [2 m] edges of a node */
    int64_t *histogram; /* [degrees + 1] */
    int64_t n_histogram, pool, nodes, ins, outs;
    uint8_t *cut; /* [n] */
} removal;

typedef struct keyed {
    double score, tie;
    int64_t node;
} keyed;

static int by_score(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    if (x->tie != y->tie) return x->tie < y->tie ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static lw_err order_make(removal *r, const double *score, const double *tie) {
    int64_t n = r->g->n;
    keyed *keys = NULL;
    LW_TRY(lw_alloc((size_t)n, sizeof *keys, "an order of neurons", &keys));
    for (int64_t v = 0; v < n; v++)
        keys[v] = (keyed){score[v], tie[v], v};
    qsort(keys, (size_t)n, sizeof *keys, by_score);
    for (int64_t v = 0; v < n; v++)
        r->order[v] = keys[v].node;
    lw_free(keys);
    return LW_OK;
}

static lw_err removal_make(master *g, removal *r) {
    int64_t n = g->n, m = g->m, most = 0;
    LW_TRY(lw_alloc((size_t)n, sizeof(int64_t), "an order of neurons", &r->order));
    LW_TRY(lw_alloc((size_t)n, sizeof(int64_t), "degrees", &r->degree));
    LW_TRY(lw_alloc((size_t)n + 1, sizeof(int64_t), "incident edges", &r->begin));
    LW_TRY(lw_alloc((size_t)(2 * m), sizeof(int64_t), "incident edges", &r->incident));
    LW_TRY(lw_alloc((size_t)n, 1, "cut vertices", &r->cut));
    for (int64_t e = 0; e < m; e++) {
        r->begin[g->target[e] + 1]++;
        if (g->source[e] != g->target[e]) r->begin[g->source[e] + 1]++;
        if (!master_alive(g, e)) continue;
        r->pool++;
        r->degree[g->target[e]]++;
        if (g->source[e] != g->target[e]) r->degree[g->source[e]]++;
    }
    for (int64_t v = 0; v < n; v++)
        r->begin[v + 1] += r->begin[v];
    for (int64_t e = m - 1; e >= 0; e--) {
        r->incident[--r->begin[g->target[e] + 1]] = e;
        if (g->source[e] != g->target[e]) r->incident[--r->begin[g->source[e] + 1]] = e;
    }
    /* begin[v + 1] now holds the start of v: shift it into place */
    for (int64_t v = 0; v < n; v++)
        r->begin[v] = r->begin[v + 1];
    r->begin[n] = 0;
    for (int64_t e = 0; e < m; e++)
        r->begin[n] += 1 + (g->source[e] != g->target[e]);
    for (int64_t v = 0; v < n; v++) {
        most = r->degree[v] > most ? r->degree[v] : most;
        r->ins += g->keep_node[v] && g->has_in[v];
        r->outs += g->keep_node[v] && g->has_out[v];
    }
    r->n_histogram = most + 1;
    LW_TRY(lw_alloc((size_t)r->n_histogram, sizeof(int64_t), "degrees", &r->histogram));
    for (int64_t v = 0; v < n; v++)
        if (g->keep_node[v]) r->histogram[r->degree[v]]++;
    r->nodes = master_nodes(g);
    return LW_OK;
}

static void removal_free(removal *r) {
    lw_free(r->order);
    lw_free(r->degree);
    lw_free(r->begin);
    lw_free(r->incident);
    lw_free(r->histogram);
    lw_free(r->cut);
}

/* At least as many edges can be kept when `further` nodes leave after one of degree d: no more goes than the sum of the
 * smallest degrees; and the best choice is no worse than the mean over all choices, f (f - 1) of n (n - 1) pairs (so
 * one node always obeys, whatever left before). */
static int64_t promise(const removal *r, int64_t d, int64_t further) {
    int64_t pool = r->pool - d, sum = 0, left = further, n = r->nodes - 1, f = n - further;
    double mean = n > 1 ? (double)pool * ((double)f / (double)n) * ((double)(f - 1) / (double)(n - 1)) : 0;
    for (int64_t h = 0; h < r->n_histogram && left > 0; h++) {
        int64_t now = r->histogram[h] < left ? r->histogram[h] : left;
        sum += now * h;
        left -= now;
    }
    return pool - sum > (int64_t)mean ? pool - sum : (int64_t)mean;
}

static lw_err cuts_find(removal *r) {
    const master *g = r->g;
    int64_t *source = NULL, *target = NULL, *label = NULL, m = 0, count = 0;
    lw_graph graph = {0};
    lw_err err = LW_OK;
    LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *source, "a weak graph", &source), done);
    LW_TRY_TO(lw_alloc((size_t)g->m, sizeof *target, "a weak graph", &target), done);
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *label, "components", &label), done);
    for (int64_t e = 0; e < g->m; e++)
        if (r->graph_edges[e] && master_alive(g, e)) {
            source[m] = g->source[e];
            target[m++] = g->target[e];
        }
    LW_TRY_TO(lw_graph_create(g->n, m, source, target, NULL, &graph), done);
    err = lw_graph_components(&graph, label, r->cut, &count);
done:
    lw_graph_free(&graph);
    lw_free(source);
    lw_free(target);
    lw_free(label);
    return err;
}

static bool opens(const removal *r, int64_t v) { /* the last way in or out */
    return (r->g->has_in[v] && r->ins == 1) || (r->g->has_out[v] && r->outs == 1);
}

/* First node in order that obeys the rules; -1 when none does. Synapses suffice up to a degree, found once. */
static int64_t choose(const removal *r, bool cuts, int64_t least_edges, int64_t further) {
    int64_t highest = -1, above = r->n_histogram; /* halve: the promise falls with the degree */
    while (above - highest > 1) {
        int64_t d = highest + (above - highest) / 2;
        if (promise(r, d, further) >= least_edges)
            highest = d;
        else
            above = d;
    }
    for (int64_t i = 0; i < r->g->n; i++) {
        int64_t v = r->order[i];
        if (r->g->keep_node[v] && !opens(r, v) && !(cuts && r->cut[v]) && r->degree[v] <= highest) return v;
    }
    return -1;
}

/* Where synapses are too few for every choice: the node that costs least. */
static int64_t choose_cheapest(const removal *r) {
    int64_t best = -1;
    for (int64_t i = 0; i < r->g->n; i++) {
        int64_t v = r->order[i];
        if (r->g->keep_node[v] && !opens(r, v) && (best < 0 || r->degree[v] < r->degree[best])) best = v;
    }
    for (int64_t i = 0; best < 0 && i < r->g->n; i++)
        if (r->g->keep_node[r->order[i]]) best = r->order[i];
    return best;
}

static void take(removal *r, int64_t v) {
    master *g = r->g;
    for (int64_t i = r->begin[v]; i < r->begin[v + 1]; i++) {
        int64_t e = r->incident[i], other = g->target[e] == v ? g->source[e] : g->target[e];
        if (!master_alive(g, e)) continue;
        r->pool--;
        if (other == v) continue;
        r->histogram[r->degree[other]--]--;
        r->histogram[r->degree[other]]++;
    }
    r->histogram[r->degree[v]]--;
    r->ins -= g->has_in[v];
    r->outs -= g->has_out[v];
    g->keep_node[v] = 0;
    r->nodes--;
}

lw_err master_remove(master *g, int64_t nodes, int64_t least_edges, int64_t further, const double *score,
    const double *tie, const uint8_t *graph_edges) {
    removal r = {.g = g, .graph_edges = graph_edges};
    int64_t left = master_nodes(g) - nodes;
    int64_t stride = (int64_t)((double)left * (double)(g->m + g->n) / CUT_WORK) + 1;
    if (left <= 0) return LW_OK;
    lw_err err = removal_make(g, &r);
    if (err == LW_OK) err = order_make(&r, score, tie);
    for (int64_t i = 0; err == LW_OK && i < left; i++) {
        int64_t rest = left - 1 - i + further, v;
        if (graph_edges && i % stride == 0) err = cuts_find(&r);
        v = choose(&r, graph_edges != NULL, least_edges, rest);
        if (v < 0) v = choose(&r, false, least_edges, rest);
        if (v < 0) v = choose_cheapest(&r);
        take(&r, v);
    }
    removal_free(&r);
    for (int64_t e = 0; e < g->m; e++)
        if (!master_alive(g, e)) g->keep_edge[e] = 0;
    return err;
}

lw_err master_room(const master *g, int64_t edges) {
    int64_t room = 0;
    for (int64_t e = 0; e < g->m; e++)
        room += master_alive(g, e);
    LW_CHECK(room >= edges, LW_EUSE,
        "%lld neurons of population %s keep only %lld recurrent synapses among themselves, %lld were to be kept: ask "
        "for at most %lld "
        "synapses or for more neurons",
        (long long)master_nodes(g), lw_net_pop(g->net, g->pop).name, (long long)room, (long long)edges,
        (long long)room);
    return LW_OK;
}
