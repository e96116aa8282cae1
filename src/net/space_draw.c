/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Draws by distance. A target walks through the cells within its reach: an upper bound of the probability in a cell is
 * skipped through geometrically, and who is hit is kept with the ratio of its own probability to the bound. So the work
 * follows the synapses, not the pairs. Tables by the square of the distance settle nearly every comparison with a
 * probability; the profile itself is asked only where they leave a doubt, so the list is the same as without them.
 */
#include <math.h>
#include "space.h"

enum { TRIES = 1000, PORTION = 32 };

/* First cell and number of cells along a dimension that a target at x reaches. */
static void range_along(const net_space *s, int32_t d, double x, int64_t *first, int64_t *n) {
    int64_t all = s->n_cell[d];
    double low = floor((x - s->reach - s->low[d]) / s->side[d]), high = floor((x + s->reach - s->low[d]) / s->side[d]);
    if (!(high - low + 1 < (double)all)) {
        *first = 0;
        *n = all;
    } else if (s->layout->periodic) {
        *first = ((int64_t)low % all + all) % all;
        *n = (int64_t)(high - low) + 1;
    } else {
        *first = low < 0 ? 0 : (int64_t)fmin(low, (double)all);
        *n = (high < 0 ? -1 : (int64_t)fmin(high, (double)all - 1)) - *first + 1;
        if (*n < 0) *n = 0;
    }
}

/* Shortest way from x to cell c along a dimension. */
static double gap_along(const net_space *s, int32_t d, double x, int64_t c) {
    double from = x - (s->low[d] + (double)c * s->side[d]); /* from the cell's lower end */
    if (s->layout->periodic) {
        from -= floor(from / s->extent[d]) * s->extent[d];
        return from <= s->side[d] ? 0 : fmin(from - s->side[d], s->extent[d] - from);
    }
    return from < 0 ? -from : fmax(from - s->side[d], 0);
}

/* Cells in reach of a target at x along each dimension; false: none. */
static bool walk_start(net_space *s, const double *x) {
    int64_t stride = 1;
    for (int32_t d = 0; d < 3; d++) {
        int64_t first = 0;
        s->n_along[d] = 1;
        s->share[d][0] = 0;
        s->gap2[d][0] = 0;
        if (d >= s->n_dim) continue;
        range_along(s, d, x[d], &first, &s->n_along[d]);
        if (s->n_along[d] == 0) return false;
        for (int64_t i = 0; i < s->n_along[d]; i++) {
            int64_t cell = first + i < s->n_cell[d] ? first + i : first + i - s->n_cell[d];
            double gap = gap_along(s, d, x[d], cell);
            s->gap2[d][i] = gap * gap;
            s->share[d][i] = cell * stride;
        }
        stride *= s->n_cell[d];
    }
    return true;
}

/* Bounds of the cells of a row along the first dimension; the number of the cell is the sum of its shares. */
static int64_t row_start(net_space *s, int64_t j, int64_t k) {
    const double *gap2 = s->gap2[0], second = s->gap2[1][j], third = s->gap2[2][k];
    const double reach = s->reach, step = s->bound_step;
    int32_t *bound_of = s->bound_of;
    for (int64_t i = 0; i < s->n_along[0]; i++) {
        double gap = sqrt(gap2[i] + second + third), steps = gap / step;
        int32_t bound = (int32_t)(steps < SPACE_BOUNDS ? steps : SPACE_BOUNDS);
        bound_of[i] = gap > reach ? SPACE_BOUNDS + 1 : bound;
    }
    return s->share[1][j] + s->share[2][k];
}

static void target_place(const net_rule *r, int64_t index, double x[3]) {
    int64_t k = net_local_number(r->net, r->spec->post, index);
    for (int32_t d = 0; d < r->post->layout.n_dim; d++)
        x[d] = r->post->position[d][k];
}

static inline double way2(double a, double b, double wrap) {
    double way = fabs(a - b), other = wrap - way;
    way = other < way ? other : way;
    return way * way;
}

/* The same number as net_distance gives, squared. */
static inline double distance2(const net_space *s, const double *x, int64_t at) {
    const double *place = s->place + at * s->n_dim;
    double sum = way2(place[0], x[0], s->wrap[0]) + way2(place[1], x[1], s->wrap[1]);
    return s->n_dim == 2 ? sum : sum + way2(place[2], x[2], s->wrap[2]);
}

