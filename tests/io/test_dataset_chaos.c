/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Generated series: one Runge-Kutta step written out by hand, the order of the method, invariants of the Lorenz
 * attractor, windows of one orbit, and a pure function of the seed.
 */
#include "check.h"
#include <lapwing/io.h>
#include "dataset_chaos.h"

static void lorenz(double x, double y, double z, double d[3]) {
    d[0] = 10 * (y - x);
    d[1] = x * (28 - z) - y;
    d[2] = x * y - 8.0 / 3.0 * z;
}

TEST(step_by_hand) {
    double x[3] = {1.5, -2, 20}, h = 0.005, a[3], b[3], c[3], d[3];
    lorenz(x[0], x[1], x[2], a);
    lorenz(x[0] + h / 2 * a[0], x[1] + h / 2 * a[1], x[2] + h / 2 * a[2], b);
    lorenz(x[0] + h / 2 * b[0], x[1] + h / 2 * b[1], x[2] + h / 2 * b[2], c);
    lorenz(x[0] + h * c[0], x[1] + h * c[1], x[2] + h * c[2], d);
    double want[3];
    for (int k = 0; k < 3; k++)
        want[k] = x[k] + h * (a[k] + 2 * b[k] + 2 * c[k] + d[k]) / 6;
    lw_chaos_step(&lw_chaos_lorenz63, h, x);
    for (int k = 0; k < 3; k++)
        CHECK_REL(x[k], want[k], 1e-15);
}

/* Largest deviation over one time unit between step h and step h / 2. */
static double deviation(const lw_chaos_flow *flow, double h) {
    double x[3] = {1, 2, 15}, y[3] = {1, 2, 15}, worst = 0;
    int n = (int)(1 / h + 0.5);
    for (int i = 0; i < n; i++) {
        lw_chaos_step(flow, h, x);
        lw_chaos_step(flow, h / 2, y);
        lw_chaos_step(flow, h / 2, y);
        for (int k = 0; k < 3; k++)
            worst = fmax(worst, fabs(x[k] - y[k]));
    }
    return worst;
}

TEST(order_four) {
    const lw_chaos_flow *flows[] = {&lw_chaos_lorenz63, &lw_chaos_rossler};
    for (int f = 0; f < 2; f++) {
        double h = flows[f]->h, coarse = deviation(flows[f], h), fine = deviation(flows[f], h / 2);
        CHECK(coarse < 1e-4);
        CHECK_CLOSE(log2(coarse / fine), 4, 0.3);
    }
}

TEST(windows_of_one_orbit) {
    enum { SAMPLES = 5, STEPS = 40, HORIZON = 3 };
    static float x[STEPS * 3], y[STEPS * 3], z[STEPS * 3];
    static const char *const systems[] = {"lorenz63", "rossler"};
    for (int s = 0; s < 2; s++) {
        lw_batch_source set, again, other, finer;
        CHECK_OK(lw_dataset_chaos(systems[s], SAMPLES, STEPS, 0.1, HORIZON, 7, &set));
        CHECK_OK(lw_dataset_chaos(systems[s], SAMPLES + 2, STEPS, 0.1, HORIZON, 7, &again));
        CHECK_OK(lw_dataset_chaos(systems[s], SAMPLES, STEPS, 0.1, HORIZON, 8, &other));
        CHECK_OK(lw_dataset_chaos(systems[s], 1, 2 * STEPS, 0.05, 0, 7, &finer));
        CHECK_INT(set.n_channels, 3);
        CHECK_INT(set.n_targets, 3);
        for (int i = 0; i < SAMPLES; i++) {
            CHECK_OK(set.input(set.payload, i, x));
            CHECK_OK(set.target(set.payload, i, y));
            CHECK(memcmp(x + 3 * HORIZON, y, (STEPS - HORIZON) * 3 * sizeof *x) == 0);
            CHECK_OK(again.input(again.payload, i, z));
            CHECK(memcmp(x, z, sizeof x) == 0);
            CHECK_OK(other.input(other.payload, i, z));
            CHECK(memcmp(x, z, sizeof x) != 0);
            /* inputs and targets of two samples do not overlap */
            if (i == 0) continue;
            CHECK_OK(set.target(set.payload, i - 1, z));
            CHECK(memcmp(x, z + (STEPS - 1) * 3, 3 * sizeof *x) != 0);
        }
        static float dense[2 * STEPS * 3];
        CHECK_OK(finer.input(finer.payload, 0, dense));
        CHECK_OK(set.input(set.payload, 0, x));
        for (int t = 0; t < 5; t++) /* sampled twice as finely: the same orbit, up to the chaos in the rounding */
            CHECK_CLOSE(dense[6 * t], x[3 * t], 1e-5);
        lw_batch_source_destroy(&set);
        lw_batch_source_destroy(&again);
        lw_batch_source_destroy(&other);
        lw_batch_source_destroy(&finer);
    }
}

