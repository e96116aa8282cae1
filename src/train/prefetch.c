/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The thread that reads the next batch. It lives as long as the trainer and sleeps on a condition; the trainer waits
 * for it before it calls anything that may look at the data or write files, so libraries that know no threads (HDF5)
 * are never entered twice.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "prefetch.h"

typedef enum stage { IDLE, WANTED, READ, STOP } stage;

struct prefetch {
    int n;
    int64_t n_pieces, width;
    batch **spare;   /* [n][n_pieces] */
    int64_t *sample; /* [n][n_pieces * width] */
    lw_err err;
    char message[1024]; /* messages belong to threads */
    stage stage;        /* guarded by lock, as all above is by the stage */
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
};

static void samples_read(struct prefetch *f) {
    f->err = LW_OK;
    for (int64_t i = 0; i < f->n * f->n_pieces && f->err == LW_OK; i++)
        f->err = batch_load(f->spare[i], f->sample + i * f->width);
    if (f->err != LW_OK) snprintf(f->message, sizeof f->message, "%s", lw_err_message());
}

static void *live(void *argument) {
    struct prefetch *f = argument;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (f->stage != WANTED && f->stage != STOP)
            pthread_cond_wait(&f->change, &f->lock);
        if (f->stage == STOP) break;
        pthread_mutex_unlock(&f->lock);
        samples_read(f);
        pthread_mutex_lock(&f->lock);
        f->stage = READ;
        pthread_cond_broadcast(&f->change);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

lw_err prefetch_create(pass *const *team, int n, struct prefetch **out) {
    struct prefetch *f = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *f, "reading ahead", &f));
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->change, NULL);
    f->n = n;
    f->n_pieces = team[0]->n_pieces;
    f->width = team[0]->width;
    size_t pieces = (size_t)(n * f->n_pieces);
    LW_TRY_TO(lw_alloc(pieces, sizeof(batch *), "batches read ahead", &f->spare), failed);
    LW_TRY_TO(lw_alloc(pieces * (size_t)f->width, sizeof *f->sample, "batches read ahead", &f->sample), failed);
    for (size_t i = 0; i < pieces; i++)
        LW_TRY_TO(batch_create(team[0]->batch->source, team[0]->n_steps, f->width, &f->spare[i]), failed);
    f->threaded = pthread_create(&f->thread, NULL, live, f) == 0; /* else it is read when it is waited for */
    *out = f;
    return LW_OK;
failed:
    prefetch_destroy(&f);
    return err;
}

void prefetch_destroy(struct prefetch **prefetch) {
    struct prefetch *f = *prefetch;
    if (!f) return;
    if (f->threaded) {
        prefetch_wait(f);
        pthread_mutex_lock(&f->lock);
        f->stage = STOP;
        pthread_cond_broadcast(&f->change);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    for (int64_t i = 0; f->spare && i < f->n * f->n_pieces; i++)
        batch_destroy(&f->spare[i]);
    pthread_cond_destroy(&f->change);
    pthread_mutex_destroy(&f->lock);
    lw_free(f->spare);
    lw_free(f->sample);
    lw_free(f);
    *prefetch = NULL;
}

int64_t *prefetch_sample(struct prefetch *f, int i) {
    prefetch_wait(f);
    return f->sample + i * f->n_pieces * f->width;
}

void prefetch_begin(struct prefetch *f) {
    pthread_mutex_lock(&f->lock);
    f->stage = WANTED;
    pthread_cond_broadcast(&f->change);
    pthread_mutex_unlock(&f->lock);
}

void prefetch_wait(struct prefetch *f) {
    pthread_mutex_lock(&f->lock);
    while (f->threaded && f->stage == WANTED)
        pthread_cond_wait(&f->change, &f->lock);
    if (f->stage == WANTED) {
        samples_read(f);
        f->stage = READ;
    }
    pthread_mutex_unlock(&f->lock);
}

bool prefetch_take(struct prefetch *f, pass *const *team, lw_err *err) {
    int64_t each = f->n_pieces * f->width;
    prefetch_wait(f);
    if (f->stage != READ) return false;
    for (int i = 0; i < f->n; i++)
        if (memcmp(f->sample + i * each, team[i]->sample, (size_t)each * sizeof *f->sample) != 0) return false;
    f->stage = IDLE;
    *err = f->err == LW_OK ? LW_OK : LW_FAIL(f->err, "%s", f->message);
    for (int i = 0; i < f->n && *err == LW_OK; i++) {
        for (int64_t k = 0; k < f->n_pieces; k++) {
            batch *read = f->spare[i * f->n_pieces + k];
            f->spare[i * f->n_pieces + k] = team[i]->piece[k];
            team[i]->piece[k] = read;
        }
        pass_pick(team[i], 0);
    }
    return true;
}
