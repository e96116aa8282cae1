/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Which sources a rank needs, by expectation. A source is not needed when none of the rank's targets has it; the
 * logarithms of these probabilities add up over projections. Most rules treat all sources alike, except that a rank's
 * own may be spared an autapse, so two numbers per projection say everything; the others are asked source by source.
 * Sources are taken as independent in the variance; for rules with a fixed number of draws it is smaller.
 */
#include <math.h>
#include <string.h>
#include "plan_private.h"

enum { SOURCES_MOST = 1 << 20, REGION_SOURCES_MOST = 1 << 13 }; /* looked at; of more, evenly spaced ones */

/* ------------------------------------------------------------------ partition */

static int64_t block_begin(int64_t size, int rank, int ranks) {
    return size / ranks * rank + size % ranks * rank / ranks;
}

int64_t plan_cut_count(const plan_cut *cut, int64_t size, int rank) {
    if (cut->kind == LW_PARTITION_ROUND_ROBIN) return (size + cut->ranks - 1 - rank) / cut->ranks;
    return block_begin(size, rank + 1, cut->ranks) - block_begin(size, rank, cut->ranks);
}

int64_t plan_cut_begin(const plan_cut *cut, int64_t size, int rank) {
    return cut->kind == LW_PARTITION_ROUND_ROBIN ? rank : block_begin(size, rank, cut->ranks);
}

int plan_cut_owner(const plan_cut *cut, int64_t size, int64_t index) {
    if (cut->kind == LW_PARTITION_ROUND_ROBIN) return (int)(index % cut->ranks);
    return (int)(((index + 1) * cut->ranks - 1) / size);
}

/* ------------------------------------------------------------------ synapses */

static bool self_excluded(const lw_projection_spec *s) {
    return s->pre == s->post && !s->autapses;
}

lw_plan_number plan_proj_synapses(const lw_net_spec *spec, int32_t proj, double mean) {
    const lw_projection_spec *s = &spec->proj[proj];
    double pre = (double)spec->pop[s->pre].size, post = (double)spec->pop[s->post].size, n = (double)s->n;
    double pairs = post * (pre - self_excluded(s));
    if (s->rule == LW_RULE_ALL_TO_ALL) return (lw_plan_number){pairs, 0};
    if (s->rule == LW_RULE_ONE_TO_ONE) return (lw_plan_number){post, 0};
    if (s->rule == LW_RULE_FIXED_INDEGREE) return (lw_plan_number){post * n, 0};
    if (s->rule == LW_RULE_FIXED_OUTDEGREE || s->rule == LW_RULE_SMALL_WORLD) return (lw_plan_number){pre * n, 0};
    if (s->rule == LW_RULE_FIXED_TOTAL_NUMBER) return (lw_plan_number){n, 0};
    if (s->rule == LW_RULE_PAIRWISE_BERNOULLI) { /* undirected pairs come in twos */
        double p = plan_by_distance(s) ? mean : s->p;
        return (lw_plan_number){pairs * p, sqrt(pairs * p * (1 - p) * (s->symmetric ? 2 : 1))};
    }
    if (s->rule == LW_RULE_CLUSTERED) {
        double within = pre * post / n - (self_excluded(s) ? post : 0), across = pre * post * (1 - 1 / n);
        return (lw_plan_number){
            within * s->p + across * s->p_out, sqrt(within * s->p * (1 - s->p) + across * s->p_out * (1 - s->p_out))};
    }
    if (s->rule == LW_RULE_WINDOW) return (lw_plan_number){lw_window_synapses(&s->window), 0};
    return (lw_plan_number){(double)s->n_edges, 0};
}

lw_plan_number plan_local_synapses(
    const lw_net_spec *spec, int32_t proj, lw_plan_number all, const plan_cut *cut, int rank) {
    const lw_projection_spec *s = &spec->proj[proj];
    int64_t size = spec->pop[s->post].size;
    double share = (double)plan_cut_count(cut, size, rank) / (double)size;
    lw_plan_number here = {all.mean * share, 0};
    if (s->rule == LW_RULE_EDGES) {
        int64_t n = 0;
        for (int64_t i = 0; i < s->n_edges; i++)
            n += plan_cut_owner(cut, size, s->edges[i].target) == rank;
        return (lw_plan_number){(double)n, 0};
    }
    if (s->rule == LW_RULE_PAIRWISE_BERNOULLI || s->rule == LW_RULE_CLUSTERED) here.error = all.error * sqrt(share);
    /* one place for each synapse, so that where targets are distinct the spread is smaller still */
    if (s->rule == LW_RULE_FIXED_OUTDEGREE || s->rule == LW_RULE_FIXED_TOTAL_NUMBER)
        here.error = sqrt(here.mean * (1 - share));
    if (s->rule == LW_RULE_SMALL_WORLD) here.error = sqrt(here.mean * s->p * (1 - share));
    return here;
}

