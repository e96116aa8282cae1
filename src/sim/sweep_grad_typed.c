/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of sweep_grad.c for one type of reals (REAL); LW_T(name) makes the names. Included twice, never compiled
 * alone.
 */

#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

/* in_adj [n][width] of one step into the panel's columns from `column` on, turned round. */
static void LW_T(transposed)(
    const sweep_panel *panel, int64_t n, int64_t width, int64_t column, const REAL *restrict in_adj) {
    int64_t columns = panel->room * width;
    for (int64_t b = 0; b < n; b += panel->block) {
        int64_t stride = n - b < panel->block ? n - b : panel->block;
        REAL *to = (REAL *)panel->adj + b * columns + column * stride;
        LW_T(lw_turn)(stride, width, in_adj + b * width, width, to, stride);
    }
}

/* Columns of one row that are not zero, and their values (ones: they are all 1, and there is no mask); step s of the
 * panel holds columns s * width ... */
static int64_t LW_T(columns)(const sweep_grad *g, bool ones, int64_t row, int64_t width, int64_t steps,
    uint32_t *restrict column, REAL *restrict value) {
    int64_t n_words = row_bits(g, row, width, steps), n = 0;
    const REAL *mask = g->mask;
    if (ones) return bits_list(n_words, g->bits, column);
    for (int64_t s = 0; s < steps; s++) {
        const REAL *x = g->from[s]->spikes ? NULL : past_rows(g->from[s], g->at[s]);
        for (int64_t l0 = 0; l0 < width; l0 += 64)
            for (uint64_t b = bits_at(g->bits, s * width + l0, width - l0 < 64 ? width - l0 : 64); b; b &= b - 1) {
                int64_t l = l0 + __builtin_ctzll(b);
                if (mask && mask[row * width + l] == 0) continue;
                column[n++] = (uint32_t)(s * width + l);
                value[n - 1] = x ? x[row * width + l] : 1;
                if (mask) value[n - 1] *= mask[row * width + l];
            }
    }
    return n;
}

/* grad[j] += sum over k of value[k] panel[column[k]][j], j < n: sums stay in registers */
static inline __attribute__((always_inline)) void LW_T(row_block)(int n_vec, bool ones, int64_t stride,
    int64_t n_column, const uint32_t *restrict column, const REAL *restrict value, const REAL *restrict panel,
    double *restrict grad) {
    LW_T(vector) sum[8];
    for (int v = 0; v < n_vec; v++)
        sum[v] = (LW_T(vector)){0};
    for (int64_t k = 0; k < n_column; k++) {
        const REAL *from = panel + column[k] * stride;
        for (int v = 0; v < n_vec; v++) {
            LW_T(vector) term = *(const LW_T(vector) *)(from + v * LANES);
            if (ones)
                sum[v] += term;
            else
                sum[v] += value[k] * term;
        }
    }
    for (int v = 0; v < n_vec; v++)
        for (int64_t i = 0; i < LANES; i++)
            grad[v * LANES + i] += (double)sum[v][i];
}

static inline __attribute__((always_inline)) void LW_T(row_dense)(bool ones, int64_t n, int64_t stride,
    int64_t n_column, const uint32_t *restrict column, const REAL *restrict value, const REAL *restrict panel,
    double *restrict grad) {
    int64_t j = 0;
    for (; j + 8 * LANES <= n; j += 8 * LANES)
        LW_T(row_block)(8, ones, stride, n_column, column, value, panel + j, grad + j);
    for (; j + LANES <= n; j += LANES)
        LW_T(row_block)(1, ones, stride, n_column, column, value, panel + j, grad + j);
    if (j == n) return;
    LW_T(vector) sum = {0};
    for (int64_t k = 0; k < n_column; k++) {
        LW_T(vector) term = LW_T(ragged_get)(n - j, panel + column[k] * stride + j);
        if (!ones) term = term * value[k];
        sum += term;
    }
    for (int64_t i = j; i < n; i++)
        grad[i] += (double)sum[i - j];
}

