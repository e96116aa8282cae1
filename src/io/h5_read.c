/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The reader: one file by one process through plain POSIX reads, read-only. Every rank that wants something opens the
 * file by itself and reads its slab, so an error is one rank's own and is agreed on above. No file lock is taken: a
 * checkpoint is never written to after its rename, and network file systems may have no locks.
 */
#include <string.h>
#include <unistd.h>
#include "h5.h"

struct lw_h5_reader {
    char *path;
    hid_t file;
};

lw_err lw_h5_reader_open(const char *path, lw_h5_reader **out) {
    lw_h5_reader *r = NULL;
    *out = NULL;
    lw_h5_quiet();
    if (access(path, R_OK) != 0) return LW_FAIL(LW_EFILE, "%s: missing or unreadable", path);
    LW_TRY(lw_alloc(1, sizeof *r, "a reader", &r));
    r->file = -1;
    r->path = lw_strdup(path);
    lw_err err = r->path ? LW_OK : LW_FAIL(LW_EMEM, "no memory for the path %s", path);
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (err == LW_OK && list >= 0 && H5Pset_file_locking(list, false, true) >= 0)
        r->file = H5Fopen(path, H5F_ACC_RDONLY, list);
    if (err == LW_OK && r->file < 0) err = lw_h5_fail(LW_EFILE, path, "not a whole HDF5 file");
    if (list >= 0) (void)H5Pclose(list);
    if (err != LW_OK) lw_h5_reader_close(&r);
    *out = r;
    return err;
}

void lw_h5_reader_close(lw_h5_reader **reader) {
    lw_h5_reader *r = *reader;
    if (!r) return;
    if (r->file >= 0) (void)H5Fclose(r->file);
    lw_free(r->path);
    lw_free(r);
    *reader = NULL;
}

const char *lw_h5_reader_path(const lw_h5_reader *r) {
    return r->path;
}

hid_t lw_h5_reader_file(const lw_h5_reader *r) {
    return r->file;
}

/* H5Lexists wants every link above to exist. */
bool lw_h5_reader_has(const lw_h5_reader *r, const char *path) {
    char *part = lw_strdup(path);
    bool there = part != NULL;
    for (char *at = part; there && at && *at;) {
        char *slash = strchr(at + 1, '/');
        if (slash) *slash = '\0';
        there = strcmp(part, "/") == 0 || H5Lexists(r->file, part, H5P_DEFAULT) > 0;
        if (slash) *slash = '/';
        at = slash;
    }
    lw_free(part);
    lw_h5_forget();
    return there;
}

bool lw_h5_reader_has_attribute(const lw_h5_reader *r, const char *path, const char *name) {
    return lw_h5_reader_has(r, path) && H5Aexists_by_name(r->file, path, name, H5P_DEFAULT) > 0;
}

/* ---- arrays */

static lw_err array_open(const lw_h5_reader *r, const char *path, hid_t *dataset) {
    *dataset = H5Dopen2(r->file, path, H5P_DEFAULT);
    LW_H5(*dataset, LW_EFILE, r->path, "array %s cannot be opened", path);
    return LW_OK;
}

static lw_err shape_of(const lw_h5_reader *r, const char *path, hid_t dataset, int *rank, hsize_t extent[2]) {
    hid_t space = H5Dget_space(dataset);
    LW_H5(space, LW_EFILE, r->path, "array %s has no shape", path);
    *rank = H5Sget_simple_extent_ndims(space);
    extent[0] = extent[1] = 1;
    bool ok = *rank >= 0 && *rank <= 2 && H5Sget_simple_extent_dims(space, extent, NULL) >= 0;
    (void)H5Sclose(space);
    if (!ok) return LW_FAIL(LW_EFILE, "%s: array %s has %d dimensions, at most 2 are expected", r->path, path, *rank);
    return LW_OK;
}

lw_err lw_h5_reader_shape(const lw_h5_reader *r, const char *path, int64_t *n, int64_t *row) {
    hid_t dataset = -1;
    int rank = 0;
    hsize_t extent[2];
    *n = *row = 0;
    LW_TRY(array_open(r, path, &dataset));
    lw_err err = shape_of(r, path, dataset, &rank, extent);
    (void)H5Dclose(dataset);
    LW_TRY(err);
    *n = (int64_t)extent[0];
    *row = (int64_t)extent[1];
    return LW_OK;
}

