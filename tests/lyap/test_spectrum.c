/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Spectra of known systems, and what must hold for every spectrum: sum rules, independence of ranks, partition, back
 * end and interval, collapsed directions, error bars, the neuron profile.
 */
#include "systems.h"

extern const lw_model lw_model_henon, lw_model_lorenz63, lw_model_rossler, lw_model_ref_lif_hard,
    lw_model_ref_lif_soft2, lw_model_tanh_unit;

static lw_lyapunov *spectrum(system_ *s, const lw_lyapunov_spec *spec) {
    lw_lyapunov *l = NULL;
    CHECK_OK(lw_lyapunov_run(s->sim, spec, NULL, &l));
    if (!l) abort();
    return l;
}
static lw_lyapunov_spec plan(int64_t k, int64_t transient, int64_t steps) {
    lw_lyapunov_spec spec = lw_lyapunov_spec_default();
    spec.k = k;
    spec.transient = transient;
    spec.steps = steps;
    return spec;
}

TEST(henon_map) {
    system_ s = system_units(world(), &lw_model_henon, 1, 1);
    lw_lyapunov_spec spec = plan(0, 1000, lw_comm_size(world()) == 1 ? 40000 : 4000);
    lw_lyapunov *l = spectrum(&s, &spec);
    CHECK_INT(l->k, 2);
    CHECK_INT(l->dimension, 2);
    CHECK_CLOSE(l->exponent[0], 0.41918, 5 * l->stderr_[0]);
    CHECK_CLOSE(l->exponent[1], -1.62315, 5 * l->stderr_[1]);
    CHECK(l->stderr_[0] > 1e-4 && l->stderr_[0] < 1e-2);
    CHECK_CLOSE(l->sum, log(0.3), 1e-11);
    CHECK_CLOSE(l->kaplan_yorke, 1.2583, 0.001 + 5 * l->kaplan_yorke_stderr);
    CHECK_CLOSE(l->entropy_rate, l->exponent[0], 1e-15);
    CHECK_INT(l->n_trace, 100);
    CHECK_INT(l->trace_step[99], l->steps);
    CHECK_CLOSE(l->trace[99 * 2], l->exponent[0], 1e-14);
    CHECK_CLOSE(l->trace[49 * 2] + l->trace[49 * 2 + 1], log(0.3), 1e-11);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

/* Time in ms, so exponents are per ms. */
TEST(lorenz_flow) {
    system_ s = system_units(world(), &lw_model_lorenz63, 1, 0.005);
    lw_lyapunov_spec spec = plan(0, 4000, 60000);
    spec.every = 20;
    lw_lyapunov *l = spectrum(&s, &spec);
    CHECK_CLOSE(l->exponent[0], 0.9057, 5 * l->stderr_[0]);
    CHECK(l->stderr_[0] < 0.03);
    CHECK_CLOSE(l->exponent[1], 0, 0.01);
    CHECK_CLOSE(l->exponent[2], -14.5723, 0.05 + 5 * l->stderr_[2]);
    CHECK_CLOSE(l->sum, -41.0 / 3, 2e-4); /* Runge-Kutta of step 0.005 */
    CHECK_CLOSE(l->kaplan_yorke, 2.0621, 0.005);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

TEST(rossler_flow) {
    system_ s = system_units(world(), &lw_model_rossler, 1, 0.02);
    lw_lyapunov_spec spec = plan(0, 5000, 60000);
    spec.every = 20;
    lw_lyapunov *l = spectrum(&s, &spec);
    CHECK_CLOSE(l->exponent[0], 0.0719, 0.004 + 4 * l->stderr_[0]);
    CHECK_CLOSE(l->exponent[1], 0, 0.003);
    CHECK_CLOSE(l->exponent[2], -5.3943, 0.06);
    CHECK_CLOSE(l->kaplan_yorke, 2.0133, 0.002);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

/* Two copies of one map: each exponent twice; the ranks that hold no unit take part all the same. */
TEST(two_uncoupled_maps) {
    system_ s = system_units(world(), &lw_model_henon, 2, 0.5);
    lw_lyapunov_spec spec = plan(0, 100, 1000);
    lw_lyapunov *l = spectrum(&s, &spec);
    CHECK_INT(l->dimension, 4);
    CHECK_CLOSE(l->sum * 0.5, 2 * log(0.3), 1e-11); /* per ms, steps of 0.5 ms */
    CHECK_CLOSE(l->exponent[0], l->exponent[1], 0.05);
    CHECK_CLOSE(l->exponent[0] * 0.5, 0.42, 0.05);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

/* Profile of the whole network by gid. */
static void profile_gather(const system_ *s, const lw_lyapunov *l, double *all) {
    memset(all, 0, N_NET * sizeof *all);
    for (int64_t j = 0; j < l->n_local; j++)
        all[lw_net_gid(s->net, j)] = l->profile[j];
    lw_comm_sum_f64(lw_net_comm(s->net), all, N_NET);
}

static void check_ranks(int64_t k, lw_qr_kind qr, double tol) {
    lw_comm *self = NULL;
    double here[N_NET], there[N_NET];
    lw_lyapunov_spec spec = plan(k, 50, 40);
    CHECK_OK(lw_comm_self(&self));
    system_ one = system_lif(self, &lw_model_ref_lif_hard, true, LW_PARTITION_BLOCK, 300);
    system_ all = system_lif(world(), &lw_model_ref_lif_hard, true, LW_PARTITION_ROUND_ROBIN, 300);
    spec.profile = true;
    spec.qr = qr;
    lw_lyapunov *a = spectrum(&one, &spec), *b = spectrum(&all, &spec);
    CHECK(a->exponent[0] < 0 && a->exponent[0] > -0.1);
    for (int64_t i = 0; i < k; i++) {
        CHECK_CLOSE(b->exponent[i], a->exponent[i], tol);
        CHECK_CLOSE(b->ln_r_sum[i], a->ln_r_sum[i], tol * 100);
        CHECK_CLOSE(b->stderr_[i], a->stderr_[i], tol * 10);
    }
    CHECK_CLOSE(b->rate_hz, a->rate_hz, 1e-12);
    profile_gather(&one, a, here);
    profile_gather(&all, b, there);
    for (int64_t j = 0; j < N_NET; j++)
        CHECK_CLOSE(there[j], here[j], tol);
    lw_lyapunov_destroy(&a);
    lw_lyapunov_destroy(&b);
    system_free(&one);
    system_free(&all);
    lw_comm_destroy(&self);
}
TEST(equal_for_every_partition) {
    check_ranks(20, LW_QR_AUTO, 1e-10);
}
TEST(full_spectrum_equal_for_every_partition) {
    /* ScaLAPACK speaks four times per column; where ranks outnumber cores that takes minutes at full width */
    check_ranks(lw_comm_size(world()) > 2 ? 24 : 2 * N_NET, LW_QR_SCALAPACK, 1e-9);
}

/* Check 14 of the pruning list: the profile adds up to the exponents. */
TEST(profile_adds_up) {
    double all[N_NET], total = 0, sum = 0;
    static const int64_t k[] = {12, 2 * N_NET};
    for (int i = 0; i < (lw_comm_size(world()) > 2 ? 1 : 2); i++) {
        system_ s = system_lif(world(), &lw_model_ref_lif_hard, true, LW_PARTITION_BLOCK, 300);
        lw_lyapunov_spec spec = plan(k[i], 30, 8);
        spec.profile = true;
        lw_lyapunov *l = spectrum(&s, &spec);
        CHECK_INT(l->profile_partial, k[i] < 2 * N_NET);
        profile_gather(&s, l, all);
        total = sum = 0;
        for (int64_t j = 0; j < N_NET; j++)
            total += all[j];
        for (int64_t j = 0; j < l->k; j++)
            sum += l->exponent_step[j];
        CHECK_REL(total, sum, 1e-10);
        CHECK_REL(total, l->sum * l->dt, 1e-10);
        lw_lyapunov_destroy(&l);
        system_free(&s);
    }
}

TEST(interval_changes_only_the_speed) {
    static const int64_t every[] = {1, 2, 5, 0};
    double first[20];
    for (int e = 0; e < 4; e++) {
        system_ s = system_lif(world(), &lw_model_ref_lif_hard, false, LW_PARTITION_BLOCK, 500);
        lw_lyapunov_spec spec = plan(20, 50, 203);
        spec.every = every[e];
        lw_lyapunov *l = spectrum(&s, &spec);
        CHECK_INT(l->collapsed, 0);
        if (every[e] > 0) CHECK_INT(l->every_last, every[e]);
        if (every[e] == 0) CHECK(l->every_last > 1);
        for (int i = 0; i < 20; i++) {
            if (e == 0) first[i] = l->ln_r_sum[i];
            CHECK_CLOSE(l->ln_r_sum[i], first[i], 2e-7);
        }
        lw_lyapunov_destroy(&l);
        system_free(&s);
    }
}

/* Values in flight are state: dimension 3 N with delays up to 3. After a QR their tangents must follow, or an interval
 * would show. */
TEST(delays_are_state) {
    double first[10];
    for (int64_t every = 1; every <= 4; every += 3) {
        system_ s = system_tanh(world(), &lw_model_tanh_unit, LW_PARTITION_ROUND_ROBIN, 3);
        lw_lyapunov_spec spec = plan(10, 50, 120);
        spec.at_cut = true;
        spec.every = every;
        lw_lyapunov *l = spectrum(&s, &spec);
        CHECK_INT(l->dimension, 3 * N_NET);
        CHECK(l->exponent[0] > 0.02 && l->exponent[0] < 0.3);
        for (int i = 0; i < 10; i++) {
            if (every == 1) first[i] = l->ln_r_sum[i];
            CHECK_CLOSE(l->ln_r_sum[i], first[i], 1e-8);
        }
        lw_lyapunov_destroy(&l);
        system_free(&s);
    }
}

/* The first 60 directions spread by e^2.4 a step: two steps are calm, four are too many. */
TEST(interval_adapts_both_ways) {
    if (lw_comm_size(world()) > 2) return;
    double first = 0;
    for (int64_t every = 1; every >= 0; every--) {
        system_ s = system_tanh(world(), &lw_model_tanh_unit, LW_PARTITION_BLOCK, 1);
        lw_lyapunov_spec spec = plan(66, 100, 300);
        spec.at_cut = true;
        spec.warmup = 100;
        spec.every = every;
        lw_lyapunov *l = spectrum(&s, &spec);
        if (every == 1) first = l->sum;
        CHECK_CLOSE(l->sum, first, 1e-6);
        if (every == 0) CHECK(l->spread_max > 1e5 && l->every_last >= 2 && l->every_last <= 4);
        lw_lyapunov_destroy(&l);
        system_free(&s);
    }
}

/* Surrogate scaled to 0: the derivative almost everywhere. With the soft reset it does not know the weights: ln beta_i
 * and N times ln alpha, approached like 1/T; one step: the determinant. With the hard reset every neuron that fires
 * loses a direction for good. */
TEST(collapsed_directions_are_counted) {
    if (lw_comm_size(world()) > 2) return; /* full width: see above */
    system_ soft = system_lif(world(), &lw_model_ref_lif_soft2, true, LW_PARTITION_BLOCK, 1000);
    system_ hard = system_lif(world(), &lw_model_ref_lif_hard, true, LW_PARTITION_BLOCK, 1000);
    lw_sim_options o = options_of(5, true);
    lw_lyapunov_spec spec = plan(0, 20, 5);
    double expected = 0;
    int64_t fired = 0;
    o.surrogate.scale = 0;
    for (uint64_t i = 0; i < N_NET; i++)
        expected += log(ref_quant(exp(-1.0 / (10 + 20 * ref_uniform(SEED_LIF, REF_PARAM, i, 0))), 32)) +
                    log(ref_quant(exp(-1.0 / 5), 32));
    lw_sim_destroy(&soft.sim);
    lw_sim_destroy(&hard.sim);
    CHECK_OK(lw_sim_create(soft.net, &o, &soft.sim));
    CHECK_OK(lw_sim_create(hard.net, &o, &hard.sim));
    CHECK_OK(lw_sim_feed(soft.sim, 0, 0, soft.feed, 1001, N_NET));
    CHECK_OK(lw_sim_feed(hard.sim, 0, 0, hard.feed, 1001, N_NET));
    lw_lyapunov *l = spectrum(&soft, &spec);
    CHECK_INT(l->collapsed, 0);
    CHECK_CLOSE(l->sum, expected, 1e-10);
    lw_lyapunov_destroy(&l);

    int64_t *before = NULL;
    int64_t n = lw_net_n_local(hard.net);
    CHECK_OK(lw_alloc((size_t)n, sizeof *before, "counts", &before));
    memcpy(before, lw_sim_spike_counts(hard.sim), (size_t)n * sizeof *before);
    spec.transient = 0; /* later, what is left of lost directions grows against what they became equal to */
    spec.warmup = 3;
    spec.steps = 20;
    l = spectrum(&hard, &spec);
    for (int64_t j = 0; j < n; j++)
        fired += lw_sim_spike_counts(hard.sim)[j] > before[j];
    lw_comm_sum_i64(world(), &fired, 1);
    CHECK(fired > 40);
    CHECK_INT(l->collapsed, fired);
    for (int64_t i = 0; i < l->k; i++) {
        CHECK(!isnan(l->exponent[i]) && !isnan(l->stderr_[i]));
        CHECK((l->exponent[i] == -INFINITY) == (i >= l->k - fired));
    }
    CHECK(isfinite(l->sum) && isfinite(l->kaplan_yorke) && isfinite(l->spread_max));
    lw_lyapunov_destroy(&l);
    lw_free(before);
    system_free(&soft);
    system_free(&hard);
}

static lw_err stop_at(void *payload, const char *what, int64_t done, int64_t total) {
    int64_t *calls = payload;
    CHECK(done <= total);
    CHECK_STR(what, "lyapunov");
    return ++*calls == 3 ? LW_FAIL(LW_ESTOP, "told to stop") : LW_OK;
}

TEST(faults_and_stops) {
    system_ s = system_tanh(world(), &lw_model_tanh_unit, LW_PARTITION_BLOCK, 1);
    lw_sim_options wide = lw_sim_options_default();
    lw_sim *sim = NULL;
    lw_lyapunov *l = NULL;
    int64_t calls = 0;
    lw_watch watch = {.payload = &calls, .tick = stop_at};
    lw_lyapunov_spec spec = plan(101, 0, 10);
    wide.width = 2;
    CHECK_OK(lw_sim_create(s.net, &wide, &sim));
    CHECK_FAILS(lw_lyapunov_run(sim, &spec, NULL, &l), LW_EUSE, "width 1");
    CHECK_FAILS(lw_lyapunov_run(s.sim, &spec, NULL, &l), LW_EUSE, "the state has 100 dimensions");
    spec = plan(2, 0, 0);
    CHECK_FAILS(lw_lyapunov_run(s.sim, &spec, NULL, &l), LW_EUSE, "steps must be at least 1");
    spec = plan(2, 10, 500);
    CHECK_FAILS(lw_lyapunov_run(s.sim, &spec, &watch, &l), LW_ESTOP, "told to stop");
    CHECK_INT(calls, 3);
    CHECK(l == NULL);
    lw_sim_destroy(&sim);
    system_free(&s);
}

CHECK_MAIN(CASE(henon_map), CASE(lorenz_flow), CASE(rossler_flow), CASE(two_uncoupled_maps),
    CASE(equal_for_every_partition), CASE(full_spectrum_equal_for_every_partition), CASE(profile_adds_up),
    CASE(interval_changes_only_the_speed), CASE(delays_are_state), CASE(interval_adapts_both_ways),
    CASE(collapsed_directions_are_counted), CASE(faults_and_stops))
