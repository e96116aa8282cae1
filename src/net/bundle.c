/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One bundle: the synapses of a family that end in one target block, by source, delay and target. Two walks over the
 * members' targets: the first counts the synapses of each source, the second puts them into the rows. Drawn synapses
 * are drawn in both walks, so that nothing but the bundle and one byte per synapse (its delay, where delays differ) is
 * held. Then each row is sorted by delay in place.
 */
#include <string.h>
#include "net_private.h"

enum { PAGE = 32768 }; /* sources */

typedef struct bundling {
    lw_net *net;
    net_member *const *member;
    int32_t n_members, block;
    net_bundle *out;
    uint32_t **page; /* [n_pages] synapses of each source, then the place of the next; pages without synapses: NULL */
    int64_t n_pages;
    uint32_t *row_begin; /* [rows + 1] */
    void *delay;         /* [n_edges] of delay_bytes each (1, 2 or 4); NULL: one delay */
    int32_t delay_bytes, one_delay, delay_high;
    int64_t row_most; /* synapses of the longest row */
    uint16_t *target; /* the bundle's, writable */
    void *weight;
} bundling;

/* Local targets of a member that lie in the block. */
static void targets_of(const bundling *b, const net_member *m, int64_t *first, int64_t *last) {
    const lw_pop_view *post = m->synapses.post;
    int64_t begin = b->net->block_begin[b->block] - post->lid_begin;
    int64_t end = b->net->block_begin[b->block + 1] - post->lid_begin;
    *first = begin < 0 ? 0 : begin;
    *last = end > post->n_local ? post->n_local : end;
}

/* ---- first walk */

static lw_err count(bundling *b) {
    int64_t n = 0;
    for (int32_t i = 0; i < b->n_members; i++) {
        net_synapses *y = &b->member[i]->synapses;
        int64_t first, last, before = n;
        targets_of(b, b->member[i], &first, &last);
        for (int64_t t = first; t < last; t++) {
            LW_TRY(net_synapses_target(y, t));
            n += y->n;
            LW_CHECK(n < UINT32_MAX, LW_EMEM,
                "projection \"%s\": a target block would have more than %u synapses of one family; take more ranks or "
                "threads",
                b->net->proj[y->proj].view.name, UINT32_MAX);
            for (int64_t k = 0; k < y->n; k++) {
                uint32_t **page = &b->page[y->source[k] / PAGE];
                if (!*page) LW_TRY(lw_alloc(PAGE, sizeof **page, "synapses by source", page));
                (*page)[y->source[k] % PAGE]++;
            }
        }
        /* listed ones were counted by their survey */
        if (y->drawn) b->net->proj[y->proj].view.n_edges += n - before;
    }
    b->out->view.n_edges = n;
    return LW_OK;
}

/* Rows from counts; the counts become the place of each row's next synapse. */
static lw_err rows_find(bundling *b) {
    int64_t rows = 0, page_sources = 0;
    for (int64_t p = 0; p < b->n_pages; p++)
        for (int64_t i = 0; b->page[p] && i < PAGE; i++)
            rows += b->page[p][i] > 0;
    LW_TRY(lw_alloc((size_t)rows, sizeof *b->out->row_source, "sources", &b->out->row_source));
    LW_TRY(lw_alloc((size_t)rows + 1, sizeof *b->row_begin, "row table", &b->row_begin));
    b->out->n_row_source = rows;
    uint32_t at = 0;
    int64_t r = 0;
    for (int64_t p = 0; p < b->n_pages; p++, page_sources += PAGE) {
        for (int64_t i = 0; b->page[p] && i < PAGE; i++) {
            uint32_t n = b->page[p][i];
            if (n == 0) continue;
            if (n > b->row_most) b->row_most = n;
            b->out->row_source[r] = (uint32_t)(page_sources + i);
            b->row_begin[r++] = at;
            b->page[p][i] = at;
            at += n;
        }
    }
    b->row_begin[r] = at;
    return LW_OK;
}

/* ---- second walk */

static int32_t delay_get(const bundling *b, int64_t i) {
    if (b->delay_bytes == 1) return ((const uint8_t *)b->delay)[i];
    if (b->delay_bytes == 2) return ((const uint16_t *)b->delay)[i];
    return ((const int32_t *)b->delay)[i];
}

static void delay_put(bundling *b, int64_t i, int32_t delay) {
    if (b->delay_bytes == 1)
        ((uint8_t *)b->delay)[i] = (uint8_t)delay;
    else if (b->delay_bytes == 2)
        ((uint16_t *)b->delay)[i] = (uint16_t)delay;
    else
        ((int32_t *)b->delay)[i] = delay;
}

/* Room for larger delays; those that were put stay. */
static lw_err delay_widen(bundling *b, int32_t delay) {
    bundling wide = *b;
    wide.delay = NULL;
    wide.delay_bytes = delay < 256 ? 1 : delay < 65536 ? 2 : 4;
    LW_TRY(lw_alloc((size_t)b->out->view.n_edges, (size_t)wide.delay_bytes, "delays", &wide.delay));
    for (int64_t i = 0; b->delay && i < b->out->view.n_edges; i++)
        delay_put(&wide, i, delay_get(b, i));
    lw_free(b->delay);
    b->delay = wide.delay;
    b->delay_bytes = wide.delay_bytes;
    return LW_OK;
}

