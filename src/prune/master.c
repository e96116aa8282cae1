/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Gathering the recurrent graph on every rank, and going back from flags on it to a network.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "master.h"

/* One synapse on its way. */
typedef struct record {
    int64_t target, source, number;
    double weight;
    int32_t proj, order, rank, spare;
} record;

static int by_place(const void *a, const void *b) {
    const record *x = a, *y = b;
    if (x->proj != y->proj) return x->proj < y->proj ? -1 : 1;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    if (x->source != y->source) return x->source < y->source ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static bool is_recurrent(const lw_net *net, int proj, int pop) {
    lw_proj_view v = lw_net_proj(net, proj);
    return v.pre == pop && v.post == pop;
}

static lw_err records_make(const lw_net *net, int pop, record **out, int64_t *n) {
    int64_t room = 0;
    for (int p = 0; p < lw_net_n_proj(net); p++)
        if (is_recurrent(net, p, pop)) room += lw_net_proj(net, p).n_edges;
    *n = 0;
    LW_TRY(lw_alloc((size_t)room, sizeof **out, "synapses of a graph", out));
    for (int p = 0; p < lw_net_n_proj(net); p++) {
        lw_edge *edge = NULL;
        int64_t *number = NULL, count = 0;
        if (!is_recurrent(net, p, pop)) continue;
        LW_TRY(lw_net_edges(net, p, &edge, &number, &count));
        for (int64_t e = 0; e < count; e++)
            (*out)[(*n)++] = (record){edge[e].target, edge[e].source, number[e], edge[e].weight, p, edge[e].order,
                lw_comm_rank(lw_net_comm(net)), 0};
        lw_free(edge);
        lw_free(number);
    }
    return LW_OK;
}

static lw_err arrays_make(master *g) {
    size_t m = (size_t)g->m, n = (size_t)g->n;
    LW_TRY(lw_alloc(m, sizeof(int64_t), "a graph", &g->target));
    LW_TRY(lw_alloc(m, sizeof(int64_t), "a graph", &g->source));
    LW_TRY(lw_alloc(m, sizeof(int32_t), "a graph", &g->proj));
    LW_TRY(lw_alloc(m, sizeof(int32_t), "a graph", &g->order));
    LW_TRY(lw_alloc(m, sizeof(double), "a graph", &g->weight));
    LW_TRY(lw_alloc(m, sizeof(double), "a graph", &g->first_weight));
    LW_TRY(lw_alloc(m, sizeof(int64_t), "a graph", &g->number));
    LW_TRY(lw_alloc(m, 1, "kept synapses", &g->keep_edge));
    LW_TRY(lw_alloc(n, 1, "kept neurons", &g->keep_node));
    LW_TRY(lw_alloc(n, 1, "inputs of neurons", &g->has_in));
    return lw_alloc(n, 1, "outputs of neurons", &g->has_out);
}

static lw_err graph_fill(master *g, record *all, int64_t count) {
    int rank = lw_comm_rank(g->comm);
    g->m = count;
    LW_TRY(arrays_make(g));
    qsort(all, (size_t)count, sizeof *all, by_place);
    for (int64_t e = 0; e < count; e++) {
        g->target[e] = all[e].target;
        g->source[e] = all[e].source;
        g->proj[e] = all[e].proj;
        g->order[e] = all[e].order;
        g->weight[e] = g->first_weight[e] = all[e].weight;
        g->number[e] = all[e].rank == rank ? all[e].number : -1;
        g->keep_edge[e] = 1;
    }
    memset(g->keep_node, 1, (size_t)g->n);
    return LW_OK;
}

/* flag[v] = 1 for nodes that other populations reach (into) or that reach them. Local ones; summed later. */
static lw_err ends_mark(const master *g, bool into, int64_t *flag) {
    for (int p = 0; p < lw_net_n_proj(g->net); p++) {
        lw_proj_view v = lw_net_proj(g->net, p);
        lw_edge *edge = NULL;
        int64_t count = 0;
        if (into ? v.post != g->pop || v.pre == g->pop : v.pre != g->pop || v.post == g->pop) continue;
        LW_TRY(lw_net_edges(g->net, p, &edge, NULL, &count));
        for (int64_t e = 0; e < count; e++)
            flag[into ? edge[e].target : edge[e].source] = 1;
        lw_free(edge);
    }
    return LW_OK;
}

static lw_err ends_find(master *g, bool into, uint8_t *out) {
    int64_t *flag = NULL;
    lw_err err = lw_alloc((size_t)g->n, sizeof *flag, "ends of projections", &flag);
    if (err == LW_OK) err = ends_mark(g, into, flag);
    err = lw_comm_agree(g->comm, err);
    if (err == LW_OK) {
        lw_comm_max_i64(g->comm, flag, g->n);
        for (int64_t v = 0; v < g->n; v++)
            out[v] = flag[v] != 0;
    }
    lw_free(flag);
    return err;
}

lw_err master_make(lw_net *net, int pop, master *out) {
    master g = {.net = net, .comm = lw_net_comm(net), .pop = pop, .n = lw_net_pop(net, pop).size};
    record *own = NULL;
    void *all = NULL;
    int64_t n = 0, bytes = 0;
    memset(out, 0, sizeof *out);
    lw_err err = lw_comm_agree(g.comm, records_make(net, pop, &own, &n));
    if (err == LW_OK) err = lw_comm_allgatherv(g.comm, own, n * (int64_t)sizeof *own, &all, &bytes);
    lw_free(own);
    if (err == LW_OK) err = lw_comm_agree(g.comm, graph_fill(&g, all, bytes / (int64_t)sizeof(record)));
    lw_free(all);
    if (err == LW_OK) err = ends_find(&g, true, g.has_in);
    if (err == LW_OK) err = ends_find(&g, false, g.has_out);
    if (err != LW_OK) {
        master_free(&g);
        return err;
    }
    *out = g;
    return LW_OK;
}

void master_free(master *g) {
    lw_free(g->target);
    lw_free(g->source);
    lw_free(g->proj);
    lw_free(g->order);
    lw_free(g->weight);
    lw_free(g->first_weight);
    lw_free(g->number);
    lw_free(g->keep_edge);
    lw_free(g->keep_node);
    lw_free(g->has_in);
    lw_free(g->has_out);
    memset(g, 0, sizeof *g);
}

int64_t master_nodes(const master *g) {
    int64_t n = 0;
    for (int64_t v = 0; v < g->n; v++)
        n += g->keep_node[v];
    return n;
}

int64_t master_edges(const master *g) {
    int64_t m = 0;
    for (int64_t e = 0; e < g->m; e++)
        m += g->keep_edge[e];
    return m;
}

bool master_alive(const master *g, int64_t e) {
    return g->keep_node[g->target[e]] && g->keep_node[g->source[e]];
}

double master_uniform(const master *g, uint64_t seed, int64_t iteration, int64_t e) {
    return lw_noise_uniform(seed, iteration, g->target[e], g->source[e], g->order[e] + 256 * g->proj[e]);
}

int64_t master_index(const master *g, int64_t *index) {
    int64_t n = 0;
    for (int64_t v = 0; v < g->n; v++)
        index[v] = g->keep_node[v] ? n++ : -1;
    return n;
}

lw_err master_matrix(const master *g, double **out, int64_t *n) {
    int64_t *index = NULL;
    *out = NULL;
    LW_TRY(lw_alloc((size_t)g->n, sizeof *index, "node numbers", &index));
    *n = master_index(g, index);
    lw_err err = lw_alloc((size_t)(*n * *n), sizeof **out, "a weight matrix", out);
    for (int64_t e = 0; err == LW_OK && e < g->m; e++)
        if (g->keep_edge[e] && master_alive(g, e))
            (*out)[index[g->target[e]] * *n + index[g->source[e]]] += g->weight[e];
    lw_free(index);
    return err;
}

lw_err master_ipr(const master *g, lw_ipr *out) {
    lw_err err = LW_OK;
    *out = (lw_ipr){NAN, NAN, NAN};
    if (master_nodes(g) > DENSE_LIMIT) return LW_OK;
    if (lw_comm_rank(g->comm) == 0) {
        double *a = NULL;
        int64_t n = 0;
        err = master_matrix(g, &a, &n);
        if (err == LW_OK) err = lw_ipr_measure(n, a, n < 20 ? n : n / 10 > 20 ? n / 10 : 20, out);
        lw_free(a);
    }
    LW_TRY(lw_comm_agree(g->comm, err));
    lw_comm_bcast(g->comm, out, sizeof *out, 0);
    return LW_OK;
}

/* ------------------------------------------------------------------ back to a network */

static double weight_swap(lw_proj_view *proj, int64_t edge, double w) {
    double old = lw_net_weight(proj, edge);
    if (proj->weight_type == LW_F32)
        ((float *)proj->weight)[edge] = (float)w;
    else
        ((double *)proj->weight)[edge] = w;
    return old;
}

/* Give the network's arrays the weights of now (or back the first ones). Projections with one weight for all have no
 * array. */
static void weights_put(master *g, const double *weight) {
    bool skipped = false;
    for (int64_t e = 0; e < g->m; e++) {
        if (g->number[e] < 0 || g->weight[e] == g->first_weight[e]) continue;
        lw_proj_view proj = lw_net_proj(g->net, g->proj[e]);
        if (proj.weight_one)
            skipped = true;
        else
            (void)weight_swap(&proj, g->number[e], weight[e]);
    }
    if (skipped && weight == g->weight)
        lw_log(LW_LOG_WARN, "prune: a projection with one weight for all its synapses was not rescaled");
}

static lw_err flags_make(const master *g, uint8_t **node, uint8_t ***edge) {
    int n_proj = lw_net_n_proj(g->net);
    lw_pop_view pop = lw_net_pop(g->net, g->pop);
    int64_t n_local = lw_net_n_local(g->net);
    LW_TRY(lw_alloc((size_t)n_local, 1, "kept neurons", node));
    memset(*node, 1, (size_t)n_local);
    for (int64_t j = 0; j < pop.n_local; j++)
        (*node)[pop.lid_begin + j] = g->keep_node[pop.gid[j] - pop.gid_begin];
    LW_TRY(lw_alloc((size_t)n_proj, sizeof **edge, "kept synapses", edge));
    for (int p = 0; p < n_proj; p++)
        if (is_recurrent(g->net, p, g->pop))
            LW_TRY(lw_alloc((size_t)lw_net_proj(g->net, p).n_edges, 1, "kept synapses", &(*edge)[p]));
    for (int64_t e = 0; e < g->m; e++)
        if (g->number[e] >= 0) (*edge)[g->proj[e]][g->number[e]] = g->keep_edge[e] && master_alive(g, e);
    return LW_OK;
}

lw_err master_shrink(master *g, lw_net **out) {
    uint8_t *node = NULL, **edge = NULL;
    *out = NULL;
    lw_err err = lw_comm_agree(g->comm, flags_make(g, &node, &edge));
    if (err == LW_OK) {
        weights_put(g, g->weight);
        err = lw_net_compact(g->net, node, (const uint8_t *const *)edge, out);
        weights_put(g, g->first_weight);
    }
    for (int p = 0; edge && p < lw_net_n_proj(g->net); p++)
        lw_free(edge[p]);
    lw_free(edge);
    lw_free(node);
    return err;
}

/* ------------------------------------------------------------------ engine of the smaller network */

/* A stimulus of the pruned population in numbers of kept neurons. list, neuron, step: owned by the caller. */
static lw_err stimulus_renumber(
    const master *g, const int64_t *index, lw_stimulus_spec *s, double **list, int64_t **neuron, int64_t **step) {
    if (s->amplitude.kind == LW_DIST_LIST && s->amplitude.n_list == g->n) {
        int64_t n = 0;
        LW_TRY(lw_alloc((size_t)g->n, sizeof **list, "a stimulus", list));
        for (int64_t v = 0; v < g->n; v++)
            if (index[v] >= 0) (*list)[n++] = s->amplitude.list[v];
        s->amplitude.list = *list;
        s->amplitude.n_list = n;
    }
    if (s->n_spikes > 0) {
        int64_t n = 0;
        LW_TRY(lw_alloc((size_t)s->n_spikes, sizeof **neuron, "a stimulus", neuron));
        LW_TRY(lw_alloc((size_t)s->n_spikes, sizeof **step, "a stimulus", step));
        for (int64_t i = 0; i < s->n_spikes; i++)
            if (index[s->spike_neuron[i]] >= 0) {
                (*neuron)[n] = index[s->spike_neuron[i]];
                (*step)[n++] = s->spike_step[i];
            }
        s->spike_neuron = *neuron;
        s->spike_step = *step;
        s->n_spikes = n;
    }
    return LW_OK;
}

lw_err master_engine(const master *g, lw_net *small, const lw_sim_options *options, lw_sim **out) {
    lw_sim_options o = *options;
    int64_t *index = NULL;
    int n = o.n_stimuli;
    lw_stimulus_spec *stimulus = NULL;
    double **list = NULL;
    int64_t **neuron = NULL, **step = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    LW_TRY_TO(lw_alloc((size_t)g->n, sizeof *index, "node numbers", &index), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *stimulus, "stimuli", &stimulus), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *list, "stimuli", &list), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *neuron, "stimuli", &neuron), done);
    LW_TRY_TO(lw_alloc((size_t)n, sizeof *step, "stimuli", &step), done);
    (void)master_index(g, index);
    for (int i = 0; i < n; i++) {
        stimulus[i] = options->stimulus[i];
        if (stimulus[i].pop == g->pop)
            LW_TRY_TO(stimulus_renumber(g, index, &stimulus[i], &list[i], &neuron[i], &step[i]), done);
    }
done:
    err = lw_comm_agree(g->comm, err);
    if (err == LW_OK) {
        o.precision = LW_F64;
        o.width = 1;
        o.smooth = false;
        o.stimulus = stimulus;
        err = lw_sim_create(small, &o, out);
    }
    for (int i = 0; i < n; i++) {
        if (list) lw_free(list[i]);
        if (neuron) lw_free(neuron[i]);
        if (step) lw_free(step[i]);
    }
    lw_free(index);
    lw_free(stimulus);
    lw_free(list);
    lw_free(neuron);
    lw_free(step);
    return err;
}
