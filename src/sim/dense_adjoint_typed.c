/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of dense_adjoint.c for one type of reals (REAL, with INDEX an integer of its size); never compiled alone.
 */

typedef REAL LW_T(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef INDEX LW_T(index) __attribute__((vector_size(VECTOR_BYTES)));
#define VECTOR LW_T(vector)
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

/* x_adj[0 .. n_out)[lanes of the tile] += sum over k < n_k of packed[k][o] in_adj[k][lanes], sums in registers */
static inline __attribute__((always_inline)) void LW_T(tile)(int n_out, int n_vec, const REAL *restrict packed,
    int64_t n_k, int64_t width, const REAL *restrict in_adj, REAL *restrict x_adj) {
    VECTOR sum[DENSE_TILE];
#pragma GCC unroll 16
    for (int i = 0; i < n_out * n_vec; i++)
        sum[i] = *(const VECTOR *)(x_adj + i / n_vec * width + i % n_vec * LANES);
    for (int64_t k = 0; k < n_k; k++) {
        const REAL *from = in_adj + k * width, *w = packed + k * DENSE_TILE;
        VECTOR x[4];
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++)
            x[v] = *(const VECTOR *)(from + v * LANES);
#pragma GCC unroll 4
        for (int v = 0; v < n_vec; v++)
            IN_REGISTER(x[v]);
#pragma GCC unroll 16
        for (int i = 0; i < n_out * n_vec; i++)
            sum[i] += w[i / n_vec] * x[i % n_vec];
    }
#pragma GCC unroll 16
    for (int i = 0; i < n_out * n_vec; i++)
        *(VECTOR *)(x_adj + i / n_vec * width + i % n_vec * LANES) = sum[i];
}

/* The n_rows <= DENSE_TILE rows of one packed tile. */
static void LW_T(lanes)(
    int n_vec, const REAL *packed, int64_t n_rows, int64_t n_k, int64_t width, const REAL *in_adj, REAL *x_adj) {
    const int n_out = DENSE_TILE / n_vec;
    int64_t r = 0;
    for (; r + n_out <= n_rows; r += n_out) {
        if (n_vec == 4)
            LW_T(tile)(DENSE_TILE / 4, 4, packed + r, n_k, width, in_adj, x_adj + r * width);
        else if (n_vec == 2)
            LW_T(tile)(DENSE_TILE / 2, 2, packed + r, n_k, width, in_adj, x_adj + r * width);
        else
            LW_T(tile)(DENSE_TILE, 1, packed + r, n_k, width, in_adj, x_adj + r * width);
    }
    for (; r < n_rows; r++)
        for (int v = 0; v < n_vec; v++)
            LW_T(tile)(1, 1, packed + r, n_k, width, in_adj + v * LANES, x_adj + r * width + v * LANES);
}

/* n lanes where they do not fill a vector: vectors along the rows of the tile instead */
static inline __attribute__((always_inline)) void LW_T(few)(int n, const REAL *restrict packed, int64_t n_rows,
    int64_t n_k, int64_t width, const REAL *restrict in_adj, REAL *restrict x_adj) {
    enum { ROW_VECTORS = DENSE_TILE * sizeof(REAL) / VECTOR_BYTES };
    VECTOR sum[8 * ROW_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < n * ROW_VECTORS; i++)
        sum[i] = (VECTOR){0};
    for (int64_t k = 0; k < n_k; k++)
#pragma GCC unroll 16
        for (int i = 0; i < n * ROW_VECTORS; i++)
            sum[i] += *(const VECTOR *)(packed + k * DENSE_TILE + i % ROW_VECTORS * LANES) *
                      in_adj[k * width + i / ROW_VECTORS];
    for (int l = 0; l < n; l++)
        for (int64_t r = 0; r < n_rows; r++)
            x_adj[r * width + l] += sum[l * ROW_VECTORS + r / LANES][r % LANES];
}

void LW_T(dense_adjoint)(
    const REAL *packed, int64_t n_rows, int64_t n_post, int64_t width, const REAL *in_adj, REAL *x_adj) {
    int64_t block = block_lines(width * (int64_t)sizeof(REAL));
    for (int64_t k = 0; k < n_post; k += block) {
        int64_t n_k = n_post - k < block ? n_post - k : block;
        for (int64_t r = 0; r < n_rows; r += DENSE_TILE) {
            const REAL *tile = packed + r * n_post + k * DENSE_TILE;
            int64_t here = n_rows - r < DENSE_TILE ? n_rows - r : DENSE_TILE, lane = 0;
            while (lane + LANES <= width) {
                int n_vec = lane + 4 * LANES <= width ? 4 : lane + 2 * LANES <= width ? 2 : 1;
                LW_T(lanes)(n_vec, tile, here, n_k, width, in_adj + k * width + lane, x_adj + r * width + lane);
                lane += n_vec * LANES;
            }
            while (lane < width) {
                int n = lane + 8 <= width ? 8 : lane + 4 <= width ? 4 : 1; /* 8: only where vectors hold more */
                const REAL *from = in_adj + k * width + lane;
                REAL *to = x_adj + r * width + lane;
                if (n == 8)
                    LW_T(few)(8, tile, here, n_k, width, from, to);
                else if (n == 4)
                    LW_T(few)(4, tile, here, n_k, width, from, to);
                else
                    LW_T(few)(1, tile, here, n_k, width, from, to);
                lane += n;
            }
        }
    }
}

#define ELEMENT REAL
#define PER_VECTOR LANES
#define MULTIPLY_ADD(sum, w, x) (sum) += *(const VECTOR *)(w) * *(const VECTOR *)(x)
#include "dense_sampled_typed.c"

#undef VECTOR
#undef LANES
#undef REAL
#undef INDEX
#undef LW_T
