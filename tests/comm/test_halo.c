/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Halos on random patterns that every rank can compute for all ranks: forward rows, the adjoint identity of the
 * reverse, the order of events, ranks without items or slots, errors.
 */
#include "check.h"
#include <lapwing/comm.h>

enum { MOST = 40, PATTERNS = 12 };

/* What one rank owns and wants; a pure function of (pattern, rank), so the tests know every rank's. */
typedef struct part {
    int64_t n_local, n_slots;
    int32_t owner[MOST];
    int64_t lid[MOST];
} part;

static int64_t part_local(int pattern, int rank) {
    lw_stream s = lw_stream_start(5, LW_PURPOSE_CHECK, (uint64_t)pattern, (uint64_t)rank);
    if (pattern == 1) return rank == 0 ? 5 : 0; /* one owner, the other ranks are empty */
    if (pattern == 2 && rank == 0) return 0;    /* the first is empty */
    if (pattern == 3) return 0;                 /* all are */
    return 1 + (int64_t)lw_stream_below(&s, 20);
}

static part part_make(int pattern, int rank, int size) {
    part p = {.n_local = part_local(pattern, rank)};
    lw_stream s = lw_stream_start(6, LW_PURPOSE_CHECK, (uint64_t)pattern, (uint64_t)rank);
    int64_t want = pattern == 3 || (pattern == 4 && rank == size - 1) ? 0 : (int64_t)lw_stream_below(&s, MOST + 1);
    if (pattern == 2 && size == 1) want = 0; /* nobody owns anything */
    while (p.n_slots < want) {
        int32_t owner = (int32_t)lw_stream_below(&s, (uint64_t)size);
        int64_t n = part_local(pattern, owner);
        if (n == 0) continue;
        if (pattern == 5 && size > 1 && owner == (rank + 1) % size) continue; /* not every pair are neighbours */
        p.owner[p.n_slots] = owner;
        p.lid[p.n_slots++] = (int64_t)lw_stream_below(&s, (uint64_t)n);
    }
    return p;
}

static double item_value(int rank, int64_t lid, int64_t column) {
    return 1000.0 * rank + 10.0 * (double)lid + (double)column;
}

static lw_halo *halo_make(const lw_comm *world, const part *p) {
    lw_halo *halo = NULL;
    CHECK_OK(lw_halo_create(world, p->n_local, p->n_slots, p->owner, p->lid, &halo));
    return halo;
}

TEST(rows_reach_their_slots) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        part p = part_make(pattern, rank, size);
        lw_halo *halo = halo_make(world, &p);
        for (int64_t width = 1; width <= 3; width++) {
            double local[MOST * 3], slots[MOST * 3];
            float local32[MOST * 3], slots32[MOST * 3];
            for (int64_t i = 0; i < p.n_local * width; i++)
                local32[i] = (float)(local[i] = item_value(rank, i / width, i % width));
            for (int64_t i = 0; i < MOST * 3; i++)
                slots[i] = slots32[i] = -1;
            lw_halo_rows_begin(halo, local, (size_t)width * sizeof *local);
            lw_halo_rows_end(halo, slots);
            lw_halo_rows_begin(halo, local32, (size_t)width * sizeof *local32);
            lw_halo_rows_end(halo, slots32);
            for (int64_t i = 0; i < p.n_slots * width; i++) {
                CHECK_CLOSE(slots[i], item_value(p.owner[i / width], p.lid[i / width], i % width), 0);
                CHECK_CLOSE(slots32[i], slots[i], 0);
            }
            for (int64_t i = p.n_slots * width; i < MOST * 3; i++)
                CHECK_CLOSE(slots[i], -1, 0);
        }
        lw_halo_destroy(&halo);
    }
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

/* <w, G x> = <G^T w, x>, exactly, because the numbers are small integers. */
TEST(reverse_is_the_transpose) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    enum { WIDTH = 2 };
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        part p = part_make(pattern, rank, size);
        lw_halo *halo = halo_make(world, &p);
        lw_stream s = lw_stream_start(7, LW_PURPOSE_CHECK, (uint64_t)pattern, (uint64_t)rank);
        double x[MOST * WIDTH], gx[MOST * WIDTH], w[MOST * WIDTH], gtw[MOST * WIDTH], sums[2] = {0, 0};
        float w32[MOST * WIDTH], gtw32[MOST * WIDTH];
        for (int i = 0; i < MOST * WIDTH; i++) {
            x[i] = (double)lw_stream_below(&s, 100) - 50;
            w32[i] = (float)(w[i] = (double)lw_stream_below(&s, 100) - 50);
            gtw32[i] = (float)(gtw[i] = 3); /* it adds, it does not set */
        }
        lw_halo_rows_begin(halo, x, WIDTH * sizeof *x);
        lw_halo_rows_end(halo, gx);
        lw_halo_reverse_add(halo, LW_F64, WIDTH, w, gtw);
        lw_halo_reverse_add(halo, LW_F32, WIDTH, w32, gtw32);
        for (int64_t i = 0; i < p.n_slots * WIDTH; i++)
            sums[0] += w[i] * gx[i];
        for (int64_t i = 0; i < p.n_local * WIDTH; i++)
            sums[1] += (gtw[i] - 3) * x[i];
        for (int64_t i = 0; i < p.n_local * WIDTH; i++)
            CHECK_CLOSE(gtw32[i], gtw[i], 0);
        for (int64_t i = p.n_local * WIDTH; i < MOST * WIDTH; i++)
            CHECK_CLOSE(gtw[i], 3, 0);
        lw_comm_sum_f64(world, sums, 2);
        CHECK_CLOSE(sums[0], sums[1], 0);
        CHECK(sums[0] != 0 || pattern == 3 || p.n_slots < 3);
        lw_halo_destroy(&halo);
    }
    lw_comm_stop(&world);
}

