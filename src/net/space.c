/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Rules by distance. The space of the source population is cut into cells; a rank keeps, cell by cell, the numbers and
 * positions of those sources that some local target can reach, and nothing else. A target walks through the cells
 * within its reach: an upper bound of the probability in a cell is skipped through geometrically, and who is hit is
 * kept with the ratio of its own probability to the bound. So the work follows the synapses, not the pairs. Cells
 * depend on the specification alone, and so do the draws.
 */
#include <math.h>
#include "net_private.h"

enum { N_BOUND = 512, OCCUPANCY = 8, CELLS_MOST = 1 << 26, TRIES = 1000 };

struct net_space {
    net_rule rule;           /* what it is made for; no draws of its own */
    const lw_layout *layout; /* of pre */
    int32_t n_dim;
    double low[3], extent[3], side[3]; /* box of the sources, cells */
    int64_t n_cell[3], n_cells;
    double reach;               /* no synapse is longer, mm; infinite: none ends for its length */
    uint8_t *near;              /* [n_cells] some local target may reach it */
    int64_t *begin;             /* [n_cells + 1] */
    uint32_t *source;           /* [begin[n_cells]] index in pre, ascending within a cell */
    double *place;              /* [begin[n_cells] * n_dim] */
    double bound[N_BOUND + 1];  /* at least the probability at and beyond distance i * reach / N_BOUND */
    double hazard[N_BOUND + 1]; /* -log(1 - bound) */
    double bound_step;
    double *sum; /* [cells visited + 1] weights of cells, fixed_indegree */
    int64_t *visited, n_visited, room;
};

/* ---- reach and bounds */

double net_profile_reach(const lw_projection_spec *spec) {
    const lw_profile *f = &spec->p_of;
    double reach = INFINITY, fall = 13.815510557964274; /* log(1e6) */
    if (f->kind == LW_PROFILE_GAUSSIAN) reach = f->length * sqrt(2 * fall);
    if (f->kind == LW_PROFILE_EXPONENTIAL) reach = f->length * fall;
    if (f->kind == LW_PROFILE_LINEAR && f->slope < 0) reach = -f->at0 / f->slope;
    return spec->radius > 0 ? fmin(reach, spec->radius) : reach;
}

static double clipped(const lw_profile *f, double d) {
    return fmin(1, fmax(0, lw_profile_value(f, d)));
}

/* The midpoint rule over distance, by the surface of spheres; beyond the layer there is nobody. */
double net_profile_mean(const lw_projection_spec *spec, const lw_layout *layout) {
    double volume = 1, sum = 0, longest = 0;
    for (int32_t d = 0; d < layout->n_dim; d++) {
        volume *= layout->extent[d];
        longest = fmax(longest, layout->extent[d]);
    }
    double h = fmin(net_profile_reach(spec), longest) / 400;
    for (int i = 0; i < 400; i++) {
        double d = (i + 0.5) * h;
        sum += clipped(&spec->p_of, d) * (layout->n_dim == 2 ? 6.283185307179586 * d : 12.566370614359172 * d * d) * h;
    }
    return volume > 0 ? fmin(1, sum / volume) : 1;
}

static double probability(const net_space *s, double d) {
    return d > s->reach ? 0 : clipped(&s->rule.spec->p_of, d);
}

/* The box's diagonal. Targets beyond it only meet profiles that fall (spec.c). */
static double span(const net_space *s) {
    double sum = 0;
    for (int32_t d = 0; d < s->n_dim; d++)
        sum += s->extent[d] * s->extent[d];
    return sqrt(sum);
}

/* Profiles rise or fall all the way, so the largest value beyond a distance is at one of the ends. */
static void bounds_find(net_space *s) {
    double far = isinf(s->reach) ? span(s) : s->reach, last = fmax(probability(s, far), 0);
    s->bound_step = far / N_BOUND;
    for (int i = 0; i <= N_BOUND; i++) {
        s->bound[i] = fmax(probability(s, fmin(i * s->bound_step, far)), last);
        s->hazard[i] = -log1p(-s->bound[i]);
    }
}

/* ---- cells */

static void box_find(net_space *s) {
    const lw_layout *layout = s->layout;
    for (int32_t d = 0; d < s->n_dim; d++) {
        s->extent[d] = layout->extent[d];
        s->low[d] = layout->centre[d] - layout->extent[d] / 2;
        if (layout->kind != LW_LAYOUT_LIST || layout->periodic) continue;
        double low = INFINITY, high = -INFINITY;
        for (int64_t i = 0; i < layout->n_list; i++) {
            low = fmin(low, layout->list[i * s->n_dim + d]);
            high = fmax(high, layout->list[i * s->n_dim + d]);
        }
        s->low[d] = low;
        s->extent[d] = fmax(high - low, 1e-9);
    }
}

