/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of stimulus.c for one type of reals: adding drawn numbers, currents, events and feeds to inputs. Never
 * compiled alone.
 */

static void LW_T(add_counts)(int64_t n, double weight, const int32_t *restrict count, REAL *restrict acc) {
    const REAL w = (REAL)weight;
    for (int64_t i = 0; i < n; i++)
        acc[i] += w * (REAL)count[i];
}

static void LW_T(add_values)(int64_t n, const double *restrict value, REAL *restrict acc) {
    for (int64_t i = 0; i < n; i++)
        acc[i] += (REAL)value[i];
}

/* amplitude NULL: `constant` for all */
static void LW_T(add_current)(
    int64_t n, int64_t width, const double *restrict amplitude, double constant, REAL *restrict acc) {
    if (!amplitude) {
        for (int64_t i = 0; i < n * width; i++)
            acc[i] += (REAL)constant;
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = 0; lane < width; lane++)
            acc[i * width + lane] += (REAL)amplitude[i];
}

static void LW_T(add_events)(int64_t n, int64_t width, const uint32_t *local, double weight, REAL *acc) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = 0; lane < width; lane++)
            acc[(int64_t)local[i] * width + lane] += (REAL)weight;
}

/* value: [channels, width], channel c goes to neuron c of the population */
static void LW_T(add_feed)(const lw_pop_view *view, int64_t width, const float *restrict value, REAL *restrict acc) {
    for (int64_t i = 0; i < view->n_local; i++) {
        const float *restrict from = value + (view->gid[i] - view->gid_begin) * width;
        for (int64_t lane = 0; lane < width; lane++)
            acc[i * width + lane] += (REAL)from[lane];
    }
}

#undef REAL
#undef LW_T
