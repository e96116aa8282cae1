/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Errors: the table of codes, the record of the first message in each thread, and the end of the job after a broken
 * contract. The record holds a message, not a code: codes travel as return values. Source positions go to the debug log
 * only, because users read the messages.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/base.h>
#include "log.h"

enum { MESSAGE_BYTES = 4096 };

static const struct {
    const char *name, *text;
    int status;
} errors[] = {
#define X(name, status, text) {#name, text, status},
    LW_ERRORS(X)
#undef X
};

static _Thread_local char message[MESSAGE_BYTES];
static void (*abort_hook)(int status);

static bool err_known(lw_err err) {
    return (size_t)err < sizeof errors / sizeof errors[0];
}

const char *lw_err_name(lw_err err) {
    return err_known(err) ? errors[err].name : "EUNKNOWN";
}

const char *lw_err_text(lw_err err) {
    return err_known(err) ? errors[err].text : "unknown error";
}

int lw_err_status(lw_err err) {
    return err_known(err) ? errors[err].status : 1;
}

/* A cut message ends in "..." so that the reader knows. */
static void mark_cut(char *text, size_t size) {
    memcpy(text + size - 4, "...", 4);
}

lw_err lw_err_set(lw_err err, const char *file, int line, const char *fmt, ...) {
    if (message[0] != '\0') return err;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n >= (int)sizeof message) mark_cut(message, sizeof message);
    lw_log(LW_LOG_DEBUG, "%s at %s:%d: %s", lw_err_name(err), file, line, message);
    return err;
}

void lw_err_context(const char *fmt, ...) {
    char joined[MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(joined, sizeof joined, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof joined) return;
    int m = snprintf(joined + n, sizeof joined - (size_t)n, message[0] ? ": %s" : "%s", message);
    if (m >= (int)sizeof joined - n) mark_cut(joined, sizeof joined);
    memcpy(message, joined, sizeof message);
}

const char *lw_err_message(void) {
    return message;
}

void lw_err_clear(void) {
    message[0] = '\0';
}

void lw_abort_hook_set(void (*hook)(int status)) {
    abort_hook = hook;
}

_Noreturn void lw_assert_fail(const char *what, const char *file, int line) {
    fprintf(stderr, "lapwing: [rank %d] %s:%d: broken contract: %s\n", lw_log_rank(), file, line, what);
    fflush(NULL);
    if (abort_hook) abort_hook(1);
    abort();
}
