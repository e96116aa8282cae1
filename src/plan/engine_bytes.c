/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Bytes of a rank's engine: states and coefficients by neuron, rings of emitted values and the halo by slot, stimuli.
 * As src/sim and src/comm allocate them for one lane and hard spikes.
 */
#include <math.h>
#include "plan_private.h"

/* All parameters are one number in the whole network. */
static bool is_uniform(const lw_population_spec *pop) {
    for (int32_t i = 0; i < pop->model->n_param; i++)
        if ((pop->param && pop->param[i].kind != LW_DIST_CONSTANT) || (pop->learn && pop->learn[i])) return false;
    return true;
}

static double stimulus_bytes(const plan_part *part, const lw_stimulus_spec *s) {
    double n = (double)part->neurons[s->pop], bytes = s->amplitude.kind == LW_DIST_CONSTANT ? 0 : plan_block(8 * n);
    if (s->kind == LW_STIMULUS_POISSON || s->kind == LW_STIMULUS_NOISE) bytes += plan_block(16 * n) + plan_block(n / 8);
    if (s->kind == LW_STIMULUS_SPIKES)
        bytes += plan_block(12 * (double)s->n_spikes * n / (double)part->spec->pop[s->pop].size);
    return bytes;
}

void plan_engine(const plan_part *part, double *held, double *making) {
    const lw_net_spec *spec = part->spec;
    double real = (double)lw_dtype_size(part->options->precision), neurons = (double)part->n_local, sum = 0;
    double slots = part->slots_all, depth = part->delay_max;
    int32_t inputs = 0;
    bool rows = false, events = false;
    for (int32_t p = 0; p < spec->n_pop; p++) {
        const lw_model *model = spec->pop[p].model;
        double n = (double)part->neurons[p], coefs = is_uniform(&spec->pop[p]) ? 0 : model->n_coef;
        sum += (coefs + model->n_state + 1) * plan_block(real * n);
        if (model->has_refractory) sum += plan_block(4 * n);
        if (model->n_input > inputs) inputs = model->n_input;
        rows = rows || !model->emits_spikes;
        events = events || model->emits_spikes;
    }
    sum += inputs * plan_block(real * neurons) + plan_block(8 * neurons);
    sum += plan_block(4 * (depth + 1) * slots) + plan_block(4 * depth * neurons);
    if (rows) sum += plan_block(real * (depth + 1) * slots) + plan_block(real * depth * neurons);
    for (int32_t i = 0; i < spec->n_proj; i++) /* inputs of coming steps where delays are learned */
        if (spec->proj[i].learn_delay)
            sum += plan_block(
                real * (round(spec->proj[i].delay_max / spec->dt) + 1) * (double)part->neurons[spec->proj[i].post]);
    for (int32_t i = 0; i < part->options->n_stimuli; i++)
        sum += stimulus_bytes(part, &part->options->stimulus[i]);
    /* the halo: slots in, as many items out, places of wants by neuron; and the exchange's own tables */
    double halo = plan_block(4 * slots) + plan_block(4 * slots) + plan_block(8 * slots) + plan_block(8 * neurons);
    sum += halo * (rows && events ? 2 : 1) + plan_block(8 * slots) + plan_block(4 * slots) + plan_block(slots / 8);
    sum += 20e3 * (part->options->threads > 1 ? part->options->threads : 1); /* queues of threads */
    *held = sum;
    /* owners and places, requests sent, packed and arrived */
    *making = plan_block(4 * slots) * 2 + plan_block(8 * slots) + 3 * plan_block(16 * slots);
}
