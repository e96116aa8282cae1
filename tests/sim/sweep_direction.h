/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Directions in theta for the networks of sweep_net.h, keyed by gid: the same on any number of ranks.
 */
#ifndef LAPWING_TEST_SWEEP_DIRECTION_H
#define LAPWING_TEST_SWEEP_DIRECTION_H

#include "sweep_net.h"

/* how far a number of theta is moved */
static inline double theta_scale(const bench *b, const bench_drive *d, const lw_theta_block *block) {
    if (block->is_weight) return d->weight;
    if (block->is_delay) return 0.05;
    double value = fabs(lw_net_pop(b->net, block->pop).model->param[block->param].value);
    return value > 0 ? 0.05 * value : 0.05;
}

static inline double *theta_direction(const bench *b, const bench_drive *d, uint64_t stream) {
    double *v = calloc((size_t)b->theta->n_local + 1, sizeof *v);
    for (int i = 0; i < b->theta->n_blocks; i++) {
        const lw_theta_block *block = &b->theta->block[i];
        double scale = theta_scale(b, d, block);
        if (block->pop >= 0) {
            lw_pop_view pop = lw_net_pop(b->net, block->pop);
            for (int64_t j = 0; j < block->count; j++)
                v[block->offset + j] = scale * key_normal(stream, pop.gid[j], 1000 + block->param);
            continue;
        }
        lw_edge *edge;
        int64_t *number, n;
        CHECK_OK(lw_net_edges(b->net, block->proj, &edge, &number, &n));
        for (int64_t j = 0; j < n; j++)
            v[block->offset + number[j]] = scale * key_normal(stream, edge[j].target * 1000 + edge[j].source,
                                                       block->proj * 100 + block->is_delay * 50 + edge[j].order);
        lw_free(edge);
        lw_free(number);
    }
    return v;
}

#endif
