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

double lw_surrogate_smooth(const lw_surrogate *s, double u) {
    return 0.5 + s->scale * smooth_of_f64(s->kind, s->slope, u);
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
