/* SPDX-License-Identifier: BSD-3-Clause
 *
 * QR back ends against LAPACK on the gathered matrix and against each other: R, orthonormal Q, Q R = X; uneven, empty
 * and rank-deficient blocks, full width; breakdown of CholeskyQR2; exact statistics of products of Gaussian matrices.
 */
#include <lapwing/lyap.h>
#include "check.h"
#include "reference.h"

void dgeqrf_(
    const int *m, const int *n, double *a, const int *lda, double *tau, double *work, const int *lwork, int *info);

/* Rows of this rank: 0 even shares, 1 uneven, 2 all on the last rank (the others are empty). */
static void share(const lw_comm *comm, int how, int64_t n, int64_t *first, int64_t *rows) {
    int64_t rank = lw_comm_rank(comm), ranks = lw_comm_size(comm);
    int64_t lo = n * rank / ranks, hi = n * (rank + 1) / ranks;
    if (how == 1) {
        lo = n * rank * rank / (ranks * ranks);
        hi = n * (rank + 1) * (rank + 1) / (ranks * ranks);
    }
    if (how == 2) {
        lo = rank == ranks - 1 ? 0 : n;
        hi = n;
    }
    *first = lo;
    *rows = hi - lo;
}

typedef struct problem {
    lw_comm *comm;
    int64_t n, k, first, rows;
    double *x, *q, *diag, *r; /* [rows,k] twice, [k], [k,k] */
} problem;

static problem problem_make(int64_t n, int64_t k, int how) {
    problem p = {.n = n, .k = k};
    int argc = 0;
    char **argv = NULL;
    CHECK_OK(lw_comm_start(&argc, &argv, &p.comm));
    share(p.comm, how, n, &p.first, &p.rows);
    CHECK_OK(lw_alloc((size_t)(p.rows * k), 8, "x", &p.x));
    CHECK_OK(lw_alloc((size_t)(p.rows * k), 8, "q", &p.q));
    CHECK_OK(lw_alloc((size_t)k, 8, "d", &p.diag));
    CHECK_OK(lw_alloc((size_t)(k * k), 8, "r", &p.r));
    for (int64_t i = 0; i < p.rows; i++)
        for (int64_t j = 0; j < k; j++)
            p.x[i * k + j] = lw_rng_normal(5, LW_PURPOSE_CHECK, (uint64_t)(p.first + i), (uint64_t)j, 0);
    return p;
}

static void problem_free(problem *p) {
    lw_free(p->x);
    lw_free(p->q);
    lw_free(p->diag);
    lw_free(p->r);
    lw_comm_stop(&p->comm);
}

/* expected: the kind that must have done it; LW_QR_AUTO: any */
static void factor(problem *p, lw_qr_kind kind, lw_qr_kind expected) {
    lw_qr *qr = NULL;
    memcpy(p->q, p->x, (size_t)(p->rows * p->k) * 8);
    CHECK_OK(lw_qr_create(p->comm, kind, p->rows, p->k, &qr));
    CHECK_OK(lw_qr_factor(qr, p->q, p->diag, p->r));
    if (expected != LW_QR_AUTO) CHECK_INT(lw_qr_last(qr), expected);
    lw_qr_destroy(&qr);
    CHECK(qr == NULL);
}

/* |Q^T Q - 1|_max and |Q R - X|_max, R upper triangular with the diagonal r_diag >= 0 */
static void check_factors(const problem *p, double tol) {
    int64_t k = p->k;
    double *gram = NULL, worst = 0;
    CHECK_OK(lw_alloc((size_t)(k * k), 8, "gram", &gram));
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t a = 0; a < k; a++)
            for (int64_t b = 0; b < k; b++)
                gram[a * k + b] += p->q[i * k + a] * p->q[i * k + b];
    lw_comm_sum_f64(p->comm, gram, k * k);
    for (int64_t a = 0; a < k; a++)
        for (int64_t b = 0; b < k; b++)
            worst = fmax(worst, fabs(gram[a * k + b] - (a == b)));
    CHECK_CLOSE(worst, 0, 1e-13);
    worst = 0;
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t j = 0; j < k; j++) {
            double sum = 0;
            for (int64_t l = 0; l <= j; l++)
                sum += p->q[i * k + l] * p->r[l * k + j];
            worst = fmax(worst, fabs(sum - p->x[i * k + j]));
        }
    CHECK_CLOSE(worst, 0, tol);
    for (int64_t i = 0; i < k; i++) {
        CHECK(p->diag[i] >= 0);
        CHECK(p->diag[i] == p->r[i * k + i]);
        for (int64_t j = 0; j < i; j++)
            CHECK(p->r[i * k + j] == 0);
    }
    lw_free(gram);
}

