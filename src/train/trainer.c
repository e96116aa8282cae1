/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The training loop. Every replica holds the network; the replicas divide the update among themselves (shard.c) and
 * hand one another the new values, so the weights stay equal in all bits. What a resumed run needs is the weights, the
 * vectors and lw_trainer_state: the order of samples and the learning rate are pure functions of the position.
 */
#include <math.h>
#include <string.h>
#include "prefetch.h"
#include "shard.h"

struct lw_trainer {
    const lw_grid *grid;
    lw_net *net;
    lw_train_spec spec;
    pass **team;           /* [n_team] one pass per thread */
    double **share;        /* [n_team] their gradients, [theta->n_local] each; the first is the shard's */
    int64_t **exact_share; /* [n_team] with spec.lanes: [theta->n_local, LW_EXACT_WORDS] each */
    int n_team;
    order *order;
    lw_theta *theta;
    shard *shard;
    int64_t n_batches;
    lw_trainer_state state;
    lw_metrics *metrics;
    int64_t n_metrics, metrics_room;
    lw_traffic traffic;
    double data_seconds; /* of the present epoch */
};

/* The engine counts from the beginning of the piece. */
static void traffic_note(lw_trainer *t) {
    lw_sim_stats s = lw_sim_stats_get(t->team[0]->sim);
    t->traffic.steps += t->team[0]->n_steps;
    t->traffic.bytes += s.bytes_sent;
    t->traffic.messages += s.messages_sent;
}

/* Weights or parameters changed. */
static void trainer_refresh(lw_trainer *t) {
    for (int i = 0; i < t->n_team; i++)
        lw_sim_refresh(t->team[i]->sim);
}

static lw_err trainer_room(lw_trainer *t) {
    size_t n = (size_t)t->theta->n_local;
    LW_TRY(lw_alloc((size_t)t->n_team, sizeof *t->team, "passes", &t->team));
    LW_TRY(lw_alloc((size_t)t->n_team, sizeof *t->share, "gradients of threads", &t->share));
    LW_TRY(lw_alloc((size_t)t->n_team, sizeof *t->exact_share, "gradients of threads", &t->exact_share));
    for (int i = 0; i < t->n_team; i++) {
        if (i > 0) LW_TRY(lw_alloc(n, sizeof *t->share[i], "the gradient of a thread", &t->share[i]));
        if (t->spec.lanes > 0)
            LW_TRY(lw_alloc(n, LW_EXACT_WORDS * sizeof *t->exact_share[i], "the exact gradient", &t->exact_share[i]));
    }
    return LW_OK;
}

static lw_err trainer_check(const lw_train_spec *spec, const lw_theta *theta) {
    LW_TRY(optimizer_check(&spec->optimizer, spec->epochs));
    LW_CHECK(spec->threads >= 0 && spec->threads <= LW_TRAIN_THREADS_MAX, LW_EUSE, "threads is %d, allowed are 0 to %d",
        spec->threads, LW_TRAIN_THREADS_MAX);
    LW_CHECK(
        spec->patience >= 0, LW_EUSE, "patience is %lld epochs, allowed are numbers from 0", (long long)spec->patience);
    LW_CHECK(spec->n_dropout == 0 || spec->gradient != LW_GRADIENT_EPROP, LW_EUSE,
        "dropout with the gradient method eprop, whose traces know no masks; allowed are bptt and forward");
    LW_CHECK(theta->n_global > 0, LW_EUSE,
        "nothing is to be learned: no projection and no parameter of the network has `learn`");
    return LW_OK;
}

