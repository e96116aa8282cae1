/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Eligibility traces. A trace is a tangent of the neuron's own state, so it is pushed by the model's own tangent
 * kernels: cells (neuron, lane) stand for the kernel's neurons, synapses for its lanes, and the recorded step is the
 * point that all synapses of a cell share. What comes out, the derivative of the emitted value, is pushed on through
 * the read-out's kernels: they are linear, so this is the trace as a read-out unit of weight 1 would see it.
 */
#include <string.h>
#include "eprop.h"

#define EPROP_TRACE
#define REAL float
#define LW_T(name) name##_f32
#include "eprop_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "eprop_typed.c"

static int64_t cells_of(const lw_eprop *e, const eprop_pop *q) {
    return e->sim->pop[q->pop].view.n_local * e->sim->width;
}

/* Calls visit for every local synapse with a learned weight onto a port. */
static void synapses_visit(lw_eprop *e, const eprop_pop *q, eprop_group *g, bool fill) {
    const lw_sim *sim = e->sim;
    int64_t n_local = sim->pop[q->pop].view.n_local;
    memset(g->n, 0, (size_t)n_local * sizeof *g->n);
    for (int32_t s = 0; s < e->n_sources; s++) {
        const lw_proj_view *proj = &sim->proj[e->source[s].proj];
        const lw_slice *slice = &proj->slice[e->source[s].slice];
        if (proj->post != q->pop || proj->port != g->port) continue;
        for (int64_t row = 0; row < proj->n_rows; row++) {
            int64_t begin = proj->dense ? row * n_local : slice->row_begin[row];
            int64_t end = proj->dense ? begin + n_local : slice->row_begin[row + 1];
            for (int64_t i = begin; i < end; i++) {
                int64_t j = proj->dense ? i - begin : proj->target[i];
                if (fill) g->column[j * g->width + g->n[j]] = (eprop_column){s, (int32_t)row, i};
                g->n[j]++;
            }
        }
    }
}

static lw_err traces_take(lw_eprop *e, const eprop_pop *q, eprop_group *g) {
    const lw_sim *sim = e->sim;
    const lw_model *model = sim->pop[q->pop].model, *readout = sim->pop[e->spec.readout].model;
    int64_t cells = cells_of(e, q);
    LW_TRY(sweep_take(&e->memory, model->n_state, sizeof *g->state, "eligibility traces", &g->state));
    for (int i = 0; i < model->n_state; i++)
        LW_TRY(sweep_take(&e->memory, cells * g->width, sim->real_size, "eligibility traces", &g->state[i]));
    LW_TRY(
        sweep_take(&e->memory, sim->pop[q->pop].view.n_local * g->width, sizeof *g->sum, "eligibility sums", &g->sum));
    if (q->is_readout) return LW_OK;
    LW_TRY(sweep_take(&e->memory, readout->n_state, sizeof *g->filter, "eligibility traces", &g->filter));
    for (int i = 0; i < readout->n_state; i++)
        LW_TRY(sweep_take(&e->memory, cells * g->width, sim->real_size, "eligibility traces", &g->filter[i]));
    return LW_OK;
}

static lw_err weights_group(lw_eprop *e, const eprop_pop *q, int port, eprop_group *g) {
    int64_t n_local = e->sim->pop[q->pop].view.n_local;
    *g = (eprop_group){.port = port, .param = -1};
    LW_TRY(sweep_take(&e->memory, n_local, sizeof *g->n, "eligibility columns", &g->n));
    synapses_visit(e, q, g, false);
    for (int64_t j = 0; j < n_local; j++)
        if (g->n[j] > g->width) g->width = g->n[j];
    LW_TRY(sweep_take(&e->memory, n_local * g->width, sizeof *g->column, "eligibility columns", &g->column));
    synapses_visit(e, q, g, true);
    return traces_take(e, q, g);
}

static lw_err param_group(lw_eprop *e, const eprop_pop *q, const lw_theta_block *block, eprop_group *g) {
    const lw_model *model = e->sim->pop[q->pop].model;
    *g = (eprop_group){.param = block->param, .width = 1, .offset = block->offset};
    LW_TRY(sweep_take(&e->memory, model->n_coef, sizeof *g->coef_tan, "eligibility of parameters", &g->coef_tan));
    for (int c = 0; c < model->n_coef; c++)
        LW_TRY(sweep_take(&e->memory, cells_of(e, q), sizeof(double), "eligibility of parameters", &g->coef_tan[c]));
    return traces_take(e, q, g);
}

