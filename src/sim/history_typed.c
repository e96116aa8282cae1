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
