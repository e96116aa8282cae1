/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Values that an experiment gives as a number, a list or a distribution. Units were converted before; whether a value
 * lies in a parameter's domain is checked by the floor that knows the parameter.
 */
#include <math.h>
#include <lapwing/base.h>

static double dist_draw(const lw_dist *d, int64_t index, lw_stream *s) {
    const double *p = d->p;
    switch (d->kind) {
    case LW_DIST_CONSTANT:
        return p[0];
    case LW_DIST_LIST:
        LW_ASSERT(index >= 0 && index < d->n_list);
        return d->list[index];
    case LW_DIST_UNIFORM: {
        double x = p[0] + (p[1] - p[0]) * lw_stream_uniform(s);
        return x < p[1] || p[1] <= p[0] ? x : nextafter(p[1], p[0]); /* rounding may reach the open end */
    }
    case LW_DIST_NORMAL:
        return p[0] + p[1] * lw_stream_normal(s);
    case LW_DIST_LOGNORMAL:
        return exp(p[0] + p[1] * lw_stream_normal(s));
    case LW_DIST_GAMMA:
        return lw_stream_gamma(s, p[0], p[1] / p[0]);
    case LW_DIST_EXPONENTIAL:
        return lw_stream_exponential(s, p[0]);
    }
    LW_ASSERT(!"a known distribution");
    return 0;
}

double lw_dist_value(const lw_dist *d, int64_t index, uint64_t seed, lw_purpose purpose, uint64_t a, uint64_t b) {
    enum { REDRAWS = 1000 }; /* then the range holds next to none of the distribution, and the draw is clipped */
    lw_stream s = lw_stream_start(seed, purpose, a, b);
    double x = dist_draw(d, index, &s);
    bool random = d->kind != LW_DIST_CONSTANT && d->kind != LW_DIST_LIST;
    for (int i = 0; d->redraw && random && i < REDRAWS && (x < d->lo || x > d->hi); i++)
        x = dist_draw(d, index, &s);
    return x < d->lo ? d->lo : x > d->hi ? d->hi : x;
}
