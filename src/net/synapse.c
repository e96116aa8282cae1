/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The synapses of one projection before they are stored, target by target: sources from a list or drawn (again) by the
 * rule, weights and delays from their distributions. A pure function of the specification: whoever asks, and how often,
 * gets the same numbers.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

static lw_err delay_steps(const net_synapses *y, double ms, int32_t *steps) {
    double dt = y->net->dt;
    LW_CHECK(isfinite(ms) && ms <= NET_DELAY_MOST * dt, LW_EUSE,
        "projection \"%s\": a drawn delay of %g ms; allowed: at most %g ms", y->net->proj[y->proj].view.name, ms,
        NET_DELAY_MOST * dt);
    double exact = ms < dt ? ms != 0 : ms / dt;
    int32_t below = (int32_t)exact;
    *steps = below + (exact - below >= 0.5); /* lround, which is a call */
    return LW_OK;
}

/* Without rule and list yet. */
static lw_err synapses_begin(const lw_net *net, const lw_projection_spec *spec, int32_t proj, net_synapses *y) {
    *y = (net_synapses){.net = net,
        .spec = spec,
        .pre = &net->pop[spec->pre],
        .post = &net->pop[spec->post],
        .proj = proj,
        .one_delay = -1};
    if (spec->learn_delay) { /* as if of one step: what is beyond stands beside */
        y->one_delay = 1;
        return LW_OK;
    }
    if (spec->rule == LW_RULE_EDGES || !net_delay_constant(spec)) return LW_OK;
    return delay_steps(y, lw_dist_value(&spec->delay, 0, 0, LW_PURPOSE_DELAY, 0, 0), &y->one_delay);
}

lw_err net_synapses_drawn(const lw_net *net, const lw_projection_spec *spec, int32_t proj, net_synapses *y) {
    LW_TRY(synapses_begin(net, spec, proj, y));
    y->drawn = true;
    return net_rule_open(net, spec, proj, &y->rule);
}

lw_err net_synapses_listed(
    const lw_net *net, const lw_projection_spec *spec, int32_t proj, const net_given *given, net_synapses *y) {
    lw_err err = lw_comm_agree(net->comm, synapses_begin(net, spec, proj, y));
    if (err == LW_OK) err = net_connect(net, spec, proj, given, &y->in);
    return err;
}

void net_synapses_free(net_synapses *y) {
    if (y->drawn) net_rule_close(&y->rule);
    net_incoming_free(&y->in);
    lw_free(y->scratch);
    lw_free(y->weight);
    lw_free(y->ms);
    lw_free(y->distance);
    lw_free(y->delay);
    *y = (net_synapses){0};
}

static lw_err reserve(net_synapses *y, int64_t n) {
    const lw_projection_spec *spec = y->spec;
    if (n <= y->room) return LW_OK;
    int64_t room = n + n / 4 + 64;
    if (spec->weight_of.kind != LW_PROFILE_NONE || spec->delay_of.kind != LW_PROFILE_NONE)
        LW_TRY(lw_grow(&y->distance, (size_t)y->room, (size_t)room, sizeof *y->distance, "distances of sources"));
    LW_TRY(lw_grow(&y->scratch, (size_t)y->room, (size_t)room, sizeof *y->scratch, "sources of a target"));
    LW_TRY(lw_grow(&y->weight, (size_t)y->room, (size_t)room, sizeof *y->weight, "weights of a target"));
    LW_TRY(lw_grow(&y->ms, (size_t)y->room, (size_t)room, sizeof *y->ms, "delays of a target"));
    LW_TRY(lw_grow(&y->delay, (size_t)y->room, (size_t)room, sizeof *y->delay, "delays of a target"));
    y->room = room;
    return LW_OK;
}

lw_err net_synapses_target(net_synapses *y, int64_t t) {
    y->distances_known = false;
    if (y->drawn) {
        LW_TRY(net_rule_draw(&y->rule, y->post->gid[t]));
        y->n = y->rule.draw.n;
        LW_TRY(reserve(y, y->n));
        for (int64_t k = 0; k < y->n; k++)
            y->scratch[k] = (uint32_t)y->rule.draw.index[k];
        y->source = y->scratch;
    } else if (y->in.complete) {
        y->begin = t * y->pre->size;
        y->n = y->pre->size;
        if (y->room == 0) {
            LW_TRY(reserve(y, y->n));
            for (int64_t k = 0; k < y->n; k++)
                y->scratch[k] = (uint32_t)k;
        }
        y->source = y->scratch;
    } else {
        y->begin = y->in.begin[t];
        y->n = y->in.begin[t + 1] - y->begin;
        LW_TRY(reserve(y, y->n));
        y->source = y->in.source + y->begin;
    }
    return LW_OK;
}

/* Once per target, though weights and delays ask; NULL where nothing depends on them. */
static const double *distances(net_synapses *y, int64_t t) {
    if (!y->distance || y->distances_known) return y->distance;
    if (y->drawn && y->rule.space)
        net_space_distances(y->rule.space, y->distance);
    else
        net_distances(y->net, y->spec, t, y->source, y->n, y->distance);
    y->distances_known = true;
    return y->distance;
}

void net_synapses_weights(net_synapses *y, int64_t t) {
    double sum = 0;
    if (y->in.given)
        for (int64_t k = 0; k < y->n; k++)
            y->weight[k] = y->in.given[y->begin + k].weight;
    else
        net_weight_values(y->net, y->spec, y->proj, t, y->source, distances(y, t), y->n, y->weight);
    if (!y->spec->zero_mean) return;
    for (int64_t k = 0; k < y->n; k++)
        sum += y->weight[k];
    for (int64_t k = 0; k < y->n; k++)
        y->weight[k] -= sum / (double)y->n;
}

lw_err net_synapses_delays(net_synapses *y, int64_t t) {
    if (y->in.given || y->one_delay >= 0) {
        for (int64_t k = 0; k < y->n; k++)
            y->delay[k] = y->one_delay >= 0 ? y->one_delay : y->in.given[y->begin + k].delay;
        return LW_OK;
    }
    net_delay_values(y->net, y->spec, y->proj, t, y->source, distances(y, t), y->n, y->ms);
    for (int64_t k = 0; k < y->n; k++)
        LW_TRY(delay_steps(y, y->ms[k], &y->delay[k]));
    return LW_OK;
}

float net_lag_clamp(double steps, int32_t lag_max) {
    return (float)fmin(fmax(steps, 1), lag_max);
}

void net_synapses_lags(net_synapses *y, int64_t t) {
    int32_t most = y->net->proj[y->proj].view.lag_max;
    if (y->in.given) {
        for (int64_t k = 0; k < y->n; k++) {
            float lag;
            memcpy(&lag, &y->in.given[y->begin + k].delay, sizeof lag);
            y->ms[k] = (double)net_lag_clamp((double)lag, most);
        }
        return;
    }
    net_delay_values(y->net, y->spec, y->proj, t, y->source, distances(y, t), y->n, y->ms);
    for (int64_t k = 0; k < y->n; k++)
        y->ms[k] = (double)net_lag_clamp(y->ms[k] / y->net->dt, most);
}
