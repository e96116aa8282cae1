/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Seconds of a step on one rank, from what arrives there on average and the calibration of the machine: synaptic events
 * by the size of what they lie in, and cells (one source, one delay) by the number of sources; neurons by model;
 * stimuli; and an exchange that costs a time per message, per byte and per spike (LogGP with the gap in the message's
 * time; Alexandrov et al. 1995, doi:10.1145/215399.215427). Ranks are taken as equally fast, and nobody waits for
 * another.
 */
#include <math.h>
#include "plan_private.h"

/* Place of x among ascending knots, by logarithm: *at and the fraction towards the next; clamped. */
static double between(const double *knot, int n, double x, int *at) {
    *at = 0;
    if (!(x > knot[0])) return 0;
    while (*at < n - 2 && x > knot[*at + 1])
        ++*at;
    return fmin(log(x / knot[*at]) / log(knot[*at + 1] / knot[*at]), 1);
}

/* Of a synaptic event once its row is found: by the bytes of a rank's synapses, from the longest rows. */
static double event_seconds(const lw_plan_machine *m, bool weight_one, double set_bytes) {
    int k;
    double f = between(m->set_bytes, LW_PLAN_SETS, set_bytes, &k);
    const double(*t)[LW_PLAN_ROWS] = m->s_event[weight_one ? 0 : 1];
    return t[k][LW_PLAN_ROWS - 1] * (1 - f) + t[k + 1][LW_PLAN_ROWS - 1] * f;
}

/* To find what one source has for one delay, if anything: by the number of sources, from the shortest rows. */
static double cell_seconds(const lw_plan_machine *m, double slots) {
    double knot[LW_PLAN_SETS], s[LW_PLAN_SETS];
    int at;
    for (int k = 0; k < LW_PLAN_SETS; k++) {
        knot[k] = m->set_bytes[k] / 2 / m->row_length[0];
        s[k] = fmax(m->s_event[0][k][0] - m->s_event[0][k][LW_PLAN_ROWS - 1], 0) * m->row_length[0];
    }
    double f = between(knot, LW_PLAN_SETS, slots, &at);
    return s[at] * (1 - f) + s[at + 1] * f;
}

static double poisson_seconds(const lw_plan_machine *m, double mean) {
    int k;
    double f = between(m->poisson_mean, LW_PLAN_MEANS, mean, &k);
    return m->s_poisson[k] * (1 - f) + m->s_poisson[k + 1] * f;
}

static double dist_mean(const lw_dist *d) {
    double sum = 0;
    switch (d->kind) {
    case LW_DIST_CONSTANT:
    case LW_DIST_NORMAL:
    case LW_DIST_EXPONENTIAL:
        return d->p[0];
    case LW_DIST_UNIFORM:
        return (d->p[0] + d->p[1]) / 2;
    case LW_DIST_LOGNORMAL:
        return exp(d->p[0] + d->p[1] * d->p[1] / 2);
    case LW_DIST_GAMMA:
        return d->p[1];
    case LW_DIST_LIST:
        for (int64_t i = 0; i < d->n_list; i++)
            sum += d->list[i] / (double)d->n_list;
        return sum;
    }
    return 0;
}

/* Spikes that a rank receives in a step: from others, and in all. */
static void spikes_received(const plan_part *part, double *remote, double *all) {
    *remote = *all = 0;
    for (int32_t p = 0; p < part->spec->n_pop; p++) {
        if (!part->spec->pop[p].model->emits_spikes) continue;
        double each = part->options->rate[p] * part->spec->dt / 1000;
        *remote += part->remote[p].mean * each;
        *all += part->slots[p].mean * each;
    }
}

static double stimulus_seconds(const plan_part *part, const lw_stimulus_spec *s) {
    const lw_plan_machine *m = part->options->machine;
    double n = (double)part->neurons[s->pop];
    if (s->kind == LW_STIMULUS_POISSON) return n * poisson_seconds(m, dist_mean(&s->amplitude) * part->spec->dt);
    if (s->kind == LW_STIMULUS_NOISE) return n * m->s_noise;
    return s->kind == LW_STIMULUS_CURRENT ? n * m->s_current : 0;
}

void plan_times(const plan_part *part, const plan_bytes *bytes, lw_plan_rank *rank) {
    const lw_plan_machine *m = part->options->machine;
    double epoch = part->n_levels == 1 ? part->delay_min : 1, remote = 0, all = 0, dense = 0;
    spikes_received(part, &remote, &all);
    for (int32_t p = 0; p < part->spec->n_pop; p++) /* graded values travel whole, in each step */
        if (!part->spec->pop[p].model->emits_spikes)
            dense += part->remote[p].mean * (double)lw_dtype_size(part->options->precision);
    rank->messages = part->neighbours;
    rank->events = remote * epoch;
    rank->bytes = (remote * 8 + dense) * epoch;
    if (!m) return;
    double threads = part->options->threads > 1 ? part->options->threads : 1;
    for (int32_t k = 0; k < bytes->n_pieces; k++) {
        const plan_piece *piece = &bytes->piece[k];
        const lw_population_spec *pre = &part->spec->pop[piece->pre];
        double slots = part->slots[piece->pre].mean;
        double spikes = pre->model->emits_spikes ? part->options->rate[piece->pre] * part->spec->dt / 1000 : 1;
        double events = piece->edges * spikes * event_seconds(m, piece->weight_one, bytes->synapses);
        rank->s_deliver += (events + slots * spikes * piece->cells * cell_seconds(m, slots)) / threads;
    }
    for (int32_t i = 0; i < part->options->n_stimuli; i++)
        rank->s_stimulus += stimulus_seconds(part, &part->options->stimulus[i]) / threads;
    for (int32_t p = 0; p < part->spec->n_pop; p++) {
        const lw_plan_kernel *k = lw_plan_kernel_find(m, part->spec->pop[p].model, part->options->precision);
        if (k) rank->s_update += (double)part->neurons[p] * k->s_step / threads;
    }
    rank->s_update += m->s_step;
    rank->s_exchange = all * m->s_spike + (rank->messages * m->s_message + rank->bytes * m->s_byte) / epoch;
}
