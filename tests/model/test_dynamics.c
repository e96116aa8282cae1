/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The neuron models of the literature against closed solutions, formulas worked step by step, fine Runge-Kutta
 * solutions, and reference solutions of scipy (Dormand-Prince 8(5,3), tolerances 1e-12, spikes by event detection).
 */
#include "one_neuron.h"

static void param(const char *name, double value) {
    int p = lw_model_param_find(b.model, name);
    CHECK(p >= 0);
    for (int i = 0; p >= 0 && i < BENCH_N; i++)
        b.param[p][i] = value;
}
/* true: a spike */
static bool step(void) {
    lw_kernel_args a = bench_args(&b);
    bench_kernels(&b)->step(&a);
    return b.out.room[0][0] > 0;
}
static double *state(const char *name) {
    return b.state.room[lw_model_state_find(b.model, name)];
}
static double *input(const char *name) {
    return b.input.room[lw_model_input_find(b.model, name)];
}

/* ------------------------------------------------------------------ linear models */

enum { EXPONENTIAL, ALPHA };
/* potential after a spike of weight 1: response of C V' = -C V/tau_m + I to exp(-t/tau) or (t/tau) exp(1 - t/tau) */
static long double response(int kind, long double t, long double tau_m, long double tau, long double c) {
    long double d = 1 / tau - 1 / tau_m, slow = expl(-t / tau_m), fast = expl(-t / tau);
    if (kind == EXPONENTIAL) return (slow - fast) / (d * c);
    return expl(1) / (tau * c) * (slow - fast * (1 + t * d)) / (d * d);
}

TEST(currents_superpose) {
    enum { STEPS = 1500, ON = 300, OFF = 900 };
    const char *const names[] = {"lif_exp", "lif_alpha"};
    for (int kind = 0; kind < 2; kind++) {
        const double h = 0.1, tau_m = 10, c = 250, tau[2] = {2, 0.5};
        start(names[kind], h);
        param("tau_syn_in", tau[1]);
        param("V_th", 0);
        ready();
        for (int n = 1; n <= STEPS; n++) {
            input("ex")[0] = n % 130 == 20 ? 500 : 0;
            input("in")[0] = n % 170 == 90 ? -400 : 0;
            input("current")[0] = n > ON && n <= OFF ? 150 : 0;
            step();
            long double v = -70, t = n * (long double)h;
            for (int k = 1; k <= n; k++) {
                if (k % 130 == 20) v += 500 * response(kind, (n - k) * (long double)h, tau_m, tau[0], c);
                if (k % 170 == 90) v -= 400 * response(kind, (n - k) * (long double)h, tau_m, tau[1], c);
            }
            if (n > ON) v -= 150 * tau_m / (long double)c * expm1l(-(t - ON * (long double)h) / tau_m);
            if (n > OFF) v += 150 * tau_m / (long double)c * expm1l(-(t - OFF * (long double)h) / tau_m);
            CHECK_REL(state("V_m")[0], (double)v, 1e-12);
        }
    }
}

TEST(jumps_decay) {
    start("lif_delta", 0.1);
    param("V_th", 0);
    ready();
    for (int n = 1; n <= 1500; n++) {
        long double v = -70;
        b.input.room[0][0] = n % 37 == 5 ? 3 : n % 53 == 9 ? -2 : 0;
        step();
        for (int k = 1; k <= n; k++)
            v += (k % 37 == 5 ? 3 : k % 53 == 9 ? -2 : 0) * expl(-(n - k) * 0.1L / 10);
        CHECK_REL(state("V_m")[0], (double)v, 1e-12);
    }
}

