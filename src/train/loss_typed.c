/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loops of loss.c for one precision: REAL is float or double, LW_T(name) the function's name. Rows are [units,
 * width]; all inner loops run over lanes.
 */

/* z <- the local units' read-out; the other units are zero when the population is shared */
static void LW_T(read)(loss_work *w, const lw_tape *tape) {
    int64_t T = w->n_steps, K = w->n_units, L = w->width, t0 = w->spec.skip, least = T;
    lw_readout_kind kind = w->spec.readout;
    bool per_step = kind == LW_READOUT_PER_STEP || kind == LW_READOUT_VOTE;
    REAL *z = w->z;
    if (kind == LW_READOUT_FIRST_SPIKE) {
        LW_T(read_first)(w, tape);
        return;
    }
    for (int64_t l = 0; l < L; l++)
        if (w->steps[l] < least) least = w->steps[l];
    if (w->n_local < K || kind == LW_READOUT_MEAN || kind == LW_READOUT_SUM)
        memset(z, 0, (size_t)(w->n_rows * K * L) * sizeof *z);
    if (kind == LW_READOUT_LAST) t0 = least - 1;
    for (int64_t t = t0; t < T; t++) {
        const REAL *out = lw_tape_output(tape, w->spec.pop, t);
        REAL *row = per_step ? z + t * K * L : z;
        for (int64_t i = 0; i < w->n_local; i++) {
            const REAL *x = out + i * L;
            REAL *to = row + w->unit[i] * L;
            int32_t *when = w->step_max + i * L;
            switch (kind) {
            case LW_READOUT_PER_STEP:
            case LW_READOUT_VOTE:
                memcpy(to, x, (size_t)L * sizeof *x);
                break;
            case LW_READOUT_LAST:
                for (int64_t l = 0; l < L; l++)
                    to[l] = t < w->steps[l] ? x[l] : to[l];
                break;
            case LW_READOUT_MEAN:
            case LW_READOUT_SUM:
                for (int64_t l = 0; l < L; l++)
                    to[l] += t < w->steps[l] ? x[l] : 0;
                break;
            case LW_READOUT_MAX:
                for (int64_t l = 0; l < L; l++) {
                    bool larger = t == t0 || (x[l] > to[l] && t < w->steps[l]);
                    to[l] = larger ? x[l] : to[l];
                    when[l] = larger ? (int32_t)t : when[l];
                }
                break;
            case LW_READOUT_FIRST_SPIKE:
                break;
            }
        }
    }
    if (kind != LW_READOUT_MEAN) return;
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < L; l++)
            z[k * L + l] *= w->steps[l] > t0 ? 1 / (REAL)(w->steps[l] - t0) : 0;
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
    const REAL *share = w->share;
    double loss = 0;
    for (int64_t l = 0; l < L; l++) {
        REAL spread = 0;
        sum[l] = 0;
        if (w->want[l] < 0) continue;
        if (smooth > 0)
            for (int64_t k = 0; k < K; k++)
                spread += z[k * L + l] - top[l];
        loss -= (double)(share[l] * ((1 - smooth) * (z[w->want[l] * L + l] - top[l]) + rest * spread));
    }
    for (int64_t k = 0; k < K; k++) {
        REAL *x = z + k * L;
        for (int64_t l = 0; l < L; l++) {
            x[l] = EXP(x[l] - top[l]);
            sum[l] += x[l];
        }
    }
    for (int64_t l = 0; l < L; l++)
        if (w->want[l] >= 0) loss += (double)share[l] * log((double)sum[l]);
    if (!z_adj) return loss;
    for (int64_t i = 0; i < w->n_local; i++) {
        const REAL *x = z + w->unit[i] * L;
        REAL *a = z_adj + i * L;
        int32_t k = (int32_t)w->unit[i];
        for (int64_t l = 0; l < L; l++) {
            REAL q = rest + (w->want[l] == k ? 1 - smooth : 0);
            a[l] = w->want[l] >= 0 ? scale * share[l] * (x[l] / sum[l] - q) : 0;
        }
    }
    return loss;
}

/* What a number of the target is in the read-out's units: first spikes are read as - time / tau. */
static REAL LW_T(target_unit)(const loss_work *w) {
    return w->spec.readout == LW_READOUT_FIRST_SPIKE ? (REAL)(-1 / w->spec.tau) : 1;
}

