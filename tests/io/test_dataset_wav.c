/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sounds as mel energies: every sample format gives the same numbers, a pure tone is loudest in the band it lies in, a
 * frame against a slow Fourier sum, the loudest stretch, normalisation by another set, and what is refused.
 */
#include <lapwing/io.h>
#include <sys/stat.h>
#include "scratch.h"

enum { RATE = 8000, STEPS = 20, BANDS = 12, FRAME = 200, HOP = 80 };

typedef double (*wave)(int64_t i);
static double tone(int64_t i) {
    return 0.5 * sin(2 * acos(-1) * 1000 * (double)i / RATE);
}
static double hiss(int64_t i) {
    return fmax(-0.45, fmin(0.45, 0.1 * lw_rng_normal(1, LW_PURPOSE_CHECK, (uint64_t)i, 0, 0)));
}
static double late(int64_t i) {
    return i < 4000 ? 0.001 * hiss(i) : tone(i);
}

static void put(uint8_t **at, uint64_t v, int bytes) {
    for (int b = 0; b < bytes; b++)
        *(*at)++ = (uint8_t)(v >> 8 * b);
}

/* kind 1: PCM of `bytes`, 3: float; two channels hold the wave and silence when `stereo`, at twice the amplitude */
static void wave_write(const char *path, wave w, int64_t n, int kind, int bytes, bool stereo, int rate) {
    static uint8_t file[1 << 19];
    uint8_t *at = file;
    int channels = stereo ? 2 : 1;
    memcpy(at, "RIFF....WAVELIST", 16), at += 16; /* a chunk to be passed over, of odd length */
    put(&at, 3, 4), put(&at, 0, 4);
    memcpy(at, "fmt ", 4), at += 4;
    put(&at, 16, 4), put(&at, (uint64_t)kind, 2), put(&at, (uint64_t)channels, 2), put(&at, (uint64_t)rate, 4);
    put(&at, (uint64_t)(rate * channels * bytes), 4), put(&at, (uint64_t)(channels * bytes), 2);
    put(&at, (uint64_t)(8 * bytes), 2);
    memcpy(at, "data", 4), at += 4;
    put(&at, (uint64_t)(n * channels * bytes), 4);
    for (int64_t i = 0; i < n; i++) {
        double v = w(i) * channels;
        float f = (float)v;
        uint32_t word;
        memcpy(&word, &f, sizeof word);
        int64_t whole = llround(v * (double)(1LL << (8 * bytes - 1))) + (bytes == 1 ? 128 : 0);
        put(&at, kind == 3 ? word : (uint64_t)whole, bytes);
        if (stereo) put(&at, 0, bytes);
    }
    scratch_write(path, file, (size_t)(at - file));
}

static lw_wav_spec spec_of(void) {
    return (lw_wav_spec){.path = scratch_path(""),
        .steps = STEPS,
        .bands = BANDS,
        .difference = 0,
        .frame = 25,
        .hop = 10,
        .low = 100,
        .high = 3800,
        .classes = 10};
}

/* Back to logarithms: the set's own moments are those of its only recordings. */
static void energies(const char *name, wave w, int64_t n, int kind, int bytes, bool stereo, float *x) {
    lw_batch_source set;
    lw_wav_spec spec = spec_of();
    wave_write(scratch_path(name), w, n, kind, bytes, stereo, RATE);
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK_INT(set.n_samples, 1);
    CHECK_INT(set.n_channels, BANDS);
    CHECK_OK(set.input(set.payload, 0, x));
    lw_batch_source_destroy(&set);
    CHECK(remove(scratch_path(name)) == 0);
}

TEST(formats_give_the_same) {
    static float x[STEPS * BANDS], y[STEPS * BANDS];
    (void)scratch_make();
    energies("3_a_1.wav", hiss, 2000, 3, 4, false, x);
    for (int k = 0; k < 5; k++) {
        static const int bytes[] = {4, 3, 2, 1, 2};
        energies("3_a_1.wav", hiss, 2000, 1, bytes[k], k == 4, y);
        for (int i = 0; i < STEPS * BANDS; i++)
            CHECK_CLOSE(y[i], x[i], bytes[k] == 1 ? 0.3 : bytes[k] == 2 ? 2e-3 : 1e-4);
    }
    scratch_remove();
}

/* Energies of a frame by the definition, in slow sums. */
static double band_energy(wave w, int64_t begin, int band) {
    double low = 2595 * log10(1 + 100 / 700.0), high = 2595 * log10(1 + 3800 / 700.0), c[3], sum = 0;
    for (int k = 0; k < 3; k++)
        c[k] = 700 * (pow(10, (low + (high - low) * (band + k) / (BANDS + 1)) / 2595) - 1);
    for (int k = 0; k <= 128; k++) {
        double f = k * RATE / 256.0, weight = fmin((f - c[0]) / (c[1] - c[0]), (c[2] - f) / (c[2] - c[1])), re = 0,
               im = 0;
        if (weight <= 0) continue;
        for (int i = 0; i < FRAME; i++) {
            double hann = 0.5 - 0.5 * cos(2 * acos(-1) * i / (FRAME - 1)), v = hann * (double)(float)w(begin + i);
            re += v * cos(2 * acos(-1) * k * i / 256);
            im += v * sin(2 * acos(-1) * k * i / 256);
        }
        sum += weight * (re * re + im * im);
    }
    return sum;
}

