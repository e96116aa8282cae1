/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of history.c for one type of reals, seen as words of its size (WORD): which rows are not zero, and
 * conversion from and to double. Never compiled alone.
 */

/* Indices of the rows that are not all zero, ascending, counted from `first`, the row at x. Spikes are rare: words are
 * first tested by blocks. */
static int64_t LW_T(nonzero)(int64_t first, int64_t n, int64_t width, const WORD *restrict x, uint32_t *restrict list) {
    enum { BLOCK = 64, FEW = 8 };
    int64_t found = 0;
    if (width == 1) {
        int64_t i = 0;
        for (; i + BLOCK <= n; i += BLOCK) {
            WORD any = 0;
            for (int k = 0; k < BLOCK; k++)
                any |= x[i + k];
            if (any == 0) continue;
            for (int few = 0; few < BLOCK; few += FEW) {
                any = 0;
                for (int k = 0; k < FEW; k++)
                    any |= x[i + few + k];
                if (any == 0) continue;
                for (int k = 0; k < FEW; k++) {
                    list[found] = (uint32_t)(first + i + few + k);
                    found += x[i + few + k] != 0;
                }
            }
        }
        for (; i < n; i++)
            if (x[i] != 0) list[found++] = (uint32_t)(first + i);
        return found;
    }
    for (int64_t i = 0; i < n; i++) {
        WORD any = 0;
        if (width == 8 || width == 16 || width == 32 || width == 64) { /* a whole number of vectors */
            const WORD *restrict from = x + i * width;
            WORD part[8] = {0};
            for (int64_t lane = 0; lane < width; lane += 8)
                for (int k = 0; k < 8; k++)
                    part[k] |= from[lane + k];
            for (int k = 0; k < 8; k++)
                any |= part[k];
        } else {
            for (int64_t lane = 0; lane < width; lane++)
                any |= x[i * width + lane];
        }
        if (any != 0) list[found++] = (uint32_t)(first + i);
    }
    return found;
}

/* Rows [first, last) that are not all zero, ascending; what is not zero in them is counted by row and in all. Called
 * with constant widths: whether a row is listed is a guess that often fails, so nothing branches on it. */
static inline __attribute__((always_inline)) int64_t LW_T(rows_count)(int64_t first, int64_t last, int64_t width,
    const REAL *restrict x, int64_t *restrict count, uint32_t *restrict list, int64_t *restrict all) {
    int64_t n = 0, sum = 0;
    for (int64_t i = first; i < last; i++) {
        int64_t here = 0;
        for (int64_t l0 = 0; l0 < width; l0 += 64)
            here += __builtin_popcountll(LW_T(nonzero_bits)(x + i * width + l0, width - l0 < 64 ? width - l0 : 64));
        list[n] = (uint32_t)i;
        n += here > 0;
        count[i] += here;
        sum += here;
    }
    *all += sum;
    return n;
}

static int64_t LW_T(lanes_count)(
    int64_t first, int64_t last, int64_t width, const REAL *x, int64_t *count, uint32_t *list, int64_t *all) {
    switch (width) {
    case 16:
        return LW_T(rows_count)(first, last, 16, x, count, list, all);
    case 32:
        return LW_T(rows_count)(first, last, 32, x, count, list, all);
    case 64:
        return LW_T(rows_count)(first, last, 64, x, count, list, all);
    default:
        return LW_T(rows_count)(first, last, width, x, count, list, all);
    }
}

static void LW_T(to_double)(int64_t n, const REAL *restrict x, double *restrict out) {
    for (int64_t i = 0; i < n; i++)
        out[i] = (double)x[i];
}

static void LW_T(from_double)(int64_t n, const double *restrict x, REAL *restrict out) {
    for (int64_t i = 0; i < n; i++)
        out[i] = (REAL)x[i];
}

#undef REAL
#undef WORD
#undef LW_T
