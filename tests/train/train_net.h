/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Small training problems for the tests: generated data, and a network relay -> hidden (recurrent) -> read-out around
 * any built-in model.
 */
#ifndef LAPWING_TEST_TRAIN_NET_H
#define LAPWING_TEST_TRAIN_NET_H

#include <lapwing/train.h>
#include "check.h"
#include "model_drive.h"

enum { N_IN = 4, N_HID = 8, N_OUT = 3 };

/* ------------------------------------------------------------------ data: the class decides when and where the input
 * is large */

typedef struct toy {
    int64_t n_steps;
    bool per_step;
} toy;

static double toy_noise(int64_t a, int64_t b) {
    return lw_rng_uniform(3, LW_PURPOSE_DATA, (uint64_t)a, (uint64_t)b, 0);
}

static lw_err toy_input(void *payload, int64_t i, float *x) {
    const toy *d = payload;
    for (int64_t t = 0; t < d->n_steps; t++)
        for (int64_t c = 0; c < N_IN; c++)
            x[t * N_IN + c] = (float)((c == (i % N_OUT) ? 1.0 : 0.2) + 0.3 * toy_noise(i, t * N_IN + c));
    return LW_OK;
}

/* per step: now and then unlabelled */
static lw_err toy_label(void *payload, int64_t i, int32_t *label) {
    const toy *d = payload;
    for (int64_t t = 0; t < (d->per_step ? d->n_steps : 1); t++)
        label[t] = d->per_step && (t + i) % 5 == 0 ? -1 : (int32_t)((i + (d->per_step && t > d->n_steps / 2)) % N_OUT);
    return LW_OK;
}

static lw_err toy_target(void *payload, int64_t i, float *y) {
    const toy *d = payload;
    for (int64_t t = 0; t < d->n_steps; t++)
        for (int64_t k = 0; k < N_OUT; k++)
            y[t * N_OUT + k] = (t + k) % 7 == 0 ? NAN : (float)(0.2 + 0.6 * (k == i % N_OUT) + 0.01 * (double)t);
    return LW_OK;
}

static __attribute__((unused)) lw_batch_source toy_source(toy *d, int64_t n_samples, bool classes) {
    lw_batch_source s = {.payload = d,
        .n_samples = n_samples,
        .n_steps = d->n_steps,
        .n_channels = N_IN,
        .n_classes = classes ? N_OUT : 0,
        .n_targets = classes ? 0 : N_OUT,
        .label_per_step = d->per_step,
        .input = toy_input,
        .label = toy_label,
        .target = toy_target};
    return s;
}

/* ------------------------------------------------------------------ network */

typedef struct toy_net_spec {
    const lw_model *hidden, *readout;
    double input, weight; /* sizes of weights */
    bool sparse, learn_params;
    bool lags;        /* delays are learned */
    int64_t n_hidden; /* 0: N_HID */
    lw_dtype weight_type;
} toy_net_spec;

static lw_dist toy_normal(double mean, double sd) {
    lw_dist d = lw_dist_number(mean);
    d.kind = LW_DIST_NORMAL;
    d.p[1] = sd;
    return d;
}

static lw_dist toy_uniform(double lo, double hi) {
    lw_dist d = lw_dist_number(lo);
    d.kind = LW_DIST_UNIFORM;
    d.p[1] = hi;
    return d;
}

/* in -> hid <-> hid -> out; dense: delays 0, 1, 0, recurrent synapses on the second port; sparse: several delays, on
 * the last port. A refractory time is a whole number of steps, so it is not learned; in short steps it is two of them,
 * so that a neuron can fire again. A port that wants chance gets that of one input neuron, between 0.1 and 0.7. */
static __attribute__((unused)) lw_err toy_net(const lw_comm *part, const toy_net_spec *s, lw_net **out) {
    const lw_model *relay = lw_model_builtin("relay");
    uint8_t learn[64] = {0}, learn_out[64] = {0};
    LW_ASSERT(relay && s->hidden && s->readout && s->hidden->n_param <= 64 && s->readout->n_param <= 64);
    lw_dist param[64];
    int last = model_port_last(s->hidden), second = last < 1 ? last : 1, chance = model_port_chance(s->hidden);
    int back = s->sparse ? last : second;
    double dt = fmin(model_step(s->hidden), model_step(s->readout));
    for (int p = 0; p < s->hidden->n_param; p++) {
        bool t_ref = strcmp(s->hidden->param[p].name, "t_ref") == 0;
        learn[p] = s->learn_params && !t_ref;
        param[p] = lw_dist_number(t_ref && dt < 1 ? 2 * dt : s->hidden->param[p].value);
    }
    for (int p = 0; p < s->readout->n_param; p++)
        learn_out[p] = s->learn_params && strcmp(s->readout->param[p].name, "t_ref") != 0;
    lw_population_spec pop[] = {
        {.name = "in", .model = relay, .size = N_IN},
        {.name = "hid", .model = s->hidden, .size = s->n_hidden ? s->n_hidden : N_HID, .param = param, .learn = learn},
        {.name = "out", .model = s->readout, .size = N_OUT, .learn = learn_out},
    };
    lw_dist now = lw_dist_number(s->sparse ? dt : 0), later = s->sparse ? toy_uniform(dt, 4 * dt) : lw_dist_number(dt);
    lw_projection_spec proj[] = {
        {.name = "in_hid",
            .pre = 0,
            .post = 1,
            .rule = LW_RULE_ALL_TO_ALL,
            .learn = true,
            .autapses = true,
            .weight = model_port_weight(s->hidden, 0, toy_normal(s->input, s->input / 2)),
            .delay = now},
        {.name = "hid_hid",
            .pre = 1,
            .post = 1,
            .port = back,
            .learn = true,
            .autapses = true,
            .rule = s->sparse ? LW_RULE_FIXED_INDEGREE : LW_RULE_ALL_TO_ALL,
            .n = 3,
            .multapses = true,
            .weight = model_port_weight(s->hidden, back, toy_normal(0, s->weight)),
            .delay = later},
        {.name = "hid_out",
            .pre = 1,
            .post = 2,
            .learn = true,
            .autapses = true,
            .rule = s->sparse ? LW_RULE_PAIRWISE_BERNOULLI : LW_RULE_ALL_TO_ALL,
            .p = 0.7,
            .weight = toy_normal(0.1, 0.4),
            .delay = now},
        {.name = "chance",
            .pre = 0,
            .post = 1,
            .port = chance,
            .rule = LW_RULE_FIXED_INDEGREE,
            .n = 1,
            .autapses = true,
            .weight = lw_dist_number(0.5),
            .delay = now},
    };
    for (int j = 0; s->lags && j < 3; j++) {
        proj[j].learn_delay = true;
        proj[j].delay_max = 6 * dt;
        proj[j].delay = toy_uniform(1.1 * dt, 5.9 * dt);
    }
    lw_net_spec spec = {.seed = 5,
        .dt = dt,
        .n_pop = 3,
        .n_proj = chance < 0 ? 3 : 4,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = s->weight_type};
    return lw_net_create(part, &spec, out);
}

static __attribute__((unused)) lw_train_spec toy_train(void) {
    lw_train_spec s = lw_train_spec_default();
    s.loss.pop = 2;
    s.input_pop = 0;
    s.precision = LW_F64;
    s.surrogate.slope = 2;
    return s;
}

#endif
