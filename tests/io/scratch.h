/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A private folder for the files of a test, the same on all ranks, removed at the end; and whole small files.
 */
#ifndef LAPWING_TEST_IO_SCRATCH_H
#define LAPWING_TEST_IO_SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "check.h"

static char scratch_root[PATH_MAX - 512];

static inline const char *scratch_make(void) {
    const char *base = getenv("TMPDIR");
    if (check_rank() == 0) {
        (void)snprintf(scratch_root, sizeof scratch_root, "%s/lapwing-test-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(scratch_root)) scratch_root[0] = '\0';
    }
    MPI_Bcast(scratch_root, sizeof scratch_root, MPI_CHAR, 0, MPI_COMM_WORLD);
    CHECK(scratch_root[0] != '\0');
    return scratch_root;
}
static int scratch_remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}
static inline void scratch_remove(void) {
    MPI_Barrier(MPI_COMM_WORLD);
    if (check_rank() == 0 && scratch_root[0]) (void)nftw(scratch_root, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    scratch_root[0] = '\0';
}
/* Path inside the folder; a ring of buffers, so that several may be in use in one expression. */
static inline const char *scratch_path(const char *name) {
    static char path[64][PATH_MAX];
    static int turn;
    turn = (turn + 1) % 64;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", scratch_root, name);
    return path[turn];
}
static inline void scratch_write(const char *path, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(data, 1, bytes, f) == bytes);
    if (f) CHECK(fclose(f) == 0);
}
static inline char *scratch_read(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    *bytes = 0;
    if (!f) return NULL;
    (void)fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    data = malloc((size_t)n + 1);
    if (data && fread(data, 1, (size_t)n, f) == (size_t)n) *bytes = (size_t)n;
    if (data) data[*bytes] = '\0';
    (void)fclose(f);
    return data;
}
/* A file of the project's small data. */
static inline const char *scratch_data(const char *name) {
    static char path[4][PATH_MAX];
    static int turn;
    const char *source = getenv("LAPWING_SOURCE");
    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/tests/io/data/%s", source ? source : ".", name);
    return path[turn];
}

#endif
