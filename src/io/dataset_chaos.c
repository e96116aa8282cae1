/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Chaotic series made on the spot: Lorenz (1963), Roessler (1976) and Mackey & Glass (1977), classical Runge-Kutta of
 * order 4 with a fixed step. Only additions and multiplications, so the numbers are the same on every machine. The
 * samples lie one behind the other on one long orbit whose start is drawn from the seed; inputs and targets of two
 * samples never overlap.
 */
#include <math.h>
#include <string.h>
#include <lapwing/io.h>
#include "dataset_chaos.h"

enum { SKIP_TIME = 100, MEASURE_TIME = 2000 }; /* time units: onto the attractor; for mean and deviation */

static void lorenz63_slope(const double x[3], double dxdt[3]) {
    dxdt[0] = 10.0 * (x[1] - x[0]);
    dxdt[1] = x[0] * (28.0 - x[2]) - x[1];
    dxdt[2] = x[0] * x[1] - 8.0 / 3.0 * x[2];
}

static void rossler_slope(const double x[3], double dxdt[3]) {
    dxdt[0] = -x[1] - x[2];
    dxdt[1] = x[0] + 0.2 * x[1];
    dxdt[2] = 0.2 + x[2] * (x[0] - 5.7);
}

const lw_chaos_flow lw_chaos_lorenz63 = {"lorenz63", lorenz63_slope, 0.005, {1, 1, 20}};
const lw_chaos_flow lw_chaos_rossler = {"rossler", rossler_slope, 0.02, {1, 1, 0}};

void lw_chaos_step(const lw_chaos_flow *flow, double h, double x[3]) {
    double k[4][3], at[3];
    static const double ahead[4] = {0, 0.5, 0.5, 1};
    for (int s = 0; s < 4; s++) {
        for (int c = 0; c < 3; c++)
            at[c] = s == 0 ? x[c] : x[c] + ahead[s] * h * k[s - 1][c];
        flow->slope(at, k[s]);
    }
    for (int c = 0; c < 3; c++)
        x[c] += h / 6.0 * (k[0][c] + 2.0 * k[1][c] + 2.0 * k[2][c] + k[3][c]);
}

/* Over `time`, in equal steps no longer than the flow's. */
static void flow_advance(const lw_chaos_flow *flow, double time, double x[3]) {
    int64_t n = (int64_t)ceil(time / flow->h - 1e-9);
    for (int64_t i = 0; i < n; i++)
        lw_chaos_step(flow, time / (double)n, x);
}

/* The same numbers for every seed and dt, so that training and test sets share them. */
static void flow_moments(const lw_chaos_flow *flow, double mean[3], double sd[3]) {
    double x[3], square[3] = {0};
    int64_t n = (int64_t)(MEASURE_TIME / flow->h);
    memcpy(x, flow->start, sizeof x);
    flow_advance(flow, SKIP_TIME, x);
    memset(mean, 0, 3 * sizeof *mean);
    for (int64_t i = 0; i < n; i++) {
        lw_chaos_step(flow, flow->h, x);
        for (int c = 0; c < 3; c++) {
            mean[c] += x[c] / (double)n;
            square[c] += x[c] * x[c] / (double)n;
        }
    }
    for (int c = 0; c < 3; c++)
        sd[c] = sqrt(square[c] - mean[c] * mean[c]);
}

typedef struct chaos_set {
    int64_t n_steps, horizon, n_channels;
    float *series; /* [n_samples, n_steps + horizon, n_channels] */
} chaos_set;

static void part_copy(const chaos_set *set, int64_t i, int64_t first, float *out) {
    const float *from = set->series + (i * (set->n_steps + set->horizon) + first) * set->n_channels;
    memcpy(out, from, (size_t)(set->n_steps * set->n_channels) * sizeof *out);
}

static lw_err chaos_input(void *payload, int64_t i, float *x) {
    part_copy(payload, i, 0, x);
    return LW_OK;
}

static lw_err chaos_target(void *payload, int64_t i, float *y) {
    const chaos_set *set = payload;
    part_copy(set, i, set->horizon, y);
    return LW_OK;
}

static void chaos_destroy(void *payload) {
    chaos_set *set = payload;
    lw_free(set->series);
    lw_free(set);
}

static void chaos_fill(const lw_chaos_flow *flow, int64_t n_points, double dt, uint64_t seed, float *series) {
    double mean[3], sd[3], x[3];
    flow_moments(flow, mean, sd);
    for (int c = 0; c < 3; c++)
        x[c] = flow->start[c] + 2.0 * lw_rng_uniform(seed, LW_PURPOSE_DATA, (uint64_t)c, 0, 0) - 1.0;
    flow_advance(flow, SKIP_TIME, x);
    for (int64_t p = 0; p < n_points; p++) {
        for (int c = 0; c < 3; c++)
            series[3 * p + c] = (float)((x[c] - mean[c]) / sd[c]);
        flow_advance(flow, dt, x);
    }
}

/* ------------------------------------------------------------------ Mackey-Glass */

enum { MACKEY_LAG = 170, MACKEY_TAU = 17, MACKEY_SKIP = 2000, MACKEY_MEASURE = 20000 }; /* steps; time units */

void lw_mackey_begin(lw_mackey *m, double start) {
    for (int64_t i = 0; i < m->lag + 2; i++)
        m->past[i] = start;
    m->at = 0;
}

static double mackey_slope(double x, double late) {
    double two = late * late, five = two * two * late;
    return 0.2 * late / (1 + five * five) - 0.1 * x;
}

