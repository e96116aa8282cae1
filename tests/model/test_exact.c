/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Numbers: propagators and trajectories against closed solutions and the formulas of NEST's iaf_psc_exp and
 * iaf_psc_delta, equal time constants included; chains against a fine Runge-Kutta; methods and functions against the
 * same formulas written by hand.
 */
#include "one_neuron.h"

static void set_param(const char *name, double value) {
    int p = lw_model_param_find(b.model, name);
    CHECK(p >= 0);
    for (int i = 0; p >= 0 && i < BENCH_N; i++)
        b.param[p][i] = value;
}

static void step(void) {
    lw_kernel_args a = bench_args(&b);
    bench_kernels(&b)->step(&a);
}

/* NEST's P21 (current to potential after h), by a series where the time constants are close */
static long double p21(long double h, long double tau_m, long double tau_s, long double c) {
    long double d = h / tau_m - h / tau_s,
                phi = fabsl(d) > 1e-2L
                          ? expm1l(d) / d
                          : 1 + d / 2 * (1 + d / 3 * (1 + d / 4 * (1 + d / 5 * (1 + d / 6 * (1 + d / 7)))));
    return h / c * expl(-h / tau_m) * phi;
}

TEST(lif_propagators) {
    const double tau_syn[] = {2, 10, 10 * (1 + 1e-9), 10 * (1 - 1e-5), 9, 0.3, 500};
    for (int t = 0; t < 7; t++) {
        const double h = 0.1, tau_m = 10, c = 250;
        start("lif", h);
        set_param("tau_syn_ex", tau_syn[t]);
        set_param("E_L", 0);
        set_param("V_th", 1e9);
        for (int basis = 0; basis < 3; basis++) { /* one unit of V, of i_ex, of I_e */
            set_param("I_e", basis == 2);
            ready();
            b.state.room[0][0] = basis == 0;
            b.state.room[1][0] = basis == 1;
            step();
            const long double v[3] = {expl(-h / (long double)tau_m), p21(h, tau_m, tau_syn[t], c),
                -tau_m / (long double)c * expm1l(-h / (long double)tau_m)};
            CHECK_REL(b.state.room[0][0], (double)v[basis], 1e-15 * 4);
            CHECK_REL(b.state.room[1][0], basis == 1 ? (double)expl(-h / (long double)tau_syn[t]) : 0, 1e-15 * 2);
        }
    }
}

/* 2000 steps, spikes on both ports at known times, constant current: superposition of closed solutions */
TEST(lif_trajectory) {
    enum { STEPS = 2000 };
    for (int equal = 0; equal < 2; equal++) {
        const double h = 0.1, tau_m = 10, c = 250, tau[2] = {equal ? 10 : 2, 5}, e_l = -70, current = 80;
        start("lif", h);
        set_param("tau_syn_ex", tau[0]);
        set_param("tau_syn_in", tau[1]);
        set_param("I_e", current);
        set_param("V_th", 0);
        ready();
        for (int n = 1; n <= STEPS; n++) {
            b.input.room[0][0] = n % 130 == 20 ? 500 : 0;
            b.input.room[1][0] = n % 170 == 90 ? -400 : 0;
            step();
            long double v = e_l - (long double)current * tau_m / c * expm1l(-n * (long double)h / tau_m);
            for (int k = 1; k <= n; k++) { /* a spike in step k adds to the current at the end of step k */
                if (k % 130 == 20) v += 500 * p21((n - k) * (long double)h, tau_m, tau[0], c);
                if (k % 170 == 90) v += -400 * p21((n - k) * (long double)h, tau_m, tau[1], c);
            }
            CHECK_REL(b.state.room[0][0], (double)v, 1e-12);
            CHECK_CLOSE(b.out.room[0][0], 0, 0);
        }
    }
}

/* interval = refractory steps + steps from reset to threshold; V stays at V_reset meanwhile, and delta jumps are lost
 */
