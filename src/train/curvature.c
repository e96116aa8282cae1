/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gauss-Newton product by one tangent and one adjoint sweep per batch (Schraudolph, Neural Computation 14, 2002,
 * section 3). Both sweeps are the same linear map and its transpose, so the matrix is symmetric and positive
 * semidefinite to rounding although spikes are hard. Penalties on rates and weight decay are no part of it. A single
 * batch stays on the tape; several are run forward again in every product.
 */
#include <math.h>
#include <string.h>
#include "curvature.h"
#include "optimizer.h"

/* ------------------------------------------------------------------ second derivative of the loss */

/* p (z_tan - <p, z_tan>) with p = softmax(z). loss_evaluate left exp(z - max) in z. Smoothed labels change nothing. */
static void cross_entropy(const loss_work *w, int64_t l, double scale, const double *z, const double *tan, double *a) {
    double sum = 0, mean = 0;
    for (int64_t k = 0; k < w->n_units; k++) {
        sum += z[k * w->width + l];
        mean += z[k * w->width + l] * tan[k * w->width + l];
    }
    for (int64_t i = 0; i < w->n_local; i++) {
        int64_t at = w->unit[i] * w->width + l;
        a[i * w->width + l] = scale * z[at] / sum * (tan[at] - mean / sum);
    }
}

/* The distance is quadratic in what was emitted: filtered, weighed, filtered back, as in loss_spikes_typed.c. */
static void van_rossum(loss_work *w, const batch *b, double scale, const double *z_tan) {
    int64_t T = w->n_steps, L = w->width, row = w->n_units * L, n = w->n_local * L;
    double keep = loss_decay(w), part = 0.5 * (1 - keep * keep), *z_adj = w->z_adj, *trace = w->trace;
    for (int64_t i = 0; i < w->n_local; i++)
        for (int64_t l = 0; l < L; l++) {
            int64_t at = w->unit[i] * L + l;
            double e = 0;
            for (int64_t t = w->spec.skip; t < T; t++) {
                e = keep * e + (isnan(b->target[t * row + at]) ? 0 : z_tan[t * row + at]);
                z_adj[t * n + i * L + l] = 2 * scale * (t == T - 1 ? 0.5 : part) * e;
            }
            trace[at] = 0;
            for (int64_t t = T - 1; t >= w->spec.skip; t--) {
                double *a = &z_adj[t * n + i * L + l];
                trace[at] = keep * trace[at] + *a;
                *a = isnan(b->target[t * row + at]) ? 0 : trace[at];
            }
        }
}

void curvature_of_loss(loss_work *w, const batch *b, double scale, const double *z_tan) {
    int64_t K = w->n_units, L = w->width;
    LW_ASSERT(w->precision == LW_F64);
    if (w->spec.kind == LW_LOSS_VAN_ROSSUM) {
        van_rossum(w, b, scale, z_tan);
        return;
    }
    for (int64_t r = 0; r < w->n_rows; r++) {
        const double *z = (const double *)w->z + r * K * L, *tan = z_tan + r * K * L, *share = w->share;
        double *a = (double *)w->z_adj + r * w->n_local * L;
        if (!loss_row(w, r)) continue;
        for (int64_t l = 0; l < L; l++) {
            int64_t t = loss_step(w, b->steps[l], r);
            int32_t label = b->target ? 0 : b->label[(b->n_rows == 1 ? 0 : t) * L + l];
            bool counts = label >= 0 || (label == LABEL_NONE && w->spec.unlabelled >= 0);
            counts = counts && loss_counts(w, b->steps[l], r);
            if (counts && !b->target && w->spec.kind == LW_LOSS_CROSS_ENTROPY) {
                cross_entropy(w, l, scale * share[l], z, tan, a);
                continue;
            }
            double factor = counts ? 2 * scale * share[l] / (b->target ? 1 : (double)K) : 0;
            for (int64_t i = 0; i < w->n_local; i++) {
                int64_t at = w->unit[i] * L + l;
                bool absent = b->target && isnan(b->target[t * K * L + at]);
                a[i * L + l] = absent ? 0 : factor * tan[at];
            }
        }
    }
}

/* ------------------------------------------------------------------ sweeps */

/* as loss_read */
void curvature_read(void *payload, int pop, int64_t t, const void *out_tan) {
    curvature *c = payload;
    const loss_work *w = c->pass->loss;
    const double *x = out_tan;
    int64_t L = w->width;
    lw_readout_kind kind = w->spec.readout;
    if (pop != w->spec.pop || (kind != LW_READOUT_LAST && t < w->spec.skip)) return;
    double *z_tan = c->z_tan + (w->n_rows > 1 ? t * w->n_units * L : 0);
    const double *slope = kind == LW_READOUT_FIRST_SPIKE ? (const double *)w->slope + t * w->n_local * L : NULL;
    for (int64_t i = 0; i < w->n_local; i++)
        for (int64_t l = 0; l < L; l++) {
            bool used = kind == LW_READOUT_LAST  ? t == w->steps[l] - 1
                        : kind == LW_READOUT_MAX ? w->step_max[i * L + l] == t
                                                 : t < w->steps[l];
            double part = slope                     ? slope[i * L + l]
                          : kind == LW_READOUT_MEAN ? 1 / (double)(w->steps[l] - w->spec.skip)
                                                    : 1;
            if (used) z_tan[w->unit[i] * L + l] += part * x[i * L + l];
        }
}

