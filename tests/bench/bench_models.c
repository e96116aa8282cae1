/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Cost of one neuron's step for every built-in model: the fused `step` kernel on neurons with equal parameters, as in a
 * simulation, in rounds over arrays that stay in the cache, with small random input. Prints one JSON line: the least of
 * several rounds in ns per neuron and step, for double and float.
 *
 *     bench_models [neurons] [model]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/model.h>

enum { ARRAYS = 128, ROUNDS = 7 };
static const double DT = 0.1;

typedef struct arrays {
    void *coef[ARRAYS], *state[ARRAYS], *input[ARRAYS], *out, *margin;
    int32_t *refractory;
} arrays;

static void reals_set(int f64, void *to, int64_t n, const double *from, double scale) {
    for (int64_t i = 0; i < n; i++) {
        if (f64)
            ((double *)to)[i] = from[i] * scale;
        else
            ((float *)to)[i] = (float)(from[i] * scale);
    }
}

static lw_err arrays_make(const lw_model *m, int f64, int64_t n, arrays *a) {
    static double value[ARRAYS][1];
    const double *param[ARRAYS];
    double *init[ARRAYS], *random;
    size_t size = f64 ? 8 : 4;
    for (int p = 0; p < m->n_param; p++) {
        value[p][0] = m->param[p].value;
        param[p] = value[p];
    }
    LW_TRY(lw_alloc((size_t)n, sizeof *random, "bench", &random));
    for (int c = 0; c < m->n_coef; c++)
        LW_TRY(lw_alloc(1, size, "bench", &a->coef[c]));
    m->derive(1, DT, param, f64, a->coef);
    static double start[ARRAYS][1];
    for (int s = 0; s < m->n_state; s++)
        init[s] = start[s];
    m->init(1, DT, param, init);
    for (int s = 0; s < m->n_state; s++) {
        LW_TRY(lw_alloc((size_t)n, size, "bench", &a->state[s]));
        for (int64_t i = 0; i < n; i++)
            random[i] = start[s][0];
        reals_set(f64, a->state[s], n, random, 1);
    }
    for (int k = 0; k < m->n_input; k++) {
        LW_TRY(lw_alloc((size_t)n, size, "bench", &a->input[k]));
        for (int64_t i = 0; i < n; i++)
            random[i] = lw_rng_uniform(1, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)k, 0);
        reals_set(f64, a->input[k], n, random, strcmp(m->input[k].unit, "pA") == 0 ? 100 : 0.5);
    }
    LW_TRY(lw_alloc((size_t)n, size, "bench", &a->out));
    LW_TRY(lw_alloc((size_t)n, sizeof *a->refractory, "bench", &a->refractory));
    lw_free(random);
    return LW_OK;
}

static void arrays_free(const lw_model *m, arrays *a) {
    for (int c = 0; c < m->n_coef; c++)
        lw_free(a->coef[c]);
    for (int s = 0; s < m->n_state; s++)
        lw_free(a->state[s]);
    for (int k = 0; k < m->n_input; k++)
        lw_free(a->input[k]);
    lw_free(a->out);
    lw_free(a->refractory);
}

static lw_err model_time(const lw_model *m, int f64, int64_t n, double *best) {
    arrays a = {{0}};
    LW_TRY(arrays_make(m, f64, n, &a));
    lw_kernel_args args = {.n = n,
        .width = 1,
        .point_width = 1,
        .coef = (const void *const *)a.coef,
        .state = a.state,
        .input = (const void *const *)a.input,
        .out = a.out,
        .refractory = m->has_refractory ? a.refractory : NULL};
    int64_t steps = 1 + 1000000 / n;
    *best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = lw_time_now();
        for (int64_t t = 0; t < steps; t++)
            m->set[f64][1].step(&args);
        double ns = (lw_time_now() - begin) * 1e9 / (double)(n * steps);
        if (ns < *best) *best = ns;
    }
    arrays_free(m, &a);
    return LW_OK;
}

int main(int argc, char **argv) {
    int64_t n = argc > 1 ? atoll(argv[1]) : 4000;
    if (n < 1) {
        fprintf(stderr, "bench_models: found %s neurons, allowed: at least 1\n", argv[1]);
        return 2;
    }
    printf("{\"bench\": \"models\", \"neurons\": %lld, \"ns_per_neuron_step\": {", (long long)n);
    for (int i = 0, shown = 0; i < lw_model_builtin_count(); i++) {
        const lw_model *m = lw_model_builtin_at(i);
        double ns[2];
        if (argc > 2 && strcmp(argv[2], m->name) != 0) continue;
        for (int f64 = 0; f64 < 2; f64++)
            if (model_time(m, f64, n, &ns[f64]) != LW_OK) {
                fprintf(stderr, "bench_models: %s\n", lw_err_message());
                return 1;
            }
        printf("%s\"%s\": {\"f64\": %.3f, \"f32\": %.3f}", shown++ ? ", " : "", m->name, ns[1], ns[0]);
    }
    printf("}}\n");
    return 0;
}
