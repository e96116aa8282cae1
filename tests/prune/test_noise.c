/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Noise-prune: covariance, scores, probabilities, sampling and rescaling, against hand cases, exact identities and the
 * published test networks of Moore & Chaudhuri (2020). Case numbers are those of the acceptance list in
 * src/prune/README.md.
 */
#include <cblas.h>
#include <lapwing/prune.h>
#include "check.h"

void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work,
    const int *lwork, int *iwork, const int *liwork, int *info);
void dsygst_(const int *itype, const char *uplo, const int *n, double *a, const int *lda, const double *b,
    const int *ldb, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);

static double normal(uint64_t seed, int64_t i, int64_t j) {
    return lw_rng_normal(seed, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)j, 9); /* uniforms use draws 0 to 3 */
}
static double uniform(uint64_t seed, int64_t i, int64_t j, uint32_t which) {
    return lw_rng_uniform(seed, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)j, which);
}
static double *doubles(int64_t n) {
    double *x = NULL;
    CHECK_OK(lw_alloc((size_t)n, sizeof *x, "numbers", &x));
    return x;
}
static double *unity(int64_t n) {
    double *q = doubles(n * n);
    for (int64_t i = 0; i < n; i++)
        q[i * n + i] = 1;
    return q;
}
/* |A C + C A^T + Q|_F / |C|_F */
static double residual(int64_t n, const double *a, const double *q, const double *c) {
    double r = 0, size = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = q[i * n + j];
            for (int64_t l = 0; l < n; l++)
                s += a[i * n + l] * c[l * n + j] + c[i * n + l] * a[j * n + l];
            r += s * s;
            size += c[i * n + j] * c[i * n + j];
        }
    return sqrt(r / size);
}

TEST(check_1_path_of_three) {
    double a[9] = {-2, 1, 0, 1, -4, 2, 0, 2, -3}, c[9], q[2], *one = unity(3);
    static const double exact[9] = {8, 3, 2, 3, 6, 4, 2, 4, 7};
    int64_t i[2] = {0, 1}, j[2] = {1, 2};
    double w[2] = {1, 2};
    CHECK_OK(lw_lyapunov_equation(3, a, one, c));
    for (int e = 0; e < 9; e++)
        CHECK_CLOSE(c[e], exact[e] / 26, 1e-14);
    lw_noise_score(2, i, j, w, 3, c, q);
    CHECK_CLOSE(q[0], 8.0 / 26, 1e-14);
    CHECK_CLOSE(q[1], 10.0 / 26, 1e-14);
    a[5] = a[7] = w[1] = -2; /* an inhibitory edge: C_23 changes its sign, the scores do not */
    CHECK_OK(lw_lyapunov_equation(3, a, one, c));
    CHECK_CLOSE(c[5], -4.0 / 26, 1e-14);
    lw_noise_score(2, i, j, w, 3, c, q);
    CHECK_CLOSE(q[0], 8.0 / 26, 1e-14);
    CHECK_CLOSE(q[1], 10.0 / 26, 1e-14);
    lw_free(one);
}

TEST(check_2_not_symmetric) {
    double *one = unity(2), c[4], q[1];
    int64_t i[1] = {0}, j[1] = {1};
    for (double w = -2; w <= 2; w += 0.5) {
        double a[4] = {-1, w, 0, -1};
        CHECK_OK(lw_lyapunov_equation(2, a, one, c));
        CHECK_CLOSE(c[3], 0.5, 1e-13);
        CHECK_CLOSE(c[1], w / 4, 1e-13);
        CHECK_CLOSE(c[0], 0.5 + w * w / 4, 1e-13);
        lw_noise_score(1, i, j, &w, 2, c, q);
        CHECK_CLOSE(q[0], fabs(w) * (1 + w * w / 4 - fabs(w) / 2), 1e-13);
    }
    lw_free(one);
}

