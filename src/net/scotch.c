/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The partition that PT-Scotch finds for the graph of a network built with blocks: vertices are neurons with load 1 +
 * their incoming synapses, edges are connected pairs with their number of synapses as load, so that halves of the
 * network that talk little are kept apart and every rank gets the same work.
 */
#include <stdlib.h>
#include <string.h>
#include <mpi.h>
#include <ptscotch.h>
#include "net_private.h"

/* A connected pair seen from vertex `at`. */
typedef struct arc {
    int64_t at, to, load;
} arc;

/* This rank's part of the graph, as SCOTCH_dgraphBuild wants it. */
typedef struct graph {
    int64_t n, n_arcs, begin; /* vertices and arcs here, number of the first vertex */
    SCOTCH_Num *row, *load, *to, *arc_load;
} graph;

static int arc_order(const void *a, const void *b) {
    const arc *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* Equal pairs become one. Returns their number. */
static int64_t arcs_merge(arc *a, int64_t n) {
    int64_t m = 0;
    qsort(a, (size_t)n, sizeof *a, arc_order);
    for (int64_t i = 0; i < n; i++) {
        if (m > 0 && arc_order(&a[m - 1], &a[i]) == 0)
            a[m - 1].load += a[i].load;
        else
            a[m++] = a[i];
    }
    return m;
}

/* Arcs target -> source of all local synapses, merged; synapses of each local neuron into load. */
static lw_err arcs_list(const lw_net *net, const int64_t *vertex_begin, arc **out, int64_t *n_out, SCOTCH_Num *load) {
    int64_t n = 0, here = vertex_begin[net->partition.rank];
    for (int32_t i = 0; i < net->n_proj; i++)
        n += net->proj[i].view.n_edges;
    LW_TRY(lw_alloc((size_t)n, sizeof **out, "graph of the network", out));
    n = 0;
    for (int32_t i = 0; i < net->n_proj; i++) {
        const lw_proj_view *proj = &net->proj[i].view;
        const lw_pop_view *pre = &net->pop[proj->pre], *post = &net->pop[proj->post];
        lw_run run;
        for (lw_run_walk w = lw_net_runs(net, i, 0, post->n_local); lw_run_next(&w, &run);) {
            int64_t slot = pre->slot_begin + run.row;
            int64_t source = vertex_begin[net->slot.owner[slot]] + net->slot.owner_lid[slot];
            for (int64_t k = 0; k < run.n; k++) {
                int64_t lid = post->lid_begin + lw_run_target(&run, k);
                load[lid]++;
                if (here + lid != source) (*out)[n++] = (arc){.at = here + lid, .to = source, .load = 1};
            }
        }
    }
    *n_out = arcs_merge(*out, n);
    return LW_OK;
}

/* Rank of a vertex. */
static int32_t vertex_rank(const int64_t *vertex_begin, int size, int64_t vertex) {
    int low = 0, high = size;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (vertex_begin[middle] <= vertex)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* arcs (target -> source) and the same turned round, at their owners, merged. **Collective** */
static lw_err arcs_symmetric(const lw_net *net, const int64_t *vertex_begin, arc **arcs, int64_t *n) {
    arc *turned = NULL, *arrived = NULL;
    int32_t *dest = NULL;
    int64_t n_arrived = 0;
    lw_err err = lw_alloc((size_t)*n, sizeof *turned, "graph of the network", &turned);
    if (err == LW_OK) err = lw_alloc((size_t)*n, sizeof *dest, "graph of the network", &dest);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    for (int64_t i = 0; i < *n; i++) {
        turned[i] = (arc){.at = (*arcs)[i].to, .to = (*arcs)[i].at, .load = (*arcs)[i].load};
        dest[i] = vertex_rank(vertex_begin, net->partition.size, turned[i].at);
    }
    LW_TRY_TO(lw_comm_route(net->comm, *n, dest, turned, sizeof *turned, (void **)&arrived, &n_arrived, NULL), done);
    err = lw_grow(arcs, (size_t)*n, (size_t)(*n + n_arrived), sizeof **arcs, "graph of the network");
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    memcpy(*arcs + *n, arrived, (size_t)n_arrived * sizeof *arrived);
    *n = arcs_merge(*arcs, *n + n_arrived);
done:
    lw_free(arrived);
    lw_free(dest);
    lw_free(turned);
    return err;
}

static void graph_free(graph *g) {
    lw_free(g->row);
    lw_free(g->load);
    lw_free(g->to);
    lw_free(g->arc_load);
}

static lw_err graph_rows(graph *g, const arc *arcs, int64_t n) {
    g->n_arcs = n;
    LW_TRY(lw_alloc((size_t)g->n + 1, sizeof *g->row, "graph of the network", &g->row));
    LW_TRY(lw_alloc((size_t)n, sizeof *g->to, "graph of the network", &g->to));
    LW_TRY(lw_alloc((size_t)n, sizeof *g->arc_load, "graph of the network", &g->arc_load));
    for (int64_t i = 0; i < n; i++) {
        g->row[arcs[i].at - g->begin + 1]++;
        g->to[i] = (SCOTCH_Num)arcs[i].to;
        g->arc_load[i] = (SCOTCH_Num)arcs[i].load;
    }
    for (int64_t v = 0; v < g->n; v++)
        g->row[v + 1] += g->row[v];
    return LW_OK;
}

/* Scotch is often built with 32 bit numbers, and all loads are summed in one. **Collective** */
static lw_err size_check(const lw_net *net, int64_t n_arcs) {
    int64_t most = sizeof(SCOTCH_Num) == 4 ? INT32_MAX : INT64_MAX;
    int64_t synapses = lw_net_n_edges_global(net), loads = lw_net_n_global(net) + 2 * synapses;
    lw_comm_sum_i64(net->comm, &n_arcs, 1);
    LW_CHECK(loads <= most && n_arcs <= most, LW_EUSE,
        "partition scotch with %lld synapses; this Scotch counts to %lld, so at most %lld are allowed (take block or "
        "round_robin)",
        (long long)synapses, (long long)most, (long long)(most - lw_net_n_global(net)) / 2);
    return LW_OK;
}

/* **Collective** */
static lw_err graph_create(const lw_net *net, const int64_t *vertex_begin, graph *g) {
    arc *arcs = NULL;
    int64_t n = 0;
    g->n = net->n_local;
    g->begin = vertex_begin[net->partition.rank];
    lw_err err = lw_alloc((size_t)g->n, sizeof *g->load, "graph of the network", &g->load);
    for (int64_t v = 0; v < g->n && err == LW_OK; v++)
        g->load[v] = 1;
    if (err == LW_OK) err = arcs_list(net, vertex_begin, &arcs, &n, g->load);
    err = lw_comm_agree(net->comm, err);
    if (err == LW_OK) err = arcs_symmetric(net, vertex_begin, &arcs, &n);
    if (err == LW_OK) err = size_check(net, n);
    if (err == LW_OK) err = lw_comm_agree(net->comm, graph_rows(g, arcs, n));
    lw_free(arcs);
    return err;
}

/* PT-Scotch would start threads that call MPI at the same time, which MPI was not asked to allow, and would draw from a
 * process wide generator; a context of one thread with its own seed prevents both. Returns 0 or Scotch's error.
 * **Collective** */
static int dgraph_part(SCOTCH_Dgraph *dgraph, SCOTCH_Context *context, int n_parts, SCOTCH_Num *part) {
    enum { SEED = 20240229 };
    SCOTCH_Dgraph bound;
    SCOTCH_Strat strat;
    int bad = SCOTCH_contextThreadSpawn(context, 1, NULL);
    if (bad == 0) bad = SCOTCH_contextOptionSetNum(context, SCOTCH_OPTIONNUMDETERMINISTIC, 1);
    if (bad == 0) bad = SCOTCH_contextRandomClone(context);
    if (bad != 0) return bad;
    SCOTCH_contextRandomSeed(context, SEED);
    SCOTCH_contextRandomReset(context);
    bad = SCOTCH_contextBindDgraph(context, dgraph, &bound);
    if (bad != 0) return bad;
    bad = SCOTCH_stratInit(&strat);
    if (bad == 0) {
        bad = SCOTCH_dgraphPart(&bound, n_parts, &strat, part);
        SCOTCH_stratExit(&strat);
    }
    SCOTCH_dgraphExit(&bound);
    return bad;
}

/* **Collective** */
static lw_err graph_part(graph *g, MPI_Comm mpi, int n_parts, SCOTCH_Num *part) {
    SCOTCH_Dgraph dgraph;
    SCOTCH_Context context;
    LW_CHECK(SCOTCH_dgraphInit(&dgraph, mpi) == 0, LW_EMEM, "PT-Scotch could not begin a graph");
    int bad = SCOTCH_dgraphBuild(&dgraph, 0, (SCOTCH_Num)g->n, (SCOTCH_Num)g->n, g->row, g->row + 1, g->load, NULL,
        (SCOTCH_Num)g->n_arcs, (SCOTCH_Num)g->n_arcs, g->to, NULL, g->arc_load);
    if (bad == 0) bad = SCOTCH_contextInit(&context);
    if (bad == 0) {
        bad = dgraph_part(&dgraph, &context, n_parts, part);
        SCOTCH_contextExit(&context);
    }
    SCOTCH_dgraphExit(&dgraph);
    LW_CHECK(bad == 0, LW_EMEM, "PT-Scotch could not partition %lld neurons", (long long)g->n);
    return LW_OK;
}

/* Parts by vertex (rank by rank, lid by lid) -> parts by gid, on every rank. The network has blocks: within a
 * population those of lower ranks come first. **Collective** */
static lw_err table_create(const lw_net *net, const SCOTCH_Num *part, int32_t **out) {
    int32_t *mine = NULL, *all = NULL, *table = NULL;
    int64_t *next = NULL; /* [n_pop] gid of the next neuron */
    int64_t bytes = 0, at = 0;
    const net_partition *p = &net->partition;
    lw_err err = lw_alloc((size_t)net->n_local, sizeof *mine, "owners of neurons", &mine);
    for (int64_t v = 0; v < net->n_local && err == LW_OK; v++)
        mine[v] = (int32_t)part[v];
    if (err == LW_OK) err = lw_alloc((size_t)lw_net_n_global(net), sizeof *table, "owners of neurons", &table);
    if (err == LW_OK) err = lw_alloc((size_t)p->n_pop, sizeof *next, "owners of neurons", &next);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    LW_TRY_TO(lw_comm_allgatherv(net->comm, mine, net->n_local * (int64_t)sizeof *mine, (void **)&all, &bytes), done);
    memcpy(next, p->gid_begin, (size_t)p->n_pop * sizeof *next);
    for (int r = 0; r < p->size; r++) {
        for (int32_t pop = 0; pop < p->n_pop; pop++) {
            int64_t count = net_partition_count(p, pop, r);
            memcpy(table + next[pop], all + at, (size_t)count * sizeof *table);
            next[pop] += count;
            at += count;
        }
    }
done:
    lw_free(next);
    lw_free(all);
    lw_free(mine);
    if (err != LW_OK) {
        lw_free(table);
        table = NULL;
    }
    *out = table;
    return err;
}

lw_err net_scotch(const lw_net *net, int32_t **owner) {
    int size = net->partition.size;
    int64_t *vertex_begin = NULL;
    SCOTCH_Num *part = NULL;
    graph g = {0};
    *owner = NULL;
    lw_err err = lw_alloc((size_t)size + 1, sizeof *vertex_begin, "graph of the network", &vertex_begin);
    if (err == LW_OK) err = lw_alloc((size_t)net->n_local, sizeof *part, "parts of the graph", &part);
    LW_TRY_TO(lw_comm_agree(net->comm, err), done);
    lw_comm_allgather_i64(net->comm, net->n_local, vertex_begin + 1);
    for (int r = 0; r < size; r++)
        vertex_begin[r + 1] += vertex_begin[r];
    LW_TRY_TO(graph_create(net, vertex_begin, &g), done);
    int64_t arcs = g.n_arcs;
    lw_comm_sum_i64(net->comm, &arcs, 1);
    if (arcs > 0) {
        err = graph_part(&g, *(MPI_Comm *)lw_comm_handle(net->comm), size, part);
        LW_TRY_TO(lw_comm_agree(net->comm, err), done);
        err = table_create(net, part, owner);
    }
done:
    graph_free(&g);
    lw_free(part);
    lw_free(vertex_begin);
    return err;
}
