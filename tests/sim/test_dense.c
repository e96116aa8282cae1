/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Dense projections in several lanes: every lane of an engine is, bit for bit, the simulation of that lane alone, for
 * widths and sizes on both sides of every vector length, from silence to more activity than a walk is made for; and
 * adjoints of compact surrogates, of which only part is computed, agree with tangents; those of mixed precision are
 * products of rounded numbers.
 */
#include <math.h>
#include <string.h>
#include "dense.h"
#include "check.h"

enum { STEPS = 12, INPUTS = 7 };

static float drive(int64_t t, int64_t channel, int64_t lane, double density) {
    double u = lw_rng_uniform(5, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)channel, (uint64_t)lane);
    return u < density ? (channel % 3 || t % 4 == 3 ? 1 : (float)(0.3 + u)) : 0; /* not only ones, in most steps */
}

static lw_net *net_make(const lw_comm *comm, int64_t size, double bias, lw_dtype weights) {
    const lw_model *lif = lw_model_builtin("cuba_lif");
    lw_dist param[16], weight = lw_dist_number(0);
    weight.kind = LW_DIST_NORMAL;
    weight.p[1] = 1;
    for (int i = 0; i < lif->n_param; i++)
        param[i] = lw_dist_number(strcmp(lif->param[i].name, "bias") ? lif->param[i].value : bias);
    lw_population_spec pop[] = {{.name = "in", .model = lw_model_builtin("relay"), .size = INPUTS},
        {.name = "rec", .model = lif, .size = size, .param = param},
        {.name = "out", .model = lw_model_builtin("li"), .size = 3}};
    lw_projection_spec all = {
        .rule = LW_RULE_ALL_TO_ALL, .autapses = true, .learn = true, .weight = weight, .delay = lw_dist_number(1)};
    lw_projection_spec proj[3] = {all, all, all};
    proj[0].pre = 0;
    proj[0].post = proj[1].pre = proj[1].post = proj[2].pre = 1;
    proj[2].post = 2;
    proj[1].delay = lw_dist_number(2);
    lw_net_spec spec = {.seed = 3, .dt = 1, .n_pop = 3, .n_proj = 3, .pop = pop, .proj = proj, .weight_type = weights};
    lw_net *net = NULL;
    CHECK_OK(lw_net_create(comm, &spec, &net));
    return net;
}

/* States of the recurrent population after STEPS, [state][neuron][width], of lanes lane0 .. lane0 + width. */
static void run(
    lw_net *net, lw_dtype precision, int32_t width, int64_t lane0, double density, double *state, double *spikes) {
    lw_sim_options options = lw_sim_options_default();
    lw_sim *sim = NULL;
    float *x = calloc((size_t)(STEPS * INPUTS * width), sizeof *x);
    lw_pop_view pop = lw_net_pop(net, 1);
    for (int64_t i = 0; i < STEPS * INPUTS; i++)
        for (int64_t l = 0; l < width; l++)
            x[i * width + l] = drive(i / INPUTS, i % INPUTS, lane0 + l, density);
    options.precision = precision;
    options.width = width;
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_sim_feed(sim, 0, 0, x, STEPS, INPUTS));
    CHECK_OK(lw_sim_advance(sim, STEPS, NULL));
    for (int s = 0; s < 2; s++)
        lw_sim_state_get(sim, 1, s, state + s * pop.n_local * width);
    *spikes = (double)lw_sim_stats_get(sim).spikes;
    lw_sim_destroy(&sim);
    free(x);
}

