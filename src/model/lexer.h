/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Text to tokens. A newline token ends an item; it is left out inside parentheses and after an operator or comma, so
 * long expressions may be broken there. Comments run from # to the end of the line.
 */
#ifndef LW_MODEL_LEXER_H
#define LW_MODEL_LEXER_H

#include <lapwing/base.h>

typedef enum lw_token_kind {
    LW_TOKEN_END,
    LW_TOKEN_NEWLINE,
    LW_TOKEN_NAME,
    LW_TOKEN_NUMBER,
    LW_TOKEN_STRING, /* start/length without the quotes */
    LW_TOKEN_OP      /* one of + - * / ^ ( ) [ ] , = ' < > and LW_OP_LE, LW_OP_GE */
} lw_token_kind;

enum { LW_OP_LE = 256, LW_OP_GE };

typedef struct lw_token {
    lw_token_kind kind;
    int line, column; /* from 1 */
    const char *start;
    int length;
    int op;
    double number;
} lw_token;

/** All tokens of `text`; the last one is LW_TOKEN_END. The tokens point into `text`. Free with lw_free. */
lw_err lw_lexer_run(const char *name, const char *text, lw_token **out, int *count) LW_MUST_CHECK;
/** "'x'", "number 3", "end of line": how a message names a token. */
void lw_token_text(const lw_token *token, char out[80]);

#endif
