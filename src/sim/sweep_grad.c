/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Gradients of weights, (5) of SWEEPS.md, for many steps at once: adjoints of an input port wait, transposed, in a
 * panel [steps, lane][n_local]; when it is full, every row of every learned projection onto the port is visited once
 * and adds the panel's columns at which it emitted. So the work goes with the number of values that are not zero
 * (spikes), and a gradient is read and written once per panel.
 */
#include <string.h>
#include "nonzero.h"
#include "dropout.h"
#include "ragged.h"
#include "sweep.h"

enum {
    EDGES = 256, /* sums of a sparse row kept at a time */
    /* of a dense projection as many rows are listed at a time as find room, up to ROWS: ROOM rows without any zero */
    ROOM = 64,
    ROWS = 2048,
    PANEL_BYTES = 1 << 19, /* a panel should stay in the second cache; of dense projections, a block of it */
    DENSE_BYTES = 1 << 24,
    DENSE_COLUMNS = 1024,
    PANEL_STEPS = 64
};

/* Where one row is not zero, a bit per column of the panel. Returns the number of words. */
static int64_t row_bits(const sweep_grad *g, int64_t row, int64_t width, int64_t steps) {
    uint64_t word = 0;
    int64_t n_words = 0, held = 0;
    for (int64_t l0 = 0, s = 0; s < steps; l0 + 64 < width ? (l0 += 64) : (l0 = 0, s++)) {
        int64_t n = width - l0 < 64 ? width - l0 : 64;
        uint64_t b = bits_at(g->of_step[s], row * width + l0, n);
        word |= b << held;
        held += n;
        if (held < 64) continue;
        held -= 64;
        g->bits[n_words++] = word;
        word = held ? b >> (n - held) : 0;
    }
    if (held) g->bits[n_words++] = word;
    return n_words;
}

#define REAL float
#define LW_T(name) name##_f32
#include "sweep_grad_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "sweep_grad_typed.c"

static bool is_learned(const lw_sim *sim, const lw_theta *theta, int p, int port) {
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++)
        if (!sim->proj[sim->incoming[k]].lag_max && sim->proj[sim->incoming[k]].port == port &&
            sweep_weight_offset(theta, sim->incoming[k]) >= 0)
            return true;
    return false;
}

