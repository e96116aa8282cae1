/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The forward kernels of every model: `step` equals update, threshold, fire bit for bit; the uniform form equals the
 * general one; lanes do not touch each other; float follows double; fire is a select at 0 and 1 and the blend between.
 */
#include "bench.h"

static bench one, two;

/* the engine's part: hard threshold, no spike where held */
static void threshold(bench *b) {
    for (int64_t i = 0; i < b->n * b->width; i++) {
        double u = bench_get(b, b->margin.at[0], i);
        bench_set(b, b->spike.at[0], i, u >= 0 && !b->held[i] ? 1 : 0);
    }
}

static void whole_step(bench *b) {
    lw_kernel_args a = bench_args(b);
    bench_kernels(b)->update(&a);
    if (b->model->emits_spikes) threshold(b);
    bench_kernels(b)->fire(&a);
}

static void new_input(bench *b, int t) {
    for (int s = 0; s < b->model->n_input; s++)
        for (int64_t i = 0; i < b->n * b->width; i++)
            bench_set(b, b->input.at[s], i,
                bench_unit_size(b->model->input[s].unit) * (bench_random(b, 100 + t, s, i) + 0.3));
}

static int64_t total_spikes, total_held;

static void compare(const bench *a, const bench *b, bool out_of_step) {
    const size_t bytes = (size_t)(a->n * a->width) * (a->precision ? 8 : 4);
    for (int s = 0; s < a->model->n_state; s++)
        CHECK(memcmp(a->state.at[s], b->state.at[s], bytes) == 0);
    CHECK(memcmp(a->refractory, b->refractory, sizeof a->refractory) == 0);
    CHECK(memcmp(a->held, b->held, sizeof a->held) == 0);
    const void *emitted = out_of_step && b->model->emits_spikes ? b->spike.at[0] : b->out.at[0];
    CHECK(memcmp(a->out.at[0], emitted, bytes) == 0);
    for (int64_t i = 0; i < a->n * a->width; i++)
        if (a->model->emits_spikes) {
            total_spikes += bench_get(a, a->out.at[0], i) > 0;
            total_held += a->held[i];
        }
}

TEST(step_is_update_threshold_fire) {
    total_spikes = total_held = 0;
    for (int m = 0; m < bench_model_count(); m++)
        for (int form = 0; form < 8; form++) {
            const int64_t width = form & 4 ? BENCH_WIDTH : 1;
            bench_start(&one, bench_model_at(m), form & 1, form >> 1 & 1, width, width, 7);
            two = one;
            for (int k = 0; k < BENCH_ARRAYS; k++) { /* the copy has its own arrays */
                bench_arrays *all[] = {&two.coef, &two.state, &two.input, &two.out, &two.margin, &two.spike};
                for (size_t r = 0; r < sizeof all / sizeof all[0]; r++)
                    all[r]->at[k] = all[r]->room[k];
            }
            for (int t = 0; t < 12; t++) {
                new_input(&one, t);
                new_input(&two, t);
                lw_kernel_args a = bench_args(&one);
                bench_kernels(&one)->step(&a);
                whole_step(&two);
                compare(&one, &two, true);
            }
        }
    CHECK(total_spikes > 500);
    CHECK(total_held > 200);
}

TEST(uniform_is_general) {
    for (int m = 0; m < bench_model_count(); m++)
        for (int form = 0; form < 4; form++) {
            const int64_t width = form & 2 ? BENCH_WIDTH : 1;
            bench_start(&one, bench_model_at(m), form & 1, 1, width, width, 8);
            bench_start(&two, bench_model_at(m), form & 1, 1, width, width, 8);
            two.uniform = 0; /* same parameters for all neurons, written out */
            bench_derive(&two);
            for (int t = 0; t < 12; t++) {
                lw_kernel_args a = bench_args(&one), b = bench_args(&two);
                new_input(&one, t);
                new_input(&two, t);
                bench_kernels(&one)->step(&a);
                bench_kernels(&two)->step(&b);
                compare(&one, &two, false);
            }
        }
}

