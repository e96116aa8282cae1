/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One neuron on a bench of its own, in double precision and set up by name: for tests that follow a trajectory.
 */
#ifndef LAPWING_TEST_MODEL_ONE_NEURON_H
#define LAPWING_TEST_MODEL_ONE_NEURON_H

#include "bench.h"

static bench b;

/* one neuron in double, default parameters and initial state, no input */
static void start(const char *name, double dt) {
    const lw_model *m = lw_model_builtin(name);
    for (int i = 0; !m; i++)
        if (strcmp(bench_model_at(i)->name, name) == 0) m = bench_model_at(i);
    bench_start(&b, m, 1, 0, 1, 1, 1);
    b.n = 1;
    b.dt = dt;
    b.refractory[0] = 0;
    for (int p = 0; p < m->n_param; p++)
        b.param[p][0] = m->param[p].value;
    for (int k = 0; k < m->n_input; k++)
        b.input.room[k][0] = 0;
}

static void ready(void) {
    const double *param[BENCH_ARRAYS];
    for (int p = 0; p < BENCH_ARRAYS; p++)
        param[p] = b.param[p];
    bench_derive(&b);
    b.model->init(1, b.dt, param, (double *const *)b.state.at);
}

#endif