TEST(check_2_residual_in_general) {
    static const int64_t size[] = {1, 2, 3, 17, 64, 65, 130, 211};
    for (int s = 0; s < 8; s++) {
        int64_t n = size[s];
        double *a = doubles(n * n), *q = doubles(n * n), *c = doubles(n * n);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) { /* complex pairs well inside the left half plane; a full right side */
                a[i * n + j] = normal(3, i, j) / sqrt((double)n) - 1.5 * (i == j);
                q[i * n + j] = q[j * n + i] = i == j ? (double)n : normal(4, i, j);
            }
        CHECK_OK(lw_lyapunov_equation(n, a, q, c));
        CHECK_CLOSE(residual(n, a, q, c), 0, 1e-10);
        a[0] = 50;
        CHECK_FAILS(lw_lyapunov_equation(n, a, q, c), LW_ENUM, "not stable");
        lw_free(a);
        lw_free(q);
        lw_free(c);
    }
}

/* A = W - diag(sum |W|) of an undirected random graph with signed weights. */
TEST(check_3_trace_identity) {
    enum { N = 1000 };
    double *a = doubles(N * N), *c = doubles(N * N), *one = unity(N), sum = 0;
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < i; j++) {
            if (uniform(8, i, j, 0) > 0.1) continue;
            double w = normal(8, i, j) + 0.2;
            a[i * N + j] = a[j * N + i] = w;
            a[i * N + i] -= fabs(w);
            a[j * N + j] -= fabs(w);
        }
    CHECK_OK(lw_lyapunov_equation(N, a, one, c));
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < i; j++) {
            double q = 0;
            if (a[i * N + j] == 0) continue;
            lw_noise_score(1, &i, &j, &a[i * N + j], N, c, &q);
            sum += q;
        }
    CHECK_REL(sum, N / 2.0, 1e-10);
    lw_free(a);
    lw_free(c);
    lw_free(one);
}

/* A directed network of 40 units, rows dominant. */
enum { SMALL = 40, ROOM = SMALL * SMALL };
typedef struct small {
    int64_t m, i[ROOM], j[ROOM];
    double w[ROOM], q[ROOM], p[ROOM], u[ROOM], diagonal[SMALL], a[ROOM], c[ROOM];
    uint8_t keep[ROOM];
} small;
static small *small_make(void) {
    static small s;
    double *one = unity(SMALL);
    memset(&s, 0, sizeof s);
    for (int64_t i = 0; i < SMALL; i++) {
        s.diagonal[i] = -1;
        for (int64_t j = 0; j < SMALL; j++) {
            if (i == j || uniform(21, i, j, 0) > 0.25) continue;
            s.i[s.m] = i;
            s.j[s.m] = j;
            s.w[s.m] = s.a[i * SMALL + j] = 0.5 * normal(21, i, j);
            s.diagonal[i] -= fabs(s.w[s.m++]);
        }
        s.a[i * SMALL + i] = s.diagonal[i];
    }
    CHECK_OK(lw_lyapunov_equation(SMALL, s.a, one, s.c));
    lw_noise_score(s.m, s.i, s.j, s.w, SMALL, s.c, s.q);
    lw_free(one);
    return &s;
}

TEST(probabilities_meet_their_target) {
    small *s = small_make();
    static const double part[] = {0.01, 0.1, 0.5, 0.9, 0.999, 1};
    for (int t = 0; t < 6; t++) {
        double target = floor(part[t] * (double)s->m), sum = 0, k = 0;
        CHECK_OK(lw_noise_probability(s->m, s->q, target, s->p));
        for (int64_t e = 0; e < s->m; e++) {
            sum += s->p[e];
            if (s->p[e] < 1) k = s->p[e] / s->q[e];
        }
        CHECK_REL(sum, target, 1e-12);
        for (int64_t e = 0; e < s->m && k > 0; e++)
            CHECK_CLOSE(s->p[e], fmin(1, k * s->q[e]), 1e-12);
    }
    CHECK_FAILS(lw_noise_probability(s->m, s->q, (double)s->m + 1, s->p), LW_ENUM, "positive score");
}