TEST(energies_by_definition_and_their_change) {
    static float x[STEPS * 2 * BANDS];
    static double want[STEPS][BANDS];
    lw_batch_source set;
    (void)scratch_make();
    lw_wav_spec spec = spec_of();
    double most = 0, mean = 0, square = 0;
    enum { FRAMES = 11, N = FRAME + (FRAMES - 1) * HOP + 79 };
    spec.difference = 3;
    wave_write(scratch_path("0_b_0.wav"), hiss, N, 3, 4, false, RATE);
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK_INT(set.n_channels, 2 * BANDS);
    CHECK_OK(set.input(set.payload, 0, x));
    for (int t = 0; t < FRAMES; t++)
        for (int b = 0; b < BANDS; b++) {
            want[t][b] = band_energy(hiss, t * HOP, b);
            most = fmax(most, want[t][b]);
        }
    for (int part = 0; part < 2; part++)
        for (int b = 0; b < BANDS; b++) {
            double v[STEPS];
            mean = square = 0;
            for (int t = 0; t < STEPS; t++) {
                int before = t < 3 ? 0 : t - 3;
                v[t] = log(want[t][b] / most + 1e-5) - (part ? log(want[before][b] / most + 1e-5) : 0);
                mean += v[t] / STEPS;
                square += v[t] * v[t] / STEPS;
            }
            for (int t = 0; t < STEPS; t++)
                CHECK_CLOSE(x[(t * 2 + part) * BANDS + b], (v[t] - mean) / sqrt(square - mean * mean), 2e-5);
        }
    lw_batch_source_destroy(&set);
    scratch_remove();
}

TEST(loudest_stretch_normalised_by_another_set) {
    static float x[STEPS * BANDS], y[STEPS * BANDS];
    lw_batch_source set;
    int32_t label = -1;
    (void)scratch_make();
    wave_write(scratch_path("7_tone_12.wav"), late, 4000 + FRAME + (STEPS - 1) * HOP, 3, 4, false, RATE);
    wave_write(scratch_path("1_hiss_3.wav"), hiss, 3000, 3, 4, false, RATE);
    wave_write(scratch_path("2_hiss_4.wav"), hiss, 2500, 3, 4, false, RATE);
    lw_wav_spec test = spec_of(), training = spec_of();
    test.first = 10;
    training.last = 10;
    CHECK_OK(lw_dataset_wav(&training, NULL, &set));
    CHECK_INT(set.n_samples, 2);
    double mean = 0, square = 0;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(set.input(set.payload, i, x));
        for (int t = 0; t < STEPS; t++) {
            mean += (double)x[t * BANDS] / (2 * STEPS);
            square += (double)x[t * BANDS] * (double)x[t * BANDS] / (2 * STEPS);
        }
    }
    CHECK_CLOSE(mean, 0, 1e-5);
    CHECK_CLOSE(square, 1, 1e-5);
    lw_batch_source_destroy(&set);
    CHECK_OK(lw_dataset_wav(&test, &training, &set));
    CHECK_INT(set.n_samples, 1);
    CHECK_OK(set.label(set.payload, 0, &label));
    CHECK_INT(label, 7);
    CHECK_OK(set.input(set.payload, 0, x));
    /* all frames hold the tone: the wave's stretch of silence is left out */
    int at = 0;
    for (int b = 0; b < BANDS; b++)
        if (band_energy(tone, 0, b) > band_energy(tone, 0, at)) at = b;
    for (int t = 1; t < STEPS; t++)
        CHECK_CLOSE(x[t * BANDS + at], x[at], 0.05);
    CHECK_OK(set.input(set.payload, 0, y));
    CHECK(memcmp(x, y, sizeof x) == 0);
    lw_batch_source_destroy(&set);
    scratch_remove();
}