TEST(every_lane_is_its_own_simulation) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    const int32_t widths[] = {2, 3, 8, 16, 17, 40, 64, 70};
    const int64_t sizes[] = {5, 16, 37, 150};
    for (int real = 0; real < 4; real++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
                lw_dtype precision = real & 1 ? LW_F64 : LW_F32, weights = real & 2 ? LW_F64 : LW_F32;
                double density = w % 3 == 0 ? 0.1 : w % 3 == 1 ? 0.5 : 0.9, all, alone, sum = 0;
                lw_net *net = net_make(world, sizes[k], w % 2 ? 2 : 0, weights); /* 2: nearly all fire */
                int64_t cells = 2 * lw_net_pop(net, 1).n_local, wrong = 0;
                double *many = calloc((size_t)(cells * widths[w]) + 1, sizeof *many);
                double *one = calloc((size_t)cells + 1, sizeof *one);
                run(net, precision, widths[w], 0, density, many, &all);
                for (int64_t l = 0; l < widths[w]; l++) {
                    run(net, precision, 1, l, density, one, &alone);
                    sum += alone;
                    for (int64_t i = 0; i < cells; i++)
                        wrong += memcmp(&many[i * widths[w] + l], &one[i], sizeof *one) != 0;
                }
                CHECK_INT(wrong, 0);
                CHECK_CLOSE(all, sum, 0);
                free(many);
                free(one);
                lw_net_destroy(&net);
            }
    lw_comm_stop(&world);
}

/* The same numbers for a lane whatever the width. */
typedef struct lanes {
    int64_t n, width, lane0;
    bool f64;
} lanes;
static bool lanes_seed(void *payload, int pop, int64_t t, void *out_adj) {
    const lanes *of = payload;
    if (pop != 2) return false;
    for (int64_t i = 0; i < of->n * of->width; i++) {
        double y = lw_rng_normal(
            6, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)(i / of->width), (uint64_t)(of->lane0 + i % of->width));
        if (of->f64)
            ((double *)out_adj)[i] += y;
        else
            ((float *)out_adj)[i] += (float)y;
    }
    return true;
}

/* Products are made from copies of the weights: what lw_sim_refresh is for, of the engine that has them. */
TEST(refreshed_engines_have_the_weights_of_a_new_one) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (int type = 0; type < 2; type++) {
        lw_sim_options options = lw_sim_options_default();
        lw_net *net = net_make(world, 150, 0.5, type ? LW_F64 : LW_F32);
        lw_theta *theta = NULL;
        lw_sim *sim[3] = {NULL, NULL, NULL}, *other = NULL; /* has copies, shares them, is new */
        lw_tape *tape[3] = {NULL, NULL, NULL};
        float x[STEPS * INPUTS * 16];
        for (int64_t i = 0; i < STEPS * INPUTS * 16; i++)
            x[i] = drive(i / 16 / INPUTS, i / 16 % INPUTS, i % 16, 0.5);
        options.precision = LW_F32;
        options.width = 16;
        CHECK_OK(lw_theta_create(net, &theta));
        CHECK_OK(lw_sim_create(net, &options, &sim[0]));
        options.copies_of = sim[0];
        CHECK_OK(lw_sim_create(net, &options, &sim[1]));
        options.width = 17;
        CHECK_FAILS(lw_sim_create(net, &options, &other), LW_EUSE, "one width");
        options.width = 16;
        options.copies_of = NULL;
        int64_t n = lw_net_pop(net, 1).n_local * 16;
        double *state = calloc((size_t)n * 3 + 1, sizeof *state), *w = calloc((size_t)theta->n_local + 1, sizeof *w);
        double *grad = calloc((size_t)theta->n_local * 3 + 1, sizeof *grad);
        lanes of = {.n = lw_net_pop(net, 2).n_local, .width = 16};
        lw_tape_seed s = {.payload = &of, .seed = lanes_seed};
        for (int turn = 0; turn < 2; turn++) { /* the second with other weights */
            if (turn == 1) CHECK_OK(lw_sim_create(net, &options, &sim[2]));
            memset(grad, 0, (size_t)theta->n_local * 3 * sizeof *grad);
            for (int i = 0; i < 2 + turn; i++) {
                lw_sim_reset(sim[i]);
                if (!tape[i]) CHECK_OK(lw_tape_create(sim[i], STEPS, theta, &tape[i]));
                CHECK_OK(lw_sim_feed(sim[i], 0, 0, x, STEPS, INPUTS));
                CHECK_OK(lw_tape_forward(tape[i], STEPS));
                lw_sim_state_get(sim[i], 1, 0, state + i * n);
                CHECK_OK(lw_tape_backward(tape[i], &s, grad + i * theta->n_local, NULL));
                CHECK(n == 0 || memcmp(state, state + i * n, (size_t)n * sizeof *state) == 0);
                for (int64_t k = 0; k < theta->n_local; k++)
                    CHECK_CLOSE(grad[i * theta->n_local + k], grad[k], 0);
            }
            lw_theta_get(theta, net, w);
            for (int64_t i = 0; i < theta->n_local; i++)
                w[i] *= -1.25;
            lw_theta_put(theta, net, w);
            lw_sim_refresh(sim[0]);
            lw_sim_refresh(sim[1]);
        }
        for (int i = 2; i >= 0; i--) {
            lw_tape_destroy(&tape[i]);
            lw_sim_destroy(&sim[i]);
        }
        lw_theta_destroy(&theta);
        lw_net_destroy(&net);
        free(w), free(state), free(grad);
    }
    lw_comm_stop(&world);
}

