/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Weights before training: the search for a gain on known functions, the rate that is asked for, counted anew by other
 * code, and the same gains in all bits on any grid.
 */
#include "train_net.h"
#include "world.h"

/* ---- the search */

typedef struct curve {
    double slope, at;
    bool jumps;
} curve;

static lw_err curve_value(void *payload, double log2_gain, double *value) {
    const curve *c = payload;
    double x = c->slope * (log2_gain - c->at);
    *value = c->jumps ? (x < 0 ? -1 : 1) : tanh(x);
    return LW_OK;
}

static lw_gain_found searched(double slope, double at, bool jumps, double value, double tolerance, int trials) {
    curve c = {slope, at, jumps};
    lw_gain_target t = {value, tolerance, trials, curve_value, &c};
    lw_gain_found found;
    CHECK_OK(lw_gain_search(&t, 0, &found));
    return found;
}

TEST(search_finds_gains_on_both_sides) {
    for (int k = -12; k <= 12; k++) {
        lw_gain_found f = searched(0.3, k + 0.3, false, 0.2, 1e-4, 60);
        CHECK(f.reached && f.trials < 30);
        CHECK_CLOSE(f.value, 0.2, 1e-4);
        CHECK_CLOSE(f.log2_gain, k + 0.3 + atanh(0.2) / 0.3, 1e-3);
    }
    lw_gain_found at_once = searched(1, 0, false, 0, 0.1, 60);
    CHECK(at_once.reached && at_once.trials == 1 && at_once.log2_gain == 0);
}

TEST(search_says_what_it_cannot_reach) {
    lw_gain_found jump = searched(1, 0.7, true, 0.5, 0.1, 40);
    CHECK(!jump.reached && jump.trials == 40 && jump.value == 1);
    lw_gain_found beyond = searched(1e-3, 0, false, 0.9, 0.1, 40);
    CHECK(!beyond.reached && beyond.trials < 40 && beyond.log2_gain > 10);
    lw_gain_found few = searched(0.3, 8, false, 0, 1e-9, 3);
    CHECK(!few.reached && few.trials == 3);
}

/* ---- rates */

enum { STEPS = 60, SAMPLES = 8 };

/* The gain of the hidden population and its weights' sum of squares; *counted: the rate found by the tape. */
static lw_rate_found tuned(
    const lw_comm *comm, int replicas, lw_dtype weights, double wanted, double *squares, double *counted) {
    toy data = {STEPS, false};
    lw_batch_source source = toy_source(&data, SAMPLES, true);
    toy_net_spec net_spec = {lw_model_builtin("cuba_lif"), lw_model_builtin("li"), 0.3, 0.5, true, false, weights};
    lw_train_spec train = toy_train();
    lw_rate_target target = {.rate = wanted, .tolerance = 0.05, .iterations = 40};
    lw_rate_found *found = NULL, one = {0};
    lw_gradient g = {0};
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    int n = 0;
    train.batch = SAMPLES; /* the first batch is all samples, in whatever order */
    *squares = *counted = 0;
    CHECK_OK(lw_grid_create(comm, replicas, &grid));
    CHECK_OK(toy_net(grid->part, &net_spec, &net));
    CHECK_OK(lw_initialize_rate(grid, net, &train, &source, &target, &found, &n));
    CHECK_INT(n, 1);
    if (found) one = found[0];
    CHECK_OK(lw_gradient_run(grid, net, &train, &source, SAMPLES, &g));
    lw_pop_view v = lw_net_pop(net, 1);
    int64_t spikes = 0;
    for (int64_t i = 0; g.spikes && i < v.n_local * SAMPLES; i++)
        spikes += g.spikes[v.lid_begin * SAMPLES + i];
    lw_comm_sum_i64(grid->part, &spikes, 1);
    *counted = (double)spikes / (SAMPLES * N_HID * STEPS * lw_net_dt(net));
    for (int k = 0; k < 2; k++) {
        lw_proj_view p = lw_net_proj(net, k);
        for (int64_t e = 0; e < p.n_edges; e++)
            *squares += pow(lw_net_weight(&p, e), 2);
    }
    lw_comm_sum_f64(grid->part, squares, 1);
    lw_gradient_free(&g);
    lw_free(found);
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
    return one;
}

static void rate_case(lw_dtype weights, double wanted) {
    double squares, alone_squares, counted, alone_counted;
    lw_comm *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    lw_rate_found alone = tuned(self, 1, weights, wanted, &alone_squares, &alone_counted);
    CHECK(alone.reached && alone.pop == 1);
    CHECK_REL(alone.rate, wanted, 0.05);
    CHECK_CLOSE(alone_counted, alone.rate, 1e-15);
    CHECK(fabs(alone.before - wanted) > 0.05 * wanted && alone.trials > 1); /* there was something to do */
    int size = lw_comm_size(world_kept());
    for (int replicas = 1; replicas <= size && replicas <= 4; replicas *= 2) {
        if (size % replicas || SAMPLES % replicas) continue;
        lw_rate_found f = tuned(world_kept(), replicas, weights, wanted, &squares, &counted);
        CHECK_CLOSE(f.log2_gain, alone.log2_gain, 0);
        CHECK_CLOSE(f.rate, alone.rate, 0);
        CHECK_CLOSE(f.before, alone.before, 0);
        CHECK_CLOSE(counted, alone_counted, 0);
        CHECK_REL(squares, alone_squares, 1e-14);
        CHECK(f.reached);
    }
    lw_comm_destroy(&self);
}

TEST(rates_are_reached_from_below_and_above) {
    rate_case(LW_F64, 0.05);
    rate_case(LW_F64, 0.2);
    rate_case(LW_F32, 0.05);
}

TEST(populations_without_rate_are_refused) {
    toy data = {STEPS, false};
    lw_batch_source source = toy_source(&data, SAMPLES, true);
    toy_net_spec net_spec = {lw_model_builtin("cuba_lif"), lw_model_builtin("li"), 0.3, 0.5, true, false, LW_F64};
    lw_train_spec train = toy_train();
    int32_t readout = 2;
    lw_rate_target target = {.rate = 0.01, .tolerance = 0.05, .iterations = 40, .pop = &readout, .n_pop = 1};
    lw_rate_found *found = NULL;
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    int n = 0;
    CHECK_OK(lw_grid_create(world_kept(), 1, &grid));
    CHECK_OK(toy_net(grid->part, &net_spec, &net));
    CHECK_FAILS(lw_initialize_rate(grid, net, &train, &source, &target, &found, &n), LW_EUSE, "population out");
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
}

CHECK_MAIN(CASE(search_finds_gains_on_both_sides), CASE(search_says_what_it_cannot_reach),
    CASE(rates_are_reached_from_below_and_above), CASE(populations_without_rate_are_refused))
