/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dropout: what arrives is kept or dropped per source and lane for a whole run, in the right proportion; sweeps are
 * those of the masked network (adjoint against tangent, tangent against differences of smooth spikes, weight by weight
 * where all is dropped); nothing depends on ranks.
 */
#include "sweep_net.h"

enum { STEPS = 16, WIDTH = 3 };
static const double chance[N_MAX_PROJ] = {0.3, 0.5, 0, 0.4, 0.2};

static lw_comm *world_make(void) {
    int argc = 0;
    char **argv = NULL;
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(&argc, &argv, &world));
    return world;
}

/* the seeds of the loss, and its tangent */
typedef struct sum {
    const bench *b;
    double value, size;
} sum;
static double weight_of(const bench *b, int pop, int64_t t, int64_t j, int l) {
    return key_normal(77, lw_net_pop(b->net, pop).gid[j] * 1000 + t, l) + 0.3;
}
static void add(void *payload, int pop, int64_t t, const void *out) {
    sum *s = payload;
    for (int64_t j = 0; j < lw_net_pop(s->b->net, pop).n_local; j++)
        for (int l = 0; l < WIDTH; l++) {
            double term = weight_of(s->b, pop, t, j, l) * ((const double *)out)[j * WIDTH + l];
            s->value += term;
            s->size += fabs(term);
        }
}
static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    sum *s = payload;
    for (int64_t j = 0; j < lw_net_pop(s->b->net, pop).n_local; j++)
        for (int l = 0; l < WIDTH; l++)
            ((double *)out_adj)[j * WIDTH + l] += weight_of(s->b, pop, t, j, l);
    return true;
}

static void draw(lw_sim *sim, int64_t epoch) {
    int64_t sample[WIDTH] = {4, 11, -1};
    lw_sim_dropout_draw(sim, epoch, sample);
}

static double run(const lw_comm *world, bench *b, lw_tape *tape) {
    sum s = {.b = b};
    lw_sim_reset(b->sim);
    CHECK_OK(lw_tape_forward(tape, STEPS));
    for (int p = 0; p < N_MAX_POP; p++)
        for (int64_t t = 0; t < STEPS; t++)
            add(&s, p, t, lw_tape_output(tape, p, t));
    lw_comm_sum_f64(world, &s.value, 1);
    return s.value;
}

/* directions keyed by gid */
static double *direction(const bench *b, double size) {
    double *v = calloc((size_t)b->theta->n_local + 1, sizeof *v);
    for (int i = 0; i < b->theta->n_blocks; i++) {
        const lw_theta_block *block = &b->theta->block[i];
        if (!block->is_weight) continue;
        lw_edge *edge;
        int64_t *number, n;
        CHECK_OK(lw_net_edges(b->net, block->proj, &edge, &number, &n));
        for (int64_t j = 0; j < n; j++)
            v[block->offset + number[j]] =
                size * key_normal(5, edge[j].target * 1000 + edge[j].source, block->proj * 100 + edge[j].order);
        lw_free(edge);
        lw_free(number);
    }
    return v;
}