/* Two engines with copies of their own and in a window that all ranks write to, before and after a refresh: equal bits
 * in states and gradients, in floats, mixed precision and doubles. */
TEST(replicas_share_their_copies) {
    lw_comm *world = NULL, *self = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    CHECK_OK(lw_comm_self(&self));
    for (int kind = 0; kind < 6; kind++) {
        lw_sim_options options = lw_sim_options_default();
        lw_net *net = net_make(self, 150, 0.5, kind & 1 ? LW_F64 : LW_F32);
        lw_theta *theta = NULL;
        lw_sim *sim[2] = {NULL, NULL};
        lw_tape *tape[2] = {NULL, NULL};
        float x[STEPS * INPUTS * 16];
        for (int64_t i = 0; i < STEPS * INPUTS * 16; i++)
            x[i] = drive(i / 16 / INPUTS, i / 16 % INPUTS, i % 16, 0.5);
        options.precision = kind / 2 == 2 ? LW_F64 : LW_F32;
        options.adjoint_bf16 = kind / 2 == 1;
        options.width = 16;
        CHECK_OK(lw_theta_create(net, &theta));
        for (int i = 0; i < 2; i++) {
            options.copies_with = i ? world : NULL;
            CHECK_OK(lw_sim_create(net, &options, &sim[i]));
            CHECK_OK(lw_tape_create(sim[i], STEPS, theta, &tape[i]));
        }
        int64_t n = lw_net_pop(net, 1).n_local * 16, size = theta->n_local;
        double *state = calloc((size_t)n * 2, sizeof *state), *w = calloc((size_t)size, sizeof *w), sum = 0;
        for (int turn = 0; turn < 2; turn++) {
            double *grad = calloc((size_t)size * 2, sizeof *grad);
            for (int i = 0; i < 2; i++) {
                lanes of = {.n = lw_net_pop(net, 2).n_local, .width = 16, .f64 = options.precision == LW_F64};
                lw_tape_seed s = {.payload = &of, .seed = lanes_seed};
                lw_sim_reset(sim[i]);
                CHECK_OK(lw_sim_feed(sim[i], 0, 0, x, STEPS, INPUTS));
                CHECK_OK(lw_tape_forward(tape[i], STEPS));
                lw_sim_state_get(sim[i], 1, 0, state + i * n);
                CHECK_OK(lw_tape_backward(tape[i], &s, grad + i * size, NULL));
            }
            CHECK(memcmp(state, state + n, (size_t)n * sizeof *state) == 0);
            CHECK(memcmp(grad, grad + size, (size_t)size * sizeof *grad) == 0);
            for (int64_t i = 0; i < size; i++)
                sum += fabs(grad[i]);
            lw_theta_get(theta, net, w);
            for (int64_t i = 0; i < size; i++)
                w[i] *= -1.25;
            lw_theta_put(theta, net, w);
            for (int i = 0; i < 2; i++)
                lw_sim_refresh(sim[i]);
            free(grad);
        }
        CHECK(sum > 0);
        for (int i = 0; i < 2; i++) {
            lw_tape_destroy(&tape[i]);
            lw_sim_destroy(&sim[i]);
        }
        lw_theta_destroy(&theta);
        lw_net_destroy(&net);
        free(w), free(state);
    }
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
}

