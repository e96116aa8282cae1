/* SPDX-License-Identifier: BSD-3-Clause
 *
 * kernel: the binary interface between the code that Lapwing generates from a model's text and the engine that calls
 * it. Generated files include this header and nothing else; it includes only the C library.
 *
 * One step of a model is cut in two, so that spikes and their derivatives live in the engine, not in every model:
 *
 *     update   (state, input)  ->  state before firing, margin u        (ODEs and `update` lines; u = the `spike`
 * expression) [engine] s = 1 when u >= 0 and not refractory, else 0             (or a smooth S(u); slope = S'(u), the
 * surrogate) fire     (state, s)      ->  state after reset:  x = (1 - s) x + s reset(x);  refractory counters
 *
 * A graded model (`output expr` instead of `spike`) has no margin: its `fire` writes out = expr(state) and leaves the
 * state alone, its fire_tan writes out_tan = d expr / d state * state_tan, its fire_adj adds the transpose to
 * state_adj. `update` never touches out.
 *
 * Arrays are structure-of-arrays blocks [n, width]: n neurons, `width` lanes (samples of a batch, or tangent vectors),
 * the lane being the fastest index. Coefficients are per neuron, [n], or one number each in the `uniform` twin of a
 * kernel.
 */
#ifndef LAPWING_KERNEL_H
#define LAPWING_KERNEL_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LW_KERNEL_ABI 2

/** What a kernel works on. Pointers typed `void` are float or double as the kernel set says. Unused ones are NULL. */
typedef struct lw_kernel_args {
    int64_t n, width;
    const void *const *coef;  /* [n_coef], each [n] (uniform twin: [1]) */
    void *const *state;       /* [n_state], each [n,width], in and out */
    const void *const *input; /* [n_input], each [n,width] */
    void *out;                /* [n,width] step: spikes as 0/1; graded models: fire and step write the output */
    void *margin;             /* [n,width] update writes the spike expression u of the state before firing */
    int32_t *refractory;      /* [n,width] steps left; NULL when the model has no `refractory` */
    uint8_t *held;     /* [n,width] update writes 1 where the neuron was refractory in this step (NULL: not wanted) */
    const void *spike; /* [n,width] fire reads the emitted value s */

    /* the linearisation point, read by tangent and adjoint kernels; arrays may be NULL where the model's `need` mask
     * has no bit */
    const void *const *point_old; /* [n_state], each [n,point_width]: state before update */
    const void *const *point_in;  /* [n_input]: the input of update */
    const void *const *point_pre; /* [n_state]: state after update, before fire */
    const void *point_spike;      /* [n,point_width] s */
    const void *point_slope;      /* [n,point_width] S'(u); 0 where held */
    const uint8_t *point_held;    /* [n,point_width], NULL when the model has no `refractory` */
    int64_t point_width;          /* width, or 1: all lanes share one trajectory */
    int32_t reset_detached;       /* 1: ds is not propagated through the reset (s counts as constant there) */

    /* tangents [.., n, width]; coef_tan may be NULL (no parameter direction) */
    void *const *state_tan;        /* [n_state], in and out */
    const void *const *input_tan;  /* [n_input] */
    void *out_tan;                 /* fire_tan writes it: spiking ds = slope du; graded d output */
    const double *const *coef_tan; /* [n_coef], each [n] */

    /* adjoints; coef_adj is accumulated where not NULL */
    void *const *state_adj;  /* [n_state], in and out: adjoint of the kernel's result -> of its argument */
    void *const *input_adj;  /* [n_input], written (not accumulated) by update_adj; never NULL there */
    const void *out_adj;     /* [n,width] adjoint of the emitted spike or graded output, read by fire_adj */
    double *const *coef_adj; /* [n_coef], each [n], accumulated over lanes; NULL: no parameter gradient */

    /* tangents of adjoints, together with state_tan (of the state before update, in fire_adj_tan before fire; read
     * only here), input_tan, coef_tan and the adjoints before the kernel; none of those named is NULL */
    const void *point_curve;     /* [n,point_width] S''(u); 0 where held */
    void *const *state_adj_tan;  /* [n_state], in and out */
    void *const *input_adj_tan;  /* [n_input], written */
    const void *out_adj_tan;     /* [n,width] */
    double *const *coef_adj_tan; /* [n_coef], each [n], accumulated over lanes */
} lw_kernel_args;

