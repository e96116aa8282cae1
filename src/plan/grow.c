/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The same kind of network with more neurons, for weak scaling: populations grow by a factor, the synapses of a target
 * stay as many as they were.
 */
#include "plan_private.h"

void lw_plan_grown_free(lw_net_spec *grown) {
    lw_free((void *)grown->pop);
    lw_free((void *)grown->proj);
    *grown = (lw_net_spec){0};
}

static lw_err pop_grow(lw_population_spec *pop, int64_t factor) {
    bool listed = false;
    for (int32_t i = 0; pop->param && i < pop->model->n_param; i++)
        listed = listed || pop->param[i].kind == LW_DIST_LIST;
    for (int32_t i = 0; pop->has_init && i < pop->model->n_state; i++)
        listed = listed || (pop->has_init[i] && pop->init[i].kind == LW_DIST_LIST);
    LW_CHECK(!listed, LW_EUSE,
        "population \"%s\" lists values by neuron and cannot grow; allowed: numbers, distributions", pop->name);
    LW_CHECK(pop->layout.kind == LW_LAYOUT_NONE, LW_EUSE,
        "population \"%s\" has positions and cannot grow; allowed: populations without", pop->name);
    LW_CHECK(!__builtin_mul_overflow(pop->size, factor, &pop->size), LW_EUSE, "population \"%s\" grows beyond 2^63",
        pop->name);
    return LW_OK;
}

static lw_err proj_grow(const lw_net_spec *spec, lw_projection_spec *s, int64_t factor) {
    bool listed = s->rule == LW_RULE_EDGES || s->weight.kind == LW_DIST_LIST || s->delay.kind == LW_DIST_LIST;
    LW_CHECK(!listed && s->rule != LW_RULE_ALL_TO_ALL, LW_EUSE,
        "the projection from \"%s\" to \"%s\" cannot grow with constant in-degree; allowed: one_to_one, "
        "fixed_indegree, "
        "fixed_outdegree, fixed_total_number, pairwise_bernoulli, clustered, small_world, without lists",
        spec->pop[s->pre].name, spec->pop[s->post].name);
    if (s->rule == LW_RULE_PAIRWISE_BERNOULLI) s->p /= (double)factor;
    if (s->rule == LW_RULE_CLUSTERED) { /* more clusters of the same size */
        s->n *= factor;
        s->p_out *= ((double)s->n / (double)factor - 1) / ((double)s->n - 1);
    }
    if (s->rule == LW_RULE_FIXED_TOTAL_NUMBER) s->n *= factor;
    return LW_OK;
}

lw_err lw_plan_grow(const lw_net_spec *spec, int64_t factor, lw_net_spec *out) {
    lw_population_spec *pop = NULL;
    lw_projection_spec *proj = NULL;
    *out = *spec;
    out->pop = NULL;
    out->proj = NULL;
    lw_err err = lw_alloc((size_t)spec->n_pop, sizeof *pop, "a larger network", &pop);
    if (err == LW_OK) err = lw_alloc((size_t)spec->n_proj, sizeof *proj, "a larger network", &proj);
    out->pop = pop;
    out->proj = proj;
    for (int32_t p = 0; p < spec->n_pop && err == LW_OK; p++) {
        pop[p] = spec->pop[p];
        if (factor > 1) err = pop_grow(&pop[p], factor);
    }
    for (int32_t i = 0; i < spec->n_proj && err == LW_OK; i++) {
        proj[i] = spec->proj[i];
        if (factor > 1) err = proj_grow(spec, &proj[i], factor);
    }
    if (err != LW_OK) lw_plan_grown_free(out);
    return err;
}
