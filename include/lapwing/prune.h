/* SPDX-License-Identifier: BSD-3-Clause
 *
 * prune: Lyapunov Noise Pruning (reconstructed; Chakraborty et al., arXiv 2403.03409, with noise-prune of Moore &
 * Chaudhuri, arXiv 2011.07334) and its controls, all at exactly requested counts. Results are keep flags;
 * lw_net_compact makes the small network.
 */
#ifndef LAPWING_PRUNE_H
#define LAPWING_PRUNE_H

#include <lapwing/lyap.h>

/* ------------------------------------------------------------------ small graph and matrix tools (serial, local) */

/** Directed weighted graph in CSR over rows = sources; columns ascending, no duplicates. */
typedef struct lw_graph {
    int64_t n, m;
    int64_t *row;   /* [n + 1] */
    int64_t *col;   /* [m] targets */
    double *weight; /* [m] */
} lw_graph;
lw_err lw_graph_create(int64_t n, int64_t m, const int64_t *source, const int64_t *target, const double *weight,
    lw_graph *out) LW_MUST_CHECK;
void lw_graph_free(lw_graph *g);
/** Betweenness centrality (Brandes 2001), unweighted directed: sums over ordered pairs; for an undirected graph stored
 * both ways, halve it. Sources first, first + stride, ... only (parallel: add over ranks). by_length: lengths 1/|w|.
 * out[n] is accumulated. */
lw_err lw_graph_betweenness(
    const lw_graph *g, bool by_length, int64_t first, int64_t stride, double *out) LW_MUST_CHECK;
/** Weakly connected components: label[n] from 0; returns their number. cut[n] (may be NULL): 1 at articulation points
 * of the weak graph. */
lw_err lw_graph_components(const lw_graph *g, int64_t *label, uint8_t *cut, int64_t *count) LW_MUST_CHECK;

/** Solve A C + C A^T = -Q for dense real A (row-major [n,n], Hurwitz), Q symmetric. Bartels-Stewart by real Schur form
 * (LAPACK dgees, dtrsyl). ENUM when A is not Hurwitz. */
lw_err lw_lyapunov_equation(int64_t n, const double *a, const double *q, double *c) LW_MUST_CHECK;
/** q_ij = |w| (C_ii + C_jj - 2 sgn(w) C_ij) for edges (LNP.md 2.4; Moore & Chaudhuri eq. 5); 0 for i = j. w_ij acts
 * from j on i. */
void lw_noise_score(
    int64_t m, const int64_t *i, const int64_t *j, const double *w, int64_t n, const double *c, double *q);
/** The same scores without a covariance matrix: variances over `steps` Euler steps of the noise-driven linear system dx
 * = A x dt + dW, A = diagonal plus edges. Relative error about sqrt(2 tau/T), and dt/2 of the fastest unit. O(m) per
 * step and O(n + m) memory. */
lw_err lw_noise_score_sampled(int64_t m, const int64_t *i, const int64_t *j, const double *w, int64_t n,
    const double *diagonal, int64_t steps, uint64_t seed, double *q) LW_MUST_CHECK;
/** K with sum min(1, K q) = target (bisection); p = min(1, K q). ENUM when fewer than `target` scores are positive. */
lw_err lw_noise_probability(int64_t m, const double *q, double target, double *p) LW_MUST_CHECK;
/** The uniform number of an edge in an iteration; gids or any other lasting numbers of its ends. `order` tells
 * multapses apart. */
double lw_noise_uniform(uint64_t seed, int64_t iteration, int64_t target, int64_t source, int32_t order);
/** Independent draws: keep = u < p. Returns their number. */
int64_t lw_noise_poisson(int64_t m, const double *p, const double *u, uint8_t *keep);
/** Place of an edge in the order that gives exact counts: below 1 exactly where u < p (Pareto sampling; Rosen 1997). */
double lw_noise_order(double p, double u);
/** keep the `count` edges of smallest order among those allowed (NULL: all); equal ones by number. EUSE when there are
 * fewer. */
lw_err lw_keep_smallest(
    int64_t m, const double *order, const uint8_t *allowed, int64_t count, uint8_t *keep) LW_MUST_CHECK;
/** w min(1/p, cap): the weight of a kept edge. */
double lw_noise_rescale(double w, double p, double cap);
/** diagonal_i -= sum over edges into i of |w_new| - |w|: keeps diagonal + sum |row| (Moore & Chaudhuri). w_new is 0 for
 * dropped edges. */
void lw_noise_diagonal(
    int64_t n, int64_t m, const int64_t *i, const int64_t *j, const double *w, const double *w_new, double *diagonal);

