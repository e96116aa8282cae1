/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lanczos.h: the largest eigenvalues of a symmetric matrix that is known by its products, of vectors spread over ranks.
 */
#ifndef LAPWING_TRAIN_LANCZOS_H
#define LAPWING_TRAIN_LANCZOS_H

#include <lapwing/comm.h>

typedef struct lanczos_problem {
    const lw_comm *comm; /* every number of a vector lives on one of these ranks */
    int64_t n_local;
    lw_err (*product)(void *payload, const double *v, double *out); /* as collective as it likes */
    void *payload;
    int32_t n_values, steps; /* eigenvalues wanted; products at most */
    double tolerance;        /* a residual below tolerance * (largest eigenvalue) is good enough */
} lanczos_problem;
typedef struct lanczos_found {
    int32_t n, steps; /* eigenvalues found (fewer when the start spans no more), products made */
    bool converged;
} lanczos_found;

/** start: [n_local], used up. value, residual: [n_values], values descending; |A x - value x| of the unit vector x that
 * belongs to it. Keeps steps + 1 vectors. **Collective** over comm. */
lw_err lanczos_run(
    const lanczos_problem *problem, double *start, double *value, double *residual, lanczos_found *out) LW_MUST_CHECK;

#endif
