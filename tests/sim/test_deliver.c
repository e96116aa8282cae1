/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Products with weights: forward products equal the obvious loop bit by bit, for every type, width and storage; adjoint
 * products satisfy the identities that define them. All on hand-made projections, without a network.
 */
#include "check.h"
#include "engine.h"

typedef struct made {
    lw_proj_view proj;
    lw_slice slice[2];
    int64_t n_post;
    uint32_t *target;
    int64_t *row_begin;
    float *weight32;
    double *weight64, *w_tan;
    uint32_t *list;
    int64_t n_list;
} made;

static double draw(uint64_t i) {
    return lw_rng_normal(7, LW_PURPOSE_CHECK, i, 0, 0);
}
static uint64_t pick(uint64_t i, uint64_t n) {
    lw_stream s = lw_stream_start(8, LW_PURPOSE_CHECK, i, 0);
    return lw_stream_below(&s, n);
}

/* One slice; sparse: 0 to 12 targets per row, ascending, repeats allowed; dense: all. Every third row is not listed. */
static void make(made *m, bool dense, bool one, lw_dtype type, int64_t n_rows, int64_t n_post) {
    memset(m, 0, sizeof *m);
    m->n_post = n_post;
    int64_t room = n_rows * (dense ? n_post : 12);
    m->target = calloc((size_t)room, sizeof *m->target);
    m->row_begin = calloc((size_t)n_rows + 1, sizeof *m->row_begin);
    m->weight32 = calloc((size_t)room, sizeof *m->weight32);
    m->weight64 = calloc((size_t)room, sizeof *m->weight64);
    m->w_tan = calloc((size_t)room, sizeof *m->w_tan);
    m->list = calloc((size_t)n_rows, sizeof *m->list);
    int64_t n = 0;
    for (int64_t r = 0; r < n_rows; r++) {
        m->row_begin[r] = n;
        int64_t length = dense ? n_post : (int64_t)pick((uint64_t)r, 13), t = 0;
        for (int64_t k = 0; k < length; k++, n++) {
            if (dense)
                t = k;
            else
                t += (int64_t)pick((uint64_t)(n + 1000), 4);
            if (t >= n_post) break;
            m->target[n] = (uint32_t)t;
            m->weight64[n] = draw((uint64_t)n);
            m->weight32[n] = (float)m->weight64[n];
            m->w_tan[n] = draw((uint64_t)n + 50000);
        }
        if (r % 3 != 2) m->list[m->n_list++] = (uint32_t)r;
    }
    m->row_begin[n_rows] = n;
    m->slice[0] = (lw_slice){.delay = 1, .edge_begin = 0, .edge_end = n, .row_begin = dense ? NULL : m->row_begin};
    m->proj = (lw_proj_view){.dense = dense,
        .n_rows = n_rows,
        .n_edges = n,
        .n_edges_global = n,
        .n_slices = 1,
        .slice = m->slice,
        .target = dense ? NULL : m->target,
        .weight_one = one,
        .weight_value = 0.37,
        .weight_type = type};
    if (!one) m->proj.weight = type == LW_F64 ? (void *)m->weight64 : (void *)m->weight32;
}
static void unmake(made *m) {
    free(m->target), free(m->row_begin), free(m->weight32), free(m->weight64), free(m->w_tan), free(m->list);
}
static double weight(const made *m, int64_t edge) {
    if (m->proj.weight_one) return m->proj.weight_value;
    return m->proj.weight_type == LW_F64 ? m->weight64[edge] : (double)m->weight32[edge];
}
static void put(bool f64, void *a, int64_t i, double v) {
    if (f64)
        ((double *)a)[i] = v;
    else
        ((float *)a)[i] = (float)v;
}
static double at(bool f64, const void *a, int64_t i) {
    return f64 ? ((const double *)a)[i] : (double)((const float *)a)[i];
}