/* One delay for all members, or -1. */
static int32_t delay_of_all(const bundling *b) {
    int32_t one = b->member[0]->synapses.one_delay;
    for (int32_t i = 1; i < b->n_members; i++)
        if (b->member[i]->synapses.one_delay != one) one = -1;
    return one;
}

static lw_err delays_put(bundling *b, net_member *m, const uint32_t *place) {
    net_synapses *y = &m->synapses;
    for (int64_t k = 0; k < y->n; k++) {
        int32_t d = y->delay[k];
        if (d > b->delay_high) {
            if (b->delay_bytes < 4 && d >= 1 << 8 * b->delay_bytes) LW_TRY(delay_widen(b, d));
            b->delay_high = d;
        }
        delay_put(b, place[k], d);
        if (d < m->survey.delay_low) m->survey.delay_low = d;
        if (d > m->survey.delay_high) m->survey.delay_high = d;
    }
    return LW_OK;
}

/* place: scratch for the places of a target's synapses. */
static lw_err member_fill(bundling *b, net_member *m, uint32_t **place, int64_t *room) {
    net_synapses *y = &m->synapses;
    const lw_bundle *v = &b->out->view;
    int64_t first, last, lid = y->post->lid_begin - b->net->block_begin[b->block];
    targets_of(b, m, &first, &last);
    if (b->one_delay >= 0 && last > first) m->survey.delay_low = m->survey.delay_high = b->one_delay;
    for (int64_t t = first; t < last; t++) {
        LW_TRY(net_synapses_target(y, t));
        if (y->n > *room) {
            LW_TRY(lw_grow(place, 0, (size_t)y->room, sizeof **place, "places of synapses"));
            *room = y->room;
        }
        uint16_t target = (uint16_t)(lid + t);
        for (int64_t k = 0; k < y->n; k++) {
            (*place)[k] = b->page[y->source[k] / PAGE][y->source[k] % PAGE]++;
            b->target[(*place)[k]] = target;
        }
        if (b->weight) {
            net_synapses_weights(y, t);
            for (int64_t k = 0; k < y->n; k++)
                net_weight_put(v->weight_type, b->weight, (*place)[k], y->weight[k]);
        }
        if (b->one_delay >= 0) continue;
        LW_TRY(net_synapses_delays(y, t));
        LW_TRY(delays_put(b, m, *place));
    }
    m->survey.delay_positive = m->survey.delay_low;
    return LW_OK;
}

static lw_err fill(bundling *b) {
    lw_bundle *v = &b->out->view;
    uint32_t *place = NULL;
    int64_t room = 0;
    lw_err err = lw_alloc((size_t)v->n_edges, sizeof *b->target, "targets of synapses", &b->target);
    v->target = b->target;
    if (err == LW_OK && !v->weight_one) {
        err = lw_alloc((size_t)v->n_edges, lw_dtype_size(v->weight_type), "weights", &b->weight);
        v->weight = b->weight;
    }
    b->one_delay = delay_of_all(b);
    if (err == LW_OK && b->one_delay < 0) err = delay_widen(b, 1);
    for (int32_t i = 0; i < b->n_members && err == LW_OK; i++)
        err = member_fill(b, b->member[i], &place, &room);
    lw_free(place);
    return err;
}

/* ---- rows by delay */

/* Slices from the delays that occur; slice_of[delay], [delay_high + 1]. */
static lw_err slices_find(bundling *b, int32_t *slice_of) {
    lw_bundle *v = &b->out->view;
    int32_t *delay = NULL;
    for (int64_t i = 0; i < v->n_edges; i++)
        slice_of[delay_get(b, i)] = 1;
    for (int32_t d = 0; d <= b->delay_high; d++)
        v->n_slices += slice_of[d];
    LW_TRY(lw_alloc((size_t)v->n_slices, sizeof *delay, "delays of a bundle", &delay));
    v->delay = delay;
    v->n_slices = 0;
    for (int32_t d = 0; d <= b->delay_high; d++) {
        if (!slice_of[d]) continue;
        delay[v->n_slices] = d;
        slice_of[d] = v->n_slices++;
    }
    return LW_OK;
}

/* Room for one row while it is put in order. */
typedef struct row_room {
    uint16_t *target;
    char *weight;
    uint32_t *next; /* [n_slices] */
} row_room;

/* Row r by counting: cells of begin, or codes, are written, synapses put in their order, which is kept within a delay.
 */
