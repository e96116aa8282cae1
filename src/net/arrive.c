/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Synapses that are not made where their target lives. Source-side rules draw the targets of an even share of the
 * sources from the sources' streams; given edges come as they lie. Both travel to the owners of their targets in
 * rounds, so that no more than a round is held twice, and are gathered there by target.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "net_private.h"

enum { ROUND = 1 << 18 }; /* synapses a rank sends in one round */

/* What travels for a drawn synapse: indices in post and pre. */
typedef struct pair {
    uint32_t target, source;
} pair;

/* What arrived, round by round. */
typedef struct chunks {
    void **data;
    int64_t *n;
    int64_t count;
} chunks;

/* Undirected pairs: each belongs to one of its neurons, which draws it: to the one from which the other is less than
 * half the way round the ring of indices (at exactly half, to the lower one). */
static lw_err half_draw(net_rule *r, lw_stream *s, int64_t index) {
    int64_t size = r->pre->size, half = (size - 1) / 2 + (size % 2 == 0 && index < size / 2);
    LW_TRY(net_draw_bernoulli(&r->draw, s, r->spec->p, half + 1, r->spec->autapses ? -1 : 0));
    for (int64_t k = 0; k < r->draw.n; k++)
        r->draw.index[k] = (uint64_t)((index + (int64_t)r->draw.index[k]) % size);
    return LW_OK;
}

static lw_err source_draw(net_rule *r, int64_t index) {
    const lw_projection_spec *spec = r->spec;
    int64_t gid = r->pre->gid_begin + index, self = spec->pre == spec->post && !spec->autapses ? index : -1;
    uint64_t proj = (uint64_t)(spec->mirror ? spec->mirror - 1 : r->proj);
    lw_stream s = lw_stream_start(r->net->seed, LW_PURPOSE_CONNECT, (uint64_t)gid, proj);
    if (spec->mirror) return net_draw_bernoulli(&r->draw, &s, spec->p, r->post->size, -1);
    if (spec->symmetric) return half_draw(r, &s, index);
    if (spec->rule == LW_RULE_SMALL_WORLD)
        return net_draw_ring(&r->draw, &s, spec->n, spec->p, r->post->size, index, spec->autapses, spec->multapses);
    return net_draw_some(&r->draw, &s, spec->n, r->post->size, self, !spec->multapses);
}

static void pair_put(int64_t target, int64_t source, const net_rule *r, pair *out, int32_t *dest, int64_t *n) {
    out[*n] = (pair){.target = (uint32_t)target, .source = (uint32_t)source};
    dest[(*n)++] = net_partition_owner(&r->net->partition, r->spec->post, target);
}

static lw_err produce_drawn(net_rule *r, int64_t round, int32_t *dest, void *records, int64_t *n) {
    int64_t begin = r->source_begin + round * r->per_round, end = begin + r->per_round;
    pair *out = records;
    *n = 0;
    for (int64_t i = begin; i < end && i < r->source_end; i++) {
        LW_TRY(source_draw(r, i));
        LW_ASSERT(*n + r->draw.n * (r->spec->symmetric ? 2 : 1) <= r->room);
        for (int64_t k = 0; k < r->draw.n; k++) {
            pair_put((int64_t)r->draw.index[k], i, r, out, dest, n);
            if (r->spec->symmetric && (int64_t)r->draw.index[k] != i)
                pair_put(i, (int64_t)r->draw.index[k], r, out, dest, n);
        }
    }
    return LW_OK;
}

static lw_err edge_check(const net_rule *r, int64_t i) {
    const lw_edge *e = &r->edges[i];
    const char *name = r->net->proj[r->proj].view.name;
    LW_CHECK(e->target >= 0 && e->target < r->post->size, LW_EUSE,
        "projection \"%s\": synapse %lld has target %lld; allowed: 0 to %lld", name, (long long)i, (long long)e->target,
        (long long)r->post->size - 1);
    LW_CHECK(e->source >= 0 && e->source < r->pre->size, LW_EUSE,
        "projection \"%s\": synapse %lld has source %lld; allowed: 0 to %lld", name, (long long)i, (long long)e->source,
        (long long)r->pre->size - 1);
    LW_CHECK(!r->spec->learn_delay || (e->lag >= 1 && e->lag <= (float)r->net->proj[r->proj].view.lag_max), LW_EUSE,
        "projection \"%s\": synapse %lld has a delay of %g steps; allowed: 1 to %d", name, (long long)i, (double)e->lag,
        (int)r->net->proj[r->proj].view.lag_max);
    LW_CHECK(r->spec->learn_delay || (e->delay >= 0 && e->delay <= NET_DELAY_MOST), LW_EUSE,
        "projection \"%s\": synapse %lld has a delay of %d steps; allowed: 0 to %d", name, (long long)i, (int)e->delay,
        (int)NET_DELAY_MOST);
    LW_CHECK(isfinite(e->weight), LW_EUSE, "projection \"%s\": synapse %lld has weight %g; allowed: finite numbers",
        name, (long long)i, e->weight);
    return LW_OK;
}