/* constant input x: v = x (1 - beta^n) up to the first spike, whose threshold then falls back with rho */
TEST(alif_between_spikes) {
    const long double beta = expl(-1 / 20.0L), rho = expl(-1 / 200.0L);
    int last = 0, spikes = 0;
    long double from = 0, a = 0, above;
    start("alif", 1);
    ready();
    for (int n = 1; n <= 2000; n++) {
        b.input.room[0][0] = 3;
        bool fired = step();
        long double v = 3 + (from - 3) * powl(beta, n - last), fallen = a * powl(rho, n - last);
        above = 1 + 1.8L * fallen;
        CHECK(fired == (v >= above));
        if (fired) {
            from = v - above;
            a = fallen + (1 - rho);
            last = n;
            spikes++;
            v = from;
            fallen = a;
        }
        CHECK_CLOSE(state("v")[0], (double)v, 1e-12);
        CHECK_CLOSE(state("a")[0], (double)fallen, 1e-12);
    }
    CHECK(spikes > 20);
}

/* ------------------------------------------------------------------ models of learning */

/* arriving spikes of the next tests: weight in step n, 0 mostly */
static double arrival(int n) {
    return n % 23 == 4 ? 0.7 : n % 31 == 17 ? -0.4 : n % 41 == 8 ? 1.1 : 0;
}

/* potential: w (1 - exp(-t/tau)) of every spike, less the leak, from the last reset on; held after it */
TEST(iaf_integrates) {
    enum { STEPS = 600 };
    const long double h = 0.5L, tau = 5, leak = 0.004L;
    int spikes = 0, held = 0;
    start("iaf", 0.5);
    param("leak", 0.004);
    param("v_reset", -0.2);
    param("t_ref", 2);
    ready();
    long double base = 0;
    int from = 0;
    for (int n = 1; n <= STEPS; n++) {
        b.input.room[0][0] = arrival(n);
        bool fired = step(), free = held == 0;
        /* what the current, decayed since it came, moved from step `from` on */
        long double v = base - (n - from) * h * leak;
        for (int k = 1; k < n; k++) {
            int begin = k > from ? k : from;
            v += (long double)arrival(k) * (expl(-(begin - k) * h / tau) - expl(-(n - k) * h / tau));
        }
        if (!free) {
            v = -0.2L;
            from = n;
            base = v;
            held--;
        }
        CHECK(fired == (free && v >= 1));
        if (fired) {
            base = v = -0.2L;
            from = n;
            held = 4;
            spikes++;
        }
        CHECK_CLOSE(state("v")[0], (double)v, 1e-12);
    }
    CHECK(spikes > 5);
}

/* u = bias + sum of alpha functions of arrivals - sum of exponentials of own spikes; nothing is reset */
TEST(srm_sums_kernels) {
    enum { STEPS = 600 };
    static int own[STEPS];
    const long double h = 0.5L, tau = 5, tau_ref = 10;
    int spikes = 0;
    start("srm", 0.5);
    param("bias", 0.3);
    param("eta", 0.8);
    ready();
    for (int n = 1; n <= STEPS; n++) {
        b.input.room[0][0] = arrival(n);
        bool fired = step();
        long double e = 0, r = 0;
        for (int k = 1; k <= n; k++) {
            long double t = (n - k) * h;
            e += (long double)arrival(k) * (t / tau) * expl(1 - t / tau);
        }
        for (int k = 0; k < spikes; k++)
            r += 0.8L * expl(-(n - own[k]) * h / tau_ref);
        CHECK_CLOSE(state("e")[0], (double)e, 1e-12);
        CHECK(fired == (0.3L + e - r >= 1));
        if (fired) own[spikes++] = n;
        CHECK_CLOSE(state("r")[0], (double)(r + (fired ? 0.8L : 0)), 1e-12);
    }
    CHECK(spikes > 5);
}

