/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Recordings of sound (RIFF wave files) as mel energies: frames under a Hann window, the power spectrum, triangular
 * bands equally spaced in mel = 2595 log10(1 + f / 700) (O'Shaughnessy 1987), the logarithm over the loudest band of
 * the recording, and optionally its change. A recording is read and transformed when it is asked for.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fftw3.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dataset_list.h"
#include "file.h"
#include <lapwing/io.h>

#define FLOOR 1e-5 /* added to energies that are 1 in the loudest band */

typedef struct wav_file {
    char *path;
    int32_t label;
    int64_t length; /* frames, at most the steps; known once it was read */
} wav_file;

typedef struct wav_set {
    lw_wav_spec spec;
    wav_file *file;
    int64_t n, room, named;                  /* named: seen, whether in the set or not */
    int64_t rate, frame, hop, n_fft, n_bins; /* of the first recording; samples */
    double *window, *bank, *centre;          /* [frame], [bands, n_bins] */
    double *in;                              /* [n_fft] */
    fftw_complex *out;                       /* [n_bins] */
    fftw_plan plan;
    double *log_energy; /* [steps, bands] */
    double *mean, *sd;  /* [channels] */
    int64_t n_channels;
} wav_set;

/* ------------------------------------------------------------------ wave files */

typedef struct sound {
    int64_t n, rate;
    double *x; /* [n] mean of the channels, full scale 1 */
} sound;

static uint32_t little(const uint8_t *p, int bytes) {
    uint32_t v = 0;
    for (int b = bytes - 1; b >= 0; b--)
        v = v << 8 | p[b];
    return v;
}

/* One number of 8 to 32 bits, or a float. */
static double sample_of(const uint8_t *p, int bytes, bool is_float) {
    uint32_t v = little(p, bytes);
    if (is_float) {
        float f;
        memcpy(&f, &v, sizeof f);
        return (double)f;
    }
    if (bytes == 1) return ((double)v - 128) / 128; /* 8 bits are the only ones without a sign */
    return (double)(int32_t)(v << (32 - 8 * bytes)) / 0x1p31;
}

static lw_err sound_parse(const char *path, const uint8_t *p, int64_t bytes, sound *out) {
    const uint8_t *format = NULL, *data = NULL;
    int64_t data_bytes = 0, format_bytes = 0;
    LW_CHECK(
        bytes >= 12 && !memcmp(p, "RIFF", 4) && !memcmp(p + 8, "WAVE", 4), LW_EFILE, "%s: not a RIFF wave file", path);
    for (int64_t at = 12; at + 8 <= bytes;) {
        int64_t size = little(p + at + 4, 4), here = size < bytes - at - 8 ? size : bytes - at - 8;
        if (!memcmp(p + at, "fmt ", 4)) format = p + at + 8, format_bytes = here;
        if (!memcmp(p + at, "data", 4)) data = p + at + 8, data_bytes = here;
        at += 8 + size + (size & 1);
    }
    LW_CHECK(format && format_bytes >= 16 && data, LW_EFILE, "%s: found no %s", path, data ? "format" : "sound");
    uint32_t kind = little(format, 2), n_channels = little(format + 2, 2), bits = little(format + 14, 2);
    if (kind == 0xfffe && format_bytes >= 26) kind = little(format + 24, 2);
    bool is_float = kind == 3 && bits == 32, is_pcm = kind == 1 && bits % 8 == 0 && bits >= 8 && bits <= 32;
    LW_CHECK((is_float || is_pcm) && n_channels >= 1, LW_EFILE,
        "%s: found format %u of %u bits, allowed are 1 (PCM of 8, 16, 24, 32) and 3 (float of 32)", path, kind, bits);
    int width = (int)bits / 8;
    out->rate = little(format + 4, 4);
    out->n = data_bytes / (width * (int64_t)n_channels);
    LW_CHECK(out->rate > 0, LW_EFILE, "%s: found a sampling rate of 0", path);
    LW_TRY(lw_alloc((size_t)out->n + 1, sizeof *out->x, "sound", &out->x));
    for (int64_t i = 0; i < out->n; i++) {
        double sum = 0;
        for (uint32_t c = 0; c < n_channels; c++)
            sum += sample_of(data + (i * n_channels + c) * width, width, is_float);
        out->x[i] = sum / n_channels;
    }
    return LW_OK;
}

static lw_err sound_read(const wav_set *set, int64_t i, sound *out) {
    const char *path = set->file[i].path;
    char *text = NULL;
    int64_t bytes = 0;
    lw_err err;
    *out = (sound){0};
    LW_TRY_TO(lw_file_read(path, &text, &bytes), done);
    LW_TRY_TO(sound_parse(path, (const uint8_t *)text, bytes, out), done);
    if (set->rate > 0 && out->rate != set->rate)
        err = LW_FAIL(LW_EFILE, "%s: found a sampling rate of %lld, the first recording has %lld", path,
            (long long)out->rate, (long long)set->rate);
done:
    lw_free(text);
    return err;
}

/* ------------------------------------------------------------------ energies */

static double mel(double hertz) {
    return 2595 * log10(1 + hertz / 700);
}

/* Triangles that rise from the centre of the band below and fall to that of the band above. */
static lw_err bank_make(wav_set *set) {
    const lw_wav_spec *s = &set->spec;
    set->frame = (int64_t)(s->frame / 1000 * (double)set->rate + 0.5);
    set->hop = (int64_t)(s->hop / 1000 * (double)set->rate + 0.5);
    LW_CHECK(set->frame >= 2 && set->hop >= 1 && s->low < s->high && s->high <= 0.5 * (double)set->rate, LW_EUSE,
        "%s: found frames of %g ms every %g ms and bands from %g to %g Hz, allowed at %lld Hz are at least 2 samples "
        "every 1, and bands up to %g Hz",
        s->path, s->frame, s->hop, s->low, s->high, (long long)set->rate, 0.5 * (double)set->rate);
    set->n_fft = 1;
    while (set->n_fft < set->frame)
        set->n_fft *= 2;
    set->n_bins = set->n_fft / 2 + 1;
    LW_TRY(lw_alloc((size_t)set->frame, sizeof *set->window, "a window", &set->window));
    LW_TRY(lw_alloc((size_t)(s->bands * set->n_bins), sizeof *set->bank, "mel bands", &set->bank));
    LW_TRY(lw_alloc((size_t)s->bands + 2, sizeof *set->centre, "mel bands", &set->centre));
    LW_TRY(lw_alloc((size_t)(s->steps * s->bands), sizeof *set->log_energy, "energies", &set->log_energy));
    for (int64_t i = 0; i < set->frame; i++)
        set->window[i] = 0.5 - 0.5 * cos(2 * acos(-1) * (double)i / (double)(set->frame - 1));
    for (int64_t b = 0; b < s->bands + 2; b++) {
        double m = mel(s->low) + (mel(s->high) - mel(s->low)) * (double)b / (double)(s->bands + 1);
        set->centre[b] = 700 * (pow(10, m / 2595) - 1);
    }
    for (int64_t b = 0; b < s->bands; b++)
        for (int64_t k = 0; k < set->n_bins; k++) {
            double f = (double)k * (double)set->rate / (double)set->n_fft, *c = set->centre + b;
            set->bank[b * set->n_bins + k] = fmax(0, fmin((f - c[0]) / (c[1] - c[0]), (c[2] - f) / (c[2] - c[1])));
        }
    set->in = fftw_alloc_real((size_t)set->n_fft);
    set->out = fftw_alloc_complex((size_t)set->n_bins);
    if (set->in && set->out)
        set->plan = fftw_plan_dft_r2c_1d((int)set->n_fft, set->in, set->out, FFTW_ESTIMATE); /* the same every time */
    LW_CHECK(set->plan, LW_EMEM, "no memory for a Fourier transform");
    return LW_OK;
}

/* energy[bands] of the frame that begins at x; `left` samples are there, what is missing is silence */
static void frame_energy(wav_set *set, const double *x, int64_t left, double *energy) {
    for (int64_t i = 0; i < set->n_fft; i++)
        set->in[i] = i < set->frame && i < left ? x[i] * set->window[i] : 0;
    fftw_execute(set->plan);
    for (int64_t b = 0; b < set->spec.bands; b++) {
        double sum = 0;
        for (int64_t k = 0; k < set->n_bins; k++)
            sum += set->bank[b * set->n_bins + k] * (set->out[k][0] * set->out[k][0] + set->out[k][1] * set->out[k][1]);
        energy[b] = sum;
    }
}

/* First frame of the loudest stretch of `steps` frames. */
static int64_t loudest(int64_t n_frames, int64_t bands, int64_t steps, const double *energy) {
    double best = -1;
    int64_t first = 0;
    for (int64_t f = 0; f + steps <= n_frames; f++) {
        double sum = 0;
        for (int64_t k = f * bands; k < (f + steps) * bands; k++)
            sum += energy[k];
        if (sum > best) best = sum, first = f;
    }
    return first;
}

/* x[steps][channels] of recording i, not yet normalised; *length: frames of it */
static lw_err wav_features(wav_set *set, int64_t i, float *x, int64_t *length) {
    int64_t bands = set->spec.bands, steps = set->spec.steps;
    sound s;
    double *energy = NULL, most = 0;
    LW_TRY(sound_read(set, i, &s));
    int64_t n = s.n > set->frame ? (s.n - set->frame) / set->hop + 1 : 1;
    lw_err err = lw_alloc((size_t)(n * bands), sizeof *energy, "energies", &energy);
    if (err != LW_OK) goto done;
    for (int64_t f = 0; f < n; f++)
        frame_energy(set, s.x + f * set->hop, s.n - f * set->hop, energy + f * bands);
    int64_t first = n > steps ? loudest(n, bands, steps, energy) : 0;
    *length = n < steps ? n : steps;
    for (int64_t k = 0; k < *length * bands; k++)
        most = fmax(most, energy[first * bands + k]);
    for (int64_t k = 0; k < steps * bands; k++)
        set->log_energy[k] = log((k < *length * bands && most > 0 ? energy[first * bands + k] / most : 0) + FLOOR);
    for (int64_t t = 0; t < steps; t++)
        for (int64_t b = 0; b < bands; b++) {
            float *to = x + t * set->n_channels + b;
            int64_t before = t < set->spec.difference ? 0 : t - set->spec.difference;
            *to = (float)set->log_energy[t * bands + b];
            if (set->spec.difference > 0)
                to[bands] = (float)(set->log_energy[t * bands + b] - set->log_energy[before * bands + b]);
        }
done:
    lw_free(energy);
    lw_free(s.x);
    return err;
}

/* ------------------------------------------------------------------ the set */

static lw_err wav_input(void *payload, int64_t i, float *x) {
    wav_set *set = payload;
    LW_TRY(wav_features(set, i, x, &set->file[i].length));
    for (int64_t t = 0; t < set->spec.steps; t++)
        for (int64_t c = 0; c < set->n_channels; c++) {
            float *to = x + t * set->n_channels + c;
            *to = (float)(((double)*to - set->mean[c]) / set->sd[c]);
        }
    return LW_OK;
}

static int64_t wav_length(void *payload, int64_t i) {
    return ((const wav_set *)payload)->file[i].length;
}

static lw_err wav_label(void *payload, int64_t i, int32_t *label) {
    *label = ((const wav_set *)payload)->file[i].label;
    return LW_OK;
}

static void wav_destroy(void *payload) {
    wav_set *set = payload;
    if (!set) return;
    for (int64_t i = 0; i < set->n; i++)
        lw_free(set->file[i].path);
    if (set->plan) fftw_destroy_plan(set->plan);
    fftw_free(set->in);
    fftw_free(set->out);
    lw_free(set->file);
    lw_free(set->window);
    lw_free(set->bank);
    lw_free(set->centre);
    lw_free(set->log_energy);
    lw_free(set->mean);
    lw_free(set->sd);
    lw_free(set);
}

static int is_wave(const struct dirent *entry) {
    size_t n = strlen(entry->d_name);
    return n > 4 && !strcmp(entry->d_name + n - 4, ".wav");
}

/* "7_name_12.wav": class 7, recording 12. */
static bool name_read(const char *name, int64_t *label, int64_t *index) {
    const char *end = name + strlen(name) - 4, *at = end;
    char *rest = NULL;
    while (at > name && isdigit((unsigned char)at[-1]))
        at--;
    if (at == end || !isdigit((unsigned char)name[0])) return false;
    *label = strtoll(name, &rest, 10);
    *index = strtoll(at, NULL, 10);
    return *rest == '_';
}

/* A recording of the given number; its name may lack the ending. */
static lw_err file_add(wav_set *set, const char *name, int32_t label, int64_t number) {
    static const char *const endings[] = {"", ".wav"};
    const lw_wav_spec *s = &set->spec;
    wav_file file = {.label = label};
    if (number < s->first || (s->last > 0 && number >= s->last)) return LW_OK;
    if (set->n == set->room) {
        int64_t want = 2 * set->room + 64;
        LW_TRY(lw_grow(&set->file, (size_t)set->room, (size_t)want, sizeof *set->file, "recordings"));
        set->room = want;
    }
    LW_TRY(dataset_list_find(s->list ? s->list : s->path, s->path, name, endings, 2, &file.path));
    set->file[set->n++] = file;
    return LW_OK;
}

static lw_err listed_add(void *payload, const char *name, int32_t label) {
    wav_set *set = payload;
    return file_add(set, name, label, set->named++);
}

static lw_err named_add(wav_set *set, const char *name) {
    int64_t label = 0, number = 0;
    LW_CHECK(name_read(name, &label, &number) && label < set->spec.classes, LW_EFILE,
        "%s/%s: found no name such as 3_anna_12.wav: a class from 0 to %d, anything, the recording's number; or give a "
        "list of names and classes",
        set->spec.path, name, set->spec.classes - 1);
    return file_add(set, name, (int32_t)label, number);
}

static lw_err folder_read(wav_set *set) {
    struct dirent **entry = NULL;
    int n = scandir(set->spec.path, &entry, is_wave, alphasort);
    LW_CHECK(n >= 0, LW_EFILE, "%s: cannot be read as a folder of recordings: %s", set->spec.path, strerror(errno));
    lw_err err = LW_OK;
    for (int i = 0; i < n; i++) {
        if (err == LW_OK) err = named_add(set, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return err;
}

/* Mean and deviation of each channel over all recordings of a set, which count with all steps or with their own. */
static lw_err moments(wav_set *from, double *mean, double *sd) {
    int64_t channels = from->n_channels, steps = from->spec.steps, length = 0, n_frames = 0;
    float *x = NULL;
    LW_TRY(lw_alloc((size_t)(steps * channels), sizeof *x, "energies", &x));
    lw_err err = LW_OK;
    for (int64_t i = 0; i < from->n && err == LW_OK; i++) {
        err = wav_features(from, i, x, &length);
        int64_t counted = from->spec.lengths ? length : steps;
        n_frames += counted;
        for (int64_t k = 0; err == LW_OK && k < counted * channels; k++) {
            mean[k % channels] += (double)x[k];
            sd[k % channels] += (double)x[k] * (double)x[k];
        }
    }
    for (int64_t c = 0; c < channels; c++) {
        double n = (double)n_frames;
        mean[c] /= n;
        sd[c] = sqrt(fmax(sd[c] / n - mean[c] * mean[c], 0));
        if (!(sd[c] > 0)) sd[c] = 1;
    }
    lw_free(x);
    return err;
}

static lw_err wav_open(const lw_wav_spec *spec, wav_set *set) {
    sound s;
    set->spec = *spec;
    set->n_channels = spec->bands * (spec->difference > 0 ? 2 : 1);
    LW_TRY(spec->list ? dataset_list_read(spec->list, spec->classes, listed_add, set) : folder_read(set));
    LW_CHECK(set->n > 0, LW_EFILE, "%s: found no recordings", spec->list ? spec->list : spec->path);
    LW_TRY(sound_read(set, 0, &s));
    set->rate = s.rate;
    lw_free(s.x);
    LW_TRY(lw_alloc((size_t)set->n_channels, sizeof *set->mean, "moments", &set->mean));
    LW_TRY(lw_alloc((size_t)set->n_channels, sizeof *set->sd, "moments", &set->sd));
    return bank_make(set);
}

lw_err lw_dataset_wav(const lw_wav_spec *spec, const lw_wav_spec *training, lw_batch_source *out) {
    wav_set *set = NULL, *other = NULL;
    lw_err err;
    *out = (lw_batch_source){0};
    LW_CHECK(spec->bands >= 1 && spec->steps >= 1 && spec->difference >= 0 && spec->classes >= 2, LW_EUSE,
        "%s: found bands %lld, steps %lld, difference %lld, classes %d, allowed are 1, 1, 0, 2 and more", spec->path,
        (long long)spec->bands, (long long)spec->steps, (long long)spec->difference, spec->classes);
    LW_TRY_TO(lw_alloc(1, sizeof *set, "a data set", &set), failed);
    LW_TRY_TO(wav_open(spec, set), failed);
    if (training) {
        LW_TRY_TO(lw_alloc(1, sizeof *other, "a data set", &other), failed);
        LW_TRY_TO(wav_open(training, other), failed);
        if (other->n_channels != set->n_channels) {
            err = LW_FAIL(LW_EUSE, "%s: found %lld channels, the training set has %lld", spec->path,
                (long long)set->n_channels, (long long)other->n_channels);
            goto failed;
        }
    }
    LW_TRY_TO(moments(other ? other : set, set->mean, set->sd), failed);
    wav_destroy(other);
    *out = (lw_batch_source){.payload = set,
        .n_samples = set->n,
        .n_steps = spec->steps,
        .n_channels = (int32_t)set->n_channels,
        .n_classes = spec->classes,
        .input = wav_input,
        .label = wav_label,
        .length = spec->lengths ? wav_length : NULL,
        .destroy = wav_destroy};
    return LW_OK;
failed:
    wav_destroy(other);
    wav_destroy(set);
    return err;
}