static void check_sweeps(const lw_comm *world, bench_kind kind, const bench_drive *drive, bool smooth) {
    lw_sim_options o = bench_options(drive, WIDTH);
    lw_tape *tape = NULL;
    o.smooth = smooth;
    o.reset_detached = false;
    if (smooth) o.surrogate.kind = LW_SURROGATE_SIGMOID; /* its primitive stays within (0, 1) */
    bench b = bench_create(world, kind, drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
    CHECK_OK(lw_tape_create(b.sim, STEPS, b.theta, &tape));
    CHECK_OK(lw_sim_dropout_create(b.sim, N_MAX_PROJ, chance, 9));
    double plain = run(world, &b, tape);
    draw(b.sim, 2);
    double masked = run(world, &b, tape);
    CHECK(plain != masked);
    sum s = {.b = &b};
    double *v = direction(&b, drive->weight), *grad = calloc((size_t)b.theta->n_local + 1, sizeof *grad);
    CHECK_OK(lw_tape_tangent(tape, v, NULL, &(lw_tape_sink){&s, add}));
    CHECK_OK(lw_tape_backward(tape, &(lw_tape_seed){.payload = &s, .seed = seed}, grad, NULL));
    double pair[3] = {s.value, 0, s.size};
    for (int64_t i = 0; i < b.theta->n_local; i++)
        pair[1] += grad[i] * v[i];
    lw_comm_sum_f64(world, pair, 3);
    CHECK(pair[2] > 0);
    CHECK_CLOSE(pair[1], pair[0], 1e-12 * pair[2]);
    if (smooth) {
        const double eps = 1e-5;
        double *x = calloc((size_t)b.theta->n_local + 1, sizeof *x), side[2];
        for (int k = 0; k < 2; k++) {
            lw_theta_get(b.theta, b.net, x);
            for (int64_t i = 0; i < b.theta->n_local; i++)
                x[i] += (k ? -2 : 1) * eps * v[i];
            lw_theta_put(b.theta, b.net, x);
            lw_sim_refresh(b.sim);
            side[k] = run(world, &b, tape);
        }
        CHECK_CLOSE((side[0] - side[1]) / (2 * eps), pair[0], 1e-6 * pair[2]);
        free(x);
    }
    lw_sim_dropout_draw(b.sim, 0, NULL);
    if (!smooth) CHECK_CLOSE(run(world, &b, tape), plain, 0);
    free(v), free(grad);
    lw_tape_destroy(&tape);
    bench_destroy(&b);
}

TEST(sweeps_of_the_masked_network) {
    lw_comm *world = world_make(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    const char *const names[] = {"cuba_lif", "lif", "srm"};
    for (int m = 0; m < 3; m++) {
        bench_drive drive = bench_drive_of(self, lw_model_builtin(names[m]));
        for (int kind = BENCH_RECURRENT; kind <= BENCH_SLOW; kind++)
            for (int smooth = 0; smooth < 2; smooth++)
                check_sweeps(world, (bench_kind)kind, &drive, smooth);
    }
    for (int m = 0; bench_model_at(m); m++) {
        bench_drive drive = bench_drive_of(self, bench_model_at(m));
        check_sweeps(world, BENCH_CHAIN, &drive, false);
    }
    bench_drive rate = bench_drive_of(self, &lw_model_tanh_unit);
    check_sweeps(world, BENCH_RECURRENT, &rate, true);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* spikes of all ranks together are those of one rank */
TEST(masks_do_not_depend_on_ranks) {
    lw_comm *world = world_make(), *self = NULL;
    const lw_comm *where[2] = {world, NULL};
    double value[2];
    CHECK_OK(lw_comm_self(&self));
    where[1] = self;
    bench_drive drive = bench_drive_of(self, lw_model_builtin("cuba_lif"));
    uint64_t checksum[2];
    for (int k = 0; k < 2; k++) {
        lw_sim_options o = bench_options(&drive, WIDTH);
        lw_tape *tape = NULL;
        bench b =
            bench_create(where[k], BENCH_RECURRENT, &drive, &o, k ? LW_PARTITION_BLOCK : LW_PARTITION_ROUND_ROBIN, 0);
        CHECK_OK(lw_tape_create(b.sim, STEPS, b.theta, &tape));
        CHECK_OK(lw_sim_dropout_create(b.sim, N_MAX_PROJ, chance, 9));
        draw(b.sim, 3);
        value[k] = run(where[k], &b, tape);
        int64_t part = (int64_t)lw_sim_stats_get(b.sim).spike_checksum;
        lw_comm_sum_i64(where[k], &part, 1);
        checksum[k] = (uint64_t)part;
        lw_tape_destroy(&tape);
        bench_destroy(&b);
    }
    CHECK(checksum[0] == checksum[1]);
    CHECK_CLOSE(value[0], value[1], 1e-10 * fabs(value[1]));
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

/* A constant through a projection with dropout: in every lane 0 or x / (1 - p) in all steps; p of them 0; other epochs,
 * other masks; the mean is x. */
TEST(kept_values_are_scaled) {
    enum { N = 50, LANES = 40, T = 4, EPOCHS = 10 };
    const double p = 0.2;
    static float feed[T * N * LANES];
    static double out[N * LANES], before[N * LANES];
    lw_comm *world = world_make(), *self = NULL;
    CHECK_OK(lw_comm_self(&self));
    lw_population_spec pop[2] = {
        {.name = "in", .model = bench_relay(), .size = N}, {.name = "out", .model = bench_relay(), .size = N}};
    lw_projection_spec proj = {.pre = 0,
        .post = 1,
        .rule = LW_RULE_ONE_TO_ONE,
        .autapses = true,
        .weight = lw_dist_number(2),
        .delay = lw_dist_number(1)};
    lw_net_spec spec = {.seed = 3, .dt = 1, .n_pop = 2, .n_proj = 1, .pop = pop, .proj = &proj, .weight_type = LW_F64};
    lw_sim_options o = lw_sim_options_default();
    lw_net *net;
    lw_sim *sim;
    lw_tape *tape;
    int64_t sample[LANES], zeros = 0, changed = 0;
    o.width = LANES;
    for (int i = 0; i < T * N * LANES; i++)
        feed[i] = 3;
    CHECK_OK(lw_net_create(self, &spec, &net));
    CHECK_OK(lw_sim_create(net, &o, &sim));
    CHECK_FAILS(lw_sim_dropout_create(sim, 1, (double[]){1}, 1), LW_EUSE, "below 1");
    CHECK_OK(lw_tape_create(sim, T, NULL, &tape));
    CHECK_OK(lw_sim_dropout_create(sim, 1, &p, 7));
    for (int l = 0; l < LANES; l++)
        sample[l] = 100 + 3 * l;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        lw_sim_dropout_draw(sim, epoch, sample);
        lw_sim_reset(sim);
        CHECK_OK(lw_sim_feed(sim, 0, 0, feed, T, N));
        CHECK_OK(lw_tape_forward(tape, T));
        for (int64_t t = 1; t < T; t++) {
            memcpy(out, lw_tape_output(tape, 1, t), sizeof out);
            for (int i = 0; i < N * LANES; i++) {
                CHECK(out[i] == 0 || fabs(out[i] - 6 / (1 - p)) < 1e-12);
                if (t > 1) CHECK(out[i] == before[i]);
                if (t == 1) {
                    zeros += out[i] == 0;
                    changed += epoch > 0 && (out[i] == 0) != (before[i] == 0);
                }
            }
            memcpy(before, out, sizeof out);
        }
    }
    /* binomial: 20000 draws of 0.2 have a deviation of 57; 18000 pairs differ with 0.32: 63 */
    CHECK(llabs(zeros - 4000) < 230);
    CHECK(llabs(changed - 5760) < 250);
    lw_tape_destroy(&tape);
    lw_sim_destroy(&sim);
    lw_net_destroy(&net);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(sweeps_of_the_masked_network), CASE(masks_do_not_depend_on_ranks), CASE(kept_values_are_scaled))
