/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Codes around a source of numbers: each against its definition, one code around another, what is refused; and images
 * of CIFAR-10 as steps.
 */
#include <lapwing/io.h>
#include "scratch.h"

enum { CHANNELS = 5, SAMPLES = 4, MOST = 64 };

/* A source of known numbers in [0, 1], of one step (a vector) or of many. */
static double number(int64_t i, int64_t t, int64_t c) {
    return lw_rng_uniform(8, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)t, (uint32_t)c);
}
typedef struct plain {
    int64_t steps;
    int destroyed;
} plain;
static lw_err plain_input(void *payload, int64_t i, float *x) {
    for (int64_t t = 0; t < ((plain *)payload)->steps; t++)
        for (int64_t c = 0; c < CHANNELS; c++)
            x[t * CHANNELS + c] = (float)number(i, t, c);
    return LW_OK;
}
static lw_err plain_target(void *payload, int64_t i, float *y) {
    for (int64_t t = 0; t < ((plain *)payload)->steps; t++)
        y[t] = (float)(10 * i + t);
    return LW_OK;
}
static void plain_destroy(void *payload) {
    ((plain *)payload)->destroyed++;
}
static lw_batch_source plain_source(plain *p) {
    return (lw_batch_source){.payload = p,
        .n_samples = SAMPLES,
        .n_steps = p->steps,
        .n_channels = CHANNELS,
        .n_targets = 1,
        .input = plain_input,
        .target = plain_target,
        .destroy = plain_destroy};
}
static lw_code_spec code_spec(lw_code_kind kind, int64_t steps) {
    return (lw_code_spec){.kind = kind,
        .steps = steps,
        .lo = 0,
        .hi = 1,
        .most = 1,
        .threshold = 0.1,
        .width = 0.5,
        .fields = 4,
        .seed = 3};
}

TEST(latency_and_current_of_vectors) {
    enum { STEPS = 20 };
    static float x[STEPS * CHANNELS], y[STEPS];
    plain p = {.steps = 1};
    for (int current = 0; current < 2; current++) {
        lw_batch_source set = plain_source(&p);
        lw_code_spec spec = code_spec(current ? LW_CODE_CURRENT : LW_CODE_LATENCY, STEPS);
        spec.lo = 0.25;
        CHECK_OK(lw_dataset_code(&spec, &set));
        CHECK_INT(set.n_steps, STEPS);
        CHECK_INT(set.n_channels, CHANNELS);
        for (int64_t i = 0; i < SAMPLES; i++) {
            CHECK_OK(set.input(set.payload, i, x));
            CHECK_OK(set.target(set.payload, i, y));
            for (int64_t c = 0; c < CHANNELS; c++) {
                double v = (double)(float)number(i, 0, c);
                for (int64_t t = 0; t < STEPS; t++) {
                    bool now = v > 0.25 && t == lround((1 - (v - 0.25) / 0.75) * (STEPS - 1));
                    CHECK_CLOSE(x[t * CHANNELS + c], current ? v : now, 0);
                }
            }
            CHECK_CLOSE(y[STEPS - 1], 10 * (double)i, 0);
        }
        lw_batch_source_destroy(&set);
        CHECK_INT(p.destroyed, current + 1);
    }
}

TEST(current_of_sequences_is_the_sequence) {
    static float x[MOST * CHANNELS], y[MOST * CHANNELS];
    plain p = {.steps = MOST};
    lw_batch_source set = plain_source(&p);
    lw_code_spec spec = code_spec(LW_CODE_CURRENT, 0);
    CHECK_OK(lw_dataset_code(&spec, &set));
    CHECK_INT(set.n_steps, MOST);
    for (int64_t i = 0; i < SAMPLES; i++) {
        CHECK_OK(plain_input(&p, i, x));
        CHECK_OK(set.input(set.payload, i, y));
        CHECK(memcmp(x, y, sizeof x) == 0);
    }
    lw_batch_source_destroy(&set);
}