/* Whether u < probability of the source at a place. */
static inline bool below_probability(const net_space *s, const double *x, int64_t at, double u) {
    double d2 = distance2(s, x, at), square = d2 * s->squares;
    if (!(square < SPACE_SQUARES)) return u < space_probability(s, sqrt(d2));
    int i = (int)square;
    bool sure = u < s->at_least[i];
    if (__builtin_expect(sure != (u <= s->at_most[i]), 0)) return u < space_probability(s, sqrt(d2));
    return sure;
}

static lw_err drawn_reserve(net_space *s, net_draw *d, int64_t n) {
    if (n <= s->drawn_room) return LW_OK;
    int64_t room = n + n / 2 + 256;
    LW_TRY(net_draw_reserve(d, room));
    LW_TRY(lw_grow(&s->drawn, (size_t)s->drawn_room, (size_t)room, sizeof *s->drawn, "drawn sources"));
    s->drawn_room = room;
    return LW_OK;
}

/* Numbers of a stream, taken in portions: the first ones of few are wasted, none is drawn alone. */
typedef struct uniforms {
    lw_stream *stream;
    double number[PORTION], log[PORTION];
    int at;
} uniforms;

static inline int uniform_next(uniforms *u) {
    if (u->at == PORTION) {
        lw_stream_uniforms(u->stream, PORTION, u->number, u->log);
        u->at = 0;
    }
    return u->at++;
}

/* Who is hit in a cell of a bound, `skip` being what is left of an exponential number. Whoever is hit is written down
 * and counted when kept, so that chance decides about no jump. Room for all members is there. */
static double cell_draw(
    net_space *s, uniforms *u, const double *x, int64_t self, int64_t cell, int32_t bound, double skip) {
    double hazard = s->hazard[bound], per_hazard = s->per_hazard[bound], high = s->bound[bound];
    int64_t at = s->begin[cell], end = s->begin[cell + 1], n = s->n_drawn;
    while (skip < hazard * (double)(end - at)) {
        at += (int64_t)(skip * per_hazard);
        skip = -u->log[uniform_next(u)];
        if (at >= end) break; /* rounding */
        uint64_t source = s->source[at];
        bool kept = below_probability(s, x, at, u->number[uniform_next(u)] * high);
        s->drawn[n] = source << 32 | (uint64_t)at;
        n += kept & ((int64_t)source != self);
        if (++at == end) break;
    }
    s->n_drawn = n;
    return at < end ? skip - hazard * (double)(end - at) : skip;
}

static void hazards_find(net_space *s, int64_t row) {
    const int64_t *share = s->share[0], *begin = s->begin + row;
    const int32_t *bound_of = s->bound_of;
    double *out = s->hazard_of;
    for (int64_t i = 0; i < s->n_along[0]; i++) {
        int64_t n = begin[share[i] + 1] - begin[share[i]];
        out[i] = n > 0 ? s->hazard[bound_of[i]] * (double)n : 0;
    }
}

/* Skips are exponential in the sum of hazards, which has no memory, so one walks on from cell to cell. */
static lw_err draw_bernoulli(net_space *s, net_draw *d, lw_stream *stream, const double *x, int64_t self) {
    uniforms u = {.stream = stream};
    u.at = PORTION;
    double skip = -u.log[uniform_next(&u)];
    s->n_drawn = 0;
    if (!walk_start(s, x)) return LW_OK;
    for (int64_t k = 0; k < s->n_along[2]; k++)
        for (int64_t j = 0; j < s->n_along[1]; j++) {
            int64_t row = row_start(s, j, k);
            hazards_find(s, row);
            for (int64_t i = 0; i < s->n_along[0]; i++) {
                if (skip >= s->hazard_of[i]) {
                    skip -= s->hazard_of[i];
                    continue;
                }
                int64_t cell = row + s->share[0][i];
                LW_TRY(drawn_reserve(s, d, s->n_drawn + s->begin[cell + 1] - s->begin[cell]));
                skip = cell_draw(s, &u, x, self, cell, s->bound_of[i], skip);
            }
        }
    net_sort_from(s->drawn, d->scratch, s->n_drawn, 32, 32 + net_sort_bits((uint64_t)s->rule.pre->size));
    return LW_OK;
}

