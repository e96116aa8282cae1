/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checks of a specification before anything is drawn or allocated: what is impossible is refused with the name of the
 * population or projection, what was found and what is allowed. Also the names of projections that have none.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "net_private.h"

/* list: wanted length of a list, or -1 where lists make no sense. */
static lw_err dist_check(const lw_dist *d, int64_t list) {
    const double *p = d->p;
    LW_CHECK(!(d->lo > d->hi) && !isnan(d->lo) && !isnan(d->hi), LW_EUSE, "range %g to %g is empty", d->lo, d->hi);
    if (d->kind == LW_DIST_LIST) {
        LW_CHECK(list >= 0, LW_EUSE, "a list of %lld values is not allowed here", (long long)d->n_list);
        LW_CHECK(d->n_list == list, LW_EUSE, "a list of %lld values; allowed: %lld values", (long long)d->n_list,
            (long long)list);
        for (int64_t i = 0; i < list; i++)
            LW_CHECK(isfinite(d->list[i]), LW_EUSE, "value %lld of the list is %g; allowed: finite numbers",
                (long long)i, d->list[i]);
        return LW_OK;
    }
    LW_CHECK(isfinite(p[0]), LW_EUSE, "the number %g; allowed: finite numbers", p[0]);
    switch (d->kind) {
    case LW_DIST_UNIFORM:
        LW_CHECK(
            isfinite(p[1]) && p[0] <= p[1], LW_EUSE, "uniform from %g to %g; allowed: an ascending range", p[0], p[1]);
        break;
    case LW_DIST_NORMAL:
    case LW_DIST_LOGNORMAL:
        LW_CHECK(isfinite(p[1]) && p[1] >= 0, LW_EUSE, "standard deviation %g; allowed: 0 or more", p[1]);
        break;
    case LW_DIST_GAMMA:
        LW_CHECK(p[0] > 0, LW_EUSE, "gamma shape %g; allowed: above 0", p[0]);
        LW_CHECK(isfinite(p[1]) && p[1] >= 0, LW_EUSE, "gamma mean %g; allowed: 0 or more", p[1]);
        break;
    case LW_DIST_CONSTANT:
    case LW_DIST_LIST:
    case LW_DIST_EXPONENTIAL:
        break;
    }
    return LW_OK;
}

static lw_err param_check(const lw_population_spec *pop, int32_t i) {
    const lw_dist *d = &pop->param[i];
    lw_err err = dist_check(d, pop->size);
    if (err == LW_OK && d->kind == LW_DIST_CONSTANT)
        err = lw_model_param_check(pop->model, i, lw_dist_value(d, 0, 0, LW_PURPOSE_PARAM, 0, 0));
    if (err != LW_OK) lw_err_context("population \"%s\": parameter %s", pop->name, pop->model->param[i].name);
    return err;
}

static lw_err init_check(const lw_population_spec *pop, int32_t i) {
    if (!pop->has_init || !pop->has_init[i]) return LW_OK;
    lw_err err = dist_check(&pop->init[i], pop->size);
    if (err != LW_OK) lw_err_context("population \"%s\": initial %s", pop->name, pop->model->state[i].name);
    return err;
}

static lw_err pop_check(const lw_net_spec *spec, int32_t p) {
    const lw_population_spec *pop = &spec->pop[p];
    LW_CHECK(pop->name && pop->name[0], LW_EUSE, "population %d has no name", (int)p);
    for (int32_t q = 0; q < p; q++)
        LW_CHECK(strcmp(spec->pop[q].name, pop->name) != 0, LW_EUSE,
            "two populations are named \"%s\"; names must differ", pop->name);
    LW_CHECK(pop->model, LW_EUSE, "population \"%s\" has no model", pop->name);
    LW_CHECK(pop->size >= 1 && pop->size <= NET_SIZE_MOST, LW_EUSE,
        "population \"%s\" has size %lld; allowed: 1 to %lld", pop->name, (long long)pop->size,
        (long long)NET_SIZE_MOST);
    LW_CHECK(!pop->has_init || pop->init, LW_EUSE, "population \"%s\": initial values are announced but not given",
        pop->name);
    for (int32_t i = 0; pop->param && i < pop->model->n_param; i++)
        LW_TRY(param_check(pop, i));
    for (int32_t i = 0; i < pop->model->n_state; i++)
        LW_TRY(init_check(pop, i));
    lw_err err = net_layout_check(&pop->layout, pop->size);
    if (err != LW_OK) lw_err_context("population \"%s\": positions", pop->name);
    return err;
}

