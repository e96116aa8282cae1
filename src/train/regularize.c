/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Firing rates and penalties. A penalty is weight * mean of (x - upper)+^power + (lower - x)+^power over neurons (for
 * the rate of populations: over populations) and samples; x is a rate in kHz over the sample, a spike count, or a state
 * at every step. Rates and counts depend on spike counts only, so their derivative with respect to an emitted spike is
 * the same at all steps; that of a state is worked out when the sweep back asks for it.
 */
#include <math.h>
#include <string.h>
#include "regularize.h"

/* The penalty of one number without its weight, and its derivative. */
static inline double excess(const lw_penalty *s, double x, double *slope) {
    double over = fmax(x - s->upper, 0), under = fmax(s->lower - x, 0);
    if (s->power == 1) {
        *slope = (over > 0) - (under > 0);
        return over + under;
    }
    *slope = 2 * (over - under);
    return over * over + under * under;
}

#define REAL float
#define LW_T(name) name##_f32
#include "regularize_typed.c"
#undef REAL
#undef LW_T
#define REAL double
#define LW_T(name) name##_f64
#include "regularize_typed.c"
#undef REAL
#undef LW_T

static lw_err state_find(const lw_pop_view *pop, const char *name, int32_t *out) {
    *out = -1;
    for (int32_t i = 0; i < pop->model->n_state; i++)
        if (strcmp(pop->model->state[i].name, name) == 0) *out = i;
    LW_CHECK(*out >= 0, LW_EUSE, "the voltage regulariser wants the state %s, which model %s of population %s lacks",
        name, pop->model->name, pop->name);
    return LW_OK;
}

static lw_err penalty_check(const lw_penalty *s) {
    LW_CHECK(s->weight >= 0 && isfinite(s->weight), LW_EUSE,
        "weight of a regulariser is %g, allowed are numbers from 0", s->weight);
    LW_CHECK(s->power == 1 || s->power == 2, LW_EUSE, "power of a regulariser is %d, allowed are 1 and 2", s->power);
    LW_CHECK(s->lower <= s->upper, LW_EUSE, "a regulariser has the lower bound %g above the upper one, %g", s->lower,
        s->upper);
    return LW_OK;
}

static lw_err penalty_create(rates *r, const lw_net *net, const lw_penalty *spec) {
    penalty *p = &r->penalty[r->n_penalties++];
    bool state = spec->kind == LW_PENALTY_STATE;
    p->spec = *spec;
    p->spec.pop = NULL;
    p->spec.state = NULL;
    LW_TRY(penalty_check(spec));
    LW_TRY(lw_alloc((size_t)r->n_pop, 1, "regularisers", &p->pop));
    LW_TRY(lw_alloc((size_t)r->n_pop, sizeof *p->state, "regularisers", &p->state));
    LW_TRY(lw_alloc((size_t)r->n_pop, sizeof *p->found, "regularisers", &p->found));
    for (int32_t q = 0; q < r->n_pop; q++) {
        lw_pop_view pop = lw_net_pop(net, q);
        bool spiking = pop.model->emits_spikes, named = spec->pop ? spec->pop[q] : spiking;
        LW_CHECK(!named || spiking || state, LW_EUSE,
            "the rate regulariser names population %s, whose model %s does not spike; allowed are spiking populations",
            pop.name, pop.model->name);
        if (named && state) LW_TRY(state_find(&pop, spec->state, &p->state[q]));
        p->pop[q] = named && spec->weight > 0;
        if (p->pop[q]) p->n += spec->kind == LW_PENALTY_POPULATION_RATE ? 1 : (double)pop.size;
    }
    return LW_OK;
}

