/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Projections with a synapse model: creation, the state at the start, and access for checkpoints. The work of a step is
 * in plastic_deliver.c.
 */
#include "plastic.h"
#include <string.h>

enum { TRAIL = 32 /* entries per target at first; a power of 2 */ };

/* ------------------------------------------------------------------ rings */

lw_err plastic_ring_create(plastic_ring *r, int64_t stride, int64_t depth) {
    r->stride = stride;
    r->depth = depth;
    r->room = 256;
    LW_TRY(lw_alloc((size_t)(r->room * stride), sizeof *r->record, "spikes on their way", &r->record));
    return lw_alloc((size_t)depth, sizeof *r->begin, "spikes on their way", &r->begin);
}

void plastic_ring_clear(plastic_ring *r, int64_t next) {
    r->first = r->end = 0;
    r->next = next;
    memset(r->begin, 0, (size_t)r->depth * sizeof *r->begin);
}

static bool ring_grow(plastic_ring *r, int64_t n) {
    double *record = NULL;
    int64_t room = 2 * r->room;
    while (room < n)
        room *= 2;
    if (lw_alloc((size_t)(room * r->stride), sizeof *record, "spikes on their way", &record) != LW_OK) return false;
    for (int64_t i = r->first; i < r->end; i++)
        memcpy(record + i % room * r->stride, plastic_ring_at(r, i), (size_t)r->stride * sizeof *record);
    lw_free(r->record);
    r->record = record;
    r->room = room;
    return true;
}

bool plastic_ring_step(plastic_ring *r, int64_t n) {
    int64_t oldest = r->next + 1 - r->depth; /* the first step that stays */
    if (oldest >= 0) r->first = oldest == r->next ? r->end : r->begin[oldest % r->depth];
    if (r->end - r->first + n > r->room && !ring_grow(r, r->end - r->first + n)) return false;
    r->begin[r->next % r->depth] = r->end;
    r->next++;
    return true;
}

/* ------------------------------------------------------------------ creation */

static lw_err one_create(lw_sim *sim, int32_t k, engine_plastic *x) {
    const lw_proj_view *v = &sim->proj[k];
    const lw_synapse_model *m = v->synapse;
    LW_CHECK(sim->width == 1 && !sim->options.smooth, LW_EUSE,
        "projection \"%s\" has synapse model %s, which only plain simulations with one lane and hard spikes know",
        v->name, m->name);
    LW_CHECK(m->abi == LW_KERNEL_ABI, LW_EUSE,
        "synapse model %s was compiled for kernel interface %d; this program has %d", m->name, (int)m->abi,
        LW_KERNEL_ABI);
    *x = (engine_plastic){.model = m, .proj = k, .in_axon = v->delay_in_axon, .dt = lw_net_dt(sim->net)};
    lw_net_proj_delays(sim->net, k, &x->delay_low, &x->delay_high);
    LW_CHECK(x->delay_low != 0, LW_EUSE,
        "projection \"%s\" with synapse model %s has a delay of 0; allowed: a step and more", v->name, m->name);
    if (x->delay_high < 1) x->delay_high = 1;
    m->derive(v->synapse_param, x->coef);
    m->init(v->synapse_param, x->pre, x->post);
    x->n_rows = v->n_rows;
    x->n_own = sim->pop[v->pre].view.n_local;
    x->n_post = sim->pop[v->post].view.n_local;
    int64_t width = 1 + m->n_pre;
    LW_TRY(lw_alloc((size_t)(x->n_rows * width), sizeof(double), "plastic synapses", &x->source));
    LW_TRY(lw_alloc((size_t)(x->n_rows * width), sizeof(double), "plastic synapses", &x->cut));
    LW_TRY(lw_alloc((size_t)(x->n_own * width), sizeof(double), "plastic synapses", &x->own));
    LW_TRY(plastic_ring_create(&x->flying, width, x->delay_high + 1));
    LW_TRY(plastic_ring_create(&x->own_flying, 1, x->delay_high + 1));
    LW_TRY(lw_alloc((size_t)v->n_slices, sizeof(double), "plastic synapses", &x->settled));
    LW_TRY(lw_alloc(PLASTIC_CHUNK, sizeof(double), "plastic synapses", &x->delivered));
    if (v->dense) LW_TRY(lw_alloc((size_t)x->n_post, sizeof *x->index, "plastic synapses", &x->index));
    for (int64_t i = 0; v->dense && i < x->n_post; i++)
        x->index[i] = (uint32_t)i;
    LW_TRY(lw_alloc((size_t)x->n_post, sizeof *x->count, "plastic synapses", &x->count));
    x->mask = TRAIL - 1;
    if (!m->needs_post) return LW_OK;
    return lw_alloc(
        (size_t)(x->n_post * TRAIL * (1 + m->n_post)), sizeof(double), "recent spikes of targets", &x->entry);
}

