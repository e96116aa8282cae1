/* SPDX-License-Identifier: BSD-3-Clause
 *
 * E-prop: who has traces, what the neurons are told, and the run. The read-out's derivatives of a chunk of steps are
 * brought to all ranks at once (a sum in which every unit stands on its owner only); symmetric feedback then goes from
 * the targets of the read-out's synapses to their sources, as adjoints do. A neuron's signal of step t + d, d its delay
 * to the read-out, meets its trace of step t. The traces themselves are in eprop_trace.c.
 */
#include <math.h>
#include <string.h>
#include "eprop.h"

#define REAL float
#define LW_T(name) name##_f32
#include "eprop_typed.c"
#define REAL double
#define LW_T(name) name##_f64
#include "eprop_typed.c"

/* ------------------------------------------------------------------ what can be learned so */

static lw_err readout_check(const lw_sim *sim, const lw_theta *theta, const lw_eprop_spec *spec) {
    LW_CHECK(spec->readout >= 0 && spec->readout < sim->n_pop, LW_EUSE,
        "the read-out of eprop is population number %d, allowed are 0 to %d", spec->readout, sim->n_pop - 1);
    const engine_pop *pop = &sim->pop[spec->readout];
    const lw_model_need *need = &pop->model->need;
    LW_CHECK(!pop->model->emits_spikes && !(need->old | need->in | need->pre), LW_EUSE,
        "eprop: the model %s of the read-out population %s is not linear without spikes; allowed are models such as li",
        pop->model->name, pop->view.name);
    LW_CHECK(
        spec->scale >= 0, LW_EUSE, "eprop: the scale of the feedback is %g, allowed are numbers from 0", spec->scale);
    for (int b = 0; b < theta->n_blocks; b++) {
        const lw_theta_block *block = &theta->block[b];
        if (!block->is_weight && !block->is_delay) continue;
        const lw_proj_view *proj = &sim->proj[block->proj];
        LW_CHECK(!block->is_delay && !proj->lag_max, LW_EUSE,
            "eprop: projection %s has learned delays, allowed are fixed ones", proj->name);
    }
    return LW_OK;
}

static bool is_learned(const lw_eprop *e, int p) {
    for (int b = 0; b < e->theta->n_blocks; b++) {
        const lw_theta_block *block = &e->theta->block[b];
        if ((block->is_weight ? e->sim->proj[block->proj].post : block->pop) == p) return true;
    }
    return false;
}

/* Port and delay of what goes from a population to the read-out. Collective. */
static lw_err path_find(const lw_eprop *e, eprop_pop *q) {
    const lw_sim *sim = e->sim;
    const char *name = sim->pop[q->pop].view.name, *readout = sim->pop[e->spec.readout].view.name;
    int64_t range[2] = {-1, -INT32_MAX}; /* largest delay, minus the smallest */
    int found = 0, ports = 0;
    for (int k = 0; k < sim->n_proj; k++) {
        const lw_proj_view *proj = &sim->proj[k];
        if (proj->post != e->spec.readout) continue;
        if (proj->pre != q->pop) {
            if (found == 0) q->port = proj->port;
            continue;
        }
        LW_CHECK(
            !proj->lag_max, LW_EUSE, "eprop: projection %s has learned delays, allowed are fixed ones", proj->name);
        ports += found > 0 && proj->port != q->port;
        q->port = proj->port;
        found++;
        for (int s = 0; s < proj->n_slices; s++) {
            if (proj->slice[s].delay > range[0]) range[0] = proj->slice[s].delay;
            if (-proj->slice[s].delay > range[1]) range[1] = -proj->slice[s].delay;
        }
    }
    lw_comm_max_i64(lw_net_comm(sim->net), range, 2);
    LW_CHECK(found > 0 || e->spec.feedback != LW_FEEDBACK_SYMMETRIC, LW_EUSE,
        "eprop: something is learned at population %s, which has no projection onto the read-out %s; allowed is that "
        "with feedback: random or adaptive",
        name, readout);
    LW_CHECK(ports == 0 && (range[0] < 0 || range[0] == -range[1]), LW_EUSE,
        "eprop: population %s reaches the read-out %s by several ports or delays, allowed is one", name, readout);
    q->delay = range[0] < 0 ? 1 : (int32_t)range[0];
    return LW_OK;
}

/* ------------------------------------------------------------------ room */