static lw_err rates_fill(rates *r, const lw_loss *loss, const lw_net *net) {
    size_t n_pop = (size_t)r->n_pop, real = lw_dtype_size(r->precision);
    LW_TRY(lw_alloc(n_pop + 1, sizeof *r->row_begin, "firing rates", &r->row_begin));
    LW_TRY(lw_alloc(n_pop, sizeof *r->n_local, "firing rates", &r->n_local));
    LW_TRY(lw_alloc(n_pop, sizeof *r->size, "firing rates", &r->size));
    for (int32_t p = 0; p < r->n_pop; p++) {
        lw_pop_view pop = lw_net_pop(net, p);
        r->row_begin[p + 1] = r->row_begin[p] + (pop.model->emits_spikes ? pop.n_local : 0);
        r->n_local[p] = pop.n_local;
        r->size[p] = (double)pop.size;
        if (pop.model->emits_spikes) r->n_spiking += pop.size;
    }
    r->n_rows = r->row_begin[r->n_pop];
    LW_TRY(lw_alloc((size_t)loss->n_penalties, sizeof *r->penalty, "regularisers", &r->penalty));
    for (int32_t i = 0; i < loss->n_penalties; i++)
        LW_TRY(penalty_create(r, net, &loss->penalty[i]));
    size_t cells = (size_t)(r->n_rows * r->width);
    LW_TRY(lw_alloc(cells, real, "spike counts", &r->count));
    LW_TRY(lw_alloc(r->n_penalties > 0 ? cells : 0, real, "adjoint spike counts", &r->adj));
    return lw_alloc(r->n_penalties > 0 ? n_pop * (size_t)r->width : 0, sizeof *r->mean, "mean rates", &r->mean);
}

lw_err rates_create(
    const lw_loss *loss, const lw_net *net, int64_t n_steps, int64_t width, lw_dtype precision, rates **out) {
    rates *r = NULL;
    lw_err err;
    *out = NULL;
    LW_TRY_TO(lw_alloc(1, sizeof *r, "firing rates", &r), failed);
    r->precision = precision;
    r->n_pop = lw_net_n_pop(net);
    r->part = lw_net_comm(net);
    r->n_steps = n_steps;
    r->width = width;
    r->dt = lw_net_dt(net);
    r->duration = (double)n_steps * r->dt;
    LW_TRY_TO(rates_fill(r, loss, net), failed);
    *out = r;
    return LW_OK;
failed:
    rates_destroy(&r);
    return err;
}

void rates_destroy(rates **r) {
    if (!*r) return;
    for (int32_t i = 0; i < (*r)->n_penalties; i++) {
        lw_free((*r)->penalty[i].pop);
        lw_free((*r)->penalty[i].state);
        lw_free((*r)->penalty[i].found);
    }
    lw_free((*r)->penalty);
    lw_free((*r)->row_begin);
    lw_free((*r)->n_local);
    lw_free((*r)->size);
    lw_free((*r)->count);
    lw_free((*r)->adj);
    lw_free((*r)->mean);
    lw_free(*r);
    *r = NULL;
}

bool rates_watch(const rates *r, lw_sim *sim) {
    bool any = false;
    for (int32_t i = 0; i < r->n_penalties; i++)
        for (int32_t p = 0; p < r->n_pop; p++) {
            if (r->penalty[i].spec.kind != LW_PENALTY_STATE || !r->penalty[i].pop[p]) continue;
            lw_sim_watch(sim, p, r->penalty[i].state[p]);
            any = true;
        }
    return any;
}

/* Rates of the populations that a penalty looks at: every lane's over all ranks. Collective over the partition. */
static void means_find(rates *r) {
    memset(r->mean, 0, (size_t)(r->n_pop * r->width) * sizeof *r->mean);
    for (int32_t p = 0; p < r->n_pop; p++)
        for (int64_t row = r->row_begin[p]; row < r->row_begin[p + 1]; row++)
            for (int64_t l = 0; l < r->width; l++)
                r->mean[p * r->width + l] += r->precision == LW_F32
                                                 ? (double)((const float *)r->count)[row * r->width + l]
                                                 : ((const double *)r->count)[row * r->width + l];
    lw_comm_sum_f64(r->part, r->mean, r->n_pop * r->width);
    for (int32_t p = 0; p < r->n_pop; p++)
        for (int64_t l = 0; l < r->width; l++)
            r->mean[p * r->width + l] /= r->size[p] * (double)r->batch->steps[l] * r->dt;
}