lw_err eprop_groups(lw_eprop *e, eprop_pop *q) {
    const engine_pop *pop = &e->sim->pop[q->pop];
    int n_input = pop->model->n_input;
    LW_TRY(sweep_take(&e->memory, n_input + pop->model->n_param, sizeof *q->group, "eligibility groups", &q->group));
    for (int port = 0; port < n_input; port++) {
        bool learned = false;
        for (int32_t s = 0; s < e->n_sources; s++) {
            const lw_proj_view *proj = &e->sim->proj[e->source[s].proj];
            learned = learned || (proj->post == q->pop && proj->port == port);
        }
        if (learned) LW_TRY(weights_group(e, q, port, &q->group[q->n_groups++]));
    }
    for (int b = 0; b < e->theta->n_blocks; b++) {
        const lw_theta_block *block = &e->theta->block[b];
        if (!block->is_weight && !block->is_delay && block->pop == q->pop)
            LW_TRY(param_group(e, q, block, &q->group[q->n_groups++]));
    }
    if (pop->uniform) return LW_OK;
    LW_TRY(sweep_take(&e->memory, pop->model->n_coef, sizeof *q->coef, "coefficients of cells", &q->coef));
    for (int c = 0; c < pop->model->n_coef; c++)
        LW_TRY(sweep_take(&e->memory, cells_of(e, q), e->sim->real_size, "coefficients of cells", &q->coef[c]));
    return LW_OK;
}

/* cells[j, lane] = x[j] */
static void spread(int64_t n, int64_t width, size_t size, const void *x, void *cells) {
    for (int64_t i = 0; i < n * width; i++)
        memcpy((char *)cells + (size_t)i * size, (const char *)x + (size_t)(i / width) * size, size);
}

static void group_begin(lw_eprop *e, const eprop_pop *q, eprop_group *g) {
    const lw_sim *sim = e->sim;
    const engine_pop *pop = &sim->pop[q->pop];
    size_t bytes = (size_t)(cells_of(e, q) * g->width) * sim->real_size;
    for (int i = 0; i < pop->model->n_state; i++)
        memset(g->state[i], 0, bytes);
    for (int i = 0; g->filter && i < sim->pop[e->spec.readout].model->n_state; i++)
        memset(g->filter[i], 0, bytes);
    memset(g->sum, 0, (size_t)(pop->view.n_local * g->width) * sizeof *g->sum);
    if (g->param < 0) return;
    for (int i = 0; i < pop->model->n_param; i++)
        e->one[i] = i == g->param ? e->ones : NULL;
    pop->model->derive_tan(pop->view.n_local, lw_net_dt(sim->net), (const double *const *)pop->view.param,
        (const double *const *)e->one, e->derived);
    for (int c = 0; c < pop->model->n_coef; c++)
        spread(pop->view.n_local, sim->width, sizeof(double), e->derived[c], g->coef_tan[c]);
}

void eprop_begin(lw_eprop *e) {
    for (int32_t i = 0; i < e->n_pop; i++) {
        eprop_pop *q = &e->pop[i];
        const engine_pop *pop = &e->sim->pop[q->pop];
        for (int c = 0; q->coef && c < pop->model->n_coef; c++)
            spread(pop->view.n_local, e->sim->width, e->sim->real_size, pop->coef[c], q->coef[c]);
        for (int32_t g = 0; g < q->n_groups; g++)
            group_begin(e, q, &q->group[g]);
    }
}

/* Neurons [first, first + n) of a group, whose inputs' tangents stand in e->in (weights): states and e->out. */
static void cells_push(lw_eprop *e, const eprop_pop *q, const eprop_group *g, int64_t t, int64_t first, int64_t n) {
    lw_sim *sim = e->sim;
    const engine_pop *pop = &sim->pop[q->pop];
    int64_t cell = first * sim->width;
    size_t shift = (size_t)cell * sim->real_size;
    void *state[SWEEP_MAX];
    const void *input[SWEEP_MAX];
    tape_point at;
    lw_kernel_args a = tape_args(e->tape, q->pop, t, &at);
    for (int i = 0; i < SWEEP_MAX; i++) {
        if (at.old[i]) at.old[i] = (const char *)at.old[i] + shift;
        if (at.in[i]) at.in[i] = (const char *)at.in[i] + shift;
        if (at.pre[i]) at.pre[i] = (const char *)at.pre[i] + shift;
    }
    if (a.point_spike) a.point_spike = (const char *)a.point_spike + shift;
    if (a.point_slope) a.point_slope = (const char *)a.point_slope + shift;
    if (a.point_held) a.point_held += cell;
    for (int i = 0; i < pop->model->n_state; i++)
        state[i] = g->state[i] + shift * (size_t)g->width;
    for (int i = 0; i < pop->model->n_input; i++)
        input[i] = g->param < 0 && i == g->port ? e->in : e->zero;
    for (int c = 0; c < pop->model->n_coef; c++) {
        e->at[c] = q->coef ? (const char *)q->coef[c] + shift : pop->coef[c];
        if (g->coef_tan) e->coef_at[c] = g->coef_tan[c] + cell;
    }
    a.n = n * sim->width;
    a.width = g->width;
    a.point_width = 1;
    a.coef = e->at;
    a.state_tan = state;
    a.input_tan = input;
    a.out_tan = e->out;
    a.coef_tan = g->coef_tan ? e->coef_at : NULL;
    pop->kernel->update_tan(&a);
    pop->kernel->fire_tan(&a);
}

