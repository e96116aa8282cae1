/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Samples that are kept: the same numbers and lengths whatever the room, and how often the source is really read.
 */
#include "check.h"
#include <lapwing/io.h>

enum { N = 7, STEPS = 5, CHANNELS = 3, SIZE = STEPS * CHANNELS, SAMPLE = SIZE * sizeof(float) };

typedef struct counter {
    int64_t reads[N], last;
    bool fails, destroyed;
} counter;

static lw_err input(void *payload, int64_t i, float *x) {
    counter *c = payload;
    LW_CHECK(!c->fails, LW_EFILE, "sample %lld is lost", (long long)i);
    c->reads[i]++;
    c->last = i;
    for (int k = 0; k < SIZE; k++)
        x[k] = (float)(100 * i + k);
    return LW_OK;
}
static lw_err label(void *payload, int64_t i, int32_t *y) {
    (void)payload;
    *y = (int32_t)(i % 2);
    return LW_OK;
}
/* known only of the sample that was read last, as of files that are read when they are asked for */
static int64_t length(void *payload, int64_t i) {
    const counter *c = payload;
    CHECK_INT(i, c->last);
    return 1 + i % STEPS;
}
static void destroy(void *payload) {
    ((counter *)payload)->destroyed = true;
}

static lw_batch_source source_of(counter *c, bool lengths) {
    return (lw_batch_source){.payload = c,
        .n_samples = N,
        .n_steps = STEPS,
        .n_channels = CHANNELS,
        .n_classes = 2,
        .input = input,
        .label = label,
        .length = lengths ? length : NULL,
        .destroy = destroy};
}

TEST(samples_are_the_same_whatever_the_room) {
    static const int64_t bytes[] = {0, SAMPLE - 1, 3 * SAMPLE + 5, N * SAMPLE, 1000 * SAMPLE}, kept[] = {0, 0, 3, N, N};
    for (int k = 0; k < 5; k++)
        for (int lengths = 0; lengths < 2; lengths++) {
            counter c = {0};
            lw_batch_source s = source_of(&c, lengths);
            CHECK_OK(lw_dataset_cache(bytes[k], &s));
            CHECK((s.length != NULL) == (lengths == 1) && s.target == NULL);
            for (int epoch = 0; epoch < 3; epoch++)
                for (int j = 0; j < N; j++) {
                    int64_t i = (3 * j + epoch) % N;
                    float x[SIZE];
                    int32_t y = -1;
                    CHECK_OK(s.input(s.payload, i, x));
                    for (int v = 0; v < SIZE; v++)
                        CHECK(x[v] == (float)(100 * i + v));
                    if (lengths) CHECK_INT(s.length(s.payload, i), 1 + i % STEPS);
                    CHECK_OK(s.label(s.payload, i, &y));
                    CHECK_INT(y, i % 2);
                }
            lw_cache_stats stats = lw_dataset_cache_stats(&s);
            CHECK_INT(stats.samples, kept[k]);
            CHECK_INT(stats.bytes, kept[k] * SAMPLE);
            CHECK_INT(stats.asked, 3 * N);
            CHECK_INT(stats.read, 3 * N - 2 * kept[k]);
            for (int j = 0; j < N; j++) /* first come: those that the first epoch began with */
                CHECK_INT(c.reads[3 * j % N], j < kept[k] ? 1 : 3);
            lw_batch_source_destroy(&s);
            CHECK(c.destroyed);
        }
}

TEST(a_sample_that_failed_is_not_kept) {
    counter c = {.fails = true};
    float x[SIZE];
    lw_batch_source s = source_of(&c, false);
    CHECK_INT(lw_dataset_cache_stats(&s).asked, 0);
    CHECK_FAILS(lw_dataset_cache(-1, &s), LW_EUSE, "numbers from 0");
    CHECK_OK(lw_dataset_cache(N * SAMPLE, &s));
    CHECK_FAILS(s.input(s.payload, 2, x), LW_EFILE, "sample 2 is lost");
    c.fails = false;
    CHECK_OK(s.input(s.payload, 2, x));
    CHECK(x[1] == 201);
    CHECK_INT(c.reads[2], 1);
    lw_batch_source_destroy(&s);
}

CHECK_MAIN(CASE(samples_are_the_same_whatever_the_room), CASE(a_sample_that_failed_is_not_kept))
