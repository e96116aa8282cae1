/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Storage: the incoming synapses of the local targets become slices, one per delay, with rows by source. Three walks
 * over the synapses: survey (delays, sources, whether it is one dense block), count (synapses per slice and row), fill
 * (targets, weights). Targets are walked in ascending order, so a row's targets come out ascending and nothing is
 * sorted.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

/* One projection between its rule and its slices. */
typedef struct build {
    lw_net *net;
    const lw_projection_spec *spec;
    int32_t index;
    const lw_pop_view *pre, *post;
    net_incoming *in;
    net_proj *proj;
    int32_t *delay; /* [in->n] steps; NULL: all have one_delay */
    int32_t one_delay;
    int64_t *of_delay; /* [NET_DELAY_MOST + 1 at most] synapses, then slice, of each delay */
    int64_t n_of_delay;
    double *weight; /* scratch, [largest in-degree] */
    net_set source;
    /* survey, first of this rank, then of all */
    int64_t multapses, delay_low, delay_high, delay_positive;
    double weight_low, weight_high; /* of given edges */
} build;

/* Key of a synapse's draws: a and b as lw_purpose says. */
static uint64_t key_a(const build *b, int64_t t, int64_t source) {
    return (uint64_t)b->post->gid[t] << 32 ^ (uint64_t)(b->pre->gid_begin + source);
}
static uint64_t key_b(const build *b, int32_t order) {
    return (uint64_t)b->index | (uint64_t)order << 32;
}

/* Element of a list of weights or delays, as spec.c says. */
static int64_t list_index(const build *b, int64_t t, int64_t source) {
    int64_t target = b->post->gid[t] - b->post->gid_begin;
    return b->spec->rule == LW_RULE_ALL_TO_ALL ? target * b->pre->size + source : target;
}

static int64_t source_of(const build *b, int64_t begin, int64_t k) {
    return b->in->complete ? k : b->in->source[begin + k];
}

static int64_t begin_of(const build *b, int64_t t) {
    return b->in->complete ? t * b->pre->size : b->in->begin[t];
}

/* Number among equal sources, walking k upwards. */
static int32_t order_of(const build *b, int64_t begin, int64_t k, int32_t previous) {
    if (b->in->complete || k == 0 || b->in->source[begin + k] != b->in->source[begin + k - 1]) return 0;
    return previous + 1;
}

static double weight_draw(const build *b, int64_t t, int64_t source, int32_t order) {
    return lw_dist_value(&b->spec->weight, list_index(b, t, source), b->net->seed, LW_PURPOSE_WEIGHT,
        key_a(b, t, source), key_b(b, order));
}

/* Weights of one target into b->weight; the mean is summed in ascending source, so it does not depend on ranks. */
static void target_weights(build *b, int64_t t) {
    int64_t begin = begin_of(b, t), n = begin_of(b, t + 1) - begin;
    int32_t order = 0;
    double sum = 0;
    for (int64_t k = 0; k < n; k++) {
        order = order_of(b, begin, k, order);
        b->weight[k] = b->in->given ? b->in->given[begin + k].weight : weight_draw(b, t, source_of(b, begin, k), order);
        sum += b->weight[k];
    }
    for (int64_t k = 0; k < n && b->spec->zero_mean; k++)
        b->weight[k] -= sum / (double)n;
}

static void weight_set(const lw_proj_view *view, int64_t edge, double w) {
    if (view->weight_type == LW_F32)
        ((float *)view->weight)[edge] = (float)w;
    else
        ((double *)view->weight)[edge] = w;
}

/* ---- survey */

static lw_err delay_steps(const build *b, double ms, int32_t *steps) {
    LW_CHECK(isfinite(ms) && ms <= NET_DELAY_MOST * b->net->dt, LW_EUSE,
        "projection \"%s\": a drawn delay of %g ms; allowed: at most %g ms", b->proj->view.name, ms,
        NET_DELAY_MOST * b->net->dt);
    *steps = ms == 0 ? 0 : ms < b->net->dt ? 1 : (int32_t)lround(ms / b->net->dt);
    return LW_OK;
}

