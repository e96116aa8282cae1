/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which projections are stored together, and in which order a target adds them. Both are properties of the network:
 * they depend on the specification and on numbers of all ranks, never on the partition, so sums have the same bits
 * everywhere. A projection whose rule, delays and size leave no doubt is drawn straight into its bundle; the others are
 * listed first and looked at.
 */
#include <stdlib.h>
#include "net_private.h"

#define LIST_PAIRS 65536 /* projections of so few possible pairs may be complete by chance, and are listed */

typedef struct families {
    lw_net *net;
    const lw_net_spec *spec;
    net_member *member; /* [n_proj] */
    uint8_t *eligible;  /* [n_proj] */
    net_member **list;  /* [n_proj] scratch */
} families;

/* No draw can be 0. */
static bool delay_positive(const lw_dist *d) {
    switch (d->kind) {
    case LW_DIST_CONSTANT:
        return d->p[0] > 0;
    case LW_DIST_LOGNORMAL:
    case LW_DIST_GAMMA:
    case LW_DIST_EXPONENTIAL:
        return d->lo >= 0;
    case LW_DIST_UNIFORM:
        return d->lo > 0 || d->p[0] > 0;
    case LW_DIST_NORMAL:
        return d->lo > 0;
    case LW_DIST_LIST:
        return false;
    }
    return false;
}

/* Whether the synapses can be neither one dense block nor felt in the same step, whatever is drawn. */
static bool certain(const lw_net_spec *spec, const lw_projection_spec *s) {
    double pre = (double)spec->pop[s->pre].size, post = (double)spec->pop[s->post].size;
    if (pre * post <= LIST_PAIRS || (s->delay_of.kind == LW_PROFILE_NONE && !delay_positive(&s->delay))) return false;
    if (!net_rule_of_target(s)) return false;
    switch (s->rule) {
    case LW_RULE_FIXED_INDEGREE:
        return s->n != spec->pop[s->pre].size;
    case LW_RULE_FIXED_TOTAL_NUMBER:
        return (double)s->n != pre * post;
    case LW_RULE_PAIRWISE_BERNOULLI:
        return s->p_of.kind != LW_PROFILE_NONE ? s->p_of.at0 <= 0.9 && s->p_of.slope <= 0 : s->p <= 0.9;
    case LW_RULE_CLUSTERED:
        return s->p <= 0.9 && s->p_out <= 0.9;
    case LW_RULE_ALL_TO_ALL:
    case LW_RULE_ONE_TO_ONE:
    case LW_RULE_FIXED_OUTDEGREE:
    case LW_RULE_SMALL_WORLD:
    case LW_RULE_WINDOW:
    case LW_RULE_EDGES:
        break;
    }
    return false;
}

static bool may_be_bundled(const families *f, int32_t i) {
    return !f->spec->proj[i].learn && !f->spec->proj[i].learn_delay && !f->net->proj[i].view.plastic &&
           f->net->pop[f->spec->proj[i].pre].model->emits_spikes;
}

/* Ready to be drawn or listed; what is stored by itself is stored here. **Collective** */
static lw_err member_begin(families *f, int32_t i, const net_given *given) {
    lw_net *net = f->net;
    const lw_projection_spec *s = &f->spec->proj[i];
    net_member *m = &f->member[i];
    lw_proj_view *view = &net->proj[i].view;
    bool may = may_be_bundled(f, i);
    if (may && certain(f->spec, s)) {
        f->eligible[i] = 1;
        view->weight_one = net_weight_constant(s) && !s->zero_mean;
        if (view->weight_one) view->weight_value = lw_dist_value(&s->weight, 0, 0, LW_PURPOSE_WEIGHT, 0, 0);
        m->survey = net_survey_start();
        return lw_comm_agree(net->comm, net_synapses_drawn(net, s, i, &m->synapses));
    }
    LW_TRY(net_synapses_listed(net, s, i, given, &m->synapses));
    LW_TRY(net_survey_listed(net, &m->synapses, &m->survey));
    f->eligible[i] = may && !view->dense && m->survey.delay_low > 0;
    if (f->eligible[i]) return LW_OK;
    lw_err err = net_storage(net, &m->synapses, &m->survey);
    net_synapses_free(&m->synapses);
    lw_free(m->survey.delay);
    m->survey.delay = NULL;
    return err;
}

