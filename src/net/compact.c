/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A smaller network from flags: kept neurons are numbered anew without gaps, and the new network is built from the kept
 * synapses as given edges, one projection after the other, so that only one is held twice.
 */
#include <string.h>
#include "net_private.h"

typedef struct compact {
    const lw_net *net;
    const uint8_t *keep_neuron;
    const uint8_t *const *keep_edge;
    int64_t *index;      /* [n_local] new index within the population, -1: leaves */
    int64_t *slot_index; /* [slots] the same of sources */
    int64_t *size;       /* [n_pop] new sizes */
} compact;

static bool keeps(const compact *c, int64_t lid) {
    return !c->keep_neuron || c->keep_neuron[lid];
}

/* Question to the rank that counts a stretch of indices: which new index has this one; and its answer. */
typedef struct renumber {
    int64_t index, lid;
} renumber;

/* New indices of one population: kept neurons of the same stretch of indices meet on one rank, whatever the partition,
 * and are counted there. **Collective** */
static lw_err pop_renumber(compact *c, int32_t p) {
    const lw_net *net = c->net;
    const lw_pop_view *pop = &net->pop[p];
    net_partition stretch = net->partition; /* blocks */
    renumber *ask = NULL, *asked = NULL, *answer = NULL;
    int32_t *dest = NULL;
    int64_t *from = NULL, n = 0, n_asked = 0, n_answer = 0;
    net_set set = {0};
    stretch.kind = LW_PARTITION_BLOCK;
    stretch.owner = NULL;
    lw_err err = lw_alloc((size_t)pop->n_local, sizeof *ask, "new numbers", &ask);
    if (err == LW_OK) err = lw_alloc((size_t)pop->n_local, sizeof *dest, "new numbers", &dest);
    if (err == LW_OK) err = lw_alloc((size_t)stretch.size, sizeof *from, "new numbers", &from);
    if (err == LW_OK) err = net_set_create(&set, pop->size);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    for (int64_t k = 0; k < pop->n_local; k++) {
        if (!keeps(c, pop->lid_begin + k)) continue;
        ask[n] = (renumber){.index = pop->gid[k] - pop->gid_begin, .lid = pop->lid_begin + k};
        dest[n] = net_partition_owner(&stretch, p, ask[n].index);
        n++;
    }
    LW_TRY_TO(lw_comm_route(net->comm, n, dest, ask, sizeof *ask, (void **)&asked, &n_asked, from), done);
    for (int64_t i = 0; i < n_asked && err == LW_OK; i++)
        err = net_set_add(&set, asked[i].index);
    lw_free(dest);
    dest = NULL;
    if (err == LW_OK) err = lw_alloc((size_t)n_asked, sizeof *dest, "new numbers", &dest);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    net_set_finish(&set);
    int64_t before = lw_comm_exscan_i64(net->comm, n_asked), at = 0;
    for (int r = 0; r < stretch.size; r++) {
        for (int64_t i = 0; i < from[r]; i++, at++) {
            asked[at].index = before + net_set_place(&set, asked[at].index);
            dest[at] = r;
        }
    }
    LW_TRY_TO(lw_comm_route(net->comm, n_asked, dest, asked, sizeof *asked, (void **)&answer, &n_answer, NULL), done);
    for (int64_t i = 0; i < n_answer; i++)
        c->index[answer[i].lid] = answer[i].index;
    c->size[p] = n;
    lw_comm_sum_i64(net->comm, &c->size[p], 1);
    if (c->size[p] == 0)
        err = LW_FAIL(LW_EUSE, "no neuron of population \"%s\" would be kept; at least 1 is needed", pop->name);
done:
    net_set_free(&set);
    lw_free(from);
    lw_free(dest);
    lw_free(ask);
    lw_free(asked);
    lw_free(answer);
    return err;
}

/* New indices of sources, asked from their owners. **Collective** */
static lw_err slots_renumber(compact *c) {
    const lw_net *net = c->net;
    lw_halo *halo = NULL;
    LW_TRY(lw_halo_create(net->comm, net->n_local, net->slot.n, net->slot.owner, net->slot.owner_lid, &halo));
    lw_halo_rows_begin(halo, c->index, sizeof *c->index);
    lw_halo_rows_end(halo, c->slot_index);
    lw_halo_destroy(&halo);
    return LW_OK;
}

/* Kept synapses of one projection (net_given). **Local** */
static lw_err kept_edges(void *payload, int proj, lw_edge **edges, int64_t *n) {
    const compact *c = payload;
    const lw_proj_view *view = &c->net->proj[proj].view;
    const uint8_t *keep = c->keep_edge ? c->keep_edge[proj] : NULL;
    const int64_t *target_index = c->index + c->net->pop[view->post].lid_begin;
    const int64_t *row_index = c->slot_index + c->net->pop[view->pre].slot_begin;
    net_edges_out all;
    int64_t n_all = 0;
    unsigned wanted = NET_EDGES_EDGE | NET_EDGES_ROW | (keep ? NET_EDGES_NUMBER : 0);
    LW_ASSERT(!keep || !view->bundled);
    *n = 0;
    lw_err err = net_edges_list(c->net, proj, 0, c->net->pop[view->post].n_local, wanted, &all, &n_all);
    for (int64_t i = 0; i < n_all && err == LW_OK; i++) {
        lw_edge e = all.edge[i];
        e.target = target_index[net_local_number(c->net, view->post, e.target)];
        e.source = row_index[all.row[i]];
        if (e.target >= 0 && e.source >= 0 && (!keep || keep[all.number[i]])) all.edge[(*n)++] = e;
    }
    lw_free(all.row);
    lw_free(all.number);
    *edges = all.edge;
    return err;
}