static lw_err sources_take(lw_eprop *e) {
    const lw_sim *sim = e->sim;
    int32_t n = 0;
    for (int k = 0; k < sim->n_proj; k++)
        if (sweep_weight_offset(e->theta, k) >= 0) n += sim->proj[k].n_slices;
    LW_TRY(sweep_take(&e->memory, n, sizeof *e->source, "sources of traces", &e->source));
    for (int k = 0; k < sim->n_proj; k++)
        for (int s = 0; sweep_weight_offset(e->theta, k) >= 0 && s < sim->proj[k].n_slices; s++)
            e->source[e->n_sources++] =
                (eprop_source){.proj = k, .slice = s, .offset = sweep_weight_offset(e->theta, k)};
    return LW_OK;
}

static lw_err feedback_draw(lw_eprop *e, eprop_pop *q) {
    const lw_pop_view *v = &e->sim->pop[q->pop].view;
    double scale = e->spec.scale > 0 ? e->spec.scale : 1 / sqrt((double)e->units);
    LW_TRY(sweep_take(&e->memory, v->n_local * e->units, sizeof *q->feedback, "feedback weights", &q->feedback));
    for (int64_t j = 0; j < v->n_local; j++)
        for (int64_t k = 0; k < e->units; k++)
            q->feedback[j * e->units + k] =
                scale * lw_rng_normal(e->spec.seed, LW_PURPOSE_FEEDBACK, (uint64_t)v->gid[j], (uint64_t)k, 0);
    return LW_OK;
}

/* A few thousand numbers at a time, so that they stay near; at least one neuron. */
static lw_err room_take(lw_eprop *e) {
    const lw_sim *sim = e->sim;
    sweep_sizes sizes = sweep_sizes_get(sim);
    sweep_memory *m = &e->memory;
    int64_t W = sim->width, columns = e->chunk * W, n_net = lw_net_n_local(sim->net),
            n_slots = lw_net_slots(sim->net).n;
    e->room = 1 << 13;
    for (int32_t i = 0; i < e->n_pop; i++)
        for (int32_t g = 0; g < e->pop[i].n_groups; g++)
            if (e->pop[i].group[g].width * W > e->room) e->room = e->pop[i].group[g].width * W;
    void **real[] = {&e->in, &e->zero, &e->out, &e->filtered};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        LW_TRY(sweep_take(m, e->room, sim->real_size, "tangents of traces", real[i]));
    LW_TRY(sweep_take(m, e->units * (e->chunk + e->reach) * W, sim->real_size, "learning signals", &e->delta));
    LW_TRY(sweep_take(
        m, sim->pop[e->spec.readout].view.n_local * columns, sim->real_size, "learning signals", &e->shifted));
    LW_TRY(sweep_take(m, n_net * columns, sim->real_size, "learning signals", &e->local));
    if (e->spec.feedback != LW_FEEDBACK_RANDOM) {
        LW_TRY(sweep_take(m, n_slots * columns, sim->real_size, "learning signals", &e->slots));
        LW_TRY(sweep_take(m, n_slots * columns, sim->real_size, "learning signals", &e->compact));
    }
    LW_TRY(sweep_take(m, sizes.n_local * W, sim->real_size, "learning signals", &e->direct));
    LW_TRY(sweep_take(m, e->n_coef, sizeof *e->at, "coefficients of traces", &e->at));
    LW_TRY(sweep_take(m, e->n_coef, sizeof *e->coef_at, "coefficients of traces", &e->coef_at));
    LW_TRY(sweep_take(m, e->n_coef, sizeof *e->derived, "coefficients of traces", &e->derived));
    for (int32_t c = 0; c < e->n_coef; c++)
        LW_TRY(sweep_take(m, sizes.n_local, sizeof(double), "coefficients of traces", &e->derived[c]));
    LW_TRY(sweep_take(m, sizes.n_param, sizeof *e->one, "directions of parameters", &e->one));
    LW_TRY(sweep_take(m, sizes.n_local, sizeof *e->ones, "directions of parameters", &e->ones));
    for (int64_t i = 0; i < sizes.n_local; i++)
        e->ones[i] = 1;
    return LW_OK;
}

static lw_err coefficients_take(lw_eprop *e, const double *param, void ***coef) {
    const lw_model *model = e->sim->pop[e->spec.readout].model;
    const double **at = NULL;
    LW_TRY(sweep_take(&e->memory, model->n_coef, sizeof **coef, "read-out coefficients", coef));
    for (int c = 0; c < model->n_coef; c++)
        LW_TRY(sweep_take(&e->memory, 1, sizeof(double), "read-out coefficients", &(*coef)[c]));
    LW_TRY(sweep_take(&e->memory, model->n_param, sizeof *at, "read-out parameters", &at));
    for (int i = 0; i < model->n_param; i++)
        at[i] = &param[i];
    model->derive(1, lw_net_dt(e->sim->net), at, e->sim->f64, *coef);
    return LW_OK;
}

