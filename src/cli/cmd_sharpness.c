/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_sharpness.c: lapwing sharpness: the largest eigenvalues of the curvature of the training loss on the first
 * samples of data.train, into summary.json.
 */
#include "job.h"

#include <math.h>

static json_t *numbers(const double *x, int32_t n) {
    json_t *list = json_array();
    for (int32_t i = 0; i < n; i++)
        json_array_append_new(list, job_real(x[i]));
    return list;
}

static void report(job *j, const lw_sharpness_spec *spec, const lw_sharpness *s, double seconds) {
    bool hessian = spec->matrix == LW_SHARPNESS_HESSIAN;
    double largest = s->n > 0 ? s->value[0] : 0, limit = largest > 0 ? 2 / largest : INFINITY;
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:i, s:b, s:o, s:I, s:I}", "matrix",
        hessian ? "hessian" : "gauss_newton", "eigenvalues", numbers(s->value, s->n), "residuals",
        numbers(s->residual, s->n), "lr_limit", job_real(limit), "steps", s->steps, "converged", s->converged, "loss",
        job_real(s->loss), "samples", (json_int_t)s->samples, "learnable", (json_int_t)s->learnable);
    job_result(j, "sharpness", json_pack("{s:o}", "sharpness", o), seconds);
    lw_log(LW_LOG_INFO,
        "largest eigenvalue of the %s %.6g (residual %.1e), %lld samples: gradient descent is stable for lr < %.4g",
        hessian ? "second derivative" : "Gauss-Newton matrix", largest, s->n > 0 ? s->residual[0] : 0,
        (long long)s->samples, limit);
    if (!s->converged)
        lw_log(LW_LOG_WARN, "not all of the %d eigenvalues are as exact as asked after %d steps: see residuals", s->n,
            s->steps);
}

lw_err cmd_sharpness(lw_comm *world, const cmd_options *options) {
    job *j = NULL;
    lw_batch_source data = {0};
    lw_sharpness found = {0};
    LW_TRY(job_training(world, options, &j, &data));
    const lw_experiment *x = j->experiment;
    lw_sharpness_spec spec = x->sharpness;
    if (options->samples) spec.samples = options->samples;
    double begun = lw_time_now();
    lw_err err = lw_sharpness_run(j->spread, j->net, &x->train, &data, &spec, &found);
    if (err == LW_OK) {
        report(j, &spec, &found, lw_time_now() - begun);
        err = job_finish(j);
    }
    lw_sharpness_free(&found);
    lw_batch_source_destroy(&data);
    job_destroy(&j);
    return err;
}
