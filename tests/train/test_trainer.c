/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The training loop: it learns, it does not depend on how the ranks are arranged, replicas stay equal in all bits, and
 * a stopped run that is resumed from what the trainer gives out ends in the same bits as an uninterrupted one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include "train_net.h"
#include "world.h"
#include "comm_private.h"

enum { SAMPLES = 22, STEPS = 12 };

/* a whole training problem on a grid of `replicas` */
typedef struct job {
    lw_comm *world;
    lw_grid *grid;
    lw_net *net;
    toy toy;
    lw_batch_source source;
    lw_train_spec spec;
    lw_trainer *trainer;
} job;

static void job_start(job *j, const lw_comm *world, int replicas, const toy_net_spec *net, bool classes) {
    CHECK_OK(lw_grid_create(world, replicas, &j->grid));
    CHECK_OK(toy_net(j->grid->part, net, &j->net));
    j->source = toy_source(&j->toy, SAMPLES, classes);
    CHECK_OK(lw_trainer_create(j->grid, j->net, &j->spec, &j->source, &j->trainer));
}

static void job_end(job *j) {
    lw_trainer_destroy(&j->trainer);
    lw_net_destroy(&j->net);
    lw_grid_destroy(&j->grid);
}

static toy_net_spec spiking(bool sparse) {
    toy_net_spec s = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin("li"),
        .input = 1.0,
        .weight = 0.5,
        .sparse = sparse,
        .learn_params = true,
        .weight_type = LW_F64};
    return s;
}

static const lw_penalty band = {.kind = LW_PENALTY_RATE, .power = 2, .weight = 10, .upper = 0.05};

static job job_of(bool per_step) {
    job j = {.toy = {.n_steps = STEPS, .per_step = per_step}, .spec = toy_train()};
    j.spec.batch = 12; /* for 1, 2, 3 and 4 replicas; 22 samples: the last batch is not full */
    j.spec.epochs = 3;
    j.spec.optimizer.lr = 0.02;
    if (!per_step) j.spec.loss.readout = LW_READOUT_MEAN;
    return j;
}

static lw_metrics metrics_last(const lw_trainer *t) {
    int64_t n;
    const lw_metrics *m = lw_trainer_metrics(t, &n);
    lw_metrics none = {0};
    return n > 0 ? m[n - 1] : none;
}

TEST(training_learns) {
    lw_comm *world = world_start();
    const lw_dtype precision[] = {LW_F64, LW_F32};
    for (int i = 0; i < 2; i++) {
        job j = job_of(false);
        toy_net_spec net = spiking(false);
        net.weight_type = precision[i];
        j.spec.precision = precision[i];
        j.spec.epochs = 60;
        j.spec.optimizer.lr = 0.05;
        j.spec.optimizer.clip_norm = 5;
        job_start(&j, world, lw_comm_size(world), &net, true);
        CHECK_OK(lw_trainer_run(j.trainer, NULL, NULL));
        int64_t n;
        const lw_metrics *m = lw_trainer_metrics(j.trainer, &n);
        CHECK_INT(n, 60);
        CHECK_CLOSE(m[0].loss, log(N_OUT), 0.7);
        CHECK(m[n - 1].loss < 0.2);
        CHECK(m[n - 1].accuracy > 0.95);
        CHECK(m[n - 1].rate_hz > 0 && m[n - 1].rate_hz < 1000);
        CHECK(isnan(m[n - 1].rmse) && isnan(m[n - 1].validation_loss));
        job_end(&j);
    }
    lw_comm_stop(&world);
}

TEST(regression_learns) {
    lw_comm *world = world_start();
    job j = job_of(false);
    toy_net_spec net = spiking(false);
    j.spec.loss.kind = LW_LOSS_MSE;
    j.spec.loss.readout = LW_READOUT_PER_STEP;
    j.spec.epochs = 40;
    job_start(&j, world, 1, &net, false);
    CHECK_OK(lw_trainer_run(j.trainer, NULL, NULL));
    int64_t n;
    const lw_metrics *m = lw_trainer_metrics(j.trainer, &n);
    CHECK(m[n - 1].rmse < 0.6 * m[0].rmse);
    CHECK_REL(m[n - 1].rmse * m[n - 1].rmse, m[n - 1].loss, 1e-12);
    CHECK(isnan(m[n - 1].accuracy));
    job_end(&j);
    lw_comm_stop(&world);
}