TEST(refractory_and_interval) {
    const char *const names[] = {"lif", "lif_delta"};
    for (int m = 0; m < 2; m++) {
        const double h = 0.1, current = 500;
        int last = -1, intervals = 0;
        start(names[m], h);
        set_param("I_e", current);
        set_param("V_reset", -65);
        ready();
        const double rise = 10 * log((-50 - -65.0) / (-50 - -55.0)); /* V(infinity) = -70 + 20 */
        for (int n = 0; n < 2000; n++) {
            bool held = b.refractory[0] > 0;
            b.input.room[0][0] = m == 1 && held ? 100 : 0;
            step();
            if (held) CHECK_CLOSE(b.state.room[0][0], -65, 0);
            CHECK_INT(b.held[0], held);
            if (b.out.room[0][0] > 0) {
                if (last >= 0) CHECK_INT(n - last, 20 + (int)ceil(rise / h));
                CHECK_CLOSE(b.state.room[0][0], -65, 0);
                intervals += last >= 0;
                last = n;
            }
        }
        CHECK(intervals > 10);
    }
}

/* iaf_psc_delta: V(t + h) = P33 V + P30 I + sum of weights */
TEST(lif_delta_step) {
    start("lif_delta", 0.2);
    set_param("I_e", 100);
    ready();
    b.state.room[0][0] = -64;
    b.input.room[0][0] = 1.5;
    step();
    const double p33 = exp(-0.2 / 10), p30 = 10 / 250. * (1 - p33);
    CHECK_REL(b.state.room[0][0], -70 + p33 * 6 + p30 * 100 + 1.5, 1e-15);
}

TEST(cuba_lif_step) {
    start("cuba_lif", 1);
    set_param("bias", 0.3);
    ready();
    b.state.room[0][0] = 0.5;
    b.state.room[1][0] = 0.8;
    b.input.room[0][0] = 12;
    step();
    const double alpha = exp(-1. / 5), beta = exp(-1. / 20), i = alpha * 0.5 + 12,
                 v = beta * 0.8 + (1 - beta) * (i + 0.3);
    CHECK_CLOSE(b.state.room[0][0], i, 0);
    CHECK(v >= 1);
    CHECK_CLOSE(b.state.room[1][0], v - 1, 1e-15);
    CHECK_CLOSE(b.out.room[0][0], 1, 0);
}

/* the soft reset that counts: bit for bit v' = (beta v + (1 - beta)(s + bias)) - theta z */
TEST(reference_lif_bits) {
    double v[3] = {0.4, 0.4, 0.4}, s[3] = {0}, z[3] = {0};
    const double alpha = 0.8123, beta = 0.937, bias = 0.31, theta = 1;
    const char *const names[] = {"ref_lif_hard", "ref_lif_soft", "ref_lif_soft2"};
    for (int m = 0; m < 3; m++) {
        int spikes = 0;
        start(names[m], 1);
        set_param("alpha", alpha);
        set_param("beta", beta);
        set_param("bias", bias);
        ready();
        b.state.room[0][0] = v[m];
        for (int t = 0; t < 500; t++) {
            const double x = lw_rng_uniform(3, LW_PURPOSE_CHECK, (uint64_t)t, 0, 0) < 0.3 ? 2.5 : 0;
            /* the reference: v, s belong to the time before, z = [v >= theta] */
            const double ob = 1 - beta, old = s[m];
            s[m] = alpha * s[m] + x;
            v[m] = m == 0 ? beta * (v[m] * (1 - z[m])) + ob * (old + bias)
                          : (beta * v[m] + ob * (old + bias)) - theta * z[m];
            z[m] = v[m] >= theta;
            b.input.room[0][0] = x;
            lw_kernel_args a = bench_args(&b);
            bench_kernels(&b)->update(&a);
            CHECK_CLOSE(b.state.room[0][0], v[m], m == 2 ? 1e-12 : 0);
            CHECK_CLOSE(b.state.room[1][0], s[m], 0);
            b.spike.room[0][0] = b.margin.room[0][0] >= 0;
            CHECK_CLOSE(b.spike.room[0][0], z[m], 0);
            bench_kernels(&b)->fire(&a);
            spikes += z[m] > 0;
        }
        CHECK(spikes > 30);
    }
}

