/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The partition: which rank owns a neuron, and its number there. Block and round-robin are formulas and cost nothing; a
 * partition from PT-Scotch is a table of one int32 per neuron of the network on every rank.
 */
#include <string.h>
#include "net_private.h"

lw_err net_partition_create(const lw_comm *comm, const lw_net_spec *spec, int32_t *owner, net_partition *out) {
    *out = (net_partition){
        .kind = spec->partition, .rank = lw_comm_rank(comm), .size = lw_comm_size(comm), .n_pop = spec->n_pop};
    out->owner = owner;
    LW_TRY(lw_alloc((size_t)spec->n_pop + 1, sizeof *out->gid_begin, "population table", &out->gid_begin));
    for (int32_t p = 0; p < spec->n_pop; p++)
        out->gid_begin[p + 1] = out->gid_begin[p] + spec->pop[p].size;
    return LW_OK;
}

void net_partition_free(net_partition *p) {
    lw_free(p->gid_begin);
    lw_free(p->owner);
    *p = (net_partition){0};
}

/* Rank r of P has the block [size r / P, size (r + 1) / P), rounded down. */
static int64_t block_begin(int64_t size, int rank, int n_ranks) {
    return size / n_ranks * rank + size % n_ranks * rank / n_ranks;
}

int32_t net_partition_owner(const net_partition *p, int32_t pop, int64_t index) {
    if (p->owner) return p->owner[p->gid_begin[pop] + index];
    if (p->kind == LW_PARTITION_ROUND_ROBIN) return (int32_t)(index % p->size);
    int64_t size = p->gid_begin[pop + 1] - p->gid_begin[pop];
    return (int32_t)(((index + 1) * p->size - 1) / size); /* the last r with size r / P <= index */
}

int64_t net_partition_count(const net_partition *p, int32_t pop, int rank) {
    int64_t size = p->gid_begin[pop + 1] - p->gid_begin[pop];
    LW_ASSERT(!p->owner);
    if (p->kind == LW_PARTITION_ROUND_ROBIN) return (size + p->size - 1 - rank) / p->size;
    return block_begin(size, rank + 1, p->size) - block_begin(size, rank, p->size);
}

static int64_t count_table(const net_partition *p, int32_t pop) {
    int64_t n = 0;
    for (int64_t gid = p->gid_begin[pop]; gid < p->gid_begin[pop + 1]; gid++)
        n += p->owner[gid] == p->rank;
    return n;
}

lw_err net_partition_list(const net_partition *p, int64_t *count, int64_t **gid, int64_t *n) {
    *n = 0;
    for (int32_t pop = 0; pop < p->n_pop; pop++) {
        count[pop] = p->owner ? count_table(p, pop) : net_partition_count(p, pop, p->rank);
        *n += count[pop];
    }
    LW_CHECK(*n <= NET_SIZE_MOST, LW_EUSE, "a rank would own %lld neurons; allowed: %lld, so take more ranks",
        (long long)*n, (long long)NET_SIZE_MOST);
    LW_TRY(lw_alloc((size_t)*n, sizeof **gid, "neuron numbers", gid));
    int64_t at = 0;
    for (int32_t pop = 0; pop < p->n_pop; pop++) {
        int64_t begin = p->gid_begin[pop], size = p->gid_begin[pop + 1] - begin;
        if (p->owner) {
            for (int64_t g = begin; g < begin + size; g++)
                if (p->owner[g] == p->rank) (*gid)[at++] = g;
            continue;
        }
        bool robin = p->kind == LW_PARTITION_ROUND_ROBIN;
        int64_t first = robin ? p->rank : block_begin(size, p->rank, p->size), stride = robin ? p->size : 1;
        for (int64_t i = 0; i < count[pop]; i++)
            (*gid)[at++] = begin + first + i * stride;
    }
    return LW_OK;
}

/* Counting along the table tells the lid of every neuron; the wanted ones are picked up. */
static void lids_from_table(const net_partition *p, int64_t n, const int64_t *gid, int64_t *next, int64_t *lid) {
    int64_t g = 0;
    for (int64_t i = 0; i < n; i++) {
        for (; g < gid[i]; g++)
            next[p->owner[g]]++;
        lid[i] = next[p->owner[g]];
    }
}

lw_err net_partition_lids(const net_partition *p, int64_t n, const int64_t *gid, const int32_t *owner, int64_t *lid) {
    int64_t *lid_begin = NULL; /* [P] of the population at hand */
    LW_TRY(lw_alloc((size_t)p->size, sizeof *lid_begin, "lids of other ranks", &lid_begin));
    if (p->owner) {
        lids_from_table(p, n, gid, lid_begin, lid);
        lw_free(lid_begin);
        return LW_OK;
    }
    int32_t pop = 0;
    for (int64_t i = 0; i < n; i++) {
        for (; gid[i] >= p->gid_begin[pop + 1]; pop++)
            for (int r = 0; r < p->size; r++)
                lid_begin[r] += net_partition_count(p, pop, r);
        int64_t index = gid[i] - p->gid_begin[pop], size = p->gid_begin[pop + 1] - p->gid_begin[pop];
        int64_t number =
            p->kind == LW_PARTITION_ROUND_ROBIN ? index / p->size : index - block_begin(size, owner[i], p->size);
        lid[i] = lid_begin[owner[i]] + number;
    }
    lw_free(lid_begin);
    return LW_OK;
}

int64_t net_local_number(const lw_net *net, int32_t pop, int64_t index) {
    const net_partition *p = &net->partition;
    const lw_pop_view *view = &net->pop[pop];
    if (!p->owner)
        return p->kind == LW_PARTITION_ROUND_ROBIN ? index / p->size : index - (view->gid[0] - view->gid_begin);
    int64_t low = 0, high = view->n_local, gid = view->gid_begin + index;
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (view->gid[middle] <= gid)
            low = middle;
        else
            high = middle;
    }
    LW_ASSERT(low < view->n_local && view->gid[low] == gid);
    return low;
}
