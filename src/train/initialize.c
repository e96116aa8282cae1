/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Weights before training: the weights onto each population are scaled until it fires at a given mean rate on the first
 * batch, population after population along the way of the data (after LSUV, Mishkin & Matas 2016, which does this to
 * the variance of activations). Forward only, without a tape; spikes are counted, so every grid finds the same gains.
 */
#include <string.h>
#include "batch.h"

typedef struct tuning {
    const lw_grid *grid;
    lw_net *net;
    const lw_train_spec *spec;
    const lw_batch_source *data;
    lw_sim *sim;
    batch *batch;
    int64_t width;
    int32_t pop;           /* the one being tuned */
    lw_weight_gain **gain; /* [n_pop]; NULL: not tuned */
    double *log2_gain;     /* [n_pop] as it stands */
    double *rate;          /* [n_pop] kHz, of the last run; 0 where nothing spikes */
} tuning;

/* One forward run of the batch. Collective over the world. */
static lw_err rates_measure(tuning *t) {
    int n_pop = lw_net_n_pop(t->net);
    const int64_t *count = NULL;
    lw_sim_refresh(t->sim);
    lw_sim_reset(t->sim);
    lw_err err = lw_sim_feed(
        t->sim, t->spec->input_pop, t->spec->input_port, t->batch->x, t->data->n_steps, t->data->n_channels);
    if (err == LW_OK) err = lw_sim_advance(t->sim, t->data->n_steps, NULL);
    LW_TRY(lw_comm_agree(t->grid->world, err));
    count = lw_sim_spike_counts(t->sim);
    for (int p = 0; p < n_pop; p++) {
        lw_pop_view v = lw_net_pop(t->net, p);
        t->rate[p] = 0;
        for (int64_t i = 0; v.model->emits_spikes && i < v.n_local; i++)
            t->rate[p] += (double)count[v.lid_begin + i]; /* whole numbers: exact in any order */
    }
    lw_comm_sum_f64(t->grid->world, t->rate, n_pop);
    double time = lw_net_dt(t->net) * (double)t->data->n_steps * (double)(t->width * t->grid->replicas);
    for (int p = 0; p < n_pop; p++)
        t->rate[p] /= time * (double)lw_net_pop(t->net, p).size;
    return LW_OK;
}

static lw_err rate_at(void *payload, double log2_gain, double *out) {
    tuning *t = payload;
    lw_weight_gain_set(t->gain[t->pop], log2_gain);
    LW_TRY(rates_measure(t));
    *out = t->rate[t->pop];
    return LW_OK;
}

/* Populations in the order in which the data reach them; place: [n_pop], -1: never. */
static void reach_order(const lw_net *net, int32_t input, int32_t *place) {
    int n_pop = lw_net_n_pop(net);
    int32_t next = 0;
    for (int p = 0; p < n_pop; p++)
        place[p] = -1;
    place[input] = next++;
    for (int32_t from = 0; from < next; from++)
        for (int k = 0; k < lw_net_n_proj(net); k++) {
            lw_proj_view v = lw_net_proj(net, k);
            if (v.n_edges_global > 0 && place[v.pre] == from && place[v.post] < 0) place[v.post] = next++;
        }
}

/* Which populations are tuned, in which order: found[].pop. Local, the same everywhere. */
static lw_err choose(const tuning *t, const lw_rate_target *target, int32_t *place, lw_rate_found *found, int *n) {
    int n_pop = lw_net_n_pop(t->net);
    reach_order(t->net, t->spec->input_pop, place);
    *n = 0;
    for (int32_t at = 0; at < n_pop; at++)
        for (int32_t p = 0; p < n_pop; p++) {
            lw_pop_view v = lw_net_pop(t->net, p);
            bool named = false;
            for (int k = 0; k < target->n_pop; k++)
                named = named || target->pop[k] == p;
            bool wanted = target->n_pop ? named : v.model->emits_spikes && p != t->spec->loss.pop;
            if (place[p] == at && p != t->spec->input_pop && wanted) found[(*n)++].pop = p;
        }
    for (int k = 0; k < target->n_pop; k++) {
        lw_pop_view v = lw_net_pop(t->net, target->pop[k]);
        LW_CHECK(v.model->emits_spikes && place[target->pop[k]] > 0, LW_EUSE,
            "initialize: population %s has no rate to tune; allowed are spiking populations that the data reach",
            v.name);
    }
    LW_CHECK(*n > 0, LW_EUSE, "initialize: found no spiking population that the data reach besides the read-out");
    return LW_OK;
}

static lw_err gains_make(tuning *t, const lw_rate_found *found, int n) {
    uint8_t *wanted = NULL;
    lw_err err = lw_alloc((size_t)lw_net_n_proj(t->net), 1, "projections to scale", &wanted);
    for (int k = 0; k < n && err == LW_OK; k++) {
        for (int i = 0; i < lw_net_n_proj(t->net); i++)
            wanted[i] = lw_net_proj(t->net, i).post == found[k].pop;
        err = lw_weight_gain_create(t->net, wanted, &t->gain[found[k].pop]);
    }
    lw_free(wanted);
    return err;
}

