/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Betweenness against closed forms, a known social network and brute force over all shortest paths; components and cut
 * vertices against removal.
 */
#include <lapwing/prune.h>
#include "check.h"

enum { MOST = 4000 };
typedef struct list {
    int64_t n, m, source[MOST], target[MOST];
    double weight[MOST];
} list;

static void put(list *l, int64_t a, int64_t b, double w) {
    l->source[l->m] = a;
    l->target[l->m] = b;
    l->weight[l->m++] = w;
}
static void put_both(list *l, int64_t a, int64_t b) {
    put(l, a, b, 1);
    put(l, b, a, 1);
}
static lw_graph make(const list *l) {
    lw_graph g = {0};
    CHECK_OK(lw_graph_create(l->n, l->m, l->source, l->target, l->weight, &g));
    return g;
}
static void betweenness(const list *l, bool by_length, double *b) {
    lw_graph g = make(l);
    memset(b, 0, (size_t)l->n * sizeof *b);
    for (int64_t first = 0; first < 3; first++) /* three shares, as three ranks would */
        CHECK_OK(lw_graph_betweenness(&g, by_length, first, 3, b));
    lw_graph_free(&g);
}

TEST(csr_is_sorted_and_merges_parallel_edges) {
    list l = {.n = 3};
    put(&l, 2, 0, 1);
    put(&l, 0, 2, 5);
    put(&l, 0, 1, 2);
    put(&l, 0, 2, -1.5);
    lw_graph g = make(&l);
    CHECK_INT(g.m, 3);
    CHECK_INT(g.row[1], 2);
    CHECK_INT(g.row[2], 2);
    CHECK_INT(g.row[3], 3);
    CHECK_INT(g.col[0], 1);
    CHECK_INT(g.col[1], 2);
    CHECK_CLOSE(g.weight[1], 3.5, 0);
    lw_graph_free(&g);
    put(&l, 0, 3, 1);
    CHECK_FAILS(lw_graph_create(l.n, l.m, l.source, l.target, l.weight, &g), LW_EUSE, "goes from 0 to 3");
}

TEST(check_15_path_star_ring) {
    double b[64];
    list path = {.n = 5}, star = {.n = 9}, ring = {.n = 11};
    static const double expected[5] = {0, 3, 4, 3, 0};
    for (int64_t i = 0; i < 4; i++)
        put_both(&path, i, i + 1);
    betweenness(&path, false, b);
    for (int i = 0; i < 5; i++)
        CHECK_CLOSE(b[i] / 2, expected[i], 1e-14);
    for (int64_t i = 1; i < 9; i++)
        put_both(&star, 0, i);
    betweenness(&star, false, b);
    CHECK_CLOSE(b[0] / 2, 8 * 7 / 2, 1e-12);
    CHECK_CLOSE(b[3], 0, 0);
    for (int64_t i = 0; i < 11; i++)
        put(&ring, i, (i + 1) % 11, 1);
    betweenness(&ring, false, b);
    for (int i = 0; i < 11; i++)
        CHECK_CLOSE(b[i], 10 * 9 / 2, 1e-12);
}

/* Zachary's karate club (1977), nodes numbered from 1. */
TEST(check_15_karate_club) {
    static const int pairs[][2] = {{2, 1}, {3, 1}, {3, 2}, {4, 1}, {4, 2}, {4, 3}, {5, 1}, {6, 1}, {7, 1}, {7, 5},
        {7, 6}, {8, 1}, {8, 2}, {8, 3}, {8, 4}, {9, 1}, {9, 3}, {10, 3}, {11, 1}, {11, 5}, {11, 6}, {12, 1}, {13, 1},
        {13, 4}, {14, 1}, {14, 2}, {14, 3}, {14, 4}, {17, 6}, {17, 7}, {18, 1}, {18, 2}, {20, 1}, {20, 2}, {22, 1},
        {22, 2}, {26, 24}, {26, 25}, {28, 3}, {28, 24}, {28, 25}, {29, 3}, {30, 24}, {30, 27}, {31, 2}, {31, 9},
        {32, 1}, {32, 25}, {32, 26}, {32, 29}, {33, 3}, {33, 9}, {33, 15}, {33, 16}, {33, 19}, {33, 21}, {33, 23},
        {33, 24}, {33, 30}, {33, 31}, {33, 32}, {34, 9}, {34, 10}, {34, 14}, {34, 15}, {34, 16}, {34, 19}, {34, 20},
        {34, 21}, {34, 23}, {34, 24}, {34, 27}, {34, 28}, {34, 29}, {34, 30}, {34, 31}, {34, 32}, {34, 33}};
    list club = {.n = 34};
    double b[34];
    CHECK_INT(sizeof pairs / sizeof pairs[0], 78);
    for (int i = 0; i < 78; i++)
        put_both(&club, pairs[i][0] - 1, pairs[i][1] - 1);
    betweenness(&club, false, b);
    CHECK_CLOSE(b[0] / (33 * 32), 0.43764, 5e-6);
    CHECK_CLOSE(b[33] / (33 * 32), 0.30407, 5e-6);
}

