/* SPDX-License-Identifier: BSD-3-Clause
 *
 * From the rings of own values (by lid) to the rings by slot, on all ranks that want them. Hard spikes travel as events
 * (lid and a tag: step in the epoch and, with several lanes, a group of lanes and which of them), graded and smooth
 * values as dense rows of epoch * width reals. A level whose populations do both gets one halo for each kind;
 * populations without outgoing synapses are in no halo. Buffers grow where activity does; running out of memory there
 * ends the job, as in the halo below.
 */
#include <string.h>
#include "absent.h"
#include "nonzero.h"

/* The slots of some populations of a level. */
typedef struct channel {
    lw_halo *halo; /* the engine's own when it covers the whole level; NULL: nothing to send on any rank */
    bool owned;
    int64_t n;     /* slots in the halo */
    int64_t *slot; /* [n] slot of this rank for each slot of the halo */
    int64_t first; /* the slots are first .. first + n when `range` */
    bool range;
} channel;

typedef struct level_exchange {
    channel events, rows;
    int64_t t0, t1; /* of the begun exchange; t0 == INT64_MAX: none */
    bool direct;    /* one rank, all of whose neurons have slots: rings are copied */
} level_exchange;

typedef struct engine_exchange {
    level_exchange *level; /* [n_levels] */
    engine_absent *absent; /* NULL: all ranks are there */
    lw_event *events;      /* to be sent */
    int64_t events_room;
    uint32_t *slot, *sorted; /* received events: by step in order of arrival, then one step's slots ascending */
    int64_t slot_room;
    int64_t *step_begin, *step_end; /* [epoch + 1] places of a step's events in `slot` */
    uint64_t *bitmap;               /* [n_slots / 64 + 1] */
    char *packed_own;               /* [n_local of the net, epoch, width] real */
    char *packed_slots;             /* [most slots of a rows channel, epoch, width] real */
    engine_tag tag;
} engine_exchange;

/* ------------------------------------------------------------------ creation */

/* Does anything in the whole network listen to this population? */
static bool has_targets(const lw_sim *sim, int p) {
    for (int k = 0; k < sim->n_proj; k++)
        if (sim->proj[k].pre == p && sim->proj[k].n_edges_global > 0) return true;
    return false;
}

/* Populations that a channel serves. */
static bool serves(const lw_sim *sim, int p, int level, bool events) {
    return sim->pop[p].view.level == level && engine_sends_events(sim, p) == events && has_targets(sim, p);
}

static lw_err channel_slots(lw_sim *sim, channel *c, int level, bool events) {
    lw_slot_view slots = lw_net_slots(sim->net);
    int64_t n = 0;
    for (int p = 0; p < sim->n_pop; p++)
        if (serves(sim, p, level, events)) n += sim->pop[p].view.n_slots;
    LW_TRY(lw_alloc((size_t)n, sizeof *c->slot, "slots of an exchange", &c->slot));
    for (int64_t s = 0; s < slots.n; s++)
        if (serves(sim, slots.pop[s], level, events)) c->slot[c->n++] = s;
    c->first = n ? c->slot[0] : 0;
    c->range = n == 0 || c->slot[n - 1] - c->first == n - 1;
    return LW_OK;
}

/* A halo of these slots only. **Collective**. */
static lw_err channel_halo(lw_sim *sim, channel *c) {
    const lw_comm *comm = lw_net_comm(sim->net);
    lw_slot_view slots = lw_net_slots(sim->net);
    int32_t *owner = NULL;
    int64_t *lid = NULL;
    lw_err err = lw_alloc((size_t)c->n, sizeof *owner, "slots of an exchange", &owner);
    if (err == LW_OK) err = lw_alloc((size_t)c->n, sizeof *lid, "slots of an exchange", &lid);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        for (int64_t i = 0; i < c->n; i++) {
            owner[i] = slots.owner[c->slot[i]];
            lid[i] = slots.owner_lid[c->slot[i]];
        }
        err = lw_halo_create(comm, lw_net_n_local(sim->net), c->n, owner, lid, &c->halo);
        c->owned = err == LW_OK;
    }
    lw_free(owner);
    lw_free(lid);
    return err;
}

/* With one rank a population has the slots of those neurons that have targets: all, or (to be sent by events) some. */
static bool level_direct(const lw_sim *sim, int level) {
    const lw_comm *comm = lw_net_comm(sim->net);
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        if (v->level == level && v->n_slots > 0 && v->n_slots != v->n_local) return false;
    }
    return lw_comm_size(comm) == 1 && !lw_comm_plays(comm);
}

