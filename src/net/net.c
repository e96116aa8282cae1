/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The network: building it in order (neurons, projections, slots, levels), giving it back, and the views of it.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

/* ---- build */

static lw_err pops_create(lw_net *net, const lw_net_spec *spec) {
    int64_t *count = NULL, lid = 0;
    LW_TRY(lw_alloc((size_t)net->n_pop, sizeof *count, "population sizes", &count));
    lw_err err = net_partition_list(&net->partition, count, &net->gid, &net->n_local);
    for (int32_t p = 0; p < net->n_pop && err == LW_OK; p++) {
        lw_pop_view *pop = &net->pop[p];
        pop->model = spec->pop[p].model;
        pop->size = spec->pop[p].size;
        pop->gid_begin = net->partition.gid_begin[p];
        pop->n_local = count[p];
        pop->lid_begin = lid;
        pop->gid = net->gid + lid;
        lid += count[p];
        pop->name = lw_strdup(spec->pop[p].name);
        if (!pop->name) err = LW_FAIL(LW_EMEM, "no memory for the name of a population");
        if (err == LW_OK) err = net_layout_take(pop, &spec->pop[p].layout);
    }
    lw_free(count);
    return err;
}

static lw_err synapse_take(lw_proj_view *view, const lw_projection_spec *from) {
    const lw_synapse_model *model = view->synapse = from->synapse;
    double *param = NULL;
    view->plastic = model != NULL;
    view->delay_in_axon = from->delay_in_axon;
    if (!model) return LW_OK;
    LW_TRY(lw_alloc((size_t)model->n_param, sizeof *param, "parameters of synapses", &param));
    view->synapse_param = param;
    for (int32_t i = 0; i < model->n_param; i++)
        param[i] = from->synapse_param ? from->synapse_param[i] : model->param[i].value;
    return LW_OK;
}

static lw_err projs_create(lw_net *net, const lw_net_spec *spec) {
    for (int32_t i = 0; i < net->n_proj; i++) {
        const lw_projection_spec *from = &spec->proj[i];
        lw_proj_view *view = &net->proj[i].view;
        char *name = NULL;
        LW_TRY(net_spec_proj_name(spec, i, net->proj, &name));
        view->name = name;
        view->pre = from->pre;
        view->post = from->post;
        view->port = from->port;
        view->learn = from->learn;
        if (from->learn_delay) view->lag_max = (int32_t)lround(from->delay_max / spec->dt);
        LW_TRY(synapse_take(view, from));
        view->weight_type = spec->weight_type;
    }
    return LW_OK;
}

/* The network without neurons and synapses. `owner` is taken over. **Local** */
static lw_err net_begin(const lw_comm *comm, const lw_net_spec *spec, int32_t *owner, lw_net *net) {
    net->seed = spec->seed;
    net->dt = spec->dt;
    net->weight_type = spec->weight_type;
    net->threads = spec->threads;
    net->n_pop = spec->n_pop;
    net->n_proj = spec->n_proj;
    net->delay_min = net->delay_max = 1;
    LW_TRY(net_partition_create(comm, spec, owner, &net->partition));
    LW_TRY(lw_alloc((size_t)net->n_pop, sizeof *net->pop, "populations", &net->pop));
    LW_TRY(lw_alloc((size_t)net->n_proj, sizeof *net->proj, "projections", &net->proj));
    LW_TRY(pops_create(net, spec));
    LW_TRY(net_blocks(net, spec));
    return projs_create(net, spec);
}

