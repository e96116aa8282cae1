/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules by distance, from samples: how likely a pair is connected on average, and which sources the neurons of a rank
 * reach. Neurons at random places say nothing by their numbers, so their ranks are alike; on a grid or a list a rank
 * holds a region.
 */
#include <math.h>
#include "plan_private.h"

#define PI 3.14159265358979324
enum { TARGETS_MOST = 200, PAIRS = 400000 };

static void place(const lw_layout *l, int64_t index, lw_stream *s, double x[3]) {
    int64_t rest = index;
    for (int32_t d = 0; d < l->n_dim; d++) {
        if (l->kind == LW_LAYOUT_LIST) {
            x[d] = l->list[index * l->n_dim + d];
            continue;
        }
        double share = lw_stream_uniform(s); /* drawn for grids too, so that they need no path of their own */
        if (l->kind == LW_LAYOUT_GRID) {
            share = ((double)(rest % l->grid[d]) + 0.5) / (double)l->grid[d];
            rest /= l->grid[d];
        }
        x[d] = l->centre[d] + (share - 0.5) * l->extent[d];
    }
}

static double distance(const lw_layout *l, const double *a, const double *b) {
    double sum = 0;
    for (int32_t d = 0; d < l->n_dim; d++) {
        double x = fabs(a[d] - b[d]);
        if (l->periodic && x > l->extent[d] / 2) x = fabs(l->extent[d] - x);
        sum += x * x;
    }
    return sqrt(sum);
}

static double reach(const lw_projection_spec *s) {
    const lw_profile *f = &s->p_of;
    double r = INFINITY, fall = log(1e6);
    if (f->kind == LW_PROFILE_GAUSSIAN) r = f->length * sqrt(2 * fall);
    if (f->kind == LW_PROFILE_EXPONENTIAL) r = f->length * fall;
    return s->radius > 0 ? fmin(r, s->radius) : r;
}

static double profile(const lw_projection_spec *s, double d, double most) {
    if (d > most) return 0;
    double p = fmax(lw_profile_value(&s->p_of, d), 0);
    return s->rule == LW_RULE_PAIRWISE_BERNOULLI ? fmin(p, 1) : p;
}

bool plan_by_distance(const lw_projection_spec *s) {
    return s->p_of.kind != LW_PROFILE_NONE;
}

bool plan_has_region(const lw_net_spec *spec, const lw_projection_spec *s) {
    return plan_by_distance(s) && spec->pop[s->post].layout.kind != LW_LAYOUT_RANDOM &&
           spec->pop[s->pre].layout.kind != LW_LAYOUT_RANDOM;
}

/* Where a layer has no borders and none is reached twice, the integral over a ball; otherwise from pairs. */
static bool ball_mean(const lw_projection_spec *s, const lw_layout *l, double most, double *mean) {
    enum { SHELLS = 20000 };
    double volume = 1, sum = 0, d = most / SHELLS;
    for (int32_t k = 0; k < l->n_dim; k++) {
        volume *= l->extent[k];
        if (!l->periodic || most > l->extent[k] / 2) return false;
    }
    for (int i = 0; i < SHELLS; i++) {
        double r = (i + 0.5) * d;
        sum += profile(s, r, most) * (l->n_dim == 2 ? 2 * PI * r : 4 * PI * r * r) * d;
    }
    *mean = sum / volume;
    return true;
}

double plan_distance_mean(const lw_net_spec *spec, const lw_projection_spec *s) {
    const lw_population_spec *pre = &spec->pop[s->pre], *post = &spec->pop[s->post];
    lw_stream stream =
        lw_stream_start(spec->seed, LW_PURPOSE_ABSENT, UINT64_C(1) << 62 | (uint64_t)s->pre, (uint64_t)s->post);
    double sum = 0, most = reach(s), a[3], b[3];
    if (pre->layout.kind == LW_LAYOUT_RANDOM && ball_mean(s, &pre->layout, most, &sum)) return sum;
    for (int i = 0; i < PAIRS; i++) {
        place(&pre->layout, (int64_t)lw_stream_below(&stream, (uint64_t)pre->size), &stream, a);
        place(&post->layout, (int64_t)lw_stream_below(&stream, (uint64_t)post->size), &stream, b);
        sum += profile(s, distance(&pre->layout, a, b), most);
    }
    return sum / PAIRS;
}

double plan_distance_range(const lw_net_spec *spec, const lw_projection_spec *s) {
    const lw_layout *l = &spec->pop[s->pre].layout;
    double sum = 0;
    for (int32_t d = 0; d < l->n_dim; d++)
        sum += l->extent[d] * l->extent[d] * (l->periodic ? 0.25 : 1);
    return fmin(sqrt(sum), s->p_of.kind != LW_PROFILE_NONE ? reach(s) : INFINITY);
}

lw_err plan_region_create(const lw_net_spec *spec, const lw_projection_spec *s, const plan_cut *cut, int rank,
    double mean, plan_region *out) {
    const lw_population_spec *post = &spec->pop[s->post];
    int64_t n = plan_cut_count(cut, post->size, rank), begin = plan_cut_begin(cut, post->size, rank);
    int64_t step = cut->kind == LW_PARTITION_ROUND_ROBIN ? cut->ranks : 1;
    lw_stream stream =
        lw_stream_start(spec->seed, LW_PURPOSE_ABSENT, UINT64_C(3) << 61 | (uint64_t)rank, (uint64_t)s->post);
    *out = (plan_region){.spec = spec, .proj = s, .reach = reach(s), .n = n < TARGETS_MOST ? n : TARGETS_MOST};
    if (out->n == 0) return LW_OK;
    out->each = (double)n / (double)out->n;
    /* of n sources for a target each has its share of the profile's mean */
    out->scale = s->rule == LW_RULE_FIXED_INDEGREE ? (double)s->n / ((double)spec->pop[s->pre].size * mean) : 1;
    LW_TRY(lw_alloc((size_t)out->n, sizeof *out->place, "places of targets", &out->place));
    for (int64_t i = 0; i < out->n; i++) /* one of each equal stretch */
        place(&post->layout, begin + step * (int64_t)(((double)i + lw_stream_uniform(&stream)) * out->each), &stream,
            out->place[i]);
    return LW_OK;
}

void plan_region_free(plan_region *r) {
    lw_free(r->place);
    *r = (plan_region){0};
}

double plan_region_ln(const plan_region *r, int64_t source) {
    const lw_layout *l = &r->spec->pop[r->proj->pre].layout;
    lw_stream none = {0};
    double x[3], sum = 0;
    place(l, source, &none, x);
    for (int64_t i = 0; i < r->n; i++) {
        double d = distance(l, x, r->place[i]);
        if (d > r->reach) continue;
        sum += log1p(-fmin(profile(r->proj, d, r->reach) * r->scale, 1));
    }
    return sum * r->each;
}
