/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Several passes of one rank at the same time, one thread each: they share the network and the samples of a batch, and
 * nothing else, so they meet only when all are done. MPI belongs to the calling thread; a pass of a replica that is one
 * rank does not call it. Threads are made for each batch, which is short against it.
 */
#include <pthread.h>
#include <stdio.h>
#include "pass.h"

typedef struct member {
    pass *pass;
    lw_err (*work)(pass *p, void *payload);
    void *payload;
    lw_err err;
    char message[1024]; /* messages belong to threads */
    bool threaded;
    pthread_t thread;
} member;

static void *member_run(void *argument) {
    member *m = argument;
    m->err = m->work(m->pass, m->payload);
    if (m->err != LW_OK) snprintf(m->message, sizeof m->message, "%s", lw_err_message());
    return NULL;
}

lw_err pass_together(pass *const *team, int n, lw_err (*work)(pass *p, void *payload), void *const *payload) {
    member *m = NULL;
    lw_err err;
    if (n == 1) return work(team[0], payload[0]);
    LW_TRY(lw_alloc((size_t)n, sizeof *m, "threads of training", &m));
    for (int i = 0; i < n; i++)
        m[i] = (member){.pass = team[i], .work = work, .payload = payload[i]};
    for (int i = 1; i < n; i++)
        m[i].threaded = pthread_create(&m[i].thread, NULL, member_run, &m[i]) == 0;
    for (int i = 0; i < n; i++)
        if (!m[i].threaded) (void)member_run(&m[i]); /* the first, and those for which there is no thread */
    err = LW_OK;
    for (int i = 0; i < n; i++) {
        if (m[i].threaded) pthread_join(m[i].thread, NULL);
        if (err == LW_OK && m[i].err != LW_OK) err = lw_err_set(m[i].err, __FILE__, __LINE__, "%s", m[i].message);
    }
    lw_free(m);
    return err;
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
