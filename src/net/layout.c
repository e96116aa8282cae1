/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Where neurons are: positions from a population's layout, one neuron at a time or for all local ones, and distances,
 * also across the border of periodic ones. Who is near whom is in space.c.
 */
#include <math.h>
#include <string.h>
#include "net_private.h"

static lw_err grid_check(const lw_layout *layout, int64_t size) {
    int64_t points = 1;
    for (int32_t d = 0; d < layout->n_dim; d++) {
        LW_CHECK(layout->grid[d] >= 1, LW_EUSE, "%lld grid points along dimension %d; allowed: 1 or more",
            (long long)layout->grid[d], (int)d);
        if (__builtin_mul_overflow(points, layout->grid[d], &points)) points = INT64_MAX;
    }
    LW_CHECK(points >= size, LW_EUSE, "a grid of %lld points for %lld neurons; allowed: a point for each neuron",
        (long long)points, (long long)size); /* some may be empty where neurons were pruned */
    return LW_OK;
}

static lw_err list_check(const lw_layout *layout, int64_t size) {
    LW_CHECK(layout->list && layout->n_list >= size, LW_EUSE,
        "a list of %lld positions for %lld neurons; allowed: one per neuron", (long long)layout->n_list,
        (long long)size);
    for (int64_t i = 0; i < layout->n_list; i++)
        for (int32_t d = 0; d < layout->n_dim; d++) {
            double x = layout->list[i * layout->n_dim + d], half = layout->extent[d] / 2;
            LW_CHECK(isfinite(x), LW_EUSE, "position %lld is %g mm; allowed: finite numbers", (long long)i, x);
            LW_CHECK(!layout->periodic || fabs(x - layout->centre[d]) <= half, LW_EUSE,
                "position %lld is %g mm; allowed in a periodic layer: %g to %g mm", (long long)i, x,
                layout->centre[d] - half, layout->centre[d] + half);
        }
    return LW_OK;
}

lw_err net_layout_check(const lw_layout *layout, int64_t size) {
    if (layout->kind == LW_LAYOUT_NONE) return LW_OK;
    LW_CHECK(layout->n_dim == 2 || layout->n_dim == 3, LW_EUSE, "%d dimensions; allowed: 2 or 3", (int)layout->n_dim);
    for (int32_t d = 0; d < layout->n_dim; d++) {
        bool needed = layout->kind != LW_LAYOUT_LIST || layout->periodic;
        LW_CHECK(!needed || (isfinite(layout->extent[d]) && layout->extent[d] > 0), LW_EUSE,
            "an extent of %g mm; allowed: above 0", layout->extent[d]);
        LW_CHECK(isfinite(layout->centre[d]), LW_EUSE, "a centre at %g mm; allowed: finite numbers", layout->centre[d]);
    }
    if (layout->kind == LW_LAYOUT_GRID) return grid_check(layout, size);
    return layout->kind == LW_LAYOUT_LIST ? list_check(layout, size) : LW_OK;
}

void net_position(const lw_net *net, int32_t pop, int64_t index, double x[3]) {
    const lw_layout *layout = &net->pop[pop].layout;
    if (layout->kind == LW_LAYOUT_LIST) {
        memcpy(x, layout->list + index * layout->n_dim, (size_t)layout->n_dim * sizeof *x);
        return;
    }
    lw_stream s = lw_stream_start(net->seed, LW_PURPOSE_POSITION, (uint64_t)index, (uint64_t)pop);
    for (int32_t d = 0; d < layout->n_dim; d++) {
        double part;
        if (layout->kind == LW_LAYOUT_RANDOM) {
            part = lw_stream_uniform(&s);
        } else {
            part = ((double)(index % layout->grid[d]) + 0.5) / (double)layout->grid[d];
            index /= layout->grid[d];
        }
        x[d] = layout->centre[d] + layout->extent[d] * (part - 0.5);
    }
}

double net_distance(const lw_layout *layout, const double *a, const double *b) {
    double sum = 0;
    for (int32_t d = 0; d < layout->n_dim; d++) {
        double x = fabs(a[d] - b[d]);
        if (layout->periodic) x = fmin(x, layout->extent[d] - x);
        sum += x * x;
    }
    return sqrt(sum);
}

/* The list is copied whole: a neuron's origin, its place there, can be any. */
lw_err net_layout_take(lw_pop_view *pop, const lw_layout *layout) {
    double **position = NULL;
    if (layout->kind == LW_LAYOUT_NONE) return LW_OK;
    pop->layout = *layout;
    pop->layout.list = NULL;
    LW_TRY(lw_alloc((size_t)layout->n_dim, sizeof *position, "positions", &position));
    pop->position = position;
    for (int32_t d = 0; d < layout->n_dim; d++)
        LW_TRY(lw_alloc((size_t)pop->n_local, sizeof **position, "positions", &position[d]));
    if (layout->kind != LW_LAYOUT_LIST) return LW_OK;
    double *list = NULL;
    size_t n = (size_t)layout->n_list * (size_t)layout->n_dim;
    LW_TRY(lw_alloc(n, sizeof *list, "positions", &list));
    memcpy(list, layout->list, n * sizeof *list);
    pop->layout.list = list;
    return LW_OK;
}

void net_layout_free(lw_pop_view *pop) {
    for (int32_t d = 0; pop->position && d < pop->layout.n_dim; d++)
        lw_free(pop->position[d]);
    lw_free((void *)pop->position);
    lw_free((void *)pop->layout.list);
}

void net_positions_find(lw_net *net, int32_t pop) {
    lw_pop_view *view = &net->pop[pop];
    double x[3];
    for (int64_t k = 0; k < view->n_local && view->layout.kind != LW_LAYOUT_NONE; k++) {
        net_position(net, pop, view->origin[k], x);
        for (int32_t d = 0; d < view->layout.n_dim; d++)
            view->position[d][k] = x[d];
    }
}