static lw_err degree_check(
    const char *degree, int64_t n, int64_t size, bool self_excluded, bool multapses, const char *of) {
    int64_t range = size - self_excluded;
    int64_t most = multapses && range > 0 ? NET_SIZE_MOST : range;
    LW_CHECK(n >= 0 && n <= most, LW_EUSE, "%s %lld; allowed: 0 to %lld (population \"%s\" has %lld neurons%s%s)",
        degree, (long long)n, (long long)most, of, (long long)size, self_excluded ? ", no autapses" : "",
        multapses ? "" : ", no multapses");
    return LW_OK;
}

static lw_err total_check(const lw_projection_spec *proj, int64_t n_pre, int64_t n_post, bool self_excluded) {
    double pairs = (double)(n_pre - self_excluded) * (double)n_post;
    double most = pairs > 0 && (proj->multapses || pairs > 0x1p53) ? 0x1p53 : pairs;
    LW_CHECK(proj->n >= 0 && (double)proj->n <= most, LW_EUSE,
        "fixed_total_number %lld; allowed: 0 to %.0f (%lld sources, %lld targets%s%s)", (long long)proj->n, most,
        (long long)n_pre, (long long)n_post, self_excluded ? ", no autapses" : "",
        proj->multapses ? "" : ", no multapses");
    LW_CHECK(proj->multapses || pairs <= 0x1p53, LW_EUSE,
        "fixed_total_number without multapses among %.3g pairs; allowed: at most %.3g pairs", pairs, 0x1p53);
    return LW_OK;
}

static lw_err rule_check(
    const lw_projection_spec *proj, const lw_population_spec *pre, const lw_population_spec *post) {
    bool same = proj->pre == proj->post, self = same && !proj->autapses;
    switch (proj->rule) {
    case LW_RULE_ALL_TO_ALL:
        return LW_OK;
    case LW_RULE_ONE_TO_ONE:
        LW_CHECK(pre->size == post->size, LW_EUSE, "one_to_one between %lld and %lld neurons; allowed: equal sizes",
            (long long)pre->size, (long long)post->size);
        LW_CHECK(!self, LW_EUSE, "one_to_one within one population makes autapses only, and autapses are forbidden");
        return LW_OK;
    case LW_RULE_FIXED_INDEGREE:
        return degree_check("fixed_indegree", proj->n, pre->size, self, proj->multapses, pre->name);
    case LW_RULE_FIXED_OUTDEGREE:
        return degree_check("fixed_outdegree", proj->n, post->size, self, proj->multapses, post->name);
    case LW_RULE_FIXED_TOTAL_NUMBER:
        return total_check(proj, pre->size, post->size, self);
    case LW_RULE_SMALL_WORLD:
        LW_CHECK(
            same, LW_EUSE, "small_world from \"%s\" to \"%s\"; allowed: within one population", pre->name, post->name);
        LW_CHECK(proj->n >= 0 && proj->n % 2 == 0 && proj->n < post->size, LW_EUSE,
            "small_world with %lld neighbours; allowed: an even number from 0 to %lld", (long long)proj->n,
            (long long)(post->size - 1));
        LW_CHECK(proj->p >= 0 && proj->p <= 1, LW_EUSE, "small_world with probability %g; allowed: 0 to 1", proj->p);
        return LW_OK;
    case LW_RULE_PAIRWISE_BERNOULLI:
        LW_CHECK(
            proj->p >= 0 && proj->p <= 1, LW_EUSE, "pairwise_bernoulli with probability %g; allowed: 0 to 1", proj->p);
        return LW_OK;
    case LW_RULE_CLUSTERED:
        return net_spec_clustered_check(proj, pre->size, post->size);
    case LW_RULE_WINDOW:
        return net_window_check(proj, pre->size, post->size);
    case LW_RULE_EDGES:
        LW_CHECK(proj->n_edges >= 0, LW_EUSE, "%lld edges are given; allowed: 0 or more", (long long)proj->n_edges);
        return net_is_tied(proj) ? net_window_check(proj, pre->size, post->size) : LW_OK;
    }
    return LW_FAIL(LW_EUSE, "unknown rule %d", (int)proj->rule);
}