static void one_destroy(engine_plastic *x) {
    lw_free(x->source);
    lw_free(x->cut);
    lw_free(x->own);
    lw_free(x->flying.record);
    lw_free(x->flying.begin);
    lw_free(x->own_flying.record);
    lw_free(x->own_flying.begin);
    lw_free(x->settled);
    lw_free(x->delivered);
    lw_free(x->index);
    lw_free(x->count);
    lw_free(x->entry);
}

lw_err engine_plastic_create(lw_sim *sim) {
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof(engine_plastic *), "plastic synapses", &sim->plastic));
    for (int32_t k = 0; k < sim->n_proj; k++) {
        if (!sim->proj[k].plastic) continue;
        LW_TRY(lw_alloc(1, sizeof(engine_plastic), "plastic synapses", &sim->plastic[k]));
        LW_TRY(one_create(sim, k, sim->plastic[k]));
    }
    return LW_OK;
}

void engine_plastic_destroy(lw_sim *sim) {
    for (int32_t k = 0; sim->plastic && k < sim->n_proj; k++) {
        if (sim->plastic[k]) one_destroy(sim->plastic[k]);
        lw_free(sim->plastic[k]);
    }
    lw_free(sim->plastic);
    sim->plastic = NULL;
}

lw_err engine_plastic_refuse(const lw_sim *sim, const char *what) {
    for (int32_t k = 0; sim->plastic && k < sim->n_proj; k++)
        LW_CHECK(!sim->plastic[k], LW_EUSE, "projection \"%s\" has synapse model %s; %s knows static synapses only",
            sim->proj[k].name, sim->plastic[k]->model->name, what);
    return LW_OK;
}

/* ------------------------------------------------------------------ beginning */

static void sources_clear(const engine_plastic *x, int64_t n, double *state) {
    int64_t width = 1 + x->model->n_pre;
    for (int64_t i = 0; i < n; i++) {
        state[i * width] = -1;
        memcpy(state + i * width + 1, x->pre, (size_t)x->model->n_pre * sizeof *state);
    }
}

/* Before the deliveries of step t nothing is pending but what the delays hold back. */
static void settled_set(const lw_sim *sim, engine_plastic *x, int64_t t) {
    const lw_proj_view *v = &sim->proj[x->proj];
    for (int32_t s = 0; s < v->n_slices; s++) {
        int64_t step = x->in_axon ? t - 1 : t - 2 * (int64_t)v->slice[s].delay;
        x->settled[s] = step < -1 ? -1 : (double)step;
    }
}

void engine_plastic_reset(lw_sim *sim) {
    for (int32_t k = 0; sim->plastic && k < sim->n_proj; k++) {
        engine_plastic *x = sim->plastic[k];
        if (!x) continue;
        int64_t width = 1 + x->model->n_post;
        sources_clear(x, x->n_rows, x->source);
        sources_clear(x, x->n_own, x->own);
        plastic_ring_clear(&x->flying, 0);
        plastic_ring_clear(&x->own_flying, 0);
        memset(x->count, 0, (size_t)x->n_post * sizeof *x->count);
        for (int64_t i = 0; x->entry && i < x->n_post; i++) {
            double *entry = x->entry + i * (x->mask + 1) * width;
            entry[0] = -1;
            memcpy(entry + 1, x->post, (size_t)x->model->n_post * sizeof *entry);
        }
        x->posted = 0;
        settled_set(sim, x, 0);
    }
}

/* ------------------------------------------------------------------ access */

void lw_sim_weights_settle(lw_sim *sim) {
    unsigned mode = engine_fp_begin();
    for (int32_t k = 0; sim->plastic && k < sim->n_proj; k++) {
        engine_plastic *x = sim->plastic[k];
        if (!x) continue;
        plastic_catch_up(sim, x, sim->step);
        plastic_note(sim, x, sim->step - 1);
        plastic_settle(sim, x, sim->step, sim->step - 1);
    }
    engine_fp_end(mode);
}

bool lw_sim_is_plastic(const lw_sim *sim, int proj) {
    return sim->plastic[proj] != NULL;
}

