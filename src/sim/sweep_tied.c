/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Tied weights in the sweeps. Panels know synapses only, so gradients of synapses that share a kernel entry are
 * gathered one by one and summed by entry when the sweep is over, first here and then over the ranks; a direction of
 * the entries is spread over the synapses before a tangent sweep.
 */
#include <string.h>
#include "sweep.h"

lw_err sweep_tied_plan(const lw_sim *sim, const lw_theta *theta, sweep_memory *m, sweep_grad *g) {
    int64_t most = 0;
    LW_TRY(sweep_take(m, sim->n_proj, sizeof *g->tied, "tied weights", &g->tied));
    for (int j = 0; j < sim->n_proj; j++) {
        double *of_synapse = NULL;
        if (sim->proj[j].n_tied == 0 || sweep_weight_offset(theta, j) < 0) continue;
        LW_TRY(sweep_take(m, sim->proj[j].n_edges, sizeof *of_synapse, "gradients of tied weights", &of_synapse));
        if (!m->dry) g->tied[j] = of_synapse;
        if (sim->proj[j].n_tied > most) most = sim->proj[j].n_tied;
    }
    return sweep_take(m, most, sizeof *g->entry, "gradients of tied weights", &g->entry);
}

void sweep_tied_begin(lw_sim *sim, sweep_grad *g) {
    for (int j = 0; j < sim->n_proj; j++)
        if (g->tied[j]) memset(g->tied[j], 0, (size_t)sim->proj[j].n_edges * sizeof(double));
}

void sweep_tied_end(lw_sim *sim, const lw_theta *theta, sweep_grad *g, const lw_tape_seed *seed, double *grad) {
    for (int b = 0; theta && b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        if (!block->tied) continue;
        const lw_proj_view *proj = &sim->proj[block->proj];
        const double *of_synapse = g->tied[block->proj];
        for (int64_t e = 0; e < block->count; e++) {
            g->entry[e] = 0;
            for (int64_t k = proj->tied_begin[e]; k < proj->tied_begin[e + 1]; k++)
                g->entry[e] += of_synapse[proj->tied_edge[k]];
        }
        lw_comm_sum_f64(lw_net_comm(sim->net), g->entry, block->count);
        for (int64_t e = 0; e < block->count; e++)
            grad[block->offset + e] += g->entry[e];
        if (seed && seed->ready) seed->ready(seed->payload, b);
    }
}

void sweep_direction_spread(lw_sim *sim, const lw_theta *theta, sweep_grad *g, const double *direction) {
    for (int b = 0; theta && b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        if (!block->tied) continue;
        const lw_proj_view *proj = &sim->proj[block->proj];
        for (int64_t e = 0; e < block->count; e++)
            for (int64_t k = proj->tied_begin[e]; k < proj->tied_begin[e + 1]; k++)
                g->tied[block->proj][proj->tied_edge[k]] = direction[block->offset + e];
    }
}

const double *sweep_direction(
    const lw_sim *sim, const lw_theta *theta, const sweep_grad *g, int proj, const double *direction) {
    int64_t offset = direction ? sweep_weight_offset(theta, proj) : -1;
    if (offset < 0) return NULL;
    return sim->proj[proj].n_tied ? g->tied[proj] : direction + offset;
}
