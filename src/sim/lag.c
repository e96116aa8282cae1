/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Real, learned delays: forward through a ring of coming inputs (spikes are scattered once, when they are emitted, so
 * the cost goes with the spikes), backward through a ring of inputs' adjoints.
 *
 * Order of sums. An entry of the ring gets what was emitted in ascending steps, in each by ascending source, whatever
 * the partition; when the ring is made anew from the history it is filled in the same order. So states have equal bits
 * on any number of ranks and after a checkpoint.
 */
#include <string.h>
#include "sweep.h"

typedef struct edges {
    int64_t begin, end;
    bool dense;
} edges;

static inline edges edges_of(const lw_proj_view *v, int64_t n_post, int64_t row) {
    if (v->dense) return (edges){row * n_post, (row + 1) * n_post, true};
    if (v->n_slices == 0) return (edges){0, 0, false};
    return (edges){v->slice[0].row_begin[row], v->slice[0].row_begin[row + 1], false};
}
static inline int64_t target_of(const lw_proj_view *v, const edges *e, int64_t k) {
    return e->dense ? k - e->begin : (int64_t)v->target[k];
}
static inline double weight_of(const lw_proj_view *v, int64_t k) {
    if (v->weight_one) return v->weight_value;
    return v->weight_type == LW_F32 ? (double)((const float *)v->weight)[k] : ((const double *)v->weight)[k];
}
/* of a step that may be negative */
static inline int64_t ring_place(int64_t step, int64_t depth) {
    return (step % depth + depth) % depth;
}

#define REAL float
#define LW_T(name) name##_f32
#include "lag_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "lag_typed.c"

static int64_t cells(const lw_sim *sim, const lw_proj_view *v) {
    return sim->pop[v->post].view.n_local * sim->width;
}

/* ------------------------------------------------------------------ forward */

lw_err engine_lag_create(lw_sim *sim) {
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *sim->lag, "learned delays", &sim->lag));
    for (int j = 0; j < sim->n_proj; j++) {
        const lw_proj_view *v = &sim->proj[j];
        if (!v->lag_max) continue;
        size_t n = (size_t)((v->lag_max + 1) * cells(sim, v));
        LW_TRY(lw_alloc(n ? n : 1, sim->real_size, "inputs of coming steps", &sim->lag[j].ring));
    }
    return LW_OK;
}

void engine_lag_destroy(lw_sim *sim) {
    for (int j = 0; sim->lag && j < sim->n_proj; j++)
        lw_free(sim->lag[j].ring);
    lw_free(sim->lag);
}

void engine_lag_forget(lw_sim *sim) {
    for (int j = 0; sim->lag && j < sim->n_proj; j++)
        sim->lag[j].complete = false;
}

/* What was emitted at step s, felt from step `from` on. */
static int64_t emitted_add(lw_sim *sim, int j, int64_t s, int64_t from) {
    const lw_proj_view *v = &sim->proj[j];
    int64_t n = 0, n_post = sim->pop[v->post].view.n_local, events = 0;
    const uint32_t *list = engine_list(sim, v->pre, s, &n);
    const void *x = sim->pop[v->pre].rows && n ? engine_rows(sim, v->pre, s) : NULL;
    if (n == 0 || v->n_edges == 0) return 0;
    if (sim->f64)
        scatter_f64(v, n_post, sim->width, list, n, x, s, from, sim->lag[j].ring);
    else
        scatter_f32(v, n_post, sim->width, list, n, x, s, from, sim->lag[j].ring);
    for (int64_t i = 0; i < n; i++) {
        edges e = edges_of(v, n_post, list[i]);
        int64_t values = x ? 0 : 1;
        for (int64_t l = list[i] * sim->width; x && l < (list[i] + 1) * sim->width; l++)
            values += sim->f64 ? ((const double *)x)[l] != 0 : ((const float *)x)[l] != 0;
        events += values * (e.end - e.begin);
    }
    return events;
}

static void row_add(const lw_sim *sim, int64_t n, const void *from, void *to) {
    if (sim->f64)
        for (int64_t i = 0; i < n; i++)
            ((double *)to)[i] += ((const double *)from)[i];
    else
        for (int64_t i = 0; i < n; i++)
            ((float *)to)[i] += ((const float *)from)[i];
}

void engine_lag_deliver(lw_sim *sim, int proj, int64_t t, int64_t *events) {
    const lw_proj_view *v = &sim->proj[proj];
    engine_lag *lag = &sim->lag[proj];
    int level = sim->pop[v->pre].view.level;
    int64_t n = cells(sim, v), depth = v->lag_max + 1;
    size_t bytes = (size_t)n * sim->real_size;
    if (t - 1 >= engine_exchange_pending(sim, level)) (void)!engine_exchange_end(sim, level);
    if (!lag->complete || lag->next != t) {
        memset(lag->ring, 0, (size_t)depth * bytes);
        for (int64_t s = t - depth; s < t - 1; s++)
            (void)emitted_add(sim, proj, s, t);
    }
    *events += emitted_add(sim, proj, t - 1, t);
    char *now = (char *)lag->ring + (size_t)(t % depth) * bytes;
    row_add(sim, n, now, sim->pop[v->post].input[v->port]);
    memset(now, 0, bytes);
    lag->next = t + 1;
    lag->complete = true;
}

/* ------------------------------------------------------------------ sweeps */