/* Delays of all synapses, unless they are one constant. */
static lw_err delays_find(build *b) {
    const lw_dist *d = &b->spec->delay;
    const net_incoming *in = b->in;
    if (!in->given && d->kind == LW_DIST_CONSTANT)
        return delay_steps(b, lw_dist_value(d, 0, 0, LW_PURPOSE_DELAY, 0, 0), &b->one_delay);
    LW_TRY(lw_alloc((size_t)in->n, sizeof *b->delay, "delays", &b->delay));
    for (int64_t t = 0; t < in->n_targets; t++) {
        int64_t begin = in->begin[t], n = in->begin[t + 1] - begin;
        int32_t order = 0;
        for (int64_t k = 0; k < n; k++) {
            int64_t source = in->source[begin + k];
            order = order_of(b, begin, k, order);
            if (in->given) {
                b->delay[begin + k] = in->given[begin + k].delay;
                continue;
            }
            double ms = lw_dist_value(
                d, list_index(b, t, source), b->net->seed, LW_PURPOSE_DELAY, key_a(b, t, source), key_b(b, order));
            LW_TRY(delay_steps(b, ms, &b->delay[begin + k]));
        }
    }
    return LW_OK;
}

static void survey_delay(build *b, int64_t delay) {
    if (delay < b->delay_low) b->delay_low = delay;
    if (delay > b->delay_high) b->delay_high = delay;
    if (delay > 0 && delay < b->delay_positive) b->delay_positive = delay;
}

static lw_err survey_local(build *b) {
    const net_incoming *in = b->in;
    int64_t most = 0;
    LW_TRY(delays_find(b));
    for (int64_t t = 0; t < in->n_targets; t++) {
        int64_t n = begin_of(b, t + 1) - begin_of(b, t);
        if (n > most) most = n;
        for (int64_t k = 1; k < n && !in->complete && !b->multapses; k++)
            b->multapses = in->source[in->begin[t] + k] == in->source[in->begin[t] + k - 1];
    }
    for (int64_t i = 0; i < in->n && in->given; i++) {
        b->weight_low = fmin(b->weight_low, in->given[i].weight);
        b->weight_high = fmax(b->weight_high, in->given[i].weight);
    }
    for (int64_t i = 0; i < in->n && b->delay; i++)
        survey_delay(b, b->delay[i]);
    if (!b->delay && in->n > 0) survey_delay(b, b->one_delay);
    return lw_alloc((size_t)most, sizeof *b->weight, "weights of a target", &b->weight);
}

/* The same numbers over all ranks. **Collective** */
static void survey_all(build *b) {
    int64_t n = b->in->n, most[4] = {b->multapses, -b->delay_low, b->delay_high, -b->delay_positive};
    double weight[2] = {-b->weight_low, b->weight_high};
    lw_comm_sum_i64(b->net->comm, &n, 1);
    lw_comm_max_i64(b->net->comm, most, 4);
    lw_comm_max_f64(b->net->comm, weight, 2);
    b->proj->view.n_edges_global = n;
    b->multapses = most[0];
    b->delay_low = -most[1];
    b->delay_high = most[2];
    b->delay_positive = -most[3];
    b->weight_low = -weight[0];
    b->weight_high = weight[1];
    b->proj->delay_low = n ? (int32_t)b->delay_low : -1;
    b->proj->delay_high = n ? (int32_t)b->delay_high : -1;
    b->proj->delay_positive = b->delay_positive <= NET_DELAY_MOST ? (int32_t)b->delay_positive : -1;
}

/* What the whole network's numbers say about the storage. One rule for drawn and given synapses, so that a network that
 * is read back, or compacted, is stored like a drawn one. */
