/* SPDX-License-Identifier: BSD-3-Clause
 *
 * One training step (forward, backward, gradients of all weights) of relay -> recurrent cuba_lif -> leaky read-out, all
 * projections dense, 5 % of the inputs firing, cross-entropy at every step. Prints one JSON line: medians of the
 * repeats (step_ms without placing the batch in lanes, data_ms: PyTorch has its input in place too), FLOPs counted as
 * if everything were dense, and the rate of sgemm in the same run.
 *
 *   bench_train batch steps inputs neurons outputs [rate 0.06] [surrogate superspike] [threads 1] [repeats 5] [replicas
 * 1] [slope] [memory in MB, 0: all there is] [mixed]
 *
 * The firing rate is reached by a search over the bias. Under mpirun the network is partitioned over the ranks, or they
 * are replicas; with 0 replicas every rank trains a network of its own and prints a line, which shows what the machine
 * gives to programs that need nothing of one another.
 */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/train.h>

enum { MOST = 51, GEMM = 1024 };

typedef struct bench {
    int64_t batch, steps, inputs, neurons, outputs, repeats;
    double rate, bias;
    lw_surrogate surrogate;
    int threads;
    bool mixed;
    int64_t memory; /* bytes of the tape, 0: no limit */
    float *x;       /* [batch][steps][inputs] */
    lw_batch_source source;
    lw_grid *grid;
    lw_net *net;
} bench;

/* Spike trains of all samples, drawn once; labels cycle through the classes. */
static void inputs_draw(bench *b) {
    int64_t n = b->batch * b->steps * b->inputs;
    lw_stream s = lw_stream_start(1, LW_PURPOSE_DATA, 0, 0);
    b->x = malloc((size_t)n * sizeof *b->x);
    for (int64_t k = 0; k < n; k++)
        b->x[k] = lw_stream_uniform(&s) < 0.05 ? 1 : 0;
}

static lw_err input(void *payload, int64_t i, float *x) {
    const bench *b = payload;
    memcpy(x, b->x + i * b->steps * b->inputs, (size_t)(b->steps * b->inputs) * sizeof *x);
    return LW_OK;
}

static lw_err label(void *payload, int64_t i, int32_t *y) {
    const bench *b = payload;
    for (int64_t t = 0; t < b->steps; t++)
        y[t] = (int32_t)((i + t) % b->outputs);
    return LW_OK;
}

static lw_dist normal(double sd) {
    lw_dist d = lw_dist_number(0);
    d.kind = LW_DIST_NORMAL;
    d.p[1] = sd;
    return d;
}

static lw_err net_build(bench *b) {
    const lw_model *lif = lw_model_builtin("cuba_lif");
    lw_dist param[16];
    for (int i = 0; i < lif->n_param; i++) {
        param[i] = lw_dist_number(lif->param[i].value);
        if (!strcmp(lif->param[i].name, "bias")) param[i] = lw_dist_number(b->bias);
    }
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = b->inputs},
        {.name = "rec", .model = lif, .size = b->neurons, .param = param},
        {.name = "out", .model = lw_model_builtin("li"), .size = b->outputs}};
    lw_projection_spec all = {.rule = LW_RULE_ALL_TO_ALL, .autapses = true, .learn = true};
    lw_projection_spec proj[3] = {all, all, all};
    const int pre[] = {0, 1, 1}, post[] = {1, 1, 2};
    const double sd[] = {3.5 / sqrt((double)b->inputs), 1 / sqrt((double)b->neurons), 1 / sqrt((double)b->neurons)};
    for (int j = 0; j < 3; j++) {
        proj[j].pre = pre[j];
        proj[j].post = post[j];
        proj[j].weight = normal(sd[j]);
        proj[j].delay = lw_dist_number(j == 1 ? 1 : 0);
    }
    lw_net_spec spec = {.seed = 1, .dt = 1, .n_pop = 3, .n_proj = 3, .pop = pop, .proj = proj, .weight_type = LW_F32};
    lw_net_destroy(&b->net);
    return lw_net_create(b->grid->part, &spec, &b->net);
}

