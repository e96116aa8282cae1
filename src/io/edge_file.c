/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Synapses from a file: a table of text (columns source, target, weight, delay) or the edges of a SONATA file. Each
 * rank reads its own stretch, lines by bytes, arrays by rows. What the file does not say (weight, delay) is one number
 * from the experiment.
 */
#include "edge_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "h5.h"

enum { SOURCE, TARGET, WEIGHT, DELAY, N_COLUMNS };
static const char *const column_name[N_COLUMNS] = {"source", "target", "weight", "delay"};

/* As drawn delays are rounded: 0 stays 0, everything else is a step at least. */
static lw_err steps_of(const edge_file *f, double ms, int32_t *out) {
    LW_CHECK(isfinite(ms) && ms >= 0 && ms / f->dt < 0x1p30, LW_EFILE, "%s: a delay of %g ms; allowed: 0 and more",
        f->path, ms);
    *out = ms == 0 ? 0 : ms < f->dt ? 1 : (int32_t)lround(ms / f->dt);
    return LW_OK;
}

static lw_err edge_add(lw_edge **edges, int64_t *n, int64_t *room, const lw_edge *e) {
    if (*n == *room) {
        int64_t wider = *room + *room / 2 + 1024;
        LW_TRY(lw_grow(edges, (size_t)*room, (size_t)wider, sizeof **edges, "synapses of a file"));
        *room = wider;
    }
    (*edges)[(*n)++] = *e;
    return LW_OK;
}

/* ---- text */

/* Columns of the heading; place[c]: its number in a line, -1 without. */
static lw_err heading(const edge_file *f, char *line, int place[N_COLUMNS]) {
    int at = 0;
    for (int c = 0; c < N_COLUMNS; c++)
        place[c] = -1;
    for (char *word = strtok(line, ", \t\r\n"); word; word = strtok(NULL, ", \t\r\n"), at++) {
        int c = 0;
        while (c < N_COLUMNS && strcmp(word, column_name[c]) != 0)
            c++;
        LW_CHECK(c < N_COLUMNS && place[c] < 0, LW_EFILE,
            "%s:1: column \"%s\"; allowed: source, target, weight, delay, once each", f->path, word);
        place[c] = at;
    }
    LW_CHECK(place[SOURCE] >= 0 && place[TARGET] >= 0, LW_EFILE, "%s:1: no columns \"source\" and \"target\"", f->path);
    return LW_OK;
}

static lw_err line_parse(const edge_file *f, const char *line, int64_t offset, const int place[N_COLUMNS], lw_edge *e) {
    double value[N_COLUMNS] = {0};
    int n = 0;
    const char *at = line;
    for (;;) {
        char *end = NULL;
        at += strspn(at, ", \t\r");
        if (!*at || *at == '\n') break;
        double x = strtod(at, &end);
        if (end == at || n == N_COLUMNS) {
            n = -1;
            break;
        }
        value[n++] = x;
        at = end;
    }
    int wanted = 0;
    for (int c = 0; c < N_COLUMNS; c++)
        wanted += place[c] >= 0;
    double source = n == wanted ? value[place[SOURCE]] : NAN, target = n == wanted ? value[place[TARGET]] : NAN;
    LW_CHECK(n == wanted && source >= 0 && source < 0x1p32 && target >= 0 && target < 0x1p32, LW_EFILE,
        "%s, byte %lld: \"%.*s\"; allowed: %d numbers, source and target from 0", f->path, (long long)offset,
        (int)strcspn(line, "\r\n") < 60 ? (int)strcspn(line, "\r\n") : 60, line, wanted);
    /* a line has 4 bytes at least, so its place tells synapses of one pair apart */
    *e = (lw_edge){.source = (int64_t)source,
        .target = (int64_t)target,
        .weight = place[WEIGHT] >= 0 ? value[place[WEIGHT]] : f->weight,
        .order = (int32_t)(offset / 4 & INT32_MAX)};
    return steps_of(f, place[DELAY] >= 0 ? value[place[DELAY]] : f->delay, &e->delay);
}

/* Lines that begin in this rank's share of the bytes. */
static lw_err text_read(const edge_file *f, int rank, int size, lw_edge **edges, int64_t *n) {
    int place[N_COLUMNS];
    int64_t room = 0;
    char *line = NULL;
    size_t line_room = 0;
    FILE *file = fopen(f->path, "r");
    LW_CHECK(file, LW_EFILE, "%s: cannot be opened: %s", f->path, strerror(errno));
    lw_err err =
        getline(&line, &line_room, file) > 0 ? heading(f, line, place) : LW_FAIL(LW_EFILE, "%s: is empty", f->path);
    int64_t begin = ftello(file), all = fseeko(file, 0, SEEK_END) == 0 ? ftello(file) : begin;
    int64_t lo = begin + (all - begin) / size * rank + (all - begin) % size * rank / size;
    int64_t hi = begin + (all - begin) / size * (rank + 1) + (all - begin) % size * (rank + 1) / size;
    if (err == LW_OK && fseeko(file, lo - 1, SEEK_SET) == 0) { /* the byte before tells whether a line begins here */
        int before = fgetc(file);
        if (before != '\n' && getline(&line, &line_room, file) < 0) lo = hi;
        int64_t at = ftello(file);
        for (ssize_t length; err == LW_OK && lo < hi && at < hi && (length = getline(&line, &line_room, file)) > 0;
             at += length) {
            lw_edge e;
            if (line[0] == '#' || line[strspn(line, " \t\r\n")] == 0) continue;
            err = line_parse(f, line, at, place, &e);
            if (err == LW_OK) err = edge_add(edges, n, &room, &e);
        }
    }
    if (err == LW_OK && ferror(file)) err = LW_FAIL(LW_EFILE, "%s: cannot be read: %s", f->path, strerror(errno));
    free(line);
    fclose(file);
    return err;
}

