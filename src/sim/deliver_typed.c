/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of the products of deliver.c for one type of reals (REAL) and one of weights (WEIGHT); LW_T(name) makes the
 * names. Included several times by deliver.c, which explains the order of the sums; never compiled alone.
 * Everything that a state depends on adds to each target in ascending order of rows, whatever the vector length.
 */

/* Unaligned vectors of reals, VECTOR_BYTES long, for tiles whose sums live in registers. */
typedef REAL LW_T(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
#define VECTOR LW_T(vector)
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

static int64_t LW_T(list)(const product *p, const uint32_t *restrict row, int64_t n, REAL *restrict acc) {
    const WEIGHT *restrict weight = p->weight;
    const REAL one = (REAL)p->value;
    if (!p->row_begin) {
        for (int64_t i = 0; i < n; i++) {
            const WEIGHT *restrict w = weight ? weight + (int64_t)row[i] * p->n_post : NULL;
            for (int64_t j = 0; j < p->n_post; j++)
                acc[j] += w ? (REAL)w[j] : one;
        }
        return n * p->n_post;
    }
    const uint32_t *restrict target = p->target;
    const int64_t *restrict row_begin = p->row_begin;
    int64_t events = 0;
    for (int64_t i = 0; i < n; i++) {
        /* rows are short and far apart: without this the loop waits for memory at each of their beginnings */
        if (i + AHEAD_INDEX < n) __builtin_prefetch(&row_begin[row[i + AHEAD_INDEX]]);
        if (i + AHEAD_ROW < n) {
            int64_t next = row_begin[row[i + AHEAD_ROW]];
            __builtin_prefetch(&target[next]);
            __builtin_prefetch(&target[next + 16]);
            if (weight) __builtin_prefetch(&weight[next]);
            if (weight) __builtin_prefetch(&weight[next + 64 / (int64_t)sizeof(WEIGHT)]);
        }
        int64_t edge = row_begin[row[i]], end = row_begin[row[i] + 1];
        events += end - edge;
        if (weight)
            for (; edge < end; edge++)
                acc[target[edge]] += (REAL)weight[edge];
        else
            for (; edge < end; edge++)
                acc[target[edge]] += one;
    }
    return events;
}

/* Sparse rows; inlined with a constant width for the usual numbers of lanes, so that the innermost loop has no tail. */
static inline __attribute__((always_inline)) void LW_T(axpy_rows)(const product *p, int64_t width,
    const uint32_t *restrict row, int64_t n, const REAL *restrict x, REAL *restrict acc) {
    const WEIGHT *restrict weight = p->weight;
    const uint32_t *restrict target = p->target;
    const REAL one = (REAL)p->value;
    for (int64_t i = 0; i < n; i++) {
        if (i + AHEAD_ROW < n) {
            int64_t next = p->row_begin[row[i + AHEAD_ROW]];
            __builtin_prefetch(&target[next]);
            if (weight) __builtin_prefetch(&weight[next]);
        }
        const REAL *restrict source = x + (int64_t)row[i] * width;
        int64_t end = p->row_begin[row[i] + 1];
        for (int64_t edge = p->row_begin[row[i]]; edge < end; edge++) {
            REAL w = weight ? (REAL)weight[edge] : one;
            REAL *restrict sum = acc + (int64_t)target[edge] * width;
            for (int64_t lane = 0; lane < width; lane++)
                sum[lane] += w * source[lane];
        }
    }
}

/* out[o, lanes of the tile] += sum over k of c(o, k) b[k, lanes]: `n_out` rows of `out`, `n_vec` vectors of lanes, the
 * sums in registers. c(o, k) = c[o * step_out + k' * step_k] with k' = list[k], or k without a list; c == NULL: the
 * number `one`. */
static inline __attribute__((always_inline)) void LW_T(tile)(int n_out, int n_vec, const WEIGHT *restrict c, REAL one,
    int64_t step_out, int64_t step_k, const uint32_t *restrict list, int64_t n_k, int64_t width, const REAL *restrict b,
    REAL *restrict out) {
    VECTOR sum[TILE_OUT][2];
    for (int o = 0; o < n_out; o++)
        for (int v = 0; v < n_vec; v++)
            sum[o][v] = *(const VECTOR *)(out + o * width + v * LANES);
    for (int64_t i = 0; i < n_k; i++) {
        int64_t k = list ? (int64_t)list[i] : i;
        VECTOR x[2];
        for (int v = 0; v < n_vec; v++)
            x[v] = *(const VECTOR *)(b + k * width + v * LANES);
        for (int o = 0; o < n_out; o++) {
            REAL w = c ? (REAL)c[o * step_out + k * step_k] : one;
            for (int v = 0; v < n_vec; v++)
                sum[o][v] += w * x[v];
        }
    }
    for (int o = 0; o < n_out; o++)
        for (int v = 0; v < n_vec; v++)
            *(VECTOR *)(out + o * width + v * LANES) = sum[o][v];
}

/* out[0 .. n_out, 0 .. width) += c b, as tiles; lanes beyond the last whole vector one number at a time. */
static void LW_T(product_block)(const WEIGHT *restrict c, REAL one, int64_t n_out, int64_t step_out, int64_t step_k,
    const uint32_t *restrict list, int64_t n_k, int64_t width, const REAL *restrict b, REAL *restrict out) {
    int64_t lane = 0;
    while (lane + LANES <= width) {
        int n_vec = lane + 2 * LANES <= width ? 2 : 1;
        for (int64_t o = 0; o < n_out;) {
            const WEIGHT *at = c ? c + o * step_out : NULL;
            bool whole = o + TILE_OUT <= n_out;
            REAL *to = out + o * width + lane;
            if (whole && n_vec == 2)
                LW_T(tile)(TILE_OUT, 2, at, one, step_out, step_k, list, n_k, width, b + lane, to);
            else if (whole)
                LW_T(tile)(TILE_OUT, 1, at, one, step_out, step_k, list, n_k, width, b + lane, to);
            else if (n_vec == 2)
                LW_T(tile)(1, 2, at, one, step_out, step_k, list, n_k, width, b + lane, to);
            else
                LW_T(tile)(1, 1, at, one, step_out, step_k, list, n_k, width, b + lane, to);
            o += whole ? TILE_OUT : 1;
        }
        lane += n_vec * LANES;
    }
    if (lane == width) return;
    for (int64_t i = 0; i < n_k; i++) {
        int64_t k = list ? (int64_t)list[i] : i;
        const REAL *restrict x = b + k * width;
        for (int64_t o = 0; o < n_out; o++) {
            REAL w = c ? (REAL)c[o * step_out + k * step_k] : one;
            for (int64_t l = lane; l < width; l++)
                out[o * width + l] += w * x[l];
        }
    }
}

/* Long sums in blocks (each target still adds one after the other): neighbouring tiles then find the lines of c that
 * they share in the first cache. */
static void LW_T(product_dense)(const WEIGHT *restrict c, REAL one, int64_t n_out, int64_t step_out, int64_t step_k,
    const uint32_t *restrict list, int64_t n_k, int64_t width, const REAL *restrict b, REAL *restrict out) {
    for (int64_t k = 0; k < n_k; k += BLOCK_K) {
        int64_t here = n_k - k < BLOCK_K ? n_k - k : BLOCK_K, skip = list ? 0 : k;
        const WEIGHT *from = c ? c + skip * step_k : NULL;
        LW_T(product_block)
        (from, one, n_out, step_out, step_k, list ? list + k : NULL, here, width, b + skip * width, out);
    }
}

/* One lane, dense rows: four rows per pass over the sums, added one after the other. */
static void LW_T(rows_dense_one)(
    const product *p, const uint32_t *restrict row, int64_t n, const REAL *restrict x, REAL *restrict acc) {
    const WEIGHT *weight = p->weight;
    int64_t i = 0;
    for (; weight && i + 4 <= n; i += 4) {
        const WEIGHT *restrict w0 = weight + (int64_t)row[i] * p->n_post;
        const WEIGHT *restrict w1 = weight + (int64_t)row[i + 1] * p->n_post;
        const WEIGHT *restrict w2 = weight + (int64_t)row[i + 2] * p->n_post;
        const WEIGHT *restrict w3 = weight + (int64_t)row[i + 3] * p->n_post;
        REAL x0 = x[row[i]], x1 = x[row[i + 1]], x2 = x[row[i + 2]], x3 = x[row[i + 3]];
        for (int64_t j = 0; j < p->n_post; j++)
            acc[j] = (((acc[j] + (REAL)w0[j] * x0) + (REAL)w1[j] * x1) + (REAL)w2[j] * x2) + (REAL)w3[j] * x3;
    }
    for (; i < n; i++) {
        const WEIGHT *restrict w = weight ? weight + (int64_t)row[i] * p->n_post : NULL;
        REAL value = x[row[i]];
        for (int64_t j = 0; j < p->n_post; j++)
            acc[j] += (w ? (REAL)w[j] : (REAL)p->value) * value;
    }
}

static void LW_T(rows)(
    const product *p, int64_t width, const uint32_t *row, int64_t n, const REAL *restrict x, REAL *restrict acc) {
    if (!p->row_begin) {
        if (width == 1)
            LW_T(rows_dense_one)(p, row, n, x, acc);
        else
            LW_T(product_dense)(p->weight, (REAL)p->value, p->n_post, 1, p->n_post, row, n, width, x, acc);
        return;
    }
    switch (width) {
    case 1:
        LW_T(axpy_rows)(p, 1, row, n, x, acc);
        break;
    case 8:
        LW_T(axpy_rows)(p, 8, row, n, x, acc);
        break;
    case 16:
        LW_T(axpy_rows)(p, 16, row, n, x, acc);
        break;
    case 32:
        LW_T(axpy_rows)(p, 32, row, n, x, acc);
        break;
    case 64:
        LW_T(axpy_rows)(p, 64, row, n, x, acc);
        break;
    default:
        LW_T(axpy_rows)(p, width, row, n, x, acc);
        break;
    }
}

/* One lane of the transpose: a dot product per row, in LANES partial sums where the row is dense. */
static void LW_T(transpose_one)(const product *p, int64_t n_rows, const REAL *restrict in_adj, REAL *restrict x_adj) {
    const WEIGHT *restrict weight = p->weight;
    const uint32_t *restrict target = p->target;
    for (int64_t r = 0; r < n_rows; r++) {
        REAL part[4] = {0};
        if (p->row_begin) {
            int64_t end = p->row_begin[r + 1];
            for (int64_t edge = p->row_begin[r]; edge < end; edge++)
                part[0] += (weight ? (REAL)weight[edge] : (REAL)p->value) * in_adj[target[edge]];
        } else if (weight) {
            REAL sum[DOT_PARTS] = {0};
            const WEIGHT *restrict w = weight + r * p->n_post;
            int64_t j = 0;
            for (; j + DOT_PARTS <= p->n_post; j += DOT_PARTS)
                for (int k = 0; k < DOT_PARTS; k++)
                    sum[k] += (REAL)w[j + k] * in_adj[j + k];
            for (int k = 0; k < DOT_PARTS; k++)
                part[k & 3] += sum[k];
            for (; j < p->n_post; j++)
                part[0] += (REAL)w[j] * in_adj[j];
        } else {
            for (int64_t j = 0; j < p->n_post; j++)
                part[0] += (REAL)p->value * in_adj[j];
        }
        x_adj[r] += (part[0] + part[1]) + (part[2] + part[3]);
    }
}

static void LW_T(gather_rows)(
    const product *p, int64_t n_rows, int64_t width, const REAL *restrict in_adj, REAL *restrict x_adj) {
    const WEIGHT *restrict weight = p->weight;
    const uint32_t *restrict target = p->target;
    for (int64_t r = 0; r < n_rows; r++) {
        REAL *restrict sum = x_adj + r * width;
        int64_t end = p->row_begin[r + 1];
        for (int64_t edge = p->row_begin[r]; edge < end; edge++) {
            REAL w = weight ? (REAL)weight[edge] : (REAL)p->value;
            const REAL *restrict a = in_adj + (int64_t)target[edge] * width;
            for (int64_t lane = 0; lane < width; lane++)
                sum[lane] += w * a[lane];
        }
    }
}

/* Widths that are multiples of 8: four sums in registers, `eights` blocks of lanes times 4 / eights edges at a time;
 * one sum through memory would make every edge wait for the one before. Called with constant eights. */
typedef REAL LW_T(eight) __attribute__((vector_size(8 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
static inline __attribute__((always_inline)) void LW_T(gather_eights)(
    const product *p, int64_t n_rows, int64_t width, int eights, const REAL *restrict in_adj, REAL *restrict x_adj) {
    const int together = 4 / eights;
    const WEIGHT *restrict weight = p->weight;
    const uint32_t *restrict target = p->target;
    const REAL one = (REAL)p->value;
    for (int64_t r = 0; r < n_rows; r++) {
        for (int64_t lane = 0; lane < width; lane += 8 * eights) {
            LW_T(eight) sum[4] = {{0}, {0}, {0}, {0}};
            int64_t edge = p->row_begin[r], end = p->row_begin[r + 1];
            for (; edge + together <= end; edge += together)
                for (int e = 0; e < together; e++) {
                    REAL w = weight ? (REAL)weight[edge + e] : one;
                    const LW_T(eight) *a = (const LW_T(eight) *)(in_adj + (int64_t)target[edge + e] * width + lane);
                    for (int k = 0; k < eights; k++)
                        sum[e * eights + k] += w * a[k];
                }
            for (; edge < end; edge++) {
                REAL w = weight ? (REAL)weight[edge] : one;
                const LW_T(eight) *a = (const LW_T(eight) *)(in_adj + (int64_t)target[edge] * width + lane);
                for (int k = 0; k < eights; k++)
                    sum[k] += w * a[k];
            }
            LW_T(eight) *to = (LW_T(eight) *)(x_adj + r * width + lane);
            for (int k = 0; k < eights; k++) {
                LW_T(eight) all = sum[k];
                for (int e = 1; e < together; e++)
                    all += sum[e * eights + k];
                to[k] += all;
            }
        }
    }
}

static void LW_T(transpose)(
    const product *p, int64_t n_rows, int64_t width, const REAL *restrict in_adj, REAL *restrict x_adj) {
    if (width == 1)
        LW_T(transpose_one)(p, n_rows, in_adj, x_adj);
    else if (!p->row_begin)
        LW_T(product_dense)(p->weight, (REAL)p->value, n_rows, p->n_post, 1, NULL, p->n_post, width, in_adj, x_adj);
    else if (width % 32 == 0)
        LW_T(gather_eights)(p, n_rows, width, 4, in_adj, x_adj);
    else if (width % 16 == 0)
        LW_T(gather_eights)(p, n_rows, width, 2, in_adj, x_adj);
    else if (width % 8 == 0)
        LW_T(gather_eights)(p, n_rows, width, 1, in_adj, x_adj);
    else
        LW_T(gather_rows)(p, n_rows, width, in_adj, x_adj);
}

#ifdef WEIGHT_IS_REAL
/* sum over lanes of a b, in DOT_PARTS partial sums (gradients promise equal bits only for an equal process grid). */
static inline __attribute__((always_inline)) double LW_T(dot)(
    int64_t width, const REAL *restrict a, const REAL *restrict b) {
    REAL sum[DOT_PARTS] = {0}, rest = 0;
    int64_t lane = 0;
    for (; lane + DOT_PARTS <= width; lane += DOT_PARTS)
        for (int k = 0; k < DOT_PARTS; k++)
            sum[k] += a[lane + k] * b[lane + k];
    for (; lane < width; lane++)
        rest += a[lane] * b[lane];
    for (int half = DOT_PARTS / 2; half > 0; half /= 2)
        for (int k = 0; k < half; k++)
            sum[k] += sum[k + half];
    return (double)(sum[0] + rest);
}

/* Dense rows, several lanes: targets j .. j + 2 LANES of all listed rows, for n_lanes <= BLOCK_LANES lanes. The
 * adjoints are turned round once, so that vectors run over targets and sums over lanes stay in registers. */
static void LW_T(grad_block)(const product *p, int64_t width, const uint32_t *restrict row, int64_t n,
    const REAL *restrict x, const REAL *restrict in_adj, int64_t j, int64_t lane, int64_t n_lanes,
    double *restrict grad) {
    REAL turned[BLOCK_LANES * 2 * VECTOR_BYTES / sizeof(REAL)];
    for (int64_t k = 0; k < 2 * LANES; k++)
        for (int64_t l = 0; l < n_lanes; l++)
            turned[l * 2 * LANES + k] = in_adj[(j + k) * width + lane + l];
    for (int64_t i = 0; i < n; i += TILE_OUT) {
        int64_t here = n - i < TILE_OUT ? n - i : TILE_OUT;
        const REAL *source[TILE_OUT];
        VECTOR sum[TILE_OUT][2] = {{{0}}};
        for (int o = 0; o < TILE_OUT;
             o++) /* beyond the last row: computed from the first one of the tile, and dropped */
            source[o] = x + (int64_t)row[o < here ? i + o : i] * width + lane;
        for (int64_t l = 0; l < n_lanes; l++) {
            VECTOR a = *(const VECTOR *)(turned + l * 2 * LANES), b = *(const VECTOR *)(turned + l * 2 * LANES + LANES);
            for (int o = 0; o < TILE_OUT; o++) {
                sum[o][0] += source[o][l] * a;
                sum[o][1] += source[o][l] * b;
            }
        }
        for (int64_t o = 0; o < here; o++) {
            double *restrict to = grad + (int64_t)row[i + o] * p->n_post + j;
            for (int64_t k = 0; k < LANES; k++) {
                to[k] += (double)sum[o][0][k];
                to[LANES + k] += (double)sum[o][1][k];
            }
        }
    }
}

/* Returns the number of targets done; the rest is less than 2 LANES. */
static int64_t LW_T(grad_dense)(
    const product *p, int64_t width, const uint32_t *row, int64_t n, const REAL *x, const REAL *in_adj, double *grad) {
    int64_t j = 0;
    for (; j + 2 * LANES <= p->n_post; j += 2 * LANES)
        for (int64_t lane = 0; lane < width; lane += BLOCK_LANES) {
            int64_t n_lanes = width - lane < BLOCK_LANES ? width - lane : BLOCK_LANES;
            LW_T(grad_block)(p, width, row, n, x, in_adj, j, lane, n_lanes, grad);
        }
    return j;
}

static inline __attribute__((always_inline)) void LW_T(dot_rows)(const product *p, int64_t width,
    const uint32_t *restrict row, int64_t n, const REAL *restrict x, const REAL *restrict in_adj,
    double *restrict grad) {
    int64_t done = p->row_begin ? 0 : LW_T(grad_dense)(p, width, row, n, x, in_adj, grad);
    for (int64_t i = 0; i < n; i++) {
        int64_t r = row[i];
        const REAL *restrict source = x + r * width;
        if (p->row_begin) {
            for (int64_t edge = p->row_begin[r]; edge < p->row_begin[r + 1]; edge++)
                grad[edge] += LW_T(dot)(width, in_adj + (int64_t)p->target[edge] * width, source);
        } else {
            for (int64_t j = done; j < p->n_post; j++)
                grad[r * p->n_post + j] += LW_T(dot)(width, in_adj + j * width, source);
        }
    }
}

static void LW_T(weight_grad)(const product *p, int64_t width, const uint32_t *row, int64_t n, const REAL *restrict x,
    const REAL *restrict in_adj, double *restrict grad) {
    switch (width) {
    case 1:
        for (int64_t i = 0; i < n; i++) {
            int64_t r = row[i];
            REAL value = x[r];
            if (p->row_begin)
                for (int64_t edge = p->row_begin[r]; edge < p->row_begin[r + 1]; edge++)
                    grad[edge] += (double)(in_adj[p->target[edge]] * value);
            else
                for (int64_t j = 0; j < p->n_post; j++)
                    grad[r * p->n_post + j] += (double)(in_adj[j] * value);
        }
        break;
    case 32:
        LW_T(dot_rows)(p, 32, row, n, x, in_adj, grad);
        break;
    case 64:
        LW_T(dot_rows)(p, 64, row, n, x, in_adj, grad);
        break;
    default:
        LW_T(dot_rows)(p, width, row, n, x, in_adj, grad);
        break;
    }
}

/* Numbers that are not zero in the listed rows, each with its row's length: what counts as synaptic events. */
static int64_t LW_T(events)(const product *p, int64_t width, const uint32_t *restrict row, int64_t n, const REAL *x) {
    int64_t events = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t r = row[i], nonzero = 0, length = p->row_begin ? p->row_begin[r + 1] - p->row_begin[r] : p->n_post;
        for (int64_t lane = 0; lane < width; lane++)
            nonzero += x[r * width + lane] != 0;
        events += nonzero * length;
    }
    return events;
}
#endif

#undef VECTOR
#undef LANES
#undef REAL
#undef WEIGHT
#undef LW_T
#undef WEIGHT_IS_REAL
