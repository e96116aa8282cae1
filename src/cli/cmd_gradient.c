/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_gradient.c: lapwing gradient: loss and gradient of the first samples of data.train as one batch, into
 * gradient.h5. What other programs compare with.
 */
#include "job.h"

#include <stdio.h>

lw_err cmd_gradient(lw_comm *world, const cmd_options *options) {
    job *j = NULL;
    lw_batch_source data = {0};
    lw_gradient g = {0};
    char path[4096];
    LW_TRY(job_training(world, options, &j, &data));
    const lw_experiment *x = j->experiment;
    int64_t samples = options->samples ? options->samples : x->train.batch;
    if (!options->samples && samples > data.n_samples) samples = data.n_samples;
    lw_train_spec spec = x->train;
    double begun = lw_time_now();
    lw_err err = options->method ? lw_gradient_method_parse(options->method, &spec.gradient) : LW_OK;
    if (err == LW_OK) err = lw_gradient_run(j->spread, j->net, &spec, &data, samples, &g);
    if (err == LW_OK && snprintf(path, sizeof path, "%s/gradient.h5", j->out) >= (int)sizeof path)
        err = LW_FAIL(LW_EUSE, "%s: the path is too long", j->out);
    if (err == LW_OK) err = lw_gradient_save(j->spread, path, j->net, &x->train, &g, options->line);
    if (err == LW_OK) {
        json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "loss", job_real(g.loss), "accuracy",
            job_real(g.accuracy), "rmse", job_real(g.rmse), "samples", (json_int_t)samples, "steps",
            (json_int_t)g.n_steps, "learnable", (json_int_t)g.theta->n_global);
        job_result(j, "gradient", json_pack("{s:o}", "gradient", o), lw_time_now() - begun);
        lw_log(LW_LOG_INFO, "loss %.6g of %lld samples; gradient of %lld numbers in %s", g.loss, (long long)samples,
            (long long)g.theta->n_global, path);
        err = job_finish(j);
    }
    lw_gradient_free(&g);
    lw_batch_source_destroy(&data);
    job_destroy(&j);
    return err;
}