/* between spikes the pair (v, w) is multiplied by one matrix; a spike takes v_th off v and adds b to w */
TEST(adlif_is_linear_between_spikes) {
    const long double beta = expl(-1 / 20.0L), rho = expl(-1 / 100.0L), a = 1.5L;
    long double v = 0, w = 0;
    int spikes = 0;
    start("adlif", 1);
    param("a", 1.5);
    ready();
    for (int n = 1; n <= 2000; n++) {
        b.input.room[0][0] = n < 1500 ? 4 : 0;
        bool fired = step();
        long double x = n < 1500 ? 4 : 0, last = v;
        v = beta * last + (1 - beta) * (x - w);
        w = (1 - rho) * a * beta * last + (rho - (1 - rho) * a * (1 - beta)) * w + (1 - rho) * a * (1 - beta) * x;
        CHECK(fired == (v >= 1));
        if (fired) {
            v -= 1;
            w += 0.5L;
            spikes++;
        }
        CHECK_CLOSE(state("v")[0], (double)v, 1e-11);
        CHECK_CLOSE(state("w")[0], (double)w, 1e-11);
    }
    CHECK(spikes > 20);
}

/* the hard reset of cuba_lif: response since the last reset, started from v_reset, held for t_ref */
TEST(cuba_lif_hard_forgets) {
    const long double alpha = expl(-1 / 5.0L), beta = expl(-1 / 20.0L);
    long double i = 0, v = 0;
    int spikes = 0, held = 0;
    start("cuba_lif_hard", 1);
    param("v_reset", -0.1);
    param("t_ref", 3);
    ready();
    for (int n = 1; n <= 500; n++) {
        b.input.room[0][0] = 8 * fabs(arrival(n));
        bool fired = step();
        i = alpha * i + 8 * fabsl((long double)arrival(n));
        if (held == 0) v = beta * v + (1 - beta) * i;
        CHECK(fired == (held == 0 && v >= 1));
        if (held > 0) held--;
        if (fired) {
            v = -0.1L;
            held = 3;
            spikes++;
        }
        CHECK_CLOSE(state("v")[0], (double)v, 1e-12);
    }
    CHECK(spikes > 5);
}

/* what was sent stays within v_th of the activation and is sent whole; with v_th = 0 it is the activation */
TEST(sigma_delta_follows) {
    const double thresholds[] = {0.3, 0};
    for (int c = 0; c < 2; c++) {
        double sum = 0, received = 0;
        int sent = 0;
        start("sigma_delta", 1);
        param("v_th", thresholds[c]);
        param("bias", 0.1);
        param("slope", 0.25);
        ready();
        for (int n = 1; n <= 400; n++) {
            b.input.room[0][0] = 0.2 * sin(0.05 * n) + arrival(n) * (n % 2 ? 1 : -1);
            step();
            sum += b.input.room[0][0];
            double z = sum + 0.1, act = z < 0 ? 0.25 * z : z, y = b.out.room[0][0];
            received += y;
            CHECK(y == 0 || fabs(y) >= thresholds[c]);
            CHECK(fabs(act - received) < thresholds[c] + 1e-12);
            if (y != 0) {
                CHECK_CLOSE(received, act, 1e-12);
                sent++;
            }
        }
        CHECK(c == 0 ? sent > 20 && sent < 200 : sent > 390);
    }
}

/* spikes so far = the largest activation so far in quanta (while one per step is enough) */
TEST(sigma_delta_spikes_count_growth) {
    double sum = 0, top = 0;
    int sent = 0;
    start("sigma_delta_spike", 1);
    param("quantum", 0.5);
    param("v_th", 0.5);
    param("slope", 0);
    ready();
    for (int n = 1; n <= 400; n++) {
        b.input.room[0][0] = 0.4 * sin(0.05 * n) + 0.01;
        sent += step();
        sum += b.input.room[0][0];
        top = fmax(top, sum);
        CHECK_INT(sent, (int)floor(top / 0.5));
    }
    CHECK(sent > 20);
}