/* Length of a list of weights or delays: by target for one_to_one, by target and source for all_to_all. */
static int64_t value_list(const lw_projection_spec *proj, int64_t pre_size, int64_t post_size) {
    int64_t pairs = -1;
    if (proj->rule == LW_RULE_ONE_TO_ONE) return post_size;
    if (proj->rule == LW_RULE_WINDOW && proj->window.shared) return net_window_entries(&proj->window);
    if (proj->rule == LW_RULE_ALL_TO_ALL && !__builtin_mul_overflow(pre_size, post_size, &pairs)) return pairs;
    return -1;
}

static lw_err values_check(const lw_net_spec *spec, const lw_projection_spec *proj) {
    if (proj->rule == LW_RULE_EDGES) return LW_OK;
    int64_t list = value_list(proj, spec->pop[proj->pre].size, spec->pop[proj->post].size);
    lw_err err = dist_check(&proj->weight, list);
    if (err != LW_OK) {
        lw_err_context("weight");
        return err;
    }
    err = dist_check(&proj->delay, list);
    double most = NET_DELAY_MOST * spec->dt;
    double ms = net_delay_constant(proj) ? lw_dist_value(&proj->delay, 0, 0, LW_PURPOSE_DELAY, 0, 0) : 0;
    if (err == LW_OK && !(ms >= 0 && ms <= most)) err = LW_FAIL(LW_EUSE, "%g ms; allowed: 0 to %g ms", ms, most);
    if (err != LW_OK) lw_err_context("delay");
    return err;
}

static lw_err synapse_check(
    const lw_projection_spec *proj, const lw_population_spec *pre, const lw_population_spec *post) {
    const lw_synapse_model *model = proj->synapse;
    if (!model) return LW_OK;
    LW_CHECK(pre->model->emits_spikes && (post->model->emits_spikes || !model->needs_post), LW_EUSE,
        "synapse model %s between \"%s\" and \"%s\"; allowed: between populations that spike", model->name, pre->name,
        post->name);
    LW_CHECK(!proj->learn, LW_EUSE, "synapse model %s and \"learn\"; allowed: one of them", model->name);
    LW_CHECK(proj->delay.kind != LW_DIST_CONSTANT || proj->rule == LW_RULE_EDGES || proj->delay.p[0] > 0, LW_EUSE,
        "synapse model %s with delay 0; allowed: delays of a step and more", model->name);
    for (int32_t i = 0; proj->synapse_param && i < model->n_param; i++)
        LW_TRY(lw_synapse_param_check(model, i, proj->synapse_param[i]));
    return LW_OK;
}

/* The history of emitted values is one step deeper than the largest delay. */
static lw_err learn_delay_check(const lw_net_spec *spec, const lw_projection_spec *proj) {
    double steps = proj->delay_max / spec->dt, most = NET_DELAY_MOST - 1;
    LW_CHECK(steps >= 1 - 1e-9 && steps <= most, LW_EUSE, "largest delay to be learned %g ms; allowed: %g to %g ms",
        proj->delay_max, spec->dt, most * spec->dt);
    LW_CHECK(!proj->synapse, LW_EUSE, "delays that are learned and a synapse model; allowed: one of them");
    bool constant = net_delay_constant(proj) && proj->rule != LW_RULE_EDGES;
    double ms = constant ? lw_dist_value(&proj->delay, 0, 0, LW_PURPOSE_DELAY, 0, 0) : spec->dt;
    LW_CHECK(ms >= spec->dt * (1 - 1e-9) && ms <= proj->delay_max * (1 + 1e-9), LW_EUSE,
        "a delay of %g ms that is learned; allowed: %g to %g ms", ms, spec->dt, proj->delay_max);
    return LW_OK;
}