/* ------------------------------------------------------------------ one source */

/* ln P(none of `marked` of `all` things is among n drawn without replacement). */
static double ln_missed(double all, double marked, double n) {
    if (marked <= 0 || n <= 0) return 0;
    if (marked + n > all) return -INFINITY;
    if (all > 1e6) { /* differences of large logarithms lose digits; the factors hardly differ */
        double few = fmin(marked, n), many = fmax(marked, n);
        return few * log1p(-many / (all - (few - 1) / 2));
    }
    return lgamma(all - marked + 1) - lgamma(all - marked - n + 1) - lgamma(all + 1) + lgamma(all - n + 1);
}

/* ln P(no synapse from one source to m of the targets, of which it may itself be one), rules that treat sources alike.
 */
static double ln_alike(const lw_net_spec *spec, const lw_projection_spec *s, double mean, double m, bool own) {
    bool self = self_excluded(s);
    double pre = (double)spec->pop[s->pre].size - self, post = (double)spec->pop[s->post].size, n = (double)s->n;
    if (self && own) m--;
    if (m <= 0) return 0;
    if (s->rule == LW_RULE_ALL_TO_ALL) return -INFINITY;
    if (s->rule == LW_RULE_ONE_TO_ONE) return own ? -INFINITY : 0;
    if (s->rule == LW_RULE_FIXED_INDEGREE) return m * (s->multapses ? n * log1p(-1 / pre) : log1p(-n / pre));
    if (s->rule == LW_RULE_FIXED_OUTDEGREE)
        return s->multapses ? n * log1p(-m / (post - self)) : ln_missed(post - self, m, n);
    if (s->rule == LW_RULE_FIXED_TOTAL_NUMBER)
        return s->multapses ? n * log1p(-m / (post * pre)) : ln_missed(post * pre, m, n);
    return m * log1p(-(plan_by_distance(s) ? mean : s->p)); /* pairwise_bernoulli */
}

/* Indices of [lo, hi) that a rank owns. */
static int64_t owned_between(const plan_cut *cut, int64_t size, int rank, int64_t lo, int64_t hi) {
    if (cut->kind == LW_PARTITION_ROUND_ROBIN) {
        int64_t p = cut->ranks;
        return (hi - rank + p - 1) / p - (lo - rank + p - 1) / p; /* lo, hi >= 0 */
    }
    int64_t begin = plan_cut_begin(cut, size, rank), end = begin + plan_cut_count(cut, size, rank);
    if (lo < begin) lo = begin;
    if (hi > end) hi = end;
    return hi > lo ? hi - lo : 0;
}

/* Local targets among the n ring neighbours of source j. */
static int64_t ring_local(const plan_cut *cut, int64_t size, int rank, int64_t n, int64_t j) {
    int64_t lo = j - n / 2, hi = j + n / 2 + 1, count = 0;
    if (lo < 0) {
        count += owned_between(cut, size, rank, lo + size, size);
        lo = 0;
    }
    if (hi > size) {
        count += owned_between(cut, size, rank, 0, hi - size);
        hi = size;
    }
    return count + owned_between(cut, size, rank, lo, hi) - (plan_cut_owner(cut, size, j) == rank);
}

/* Small world: all c local ring edges are redirected, and no redirected one comes (back) here. */
static double ln_ring(
    const lw_net_spec *spec, const lw_projection_spec *s, const plan_cut *cut, int rank, double m, int64_t j) {
    int64_t size = spec->pop[s->post].size;
    bool own = plan_cut_owner(cut, size, j) == rank;
    double c = (double)ring_local(cut, size, rank, s->n, j), rest = (double)s->n - c, p = s->p;
    double stay = s->multapses ? 0 : rest * (1 - p); /* places that redirected edges avoid, none of them here */
    double places = (double)size - !s->autapses - stay, here = m - (own && !s->autapses);
    double x = places > 0 ? fmin(fmax(here / places, 0), 1) : 0;
    double ln = rest * log1p(-p * x);
    if (c > 0) ln += c * (log(p) + log1p(-x));
    return isnan(ln) ? -INFINITY : ln;
}

