/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of surrogate.c for one type of reals: spikes and slopes of whole arrays. Never compiled alone.
 */

static inline __attribute__((always_inline)) REAL LW_T(slope_of)(lw_surrogate_kind kind, REAL b, REAL u) {
    REAL x = b * u, a = x < 0 ? -x : x;
    switch (kind) {
    case LW_SURROGATE_SUPERSPIKE:
        return 1 / ((1 + a) * (1 + a));
    case LW_SURROGATE_SIGMOID: {
        /* by exp(-|x|), which cannot overflow; the function is even */
        REAL e = EXP(-a);
        return b * e / ((1 + e) * (1 + e));
    }
    case LW_SURROGATE_ARCTAN:
        return 1 / (1 + (REAL)(HALF_PI * HALF_PI) * x * x);
    case LW_SURROGATE_TRIANGLE:
        return a < 1 ? 1 - a : 0;
    case LW_SURROGATE_BOXCAR:
        return a < 1 ? (REAL)0.5 : 0;
    case LW_SURROGATE_GAUSSIAN:
        return EXP(-x * x / 2) * b * (REAL)INV_SQRT_2PI;
    }
    return 0;
}

static inline __attribute__((always_inline)) REAL LW_T(smooth_of)(lw_surrogate_kind kind, REAL b, REAL u) {
    REAL x = b * u, a = x < 0 ? -x : x;
    switch (kind) {
    case LW_SURROGATE_SUPERSPIKE:
        return u / (1 + a);
    case LW_SURROGATE_SIGMOID:
        return TANH(x / 2) / 2;
    case LW_SURROGATE_ARCTAN:
        return ATAN((REAL)HALF_PI * x) / ((REAL)HALF_PI * b);
    case LW_SURROGATE_TRIANGLE:
        return (a < 1 ? x * (1 - a / 2) : (x < 0 ? (REAL)-0.5 : (REAL)0.5)) / b;
    case LW_SURROGATE_BOXCAR:
        return (a < 1 ? x : (x < 0 ? (REAL)-1 : (REAL)1)) / (2 * b);
    case LW_SURROGATE_GAUSSIAN:
        return ERF(x * (REAL)INV_SQRT_2) / 2;
    }
    return 0;
}

static inline __attribute__((always_inline)) void LW_T(fill)(const lw_surrogate *s, lw_surrogate_kind kind, bool smooth,
    int64_t n, const REAL *restrict u, const uint8_t *restrict held, REAL *restrict out, REAL *restrict slope) {
    const REAL b = (REAL)s->slope, scale = (REAL)s->scale;
    if (smooth)
        for (int64_t i = 0; i < n; i++)
            out[i] = held && held[i] ? 0 : (REAL)0.5 + scale * LW_T(smooth_of)(kind, b, u[i]);
    else if (held)
        for (int64_t i = 0; i < n; i++)
            out[i] = u[i] >= 0 && !held[i] ? (REAL)1 : (REAL)0;
    else
        for (int64_t i = 0; i < n; i++)
            out[i] = u[i] >= 0 ? (REAL)1 : (REAL)0;
    if (!slope) return;
    for (int64_t i = 0; i < n; i++)
        slope[i] = scale * LW_T(slope_of)(kind, b, u[i]);
    if (!held) return;
    for (int64_t i = 0; i < n; i++)
        slope[i] = held[i] ? 0 : slope[i];
}

/* One loop per kind, so that those without a transcendental function vectorise. */
static void LW_T(spike)(
    const lw_surrogate *s, bool smooth, int64_t n, const REAL *u, const uint8_t *held, REAL *out, REAL *slope) {
    switch (s->kind) {
    case LW_SURROGATE_SUPERSPIKE:
        LW_T(fill)(s, LW_SURROGATE_SUPERSPIKE, smooth, n, u, held, out, slope);
        break;
    case LW_SURROGATE_SIGMOID:
        LW_T(fill)(s, LW_SURROGATE_SIGMOID, smooth, n, u, held, out, slope);
        break;
    case LW_SURROGATE_ARCTAN:
        LW_T(fill)(s, LW_SURROGATE_ARCTAN, smooth, n, u, held, out, slope);
        break;
    case LW_SURROGATE_TRIANGLE:
        LW_T(fill)(s, LW_SURROGATE_TRIANGLE, smooth, n, u, held, out, slope);
        break;
    case LW_SURROGATE_BOXCAR:
        LW_T(fill)(s, LW_SURROGATE_BOXCAR, smooth, n, u, held, out, slope);
        break;
    case LW_SURROGATE_GAUSSIAN:
        LW_T(fill)(s, LW_SURROGATE_GAUSSIAN, smooth, n, u, held, out, slope);
        break;
    }
}

#undef REAL
#undef LW_T
#undef EXP
#undef TANH
#undef ATAN
#undef ERF