static void chain_rate(const long double x[3], long double input, long double d, long double f[3]) {
    f[0] = -x[0] / 5 + (input + d + 1) / 5;
    f[1] = (x[0] - x[1]) / 5;
    f[2] = -x[2] / 20 + 2 * x[1] / 5;
}

/* tau_a = tau_b: the divided differences have equal points. d is taken from before the ode block, then updated with the
 * new c. */
TEST(chain_against_runge_kutta) {
    const double dt = 3;
    start("chain", dt);
    ready();
    b.state.room[0][0] = 0.3;
    b.state.room[1][0] = -0.7;
    b.input.room[0][0] = 1.7;
    long double x[3] = {0.3L, -0.7L, 0.5L}, k[4][3], y[3];
    const long double h = dt / 2000.L;
    for (int t = 0; t < 2000; t++) {
        for (int stage = 0; stage < 4; stage++) {
            for (int v = 0; v < 3; v++)
                y[v] = x[v] + (stage == 0 ? 0 : stage < 3 ? h / 2 * k[stage - 1][v] : h * k[2][v]);
            chain_rate(y, 1.7L, 1, k[stage]);
        }
        for (int v = 0; v < 3; v++)
            x[v] += h / 6 * (k[0][v] + 2 * k[1][v] + 2 * k[2][v] + k[3][v]);
    }
    step();
    for (int v = 0; v < 3; v++)
        CHECK_REL(b.state.room[v][0], (double)x[v], 1e-13);
    CHECK_REL(b.state.room[3][0], 0.9 + 0.1 * (double)x[2], 1e-13);
    CHECK_REL(b.out.room[0][0], (double)(x[1] * x[2]), 1e-13);
}

/* the Runge-Kutta of the reference values, same order of operations, same bits */
TEST(lorenz_bits) {
    const double h = 0.005, beta = 8 / 3.;
    double x[3] = {1, 1, 20}, k[4][3], y[3];
    start("lorenz63", h);
    ready();
    for (int t = 0; t < 300; t++) {
        for (int stage = 0; stage < 4; stage++) {
            for (int v = 0; v < 3; v++)
                y[v] = stage == 0 ? x[v] : x[v] + (stage < 3 ? h / 2 : h) * k[stage - 1][v];
            k[stage][0] = 10 * (y[1] - y[0]);
            k[stage][1] = y[0] * (28 - y[2]) - y[1];
            k[stage][2] = y[0] * y[1] - beta * y[2];
        }
        for (int v = 0; v < 3; v++)
            x[v] = x[v] + h / 6 * (k[0][v] + 2 * k[1][v] + 2 * k[2][v] + k[3][v]);
        step();
        for (int v = 0; v < 3; v++)
            CHECK_CLOSE(b.state.room[v][0], x[v], 0);
    }
}