TEST(check_4_unbiased) {
    small *s = small_make();
    enum { DRAWS = 1000 };
    static double mean[ROOM], square[ROOM];
    double expected = 0, variance = 0;
    CHECK_OK(lw_noise_probability(s->m, s->q, 0.4 * (double)s->m, s->p));
    for (int64_t e = 0; e < s->m; e++) {
        expected += s->p[e];
        variance += s->p[e] * (1 - s->p[e]);
    }
    for (int d = 0; d < DRAWS; d++) {
        double diagonal[SMALL], sum[SMALL] = {0};
        static double fresh[ROOM];
        for (int64_t e = 0; e < s->m; e++)
            s->u[e] = lw_noise_uniform(5, d, s->i[e], s->j[e], 0);
        int64_t count = lw_noise_poisson(s->m, s->p, s->u, s->keep);
        CHECK_CLOSE((double)count, expected, 4.5 * sqrt(variance));
        memcpy(diagonal, s->diagonal, sizeof diagonal);
        for (int64_t e = 0; e < s->m; e++) {
            fresh[e] = s->keep[e] ? lw_noise_rescale(s->w[e], s->p[e], INFINITY) : 0;
            mean[e] += fresh[e] / DRAWS;
            square[e] += fresh[e] * fresh[e] / DRAWS;
            sum[s->i[e]] += fabs(fresh[e]) - fabs(s->w[e]);
        }
        lw_noise_diagonal(SMALL, s->m, s->i, s->j, s->w, fresh, diagonal);
        for (int i = 0; i < SMALL; i++)
            CHECK_CLOSE(diagonal[i] + sum[i], s->diagonal[i], 1e-12);
    }
    double chi2 = 0;
    for (int64_t e = 0; e < s->m; e++) { /* variance of w/p when kept: w^2 (1 - p)/p */
        double se = fabs(s->w[e]) * sqrt((1 - s->p[e]) / s->p[e] / DRAWS);
        double z = se > 0 ? (mean[e] - s->w[e]) / se : 0;
        CHECK_CLOSE(mean[e], s->w[e], 6 * se + 1e-12); /* rare edges are far from normal */
        chi2 += z * z;
    }
    CHECK_CLOSE(chi2 / (double)s->m, 1, 0.35);
    CHECK_CLOSE(lw_noise_rescale(-2, 0.1, 4), -8, 1e-15);
}

TEST(exact_counts_keep_the_probabilities) {
    small *s = small_make();
    enum { DRAWS = 4000 };
    static double seen[ROOM], order[ROOM];
    int64_t target = s->m * 2 / 5;
    memset(seen, 0, sizeof seen);
    CHECK_OK(lw_noise_probability(s->m, s->q, (double)target, s->p));
    for (int d = 0; d < DRAWS; d++) {
        uint8_t poisson[ROOM];
        for (int64_t e = 0; e < s->m; e++) {
            s->u[e] = lw_noise_uniform(6, d, s->i[e], s->j[e], 0);
            order[e] = lw_noise_order(s->p[e], s->u[e]);
            CHECK((order[e] < 1) == (s->u[e] < s->p[e]));
        }
        CHECK_OK(lw_keep_smallest(s->m, order, NULL, target, s->keep));
        int64_t drawn = lw_noise_poisson(s->m, s->p, s->u, poisson), count = 0, common = 0;
        for (int64_t e = 0; e < s->m; e++) {
            count += s->keep[e];
            common += s->keep[e] && poisson[e];
            seen[e] += (double)s->keep[e] / DRAWS;
        }
        CHECK_INT(count, target);
        CHECK_INT(common, drawn < target ? drawn : target); /* the Poisson draw, filled up or cut */
    }
    for (int64_t e = 0; e < s->m; e++)
        CHECK_CLOSE(seen[e], s->p[e], 5 * sqrt(s->p[e] * (1 - s->p[e]) / DRAWS) + 0.005);
    CHECK_FAILS(lw_keep_smallest(s->m, order, s->keep, target + 1, s->keep), LW_EUSE, "are to be kept, there are");
}

