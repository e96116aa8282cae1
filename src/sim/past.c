/* SPDX-License-Identifier: BSD-3-Clause
 *
 * What a population emitted, by step: bits of spikes, values of others.
 */
#include <string.h>
#include "nonzero.h"
#include "sweep.h"

static size_t real_size(const past *p) {
    return p->f64 ? sizeof(double) : sizeof(float);
}

lw_err past_plan(sweep_memory *m, past_kind kind, bool f64, int64_t cells, int64_t steps, const char *what, past *out) {
    past p = {.spikes = kind == PAST_SPIKES, .f64 = f64, .cells = cells, .words = (cells + 63) / 64};
    size_t real = real_size(&p);
    bool values = kind == PAST_VALUES || kind == PAST_MARKED;
    if (values) LW_TRY(sweep_take(m, steps * cells, real, what, &p.value));
    if (kind != PAST_VALUES) LW_TRY(sweep_take(m, steps * p.words, sizeof *p.bits, what, &p.bits));
    if (kind == PAST_MARKED || kind == PAST_LENT) LW_TRY(sweep_take(m, steps, sizeof *p.binary, what, &p.binary));
    if (p.spikes) LW_TRY(sweep_take(m, cells, real, what, &p.row));
    if (!m->dry) *out = p;
    return LW_OK;
}

lw_err past_lend(sweep_memory *m, past *p, int64_t steps, const void *values) {
    p->lent = values;
    if (values || p->value) return LW_OK;
    return sweep_take(m, steps * p->cells, real_size(p), "emitted values", &p->value);
}

void past_put(past *p, int64_t k, const void *x) {
    bool binary = true;
    if (p->value && !p->lent && past_at(p, k) != x) memcpy(past_at(p, k), x, (size_t)p->cells * real_size(p));
    for (int64_t w = 0; p->bits && w < p->words; w++) {
        int64_t n = p->cells - 64 * w < 64 ? p->cells - 64 * w : 64;
        p->bits[k * p->words + w] =
            p->f64 ? nonzero_bits_f64((const double *)x + 64 * w, n) : nonzero_bits_f32((const float *)x + 64 * w, n);
        if (p->binary && binary)
            binary =
                p->f64 ? are_binary_f64((const double *)x + 64 * w, n) : are_binary_f32((const float *)x + 64 * w, n);
    }
    if (p->binary) p->binary[k] = binary;
}

const void *past_rows(past *p, int64_t k) {
    if (p->lent) return p->lent + (size_t)(k * p->cells) * real_size(p);
    if (!p->spikes) return past_at(p, k);
    const uint64_t *bits = past_bits(p, k);
    if (p->f64)
        bits_unpack_f64(bits, p->cells, p->row);
    else
        bits_unpack_f32(bits, p->cells, p->row);
    return p->row;
}

int64_t past_list(const past *p, int64_t k, int64_t width, uint32_t *list) {
    int64_t n = 0, rows = p->cells / width;
    for (int64_t r = 0; r < rows; r++) {
        uint64_t any = !p->bits;
        for (int64_t l = 0; l < width && !any; l += 64)
            any |= bits_at(past_bits(p, k), r * width + l, width - l < 64 ? width - l : 64);
        if (any) list[n++] = (uint32_t)r;
    }
    return n;
}
