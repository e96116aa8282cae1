/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Both matrices of curvature, Gauss-Newton and Hessian, with hard spikes: symmetric, the first positive semidefinite;
 * Lanczos finds the eigenvalues of the same matrix built column by column (LAPACK); the same on any grid and for any
 * cut into batches.
 */
#include "curvature_net.h"
#include "world.h"

static const lw_sharpness_matrix MATRIX[] = {LW_SHARPNESS_GAUSS_NEWTON, LW_SHARPNESS_HESSIAN};

static curvature *curvature_of(bench *b, lw_sharpness_matrix matrix) {
    curvature *c = NULL;
    if (matrix == LW_SHARPNESS_HESSIAN)
        CHECK_OK(curvature_create_hessian(b->grid, b->net, &b->spec, &b->data, SAMPLES, false, &c));
    else
        CHECK_OK(curvature_create(b->grid, b->net, &b->spec, &b->data, SAMPLES, &c));
    return c;
}

static void check_symmetric(const lw_comm *world, int replicas, lw_sharpness_matrix matrix) {
    bench b;
    bench_begin(&b, world, replicas, true, true);
    curvature *c = curvature_of(&b, matrix);
    int64_t n = c->theta->n_local;
    double *u = draw(&b, n, 1), *v = draw(&b, n, 2), *mu = vector(n), *mv = vector(n), *again = vector(n);
    CHECK_OK(curvature_product(c, u, mu));
    CHECK_OK(curvature_product(c, v, mv));
    CHECK_OK(curvature_product(c, u, again));
    CHECK(memcmp(mu, again, (size_t)n * sizeof *mu) == 0);
    double uv = dot(&b, n, u, mv), vu = dot(&b, n, v, mu), uu = dot(&b, n, u, mu), vv = dot(&b, n, v, mv);
    double size = sqrt(dot(&b, n, u, u) * dot(&b, n, mv, mv));
    CHECK(size > 0);
    CHECK_CLOSE(uv, vu, 1e-13 * size);
    if (matrix == LW_SHARPNESS_GAUSS_NEWTON) {
        CHECK(uu > 0 && vv > 0);
        CHECK_CLOSE(uv, vu, 1e-12 * sqrt(uu * vv));
        CHECK(uv * uv <= uu * vv * (1 + 1e-12)); /* Cauchy-Schwarz */
    }
    free(u), free(v), free(mu), free(mv), free(again);
    curvature_destroy(&c);
    bench_end(&b);
}

static void check_eigenvalues(const lw_comm *world, int replicas, lw_sharpness_matrix matrix) {
    bench b;
    lw_sharpness s;
    lw_sharpness_spec spec = lw_sharpness_spec_default();
    bool hessian = matrix == LW_SHARPNESS_HESSIAN;
    bench_begin(&b, world, replicas, true, true);
    spec.matrix = matrix;
    spec.samples = SAMPLES;
    spec.tolerance = 1e-10;
    if (hessian) spec.steps = 120;
    curvature *c = curvature_of(&b, matrix);
    CHECK_OK(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s));
    CHECK(s.converged && s.n == 5 && s.steps <= spec.steps);
    CHECK_INT(s.learnable, c->theta->n_global);
    int n = (int)s.learnable;
    double *w = dense_eigenvalues(&b, c);
    if (hessian)
        CHECK(w[0] < -1e-3 * w[n - 1]); /* not a Gauss-Newton matrix */
    else
        CHECK(w[0] >= -1e-12 * w[n - 1]);
    for (int i = 0; i < s.n; i++) {
        CHECK_CLOSE(s.value[i], w[n - 1 - i], 1e-9 * w[n - 1]);
        CHECK(s.residual[i] <= 1e-10 * w[n - 1]);
        CHECK(i == 0 || s.value[i] <= s.value[i - 1]);
    }
    free(w);
    lw_sharpness_free(&s);
    curvature_destroy(&c);
    bench_end(&b);
}

static void on_grids(void (*check)(const lw_comm *, int, lw_sharpness_matrix)) {
    lw_comm *world = world_start();
    for (int m = 0; m < 2; m++)
        for (int replicas = 1; replicas <= lw_comm_size(world); replicas++)
            if (lw_comm_size(world) % replicas == 0) check(world, replicas, MATRIX[m]);
    lw_comm_stop(&world);
}

TEST(symmetric) {
    on_grids(check_symmetric);
}

TEST(lanczos_against_a_dense_matrix) {
    on_grids(check_eigenvalues);
}

static void run(const lw_comm *comm, int replicas, int32_t lanes, const lw_sharpness_spec *spec, lw_sharpness *s) {
    bench b;
    bench_begin(&b, comm, replicas, false, true);
    b.spec.loss.readout = LW_READOUT_MEAN;
    if (lanes > 0) b.spec.batch = lanes;
    CHECK_OK(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, spec, s));
    bench_end(&b);
}

/* the reference is made by every rank alone; a start that depends on the network alone makes even unfinished
 * eigenvalues agree */
TEST(any_grid_and_any_batch) {
    lw_comm *world = world_start(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    for (int m = 0; m < 2; m++) {
        lw_sharpness_spec spec = {
            .eigenvalues = 4, .steps = 6, .samples = SAMPLES, .tolerance = 1e-14, .seed = 3, .matrix = MATRIX[m]};
        lw_sharpness expected, s;
        run(self, 1, 0, &spec, &expected);
        CHECK(expected.n == 4 && expected.steps == 6 && !expected.converged && expected.residual[0] > 0);
        for (int replicas = 1; replicas <= lw_comm_size(world); replicas++)
            for (int32_t lanes = BATCH; lanes > 0 && lw_comm_size(world) % replicas == 0; lanes -= 8) {
                run(world, replicas, lanes, &spec, &s);
                CHECK_REL(s.loss, expected.loss, 1e-12);
                CHECK_INT(s.steps, expected.steps);
                for (int i = 0; i < 4; i++) {
                    CHECK_CLOSE(s.value[i], expected.value[i], 1e-9 * expected.value[0]);
                    CHECK_CLOSE(s.residual[i], expected.residual[i], 1e-9 * expected.value[0]);
                }
                lw_sharpness_free(&s);
            }
        lw_sharpness_free(&expected);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(symmetric), CASE(lanczos_against_a_dense_matrix), CASE(any_grid_and_any_batch))
