/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lyap: Lyapunov spectra of running networks: k tangents, re-orthonormalised every few steps, exponents with error
 * bars. Source: Benettin et al. 1980; Geist, Parlitz & Lauterborn 1990 (QR form); LYAPUNOV notes in src/lyap/README.md.
 */
#ifndef LAPWING_LYAP_H
#define LAPWING_LYAP_H

#include <lapwing/sim.h>

typedef enum lw_qr_kind {
    LW_QR_AUTO, /* CholeskyQR2 while k is much smaller than the dimension and the block well conditioned, else ScaLAPACK
                 */
    LW_QR_SCALAPACK, /* pdgeqrf + pdorgqr (or their LQ twins on the transposed block) */
    LW_QR_CHOLESKY2  /* communication-avoiding CholeskyQR2 (Fukaya et al. 2014); falls back to ScaLAPACK when it breaks
                        down */
} lw_qr_kind;

/** Distributed QR of a tall block whose rows are spread over ranks as they lie. */
typedef struct lw_qr lw_qr;
/** rows: this rank's rows (>= 0). **Collective**. */
lw_err lw_qr_create(const lw_comm *comm, lw_qr_kind kind, int64_t rows, int64_t k, lw_qr **out) LW_MUST_CHECK;
void lw_qr_destroy(lw_qr **qr);
/** block [rows, k] row-major: replaced by Q (orthonormal columns); r_diag[k] = |R_ii| >= 0, the same on every rank.
 * **Collective**. r (may be NULL): [k,k] row-major upper triangle R with non-negative diagonal. */
lw_err lw_qr_factor(lw_qr *qr, double *block, double *r_diag, double *r) LW_MUST_CHECK;
/** The kind that did the last factorisation. */
lw_qr_kind lw_qr_last(const lw_qr *qr);

typedef struct lw_lyapunov_spec {
    int64_t k;         /* exponents; 0: all */
    int64_t steps;     /* steps that count */
    int64_t transient; /* steps of the state alone before */
    int64_t warmup;    /* steps with tangents that do not count (after the transient); -1: a tenth of steps */
    int64_t every;     /* steps between orthonormalisations; 0: adapted at run time from max R_ii / min R_ii */
    int32_t blocks;    /* block means for standard errors; 0: 20 */
    lw_qr_kind qr;
    uint64_t seed;       /* tangent basis, keyed by (gid, state, column) */
    bool at_cut;         /* the initial state is a state before firing (reference networks) */
    bool profile;        /* neuron-resolved exponents */
    const double *basis; /* NULL, or this rank's rows [rows, k] of an own start block (orthonormalised before use) */
} lw_lyapunov_spec;
static inline lw_lyapunov_spec lw_lyapunov_spec_default(void) {
    lw_lyapunov_spec s = {.k = 0, .steps = 2000, .transient = 200, .warmup = -1, .every = 1, .blocks = 20, .seed = 1};
    return s;
}

typedef struct lw_lyapunov {
    int64_t k, dimension, steps, transient, warmup;
    double dt;             /* ms */
    double *exponent;      /* [k] 1/ms, descending; -INFINITY for collapsed directions */
    double *stderr_;       /* [k] */
    double *exponent_step; /* [k] nats per step, in the order of the columns (not sorted) */
    int64_t collapsed;     /* directions with R_ii <= 2^-36 R_max seen */
    double kaplan_yorke, kaplan_yorke_stderr;
    double entropy_rate;  /* sum of the positive exponents, 1/ms (upper bound; Ruelle) */
    double sum;           /* of all finite exponents */
    int64_t n_trace;      /* convergence record: running means of the exponents at n_trace steps */
    int64_t *trace_step;  /* [n_trace] */
    double *trace;        /* [n_trace, k], 1/ms */
    double *ln_r_sum;     /* [k] sum of ln R_ii over counted steps (for golden tests) */
    int64_t n_local;      /* neuron profile: Lambda_j = <sum_i ln R_ii Q_ji^2> over finite i, nats per step,
                           by lid; its sum over all neurons is that of the finite exponents; NULL when not asked */
    double *profile;      /* [n_local] */
    bool profile_partial; /* k < dimension: weights of a neuron do not sum to 1 */
    double spread_max;    /* largest R_11 / R_kk met */
    int64_t every_last;   /* interval in use at the end */
    lw_qr_kind qr;        /* used last */
    double rate_hz;       /* during the counted steps */
    double seconds_product, seconds_qr;
} lw_lyapunov;
/** **Collective**. The engine must have width 1, double precision; its surrogate and reset switch define the Jacobian.
 */
lw_err lw_lyapunov_run(
    lw_sim *sim, const lw_lyapunov_spec *spec, const lw_watch *watch, lw_lyapunov **out) LW_MUST_CHECK;
void lw_lyapunov_destroy(lw_lyapunov **l);

/** Kaplan-Yorke dimension of exponents in descending order; n when the sum of all is >= 0. **Local**. */
double lw_kaplan_yorke(const double *exponent, int64_t n);
/** First Wasserstein distance of two spectra on 200 quantiles (LNP.md 2.7), -inf entries left out. **Local**. */
double lw_spectrum_distance(const double *a, int64_t n_a, const double *b, int64_t n_b);

#endif
