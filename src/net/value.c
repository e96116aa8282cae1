/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values: weights and delays of the drawn synapses of one target, from a distribution keyed by the pair or from the
 * distance of its ends. Whoever asks gets the same number. Symmetric projections key by the unordered pair and mirrors
 * by the pair of the projection they mirror, so both directions agree.
 */
#include <math.h>
#include "net_private.h"

bool net_weight_constant(const lw_projection_spec *spec) {
    if (spec->weight_of.kind != LW_PROFILE_NONE) return false;
    if (spec->rule == LW_RULE_CLUSTERED && spec->weight_in != 1) return false;
    return spec->weight.kind == LW_DIST_CONSTANT;
}

bool net_delay_constant(const lw_projection_spec *spec) {
    return spec->delay_of.kind == LW_PROFILE_NONE && spec->delay.kind == LW_DIST_CONSTANT;
}

int64_t net_cluster_of(int64_t index, int64_t n_clusters, int64_t size) {
    return (int64_t)((uint64_t)index * (uint64_t)n_clusters / (uint64_t)size);
}

int64_t net_cluster_begin(int64_t cluster, int64_t n_clusters, int64_t size) {
    return (int64_t)(((uint64_t)cluster * (uint64_t)size + (uint64_t)n_clusters - 1) / (uint64_t)n_clusters);
}

/* Element of a list of weights or delays: by target, for all_to_all by target and source. */
static int64_t list_index(
    const lw_projection_spec *spec, int64_t target, int64_t source, int64_t n_pre, int64_t n_post) {
    if (spec->rule == LW_RULE_WINDOW) return net_window_entry(&spec->window, target, source);
    if (spec->rule != LW_RULE_ALL_TO_ALL) return target;
    return spec->mirror ? source * n_post + target : target * n_pre + source;
}

/* Drawn values of n synapses of target t, sources ascending, multapses side by side. */
static void drawn(const lw_net *net, const lw_projection_spec *spec, const lw_dist *dist, lw_purpose purpose,
    int32_t proj, int64_t t, const uint32_t *source, int64_t n, double *out) {
    enum { PORTION = 512 };
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    uint64_t a[PORTION], b[PORTION], key = (uint64_t)(spec->mirror ? spec->mirror - 1 : proj);
    int64_t index[PORTION], target = post->gid[t] - post->gid_begin;
    uint64_t order = 0;
    bool shared = spec->rule == LW_RULE_WINDOW && spec->window.shared && purpose == LW_PURPOSE_WEIGHT;
    for (int64_t begin = 0; begin < n; begin += PORTION) {
        int64_t here = n - begin < PORTION ? n - begin : PORTION;
        for (int64_t i = 0; i < here; i++) {
            int64_t k = begin + i;
            uint64_t to = (uint64_t)post->gid[t], from = (uint64_t)(pre->gid_begin + source[k]);
            if (spec->mirror || (spec->symmetric && from > to)) {
                uint64_t other = to;
                to = from;
                from = other;
            }
            order = k > 0 && source[k] == source[k - 1] ? order + 1 : 0;
            a[i] = to << 32 ^ from;
            b[i] = key | order << 32;
            if (shared) a[i] = (uint64_t)net_window_entry(&spec->window, target, source[k]);
            if (dist->kind == LW_DIST_LIST) index[i] = list_index(spec, target, source[k], pre->size, post->size);
        }
        lw_dist_values(dist, here, dist->kind == LW_DIST_LIST ? index : NULL, net->seed, purpose, a, b, out + begin);
    }
}

void net_distances(
    const lw_net *net, const lw_projection_spec *spec, int64_t t, const uint32_t *source, int64_t n, double *out) {
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    double from[3], to[3];
    for (int32_t d = 0; d < pre->layout.n_dim; d++)
        to[d] = post->position[d][t];
    for (int64_t k = 0; k < n; k++) {
        net_position(net, spec->pre, source[k], from);
        out[k] = net_distance(&pre->layout, from, to);
    }
}

void net_weight_values(const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t,
    const uint32_t *source, const double *distance, int64_t n, double *out) {
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    if (spec->weight_of.kind == LW_PROFILE_NONE)
        drawn(net, spec, &spec->weight, LW_PURPOSE_WEIGHT, proj, t, source, n, out);
    else
        for (int64_t k = 0; k < n; k++)
            out[k] = lw_profile_value(&spec->weight_of, distance[k]);
    if (spec->rule != LW_RULE_CLUSTERED) return;
    int64_t cluster = net_cluster_of(post->gid[t] - post->gid_begin, spec->n, post->size);
    for (int64_t k = 0; k < n; k++)
        if (net_cluster_of(source[k], spec->n, pre->size) == cluster) out[k] *= spec->weight_in;
}

/* By distance a delay is never below a step: neurons at one place are not felt in the same step. */
void net_delay_values(const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t,
    const uint32_t *source, const double *distance, int64_t n, double *out) {
    if (spec->delay_of.kind == LW_PROFILE_NONE) {
        drawn(net, spec, &spec->delay, LW_PURPOSE_DELAY, proj, t, source, n, out);
        return;
    }
    for (int64_t k = 0; k < n; k++)
        out[k] = fmax(net->dt, lw_profile_value(&spec->delay_of, distance[k]));
}
