/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Yin-Yang set: points of a disc in three regions, drawn on the spot. A goal class is drawn, then points until one
 * lies in it, so that classes are equally likely; all draws are counted, so a sample is a function of its number.
 */
#include <math.h>
#include <string.h>
#include "dataset_yin_yang.h"

enum { CHANNELS = 5 };
#define BIG 0.5
#define SMALL 0.1

typedef struct yin_yang_set {
    int64_t steps;
    uint64_t seed;
    bool latency;
} yin_yang_set;

int yin_yang_class(double x, double y) {
    double right = hypot(x - 1.5 * BIG, y - BIG), left = hypot(x - 0.5 * BIG, y - BIG);
    if (hypot(x - BIG, y - BIG) > BIG) return -1;
    if (right < SMALL || left < SMALL) return 2;
    bool yin = right <= SMALL || (left > SMALL && left <= 0.5 * BIG) || (y > BIG && right > 0.5 * BIG);
    return yin ? 1 : 0;
}

int yin_yang_point(uint64_t seed, int64_t i, double value[4]) {
    int goal = (int)(3 * lw_rng_uniform(seed, LW_PURPOSE_DATA, (uint64_t)i, 0, 0));
    for (uint64_t draw = 1;; draw++) {
        double x = lw_rng_uniform(seed, LW_PURPOSE_DATA, (uint64_t)i, draw, 0);
        double y = lw_rng_uniform(seed, LW_PURPOSE_DATA, (uint64_t)i, draw, 1);
        if (yin_yang_class(x, y) != goal) continue;
        value[0] = x;
        value[1] = y;
        value[2] = 1 - x;
        value[3] = 1 - y;
        return goal;
    }
}

static lw_err yin_yang_input(void *payload, int64_t i, float *x) {
    const yin_yang_set *set = payload;
    double value[4];
    (void)yin_yang_point(set->seed, i, value);
    memset(x, 0, (size_t)(set->steps * CHANNELS) * sizeof *x);
    for (int64_t t = 0; !set->latency && t < set->steps; t++)
        for (int c = 0; c < CHANNELS; c++)
            x[t * CHANNELS + c] = c < 4 ? (float)value[c] : 1;
    for (int c = 0; set->latency && c < CHANNELS; c++) {
        int64_t t = c < 4 ? (int64_t)(value[c] * (double)(set->steps - 1) + 0.5) : 0;
        x[t * CHANNELS + c] = 1;
    }
    return LW_OK;
}

static lw_err yin_yang_label(void *payload, int64_t i, int32_t *label) {
    double value[4];
    *label = yin_yang_point(((const yin_yang_set *)payload)->seed, i, value);
    return LW_OK;
}

lw_err lw_dataset_yin_yang(
    int64_t n_samples, const char *encode, int64_t n_steps, uint64_t seed, lw_batch_source *out) {
    yin_yang_set *set = NULL;
    *out = (lw_batch_source){0};
    LW_CHECK(n_samples >= 1 && n_steps >= 1, LW_EUSE, "found %lld samples of %lld steps, allowed are 1 and more",
        (long long)n_samples, (long long)n_steps);
    LW_CHECK(!strcmp(encode, "latency") || !strcmp(encode, "current"), LW_EUSE,
        "found encode '%s', allowed are latency, current", encode);
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    *set = (yin_yang_set){.steps = n_steps, .seed = seed, .latency = !strcmp(encode, "latency")};
    *out = (lw_batch_source){.payload = set,
        .n_samples = n_samples,
        .n_steps = n_steps,
        .n_channels = CHANNELS,
        .n_classes = 3,
        .input = yin_yang_input,
        .label = yin_yang_label,
        .destroy = lw_free};
    return LW_OK;
}
