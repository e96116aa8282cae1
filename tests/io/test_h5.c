/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The layer over HDF5: arrays written in one call and in stretches that end anywhere give the same data, the same
 * checksums and the same mark; the slabs of any stretch cover it once; a wrong mark is refused; errors say why.
 */
#include "h5.h"
#include "scratch.h"
#include "slab.h"
#include "world.h"

enum { N = 10000, ROW = 3, MOST = 12 };

TEST(slabs_cover_a_stretch_once) {
    lw_stream s = lw_stream_start(2, LW_PURPOSE_CHECK, 0, 0);
    static const int64_t sizes[] = {1, 5, 1023, 1024, 1025, 5000, 70000, 67108865, 200000000};
    for (int i = 0; i < 400; i++) {
        int64_t n = sizes[i % 9], a = (int64_t)lw_stream_below(&s, (uint64_t)n + 1),
                b = (int64_t)lw_stream_below(&s, (uint64_t)n + 1);
        lw_span span = {n, a < b ? a : b, a < b ? b : a};
        int size = 1 + (int)lw_stream_below(&s, 7);
        int64_t at = span.lo, block = lw_slab_block(n);
        CHECK((n + block - 1) / block <= 65536);
        for (int r = 0; r < size; r++) {
            lw_slab slab = lw_slab_of_span(span, r, size);
            if (slab.lo == slab.hi) continue;
            CHECK_INT(slab.lo, at);
            CHECK(slab.lo == span.lo || slab.lo % block == 0);
            CHECK_INT(lw_slab_owner(span, slab.lo, size), r);
            CHECK_INT(lw_slab_owner(span, slab.hi - 1, size), r);
            at = slab.hi;
        }
        CHECK_INT(at, span.hi);
    }
}

static double value(int64_t i, int64_t c) {
    return lw_rng_normal(5, LW_PURPOSE_CHECK, (uint64_t)i, (uint64_t)c, 0);
}

/* Two arrays in turns, as the columns of a projection are, cut at the same places. */
static void arrays_write(const lw_comm *world, const char *path, const int64_t *cut, int n_cuts) {
    lw_h5_writer *w = NULL;
    lw_h5_array one = {.path = "/one", .type = H5T_NATIVE_FLOAT, .n = N, .unit = "1"};
    lw_h5_array three = {.path = "/three", .type = H5T_NATIVE_DOUBLE, .n = N, .row = ROW};
    CHECK_OK(lw_h5_writer_create(world, path, &w));
    CHECK_OK(lw_h5_writer_text(w, "/text", "between", NULL));
    for (int k = 0; k + 1 < n_cuts; k++) {
        lw_slab mine = lw_slab_of_span((lw_span){N, cut[k], cut[k + 1]}, lw_comm_rank(world), lw_comm_size(world));
        int64_t n = mine.hi - mine.lo;
        float *x = calloc((size_t)n + 1, sizeof *x);
        double *y = calloc((size_t)n * ROW + 1, sizeof *y);
        for (int64_t i = 0; i < n; i++) {
            x[i] = (float)value(mine.lo + i, 9);
            for (int64_t c = 0; c < ROW; c++)
                y[i * ROW + c] = value(mine.lo + i, c);
        }
        CHECK_OK(lw_h5_writer_stretch(w, &one, cut[k], cut[k + 1], x));
        CHECK_OK(lw_h5_writer_stretch(w, &three, cut[k], cut[k + 1], y));
        free(x);
        free(y);
    }
    CHECK_OK(lw_h5_writer_close(&w));
}

static uint64_t file_check(const char *path) {
    static double y[N * ROW];
    lw_h5_reader *r = NULL;
    lw_h5_integrity t;
    uint64_t mark = 0;
    CHECK_OK(lw_h5_reader_open(path, &r));
    CHECK_OK(lw_h5_integrity_read(r, &t));
    CHECK_OK(lw_h5_integrity_check(r, &t, 0, 1));
    CHECK_INT(t.n, 3);
    CHECK_OK(lw_h5_reader_array(r, "/three", H5T_NATIVE_DOUBLE, 0, N, y));
    for (int64_t i = 0; i < N * ROW; i++)
        CHECK_CLOSE(y[i], value(i / ROW, i % ROW), 0);
    CHECK_OK(lw_h5_reader_array(r, "/one", H5T_NATIVE_DOUBLE, 0, N, y));
    for (int64_t i = 0; i < N; i++)
        CHECK_CLOSE(y[i], (float)value(i, 9), 0);
    CHECK_OK(lw_h5_reader_u64(r, "/", "complete", &mark));
    lw_h5_integrity_free(&t);
    lw_h5_reader_close(&r);
    return mark;
}

