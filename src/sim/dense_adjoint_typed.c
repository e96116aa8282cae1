/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of dense_adjoint.c for one type of reals; never compiled alone.
 */

typedef REAL LW_T(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
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
    VECTOR sum[4 * ROW_VECTORS];
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
    for (int64_t k = 0; k < n_post; k += BLOCK_K) {
        int64_t n_k = n_post - k < BLOCK_K ? n_post - k : BLOCK_K;
        for (int64_t r = 0; r < n_rows; r += DENSE_TILE) {
            const REAL *tile = packed + r * n_post + k * DENSE_TILE;
            int64_t here = n_rows - r < DENSE_TILE ? n_rows - r : DENSE_TILE, lane = 0;
            while (lane + LANES <= width) {
                int n_vec = lane + 4 * LANES <= width ? 4 : lane + 2 * LANES <= width ? 2 : 1;
                LW_T(lanes)(n_vec, tile, here, n_k, width, in_adj + k * width + lane, x_adj + r * width + lane);
                lane += n_vec * LANES;
            }
            while (lane < width) {
                int n = lane + 4 <= width ? 4 : 1;
                const REAL *from = in_adj + k * width + lane;
                if (n == 4)
                    LW_T(few)(4, tile, here, n_k, width, from, x_adj + r * width + lane);
                else
                    LW_T(few)(1, tile, here, n_k, width, from, x_adj + r * width + lane);
                lane += n;
            }
        }
    }
}

static inline REAL LW_T(total)(VECTOR x) {
    REAL part[VECTOR_BYTES / sizeof(REAL)];
    *(VECTOR *)part = x;
#pragma GCC unroll 4
    for (int64_t half = LANES / 2; half > 0; half /= 2)
#pragma GCC unroll 8
        for (int64_t e = 0; e < half; e++)
            part[e] += part[e + half];
    return part[0];
}

/* dot products of one row of weights with `n` lanes, n <= 4 */
static inline __attribute__((always_inline)) void LW_T(dots)(int n, const REAL *restrict weight, int64_t n_post,
    const uint32_t *restrict lane, const REAL *restrict turned, REAL *restrict x_adj) {
    VECTOR sum[4] = {{0}, {0}, {0}, {0}};
    REAL rest[4] = {0};
    int64_t k = 0;
    for (; k + LANES <= n_post; k += LANES) {
        VECTOR w = *(const VECTOR *)(weight + k);
        for (int i = 0; i < n; i++)
            sum[i] += w * *(const VECTOR *)(turned + lane[i] * n_post + k);
    }
    for (; k < n_post; k++)
        for (int i = 0; i < n; i++)
            rest[i] += weight[k] * turned[lane[i] * n_post + k];
    for (int i = 0; i < n; i++) {
        x_adj[lane[i]] += rest[i] + LW_T(total)(sum[i]);
    }
}

void LW_T(dense_sampled)(
    const REAL *weight, int64_t n_post, const uint32_t *lane, int64_t n, const REAL *turned, REAL *x_adj) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        LW_T(dots)(4, weight, n_post, lane + i, turned, x_adj);
    if (n - i >= 2) {
        LW_T(dots)(2, weight, n_post, lane + i, turned, x_adj);
        i += 2;
    }
    if (i < n) LW_T(dots)(1, weight, n_post, lane + i, turned, x_adj);
}

#undef VECTOR
#undef LANES
#undef REAL
#undef LW_T