/* **Collective**. */
static lw_err level_create(lw_sim *sim, int level) {
    level_exchange *x = &sim->exchange->level[level];
    bool any[2] = {false, false};
    for (int p = 0; p < sim->n_pop; p++)
        for (int events = 0; events < 2; events++)
            any[events] = any[events] || serves(sim, p, level, events);
    for (int events = 0; events < 2; events++) {
        channel *c = events ? &x->events : &x->rows;
        if (!any[events]) continue;
        LW_TRY(lw_comm_agree(lw_net_comm(sim->net), channel_slots(sim, c, level, events)));
        if (any[!events])
            LW_TRY(channel_halo(sim, c));
        else
            c->halo = sim->halo[level];
    }
    x->t0 = INT64_MAX;
    x->direct = level_direct(sim, level);
    for (int p = 0; p < sim->n_pop; p++)
        if (sim->pop[p].view.level == level) sim->pop[p].direct = x->direct && sim->pop[p].view.n_slots > 0;
    return LW_OK;
}

/* **Local**. */
static lw_err buffers_create(lw_sim *sim) {
    engine_exchange *x = sim->exchange;
    int64_t most = 0, n_slots = lw_net_slots(sim->net).n;
    bool rows = false;
    for (int level = 0; level < sim->n_levels; level++) {
        const channel *c = &x->level[level].rows;
        rows = rows || c->halo;
        if (c->n > most) most = c->n;
    }
    LW_TRY(lw_alloc((size_t)sim->epoch + 1, sizeof *x->step_begin, "an exchange", &x->step_begin));
    LW_TRY(lw_alloc((size_t)sim->epoch + 1, sizeof *x->step_end, "an exchange", &x->step_end));
    LW_TRY(lw_alloc((size_t)(n_slots / 64 + 1), sizeof *x->bitmap, "an exchange", &x->bitmap));
    LW_TRY(lw_alloc((size_t)n_slots, sizeof *x->sorted, "an exchange", &x->sorted));
    if (!rows) return LW_OK;
    size_t lanes = (size_t)(sim->epoch * sim->width);
    if (sim->epoch > 1)
        LW_TRY(lw_alloc((size_t)lw_net_n_local(sim->net) * lanes, sim->real_size, "an exchange", &x->packed_own));
    return lw_alloc((size_t)most * lanes, sim->real_size, "an exchange", &x->packed_slots);
}

lw_err engine_exchange_create(lw_sim *sim) {
    const lw_comm *comm = lw_net_comm(sim->net);
    lw_err err = lw_alloc(1, sizeof *sim->exchange, "an exchange", &sim->exchange);
    if (err == LW_OK)
        err = lw_alloc((size_t)sim->n_levels, sizeof *sim->exchange->level, "an exchange", &sim->exchange->level);
    LW_TRY(lw_comm_agree(comm, err));
    sim->exchange->tag = engine_tag_plan(sim->width, sim->epoch);
    for (int level = 0; level < sim->n_levels; level++)
        LW_TRY(level_create(sim, level));
    return lw_comm_agree(comm, buffers_create(sim));
}

static void channel_destroy(channel *c) {
    if (c->owned) lw_halo_destroy(&c->halo);
    lw_free(c->slot);
}

void engine_exchange_destroy(lw_sim *sim) {
    engine_exchange *x = sim->exchange;
    if (!x) return;
    for (int level = 0; x->level && level < sim->n_levels; level++) {
        channel_destroy(&x->level[level].events);
        channel_destroy(&x->level[level].rows);
    }
    engine_absent_destroy(&x->absent);
    lw_free(x->level);
    lw_free(x->events);
    lw_free(x->slot);
    lw_free(x->sorted);
    lw_free(x->step_begin);
    lw_free(x->step_end);
    lw_free(x->bitmap);
    lw_free(x->packed_own);
    lw_free(x->packed_slots);
    lw_free(x);
    sim->exchange = NULL;
}

lw_err lw_sim_absent(lw_sim *sim, const double *rate) {
    engine_absent *absent = NULL;
    LW_ASSERT(lw_comm_plays(lw_net_comm(sim->net)));
    LW_TRY(engine_absent_create(sim, rate, &absent));
    engine_absent_destroy(&sim->exchange->absent);
    sim->exchange->absent = absent;
    return LW_OK;
}

int64_t engine_exchange_pending(const lw_sim *sim, int level) {
    return sim->exchange->level[level].t0;
}

static void traffic_add(const lw_halo *halo, int64_t *bytes, int64_t *messages) {
    if (!halo) return;
    lw_halo_stats s = lw_halo_stats_get(halo);
    *bytes += s.bytes_sent;
    *messages += s.messages_sent;
}

