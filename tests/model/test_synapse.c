/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Synapse models as text and as kernels: positions and words of errors, canonical print, the built-in ones, equal bits
 * from a run-time compilation, and one row worked out by hand.
 */
#include <lapwing/model.h>
#include <stdlib.h>
#include <unistd.h>
#include "check.h"

static void fails(const char *text, const char *message) {
    lw_model_source *source = NULL;
    CHECK_INT(lw_model_parse("t", text, &source), LW_EMODEL);
    CHECK_STR(lw_err_message(), message);
    lw_err_clear();
    lw_model_source_destroy(&source);
}

TEST(errors_have_positions) {
    fails("synapse s\n  state v = 0",
        "t:2:3: found 'state', expected one of param, derived, let, weight, pre, post, ode, on, deliver");
    fails("synapse s\n  deliver 1", "t:1:9: found a synapse without weight, expected a 'weight' line");
    fails("synapse s\n  weight w", "t:1:9: found a synapse that delivers nothing, expected a 'deliver' line");
    fails("synapse s\n  weight w\n  weight v\n  deliver w", "t:3:10: found 'v', expected only one weight");
    fails("synapse s\n  weight w\n  on soma w = 1\n  deliver w", "t:3:6: found 'soma', expected 'pre' or 'post'");
    fails("synapse s\n  weight w\n  pre x = 0\n  post y = 0\n  on pre x = y\n  deliver w",
        "t:5:14: found 'y' here, expected parameters and pre variables only, as no pre variable can know of targets");
    fails("synapse s\n  weight w\n  post y = 0\n  on post y = w\n  deliver w",
        "t:4:15: found 'w' here, expected parameters and post variables only, as no post variable can know of sources");
    fails("synapse s\n  weight w\n  pre x = 0\n  on post x = 1\n  deliver w",
        "t:4:11: found 'x', expected a post variable or the weight");
    fails("synapse s\n  weight w\n  post y = 0\n  on pre y = 1\n  deliver w",
        "t:4:10: found 'y', expected a pre variable or the weight");
    fails("synapse s\n  weight w\n  ode w' = -w/(1 ms)\n  deliver w",
        "t:3:7: found 'w', expected a pre or post variable; the weight changes at spikes only");
    fails("synapse s\n  param tau = 1 ms\n  weight w\n  pre x = 0\n  ode x' = -x*x/tau\n  deliver w",
        "t:5:7: found an equation that is not linear, expected a linear one, or a line 'method exponential_euler' or "
        "'method rk4'");
    fails("synapse s\n  param tau = 1 ms\n  weight w\n  pre x = 0\n  on pre x = x + tau\n  deliver w",
        "t:5:18: found ms, expected 1");
    fails("synapse s\n  weight w\n  deliver w\n  deliver w", "t:4:11: found 'w', expected only one 'deliver' line");
    fails("model m\n  param p = 1 in weight\n  output p",
        "t:2:18: found 'weight', expected a unit such as ms, mV, pA, pF, nS, kHz, mV/ms, 1/ms or 1");
}

TEST(print_and_parse_are_inverse) {
    for (int i = 0; i < lw_synapse_builtin_count(); i++) {
        lw_model_source *source = NULL, *again = NULL;
        char *text = NULL, *twice = NULL, *show = NULL;
        CHECK_OK(lw_model_parse("t", lw_synapse_builtin_at(i)->text, &source));
        CHECK(lw_model_source_is_synapse(source));
        CHECK_OK(lw_model_print(source, &text));
        CHECK_OK(lw_model_parse("t", text, &again));
        CHECK_OK(lw_model_print(again, &twice));
        CHECK_STR(twice, text);
        CHECK_OK(lw_model_show(source, &show));
        CHECK(show && strstr(show, "_pre_weight("));
        lw_free(text);
        lw_free(twice);
        lw_free(show);
        lw_model_source_destroy(&source);
        lw_model_source_destroy(&again);
    }
}

TEST(catalogue) {
    const char *const names[] = {"stdp", "stdp_nearest", "stdp_power", "stdp_triplet", "tsodyks_markram"};
    CHECK_INT(lw_synapse_builtin_count(), 5);
    for (int i = 0; i < 5; i++) {
        const lw_synapse_model *m = lw_synapse_builtin_at(i);
        CHECK_STR(m->name, names[i]);
        CHECK(lw_synapse_builtin(names[i]) == m);
        for (int k = 0; k < m->n_param; k++)
            CHECK_OK(lw_synapse_param_check(m, k, m->param[k].value));
    }
    CHECK(!lw_synapse_builtin("static") && !lw_synapse_builtin_at(-1) && !lw_synapse_builtin_at(5));
    CHECK_INT(lw_synapse_param_find(lw_synapse_builtin("stdp"), "mu"), -1);
    CHECK_FAILS(lw_synapse_param_check(lw_synapse_builtin("stdp"), 2, -1), LW_EUSE, "parameter lambda of synapse stdp");
}