/* What a unit with these coefficients answers to an impulse at each port: real [steps][n_input]. */
static void respond(const lw_eprop *e, void *const *coef, int steps, char *answer) {
    const lw_model *model = e->sim->pop[e->spec.readout].model;
    double state[SWEEP_MAX][SWEEP_MAX] = {{0}}, input[SWEEP_MAX][SWEEP_MAX] = {{0}};
    void *state_at[SWEEP_MAX];
    const void *input_at[SWEEP_MAX];
    for (int i = 0; i < SWEEP_MAX; i++) {
        state_at[i] = state[i];
        input_at[i] = input[i];
    }
    for (int i = 0; i < model->n_input; i++) {
        double one = 1;
        sweep_from_f64(e->sim->f64, 1, &one, (char *)input[i] + (size_t)i * e->sim->real_size);
    }
    for (int s = 0; s < steps; s++) {
        lw_kernel_args a = {.n = 1,
            .width = model->n_input,
            .coef = (const void *const *)coef,
            .point_width = 1,
            .state_tan = state_at,
            .input_tan = input_at,
            .out_tan = answer + (size_t)(s * model->n_input) * e->sim->real_size};
        model->set[e->sim->f64][1].update_tan(&a);
        model->set[e->sim->f64][1].fire_tan(&a);
        memset(input, 0, sizeof input);
    }
}

/* Coefficients of a unit for the filter, on ranks without one too. Parameters that are learned or differ (a bias) must
 * not show in what it answers. param: [n_param] of the first unit. */
static lw_err readout_take(lw_eprop *e, double *param) {
    enum { ANSWERS = 4 };
    const engine_pop *pop = &e->sim->pop[e->spec.readout];
    size_t bytes = (size_t)(ANSWERS * pop->model->n_input) * e->sim->real_size;
    char *answer, *other;
    LW_TRY(coefficients_take(e, param, &e->readout_coef));
    LW_TRY(sweep_take(&e->memory, (int64_t)bytes, 1, "read-out answers", &answer));
    LW_TRY(sweep_take(&e->memory, (int64_t)bytes, 1, "read-out answers", &other));
    respond(e, e->readout_coef, ANSWERS, answer);
    for (int i = 0; i < pop->model->n_param; i++) {
        double value = param[i];
        void **coef;
        if (pop->view.uniform[i]) continue;
        param[i] = value != 0 ? 1.25 * value : 1;
        LW_TRY(coefficients_take(e, param, &coef));
        param[i] = value;
        respond(e, coef, ANSWERS, other);
        LW_CHECK(memcmp(answer, other, bytes) == 0, LW_EUSE,
            "eprop: %s of the read-out population %s is learned or differs among its units; allowed is one number for "
            "what shapes its answer to a spike",
            pop->model->param[i].name, pop->view.name);
    }
    return LW_OK;
}

static lw_err room_local(lw_eprop *e, double *param) {
    LW_TRY(sources_take(e));
    LW_TRY(sweep_tied_plan(e->sim, e->theta, &e->memory, &e->tied));
    for (int32_t i = 0; i < e->n_pop; i++) {
        LW_TRY(eprop_groups(e, &e->pop[i]));
        if (!e->pop[i].is_readout && e->spec.feedback != LW_FEEDBACK_SYMMETRIC) LW_TRY(feedback_draw(e, &e->pop[i]));
    }
    LW_TRY(room_take(e));
    return readout_take(e, param);
}

