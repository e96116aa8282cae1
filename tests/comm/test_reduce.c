/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Reductions against the sum written out in rank order, bit for bit, for lengths on either side of every change of
 * algorithm.
 */
#include <string.h>
#include "check.h"
#include <lapwing/comm.h>
#include "comm_private.h"

static double term(int rank, int64_t i) {
    double u = lw_rng_normal(3, LW_PURPOSE_CHECK, (uint64_t)rank, (uint64_t)i, 0);
    return u * pow(10, (double)(i % 17) - 8 + 5 * (rank % 2)); /* of different size: the order matters */
}

static void check_sums(const lw_comm *world, int64_t n) {
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    double *x = NULL, *top = NULL;
    float *y = NULL;
    CHECK_OK(lw_alloc((size_t)n, sizeof *x, "test", &x));
    CHECK_OK(lw_alloc((size_t)n, sizeof *top, "test", &top));
    CHECK_OK(lw_alloc((size_t)n, sizeof *y, "test", &y));
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(top[i] = x[i] = term(rank, i));
    lw_comm_sum_f64(world, x, n);
    lw_comm_sum_f32(world, y, n);
    lw_comm_max_f64(world, top, n);
    for (int64_t i = 0; i < n; i++) {
        double sum = term(0, i), most = sum;
        float sum32 = (float)sum;
        for (int r = 1; r < size; r++) {
            sum += term(r, i);
            sum32 += (float)term(r, i);
            most = fmax(most, term(r, i));
        }
        CHECK_CLOSE(x[i], sum, 0);
        CHECK_CLOSE(y[i], sum32, 0);
        CHECK_CLOSE(top[i], most, 0);
    }
    lw_free(x);
    lw_free(y);
    lw_free(top);
}

TEST(sums_are_in_rank_order) {
    static const int64_t lengths[] = {0, 1, 2, 3, 7, 1023, 1024, 1025, 4097, 20011};
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        check_sums(world, lengths[k]);
    lw_comm_limit_set(world, 40000); /* pieces of 40000 bytes */
    check_sums(world, 20011);
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

TEST(maximum_keeps_nan_on_every_rank) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    for (int bad = 0; bad < size; bad++) {
        double x[2] = {rank, rank == bad ? NAN : rank};
        lw_comm_max_f64(world, x, 2);
        CHECK_CLOSE(x[0], size - 1, 0);
        CHECK(isnan(x[1]));
    }
    lw_comm_stop(&world);
}

TEST(integers_and_scans) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    for (int limit = 0; limit < 2; limit++) {
        int64_t sum[5], most[5], least[5], all[64], below = 0;
        for (int i = 0; i < 5; i++)
            sum[i] = most[i] = least[i] = ((int64_t)1 << 40) * rank + i;
        lw_comm_sum_i64(world, sum, 5);
        lw_comm_max_i64(world, most, 5);
        lw_comm_min_i64(world, least, 5);
        for (int i = 0; i < 5; i++) {
            CHECK_INT(sum[i], ((int64_t)1 << 40) * (size * (size - 1) / 2) + size * i);
            CHECK_INT(most[i], ((int64_t)1 << 40) * (size - 1) + i);
            CHECK_INT(least[i], i);
        }
        lw_comm_allgather_i64(world, rank * rank, all);
        for (int r = 0; r < rank; r++)
            below += r * r;
        for (int r = 0; r < size; r++)
            CHECK_INT(all[r], r * r);
        CHECK_INT(lw_comm_exscan_i64(world, rank * rank), below);
        lw_comm_limit_set(world, 16); /* two numbers a call */
    }
    lw_comm_stop(&world);
}

TEST(broadcast_of_any_length) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (int limit = 0; limit < 2; limit++) {
        for (int root = 0; root < lw_comm_size(world); root++) {
            for (int64_t n = 0; n < 25; n++) {
                char text[25] = {0};
                for (int64_t i = 0; i < n && lw_comm_rank(world) == root; i++)
                    text[i] = (char)(i + root);
                lw_comm_bcast(world, text, n, root);
                for (int64_t i = 0; i < 25; i++)
                    CHECK_INT(text[i], i < n ? i + root : 0);
            }
        }
        lw_comm_limit_set(world, 7);
    }
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(sums_are_in_rank_order), CASE(maximum_keeps_nan_on_every_rank), CASE(integers_and_scans),
    CASE(broadcast_of_any_length))