/* Names without a class, in folders; each recording's number is its place. */
TEST(lists_name_recordings) {
    static const char text[] = "# name class\nyes/0a7c.wav 1\r\n\n no/11\t0 # without its ending\nyes/0a7c 2\n";
    static float x[STEPS * BANDS], y[STEPS * BANDS];
    static const int labels[] = {1, 0, 2};
    lw_batch_source set;
    int32_t label = -1;
    (void)scratch_make();
    CHECK(mkdir(scratch_path("yes"), 0700) == 0 && mkdir(scratch_path("no"), 0700) == 0);
    wave_write(scratch_path("yes/0a7c.wav"), hiss, 3000, 3, 4, false, RATE);
    wave_write(scratch_path("no/11.wav"), tone, 3000, 3, 4, false, RATE);
    scratch_write(scratch_path("list"), text, sizeof text - 1);
    lw_wav_spec spec = spec_of();
    spec.path = scratch_path("");
    spec.list = scratch_path("list");
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK_INT(set.n_samples, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(set.label(set.payload, i, &label));
        CHECK_INT(label, labels[i]);
        CHECK_OK(set.input(set.payload, i, i == 1 ? y : x));
    }
    CHECK(memcmp(x, y, sizeof x) != 0);
    CHECK_OK(set.input(set.payload, 0, y));
    CHECK(memcmp(x, y, sizeof x) == 0);
    lw_batch_source_destroy(&set);
    spec.first = 1;
    spec.last = 2;
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK_INT(set.n_samples, 1);
    CHECK_OK(set.label(set.payload, 0, &label));
    CHECK_INT(label, 0);
    lw_batch_source_destroy(&set);
    spec.first = spec.last = 0;
    scratch_write(scratch_path("list"), "yes/0a7c 1\nyes/12 1\n", 20);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "list: found no recording yes/12 or yes/12.wav in");
    scratch_write(scratch_path("list"), "yes/0a7c\n", 9);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "list:1: found \"yes/0a7c\"");
    scratch_write(scratch_path("list"), "\n", 1);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "list: found no recordings");
    scratch_remove();
}

/* Recordings of 6, 11 and more than all frames: where each ends, and moments that know nothing of the padding. */
TEST(recordings_end_where_they_end) {
    static float x[STEPS * BANDS], y[STEPS * BANDS];
    static const int64_t frames[] = {6, 11, STEPS + 4};
    double mean = 0, square = 0, n = 0;
    lw_batch_source set, padded;
    (void)scratch_make();
    lw_wav_spec spec = spec_of();
    wave_write(scratch_path("1_a_0.wav"), hiss, FRAME + 5 * HOP, 3, 4, false, RATE);
    wave_write(scratch_path("2_a_0.wav"), hiss, FRAME + 10 * HOP + 79, 3, 4, false, RATE);
    wave_write(scratch_path("3_a_0.wav"), hiss, FRAME + (STEPS + 3) * HOP, 3, 4, false, RATE);
    CHECK_OK(lw_dataset_wav(&spec, NULL, &padded));
    CHECK(padded.length == NULL);
    spec.lengths = true;
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK(set.length != NULL);
    for (int i = 2; i >= 0 && set.length; i--) {
        int64_t own = frames[i] < STEPS ? frames[i] : STEPS;
        CHECK_OK(set.input(set.payload, i, x));
        CHECK_INT(set.length(set.payload, i), own);
        for (int64_t t = 0; t < own; t++) {
            mean += (double)x[t * BANDS + 2];
            square += (double)x[t * BANDS + 2] * (double)x[t * BANDS + 2];
        }
        n += (double)own;
        CHECK_OK(padded.input(padded.payload, i, y)); /* the same energies, otherwise normalised */
        double scale = ((double)y[2] - (double)y[BANDS + 2]) / ((double)x[2] - (double)x[BANDS + 2]);
        for (int64_t t = 1; t < STEPS; t++)
            CHECK_CLOSE(
                (double)y[t * BANDS + 2] - (double)y[2], scale * ((double)x[t * BANDS + 2] - (double)x[2]), 1e-3);
    }
    CHECK_CLOSE(mean / n, 0, 1e-5);
    CHECK_CLOSE(square / n, 1, 1e-5);
    lw_batch_source_destroy(&set);
    lw_batch_source_destroy(&padded);
    scratch_remove();
}

TEST(wrong_sounds_are_refused) {
    static float x[STEPS * BANDS];
    lw_batch_source set;
    (void)scratch_make();
    lw_wav_spec spec = spec_of();
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "found no recordings");
    scratch_write(scratch_path("1_a_0.wav"), "RIFX", 4);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "not a RIFF wave file");
    wave_write(scratch_path("1_a_0.wav"), tone, 400, 7, 1, false, RATE);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "found format 7 of 8 bits");
    wave_write(scratch_path("1_a_0.wav"), tone, 400, 1, 2, false, RATE);
    spec.high = 5000;
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EUSE, "bands up to 4000 Hz");
    spec = spec_of();
    wave_write(scratch_path("2_a_0.wav"), tone, 400, 1, 2, false, 16000);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "sampling rate of 16000, the first recording has 8000");
    CHECK(rename(scratch_path("2_a_0.wav"), scratch_path("12_a_0.wav")) == 0);
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "found no name such as");
    CHECK(remove(scratch_path("12_a_0.wav")) == 0);
    spec.path = scratch_path("nothing");
    CHECK_FAILS(lw_dataset_wav(&spec, NULL, &set), LW_EFILE, "cannot be read as a folder");
    CHECK(set.payload == NULL);
    spec = spec_of();
    CHECK_OK(lw_dataset_wav(&spec, NULL, &set));
    CHECK_OK(set.input(set.payload, 0, x));
    lw_batch_source_destroy(&set);
    scratch_remove();
}

CHECK_MAIN(CASE(formats_give_the_same), CASE(energies_by_definition_and_their_change),
    CASE(loudest_stretch_normalised_by_another_set), CASE(lists_name_recordings), CASE(recordings_end_where_they_end),
    CASE(wrong_sounds_are_refused))
