/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Losses: the derivative with respect to the read-out against central differences for every kind, what counts and what
 * does not, the two precisions against each other, and how a read-out over time is spread over the steps.
 */
#include "../../src/train/curvature.h"
#include "check.h"

enum { T = 5, K = 4, L = 6, CELLS = T * K * L };

/* a read-out population that lives on this rank; no network is needed */
typedef struct fixture {
    loss_work work;
    batch batch;
    double z[CELLS]; /* the read-out; work.z is used up by an evaluation */
    int64_t unit[K];
    int32_t label[T * L], arg[L], want[L], step_max[K * L];
    float target[CELLS];
    double z_use[CELLS], z_adj[CELLS], top[L], sum[L], share[L], trace[K * L], slope[CELLS];
    int64_t steps[L];
    int32_t votes[K * L];
} fixture;

static double value(int64_t i) {
    return lw_rng_normal(7, LW_PURPOSE_CHECK, (uint64_t)i, 0, 0);
}

static void fixture_init(fixture *f, lw_loss_kind kind, lw_readout_kind readout, bool classes) {
    memset(f, 0, sizeof *f);
    f->work = (loss_work){.spec = {.kind = kind, .readout = readout, .unlabelled = -1},
        .precision = LW_F64,
        .n_steps = T,
        .n_rows = readout == LW_READOUT_PER_STEP || readout == LW_READOUT_VOTE ? T : 1,
        .dt = 0.5,
        .n_units = K,
        .n_local = K,
        .width = L,
        .unit = f->unit,
        .z = f->z_use,
        .z_adj = f->z_adj,
        .step_max = f->step_max,
        .top = f->top,
        .sum = f->sum,
        .share = f->share,
        .trace = f->trace,
        .slope = f->slope,
        .votes = f->votes,
        .steps = f->steps,
        .arg = f->arg,
        .want = f->want};
    f->batch = (batch){.n_steps = T,
        .width = L,
        .n_rows = T,
        .steps = f->steps,
        .label = classes ? f->label : NULL,
        .target = classes ? NULL : f->target};
    for (int i = 0; i < K; i++)
        f->unit[i] = i;
    for (int l = 0; l < L; l++)
        f->steps[l] = T;
    for (int i = 0; i < CELLS; i++) {
        f->z[i] = 2 * value(i);
        f->target[i] = i % 11 == 0 ? NAN : (float)value(1000 + i);
    }
    for (int i = 0; i < T * L; i++)
        f->label[i] = i % 7 == 0 ? LABEL_NONE : i % L == 5 ? LABEL_ABSENT : i % K;
}

static loss_tally evaluate(fixture *f, double scale) {
    loss_tally tally = {0};
    memcpy(f->z_use, f->z, sizeof f->z);
    loss_evaluate(&f->work, &f->batch, scale, &tally);
    return tally;
}

static void derivative_check(fixture *f) {
    const double scale = 0.37, h = 1e-5;
    double adj[CELLS];
    evaluate(f, scale);
    memcpy(adj, f->z_adj, sizeof adj);
    int64_t first = f->work.n_rows > 1 ? f->work.spec.skip * K * L : 0;
    for (int64_t i = first; i < f->work.n_rows * K * L; i++) {
        double z = f->z[i];
        f->z[i] = z + h;
        double up = evaluate(f, 0).loss;
        f->z[i] = z - h;
        double down = evaluate(f, 0).loss;
        f->z[i] = z;
        CHECK_CLOSE(adj[i], scale * (up - down) / (2 * h), 1e-8);
    }
}

TEST(derivatives_are_central_differences) {
    static fixture f;
    const lw_readout_kind readout[] = {LW_READOUT_PER_STEP, LW_READOUT_LAST};
    for (int r = 0; r < 2; r++) {
        for (int smoothing = 0; smoothing < 2; smoothing++)
            for (int unlabelled = -1; unlabelled < 2; unlabelled++) {
                fixture_init(&f, LW_LOSS_CROSS_ENTROPY, readout[r], true);
                f.work.spec.label_smoothing = 0.2 * smoothing;
                f.work.spec.unlabelled = unlabelled;
                f.work.spec.skip = r == 0 ? 2 : 0;
                derivative_check(&f);
                f.work.spec.kind = LW_LOSS_MSE;
                derivative_check(&f);
            }
        fixture_init(&f, LW_LOSS_MSE, readout[r], false);
        derivative_check(&f);
    }
}

