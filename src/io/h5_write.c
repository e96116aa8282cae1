/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The writer: one file by all ranks. Metadata calls are made by every rank in the same order with the same values;
 * HDF5 reports errors to single ranks (a full disk failed on one and not on the other), so every call ends with an
 * agreement, and after the first error no further HDF5 call is made but the closing of the file.
 *
 * Arrays are contiguous and never filled: each rank writes one slab, and holes are found by the checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <lapwing/io.h>
#include "h5_writer.h"
#include "slab.h"

#define CREATOR_VERSION "0.1.0"

/* ---- room
 * A disk that fills up while HDF5 writes leaves HDF5 with a file that it can neither write nor close: its closing of
 * all files at MPI_Finalize then crashes. So room is taken before HDF5 needs it, and a full disk is found by us. Where
 * the file system cannot reserve room, a file that has failed is emptied before it is closed. */

enum { METADATA_ROOM = 256 << 10 };

static bool is_full(int code) {
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

lw_err h5_writer_reserve(lw_h5_writer *w, int64_t bytes) {
    bytes += METADATA_ROOM;
    if (w->descriptor < 0 || bytes <= w->reserved) return LW_OK;
    if (fallocate(w->descriptor, FALLOC_FL_KEEP_SIZE, w->reserved, bytes - w->reserved) == 0) {
        w->reserved = bytes;
    } else if (is_full(errno)) {
        return LW_FAIL(LW_EIO, "%s: no room for %lld bytes: %s", w->path, (long long)bytes, strerror(errno));
    } else {
        (void)close(w->descriptor);
        w->descriptor = -1;
    }
    return LW_OK;
}

/* Before HDF5 creates the file anew: can it be written, is there room at all? Rank 0; local. */
static lw_err room_try(lw_h5_writer *w) {
    char *zeros = NULL;
    LW_TRY(lw_alloc(METADATA_ROOM, 1, "a try of the disk", &zeros));
    w->descriptor = open(w->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int code = w->descriptor < 0 ? errno : 0;
    for (ssize_t n = 0, left = METADATA_ROOM; code == 0 && left > 0; left -= n) {
        n = write(w->descriptor, zeros, (size_t)left);
        if (n < 0) code = errno;
    }
    lw_free(zeros);
    return code == 0 ? LW_OK : LW_FAIL(LW_EIO, "%s: cannot be created: %s", w->path, strerror(code));
}

/* ---- creation */

static hid_t access_list(const lw_comm *comm) {
    hid_t list = H5Pcreate(H5P_FILE_ACCESS);
    if (list < 0) return list;
    MPI_Comm raw = *(MPI_Comm *)lw_comm_handle(comm);
    /* V110: metadata of this format carries checksums; MPI-IO takes no file locks */
    if (H5Pset_fapl_mpio(list, raw, MPI_INFO_NULL) >= 0 && H5Pset_all_coll_metadata_ops(list, true) >= 0 &&
        H5Pset_coll_metadata_write(list, true) >= 0 &&
        H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0)
        return list;
    (void)H5Pclose(list);
    return -1;
}

static hid_t file_create(const lw_comm *comm, const char *path) {
    hid_t access = access_list(comm), creation = H5Pcreate(H5P_FILE_CREATE), file = -1;
    if (access >= 0 && creation >= 0 && H5Pset_obj_track_times(creation, false) >= 0 &&
        H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0)
        file = H5Fcreate(path, H5F_ACC_TRUNC, creation, access);
    if (creation >= 0) (void)H5Pclose(creation);
    if (access >= 0) (void)H5Pclose(access);
    return file;
}

static lw_err transfer_create(lw_h5_writer *w) {
    w->transfer = H5Pcreate(H5P_DATASET_XFER);
    LW_H5(w->transfer, LW_EIO, w->path, "cannot make a property list");
    LW_H5(H5Pset_dxpl_mpio(w->transfer, H5FD_MPIO_COLLECTIVE), LW_EIO, w->path, "cannot ask for collective writing");
    return LW_OK;
}

/* Closes a file that has failed; nobody will read it. **Collective** */
static void file_drop(lw_h5_writer *w) {
    if (lw_comm_rank(w->comm) == 0 && w->descriptor < 0) (void)!truncate(w->path, 0);
    lw_comm_barrier(w->comm);
    (void)H5Fclose(w->file);
    lw_h5_forget();
}

static void writer_free(lw_h5_writer *w) {
    if (!w) return;
    if (w->descriptor >= 0) (void)close(w->descriptor);
    if (w->transfer >= 0) (void)H5Pclose(w->transfer);
    h5_table_free(w);
    lw_free(w->path);
    lw_free(w);
}

lw_err lw_h5_writer_create(const lw_comm *comm, const char *path, lw_h5_writer **out) {
    lw_h5_writer *w = NULL;
    *out = NULL;
    lw_h5_quiet();
    lw_err err = lw_alloc(1, sizeof *w, "a writer", &w);
    if (err == LW_OK) {
        w->comm = comm;
        w->file = w->transfer = -1;
        w->descriptor = -1;
        w->path = lw_strdup(path);
        err = w->path ? transfer_create(w) : LW_FAIL(LW_EMEM, "no memory for the path %s", path);
        if (err == LW_OK && lw_comm_rank(comm) == 0) err = room_try(w);
    }
    err = lw_comm_agree(comm, err);
    if (err == LW_OK) {
        w->file = file_create(comm, path);
        err = w->file < 0 ? lw_h5_fail(LW_EIO, path, "cannot be created") : h5_writer_reserve(w, 0);
        err = lw_comm_agree(comm, err);
        if (err != LW_OK && w->file >= 0) file_drop(w);
    }
    if (err != LW_OK) {
        writer_free(w);
        return err;
    }
    *out = w;
    return LW_OK;
}

/* ---- groups and attributes */

lw_err lw_h5_writer_group(lw_h5_writer *w, const char *path) {
    if (w->err != LW_OK) return w->err;
    hid_t group = lw_h5_group_create(w->file, path);
    lw_err err = group < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot create group %s", path) : LW_OK;
    if (group >= 0) (void)H5Gclose(group);
    return h5_writer_agree(w, err);
}

/* text NULL: a number of this type */
static lw_err attribute_put(
    lw_h5_writer *w, const char *path, const char *name, hid_t type, const void *value, const char *text) {
    if (w->err != LW_OK) return w->err;
    hid_t object = H5Oopen(w->file, path, H5P_DEFAULT);
    herr_t status = object < 0 ? -1
                    : text     ? lw_h5_attribute_text(object, name, text)
                               : lw_h5_attribute(object, name, type, value);
    lw_err err = status < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot write attribute %s of %s", name, path) : LW_OK;
    if (object >= 0) (void)H5Oclose(object);
    return h5_writer_agree(w, err);
}

lw_err lw_h5_writer_i64(lw_h5_writer *w, const char *path, const char *name, int64_t value) {
    return attribute_put(w, path, name, H5T_NATIVE_INT64, &value, NULL);
}

lw_err lw_h5_writer_u64(lw_h5_writer *w, const char *path, const char *name, uint64_t value) {
    return attribute_put(w, path, name, H5T_NATIVE_UINT64, &value, NULL);
}

lw_err lw_h5_writer_f64(lw_h5_writer *w, const char *path, const char *name, double value) {
    return attribute_put(w, path, name, H5T_NATIVE_DOUBLE, &value, NULL);
}

lw_err lw_h5_writer_string(lw_h5_writer *w, const char *path, const char *name, const char *text) {
    return attribute_put(w, path, name, -1, NULL, text);
}

/* ---- arrays */

static herr_t array_describe(hid_t dataset, const lw_h5_array *array) {
    if (array->unit && lw_h5_attribute_text(dataset, "units", array->unit[0] ? array->unit : "1") < 0) return -1;
    return array->about && array->about[0] ? lw_h5_attribute_text(dataset, "long_name", array->about) : 0;
}

/* Local part of the creation. */
static hid_t array_create(const lw_h5_writer *w, const lw_h5_array *array) {
    hsize_t extent[2] = {(hsize_t)array->n, (hsize_t)array->row};
    hid_t list = lw_h5_dataset_list(), dataset = -1;
    hid_t space = array->n < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(array->row ? 2 : 1, extent, NULL);
    if (list >= 0 && space >= 0)
        dataset = H5Dcreate2(w->file, array->path, array->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (dataset >= 0 && array_describe(dataset, array) < 0) {
        (void)H5Dclose(dataset);
        dataset = -1;
    }
    if (space >= 0) (void)H5Sclose(space);
    if (list >= 0) (void)H5Pclose(list);
    return dataset;
}

/* Items of a stretch; array->n < 0: a scalar, whose stretch is [0, 1). */
static herr_t array_fill(
    const lw_h5_writer *w, hid_t dataset, const lw_h5_array *array, lw_span span, const void *slab) {
    static const char nothing[1];
    lw_slab mine = lw_slab_of_span(span, lw_comm_rank(w->comm), lw_comm_size(w->comm));
    hsize_t start[2] = {(hsize_t)mine.lo, 0}, count[2] = {(hsize_t)(mine.hi - mine.lo), (hsize_t)array->row};
    int rank = array->n < 0 ? 0 : array->row ? 2 : 1;
    hid_t there = H5Dget_space(dataset);
    hid_t here = rank ? H5Screate_simple(rank, count, NULL) : H5Screate(H5S_SCALAR);
    herr_t status = there < 0 || here < 0 ? -1 : 0;
    if (status >= 0 && mine.lo == mine.hi) {
        status = H5Sselect_none(there);
        if (status >= 0) status = H5Sselect_none(here);
    } else if (status >= 0 && rank) {
        status = H5Sselect_hyperslab(there, H5S_SELECT_SET, start, NULL, count, NULL);
    }
    if (status >= 0) status = H5Dwrite(dataset, array->type, here, there, w->transfer, slab ? slab : nothing);
    if (here >= 0) (void)H5Sclose(here);
    if (there >= 0) (void)H5Sclose(there);
    return status;
}

/* First byte behind the array's data. */
static int64_t array_end(hid_t dataset, int64_t bytes) {
    haddr_t offset = H5Dget_offset(dataset);
    lw_h5_forget(); /* an array without items has no place */
    return offset == HADDR_UNDEF ? 0 : (int64_t)offset + bytes;
}

static lw_err array_put(lw_h5_writer *w, const lw_h5_array *array, lw_span span, const void *slab) {
    if (w->err != LW_OK) return w->err;
    int64_t item_bytes = (int64_t)H5Tget_size(array->type) * (array->row ? array->row : 1);
    bool begins = span.lo == 0, counted = !w->closing && !w->series;
    lw_err err = LW_OK;
    if (begins && counted) err = h5_table_add(w, array->path, span.n, item_bytes);
    LW_TRY(h5_writer_agree(w, err));
    if (counted) h5_table_stretch(w, array->path, span, slab);
    hid_t dataset = begins ? array_create(w, array) : H5Dopen2(w->file, array->path, H5P_DEFAULT);
    err = dataset < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot create array %s", array->path)
                      : h5_writer_reserve(w, array_end(dataset, span.n * item_bytes));
    if (h5_writer_agree(w, err) == LW_OK && span.lo < span.hi && array_fill(w, dataset, array, span, slab) < 0)
        err = lw_h5_fail(LW_EIO, w->path, "cannot write array %s", array->path);
    if (dataset >= 0 && H5Dclose(dataset) < 0 && err == LW_OK)
        err = lw_h5_fail(LW_EIO, w->path, "cannot close array %s", array->path);
    return w->err != LW_OK ? w->err : h5_writer_agree(w, err);
}

lw_err lw_h5_writer_stretch(lw_h5_writer *w, const lw_h5_array *array, int64_t lo, int64_t hi, const void *slab) {
    LW_ASSERT(0 <= lo && lo <= hi && hi <= array->n);
    return array_put(w, array, (lw_span){array->n, lo, hi}, slab);
}

lw_err lw_h5_writer_array(lw_h5_writer *w, const lw_h5_array *array, const void *slab) {
    return lw_h5_writer_stretch(w, array, 0, array->n, slab);
}

/* texts: [n][width] bytes, in memory on every rank; n < 0: one text, a scalar */
static lw_err texts_put(
    lw_h5_writer *w, const char *path, const char *text, size_t width, int64_t n, const char *about) {
    if (w->err != LW_OK) return w->err;
    lw_h5_array array = {.path = path, .type = lw_h5_text_type(width), .n = n, .about = about};
    LW_TRY(h5_writer_agree(w, array.type < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot make a string type") : LW_OK));
    lw_slab mine = lw_slab_range(n < 0 ? 1 : n, lw_comm_rank(w->comm), lw_comm_size(w->comm));
    lw_err err = array_put(
        w, &array, (lw_span){n < 0 ? 1 : n, 0, n < 0 ? 1 : n}, text + (size_t)mine.lo * H5Tget_size(array.type));
    (void)H5Tclose(array.type);
    return err;
}

lw_err lw_h5_writer_text(lw_h5_writer *w, const char *path, const char *text, const char *about) {
    return texts_put(w, path, text, strlen(text), -1, about);
}

lw_err lw_h5_writer_texts(lw_h5_writer *w, const char *path, const char *const *text, int64_t n, const char *about) {
    size_t width = 1;
    char *block = NULL;
    if (w->err != LW_OK) return w->err;
    for (int64_t i = 0; i < n; i++)
        if (strlen(text[i]) > width) width = strlen(text[i]);
    LW_TRY(h5_writer_agree(w, lw_alloc((size_t)n, width, "strings", &block)));
    for (int64_t i = 0; i < n; i++)
        memcpy(block + (size_t)i * width, text[i], strlen(text[i]));
    lw_err err = texts_put(w, path, block, width, n, about);
    lw_free(block);
    return err;
}

/* ---- head, provenance, close */

lw_err lw_h5_writer_head(lw_h5_writer *w, const char *format) {
    static const int32_t version[2] = {1, 0};
    LW_TRY(lw_h5_writer_string(w, "/", "format", format));
    hid_t root = H5Oopen(w->file, "/", H5P_DEFAULT);
    herr_t status = root < 0 ? -1 : lw_h5_attribute_list(root, "format_version", H5T_NATIVE_INT32, 2, version);
    lw_err err = status < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot write the format version") : LW_OK;
    if (root >= 0) (void)H5Oclose(root);
    LW_TRY(h5_writer_agree(w, err));
    LW_TRY(lw_h5_writer_string(w, "/", "creator", "lapwing"));
    return lw_h5_writer_string(w, "/", "creator_version", CREATOR_VERSION);
}

lw_err lw_h5_writer_provenance(lw_h5_writer *w, const char *command) {
    struct {
        char when[32], host[256], mpi[MPI_MAX_LIBRARY_VERSION_STRING], hdf5[32];
    } facts = {.when = ""};
    if (lw_comm_rank(w->comm) == 0) {
        time_t now = time(NULL);
        struct tm utc;
        unsigned major = 0, minor = 0, release = 0;
        int length = 0;
        (void)strftime(facts.when, sizeof facts.when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
        (void)gethostname(facts.host, sizeof facts.host - 1);
        (void)MPI_Get_library_version(facts.mpi, &length);
        facts.mpi[strcspn(facts.mpi, "\n,")] = '\0';
        (void)H5get_libversion(&major, &minor, &release);
        (void)snprintf(facts.hdf5, sizeof facts.hdf5, "%u.%u.%u", major, minor, release);
    }
    lw_comm_bcast(w->comm, &facts, sizeof facts, 0); /* HDF5 wants equal values on all ranks */
    LW_TRY(lw_h5_writer_group(w, "/provenance"));
    LW_TRY(lw_h5_writer_string(w, "/provenance", "time", facts.when));
    LW_TRY(lw_h5_writer_string(w, "/provenance", "command", command ? command : ""));
    LW_TRY(lw_h5_writer_i64(w, "/provenance", "ranks", lw_comm_size(w->comm)));
    LW_TRY(lw_h5_writer_string(w, "/provenance", "host", facts.host));
    LW_TRY(lw_h5_writer_string(w, "/provenance", "mpi", facts.mpi));
    return lw_h5_writer_string(w, "/provenance", "hdf5", facts.hdf5);
}

/* One column of the table; every rank has all of it. */
static lw_err column_put(
    lw_h5_writer *w, const char *path, hid_t type, int64_t n, const void *column, const char *about) {
    lw_h5_array array = {.path = path, .type = type, .n = n, .about = about};
    lw_slab mine = lw_slab_range(n, lw_comm_rank(w->comm), lw_comm_size(w->comm));
    return lw_h5_writer_array(w, &array, (const char *)column + (size_t)mine.lo * H5Tget_size(type));
}

static lw_err mark_write(lw_h5_writer *w, uint32_t mark) {
    return attribute_put(w, "/", "complete", H5T_NATIVE_UINT32, &mark, NULL);
}

static lw_err table_write(lw_h5_writer *w) {
    const lw_h5_integrity *t = &w->table;
    w->closing = true;
    LW_TRY(h5_writer_agree(w, h5_table_room(w)));
    h5_table_finish(w);
    LW_TRY(lw_h5_writer_group(w, "/integrity"));
    LW_TRY(lw_h5_writer_texts(w, "/integrity/path", (const char *const *)t->path, t->n, "array"));
    LW_TRY(column_put(w, "/integrity/items", H5T_NATIVE_INT64, t->n, t->items, "items of the array"));
    LW_TRY(column_put(w, "/integrity/item_bytes", H5T_NATIVE_INT64, t->n, t->item_bytes, "bytes of one item"));
    LW_TRY(column_put(w, "/integrity/block", H5T_NATIVE_INT64, t->n, t->block, "items per checksum"));
    LW_TRY(column_put(w, "/integrity/first", H5T_NATIVE_INT64, t->n + 1, t->first, "first checksum of the array"));
    LW_TRY(column_put(w, "/integrity/crc32c", H5T_NATIVE_UINT32, t->total, t->crc,
        "CRC-32C (Castagnoli) of each block of each array, little-endian bytes as stored"));
    return mark_write(w, lw_h5_integrity_mark(t));
}

/* Gives back what was reserved behind the end. */
static lw_err room_return(lw_h5_writer *w) {
    struct stat status;
    if (w->descriptor < 0 || (fstat(w->descriptor, &status) == 0 && ftruncate(w->descriptor, status.st_size) == 0))
        return LW_OK;
    return LW_FAIL(LW_EIO, "%s: cannot be cut to its size: %s", w->path, strerror(errno));
}

lw_err lw_h5_writer_close(lw_h5_writer **writer) {
    lw_h5_writer *w = *writer;
    if (!w) return LW_OK;
    if (w->err == LW_OK) w->err = w->series ? mark_write(w, 1) : table_write(w);
    lw_err err = LW_OK;
    if (w->err == LW_OK && H5Fflush(w->file, H5F_SCOPE_GLOBAL) < 0)
        err = lw_h5_fail(LW_EIO, w->path, "cannot be flushed");
    if (w->err == LW_OK) w->err = lw_comm_agree(w->comm, err);
    if (w->err == LW_OK) {
        err = H5Fclose(w->file) < 0 ? lw_h5_fail(LW_EIO, w->path, "cannot be closed") : room_return(w);
        w->err = lw_comm_agree(w->comm, err);
    } else {
        file_drop(w);
    }
    err = w->err;
    writer_free(w);
    *writer = NULL;
    return err;
}

void lw_h5_writer_abandon(lw_h5_writer **writer) {
    lw_h5_writer *w = *writer;
    if (!w) return;
    file_drop(w);
    writer_free(w);
    *writer = NULL;
}