lw_err lag_plan(const lw_sim *sim, const lw_theta *theta, sweep_memory *m, lag_sweep *lag) {
    int32_t n = 0;
    for (int j = 0; j < sim->n_proj; j++)
        n += sim->proj[j].lag_max > 0;
    LW_TRY(sweep_take(m, n, sizeof *lag->proj, "learned delays", &lag->proj));
    for (int j = 0; j < sim->n_proj; j++) {
        const lw_proj_view *v = &sim->proj[j];
        if (!v->lag_max) continue;
        lag_proj p = {.proj = j,
            .weight = sweep_weight_offset(theta, j),
            .delay = sweep_delay_offset(theta, j),
            .depth = v->lag_max + 1};
        LW_TRY(sweep_take(m, p.depth * cells(sim, v), sim->real_size, "adjoints of coming inputs", &p.in_adj));
        LW_TRY(sweep_take(m, p.depth + 1, sizeof *p.x, "rows by delay", &p.x));
        LW_TRY(sweep_take(m, p.depth + 1, sizeof *p.x_tan, "rows by delay", &p.x_tan));
        if (!m->dry) lag->proj[lag->n++] = p;
    }
    return LW_OK;
}

void lag_clear(const lw_sim *sim, lag_sweep *lag) {
    for (int32_t i = 0; i < lag->n; i++) {
        const lag_proj *p = &lag->proj[i];
        memset(p->in_adj, 0, (size_t)(p->depth * cells(sim, &sim->proj[p->proj])) * sim->real_size);
    }
}

/* Rows emitted at recorded step s (negative: before the recording). */
static const void *rows_at(lw_tape *tape, int pre, int64_t s) {
    int64_t k;
    past *emitted = tape_slots(tape, pre, s, &k);
    return past_rows(emitted, k);
}

/* in_adj: adjoints of step s + 1, NULL: zeros (the recording begins later). */
static void step_back(
    lw_tape *tape, const lag_proj *p, int64_t s, const void *in_adj, const sweep_ring *slots, double *grad) {
    lw_sim *sim = tape->sim;
    const lw_proj_view *v = &sim->proj[p->proj];
    int64_t n_post = sim->pop[v->post].view.n_local;
    size_t bytes = (size_t)cells(sim, v) * sim->real_size;
    char *place = p->in_adj + (size_t)ring_place(s + 1, p->depth) * bytes;
    double *w_grad = grad && p->weight >= 0 ? grad + p->weight : NULL;
    double *d_grad = grad && p->delay >= 0 ? grad + p->delay : NULL;
    if (in_adj)
        memcpy(place, in_adj, bytes);
    else
        memset(place, 0, bytes);
    if (v->n_edges == 0) return;
    const void *x = w_grad || d_grad ? rows_at(tape, v->pre, s) : NULL;
    void *x_adj = slots ? sweep_ring_at(slots, s) + (size_t)sim->pop[v->pre].view.slot_begin * slots->row_bytes : NULL;
    if (sim->f64)
        back_f64(v, n_post, sim->width, (const double *)(const void *)p->in_adj, s, x, x_adj, w_grad, d_grad);
    else
        back_f32(v, n_post, sim->width, (const float *)(const void *)p->in_adj, s, x, x_adj, w_grad, d_grad);
}

void lag_back(lw_tape *tape, int pop, int64_t t, int64_t first, const sweep_ring *slots, const bool *active,
    void *const *in_adj, double *grad) {
    const lw_sim *sim = tape->sim;
    const lag_sweep *lag = &tape->room->lag;
    for (int32_t i = 0; i < lag->n; i++) {
        const lag_proj *p = &lag->proj[i];
        const lw_proj_view *v = &sim->proj[p->proj];
        if (v->post != pop) continue;
        step_back(tape, p, t - 1, in_adj[v->port], t > first && active[v->pre] ? slots : NULL, grad);
    }
}

void lag_back_end(lw_tape *tape, int64_t first, const bool *active, double *grad) {
    const lw_sim *sim = tape->sim;
    const lag_sweep *lag = &tape->room->lag;
    for (int32_t i = 0; i < lag->n && grad; i++) {
        const lag_proj *p = &lag->proj[i];
        if (!active[sim->proj[p->proj].post]) continue;
        for (int64_t s = first - 2; s >= first - p->depth; s--)
            step_back(tape, p, s, NULL, NULL, grad);
    }
}

void lag_gather(bool f64, const lw_proj_view *proj, int64_t n_post, int64_t width, const void *const *x, void *acc) {
    if (proj->n_edges == 0) return;
    if (f64)
        gather_f64(proj, n_post, width, x, acc);
    else
        gather_f32(proj, n_post, width, x, acc);
}

void lag_push(lw_tape *tape, int proj, int64_t t, const sweep_ring *slots, const double *direction, void *in_tan) {
    const lw_sim *sim = tape->sim;
    lag_proj *p = tape->room->lag.proj;
    while (p->proj != proj)
        p++;
    const lw_proj_view *v = &sim->proj[proj];
    int64_t n_post = sim->pop[v->post].view.n_local;
    size_t begin = slots ? (size_t)sim->pop[v->pre].view.slot_begin * slots->row_bytes : 0;
    const double *w_tan = direction && p->weight >= 0 ? direction + p->weight : NULL;
    const double *d_tan = direction && p->delay >= 0 ? direction + p->delay : NULL;
    for (int64_t d = 1; d <= p->depth; d++) {
        p->x[d] = w_tan || d_tan ? rows_at(tape, v->pre, t - d) : NULL;
        p->x_tan[d] = slots && t >= d ? sweep_ring_at(slots, t - d) + begin : NULL;
    }
    if (slots) lag_gather(sim->f64, v, n_post, sim->width, p->x_tan, in_tan);
    if (v->n_edges == 0 || (!w_tan && !d_tan)) return;
    if (sim->f64)
        gather_moving_f64(v, n_post, sim->width, p->x, w_tan, d_tan, in_tan);
    else
        gather_moving_f32(v, n_post, sim->width, p->x, w_tan, d_tan, in_tan);
}