static void random_graph(list *l, int64_t n, double p, uint64_t seed, bool lengths) {
    *l = (list){.n = n};
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n;
             b++) /* few different lengths, so that shortest paths tie; powers of two, so that sums are exact */
            if (a != b && lw_rng_uniform(seed, LW_PURPOSE_CHECK, (uint64_t)a, (uint64_t)b, 0) < p)
                put(l, a, b, lengths && (a + b) % 3 ? -0.5 : 1);
}

/* b(v) = sum over s, t of sigma_sv sigma_vt / sigma_st where v lies on a shortest path; sigma by powers over distances.
 */
static void brute(const list *l, double *b) {
    enum { N = 40 };
    static double d[N][N], paths[N][N];
    int64_t n = l->n;
    for (int64_t s = 0; s < n; s++)
        for (int64_t t = 0; t < n; t++)
            d[s][t] = s == t ? 0 : INFINITY;
    for (int64_t round = 0; round < n; round++)
        for (int64_t s = 0; s < n; s++)
            for (int64_t e = 0; e < l->m; e++)
                d[s][l->target[e]] = fmin(d[s][l->target[e]], d[s][l->source[e]] + 1 / fabs(l->weight[e]));
    for (int64_t s = 0; s < n; s++) {
        for (int64_t t = 0; t < n; t++)
            paths[s][t] = s == t;
        for (double now = 1; now < 100; now++) /* lengths are whole numbers */
            for (int64_t e = 0; e < l->m; e++)
                if (d[s][l->target[e]] == now && d[s][l->source[e]] + 1 / fabs(l->weight[e]) == now)
                    paths[s][l->target[e]] += paths[s][l->source[e]];
    }
    for (int64_t v = 0; v < n; v++) {
        b[v] = 0;
        for (int64_t s = 0; s < n; s++)
            for (int64_t t = 0; t < n; t++)
                if (s != v && t != v && s != t && d[s][t] < INFINITY && d[s][v] + d[v][t] == d[s][t])
                    b[v] += paths[s][v] * paths[v][t] / paths[s][t];
    }
}

TEST(betweenness_equals_brute_force) {
    static list l;
    double fast[40], slow[40];
    for (uint64_t seed = 1; seed <= 6; seed++)
        for (int lengths = 0; lengths < 2; lengths++) {
            random_graph(&l, 40, seed % 2 ? 0.05 : 0.15, seed, lengths);
            betweenness(&l, lengths, fast);
            brute(&l, slow);
            for (int i = 0; i < 40; i++)
                CHECK_CLOSE(fast[i], slow[i], 1e-9 * (1 + slow[i]));
        }
}

static int64_t count_components(const list *l, int64_t without) {
    int64_t label[40], n = 0;
    for (int64_t v = 0; v < l->n; v++)
        label[v] = v;
    for (int64_t round = 0; round < l->n; round++)
        for (int64_t e = 0; e < l->m; e++) {
            int64_t a = l->source[e], b = l->target[e];
            if (a == without || b == without) continue;
            label[a] = label[b] = label[a] < label[b] ? label[a] : label[b];
        }
    for (int64_t v = 0; v < l->n; v++)
        n += v != without && label[v] == v;
    return n;
}

TEST(cut_vertices_equal_removal) {
    static list l;
    int cuts = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        int64_t label[40], count = 0;
        uint8_t cut[40];
        random_graph(&l, 40, 0.01 + 0.002 * (double)seed, 100 + seed, false);
        lw_graph g = make(&l);
        CHECK_OK(lw_graph_components(&g, label, cut, &count));
        CHECK_INT(count, count_components(&l, -1));
        for (int64_t v = 0; v < 40; v++) {
            CHECK(label[v] >= 0 && label[v] < count);
            CHECK_INT(cut[v], count_components(&l, v) > count);
            cuts += cut[v];
        }
        for (int64_t e = 0; e < l.m; e++)
            CHECK_INT(label[l.source[e]], label[l.target[e]]);
        lw_graph_free(&g);
    }
    CHECK(cuts > 20); /* the graphs were interesting */
}

CHECK_MAIN(CASE(csr_is_sorted_and_merges_parallel_edges), CASE(check_15_path_star_ring), CASE(check_15_karate_club),
    CASE(betweenness_equals_brute_force), CASE(cut_vertices_equal_removal))