static lw_train_spec train_spec(const bench *b) {
    lw_train_spec s = lw_train_spec_default();
    s.loss.pop = 2;
    s.batch = (int32_t)b->batch;
    s.surrogate = b->surrogate;
    s.threads = b->threads;
    s.memory = b->memory;
    s.mixed = b->mixed;
    return s;
}

/* Firing rate per neuron and step at the present bias. */
static lw_err rate_measure(bench *b, double *rate) {
    lw_train_spec spec = train_spec(b);
    lw_evaluation e;
    LW_TRY(net_build(b));
    LW_TRY(lw_evaluate(b->grid, b->net, &spec, &b->source, NULL, &e));
    *rate = e.rate_hz / 1000;
    lw_evaluation_free(&e);
    return LW_OK;
}

static lw_err rate_reach(bench *b) {
    double lo = -4, hi = 32, rate = 0; /* 32: a neuron can fire at every step */
    for (int i = 0; i < 14; i++) {
        b->bias = (lo + hi) / 2;
        LW_TRY(rate_measure(b, &rate));
        if (rate < b->rate)
            lo = b->bias;
        else
            hi = b->bias;
        if (fabs(rate / b->rate - 1) < 0.05) break;
    }
    b->rate = rate;
    return LW_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int64_t n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
    return x[n / 2];
}

/* GFLOP/s of a square product by BLAS, one thread */
static double gemm_rate(void) {
    float *a = calloc((size_t)GEMM * GEMM, sizeof *a), *c = calloc((size_t)GEMM * GEMM, sizeof *c);
    double best = 1e9;
    for (int i = 0; i < GEMM * GEMM; i++)
        a[i] = (float)(i % 7) * 0.1F;
    for (int i = 0; i < 4; i++) {
        double t = lw_time_now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, GEMM, GEMM, GEMM, 1, a, GEMM, a, GEMM, 0, c, GEMM);
        best = fmin(best, lw_time_now() - t);
    }
    free(a);
    free(c);
    return 2e-9 * GEMM * GEMM * GEMM / best;
}

static lw_err run(bench *b) {
    lw_train_spec spec = train_spec(b);
    lw_trainer *trainer = NULL;
    double wall[MOST], data[MOST], forward[MOST], rate = b->rate;
    LW_TRY(rate_reach(b));
    spec.optimizer.lr = 1e-12; /* the network stays what it is */
    spec.epochs = b->repeats + 1;
    int64_t before = lw_mem_now();
    LW_TRY(lw_trainer_create(b->grid, b->net, &spec, &b->source, &trainer));
    LW_TRY(lw_trainer_run(trainer, NULL, NULL)); /* an epoch is one batch, read anew */
    int64_t n, held = lw_mem_now() - before;
    const lw_metrics *m = lw_trainer_metrics(trainer, &n);
    for (int64_t i = 1; i < n; i++) {
        wall[i - 1] = m[i].seconds - m[i].data_seconds;
        data[i - 1] = m[i].data_seconds;
        lw_evaluation e;
        LW_TRY(lw_evaluate(b->grid, b->net, &spec, &b->source, NULL, &e));
        forward[i - 1] = e.seconds;
        lw_evaluation_free(&e);
    }
    lw_traffic traffic = lw_trainer_traffic(trainer);
    double in = (double)b->inputs, rec = (double)b->neurons, out = (double)b->outputs;
    double flops = 2 * (double)(b->steps * b->batch) * (2 * in * rec + 3 * rec * rec + 3 * rec * out);
    double step = median(wall, b->repeats), gemm = gemm_rate(), steps = (double)traffic.steps;
    int64_t sent[2] = {traffic.bytes, traffic.slots};
    lw_comm_sum_i64(b->grid->part, sent, 2);
    if (lw_comm_rank(b->grid->world) == 0)
        printf("{\"bench\": \"train\", \"case\": [%lld, %lld, %lld, %lld, %lld], \"ranks\": %d, \"replicas\": %d, "
               "\"threads\": %d, \"mixed\": %s, "
               "\"surrogate\": \"%s\", \"rate_wanted\": %.3f, \"rate\": %.4f, \"step_ms\": %.1f, \"min_ms\": %.1f, "
               "\"data_ms\": %.1f, "
               "\"evaluate_ms\": %.1f, \"gflops\": %.1f, \"sgemm_gflops\": %.1f, \"bytes_per_step\": %.0f, "
               "\"halo_neurons\": %lld, \"bytes_per_step_and_halo_neuron\": %.1f, \"bytes_to_replicas\": %.0f, "
               "\"held_mb\": %.1f, \"peak_rss_mb\": %.0f}\n",
            (long long)b->batch, (long long)b->steps, (long long)b->inputs, (long long)b->neurons,
            (long long)b->outputs, lw_comm_size(b->grid->world), b->grid->replicas, b->threads,
            b->mixed ? "true" : "false", lw_surrogate_name(b->surrogate.kind), rate, b->rate, 1e3 * step, 1e3 * wall[0],
            1e3 * median(data, b->repeats), 1e3 * median(forward, b->repeats), 1e-9 * flops / step, gemm,
            (double)sent[0] / steps, (long long)sent[1], sent[1] ? (double)sent[0] / steps / (double)sent[1] : 0.0,
            (double)traffic.replica_bytes / (double)lw_trainer_state_get(trainer)->updates, (double)held / 1e6,
            (double)lw_mem_peak_rss() / 1e6);
    lw_trainer_destroy(&trainer);
    return LW_OK;
}