static lw_err produce_given(net_rule *r, int64_t round, int32_t *dest, void *records, int64_t *n) {
    net_given_edge *out = records;
    *n = 0;
    for (int64_t i = round * ROUND; i < r->n_edges && *n < ROUND; i++) {
        const lw_edge *e = &r->edges[i];
        LW_TRY(edge_check(r, i));
        dest[*n] = net_partition_owner(&r->net->partition, r->spec->post, e->target);
        out[(*n)++] = (net_given_edge){.weight = e->weight,
            .target = (uint32_t)e->target,
            .source = (uint32_t)e->source,
            .delay = e->delay,
            .order = e->order};
    }
    return LW_OK;
}

static void chunks_free(chunks *c) {
    for (int64_t i = 0; c->data && i < c->count; i++)
        lw_free(c->data[i]);
    lw_free(c->data);
    lw_free(c->n);
    *c = (chunks){0};
}

/* rounds and capacity of this rank. **Collective** */
static lw_err route_rounds(net_rule *r, lw_err (*produce)(net_rule *, int64_t, int32_t *, void *, int64_t *),
    int64_t rounds, int64_t capacity, size_t record_size, chunks *out) {
    const lw_comm *comm = r->net->comm;
    int32_t *dest = NULL;
    void *records = NULL;
    lw_comm_max_i64(comm, &rounds, 1);
    out->count = rounds;
    lw_err err = lw_alloc((size_t)capacity, sizeof *dest, "owners of synapses", &dest);
    if (err == LW_OK) err = lw_alloc((size_t)capacity, record_size, "synapses to route", &records);
    if (err == LW_OK) err = lw_alloc((size_t)rounds, sizeof *out->data, "rounds of synapses", &out->data);
    if (err == LW_OK) err = lw_alloc((size_t)rounds, sizeof *out->n, "rounds of synapses", &out->n);
    for (int64_t i = 0; i < rounds; i++) {
        int64_t n = 0;
        if (err == LW_OK) err = produce(r, i, dest, records, &n);
        LW_TRY_TO(lw_comm_agree(comm, err), done);
        LW_TRY_TO(lw_comm_route(comm, n, dest, records, record_size, &out->data[i], &out->n[i], NULL), done);
    }
    err = lw_comm_agree(comm, err); /* rounds may be 0 */
done:
    lw_free(dest);
    lw_free(records);
    return err;
}

/* begin[t + 1] = synapses of target t, targets now being local numbers; then begin. */
static void prefix(int64_t *begin, int64_t n) {
    for (int64_t t = 0; t < n; t++)
        begin[t + 1] += begin[t];
}

/* Targets -> local numbers. */
static void localize(const net_rule *r, uint32_t *target) {
    *target = (uint32_t)net_local_number(r->net, r->spec->post, *target);
}

/* begin[t] was moved to the end of t by filling: move it back. */
static void restore(int64_t *begin, int64_t n) {
    memmove(begin + 1, begin, (size_t)n * sizeof *begin);
    begin[0] = 0;
}

static lw_err gather_drawn(net_rule *r, chunks *c, net_incoming *out) {
    int bits = net_sort_bits((uint64_t)r->pre->size);
    int64_t most = 0;
    for (int64_t i = 0; i < c->count; i++) {
        pair *p = c->data[i];
        for (int64_t k = 0; k < c->n[i]; k++) {
            localize(r, &p[k].target);
            out->begin[p[k].target + 1]++;
        }
    }
    prefix(out->begin, out->n_targets);
    out->n = out->begin[out->n_targets];
    LW_TRY(lw_alloc((size_t)out->n, sizeof *out->source, "sources of synapses", &out->source));
    for (int64_t i = 0; i < c->count; i++) {
        const pair *p = c->data[i];
        for (int64_t k = 0; k < c->n[i]; k++)
            out->source[out->begin[p[k].target]++] = p[k].source;
        lw_free(c->data[i]);
        c->data[i] = NULL;
    }
    restore(out->begin, out->n_targets);
    for (int64_t t = 0; t < out->n_targets; t++)
        if (out->begin[t + 1] - out->begin[t] > most) most = out->begin[t + 1] - out->begin[t];
    LW_TRY(net_draw_reserve(&r->draw, most));
    for (int64_t t = 0; t < out->n_targets; t++) {
        int64_t begin = out->begin[t], n = out->begin[t + 1] - begin;
        for (int64_t k = 0; k < n; k++)
            r->draw.index[k] = out->source[begin + k];
        net_sort(r->draw.index, r->draw.scratch, n, bits);
        for (int64_t k = 0; k < n; k++)
            out->source[begin + k] = (uint32_t)r->draw.index[k];
    }
    return LW_OK;
}

