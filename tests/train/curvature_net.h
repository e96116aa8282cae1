/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What tests of the loss' curvature share: a small training problem on a grid, vectors of theta, and the eigenvalues of
 * a matrix that is known by its products (LAPACK).
 */
#ifndef LAPWING_TEST_CURVATURE_NET_H
#define LAPWING_TEST_CURVATURE_NET_H

#include "../../src/train/curvature.h"
#include "train_net.h"

void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
    const int *lwork, int *info);

enum { STEPS = 12, SAMPLES = 11, BATCH = 12 };

typedef struct bench {
    toy toy;
    lw_batch_source data;
    lw_grid *grid;
    lw_net *net;
    lw_train_spec spec;
} bench;

static inline void bench_begin(bench *b, const lw_comm *comm, int replicas, bool per_step, bool classes) {
    toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin("li"),
        .input = 1.6,
        .weight = 0.8,
        .learn_params = true,
        .weight_type = LW_F64};
    b->grid = NULL;
    b->net = NULL;
    b->toy = (toy){.n_steps = STEPS, .per_step = per_step};
    b->data = toy_source(&b->toy, SAMPLES, classes);
    b->spec = toy_train();
    b->spec.batch = BATCH;
    b->spec.loss.skip = 2;
    CHECK_OK(lw_grid_create(comm, replicas, &b->grid));
    CHECK_OK(toy_net(b->grid->part, &net, &b->net));
}

static inline void bench_end(bench *b) {
    lw_net_destroy(&b->net);
    lw_grid_destroy(&b->grid);
}

static inline double dot(const bench *b, int64_t n, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    lw_comm_sum_f64(b->grid->part, &sum, 1);
    return sum;
}

static inline double *vector(int64_t n) {
    double *x = calloc((size_t)n + 1, sizeof *x);
    LW_ASSERT(x);
    return x;
}

/* equal in all replicas */
static inline double *draw(const bench *b, int64_t n, uint64_t number) {
    double *x = vector(n);
    for (int64_t i = 0; i < n; i++)
        x[i] = lw_rng_normal(9, LW_PURPOSE_CHECK, (uint64_t)b->grid->part_index << 32 | (uint64_t)i, number, 0);
    return x;
}

/* all eigenvalues, ascending; the matrix is built from products with unit vectors */
static inline double *dense_eigenvalues(const bench *b, curvature *c) {
    int n = (int)c->theta->n_global, lwork = 8 * n, info = -1;
    int64_t here = c->theta->n_local, begin = lw_comm_exscan_i64(b->grid->part, here);
    double *a = vector((int64_t)n * n), *w = vector(n), *work = vector(lwork), *v = vector(here), *gv = vector(here);
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < here; i++)
            v[i] = begin + i == j;
        CHECK_OK(curvature_product(c, v, gv));
        memcpy(a + j * n + begin, gv, (size_t)here * sizeof *gv);
    }
    lw_comm_sum_f64(b->grid->part, a, (int64_t)n * n);
    dsyev_("N", "U", &n, a, &n, w, work, &lwork, &info);
    CHECK_INT(info, 0);
    free(a);
    free(work);
    free(v);
    free(gv);
    return w;
}

#endif