typedef void (*lw_kernel)(const lw_kernel_args *args);

/** Kernels of one precision, in the general (per-neuron coefficients) or the uniform form. */
typedef struct lw_kernel_set {
    lw_kernel step; /* update, hard threshold, fire, in one pass; same bits as update + threshold + fire */
    lw_kernel update;
    lw_kernel fire;       /* spiking: reset by a->spike; graded: a->out = output expression */
    lw_kernel update_tan; /* state_tan, input_tan (coef_tan) -> state_tan */
    lw_kernel fire_tan;   /* state_tan (coef_tan) -> out_tan, then (spiking) state_tan through the reset */
    lw_kernel fire_adj;   /* state_adj, out_adj -> state_adj (coef_adj) */
    lw_kernel update_adj; /* state_adj -> state_adj, input_adj (coef_adj) */
    /* Derivatives of the two adjoint kernels along a direction in everything they read. To be called before them, as
     * they read the adjoints that those replace. In double precision only; NULL in the sets of float. */
    lw_kernel fire_adj_tan;   /* state_adj, out_adj and their tangents -> state_adj_tan, coef_adj_tan */
    lw_kernel update_adj_tan; /* state_adj and its tangent -> state_adj_tan, input_adj_tan, coef_adj_tan */
} lw_kernel_set;

typedef struct lw_model_param {
    const char *name, *unit, *about;
    double value;             /* default, in internal units (ms, mV, pA, pF, nS, kHz) */
    double scale;             /* internal units per written unit */
    double lo, hi;            /* domain */
    int32_t lo_open, hi_open; /* 1: the bound itself is not allowed */
} lw_model_param;

typedef struct lw_model_name {
    const char *name, *unit, *about;
    double scale;
} lw_model_name;

/** Bits of the need masks: bit i of `old`, `in`, `pre` is set when the array i is read. */
typedef struct lw_model_need {
    uint32_t old, in, pre;
} lw_model_need;

/** Everything known about a compiled model. Constant data; lives as long as the program (or the loaded object). */
typedef struct lw_model {
    int32_t abi;                           /* LW_KERNEL_ABI */
    const char *name, *about, *text, *key; /* text: the model file; key: hash of text, generator version */
    int32_t n_param, n_state, n_input, n_coef;
    const lw_model_param *param; /* [n_param] */
    const lw_model_name *state;  /* [n_state] */
    const lw_model_name *input;  /* [n_input] receptor ports; synaptic weights onto a port carry its unit */
    int32_t emits_spikes;        /* 1: `spike`, 0: `output` (graded) */
    int32_t has_refractory;      /* 1: refractory counters are used; coef[refractory_coef] holds the steps */
    int32_t refractory_coef;     /* index, or -1 */
    lw_model_need need;          /* arrays that tangent and adjoint kernels read without parameter directions */
    lw_model_need need_coef;     /* the same with coef_tan / coef_adj given */
    lw_model_need need_second;   /* the same with tangents of adjoints */
    lw_model_need need_tan;      /* arrays whose tangents the tangents of adjoints read */

    /** Parameters (double, internal units, [n_param] each [n]) -> coefficients of the given precision (0 float, 1
     * double). */
    void (*derive)(int64_t n, double dt, const double *const *param, int32_t precision, void *const *coef);
    /** coef_tan[c] = sum_p d coef_c / d param_p * param_tan[p]; param_tan[p] may be NULL. */
    void (*derive_tan)(
        int64_t n, double dt, const double *const *param, const double *const *param_tan, double *const *coef_tan);
    /** param_adj[p] += sum_c d coef_c / d param_p * coef_adj[c]; param_adj[p] may be NULL. */
    void (*derive_adj)(
        int64_t n, double dt, const double *const *param, const double *const *coef_adj, double *const *param_adj);
    /** Its tangent: param_adj_tan[p] += sum_c (d2 coef_c / d param_p d param . param_tan) coef_adj[c] + d coef_c / d
     * param_p coef_adj_tan[c]. */
    void (*derive_adj_tan)(int64_t n, double dt, const double *const *param, const double *const *param_tan,
        const double *const *coef_adj, const double *const *coef_adj_tan, double *const *param_adj_tan);
    /** Initial state from parameters, in double: state[i] is [n]. */
    void (*init)(int64_t n, double dt, const double *const *param, double *const *state);
    lw_kernel_set set[2][2]; /* [precision: 0 float, 1 double][0 general, 1 uniform] */
} lw_model;

