/* SPDX-License-Identifier: BSD-3-Clause
 *
 * file.h: whole files in and out, and the steps that make a new name survive a power cut. Every function is local.
 */
#ifndef LAPWING_IO_FILE_H
#define LAPWING_IO_FILE_H

#include <lapwing/base.h>

/** Whole content, gzip-compressed or plain, with a zero byte behind it. Caller frees *out with lw_free. */
lw_err lw_file_read(const char *path, char **out, int64_t *bytes) LW_MUST_CHECK;
/** fsync of a file or of a directory, by name. */
lw_err lw_file_sync(const char *path) LW_MUST_CHECK;
/** Make `to` name what `from` names now: rename, then fsync of the folder. */
lw_err lw_file_rename(const char *from, const char *to) LW_MUST_CHECK;
/** Folder part of a path ("." when there is none) into a new string; NULL without memory. */
char *lw_file_directory(const char *path);

#endif
