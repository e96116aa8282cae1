/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The canonical order of synapses: each rank knows its own ones by (target, source, order); their places in the order
 * of all follow from the number of synapses of every target, which is summed up along the target index.
 *
 *   ring of 5, ranks own targets {0 1 2} and {3 4}, 2 synapses each: counts 2 2 2 | 2 2, firsts 0 2 4 | 6 8
 */
#include "checkpoint.h"
#include "slab.h"

typedef struct count {
    int64_t target, n; /* index in the population, its synapses */
} count;

/* One record per local target, and the rank that sums it up. */
static lw_err targets_count(
    const lw_net *net, int proj, const lw_proj_view *view, const lw_pop_view *post, count **out, int32_t **dest) {
    lw_span all = {post->size, 0, post->size};
    LW_TRY(lw_alloc((size_t)post->n_local, sizeof **out, "synapses by target", out));
    LW_TRY(lw_alloc((size_t)post->n_local, sizeof **dest, "synapses by target", dest));
    for (int64_t t = 0; t < post->n_local; t++) {
        (*out)[t] = (count){.target = post->gid[t] - post->gid_begin, .n = view->dense ? view->n_rows : 0};
        (*dest)[t] = lw_slab_owner(all, (*out)[t].target, lw_comm_size(lw_net_comm(net)));
    }
    lw_run run;
    for (lw_run_walk w = lw_net_runs(net, proj, 0, post->n_local); !view->dense && lw_run_next(&w, &run);)
        for (int64_t i = 0; i < run.n; i++)
            (*out)[lw_run_target(&run, i)].n++;
    return LW_OK;
}

/* Counts of this rank's slab of targets, ascending by sender -> first place of each, in the order of the records. */
static lw_err firsts_find(const lw_comm *comm, int64_t n_post, const count *counted, int64_t n, int64_t **first) {
    lw_slab slab = lw_slab_range(n_post, lw_comm_rank(comm), lw_comm_size(comm));
    int64_t *place = NULL, total = 0;
    lw_err err = lw_alloc((size_t)(slab.hi - slab.lo), sizeof *place, "synapses by target", &place);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof **first, "synapses by target", first);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t k = 0; k < n; k++)
        place[counted[k].target - slab.lo] = counted[k].n;
    for (int64_t t = 0; t < slab.hi - slab.lo; t++) {
        int64_t here = place[t];
        place[t] = total;
        total += here;
    }
    int64_t before = lw_comm_exscan_i64(comm, total);
    for (int64_t k = 0; k < n; k++)
        (*first)[k] = before + place[counted[k].target - slab.lo];
done:
    lw_free(place);
    return err;
}

/* Answers come back in the order of the questions: slabs ascend with the rank, and so do this rank's targets. */
static lw_err answers_send(
    const lw_comm *comm, const int64_t *from, const int64_t *first, int64_t n, int64_t **out, int64_t *n_out) {
    int32_t *dest = NULL;
    int64_t at = 0;
    lw_err err = lw_comm_agree(comm, lw_alloc((size_t)n, sizeof *dest, "synapses by target", &dest));
    if (err == LW_OK) {
        for (int r = 0; r < lw_comm_size(comm); r++)
            for (int64_t k = 0; k < from[r]; k++)
                dest[at++] = r;
        err = lw_comm_route(comm, n, dest, first, sizeof *first, (void **)out, n_out, NULL);
    }
    lw_free(dest);
    return err;
}

lw_err checkpoint_order_find(const lw_net *net, int proj, checkpoint_order *out) {
    const lw_comm *comm = lw_net_comm(net);
    lw_proj_view view = lw_net_proj(net, proj);
    lw_pop_view post = lw_net_pop(net, view.post);
    count *mine = NULL, *counted = NULL;
    int64_t *first = NULL, *from = NULL, n_counted = 0, n_first = 0;
    int32_t *dest = NULL;
    *out = (checkpoint_order){.n_global = view.n_edges_global};
    lw_err err = targets_count(net, proj, &view, &post, &mine, &dest);
    if (err == LW_OK) err = lw_alloc((size_t)lw_comm_size(comm), sizeof *from, "synapses by target", &from);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(lw_comm_route(comm, post.n_local, dest, mine, sizeof *mine, (void **)&counted, &n_counted, from), done);
    LW_TRY_TO(firsts_find(comm, post.size, counted, n_counted, &first), done);
    LW_TRY_TO(answers_send(comm, from, first, n_counted, &out->first, &n_first), done);
    LW_ASSERT(n_first == post.n_local);
done:
    lw_free(first);
    lw_free(counted);
    lw_free(from);
    lw_free(dest);
    lw_free(mine);
    return err;
}

void checkpoint_order_free(checkpoint_order *order) {
    lw_free(order->first);
    *order = (checkpoint_order){0};
}

/* Local number of a target among this rank's, all of which are ascending: walked along with the synapses. */
static void places_fill(const lw_pop_view *post, const checkpoint_order *order, checkpoint_edges *e) {
    int64_t t = 0, k = 0;
    for (int64_t i = 0; i < e->n; i++, k++) {
        if (i == 0 || e->edge[i].target != e->edge[i - 1].target) k = 0;
        while (post->gid[t] - post->gid_begin < e->edge[i].target)
            t++;
        e->index[i] = order->first[t] + k;
    }
}

lw_err checkpoint_edges_find(
    const lw_net *net, int proj, const checkpoint_order *order, int64_t begin, int64_t end, checkpoint_edges *out) {
    lw_pop_view post = lw_net_pop(net, lw_net_proj(net, proj).post);
    *out = (checkpoint_edges){0};
    lw_err err = lw_net_edges_between(net, proj, begin, end, &out->edge, &out->number, &out->n);
    if (err == LW_OK) err = lw_alloc((size_t)out->n, sizeof *out->index, "places of synapses", &out->index);
    if (err == LW_OK) places_fill(&post, order, out);
    if (err != LW_OK) checkpoint_edges_free(out);
    return err;
}

void checkpoint_edges_free(checkpoint_edges *e) {
    lw_free(e->edge);
    lw_free(e->number);
    lw_free(e->index);
    *e = (checkpoint_edges){0};
}