/* Family of each eligible projection that leaves population `pre`: the first with its port that has no member of its
 * target yet. A family is called by its first projection for now. */
static void families_find(families *f, int32_t pre) {
    lw_net *net = f->net;
    for (int32_t i = 0; i < net->n_proj; i++) {
        const lw_proj_view *v = &net->proj[i].view;
        if (v->pre != pre || !f->eligible[i]) continue;
        net->family[i] = i;
        for (int32_t k = 0; k < i && net->family[i] == i; k++) {
            if (net->family[k] != k || net->proj[k].view.pre != pre || net->proj[k].view.port != v->port) continue;
            bool taken = false;
            for (int32_t m = k; m < i; m++)
                taken = taken || (net->family[m] == k && net->proj[m].view.post == v->post);
            if (!taken) net->family[i] = k;
        }
    }
}

/* Source populations by falling number of expected synapses: what building holds besides is largest while little is
 * stored. */
static lw_err order_find(const families *f, int32_t **out) {
    double *expected = NULL;
    int32_t *order = NULL, n_pop = f->net->n_pop;
    lw_err err = lw_alloc((size_t)n_pop, sizeof *expected, "families", &expected);
    if (err == LW_OK) err = lw_alloc((size_t)n_pop, sizeof *order, "families", &order);
    for (int32_t i = 0; i < f->net->n_proj && err == LW_OK; i++)
        expected[f->spec->proj[i].pre] += net_synapses_expected(f->spec, i);
    for (int32_t p = 0; p < n_pop && err == LW_OK; p++) {
        int32_t at = p;
        for (; at > 0 && expected[order[at - 1]] < expected[p]; at--)
            order[at] = order[at - 1];
        order[at] = p;
    }
    lw_free(expected);
    *out = order;
    return err;
}

static bool same_weights(const lw_proj_view *a, const lw_proj_view *b) {
    if (a->weight_one != b->weight_one) return false;
    return !a->weight_one || a->weight_value == b->weight_value;
}

/* Members of the family with the weights of `first`, ascending by target, into list. */
static int32_t members_list(families *f, int32_t family, int32_t first, net_member **list) {
    lw_net *net = f->net;
    int32_t n = 0;
    for (int32_t p = 0; p < net->n_pop; p++)
        for (int32_t i = first; i < net->n_proj; i++)
            if (net->family[i] == family && net->proj[i].view.post == p &&
                same_weights(&net->proj[i].view, &net->proj[first].view))
                list[n++] = &f->member[i];
    return n;
}

/* All bundles of a family. **Local** */
static lw_err family_build(families *f, int32_t family) {
    lw_net *net = f->net;
    for (int32_t i = family; i < net->n_proj; i++) {
        if (net->family[i] != family || net->proj[i].view.bundled) continue;
        int32_t n = members_list(f, family, i, f->list);
        for (int32_t b = 0; b < net->n_blocks; b++) {
            net_bundle built = {.view = {.family = family, .block = b}};
            lw_err err = net_bundle_build(net, f->list, n, b, &built);
            bool some = built.view.n_edges > 0;
            if (err == LW_OK && some)
                err = lw_grow(
                    &net->bundle, (size_t)net->n_bundles, (size_t)net->n_bundles + 1, sizeof *net->bundle, "bundles");
            if (err == LW_OK && some) {
                net->bundle[net->n_bundles++] = built;
                continue;
            }
            net_bundle_free(&built);
            LW_TRY(err);
        }
        for (int32_t k = 0; k < n; k++)
            net->proj[f->list[k]->synapses.proj].view.bundled = true;
    }
    return LW_OK;
}

