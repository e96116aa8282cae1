/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Statistics of spike trains while they are made, without keeping them: rates, irregularity of single neurons,
 * synchrony of populations, correlation of pairs. Everything that is summed is an integer (steps, spikes, or a fixed
 * number of binary places), so the order of summation, hence the number of ranks, leaves no trace.
 *
 * Each neuron keeps its first and last spike and the sum of squared intervals. Counts of populations are summed over
 * ranks bin by bin at a flush. Spikes of the sampled neurons travel at a flush to the one rank that holds their
 * population's matrix of products of counts.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "engine_parts.h"

const double lw_activity_quantile[LW_ACTIVITY_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};

enum {
    CV_CELLS = 5001, /* around multiples of 1/1000; the last one holds all that is larger */
    CV_PLACES = 24   /* binary places of summed coefficients */
};

/* The intervals of a neuron add up to last - first. */
typedef struct train {
    int64_t count, first, last;
    int64_t squares; /* sum of squared intervals, steps^2 */
} train;

typedef struct sampled {
    int64_t bin;
    int32_t pop, place;
} sampled;

/* Products of the counts of a population's sample. */
typedef struct pairs {
    int64_t n;        /* neurons; 0: held by another rank */
    int64_t *product; /* [n (n + 1) / 2] sum over closed bins of c_i c_j, i >= j at i (i + 1) / 2 + j */
    int64_t *sum;     /* [n] */
    int64_t bin;      /* the open one */
    int64_t *count;   /* [n] in the open bin */
    int32_t *active;  /* [n_active] neurons whose count is not zero */
    int64_t n_active;
} pairs;

struct engine_activity {
    lw_activity_spec spec;
    int64_t begin;
    int32_t n_pop;
    train *train;   /* [n_local of the net] */
    int32_t *place; /* [n_local of the net] in the population's sample; -1 */
    engine_bins bins;
    int64_t n_bins;         /* summed so far */
    int64_t *sum, *squares; /* [n_pop] of the summed bins */
    sampled *sample;
    int64_t n_sample, room;
    pairs *pairs; /* [n_pop] */
};

/* ------------------------------------------------------------------ creation */

static lw_err pairs_create(pairs *x, int64_t n) {
    size_t count = (size_t)n;
    LW_TRY(lw_alloc(count * (count + 1) / 2, sizeof *x->product, "pairs of neurons", &x->product));
    LW_TRY(lw_alloc(count, sizeof *x->sum, "pairs of neurons", &x->sum));
    LW_TRY(lw_alloc(count, sizeof *x->count, "pairs of neurons", &x->count));
    LW_TRY(lw_alloc(count, sizeof *x->active, "pairs of neurons", &x->active));
    x->n = n;
    return LW_OK;
}

static lw_err sample_create(lw_sim *sim, engine_activity *a) {
    const lw_comm *comm = lw_net_comm(sim->net);
    LW_TRY(lw_alloc((size_t)sim->n_pop, sizeof *a->pairs, "activity", &a->pairs));
    LW_TRY(lw_alloc((size_t)lw_net_n_local(sim->net), sizeof *a->place, "activity", &a->place));
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *view = &sim->pop[p].view;
        lw_choice choice = {.kind = LW_CHOICE_SPREAD, .n = a->spec.sample};
        for (int64_t i = 0; i < view->n_local; i++)
            a->place[view->lid_begin + i] =
                a->spec.sample > 0 ? (int32_t)lw_choice_place(&choice, view->size, view->gid[i] - view->gid_begin) : -1;
        if (view->model->emits_spikes && p % lw_comm_size(comm) == lw_comm_rank(comm))
            LW_TRY(pairs_create(&a->pairs[p], lw_choice_size(&choice, view->size)));
    }
    for (int p = 0; p < sim->n_pop; p++)
        a->pairs[p].bin = -1;
    return LW_OK;
}

static lw_err parts_create(lw_sim *sim, engine_activity *a) {
    LW_TRY(lw_alloc((size_t)lw_net_n_local(sim->net), sizeof *a->train, "activity", &a->train));
    LW_TRY(lw_alloc((size_t)sim->n_pop, sizeof *a->sum, "activity", &a->sum));
    LW_TRY(lw_alloc((size_t)sim->n_pop, sizeof *a->squares, "activity", &a->squares));
    return sample_create(sim, a);
}

