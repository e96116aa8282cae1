/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The summing of gradients and the update, divided among the replicas and their threads: each adds up a stretch of
 * theta, makes the new values from it and hands them to the others. Sums go thread by thread and rank by rank as if one
 * process made them all, and updates are element-wise, so the division shows in no bit.
 */
#include <math.h>
#include <string.h>
#include "shard.h"

/* ------------------------------------------------------------------ in threads */

/* One thread's part of something that is done for the numbers [lo, hi), in pieces that are never cut. */
typedef struct task {
    shard *s;
    int64_t lo, hi;
    double *const *grad;
    int64_t *const *exact;
    double rate, factor;
    int64_t update;
} task;

/* work cannot fail; where there is no memory for threads, one does it all. */
static void together(shard *s, int64_t lo, int64_t hi, const task *what, lw_err (*work)(pass *p, void *payload)) {
    task each[LW_TRAIN_THREADS_MAX];
    void *payload[LW_TRAIN_THREADS_MAX] = {NULL};
    int64_t first = lo / OPTIMIZER_PIECE, pieces = optimizer_pieces(hi) - first;
    int n = s->n_team;
    for (int i = 0; i < n; i++) {
        int64_t a = (first + pieces * i / n) * OPTIMIZER_PIECE, b = (first + pieces * (i + 1) / n) * OPTIMIZER_PIECE;
        each[i] = *what;
        each[i].s = s;
        each[i].lo = a > lo ? a : lo;
        each[i].hi = b < hi ? b : hi;
        payload[i] = &each[i];
    }
    if (pass_together(s->team, n, work, payload) == LW_OK) return;
    lw_err_clear();
    for (int i = 0; i < n; i++)
        (void)work(s->team[i], payload[i]);
}

/* ------------------------------------------------------------------ creation */

/* Whole pieces for everybody, as even as can be. */
static void cuts_make(shard *s) {
    int64_t n = s->theta->n_local, pieces = optimizer_pieces(n);
    for (int r = 0; r <= s->grid->replicas; r++) {
        int64_t at = pieces * r / s->grid->replicas * OPTIMIZER_PIECE;
        s->cut[r] = at < n ? at : n;
    }
    for (int r = 0; r < s->grid->replicas; r++)
        s->words[r] = LW_EXACT_WORDS * (s->cut[r + 1] - s->cut[r]);
    s->lo = s->cut[s->grid->replica];
    s->hi = s->cut[s->grid->replica + 1];
}

static lw_err room_make(shard *s) {
    const lw_theta *theta = s->theta;
    LW_TRY(lw_alloc((size_t)theta->n_blocks, sizeof *s->rule, "groups of what is learned", &s->rule));
    LW_TRY(optimizer_rules(s->spec, s->net, theta, s->rule));
    LW_TRY(lw_alloc((size_t)s->grid->replicas + 1, sizeof *s->cut, "stretches of theta", &s->cut));
    LW_TRY(lw_alloc((size_t)s->grid->replicas, sizeof *s->words, "stretches of theta", &s->words));
    cuts_make(s);
    LW_TRY(lw_alloc((size_t)optimizer_pieces(theta->n_local), sizeof *s->square, "the norm", &s->square));
    for (int32_t b = 0; b < theta->n_blocks; b++)
        s->has_scale = s->has_scale || !theta->block[b].is_weight;
    s->n_moments = optimizer_moments(s->spec);
    s->n_vectors = s->n_moments + s->has_scale + 1;
    for (int i = 0; i < s->n_vectors; i++)
        LW_TRY(lw_alloc((size_t)(s->hi - s->lo), sizeof(double), "the optimiser's state", &s->vector[i]));
    return LW_OK;
}

static double *scale_of(const shard *s) {
    return s->has_scale ? s->vector[s->n_moments] : NULL;
}

static double *best_of(const shard *s) {
    return s->vector[s->n_vectors - 1];
}

