/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The process grid for every number of replicas from 1 to the number of ranks + 1.
 */
#include "check.h"
#include <lapwing/comm.h>

TEST(grid_is_replicas_by_partitions) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    for (int replicas = 0; replicas <= size + 1; replicas++) {
        lw_grid *grid = NULL;
        if (replicas == 0 || size % replicas != 0) {
            CHECK_FAILS(lw_grid_create(world, replicas, &grid), LW_EUSE, "replicas do not divide");
            CHECK(grid == NULL);
            continue;
        }
        CHECK_OK(lw_grid_create(world, replicas, &grid));
        CHECK_INT(grid->replicas * grid->parts, size);
        CHECK_INT(grid->replica * grid->parts + grid->part_index, rank);
        CHECK_INT(lw_comm_rank(grid->part), grid->part_index);
        CHECK_INT(lw_comm_size(grid->part), grid->parts);
        CHECK_INT(lw_comm_rank(grid->peers), grid->replica);
        CHECK_INT(lw_comm_size(grid->peers), replicas);
        CHECK_INT(lw_comm_size(grid->world), size);
        /* the members of my part share my replica, those of my peers my part number */
        int64_t same[2] = {grid->replica, -grid->replica}, other[2] = {grid->part_index, -grid->part_index};
        lw_comm_max_i64(grid->part, same, 2);
        lw_comm_max_i64(grid->peers, other, 2);
        CHECK_INT(same[0], -same[1]);
        CHECK_INT(other[0], -other[1]);
        lw_grid_destroy(&grid);
        CHECK(grid == NULL);
    }
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

CHECK_MAIN(CASE(grid_is_replicas_by_partitions))