TEST(check_5_variances_by_simulation) {
    small *s = small_make();
    static double sampled[ROOM];
    int64_t steps = 200000;
    double fastest = 0, worst = 0, mean = 0;
    for (int i = 0; i < SMALL; i++)
        fastest = fmax(fastest, -s->diagonal[i]);
    CHECK_OK(lw_noise_score_sampled(s->m, s->i, s->j, s->w, SMALL, s->diagonal, steps, 3, sampled));
    double predicted = sqrt(2 / (0.05 / fastest * (double)steps)); /* the slowest unit relaxes at rate about 1 */
    for (int64_t e = 0; e < s->m; e++) {
        worst = fmax(worst, fabs(sampled[e] / s->q[e] - 1));
        mean += (sampled[e] / s->q[e] - 1) / (double)s->m;
    }
    CHECK(worst < 4 * predicted + 0.025);
    CHECK_CLOSE(mean, 0.01, 0.03); /* Euler: dt/2 of the rates */
    s->diagonal[3] = 0;
    CHECK_FAILS(
        lw_noise_score_sampled(s->m, s->i, s->j, s->w, SMALL, s->diagonal, 10, 3, sampled), LW_ENUM, "not stable");
}

/* ------------------------------------------------------------------ Moore & Chaudhuri's clusters */

typedef struct clusters {
    int64_t n, m; /* undirected edges, i > j */
    int64_t *i, *j;
    double *w, *a, *c, *q, *p;
} clusters;

static void cluster_edge(clusters *t, int64_t i, int64_t j, double w) {
    if (t->a[i * t->n + j] != 0) return;
    t->a[i * t->n + j] = t->a[j * t->n + i] = w;
}

static clusters clusters_make(const int64_t size[3], int64_t far, uint64_t seed) {
    clusters t = {.n = size[0] + size[1] + size[2]};
    double *one = unity(t.n), *x = doubles(t.n), *y = doubles(t.n), top = 0;
    int64_t begin = 0, n = t.n;
    t.a = doubles(n * n);
    t.c = doubles(n * n);
    for (int b = 0; b < 3; begin += size[b++])
        for (int64_t i = begin; i < begin + size[b]; i++)
            for (int64_t j = begin; j < i; j++)
                if (uniform(seed, i, j, 0) < 0.6) cluster_edge(&t, i, j, 1 + normal(seed, i, j));
    for (int64_t e = 0; e < far;) { /* between clusters */
        int64_t i = (int64_t)(uniform(seed, e, far, 1) * (double)n),
                j = (int64_t)(uniform(seed, e, far, 2) * (double)n);
        int bi = (i >= size[0]) + (i >= size[0] + size[1]), bj = (j >= size[0]) + (j >= size[0] + size[1]);
        e++;
        if (bi != bj)
            cluster_edge(&t, i, j, uniform(seed, i, j, 3));
        else
            far++;
    }
    for (int64_t v = 0; v < n; v++)
        x[v] = 1;
    for (int round = 0; round < 60; round++) { /* largest eigenvalue by powers: far from the rest */
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, 1, t.a, (int)n, x, 1, 0, y, 1);
        top = cblas_dnrm2((int)n, y, 1);
        for (int64_t v = 0; v < n; v++)
            x[v] = y[v] / top;
    }
    for (int64_t e = 0; e < n * n; e++) {
        t.a[e] /= 1.1 * top;
        t.m += e / n > e % n && t.a[e] != 0;
    }
    CHECK_OK(lw_alloc((size_t)t.m, sizeof(int64_t), "edges", &t.i));
    CHECK_OK(lw_alloc((size_t)t.m, sizeof(int64_t), "edges", &t.j));
    t.w = doubles(t.m);
    t.q = doubles(t.m);
    t.p = doubles(t.m);
    t.m = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++) {
            double w = t.a[i * n + j];
            if (w == 0) continue;
            t.i[t.m] = i;
            t.j[t.m] = j;
            t.w[t.m++] = w;
            t.a[i * n + i] -= fabs(w);
            t.a[j * n + j] -= fabs(w);
        }
    CHECK_OK(lw_lyapunov_equation(n, t.a, one, t.c));
    lw_noise_score(t.m, t.i, t.j, t.w, n, t.c, t.q);
    lw_free(one);
    lw_free(x);
    lw_free(y);
    return t;
}