void engine_exchange_traffic(const lw_sim *sim, int64_t *bytes, int64_t *messages) {
    *bytes = *messages = 0;
    for (int level = 0; level < sim->n_levels; level++) {
        const level_exchange *x = &sim->exchange->level[level];
        traffic_add(sim->halo[level], bytes, messages);
        if (x->events.owned) traffic_add(x->events.halo, bytes, messages);
        if (x->rows.owned) traffic_add(x->rows.halo, bytes, messages);
    }
}

/* ------------------------------------------------------------------ begin */

/* Room for n elements, half as much again; contents are kept. */
static void reserve(lw_sim *sim, void *pointer_to_pointer, int64_t *room, int64_t n, size_t size) {
    if (n <= *room) return;
    int64_t more = n + n / 2 + 64;
    if (lw_grow(pointer_to_pointer, (size_t)*room, (size_t)more, size, "events of an exchange") != LW_OK)
        lw_comm_abort(lw_net_comm(sim->net), 1);
    *room = more;
}

static uint64_t fired_bits(const lw_sim *sim, const char *rows, int64_t at, int64_t n) {
    const void *x = rows;
    return sim->f64 ? nonzero_bits_f64((const double *)x + at, n) : nonzero_bits_f32((const float *)x + at, n);
}

/* Events of population p at step t, after the n already there; returns the new number. */
static int64_t events_of(lw_sim *sim, int p, int64_t t, uint32_t step, int64_t n) {
    engine_exchange *x = sim->exchange;
    int64_t *n_list = NULL, width = sim->width;
    const uint32_t *list = engine_own_list(sim, p, t, &n_list);
    uint32_t lid = (uint32_t)sim->pop[p].view.lid_begin;
    reserve(sim, &x->events, &x->events_room, n + *n_list * x->tag.groups, sizeof *x->events);
    if (width == 1) {
        for (int64_t i = 0; i < *n_list; i++)
            x->events[n++] = (lw_event){.index = lid + list[i], .tag = step};
        return n;
    }
    const char *rows = engine_own_rows(sim, p, t);
    uint64_t group = ((uint64_t)1 << x->tag.lanes) - 1;
    for (int64_t i = 0; i < *n_list; i++)
        for (int64_t l0 = 0; l0 < width; l0 += 64) {
            uint64_t bits = fired_bits(sim, rows, list[i] * width + l0, width - l0 < 64 ? width - l0 : 64);
            while (bits) {
                uint32_t first = (uint32_t)__builtin_ctzll(bits) / x->tag.lanes * x->tag.lanes;
                uint32_t which = (uint32_t)(bits >> first & group), at = (uint32_t)l0 + first;
                x->events[n++] = (lw_event){.index = lid + list[i], .tag = engine_tag_make(&x->tag, step, at, which)};
                bits &= ~(group << first);
            }
        }
    return n;
}

/* own_value [step][lid, width] -> [lid][step, width], or where it is when there is one step. */
static const char *rows_pack(lw_sim *sim, int64_t t0, int64_t t1) {
    size_t row = engine_row_bytes(sim);
    int64_t n_local = lw_net_n_local(sim->net), steps = t1 - t0;
    const engine_history *h = &sim->history;
    const char *base = h->own_value;
    if (steps == 1) return base + (size_t)(engine_ring(t0, h->origin, h->own_depth) * n_local) * row;
    for (int64_t s = 0; s < steps; s++) {
        const char *from = base + (size_t)(engine_ring(t0 + s, h->origin, h->own_depth) * n_local) * row;
        char *to = sim->exchange->packed_own + (size_t)s * row;
        for (int64_t lid = 0; lid < n_local; lid++)
            memcpy(to + (size_t)(lid * steps) * row, from + (size_t)lid * row, row);
    }
    return sim->exchange->packed_own;
}

void engine_exchange_begin(lw_sim *sim, int level, int64_t t0, int64_t t1) {
    level_exchange *x = &sim->exchange->level[level];
    double start = lw_time_now();
    LW_ASSERT(x->t0 == INT64_MAX && t1 - t0 <= sim->epoch);
    x->t0 = t0;
    x->t1 = t1;
    sim->stats.exchanges++;
    if (x->direct) return;
    if (x->events.halo) {
        int64_t n = 0;
        for (int64_t t = t0; t < t1; t++)
            for (int p = 0; p < sim->n_pop; p++)
                if (sim->pop[p].view.level == level && engine_sends_events(sim, p) && sim->pop[p].targets)
                    n = events_of(sim, p, t, (uint32_t)(t - t0), n);
        lw_halo_events_begin(x->events.halo, sim->exchange->events, n);
    }
    if (x->rows.halo)
        lw_halo_rows_begin(x->rows.halo, rows_pack(sim, t0, t1), (size_t)(t1 - t0) * engine_row_bytes(sim));
    sim->stats.s_exchange += lw_time_now() - start;
}