int main(int argc, char **argv) {
    bench b = {.rate = 0.06, .surrogate = {LW_SURROGATE_SUPERSPIKE, 10, 1}, .threads = 1, .repeats = 5};
    lw_comm *world = NULL, *self = NULL;
    lw_err err = lw_comm_start(&argc, &argv, &world);
    if (argc < 6) {
        fprintf(stderr, "bench_train batch steps inputs neurons outputs [rate] [surrogate] [threads] [repeats] "
                        "[replicas] [slope] [memory in MB, 0: all there is] [mixed]\n");
        return 2;
    }
    b.batch = atol(argv[1]);
    b.steps = atol(argv[2]);
    b.inputs = atol(argv[3]);
    b.neurons = atol(argv[4]);
    b.outputs = atol(argv[5]);
    if (argc > 6) b.rate = atof(argv[6]);
    if (err == LW_OK && argc > 7) err = lw_surrogate_parse(argv[7], &b.surrogate.kind);
    if (b.surrogate.kind == LW_SURROGATE_TRIANGLE || b.surrogate.kind == LW_SURROGATE_BOXCAR)
        b.surrogate.slope = argc > 11 ? atof(argv[11]) : 5;
    if (argc > 8) b.threads = atoi(argv[8]);
    if (argc > 9) b.repeats = atol(argv[9]) < MOST ? atol(argv[9]) : MOST - 1;
    b.source = (lw_batch_source){.payload = &b,
        .n_samples = b.batch,
        .n_steps = b.steps,
        .n_channels = (int32_t)b.inputs,
        .n_classes = (int32_t)b.outputs,
        .label_per_step = true,
        .input = input,
        .label = label};
    lw_log_setup(LW_LOG_WARN, world ? lw_comm_rank(world) : 0);
    if (argc > 12) b.memory = (int64_t)(1e6 * atof(argv[12]));
    if (argc > 13) b.mixed = !strcmp(argv[13], "mixed");
    inputs_draw(&b);
    int replicas = argc > 10 ? atoi(argv[10]) : 1;
    if (err == LW_OK && replicas == 0) err = lw_comm_self(&self);
    if (err == LW_OK) err = lw_grid_create(self ? self : world, replicas ? replicas : 1, &b.grid);
    if (err == LW_OK) err = run(&b);
    if (err != LW_OK) fprintf(stderr, "%s\n", lw_err_message());
    free(b.x);
    lw_net_destroy(&b.net);
    lw_grid_destroy(&b.grid);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
    return err == LW_OK ? 0 : 1;
}
