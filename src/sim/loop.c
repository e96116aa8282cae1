/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The time loop, alone or with a team of threads. Each thread steps shares of its own; the first one also exchanges,
 * joins what the shares noted, and records. Where nothing but bundles and stimuli feeds the neurons, a thread runs
 * through a whole epoch by itself; otherwise the team keeps step, and what is in no bundle is delivered population by
 * population.
 *
 * All waiting is in engine_team_wait and in the delivery that needs an exchange; the loops of all threads are the same,
 * so nobody waits alone.
 */
#include "share.h"
#include <signal.h>

enum {
    TICK_STEPS = 100 /* steps between two calls of the watch, and between two agreements on errors */
};

static int64_t unknown_from(const lw_sim *sim) {
    /* with several levels every exchange ends in its own step */
    return sim->n_levels == 1 ? engine_exchange_pending(sim, 0) : INT64_MAX;
}

static void exchange_end(lw_sim *sim, engine_team *team) {
    if (sim->n_levels > 1) return;
    (void)!engine_exchange_end(sim, 0);
    engine_team_tell(team);
}

static void shares_deliver(const engine_worker *w, int64_t t) {
    for (int32_t i = w->me; i < w->sim->n_shares; i += w->team->n)
        engine_share_deliver(w->sim, &w->sim->share[i], w->team, t, w->me == 0);
}

static void shares_step(const engine_worker *w, int level, int64_t t) {
    for (int32_t i = w->me; i < w->sim->n_shares; i += w->team->n)
        engine_share_step(w->sim, &w->sim->share[i], level, t);
}

/* Populations one by one, each by one thread. */
static void plain_deliver(const engine_worker *w, int level, int64_t t) {
    lw_sim *sim = w->sim;
    engine_share *share = &sim->share[w->me];
    double start = lw_time_now(), exchange = w->me == 0 ? sim->stats.s_exchange : 0;
    for (int p = w->me; p < sim->n_pop; p += w->team->n)
        if (sim->pop[p].view.level == level) engine_deliver(sim, p, t, 0, &share->stats.synaptic_events);
    share->stats.s_deliver += lw_time_now() - start - (w->me == 0 ? sim->stats.s_exchange - exchange : 0);
}

/* Populations by level; with several levels what one emits is known to all ranks before the next begins. */
static void step_together(const engine_worker *w, int64_t t) {
    lw_sim *sim = w->sim;
    shares_deliver(w, t);
    for (int level = 0; level < sim->n_levels; level++) {
        if (sim->n_plain > 0) {
            if (w->me == 0 && w->team->n > 1) exchange_end(sim, w->team);
            engine_team_wait(w->team);
            plain_deliver(w, level, t);
            engine_team_wait(w->team);
        }
        shares_step(w, level, t);
        engine_team_wait(w->team);
        if (w->me == 0) {
            engine_shares_join(sim, level, t);
            if (sim->n_levels > 1) {
                engine_exchange_begin(sim, level, t, t + 1);
                (void)!engine_exchange_end(sim, level);
            }
        }
        if (level + 1 < sim->n_levels) engine_team_wait(w->team);
    }
    if (w->me == 0) {
        engine_trace(sim, t);
        sim->stats.steps++;
        sim->step = t + 1;
    }
    engine_team_wait(w->team);
}

/* An exchange begun after the last step of the epoch before is ended by the first delivery that needs it, or at the
 * latest here, before this epoch's own begins. */
static void epoch(const engine_worker *w, int64_t t0, int64_t t1, bool together) {
    lw_sim *sim = w->sim;
    for (int64_t t = t0; t < t1; t++) {
        if (together) {
            step_together(w, t);
        } else {
            shares_deliver(w, t);
            shares_step(w, 0, t);
        }
    }
    if (w->me == 0) exchange_end(sim, w->team);
    if (!together) engine_team_wait(w->team);
    if (w->me == 0) {
        for (int64_t t = t0; !together && t < t1; t++)
            engine_shares_join(sim, 0, t);
        if (!together) {
            sim->stats.steps += t1 - t0;
            sim->step = t1;
        }
        if (sim->n_levels == 1) {
            engine_exchange_begin(sim, 0, t0, t1);
            atomic_store_explicit(&w->team->unknown, t0, memory_order_release);
        }
    }
    engine_team_wait(w->team);
}

static void epochs(const engine_worker *w, int64_t begin, int64_t end) {
    const lw_sim *sim = w->sim;
    bool together = sim->n_levels > 1 || sim->n_plain > 0 || engine_has_traces(sim);
    for (int64_t t0 = begin; t0 < end;) {
        int64_t t1 = t0 + sim->epoch < end ? t0 + sim->epoch : end;
        epoch(w, t0, t1, together);
        t0 = t1;
    }
}

/* A way from one step to another with safe points on it. */
struct way {
    int64_t first, end;
    const lw_watch *watch;
    unsigned mode; /* of the processor before */
};

/* Nothing is under way, ranks agree, the watch may look; by the first thread, while the others wait. */
static lw_err safe_point(lw_sim *sim, struct way *to) {
    if (sim->n_levels == 1) (void)!engine_exchange_end(sim, 0);
    lw_err err = lw_comm_agree(lw_net_comm(sim->net), sim->error);
    if (err != LW_OK || !to->watch || !to->watch->tick) return err;
    engine_fp_end(to->mode);
    err = to->watch->tick(to->watch->payload, "simulate", sim->step - to->first, to->end - to->first);
    to->mode = engine_fp_begin();
    return err;
}

static void go(const engine_worker *w) {
    struct way *to = w->way;
    int64_t tick = (TICK_STEPS + w->sim->epoch - 1) / w->sim->epoch * w->sim->epoch;
    for (int64_t t = to->first; t < to->end;) {
        int64_t next = t + tick < to->end ? t + tick : to->end;
        epochs(w, t, next);
        t = next;
        if (w->me == 0) {
            w->team->err = safe_point(w->sim, to);
            engine_team_tell(w->team);
        }
        engine_team_wait(w->team);
        if (w->team->err != LW_OK) return;
    }
}

static void *worker_run(void *payload) {
    const engine_worker *w = payload;
    engine_team_await_start(w->team);
    unsigned mode = engine_fp_begin();
    go(w);
    engine_fp_end(mode);
    return NULL;
}

/* Threads for all shares but the first; fewer when the system gives no more. Signals are the first thread's. */
static int team_gather(lw_sim *sim, engine_team *team, struct way *to) {
    sigset_t all, before;
    int n = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    while (n < sim->n_shares) {
        engine_worker *w = &sim->share[n].worker;
        *w = (engine_worker){.sim = sim, .team = team, .way = to, .me = n};
        if (pthread_create(&w->thread, NULL, worker_run, w) != 0) break;
        n++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

lw_err lw_sim_advance(lw_sim *sim, int64_t n_steps, const lw_watch *watch) {
    struct way to = {.first = sim->step, .end = sim->step + n_steps, .watch = watch};
    engine_record_drop(sim, false);
    if (sim->n_bundles != lw_net_n_bundles(sim->net)) engine_views(sim);
    engine_team team = {.unknown = unknown_from(sim)};
    engine_worker w = {.sim = sim, .team = &team, .way = &to};
    int n = team_gather(sim, &team, &to);
    engine_team_start(&team, n);
    to.mode = engine_fp_begin();
    go(&w);
    engine_fp_end(to.mode);
    for (int i = 1; i < n; i++)
        pthread_join(sim->share[i].worker.thread, NULL);
    return team.err;
}
