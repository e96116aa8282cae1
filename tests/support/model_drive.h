/* SPDX-License-Identifier: BSD-3-Clause
 *
 * How a built-in model wants to be driven by a test that takes any of them: length of a step, which weights its ports
 * take, how far its numbers may be moved. Rules from units as far as they go; names where a model is a case of its own.
 */
#ifndef LAPWING_TEST_MODEL_DRIVE_H
#define LAPWING_TEST_MODEL_DRIVE_H

#include <string.h>
#include <lapwing/model.h>
#include <lapwing/net.h>

static inline bool model_is(const lw_model *model, const char *name) {
    return strcmp(model->name, name) == 0;
}

static inline bool model_port_is(const lw_model *model, int port, const char *unit) {
    return strcmp(model->input[port].unit, unit) == 0;
}

/* Conductances and Hodgkin-Huxley are integrated by Runge-Kutta with time constants of 0.2 ms and less. Izhikevich's
 * v*v, by forward Euler, takes steps of 1 ms too, but an overshoot squared again and again leaves differences no
 * digits. All others are exact for any step. */
static inline double model_step(const lw_model *model) {
    bool flow = model_port_is(model, 0, "nS") || model_is(model, "hh") || model_is(model, "izhikevich") ||
                model_is(model, "izhikevich_2003");
    return flow ? 0.1 : 1;
}

/* the port that wants a number uniform in (0, 1) in every step; -1 for none */
static inline int model_port_chance(const lw_model *model) {
    for (int i = 0; i < model->n_input; i++)
        if (strcmp(model->input[i].name, "chance") == 0) return i;
    return -1;
}

/* the last port that takes synapses */
static inline int model_port_last(const lw_model *model) {
    int chance = model_port_chance(model);
    return chance > 0 && chance == model->n_input - 1 ? chance - 1 : model->n_input - 1;
}

/* What a weight that suits port 0 is multiplied by to suit this one: a conductance of 1 nS drives about 70 pA. */
static inline double model_port_scale(const lw_model *model, int port) {
    return model_port_is(model, 0, "nS") && model_port_is(model, port, "pA") ? 70 : 1;
}

/* A distribution of weights onto a port: no conductance is negative. */
static inline lw_dist model_port_weight(const lw_model *model, int port, lw_dist d) {
    double scale = model_port_scale(model, port);
    d.p[0] *= scale;
    d.p[1] *= scale;
    if (model_port_is(model, port, "nS")) {
        d.lo = 0;
        d.redraw = true;
    }
    return d;
}

/* Slope of a surrogate that sees a few units of the margin: most margins are in the unit of the potential; that of GIF
 * compares probabilities. */
static inline double model_slope(const lw_model *model) {
    bool mv = false;
    for (int i = 0; i < model->n_state; i++)
        mv = mv || strcmp(model->state[i].unit, "mV") == 0;
    return mv && model_port_chance(model) < 0 ? 0.2 : 2;
}

#endif