static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    const pass *p = payload;
    return pop == p->spec.loss.pop && loss_seed(p->loss, t, out_adj);
}

static int64_t sample_of(const curvature *c, int64_t number, int64_t lane) {
    const pass *p = c->pass;
    int64_t i = (number * c->grid->replicas + c->grid->replica) * p->width + lane;
    return i < c->n_samples ? i : -1;
}

static lw_err batch_take(curvature *c, int64_t number) {
    for (int64_t lane = 0; lane < c->pass->width; lane++)
        c->pass->sample[lane] = sample_of(c, number, lane);
    c->loaded = -1;
    return pass_load(&c->pass, 1);
}

/* Batch `number` is on the tape. Collective over the world. */
static lw_err batch_run(curvature *c, int64_t number, pass_tally *tally) {
    LW_TRY(batch_take(c, number));
    LW_TRY(lw_comm_agree(c->grid->world, pass_forward(c->pass, c->z_adj != NULL, tally)));
    if (c->z_adj) hessian_note(c);
    c->loaded = number;
    return LW_OK;
}

static lw_err samples_count(curvature *c) {
    pass_tally tally = {0};
    for (int64_t n = 0; n < c->n_batches; n++) {
        LW_TRY(batch_take(c, n));
        c->counted += c->pass->counted;
    }
    for (int64_t n = 0; n < c->n_batches; n++)
        LW_TRY(batch_run(c, n, &tally));
    pass_tally_sum(c->grid, &tally);
    c->loss = tally.loss.loss / fmax(c->counted, 1);
    return LW_OK;
}

/* z_adj <- random numbers that depend on sample, row and unit alone */
static void start_draw(curvature *c, uint64_t number) {
    loss_work *w = c->pass->loss;
    double *a = w->z_adj;
    memset(a, 0, (size_t)(w->n_rows * w->n_local * w->width) * sizeof *a);
    for (int64_t r = w->n_rows > 1 ? w->spec.skip : 0; r < w->n_rows; r++)
        for (int64_t i = 0; loss_row(w, r) && i < w->n_local; i++)
            for (int64_t l = 0; l < w->width; l++) {
                int64_t sample = sample_of(c, c->loaded, l);
                if (sample >= 0)
                    a[(r * w->n_local + i) * w->width + l] = lw_rng_normal(
                        number, LW_PURPOSE_CHECK, (uint64_t)sample, (uint64_t)(r * w->n_units + w->unit[i]), 0);
            }
}

/* One batch of a product: out += J^T H J direction, or J^T r where direction is NULL. Collective over the partition. */
static lw_err batch_product(curvature *c, const double *direction, double *out) {
    pass *p = c->pass;
    loss_work *w = p->loss;
    lw_tape_seed back = {.payload = p, .seed = seed};
    if (direction && c->z_adj) return hessian_product(c, direction, out);
    if (direction) {
        int64_t n = w->n_rows * w->n_units * w->width;
        lw_tape_sink sink = {.payload = c, .sink = curvature_read};
        memset(c->z_tan, 0, (size_t)n * sizeof *c->z_tan);
        LW_TRY(lw_tape_tangent(p->tape, direction, NULL, &sink));
        lw_comm_sum_f64(c->grid->part, c->z_tan, n);
        curvature_of_loss(w, p->batch, 1 / fmax(c->counted, 1), c->z_tan);
    } else {
        start_draw(c, c->seed);
    }
    return lw_tape_backward(p->tape, &back, out, NULL);
}

/* Tied weights stand in the vectors of all ranks, where inner products are to count them once: a vector holds them
 * divided by the root of the number of ranks. */
static void tied_scale(const curvature *c, double power, double *x) {
    double factor = pow((double)lw_comm_size(c->grid->part), power);
    for (int32_t b = 0; b < c->theta->n_blocks; b++) {
        const lw_theta_block *block = &c->theta->block[b];
        for (int64_t i = block->offset; block->tied && i < block->offset + block->count; i++)
            x[i] *= factor;
    }
}

typedef lw_err (*batch_work)(curvature *c, const double *direction, double *out);

static lw_err gradient_of_batch(curvature *c, const double *direction, double *out) {
    (void)direction;
    return hessian_gradient(c, out);
}

static lw_err product(curvature *c, batch_work work, const double *direction, double *out) {
    pass_tally tally = {0};
    memset(out, 0, (size_t)c->theta->n_local * sizeof *out);
    for (int64_t n = 0; n < c->n_batches; n++) {
        if (c->loaded != n) LW_TRY(batch_run(c, n, &tally));
        LW_TRY(lw_comm_agree(c->grid->world, work(c, direction, out)));
    }
    lw_comm_sum_f64(c->grid->peers, out, c->theta->n_local);
    for (int64_t i = 0; i < c->theta->n_local; i++)
        out[i] *= c->scale[i];
    tied_scale(c, -0.5, out);
    return LW_OK;
}