/* every function, exponential Euler, order of lines, simultaneous assignment */
TEST(zoo_by_hand) {
    const double a = 0.7, bb = -0.4, c = 1.3, tau = 8, g = 2, cap = 100, e_rev = -60, dt = 0.5, x = 0.6, y = 1.1;
    double p = 0.3, q = -0.25, r = 0.15, v = -52;
    start("zoo", dt);
    ready();
    const double init[] = {0.2, a * bb, 0.1, e_rev + 3};
    for (int k = 0; k < 4; k++)
        CHECK_CLOSE(b.state.room[k][0], init[k], 1e-15);
    const double from[] = {p, q, r, v};
    for (int k = 0; k < 4; k++)
        b.state.room[k][0] = from[k];
    b.input.room[0][0] = x;
    b.input.room[1][0] = y;
    step();
    const double drive = tanh(p) + 1 / (1 + exp(-q * a)) - sin(r) * cos(p);
    const double slope_p = ((1 - tanh(p) * tanh(p)) + sin(r) * sin(p) - (1 + q * q)) / tau,
                 slope_v = -g / cap * (1 + p * p);
    const double p_new = p + expm1(slope_p * dt) / slope_p * (drive - p * (1 + q * q)) / tau;
    v += expm1(slope_v * dt) / slope_v * (-g * (v - e_rev) / cap * (1 + p * p));
    p = p_new;
    q = exp(-dt / tau) * q + expm1(-fabs(p)) + log(2 + r * r) + sqrt(1 + q * q) * c * 0.1 + 0.1 * x;
    r = fmin(q, 0.5 * p + bb) + fmax(r * 0.3, x * 0.2) + pow(1.5 + p * p, c) + (q < r ? a * p : q * bb) -
        pow(2, 0.1 * r);
    v = v + y + 0.01 * r;
    const double by_hand[] = {p, q, r, v};
    CHECK(0.2 * q + 0.05 * (v - e_rev) - 1 < 0);
    for (int k = 0; k < 4; k++)
        CHECK_REL(b.state.room[k][0], by_hand[k], 1e-14);
    start("henon", 1);
    ready();
    b.state.room[0][0] = 0.3;
    b.state.room[1][0] = 0.2;
    step();
    CHECK_CLOSE(b.state.room[0][0], 1 - 1.4 * (0.3 * 0.3) + 0.2, 0);
    CHECK_CLOSE(b.state.room[1][0], 0.3 * 0.3, 0);
}

/* exp[x1..xn] by the defining recursion, in long double, for points that are far enough apart */
static long double recursion(int n, const double *x) {
    return n == 1 ? expl(x[0]) : (recursion(n - 1, x + 1) - recursion(n - 1, x)) / ((long double)x[n - 1] - x[0]);
}

TEST(divided_differences) {
    const double apart[] = {-0.1, -3, -7.5, 0, -12, 2}, equal[] = {-0.7, -0.7, -0.7, -0.7, -0.7, -0.7, -0.7, -0.7};
    double factorial = 1, mixed[3];
    for (int n = 2; n <= 6; n++)
        CHECK_REL(lw_kernel_expdd(n, apart), (double)recursion(n, apart), 1e-13);
    for (int n = 1; n <= 8; n++) {
        CHECK_REL(lw_kernel_expdd(n, equal), exp(-0.7) / factorial, 1e-15 * 4);
        factorial *= n;
    }
    /* exp[a, a, b] = (exp[a, b] - exp(a))/(b - a) for any distance; near ones by the series of exp(a) phi(b - a) */
    for (double d = 1e-10; d < 1e3; d *= 10) {
        mixed[0] = mixed[2] = -1;
        mixed[1] = -1 - d;
        long double e = -d, exact = d > 1 ? (expm1l(e) / e - 1) / e : 0, term = 0.5L;
        for (int k = 3; d <= 1 && k < 40; k++) {
            exact += term;
            term *= e / k;
        }
        CHECK_REL(lw_kernel_expdd(3, mixed), (double)(expl(-1) * exact), 1e-14);
    }
    const double wide[] = {-5000, 0, -1e-3};
    CHECK_REL(lw_kernel_expdd(3, wide), (double)recursion(3, wide), 1e-13);
}

CHECK_MAIN(CASE(lif_propagators), CASE(lif_trajectory), CASE(refractory_and_interval), CASE(lif_delta_step),
    CASE(cuba_lif_step), CASE(reference_lif_bits), CASE(chain_against_runge_kutta), CASE(lorenz_bits),
    CASE(zoo_by_hand), CASE(divided_differences))
