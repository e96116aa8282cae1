/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Shares: the part of a step that touches only the neurons of some target blocks, for all populations: inputs to zero,
 * bundles, stimuli, kernels, spikes. Spikes are noted in place, each share's from its first neuron on, and put together
 * in ascending order when all are done, so lists are the same for any number of shares.
 */
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include <sched.h>
#endif
#include "share.h"
#include <limits.h>
#include <string.h>

/* ------------------------------------------------------------------ waiting */

static inline void relax(void) {
#ifdef __SSE__
    __builtin_ia32_pause();
#endif
}

static void sleep_while(atomic_uint *value, unsigned seen) {
#ifdef __linux__
    syscall(SYS_futex, value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
#else
    (void)seen;
    sched_yield();
#endif
}

/* Some ten microseconds of looking, then sleep: there may be more threads than cores, and whoever is waited for needs
 * one. The waker looks for sleepers after its change, a sleeper counts itself before the kernel looks at the number:
 * one of the two sees the other. */
static void signal_wait(engine_signal *s, unsigned seen) {
    enum { LOOKS = 500 };
    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load_explicit(&s->value, memory_order_acquire) != seen) return;
        relax();
    }
    atomic_fetch_add(&s->sleepers, 1);
    while (atomic_load(&s->value) == seen)
        sleep_while(&s->value, seen);
    atomic_fetch_sub(&s->sleepers, 1);
}

static void signal_change(engine_signal *s) {
    atomic_fetch_add(&s->value, 1);
#ifdef __linux__
    if (atomic_load(&s->sleepers) > 0) syscall(SYS_futex, &s->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
#endif
}

void engine_team_wait(engine_team *team) {
    if (team->n == 1) return;
    unsigned round = atomic_load_explicit(&team->round.value, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->waiting, 1, memory_order_acq_rel) == team->n - 1) {
        atomic_store_explicit(&team->waiting, 0, memory_order_relaxed);
        signal_change(&team->round);
        return;
    }
    signal_wait(&team->round, round);
}

/* No meeting ends before all have come, so the first round is there for those who come late. */
void engine_team_start(engine_team *team, int n) {
    team->n = n;
    signal_change(&team->round);
}

void engine_team_await_start(engine_team *team) {
    signal_wait(&team->round, 0);
}

void engine_team_tell(engine_team *team) {
    atomic_store(&team->unknown, INT64_MAX);
    if (team->n > 1) signal_change(&team->news);
}

/* ------------------------------------------------------------------ creation */

static int64_t clip(int64_t x, int64_t low, int64_t high) {
    return x < low ? low : x > high ? high : x;
}

static lw_err share_create(lw_sim *sim, engine_share *s) {
    size_t n_pop = (size_t)sim->n_pop;
    int32_t entries = 0;
    LW_TRY(lw_alloc(n_pop, sizeof *s->first, "shares of threads", &s->first));
    LW_TRY(lw_alloc(n_pop, sizeof *s->last, "shares of threads", &s->last));
    LW_TRY(lw_alloc(n_pop, sizeof *s->table_begin, "shares of threads", &s->table_begin));
    LW_TRY(lw_alloc((size_t)sim->history.own_depth * n_pop, sizeof *s->n_own, "shares of threads", &s->n_own));
    LW_TRY(lw_alloc(1, sizeof *s->queue, "a queue of spikes", &s->queue));
    LW_TRY(lw_alloc((size_t)lw_net_n_bundles(sim->net), sizeof *s->bundle, "shares of threads", &s->bundle));
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        s->first[p] = clip(s->lid_begin - pop->view.lid_begin, 0, pop->view.n_local);
        s->last[p] = clip(s->lid_end - pop->view.lid_begin, 0, pop->view.n_local);
        s->table_begin[p] = entries;
        entries += pop->model->n_coef + pop->model->n_state + pop->model->n_input;
    }
    LW_TRY(lw_alloc((size_t)entries, sizeof *s->table, "shares of threads", &s->table));
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        void **to = s->table + s->table_begin[p];
        size_t shift = (size_t)s->first[p] * engine_row_bytes(sim);
        size_t coef = pop->uniform ? 0 : (size_t)s->first[p] * sim->real_size;
        for (int32_t i = 0; i < pop->model->n_coef; i++)
            *to++ = (char *)pop->coef[i] + coef;
        for (int32_t i = 0; i < pop->model->n_state; i++)
            *to++ = (char *)pop->state[i] + shift;
        for (int32_t i = 0; i < pop->model->n_input; i++)
            *to++ = (char *)pop->input[i] + shift;
    }
    return LW_OK;
}