static lw_err proj_check(const lw_net_spec *spec, int32_t i) {
    const lw_projection_spec *proj = &spec->proj[i];
    const lw_population_spec *pre = &spec->pop[proj->pre], *post = &spec->pop[proj->post];
    lw_err err = LW_OK;
    if (proj->port < 0 || proj->port >= post->model->n_input)
        err = LW_FAIL(LW_EUSE, "input port %d; model %s of population \"%s\" has %d input(s), numbered from 0",
            (int)proj->port, post->model->name, post->name, (int)post->model->n_input);
    if (err == LW_OK) err = rule_check(proj, pre, post);
    if (err == LW_OK) err = values_check(spec, proj);
    if (err == LW_OK) err = synapse_check(proj, pre, post);
    if (err == LW_OK && proj->learn_delay) err = learn_delay_check(spec, proj);
    if (err == LW_OK) err = net_spec_distance_check(spec, i);
    for (int32_t j = 0; j < i && err == LW_OK && proj->name; j++)
        if (spec->proj[j].name && strcmp(spec->proj[j].name, proj->name) == 0)
            err = LW_FAIL(LW_EUSE, "the name is taken by another projection; names must differ");
    if (err != LW_OK && proj->name) lw_err_context("projection \"%s\"", proj->name);
    if (err != LW_OK && !proj->name) lw_err_context("projection from \"%s\" to \"%s\"", pre->name, post->name);
    return err;
}

/* Constant delays of 0 are known now; drawn ones are looked at when they are drawn. */
static lw_err cycle_check(const lw_net_spec *spec) {
    lw_err err = LW_OK;
    size_t n = (size_t)spec->n_proj, n_pop = (size_t)spec->n_pop;
    int32_t *index = NULL, n_levels = 0;
    const char **name = NULL;
    uint8_t *zero = NULL;
    LW_TRY_TO(lw_alloc(2 * n + n_pop, sizeof *index, "levels", &index), done);
    LW_TRY_TO(lw_alloc(n, sizeof *zero, "levels", &zero), done);
    LW_TRY_TO(lw_alloc(n_pop, sizeof *name, "levels", &name), done);
    for (size_t p = 0; p < n_pop; p++)
        name[p] = spec->pop[p].name;
    for (size_t i = 0; i < n; i++) {
        const lw_projection_spec *proj = &spec->proj[i];
        index[i] = proj->pre;
        index[n + i] = proj->post;
        zero[i] = proj->rule != LW_RULE_EDGES && net_delay_constant(proj) &&
                  lw_dist_value(&proj->delay, 0, 0, LW_PURPOSE_DELAY, 0, 0) == 0;
    }
    err = net_levels(spec->n_pop, name, spec->n_proj, index, index + n, zero, index + 2 * n, &n_levels);
done:
    lw_free(name);
    lw_free(zero);
    lw_free(index);
    return err;
}