static void row_sort(
    bundling *b, int64_t r, const int32_t *slice_of, uint32_t *begin, uint8_t *code, const row_room *room) {
    const lw_bundle *v = &b->out->view;
    uint32_t from = b->row_begin[r], n = b->row_begin[r + 1] - from, at = from;
    size_t width = lw_dtype_size(v->weight_type);
    char *weight = b->weight ? (char *)b->weight + (size_t)from * width : NULL;
    memset(room->next, 0, (size_t)v->n_slices * sizeof *room->next);
    for (uint32_t i = 0; i < n; i++)
        room->next[slice_of[delay_get(b, from + i)]]++;
    for (int32_t s = 0; s < v->n_slices; s++) {
        uint32_t here = room->next[s];
        room->next[s] = at;
        if (begin) begin[r * v->n_slices + s] = at;
        if (code) memset(code + at, s, here);
        at += here;
    }
    memcpy(room->target, b->target + from, n * sizeof *room->target);
    if (weight) memcpy(room->weight, weight, n * width);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t to = room->next[slice_of[delay_get(b, from + i)]]++;
        b->target[to] = room->target[i];
        if (weight) memcpy((char *)b->weight + (size_t)to * width, room->weight + i * width, width);
    }
}

/* A table of cells, or a byte per synapse where that is less: about at four synapses a cell. */
static lw_err cells_create(bundling *b, uint32_t **begin, uint8_t **code) {
    lw_bundle *v = &b->out->view;
    int64_t cells = b->out->n_row_source * v->n_slices;
    if (v->n_slices > 256 || cells <= v->n_edges / 4) {
        LW_TRY(lw_alloc((size_t)cells + 1, sizeof **begin, "row table", begin));
        (*begin)[cells] = (uint32_t)v->n_edges;
        v->begin = *begin;
        return LW_OK;
    }
    LW_TRY(lw_alloc((size_t)v->n_edges, sizeof **code, "delays of synapses", code));
    v->slice_of = *code;
    return LW_OK;
}

static lw_err rows_sort(bundling *b) {
    lw_bundle *v = &b->out->view;
    int32_t *slice_of = NULL;
    uint32_t *begin = NULL;
    uint8_t *code = NULL;
    row_room room = {0};
    lw_err err = lw_alloc((size_t)b->delay_high + 1, sizeof *slice_of, "delays of a bundle", &slice_of);
    if (err == LW_OK) err = slices_find(b, slice_of);
    if (err == LW_OK) err = cells_create(b, &begin, &code);
    if (err == LW_OK) err = lw_alloc((size_t)b->row_most, sizeof *room.target, "a row", &room.target);
    if (err == LW_OK) err = lw_alloc((size_t)b->row_most, lw_dtype_size(v->weight_type), "a row", &room.weight);
    if (err == LW_OK) err = lw_alloc((size_t)v->n_slices, sizeof *room.next, "a row", &room.next);
    for (int64_t r = 0; r < b->out->n_row_source && err == LW_OK; r++)
        row_sort(b, r, slice_of, begin, code, &room);
    if (code && err == LW_OK) {
        v->begin = b->row_begin;
        b->row_begin = NULL;
    }
    lw_free(room.next);
    lw_free(room.weight);
    lw_free(room.target);
    lw_free(slice_of);
    return err;
}

/* All have one delay: rows are the cells. */
static lw_err rows_plain(bundling *b) {
    lw_bundle *v = &b->out->view;
    int32_t *delay = NULL;
    LW_TRY(lw_alloc(1, sizeof *delay, "delays of a bundle", &delay));
    *delay = b->one_delay;
    v->delay = delay;
    v->n_slices = 1;
    v->begin = b->row_begin;
    b->row_begin = NULL;
    return LW_OK;
}

void net_bundle_free(net_bundle *b) {
    lw_free((void *)b->view.delay);
    lw_free((void *)b->view.begin);
    lw_free((void *)b->view.slice_of);
    lw_free((void *)b->view.target);
    lw_free((void *)b->view.weight);
    lw_free(b->row_source);
    *b = (net_bundle){0};
}

lw_err net_bundle_build(lw_net *net, net_member *const *member, int32_t n, int32_t block, net_bundle *out) {
    const lw_proj_view *first = &net->proj[member[0]->synapses.proj].view;
    bundling b = {.net = net, .member = member, .n_members = n, .block = block, .out = out};
    lw_bundle *v = &out->view;
    v->pre = first->pre;
    v->port = first->port;
    v->weight_one = first->weight_one;
    v->weight_value = first->weight_value;
    v->weight_type = first->weight_type;
    b.n_pages = (net->pop[v->pre].size + PAGE - 1) / PAGE;
    lw_err err = lw_alloc((size_t)b.n_pages, sizeof(uint32_t *), "synapses by source", &b.page);
    if (err == LW_OK) err = count(&b);
    if (err == LW_OK && v->n_edges > 0) {
        err = rows_find(&b);
        if (err == LW_OK) err = fill(&b);
        if (err == LW_OK) err = b.one_delay < 0 ? rows_sort(&b) : rows_plain(&b);
    }
    for (int64_t p = 0; b.page && p < b.n_pages; p++)
        lw_free(b.page[p]);
    lw_free(b.page);
    lw_free(b.row_begin);
    lw_free(b.delay);
    return err;
}
