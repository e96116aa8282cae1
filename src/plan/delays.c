/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Delays as a distribution over steps, from the distribution function of the values; rounding, clipping and drawing
 * again as net does. Lists are counted.
 */
#include <math.h>
#include "plan_private.h"

enum { STEPS_MOST = 1 << 20 };
#define HALF 0.69314718055994531 /* synapses are expected where half of all networks have one */
#define TAIL 1e-15               /* of the values lies beyond the last step that is looked at */

/* Regularised lower incomplete gamma function: series below x = a + 1, Lentz's continued fraction above (Abramowitz &
 * Stegun 6.5.29, 6.5.31). */
static double gamma_below(double a, double x) {
    if (x <= 0) return 0;
    double front = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1) {
        double sum = 1 / a, term = sum;
        for (int n = 1; n < 10000 && term > sum * 1e-16; n++)
            sum += term *= x / (a + n);
        return sum * front;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (int n = 1; n < 10000; n++) {
        double an = -n * (n - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        h *= c * d;
        if (fabs(c * d - 1) < 1e-15) break;
    }
    return 1 - front * h;
}

static double normal_below(double z) {
    return erfc(-z / sqrt(2)) / 2;
}

/* P(value <= x) before the range is applied. */
static double raw_below(const lw_dist *d, double x) {
    const double *p = d->p;
    switch (d->kind) {
    case LW_DIST_CONSTANT:
        return x >= p[0];
    case LW_DIST_UNIFORM:
        return p[1] > p[0] ? fmin(fmax((x - p[0]) / (p[1] - p[0]), 0), 1) : x >= p[0];
    case LW_DIST_NORMAL:
        return p[1] > 0 ? normal_below((x - p[0]) / p[1]) : x >= p[0];
    case LW_DIST_LOGNORMAL:
        return x <= 0 ? 0 : p[1] > 0 ? normal_below((log(x) - p[0]) / p[1]) : log(x) >= p[0];
    case LW_DIST_GAMMA:
        return p[1] > 0 ? gamma_below(p[0], x * p[0] / p[1]) : x >= 0;
    case LW_DIST_EXPONENTIAL:
        return x <= 0 ? 0 : p[0] > 0 ? -expm1(-x / p[0]) : 1;
    case LW_DIST_LIST:
        break;
    }
    LW_ASSERT(!"a distribution");
    return 0;
}

static double below(const lw_dist *d, double x) {
    if (x >= d->hi) return 1;
    if (x < d->lo) return 0;
    if (!d->redraw) return raw_below(d, x);
    double low = isfinite(d->lo) ? raw_below(d, d->lo) : 0, high = isfinite(d->hi) ? raw_below(d, d->hi) : 1;
    return high > low ? (raw_below(d, x) - low) / (high - low) : 1;
}

static int32_t step_of(double ms, double dt) {
    return ms == 0 ? 0 : ms < dt ? 1 : ms / dt > STEPS_MOST ? STEPS_MOST : (int32_t)lround(ms / dt);
}

static lw_err room(plan_delays *d, int32_t n) {
    d->n = n;
    return lw_alloc((size_t)n, sizeof *d->share, "delays", &d->share);
}

static lw_err counted(const double *value, int64_t n, double dt, plan_delays *out) {
    int32_t high = 0;
    for (int64_t i = 0; i < n; i++)
        high = step_of(value[i], dt) > high ? step_of(value[i], dt) : high;
    LW_TRY(room(out, high + 1));
    for (int64_t i = 0; i < n; i++)
        out->share[step_of(value[i], dt)] += 1 / (double)n;
    return LW_OK;
}

static lw_err edges_counted(const lw_projection_spec *proj, plan_delays *out) {
    int32_t high = 0;
    for (int64_t i = 0; i < proj->n_edges; i++)
        high = proj->edges[i].delay > high ? proj->edges[i].delay : high;
    LW_TRY(room(out, high + 1));
    for (int64_t i = 0; i < proj->n_edges; i++)
        out->share[proj->edges[i].delay] += 1 / (double)proj->n_edges;
    return LW_OK;
}

/* By distance: as many of each length as of each other, which is enough to know how many steps there are. */
static lw_dist along(const lw_net_spec *spec, const lw_projection_spec *proj) {
    double near = lw_profile_value(&proj->delay_of, 0);
    double far = lw_profile_value(&proj->delay_of, plan_distance_range(spec, proj));
    lw_dist d = lw_dist_number(fmin(near, far));
    if (near == far) return d;
    d.kind = LW_DIST_UNIFORM;
    d.p[1] = fmax(near, far);
    d.lo = spec->dt;
    return d;
}

lw_err plan_delays_create(const lw_net_spec *spec, const lw_projection_spec *proj, plan_delays *out) {
    lw_dist by_distance;
    const lw_dist *d = &proj->delay;
    double dt = spec->dt;
    if (proj->delay_of.kind != LW_PROFILE_NONE) {
        by_distance = along(spec, proj);
        d = &by_distance;
    }
    *out = (plan_delays){0};
    if (proj->learn_delay) { /* stored as if of one step */
        LW_TRY(room(out, 2));
        out->share[1] = 1;
        return LW_OK;
    }
    if (proj->rule == LW_RULE_EDGES) return edges_counted(proj, out);
    if (d->kind == LW_DIST_LIST) return counted(d->list, d->n_list, dt, out);
    if (d->kind == LW_DIST_CONSTANT) {
        double ms = fmin(fmax(d->p[0], d->lo), d->hi);
        return counted(&ms, 1, dt, out);
    }
    int32_t n = 2;
    while (n < STEPS_MOST && below(d, (n - 0.5) * dt) < 1 - TAIL)
        n += 1 + n / 8;
    LW_TRY(room(out, n));
    double before = 0;
    for (int32_t i = 1; i < n; i++) { /* a drawn value is never exactly 0, except at a range's end */
        double here = i == n - 1 ? 1 : below(d, (i + 0.5) * dt);
        out->share[i] = fmax(here - before, 0);
        before = here;
    }
    if (d->lo == 0 && !d->redraw && raw_below(d, 0) > 0) {
        out->share[0] = raw_below(d, 0);
        out->share[1] = fmax(out->share[1] - out->share[0], 0);
    }
    return LW_OK;
}

void plan_delays_free(plan_delays *d) {
    lw_free(d->share);
    *d = (plan_delays){0};
}

double plan_delays_distinct(const plan_delays *d, double n) {
    double sum = 0;
    for (int32_t i = 0; i < d->n; i++)
        sum -= expm1(-n * d->share[i]);
    return sum;
}

void plan_delays_range(const plan_delays *d, double n, int32_t *low, int32_t *low_positive, int32_t *high) {
    double sum = 0;
    *low = *low_positive = -1;
    *high = 0;
    for (int32_t i = 0; i < d->n; i++) {
        if (d->share[i] <= 0) continue;
        sum += d->share[i];
        if (*low < 0 && n * sum >= HALF) *low = i;
        if (*low_positive < 0 && i > 0 && n * sum >= HALF) *low_positive = i;
    }
    sum = 0;
    for (int32_t i = d->n - 1; i >= 0 && *high == 0; i--) {
        sum += d->share[i];
        if (n * sum >= HALF) *high = i;
    }
}