static bool seed(void *payload, int pop, int64_t t, void *out_adj) {
    double *to = out_adj;
    const int64_t *n = payload;
    if (pop != 2) return false;
    for (int64_t i = 0; i < *n; i++)
        to[i] += lw_rng_normal(6, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)i, 0);
    return true;
}

typedef struct dot {
    int64_t n;
    double sum;
} dot;

static void dot_sink(void *payload, int pop, int64_t t, const void *out_tan) {
    dot *d = payload;
    const double *y = out_tan;
    if (pop != 2) return;
    for (int64_t i = 0; i < d->n; i++)
        d->sum += y[i] * lw_rng_normal(6, LW_PURPOSE_CHECK, (uint64_t)t, (uint64_t)i, 0);
}

static void dot_of(lw_tape *tape, const double *v, int64_t n, double *out) {
    dot d = {.n = n};
    lw_tape_sink sink = {.payload = &d, .sink = dot_sink};
    CHECK_OK(lw_tape_tangent(tape, v, NULL, &sink));
    *out = d.sum;
}

/* Narrow surrogates, of which most is left out, and wide ones, of which nothing is, against the tangent sweep, which
 * looks at no slope. */
TEST(a_compact_surrogate_changes_no_gradient) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    enum { MOST = 67 };
    /* lanes that fill no vector, one and a rest, a word of bits and a rest; rows and targets that fill no block, one of
     * rows and a rest, one of targets and a rest */
    static const int32_t widths[] = {6, 19, MOST}, sizes[] = {37, 530, 140};
    lw_net *net = NULL;
    lw_theta *theta = NULL;
    for (int kind = 0; kind < 6; kind++)
        for (int wide = 0; wide < 2; wide++) {
            if (kind % 2 == 0 && wide == 0) {
                lw_theta_destroy(&theta);
                lw_net_destroy(&net);
                /* 5: so many fire that the lists of a gradient's rows do not all find room at once */
                net = net_make(world, sizes[kind / 2], sizes[kind / 2] > 500 ? 5 : 0.5, LW_F64);
                CHECK_OK(lw_theta_create(net, &theta));
            }
            lw_sim_options options = lw_sim_options_default();
            lw_sim *sim = NULL;
            lw_tape *tape = NULL;
            float *x = calloc(STEPS * INPUTS * MOST, sizeof *x);
            const int32_t width = widths[kind / 2];
            double *grad = calloc((size_t)theta->n_local + 1, sizeof *grad), *v = calloc((size_t)theta->n_local + 1, 8);
            for (int64_t i = 0; i < STEPS * INPUTS * width; i++)
                x[i] = drive(i / (INPUTS * width), i / width % INPUTS, i % width, 0.4);
            options.width = width;
            options.surrogate =
                (lw_surrogate){kind % 2 ? LW_SURROGATE_BOXCAR : LW_SURROGATE_TRIANGLE, wide ? 0.01 : 20, 1};
            CHECK_OK(lw_sim_create(net, &options, &sim));
            CHECK_OK(lw_tape_create(sim, STEPS, theta, &tape));
            CHECK_OK(lw_sim_feed(sim, 0, 0, x, STEPS, INPUTS));
            CHECK_OK(lw_tape_forward(tape, STEPS));
            int64_t n = lw_net_pop(net, 2).n_local * width;
            lw_tape_seed s = {.payload = &n, .seed = seed};
            CHECK_OK(lw_tape_backward(tape, &s, grad, NULL));
            /* <w, J v> by the tangent sweep, which knows nothing of slopes that are 0 */
            double both[2] = {0, 0};
            for (int64_t i = 0; i < theta->n_local; i++)
                v[i] = lw_rng_normal(8, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)lw_comm_rank(world), 0);
            for (int64_t i = 0; i < theta->n_local; i++)
                both[0] += grad[i] * v[i];
            dot_of(tape, v, n, &both[1]);
            lw_comm_sum_f64(world, both, 2);
            CHECK(both[0] != 0);
            CHECK_REL(both[0], both[1], 1e-10);
            lw_tape_destroy(&tape);
            lw_sim_destroy(&sim);
            free(x);
            free(grad);
            free(v);
        }
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

