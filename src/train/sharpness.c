/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The largest eigenvalues of the curvature of the training loss: products from curvature.c, eigenvalues from lanczos.c.
 * Vectors of theta are spread over the ranks of the partition and equal in all replicas, which share the samples.
 */
#include "curvature.h"
#include "lanczos.h"

static lw_err product(void *payload, const double *v, double *out) {
    return curvature_product(payload, v, out);
}

static lw_err spec_check(const lw_sharpness_spec *spec) {
    LW_CHECK(
        spec->eigenvalues >= 1, LW_EUSE, "sharpness: eigenvalues is %d, allowed are numbers from 1", spec->eigenvalues);
    LW_CHECK(spec->steps >= spec->eigenvalues, LW_EUSE,
        "sharpness: steps is %d, allowed are numbers from eigenvalues (%d)", spec->steps, spec->eigenvalues);
    return LW_OK;
}

lw_err lw_sharpness_run(const lw_grid *grid, lw_net *net, const lw_train_spec *train, const lw_batch_source *data,
    const lw_sharpness_spec *spec, lw_sharpness *out) {
    curvature *c = NULL;
    double *start = NULL;
    int64_t samples = spec->samples > 0                ? spec->samples
                      : train->batch < data->n_samples ? train->batch
                                                       : data->n_samples;
    lw_err err;
    *out = (lw_sharpness){.samples = samples};
    LW_TRY_TO(lw_comm_agree(grid->world, spec_check(spec)), failed);
    if (spec->matrix == LW_SHARPNESS_HESSIAN)
        LW_TRY_TO(curvature_create_hessian(grid, net, train, data, samples, false, &c), failed);
    else
        LW_TRY_TO(curvature_create(grid, net, train, data, samples, &c), failed);
    int64_t n_global = c->theta->n_global;
    lanczos_problem problem = {.comm = grid->part,
        .n_local = c->theta->n_local,
        .product = product,
        .payload = c,
        .n_values = spec->eigenvalues < n_global ? spec->eigenvalues : (int32_t)n_global,
        .steps = spec->steps < n_global ? spec->steps : (int32_t)n_global,
        .tolerance = spec->tolerance};
    lanczos_found found;
    size_t n = (size_t)problem.n_values;
    err = lw_alloc(n, sizeof *out->value, "eigenvalues", &out->value);
    if (err == LW_OK) err = lw_alloc(n, sizeof *out->residual, "eigenvalues", &out->residual);
    if (err == LW_OK) err = lw_alloc((size_t)problem.n_local, sizeof *start, "the first Lanczos vector", &start);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    LW_TRY_TO(curvature_start(c, spec->seed, start), failed);
    LW_TRY_TO(lw_comm_agree(grid->world, lanczos_run(&problem, start, out->value, out->residual, &found)), failed);
    out->n = found.n;
    out->steps = found.steps;
    out->converged = found.converged;
    out->learnable = n_global;
    out->loss = c->loss;
    lw_free(start);
    curvature_destroy(&c);
    return LW_OK;
failed:
    lw_free(start);
    curvature_destroy(&c);
    lw_sharpness_free(out);
    return err;
}

void lw_sharpness_free(lw_sharpness *s) {
    lw_free(s->value);
    lw_free(s->residual);
    *s = (lw_sharpness){0};
}