/* ------------------------------------------------------------------ end */

/* Empty the entries of step t that hard spikes will fill: the ring is being used again. */
static void entries_clear(lw_sim *sim, int level, int64_t t) {
    size_t row = engine_row_bytes(sim);
    for (int p = 0; p < sim->n_pop; p++) {
        int64_t *n = NULL;
        if (sim->pop[p].view.level != level || !engine_sends_events(sim, p)) continue;
        const uint32_t *list = engine_slot_list(sim, p, t, &n);
        char *rows = sim->pop[p].rows && *n ? engine_rows(sim, p, t) : NULL;
        for (int64_t i = 0; rows && i < *n; i++)
            memset(rows + list[i] * row, 0, row);
        *n = 0;
    }
}

/* Slots of one step, ascending and without repetition. What one rank sent is ascending already, so with one sender
 * there is nothing to do; few are inserted in place, many go through a bitmap. Returns their number; *in points to the
 * result. */
static int64_t slots_sort(engine_exchange *x, uint32_t **in, int64_t n, int64_t n_slots) {
    enum { FEW = 24 };
    uint32_t *a = *in;
    bool ascending = true;
    for (int64_t i = 1; i < n; i++)
        ascending = ascending && a[i - 1] < a[i];
    if (ascending) return n;
    if (n <= FEW) {
        int64_t kept = 0;
        for (int64_t i = 0; i < n; i++) {
            uint32_t slot = a[i];
            int64_t k = kept;
            while (k > 0 && a[k - 1] > slot)
                k--;
            if (k > 0 && a[k - 1] == slot) continue;
            memmove(a + k + 1, a + k, (size_t)(kept - k) * sizeof *a);
            a[k] = slot;
            kept++;
        }
        return kept;
    }
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++)
        x->bitmap[a[i] / 64] |= (uint64_t)1 << a[i] % 64;
    for (int64_t w = 0; w <= n_slots / 64; w++) {
        for (uint64_t bits = x->bitmap[w]; bits; bits &= bits - 1)
            x->sorted[found++] = (uint32_t)(w * 64 + __builtin_ctzll(bits));
        x->bitmap[w] = 0;
    }
    *in = x->sorted;
    return found;
}

/* Lists of step t from its ascending slots: populations are ranges of slots. */
static void lists_put(lw_sim *sim, int64_t t, const uint32_t *slot, int64_t n) {
    int64_t i = 0;
    for (int p = 0; p < sim->n_pop && i < n; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        int64_t end = v->slot_begin + v->n_slots, *count = NULL;
        if (slot[i] >= end) continue;
        uint32_t *list = engine_slot_list(sim, p, t, &count);
        for (; i < n && slot[i] < end; i++)
            list[(*count)++] = slot[i] - (uint32_t)v->slot_begin;
    }
}

/* which: of the lanes from `cell` on */
static void ones_put(lw_sim *sim, int64_t t, int64_t cell, uint32_t which) {
    const engine_history *h = &sim->history;
    int64_t begin = engine_ring(t, h->origin, h->depth) * h->n_slots * sim->width + cell;
    for (; which; which &= which - 1) {
        int64_t i = begin + __builtin_ctz(which);
        if (sim->f64)
            ((double *)h->value)[i] = 1;
        else
            ((float *)h->value)[i] = 1;
    }
}

/* Do populations of this level that send events keep values too? All do or none (see engine_need_rows). */
static bool keeps_ones(const lw_sim *sim, int level) {
    for (int p = 0; p < sim->n_pop; p++)
        if (sim->pop[p].view.level == level && engine_sends_events(sim, p)) return sim->pop[p].rows;
    return false;
}

