/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loops of loss.c for one precision: REAL is float or double, LW_T(name) the function's name. Rows are [units,
 * width]; all inner loops run over lanes.
 */

/* z <- the local units' read-out; the other units are zero when the population is shared */
static void LW_T(read)(loss_work *w, const lw_tape *tape) {
    int64_t T = w->n_steps, K = w->n_units, L = w->width, t0 = w->spec.skip;
    lw_readout_kind kind = w->spec.readout;
    REAL *z = w->z;
    if (w->n_local < K || kind == LW_READOUT_MEAN || kind == LW_READOUT_SUM)
        memset(z, 0, (size_t)(w->n_rows * K * L) * sizeof *z);
    if (kind == LW_READOUT_LAST) t0 = T - 1;
    for (int64_t t = t0; t < T; t++) {
        const REAL *out = lw_tape_output(tape, w->spec.pop, t);
        REAL *row = kind == LW_READOUT_PER_STEP ? z + t * K * L : z;
        for (int64_t i = 0; i < w->n_local; i++) {
            const REAL *x = out + i * L;
            REAL *to = row + w->unit[i] * L;
            int32_t *when = w->step_max + i * L;
            switch (kind) {
            case LW_READOUT_PER_STEP:
            case LW_READOUT_LAST:
                memcpy(to, x, (size_t)L * sizeof *x);
                break;
            case LW_READOUT_MEAN:
            case LW_READOUT_SUM:
                for (int64_t l = 0; l < L; l++)
                    to[l] += x[l];
                break;
            case LW_READOUT_MAX:
                for (int64_t l = 0; l < L; l++) {
                    bool larger = t == t0 || x[l] > to[l];
                    to[l] = larger ? x[l] : to[l];
                    when[l] = larger ? (int32_t)t : when[l];
                }
                break;
            }
        }
    }
    if (kind == LW_READOUT_MEAN) {
        REAL part = 1 / (REAL)(T - t0);
        for (int64_t i = 0; i < K * L; i++)
            z[i] *= part;
    }
}

/* arg <- the class of the largest value, the lowest one on ties; top <- that value */
static void LW_T(argmax)(const loss_work *w, const REAL *z) {
    int64_t L = w->width;
    REAL *top = w->top;
    for (int64_t l = 0; l < L; l++) {
        top[l] = z[l];
        w->arg[l] = 0;
    }
    for (int64_t k = 1; k < w->n_units; k++) {
        const REAL *x = z + k * L;
        for (int64_t l = 0; l < L; l++) {
            bool larger = x[l] > top[l];
            top[l] = larger ? x[l] : top[l];
            w->arg[l] = larger ? (int32_t)k : w->arg[l];
        }
    }
}

/* -sum_k q_k log softmax(z)_k with q = (1 - e) onehot + e / K; z is overwritten by exp(z - top). Returns the sum over
 * lanes. */
static double LW_T(cross_entropy)(loss_work *w, REAL *z, REAL scale, REAL *z_adj) {
    int64_t K = w->n_units, L = w->width;
    REAL *top = w->top, *sum = w->sum, smooth = (REAL)w->spec.label_smoothing, rest = smooth / (REAL)K;
    double loss = 0;
    for (int64_t l = 0; l < L; l++) {
        REAL spread = 0;
        sum[l] = 0;
        if (w->want[l] < 0) continue;
        if (smooth > 0)
            for (int64_t k = 0; k < K; k++)
                spread += z[k * L + l] - top[l];
        loss -= (double)((1 - smooth) * (z[w->want[l] * L + l] - top[l]) + rest * spread);
    }
    for (int64_t k = 0; k < K; k++) {
        REAL *x = z + k * L;
        for (int64_t l = 0; l < L; l++) {
            x[l] = EXP(x[l] - top[l]);
            sum[l] += x[l];
        }
    }
    for (int64_t l = 0; l < L; l++)
        if (w->want[l] >= 0) loss += log((double)sum[l]);
    if (!z_adj) return loss;
    for (int64_t i = 0; i < w->n_local; i++) {
        const REAL *x = z + w->unit[i] * L;
        REAL *a = z_adj + i * L;
        int32_t k = (int32_t)w->unit[i];
        for (int64_t l = 0; l < L; l++) {
            REAL q = rest + (w->want[l] == k ? 1 - smooth : 0);
            a[l] = w->want[l] >= 0 ? scale * (x[l] / sum[l] - q) : 0;
        }
    }
    return loss;
}