static bool is_dense(const lw_sim *sim, const lw_theta *theta, int p, int port) {
    bool dense = true;
    for (int k = sim->incoming_begin[p]; k < sim->incoming_begin[p + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        if (proj->port == port && sweep_weight_offset(theta, sim->incoming[k]) >= 0) dense = dense && proj->dense;
    }
    return dense;
}

/* Steps that wait in a panel. A gradient is read and written once per panel, so dense ones want long panels; the lines
 * of sparse ones are looked up by target and must stay near. */
static int64_t panel_room(const lw_sim *sim, int p, bool dense) {
    int64_t row = sim->pop[p].view.n_local * sim->width * (int64_t)sim->real_size + 1;
    int64_t room = PANEL_BYTES / row, more = DENSE_BYTES / row;
    if (dense && more > DENSE_COLUMNS / sim->width) more = DENSE_COLUMNS / sim->width;
    if (dense && more > room) room = more;
    return room < 1 ? 1 : room > PANEL_STEPS ? PANEL_STEPS : room;
}

lw_err sweep_grad_plan(const lw_sim *sim, const lw_theta *theta, sweep_memory *m, sweep_grad *g) {
    int64_t n_panel = 0, columns = 0;
    for (int p = 0; p < sim->n_pop; p++)
        for (int port = 0; port < sim->pop[p].model->n_input; port++)
            n_panel += is_learned(sim, theta, p, port);
    LW_TRY(sweep_take(m, n_panel, sizeof *g->panel, "gradient panels", &g->panel));
    for (int p = 0; p < sim->n_pop; p++) {
        int64_t n = sim->pop[p].view.n_local;
        for (int port = 0; port < sim->pop[p].model->n_input; port++) {
            if (!is_learned(sim, theta, p, port)) continue;
            bool dense = is_dense(sim, theta, p, port);
            int64_t room = panel_room(sim, p, dense);
            sweep_panel panel = {.pop = p, .port = port, .room = room, .block = n};
            if (dense && n > 8 * VECTOR_BYTES / (int64_t)sim->real_size)
                panel.block = 8 * VECTOR_BYTES / (int64_t)sim->real_size;
            LW_TRY(sweep_take(m, room * sim->width * n, sim->real_size, "gradient panel", &panel.adj));
            if (!m->dry) g->panel[g->n_panel++] = panel;
            if (room * sim->width > columns) columns = room * sim->width;
        }
    }
    LW_TRY(sweep_tied_plan(sim, theta, m, g));
    LW_TRY(sweep_take(m, PANEL_STEPS, sizeof *g->from, "gradient steps", &g->from));
    LW_TRY(sweep_take(m, PANEL_STEPS, sizeof *g->at, "gradient steps", &g->at));
    LW_TRY(sweep_take(m, PANEL_STEPS, sizeof *g->of_step, "gradient steps", &g->of_step));
    LW_TRY(
        sweep_take(m, columns / 64 + 2, sizeof *g->bits, "gradient bits", &g->bits)); /* bits_at may look one further */
    /* bits_list stores up to 16 places over: into the next row's, which are written later */
    LW_TRY(sweep_take(m, ROOM * columns + 16, sizeof *g->column, "gradient columns", &g->column));
    return sweep_take(m, ROOM * columns, sim->real_size, "gradient columns", &g->value);
}

/* Step s of the panel is recorded step first - s. */
static void panel_flush(lw_tape *tape, sweep_panel *panel, double *grad) {
    lw_sim *sim = tape->sim;
    sweep_grad *g = &tape->room->grad;
    int64_t n_local = sim->pop[panel->pop].view.n_local;
    for (int k = sim->incoming_begin[panel->pop]; k < sim->incoming_begin[panel->pop + 1]; k++) {
        const lw_proj_view *proj = &sim->proj[sim->incoming[k]];
        int64_t offset = sweep_weight_offset(tape->theta, sim->incoming[k]);
        if (proj->port != panel->port || offset < 0 || proj->lag_max) continue;
        double *to = proj->n_tied ? g->tied[sim->incoming[k]] : grad + offset;
        g->mask = dropout_mask(sim, proj);
        for (int i = 0; i < proj->n_slices; i++) {
            bool ones = !g->mask;
            for (int64_t s = 0; s < panel->steps; s++) {
                g->from[s] = tape_slots(tape, proj->pre, panel->first - s - proj->slice[i].delay, &g->at[s]);
                g->of_step[s] = past_bits(g->from[s], g->at[s]);
                ones = ones && past_ones(g->from[s], g->at[s]);
            }
            if (sim->f64)
                slice_grad_f64(proj, &proj->slice[i], ones, n_local, sim->width, panel->steps, g, panel, to);
            else
                slice_grad_f32(proj, &proj->slice[i], ones, n_local, sim->width, panel->steps, g, panel, to);
        }
    }
    panel->steps = 0;
}

void sweep_grad_add(lw_tape *tape, int pop, int64_t t, char *const *in_adj, double *grad) {
    const lw_sim *sim = tape->sim;
    sweep_grad *g = &tape->room->grad;
    int64_t n = sim->pop[pop].view.n_local;
    for (int64_t i = 0; i < g->n_panel; i++) {
        sweep_panel *panel = &g->panel[i];
        if (panel->pop != pop) continue;
        if (panel->steps == 0) panel->first = t;
        const void *from = in_adj[panel->port];
        if (sim->f64)
            transposed_f64(panel, n, sim->width, panel->steps * sim->width, from);
        else
            transposed_f32(panel, n, sim->width, panel->steps * sim->width, from);
        if (++panel->steps == panel->room) panel_flush(tape, panel, grad);
    }
}

void sweep_grad_end(lw_tape *tape, const lw_tape_seed *seed, double *grad) {
    const lw_theta *theta = tape->theta;
    sweep_grad *g = &tape->room->grad;
    for (int64_t i = 0; i < g->n_panel; i++) {
        sweep_panel *panel = &g->panel[i];
        panel_flush(tape, panel, grad);
        for (int b = 0; seed && seed->ready && b < theta->n_blocks; b++) {
            const lw_theta_block *block = &theta->block[b];
            if (!block->is_weight || block->tied) continue;
            const lw_proj_view *proj = &tape->sim->proj[block->proj];
            if (proj->post == panel->pop && proj->port == panel->port && !proj->lag_max) seed->ready(seed->payload, b);
        }
    }
}