/* Numbers of different size: the sum depends on the order, and the stated order is ascending rank, own rank included.
 */
TEST(reverse_adds_in_rank_order) {
    lw_comm *world = NULL;
    lw_halo *halo = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world), owner_rank = size / 2;
    int32_t owner[1] = {owner_rank};
    int64_t lid[1] = {0};
    static const double terms[] = {1e16, 3.14159, -1e16, 2.71828};
    double w = terms[rank % 4], sum = 0, expected = 0;
    for (int r = 0; r < size; r++)
        expected += terms[r % 4];
    CHECK_OK(lw_halo_create(world, rank == owner_rank, 1, owner, lid, &halo));
    lw_halo_reverse_add(halo, LW_F64, 1, &w, &sum);
    if (rank == owner_rank) CHECK_CLOSE(sum, expected, 0);
    lw_halo_destroy(&halo);
    lw_comm_stop(&world);
}

/* Rank r's events of a round: also none, also the same item twice. */
static int64_t events_make(int pattern, int round, int rank, lw_event *events) {
    int64_t n_local = part_local(pattern, rank), n = 0;
    lw_stream s = lw_stream_start(8, LW_PURPOSE_CHECK, (uint64_t)pattern << 32 | (uint64_t)round, (uint64_t)rank);
    if (n_local == 0 || (round != 3 && (round + rank) % 4 == 0)) return 0;
    for (n = 0; n < (round == 3 ? 3 * MOST : MOST / 2); n++) {
        events[n].index = (uint32_t)lw_stream_below(&s, (uint64_t)n_local);
        events[n].tag = (uint32_t)lw_stream_below(&s, (uint64_t)1 << 32);
    }
    return n;
}

/* The twin: for every sender in ascending rank, for each of its events in order, my slots that want the item. */
static void events_check(const part *p, int pattern, int round, int size, const lw_event *got, int64_t n_got) {
    int64_t n = 0;
    for (int sender = 0; sender < size; sender++) {
        lw_event events[3 * MOST];
        int64_t n_events = events_make(pattern, round, sender, events);
        for (int64_t e = 0; e < n_events; e++) {
            for (int64_t slot = 0; slot < p->n_slots; slot++) {
                if (p->owner[slot] != sender || p->lid[slot] != events[e].index) continue;
                if (n < n_got) {
                    CHECK_INT(got[n].index, slot);
                    CHECK_INT(got[n].tag, events[e].tag);
                }
                n++;
            }
        }
    }
    CHECK_INT(n_got, n);
}

TEST(events_arrive_in_the_stated_order) {
    lw_comm *world = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        part p = part_make(pattern, rank, size);
        lw_halo *halo = halo_make(world, &p);
        int64_t bytes = 0, held = 0;
        for (int round = 0; round < 10; round++) {
            lw_event events[3 * MOST];
            const lw_event *got = NULL;
            int64_t n_got = -1, n = events_make(pattern, round, rank, events);
            lw_halo_events_begin(halo, events, n);
            memset(events, 0xff, sizeof events); /* the caller's array is free after begin */
            /* an exchange of rows may be under way at the same time */
            double local[MOST] = {0}, slots[MOST];
            lw_halo_rows_begin(halo, local, sizeof *local);
            CHECK_OK(lw_halo_events_end(halo, &got, &n_got));
            events_check(&p, pattern, round, size, got, n_got);
            lw_halo_rows_end(halo, slots);
            if (round == 3) held = lw_mem_now();
            if (round > 3) CHECK_INT(lw_mem_now(), held); /* the largest round is over: nothing grows */
        }
        lw_halo_stats stats = lw_halo_stats_get(halo);
        int64_t remote = 0, totals[3] = {stats.items_sent, stats.neighbours_out, stats.neighbours_in};
        for (int64_t i = 0; i < p.n_slots; i++)
            remote += p.owner[i] != rank;
        CHECK_INT(stats.slots_remote, remote);
        CHECK_INT(stats.messages_sent, 20 * stats.neighbours_out); /* one each per exchange, empty ones too */
        lw_comm_sum_i64(world, totals, 3);
        lw_comm_sum_i64(world, &remote, 1);
        CHECK_INT(totals[0], remote);
        CHECK_INT(totals[1], totals[2]);
        bytes = stats.bytes_sent;
        CHECK(bytes >= 10 * 8 * stats.items_sent);
        lw_halo_destroy(&halo);
    }
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

