/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory: zeroed, aligned, counted blocks. Each block stands behind a head of one cache line that remembers its size,
 * so that lw_free can count down; the program's own figures (lw_mem_now, lw_mem_peak) are what `lapwing plan` is
 * compared with.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <lapwing/base.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20, HUGE_FROM = 4 << 20 };

/* head of a block: LINE bytes before what the caller sees */
typedef struct block {
    size_t bytes; /* head included */
} block;

static atomic_int_fast64_t mem_now, mem_peak;

void lw_mem_count(int64_t bytes) {
    int_fast64_t now = atomic_fetch_add_explicit(&mem_now, bytes, memory_order_relaxed) + bytes;
    int_fast64_t peak = atomic_load_explicit(&mem_peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak(&mem_peak, &peak, now)) {
    }
}

/* Not zeroed; NULL when there is no memory or count * size does not fit. */
static void *block_alloc(size_t count, size_t size) {
    size_t bytes = 0;
    void *base = NULL;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > (size_t)PTRDIFF_MAX - 2 * HUGE_PAGE) return NULL;
    bytes += LINE;
    bool large = bytes >= HUGE_FROM;
    if (posix_memalign(&base, large ? HUGE_PAGE : LINE, bytes) != 0) return NULL;
    if (large) (void)madvise(base, bytes, MADV_HUGEPAGE); /* advice only: without huge pages the block is as good */
    ((block *)base)->bytes = bytes;
    lw_mem_count((int64_t)bytes);
    return (char *)base + LINE;
}

static lw_err no_memory(size_t count, size_t size, const char *what) {
    return LW_FAIL(LW_EMEM, "no memory for %s: %zu x %zu bytes wanted, %lld bytes held", what, count, size,
        (long long)lw_mem_now());
}

lw_err lw_alloc(size_t count, size_t size, const char *what, void *out_pointer_to_pointer) {
    void *p = block_alloc(count, size);
    memcpy(out_pointer_to_pointer, &p, sizeof p);
    if (!p) return no_memory(count, size, what);
    memset(p, 0, count * size);
    return LW_OK;
}

lw_err lw_grow(void *pointer_to_pointer, size_t old_count, size_t count, size_t size, const char *what) {
    void *old = NULL;
    memcpy(&old, pointer_to_pointer, sizeof old);
    if (!old) old_count = 0;
    if (old && count <= old_count) return LW_OK;
    void *p = block_alloc(count, size);
    if (!p) return no_memory(count, size, what);
    if (old_count) memcpy(p, old, old_count * size);
    memset((char *)p + old_count * size, 0, (count - old_count) * size);
    memcpy(pointer_to_pointer, &p, sizeof p);
    lw_free(old);
    return LW_OK;
}

void lw_free(void *p) {
    if (!p) return;
    block *head = (block *)((char *)p - LINE);
    lw_mem_count(-(int64_t)head->bytes);
    free(head);
}

int64_t lw_mem_now(void) {
    return atomic_load(&mem_now);
}

int64_t lw_mem_peak(void) {
    return atomic_load(&mem_peak);
}

void lw_mem_peak_reset(void) {
    atomic_store(&mem_peak, atomic_load(&mem_now));
}

int64_t lw_mem_peak_rss(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (int64_t)usage.ru_maxrss * 1024; /* Linux counts in KiB */
}

char *lw_strdup(const char *s) {
    size_t bytes = strlen(s) + 1;
    char *copy = block_alloc(bytes, 1);
    return copy ? memcpy(copy, s, bytes) : NULL;
}