static void decide(build *b) {
    lw_proj_view *view = &b->proj->view;
    const lw_projection_spec *spec = b->spec;
    int64_t pairs = 0;
    bool counted = !__builtin_mul_overflow(b->pre->size, b->post->size, &pairs);
    view->n_edges = b->in->n;
    view->dense = counted && view->n_edges_global == pairs && !b->multapses && b->delay_low == b->delay_high;
    if (spec->learn || spec->zero_mean) return;
    if (spec->rule != LW_RULE_EDGES) {
        view->weight_one = spec->weight.kind == LW_DIST_CONSTANT;
        view->weight_value = view->weight_one ? lw_dist_value(&spec->weight, 0, 0, LW_PURPOSE_WEIGHT, 0, 0) : 0;
    } else if (view->n_edges_global == 0) { /* a pruned projection keeps its number */
        view->weight_one = spec->weight.kind == LW_DIST_CONSTANT;
        view->weight_value = view->weight_one ? spec->weight.p[0] : 0;
    } else if (b->weight_low == b->weight_high) {
        view->weight_one = true;
        view->weight_value = b->weight_low;
    }
}

/* ---- dense */

static lw_err slices_create(build *b, int32_t n) {
    lw_slice *slice = NULL;
    LW_TRY(lw_alloc((size_t)n, sizeof *slice, "slices", &slice));
    b->proj->view.slice = slice;
    b->proj->view.n_slices = n;
    return LW_OK;
}

static lw_err weights_create(lw_proj_view *view) {
    if (view->weight_one) return LW_OK;
    return lw_alloc((size_t)view->n_edges, lw_dtype_size(view->weight_type), "weights", &view->weight);
}

static lw_err fill_dense(build *b) {
    lw_proj_view *view = &b->proj->view;
    int64_t n_local = b->post->n_local, n_pre = b->pre->size;
    LW_TRY(slices_create(b, 1));
    *(lw_slice *)view->slice = (lw_slice){.delay = (int32_t)b->delay_low, .edge_end = view->n_edges};
    b->proj->n_row_source = n_local > 0 ? n_pre : 0;
    LW_TRY(weights_create(view));
    for (int64_t t = 0; t < n_local && !view->weight_one; t++) {
        target_weights(b, t);
        for (int64_t r = 0; r < n_pre; r++)
            weight_set(view, r * n_local + t, b->weight[r]);
    }
    return LW_OK;
}

/* ---- sparse */

/* Slices in ascending delay; of_delay[delay] becomes the slice's number. */
static lw_err slices_find(build *b) {
    int64_t high = 0, at = 0;
    int32_t n = 0;
    for (int64_t i = 0; i < b->in->n && b->delay; i++)
        if (b->delay[i] > high) high = b->delay[i];
    if (!b->delay) high = b->one_delay;
    b->n_of_delay = high + 1;
    LW_TRY(lw_alloc((size_t)b->n_of_delay, sizeof *b->of_delay, "synapses by delay", &b->of_delay));
    for (int64_t i = 0; i < b->in->n && b->delay; i++)
        b->of_delay[b->delay[i]]++;
    if (!b->delay) b->of_delay[b->one_delay] = b->in->n;
    for (int64_t d = 0; d <= high; d++)
        n += b->of_delay[d] > 0;
    LW_TRY(slices_create(b, n));
    n = 0;
    for (int64_t d = 0; d <= high; d++) {
        if (b->of_delay[d] == 0) continue;
        ((lw_slice *)b->proj->view.slice)[n] =
            (lw_slice){.delay = (int32_t)d, .edge_begin = at, .edge_end = at + b->of_delay[d]};
        at += b->of_delay[d];
        b->of_delay[d] = n++;
    }
    return LW_OK;
}

static lw_err sources_find(build *b) {
    LW_TRY(net_set_create(&b->source, b->pre->size));
    for (int64_t i = 0; i < b->in->n; i++)
        LW_TRY(net_set_add(&b->source, b->in->source[i]));
    net_set_finish(&b->source);
    b->proj->n_row_source = b->source.n;
    return net_set_list(&b->source, &b->proj->row_source);
}