/* ------------------------------------------------------------------ used by generated code */

/** Loops are written once and specialised by constant arguments. */
#define LW_KERNEL_INLINE static inline __attribute__((always_inline))
/** Before a loop whose iterations touch different elements of arrays that do not overlap (restrict on locals is not
 * enough for gcc). */
#if defined(__clang__)
#define LW_KERNEL_LOOP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define LW_KERNEL_LOOP _Pragma("GCC ivdep")
#else
#define LW_KERNEL_LOOP
#endif

#if defined(__GNUC__)
#define LW_KERNEL_PREFETCH(address) __builtin_prefetch(address)
#else
#define LW_KERNEL_PREFETCH(address) ((void)(address))
#endif

/** Divided difference exp[x1, ..., xn], 1 <= n <= 9, in any order of the points, equal points included. The entry (1,n)
 * of the exponential of the bidiagonal matrix with x on the diagonal and 1 above it (Opitz 1964), by Taylor series,
 * scaling and squaring. The points are shifted so that the largest is 0: then nothing overflows, all products are
 * positive, and the relative error stays some 1e-15. */
static inline double lw_kernel_expdd(int n, const double *x) {
    enum { MAX = 9, TERMS = 26 };
    double lo = x[0], hi = x[0], e[MAX][MAX] = {{0}}, scale = 1;
    for (int i = 1; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    if (n == 1) return exp(hi);
    if (n == 2) return hi > lo ? exp(hi) * (expm1(lo - hi) / (lo - hi)) : exp(hi);
    int squarings = 0;
    while ((hi - lo) * scale > 0.5 && squarings < 64) {
        scale *= 0.5;
        squarings++;
    }
    for (int i = 0; i < n; i++)
        e[i][i] = 1;
    for (int k = TERMS; k >= 1; k--) /* Horner: e = 1 + z e / k, z bidiagonal */
        for (int i = 0; i < n; i++)
            for (int j = i; j < n; j++)
                e[i][j] = (i == j) + scale / k * ((x[i] - hi) * e[i][j] + (j > i ? e[i + 1][j] : 0));
    for (int s = 0; s < squarings; s++) {
        scale *= 2;
        for (int i = 0; i < n; i++) { /* in place: entry (i,j) needs (i,i..j) and the rows below, all still old */
            for (int j = n - 1; j > i; j--) {
                double sum = 0;
                for (int k = i; k <= j; k++)
                    sum += e[i][k] * e[k][j];
                e[i][j] = sum;
            }
            e[i][i] = exp((x[i] - hi) * scale); /* anew: squaring would double its relative error every time */
        }
    }
    return exp(hi) * e[0][n - 1];
}

/** exp for loops over neurons: no branch and no call, so the compiler makes vectors of it, and the same bits in a
 * vector as alone. x = k ln 2 + r, |r| <= ln 2 / 2 (Cody & Waite), exp r = 1 + r + r^2 P(r) with P through Chebyshev
 * nodes (relative error 2e-17, in float 2e-10), 2^k by the exponent's bits. Within 1 unit in the last place of the true
 * value; arguments beyond -708 and 709 (float: -87 and 88) count as these, so results are finite and not 0. NaN stays
 * NaN. */
LW_KERNEL_INLINE double lw_kernel_exp(double x) {
    const double magic =
        0x1.8p52; /* what is added and taken away rounds to an integer, and leaves it in the low bits */
    double y = x < -708 ? -708 : x > 709 ? 709 : x;
    double shifted = y * 0x1.71547652b82fep0 + magic, k = shifted - magic;
    double r = (y - k * 0x1.62e42fefa0000p-1) - k * 0x1.cf79abc9e3b3ap-40;
    double r2 = r * r;
    double p4 = 0x1.2891d4ffbb0f9p-22 + 0x1.af390ba7e6f47p-26 * r;
    double p3 = 0x1.a019b8ca26fcfp-16 + 0x1.71de0d85293b8p-19 * r;
    double p2 = 0x1.6c16c1789d1d7p-10 + 0x1.a01a01a7cebcdp-13 * r;
    double p1 = 0x1.5555555553d37p-5 + 0x1.11111111109a6p-7 * r;
    double p0 = 0.5 + 0x1.5555555555556p-3 * r;
    double p = 1 + (r + r2 * (p0 + r2 * (p1 + r2 * (p2 + r2 * (p3 + r2 * p4)))));
    uint64_t bits, power;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits += power << 52;
    memcpy(&p, &bits, sizeof p);
    return x == x ? p : x;
}
LW_KERNEL_INLINE float lw_kernel_expf(float x) {
    const float magic = 0x1.8p23f;
    float y = x < -87 ? -87 : x > 88 ? 88 : x;
    float shifted = y * 0x1.715476p0f + magic, k = shifted - magic;
    float r = (y - k * 0x1.62e400p-1f) - k * 0x1.7f7d1cp-20f;
    float r2 = r * r;
    float p2 = 0.00139337307f + 0.000198910805f * r;
    float p1 = 0.0416664642f + 0.00833331084f * r;
    float p0 = 0.5f + 0.166666667f * r;
    float p = 1 + (r + r2 * (p0 + r2 * (p1 + r2 * p2)));
    uint32_t bits, power;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits += power << 23;
    memcpy(&p, &bits, sizeof p);
    return x == x ? p : x;
}

/** 1 / (1 + exp(-x)) without overflow. */
static inline double lw_kernel_sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static inline float lw_kernel_sigmoidf(float x) {
    return 1 / (1 + expf(-x));
}

/** pow with the exponents 0 and 1, which weight dependence often has, for nothing; the same values. */
static inline double lw_kernel_power(double x, double p) {
    return p == 0 ? 1 : p == 1 ? x : pow(x, p);
}

/* ------------------------------------------------------------------ synapse models
 *
 * A synapse model has variables of the source (pre), of the target (post) and one weight. Pre variables change at the
 * source's spikes, post variables at the target's, both flow by their `ode` lines in between; a weight changes when a
 * spike of either side reaches the synapse. Times are steps, in doubles, as the target's spikes count them: a pre spike
 * that meets the synapse at `now` finds post spikes of steps before now as past. */

enum { LW_SYNAPSE_STATE_MAX = 8, LW_SYNAPSE_COEF_MAX = 64, LW_SYNAPSE_AHEAD = 12 };

/** Recent spikes of targets. Entry e of a target, counted from 0 (the state at the start, at step -1), stands at place
 * e & mask of its ring: [0] step, [1 ..] post variables right after it. */
typedef struct lw_synapse_trail {
    const int64_t *count; /* [targets] number of the newest entry */
    const double *entry;  /* [targets][mask + 1][1 + n_post] */
    int64_t mask;
} lw_synapse_trail;

/** Some synapses of one source with one delay. First the post spikes of steps in (after, until], in their order, then
 * (delivered != NULL) the pre spike at `now`. */
typedef struct lw_synapse_row {
    const double *coef; /* [n_coef] */
    double dt;          /* ms */
    const double *pre;  /* [n_pre] right after the source's last spike before `now` */
    double last;        /* when that one (or the start) met these synapses */
    double after, until, now;
    int64_t n;
    const uint32_t *target; /* [n] index into the trail */
    void *weight;           /* [n] float or double */
    double *delivered;      /* [n] or NULL */
    const lw_synapse_trail *trail;
} lw_synapse_row;

/** A compiled synapse model. Constant data; lives as long as the program (or the loaded object). */
typedef struct lw_synapse_model {
    int32_t abi;                           /* LW_KERNEL_ABI */
    const char *name, *about, *text, *key; /* as in lw_model */
    int32_t n_param, n_pre, n_post, n_coef;
    const lw_model_param *param;          /* [n_param]; unit "weight": counts in the unit of the projection's port */
    const char *const *pre, *const *post; /* names of the variables */
    int32_t needs_post;                   /* weights or what is delivered depend on the target's spikes */
    int32_t post_changes_weight;          /* spikes of the target change weights */
    void (*derive)(const double *param, double *coef);
    void (*init)(const double *param, double *pre, double *post);  /* at the start */
    void (*pre_spike)(const double *coef, double ms, double *pre); /* flow for ms, then the spike */
    void (*post_spike)(const double *coef, double ms, double *post);
    void (*row[2])(const lw_synapse_row *row); /* weights float, double */
} lw_synapse_model;

/** What differs between models, known when lw_synapse_row_run is compiled for one. */
typedef struct lw_synapse_code {
    int n_coef, n_pre, n_post;
    int on_post;       /* post spikes change the weight */
    int on_post_reads; /* and how depends on post variables */
    int on_pre_reads;  /* a pre spike or what is delivered reads post variables */
    int on_pre;        /* a pre spike changes the weight */
    void (*pre_flow)(const double *coef, double ms, double *pre);
    void (*post_flow)(const double *coef, double ms, double *post);
    double (*post_weight)(const double *coef, const double *pre, const double *post, double weight);
    void (*pre_weight)(const double *coef, const double *pre, const double *post, double *weight, double *delivered);
} lw_synapse_code;

LW_KERNEL_INLINE void lw_synapse_row_run(const lw_synapse_row *row, const lw_synapse_code code, const int is_double) {
    const int64_t n = row->n, mask = row->trail->mask, stride = 1 + code.n_post;
    const double dt = row->dt, last = row->last, after = row->after, until = row->until, now = row->now;
    const uint32_t *restrict const target = row->target;
    const int spikes = row->delivered != NULL;
    double coef[LW_SYNAPSE_COEF_MAX], pre[LW_SYNAPSE_STATE_MAX] = {0};
    for (int k = 0; k < code.n_coef; k++)
        coef[k] = row->coef[k];
    for (int k = 0; k < code.n_pre; k++)
        pre[k] = row->pre[k];
    code.pre_flow(coef, now > last ? (now - last) * dt : 0, pre);
    for (int64_t i = 0; i < n; i++) {
        double post[LW_SYNAPSE_STATE_MAX] = {0};
        double weight = is_double ? ((const double *)row->weight)[i] : (double)((const float *)row->weight)[i];
        if ((code.on_post || code.on_pre_reads) && i + LW_SYNAPSE_AHEAD < n) {
            const int64_t ahead = target[i + LW_SYNAPSE_AHEAD];
            LW_KERNEL_PREFETCH(row->trail->entry + (ahead * (mask + 1) + (row->trail->count[ahead] & mask)) * stride);
        }
        if (code.on_post || code.on_pre_reads) {
            const double *const entry = row->trail->entry + (int64_t)target[i] * (mask + 1) * stride;
            int64_t e = row->trail->count[target[i]], past;
            while (e > 0 && entry[(e & mask) * stride] > until) /* has not come here yet */
                e--;
            if (code.on_post) {
                int64_t from = e;
                while (from > 0 && entry[(from & mask) * stride] > after)
                    from--;
                while (from < e) {
                    double x[LW_SYNAPSE_STATE_MAX] = {0}, y[LW_SYNAPSE_STATE_MAX] = {0};
                    const double *const before = entry + (from & mask) * stride;
                    const double step = entry[(++from & mask) * stride];
                    for (int k = 0; k < code.n_pre; k++)
                        x[k] = row->pre[k];
                    code.pre_flow(coef, step > last ? (step - last) * dt : 0, x);
                    if (code.on_post_reads) {
                        for (int k = 0; k < code.n_post; k++)
                            y[k] = before[1 + k];
                        code.post_flow(coef, (step - before[0]) * dt, y);
                    }
                    weight = code.post_weight(coef, x, y, weight);
                    /* as it is stored: then it does not matter at which visit an event is made up for */
                    if (!is_double) weight = (double)(float)weight;
                }
            }
            if (code.on_pre_reads && spikes) {
                for (past = e; past > 0 && entry[(past & mask) * stride] >= now;)
                    past--;
                const double *const newest = entry + (past & mask) * stride;
                for (int k = 0; k < code.n_post; k++)
                    post[k] = newest[1 + k];
                code.post_flow(coef, now > newest[0] ? (now - newest[0]) * dt : 0, post);
            }
        }
        if (spikes) code.pre_weight(coef, pre, post, &weight, &row->delivered[i]);
        if (!code.on_post && !(code.on_pre && spikes)) continue;
        if (is_double)
            ((double *)row->weight)[i] = weight;
        else
            ((float *)row->weight)[i] = (float)weight;
    }
}

#endif
