/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Codes: a source of numbers becomes one of spikes or currents, sample by sample: current, rate, latency, delta,
 * population. A coded source holds the one it was made of, and may itself be coded again. Draws are keyed by sample,
 * step and channel.
 */
#include <math.h>
#include <string.h>
#include <lapwing/io.h>

typedef struct coded_set {
    lw_batch_source from;
    lw_code_spec spec;
    int64_t steps, channels; /* of what comes out */
    float *x;                /* [from.n_steps, from.n_channels] */
    double *level;           /* [from.n_channels] delta: where the code believes the value to be */
} coded_set;

static double part_of(const lw_code_spec *s, double x) {
    double u = (x - s->lo) / (s->hi - s->lo);
    return u < 0 ? 0 : u > 1 ? 1 : u;
}

static void code_rate(const coded_set *set, int64_t i, float *out) {
    int64_t n = set->channels;
    uint32_t bits[4] = {0};
    for (int64_t t = 0; t < set->steps; t++) {
        const float *x = set->x + (set->from.n_steps == 1 ? 0 : t * n);
        for (int64_t c = 0; c < n; c++) {
            if (c % 4 == 0)
                lw_rng_bits(set->spec.seed, LW_PURPOSE_ENCODE, (uint64_t)i, (uint64_t)t, (uint32_t)(c / 4), bits);
            out[t * n + c] = (double)bits[c % 4] < set->spec.most * part_of(&set->spec, (double)x[c]) * 0x1p32 ? 1 : 0;
        }
    }
}

static void code_latency(const coded_set *set, float *out) {
    int64_t n = set->channels;
    memset(out, 0, (size_t)(set->steps * n) * sizeof *out);
    for (int64_t c = 0; c < n; c++) {
        double u = part_of(&set->spec, (double)set->x[c]);
        if (u > 0) out[(int64_t)((1 - u) * (double)(set->steps - 1) + 0.5) * n + c] = 1;
    }
}

/* Channel 2 c: the value has risen by a threshold above the level, which follows; 2 c + 1: fallen. */
static void code_delta(const coded_set *set, float *out) {
    int64_t n = set->from.n_channels;
    double threshold = set->spec.threshold;
    memset(out, 0, (size_t)(set->steps * 2 * n) * sizeof *out);
    for (int64_t c = 0; c < n; c++)
        set->level[c] = (double)set->x[c];
    for (int64_t t = 0; t < set->steps; t++)
        for (int64_t c = 0; c < n; c++) {
            double away = (double)set->x[t * n + c] - set->level[c];
            if (fabs(away) < threshold) continue;
            out[(t * n + c) * 2 + (away < 0)] = 1;
            set->level[c] += away < 0 ? -threshold : threshold;
        }
}

static void code_population(const coded_set *set, float *out) {
    int64_t n = set->from.n_steps * set->from.n_channels;
    const lw_code_spec *s = &set->spec;
    double apart = (s->hi - s->lo) / (s->fields - 1);
    for (int64_t k = 0; k < n; k++)
        for (int32_t f = 0; f < s->fields; f++) {
            double away = ((double)set->x[k] - s->lo - f * apart) / (s->width * apart);
            out[k * s->fields + f] = (float)exp(-0.5 * away * away);
        }
}

static lw_err coded_input(void *payload, int64_t i, float *out) {
    coded_set *set = payload;
    LW_TRY(set->from.input(set->from.payload, i, set->x));
    switch (set->spec.kind) {
    case LW_CODE_RATE:
        code_rate(set, i, out);
        break;
    case LW_CODE_LATENCY:
        code_latency(set, out);
        break;
    case LW_CODE_DELTA:
        code_delta(set, out);
        break;
    case LW_CODE_POPULATION:
        code_population(set, out);
        break;
    case LW_CODE_CURRENT:
        for (int64_t t = 0; t < set->steps; t++) {
            const float *x = set->x + (set->from.n_steps == 1 ? 0 : t * set->channels);
            memcpy(out + t * set->channels, x, (size_t)set->channels * sizeof *out);
        }
        break;
    }
    return LW_OK;
}

