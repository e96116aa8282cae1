/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cmd_gradcheck.c: lapwing gradcheck: the gradient of an experiment's training problem against its tangent and against
 * differences.
 */
#include "job.h"

#include <stdio.h>

lw_err cmd_gradcheck(lw_comm *world, const cmd_options *options) {
    job *j = NULL;
    lw_batch_source data = {0};
    lw_gradcheck check = {0};
    LW_TRY(job_training(world, options, &j, &data));
    const lw_experiment *x = j->experiment;
    int64_t steps = options->steps ? options->steps : data.n_steps < 100 ? data.n_steps : 100;
    double begun = lw_time_now();
    lw_err err = lw_gradcheck_run(j->spread, j->net, &x->train, &data, steps, 3, &check);
    if (err == LW_OK) {
        bool passed = check.dot_error <= 1e-12 && check.fd_error <= 1e-5;
        json_t *o = json_pack("{s:o, s:o, s:i, s:I, s:I, s:b}", "dot_error", job_real(check.dot_error), "fd_error",
            job_real(check.fd_error), "directions", check.directions, "steps", (json_int_t)check.steps, "learnable",
            (json_int_t)check.learnable, "passed", passed);
        job_result(j, "gradcheck", json_pack("{s:o}", "gradcheck", o), lw_time_now() - begun);
        lw_log(LW_LOG_INFO,
            "adjoint against tangent %.2e (allowed 1e-12), against differences of the smooth network %.2e (allowed "
            "1e-5)",
            check.dot_error, check.fd_error);
        err = job_finish(j);
        if (err == LW_OK && !passed)
            err = LW_FAIL(LW_ENUM, "gradcheck: found errors %.2e and %.2e, allowed: 1e-12 and 1e-5", check.dot_error,
                check.fd_error);
    }
    lw_batch_source_destroy(&data);
    job_destroy(&j);
    return err;
}
