/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Neuron models of the engine's tests, written by hand against kernel.h (forward kernels only), so that a fault of the
 * model compiler does not look like one of the engine: a leaky integrate-and-fire neuron, a leaky rate unit with output
 * tanh(h), and a relay that hands its input on within the step.
 */
#ifndef LAPWING_TEST_SIM_MODELS_H
#define LAPWING_TEST_SIM_MODELS_H

#include <lapwing/kernel.h>

/* lif: tau v' = -v + drive, jumps by `kick`; held for t_ref after a spike, kicks are lost then */
enum { LIF_TAU, LIF_THRESHOLD, LIF_RESET, LIF_REFRACTORY, LIF_PARAMS };
enum { LIF_KICK, LIF_DRIVE };

#define MODEL_KERNELS(REAL, name, uniform)                                                                             \
    static void lif_update_##name(const lw_kernel_args *a) {                                                           \
        const REAL *decay = a->coef[0], *threshold = a->coef[1], *kick = a->input[0], *drive = a->input[1];            \
        REAL *v = a->state[0], *u = a->margin;                                                                         \
        for (int64_t i = 0; i < a->n * a->width; i++) {                                                                \
            int64_t k = uniform ? 0 : i / a->width;                                                                    \
            int held = a->refractory[i] > 0;                                                                           \
            if (held)                                                                                                  \
                a->refractory[i]--;                                                                                    \
            else                                                                                                       \
                v[i] = decay[k] * v[i] + (1 - decay[k]) * drive[i] + kick[i];                                          \
            if (u) u[i] = v[i] - threshold[k];                                                                         \
            if (a->held) a->held[i] = (uint8_t)held;                                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    static void lif_fire_##name(const lw_kernel_args *a) {                                                             \
        const REAL *reset = a->coef[2], *steps = a->coef[3], *s = a->spike;                                            \
        REAL *v = a->state[0];                                                                                         \
        for (int64_t i = 0; i < a->n * a->width; i++) {                                                                \
            int64_t k = uniform ? 0 : i / a->width;                                                                    \
            v[i] = (1 - s[i]) * v[i] + s[i] * reset[k];                                                                \
            if (s[i] == 1) a->refractory[i] = (int32_t)steps[k];                                                       \
        }                                                                                                              \
    }                                                                                                                  \
    static void lif_step_##name(const lw_kernel_args *a) {                                                             \
        const REAL *decay = a->coef[0], *threshold = a->coef[1], *reset = a->coef[2], *steps = a->coef[3];             \
        const REAL *kick = a->input[0], *drive = a->input[1];                                                          \
        REAL *v = a->state[0], *out = a->out;                                                                          \
        for (int64_t i = 0; i < a->n * a->width; i++) {                                                                \
            int64_t k = uniform ? 0 : i / a->width;                                                                    \
            out[i] = 0;                                                                                                \
            if (a->refractory[i] > 0) {                                                                                \
                a->refractory[i]--;                                                                                    \
                continue;                                                                                              \
            }                                                                                                          \
            v[i] = decay[k] * v[i] + (1 - decay[k]) * drive[i] + kick[i];                                              \
            if (v[i] - threshold[k] < 0) continue;                                                                     \
            out[i] = 1;                                                                                                \
            v[i] = reset[k];                                                                                           \
            a->refractory[i] = (int32_t)steps[k];                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    static void rate_update_##name(const lw_kernel_args *a) {                                                          \
        const REAL *leak = a->coef[0], *x = a->input[0];                                                               \
        REAL *h = a->state[0];                                                                                         \
        for (int64_t i = 0; i < a->n * a->width; i++)                                                                  \
            h[i] = leak[uniform ? 0 : i / a->width] * h[i] + x[i];                                                     \
    }                                                                                                                  \
    static void rate_fire_##name(const lw_kernel_args *a) {                                                            \
        REAL *h = a->state[0], *out = a->out;                                                                          \
        for (int64_t i = 0; i < a->n * a->width; i++)                                                                  \
            out[i] = (REAL)tanh((double)h[i]);                                                                         \
    }                                                                                                                  \
    static void rate_step_##name(const lw_kernel_args *a) {                                                            \
        rate_update_##name(a);                                                                                         \
        rate_fire_##name(a);                                                                                           \
    }                                                                                                                  \
    static void relay_update_##name(const lw_kernel_args *a) {                                                         \
        const REAL *x = a->input[0];                                                                                   \
        REAL *y = a->state[0];                                                                                         \
        for (int64_t i = 0; i < a->n * a->width; i++)                                                                  \
            y[i] = x[i];                                                                                               \
    }                                                                                                                  \
    static void relay_fire_##name(const lw_kernel_args *a) {                                                           \
        REAL *y = a->state[0], *out = a->out;                                                                          \
        for (int64_t i = 0; i < a->n * a->width; i++)                                                                  \
            out[i] = y[i];                                                                                             \
    }                                                                                                                  \
    static void relay_step_##name(const lw_kernel_args *a) {                                                           \
        relay_update_##name(a);                                                                                        \
        relay_fire_##name(a);                                                                                          \
    }
