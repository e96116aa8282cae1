/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The gradient by tangents: one sweep along the recorded batch per learned number of the network, whose derivative is
 * the inner product of the tangents of what was emitted with the derivative of the loss (forward mode; without a record
 * it would be real-time recurrent learning, Williams & Zipser 1989). Costs as many sweeps as there are numbers: a check
 * of the adjoint sweep that shares no order of sums with it.
 */
#include <string.h>
#include "pass.h"

static const char *const method_name[] = {"bptt", "eprop", "forward"};

lw_err lw_gradient_method_parse(const char *name, lw_gradient_method *method) {
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, method_name[i])) {
            *method = (lw_gradient_method)i;
            return LW_OK;
        }
    return LW_FAIL(LW_EUSE, "found the gradient method \"%s\", allowed: bptt, eprop, forward", name);
}

lw_err forward_check(const lw_train_spec *spec, const lw_theta *theta) {
    LW_CHECK(theta->n_global <= LW_FORWARD_MAX, LW_EUSE,
        "the gradient method forward makes a sweep for each of the %lld learned numbers, allowed are at most %d",
        (long long)theta->n_global, LW_FORWARD_MAX);
    LW_CHECK(spec->window == 0 && spec->burn_in == 0 && spec->memory == 0, LW_EUSE,
        "the gradient method forward was asked for with truncate, burn_in or memory; allowed is a whole sequence");
    return LW_OK;
}

typedef struct product {
    pass *pass;
    void *seed; /* real [largest population here, width] */
    double sum; /* of this rank */
} product;

static void product_add(void *payload, int pop, int64_t t, const void *out_tan) {
    product *w = payload;
    bool f64 = w->pass->spec.precision == LW_F64;
    int64_t n = lw_net_pop(w->pass->net, pop).n_local * w->pass->width;
    memset(w->seed, 0, (size_t)n * lw_dtype_size(w->pass->spec.precision));
    if (!pass_seed(w->pass, pop, t, w->seed)) return;
    for (int64_t i = 0; f64 && i < n; i++)
        w->sum += ((const double *)w->seed)[i] * ((const double *)out_tan)[i];
    for (int64_t i = 0; !f64 && i < n; i++)
        w->sum += (double)((const float *)w->seed)[i] * (double)((const float *)out_tan)[i];
}

/* A walk over all learned numbers of the network, equal on all ranks: rank by rank, block by block; tied weights, which
 * stand on all ranks, with those of the first. */
typedef struct walk {
    int size, rank, n_blocks;
    int64_t *count; /* [size][n_blocks] numbers that the rank counts */
} walk;

/* Calls visit(number of the walk, its place in the local vector or -1). */
static lw_err walk_run(
    const walk *w, const lw_theta *theta, lw_err (*visit)(void *payload, int64_t at, int64_t place), void *payload) {
    int64_t at = 0;
    for (int r = 0; r < w->size; r++)
        for (int b = 0; b < w->n_blocks; b++) {
            const lw_theta_block *block = &theta->block[b];
            for (int64_t i = 0; i < w->count[r * w->n_blocks + b]; i++, at++)
                LW_TRY(visit(payload, at, r == w->rank || block->tied ? block->offset + i : -1));
        }
    LW_ASSERT(at == theta->n_global);
    return LW_OK;
}

typedef struct forward {
    product product;
    double *direction; /* [n_local] zeros */
    double *all;       /* [n_global] derivatives, of this rank's outputs until summed */
    double *grad;
} forward;

static lw_err number_sweep(void *payload, int64_t at, int64_t place) {
    forward *f = payload;
    lw_tape_sink sink = {.payload = &f->product, .sink = product_add};
    if (place >= 0) f->direction[place] = 1;
    f->product.sum = 0;
    LW_TRY(lw_tape_tangent(f->product.pass->tape, f->direction, NULL, &sink));
    if (place >= 0) f->direction[place] = 0;
    f->all[at] = f->product.sum;
    return LW_OK;
}

static lw_err number_take(void *payload, int64_t at, int64_t place) {
    forward *f = payload;
    if (place >= 0) f->grad[place] += f->all[at];
    return LW_OK;
}

lw_err forward_gradient(pass *p, const lw_theta *theta, double *grad) {
    const lw_comm *part = p->grid->part;
    walk w = {.size = lw_comm_size(part), .rank = lw_comm_rank(part), .n_blocks = theta->n_blocks};
    forward f = {.product.pass = p, .grad = grad};
    int64_t largest = 0, n_counts = (int64_t)w.size * w.n_blocks;
    lw_err err;
    for (int q = 0; q < lw_net_n_pop(p->net); q++) {
        int64_t n = lw_net_pop(p->net, q).n_local;
        if (n > largest) largest = n;
    }
    LW_TRY_TO(lw_alloc((size_t)n_counts, sizeof *w.count, "numbers of ranks", &w.count), agree);
    LW_TRY_TO(lw_alloc((size_t)theta->n_local, sizeof *f.direction, "a direction", &f.direction), agree);
    LW_TRY_TO(lw_alloc((size_t)theta->n_global, sizeof *f.all, "derivatives", &f.all), agree);
    LW_TRY_TO(lw_alloc((size_t)(largest * p->width), sizeof(double), "adjoint outputs", &f.product.seed), agree);
agree:
    LW_TRY_TO(lw_comm_agree(part, err), done);
    for (int b = 0; b < w.n_blocks; b++)
        w.count[w.rank * w.n_blocks + b] = theta->block[b].counted ? theta->block[b].count : 0;
    lw_comm_sum_i64(part, w.count, n_counts);
    LW_TRY_TO(walk_run(&w, theta, number_sweep, &f), done);
    lw_comm_sum_f64(part, f.all, theta->n_global);
    err = walk_run(&w, theta, number_take, &f);
done:
    lw_free(w.count);
    lw_free(f.direction);
    lw_free(f.all);
    lw_free(f.product.seed);
    return err;
}