/* mean over units of (z - onehot)^2, the one-hot vector smoothed as above. Returns the sum over lanes. */
static double LW_T(onehot_error)(const loss_work *w, const REAL *z, REAL scale, REAL *z_adj) {
    int64_t K = w->n_units, L = w->width;
    REAL smooth = (REAL)w->spec.label_smoothing, rest = smooth / (REAL)K;
    double loss = 0;
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < L; l++) {
            REAL d = z[k * L + l] - rest - (w->want[l] == k ? 1 - smooth : 0);
            if (w->want[l] >= 0) loss += (double)(d * d);
        }
    for (int64_t i = 0; z_adj && i < w->n_local; i++) {
        int64_t k = w->unit[i];
        for (int64_t l = 0; l < L; l++) {
            REAL d = z[k * L + l] - rest - (w->want[l] == k ? 1 - smooth : 0);
            z_adj[i * L + l] = w->want[l] >= 0 ? 2 * scale * d / (REAL)K : 0;
        }
    }
    return loss / (double)K;
}

/* (z - y)^2 where y is not NaN */
static void LW_T(squared_error)(
    const loss_work *w, const REAL *z, const float *y, REAL scale, REAL *z_adj, loss_tally *tally) {
    int64_t L = w->width;
    for (int64_t i = 0; i < w->n_units * L; i++) {
        if (isnan(y[i])) continue;
        double d = (double)(z[i] - (REAL)y[i]);
        tally->sq += d * d;
        tally->loss += d * d;
        tally->counted++;
    }
    for (int64_t i = 0; z_adj && i < w->n_local; i++) {
        int64_t at = w->unit[i] * L;
        for (int64_t l = 0; l < L; l++)
            z_adj[i * L + l] = isnan(y[at + l]) ? 0 : 2 * scale * (z[at + l] - (REAL)y[at + l]);
    }
}

/* want <- the class that counts in each lane; the tally's counts */
static void LW_T(classify)(loss_work *w, const REAL *z, const int32_t *label, loss_tally *tally) {
    LW_T(argmax)(w, z);
    for (int64_t l = 0; l < w->width; l++) {
        int32_t want = label[l] == LABEL_NONE ? w->spec.unlabelled : label[l];
        w->want[l] = want;
        if (want < 0) continue;
        bool hit = w->arg[l] == want;
        tally->counted++;
        tally->correct += hit;
        tally->labelled += label[l] >= 0;
        tally->labelled_correct += label[l] >= 0 && hit;
        if (w->confusion) w->confusion[want * w->n_units + w->arg[l]]++;
    }
}

static void LW_T(rows)(loss_work *w, const batch *b, double scale, loss_tally *tally) {
    int64_t first = w->spec.readout == LW_READOUT_PER_STEP ? w->spec.skip : 0;
    for (int64_t r = first; r < w->n_rows; r++) {
        REAL *z = (REAL *)w->z + r * w->n_units * w->width;
        REAL *z_adj = scale > 0 ? (REAL *)w->z_adj + r * w->n_local * w->width : NULL;
        if (b->target) {
            int64_t t = w->n_rows > 1 ? r : w->n_steps - 1;
            LW_T(squared_error)(w, z, b->target + t * w->n_units * w->width, (REAL)scale, z_adj, tally);
            continue;
        }
        int64_t at = b->n_rows == 1 ? 0 : w->n_rows > 1 ? r : w->n_steps - 1;
        LW_T(classify)(w, z, b->label + at * w->width, tally);
        tally->loss += w->spec.kind == LW_LOSS_CROSS_ENTROPY ? LW_T(cross_entropy)(w, z, (REAL)scale, z_adj)
                                                             : LW_T(onehot_error)(w, z, (REAL)scale, z_adj);
    }
}

static void LW_T(seed)(const loss_work *w, int64_t t, REAL *out_adj) {
    int64_t n = w->n_local * w->width;
    const REAL *z_adj = w->z_adj;
    REAL part = 1 / (REAL)(w->n_steps - w->spec.skip);
    switch (w->spec.readout) {
    case LW_READOUT_PER_STEP:
        z_adj += t * n; /* fall through */
    case LW_READOUT_LAST:
    case LW_READOUT_SUM:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += z_adj[i];
        break;
    case LW_READOUT_MEAN:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += part * z_adj[i];
        break;
    case LW_READOUT_MAX:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += w->step_max[i] == t ? z_adj[i] : 0;
        break;
    }
}
