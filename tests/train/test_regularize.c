/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Regularisers on rates of neurons and populations, spike counts and states: their size from the emitted values, their
 * gradient against differences and tangents; samples that end before the others; what is refused.
 */
#include "train_net.h"
#include "world.h"

enum { STEPS = 24, SHORT = 14, SAMPLES = 11, BATCH = 12 };

typedef struct bench {
    toy toy;
    lw_batch_source data;
    lw_grid *grid;
    lw_net *net;
    lw_train_spec spec;
} bench;

static void bench_begin(bench *b, const lw_comm *comm, int replicas, const char *readout, int64_t steps, bool classes) {
    toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin(readout),
        .input = 4,
        .weight = 0.8,
        .learn_params = true,
        .weight_type = LW_F64};
    *b = (bench){.toy = {.n_steps = steps}};
    b->data = toy_source(&b->toy, SAMPLES, classes);
    b->spec = toy_train();
    b->spec.batch = BATCH;
    b->spec.loss.skip = 3;
    b->spec.loss.tau = 4;
    CHECK_OK(lw_grid_create(comm, replicas, &b->grid));
    CHECK_OK(toy_net(b->grid->part, &net, &b->net));
}

static void bench_end(bench *b) {
    lw_net_destroy(&b->net);
    lw_grid_destroy(&b->grid);
}

static double loss_of(bench *b, const lw_penalty *penalty, lw_gradient *g) {
    b->spec.loss.penalty = penalty;
    b->spec.loss.n_penalties = penalty ? 1 : 0;
    CHECK_OK(lw_gradient_run(b->grid, b->net, &b->spec, &b->data, SAMPLES, g));
    return g->loss;
}

static double excess(const lw_penalty *p, double x) {
    double over = fmax(x - p->upper, 0), under = fmax(p->lower - x, 0);
    return pow(over, p->power) + pow(under, p->power);
}

/* of the hidden layer, by its counted spikes; of the leaky read-out, whose state is what it emits */
static double expected(const bench *b, const lw_penalty *p, const lw_gradient *g) {
    lw_pop_view hid = lw_net_pop(b->net, 1);
    double time = STEPS * lw_net_dt(b->net), sum = 0;
    for (int64_t l = 0; l < SAMPLES; l++) {
        double all = 0, here = 0;
        for (int64_t i = 0; i < hid.n_local; i++) {
            double count = (double)g->spikes[(hid.lid_begin + i) * SAMPLES + l];
            all += count;
            here += excess(p, p->kind == LW_PENALTY_COUNT ? count : count / time) / N_HID;
        }
        lw_comm_sum_f64(b->grid->part, &all, 1);
        lw_comm_sum_f64(b->grid->part, &here, 1);
        if (p->kind == LW_PENALTY_POPULATION_RATE) here = excess(p, all / N_HID / time);
        for (int64_t k = 0; p->kind == LW_PENALTY_STATE && k < N_OUT; k++)
            for (int64_t t = 0; t < STEPS; t++)
                sum += excess(p, g->out[(t * N_OUT + k) * SAMPLES + l]) / N_OUT / STEPS;
        if (p->kind != LW_PENALTY_STATE) sum += here;
    }
    return p->weight * sum / SAMPLES;
}

static const lw_penalty penalties[] = {
    {.kind = LW_PENALTY_RATE, .power = 2, .weight = 70, .lower = 0.06, .upper = 0.09},
    {.kind = LW_PENALTY_RATE, .power = 1, .weight = 7, .lower = 0.06, .upper = 0.09},
    {.kind = LW_PENALTY_POPULATION_RATE, .power = 2, .weight = 70, .lower = 0.9, .upper = 1},
    {.kind = LW_PENALTY_POPULATION_RATE, .power = 2, .weight = 70, .upper = 0.01},
    {.kind = LW_PENALTY_COUNT, .power = 1, .weight = 0.3},
    {.kind = LW_PENALTY_COUNT, .power = 2, .weight = 0.3, .upper = 1},
    {.kind = LW_PENALTY_STATE, .power = 2, .weight = 20, .lower = -0.01, .upper = 0.02, .state = "v"},
    {.kind = LW_PENALTY_STATE, .power = 1, .weight = 20, .lower = -0.01, .upper = 0.02, .state = "v"},
};
enum { N_PENALTIES = sizeof penalties / sizeof *penalties };

