/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The engine: its arrays, their beginning and end. The time loop is in loop.c, the phases of a step in share.c and
 * step.c, what was emitted in history.c and exchange.c, what comes from outside in stimulus.c, what is kept for the
 * user in record.c.
 */
#include <string.h>
#include "dropout.h"
#include "lag.h"
#include "dense.h"
#include "share.h"

/* ------------------------------------------------------------------ creation */

static bool is_uniform(const lw_pop_view *view) {
    for (int32_t i = 0; i < view->model->n_param; i++)
        if (!view->uniform[i]) return false;
    return true;
}

static lw_err blocks_create(lw_sim *sim, int32_t n, size_t count, const char *what, void ***out) {
    LW_TRY(lw_alloc((size_t)n, sizeof **out, what, out));
    for (int32_t i = 0; i < n; i++)
        LW_TRY(lw_alloc(count, sim->real_size, what, &(*out)[i]));
    return LW_OK;
}

/* Inputs of all populations; a port that a population does not have costs a few bytes per neuron of it. */
static lw_err inputs_create(lw_sim *sim) {
    size_t n = (size_t)lw_net_n_local(sim->net) * (size_t)sim->width;
    for (int p = 0; p < sim->n_pop; p++) {
        int32_t n_input = lw_net_pop(sim->net, p).model->n_input;
        if (n_input > sim->n_inputs) sim->n_inputs = n_input;
    }
    return blocks_create(sim, sim->n_inputs, n, "inputs", &sim->input);
}

static lw_err pop_create(lw_sim *sim, int p) {
    engine_pop *pop = &sim->pop[p];
    pop->view = lw_net_pop(sim->net, p);
    pop->model = pop->view.model;
    const lw_model *model = pop->model;
    LW_CHECK(model->abi == LW_KERNEL_ABI, LW_EUSE, "model %s was compiled for kernel interface %d; this program has %d",
        model->name, (int)model->abi, LW_KERNEL_ABI);
    pop->uniform = is_uniform(&pop->view);
    pop->kernel = &model->set[sim->f64][pop->uniform];
    pop->rows = sim->width > 1 || sim->options.smooth || !model->emits_spikes;
    for (int k = 0; k < sim->n_proj; k++)
        pop->targets = pop->targets || (sim->proj[k].pre == p && sim->proj[k].n_edges_global > 0);
    size_t n_local = (size_t)pop->view.n_local, n = n_local * (size_t)sim->width;
    LW_TRY(blocks_create(sim, model->n_coef, pop->uniform ? 1 : n_local, "coefficients", &pop->coef));
    LW_TRY(blocks_create(sim, model->n_state, n, "states", &pop->state));
    LW_TRY(lw_alloc((size_t)model->n_input, sizeof *pop->input, "inputs", &pop->input));
    for (int32_t i = 0; i < model->n_input; i++)
        pop->input[i] = (char *)sim->input[i] + (size_t)pop->view.lid_begin * engine_row_bytes(sim);
    LW_TRY(lw_alloc(n, sim->real_size, "emitted values", &pop->out));
    if (model->has_refractory) LW_TRY(lw_alloc(n, sizeof *pop->refractory, "refractory counters", &pop->refractory));
    if (sim->options.smooth && model->emits_spikes) {
        LW_TRY(lw_alloc(n, sim->real_size, "spike margins", &pop->margin));
        if (model->has_refractory) LW_TRY(lw_alloc(n, 1, "refractory flags", &pop->held));
    }
    return LW_OK;
}

static void blocks_destroy(void **block, int32_t n) {
    for (int32_t i = 0; block && i < n; i++)
        lw_free(block[i]);
    lw_free(block);
}

static void pop_destroy(engine_pop *pop) {
    if (!pop->model) return;
    blocks_destroy(pop->coef, pop->model->n_coef);
    blocks_destroy(pop->state, pop->model->n_state);
    lw_free(pop->input);
    lw_free(pop->out);
    lw_free(pop->margin);
    lw_free(pop->slope);
    lw_free(pop->refractory);
    lw_free(pop->held);
}

/* Projections by target population. */
static void incoming_sort(lw_sim *sim) {
    const int32_t *order = lw_net_sum_order(sim->net);
    int32_t n = 0;
    for (int p = 0; p < sim->n_pop; p++) {
        sim->incoming_begin[p] = n;
        for (int k = 0; k < sim->n_proj; k++)
            if (sim->proj[order[k]].post == p) sim->incoming[n++] = order[k];
    }
    sim->incoming_begin[sim->n_pop] = n;
}

void engine_views(lw_sim *sim) {
    sim->n_plain = 0;
    for (int k = 0; k < sim->n_proj; k++) {
        sim->proj[k] = lw_net_proj(sim->net, k);
        sim->n_plain += !sim->proj[k].bundled && sim->proj[k].n_edges_global > 0;
    }
    engine_dense_attach(sim);
    incoming_sort(sim);
    engine_shares_refresh(sim);
}

