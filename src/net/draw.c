/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Who connects to one neuron: draws from that neuron's stream, returned as an ascending list. Nothing here knows ranks,
 * so a list depends on the key of the stream alone.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

lw_err net_draw_reserve(net_draw *d, int64_t capacity) {
    if (capacity <= d->capacity) return LW_OK;
    LW_TRY(lw_grow(&d->scratch, (size_t)d->capacity, (size_t)capacity, sizeof *d->scratch, "drawn indices"));
    LW_TRY(lw_grow(&d->index, (size_t)d->capacity, (size_t)capacity, sizeof *d->index, "drawn indices"));
    d->capacity = capacity;
    return LW_OK;
}

void net_draw_free(net_draw *d) {
    lw_free(d->index);
    lw_free(d->scratch);
    *d = (net_draw){0};
}

/* Merge the sorted fresh[n_fresh] behind the list into the list, dropping what is there already. */
static void merge_distinct(net_draw *d, int64_t n_fresh) {
    const uint64_t *old = d->index, *fresh = d->index + d->n;
    uint64_t *out = d->scratch;
    int64_t i = 0, j = 0, n = 0;
    while (i < d->n || j < n_fresh) {
        uint64_t x = j == n_fresh || (i < d->n && old[i] <= fresh[j]) ? old[i++] : fresh[j++];
        if (n == 0 || out[n - 1] != x) out[n++] = x;
    }
    memcpy(d->index, out, (size_t)n * sizeof *out);
    d->n = n;
}

/* Draw until the list has n distinct members. As many are drawn as are missing, round after round, so the list is the
 * set of a sequence of independent draws cut where it first has n members: every set is equally likely. */
static void fill_distinct(net_draw *d, lw_stream *s, int64_t n, int64_t size) {
    int bits = net_sort_bits((uint64_t)size);
    while (d->n < n) {
        int64_t missing = n - d->n;
        for (int64_t i = 0; i < missing; i++)
            d->index[d->n + i] = lw_stream_below(s, (uint64_t)size);
        net_sort(d->index + d->n, d->scratch, missing, bits);
        merge_distinct(d, missing);
    }
}

/* The list becomes the other numbers of [0, size). */
static void complement(net_draw *d, int64_t size) {
    int64_t n_out = d->n, at = 0;
    memcpy(d->scratch, d->index, (size_t)n_out * sizeof *d->index);
    d->n = 0;
    for (int64_t i = 0; i < size; i++) {
        if (at < n_out && d->scratch[at] == (uint64_t)i)
            at++;
        else
            d->index[d->n++] = (uint64_t)i;
    }
}

/* Numbers of a range without `self` -> with it. */
static void skip_self(net_draw *d, int64_t self) {
    for (int64_t i = 0; i < d->n; i++)
        if (d->index[i] >= (uint64_t)self) d->index[i]++;
}

void net_draw_distinct(net_draw *d, int64_t kept, int low, int high) {
    int64_t fresh = d->n - kept;
    d->n = kept;
    net_sort_from(d->index + kept, d->scratch, fresh, low, high);
    merge_distinct(d, fresh);
}

lw_err net_draw_some(net_draw *d, lw_stream *s, int64_t n, int64_t size, int64_t self, bool distinct) {
    int64_t range = size - (self >= 0);
    LW_TRY(net_draw_reserve(d, n));
    d->n = 0;
    if (!distinct) {
        for (; d->n < n; d->n++)
            d->index[d->n] = lw_stream_below(s, (uint64_t)range);
        net_sort(d->index, d->scratch, n, net_sort_bits((uint64_t)range));
    } else if (n <= range / 2) {
        fill_distinct(d, s, n, range);
    } else { /* above one half, draw the smaller rest */
        fill_distinct(d, s, range - n, range);
        complement(d, range);
    }
    if (self >= 0) skip_self(d, self);
    return LW_OK;
}

/* Each of [begin, end) but `self` with probability p, behind what is in the list. */
static lw_err bernoulli_range(net_draw *d, lw_stream *s, double p, int64_t begin, int64_t end, int64_t self) {
    if (p <= 0) return LW_OK;
    double scale = 1 / log1p(-p); /* p = 1: -0, no number is skipped */
    for (int64_t at = begin; at < end; at++) {
        double skip = floor(log(lw_stream_uniform(s)) * scale); /* numbers left out: geometric */
        if (skip >= (double)(end - at)) break;
        at += (int64_t)skip;
        if (at == self) continue;
        if (d->n == d->capacity) LW_TRY(net_draw_reserve(d, 2 * d->capacity + 256));
        d->index[d->n++] = (uint64_t)at;
    }
    return LW_OK;
}

lw_err net_draw_bernoulli(net_draw *d, lw_stream *s, double p, int64_t size, int64_t self) {
    d->n = 0;
    return bernoulli_range(d, s, p, 0, size, self);
}

lw_err net_draw_clustered(
    net_draw *d, lw_stream *s, double p, double p_out, int64_t begin, int64_t end, int64_t size, int64_t self) {
    d->n = 0;
    LW_TRY(bernoulli_range(d, s, p_out, 0, begin, self));
    LW_TRY(bernoulli_range(d, s, p, begin, end, self));
    return bernoulli_range(d, s, p_out, end, size, self);
}

/* Each of the n ring edges stays or is drawn again; the drawn ones avoid the staying ones and one another unless
 * multapses are allowed. A drawn target may fall on a place of the ring that another drawn edge has left. */
lw_err net_draw_ring(
    net_draw *d, lw_stream *s, int64_t n, double p, int64_t size, int64_t me, bool autapses, bool multapses) {
    int64_t range = size - !autapses;
    LW_TRY(net_draw_reserve(d, n));
    d->n = 0;
    for (int64_t far = 1; far <= n / 2; far++) {
        for (int side = 0; side < 2; side++) {
            int64_t to = side ? (me + far) % size : (me - far + size) % size;
            if (lw_stream_uniform(s) < p) continue;
            d->index[d->n++] = (uint64_t)(to - (!autapses && to > me)); /* number in the range without me */
        }
    }
    int bits = net_sort_bits((uint64_t)size);
    if (multapses) {
        for (; d->n < n; d->n++)
            d->index[d->n] = lw_stream_below(s, (uint64_t)range);
        net_sort(d->index, d->scratch, n, bits);
    } else {
        net_sort(d->index, d->scratch, d->n, bits);
        fill_distinct(d, s, n, range);
    }
    if (!autapses) skip_self(d, me);
    return LW_OK;
}