TEST(normalised_and_on_the_attractor) {
    enum { STEPS = 40000 };
    static float x[STEPS * 3];
    lw_batch_source set;
    CHECK_OK(lw_dataset_chaos("lorenz63", 1, STEPS, 0.05, 0, 3, &set));
    CHECK_OK(set.input(set.payload, 0, x));
    double mean[3] = {0}, square[3] = {0}, correlation = 0;
    for (int t = 0; t < STEPS; t++) {
        for (int c = 0; c < 3; c++) {
            mean[c] += x[3 * t + c] / (double)STEPS;
            square[c] += (double)x[3 * t + c] * x[3 * t + c] / STEPS;
        }
        correlation += (double)x[3 * t] * x[3 * t + 1] / STEPS;
    }
    for (int c = 0; c < 3; c++) {
        CHECK_CLOSE(mean[c], 0, 0.1);
        CHECK_CLOSE(square[c], 1, 0.05);
    }
    /* from the equations, averaged over a long orbit: <xy> = <x^2> (d<x^2>/dt = 0), so the correlation is sd(x) / sd(y)
     */
    CHECK_CLOSE(correlation, 0.88, 0.03);
    lw_batch_source_destroy(&set);
}

/* Mackey-Glass while the delayed value is still the constant before the beginning: a linear equation. */
TEST(delayed_series_begins_as_a_linear_one) {
    static double past[400];
    lw_mackey m = {.h = 0.1, .lag = 170, .past = past};
    double start = 1.3, x = 0, level = 2 * start / (1 + pow(start, 10));
    lw_mackey_begin(&m, start);
    for (int i = 1; i <= 169; i++) {
        x = lw_mackey_step(&m);
        CHECK_CLOSE(x, level + (start - level) * exp(-0.1 * 0.1 * i), 1e-10);
    }
    lw_mackey_begin(&m, 1); /* where production and decay are equal */
    for (int i = 0; i < 300; i++)
        CHECK_CLOSE(lw_mackey_step(&m), 1, 1e-14);
}

/* Of order two only: where the constant ends x has a corner, which the cubic between four points does not see. */
TEST(delayed_series_converges) {
    static double past[800], at[3];
    for (int k = 0; k < 3; k++) {
        lw_mackey m = {.h = 1.0 / (1 << k), .lag = 17 << k, .past = past};
        lw_mackey_begin(&m, 1.2);
        for (int i = 0; i < 120 << k; i++)
            at[k] = lw_mackey_step(&m);
    }
    CHECK(fabs(at[1] - at[2]) < 1e-3);
    CHECK(log2(fabs(at[0] - at[1]) / fabs(at[1] - at[2])) > 1.7);
}

TEST(delayed_series_in_windows) {
    enum { SAMPLES = 3, N = 6000, HORIZON = 7 };
    static float x[N], y[N], z[N];
    lw_batch_source set, other;
    double mean = 0, square = 0, after = 0;
    CHECK_OK(lw_dataset_chaos("mackey_glass", SAMPLES, N, 1, HORIZON, 3, &set));
    CHECK_OK(lw_dataset_chaos("mackey_glass", SAMPLES, N, 1, HORIZON, 4, &other));
    CHECK_INT(set.n_channels, 1);
    CHECK_INT(set.n_targets, 1);
    CHECK_OK(set.input(set.payload, 1, x));
    CHECK_OK(set.target(set.payload, 1, y));
    CHECK(memcmp(x + HORIZON, y, (N - HORIZON) * sizeof *x) == 0);
    CHECK_OK(other.input(other.payload, 1, z));
    for (int i = 0; i < N; i++) {
        mean += x[i] / (double)N;
        square += (double)x[i] * x[i] / N;
        after += (double)x[i] * z[i] / N;
    }
    CHECK_CLOSE(mean, 0, 0.1);
    CHECK_CLOSE(square, 1, 0.1);
    CHECK_CLOSE(after, 0, 0.5); /* another seed: another orbit */
    lw_batch_source_destroy(&set);
    lw_batch_source_destroy(&other);
    CHECK_FAILS(
        lw_dataset_chaos("mackey_glass", 1, 10, 0.25, 1, 0, &set), LW_EUSE, "0.25, allowed are multiples of 0.1");
}

TEST(wrong_arguments_are_named) {
    lw_batch_source set;
    CHECK_FAILS(
        lw_dataset_chaos("lorentz", 1, 1, 0.1, 0, 0, &set), LW_EUSE, "'lorentz', allowed are lorenz63, rossler");
    CHECK_FAILS(lw_dataset_chaos("rossler", 0, 1, 0.1, 0, 0, &set), LW_EUSE, "0 samples");
    CHECK_FAILS(lw_dataset_chaos("rossler", 1, 1, 0, 0, 0, &set), LW_EUSE, "interval of 0");
    CHECK_FAILS(lw_dataset_chaos("rossler", 1, 1, NAN, 0, 0, &set), LW_EUSE, "interval");
    CHECK_FAILS(lw_dataset_chaos("rossler", 1, 1, 0.1, -1, 0, &set), LW_EUSE, "horizon -1");
    CHECK_FAILS(lw_dataset_chaos("rossler", INT64_MAX / 2, 5, 0.1, 0, 0, &set), LW_EUSE, "too long");
    CHECK(set.payload == NULL);
}

CHECK_MAIN(CASE(step_by_hand), CASE(order_four), CASE(windows_of_one_orbit), CASE(normalised_and_on_the_attractor),
    CASE(delayed_series_begins_as_a_linear_one), CASE(delayed_series_converges), CASE(delayed_series_in_windows),
    CASE(wrong_arguments_are_named))
