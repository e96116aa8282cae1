/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Cells for rules by distance. The space of the source population is cut into cells; a rank keeps, cell by cell, the
 * numbers and positions of those sources that some local target can reach, and nothing else. Cells and the tables of
 * the probability depend on the specification alone. The draws are in space_draw.c.
 */
#include <math.h>
#include "space.h"

enum { OCCUPANCY = 8, CELLS_MOST = 1 << 26 };

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

double space_probability(const net_space *s, double d) {
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
    double far = isinf(s->reach) ? span(s) : s->reach, last = fmax(space_probability(s, far), 0);
    s->bound_step = far / SPACE_BOUNDS;
    for (int i = 0; i <= SPACE_BOUNDS; i++) {
        s->bound[i] = fmax(space_probability(s, fmin(i * s->bound_step, far)), last);
        s->hazard[i] = -log1p(-s->bound[i]);
        s->per_hazard[i] = 1 / s->hazard[i];
    }
}

/* With a margin for rounding; somebody in the last interval may be out of reach. */
static void squares_find(net_space *s) {
    const double margin = 1e-12;
    double far = isinf(s->reach) ? span(s) : s->reach;
    s->squares = SPACE_SQUARES / (far * far);
    for (int i = 0; i < SPACE_SQUARES; i++) {
        double near = space_probability(s, fmin(sqrt(i / s->squares), far));
        double next = space_probability(s, fmin(sqrt((i + 1) / s->squares), far));
        s->at_least[i] = i == SPACE_SQUARES - 1 ? 0 : fmin(near, next) * (1 - margin);
        s->at_most[i] = fmax(near, next) * (1 + margin);
    }
}

/* ---- cells */

static void box_find(net_space *s) {
    const lw_layout *layout = s->layout;
    for (int32_t d = 0; d < s->n_dim; d++) {
        s->extent[d] = layout->extent[d];
        s->wrap[d] = layout->periodic ? layout->extent[d] : INFINITY;
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

static lw_err walk_reserve(net_space *s) {
    for (int32_t d = 0; d < 3; d++) {
        size_t n = d < s->n_dim ? (size_t)s->n_cell[d] : 1;
        LW_TRY(lw_alloc(n, sizeof *s->gap2[d], "cells in reach", &s->gap2[d]));
        LW_TRY(lw_alloc(n, sizeof *s->share[d], "cells in reach", &s->share[d]));
    }
    LW_TRY(lw_alloc((size_t)s->n_cell[0], sizeof *s->hazard_of, "cells in reach", &s->hazard_of));
    return lw_alloc((size_t)s->n_cell[0], sizeof *s->bound_of, "cells in reach", &s->bound_of);
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
    squares_find(s);
    cells_find(s);
    LW_TRY(near_find(s));
    LW_TRY(sources_find(s));
    LW_TRY(walk_reserve(s));
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
    for (int32_t d = 0; d < 3; d++) {
        lw_free(s->gap2[d]);
        lw_free(s->share[d]);
    }
    lw_free(s->bound_of);
    lw_free(s->hazard_of);
    lw_free(s->drawn);
    lw_free(s->sum);
    lw_free(s->visited);
    lw_free(s);
    *space = NULL;
}
