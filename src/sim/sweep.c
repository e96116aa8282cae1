/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What both sweeps and the tangent block stand on: memory of one lifetime, rows between owners and slots level by
 * level, packing of the steps of an epoch into one message, and the reach of what is learned. No sweep is here.
 */
#include <string.h>
#include "sweep.h"

lw_err sweep_take(sweep_memory *m, int64_t count, size_t size, const char *what, void *out) {
    void *p = NULL;
    m->bytes += count * (int64_t)size;
    if (!m->dry) {
        if (m->n == m->room) {
            int64_t room = m->room ? 2 * m->room : 32;
            LW_TRY(lw_grow(&m->block, (size_t)m->room, (size_t)room, sizeof *m->block, "list of sweep arrays"));
            m->room = room;
        }
        LW_TRY(lw_alloc((size_t)count, size, what, &p));
        m->block[m->n++] = p;
    }
    memcpy(out, &p, sizeof p);
    return LW_OK;
}

void sweep_release(sweep_memory *m) {
    for (int64_t i = 0; i < m->n; i++)
        lw_free(m->block[i]);
    lw_free(m->block);
    *m = (sweep_memory){0};
}

/* ------------------------------------------------------------------ rows between owners and slots */

/* With several levels a halo knows the slots of its level only, numbered without gaps in slot order. */
static void level_copy(const lw_sim *sim, int level, size_t row_bytes, char *slots, char *compact, bool out) {
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *v = &sim->pop[p].view;
        if (v->level != level) continue;
        size_t bytes = (size_t)v->n_slots * row_bytes;
        char *s = slots + (size_t)v->slot_begin * row_bytes;
        if (bytes) memcpy(out ? compact : s, out ? s : compact, bytes);
        compact += bytes;
    }
}

void sweep_push(lw_sim *sim, int level, size_t row_bytes, const void *local, void *slots, void *compact) {
    bool whole = sim->n_levels == 1;
    lw_halo_rows_begin(sim->halo[level], local, row_bytes);
    lw_halo_rows_end(sim->halo[level], whole ? slots : compact);
    if (!whole) level_copy(sim, level, row_bytes, slots, compact, false);
}

void sweep_pull(lw_sim *sim, int level, int64_t lanes, void *slots, void *local, void *compact) {
    bool whole = sim->n_levels == 1;
    if (!whole) level_copy(sim, level, (size_t)lanes * sim->real_size, slots, compact, true);
    lw_halo_reverse_add(sim->halo[level], sim->f64 ? LW_F64 : LW_F32, lanes, whole ? slots : compact, local);
}

char *sweep_ring_at(const sweep_ring *ring, int64_t step) {
    return ring->base + (size_t)((step % ring->depth) * ring->n) * ring->row_bytes;
}

lw_err sweep_ring_plan(sweep_memory *m, int64_t depth, int64_t n, size_t row_bytes, sweep_ring *ring) {
    *ring = (sweep_ring){.n = n, .depth = depth, .row_bytes = row_bytes};
    return sweep_take(m, depth * n, row_bytes, "ring of a sweep", &ring->base);
}

void sweep_pack(const sweep_ring *ring, int64_t first, int64_t steps, char *packed) {
    size_t bytes = ring->row_bytes;
    for (int64_t s = 0; s < steps; s++) {
        const char *from = sweep_ring_at(ring, first + s);
        for (int64_t i = 0; i < ring->n; i++)
            memcpy(packed + (size_t)(i * steps + s) * bytes, from + (size_t)i * bytes, bytes);
    }
}

void sweep_unpack(const sweep_ring *ring, int64_t first, int64_t steps, const char *packed) {
    size_t bytes = ring->row_bytes;
    for (int64_t s = 0; s < steps; s++) {
        char *to = sweep_ring_at(ring, first + s);
        for (int64_t i = 0; i < ring->n; i++)
            memcpy(to + (size_t)i * bytes, packed + (size_t)(i * steps + s) * bytes, bytes);
    }
}

/* ------------------------------------------------------------------ what is learned */

int64_t sweep_weight_offset(const lw_theta *theta, int proj) {
    for (int b = 0; theta && b < theta->n_blocks; b++)
        if (theta->block[b].is_weight && theta->block[b].proj == proj) return theta->block[b].offset;
    return -1;
}

int64_t sweep_delay_offset(const lw_theta *theta, int proj) {
    for (int b = 0; theta && b < theta->n_blocks; b++)
        if (theta->block[b].is_delay && theta->block[b].proj == proj) return theta->block[b].offset;
    return -1;
}

bool sweep_has_params(const lw_theta *theta, int pop) {
    for (int b = 0; theta && b < theta->n_blocks; b++)
        if (!theta->block[b].is_weight && theta->block[b].pop == pop) return true;
    return false;
}

void sweep_params(const lw_theta *theta, int pop, double *x, double **param) {
    for (int b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        if (!block->is_weight && block->pop == pop) param[block->param] = x + block->offset;
    }
}

void sweep_reach(const lw_sim *sim, const lw_theta *theta, bool *active) {
    for (int b = 0; theta && b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        active[block->is_weight || block->is_delay ? sim->proj[block->proj].post : block->pop] = true;
    }
    for (bool more = true; more;) {
        more = false;
        for (int j = 0; j < sim->n_proj; j++) {
            const lw_proj_view *proj = &sim->proj[j];
            if (!active[proj->pre] || active[proj->post]) continue;
            active[proj->post] = more = true;
        }
    }
}

sweep_sizes sweep_sizes_get(const lw_sim *sim) {
    sweep_sizes s = {0};
    for (int p = 0; p < sim->n_pop; p++) {
        const engine_pop *pop = &sim->pop[p];
        if (pop->view.n_local > s.n_local) s.n_local = pop->view.n_local;
        if (pop->view.n_slots > s.n_rows) s.n_rows = pop->view.n_slots;
        if (pop->model->n_input > s.n_input) s.n_input = pop->model->n_input;
        if (pop->model->n_state > s.n_state) s.n_state = pop->model->n_state;
        if (pop->model->n_param > s.n_param) s.n_param = pop->model->n_param;
    }
    return s;
}

void sweep_to_f64(bool f64, int64_t n, const void *x, double *out) {
    if (f64) {
        memcpy(out, x, (size_t)n * sizeof *out);
        return;
    }
    const float *from = x;
    for (int64_t i = 0; i < n; i++)
        out[i] = from[i];
}

void sweep_from_f64(bool f64, int64_t n, const double *x, void *out) {
    if (f64) {
        memcpy(out, x, (size_t)n * sizeof *x);
        return;
    }
    float *to = out;
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)x[i];
}
