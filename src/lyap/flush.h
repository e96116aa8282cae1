/* SPDX-License-Identifier: BSD-3-Clause
 *
 * flush.h: subnormal numbers count as zero between flush_on and flush_off (x86: FTZ and DAZ; elsewhere: no effect).
 */
#ifndef LAPWING_LYAP_FLUSH_H
#define LAPWING_LYAP_FLUSH_H

#ifdef __SSE2__
#include <xmmintrin.h>
typedef unsigned flush_state;
static inline flush_state flush_on(void) {
    unsigned old = _mm_getcsr();
    _mm_setcsr(old | 0x8040u);
    return old;
}
static inline void flush_off(flush_state old) {
    _mm_setcsr(old);
}
#else
typedef unsigned flush_state;
static inline flush_state flush_on(void) {
    return 0;
}
static inline void flush_off(flush_state old) {
    (void)old;
}
#endif

#endif