/* Clusters: local targets in the source's own cluster and elsewhere. */
static double ln_cluster(
    const lw_net_spec *spec, const lw_projection_spec *s, const plan_cut *cut, int rank, double m, int64_t j) {
    int64_t size = spec->pop[s->post].size, n = s->n, c = j * n / spec->pop[s->pre].size;
    int64_t begin = (c * size + n - 1) / n, end = ((c + 1) * size + n - 1) / n;
    double in = (double)owned_between(cut, size, rank, begin, end), out = m - in;
    if (self_excluded(s) && plan_cut_owner(cut, size, j) == rank) in--;
    return (in > 0 ? in * log1p(-s->p) : 0) + (out > 0 ? out * log1p(-s->p_out) : 0);
}

bool plan_is_structured(const lw_net_spec *spec, const lw_projection_spec *s) {
    if (s->rule == LW_RULE_CLUSTERED || plan_has_region(spec, s)) return true;
    return s->rule == LW_RULE_SMALL_WORLD || s->rule == LW_RULE_EDGES;
}

/* ------------------------------------------------------------------ one rank */

/* Sources of given edges that end here, one bit per source. */
static lw_err edges_mark(const lw_net_spec *spec, const plan_cut *cut, int rank, int32_t pre, uint8_t **out) {
    bool any = false;
    *out = NULL;
    for (int32_t i = 0; i < spec->n_proj; i++)
        any = any || (spec->proj[i].pre == pre && spec->proj[i].rule == LW_RULE_EDGES);
    if (!any) return LW_OK;
    LW_TRY(lw_alloc((size_t)spec->pop[pre].size, 1, "sources of edges", out));
    for (int32_t i = 0; i < spec->n_proj; i++) {
        const lw_projection_spec *s = &spec->proj[i];
        if (s->pre != pre || s->rule != LW_RULE_EDGES) continue;
        for (int64_t k = 0; k < s->n_edges; k++)
            if (plan_cut_owner(cut, spec->pop[s->post].size, s->edges[k].target) == rank)
                (*out)[s->edges[k].source] = 1;
    }
    return LW_OK;
}

typedef struct tally {
    double slots, slots_var, remote, remote_var;
} tally;

static void count(tally *t, double number, double ln, bool own) {
    double q = exp(ln), need = -expm1(ln);
    t->slots += number * need;
    t->slots_var += number * q * need;
    if (own) return;
    t->remote += number * need;
    t->remote_var += number * q * need;
}

/* What is asked source by source: bits of given edges, places of targets. */
typedef struct asking {
    const lw_net_spec *spec;
    const plan_cut *cut;
    int rank;
    int32_t pre;
    uint8_t *marked;     /* [size of pre] or NULL */
    plan_region *region; /* [n_proj] */
} asking;

static void asking_end(asking *a) {
    lw_free(a->marked);
    for (int32_t i = 0; a->region && i < a->spec->n_proj; i++)
        plan_region_free(&a->region[i]);
    lw_free(a->region);
}

static lw_err asking_begin(asking *a, const double *mean, bool *regions) {
    LW_TRY(edges_mark(a->spec, a->cut, a->rank, a->pre, &a->marked));
    LW_TRY(lw_alloc((size_t)a->spec->n_proj, sizeof *a->region, "places of targets", &a->region));
    for (int32_t i = 0; i < a->spec->n_proj; i++) {
        const lw_projection_spec *s = &a->spec->proj[i];
        if (s->pre != a->pre || !plan_has_region(a->spec, s)) continue;
        *regions = true;
        LW_TRY(plan_region_create(a->spec, s, a->cut, a->rank, mean[i], &a->region[i]));
    }
    return LW_OK;
}

