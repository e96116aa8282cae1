/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Levels: the order in which populations are stepped within one step. A projection without delay makes its target wait
 * for its source, so a population's level is the longest path of such projections that leads to it; a cycle has no
 * order.
 */
#include <stdio.h>
#include "net_private.h"

/* Some population whose level never settled, seen from `pop` against the direction of the projections: there is always
 * one. */
static int32_t unsettled_before(
    int32_t pop, int32_t n_proj, const int32_t *pre, const int32_t *post, const uint8_t *zero, const int32_t *level) {
    for (int32_t e = 0; e < n_proj; e++)
        if (zero[e] && post[e] == pop && level[pre[e]] < 0) return pre[e];
    LW_ASSERT(!"a population waits for another");
    return -1;
}

/* Walking back from population `at`, one is met again; the cycle is what lies between. next: scratch, [n_pop]. */
static lw_err cycle_fail(int32_t at, int32_t n_pop, const char *const *name, int32_t n_proj, const int32_t *pre,
    const int32_t *post, const uint8_t *zero, const int32_t *level, int32_t *next) {
    char text[1024] = "";
    size_t used = 0;
    for (int32_t i = 0; i < n_pop; i++)
        next[i] = -1;
    for (bool again = false; !again;) {
        int32_t before = unsettled_before(at, n_proj, pre, post, zero, level);
        again = next[before] >= 0;
        next[before] = at;
        at = before;
    }
    for (int32_t i = next[at], end = at; i != end; i = next[i])
        if (i < at) at = i; /* tell it from its first population on */
    int32_t i = at;
    do {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s -> ", name[i]);
        i = next[i];
    } while (i != at && used < sizeof text);
    return LW_FAIL(
        LW_EUSE, "projections without delay form the cycle %s%s; one delay on it must be above 0", text, name[at]);
}

/* 1 when the level of pop could be told. */
static bool settle(
    int32_t pop, int32_t n_proj, const int32_t *pre, const int32_t *post, const uint8_t *zero, int32_t *level) {
    int32_t most = -1;
    for (int32_t e = 0; e < n_proj; e++) {
        if (!zero[e] || post[e] != pop) continue;
        if (level[pre[e]] < 0) return false;
        if (level[pre[e]] > most) most = level[pre[e]];
    }
    level[pop] = most + 1;
    return true;
}

lw_err net_levels(int32_t n_pop, const char *const *name, int32_t n_proj, const int32_t *pre, const int32_t *post,
    const uint8_t *zero, int32_t *level, int32_t *n_levels) {
    int32_t *next = NULL;
    int32_t left = n_pop;
    for (int32_t i = 0; i < n_pop; i++)
        level[i] = -1;
    *n_levels = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int32_t i = 0; i < n_pop; i++) {
            if (level[i] >= 0 || !settle(i, n_proj, pre, post, zero, level)) continue;
            if (level[i] + 1 > *n_levels) *n_levels = level[i] + 1;
            left--;
            moved = true;
        }
    }
    if (left == 0) return LW_OK;
    LW_TRY(lw_alloc((size_t)n_pop, sizeof *next, "cycle of projections", &next));
    int32_t at = 0;
    while (level[at] >= 0)
        at++;
    lw_err err = cycle_fail(at, n_pop, name, n_proj, pre, post, zero, level, next);
    lw_free(next);
    return err;
}
