/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Several passes of one rank at the same time, one thread each: they share the network and the samples of a batch, and
 * nothing else, so they meet only when all are done. MPI belongs to the calling thread; a pass of a replica that is one
 * rank does not call it. Threads are made once: a new one is often put on its parent's processor and stays there for
 * longer than a batch takes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include "pass.h"

/* A thread that waits looks for this long and then sleeps. */
static const double LOOK = 30e-6; /* seconds */

typedef struct member {
    struct crew *crew;
    pass *pass;
    void *payload;
    lw_err err;
    char message[1024]; /* messages belong to threads */
    bool threaded;
    pthread_t thread;
} member;

struct crew {
    int n;
    member *member; /* [n] the first is the caller */
    lw_err (*work)(pass *p, void *payload);
    atomic_uint round; /* what is to be done is that of so many calls */
    atomic_int left;   /* members at work, without the caller */
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
};

static void member_run(member *m) {
    m->err = m->crew->work(m->pass, m->payload);
    if (m->err != LW_OK) snprintf(m->message, sizeof m->message, "%s", lw_err_message());
}

static void crew_round_await(struct crew *c, unsigned seen) {
    for (double until = lw_time_now() + LOOK; atomic_load(&c->round) == seen && lw_time_now() < until;) {
    }
    if (atomic_load(&c->round) != seen) return;
    pthread_mutex_lock(&c->lock);
    while (atomic_load(&c->round) == seen)
        pthread_cond_wait(&c->begin, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static void *member_live(void *argument) {
    member *m = argument;
    struct crew *c = m->crew;
    for (unsigned seen = 0;; seen++) {
        crew_round_await(c, seen);
        if (c->stop) return NULL;
        member_run(m);
        if (atomic_fetch_sub(&c->left, 1) > 1) continue;
        pthread_mutex_lock(&c->lock);
        pthread_cond_signal(&c->end);
        pthread_mutex_unlock(&c->lock);
    }
}

static void crew_round_begin(struct crew *c) {
    pthread_mutex_lock(&c->lock);
    atomic_fetch_add(&c->round, 1);
    pthread_cond_broadcast(&c->begin);
    pthread_mutex_unlock(&c->lock);
}

static void crew_round_end(struct crew *c) {
    for (double until = lw_time_now() + LOOK; atomic_load(&c->left) > 0 && lw_time_now() < until;) {
    }
    pthread_mutex_lock(&c->lock);
    while (atomic_load(&c->left) > 0)
        pthread_cond_wait(&c->end, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static lw_err crew_create(int n, struct crew **out) {
    struct crew *c = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *c, "threads of training", &c));
    lw_err err = lw_alloc((size_t)n, sizeof *c->member, "threads of training", &c->member);
    if (err != LW_OK) {
        lw_free(c);
        return err;
    }
    c->n = n;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->begin, NULL);
    pthread_cond_init(&c->end, NULL);
    for (int i = 0; i < n; i++) {
        member *m = &c->member[i];
        m->crew = c;
        m->threaded = i > 0 && pthread_create(&m->thread, NULL, member_live, m) == 0;
    }
    *out = c;
    return LW_OK;
}

void pass_crew_destroy(struct crew **crew) {
    struct crew *c = *crew;
    if (!c) return;
    c->stop = true;
    crew_round_begin(c);
    for (int i = 0; i < c->n; i++)
        if (c->member[i].threaded) pthread_join(c->member[i].thread, NULL);
    pthread_cond_destroy(&c->begin);
    pthread_cond_destroy(&c->end);
    pthread_mutex_destroy(&c->lock);
    lw_free(c->member);
    lw_free(c);
    *crew = NULL;
}

lw_err pass_together(pass *const *team, int n, lw_err (*work)(pass *p, void *payload), void *const *payload) {
    int threaded = 0;
    if (n == 1) return work(team[0], payload[0]);
    if (!team[0]->crew) LW_TRY(crew_create(n, &team[0]->crew));
    struct crew *c = team[0]->crew;
    LW_ASSERT(c->n == n);
    c->work = work;
    for (int i = 0; i < n; i++) {
        c->member[i].pass = team[i];
        c->member[i].payload = payload[i];
        threaded += c->member[i].threaded;
    }
    atomic_store(&c->left, threaded);
    crew_round_begin(c);
    for (int i = 0; i < n; i++)
        if (!c->member[i].threaded) member_run(&c->member[i]); /* the first, and those for which there is no thread */
    crew_round_end(c);
    for (int i = 0; i < n; i++)
        if (c->member[i].err != LW_OK)
            return lw_err_set(c->member[i].err, __FILE__, __LINE__, "%s", c->member[i].message);
    return LW_OK;
}

/* ------------------------------------------------------------------ forward over a data set */

typedef struct measure {
    pass_tally tally;
    int64_t sum[LW_EXACT_WORDS * PASS_TALLY_SIZE]; /* with spec.lanes */
    void (*visit)(void *payload, const pass *p);
    void *payload;
} measure;

static lw_err measure_run(pass *p, void *payload) {
    measure *m = payload;
    for (int64_t k = 0; k < p->n_pieces; k++) {
        pass_tally one = {0};
        pass_pick(p, k);
        LW_TRY(pass_forward(p, false, p->spec.lanes > 0 ? &one : &m->tally));
        if (p->spec.lanes > 0) lw_exact_add(PASS_TALLY_SIZE, (const double *)&one, m->sum);
        if (m->visit) m->visit(m->payload, p);
    }
    return LW_OK;
}

/* The members' sums, added up in their order, over all ranks. */
static void measure_sum(const lw_grid *grid, bool exact, int n_team, measure *m, pass_tally *tally) {
    for (int i = 1; i < n_team; i++) {
        for (size_t w = 0; w < PASS_TALLY_SIZE; w++)
            ((double *)&m[0].tally)[w] += ((const double *)&m[i].tally)[w];
        for (size_t w = 0; w < LW_EXACT_WORDS * PASS_TALLY_SIZE; w++)
            m[0].sum[w] += m[i].sum[w];
    }
    *tally = m[0].tally;
    if (exact)
        pass_exact_sum(grid, m[0].sum, tally);
    else
        pass_tally_sum(grid, tally);
}

lw_err pass_measure(pass *const *team, int n_team, const int64_t *list, int64_t n, const char *what,
    const lw_watch *watch, void (*visit)(void *payload, const pass *p), void *payload, pass_tally *tally) {
    const lw_grid *grid = team[0]->grid;
    int64_t span = team[0]->spec.batch;
    measure *m = NULL;
    void **each = NULL;
    lw_err err = lw_alloc((size_t)n_team, sizeof *m, "sums of a data set", &m);
    if (err == LW_OK) err = lw_alloc((size_t)n_team, sizeof *each, "sums of a data set", &each);
    LW_TRY_TO(lw_comm_agree(grid->world, err), done);
    for (int i = 0; i < n_team; i++) {
        m[i].visit = visit;
        m[i].payload = payload;
        each[i] = &m[i];
    }
    for (int64_t begin = 0; begin < n; begin += span) {
        for (int i = 0; i < n_team; i++)
            for (int64_t k = 0; k < team[i]->n_pieces * team[i]->width; k++) {
                int64_t at = begin + pass_place(team[i]) + k;
                team[i]->sample[k] = at >= n ? -1 : list ? list[at] : at;
            }
        LW_TRY_TO(pass_load(team, n_team), done);
        LW_TRY_TO(lw_comm_agree(grid->world, pass_together(team, n_team, measure_run, each)), done);
        int64_t at = begin + span;
        if (watch) LW_TRY_TO(watch->tick(watch->payload, what, at < n ? at : n, n), done);
    }
    measure_sum(grid, team[0]->spec.lanes > 0, n_team, m, tally);
done:
    lw_free(m);
    lw_free(each);
    return err;
}