/* ---- SONATA: /edges/<population>/source_node_id, target_node_id, 0/syn_weight, 0/delay */

static lw_err group_find(const edge_file *f, const lw_h5_reader *r, char group[256]) {
    int64_t count = 0;
    char *name = NULL;
    LW_CHECK(lw_h5_reader_has(r, "/edges"), LW_EFILE, "%s: no group /edges", f->path);
    LW_TRY(lw_h5_reader_count(r, "/edges", &count));
    LW_CHECK(f->population || count == 1, LW_EFILE, "%s: %lld populations of edges; name one with \"edge_population\"",
        f->path, (long long)count);
    if (!f->population) LW_TRY(lw_h5_reader_member(r, "/edges", 0, &name));
    snprintf(group, 256, "/edges/%s", f->population ? f->population : name);
    lw_free(name);
    LW_CHECK(lw_h5_reader_has(r, group), LW_EFILE, "%s: no group %s", f->path, group);
    return LW_OK;
}

static lw_err column_read(const edge_file *f, const lw_h5_reader *r, const char *group, const char *name, int64_t all,
    int64_t lo, int64_t n, hid_t type, void *out) {
    char path[300];
    int64_t have = 0, row = 0;
    snprintf(path, sizeof path, "%s/%s", group, name);
    LW_TRY(lw_h5_reader_shape(r, path, &have, &row));
    LW_CHECK(have == all && row == 1, LW_EFILE, "%s: %s has %lld rows of %lld, expected %lld of 1", f->path, path,
        (long long)have, (long long)row, (long long)all);
    return lw_h5_reader_array(r, path, type, lo, n, out);
}

static bool column_there(const lw_h5_reader *r, const char *group, const char *name) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", group, name);
    return lw_h5_reader_has(r, path);
}

/* column: [n] of 8 bytes, scratch */
static lw_err columns_read(const edge_file *f, const lw_h5_reader *r, const char *group, int64_t all, int64_t lo,
    int64_t n, void *column, lw_edge *edges) {
    const int64_t *index = column;
    const double *value = column;
    LW_TRY(column_read(f, r, group, "source_node_id", all, lo, n, H5T_NATIVE_INT64, column));
    for (int64_t i = 0; i < n; i++)
        edges[i] = (lw_edge){.source = index[i], .weight = f->weight, .order = (int32_t)((lo + i) & INT32_MAX)};
    LW_TRY(column_read(f, r, group, "target_node_id", all, lo, n, H5T_NATIVE_INT64, column));
    for (int64_t i = 0; i < n; i++)
        edges[i].target = index[i];
    if (column_there(r, group, "0/syn_weight")) {
        LW_TRY(column_read(f, r, group, "0/syn_weight", all, lo, n, H5T_NATIVE_DOUBLE, column));
        for (int64_t i = 0; i < n; i++)
            edges[i].weight = value[i];
    }
    bool delays = column_there(r, group, "0/delay");
    if (delays) LW_TRY(column_read(f, r, group, "0/delay", all, lo, n, H5T_NATIVE_DOUBLE, column));
    for (int64_t i = 0; i < n; i++)
        LW_TRY(steps_of(f, delays ? value[i] : f->delay, &edges[i].delay));
    return LW_OK;
}

static lw_err sonata_read(const edge_file *f, int rank, int size, lw_edge **edges, int64_t *n) {
    lw_h5_reader *r = NULL;
    void *column = NULL;
    char group[256], path[300];
    int64_t all = 0, row = 0;
    LW_TRY(lw_h5_reader_open(f->path, &r));
    lw_err err = group_find(f, r, group);
    snprintf(path, sizeof path, "%s/source_node_id", group);
    if (err == LW_OK) err = lw_h5_reader_shape(r, path, &all, &row);
    int64_t lo = all / size * rank + all % size * rank / size;
    int64_t hi = all / size * (rank + 1) + all % size * (rank + 1) / size;
    if (err == LW_OK) err = lw_alloc((size_t)(hi - lo), 8, "synapses of a file", &column);
    if (err == LW_OK) err = lw_alloc((size_t)(hi - lo), sizeof **edges, "synapses of a file", edges);
    if (err == LW_OK) err = columns_read(f, r, group, all, lo, hi - lo, column, *edges);
    *n = hi - lo;
    lw_free(column);
    lw_h5_reader_close(&r);
    return err;
}

lw_err edge_file_read(void *payload, int rank, int size, lw_edge **edges, int64_t *n) {
    const edge_file *f = payload;
    size_t length = strlen(f->path);
    bool hdf5 = length > 3 && strcmp(f->path + length - 3, ".h5") == 0;
    *edges = NULL;
    *n = 0;
    lw_err err = hdf5 ? sonata_read(f, rank, size, edges, n) : text_read(f, rank, size, edges, n);
    if (err != LW_OK) {
        lw_free(*edges);
        *edges = NULL;
        *n = 0;
    }
    return err;
}
