/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The steps of plastic projections. A weight is looked at only when its source's spike is delivered: then the target's
 * spikes since the source's spike before are made up for, in their order, and then the spike itself. The row kernel of
 * the synapse model does both for the synapses of one source and delay.
 */
#include "plastic.h"
#include <string.h>

/* ------------------------------------------------------------------ sources */

/* Spike at `step` of a source with this state. */
static void source_spike(const engine_plastic *x, double *state, int64_t step) {
    x->model->pre_spike(x->coef, ((double)step - state[0]) * x->dt, state + 1);
    state[0] = (double)step;
}

static void out_of_memory(lw_sim *sim) {
    if (sim->error == LW_OK) sim->error = LW_EMEM;
}

void plastic_note(lw_sim *sim, engine_plastic *x, int64_t step) {
    int32_t pre = sim->proj[x->proj].pre;
    int64_t stride = x->flying.stride;
    while (x->flying.next <= step) {
        int64_t now = x->flying.next, n = 0;
        const uint32_t *list = engine_list(sim, pre, now, &n);
        if (!plastic_ring_step(&x->flying, n)) {
            out_of_memory(sim);
            return;
        }
        for (int64_t i = 0; i < n; i++) {
            double *state = x->source + list[i] * stride;
            memcpy(plastic_ring_at(&x->flying, x->flying.end++), state, (size_t)stride * sizeof *state);
            source_spike(x, state, now);
        }
    }
}

/* The state by owned neuron is behind by what a checkpoint's spikes in flight bring again. */
static void own_note(lw_sim *sim, engine_plastic *x, int64_t t) {
    int32_t pre = sim->proj[x->proj].pre;
    plastic_ring *r = &x->own_flying;
    int64_t stride = 1 + x->model->n_pre;
    while (r->next < t) {
        int64_t now = r->next, *n = NULL, old = now - x->delay_high, end = r->end;
        const uint32_t *list = engine_own_list(sim, pre, now, &n);
        if (old >= 0 && r->first < r->end) {
            if (old + 1 < now) end = r->begin[(old + 1) % r->depth];
            int64_t begin = r->begin[old % r->depth];
            for (int64_t i = begin < r->first ? r->first : begin; i < end; i++)
                source_spike(x, x->own + (int64_t)*plastic_ring_at(r, i) * stride, old);
        }
        if (!plastic_ring_step(r, *n)) {
            out_of_memory(sim);
            return;
        }
        for (int64_t i = 0; i < *n; i++)
            *plastic_ring_at(r, r->end++) = list[i];
    }
}

/* ------------------------------------------------------------------ targets */

static double settled_least(const lw_sim *sim, const engine_plastic *x) {
    double least = 0x1p53;
    for (int32_t s = 0; s < sim->proj[x->proj].n_slices; s++)
        least = x->settled[s] < least ? x->settled[s] : least;
    return least;
}

lw_err plastic_trail_grow(engine_plastic *x) {
    int64_t stride = 1 + x->model->n_post, mask = 2 * x->mask + 1;
    double *entry = NULL;
    LW_TRY(lw_alloc((size_t)(x->n_post * (mask + 1) * stride), sizeof *entry, "recent spikes of targets", &entry));
    for (int64_t i = 0; i < x->n_post; i++) {
        int64_t e = x->count[i] > x->mask ? x->count[i] - x->mask : 0;
        for (; e <= x->count[i]; e++)
            memcpy(entry + (i * (mask + 1) + (e & mask)) * stride,
                x->entry + (i * (x->mask + 1) + (e & x->mask)) * stride, (size_t)stride * sizeof *entry);
    }
    lw_free(x->entry);
    x->entry = entry;
    x->mask = mask;
    return LW_OK;
}

/* Would the next entry of target i take the place of one that is still wanted? The first entry older than all spikes
 * that are not settled stays: pre spikes read it, and the post spike after it was made from it. */
static bool trail_full(const engine_plastic *x, int64_t i, double least) {
    int64_t stride = 1 + x->model->n_post, second = x->count[i] + 1 - x->mask;
    if (second < 1) return false;
    return x->entry[(i * (x->mask + 1) + (second & x->mask)) * stride] >= least;
}

/* Post spikes of step s. */
static void post_enter(lw_sim *sim, engine_plastic *x, int64_t s, int64_t t, double *least) {
    int64_t stride = 1 + x->model->n_post, *n = NULL;
    const uint32_t *list = engine_own_list(sim, sim->proj[x->proj].post, s, &n);
    for (int64_t k = 0; k < *n; k++) {
        int64_t i = list[k];
        if (trail_full(x, i, *least)) {
            plastic_settle(sim, x, t, s - 1);
            *least = settled_least(sim, x);
        }
        while (trail_full(x, i, *least))
            if (plastic_trail_grow(x) != LW_OK) {
                out_of_memory(sim);
                return;
            }
        double *ring = x->entry + i * (x->mask + 1) * stride;
        const double *from = ring + (x->count[i] & x->mask) * stride;
        double *to = ring + (++x->count[i] & x->mask) * stride;
        memcpy(to + 1, from + 1, (size_t)x->model->n_post * sizeof *to);
        x->model->post_spike(x->coef, ((double)s - from[0]) * x->dt, to + 1);
        to[0] = (double)s;
    }
}

void plastic_catch_up(lw_sim *sim, engine_plastic *x, int64_t t) {
    own_note(sim, x, t);
    if (!x->entry || x->posted >= t) {
        x->posted = t;
        return;
    }
    double least = settled_least(sim, x);
    for (; x->posted < t; x->posted++)
        post_enter(sim, x, x->posted, t, &least);
}

/* ------------------------------------------------------------------ rows */

