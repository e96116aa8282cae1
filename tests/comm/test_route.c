/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Routed records and gathers of byte strings, in one call and in pieces.
 */
#include "check.h"
#include <lapwing/comm.h>
#include "comm_private.h"

enum { MOST = 200 };

typedef struct record {
    int32_t sender, number;
    char rest[5]; /* an odd size */
} record;

/* Records of `rank`: where each goes. A pure function of its arguments. */
static int64_t route_make(int rank, int size, int kind, int32_t *dest) {
    lw_stream s = lw_stream_start(4, LW_PURPOSE_CHECK, (uint64_t)rank, (uint64_t)kind);
    int64_t n = kind == 1 && rank % 2 ? 0 : (int64_t)lw_stream_below(&s, MOST);
    for (int64_t i = 0; i < n; i++)
        dest[i] = kind == 2 ? size - 1 : (int32_t)lw_stream_below(&s, (uint64_t)size);
    return n;
}

static void check_route(const lw_comm *world, int kind) {
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    int32_t dest[MOST];
    record records[MOST] = {{0}};
    int64_t n = route_make(rank, size, kind, dest), n_got = -1, from[64], at = 0;
    void *out = NULL;
    for (int64_t i = 0; i < n; i++)
        records[i] = (record){.sender = rank, .number = (int32_t)i, .rest = "abcd"};
    CHECK_OK(lw_comm_route(world, n, dest, records, sizeof *records, &out, &n_got, from));
    const record *got = out;
    for (int r = 0; r < size; r++) {
        int64_t sent = route_make(r, size, kind, dest), count = 0;
        for (int64_t i = 0; i < sent; i++) {
            if (dest[i] != rank) continue;
            if (at < n_got) {
                CHECK_INT(got[at].sender, r);
                CHECK_INT(got[at].number, i);
                CHECK_STR(got[at].rest, "abcd");
            }
            at++;
            count++;
        }
        CHECK_INT(from[r], count);
    }
    CHECK_INT(n_got, at);
    lw_free(out);
}

TEST(records_arrive_by_sender_and_order) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    for (int limit = 0; limit < 2; limit++) {
        for (int kind = 0; kind < 3; kind++)
            check_route(world, kind);
        lw_comm_limit_set(world, 50); /* not a multiple of a record */
    }
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

TEST(a_wrong_rank_is_refused_everywhere) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int32_t dest[2] = {0, lw_comm_rank(world) == lw_comm_size(world) - 1 ? 99 : 0};
    int64_t records[2] = {1, 2}, n_got = -1;
    void *out = records;
    CHECK_FAILS(lw_comm_route(world, 2, dest, records, sizeof *records, &out, &n_got, NULL), LW_EUSE,
        "record 1 was routed to rank 99");
    CHECK(out == NULL);
    CHECK_INT(n_got, 0);
    lw_comm_stop(&world);
}

static int64_t string_length(int rank) {
    return rank == 1 ? 0 : 10 + 3 * rank;
}

static void check_joined(const char *text, int64_t bytes, int size) {
    int64_t at = 0;
    for (int r = 0; r < size; r++)
        for (int64_t i = 0; i < string_length(r); i++, at++)
            if (at < bytes) CHECK_INT(text[at], 'a' + r + i % 3);
    CHECK_INT(bytes, at);
}

TEST(strings_are_joined_in_rank_order) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    char text[64];
    int64_t bytes = string_length(rank);
    for (int64_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + rank + i % 3);
    for (int limit = 0; limit < 2; limit++) {
        void *out = NULL;
        int64_t n = -1;
        CHECK_OK(lw_comm_allgatherv(world, text, bytes, &out, &n));
        check_joined(out, n, size);
        lw_free(out);
        for (int root = 0; root < size; root++) {
            CHECK_OK(lw_comm_gatherv(world, text, bytes, root, &out, &n));
            CHECK((out != NULL) == (rank == root));
            if (rank == root) check_joined(out, n, size);
            if (rank != root) CHECK_INT(n, 0);
            lw_free(out);
        }
        CHECK_OK(lw_comm_allgatherv(world, NULL, 0, &out, &n));
        CHECK_INT(n, 0);
        lw_free(out);
        lw_comm_limit_set(world, 4);
    }
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

CHECK_MAIN(CASE(records_arrive_by_sender_and_order), CASE(a_wrong_rank_is_refused_everywhere),
    CASE(strings_are_joined_in_rank_order))