/* Collective. All checks have the same result on all ranks. */
static lw_err build(lw_eprop *e) {
    const lw_sim *sim = e->sim;
    const lw_pop_view *readout = &sim->pop[e->spec.readout].view;
    double param[SWEEP_MAX] = {0};
    int n_param = sim->pop[e->spec.readout].model->n_param;
    LW_ASSERT(sim->pop[e->spec.readout].model->n_state <= SWEEP_MAX);
    LW_CHECK(n_param <= SWEEP_MAX, LW_EUSE, "eprop: the model of the read-out has %d parameters, allowed are %d",
        n_param, SWEEP_MAX);
    e->units = readout->size;
    for (int p = 0; p < sim->n_pop; p++)
        if (sim->pop[p].model->n_coef > e->n_coef) e->n_coef = sim->pop[p].model->n_coef;
    LW_TRY(lw_comm_agree(
        lw_net_comm(sim->net), sweep_take(&e->memory, sim->n_pop, sizeof *e->pop, "populations with traces", &e->pop)));
    for (int p = 0; p < sim->n_pop; p++) {
        if (!is_learned(e, p)) continue;
        eprop_pop *q = &e->pop[e->n_pop++];
        *q = (eprop_pop){.pop = p, .is_readout = p == e->spec.readout};
        if (!q->is_readout) LW_TRY(path_find(e, q));
        if (q->delay > e->reach) e->reach = q->delay;
    }
    for (int i = 0; i < n_param && readout->n_local > 0 && readout->gid[0] == readout->gid_begin; i++)
        param[i] = readout->param[i][0];
    lw_comm_sum_f64(lw_net_comm(sim->net), param, n_param);
    return room_local(e, param);
}

lw_err lw_eprop_create(lw_tape *tape, const lw_theta *theta, const lw_eprop_spec *spec, lw_eprop **out) {
    lw_eprop *e = NULL;
    const lw_comm *comm = lw_net_comm(tape->sim->net);
    lw_err err;
    *out = NULL;
    LW_TRY(readout_check(tape->sim, theta, spec));
    LW_TRY_TO(lw_comm_agree(comm, lw_alloc(1, sizeof *e, "eligibility traces", &e)), failed);
    e->tape = tape;
    e->sim = tape->sim;
    e->theta = theta;
    e->spec = *spec;
    e->part = 1;
    e->chunk = tape->segments ? tape->segments->length : tape->max_steps;
    LW_TRY_TO(lw_comm_agree(comm, build(e)), failed);
    *out = e;
    return LW_OK;
failed:
    lw_eprop_destroy(&e);
    return err;
}

void lw_eprop_destroy(lw_eprop **eprop) {
    if (!*eprop) return;
    sweep_release(&(*eprop)->memory);
    lw_free(*eprop);
    *eprop = NULL;
}

void lw_eprop_part(lw_eprop *eprop, double part) {
    if (eprop->spec.feedback == LW_FEEDBACK_ADAPTIVE) eprop->part = part;
}

int64_t lw_eprop_bytes(const lw_eprop *eprop) {
    return eprop->memory.bytes;
}

/* ------------------------------------------------------------------ learning signals */

static char *delta_at(const lw_eprop *e, int64_t unit, int64_t step) {
    return (char *)e->delta + (size_t)((unit * (e->chunk + e->reach) + step) * e->sim->width) * e->sim->real_size;
}

/* e->delta <- d loss / d read-out of the steps [begin, begin + chunk + reach) of n, on all ranks. Collective. */
static void delta_read(lw_eprop *e, int64_t begin, int64_t n, const lw_tape_seed *seed) {
    lw_sim *sim = e->sim;
    const lw_pop_view *v = &sim->pop[e->spec.readout].view;
    int64_t steps = e->chunk + e->reach, W = sim->width;
    size_t row = (size_t)W * sim->real_size;
    memset(e->delta, 0, (size_t)(e->units * steps) * row);
    for (int64_t s = 0; s < steps && begin + s < n; s++) {
        memset(e->direct, 0, (size_t)v->n_local * row);
        if (begin + s < seed->first || !seed->seed(seed->payload, e->spec.readout, begin + s, e->direct)) continue;
        for (int64_t j = 0; j < v->n_local; j++)
            memcpy(delta_at(e, v->gid[j] - v->gid_begin, s), (const char *)e->direct + (size_t)j * row, row);
    }
    if (sim->f64)
        lw_comm_sum_f64(lw_net_comm(sim->net), e->delta, e->units * steps * W);
    else
        lw_comm_sum_f32(lw_net_comm(sim->net), e->delta, e->units * steps * W);
}

/* e->shifted <- the steps from `delay` on, of this rank's units. */
static void delta_shift(lw_eprop *e, int32_t delay) {
    const lw_pop_view *v = &e->sim->pop[e->spec.readout].view;
    size_t bytes = (size_t)(e->chunk * e->sim->width) * e->sim->real_size;
    for (int64_t j = 0; j < v->n_local; j++)
        memcpy((char *)e->shifted + (size_t)j * bytes, delta_at(e, v->gid[j] - v->gid_begin, delay), bytes);
}