/* One halo per level, of the slots of its populations. **Collective**. */
static lw_err halo_create(lw_sim *sim, int level) {
    const lw_comm *comm = lw_net_comm(sim->net);
    lw_slot_view slots = lw_net_slots(sim->net);
    int32_t *owner = NULL;
    int64_t *lid = NULL, n = 0;
    lw_err err = lw_alloc((size_t)slots.n, sizeof *owner, "slots", &owner);
    if (err == LW_OK) err = lw_alloc((size_t)slots.n, sizeof *lid, "slots", &lid);
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        for (int64_t s = 0; s < slots.n; s++) {
            if (sim->pop[slots.pop[s]].view.level != level) continue;
            owner[n] = slots.owner[s];
            lid[n++] = slots.owner_lid[s];
        }
        err = lw_halo_create(comm, lw_net_n_local(sim->net), n, owner, lid, &sim->halo[level]);
    }
    lw_free(owner);
    lw_free(lid);
    return err;
}

static lw_err local_create(lw_sim *sim, const lw_sim_options *options) {
    LW_CHECK(options->width >= 1 && options->width < 1 << 24, LW_EUSE,
        "an engine of width %d was asked for; allowed: 1 to 2^24", (int)options->width);
    LW_CHECK(options->surrogate.slope > 0, LW_EUSE, "slope of the surrogate is %g; it must be positive",
        options->surrogate.slope);
    const lw_sim *of = options->copies_of;
    LW_CHECK(!of || (of->net == sim->net && of->f64 == sim->f64 && of->width == options->width &&
                        of->options.adjoint_bf16 == options->adjoint_bf16),
        LW_EUSE, "copies of weights are shared by engines of one net, one precision and one width");
    /* tags of spike events hold step in the epoch, lane and one bit (absent.h) */
    LW_CHECK(sim->epoch * sim->width <= (int64_t)1 << 31, LW_EUSE,
        "%d lanes times %lld steps of the smallest delay exceed 2^31", (int)sim->width, (long long)sim->epoch);
    /* several lanes and smooth spikes are rows of numbers: bundles are for single spikes */
    if (options->width > 1 || options->smooth) LW_TRY(lw_net_unbundle(sim->net));
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *sim->proj, "projections", &sim->proj));
    LW_TRY(lw_alloc((size_t)sim->n_proj, sizeof *sim->incoming, "projections", &sim->incoming));
    LW_TRY(lw_alloc((size_t)sim->n_pop + 1, sizeof *sim->incoming_begin, "projections", &sim->incoming_begin));
    for (int k = 0; k < sim->n_proj; k++)
        sim->proj[k] = lw_net_proj(sim->net, k);
    LW_TRY(inputs_create(sim));
    LW_TRY(lw_alloc((size_t)sim->n_pop, sizeof *sim->pop, "populations", &sim->pop));
    for (int p = 0; p < sim->n_pop; p++)
        LW_TRY(pop_create(sim, p));
    LW_TRY(lw_alloc((size_t)lw_net_n_local(sim->net), sizeof *sim->spike_count, "spike counts", &sim->spike_count));
    LW_TRY(lw_alloc((size_t)sim->n_levels, sizeof *sim->halo, "halos", &sim->halo));
    LW_TRY(engine_history_create(sim));
    LW_TRY(engine_shares_create(sim, options->threads));
    engine_views(sim);
    LW_TRY(engine_dense_create(sim));
    LW_TRY(engine_stimulus_create(sim, options));
    LW_TRY(engine_plastic_create(sim));
    LW_TRY(engine_lag_create(sim));
    return engine_record_create(sim);
}

lw_err lw_sim_create(lw_net *net, const lw_sim_options *options, lw_sim **out) {
    const lw_comm *comm = lw_net_comm(net), *with = options->copies_with;
    int64_t before = lw_mem_now();
    lw_sim *sim = NULL;
    *out = NULL;
    lw_err err = lw_alloc(1, sizeof *sim, "an engine", &sim);
    if (err == LW_OK) {
        sim->net = net;
        sim->options = *options;
        sim->options.stimulus = NULL;
        sim->options.n_stimuli = 0;
        sim->width = options->width;
        sim->f64 = options->precision == LW_F64;
        sim->real_size = lw_dtype_size(options->precision);
        sim->n_pop = lw_net_n_pop(net);
        sim->n_proj = lw_net_n_proj(net);
        sim->n_levels = lw_net_n_levels(net);
        sim->epoch = sim->n_levels == 1 ? lw_net_delay_min(net) : 1;
        err = local_create(sim, options);
    }
    err = lw_comm_agree(comm, err);
    if (with) err = lw_comm_agree(with, err);
    if (err == LW_OK) err = lw_comm_agree(comm, engine_dense_copies(sim));
    for (int level = 0; err == LW_OK && level < sim->n_levels; level++)
        err = halo_create(sim, level);
    if (err == LW_OK) err = engine_exchange_create(sim);
    if (with) err = lw_comm_agree(with, err); /* what they share goes on all of them or none */
    LW_TRY_TO(err, fail);
    sim->bytes = lw_mem_now() - before;
    lw_sim_refresh(sim);
    lw_sim_reset(sim);
    lw_log(LW_LOG_DEBUG, "engine: %lld bytes, %d lanes, epochs of %lld steps, %d levels, %d threads",
        (long long)sim->bytes, (int)sim->width, (long long)sim->epoch, (int)sim->n_levels, (int)sim->n_shares);
    *out = sim;
    return LW_OK;
fail:
    lw_sim_destroy(&sim);
    return err;
}

