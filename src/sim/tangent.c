/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The tangent block: k perturbations of the whole state pushed along the running trajectory, from cut to cut. The cut
 * of step t stands after `update` and before fire; with delay-0 projections the populations below the last level have
 * fired at the cut (their values were needed within the step), so their state is the one after fire and their newest
 * value is a row of its own. SWEEPS.md explains why.
 *
 * Rows of this rank: population by population; in each its state variables one after the other, then its delay line,
 * one entry per step whose values can still arrive; each of these parts holds the local neurons in order. A delay line
 * is a ring over the block's own clock, which counts lw_tangent_step: nothing is moved, only the meaning (age) of a row
 * changes.
 *
 *     lif, 3 neurons, largest delay 3:   V:0 V:1 V:2 | s(c-1):0 .. 2 | s(c-2):0 .. 2
 */
#include <string.h>
#include "engine_parts.h"
#include "sweep.h"

/* A population's part of the block. */
typedef struct tangent_pop {
    int64_t row_begin; /* first row here */
    int64_t lines;     /* entries of the delay line: values emitted in the last `lines` steps of this population */
    bool early;        /* has fired at the cut */
} tangent_pop;

struct lw_tangent {
    lw_sim *sim;
    int64_t k, rows, rows_global;
    int64_t clock;     /* of the step whose values are emitted next by the last level */
    int64_t lines_max; /* over populations, whole network */
    tangent_pop *pop;  /* [n_pop] */
    double *block;     /* [rows, k] */
    double *emitted;   /* [n_local of the net, k] tangents of values emitted in this step */
    sweep_ring slot;   /* [delay_max + 1][n_slots, k]: the same, of slots, by clock */
    const void **past; /* [delay_max + 1] rows of a population by delay, of learned delays */
    uint32_t *list;    /* [delay_max + 1][n_slots] rows that are not all zero, by population at slot_begin */
    int64_t *n_list;   /* [delay_max + 1][n_pop] */
    char *compact;     /* [n_slots, k] */
    /* doubles of the population in work */
    void *input[SWEEP_MAX];   /* [n_local, k] */
    void *old[SWEEP_MAX];     /* [n_local] states before update */
    void *between[SWEEP_MAX]; /* [n_local] states on the way to the cut's */
    void *change[SWEEP_MAX];  /* [n_local] */
    double *one, *margin_tan; /* [n_local] */
    sweep_memory memory;
};

static double *pop_rows(const lw_tangent *t, int p, int64_t part) {
    return t->block + (t->pop[p].row_begin + part * t->sim->pop[p].view.n_local) * t->k;
}

/* Rows of the entry of the delay line that holds values of clock c (negative: from before the first step). */
static double *pop_line(const lw_tangent *t, int p, int64_t c) {
    int64_t lines = t->pop[p].lines, entry = c % lines;
    return pop_rows(t, p, t->sim->pop[p].model->n_state + (entry < 0 ? entry + lines : entry));
}

/* ------------------------------------------------------------------ values between ranks */

/* Rows of slots that are not all zero: with compact surrogates most are, and the products skip them. */
static void list_rows(lw_tangent *t, int level, int64_t clock) {
    const lw_sim *sim = t->sim;
    int64_t entry = clock % t->slot.depth;
    const double *rows = (const double *)(const void *)sweep_ring_at(&t->slot, clock);
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        if (v->level != level) continue;
        uint32_t *list = t->list + entry * t->slot.n + v->slot_begin;
        int64_t n = 0;
        for (int64_t r = 0; r < v->n_slots; r++) {
            const double *row = rows + (v->slot_begin + r) * t->k;
            int64_t lane = 0;
            while (lane < t->k && row[lane] == 0)
                lane++;
            if (lane < t->k) list[n++] = (uint32_t)r;
        }
        t->n_list[entry * sim->n_pop + p] = n;
    }
}

static void tangents_push(lw_tangent *t, int level, int64_t clock) {
    sweep_push(t->sim, level, t->slot.row_bytes, t->emitted, sweep_ring_at(&t->slot, clock), t->compact);
    list_rows(t, level, clock);
}

