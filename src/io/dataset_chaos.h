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

#endif
