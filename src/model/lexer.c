/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The lexer: one pass over the characters with a table of single-character operators. Knows no keywords: all words are
 * names, and the parser decides by position.
 */
#include "lexer.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lexer {
    const char *name, *p, *line_start;
    int line, depth;
    lw_token *tokens;
    int count, size;
} lexer;

static lw_err lexer_push(lexer *lex, lw_token_kind kind, const char *start, int length, int op) {
    if (lex->count == lex->size) {
        int size = lex->size ? 2 * lex->size : 256;
        LW_TRY(lw_grow(&lex->tokens, (size_t)lex->size, (size_t)size, sizeof(lw_token), "tokens of a model"));
        lex->size = size;
    }
    lw_token *token = &lex->tokens[lex->count++];
    *token = (lw_token){.kind = kind, .line = lex->line, .start = start, .length = length, .op = op};
    token->column = (int)(start - lex->line_start) + 1;
    return LW_OK;
}

static int number_length(const char *p) {
    int n = 0;
    while (isdigit((unsigned char)p[n]))
        n++;
    if (p[n] == '.') n++;
    while (isdigit((unsigned char)p[n]))
        n++;
    if (p[n] == 'e' || p[n] == 'E') {
        int m = n + 1;
        if (p[m] == '+' || p[m] == '-') m++;
        if (isdigit((unsigned char)p[m])) {
            while (isdigit((unsigned char)p[m]))
                m++;
            n = m;
        }
    }
    return n;
}

static bool line_goes_on(const lexer *lex) {
    if (lex->depth > 0) return true;
    if (!lex->count) return true; /* empty lines before the first token */
    const lw_token *last = &lex->tokens[lex->count - 1];
    if (last->kind == LW_TOKEN_NEWLINE) return true;
    return last->kind == LW_TOKEN_OP && last->op != ')' && last->op != ']' && last->op != '\'';
}

static lw_err lexer_word(lexer *lex) {
    const char *p = lex->p;
    int n = 0;
    if (isalpha((unsigned char)*p) || *p == '_') {
        while (isalnum((unsigned char)p[n]) || p[n] == '_')
            n++;
        LW_TRY(lexer_push(lex, LW_TOKEN_NAME, p, n, 0));
    } else if (isdigit((unsigned char)*p) || (*p == '.' && isdigit((unsigned char)p[1]))) {
        n = number_length(p);
        LW_TRY(lexer_push(lex, LW_TOKEN_NUMBER, p, n, 0));
        char digits[64];
        snprintf(digits, sizeof digits, "%.*s", n, p); /* a copy: strtod would read on into "0x..." */
        lex->tokens[lex->count - 1].number = strtod(digits, NULL);
    } else if (*p == '"') {
        n = 1;
        while (p[n] && p[n] != '"' && p[n] != '\n')
            n++;
        LW_CHECK(p[n] == '"', LW_EMODEL, "%s:%d:%d: found a text without end, expected '\"' before the end of the line",
            lex->name, lex->line, (int)(p - lex->line_start) + 1);
        LW_TRY(lexer_push(lex, LW_TOKEN_STRING, p + 1, n - 1, 0));
        lex->tokens[lex->count - 1].column--;
        n++;
    } else {
        int op = *p;
        LW_CHECK(strchr("+-*/^()[],='<>", op), LW_EMODEL,
            "%s:%d:%d: found character '%c', expected a name, a number or one of + - * / ^ ( ) [ ] , = ' < > #",
            lex->name, lex->line, (int)(p - lex->line_start) + 1, isprint(op) ? op : '?');
        n = 1;
        if ((op == '<' || op == '>') && p[1] == '=') {
            op = op == '<' ? LW_OP_LE : LW_OP_GE;
            n = 2;
        }
        LW_TRY(lexer_push(lex, LW_TOKEN_OP, p, n, op));
        if (op == '(' || op == '[') lex->depth++;
        if ((op == ')' || op == ']') && lex->depth > 0) lex->depth--;
    }
    lex->p += n;
    return LW_OK;
}

lw_err lw_lexer_run(const char *name, const char *text, lw_token **out, int *count) {
    lexer lex = {.name = name, .p = text, .line_start = text, .line = 1};
    lw_err err = LW_OK;
    *out = NULL;
    while (*lex.p) {
        if (*lex.p == '\n') {
            if (!line_goes_on(&lex)) LW_TRY_TO(lexer_push(&lex, LW_TOKEN_NEWLINE, lex.p, 1, 0), fail);
            lex.p++;
            lex.line++;
            lex.line_start = lex.p;
        } else if (*lex.p == '#') {
            while (*lex.p && *lex.p != '\n')
                lex.p++;
        } else if (*lex.p == ' ' || *lex.p == '\t' || *lex.p == '\r') {
            lex.p++;
        } else {
            LW_TRY_TO(lexer_word(&lex), fail);
        }
    }
    if (lex.count && lex.tokens[lex.count - 1].kind != LW_TOKEN_NEWLINE)
        LW_TRY_TO(lexer_push(&lex, LW_TOKEN_NEWLINE, lex.p, 0, 0), fail);
    LW_TRY_TO(lexer_push(&lex, LW_TOKEN_END, lex.p, 0, 0), fail);
    *out = lex.tokens;
    *count = lex.count;
    return LW_OK;
fail:
    lw_free(lex.tokens);
    return err;
}

void lw_token_text(const lw_token *token, char out[80]) {
    int n = token->length > 40 ? 40 : token->length;
    switch (token->kind) {
    case LW_TOKEN_END:
        snprintf(out, 80, "end of file");
        return;
    case LW_TOKEN_NEWLINE:
        snprintf(out, 80, "end of line");
        return;
    case LW_TOKEN_NUMBER:
        snprintf(out, 80, "number %.*s", n, token->start);
        return;
    case LW_TOKEN_STRING:
        snprintf(out, 80, "text \"%.*s\"", n, token->start);
        return;
    case LW_TOKEN_NAME:
    case LW_TOKEN_OP:
        snprintf(out, 80, "'%.*s'", n, token->start);
        return;
    }
}
