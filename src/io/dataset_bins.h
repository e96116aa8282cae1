/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dataset_bins.h: events in bins of time, and the length of each sample found on the way.
 */
#ifndef LAPWING_IO_DATASET_BINS_H
#define LAPWING_IO_DATASET_BINS_H

#include <lapwing/io.h>

typedef struct event_bins {
    int64_t steps, n_channels;
    double bin; /* in the unit of the events' times */
    bool counts;
    int64_t last; /* step of the last event since bins_clear, -1: none */
} event_bins;

static inline void bins_clear(event_bins *b, float *x) {
    for (int64_t i = 0; i < b->steps * b->n_channels; i++)
        x[i] = 0;
    b->last = -1;
}

static inline void bins_add(event_bins *b, double time, int64_t channel, float *x) {
    double at = time / b->bin;
    if (!(at >= 0) || at >= (double)b->steps) return;
    int64_t t = (int64_t)at;
    float *to = x + t * b->n_channels + channel;
    *to = b->counts ? *to + 1 : 1;
    if (t > b->last) b->last = t;
}

static inline lw_err bins_check(const lw_events_spec *s) {
    LW_CHECK(s->steps >= 1 && s->pool >= 1 && s->limit >= 0 && s->bin > 0 && s->classes >= 2, LW_EUSE,
        "%s: found steps %lld, bin %g ms, pool %lld, limit %lld, classes %d, allowed are 1 and more, above 0, 1 and "
        "more, 0 and more, 2 and more",
        s->path, (long long)s->steps, s->bin, (long long)s->pool, (long long)s->limit, s->classes);
    return LW_OK;
}

#endif