/* acc += w x by the obvious loop in the arithmetic of the reals; x NULL: the value 1 */
static void obvious(bool f64, const made *m, int64_t width, const double *w_tan, const void *x, void *acc) {
    for (int64_t i = 0; i < m->n_list; i++)
        for (int64_t e = m->row_begin[m->list[i]]; e < m->row_begin[m->list[i] + 1]; e++)
            for (int64_t l = 0; l < width; l++) {
                int64_t a = (int64_t)m->target[e] * width + l;
                double w = w_tan ? w_tan[e] : weight(m, e), v = x ? at(f64, x, (int64_t)m->list[i] * width + l) : 1;
                if (f64) {
                    double product = w * v;
                    ((double *)acc)[a] += product;
                } else {
                    float product = (float)w * (float)v;
                    ((float *)acc)[a] += product;
                }
            }
}

static const int64_t WIDTHS[] = {1, 2, 3, 8, 15, 16, 17, 32, 33, 40, 64, 70};
enum { N_WIDTHS = sizeof WIDTHS / sizeof WIDTHS[0], ROWS = 290, POST = 83, WIDEST = 70 };

typedef struct room {
    void *x, *x_adj, *in, *in_adj, *expected;
} room;
static room room_of(bool f64, int64_t width) {
    size_t size = (f64 ? 8 : 4) * (size_t)(ROWS * width);
    room r = {calloc(1, size), calloc(1, size), calloc(1, size), calloc(1, size), calloc(1, size)};
    for (int64_t i = 0; i < ROWS * width; i++)
        put(f64, r.x, i, i % 5 == 0 ? 0 : draw((uint64_t)i + 200000));
    for (int64_t i = 0; i < POST * width; i++) {
        put(f64, r.in, i, draw((uint64_t)i + 300000));
        put(f64, r.expected, i, draw((uint64_t)i + 300000));
        put(f64, r.in_adj, i, draw((uint64_t)i + 400000));
    }
    return r;
}
static void room_free(room *r) {
    free(r->x), free(r->x_adj), free(r->in), free(r->in_adj), free(r->expected);
}

/* all combinations: storage, one weight, weight type, real type */
#define FOR_EACH_MADE(m, f64)                                                                                          \
    for (int c_ = 0, f64 = 0; c_ < 16; c_++, f64 = c_ >> 3 & 1)                                                        \
        for (made m, *once_ = (make(&m, c_ & 1, c_ >> 1 & 1, c_ >> 2 & 1 ? LW_F64 : LW_F32, ROWS, POST), &m); once_;   \
             unmake(once_), once_ = NULL)

TEST(lists_equal_the_obvious_loop) {
    FOR_EACH_MADE(m, f64) {
        room r = room_of(f64, 1);
        int64_t events = deliver_list(f64, &m.proj, m.slice, m.list, m.n_list, r.in), expected = 0;
        obvious(f64, &m, 1, NULL, NULL, r.expected);
        for (int64_t j = 0; j < POST; j++)
            CHECK_CLOSE(at(f64, r.in, j), at(f64, r.expected, j), 0);
        for (int64_t i = 0; i < m.n_list; i++)
            expected += m.row_begin[m.list[i] + 1] - m.row_begin[m.list[i]];
        CHECK_INT(events, expected);
        room_free(&r);
    }
}

TEST(rows_equal_the_obvious_loop) {
    FOR_EACH_MADE(m, f64)
    for (int k = 0; k < N_WIDTHS; k++) {
        int64_t width = WIDTHS[k], expected = 0;
        room r = room_of(f64, width);
        int64_t events = deliver_rows(f64, &m.proj, m.slice, width, m.list, m.n_list, r.x, r.in);
        obvious(f64, &m, width, NULL, r.x, r.expected);
        for (int64_t j = 0; j < POST * width; j++)
            CHECK_CLOSE(at(f64, r.in, j), at(f64, r.expected, j), 0);
        for (int64_t i = 0; i < m.n_list; i++)
            for (int64_t l = 0; l < width; l++)
                if (at(f64, r.x, m.list[i] * width + l) != 0)
                    expected += m.row_begin[m.list[i] + 1] - m.row_begin[m.list[i]];
        CHECK_INT(events, expected);
        deliver_rows_weight(f64, &m.proj, m.slice, width, m.list, m.n_list, r.x, m.w_tan, r.in);
        obvious(f64, &m, width, m.w_tan, r.x, r.expected);
        for (int64_t j = 0; j < POST * width; j++)
            CHECK_CLOSE(at(f64, r.in, j), at(f64, r.expected, j), 0);
        room_free(&r);
    }
}