TEST(wrong_wishes_are_refused_everywhere) {
    lw_comm *world = NULL;
    lw_halo *halo = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    int rank = lw_comm_rank(world), size = lw_comm_size(world);
    int32_t owner[1] = {0};
    int64_t lid[1] = {0};
    int64_t before = lw_mem_now();
    if (rank == size - 1) owner[0] = size;
    CHECK_FAILS(lw_halo_create(world, 2, 1, owner, lid, &halo), LW_EUSE, "halo slot 0 wants an item of rank");
    owner[0] = 0;
    if (rank == size - 1) lid[0] = 2;
    CHECK_FAILS(lw_halo_create(world, 2, 1, owner, lid, &halo), LW_EUSE, "wants item 2 of rank 0, which has 2");
    CHECK_FAILS(lw_halo_create(world, rank == 0 ? -1 : 2, 0, owner, lid, &halo), LW_EUSE, "a halo of -1 items");
    CHECK(halo == NULL);
    CHECK_INT(lw_mem_now(), before);
    lw_comm_stop(&world);
}

/* A played part: own slots are served as ever, the others are listed by owner and left alone. */
TEST(absent_ranks_are_listed_and_silent) {
    enum { PLAYED = 2, OF = 5 };
    lw_comm *world = NULL, *alone = NULL;
    CHECK_OK(lw_comm_start(NULL, NULL, &world));
    CHECK_FAILS(lw_comm_play(OF, OF, &alone), LW_EUSE, "rank 5 of 5; allowed: 0 to 4");
    CHECK_OK(lw_comm_play(PLAYED, OF, &alone));
    CHECK(lw_comm_plays(alone) && !lw_comm_plays(world));
    CHECK_INT(lw_comm_rank(alone), PLAYED);
    CHECK_INT(lw_comm_size(alone), OF);
    for (int pattern = 0; pattern < PATTERNS; pattern++) {
        part p = part_make(pattern, PLAYED, OF);
        lw_halo *halo = halo_make(alone, &p);
        lw_event events[3 * MOST];
        const lw_event *got = NULL;
        int64_t n_got = -1, own = 0, n = events_make(pattern, 1, PLAYED, events);
        double local[MOST], slots[MOST];
        for (int i = 0; i < MOST; i++) {
            local[i] = i + 1;
            slots[i] = -1;
        }
        lw_halo_events_begin(halo, events, n);
        CHECK_OK(lw_halo_events_end(halo, &got, &n_got));
        for (int64_t i = 0; i < n_got; i++)
            CHECK_INT(p.owner[got[i].index], PLAYED);
        lw_halo_rows_begin(halo, local, sizeof *local);
        lw_halo_rows_end(halo, slots);
        for (int64_t i = 0; i < p.n_slots; i++) {
            CHECK_CLOSE(slots[i], p.owner[i] == PLAYED ? (double)p.lid[i] + 1 : -1, 0);
            own += p.owner[i] == PLAYED;
        }
        lw_halo_absent absent = lw_halo_absent_get(halo);
        CHECK_INT(absent.at[absent.n_ranks], p.n_slots - own);
        for (int r = 0; r < absent.n_ranks; r++)
            for (int64_t i = absent.at[r]; i < absent.at[r + 1]; i++) {
                CHECK(p.owner[absent.slot[i]] != PLAYED);
                CHECK_INT(p.owner[absent.slot[i]], p.owner[absent.slot[absent.at[r]]]);
                CHECK(i == absent.at[r] || absent.slot[i - 1] < absent.slot[i]);
            }
        lw_halo_stats stats = lw_halo_stats_get(halo);
        CHECK_INT(stats.slots_remote, p.n_slots - own);
        CHECK_INT(stats.neighbours_in, absent.n_ranks);
        CHECK_INT(stats.messages_sent, 0);
        lw_halo_destroy(&halo);
    }
    lw_comm_destroy(&alone);
    lw_comm_stop(&world);
    CHECK_INT(lw_mem_now(), 0);
}

CHECK_MAIN(CASE(rows_reach_their_slots), CASE(reverse_is_the_transpose), CASE(reverse_adds_in_rank_order),
    CASE(events_arrive_in_the_stated_order), CASE(wrong_wishes_are_refused_everywhere),
    CASE(absent_ranks_are_listed_and_silent))