lw_err lw_trainer_create(
    const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data, lw_trainer **out) {
    lw_trainer *t = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_comm_agree(grid->world, lw_alloc(1, sizeof *t, "the trainer", &t)), failed);
    t->grid = grid;
    t->net = net;
    t->spec = *spec;
    t->n_team = spec->threads > 1 && grid->parts == 1 ? spec->threads : 1;
    LW_TRY_TO(lw_comm_agree(grid->world, lw_theta_create(net, &t->theta)), failed);
    err = trainer_check(spec, t->theta);
    if (err == LW_OK) err = order_create(spec->seed, data->n_samples, spec->validation, &t->order);
    if (err == LW_OK) err = trainer_room(t);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    LW_TRY_TO(shard_create(grid, net, t->theta, &t->spec.optimizer, t->team, t->n_team, &t->shard), failed);
    t->spec.optimizer.group = NULL; /* borrowed until here */
    t->share[0] = shard_grad(t->shard);
    for (int i = 0; i < t->n_team; i++)
        LW_TRY_TO(pass_create(grid, net, spec, data, t->theta, data->n_steps, false, t->team, i, t->n_team), failed);
    t->spec.loss.penalty = NULL; /* borrowed until here */
    t->spec.loss.n_penalties = 0;
    for (int i = 0; i < t->n_team && err == LW_OK; i++)
        err = lw_sim_dropout_create(t->team[i]->sim, spec->n_dropout, spec->dropout, spec->seed);
    if (err == LW_OK && spec->prefetch) err = prefetch_create(t->team, t->n_team, &t->team[0]->ahead);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    t->spec.dropout = NULL; /* borrowed until here */
    t->n_batches = (t->order->n_train + spec->batch - 1) / spec->batch;
    t->state.best_score = -INFINITY;
    *out = t;
    return LW_OK;
failed:
    lw_trainer_destroy(&t);
    return err;
}

void lw_trainer_destroy(lw_trainer **trainer) {
    lw_trainer *t = *trainer;
    if (!t) return;
    for (int i = 0; t->team && i < t->n_team; i++)
        pass_destroy(&t->team[i]);
    for (int i = 1; t->share && i < t->n_team; i++)
        lw_free(t->share[i]);
    for (int i = 0; t->exact_share && i < t->n_team; i++)
        lw_free(t->exact_share[i]);
    lw_free(t->team);
    lw_free(t->share);
    lw_free(t->exact_share);
    order_destroy(&t->order);
    shard_destroy(&t->shard);
    lw_theta_destroy(&t->theta);
    lw_free(t->metrics);
    lw_free(t);
    *trainer = NULL;
}

/* What one thread does of a batch. */
typedef struct part {
    lw_trainer *trainer;
    double *grad;
    int64_t *exact;
    pass_tally tally;
    int64_t sum[LW_EXACT_WORDS * PASS_TALLY_SIZE];
} part;

/* All pieces of one pass, with exact sums where those are asked for. Collective over the partition. */
static lw_err part_run(pass *p, void *payload) {
    part *w = payload;
    int64_t n = w->trainer->theta->n_local;
    if (w->exact) memset(w->exact, 0, (size_t)n * LW_EXACT_WORDS * sizeof *w->exact);
    for (int64_t k = 0; k < p->n_pieces; k++) {
        w->tally = (pass_tally){0};
        memset(w->grad, 0, (size_t)n * sizeof *w->grad);
        pass_pick(p, k);
        LW_TRY(pass_forward(p, true, &w->tally));
        LW_TRY(pass_backward(p, w->grad));
        if (p->share == 0) traffic_note(w->trainer);
        if (!w->exact) continue;
        lw_exact_add(n, w->grad, w->exact);
        lw_exact_add(PASS_TALLY_SIZE, (const double *)&w->tally, w->sum);
    }
    return LW_OK;
}

/* The threads' sums, added in their order, and losses over replicas. Collective over the world. */
static void parts_sum(lw_trainer *t, part *w, pass_tally *tally) {
    bool exact = t->spec.lanes > 0;
    shard_gather(t->shard, t->share, exact ? t->exact_share : NULL);
    for (int i = 1; i < t->n_team; i++) {
        for (size_t k = 0; k < PASS_TALLY_SIZE; k++)
            ((double *)&w[0].tally)[k] += ((const double *)&w[i].tally)[k];
        for (size_t k = 0; k < LW_EXACT_WORDS * PASS_TALLY_SIZE; k++)
            w[0].sum[k] += w[i].sum[k];
    }
    *tally = w[0].tally;
    if (exact) {
        pass_exact_sum(t->grid, w[0].sum, tally);
    } else {
        lw_pool_ready(t->shard->pool, 0, t->theta->n_local);
        pass_tally_sum(t->grid, tally);
    }
}

