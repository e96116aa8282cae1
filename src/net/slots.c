/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Slots: the sources that this rank needs, found with a paged bitmap, and the row tables of projections and bundles
 * brought from their own sources to the slots of the population.
 */
#include "net_private.h"

enum { PAGE = 32768 }; /* indices */

lw_err net_set_create(net_set *set, int64_t size) {
    *set = (net_set){.n_pages = (size + PAGE - 1) / PAGE};
    return lw_alloc((size_t)set->n_pages, sizeof *set->page, "pages of sources", &set->page);
}

void net_set_free(net_set *set) {
    for (int64_t i = 0; set->page && i < set->n_pages; i++)
        lw_free(set->page[i]);
    lw_free(set->page);
    *set = (net_set){0};
}

lw_err net_set_page_add(net_set *set, int64_t page) {
    return lw_alloc(1, sizeof **set->page, "page of sources", &set->page[page]);
}

void net_set_finish(net_set *set) {
    set->n = 0;
    for (int64_t i = 0; i < set->n_pages; i++) {
        net_set_page *page = set->page[i];
        if (!page) continue;
        int here = 0; /* below 32768 before the last word, so it fits `before` */
        page->first = set->n;
        for (int w = 0; w < 512; w++) {
            page->before[w] = (uint16_t)here;
            here += __builtin_popcountll(page->bits[w]);
        }
        set->n += here;
    }
}

lw_err net_set_list(const net_set *set, uint32_t **out) {
    int64_t n = 0;
    LW_TRY(lw_alloc((size_t)set->n, sizeof **out, "sources", out));
    for (int64_t i = 0; i < set->n_pages; i++) {
        if (!set->page[i]) continue;
        for (int w = 0; w < 512; w++)
            for (uint64_t bits = set->page[i]->bits[w]; bits; bits &= bits - 1)
                (*out)[n++] = (uint32_t)(i * PAGE + w * 64 + __builtin_ctzll(bits));
    }
    return LW_OK;
}

/* Slots of one population: the union of the rows of its projections, all of it where one is dense. */
static lw_err pop_slots(const lw_net *net, int32_t p, uint32_t **source, int64_t *n) {
    net_set set;
    lw_err err = net_set_create(&set, net->pop[p].size);
    for (int32_t i = 0; i < net->n_proj && err == LW_OK; i++) {
        const net_proj *proj = &net->proj[i];
        if (proj->view.pre != p) continue;
        for (int64_t r = 0; r < proj->n_row_source && err == LW_OK; r++)
            err = net_set_add(&set, proj->row_source ? proj->row_source[r] : r);
    }
    for (int32_t b = 0; b < net->n_bundles && err == LW_OK; b++)
        for (int64_t r = 0; net->bundle[b].view.pre == p && r < net->bundle[b].n_row_source && err == LW_OK; r++)
            err = net_set_add(&set, net->bundle[b].row_source[r]);
    if (err == LW_OK) {
        net_set_finish(&set);
        *n = set.n;
        err = net_set_list(&set, source);
    }
    net_set_free(&set);
    return err;
}

/* A row table over its own sources -> over the slots: rows between two sources are empty. */
static void expand(
    const int64_t *from, const uint32_t *row_source, int64_t n_from, int64_t *to, const uint32_t *slot, int64_t n_to) {
    int64_t r = 0;
    for (int64_t i = 0; i < n_to; i++) {
        to[i] = from[r];
        if (r < n_from && row_source[r] == slot[i]) r++;
    }
    to[n_to] = from[n_from];
}

