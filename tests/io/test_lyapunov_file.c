/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lyapunov.h5: what goes in comes out, infinities too; the profile is by neuron whatever the ranks; spectra are added
 * and replaced one at a time.
 */
#include "checkpoint_net.h"
#include "h5.h"

enum { K = 5, TRACES = 3 };

static void save(const lw_comm *world, const lw_net *net, const char *name, bool append, double shift) {
    double exponent[K] = {0.3, 0, -0.1, -2, -INFINITY}, error[K] = {0.01, 0.02, 0.03, 0.04, 0},
           step[K] = {1, 2, 3, 4, 5};
    double ln_r[K] = {5, 4, 3, 2, 1}, trace[TRACES * K];
    int64_t trace_step[TRACES] = {10, 20, 30};
    for (int i = 0; i < TRACES * K; i++)
        trace[i] = i;
    exponent[0] += shift;
    int64_t n = lw_net_n_local(net);
    double *profile = calloc((size_t)n + 1, sizeof *profile);
    for (int64_t k = 0; k < n; k++)
        profile[k] = (double)lw_net_gid(net, k) + shift;
    lw_lyapunov l = {.k = K,
        .dimension = 100,
        .steps = 30,
        .dt = 0.1,
        .exponent = exponent,
        .stderr_ = error,
        .exponent_step = step,
        .ln_r_sum = ln_r,
        .kaplan_yorke = 2.5,
        .n_trace = TRACES,
        .trace_step = trace_step,
        .trace = trace,
        .n_local = n,
        .profile = profile,
        .collapsed = 1,
        .qr = LW_QR_SCALAPACK,
        .sum = -1.8};
    CHECK_OK(lw_lyapunov_save(world, scratch_path("lyapunov.h5"), name, append, &l, net));
    free(profile);
}

static void check(const char *name, double shift) {
    lw_h5_reader *r = NULL;
    double x[N_E], trace[TRACES * K];
    char path[64];
    int64_t n = 0, row = 0;
    CHECK_OK(lw_h5_reader_open(scratch_path("lyapunov.h5"), &r));
    (void)snprintf(path, sizeof path, "/%s/exponent", name);
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_DOUBLE, 0, K, x));
    CHECK_CLOSE(x[0], 0.3 + shift, 0);
    CHECK(isinf(x[K - 1]) && x[K - 1] < 0);
    (void)snprintf(path, sizeof path, "/%s/trace", name);
    CHECK_OK(lw_h5_reader_shape(r, path, &n, &row));
    CHECK(n == TRACES && row == K);
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_DOUBLE, 0, TRACES, trace));
    for (int i = 0; i < TRACES * K; i++)
        CHECK_CLOSE(trace[i], i, 0);
    (void)snprintf(path, sizeof path, "/%s/profile/E", name);
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_DOUBLE, 0, N_E, x));
    for (int64_t g = 0; g < N_E; g++)
        CHECK_CLOSE(x[g], (double)g + shift, 0);
    (void)snprintf(path, sizeof path, "/%s/profile/I%%2F2", name);
    CHECK_OK(lw_h5_reader_array(r, path, H5T_NATIVE_DOUBLE, 0, N_I, x));
    CHECK_CLOSE(x[N_I - 1], N_E + N_I - 1 + shift, 0);
    (void)snprintf(path, sizeof path, "/%s", name);
    CHECK_OK(lw_h5_reader_f64(r, path, "kaplan_yorke", x));
    CHECK_CLOSE(x[0], 2.5, 0);
    lw_h5_reader_close(&r);
}

static bool there(const char *group) {
    lw_h5_reader *r = NULL;
    CHECK_OK(lw_h5_reader_open(scratch_path("lyapunov.h5"), &r));
    bool found = lw_h5_reader_has(r, group);
    lw_h5_reader_close(&r);
    return found;
}

TEST(spectra_are_added_and_replaced) {
    lw_comm *world = test_world();
    lw_net *net = NULL;
    scratch_make();
    CHECK_OK(test_net(world, LW_PARTITION_ROUND_ROBIN, LW_F32, &net));
    save(world, net, "dense", true, 0); /* nothing there yet */
    check("dense", 0);
    save(world, net, "pruned", true, 1);
    check("dense", 0);
    check("pruned", 1);
    save(world, net, "dense", true, 2);
    check("dense", 2);
    check("pruned", 1);
    save(world, net, "only", false, 3);
    check("only", 3);
    CHECK(!there("/dense") && !there("/pruned"));
    CHECK(access(scratch_path("lyapunov.h5.tmp"), F_OK) != 0);
    lw_lyapunov none = {0};
    CHECK_FAILS(lw_lyapunov_save(world, scratch_path("no/l.h5"), "a", true, &none, net), LW_EIO, "no/l.h5.tmp");
    lw_comm_barrier(world);
    if (check_rank() == 0) scratch_write(scratch_path("lyapunov.h5"), "damaged", 7);
    lw_comm_barrier(world);
    CHECK_FAILS(
        lw_lyapunov_save(world, scratch_path("lyapunov.h5"), "a", true, &none, net), LW_EIO, "cannot be opened");
    lw_net_destroy(&net);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(spectra_are_added_and_replaced))
