/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A training that is stopped, saved, loaded into new objects and continued ends in the same bits as an uninterrupted
 * one on the same grid; on another grid it loads the same state.
 */
#include "checkpoint_net.h"
#include "../train/train_net.h"

enum { SAMPLES = 22, STEPS = 12, PLATEAU = 4 };

typedef struct job {
    lw_grid *grid;
    lw_net *net;
    toy toy;
    lw_batch_source source;
    lw_train_spec spec;
    lw_trainer *trainer;
} job;

static job job_of(int kind) {
    job j = {.toy = {.n_steps = STEPS, .per_step = true}, .spec = toy_train()};
    j.spec.batch = 12;
    j.spec.epochs = 3;
    j.spec.optimizer.lr = 0.02;
    j.spec.optimizer.kind = kind >= 3 ? LW_OPTIMIZER_ADAM : (lw_optimizer_kind)kind;
    j.spec.optimizer.momentum = 0.9;
    j.spec.validation = 0.1;
    if (kind == PLATEAU) { /* no epoch is so much better: every one from the second on lowers the rate */
        j.spec.optimizer.schedule = LW_SCHEDULE_PLATEAU;
        j.spec.optimizer.schedule_every = 1;
        j.spec.optimizer.schedule_threshold = 0.99;
    }
    return j;
}

static toy_net_spec net_of(int kind) {
    toy_net_spec s = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin("li"),
        .input = 1.0,
        .weight = 0.5,
        .sparse = kind == 1,
        .learn_params = true,
        .lags = kind == 3,
        .n_hidden = kind == 1 ? 400 : 0, /* more numbers than one replica updates */
        .weight_type = kind == 2 ? LW_F32 : LW_F64};
    return s;
}

static void job_trainer(job *j) {
    j->source = toy_source(&j->toy, SAMPLES, true);
    CHECK_OK(lw_trainer_create(j->grid, j->net, &j->spec, &j->source, &j->trainer));
}

static void job_end(job *j) {
    lw_trainer_destroy(&j->trainer);
    lw_net_destroy(&j->net);
    lw_grid_destroy(&j->grid);
}

static lw_err stop_tick(void *payload, const char *what, int64_t done, int64_t total) {
    int *left = payload;
    (void)what, (void)done, (void)total;
    return --*left > 0 ? LW_OK : LW_FAIL(LW_ESTOP, "stopped by the test");
}

static uint64_t trainer_digest(const job *j) {
    const lw_theta *theta = lw_trainer_theta(j->trainer);
    const lw_comm *comm = lw_net_comm(j->net);
    uint64_t sum = 0;
    CHECK_OK(lw_trainer_vectors_open(j->trainer, LW_VECTORS_ALL));
    for (int v = 0; v < lw_trainer_n_vectors(j->trainer); v++) {
        for (int32_t b = 0; b < theta->n_blocks; b++) {
            const lw_theta_block *block = &theta->block[b];
            const double *x = lw_trainer_vector(j->trainer, v) + block->offset;
            lw_edge *edge = NULL;
            int64_t n = 0, *number = NULL;
            if (block->pop < 0) CHECK_OK(lw_net_edges(j->net, block->proj, &edge, &number, &n));
            for (int64_t i = 0; i < block->count; i++) {
                uint64_t where = block->pop < 0 ? test_mix((uint64_t)edge[i].target * 1000 + (uint64_t)edge[i].source,
                                                      (uint64_t)edge[i].order)
                                                : (uint64_t)lw_net_pop(j->net, block->pop).gid[i];
                double value = x[block->pop < 0 ? number[i] : i];
                sum += test_mix(test_mix(test_mix(where, (uint64_t)b), (uint64_t)v), test_bits(value));
            }
            lw_free(edge);
            lw_free(number);
        }
    }
    lw_trainer_vectors_close(j->trainer, false);
    return test_total(comm, sum);
}

/* All but the seconds. */
static void metrics_compare(const lw_trainer *a, const lw_trainer *b) {
    int64_t n = 0, m = 0;
    const lw_metrics *x = lw_trainer_metrics(a, &n), *y = lw_trainer_metrics(b, &m);
    CHECK_INT(n, m);
    for (int64_t i = 0; i < n && i < m; i++) {
        lw_metrics u = x[i], v = y[i];
        u.seconds = v.seconds = u.data_seconds = v.data_seconds = 0;
        CHECK(memcmp(&u, &v, sizeof u) == 0);
    }
}

static void resume(const lw_comm *world, int replicas, int kind, int stop) {
    job whole = job_of(kind), first = job_of(kind), second = job_of(kind);
    toy_net_spec net = net_of(kind);
    lw_checkpoint *c = NULL;
    CHECK_OK(lw_grid_create(world, replicas, &whole.grid));
    CHECK_OK(lw_grid_create(world, replicas, &first.grid));
    CHECK_OK(lw_grid_create(world, replicas, &second.grid));
    CHECK_OK(toy_net(whole.grid->part, &net, &whole.net));
    CHECK_OK(toy_net(first.grid->part, &net, &first.net));
    job_trainer(&whole);
    job_trainer(&first);
    CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
    int left = stop;
    lw_watch watch = {.payload = &left, .tick = stop_tick};
    CHECK_FAILS(lw_trainer_run(first.trainer, NULL, &watch), LW_ESTOP, "stopped by the test");
    lw_checkpoint_content content = {.stage = "train", .step = stop, .net = first.net, .trainer = first.trainer};
    CHECK_OK(lw_checkpoint_write(first.grid, scratch_path("t"), &content, 1, NULL));
    CHECK_OK(lw_checkpoint_open(world, scratch_path("t"), &c));
    CHECK(lw_checkpoint_info_get(c).has_trainer);
    CHECK_OK(lw_checkpoint_net(c, second.grid->part, LW_PARTITION_ROUND_ROBIN, 1, &second.net));
    job_trainer(&second);
    CHECK_OK(lw_checkpoint_trainer(c, second.trainer));
    lw_checkpoint_close(&c);
    CHECK(trainer_digest(&second) == trainer_digest(&first));
    CHECK(test_net_digest(second.net) == test_net_digest(first.net));
    CHECK(memcmp(lw_trainer_state_get(second.trainer), lw_trainer_state_get(first.trainer), sizeof(lw_trainer_state)) ==
          0);
    CHECK_OK(lw_trainer_run(second.trainer, NULL, NULL));
    CHECK(trainer_digest(&second) == trainer_digest(&whole));
    CHECK(test_net_digest(second.net) == test_net_digest(whole.net));
    metrics_compare(second.trainer, whole.trainer);
    int64_t n = 0;
    const lw_metrics *m = lw_trainer_metrics(second.trainer, &n);
    CHECK(n == 3 && m[1].lr == m[0].lr && (kind == PLATEAU) == (m[2].lr == 0.5 * m[0].lr));
    job_end(&whole);
    job_end(&first);
    job_end(&second);
}

