/* SPDX-License-Identifier: BSD-3-Clause
 *
 * sweep_loss.h: what tests of the sweeps of a tape share: arrays by population and state, a loss that is linear in what
 * is emitted, and recordings with their gradients.
 */
#ifndef LAPWING_TEST_SWEEP_LOSS_H
#define LAPWING_TEST_SWEEP_LOSS_H

#include "sweep_direction.h"
#include "sweep_net.h"
#include "world.h"

enum { STEPS = 20, MANY = 140, BEFORE = 3 };

typedef struct arrays { /* per population and state [n_local, width] */
    double *x[N_MAX_POP][N_MAX_STATE];
    double *const *pop[N_MAX_POP];
    double *const *const *all;
} arrays;

static inline void arrays_make(const bench *b, arrays *a) {
    int32_t width = lw_sim_options_get(b->sim)->width;
    memset(a, 0, sizeof *a);
    for (int p = 0; p < N_MAX_POP; p++) {
        lw_pop_view v = lw_net_pop(b->net, p);
        for (int i = 0; i < v.model->n_state; i++)
            a->x[p][i] = calloc((size_t)(v.n_local * width) + 1, sizeof(double));
        a->pop[p] = a->x[p];
    }
    a->all = a->pop;
}
static inline void arrays_free(arrays *a) {
    for (int p = 0; p < N_MAX_POP; p++)
        for (int i = 0; i < N_MAX_STATE; i++)
            free(a->x[p][i]);
}

/* ------------------------------------------------------------------ a loss: sum over steps, neurons, lanes of seed *
 * out */

typedef struct linear_loss {
    const bench *b;
    int lane0;
    double sum, size; /* of what a sink or an output adds; and of its absolute values */
    int64_t shift;    /* recorded step 0 is this step of the loss */
} linear_loss;

static inline double loss_seed(const linear_loss *loss, int pop, int64_t t, int64_t j, int32_t lane) {
    return key_normal(77, lw_net_pop(loss->b->net, pop).gid[j] * 1000 + loss->shift + t, loss->lane0 + lane) + 0.3;
}
static inline void loss_add(void *payload, int pop, int64_t t, const void *out) {
    linear_loss *loss = payload;
    const lw_sim_options *o = lw_sim_options_get(loss->b->sim);
    int64_t n = lw_net_pop(loss->b->net, pop).n_local;
    for (int64_t j = 0; j < n; j++)
        for (int32_t l = 0; l < o->width; l++) {
            double x = o->precision == LW_F64 ? ((const double *)out)[j * o->width + l]
                                              : (double)((const float *)out)[j * o->width + l];
            double term = loss_seed(loss, pop, t, j, l) * x;
            loss->sum += term;
            loss->size += fabs(term);
        }
}
static inline bool loss_adjoint(void *payload, int pop, int64_t t, void *out_adj) {
    linear_loss *loss = payload;
    const lw_sim_options *o = lw_sim_options_get(loss->b->sim);
    int64_t n = lw_net_pop(loss->b->net, pop).n_local;
    for (int64_t j = 0; j < n; j++)
        for (int32_t l = 0; l < o->width; l++) {
            if (o->precision == LW_F64)
                ((double *)out_adj)[j * o->width + l] += loss_seed(loss, pop, t, j, l);
            else
                ((float *)out_adj)[j * o->width + l] += (float)loss_seed(loss, pop, t, j, l);
        }
    return true;
}

/* run BEFORE steps, so that values are in flight, then record */
static inline lw_tape *record(const bench *b, int64_t steps) {
    lw_tape *tape = NULL;
    CHECK_OK(lw_tape_create(b->sim, steps, b->theta, &tape));
    CHECK_OK(lw_sim_advance(b->sim, BEFORE, NULL));
    CHECK_OK(lw_tape_forward(tape, steps));
    CHECK_INT(lw_tape_steps(tape), steps);
    return tape;
}

static inline double *gradient(lw_tape *tape, const bench *b, int lane0, arrays *state0) {
    double *grad = calloc((size_t)b->theta->n_local + 1, sizeof *grad);
    linear_loss loss = {.b = b, .lane0 = lane0};
    lw_tape_seed seed = {&loss, loss_adjoint};
    if (state0) arrays_make(b, state0);
    CHECK_OK(lw_tape_backward(tape, &seed, grad, state0 ? state0->all : NULL));
    return grad;
}

/* The world, and a network's drive that all ranks find for themselves. */
typedef struct stage {
    lw_comm *world, *self;
    bench_drive drive;
} stage;

static inline stage stage_open(void) {
    stage s = {.world = world_start()};
    const lw_model *model = lw_model_builtin("cuba_lif");
    LW_ASSERT(model);
    CHECK_OK(lw_comm_self(&s.self));
    s.drive = bench_drive_of(s.self, model);
    return s;
}

static inline void stage_close(stage *s) {
    lw_comm_destroy(&s->self);
    lw_comm_stop(&s->world);
}

static inline double norm(int64_t n, const double *x) {
    double s = 0;
    for (int64_t i = 0; i < n; i++)
        s += x[i] * x[i];
    return sqrt(s);
}

#endif
