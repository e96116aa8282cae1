/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of turn.c for one type of reals (REAL, with INDEX an integer of its size); LW_T(name) makes the names.
 * Never compiled alone.
 */

typedef REAL LW_T(vector) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(REAL)), may_alias));
typedef INDEX LW_T(index) __attribute__((vector_size(VECTOR_BYTES)));
#define VECTOR LW_T(vector)
#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

/* out[j][i] = in[i][j], i, j < LANES: blocks are exchanged by halves, quarters and so on, in registers */
static inline __attribute__((always_inline)) void LW_T(block)(
    const REAL *restrict in, int64_t in_stride, REAL *restrict out, int64_t out_stride) {
    VECTOR a[VECTOR_BYTES / sizeof(REAL)];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        a[i] = *(const VECTOR *)(in + i * in_stride);
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2) {
        LW_T(index) upper = {0}, lower = {0};
#pragma GCC unroll 16
        for (int e = 0; e < LANES; e++) {
            upper[e] = e & half ? LANES + e - half : e;
            lower[e] = e & half ? LANES + e : e + half;
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            if (i & half) continue;
            VECTOR x = a[i], y = a[i + half];
            a[i] = __builtin_shuffle(x, y, upper);
            a[i + half] = __builtin_shuffle(x, y, lower);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++)
        *(VECTOR *)(out + i * out_stride) = a[i];
}

void LW_T(lw_turn)(
    int64_t rows, int64_t columns, const REAL *restrict in, int64_t in_stride, REAL *restrict out, int64_t out_stride) {
    int64_t whole_rows = rows / LANES * LANES, whole_columns = columns / LANES * LANES;
    for (int64_t i = 0; i < whole_rows; i += LANES)
        for (int64_t j = 0; j < whole_columns; j += LANES)
            LW_T(block)(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
    for (int64_t j = whole_columns; j < columns; j++)
        for (int64_t i = 0; i < whole_rows; i++)
            out[j * out_stride + i] = in[i * in_stride + j];
    for (int64_t j0 = 0; j0 < columns && whole_rows < rows; j0 += TILE)
        for (int64_t i = whole_rows; i < rows; i++)
            for (int64_t j = j0; j < j0 + TILE && j < columns; j++)
                out[j * out_stride + i] = in[i * in_stride + j];
}

#undef VECTOR
#undef LANES
#undef REAL
#undef INDEX
#undef LW_T