lw_err engine_activity_create(lw_sim *sim, const lw_activity_spec *spec, engine_activity **out) {
    engine_activity *a = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *a, "activity", &a));
    a->spec = *spec;
    a->n_pop = sim->n_pop;
    a->begin = sim->step > spec->from ? sim->step : spec->from;
    a->bins = (engine_bins){.every = spec->bin, .origin = a->begin};
    lw_err err = parts_create(sim, a);
    if (err != LW_OK) engine_activity_destroy(&a);
    *out = a;
    return err;
}

void engine_activity_destroy(engine_activity **activity) {
    engine_activity *a = *activity;
    if (!a) return;
    for (int p = 0; a->pairs && p < a->n_pop; p++) {
        lw_free(a->pairs[p].product);
        lw_free(a->pairs[p].sum);
        lw_free(a->pairs[p].count);
        lw_free(a->pairs[p].active);
    }
    engine_bins_free(&a->bins);
    lw_free(a->pairs);
    lw_free(a->place);
    lw_free(a->train);
    lw_free(a->sum);
    lw_free(a->squares);
    lw_free(a->sample);
    lw_free(a);
    *activity = NULL;
}

void engine_activity_clear(lw_sim *sim, engine_activity *a) {
    size_t row = (size_t)sim->n_pop * sizeof *a->sum;
    a->begin = sim->step > a->spec.from ? sim->step : a->spec.from;
    memset(a->train, 0, (size_t)lw_net_n_local(sim->net) * sizeof *a->train);
    engine_bins_free(&a->bins);
    a->bins = (engine_bins){.every = a->spec.bin, .origin = a->begin};
    a->n_bins = a->n_sample = 0;
    memset(a->sum, 0, row);
    memset(a->squares, 0, row);
    for (int p = 0; p < sim->n_pop; p++) {
        pairs *x = &a->pairs[p];
        if (x->n == 0) continue;
        memset(x->product, 0, (size_t)(x->n * (x->n + 1) / 2) * sizeof *x->product);
        memset(x->sum, 0, (size_t)x->n * sizeof *x->sum);
        memset(x->count, 0, (size_t)x->n * sizeof *x->count);
        x->n_active = 0;
        x->bin = -1;
    }
}

/* ------------------------------------------------------------------ in the time loop */

void engine_activity_spikes(lw_sim *sim, engine_activity *a, int p, int64_t t, const uint32_t *local, int64_t n) {
    if (t < a->begin) return;
    train *x = a->train + sim->pop[p].view.lid_begin;
    const int32_t *place = a->place + sim->pop[p].view.lid_begin;
    engine_bins_add(sim, &a->bins, p, t, n);
    if (!engine_reserve(sim, &a->sample, &a->room, a->n_sample + n, sizeof *a->sample)) return;
    for (int64_t i = 0; i < n; i++) {
        train *neuron = &x[local[i]];
        int64_t interval = t - neuron->last;
        if (neuron->count++ == 0)
            neuron->first = t;
        else
            neuron->squares += interval * interval;
        neuron->last = t;
        if (place[local[i]] >= 0)
            a->sample[a->n_sample++] =
                (sampled){.bin = (t - a->begin) / a->spec.pair_bin, .pop = p, .place = place[local[i]]};
    }
}

int64_t engine_activity_bytes(const lw_sim *sim, const engine_activity *a) {
    return a->bins.n * sim->n_pop * (int64_t)sizeof *a->bins.count + a->n_sample * (int64_t)sizeof *a->sample;
}

/* ------------------------------------------------------------------ flush */

static void bin_close(pairs *x) {
    for (int64_t u = 0; u < x->n_active; u++) {
        int64_t i = x->active[u];
        x->sum[i] += x->count[i];
        for (int64_t v = 0; v < x->n_active; v++) {
            int64_t k = x->active[v];
            if (k <= i) x->product[i * (i + 1) / 2 + k] += x->count[i] * x->count[k];
        }
    }
    for (int64_t u = 0; u < x->n_active; u++)
        x->count[x->active[u]] = 0;
    x->n_active = 0;
}

static int by_bin(const void *a, const void *b) {
    const sampled *x = a, *y = b;
    return x->bin < y->bin ? -1 : x->bin > y->bin;
}

