/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A small network with learned convolutions for the tests: 2 x 6 x 5 -> 3 x 6 x 4 (recurrent by a convolution too) ->
 * 2 x 3 x 2 -> three read-out units; strides, padding, dilation, several channels; and data for it.
 */
#ifndef LAPWING_TEST_CONV_NET_H
#define LAPWING_TEST_CONV_NET_H

#include <lapwing/train.h>
#include "check.h"

enum { CONV_IN = 60, CONV_OUT = 3, CONV_STEPS = 11, CONV_SAMPLES = 22, CONV_PROJ = 4, CONV_TIED = 3 };

static lw_err conv_input(void *payload, int64_t i, float *x) {
    (void)payload;
    for (int64_t k = 0; k < (int64_t)CONV_STEPS * CONV_IN; k++)
        x[k] = lw_rng_uniform(3, LW_PURPOSE_DATA, (uint64_t)i, (uint64_t)k, 0) < 0.3;
    return LW_OK;
}

static lw_err conv_label(void *payload, int64_t i, int32_t *label) {
    (void)payload;
    *label = (int32_t)(i % CONV_OUT);
    return LW_OK;
}

static __attribute__((unused)) lw_batch_source conv_source(void) {
    return (lw_batch_source){.n_samples = CONV_SAMPLES,
        .n_steps = CONV_STEPS,
        .n_channels = CONV_IN,
        .n_classes = CONV_OUT,
        .input = conv_input,
        .label = conv_label};
}

static __attribute__((unused)) lw_err conv_net(
    const lw_comm *part, lw_dtype weight_type, lw_partition partition, lw_net **out) {
    const lw_model *relay = lw_model_builtin("relay"), *lif = lw_model_builtin("cuba_lif");
    uint8_t learn[64] = {0};
    lw_dist normal = lw_dist_number(0.25);
    LW_ASSERT(relay && lif && lif->n_param <= 64);
    learn[lw_model_param_find(lif, "tau_mem")] = 1;
    normal.kind = LW_DIST_NORMAL;
    normal.p[1] = 0.5;
    lw_population_spec pop[] = {{.name = "in", .model = relay, .size = CONV_IN},
        {.name = "one", .model = lif, .size = 72, .learn = learn},
        {.name = "out", .model = lw_model_builtin("li"), .size = CONV_OUT}, {.name = "two", .model = lif, .size = 12}};
    lw_projection_spec proj[CONV_PROJ] = {
        {.name = "a",
            .pre = 0,
            .post = 1,
            .window = {.in = {2, 6, 5}, .out = {3, 6, 4}, .kernel = {3, 2}, .stride = {1, 1}, .padding = {1, 0}}},
        {.name = "b",
            .pre = 1,
            .post = 1,
            .delay = lw_dist_number(1),
            .window = {.in = {3, 6, 4},
                .out = {3, 6, 4},
                .kernel = {3, 3},
                .stride = {1, 1},
                .padding = {2, 1},
                .dilation = {2, 1}}},
        {.name = "c",
            .pre = 1,
            .post = 3,
            .window = {.in = {3, 6, 4}, .out = {2, 3, 2}, .kernel = {2, 2}, .stride = {2, 2}}},
        {.name = "d", .pre = 3, .post = 2, .rule = LW_RULE_ALL_TO_ALL}};
    for (int i = 0; i < CONV_PROJ; i++) {
        if (i < CONV_TIED) proj[i].rule = LW_RULE_WINDOW;
        proj[i].window.shared = i < CONV_TIED;
        proj[i].learn = proj[i].autapses = proj[i].multapses = true;
        proj[i].weight = normal;
        if (i != 1) proj[i].delay = lw_dist_number(0);
    }
    lw_net_spec spec = {.seed = 5,
        .dt = 1,
        .n_pop = 4,
        .n_proj = CONV_PROJ,
        .pop = pop,
        .proj = proj,
        .partition = partition,
        .weight_type = weight_type};
    return lw_net_create(part, &spec, out);
}

static __attribute__((unused)) lw_train_spec conv_train(void) {
    lw_train_spec s = lw_train_spec_default();
    s.loss.pop = 2;
    s.input_pop = 0;
    s.precision = LW_F64;
    s.surrogate.slope = 2;
    s.loss.readout = LW_READOUT_SUM;
    s.batch = 12;
    s.epochs = 2;
    s.optimizer.lr = 0.02;
    s.optimizer.weight_decay = 0.01;
    s.optimizer.clip_norm = 0.05;
    return s;
}

/* Every synapse has the value of its entry. */
static __attribute__((unused)) void conv_synapses_check(const lw_net *net) {
    for (int p = 0; p < CONV_TIED; p++) {
        lw_proj_view v = lw_net_proj(net, p);
        int64_t seen = 0;
        for (int64_t e = 0; e < v.n_tied; e++)
            for (int64_t k = v.tied_begin[e]; k < v.tied_begin[e + 1]; k++, seen++)
                CHECK(lw_net_weight(&v, v.tied_edge[k]) == v.tied[e]);
        CHECK_INT(seen, v.n_edges);
    }
}

#endif