/* the whole trajectory of losses, norms and validation losses on every grid that these ranks allow, against one rank
 * alone */
TEST(every_grid_gives_the_same_losses) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    int size = lw_comm_size(world);
    for (int sparse = 0; sparse < 2; sparse++)
        for (int replicas = 1; replicas <= size; replicas++) {
            if (size % replicas != 0) continue;
            job alone = job_of(true), many;
            toy_net_spec net = spiking(sparse);
            alone.spec.loss.skip = 2;
            alone.spec.loss.penalty = &band;
            alone.spec.loss.n_penalties = 1;
            alone.spec.optimizer.clip_norm = 0.5;
            alone.spec.validation = 0.2;
            many = alone;
            job_start(&alone, self, 1, &net, true);
            job_start(&many, world, replicas, &net, true);
            CHECK_OK(lw_trainer_run(alone.trainer, NULL, NULL));
            CHECK_OK(lw_trainer_run(many.trainer, NULL, NULL));
            int64_t n, m;
            const lw_metrics *a = lw_trainer_metrics(alone.trainer, &n), *b = lw_trainer_metrics(many.trainer, &m);
            CHECK_INT(n, 3);
            CHECK_INT(m, 3);
            for (int64_t e = 0; e < n && e < m; e++) {
                CHECK_REL(b[e].loss, a[e].loss, 1e-9);
                CHECK_REL(b[e].grad_norm, a[e].grad_norm, 1e-9);
                CHECK_REL(b[e].validation_loss, a[e].validation_loss, 1e-9);
                CHECK_CLOSE(b[e].accuracy, a[e].accuracy, 1e-12);
                CHECK_REL(b[e].rate_hz, a[e].rate_hz, 1e-12);
                CHECK(a[e].grad_norm > 0 && a[e].rate_hz > 0);
            }
            job_end(&alone);
            job_end(&many);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* sum of all bit patterns of theta, equal on the peers of a part exactly when their weights are (up to luck) */
static int64_t theta_bits(const job *j) {
    const lw_theta *theta = lw_trainer_theta(j->trainer);
    double *x = calloc((size_t)theta->n_local + 1, sizeof *x);
    int64_t sum = 0, bits;
    lw_theta_get(theta, j->net, x);
    for (int64_t i = 0; i < theta->n_local; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        sum = (int64_t)((uint64_t)sum * 31u + (uint64_t)bits);
    }
    free(x);
    return sum;
}

TEST(replicas_hold_equal_bits) {
    lw_comm *world = world_start();
    job j = job_of(true);
    toy_net_spec net = spiking(true);
    int replicas = lw_comm_size(world) == 4 ? 2 : lw_comm_size(world);
    job_start(&j, world, replicas, &net, true);
    int64_t before = theta_bits(&j);
    CHECK_OK(lw_trainer_run(j.trainer, NULL, NULL));
    int64_t lo = theta_bits(&j), hi = lo;
    CHECK(lo != before || lw_trainer_theta(j.trainer)->n_local == 0);
    lw_comm_min_i64(j.grid->peers, &lo, 1);
    lw_comm_max_i64(j.grid->peers, &hi, 1);
    CHECK_INT(lo, hi);
    job_end(&j);
    lw_comm_stop(&world);
}

/* weights, losses and the best epoch have the same bits for any number of replicas when pieces of the batch are added
 * exactly, and others when they are not (or this says nothing) */
TEST(pieces_give_equal_bits_on_any_grid) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    int size = lw_comm_size(world);
    for (int plain = 0; plain < 2; plain++) {
        job alone = job_of(true), many;
        toy_net_spec net = spiking(true);
        net.n_hidden = plain ? 0 : 400; /* several stretches of the update */
        alone.spec.lanes = plain ? 0 : 1;
        alone.spec.validation = 0.2;
        alone.spec.loss.penalty = &band;
        alone.spec.loss.n_penalties = 1;
        many = alone;
        job_start(&alone, self, 1, &net, true);
        job_start(&many, world, size, &net, true);
        CHECK_OK(lw_trainer_run(alone.trainer, NULL, NULL));
        CHECK_OK(lw_trainer_run(many.trainer, NULL, NULL));
        bool same = theta_bits(&alone) == theta_bits(&many);
        CHECK(size == 1 || same == !plain);
        lw_metrics a = metrics_last(alone.trainer), b = metrics_last(many.trainer);
        CHECK_REL(b.loss, a.loss, 1e-9);
        if (!plain) CHECK(a.loss == b.loss && a.validation_loss == b.validation_loss && a.grad_norm == b.grad_norm);
        job_end(&alone);
        job_end(&many);
    }
    job j = job_of(true);
    toy_net_spec net = spiking(true);
    j.spec.lanes = 5;
    CHECK_OK(lw_grid_create(world, 1, &j.grid));
    CHECK_OK(toy_net(j.grid->part, &net, &j.net));
    j.source = toy_source(&j.toy, SAMPLES, true);
    CHECK_FAILS(lw_trainer_create(j.grid, j.net, &j.spec, &j.source, &j.trainer), LW_EUSE,
        "batch is 12, allowed are multiples of 5 (1 replicas, 1 threads, pieces of 5 samples)");
    job_end(&j);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* All that a trainer keeps, as one number that is equal on all ranks. */
static int64_t vectors_bits(const job *j, const lw_comm *world) {
    int64_t sum = 0, bits;
    CHECK_OK(lw_trainer_vectors_open(j->trainer, LW_VECTORS_ALL));
    for (int v = 0; v < lw_trainer_n_vectors(j->trainer); v++)
        for (int64_t i = 0; i < lw_trainer_theta(j->trainer)->n_local; i++) {
            memcpy(&bits, &lw_trainer_vector(j->trainer, v)[i], sizeof bits);
            sum = (int64_t)((uint64_t)sum * 31u + (uint64_t)bits);
        }
    lw_trainer_vectors_close(j->trainer, false);
    int64_t lo = sum, hi = sum;
    lw_comm_min_i64(world, &lo, 1);
    lw_comm_max_i64(world, &hi, 1);
    CHECK_INT(lo, hi);
    return sum;
}

/* A rank of several threads keeps the whole state and adds gradients in the order of its threads; as many replicas
 * divide state and update, in memory that all see or with messages. Weights and state are the same in every bit, for
 * each kind of optimiser, with clipping by the norm, a frozen block and a block of its own rate, and they are made of
 * more pieces than there are ranks. */
TEST(a_divided_update_is_the_whole_one) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    int size = lw_comm_size(world);
    const lw_optimizer_group group[] = {{.match = "hid_out", .freeze = true, .lr = 1, .weight_decay = NAN},
        {.match = "hid.*", .lr = 0.1, .weight_decay = NAN}};
    for (int kind = 0; kind < 4; kind++)
        for (int apart = 0; apart < 2; apart++) {
            job whole = job_of(true), divided;
            toy_net_spec net = spiking(kind == 1);
            net.n_hidden = kind == 1 ? 1500 : 90; /* some 8000 numbers, 8 pieces */
            net.weight_type = kind == 2 ? LW_F32 : LW_F64;
            whole.spec.optimizer.kind = (lw_optimizer_kind)kind;
            whole.spec.optimizer.momentum = kind == 1 ? 0 : 0.9;
            whole.spec.optimizer.centred = true;
            whole.spec.optimizer.weight_decay = 0.01;
            whole.spec.optimizer.clip_norm = 0.01;
            whole.spec.optimizer.group = group;
            whole.spec.optimizer.n_groups = 2;
            whole.spec.epochs = 2;
            divided = whole;
            whole.spec.threads = size;
            lw_comm_apart_set(world, apart);
            job_start(&whole, self, 1, &net, true);
            job_start(&divided, world, size, &net, true);
            int64_t before = theta_bits(&whole);
            CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
            CHECK_OK(lw_trainer_run(divided.trainer, NULL, NULL));
            CHECK(theta_bits(&whole) != before);
            CHECK_INT(theta_bits(&divided), theta_bits(&whole));
            CHECK_INT(vectors_bits(&divided, world), vectors_bits(&whole, self));
            lw_metrics a = metrics_last(whole.trainer), b = metrics_last(divided.trainer);
            CHECK(a.grad_norm == b.grad_norm && a.loss == b.loss);
            CHECK(a.grad_norm > 2 * whole.spec.optimizer.clip_norm);
            lw_trainer_best_restore(whole.trainer);
            lw_trainer_best_restore(divided.trainer);
            CHECK_INT(theta_bits(&divided), theta_bits(&whole));
            job_end(&whole);
            job_end(&divided);
        }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* threads share the samples as replicas do: the same losses, the same bits again in a second run, and with pieces the
 * same bits as one thread */
TEST(threads_share_the_samples) {
    lw_comm *world = world_start();
    int size = lw_comm_size(world);
    for (int lanes = 0; lanes < 2; lanes++)
        for (int threads = 2; threads <= 3; threads++) {
            job alone = job_of(true), many, again;
            toy_net_spec net = spiking(true);
            alone.spec.batch = 2 * size * threads; /* with 22 samples, some lanes are absent */
            alone.spec.lanes = lanes;
            alone.spec.validation = 0.2;
            alone.spec.loss.penalty = &band;
            alone.spec.loss.n_penalties = 1;
            many = alone;
            many.spec.threads = threads;
            again = many;
            job_start(&alone, world, size, &net, true);
            job_start(&many, world, size, &net, true);
            job_start(&again, world, size, &net, true);
            CHECK_OK(lw_trainer_run(alone.trainer, NULL, NULL));
            CHECK_OK(lw_trainer_run(many.trainer, NULL, NULL));
            CHECK_OK(lw_trainer_run(again.trainer, NULL, NULL));
            lw_metrics a = metrics_last(alone.trainer), b = metrics_last(many.trainer);
            CHECK_REL(b.loss, a.loss, 1e-9);
            CHECK_REL(b.validation_loss, a.validation_loss, 1e-9);
            CHECK_REL(b.grad_norm, a.grad_norm, 1e-9);
            CHECK_INT(theta_bits(&many), theta_bits(&again));
            if (lanes) CHECK_INT(theta_bits(&many), theta_bits(&alone));
            job_end(&alone);
            job_end(&many);
            job_end(&again);
        }
    lw_comm_stop(&world);
}

/* a tape in segments changes nothing that is learned, penalties on states included, on any grid and with threads; too
 * little memory is refused */
TEST(memory_changes_nothing) {
    lw_comm *world = world_start();
    static const uint8_t hidden[3] = {0, 1, 0};
    lw_penalty both[] = {band,
        {.kind = LW_PENALTY_STATE, .power = 2, .weight = 5, .lower = -0.1, .upper = 0.2, .pop = hidden, .state = "v"}};
    int size = lw_comm_size(world);
    for (int kind = 0; kind < 3; kind++) { /* partitioned, replicas, threads */
        job whole = job_of(true), cut;
        toy_net_spec net = spiking(true);
        whole.spec.validation = 0.2;
        whole.spec.loss.penalty = both;
        whole.spec.loss.n_penalties = 2;
        whole.spec.batch = 24;
        whole.toy.n_steps = 120;
        whole.spec.threads = kind == 2 ? 2 : 1;
        cut = whole;
        cut.spec.memory = 1;
        int replicas = kind == 0 ? 1 : size;
        CHECK_OK(lw_grid_create(world, replicas, &cut.grid));
        CHECK_OK(toy_net(cut.grid->part, &net, &cut.net));
        cut.source = toy_source(&cut.toy, SAMPLES, true);
        CHECK_FAILS(lw_trainer_create(cut.grid, cut.net, &cut.spec, &cut.source, &cut.trainer), LW_EUSE, "at least");
        lw_err_clear();
        for (cut.spec.memory = 10000; !cut.trainer && cut.spec.memory < 100000000;
             cut.spec.memory += cut.spec.memory / 8)
            if (lw_trainer_create(cut.grid, cut.net, &cut.spec, &cut.source, &cut.trainer) != LW_OK) lw_err_clear();
        CHECK_OK(lw_trainer_run(cut.trainer, NULL, NULL)); /* with the first budget that does */
        job_start(&whole, world, replicas, &net, true);
        CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
        lw_tape_use all = lw_trainer_tape(whole.trainer), part = lw_trainer_tape(cut.trainer);
        CHECK(part.bytes <= cut.spec.memory && all.bytes > part.bytes);
        CHECK_INT(all.segment, 120);
        CHECK(part.segment < 120 && part.steps == 120 && part.samples == 24 / replicas);
        lw_metrics a = metrics_last(whole.trainer), b = metrics_last(cut.trainer);
        CHECK_REL(b.loss, a.loss, 1e-9);
        CHECK_REL(b.grad_norm, a.grad_norm, 1e-9);
        CHECK_REL(b.validation_loss, a.validation_loss, 1e-9);
        CHECK_REL(b.rate_hz, a.rate_hz, 1e-12);
        job_end(&whole);
        job_end(&cut);
    }
    lw_comm_stop(&world);
}

/* ------------------------------------------------------------------ reading ahead */

static atomic_int readers, clashes, ahead, beside;
static atomic_bool outside; /* the watch runs: nobody may read */
static pthread_t trainer_thread;

static lw_err input_watched(void *payload, int64_t i, float *x) {
    if (atomic_fetch_add(&readers, 1) > 0) atomic_fetch_add(&clashes, 1);
    if (atomic_load(&outside)) atomic_fetch_add(&beside, 1);
    if (!pthread_equal(pthread_self(), trainer_thread)) atomic_fetch_add(&ahead, 1);
    lw_err err = toy_input(payload, i, x);
    atomic_fetch_sub(&readers, 1);
    return err;
}

static lw_err tick_slow(void *payload, const char *what, int64_t done, int64_t total) {
    (void)payload, (void)what, (void)done, (void)total;
    atomic_store(&outside, true);
    for (double until = lw_time_now() + 3e-4; lw_time_now() < until;) {
    }
    atomic_store(&outside, false);
    return LW_OK;
}

/* a batch that was read ahead is the batch: the same bits in weights and losses with pieces, threads, replicas and
 * partitions, all but the first batch of an epoch read by another thread, never two at once, never beside the watch */
TEST(reading_ahead_changes_nothing) {
    lw_comm *world = world_start();
    trainer_thread = pthread_self();
    for (int kind = 0; kind < 4; kind++) { /* partitioned; replicas; with pieces; with threads and targets */
        int size = lw_comm_size(world), replicas = kind == 0 ? 1 : size, threads = kind == 3 ? 2 : 1;
        job plain = job_of(true), early;
        toy_net_spec net = spiking(true);
        plain.spec.batch = 2 * replicas * threads;
        plain.spec.lanes = kind == 2;
        plain.spec.threads = threads;
        plain.spec.validation = 0.2;
        if (kind == 3) plain.spec.loss.kind = LW_LOSS_MSE;
        early = plain;
        early.spec.prefetch = true;
        job_start(&plain, world, replicas, &net, kind != 3);
        job_start(&early, world, replicas, &net, kind != 3);
        early.source.input = input_watched;
        atomic_store(&ahead, 0);
        lw_watch watch = {.tick = tick_slow};
        CHECK_OK(lw_trainer_run(plain.trainer, NULL, NULL));
        CHECK_OK(lw_trainer_run(early.trainer, NULL, &watch));
        CHECK_INT(theta_bits(&plain), theta_bits(&early));
        CHECK_CLOSE(metrics_last(early.trainer).loss, metrics_last(plain.trainer).loss, 0);
        CHECK_CLOSE(metrics_last(early.trainer).validation_loss, metrics_last(plain.trainer).validation_loss, 0);
        int64_t later[1] = {atomic_load(&ahead)}; /* 18 samples; a partition reads them on every rank */
        lw_comm_sum_i64(world, later, 1);
        CHECK_INT(later[0], early.spec.epochs * (18 - early.spec.batch) * (replicas == 1 ? size : 1));
        job_end(&plain);
        job_end(&early);
    }
    CHECK_INT(atomic_load(&clashes), 0);
    CHECK_INT(atomic_load(&beside), 0);
    lw_comm_stop(&world);
}

/* what goes back is a row of adjoints per step and neuron of the halo; forward come its spikes, 8 bytes each, and the
 * rows of graded neurons */
TEST(traffic_goes_with_the_halo) {
    lw_comm *world = world_start();
    job j = job_of(true);
    toy_net_spec net = spiking(true);
    job_start(&j, world, 1, &net, true);
    CHECK_INT(lw_trainer_traffic(j.trainer).bytes, 0);
    CHECK_OK(lw_trainer_run(j.trainer, NULL, NULL));
    lw_traffic t = lw_trainer_traffic(j.trainer);
    int64_t sum[2] = {t.bytes, t.slots};
    lw_comm_sum_i64(world, sum, 2);
    CHECK_INT(t.steps, 3 * 2 * STEPS); /* epochs, batches */
    int64_t row = t.steps * sum[1] * j.spec.batch * (int64_t)lw_dtype_size(j.spec.precision);
    CHECK((sum[1] > 0) == (lw_comm_size(world) > 1));
    CHECK(sum[0] >= row * (STEPS - 4) / STEPS && sum[0] <= 4 * row);
    job_end(&j);
    lw_comm_stop(&world);
}

/* a watch that stops after a number of ticks */
static lw_err stop_tick(void *payload, const char *what, int64_t done, int64_t total) {
    int *left = payload;
    (void)what;
    CHECK(done >= 1 && done <= total);
    return --*left == 0 ? LW_FAIL(LW_ESTOP, "stopped by the test") : LW_OK;
}

static void copy_state(lw_trainer *from, lw_trainer *to) {
    int64_t n;
    const lw_metrics *m = lw_trainer_metrics(from, &n);
    size_t bytes = (size_t)lw_trainer_theta(from)->n_local * sizeof(double);
    CHECK_INT(lw_trainer_n_vectors(to), lw_trainer_n_vectors(from));
    CHECK_OK(lw_trainer_vectors_open(from, LW_VECTORS_ALL));
    CHECK_OK(lw_trainer_vectors_open(to, LW_VECTORS_EMPTY));
    for (int i = 0; i < lw_trainer_n_vectors(from); i++) {
        CHECK_STR(lw_trainer_vector_name(to, i), lw_trainer_vector_name(from, i));
        memcpy(lw_trainer_vector(to, i), lw_trainer_vector(from, i), bytes);
    }
    lw_trainer_vectors_close(from, false);
    lw_trainer_vectors_close(to, true);
    *lw_trainer_state_get(to) = *lw_trainer_state_get(from);
    CHECK_OK(lw_trainer_metrics_set(to, m, n));
}

/* stop after each possible number of batches (also inside validation), move everything into a fresh trainer, go on */
TEST(stop_and_resume_is_uninterrupted) {
    lw_comm *world = world_start();
    int replicas = lw_comm_size(world) % 2 == 0 ? 2 : 1;
    for (int kind = 0; kind < 4; kind++)
        for (int stop = 1; stop <= 7; stop += 2) {
            job whole = job_of(true), first, second;
            toy_net_spec net = spiking(kind == 1);
            net.n_hidden = kind == 1 ? 400 : 0;
            whole.spec.optimizer.kind = (lw_optimizer_kind)kind;
            whole.spec.optimizer.momentum = 0.9;
            whole.spec.optimizer.centred = true;
            whole.spec.optimizer.warmup = 2;
            whole.spec.validation = 0.1;
            net.weight_type = kind == 2 ? LW_F32 : LW_F64;
            first = second = whole;
            job_start(&whole, world, replicas, &net, true);
            job_start(&first, world, replicas, &net, true);
            job_start(&second, world, replicas, &net, true);
            CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
            int left = stop;
            lw_watch watch = {.payload = &left, .tick = stop_tick};
            CHECK_FAILS(lw_trainer_run(first.trainer, NULL, &watch), LW_ESTOP, "stopped by the test");
            const lw_theta *theta = lw_trainer_theta(first.trainer);
            double *x = calloc((size_t)theta->n_local + 1, sizeof *x);
            lw_theta_get(theta, first.net, x);
            lw_theta_put(theta, second.net, x);
            free(x);
            copy_state(first.trainer, second.trainer);
            CHECK_OK(lw_trainer_run(second.trainer, NULL, NULL));
            CHECK_INT(theta_bits(&second), theta_bits(&whole));
            lw_metrics a = metrics_last(whole.trainer), b = metrics_last(second.trainer);
            CHECK(a.loss == b.loss && a.accuracy == b.accuracy && a.validation_loss == b.validation_loss);
            CHECK(a.grad_norm == b.grad_norm && a.rate_hz == b.rate_hz && a.epoch == b.epoch);
            CHECK_INT(
                lw_trainer_state_get(second.trainer)->best_epoch, lw_trainer_state_get(whole.trainer)->best_epoch);
            int best = lw_trainer_n_vectors(whole.trainer) - 1;
            CHECK_STR(lw_trainer_vector_name(whole.trainer, best), "best_weights");
            CHECK_OK(lw_trainer_vectors_open(whole.trainer, LW_VECTORS_ALL));
            CHECK_OK(lw_trainer_vectors_open(second.trainer, LW_VECTORS_ALL));
            CHECK(memcmp(lw_trainer_vector(whole.trainer, best), lw_trainer_vector(second.trainer, best),
                      (size_t)theta->n_local * sizeof(double)) == 0);
            lw_trainer_vectors_close(whole.trainer, false);
            lw_trainer_vectors_close(second.trainer, false);
            job_end(&whole);
            job_end(&first);
            job_end(&second);
        }
    lw_comm_stop(&world);
}

/* one update of gradient descent: its length is lr times the norm, or lr times the limit where the norm is above it */
TEST(clipping_limits_the_step) {
    lw_comm *world = world_start();
    double norm = 0;
    for (int clipped = 0; clipped < 2; clipped++) {
        job j = job_of(true);
        toy_net_spec net = spiking(false);
        net.learn_params = false;
        j.spec.optimizer.kind = LW_OPTIMIZER_SGD;
        j.spec.optimizer.lr = 1e-3;
        j.spec.optimizer.clip_norm = clipped ? norm / 3 : 0;
        j.spec.batch = 24;
        j.spec.epochs = 1;
        job_start(&j, world, 1, &net, true);
        const lw_theta *theta = lw_trainer_theta(j.trainer);
        double *x = calloc((size_t)theta->n_local + 1, sizeof *x), *y = calloc((size_t)theta->n_local + 1, sizeof *y),
               sum = 0;
        lw_theta_get(theta, j.net, x);
        CHECK_OK(lw_trainer_run(j.trainer, NULL, NULL));
        lw_theta_get(theta, j.net, y);
        for (int64_t i = 0; i < theta->n_local; i++)
            sum += (y[i] - x[i]) * (y[i] - x[i]);
        lw_comm_sum_f64(world, &sum, 1);
        norm = metrics_last(j.trainer).grad_norm; /* before clipping, so the same in both */
        CHECK(norm > 0);
        CHECK_REL(sqrt(sum), 1e-3 * (clipped ? norm / 3 : norm), 1e-9);
        free(x);
        free(y);
        job_end(&j);
    }
    lw_comm_stop(&world);
}

typedef struct hook_log {
    const job *job;
    int calls;
    int64_t best_epoch, best_bits;
} hook_log;

static lw_err hook_note(void *payload, const lw_metrics *metrics, bool improved) {
    hook_log *log = payload;
    const lw_trainer_state *s = lw_trainer_state_get(log->job->trainer);
    log->calls++;
    CHECK_INT(metrics->epoch, log->calls);
    CHECK_INT(s->epoch, log->calls);
    CHECK_INT(s->batch_in_epoch, 0);
    CHECK(improved == (s->best_epoch == s->epoch));
    if (improved) {
        log->best_epoch = metrics->epoch;
        log->best_bits = theta_bits(log->job);
    }
    return LW_OK;
}

/* a learning rate that wrecks the network: no improvement, so patience ends the run and the best weights can be put
 * back */
TEST(early_stopping_keeps_the_best) {
    lw_comm *world = world_start();
    job j = job_of(false);
    toy_net_spec net = spiking(false);
    j.spec.optimizer.kind = LW_OPTIMIZER_SGD;
    j.spec.optimizer.momentum = 0;
    j.spec.optimizer.lr = 1e-6;
    j.spec.optimizer.schedule = LW_SCHEDULE_EXPONENTIAL;
    j.spec.optimizer.schedule_gamma = 1e4; /* harmless first, far too large later */
    j.spec.epochs = 30;
    j.spec.patience = 2;
    j.spec.validation = 0.3;
    job_start(&j, world, 1, &net, true);
    hook_log log = {.job = &j};
    lw_trainer_hook hook = {.payload = &log, .epoch_end = hook_note};
    CHECK_OK(lw_trainer_run(j.trainer, &hook, NULL));
    const lw_trainer_state *s = lw_trainer_state_get(j.trainer);
    CHECK(log.calls < 30);
    CHECK_INT(s->since_best, 2);
    CHECK_INT(s->best_epoch, log.best_epoch);
    CHECK_INT(s->epoch, log.best_epoch + 2);
    lw_trainer_best_restore(j.trainer);
    CHECK_INT(theta_bits(&j), log.best_bits);
    job_end(&j);
    lw_comm_stop(&world);
}

static lw_err input_broken(void *payload, int64_t i, float *x) {
    if (i == 5) return LW_FAIL(LW_EFILE, "sample 5 is unreadable");
    return toy_input(payload, i, x);
}

/* only the replica that meets the sample fails by itself; all must come back */
TEST(a_bad_sample_ends_all_ranks) {
    lw_comm *world = world_start();
    job j = job_of(true);
    toy_net_spec net = spiking(false);
    job_start(&j, world, lw_comm_size(world), &net, true);
    j.source.input = input_broken;
    CHECK_FAILS(lw_trainer_run(j.trainer, NULL, NULL), LW_EFILE, "sample 5 is unreadable");
    job_end(&j);
    lw_err_clear();
    j = job_of(true); /* the same words when another thread met it */
    j.spec.prefetch = true;
    j.spec.batch = lw_comm_size(world);
    job_start(&j, world, lw_comm_size(world), &net, true);
    j.source.input = input_broken;
    CHECK_FAILS(lw_trainer_run(j.trainer, NULL, NULL), LW_EFILE, "sample 5 is unreadable");
    job_end(&j);
    lw_comm_stop(&world);
}

TEST(impossible_problems_are_refused) {
    lw_comm *world = world_start();
    job j = job_of(true);
    toy_net_spec net = spiking(false);
    lw_trainer *t = NULL;
    CHECK_OK(lw_grid_create(world, 1, &j.grid));
    CHECK_OK(toy_net(j.grid->part, &net, &j.net));
    j.source = toy_source(&j.toy, SAMPLES, true);
    lw_train_spec s = j.spec;
    s.loss.readout = LW_READOUT_MAX;
    CHECK_FAILS(lw_trainer_create(j.grid, j.net, &s, &j.source, &t), LW_EUSE, "a label per step");
    s = j.spec;
    s.loss.pop = 1;
    CHECK_FAILS(
        lw_trainer_create(j.grid, j.net, &s, &j.source, &t), LW_EUSE, "hid has 8 neurons but the data have 3 classes");
    s = j.spec;
    s.loss.skip = STEPS;
    CHECK_FAILS(lw_trainer_create(j.grid, j.net, &s, &j.source, &t), LW_EUSE, "skip is 12, allowed are 0 to 11");
    s = j.spec;
    s.batch = 0;
    CHECK_FAILS(lw_trainer_create(j.grid, j.net, &s, &j.source, &t), LW_EUSE, "batch is 0");
    CHECK(t == NULL);
    lw_net_destroy(&j.net);
    lw_grid_destroy(&j.grid);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(training_learns), CASE(regression_learns), CASE(every_grid_gives_the_same_losses),
    CASE(replicas_hold_equal_bits), CASE(pieces_give_equal_bits_on_any_grid), CASE(a_divided_update_is_the_whole_one),
    CASE(memory_changes_nothing), CASE(reading_ahead_changes_nothing), CASE(threads_share_the_samples),
    CASE(traffic_goes_with_the_halo), CASE(stop_and_resume_is_uninterrupted), CASE(clipping_limits_the_step),
    CASE(early_stopping_keeps_the_best), CASE(a_bad_sample_ends_all_ranks), CASE(impossible_problems_are_refused))