lw_err shard_create(const lw_grid *grid, lw_net *net, const lw_theta *theta, const lw_optimizer_spec *spec,
    pass *const *team, int n_team, shard **out) {
    shard *s = NULL;
    lw_err err = lw_alloc(1, sizeof *s, "the optimiser's state", &s);
    *out = NULL;
    if (err == LW_OK) {
        *s = (shard){.grid = grid, .net = net, .theta = theta, .spec = spec, .team = team, .n_team = n_team};
        err = room_make(s);
    }
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    LW_TRY_TO(lw_comm_agree(grid->world, lw_pool_create(grid->peers, theta->n_local, s->cut, &s->pool)), failed);
    if (s->has_scale) { /* the mean of a block needs all of it: through the array of the gradient */
        double *x = lw_pool_mine(s->pool);
        lw_theta_get(theta, net, x);
        optimizer_scale(spec, theta, grid->part, x, x);
        memcpy(scale_of(s), x + s->lo, (size_t)(s->hi - s->lo) * sizeof *x);
    }
    shard_best_note(s);
    *out = s;
    return LW_OK;
failed:
    shard_destroy(&s);
    return err;
}

void shard_destroy(shard **shard_of) {
    shard *s = *shard_of;
    if (!s) return;
    lw_pool_destroy(&s->pool);
    for (int i = 0; i < s->n_vectors; i++) {
        lw_free(s->vector[i]);
        lw_free(s->whole[i]);
    }
    lw_free(s->rule);
    lw_free(s->cut);
    lw_free(s->words);
    lw_free(s->square);
    lw_free(s);
    *shard_of = NULL;
}

double *shard_grad(const shard *s) {
    return lw_pool_mine(s->pool);
}

/* ------------------------------------------------------------------ sums */

static lw_err gather_run(pass *p, void *payload) {
    const task *w = payload;
    for (int i = 1; i < w->s->n_team; i++) {
        if (w->exact) {
            for (int64_t k = LW_EXACT_WORDS * w->lo; k < LW_EXACT_WORDS * w->hi; k++)
                w->exact[0][k] += w->exact[i][k];
            continue;
        }
        double *restrict to = w->grad[0];
        const double *restrict from = w->grad[i];
        for (int64_t k = w->lo; k < w->hi; k++)
            to[k] += from[k];
    }
    return LW_OK;
}

void shard_gather(shard *s, double *const *grad, int64_t *const *exact) {
    task what = {.grad = grad, .exact = exact};
    if (s->n_team > 1) together(s, 0, s->theta->n_local, &what, gather_run);
}

static lw_err sum_run(pass *p, void *payload) {
    const task *w = payload;
    shard *s = w->s;
    double *grad = lw_pool_mine(s->pool) + w->lo;
    const double *scale = scale_of(s);
    if (w->hi <= w->lo) return LW_OK;
    if (w->exact)
        lw_exact_get(w->hi - w->lo, w->exact[0] + LW_EXACT_WORDS * (w->lo - s->lo), grad);
    else
        lw_pool_add(s->pool, w->lo, w->hi);
    optimizer_freeze(s->theta, s->rule, w->lo, w->hi, grad);
    optimizer_squares(
        s->theta, w->lo, w->hi, scale ? scale + (w->lo - s->lo) : NULL, grad, s->square + w->lo / OPTIMIZER_PIECE);
    return LW_OK;
}

double shard_sum(shard *s, int64_t *exact) {
    const lw_grid *grid = s->grid;
    int64_t pieces = optimizer_pieces(s->theta->n_local);
    int64_t *const words[] = {exact};
    task what = {.exact = exact ? words : NULL};
    double sum = 0;
    if (exact) {
        lw_comm_sum_deal_i64(grid->peers, exact, s->words);
    } else {
        lw_pool_meet(s->pool);
    }
    memset(s->square, 0, (size_t)pieces * sizeof *s->square);
    together(s, s->lo, s->hi, &what, sum_run);
    lw_comm_sum_f64(grid->peers, s->square, pieces); /* each piece is 0 on all ranks but one */
    for (int64_t k = 0; k < pieces; k++)
        sum += s->square[k];
    lw_comm_sum_f64(grid->part, &sum, 1);
    return sqrt(sum);
}

/* ------------------------------------------------------------------ the update */

/* New values take the place of the gradient, for the other replicas to read. */
static lw_err step_run(pass *p, void *payload) {
    const task *w = payload;
    shard *s = w->s;
    double x[OPTIMIZER_PIECE], *moment[OPTIMIZER_MOMENTS_MAX] = {NULL};
    const double *scale = scale_of(s);
    for (int64_t lo = w->lo; lo < w->hi; lo += OPTIMIZER_PIECE) {
        int64_t hi = lo + OPTIMIZER_PIECE < w->hi ? lo + OPTIMIZER_PIECE : w->hi;
        double *grad = lw_pool_mine(s->pool) + lo;
        for (int i = 0; i < s->n_moments; i++)
            moment[i] = s->vector[i] + (lo - s->lo);
        lw_theta_range_get(s->theta, s->net, lo, hi, x);
        optimizer_step(s->spec, s->theta, s->rule, w->rate, w->factor, w->update, lo, hi,
            scale ? scale + (lo - s->lo) : NULL, grad, moment, x);
        lw_theta_range_put(s->theta, s->net, lo, hi, x);
        if (s->grid->replicas > 1) memcpy(grad, x, (size_t)(hi - lo) * sizeof *x);
    }
    return LW_OK;
}

