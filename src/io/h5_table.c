/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The table of checksums while a file is written. Each rank computes those of its blocks from memory; at the end one
 * sum over ranks brings them together. A large array comes in stretches that need not end at a block: the checksum of
 * the block that a stretch leaves unfinished is carried over to whoever goes on with it.
 */
#include <string.h>
#include <lapwing/io.h>
#include "h5_writer.h"

static lw_err rows_reserve(lw_h5_writer *w) {
    lw_h5_integrity *t = &w->table;
    if (t->n < w->room) return LW_OK;
    int64_t room = 2 * w->room + 64;
    size_t old = (size_t)w->room, want = (size_t)room;
    LW_TRY(lw_grow(&t->path, old, want, sizeof *t->path, "checksums"));
    LW_TRY(lw_grow(&t->items, old, want, sizeof *t->items, "checksums"));
    LW_TRY(lw_grow(&t->item_bytes, old, want, sizeof *t->item_bytes, "checksums"));
    LW_TRY(lw_grow(&t->block, old, want, sizeof *t->block, "checksums"));
    LW_TRY(lw_grow(&t->first, old ? old + 1 : 0, want + 1, sizeof *t->first, "checksums"));
    LW_TRY(lw_grow(&w->carry, old, want, sizeof *w->carry, "checksums"));
    w->room = room;
    return LW_OK;
}

lw_err h5_table_add(lw_h5_writer *w, const char *path, int64_t n, int64_t item_bytes) {
    lw_h5_integrity *t = &w->table;
    int64_t block = lw_slab_block(n), blocks = (n + block - 1) / block;
    LW_TRY(rows_reserve(w));
    if (t->total + blocks > w->crc_room) {
        int64_t room = 2 * w->crc_room + blocks + 1024;
        LW_TRY(lw_grow(&w->crc, (size_t)w->crc_room, (size_t)room, sizeof *w->crc, "checksums"));
        w->crc_room = room;
    }
    char *copy = lw_strdup(path);
    LW_CHECK(copy, LW_EMEM, "no memory for the name %s", path);
    t->path[t->n] = copy;
    t->items[t->n] = n;
    t->item_bytes[t->n] = item_bytes;
    t->block[t->n] = block;
    t->total += blocks;
    t->first[++t->n] = t->total;
    return LW_OK;
}

void h5_table_stretch(lw_h5_writer *w, const char *path, lw_span span, const void *slab) {
    const lw_h5_integrity *t = &w->table;
    int64_t i = t->n - 1, tail = 0;
    while (i > 0 && strcmp(t->path[i], path) != 0)
        i--;
    int64_t block = t->block[i], bytes = t->item_bytes[i];
    lw_slab mine = lw_slab_of_span(span, lw_comm_rank(w->comm), lw_comm_size(w->comm));
    for (int64_t lo = mine.lo, hi = 0; lo < mine.hi; lo = hi) {
        int64_t end = (lo / block + 1) * block < span.n ? (lo / block + 1) * block : span.n;
        hi = end < mine.hi ? end : mine.hi;
        uint32_t begun = lo % block ? (uint32_t)w->carry[i] : 0;
        uint32_t crc = lw_crc32c(begun, (const char *)slab + (lo - mine.lo) * bytes, (size_t)((hi - lo) * bytes));
        if (hi < end)
            tail = crc;
        else
            w->crc[t->first[i] + lo / block] = crc;
    }
    if (span.hi == span.n) return;
    lw_comm_sum_i64(w->comm, &tail, 1);
    if (span.lo < span.hi) w->carry[i] = tail;
}

lw_err h5_table_room(lw_h5_writer *w) {
    LW_TRY(rows_reserve(w)); /* a file without arrays has columns too */
    return lw_alloc((size_t)w->table.total, sizeof *w->table.crc, "checksums", &w->table.crc);
}

void h5_table_finish(lw_h5_writer *w) {
    lw_comm_sum_i64(w->comm, w->crc, w->table.total);
    for (int64_t i = 0; i < w->table.total; i++)
        w->table.crc[i] = (uint32_t)w->crc[i];
}

void h5_table_free(lw_h5_writer *w) {
    for (int64_t i = 0; i < w->table.n; i++)
        lw_free(w->table.path[i]);
    lw_h5_integrity_free(&w->table);
    lw_free(w->crc);
    lw_free(w->carry);
}