/* Everything of a row's kernel that the source and the slice decide; state: the source before the spike at `step`. */
static lw_synapse_row row_begin(
    const engine_plastic *x, const lw_synapse_trail *trail, const double *state, double settled, int32_t delay) {
    lw_synapse_row row = {.coef = x->coef, .dt = x->dt, .pre = state + 1, .after = settled, .trail = trail};
    row.last = state[0] + (x->in_axon ? delay : -delay);
    if (state[0] < 0) return row; /* the start is no spike: post spikes before it count */
    double after = x->in_axon ? row.last - 1 : row.last;
    row.after = after > settled ? after : settled;
    return row;
}

static lw_synapse_trail trail_of(const engine_plastic *x) {
    return (lw_synapse_trail){.count = x->count, .entry = x->entry, .mask = x->mask};
}

/* Run the kernel over synapses [edge, end) of a row, adding what is delivered to acc (NULL: nothing is). */
static void row_run(const lw_sim *sim, const engine_plastic *x, const lw_proj_view *v, lw_synapse_row *row,
    int64_t row_edge, int64_t edge, int64_t end, void *acc) {
    size_t size = lw_dtype_size(v->weight_type);
    row->delivered = acc ? x->delivered : NULL;
    for (; edge < end; edge += PLASTIC_CHUNK) {
        row->n = end - edge < PLASTIC_CHUNK ? end - edge : PLASTIC_CHUNK;
        row->target = v->dense ? x->index + (edge - row_edge) : v->target + edge;
        row->weight = (char *)v->weight + (size_t)edge * size;
        x->model->row[v->weight_type == LW_F64](row);
        if (!acc) continue;
        if (sim->f64)
            for (int64_t i = 0; i < row->n; i++)
                ((double *)acc)[row->target[i]] += x->delivered[i];
        else
            for (int64_t i = 0; i < row->n; i++)
                ((float *)acc)[row->target[i]] += (float)x->delivered[i];
    }
}

static void row_edges(
    const lw_proj_view *v, const lw_slice *slice, int64_t n_post, int64_t r, int64_t *begin, int64_t *end) {
    *begin = v->dense ? r * n_post : slice->row_begin[r];
    *end = v->dense ? *begin + n_post : slice->row_begin[r + 1];
}

/* x->cut: states of sources before their spikes of steps from `step` on, going back from *done. */
static void cut_back(const lw_sim *sim, const engine_plastic *x, int64_t step, int64_t *done) {
    int32_t pre = sim->proj[x->proj].pre;
    int64_t stride = x->flying.stride;
    if (step < 0) step = 0;
    while (*done > step) {
        int64_t n = 0, s = --*done;
        const uint32_t *list = engine_list(sim, pre, s, &n);
        for (int64_t i = 0; i < n; i++)
            memcpy(x->cut + list[i] * stride, plastic_ring_at(&x->flying, x->flying.begin[s % x->flying.depth] + i),
                (size_t)stride * sizeof *x->cut);
    }
}

void plastic_settle(lw_sim *sim, engine_plastic *x, int64_t t, int64_t known) {
    const lw_proj_view *v = &sim->proj[x->proj];
    const lw_synapse_trail trail = trail_of(x);
    int64_t done = x->flying.next, stride = x->flying.stride;
    memcpy(x->cut, x->source, (size_t)(x->n_rows * stride) * sizeof *x->cut);
    for (int32_t s = 0; s < v->n_slices; s++) {
        const lw_slice *slice = &v->slice[s];
        int64_t until = t - 2 * (int64_t)slice->delay;
        if (x->in_axon || until > known) until = known;
        if ((double)until <= x->settled[s]) continue;
        if (x->model->post_changes_weight) {
            cut_back(sim, x, t - slice->delay, &done);
            for (int64_t r = 0; r < x->n_rows; r++) {
                int64_t begin, end;
                row_edges(v, slice, x->n_post, r, &begin, &end);
                lw_synapse_row row = row_begin(x, &trail, x->cut + r * stride, x->settled[s], slice->delay);
                row.until = row.now = (double)until;
                if (row.after < row.until) row_run(sim, x, v, &row, begin, begin, end, NULL);
            }
        }
        x->settled[s] = (double)until;
    }
}

void engine_plastic_deliver(lw_sim *sim, int32_t proj, int64_t t, int64_t *events) {
    engine_plastic *x = sim->plastic[proj];
    const lw_proj_view *v = &sim->proj[proj];
    void *acc = sim->pop[v->post].input[v->port];
    int level = sim->pop[v->pre].view.level;
    plastic_catch_up(sim, x, t);
    const lw_synapse_trail trail = trail_of(x);
    for (int32_t s = v->n_slices - 1; s >= 0; s--) {
        const lw_slice *slice = &v->slice[s];
        int64_t step = t - slice->delay, n = 0;
        if (step < 0) continue;
        if (step >= engine_exchange_pending(sim, level)) (void)!engine_exchange_end(sim, level);
        plastic_note(sim, x, step);
        if (sim->error != LW_OK) return;
        const uint32_t *list = engine_list(sim, v->pre, step, &n);
        int64_t number = x->flying.begin[step % x->flying.depth];
        for (int64_t i = 0; i < n; i++) {
            int64_t begin, end;
            row_edges(v, slice, x->n_post, list[i], &begin, &end);
            lw_synapse_row row =
                row_begin(x, &trail, plastic_ring_at(&x->flying, number + i), x->settled[s], slice->delay);
            row.now = (double)(step + (x->in_axon ? slice->delay : -slice->delay));
            row.until = x->in_axon ? row.now - 1 : row.now;
            row_run(sim, x, v, &row, begin, begin, end, acc);
            *events += end - begin;
        }
    }
}