/* <a, W x> = <W^T a, x> and d<a, W x>/dw [v] = <a, V x>: what makes the adjoint sweep a derivative */
TEST(transpose_and_weight_gradient_are_adjoint) {
    FOR_EACH_MADE(m, f64)
    for (int k = 0; k < N_WIDTHS; k++) {
        int64_t width = WIDTHS[k];
        double tol = f64 ? 1e-11 : 2e-3, forward = 0, backward = 0, along = 0, weighted = 0;
        room r = room_of(f64, width);
        for (int64_t i = 0; i < ROWS; i++)
            m.list[i] = (uint32_t)i;
        m.n_list = ROWS;
        memset(r.in, 0, (f64 ? 8 : 4) * (size_t)(POST * width));
        deliver_rows(f64, &m.proj, m.slice, width, m.list, m.n_list, r.x, r.in);
        deliver_transpose(f64, &m.proj, m.slice, width, r.in_adj, r.x_adj);
        for (int64_t i = 0; i < POST * width; i++)
            forward += at(f64, r.in, i) * at(f64, r.in_adj, i);
        for (int64_t i = 0; i < ROWS * width; i++)
            backward += at(f64, r.x, i) * at(f64, r.x_adj, i);
        CHECK_CLOSE(backward, forward, tol * (1 + fabs(forward)));
        double *grad = calloc((size_t)m.proj.n_edges, sizeof *grad);
        deliver_weight_grad(f64, &m.proj, m.slice, width, m.list, m.n_list, r.x, r.in_adj, grad);
        memset(r.in, 0, (f64 ? 8 : 4) * (size_t)(POST * width));
        deliver_rows_weight(f64, &m.proj, m.slice, width, m.list, m.n_list, r.x, m.w_tan, r.in);
        for (int64_t i = 0; i < POST * width; i++)
            along += at(f64, r.in, i) * at(f64, r.in_adj, i);
        for (int64_t e = 0; e < m.proj.n_edges; e++)
            weighted += grad[e] * m.w_tan[e];
        CHECK_CLOSE(weighted, along, tol * (1 + fabs(along)));
        free(grad);
        room_free(&r);
    }
}

/* the same matrix stored dense and as rows of targets: forward bits equal, transposed close */
TEST(dense_equals_sparse) {
    for (int c = 0; c < 4; c++) {
        int f64 = c & 1;
        made d;
        make(&d, true, false, c >> 1 ? LW_F64 : LW_F32, ROWS, POST);
        made s = d;
        s.slice[0].row_begin = s.row_begin;
        s.proj.dense = false;
        s.proj.target = s.target;
        for (int k = 0; k < N_WIDTHS; k++) {
            int64_t width = WIDTHS[k];
            room a = room_of(f64, width), b = room_of(f64, width);
            deliver_rows(f64, &d.proj, d.slice, width, d.list, d.n_list, a.x, a.in);
            deliver_rows(f64, &s.proj, s.slice, width, s.list, s.n_list, b.x, b.in);
            deliver_transpose(f64, &d.proj, d.slice, width, a.in_adj, a.x_adj);
            deliver_transpose(f64, &s.proj, s.slice, width, b.in_adj, b.x_adj);
            for (int64_t i = 0; i < POST * width; i++)
                CHECK_CLOSE(at(f64, a.in, i), at(f64, b.in, i), 0);
            for (int64_t i = 0; i < ROWS * width; i++)
                CHECK_CLOSE(at(f64, a.x_adj, i), at(f64, b.x_adj, i), f64 ? 1e-12 : 1e-4);
            room_free(&a);
            room_free(&b);
        }
        unmake(&d);
    }
}

CHECK_MAIN(CASE(lists_equal_the_obvious_loop), CASE(rows_equal_the_obvious_loop),
    CASE(transpose_and_weight_gradient_are_adjoint), CASE(dense_equals_sparse))