static double ask(const asking *a, int64_t j) {
    double ln = 0;
    if (a->marked && a->marked[j]) return -INFINITY;
    for (int32_t i = 0; i < a->spec->n_proj; i++) {
        const lw_projection_spec *s = &a->spec->proj[i];
        if (s->pre != a->pre) continue;
        double m = (double)plan_cut_count(a->cut, a->spec->pop[s->post].size, a->rank);
        if (s->rule == LW_RULE_SMALL_WORLD) ln += ln_ring(a->spec, s, a->cut, a->rank, m, j);
        if (s->rule == LW_RULE_CLUSTERED) ln += ln_cluster(a->spec, s, a->cut, a->rank, m, j);
        if (a->region[i].n > 0) ln += plan_region_ln(&a->region[i], j);
    }
    return ln;
}

/* Sources of population `pre` that differ: all of them, or evenly spaced ones that stand for their neighbours. */
static lw_err asked_sources(const lw_net_spec *spec, const double *mean, const plan_cut *cut, int rank, int32_t pre,
    const double *alike, double *ln_rank, tally *t, bool *rough) {
    asking a = {.spec = spec, .cut = cut, .rank = rank, .pre = pre};
    int64_t size = spec->pop[pre].size;
    bool regions = false;
    lw_err err = asking_begin(&a, mean, &regions);
    int64_t most = regions ? REGION_SOURCES_MOST : SOURCES_MOST;
    int64_t stride = a.marked ? 1 : (size + most - 1) / most;
    *rough = *rough || stride > 1 || regions;
    for (int64_t first = 0; first < size && err == LW_OK; first += stride) {
        int64_t end = first + stride < size ? first + stride : size, j = first + (end - first) / 2;
        int owner = plan_cut_owner(cut, size, j);
        double ln = alike[owner == rank] + ask(&a, j);
        count(t, (double)(end - first), ln, owner == rank);
        if (owner != rank) ln_rank[owner] += (double)(end - first) * ln;
    }
    asking_end(&a);
    return err;
}

/* Population `pre`: ln_rank[r] += ln P(nothing of rank r is needed). */
static lw_err pop_sources(const lw_net_spec *spec, const double *mean, const plan_cut *cut, int rank, int32_t pre,
    double *ln_rank, tally *t, bool *rough) {
    int64_t size = spec->pop[pre].size, own = plan_cut_count(cut, size, rank);
    double alike[2] = {0, 0}; /* of others, of own */
    bool structured = false;
    for (int32_t i = 0; i < spec->n_proj; i++) {
        const lw_projection_spec *s = &spec->proj[i];
        if (s->pre != pre) continue;
        bool asked = plan_is_structured(spec, s);
        structured = structured || asked;
        double m = (double)plan_cut_count(cut, spec->pop[s->post].size, rank);
        for (int is_own = 0; is_own < 2 && !asked; is_own++)
            alike[is_own] += ln_alike(spec, s, mean[i], m, is_own);
    }
    if (structured) return asked_sources(spec, mean, cut, rank, pre, alike, ln_rank, t, rough);
    for (int r = 0; r < cut->ranks; r++) {
        int64_t n = plan_cut_count(cut, size, r);
        if (r != rank && n > 0 && alike[0] < 0) ln_rank[r] += (double)n * alike[0];
    }
    if (size > own) count(t, (double)(size - own), alike[0], false);
    if (own > 0) count(t, (double)own, alike[1], true);
    return LW_OK;
}

lw_err plan_sources(const lw_net_spec *spec, const double *mean, const plan_cut *cut, int rank, double *scratch,
    lw_plan_number *slots, lw_plan_number *remote, lw_plan_number *neighbours, bool *rough) {
    memset(scratch, 0, (size_t)cut->ranks * sizeof *scratch);
    for (int32_t p = 0; p < spec->n_pop; p++) {
        tally t = {0};
        LW_TRY(pop_sources(spec, mean, cut, rank, p, scratch, &t, rough));
        slots[p] = (lw_plan_number){t.slots, sqrt(t.slots_var)};
        remote[p] = (lw_plan_number){t.remote, sqrt(t.remote_var)};
    }
    double sum = 0, var = 0;
    for (int r = 0; r < cut->ranks; r++) {
        double q = exp(scratch[r]), need = -expm1(scratch[r]);
        sum += need;
        var += q * need;
    }
    *neighbours = (lw_plan_number){sum, sqrt(var)};
    return LW_OK;
}
