/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Order of samples and layout of batches.
 */
#include "../../src/train/batch.h"
#include "train_net.h"

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

CHECK_MAIN(CASE(an_epoch_is_a_permutation_and_epochs_differ), CASE(the_split_is_disjoint_and_fixed),
    CASE(lanes_hold_their_samples), CASE(labels_out_of_range_are_refused))
