/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Directed weighted graphs in CSR: building, betweenness (Brandes 2001), weak components and articulation points
 * (Tarjan 1972, without recursion). Serial; the caller spreads sources over ranks.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "graph.h"

void lw_graph_free(lw_graph *g) {
    lw_free(g->row);
    lw_free(g->col);
    lw_free(g->weight);
    memset(g, 0, sizeof *g);
}

/* Counting sort by `key` into `order`; at: [n + 1] becomes the offsets. */
static void bucket(int64_t n, int64_t m, const int64_t *key, const int64_t *from, int64_t *at, int64_t *order) {
    memset(at, 0, (size_t)(n + 1) * sizeof *at);
    for (int64_t e = 0; e < m; e++)
        at[key[e] + 1]++;
    for (int64_t v = 0; v < n; v++)
        at[v + 1] += at[v];
    for (int64_t e = 0; e < m; e++) {
        int64_t edge = from ? from[e] : e;
        order[at[key[edge]]++] = edge;
    }
    for (int64_t v = n; v > 0; v--)
        at[v] = at[v - 1];
    at[0] = 0;
}

lw_err lw_graph_create(
    int64_t n, int64_t m, const int64_t *source, const int64_t *target, const double *weight, lw_graph *out) {
    int64_t *by_target = NULL, *order = NULL, *at = NULL;
    lw_graph g = {.n = n};
    lw_err err = LW_OK;
    memset(out, 0, sizeof *out);
    for (int64_t e = 0; e < m; e++)
        LW_CHECK(source[e] >= 0 && source[e] < n && target[e] >= 0 && target[e] < n, LW_EUSE,
            "edge %lld goes from %lld to %lld in a graph of %lld nodes", (long long)e, (long long)source[e],
            (long long)target[e], (long long)n);
    LW_TRY_TO(lw_alloc((size_t)n + 1, sizeof *g.row, "graph rows", &g.row), done);
    LW_TRY_TO(lw_alloc((size_t)m, sizeof *g.col, "graph edges", &g.col), done);
    LW_TRY_TO(lw_alloc((size_t)m, sizeof *g.weight, "graph weights", &g.weight), done);
    LW_TRY_TO(lw_alloc((size_t)n + 1, sizeof *at, "graph offsets", &at), done);
    LW_TRY_TO(lw_alloc((size_t)m, sizeof *by_target, "graph order", &by_target), done);
    LW_TRY_TO(lw_alloc((size_t)m, sizeof *order, "graph order", &order), done);
    bucket(n, m, target, NULL, at, by_target);
    bucket(n, m, source, by_target, at, order);
    for (int64_t v = 0; v < n; v++) {
        for (int64_t i = at[v]; i < at[v + 1]; i++) { /* parallel edges become one, weights added */
            int64_t e = order[i];
            if (g.m > g.row[v] && g.col[g.m - 1] == target[e]) {
                g.weight[g.m - 1] += weight ? weight[e] : 1;
                continue;
            }
            g.col[g.m] = target[e];
            g.weight[g.m++] = weight ? weight[e] : 1;
        }
        g.row[v + 1] = g.m;
    }
done:
    lw_free(at);
    lw_free(by_target);
    lw_free(order);
    if (err != LW_OK)
        lw_graph_free(&g);
    else
        *out = g;
    return err;
}

lw_err graph_transpose(const lw_graph *g, lw_graph *out) {
    int64_t *source = NULL;
    lw_err err = lw_alloc((size_t)g->m, sizeof *source, "graph sources", &source);
    if (err == LW_OK) {
        for (int64_t v = 0; v < g->n; v++)
            for (int64_t e = g->row[v]; e < g->row[v + 1]; e++)
                source[e] = v;
        err = lw_graph_create(g->n, g->m, g->col, source, g->weight, out);
    }
    lw_free(source);
    return err;
}

/* ------------------------------------------------------------------ betweenness */

/* Work space of one source: distance, number of shortest paths, dependency, nodes in order of distance, heap of
 * (length, node). */