/* Levels and extreme delays, from the delays that were found. **Local** */
static lw_err delays_finish(lw_net *net) {
    int32_t *index = NULL;
    const char **name = NULL;
    uint8_t *zero = NULL;
    size_t n = (size_t)net->n_proj, n_pop = (size_t)net->n_pop;
    lw_err err = LW_OK;
    int32_t low = 0;
    LW_TRY_TO(lw_alloc(2 * n + n_pop, sizeof *index, "levels", &index), done);
    LW_TRY_TO(lw_alloc(n_pop, sizeof *name, "levels", &name), done);
    LW_TRY_TO(lw_alloc(n, sizeof *zero, "levels", &zero), done);
    for (size_t p = 0; p < n_pop; p++)
        name[p] = net->pop[p].name;
    for (size_t i = 0; i < n; i++) {
        const net_proj *proj = &net->proj[i];
        index[i] = proj->view.pre;
        index[n + i] = proj->view.post;
        zero[i] = proj->delay_low == 0;
        if (proj->delay_positive > 0 && (low == 0 || proj->delay_positive < low)) low = proj->delay_positive;
        int32_t high = proj->view.lag_max ? proj->view.lag_max + 1 : proj->delay_high;
        if (high > net->delay_max) net->delay_max = high;
    }
    if (low > 0) net->delay_min = low;
    LW_TRY_TO(net_levels(net->n_pop, name, net->n_proj, index, index + n, zero, index + 2 * n, &net->n_levels), done);
    for (size_t p = 0; p < n_pop; p++)
        net->pop[p].level = index[2 * n + p];
done:
    lw_free(zero);
    lw_free(name);
    lw_free(index);
    return err;
}

lw_err net_build(const lw_comm *comm, const lw_net_spec *spec, const net_given *given, int32_t *owner, lw_net **out) {
    lw_net *net = NULL;
    lw_err err = lw_alloc(1, sizeof *net, "the network", &net);
    if (err == LW_OK)
        err = net_begin(comm, spec, owner, net);
    else
        lw_free(owner);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(lw_comm_dup(comm, &net->comm), done);
    LW_TRY_TO(net_neurons(net, spec, given), done);
    LW_TRY_TO(net_connections(net, spec, given), done);
    LW_TRY_TO(lw_comm_agree(comm, net_slots(net)), done);
    LW_TRY_TO(net_ties(net, spec), done);
    err = lw_comm_agree(comm, delays_finish(net));
done:
    if (err != LW_OK) lw_net_destroy(&net);
    *out = net;
    return err;
}

lw_err net_build_partitioned(const lw_comm *comm, const lw_net_spec *spec, const net_given *given, lw_net **out) {
    int32_t *owner = NULL;
    *out = NULL;
    if (spec->partition == LW_PARTITION_SCOTCH && lw_comm_size(comm) > 1) {
        lw_net *first = NULL;
        lw_net_spec block = *spec;
        block.partition = LW_PARTITION_BLOCK;
        LW_TRY(net_build(comm, &block, given, NULL, &first));
        lw_err err = net_scotch(first, &owner);
        lw_net_destroy(&first);
        LW_TRY(err);
    }
    return net_build(comm, spec, given, owner, out);
}

lw_err lw_net_check(const lw_net_spec *spec) {
    return net_spec_check(spec);
}

/* One rank of many can be built alone where it draws all that ends on it. */
static lw_err play_check(const lw_net_spec *spec) {
    LW_CHECK(spec->partition != LW_PARTITION_SCOTCH, LW_EUSE,
        "partition scotch looks at the whole network; allowed for one rank of many: block, round_robin");
    for (int32_t i = 0; i < spec->n_proj; i++)
        LW_CHECK(net_rule_of_target(&spec->proj[i]), LW_EUSE,
            "the synapses from \"%s\" to \"%s\" are not drawn by their targets; allowed for one rank of many: "
            "all_to_all, one_to_one, fixed_indegree, fixed_total_number, pairwise_bernoulli",
            spec->pop[spec->proj[i].pre].name, spec->pop[spec->proj[i].post].name);
    return LW_OK;
}

lw_err lw_net_create(const lw_comm *comm, const lw_net_spec *spec, lw_net **out) {
    *out = NULL;
    LW_TRY(lw_comm_agree(comm, net_spec_check(spec)));
    if (lw_comm_plays(comm)) LW_TRY(play_check(spec));
    LW_TRY(net_spec_agree(comm, spec));
    return net_build_partitioned(comm, spec, NULL, out);
}