/* Samples of batch `number` of the present epoch for pass i. */
static void samples_pick(const lw_trainer *t, int64_t number, int i, int64_t *sample) {
    const pass *p = t->team[i];
    int64_t begin = number * t->spec.batch + pass_place(p);
    for (int64_t k = 0; k < p->n_pieces * p->width; k++)
        sample[k] = order_sample(t->order, t->state.epoch, begin + k);
}

/* What comes after the present batch is read meanwhile. */
static void next_begin(lw_trainer *t) {
    if (!t->team[0]->ahead || t->state.batch_in_epoch + 1 >= t->n_batches) return;
    for (int i = 0; i < t->n_team; i++)
        samples_pick(t, t->state.batch_in_epoch + 1, i, prefetch_sample(t->team[0]->ahead, i));
    prefetch_begin(t->team[0]->ahead);
}

/* This replica's part of the gradient of the mean loss of the present batch, to be summed by the shard. Collective over
 * the world. */
static lw_err batch_gradient(lw_trainer *t, pass_tally *tally) {
    enum { MOST = LW_TRAIN_THREADS_MAX };
    part work[MOST] = {{0}};
    void *payload[MOST];
    for (int i = 0; i < t->n_team; i++) {
        pass *p = t->team[i];
        p->epoch = t->state.epoch;
        p->updates = t->state.updates;
        samples_pick(t, t->state.batch_in_epoch, i, p->sample);
        work[i] = (part){.trainer = t, .grad = t->share[i], .exact = t->exact_share[i]};
        payload[i] = &work[i];
    }
    double start = lw_time_now();
    LW_TRY(pass_load(t->team, t->n_team));
    t->data_seconds += lw_time_now() - start;
    next_begin(t);
    if (t->n_team == 1 && t->spec.lanes == 0) { /* one sweep: its blocks travel as they are completed */
        memset(t->share[0], 0, (size_t)t->theta->n_local * sizeof *t->share[0]);
        *tally = (pass_tally){0};
        LW_TRY(lw_comm_agree(t->grid->world, pass_forward(t->team[0], true, tally)));
        LW_TRY(pass_backward_sum(t->team[0], t->theta, t->shard->pool));
        traffic_note(t);
        pass_tally_sum(t->grid, tally);
        return LW_OK;
    }
    LW_TRY(lw_comm_agree(t->grid->world, pass_together(t->team, t->n_team, part_run, payload)));
    parts_sum(t, work, tally);
    return LW_OK;
}

static double present_rate(const lw_trainer *t) {
    const lw_trainer_state *s = &t->state;
    return optimizer_rate(&t->spec.optimizer, t->spec.epochs, t->n_batches, s->epoch, s->batch_in_epoch) *
           optimizer_plateau(&t->spec.optimizer, t->metrics, t->n_metrics);
}

