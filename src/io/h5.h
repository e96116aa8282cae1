/* SPDX-License-Identifier: BSD-3-Clause
 *
 * h5.h: a thin layer over HDF5. A writer makes one file with all ranks (MPI-IO) and keeps a CRC-32C of every block of
 * every array; a reader opens a file on one process, without MPI, so that nothing a damaged file does can leave other
 * ranks waiting. The format of both is in README.md.
 */
#ifndef LAPWING_IO_H5_H
#define LAPWING_IO_H5_H

#include <hdf5.h>
#include <lapwing/comm.h>

/** HDF5 prints nothing by itself from now on. Local. */
void lw_h5_quiet(void);
/** A call was expected to fail. Local. */
void lw_h5_forget(void);
/** Record "path: <what>: <deepest entry of HDF5's error stack>" and return `code`. Local. */
lw_err lw_h5_fail(lw_err code, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** For a call that returns a negative number on failure, in a function with nothing to clean up. */
#define LW_H5(call, code, path, ...)                                                                                   \
    do {                                                                                                               \
        if ((int64_t)(call) < 0) return lw_h5_fail((code), (path), __VA_ARGS__);                                       \
    } while (0)

/** Attributes of an open object; local. Strings are fixed-length UTF-8, as HDF5's parallel driver wants. */
herr_t lw_h5_attribute(hid_t object, const char *name, hid_t type, const void *value);
herr_t lw_h5_attribute_list(hid_t object, const char *name, hid_t type, int n, const void *value);
herr_t lw_h5_attribute_text(hid_t object, const char *name, const char *text);
/** A fixed-length string type of n bytes (at least 1). */
hid_t lw_h5_text_type(size_t bytes);
/** Creation lists that leave no times behind, so that equal content gives equal bytes. */
hid_t lw_h5_group_create(hid_t where, const char *path);
hid_t lw_h5_dataset_list(void);

/* ------------------------------------------------------------------ writer: all functions **Collective** */

typedef struct lw_h5_writer lw_h5_writer;
/** An error stays: every later call returns it at once, on every rank. On failure *out is NULL. */
lw_err lw_h5_writer_create(const lw_comm *comm, const char *path, lw_h5_writer **out) LW_MUST_CHECK;
lw_err lw_h5_writer_group(lw_h5_writer *w, const char *path) LW_MUST_CHECK;
/** An array of n items of `row` numbers each, [n] or [n, row]. */
typedef struct lw_h5_array {
    const char *path;
    hid_t type;
    int64_t n, row; /* row 0: one number per item, shape [n] */
    const char *unit, *about;
} lw_h5_array;
/** slab: this rank's items (lw_slab_range). Same description on all ranks. */
lw_err lw_h5_writer_array(lw_h5_writer *w, const lw_h5_array *array, const void *slab) LW_MUST_CHECK;
/** The same in several calls, for large arrays: items [lo, hi), in ascending order from lo = 0 on, without gaps. slab:
 * this rank's items of the stretch (lw_slab_of_span). */
lw_err lw_h5_writer_stretch(
    lw_h5_writer *w, const lw_h5_array *array, int64_t lo, int64_t hi, const void *slab) LW_MUST_CHECK;
lw_err lw_h5_writer_text(lw_h5_writer *w, const char *path, const char *text, const char *about) LW_MUST_CHECK;
/** List of strings, [n]. */
lw_err lw_h5_writer_texts(
    lw_h5_writer *w, const char *path, const char *const *text, int64_t n, const char *about) LW_MUST_CHECK;
/** Attributes of a group or array; "/" is the file. */
lw_err lw_h5_writer_i64(lw_h5_writer *w, const char *path, const char *name, int64_t value) LW_MUST_CHECK;
lw_err lw_h5_writer_u64(lw_h5_writer *w, const char *path, const char *name, uint64_t value) LW_MUST_CHECK;
lw_err lw_h5_writer_f64(lw_h5_writer *w, const char *path, const char *name, double value) LW_MUST_CHECK;
lw_err lw_h5_writer_string(lw_h5_writer *w, const char *path, const char *name, const char *text) LW_MUST_CHECK;
/** Format, version and creator on the root. */
lw_err lw_h5_writer_head(lw_h5_writer *w, const char *format) LW_MUST_CHECK;
/** Group /provenance: time, command, ranks, host, versions. Not covered by equality of files. */
lw_err lw_h5_writer_provenance(lw_h5_writer *w, const char *command) LW_MUST_CHECK;
/** Checksums, completeness mark, flush, close. Gives the first error of the writer; the writer is gone in any case. */
lw_err lw_h5_writer_close(lw_h5_writer **w) LW_MUST_CHECK;
/* ---- arrays that grow along their first index (reports); a file that has one gets no checksums, but still its mark */
/** Empty array of shape [0] (row 0) or [0, row], in chunks of about 64 KiB. */
lw_err lw_h5_writer_series(lw_h5_writer *w, const lw_h5_array *array) LW_MUST_CHECK;
/** Items are added behind those that are there: `n_new` by all ranks together. This rank gives items [lo, lo + n) of
 * the new ones, of each the numbers [column, column + n_columns) (row 0: 0 and 1). */
typedef struct lw_h5_part {
    int64_t n_new, lo, n, column, n_columns;
} lw_h5_part;
lw_err lw_h5_writer_extend(
    lw_h5_writer *w, const char *path, hid_t type, const lw_h5_part *part, const void *data) LW_MUST_CHECK;
/** The open file and the writer's sticky error, for objects that only one report has. */
hid_t lw_h5_writer_file(const lw_h5_writer *w);
lw_err lw_h5_writer_outcome(lw_h5_writer *w, herr_t status, const char *what) LW_MUST_CHECK;
/** Close a file that cannot become whole; it keeps its temporary name and no completeness mark. */
void lw_h5_writer_abandon(lw_h5_writer **w);

/* ------------------------------------------------------------------ reader: all functions local */

typedef struct lw_h5_reader lw_h5_reader;
lw_err lw_h5_reader_open(const char *path, lw_h5_reader **out) LW_MUST_CHECK;
void lw_h5_reader_close(lw_h5_reader **r);
const char *lw_h5_reader_path(const lw_h5_reader *r);
hid_t lw_h5_reader_file(const lw_h5_reader *r);
bool lw_h5_reader_has(const lw_h5_reader *r, const char *path);
bool lw_h5_reader_has_attribute(const lw_h5_reader *r, const char *path, const char *name);
/** Items and numbers per item (1 for shape [n]); a scalar has one item. */
lw_err lw_h5_reader_shape(const lw_h5_reader *r, const char *path, int64_t *n, int64_t *row) LW_MUST_CHECK;
/** Items [lo, lo + n), converted to `type`. */
lw_err lw_h5_reader_array(
    const lw_h5_reader *r, const char *path, hid_t type, int64_t lo, int64_t n, void *out) LW_MUST_CHECK;
/** The bytes of the file, not converted. *bytes (may be NULL): of one item. */
lw_err lw_h5_reader_raw(
    const lw_h5_reader *r, const char *path, int64_t lo, int64_t n, void **out, int64_t *bytes) LW_MUST_CHECK;
lw_err lw_h5_reader_text(const lw_h5_reader *r, const char *path, char **out) LW_MUST_CHECK;
/** n strings, all in one block: free *out once. */
lw_err lw_h5_reader_texts(const lw_h5_reader *r, const char *path, char ***out, int64_t *n) LW_MUST_CHECK;
lw_err lw_h5_reader_i64(const lw_h5_reader *r, const char *path, const char *name, int64_t *out) LW_MUST_CHECK;
lw_err lw_h5_reader_u64(const lw_h5_reader *r, const char *path, const char *name, uint64_t *out) LW_MUST_CHECK;
lw_err lw_h5_reader_f64(const lw_h5_reader *r, const char *path, const char *name, double *out) LW_MUST_CHECK;
lw_err lw_h5_reader_string(const lw_h5_reader *r, const char *path, const char *name, char **out) LW_MUST_CHECK;
/** Root attributes `format` (caller frees) and `format_version`. */
lw_err lw_h5_reader_format(const lw_h5_reader *r, char **format, int32_t version[2]) LW_MUST_CHECK;
/** Number of members of a group, and the name of member i in the order of writing. Caller frees *name. */
lw_err lw_h5_reader_count(const lw_h5_reader *r, const char *path, int64_t *n) LW_MUST_CHECK;
lw_err lw_h5_reader_member(const lw_h5_reader *r, const char *path, int64_t i, char **name) LW_MUST_CHECK;

/* ------------------------------------------------------------------ integrity (integrity.c) */

/** The table that a writer leaves in /integrity: one row per array. */
typedef struct lw_h5_integrity {
    int64_t n, total;
    char **path;                                 /* [n] */
    int64_t *items, *item_bytes, *block, *first; /* [n], first: [n + 1] blocks before */
    uint32_t *crc;                               /* [total] */
} lw_h5_integrity;
/** Completeness mark from the columns of the table. */
uint32_t lw_h5_integrity_mark(const lw_h5_integrity *t);
lw_err lw_h5_integrity_read(const lw_h5_reader *r, lw_h5_integrity *out) LW_MUST_CHECK;
void lw_h5_integrity_free(lw_h5_integrity *t);
/** Read and check the part `part` of `parts` of all blocks. EFILE names array and block. Local. */
lw_err lw_h5_integrity_check(const lw_h5_reader *r, const lw_h5_integrity *t, int part, int parts) LW_MUST_CHECK;

#endif