/* R of the gathered matrix by LAPACK, signs made positive; column-major */
static void check_lapack(const problem *p, double tol) {
    int n = (int)p->n, k = (int)p->k, info = 0, lwork = 64 * k;
    double *a = NULL, *tau = NULL, *work = NULL;
    void *all = NULL;
    int64_t bytes = 0;
    CHECK_OK(lw_comm_allgatherv(p->comm, p->x, p->rows * p->k * 8, &all, &bytes));
    CHECK_OK(lw_alloc((size_t)(n * k), 8, "a", &a));
    CHECK_OK(lw_alloc((size_t)k, 8, "tau", &tau));
    CHECK_OK(lw_alloc((size_t)lwork, 8, "work", &work));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < k; j++)
            a[i + j * n] = ((double *)all)[i * k + j];
    dgeqrf_(&n, &k, a, &n, tau, work, &lwork, &info);
    for (int i = 0; i < k; i++)
        for (int j = i; j < k; j++)
            CHECK_CLOSE(p->r[i * k + j], (a[i + i * n] < 0 ? -1 : 1) * a[i + j * n], tol);
    lw_free(a);
    lw_free(tau);
    lw_free(work);
    lw_free(all);
}

TEST(back_ends_agree_with_lapack) {
    static const int64_t shape[][2] = {{1, 1}, {5, 3}, {40, 7}, {203, 17}, {300, 70}};
    for (int s = 0; s < 5; s++)
        for (int how = 0; how < 3; how++)
            for (int kind = LW_QR_SCALAPACK; kind <= LW_QR_CHOLESKY2; kind++) {
                problem p = problem_make(shape[s][0], shape[s][1], how);
                factor(&p, (lw_qr_kind)kind, (lw_qr_kind)kind);
                check_factors(&p, 1e-12);
                check_lapack(&p, 1e-11);
                problem_free(&p);
            }
}

TEST(automatic_choice_follows_the_shape) {
    problem tall = problem_make(256, 8, 0), square = problem_make(48, 48, 0);
    factor(&tall, LW_QR_AUTO, LW_QR_CHOLESKY2);
    factor(&square, LW_QR_AUTO, LW_QR_SCALAPACK);
    check_factors(&square, 1e-12);
    check_lapack(&square, 1e-11);
    problem_free(&tall);
    problem_free(&square);
}

/* Columns 2 and 5 vanish, column 9 repeats column 0: Q must be orthonormal all the same, with zeros on R's diagonal. */
static void deficient(int64_t n, int64_t k, int how) {
    problem p = problem_make(n, k, how);
    for (int64_t i = 0; i < p.rows; i++) {
        p.x[i * k + 2] = p.x[i * k + 5] = 0;
        p.x[i * k + 9] = p.x[i * k];
    }
    factor(&p, LW_QR_CHOLESKY2, LW_QR_SCALAPACK);
    check_factors(&p, 1e-12);
    CHECK(p.diag[2] == 0 && p.diag[5] == 0);
    CHECK(p.diag[9] < 1e-12);
    for (int64_t i = 0; i < k; i++)
        if (i != 2 && i != 5 && i != 9) CHECK(p.diag[i] > 0.01);
    problem_free(&p);
}
TEST(rank_deficient_blocks) {
    for (int how = 0; how < 3; how++) {
        deficient(200, 12, how);
        deficient(30, 12, how);
        deficient(67, 67, how); /* as many columns as rows: every row may be a pivot */
    }
}

/* Columns aligned within `gap`: below CholeskyQR2's reach it must hand over; near it the second pass must repair. */
static void aligned(double gap, lw_qr_kind expected) {
    problem p = problem_make(160, 10, 1);
    for (int64_t i = 0; i < p.rows; i++)
        for (int64_t j = 1; j < p.k; j++)
            p.x[i * p.k + j] = p.x[i * p.k] + gap * p.x[i * p.k + j];
    factor(&p, LW_QR_CHOLESKY2, expected);
    check_factors(&p, 1e-12);
    check_lapack(&p, 1e-11);
    problem_free(&p);
}
TEST(ill_conditioned_blocks) {
    aligned(1e-3, LW_QR_CHOLESKY2);
    aligned(1e-6, LW_QR_CHOLESKY2);
    aligned(1e-7, LW_QR_AUTO);
    aligned(5e-8, LW_QR_AUTO); /* the second pass finds the first too inaccurate */
    aligned(2e-8, LW_QR_AUTO);
    aligned(1e-8, LW_QR_SCALAPACK);
    aligned(1e-11, LW_QR_SCALAPACK);
}

/* X = G K with K unit upper triangular, -1 above the diagonal (Kahan): the condition is about 2^k, yet nothing shows on
 * R's diagonal. Q and R must be right all the same. */
TEST(condition_hidden_from_the_diagonal) {
    for (int64_t k = 16; k <= 34; k += 2) {
        problem p = problem_make(600, k, 1);
        for (int64_t i = 0; i < p.rows; i++)
            for (int64_t j = k - 1; j > 0; j--)
                for (int64_t l = 0; l < j; l++)
                    p.x[i * k + j] -= p.x[i * k + l];
        factor(&p, LW_QR_CHOLESKY2, k <= 16 ? LW_QR_CHOLESKY2 : k >= 30 ? LW_QR_SCALAPACK : LW_QR_AUTO);
        check_factors(&p, 1e-10);
        problem_free(&p);
    }
}