lw_err net_spec_check(const lw_net_spec *spec) {
    LW_CHECK(spec->dt > 0 && isfinite(spec->dt), LW_EUSE, "time step %g ms; allowed: above 0", spec->dt);
    LW_CHECK(spec->n_pop >= 1 && spec->pop, LW_EUSE, "%d populations; at least 1 is needed", (int)spec->n_pop);
    LW_CHECK(spec->n_proj >= 0 && (spec->proj || spec->n_proj == 0), LW_EUSE,
        "%d projections are announced but not given", (int)spec->n_proj);
    LW_CHECK(spec->weight_type == LW_F32 || spec->weight_type == LW_F64, LW_EUSE, "unknown weight type %d",
        (int)spec->weight_type);
    LW_CHECK(spec->partition == LW_PARTITION_BLOCK || spec->partition == LW_PARTITION_ROUND_ROBIN ||
                 spec->partition == LW_PARTITION_SCOTCH,
        LW_EUSE, "unknown partition %d", (int)spec->partition);
    for (int32_t p = 0; p < spec->n_pop; p++)
        LW_TRY(pop_check(spec, p));
    for (int32_t i = 0; i < spec->n_proj; i++) {
        const lw_projection_spec *proj = &spec->proj[i];
        LW_CHECK(proj->pre >= 0 && proj->pre < spec->n_pop && proj->post >= 0 && proj->post < spec->n_pop, LW_EUSE,
            "projection %d goes from population %d to %d; populations are 0 to %d", (int)i, (int)proj->pre,
            (int)proj->post, (int)spec->n_pop - 1);
        LW_TRY(proj_check(spec, i));
    }
    return cycle_check(spec);
}