/* constant current: t_ref + tau ln((V_inf - V_reset)/(V_inf - V_th)), up to the grid */
TEST(rate_under_constant_current) {
    const char *const names[] = {"lif", "lif_exp", "lif_alpha", "lif_delta"};
    for (int m = 0; m < 4; m++)
        for (int current = 380; current < 2000; current *= 2) {
            int last = -1, intervals = 0;
            start(names[m], 0.05);
            param("I_e", current);
            ready();
            double rise = 10 * log((current * 0.04) / (current * 0.04 - 15));
            for (int n = 0; n < 8000; n++)
                if (step()) {
                    if (last >= 0) CHECK_INT(n - last, 40 + (int)ceil(rise / 0.05));
                    intervals += last >= 0;
                    last = n;
                }
            CHECK(intervals > 5);
        }
}

/* ------------------------------------------------------------------ thresholds that move */

/* the potential is a closed form, the threshold a sum over the spikes so far */
TEST(mat_spikes) {
    enum { STEPS = 6000 };
    int spike[STEPS], n_spikes = 0;
    start("mat2", 0.1);
    param("I_e", 700);
    ready();
    for (int n = 1; n <= STEPS; n++) {
        long double v = -70 - 700 * 5 / 100.0L * expm1l(-n * 0.1L / 5), threshold = -51;
        for (int k = 0; k < n_spikes; k++)
            threshold += 37 * expl((spike[k] - n) * 0.1L / 10) + 2 * expl((spike[k] - n) * 0.1L / 200);
        bool held = n_spikes && n - spike[n_spikes - 1] <= 20, fires = !held && v >= threshold;
        CHECK(step() == fires);
        CHECK_REL(state("V_m")[0], (double)v, 1e-12);
        if (fires) spike[n_spikes++] = n;
    }
    CHECK(n_spikes > 15);
    CHECK(spike[2] - spike[1] < spike[n_spikes - 1] - spike[n_spikes - 2]);
}

TEST(adaptation_between_spikes) {
    int last = 0, spikes = 0;
    long double v0 = -70, sfa = 0, stc = 0;
    start("lif_adapt", 0.1);
    param("I_e", 600);
    ready();
    for (int n = 1; n <= 10000; n++) {
        /* since the last spike: threshold and current fall at once, the potential moves after 20 steps */
        long double s = (n - last) * 0.1L, th = sfa * expl(-s / 100), adapt = stc * expl(-s / 50), v = v0;
        bool held = spikes && n - last <= 20;
        if (!held) {
            long double r = spikes ? s - 2 : s, begin = stc * expl(-(s - r) / 50);
            v = -70 + (v0 + 70) * expl(-r / 10) - 600 * 10 / 250.0L * expm1l(-r / 10) -
                begin * response(EXPONENTIAL, r, 10, 50, 250);
        }
        bool fires = !held && v >= -55 + th;
        CHECK(step() == fires);
        if (fires) {
            v0 = -70;
            sfa = th + 2;
            stc = adapt + 20;
            last = n;
            spikes++;
            v = v0;
            adapt = stc;
        }
        CHECK_REL(state("V_m")[0], (double)v, 1e-12);
        CHECK_CLOSE(state("stc")[0], (double)adapt, 1e-11);
    }
    CHECK(spikes > 20);
}

/* the potential rests, so every step fires with probability 1 - exp(-lambda dt); never without chance */
TEST(gif_escapes) {
    enum { STEPS = 200000 };
    double count = 0, p = 1 - exp(-0.2 * exp((-70 - -71) / 20.0) * 0.5);
    start("gif", 0.5);
    param("lambda_0", 0.2);
    param("V_T_star", -71);
    param("Delta_V", 20);
    param("V_reset", -70);
    param("t_ref", 0);
    ready();
    for (int n = 0; n < STEPS; n++) {
        input("chance")[0] = lw_rng_uniform(5, LW_PURPOSE_CHECK, (uint64_t)n, 0, 0);
        count += step();
    }
    CHECK_CLOSE(count / STEPS, p, 4 * sqrt(p * (1 - p) / STEPS));
    input("chance")[0] = 0;
    for (int n = 0; n < 1000; n++)
        CHECK(!step());
}

