/* SPDX-License-Identifier: BSD-3-Clause
 *
 * summary.h: what is accumulated while a spectrum runs, from the diagonals of R alone; no tangents, no network.
 */
#ifndef LAPWING_LYAP_SUMMARY_H
#define LAPWING_LYAP_SUMMARY_H

#include <lapwing/lyap.h>

/** ln|R_ii| by block of time. All arrays are made before the loop. */
typedef struct summary {
    int64_t k, steps, blocks, n_trace, trace_room;
    int64_t time;          /* steps counted so far */
    double *block_sum;     /* [blocks, k] nats */
    int64_t *block_time;   /* [blocks] steps */
    double *sum;           /* [k] nats */
    double *log_r;         /* [k] of the last interval; floored */
    uint8_t *collapsed;    /* [k] */
    int64_t collapsed_new; /* by the last interval */
    double *trace;         /* [trace_room, k] running sums */
    int64_t *trace_step;   /* [trace_room] */
    double spread_max;     /* among directions that have not collapsed */
    double spread;         /* of the last interval */
} summary;
lw_err summary_make(int64_t k, int64_t steps, int32_t blocks, summary *out) LW_MUST_CHECK;
void summary_free(summary *s);
/** Collapse, spread and log_r of an interval; nothing is counted. */
void summary_see(summary *s, const double *r_diag);
/** Count the interval seen last: `span` steps. */
void summary_count(summary *s, int64_t span);
/** Fill the arrays and numbers of `out` that follow from the sums; dt in ms. */
lw_err summary_finish(const summary *s, double dt, lw_lyapunov *out) LW_MUST_CHECK;

#endif
