/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A training of learned convolutions that is saved and loaded: on the same grid it goes on as if it had not been
 * stopped, bit by bit; on another one it finds the same kernels and the same state, and they are still shared.
 */
#include "../train/conv_net.h"
#include "scratch.h"
#include "world.h"
#include <lapwing/io.h>
#include <string.h>

typedef struct job {
    lw_grid *grid;
    lw_net *net;
    lw_batch_source data;
    lw_train_spec spec;
    lw_trainer *trainer;
} job;

/* The trainer borrows the job's members: it must stay where it is. */
static void job_begin(const lw_comm *world, int replicas, lw_checkpoint *from, lw_dtype type, job *j) {
    *j = (job){.data = conv_source(), .spec = conv_train()};
    j->spec.optimizer.kind = LW_OPTIMIZER_ADAMW;
    CHECK_OK(lw_grid_create(world, replicas, &j->grid));
    if (from)
        CHECK_OK(lw_checkpoint_net(from, j->grid->part, LW_PARTITION_BLOCK, 1, &j->net));
    else
        CHECK_OK(conv_net(j->grid->part, type, LW_PARTITION_BLOCK, &j->net));
    CHECK_OK(lw_trainer_create(j->grid, j->net, &j->spec, &j->data, &j->trainer));
    if (from) CHECK_OK(lw_checkpoint_trainer(from, j->trainer));
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

/* Kernels and all vectors of their state. */
static void kernels_compare(job *a, job *b) {
    CHECK_OK(lw_trainer_vectors_open(a->trainer, LW_VECTORS_ALL));
    CHECK_OK(lw_trainer_vectors_open(b->trainer, LW_VECTORS_ALL));
    for (int32_t k = 0; k < CONV_TIED; k++) {
        lw_proj_view x = lw_net_proj(a->net, k), y = lw_net_proj(b->net, k);
        const lw_theta_block *s = &lw_trainer_theta(a->trainer)->block[k], *t = &lw_trainer_theta(b->trainer)->block[k];
        CHECK(x.n_tied > 0 && s->tied && t->tied);
        CHECK_INT(x.n_tied, y.n_tied);
        CHECK(memcmp(x.tied, y.tied, (size_t)x.n_tied * sizeof *x.tied) == 0);
        for (int v = 0; v < lw_trainer_n_vectors(a->trainer); v++)
            CHECK(memcmp(lw_trainer_vector(a->trainer, v) + s->offset, lw_trainer_vector(b->trainer, v) + t->offset,
                      (size_t)s->count * sizeof(double)) == 0);
    }
    lw_trainer_vectors_close(a->trainer, false);
    lw_trainer_vectors_close(b->trainer, false);
    conv_synapses_check(b->net);
}

static void resumed(const lw_comm *world, int replicas, lw_dtype type) {
    lw_checkpoint *c = NULL;
    int left = 2;
    lw_watch watch = {.payload = &left, .tick = stop_tick};
    job whole, first, second, other;
    job_begin(world, replicas, NULL, type, &whole);
    job_begin(world, replicas, NULL, type, &first);
    CHECK_OK(lw_trainer_run(whole.trainer, NULL, NULL));
    CHECK_FAILS(lw_trainer_run(first.trainer, NULL, &watch), LW_ESTOP, "stopped by the test");
    lw_checkpoint_content content = {.stage = "train", .step = 1, .net = first.net, .trainer = first.trainer};
    CHECK_OK(lw_checkpoint_write(first.grid, scratch_path("t"), &content, 1, NULL));
    CHECK_OK(lw_checkpoint_open(world, scratch_path("t"), &c));
    job_begin(world, replicas, c, type, &second);
    kernels_compare(&first, &second);
    CHECK_OK(lw_trainer_run(second.trainer, NULL, NULL));
    kernels_compare(&whole, &second);
    job_begin(world, lw_comm_size(world) / replicas, c, type, &other); /* replicas and partitions change places */
    kernels_compare(&first, &other);
    lw_checkpoint_close(&c);
    job_end(&whole);
    job_end(&first);
    job_end(&second);
    job_end(&other);
}

TEST(kernels_are_saved_and_loaded) {
    lw_comm *world = world_start();
    scratch_make();
    for (int replicas = 1; replicas <= 2; replicas++) {
        if (lw_comm_size(world) % replicas) continue;
        resumed(world, replicas, LW_F64);
        resumed(world, replicas, LW_F32);
    }
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(kernels_are_saved_and_loaded))
