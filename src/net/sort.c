/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Sorting of short lists of integers, the inner loop of building a network: insertion for the shortest, else byte by
 * byte from the lowest (radix), which for keys below 2^bits takes bits / 8 passes and no comparisons.
 */
#include <string.h>
#include "net_private.h"

int net_sort_bits(uint64_t n) {
    return n <= 1 ? 0 : 64 - __builtin_clzll(n - 1);
}

static void insertion(uint64_t *key, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        uint64_t x = key[i];
        int64_t j = i;
        for (; j > 0 && key[j - 1] > x; j--)
            key[j] = key[j - 1];
        key[j] = x;
    }
}

void net_sort_from(uint64_t *key, uint64_t *scratch, int64_t n, int low, int high) {
    if (n <= 48) {
        insertion(key, n);
        return;
    }
    uint64_t *from = key, *to = scratch;
    for (int shift = low; shift < high; shift += 8) {
        int64_t place[256] = {0}, at = 0;
        for (int64_t i = 0; i < n; i++)
            place[from[i] >> shift & 255]++;
        for (int b = 0; b < 256; b++) {
            int64_t count = place[b];
            place[b] = at;
            at += count;
        }
        for (int64_t i = 0; i < n; i++)
            to[place[from[i] >> shift & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != key) memcpy(key, from, (size_t)n * sizeof *key);
}

void net_sort(uint64_t *key, uint64_t *scratch, int64_t n, int bits) {
    net_sort_from(key, scratch, n, 0, bits);
}
