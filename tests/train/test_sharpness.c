/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sharpness: where the read-out is linear in what is learned the Gauss-Newton product is the second derivative, for
 * every loss and read-out; as many eigenvalues are found as there are. What it shares with the Hessian is in
 * test_curvature.c.
 */
#include "curvature_net.h"
#include "world.h"

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

CHECK_MAIN(CASE(second_derivative_of_a_linear_readout), CASE(fewer_eigenvalues_than_asked), CASE(bad_input))
