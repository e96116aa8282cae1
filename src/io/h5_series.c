/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Arrays that grow: chunked, without filters, extended by all ranks together. A report is written while the simulation
 * runs, so memory stays bounded and there is nothing to checksum at the end.
 */
#include "h5_writer.h"

enum { CHUNK_BYTES = 65536 };

hid_t lw_h5_writer_file(const lw_h5_writer *w) {
    return w->file;
}

lw_err lw_h5_writer_outcome(lw_h5_writer *w, herr_t status, const char *what) {
    if (w->err != LW_OK) return w->err;
    return h5_writer_agree(w, status < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot write %s", what) : LW_OK);
}

static hid_t series_create(const lw_h5_writer *w, const lw_h5_array *array) {
    int rank = array->row ? 2 : 1;
    size_t item = H5Tget_size(array->type) * (size_t)(array->row ? array->row : 1);
    hsize_t extent[2] = {0, (hsize_t)array->row}, most[2] = {H5S_UNLIMITED, (hsize_t)array->row};
    hsize_t chunk[2] = {item < CHUNK_BYTES ? CHUNK_BYTES / item : 1, (hsize_t)array->row};
    hid_t list = lw_h5_dataset_list(), space = H5Screate_simple(rank, extent, most), dataset = -1;
    if (list >= 0 && space >= 0 && H5Pset_chunk(list, rank, chunk) >= 0)
        dataset = H5Dcreate2(w->file, array->path, array->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (space >= 0) (void)H5Sclose(space);
    if (list >= 0) (void)H5Pclose(list);
    return dataset;
}

lw_err lw_h5_writer_series(lw_h5_writer *w, const lw_h5_array *array) {
    if (w->err != LW_OK) return w->err;
    w->series = true;
    w->series_bytes += 2 * CHUNK_BYTES; /* the last chunk is not full */
    hid_t dataset = series_create(w, array);
    herr_t status = dataset < 0 ? -1 : 0;
    if (status >= 0 && array->unit) status = lw_h5_attribute_text(dataset, "units", array->unit);
    if (status >= 0 && array->about) status = lw_h5_attribute_text(dataset, "long_name", array->about);
    lw_err err = status < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot create array %s", array->path) : LW_OK;
    if (dataset >= 0) (void)H5Dclose(dataset);
    return h5_writer_agree(w, err);
}

static herr_t part_write(
    const lw_h5_writer *w, hid_t dataset, hid_t type, int64_t old, const lw_h5_part *part, const void *data) {
    static const char nothing[8];
    hid_t there = H5Dget_space(dataset);
    int rank = there < 0 ? 1 : H5Sget_simple_extent_ndims(there);
    hsize_t start[2] = {(hsize_t)(old + part->lo), (hsize_t)part->column};
    hsize_t count[2] = {(hsize_t)part->n, (hsize_t)part->n_columns};
    bool none = part->n == 0 || part->n_columns == 0;
    hid_t here = H5Screate_simple(rank, count, NULL);
    herr_t status = there < 0 || here < 0 ? -1 : 0;
    if (status >= 0 && none) {
        status = H5Sselect_none(there);
        if (status >= 0) status = H5Sselect_none(here);
    } else if (status >= 0) {
        status = H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL);
    }
    if (status >= 0) status = H5Dwrite(dataset, type, here, there, w->transfer, data ? data : nothing);
    if (here >= 0) (void)H5Sclose(here);
    if (there >= 0) (void)H5Sclose(there);
    return status;
}

/* *old: items that were there; *row_bytes: of one item. */
static hid_t series_grow(
    const lw_h5_writer *w, const char *path, hid_t type, int64_t n_new, int64_t *old, int64_t *row_bytes) {
    hid_t dataset = H5Dopen2(w->file, path, H5P_DEFAULT), space = dataset < 0 ? -1 : H5Dget_space(dataset);
    hsize_t extent[2] = {0, 1};
    bool ok = space >= 0 && H5Sget_simple_extent_dims(space, extent, NULL) >= 0;
    *old = (int64_t)extent[0];
    *row_bytes = (int64_t)(extent[1] * H5Tget_size(type));
    extent[0] += (hsize_t)n_new;
    ok = ok && H5Dset_extent(dataset, extent) >= 0;
    if (space >= 0) (void)H5Sclose(space);
    if (ok || dataset < 0) return dataset;
    (void)H5Dclose(dataset);
    return -1;
}

lw_err lw_h5_writer_extend(lw_h5_writer *w, const char *path, hid_t type, const lw_h5_part *part, const void *data) {
    int64_t old = 0, row_bytes = 0;
    if (w->err != LW_OK || part->n_new == 0) return w->err;
    hid_t dataset = series_grow(w, path, type, part->n_new, &old, &row_bytes);
    w->series_bytes += part->n_new * row_bytes;
    lw_err err = dataset < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot extend array %s", path)
                             : h5_writer_reserve(w, w->series_bytes);
    if (h5_writer_agree(w, err) == LW_OK && part_write(w, dataset, type, old, part, data) < 0)
        err = lw_h5_fail(LW_EIO, w->path, "cannot write array %s", path);
    if (dataset >= 0) (void)H5Dclose(dataset);
    return w->err != LW_OK ? w->err : h5_writer_agree(w, err);
}
