/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delivery of bundles: the queue adds what plain loops add, in their order and with their bits, for every kind of
 * weights, cells of any length, targets that stand several times in a cell, and more cells than the queue has room for;
 * and a network delivers the same from bundles and from projections stored by themselves.
 */
#include "brunel.h"
#include "deliver_bundle.h"

enum { N = 700, ROWS = 400, SLICES = 9, LENGTH = 300 };

static uint32_t draw(uint32_t *x) {
    *x = *x * 1664525u + 1013904223u;
    return *x >> 8;
}

/* A bundle of cells of 0 to LENGTH synapses, most of them short; few targets, so that they repeat within a cell. */
typedef struct made {
    lw_bundle bundle;
    uint32_t *begin;
    uint16_t *target;
    float *narrow;
    double *wide;
} made;

static made make(uint32_t seed, int weights) {
    made m = {0};
    int64_t cells = ROWS * SLICES;
    m.begin = calloc((size_t)cells + 1, sizeof *m.begin);
    for (int64_t c = 0; c < cells; c++) {
        uint32_t kind = draw(&seed) % 16;
        m.begin[c + 1] = m.begin[c] + (kind == 0 ? draw(&seed) % LENGTH : kind < 4 ? 0 : draw(&seed) % 12);
    }
    int64_t n = m.begin[cells];
    m.target = calloc((size_t)n + 1, sizeof *m.target);
    m.narrow = calloc((size_t)n + 1, sizeof *m.narrow);
    m.wide = calloc((size_t)n + 1, sizeof *m.wide);
    for (int64_t i = 0; i < n; i++) {
        m.target[i] = (uint16_t)(draw(&seed) % (i % 3 ? N : 20));
        m.wide[i] = (double)draw(&seed) / 1e6 - 8;
        m.narrow[i] = (float)m.wide[i];
    }
    m.bundle = (lw_bundle){.n_slices = SLICES,
        .n_rows = ROWS,
        .n_edges = n,
        .begin = m.begin,
        .target = m.target,
        .weight_one = weights == 0,
        .weight_value = 0.3,
        .weight_type = weights == 2 ? LW_F64 : LW_F32};
    if (weights == 1) m.bundle.weight = m.narrow;
    if (weights == 2) m.bundle.weight = m.wide;
    return m;
}

static void drop(made *m) {
    free(m->begin);
    free(m->target);
    free(m->narrow);
    free(m->wide);
}

/* The same in plain loops. */
static int64_t plain(bool f64, const made *m, int32_t slice, const uint32_t *row, int64_t n, void *acc) {
    int64_t events = 0;
    for (int64_t i = 0; i < n; i++)
        for (uint32_t e = m->begin[row[i] * SLICES + (uint32_t)slice];
             e < m->begin[row[i] * SLICES + (uint32_t)slice + 1]; e++, events++) {
            double w = !m->bundle.weight ? 0.3 : m->bundle.weight == m->narrow ? (double)m->narrow[e] : m->wide[e];
            if (f64)
                ((double *)acc)[m->target[e]] += w;
            else
                ((float *)acc)[m->target[e]] += (float)w;
        }
    return events;
}

/* Bundles of all kinds of weights one after the other, slices in descending order, some of the rows. */
static void queue_is_plain(bool f64, int rounds, uint32_t share) {
    static queue q;
    made m[3];
    size_t size = f64 ? 8 : 4;
    char *found = calloc(N, 8), *expected = calloc(N, 8);
    uint32_t row[ROWS], seed = 3;
    int64_t events = 0, wanted = 0;
    for (int k = 0; k < 3; k++)
        m[k] = make(17 + (uint32_t)k, k);
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < 3; k++)
            for (int32_t s = SLICES - 1; s >= 0; s--) {
                int64_t n = 0;
                for (uint32_t r = 0; r < ROWS; r++)
                    if (draw(&seed) % 100 < share) row[n++] = r;
                events += queue_put(f64, &q, &m[k].bundle, found, s, row, n);
                wanted += plain(f64, &m[k], s, row, n, expected);
            }
    events += queue_empty(f64, &q);
    CHECK_INT(events, wanted);
    CHECK(memcmp(found, expected, N * size) == 0);
    CHECK(queue_empty(f64, &q) == 0);
    free(found);
    free(expected);
    for (int k = 0; k < 3; k++)
        drop(&m[k]);
}

TEST(few_cells) {
    queue_is_plain(true, 1, 2);
    queue_is_plain(false, 1, 2);
    queue_is_plain(true, 1, 0);
}

/* More cells than there is room for, in one list and in many, and more runs. */
TEST(many_cells) {
    queue_is_plain(true, 3, 100);
    queue_is_plain(false, 3, 60);
    queue_is_plain(true, 80, 1);
}

static brunel_mark run(const lw_comm *comm, const brunel *b, bool bundles) {
    lw_net *net = NULL;
    lw_sim *sim = NULL;
    CHECK_OK(brunel_net(comm, b, &net));
    CHECK(lw_net_n_bundles(net) > 0 || lw_net_n_local(net) == 0);
    if (!bundles) CHECK_OK(lw_net_unbundle(net));
    CHECK_OK(brunel_sim(net, b, &sim));
    CHECK_OK(lw_sim_advance(sim, 200, NULL));
    /* taken out of their bundles in the middle of a run */
    if (bundles) {
        brunel_mark mark = brunel_mark_of(sim, 0);
        CHECK(mark.spikes > 0);
        CHECK_OK(lw_net_unbundle(net));
        CHECK_INT(lw_net_n_bundles(net), 0);
    }
    CHECK_OK(lw_sim_advance(sim, 100, NULL));
    brunel_mark mark = brunel_mark_of(sim, 0);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    return mark;
}

TEST(bundles_and_slices_give_the_same_bits) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    brunel b = BRUNEL;
    for (int kind = 0; kind < 4; kind++) {
        b.delay_lo = kind % 2 ? 0.2 : 1.5;
        b.delay_hi = kind % 2 ? 2.5 : 1.5;
        b.weight_type = kind < 2 ? LW_F64 : LW_F32;
        b.precision = kind == 0 || kind == 3 ? LW_F64 : LW_F32;
        b.threads = 1 + kind % 2;
        brunel_mark expected = run(world, &b, false), found = run(world, &b, true);
        CHECK_MARK(found, expected);
    }
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(few_cells), CASE(many_cells), CASE(bundles_and_slices_give_the_same_bits))