/* Cells hold a few sources, and more where few are hit; they are finer than the profile. */
static void cells_find(net_space *s) {
    double volume = 1, n = (double)s->rule.pre->size, p = fmax(s->bound[0], 1e-3);
    for (int32_t d = 0; d < s->n_dim; d++)
        volume *= s->extent[d];
    double few = pow(OCCUPANCY * volume / n, 1.0 / s->n_dim), many = pow(4 / p * volume / n, 1.0 / s->n_dim);
    const lw_profile *f = &s->rule.spec->p_of;
    double fine = f->kind == LW_PROFILE_GAUSSIAN || f->kind == LW_PROFILE_EXPONENTIAL ? f->length / 3 : s->reach / 4;
    double side = fmax(few, fmin(many, fine));
    s->n_cells = 1;
    for (int32_t d = 0; d < s->n_dim; d++) {
        double cells = fmin(fmax(floor(s->extent[d] / side), 1), floor(pow(CELLS_MOST, 1.0 / s->n_dim)));
        s->n_cell[d] = (int64_t)cells;
        s->side[d] = s->extent[d] / cells;
        s->n_cells *= s->n_cell[d];
    }
}

static int64_t cell_along(const net_space *s, int32_t d, double x) {
    double c = floor((x - s->low[d]) / s->side[d]);
    return c < 0 ? 0 : c >= (double)s->n_cell[d] ? s->n_cell[d] - 1 : (int64_t)c;
}

static int64_t cell_of(const net_space *s, const double *x) {
    int64_t cell = 0;
    for (int32_t d = s->n_dim - 1; d >= 0; d--)
        cell = cell * s->n_cell[d] + cell_along(s, d, x[d]);
    return cell;
}

/* A line of cells along one dimension: marks spread by `by` cells to both sides. line: [2 n]: marks, then spread. */
static void spread_line(uint8_t *line, int64_t n, int64_t by, bool periodic) {
    int64_t inside = 0;
    bool wraps = periodic && 2 * by + 1 < n;
    int64_t first = wraps ? -by : 0, last = wraps ? n + by : n; /* cells that count, [first, last) */
    for (int64_t i = first - by; i < n; i++) { /* i + by enters, i - by - 1 leaves the window around i */
        int64_t enter = i + by, leave = i - by - 1;
        if (enter >= first && enter < last) inside += line[(enter + n) % n];
        if (leave >= first && leave < last) inside -= line[(leave + n) % n];
        if (i >= 0) line[n + i] = periodic && !wraps ? 1 : inside > 0;
    }
}

/* Cells within reach of some local target: those of the targets, spread along each dimension. */
static lw_err near_find(net_space *s) {
    const lw_pop_view *post = s->rule.post;
    uint8_t *line = NULL;
    int64_t longest = 0, stride = 1;
    double x[3];
    for (int32_t d = 0; d < s->n_dim; d++)
        if (s->n_cell[d] > longest) longest = s->n_cell[d];
    LW_TRY(lw_alloc((size_t)s->n_cells, 1, "cells", &s->near));
    LW_TRY(lw_alloc(2 * (size_t)longest, 1, "cells", &line));
    for (int64_t t = 0; t < post->n_local; t++) {
        for (int32_t d = 0; d < s->n_dim; d++)
            x[d] = post->position[d][t];
        s->near[cell_of(s, x)] = 1;
    }
    for (int32_t d = 0; d < s->n_dim; stride *= s->n_cell[d++]) {
        int64_t n = s->n_cell[d];
        double cells = ceil(s->reach / s->side[d]) + 1;
        int64_t by = cells < (double)n ? (int64_t)cells : n;
        for (int64_t c = 0; c < s->n_cells; c++) {
            if (c / stride % n != 0) continue; /* first cell of a line */
            for (int64_t i = 0; i < n; i++)
                line[i] = s->near[c + i * stride];
            spread_line(line, n, by, s->layout->periodic);
            for (int64_t i = 0; i < n; i++)
                s->near[c + i * stride] = line[n + i];
        }
    }
    lw_free(line);
    return LW_OK;
}

