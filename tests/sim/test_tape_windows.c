/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sweeps that look at a part of a recording: sweeps that end early, truncated ones in windows that touch or overlap,
 * and tapes in segments. Each is compared with sweeps over recordings that hold that part alone.
 */
#include "sweep_loss.h"

/* Seeds of the steps [low, high) only. */
typedef struct some_steps {
    linear_loss loss;
    int64_t low, high;
} some_steps;

static bool some_adjoint(void *payload, int pop, int64_t t, void *out_adj) {
    some_steps *s = payload;
    return t >= s->low && t < s->high && loss_adjoint(&s->loss, pop, t, out_adj);
}

static bench net_of(const stage *s, int kind, int width) {
    lw_sim_options o = bench_options(&s->drive, width);
    return bench_create(s->world, (bench_kind)kind, &s->drive, &o, LW_PARTITION_ROUND_ROBIN, 0);
}

/* wanted += the gradient of a recording of the steps [begin, end) alone, of whose losses those from `low` on count. */
static void recording_add(const stage *s, int kind, int64_t begin, int64_t end, int64_t low, double *wanted) {
    bench late = net_of(s, kind, 2);
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(late.sim, end - begin, late.theta, &tape));
    CHECK_OK(lw_sim_advance(late.sim, BEFORE + begin, NULL));
    CHECK_OK(lw_tape_forward(tape, end - begin));
    some_steps part = {.loss = {.b = &late, .shift = begin}, .low = low - begin, .high = end - begin};
    lw_tape_seed seed = {.payload = &part, .seed = some_adjoint};
    CHECK_OK(lw_tape_backward(tape, &seed, wanted, NULL));
    lw_tape_destroy(&tape);
    bench_destroy(&late);
}

/* A recording of all steps and its gradient, and what that should be. */
typedef struct swept {
    bench b;
    lw_tape *tape;
    double *grad, *wanted;
} swept;

/* how: first step and windows; segment STEPS: a whole tape. */
static swept sweep_all(const stage *s, int kind, int width, int64_t segment, lw_tape_seed how) {
    swept w = {.b = net_of(s, kind, width)};
    linear_loss loss = {.b = &w.b};
    w.grad = calloc((size_t)w.b.theta->n_local + 1, sizeof *w.grad);
    w.wanted = calloc((size_t)w.b.theta->n_local + 1, sizeof *w.wanted);
    CHECK_OK(lw_tape_create_segments(w.b.sim, STEPS, segment, NULL, w.b.theta, &w.tape));
    CHECK_OK(lw_sim_advance(w.b.sim, BEFORE, NULL));
    CHECK_OK(lw_tape_forward(w.tape, STEPS));
    how.payload = &loss;
    how.seed = loss_adjoint;
    CHECK_OK(lw_tape_backward(w.tape, &how, w.grad, NULL));
    return w;
}

static void check_same(const swept *w) {
    int64_t n = w->b.theta->n_local;
    double scale = norm(n, w->wanted);
    CHECK(scale > 0 || n == 0);
    for (int64_t i = 0; i < n; i++)
        CHECK_CLOSE(w->grad[i], w->wanted[i], 1e-12 * scale);
}

static void swept_free(swept *w) {
    free(w->grad), free(w->wanted);
    lw_tape_destroy(&w->tape);
    bench_destroy(&w->b);
}

/* A sweep that ends at a step is the sweep of a recording that begins there; steps within and between epochs. */
TEST(sweep_ends_early) {
    stage s = stage_open();
    static const int64_t firsts[] = {1, 4, 7, STEPS - 1};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
            swept w = sweep_all(&s, kind, 2, STEPS, (lw_tape_seed){.first = firsts[f]});
            recording_add(&s, kind, firsts[f], STEPS, firsts[f], w.wanted);
            check_same(&w);
            lw_tape_seed late = {.seed = loss_adjoint, .first = STEPS + 1};
            CHECK_FAILS(lw_tape_backward(w.tape, &late, w.grad, NULL), LW_EUSE, "allowed are 0 to 20");
            swept_free(&w);
        }
    stage_close(&s);
}

/* A truncated sweep is the sum of the sweeps of recordings that begin with each window; a window as long as the
 * recording changes nothing. Whole tapes and segments. */
TEST(windows_are_recordings_of_their_own) {
    stage s = stage_open();
    static const int64_t windows[] = {1, 4, 7, STEPS};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof windows / sizeof *windows; k++) {
            swept w = sweep_all(&s, kind, 2, k % 2 ? STEPS : 6, (lw_tape_seed){.window = windows[k]});
            for (int64_t at = 0; at < STEPS; at += windows[k])
                recording_add(&s, kind, at, at + windows[k] < STEPS ? at + windows[k] : STEPS, at, w.wanted);
            check_same(&w);
            swept_free(&w);
        }
    stage_close(&s);
}

/* Overlapping windows: every block of `stride` steps is a sweep of its own, made here on a recording that begins with
 * its window. With windows that touch nothing changes in any bit; a window as long as the recording gives the whole
 * gradient. Whole tapes and segments, with and without a first step. */
