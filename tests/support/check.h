/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Test support. cmocka compares only floats and jumps away when one rank fails, so ranks would hang in the next
 * collective. These checks never jump: they count failures, print them (rank, file, line, both numbers), and CHECK_MAIN
 * agrees over all ranks at the end of every test, where all fail together. Checks are local; put no collective call
 * behind a check.
 */
#ifndef LAPWING_TEST_CHECK_H
#define LAPWING_TEST_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <mpi.h>
#include <lapwing/base.h>

static int check_failures; /* of the running test, this rank */

static inline int check_rank(void) {
    int rank = 0, on = 0;
    MPI_Initialized(&on);
    if (on) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}
static inline void check_report(const char *file, int line, const char *what, double found, double expected) {
    if (check_failures++ < 20)
        fprintf(stderr, "[rank %d] %s:%d: check failed: %s: found %.17g, expected %.17g\n", check_rank(), file, line,
            what, found, expected);
}
/** A condition. */
#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond)) check_report(__FILE__, __LINE__, #cond, 0, 1);                                                    \
    } while (0)
/** Two integers are equal. */
#define CHECK_INT(found, expected)                                                                                     \
    do {                                                                                                               \
        int64_t f_ = (int64_t)(found), e_ = (int64_t)(expected);                                                       \
        if (f_ != e_) check_report(__FILE__, __LINE__, #found, (double)f_, (double)e_);                                \
    } while (0)
/** |found - expected| <= tol, both finite (NaN and infinity fail). tol 0: equal. */
#define CHECK_CLOSE(found, expected, tol)                                                                              \
    do {                                                                                                               \
        double f_ = (found), e_ = (expected);                                                                          \
        if (!(isfinite(f_) && isfinite(e_) && fabs(f_ - e_) <= (tol)))                                                 \
            check_report(__FILE__, __LINE__, #found, f_, e_);                                                          \
    } while (0)
/** Relative to the larger of the two. */
#define CHECK_REL(found, expected, tol)                                                                                \
    do {                                                                                                               \
        double f_ = (found), e_ = (expected), s_ = fmax(fabs(f_), fabs(e_));                                           \
        if (!(isfinite(f_) && isfinite(e_) && fabs(f_ - e_) <= (tol)*s_))                                              \
            check_report(__FILE__, __LINE__, #found, f_, e_);                                                          \
    } while (0)
#define CHECK_STR(found, expected)                                                                                     \
    do {                                                                                                               \
        const char *f_ = (found), *e_ = (expected);                                                                    \
        if (!f_ || strcmp(f_, e_) != 0) {                                                                              \
            fprintf(stderr, "found \"%s\", expected \"%s\"\n", f_ ? f_ : "(null)", e_);                                \
            check_report(__FILE__, __LINE__, #found, 0, 1);                                                            \
        }                                                                                                              \
    } while (0)
/** A call succeeds; prints the recorded message otherwise. */
#define CHECK_OK(call)                                                                                                 \
    do {                                                                                                               \
        lw_err c_ = (call);                                                                                            \
        if (c_ != LW_OK) {                                                                                             \
            fprintf(stderr, "%s\n", lw_err_message());                                                                 \
            check_report(__FILE__, __LINE__, #call, c_, 0);                                                            \
            lw_err_clear();                                                                                            \
        }                                                                                                              \
    } while (0)
/** A call fails with this code and its message contains `text`. */
#define CHECK_FAILS(call, code, text)                                                                                  \
    do {                                                                                                               \
        lw_err c_ = (call);                                                                                            \
        if (c_ != (code)) check_report(__FILE__, __LINE__, #call, c_, (code));                                         \
        if (!strstr(lw_err_message(), (text))) {                                                                       \
            fprintf(stderr, "message \"%s\" does not contain \"%s\"\n", lw_err_message(), (text));                     \
            check_report(__FILE__, __LINE__, "message of " #call, 0, 1);                                               \
        }                                                                                                              \
        lw_err_clear();                                                                                                \
    } while (0)

static inline int check_setup(void **state) {
    (void)state;
    check_failures = 0;
    return 0;
}
/* all ranks agree, then all fail together */
static inline void check_finish(void) {
    int all = check_failures, on = 0;
    MPI_Initialized(&on);
    if (on) MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (all) fail_msg("%d checks failed over all ranks", all);
}
/** Defines a test function: TEST(name) { ... }. List it in CHECK_MAIN with CASE(name). */
#define TEST(name)                                                                                                     \
    static void name##_body(void);                                                                                     \
    static void name(void **state) {                                                                                   \
        (void)state;                                                                                                   \
        name##_body();                                                                                                 \
        check_finish();                                                                                                \
    }                                                                                                                  \
    static void name##_body(void)
#define CASE(name) cmocka_unit_test_setup(name, check_setup)
/** main(): starts MPI, runs the cases on every rank, prints on rank 0 only, returns the worst result of all ranks. */
#define CHECK_MAIN(...)                                                                                                \
    int main(int argc, char **argv) {                                                                                  \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                                               \
        MPI_Init(&argc, &argv);                                                                                        \
        if (check_rank() != 0) (void)!freopen("/dev/null", "w", stdout);                                               \
        int bad = cmocka_run_group_tests(tests, NULL, NULL);                                                           \
        MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);                                        \
        MPI_Finalize();                                                                                                \
        return bad ? 1 : 0;                                                                                            \
    }

#endif