static lw_err batch_train(lw_trainer *t) {
    lw_trainer_state *s = &t->state;
    const lw_optimizer_spec *spec = &t->spec.optimizer;
    pass_tally tally = {0};
    lw_err err = batch_gradient(t, &tally);
    /* whoever is called from here on may look at the data or write files */
    if (t->team[0]->ahead) prefetch_wait(t->team[0]->ahead);
    if (err != LW_OK) return err;
    double loss = pass_tally_loss(&tally), norm = shard_sum(t->shard, t->exact_share[0]);
    /* loss and norm are equal on all ranks, so all leave here together */
    LW_CHECK(isfinite(loss) && isfinite(norm), LW_ENUM,
        "loss %g with gradient norm %g in epoch %lld, batch %lld; a smaller learning rate or clip_norm may help", loss,
        norm, (long long)s->epoch + 1, (long long)s->batch_in_epoch + 1);
    double factor = spec->clip_norm > 0 && norm > spec->clip_norm ? spec->clip_norm / norm : 1;
    s->updates++;
    shard_step(t->shard, present_rate(t), factor, s->updates);
    trainer_refresh(t);
    s->sum_loss += loss * tally.loss.counted;
    s->sum_counted += tally.loss.counted;
    s->sum_correct += tally.loss.correct;
    s->sum_sq += tally.loss.sq;
    s->sum_spikes += tally.spikes;
    s->sum_norm += norm;
    s->batch_in_epoch++;
    return LW_OK;
}

/* Higher is better: validation accuracy where there is one, else minus the validation (or training) loss. */
static double metrics_score(const lw_metrics *m) {
    if (isfinite(m->validation_accuracy)) return m->validation_accuracy;
    return isfinite(m->validation_loss) ? -m->validation_loss : -m->loss;
}

static lw_err epoch_measure(lw_trainer *t, const lw_watch *watch, lw_metrics *m) {
    const lw_trainer_state *s = &t->state;
    double counted = fmax(s->sum_counted, 1);
    bool regression = t->team[0]->batch->target != NULL;
    pass_tally tally;
    m->epoch = s->epoch + 1;
    m->loss = s->sum_loss / counted;
    m->accuracy = regression ? NAN : s->sum_correct / counted;
    m->rmse = regression ? sqrt(s->sum_sq / counted) : NAN;
    m->rate_hz = pass_tally_rate(t->team[0], s->sum_spikes, (double)t->order->n_train);
    m->grad_norm = s->sum_norm / (double)t->n_batches;
    m->lr = optimizer_rate(&t->spec.optimizer, t->spec.epochs, t->n_batches, s->epoch, t->n_batches - 1) *
            optimizer_plateau(&t->spec.optimizer, t->metrics, t->n_metrics);
    m->validation_loss = m->validation_accuracy = m->validation_rmse = NAN;
    if (t->order->n_validation == 0) return LW_OK;
    LW_TRY(pass_measure(
        t->team, t->n_team, t->order->validation, t->order->n_validation, "validate", watch, NULL, NULL, &tally));
    m->validation_loss = pass_tally_loss(&tally);
    m->validation_accuracy = pass_tally_accuracy(t->team[0], &tally);
    m->validation_rmse = pass_tally_rmse(t->team[0], &tally);
    return LW_OK;
}

static lw_err metrics_append(lw_trainer *t, const lw_metrics *m) {
    if (t->n_metrics == t->metrics_room) {
        int64_t room = 2 * t->metrics_room + 16;
        LW_TRY(lw_grow(&t->metrics, (size_t)t->metrics_room, (size_t)room, sizeof *t->metrics, "the metrics"));
        t->metrics_room = room;
    }
    t->metrics[t->n_metrics++] = *m;
    return LW_OK;
}

/* Close the epoch: the state is that of the beginning of the next one before anybody may save it. */
static void epoch_close(lw_trainer *t, double score, bool *improved) {
    lw_trainer_state *s = &t->state;
    s->epoch++;
    s->batch_in_epoch = 0;
    s->sum_loss = s->sum_correct = s->sum_counted = s->sum_sq = s->sum_spikes = s->sum_norm = 0;
    *improved = score > s->best_score;
    s->since_best = *improved ? 0 : s->since_best + 1;
    if (!*improved) return;
    s->best_score = score;
    s->best_epoch = s->epoch;
    shard_best_note(t->shard);
}