TEST(overlapping_windows) {
    stage s = stage_open();
    static const lw_tape_seed cases[] = {{.window = 4, .stride = 2}, {.window = 7, .stride = 3},
        {.window = 6, .stride = 5, .first = 4}, {.window = 9, .stride = 1},
        {.window = STEPS - 1, .stride = 8, .first = 3}, {.window = 5, .stride = 4}};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            int64_t first = cases[k].first;
            swept w = sweep_all(&s, kind, 2, k % 2 ? STEPS : 6, cases[k]);
            for (int64_t at = 0; at < STEPS; at += cases[k].stride) {
                int64_t end = at + cases[k].stride, begin = end - cases[k].window;
                if (end > first)
                    recording_add(&s, kind, begin > first ? begin : first, end < STEPS ? end : STEPS, at, w.wanted);
            }
            check_same(&w);
            swept_free(&w);
        }
    stage_close(&s);
}

TEST(windows_that_touch_or_cover_change_no_bit) {
    stage s = stage_open();
    static const lw_tape_seed pair[][2] = {{{.window = 6}, {.window = 6, .stride = 6}},
        {{0}, {.window = STEPS, .stride = 7}}, {{0}, {.window = STEPS + 9, .stride = 1}}};
    for (size_t k = 0; k < sizeof pair / sizeof *pair; k++) {
        swept a = sweep_all(&s, BENCH_RECURRENT, 2, STEPS, pair[k][0]);
        swept b = sweep_all(&s, BENCH_RECURRENT, 2, STEPS, pair[k][1]);
        for (int64_t i = 0; i < a.b.theta->n_local; i++)
            CHECK(a.grad[i] == b.grad[i]);
        lw_tape_seed wrong = {.seed = loss_adjoint, .window = 5, .stride = 6};
        CHECK_FAILS(lw_tape_backward(a.tape, &wrong, NULL, NULL), LW_EUSE, "allowed are 1 to 5");
        swept_free(&a), swept_free(&b);
    }
    stage_close(&s);
}

/* A tape in segments has the outputs, the statistics and the gradient of a whole one, also when the sweep ends early.
 */
TEST(segments_give_the_same) {
    stage s = stage_open();
    static const int64_t lengths[] = {1, 3, 7, STEPS - 1};
    for (int kind = BENCH_RECURRENT; kind <= BENCH_LAG; kind++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            lw_tape_seed how = {.seed = loss_adjoint, .first = k == 1 ? 5 : 0};
            swept whole = sweep_all(&s, kind, 3, STEPS, how), cut = sweep_all(&s, kind, 3, lengths[k], how);
            memcpy(cut.wanted, whole.grad, (size_t)whole.b.theta->n_local * sizeof *whole.grad);
            check_same(&cut);
            CHECK_INT(lw_tape_steps(cut.tape), STEPS);
            for (int p = 0; p < lw_net_n_pop(whole.b.net); p++)
                for (int64_t t = 0; t < STEPS; t++)
                    CHECK(memcmp(lw_tape_output(cut.tape, p, t), lw_tape_output(whole.tape, p, t),
                              (size_t)(lw_net_pop(whole.b.net, p).n_local * 3) * sizeof(double)) == 0);
            lw_sim_stats found = lw_sim_stats_get(cut.b.sim), wanted = lw_sim_stats_get(whole.b.sim);
            CHECK_INT(found.spikes, wanted.spikes);
            CHECK_INT((int64_t)found.spike_checksum, (int64_t)wanted.spike_checksum);
            CHECK(memcmp(lw_sim_spike_counts(cut.b.sim), lw_sim_spike_counts(whole.b.sim),
                      (size_t)lw_net_n_local(whole.b.net) * sizeof(int64_t)) == 0);
            if (lengths[k] < STEPS / 2) { /* else it may be one segment */
                CHECK_FAILS(
                    lw_tape_backward(cut.tape, &how, cut.grad, NULL), LW_EUSE, "a sweep must follow its recording");
                lw_err_clear();
            }
            swept_free(&whole), swept_free(&cut);
        }
    stage_close(&s);
}

TEST(rolling_tapes_have_no_adjoint_sweep) {
    stage s = stage_open();
    for (int64_t chunk = 6; chunk <= STEPS; chunk += STEPS - 6) {
        bench b = net_of(&s, BENCH_RECURRENT, 2);
        lw_tape *tape = NULL;
        double *grad = calloc((size_t)b.theta->n_local + 1, sizeof *grad);
        lw_tape_seed seed = {.seed = loss_adjoint};
        CHECK_OK(lw_tape_create_rolling(b.sim, STEPS, chunk, NULL, b.theta, &tape));
        CHECK_OK(lw_tape_forward(tape, STEPS));
        CHECK_FAILS(lw_tape_backward(tape, &seed, grad, NULL), LW_EUSE, "an adjoint sweep of a rolling tape");
        lw_err_clear();
        free(grad);
        lw_tape_destroy(&tape);
        bench_destroy(&b);
    }
    stage_close(&s);
}

CHECK_MAIN(CASE(sweep_ends_early), CASE(windows_are_recordings_of_their_own), CASE(overlapping_windows),
    CASE(windows_that_touch_or_cover_change_no_bit), CASE(segments_give_the_same),
    CASE(rolling_tapes_have_no_adjoint_sweep))
