/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Products with the weights of one slice of a projection: spikes to inputs (a list, or rows of lanes), adjoints of
 * inputs back to sources, and gradients of weights. Which slice is due when, and for what, is the business of the
 * callers.
 *
 * Order of the sums. The list of rows is ascending, rows are slots in ascending gid, and each product adds one row
 * after the other: a target sums its sources in ascending gid however the network is cut into ranks, and however long
 * the vectors of the machine are (vectors run over lanes or targets, never over sources). Adjoint products sum over
 * targets, which are spread over ranks anyway, and are free to use partial sums.
 */
#include "engine.h"

/* The weights of one slice, as the templates want them. */
typedef struct product {
    const uint32_t *target;   /* [n_edges], NULL when dense */
    const int64_t *row_begin; /* [n_rows + 1], NULL when dense: row r begins at r * n_post */
    int64_t n_post;           /* dense: local neurons of the target population */
    const void *weight;       /* [n_edges], NULL: all equal `value` */
    double value;
} product;

enum {
    AHEAD_ROW = 4,   /* rows between the prefetch of a row's first edges and their use */
    AHEAD_INDEX = 8, /* rows between the prefetch of row_begin and its use */
    TILE_OUT = 4,    /* rows of a register tile: 4 x 2 vectors of sums fit 16 registers */
    DOT_PARTS = 16,
    BLOCK_K = 256,   /* terms of a dense sum per pass: 256 lines of 64 bytes fill half of the first cache */
    BLOCK_LANES = 64 /* lanes of a dense weight gradient per pass */
};

#define REAL float
#define WEIGHT float
#define WEIGHT_IS_REAL
#define LW_T(name) name##_f32_f32
#include "deliver_typed.c"
#define REAL float
#define WEIGHT double
#define LW_T(name) name##_f32_f64
#include "deliver_typed.c"
#define REAL double
#define WEIGHT float
#define LW_T(name) name##_f64_f32
#include "deliver_typed.c"
#define REAL double
#define WEIGHT double
#define WEIGHT_IS_REAL
#define LW_T(name) name##_f64_f64
#include "deliver_typed.c"

static product product_of(const lw_proj_view *proj, const lw_slice *slice) {
    product p = {.target = proj->target, .row_begin = proj->dense ? NULL : slice->row_begin};
    if (proj->dense) p.n_post = proj->n_rows ? proj->n_edges / proj->n_rows : 0;
    p.weight = proj->weight_one ? NULL : proj->weight;
    p.value = proj->weight_value;
    return p;
}

int64_t deliver_list(
    bool f64, const lw_proj_view *proj, const lw_slice *slice, const uint32_t *row, int64_t n, void *acc) {
    product p = product_of(proj, slice);
    if (f64) return proj->weight_type == LW_F64 ? list_f64_f64(&p, row, n, acc) : list_f64_f32(&p, row, n, acc);
    return proj->weight_type == LW_F64 ? list_f32_f64(&p, row, n, acc) : list_f32_f32(&p, row, n, acc);
}

int64_t deliver_rows(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, void *acc) {
    product p = product_of(proj, slice);
    if (f64) {
        if (proj->weight_type == LW_F64)
            rows_f64_f64(&p, width, row, n, x, acc);
        else
            rows_f64_f32(&p, width, row, n, x, acc);
        return events_f64_f64(&p, width, row, n, x);
    }
    if (proj->weight_type == LW_F64)
        rows_f32_f64(&p, width, row, n, x, acc);
    else
        rows_f32_f32(&p, width, row, n, x, acc);
    return events_f32_f32(&p, width, row, n, x);
}

void deliver_rows_weight(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, const double *w_tan, void *acc) {
    product p = product_of(proj, slice);
    p.weight = w_tan;
    if (f64)
        rows_f64_f64(&p, width, row, n, x, acc);
    else
        rows_f32_f64(&p, width, row, n, x, acc);
}

void deliver_transpose(
    bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const void *in_adj, void *x_adj) {
    product p = product_of(proj, slice);
    if (f64) {
        if (proj->weight_type == LW_F64)
            transpose_f64_f64(&p, proj->n_rows, width, in_adj, x_adj);
        else
            transpose_f64_f32(&p, proj->n_rows, width, in_adj, x_adj);
    } else {
        if (proj->weight_type == LW_F64)
            transpose_f32_f64(&p, proj->n_rows, width, in_adj, x_adj);
        else
            transpose_f32_f32(&p, proj->n_rows, width, in_adj, x_adj);
    }
}

void deliver_transpose_weight(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width,
    const double *w_tan, const void *in_adj, void *x_adj) {
    product p = product_of(proj, slice);
    p.weight = w_tan;
    if (f64)
        transpose_f64_f64(&p, proj->n_rows, width, in_adj, x_adj);
    else
        transpose_f32_f64(&p, proj->n_rows, width, in_adj, x_adj);
}

void deliver_weight_grad(bool f64, const lw_proj_view *proj, const lw_slice *slice, int64_t width, const uint32_t *row,
    int64_t n, const void *x, const void *in_adj, double *grad) {
    product p = product_of(proj, slice);
    if (f64)
        weight_grad_f64_f64(&p, width, row, n, x, in_adj, grad);
    else
        weight_grad_f32_f32(&p, width, row, n, x, in_adj, grad);
}