/* Pairs of rounded numbers against sums of their products in double precision, for rows, targets and lanes that fill
 * tiles and blocks and that do not. */
TEST(pairs_are_products_of_rounded_numbers) {
#ifdef __AVX512BF16__
    static const int64_t rows[] = {1, 16, 37}, posts[] = {1, 2, 255, 530}, widths[] = {16, 32, 48, 112};
    for (int k = 0; k < 3 * 4 * 4; k++) {
        int64_t n = rows[k % 3], m = posts[k / 3 % 4], width = widths[k / 12],
                tiles = (n + DENSE_TILE - 1) / DENSE_TILE;
        float *w = calloc((size_t)(n * m), sizeof *w), *in = calloc((size_t)(m * width), sizeof *in);
        float *x = calloc((size_t)(n * width), sizeof *x);
        uint16_t *packed = calloc((size_t)(tiles * DENSE_TILE * (m + 1)), sizeof *packed);
        uint16_t *pairs = calloc((size_t)((m + 1) * width), sizeof *pairs);
        double moved = 0;
        for (int64_t i = 0; i < n * m; i++)
            w[i] = (float)lw_rng_normal(1, LW_PURPOSE_CHECK, (uint64_t)i, 0, 0);
        for (int64_t i = 0; i < m * width; i++)
            in[i] = (float)lw_rng_normal(2, LW_PURPOSE_CHECK, (uint64_t)i, 0, 0);
        for (int64_t i = 0; i < n * width; i++)
            x[i] = 0.5F;
        dense_pairs_pack(w, n, m, packed);
        dense_pairs_of(m, width, in, pairs);
        dense_pairs_adjoint(packed, n, m, width, pairs, x);
        /* the same at every third place or so, from lines, one of them in place */
        int64_t line = dense_line(m), words = (width + 63) / 64;
        uint64_t *bits = calloc((size_t)(n * words), sizeof *bits);
        uint16_t *lines = calloc((size_t)(n * line), sizeof *lines);
        float *turned = calloc((size_t)(width * (m < 32 ? line : m)), sizeof *turned);
        float *some = calloc((size_t)(n * width), sizeof *some);
        for (int64_t i = 0; i < n * words; i++)
            for (int64_t l = 0; l < 64 && l < width - i % words * 64; l++)
                bits[i] |= (uint64_t)(lw_rng_uniform(3, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)l, 0) < 0.3) << l;
        for (int64_t i = 0; i < m * width; i++)
            turned[i % width * m + i / width] = in[i];
        dense_pairs_lines(n, m, line, w, lines);
        if (m >= 32) dense_pairs_lines(width, m, line, turned, (uint16_t *)(void *)turned);
        if (m >= 32)
            dense_sampled_pairs(lines, n, line, line, width, bits, (const uint16_t *)(const void *)turned, some);
        for (int64_t i = 0; i < n * m; i++) { /* 8 bits, to the nearest */
            float was = w[i];
            dense_rounded(1, w + i, w + i);
            CHECK(fabsf(w[i] - was) <= ldexpf(fabsf(was), -8));
            moved += w[i] != was;
        }
        CHECK(n * m < 50 || moved > 0.9 * (double)(n * m));
        dense_rounded(m * width, in, in);
        for (int64_t r = 0; r < n; r++)
            for (int64_t l = 0; l < width; l++) {
                double sum = 0.5, size = 1;
                for (int64_t j = 0; j < m; j++) {
                    sum += (double)w[r * m + j] * (double)in[j * width + l];
                    size += fabs((double)w[r * m + j] * (double)in[j * width + l]);
                }
                CHECK_CLOSE(x[r * width + l], sum, 1e-6 * size);
                bool open = bits[r * words + l / 64] >> l % 64 & 1;
                if (m >= 32) CHECK_CLOSE(some[r * width + l], open ? sum - 0.5 : 0, 1e-6 * size);
            }
        free(w), free(in), free(x), free(packed), free(pairs);
        free(bits), free(lines), free(turned), free(some);
    }
