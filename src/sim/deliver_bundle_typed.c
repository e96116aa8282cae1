/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Template of deliver_bundle.c for one type of inputs (REAL). Never compiled alone.
 * Four targets are read as one number: loads are what the loop spends its time on.
 */

/* acc[t] += w of four targets, lowest first. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FOUR(acc, x, w0, w1, w2, w3)                                                                                   \
    do {                                                                                                               \
        acc[(x)&0xffff] += w0;                                                                                         \
        acc[(x) >> 16 & 0xffff] += w1;                                                                                 \
        acc[(x) >> 32 & 0xffff] += w2;                                                                                 \
        acc[(x) >> 48] += w3;                                                                                          \
    } while (0)
#else
#define FOUR(acc, x, w0, w1, w2, w3)                                                                                   \
    do {                                                                                                               \
        acc[(x) >> 48] += w0;                                                                                          \
        acc[(x) >> 32 & 0xffff] += w1;                                                                                 \
        acc[(x) >> 16 & 0xffff] += w2;                                                                                 \
        acc[(x)&0xffff] += w3;                                                                                         \
    } while (0)
#endif

static inline __attribute__((always_inline)) void LW_T(add_one)(
    const uint16_t *restrict target, int64_t n, REAL w, REAL *restrict acc) {
    int64_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint64_t four;
        memcpy(&four, target + i, sizeof four);
        FOUR(acc, four, w, w, w, w);
    }
    for (; i < n; i++)
        acc[target[i]] += w;
}

#define ADD_EACH(WEIGHT, NAME)                                                                                         \
    static inline __attribute__((always_inline)) void NAME(                                                            \
        const uint16_t *restrict target, int64_t n, const WEIGHT *restrict w, REAL *restrict acc) {                    \
        int64_t i = 0;                                                                                                 \
        for (; i + 4 <= n; i += 4) {                                                                                   \
            uint64_t four;                                                                                             \
            memcpy(&four, target + i, sizeof four);                                                                    \
            FOUR(acc, four, (REAL)w[i], (REAL)w[i + 1], (REAL)w[i + 2], (REAL)w[i + 3]);                               \
        }                                                                                                              \
        for (; i < n; i++)                                                                                             \
            acc[target[i]] += (REAL)w[i];                                                                              \
    }
ADD_EACH(float, LW_T(add_f32))
ADD_EACH(double, LW_T(add_f64))

static int64_t LW_T(run_add)(const queue *q, ahead *a, const queue_run *run, int64_t first) {
    const lw_bundle *b = run->bundle;
    REAL *acc = run->acc;
    int64_t events = 0;
    for (int64_t i = first; i < run->end; i++) {
        look_ahead(q, a, i);
        const cell *c = &a->place[i % PLACES];
        if (!b->weight)
            LW_T(add_one)(c->target, c->n, (REAL)b->weight_value, acc);
        else if (b->weight_type == LW_F32)
            LW_T(add_f32)(c->target, c->n, c->weight, acc);
        else
            LW_T(add_f64)(c->target, c->n, c->weight, acc);
        events += c->n;
        a->bytes -= c->bytes;
    }
    return events;
}

#undef FOUR
#undef ADD_EACH
#undef REAL
#undef LW_T