/* ------------------------------------------------------------------ conductances */

/* rates of (V, g_ex, kick, g_in, kick); kind EXPONENTIAL has no kicks */
static void cond_rate(int kind, const long double y[5], long double f[5]) {
    f[0] = (-16.6667L * (y[0] + 70) - y[1] * y[0] - y[3] * (y[0] + 85) + 100) / 250;
    f[1] = (kind == ALPHA ? y[2] : 0) - y[1] / 0.5L;
    f[2] = -y[2] / 0.5L;
    f[3] = (kind == ALPHA ? y[4] : 0) - y[3] / 2;
    f[4] = -y[4] / 2;
}
static void cond_advance(int kind, long double y[5], long double t, int steps) {
    long double h = t / steps, k[4][5], z[5];
    for (int n = 0; n < steps; n++) {
        for (int s = 0; s < 4; s++) {
            for (int v = 0; v < 5; v++)
                z[v] = y[v] + (s == 0 ? 0 : s == 3 ? h * k[2][v] : h / 2 * k[s - 1][v]);
            cond_rate(kind, z, k[s]);
        }
        for (int v = 0; v < 5; v++)
            y[v] += h / 6 * (k[0][v] + 2 * k[1][v] + 2 * k[2][v] + k[3][v]);
    }
}

/* largest error of V over 20 ms with a spike on each port every 4 ms */
static double cond_error(int kind, double dt) {
    long double y[5] = {-70, 0, 0, 0, 0};
    double most = 0;
    int every = (int)round(4 / dt);
    start(kind == ALPHA ? "lif_cond_alpha" : "lif_cond_exp", dt);
    param("tau_syn_ex", 0.5);
    param("I_e", 100);
    param("V_th", 1000);
    ready();
    for (int n = 0; n < 5 * every; n++) {
        bool arrives = n % every == every / 2;
        input("ex")[0] = arrives ? 12 : 0;
        input("in")[0] = arrives ? 5 : 0;
        CHECK(!step());
        cond_advance(kind, y, dt, 200);
        y[kind == ALPHA ? 2 : 1] += arrives ? 12 * (kind == ALPHA ? expl(1) / 0.5L : 1) : 0;
        y[kind == ALPHA ? 4 : 3] += arrives ? 5 * (kind == ALPHA ? expl(1) / 2 : 1) : 0;
        most = fmax(most, fabs(state("V_m")[0] - (double)y[0]));
    }
    return most;
}

TEST(conductances_converge) {
    for (int kind = 0; kind < 2; kind++) {
        double coarse = cond_error(kind, 0.1), fine = cond_error(kind, 0.05), finest = cond_error(kind, 0.025);
        CHECK(coarse < 1e-4);
        CHECK(coarse / fine > 12 && coarse / fine < 22);
        CHECK(fine / finest > 12 && fine / finest < 22);
    }
}

/* ------------------------------------------------------------------ AdEx */

/* scipy: solve_ivp(f, ..., method='DOP853', rtol=1e-12, atol=1e-12) with V' and w' of the paper, default parameters,
 * I = 800 pA from (E_L, 0), event V = 0, then V = -60, w += 80.5; and I = 400 pA, the state at 50 ms */
static const double AEIF_SPIKES[] = {17.7195, 35.1295, 60.6618, 101.6727, 161.4113, 228.3576, 296.2758, 364.2873};
static const double AEIF_V = -57.62238764333784, AEIF_W = 12.90608040428303;

/* largest distance of a spike to the reference, in ms */
static double aeif_late(const char *name, double dt) {
    double most = 0;
    int n_spikes = 0;
    start(name, dt);
    param("I_e", 800);
    ready();
    for (int n = 1; n * dt < 390; n++)
        if (step()) {
            if (n_spikes < 8) most = fmax(most, fabs(n * dt - AEIF_SPIKES[n_spikes]));
            n_spikes++;
        }
    CHECK_INT(n_spikes, 8);
    return most;
}

