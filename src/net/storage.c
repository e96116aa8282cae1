/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Storage of a projection by itself: its synapses become slices, one per delay, with rows by source. Three walks over
 * listed synapses: survey (delays, sources, whether it is one dense block), count (synapses per slice and row), fill
 * (targets, weights). Targets are walked in ascending order, so a row's targets come out ascending and nothing is
 * sorted. What is stored with others is in bundle.c.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

/* One projection between its survey and its slices. */
typedef struct build {
    lw_net *net;
    net_synapses *y;
    const net_survey *survey;
    net_proj *proj;
    int64_t *of_delay; /* [NET_DELAY_MOST + 1 at most] synapses, then slice, of each delay */
    net_set source;
} build;

void net_weight_put(lw_dtype type, void *weight, int64_t edge, double w) {
    if (type == LW_F32)
        ((float *)weight)[edge] = (float)w;
    else
        ((double *)weight)[edge] = w;
}

/* ---- survey */

static void survey_delay(net_survey *s, int64_t delay) {
    if (delay < s->delay_low) s->delay_low = delay;
    if (delay > s->delay_high) s->delay_high = delay;
    if (delay > 0 && delay < s->delay_positive) s->delay_positive = delay;
}

static lw_err survey_local(net_synapses *y, net_survey *s) {
    const net_incoming *in = &y->in;
    int64_t at = 0;
    if (y->one_delay < 0) LW_TRY(lw_alloc((size_t)in->n, sizeof *s->delay, "delays", &s->delay));
    for (int64_t t = 0; t < in->n_targets && !in->complete; t++) {
        LW_TRY(net_synapses_target(y, t));
        for (int64_t k = 1; k < y->n && !s->multapses; k++)
            s->multapses = y->source[k] == y->source[k - 1];
        if (!s->delay) continue;
        LW_TRY(net_synapses_delays(y, t));
        for (int64_t k = 0; k < y->n; k++) {
            survey_delay(s, y->delay[k]);
            s->delay[at++] = y->delay[k];
        }
    }
    for (int64_t i = 0; i < in->n && in->given; i++) {
        s->weight_low = fmin(s->weight_low, in->given[i].weight);
        s->weight_high = fmax(s->weight_high, in->given[i].weight);
    }
    if (!s->delay && in->n > 0) survey_delay(s, y->one_delay);
    return LW_OK;
}

void net_survey_join(lw_net *net, int32_t index, net_survey *s) {
    net_proj *proj = &net->proj[index];
    int64_t n = proj->view.n_edges, most[4] = {s->multapses, -s->delay_low, s->delay_high, -s->delay_positive};
    double weight[2] = {-s->weight_low, s->weight_high};
    const lw_pop_view *post = &net->pop[proj->view.post];
    if (lw_comm_plays(net->comm) && post->n_local > 0) /* absent ranks' targets are taken to have as many each */
        n = llround((double)n * (double)post->size / (double)post->n_local);
    lw_comm_sum_i64(net->comm, &n, 1);
    lw_comm_max_i64(net->comm, most, 4);
    lw_comm_max_f64(net->comm, weight, 2);
    proj->view.n_edges_global = n;
    s->multapses = most[0];
    s->delay_low = -most[1];
    s->delay_high = most[2];
    s->delay_positive = -most[3];
    s->weight_low = -weight[0];
    s->weight_high = weight[1];
    proj->delay_low = n ? (int32_t)s->delay_low : -1;
    proj->delay_high = n ? (int32_t)s->delay_high : -1;
    proj->delay_positive = s->delay_positive <= NET_DELAY_MOST ? (int32_t)s->delay_positive : -1;
}

net_survey net_survey_start(void) {
    return (net_survey){.delay_low = INT32_MAX,
        .delay_high = -1,
        .delay_positive = INT32_MAX,
        .weight_low = INFINITY,
        .weight_high = -INFINITY};
}

/* What the whole network's numbers say about the storage. One rule for drawn and given synapses, so that a network that
 * is read back, or compacted, is stored like a drawn one. */
static void decide(const net_synapses *y, const net_survey *s, lw_proj_view *view) {
    const lw_projection_spec *spec = y->spec;
    int64_t pairs = 0;
    bool counted = !__builtin_mul_overflow(y->pre->size, y->post->size, &pairs);
    view->dense = counted && view->n_edges_global == pairs && !s->multapses && s->delay_low == s->delay_high;
    if (spec->learn || spec->zero_mean || view->plastic) return;
    if (spec->rule != LW_RULE_EDGES) {
        view->weight_one = net_weight_constant(spec);
        view->weight_value = view->weight_one ? lw_dist_value(&spec->weight, 0, 0, LW_PURPOSE_WEIGHT, 0, 0) : 0;
    } else if (view->n_edges_global == 0) { /* a pruned projection keeps its number */
        view->weight_one = spec->weight.kind == LW_DIST_CONSTANT;
        view->weight_value = view->weight_one ? spec->weight.p[0] : 0;
    } else if (s->weight_low == s->weight_high) {
        view->weight_one = true;
        view->weight_value = s->weight_low;
    }
}

lw_err net_survey_listed(lw_net *net, net_synapses *y, net_survey *s) {
    lw_proj_view *view = &net->proj[y->proj].view;
    *s = net_survey_start();
    LW_TRY(lw_comm_agree(net->comm, survey_local(y, s)));
    view->n_edges = y->in.n;
    net_survey_join(net, y->proj, s);
    decide(y, s, view);
    return LW_OK;
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
    if (view->lag_max) LW_TRY(lw_alloc((size_t)view->n_edges, sizeof *view->lag, "delays", &view->lag));
    if (view->weight_one) return LW_OK;
    return lw_alloc((size_t)view->n_edges, lw_dtype_size(view->weight_type), "weights", &view->weight);
}

