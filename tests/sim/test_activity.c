/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Statistics of known spike trains: against a direct computation from the trains, and against theory for regular and
 * Bernoulli trains; the same bits for any number of ranks (each compares with the same numbers), pieces and partitions.
 */
#include "trains.h"

enum { FROM = 503, BIN = 30, PAIR_BIN = 20, SAMPLE = 20, LEAST = 10 };

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Standard deviation over mean of the intervals, two passes; NaN with less than LEAST spikes. */
static double variation(int64_t i, int64_t *count) {
    double last = NAN, sum = 0, squares = 0;
    *count = 0;
    for (int64_t t = FROM; t < STEPS; t++) {
        if (!train(i, t)) continue;
        if (++*count > 1) sum += (double)t - last;
        last = (double)t;
    }
    if (*count < LEAST) return NAN;
    double mean = sum / (double)(*count - 1);
    last = NAN;
    for (int64_t t = FROM; t < STEPS; t++) {
        if (!train(i, t)) continue;
        if (!isnan(last)) squares += ((double)t - last - mean) * ((double)t - last - mean);
        last = (double)t;
    }
    return sqrt(squares / (double)(*count - 1)) / mean;
}

static double counts(int64_t first, int64_t last, int64_t bin, int64_t width) {
    double n = 0;
    for (int64_t t = FROM + bin * width; t < FROM + (bin + 1) * width; t++)
        for (int64_t i = first; i < last; i++)
            n += train(i, t);
    return n;
}

static void synchrony_check(const lw_activity *a, int64_t first) {
    int64_t bins = (STEPS - FROM) / BIN;
    double mean = 0, variance = 0;
    for (int64_t b = 0; b < bins; b++)
        mean += counts(first, first + a->neurons, b, BIN) / (double)bins;
    for (int64_t b = 0; b < bins; b++) {
        double d = counts(first, first + a->neurons, b, BIN) - mean;
        variance += d * d / (double)bins;
    }
    CHECK_INT(a->bins, bins);
    CHECK_REL(a->synchrony, variance / mean, 1e-10);
}

static void correlation_check(const lw_activity *a, int64_t first) {
    enum { BINS = (STEPS - FROM) / PAIR_BIN };
    static double c[SAMPLE][BINS];
    double sum = 0, norm[SAMPLE] = {0};
    lw_choice choice = {.kind = LW_CHOICE_SPREAD, .n = SAMPLE};
    int64_t pairs = 0;
    for (int64_t k = 0; k < SAMPLE; k++) {
        int64_t i = first + lw_choice_neuron(&choice, a->neurons, k);
        double mean = 0;
        for (int64_t b = 0; b < BINS; b++)
            mean += (c[k][b] = counts(i, i + 1, b, PAIR_BIN)) / BINS;
        for (int64_t b = 0; b < BINS; b++) {
            c[k][b] -= mean;
            norm[k] += c[k][b] * c[k][b];
        }
    }
    for (int64_t k = 0; k < SAMPLE; k++)
        for (int64_t l = 0; l < k; l++) {
            double product = 0;
            if (norm[k] < 1e-9 || norm[l] < 1e-9) continue;
            for (int64_t b = 0; b < BINS; b++)
                product += c[k][b] * c[l][b];
            sum += product / sqrt(norm[k] * norm[l]);
            pairs++;
        }
    CHECK_INT(a->pairs, pairs);
    CHECK_CLOSE(a->correlation, sum / (double)pairs, 1e-12);
}