static lw_err rows_expand(net_proj *proj, const uint32_t *slot, int64_t n_slots) {
    lw_proj_view *view = &proj->view;
    int64_t *wide = NULL, n_from = proj->n_row_source;
    view->n_rows = n_slots;
    if (!view->dense && !view->bundled && n_slots != n_from) {
        LW_TRY(lw_alloc((size_t)view->n_slices * (size_t)(n_slots + 1), sizeof *wide, "row table", &wide));
        for (int32_t s = 0; s < view->n_slices; s++)
            expand(
                proj->row_begin + s * (n_from + 1), proj->row_source, n_from, wide + s * (n_slots + 1), slot, n_slots);
        lw_free(proj->row_begin);
        proj->row_begin = wide;
    }
    for (int32_t s = 0; s < view->n_slices && !view->dense; s++)
        ((lw_slice *)view->slice)[s].row_begin = proj->row_begin + s * (n_slots + 1);
    lw_free(proj->row_source);
    proj->row_source = NULL;
    return LW_OK;
}

/* The same for a bundle: every row has a cell per delay, or one entry. */
static lw_err cells_expand(net_bundle *bundle, const uint32_t *slot, int64_t n_slots) {
    lw_bundle *view = &bundle->view;
    int64_t n_from = bundle->n_row_source, width = view->slice_of ? 1 : view->n_slices, r = 0;
    uint32_t *wide = NULL;
    view->n_rows = n_slots;
    if (n_slots != n_from) {
        LW_TRY(lw_alloc((size_t)n_slots * (size_t)width + 1, sizeof *wide, "row table", &wide));
        for (int64_t i = 0; i < n_slots; i++) {
            bool own = r < n_from && bundle->row_source[r] == slot[i];
            for (int64_t s = 0; s < width; s++)
                wide[i * width + s] = view->begin[r * width + (own ? s : 0)];
            r += own;
        }
        wide[n_slots * width] = (uint32_t)view->n_edges;
        lw_free((void *)view->begin);
        view->begin = wide;
    }
    lw_free(bundle->row_source);
    bundle->row_source = NULL;
    return LW_OK;
}

static lw_err slot_arrays(lw_net *net, uint32_t *const *source) {
    int64_t n = net->slot.n, *gid = NULL, *lid = NULL;
    int32_t *owner = NULL, *pop = NULL;
    lw_err err = lw_alloc((size_t)n, sizeof *gid, "slots", &gid);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *lid, "slots", &lid);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *owner, "slots", &owner);
    if (err == LW_OK) err = lw_alloc((size_t)n, sizeof *pop, "slots", &pop);
    net->slot = (lw_slot_view){.n = n, .gid = gid, .owner = owner, .owner_lid = lid, .pop = pop};
    LW_TRY(err);
    for (int32_t p = 0; p < net->n_pop; p++) {
        const lw_pop_view *view = &net->pop[p];
        for (int64_t i = 0; i < view->n_slots; i++) {
            int64_t s = view->slot_begin + i, index = source[p][i];
            gid[s] = view->gid_begin + index;
            owner[s] = net_partition_owner(&net->partition, p, index);
            pop[s] = p;
        }
    }
    return net_partition_lids(&net->partition, n, gid, owner, lid);
}

lw_err net_slots(lw_net *net) {
    uint32_t **source = NULL; /* [n_pop] */
    lw_err err = lw_alloc((size_t)net->n_pop, sizeof *source, "slots", &source);
    for (int32_t p = 0; p < net->n_pop && err == LW_OK; p++) {
        net->pop[p].slot_begin = net->slot.n;
        err = pop_slots(net, p, &source[p], &net->pop[p].n_slots);
        net->slot.n += net->pop[p].n_slots;
        for (int32_t i = 0; i < net->n_proj && err == LW_OK; i++)
            if (net->proj[i].view.pre == p) err = rows_expand(&net->proj[i], source[p], net->pop[p].n_slots);
        for (int32_t b = 0; b < net->n_bundles && err == LW_OK; b++)
            if (net->bundle[b].view.pre == p) err = cells_expand(&net->bundle[b], source[p], net->pop[p].n_slots);
    }
    if (err == LW_OK) err = slot_arrays(net, source);
    for (int32_t p = 0; source && p < net->n_pop; p++)
        lw_free(source[p]);
    lw_free(source);
    return err;
}
