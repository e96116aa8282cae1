/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Order of samples and layout of batches.
 */
#include "../../src/train/batch.h"
#include "train_net.h"
#include "world.h"

enum { N = 37 };

TEST(an_epoch_is_a_permutation_and_epochs_differ) {
    order *o = NULL;
    int64_t first[N];
    CHECK_OK(order_create(9, N, 0, &o));
    CHECK_INT(o->n_train, N);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        int seen[N] = {0}, same = 0;
        for (int64_t i = 0; i < N; i++) {
            int64_t s = order_sample(o, epoch, i);
            CHECK(s >= 0 && s < N && seen[s]++ == 0);
            same += epoch > 0 && s == first[i];
            if (epoch == 0) first[i] = s;
            CHECK_INT(order_sample(o, epoch, i), s);
        }
        CHECK(same < N / 2);
        CHECK_INT(order_sample(o, epoch, N), -1);
    }
    order_destroy(&o);
}

TEST(the_split_is_disjoint_and_fixed) {
    order *a = NULL, *b = NULL, *c = NULL;
    int seen[N] = {0}, same = 0;
    CHECK_OK(order_create(9, N, 0.25, &a));
    CHECK_OK(order_create(9, N, 0.25, &b));
    CHECK_OK(order_create(10, N, 0.25, &c));
    CHECK_INT(a->n_validation, 9);
    CHECK_INT(a->n_train, N - 9);
    for (int64_t i = 0; i < a->n_validation; i++) {
        seen[a->validation[i]]++;
        CHECK_INT(a->validation[i], b->validation[i]);
        same += a->validation[i] == c->validation[i];
    }
    for (int64_t i = 0; i < a->n_train; i++)
        seen[order_sample(a, 4, i)]++;
    for (int i = 0; i < N; i++)
        CHECK_INT(seen[i], 1);
    CHECK(same < 9);
    order_destroy(&a);
    order_destroy(&b);
    order_destroy(&c);
    CHECK_FAILS(order_create(9, N, 1, &a), LW_EUSE, "validation is 1");
    CHECK_FAILS(order_create(9, 1, 0.5, &a), LW_EUSE, "none for training");
    CHECK(a == NULL);
}

TEST(lanes_hold_their_samples) {
    toy d = {.n_steps = 6, .per_step = true};
    lw_batch_source source = toy_source(&d, N, true), numbers = toy_source(&d, N, false);
    int64_t sample[3] = {4, -1, 11};
    batch *b = NULL, *r = NULL;
    float x[6 * N_IN], y[6 * N_OUT];
    int32_t label[6];
    CHECK_OK(batch_create(&source, 5, 3, &b)); /* shorter than the data */
    CHECK_OK(batch_load(b, sample));
    CHECK_OK(batch_create(&numbers, 6, 3, &r));
    CHECK_OK(batch_load(r, sample));
    CHECK_INT(b->n_present, 2);
    CHECK_INT(b->present[1], 0);
    for (int l = 0; l < 3; l += 2) {
        toy_input(&d, sample[l], x);
        toy_label(&d, sample[l], label);
        toy_target(&d, sample[l], y);
        for (int i = 0; i < 5 * N_IN; i++)
            CHECK(b->x[i * 3 + l] == x[i]);
        for (int i = 0; i < 5; i++)
            CHECK_INT(b->label[i * 3 + l], label[i]);
        for (int i = 0; i < 6 * N_OUT; i++)
            CHECK(isnan(y[i]) ? isnan(r->target[i * 3 + l]) : r->target[i * 3 + l] == y[i]);
    }
    for (int i = 0; i < 5 * N_IN; i++)
        CHECK(b->x[i * 3 + 1] == 0);
    for (int i = 0; i < 5; i++)
        CHECK_INT(b->label[i * 3 + 1], LABEL_ABSENT);
    for (int i = 0; i < 6 * N_OUT; i++)
        CHECK(isnan(r->target[i * 3 + 1]));
    batch_destroy(&b);
    batch_destroy(&r);
}

