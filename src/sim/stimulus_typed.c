/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of stimulus.c for one type of reals: adding drawn numbers, currents, events and feeds to inputs. Never
 * compiled alone.
 */

/* Stimuli that act on all neurons [first, last); what is drawn has been drawn. */
static void LW_T(add)(
    const lw_sim *sim, const stimulus *s, int64_t t, int64_t first, int64_t last, REAL *restrict acc) {
    const int64_t width = sim->width, begin = first * width, end = last * width;
    const REAL weight = (REAL)s->spec.weight;
    stimulus_level level;
    stimulus_level_find(s, lw_net_dt(sim->net), t, &level);
    for (int64_t b = begin / BLOCK; b * BLOCK < end; b++) {
        int64_t n = end - b * BLOCK < BLOCK ? end - b * BLOCK : BLOCK;
        REAL *restrict to = acc + b * BLOCK;
        if (s->spec.kind == LW_STIMULUS_POISSON) {
            int32_t count[BLOCK];
            stimulus_counts(sim->stimulus, s, &level, &sim->pop[s->spec.pop].view, width, t, b, n, count);
            for (int64_t i = 0; i < n; i++)
                to[i] += weight * (REAL)count[i];
            continue;
        }
        double value[BLOCK];
        for (int64_t i = 0; i < n; i++)
            value[i] = s->constant;
        for (int64_t i = 0; s->amplitude && i < n; i++)
            value[i] = s->amplitude[width == 1 ? b * BLOCK + i : (b * BLOCK + i) / width];
        for (int64_t i = 0; i < n; i++)
            value[i] += level.shared;
        if (s->normal) {
            const double *deviation = stimulus_deviations(s, t, b);
            const bool scales = s->spec.kind == LW_STIMULUS_UNIFORM;
            for (int64_t i = 0; i < n; i++)
                value[i] = scales ? value[i] * deviation[i] : value[i] + deviation[i];
        }
        for (int64_t i = 0; i < n; i++)
            to[i] += (REAL)value[i];
    }
}

static void LW_T(add_events)(int64_t n, int64_t width, const uint32_t *local, double weight, REAL *acc) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t lane = 0; lane < width; lane++)
            acc[(int64_t)local[i] * width + lane] += (REAL)weight;
}

/* value: [channels, width], channel c goes to neuron c of the population */
static void LW_T(add_feed)(const lw_pop_view *view, int64_t width, const float *restrict value, int64_t first,
    int64_t last, REAL *restrict acc) {
    for (int64_t i = first; i < last; i++) {
        const float *restrict from = value + (view->gid[i] - view->gid_begin) * width;
        for (int64_t lane = 0; lane < width; lane++)
            acc[i * width + lane] += (REAL)from[lane];
    }
}

#undef REAL
#undef LW_T
