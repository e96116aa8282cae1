/* SPDX-License-Identifier: BSD-3-Clause
 *
 * theta: what is learned, as one vector per rank: weights and delays of learning projections in edge order, then
 * learning parameters in lid order.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

static int32_t blocks_count(const lw_net *net) {
    int32_t n = 0;
    for (int32_t i = 0; i < net->n_proj; i++)
        n += net->proj[i].view.learn + (net->proj[i].view.lag_max > 0);
    for (int32_t p = 0; p < net->n_pop; p++)
        for (int32_t i = 0; i < net->pop[p].model->n_param; i++)
            n += net->pop[p].learn[i] != 0;
    return n;
}

static void block_add(lw_theta *theta, lw_theta_block block) {
    block.offset = theta->n_local;
    block.counted = block.counted || !block.tied;
    theta->n_local += block.count;
    theta->block[theta->n_blocks++] = block;
}

lw_err lw_theta_create(const lw_net *net, lw_theta **out) {
    lw_theta *theta = NULL;
    lw_err err = lw_alloc(1, sizeof *theta, "theta", &theta);
    if (err == LW_OK) err = lw_alloc((size_t)blocks_count(net), sizeof *theta->block, "theta blocks", &theta->block);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    for (int32_t i = 0; i < net->n_proj; i++) {
        const lw_proj_view *proj = &net->proj[i].view;
        if (proj->learn)
            block_add(theta, (lw_theta_block){.is_weight = true,
                                 .tied = proj->n_tied > 0,
                                 .counted = lw_comm_rank(net->comm) == 0,
                                 .proj = i,
                                 .pop = -1,
                                 .param = -1,
                                 .count = proj->n_tied ? proj->n_tied : proj->n_edges});
        if (proj->lag_max)
            block_add(
                theta, (lw_theta_block){.is_delay = true, .proj = i, .pop = -1, .param = -1, .count = proj->n_edges});
    }
    for (int32_t p = 0; p < net->n_pop; p++)
        for (int32_t i = 0; i < net->pop[p].model->n_param; i++)
            if (net->pop[p].learn[i])
                block_add(theta, (lw_theta_block){.proj = -1, .pop = p, .param = i, .count = net->pop[p].n_local});
    for (int32_t b = 0; b < theta->n_blocks; b++)
        theta->n_global += theta->block[b].counted ? theta->block[b].count : 0;
    lw_comm_sum_i64(net->comm, &theta->n_global, 1);
done:
    if (err != LW_OK) lw_theta_destroy(&theta);
    *out = theta;
    return err;
}

void lw_theta_destroy(lw_theta **theta) {
    if (!*theta) return;
    lw_free((*theta)->block);
    lw_free(*theta);
    *theta = NULL;
}

double lw_theta_inner(const lw_theta *theta, const double *a, const double *b) {
    double sum = 0;
    for (int32_t k = 0; k < theta->n_blocks; k++) {
        const lw_theta_block *block = &theta->block[k];
        for (int64_t i = block->offset; block->counted && i < block->offset + block->count; i++)
            sum += a[i] * b[i];
    }
    return sum;
}

/* Numbers [*first, *first + n) of a block that lie in [lo, hi) of the vector; returns n. */
static int64_t overlap(const lw_theta_block *block, int64_t lo, int64_t hi, int64_t *first) {
    int64_t begin = block->offset > lo ? block->offset : lo, end = block->offset + block->count;
    if (end > hi) end = hi;
    *first = begin - block->offset;
    return end > begin ? end - begin : 0;
}

static void weights_get(const lw_proj_view *proj, int64_t first, int64_t n, double *to) {
    if (proj->n_tied) {
        memcpy(to, proj->tied + first, (size_t)n * sizeof *to);
        return;
    }
    if (!proj->weight || proj->weight_type != LW_F32) {
        for (int64_t i = 0; i < n; i++)
            to[i] = lw_net_weight(proj, first + i);
        return;
    }
    const float *from = (const float *)proj->weight + first;
    for (int64_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

void lw_theta_range_get(const lw_theta *theta, const lw_net *net, int64_t lo, int64_t hi, double *x) {
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        int64_t first, n = overlap(block, lo, hi, &first);
        if (n == 0) continue;
        double *to = x + (block->offset + first - lo);
        if (block->is_delay) {
            for (int64_t i = 0; i < n; i++)
                to[i] = (double)net->proj[block->proj].view.lag[first + i];
        } else if (block->is_weight) {
            weights_get(&net->proj[block->proj].view, first, n, to);
        } else {
            memcpy(to, net->pop[block->pop].param[block->param] + first, (size_t)n * sizeof *to);
        }
    }
}

/* An entry's value is what its synapses hold, so rounded as they are. */
static void tied_put(const lw_proj_view *proj, int64_t first, const double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double value = proj->weight_type == LW_F32 ? (double)(float)x[i] : x[i];
        proj->tied[first + i] = value;
        for (int64_t k = proj->tied_begin[first + i]; k < proj->tied_begin[first + i + 1]; k++)
            net_weight_put(proj->weight_type, proj->weight, proj->tied_edge[k], value);
    }
}

static void weights_put(const lw_proj_view *proj, int64_t first, const double *x, int64_t n) {
    if (proj->n_tied) {
        tied_put(proj, first, x, n);
        return;
    }
    if (proj->weight_type == LW_F64) {
        memcpy((double *)proj->weight + first, x, (size_t)n * sizeof *x);
        return;
    }
    float *to = (float *)proj->weight + first;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)x[i];
}

/* Values outside the range are written back clamped; stored as floats, as weights may be. */
static void lags_put(const lw_proj_view *proj, int64_t first, double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = fmin(fmax(x[i], 1), proj->lag_max);
        proj->lag[first + i] = (float)x[i];
    }
}

void lw_theta_range_put(const lw_theta *theta, lw_net *net, int64_t lo, int64_t hi, double *x) {
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        int64_t first, n = overlap(block, lo, hi, &first);
        if (n == 0) continue;
        double *from = x + (block->offset + first - lo);
        if (block->is_weight) {
            weights_put(&net->proj[block->proj].view, first, from, n);
            continue;
        }
        if (block->is_delay) {
            lags_put(&net->proj[block->proj].view, first, from, n);
            continue;
        }
        const lw_pop_view *pop = &net->pop[block->pop];
        for (int64_t i = 0; i < n; i++) {
            from[i] = lw_model_param_clamp(pop->model, block->param, from[i]);
            pop->param[block->param][first + i] = from[i];
        }
    }
}

void lw_theta_get(const lw_theta *theta, const lw_net *net, double *x) {
    lw_theta_range_get(theta, net, 0, theta->n_local, x);
}

void lw_theta_put(const lw_theta *theta, lw_net *net, double *x) {
    lw_theta_range_put(theta, net, 0, theta->n_local, x);
}
