/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Pools against sums written out in rank order, bit for bit, in memory that all ranks see and with messages: even and
 * uneven stretches, empty ones, one piece and many; and again in the same pool.
 */
#include <string.h>
#include "check.h"
#include <lapwing/comm.h>
#include "comm_private.h"

static double term(int rank, int64_t i, int round) {
    double u = lw_rng_normal(3, LW_PURPOSE_CHECK, (uint64_t)rank, (uint64_t)i, (uint64_t)round);
    return u * pow(10, (double)(i % 17) - 8 + 5 * (rank % 2)); /* of different size: the order matters */
}

/* what a rank makes of its sums */
static double made(double sum, int64_t i) {
    return 3 * sum + (double)i;
}

static void check_round(lw_pool *pool, const lw_comm *comm, int64_t n, const int64_t *cut, int64_t piece, int round) {
    int rank = lw_comm_rank(comm), size = lw_comm_size(comm);
    double *x = lw_pool_mine(pool);
    for (int64_t i = 0; i < n; i++)
        x[i] = term(rank, i, round);
    for (int64_t at = 0; at < n; at += piece)
        lw_pool_ready(pool, at, at + piece < n ? piece : n - at);
    lw_pool_meet(pool);
    int64_t middle = (cut[rank] + cut[rank + 1]) / 2; /* as two threads would */
    lw_pool_add(pool, middle, cut[rank + 1]);
    lw_pool_add(pool, cut[rank], middle);
    for (int64_t i = cut[rank]; i < cut[rank + 1]; i++) {
        double sum = term(0, i, round);
        for (int r = 1; r < size; r++)
            sum += term(r, i, round);
        CHECK_CLOSE(x[i], sum, 0);
        x[i] = made(x[i], i);
    }
    lw_pool_hand(pool);
    for (int r = 0; r < size; r++)
        for (int64_t i = cut[r]; i < cut[r + 1]; i++) {
            double sum = term(0, i, round);
            for (int q = 1; q < size; q++)
                sum += term(q, i, round);
            CHECK_CLOSE(lw_pool_stretch(pool, r)[i - cut[r]], made(sum, i), 0);
        }
    lw_pool_leave(pool);
}

TEST(stretches_are_summed_and_handed_round) {
    static const int64_t lengths[] = {0, 1, 5, 1024, 3001};
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int size = lw_comm_size(world);
    int64_t *cut = calloc((size_t)size + 1, sizeof *cut);
    for (int apart = 0; apart < 2; apart++)
        for (int even = 0; even < 2; even++)
            for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
                int64_t n = lengths[k];
                lw_pool *pool = NULL;
                for (int r = 0; r <= size; r++) /* uneven: the second rank has most, the last nothing */
                    cut[r] = even ? n * r / size : r == 0 ? 0 : r == 1 && size > 1 ? n / 5 : n;
                lw_comm_apart_set(world, apart);
                CHECK_OK(lw_pool_create(world, n, cut, &pool));
                for (int64_t i = 0; i < n; i++)
                    CHECK(lw_pool_mine(pool)[i] == 0);
                check_round(pool, world, n, cut, n + 1, 0);
                int64_t once = lw_pool_bytes(pool);
                check_round(pool, world, n, cut, 1 + n / 20, 1);
                check_round(pool, world, n, cut, n + 1, 2);
                CHECK_INT(lw_pool_bytes(pool), 3 * once);
                if (!apart) CHECK_INT(once, 0); /* one node, as tests are */
                if (apart && even && n > size) CHECK(once > 0 || size == 1);
                lw_pool_destroy(&pool);
                CHECK(pool == NULL);
            }
    free(cut);
    lw_comm_stop(&world);
}

TEST(integers_are_dealt_out) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int size = lw_comm_size(world), rank = lw_comm_rank(world);
    int64_t count[8] = {3, 0, 5, 2, 1, 1, 1, 1}, x[16], before = 0, n = 0;
    for (int r = 0; r < size; r++) {
        if (r < rank) before += count[r];
        n += count[r];
    }
    for (int64_t i = 0; i < n; i++)
        x[i] = INT64_C(1000000000000) * (i + 1) + rank;
    lw_comm_sum_deal_i64(world, x, count);
    for (int64_t i = 0; i < count[rank]; i++)
        CHECK_INT(x[i], size * INT64_C(1000000000000) * (before + i + 1) + size * (size - 1) / 2);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(stretches_are_summed_and_handed_round), CASE(integers_are_dealt_out))