TEST(counts_follow_the_protocol) {
    static fixture f;
    fixture_init(&f, LW_LOSS_CROSS_ENTROPY, LW_READOUT_PER_STEP, true);
    f.work.spec.skip = 1;
    int64_t labelled = 0, unlabelled = 0;
    for (int i = L; i < T * L; i++) {
        labelled += f.label[i] >= 0;
        unlabelled += f.label[i] == LABEL_NONE;
    }
    loss_tally tally = evaluate(&f, 0);
    CHECK_INT(tally.counted, labelled);
    CHECK_INT(loss_count(&f.work, &f.batch), labelled);
    CHECK_INT(tally.labelled, labelled);
    CHECK(tally.correct == tally.labelled_correct);
    f.work.spec.unlabelled = 2;
    tally = evaluate(&f, 0);
    CHECK_INT(tally.counted, labelled + unlabelled);
    CHECK_INT(loss_count(&f.work, &f.batch), labelled + unlabelled);
    CHECK_INT(tally.labelled, labelled);
    fixture_init(&f, LW_LOSS_MSE, LW_READOUT_PER_STEP, false);
    tally = evaluate(&f, 0);
    CHECK_INT(tally.counted, loss_count(&f.work, &f.batch));
    CHECK_INT(tally.counted, CELLS - (CELLS + 10) / 11);
    CHECK(tally.loss == tally.sq);
}

TEST(cross_entropy_of_known_read_outs) {
    static fixture f;
    fixture_init(&f, LW_LOSS_CROSS_ENTROPY, LW_READOUT_LAST, true);
    memset(f.z, 0, sizeof f.z); /* uniform: log K each, whatever the smoothing */
    for (int l = 0; l < L; l++)
        f.label[(T - 1) * L + l] = l % K;
    loss_tally tally = evaluate(&f, 0);
    CHECK_REL(tally.loss, L * log(K), 1e-14);
    f.work.spec.label_smoothing = 0.3;
    CHECK_REL(evaluate(&f, 0).loss, L * log(K), 1e-14);
    for (int l = 0; l < L; l++)
        f.z[(l % K) * L + l] = 1000; /* no overflow, all right */
    f.work.spec.label_smoothing = 0;
    tally = evaluate(&f, 1);
    CHECK_CLOSE(tally.loss, 0, 0);
    CHECK_INT(tally.correct, L);
    for (int i = 0; i < K * L; i++)
        CHECK_CLOSE(f.z_adj[i], 0, 0);
}

TEST(float_agrees_with_double) {
    static fixture f;
    static float z[CELLS], z_adj[CELLS], top[L], sum[L], share[L];
    for (int kind = 0; kind < 3; kind++) {
        fixture_init(&f, kind == 0 ? LW_LOSS_CROSS_ENTROPY : LW_LOSS_MSE, LW_READOUT_PER_STEP, kind < 2);
        f.work.spec.label_smoothing = 0.1;
        loss_tally exact = evaluate(&f, 1), rough = {0};
        loss_work w = f.work;
        for (int i = 0; i < CELLS; i++)
            z[i] = (float)f.z[i];
        w.precision = LW_F32;
        w.z = z;
        w.z_adj = z_adj;
        w.top = top;
        w.sum = sum;
        w.share = share;
        loss_evaluate(&w, &f.batch, 1, &rough);
        CHECK_REL(rough.loss, exact.loss, 1e-5);
        CHECK(rough.correct == exact.correct && rough.counted == exact.counted);
        for (int i = 0; i < CELLS; i++)
            CHECK_CLOSE(z_adj[i], f.z_adj[i], 1e-5);
    }
}

/* the sum over steps of the seeds is z_adj (mean: each step 1 / steps of it); only the right steps get something */
TEST(seeds_spread_over_the_right_steps) {
    static fixture f;
    const lw_readout_kind readout[] = {LW_READOUT_LAST, LW_READOUT_MEAN, LW_READOUT_SUM, LW_READOUT_MAX};
    for (int r = 0; r < 4; r++) {
        fixture_init(&f, LW_LOSS_MSE, readout[r], false);
        f.work.spec.skip = 2;
        for (int i = 0; i < K * L; i++) {
            f.z_adj[i] = value(i);
            f.step_max[i] = 2 + i % (T - 2);
        }
        for (int i = 0; i < K * L; i++) {
            double sum = 0;
            for (int64_t t = 0; t < T; t++) {
                double out[K * L] = {0};
                bool added = loss_seed(&f.work, t, out);
                CHECK(added == (readout[r] == LW_READOUT_LAST ? t == T - 1 : t >= 2));
                if (readout[r] == LW_READOUT_MAX && t != f.step_max[i]) CHECK(out[i] == 0);
                sum += out[i];
            }
            CHECK_CLOSE(sum, readout[r] == LW_READOUT_SUM ? (T - 2) * f.z_adj[i] : f.z_adj[i], 1e-14);
        }
    }
}

