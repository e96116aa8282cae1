/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sharpness: the Gauss-Newton product is symmetric and positive semidefinite; where the read-out is linear in what is
 * learned it is the second derivative, for every loss and read-out; Lanczos finds the eigenvalues of the same matrix
 * built column by column (LAPACK); the same on any grid and for any cut into batches.
 */
#include "curvature_net.h"
#include "world.h"

TEST(symmetric_and_not_negative) {
    lw_comm *world = world_start();
    for (int replicas = 1; replicas <= lw_comm_size(world); replicas++) {
        bench b;
        curvature *c = NULL;
        if (lw_comm_size(world) % replicas) continue;
        bench_begin(&b, world, replicas, true, true);
        CHECK_OK(curvature_create(b.grid, b.net, &b.spec, &b.data, SAMPLES, &c));
        int64_t n = c->theta->n_local;
        double *u = draw(&b, n, 1), *v = draw(&b, n, 2), *gu = vector(n), *gv = vector(n), *again = vector(n);
        CHECK_OK(curvature_product(c, u, gu));
        CHECK_OK(curvature_product(c, v, gv));
        CHECK_OK(curvature_product(c, u, again));
        CHECK(memcmp(gu, again, (size_t)n * sizeof *gu) == 0);
        double uv = dot(&b, n, u, gv), vu = dot(&b, n, v, gu), uu = dot(&b, n, u, gu), vv = dot(&b, n, v, gv);
        CHECK(uu > 0 && vv > 0);
        CHECK_CLOSE(uv, vu, 1e-12 * sqrt(uu * vv));
        CHECK(uv * uv <= uu * vv * (1 + 1e-12)); /* Cauchy-Schwarz */
        free(u);
        free(v);
        free(gu);
        free(gv);
        free(again);
        curvature_destroy(&c);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

/* gradient at x + h v */
static void gradient_at(bench *b, const lw_theta *theta, const double *x, double h, const double *v, double *out) {
    double *moved = vector(theta->n_local);
    lw_gradient g;
    for (int64_t i = 0; i < theta->n_local; i++)
        moved[i] = x[i] + h * v[i];
    lw_theta_put(theta, b->net, moved);
    CHECK_OK(lw_gradient_run(b->grid, b->net, &b->spec, &b->data, SAMPLES, &g));
    memcpy(out, g.gradient, (size_t)theta->n_local * sizeof *out);
    lw_gradient_free(&g);
    free(moved);
}

/* The leaky read-out is linear in its weights and bias, which no spike depends on: that part of the matrix is the
 * second derivative of the loss itself. */
TEST(second_derivative_of_a_linear_readout) {
    lw_comm *world = world_start();
    int replicas = lw_comm_size(world) % 2 == 0 ? 2 : 1;
    for (int readout = LW_READOUT_PER_STEP; readout <= LW_READOUT_MAX; readout++)
        for (int kind = 0; kind < 3; kind++) {
            bench b;
            curvature *c = NULL;
            bench_begin(&b, world, replicas, readout <= LW_READOUT_LAST && kind < 2, kind < 2);
            b.spec.loss.readout = (lw_readout_kind)readout;
            b.spec.loss.kind = kind == 0 ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE;
            b.spec.loss.label_smoothing = 0.1;
            b.spec.loss.unlabelled = readout == LW_READOUT_LAST ? 1 : -1;
            CHECK_OK(curvature_create(b.grid, b.net, &b.spec, &b.data, SAMPLES, &c));
            const lw_theta *theta = c->theta;
            int64_t n = theta->n_local;
            double h = 1e-3, worst = 0, largest = 0;
            double *x = vector(n), *v = draw(&b, n, 3), *gv = vector(n), *up = vector(n), *down = vector(n);
            double *scaled = vector(n);
            lw_theta_get(theta, b.net, x);
            for (int32_t k = 0; k < theta->n_blocks; k++)
                for (int64_t i = theta->block[k].offset; i < theta->block[k].offset + theta->block[k].count; i++) {
                    if (!theta->block[k].is_weight || theta->block[k].proj != 2) v[i] = 0;
                    scaled[i] = v[i] * c->scale[i];
                }
            CHECK_OK(curvature_product(c, v, gv));
            curvature_destroy(&c);
            CHECK_OK(lw_theta_create(b.net, (lw_theta **)&theta));
            gradient_at(&b, theta, x, h, scaled, up);
            gradient_at(&b, theta, x, -h, scaled, down);
            for (int64_t i = 0; i < n; i++) {
                if (v[i] == 0) continue;
                worst = fmax(worst, fabs(gv[i] - (up[i] - down[i]) / (2 * h)));
                largest = fmax(largest, fabs(gv[i]));
            }
            lw_comm_max_f64(world, &worst, 1);
            lw_comm_max_f64(world, &largest, 1);
            CHECK(largest > 0);
            CHECK_CLOSE(worst / largest, 0, 1e-5);
            free(x);
            free(v);
            free(gv);
            free(up);
            free(down);
            free(scaled);
            lw_theta_destroy((lw_theta **)&theta);
            bench_end(&b);
        }
    lw_comm_stop(&world);
}

TEST(lanczos_against_a_dense_matrix) {
    lw_comm *world = world_start();
    for (int replicas = 1; replicas <= lw_comm_size(world); replicas++) {
        bench b;
        curvature *c = NULL;
        lw_sharpness s;
        lw_sharpness_spec spec = lw_sharpness_spec_default();
        if (lw_comm_size(world) % replicas) continue;
        bench_begin(&b, world, replicas, true, true);
        spec.samples = SAMPLES;
        spec.tolerance = 1e-10;
        CHECK_OK(curvature_create(b.grid, b.net, &b.spec, &b.data, SAMPLES, &c));
        CHECK_OK(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s));
        CHECK(s.converged && s.n == 5 && s.steps <= 60);
        CHECK_INT(s.learnable, c->theta->n_global);
        int n = (int)s.learnable;
        double *w = dense_eigenvalues(&b, c);
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
    lw_comm_stop(&world);
}

/* the reference is made by every rank alone; a start that depends on the network alone makes even unfinished
 * eigenvalues agree */
TEST(any_grid_and_any_batch) {
    lw_comm *world = world_start(), *self = NULL;
    bench one;
    lw_sharpness expected;
    lw_sharpness_spec spec = {.eigenvalues = 4, .steps = 6, .samples = SAMPLES, .tolerance = 1e-14, .seed = 3};
    CHECK_OK(lw_comm_self(&self));
    bench_begin(&one, self, 1, false, true);
    one.spec.loss.readout = LW_READOUT_MEAN;
    CHECK_OK(lw_sharpness_run(one.grid, one.net, &one.spec, &one.data, &spec, &expected));
    CHECK(expected.n == 4 && expected.steps == 6 && !expected.converged && expected.residual[0] > 0);
    for (int replicas = 1; replicas <= lw_comm_size(world); replicas++)
        for (int32_t lanes = BATCH; lanes > 0; lanes -= 8) {
            bench b;
            lw_sharpness s;
            if (lw_comm_size(world) % replicas) continue;
            bench_begin(&b, world, replicas, false, true);
            b.spec.loss.readout = LW_READOUT_MEAN;
            b.spec.batch = lanes;
            CHECK_OK(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s));
            CHECK_REL(s.loss, expected.loss, 1e-12);
            CHECK_INT(s.steps, expected.steps);
            for (int i = 0; i < 4; i++) {
                CHECK_CLOSE(s.value[i], expected.value[i], 1e-9 * expected.value[0]);
                CHECK_CLOSE(s.residual[i], expected.residual[i], 1e-9 * expected.value[0]);
            }
            lw_sharpness_free(&s);
            bench_end(&b);
        }
    lw_sharpness_free(&expected);
    bench_end(&one);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* Three samples and one softmax each: six eigenvalues that are not 0, and what the start has of the rest counts once.
 */
TEST(fewer_eigenvalues_than_asked) {
    lw_comm *world = world_start();
    bench b;
    lw_sharpness s;
    lw_sharpness_spec spec = {.eigenvalues = 10, .steps = 50, .samples = 3, .tolerance = 1e-14, .seed = 3};
    bench_begin(&b, world, 1, false, true);
    b.spec.loss.readout = LW_READOUT_LAST;
    CHECK_OK(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s));
    CHECK(s.converged && s.n == 7);
    CHECK(s.value[5] > 1e-9 * s.value[0]);
    CHECK_CLOSE(s.value[6], 0, 1e-12 * s.value[0]);
    lw_sharpness_free(&s);
    bench_end(&b);
    lw_comm_stop(&world);
}

TEST(bad_input) {
    lw_comm *world = world_start();
    bench b;
    lw_sharpness s;
    lw_sharpness_spec spec = lw_sharpness_spec_default();
    bench_begin(&b, world, 1, false, true);
    spec.steps = 3;
    CHECK_FAILS(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s), LW_EUSE, "allowed are numbers from");
    spec.steps = 60;
    spec.samples = SAMPLES + 1;
    CHECK_FAILS(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s), LW_EUSE, "allowed are 1 to the 11");
    spec.samples = SAMPLES;
    b.spec.loss.kind = (lw_loss_kind)99;
    CHECK_FAILS(lw_sharpness_run(b.grid, b.net, &b.spec, &b.data, &spec, &s), LW_EUSE,
        "sharpness has no second derivative of loss number 99, it knows those of");
    bench_end(&b);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(symmetric_and_not_negative), CASE(second_derivative_of_a_linear_readout),
    CASE(lanczos_against_a_dense_matrix), CASE(any_grid_and_any_batch), CASE(fewer_eigenvalues_than_asked),
    CASE(bad_input))