/* each lane of a wide run is the run of that lane alone */
TEST(lanes_are_independent) {
    for (int m = 0; m < bench_model_count(); m++)
        for (int lane = 0; lane < BENCH_WIDTH; lane += 3) {
            bench_start(&one, bench_model_at(m), 1, 0, BENCH_WIDTH, BENCH_WIDTH, 9);
            bench_start(&two, bench_model_at(m), 1, 0, 1, 1, 9);
            for (int t = 0; t < 6; t++) {
                new_input(&one, t);
                for (int64_t i = 0; i < one.n; i++) {
                    const int64_t from = i * BENCH_WIDTH + lane;
                    for (int s = 0; s < one.model->n_input; s++)
                        bench_set(&two, two.input.at[s], i, bench_get(&one, one.input.at[s], from));
                    for (int s = 0; t == 0 && s < one.model->n_state; s++)
                        bench_set(&two, two.state.at[s], i, bench_get(&one, one.state.at[s], from));
                    if (t == 0) two.refractory[i] = one.refractory[from];
                }
                lw_kernel_args a = bench_args(&one), b = bench_args(&two);
                bench_kernels(&one)->step(&a);
                bench_kernels(&two)->step(&b);
                for (int64_t i = 0; i < one.n; i++) {
                    const int64_t from = i * BENCH_WIDTH + lane;
                    for (int s = 0; s < one.model->n_state; s++)
                        CHECK(memcmp(&two.state.room[s][i], &one.state.room[s][from], sizeof(double)) == 0);
                    CHECK(memcmp(&two.out.room[0][i], &one.out.room[0][from], sizeof(double)) == 0);
                    CHECK_INT(two.refractory[i], one.refractory[from]);
                }
            }
        }
}

TEST(float_follows_double) {
    for (int m = 0; m < bench_model_count(); m++) {
        bench_start(&one, bench_model_at(m), 1, 0, BENCH_WIDTH, BENCH_WIDTH, 10);
        bench_start(&two, bench_model_at(m), 0, 0, BENCH_WIDTH, BENCH_WIDTH, 10);
        lw_kernel_args a = bench_args(&one), b = bench_args(&two);
        bench_kernels(&one)->update(&a);
        bench_kernels(&two)->update(&b);
        for (int s = 0; s < one.model->n_state; s++)
            for (int64_t i = 0; i < one.n * one.width; i++) {
                double x = bench_get(&one, one.state.at[s], i);
                CHECK_CLOSE(bench_get(&two, two.state.at[s], i), x,
                    1e-5 * (fabs(x) + bench_unit_size(one.model->state[s].unit)));
            }
    }
}

/* fire: the state itself at s = 0 (also the sign of zero), the reset at 1, the line between them elsewhere; counters at
 * 1/2 */
TEST(fire_blends) {
    const lw_model *m = lw_model_builtin("lif");
    const double s[4] = {0, 1, 0.25, 0.75};
    bench_start(&one, m, 1, 1, 1, 1, 11);
    const int v = lw_model_state_find(m, "V_m");
    const double v_reset = one.param[lw_model_param_find(m, "V_reset")][0];
    const double steps = ((double *)one.coef.at[m->refractory_coef])[0];
    double *state = one.state.at[v], *spike = one.spike.at[0];
    one.n = 4;
    for (int i = 0; i < 4; i++) {
        state[i] = i ? -50 : -0.0;
        spike[i] = s[i];
        one.refractory[i] = 0;
    }
    lw_kernel_args a = bench_args(&one);
    bench_kernels(&one)->fire(&a);
    CHECK(state[0] == 0 && signbit(state[0]));
    CHECK_CLOSE(state[1], v_reset, 0);
    CHECK_CLOSE(state[2], 0.75 * -50 + 0.25 * v_reset, 1e-12);
    CHECK_CLOSE(state[3], 0.25 * -50 + 0.75 * v_reset, 1e-12);
    const int32_t expected[4] = {0, (int32_t)steps, 0, (int32_t)steps};
    for (int i = 0; i < 4; i++)
        CHECK_INT(one.refractory[i], expected[i]);
    CHECK(steps >= 3);
}

/* u = 0 fires, the smallest number below does not */
TEST(threshold_is_inclusive) {
    for (int precision = 0; precision < 2; precision++) {
        bench_start(&one, lw_model_builtin("if"), precision, 1, 1, 1, 12);
        one.param[lw_model_param_find(one.model, "v_th")][0] = 1;
        one.param[lw_model_param_find(one.model, "bias")][0] = 0;
        bench_derive(&one);
        for (int64_t i = 0; i < one.n; i++) {
            bench_set(&one, one.state.at[0], i, 0.5);
            bench_set(&one, one.input.at[0], i, i == 1 ? 0.5 - 0x1p-24 : 0.5);
        }
        lw_kernel_args a = bench_args(&one);
        bench_kernels(&one)->step(&a);
        for (int64_t i = 0; i < one.n; i++)
            CHECK_CLOSE(bench_get(&one, one.out.at[0], i), i != 1, 0);
    }
}

CHECK_MAIN(CASE(step_is_update_threshold_fire), CASE(uniform_is_general), CASE(lanes_are_independent),
    CASE(float_follows_double), CASE(fire_blends), CASE(threshold_is_inclusive))