/* Through the weights onto the read-out to who sent. Collective. */
static void signals_symmetric(lw_eprop *e) {
    lw_sim *sim = e->sim;
    int64_t columns = e->chunk * sim->width;
    size_t row = (size_t)columns * sim->real_size;
    memset(e->slots, 0, (size_t)lw_net_slots(sim->net).n * row);
    for (int32_t i = 0; i < e->n_pop; i++) {
        if (e->pop[i].is_readout) continue;
        delta_shift(e, e->pop[i].delay);
        for (int k = 0; k < sim->n_proj; k++) {
            const lw_proj_view *proj = &sim->proj[k];
            if (proj->pre != e->pop[i].pop || proj->post != e->spec.readout) continue;
            for (int s = 0; s < proj->n_slices; s++)
                deliver_transpose(sim->f64, proj, &proj->slice[s], columns, e->shifted,
                    (char *)e->slots + (size_t)sim->pop[proj->pre].view.slot_begin * row);
        }
    }
    for (int level = 0; level < sim->n_levels; level++)
        sweep_pull(sim, level, columns, e->slots, e->local, e->compact);
}

/* e->local <- what neurons are told of a chunk: [n_local of the net][chunk][width]. Collective. */
static void signals_make(lw_eprop *e) {
    lw_sim *sim = e->sim;
    size_t row = (size_t)(e->chunk * sim->width) * sim->real_size;
    memset(e->local, 0, (size_t)lw_net_n_local(sim->net) * row);
    if (e->spec.feedback != LW_FEEDBACK_RANDOM) signals_symmetric(e);
    if (e->spec.feedback == LW_FEEDBACK_SYMMETRIC) return;
    for (int32_t i = 0; i < e->n_pop; i++) {
        const eprop_pop *q = &e->pop[i];
        const lw_pop_view *v = &sim->pop[q->pop].view;
        void *signal = (char *)e->local + (size_t)v->lid_begin * row;
        if (q->is_readout) continue;
        if (sim->f64)
            feed_back_f64(e, q, v->n_local, signal);
        else
            feed_back_f32(e, q, v->n_local, signal);
    }
}

/* ------------------------------------------------------------------ run */

/* One step of one population; s: its place in the chunk. */
static void pop_step(lw_eprop *e, eprop_pop *q, int64_t t, int64_t s, const lw_tape_seed *seed) {
    lw_sim *sim = e->sim;
    const lw_pop_view *v = &sim->pop[q->pop].view;
    size_t row = (size_t)sim->width * sim->real_size;
    int64_t stride = e->chunk * sim->width;
    const char *signal = (const char *)e->local + ((size_t)v->lid_begin * (size_t)e->chunk + (size_t)s) * row;
    memset(e->direct, 0, (size_t)v->n_local * row);
    bool direct = q->is_readout;
    if (direct)
        for (int64_t j = 0; j < v->n_local; j++)
            memcpy((char *)e->direct + (size_t)j * row, delta_at(e, v->gid[j] - v->gid_begin, s), row);
    else
        direct = seed->seed(seed->payload, q->pop, t, e->direct);
    eprop_step(e, q, t, direct ? e->direct : NULL, q->is_readout ? NULL : signal, stride);
}

lw_err lw_eprop_run(lw_eprop *eprop, int64_t n_steps, const lw_tape_seed *seed, double *grad) {
    lw_tape *tape = eprop->tape;
    LW_CHECK(n_steps >= 0 && n_steps <= tape->max_steps, LW_EUSE, "%lld steps to run, the tape has room for %lld",
        (long long)n_steps, (long long)tape->max_steps);
    LW_CHECK(seed->first >= 0 && seed->first <= n_steps, LW_EUSE, "traces begin at step %lld, allowed are 0 to %lld",
        (long long)seed->first, (long long)n_steps);
    tape->t0 = eprop->sim->step;
    tape->n_steps = n_steps;
    if (tape->segments) tape->segments->again = true;
    eprop_begin(eprop);
    for (int64_t begin = 0; begin < n_steps; begin += eprop->chunk) {
        int64_t end = begin + eprop->chunk < n_steps ? begin + eprop->chunk : n_steps;
        LW_TRY(tape_record(tape, begin, end));
        if (end <= seed->first) continue;
        delta_read(eprop, begin, n_steps, seed);
        signals_make(eprop);
        unsigned mode = engine_fp_begin();
        for (int64_t t = begin > seed->first ? begin : seed->first; t < end; t++)
            for (int32_t i = 0; i < eprop->n_pop; i++)
                pop_step(eprop, &eprop->pop[i], t, t - begin, seed);
        engine_fp_end(mode);
    }
    eprop_end(eprop, grad);
    return LW_OK;
}