void lw_sim_destroy(lw_sim **sim) {
    lw_sim *s = *sim;
    if (!s) return;
    engine_exchange_destroy(s);
    engine_record_destroy(s);
    engine_stimulus_destroy(s);
    engine_history_destroy(s);
    engine_plastic_destroy(s);
    engine_dropout_destroy(s);
    engine_lag_destroy(s);
    engine_dense_destroy(s);
    for (int level = 0; s->halo && level < s->n_levels; level++)
        lw_halo_destroy(&s->halo[level]);
    for (int p = 0; s->pop && p < s->n_pop; p++)
        pop_destroy(&s->pop[p]);
    engine_shares_destroy(s);
    blocks_destroy(s->input, s->n_inputs);
    lw_free(s->halo);
    lw_free(s->pop);
    lw_free(s->proj);
    lw_free(s->incoming);
    lw_free(s->incoming_begin);
    lw_free(s->spike_count);
    lw_free(s);
    *sim = NULL;
}

/* ------------------------------------------------------------------ beginning */

void lw_sim_refresh(lw_sim *sim) {
    engine_dense_refresh(sim);
    engine_views(sim);
    engine_lag_forget(sim);
    for (int p = 0; p < sim->n_pop; p++) {
        engine_pop *pop = &sim->pop[p];
        int64_t n = pop->uniform && pop->view.n_local > 1 ? 1 : pop->view.n_local;
        if (n == 0) continue;
        pop->model->derive(n, lw_net_dt(sim->net), (const double *const *)pop->view.param, sim->f64, pop->coef);
    }
}

/* value[i] to all lanes of neuron i */
static void lanes_set(const lw_sim *sim, int64_t n, const double *value, void *out) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = i * sim->width; lane < (i + 1) * sim->width; lane++) {
            if (sim->f64)
                ((double *)out)[lane] = value[i];
            else
                ((float *)out)[lane] = (float)value[i];
        }
}

static int64_t traffic(const lw_sim *sim, int64_t *messages) {
    int64_t bytes = 0;
    engine_exchange_traffic(sim, &bytes, messages);
    return bytes;
}

void lw_sim_stats_set(lw_sim *sim, const lw_sim_stats *stats) {
    int64_t messages = 0, bytes = traffic(sim, &messages);
    sim->stats = *stats;
    /* kept as the difference to what the halos count */
    sim->stats.bytes_sent -= bytes;
    sim->stats.messages_sent -= messages;
}

lw_sim_stats lw_sim_stats_get(const lw_sim *sim) {
    lw_sim_stats stats = sim->stats;
    int64_t messages = 0;
    stats.bytes_sent += traffic(sim, &messages);
    stats.messages_sent += messages;
    return stats;
}

void lw_sim_reset(lw_sim *sim) {
    lw_sim_stats none = {0};
    sim->step = 0;
    sim->history.origin = 0;
    sim->error = LW_OK;
    for (int p = 0; p < sim->n_pop; p++) {
        engine_pop *pop = &sim->pop[p];
        size_t n = (size_t)pop->view.n_local * (size_t)sim->width;
        for (int32_t i = 0; i < pop->model->n_state; i++)
            lanes_set(sim, pop->view.n_local, pop->view.init[i], pop->state[i]);
        memset(pop->out, 0, n * sim->real_size);
        if (pop->refractory) memset(pop->refractory, 0, n * sizeof *pop->refractory);
    }
    memset(sim->spike_count, 0, (size_t)lw_net_n_local(sim->net) * sizeof *sim->spike_count);
    engine_history_clear(sim);
    engine_plastic_reset(sim);
    engine_lag_forget(sim);
    engine_record_drop(sim, true);
    lw_sim_stats_set(sim, &none);
}

/* ------------------------------------------------------------------ small things */

int64_t lw_sim_step(const lw_sim *sim) {
    return sim->step;
}

void lw_sim_step_set(lw_sim *sim, int64_t now) {
    /* what was emitted `back` steps ago stays so */
    engine_lag_forget(sim);
    sim->history.origin += now - sim->step;
    sim->step = now;
}

lw_net *lw_sim_net(const lw_sim *sim) {
    return sim->net;
}
const lw_sim_options *lw_sim_options_get(const lw_sim *sim) {
    return &sim->options;
}
int64_t lw_sim_bytes(const lw_sim *sim) {
    return sim->bytes;
}
const int64_t *lw_sim_spike_counts(const lw_sim *sim) {
    return sim->spike_count;
}
void lw_sim_spike_counts_set(lw_sim *sim, const int64_t *counts) {
    memcpy(sim->spike_count, counts, (size_t)lw_net_n_local(sim->net) * sizeof *counts);
}
