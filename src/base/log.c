/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The log: one line per call on standard error, written at once so that the lines of several ranks do not mix.
 * Level and rank are the only process-wide variables of the program. Standard output belongs to results and is never
 * used here.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <lapwing/base.h>
#include "log.h"

static atomic_int log_level = LW_LOG_INFO;
static atomic_int log_rank = 0;

int lw_log_rank(void) {
    return atomic_load_explicit(&log_rank, memory_order_relaxed);
}

void lw_log_rank_set(int rank) {
    atomic_store(&log_rank, rank);
}

void lw_log_setup(lw_log_level level, int rank) {
    atomic_store(&log_level, (int)level);
    atomic_store(&log_rank, rank);
}

void lw_log(lw_log_level level, const char *fmt, ...) {
    static const char *const prefix[] = {
        [LW_LOG_ERROR] = "error: ", [LW_LOG_WARN] = "warning: ", [LW_LOG_INFO] = "", [LW_LOG_DEBUG] = "debug: "};
    int rank = lw_log_rank();
    if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed)) return;
    if (rank != 0 && (level == LW_LOG_WARN || level == LW_LOG_INFO)) return;
    char line[4096];
    int n = snprintf(line, sizeof line, "lapwing: %s", prefix[level]);
    if (level == LW_LOG_DEBUG || rank != 0) n += snprintf(line + n, sizeof line - (size_t)n, "[rank %d] ", rank);
    va_list args;
    va_start(args, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, args);
    va_end(args);
    if (m < 0) return;
    size_t length = strlen(line);
    line[length] = '\n';
    fwrite(line, 1, length + 1, stderr);
}
