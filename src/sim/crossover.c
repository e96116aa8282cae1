/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where one kind of product of a dense projection becomes faster than another, measured: both kinds of a product are
 * timed on spikes drawn for it, and of what takes a share of a time the crossover follows.
 */
#include "dense.h"

enum { ROWS = 256, WIDTH = 32, WALK_TARGETS = 512, REPEATS = 7 };

static const int64_t TARGETS[2] = {128, 1024}; /* of adjoint products: few and many */
static const double SHARE[2] = {0.5, 0.25};    /* of spikes, and of places with a slope */

/* An engine with one dense projection and nothing around it. */
typedef struct trial {
    lw_sim sim;
    engine_pop pop;
    lw_proj_view proj;
    lw_slice slice;
    uint32_t row[ROWS];
    int32_t neuron[ROWS];
    float *weight, *x, *slope, *in, *out, *packed;
} trial;

static void trial_free(trial *t) {
    engine_dense_destroy(&t->sim);
    float *const all[] = {t->weight, t->x, t->slope, t->in, t->out, t->packed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        lw_free(all[i]);
}

static lw_err trial_make(int64_t targets, trial *t) {
    const int64_t cells = (int64_t)ROWS * WIDTH;
    *t = (trial){.slice = {.delay = 1}};
    t->pop.model = lw_model_builtin("lif");
    t->proj = (lw_proj_view){.dense = true,
        .n_rows = ROWS,
        .n_edges = ROWS * targets,
        .n_slices = 1,
        .slice = &t->slice,
        .weight_type = LW_F32};
    t->sim =
        (lw_sim){.n_pop = 1, .n_proj = 1, .width = WIDTH, .real_size = sizeof(float), .pop = &t->pop, .proj = &t->proj};
    t->sim.options.crossover = lw_crossover_default();
    LW_TRY(lw_alloc((size_t)t->proj.n_edges, sizeof(float), "weights of a trial", &t->weight));
    t->proj.weight = t->weight;
    LW_TRY(lw_alloc((size_t)cells, sizeof(float), "spikes of a trial", &t->x));
    LW_TRY(lw_alloc((size_t)cells, sizeof(float), "slopes of a trial", &t->slope));
    LW_TRY(lw_alloc((size_t)(targets * WIDTH), sizeof(float), "inputs of a trial", &t->in));
    LW_TRY(lw_alloc(
        (size_t)(cells > targets * WIDTH ? cells : targets * WIDTH), sizeof(float), "sums of a trial", &t->out));
    LW_TRY(lw_alloc((size_t)dense_packed_count(&t->proj), sizeof(float), "weights of a trial", &t->packed));
    lw_stream s = lw_stream_start(1, LW_PURPOSE_CHECK, 0, (uint64_t)targets);
    for (int64_t i = 0; i < t->proj.n_edges; i++)
        t->weight[i] = (float)lw_stream_uniform(&s);
    for (int64_t i = 0; i < cells; i++) {
        t->x[i] = lw_stream_uniform(&s) < SHARE[0] ? 1 : 0;
        t->slope[i] = lw_stream_uniform(&s) < SHARE[1] ? 1 : 0;
    }
    for (int64_t i = 0; i < targets * WIDTH; i++)
        t->in[i] = (float)lw_stream_uniform(&s);
    for (int i = 0; i < ROWS; i++) {
        t->row[i] = (uint32_t)i;
        t->neuron[i] = i;
    }
    LW_TRY(engine_dense_create(&t->sim));
    LW_TRY(engine_dense_copies(&t->sim)); /* its panels hold zeros, which take as long as weights */
    dense_pack(&t->sim, &t->proj, t->packed);
    return LW_OK;
}

typedef enum product_kind { WALK, TILES, SAMPLED, WHOLE } product_kind;

/* Seconds of one product, the least of some: whatever else runs here only adds to them. */
static double seconds(trial *t, product_kind kind) {
    double least = 0;
    int64_t events = 0;
    for (int i = 0; i < REPEATS; i++) {
        double begin = lw_time_now();
        if (kind == WALK) {
            (void)dense_walk(&t->sim, &t->proj, t->row, ROWS, t->x, false, t->out, &events);
            dense_close(&t->sim);
        } else if (kind == TILES) {
            (void)deliver_rows(false, &t->proj, &t->slice, WIDTH, t->row, ROWS, t->x, t->out);
        } else if (kind == SAMPLED) {
            (void)dense_back_sampled(&t->sim, &t->proj, t->packed, t->neuron, t->slope, t->in, t->out);
        } else {
            dense_back(&t->sim, &t->proj, t->packed, t->in, t->out);
        }
        double s = lw_time_now() - begin;
        if (i == 0 || s < least) least = s;
    }
    return least > 0 ? least : 1e-9;
}

static double clamped(double x, double least, double most) {
    return x < least ? least : x > most ? most : x;
}

/* Times go with the share of what is not zero: at which share is the first kind as slow as the second? */
static lw_err share_of(int64_t targets, product_kind some, product_kind all, double *share) {
    trial t;
    lw_err err = trial_make(targets, &t);
    t.sim.options.crossover = (lw_crossover){.walk = 1}; /* always the first kind */
    if (err == LW_OK) *share = SHARE[some == SAMPLED] * seconds(&t, all) / seconds(&t, some);
    trial_free(&t);
    return err;
}

lw_crossover lw_crossover_default(void) {
    return (lw_crossover){.walk = 0.6, .place = {2, 750}};
}

lw_err lw_crossover_measure(lw_crossover *out) {
    double walk, f[2];
    LW_TRY(share_of(WALK_TARGETS, WALK, TILES, &walk));
    for (int i = 0; i < 2; i++) {
        LW_TRY(share_of(TARGETS[i], SAMPLED, WHOLE, &f[i]));
        f[i] = clamped(f[i], 0.01, 1);
    }
    /* 1/f = place[0] + place[1] / targets */
    double per_target = (1 / f[0] - 1 / f[1]) / (1 / (double)TARGETS[0] - 1 / (double)TARGETS[1]);
    out->walk = clamped(walk, 0.05, 0.95);
    out->place[1] = per_target > 0 ? per_target : 0;
    out->place[0] = clamped(1 / f[1] - out->place[1] / (double)TARGETS[1], 1, 100);
    return LW_OK;
}
