/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Is a file whole? HDF5 itself refuses truncated files and, in the format used here, damaged metadata; it does not see
 * damaged or missing data. The table in /integrity has one CRC-32C per block of every array, and the root attribute
 * `complete`, written last, is the CRC of the table.
 */
#include <string.h>
#include <lapwing/io.h>
#include "h5.h"

uint32_t lw_h5_integrity_mark(const lw_h5_integrity *t) {
    uint32_t crc = lw_crc32c(0, t->crc, (size_t)t->total * sizeof *t->crc);
    crc = lw_crc32c(crc, t->items, (size_t)t->n * sizeof *t->items);
    crc = lw_crc32c(crc, t->item_bytes, (size_t)t->n * sizeof *t->item_bytes);
    crc = lw_crc32c(crc, t->block, (size_t)t->n * sizeof *t->block);
    crc = lw_crc32c(crc, t->first, (size_t)(t->n + 1) * sizeof *t->first);
    for (int64_t i = 0; i < t->n; i++)
        crc = lw_crc32c(crc, t->path[i], strlen(t->path[i]));
    return crc;
}

void lw_h5_integrity_free(lw_h5_integrity *t) {
    lw_free(t->path);
    lw_free(t->items);
    lw_free(t->item_bytes);
    lw_free(t->block);
    lw_free(t->first);
    lw_free(t->crc);
    *t = (lw_h5_integrity){0};
}

/* A whole column; its length must be n (n < 0: any, then *length tells it). */
static lw_err column_read(
    const lw_h5_reader *r, const char *path, hid_t type, size_t size, int64_t n, void *out, int64_t *length) {
    int64_t found = 0, row = 0;
    void *column = NULL;
    LW_TRY(lw_h5_reader_shape(r, path, &found, &row));
    if (n >= 0 && found != n)
        return LW_FAIL(LW_EFILE, "%s: array %s has %lld items, expected %lld", lw_h5_reader_path(r), path,
            (long long)found, (long long)n);
    LW_TRY(lw_alloc((size_t)found, size, path, &column));
    memcpy(out, &column, sizeof column);
    if (length) *length = found;
    return lw_h5_reader_array(r, path, type, 0, found, column);
}

static bool table_sound(const lw_h5_integrity *t) {
    bool sound = t->first[0] == 0 && t->first[t->n] == t->total;
    for (int64_t i = 0; i < t->n && sound; i++)
        sound = t->items[i] >= 0 && t->item_bytes[i] > 0 && t->block[i] > 0 &&
                t->first[i + 1] - t->first[i] == (t->items[i] + t->block[i] - 1) / t->block[i];
    return sound;
}

static lw_err table_read(const lw_h5_reader *r, lw_h5_integrity *t) {
    LW_TRY(lw_h5_reader_texts(r, "/integrity/path", &t->path, &t->n));
    LW_TRY(column_read(r, "/integrity/items", H5T_NATIVE_INT64, 8, t->n, &t->items, NULL));
    LW_TRY(column_read(r, "/integrity/item_bytes", H5T_NATIVE_INT64, 8, t->n, &t->item_bytes, NULL));
    LW_TRY(column_read(r, "/integrity/block", H5T_NATIVE_INT64, 8, t->n, &t->block, NULL));
    LW_TRY(column_read(r, "/integrity/first", H5T_NATIVE_INT64, 8, t->n + 1, &t->first, NULL));
    return column_read(r, "/integrity/crc32c", H5T_NATIVE_UINT32, 4, -1, &t->crc, &t->total);
}

lw_err lw_h5_integrity_read(const lw_h5_reader *r, lw_h5_integrity *out) {
    uint64_t mark = 0;
    *out = (lw_h5_integrity){0};
    if (!lw_h5_reader_has_attribute(r, "/", "complete"))
        return LW_FAIL(LW_EFILE, "%s: not complete: its writer was stopped before the end", lw_h5_reader_path(r));
    LW_TRY(lw_h5_reader_u64(r, "/", "complete", &mark));
    lw_err err = table_read(r, out);
    if (err == LW_OK && (!table_sound(out) || lw_h5_integrity_mark(out) != mark))
        err = LW_FAIL(LW_EFILE, "%s: damaged: the table of checksums does not fit its mark", lw_h5_reader_path(r));
    if (err != LW_OK) lw_h5_integrity_free(out);
    return err;
}

/* Blocks [begin, end) of array i. */
static lw_err blocks_check(const lw_h5_reader *r, const lw_h5_integrity *t, int64_t i, int64_t begin, int64_t end) {
    int64_t n = 0, row = 0;
    LW_TRY(lw_h5_reader_shape(r, t->path[i], &n, &row));
    if (n != t->items[i])
        return LW_FAIL(LW_EFILE, "%s: damaged: array %s has %lld items, %lld were written", lw_h5_reader_path(r),
            t->path[i], (long long)n, (long long)t->items[i]);
    for (int64_t b = begin; b < end; b++) {
        int64_t lo = b * t->block[i], hi = lo + t->block[i] < n ? lo + t->block[i] : n, bytes = 0;
        void *data = NULL;
        LW_TRY(lw_h5_reader_raw(r, t->path[i], lo, hi - lo, &data, &bytes));
        bool same =
            bytes == t->item_bytes[i] && lw_crc32c(0, data, (size_t)((hi - lo) * bytes)) == t->crc[t->first[i] + b];
        lw_free(data);
        if (!same)
            return LW_FAIL(LW_EFILE, "%s: damaged: the checksum of array %s, items %lld to %lld, differs",
                lw_h5_reader_path(r), t->path[i], (long long)lo, (long long)hi - 1);
    }
    return LW_OK;
}

lw_err lw_h5_integrity_check(const lw_h5_reader *r, const lw_h5_integrity *t, int part, int parts) {
    int64_t lo = t->total * part / parts, hi = t->total * (part + 1) / parts;
    for (int64_t i = 0; i < t->n; i++) {
        int64_t begin = lo > t->first[i] ? lo : t->first[i];
        int64_t end = hi < t->first[i + 1] ? hi : t->first[i + 1];
        if (begin < end) LW_TRY(blocks_check(r, t, i, begin - t->first[i], end - t->first[i]));
    }
    return LW_OK;
}
