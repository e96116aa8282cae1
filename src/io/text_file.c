/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Text files and folders: whole files are read through zlib (which passes plain files on), and written under a
 * temporary name, fsynced and renamed, so that a reader sees the old text or the new one and never half of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <lapwing/io.h>
#include "file.h"

enum { READ_STEP = 1 << 20, READ_LEAST = 1 << 12 };

lw_err lw_file_read(const char *path, char **out, int64_t *bytes) {
    lw_err err = LW_OK;
    char *text = NULL;
    size_t have = 0, room = 0;
    *out = NULL;
    *bytes = 0;
    struct stat status;
    if (stat(path, &status) != 0) return LW_FAIL(LW_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode)) return LW_FAIL(LW_EFILE, "%s: is a folder, expected a file", path);
    /* a large buffer is a large piece of fresh memory each time: small files are read by the thousand */
    size_t step = status.st_size < READ_LEAST  ? READ_LEAST
                  : status.st_size < READ_STEP ? (size_t)status.st_size
                                               : READ_STEP;
    gzFile file = gzopen(path, "rb");
    if (!file) return LW_FAIL(LW_EFILE, "%s: cannot be opened: %s", path, strerror(errno));
    for (;;) {
        if (have + step + 1 > room) {
            size_t want = 2 * room + step + 1;
            LW_TRY_TO(lw_grow(&text, room, want, 1, path), done);
            room = want;
        }
        int got = gzread(file, text + have, (unsigned)step);
        int code = Z_OK;
        if (got < 0) {
            err = LW_FAIL(LW_EFILE, "%s: damaged or unreadable: %s", path, gzerror(file, &code));
            goto done;
        }
        have += (size_t)got;
        if (got == 0) break;
    }
    text[have] = '\0';
done:
    if (gzclose_r(file) != Z_OK && err == LW_OK) err = LW_FAIL(LW_EFILE, "%s: the compressed file ends early", path);
    if (err != LW_OK) {
        lw_free(text);
        return err;
    }
    *out = text;
    *bytes = (int64_t)have;
    return LW_OK;
}

char *lw_file_directory(const char *path) {
    char *copy = lw_strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    if (!slash) {
        lw_free(copy);
        return lw_strdup(".");
    }
    slash[slash == copy] = '\0';
    return copy;
}

lw_err lw_file_sync(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return LW_FAIL(LW_EIO, "%s: cannot be opened to be synced: %s", path, strerror(errno));
    int bad = fsync(file) != 0 ? errno : 0;
    (void)close(file);
    if (bad) return LW_FAIL(LW_EIO, "%s: fsync failed: %s", path, strerror(bad));
    return LW_OK;
}

lw_err lw_file_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) return LW_FAIL(LW_EIO, "%s: cannot be renamed to %s: %s", from, to, strerror(errno));
    char *directory = lw_file_directory(to);
    if (!directory) return LW_FAIL(LW_EMEM, "no memory for the folder of %s", to);
    lw_err err = lw_file_sync(directory);
    lw_free(directory);
    return err;
}

static lw_err text_write(const char *path, const char *text) {
    size_t left = strlen(text);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) return LW_FAIL(LW_EIO, "%s: cannot be created: %s", path, strerror(errno));
    while (left > 0) {
        ssize_t n = write(file, text, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        text += n;
        left -= (size_t)n;
    }
    int bad = left > 0 || fsync(file) != 0 ? errno : 0;
    if (close(file) != 0 && !bad) bad = errno;
    if (bad) return LW_FAIL(LW_EIO, "%s: writing failed: %s", path, strerror(bad));
    return LW_OK;
}

lw_err lw_text_save(const char *path, const char *text) {
    char temporary[4096];
    int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (n >= (int)sizeof temporary) return LW_FAIL(LW_EUSE, "%s: the path is too long", path);
    lw_err err = text_write(temporary, text);
    if (err == LW_OK) err = lw_file_rename(temporary, path);
    if (err != LW_OK) (void)unlink(temporary);
    return err;
}

lw_err lw_directory_make(const char *path) {
    char *copy = lw_strdup(path);
    if (!copy) return LW_FAIL(LW_EMEM, "no memory for the path %s", path);
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0') continue;
        char kept = *at;
        *at = '\0';
        struct stat status;
        /* stat first: mkdir on a read-only file system may say EROFS for a folder that is there */
        bool there = stat(copy, &status) == 0;
        bool made = !there && mkdir(copy, 0777) == 0;
        int bad = errno;
        if (!there && !made && bad == EEXIST) there = stat(copy, &status) == 0; /* another process was faster */
        if (!made && (!there || !S_ISDIR(status.st_mode))) {
            lw_err err = LW_FAIL(LW_EIO, "%s: cannot make the folder %s: %s", path, copy,
                there ? "a file of that name is there" : strerror(bad));
            lw_free(copy);
            return err;
        }
        *at = kept;
        if (kept == '\0') break;
    }
    lw_free(copy);
    return LW_OK;
}

/* A number for csv; nothing where there is none. */
static int number_print(char *out, size_t room, double x) {
    return isnan(x) ? snprintf(out, room, ",") : snprintf(out, room, ",%.17g", x);
}

lw_err lw_metrics_save(const char *path, const lw_metrics *metrics, int64_t n) {
    static const char head[] =
        "epoch,loss,accuracy,rmse,validation_loss,validation_accuracy,validation_rmse,rate_hz,lr,"
        "grad_norm,seconds,data_seconds\n";
    enum { LINE = 512 };
    char *text = NULL;
    size_t room = sizeof head + (size_t)n * LINE;
    LW_TRY(lw_alloc(room, 1, "metrics.csv", &text));
    memcpy(text, head, sizeof head);
    char *at = text + sizeof head - 1;
    for (int64_t i = 0; i < n; i++) {
        const lw_metrics *m = &metrics[i];
        const double column[] = {m->loss, m->accuracy, m->rmse, m->validation_loss, m->validation_accuracy,
            m->validation_rmse, m->rate_hz, m->lr, m->grad_norm, m->seconds, m->data_seconds};
        at += snprintf(at, LINE, "%lld", (long long)m->epoch);
        for (size_t c = 0; c < sizeof column / sizeof column[0]; c++)
            at += number_print(at, 32, column[c]);
        *at++ = '\n';
    }
    *at = '\0';
    lw_err err = lw_text_save(path, text);
    lw_free(text);
    return err;
}
