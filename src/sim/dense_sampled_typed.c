/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of dense_adjoint.c: products of weights with adjoints at some places only. ELEMENT is what they are kept in,
 * PER_VECTOR how many of them are multiplied at once by MULTIPLY_ADD(sum, weights, adjoints), VECTOR and LANES what the
 * sums are in; PADDED: lines end with zeros up to whole vectors. Never compiled alone.
 */

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
    const ELEMENT *weight, *turned; /* from the first target of the pass on, lines of `stride` */
    int64_t n_k, stride, width, row, lane;
    REAL *x_adj;
    LW_T(waiting) wait;
} LW_T(pass);

/* n_row entries of n_lane lanes each: products of a row of weights with the lanes of its mask. Several rows at once
 * where one alone has fewer sums than the additions under way. */
static inline __attribute__((always_inline)) void LW_T(dots)(
    int n_row, int n_lane, LW_T(pass) * p, const uint32_t *restrict entry) {
    VECTOR sum[DOTS];
    const ELEMENT *from[DOTS], *weight[DOTS];
    LW_T(waiting) *q = &p->wait;
    if (q->n + n_row * n_lane > SUMS) LW_T(waiting_close)(q, p->x_adj);
#pragma GCC unroll 8
    for (int r = 0; r < n_row; r++) {
        int64_t row = p->row + (entry[r] >> BLOCK_LANES);
        uint32_t mask = entry[r] & ((1U << BLOCK_LANES) - 1);
        weight[r] = p->weight + row * p->stride;
#pragma GCC unroll 8
        for (int l = 0; l < n_lane; l++) {
            int64_t lane = p->lane + __builtin_ctz(mask);
            mask &= mask - 1;
            from[r * n_lane + l] = p->turned + lane * p->stride;
            q->place[q->n + r * n_lane + l] = row * p->width + lane;
            sum[r * n_lane + l] = (VECTOR){0};
        }
    }
    int64_t k = 0;
    for (; k + PER_VECTOR <= p->n_k; k += PER_VECTOR)
#pragma GCC unroll 8
        for (int r = 0; r < n_row; r++)
#pragma GCC unroll 8
            for (int l = 0; l < n_lane; l++)
                MULTIPLY_ADD(sum[r * n_lane + l], weight[r] + k, from[r * n_lane + l] + k);
#ifndef PADDED
    for (; k < p->n_k; k++)
#pragma GCC unroll 8
        for (int i = 0; i < n_row * n_lane; i++)
            sum[i][0] += weight[i / n_lane][k] * from[i][k];
#endif
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

void LW_T(dense_sampled)(const ELEMENT *weight, int64_t n_rows, int64_t n_post, int64_t stride, int64_t width,
    const uint64_t *bits, const ELEMENT *turned, REAL *x_adj) {
    int64_t words = (width + 63) / 64;
    LW_T(pass) p = {.stride = stride, .width = width, .x_adj = x_adj};
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

#undef ELEMENT
#undef PER_VECTOR
#undef MULTIPLY_ADD