#endif
}

/* Gradient by theta of the lanes [lane0, lane0 + width), added to sum. */
static void gradient_add(
    lw_net *net, const lw_theta *theta, lw_surrogate surrogate, bool mixed, int32_t width, int64_t lane0, double *sum) {
    lw_sim_options options = lw_sim_options_default();
    lw_sim *sim = NULL;
    lw_tape *tape = NULL;
    float *x = calloc((size_t)(STEPS * INPUTS * width), sizeof *x);
    for (int64_t i = 0; i < STEPS * INPUTS; i++)
        for (int64_t l = 0; l < width; l++)
            x[i * width + l] = drive(i / INPUTS, i % INPUTS, lane0 + l, 0.4);
    options.width = width;
    options.precision = LW_F32;
    options.adjoint_bf16 = mixed;
    options.surrogate = surrogate;
    CHECK_OK(lw_sim_create(net, &options, &sim));
    CHECK_OK(lw_tape_create(sim, STEPS, theta, &tape));
    CHECK_OK(lw_sim_feed(sim, 0, 0, x, STEPS, INPUTS));
    CHECK_OK(lw_tape_forward(tape, STEPS));
    lanes of = {.n = lw_net_pop(net, 2).n_local, .width = width, .lane0 = lane0};
    lw_tape_seed s = {.payload = &of, .seed = lanes_seed};
    CHECK_OK(lw_tape_backward(tape, &s, sum, NULL));
    lw_tape_destroy(&tape);
    lw_sim_destroy(&sim);
    free(x);
}

/* Mixed precision: near the gradient of floats and yet another one; and the same whether the processor multiplies pairs
 * (16 lanes) or rounded floats stand in for them (6 and 10), but for sampled products, for which plain floats do. */
TEST(mixed_gradients_are_near) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    lw_net *net = net_make(world, 150, 0.5, LW_F64);
    lw_theta *theta = NULL;
    CHECK_OK(lw_theta_create(net, &theta));
    int64_t n = theta->n_local;
    for (int compact = 0; compact < 2; compact++) {
        lw_surrogate s = {compact ? LW_SURROGATE_TRIANGLE : LW_SURROGATE_SUPERSPIKE, compact ? 20 : 10, 1};
        double *plain = calloc((size_t)n + 1, 8), *pairs = calloc((size_t)n + 1, 8), *floats = calloc((size_t)n + 1, 8);
        double sum[3] = {0};
        gradient_add(net, theta, s, false, 16, 0, plain);
        gradient_add(net, theta, s, true, 16, 0, pairs);
        gradient_add(net, theta, s, true, 6, 0, floats);
        gradient_add(net, theta, s, true, 10, 6, floats);
        for (int64_t i = 0; i < n; i++) {
            sum[0] += plain[i] * plain[i];
            sum[1] += (pairs[i] - plain[i]) * (pairs[i] - plain[i]);
            sum[2] += (pairs[i] - floats[i]) * (pairs[i] - floats[i]);
        }
        lw_comm_sum_f64(world, sum, 3);
        CHECK(sum[0] > 0);
        double far = sqrt(sum[1] / sum[0]), apart = sqrt(sum[2] / sum[0]);
        if (!compact || (lw_sim_has_bf16() && lw_comm_size(world) == 1)) CHECK(far > 1e-4);
        CHECK(far < 1e-2);
        CHECK(apart < (compact ? 1e-2 : far / 10));
        free(plain), free(pairs), free(floats);
    }
    lw_theta_destroy(&theta);
    lw_net_destroy(&net);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(every_lane_is_its_own_simulation), CASE(refreshed_engines_have_the_weights_of_a_new_one),
    CASE(replicas_share_their_copies), CASE(a_compact_surrogate_changes_no_gradient),
    CASE(pairs_are_products_of_rounded_numbers), CASE(mixed_gradients_are_near))
