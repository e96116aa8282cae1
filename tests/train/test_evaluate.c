/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Evaluation of networks whose output is known: a relay hands the data on, so that accuracy, confusion, errors and
 * synaptic operations can be counted by hand.
 */
#include "train_net.h"

enum { SAMPLES = 10, STEPS = 6 };

/* unit k says k at step t when it is the largest; a zero now and then, so that not every value is an event */
static float shown(int64_t i, int64_t t, int64_t k) {
    return (i + t) % 4 == 0 && k != (i + 1) % N_OUT ? 0 : (float)((i + 2 * t + 3 * k) % 5 + 1);
}

static lw_err shown_input(void *payload, int64_t i, float *x) {
    (void)payload;
    for (int64_t t = 0; t < STEPS; t++)
        for (int64_t k = 0; k < N_OUT; k++)
            x[t * N_OUT + k] = shown(i, t, k);
    return LW_OK;
}

static lw_batch_source shown_source(toy *d, bool classes) {
    lw_batch_source s = toy_source(d, SAMPLES, classes);
    s.n_channels = N_OUT;
    s.input = shown_input;
    return s;
}

/* relay -> relay (read-out), one to one, weight 1, no delay; and relay -> spiking, all to all, recurrent all to all */
static lw_err relay_net(const lw_comm *part, lw_net **out) {
    const lw_model *relay = lw_model_builtin("relay"), *spiking = lw_model_builtin("cuba_lif");
    lw_population_spec pop[] = {{.name = "in", .model = relay, .size = N_OUT},
        {.name = "hid", .model = spiking, .size = N_HID}, {.name = "out", .model = relay, .size = N_OUT}};
    lw_projection_spec proj[] = {
        {.name = "shown",
            .pre = 0,
            .post = 2,
            .rule = LW_RULE_ONE_TO_ONE,
            .learn = true,
            .weight = lw_dist_number(1),
            .delay = lw_dist_number(0)},
        {.name = "drive",
            .pre = 0,
            .post = 1,
            .rule = LW_RULE_ALL_TO_ALL,
            .autapses = true,
            .weight = lw_dist_number(1),
            .delay = lw_dist_number(1)},
        {.name = "loop",
            .pre = 1,
            .post = 1,
            .rule = LW_RULE_FIXED_OUTDEGREE,
            .n = 3,
            .weight = lw_dist_number(0.1),
            .delay = lw_dist_number(2)},
    };
    lw_net_spec spec = {.seed = 5,
        .dt = 1,
        .n_pop = 3,
        .n_proj = 3,
        .pop = pop,
        .proj = proj,
        .partition = LW_PARTITION_ROUND_ROBIN,
        .weight_type = LW_F64};
    return lw_net_create(part, &spec, out);
}

typedef struct expected {
    double counted, correct, labelled, labelled_correct, sq, events;
    double confusion[N_OUT][N_OUT];
} expected;

static expected count_by_hand(const lw_batch_source *source, int unlabelled, int64_t skip) {
    expected e = {0};
    int32_t label[STEPS];
    float y[STEPS * N_OUT];
    for (int64_t i = 0; i < SAMPLES; i++) {
        if (source->n_classes)
            (void)!source->label(source->payload, i, label);
        else
            (void)!source->target(source->payload, i, y);
        for (int64_t t = 0; t < STEPS; t++) {
            int best = 0;
            for (int k = 0; k < N_OUT; k++) {
                e.events += shown(i, t, k) != 0;
                if (shown(i, t, k) > shown(i, t, best)) best = k;
            }
            if (t < skip) continue;
            if (!source->n_classes) {
                for (int k = 0; k < N_OUT; k++) {
                    if (isnan(y[t * N_OUT + k])) continue;
                    double d = (double)shown(i, t, k) - (double)y[t * N_OUT + k];
                    e.sq += d * d;
                    e.counted++;
                }
                continue;
            }
            int want = label[t] < 0 ? unlabelled : label[t];
            if (want < 0) continue;
            e.counted++;
            e.correct += best == want;
            e.labelled += label[t] >= 0;
            e.labelled_correct += label[t] >= 0 && best == want;
            e.confusion[want][best]++;
        }
    }
    return e;
}