/* Sources of the near cells; every position is looked at twice, none is kept that is not near. */
static lw_err sources_find(net_space *s) {
    const net_rule *r = &s->rule;
    double x[3];
    LW_TRY(lw_alloc((size_t)s->n_cells + 1, sizeof *s->begin, "sources by cell", &s->begin));
    for (int64_t i = 0; i < r->pre->size; i++) {
        net_position(r->net, r->spec->pre, i, x);
        int64_t cell = cell_of(s, x);
        if (s->near[cell]) s->begin[cell + 1]++;
    }
    for (int64_t c = 0; c < s->n_cells; c++)
        s->begin[c + 1] += s->begin[c];
    int64_t n = s->begin[s->n_cells];
    LW_TRY(lw_alloc((size_t)n, sizeof *s->source, "sources by cell", &s->source));
    LW_TRY(lw_alloc((size_t)n * (size_t)s->n_dim, sizeof *s->place, "positions of sources", &s->place));
    for (int64_t i = 0; i < r->pre->size; i++) {
        net_position(r->net, r->spec->pre, i, x);
        int64_t cell = cell_of(s, x);
        if (!s->near[cell]) continue;
        int64_t at = s->begin[cell]++;
        s->source[at] = (uint32_t)i;
        for (int32_t d = 0; d < s->n_dim; d++)
            s->place[at * s->n_dim + d] = x[d];
    }
    for (int64_t c = s->n_cells; c > 0; c--) /* filling moved every begin to the next */
        s->begin[c] = s->begin[c - 1];
    s->begin[0] = 0;
    return LW_OK;
}

lw_err net_space_create(const net_rule *r, net_space **out) {
    net_space *s = NULL;
    *out = NULL;
    LW_TRY(lw_alloc(1, sizeof *s, "cells of a layer", &s));
    *out = s; /* freed with the rule, whatever happens */
    s->rule = *r;
    s->layout = &r->pre->layout;
    s->n_dim = s->layout->n_dim;
    s->reach = net_profile_reach(r->spec);
    box_find(s);
    bounds_find(s);
    cells_find(s);
    LW_TRY(near_find(s));
    LW_TRY(sources_find(s));
    lw_free(s->near);
    s->near = NULL;
    return LW_OK;
}

void net_space_destroy(net_space **space) {
    net_space *s = *space;
    if (!s) return;
    lw_free(s->near);
    lw_free(s->begin);
    lw_free(s->source);
    lw_free(s->place);
    lw_free(s->sum);
    lw_free(s->visited);
    lw_free(s);
    *space = NULL;
}

/* ---- draws */

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

/* Cells that a target reaches, with the index of their bound. */
typedef struct cell_walk {
    int64_t first[3], n[3], at[3];
    const double *x;
    double gap[3]; /* squares along the dimensions */
} cell_walk;

static bool walk_start(const net_space *s, const double *x, cell_walk *w) {
    *w = (cell_walk){.x = x, .n = {1, 1, 1}};
    for (int32_t d = 0; d < s->n_dim; d++) {
        range_along(s, d, x[d], &w->first[d], &w->n[d]);
        if (w->n[d] == 0) return false;
        double gap = gap_along(s, d, x[d], w->first[d]);
        w->gap[d] = gap * gap;
    }
    return true;
}

static bool walk_next(const net_space *s, cell_walk *w) {
    for (int32_t d = 0; d < s->n_dim; d++) {
        bool more = ++w->at[d] < w->n[d];
        if (!more) w->at[d] = 0;
        double gap = gap_along(s, d, w->x[d], (w->first[d] + w->at[d]) % s->n_cell[d]);
        w->gap[d] = gap * gap;
        if (more) return true;
    }
    return false;
}

/* Cell of the walk and its bound's index; -1 when it is out of reach. */
static int64_t walk_cell(const net_space *s, const cell_walk *w, int *bound) {
    double gap = sqrt(w->gap[0] + w->gap[1] + w->gap[2]), step = gap / s->bound_step;
    if (gap > s->reach) return -1;
    int64_t cell = 0;
    for (int32_t d = s->n_dim - 1; d >= 0; d--)
        cell = cell * s->n_cell[d] + (w->first[d] + w->at[d]) % s->n_cell[d];
    *bound = step < N_BOUND ? (int)step : N_BOUND;
    return cell;
}

static void target_place(const net_rule *r, int64_t index, double x[3]) {
    int64_t k = net_local_number(r->net, r->spec->post, index);
    for (int32_t d = 0; d < r->post->layout.n_dim; d++)
        x[d] = r->post->position[d][k];
}

static double probability_of(const net_space *s, const double *x, int64_t at) {
    return probability(s, net_distance(s->layout, x, s->place + at * s->n_dim));
}

