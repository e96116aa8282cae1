/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of dropout.c for one type of reals (REAL); LW_T(name) makes the names. Never compiled alone.
 */

static void LW_T(rows)(int64_t width, const uint32_t *restrict row, int64_t n, const REAL *restrict mask,
    const REAL *restrict x, REAL *restrict out) {
    for (int64_t i = 0; i < n; i++) {
        int64_t at = row[i] * width;
        for (int64_t l = at; l < at + width; l++)
            out[l] = mask[l] * x[l];
    }
}

static void LW_T(add)(int64_t n, const REAL *restrict mask, const REAL *restrict adj, REAL *restrict x_adj) {
    for (int64_t i = 0; i < n; i++)
        x_adj[i] += mask[i] * adj[i];
}

#undef REAL
#undef LW_T