static void clusters_free(clusters *t) {
    lw_free(t->i);
    lw_free(t->j);
    lw_free(t->w);
    lw_free(t->a);
    lw_free(t->c);
    lw_free(t->q);
    lw_free(t->p);
}

/* Draw by t->p, full rescaling, diagonal of the row sums; the pruned matrix. */
static double *clusters_prune(const clusters *t, int64_t draw, int64_t *kept) {
    int64_t n = t->n;
    double *b = doubles(n * n), *diagonal = doubles(n), *fresh = doubles(t->m), *u = doubles(t->m);
    uint8_t *keep = NULL;
    CHECK_OK(lw_alloc((size_t)t->m, 1, "keep", &keep));
    for (int64_t e = 0; e < t->m; e++)
        u[e] = lw_noise_uniform(77, draw, t->i[e], t->j[e], 0);
    *kept = lw_noise_poisson(t->m, t->p, u, keep);
    for (int64_t i = 0; i < n; i++)
        diagonal[i] = t->a[i * n + i];
    for (int64_t e = 0; e < t->m; e++) {
        fresh[e] = keep[e] ? lw_noise_rescale(t->w[e], t->p[e], INFINITY) : 0;
        b[t->i[e] * n + t->j[e]] = b[t->j[e] * n + t->i[e]] = fresh[e];
    }
    lw_noise_diagonal(n, t->m, t->i, t->j, t->w, fresh, diagonal);
    lw_noise_diagonal(n, t->m, t->j, t->i, t->w, fresh, diagonal); /* the mirrored entries */
    for (int64_t i = 0; i < n; i++)
        b[i * n + i] = diagonal[i];
    lw_free(diagonal);
    lw_free(fresh);
    lw_free(u);
    lw_free(keep);
    return b;
}

static double *eigenvalues(int64_t n, const double *a) {
    double *copy = doubles(n * n), *w = doubles(n), size = 0, *work = NULL;
    int order = (int)n, lwork = -1, liwork = 1, one = 0, info = 0;
    memcpy(copy, a, (size_t)(n * n) * sizeof *copy);
    dsyevd_("N", "U", &order, copy, &order, w, &size, &lwork, &one, &(int){-1}, &info);
    lwork = (int)size;
    work = doubles(lwork);
    dsyevd_("N", "U", &order, copy, &order, w, work, &lwork, &one, &liwork, &info);
    CHECK_INT(info, 0);
    lw_free(copy);
    lw_free(work);
    return w;
}

static void relative_error(int64_t n, const double *old, const double *a, double *max, double *mean) {
    double *new = eigenvalues(n, a);
    *max = *mean = 0;
    for (int64_t k = 0; k < n; k++) {
        double e = fabs(new[k] / old[k] - 1);
        *max = fmax(*max, e);
        *mean += e / (double)n;
    }
    lw_free(new);
}