/* Skips are exponential in the sum of hazards, which has no memory, so one walks on from cell to cell. */
static lw_err draw_bernoulli(const net_space *s, net_draw *d, lw_stream *stream, const double *x, int64_t self) {
    cell_walk w;
    double skip = -log(lw_stream_uniform(stream));
    if (!walk_start(s, x, &w)) return LW_OK;
    do {
        int bound = 0;
        int64_t cell = walk_cell(s, &w, &bound);
        if (cell < 0) continue;
        double hazard = s->hazard[bound];
        int64_t at = s->begin[cell], end = s->begin[cell + 1];
        while (hazard > 0 && skip < hazard * (double)(end - at)) {
            at += (int64_t)(skip / hazard);
            skip = -log(lw_stream_uniform(stream));
            if (at >= end) break; /* rounding */
            if (lw_stream_uniform(stream) * s->bound[bound] < probability_of(s, x, at) && s->source[at] != self) {
                if (d->n == d->capacity) LW_TRY(net_draw_reserve(d, 2 * d->capacity + 256));
                d->index[d->n++] = s->source[at];
            }
            at++;
        }
        if (hazard > 0 && at < end) skip -= hazard * (double)(end - at);
    } while (walk_next(s, &w));
    net_sort(d->index, d->scratch, d->n, net_sort_bits((uint64_t)s->rule.pre->size));
    return LW_OK;
}

/* Cells in reach with the sums of their bounds. */
static lw_err cells_weigh(net_space *s, const double *x) {
    cell_walk w;
    s->n_visited = 0;
    if (!walk_start(s, x, &w)) return LW_OK;
    do {
        int bound = 0;
        int64_t cell = walk_cell(s, &w, &bound);
        if (cell < 0 || s->begin[cell] == s->begin[cell + 1] || s->bound[bound] <= 0) continue;
        if (s->n_visited == s->room) {
            int64_t room = 2 * s->room + 64;
            LW_TRY(lw_grow(&s->sum, (size_t)s->room, (size_t)room, sizeof *s->sum, "cells in reach"));
            LW_TRY(lw_grow(&s->visited, 2 * (size_t)s->room, 2 * (size_t)room, sizeof *s->visited, "cells in reach"));
            s->room = room;
        }
        double before = s->n_visited > 0 ? s->sum[s->n_visited - 1] : 0;
        s->sum[s->n_visited] = before + s->bound[bound] * (double)(s->begin[cell + 1] - s->begin[cell]);
        s->visited[2 * s->n_visited] = cell;
        s->visited[2 * s->n_visited++ + 1] = bound;
    } while (walk_next(s, &w));
    return LW_OK;
}

/* A source drawn with the odds of the profile, or -1 after TRIES failures. */
static int64_t one_source(const net_space *s, lw_stream *stream, const double *x, int64_t self) {
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
        double p = probability_of(s, x, at);
        if (lw_stream_uniform(stream) * s->bound[s->visited[2 * low + 1]] < p && s->source[at] != self)
            return s->source[at];
    }
    return -1;
}

/* Draws until n are there; without multapses who comes again does not count. */
static lw_err draw_indegree(net_space *s, net_draw *d, lw_stream *stream, const double *x, int64_t self) {
    const lw_projection_spec *spec = s->rule.spec;
    int bits = net_sort_bits((uint64_t)s->rule.pre->size);
    LW_TRY(cells_weigh(s, x));
    LW_TRY(net_draw_reserve(d, spec->n));
    for (int64_t draws = 0, kept = 0; d->n < spec->n && draws / TRIES < spec->n + TRIES; kept = d->n) {
        for (; d->n < spec->n; draws++) {
            int64_t source = one_source(s, stream, x, self);
            if (source < 0) return LW_OK;
            d->index[d->n++] = (uint64_t)source;
        }
        if (spec->multapses)
            net_sort(d->index, d->scratch, d->n, bits);
        else
            net_draw_distinct(d, kept, bits);
    }
    return LW_OK;
}

lw_err net_space_draw(net_space *s, net_draw *d, lw_stream *stream, int64_t index, int64_t self) {
    const net_rule *r = &s->rule;
    double x[3];
    target_place(r, index, x);
    d->n = 0;
    if (r->spec->rule == LW_RULE_PAIRWISE_BERNOULLI) return draw_bernoulli(s, d, stream, x, self);
    LW_TRY(draw_indegree(s, d, stream, x, self));
    LW_CHECK(d->n == r->spec->n, LW_EUSE,
        "projection \"%s\": neuron %lld finds %lld sources within reach; fixed_indegree wants %lld%s",
        r->net->proj[r->proj].view.name, (long long)index, (long long)d->n, (long long)r->spec->n,
        r->spec->multapses ? "" : " without multapses");
    return LW_OK;
}
