/* SPDX-License-Identifier: BSD-3-Clause
 *
 * past.h: what a population emitted in consecutive steps. Hard spikes are kept as one bit each and unpacked when
 * somebody looks at them; other values as they are, beside them, where that is asked for, bits that say which are not
 * zero: inputs are often spikes too.
 */
#ifndef LAPWING_SIM_PAST_H
#define LAPWING_SIM_PAST_H

#include "engine.h"

struct sweep_memory;

typedef struct past {
    bool spikes, f64;
    int64_t cells, words; /* rows x lanes of a step, words of 64 bits for as many */
    char *value;          /* real [steps][cells]; NULL of spikes, and of lent values */
    const char *lent;     /* real [steps][cells] that stand elsewhere, instead of value */
    uint64_t *bits;       /* [steps][words]: not zero; NULL: not kept */
    uint8_t *binary;      /* [steps]: what is not zero is 1; NULL of spikes, and where bits are not kept */
    void *row;            /* real [cells]: the step of spikes that was looked at last */
} past;
/** What is to be kept. MARKED: values and bits; LENT: bits of values that will stand elsewhere (past_lend). */
typedef enum past_kind { PAST_SPIKES, PAST_VALUES, PAST_MARKED, PAST_LENT } past_kind;
/** steps: of room. **Local**. */
lw_err past_plan(struct sweep_memory *m, past_kind kind, bool f64, int64_t cells, int64_t steps, const char *what,
    past *out) LW_MUST_CHECK;
static inline bool past_exists(const past *p) {
    return p->value || p->bits;
}
/** values: real [steps][cells], borrowed while the steps are looked at; NULL: they are to be kept here after all, for
 * which room is made. **Local**. */
lw_err past_lend(struct sweep_memory *m, past *p, int64_t steps, const void *values) LW_MUST_CHECK;
/** Keep real [cells] as step k. Nothing is copied that stands there already (past_at), or is lent. */
void past_put(past *p, int64_t k, const void *x);
/** Where step k of values other than spikes is kept. */
static inline void *past_at(const past *p, int64_t k) {
    return p->value + (size_t)(k * p->cells) * (p->f64 ? sizeof(double) : sizeof(float));
}
/** Step k: real [cells]. Of spikes valid until the next call. */
const void *past_rows(past *p, int64_t k);
/** Bits of step k, where they are kept; is everything that is not zero a 1? */
static inline const uint64_t *past_bits(const past *p, int64_t k) {
    return p->bits + k * p->words;
}
static inline bool past_ones(const past *p, int64_t k) {
    return p->spikes || (p->binary && p->binary[k]);
}
/** n <= 64 of them from the one numbered `first` on. */
static inline uint64_t bits_at(const uint64_t *bits, int64_t first, int64_t n) {
    int64_t word = first / 64, shift = first % 64;
    uint64_t b = bits[word] >> shift;
    if (shift + n > 64) b |= bits[word + 1] << (64 - shift);
    return n < 64 ? b & (((uint64_t)1 << n) - 1) : b;
}
/** Rows of `width` cells that are not all zero at step k, ascending; all rows where bits are not kept. Returns how
 * many.
 */
int64_t past_list(const past *p, int64_t k, int64_t width, uint32_t *list);

#endif
