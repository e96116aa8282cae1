/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values: weight and delay of one drawn synapse, from a distribution keyed by the pair or from the distance of its
 * ends. Whoever asks gets the same number. Symmetric projections key by the unordered pair and mirrors by the pair of
 * the projection they mirror, so both directions agree.
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
    if (spec->rule != LW_RULE_ALL_TO_ALL) return target;
    return spec->mirror ? source * n_post + target : target * n_pre + source;
}

static double drawn(const lw_net *net, const lw_projection_spec *spec, const lw_dist *dist, lw_purpose purpose,
    int32_t proj, int64_t t, int64_t source, int32_t order) {
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    uint64_t to = (uint64_t)post->gid[t], from = (uint64_t)(pre->gid_begin + source);
    if (spec->mirror || (spec->symmetric && from > to)) {
        uint64_t other = to;
        to = from;
        from = other;
    }
    uint64_t key = (uint64_t)(spec->mirror ? spec->mirror - 1 : proj) | (uint64_t)order << 32;
    return lw_dist_value(dist, list_index(spec, post->gid[t] - post->gid_begin, source, pre->size, post->size),
        net->seed, purpose, to << 32 ^ from, key);
}

static double distance(const lw_net *net, const lw_projection_spec *spec, int64_t t, int64_t source) {
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    double from[3], to[3];
    net_position(net, spec->pre, source, from);
    for (int32_t d = 0; d < pre->layout.n_dim; d++)
        to[d] = post->position[d][t];
    return net_distance(&pre->layout, from, to);
}

double net_weight_value(
    const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t, int64_t source, int32_t order) {
    const lw_pop_view *pre = &net->pop[spec->pre], *post = &net->pop[spec->post];
    double w = spec->weight_of.kind != LW_PROFILE_NONE
                   ? lw_profile_value(&spec->weight_of, distance(net, spec, t, source))
                   : drawn(net, spec, &spec->weight, LW_PURPOSE_WEIGHT, proj, t, source, order);
    if (spec->rule != LW_RULE_CLUSTERED) return w;
    bool same = net_cluster_of(source, spec->n, pre->size) ==
                net_cluster_of(post->gid[t] - post->gid_begin, spec->n, post->size);
    return same ? w * spec->weight_in : w;
}

/* By distance a delay is never below a step: neurons at one place are not felt in the same step. */
double net_delay_value(
    const lw_net *net, const lw_projection_spec *spec, int32_t proj, int64_t t, int64_t source, int32_t order) {
    if (spec->delay_of.kind != LW_PROFILE_NONE)
        return fmax(net->dt, lw_profile_value(&spec->delay_of, distance(net, spec, t, source)));
    return drawn(net, spec, &spec->delay, LW_PURPOSE_DELAY, proj, t, source, order);
}