void lw_sim_sources_get(lw_sim *sim, int proj, double *out) {
    engine_plastic *x = sim->plastic[proj];
    lw_sim_weights_settle(sim);
    memcpy(out, x->own, (size_t)(x->n_own * (1 + x->model->n_pre)) * sizeof *out);
}

lw_err lw_sim_sources_set(lw_sim *sim, int proj, const double *in) {
    engine_plastic *x = sim->plastic[proj];
    const lw_comm *comm = lw_net_comm(sim->net);
    lw_slot_view slots = lw_net_slots(sim->net);
    const lw_pop_view *pre = &sim->pop[sim->proj[proj].pre].view;
    int64_t width = 1 + x->model->n_pre;
    size_t bytes = (size_t)width * sizeof(double);
    double *own = NULL, *all = NULL;
    lw_halo *halo = NULL;
    lw_err err = lw_alloc((size_t)lw_net_n_local(sim->net), bytes, "states of sources", &own);
    if (err == LW_OK) err = lw_alloc((size_t)slots.n, bytes, "states of sources", &all);
    LW_TRY_TO(lw_comm_agree(comm, err), done);
    LW_TRY_TO(lw_halo_create(comm, lw_net_n_local(sim->net), slots.n, slots.owner, slots.owner_lid, &halo), done);
    memcpy(x->own, in, (size_t)x->n_own * bytes);
    memcpy(own + pre->lid_begin * width, in, (size_t)x->n_own * bytes);
    lw_halo_rows_begin(halo, own, bytes);
    lw_halo_rows_end(halo, all);
    memcpy(x->source, all + pre->slot_begin * width, (size_t)x->n_rows * bytes);
    int64_t from = sim->step - x->delay_high;
    plastic_ring_clear(&x->flying, from > 0 ? from : 0);
    plastic_ring_clear(&x->own_flying, from > 0 ? from : 0);
    settled_set(sim, x, sim->step);
done:
    lw_halo_destroy(&halo);
    lw_free(all);
    lw_free(own);
    return err;
}

/* Entries that some synapse may still ask for: the spikes of the last 2 delay_high steps, and the one before them. */
static int64_t oldest_wanted(const lw_sim *sim, const engine_plastic *x, int64_t i) {
    double from = (double)(sim->step - 2 * (int64_t)x->delay_high);
    int64_t stride = 1 + x->model->n_post, e = x->count[i];
    const double *entry = x->entry + i * (x->mask + 1) * stride;
    while (e > 0 && entry[(e & x->mask) * stride] >= from)
        e--;
    return e;
}

int64_t lw_sim_targets_depth(lw_sim *sim, int proj) {
    engine_plastic *x = sim->plastic[proj];
    int64_t most = 0;
    lw_sim_weights_settle(sim);
    for (int64_t i = 0; x->entry && i < x->n_post; i++) {
        int64_t n = x->count[i] - oldest_wanted(sim, x, i) + 1;
        most = n > most ? n : most;
    }
    return most;
}

void lw_sim_targets_get(lw_sim *sim, int proj, int64_t depth, double *out) {
    engine_plastic *x = sim->plastic[proj];
    int64_t stride = 1 + x->model->n_post;
    size_t bytes = (size_t)stride * sizeof *out;
    memset(out, 0, (size_t)(x->n_post * depth) * bytes);
    for (int64_t i = 0; x->entry && i < x->n_post; i++) {
        const double *entry = x->entry + i * (x->mask + 1) * stride;
        double *to = out + i * depth * stride;
        int64_t from = oldest_wanted(sim, x, i);
        for (int64_t e = 0; e < depth; e++)
            if (from + e <= x->count[i])
                memcpy(to + e * stride, entry + ((from + e) & x->mask) * stride, bytes);
            else
                to[e * stride] = -2; /* no entry */
    }
}

lw_err lw_sim_targets_set(lw_sim *sim, int proj, int64_t depth, const double *in) {
    engine_plastic *x = sim->plastic[proj];
    int64_t stride = 1 + x->model->n_post;
    x->posted = sim->step;
    while (x->entry && depth > x->mask)
        LW_TRY(plastic_trail_grow(x));
    for (int64_t i = 0; x->entry && i < x->n_post; i++) {
        double *entry = x->entry + i * (x->mask + 1) * stride;
        x->count[i] = 0;
        for (int64_t e = 0; e < depth; e++) {
            const double *from = in + (i * depth + e) * stride;
            if (from[0] < -1) break;
            x->count[i] = e;
            memcpy(entry + e * stride, from, (size_t)stride * sizeof *entry);
        }
    }
    return LW_OK;
}
