/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to space.c and space_draw.c: the cells of a layer, tables of the probability by distance, and the room of one
 * target's walk through the cells.
 */
#ifndef LW_NET_SPACE_H
#define LW_NET_SPACE_H

#include "net_private.h"

enum { SPACE_BOUNDS = 512, SPACE_SQUARES = 1024 };

struct net_space {
    net_rule rule;           /* what it is made for; no draws of its own */
    const lw_layout *layout; /* of pre */
    int32_t n_dim;
    double low[3], extent[3], side[3]; /* box of the sources, cells */
    double wrap[3];                    /* once round, mm; infinite where it does not close */
    int64_t n_cell[3], n_cells;
    double reach;     /* no synapse is longer, mm; infinite: none ends for its length */
    uint8_t *near;    /* [n_cells] some local target may reach it */
    int64_t *begin;   /* [n_cells + 1] */
    uint32_t *source; /* [begin[n_cells]] index in pre, ascending within a cell */
    double *place;    /* [begin[n_cells] * n_dim] */

    double bound[SPACE_BOUNDS + 1]; /* at least the probability at and beyond distance i * bound_step */
    double per_hazard[SPACE_BOUNDS + 2];
    double hazard[SPACE_BOUNDS + 2]; /* -log(1 - bound); 0 at the index of what is out of reach */
    double bound_step;
    /* the probability where i <= squares * distance^2 < i + 1 */
    double at_least[SPACE_SQUARES], at_most[SPACE_SQUARES], squares;

    /* one target: cells in reach along each dimension, [n_along[d]] of n_cell[d] */
    int64_t n_along[3], *share[3]; /* of the number of a cell */
    double *gap2[3];               /* square of the shortest way there */
    int32_t *bound_of;             /* of a row: index of the bound, SPACE_BOUNDS + 1 out of reach */
    double *hazard_of;             /* of a row: hazards of the members */
    uint64_t *drawn;               /* [n_drawn] the last list: source << 32 | its number in `source` */
    int64_t n_drawn, drawn_room;
    double x[3]; /* the last target's place */
    double *sum; /* [room] sums of the weights of cells up to each, fixed_indegree */
    int64_t *visited, n_visited, room;
};

double space_probability(const net_space *s, double d);

#endif
