/* SPDX-License-Identifier: BSD-3-Clause
 *
 * .npy files written byte by byte here: every element type, every version, and what is wrong with the wrong ones.
 */
#include "scratch.h"
#include <lapwing/io.h>
#include <zlib.h>

/* Builds a file; returns its size. version 1 has a 2-byte header length, later ones 4 bytes. */
static size_t npy_build(char *out, int version, const char *header, const void *data, size_t bytes) {
    size_t length = strlen(header), start = version == 1 ? 10 : 12;
    memset(out, 0, start);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (char)version;
    out[8] = (char)(length & 255);
    out[9] = (char)(length >> 8);
    memcpy(out + start, header, length);
    if (bytes) memcpy(out + start + length, data, bytes);
    return start + length + bytes;
}

static const char *npy_file(int version, const char *header, const void *data, size_t bytes) {
    char file[1024];
    size_t n = npy_build(file, version, header, data, bytes);
    scratch_write(scratch_path("a.npy"), file, n);
    return scratch_path("a.npy");
}

#define CHECK_TYPE(type, descr, letter)                                                                                \
    do {                                                                                                               \
        type v_[6] = {(type)0, (type)1, (type)2, (type)-3, (type)100, (type)1.5};                                      \
        lw_npy a_;                                                                                                     \
        CHECK_OK(lw_npy_read(                                                                                          \
            npy_file(1, "{'descr': '" descr "', 'fortran_order': False, 'shape': (2, 3), }\n", v_, sizeof v_), &a_));  \
        CHECK_INT(a_.n_dim, 2);                                                                                        \
        CHECK_INT(a_.dim[0], 2);                                                                                       \
        CHECK_INT(a_.dim[1], 3);                                                                                       \
        CHECK_INT(a_.count, 6);                                                                                        \
        CHECK_INT(a_.kind, letter);                                                                                    \
        CHECK_INT(a_.bytes, sizeof(type));                                                                             \
        for (int i_ = 0; i_ < 6; i_++)                                                                                 \
            CHECK_CLOSE(lw_npy_at(&a_, i_), (double)v_[i_], 0);                                                        \
        lw_free(a_.data);                                                                                              \
    } while (0)

TEST(every_type_is_read) {
    scratch_make();
    CHECK_TYPE(int8_t, "|i1", 'i');
    CHECK_TYPE(int16_t, "<i2", 'i');
    CHECK_TYPE(int32_t, "<i4", 'i');
    CHECK_TYPE(int64_t, "<i8", 'i');
    CHECK_TYPE(uint8_t, "|u1", 'u');
    CHECK_TYPE(uint16_t, "<u2", 'u');
    CHECK_TYPE(uint32_t, "<u4", 'u');
    CHECK_TYPE(uint64_t, "<u8", 'u');
    CHECK_TYPE(float, "<f4", 'f');
    CHECK_TYPE(double, "<f8", 'f');
    scratch_remove();
}

TEST(versions_shapes_and_compression) {
    double v[2] = {1.25, -7};
    char file[512];
    lw_npy a;
    scratch_make();
    for (int version = 1; version <= 3; version++) {
        CHECK_OK(
            lw_npy_read(npy_file(version, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", v, 16), &a));
        CHECK_INT(a.n_dim, 1);
        CHECK_CLOSE(lw_npy_at(&a, 1), -7, 0);
        lw_free(a.data);
    }
    CHECK_OK(lw_npy_read(npy_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", v, 8), &a));
    CHECK_INT(a.n_dim, 0);
    CHECK_INT(a.count, 1);
    lw_free(a.data);
    size_t n = npy_build(file, 2, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }", v, 16);
    gzFile zip = gzopen(scratch_path("a.npy.gz"), "wb");
    CHECK(zip && gzwrite(zip, file, (unsigned)n) == (int)n && gzclose(zip) == Z_OK);
    CHECK_OK(lw_npy_read(scratch_path("a.npy.gz"), &a));
    CHECK_CLOSE(lw_npy_at(&a, 0), 1.25, 0);
    lw_free(a.data);
    scratch_remove();
}

TEST(fortran_order_is_turned) {
    uint8_t c[24], f[24]; /* element (i, j, k) of a [2, 3, 4] array is 100 i + 10 j + k */
    lw_npy a;
    scratch_make();
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++) {
                c[(i * 3 + j) * 4 + k] = (uint8_t)(100 * i + 10 * j + k);
                f[i + 2 * (j + 3 * k)] = (uint8_t)(100 * i + 10 * j + k);
            }
    CHECK_OK(lw_npy_read(npy_file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", f, 24), &a));
    for (int i = 0; i < 24; i++)
        CHECK_CLOSE(lw_npy_at(&a, i), c[i], 0);
    lw_free(a.data);
    scratch_remove();
}

TEST(wrong_files_are_named) {
    double v[4] = {0};
    lw_npy a;
    scratch_make();
    CHECK_FAILS(lw_npy_read(scratch_path("none.npy"), &a), LW_EFILE, "none.npy: cannot be opened");
    CHECK_FAILS(lw_npy_read(scratch_path("."), &a), LW_EFILE, "folder");
    scratch_write(scratch_path("b.npy"), "PK\3\4 something else", 20);
    CHECK_FAILS(lw_npy_read(scratch_path("b.npy"), &a), LW_EFILE, "not a .npy file");
    CHECK_FAILS(lw_npy_read(npy_file(9, "{}", v, 0), &a), LW_EFILE, "version 9");
    CHECK_FAILS(lw_npy_read(npy_file(1, "{'descr': '>f8', 'fortran_order': False, 'shape': (2,), }", v, 16), &a),
        LW_EFILE, "'>f8', allowed are little-endian");
    CHECK_FAILS(lw_npy_read(npy_file(1, "{'descr': '<c16', 'fortran_order': False, 'shape': (2,), }", v, 32), &a),
        LW_EFILE, "<c16");
    CHECK_FAILS(lw_npy_read(npy_file(1, "{'descr': '<f8', 'fortran_order': Maybe, 'shape': (2,), }", v, 16), &a),
        LW_EFILE, "fortran_order");
    CHECK_FAILS(lw_npy_read(npy_file(1, "{'descr': '<f8', 'fortran_order': False, }", v, 16), &a), LW_EFILE, "shape");
    CHECK_FAILS(lw_npy_read(npy_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", v, 16), &a),
        LW_EFILE, "found 16 bytes of data, the header's shape and type want 24");
    CHECK_FAILS(
        lw_npy_read(
            npy_file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", v, 8), &a),
        LW_EFILE, "too large");
    char file[512];
    size_t n = npy_build(file, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", v, 16);
    scratch_write(scratch_path("c.npy"), file, n - 40);
    CHECK_FAILS(lw_npy_read(scratch_path("c.npy"), &a), LW_EFILE, "ends inside its header");
    CHECK(a.data == NULL);
    scratch_remove();
}

CHECK_MAIN(CASE(every_type_is_read), CASE(versions_shapes_and_compression), CASE(fortran_order_is_turned),
    CASE(wrong_files_are_named))