/* FNV-1a over what must be equal on all ranks: everything but the models' addresses and the given edges. */
static uint64_t hash_bytes(uint64_t h, const void *data, size_t n) {
    const unsigned char *byte = data;
    for (size_t i = 0; i < n; i++)
        h = (h ^ byte[i]) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t hash_integer(uint64_t h, int64_t x) {
    return hash_bytes(h, &x, sizeof x);
}

static uint64_t hash_dist(uint64_t h, const lw_dist *d) {
    h = hash_integer(h, (int64_t)d->kind * 2 + d->redraw);
    h = hash_bytes(h, d->p, sizeof d->p);
    h = hash_bytes(h, &d->lo, sizeof d->lo);
    h = hash_bytes(h, &d->hi, sizeof d->hi);
    return d->kind == LW_DIST_LIST ? hash_bytes(h, d->list, (size_t)d->n_list * sizeof *d->list) : h;
}

static uint64_t hash_number(uint64_t h, double x) {
    return hash_bytes(h, &x, sizeof x);
}

static uint64_t hash_layout(uint64_t h, const lw_layout *layout) {
    if (layout->kind == LW_LAYOUT_NONE) return h;
    h = hash_integer(h, (int64_t)layout->kind * 8 + layout->n_dim * 2 + layout->periodic);
    for (int32_t d = 0; d < layout->n_dim; d++) {
        h = hash_number(hash_number(h, layout->extent[d]), layout->centre[d]);
        if (layout->kind == LW_LAYOUT_GRID) h = hash_integer(h, layout->grid[d]);
    }
    if (layout->kind != LW_LAYOUT_LIST) return h;
    return hash_bytes(h, layout->list, (size_t)(layout->n_list * layout->n_dim) * sizeof *layout->list);
}

static uint64_t hash_profile(uint64_t h, const lw_profile *f) {
    if (f->kind == LW_PROFILE_NONE) return h;
    return hash_number(hash_number(hash_number(hash_integer(h, (int64_t)f->kind), f->at0), f->slope), f->length);
}

static uint64_t hash_pop(uint64_t h, const lw_population_spec *pop) {
    const lw_model *model = pop->model;
    h = hash_bytes(h, pop->name, strlen(pop->name));
    h = hash_bytes(h, model->name, strlen(model->name));
    h = hash_integer(h, pop->size);
    for (int32_t i = 0; i < model->n_param; i++) {
        if (pop->param) h = hash_dist(h, &pop->param[i]);
        if (pop->learn) h = hash_integer(h, pop->learn[i]);
    }
    for (int32_t i = 0; i < model->n_state && pop->has_init; i++)
        if (pop->has_init[i]) h = hash_dist(hash_integer(h, i), &pop->init[i]);
    return hash_layout(h, &pop->layout);
}

static uint64_t hash_proj(uint64_t h, const lw_projection_spec *proj) {
    int64_t number[] = {proj->pre, proj->post, proj->port, (int64_t)proj->rule, proj->n,
        proj->autapses | proj->multapses << 1 | proj->learn << 2 | proj->zero_mean << 3 | proj->symmetric << 4 |
            proj->learn_delay << 5,
        proj->mirror};
    if (proj->name) h = hash_bytes(h, proj->name, strlen(proj->name));
    if (proj->synapse) {
        h = hash_bytes(hash_integer(h, proj->delay_in_axon), proj->synapse->key, strlen(proj->synapse->key));
        if (proj->synapse_param)
            h = hash_bytes(h, proj->synapse_param, (size_t)proj->synapse->n_param * sizeof(double));
    }
    h = hash_bytes(h, number, sizeof number);
    if (proj->learn_delay) h = hash_bytes(h, &proj->delay_max, sizeof proj->delay_max);
    if (proj->rule == LW_RULE_EDGES) return h;
    if (proj->rule == LW_RULE_WINDOW) {
        const lw_window *w = &proj->window;
        int64_t part[] = {w->in[0], w->in[1], w->in[2], w->out[0], w->out[1], w->out[2], w->kernel[0], w->kernel[1],
            w->stride[0], w->stride[1], w->padding[0], w->padding[1], w->same_channel | w->shared << 1, w->only,
            w->dilation[0], w->dilation[1]};
        h = hash_bytes(h, part, sizeof part);
    }
    double value[] = {proj->p, proj->p_out, proj->weight_in, proj->radius};
    h = hash_bytes(h, value, sizeof value);
    h = hash_profile(hash_profile(hash_profile(h, &proj->p_of), &proj->weight_of), &proj->delay_of);
    return hash_dist(hash_dist(h, &proj->weight), &proj->delay);
}

lw_err net_spec_agree(const lw_comm *comm, const lw_net_spec *spec) {
    uint64_t h = hash_bytes(UINT64_C(0xcbf29ce484222325), &spec->seed, sizeof spec->seed);
    h = hash_bytes(h, &spec->dt, sizeof spec->dt);
    h = hash_integer(h, (int64_t)spec->partition * 2 + spec->weight_type);
    for (int32_t p = 0; p < spec->n_pop; p++)
        h = hash_pop(h, &spec->pop[p]);
    for (int32_t i = 0; i < spec->n_proj; i++)
        h = hash_proj(h, &spec->proj[i]);
    int64_t low = (int64_t)(h >> 1), high = low;
    lw_comm_min_i64(comm, &low, 1);
    lw_comm_max_i64(comm, &high, 1);
    LW_CHECK(low == high, LW_EUSE,
        "ranks were given different specifications of the network; all but given edges must be equal");
    return LW_OK;
}

static bool name_taken(const lw_net_spec *spec, int32_t i, const net_proj *named, const char *name) {
    for (int32_t j = 0; j < spec->n_proj; j++)
        if (spec->proj[j].name && strcmp(spec->proj[j].name, name) == 0) return true;
    for (int32_t j = 0; j < i; j++)
        if (strcmp(named[j].view.name, name) == 0) return true;
    return false;
}

lw_err net_spec_proj_name(const lw_net_spec *spec, int32_t i, const net_proj *named, char **out) {
    const lw_projection_spec *proj = &spec->proj[i];
    if (proj->name) {
        *out = lw_strdup(proj->name);
        return *out ? LW_OK : LW_FAIL(LW_EMEM, "no memory for the name of a projection");
    }
    const char *pre = spec->pop[proj->pre].name, *post = spec->pop[proj->post].name;
    size_t size = strlen(pre) + strlen(post) + 16;
    LW_TRY(lw_alloc(size, 1, "projection name", out));
    snprintf(*out, size, "%s_%s", pre, post);
    for (int number = 2; name_taken(spec, i, named, *out); number++)
        snprintf(*out, size, "%s_%s_%d", pre, post, number);
    return LW_OK;
}