TEST(adex_follows_its_reference) {
    const char *const names[] = {"aeif_cond_exp", "aeif_cond_alpha"};
    for (int m = 0; m < 2; m++) {
        double error[2];
        for (int k = 0; k < 2; k++) {
            start(names[m], k ? 0.25 : 0.5);
            param("I_e", 400);
            ready();
            for (int n = 0; n < (k ? 200 : 100); n++)
                CHECK(!step());
            error[k] = fabs(state("V_m")[0] - AEIF_V);
            CHECK_CLOSE(state("w")[0], AEIF_W, 1e-6);
        }
        CHECK(error[0] < 1e-6);
        CHECK(error[0] / error[1] > 12 && error[0] / error[1] < 20);
        CHECK(aeif_late(names[m], 0.1) < 1.2);
        CHECK(aeif_late(names[m], 0.01) < 0.12);
        CHECK(aeif_late(names[m], 0.001) < 0.012);
    }
}

/* an upswing far beyond the range of exp stays finite, and the neuron fires */
TEST(adex_does_not_overflow) {
    int spikes = 0;
    start("aeif_cond_exp", 0.1);
    param("Delta_T", 0.01);
    param("I_e", 2000);
    ready();
    for (int n = 0; n < 3000; n++) {
        spikes += step();
        CHECK(isfinite(state("V_m")[0]) && isfinite(state("w")[0]));
        CHECK(fabs(state("w")[0]) < 1e5);
    }
    CHECK(spikes > 5);
}

/* ------------------------------------------------------------------ Izhikevich */

TEST(izhikevich_by_hand) {
    for (int published = 0; published < 2; published++) {
        double v = -65, u = 0.2 * -65, dt = published ? 1 : 0.1;
        int spikes = 0;
        start(published ? "izhikevich_2003" : "izhikevich", dt);
        ready();
        for (int n = 0; n < (published ? 1000 : 10000); n++) {
            double current = 10, jump = n % 200 == 77 ? 4 : 0;
            input("current")[0] = current;
            if (!published) input("spikes")[0] = jump;
            bool fired = step();
            if (published) {
                v = v + dt * 0.5 * (0.04 * v * v + 5 * v + 140 - u + current);
                v = v + dt * 0.5 * (0.04 * v * v + 5 * v + 140 - u + current);
                u = u + dt * (0.02 * (0.2 * v - u));
            } else {
                double old = v;
                v = v + dt * (0.04 * v * v + 5 * v + 140 - u + current) + jump;
                u = u + dt * (0.02 * (0.2 * old - u));
            }
            CHECK(fired == (v >= 30));
            if (v >= 30) {
                v = -65;
                u += 8;
                spikes++;
            }
            /* the same operations; the last bits of products may be taken in another order */
            CHECK_CLOSE(state("v")[0], v, 1e-9);
            CHECK_CLOSE(state("u")[0], u, 1e-9);
            *state("v") = v;
            *state("u") = u;
        }
        CHECK(spikes > 15 && spikes < 40); /* regular spiking */
    }
}

/* ------------------------------------------------------------------ Hodgkin and Huxley */

/* scipy as above: I = 1000 pA from the model's initial state; first and last maxima of V above 0 within 300 ms, and the
 * state (V, m, h, n) at 10 ms */
static const double HH_FIRST[] = {2.1382, 17.0751, 31.7271, 46.3667}, HH_LAST = 295.2239;
static const double HH_STATE[] = {-66.68990014477508, 0.04106068455090007, 0.4359114580539124, 0.42407857811686817};