lw_err lw_tangent_refresh(lw_tangent *tangent) {
    lw_sim *sim = tangent->sim;
    int64_t k = tangent->k;
    for (int64_t age = 0; age <= tangent->lines_max; age++) {
        bool any = false;
        for (int p = 0; p < sim->n_pop; p++) {
            const tangent_pop *tp = &tangent->pop[p];
            const lw_pop_view *v = &sim->pop[p].view;
            /* an early population's newest value is of age 0, a late one's of age 1 */
            bool has = tp->lines > 0 && age >= !tp->early && age < tp->lines + !tp->early;
            double *to = tangent->emitted + v->lid_begin * k;
            size_t bytes = (size_t)(v->n_local * k) * sizeof *to;
            any = any || has;
            if (has)
                memcpy(to, pop_line(tangent, p, tangent->clock - age), bytes);
            else
                memset(to, 0, bytes);
        }
        for (int level = 0; any && level < sim->n_levels; level++)
            tangents_push(tangent, level, tangent->clock + tangent->slot.depth - age);
    }
    return LW_OK;
}

/* ------------------------------------------------------------------ phases */

static lw_kernel_args pop_args(const lw_tangent *t, int p, void **state_tan) {
    const engine_pop *pop = &t->sim->pop[p];
    lw_kernel_args a = engine_args(t->sim, p);
    for (int i = 0; i < pop->model->n_state; i++)
        state_tan[i] = pop_rows(t, p, i);
    a.width = t->k;
    a.point_width = 1;
    a.point_held = pop->held;
    a.point_in = (const void *const *)pop->input;
    a.point_pre = (const void *const *)pop->state;
    a.state_tan = state_tan;
    return a;
}

/* Threshold, tangent of fire at the state before it, fire, and the emitted value known to all at engine step `step`. */
static void pop_fire(lw_tangent *t, int p, int64_t step, int64_t clock, bool push) {
    engine_pop *pop = &t->sim->pop[p];
    engine_spike(t->sim, p);
    if (push) {
        void *state_tan[SWEEP_MAX];
        lw_kernel_args a = pop_args(t, p, state_tan);
        double *out_tan = t->emitted + pop->view.lid_begin * t->k;
        a.point_spike = pop->out;
        a.point_slope = pop->slope;
        a.out_tan = out_tan;
        pop->kernel->fire_tan(&a);
        if (t->pop[p].lines)
            memcpy(pop_line(t, p, clock), out_tan, (size_t)(pop->view.n_local * t->k) * sizeof *out_tan);
    }
    engine_fire(t->sim, p);
    engine_emit(t->sim, p, step);
}

static void pop_input_push(lw_tangent *t, int p, int64_t clock) {
    lw_sim *sim = t->sim;
    for (int i = 0; i < sim->pop[p].model->n_input; i++)
        memset(t->input[i], 0, (size_t)(sim->pop[p].view.n_local * t->k) * sizeof(double));
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        int64_t pre_begin = sim->pop[proj->pre].view.slot_begin;
        if (proj->lag_max) {
            for (int32_t d = 1; d <= proj->lag_max + 1; d++)
                t->past[d] = sweep_ring_at(&t->slot, clock + t->slot.depth - d) + (size_t)pre_begin * t->slot.row_bytes;
            lag_gather(true, proj, sim->pop[p].view.n_local, t->k, t->past, t->input[proj->port]);
            continue;
        }
        for (int s = 0; s < proj->n_slices; s++) {
            int64_t from = clock + t->slot.depth - proj->slice[s].delay, entry = from % t->slot.depth;
            (void)deliver_rows(true, proj, &proj->slice[s], t->k, t->list + entry * t->slot.n + pre_begin,
                t->n_list[entry * sim->n_pop + proj->pre],
                sweep_ring_at(&t->slot, from) + (size_t)pre_begin * t->slot.row_bytes, t->input[proj->port]);
        }
    }
}