TEST(stretches_are_the_whole) {
    lw_comm *world = world_start();
    lw_stream s = lw_stream_start(3, LW_PURPOSE_CHECK, 0, 0);
    int64_t cut[MOST] = {0, N};
    scratch_make();
    arrays_write(world, scratch_path("a.h5"), cut, 2);
    uint64_t mark = file_check(scratch_path("a.h5"));
    for (int round = 0; round < 6; round++) {
        int n = 3 + (int)lw_stream_below(&s, MOST - 3);
        cut[n - 1] = N;
        for (int k = 1; k < n - 1; k++) { /* ascending, some of them close together, within one block */
            int64_t left = N - cut[k - 1] - (n - k);
            cut[k] = cut[k - 1] + 1 + (int64_t)lw_stream_below(&s, k % 3 ? (uint64_t)(left / 2 + 1) : 40);
        }
        arrays_write(world, scratch_path("b.h5"), cut, n);
        CHECK(file_check(scratch_path("b.h5")) == mark);
        lw_comm_barrier(world);
    }
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(a_wrong_mark_is_refused) {
    lw_comm *world = world_start();
    int64_t cut[] = {0, N};
    scratch_make();
    arrays_write(world, scratch_path("a.h5"), cut, 2);
    lw_comm_barrier(world);
    if (check_rank() == 0) {
        uint32_t mark = 0;
        hid_t file = H5Fopen(scratch_path("a.h5"), H5F_ACC_RDWR, H5P_DEFAULT),
              attribute = H5Aopen(file, "complete", H5P_DEFAULT);
        CHECK(H5Aread(attribute, H5T_NATIVE_UINT32, &mark) >= 0);
        mark ^= 1;
        CHECK(H5Awrite(attribute, H5T_NATIVE_UINT32, &mark) >= 0 && H5Aclose(attribute) >= 0 && H5Fclose(file) >= 0);
    }
    lw_comm_barrier(world);
    lw_h5_reader *r = NULL;
    lw_h5_integrity t;
    CHECK_OK(lw_h5_reader_open(scratch_path("a.h5"), &r));
    CHECK_FAILS(lw_h5_integrity_read(r, &t), LW_EFILE, "the table of checksums does not fit its mark");
    lw_h5_reader_close(&r);
    scratch_remove();
    lw_comm_stop(&world);
}

TEST(errors_say_why) {
    lw_comm *world = world_start();
    lw_h5_writer *w = NULL;
    lw_h5_reader *r = NULL;
    char *text = NULL;
    double x = 0;
    scratch_make();
    CHECK_OK(lw_h5_writer_create(world, scratch_path("a.h5"), &w));
    CHECK_OK(lw_h5_writer_group(w, "/g"));
    CHECK_OK(lw_h5_writer_string(w, "/g", "word", ""));
    CHECK_FAILS(lw_h5_writer_group(w, "/g"), LW_EIO, "a.h5: cannot create group /g: HDF5: ");
    CHECK_FAILS(lw_h5_writer_group(w, "/h"), LW_EIO, ""); /* the error stays */
    CHECK(lw_h5_writer_close(&w) == LW_EIO && w == NULL);
    lw_err_clear();
    CHECK_OK(lw_h5_reader_open(scratch_path("a.h5"), &r));
    CHECK_OK(lw_h5_reader_string(r, "/g", "word", &text));
    CHECK_STR(text, "");
    lw_free(text);
    CHECK(lw_h5_reader_has(r, "/g") && !lw_h5_reader_has(r, "/h") && !lw_h5_reader_has(r, "/no/such/thing"));
    CHECK_FAILS(lw_h5_reader_f64(r, "/g", "number", &x), LW_EFILE, "attribute number of /g cannot be opened: HDF5: ");
    CHECK_FAILS(lw_h5_reader_array(r, "/g/x", H5T_NATIVE_DOUBLE, 0, 1, &x), LW_EFILE, "array /g/x cannot be opened");
    lw_h5_integrity t;
    CHECK_FAILS(lw_h5_integrity_read(r, &t), LW_EFILE, "not complete");
    lw_h5_reader_close(&r);
    scratch_remove();
    lw_comm_stop(&world);
}

CHECK_MAIN(CASE(slabs_cover_a_stretch_once), CASE(stretches_are_the_whole), CASE(a_wrong_mark_is_refused),
    CASE(errors_say_why))