/* The other replicas' values into the network here; through a buffer, because putting may write back. */
static lw_err take_run(pass *p, void *payload) {
    const task *w = payload;
    const shard *s = w->s;
    double x[OPTIMIZER_PIECE];
    for (int r = 0; r < s->grid->replicas; r++) {
        int64_t begin = s->cut[r] > w->lo ? s->cut[r] : w->lo, end = s->cut[r + 1] < w->hi ? s->cut[r + 1] : w->hi;
        for (int64_t lo = begin; lo < end && r != s->grid->replica; lo += OPTIMIZER_PIECE) {
            int64_t hi = lo + OPTIMIZER_PIECE < end ? lo + OPTIMIZER_PIECE : end;
            memcpy(x, lw_pool_stretch(s->pool, r) + (lo - s->cut[r]), (size_t)(hi - lo) * sizeof *x);
            lw_theta_range_put(s->theta, s->net, lo, hi, x);
        }
    }
    return LW_OK;
}

/* What stands in the own stretch of the pool goes into the networks of all replicas. */
static void values_hand(shard *s) {
    task what = {0};
    if (s->grid->replicas == 1) return;
    lw_pool_hand(s->pool);
    together(s, 0, s->theta->n_local, &what, take_run);
    lw_pool_leave(s->pool);
}

void shard_step(shard *s, double rate, double factor, int64_t update) {
    task what = {.rate = rate, .factor = factor, .update = update};
    together(s, s->lo, s->hi, &what, step_run);
    values_hand(s);
}

/* ------------------------------------------------------------------ vectors */

void shard_best_note(shard *s) {
    lw_theta_range_get(s->theta, s->net, s->lo, s->hi, best_of(s));
}

void shard_best_restore(shard *s) {
    double *x = lw_pool_mine(s->pool) + s->lo;
    memcpy(x, best_of(s), (size_t)(s->hi - s->lo) * sizeof *x);
    lw_theta_range_put(s->theta, s->net, s->lo, s->hi, x);
    values_hand(s);
}

/* The array of the gradient is free between batches. */
static void vector_gather(shard *s, int i, bool here) {
    double *mine = lw_pool_mine(s->pool);
    memcpy(mine + s->lo, s->vector[i], (size_t)(s->hi - s->lo) * sizeof *mine);
    lw_pool_hand(s->pool);
    for (int r = 0; r < s->grid->replicas && here; r++)
        memcpy(
            s->whole[i] + s->cut[r], lw_pool_stretch(s->pool, r), (size_t)(s->cut[r + 1] - s->cut[r]) * sizeof *mine);
    lw_pool_leave(s->pool);
}

lw_err shard_open(shard *s, lw_vectors which) {
    bool here = which != LW_VECTORS_FIRST || s->grid->replica == 0;
    lw_err err = LW_OK;
    if (s->grid->replicas == 1) return LW_OK;
    for (int i = 0; i < s->n_vectors && here && err == LW_OK; i++)
        err = lw_alloc((size_t)s->theta->n_local, sizeof(double), "the optimiser's whole state", &s->whole[i]);
    err = lw_comm_agree(which == LW_VECTORS_EMPTY ? s->grid->part : s->grid->world, err);
    if (err != LW_OK) shard_close(s, false);
    for (int i = 0; i < s->n_vectors && err == LW_OK && which != LW_VECTORS_EMPTY; i++)
        vector_gather(s, i, here);
    return err;
}

void shard_close(shard *s, bool take) {
    for (int i = 0; i < s->n_vectors && take && s->grid->replicas > 1; i++)
        memcpy(s->vector[i], s->whole[i] + s->lo, (size_t)(s->hi - s->lo) * sizeof(double));
    for (int i = 0; i < s->n_vectors; i++) {
        lw_free(s->whole[i]);
        s->whole[i] = NULL;
    }
}