static void pop_update(lw_tangent *t, int p, int64_t step, int64_t clock, bool push) {
    lw_sim *sim = t->sim;
    engine_pop *pop = &sim->pop[p];
    engine_input(sim, p, step);
    if (!push) {
        engine_update(sim, p);
        return;
    }
    pop_input_push(t, p, clock);
    for (int i = 0; i < pop->model->n_state; i++)
        memcpy(t->old[i], pop->state[i], (size_t)pop->view.n_local * sizeof(double));
    engine_update(sim, p);
    void *state_tan[SWEEP_MAX];
    lw_kernel_args a = pop_args(t, p, state_tan);
    a.point_old = (const void *const *)t->old;
    a.input_tan = (const void *const *)t->input;
    pop->kernel->update_tan(&a);
}

static lw_err level_share(lw_tangent *t, int level, int64_t step, int64_t clock, bool push) {
    engine_exchange_begin(t->sim, level, step, step + 1);
    LW_TRY(engine_exchange_end(t->sim, level));
    if (push) tangents_push(t, level, clock);
    return LW_OK;
}

/* From the end of step - 1 to the cut of `step`. */
static lw_err to_cut(lw_tangent *t, int64_t step, int64_t clock, bool push) {
    lw_sim *sim = t->sim;
    for (int level = 0; level < sim->n_levels; level++) {
        bool early = level + 1 < sim->n_levels;
        for (int p = 0; p < sim->n_pop; p++) {
            if (sim->pop[p].view.level != level) continue;
            pop_update(t, p, step, clock, push);
            if (early) pop_fire(t, p, step, clock, push);
        }
        if (early) LW_TRY(level_share(t, level, step, clock, push));
    }
    return LW_OK;
}

static lw_err cut_to_cut(lw_tangent *t, bool push) {
    lw_sim *sim = t->sim;
    int last = sim->n_levels - 1;
    for (int p = 0; p < sim->n_pop; p++)
        if (sim->pop[p].view.level == last) pop_fire(t, p, sim->step, t->clock, push);
    LW_TRY(level_share(t, last, sim->step, t->clock, push));
    engine_trace(sim, sim->step);
    sim->step++;
    sim->stats.steps++;
    if (push) t->clock++;
    return to_cut(t, sim->step, t->clock, push);
}

lw_err lw_tangent_step(lw_tangent *tangent) {
    return cut_to_cut(tangent, true);
}

lw_err lw_tangent_skip(lw_tangent *tangent, int64_t n_steps) {
    for (int64_t i = 0; i < n_steps; i++)
        LW_TRY(cut_to_cut(tangent, false));
    return LW_OK;
}

/* ------------------------------------------------------------------ a cut without its margins */

/* The margin u(x) of a given state before fire. Kernels give u only at the end of an update, so one is made on a copy,
 * x', and the way from x' to x is integrated: u(x) = u(x') + integral over [0, 1] of grad u(x' + a (x - x')) (x - x')
 * da. fire_tan with slope 1 is that integrand; three Gauss-Legendre points are exact for margins that are polynomials
 * of x up to degree 6. */
static void margin_recover(lw_tangent *t, int p) {
    static const double point[3] = {0.5 - 0.38729833462074168852, 0.5, 0.5 + 0.38729833462074168852};
    static const double weight[3] = {5.0 / 18, 8.0 / 18, 5.0 / 18};
    lw_sim *sim = t->sim;
    engine_pop *pop = &sim->pop[p];
    int64_t n = pop->view.n_local;
    int n_state = pop->model->n_state;
    if (!pop->model->emits_spikes) return;
    lw_kernel_args a = engine_args(sim, p);
    for (int i = 0; i < n_state; i++)
        memcpy(t->old[i], pop->state[i], (size_t)n * sizeof(double));
    for (int i = 0; i < pop->model->n_input; i++)
        memset(pop->input[i], 0, (size_t)n * sizeof(double));
    if (a.refractory) memcpy(t->emitted, a.refractory, (size_t)n * sizeof *a.refractory);
    a.state = t->old;
    a.held = NULL;
    pop->kernel->update(&a);
    if (a.refractory) memcpy(a.refractory, t->emitted, (size_t)n * sizeof *a.refractory);
    a.point_pre = (const void *const *)t->between;
    a.point_spike = t->margin_tan;
    a.point_slope = t->one;
    a.point_held = pop->held;
    a.point_width = 1;
    a.reset_detached = 1;
    a.out_tan = t->margin_tan;
    a.state_tan = t->change;
    double *u = pop->margin;
    for (int q = 0; q < 3; q++) {
        for (int i = 0; i < n_state; i++) {
            const double *from = t->old[i], *to = pop->state[i];
            double *between = t->between[i], *change = t->change[i];
            for (int64_t j = 0; j < n; j++) {
                change[j] = to[j] - from[j];
                between[j] = from[j] + point[q] * change[j];
            }
        }
        memset(t->margin_tan, 0, (size_t)n * sizeof(double));
        pop->kernel->fire_tan(&a);
        for (int64_t j = 0; j < n; j++)
            u[j] += weight[q] * t->margin_tan[j];
    }
}

