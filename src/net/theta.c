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
            block_add(
                theta, (lw_theta_block){.is_weight = true, .proj = i, .pop = -1, .param = -1, .count = proj->n_edges});
        if (proj->lag_max)
            block_add(
                theta, (lw_theta_block){.is_delay = true, .proj = i, .pop = -1, .param = -1, .count = proj->n_edges});
    }
    for (int32_t p = 0; p < net->n_pop; p++)
        for (int32_t i = 0; i < net->pop[p].model->n_param; i++)
            if (net->pop[p].learn[i])
                block_add(theta, (lw_theta_block){.proj = -1, .pop = p, .param = i, .count = net->pop[p].n_local});
    theta->n_global = theta->n_local;
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

void lw_theta_get(const lw_theta *theta, const lw_net *net, double *x) {
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        double *to = x + block->offset;
        if (block->is_delay) {
            for (int64_t i = 0; i < block->count; i++)
                to[i] = (double)net->proj[block->proj].view.lag[i];
            continue;
        }
        if (!block->is_weight) {
            memcpy(to, net->pop[block->pop].param[block->param], (size_t)block->count * sizeof *to);
            continue;
        }
        const lw_proj_view *proj = &net->proj[block->proj].view;
        for (int64_t i = 0; i < block->count; i++)
            to[i] = lw_net_weight(proj, i);
    }
}

static void weights_put(const lw_proj_view *proj, const double *x, int64_t n) {
    if (proj->weight_type == LW_F64) {
        memcpy(proj->weight, x, (size_t)n * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        ((float *)proj->weight)[i] = (float)x[i];
}

/* Values outside the range are written back clamped; stored as floats, as weights may be. */
static void lags_put(const lw_proj_view *proj, double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        x[i] = fmin(fmax(x[i], 1), proj->lag_max);
        proj->lag[i] = (float)x[i];
    }
}

void lw_theta_put(const lw_theta *theta, lw_net *net, double *x) {
    for (int32_t b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        double *from = x + block->offset;
        if (block->is_weight) {
            weights_put(&net->proj[block->proj].view, from, block->count);
            continue;
        }
        if (block->is_delay) {
            lags_put(&net->proj[block->proj].view, from, block->count);
            continue;
        }
        const lw_pop_view *pop = &net->pop[block->pop];
        for (int64_t i = 0; i < block->count; i++) {
            from[i] = lw_model_param_clamp(pop->model, block->param, from[i]);
            pop->param[block->param][i] = from[i];
        }
    }
}
