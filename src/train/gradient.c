/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One batch forward and back, and everything that another program needs to do the same sum: the samples as the network
 * got them, what the read-out emitted, spikes, loss, gradient. The sweeps are those of training. What belongs to one
 * lane comes together by sums in which all other ranks hold zeros, so no bit depends on the grid; the gradient itself
 * is added over replicas as in training.
 */
#include <math.h>
#include <string.h>
#include "pass.h"

static lw_err room(lw_gradient *g, const lw_net *net, const lw_batch_source *data) {
    size_t n = (size_t)g->theta->n_local, lanes = (size_t)g->n_samples, steps = (size_t)g->n_steps;
    LW_TRY(lw_alloc(n, sizeof *g->value, "the learned values", &g->value));
    LW_TRY(lw_alloc(n, sizeof *g->gradient, "the gradient", &g->gradient));
    LW_TRY(lw_alloc(steps * (size_t)g->n_channels * lanes, sizeof *g->x, "the inputs", &g->x));
    LW_TRY(lw_alloc(steps * (size_t)g->n_units * lanes, sizeof *g->out, "the read-out", &g->out));
    LW_TRY(lw_alloc((size_t)lw_net_n_local(net) * lanes, sizeof *g->spikes, "spike counts", &g->spikes));
    if (data->n_classes > 0)
        return lw_alloc((size_t)g->n_label_rows * lanes, sizeof *g->label, "the labels", &g->label);
    return lw_alloc(steps * (size_t)g->n_units * lanes, sizeof *g->target, "the targets", &g->target);
}

/* Samples as the lanes of this replica hold them, into [row][lane of the whole batch]. Sources are read everywhere, so
 * that nothing has to be sent. Local. */
static lw_err samples_read(lw_gradient *g, const lw_batch_source *data) {
    int64_t n_x = data->n_steps * data->n_channels, n_y = data->n_steps * data->n_targets, L = g->n_samples;
    float *x = NULL, *y = NULL;
    int32_t *label = NULL;
    lw_err err;
    LW_TRY_TO(lw_alloc((size_t)n_x, sizeof *x, "a sample", &x), done);
    LW_TRY_TO(lw_alloc((size_t)n_y, sizeof *y, "a sample", &y), done);
    LW_TRY_TO(lw_alloc((size_t)data->n_steps, sizeof *label, "a sample", &label), done);
    for (int64_t l = 0; l < L; l++) {
        LW_TRY_TO(data->input(data->payload, l, x), done);
        for (int64_t i = 0; i < n_x; i++)
            g->x[i * L + l] = x[i];
        if (g->label) LW_TRY_TO(data->label(data->payload, l, label), done);
        for (int64_t i = 0; g->label && i < g->n_label_rows; i++)
            g->label[i * L + l] = label[i];
        if (g->target) LW_TRY_TO(data->target(data->payload, l, y), done);
        for (int64_t i = 0; g->target && i < n_y; i++)
            g->target[i * L + l] = y[i];
    }
    err = LW_OK;
done:
    lw_free(x);
    lw_free(y);
    lw_free(label);
    return err;
}

static double number_at(const pass *p, const void *values, int64_t i) {
    return p->spec.precision == LW_F32 ? (double)((const float *)values)[i] : ((const double *)values)[i];
}

/* What this rank's neurons emitted in this replica's lanes; zeros elsewhere. */
static void outputs_read(lw_gradient *g, const pass *p) {
    int64_t W = p->width, L = g->n_samples, lane0 = p->grid->replica * W;
    for (int pop = 0; pop < lw_net_n_pop(p->net); pop++) {
        lw_pop_view v = lw_net_pop(p->net, pop);
        for (int64_t t = 0; t < g->n_steps; t++) {
            if (!v.model->emits_spikes && pop != p->spec.loss.pop) break;
            const void *values = lw_tape_output(p->tape, pop, t);
            for (int64_t i = 0; i < v.n_local; i++)
                for (int64_t l = 0; l < W && lane0 + l < L; l++) {
                    double value = number_at(p, values, i * W + l);
                    if (v.model->emits_spikes) g->spikes[(v.lid_begin + i) * L + lane0 + l] += value != 0;
                    if (pop == p->spec.loss.pop)
                        g->out[(t * g->n_units + v.gid[i] - v.gid_begin) * L + lane0 + l] = value;
                }
        }
    }
}

static lw_err batch_run(lw_gradient *g, pass *p) {
    pass_tally tally = {0};
    for (int64_t lane = 0; lane < p->width; lane++) {
        int64_t i = p->grid->replica * p->width + lane;
        p->sample[lane] = i < g->n_samples ? i : -1;
    }
    LW_TRY(pass_load(&p, 1));
    lw_err err = pass_forward(p, true, &tally);
    if (err == LW_OK) outputs_read(g, p);
    if (err == LW_OK) err = pass_backward(p, g->gradient);
    LW_TRY(lw_comm_agree(p->grid->world, err));
    lw_comm_sum_f64(p->grid->peers, g->gradient, g->theta->n_local);
    lw_comm_sum_f64(p->grid->world, g->out, g->n_steps * g->n_units * g->n_samples);
    lw_comm_sum_i64(p->grid->peers, g->spikes, lw_net_n_local(p->net) * g->n_samples);
    pass_tally_sum(p->grid, &tally);
    g->loss = pass_tally_loss(&tally);
    g->accuracy = pass_tally_accuracy(p, &tally);
    g->rmse = pass_tally_rmse(p, &tally);
    g->counted = tally.loss.counted;
    return LW_OK;
}

lw_err lw_gradient_run(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_samples, lw_gradient *out) {
    lw_gradient g = {.n_steps = data->n_steps,
        .n_samples = n_samples,
        .n_channels = data->n_channels,
        .n_units = data->n_classes > 0 ? data->n_classes : data->n_targets,
        .n_label_rows = data->label_per_step ? data->n_steps : 1};
    lw_train_spec whole = *spec;
    pass *p = NULL;
    lw_err err = LW_OK;
    *out = (lw_gradient){0};
    if (n_samples < 1 || n_samples > data->n_samples || n_samples > INT32_MAX / 2)
        err = LW_FAIL(LW_EUSE, "%lld samples asked, allowed are 1 to the %lld of the data", (long long)n_samples,
            (long long)data->n_samples);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    /* lanes beyond the last sample stay absent */
    whole.lanes = 0;
    whole.memory = 0;
    whole.batch = (int32_t)((n_samples + grid->replicas - 1) / grid->replicas * grid->replicas);
    LW_TRY_TO(lw_comm_agree(grid->world, lw_theta_create(net, &g.theta)), failed);
    if (g.theta->n_global == 0)
        err = LW_FAIL(LW_EUSE, "nothing is to be learned: no projection and no parameter of the network has `learn`");
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    LW_TRY_TO(pass_create(grid, net, &whole, data, g.theta, data->n_steps, false, &p, 0, 1), failed);
    err = room(&g, net, data);
    if (err == LW_OK) err = samples_read(&g, data);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    lw_theta_get(g.theta, net, g.value);
    LW_TRY_TO(batch_run(&g, p), failed);
    pass_destroy(&p);
    *out = g;
    return LW_OK;
failed:
    pass_destroy(&p);
    lw_gradient_free(&g);
    return err;
}

void lw_gradient_free(lw_gradient *g) {
    lw_theta_destroy(&g->theta);
    lw_free(g->value);
    lw_free(g->gradient);
    lw_free(g->x);
    lw_free(g->out);
    lw_free(g->spikes);
    lw_free(g->label);
    lw_free(g->target);
    *g = (lw_gradient){0};
}
