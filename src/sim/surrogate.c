/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Surrogate derivatives of the threshold, their antiderivatives (smooth spikes), and the phase of a step that turns
 * margins into spikes. The antiderivative of scale * slope with value 1/2 at u = 0 is a true primitive, so that with
 * smooth spikes the adjoint sweep is the derivative of what runs; it stays in [0, 1] only for kinds whose slope
 * integrates to 1 (sigmoid, gaussian; others with a suitable scale).
 */
#include <math.h>
#include <string.h>
#include "engine.h"

#define HALF_PI 1.5707963267948966
#define INV_SQRT_2 0.7071067811865476
#define INV_SQRT_2PI 0.3989422804014327

#define REAL float
#define LW_T(name) name##_f32
#define EXP expf
#define TANH tanhf
#define ATAN atanf
#define ERF erff
#include "surrogate_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#define EXP exp
#define TANH tanh
#define ATAN atan
#define ERF erf
#include "surrogate_typed.c"

/* in the order of lw_surrogate_kind */
static const char *const NAMES[] = {"superspike", "sigmoid", "arctan", "triangle", "boxcar", "gaussian"};
enum { N_NAMES = sizeof NAMES / sizeof NAMES[0] };

lw_err lw_surrogate_parse(const char *name, lw_surrogate_kind *kind) {
    for (int i = 0; i < N_NAMES; i++) {
        if (strcmp(name, NAMES[i]) != 0) continue;
        *kind = (lw_surrogate_kind)i;
        return LW_OK;
    }
    return LW_FAIL(
        LW_EUSE, "surrogate \"%s\" is unknown; allowed: superspike, sigmoid, arctan, triangle, boxcar, gaussian", name);
}

const char *lw_surrogate_name(lw_surrogate_kind kind) {
    return NAMES[kind];
}

double lw_surrogate_slope(const lw_surrogate *s, double u) {
    return s->scale * slope_of_f64(s->kind, s->slope, u);
}

/* Beside their jumps; at them, of which there are up to three, 0. */
static double curve_of(const lw_surrogate *s, double u) {
    double b = s->slope, x = b * u, a = fabs(x), sign = u > 0 ? 1 : u < 0 ? -1 : 0, c;
    switch (s->kind) {
    case LW_SURROGATE_SUPERSPIKE:
        return -2 * b * sign / ((1 + a) * (1 + a) * (1 + a));
    case LW_SURROGATE_SIGMOID:
        return -b * tanh(x / 2) * slope_of_f64(s->kind, b, u);
    case LW_SURROGATE_ARCTAN:
        c = 1 / (1 + HALF_PI * HALF_PI * x * x);
        return -2 * HALF_PI * HALF_PI * b * x * c * c;
    case LW_SURROGATE_TRIANGLE:
        return a < 1 ? -b * sign : 0;
    case LW_SURROGATE_BOXCAR:
        return 0;
    case LW_SURROGATE_GAUSSIAN:
        return -b * x * slope_of_f64(s->kind, b, u);
    }
    return 0;
}

double lw_surrogate_curve(const lw_surrogate *s, double u) {
    return s->scale * curve_of(s, u);
}

double lw_surrogate_smooth(const lw_surrogate *s, double u) {
    return 0.5 + s->scale * smooth_of_f64(s->kind, s->slope, u);
}

void engine_curve(const lw_sim *sim, int p, void *curve) {
    const engine_pop *pop = &sim->pop[p];
    const double *margin = pop->margin;
    double *to = curve;
    LW_ASSERT(sim->f64 && pop->margin);
    for (int64_t i = 0; i < pop->view.n_local * sim->width; i++)
        to[i] = pop->held && pop->held[i] ? 0 : lw_surrogate_curve(&sim->options.surrogate, margin[i]);
}

void engine_spike(lw_sim *sim, int p) {
    engine_pop *pop = &sim->pop[p];
    if (!pop->model->emits_spikes) return;
    const lw_surrogate *s = &sim->options.surrogate;
    int64_t n = pop->view.n_local * sim->width;
    LW_ASSERT(pop->margin);
    if (sim->f64)
        spike_f64(s, sim->options.smooth, n, pop->margin, pop->held, pop->out, pop->slope);
    else
        spike_f32(s, sim->options.smooth, n, pop->margin, pop->held, pop->out, pop->slope);
}
