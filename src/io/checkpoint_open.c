/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Finding a whole checkpoint: the files of a folder are tried from the newest on; each is opened by every rank, and the
 * ranks share the work of checking its blocks. What is wrong with a file is said in a warning before the next is tried.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "checkpoint.h"
#include "file.h"

/* ---- candidates; on rank 0 only */

/* Full paths, one after the other, each with its end. */
static lw_err candidate_add(char **list, int64_t *bytes, const char *dir, const char *name) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s%s", dir, *dir ? "/" : "", name) >= (int)sizeof path)
        return LW_FAIL(LW_EUSE, "%s: the path is too long", dir);
    int64_t n = (int64_t)strlen(path) + 1;
    LW_TRY(lw_grow(list, (size_t)*bytes, (size_t)(*bytes + n), 1, "names of checkpoints"));
    memcpy(*list + *bytes, path, (size_t)n);
    *bytes += n;
    return LW_OK;
}

/* The files of a folder behind `after` (NULL: all). A name that is not in the list has no older ones. */
static lw_err folder_add(char **list, int64_t *bytes, const char *dir, const char *after) {
    checkpoint_list files;
    LW_TRY(checkpoint_list_make(dir, &files));
    lw_err err = LW_OK;
    bool on = after == NULL;
    for (int64_t i = 0; i < files.n && err == LW_OK; i++) {
        if (on) err = candidate_add(list, bytes, dir, files.name[i]);
        if (after && strcmp(after, files.name[i]) == 0) on = true;
    }
    checkpoint_list_free(&files);
    return err;
}

static lw_err candidates_find(const char *path, char **list, int64_t *bytes) {
    struct stat status;
    char real[PATH_MAX];
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        LW_TRY(folder_add(list, bytes, path, NULL));
        if (*bytes == 0) return LW_FAIL(LW_EFILE, "%s: no checkpoint in this folder", path);
        return LW_OK;
    }
    char *dir = lw_file_directory(path);
    LW_CHECK(dir, LW_EMEM, "no memory for the folder of %s", path);
    const char *slash = strrchr(path, '/');
    bool is_link = strcmp(slash ? slash + 1 : path, CHECKPOINT_LINK) == 0;
    lw_err err = LW_OK;
    if (is_link) {
        err = folder_add(list, bytes, dir, NULL); /* what it points to comes first */
    } else {
        err = candidate_add(list, bytes, "", path);
        if (err == LW_OK && realpath(path, real)) err = folder_add(list, bytes, dir, strrchr(real, '/') + 1);
    }
    lw_free(dir);
    if (err == LW_OK && *bytes == 0) err = LW_FAIL(LW_EFILE, "%s: no such checkpoint", path);
    return err;
}

/* ---- one candidate */

static lw_err head_check(const lw_h5_reader *r) {
    char *format = NULL;
    int32_t version[2] = {0};
    LW_TRY(lw_h5_reader_format(r, &format, version));
    lw_err err = LW_OK;
    if (strcmp(format, CHECKPOINT_FORMAT) != 0)
        err = LW_FAIL(LW_EFILE, "%s: is a %s, expected a %s", lw_h5_reader_path(r), format, CHECKPOINT_FORMAT);
    else if (version[0] != 1)
        err = LW_FAIL(LW_EFILE, "%s: has format version %d.%d, this program reads 1.x", lw_h5_reader_path(r),
            version[0], version[1]);
    lw_free(format);
    return err;
}

static lw_err text_maybe(const lw_h5_reader *r, const char *path, char **out) {
    return lw_h5_reader_has(r, path) ? lw_h5_reader_text(r, path, out) : LW_OK;
}

static lw_err info_read(lw_checkpoint *c) {
    const lw_h5_reader *r = c->reader;
    int64_t index = 0, done = 0, n = 0;
    LW_TRY(lw_h5_reader_string(r, "/experiment", "name", &c->experiment_name));
    LW_TRY(lw_h5_reader_string(r, "/experiment", "stage", &c->stage));
    LW_TRY(lw_h5_reader_i64(r, "/experiment", "stage_index", &index));
    LW_TRY(lw_h5_reader_i64(r, "/experiment", "stage_done", &done));
    LW_TRY(text_maybe(r, "/experiment/text", &c->experiment));
    LW_TRY(text_maybe(r, "/experiment/results", &c->results));
    if (lw_h5_reader_has(r, "/experiment/overrides"))
        LW_TRY(lw_h5_reader_texts(r, "/experiment/overrides", &c->override, &n));
    c->info = (lw_checkpoint_info){.path = lw_h5_reader_path(r),
        .experiment = c->experiment,
        .experiment_name = c->experiment_name,
        .stage = c->stage,
        .results = c->results,
        .override = (const char *const *)c->override,
        .n_overrides = (int32_t)n,
        .stage_index = (int32_t)index,
        .stage_done = done != 0,
        .has_net = lw_h5_reader_has(r, "/network"),
        .has_sim = lw_h5_reader_has(r, "/state"),
        .has_trainer = lw_h5_reader_has(r, "/training")};
    return lw_h5_reader_i64(r, "/", "step", &c->info.step);
}

static lw_err checkpoint_open(const char *path, int rank, int size, lw_checkpoint **out) {
    lw_h5_integrity table = {0};
    LW_TRY(lw_alloc(1, sizeof **out, "a checkpoint", out));
    LW_TRY(lw_h5_reader_open(path, &(*out)->reader));
    lw_err err = head_check((*out)->reader);
    if (err == LW_OK) err = lw_h5_integrity_read((*out)->reader, &table);
    if (err == LW_OK) err = lw_h5_integrity_check((*out)->reader, &table, rank, size);
    lw_h5_integrity_free(&table);
    return err == LW_OK ? info_read(*out) : err;
}

void lw_checkpoint_close(lw_checkpoint **checkpoint) {
    lw_checkpoint *c = *checkpoint;
    if (!c) return;
    lw_h5_reader_close(&c->reader);
    lw_free(c->experiment);
    lw_free(c->experiment_name);
    lw_free(c->stage);
    lw_free(c->results);
    lw_free(c->override);
    lw_free(c);
    *checkpoint = NULL;
}

lw_checkpoint_info lw_checkpoint_info_get(const lw_checkpoint *checkpoint) {
    return checkpoint->info;
}

lw_err lw_checkpoint_open(const lw_comm *comm, const char *path, lw_checkpoint **out) {
    char *mine = NULL, *list = NULL;
    int64_t bytes = 0, all = 0;
    int rank = lw_comm_rank(comm), size = lw_comm_size(comm);
    *out = NULL;
    lw_err err = lw_comm_agree(comm, rank == 0 ? candidates_find(path, &mine, &bytes) : LW_OK);
    /* rank 0's list is everyone's: folders may look different from other nodes */
    if (err == LW_OK) err = lw_comm_allgatherv(comm, mine, bytes, (void **)&list, &all);
    lw_free(mine);
    LW_TRY(err);
    for (const char *at = list; at < list + all; at += strlen(at) + 1) {
        err = lw_comm_agree(comm, checkpoint_open(at, rank, size, out));
        if (err == LW_OK) {
            if (at > list) lw_log(LW_LOG_WARN, "%s is used instead", at);
            break;
        }
        lw_checkpoint_close(out);
        if (at + strlen(at) + 1 >= list + all) break; /* the message of the last one stays */
        lw_log(LW_LOG_WARN, "%s", lw_err_message());
        lw_err_clear();
    }
    lw_free(list);
    if (err != LW_OK) lw_err_context("no whole checkpoint found");
    return err == LW_OK || err == LW_EMEM ? err : LW_EFILE;
}