/* Kept neurons of one population (net_given). **Local** */
static lw_err kept_neurons(void *payload, int p, double **records, int64_t *n) {
    const compact *c = payload;
    const lw_pop_view *pop = &c->net->pop[p];
    int32_t n_param = pop->model->n_param, n_state = pop->model->n_state;
    size_t width = 2 + (size_t)n_param + (size_t)n_state;
    *n = 0;
    LW_TRY(lw_alloc((size_t)pop->n_local, width * sizeof **records, "kept neurons", records));
    for (int64_t k = 0; k < pop->n_local; k++) {
        if (!keeps(c, pop->lid_begin + k)) continue;
        double *record = *records + (size_t)(*n)++ * width;
        record[0] = (double)c->index[pop->lid_begin + k];
        record[1] = (double)pop->origin[k];
        for (int32_t i = 0; i < n_param; i++)
            record[2 + i] = pop->param[i][k];
        for (int32_t i = 0; i < n_state; i++)
            record[2 + n_param + i] = pop->init[i][k];
    }
    return LW_OK;
}

static void spec_fill(const compact *c, lw_population_spec *pop, lw_projection_spec *proj) {
    for (int32_t p = 0; p < c->net->n_pop; p++) {
        const lw_pop_view *view = &c->net->pop[p];
        pop[p] = (lw_population_spec){
            .name = view->name, .model = view->model, .size = c->size[p], .learn = view->learn, .layout = view->layout};
    }
    for (int32_t i = 0; i < c->net->n_proj; i++) {
        const lw_proj_view *view = &c->net->proj[i].view;
        proj[i] = (lw_projection_spec){.name = view->name,
            .pre = view->pre,
            .post = view->post,
            .port = view->port,
            .rule = LW_RULE_EDGES,
            .autapses = true,
            .multapses = true,
            .learn = view->learn,
            .learn_delay = view->lag_max > 0,
            .delay_max = view->lag_max * c->net->dt,
            .synapse = view->synapse,
            .synapse_param = view->synapse_param,
            .delay_in_axon = view->delay_in_axon,
            .weight = lw_dist_number(view->weight_value),
            .delay = lw_dist_number(0)};
    }
}

lw_err lw_net_compact(const lw_net *net, const uint8_t *keep_neuron, const uint8_t *const *keep_edge, lw_net **out) {
    compact c = {.net = net, .keep_neuron = keep_neuron, .keep_edge = keep_edge};
    lw_population_spec *pop = NULL;
    lw_projection_spec *proj = NULL;
    *out = NULL;
    for (int32_t i = 0; i < net->n_proj; i++)
        LW_CHECK(net->proj[i].view.n_tied == 0, LW_EUSE,
            "projection \"%s\" is a learned conv2d, whose synapses share weights, and the network is to lose neurons "
            "or "
            "synapses; allowed: local2d, or conv2d without learn",
            net->proj[i].view.name);
    lw_err err = lw_alloc((size_t)net->n_local, sizeof *c.index, "new numbers", &c.index);
    if (err == LW_OK) err = lw_alloc((size_t)net->slot.n, sizeof *c.slot_index, "new numbers", &c.slot_index);
    if (err == LW_OK) err = lw_alloc((size_t)net->n_pop, sizeof *c.size, "new sizes", &c.size);
    if (err == LW_OK) err = lw_alloc((size_t)net->n_pop, sizeof *pop, "populations", &pop);
    if (err == LW_OK) err = lw_alloc((size_t)net->n_proj, sizeof *proj, "projections", &proj);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    for (int64_t i = 0; i < net->n_local; i++)
        c.index[i] = -1;
    for (int32_t p = 0; p < net->n_pop; p++)
        LW_TRY_TO(pop_renumber(&c, p), done);
    LW_TRY_TO(slots_renumber(&c), done);
    spec_fill(&c, pop, proj);
    lw_net_spec spec = {.seed = net->seed,
        .dt = net->dt,
        .n_pop = net->n_pop,
        .n_proj = net->n_proj,
        .pop = pop,
        .proj = proj,
        .partition = net->partition.kind,
        .weight_type = net->weight_type,
        .threads = net->threads};
    net_given given = {.payload = &c, .edges = kept_edges, .neurons = kept_neurons};
    err = net_build_partitioned(net->comm, &spec, &given, out);
done:
    lw_free(proj);
    lw_free(pop);
    lw_free(c.size);
    lw_free(c.slot_index);
    lw_free(c.index);
    return err;
}