/* Spikes of the samples to the ranks of their matrices. **Collective**. */
static lw_err sample_flush(lw_sim *sim, engine_activity *a) {
    const lw_comm *comm = lw_net_comm(sim->net);
    int64_t complete = (sim->step - a->begin) / a->spec.pair_bin, n = 0;
    int32_t *owner = NULL;
    void *arrived = NULL;
    lw_err err = lw_comm_agree(comm, lw_alloc((size_t)a->n_sample, sizeof *owner, "spikes of a sample", &owner));
    if (err != LW_OK) goto done;
    for (int64_t i = 0; i < a->n_sample; i++)
        owner[i] = a->sample[i].pop % lw_comm_size(comm);
    LW_TRY_TO(lw_comm_route(comm, a->n_sample, owner, a->sample, sizeof *a->sample, &arrived, &n, NULL), done);
    a->n_sample = 0;
    sampled *spike = arrived;
    if (n > 0) qsort(spike, (size_t)n, sizeof *spike, by_bin);
    for (int64_t i = 0; i < n; i++) {
        pairs *x = &a->pairs[spike[i].pop];
        if (spike[i].bin != x->bin) bin_close(x);
        x->bin = spike[i].bin;
        if (x->count[spike[i].place]++ == 0) x->active[x->n_active++] = spike[i].place;
    }
    for (int p = 0; p < sim->n_pop; p++)
        if (a->pairs[p].n > 0 && a->pairs[p].bin < complete) bin_close(&a->pairs[p]);
done:
    lw_free(arrived);
    lw_free(owner);
    return err;
}

lw_err lw_sim_activity_flush(lw_sim *sim) {
    const lw_comm *comm = lw_net_comm(sim->net);
    engine_activity *a = engine_record_activity(sim);
    int64_t n = 0;
    if (!a || sim->step <= a->begin) return LW_OK;
    LW_TRY(lw_comm_agree(comm, engine_bins_complete(sim, &a->bins, &n)));
    lw_comm_sum_i64(comm, a->bins.count, n * sim->n_pop);
    for (int64_t b = 0; b < n; b++)
        for (int p = 0; p < sim->n_pop; p++) {
            int64_t count = a->bins.count[b * sim->n_pop + p];
            a->sum[p] += count;
            a->squares[p] += count * count;
        }
    a->n_bins += n;
    engine_bins_drop(sim, &a->bins, n);
    return a->spec.sample > 0 ? sample_flush(sim, a) : LW_OK;
}

/* ------------------------------------------------------------------ results */

/* Standard deviation / mean of the intervals: with m intervals of sum S and sum of squares Q,
 * sqrt(m Q - S^2) / S. Long doubles hold the products of 64-bit sums. */
static double variation(const train *x) {
    long double intervals = (long double)(x->count - 1), sum = (long double)(x->last - x->first);
    long double spread = intervals * (long double)x->squares - sum * sum;
    return spread > 0 ? sqrt((double)spread) / (double)sum : 0;
}

/* Sums over the neurons of a population; cell: of the coefficient of variation. */
typedef struct sums {
    int64_t spikes, squares, silent, neurons, cv, cv_squares;
    int64_t cell[CV_CELLS];
} sums;
enum { N_SUMS = sizeof(sums) / sizeof(int64_t) };

static void neurons_sum(const lw_sim *sim, const engine_activity *a, int p, sums *s) {
    const lw_pop_view *view = &sim->pop[p].view;
    memset(s, 0, sizeof *s);
    for (int64_t i = 0; i < view->n_local; i++) {
        const train *x = &a->train[view->lid_begin + i];
        s->spikes += x->count;
        s->squares += x->count * x->count;
        s->silent += x->count == 0;
        if (x->count < a->spec.least) continue;
        double cv = variation(x);
        int64_t cell = llround(cv * 1000);
        s->neurons++;
        s->cv += llround(ldexp(cv, CV_PLACES));
        s->cv_squares += llround(ldexp(cv * cv, CV_PLACES));
        s->cell[cell < CV_CELLS ? cell : CV_CELLS - 1]++;
    }
    lw_comm_sum_i64(lw_net_comm(sim->net), &s->spikes, N_SUMS);
}

/* Cell in which the fraction is passed. */
static double quantile(const sums *s, double fraction) {
    int64_t below = 0;
    for (int c = 0; c < CV_CELLS; c++) {
        below += s->cell[c];
        if ((double)below > fraction * (double)s->neurons) return c / 1000.0;
    }
    return (CV_CELLS - 1) / 1000.0;
}