/* The first batch of the first epoch, in the engine's lanes. */
static lw_err batch_make(tuning *t) {
    order *o = NULL;
    int64_t *sample = NULL;
    lw_err err = order_create(t->spec->seed, t->data->n_samples, t->spec->validation, &o);
    if (err != LW_OK) return err;
    int64_t n = t->spec->batch < o->n_train ? t->spec->batch : o->n_train;
    t->width = n / t->grid->replicas;
    if (t->width < 1)
        err = LW_FAIL(LW_EUSE, "initialize: %lld samples for %d replicas, at least one each is needed", (long long)n,
            t->grid->replicas);
    if (err == LW_OK) err = lw_alloc((size_t)t->width, sizeof *sample, "sample numbers", &sample);
    for (int64_t l = 0; err == LW_OK && l < t->width; l++)
        sample[l] = order_sample(o, 0, t->grid->replica * t->width + l);
    if (err == LW_OK) err = batch_create(t->data, t->data->n_steps, t->width, &t->batch);
    if (err == LW_OK) err = batch_load(t->batch, sample);
    lw_free(sample);
    order_destroy(&o);
    return err;
}

/* Everything local; the engine needs the storage that gains leave behind. */
static lw_err tuning_make(tuning *t, const lw_rate_target *target, lw_rate_found **found, int *n) {
    size_t n_pop = (size_t)lw_net_n_pop(t->net);
    int32_t *place = NULL;
    lw_err err = lw_alloc(n_pop, sizeof *t->rate, "rates", &t->rate);
    if (err == LW_OK) err = lw_alloc(n_pop, sizeof *t->log2_gain, "gains", &t->log2_gain);
    if (err == LW_OK) err = lw_alloc(n_pop, sizeof(lw_weight_gain *), "gains", &t->gain);
    if (err == LW_OK) err = lw_alloc(n_pop, sizeof **found, "tuned populations", found);
    if (err == LW_OK) err = lw_alloc(n_pop, sizeof *place, "the order of populations", &place);
    if (err == LW_OK) err = choose(t, target, place, *found, n);
    if (err == LW_OK) err = gains_make(t, *found, *n);
    if (err == LW_OK) err = batch_make(t);
    lw_free(place);
    return err;
}

/* A population behind another one moves when that one is tuned, and may feed back: a few rounds. */
static lw_err tune(tuning *t, const lw_rate_target *target, lw_rate_found *found, int n) {
    enum { ROUNDS = 4 };
    double band = target->tolerance * target->rate;
    LW_TRY(rates_measure(t));
    for (int k = 0; k < n; k++)
        found[k].before = t->rate[found[k].pop];
    for (int round = 0; round < ROUNDS; round++) {
        bool settled = true;
        for (int k = 0; k < n; k++) {
            lw_gain_found one;
            t->pop = found[k].pop;
            lw_gain_target search = {target->rate, band, target->iterations, rate_at, t};
            LW_TRY(lw_gain_search(&search, t->log2_gain[t->pop], &one));
            settled = settled && one.trials == 1;
            t->log2_gain[t->pop] = one.log2_gain;
            lw_weight_gain_set(t->gain[t->pop], one.log2_gain);
            found[k].trials += one.trials;
        }
        if (settled) break;
    }
    LW_TRY(rates_measure(t));
    for (int k = 0; k < n; k++) {
        found[k].log2_gain = t->log2_gain[found[k].pop];
        found[k].rate = t->rate[found[k].pop];
        found[k].reached = found[k].rate >= target->rate - band && found[k].rate <= target->rate + band;
    }
    return LW_OK;
}

lw_err lw_initialize_rate(const lw_grid *grid, lw_net *net, const lw_train_spec *spec, const lw_batch_source *data,
    const lw_rate_target *target, lw_rate_found **found, int *n) {
    tuning t = {.grid = grid, .net = net, .spec = spec, .data = data};
    lw_sim_options options = lw_sim_options_default();
    *found = NULL;
    lw_err err = lw_comm_agree(grid->world, tuning_make(&t, target, found, n));
    options.precision = spec->precision;
    options.width = (int32_t)t.width;
    if (err == LW_OK) err = lw_comm_agree(grid->world, lw_sim_create(net, &options, &t.sim));
    if (err == LW_OK) err = tune(&t, target, *found, *n);
    lw_sim_destroy(&t.sim);
    if (t.batch) batch_destroy(&t.batch);
    for (int p = 0; t.gain && p < lw_net_n_pop(net); p++)
        lw_weight_gain_destroy(&t.gain[p]);
    lw_free(t.gain);
    lw_free(t.log2_gain);
    lw_free(t.rate);
    if (err != LW_OK) {
        lw_free(*found);
        *found = NULL;
    }
    return err;
}
