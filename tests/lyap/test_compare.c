/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Kaplan-Yorke dimension and the distance of spectra, on numbers worked out by hand.
 */
#include <lapwing/lyap.h>
#include "check.h"

TEST(kaplan_yorke) {
    CHECK_CLOSE(lw_kaplan_yorke((double[]){1, -2}, 2), 1.5, 1e-15);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){-1, -2}, 2), 0, 0);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){2, -1, -0.5}, 3), 3, 0);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){0.9056, 0, -14.5723}, 3), 2 + 0.9056 / 14.5723, 1e-15);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){0.9056, -1e-12, -14.5723}, 3), 2 + 0.9056 / 14.5723, 1e-12);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){-1e-15, -1}, 2), 1, 1e-9); /* a neutral direction */
    CHECK_CLOSE(lw_kaplan_yorke((double[]){0.5, -INFINITY, -INFINITY}, 3), 1, 0);
    CHECK_CLOSE(lw_kaplan_yorke((double[]){-INFINITY}, 1), 0, 0);
}

TEST(distance) {
    double a[5] = {3, 1, 0, -1, -4}, b[5], c[50];
    for (int i = 0; i < 5; i++)
        b[i] = a[i] - 0.25;
    CHECK_CLOSE(lw_spectrum_distance(a, 5, a, 5), 0, 0);
    CHECK_CLOSE(lw_spectrum_distance(a, 5, b, 5), 0.25, 1e-14);
    CHECK_CLOSE(lw_spectrum_distance(b, 5, a, 5), 0.25, 1e-14);
    for (int i = 0; i < 50; i++) /* the same straight line, sampled finer */
        c[i] = 1 - 2.0 * i / 49;
    CHECK_CLOSE(lw_spectrum_distance((double[]){1, 0, -1}, 3, c, 50), 0, 1e-14);
    CHECK_CLOSE(lw_spectrum_distance((double[]){1, 0, -1, -INFINITY}, 4, c, 50), 0, 1e-14);
    CHECK(lw_spectrum_distance((double[]){-INFINITY}, 1, c, 50) == INFINITY);
}

CHECK_MAIN(CASE(kaplan_yorke), CASE(distance))