typedef struct brandes {
    double *distance, *paths, *depend, *key;
    int64_t *order, *heap, *place;
    int64_t n_order, n_heap;
} brandes;

static void brandes_free(brandes *b) {
    lw_free(b->distance);
    lw_free(b->paths);
    lw_free(b->depend);
    lw_free(b->order);
    lw_free(b->heap);
    lw_free(b->place);
}

static lw_err brandes_make(int64_t n, brandes *b) {
    LW_TRY(lw_alloc((size_t)n, sizeof(double), "distances", &b->distance));
    LW_TRY(lw_alloc((size_t)n, sizeof(double), "path counts", &b->paths));
    LW_TRY(lw_alloc((size_t)n, sizeof(double), "dependencies", &b->depend));
    LW_TRY(lw_alloc((size_t)n, sizeof(int64_t), "node order", &b->order));
    LW_TRY(lw_alloc((size_t)n, sizeof(int64_t), "a heap", &b->heap));
    return lw_alloc((size_t)n, sizeof(int64_t), "heap places", &b->place);
}

static void search_breadth(const lw_graph *g, int64_t s, brandes *b) {
    b->order[b->n_order++] = s;
    for (int64_t head = 0; head < b->n_order; head++) {
        int64_t v = b->order[head];
        for (int64_t e = g->row[v]; e < g->row[v + 1]; e++) {
            int64_t w = g->col[e];
            if (b->distance[w] == INFINITY) {
                b->distance[w] = b->distance[v] + 1;
                b->order[b->n_order++] = w;
            }
            if (b->distance[w] == b->distance[v] + 1) b->paths[w] += b->paths[v];
        }
    }
}

static void heap_up(brandes *b, int64_t i) {
    int64_t node = b->heap[i];
    for (; i > 0 && b->distance[b->heap[(i - 1) / 2]] > b->distance[node]; i = (i - 1) / 2) {
        b->heap[i] = b->heap[(i - 1) / 2];
        b->place[b->heap[i]] = i;
    }
    b->heap[i] = node;
    b->place[node] = i;
}

static int64_t heap_pop(brandes *b) {
    int64_t top = b->heap[0], node = b->heap[--b->n_heap], i = 0;
    for (int64_t child; (child = 2 * i + 1) < b->n_heap; i = child) {
        if (child + 1 < b->n_heap && b->distance[b->heap[child + 1]] < b->distance[b->heap[child]]) child++;
        if (b->distance[b->heap[child]] >= b->distance[node]) break;
        b->heap[i] = b->heap[child];
        b->place[b->heap[i]] = i;
    }
    b->heap[i] = node;
    b->place[node] = i;
    return top;
}

static double edge_length(const lw_graph *g, int64_t e) {
    return 1 / fabs(g->weight[e]); /* infinite for a weight of 0: never taken */
}

/* Dijkstra with path counts; lengths are compared exactly, as the later sweep does. */
static void search_length(const lw_graph *g, int64_t s, brandes *b) {
    b->heap[b->n_heap++] = s;
    b->place[s] = 0;
    while (b->n_heap > 0) {
        int64_t v = heap_pop(b);
        b->order[b->n_order++] = v;
        for (int64_t e = g->row[v]; e < g->row[v + 1]; e++) {
            int64_t w = g->col[e];
            double d = b->distance[v] + edge_length(g, e);
            if (d < b->distance[w]) {
                if (b->distance[w] == INFINITY) {
                    b->place[w] = b->n_heap++;
                    b->heap[b->place[w]] = w;
                }
                b->distance[w] = d;
                b->paths[w] = 0;
                heap_up(b, b->place[w]);
            }
            if (d == b->distance[w] && d < INFINITY) b->paths[w] += b->paths[v];
        }
    }
}