static lw_err fill_dense(build *b) {
    lw_proj_view *view = &b->proj->view;
    net_synapses *y = b->y;
    int64_t n_local = y->post->n_local, n_pre = y->pre->size;
    LW_TRY(slices_create(b, 1));
    *(lw_slice *)view->slice = (lw_slice){.delay = (int32_t)b->survey->delay_low, .edge_end = view->n_edges};
    b->proj->n_row_source = n_local > 0 ? n_pre : 0;
    LW_TRY(weights_create(view));
    for (int64_t t = 0; t < n_local && !(view->weight_one && !view->lag_max); t++) {
        LW_TRY(net_synapses_target(y, t));
        if (!view->weight_one) net_synapses_weights(y, t);
        if (view->lag_max) net_synapses_lags(y, t);
        for (int64_t r = 0; r < n_pre; r++) {
            if (!view->weight_one) net_weight_put(view->weight_type, view->weight, r * n_local + t, y->weight[r]);
            if (view->lag_max) view->lag[r * n_local + t] = (float)y->ms[r];
        }
    }
    return LW_OK;
}

/* ---- sparse */

static int64_t delay_of(const build *b, int64_t i) {
    return b->survey->delay ? b->survey->delay[i] : b->y->one_delay;
}

/* Slices in ascending delay; of_delay[delay] becomes the slice's number. */
static lw_err slices_find(build *b) {
    int64_t high = 0, at = 0, n_all = b->y->in.n;
    int32_t n = 0;
    for (int64_t i = 0; i < n_all && b->survey->delay; i++)
        if (b->survey->delay[i] > high) high = b->survey->delay[i];
    if (!b->survey->delay) high = b->y->one_delay;
    LW_TRY(lw_alloc((size_t)high + 1, sizeof *b->of_delay, "synapses by delay", &b->of_delay));
    for (int64_t i = 0; i < n_all && b->survey->delay; i++)
        b->of_delay[b->survey->delay[i]]++;
    if (!b->survey->delay) b->of_delay[high] = n_all;
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
    const net_incoming *in = &b->y->in;
    LW_TRY(net_set_create(&b->source, b->y->pre->size));
    for (int64_t i = 0; i < in->n; i++)
        LW_TRY(net_set_add(&b->source, in->source[i]));
    net_set_finish(&b->source);
    b->proj->n_row_source = b->source.n;
    return net_set_list(&b->source, &b->proj->row_source);
}

/* Place in row_begin of the row that synapse i of the incoming list belongs to. */
static int64_t row_of(const build *b, int64_t i) {
    return b->of_delay[delay_of(b, i)] * (b->source.n + 1) + net_set_place(&b->source, b->y->in.source[i]);
}

static lw_err rows_count(build *b) {
    int64_t n_rows = b->source.n;
    const lw_proj_view *view = &b->proj->view;
    LW_TRY(lw_alloc((size_t)view->n_slices * (size_t)(n_rows + 1), sizeof(int64_t), "row table", &b->proj->row_begin));
    for (int64_t i = 0; i < b->y->in.n; i++)
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
    net_synapses *y = b->y;
    uint32_t *target = NULL;
    LW_TRY(slices_find(b));
    LW_TRY(sources_find(b));
    LW_TRY(rows_count(b));
    LW_TRY(lw_alloc((size_t)view->n_edges, sizeof *target, "targets of synapses", &target));
    view->target = target;
    LW_TRY(weights_create(view));
    int64_t *next = b->proj->row_begin;
    for (int64_t t = 0; t < y->in.n_targets; t++) {
        LW_TRY(net_synapses_target(y, t));
        if (!view->weight_one) net_synapses_weights(y, t);
        if (view->lag_max) net_synapses_lags(y, t);
        for (int64_t k = 0; k < y->n; k++) {
            int64_t edge = next[row_of(b, y->begin + k)]++;
            target[edge] = (uint32_t)t;
            if (!view->weight_one) net_weight_put(view->weight_type, view->weight, edge, y->weight[k]);
            if (view->lag_max) view->lag[edge] = (float)y->ms[k];
        }
    }
    for (int32_t s = 0; s < view->n_slices; s++) {
        int64_t *row = next + s * (b->source.n + 1);
        memmove(row + 1, row, (size_t)b->source.n * sizeof *row);
        row[0] = view->slice[s].edge_begin;
    }
    return LW_OK;
}

lw_err net_storage(lw_net *net, net_synapses *y, const net_survey *survey) {
    build b = {.net = net, .y = y, .survey = survey, .proj = &net->proj[y->proj]};
    lw_err err = lw_comm_agree(net->comm, b.proj->view.dense ? fill_dense(&b) : fill_sparse(&b));
    lw_free(b.of_delay);
    net_set_free(&b.source);
    return err;
}

lw_err lw_net_weight_array(lw_net *net, int proj) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    lw_proj_view *view = &net->proj[proj].view;
    if (!view->weight_one) return LW_OK;
    LW_ASSERT(!view->bundled);
    LW_TRY(lw_alloc((size_t)view->n_edges, lw_dtype_size(view->weight_type), "weights", &view->weight));
    for (int64_t i = 0; i < view->n_edges; i++)
        net_weight_put(view->weight_type, view->weight, i, view->weight_value);
    view->weight_one = false;
    view->weight_value = 0;
    return LW_OK;
}
