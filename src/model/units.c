/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Units: one table of names, a parser for products of powers, and the way back from dimensions to a readable unit.
 * A unit text is atom {(*|/) atom} with atom = 1 | name [^ integer].
 */
#include "units.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct unit_row {
    const char *name;
    double scale;
    int dims[LW_UNIT_DIMS]; /* time, voltage, current, length */
} unit_row;

/* internal units first: lw_dims_text takes the first row that fits */
static const unit_row unit_table[] = {
    {"ms", 1, {1, 0, 0}},
    {"mV", 1, {0, 1, 0}},
    {"pA", 1, {0, 0, 1}},
    {"kHz", 1, {-1, 0, 0}},
    {"pF", 1, {1, -1, 1}},
    {"nS", 1, {0, -1, 1}},
    {"GOhm", 1, {0, 1, -1}},
    {"mm", 1, {0, 0, 0, 1}},
    {"um", 1e-3, {0, 0, 0, 1}},
    {"s", 1e3, {1, 0, 0}},
    {"us", 1e-3, {1, 0, 0}},
    {"ns", 1e-6, {1, 0, 0}},
    {"V", 1e3, {0, 1, 0}},
    {"uV", 1e-3, {0, 1, 0}},
    {"fA", 1e-3, {0, 0, 1}},
    {"nA", 1e3, {0, 0, 1}},
    {"uA", 1e6, {0, 0, 1}},
    {"mA", 1e9, {0, 0, 1}},
    {"A", 1e12, {0, 0, 1}},
    {"Hz", 1e-3, {-1, 0, 0}},
    {"MHz", 1e3, {-1, 0, 0}},
    {"fF", 1e-3, {1, -1, 1}},
    {"nF", 1e3, {1, -1, 1}},
    {"uF", 1e6, {1, -1, 1}},
    {"mF", 1e9, {1, -1, 1}},
    {"F", 1e12, {1, -1, 1}},
    {"pS", 1e-3, {0, -1, 1}},
    {"uS", 1e3, {0, -1, 1}},
    {"mS", 1e6, {0, -1, 1}},
    {"S", 1e9, {0, -1, 1}},
    {"MOhm", 1e-3, {0, 1, -1}},
    {"kOhm", 1e-6, {0, 1, -1}},
    {"Ohm", 1e-9, {0, 1, -1}},
};
enum { UNIT_COUNT = sizeof unit_table / sizeof unit_table[0] };

bool lw_unit_known(const char *name, size_t length, double *scale, int dims[LW_UNIT_DIMS]) {
    for (int i = 0; i < UNIT_COUNT; i++) {
        const unit_row *row = &unit_table[i];
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0) {
            if (scale) *scale = row->scale;
            if (dims) memcpy(dims, row->dims, sizeof row->dims);
            return true;
        }
    }
    return false;
}

bool lw_dims_equal(lw_dims a, lw_dims b) {
    return a.any || b.any || memcmp(a.e, b.e, sizeof a.e) == 0;
}

void lw_dims_text(lw_dims dims, char out[64]) {
    static const char *const base[LW_UNIT_DIMS] = {"ms", "mV", "pA", "mm"};
    size_t at = 0;
    if (!dims.e[0] && !dims.e[1] && !dims.e[2] && !dims.e[3]) {
        snprintf(out, 64, "1");
        return;
    }
    for (int i = 0; i < UNIT_COUNT; i++)
        if (memcmp(unit_table[i].dims, dims.e, sizeof dims.e) == 0) {
            snprintf(out, 64, "%s", unit_table[i].name);
            return;
        }
    out[0] = 0;
    for (int sign = 1; sign >= -1; sign -= 2)
        for (int d = 0; d < LW_UNIT_DIMS; d++) {
            int power = dims.e[d] * sign;
            if (power <= 0) continue;
            const char *glue = sign > 0 ? (at ? "*" : "") : (at ? "/" : "1/");
            at += (size_t)snprintf(out + at, 64 - at, "%s%s", glue, base[d]);
            if (power > 1) at += (size_t)snprintf(out + at, 64 - at, "^%d", power);
        }
}

static lw_err unit_fail(const char *text) {
    return LW_FAIL(LW_EUSE,
        "unit \"%s\" not understood; units are products of ms s us, mV V uV, pA nA, pF nF, nS uS, MOhm, Hz kHz, mm um, "
        "1",
        text);
}

lw_err lw_unit_parse(const char *unit, double *scale, int dims[LW_UNIT_DIMS]) {
    const char *p = unit;
    int sign = 1;
    *scale = 1;
    memset(dims, 0, LW_UNIT_DIMS * sizeof *dims);
    while (*p == ' ')
        p++;
    if (!*p) return LW_OK;
    for (;;) {
        while (*p == ' ')
            p++;
        if (*p == '1' && !isalnum((unsigned char)p[1])) {
            p++;
        } else {
            size_t length = 0;
            double atom_scale;
            int atom_dims[LW_UNIT_DIMS], power = 1;
            while (isalpha((unsigned char)p[length]))
                length++;
            if (!length || !lw_unit_known(p, length, &atom_scale, atom_dims)) return unit_fail(unit);
            p += length;
            while (*p == ' ')
                p++;
            if (*p == '^') {
                char *end;
                long value = strtol(p + 1, &end, 10);
                if (end == p + 1 || value < -9 || value > 9) return unit_fail(unit);
                power = (int)value;
                p = end;
            }
            *scale *= pow(atom_scale, sign * power);
            for (int d = 0; d < LW_UNIT_DIMS; d++)
                dims[d] += sign * power * atom_dims[d];
        }
        while (*p == ' ')
            p++;
        if (!*p) return LW_OK;
        if (*p != '*' && *p != '/') return unit_fail(unit);
        sign = *p++ == '*' ? 1 : -1;
    }
}

lw_err lw_quantity_parse(const char *text, double *value, int dims[LW_UNIT_DIMS]) {
    char *end;
    double number = strtod(text, &end), scale;
    LW_CHECK(end != text && isfinite(number), LW_EUSE, "\"%s\" is not a number with a unit, such as \"20 ms\"", text);
    LW_TRY(lw_unit_parse(end, &scale, dims));
    *value = number * scale;
    return LW_OK;
}