static void events_put(lw_sim *sim, int level, const lw_event *events, int64_t n) {
    engine_exchange *e = sim->exchange;
    const level_exchange *x = &e->level[level];
    int64_t steps = x->t1 - x->t0, *begin = e->step_begin, *end = e->step_end;
    const engine_tag *tag = &e->tag;
    bool ones = keeps_ones(sim, level);
    reserve(sim, &e->slot, &e->slot_room, n, sizeof *e->slot);
    memset(begin, 0, (size_t)(steps + 1) * sizeof *begin);
    for (int64_t i = 0; i < n; i++)
        begin[engine_tag_step(tag, events[i].tag) + 1]++;
    for (int64_t s = 0; s < steps; s++) {
        begin[s + 1] += begin[s];
        end[s] = begin[s];
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t slot = x->events.slot[events[i].index], s = engine_tag_step(tag, events[i].tag);
        if (ones)
            ones_put(sim, x->t0 + s, slot * sim->width + engine_tag_lane(tag, events[i].tag),
                engine_tag_which(tag, events[i].tag));
        /* lanes of one neuron follow each other */
        if (end[s] == begin[s] || e->slot[end[s] - 1] != (uint32_t)slot) e->slot[end[s]++] = (uint32_t)slot;
    }
    for (int64_t s = 0; s < steps; s++) {
        uint32_t *slot = e->slot + begin[s];
        int64_t count = slots_sort(e, &slot, end[s] - begin[s], sim->history.n_slots);
        lists_put(sim, x->t0 + s, slot, count);
    }
}

static void rows_put(lw_sim *sim, const level_exchange *x, int level) {
    const engine_history *h = &sim->history;
    const channel *c = &x->rows;
    int64_t steps = x->t1 - x->t0;
    size_t row = engine_row_bytes(sim);
    char *value = h->value;
    if (steps == 1 && c->range) {
        int64_t at = engine_ring(x->t0, h->origin, h->depth) * h->n_slots + c->first;
        lw_halo_rows_end(c->halo, value + (size_t)at * row);
    } else {
        const char *packed = sim->exchange->packed_slots;
        lw_halo_rows_end(c->halo, sim->exchange->packed_slots);
        for (int64_t s = 0; s < steps; s++) {
            int64_t at = engine_ring(x->t0 + s, h->origin, h->depth) * h->n_slots;
            for (int64_t i = 0; i < c->n; i++)
                memcpy(value + (size_t)(at + c->slot[i]) * row, packed + (size_t)(i * steps + s) * row, row);
        }
    }
    for (int64_t t = x->t0; t < x->t1; t++)
        for (int p = 0; p < sim->n_pop; p++) {
            int64_t *n = NULL;
            if (sim->pop[p].view.level != level || engine_sends_events(sim, p)) continue;
            engine_slot_list(sim, p, t, &n);
            *n = sim->pop[p].view.n_slots;
        }
}

bool engine_level_direct(const lw_sim *sim, int level) {
    return sim->exchange->level[level].direct;
}

/* Slots are the neurons in their order: what a population emitted in step t is copied. */
static void direct_put(lw_sim *sim, int p, int64_t t) {
    const engine_pop *pop = &sim->pop[p];
    int64_t *n_own = NULL, *n = NULL;
    const uint32_t *own = engine_own_list(sim, p, t, &n_own);
    uint32_t *list = engine_slot_list(sim, p, t, &n);
    if (engine_sends_events(sim, p)) {
        *n = *n_own;
        memcpy(list, own, (size_t)*n * sizeof *list);
    } else {
        *n = pop->view.n_slots;
    }
    if (pop->rows && engine_rows(sim, p, t) != (void *)engine_own_rows(sim, p, t))
        memcpy(engine_rows(sim, p, t), engine_own_rows(sim, p, t), (size_t)pop->view.n_slots * engine_row_bytes(sim));
}

lw_err engine_exchange_end(lw_sim *sim, int level) {
    level_exchange *x = &sim->exchange->level[level];
    double start = lw_time_now();
    if (x->t0 == INT64_MAX) return LW_OK;
    for (int64_t t = x->t0; x->direct && t < x->t1; t++)
        for (int p = 0; p < sim->n_pop; p++)
            if (sim->pop[p].view.level == level && sim->pop[p].view.n_slots > 0) direct_put(sim, p, t);
    if (x->direct) {
        x->t0 = INT64_MAX;
        sim->stats.s_exchange += lw_time_now() - start;
        return LW_OK;
    }
    if (x->events.halo) {
        const lw_event *events = NULL;
        int64_t n = 0;
        if (lw_halo_events_end(x->events.halo, &events, &n) != LW_OK) lw_comm_abort(lw_net_comm(sim->net), 1);
        if (sim->exchange->absent) {
            double drawing = lw_time_now(); /* no part of the work of a rank */
            engine_absent_add(
                sim->exchange->absent, x->events.halo, &sim->exchange->tag, x->events.slot, x->t0, x->t1, &events, &n);
            start += lw_time_now() - drawing;
        }
        for (int64_t t = x->t0; t < x->t1; t++)
            entries_clear(sim, level, t);
        events_put(sim, level, events, n);
    }
    if (x->rows.halo) rows_put(sim, x, level);
    x->t0 = INT64_MAX;
    sim->stats.s_exchange += lw_time_now() - start;
    return LW_OK;
}