/* ------------------------------------------------------------------ life */

/* Delay lines are as long as the largest delay anywhere, so ranks agree on them. **Collective** */
static lw_err lines_agree(lw_tangent *t) {
    lw_sim *sim = t->sim;
    int64_t *delay = NULL;
    lw_err err = lw_alloc((size_t)sim->n_pop, sizeof *delay, "delays of populations", &delay);
    for (int j = 0; err == LW_OK && j < sim->n_proj; j++) {
        const lw_proj_view *proj = &sim->proj[j];
        for (int s = 0; s < proj->n_slices; s++)
            if (proj->slice[s].delay > delay[proj->pre]) delay[proj->pre] = proj->slice[s].delay;
        if (proj->lag_max && proj->lag_max + 1 > delay[proj->pre]) delay[proj->pre] = proj->lag_max + 1;
    }
    err = lw_comm_agree(lw_net_comm(sim->net), err);
    if (err == LW_OK) lw_comm_max_i64(lw_net_comm(sim->net), delay, sim->n_pop);
    for (int p = 0; err == LW_OK && p < sim->n_pop; p++) {
        tangent_pop *tp = &t->pop[p];
        tp->early = sim->pop[p].view.level + 1 < sim->n_levels;
        tp->lines = tp->early ? delay[p] : delay[p] > 1 ? delay[p] - 1 : 0;
        if (tp->lines > t->lines_max) t->lines_max = tp->lines;
        tp->row_begin = t->rows;
        t->rows += (sim->pop[p].model->n_state + tp->lines) * sim->pop[p].view.n_local;
    }
    lw_free(delay);
    return err;
}

static lw_err arrays_take(lw_tangent *t) {
    lw_sim *sim = t->sim;
    sweep_memory *m = &t->memory;
    sweep_sizes sizes = sweep_sizes_get(sim);
    int64_t n_slots = lw_net_slots(sim->net).n, n_net = lw_net_n_local(sim->net);
    size_t row_bytes = (size_t)t->k * sizeof(double);
    t->slot = (sweep_ring){.n = n_slots, .depth = lw_net_delay_max(sim->net) + 1, .row_bytes = row_bytes};
    LW_TRY(sweep_take(m, t->rows, row_bytes, "tangent block", &t->block));
    LW_TRY(sweep_take(m, n_net, row_bytes, "emitted tangents", &t->emitted));
    LW_TRY(sweep_take(m, t->slot.depth * n_slots, row_bytes, "tangents of slots", &t->slot.base));
    LW_TRY(sweep_take(m, t->slot.depth + 1, sizeof *t->past, "past rows", &t->past));
    LW_TRY(sweep_take(m, t->slot.depth * n_slots, sizeof(uint32_t), "lists of slots", &t->list));
    LW_TRY(sweep_take(m, t->slot.depth * sim->n_pop, sizeof(int64_t), "lengths of lists", &t->n_list));
    LW_TRY(sweep_take(m, sim->n_levels > 1 ? n_slots : 0, row_bytes, "slots of a level", &t->compact));
    LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "unit slopes", &t->one));
    LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "margin tangents", &t->margin_tan));
    for (int64_t j = 0; j < sizes.n_local; j++)
        t->one[j] = 1;
    for (int i = 0; i < sizes.n_input; i++)
        LW_TRY(sweep_take(m, sizes.n_local, row_bytes, "input tangents", &t->input[i]));
    for (int i = 0; i < sizes.n_state; i++) {
        LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "states before update", &t->old[i]));
        LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "states between", &t->between[i]));
        LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "changes of states", &t->change[i]));
    }
    return LW_OK;
}