/* e->out through the read-out's kernels: e->filtered. */
static void cells_filter(lw_eprop *e, const eprop_pop *q, const eprop_group *g, int64_t first, int64_t n) {
    const lw_sim *sim = e->sim;
    const lw_model *model = sim->pop[e->spec.readout].model;
    void *state[SWEEP_MAX];
    const void *input[SWEEP_MAX];
    for (int i = 0; i < model->n_state; i++)
        state[i] = g->filter[i] + (size_t)(first * sim->width * g->width) * sim->real_size;
    for (int i = 0; i < model->n_input; i++)
        input[i] = i == q->port ? e->out : e->zero;
    lw_kernel_args a = {.n = n * sim->width,
        .width = g->width,
        .coef = (const void *const *)e->readout_coef,
        .point_width = 1,
        .state_tan = state,
        .input_tan = input,
        .out_tan = e->filtered};
    model->set[sim->f64][1].update_tan(&a);
    model->set[sim->f64][1].fire_tan(&a);
}

static void group_step(lw_eprop *e, const eprop_pop *q, const eprop_group *g, int64_t t, const void *direct,
    const void *signal, int64_t stride) {
    const lw_sim *sim = e->sim;
    int64_t n_local = sim->pop[q->pop].view.n_local, each = sim->width * g->width;
    if (each == 0) return;
    int64_t block = e->room / each;
    for (int64_t first = 0; first < n_local; first += block) {
        int64_t n = first + block < n_local ? block : n_local - first;
        if (g->param < 0) {
            memset(e->in, 0, (size_t)(n * each) * sim->real_size);
            if (sim->f64)
                gather_f64(e->source, g, first, n, sim->width, e->in);
            else
                gather_f32(e->source, g, first, n, sim->width, e->in);
        }
        cells_push(e, q, g, t, first, n);
        if (g->filter) cells_filter(e, q, g, first, n);
        if (sim->f64)
            accumulate_f64(g, first, n, sim->width, direct, signal, stride, e->out, e->filtered);
        else
            accumulate_f32(g, first, n, sim->width, direct, signal, stride, e->out, e->filtered);
    }
}

void eprop_step(lw_eprop *e, eprop_pop *q, int64_t t, const void *direct, const void *signal, int64_t stride) {
    lw_sim *sim = e->sim;
    for (int32_t s = 0; s < e->n_sources; s++) {
        const lw_proj_view *proj = &sim->proj[e->source[s].proj];
        if (proj->post != q->pop) continue;
        int64_t k;
        past *emitted = tape_slots(e->tape, proj->pre, t - proj->slice[e->source[s].slice].delay, &k);
        e->source[s].rows = past_rows(emitted, k);
    }
    for (int32_t g = 0; g < q->n_groups; g++)
        group_step(e, q, &q->group[g], t, direct, signal, stride);
}

static void group_end(const lw_eprop *e, const eprop_group *g, int64_t n_local, double *grad) {
    for (int64_t j = 0; j < n_local; j++) {
        if (g->param >= 0) grad[g->offset + j] += g->sum[j];
        for (int64_t c = 0; g->param < 0 && c < g->n[j]; c++) {
            const eprop_column *column = &g->column[j * g->width + c];
            const eprop_source *source = &e->source[column->source];
            double *tied = e->tied.tied[source->proj], *to = tied ? tied : grad + source->offset;
            to[column->edge] += g->sum[j * g->width + c];
        }
    }
}

void eprop_end(lw_eprop *e, double *grad) {
    sweep_tied_begin(e->sim, &e->tied);
    for (int32_t i = 0; i < e->n_pop; i++)
        for (int32_t k = 0; k < e->pop[i].n_groups; k++)
            group_end(e, &e->pop[i].group[k], e->sim->pop[e->pop[i].pop].view.n_local, grad);
    sweep_tied_end(e->sim, e->theta, &e->tied, NULL, grad);
}
