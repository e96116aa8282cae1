/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The process grid: replicas x partitions, with a communicator along each direction. The ranks of one replica are
 * neighbours in the world, because a time step talks inside a replica and only gradients cross.
 */
#include "comm_private.h"

lw_err lw_grid_create(const lw_comm *world, int replicas, lw_grid **out) {
    lw_grid *grid = NULL;
    lw_err err = LW_OK;
    *out = NULL;
    if (replicas < 1 || world->size % replicas != 0)
        err = LW_FAIL(LW_EUSE, "%d replicas do not divide %d ranks", replicas, world->size);
    if (err == LW_OK) err = lw_alloc(1, sizeof *grid, "the process grid", &grid);
    LW_TRY_TO(lw_comm_agree(world, err), failed);
    grid->replicas = replicas;
    grid->parts = world->size / replicas;
    grid->replica = world->rank / grid->parts;
    grid->part_index = world->rank % grid->parts;
    LW_TRY_TO(lw_comm_dup(world, &grid->world), failed);
    LW_TRY_TO(lw_comm_split(world, grid->replica, grid->part_index, &grid->part), failed);
    LW_TRY_TO(lw_comm_split(world, grid->part_index, grid->replica, &grid->peers), failed);
    *out = grid;
    return LW_OK;
failed:
    lw_grid_destroy(&grid);
    return err;
}

void lw_grid_destroy(lw_grid **grid) {
    if (!*grid) return;
    lw_comm_destroy(&(*grid)->peers);
    lw_comm_destroy(&(*grid)->part);
    lw_comm_destroy(&(*grid)->world);
    lw_free(*grid);
    *grid = NULL;
}