lw_err lw_graph_betweenness(const lw_graph *g, bool by_length, int64_t first, int64_t stride, double *out) {
    brandes b = {0};
    lw_err err = brandes_make(g->n, &b);
    for (int64_t s = first; err == LW_OK && s < g->n; s += stride) {
        for (int64_t v = 0; v < g->n; v++) {
            b.distance[v] = INFINITY;
            b.paths[v] = b.depend[v] = 0;
        }
        b.n_order = b.n_heap = 0;
        b.distance[s] = 0;
        b.paths[s] = 1;
        if (by_length)
            search_length(g, s, &b);
        else
            search_breadth(g, s, &b);
        for (int64_t i = b.n_order - 1; i >= 0;
             i--) { /* pull dependencies: delta_v = sum_w sigma_v/sigma_w (1 + delta_w) */
            int64_t v = b.order[i];
            for (int64_t e = g->row[v]; e < g->row[v + 1]; e++) {
                int64_t w = g->col[e];
                if (b.distance[w] == b.distance[v] + (by_length ? edge_length(g, e) : 1) && b.distance[w] < INFINITY)
                    b.depend[v] += b.paths[v] / b.paths[w] * (1 + b.depend[w]);
            }
            if (v != s) out[v] += b.depend[v];
        }
    }
    brandes_free(&b);
    return err;
}

/* ------------------------------------------------------------------ weak components, articulation points */

typedef struct frame {
    int64_t node, parent, next, children;
} frame;

/* Both directions of every edge, one after the other: out-neighbours, then in-neighbours. */
static int64_t weak_neighbour(const lw_graph *out, const lw_graph *in, int64_t v, int64_t i) {
    int64_t degree = out->row[v + 1] - out->row[v];
    return i < degree ? out->col[out->row[v] + i] : in->col[in->row[v] + i - degree];
}

static void explore(const lw_graph *g, const lw_graph *in, int64_t root, int64_t label_now, int64_t *label,
    uint8_t *cut, int64_t *seen, int64_t *low, int64_t *clock, frame *stack) {
    int64_t depth = 0;
    stack[depth++] = (frame){.node = root, .parent = -1};
    while (depth > 0) {
        frame *f = &stack[depth - 1];
        int64_t v = f->node, degree = g->row[v + 1] - g->row[v] + in->row[v + 1] - in->row[v];
        if (f->next == 0 && seen[v] == 0) {
            seen[v] = low[v] = ++*clock;
            label[v] = label_now;
        }
        if (f->next < degree) {
            int64_t w = weak_neighbour(g, in, v, f->next++);
            if (w == v || w == f->parent) continue;
            if (seen[w]) {
                if (seen[w] < low[v]) low[v] = seen[w];
            } else {
                f->children++;
                stack[depth++] = (frame){.node = w, .parent = v};
            }
            continue;
        }
        depth--;
        if (f->parent < 0) {
            if (f->children > 1) cut[v] = 1;
        } else {
            int64_t p = f->parent;
            if (low[v] < low[p]) low[p] = low[v];
            if (stack[depth - 1].parent >= 0 && low[v] >= seen[p]) cut[p] = 1;
        }
    }
}

lw_err lw_graph_components(const lw_graph *g, int64_t *label, uint8_t *cut, int64_t *count) {
    int64_t *seen = NULL, *low = NULL, clock = 0;
    uint8_t *own_cut = NULL;
    frame *stack = NULL;
    lw_graph in = {0};
    lw_err err = LW_OK;
    *count = 0;
    LW_TRY_TO(graph_transpose(g, &in), done);
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *seen, "visits", &seen), done);
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *low, "visits", &low), done);
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *stack, "a search stack", &stack), done);
    LW_TRY_TO(lw_alloc((size_t)g->n, 1, "cut vertices", &own_cut), done);
    for (int64_t v = 0; v < g->n; v++)
        if (seen[v] == 0) explore(g, &in, v, (*count)++, label, own_cut, seen, low, &clock, stack);
    if (cut) memcpy(cut, own_cut, (size_t)g->n);
done:
    lw_graph_free(&in);
    lw_free(seen);
    lw_free(low);
    lw_free(stack);
    lw_free(own_cut);
    return err;
}
