/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dataset_chaos.h: the flows behind lw_dataset_chaos, for the tests.
 */
#ifndef LAPWING_IO_DATASET_CHAOS_H
#define LAPWING_IO_DATASET_CHAOS_H

typedef struct lw_chaos_flow {
    const char *name;
    void (*slope)(const double x[3], double dxdt[3]);
    double h;        /* largest step of the integration */
    double start[3]; /* near the attractor */
} lw_chaos_flow;

extern const lw_chaos_flow lw_chaos_lorenz63, lw_chaos_rossler;
/** One classical Runge-Kutta step. */
void lw_chaos_step(const lw_chaos_flow *flow, double h, double x[3]);

/** dx/dt = 0.2 x(t - tau) / (1 + x(t - tau)^10) - 0.1 x(t) (Mackey & Glass 1977, doi:10.1126/science.267326) in steps
 * of h = tau / lag: Runge-Kutta of order 4, x half a step beyond t - tau by a cubic through its four neighbours. */
typedef struct lw_mackey {
    double h;
    int64_t lag, at; /* steps of the delay, at least 3; steps made */
    double *past;    /* [lag + 2] x of step i at i mod (lag + 2); made and freed by the caller */
} lw_mackey;
/** x was `start` until now. */
void lw_mackey_begin(lw_mackey *m, double start);
/** One step; returns x. */
double lw_mackey_step(lw_mackey *m);

#endif