/* the distance of trains, with steps left out and unknown */
TEST(van_rossum_is_quadratic) {
    static fixture f;
    fixture_init(&f, LW_LOSS_VAN_ROSSUM, LW_READOUT_PER_STEP, false);
    f.work.spec.tau = 1.3;
    f.work.spec.skip = 1;
    derivative_check(&f);
}

/* the product with the second derivative against differences of the first */
TEST(second_derivatives_are_differences) {
    static fixture f;
    const struct {
        lw_loss_kind kind;
        lw_readout_kind readout;
        bool classes;
    } cases[] = {{LW_LOSS_CROSS_ENTROPY, LW_READOUT_PER_STEP, true}, {LW_LOSS_MSE, LW_READOUT_PER_STEP, true},
        {LW_LOSS_MSE, LW_READOUT_PER_STEP, false}, {LW_LOSS_CROSS_ENTROPY, LW_READOUT_LAST, true},
        {LW_LOSS_MSE, LW_READOUT_FIRST_SPIKE, false}, {LW_LOSS_CROSS_ENTROPY, LW_READOUT_VOTE, true},
        {LW_LOSS_MSE, LW_READOUT_VOTE, true}, {LW_LOSS_VAN_ROSSUM, LW_READOUT_PER_STEP, false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const double h = 1e-4;
        static double tan[CELLS], side[2][CELLS];
        fixture_init(&f, cases[c].kind, cases[c].readout, cases[c].classes);
        f.work.spec.tau = 1.3;
        f.work.spec.label_smoothing = 0.1;
        if (cases[c].kind != LW_LOSS_VAN_ROSSUM) f.work.spec.every = f.work.n_rows > 1 ? 2 : 0;
        if (cases[c].readout == LW_READOUT_VOTE) f.batch.n_rows = 1;
        for (int i = 0; i < CELLS; i++)
            tan[i] = value(2000 + i);
        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < CELLS; i++)
                f.z[i] += (s == 0 ? h : -2 * h) * tan[i];
            evaluate(&f, 0.37);
            memcpy(side[s], f.z_adj, sizeof f.z_adj);
        }
        for (int i = 0; i < CELLS; i++)
            f.z[i] += h * tan[i];
        evaluate(&f, 0.37);
        curvature_of_loss(&f.work, &f.batch, 0.37, tan);
        for (int64_t i = 0; i < f.work.n_rows * K * L; i++)
            if (loss_row(&f.work, i / (K * L))) CHECK_CLOSE(f.z_adj[i], (side[0][i] - side[1][i]) / (2 * h), 1e-7);
    }
}

/* lanes end where their samples do */
TEST(short_samples_count_to_their_end) {
    static fixture f;
    for (int readout = LW_READOUT_PER_STEP; readout <= LW_READOUT_VOTE; readout++)
        for (int classes = 0; classes < 2; classes++) {
            double whole[CELLS];
            if (readout == LW_READOUT_VOTE && !classes) continue;
            fixture_init(&f, LW_LOSS_MSE, (lw_readout_kind)readout, classes);
            f.work.spec.tau = 1.3;
            f.work.spec.skip = 1;
            if (classes) f.batch.n_rows = 1;
            for (int l = 0; l < L; l++) {
                f.steps[l] = 1 + l % T; /* the first has none but what is skipped */
                f.label[l] = l % K;
            }
            for (int i = 0; i < CELLS; i++)
                f.target[i] = (float)value(1000 + i);
            loss_tally tally = evaluate(&f, 1);
            memcpy(whole, f.z_adj, sizeof whole);
            CHECK_INT(tally.counted, loss_count(&f.work, &f.batch));
            int64_t want = 0;
            for (int l = 0; l < L; l++) {
                bool per_step = readout == LW_READOUT_PER_STEP, last = readout == LW_READOUT_LAST;
                int64_t rows = per_step ? f.steps[l] - 1 : last || f.steps[l] > 1;
                want += rows * (classes ? 1 : K);
                for (int64_t r = 0; r < f.work.n_rows; r++)
                    for (int k = 0; k < K; k++) {
                        bool zero = f.work.n_rows > 1 ? r < 1 || r >= f.steps[l] : !last && f.steps[l] == 1;
                        int64_t i = (r * K + k) * L + l;
                        if (r >= f.work.spec.skip || f.work.n_rows == 1) CHECK((whole[i] == 0) == zero);
                    }
            }
            CHECK_INT(tally.counted, want);
            derivative_check(&f);
        }
}

CHECK_MAIN(CASE(van_rossum_is_quadratic), CASE(second_derivatives_are_differences),
    CASE(short_samples_count_to_their_end), CASE(derivatives_are_central_differences), CASE(counts_follow_the_protocol),
    CASE(cross_entropy_of_known_read_outs), CASE(float_agrees_with_double), CASE(seeds_spread_over_the_right_steps))
