/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The loops of loss.c that look at spike times, for one precision (see loss_typed.c).
 *
 * First spikes: with s_t the value emitted at step t (0 or 1), the number of steps before the first spike is
 * M = sum over t of prod_{u <= t} (1 - s_u). It is linear in every s_t and right for every train, the only function
 * that is both: its derivative with respect to s_t is exactly what a spike more (or less) at t would change, and it
 * goes through the surrogate at all steps up to the first spike, at that one, and nowhere behind it. Smooth spikes are
 * covered too (M is then the mean of a waiting time with hazard s_t). A neuron that stays silent gets a derivative at
 * every step. The losses on such times are those of Mostafa, IEEE TNNLS 29, 2018 (softmax over minus the times) and
 * Goeltz et al., Nature Machine Intelligence 3, 2021; there times are differentiated in closed form instead.
 *
 * Van Rossum's distance (Neural Computation 13, 2001): 1 / tau times the integral of the squared difference of two
 * trains filtered with exp(-t / tau), to infinity. Between steps the difference e only decays, so the integral is
 * exact: (1 - a^2) / 2 per step with a = exp(-dt / tau), 1 / 2 for the last one. A spike without partner costs 1 / 2.
 */

/* z = - (time of the first spike) / tau, and its derivative with respect to every emitted value; z_adj is scratch */
static void LW_T(read_first)(loss_work *w, const lw_tape *tape) {
    int64_t T = w->n_steps, K = w->n_units, L = w->width, n = w->n_local * L, t0 = w->spec.skip;
    REAL *rest = w->z_adj, *z = w->z, unit = (REAL)(w->dt / w->spec.tau), after = (REAL)(1 + w->spec.silent / w->dt);
    if (w->n_local < K) memset(z, 0, (size_t)(K * L) * sizeof *z);
    for (int64_t i = 0; i < n; i++)
        rest[i] = 1; /* no spike so far */
    for (int64_t t = t0; t < T; t++) {
        const REAL *x = lw_tape_output(tape, w->spec.pop, t);
        REAL *slope = (REAL *)w->slope + t * n;
        for (int64_t i = 0; i < n; i++) {
            slope[i] = rest[i];
            rest[i] *= 1 - x[i];
        }
    }
    for (int64_t i = 0; i < n; i++)
        rest[i] = after; /* steps that a spike at t saves when there is none before it */
    for (int64_t t = T - 1; t >= t0; t--) {
        const REAL *x = lw_tape_output(tape, w->spec.pop, t);
        REAL *slope = (REAL *)w->slope + t * n;
        for (int64_t i = 0; i < w->n_local; i++)
            for (int64_t l = 0; l < L; l++) {
                int64_t at = i * L + l;
                bool within = t < w->steps[l];
                slope[at] = within ? unit * slope[at] * rest[at] : 0;
                if (within && t > t0) rest[at] = 1 + (1 - x[at]) * rest[at];
                if (t > t0) continue;
                REAL before = within ? (1 - x[at]) * rest[at] : 0;
                z[w->unit[i] * L + l] = -unit * ((REAL)(t0 + 1) + before);
            }
    }
}

/* The whole sequence at once; z becomes the difference of the traces, where it is asked for the derivative. */
static void LW_T(van_rossum)(loss_work *w, const batch *b, double scale, loss_tally *tally) {
    int64_t T = w->n_steps, K = w->n_units, L = w->width, row = K * L, t0 = w->spec.skip;
    double keep = loss_decay(w), part = 0.5 * (1 - keep * keep), sum = 0;
    REAL a = (REAL)keep, *trace = w->trace, *z = w->z, *z_adj = w->z_adj;
    memset(trace, 0, (size_t)row * sizeof *trace);
    for (int64_t t = t0; t < T; t++) {
        const float *y = b->target + t * row;
        REAL *x = z + t * row;
        double here = 0;
        for (int64_t i = 0; i < row; i++) {
            trace[i] = a * trace[i] + (isnan(y[i]) ? 0 : x[i] - (REAL)y[i]);
            x[i] = trace[i];
            here += (double)(trace[i] * trace[i]);
        }
        sum += (t == T - 1 ? 0.5 : part) * here;
    }
    tally->loss += sum;
    tally->sq += sum;
    tally->counted += loss_count(w, b);
    if (!(scale > 0)) return;
    memset(trace, 0, (size_t)row * sizeof *trace);
    for (int64_t t = T - 1; t >= t0; t--) {
        REAL factor = (REAL)(scale * 2 * (t == T - 1 ? 0.5 : part));
        for (int64_t i = 0; i < w->n_local; i++)
            for (int64_t l = 0; l < L; l++) {
                int64_t at = w->unit[i] * L + l;
                trace[at] = factor * z[t * row + at] + a * trace[at];
                z_adj[(t * w->n_local + i) * L + l] = isnan(b->target[t * row + at]) ? 0 : trace[at];
            }
    }
}