MODEL_KERNELS(float, f32, 0)
MODEL_KERNELS(float, f32_uniform, 1)
MODEL_KERNELS(double, f64, 0)
MODEL_KERNELS(double, f64_uniform, 1)

#define MODEL_SETS(model)                                                                                              \
    {                                                                                                                  \
        {{.step = model##_step_f32, .update = model##_update_f32, .fire = model##_fire_f32},                           \
            {.step = model##_step_f32_uniform,                                                                         \
                .update = model##_update_f32_uniform,                                                                  \
                .fire = model##_fire_f32_uniform}},                                                                    \
        {                                                                                                              \
            {.step = model##_step_f64, .update = model##_update_f64, .fire = model##_fire_f64}, {                      \
                .step = model##_step_f64_uniform, .update = model##_update_f64_uniform,                                \
                .fire = model##_fire_f64_uniform                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }

static void coef_put(int32_t precision, void *coef, int64_t i, double x) {
    if (precision)
        ((double *)coef)[i] = x;
    else
        ((float *)coef)[i] = (float)x;
}
static void lif_derive(int64_t n, double dt, const double *const *param, int32_t precision, void *const *coef) {
    for (int64_t i = 0; i < n; i++) {
        coef_put(precision, coef[0], i, exp(-dt / param[LIF_TAU][i]));
        coef_put(precision, coef[1], i, param[LIF_THRESHOLD][i]);
        coef_put(precision, coef[2], i, param[LIF_RESET][i]);
        coef_put(precision, coef[3], i, round(param[LIF_REFRACTORY][i] / dt));
    }
}
static void rate_derive(int64_t n, double dt, const double *const *param, int32_t precision, void *const *coef) {
    (void)dt;
    for (int64_t i = 0; i < n; i++)
        coef_put(precision, coef[0], i, param[0][i]);
}
static void zero_init(int64_t n, double dt, const double *const *param, double *const *state) {
    (void)dt, (void)param;
    for (int64_t i = 0; i < n; i++)
        state[0][i] = 0;
}

static const lw_model_param lif_params[] = {{"tau", "ms", "", 20, 1, 0, INFINITY, 1, 1},
    {"v_th", "mV", "", 20, 1, -INFINITY, INFINITY, 1, 1}, {"v_reset", "mV", "", 10, 1, -INFINITY, INFINITY, 1, 1},
    {"t_ref", "ms", "", 2, 1, 0, INFINITY, 0, 1}};
static const lw_model_name lif_states[] = {{"v", "mV", "", 1}};
static const lw_model_name lif_inputs[] = {{"kick", "mV", "", 1}, {"drive", "mV", "", 1}};
static const lw_model_param rate_params[] = {{"leak", "1", "", 0.9, 1, -INFINITY, INFINITY, 1, 1}};
static const lw_model_name rate_states[] = {{"h", "1", "", 1}};
static const lw_model_name rate_inputs[] = {{"x", "1", "", 1}};

static const lw_model model_lif = {.abi = LW_KERNEL_ABI,
    .name = "test_lif",
    .about = "",
    .text = "",
    .key = "test_lif",
    .n_param = LIF_PARAMS,
    .n_state = 1,
    .n_input = 2,
    .n_coef = 4,
    .param = lif_params,
    .state = lif_states,
    .input = lif_inputs,
    .emits_spikes = 1,
    .has_refractory = 1,
    .refractory_coef = 3,
    .derive = lif_derive,
    .init = zero_init,
    .set = MODEL_SETS(lif)};
static const lw_model model_rate = {.abi = LW_KERNEL_ABI,
    .name = "test_rate",
    .about = "",
    .text = "",
    .key = "test_rate",
    .n_param = 1,
    .n_state = 1,
    .n_input = 1,
    .n_coef = 1,
    .param = rate_params,
    .state = rate_states,
    .input = rate_inputs,
    .refractory_coef = -1,
    .derive = rate_derive,
    .init = zero_init,
    .set = MODEL_SETS(rate)};
static const lw_model model_relay = {.abi = LW_KERNEL_ABI,
    .name = "test_relay",
    .about = "",
    .text = "",
    .key = "test_relay",
    .n_param = 1,
    .n_state = 1,
    .n_input = 1,
    .n_coef = 1,
    .param = rate_params,
    .state = rate_states,
    .input = rate_inputs,
    .refractory_coef = -1,
    .derive = rate_derive,
    .init = zero_init,
    .set = MODEL_SETS(relay)};

#endif