/** Inverse participation ratio n sum |v|^4 / (sum |v|^2)^2 of one vector; im may be NULL. */
double lw_ipr_vector(int64_t n, const double *re, const double *im);
/** Inverse participation ratios of the right eigenvectors of a dense real matrix (row-major): mean over all, and over
 * the `slow` with the largest real part; spectral abscissa. */
typedef struct lw_ipr {
    double mean, mean_slow, abscissa;
} lw_ipr;
lw_err lw_ipr_measure(int64_t n, const double *a, int64_t slow, lw_ipr *out) LW_MUST_CHECK;
/** Step III of LNP: add edges (i, j, w) of the m candidates to `a` (row-major [n,n], changed) that spread the most
 * localised of the `slow` slow modes; at most `budget`. Never raises the mean ratio or the abscissa. taken[m]: 1 where
 * added. */
lw_err lw_delocalise(int64_t n, double *a, int64_t m, const int64_t *i, const int64_t *j, const double *w,
    int64_t budget, int64_t slow, uint8_t *taken, int64_t *restored) LW_MUST_CHECK;

/* ------------------------------------------------------------------ pruning a network */

typedef enum lw_prune_method {
    LW_PRUNE_LNP,       /* Lyapunov weights, covariance sampling, betweenness, delocalisation; iterated */
    LW_PRUNE_NOISE,     /* plain noise-prune on W (no Lyapunov), neurons by betweenness */
    LW_PRUNE_ACTIVITY,  /* neurons of lowest rate, synapses of lowest |w| * source rate */
    LW_PRUNE_MAGNITUDE, /* neurons of lowest summed |w|, synapses of lowest |w| */
    LW_PRUNE_RANDOM
} lw_prune_method;
typedef enum lw_prune_mode {
    LW_PRUNE_WEIGHTED,
    LW_PRUNE_LITERAL,
    LW_PRUNE_MC
} lw_prune_mode;                                                            /* edge weight |w||L|/mean|L|, L, W */
typedef enum lw_prune_pair { LW_PRUNE_UNION, LW_PRUNE_PAIR } lw_prune_pair; /* harmonic mean over */
typedef enum lw_prune_diagonal { LW_PRUNE_DOMINANT, LW_PRUNE_LEAK } lw_prune_diagonal;
typedef enum lw_prune_rescale { LW_PRUNE_RESCALE_NONE, LW_PRUNE_RESCALE_CAP, LW_PRUNE_RESCALE_FULL } lw_prune_rescale;
typedef enum lw_prune_exponents { LW_PRUNE_LOCAL, LW_PRUNE_LEAK_EXPONENT, LW_PRUNE_INDEX } lw_prune_exponents;

typedef struct lw_prune_spec {
    lw_prune_method method;
    int32_t pop;               /* the recurrent population that is pruned */
    int64_t neurons, synapses; /* exact numbers to keep: neurons of `pop`; synapses of its recurrent projections */
    int32_t iterations;        /* lnp: passes over steps 2.1-2.6 */
    int64_t exponents;         /* lnp: k */
    int64_t lyapunov_steps, lyapunov_transient;
    lw_prune_mode mode;
    lw_prune_pair pair;
    lw_prune_diagonal diagonal;
    lw_prune_exponents attribution;
    lw_prune_rescale rescale;
    double rescale_quantile;  /* cap 1/p at this quantile */
    double delocalise_budget; /* fraction of kept edges that may be restored (step III); 0: off */
    int64_t activity_steps;   /* activity: simulated steps */
    uint64_t seed;
} lw_prune_spec;
lw_prune_spec lw_prune_spec_default(void);
lw_err lw_prune_method_parse(const char *name, lw_prune_method *out) LW_MUST_CHECK;
const char *lw_prune_method_name(lw_prune_method m);

typedef struct lw_prune_step {
    int64_t neurons, synapses, removed_synapses, restored_synapses;
    double lambda_max, ipr_before, ipr_after, abscissa;
} lw_prune_step;
typedef struct lw_prune_report {
    lw_prune_method method;
    int64_t neurons_before, neurons_after, synapses_before,
        synapses_after; /* of the recurrent population and its recurrent projections */
    int64_t network_synapses_before, network_synapses_after; /* all projections */
    double ipr_before, ipr_after, abscissa_before,
        abscissa_after; /* NaN where the recurrent population is above 2000 neurons */
    double p_median, p_max_inverse;
    int32_t n_steps;
    lw_prune_step *step; /* [n_steps] */
    double seconds;
} lw_prune_report;
/** **Collective**. Gives the compact network (weights rescaled where asked). `sim_options` are used for spectra and
 * activity (stimulus included). */
lw_err lw_prune_run(lw_net *net, const lw_sim_options *sim_options, const lw_prune_spec *spec, const lw_watch *watch,
    lw_net **out, lw_prune_report **report) LW_MUST_CHECK;
void lw_prune_report_destroy(lw_prune_report **report);

#endif
