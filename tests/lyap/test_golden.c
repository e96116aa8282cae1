/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The networks of the golden files: LIF with hard and soft reset, detached and full Jacobian, all 200 exponents; tanh
 * network, prefix and long run. An independent program made the numbers.
 */
#include "systems.h"

extern const lw_model lw_model_ref_lif_hard, lw_model_ref_lif_soft, lw_model_tanh_unit;

TEST(random_numbers_are_the_references) {
    CHECK(ref_key(1, 1, 0, 0) == UINT64_C(0xbd7c2d04a61fb68d));
    CHECK(ref_key(42, 3, 7, 9) == UINT64_C(0xb5aaea589c3775e2));
    CHECK(ref_uniform(1, 1, 0, 0) == 0x1.7af85a094c3f7p-1);
    CHECK_CLOSE(ref_normal(42, 3, 7, 9), -0.725210503728453, 1e-15);
    CHECK(tanh_weight(0, 1) == -0x1.1ca8bcp-2);
}

/* Sums of ln R_ii over `steps` steps from the initial state and the reference's basis. */
static lw_lyapunov *prefix(system_ *s, uint64_t seed, int64_t k, int states, int64_t steps) {
    lw_lyapunov_spec spec = lw_lyapunov_spec_default();
    lw_lyapunov *l = NULL;
    double *basis = ref_basis(s->sim, seed, k, states);
    spec.k = k;
    spec.steps = steps;
    spec.transient = spec.warmup = 0;
    spec.at_cut = true;
    spec.basis = basis;
    spec.profile = true;
    CHECK_OK(lw_lyapunov_run(s->sim, &spec, NULL, &l));
    lw_free(basis);
    return l;
}

static void check_lif(const char *name, const lw_model *model, bool detached) {
    enum { STEPS = 100, K = 2 * N_NET };
    double golden[K + 1];
    char head[256], found[64];
    int64_t spikes = 0;
    system_ s = system_lif(world(), model, detached, LW_PARTITION_BLOCK, STEPS);
    CHECK_OK(lw_sim_record_spikes(s.sim, 0));
    lw_lyapunov *l = prefix(&s, SEED_LIF, K, 2, STEPS);
    CHECK_INT(golden_read(name, head, golden, K + 1), K);
    for (int i = 0; l && i < K; i++)
        CHECK_CLOSE(l->ln_r_sum[i], golden[i], 1e-8);
    uint64_t hash = spike_hash(&s, &spikes);
    snprintf(found, sizeof found, "%lld 0x%016llx\n", (long long)spikes, (unsigned long long)hash);
    CHECK_STR(found, head);
    if (l) CHECK_CLOSE(l->rate_hz, (double)spikes / N_NET / STEPS * 1e3, 1e-9);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}
TEST(lif_hard_detached) {
    check_lif("lif_hard_detached", &lw_model_ref_lif_hard, true);
}
TEST(lif_hard_full) {
    check_lif("lif_hard_full", &lw_model_ref_lif_hard, false);
}
TEST(lif_soft_detached) {
    check_lif("lif_soft_detached", &lw_model_ref_lif_soft, true);
}
TEST(lif_soft_full) {
    check_lif("lif_soft_full", &lw_model_ref_lif_soft, false);
}

TEST(tanh_prefix) {
    double golden[N_NET];
    system_ s = system_tanh(world(), &lw_model_tanh_unit, LW_PARTITION_BLOCK, 1);
    lw_lyapunov *l = prefix(&s, SEED_TANH, N_NET, 1, 20);
    CHECK_INT(golden_read("tanh_prefix", NULL, golden, N_NET), N_NET);
    for (int i = 0; l && i < N_NET; i++)
        CHECK_CLOSE(l->ln_r_sum[i], golden[i], 1e-7);
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

/* sum_i ln R_ii = ln|det J| + sum_j ln tanh'(h_j) at every step (ln|det J| from the reference), so also over a run. The
 * long run is chaotic and agrees within its errors; it is shorter than the reference's, whose own errors are smaller.
 */
TEST(tanh_long_run) {
    static double golden[2 * N_NET];
    system_ s = system_tanh(world(), &lw_model_tanh_unit, LW_PARTITION_BLOCK, 1);
    lw_lyapunov_spec spec = lw_lyapunov_spec_default();
    lw_lyapunov *l = NULL;
    spec.at_cut = true;
    spec.transient = 1000;
    spec.warmup = 300;
    spec.steps = lw_comm_size(world()) > 1 ? 400 : 2000;
    CHECK_OK(lw_lyapunov_run(s.sim, &spec, NULL, &l));
    CHECK_INT(golden_read("tanh_spectrum", NULL, golden, 2 * N_NET), 2 * N_NET);
    for (int i = 0; l && i < N_NET; i++)
        CHECK_CLOSE(l->exponent[i], golden[2 * i], 4.5 * hypot(l->stderr_[i], golden[2 * i + 1]));
    if (l) {
        CHECK_INT(l->collapsed, 0);
        CHECK_CLOSE(l->kaplan_yorke, 26.466, 5 * l->kaplan_yorke_stderr);
        CHECK(l->kaplan_yorke_stderr < 1);
        CHECK_CLOSE(l->entropy_rate, 2.1386, 0.4);
    }
    lw_lyapunov_destroy(&l);
    system_free(&s);
}

CHECK_MAIN(CASE(random_numbers_are_the_references), CASE(lif_hard_detached), CASE(lif_hard_full),
    CASE(lif_soft_detached), CASE(lif_soft_full), CASE(tanh_prefix), CASE(tanh_long_run))
