/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A growing string. Errors stick: after the first failure nothing is added, and lw_text_take reports it. So printers
 * need not look at every call.
 */
#ifndef LW_MODEL_TEXT_H
#define LW_MODEL_TEXT_H

#include <lapwing/base.h>

typedef struct lw_text {
    char *chars; /* [size], always ends with a zero byte once something was added */
    size_t length, size;
    lw_err err;
} lw_text;

void lw_text_add(lw_text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** A C string literal (quotes included) with the content of `s`; line breaks start a new literal on a new line. */
void lw_text_add_literal(lw_text *text, const char *s);
/** Hand the string to the caller (lw_free) and empty the builder; *out is NULL when anything failed before. */
lw_err lw_text_take(lw_text *text, char **out) LW_MUST_CHECK;
/** Borrowed; "" when empty. */
const char *lw_text_get(const lw_text *text);
void lw_text_clear(lw_text *text);

/** FNV-1a, 64 bits. */
uint64_t lw_text_hash(const char *s, uint64_t hash);
#define LW_TEXT_HASH_START UINT64_C(0xcbf29ce484222325)

/** Shortest decimal that reads back as exactly `value`. */
void lw_text_number(char out[32], double value);

#endif
