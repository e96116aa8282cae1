/* SPDX-License-Identifier: BSD-3-Clause
 *
 * .npy files (NumPy Enhancement Proposal 1; versions 1 to 3): a magic string, a header that is a Python dictionary, the
 * bytes. Only what our data sets use is read: plain little-endian numbers; Fortran order is turned into C order.
 * Compressed files (.npy.gz) work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <lapwing/io.h>
#include "file.h"

/* The text behind 'key': in the header; NULL when the key is missing. */
static const char *header_value(const char *header, const char *key) {
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at) return NULL;
    at += strlen(quoted);
    while (*at == ' ' || *at == ':')
        at++;
    return at;
}

static lw_err type_parse(const char *path, const char *descr, lw_npy *out) {
    char type[16] = "";
    if (!descr || sscanf(descr, "'%15[^']'", type) != 1)
        return LW_FAIL(LW_EFILE, "%s: the header has no 'descr'", path);
    long bytes = strlen(type) > 2 ? strtol(type + 2, NULL, 10) : 0;
    out->kind = type[1];
    out->bytes = (int32_t)bytes;
    bool integer = (out->kind == 'i' || out->kind == 'u') && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
    bool real = out->kind == 'f' && (bytes == 4 || bytes == 8);
    bool truth = out->kind == 'b' && bytes == 1;
    if (!(integer || real || truth) || (type[0] != '<' && !(type[0] == '|' && bytes == 1)))
        return LW_FAIL(LW_EFILE,
            "%s: found element type '%s', allowed are little-endian int8..int64, uint8..uint64, float32, float64 and "
            "bool",
            path, type);
    return LW_OK;
}

static lw_err shape_parse(const char *path, const char *shape, lw_npy *out) {
    if (!shape || *shape != '(') return LW_FAIL(LW_EFILE, "%s: the header has no 'shape'", path);
    out->count = 1;
    for (const char *at = shape + 1;;) {
        while (*at == ' ' || *at == ',')
            at++;
        if (*at == ')') return LW_OK;
        char *end = NULL;
        long long n = strtoll(at, &end, 10);
        if (end == at || n < 0) return LW_FAIL(LW_EFILE, "%s: the header's 'shape' cannot be read", path);
        if (out->n_dim == 8) return LW_FAIL(LW_EFILE, "%s: found more than 8 dimensions", path);
        out->dim[out->n_dim++] = n;
        if (__builtin_mul_overflow(out->count, (int64_t)n, &out->count))
            return LW_FAIL(LW_EFILE, "%s: the shape in the header is too large", path);
        at = *end == 'L' ? end + 1 : end; /* files of Python 2 */
    }
}

/* First index fastest -> last index fastest: walks the source once, keeping the multi-index and the C position of its
 * element. */
static void to_c_order(const char *from, lw_npy *out) {
    int64_t stride[8], index[8] = {0}, to = 0;
    size_t bytes = (size_t)out->bytes;
    for (int32_t d = out->n_dim - 1; d >= 0; d--)
        stride[d] = d == out->n_dim - 1 ? 1 : stride[d + 1] * out->dim[d + 1];
    for (int64_t i = 0; i < out->count; i++) {
        memcpy((char *)out->data + (size_t)to * bytes, from + (size_t)i * bytes, bytes);
        for (int32_t d = 0; d < out->n_dim; d++) {
            to += stride[d];
            if (++index[d] < out->dim[d]) break;
            to -= index[d] * stride[d];
            index[d] = 0;
        }
    }
}

static lw_err npy_parse(const char *path, char *text, int64_t bytes, lw_npy *out) {
    const uint8_t *head = (const uint8_t *)text;
    if (bytes < 12 || memcmp(text, "\x93NUMPY", 6) != 0)
        return LW_FAIL(LW_EFILE, "%s: not a .npy file (wrong first bytes)", path);
    if (head[6] < 1 || head[6] > 3)
        return LW_FAIL(LW_EFILE, "%s: found .npy version %d, allowed are 1 to 3", path, head[6]);
    int64_t start = head[6] == 1 ? 10 : 12;
    int64_t length = head[8] | head[9] << 8;
    if (start == 12) length |= (int64_t)head[10] << 16 | (int64_t)head[11] << 24;
    if (start + length > bytes)
        return LW_FAIL(LW_EFILE, "%s: the file ends inside its header (%lld bytes)", path, (long long)bytes);
    char *header = NULL;
    LW_TRY(lw_alloc((size_t)length + 1, 1, "a .npy header", &header));
    memcpy(header, text + start, (size_t)length);
    lw_err err = type_parse(path, header_value(header, "descr"), out);
    if (err == LW_OK) err = shape_parse(path, header_value(header, "shape"), out);
    const char *order = header_value(header, "fortran_order");
    bool fortran = order && strncmp(order, "True", 4) == 0;
    if (err == LW_OK && !fortran && (!order || strncmp(order, "False", 5) != 0))
        err = LW_FAIL(LW_EFILE, "%s: the header's 'fortran_order' is neither True nor False", path);
    lw_free(header);
    LW_TRY(err);
    int64_t want = 0;
    if (__builtin_mul_overflow(out->count, (int64_t)out->bytes, &want) || bytes - start - length != want)
        return LW_FAIL(LW_EFILE, "%s: found %lld bytes of data, the header's shape and type want %lld", path,
            (long long)(bytes - start - length), (long long)want);
    LW_TRY(lw_alloc((size_t)want, 1, path, &out->data));
    if (fortran)
        to_c_order(text + start + length, out);
    else
        memcpy(out->data, text + start + length, (size_t)want);
    return LW_OK;
}

lw_err lw_npy_read(const char *path, lw_npy *out) {
    char *text = NULL;
    int64_t bytes = 0;
    memset(out, 0, sizeof *out);
    LW_TRY(lw_file_read(path, &text, &bytes));
    lw_err err = npy_parse(path, text, bytes, out);
    lw_free(text);
    return err;
}

#define AT(type) ((double)((const type *)a->data)[i])
double lw_npy_at(const lw_npy *a, int64_t i) {
    switch (a->kind) {
    case 'i':
        return a->bytes == 1 ? AT(int8_t) : a->bytes == 2 ? AT(int16_t) : a->bytes == 4 ? AT(int32_t) : AT(int64_t);
    case 'f':
        return a->bytes == 4 ? AT(float) : AT(double);
    default:
        return a->bytes == 1 ? AT(uint8_t) : a->bytes == 2 ? AT(uint16_t) : a->bytes == 4 ? AT(uint32_t) : AT(uint64_t);
    }
}
#undef AT
