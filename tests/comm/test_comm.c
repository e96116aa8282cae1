/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Communicators: ranks, split, agreement on errors.
 */
#include "check.h"
#include <lapwing/comm.h>

TEST(world_knows_rank_and_size) {
    lw_comm *world = NULL;
    int rank, size;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    CHECK_INT(lw_comm_rank(world), rank);
    CHECK_INT(lw_comm_size(world), size);
    int result;
    MPI_Comm_compare(*(MPI_Comm *)lw_comm_handle(world), MPI_COMM_WORLD, &result);
    CHECK_INT(result, MPI_CONGRUENT); /* a duplicate, not the world itself */
    lw_comm_stop(&world);
    CHECK(world == NULL);
    lw_comm_stop(&world);
    int ended = 1;
    MPI_Finalized(&ended);
    CHECK(!ended); /* MPI ran before lw_comm_start, so it runs on */
}

TEST(agree_gives_all_ranks_the_lowest_failure) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    CHECK_INT(lw_comm_agree(world, LW_OK), LW_OK);
    for (int bad = 0; bad < size; bad++) {
        char expected[64];
        snprintf(expected, sizeof expected, "rank %d found 7, 3 are allowed", bad);
        lw_err err = LW_OK;
        /* every rank from `bad` on fails, with codes of its own */
        if (rank >= bad) err = LW_FAIL(rank == bad ? LW_EMODEL : LW_EIO, "rank %d found 7, 3 are allowed", rank);
        CHECK_INT(lw_comm_agree(world, err), LW_EMODEL);
        CHECK_STR(lw_err_message(), expected);
        lw_err_clear();
        CHECK_INT(lw_comm_agree(world, LW_OK), LW_OK);
        CHECK_INT(lw_comm_agree(world, rank == bad ? LW_ESTOP : LW_OK), LW_ESTOP);
        CHECK_STR(lw_err_message(), lw_err_text(LW_ESTOP)); /* a code without a message gets the table's text */
        lw_err_clear();
    }
    lw_comm_stop(&world);
}

TEST(split_orders_by_key_and_drops_negative_colors) {
    lw_comm *world = NULL, *half = NULL, *self = NULL, *copy = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    CHECK_OK(lw_comm_split(world, rank % 2, -rank, &half));
    int members = rank % 2 ? size / 2 : (size + 1) / 2;
    CHECK_INT(lw_comm_size(half), members);
    CHECK_INT(lw_comm_rank(half), members - 1 - rank / 2);
    lw_comm_destroy(&half);
    CHECK_OK(lw_comm_split(world, rank == 0 ? -1 : 0, 0, &half));
    CHECK((half == NULL) == (rank == 0));
    if (half) CHECK_INT(lw_comm_size(half), size - 1);
    lw_comm_destroy(&half);
    CHECK_OK(lw_comm_self(&self));
    CHECK_INT(lw_comm_size(self), 1);
    CHECK_INT(lw_comm_agree(self, LW_OK), LW_OK);
    CHECK_OK(lw_comm_dup(world, &copy));
    CHECK_INT(lw_comm_rank(copy), rank);
    CHECK_INT(lw_comm_size(copy), size);
    lw_comm_destroy(&copy);
    lw_comm_destroy(&self);
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0); /* nothing leaks */
}

static jmp_buf before_abort;
static void hook(int status) {
    (void)status;
    longjmp(before_abort, 1);
}

TEST(a_message_nobody_received_is_noticed) {
    static lw_comm *self;
    static int sent = 7, got;
    static bool noticed;
    static MPI_Request request;
    CHECK_OK(lw_comm_self(&self));
    MPI_Comm mpi = *(MPI_Comm *)lw_comm_handle(self);
    MPI_Isend(&sent, 1, MPI_INT, 0, 1, mpi, &request);
    lw_abort_hook_set(hook);
    fprintf(stderr, "the next line is wanted: ");
    noticed = true;
    if (setjmp(before_abort) == 0) {
        lw_comm_destroy(&self);
        noticed = false;
    }
    lw_abort_hook_set(NULL);
    CHECK(noticed);
    if (!noticed) return;
    MPI_Recv(&got, 1, MPI_INT, 0, 1, *(MPI_Comm *)lw_comm_handle(self), MPI_STATUS_IGNORE);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    CHECK_INT(got, 7);
    lw_comm_destroy(&self);
    CHECK(self == NULL);
}

CHECK_MAIN(CASE(world_knows_rank_and_size), CASE(agree_gives_all_ranks_the_lowest_failure),
    CASE(split_orders_by_key_and_drops_negative_colors), CASE(a_message_nobody_received_is_noticed))