TEST(rate_is_a_chance_and_a_function_of_its_key) {
    enum { STEPS = 4000 };
    static float x[STEPS * CHANNELS], y[STEPS * CHANNELS];
    plain p = {.steps = 1};
    lw_batch_source set = plain_source(&p), again = plain_source(&p), other = plain_source(&p);
    lw_code_spec spec = code_spec(LW_CODE_RATE, STEPS);
    spec.most = 0.5;
    CHECK_OK(lw_dataset_code(&spec, &set));
    CHECK_OK(lw_dataset_code(&spec, &again));
    spec.seed = 4;
    CHECK_OK(lw_dataset_code(&spec, &other));
    for (int64_t i = 0; i < SAMPLES; i++) {
        CHECK_OK(set.input(set.payload, i, x));
        for (int64_t c = 0; c < CHANNELS; c++) {
            double n = 0, chance = 0.5 * number(i, 0, c);
            for (int64_t t = 0; t < STEPS; t++) {
                CHECK(x[t * CHANNELS + c] == 0 || x[t * CHANNELS + c] == 1);
                n += (double)x[t * CHANNELS + c];
            }
            CHECK_CLOSE(n / STEPS, chance, 4.5 * sqrt(chance * (1 - chance) / STEPS));
        }
        CHECK_OK(again.input(again.payload, i, y));
        CHECK(memcmp(x, y, sizeof x) == 0);
        CHECK_OK(other.input(other.payload, i, y));
        CHECK(memcmp(x, y, sizeof x) != 0);
    }
    lw_batch_source_destroy(&set);
    lw_batch_source_destroy(&again);
    lw_batch_source_destroy(&other);
}

/* What the two channels count is where the value is, within a threshold, when it moves slowly enough. */
static lw_err wave_input(void *payload, int64_t i, float *x) {
    (void)payload;
    for (int64_t t = 0; t < MOST; t++)
        for (int64_t c = 0; c < CHANNELS; c++)
            x[t * CHANNELS + c] = (float)sin(0.1 * (double)(t + i) + (double)c);
    return LW_OK;
}

TEST(delta_can_be_summed_up) {
    static float x[MOST * CHANNELS], d[MOST * CHANNELS * 2];
    plain p = {.steps = MOST};
    lw_batch_source set = plain_source(&p);
    set.input = wave_input;
    lw_code_spec spec = code_spec(LW_CODE_DELTA, 0);
    int up = 0, down = 0;
    CHECK_OK(lw_dataset_code(&spec, &set));
    CHECK_INT(set.n_channels, 2 * CHANNELS);
    for (int64_t i = 0; i < SAMPLES; i++) {
        CHECK_OK(wave_input(NULL, i, x));
        CHECK_OK(set.input(set.payload, i, d));
        for (int64_t c = 0; c < CHANNELS; c++) {
            double level = (double)x[c];
            for (int64_t t = 0; t < MOST; t++) {
                float rise = d[(t * CHANNELS + c) * 2], fall = d[(t * CHANNELS + c) * 2 + 1];
                CHECK(rise * fall == 0);
                level += 0.1 * (double)(rise - fall);
                CHECK(fabs((double)x[t * CHANNELS + c] - level) < 0.1 + 1e-6);
                up += rise > 0;
                down += fall > 0;
            }
        }
    }
    CHECK(up > 50 && down > 50);
    lw_batch_source_destroy(&set);
}

TEST(population_of_fields_and_codes_of_codes) {
    enum { FIELDS = 4, STEPS = 7 };
    static float x[MOST * CHANNELS * FIELDS], y[STEPS * CHANNELS * FIELDS];
    plain p = {.steps = 1};
    lw_batch_source set = plain_source(&p);
    lw_code_spec spec = code_spec(LW_CODE_POPULATION, 0), then = code_spec(LW_CODE_LATENCY, STEPS);
    CHECK_OK(lw_dataset_code(&spec, &set));
    CHECK_INT(set.n_channels, CHANNELS * FIELDS);
    CHECK_OK(set.input(set.payload, 2, x));
    for (int c = 0; c < CHANNELS; c++)
        for (int f = 0; f < FIELDS; f++) {
            double away = ((double)(float)number(2, 0, c) - f / 3.0) * 3 / 0.5;
            CHECK_CLOSE(x[c * FIELDS + f], exp(-away * away / 2), 1e-6);
        }
    CHECK_OK(lw_dataset_code(&then, &set)); /* a field's strength as the time of a spike */
    CHECK_INT(set.n_steps, STEPS);
    CHECK_OK(set.input(set.payload, 2, y));
    for (int k = 0; k < CHANNELS * FIELDS; k++)
        CHECK_CLOSE(y[lround((1 - (double)x[k]) * (STEPS - 1)) * CHANNELS * FIELDS + k], 1, 0);
    lw_batch_source_destroy(&set);
    CHECK_INT(p.destroyed, 1);
}