/* Target 0 fired at steps 5, 20 and 28, target 1 never; a source that fired at step 10 fires at 30. */
static void row_run(const lw_synapse_model *m, bool f64, double weight[2], double delivered[2]) {
    double param[64], coef[LW_SYNAPSE_COEF_MAX], pre[LW_SYNAPSE_STATE_MAX], post[LW_SYNAPSE_STATE_MAX];
    double entry[2][8][1 + LW_SYNAPSE_STATE_MAX] = {{{0}}}, flat[2 * 8 * (1 + LW_SYNAPSE_STATE_MAX)] = {0};
    const double steps[] = {-1, 5, 20, 28};
    const int64_t count[2] = {3, 0}, stride = 1 + m->n_post;
    const uint32_t target[2] = {0, 1};
    float single[2] = {(float)weight[0], (float)weight[1]};
    for (int i = 0; i < m->n_param; i++)
        param[i] = m->param[i].value;
    m->derive(param, coef);
    m->init(param, pre, post);
    for (int e = 0; e < 4; e++) {
        if (e > 0) m->post_spike(coef, (steps[e] - steps[e - 1]) * 0.1, post);
        entry[0][e][0] = steps[e];
        memcpy(entry[0][e] + 1, post, (size_t)m->n_post * sizeof *post);
        if (e == 0) memcpy(entry[1][0], entry[0][0], sizeof entry[1][0]);
    }
    for (int t = 0; t < 2; t++)
        for (int e = 0; e < 8; e++)
            memcpy(flat + (t * 8 + e) * stride, entry[t][e], (size_t)stride * sizeof *flat);
    m->pre_spike(coef, 1.1, pre);
    lw_synapse_trail trail = {.count = count, .entry = flat, .mask = 7};
    lw_synapse_row row = {.coef = coef,
        .dt = 0.1,
        .pre = pre,
        .last = 10,
        .after = 10,
        .until = 30,
        .now = 30,
        .n = 2,
        .target = target,
        .weight = f64 ? (void *)weight : single,
        .delivered = delivered,
        .trail = &trail};
    m->row[f64](&row);
    if (f64) return;
    weight[0] = (double)single[0];
    weight[1] = (double)single[1];
}

TEST(a_row_by_hand) {
    for (int f64 = 0; f64 < 2; f64++) {
        double weight[2] = {50, 25}, delivered[2];
        row_run(lw_synapse_builtin("stdp"), f64, weight, delivered);
        double x20 = exp(-1 / 20.), x28 = exp(-1.8 / 20), w = 50;
        w += (1 - w / 100) * x20; /* lambda w_max = 1 */
        w += (1 - w / 100) * x28;
        w -= w / 100 * (exp(-2.5 / 20) + exp(-1 / 20.) + exp(-0.2 / 20));
        CHECK_CLOSE(weight[0], w, f64 ? 1e-12 : 1e-5);
        CHECK_CLOSE(delivered[0], weight[0], f64 ? 0 : 1e-5);
        CHECK_CLOSE(weight[1], 25, 0);
        CHECK_CLOSE(delivered[1], 25, 0);
    }
}

TEST(compiled_at_run_time_has_the_same_bits) {
    char folder[] = "synapse-XXXXXX";
    const lw_synapse_model *loaded = NULL;
    const lw_model *neuron = NULL;
    CHECK(mkdtemp(folder) != NULL);
    setenv("LAPWING_CACHE", folder, 1);
    for (int i = 0; i < lw_synapse_builtin_count(); i++) {
        const lw_synapse_model *own = lw_synapse_builtin_at(i);
        lw_model_source *source = NULL;
        CHECK_OK(lw_model_parse("t", own->text, &source));
        CHECK_OK(lw_synapse_load(source, NULL, &loaded));
        CHECK_FAILS(lw_model_load(source, NULL, &neuron), LW_EMODEL, "is a synapse model; a neuron model is wanted");
        lw_model_source_destroy(&source);
        if (!loaded) continue;
        CHECK(loaded != own);
        CHECK_STR(loaded->key, own->key);
        for (int f64 = 0; f64 < 2; f64++) {
            double a[2] = {0.5, 0.3}, b[2] = {0.5, 0.3}, x[2], y[2];
            row_run(own, f64, a, x);
            row_run(loaded, f64, b, y);
            CHECK(memcmp(a, b, sizeof a) == 0 && memcmp(x, y, sizeof x) == 0);
        }
    }
    lw_model_source *source = NULL;
    CHECK_OK(lw_model_parse("t", lw_model_builtin("lif")->text, &source));
    CHECK_FAILS(lw_synapse_load(source, NULL, &loaded), LW_EMODEL, "is a neuron model; a synapse model is wanted");
    lw_model_source_destroy(&source);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

CHECK_MAIN(CASE(errors_have_positions), CASE(print_and_parse_are_inverse), CASE(catalogue), CASE(a_row_by_hand),
    CASE(compiled_at_run_time_has_the_same_bits))