/* Cells in reach with the sums of their bounds. */
static lw_err cells_weigh(net_space *s, const double *x) {
    s->n_visited = 0;
    if (!walk_start(s, x)) return LW_OK;
    int64_t n = s->n_along[0] * s->n_along[1] * s->n_along[2];
    if (n > s->room) {
        LW_TRY(lw_grow(&s->sum, (size_t)s->room, (size_t)n, sizeof *s->sum, "cells in reach"));
        LW_TRY(lw_grow(&s->visited, 2 * (size_t)s->room, 2 * (size_t)n, sizeof *s->visited, "cells in reach"));
        s->room = n;
    }
    double sum = 0;
    for (int64_t k = 0; k < s->n_along[2]; k++)
        for (int64_t j = 0; j < s->n_along[1]; j++) {
            int64_t row = row_start(s, j, k);
            for (int64_t i = 0; i < s->n_along[0]; i++) {
                int64_t cell = row + s->share[0][i], members = s->begin[cell + 1] - s->begin[cell];
                int32_t bound = s->bound_of[i];
                if (bound > SPACE_BOUNDS || members == 0 || s->bound[bound] <= 0) continue;
                s->sum[s->n_visited] = sum += s->bound[bound] * (double)members;
                s->visited[2 * s->n_visited] = cell;
                s->visited[2 * s->n_visited++ + 1] = bound;
            }
        }
    return LW_OK;
}

/* Place of a source drawn with the odds of the profile, or -1 after TRIES failures. */
static int64_t one_place(const net_space *s, lw_stream *stream, const double *x, int64_t self) {
    for (int i = 0; i < TRIES && s->n_visited > 0; i++) {
        double u = lw_stream_uniform(stream) * s->sum[s->n_visited - 1];
        int64_t low = 0, high = s->n_visited - 1;
        while (low < high) { /* first cell whose sum is above u */
            int64_t middle = (low + high) / 2;
            if (s->sum[middle] > u)
                high = middle;
            else
                low = middle + 1;
        }
        int64_t cell = s->visited[2 * low], first = s->begin[cell];
        int64_t at = first + (int64_t)lw_stream_below(stream, (uint64_t)(s->begin[cell + 1] - first));
        double chance = lw_stream_uniform(stream) * s->bound[s->visited[2 * low + 1]];
        if (below_probability(s, x, at, chance) && s->source[at] != self) return at;
    }
    return -1;
}

/* Draws until n are there; without multapses who comes again does not count. */
static lw_err draw_indegree(net_space *s, net_draw *d, lw_stream *stream, const double *x, int64_t self) {
    const lw_projection_spec *spec = s->rule.spec;
    int bits = 32 + net_sort_bits((uint64_t)s->rule.pre->size);
    LW_TRY(cells_weigh(s, x));
    LW_TRY(drawn_reserve(s, d, spec->n));
    for (int64_t draws = 0, kept = 0; d->n < spec->n && draws / TRIES < spec->n + TRIES; kept = d->n) {
        for (; d->n < spec->n; draws++) {
            int64_t at = one_place(s, stream, x, self);
            if (at < 0) return LW_OK;
            d->index[d->n++] = (uint64_t)s->source[at] << 32 | (uint64_t)at;
        }
        if (spec->multapses)
            net_sort_from(d->index, d->scratch, d->n, 32, bits);
        else
            net_draw_distinct(d, kept, 32, bits);
    }
    for (; s->n_drawn < d->n; s->n_drawn++)
        s->drawn[s->n_drawn] = d->index[s->n_drawn];
    return LW_OK;
}

lw_err net_space_draw(net_space *s, net_draw *d, lw_stream *stream, int64_t index, int64_t self) {
    const net_rule *r = &s->rule;
    target_place(r, index, s->x);
    d->n = 0;
    s->n_drawn = 0;
    if (r->spec->rule == LW_RULE_PAIRWISE_BERNOULLI) {
        LW_TRY(draw_bernoulli(s, d, stream, s->x, self));
    } else {
        LW_TRY(draw_indegree(s, d, stream, s->x, self));
        LW_CHECK(d->n == r->spec->n, LW_EUSE,
            "projection \"%s\": neuron %lld finds %lld sources within reach; fixed_indegree wants %lld%s",
            r->net->proj[r->proj].view.name, (long long)index, (long long)d->n, (long long)r->spec->n,
            r->spec->multapses ? "" : " without multapses");
    }
    for (d->n = 0; d->n < s->n_drawn; d->n++)
        d->index[d->n] = s->drawn[d->n] >> 32;
    return LW_OK;
}

void net_space_distances(const net_space *s, double *out) {
    for (int64_t k = 0; k < s->n_drawn; k++)
        out[k] = sqrt(distance2(s, s->x, (int64_t)(s->drawn[k] & UINT32_MAX)));
}
