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

/* Element e of the result is the total of a[e], e < LANES: blocks are folded by halves, quarters and so on. */
static inline __attribute__((always_inline)) VECTOR LW_T(totals)(VECTOR *a) {
#pragma GCC unroll 4
    for (int half = (int)LANES / 2; half > 0; half /= 2) {
        LW_T(index) upper, lower;
#pragma GCC unroll 16
        for (int e = 0; e < LANES; e++) {
            upper[e] = e & half ? (int)LANES + e - half : e;
            lower[e] = e & half ? (int)LANES + e : e + half;
        }
#pragma GCC unroll 8
        for (int i = 0; i < half; i++)
            a[i] = __builtin_shuffle(a[i], a[i + half], upper) + __builtin_shuffle(a[i], a[i + half], lower);
    }
    return a[0];
}

/* Sums whose elements are not yet added up, and the places they belong to. */
typedef struct LW_T(waiting) {
    VECTOR sum[SUMS];
    int64_t place[SUMS];
    int n;
} LW_T(waiting);

static void LW_T(waiting_close)(LW_T(waiting) * q, REAL *restrict x_adj) {
    for (int first = 0; first < q->n; first += (int)LANES) {
        VECTOR a[VECTOR_BYTES / sizeof(REAL)];
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            a[i] = q->sum[first + i];
        VECTOR all = LW_T(totals)(a);
        for (int i = 0; i < LANES && first + i < q->n; i++)
            x_adj[q->place[first + i]] += all[i];
    }
    q->n = 0;
}

/* What all calls of a pass share. */
typedef struct LW_T(pass) {
    const REAL *weight, *turned; /* from the first target of the pass on */
    int64_t n_k, n_post, width, row, lane;
    REAL *x_adj;
    LW_T(waiting) wait;
} LW_T(pass);

/* n_row entries of n_lane lanes each: products of a row of weights with the lanes of its mask. Several rows at once
 * where one alone has fewer sums than the additions under way. */
static inline __attribute__((always_inline)) void LW_T(dots)(
    int n_row, int n_lane, LW_T(pass) * p, const uint32_t *restrict entry) {
    VECTOR sum[DOTS];
    const REAL *from[DOTS], *weight[DOTS];
    LW_T(waiting) *q = &p->wait;
    if (q->n + n_row * n_lane > SUMS) LW_T(waiting_close)(q, p->x_adj);
#pragma GCC unroll 8
    for (int r = 0; r < n_row; r++) {
        int64_t row = p->row + (entry[r] >> BLOCK_LANES);
        uint32_t mask = entry[r] & ((1U << BLOCK_LANES) - 1);
        weight[r] = p->weight + row * p->n_post;
#pragma GCC unroll 8
        for (int l = 0; l < n_lane; l++) {
            int64_t lane = p->lane + __builtin_ctz(mask);
            mask &= mask - 1;
            from[r * n_lane + l] = p->turned + lane * p->n_post;
            q->place[q->n + r * n_lane + l] = row * p->width + lane;
            sum[r * n_lane + l] = (VECTOR){0};
        }
    }
    int64_t k = 0;
    for (; k + LANES <= p->n_k; k += LANES)
#pragma GCC unroll 8
        for (int r = 0; r < n_row; r++) {
            VECTOR w = *(const VECTOR *)(weight[r] + k);
#pragma GCC unroll 8
            for (int l = 0; l < n_lane; l++)
                sum[r * n_lane + l] += w * *(const VECTOR *)(from[r * n_lane + l] + k);
        }
    for (; k < p->n_k; k++)
#pragma GCC unroll 8
        for (int i = 0; i < n_row * n_lane; i++)
            sum[i][0] += weight[i / n_lane][k] * from[i][k];
#pragma GCC unroll 8
    for (int i = 0; i < n_row * n_lane; i++)
        q->sum[q->n + i] = sum[i];
    q->n += n_row * n_lane;
}

static inline __attribute__((always_inline)) void LW_T(entries)(
    int n_row, int n_lane, LW_T(pass) * p, const uint32_t *entry, int n) {
    int i = 0;
    for (; i + n_row <= n; i += n_row)
        LW_T(dots)(n_row, n_lane, p, entry + i);
    for (; i < n; i++)
        LW_T(dots)(1, n_lane, p, entry + i);
}

/* Rows from p->row on, lanes from p->lane on: rows with equally many places one after the other, so that nothing in
 * between has to be guessed. */
static void LW_T(block)(LW_T(pass) * p, int64_t n_rows, const uint64_t *restrict bits, int64_t words) {
    uint32_t entry[DOTS + 1][2 * BLOCK_ROWS];
    int n[DOTS + 1] = {0};
    for (int64_t r = 0; r < n_rows; r++) {
        uint32_t mask = (uint32_t)(bits[r * words] >> p->lane % 64) & ((1U << BLOCK_LANES) - 1), low = mask & 0xFF;
        int count = __builtin_popcount(mask);
        if (count > DOTS) {
            int first = __builtin_popcount(low);
            entry[first][n[first]++] = (uint32_t)r << BLOCK_LANES | low;
            mask -= low;
            count -= first;
        }
        entry[count][n[count]++] = (uint32_t)r << BLOCK_LANES | mask;
    }
    LW_T(entries)(4, 1, p, entry[1], n[1]);
    LW_T(entries)(4, 2, p, entry[2], n[2]);
    LW_T(entries)(2, 3, p, entry[3], n[3]);
    LW_T(entries)(2, 4, p, entry[4], n[4]);
    LW_T(entries)(1, 5, p, entry[5], n[5]);
    LW_T(entries)(1, 6, p, entry[6], n[6]);
    LW_T(entries)(1, 7, p, entry[7], n[7]);
    LW_T(entries)(1, 8, p, entry[8], n[8]);
}

void LW_T(dense_sampled)(const REAL *weight, int64_t n_rows, int64_t n_post, int64_t width, const uint64_t *bits,
    const REAL *turned, REAL *x_adj) {
    int64_t words = (width + 63) / 64;
    LW_T(pass) p = {.n_post = n_post, .width = width, .x_adj = x_adj};
    for (int64_t k = 0; k < n_post; k += SAMPLED_K)
        for (p.row = 0; p.row < n_rows; p.row += BLOCK_ROWS)
            for (p.lane = 0; p.lane < width; p.lane += BLOCK_LANES) {
                p.weight = weight + k;
                p.turned = turned + k;
                p.n_k = n_post - k < SAMPLED_K ? n_post - k : SAMPLED_K;
                LW_T(block)
                (&p, n_rows - p.row < BLOCK_ROWS ? n_rows - p.row : BLOCK_ROWS, bits + p.row * words + p.lane / 64,
                    words);
            }
    LW_T(waiting_close)(&p.wait, x_adj);
}

#undef VECTOR
#undef LANES
#undef REAL
#undef INDEX
#undef LW_T