static lw_err coded_label(void *payload, int64_t i, int32_t *label) {
    const coded_set *set = payload;
    return set->from.label(set->from.payload, i, label);
}

/* A target for the one step there was is one for every step. */
static lw_err coded_target(void *payload, int64_t i, float *y) {
    const coded_set *set = payload;
    size_t n = (size_t)set->from.n_targets;
    LW_TRY(set->from.target(set->from.payload, i, y));
    for (int64_t t = set->from.n_steps; t < set->steps; t++)
        memcpy(y + (size_t)t * n, y, n * sizeof *y);
    return LW_OK;
}

static int64_t coded_length(void *payload, int64_t i) {
    const coded_set *set = payload;
    return set->from.length(set->from.payload, i);
}

static void coded_destroy(void *payload) {
    coded_set *set = payload;
    lw_batch_source_destroy(&set->from);
    lw_free(set->x);
    lw_free(set->level);
    lw_free(set);
}

static lw_err code_check(const lw_code_spec *s, const lw_batch_source *from) {
    bool still = from->n_steps == 1;
    LW_CHECK(s->lo < s->hi, LW_EUSE, "found values from %g to %g, the second must be larger", s->lo, s->hi);
    LW_CHECK(s->steps >= 0 && (s->steps == 0 || still), LW_EUSE,
        "found %lld steps for a code of samples that have %lld steps already, allowed is 0", (long long)s->steps,
        (long long)from->n_steps);
    LW_CHECK(s->kind != LW_CODE_LATENCY || (still && s->steps >= 1), LW_EUSE,
        "found latency with %lld steps for samples of %lld steps, allowed are 1 and more for samples of 1",
        (long long)s->steps, (long long)from->n_steps);
    LW_CHECK(s->kind != LW_CODE_RATE || (s->most > 0 && s->most <= 1), LW_EUSE,
        "found a largest chance of %g, allowed are numbers above 0 to 1", s->most);
    LW_CHECK(s->kind != LW_CODE_DELTA || (s->threshold > 0 && !still), LW_EUSE,
        "found delta with threshold %g for samples of %lld steps, allowed are numbers above 0, and 2 and more",
        s->threshold, (long long)from->n_steps);
    LW_CHECK(s->kind != LW_CODE_POPULATION || (s->fields >= 2 && s->width > 0 && s->steps == 0), LW_EUSE,
        "found %d fields of width %g over %lld steps, allowed are 2 and more, numbers above 0, and 0", s->fields,
        s->width, (long long)s->steps);
    LW_CHECK(!from->label_per_step || s->steps <= 1, LW_EUSE,
        "found a label for each of the steps, a code over %lld steps wants one for a sample", (long long)s->steps);
    return LW_OK;
}

lw_err lw_dataset_code(const lw_code_spec *spec, lw_batch_source *source) {
    coded_set *set = NULL;
    LW_TRY(code_check(spec, source));
    LW_TRY(lw_alloc(1, sizeof *set, "a code", &set));
    set->spec = *spec;
    set->steps = spec->steps > 0 ? spec->steps : source->n_steps;
    set->channels = source->n_channels;
    if (spec->kind == LW_CODE_DELTA) set->channels *= 2;
    if (spec->kind == LW_CODE_POPULATION) set->channels *= spec->fields;
    lw_err err = lw_alloc((size_t)(source->n_steps * source->n_channels), sizeof *set->x, "a code", &set->x);
    if (err == LW_OK) err = lw_alloc((size_t)source->n_channels, sizeof *set->level, "a code", &set->level);
    if (err == LW_OK && set->channels > INT32_MAX)
        err = LW_FAIL(LW_EUSE, "found %lld channels, too many", (long long)set->channels);
    if (err != LW_OK) {
        coded_destroy(set); /* which holds no source yet */
        return err;
    }
    set->from = *source;
    source->payload = set;
    source->n_steps = set->steps;
    source->n_channels = (int32_t)set->channels;
    source->input = coded_input;
    if (source->label) source->label = coded_label;
    if (source->target) source->target = coded_target;
    source->length = source->length ? coded_length : NULL;
    source->destroy = coded_destroy;
    return LW_OK;
}
