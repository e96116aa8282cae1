/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules: who connects to whom. Target-side rules draw the sources of each local target from the target's stream, here;
 * the other rules are in arrive.c. The result is the same for any number of ranks: the incoming synapses of each
 * target, sources ascending.
 */
#include <math.h>
#include "net_private.h"

void net_incoming_free(net_incoming *in) {
    lw_free(in->begin);
    lw_free(in->source);
    lw_free(in->given);
    *in = (net_incoming){0};
}

static lw_err all_sources(net_draw *d, int64_t size, int64_t self) {
    LW_TRY(net_draw_reserve(d, size));
    d->n = 0;
    for (int64_t i = 0; i < size; i++)
        if (i != self) d->index[d->n++] = (uint64_t)i;
    return LW_OK;
}

static lw_err one_source(net_draw *d, int64_t index) {
    LW_TRY(net_draw_reserve(d, 1));
    d->n = 1;
    d->index[0] = (uint64_t)index;
    return LW_OK;
}

lw_err net_rule_draw(net_rule *r, int64_t gid) {
    const lw_projection_spec *spec = r->spec;
    int64_t index = gid - r->post->gid_begin, self = spec->pre == spec->post && !spec->autapses ? index : -1;
    lw_stream s = lw_stream_start(r->net->seed, LW_PURPOSE_CONNECT, (uint64_t)gid, (uint64_t)r->proj);
    if (r->space) return net_space_draw(r->space, &r->draw, &s, index, self);
    switch (spec->rule) {
    case LW_RULE_ALL_TO_ALL:
        return all_sources(&r->draw, r->pre->size, self);
    case LW_RULE_ONE_TO_ONE:
        return one_source(&r->draw, index);
    case LW_RULE_FIXED_INDEGREE:
        return net_draw_some(&r->draw, &s, spec->n, r->pre->size, self, !spec->multapses);
    case LW_RULE_FIXED_TOTAL_NUMBER:
        return net_draw_some(
            &r->draw, &s, r->count[net_local_number(r->net, spec->post, index)], r->pre->size, self, !spec->multapses);
    case LW_RULE_PAIRWISE_BERNOULLI:
        return net_draw_bernoulli(&r->draw, &s, spec->p, r->pre->size, self);
    case LW_RULE_CLUSTERED: {
        int64_t cluster = net_cluster_of(index, spec->n, r->post->size);
        return net_draw_clustered(&r->draw, &s, spec->p, spec->p_out, net_cluster_begin(cluster, spec->n, r->pre->size),
            net_cluster_begin(cluster + 1, spec->n, r->pre->size), r->pre->size, self);
    }
    case LW_RULE_WINDOW:
        return net_window_draw(&r->draw, &spec->window, index);
    case LW_RULE_FIXED_OUTDEGREE:
    case LW_RULE_SMALL_WORLD:
    case LW_RULE_EDGES:
        break;
    }
    LW_ASSERT(!"a rule of the target's side");
    return LW_EUSE;
}

/* Chance of a pair, averaged over all, of the rules that have one. */
static double mean_probability(const net_rule *r) {
    const lw_projection_spec *spec = r->spec;
    if (spec->rule == LW_RULE_CLUSTERED) return spec->p_out + (spec->p - spec->p_out) / (double)spec->n;
    return spec->p_of.kind == LW_PROFILE_NONE ? spec->p : net_profile_mean(spec, &r->pre->layout);
}

/* Synapses to expect; for the random rule with six standard deviations, so that growing is rare. */
static int64_t expected_synapses(const net_rule *r) {
    double pairs = (double)r->post->n_local * (double)r->pre->size, p = mean_probability(r);
    switch (r->spec->rule) {
    case LW_RULE_ALL_TO_ALL:
        return r->post->n_local * r->pre->size;
    case LW_RULE_WINDOW:
        return (int64_t)(lw_window_synapses(&r->spec->window) / (double)r->post->size * (double)r->post->n_local) + 1;
    case LW_RULE_FIXED_INDEGREE:
        return r->post->n_local * r->spec->n;
    case LW_RULE_FIXED_TOTAL_NUMBER:
        p = (double)r->spec->n / ((double)r->post->size * (double)r->pre->size);
        return (int64_t)(pairs * p + 6 * sqrt(pairs * p)) + 1;
    case LW_RULE_PAIRWISE_BERNOULLI:
    case LW_RULE_CLUSTERED:
        return (int64_t)(pairs * p + 6 * sqrt(pairs * p * (1 - p))) + 1;
    case LW_RULE_ONE_TO_ONE:
    case LW_RULE_FIXED_OUTDEGREE:
    case LW_RULE_SMALL_WORLD:
    case LW_RULE_EDGES:
        break;
    }
    return r->post->n_local;
}