void rates_begin(rates *r, const batch *b) {
    r->batch = b;
    r->least = r->n_steps;
    for (int64_t l = 0; l < r->width; l++)
        if (b->steps[l] < r->least) r->least = b->steps[l];
    for (int32_t i = 0; i < r->n_penalties; i++)
        memset(r->penalty[i].found, 0, (size_t)r->n_pop * sizeof *r->penalty[i].found);
}

void rates_hear(void *payload, int pop, int64_t t, int state, const void *x) {
    const rates *r = payload;
    for (int32_t i = 0; i < r->n_penalties; i++) {
        const penalty *q = &r->penalty[i];
        if (q->spec.kind != LW_PENALTY_STATE || !q->pop[pop] || q->state[pop] != state) continue;
        q->found[pop] = r->precision == LW_F32 ? state_add_f32(r, q, pop, t, x, q->found[pop])
                                               : state_add_f64(r, q, pop, t, x, q->found[pop]);
    }
}

void rates_evaluate(rates *r, const lw_tape *tape, double scale, double *spikes, double *sum) {
    bool f32 = r->precision == LW_F32, means = false;
    r->scale = scale;
    *spikes += f32 ? count_f32(r, tape) : count_f64(r, tape);
    if (r->n_penalties == 0) return;
    memset(r->adj, 0, (size_t)(r->n_rows * r->width) * lw_dtype_size(r->precision));
    for (int32_t i = 0; i < r->n_penalties; i++)
        means = means || r->penalty[i].spec.kind == LW_PENALTY_POPULATION_RATE;
    if (means) means_find(r);
    for (int32_t i = 0; i < r->n_penalties; i++) {
        const penalty *q = &r->penalty[i];
        double each = q->n > 0 ? q->spec.weight / q->n : 0;
        for (int32_t p = 0; p < r->n_pop; p++) {
            double found = 0;
            if (!q->pop[p]) continue;
            switch (q->spec.kind) {
            case LW_PENALTY_RATE:
            case LW_PENALTY_COUNT:
                found = f32 ? neurons_f32(r, q, p, scale * each) : neurons_f64(r, q, p, scale * each);
                break;
            case LW_PENALTY_POPULATION_RATE:
                found = f32 ? whole_f32(r, q, p, scale * each) : whole_f64(r, q, p, scale * each);
                break;
            case LW_PENALTY_STATE:
                found = q->found[p];
                break;
            }
            *sum += each * found;
        }
    }
}

bool rates_seed(const rates *r, int pop, int64_t t, void *out_adj) {
    bool any = false;
    for (int32_t i = 0; i < r->n_penalties; i++)
        any = any || (r->penalty[i].pop[pop] && r->penalty[i].spec.kind != LW_PENALTY_STATE);
    if (!any || r->row_begin[pop + 1] == r->row_begin[pop]) return false;
    if (r->precision == LW_F32) {
        add_f32(r, pop, t, out_adj);
    } else {
        add_f64(r, pop, t, out_adj);
    }
    return true;
}

void rates_seed_state(const rates *r, const lw_tape *tape, int pop, int64_t t, int state, void *state_adj) {
    for (int32_t i = 0; i < r->n_penalties; i++) {
        const penalty *q = &r->penalty[i];
        if (q->spec.kind != LW_PENALTY_STATE || !q->pop[pop] || q->state[pop] != state) continue;
        if (r->precision == LW_F32) {
            add_state_f32(r, q, tape, pop, t, state_adj);
        } else {
            add_state_f64(r, q, tape, pop, t, state_adj);
        }
    }
}