static int edge_order(const void *a, const void *b) {
    const net_given_edge *x = a, *y = b;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static lw_err edges_sort(const net_rule *r, net_incoming *out) {
    for (int64_t t = 0; t < out->n_targets; t++) {
        net_given_edge *e = out->given + out->begin[t];
        int64_t n = out->begin[t + 1] - out->begin[t];
        bool sorted = true;
        for (int64_t k = 1; k < n && sorted; k++)
            sorted = edge_order(&e[k - 1], &e[k]) < 0;
        if (sorted) continue;
        qsort(e, (size_t)n, sizeof *e, edge_order);
        for (int64_t k = 1; k < n; k++)
            LW_CHECK(edge_order(&e[k - 1], &e[k]) != 0, LW_EUSE,
                "projection \"%s\": the synapse to target %lld from source %u is given twice with order %d; orders of "
                "a pair must differ",
                r->net->proj[r->proj].view.name, (long long)(r->post->gid[t] - r->post->gid_begin),
                (unsigned)e[k].source, (int)e[k].order);
    }
    return LW_OK;
}

static lw_err gather_given(net_rule *r, chunks *c, net_incoming *out) {
    for (int64_t i = 0; i < c->count; i++) {
        net_given_edge *e = c->data[i];
        for (int64_t k = 0; k < c->n[i]; k++) {
            localize(r, &e[k].target);
            out->begin[e[k].target + 1]++;
        }
    }
    prefix(out->begin, out->n_targets);
    out->n = out->begin[out->n_targets];
    LW_TRY(lw_alloc((size_t)out->n, sizeof *out->given, "given synapses", &out->given));
    for (int64_t i = 0; i < c->count; i++) {
        const net_given_edge *e = c->data[i];
        for (int64_t k = 0; k < c->n[i]; k++)
            out->given[out->begin[e[k].target]++] = e[k];
        lw_free(c->data[i]);
        c->data[i] = NULL;
    }
    restore(out->begin, out->n_targets);
    LW_TRY(edges_sort(r, out));
    LW_TRY(lw_alloc((size_t)out->n, sizeof *out->source, "sources of synapses", &out->source));
    for (int64_t i = 0; i < out->n; i++)
        out->source[i] = out->given[i].source;
    return LW_OK;
}

/* Records that a source may make; for the random rule, more than ever come. */
static int64_t most_of_source(const net_rule *r) {
    double size = (double)r->post->size, mean = r->spec->p * size;
    if (r->spec->rule != LW_RULE_PAIRWISE_BERNOULLI) return r->spec->n;
    return (r->spec->symmetric ? 2 : 1) * (int64_t)fmin(mean + 20 * sqrt(mean) + 100, size + 1);
}

lw_err net_connect_sources(net_rule *r, net_incoming *out) {
    chunks c = {0};
    int64_t size = r->pre->size, n_ranks = r->net->partition.size, rank = r->net->partition.rank;
    r->source_begin = size / n_ranks * rank + size % n_ranks * rank / n_ranks;
    r->source_end = size / n_ranks * (rank + 1) + size % n_ranks * (rank + 1) / n_ranks;
    int64_t each = most_of_source(r);
    r->per_round = each < ROUND ? ROUND / (each > 0 ? each : 1) : 1;
    int64_t share = r->source_end - r->source_begin, rounds = (share + r->per_round - 1) / r->per_round;
    int64_t most = share < r->per_round ? share : r->per_round;
    r->room = most * each;
    lw_err err = route_rounds(r, produce_drawn, rounds, r->room, sizeof(pair), &c);
    if (err == LW_OK) err = gather_drawn(r, &c, out);
    chunks_free(&c);
    return err;
}

lw_err net_connect_edges(net_rule *r, const net_given *given, net_incoming *out) {
    chunks c = {0};
    lw_edge *fetched = NULL;
    r->edges = r->spec->edges;
    r->n_edges = r->spec->n_edges;
    lw_err err = LW_OK;
    const lw_edge_source *source = given ? NULL : r->spec->edge_source;
    if (given) err = given->edges(given->payload, r->proj, &fetched, &r->n_edges);
    if (source)
        err = source->read(source->payload, r->net->partition.rank, r->net->partition.size, &fetched, &r->n_edges);
    if (given || source) r->edges = fetched;
    if (err != LW_OK && source) lw_err_context("projection \"%s\"", r->net->proj[r->proj].view.name);
    LW_TRY_TO(lw_comm_agree(r->net->comm, err), done);
    int64_t rounds = (r->n_edges + ROUND - 1) / ROUND, most = r->n_edges < ROUND ? r->n_edges : ROUND;
    LW_TRY_TO(route_rounds(r, produce_given, rounds, most, sizeof(net_given_edge), &c), done);
    lw_free(fetched);
    fetched = NULL;
    err = gather_given(r, &c, out);
done:
    lw_free(fetched);
    chunks_free(&c);
    return err;
}