/* x of step i, at most lag + 1 before the present one */
static double mackey_past(const lw_mackey *m, int64_t i) {
    int64_t n = m->lag + 2;
    return m->past[(i % n + n) % n];
}

double lw_mackey_step(lw_mackey *m) {
    int64_t i = m->at - m->lag;
    double x = mackey_past(m, m->at), before = mackey_past(m, i - 1), here = mackey_past(m, i);
    double next = mackey_past(m, i + 1), after = mackey_past(m, i + 2),
           half = (9 * (here + next) - before - after) / 16;
    double a = mackey_slope(x, here), b = mackey_slope(x + m->h / 2 * a, half);
    double c = mackey_slope(x + m->h / 2 * b, half), d = mackey_slope(x + m->h * c, next);
    x += m->h / 6 * (a + 2 * (b + c) + d);
    m->at++;
    m->past[m->at % (m->lag + 2)] = x;
    return x;
}

static lw_err mackey_fill(int64_t n_points, double dt, uint64_t seed, float *series) {
    lw_mackey m = {.h = (double)MACKEY_TAU / MACKEY_LAG, .lag = MACKEY_LAG};
    int64_t every = (int64_t)(dt / m.h + 0.5), n = (int64_t)(MACKEY_MEASURE / m.h);
    double mean = 0, square = 0;
    LW_CHECK(every >= 1 && fabs((double)every * m.h - dt) < 1e-9 * dt, LW_EUSE,
        "found a sampling interval of %g, allowed are multiples of %g", dt, m.h);
    LW_TRY(lw_alloc(MACKEY_LAG + 2, sizeof *m.past, "a delayed series", &m.past));
    lw_mackey_begin(&m, 1.2);
    for (int64_t i = 0; i < (int64_t)(MACKEY_SKIP / m.h); i++)
        (void)lw_mackey_step(&m);
    for (int64_t i = 0; i < n; i++) {
        double x = lw_mackey_step(&m);
        mean += x / (double)n;
        square += x * x / (double)n;
    }
    double sd = sqrt(square - mean * mean);
    lw_mackey_begin(&m, 1.1 + 0.2 * lw_rng_uniform(seed, LW_PURPOSE_DATA, 0, 0, 0));
    int64_t skip = (int64_t)(MACKEY_SKIP * (1 + lw_rng_uniform(seed, LW_PURPOSE_DATA, 1, 0, 0)) / m.h);
    for (int64_t i = 0; i < skip; i++)
        (void)lw_mackey_step(&m);
    for (int64_t p = 0; p < n_points; p++) {
        double x = 0;
        for (int64_t k = 0; k < every; k++)
            x = lw_mackey_step(&m);
        series[p] = (float)((x - mean) / sd);
    }
    lw_free(m.past);
    return LW_OK;
}

/* ------------------------------------------------------------------ sets */

static lw_err chaos_make(const lw_chaos_flow *flow, int64_t n_samples, double dt, uint64_t seed, chaos_set *set) {
    int64_t n_points = 0, room = 0;
    bool large = __builtin_add_overflow(set->n_steps, set->horizon, &room) ||
                 __builtin_mul_overflow(room, n_samples, &n_points) || n_points > INT64_MAX / 3;
    LW_CHECK(!large, LW_EUSE, "a chaotic series of %lld samples of %lld steps is too long", (long long)n_samples,
        (long long)set->n_steps);
    LW_TRY(lw_alloc((size_t)(n_points * set->n_channels), sizeof *set->series, "a chaotic series", &set->series));
    if (!flow) return mackey_fill(n_points, dt, seed, set->series);
    chaos_fill(flow, n_points, dt, seed, set->series);
    return LW_OK;
}

lw_err lw_dataset_chaos(const char *system, int64_t n_samples, int64_t n_steps, double dt, int64_t horizon,
    uint64_t seed, lw_batch_source *out) {
    static const lw_chaos_flow *const flows[] = {&lw_chaos_lorenz63, &lw_chaos_rossler};
    const lw_chaos_flow *flow = NULL;
    chaos_set *set = NULL;
    *out = (lw_batch_source){0};
    for (size_t f = 0; f < sizeof flows / sizeof flows[0]; f++)
        if (strcmp(system, flows[f]->name) == 0) flow = flows[f];
    LW_CHECK(flow || !strcmp(system, "mackey_glass"), LW_EUSE,
        "found chaotic system '%s', allowed are lorenz63, rossler, mackey_glass", system);
    LW_CHECK(n_samples >= 1 && n_steps >= 1, LW_EUSE, "found %lld samples of %lld steps, allowed are 1 and more",
        (long long)n_samples, (long long)n_steps);
    LW_CHECK(isfinite(dt) && dt > 0, LW_EUSE, "found a sampling interval of %g, allowed are numbers above 0", dt);
    LW_CHECK(horizon >= 0, LW_EUSE, "found horizon %lld, allowed are 0 and more", (long long)horizon);
    LW_TRY(lw_alloc(1, sizeof *set, "a data set", &set));
    *set = (chaos_set){.n_steps = n_steps, .horizon = horizon, .n_channels = flow ? 3 : 1};
    lw_err err = chaos_make(flow, n_samples, dt, seed, set);
    if (err != LW_OK) {
        chaos_destroy(set);
        return err;
    }
    *out = (lw_batch_source){.payload = set,
        .n_samples = n_samples,
        .n_steps = n_steps,
        .n_channels = (int32_t)set->n_channels,
        .n_targets = (int32_t)set->n_channels,
        .input = chaos_input,
        .target = chaos_target,
        .destroy = chaos_destroy};
    return LW_OK;
}