TEST(stopped_and_resumed_is_uninterrupted) {
    lw_comm *world = test_world();
    int replicas = lw_comm_size(world) % 2 == 0 ? 2 : 1;
    scratch_make();
    for (int kind = 0; kind < 4; kind++)
        for (int stop = 1; stop <= 4; stop += 3)
            resume(world, replicas, kind, stop);
    resume(world, replicas, PLATEAU, 6); /* the rate was lowered before or is right after */
    resume(world, replicas, PLATEAU, 7);
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(another_grid_loads_the_same) {
    lw_comm *world = test_world();
    toy_net_spec net = net_of(1);
    scratch_make();
    job many = job_of(1), one = job_of(1);
    CHECK_OK(lw_grid_create(world, lw_comm_size(world), &many.grid)); /* replicas only */
    CHECK_OK(toy_net(many.grid->part, &net, &many.net));
    job_trainer(&many);
    CHECK_OK(lw_trainer_run(many.trainer, NULL, NULL));
    lw_checkpoint_content content = {.stage = "train", .step = 1, .net = many.net, .trainer = many.trainer};
    CHECK_OK(lw_checkpoint_write(many.grid, scratch_path("t"), &content, 1, NULL));
    uint64_t expected = trainer_digest(&many);
    lw_checkpoint *c = NULL;
    CHECK_OK(lw_grid_create(world, 1, &one.grid)); /* partitions only */
    CHECK_OK(lw_checkpoint_open(world, scratch_path("t"), &c));
    CHECK_OK(lw_checkpoint_net(c, one.grid->part, LW_PARTITION_BLOCK, 1, &one.net));
    job_trainer(&one);
    CHECK_OK(lw_checkpoint_trainer(c, one.trainer));
    CHECK(trainer_digest(&one) == expected);
    metrics_compare(one.trainer, many.trainer);
    CHECK_INT(lw_trainer_state_get(one.trainer)->epoch, 3);
    lw_checkpoint_close(&c);
    job_end(&many);
    job_end(&one);
    scratch_remove();
    lw_comm_stop(&world);
}

/* Sums that no order changes: what so many replicas began, one ends in the bits of all. */
TEST(other_replicas_go_on_in_the_same_bits) {
    lw_comm *world = test_world(), *self = NULL;
    int replicas = lw_comm_size(world), left = 3;
    toy_net_spec net = net_of(1);
    lw_watch watch = {.payload = &left, .tick = stop_tick};
    lw_checkpoint *c = NULL;
    CHECK_OK(lw_comm_self(&self));
    scratch_make();
    job whole = job_of(1), first, second;
    whole.spec.lanes = 1;
    whole.spec.optimizer.clip_norm = 0.1;
    first = second = whole;
    CHECK_OK(lw_grid_create(world, replicas, &whole.grid));
    CHECK_OK(lw_grid_create(world, replicas, &first.grid));
    CHECK_OK(lw_grid_create(self, 1, &second.grid));
    CHECK_OK(toy_net(whole.grid->part, &net, &whole.net));
    CHECK_OK(toy_net(first.grid->part, &net, &first.net));
    job_trainer(&whole);
    job_trainer(&first);
    CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
    CHECK_FAILS(lw_trainer_run(first.trainer, NULL, &watch), LW_ESTOP, "stopped by the test");
    lw_checkpoint_content content = {.stage = "train", .step = 3, .net = first.net, .trainer = first.trainer};
    CHECK_OK(lw_checkpoint_write(first.grid, scratch_path("t"), &content, 1, NULL));
    CHECK_OK(lw_checkpoint_open(self, scratch_path("t"), &c));
    CHECK_OK(lw_checkpoint_net(c, second.grid->part, LW_PARTITION_ROUND_ROBIN, 1, &second.net));
    job_trainer(&second);
    CHECK_OK(lw_checkpoint_trainer(c, second.trainer));
    lw_checkpoint_close(&c);
    CHECK_OK(lw_trainer_run(second.trainer, NULL, NULL));
    CHECK(trainer_digest(&second) == trainer_digest(&whole));
    CHECK(test_net_digest(second.net) == test_net_digest(whole.net));
    metrics_compare(second.trainer, whole.trainer);
    lw_comm_barrier(world); /* all have read */
    job_end(&whole);
    job_end(&first);
    job_end(&second);
    scratch_remove();
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(other_replicas_go_on_in_the_same_bits), CASE(stopped_and_resumed_is_uninterrupted),
    CASE(another_grid_loads_the_same))