static void population_check(const lw_activity *a, int64_t first) {
    double cv[N_ALL], sum = 0, squares = 0, rate = 0, rate2 = 0, ms = (STEPS - FROM) * 0.1;
    int64_t n = 0, spikes = 0, silent = 0;
    for (int64_t i = first; i < first + a->neurons; i++) {
        int64_t count = 0;
        double x = variation(i, &count);
        spikes += count;
        silent += count == 0;
        rate += (double)count / ms;
        rate2 += (double)count / ms * (double)count / ms;
        if (isnan(x)) continue;
        cv[n++] = x;
        sum += x;
        squares += x * x;
    }
    double size = (double)a->neurons, mean = sum / (double)n;
    qsort(cv, (size_t)n, sizeof *cv, by_value);
    CHECK_INT(a->steps, STEPS - FROM);
    CHECK_INT(a->spikes, spikes);
    CHECK_INT(a->silent, silent);
    CHECK_REL(a->rate, rate / size, 1e-12);
    CHECK_REL(a->rate_sd, sqrt(rate2 / size - rate / size * rate / size), 1e-9);
    CHECK_INT(a->cv_neurons, n);
    CHECK_CLOSE(a->cv, mean, 1e-7);
    CHECK_CLOSE(a->cv_sd, sqrt(squares / (double)n - mean * mean), 1e-6);
    for (int q = 0; q < LW_ACTIVITY_QUANTILES; q++)
        CHECK_CLOSE(a->cv_at[q], cv[(int64_t)(lw_activity_quantile[q] * (double)n)], 0.0005 + 1e-9);
    synchrony_check(a, first);
    correlation_check(a, first);
}

static void run(const lw_comm *world, lw_partition partition, int64_t piece, lw_activity out[3]) {
    lw_activity_spec spec = {.from = FROM, .bin = BIN, .pair_bin = PAIR_BIN, .sample = SAMPLE, .least = LEAST};
    trains x = {0};
    trains_make(world, partition, &x);
    CHECK_OK(lw_sim_activity_begin(x.sim, &spec));
    while (lw_sim_step(x.sim) < STEPS) {
        int64_t left = STEPS - lw_sim_step(x.sim);
        CHECK_OK(lw_sim_advance(x.sim, left < piece ? left : piece, NULL));
        CHECK_OK(lw_sim_activity_flush(x.sim));
    }
    CHECK_OK(lw_sim_activity_get(x.sim, out));
    trains_free(&x);
}

TEST(known_trains) {
    lw_comm *world = NULL;
    lw_activity first[3], a[3];
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    run(world, LW_PARTITION_BLOCK, STEPS, first);
    population_check(&first[0], 0);
    population_check(&first[2], N_A);
    CHECK_INT(first[1].spikes, 0); /* graded: nothing to count */
    CHECK(isnan(first[1].rate));
    /* theory: Bernoulli trains have a coefficient sqrt(1 - p), the common events of B show */
    CHECK_CLOSE(first[0].cv_at[2], sqrt(0.98), 0.05);
    CHECK_CLOSE(first[0].cv_at[0], 0, 0);
    CHECK_CLOSE(first[0].correlation, 0, 0.02);
    CHECK(first[2].synchrony > 2.5 && first[2].correlation > 0.1);
    for (int64_t piece = 7; piece <= 1000; piece = piece * 11 + 1) {
        run(world, piece % 2 ? LW_PARTITION_ROUND_ROBIN : LW_PARTITION_BLOCK, piece, a);
        CHECK(memcmp(a, first, sizeof a) == 0);
    }
    lw_comm_stop(&world);
}

TEST(beginning_anew) {
    lw_activity_spec spec = {.from = FROM, .bin = BIN, .pair_bin = PAIR_BIN, .sample = SAMPLE, .least = LEAST};
    lw_comm *world = NULL;
    lw_activity first[3], a[3];
    trains x = {0};
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    run(world, LW_PARTITION_BLOCK, STEPS, first);
    trains_make(world, LW_PARTITION_BLOCK, &x);
    CHECK_OK(lw_sim_activity_begin(x.sim, &spec));
    CHECK_OK(lw_sim_advance(x.sim, 100, NULL)); /* nothing counts yet */
    CHECK_OK(lw_sim_activity_get(x.sim, a));
    CHECK_INT(a[0].steps + a[0].spikes, 0);
    CHECK(isnan(a[0].rate) && isnan(a[0].cv) && isnan(a[0].correlation));
    CHECK_OK(lw_sim_advance(x.sim, 2003, NULL));
    CHECK_OK(lw_sim_activity_flush(x.sim));
    lw_sim_reset(x.sim);
    CHECK_OK(lw_sim_advance(x.sim, STEPS, NULL));
    CHECK_OK(lw_sim_activity_get(x.sim, a));
    CHECK(memcmp(a, first, sizeof a) == 0);
    CHECK_FAILS(lw_sim_activity_begin(x.sim, &spec), LW_EUSE, "counted already");
    trains_free(&x);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(known_trains), CASE(beginning_anew))