static lw_err label_wrong(void *payload, int64_t i, int32_t *label) {
    (void)payload;
    label[0] = i == 2 ? N_OUT : 0;
    return LW_OK;
}

TEST(labels_out_of_range_are_refused) {
    toy d = {.n_steps = 2};
    lw_batch_source source = toy_source(&d, N, true);
    batch *b = NULL;
    int64_t sample[1] = {2};
    source.label = label_wrong;
    CHECK_OK(batch_create(&source, 2, 1, &b));
    CHECK_FAILS(batch_load(b, sample), LW_EUSE, "sample 2 has label 3");
    batch_destroy(&b);
}

/* Counts what is read; one sample cannot be. */
typedef struct counted {
    toy toy;
    int64_t read[N], broken;
} counted;

static lw_err counted_input(void *payload, int64_t i, float *x) {
    counted *c = payload;
    c->read[i]++;
    if (i == c->broken) return LW_FAIL(LW_EFILE, "sample %d is broken", (int)i);
    return toy_input(&c->toy, i, x);
}
static int64_t counted_length(void *payload, int64_t i) {
    const counted *c = payload;
    return c->read[i] ? i % 6 + 1 : -1000; /* known only to who has read it */
}

TEST(ranks_that_load_together_read_each_sample_once) {
    enum { WIDTH = 21, STEPS = 6 };
    lw_comm *world = world_start();
    counted mine = {.toy = {.n_steps = STEPS}, .broken = -1}, all = mine;
    lw_batch_source source = toy_source(&mine.toy, N, true), alone = toy_source(&all.toy, N, true);
    batch *together = NULL, *one = NULL;
    int64_t sample[WIDTH];
    source.payload = &mine;
    alone.payload = &all;
    source.input = alone.input = counted_input;
    source.length = alone.length = counted_length;
    CHECK_OK(batch_create(&source, STEPS, WIDTH, &together));
    CHECK_OK(batch_create(&alone, STEPS, WIDTH, &one));
    together->part = world;
    for (int round = 0; round < 2; round++) {
        for (int64_t l = 0; l < WIDTH; l++)
            sample[l] = l == 5 ? -1 : (l * 5 + round) % N;
        CHECK_OK(batch_load(together, sample));
        CHECK_OK(batch_load(one, sample));
        CHECK_INT(together->n_present, WIDTH - 1);
        CHECK(!memcmp(together->x, one->x, sizeof(float) * STEPS * N_IN * WIDTH));
        CHECK(!memcmp(together->label, one->label, sizeof(int32_t) * WIDTH));
        CHECK(!memcmp(together->steps, one->steps, sizeof(int64_t) * WIDTH));
        CHECK(!memcmp(together->present, one->present, WIDTH));
    }
    for (int64_t i = 0; i < N; i++) {
        if (lw_comm_size(world) > 1 && i % lw_comm_size(world) != lw_comm_rank(world)) CHECK_INT(mine.read[i], 0);
        lw_comm_sum_i64(world, &mine.read[i], 1);
        CHECK_INT(mine.read[i], all.read[i]);
    }
    /* who cannot read a sample tells the others, whatever group of lanes it is in */
    for (int64_t lane = 0; lane < WIDTH; lane += 19) {
        mine.broken = sample[lane];
        CHECK_FAILS(batch_load(together, sample), LW_EFILE, "is broken");
        lw_err_clear();
    }
    mine.broken = -1;
    source.label = label_wrong;
    sample[0] = 2;
    CHECK_FAILS(batch_load(together, sample), LW_EUSE, "sample 2 has label 3");
    lw_err_clear();
    batch_destroy(&together);
    batch_destroy(&one);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(an_epoch_is_a_permutation_and_epochs_differ), CASE(the_split_is_disjoint_and_fixed),
    CASE(lanes_hold_their_samples), CASE(labels_out_of_range_are_refused),
    CASE(ranks_that_load_together_read_each_sample_once))