/* ---- end */

static void pop_free(lw_pop_view *pop) {
    for (int32_t i = 0; pop->param && i < pop->model->n_param; i++)
        lw_free(pop->param[i]);
    for (int32_t i = 0; pop->init && i < pop->model->n_state; i++)
        lw_free(pop->init[i]);
    lw_free((void *)pop->param);
    lw_free((void *)pop->init);
    lw_free((void *)pop->origin);
    lw_free((void *)pop->uniform);
    lw_free((void *)pop->learn);
    net_layout_free(pop);
    lw_free((void *)pop->name);
}

static void proj_free(net_proj *proj) {
    lw_free((void *)proj->view.name);
    lw_free((void *)proj->view.slice);
    lw_free((void *)proj->view.target);
    lw_free(proj->view.weight);
    lw_free(proj->view.lag);
    lw_free(proj->view.tied);
    lw_free((void *)proj->view.tied_begin);
    lw_free((void *)proj->view.tied_edge);
    lw_free((void *)proj->view.synapse_param);
    lw_free(proj->row_begin);
    lw_free(proj->row_source);
}

void lw_net_destroy(lw_net **net) {
    lw_net *n = *net;
    if (!n) return;
    for (int32_t p = 0; n->pop && p < n->n_pop; p++)
        pop_free(&n->pop[p]);
    for (int32_t i = 0; n->proj && i < n->n_proj; i++)
        proj_free(&n->proj[i]);
    for (int32_t b = 0; b < n->n_bundles; b++)
        net_bundle_free(&n->bundle[b]);
    lw_free(n->bundle);
    lw_free(n->block_begin);
    lw_free(n->family);
    lw_free(n->sum_order);
    lw_free(n->pop);
    lw_free(n->proj);
    lw_free(n->gid);
    lw_free((void *)n->slot.gid);
    lw_free((void *)n->slot.owner);
    lw_free((void *)n->slot.owner_lid);
    lw_free((void *)n->slot.pop);
    net_partition_free(&n->partition);
    lw_comm_destroy(&n->comm);
    lw_free(n);
    *net = NULL;
}

/* ---- views */

