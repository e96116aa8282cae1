/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Yin-Yang set: regions against published points, classes equally likely and points uniform in them, both codes,
 * and a pure function of seed and number.
 */
#include "check.h"
#include "dataset_yin_yang.h"

/* The first points of the published training and test sets (Kriener et al., MIT licence). */
TEST(regions_of_published_points) {
    static const double point[][2] = {{0.6803075385877797, 0.45049925196954299},
        {0.09767211400638387, 0.68423302651215689}, {0.75536141031765247, 0.4251558744912447},
        {0.23409664559563403, 0.40172497518289718}, {0.75132902195744944, 0.46824251926809679},
        {0.13832530718825586, 0.57095397132605098}};
    static const int class[] = {2, 1, 2, 2, 2, 1};
    for (int i = 0; i < 6; i++)
        CHECK_INT(yin_yang_class(point[i][0], point[i][1]), class[i]);
    CHECK_INT(yin_yang_class(0.5, 0.1), 0); /* below the middle, right of the small half: yang */
    CHECK_INT(yin_yang_class(0.5, 0.9), 1);
    CHECK_INT(yin_yang_class(0.01, 0.01), -1);
}

TEST(classes_are_equally_likely_and_points_uniform) {
    enum { N = 30000 };
    int64_t n[3] = {0};
    double value[4], mean[3][2] = {{0}};
    for (int64_t i = 0; i < N; i++) {
        int k = yin_yang_point(4, i, value);
        CHECK_INT(yin_yang_class(value[0], value[1]), k);
        CHECK(value[2] == 1 - value[0] && value[3] == 1 - value[1]);
        n[k]++;
        mean[k][0] += value[0];
        mean[k][1] += value[1];
    }
    for (int k = 0; k < 3; k++)
        CHECK_CLOSE((double)n[k] / N, 1 / 3.0, 4 * sqrt(2.0 / 9 / N));
    /* the two large regions are each other turned by half a circle; the two dots lie on both sides of the middle */
    for (int d = 0; d < 2; d++) {
        CHECK_CLOSE(mean[0][d] / (double)n[0] + mean[1][d] / (double)n[1], 1, 0.015);
        CHECK_CLOSE(mean[2][d] / (double)n[2], 0.5, 0.02);
    }
    CHECK(mean[1][1] / (double)n[1] > 0.6);
}

TEST(codes) {
    enum { STEPS = 21, CHANNELS = 5 };
    static float x[STEPS * CHANNELS], y[STEPS * CHANNELS];
    double value[4];
    lw_batch_source latency, current, other;
    int32_t label = -1;
    int differ = 0;
    CHECK_OK(lw_dataset_yin_yang(50, "latency", STEPS, 9, &latency));
    CHECK_OK(lw_dataset_yin_yang(50, "current", STEPS, 9, &current));
    CHECK_OK(lw_dataset_yin_yang(50, "latency", STEPS, 10, &other));
    for (int64_t i = 0; i < 50; i++) {
        int k = yin_yang_point(9, i, value);
        CHECK_OK(latency.label(latency.payload, i, &label));
        CHECK_INT(label, k);
        CHECK_OK(latency.input(latency.payload, i, x));
        float sum = 0;
        for (int j = 0; j < STEPS * CHANNELS; j++)
            sum += x[j];
        CHECK_CLOSE(sum, 5, 0);
        CHECK_CLOSE(x[4], 1, 0);
        for (int c = 0; c < 4; c++)
            CHECK_CLOSE(x[(int)lround(value[c] * (STEPS - 1)) * CHANNELS + c], 1, 0);
        CHECK_OK(other.input(other.payload, i, y));
        differ += memcmp(x, y, sizeof x) != 0;
        CHECK_OK(current.input(current.payload, i, x));
        for (int t = 0; t < STEPS; t++)
            for (int c = 0; c < CHANNELS; c++)
                CHECK_CLOSE(x[t * CHANNELS + c], c < 4 ? (float)value[c] : 1, 0);
    }
    CHECK(differ > 40);
    lw_batch_source_destroy(&latency);
    lw_batch_source_destroy(&current);
    lw_batch_source_destroy(&other);
    CHECK_FAILS(lw_dataset_yin_yang(1, "rows", 1, 0, &latency), LW_EUSE, "'rows', allowed are latency, current");
    CHECK_FAILS(lw_dataset_yin_yang(0, "current", 1, 0, &latency), LW_EUSE, "0 samples");
}

CHECK_MAIN(CASE(regions_of_published_points), CASE(classes_are_equally_likely_and_points_uniform), CASE(codes))