/* Place in row_begin of the row that synapse i of the incoming list belongs to. */
static int64_t row_of(const build *b, int64_t i) {
    int64_t slice = b->of_delay[b->delay ? b->delay[i] : b->one_delay];
    return slice * (b->source.n + 1) + net_set_place(&b->source, b->in->source[i]);
}

static lw_err rows_count(build *b) {
    int64_t n_rows = b->source.n;
    const lw_proj_view *view = &b->proj->view;
    LW_TRY(lw_alloc((size_t)view->n_slices * (size_t)(n_rows + 1), sizeof(int64_t), "row table", &b->proj->row_begin));
    for (int64_t i = 0; i < b->in->n; i++)
        b->proj->row_begin[row_of(b, i) + 1]++;
    for (int32_t s = 0; s < view->n_slices; s++) {
        int64_t *row = b->proj->row_begin + s * (n_rows + 1);
        row[0] = view->slice[s].edge_begin;
        for (int64_t r = 0; r < n_rows; r++)
            row[r + 1] += row[r];
    }
    return LW_OK;
}

/* row_begin serves as the place to fill next, and is moved back by one row in the end. */
static lw_err fill_sparse(build *b) {
    lw_proj_view *view = &b->proj->view;
    uint32_t *target = NULL;
    LW_TRY(slices_find(b));
    LW_TRY(sources_find(b));
    LW_TRY(rows_count(b));
    LW_TRY(lw_alloc((size_t)view->n_edges, sizeof *target, "targets of synapses", &target));
    view->target = target;
    LW_TRY(weights_create(view));
    int64_t *next = b->proj->row_begin;
    for (int64_t t = 0; t < b->in->n_targets; t++) {
        int64_t begin = b->in->begin[t], n = b->in->begin[t + 1] - begin;
        if (!view->weight_one) target_weights(b, t);
        for (int64_t k = 0; k < n; k++) {
            int64_t edge = next[row_of(b, begin + k)]++;
            target[edge] = (uint32_t)t;
            if (!view->weight_one) weight_set(view, edge, b->weight[k]);
        }
    }
    for (int32_t s = 0; s < view->n_slices; s++) {
        int64_t *row = next + s * (b->source.n + 1);
        memmove(row + 1, row, (size_t)b->source.n * sizeof *row);
        row[0] = view->slice[s].edge_begin;
    }
    return LW_OK;
}

lw_err net_storage(lw_net *net, const lw_projection_spec *spec, int32_t proj, net_incoming *in) {
    build b = {.net = net,
        .spec = spec,
        .index = proj,
        .pre = &net->pop[spec->pre],
        .post = &net->pop[spec->post],
        .in = in,
        .proj = &net->proj[proj],
        .delay_low = INT32_MAX,
        .delay_high = -1,
        .delay_positive = INT32_MAX,
        .weight_low = INFINITY,
        .weight_high = -INFINITY};
    lw_err err = lw_comm_agree(net->comm, survey_local(&b));
    if (err == LW_OK) {
        survey_all(&b);
        decide(&b);
        err = b.proj->view.dense ? fill_dense(&b) : fill_sparse(&b);
        err = lw_comm_agree(net->comm, err);
    }
    lw_free(b.delay);
    lw_free(b.of_delay);
    lw_free(b.weight);
    net_set_free(&b.source);
    net_incoming_free(in);
    return err;
}

lw_err lw_net_weight_array(lw_net *net, int proj) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    lw_proj_view *view = &net->proj[proj].view;
    if (!view->weight_one) return LW_OK;
    LW_TRY(lw_alloc((size_t)view->n_edges, lw_dtype_size(view->weight_type), "weights", &view->weight));
    for (int64_t i = 0; i < view->n_edges; i++)
        weight_set(view, i, view->weight_value);
    view->weight_one = false;
    view->weight_value = 0;
    return LW_OK;
}