static lw_err tangent_build(lw_sim *sim, int64_t k, lw_tangent **out) {
    LW_CHECK(sim->width == 1 && sim->f64, LW_EUSE,
        "the engine has width %d and %s precision, a tangent block needs width 1 and double precision", (int)sim->width,
        sim->f64 ? "double" : "single");
    LW_CHECK(k >= 1, LW_EUSE, "a tangent block of %lld columns was asked for, at least 1 is needed", (long long)k);
    LW_TRY(lw_alloc(1, sizeof **out, "tangent block", out));
    (*out)->sim = sim;
    (*out)->k = k;
    LW_TRY(sweep_take(&(*out)->memory, sim->n_pop, sizeof *(*out)->pop, "tangent populations", &(*out)->pop));
    return engine_need_rows(sim);
}

lw_err lw_tangent_create(lw_sim *sim, int64_t k, bool at_cut, lw_tangent **out) {
    const lw_comm *comm = lw_net_comm(sim->net);
    lw_tangent *t = NULL;
    *out = NULL;
    lw_err err = lw_comm_agree(comm, tangent_build(sim, k, &t));
    if (err == LW_OK) err = lines_agree(t);
    if (err == LW_OK) err = lw_comm_agree(comm, arrays_take(t));
    if (err == LW_OK) {
        t->rows_global = t->rows;
        lw_comm_sum_i64(comm, &t->rows_global, 1);
        for (int p = 0; at_cut && p < sim->n_pop; p++)
            if (!t->pop[p].early) margin_recover(t, p);
        unsigned mode = engine_fp_begin();
        if (!at_cut) err = to_cut(t, sim->step, t->clock, false);
        engine_fp_end(mode);
    }
    if (err != LW_OK) lw_tangent_destroy(&t);
    *out = t;
    return err;
}

void lw_tangent_destroy(lw_tangent **tangent) {
    if (!tangent || !*tangent) return;
    sweep_release(&(*tangent)->memory);
    lw_free(*tangent);
    *tangent = NULL;
}

int64_t lw_tangent_rows(const lw_tangent *tangent) {
    return tangent->rows;
}
int64_t lw_tangent_rows_global(const lw_tangent *tangent) {
    return tangent->rows_global;
}
int64_t lw_tangent_k(const lw_tangent *tangent) {
    return tangent->k;
}
double *lw_tangent_block(lw_tangent *tangent) {
    return tangent->block;
}
int64_t lw_tangent_step_number(const lw_tangent *tangent) {
    return tangent->sim->step;
}

void lw_tangent_row_info(const lw_tangent *tangent, int64_t row, int64_t *gid, int32_t *state) {
    const lw_sim *sim = tangent->sim;
    int p = sim->n_pop - 1;
    LW_ASSERT(row >= 0 && row < tangent->rows);
    while (tangent->pop[p].row_begin > row)
        p--;
    const tangent_pop *tp = &tangent->pop[p];
    int64_t n_local = sim->pop[p].view.n_local, n_state = sim->pop[p].model->n_state;
    int64_t part = (row - tp->row_begin) / n_local;
    *gid = sim->pop[p].view.gid[(row - tp->row_begin) % n_local];
    if (part >= n_state) {
        /* ring entry e holds the newest value of clock c with c % lines == e */
        int64_t newest = tangent->clock + tp->lines - (tp->early ? 0 : 1);
        part = n_state + (newest - (part - n_state)) % tp->lines;
    }
    *state = (int32_t)part;
}
