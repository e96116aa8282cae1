/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Transposition: every number is where it belongs and nothing beside it is touched, for sizes that fill vectors and
 * such that do not.
 */
#include <string.h>
#include <lapwing/base.h>
#include "check.h"

enum { MOST = 150, UNTOUCHED = -1 };

static float in_f32[MOST * MOST], out_f32[MOST * MOST];
static double in_f64[MOST * MOST], out_f64[MOST * MOST];

/* Numbers that are wrong after rows x columns were turned, with strides longer than lines by `more`. */
static int64_t wrong(int64_t rows, int64_t columns, int64_t more) {
    int64_t n_wrong = 0, in_stride = columns + more, out_stride = rows + more;
    for (int64_t k = 0; k < MOST * MOST; k++) {
        in_f32[k] = (float)k;
        in_f64[k] = (double)k;
        out_f32[k] = UNTOUCHED;
        out_f64[k] = UNTOUCHED;
    }
    lw_turn_f32(rows, columns, in_f32, in_stride, out_f32, out_stride);
    lw_turn_f64(rows, columns, in_f64, in_stride, out_f64, out_stride);
    for (int64_t k = 0; k < MOST * MOST; k++) {
        int64_t line = out_stride > 0 ? out_stride : 1, j = k / line, i = k % line;
        double want = j < columns && i < rows ? (double)(i * in_stride + j) : UNTOUCHED;
        n_wrong += (double)out_f32[k] != want;
        n_wrong += out_f64[k] != want;
    }
    return n_wrong;
}

TEST(every_number_moves_to_its_place_and_nothing_else_does) {
    const int64_t size[] = {0, 1, 3, 8, 15, 16, 17, 32, 64, 130};
    const int n = sizeof size / sizeof size[0];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int64_t more = 0; more <= 16; more += 8)
                CHECK(wrong(size[i], size[j], more) == 0);
}

CHECK_MAIN(CASE(every_number_moves_to_its_place_and_nothing_else_does))