/* All projections that leave a population. **Collective** */
static lw_err pre_build(families *f, int32_t pre, const net_given *given) {
    lw_net *net = f->net;
    lw_err err = LW_OK;
    for (int32_t i = 0; i < net->n_proj && err == LW_OK; i++)
        if (f->spec->proj[i].pre == pre) err = member_begin(f, i, given);
    LW_TRY(err);
    families_find(f, pre);
    for (int32_t i = 0; i < net->n_proj && err == LW_OK; i++)
        if (f->spec->proj[i].pre == pre && net->family[i] == i) err = family_build(f, i);
    LW_TRY(lw_comm_agree(net->comm, err));
    for (int32_t i = 0; i < net->n_proj; i++) {
        if (f->spec->proj[i].pre != pre) continue;
        if (f->eligible[i] && f->member[i].synapses.drawn) net_survey_join(net, i, &f->member[i].survey);
        net_synapses_free(&f->member[i].synapses);
        lw_free(f->member[i].survey.delay);
        f->member[i].survey.delay = NULL;
    }
    return LW_OK;
}

static int bundle_compare(const void *a, const void *b) {
    const lw_bundle *x = &((const net_bundle *)a)->view, *y = &((const net_bundle *)b)->view;
    if (x->family != y->family) return x->family < y->family ? -1 : 1;
    return (x->block > y->block) - (x->block < y->block);
}

/* Families get numbers without gaps, ascending with their first projection; bundles and sums that order. */
static void families_number(lw_net *net) {
    int32_t at = 0, n = 0;
    for (int32_t k = 0; k < net->n_proj; k++) {
        if (net->family[k] != k) continue;
        for (int32_t i = k; i < net->n_proj; i++) {
            if (net->family[i] != k) continue;
            net->sum_order[at++] = i;
            net->family[i] = n;
        }
        for (int32_t b = 0; b < net->n_bundles; b++)
            if (net->bundle[b].view.family == k) net->bundle[b].view.family = n;
        n++;
    }
    for (int32_t i = 0; i < net->n_proj; i++)
        if (net->family[i] < 0) net->sum_order[at++] = i;
    if (net->n_bundles > 0) qsort(net->bundle, (size_t)net->n_bundles, sizeof *net->bundle, bundle_compare);
}

lw_err net_connections(lw_net *net, const lw_net_spec *spec, const net_given *given) {
    families f = {.net = net, .spec = spec};
    size_t n = (size_t)net->n_proj;
    int32_t *order = NULL;
    lw_err err = lw_alloc(n, sizeof *f.member, "projections", &f.member);
    if (err == LW_OK) err = lw_alloc(n, sizeof *f.eligible, "projections", &f.eligible);
    if (err == LW_OK) err = lw_alloc(n, sizeof(net_member *), "projections", &f.list);
    if (err == LW_OK) err = lw_alloc(n, sizeof *net->family, "families", &net->family);
    if (err == LW_OK) err = lw_alloc(n, sizeof *net->sum_order, "families", &net->sum_order);
    if (err == LW_OK) err = order_find(&f, &order);
    err = lw_comm_agree(net->comm, err);
    for (int32_t i = 0; i < net->n_proj && err == LW_OK; i++)
        net->family[i] = -1;
    for (int32_t p = 0; p < net->n_pop && err == LW_OK; p++)
        err = pre_build(&f, order[p], given);
    if (err == LW_OK) families_number(net);
    for (int32_t i = 0; f.member && i < net->n_proj; i++) {
        net_synapses_free(&f.member[i].synapses);
        lw_free(f.member[i].survey.delay);
    }
    lw_free(order);
    lw_free(f.list);
    lw_free(f.eligible);
    lw_free(f.member);
    return err;
}

int lw_net_n_bundles(const lw_net *net) {
    return net->n_bundles;
}

const lw_bundle *lw_net_bundle(const lw_net *net, int i) {
    LW_ASSERT(i >= 0 && i < net->n_bundles);
    return &net->bundle[i].view;
}

const int32_t *lw_net_sum_order(const lw_net *net) {
    return net->sum_order;
}
