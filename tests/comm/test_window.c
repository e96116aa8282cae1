/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Windows: what each rank writes all of them see after a meeting; ranks that share no node have none.
 */
#include <lapwing/comm.h>
#include "check.h"
#include "comm_private.h"

TEST(all_ranks_see_what_each_wrote) {
    lw_comm *world = NULL, *apart = NULL;
    lw_window *w = NULL;
    enum { EACH = 5000 };
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    int64_t before = lw_mem_now(), n = (int64_t)EACH * size, wrong = 0;
    CHECK_OK(lw_window_create(world, n * (int64_t)sizeof(int32_t), &w));
    CHECK(w != NULL);
    CHECK(lw_mem_now() - before >= EACH * (int64_t)sizeof(int32_t));
    int32_t *x = lw_window_at(w);
    for (int turn = 1; turn < 4; turn++) {
        lw_window_meet(w); /* read by all */
        for (int64_t i = 0; i < EACH; i++)
            x[(rank + turn) % size * EACH + i] = (int32_t)(turn * 100000 + rank * 10000 + i);
        lw_window_meet(w); /* written by all */
        for (int64_t i = 0; i < n; i++)
            wrong += x[i] != turn * 100000 + (i / EACH - turn % size + size) % size * 10000 + i % EACH;
    }
    CHECK_INT(wrong, 0);
    lw_window_destroy(&w);
    CHECK(w == NULL);
    CHECK_INT(lw_mem_now(), before);
    CHECK_OK(lw_comm_split(world, 0, rank, &apart));
    lw_comm_apart_set(apart, true);
    CHECK_OK(lw_window_create(apart, 8, &w));
    CHECK(w == NULL);
    lw_comm_destroy(&apart);
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(all_ranks_see_what_each_wrote))