/* mean over units of (z - onehot)^2, the one-hot vector smoothed as above and put between the two targets. Returns the
 * sum over lanes. */
static double LW_T(onehot_error)(const loss_work *w, const REAL *z, REAL scale, REAL *z_adj) {
    int64_t K = w->n_units, L = w->width;
    bool set = w->spec.has_target;
    REAL unit = LW_T(target_unit)(w), base = set ? unit * (REAL)w->spec.target_wrong : 0;
    REAL gain = set ? unit * (REAL)(w->spec.target_right - w->spec.target_wrong) : unit;
    REAL smooth = (REAL)w->spec.label_smoothing, rest = base + gain * smooth / (REAL)K, hot = gain * (1 - smooth);
    const REAL *share = w->share;
    double loss = 0;
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < L; l++) {
            REAL d = z[k * L + l] - rest - (w->want[l] == k ? hot : 0);
            if (w->want[l] >= 0) loss += (double)(share[l] * d * d);
        }
    for (int64_t i = 0; z_adj && i < w->n_local; i++) {
        int64_t k = w->unit[i];
        for (int64_t l = 0; l < L; l++) {
            REAL d = z[k * L + l] - rest - (w->want[l] == k ? hot : 0);
            z_adj[i * L + l] = w->want[l] >= 0 ? 2 * scale * share[l] * d / (REAL)K : 0;
        }
    }
    return loss / (double)K;
}

/* (z - y)^2 where y is not NaN; want: the step of each lane's target, -1: none */
static void LW_T(squared_error)(
    const loss_work *w, const batch *b, const REAL *z, REAL scale, REAL *z_adj, loss_tally *tally) {
    int64_t K = w->n_units, L = w->width;
    REAL unit = LW_T(target_unit)(w);
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < L; l++) {
            float y = w->want[l] < 0 ? NAN : b->target[(w->want[l] * K + k) * L + l];
            if (isnan(y)) continue;
            double d = (double)(z[k * L + l] - unit * (REAL)y), apart = d / (double)unit;
            tally->sq += apart * apart;
            tally->loss += d * d;
            tally->counted++;
        }
    for (int64_t i = 0; z_adj && i < w->n_local; i++)
        for (int64_t l = 0; l < L; l++) {
            float y = w->want[l] < 0 ? NAN : b->target[(w->want[l] * K + w->unit[i]) * L + l];
            z_adj[i * L + l] = isnan(y) ? 0 : 2 * scale * (z[w->unit[i] * L + l] - unit * (REAL)y);
        }
}

/* want <- the class that counts in each lane */
static void LW_T(wanted)(loss_work *w, const batch *b, int64_t r) {
    for (int64_t l = 0; l < w->width; l++) {
        int64_t at = b->n_rows == 1 ? 0 : loss_step(w, b->steps[l], r);
        int32_t label = b->label[at * w->width + l];
        bool counts = loss_counts(w, b->steps[l], r);
        w->want[l] = !counts ? LABEL_ABSENT : label == LABEL_NONE ? w->spec.unlabelled : label;
    }
}

/* The tally's counts, for what was found (arg) and wanted. */
static void LW_T(classify)(const loss_work *w, const batch *b, int64_t r, loss_tally *tally) {
    for (int64_t l = 0; l < w->width; l++) {
        int32_t want = w->want[l];
        if (want < 0) continue;
        int64_t at = b->n_rows == 1 ? 0 : loss_step(w, b->steps[l], r);
        bool hit = w->arg[l] == want, labelled = b->label[at * w->width + l] >= 0;
        tally->counted++;
        tally->correct += hit;
        tally->labelled += labelled;
        tally->labelled_correct += labelled && hit;
        if (w->confusion) w->confusion[want * w->n_units + w->arg[l]]++;
    }
}

/* Before the rows: what part of a sample's weight a row has. */
static void LW_T(vote_begin)(loss_work *w, const batch *b) {
    int64_t every = w->spec.every > 1 ? w->spec.every : 1;
    REAL *share = w->share;
    for (int64_t l = 0; l < w->width; l++) {
        int64_t rows = b->steps[l] > w->spec.skip ? (b->steps[l] - w->spec.skip) / every : 0;
        share[l] = rows > 0 ? 1 / (REAL)rows : 0;
    }
    memset(w->votes, 0, (size_t)(w->n_units * w->width) * sizeof *w->votes);
}

