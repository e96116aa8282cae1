/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of dense.c for one type of reals (REAL); LW_T(name) makes the names.
 * Never compiled alone.
 */

#define VECTOR LW_T(vector)
#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

/* What is not zero in the listed rows, by lane, and what it is (ones: spikes, whose lists alone are asked for). Returns
 * how many. */
static int64_t LW_T(lists)(
    engine_dense *d, bool ones, int64_t width, const uint32_t *restrict row, int64_t n, const REAL *restrict x) {
    REAL *value = d->value;
    int64_t total = 0;
    memset(d->count, 0, (size_t)width * sizeof *d->count);
    for (int64_t i = 0; i < n; i++) {
        const REAL *from = x + (int64_t)row[i] * width;
        for (int64_t l0 = 0; l0 < width; l0 += 64) {
            uint64_t bits = LW_T(nonzero_bits)(from + l0, width - l0 < 64 ? width - l0 : 64);
            for (; bits; bits &= bits - 1) {
                int64_t l = l0 + __builtin_ctzll(bits), at = l * d->most + d->count[l]++;
                d->list[at] = row[i];
                if (!ones) value[at] = from[l];
                total++;
            }
        }
    }
    return total;
}

/* sum[0 .. n_vec) += the listed rows' weights times their values, one after the other */
static inline __attribute__((always_inline)) void LW_T(lane_add)(int n_vec, bool ones, const REAL *restrict weight,
    int64_t stride, const uint32_t *restrict list, const REAL *restrict value, int64_t n, REAL *restrict out) {
    VECTOR sum[8];
    for (int v = 0; v < n_vec; v++)
        sum[v] = *(const VECTOR *)(out + v * LANES);
    for (int64_t k = 0; k < n; k++) {
        const REAL *w = weight + (int64_t)list[k] * stride;
        for (int v = 0; v < n_vec; v++) {
            VECTOR term = *(const VECTOR *)(w + v * LANES);
            if (!ones) term = term * value[k];
            sum[v] += term;
        }
    }
    for (int v = 0; v < n_vec; v++)
        *(VECTOR *)(out + v * LANES) = sum[v];
}

/* n_targets < LANES of them */
static inline __attribute__((always_inline)) void LW_T(lane_rest)(bool ones, int64_t n_targets,
    const REAL *restrict weight, int64_t stride, const uint32_t *restrict list, const REAL *restrict value, int64_t n,
    REAL *restrict out) {
    VECTOR sum = LW_T(ragged_get)(n_targets, out);
    for (int64_t k = 0; k < n; k++) {
        VECTOR term = LW_T(ragged_get)(n_targets, weight + (int64_t)list[k] * stride);
        if (!ones) term = term * value[k];
        sum += term;
    }
    for (int64_t j = 0; j < n_targets; j++)
        out[j] = sum[j];
}

/* `here` vectors of targets, or what is left of them */
static inline __attribute__((always_inline)) void LW_T(lane_block)(int here, bool ones, int64_t n_left,
    const REAL *restrict weight, int64_t stride, const uint32_t *restrict list, const REAL *restrict value, int64_t n,
    REAL *restrict out) {
    if (here == 8)
        LW_T(lane_add)(8, ones, weight, stride, list, value, n, out);
    else if (here == 4)
        LW_T(lane_add)(4, ones, weight, stride, list, value, n, out);
    else if (here == 1)
        LW_T(lane_add)(1, ones, weight, stride, list, value, n, out);
    else
        LW_T(lane_rest)(ones, n_left, weight, stride, list, value, n, out);
}

/* Targets in blocks, so that a block of all rows stays in the second cache while the lanes pass over it; panels: there
 * are blocks in memory too, or NULL. */
static void LW_T(lanes_add)(const engine_dense *d, bool ones, const REAL *weight, const REAL *panels, int64_t n_rows,
    int64_t n_post, int64_t width, REAL *turned) {
    const REAL *value = d->value;
    int n_vec = panels || n_rows * 8 * VECTOR_BYTES > PANEL_BYTES ? 4 : 8;
    int64_t j = 0;
    while (j < n_post) {
        int64_t left = (n_post - j) / LANES, first = j / DENSE_PANEL * DENSE_PANEL;
        int here = left >= n_vec ? n_vec : left >= 4 ? 4 : left >= 1 ? 1 : 0;
        int64_t stride = !panels ? n_post : n_post - first < DENSE_PANEL ? n_post - first : DENSE_PANEL;
        const REAL *w = panels ? panels + first * n_rows + (j - first) : weight + j;
        for (int64_t l = 0; l < width; l++) {
            const uint32_t *list = d->list + l * d->most;
            const REAL *x = value + l * d->most;
            REAL *out = turned + l * n_post + j;
            int64_t n = d->count[l];
            if (ones)
                LW_T(lane_block)(here, true, n_post - j, w, stride, list, x, n, out);
            else
                LW_T(lane_block)(here, false, n_post - j, w, stride, list, x, n, out);
        }
        j += here ? here * LANES : n_post - j;
    }
}

static void LW_T(pack)(const lw_proj_view *proj, int64_t first, int64_t last, REAL *packed) {
    const REAL *weight = proj->weight;
    int64_t n_post = proj->n_edges / proj->n_rows;
    packed += first * n_post;
    for (int64_t r = first; r < last; r += DENSE_TILE, packed += DENSE_TILE * n_post) {
        int64_t here = last - r < DENSE_TILE ? last - r : DENSE_TILE;
        if (here < DENSE_TILE) memset(packed, 0, (size_t)(DENSE_TILE * n_post) * sizeof *packed);
        LW_T(lw_turn)(here, n_post, weight + r * n_post, n_post, packed, DENSE_TILE);
    }
}

/* bits[row]: lanes whose slope is not 0. Returns how many, or -1 where a row's neuron is on another rank. */
static int64_t LW_T(open)(int64_t n_rows, int64_t width, const int32_t *restrict neuron, const REAL *restrict slope,
    uint64_t *restrict bits) {
    int64_t words = (width + 63) / 64, total = 0;
    for (int64_t r = 0; r < n_rows; r++) {
        if (neuron[r] < 0) return -1;
        for (int64_t w = 0; w < words; w++) {
            int64_t here = width - 64 * w < 64 ? width - 64 * w : 64;
            bits[r * words + w] = LW_T(nonzero_bits)(slope + neuron[r] * width + 64 * w, here);
            total += __builtin_popcountll(bits[r * words + w]);
        }
    }
    return total;
}

#undef VECTOR
#undef LANES
#undef REAL
#undef LW_T