TEST(hodgkin_huxley_follows_its_reference) {
    double error[2];
    for (int k = 0; k < 2; k++) {
        start("hh", k ? 0.025 : 0.05);
        param("I_e", 1000);
        ready();
        for (int n = 0; n < (k ? 400 : 200); n++)
            step();
        error[k] = fabs(state("V_m")[0] - HH_STATE[0]);
        CHECK_CLOSE(state("m")[0], HH_STATE[1], 1e-5);
        CHECK_CLOSE(state("h")[0], HH_STATE[2], 1e-5);
        CHECK_CLOSE(state("n")[0], HH_STATE[3], 1e-5);
    }
    CHECK(error[0] < 1e-3);
    CHECK(error[0] / error[1] > 10 && error[0] / error[1] < 25);
    for (int k = 0; k < 2; k++) {
        double dt = k ? 0.1 : 0.05;
        int spikes = 0, last = 0;
        start("hh", dt);
        param("I_e", 1000);
        ready();
        for (int n = 1; n * dt < 300; n++)
            if (step()) { /* the first step after the maximum */
                last = n;
                if (spikes < 4) CHECK(n * dt - HH_FIRST[spikes] > 0 && n * dt - HH_FIRST[spikes] < 1.5 * dt + 0.02);
                spikes++;
            }
        CHECK_INT(spikes, 21);
        CHECK_CLOSE(last * dt, HH_LAST + dt / 2, 2 * dt);
    }
}

/* ------------------------------------------------------------------ small things */

TEST(parrots_repeat) {
    start("parrot", 0.1);
    ready();
    for (int n = 0; n < 50; n++) {
        b.input.room[0][0] = n % 7 == 3 ? 1 + n % 2 : 0;
        CHECK(step() == (n % 7 == 3));
    }
}

/* the exponential of the kernels: within 1 unit in the last place, saturating, monotone at the seams */
TEST(exponential_is_accurate) {
    double worst = 0, worst_single = 0;
    for (int i = -200000; i <= 200000; i++) {
        double x = i * 0.0035 + 1e-7 * i * (i % 3);
        if (fabs(x) < 700) worst = fmax(worst, fabs((double)((lw_kernel_exp(x) - expl(x)) / expl(x))) / 0x1p-52);
        float y = (float)(x / 8.1);
        if (fabsf(y) < 86)
            worst_single = fmax(worst_single, fabs((lw_kernel_expf(y) - exp((double)y)) / exp((double)y)) / 0x1p-23);
    }
    CHECK(worst < 1);
    CHECK(worst_single < 1);
    CHECK_CLOSE(lw_kernel_exp(0), 1, 0);
    CHECK_CLOSE(lw_kernel_expf(0), 1, 0);
    CHECK(isnan(lw_kernel_exp(NAN)) && isnan(lw_kernel_expf(NAN)));
    CHECK(isfinite(lw_kernel_exp(INFINITY)) && lw_kernel_exp(1e9) > 1e307);
    CHECK(isfinite(lw_kernel_expf(INFINITY)) && lw_kernel_expf(1e9f) > 1e38f);
    CHECK(lw_kernel_exp(-INFINITY) < 1e-307 && lw_kernel_exp(-INFINITY) > 0);
}

CHECK_MAIN(CASE(currents_superpose), CASE(jumps_decay), CASE(alif_between_spikes), CASE(iaf_integrates),
    CASE(srm_sums_kernels), CASE(adlif_is_linear_between_spikes), CASE(cuba_lif_hard_forgets),
    CASE(sigma_delta_follows), CASE(sigma_delta_spikes_count_growth), CASE(rate_under_constant_current),
    CASE(mat_spikes), CASE(adaptation_between_spikes), CASE(gif_escapes), CASE(conductances_converge),
    CASE(adex_follows_its_reference), CASE(adex_does_not_overflow), CASE(izhikevich_by_hand),
    CASE(hodgkin_huxley_follows_its_reference), CASE(parrots_repeat), CASE(exponential_is_accurate))
