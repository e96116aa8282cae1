/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Losses on a spiking read-out: first spikes and van Rossum's distance against what the emitted trains say in closed
 * form, the vote and every k-th step against the emitted values; their gradients (adjoint against tangent, and against
 * central differences of the smooth network) and Gauss-Newton products; what is refused.
 */
#include "../../src/train/curvature.h"
#include "train_net.h"
#include "world.h"

enum { STEPS = 24, SAMPLES = 11, BATCH = 12, SKIP = 3 };

typedef struct bench {
    toy toy;
    lw_batch_source data;
    lw_grid *grid;
    lw_net *net;
    lw_train_spec spec;
} bench;

/* spikes of the target: 0 or 1; unit 2 of sample 3 has none that count, step 5 is unknown */
static lw_err spike_target(void *payload, int64_t i, float *y) {
    const toy *d = payload;
    for (int64_t t = 0; t < d->n_steps; t++)
        for (int64_t k = 0; k < N_OUT; k++)
            y[t * N_OUT + k] = t == 5 || (i == 3 && k == 2) ? NAN : (float)(toy_noise(100 + i, t * N_OUT + k) < 0.2);
    return LW_OK;
}

/* so that some units of a spiking read-out fire and some do not */
static void readout_drive(lw_net *net, double factor) {
    lw_theta *theta = NULL;
    CHECK_OK(lw_theta_create(net, &theta));
    double *x = calloc((size_t)theta->n_local + 1, sizeof *x);
    lw_theta_get(theta, net, x);
    for (int32_t b = 0; b < theta->n_blocks; b++)
        for (int64_t i = 0; i < theta->block[b].count; i++)
            if (theta->block[b].is_weight && theta->block[b].proj == 2) x[theta->block[b].offset + i] *= factor;
    lw_theta_put(theta, net, x);
    free(x);
    lw_theta_destroy(&theta);
}

static void bench_begin(bench *b, const lw_comm *comm, int replicas, const char *readout, bool classes) {
    toy_net_spec net = {.hidden = lw_model_builtin("cuba_lif"),
        .readout = lw_model_builtin(readout),
        .input = 4,
        .weight = 0.8,
        .learn_params = true,
        .weight_type = LW_F64};
    *b = (bench){.toy = {.n_steps = STEPS}};
    b->data = toy_source(&b->toy, SAMPLES, classes);
    b->data.target = spike_target;
    b->spec = toy_train();
    b->spec.batch = BATCH;
    b->spec.loss.skip = SKIP;
    b->spec.loss.tau = 4;
    CHECK_OK(lw_grid_create(comm, replicas, &b->grid));
    CHECK_OK(toy_net(b->grid->part, &net, &b->net));
    readout_drive(b->net, 4);
}

static void bench_end(bench *b) {
    lw_net_destroy(&b->net);
    lw_grid_destroy(&b->grid);
}

static double emitted(const lw_gradient *g, int64_t t, int64_t k, int64_t l) {
    return g->out[(t * g->n_units + k) * g->n_samples + l];
}

/* ms */
static double first_time(const bench *b, const lw_gradient *g, int64_t k, int64_t l) {
    double dt = lw_net_dt(b->net);
    for (int64_t t = SKIP; t < STEPS; t++)
        if (emitted(g, t, k, l) != 0) return (double)(t + 1) * dt;
    return (STEPS + 1) * dt + b->spec.loss.silent;
}

/* -log softmax(z)[want], and the largest */
static double entropy(const double *z, int want, int *top) {
    double sum = 0;
    *top = 0;
    for (int k = 0; k < N_OUT; k++) {
        sum += exp(z[k]);
        if (z[k] > z[*top]) *top = k;
    }
    return log(sum) - z[want];
}

