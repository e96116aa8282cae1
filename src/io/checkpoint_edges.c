/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The canonical order of synapses: each rank knows its own ones by (target, source, order); their places in the order
 * of all follow from the number of synapses of every target, which is summed up along the target index.
 *
 *   ring of 5, ranks own targets {0 1 2} and {3 4}, 2 synapses each: counts 2 2 2 | 2 2, firsts 0 2 4 | 6 8
 */
#include "checkpoint.h"
#include "slab.h"

/* Runs of equal targets among this rank's synapses. */
static lw_err targets_count(
    const checkpoint_edges *e, int64_t n_post, int size, int64_t **run, int32_t **dest, int64_t *n) {
    int64_t runs = 0;
    for (int64_t i = 0; i < e->n; i++)
        runs += i == 0 || e->edge[i].target != e->edge[i - 1].target;
    LW_TRY(lw_alloc((size_t)runs * 2, sizeof **run, "synapses by target", run)); /* pairs (target, count) */
    LW_TRY(lw_alloc((size_t)runs, sizeof **dest, "synapses by target", dest));
    *n = 0;
    for (int64_t i = 0; i < e->n; i++) {
        if (i == 0 || e->edge[i].target != e->edge[i - 1].target) {
            (*run)[2 * *n] = e->edge[i].target;
            (*dest)[*n] = lw_slab_owner(n_post, e->edge[i].target, size);
            ++*n;
        }
        (*run)[2 * *n - 1]++;
    }
    return LW_OK;
}

/* pairs (target, count) of this rank's slab of targets -> first place of each, in the order of the pairs */
static lw_err firsts_find(const lw_comm *comm, int64_t n_post, const int64_t *pair, int64_t n, int64_t **first) {
    lw_slab slab = lw_slab_range(n_post, lw_comm_rank(comm), lw_comm_size(comm));
    int64_t *place = NULL, total = 0;
    lw_err err = lw_alloc((size_t)(slab.hi - slab.lo), sizeof *place, "synapses by target", &place);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof **first, "synapses by target", first);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    for (int64_t k = 0; k < n; k++)
        place[pair[2 * k] - slab.lo] = pair[2 * k + 1];
    for (int64_t t = 0; t < slab.hi - slab.lo; t++) {
        int64_t count = place[t];
        place[t] = total;
        total += count;
    }
    int64_t before = lw_comm_exscan_i64(comm, total);
    for (int64_t k = 0; k < n; k++)
        (*first)[k] = before + place[pair[2 * k] - slab.lo];
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

static lw_err places_find(const lw_comm *comm, int64_t n_post, checkpoint_edges *e) {
    int64_t *run = NULL, *pair = NULL, *first = NULL, *answer = NULL, *from = NULL;
    int32_t *dest = NULL;
    int64_t n_runs = 0, n_pairs = 0, n_answers = 0;
    lw_err err = targets_count(e, n_post, lw_comm_size(comm), &run, &dest, &n_runs);
    if (err == LW_OK) err = lw_alloc((size_t)lw_comm_size(comm), sizeof *from, "synapses by target", &from);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(lw_comm_route(comm, n_runs, dest, run, 2 * sizeof *run, (void **)&pair, &n_pairs, from), done);
    LW_TRY_TO(firsts_find(comm, n_post, pair, n_pairs, &first), done);
    LW_TRY_TO(answers_send(comm, from, first, n_pairs, &answer, &n_answers), done);
    LW_ASSERT(n_answers == n_runs);
    for (int64_t i = 0, r = -1, k = 0; i < e->n; i++, k++) {
        if (i == 0 || e->edge[i].target != e->edge[i - 1].target) {
            r++;
            k = 0;
        }
        e->index[i] = answer[r] + k;
    }
done:
    lw_free(run);
    lw_free(pair);
    lw_free(first);
    lw_free(answer);
    lw_free(from);
    lw_free(dest);
    return err;
}

lw_err checkpoint_edges_find(const lw_net *net, int proj, checkpoint_edges *out) {
    const lw_comm *comm = lw_net_comm(net);
    lw_proj_view view = lw_net_proj(net, proj);
    *out = (checkpoint_edges){.n_global = view.n_edges_global};
    lw_err err = lw_net_edges(net, proj, &out->edge, &out->number, &out->n);
    if (err == LW_OK) err = lw_alloc((size_t)out->n, sizeof *out->index, "places of synapses", &out->index);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) err = places_find(comm, lw_net_pop(net, view.post).size, out);
    if (err != LW_OK) checkpoint_edges_free(out);
    return err;
}

void checkpoint_edges_free(checkpoint_edges *e) {
    lw_free(e->edge);
    lw_free(e->number);
    lw_free(e->index);
    *e = (checkpoint_edges){0};
}