int64_t lw_pop_local_first(const lw_pop_view *pop, int64_t gid) {
    int64_t low = 0, high = pop->n_local;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (pop->gid[middle] < gid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const lw_comm *lw_net_comm(const lw_net *net) {
    return net->comm;
}

double lw_net_dt(const lw_net *net) {
    return net->dt;
}

uint64_t lw_net_seed(const lw_net *net) {
    return net->seed;
}

int lw_net_n_pop(const lw_net *net) {
    return net->n_pop;
}

int lw_net_n_proj(const lw_net *net) {
    return net->n_proj;
}

lw_pop_view lw_net_pop(const lw_net *net, int pop) {
    LW_ASSERT(pop >= 0 && pop < net->n_pop);
    return net->pop[pop];
}

lw_proj_view lw_net_proj(const lw_net *net, int proj) {
    LW_ASSERT(proj >= 0 && proj < net->n_proj);
    return net->proj[proj].view;
}

int lw_net_pop_find(const lw_net *net, const char *name) {
    for (int32_t p = 0; p < net->n_pop; p++)
        if (strcmp(net->pop[p].name, name) == 0) return p;
    return -1;
}

int lw_net_proj_find(const lw_net *net, const char *name) {
    for (int32_t i = 0; i < net->n_proj; i++)
        if (strcmp(net->proj[i].view.name, name) == 0) return i;
    return -1;
}

int64_t lw_net_n_local(const lw_net *net) {
    return net->n_local;
}

int64_t lw_net_n_global(const lw_net *net) {
    return net->partition.gid_begin[net->n_pop];
}

int64_t lw_net_n_edges_global(const lw_net *net) {
    int64_t n = 0;
    for (int32_t i = 0; i < net->n_proj; i++)
        n += net->proj[i].view.n_edges_global;
    return n;
}

int32_t lw_net_delay_min(const lw_net *net) {
    return net->delay_min;
}

int32_t lw_net_delay_max(const lw_net *net) {
    return net->delay_max;
}

int lw_net_n_levels(const lw_net *net) {
    return net->n_levels;
}

lw_partition lw_net_partition(const lw_net *net) {
    return net->partition.kind;
}

lw_dtype lw_net_weight_type(const lw_net *net) {
    return net->weight_type;
}

lw_slot_view lw_net_slots(const lw_net *net) {
    return net->slot;
}

int32_t lw_net_owner(const lw_net *net, int64_t gid) {
    const int64_t *begin = net->partition.gid_begin;
    int32_t low = 0, high = net->n_pop;
    LW_ASSERT(gid >= 0 && gid < begin[high]);
    while (high - low > 1) {
        int32_t middle = low + (high - low) / 2;
        if (begin[middle] <= gid)
            low = middle;
        else
            high = middle;
    }
    return net_partition_owner(&net->partition, low, gid - begin[low]);
}

int64_t lw_net_gid(const lw_net *net, int64_t lid) {
    LW_ASSERT(lid >= 0 && lid < net->n_local);
    return net->gid[lid];
}

static int64_t proj_bytes(const net_proj *proj) {
    const lw_proj_view *v = &proj->view;
    if (v->bundled) return 0;
    int64_t bytes = v->n_slices * (int64_t)sizeof *v->slice;
    if (!v->weight_one) bytes += v->n_edges * (int64_t)lw_dtype_size(v->weight_type);
    if (v->lag_max) bytes += v->n_edges * (int64_t)sizeof *v->lag;
    if (!v->dense)
        bytes +=
            v->n_edges * (int64_t)sizeof *v->target + v->n_slices * (v->n_rows + 1) * (int64_t)sizeof *proj->row_begin;
    if (v->n_tied) bytes += v->n_edges * (int64_t)sizeof *v->tied_edge + (2 * v->n_tied + 1) * 8;
    return bytes;
}

static int64_t bundle_bytes(const lw_bundle *b) {
    int64_t bytes = b->n_slices * (int64_t)sizeof *b->delay + b->n_edges * (int64_t)sizeof *b->target;
    if (!b->weight_one) bytes += b->n_edges * (int64_t)lw_dtype_size(b->weight_type);
    if (b->slice_of) return bytes + b->n_edges + (b->n_rows + 1) * (int64_t)sizeof *b->begin;
    return bytes + (b->n_rows * b->n_slices + 1) * (int64_t)sizeof *b->begin;
}

lw_net_stats lw_net_stats_get(const lw_net *net) {
    lw_net_stats s = {.neurons = lw_net_n_global(net), .synapses = lw_net_n_edges_global(net)};
    int64_t here = 0, most;
    for (int64_t i = 0; i < net->slot.n; i++)
        s.slots_remote += net->slot.owner[i] != net->partition.rank;
    for (int32_t i = 0; i < net->n_proj; i++) {
        here += net->proj[i].view.n_edges;
        s.bytes_synapses += proj_bytes(&net->proj[i]);
    }
    for (int32_t b = 0; b < net->n_bundles; b++)
        s.bytes_synapses += bundle_bytes(&net->bundle[b].view);
    s.bytes_neurons = net->n_local * 8 + net->slot.n * 24 + (net->partition.owner ? s.neurons * 4 : 0);
    for (int32_t p = 0; p < net->n_pop; p++)
        s.bytes_neurons += net->pop[p].n_local * 8 * (1 + net->pop[p].model->n_param + net->pop[p].model->n_state);
    most = here;
    lw_comm_sum_i64(net->comm, &s.slots_remote, 1);
    lw_comm_max_i64(net->comm, &most, 1);
    s.balance = s.synapses > 0 ? (double)most * net->partition.size / (double)s.synapses : 1;
    return s;
}