static herr_t items_read(
    hid_t dataset, hid_t type, int rank, const hsize_t extent[2], int64_t lo, int64_t n, void *out) {
    hsize_t start[2] = {(hsize_t)lo, 0}, count[2] = {(hsize_t)n, extent[1]};
    hid_t there = H5Dget_space(dataset), here = rank ? H5Screate_simple(rank, count, NULL) : H5Screate(H5S_SCALAR);
    herr_t status = there < 0 || here < 0 ? -1 : 0;
    if (status >= 0 && rank) status = H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL);
    if (status >= 0) status = H5Dread(dataset, type, here, there, H5P_DEFAULT, out);
    if (here >= 0) (void)H5Sclose(here);
    if (there >= 0) (void)H5Sclose(there);
    return status;
}

static lw_err range_check(const lw_h5_reader *r, const char *path, const hsize_t extent[2], int64_t lo, int64_t n) {
    if (lo >= 0 && n >= 0 && lo <= (int64_t)extent[0] - n) return LW_OK;
    return LW_FAIL(LW_EFILE, "%s: array %s has %lld items, items up to %lld are needed", r->path, path,
        (long long)extent[0], (long long)(lo + n));
}

lw_err lw_h5_reader_array(const lw_h5_reader *r, const char *path, hid_t type, int64_t lo, int64_t n, void *out) {
    hid_t dataset = -1;
    int rank = 0;
    hsize_t extent[2];
    LW_TRY(array_open(r, path, &dataset));
    lw_err err = shape_of(r, path, dataset, &rank, extent);
    if (err == LW_OK) err = range_check(r, path, extent, lo, n);
    if (err == LW_OK && n > 0 && items_read(dataset, type, rank, extent, lo, n, out) < 0)
        err = lw_h5_fail(LW_EFILE, r->path, "array %s cannot be read", path);
    (void)H5Dclose(dataset);
    return err;
}

lw_err lw_h5_reader_raw(const lw_h5_reader *r, const char *path, int64_t lo, int64_t n, void **out, int64_t *bytes) {
    hid_t dataset = -1, type = -1;
    int rank = 0;
    hsize_t extent[2];
    *out = NULL;
    LW_TRY(array_open(r, path, &dataset));
    lw_err err = shape_of(r, path, dataset, &rank, extent);
    if (err == LW_OK) err = range_check(r, path, extent, lo, n);
    if (err == LW_OK) type = H5Dget_type(dataset);
    if (err == LW_OK && type < 0) err = lw_h5_fail(LW_EFILE, r->path, "array %s has no type", path);
    size_t item = type < 0 ? 0 : H5Tget_size(type) * (size_t)extent[1];
    if (bytes) *bytes = (int64_t)item;
    if (err == LW_OK) err = lw_alloc((size_t)n, item, path, out);
    if (err == LW_OK && n > 0 && items_read(dataset, type, rank, extent, lo, n, *out) < 0)
        err = lw_h5_fail(LW_EFILE, r->path, "array %s cannot be read", path);
    if (type >= 0) (void)H5Tclose(type);
    (void)H5Dclose(dataset);
    if (err == LW_OK) return LW_OK;
    lw_free(*out);
    *out = NULL;
    return err;
}

/* ---- strings */

lw_err lw_h5_reader_texts(const lw_h5_reader *r, const char *path, char ***out, int64_t *n) {
    int64_t row = 0, width = 0;
    void *raw = NULL;
    char **list = NULL;
    *out = NULL;
    LW_TRY(lw_h5_reader_shape(r, path, n, &row));
    LW_TRY(lw_h5_reader_raw(r, path, 0, *n, &raw, &width));
    lw_err err = lw_alloc(1, (size_t)*n * (sizeof *list + (size_t)width + 1) + 1, path, &list);
    for (int64_t i = 0; i < *n && err == LW_OK; i++) {
        list[i] = (char *)(list + *n) + i * (width + 1);
        memcpy(list[i], (const char *)raw + i * width, (size_t)width);
    }
    lw_free(raw);
    *out = list;
    return err;
}

lw_err lw_h5_reader_text(const lw_h5_reader *r, const char *path, char **out) {
    char **list = NULL;
    int64_t n = 0;
    *out = NULL;
    LW_TRY(lw_h5_reader_texts(r, path, &list, &n));
    if (n == 1) *out = lw_strdup(list[0]);
    lw_free(list);
    if (n != 1) return LW_FAIL(LW_EFILE, "%s: array %s holds %lld texts, 1 is expected", r->path, path, (long long)n);
    return *out ? LW_OK : LW_FAIL(LW_EMEM, "no memory for %s", path);
}

/* ---- attributes */