TEST(sizes_in_closed_form) {
    lw_comm *world = world_start();
    static const uint8_t out[3] = {0, 0, 1};
    for (int k = 0; k < N_PENALTIES; k++) {
        bench b;
        lw_gradient with, without;
        lw_penalty p = penalties[k];
        bench_begin(&b, world, lw_comm_size(world) % 2 == 0 ? 2 : 1, "li", STEPS, true);
        if (p.kind == LW_PENALTY_STATE) p.pop = out;
        double found = loss_of(&b, &p, &with) - loss_of(&b, NULL, &without), want = expected(&b, &p, &with);
        if (!(want > 0)) fprintf(stderr, "penalty %d is %g\n", k, want);
        CHECK(want > 0);
        CHECK_CLOSE(found, want, 1e-12 * (want + without.loss));
        lw_gradient_free(&with);
        lw_gradient_free(&without);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

/* several at a time; the state is the hidden layer's, which spikes reset */
TEST(gradients) {
    lw_comm *world = world_start();
    static const uint8_t hid[3] = {0, 1, 0};
    for (int k = 0; k < N_PENALTIES; k++) {
        bench b;
        lw_gradcheck r = {0};
        lw_penalty p[2] = {penalties[k], penalties[(k + 3) % N_PENALTIES]};
        bench_begin(&b, world, k % 2 == 0 && lw_comm_size(world) % 2 == 0 ? 2 : 1, "li", STEPS, true);
        for (int i = 0; i < 2; i++)
            if (p[i].kind == LW_PENALTY_STATE) p[i].pop = hid;
        b.spec.loss.penalty = p;
        b.spec.loss.n_penalties = 2;
        CHECK_OK(lw_gradcheck_run(b.grid, b.net, &b.spec, &b.data, SHORT, 2, &r));
        if (!(r.dot_error <= 1e-12) || !(r.fd_error <= 1e-5))
            fprintf(stderr, "penalty %d: dot %.3g, differences %.3g\n", k, r.dot_error, r.fd_error);
        CHECK(r.dot_error <= 1e-12 && r.fd_error <= 1e-5);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

static int64_t short_length(void *payload, int64_t i) {
    (void)payload, (void)i;
    return SHORT;
}

/* samples that end early in a long batch give what they give in a batch that ends there */
TEST(padding_counts_nowhere) {
    lw_comm *world = world_start();
    static const uint8_t hid[3] = {0, 1, 0};
    lw_penalty p[] = {penalties[0], penalties[2], penalties[5], penalties[6]};
    p[3].pop = hid;
    for (int readout = LW_READOUT_PER_STEP; readout <= LW_READOUT_VOTE; readout++)
        for (int kind = LW_LOSS_CROSS_ENTROPY; kind <= LW_LOSS_VAN_ROSSUM; kind++) {
            bool rossum = kind == LW_LOSS_VAN_ROSSUM, times = readout == LW_READOUT_FIRST_SPIKE || rossum;
            lw_gradient g[2];
            bench b[2];
            if (rossum && readout != LW_READOUT_PER_STEP) continue;
            for (int padded = 0; padded < 2; padded++) {
                bench *x = &b[padded];
                bench_begin(x, world, 1, times ? "lif_simple" : "li", padded ? STEPS : SHORT, !rossum);
                if (padded) x->data.length = short_length;
                x->spec.loss.kind = (lw_loss_kind)kind;
                x->spec.loss.readout = (lw_readout_kind)readout;
                x->spec.loss.penalty = p;
                x->spec.loss.n_penalties = 4;
                CHECK_OK(lw_gradient_run(x->grid, x->net, &x->spec, &x->data, SAMPLES, &g[padded]));
            }
            CHECK(g[0].loss > 0 && g[0].counted == g[1].counted);
            CHECK_REL(g[1].loss, g[0].loss, 1e-13);
            double apart = 0, size = 0;
            for (int64_t i = 0; i < g[0].theta->n_local; i++) {
                apart = fmax(apart, fabs(g[0].gradient[i] - g[1].gradient[i]));
                size = fmax(size, fabs(g[0].gradient[i]));
            }
            CHECK(apart <= 1e-12 * size);
            for (int padded = 0; padded < 2; padded++) {
                lw_gradient_free(&g[padded]);
                bench_end(&b[padded]);
            }
        }
    lw_comm_stop(&world);
}

static int64_t various_length(void *payload, int64_t i) {
    (void)payload;
    return 5 + i % 10;
}

TEST(gradients_of_various_lengths) {
    lw_comm *world = world_start();
    static const uint8_t hid[3] = {0, 1, 0};
    lw_penalty p[] = {penalties[0], penalties[2], penalties[5], penalties[6]};
    p[3].pop = hid;
    for (int readout = LW_READOUT_PER_STEP; readout <= LW_READOUT_VOTE; readout++) {
        bench b;
        lw_gradcheck r = {0};
        bool times = readout == LW_READOUT_FIRST_SPIKE, classes = readout % 2 == 0;
        bench_begin(&b, world, lw_comm_size(world) % 2 == 0 ? 2 : 1, times ? "lif_simple" : "li", STEPS, classes);
        b.data.length = various_length;
        b.spec.loss.kind = classes ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE;
        b.spec.loss.readout = (lw_readout_kind)readout;
        b.spec.loss.penalty = p;
        b.spec.loss.n_penalties = 4;
        CHECK_OK(lw_gradcheck_run(b.grid, b.net, &b.spec, &b.data, SHORT, 2, &r));
        if (!(r.dot_error <= 1e-12) || !(r.fd_error <= 1e-5))
            fprintf(stderr, "read-out %d: dot %.3g, differences %.3g\n", readout, r.dot_error, r.fd_error);
        CHECK(r.dot_error <= 1e-12 && r.fd_error <= 1e-5);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

/* the network runs on behind the end of a sample: its spikes are counted, its labels are not */
TEST(reported_rates_are_of_all_steps) {
    lw_comm *world = world_start();
    bench b;
    lw_evaluation whole, cut;
    bench_begin(&b, world, 1, "li", STEPS, true);
    CHECK_OK(lw_evaluate(b.grid, b.net, &b.spec, &b.data, NULL, &whole));
    b.data.length = various_length;
    CHECK_OK(lw_evaluate(b.grid, b.net, &b.spec, &b.data, NULL, &cut));
    CHECK(whole.rate_hz > 0 && cut.rate_hz == whole.rate_hz);
    int64_t counted = 0;
    for (int64_t i = 0; i < SAMPLES; i++)
        counted += various_length(NULL, i) - 3;
    CHECK_INT(cut.counted, counted);
    CHECK_INT(whole.counted, SAMPLES * (STEPS - 3));
    lw_evaluation_free(&whole);
    lw_evaluation_free(&cut);
    bench_end(&b);
    lw_comm_stop(&world);
}

static void refused(bench *b, const lw_penalty *p, const char *message) {
    lw_gradcheck r;
    b->spec.loss.penalty = p;
    b->spec.loss.n_penalties = 1;
    CHECK_FAILS(lw_gradcheck_run(b->grid, b->net, &b->spec, &b->data, SHORT, 1, &r), LW_EUSE, message);
}

TEST(what_cannot_be_is_refused) {
    lw_comm *world = world_start();
    static const uint8_t out[3] = {0, 0, 1};
    bench b;
    bench_begin(&b, world, 1, "li", STEPS, true);
    refused(&b, &(lw_penalty){.kind = LW_PENALTY_COUNT, .power = 3, .weight = 1}, "power of a regulariser is 3");
    refused(&b, &(lw_penalty){.kind = LW_PENALTY_COUNT, .power = 1, .weight = -1}, "weight of a regulariser is -1");
    refused(&b, &(lw_penalty){.kind = LW_PENALTY_RATE, .power = 1, .weight = 1, .lower = 2, .upper = 1},
        "the lower bound 2 above the upper one, 1");
    refused(&b, &(lw_penalty){.kind = LW_PENALTY_RATE, .power = 1, .weight = 1, .pop = out},
        "population out, whose model li does not spike");
    refused(&b, &(lw_penalty){.kind = LW_PENALTY_STATE, .power = 1, .weight = 1, .pop = out, .state = "V_m"},
        "wants the state V_m, which model li of population out lacks");
    bench_end(&b);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(sizes_in_closed_form), CASE(gradients), CASE(padding_counts_nowhere),
    CASE(gradients_of_various_lengths), CASE(reported_rates_are_of_all_steps), CASE(what_cannot_be_is_refused))
