/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A bench to put one compiled model on: n neurons, `width` lanes, arrays of every role of lw_kernel_args in either
 * precision, filled with random numbers of a sensible size. Arrays may be poisoned. Used by the kernel tests of this
 * floor.
 */
#ifndef LAPWING_TEST_BENCH_H
#define LAPWING_TEST_BENCH_H

#include <lapwing/model.h>
#include "check.h"

enum { BENCH_N = 5, BENCH_WIDTH = 6, BENCH_ARRAYS = 64, BENCH_ELEMENTS = BENCH_N * BENCH_WIDTH };

/* arrays of one role: at[k] is the k-th state, input, coefficient, ... */
typedef struct bench_arrays {
    void *at[BENCH_ARRAYS];
    double room[BENCH_ARRAYS][BENCH_ELEMENTS]; /* also holds floats */
} bench_arrays;

typedef struct bench {
    const lw_model *model;
    int precision, uniform;
    int64_t n, width, point_width;
    double dt;
    uint64_t seed;
    double param[BENCH_ARRAYS][BENCH_N];
    bench_arrays coef, state, input, out, margin, spike, old, in, pre, point_spike, slope;
    int32_t refractory[BENCH_ELEMENTS];
    uint8_t held[BENCH_ELEMENTS], point_held[BENCH_ELEMENTS];
} bench;

static inline void bench_arrays_reset(bench_arrays *a) {
    memset(a->room, 0, sizeof a->room);
    for (int k = 0; k < BENCH_ARRAYS; k++)
        a->at[k] = a->room[k];
}

static inline double bench_get(const bench *b, const void *array, int64_t i) {
    return b->precision ? ((const double *)array)[i] : (double)((const float *)array)[i];
}
static inline void bench_set(const bench *b, void *array, int64_t i, double value) {
    if (b->precision)
        ((double *)array)[i] = value;
    else
        ((float *)array)[i] = (float)value;
}

/* uniform in (-1, 1), a pure function of what it is for */
static inline double bench_random(const bench *b, int role, int k, int64_t i) {
    return 2 * lw_rng_uniform(b->seed, LW_PURPOSE_CHECK, (uint64_t)role, (uint64_t)k * 1000 + (uint64_t)i, 0) - 1;
}

static inline double bench_unit_size(const char *unit) {
    return strcmp(unit, "mV") == 0 ? 15 : strcmp(unit, "pA") == 0 ? 300 : 1;
}

static inline double bench_param_draw(const bench *b, int p, int64_t i) {
    const lw_model_param *q = &b->model->param[p];
    double value =
        q->value * (1 + 0.2 * bench_random(b, 1, p, i)) + (q->value == 0 ? 0.1 * bench_random(b, 2, p, i) : 0);
    return lw_model_param_clamp(b->model, p, value);
}

static inline void bench_derive(bench *b) {
    const double *param[BENCH_ARRAYS];
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = b->param[p];
    b->model->derive(b->uniform ? 1 : b->n, b->dt, param, b->precision, b->coef.at);
}

/* parameters, coefficients, random state, input and counters; the smooth spike function is left to the test */
static inline void bench_start(
    bench *b, const lw_model *model, int precision, int uniform, int64_t width, int64_t point_width, uint64_t seed) {
    memset(b, 0, sizeof *b);
    b->model = model;
    b->precision = precision;
    b->uniform = uniform;
    b->n = BENCH_N;
    b->width = width;
    b->point_width = point_width;
    /* maps have no time, flows and Hodgkin-Huxley need a short step */
    b->dt = model->n_input && strcmp(model->name, "hh") != 0 ? 0.5 : 0.02;
    b->seed = seed;
    bench_arrays *all[] = {&b->coef, &b->state, &b->input, &b->out, &b->margin, &b->spike, &b->old, &b->in, &b->pre,
        &b->point_spike, &b->slope};
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
        bench_arrays_reset(all[k]);
    for (int p = 0; p < model->n_param; p++)
        for (int64_t i = 0; i < b->n; i++)
            b->param[p][i] = bench_param_draw(b, p, uniform ? 0 : i);
    bench_derive(b);
    double init[BENCH_ARRAYS][BENCH_N], *init_at[BENCH_ARRAYS];
    const double *param[BENCH_ARRAYS];
    for (int k = 0; k < BENCH_ARRAYS; k++) {
        init_at[k] = init[k];
        param[k] = b->param[k];
    }
    model->init(b->n, b->dt, param, init_at);
    for (int s = 0; s < model->n_state; s++)
        for (int64_t i = 0; i < b->n * width; i++) {
            double noise = bench_unit_size(model->state[s].unit) * bench_random(b, 3, s, i);
            if (strcmp(model->name, "hh") == 0 && s > 0) noise *= 0.04; /* gates lie between 0 and 1 */
            bench_set(b, b->state.at[s], i, init[s][i / width] + noise);
        }
    for (int s = 0; s < model->n_input; s++)
        for (int64_t i = 0; i < b->n * width; i++)
            bench_set(b, b->input.at[s], i, bench_unit_size(model->input[s].unit) * bench_random(b, 4, s, i));
    for (int64_t i = 0; model->has_refractory && i < b->n * width; i++)
        b->refractory[i] = bench_random(b, 5, 0, i) > 0.4 ? 1 + (int32_t)(i % 2) : 0;
}

static inline lw_kernel_args bench_args(bench *b) {
    lw_kernel_args a = {.n = b->n, .width = b->width, .point_width = b->point_width};
    a.coef = (const void *const *)b->coef.at;
    a.state = b->state.at;
    a.input = (const void *const *)b->input.at;
    a.out = b->out.at[0];
    a.margin = b->margin.at[0];
    a.refractory = b->model->has_refractory ? b->refractory : NULL;
    a.held = b->model->has_refractory ? b->held : NULL;
    a.spike = b->spike.at[0];
    a.point_old = (const void *const *)b->old.at;
    a.point_in = (const void *const *)b->in.at;
    a.point_pre = (const void *const *)b->pre.at;
    a.point_spike = b->point_spike.at[0];
    a.point_slope = b->slope.at[0];
    a.point_held = b->model->has_refractory ? b->point_held : NULL;
    return a;
}

static inline const lw_kernel_set *bench_kernels(const bench *b) {
    return &b->model->set[b->precision][b->uniform];
}

/* the models of every kernel test: all built-in ones and those of tests/models */
#define BENCH_TEST_MODELS(X)                                                                                           \
    X(henon)                                                                                                           \
    X(lorenz63) X(rossler) X(tanh_unit) X(linear_unit) X(ref_lif_hard) X(ref_lif_soft) X(ref_lif_soft2) X(zoo) X(chain)
#define X(name) extern const lw_model lw_model_##name;
BENCH_TEST_MODELS(X)
#undef X

static inline int bench_model_count(void) {
#define X(name) +1
    return lw_model_builtin_count() BENCH_TEST_MODELS(X);
#undef X
}
static inline const lw_model *bench_model_at(int i) {
#define X(name) &lw_model_##name,
    static const lw_model *const extra[] = {BENCH_TEST_MODELS(X)};
#undef X
    int n = lw_model_builtin_count();
    return i < n ? lw_model_builtin_at(i) : extra[i - n];
}

#endif