static lw_err attribute_open(const lw_h5_reader *r, const char *path, const char *name, hid_t *attribute) {
    *attribute = H5Aopen_by_name(r->file, path, name, H5P_DEFAULT, H5P_DEFAULT);
    LW_H5(*attribute, LW_EFILE, r->path, "attribute %s of %s cannot be opened", name, path);
    return LW_OK;
}

static lw_err number_get(const lw_h5_reader *r, const char *path, const char *name, hid_t type, void *out) {
    hid_t attribute = -1;
    LW_TRY(attribute_open(r, path, name, &attribute));
    hid_t space = H5Aget_space(attribute);
    bool one = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    herr_t status = one ? H5Aread(attribute, type, out) : -1;
    if (space >= 0) (void)H5Sclose(space);
    (void)H5Aclose(attribute);
    LW_H5(status, LW_EFILE, r->path, "attribute %s of %s is not one number", name, path);
    return LW_OK;
}

lw_err lw_h5_reader_i64(const lw_h5_reader *r, const char *path, const char *name, int64_t *out) {
    return number_get(r, path, name, H5T_NATIVE_INT64, out);
}

lw_err lw_h5_reader_u64(const lw_h5_reader *r, const char *path, const char *name, uint64_t *out) {
    return number_get(r, path, name, H5T_NATIVE_UINT64, out);
}

lw_err lw_h5_reader_f64(const lw_h5_reader *r, const char *path, const char *name, double *out) {
    return number_get(r, path, name, H5T_NATIVE_DOUBLE, out);
}

lw_err lw_h5_reader_string(const lw_h5_reader *r, const char *path, const char *name, char **out) {
    hid_t attribute = -1;
    *out = NULL;
    LW_TRY(attribute_open(r, path, name, &attribute));
    hid_t type = H5Aget_type(attribute);
    lw_err err = LW_OK;
    if (type < 0 || H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0)
        err = LW_FAIL(LW_EFILE, "%s: attribute %s of %s is not a fixed-length string", r->path, name, path);
    if (err == LW_OK) err = lw_alloc(H5Tget_size(type) + 1, 1, name, out);
    if (err == LW_OK && H5Aread(attribute, type, *out) < 0)
        err = lw_h5_fail(LW_EFILE, r->path, "attribute %s of %s cannot be read", name, path);
    if (type >= 0) (void)H5Tclose(type);
    (void)H5Aclose(attribute);
    if (err == LW_OK) return LW_OK;
    lw_free(*out);
    *out = NULL;
    return err;
}

lw_err lw_h5_reader_format(const lw_h5_reader *r, char **format, int32_t version[2]) {
    hid_t attribute = -1;
    *format = NULL;
    LW_TRY(attribute_open(r, "/", "format_version", &attribute));
    hid_t space = H5Aget_space(attribute);
    bool two = space >= 0 && H5Sget_simple_extent_npoints(space) == 2;
    herr_t status = two ? H5Aread(attribute, H5T_NATIVE_INT32, version) : -1;
    if (space >= 0) (void)H5Sclose(space);
    (void)H5Aclose(attribute);
    LW_H5(status, LW_EFILE, r->path, "attribute format_version is not two numbers");
    return lw_h5_reader_string(r, "/", "format", format);
}

/* ---- groups */

lw_err lw_h5_reader_count(const lw_h5_reader *r, const char *path, int64_t *n) {
    H5G_info_t info;
    LW_H5(H5Gget_info_by_name(r->file, path, &info, H5P_DEFAULT), LW_EFILE, r->path, "group %s cannot be opened", path);
    *n = (int64_t)info.nlinks;
    return LW_OK;
}

lw_err lw_h5_reader_member(const lw_h5_reader *r, const char *path, int64_t i, char **name) {
    /* files of other programs may not keep the order of creation */
    H5_index_t order = H5_INDEX_CRT_ORDER;
    *name = NULL;
    ssize_t length = H5Lget_name_by_idx(r->file, path, order, H5_ITER_INC, (hsize_t)i, NULL, 0, H5P_DEFAULT);
    if (length < 0) {
        lw_h5_forget();
        order = H5_INDEX_NAME;
        length = H5Lget_name_by_idx(r->file, path, order, H5_ITER_INC, (hsize_t)i, NULL, 0, H5P_DEFAULT);
    }
    LW_H5(length, LW_EFILE, r->path, "member %lld of group %s cannot be found", (long long)i, path);
    LW_TRY(lw_alloc((size_t)length + 1, 1, "a name", name));
    (void)H5Lget_name_by_idx(r->file, path, order, H5_ITER_INC, (hsize_t)i, *name, (size_t)length + 1, H5P_DEFAULT);
    return LW_OK;
}