/* **Local** */
static lw_err connect_targets(net_rule *r, net_incoming *out) {
    int64_t capacity = expected_synapses(r);
    LW_TRY(lw_alloc((size_t)capacity, sizeof *out->source, "sources of synapses", &out->source));
    for (int64_t t = 0; t < r->post->n_local; t++) {
        LW_TRY(net_rule_draw(r, r->post->gid[t]));
        if (out->n + r->draw.n > capacity) {
            int64_t wider = capacity + capacity / 8 + r->draw.n;
            LW_TRY(lw_grow(&out->source, (size_t)capacity, (size_t)wider, sizeof *out->source, "sources of synapses"));
            capacity = wider;
        }
        for (int64_t k = 0; k < r->draw.n; k++)
            out->source[out->n++] = (uint32_t)r->draw.index[k];
        out->begin[t + 1] = out->n;
    }
    return LW_OK;
}

/* All pairs with one delay need no list of sources. */
static bool complete(const lw_projection_spec *spec) {
    return spec->rule == LW_RULE_ALL_TO_ALL && (spec->autapses || spec->pre != spec->post) && net_delay_constant(spec);
}

/* Products of sizes must stay numbers. Given edges exist already. */
static lw_err amount_check(const net_rule *r) {
    double targets = (double)r->post->n_local, n = 0;
    switch (r->spec->rule) {
    case LW_RULE_ALL_TO_ALL:
    case LW_RULE_PAIRWISE_BERNOULLI:
    case LW_RULE_CLUSTERED:
        n = targets * (double)r->pre->size * (r->spec->rule == LW_RULE_ALL_TO_ALL ? 1 : mean_probability(r));
        break;
    case LW_RULE_FIXED_INDEGREE:
        n = targets * (double)r->spec->n;
        break;
    case LW_RULE_FIXED_TOTAL_NUMBER:
        n = targets / (double)r->post->size * (double)r->spec->n;
        break;
    case LW_RULE_FIXED_OUTDEGREE:
    case LW_RULE_SMALL_WORLD:
        n = (double)r->pre->size * (double)r->spec->n / r->net->partition.size;
        break;
    case LW_RULE_WINDOW:
        n = lw_window_synapses(&r->spec->window);
        break;
    case LW_RULE_ONE_TO_ONE:
    case LW_RULE_EDGES:
        break;
    }
    LW_CHECK(n < 0x1p50, LW_EMEM, "projection \"%s\" has about %.3g synapses per rank; no rank can hold more than %.3g",
        r->net->proj[r->proj].view.name, n, 0x1p50);
    return LW_OK;
}

/* The drawing rules of the target's side need no list of who was drawn: they can be asked again. */
bool net_rule_of_target(const lw_projection_spec *spec) {
    if (spec->rule == LW_RULE_PAIRWISE_BERNOULLI && (spec->symmetric || spec->mirror)) return false;
    return spec->rule != LW_RULE_FIXED_OUTDEGREE && spec->rule != LW_RULE_SMALL_WORLD && spec->rule != LW_RULE_EDGES;
}

lw_err net_rule_open(const lw_net *net, const lw_projection_spec *spec, int32_t proj, net_rule *r) {
    *r = (net_rule){.net = net, .spec = spec, .pre = &net->pop[spec->pre], .post = &net->pop[spec->post], .proj = proj};
    LW_TRY(amount_check(r));
    if (spec->p_of.kind != LW_PROFILE_NONE) return net_space_create(r, &r->space);
    return spec->rule == LW_RULE_FIXED_TOTAL_NUMBER ? net_total_counts(r) : LW_OK;
}

void net_rule_close(net_rule *r) {
    net_draw_free(&r->draw);
    net_space_destroy(&r->space);
    lw_free(r->count);
    r->count = NULL;
}

lw_err net_connect(
    const lw_net *net, const lw_projection_spec *spec, int32_t proj, const net_given *given, net_incoming *out) {
    net_rule r;
    lw_err err = net_rule_open(net, spec, proj, &r);
    *out = (net_incoming){.n_targets = r.post->n_local};
    if (err == LW_OK && complete(spec)) {
        out->complete = true;
        out->n = r.post->n_local * r.pre->size;
    } else if (err == LW_OK) {
        err = lw_alloc((size_t)out->n_targets + 1, sizeof *out->begin, "synapses by target", &out->begin);
    }
    err = lw_comm_agree(net->comm, err);
    if (err == LW_OK && !out->complete) {
        if (spec->rule == LW_RULE_EDGES)
            err = net_connect_edges(&r, given, out);
        else
            err = net_rule_of_target(spec) ? connect_targets(&r, out) : net_connect_sources(&r, out);
        err = lw_comm_agree(net->comm, err);
    }
    net_rule_close(&r);
    if (err != LW_OK) net_incoming_free(out);
    return err;
}
