/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delivery of bundles. A cell is the synapses of one source with one delay: some tens of targets, anywhere in memory,
 * so that a plain loop would wait for memory at each of them. Here three places move along the queue: far ahead the
 * entries of `begin` are asked for, some cells ahead targets and weights, and behind them the additions are made. How
 * far ahead depends on the length of the cells: long ones are streams that the processor's own prefetching follows.
 *
 * Additions are made one after the other: a target adds its synapses in the order of the queue, and one that stands
 * twice in a cell (multapses) gets both.
 */
#include "deliver_bundle.h"
#include <string.h>

enum {
    LINE = 64,          /* bytes of a cache line */
    AHEAD_BEGIN = 16,   /* cells between the prefetch of their begin and that of their targets */
    AHEAD_CELLS = 12,   /* at most so many cells have their targets under way, */
    AHEAD_BYTES = 4096, /* and about so many bytes */
    CELL_BYTES = 512,   /* of one cell's targets; twice that of its weights */
    PLACES = 16         /* ring of cells under way; more than AHEAD_CELLS, a power of 2 */
};

/* A cell whose place in memory is known. */
typedef struct cell {
    const uint16_t *target;
    const void *weight;
    int64_t n, bytes;
} cell;

typedef struct ahead {
    int64_t next, bytes; /* first cell not yet looked at; bytes under way */
    int32_t run;         /* of `next` */
    cell place[PLACES];
} ahead;

static inline void prefetch(const void *from, int64_t bytes, int64_t most) {
    const char *p = from;
    if (bytes > most) bytes = most;
    for (int64_t i = 0; i < bytes + LINE - 1; i += LINE)
        __builtin_prefetch(p + i);
}

static inline __attribute__((always_inline)) void look_ahead(const queue *q, ahead *a, int64_t i) {
    while (a->next < q->n && (a->next <= i || (a->next < i + AHEAD_CELLS && a->bytes < AHEAD_BYTES))) {
        cell *c = &a->place[a->next % PLACES];
        const uint32_t *begin = q->cell[a->next];
        if (a->next + AHEAD_BEGIN < q->n) __builtin_prefetch(q->cell[a->next + AHEAD_BEGIN]);
        while (a->next >= q->run[a->run].end)
            a->run++;
        const lw_bundle *b = q->run[a->run].bundle;
        uint32_t first = begin[0], end = begin[1];
        if (b->slice_of) lw_bundle_cell(b, begin - b->begin, q->run[a->run].slice, &first, &end);
        c->n = end - first;
        c->target = b->target + first;
        c->bytes = c->n * (int64_t)sizeof *c->target;
        prefetch(c->target, c->bytes, CELL_BYTES);
        if (b->weight) {
            int64_t size = b->weight_type == LW_F64 ? 8 : 4;
            c->weight = (const char *)b->weight + (int64_t)first * size;
            prefetch(c->weight, c->n * size, 2 * CELL_BYTES);
            c->bytes += c->n * size;
        }
        a->bytes += c->bytes;
        a->next++;
    }
}

#define REAL float
#define LW_T(name) name##_f32
#include "deliver_bundle_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "deliver_bundle_typed.c"

int64_t queue_empty(bool f64, queue *q) {
    ahead a = {0};
    int64_t first = 0, events = 0;
    for (int64_t i = 0; i < AHEAD_BEGIN && i < q->n; i++)
        __builtin_prefetch(q->cell[i]);
    for (int32_t r = 0; r < q->n_runs; r++) {
        const queue_run *run = &q->run[r];
        events += f64 ? run_add_f64(q, &a, run, first) : run_add_f32(q, &a, run, first);
        first = run->end;
    }
    q->n = 0;
    q->n_runs = 0;
    return events;
}

int64_t queue_put(
    bool f64, queue *q, const lw_bundle *bundle, void *acc, int32_t slice, const uint32_t *row, int64_t n) {
    int64_t events = 0;
    bool table = !bundle->slice_of;
    const uint32_t *begin = bundle->begin + (table ? slice : 0);
    int64_t width = table ? bundle->n_slices : 1;
    while (n > 0) {
        const queue_run *last = q->n_runs > 0 ? &q->run[q->n_runs - 1] : NULL;
        bool same = last && last->bundle == bundle && (table || last->slice == slice);
        if (q->n == QUEUE_CELLS || (!same && q->n_runs == QUEUE_RUNS)) {
            events += queue_empty(f64, q);
            same = false;
        }
        if (!same) q->run[q->n_runs++] = (queue_run){.bundle = bundle, .acc = acc, .slice = slice};
        int64_t here = QUEUE_CELLS - q->n < n ? QUEUE_CELLS - q->n : n;
        for (int64_t i = 0; i < here; i++)
            q->cell[q->n + i] = begin + (int64_t)row[i] * width;
        q->n += here;
        q->run[q->n_runs - 1].end = q->n;
        row += here;
        n -= here;
    }
    return events;
}