/* The same for the listed targets of a sparse row. */
static void LW_T(row_sparse)(bool ones, int64_t n_edges, const uint32_t *restrict target, int64_t n, int64_t n_column,
    const uint32_t *restrict column, const REAL *restrict value, const REAL *restrict panel, double *restrict grad) {
    for (int64_t e0 = 0; e0 < n_edges; e0 += EDGES) {
        int64_t m = e0 + EDGES < n_edges ? EDGES : n_edges - e0;
        REAL sum[EDGES];
        for (int64_t e = 0; e < m; e++)
            sum[e] = 0;
        for (int64_t k = 0; k < n_column; k++) {
            const REAL *restrict from = panel + column[k] * n, v = ones ? 1 : value[k];
            for (int64_t e = 0; e < m; e++)
                sum[e] += v * from[target[e0 + e]];
        }
        for (int64_t e = 0; e < m; e++)
            grad[e0 + e] += (double)sum[e];
    }
}

/* Lists of rows r0 and following, one behind the other, row r from begin[r - r0] on. Returns the first that found no
 * room. */
static int64_t LW_T(rows_list)(const lw_proj_view *proj, bool ones, int64_t r0, int64_t width, int64_t steps,
    const sweep_grad *g, int64_t *begin) {
    int64_t most = steps * width, used = 0, r = r0;
    for (; r < proj->n_rows && r < r0 + ROWS && used + most <= ROOM * most; r++) {
        begin[r - r0] = used;
        used += LW_T(columns)(g, ones, r, width, steps, g->column + used, (REAL *)g->value + used);
    }
    begin[r - r0] = used;
    return r;
}

/* Targets in blocks, so that the panel's part of a block stays in the second cache while the rows pass over it. */
static void LW_T(dense_grad)(const lw_proj_view *proj, bool ones, int64_t n, int64_t width, int64_t steps,
    const sweep_grad *g, const sweep_panel *panel, double *grad) {
    int64_t begin[ROWS + 1];
    for (int64_t r0 = 0, r1; r0 < proj->n_rows; r0 = r1) {
        r1 = LW_T(rows_list)(proj, ones, r0, width, steps, g, begin);
        for (int64_t j = 0; j < n; j += 8 * LANES) {
            int64_t here = j + 8 * LANES < n ? 8 * LANES : n - j;
            int64_t stride = panel->block < n ? here : n;
            const REAL *from = (const REAL *)panel->adj + (panel->block < n ? j * panel->room * width : j);
            for (int64_t r = r0; r < r1; r++) {
                int64_t at = begin[r - r0], found = begin[r - r0 + 1] - at;
                const REAL *value = (const REAL *)g->value + at;
                if (ones)
                    LW_T(row_dense)(true, here, stride, found, g->column + at, NULL, from, grad + r * n + j);
                else
                    LW_T(row_dense)(false, here, stride, found, g->column + at, value, from, grad + r * n + j);
            }
        }
    }
}

static void LW_T(slice_grad)(const lw_proj_view *proj, const lw_slice *slice, bool ones, int64_t n, int64_t width,
    int64_t steps, const sweep_grad *g, const sweep_panel *panel, double *grad) {
    if (proj->dense) {
        LW_T(dense_grad)(proj, ones, n, width, steps, g, panel, grad);
        return;
    }
    for (int64_t row = 0; row < proj->n_rows; row++) {
        int64_t begin = slice->row_begin[row], end = slice->row_begin[row + 1], n_column = 0;
        if (begin < end) n_column = LW_T(columns)(g, ones, row, width, steps, g->column, g->value);
        if (n_column > 0) LW_T(row_sparse)
        (ones, end - begin, proj->target + begin, n, n_column, g->column, g->value, panel->adj, grad + begin);
    }
}

#undef LANES
#undef REAL
#undef LW_T