lw_err curvature_product(curvature *c, const double *v, double *out) {
    for (int64_t i = 0; i < c->theta->n_local; i++)
        c->direction[i] = c->scale[i] * v[i];
    tied_scale(c, 0.5, c->direction);
    return product(c, batch_product, c->direction, out);
}

lw_err curvature_start(curvature *c, uint64_t number, double *out) {
    c->seed = number;
    return product(c, batch_product, NULL, out);
}

lw_err curvature_gradient(curvature *c, double *out) {
    LW_ASSERT(c->z_adj);
    return product(c, gradient_of_batch, NULL, out);
}

/* ------------------------------------------------------------------ life */

static lw_err room(curvature *c, lw_net *net, const lw_optimizer_spec *optimizer) {
    const loss_work *w = c->pass->loss;
    size_t n = (size_t)c->theta->n_local, cells = (size_t)(w->n_rows * w->n_units * w->width);
    lw_err err = lw_alloc(n, sizeof *c->scale, "scales", &c->scale);
    if (err == LW_OK) err = lw_alloc(n, sizeof *c->direction, "a direction", &c->direction);
    if (err == LW_OK) err = lw_alloc(cells, sizeof *c->z_tan, "tangents of the read-out", &c->z_tan);
    LW_TRY(lw_comm_agree(c->grid->world, err));
    lw_theta_get(c->theta, net, c->direction);
    optimizer_scale(optimizer, c->theta, c->grid->part, c->direction, c->scale);
    return LW_OK;
}

static lw_err create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_samples, bool hessian, bool smooth, curvature **out) {
    curvature *c = NULL;
    lw_train_spec exact = *spec;
    int64_t lanes = spec->batch < n_samples ? spec->batch : n_samples;
    lw_err err = LW_OK;
    *out = NULL;
    if (n_samples < 1 || n_samples > data->n_samples)
        err = LW_FAIL(LW_EUSE, "%lld samples asked, allowed are 1 to the %lld of the data", (long long)n_samples,
            (long long)data->n_samples);
    if (err == LW_OK && spec->loss.kind != LW_LOSS_CROSS_ENTROPY && spec->loss.kind != LW_LOSS_MSE &&
        spec->loss.kind != LW_LOSS_VAN_ROSSUM)
        err = LW_FAIL(LW_EUSE,
            "sharpness has no second derivative of loss number %d, it knows those of cross_entropy, mse and van_rossum",
            (int)spec->loss.kind);
    if (err == LW_OK && hessian) err = hessian_check(&spec->loss);
    if (err == LW_OK) err = lw_alloc(1, sizeof *c, "curvature", &c);
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    /* lanes beyond the last sample stay absent */
    lanes = (lanes + grid->replicas - 1) / grid->replicas * grid->replicas;
    exact.batch = (int32_t)lanes;
    exact.precision = LW_F64;
    exact.lanes = 0;
    exact.memory = 0;
    exact.window = exact.stride = 0;
    exact.gradient = LW_GRADIENT_BPTT;
    exact.burn_in = 0;
    c->grid = grid;
    c->n_samples = n_samples;
    c->n_batches = (n_samples + lanes - 1) / lanes;
    c->loaded = -1;
    LW_TRY_TO(lw_comm_agree(grid->world, lw_theta_create(net, &c->theta)), failed);
    if (c->theta->n_global == 0)
        err = LW_FAIL(LW_EUSE, "nothing is to be learned: no projection and no parameter of the network has `learn`");
    LW_TRY_TO(lw_comm_agree(grid->world, err), failed);
    LW_TRY_TO(pass_create(grid, net, &exact, data, c->theta, data->n_steps, smooth, &c->pass, 0, 1), failed);
    if (hessian) LW_TRY_TO(lw_comm_agree(grid->world, hessian_room(c)), failed);
    LW_TRY_TO(room(c, net, &spec->optimizer), failed);
    LW_TRY_TO(samples_count(c), failed);
    *out = c;
    return LW_OK;
failed:
    curvature_destroy(&c);
    return err;
}

lw_err curvature_create(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    int64_t n_samples, curvature **out) {
    return create(grid, net, spec, data, n_samples, false, false, out);
}

lw_err curvature_create_hessian(const lw_grid *grid, lw_net *net, const lw_train_spec *spec,
    const lw_batch_source *data, int64_t n_samples, bool smooth, curvature **out) {
    return create(grid, net, spec, data, n_samples, true, smooth, out);
}

void curvature_destroy(curvature **c) {
    if (!*c) return;
    pass_destroy(&(*c)->pass);
    lw_theta_destroy(&(*c)->theta);
    lw_free((*c)->scale);
    lw_free((*c)->direction);
    lw_free((*c)->z_tan);
    lw_free((*c)->z_adj);
    lw_free(*c);
    *c = NULL;
}
