/* SPDX-License-Identifier: BSD-3-Clause
 *
 * experiment_sharpness.c: the section `sharpness`: how many eigenvalues of the loss' curvature, on which samples. All
 * keys have defaults, so the section may be absent.
 */
#include "experiment.h"

lw_err experiment_sharpness(reader *r) {
    static const char *const keys[] = {"matrix", "eigenvalues", "samples", "steps", "tolerance", "seed", NULL};
    static const char *const matrices[] = {"gauss_newton", "hessian", NULL}; /* in the order of lw_sharpness_matrix */
    int matrix = 0;
    const yaml_tree_node *map = yaml_get(r->root, "sharpness");
    lw_sharpness_spec *s = &r->x->sharpness;
    *s = lw_sharpness_spec_default();
    s->seed = r->x->net.seed;
    if (!map) return LW_OK;
    int64_t n = s->eigenvalues, steps = s->steps, seed = (int64_t)s->seed;
    LW_TRY(yaml_expect_map(map, keys));
    LW_TRY(yaml_choice(map, "matrix", false, matrices, &matrix));
    LW_TRY(yaml_int(map, "eigenvalues", false, 1, 10000, &n));
    LW_TRY(yaml_int(map, "samples", false, 1, 1 << 24, &s->samples));
    if (steps < n) steps = n < 5000 ? 2 * n : n;
    LW_TRY(yaml_int(map, "steps", false, n, 10000, &steps));
    LW_TRY(yaml_real(map, "tolerance", false, "", 0, 1, &s->tolerance));
    LW_TRY(yaml_int(map, "seed", false, 0, INT64_MAX, &seed));
    s->matrix = (lw_sharpness_matrix)matrix;
    s->eigenvalues = (int32_t)n;
    s->steps = (int32_t)steps;
    s->seed = (uint64_t)seed;
    return LW_OK;
}