TEST(breakdown_is_remembered_then_forgotten) {
    problem p = problem_make(256, 8, 0);
    lw_qr *qr = NULL;
    double *good = NULL;
    CHECK_OK(lw_alloc((size_t)(p.rows * p.k), 8, "good", &good));
    memcpy(good, p.x, (size_t)(p.rows * p.k) * 8);
    for (int64_t i = 0; i < p.rows; i++)
        p.x[i * p.k + 1] = p.x[i * p.k];
    CHECK_OK(lw_qr_create(p.comm, LW_QR_AUTO, p.rows, p.k, &qr));
    CHECK_OK(lw_qr_factor(qr, p.x, p.diag, NULL));
    CHECK_INT(lw_qr_last(qr), LW_QR_SCALAPACK);
    for (int t = 0; t < 17; t++) {
        memcpy(p.q, good, (size_t)(p.rows * p.k) * 8);
        CHECK_OK(lw_qr_factor(qr, p.q, p.diag, NULL));
        CHECK_INT(lw_qr_last(qr), t < 16 ? LW_QR_SCALAPACK : LW_QR_CHOLESKY2);
    }
    lw_qr_destroy(&qr);
    lw_free(good);
    problem_free(&p);
}

TEST(faults_reach_every_rank) {
    problem p = problem_make(20, 4, 0);
    lw_qr *qr = NULL;
    CHECK_FAILS(lw_qr_create(p.comm, LW_QR_AUTO, p.rows, 21, &qr), LW_EUSE, "21 columns of 20 rows");
    CHECK(qr == NULL);
    CHECK_OK(lw_qr_create(p.comm, LW_QR_CHOLESKY2, p.rows, 4, &qr));
    if (p.first == 0 && p.rows > 0) p.x[2] = NAN;
    CHECK_FAILS(lw_qr_factor(qr, p.x, p.diag, NULL), LW_ENUM, "not finite");
    lw_qr_destroy(&qr);
    problem_free(&p);
}

/* R_ii^2 N of X <- W X, W iid N(0, 1/N), X orthogonal, is chi^2 with N - i + 1 degrees, independent over i and time
 * (Newman 1986): the sum of squared standard scores of the means is chi^2 with N degrees itself. */
TEST(products_of_gaussian_matrices) {
    enum { N = 20 };
    int64_t steps = 4000;
    problem p = problem_make(N, N, 1);
    lw_qr *qr = NULL;
    double *sum = NULL, *next = NULL, *all = NULL, chi2 = 0;
    CHECK_OK(lw_alloc(N, 8, "sum", &sum));
    CHECK_OK(lw_alloc((size_t)(p.rows * N), 8, "next", &next));
    CHECK_OK(lw_alloc((size_t)(N * N), 8, "all", &all));
    CHECK_OK(lw_qr_create(p.comm, LW_QR_SCALAPACK, p.rows, N, &qr));
    CHECK_OK(lw_qr_factor(qr, p.x, p.diag, NULL));
    for (int64_t t = 0; t < steps; t++) {
        memset(all, 0, N * N * 8);
        memcpy(all + p.first * N, p.x, (size_t)(p.rows * N) * 8);
        lw_comm_sum_f64(p.comm, all, N * N);
        memset(next, 0, (size_t)(p.rows * N) * 8);
        for (int64_t i = 0; i < p.rows; i++)
            for (int64_t l = 0; l < N; l++) {
                double w = ref_normal(4000 + (uint64_t)t, REF_GINIBRE, (uint64_t)(p.first + i), (uint64_t)l);
                for (int64_t j = 0; j < N; j++)
                    next[i * N + j] += w * all[l * N + j];
            }
        memcpy(p.x, next, (size_t)(p.rows * N) * 8);
        CHECK_OK(lw_qr_factor(qr, p.x, p.diag, NULL));
        for (int i = 0; i < N; i++)
            sum[i] += log(p.diag[i] / sqrt(N));
    }
    for (int i = 0; i < N; i++) {
        double exact = 0.5 * (log(2.0 / N) + ref_digamma((N - i) / 2.0));
        double z = (sum[i] / (double)steps - exact) / (0.5 * sqrt(ref_trigamma((N - i) / 2.0) / (double)steps));
        CHECK_CLOSE(z, 0, 4);
        chi2 += z * z;
    }
    CHECK(chi2 > 4.5 && chi2 < 48); /* beyond either bound with probability 1e-4 and 4e-4 */
    lw_qr_destroy(&qr);
    lw_free(sum);
    lw_free(next);
    lw_free(all);
    problem_free(&p);
}

CHECK_MAIN(CASE(back_ends_agree_with_lapack), CASE(automatic_choice_follows_the_shape), CASE(rank_deficient_blocks),
    CASE(ill_conditioned_blocks), CASE(condition_hidden_from_the_diagonal),
    CASE(breakdown_is_remembered_then_forgotten), CASE(faults_reach_every_rank), CASE(products_of_gaussian_matrices))
