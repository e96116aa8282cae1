/* SPDX-License-Identifier: BSD-3-Clause
 *
 * h5_writer.h: the writer's inside, for h5_write.c and h5_series.c.
 */
#ifndef LAPWING_IO_H5_WRITER_H
#define LAPWING_IO_H5_WRITER_H

#include "h5.h"
#include "slab.h"

struct lw_h5_writer {
    const lw_comm *comm;
    char *path;
    hid_t file, transfer; /* transfer: collective */
    int descriptor;       /* rank 0: of the same file, to reserve room on the disk; -1 where that is not possible */
    int64_t reserved;     /* bytes from the beginning */
    lw_err err;
    bool series;          /* a report that grows: no table of checksums */
    int64_t series_bytes; /* its data so far, in whole chunks */
    bool closing;         /* arrays no longer enter the table */
    lw_h5_integrity table;
    int64_t room;   /* rows of the table */
    int64_t *carry; /* [rows of the table] CRC of the block that the last part has begun */
    int64_t *crc;   /* [total] of this rank's blocks, zero elsewhere */
    int64_t crc_room;
};

/** The writer's error is now that of the lowest failing rank. **Collective**. */
static inline lw_err h5_writer_agree(lw_h5_writer *w, lw_err err) {
    w->err = lw_comm_agree(w->comm, err);
    return w->err;
}

/* ---- h5_table.c: the table of checksums while it grows; local unless said */
/** A new row, and room for its checksums. */
lw_err h5_table_add(lw_h5_writer *w, const char *path, int64_t n, int64_t item_bytes) LW_MUST_CHECK;
/** Checksums of this rank's blocks of a stretch. **Collective**. */
void h5_table_stretch(lw_h5_writer *w, const char *path, lw_span span, const void *slab);
/** Room for h5_table_finish, which brings all ranks' checksums together (**Collective**). */
lw_err h5_table_room(lw_h5_writer *w) LW_MUST_CHECK;
void h5_table_finish(lw_h5_writer *w);
void h5_table_free(lw_h5_writer *w);

/** Make sure of room for `bytes` from the beginning of the file, and some for metadata. Rank 0 does it; local. */
lw_err h5_writer_reserve(lw_h5_writer *w, int64_t bytes) LW_MUST_CHECK;

#endif