static lw_err epoch_run(lw_trainer *t, const lw_trainer_hook *hook, const lw_watch *watch) {
    lw_trainer_state *s = &t->state;
    double start = lw_time_now();
    lw_metrics m = {0};
    bool improved = false;
    t->data_seconds = 0;
    while (s->batch_in_epoch < t->n_batches) {
        LW_TRY(batch_train(t));
        int64_t done = s->epoch * t->n_batches + s->batch_in_epoch;
        if (watch) LW_TRY(watch->tick(watch->payload, "train", done, t->spec.epochs * t->n_batches));
    }
    LW_TRY(epoch_measure(t, watch, &m));
    m.seconds = lw_time_now() - start;
    m.data_seconds = t->data_seconds;
    LW_TRY(lw_comm_agree(t->grid->world, metrics_append(t, &m)));
    epoch_close(t, metrics_score(&m), &improved);
    if (!hook || !hook->epoch_end) return LW_OK;
    return lw_comm_agree(t->grid->world, hook->epoch_end(hook->payload, &m, improved));
}

lw_err lw_trainer_run(lw_trainer *trainer, const lw_trainer_hook *hook, const lw_watch *watch) {
    const lw_trainer_state *s = &trainer->state;
    trainer_refresh(trainer); /* weights may have been put since the last run */
    while (s->epoch < trainer->spec.epochs && !(trainer->spec.patience > 0 && s->since_best >= trainer->spec.patience))
        LW_TRY(epoch_run(trainer, hook, watch));
    return LW_OK;
}

void lw_trainer_best_restore(lw_trainer *trainer) {
    if (trainer->state.best_epoch == 0) return;
    shard_best_restore(trainer->shard);
    trainer_refresh(trainer);
}

lw_tape_use lw_trainer_tape(const lw_trainer *trainer) {
    const pass *p = trainer->team[0];
    lw_tape_use use = {.samples = p->width * trainer->n_team, .steps = p->n_steps, .segment = lw_tape_segment(p->tape)};
    for (int i = 0; i < trainer->n_team; i++)
        use.bytes += lw_tape_held(trainer->team[i]->tape);
    return use;
}

lw_traffic lw_trainer_traffic(const lw_trainer *trainer) {
    lw_traffic traffic = trainer->traffic;
    traffic.replica_bytes = lw_pool_bytes(trainer->shard->pool);
    lw_slot_view slots = lw_net_slots(trainer->net);
    for (int64_t s = 0; s < slots.n; s++)
        traffic.slots += slots.owner[s] != lw_comm_rank(lw_net_comm(trainer->net));
    return traffic;
}

const lw_theta *lw_trainer_theta(const lw_trainer *trainer) {
    return trainer->theta;
}

lw_net *lw_trainer_net(const lw_trainer *trainer) {
    return trainer->net;
}

int lw_trainer_n_vectors(const lw_trainer *trainer) {
    return trainer->shard->n_vectors;
}

const char *lw_trainer_vector_name(const lw_trainer *trainer, int i) {
    const shard *s = trainer->shard;
    if (i < s->n_moments) return optimizer_moment_name(s->spec, i);
    return i == s->n_vectors - 1 ? "best_weights" : "scale";
}

double *lw_trainer_vector(lw_trainer *trainer, int i) {
    const shard *s = trainer->shard;
    return s->grid->replicas == 1 ? s->vector[i] : s->whole[i];
}

lw_err lw_trainer_vectors_open(lw_trainer *trainer, lw_vectors which) {
    return shard_open(trainer->shard, which);
}

void lw_trainer_vectors_close(lw_trainer *trainer, bool take) {
    shard_close(trainer->shard, take);
}

lw_trainer_state *lw_trainer_state_get(lw_trainer *trainer) {
    return &trainer->state;
}

const lw_metrics *lw_trainer_metrics(const lw_trainer *trainer, int64_t *n) {
    *n = trainer->n_metrics;
    return trainer->metrics;
}

lw_err lw_trainer_metrics_set(lw_trainer *trainer, const lw_metrics *metrics, int64_t n) {
    trainer->n_metrics = 0;
    for (int64_t i = 0; i < n; i++)
        LW_TRY(metrics_append(trainer, &metrics[i]));
    return LW_OK;
}
