/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fixed_total_number: how many of the projection's synapses fall on each target. Counts are multinomial (multivariate
 * hypergeometric without multapses) and come from a binary tree over target indices: a node splits its synapses among
 * its two halves by one draw keyed by the node, so a rank walks down to its own targets only and every rank sees the
 * same tree. Contiguous targets cost about one draw each, scattered ones at most log2 of the population's size.
 */
#include "net_private.h"

/* Pairs (target, source) that targets [begin, end) can take part in. */
static int64_t pairs_of(const net_rule *r, int64_t begin, int64_t end) {
    bool self_excluded = r->spec->pre == r->spec->post && !r->spec->autapses;
    return (end - begin) * (r->pre->size - self_excluded);
}

/* Node `number` (root 1, children 2 i and 2 i + 1) holds targets [begin, end) with n synapses; local targets first to
 * last - 1 lie in it. */
static void descend(net_rule *r, uint64_t number, int64_t begin, int64_t end, int64_t n, int64_t first, int64_t last) {
    if (first == last || n == 0) return;
    if (end - begin == 1) {
        r->count[first] = n;
        return;
    }
    int64_t middle = begin + (end - begin) / 2, split = first, high = last;
    while (split < high) { /* first local target at or beyond the middle */
        int64_t k = split + (high - split) / 2;
        if (r->post->gid[k] - r->post->gid_begin < middle)
            split = k + 1;
        else
            high = k;
    }
    lw_stream s = lw_stream_start(r->net->seed, LW_PURPOSE_COUNT, number, (uint64_t)r->proj);
    int64_t lower = r->spec->multapses
                        ? lw_stream_binomial(&s, n, (double)(middle - begin) / (double)(end - begin))
                        : lw_stream_hypergeometric(&s, n, pairs_of(r, begin, middle), pairs_of(r, middle, end));
    descend(r, 2 * number, begin, middle, lower, first, split);
    descend(r, 2 * number + 1, middle, end, n - lower, split, last);
}

lw_err net_total_counts(net_rule *r) {
    LW_TRY(lw_alloc((size_t)r->post->n_local, sizeof *r->count, "synapses by target", &r->count));
    descend(r, 1, 0, r->post->size, r->spec->n, 0, r->post->n_local);
    return LW_OK;
}