static void evaluate_check(const lw_comm *world, int replicas, lw_dtype precision, int unlabelled, bool classes) {
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    toy d = {.n_steps = STEPS, .per_step = classes};
    lw_batch_source source = shown_source(&d, classes);
    lw_train_spec spec = toy_train();
    lw_evaluation e;
    CHECK_OK(lw_grid_create(world, replicas, &grid));
    CHECK_OK(relay_net(grid->part, &net));
    spec.batch = 12;                                /* more than the samples: absent lanes */
    if (precision == LW_F32) spec.batch = replicas; /* many small batches */
    spec.threads = unlabelled == 0 ? 2 : 1;         /* of one rank each; one where the batch cannot be divided */
    spec.lanes = unlabelled == 1 ? 2 : 0;
    spec.precision = precision;
    spec.loss.kind = classes ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE;
    spec.loss.unlabelled = unlabelled;
    spec.loss.skip = 1;
    CHECK_OK(lw_evaluate(grid, net, &spec, &source, NULL, &e));
    expected x = count_by_hand(&source, unlabelled, 1);
    CHECK_INT(e.samples, SAMPLES);
    CHECK_INT(e.counted, x.counted);
    if (classes) {
        CHECK_REL(e.accuracy, x.correct / x.counted, 1e-14);
        CHECK_REL(e.accuracy_labelled, x.labelled_correct / x.labelled, 1e-14);
        for (int i = 0; i < N_OUT * N_OUT; i++)
            CHECK_INT(e.confusion[i], x.confusion[i / N_OUT][i % N_OUT]);
        CHECK(isnan(e.rmse));
    } else {
        CHECK_REL(e.rmse, sqrt(x.sq / x.counted), 1e-6);
        CHECK(e.confusion == NULL && isnan(e.accuracy));
    }
    CHECK_REL(e.sops_readout, x.events / SAMPLES, 1e-14);
    CHECK_REL(e.sops_input, N_HID * x.events / SAMPLES, 1e-14);
    /* spikes per sample = rate * neurons * duration; every spike meets 3 synapses */
    CHECK(e.rate_hz > 0);
    CHECK_REL(e.sops_recurrent, 3 * e.rate_hz / 1000 * N_HID * STEPS, 1e-12);
    lw_evaluation_free(&e);
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
}

TEST(known_outputs_are_counted) {
    lw_comm *world = NULL;
    int argc = 0;
    char **argv = NULL;
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    for (int replicas = 1; replicas <= lw_comm_size(world); replicas++) {
        if (lw_comm_size(world) % replicas != 0) continue;
        for (int unlabelled = -1; unlabelled < 2; unlabelled++) {
            evaluate_check(world, replicas, LW_F64, unlabelled, true);
            evaluate_check(world, replicas, LW_F32, unlabelled, true);
        }
        evaluate_check(world, replicas, LW_F64, -1, false);
    }
    lw_comm_stop(&world);
}

/* data fed straight into a spiking population: events of the data have fan-out 1 */
TEST(data_into_a_spiking_population) {
    lw_comm *world = NULL;
    int argc = 0;
    char **argv = NULL;
    lw_grid *grid = NULL;
    lw_net *net = NULL;
    toy d = {.n_steps = STEPS};
    enum { MANY = 67 };
    lw_batch_source source = shown_source(&d, true);
    source.n_samples = MANY;
    lw_train_spec spec = toy_train();
    lw_evaluation e;
    const lw_model *spiking = lw_model_builtin("cuba_lif"), *readout = lw_model_builtin("li");
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    CHECK_OK(lw_grid_create(world, 1, &grid));
    lw_dist param[16]; /* they fire without data too */
    for (int i = 0; i < spiking->n_param; i++)
        param[i] = lw_dist_number(strcmp(spiking->param[i].name, "bias") ? spiking->param[i].value : 30);
    lw_population_spec pop[] = {{.name = "hid", .model = spiking, .size = N_OUT, .param = param},
        {.name = "out", .model = readout, .size = N_OUT}};
    lw_projection_spec proj[] = {{.name = "out",
        .pre = 0,
        .post = 1,
        .rule = LW_RULE_ALL_TO_ALL,
        .learn = true,
        .autapses = true,
        .weight = lw_dist_number(1),
        .delay = lw_dist_number(1)}};
    lw_net_spec ns = {.seed = 5, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = proj, .weight_type = LW_F32};
    CHECK_OK(lw_net_create(grid->part, &ns, &net));
    spec.loss.pop = 1;
    spec.loss.readout = LW_READOUT_MAX;
    double events = 0;
    for (int64_t i = 0; i < MANY * STEPS * N_OUT; i++)
        events += shown(i / (STEPS * N_OUT), i / N_OUT % STEPS, i % N_OUT) != 0;
    for (int wide = 0; wide < 4; wide++) { /* absent lanes of a last batch; more lanes than are counted at a time */
        spec.batch = wide & 1 ? 70 : 4;
        spec.precision = wide & 2 ? LW_F64 : LW_F32;
        CHECK_OK(lw_evaluate(grid, net, &spec, &source, NULL, &e));
        CHECK_REL(e.sops_input, events / MANY, 1e-14);
        CHECK_CLOSE(e.sops_recurrent, 0, 0);
        CHECK(e.rate_hz > 0);
        CHECK_REL(e.sops_readout, N_OUT * e.rate_hz / 1000 * N_OUT * STEPS, 1e-12);
        lw_evaluation_free(&e);
    }
    lw_net_destroy(&net);
    lw_grid_destroy(&grid);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(known_outputs_are_counted), CASE(data_into_a_spiking_population))