/* May a share begin at this lid? Random numbers of stimuli are drawn for whole groups of neurons. */
static bool is_border(const lw_sim *sim, int64_t lid) {
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        if (lid > v->lid_begin && lid < v->lid_begin + v->n_local)
            return (lid - v->lid_begin) % ENGINE_STIMULUS_BLOCK == 0;
    }
    return true;
}

lw_err engine_shares_create(lw_sim *sim, int32_t threads) {
    int32_t n_blocks = lw_net_n_blocks(sim->net), n = threads < n_blocks ? threads : n_blocks;
    const int64_t *begin = lw_net_block_begin(sim->net);
    if (n < 1 || sim->width > 1 || sim->options.smooth) n = 1;
    LW_TRY(lw_alloc((size_t)n, sizeof *sim->share, "shares of threads", &sim->share));
    int32_t block = 0;
    for (int32_t i = 0; i < n && (i == 0 || block < n_blocks); i++) {
        engine_share *s = &sim->share[sim->n_shares++];
        s->block_begin = block;
        s->lid_begin = begin[block];
        block = (int32_t)((int64_t)n_blocks * (i + 1) / n);
        while (block < n_blocks && (begin[block] <= s->lid_begin || !is_border(sim, begin[block])))
            block++;
        s->block_end = block;
        s->lid_end = begin[block];
        LW_TRY(share_create(sim, s));
    }
    return LW_OK;
}

void engine_shares_destroy(lw_sim *sim) {
    for (int32_t i = 0; i < sim->n_shares; i++) {
        engine_share *s = &sim->share[i];
        lw_free(s->first);
        lw_free(s->last);
        lw_free(s->table_begin);
        lw_free(s->n_own);
        lw_free(s->queue);
        lw_free(s->bundle);
        lw_free(s->table);
    }
    lw_free(sim->share);
}

void engine_shares_refresh(lw_sim *sim) {
    sim->n_bundles = lw_net_n_bundles(sim->net);
    for (int32_t i = 0; i < sim->n_shares; i++) {
        engine_share *s = &sim->share[i];
        s->n_bundles = 0;
        for (int32_t block = s->block_begin; block < s->block_end; block++)
            for (int b = 0; b < sim->n_bundles; b++) {
                const lw_bundle *bundle = lw_net_bundle(sim->net, b);
                if (bundle->block == block && bundle->n_edges > 0) s->bundle[s->n_bundles++] = bundle;
            }
    }
}

/* ------------------------------------------------------------------ input */

/* What follows needs the spikes of a step that is still under way. */
static void exchange_await(lw_sim *sim, engine_team *team, int64_t emitted, bool first) {
    if (first) {
        (void)!engine_exchange_end(sim, 0);
        engine_team_tell(team);
        return;
    }
    for (;;) {
        unsigned news = atomic_load(&team->news.value);
        if (emitted < atomic_load(&team->unknown)) return;
        signal_wait(&team->news, news);
    }
}

/* Slices in descending delay: what is due soonest after its emission comes last, so that what is known already is added
 * while messages travel. */
static void bundle_deliver(
    lw_sim *sim, engine_share *share, engine_team *team, const lw_bundle *b, int64_t t, int64_t now, bool first) {
    const engine_history *h = &sim->history;
    int64_t block = lw_net_block_begin(sim->net)[b->block], slot_begin = sim->pop[b->pre].view.slot_begin;
    void *acc = (char *)sim->input[b->port] + (size_t)block * sim->real_size;
    for (int32_t s = b->n_slices - 1; s >= 0; s--) {
        if (t - b->delay[s] >= atomic_load_explicit(&team->unknown, memory_order_acquire)) {
            share->stats.synaptic_events += queue_empty(sim->f64, share->queue);
            exchange_await(sim, team, t - b->delay[s], first);
        }
        int64_t at = now - b->delay[s];
        if (at < 0) at += h->depth;
        int64_t n = h->n_list[at * sim->n_pop + b->pre];
        if (n > 0)
            share->stats.synaptic_events +=
                queue_put(sim->f64, share->queue, b, acc, s, h->list + at * h->n_slots + slot_begin, n);
    }
}