static double deviation(double mean_square, double mean) {
    double variance = mean_square - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}

static void rates_set(const lw_sim *sim, const sums *s, lw_activity *out) {
    double n = (double)out->neurons, ms = (double)out->steps * lw_net_dt(sim->net);
    double mean = (double)s->spikes / n;
    out->spikes = s->spikes;
    out->silent = s->silent;
    out->rate = mean / ms;
    out->rate_sd = deviation((double)s->squares / n, mean) / ms;
}

static void variations_set(const sums *s, lw_activity *out) {
    double n = (double)s->neurons;
    out->cv_neurons = s->neurons;
    if (s->neurons == 0) return;
    out->cv = ldexp((double)s->cv, -CV_PLACES) / n;
    out->cv_sd = deviation(ldexp((double)s->cv_squares, -CV_PLACES) / n, out->cv);
    for (int q = 0; q < LW_ACTIVITY_QUANTILES; q++)
        out->cv_at[q] = quantile(s, lw_activity_quantile[q]);
}

static void synchrony_set(const engine_activity *a, int p, lw_activity *out) {
    double n = (double)a->n_bins, mean = (double)a->sum[p] / n;
    out->bins = a->n_bins;
    if (a->sum[p] > 0) out->synchrony = ((double)a->squares[p] / n - mean * mean) / mean;
}

/* Correlation coefficients of all pairs of sampled neurons that have a variance; the matrix is on one rank, which takes
 * them in ascending order. sum: number, sum, sum of squares. */
static void correlations_sum(const pairs *x, int64_t bins, double sum[3]) {
    for (int64_t i = 0; i < x->n; i++) {
        const int64_t *row = x->product + i * (i + 1) / 2;
        double own = (double)(bins * row[i] - x->sum[i] * x->sum[i]);
        for (int64_t k = 0; k < i && own > 0; k++) {
            double other = (double)(bins * x->product[k * (k + 1) / 2 + k] - x->sum[k] * x->sum[k]);
            if (other <= 0) continue;
            double r = (double)(bins * row[k] - x->sum[i] * x->sum[k]) / (sqrt(own) * sqrt(other));
            sum[0]++;
            sum[1] += r;
            sum[2] += r * r;
        }
    }
}

/* **Collective**. */
static void correlations_set(const lw_sim *sim, const engine_activity *a, int p, lw_activity *out) {
    double sum[3] = {0};
    correlations_sum(&a->pairs[p], (sim->step - a->begin) / a->spec.pair_bin, sum);
    lw_comm_sum_f64(lw_net_comm(sim->net), sum, 3); /* zeros from all ranks but one */
    out->pairs = (int64_t)sum[0];
    if (out->pairs == 0) return;
    out->correlation = sum[1] / sum[0];
    out->correlation_sd = deviation(sum[2] / sum[0], out->correlation);
}

lw_err lw_sim_activity_get(lw_sim *sim, lw_activity *out) {
    engine_activity *a = engine_record_activity(sim);
    sums *s = NULL;
    LW_ASSERT(a);
    LW_TRY(lw_sim_activity_flush(sim));
    LW_TRY(lw_comm_agree(lw_net_comm(sim->net), lw_alloc(1, sizeof *s, "activity", &s)));
    for (int p = 0; p < sim->n_pop; p++) {
        const lw_pop_view *view = &sim->pop[p].view;
        out[p] = (lw_activity){.neurons = view->size,
            .steps = sim->step > a->begin ? sim->step - a->begin : 0,
            .rate = NAN,
            .rate_sd = NAN,
            .cv = NAN,
            .cv_sd = NAN,
            .synchrony = NAN,
            .correlation = NAN,
            .correlation_sd = NAN};
        for (int q = 0; q < LW_ACTIVITY_QUANTILES; q++)
            out[p].cv_at[q] = NAN;
        if (!view->model->emits_spikes || out[p].steps == 0 || view->size == 0) continue;
        neurons_sum(sim, a, p, s);
        rates_set(sim, s, &out[p]);
        variations_set(s, &out[p]);
        synchrony_set(a, p, &out[p]);
        correlations_set(sim, a, p, &out[p]);
    }
    lw_free(s);
    return LW_OK;
}