/* After the rows: arg <- the class with most votes; want <- as in the first row that counts. */
static void LW_T(vote_end)(loss_work *w, const batch *b, loss_tally *tally) {
    int64_t L = w->width, first = w->spec.skip + (w->spec.every > 1 ? w->spec.every - 1 : 0);
    LW_T(wanted)(w, b, first);
    for (int64_t l = 0; l < L; l++) {
        int32_t best = 0;
        for (int32_t k = 1; k < w->n_units; k++)
            if (w->votes[k * L + l] > w->votes[best * L + l]) best = k;
        w->arg[l] = best;
    }
    LW_T(classify)(w, b, first, tally);
}

static void LW_T(rows)(loss_work *w, const batch *b, double scale, loss_tally *tally) {
    bool vote = w->spec.readout == LW_READOUT_VOTE;
    if (w->spec.kind == LW_LOSS_VAN_ROSSUM) {
        LW_T(van_rossum)(w, b, scale, tally);
        return;
    }
    for (int64_t l = 0; l < w->width; l++)
        ((REAL *)w->share)[l] = 1;
    if (vote) LW_T(vote_begin)(w, b);
    for (int64_t r = 0; r < w->n_rows; r++) {
        REAL *z = (REAL *)w->z + r * w->n_units * w->width;
        REAL *z_adj = scale > 0 ? (REAL *)w->z_adj + r * w->n_local * w->width : NULL;
        if (!loss_row(w, r)) continue;
        if (b->target) {
            for (int64_t l = 0; l < w->width; l++)
                w->want[l] = loss_counts(w, b->steps[l], r) ? (int32_t)loss_step(w, b->steps[l], r) : -1;
            LW_T(squared_error)(w, b, z, (REAL)scale, z_adj, tally);
            continue;
        }
        LW_T(argmax)(w, z);
        LW_T(wanted)(w, b, r);
        if (!vote) LW_T(classify)(w, b, r, tally);
        for (int64_t l = 0; vote && l < w->width; l++)
            if (w->want[l] >= 0) w->votes[w->arg[l] * w->width + l]++;
        tally->loss += w->spec.kind == LW_LOSS_CROSS_ENTROPY ? LW_T(cross_entropy)(w, z, (REAL)scale, z_adj)
                                                             : LW_T(onehot_error)(w, z, (REAL)scale, z_adj);
    }
    if (vote) LW_T(vote_end)(w, b, tally);
}

/* Of the lanes that have step t. */
static void LW_T(seed)(const loss_work *w, int64_t t, REAL *out_adj) {
    int64_t L = w->width, n = w->n_local * L;
    const REAL *z_adj = w->z_adj, *slope = w->slope;
    switch (w->spec.readout) {
    case LW_READOUT_PER_STEP:
    case LW_READOUT_VOTE:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += z_adj[t * n + i];
        break;
    case LW_READOUT_LAST:
        for (int64_t i = 0; i < w->n_local; i++)
            for (int64_t l = 0; l < L; l++)
                out_adj[i * L + l] += w->steps[l] == t + 1 ? z_adj[i * L + l] : 0;
        break;
    case LW_READOUT_SUM:
        for (int64_t i = 0; i < w->n_local; i++)
            for (int64_t l = 0; l < L; l++)
                out_adj[i * L + l] += t < w->steps[l] ? z_adj[i * L + l] : 0;
        break;
    case LW_READOUT_MEAN:
        for (int64_t i = 0; i < w->n_local; i++)
            for (int64_t l = 0; l < L; l++)
                if (t < w->steps[l]) out_adj[i * L + l] += 1 / (REAL)(w->steps[l] - w->spec.skip) * z_adj[i * L + l];
        break;
    case LW_READOUT_MAX:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += w->step_max[i] == t ? z_adj[i] : 0;
        break;
    case LW_READOUT_FIRST_SPIKE:
        for (int64_t i = 0; i < n; i++)
            out_adj[i] += slope[t * n + i] * z_adj[i];
        break;
    }
}