void engine_share_deliver(lw_sim *sim, engine_share *share, engine_team *team, int64_t t, bool first) {
    double start = lw_time_now(), exchange = first ? sim->stats.s_exchange : 0;
    size_t row = engine_row_bytes(sim);
    /* while messages travel */
    if (atomic_load_explicit(&team->unknown, memory_order_acquire) != INT64_MAX) {
        for (int p = 0; p < sim->n_pop; p++)
            if (share->last[p] > share->first[p]) engine_stimulus_draw(sim, p, t, share->first[p], share->last[p]);
        double drawn = lw_time_now();
        share->stats.s_stimulus += drawn - start;
        start = drawn;
    }
    for (int32_t i = 0; i < sim->n_inputs; i++)
        memset((char *)sim->input[i] + (size_t)share->lid_begin * row, 0,
            (size_t)(share->lid_end - share->lid_begin) * row);
    int64_t now = engine_ring(t, sim->history.origin, sim->history.depth);
    for (int32_t i = 0; i < share->n_bundles; i++)
        bundle_deliver(sim, share, team, share->bundle[i], t, now, first);
    share->stats.synaptic_events += queue_empty(sim->f64, share->queue);
    share->stats.s_deliver += lw_time_now() - start - (first ? sim->stats.s_exchange - exchange : 0);
}

/* ------------------------------------------------------------------ step */

static lw_kernel_args share_args(lw_sim *sim, const engine_share *s, int p) {
    const engine_pop *pop = &sim->pop[p];
    lw_kernel_args a = engine_args(sim, p);
    int64_t cells = s->first[p] * sim->width;
    size_t shift = (size_t)cells * sim->real_size;
    void **table = s->table + s->table_begin[p];
    a.n = s->last[p] - s->first[p];
    a.coef = (const void *const *)table;
    a.state = table + pop->model->n_coef;
    a.input = (const void *const *)(table + pop->model->n_coef + pop->model->n_state);
    a.out = (char *)a.out + shift;
    a.spike = (const char *)a.spike + shift;
    if (a.margin) a.margin = (char *)a.margin + shift;
    if (a.refractory) a.refractory += cells;
    if (a.held) a.held += cells;
    return a;
}

static void pop_step(lw_sim *sim, engine_share *s, int p) {
    if (sim->options.smooth) { /* one share */
        engine_update(sim, p);
        engine_spike(sim, p);
        engine_fire(sim, p);
        return;
    }
    lw_kernel_args a = share_args(sim, s, p);
    sim->pop[p].kernel->step(&a);
}

void engine_share_step(lw_sim *sim, engine_share *share, int level, int64_t t) {
    double start = lw_time_now();
    for (int p = 0; p < sim->n_pop; p++)
        if (sim->pop[p].view.level == level && share->last[p] > share->first[p])
            engine_stimulus_add(sim, p, t, share->first[p], share->last[p]);
    double stimulated = lw_time_now();
    int64_t *n_own = share->n_own + engine_ring(t, sim->history.origin, sim->history.own_depth) * sim->n_pop;
    for (int p = 0; p < sim->n_pop; p++) {
        if (sim->pop[p].view.level != level) continue;
        n_own[p] = 0;
        if (share->last[p] == share->first[p]) continue;
        pop_step(sim, share, p);
        n_own[p] = engine_emit_range(sim, p, t, share->first[p], share->last[p], &share->stats);
    }
    share->stats.s_stimulus += stimulated - start;
    share->stats.s_update += lw_time_now() - stimulated;
}

void engine_shares_join(lw_sim *sim, int level, int64_t t) {
    int64_t at = engine_ring(t, sim->history.origin, sim->history.own_depth) * sim->n_pop;
    for (int p = 0; p < sim->n_pop; p++) {
        if (sim->pop[p].view.level != level) continue;
        int64_t *n = NULL;
        uint32_t *list = engine_own_list(sim, p, t, &n);
        *n = 0;
        for (int32_t i = 0; i < sim->n_shares; i++) {
            const engine_share *s = &sim->share[i];
            int64_t here = s->n_own[at + p];
            if (here > 0 && *n != s->first[p]) memmove(list + *n, list + s->first[p], (size_t)here * sizeof *list);
            *n += here;
        }
        engine_note_spikes(sim, p, t);
    }
    for (int32_t i = 0; i < sim->n_shares; i++) {
        lw_sim_stats *s = &sim->share[i].stats;
        sim->stats.spikes += s->spikes;
        sim->stats.synaptic_events += s->synaptic_events;
        sim->stats.spike_checksum += s->spike_checksum;
        if (i == 0) { /* times are those of the first thread, which also exchanges */
            sim->stats.s_deliver += s->s_deliver;
            sim->stats.s_stimulus += s->s_stimulus;
            sim->stats.s_update += s->s_update;
        }
        *s = (lw_sim_stats){0};
    }
}