/* The published network: counts, spectrum, and the spectral errors at 20 % against uniform pruning. */
TEST(check_6_published_network) {
    static const int64_t size[3] = {1000, 200, 800};
    for (uint64_t seed = 1; seed <= 2; seed++) {
        clusters t = clusters_make(size, 2500, seed);
        double *old = eigenvalues(t.n, t.a), max = 0, mean = 0, most = 0, smallest = 1;
        double max_uniform = 0, mean_uniform = 0;
        int64_t kept = 0;
        CHECK_CLOSE(2.0 * (double)t.m, 1.0105e6, 4000);
        CHECK_CLOSE(old[0], -1.21, 0.03);
        CHECK_CLOSE(old[t.n - 1], -0.031, 0.003);
        CHECK_OK(lw_noise_probability(t.m, t.q, 0.196 * (double)t.m, t.p));
        for (int64_t e = 0; e < t.m; e++) {
            most = fmax(most, t.p[e]);
            smallest = fmin(smallest, t.p[e]);
        }
        CHECK(1 / smallest > 300); /* the heavy tail that asks for a cap: 750 to 1640 were seen */
        double *pruned = clusters_prune(&t, (int64_t)seed, &kept);
        CHECK_CLOSE((double)kept / (double)t.m, 0.196, 0.003);
        relative_error(t.n, old, pruned, &max, &mean);
        lw_free(pruned);
        for (int64_t e = 0; e < t.m; e++)
            t.p[e] = 0.196;
        pruned = clusters_prune(&t, (int64_t)seed, &kept);
        relative_error(t.n, old, pruned, &max_uniform, &mean_uniform);
        lw_free(pruned);
        CHECK(max > 0.12 && max < 0.35);     /* .19 to .22; one eigenvalue decides */
        CHECK(mean > 0.030 && mean < 0.042); /* .036 to .037 */
        CHECK(max_uniform > 0.40);           /* .47 to .49 */
        CHECK(mean_uniform > 0.060);         /* .067 to .068 */
        lw_free(old);
        clusters_free(&t);
    }
}

/* max over x of |x' A' x / x' A x - 1| through the pencil (-A', -A) */
static double pencil_error(int64_t n, const double *a, const double *b) {
    double *lower = doubles(n * n), *x = doubles(n * n), worst = 0;
    int order = (int)n, info = 0, one = 1;
    for (int64_t e = 0; e < n * n; e++) {
        lower[e] = -a[e];
        x[e] = -b[e];
    }
    dpotrf_("U", &order, lower, &order, &info);
    CHECK_INT(info, 0);
    dsygst_(&one, "U", &order, x, &order, lower, &order, &info);
    CHECK_INT(info, 0);
    double *w = eigenvalues(n, x);
    for (int64_t k = 0; k < n; k++)
        worst = fmax(worst, fabs(w[k] - 1));
    lw_free(lower);
    lw_free(x);
    lw_free(w);
    return worst;
}

TEST(check_7_epsilon_guarantee) {
    static const int64_t size[3] = {500, 100, 400};
    static const double epsilon[3] = {0.3, 0.5, 0.9}, part[3] = {0.876, 0.661, 0.262}, seen[3] = {0.024, 0.102, 0.324};
    clusters t = clusters_make(size, 1250, 1);
    for (int k = 0; k < 3; k++) {
        double expected = 0;
        int64_t kept = 0;
        for (int64_t e = 0; e < t.m; e++) {
            t.p[e] = fmin(1, 8 * log((double)t.n) / (epsilon[k] * epsilon[k]) * t.q[e]);
            expected += t.p[e] / (double)t.m;
        }
        CHECK_CLOSE(expected, part[k], 0.02);
        double *pruned = clusters_prune(&t, 10 + k, &kept), worst = pencil_error(t.n, t.a, pruned);
        CHECK(worst <= epsilon[k]);
        CHECK(worst > 0.5 * seen[k] && worst < 2 * seen[k]);
        lw_free(pruned);
    }
    clusters_free(&t);
}

CHECK_MAIN(CASE(check_1_path_of_three), CASE(check_2_not_symmetric), CASE(check_2_residual_in_general),
    CASE(check_3_trace_identity), CASE(probabilities_meet_their_target), CASE(check_4_unbiased),
    CASE(exact_counts_keep_the_probabilities), CASE(check_5_variances_by_simulation), CASE(check_6_published_network),
    CASE(check_7_epsilon_guarantee))
