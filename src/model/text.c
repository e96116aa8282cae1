/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The growing string that all printers of this floor write into, and two small helpers for text: hash and shortest
 * number.
 */
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(lw_text *text, size_t more) {
    size_t want = text->length + more + 1;
    if (text->err != LW_OK) return false;
    if (want > text->size) {
        size_t size = want * 2 > 1024 ? want * 2 : 1024;
        text->err = lw_grow(&text->chars, text->size, size, 1, "text of a model");
        if (text->err != LW_OK) return false;
        text->size = size;
    }
    return true;
}

void lw_text_add(lw_text *text, const char *fmt, ...) {
    va_list list;
    va_start(list, fmt);
    int n = vsnprintf(NULL, 0, fmt, list);
    va_end(list);
    if (n < 0 || !text_reserve(text, (size_t)n)) return;
    va_start(list, fmt);
    vsnprintf(text->chars + text->length, (size_t)n + 1, fmt, list);
    va_end(list);
    text->length += (size_t)n;
}

void lw_text_add_literal(lw_text *text, const char *s) {
    lw_text_add(text, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n' && s[1])
            lw_text_add(text, "\\n\"\n    \"");
        else if (c == '\n')
            lw_text_add(text, "\\n");
        else if (c == '"' || c == '\\')
            lw_text_add(text, "\\%c", c);
        else if (c == '?')
            lw_text_add(text, "\\?"); /* no trigraphs */
        else if (c < 32 || c > 126)
            lw_text_add(text, "\\%03o", c);
        else
            lw_text_add(text, "%c", c);
    }
    lw_text_add(text, "\"");
}

lw_err lw_text_take(lw_text *text, char **out) {
    lw_text_add(text, "%s", "");
    *out = NULL;
    lw_err err = text->err;
    if (err == LW_OK)
        *out = text->chars;
    else
        lw_free(text->chars);
    *text = (lw_text){0};
    return err;
}

const char *lw_text_get(const lw_text *text) {
    return text->chars ? text->chars : "";
}

void lw_text_clear(lw_text *text) {
    lw_free(text->chars);
    *text = (lw_text){0};
}

uint64_t lw_text_hash(const char *s, uint64_t hash) {
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return hash;
}

void lw_text_number(char out[32], double value) {
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, 32, "%.*g", digits, value);
        if (strtod(out, NULL) == value) return;
    }
}