TEST(wrong_codes_leave_the_source_alone) {
    plain one = {.steps = 1}, many = {.steps = MOST};
    lw_batch_source still = plain_source(&one), moving = plain_source(&many);
    lw_code_spec spec = code_spec(LW_CODE_LATENCY, 5);
    CHECK_FAILS(lw_dataset_code(&spec, &moving), LW_EUSE, "found 5 steps");
    spec.steps = 0;
    CHECK_FAILS(lw_dataset_code(&spec, &still), LW_EUSE, "latency with 0 steps");
    spec = code_spec(LW_CODE_DELTA, 0);
    CHECK_FAILS(lw_dataset_code(&spec, &still), LW_EUSE, "delta");
    spec.hi = spec.lo;
    CHECK_FAILS(lw_dataset_code(&spec, &moving), LW_EUSE, "values from 0 to 0");
    spec = code_spec(LW_CODE_RATE, 0);
    spec.most = 2;
    CHECK_FAILS(lw_dataset_code(&spec, &moving), LW_EUSE, "chance of 2");
    spec = code_spec(LW_CODE_POPULATION, 0);
    spec.fields = 1;
    CHECK_FAILS(lw_dataset_code(&spec, &moving), LW_EUSE, "1 fields");
    spec = code_spec(LW_CODE_RATE, 9);
    still.label_per_step = true;
    CHECK_FAILS(lw_dataset_code(&spec, &still), LW_EUSE, "label for each");
    CHECK(moving.input == plain_input && still.payload == &one);
}

/* ------------------------------------------------------------------ CIFAR-10 */

enum { SIDE = 32, RECORD = 1 + 3 * SIDE * SIDE };

static uint8_t byte(int image, int colour, int row, int column) {
    return (uint8_t)(image * 37 + colour * 101 + row * 7 + column * 3);
}

static void cifar_write(const char *path, int first, int n, int label) {
    static uint8_t file[3 * RECORD];
    for (int i = 0; i < n; i++) {
        file[i * RECORD] = (uint8_t)(label < 0 ? (first + i) % 10 : label);
        for (int k = 0; k < 3 * SIDE * SIDE; k++)
            file[i * RECORD + 1 + k] = byte(first + i, k / (SIDE * SIDE), k / SIDE % SIDE, k % SIDE);
    }
    scratch_write(path, file, (size_t)(n * RECORD));
}

TEST(images_of_two_files) {
    static const char *const encodes[] = {"rows", "pixels", "image"};
    static float x[3 * SIDE * SIDE];
    lw_batch_source set;
    (void)scratch_make();
    cifar_write(scratch_path("a"), 0, 3, -1);
    cifar_write(scratch_path("b"), 3, 2, -1);
    const char *path[] = {scratch_path("a"), scratch_path("b")};
    for (int e = 0; e < 3; e++) {
        CHECK_OK(lw_dataset_cifar10(path, 2, encodes[e], 0, &set));
        CHECK_INT(set.n_samples, 5);
        CHECK_INT(set.n_steps * set.n_channels, 3 * SIDE * SIDE);
        for (int i = 0; i < 5; i++) {
            int32_t label = -1, wrong = 0;
            CHECK_OK(set.input(set.payload, i, x));
            CHECK_OK(set.label(set.payload, i, &label));
            CHECK_INT(label, i);
            for (int colour = 0; colour < 3; colour++)
                for (int row = 0; row < SIDE; row++)
                    for (int column = 0; column < SIDE; column++) {
                        int at = e == 0   ? (row * 3 + colour) * SIDE + column
                                 : e == 1 ? (row * SIDE + column) * 3 + colour
                                          : (colour * SIDE + row) * SIDE + column;
                        wrong += x[at] != (float)byte(i, colour, row, column) / 255;
                    }
            CHECK_INT(wrong, 0);
        }
        lw_batch_source_destroy(&set);
    }
    CHECK_OK(lw_dataset_cifar10(path, 2, "rows", 4, &set));
    CHECK_INT(set.n_samples, 4);
    lw_batch_source_destroy(&set);
    CHECK_FAILS(lw_dataset_cifar10(path, 2, "columns", 0, &set), LW_EUSE, "'columns', allowed are rows");
    cifar_write(scratch_path("b"), 3, 2, 10);
    CHECK_FAILS(lw_dataset_cifar10(path, 2, "rows", 0, &set), LW_EFILE, "image 3: found label 10");
    scratch_write(scratch_path("b"), "abc", 3);
    CHECK_FAILS(lw_dataset_cifar10(path, 2, "rows", 0, &set), LW_EFILE, "found 3 bytes, allowed are multiples of 3073");
    path[1] = scratch_path("c");
    CHECK_FAILS(lw_dataset_cifar10(path, 2, "rows", 0, &set), LW_EFILE, "cannot be opened");
    CHECK(set.payload == NULL);
    scratch_remove();
}

CHECK_MAIN(CASE(latency_and_current_of_vectors), CASE(current_of_sequences_is_the_sequence),
    CASE(rate_is_a_chance_and_a_function_of_its_key), CASE(delta_can_be_summed_up),
    CASE(population_of_fields_and_codes_of_codes), CASE(wrong_codes_leave_the_source_alone), CASE(images_of_two_files))
