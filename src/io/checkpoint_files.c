/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Checkpoints as names in a folder. A name that readers use is only ever replaced by one rename, so that at any moment
 * there is a whole file behind it; a folder is fsynced after each change.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "checkpoint.h"
#include "file.h"

typedef struct found {
    char name[64];
    int64_t step;
    struct timespec when;
    bool linked;
} found;

/* The step of "checkpoint-<step>.h5"; -1 for any other name. */
static int64_t name_step(const char *name) {
    static const char head[] = "checkpoint-";
    char *end = NULL;
    if (strncmp(name, head, sizeof head - 1) != 0 || strlen(name) >= sizeof((found *)0)->name) return -1;
    const char *digits = name + sizeof head - 1;
    if (*digits < '0' || *digits > '9') return -1;
    errno = 0;
    long long step = strtoll(digits, &end, 10);
    return errno == 0 && strcmp(end, ".h5") == 0 ? step : -1;
}

static int newer_first(const void *a, const void *b) {
    const found *x = a, *y = b;
    if (x->linked != y->linked) return x->linked ? -1 : 1;
    if (x->when.tv_sec != y->when.tv_sec) return x->when.tv_sec > y->when.tv_sec ? -1 : 1;
    if (x->when.tv_nsec != y->when.tv_nsec) return x->when.tv_nsec > y->when.tv_nsec ? -1 : 1;
    return x->step > y->step ? -1 : x->step < y->step;
}

static void linked_name(const char *dir, char *out, size_t room) {
    char link[PATH_MAX];
    (void)snprintf(link, sizeof link, "%s/%s", dir, CHECKPOINT_LINK);
    ssize_t n = readlink(link, out, room - 1);
    out[n > 0 ? n : 0] = '\0';
}

static lw_err folder_scan(const char *dir, DIR *folder, found **list, int64_t *n) {
    int64_t room = 0;
    char linked[PATH_MAX], path[PATH_MAX];
    struct stat status;
    const struct dirent *entry = NULL;
    linked_name(dir, linked, sizeof linked);
    while ((entry = readdir(folder)) != NULL) {
        int64_t step = name_step(entry->d_name);
        int length = snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (step < 0 || length >= (int)sizeof path || stat(path, &status) != 0 || !S_ISREG(status.st_mode)) continue;
        if (*n == room) {
            LW_TRY(lw_grow(list, (size_t)room, (size_t)(2 * room + 16), sizeof **list, "checkpoints"));
            room = 2 * room + 16;
        }
        found *f = &(*list)[(*n)++];
        *f = (found){.step = step, .when = status.st_mtim, .linked = strcmp(linked, entry->d_name) == 0};
        memcpy(f->name, entry->d_name, strlen(entry->d_name) + 1);
    }
    return LW_OK;
}

lw_err checkpoint_list_make(const char *dir, checkpoint_list *out) {
    found *list = NULL;
    *out = (checkpoint_list){0};
    DIR *folder = opendir(dir);
    if (!folder) return LW_FAIL(LW_EFILE, "%s: cannot be opened: %s", dir, strerror(errno));
    lw_err err = folder_scan(dir, folder, &list, &out->n);
    (void)closedir(folder);
    if (err == LW_OK) err = lw_alloc((size_t)out->n, sizeof *out->name, "checkpoints", &out->name);
    if (err == LW_OK && out->n) qsort(list, (size_t)out->n, sizeof *list, newer_first);
    for (int64_t i = 0; i < out->n && err == LW_OK; i++)
        memcpy(out->name[i], list[i].name, sizeof list[i].name);
    lw_free(list);
    return err;
}

void checkpoint_list_free(checkpoint_list *list) {
    lw_free(list->name);
    *list = (checkpoint_list){0};
}

void checkpoint_leftovers_remove(const char *dir) {
    static const char head[] = "checkpoint", tail[] = ".tmp";
    char path[PATH_MAX];
    const struct dirent *entry = NULL;
    DIR *folder = opendir(dir);
    while (folder && (entry = readdir(folder)) != NULL) {
        size_t n = strlen(entry->d_name);
        if (strncmp(entry->d_name, head, sizeof head - 1) != 0 || n < sizeof tail ||
            strcmp(entry->d_name + n - (sizeof tail - 1), tail) != 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) < (int)sizeof path) (void)unlink(path);
    }
    if (folder) (void)closedir(folder);
}

static lw_err path_join(const char *dir, const char *name, char out[PATH_MAX]) {
    if (snprintf(out, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return LW_FAIL(LW_EUSE, "%s: the path is too long", dir);
    return LW_OK;
}

static lw_err link_move(const char *dir, const char *name) {
    char link[PATH_MAX], temporary[PATH_MAX];
    LW_TRY(path_join(dir, CHECKPOINT_LINK, link));
    LW_TRY(path_join(dir, CHECKPOINT_LINK ".tmp", temporary));
    if (symlink(name, temporary) != 0)
        return LW_FAIL(LW_EIO, "%s: cannot make a link to %s: %s", temporary, name, strerror(errno));
    return lw_file_rename(temporary, link);
}

/* Older files that cannot be removed do no harm. */
static lw_err old_remove(const char *dir, int keep) {
    checkpoint_list list;
    char path[PATH_MAX];
    LW_TRY(checkpoint_list_make(dir, &list)); /* the new one is linked, so it comes first and stays */
    for (int64_t i = keep > 1 ? keep : 1; i < list.n; i++)
        if (path_join(dir, list.name[i], path) == LW_OK) (void)unlink(path);
    checkpoint_list_free(&list);
    return LW_OK;
}

lw_err checkpoint_publish(const char *dir, const char *temporary, const char *name, int keep) {
    char path[PATH_MAX];
    LW_TRY(path_join(dir, name, path));
    LW_TRY(lw_file_sync(temporary)); /* closing wrote the superblock after HDF5's own fsync */
    LW_TRY(lw_file_rename(temporary, path));
    LW_TRY(link_move(dir, name));
    return old_remove(dir, keep);
}