TEST(first_spikes_in_closed_form) {
    lw_comm *world = world_start();
    for (int kind = 0; kind < 3; kind++) {
        bench b;
        lw_gradient g;
        double loss = 0, hits = 0, apart = 0, n = 0, fired = 0, silent = 0;
        bench_begin(&b, world, lw_comm_size(world) % 2 == 0 ? 2 : 1, "lif_simple", kind < 2);
        b.spec.loss.readout = LW_READOUT_FIRST_SPIKE;
        b.spec.loss.kind = kind == 0 ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE;
        b.spec.loss.silent = 2.5;
        b.spec.loss.has_target = kind == 1;
        b.spec.loss.target_right = 6;
        b.spec.loss.target_wrong = 20;
        b.data.target = toy_target;
        CHECK_OK(lw_gradient_run(b.grid, b.net, &b.spec, &b.data, SAMPLES, &g));
        for (int64_t l = 0; l < SAMPLES; l++) {
            double z[N_OUT];
            int top, want = (int)(l % N_OUT);
            for (int64_t k = 0; k < N_OUT; k++) {
                double time = first_time(&b, &g, k, l), far = time - (k == want ? 6 : 20);
                z[k] = -time / 4;
                fired += time <= STEPS * lw_net_dt(b.net);
                silent += time > STEPS * lw_net_dt(b.net);
                if (kind == 1) loss += far * far / 16 / N_OUT;
                if (kind < 2) continue;
                float y = g.target[((STEPS - 1) * N_OUT + k) * SAMPLES + l];
                if (isnan(y)) continue;
                loss += (time - (double)y) * (time - (double)y) / 16;
                apart += (time - (double)y) * (time - (double)y);
                n++;
            }
            double e = entropy(z, want, &top);
            if (kind == 0) loss += e;
            if (kind < 2) n++;
            hits += top == want;
        }
        if (!(fired > 5 && silent > 0)) fprintf(stderr, "%g fired, %g silent\n", fired, silent);
        CHECK(fired > 5 && silent > 0);
        CHECK(g.counted == n);
        CHECK_REL(g.loss, loss / n, 1e-13);
        if (kind < 2) CHECK_REL(g.accuracy, hits / n, 1e-13);
        if (kind == 2) CHECK_REL(g.rmse, sqrt(apart / n), 1e-13);
        lw_gradient_free(&g);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

/* pairs of spikes: 1/2 exp(-|s - t| / tau) within each train, the whole of it between them, taken away */
TEST(van_rossum_in_closed_form) {
    lw_comm *world = world_start();
    bench b;
    lw_gradient g;
    double loss = 0, n = 0;
    bench_begin(&b, world, 1, "lif_simple", false);
    b.spec.loss.kind = LW_LOSS_VAN_ROSSUM;
    CHECK_OK(lw_gradient_run(b.grid, b.net, &b.spec, &b.data, SAMPLES, &g));
    for (int64_t l = 0; l < SAMPLES; l++)
        for (int64_t k = 0; k < N_OUT; k++) {
            double sign[STEPS] = {0};
            bool counts = false;
            for (int64_t t = SKIP; t < STEPS; t++) {
                float y = g.target[(t * N_OUT + k) * SAMPLES + l];
                if (isnan(y)) continue;
                counts = true;
                sign[t] = emitted(&g, t, k, l) - (double)y;
            }
            for (int64_t s = 0; s < STEPS; s++)
                for (int64_t t = 0; t < STEPS; t++)
                    loss += 0.5 * sign[s] * sign[t] * exp(-fabs((double)(s - t)) * lw_net_dt(b.net) / 4);
            n += counts;
        }
    CHECK(n == SAMPLES * N_OUT - 1 && g.counted == n);
    CHECK_REL(g.loss, loss / n, 1e-13);
    CHECK_REL(g.rmse, sqrt(loss / n), 1e-13);
    lw_gradient_free(&g);
    bench_end(&b);
    lw_comm_stop(&world);
}

TEST(votes_and_every_kth_step) {
    lw_comm *world = world_start();
    for (int vote = 0; vote < 2; vote++) {
        bench b;
        lw_gradient g;
        double loss = 0, hits = 0, rows = 0;
        bench_begin(&b, world, 1, "li", true);
        b.spec.loss.readout = vote ? LW_READOUT_VOTE : LW_READOUT_PER_STEP;
        b.spec.loss.every = 4;
        CHECK_OK(lw_gradient_run(b.grid, b.net, &b.spec, &b.data, SAMPLES, &g));
        for (int64_t l = 0; l < SAMPLES; l++) {
            int votes[N_OUT] = {0}, top, most = 0;
            for (int64_t t = SKIP + 3; t < STEPS; t += 4) {
                double z[N_OUT];
                for (int64_t k = 0; k < N_OUT; k++)
                    z[k] = emitted(&g, t, k, l);
                loss += entropy(z, (int)(l % N_OUT), &top);
                votes[top]++;
                hits += !vote && top == l % N_OUT;
                rows++;
            }
            for (int k = 1; k < N_OUT; k++)
                if (votes[k] > votes[most]) most = k;
            hits += vote && most == l % N_OUT;
        }
        CHECK_REL(g.loss, loss / rows, 1e-13);
        CHECK(g.counted == (vote ? SAMPLES : rows));
        CHECK_REL(g.accuracy, hits / g.counted, 1e-13);
        lw_gradient_free(&g);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

/* case n of the losses here; false: no more */
static bool loss_case(bench *b, const lw_comm *world, int n) {
    static const struct {
        const char *readout;
        lw_loss_kind kind;
        lw_readout_kind from;
        bool classes;
    } cases[] = {{"lif_simple", LW_LOSS_CROSS_ENTROPY, LW_READOUT_FIRST_SPIKE, true},
        {"lif_simple", LW_LOSS_MSE, LW_READOUT_FIRST_SPIKE, true},
        {"lif_simple", LW_LOSS_MSE, LW_READOUT_FIRST_SPIKE, false},
        {"lif_simple", LW_LOSS_VAN_ROSSUM, LW_READOUT_PER_STEP, false},
        {"lif_simple", LW_LOSS_MSE, LW_READOUT_SUM, true}, {"li", LW_LOSS_CROSS_ENTROPY, LW_READOUT_VOTE, true},
        {"li", LW_LOSS_MSE, LW_READOUT_VOTE, true}, {"li", LW_LOSS_CROSS_ENTROPY, LW_READOUT_PER_STEP, true},
        {"li", LW_LOSS_MSE, LW_READOUT_PER_STEP, false}};
    if (n >= (int)(sizeof cases / sizeof *cases)) return false;
    bool classes = cases[n].classes;
    bench_begin(b, world, n % 2 == 0 && lw_comm_size(world) % 2 == 0 ? 2 : 1, cases[n].readout, classes);
    b->spec.loss.kind = cases[n].kind;
    b->spec.loss.readout = cases[n].from;
    b->spec.loss.silent = 1.5;
    if (n >= 5) b->spec.loss.every = 3;
    b->spec.loss.label_smoothing = classes ? 0.1 : 0;
    b->spec.loss.has_target = classes && cases[n].kind == LW_LOSS_MSE;
    b->spec.loss.target_right = 5;
    b->spec.loss.target_wrong = 1.5;
    return true;
}

TEST(gradients) {
    lw_comm *world = world_start();
    bench b;
    for (int n = 0; loss_case(&b, world, n); n++) {
        lw_gradcheck r = {0};
        CHECK_OK(lw_gradcheck_run(b.grid, b.net, &b.spec, &b.data, 14, 2, &r));
        if (!(r.dot_error <= 1e-12) || !(r.fd_error <= 1e-5))
            fprintf(stderr, "case %d: dot %.3g, differences %.3g\n", n, r.dot_error, r.fd_error);
        CHECK(r.dot_error <= 1e-12 && r.fd_error <= 1e-5);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

static double inner(const bench *b, int64_t n, const double *x, const double *y) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    lw_comm_sum_f64(b->grid->part, &sum, 1);
    return sum;
}

/* <u, G v> = <v, G u>: the tangent of the read-out is the transpose of the seed */
TEST(gauss_newton_products_are_symmetric) {
    lw_comm *world = world_start();
    bench b;
    for (int n = 0; loss_case(&b, world, n); n++) {
        curvature *c = NULL;
        CHECK_OK(curvature_create(b.grid, b.net, &b.spec, &b.data, SAMPLES, &c));
        size_t size = (size_t)c->theta->n_local;
        double *u = calloc(4 * size + 1, sizeof *u), *v = u + size, *gu = v + size, *gv = gu + size;
        for (size_t i = 0; i < 2 * size; i++)
            u[i] = lw_rng_normal(9, LW_PURPOSE_CHECK, (uint64_t)b.grid->part_index << 32 | i, 0, 0);
        CHECK_OK(curvature_product(c, u, gu));
        CHECK_OK(curvature_product(c, v, gv));
        int64_t k = c->theta->n_local;
        double uv = inner(&b, k, u, gv), vu = inner(&b, k, v, gu), uu = inner(&b, k, u, gu), vv = inner(&b, k, v, gv);
        CHECK(uu > 0 && vv > 0);
        CHECK_CLOSE(uv, vu, 1e-12 * sqrt(uu * vv));
        free(u);
        curvature_destroy(&c);
        bench_end(&b);
    }
    lw_comm_stop(&world);
}

static void refused(bench *b, const char *message) {
    lw_gradcheck r;
    CHECK_FAILS(lw_gradcheck_run(b->grid, b->net, &b->spec, &b->data, 14, 1, &r), LW_EUSE, message);
    b->spec.loss = (lw_loss){.pop = 2, .tau = 4, .unlabelled = -1};
}

TEST(what_does_not_fit_is_refused) {
    lw_comm *world = world_start();
    bench b;
    bench_begin(&b, world, 1, "li", true);
    b.spec.loss.readout = LW_READOUT_FIRST_SPIKE;
    refused(&b, "the read-out first_spike wants spikes but the model li of the read-out population out is graded");
    b.spec.loss.readout = LW_READOUT_FIRST_SPIKE;
    b.spec.loss.tau = 0;
    refused(&b, "tau is 0 ms, allowed are positive times");
    b.spec.loss.silent = -1;
    refused(&b, "silent is -1 ms");
    b.spec.loss.kind = LW_LOSS_VAN_ROSSUM;
    refused(&b, "the loss is van_rossum but the data hold classes");
    b.spec.loss.readout = LW_READOUT_MEAN;
    b.spec.loss.every = 2;
    refused(&b, "every is 2, which goes with the read-outs per_step and vote");
    b.spec.loss.every = 15;
    refused(&b, "every is 15, allowed are 1 to 14");
    b.spec.loss.has_target = true;
    refused(&b, "targets of right and wrong units go with the loss mse");
    b.toy.per_step = b.data.label_per_step = true;
    b.spec.loss.readout = LW_READOUT_VOTE;
    refused(&b, "a label per step but the read-out gives one value per sample");
    bench_end(&b);
    bench_begin(&b, world, 1, "li", false);
    refused(&b, "cross-entropy but the data hold targets; allowed are mse and van_rossum");
    b.spec.loss.kind = LW_LOSS_VAN_ROSSUM;
    refused(&b, "the loss van_rossum wants spikes but the model li");
    b.spec.loss.kind = LW_LOSS_VAN_ROSSUM;
    b.spec.loss.readout = LW_READOUT_LAST;
    refused(&b, "the loss van_rossum wants the read-out per_step");
    b.spec.loss.kind = LW_LOSS_MSE;
    b.spec.loss.readout = LW_READOUT_VOTE;
    refused(&b, "the read-out is vote but the data hold targets");
    bench_end(&b);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(first_spikes_in_closed_form), CASE(van_rossum_in_closed_form), CASE(votes_and_every_kth_step),
    CASE(gradients), CASE(gauss_newton_products_are_symmetric), CASE(what_does_not_fit_is_refused))
